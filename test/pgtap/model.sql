-- Change models: publishing, versions, retirement, templates.
\set QUIET on
BEGIN;
SELECT no_plan();

SELECT changemgmt.add_person(login) FROM unnest('{rita,olaf,anna,ivan,zoe,c1,c2,mona}'::text[]) AS login
\g /dev/null
SELECT changemgmt.add_board('cab') \g /dev/null
SELECT changemgmt.add_board_member('cab', login) FROM unnest('{c1,c2}'::text[]) AS login \g /dev/null
SELECT changemgmt.add_board_member('cab', 'zoe', 'technical_lead') \g /dev/null
SELECT changemgmt.add_board_member('cab', 'mona', 'change_manager') \g /dev/null
SELECT changemgmt.add_ci('db') \g /dev/null
SET LOCAL changemgmt.actor = 'anna';

-- The code and the message of a refusal; what is done is taken back.
CREATE FUNCTION pg_temp.try(sql text) RETURNS text
	LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE sql;
	RAISE SQLSTATE 'ZZ000';
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN 'done';
	WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
CREATE FUNCTION pg_temp.publish(definition text, key text DEFAULT 'ours') RETURNS text
	LANGUAGE sql AS $$
SELECT pg_temp.try(format('SELECT changemgmt.publish_model(%L, %L)', key, definition))$$;
CREATE FUNCTION pg_temp.acting(login text) RETURNS text
	LANGUAGE sql AS $$SELECT set_config('changemgmt.actor', login, true)$$;
-- A draft whose plan is complete.
CREATE FUNCTION pg_temp.draft(model text) RETURNS bigint
	LANGUAGE sql AS $$
SELECT (changemgmt.create_change('replace the disk', model => draft.model, requester => 'rita', owner => 'olaf',
	description => 'a new disk', justification => 'the old one fails', user_impact => 'none', items => '{db}',
	risk_level => 'low', rollback_trigger => 'errors', rollback_plan => 'put it back', rollback_minutes => 10,
	verification_plan => 'look at it', planned_start => now() - interval '1 hour', planned_end => now() + interval '3 hours')).id
$$;
CREATE FUNCTION pg_temp.get(change_id bigint, field text) RETURNS text
	LANGUAGE sql AS $$
SELECT to_jsonb(c) ->> field FROM changemgmt.change AS c WHERE id = change_id$$;

-- ----------------------------------------------------------------
-- What ships
-- ----------------------------------------------------------------

SELECT results_eq($$SELECT key, version, definition ->> 'type', definition ->> 'profile' FROM changemgmt.shipped_models() ORDER BY key COLLATE "C"$$,
	$$VALUES ('emergency', 0, 'emergency', 'itil'), ('latent', 0, 'latent', 'itil'),
			 ('lean_emergency', 0, 'emergency', 'lean'), ('lean_normal', 0, 'normal', 'lean'), ('lean_standard', 0, 'standard', 'lean'),
			 ('major', 0, 'major', 'itil'), ('normal', 0, 'normal', 'itil'), ('standard', 0, 'standard', 'itil')$$,
	'two profiles ship');
SELECT is_empty('SELECT key FROM changemgmt.shipped_models() WHERE definition ->> ''key'' <> key', 'each under its own key');
SELECT is_empty('SELECT FROM changemgmt.site_model', 'no model is a row');
SELECT results_eq('SELECT key, version, definition, is_shipped, published_at, retired_at FROM changemgmt.model ORDER BY key',
	'SELECT key, version, definition, true, NULL::timestamptz, NULL::timestamptz FROM changemgmt.shipped_models() ORDER BY key', 'the view shows them');
SELECT results_eq($$SELECT key, (definition ->> 'notice_business_days')::integer FROM changemgmt.shipped_models() WHERE definition ? 'notice_business_days' ORDER BY key$$,
	$$VALUES ('major', 5), ('normal', 5)$$, 'normal and major ask for five business days'' notice');
SELECT set_eq($$SELECT key FROM changemgmt.shipped_models() WHERE definition -> 'validations' = '["24_hours", "7_days"]'$$,
	$$VALUES ('normal'), ('major'), ('emergency')$$, 'these are validated after a day and a week');
SELECT set_eq($$SELECT key FROM changemgmt.shipped_models() WHERE definition -> 'approval' ->> 'policy' = 'board'$$,
	$$VALUES ('normal'), ('major')$$, 'these go to the board');
SELECT set_eq($$SELECT key FROM changemgmt.shipped_models() WHERE (definition -> 'issues_despite_failed_check')::boolean$$,
	$$VALUES ('standard'), ('normal'), ('emergency'), ('latent')$$, 'lean ones and major never pass when a check failed');
SELECT is(pg_temp.publish(format('{"base": "%s"}', key)), 'done', 'a site may build on ' || key) FROM changemgmt.shipped_models();
-- a definition can say again what a shipped one says
SELECT is(pg_temp.publish((definition || jsonb_build_object('base', key))::text), 'done', key || ' is a sound definition') FROM changemgmt.shipped_models();

-- ----------------------------------------------------------------
-- Definitions
-- ----------------------------------------------------------------

SELECT is(pg_temp.publish(definition), 'MC008 definition of model "ours": ' || problem, definition)
FROM (VALUES
	('[]', 'it is not an object'), ('"normal"', 'it is not an object'), ('null', 'it is not an object'),
	('{}', '"base" is missing: a shipped model'),
	('{"base": 1}', '"base" is not a string'),
	('{"base": null}', '"base" is not a string'),
	('{"base": "nothing"}', '"base" is not a shipped model: "nothing"'),
	('{"base": "ours"}', '"base" is not a shipped model: "ours"'),
	('{"base": "normal", "colour": "red"}', 'there is no key "colour"'),
	('{"base": "normal", "title": 1}', '"title" is not a string'),
	('{"base": "normal", "profile": 1}', '"profile" is not a string'),
	('{"base": "normal", "type": 1}', '"type" is not a string'),
	('{"base": "normal", "first_status": 1}', '"first_status" is not a string'),
	('{"base": "normal", "first_status": "approved"}', '"first_status" is not draft, in_progress or implemented'),
	('{"base": "normal", "first_status": "nonsense"}', '"first_status" is not draft, in_progress or implemented'),
	('{"base": "normal", "pre_approved": "yes"}', '"pre_approved" is neither true nor false'),
	('{"base": "normal", "books_window": 1}', '"books_window" is neither true nor false'),
	('{"base": "normal", "documented_after": null}', '"documented_after" is neither true nor false'),
	('{"base": "normal", "schedule_sealed": []}', '"schedule_sealed" is neither true nor false'),
	('{"base": "normal", "issues_despite_failed_check": {}}', '"issues_despite_failed_check" is neither true nor false'),
	('{"base": "normal", "notice_business_days": "5"}', '"notice_business_days" is not an integer from 0 to 365'),
	('{"base": "normal", "notice_business_days": -1}', '"notice_business_days" is not an integer from 0 to 365'),
	('{"base": "normal", "notice_business_days": 366}', '"notice_business_days" is not an integer from 0 to 365'),
	('{"base": "normal", "notice_business_days": 1.5}', '"notice_business_days" is not an integer from 0 to 365'),
	('{"base": "normal", "notice_business_days": 1e300}', '"notice_business_days" is not an integer from 0 to 365'),
	('{"base": "normal", "notice_business_days": null}', '"notice_business_days" is not an integer from 0 to 365'),
	('{"base": "normal", "late_hours": -1}', '"late_hours" is not an integer from 0 to 8760'),
	('{"base": "normal", "late_hours": 8761}', '"late_hours" is not an integer from 0 to 8760'),
	('{"base": "normal", "approval": "one"}', '"approval" is not an object'),
	('{"base": "normal", "approval": []}', '"approval" is not an object'),
	('{"base": "normal", "approval": {"policy": 1}}', '"policy" is not a string'),
	('{"base": "normal", "approval": {"policy": "any"}}', '"any" is not an approval policy: none, one, board'),
	('{"base": "normal", "approval": {"policy": "none"}}', 'a model without approval must be pre_approved'),
	('{"base": "normal", "approval": {"needed": 0}}', '"needed" is not an integer from 1 to 1000'),
	('{"base": "normal", "approval": {"needed": "2"}}', '"needed" is not an integer from 1 to 1000'),
	('{"base": "normal", "approval": {"board": 1}}', '"board" is not a string'),
	('{"base": "normal", "approval": {"colour": 1}}', '"approval" has no key "colour"'),
	('{"base": "lean_normal", "approval": {"policy": "board"}}', 'the approval policy "board" names no board'),
	('{"base": "normal", "separate": "approver/owner"}', '"separate" is not an array of strings'),
	('{"base": "normal", "separate": {}}', '"separate" is not an array of strings'),
	('{"base": "normal", "separate": [1]}', '"separate" is not a string'),
	('{"base": "normal", "separate": ["approver"]}', '"approver" is not a pair of two duties such as "approver/owner"'),
	('{"base": "normal", "separate": ["approver/king"]}', '"approver/king" is not a pair of two duties such as "approver/owner"'),
	('{"base": "normal", "separate": ["owner/owner"]}', '"owner/owner" is not a pair of two duties such as "approver/owner"'),
	('{"base": "normal", "separate": ["owner/approver/author"]}', '"owner/approver/author" is not a pair of two duties such as "approver/owner"'),
	('{"base": "normal", "validations": "7_days"}', '"validations" is not an array of strings'),
	('{"base": "normal", "validations": ["30_days"]}', '"30_days" is no stage of validation: 24_hours, 7_days'),
	('{"base": "normal", "waivable": "notice"}', '"waivable" is not an array of strings'),
	('{"base": "normal", "waivable": [1]}', '"waivable" is not a string'),
	('{"base": "normal", "waivable": ["quorum"]}', '"quorum" of "waivable" is never waived'),
	('{"base": "normal", "waivable": ["policy_votes"]}', '"policy_votes" of "waivable" is never waived'),
	('{"base": "normal", "waivable": ["notice", "segregation"]}', '"segregation" of "waivable" is never waived'),
	('{"base": "normal", "waivable": ["writers_known"]}', '"writers_known" of "waivable" is never waived'),
	('{"base": "normal", "waivable": ["data_approval"]}', '"data_approval" of "waivable" is never waived'),
	('{"base": "normal", "waivable": ["seal_fresh"]}', '"seal_fresh" of "waivable" is never waived'),
	('{"base": "normal", "waivable": ["conditions_done"]}', '"conditions_done" of "waivable" is never waived'),
	('{"base": "normal", "waivable": ["template_record"]}', '"template_record" of "waivable" is never waived'),
	('{"base": "normal", "requires": []}', '"requires" is not an object'),
	('{"base": "normal", "requires": 1}', '"requires" is not an object'),
	('{"base": "normal", "requires": {"begin": []}}', '"begin" is not a verb'),
	('{"base": "normal", "requires": {"create": []}}', '"create" is not a verb'),
	('{"base": "normal", "requires": {"start": "notice"}}', '"start" is not an array of strings'),
	('{"base": "normal", "requires": {"start": [1]}}', '"start" is not a string'),
	('{"base": "normal", "plan": []}', '"plan" is not an object'),
	('{"base": "normal", "plan": "x"}', '"plan" is not an object')
) AS v (definition, problem);
SELECT matches(pg_temp.publish(definition), '^MC008 ', definition)
FROM (VALUES
	('{"base": "normal", "type": "huge"}'),
	('{"base": "normal", "plan": {"colour": "red"}}'),
	('{"base": "normal", "plan": {"risk_level": "huge"}}'),
	('{"base": "normal", "plan": {"items": "db"}}'),
	('{"base": "normal", "plan": {"rollback_minutes": "ten"}}'),
	('{"base": "normal", "plan": {"status": "approved"}}'),
	('{"base": "normal", "plan": {"model": "standard"}}'),
	('{"base": "normal", "plan": {"tasks": [{"name": "x"}]}}')
) AS v (definition);
SELECT is(pg_temp.publish(definition), 'done', definition)
FROM (VALUES
	('{"base": "normal", "title": "Ours", "profile": "ours", "type": "major"}'),
	('{"base": "normal", "notice_business_days": 0, "approval": {"needed": 1, "board": "ecab"}}'),
	('{"base": "normal", "late_hours": null, "schedule_sealed": true, "validations": [], "separate": []}'),
	('{"base": "normal", "requires": {"start": ["backup_taken"]}, "waivable": ["backup_taken", "notice"]}'),
	('{"base": "standard", "plan": {"title": "Restart a server", "items": ["db"]}}')
) AS v (definition);
SELECT matches(pg_temp.publish('{"base": "normal"}', key), '^(23514|MC008) ', format('a model cannot be called "%s"', key))
FROM (VALUES (''), ('Ours'), ('1st'), ('our model'), (repeat('a', 64))) AS v (key);
SELECT matches(pg_temp.try('SELECT changemgmt.publish_model(NULL, ''{"base": "normal"}'')'), '^(23502|MC008) ', 'nor have no name');
SELECT matches(pg_temp.try('SELECT changemgmt.publish_model(''ours'', NULL)'), '^(23502|MC008) ', 'nor no definition');
SELECT is_empty('SELECT FROM changemgmt.site_model', 'nothing of this was published');

-- ----------------------------------------------------------------
-- Published is published
-- ----------------------------------------------------------------

SELECT is(changemgmt.publish_model('ours', '{"base": "lean_normal", "requires": {"plan": ["backup_taken"]}}'), 1, 'the first version');
SELECT is(changemgmt.publish_model('ours', '{"base": "lean_normal"}'), 2, 'the second');
SELECT results_eq('SELECT key, version, is_shipped, published_at, retired_at FROM changemgmt.model WHERE NOT is_shipped ORDER BY version',
	$$VALUES ('ours', 1, false, now(), NULL::timestamptz), ('ours', 2, false, now(), NULL)$$, 'the view shows both');
SELECT set_eq('SELECT published_by FROM changemgmt.site_model', $$VALUES ('anna')$$, 'and the table, by whom');
SELECT is(left(pg_temp.try(sql), 5), 'MC006', sql)
FROM unnest(ARRAY[
	$$UPDATE changemgmt.site_model SET definition = '{"base": "normal"}'$$,
	$$UPDATE changemgmt.site_model SET key = 'theirs'$$,
	$$UPDATE changemgmt.site_model SET version = version + 10$$,
	$$UPDATE changemgmt.site_model SET published_by = 'me'$$,
	$$UPDATE changemgmt.site_model SET published_at = now() - interval '1 day'$$,
	$$UPDATE changemgmt.site_model SET definition = '{"base": "normal"}', retired_at = now()$$,
	$$DELETE FROM changemgmt.site_model$$,
	$$TRUNCATE changemgmt.site_model$$
]) AS sql;
SELECT is(pg_temp.try('UPDATE changemgmt.site_model SET definition = definition'), 'done', 'what changes nothing is no change');
SELECT is(left(pg_temp.try($$INSERT INTO changemgmt.site_model (key, version, definition, published_by) VALUES ('ours', 3, '{"base": "x"}', 'me')$$), 5),
	'MC008', 'an INSERT is checked as publish_model() is');

-- ----------------------------------------------------------------
-- Versions
-- ----------------------------------------------------------------

-- "again" asks for something at plan and start in its later versions
SELECT changemgmt.publish_model('again', '{"base": "lean_normal"}') \g /dev/null
CREATE TEMP TABLE made (name text PRIMARY KEY, id bigint);
INSERT INTO made SELECT n, pg_temp.draft('again') FROM unnest('{draft,planned,submitted,edited}'::text[]) AS n;
CREATE FUNCTION pg_temp.id(name text) RETURNS bigint
	LANGUAGE sql AS $$SELECT id FROM made AS m WHERE m.name = $1$$;
SELECT changemgmt.plan(id) FROM made WHERE name <> 'draft' \g /dev/null
SELECT changemgmt.submit(id) FROM made WHERE name NOT IN ('draft', 'planned') \g /dev/null
SELECT set_eq('SELECT model_version FROM changemgmt.change', 'VALUES (1)', 'a change begins under the version that there is');
SELECT is(changemgmt.publish_model('again', '{"base": "lean_normal", "type": "major", "requires": {"start": ["backup_taken"]}, "validations": ["24_hours"]}'), 2, 'a new version');

SELECT is(pg_temp.get(id, 'model_version') || ' ' || pg_temp.get(id, 'type'), '1 normal', name || ' stays under its version') FROM made;
SELECT is(pg_temp.get(pg_temp.draft('again'), 'model_version'), '2', 'a new change does not');
SELECT changemgmt.submit(pg_temp.id('planned')) \g /dev/null
SELECT is(pg_temp.get(id, 'model_version') || ' ' || pg_temp.get(id, 'type'), '2 major', 'a draft moves at its submission') FROM made WHERE name = 'planned';
SELECT changemgmt.edit_change(id, '{"priority": "high", "title": "another"}') FROM made WHERE name = 'edited' \g /dev/null
SELECT pg_temp.acting('zoe') \g /dev/null
SELECT changemgmt.approve(id) FROM made WHERE name <> 'draft' \g /dev/null
SELECT pg_temp.acting('ivan') \g /dev/null
SELECT is(pg_temp.get(id, 'model_version'), '1', name || ' stays, approved as well') FROM made WHERE name IN ('submitted', 'edited');
SELECT is(pg_temp.try(format('SELECT changemgmt.start(%s)', id)), 'done', 'it starts by the rules it was submitted under')
FROM made WHERE name = 'submitted';
SELECT matches(pg_temp.try(format('SELECT changemgmt.start(%s)', id)), '^MC002 .*there is no requirement of this name', 'and another by those of its own')
FROM made WHERE name = 'planned';
SELECT results_eq(format('SELECT requirement, message FROM changemgmt.why_not(%s, ''start'')', id),
	$$VALUES ('backup_taken', 'there is no requirement of this name')$$, 'a requirement that nobody has registered is never met')
FROM made WHERE name = 'planned';
-- approved and stale: the next submission is a new one, or is it? It was submitted under version 1.
SELECT changemgmt.edit_change(id, '{"title": "a third"}') FROM made WHERE name = 'submitted' \g /dev/null
SELECT changemgmt.submit(id) FROM made WHERE name = 'submitted' \g /dev/null
SELECT is(pg_temp.get(id, 'model_version'), '1', 'a stale one that is submitted again stays') FROM made WHERE name = 'submitted';
SELECT changemgmt.revise(id, 'a new start') FROM made WHERE name = 'submitted' \g /dev/null
SELECT is(pg_temp.get(id, 'model_version'), '1', 'revised, too') FROM made WHERE name = 'submitted';
SELECT changemgmt.plan(id) FROM made WHERE name = 'submitted' \g /dev/null
SELECT changemgmt.submit(id) FROM made WHERE name = 'submitted' \g /dev/null
SELECT is(pg_temp.get(id, 'model_version'), '2', 'until it is submitted anew') FROM made WHERE name = 'submitted';
SELECT is(pg_temp.try(format('UPDATE changemgmt.change SET model_version = %s WHERE id = %s', version, id)) ~ '^MC00[58]', true, 'nobody chooses version ' || version)
FROM made, (VALUES (1), (2), (3)) AS v (version) WHERE name = 'edited' AND version <> 1;

-- another model, in draft only
SELECT is(left(pg_temp.try(format('UPDATE changemgmt.change SET model = ''standard'' WHERE id = %s', id)), 5), CASE name WHEN 'draft' THEN 'done' ELSE 'MC005' END,
	name || ': another model') FROM made;
UPDATE changemgmt.change SET model = 'standard' WHERE id = pg_temp.id('draft');
SELECT is(concat_ws(' ', pg_temp.get(id, 'model'), pg_temp.get(id, 'model_version'), pg_temp.get(id, 'type')), 'standard 0 standard', 'brings its version and type')
FROM made WHERE name = 'draft';
SELECT matches(pg_temp.try(format('UPDATE changemgmt.change SET model = ''nothing'' WHERE id = %s', id)), '^MC008 model "nothing" does not exist', 'an unknown model')
FROM made WHERE name = 'draft';
SELECT matches(pg_temp.try('SELECT changemgmt.create_change(''x'', model => ''nothing'')'), '^MC008 model "nothing" does not exist', 'of an unknown model there is no change');
SELECT is(left(pg_temp.try(format('UPDATE changemgmt.change SET model = ''emergency'' WHERE id = %s', id)), 2), 'MC', 'a draft does not become an emergency')
FROM made WHERE name = 'draft';

-- ----------------------------------------------------------------
-- In the place of a shipped one
-- ----------------------------------------------------------------

INSERT INTO made SELECT 'shipped', pg_temp.draft('lean_standard');
INSERT INTO made SELECT 'shipped approved', pg_temp.draft('lean_standard');
SELECT changemgmt.advance(pg_temp.id('shipped approved'), 'approved') \g /dev/null
SELECT is(changemgmt.publish_model('lean_standard', '{"base": "lean_standard", "requires": {"plan": ["backup_taken"], "start": ["backup_taken"]}}'), 1, 'a site''s own lean_standard');
SELECT is(pg_temp.get(pg_temp.draft('lean_standard'), 'model_version'), '1', 'is what new changes get');
SELECT results_eq($$SELECT version, is_shipped FROM changemgmt.model WHERE key = 'lean_standard' ORDER BY version$$, 'VALUES (0, true), (1, false)', 'both are shown');
SELECT is(pg_temp.try(format('SELECT changemgmt.start(%s)', id)), 'done', 'what was submitted before goes by the shipped one') FROM made WHERE name = 'shipped approved';
SELECT is(pg_temp.get(id, 'model_version'), '0', 'under which it stays') FROM made WHERE name = 'shipped approved';
SELECT changemgmt.plan(id) FROM made WHERE name = 'shipped' \g /dev/null
SELECT changemgmt.submit(id) FROM made WHERE name = 'shipped' \g /dev/null
SELECT is(pg_temp.get(id, 'model_version'), '1', 'a draft moves to the site''s') FROM made WHERE name = 'shipped';
SELECT matches(pg_temp.try(format('SELECT changemgmt.start(%s)', id)), '^MC002 ', 'and its rules') FROM made WHERE name = 'shipped';

-- ----------------------------------------------------------------
-- Retired
-- ----------------------------------------------------------------

INSERT INTO made SELECT 'of a retired model', pg_temp.draft('ours');
INSERT INTO made SELECT 'submitted of a retired model', pg_temp.draft('ours');
SELECT changemgmt.advance(pg_temp.id('submitted of a retired model'), 'planned') \g /dev/null
SELECT changemgmt.submit(pg_temp.id('submitted of a retired model')) \g /dev/null
SELECT is(changemgmt.retire_model('ours'), 2::bigint, 'all versions are retired');
SELECT is(changemgmt.retire_model('ours'), 0::bigint, 'once');
SELECT is(changemgmt.retire_model('nothing'), 0::bigint, 'of what does not exist, none');
SELECT is_empty($$SELECT FROM changemgmt.model WHERE key = 'ours' AND retired_at IS DISTINCT FROM now()$$, 'the view says since when');
SELECT matches(pg_temp.try('SELECT changemgmt.create_change(''x'', model => ''ours'')'), '^MC008 model "ours" is retired', 'no new change uses it');
SELECT matches(pg_temp.try('INSERT INTO changemgmt.change (title, model) VALUES (''x'', ''ours'')'), '^MC008 model "ours" is retired', 'nor by INSERT');
SELECT matches(pg_temp.try(format('UPDATE changemgmt.change SET model = ''ours'' WHERE id = %s', pg_temp.id('draft'))), '^MC008 model "ours" is retired', 'nor a draft of another');
SELECT pg_temp.acting('zoe') \g /dev/null
SELECT is(pg_temp.try(format('SELECT changemgmt.approve(%s)', pg_temp.id('submitted of a retired model'))), 'done', 'what is under way goes on');
SELECT pg_temp.acting('anna') \g /dev/null
SELECT is(pg_temp.try(format('SELECT changemgmt.plan(%s)', pg_temp.id('of a retired model'))), 'done', 'a draft can be planned');
SELECT is(changemgmt.publish_model('ours', '{"base": "lean_normal"}'), 3, 'a later version brings it back');
SELECT is(pg_temp.get(pg_temp.draft('ours'), 'model_version'), '3', 'for new changes');
SELECT is(changemgmt.retire_model('lean_standard'), 1::bigint, 'the site''s lean_standard is retired');
SELECT matches(pg_temp.try('SELECT changemgmt.create_change(''x'', model => ''lean_standard'')'), '^MC008 model "lean_standard" is retired',
	'and the shipped one does not come back by itself');

-- ----------------------------------------------------------------
-- Templates
-- ----------------------------------------------------------------

SELECT is(changemgmt.publish_model('restart', jsonb_build_object('base', 'lean_standard', 'title', 'Restart a server',
	'plan', jsonb_build_object('title', 'restart the server', 'description', 'systemctl restart', 'justification', 'it hangs',
		'user_impact', 'a minute', 'category', 'infrastructure', 'items', '["db"]'::jsonb, 'risk_level', 'low', 'owner', 'olaf',
		'rollback_trigger', 'it does not start', 'rollback_plan', 'start the old one', 'rollback_minutes', 5, 'estimated_minutes', 10,
		'tasks', '[{"title": "tell everybody", "phase": "preparation"}, "restart"]'::jsonb,
		'checks', '[{"title": "it answers", "kind": "synthetic"}]'::jsonb,
		'risks', '[{"description": "it stays down", "likelihood": "low", "impact": "medium", "mitigation": "a spare"}]'::jsonb,
		'attributes', '{"runbook": "R1", "window": "any"}'::jsonb))), 1, 'a template');
INSERT INTO made SELECT 'templated', s.id FROM changemgmt.create_change('restart db 7', template => 'restart', requester => 'rita',
	justification => 'memory leak', planned_start => now() - interval '1 hour', planned_end => now() + interval '1 hour') AS s;
SELECT results_eq(format($$SELECT title, model, model_version, type, description, justification, user_impact, category, risk_level, rollback_plan,
		rollback_minutes, estimated_minutes, owner_id = changemgmt.person_id('olaf') FROM changemgmt.change WHERE id = %s$$, pg_temp.id('templated')),
	$$VALUES ('restart db 7', 'restart', 1, 'standard', 'systemctl restart', 'memory leak', 'a minute', 'infrastructure', 'low', 'start the old one', 5, 10, true)$$,
	'a template fills in what is not given');
SELECT results_eq(format('SELECT phase, position, title FROM changemgmt.change_task WHERE change_id = %s ORDER BY id', pg_temp.id('templated')),
	$$VALUES ('preparation', 1, 'tell everybody'), ('implementation', 2, 'restart')$$, 'its steps');
SELECT results_eq(format('SELECT kind, title FROM changemgmt.change_check WHERE change_id = %s', pg_temp.id('templated')), $$VALUES ('synthetic', 'it answers')$$, 'its checks');
SELECT results_eq(format('SELECT description, impact, mitigation FROM changemgmt.change_risk WHERE change_id = %s', pg_temp.id('templated')), $$VALUES ('it stays down', 'medium', 'a spare')$$, 'its risks');
SELECT results_eq(format('SELECT ci_id FROM changemgmt.change_item WHERE change_id = %s', pg_temp.id('templated')), $$SELECT changemgmt.ci_id('db')$$, 'its items');
SELECT is((changemgmt.advance(pg_temp.id('templated'), 'approved')).status, 'approved', 'and leads to approved at once');
SELECT is(pg_temp.get((changemgmt.create_change_from('{"template": "restart", "requester": "rita"}')).id, 'title'), 'restart the server', 'a title, too');
SELECT is(pg_temp.get((changemgmt.create_change('x', model => 'restart', requester => 'rita')).id, 'description'), 'systemctl restart', 'named as a model it fills in, too');
SELECT is(pg_temp.get((changemgmt.create_change('x', template => 'restart', model => 'restart', requester => 'rita')).id, 'model'), 'restart', 'both may be given');
SELECT is(pg_temp.get((changemgmt.create_change('x', template => 'restart', requester => 'rita', attributes => '{"window": "night"}')).id, 'attributes')::jsonb ->> 'window', 'night', 'what is given stands');
SELECT is(left(pg_temp.try(sql), 5), 'MC008', sql)
FROM unnest(ARRAY[
	$$SELECT changemgmt.create_change('x', template => 'nothing')$$,
	$$SELECT changemgmt.create_change('x', template => 'normal')$$,
	$$SELECT changemgmt.create_change('x', template => 'again')$$,
	$$SELECT changemgmt.create_change('x', template => 'restart', model => 'normal')$$
]) AS sql;
-- an approved template is the approval that data and security ask for, where it
-- says that it touches them (lifecycle.sql)
SELECT is(left(pg_temp.try(format('SELECT changemgmt.revise(%1$s); UPDATE changemgmt.change SET touches_security = true WHERE id = %1$s; SELECT changemgmt.advance(%1$s, ''approved'')', pg_temp.id('templated'))), 5),
	'MC002', 'security is touched only by a template that says so');
SELECT is(changemgmt.retire_model('restart'), 1::bigint, 'templates are retired as models are');
SELECT matches(pg_temp.try('SELECT changemgmt.create_change(''x'', template => ''restart'')'), '^MC008 model "restart" is retired', 'then nothing is made of them');
SELECT is((changemgmt.change_state(pg_temp.id('templated'))).status, 'approved', 'what was made of them goes on');

-- ----------------------------------------------------------------
-- What the keys mean
-- ----------------------------------------------------------------

SELECT changemgmt.publish_model('sealed', '{"base": "lean_normal", "schedule_sealed": true}') \g /dev/null
INSERT INTO made SELECT 'sealed', pg_temp.draft('sealed');
SELECT changemgmt.advance(pg_temp.id('sealed'), 'planned'), changemgmt.submit(pg_temp.id('sealed')) \g /dev/null
SELECT pg_temp.acting('zoe') \g /dev/null
SELECT changemgmt.approve(pg_temp.id('sealed')) \g /dev/null
SELECT pg_temp.acting('anna') \g /dev/null
UPDATE changemgmt.change SET planned_end = planned_end + interval '1 hour' WHERE id = pg_temp.id('sealed');
SELECT results_eq(format('SELECT requirement FROM changemgmt.why_not(%s, ''start'')', pg_temp.id('sealed')), $$VALUES ('seal_fresh')$$, 'schedule_sealed: the time is approved with the plan');
UPDATE changemgmt.change SET planned_end = planned_end - interval '1 hour' WHERE id = pg_temp.id('sealed');
SELECT is_empty(format('SELECT requirement FROM changemgmt.why_not(%s, ''start'')', pg_temp.id('sealed')), 'and fresh when it is put back');

SELECT changemgmt.publish_model('booked', '{"base": "lean_standard", "books_window": true}') \g /dev/null
SELECT is((changemgmt.advance(pg_temp.draft('booked'), 'scheduled')).status, 'scheduled', 'books_window: a time is booked');
SELECT changemgmt.publish_model('small_board', '{"base": "normal", "notice_business_days": 0, "approval": {"needed": 1}}') \g /dev/null
INSERT INTO made SELECT 'small_board', pg_temp.draft('small_board');
SELECT changemgmt.plan(pg_temp.id('small_board')), changemgmt.submit(pg_temp.id('small_board')) \g /dev/null
SELECT pg_temp.acting('c1') \g /dev/null
SELECT is((changemgmt.approve(pg_temp.id('small_board'))).status, 'approved', 'needed: one vote of the board; notice_business_days: none');
SELECT pg_temp.acting('anna') \g /dev/null
SELECT changemgmt.publish_model('no_separation', '{"base": "lean_normal", "separate": []}') \g /dev/null
INSERT INTO made SELECT 'no_separation', pg_temp.draft('no_separation');
SELECT changemgmt.edit_change(pg_temp.id('no_separation'), '{"owner": "zoe"}'), changemgmt.plan(pg_temp.id('no_separation')), changemgmt.submit(pg_temp.id('no_separation')) \g /dev/null
SELECT pg_temp.acting('zoe') \g /dev/null
SELECT is((changemgmt.approve(pg_temp.id('no_separation'))).status, 'approved', 'separate: nothing is kept apart');
SELECT pg_temp.acting('anna') \g /dev/null

-- What an earlier version let be waived is refused as a waiver, and one from
-- history does not count.
COPY changemgmt.site_model (key, version, definition, published_by) FROM stdin;
waives	1	{"base": "normal", "waivable": ["quorum", "segregation", "notice"]}	who
\.
SELECT changemgmt.add_board('waiving'), changemgmt.add_person('wanda'), changemgmt.add_board_member('waiving', 'wanda', 'change_manager') \g /dev/null
SELECT pg_temp.acting('rita') \g /dev/null
SELECT pg_temp.draft('waives') AS waives \gset
SELECT pg_temp.acting('wanda') \g /dev/null
SELECT is(pg_temp.try(format('SELECT changemgmt.waive(%s, ''notice'', ''now'')', :waives)), 'done', 'what may be waived is');
SELECT is(pg_temp.try(format('SELECT changemgmt.waive(%s, %L, ''now'')', :waives, name)),
	format('MC003 requirement "%s" of %s cannot be waived', name, changemgmt.change_number(:waives)), name || ' is not')
FROM unnest('{quorum,segregation}'::text[]) AS name;
SELECT format('COPY changemgmt.change_waiver (change_id, requirement, reason, waived_by_id, waived_at) FROM PROGRAM %L',
	format('printf "%s\tquorum\told\t%s\tnow\n%s\tnotice\told\t%s\tnow\n"', :waives, changemgmt.person_id('wanda'), :waives, changemgmt.person_id('wanda'))) \gexec
SELECT pg_temp.acting('olaf') \g /dev/null
SELECT is((changemgmt.advance(:waives, 'awaiting_approval')).status, 'awaiting_approval', 'it is submitted');
SELECT matches(pg_temp.try(format('SELECT changemgmt.advance(%s, ''approved'')', :waives)), '^MC002 ', 'and not approved by a waiver of the votes');

SELECT finish();
ROLLBACK;
