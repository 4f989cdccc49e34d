-- Tasks: their order, what fails, the manifest, the checklist of a model, what
-- succeeded before, and the seal over all of it.

BEGIN;
SELECT no_plan();

CREATE FUNCTION pg_temp.refusal(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	code text;
	message text;
	detail text;
BEGIN
	EXECUTE sql;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' | ', code, message, nullif(detail, ''));
END $$;

SET LOCAL changemgmt.actor = 'ada';
SELECT changemgmt.add_person(p) FROM unnest('{ada,bob,cyd,man}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_board('cab'), changemgmt.add_board_member('cab', 'man', 'change_manager') \g /dev/null
SELECT changemgmt.add_ci('db', kind => 'database'), changemgmt.set_ci('db', is_exclusive => false), changemgmt.add_team('dba', lead => 'bob') \g /dev/null

-- A change whose plan is complete.
CREATE FUNCTION pg_temp.planned(title text, model text DEFAULT 'lean_standard', environment text DEFAULT 'production') RETURNS bigint LANGUAGE sql AS $$
	SELECT id FROM changemgmt.create_change(title, model => model, owner => 'ada', team => 'dba',
		description => 'd', justification => 'j', user_impact => 'none', environment => environment,
		risk_level => 'low', rollback_trigger => 'errors', rollback_plan => 'back',
		rollback_minutes => 5, verification_plan => 'look', items => '{db}',
		planned_start => now() - interval '1 hour', planned_end => now() + interval '30 days');
$$;
CREATE FUNCTION pg_temp.task(change bigint, named text) RETURNS bigint LANGUAGE sql AS
	$$ SELECT id FROM changemgmt.change_task WHERE change_id = change AND title = named $$;
-- The statement with {title} for the id of the task of that title.
CREATE FUNCTION pg_temp.on_tasks(change bigint, sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT id, title FROM changemgmt.change_task WHERE change_id = change LOOP
		sql := replace(sql, '{' || t.title || '}', t.id::text);
	END LOOP;
	RETURN pg_temp.refusal(replace(sql, '{change}', change::text));
END $$;

-- ----------------------------------------------------------------
-- Order: what may be said of it
-- ----------------------------------------------------------------

SELECT pg_temp.planned('order') AS c \gset
SELECT changemgmt.add_step(:c, 'backup', 'preparation') AS backup \gset
SELECT changemgmt.add_step(:c, 'stop', depends_on => ARRAY[:backup]) AS stop \gset
SELECT changemgmt.add_step(:c, 'copy', depends_on => ARRAY[:stop, :backup, :stop]) AS copy \gset
SELECT changemgmt.add_step(:c, 'try', is_smoke_test => true) AS try \gset
SELECT changemgmt.add_step(:c, 'go live') AS live \gset
SELECT changemgmt.add_step(:c, 'tell', 'follow_up', depends_on => ARRAY[:live]) AS tell \gset
SELECT changemgmt.add_step(:c, 'back 1', 'rollback', depends_on => ARRAY[:backup]) AS back1 \gset
SELECT changemgmt.add_step(:c, 'back 2', 'rollback', depends_on => ARRAY[:back1]) AS back2 \gset
SELECT is((SELECT depends_on FROM changemgmt.change_task WHERE id = :copy), ARRAY[:backup, :stop]::bigint[], 'dependencies stand once, in order');
SELECT results_eq(format('SELECT title, phase, position, is_smoke_test FROM changemgmt.change_task WHERE change_id = %s ORDER BY id', :c),
	$$VALUES ('backup', 'preparation', 1, false), ('stop', 'implementation', 1, false), ('copy', 'implementation', 2, false), ('try', 'implementation', 3, true),
		('go live', 'implementation', 4, false), ('tell', 'follow_up', 1, false), ('back 1', 'rollback', 1, false), ('back 2', 'rollback', 2, false)$$,
	'a step stands at the end of its phase');
SELECT pg_temp.planned('other') AS other \gset
SELECT changemgmt.add_step(:other, 'elsewhere') AS elsewhere \gset

SELECT is(left(pg_temp.on_tasks(:c, sql), 5), fate, sql) FROM (VALUES
	('SELECT changemgmt.set_dependencies({stop}, ARRAY[{stop}])', 'MC008'),
	('SELECT changemgmt.set_dependencies({stop}, ARRAY[{copy}])', 'MC008'),
	('SELECT changemgmt.set_dependencies({backup}, ARRAY[{stop}])', 'MC008'),
	('SELECT changemgmt.set_dependencies({stop}, ARRAY[{tell}])', 'MC008'),
	('SELECT changemgmt.set_dependencies({stop}, ARRAY[{back 1}])', 'MC008'),
	('SELECT changemgmt.set_dependencies({tell}, ARRAY[{back 1}])', 'MC008'),
	('SELECT changemgmt.set_dependencies({back 1}, ARRAY[{stop}])', 'MC008'),
	('SELECT changemgmt.set_dependencies({back 1}, ARRAY[{back 2}])', 'MC008'),
	('SELECT changemgmt.set_dependencies({stop}, ARRAY[0::bigint])', 'MC008'),
	('SELECT changemgmt.set_dependencies({stop}, ARRAY[NULL::bigint])', 'MC008'),
	('SELECT changemgmt.set_dependencies({stop}, ARRAY[ARRAY[{backup}], ARRAY[{backup}]])', 'MC008'),
	('SELECT changemgmt.set_dependencies({stop}, ARRAY[' || :elsewhere || '])', 'MC008'),
	-- the smoke test waits for stop, which would wait for what waits for the test
	('SELECT changemgmt.set_dependencies({stop}, ARRAY[{go live}])', 'MC008'),
	('SELECT changemgmt.set_dependencies({stop}, ARRAY[{try}])', 'MC008'),
	('SELECT changemgmt.set_dependencies({try}, ARRAY[{go live}])', 'MC008'),
	-- whichever way it comes
	('UPDATE changemgmt.change_task SET depends_on = ARRAY[id] WHERE id = {copy}', 'MC008'),
	('UPDATE changemgmt.change_task SET phase = ''preparation'' WHERE id = {copy}', 'MC008'),
	('UPDATE changemgmt.change_task SET phase = ''rollback'' WHERE id = {stop}', 'MC008'),
	('UPDATE changemgmt.change_task SET change_id = ' || :other || ' WHERE id = {stop}', 'MC008'),
	('INSERT INTO changemgmt.change_task (change_id, title, depends_on) VALUES ({change}, ''x'', ARRAY[-1])', 'MC008'),
	('SELECT changemgmt.add_step({change}, ''x'', ''preparation'', ARRAY[{stop}])', 'MC008'),
	('SELECT changemgmt.remove_task({backup})', 'MC008'),
	('DELETE FROM changemgmt.change_task WHERE id = {stop}', 'MC008'),
	('SELECT changemgmt.add_step({change}, ''x'', object_system => '' '')', 'MC008'),
	('SELECT changemgmt.add_step({change}, ''x'', ''later'')', 'MC008'),
	('SELECT changemgmt.add_step({change}, '' '')', 'MC008'),
	-- and what is in order
	('SELECT changemgmt.set_dependencies({go live}, ARRAY[{stop}, {try}])', 'ok'),
	('SELECT changemgmt.set_dependencies({back 2}, ARRAY[{backup}, {back 1}])', 'ok'),
	('SELECT changemgmt.set_dependencies({tell}, NULL)', 'ok'),
	('SELECT changemgmt.remove_task({back 2})', 'ok'),
	('DELETE FROM changemgmt.change_task WHERE change_id = {change}', 'ok')) AS v (sql, fate);
SELECT is(count(*), 0::bigint, 'all at once') FROM changemgmt.change_task WHERE change_id = :c;
SELECT is(changemgmt.set_dependencies(0, '{}'), NULL, 'no such task');

-- a circle of many is named
SELECT pg_temp.planned('circle') AS circle \gset
SELECT changemgmt.add_step(:circle, 's' || n) FROM generate_series(1, 4) AS n \g /dev/null
SELECT is(pg_temp.on_tasks(:circle, 'UPDATE changemgmt.change_task SET depends_on = CASE title WHEN ''s1'' THEN ARRAY[{s2}] WHEN ''s2'' THEN ARRAY[{s3}] WHEN ''s3'' THEN ARRAY[{s1}] ELSE ''{}'' END WHERE change_id = {change}'),
	format('MC008 | task %1$s "s1" waits for itself: task %1$s "s1", task %2$s "s2", task %3$s "s3"', pg_temp.task(:circle, 's1'), pg_temp.task(:circle, 's2'), pg_temp.task(:circle, 's3')),
	'a circle is refused with those in it');
SELECT is(pg_temp.on_tasks(:circle, 'UPDATE changemgmt.change_task SET depends_on = CASE title WHEN ''s1'' THEN ARRAY[{s2}] WHEN ''s2'' THEN ARRAY[{s3}, {s4}] WHEN ''s3'' THEN ARRAY[{s4}] ELSE ''{}'' END WHERE change_id = {change}'),
	'ok', 'two ways to one task are none');
-- s1 waits for s4; a smoke test between them would wait for s1 and be waited for by s4
SELECT is(left(pg_temp.refusal(format('SELECT changemgmt.add_step(%s, ''between'', is_smoke_test => true, "position" => 2)', :circle)), 5), 'MC008', 'a smoke test that closes a circle');
SELECT is(left(pg_temp.on_tasks(:circle, 'UPDATE changemgmt.change_task SET is_smoke_test = true WHERE id = {s2}'), 5), 'MC008', 'or a step that becomes one');
SELECT is(left(pg_temp.on_tasks(:circle, 'UPDATE changemgmt.change_task SET position = 10 - position, is_smoke_test = title = ''s2'' WHERE change_id = {change}'), 5), 'ok', 'the other way round there is none');

-- ----------------------------------------------------------------
-- Progress: who waits for whom
-- ----------------------------------------------------------------

SELECT pg_temp.planned('progress') AS c \gset
SELECT changemgmt.add_step(:c, 'backup', 'preparation') AS backup \gset
SELECT changemgmt.add_step(:c, 'prove', 'preparation', is_smoke_test => true) AS prove \gset
SELECT changemgmt.add_step(:c, 'stop') AS stop \gset
SELECT changemgmt.add_step(:c, 'copy', depends_on => ARRAY[:stop]) AS copy \gset
SELECT changemgmt.add_step(:c, 'try', is_smoke_test => true) AS try \gset
SELECT changemgmt.add_step(:c, 'live') AS live \gset
SELECT changemgmt.add_step(:c, 'tell', 'follow_up', depends_on => ARRAY[:live]) AS tell \gset
SELECT changemgmt.add_step(:c, 'back', 'rollback') AS back \gset
CREATE TEMP TABLE walk (n serial, sql text, fate text);
INSERT INTO walk (sql, fate) VALUES
	-- before the start
	('SELECT changemgmt.complete_task({stop})', 'MC001'), ('SELECT changemgmt.fail_task({stop}, ''x'')', 'MC001'), ('SELECT changemgmt.skip_task({back}, ''x'')', 'MC001'),
	('SELECT changemgmt.complete_task({back})', 'MC001'),
	('SELECT changemgmt.complete_task({prove})', 'MC001'), ('SELECT changemgmt.fail_task({backup}, NULL)', 'MC008'), ('SELECT changemgmt.fail_task({backup}, '' '')', 'MC008'),
	('SELECT changemgmt.fail_task({backup}, ''no space'')', 'ok'),
	('SELECT changemgmt.complete_task({prove})', 'MC001'),
	('SELECT changemgmt.advance({change}, ''in_progress'')', 'MC002'),
	('SELECT changemgmt.complete_task({backup})', 'ok'),
	('SELECT changemgmt.complete_task({prove})', 'ok'),
	('SELECT changemgmt.reopen_task({backup})', 'MC001'),
	('SELECT changemgmt.fail_task({backup}, ''it was yesterday''''s'')', 'ok'),
	('SELECT changemgmt.advance({change}, ''in_progress'')', 'MC002'),
	('SELECT changemgmt.complete_task({backup})', 'ok'),
	('SELECT changemgmt.advance({change}, ''in_progress'')', 'ok'),
	-- the work
	('SELECT changemgmt.reopen_task({prove})', 'MC001'),
	('SELECT changemgmt.complete_task({copy})', 'MC001'),
	('SELECT changemgmt.complete_task({try})', 'MC001'),
	('SELECT changemgmt.complete_task({live})', 'MC001'),
	('SELECT changemgmt.complete_task({tell})', 'MC001'),
	('UPDATE changemgmt.change_task SET status = ''done'' WHERE id = {copy}', 'MC001'),
	('INSERT INTO changemgmt.change_task (change_id, title, phase, depends_on, status) VALUES ({change}, ''too soon'', ''follow_up'', ARRAY[{live}], ''done'')', 'MC001'),
	('SELECT changemgmt.fail_task({stop}, ''it hung'')', 'ok'),
	('SELECT changemgmt.complete_task({copy})', 'MC001'),
	('SELECT changemgmt.complete({change})', 'MC002'),
	('SELECT changemgmt.reopen_task({stop}, ''once more'')', 'ok'),
	('SELECT changemgmt.skip_task({stop}, ''it stood'')', 'ok'),
	('SELECT changemgmt.complete_task({copy})', 'ok'),
	('SELECT changemgmt.reopen_task({stop})', 'MC001'),
	('SELECT changemgmt.complete_task({live})', 'MC001'),
	('SELECT changemgmt.fail_task({try}, ''503'')', 'ok'),
	('SELECT changemgmt.complete_task({live})', 'MC001'),
	('SELECT changemgmt.skip_task({live}, ''later'')', 'ok'),
	('SELECT changemgmt.complete_task({tell})', 'ok'),
	('SELECT changemgmt.reopen_task({live})', 'MC001'),
	('SELECT changemgmt.reopen_task({tell})', 'ok'),
	('SELECT changemgmt.complete_task({try})', 'ok'),
	('SELECT changemgmt.reopen_task({copy})', 'MC001'),
	('SELECT changemgmt.reopen_task({live})', 'ok'),
	-- what is not under way
	('SELECT changemgmt.complete({change})', 'MC002'),
	('SELECT changemgmt.complete_task({live})', 'ok'),
	('UPDATE changemgmt.change_task SET status = ''open'' WHERE change_id = {change} AND phase = ''implementation''', 'ok'),
	('UPDATE changemgmt.change_task SET status = ''done'' WHERE change_id = {change} AND phase = ''implementation''', 'ok'),
	('SELECT changemgmt.set_dependencies({live}, ARRAY[{try}])', 'MC005'),
	('SELECT changemgmt.add_step({change}, ''more'')', 'MC005'),
	('SELECT changemgmt.add_step({change}, ''more'', ''rollback'')', 'MC005'),
	('SELECT changemgmt.complete({change})', 'ok'),
	('SELECT changemgmt.reopen_task({live})', 'MC001'),
	('SELECT changemgmt.fail_task({live}, ''it was not'')', 'MC001'),
	-- the way back
	('SELECT changemgmt.begin_rollback({change})', 'ok'),
	('SELECT changemgmt.roll_back({change}, ''errors'', ''testing'')', 'MC002'),
	('SELECT changemgmt.fail_task({back}, ''not found'')', 'ok'),
	('SELECT changemgmt.roll_back({change}, ''errors'', ''testing'')', 'MC002'),
	('SELECT changemgmt.complete_task({back})', 'ok'),
	('SELECT changemgmt.roll_back({change}, ''errors'', ''testing'')', 'ok'),
	('SELECT changemgmt.reopen_task({back})', 'MC001'),
	('SELECT changemgmt.complete_task({tell})', 'ok');
SELECT is(left(pg_temp.on_tasks(:c, sql), 5), fate, n || ': ' || sql) FROM walk ORDER BY n;
SELECT results_eq(format('SELECT title, status, status_reason, done_by_id = changemgmt.person_id(''ada'') FROM changemgmt.change_task WHERE change_id = %s ORDER BY id', :c),
	$$VALUES ('backup', 'done', NULL, true), ('prove', 'done', NULL, true), ('stop', 'done', 'it stood', true), ('copy', 'done', NULL, true), ('try', 'done', NULL, true),
		('live', 'done', NULL, true), ('tell', 'done', NULL, true), ('back', 'done', NULL, true)$$, 'where they ended');
SELECT is(changemgmt.fail_task(0, 'x'), NULL, 'no such task to fail');
SELECT is(changemgmt.reopen_task(0), NULL, 'to reopen');
SELECT is(changemgmt.review_object(0), NULL, 'to review');

-- what is said
SELECT pg_temp.planned('words') AS c \gset
SELECT changemgmt.add_step(:c, 'a') AS a \gset
SELECT changemgmt.add_step(:c, 'b', depends_on => ARRAY[:a]) AS b \gset
SELECT changemgmt.add_step(:c, 'd', is_smoke_test => true) AS d \gset
SELECT changemgmt.advance(:c, 'in_progress') \g /dev/null
SELECT changemgmt.fail_task(:a, 'no') \g /dev/null
SELECT is(pg_temp.on_tasks(:c, 'SELECT changemgmt.complete_task({d})'), format('MC001 | task %s "d" waits for task %s "a" (failed), task %s "b"', :d, :a, :b), 'what it waits for');
SELECT is((SELECT message FROM changemgmt.why_not(:c, 'complete') WHERE requirement = 'tasks_done'), '3 implementation tasks are open or failed: a (failed), b, d', 'what is open and what failed');
SELECT is((SELECT message FROM changemgmt.why_not(:c, 'abort') WHERE requirement = 'nothing_applied'), '1 implementation task is done or failed', 'what failed may have done something');
SELECT is(pg_temp.on_tasks(:c, 'UPDATE changemgmt.change_task SET status = ''done'', done_by_id = changemgmt.person_id(''bob'') WHERE id = {a}'), 'MC003 | done_by_id of change_task is always who acts', 'nobody does it in another''s name');
SELECT changemgmt.reopen_task(:a, 'again') \g /dev/null
SELECT ok(done_at IS NULL AND done_by_id IS NULL AND status_reason = 'again', 'open again: by nobody yet') FROM changemgmt.change_task WHERE id = :a;

-- ----------------------------------------------------------------
-- The manifest
-- ----------------------------------------------------------------

SELECT changemgmt.publish_model('reviewed', '{"base": "lean_standard", "requires": {"start": ["manifest_reviewed"]}}') \g /dev/null
SELECT pg_temp.planned('manifest', 'reviewed') AS c \gset
SELECT changemgmt.add_step(:c, 'plain') AS plain \gset
SELECT changemgmt.add_step(:c, 'view', object_kind => 'schema', object_name => 'reports.returns', object_system => 'orders-db') AS line1 \gset
SELECT changemgmt.add_step(:c, 'config', 'preparation', object_kind => 'configuration', object_name => 'pool_size') AS line2 \gset
SELECT changemgmt.advance(:c, 'approved') \g /dev/null
SELECT is((SELECT message FROM changemgmt.why_not(:c, 'start') WHERE requirement = 'manifest_reviewed'), '2 lines of the manifest are not reviewed: pool_size, orders-db/reports.returns', 'what nobody has reviewed');
SET LOCAL changemgmt.actor = 'bob';
SELECT is(changemgmt.review_object(:line1), true, 'bob reviews a line');
SELECT is(reviewed_by_id, changemgmt.person_id('bob'), 'it says who') FROM changemgmt.change_task WHERE id = :line1;
SELECT ok(reviewed_at BETWEEN now() AND clock_timestamp(), 'and when') FROM changemgmt.change_task WHERE id = :line1;
SELECT is(left(pg_temp.on_tasks(:c, sql), 5), fate, sql) FROM (VALUES
	('SELECT changemgmt.review_object({plain})', 'MC008'),
	('UPDATE changemgmt.change_task SET reviewed_at = ''2001-01-01'', reviewed_by_id = changemgmt.person_id(''ada'') WHERE id = {view}', 'MC003'),
	('UPDATE changemgmt.change_task SET reviewed_by_id = changemgmt.person_id(''ada'') WHERE id = {view}', 'MC003'),
	('UPDATE changemgmt.change_task SET reviewed_at = NULL WHERE id = {view}', 'MC008'),
	('INSERT INTO changemgmt.change_task (change_id, title, object_kind, object_name, reviewed_by_id) VALUES ({change}, ''x'', ''schema'', ''s'', changemgmt.person_id(''bob''))', 'MC008'),
	('SELECT changemgmt.start({change})', 'MC002')) AS v (sql, fate);
SELECT is(reviewed_by_id, changemgmt.person_id('bob'), 'it stands') FROM changemgmt.change_task WHERE id = :line1;
SELECT is(left(pg_temp.refusal(format('SELECT changemgmt.review_object(%s, %s)', :line1, revision - 1)), 5), 'MC010', 'who read another revision reviewed another line')
FROM changemgmt.change WHERE id = :c;
SELECT is(pg_temp.refusal(format('SELECT changemgmt.review_object(%s, %s)', :line1, revision)), 'ok', 'and this one') FROM changemgmt.change WHERE id = :c;
SELECT is(changemgmt.review_object(NULL), NULL, 'no task');
-- an edit voids it: of each plan column, and of nothing else
CREATE FUNCTION pg_temp.voids(task bigint, assignment text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM changemgmt.review_object(task);
	EXECUTE format('UPDATE changemgmt.change_task SET %s WHERE id = %s', assignment, task);
	RETURN (SELECT reviewed_by_id IS NULL AND reviewed_at IS NULL FROM changemgmt.change_task WHERE id = task);
END $$;
SELECT is(pg_temp.voids(:line1, assignment), voided, assignment)
FROM (VALUES ('object_name = ''reports.other''', true), ('object_system = ''other''', true), ('object_kind = ''function''', true), ('description = ''other''', true),
	('position = 77', true), ('is_smoke_test = true', true), ('assignee_id = changemgmt.person_id(''cyd'')', false), ('object_name = object_name', false)) AS v (assignment, voided);
SELECT changemgmt.review_object(:line1) \g /dev/null
SET LOCAL changemgmt.actor = 'cyd';
SELECT is(left(pg_temp.on_tasks(:c, 'UPDATE changemgmt.change_task SET reviewed_at = NULL, reviewed_by_id = NULL WHERE id = {view}'), 5), 'MC003', 'nobody takes back what another gave');
SELECT changemgmt.review_object(:line1), changemgmt.review_object(:line2) \g /dev/null
SELECT is(reviewed_by_id, changemgmt.person_id('cyd'), 'the latest review counts') FROM changemgmt.change_task WHERE id = :line1;
SELECT is_empty(format('SELECT FROM changemgmt.why_not(%s, ''start'') WHERE requirement = ''manifest_reviewed''', :c), 'all is reviewed');
SET LOCAL changemgmt.actor = 'nobody_known';
SELECT is(left(pg_temp.on_tasks(:c, 'SELECT changemgmt.review_object({view})'), 5), 'MC003', 'who reviews is somebody');
SET LOCAL changemgmt.actor = 'ada';
SELECT changemgmt.cancel(:other, 'no') \g /dev/null
SELECT is(left(pg_temp.on_tasks(:other, 'UPDATE changemgmt.change_task SET reviewed_at = now() WHERE change_id = {change}'), 5), 'MC001', 'nothing is reviewed after the end');

-- ----------------------------------------------------------------
-- The checklist of a model
-- ----------------------------------------------------------------

SELECT is_empty($$SELECT key FROM unnest('{backup_verified,rollback_tested,stakeholders_notified,alerts_configured,on_call_available,staging_passed,load_tested,
		performance_tested,acceptance_tested,recovery_tested,capacity_checked,documentation_ready,training_done,legal_reviewed,security_reviewed}'::text[]) AS k (key)
	EXCEPT SELECT key FROM changemgmt.checklist_entry$$, 'the entries that rules of the process name ship');
SELECT ok(bool_and(key ~ '^[a-z][a-z0-9_]*$' AND title <> '' AND description <> '' AND phase IN ('preparation', 'follow_up')) AND count(DISTINCT key) = count(*),
	'each has a key of its own, a title and a description') FROM changemgmt.checklist_entry;

-- definitions that are none
SELECT is(left(pg_temp.refusal(format('SELECT changemgmt.publish_model(''bad'', %L)', '{"base": "lean_standard"}'::jsonb || definition)), 5), 'MC008', definition::text)
FROM unnest(ARRAY['{"checklist": "backup_verified"}', '{"checklist": {}}', '{"checklist": null}', '{"checklist": [1]}', '{"checklist": ["no_such"]}', '{"checklist": [["backup_verified"]]}',
	'{"checklist": ["backup_verified", "backup_verified"]}', '{"checklist": ["backup_verified", {"key": "backup_verified"}]}', '{"checklist": [{"key": "own"}]}', '{"checklist": [{"title": "own"}]}',
	'{"checklist": [{"key": "Own", "title": "x"}]}', '{"checklist": [{"key": "own", "title": " "}]}', '{"checklist": [{"key": "own", "title": "x", "phase": "later"}]}',
	'{"checklist": [{"key": "own", "title": 1}]}', '{"checklist": [{"key": "own", "title": "x", "is_smoke_test": "yes"}]}', '{"checklist": [{"key": "own", "title": "x", "position": -1}]}',
	'{"checklist": [{"key": "own", "title": "x", "position": 1.5}]}', '{"checklist": [{"key": "own", "title": "x", "note": "x"}]}',
	'{"proven_in": "test"}', '{"proven_in": ["moon"]}', '{"proven_in": ["test", "test"]}', '{"proven_in": ["production"]}', '{"proven_in": [1]}']::jsonb[]) AS definition;
SELECT is(left(pg_temp.refusal(format('SELECT changemgmt.publish_model(''bad'', %L)', jsonb_build_object('base', 'lean_standard', 'checklist',
	(SELECT jsonb_agg(jsonb_build_object('key', 'k' || n, 'title', 't')) FROM generate_series(1, 1001) AS n)))), 5), 'MC008', 'more than a thousand');

SELECT changemgmt.publish_model('listed', '{"base": "lean_standard", "checklist": ["backup_verified", {"key": "smoke", "title": "Smoke test", "phase": "implementation", "is_smoke_test": true},
	{"key": "on_call_available", "title": "Ops on call"}, "documentation_ready", {"key": "undo", "title": "Switch back", "phase": "rollback"}]}') \g /dev/null
SELECT pg_temp.planned('listed', 'listed') AS c \gset
SELECT results_eq(format('SELECT checklist_key, phase, position, title, is_smoke_test, description IS NOT NULL FROM changemgmt.change_task WHERE change_id = %s ORDER BY id', :c),
	$$VALUES ('backup_verified', 'preparation', 1, 'Backup taken and verified', false, true), ('smoke', 'implementation', 1000, 'Smoke test', true, false),
		('on_call_available', 'preparation', 2, 'Ops on call', false, true), ('documentation_ready', 'follow_up', 1, 'Documentation brought up to date', false, true), ('undo', 'rollback', 1, 'Switch back', false, false)$$,
	'entries become tasks where a change is created');
SELECT is(changemgmt.add_checklist(:c), 0, 'there is nothing to add');
SELECT is(left(pg_temp.on_tasks(:c, sql), 5), fate, sql) FROM (VALUES
	('SELECT changemgmt.remove_task({Smoke test})', 'MC005'), ('DELETE FROM changemgmt.change_task WHERE id = {Smoke test}', 'MC005'),
	('UPDATE changemgmt.change_task SET checklist_key = NULL WHERE id = {Smoke test}', 'MC005'), ('UPDATE changemgmt.change_task SET phase = ''follow_up'' WHERE id = {Ops on call}', 'MC005'),
	('UPDATE changemgmt.change_task SET is_smoke_test = false WHERE id = {Smoke test}', 'MC005'),
	('INSERT INTO changemgmt.change_task (change_id, title, phase, checklist_key) VALUES ({change}, ''x'', ''implementation'', ''smoke'')', '23505'),
	('INSERT INTO changemgmt.change_task (change_id, title, checklist_key) VALUES ({change}, ''x'', ''load_tested'')', 'MC008'),
	('INSERT INTO changemgmt.change_task (change_id, title, checklist_key, is_smoke_test) VALUES ({change}, ''x'', ''smoke'', true)', '23505'),
	('SELECT changemgmt.skip_task({Ops on call}, '' '')', 'MC008'),
	('UPDATE changemgmt.change_task SET title = ''Ops are on call'' WHERE id = {Ops on call}', 'ok'),
	('SELECT changemgmt.add_step({change}, ''work'')', 'ok')) AS v (sql, fate);
SELECT is(left(pg_temp.on_tasks(:c, sql), 5), fate, sql) FROM (VALUES
	('SELECT changemgmt.advance({change}, ''in_progress'')', 'MC002'), ('SELECT changemgmt.skip_task({Ops are on call}, ''daytime'')', 'ok'),
	('SELECT changemgmt.complete_task({Backup taken and verified})', 'ok'), ('SELECT changemgmt.advance({change}, ''in_progress'')', 'ok'),
	('SELECT changemgmt.complete_task({Smoke test})', 'MC001'), ('SELECT changemgmt.complete_task({work})', 'ok'), ('SELECT changemgmt.complete({change})', 'MC002'),
	('SELECT changemgmt.complete_task({Smoke test})', 'ok'), ('SELECT changemgmt.complete({change})', 'ok'),
	('SELECT changemgmt.roll_back({change}, ''errors'', ''plan'')', 'MC002'), ('SELECT changemgmt.skip_task({Switch back}, ''it was off'')', 'ok'),
	('SELECT changemgmt.roll_back({change}, ''errors'', ''plan'')', 'ok')) AS v (sql, fate);

-- a copy has the checklist once, and of the latest version
SELECT changemgmt.publish_model('listed', '{"base": "lean_standard", "checklist": ["backup_verified", "load_tested", {"key": "on_call_available", "phase": "implementation"}]}') \g /dev/null
SELECT id AS copy FROM changemgmt.copy_change(:c, 'copy') \gset
SELECT results_eq(format('SELECT title, checklist_key, phase FROM changemgmt.change_task WHERE change_id = %s ORDER BY id', :copy),
	$$VALUES ('Backup taken and verified', 'backup_verified', 'preparation'), ('Smoke test', NULL, 'implementation'), ('Ops are on call', NULL, 'preparation'), ('Documentation brought up to date', NULL, 'follow_up'),
		('Switch back', NULL, 'rollback'), ('work', NULL, 'implementation'), ('Load tested', 'load_tested', 'preparation'), ('On-call available', 'on_call_available', 'implementation')$$,
	'a copy');

-- a row that came without, another model, another version
INSERT INTO changemgmt.change (title, model, owner_id) VALUES ('bare', 'listed', changemgmt.person_id('ada')) RETURNING id AS bare \gset
SELECT is((SELECT count(*) FROM changemgmt.change_task WHERE change_id = :bare), 0::bigint, 'a plain INSERT brings no tasks');
SELECT is((SELECT message FROM changemgmt.why_not(:bare, 'start') WHERE requirement = 'checklist_done'), NULL, 'a draft is not started');
SELECT is(changemgmt.add_checklist(:bare), 3, 'add_checklist adds them');
SELECT is(changemgmt.add_checklist(:bare), 0, 'once');
SELECT pg_temp.planned('switched') AS c \gset
SELECT changemgmt.edit_change(:c, '{"model": "listed"}') \g /dev/null
SELECT is((SELECT count(*) FROM changemgmt.change_task WHERE change_id = :c), 3::bigint, 'another model brings its checklist');
SELECT changemgmt.edit_change(:c, '{"model": "lean_standard"}') \g /dev/null
SELECT is(pg_temp.on_tasks(:c, 'SELECT changemgmt.remove_task({Load tested})'), 'ok', 'what the model asks for no more can be removed');
SELECT is(left(pg_temp.on_tasks(:c, 'UPDATE changemgmt.change_task SET checklist_key = ''load_tested'' WHERE id = {Backup taken and verified}'), 5), 'MC005', 'but does not become another entry');
SELECT changemgmt.edit_change(:c, '{"model": "listed"}') \g /dev/null
SELECT is((SELECT count(*) FROM changemgmt.change_task WHERE change_id = :c), 3::bigint, 'and back');
SELECT changemgmt.plan(:c) \g /dev/null
SELECT changemgmt.publish_model('listed', '{"base": "lean_standard", "checklist": ["backup_verified", "load_tested", {"key": "on_call_available", "phase": "implementation"}, "legal_reviewed"]}') \g /dev/null
SELECT changemgmt.submit(:c) \g /dev/null
SELECT is((SELECT model_version FROM changemgmt.change WHERE id = :c), 3, 'submitting takes the latest version');
SELECT is((SELECT count(*) FROM changemgmt.change_task WHERE change_id = :c AND checklist_key = 'legal_reviewed'), 1::bigint, 'with its checklist');
-- who takes them out behind the triggers meets the requirement
SELECT :c AS behind \gset
ALTER TABLE changemgmt.change_task DISABLE TRIGGER USER;
DELETE FROM changemgmt.change_task WHERE change_id = :c AND checklist_key IN ('legal_reviewed', 'on_call_available');
ALTER TABLE changemgmt.change_task ENABLE TRIGGER USER;
SELECT is((SELECT message FROM changemgmt.why_not(:c, 'start') WHERE requirement = 'checklist_done'),
	'2 preparation tasks are open: Backup taken and verified, Load tested; the checklist of the model lacks a task: On-call available, Legal review done', 'what lacks is named');
SELECT is(changemgmt.add_checklist(:c), 2, 'and added');
SELECT is_empty(format('SELECT FROM changemgmt.why_not(%s, ''start'') WHERE requirement = ''seal_fresh''', :c), 'as it was approved');

-- where the plan is written afterwards, complete asks
SELECT changemgmt.publish_model('listed_emergency', '{"base": "emergency", "checklist": [{"key": "look", "title": "Look at it", "phase": "implementation"}]}') \g /dev/null
SELECT id AS e FROM changemgmt.declare_emergency('down', 'INC-e', 'man', 'production_down', model => 'listed_emergency') \gset
SELECT is((SELECT message FROM changemgmt.why_not(:e, 'complete') WHERE requirement = 'tasks_done'), '1 implementation task is open: Look at it', 'an emergency has its checklist');
ALTER TABLE changemgmt.change_task DISABLE TRIGGER USER;
DELETE FROM changemgmt.change_task WHERE change_id = :e;
ALTER TABLE changemgmt.change_task ENABLE TRIGGER USER;
SELECT is((SELECT message FROM changemgmt.why_not(:e, 'complete') WHERE requirement = 'tasks_done'), 'the checklist of the model lacks a task: Look at it', 'what lacks of it is named');
SELECT is(changemgmt.add_checklist(:e), 1, 'and added while the work is under way');

-- conditions do not stand in the order of smoke tests
SELECT pg_temp.planned('conditions', 'lean_normal') AS c \gset
SELECT changemgmt.add_step(:c, 'prove', 'preparation', is_smoke_test => true) AS prove \gset
SELECT changemgmt.advance(:c, 'awaiting_approval') \g /dev/null
SET LOCAL changemgmt.actor = 'bob';
SELECT changemgmt.approve_with_conditions(:c, '{keep the log}') \g /dev/null
SET LOCAL changemgmt.actor = 'ada';
SELECT is(pg_temp.on_tasks(:c, 'SELECT changemgmt.complete_task({keep the log})'), 'ok', 'a condition waits for no smoke test');
SELECT is(left(pg_temp.on_tasks(:c, 'UPDATE changemgmt.change_task SET depends_on = ARRAY[{prove}] WHERE id = {keep the log}'), 5), 'MC003', 'and is who may vote''s');

-- ----------------------------------------------------------------
-- Earlier environments
-- ----------------------------------------------------------------

SELECT changemgmt.publish_model('proven', '{"base": "lean_standard", "proven_in": ["test", "staging"]}') \g /dev/null
CREATE FUNCTION pg_temp.unproven(change bigint) RETURNS text LANGUAGE sql AS
	$$ SELECT message FROM changemgmt.why_not(change, 'start') WHERE requirement = 'proven_before' $$;
CREATE FUNCTION pg_temp.ran(title text, environment text, ends text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	c bigint := pg_temp.planned(title, 'lean_standard', environment);
BEGIN
	PERFORM changemgmt.advance(c, 'in_progress');
	IF ends = 'in_progress' THEN RETURN c; END IF;
	PERFORM changemgmt.complete(c);
	CASE ends
		WHEN 'successful' THEN PERFORM changemgmt.pass(c, 'seen');
		WHEN 'successful_with_issues' THEN PERFORM changemgmt.pass(c, 'seen', 'slow');
		WHEN 'failed' THEN PERFORM changemgmt.fail(c, 'errors', 'fixed forward');
		WHEN 'rolled_back' THEN PERFORM changemgmt.roll_back(c, 'errors', 'testing');
	END CASE;
	RETURN c;
END $$;
SELECT pg_temp.planned('prove', 'proven') AS c \gset
SELECT changemgmt.advance(:c, 'approved') \g /dev/null
SELECT is(pg_temp.unproven(:c), 'not proven in test: no change there is linked as promoted_from; not proven in staging: no change there is linked as promoted_from', 'nothing is linked');
SELECT is(left(pg_temp.on_tasks(:c, 'SELECT changemgmt.start({change})'), 5), 'MC002', 'start is refused');
SELECT pg_temp.ran('in test', 'test', 'successful') AS test \gset
SELECT pg_temp.ran('in staging', 'staging', 'in_progress') AS staging \gset
SELECT changemgmt.link_change(:c, 'depends_on', :test) \g /dev/null
SELECT ok(pg_temp.unproven(:c) LIKE 'not proven in test: no change%', 'another link is none');
SELECT changemgmt.link_change(:c, 'promoted_from', :test), changemgmt.link_change(:c, 'promoted_from', :staging) \g /dev/null
SELECT is(pg_temp.unproven(:c), format('not proven in staging: %s is in_progress', changemgmt.change_number(:staging)), 'one that is under way');
SELECT changemgmt.complete(:staging), changemgmt.pass(:staging, 'seen', 'slow') \g /dev/null
SELECT is(pg_temp.unproven(:c), NULL, 'with issues is good');
SELECT is(pg_temp.unproven(p.id), p.wanted, p.what) FROM (
	SELECT pg_temp.planned('p ' || e.environment, 'proven', e.environment) AS id, e.wanted, 'in ' || e.environment AS what
	FROM (VALUES ('development', NULL), ('test', NULL)) AS e (environment, wanted)) AS p;
SELECT pg_temp.planned('in staging, too', 'proven', 'staging') AS s \gset
SELECT changemgmt.advance(:s, 'approved') \g /dev/null
SELECT is(pg_temp.unproven(:s), 'not proven in test: no change there is linked as promoted_from', 'only what comes before is asked for');
-- an incident that it caused, or another that takes it back
SELECT changemgmt.incident_id('INC-proven') \g /dev/null
SET LOCAL changemgmt.actor = 'man';
SELECT changemgmt.confirm_cause('INC-proven', :staging) \g /dev/null
SET LOCAL changemgmt.actor = 'ada';
SELECT is(pg_temp.unproven(:c), format('not proven in staging: %s ended as successful_with_issues and counts as failed since', changemgmt.change_number(:staging)), 'what caused an incident failed');
SELECT pg_temp.ran('failed', 'staging', 'failed') AS failed \gset
SELECT pg_temp.ran('rolled back', 'staging', 'rolled_back') AS rolled_back \gset
SELECT changemgmt.link_change(:c, 'promoted_from', :failed), changemgmt.link_change(:c, 'promoted_from', :rolled_back) \g /dev/null
SELECT is(pg_temp.unproven(:c), format('not proven in staging: %s ended as successful_with_issues and counts as failed since, %s ended as failed, %s ended as rolled_back',
	changemgmt.change_number(:staging), changemgmt.change_number(:failed), changemgmt.change_number(:rolled_back)), 'each is named');
SELECT pg_temp.ran('again', 'staging', 'successful') AS again \gset
SELECT changemgmt.link_change(:c, 'promoted_from', :again) \g /dev/null
SELECT is(pg_temp.unproven(:c), NULL, 'one that proves it is enough');
SELECT changemgmt.link_change(pg_temp.planned('undo', 'lean_standard', 'staging'), 'backs_out', :again) \g /dev/null
SELECT ok(pg_temp.unproven(:c) LIKE '%counts as failed since', 'until it is backed out');
SELECT ok(bool_and(f.is_failed) AND count(*) = 4, 'as the metrics have it') FROM changemgmt.change_fact AS f WHERE f.change_id IN (:staging, :failed, :rolled_back, :again);
-- confidential ones prove, and are not spoken of
SELECT pg_temp.ran('secret', 'staging', 'failed') AS secret \gset
SELECT pg_temp.planned('prove secretly', 'proven') AS c \gset
SELECT changemgmt.edit_change(:secret, '{"confidential": true}') \g /dev/null
SELECT changemgmt.link_change(:c, 'promoted_from', :test), changemgmt.link_change(:c, 'promoted_from', :secret) \g /dev/null
SELECT changemgmt.advance(:c, 'approved') \g /dev/null
SELECT is(pg_temp.unproven(:c), format('not proven in staging: %s ended as failed', changemgmt.change_number(:secret)), 'whom it concerns is told');
CREATE ROLE regress_reader;
SELECT changemgmt.grant_role('regress_reader', 'implementer') \g /dev/null
SET LOCAL changemgmt.actor = 'ada';
RESET changemgmt.actor;
GRANT EXECUTE ON FUNCTION pg_temp.unproven(bigint) TO regress_reader;
SET LOCAL ROLE regress_reader;
SELECT (SELECT message FROM changemgmt.why_not(:c, 'start') WHERE requirement = 'proven_before') AS told \gset
RESET ROLE;
SET LOCAL changemgmt.actor = 'ada';
SELECT is(:'told'::text, 'not proven in staging: no change there is linked as promoted_from', 'others are not');

-- ----------------------------------------------------------------
-- The seal
-- ----------------------------------------------------------------

SELECT pg_temp.planned('sealed') AS c \gset
SELECT changemgmt.add_task(:c, 'one', object_kind => 'schema', object_name => 's') AS one \gset
SELECT changemgmt.add_task(:c, 'two') AS two \gset
SELECT changemgmt.advance(:c, 'approved') \g /dev/null
SELECT encode(approved_seal, 'hex') AS seal FROM changemgmt.change WHERE id = :c \gset
CREATE FUNCTION pg_temp.is_fresh(change bigint) RETURNS boolean LANGUAGE sql AS
	$$ SELECT NOT EXISTS (SELECT FROM changemgmt.why_not(change, 'start') WHERE requirement = 'seal_fresh') $$;
SELECT ok(pg_temp.is_fresh(:c), 'the seal is fresh');
SELECT is(pg_temp.refusal(format('UPDATE changemgmt.change_task SET %s = %s WHERE id = %s', col, value, :two)) || pg_temp.is_fresh(:c)::text
		|| pg_temp.refusal(format('UPDATE changemgmt.change_task SET %s = DEFAULT WHERE id = %s', col, :two)) || pg_temp.is_fresh(:c)::text,
	'okfalseoktrue', col || ' is sealed, and fresh when put back')
FROM (VALUES ('depends_on', format('ARRAY[%s]', :one)), ('is_smoke_test', 'true'), ('object_system', '''orders-db''')) AS v (col, value);
-- what it depends on is its content: another row of the same is the same
SELECT changemgmt.set_dependencies(:two, ARRAY[:one]) \g /dev/null
SELECT changemgmt.edit_change(:c, '{}'), changemgmt.revise(:c, 'again'), changemgmt.advance(:c, 'approved') \g /dev/null
SELECT changemgmt.set_dependencies(:two, '{}'), changemgmt.remove_task(:one) \g /dev/null
SELECT ok(NOT pg_temp.is_fresh(:c), 'gone');
SELECT changemgmt.set_dependencies(:two, ARRAY[changemgmt.add_task(:c, 'one', object_kind => 'schema', object_name => 's', "position" => 1)]) \g /dev/null
SELECT ok(pg_temp.is_fresh(:c), 'and here again');
SELECT changemgmt.review_object(pg_temp.task(:c, 'one')) \g /dev/null
SELECT ok(pg_temp.is_fresh(:c), 'a review is no edit');

-- which of two that bear one name
SELECT pg_temp.planned('twins') AS w \gset
SELECT changemgmt.add_step(:w, 'deploy', object_kind => 'service', object_name => 'a', "position" => 1) AS first \gset
SELECT changemgmt.add_step(:w, 'deploy', object_kind => 'service', object_name => 'b', "position" => 1) AS second \gset
SELECT changemgmt.add_step(:w, 'go live', depends_on => ARRAY[:first]) AS live \gset
SELECT changemgmt.add_step(:w, 'step', "position" => 5) AS step \gset
SELECT changemgmt.add_step(:w, 'try', is_smoke_test => true, "position" => 5) \g /dev/null
SELECT changemgmt.advance(:w, 'approved') \g /dev/null
SELECT changemgmt.set_dependencies(:live, ARRAY[:second]) \g /dev/null
SELECT ok(NOT pg_temp.is_fresh(:w), 'to wait for another of the same name is another plan');
SELECT changemgmt.set_dependencies(:live, ARRAY[:first]) \g /dev/null
SELECT ok(pg_temp.is_fresh(:w), 'put back');
-- which stands before a smoke test of its position
SELECT changemgmt.remove_task(:step), changemgmt.add_step(:w, 'step', "position" => 5) \g /dev/null
SELECT ok(NOT pg_temp.is_fresh(:w), 'a step that no smoke test tries any more is another plan');
SELECT changemgmt.remove_task(pg_temp.task(:w, 'try')), changemgmt.add_step(:w, 'try', is_smoke_test => true, "position" => 5) \g /dev/null
SELECT ok(pg_temp.is_fresh(:w), 'put back, too');
SELECT changemgmt.add_step(:w, 'before', "position" => 6), changemgmt.add_step(:w, 'between', "position" => 6),
	changemgmt.add_step(:w, 'try both', is_smoke_test => true, "position" => 6) \g /dev/null
SELECT changemgmt.revise(:w, 'more'), changemgmt.advance(:w, 'approved') \g /dev/null
SELECT changemgmt.remove_task(pg_temp.task(:w, 'before')), changemgmt.add_step(:w, 'before', "position" => 6) \g /dev/null
SELECT ok(NOT pg_temp.is_fresh(:w), 'also of two steps the first');
-- many at one position, each a test of those before
SELECT pg_temp.planned('many tests') AS many \gset
INSERT INTO changemgmt.change_task (change_id, title, is_smoke_test) SELECT :many, 'try ' || n, true FROM generate_series(1, 3000) AS n;
SET LOCAL statement_timeout = '60 s';
SELECT is(status, 'approved', 'thousands are sealed') FROM changemgmt.advance(:many, 'approved');
RESET statement_timeout;

-- the last position there is
SELECT pg_temp.planned('last') AS w \gset
SELECT changemgmt.add_task(:w, 'last of all', 'preparation', "position" => 2147483647) \g /dev/null
SELECT is(pg_temp.on_tasks(:w, sql), 'ok', sql) FROM (VALUES
	('SELECT changemgmt.add_task({change}, ''t'', ''preparation'')'), ('SELECT changemgmt.add_step({change}, ''s'', ''preparation'')')) AS v (sql);
SELECT is(left(pg_temp.on_tasks(:w, sql), 5), 'MC008', sql) FROM (VALUES
	('SELECT changemgmt.add_step({change}, ''t'', NULL)'), ('UPDATE changemgmt.change_task SET position = NULL WHERE change_id = {change}'),
	('UPDATE changemgmt.change_task SET status = NULL WHERE change_id = {change}'),
	('SELECT changemgmt.add_check({change}, ''t'', NULL)'), ('SELECT changemgmt.add_check({change}, ''t'', stage => NULL)'),
	('SELECT changemgmt.add_check({change}, ''t'', is_required => NULL)'),
	('SELECT changemgmt.add_signal_check({change}, ''t'', ''errors'', 5, is_rollback_trigger => NULL)')) AS v (sql);

SELECT is(pg_temp.on_tasks(:w, 'SELECT changemgmt.edit_change({change}, ''{"model": "listed"}'')'), 'ok', 'a checklist comes behind it');

-- as it stood, and the trail
SELECT changemgmt.set_dependencies(:two, '{}') \g /dev/null
SELECT is(t ->> 'depends_on', '[]', 'now') FROM jsonb_array_elements(changemgmt.change_document(:c) -> 'change_task') AS t WHERE t ->> 'title' = 'two';
SELECT is_empty(format('SELECT * FROM changemgmt.verify_ledger() WHERE subject_id NOT IN (%s, %s)', :behind, :e), 'the trail is whole, but for what was taken out behind it');

-- a row that was recorded before the columns came has their defaults now
SELECT pg_temp.planned('old') AS old \gset
SELECT changemgmt.add_task(:old, 'written under 1.0') \g /dev/null
SELECT ok(bool_and(e -> 'new' ? 'depends_on' AND e -> 'new' ? 'is_smoke_test'), 'what is recorded now says them') FROM changemgmt.ledger, jsonb_array_elements(changed -> 'change_task') AS e
WHERE subject_kind = 'change' AND subject_id = :old AND changed ? 'change_task';

-- history comes in as it is, and can be gone on with
COPY changemgmt.change (id, title, model, type, status, actual_start) FROM stdin;
900001	old	lean_standard	standard	in_progress	2001-01-01 00:00:00+00
\.
COPY changemgmt.change_task (id, change_id, phase, position, title, status, depends_on, is_smoke_test, checklist_key, object_kind, object_name, reviewed_at) FROM stdin;
900001	900001	implementation	2	long ago	failed	{-7,900001}	true	no_such	\N	\N	2001-01-01 00:00:00+00
900002	900001	implementation	1	before	open	{-7}	false	\N	schema	s	\N
\.
SELECT results_eq('SELECT depends_on, status, checklist_key, reviewed_at FROM changemgmt.change_task WHERE id = 900001',
	$$VALUES ('{-7,900001}'::bigint[], 'failed', 'no_such', '2001-01-01 00:00:00+00'::timestamptz)$$, 'history is stored as it is');
SELECT is(left(pg_temp.refusal('SELECT changemgmt.complete_task(900001)'), 5), 'MC001', 'a smoke test of it waits for the step before');
SELECT is(pg_temp.refusal('SELECT changemgmt.complete_task(900002)'), 'ok', 'which waits for no task that is not there');
SELECT is(pg_temp.refusal('SELECT changemgmt.complete_task(900001)'), 'ok', 'then it is done');

-- documents name dependencies by place
SELECT id AS doc FROM changemgmt.create_change_from('{"title": "document", "model": "lean_standard", "tasks": ["first", {"title": "second", "depends_on": [1]},
	{"title": "third", "depends_on": [2, 1], "is_smoke_test": true, "object_kind": "schema", "object_name": "s", "object_system": "db"}]}') \gset
SELECT is((SELECT array_agg(cardinality(depends_on) || title ORDER BY id) FROM changemgmt.change_task WHERE change_id = :doc), '{0first,1second,2third}', 'from a document');
SELECT ok((SELECT depends_on FROM changemgmt.change_task WHERE id = pg_temp.task(:doc, 'third')) = ARRAY[pg_temp.task(:doc, 'first'), pg_temp.task(:doc, 'second')], 'with the ids of this change');
SELECT is(left(pg_temp.refusal($$SELECT changemgmt.create_change_from('{"title": "d", "tasks": [{"title": "t", "depends_on": [7]}]}')$$), 5), 'MC008', 'a place that is none');
SELECT is(left(pg_temp.refusal($$SELECT changemgmt.create_change_from('{"title": "d", "tasks": [{"title": "t", "depends_on": "x"}]}')$$), 5), 'MC008', 'or no number');
SELECT id AS copy FROM changemgmt.copy_change(:doc) \gset
SELECT ok((SELECT depends_on FROM changemgmt.change_task WHERE id = pg_temp.task(:copy, 'third')) = ARRAY[pg_temp.task(:copy, 'first'), pg_temp.task(:copy, 'second')], 'and in a copy');

SELECT * FROM finish();
ROLLBACK;
