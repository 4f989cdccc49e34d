-- Queues, meetings of boards, agenda and minutes.

BEGIN;
SELECT no_plan();

CREATE FUNCTION pg_temp.refusal(sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	code text;
	message text;
	detail text;
BEGIN
	EXECUTE sql;
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' | ', code, message, nullif(detail, ''));
END
$$;

-- The first column of the answer to somebody, or the SQLSTATE of the refusal.
CREATE FUNCTION pg_temp.as(login text, sql text, VARIADIC arguments text[] DEFAULT '{}') RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	actor text := current_setting('changemgmt.actor');
	answer text;
BEGIN
	PERFORM set_config('changemgmt.actor', login, true);
	BEGIN
		EXECUTE format(sql, VARIADIC arguments) INTO answer;
	EXCEPTION WHEN OTHERS THEN
		answer := SQLSTATE;
	END;
	PERFORM set_config('changemgmt.actor', actor, true);
	RETURN answer;
END
$$;

SET LOCAL timezone = 'UTC';
SET LOCAL changemgmt.actor = 'author';
SELECT changemgmt.add_person(p)
FROM unnest('{author,owner,chair,m1,m2,m3,guest,lead,keeper}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_team('dba', lead => 'lead') \g /dev/null
SELECT changemgmt.add_ci('db1', kind => 'database', owner => 'keeper') \g /dev/null
SELECT changemgmt.add_board(b) FROM unnest('{cab,ecab,steering}'::text[]) AS b \g /dev/null
SELECT changemgmt.add_board_member('cab', 'chair', 'change_manager'), changemgmt.add_board_member('cab', 'm1'),
	changemgmt.add_board_member('cab', 'm2'), changemgmt.add_board_member('cab', 'm3') \g /dev/null

-- A change that waits for the board; the patch is laid over a good plan, before or after it was submitted.
CREATE FUNCTION pg_temp.submitted(title text, patch jsonb DEFAULT '{}', later jsonb DEFAULT '{}', model text DEFAULT 'normal') RETURNS bigint
	LANGUAGE plpgsql AS
$$
DECLARE
	id bigint;
BEGIN
	SELECT c.id INTO id FROM changemgmt.create_change_from('{"owner": "owner", "items": ["db1"], "description": "d", "justification": "j",
		"user_impact": "none", "risk_level": "low", "rollback_trigger": "errors", "rollback_plan": "back", "rollback_minutes": 5,
		"rollback_strategy": "redeploy", "test_plan": "on a copy", "verification_plan": "look"}'::jsonb
		|| jsonb_build_object('title', title, 'model', model, 'planned_start', now() + interval '30 days',
			'planned_end', now() + interval '30 days 1 hour') || patch) AS c;
	PERFORM changemgmt.advance(id, 'awaiting_approval');
	IF later <> '{}' THEN
		PERFORM changemgmt.edit_change(id, later);
	END IF;
	RETURN id;
END
$$;

-- ----------------------------------------------------------------
-- Recommendations
-- ----------------------------------------------------------------

SELECT pg_temp.submitted('good') AS good, pg_temp.submitted('against', '{"risk_level": "medium"}') AS against \gset
SELECT pg_temp.submitted(title, patch::jsonb, later::jsonb, model) FROM (VALUES
	('high', '{"risk_level": "high"}', '{}', 'normal'),
	('critical data', '{"risk_level": "critical", "touches_data_integrity": true}', '{}', 'normal'),
	('unknown', '{"risk_level": null, "risks": [{"description": "r", "likelihood": "low", "impact": "low"}]}', '{}', 'normal'),
	('security', '{"touches_security": true}', '{}', 'normal'),
	('bare', '{}', '{"description": " ", "verification_plan": null, "rollback_trigger": null}', 'normal'),
	('medium', '{"risk_level": "medium", "rollback_strategy": null, "test_plan": null}', '{}', 'normal'),
	('major', '{}', '{}', 'major'),
	('lean', '{"team": "dba"}', '{}', 'lean_normal'),
	('late', '{}', jsonb_build_object('planned_start', now() + interval '1 hour', 'planned_end', now() + interval '2 hours')::text, 'normal'))
	AS v (title, patch, later, model) \g /dev/null
CREATE FUNCTION pg_temp.advice(title text) RETURNS text LANGUAGE sql AS
	$$ SELECT recommendation || ': ' || recommendation_reason FROM changemgmt.cab_queue AS q WHERE q.title = advice.title $$;
SELECT is(pg_temp.advice(title), advice, format('what to do with %s', title)) FROM (VALUES
	('good', 'pre_approve: low risk, tested, redeploy as the way back, notice kept, nobody against it'),
	('high', 'discuss: the risk is high'),
	('critical data', 'discuss: the risk is critical; touches data integrity'),
	('unknown', 'discuss: nobody has assessed the risk'),
	('security', 'discuss: touches security'),
	('bare', 'discuss: the plan lacks a description, the way back, a verification'),
	('medium', 'decide_asynchronously: the risk is medium; it is not said how it is tested; the rollback strategy is not known'),
	('major', 'decide_asynchronously: it is major'),
	('lean', NULL),
	('late', 'decide_asynchronously: the notice is not kept')) AS v (title, advice);

SELECT is(pg_temp.as('m1', 'SELECT (changemgmt.approve(%s)).status', :'against'), 'awaiting_approval', 'a vote for it');
SELECT is(pg_temp.advice('against'), 'decide_asynchronously: the risk is medium', 'speaks for no meeting');
SELECT is(pg_temp.as('m2', 'SELECT (changemgmt.reject(%s, ''no'')).status', :'against'), 'awaiting_approval', 'another against it');
SELECT is(pg_temp.advice('against'), 'discuss: the votes disagree', 'does');
SELECT changemgmt.edit_change(:against, '{"description": "other"}') \g /dev/null
SELECT is(pg_temp.advice('against'), 'discuss: it was rejected or deferred before', 'also after another plan was made');
SELECT is(pg_temp.as('m3', 'SELECT (changemgmt.defer(%s, ''test it'')).status', :'against'), 'awaiting_approval', 'one defers');
SELECT is(pg_temp.advice('against'), 'discuss: a vote defers it; it was rejected or deferred before', 'both are said');
SELECT is(pg_temp.as('m2', 'SELECT (changemgmt.defer(%s, ''too'')).status', :'against'), 'planned', 'two defer it');
SELECT is(pg_temp.as('author', 'SELECT (changemgmt.submit(%s)).status', :'against'), 'awaiting_approval', 'it is submitted again');
SELECT is(pg_temp.advice('against'), 'discuss: it was rejected or deferred before', 'and that is remembered');
SELECT is(pg_temp.as('m1', 'SELECT (changemgmt.abstain(%s, ''mine'')).status', :'good'), 'awaiting_approval', 'one abstains');
SELECT is(pg_temp.advice('good'), 'decide_asynchronously: somebody abstained', 'that is a doubt');
SELECT changemgmt.edit_change(:good, '{"description": "other"}') \g /dev/null
SELECT is(pg_temp.advice('good'), 'decide_asynchronously: the plan was edited since a vote', 'so is an edit after a vote');

-- ----------------------------------------------------------------
-- Whom it waits for
-- ----------------------------------------------------------------

SELECT results_eq($$SELECT login, board, is_stale_vote FROM changemgmt.approval_queue WHERE title = 'good' ORDER BY login$$,
	$$VALUES ('chair', 'cab', false), ('m1', 'cab', true), ('m2', 'cab', false), ('m3', 'cab', false)$$,
	'for each who has not voted on the plan as it is');
SELECT results_eq($$SELECT login, board, type, risk_level FROM changemgmt.approval_queue WHERE title = 'lean' ORDER BY login$$,
	$$VALUES ('keeper', NULL, 'normal', 'low'), ('lead', NULL, 'normal', 'low')$$, 'a lean change for the lead and the owner of the item');
SELECT is(pg_temp.as('m2', 'SELECT (changemgmt.approve(%s)).status', :'good'), 'awaiting_approval', 'one votes');
SELECT is_empty($$SELECT FROM changemgmt.approval_queue WHERE title = 'good' AND login = 'm2'$$, 'it waits for him no more');
UPDATE changemgmt.board_member SET valid_until = clock_timestamp() WHERE person_id = changemgmt.person_id('m3');
SELECT is_empty($$SELECT FROM changemgmt.approval_queue WHERE login = 'm3'$$, 'nor for one whose seat is over');
UPDATE changemgmt.board_member SET valid_until = 'infinity' WHERE person_id = changemgmt.person_id('m3');
SELECT changemgmt.edit_change(:good, '{"owner": "m1"}') \g /dev/null
SELECT is_empty(format('SELECT FROM changemgmt.approval_queue WHERE id = %s AND login = ''m1''', :good),
	'nor for whom duties keep apart from it');
SELECT changemgmt.edit_change(:good, '{"owner": "owner"}') \g /dev/null
SELECT changemgmt.hold(id, 'later') FROM changemgmt.change WHERE title = 'late' \g /dev/null
SELECT is_empty($$SELECT FROM changemgmt.approval_queue WHERE title = 'late'$$, 'what is on hold waits for nobody');
SELECT is_empty(format('SELECT FROM changemgmt.approval_waiting(%s)', id), 'by the function, too') FROM changemgmt.change WHERE title = 'late';
SELECT is(pg_temp.refusal('SELECT * FROM changemgmt.approval_waiting(-1)'), 'MC008 | change -1 does not exist', 'an unknown change');
SELECT ok(bool_and(abs(age_hours) < 0.1 AND submitted_at >= now()), 'since when') FROM changemgmt.approval_queue WHERE title = 'lean';
SELECT is_empty(
	$$SELECT a.attrelid::regclass, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
	WHERE a.attrelid = ANY (ARRAY['changemgmt.cab_queue', 'changemgmt.approval_queue']::regclass[])
	  AND a.attnum > 0 AND (col_description(a.attrelid, a.attnum) IS NULL
	   OR a.atttypid NOT IN ('text'::regtype, 'bigint'::regtype, 'integer'::regtype,
		'boolean'::regtype, 'timestamptz'::regtype, 'double precision'::regtype)
	   OR c.reloptions <> '{security_invoker=true}')$$, 'plain columns, each with a comment, with the rights of who looks');

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT * FROM finish();
ROLLBACK;
