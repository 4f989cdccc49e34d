-- Standard changes: templates that a board approves, the record that they stand
-- on, and what could become one.
--
-- Bounds of the Wilson interval are those of a published calculator (0/25: 0 to
-- 0.1332, 4/23: 0.0698 to 0.3714) and of the formula worked out with Python.
\set QUIET on
\set ON_ERROR_STOP on
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';

SELECT changemgmt.add_person(login) FROM unnest('{rita,olaf,anna,ivan,vera,zoe,c1,c2,mona,eve}'::text[]) AS login \g /dev/null
SELECT changemgmt.add_board('cab'), changemgmt.add_team('dba', 'zoe') \g /dev/null
SELECT changemgmt.add_board_member('cab', login) FROM unnest('{c1,c2}'::text[]) AS login \g /dev/null
SELECT changemgmt.add_board_member('cab', 'zoe', 'technical_lead'), changemgmt.add_board_member('cab', 'mona', 'change_manager') \g /dev/null
SELECT changemgmt.add_ci('db', version => '14'), changemgmt.add_ci('web'), changemgmt.add_ci('vault') \g /dev/null
CREATE ROLE regress_template_reader;
SELECT changemgmt.grant_role('regress_template_reader', 'viewer') \g /dev/null

CREATE FUNCTION pg_temp.act(who text) RETURNS text LANGUAGE sql AS $$SELECT set_config('changemgmt.actor', who, true)$$;
-- The code, message and hint of a refusal, or 'done'; what is done is taken back.
CREATE FUNCTION pg_temp.answer(who text, sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	m text;
	d text;
	h text;
BEGIN
	PERFORM set_config('changemgmt.actor', who, true);
	EXECUTE sql;
	RAISE SQLSTATE 'ZZ000';
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN 'done';
	WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
		RETURN concat_ws(' | ', SQLSTATE, m, nullif(d, ''), nullif(h, ''));
END $$;
CREATE FUNCTION pg_temp.code(who text, sql text) RETURNS text LANGUAGE sql AS
	$$SELECT split_part(pg_temp.answer(who, sql), ' | ', 1)$$;
CREATE FUNCTION pg_temp.message(who text, sql text) RETURNS text LANGUAGE sql AS
	$$SELECT array_to_string((string_to_array(pg_temp.answer(who, sql), ' | '))[1:2], ' ')$$;
-- Step by step, each as whose turn it is.
CREATE FUNCTION pg_temp.go(change_id bigint, steps text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	step text;
BEGIN
	FOREACH step IN ARRAY string_to_array(steps, ' ') LOOP
		PERFORM pg_temp.act(CASE WHEN step IN ('approve', 'reject') THEN 'zoe' WHEN step IN ('check', 'pass') THEN 'vera'
			WHEN step IN ('start', 'work', 'complete', 'roll_back') THEN 'ivan' ELSE 'olaf' END);
		CASE step
			WHEN 'plan' THEN PERFORM changemgmt.plan(change_id);
			WHEN 'submit' THEN PERFORM changemgmt.submit(change_id);
			WHEN 'approve' THEN PERFORM changemgmt.approve(change_id);
			WHEN 'reject' THEN PERFORM changemgmt.reject(change_id, 'no');
			WHEN 'hold' THEN PERFORM changemgmt.hold(change_id, 'wait');
			WHEN 'cancel' THEN PERFORM changemgmt.cancel(change_id, 'no');
			WHEN 'start' THEN PERFORM changemgmt.complete_task(t.id) FROM changemgmt.change_task AS t
				WHERE t.change_id = go.change_id AND t.phase = 'preparation' AND t.status = 'open';
				PERFORM changemgmt.start(change_id);
			WHEN 'work' THEN PERFORM changemgmt.complete_task(t.id) FROM changemgmt.change_task AS t
				WHERE t.change_id = go.change_id AND t.phase = 'implementation' AND t.status = 'open';
			WHEN 'complete' THEN PERFORM changemgmt.complete(change_id);
			WHEN 'check' THEN PERFORM changemgmt.record_check(k.id, true, 'seen') FROM changemgmt.change_check AS k WHERE k.change_id = go.change_id;
			WHEN 'pass' THEN PERFORM changemgmt.pass(change_id, 'seen');
			WHEN 'roll_back' THEN PERFORM changemgmt.roll_back(change_id, 'errors', 'testing');
			WHEN 'close' THEN PERFORM changemgmt.close(change_id);
		END CASE;
	END LOOP;
	RETURN (SELECT c.status FROM changemgmt.change AS c WHERE c.id = change_id);
END $$;
CREATE FUNCTION pg_temp.get(change_id bigint, field text) RETURNS text LANGUAGE sql AS $$
SELECT to_jsonb(c) ->> field FROM changemgmt.change AS c WHERE id = change_id$$;

-- ----------------------------------------------------------------
-- From a change that went well
-- ----------------------------------------------------------------

SELECT pg_temp.act('olaf') \g /dev/null
SELECT id AS proven FROM changemgmt.create_change_from('{"title": "Renew the certificate", "model": "lean_normal", "owner": "olaf",
	"requester": "rita", "team": "dba", "category": "security", "description": "A new certificate.", "justification": "The old one expires.",
	"user_impact": "None.", "affects": ["clients"], "risk_level": "low", "touches_security": true, "estimated_minutes": 15,
	"rollback_trigger": "Clients refuse it", "rollback_plan": "put the old one back", "rollback_minutes": 5, "priority": "high",
	"cost_planned": 12, "attributes": {"a": 1}, "planned_start": "2026-01-01T10:00:00Z", "planned_end": "2036-01-01T10:00:00Z",
	"items": [{"ci": "db", "version_after": "15"}, {"ci": "web", "role": "affected"}],
	"risks": [{"description": "it is refused", "likelihood": "low", "impact": "high"}],
	"tasks": [{"phase": "preparation", "title": "keep a copy"}, {"title": "install", "object_kind": "configuration", "object_name": "tls"},
		"never needed", {"phase": "follow_up", "title": "tell"}],
	"checks": [{"title": "expiry date", "kind": "synthetic", "expected": "in a year"}]}') \gset
SELECT pg_temp.act('zoe') \g /dev/null
SELECT changemgmt.add_condition(:proven, 'the vendor is reachable') AS condition \gset
SELECT is(pg_temp.go(:proven, 'plan submit approve start'), 'in_progress', 'a change is carried out');
SELECT pg_temp.act('ivan') \g /dev/null
SELECT changemgmt.skip_task(id, 'not needed') FROM changemgmt.change_task WHERE change_id = :proven AND title = 'never needed' \g /dev/null
SELECT is(pg_temp.go(:proven, 'work complete check pass close'), 'closed', 'and closed');

SELECT pg_temp.act('anna') \g /dev/null
SELECT id AS p, status AS p_status, revision FROM changemgmt.propose_template(:proven, 'renew', model => 'lean_normal', owner => 'olaf',
	planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day') \gset
SELECT is(:'p_status'::text, 'draft', 'a proposal is a draft');
SELECT is((SELECT definition FROM changemgmt.template_proposal WHERE change_id = :p), '{"base": "standard", "title": "Renew the certificate",
	"plan": {"title": "Renew the certificate", "category": "security", "environment": "production", "description": "A new certificate.",
		"justification": "The old one expires.", "user_impact": "None.", "affects": ["clients"], "risk_level": "low", "touches_security": true,
		"touches_data_integrity": false, "estimated_minutes": 15, "rollback_trigger": "Clients refuse it",
		"rollback_plan": "put the old one back", "rollback_minutes": 5,
		"items": [{"ci": "db", "role": "changed"}, {"ci": "web", "role": "affected"}],
		"risks": [{"description": "it is refused", "likelihood": "low", "impact": "high"}],
		"tasks": [{"phase": "preparation", "title": "keep a copy", "position": 1},
			{"phase": "preparation", "title": "the vendor is reachable", "position": 2},
			{"phase": "implementation", "title": "install", "position": 2, "object_kind": "configuration", "object_name": "tls"}],
		"checks": [{"title": "expiry date", "kind": "synthetic", "stage": "immediate", "expected": "in a year", "is_required": true}]}}'::jsonb,
	'its template is the plan that was carried out, without who, when, what was skipped and what followed');
SELECT results_eq(format('SELECT key, proposed_from_change_id FROM changemgmt.template_proposal WHERE change_id = %s', :p),
	format('VALUES (''renew'', %s::bigint)', :proven), 'and says where it comes from');
SELECT is((SELECT array_agg(w.requirement) FROM changemgmt.why_not(:p, 'plan') AS w), NULL::text[], 'with owner and time the draft is complete');
SELECT results_eq(format($$SELECT category, touches_security, risk_level, o.login, (SELECT array_agg(ci_id ORDER BY ci_id) FROM changemgmt.change_item WHERE change_id = c.id)
	FROM changemgmt.change AS c JOIN changemgmt.person AS o ON o.id = c.owner_id WHERE c.id = %s$$, :p),
	$$SELECT 'security', true, 'low', 'olaf', ARRAY[changemgmt.ci_id('db'), changemgmt.ci_id('web')]$$,
	'who looks at the draft sees what its template is about');
SELECT results_eq($$SELECT field, class FROM changemgmt.field_class() WHERE relation = 'template_proposal' ORDER BY field COLLATE "C"$$,
	$$VALUES ('change_id', 'engine'), ('definition', 'plan'), ('id', 'engine'), ('key', 'plan'), ('proposed_from_change_id', 'plan')$$,
	'what is proposed is plan');

SELECT is(pg_temp.message('olaf', sql), wanted, sql)
FROM (VALUES
	('SELECT changemgmt.propose_template(-1, ''x'')', 'MC008 change -1 does not exist'),
	('SELECT changemgmt.propose_template(1, NULL)', 'MC008 the key of the template is null'),
	('SELECT changemgmt.propose_template(NULL, ''x'')', 'MC008 there is no template "x" to propose a version of'),
	('SELECT changemgmt.propose_template(1, ''x'', model => ''lean_standard'')', 'MC008 under model "lean_standard" nobody votes'),
	('SELECT changemgmt.propose_template(1, ''x'', model => ''emergency'')', 'MC008 under model "emergency" nobody votes'),
	('SELECT changemgmt.propose_template(1, ''x'', base => ''nothing'')', 'MC008 definition of model "x": "base" is not a shipped model: "nothing"'),
	('SELECT changemgmt.propose_template(1, ''x'', base => NULL)', 'MC008 definition of model "x": "base" is missing: a shipped model'),
	('SELECT changemgmt.propose_template(1, ''x'', owner => ''nobody'')', 'MC008 person "nobody" does not exist'),
	('SELECT changemgmt.edit_template(1, ''{}'')', 'MC008 CHG0000001 proposes no template'),
	('SELECT changemgmt.publish_template(1)', 'MC008 CHG0000001 proposes no template'),
	('SELECT changemgmt.edit_template(2, NULL)', 'MC008 the patch is null'),
	('SELECT changemgmt.edit_template(2, ''[]'')', 'MC008 the patch is not a JSON object'),
	('SELECT changemgmt.edit_template(2, ''{"plan": null}'')', 'MC008 definition of model "renew": a template has a "plan"'),
	('SELECT changemgmt.edit_template(2, ''{"plan": {"colour": "red"}}'')', 'MC008 a change has no "colour" that can be given here'),
	('SELECT changemgmt.edit_template(2, ''{"notice": 5}'')', 'MC008 definition of model "renew": there is no key "notice"'),
	('SELECT changemgmt.edit_template(2, ''{"title": "x"}'', 99)', 'MC010 CHG0000002 has moved on: it is at revision 4, not 99'),
	('SELECT changemgmt.publish_template(2, 99)', 'MC010 CHG0000002 has moved on: it is at revision 4, not 99'),
	('SELECT changemgmt.edit_template(NULL, ''{}'')', 'MC008 the change is null'),
	('SELECT changemgmt.publish_template(NULL)', 'MC008 the change is null'),
	('UPDATE changemgmt.template_proposal SET definition = ''{"base": "normal"}''', 'MC008 definition of model "renew": a template has a "plan"'),
	('UPDATE changemgmt.template_proposal SET key = '' ''', 'MC008 key of template_proposal is empty'),
	('UPDATE changemgmt.template_proposal SET proposed_from_change_id = -1', '23503 insert or update on table "template_proposal" violates foreign key constraint "template_proposal_proposed_from_change_id_fkey"')) AS v (sql, wanted);
SELECT matches(pg_temp.code('olaf', format('SELECT changemgmt.propose_template(1, %L)', key)), '^MC008$', format('a template cannot be called "%s"', key))
FROM (VALUES (''), ('Ours'), ('1st'), ('our model'), (repeat('a', 64))) AS v (key);

-- ----------------------------------------------------------------
-- The seal
-- ----------------------------------------------------------------

-- as docs/ledger.md says it: a field is its length and its bytes
CREATE FUNCTION pg_temp.field(content text) RETURNS bytea LANGUAGE sql AS $$SELECT int4send(octet_length(convert_to(content, 'UTF8'))) || convert_to(content, 'UTF8')$$;
CREATE FUNCTION pg_temp.seal(change_id bigint, parts text[]) RETURNS bytea LANGUAGE sql AS $$
	SELECT sha256(pg_temp.field('changemgmt-seal-1')
		|| (SELECT string_agg(pg_temp.field(e.key) || pg_temp.field(e.value #>> '{}'), '' ORDER BY e.key COLLATE "C")
			FROM changemgmt.change AS c, jsonb_each(to_jsonb(c)) AS e, changemgmt.field_class() AS f
			WHERE c.id = change_id AND e.value <> 'null' AND (f.relation, f.field, f.class) = ('change', e.key, 'plan'))
		|| coalesce((SELECT string_agg(pg_temp.field(p), '' ORDER BY n) FROM unnest(parts) WITH ORDINALITY AS u (p, n)), ''))
$$;
SELECT pg_temp.act('olaf') \g /dev/null
SELECT id AS plain FROM changemgmt.create_change('No proposal', model => 'lean_normal', owner => 'olaf', description => 'd', justification => 'j',
	user_impact => 'none', risk_level => 'low', rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 5, items => '{vault}',
	verification_plan => 'v', planned_start => now(), planned_end => now() + interval '1 hour') \gset
SELECT is(pg_temp.go(:plain, 'plan submit approve'), 'approved', 'a change without a proposal is approved');
SELECT is(pg_temp.get(:plain, 'approved_seal')::bytea,
	pg_temp.seal(:plain, ARRAY['change_item', format('[%s, "changed", null, null]', changemgmt.ci_id('vault'))]),
	'its seal is what it was before there were proposals');
SELECT pg_temp.act('olaf') \g /dev/null
INSERT INTO changemgmt.template_proposal (change_id, key, definition) VALUES (:plain, 'seal', '{"plan": {}, "base": "standard"}');
SELECT is(pg_temp.message('olaf', format('SELECT changemgmt.start(%s)', :plain)),
	'MC005 ' || changemgmt.change_number(:plain) || ': start is refused: the plan was edited after it was approved', 'a proposal put in makes it stale');
SELECT is(pg_temp.go(:plain, 'submit approve'), 'approved', 'and it is approved again');
SELECT is(pg_temp.get(:plain, 'approved_seal')::bytea,
	pg_temp.seal(:plain, ARRAY['change_item', format('[%s, "changed", null, null]', changemgmt.ci_id('vault')),
		'template_proposal', '["seal", {"base": "standard", "plan": {}}, null]']), 'its seal covers key, definition and origin');
SELECT is(pg_temp.go(:plain, 'cancel'), 'cancelled', 'and no more of it');

-- ----------------------------------------------------------------
-- Propose, edit, approve, publish
-- ----------------------------------------------------------------

CREATE FUNCTION pg_temp.publish_of(change_id bigint) RETURNS text LANGUAGE sql AS
	$$SELECT pg_temp.message('ivan', format('SELECT changemgmt.publish_template(%s)', change_id))$$;
CREATE FUNCTION pg_temp.refused(change_id bigint, why text) RETURNS text LANGUAGE sql AS
	$$SELECT format('MC003 CHG%s does not approve template "renew": %s', lpad(change_id::text, 7, '0'), why)$$;
SELECT is(pg_temp.publish_of(:p), pg_temp.refused(:p, 'it is draft'), 'a draft publishes nothing');
SELECT is(pg_temp.go(:p, 'plan'), 'planned', 'it is planned');
SELECT is(pg_temp.publish_of(:p), pg_temp.refused(:p, 'it is planned'), 'nor does a plan');
SELECT is(pg_temp.go(:p, 'submit'), 'awaiting_approval', 'and submitted');
SELECT is(pg_temp.publish_of(:p), pg_temp.refused(:p, 'it is awaiting_approval'), 'nor does what waits for votes');
SELECT pg_temp.act('olaf') \g /dev/null
SELECT is((SELECT status FROM changemgmt.edit_template(:p, '{"plan": {"rollback_minutes": 10, "estimated_minutes": null}}')), 'awaiting_approval', 'the definition is edited');
SELECT results_eq(format('SELECT definition #> ''{plan,rollback_minutes}'', definition #> ''{plan}'' ? ''estimated_minutes'', definition #>> ''{plan,category}''
	FROM changemgmt.template_proposal WHERE change_id = %s', :p), $$VALUES ('10'::jsonb, false, 'security')$$, 'by a merge patch');
SELECT is(pg_temp.go(:p, 'approve'), 'approved', 'a vote approves it');
SELECT pg_temp.act('olaf') \g /dev/null
SELECT changemgmt.edit_template(:p, '{"plan": {"rollback_minutes": 60}}') \g /dev/null
SELECT is(pg_temp.publish_of(:p), pg_temp.refused(:p, 'it was edited after it was approved'), 'what was edited since is not what was approved');
SELECT pg_temp.act('olaf') \g /dev/null
SELECT changemgmt.edit_template(:p, '{"plan": {"rollback_minutes": 10}}') \g /dev/null
SELECT is(pg_temp.publish_of(:p), 'done', 'put back it is');
SELECT is((SELECT definition FROM changemgmt.site_model WHERE key = 'renew'), NULL::jsonb, 'nothing is published yet');
SELECT is(pg_temp.code('olaf', format('SELECT changemgmt.edit_change(%1$s, ''{"description": "another"}''), changemgmt.publish_template(%1$s)', :p)), 'MC003',
	'an edit of the change itself makes it stale, too');
SELECT is(pg_temp.message('olaf', format('SELECT changemgmt.hold(%1$s, ''wait''), changemgmt.publish_template(%1$s)', :p)), pg_temp.refused(:p, 'it is on hold'), 'nor what is on hold');
SELECT is(pg_temp.message('olaf', format('SELECT changemgmt.cancel(%1$s, ''no''), changemgmt.publish_template(%1$s)', :p)), pg_temp.refused(:p, 'it is cancelled'), 'nor what was cancelled');
SELECT is(pg_temp.message('olaf', format('SELECT changemgmt.revise(%1$s), changemgmt.publish_template(%1$s)', :p)), pg_temp.refused(:p, 'it is draft'), 'nor what was taken back');

-- in another's name
SELECT matches(pg_temp.message(who, format('INSERT INTO changemgmt.site_model (key, version, definition, published_by, approved_by_change_id) SELECT %s, 7, %s, ''me'', %s
	FROM changemgmt.template_proposal WHERE change_id = %s', key, definition, change, :p)), wanted, format('a row of key %s, definition %s and change %s', key, definition, change))
FROM (VALUES
	('anna', 'key', 'definition', :'p', '^done'),
	('anna', '''other''', 'definition', :'p', '^MC008 CHG0000002 proposes another template than this one'),
	('anna', 'key', 'definition || ''{"title": "x"}''', :'p', '^MC008 CHG0000002 proposes another template than this one'),
	('anna', 'key', 'definition', :'proven', '^MC008 CHG0000001 proposes no template'),
	('anna', 'key', 'definition', '-1', '^23503 '),
	('anna', '''seal''', '''{"plan": {}, "base": "standard"}''', :'plain', '^MC003 .* it is cancelled$')) AS v (who, key, definition, change, wanted);
SELECT is(pg_temp.code('anna', 'INSERT INTO changemgmt.site_model (key, version, definition, published_by, approved_by_change_id) VALUES (NULL, 7, NULL, ''me'', 2)'), '23502', 'nulls are refused as before');

-- under a model that asks nobody
SELECT pg_temp.act('olaf') \g /dev/null
SELECT id AS unasked FROM changemgmt.create_change('Nobody is asked', model => 'lean_standard', owner => 'olaf', description => 'd', justification => 'j',
	user_impact => 'none', risk_level => 'low', rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 5, items => '{vault}',
	verification_plan => 'v', planned_start => now(), planned_end => now() + interval '1 hour') \gset
INSERT INTO changemgmt.template_proposal (change_id, key, definition) VALUES (:unasked, 'renew', '{"base": "standard", "plan": {}}');
SELECT is(pg_temp.go(:unasked, 'plan submit'), 'approved', 'a change that nobody votes on is approved');
SELECT is(pg_temp.publish_of(:unasked), pg_temp.refused(:unasked, 'under model "lean_standard" nobody votes'), 'and approves no template');
SELECT is(pg_temp.go(:unasked, 'start complete pass close'), 'closed', 'nor at its end');
SELECT is(pg_temp.publish_of(:unasked), pg_temp.refused(:unasked, 'it is closed'), 'which is too late');

-- history that says it was approved, and has no vote
COPY changemgmt.change (id, title, model, type, status, requester_id, approved_seal, approved_plan_revision, plan_revision) FROM stdin;
9001	History	lean_normal	normal	approved	1	\\x0000000000000000000000000000000000000000000000000000000000000000	1	1
\.
COPY changemgmt.template_proposal (change_id, key, definition) FROM stdin;
9001	renew	{"base": "standard", "plan": {}}
\.
SELECT is(pg_temp.publish_of(9001), pg_temp.refused(9001, 'nobody voted for it'), 'what came in as approved approves no template');

-- published
SELECT pg_temp.act('ivan') \g /dev/null
SELECT is(changemgmt.publish_template(:p), 1, 'the first version');
SELECT is(changemgmt.publish_template(:p), 1, 'once');
SELECT results_eq(format('SELECT m.key, m.version, m.published_by, m.approved_by_change_id, m.definition = p.definition
	FROM changemgmt.site_model AS m, changemgmt.template_proposal AS p WHERE p.change_id = %s AND m.key = ''renew''', :p),
	format('VALUES (''renew'', 1, ''ivan'', %s::bigint, true)', :p), 'is exactly what was approved, and says by which change');
SELECT is(pg_temp.code('anna', format('UPDATE changemgmt.site_model SET approved_by_change_id = %s', v)), 'MC006', 'which stays')
FROM unnest('{"NULL",1}'::text[]) AS v;
SELECT is(pg_temp.message('olaf', format(sql, :p)), 'MC005 what CHG0000002 proposes was published as version 1, and stays', sql)
FROM unnest(ARRAY['SELECT changemgmt.edit_template(%s, ''{"title": "x"}'')', 'SELECT changemgmt.revise(%1$s), changemgmt.edit_template(%1$s, ''{"title": "x"}'')',
	'DELETE FROM changemgmt.template_proposal WHERE change_id = %s', 'UPDATE changemgmt.template_proposal SET key = ''other'' WHERE change_id = %s']) AS sql;
SELECT is(pg_temp.go(:p, 'start'), 'in_progress', 'the change goes on');
SELECT is(pg_temp.code('olaf', format('SELECT changemgmt.edit_template(%s, ''{"title": "x"}'')', :p)), 'MC005', 'its plan is frozen');
SELECT is(pg_temp.code('olaf', format('DELETE FROM changemgmt.template_proposal WHERE change_id = %s', :p)), 'MC005', 'and stays');
SELECT is(pg_temp.go(:p, 'complete check pass close'), 'closed', 'to its end');
SELECT results_eq('SELECT key, version, title, base, published_by, approved_by, retired_at, since_version, executed, failed, failure_rate, failure_rate_low,
		failure_rate_high, has_pre_approval, why_not FROM changemgmt.template',
	$$VALUES ('renew', 1, 'Renew the certificate', 'standard', 'ivan', 'CHG0000002', NULL::timestamptz, 1, 0::bigint, 0::bigint, NULL::float8, NULL::float8, NULL::float8, true, NULL)$$,
	'the view shows it, with nothing in its record');
SELECT is((SELECT changed #>> '{template_proposal,0,new,key}' FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = :p AND changed ? 'template_proposal' ORDER BY sequence LIMIT 1),
	'renew', 'the trail has the proposal');
SELECT is((SELECT d.record #>> '{template_proposal,0,definition,plan,rollback_minutes}' FROM changemgmt.what_the_board_saw(:p) AS d WHERE kind = 'vote'), '10', 'and what the board saw');

-- a vote for a plan that is no more does not count, nor does a round that is over
SELECT pg_temp.act('olaf') \g /dev/null
SELECT id AS again FROM changemgmt.propose_template(NULL, 'renew', model => 'lean_normal', owner => 'olaf', planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day') \gset
SELECT results_eq(format('SELECT p.definition = m.definition, p.proposed_from_change_id FROM changemgmt.template_proposal AS p, changemgmt.site_model AS m WHERE p.change_id = %s', :again),
	'VALUES (true, NULL::bigint)', 'the next version begins with the one there is');
SELECT is(pg_temp.go(:again, 'plan submit reject'), 'rejected', 'a board says no');
SELECT is(pg_temp.publish_of(:again), pg_temp.refused(:again, 'it is rejected'), 'and nothing is published');

-- ----------------------------------------------------------------
-- The record
-- ----------------------------------------------------------------

-- COPY takes no query, so the rows are written into the program that it reads.
CREATE FUNCTION pg_temp.copy_rows(into_table text, rows text) RETURNS text LANGUAGE sql AS $$
SELECT format('COPY %s FROM PROGRAM %L', into_table, 'cat <<"END"' || E'\n' || rows || E'\nEND')$$;
CREATE SEQUENCE pg_temp.planted MINVALUE 10000;
-- so many changes that ended, the last one minutes ago; to be executed
CREATE FUNCTION pg_temp.plant(n integer, outcome text, model text DEFAULT 'renew', version integer DEFAULT 1, minutes integer DEFAULT 1000,
	environment text DEFAULT 'production', type text DEFAULT 'standard', category text DEFAULT '\N', confidential boolean DEFAULT false,
	status text DEFAULT 'closed', ended boolean DEFAULT true) RETURNS text LANGUAGE sql AS $$
SELECT pg_temp.copy_rows('changemgmt.change (id, title, model, model_version, type, status, outcome, environment, category, confidential, requester_id, actual_start, actual_end, created_at)',
	string_agg(concat_ws(E'\t', nextval('pg_temp.planted'), 'planted', model, version, type, status, outcome, environment, category, confidential,
		changemgmt.person_id('rita'), now() - make_interval(mins => minutes + 10 + i), CASE WHEN ended THEN (now() - make_interval(mins => minutes + i))::text ELSE '\N' END,
		now() - make_interval(mins => minutes + 60 + i)), E'\n'))
FROM generate_series(1, n) AS i$$;
CREATE FUNCTION pg_temp.record(key text DEFAULT 'renew', version integer DEFAULT 1) RETURNS text LANGUAGE sql AS $$
SELECT format('%s/%s since %s, %s to %s: %s', failed, executed, since_version, round(failure_rate_low::numeric, 4), round(failure_rate_high::numeric, 4),
	CASE WHEN refusal IS NULL THEN 'pre-approved' ELSE 'lost' END) FROM changemgmt.template_record(key, version)$$;
CREATE FUNCTION pg_temp.use(key text DEFAULT 'renew') RETURNS bigint LANGUAGE sql AS $$
SELECT (changemgmt.plan((changemgmt.create_change('once more', template => key, owner => 'olaf', planned_start => now() - interval '1 hour',
	planned_end => now() + interval '1 day')).id)).id$$;
SELECT pg_temp.act('olaf'), pg_temp.use() AS u \gset
SELECT is((SELECT array_agg(requirement) FROM changemgmt.why_not(:u, 'submit')), NULL::text[], 'a template without a record is pre-approved');
SELECT is(pg_temp.code('olaf', format('SELECT changemgmt.submit(%s)', :u)), 'done', 'a change under it is submitted');

SELECT pg_temp.plant(22, 'successful') \gexec
SELECT is(pg_temp.record(), '0/22 since 1, 0.0000 to 0.1487: pre-approved', '0 of 22');
SELECT pg_temp.plant(1, 'failed') \gexec
SELECT is(pg_temp.record(), '1/23 since 1, 0.0077 to 0.2099: pre-approved', '1 of 23');
SELECT pg_temp.plant(1, 'rolled_back') \gexec
SELECT pg_temp.plant(1, 'failed') \gexec
SELECT is(pg_temp.record(), '3/25 since 1, 0.0417 to 0.2996: pre-approved', '3 of 25');
-- what is not counted
SELECT pg_temp.plant(5, 'failed', environment => 'staging') \gexec
SELECT pg_temp.plant(5, 'not_implemented', status => 'cancelled') \gexec
SELECT pg_temp.plant(5, '\N', status => 'in_progress', ended => false) \gexec
SELECT pg_temp.plant(5, '\N', status => 'verifying') \gexec
SELECT pg_temp.plant(5, 'failed', 'lean_standard', 0) \gexec
SELECT pg_temp.plant(5, 'failed', 'other') \gexec
SELECT is(pg_temp.record(), '3/25 since 1, 0.0417 to 0.2996: pre-approved', 'other environments, what was not implemented, is under way or of other models says nothing');
SELECT is(pg_temp.code('olaf', format('SELECT changemgmt.submit(%s)', :u)), 'done', 'three of 25 are not credibly more than 5 %');

-- an incident that is confirmed late
SELECT id AS victim FROM changemgmt.change WHERE model = 'renew' AND outcome = 'successful' AND environment = 'production' ORDER BY id LIMIT 1 \gset
SELECT id AS victim2 FROM changemgmt.change WHERE model = 'renew' AND outcome = 'successful' AND environment = 'production' ORDER BY id OFFSET 1 LIMIT 1 \gset
INSERT INTO changemgmt.incident_cause (incident_id, change_id) VALUES (changemgmt.incident_id('INC1'), :victim);
SELECT is(pg_temp.record(), '3/25 since 1, 0.0417 to 0.2996: pre-approved', 'a suspicion says nothing');
SELECT changemgmt.confirm_cause('INC1', :victim), changemgmt.confirm_cause('INC2', :victim) \g /dev/null
SELECT is(pg_temp.record(), '4/25 since 1, 0.0640 to 0.3465: lost', 'a confirmed incident does, once');
SELECT is(pg_temp.answer('olaf', format('SELECT changemgmt.submit(%s)', :u)),
	format('MC002 | CHG%1$s: submit is refused: %2$s | template_record: %2$s | Take it back (changemgmt.revise(%3$s)) and give it a model with an approval, or have the board approve a new version: changemgmt.propose_template(NULL, key).',
		lpad(:'u', 7, '0'), 'template "renew" has lost its pre-approval: 4 of 25 changes since version 1 failed, a rate of 0.1600, with 95 % confidence at least 0.0640; the limit is 0.05', :u),
	'and the next submission is refused, with counts, rate, bound, limit and what to do');
SELECT is(pg_temp.code('olaf', format('UPDATE changemgmt.change SET status = ''approved'' WHERE id = %s', :u)), 'MC002', 'by UPDATE, too');
SELECT is((SELECT array_agg(requirement) FROM changemgmt.why_not(:u, 'submit')), '{template_record}', 'why_not() says it before');
SELECT results_eq('SELECT executed, failed, has_pre_approval, why_not FROM changemgmt.template',
	$$VALUES (25::bigint, 4::bigint, false, 'template "renew" has lost its pre-approval: 4 of 25 changes since version 1 failed, a rate of 0.1600, with 95 % confidence at least 0.0640; the limit is 0.05')$$,
	'the view shows it');
SELECT changemgmt.confirm_cause('INC1', :victim, false) \g /dev/null
SELECT is(pg_temp.record(), '4/25 since 1, 0.0640 to 0.3465: lost', 'one of two incidents is enough');
SELECT changemgmt.confirm_cause('INC2', :victim, false) \g /dev/null
SELECT is(pg_temp.record(), '3/25 since 1, 0.0417 to 0.2996: pre-approved', 'when both are dismissed it is as before');
SELECT pg_temp.act('olaf') \g /dev/null
SELECT changemgmt.link_change(:u, 'remediates', :victim) AS remedy \gset
SELECT is(pg_temp.record(), '4/25 since 1, 0.0640 to 0.3465: lost', 'a change that had to be remediated failed');
SELECT changemgmt.link_change(:u, 'backs_out', :victim2) AS back \gset
SELECT is(pg_temp.record(), '5/25 since 1, 0.0886 to 0.3913: lost', 'and one that was backed out');
SELECT changemgmt.unlink_change(:back) \g /dev/null
-- the limit is a setting
SELECT changemgmt.set_setting('template_failure_limit', '0.065') \g /dev/null
SELECT is(pg_temp.code('olaf', format('SELECT changemgmt.submit(%s)', :u)), 'done', 'a higher limit lets it through');
SELECT changemgmt.set_setting('template_failure_limit', '0.063') \g /dev/null
SELECT is(pg_temp.code('olaf', format('SELECT changemgmt.submit(%s)', :u)), 'MC002', 'one right below the bound does not');
SELECT changemgmt.set_setting('template_failure_limit', '0.05') \g /dev/null
-- what to do
SELECT is(pg_temp.code('olaf', format('SELECT changemgmt.revise(%1$s), changemgmt.edit_change(%1$s, ''{"model": "lean_normal"}''), changemgmt.advance(%1$s, ''awaiting_approval'')', :u)),
	'done', 'under a model with an approval it goes on');
-- a version published by right carries the record on
SELECT pg_temp.act('mona') \g /dev/null
SELECT changemgmt.publish_model('renew', (SELECT definition FROM changemgmt.site_model WHERE key = 'renew' AND version = 1)) AS second \gset
SELECT is(pg_temp.record('renew', :second), '4/25 since 1, 0.0640 to 0.3465: lost', 'a version published by right does not make it forget');
SELECT is(pg_temp.code('olaf', format('SELECT changemgmt.submit(%s)', :u)), 'MC002', 'and does not bring pre-approval back');
SELECT results_eq('SELECT version, approved_by, has_pre_approval, left(why_not, 24) FROM changemgmt.template ORDER BY version',
	$$VALUES (1, 'CHG0000002', false, 'version 2 takes its plac'), (2, NULL, false, 'template "renew" has los')$$, 'the view tells which was voted on');
-- one that a board approves begins anew
SELECT pg_temp.act('olaf') \g /dev/null
SELECT id AS better FROM changemgmt.propose_template(NULL, 'renew', model => 'lean_normal', owner => 'olaf', planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day') \gset
SELECT is((SELECT status FROM changemgmt.edit_template(:better, '{"plan": {"tasks": ["install", "look twice"]}}')), 'draft', 'the next version says what was learnt');
SELECT is(pg_temp.go(:better, 'plan submit approve'), 'approved', 'the board approves it');
SELECT is(pg_temp.code('olaf', format('SELECT changemgmt.submit(%s)', :u)), 'MC002', 'that alone changes nothing');
SELECT is(changemgmt.publish_template(:better), 3, 'it is published');
SELECT is(pg_temp.record('renew', 3), '0/0 since 3,  to : pre-approved', 'and has a record of its own');
SELECT is(pg_temp.record('renew', 2), '4/25 since 1, 0.0640 to 0.3465: lost', 'that of those before stays theirs');
SELECT is((SELECT array_agg(requirement) FROM changemgmt.why_not(:u, 'submit')), NULL::text[], 'why_not() knows which version the change will have');
SELECT pg_temp.act('olaf') \g /dev/null
SELECT results_eq(format('SELECT status FROM changemgmt.submit(%s)', :u), $$VALUES ('approved')$$, 'what was refused is submitted');
SELECT is(pg_temp.get(:u, 'model_version'), '3', 'under the new version');
SELECT results_eq('SELECT version, approved_by, since_version, executed, has_pre_approval FROM changemgmt.template ORDER BY version',
	format($$VALUES (1, 'CHG0000002', 1, 25::bigint, false), (2, NULL, 1, 25, false), (3, changemgmt.change_number(%s), 3, 0, true)$$, :better), 'each version with its record');
-- late news of the old version stay with it
SELECT changemgmt.confirm_cause('INC3', :victim2) \g /dev/null
SELECT is(pg_temp.record('renew', 3), '0/0 since 3,  to : pre-approved', 'a late incident of the version before is no fault of this one');
SELECT is(pg_temp.record('renew', 1), '5/25 since 1, 0.0886 to 0.3913: lost', 'but of that one');
-- by the way of a change, not only by COPY
SELECT pg_temp.act('olaf') \g /dev/null
SELECT changemgmt.schedule(:u) \g /dev/null
SELECT is(pg_temp.go(:u, 'start roll_back'), 'rolled_back', 'the first change under it is rolled back');
SELECT is(pg_temp.record('renew', 3), '1/1 since 3, 0.2065 to 1.0000: lost', 'one of one is too many');
SELECT is((SELECT failed FROM changemgmt.template_record('renew', 3)), (SELECT count(*) FROM changemgmt.change_fact WHERE model = 'renew' AND verdict IN ('failed', 'rolled_back') AND change_id = :u),
	'as change_fact has it');
SELECT pg_temp.act('olaf'), pg_temp.use() AS n \gset
SELECT is(pg_temp.code('olaf', format('SELECT changemgmt.submit(%s)', :n)), 'MC002', 'the next is refused');
-- a retired template
SELECT changemgmt.retire_model('renew') \g /dev/null
SELECT is(pg_temp.code('olaf', format('SELECT changemgmt.submit(%s)', :n)), 'MC002', 'that it is retired makes the record no better');
SELECT results_eq('SELECT DISTINCT has_pre_approval, why_not FROM changemgmt.template', $$VALUES (false, 'it is retired')$$, 'the view says that');
-- a template whose changes are voted on has no pre-approval to lose
SELECT changemgmt.publish_model('voted', '{"base": "lean_normal", "plan": {"items": ["db"]}}') \g /dev/null
SELECT pg_temp.plant(3, 'failed', 'voted', type => 'normal') \gexec
SELECT is((SELECT why_not FROM changemgmt.template WHERE key = 'voted'), 'its changes are voted on', 'voted on');
SELECT pg_temp.act('olaf') \g /dev/null
SELECT is(pg_temp.code('olaf', 'SELECT changemgmt.advance((changemgmt.create_change_from(''{"title": "t", "template": "voted", "owner": "olaf", "description": "d",
	"justification": "j", "user_impact": "none", "risk_level": "low", "rollback_trigger": "t", "rollback_plan": "p", "rollback_minutes": 5, "verification_plan": "v",
	"planned_start": "2026-01-01 00:00+00", "planned_end": "2036-01-01 00:00+00"}'')).id, ''awaiting_approval'')'), 'done', 'and is not asked for its record');
-- of a long record the last 1000
SELECT changemgmt.publish_model('deploy', '{"base": "lean_standard", "plan": {}}') \g /dev/null
SELECT pg_temp.plant(500, 'failed', 'deploy', minutes => 5000) \gexec
SELECT is(pg_temp.record('deploy'), '500/500 since 1, 0.9924 to 1.0000: lost', 'a bad beginning');
SELECT pg_temp.plant(495, 'successful', 'deploy', minutes => 100) FROM generate_series(1, 2) \gexec
SELECT is(pg_temp.record('deploy'), '10/1000 since 1, 0.0054 to 0.0183: pre-approved', 'is forgotten after a thousand good ones');
-- known bounds
SELECT changemgmt.publish_model('bounds_' || n || '_' || f, '{"base": "lean_standard", "plan": {}}') FROM (VALUES (25, 0), (23, 4), (23, 3), (10, 2), (3, 1), (4, 1)) AS v (n, f) \g /dev/null
SELECT pg_temp.plant(f, 'failed', 'bounds_' || n || '_' || f) FROM (VALUES (23, 4), (23, 3), (10, 2), (3, 1), (4, 1)) AS v (n, f) \gexec
SELECT pg_temp.plant(n - f, 'successful', 'bounds_' || n || '_' || f) FROM (VALUES (25, 0), (23, 4), (23, 3), (10, 2), (3, 1), (4, 1)) AS v (n, f) \gexec
SELECT is(pg_temp.record(key), wanted, key) FROM (VALUES
	('bounds_25_0', '0/25 since 1, 0.0000 to 0.1332: pre-approved'), ('bounds_23_4', '4/23 since 1, 0.0698 to 0.3714: lost'),
	('bounds_23_3', '3/23 since 1, 0.0454 to 0.3213: pre-approved'), ('bounds_10_2', '2/10 since 1, 0.0567 to 0.5098: lost'),
	('bounds_3_1', '1/3 since 1, 0.0615 to 0.7923: lost'), ('bounds_4_1', '1/4 since 1, 0.0456 to 0.6994: pre-approved')) AS v (key, wanted);
SELECT results_eq($$SELECT * FROM changemgmt.template_record('nothing', 1)$$, $$VALUES (1, 0::bigint, 0::bigint, NULL::float8, NULL::float8, NULL::float8, NULL)$$, 'what does not exist has no record');

-- ----------------------------------------------------------------
-- What could become a template
-- ----------------------------------------------------------------

SELECT is_empty('SELECT FROM changemgmt.standard_candidate', 'nothing so far: templates are no candidates');
CREATE FUNCTION pg_temp.on_items(category text, items text[], role text DEFAULT 'changed') RETURNS text LANGUAGE sql AS $$
SELECT pg_temp.copy_rows('changemgmt.change_item (change_id, ci_id, role)', string_agg(concat_ws(E'\t', c.id, changemgmt.ci_id(i), role), E'\n'))
FROM changemgmt.change AS c, unnest(items) AS i WHERE c.category = on_items.category AND c.id >= 10000
	AND NOT EXISTS (SELECT FROM changemgmt.change_item AS x WHERE x.change_id = c.id AND x.ci_id = changemgmt.ci_id(i))$$;
CREATE FUNCTION pg_temp.candidates() RETURNS text LANGUAGE sql AS $$
SELECT coalesce(string_agg(format('%s: %s/%s', pattern, failed, changes), '; ' ORDER BY pattern), 'none') FROM changemgmt.standard_candidate$$;
SELECT pg_temp.plant(21, 'successful', 'normal', 0, type => 'normal', category => 'release') \gexec
SELECT pg_temp.on_items('release', '{db}') \gexec
SELECT is(pg_temp.candidates(), 'none', '0 of 21 could be 15.5 %');
SELECT pg_temp.plant(1, 'successful', 'lean_normal', 0, type => 'normal', category => 'release', minutes => 500) \gexec
SELECT pg_temp.on_items('release', '{db}') \gexec
SELECT is(pg_temp.candidates(), 'release of db in production: 0/22', '0 of 22 is 14.9 % at most, whatever the model was');
SELECT results_eq('SELECT category, environment, services, successful, round(success_rate_low::numeric, 4), success_rate, success_rate_high, failure_rate, round(failure_rate_high::numeric, 4), median_seconds,
		last_change_id, last_number FROM changemgmt.standard_candidate',
	format($$SELECT 'release', 'production', 'db', 22::bigint, 0.8513, 1::float8, 1::float8, 0::float8, 0.1487, 600::float8, max(id), changemgmt.change_number(max(id)) FROM changemgmt.change WHERE category = 'release'$$),
	'with its numbers, and the last one to propose from');
-- not these
SELECT pg_temp.plant(30, 'successful', 'normal', 0, type => 'normal', category => 'configuration', minutes => 366 * 1440) \gexec
SELECT pg_temp.on_items('configuration', '{db}') \gexec
SELECT pg_temp.plant(30, 'successful', 'major', 0, type => 'major', category => 'schema') \gexec
SELECT pg_temp.on_items('schema', '{db}') \gexec
SELECT pg_temp.plant(30, 'successful', 'normal', 0, type => 'normal', category => 'infrastructure', environment => 'staging') \gexec
SELECT pg_temp.on_items('infrastructure', '{db}') \gexec
SELECT pg_temp.plant(30, 'successful', 'voted', type => 'normal', category => 'dependency') \gexec
SELECT pg_temp.on_items('dependency', '{db}') \gexec
SELECT pg_temp.plant(30, 'successful', 'normal', 0, type => 'normal', category => 'feature_flag') \gexec
SELECT pg_temp.on_items('feature_flag', '{db}', 'affected') \gexec
SELECT pg_temp.plant(30, 'successful', 'normal', 0, type => 'normal') \gexec
SELECT is(pg_temp.candidates(), 'release of db in production: 0/22',
	'what is older than a year, major, of another environment, under a template, without a changed item or without a category is none');
-- the set of items is what counts
SELECT pg_temp.plant(33, 'successful', 'normal', 0, type => 'normal', category => 'data_migration') \gexec
SELECT pg_temp.on_items('data_migration', '{web,db}') \gexec
SELECT pg_temp.on_items('data_migration', '{vault}', 'affected') \gexec
SELECT is(pg_temp.candidates(), 'data_migration of db, web in production: 0/33; release of db in production: 0/22', 'two items are another pattern');
SELECT changemgmt.confirm_cause('INC9', max(id)) FROM changemgmt.change WHERE category = 'data_migration' \g /dev/null
SELECT is(pg_temp.candidates(), 'release of db in production: 0/22', '1 of 33 could be 15.3 %');
SELECT pg_temp.plant(1, 'successful_with_issues', 'normal', 0, type => 'normal', category => 'data_migration', minutes => 700) \gexec
SELECT pg_temp.on_items('data_migration', '{db}') \gexec
SELECT is(pg_temp.candidates(), 'release of db in production: 0/22', 'one more on one of the items does not help');
SELECT pg_temp.on_items('data_migration', '{web}') \gexec
SELECT is(pg_temp.candidates(), 'data_migration of db, web in production: 1/34; release of db in production: 0/22', '1 of 34 is 14.9 % at most');
SELECT results_eq($$SELECT successful, last_change_id FROM changemgmt.standard_candidate WHERE category = 'data_migration'$$,
	$$SELECT 32::bigint, min(id) FROM changemgmt.change WHERE category = 'data_migration'$$,
	'what went with issues is no success; the last that was one is named');
-- the settings
SELECT changemgmt.set_setting('standard_candidate_minimum', '34') \g /dev/null
SELECT is(pg_temp.candidates(), 'data_migration of db, web in production: 1/34', 'the minimum is a setting');
SELECT changemgmt.set_setting('standard_candidate_minimum', '20'), changemgmt.set_setting('standard_candidate_limit', '0.1489') \g /dev/null
SELECT is(pg_temp.candidates(), 'release of db in production: 0/22', 'and so is the limit');
SELECT changemgmt.set_setting('standard_candidate_limit', '0.15') \g /dev/null

-- confidential changes count, and do not show
SELECT pg_temp.plant(30, 'successful', 'normal', 0, type => 'normal', category => 'security', confidential => true) \gexec
SELECT pg_temp.on_items('security', '{vault}') \gexec
SELECT pg_temp.plant(5, 'successful', 'normal', 0, type => 'normal', category => 'release', minutes => 100, confidential => true) \gexec
SELECT pg_temp.on_items('release', '{db}') \gexec
SELECT is(pg_temp.candidates(), 'data_migration of db, web in production: 1/34; release of db in production: 0/27; security of vault in production: 0/30', 'the owner sees everything');
SELECT max(id) AS secret FROM changemgmt.change WHERE category = 'release' \gset
SELECT is((SELECT last_change_id FROM changemgmt.standard_candidate WHERE category = 'release'), (SELECT id FROM changemgmt.change WHERE category = 'release' ORDER BY actual_end DESC LIMIT 1), 'the last of all');
GRANT EXECUTE ON FUNCTION pg_temp.candidates() TO regress_template_reader;
SELECT pg_temp.act('') \g /dev/null
SET LOCAL ROLE regress_template_reader;
SELECT is(pg_temp.candidates(), 'data_migration of db, web in production: 1/34; release of db in production: 0/27', 'others do not see what is confidential altogether, and the counts are the same');
SELECT is((SELECT c.confidential FROM changemgmt.standard_candidate AS s LEFT JOIN changemgmt.change AS c ON c.id = s.last_change_id WHERE s.category = 'release'), false, 'nor are they told of a confidential one');
SELECT ok((SELECT count(*) > 5 FROM changemgmt.template), 'who may look sees the templates');
SELECT throws_ok('SELECT * FROM changemgmt.metrics_fact', '42501', NULL, 'but not what the metrics count');
RESET ROLE;
SELECT pg_temp.plant(1, 'failed', 'bounds_25_0', confidential => true) \gexec
SELECT pg_temp.act('') \g /dev/null
SET LOCAL ROLE regress_template_reader;
SELECT results_eq('SELECT executed, failed FROM changemgmt.template WHERE key = ''bounds_25_0''', 'VALUES (26::bigint, 1::bigint)', 'a record counts confidential changes for everybody');
RESET ROLE;
SELECT pg_temp.act('anna') \g /dev/null
SELECT id AS hidden FROM changemgmt.propose_template(:secret, 'hush', model => 'lean_normal', owner => 'olaf') \gset
SELECT is(pg_temp.get(:hidden, 'confidential'), 'true', 'a proposal from a confidential change is confidential');
SELECT pg_temp.act('') \g /dev/null
SET LOCAL ROLE regress_template_reader;
SELECT is_empty(format('SELECT FROM changemgmt.template_proposal WHERE change_id = %s', :hidden), 'and its template does not show');
RESET ROLE;
SELECT is(pg_temp.message('eve', format('SELECT changemgmt.propose_template(%s, ''leak'')', :secret)), 'done', 'a superuser sees everything');

-- with a template for it a pattern is no candidate any more
SELECT pg_temp.act('mona') \g /dev/null
SELECT changemgmt.publish_model('release_db', '{"base": "standard", "plan": {"category": "release", "environment": "production", "items": [{"ci": "db"}, {"ci": "vault", "role": "affected"}]}}'),
	changemgmt.publish_model('migrate', '{"base": "standard", "plan": {"category": "data_migration", "items": ["db"]}}') \g /dev/null
SELECT is(pg_temp.candidates(), 'data_migration of db, web in production: 1/34; security of vault in production: 0/30', 'what has a template is left out, what has another is not');
SELECT changemgmt.retire_model('release_db') \g /dev/null
SELECT is(pg_temp.candidates(), 'data_migration of db, web in production: 1/34; release of db in production: 0/27; security of vault in production: 0/30', 'when it is retired, it is back');
SELECT changemgmt.publish_model('migrate', '{"base": "standard", "plan": {"category": "data_migration", "items": [{"ci": "web", "role": "changed"}, "db"]}}') \g /dev/null
SELECT is(pg_temp.candidates(), 'release of db in production: 0/27; security of vault in production: 0/30', 'items are named in any form and order');

SELECT is_empty($$
	SELECT attrelid::regclass, attname, format_type(atttypid, atttypmod)
	FROM pg_attribute
	WHERE attrelid IN ('changemgmt.template'::regclass, 'changemgmt.standard_candidate'::regclass) AND attnum > 0
	  AND (atttypid NOT IN ('text'::regtype, 'bigint'::regtype, 'integer'::regtype, 'boolean'::regtype, 'timestamptz'::regtype, 'float8'::regtype)
		   OR coalesce(col_description(attrelid, attnum), '') = '')$$,
	'every column of both views has a plain type and a comment');
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');

SELECT * FROM finish();
ROLLBACK;
