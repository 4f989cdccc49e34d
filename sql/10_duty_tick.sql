-- duty: the clock, which flags and escalates what is overdue.

-- what is escalated is of no more use to the clock
-- since 1.1
CREATE INDEX duty_tick_idx ON changemgmt.duty (due_at)
	WHERE done_at IS NULL AND cancelled_at IS NULL AND escalated_at IS NULL;

CREATE FUNCTION changemgmt.tick(
	at timestamptz DEFAULT now(), OUT flagged bigint, OUT escalated bigint,
	OUT open bigint, OUT overdue bigint)
	RETURNS record
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'tick';
COMMENT ON FUNCTION changemgmt.tick(timestamptz) IS
	'Flags the duties that are overdue at a time and escalates those that have been so for escalate_after_hours, each once and at most 10,000 a call; returns how many of each, and how many are open and overdue. For a scheduler, any number of times. Errors: MC008 for a time in the future.';
