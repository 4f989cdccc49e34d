-- change: verification by numbers, what is due when, and rollbacks.

CREATE FUNCTION changemgmt.add_signal_check(
	change_id bigint, title text, signal text, threshold numeric,
	bad_when text DEFAULT 'above', baseline numeric DEFAULT NULL,
	stage text DEFAULT 'immediate', is_rollback_trigger boolean DEFAULT false,
	is_required boolean DEFAULT true) RETURNS bigint
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO changemgmt.change_check
		(change_id, title, kind, stage, is_required, signal, baseline, threshold,
		 bad_when, is_rollback_trigger)
	VALUES (add_signal_check.change_id, add_signal_check.title, 'slo',
			add_signal_check.stage, add_signal_check.is_required,
			add_signal_check.signal, add_signal_check.baseline,
			add_signal_check.threshold, add_signal_check.bad_when,
			add_signal_check.is_rollback_trigger)
	RETURNING id;
END;
COMMENT ON FUNCTION changemgmt.add_signal_check(bigint, text, text, numeric, text, numeric, text, boolean, boolean) IS
	'Adds a check of a service level signal (errors, latency, availability, saturation, traffic, other): a value above (or below) the threshold is bad, and asks for a rollback where it is a rollback trigger. Returns the id of the row. Errors: MC005, MC008.';

CREATE FUNCTION changemgmt.record_observation(
	check_id bigint, value numeric, at timestamptz DEFAULT NULL)
	RETURNS boolean
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'record_observation';
COMMENT ON FUNCTION changemgmt.record_observation(bigint, numeric, timestamptz) IS
	'Records a number observed, now or at a time that is past, as the latest result of a check with a threshold; returns whether it passed, null for an unknown check. The same value of the same time again does nothing. Errors: MC001 where there is nothing to verify, MC008 for a check without a threshold, for what is no number, and for a time before the latest result, before the work began, in the future or more than 30 days back.';

CREATE FUNCTION changemgmt.record_signal(
	change_id bigint, signal text, value numeric, at timestamptz DEFAULT NULL)
	RETURNS integer
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'record_signal';
COMMENT ON FUNCTION changemgmt.record_signal(bigint, text, numeric, timestamptz) IS
	'Records a number observed as the result of every check of this signal whose stage was running at that time, and returns how many: immediate from the start until 24 hours after deployment, 24_hours until 7 days after it, then 7_days. Errors: those of record_observation.';

CREATE FUNCTION changemgmt.model_validations(model text, version integer)
	RETURNS text[]
	LANGUAGE C STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'model_validations';
COMMENT ON FUNCTION changemgmt.model_validations(text, integer) IS
	'The stages (24_hours, 7_days) that a version of a model wants validated before close; null where there is no such version.';

-- Each check, and each stage that the model asks for and nobody has planned a
-- check for. A result of before its stage does not count (validations_done), nor
-- does that of a rollback trigger of before the work was complete (verified).
CREATE VIEW changemgmt.verification WITH (security_invoker = true) AS
	WITH planned AS (
		SELECT c.id AS change_id, c.status, c.outcome, c.model, k.id AS check_id,
			   k.title, k.kind, k.stage, k.is_required, k.signal, k.baseline,
			   k.threshold, k.bad_when, k.is_rollback_trigger,
			   c.deployed_at + CASE k.stage WHEN 'immediate' THEN '0 hours'::interval
				   WHEN '24_hours' THEN '24 hours' ELSE '168 hours' END AS due_at,
			   k.observed, k.observed_value, k.passed, k.checked_at,
			   k.checked_by_id, k.tripped_at
		FROM changemgmt.change_check AS k
		JOIN changemgmt.change AS c ON c.id = k.change_id
		UNION ALL
		SELECT c.id, c.status, c.outcome, c.model, NULL,
			   'validation ' || replace(s.stage, '_', ' ') || ' after deployment', NULL,
			   s.stage, true, NULL, NULL, NULL, NULL, false,
			   c.deployed_at + CASE s.stage WHEN '24_hours' THEN '24 hours'::interval
				   ELSE '168 hours' END,
			   NULL, NULL, NULL, NULL, NULL, NULL
		FROM changemgmt.change AS c
		CROSS JOIN LATERAL unnest(changemgmt.model_validations(c.model, c.model_version)) AS s (stage)
		WHERE c.status IN ('in_progress', 'verifying', 'implemented')
		  AND NOT EXISTS (SELECT FROM changemgmt.change_check AS k
						  WHERE k.change_id = c.id AND k.stage = s.stage)
	)
	SELECT p.change_id, changemgmt.change_number(p.change_id) AS number, p.status,
		   p.outcome, p.check_id, p.title, p.kind, p.stage, p.is_required, p.signal,
		   p.baseline, p.threshold, p.bad_when, p.is_rollback_trigger, p.due_at,
		   p.observed, p.observed_value, p.passed, p.checked_at,
		   b.login AS checked_by, p.tripped_at,
		   CASE WHEN p.tripped_at IS NOT NULL THEN 'tripped'
			   WHEN p.passed IS NOT NULL
					AND (p.checked_at >= p.due_at
						 OR (p.stage = 'immediate' AND NOT p.is_rollback_trigger))
				   THEN CASE WHEN p.passed THEN 'passed' ELSE 'failed' END
			   WHEN p.status IN ('closed', 'cancelled', 'rolled_back')
					OR p.outcome = 'failed' THEN 'not made'
			   WHEN p.due_at <= now() THEN 'due'
			   ELSE 'not due' END AS state
	FROM planned AS p
	LEFT JOIN changemgmt.person AS b ON b.id = p.checked_by_id;
COMMENT ON VIEW changemgmt.verification IS
	'Each check of each change with its latest result and when it is due; also the stages that a model wants validated and nobody has planned a check for.';
COMMENT ON COLUMN changemgmt.verification.change_id IS 'Id of the change.';
COMMENT ON COLUMN changemgmt.verification.number IS 'Number of the change.';
COMMENT ON COLUMN changemgmt.verification.status IS 'Status of the change.';
COMMENT ON COLUMN changemgmt.verification.outcome IS 'Outcome of the change.';
COMMENT ON COLUMN changemgmt.verification.check_id IS 'Id of the check; null where the model wants a validation and there is no check.';
COMMENT ON COLUMN changemgmt.verification.title IS 'What is checked.';
COMMENT ON COLUMN changemgmt.verification.kind IS 'slo, synthetic, functional or user_confirmation.';
COMMENT ON COLUMN changemgmt.verification.stage IS 'immediate, 24_hours or 7_days.';
COMMENT ON COLUMN changemgmt.verification.is_required IS 'Whether it has to pass.';
COMMENT ON COLUMN changemgmt.verification.signal IS 'errors, latency, availability, saturation, traffic or other.';
COMMENT ON COLUMN changemgmt.verification.baseline IS 'The value that is usual.';
COMMENT ON COLUMN changemgmt.verification.threshold IS 'The last value that is good.';
COMMENT ON COLUMN changemgmt.verification.bad_when IS 'On which side of the threshold a value is bad: above or below.';
COMMENT ON COLUMN changemgmt.verification.is_rollback_trigger IS 'Whether a bad value asks for a rollback.';
COMMENT ON COLUMN changemgmt.verification.due_at IS 'From when on a result counts: deployment, 24 hours or 7 days after it; null before it.';
COMMENT ON COLUMN changemgmt.verification.observed IS 'What was seen last.';
COMMENT ON COLUMN changemgmt.verification.observed_value IS 'The number that was seen last.';
COMMENT ON COLUMN changemgmt.verification.passed IS 'Whether it was right.';
COMMENT ON COLUMN changemgmt.verification.checked_at IS 'When it was seen.';
COMMENT ON COLUMN changemgmt.verification.checked_by IS 'Login of who recorded it.';
COMMENT ON COLUMN changemgmt.verification.tripped_at IS 'When it first tripped the rollback.';
COMMENT ON COLUMN changemgmt.verification.state IS
	'tripped, passed, failed, due (no result that counts, and it is time), not due, or not made (the change is over).';

-- OFFSET 0 asks for the checks of one change after the other, by their index: what
-- is open, or was a month ago, is little, whatever the history.
CREATE VIEW changemgmt.unverified_change WITH (security_invoker = true) AS
	WITH lack AS (
		SELECT c.id, v.title, v.state, v.stage, v.since
		FROM changemgmt.change AS c
		CROSS JOIN LATERAL (
			SELECT k.title, k.state, k.stage, k.is_required,
				   CASE k.state WHEN 'tripped' THEN k.tripped_at
					   WHEN 'failed' THEN k.checked_at ELSE k.due_at END AS since
			FROM changemgmt.verification AS k
			WHERE k.change_id = c.id
			OFFSET 0) AS v
		WHERE c.status IN ('verifying', 'implemented')
		  AND (c.outcome IS NULL OR c.outcome IN ('successful', 'successful_with_issues'))
		  AND (v.is_required OR v.state = 'tripped')
		  AND (v.state = 'due' OR (v.state IN ('failed', 'tripped')
								   AND c.outcome IS DISTINCT FROM 'successful_with_issues'))
		UNION ALL
		SELECT c.id, v.title, 'not made', v.stage, v.since
		FROM changemgmt.change AS c
		CROSS JOIN LATERAL (
			SELECT k.title, k.stage, c.deployed_at + d.after AS since
			FROM changemgmt.change_check AS k
			CROSS JOIN LATERAL (
				SELECT CASE k.stage WHEN 'immediate' THEN '0 hours'::interval
						   WHEN '24_hours' THEN '24 hours' ELSE '168 hours' END AS after) AS d
			WHERE k.change_id = c.id
			  AND k.is_required
			  AND (k.passed IS NULL
				   OR (k.stage <> 'immediate' AND k.checked_at < c.deployed_at + d.after))
			OFFSET 0) AS v
		WHERE c.status = 'closed'
		  AND c.outcome IN ('successful', 'successful_with_issues')
		  AND c.actual_end >= now() - '744 hours'::interval
	), missing AS (
		SELECT l.id, count(*)::integer AS missing_count, min(l.since) AS since,
			   string_agg(l.title || ': ' || l.state, '; '
						  ORDER BY l.since, l.stage, l.title) AS missing
		FROM lack AS l
		GROUP BY l.id
	)
	SELECT c.id AS change_id, changemgmt.change_number(c.id) AS number, c.title,
		   c.model, c.status, c.outcome, o.login AS owner, t.name AS team,
		   c.deployed_at, m.missing_count, m.missing, m.since,
		   (extract(epoch FROM now() - m.since) / 3600)::double precision AS age_hours
	FROM missing AS m
	JOIN changemgmt.change AS c ON c.id = m.id
	LEFT JOIN changemgmt.person AS o ON o.id = c.owner_id
	LEFT JOIN changemgmt.team AS t ON t.id = c.team_id;
COMMENT ON VIEW changemgmt.unverified_change IS
	'Changes whose work is done and whose required checks or validations are past due, failed or tripped; also those closed without them, if the work ended within the last 31 days. A change passed with issues has explained what failed.';
COMMENT ON COLUMN changemgmt.unverified_change.change_id IS 'Id of the change.';
COMMENT ON COLUMN changemgmt.unverified_change.number IS 'Number of the change.';
COMMENT ON COLUMN changemgmt.unverified_change.title IS 'What it is.';
COMMENT ON COLUMN changemgmt.unverified_change.model IS 'Key of its model.';
COMMENT ON COLUMN changemgmt.unverified_change.status IS 'verifying, implemented or closed.';
COMMENT ON COLUMN changemgmt.unverified_change.outcome IS 'Its outcome so far.';
COMMENT ON COLUMN changemgmt.unverified_change.owner IS 'Login of who is accountable.';
COMMENT ON COLUMN changemgmt.unverified_change.team IS 'Name of the team that carried it out.';
COMMENT ON COLUMN changemgmt.unverified_change.deployed_at IS 'When it was deployed.';
COMMENT ON COLUMN changemgmt.unverified_change.missing_count IS 'How many results are missing or bad.';
COMMENT ON COLUMN changemgmt.unverified_change.missing IS 'Which, each with its state (view verification).';
COMMENT ON COLUMN changemgmt.unverified_change.since IS 'Since when the first of them is.';
COMMENT ON COLUMN changemgmt.unverified_change.age_hours IS 'Hours since then.';

-- since 1.1
CREATE INDEX change_rolled_back_at_idx ON changemgmt.change (rolled_back_at)
	WHERE rolled_back_at IS NOT NULL;

CREATE VIEW changemgmt.rollback WITH (security_invoker = true) AS
	SELECT c.id AS change_id, changemgmt.change_number(c.id) AS number, c.title,
		   c.type, c.cause_class,
		   coalesce((SELECT l.reason FROM changemgmt.ledger AS l
					 WHERE l.subject_kind = 'change' AND l.subject_id = c.id
					   AND l.event = 'roll_back'
					 ORDER BY l.sequence DESC LIMIT 1), c.status_reason) AS reason,
		   c.rollback_started_at AS started_at, c.rolled_back_at AS ended_at,
		   (extract(epoch FROM c.rolled_back_at - c.rollback_started_at) / 60)::double precision AS minutes,
		   c.rollback_minutes AS planned_minutes,
		   extract(epoch FROM c.rolled_back_at - c.rollback_started_at) <= c.rollback_minutes * 60 AS within_plan,
		   s.login AS stability_confirmed_by, c.stability_confirmed_at,
		   NULL::text AS backed_out_by
	FROM changemgmt.change AS c
	LEFT JOIN changemgmt.person AS s ON s.id = c.stability_confirmed_by_id
	WHERE c.rolled_back_at IS NOT NULL
	UNION ALL
	SELECT c.id, changemgmt.change_number(c.id), c.title, c.type, c.cause_class,
		   b.reason, b.started_at, b.ended_at,
		   (extract(epoch FROM b.ended_at - b.started_at) / 60)::double precision,
		   c.rollback_minutes,
		   extract(epoch FROM b.ended_at - b.started_at) <= c.rollback_minutes * 60,
		   s.login, c.stability_confirmed_at, changemgmt.change_number(b.id)
	FROM (
		SELECT l.target_change_id, h.id, coalesce(h.justification, h.title) AS reason,
			   h.actual_start AS started_at, h.deployed_at AS ended_at
		FROM changemgmt.change_link AS l
		JOIN changemgmt.change AS h ON h.id = l.change_id
		WHERE l.relation = 'backs_out'
		  AND h.actual_start IS NOT NULL
		  AND (h.outcome IS NULL OR h.outcome IN ('successful', 'successful_with_issues'))
	) AS b
	JOIN changemgmt.change AS c ON c.id = b.target_change_id
	LEFT JOIN changemgmt.person AS s ON s.id = c.stability_confirmed_by_id;
COMMENT ON VIEW changemgmt.rollback IS
	'Each rollback, and each change that another one backs out or is at work to, with cause, reason and the time needed against the time planned.';
COMMENT ON COLUMN changemgmt.rollback.change_id IS 'Id of the change that was taken back.';
COMMENT ON COLUMN changemgmt.rollback.number IS 'Number of that change.';
COMMENT ON COLUMN changemgmt.rollback.title IS 'What it was.';
COMMENT ON COLUMN changemgmt.rollback.type IS 'standard, normal, major, emergency or latent.';
COMMENT ON COLUMN changemgmt.rollback.cause_class IS 'testing, plan, environment, dependency, human, vendor, capacity or unknown.';
COMMENT ON COLUMN changemgmt.rollback.reason IS 'Why: the reason of roll_back, or the justification of the change that backs it out.';
COMMENT ON COLUMN changemgmt.rollback.started_at IS 'When rolling back began; null where nobody said (begin_rollback).';
COMMENT ON COLUMN changemgmt.rollback.ended_at IS 'When it was done.';
COMMENT ON COLUMN changemgmt.rollback.minutes IS 'Minutes between these.';
COMMENT ON COLUMN changemgmt.rollback.planned_minutes IS 'Minutes that the plan gave it.';
COMMENT ON COLUMN changemgmt.rollback.within_plan IS 'Whether it took no longer; null where one of them is not known.';
COMMENT ON COLUMN changemgmt.rollback.stability_confirmed_by IS 'Login of who confirmed that the service is stable.';
COMMENT ON COLUMN changemgmt.rollback.stability_confirmed_at IS 'When.';
COMMENT ON COLUMN changemgmt.rollback.backed_out_by IS 'Number of the change that backs it out; null where it was rolled back itself.';
