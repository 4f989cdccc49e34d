-- Parts of a change: what they raise, when they are frozen, who did what.

BEGIN;
SELECT plan(216);

-- who may set conditions is tested in lifecycle.sql
ALTER TABLE changemgmt.change_task DISABLE TRIGGER condition_judge;

CREATE FUNCTION pg_temp.refusal(sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	code text;
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE sql;
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', code, message, nullif(detail, ''), nullif(hint, ''));
END
$$;

-- By how much a statement raises the revision of a change.
CREATE FUNCTION pg_temp.raised(subject bigint, sql text) RETURNS bigint
	LANGUAGE plpgsql AS
$$
DECLARE
	before bigint;
	after bigint;
BEGIN
	SELECT revision INTO STRICT before FROM changemgmt.change WHERE id = subject;
	EXECUTE sql;
	SELECT revision INTO STRICT after FROM changemgmt.change WHERE id = subject;
	RETURN after - before;
END
$$;

SET LOCAL changemgmt.actor = 'ada';
SELECT changemgmt.add_person(p) FROM unnest('{ada,bob,man}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_board('cab'), changemgmt.add_board_member('cab', 'man', 'change_manager') \g /dev/null
SELECT changemgmt.add_ci('db' || n, kind => 'database', version => '15.' || n)
FROM generate_series(1, 5) AS n \g /dev/null

-- A change whose plan is complete; no board decides on it.
CREATE FUNCTION pg_temp.planned(title text, model text DEFAULT 'lean_standard') RETURNS bigint
	LANGUAGE sql AS
$$
	SELECT id FROM changemgmt.create_change(title, model => model, owner => 'ada',
		description => 'd', justification => 'j', user_impact => 'none',
		risk_level => 'low', rollback_trigger => 'errors', rollback_plan => 'back',
		rollback_minutes => 5, verification_plan => 'look', items => '{db1}',
		planned_start => now() + interval '30 days', planned_end => now() + interval '31 days');
$$;
SELECT pg_temp.planned('one') AS one \gset
SELECT pg_temp.planned('two') AS two \gset

-- each statement raises the revision once, however many rows

SELECT is(pg_temp.raised(:one, format(sql, :one, :two)), expected, replace(sql, '%1$s', 'one'))
FROM (VALUES
	($$INSERT INTO changemgmt.change_item (change_id, ci_id) SELECT %1$s, id FROM changemgmt.configuration_item WHERE name > 'db1'$$, 1::bigint),
	($$UPDATE changemgmt.change_item SET version_after = '16' WHERE change_id = %1$s$$, 1),
	($$UPDATE changemgmt.change_item SET version_after = '16' WHERE change_id = %1$s$$, 0),
	($$UPDATE changemgmt.change_item SET role = role, ci_id = ci_id$$, 0),
	($$DELETE FROM changemgmt.change_item WHERE change_id = %1$s AND ci_id <> changemgmt.ci_id('db1')$$, 1),
	($$DELETE FROM changemgmt.change_item WHERE false$$, 0),
	($$INSERT INTO changemgmt.change_risk (change_id, description, likelihood, impact) SELECT %1$s, 'r' || n, 'low', 'high' FROM generate_series(1, 3) AS n$$, 1),
	($$UPDATE changemgmt.change_risk SET mitigation = 'm' WHERE change_id = %1$s$$, 1),
	($$UPDATE changemgmt.change_risk SET mitigation = 'm'$$, 0),
	($$DELETE FROM changemgmt.change_risk WHERE description <> 'r1'$$, 1),
	($$INSERT INTO changemgmt.change_task (change_id, title, phase) SELECT %1$s, 't' || n, 'preparation' FROM generate_series(1, 3) AS n$$, 1),
	($$UPDATE changemgmt.change_task SET description = 'how'$$, 1),
	($$UPDATE changemgmt.change_task SET assignee_id = changemgmt.person_id('bob'), is_condition = true$$, 1),
	($$UPDATE changemgmt.change_task SET status = 'done' WHERE title <> 't1'$$, 1),
	($$UPDATE changemgmt.change_task SET status = 'open'$$, 1),
	($$UPDATE changemgmt.change_task SET status = 'open'$$, 0),
	($$DELETE FROM changemgmt.change_task WHERE title <> 't1'$$, 1),
	($$INSERT INTO changemgmt.change_check (change_id, title) SELECT %1$s, 'c' || n FROM generate_series(1, 3) AS n$$, 1),
	($$UPDATE changemgmt.change_check SET expected = 'green'$$, 1),
	($$UPDATE changemgmt.change_check SET expected = 'green'$$, 0),
	($$DELETE FROM changemgmt.change_check WHERE title <> 'c1'$$, 1),
	($$INSERT INTO changemgmt.change_comment (change_id, body) SELECT %1$s, 'said ' || n FROM generate_series(1, 3) AS n$$, 1),
	($$UPDATE changemgmt.change_comment SET body = body$$, 0),
	($$INSERT INTO changemgmt.change_link (change_id, relation, target) SELECT %1$s, 'ticket', 'T-' || n FROM generate_series(1, 3) AS n$$, 1),
	($$UPDATE changemgmt.change_link SET occurred_at = '2026-01-01'$$, 1),
	($$UPDATE changemgmt.change_link SET occurred_at = '2026-01-01'$$, 0),
	($$DELETE FROM changemgmt.change_link WHERE target <> 'T-1'$$, 1),
	($$INSERT INTO changemgmt.change_item (change_id, ci_id) SELECT %1$s, changemgmt.ci_id('db1') ON CONFLICT DO NOTHING$$, 0),
	($$INSERT INTO changemgmt.change_item (change_id, ci_id, role) SELECT %1$s, changemgmt.ci_id('db1'), 'affected' ON CONFLICT (change_id, ci_id) DO UPDATE SET role = excluded.role$$, 1),
	($$MERGE INTO changemgmt.change_item AS i USING changemgmt.configuration_item AS c ON c.id = i.ci_id AND i.change_id = %1$s
		WHEN MATCHED THEN UPDATE SET role = 'changed' WHEN NOT MATCHED AND false THEN DO NOTHING$$, 1),
	($$MERGE INTO changemgmt.change_item AS i USING changemgmt.configuration_item AS c ON c.id = i.ci_id AND i.change_id = %1$s
		WHEN NOT MATCHED AND c.name = 'db2' THEN INSERT (change_id, ci_id) VALUES (%1$s, c.id)$$, 1),
	($$MERGE INTO changemgmt.change_item AS i USING changemgmt.configuration_item AS c ON c.id = i.ci_id AND i.change_id = %1$s
		WHEN MATCHED AND c.name = 'db2' THEN DELETE$$, 1),
	($$WITH a AS (INSERT INTO changemgmt.change_risk (change_id, description, likelihood, impact) VALUES (%1$s, 'cte', 'low', 'low'))
		INSERT INTO changemgmt.change_comment (change_id, body) VALUES (%1$s, 'two tables')$$, 2)
) AS v (sql, expected);
SELECT is(pg_temp.raised(:two, format(
	$$INSERT INTO changemgmt.change_comment (change_id, body) SELECT c, 'both' FROM unnest('{%s,%s}'::bigint[]) AS c, generate_series(1, 2)$$,
	:one, :two)), 1::bigint, 'a statement on two changes raises the one');
SELECT is((SELECT (changed #>> '{change_comment,1,new,body}') FROM changemgmt.ledger
	WHERE subject_kind = 'change' AND subject_id = :one ORDER BY sequence DESC LIMIT 1),
	'both', 'and the other');

-- a part that moves raises both

SELECT revision AS two_before FROM changemgmt.change WHERE id = :two \gset
SELECT is(pg_temp.raised(:one, format(
	'UPDATE changemgmt.change_risk SET change_id = %s WHERE change_id = %s', :two, :one)),
	1::bigint, 'risks that move raise the change they leave');
SELECT is((SELECT revision FROM changemgmt.change WHERE id = :two), :two_before::bigint + 1,
	'and the one they come to');
SELECT results_eq(
	format($$SELECT subject_id, r ->> 'op', r #>> '{old,description}', r #>> '{new,description}'
	FROM changemgmt.ledger AS l, LATERAL jsonb_array_elements(changed -> 'change_risk') WITH ORDINALITY AS e (r, n)
	WHERE (subject_id, sequence) IN (SELECT id, ledger_sequence FROM changemgmt.change WHERE id IN (%s, %s))
	ORDER BY subject_id, n$$, :one, :two),
	format($$VALUES (%1$s::bigint, 'delete', 'r1', NULL::text), (%1$s, 'delete', 'cte', NULL),
	(%2$s, 'insert', NULL, 'r1'), (%2$s, 'insert', NULL, 'cte')$$, :one, :two),
	'the ledger has it as a deletion and an insertion');

-- what the ledger says

SELECT changemgmt.add_risk(:two, 'new risk', 'low', 'medium') AS risk \gset
SELECT results_eq(
	format($$SELECT event, changed - '{updated_at,revision,plan_revision,last_editor_id}'::text[], changed ? 'plan_revision'
	FROM changemgmt.ledger WHERE subject_id = %s ORDER BY sequence DESC LIMIT 1$$, :two),
	format($$VALUES ('parts', '{"change_risk": [{"op": "insert", "new": {"id": %s, "impact": "medium", "change_id": %s, "likelihood": "low", "description": "new risk"}}]}'::jsonb, true)$$,
		:risk, :two),
	'an insertion with what is new; the plan has moved');
UPDATE changemgmt.change_risk SET mitigation = 'watch', impact = 'high' WHERE id = :risk;
SELECT is((SELECT changed -> 'change_risk' FROM changemgmt.ledger WHERE subject_id = :two ORDER BY sequence DESC LIMIT 1),
	format('[{"id": %s, "op": "update", "changed": {"impact": ["medium", "high"], "mitigation": [null, "watch"]}}]', :risk)::jsonb,
	'an update with old and new of what changed');
DELETE FROM changemgmt.change_risk WHERE id = :risk;
SELECT is((SELECT changed #> '{change_risk,0}' FROM changemgmt.ledger WHERE subject_id = :two ORDER BY sequence DESC LIMIT 1),
	format('{"op": "delete", "old": {"id": %s, "impact": "high", "change_id": %s, "likelihood": "low", "mitigation": "watch", "description": "new risk"}}', :risk, :two)::jsonb,
	'a deletion with what was there');
SELECT changemgmt.add_comment(:two, 'a remark') AS remark \gset
SELECT is((SELECT changed ? 'plan_revision' FROM changemgmt.ledger WHERE subject_id = :two ORDER BY sequence DESC LIMIT 1),
	false, 'a remark does not move the plan');

-- no such change

SELECT is(pg_temp.refusal(sql),
	'MC008 | change -1 does not exist | SELECT change_id, number, title FROM changemgmt.change_fact lists the changes there are.',
	sql)
FROM unnest(ARRAY[
	$$SELECT changemgmt.add_item(-1, 'db1')$$, $$SELECT changemgmt.add_risk(-1, 'r', 'low', 'low')$$,
	$$SELECT changemgmt.add_task(-1, 't')$$, $$SELECT changemgmt.add_check(-1, 'c')$$,
	$$SELECT changemgmt.add_comment(-1, 'c')$$, $$SELECT changemgmt.link_change(-1, 'ticket', target => 't')$$,
	$$SELECT changemgmt.waive(-1, 'notice', 'r')$$,
	format('UPDATE changemgmt.change_item SET change_id = -1 WHERE change_id = %s', :one)]) AS sql;
SELECT is(substr(pg_temp.refusal(format(sql, :one)), 1, 5), 'MC008', sql)
FROM unnest(ARRAY[
	$$SELECT changemgmt.add_item(%s, 'db9')$$, $$SELECT changemgmt.add_task(%s, 't', assignee => 'eve')$$,
	$$SELECT changemgmt.add_risk(%s, 'r', 'never', 'low')$$, $$SELECT changemgmt.add_risk(%s, 'r', 'low', 'total')$$,
	$$SELECT changemgmt.add_task(%s, 't', phase => 'later')$$, $$SELECT changemgmt.add_task(%s, 't', object_kind => 'thing', object_name => 'x')$$,
	$$SELECT changemgmt.add_check(%s, 'c', kind => 'feeling')$$, $$SELECT changemgmt.add_check(%s, 'c', stage => '1_year')$$,
	$$SELECT changemgmt.link_change(%s, 'likes', target => 't')$$, $$SELECT changemgmt.add_item(%s, 'db2', 'touched')$$]) AS sql;
SELECT is(substr(pg_temp.refusal(format(sql, :one)), 1, 5), 'MC008', sql)
FROM unnest(ARRAY[
	$$SELECT changemgmt.link_change(%1$s, 'parent', %1$s)$$, $$SELECT changemgmt.link_change(%1$s, 'ticket')$$,
	$$SELECT changemgmt.link_change(%1$s, 'ticket', target => '')$$,
	$$SELECT changemgmt.link_change(%1$s, 'parent', (SELECT max(id) - 1 FROM changemgmt.change), 'both')$$,
	$$SELECT changemgmt.add_task(%1$s, 't', object_kind => 'schema')$$, $$SELECT changemgmt.add_task(%1$s, '')$$,
	$$SELECT changemgmt.add_check(%1$s, '')$$, $$SELECT changemgmt.add_risk(%1$s, '', 'low', 'low')$$,
	$$SELECT changemgmt.add_comment(%1$s, '')$$, $$SELECT changemgmt.add_comment(%1$s, E' \t')$$, $$SELECT changemgmt.add_comment(NULL, 'x')$$,
	$$SELECT changemgmt.link_change(%1$s, 'depends_on', -1)$$, $$SELECT changemgmt.link_change(%1$s, 'commit', target => 'c', occurred_at => 'infinity')$$,
	$$SELECT changemgmt.add_item(%1$s, NULL)$$, $$SELECT changemgmt.add_task(%1$s, NULL)$$, $$SELECT changemgmt.add_risk(%1$s, 'r', NULL, 'low')$$]) AS sql;
SELECT isnt(pg_temp.refusal(format(sql, :one)), '', 'nothing twice: ' || sql)
FROM unnest(ARRAY[$$SELECT changemgmt.add_item(%1$s, 'db1')$$, $$SELECT changemgmt.link_change(%1$s, 'ticket', target => 'T-1')$$]) AS sql;
SELECT lives_ok(format('SELECT changemgmt.link_change(%s, %L, %s)', :one, r, :two), 'a link that is ' || r)
FROM unnest('{parent,depends_on,caused,resolves,remediates,backs_out,promoted_from,follows_up,other}'::text[]) AS r;
SELECT lives_ok(format('SELECT changemgmt.link_change(%s, %L, target => %L)', :one, r, 'x'), 'a link to a ' || r)
FROM unnest('{commit,project}'::text[]) AS r;
SELECT is((SELECT array_agg(position ORDER BY id) FROM changemgmt.change_task WHERE change_id = :two), NULL, 'no tasks');
SELECT changemgmt.add_task(:two, 'a') \g /dev/null
SELECT changemgmt.add_task(:two, 'b') \g /dev/null
SELECT changemgmt.add_task(:two, 'c', 'follow_up') \g /dev/null
SELECT changemgmt.add_task(:two, 'd', "position" => 7) \g /dev/null
SELECT changemgmt.add_task(:two, 'e') \g /dev/null
SELECT is((SELECT array_agg(position ORDER BY title) FROM changemgmt.change_task WHERE change_id = :two),
	'{1,2,1,7,8}', 'a task stands at the end of its phase');

-- tasks, and when they move

SELECT pg_temp.planned('tasks') AS tasks \gset
SELECT changemgmt.add_task(:tasks, 'prepare', 'preparation', assignee => 'bob') AS prepare \gset
SELECT changemgmt.add_task(:tasks, 'prepare too', 'preparation') AS prepare2 \gset
SELECT changemgmt.add_task(:tasks, 'work', object_kind => 'schema', object_name => 'app') AS work \gset
SELECT changemgmt.add_task(:tasks, 'work on') AS work2 \gset
SELECT changemgmt.add_task(:tasks, 'tell', 'follow_up') AS tell \gset

SELECT is(pg_temp.refusal(format('SELECT changemgmt.complete_task(%s)', :work)),
	format('MC001 | implementation tasks move while work is under way: change %s is draft | changemgmt.start() begins the work.', :tasks),
	'work before the start');
SELECT is(substr(pg_temp.refusal(format($$SELECT changemgmt.skip_task(%s, 'no need')$$, :work)), 1, 5), 'MC001',
	'nor is it skipped before');
SELECT is(changemgmt.complete_task(:prepare), true, 'preparation is');
SELECT is(pg_temp.raised(:tasks, format('SELECT changemgmt.complete_task(%s)', :prepare)), 0::bigint,
	'done twice is done once');
SELECT results_eq(format($$SELECT status, done_by_id, done_at <= clock_timestamp(), status_reason
	FROM changemgmt.change_task WHERE id = %s$$, :prepare),
	$$VALUES ('done', changemgmt.person_id('ada'), true, NULL::text)$$,
	'by who acts, whoever it was assigned to');
SELECT is(pg_temp.refusal(format($$SELECT changemgmt.skip_task(%s, %L)$$, :prepare2, reason)),
	'MC008 | a task is skipped without a reason | changemgmt.skip_task(task_id, reason) takes it.',
	'skipped without a reason')
FROM (VALUES (NULL), (''), (E' \n')) AS v (reason);
SELECT is(changemgmt.skip_task(:prepare2, 'not today'), true, 'skipped with one');
SELECT is(substr(pg_temp.refusal(format('UPDATE changemgmt.change_task SET phase = ''implementation'' WHERE id = %s', task)), 1, 2), 'MC',
	'what is done stays in its phase')
FROM unnest(ARRAY[:prepare, :prepare2]) AS task;
SELECT is(pg_temp.raised(:tasks, format($$SELECT changemgmt.skip_task(%s, 'not today')$$, :prepare2)), 0::bigint,
	'skipped twice is skipped once');
SELECT is(pg_temp.raised(:tasks, format($$SELECT changemgmt.skip_task(%s, 'nor tomorrow')$$, :prepare2)), 1::bigint,
	'another reason is stored');
SELECT is(changemgmt.complete_task(-1), NULL, 'no such task');
SELECT is(changemgmt.skip_task(-1, 'x'), NULL, 'nor to be skipped');
SELECT is(pg_temp.refusal(format(sql, :prepare)),
	'MC005 | done_by_id of change_task is written with what it belongs to | Leave the column out: it is filled in.', sql)
FROM unnest(ARRAY[
	$$UPDATE changemgmt.change_task SET done_by_id = changemgmt.person_id('bob') WHERE id = %s$$,
	$$UPDATE changemgmt.change_task SET done_by_id = NULL, done_at = NULL WHERE id = %s$$]) AS sql;
SELECT is(substr(pg_temp.refusal(format($$UPDATE changemgmt.change_task SET done_at = '1999-01-01' WHERE id = %s$$, :prepare)), 1, 2),
	'MC', 'nor when it was');
SELECT is(pg_temp.refusal(format(sql, :prepare, changemgmt.person_id('bob'))),
	'MC003 | done_by_id of change_task is always who acts | Leave the column out: it is filled in.', sql)
FROM unnest(ARRAY[
	$$UPDATE changemgmt.change_task SET status = 'skipped', status_reason = 'x', done_by_id = %2$s WHERE id = %1$s$$,
	$$INSERT INTO changemgmt.change_task (change_id, title, phase, status, done_by_id)
		SELECT change_id, 'x', phase, 'done', %2$s FROM changemgmt.change_task WHERE id = %1$s$$]) AS sql;
SELECT is(pg_temp.refusal(format(
	$$UPDATE changemgmt.change_task SET status = 'skipped', status_reason = 'x', done_at = now() + interval '1 day' WHERE id = %s$$, :prepare)),
	'MC008 | done_at of change_task is the time of the step; leave it out', 'what is done is done now');
UPDATE changemgmt.change_task SET status = 'open' WHERE id = :prepare;
SELECT results_eq(format('SELECT done_by_id, done_at FROM changemgmt.change_task WHERE id = %s', :prepare),
	$$VALUES (NULL::bigint, NULL::timestamptz)$$, 'what is open again was done by nobody');
SET LOCAL changemgmt.actor = 'bob';
SELECT is(changemgmt.complete_task(:prepare), true, 'somebody else does it');
SET LOCAL changemgmt.actor = 'ada';
SELECT is((SELECT done_by_id FROM changemgmt.change_task WHERE id = :prepare), changemgmt.person_id('bob'), 'in the own name');

SELECT changemgmt.add_check(:tasks, 'planned', expected => 'green') AS planned_check \gset
SELECT changemgmt.add_check(:tasks, 'optional', is_required => false) AS optional_check \gset
SELECT is(pg_temp.refusal(format('SELECT changemgmt.record_check(%s, true)', :planned_check)),
	format('MC001 | there is nothing to verify: change %s is draft | Checks are recorded from start until close.', :tasks),
	'nothing is verified before the start');
UPDATE changemgmt.change_item SET version_after = '16.0' WHERE change_id = :tasks;

-- frozen from in_progress on

SELECT is((SELECT status FROM changemgmt.advance(:tasks, 'in_progress')), 'in_progress', 'the work begins');
SELECT is(pg_temp.refusal(format(sql, :tasks, :prepare)),
	format('MC005 | the plan of change %s is frozen: it is in_progress | %s belongs to the plan. | What turned out differently goes into comments; further work is a change of its own (changemgmt.copy_change()).',
		:tasks, part), sql)
FROM (VALUES
	('change_item', $$SELECT changemgmt.add_item(%1$s, 'db3')$$),
	('change_item', $$UPDATE changemgmt.change_item SET version_after = '17' WHERE change_id = %1$s$$),
	('change_item', $$UPDATE changemgmt.change_item SET version_before = '1' WHERE change_id = %1$s$$),
	('change_item', $$DELETE FROM changemgmt.change_item WHERE change_id = %1$s$$),
	('change_risk', $$SELECT changemgmt.add_risk(%1$s, 'r', 'low', 'low')$$),
	('change_task', $$SELECT changemgmt.add_task(%1$s, 'more')$$),
	('change_task', $$UPDATE changemgmt.change_task SET title = 'other' WHERE id = %2$s$$),
	('change_task', $$UPDATE changemgmt.change_task SET phase = 'follow_up' WHERE id = %2$s$$),
	('change_task', $$UPDATE changemgmt.change_task SET is_condition = true WHERE id = %2$s$$),
	('change_task', $$DELETE FROM changemgmt.change_task WHERE id = %2$s$$),
	('change_check', $$UPDATE changemgmt.change_check SET expected = 'red' WHERE change_id = %1$s$$),
	('change_check', $$UPDATE changemgmt.change_check SET is_required = false WHERE title = 'planned'$$),
	('change_check', $$UPDATE changemgmt.change_check SET stage = '7_days' WHERE title = 'planned'$$),
	('change_link', $$SELECT changemgmt.link_change(%1$s, 'depends_on', target => 'x')$$)
) AS v (part, sql);
SELECT is(substr(pg_temp.refusal(format($$UPDATE changemgmt.change_risk SET change_id = %s WHERE change_id = %s$$, :tasks, :two)), 1, 5),
	'MC005', 'nor does a part move in');
SELECT is(substr(pg_temp.refusal(format($$UPDATE changemgmt.change_task SET change_id = %s WHERE id = %s$$, :two, :work)), 1, 5),
	'MC005', 'or out');
SELECT lives_ok(format(sql, :tasks), sql)
FROM unnest(ARRAY[
	$$SELECT changemgmt.add_comment(%s, 'what we saw')$$,
	$$SELECT changemgmt.add_task(%s, 'clean up', 'follow_up')$$,
	$$INSERT INTO changemgmt.change_task (change_id, title, is_condition) VALUES (%s, 'asked for', true)$$,
	$$SELECT changemgmt.add_check(%s, 'more evidence')$$,
	$$SELECT changemgmt.link_change(%s, 'resolves', target => 'INC-1')$$,
	$$UPDATE changemgmt.change_task SET assignee_id = changemgmt.person_id('bob') WHERE change_id = %s$$]) AS sql;
SELECT is((SELECT is_planned FROM changemgmt.change_check WHERE title = 'more evidence'), false,
	'a check that is added later is evidence, not plan');
UPDATE changemgmt.change_check SET is_planned = true WHERE title = 'more evidence';
SELECT is((SELECT is_planned FROM changemgmt.change_check WHERE title = 'more evidence'), false, 'and stays that');
UPDATE changemgmt.change_check SET is_planned = false WHERE id = :planned_check;
SELECT is((SELECT is_planned FROM changemgmt.change_check WHERE id = :planned_check), true, 'what was planned stays planned');
SELECT is(pg_temp.refusal(format('UPDATE changemgmt.change_task SET status = ''open'' WHERE id = %s', :prepare)),
	format('MC001 | preparation is over: change %s is in_progress | What was left out is said in a comment.', :tasks),
	'preparation is over');
SELECT is(changemgmt.complete_task(:work), true, 'work is done');
SELECT is(substr(pg_temp.refusal(format('SELECT changemgmt.complete(%s)', :tasks)), 1, 5), 'MC002', 'not all of it');
SELECT is(changemgmt.skip_task(:work2, 'not needed'), true, 'the rest is left out');
SELECT is(changemgmt.skip_task(id, 'not needed'), true, 'also what was asked for')
FROM changemgmt.change_task WHERE title = 'asked for';
SELECT is((SELECT status FROM changemgmt.complete(:tasks)), 'verifying', 'complete');
SELECT is(substr(pg_temp.refusal(format('UPDATE changemgmt.change_task SET status = ''open'' WHERE id = %s', :work)), 1, 5),
	'MC001', 'work is over');

-- checks

SELECT is(changemgmt.record_check(:planned_check, false, 'red'), false, 'a check fails');
SELECT results_eq(format($$SELECT passed, observed, checked_by_id, checked_at <= clock_timestamp()
	FROM changemgmt.change_check WHERE id = %s$$, :planned_check),
	$$VALUES (false, 'red', changemgmt.person_id('ada'), true)$$, 'seen by who acts, now');
SELECT is(substr(pg_temp.refusal(format('SELECT changemgmt.pass(%s)', :tasks)), 1, 5), 'MC002', 'so it does not pass');
SET LOCAL changemgmt.actor = 'bob';
SELECT is(changemgmt.record_check(:planned_check, true, 'green'), true, 'it passes later');
SET LOCAL changemgmt.actor = 'ada';
SELECT results_eq(format($$SELECT passed, observed, checked_by_id, checked_at <= clock_timestamp()
	FROM changemgmt.change_check WHERE id = %s$$, :planned_check),
	$$VALUES (true, 'green', changemgmt.person_id('bob'), true)$$, 'the latest result stands');
SELECT is((SELECT count(*) FROM changemgmt.ledger, LATERAL jsonb_array_elements(changed -> 'change_check') AS e
	WHERE subject_id = :tasks AND e #>> '{changed,observed,1}' IN ('red', 'green')), 2::bigint, 'the earlier in the ledger');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.record_check(%s, true, NULL, now() + interval ''1 minute'')', :planned_check)),
	'MC008 | checked_at of change_check lies in the future', 'nobody has seen the future');
SELECT is(pg_temp.refusal(format('UPDATE changemgmt.change_check SET observed = ''x'', checked_by_id = changemgmt.person_id(''man'') WHERE id = %s', :planned_check)),
	'MC003 | checked_by_id of change_check is always who acts | Leave the column out: it is filled in.', 'nor in another''s name');
SELECT is(changemgmt.record_check(-1, true), NULL, 'no such check');
SELECT is(pg_temp.refusal(format('DELETE FROM changemgmt.change_check WHERE id = %s', :optional_check)),
	format('MC005 | the plan of change %s is frozen: it is verifying | change_check belongs to the plan. | What turned out differently goes into comments; further work is a change of its own (changemgmt.copy_change()).', :tasks),
	'a planned check is not deleted either');

SELECT changemgmt.record_check(id, true) FROM changemgmt.change_check WHERE title = 'more evidence' \g /dev/null
SELECT is(pg_temp.refusal('DELETE FROM changemgmt.change_check WHERE title = ''more evidence'''),
	'MC006 | evidence is not deleted | changemgmt.record_check() records a later result of the same check.',
	'evidence is not deleted');
SELECT is(substr(pg_temp.refusal(format(sql, :planned_check)), 1, 2), 'MC', sql)
FROM unnest(ARRAY[
	'SELECT changemgmt.record_check(%s, NULL)',
	'SELECT changemgmt.record_check(%s, true, at => ''infinity'')',
	'UPDATE changemgmt.change_check SET passed = NULL WHERE id = %s',
	'UPDATE changemgmt.change_check SET checked_by_id = NULL WHERE id = %s',
	'UPDATE changemgmt.change_check SET checked_at = ''1999-01-01'' WHERE id = %s']) AS sql;

-- versions and the inventory

SELECT is((SELECT version FROM changemgmt.configuration_item WHERE name = 'db1'), '15.1', 'the inventory is as it was');
SELECT is(changemgmt.record_check(id, true), true, 'the added check is made, too')
FROM changemgmt.change_check WHERE title = 'more evidence';
SELECT is((SELECT status FROM changemgmt.pass(:tasks)), 'implemented', 'the change passes');
SELECT results_eq($$SELECT version, version_change_id FROM changemgmt.configuration_item WHERE name = 'db1'$$,
	format($$VALUES ('16.0', %s::bigint)$$, :tasks), 'the inventory has the new version, with the change that brought it');
SELECT is((SELECT version FROM changemgmt.configuration_item WHERE name = 'db2'), '15.2', 'other items are as they were');
SELECT is((SELECT status FROM changemgmt.roll_back(:tasks, 'errors', 'testing')), 'rolled_back', 'rolled back after all');
SELECT is((SELECT version FROM changemgmt.configuration_item WHERE name = 'db1'), '15.1', 'the old version is back');
SELECT pg_temp.planned('versions') AS versions \gset
SELECT is((SELECT version_before FROM changemgmt.change_item WHERE change_id = :versions), '15.1',
	'the version before comes from the inventory');
INSERT INTO changemgmt.change_item (change_id, ci_id, version_before, version_after)
	VALUES (:versions, changemgmt.ci_id('db2'), 'as told', NULL);
SELECT is((SELECT version_before FROM changemgmt.change_item WHERE change_id = :versions AND ci_id = changemgmt.ci_id('db2')),
	'as told', 'where it is not given');
SELECT changemgmt.advance(:versions, 'implemented', evidence => 'looked') \g /dev/null
SELECT is((SELECT version FROM changemgmt.configuration_item WHERE name = 'db2'), '15.2',
	'an item without a new version keeps its own');
SELECT is((SELECT version_change_id FROM changemgmt.configuration_item WHERE name = 'db2'), NULL, 'and nobody brought it');

-- two changes of one item, one on top of the other

SELECT pg_temp.planned('lower') AS lower, pg_temp.planned('upper') AS upper \gset
UPDATE changemgmt.change_item SET version_after = '16' WHERE change_id = :lower;
UPDATE changemgmt.change_item SET version_after = '17' WHERE change_id = :upper;
SELECT changemgmt.advance(:lower, 'implemented', evidence => 'seen') \g /dev/null
SELECT changemgmt.advance(:upper, 'implemented', evidence => 'seen') \g /dev/null
SELECT changemgmt.roll_back(:lower, 'errors', 'plan') \g /dev/null
SELECT results_eq($$SELECT version, version_change_id FROM changemgmt.configuration_item WHERE name = 'db1'$$,
	format($$VALUES ('17', %s::bigint)$$, :upper), 'rolling back the lower one leaves what stands on it');
SELECT changemgmt.roll_back(:upper, 'errors', 'plan') \g /dev/null
SELECT is((SELECT version FROM changemgmt.configuration_item WHERE name = 'db1'), '15.1', 'then the upper one, and nothing is left of both');

-- follow-up goes on to the end and after

SELECT changemgmt.confirm_stability(:tasks) \g /dev/null
SELECT is((SELECT status FROM changemgmt.close(:tasks, 'done')), 'closed', 'closed');
SELECT is(changemgmt.complete_task(:tell), true, 'what follows is done after the end');
SELECT lives_ok(format($$SELECT changemgmt.add_comment(%s, 'lessons')$$, :tasks), 'and what was learned is said');
SELECT is(substr(pg_temp.refusal(format(sql, :planned_check, :tasks)), 1, 5), code, sql)
FROM (VALUES
	('MC001', 'SELECT changemgmt.record_check(%1$s, false)'),
	('MC005', 'SELECT changemgmt.add_item(%2$s, ''db4'')'),
	('MC005', 'DELETE FROM changemgmt.change_task WHERE change_id = %2$s')
) AS v (code, sql);

-- waivers

SELECT pg_temp.planned('waived', 'normal') AS waived \gset
SELECT is(pg_temp.refusal(format($$SELECT changemgmt.waive(%s, 'notice', 'because')$$, :waived)),
	'MC003 | "ada" may not waive requirements | Who holds the seat of change_manager on a board may.', 'not anybody waives');
SET LOCAL changemgmt.actor = 'man';
SELECT is(pg_temp.refusal(format($$SELECT changemgmt.waive(%s, 'plan_complete', 'because')$$, :waived)),
	format('MC003 | requirement "plan_complete" of %s cannot be waived | Model "normal" lets these be waived: notice, checklist_done, in_window, no_blackout, no_conflict.', changemgmt.change_number(:waived)),
	'nor anything');
SELECT is(pg_temp.raised(:waived, format($$SELECT changemgmt.waive(%s, 'notice', 'agreed')$$, :waived)), 1::bigint, 'a manager does');
SELECT results_eq(format('SELECT requirement, reason, waived_by_id FROM changemgmt.change_waiver WHERE change_id = %s', :waived),
	$$VALUES ('notice', 'agreed', changemgmt.person_id('man'))$$, 'in the own name');
SELECT is(pg_temp.refusal(format($$INSERT INTO changemgmt.change_waiver (change_id, requirement, reason, waived_by_id)
	VALUES (%s, 'checklist_done', 'x', changemgmt.person_id('ada'))$$, :waived)),
	'MC003 | waived_by_id of change_waiver is always who acts | Leave the column out: it is filled in.', 'always');
SELECT changemgmt.add_board_member('cab', 'bob', 'change_manager') \g /dev/null
SET LOCAL changemgmt.actor = 'bob';
SELECT is(substr(pg_temp.refusal(format(sql, :waived)), 1, 5), 'MC003', 'by another manager: ' || sql)
FROM unnest(ARRAY['UPDATE changemgmt.change_waiver SET reason = ''mine'' WHERE change_id = %s',
	'DELETE FROM changemgmt.change_waiver WHERE change_id = %s']) AS sql;
SET LOCAL changemgmt.actor = 'man';
SELECT is(substr(pg_temp.refusal(format($$SELECT changemgmt.waive(%s, 'checklist_done', ' ')$$, :waived)), 1, 5), 'MC008', 'with a reason');
SELECT is((SELECT changed #>> '{change_waiver,0,new,reason}' FROM changemgmt.ledger WHERE subject_id = :waived ORDER BY sequence DESC LIMIT 1),
	'agreed', 'and the ledger has the reason');
SELECT changemgmt.edit_change(:waived, jsonb_build_object('planned_start', now() + interval '1 hour', 'planned_end', now() + interval '2 hours')) \g /dev/null
SELECT is_empty(format($$SELECT * FROM changemgmt.why_not(%s, 'plan')$$, :waived), 'nothing is missing');
SELECT is((SELECT status FROM changemgmt.plan(:waived)), 'planned', 'the plan');
SELECT is((SELECT status FROM changemgmt.submit(:waived)), 'awaiting_approval', 'is submitted without notice');
SET LOCAL changemgmt.actor = 'ada';

-- comments

SELECT is(substr(pg_temp.refusal(format($$INSERT INTO changemgmt.change_comment (change_id, body, author_id)
	VALUES (%s, 'x', changemgmt.person_id('bob'))$$, :one)), 1, 5), 'MC003', 'nobody speaks in another''s name');
SET LOCAL changemgmt.actor = 'bob';
SELECT is(substr(pg_temp.refusal(format(sql, :remark)), 1, 2), 'MC', sql)
FROM unnest(ARRAY[
	$$UPDATE changemgmt.change_comment SET body = 'another word' WHERE id = %s$$,
	$$UPDATE changemgmt.change_comment SET author_id = NULL WHERE id = %s$$,
	$$UPDATE changemgmt.change_comment SET created_at = '1999-01-01' WHERE id = %s$$,
	$$DELETE FROM changemgmt.change_comment WHERE id = %s$$]) AS sql;
INSERT INTO changemgmt.change_comment (change_id, body, created_at)
	SELECT id, 'prophecy', '2050-01-01' FROM changemgmt.change WHERE id = :two;
SELECT is((SELECT created_at < '2050-01-01' FROM changemgmt.change_comment WHERE body = 'prophecy'), true, 'nor at another time');
SET LOCAL changemgmt.actor = 'nobody known';
SELECT lives_ok(format($$SELECT changemgmt.add_comment(%s, 'anonymous')$$, :one), 'who is not a person can say something');
SELECT is((SELECT author_id FROM changemgmt.change_comment WHERE body = 'anonymous'), NULL, 'as nobody known');
SET LOCAL changemgmt.actor = 'ada';

SELECT throws_ok(format('TRUNCATE changemgmt.%I', t), 'MC006', t || ' is not truncated: history is append-only', 'TRUNCATE ' || t)
FROM unnest('{change_item,change_risk,change_task,change_check,change_comment,change_link,change_waiver,approval_vote,template_proposal,change_communication,change_review}'::text[]) AS t;
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');

SELECT finish();
ROLLBACK;
