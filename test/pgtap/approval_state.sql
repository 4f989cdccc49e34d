-- approval_state(): which votes mean the plan as it is, and what was edited
-- since the others were given. The oracle keeps the plan itself at each vote, by
-- the classes that field_class() lists, and compares two plans as sets.
\set QUIET on
BEGIN;
SELECT no_plan();

CREATE FUNCTION pg_temp.by(who text, sql text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	was text := current_setting('changemgmt.actor');
	answer text;
BEGIN
	PERFORM set_config('changemgmt.actor', who, true);
	EXECUTE sql INTO answer;
	PERFORM set_config('changemgmt.actor', was, true);
	RETURN answer;
END
$$;

SET LOCAL changemgmt.actor = 'otto';
SELECT changemgmt.add_person(p) FROM unnest('{otto,ola,ann,ben,cleo,dan,eve}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_team('dba'), changemgmt.add_team('web'), changemgmt.add_board('panel'),
	changemgmt.add_ci('db1', version => '1'), changemgmt.add_ci('db2') \g /dev/null
SELECT changemgmt.add_board_member('panel', p) FROM unnest('{ann,ben,cleo,dan,eve}'::text[]) AS p \g /dev/null
SELECT changemgmt.publish_model('five', '{"base": "normal", "notice_business_days": 0, "validations": [], "separate": [],
	"approval": {"policy": "board", "board": "panel", "needed": 5}}'),
	changemgmt.publish_model('two', '{"base": "normal", "notice_business_days": 0, "validations": [], "separate": [],
	"approval": {"policy": "board", "board": "panel", "needed": 2}}'),
	changemgmt.publish_model('timed', '{"base": "normal", "notice_business_days": 0, "validations": [], "separate": [],
	"approval": {"policy": "board", "board": "panel", "needed": 5}, "schedule_sealed": true}') \g /dev/null
CREATE FUNCTION pg_temp.awaiting(title text, model text) RETURNS bigint LANGUAGE plpgsql AS
$$
DECLARE
	c bigint;
BEGIN
	SELECT id INTO c FROM changemgmt.create_change(title, model => model, owner => 'otto', team => 'dba',
		description => 'd', justification => 'j', user_impact => 'none', risk_level => 'low', items => '{db1}',
		rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 10, verification_plan => 'v',
		planned_start => '2099-01-01 10:00+00', planned_end => '2099-01-01 12:00+00');
	PERFORM changemgmt.add_risk(c, 'fire', 'low', 'high'), changemgmt.add_task(c, 'work'), changemgmt.add_check(c, 'look'),
		changemgmt.plan(c), changemgmt.submit(c);
	RETURN c;
END
$$;

-- A vote, an edit, another vote, the way back

SELECT pg_temp.awaiting('example', 'five') AS example \gset
SELECT is_empty(format('SELECT * FROM changemgmt.approval_state(%s)', :example), 'without votes there is nothing to tell');
SELECT pg_temp.by('ann', format('SELECT changemgmt.approve(%s)', :example)),
	pg_temp.by('ben', format('SELECT changemgmt.abstain(%s, ''on leave'')', :example)) \g /dev/null
SELECT results_eq(format('SELECT kind, voter, voted_by, decision, reason, is_fresh, changed, changes FROM changemgmt.approval_state(%s)', :example),
	$$VALUES ('vote', 'ann', NULL, 'approved', NULL, true, NULL, NULL::jsonb),
		('vote', 'ben', NULL, 'abstained', 'on leave', true, NULL, NULL)$$, 'two votes for the plan as it is');
SELECT changemgmt.edit_change(:example, '{"rollback_minutes": 60}') \g /dev/null
SELECT pg_temp.by('cleo', format('SELECT changemgmt.approve(%s)', :example)) \g /dev/null
SELECT changemgmt.add_risk(:example, 'flood', 'low', 'low', 'boats') AS flood \gset
SELECT results_eq(format('SELECT voter, is_fresh, changed, changes FROM changemgmt.approval_state(%s)', :example),
	$$VALUES ('ann', false, 'rollback_minutes from 10 to 60; change_risk added ("flood", "low", "low", "boats")',
			'{"rollback_minutes": [10, 60], "change_risk": {"removed": [],
				"added": [{"description": "flood", "likelihood": "low", "impact": "low", "mitigation": "boats"}]}}'::jsonb),
		('ben', false, 'rollback_minutes from 10 to 60; change_risk added ("flood", "low", "low", "boats")',
			'{"rollback_minutes": [10, 60], "change_risk": {"removed": [],
				"added": [{"description": "flood", "likelihood": "low", "impact": "low", "mitigation": "boats"}]}}'),
		('cleo', false, 'change_risk added ("flood", "low", "low", "boats")',
			'{"change_risk": {"removed": [],
				"added": [{"description": "flood", "likelihood": "low", "impact": "low", "mitigation": "boats"}]}}')$$,
	'each vote is told what was edited since it was given');
SELECT changemgmt.remove_risk(:flood) \g /dev/null
SELECT results_eq(format('SELECT voter, is_fresh, changes FROM changemgmt.approval_state(%s)', :example),
	$$VALUES ('ann', false, '{"rollback_minutes": [10, 60]}'::jsonb), ('ben', false, '{"rollback_minutes": [10, 60]}'), ('cleo', true, NULL)$$,
	'an edit that was put back does not show');
SELECT changemgmt.edit_change(:example, '{"rollback_minutes": 10}') \g /dev/null
SELECT results_eq(format('SELECT voter, is_fresh, changed FROM changemgmt.approval_state(%s)', :example),
	$$VALUES ('ann', true, NULL), ('ben', true, NULL), ('cleo', false, 'rollback_minutes from 60 to 10')$$,
	'who voted before is fresh again, who voted between is not');
SELECT pg_temp.by('cleo', format('SELECT changemgmt.approve(%s)', :example)) \g /dev/null
SELECT results_eq(format('SELECT DISTINCT is_fresh FROM changemgmt.approval_state(%s)', :example), 'VALUES (true)', 'a vote that is given again is a new one');

-- In words

SELECT changemgmt.edit_change(:example, '{"owner": "ola", "team": "web", "test_plan": "on a copy", "affects": ["clients"]}') \g /dev/null
SELECT changemgmt.add_item(:example, 'db2', version_after => '7') \g /dev/null
SELECT is((SELECT changed FROM changemgmt.approval_state(:example) WHERE voter = 'ann'),
	'affects from nothing to ["clients"]; owner_id from otto to ola; team_id from dba to web; test_plan from nothing to "on a copy"; change_item added (db2, "changed", "7")',
	'people, teams and items have names');
SELECT changemgmt.edit_change(:example, jsonb_build_object('test_plan', repeat('ä', 500))) \g /dev/null
SELECT ok((SELECT changed LIKE '%test_plan from nothing to "ää%ä...; change_item%' AND length(changed) < 250
	AND changes #>> '{test_plan,1}' = repeat('ä', 500) FROM changemgmt.approval_state(:example) WHERE voter = 'ann'),
	'what is long is cut in words only, between characters');

-- The approval itself

SELECT pg_temp.awaiting('approved', 'two') AS approved \gset
SELECT pg_temp.by('ann', format('SELECT changemgmt.approve(%s)', :approved)),
	pg_temp.by('ben', format('SELECT changemgmt.approve(%s)', :approved)) \g /dev/null
SELECT results_eq(format($$SELECT kind, voter, decision, voted_at = approved_at, is_fresh FROM changemgmt.approval_state(%s) AS s, changemgmt.change AS c WHERE c.id = %1$s$$, :approved),
	$$VALUES ('vote', 'ann', 'approved', false, true), ('vote', 'ben', 'approved', false, true), ('approval', NULL, 'approved', true, true)$$,
	'the approval comes last');
SELECT changemgmt.edit_change(:approved, '{"description": "e"}') \g /dev/null
SELECT results_eq(format('SELECT kind, is_fresh, changes FROM changemgmt.approval_state(%s)', :approved),
	$$VALUES ('vote', false, '{"description": ["d", "e"]}'::jsonb), ('vote', false, '{"description": ["d", "e"]}'), ('approval', false, '{"description": ["d", "e"]}')$$,
	'and is stale with its votes');
SELECT changemgmt.submit(:approved) \g /dev/null
SELECT results_eq(format('SELECT kind, is_fresh, changes FROM changemgmt.approval_state(%s)', :approved),
	$$VALUES ('approval', false, '{"description": ["d", "e"]}'::jsonb)$$,
	'submitted again, there are no votes yet, and the board sees what was edited since its approval');
SELECT pg_temp.by('ann', format('SELECT changemgmt.approve(%s)', :approved)),
	pg_temp.by('ben', format('SELECT changemgmt.approve(%s)', :approved)) \g /dev/null
SELECT results_eq(format('SELECT kind, is_fresh, changes FROM changemgmt.approval_state(%s)', :approved),
	$$VALUES ('vote', true, NULL::jsonb), ('vote', true, NULL), ('approval', true, NULL)$$, 'a new approval takes its place');

-- The planned time, where the model seals it

SELECT pg_temp.awaiting('timed', 'timed') AS timed, pg_temp.awaiting('untimed', 'five') AS untimed \gset
SELECT pg_temp.by('ann', format('SELECT changemgmt.approve(%s), changemgmt.approve(%s)', :timed, :untimed)) \g /dev/null
SELECT changemgmt.edit_change(c, '{"planned_end": "2099-01-01T13:00:00Z"}') FROM unnest(ARRAY[:timed, :untimed]) AS c \g /dev/null
SELECT results_eq(format('SELECT c, s.is_fresh, s.changes FROM unnest(ARRAY[%s, %s]) AS c, changemgmt.approval_state(c) AS s', :timed, :untimed),
	format($$VALUES (%s, false, '{"planned_end": ["2099-01-01T12:00:00+00:00", "2099-01-01T13:00:00+00:00"]}'::jsonb), (%s, true, NULL)$$, :timed, :untimed),
	'the time is compared where it is sealed');

-- What a model seals, and what not

SELECT changemgmt.publish_model('sealed', '{"base": "normal", "notice_business_days": 0, "validations": [], "separate": [],
	"approval": {"policy": "board", "board": "panel", "needed": 5}, "sealed": ["attributes", "priority", "planned_start"],
	"not_sealed": ["test_plan", "change_check"]}') \g /dev/null
SELECT pg_temp.awaiting('sealed', 'sealed') AS sealed \gset
SELECT pg_temp.by('ann', format('SELECT changemgmt.approve(%s)', :sealed)) \g /dev/null
SAVEPOINT edited;
SELECT changemgmt.edit_change(:sealed, '{"test_plan": "none", "deadline": "2099-01-01", "planned_end": "2099-01-01T13:00:00Z"}'),
	changemgmt.add_check(:sealed, 'another') \g /dev/null
SELECT results_eq(format('SELECT s.is_fresh, t.approved, t.stale FROM changemgmt.approval_state(%s) AS s, changemgmt.approval_tally(%1$s) AS t', :sealed),
	'VALUES (true, 1, 0)', 'an edit of what the model does not seal leaves votes alone');
SELECT changemgmt.edit_change(:sealed, '{"test_plan": "no", "description": "e"}') \g /dev/null
SELECT results_eq(format('SELECT is_fresh, changes FROM changemgmt.approval_state(%s)', :sealed),
	$$VALUES (false, '{"description": ["d", "e"]}'::jsonb)$$, 'and does not show beside another');
ROLLBACK TO edited;
SELECT pg_temp.awaiting('another', 'sealed') AS written \gset
SELECT changemgmt.edit_change(:written, '{"attributes": {"cost": 1}}') \g /dev/null
SELECT pg_temp.by('ann', format('SELECT changemgmt.approve(%s)', :written)) \g /dev/null
SELECT changemgmt.edit_change(:written, '{"attributes": {"cost": 1.0}}') \g /dev/null
SELECT results_eq(format('SELECT is_fresh, changed FROM changemgmt.approval_state(%s)', :written),
	$$VALUES (false, 'attributes from {"cost": 1} to {"cost": 1.0}')$$, 'one is written in two ways, as the seal sees it');
SELECT changemgmt.edit_change(:written, jsonb_build_object('attributes', '{"cost": 1}'::jsonb, 'description', repeat('ä', 100) || ' ' || repeat('b', 80))) \g /dev/null
SELECT changemgmt.add_task(:written, 'copy', description => repeat('c', 100) || ' at night') AS task \gset
SELECT pg_temp.by('ann', format('SELECT changemgmt.approve(%s)', :written)) \g /dev/null
SELECT changemgmt.edit_change(:written, jsonb_build_object('description', repeat('ä', 100) || '! ' || repeat('b', 80))) \g /dev/null
UPDATE changemgmt.change_task SET description = repeat('c', 100) || ' by day' WHERE id = :task;
SELECT is((SELECT changed FROM changemgmt.approval_state(:written)),
	format('description from ...%1$s %2$s... to ...%1$s! %3$s...; change_task added ("implementation", 2, "copy", ...%4$s by day"); change_task removed ("implementation", 2, "copy", ...%4$s at night")',
		repeat('ä', 10), repeat('b', 39), repeat('b', 38), repeat('c', 19)), 'of what is long that is told which differs');
SELECT changemgmt.edit_change(:sealed, '{"attributes": {"cost": 1}, "priority": "high", "planned_start": "2099-01-01T09:00:00Z"}') \g /dev/null
SELECT results_eq(format('SELECT s.is_fresh, t.approved, t.stale, s.changes - ''planned_start'' FROM changemgmt.approval_state(%s) AS s, changemgmt.approval_tally(%1$s) AS t', :sealed),
	$$VALUES (false, 0, 1, '{"attributes": [{}, {"cost": 1}], "priority": [null, "high"]}'::jsonb)$$, 'what it seals besides makes them stale');
SELECT is((SELECT last_editor_id FROM changemgmt.change WHERE id = :sealed), changemgmt.person_id('otto'), 'by who edited it');
SELECT throws_ok(format($$SELECT changemgmt.publish_model('wrong', '{"base": "normal", %s}')$$, list), 'MC008', message, list)
FROM (VALUES
	('"sealed": ["title"]', 'definition of model "wrong": "title" of "sealed" is sealed anyway'),
	('"sealed": ["status"]', 'definition of model "wrong": "status" of "sealed" is no field of class schedule or remark'),
	('"sealed": ["nothing"]', 'definition of model "wrong": "nothing" of "sealed" is no field of class schedule or remark'),
	('"sealed": "title"', 'definition of model "wrong": "sealed" is not an array of strings'),
	('"not_sealed": ["priority"]', 'definition of model "wrong": "priority" of "not_sealed" is no field of class plan and no part of the plan'),
	('"not_sealed": ["change_comment"]', 'definition of model "wrong": "change_comment" of "not_sealed" is no field of class plan and no part of the plan'),
	('"not_sealed": ["risk_level"]', 'definition of model "wrong": "risk_level" of "not_sealed" says who has to approve, and stays sealed'),
	('"not_sealed": ["change_item"]', 'definition of model "wrong": "change_item" of "not_sealed" says who has to approve, and stays sealed')
) AS v (list, message);

-- What is told of a change, in a line.
CREATE FUNCTION pg_temp.told(c bigint) RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(format('%s %s %s %s %s', kind, coalesce(voter, '-'), is_fresh, coalesce(changed, '-'), coalesce(changes::text, '-')), ' | ')
	FROM changemgmt.approval_state(c)
$$;

-- Whatever is edited: against the oracle

-- The sealed plan by the classes of its fields: columns, and rows of parts.
CREATE FUNCTION pg_temp.plan_of(c bigint) RETURNS jsonb LANGUAGE plpgsql AS
$$
DECLARE
	result jsonb;
	part record;
	part_rows jsonb;
BEGIN
	SELECT jsonb_object_agg(k, v) INTO result FROM changemgmt.change AS x, jsonb_each(to_jsonb(x)) AS e (k, v)
	WHERE x.id = c AND EXISTS (SELECT FROM changemgmt.field_class() AS f WHERE f.relation = 'change' AND f.field = k AND f.class = 'plan');
	FOR part IN SELECT relation, array_agg(field) AS columns FROM changemgmt.field_class() AS f
		WHERE relation <> 'change' AND f.class = 'plan' GROUP BY relation LOOP
		EXECUTE format('SELECT coalesce(jsonb_agg((SELECT jsonb_object_agg(k, v) FROM jsonb_each(to_jsonb(p)) AS e (k, v)
				WHERE k = ANY ($2)
				-- what came with 1.1 is part of the plan where it says something
				AND NOT (k = ANY (''{signal,baseline,threshold,bad_when,is_rollback_trigger,owner_id,residual_likelihood,residual_impact,depends_on,is_smoke_test,checklist_key,object_system}'')
					AND v IN (''null'', ''false'', ''[]'')))), ''[]'')
			FROM changemgmt.%I AS p WHERE change_id = $1 AND %s', part.relation, CASE part.relation
			WHEN 'change_task' THEN 'NOT is_condition AND phase <> ''follow_up'''
			WHEN 'change_link' THEN 'relation = ''depends_on''' WHEN 'change_check' THEN 'is_planned' WHEN 'change_communication' THEN 'is_planned' ELSE 'true' END)
		INTO part_rows USING c, part.columns;
		result := result || jsonb_build_object(part.relation, part_rows);
	END LOOP;
	RETURN result;
END
$$;
-- Rows of one array that another lacks, counted.
CREATE FUNCTION pg_temp.less(a jsonb, b jsonb) RETURNS jsonb LANGUAGE sql AS
	$$ SELECT coalesce(jsonb_agg(r ORDER BY r), '[]') FROM (SELECT jsonb_array_elements(a) EXCEPT ALL SELECT jsonb_array_elements(b)) AS x (r) $$;
CREATE FUNCTION pg_temp.oracle(was jsonb, now jsonb) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_object_agg(k, CASE WHEN k LIKE 'change\_%' THEN
		jsonb_build_object('added', pg_temp.less(now -> k, v), 'removed', pg_temp.less(v, now -> k)) ELSE jsonb_build_array(v, now -> k) END)
	FROM jsonb_each(was) AS e (k, v)
	WHERE CASE WHEN k LIKE 'change\_%' THEN pg_temp.less(now -> k, v) <> '[]' OR pg_temp.less(v, now -> k) <> '[]' ELSE v <> now -> k END
$$;
-- the elements of added and removed in an order of the test's own
CREATE FUNCTION pg_temp.sorted(changes jsonb) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_object_agg(k, CASE WHEN k LIKE 'change\_%' THEN jsonb_build_object('added', pg_temp.less(v -> 'added', '[]'),
		'removed', pg_temp.less(v -> 'removed', '[]')) ELSE v END)
	FROM jsonb_each(changes) AS e (k, v)
$$;
CREATE TEMP TABLE edit (n int GENERATED ALWAYS AS IDENTITY, sql text);
INSERT INTO edit (sql)
SELECT format('UPDATE changemgmt.change SET %s WHERE id = %%1$s', assignment) FROM unnest(ARRAY[
	'description = ''other''', 'description = ''d''', 'title = title || ''!''', 'title = rtrim(title, ''!'')', 'rollback_minutes = 10 + (rollback_minutes + 1) %% 3',
	'owner_id = changemgmt.person_id(''ola'')', 'owner_id = changemgmt.person_id(''otto'')', 'test_plan = NULL', 'test_plan = ''t''',
	'affects = ''{clients}''', 'affects = ''{}''', 'touches_security = NOT touches_security', 'risk_level = ''high''', 'risk_level = ''low''',
	-- nothing of the plan
	'priority = ''high''', 'attributes = ''{"a": 1}''', 'planned_end = planned_end + interval ''1 minute''', 'deadline = now()', 'long_term_impact = ''x''']) AS assignment
UNION ALL SELECT unnest(ARRAY[
	'SELECT changemgmt.add_risk(%1$s, ''r'', ''low'', ''low'')', 'SELECT changemgmt.add_risk(%1$s, ''r'', ''low'', ''low'')',
	'DELETE FROM changemgmt.change_risk WHERE id = (SELECT max(id) FROM changemgmt.change_risk WHERE change_id = %1$s)',
	'UPDATE changemgmt.change_risk SET mitigation = ''m'' WHERE change_id = %1$s', 'UPDATE changemgmt.change_risk SET mitigation = NULL WHERE change_id = %1$s',
	'SELECT changemgmt.add_task(%1$s, ''t'')', 'SELECT changemgmt.add_task(%1$s, ''t'', ''follow_up'')',
	'UPDATE changemgmt.change_task SET description = md5(coalesce(description, '''')) WHERE change_id = %1$s AND NOT is_condition',
	'DELETE FROM changemgmt.change_task WHERE id = (SELECT max(id) FROM changemgmt.change_task WHERE change_id = %1$s AND NOT is_condition)',
	'UPDATE changemgmt.change_task SET phase = ''follow_up'' WHERE change_id = %1$s AND title = ''t''',
	'UPDATE changemgmt.change_task SET phase = ''implementation'' WHERE change_id = %1$s AND title = ''t''',
	'SELECT changemgmt.add_communication(%1$s, ''before'', ''u'', ''chat'', ''m'')', 'SELECT changemgmt.post_update(%1$s, ''m'')',
	'UPDATE changemgmt.change_communication SET message = message || ''m'' WHERE change_id = %1$s AND sent_at IS NULL', 'SELECT changemgmt.mark_sent(max(id)) FROM changemgmt.change_communication WHERE change_id = %1$s AND sent_at IS NULL',
	'DELETE FROM changemgmt.change_communication WHERE change_id = %1$s AND sent_at IS NULL',
	'SELECT changemgmt.add_check(%1$s, ''c'')', 'UPDATE changemgmt.change_check SET is_required = NOT is_required WHERE change_id = %1$s',
	'DELETE FROM changemgmt.change_check WHERE id = (SELECT max(id) FROM changemgmt.change_check WHERE change_id = %1$s)',
	'INSERT INTO changemgmt.change_item (change_id, ci_id) VALUES (%1$s, changemgmt.ci_id(''db2'')) ON CONFLICT DO NOTHING', 'DELETE FROM changemgmt.change_item WHERE change_id = %1$s AND ci_id = changemgmt.ci_id(''db2'')',
	'UPDATE changemgmt.change_item SET version_after = ''9'' WHERE change_id = %1$s', 'UPDATE changemgmt.change_item SET version_after = NULL WHERE change_id = %1$s',
	'INSERT INTO changemgmt.change_link (change_id, relation, target_change_id) VALUES (%1$s, ''depends_on'', %2$s) ON CONFLICT DO NOTHING',
	'SELECT changemgmt.link_change(%1$s, ''ticket'', target => clock_timestamp()::text)', 'DELETE FROM changemgmt.change_link WHERE change_id = %1$s', 'SELECT changemgmt.add_comment(%1$s, ''c'')']);
-- Votes and edits, by chance but the same each time; what differs from the oracle.
CREATE FUNCTION pg_temp.walked(c bigint, other bigint, steps int, seed float8) RETURNS TABLE (step int, what text) LANGUAGE plpgsql AS
$$
DECLARE
	voters text[] := '{ann,ben,cleo,dan}';
	given jsonb := '{}';
	who text;
	sql text;
	now_plan jsonb;
	said record;
	told int := 0;
	fresh int := 0;
BEGIN
	PERFORM setseed(seed);
	FOR s IN 1 .. steps LOOP
		IF random() < 0.25 THEN
			who := voters[1 + floor(random() * 4)::int];
			PERFORM set_config('changemgmt.actor', who, true);
			PERFORM changemgmt.abstain(c, 'vote ' || s);
			PERFORM set_config('changemgmt.actor', 'otto', true);
			given := given || jsonb_build_object(who, pg_temp.plan_of(c));
		ELSE
			SELECT e.sql INTO sql FROM edit AS e ORDER BY n OFFSET floor(random() * (SELECT count(*) FROM edit))::int LIMIT 1;
			EXECUTE format(sql, c, other);
		END IF;
		now_plan := pg_temp.plan_of(c);
		FOR said IN SELECT a.voter, a.is_fresh, a.changed, a.changes, pg_temp.oracle(given -> a.voter, now_plan) AS expected
			FROM changemgmt.approval_state(c) AS a LOOP
			told := told + (NOT said.is_fresh)::int;
			fresh := fresh + said.is_fresh::int;
			IF said.is_fresh IS DISTINCT FROM (said.expected IS NULL) OR pg_temp.sorted(said.changes) IS DISTINCT FROM pg_temp.sorted(said.expected) THEN
				step := s;
				what := format('%s: %s: %s, not %s', sql, said.voter, said.changes, said.expected);
				RETURN NEXT;
			END IF;
		END LOOP;
	END LOOP;
	IF told < steps / 2 OR fresh < steps / 4 THEN
		step := steps;
		what := format('only %s stale and %s fresh votes were looked at', told, fresh);
		RETURN NEXT;
	END IF;
END
$$;
SELECT is_empty(format('SELECT * FROM pg_temp.walked(%s, %s, 150, %s)', pg_temp.awaiting('walk ' || seed, 'five'), :example, seed),
	'150 votes and edits, seed ' || seed)
FROM unnest('{0.1,0.2,0.3,0.4}'::float8[]) AS seed;

-- What has no entry, and what is not there

SELECT is_empty('SELECT changemgmt.approval_state(NULL)', 'of nothing nothing is told');
SELECT throws_ok('SELECT changemgmt.approval_state(-1)', 'MC008', NULL, 'nor of what is not there');
COPY changemgmt.person (id, login, name) FROM stdin;
800001	old	Old Hand
\.
COPY changemgmt.change (id, model, type, status, title, approval_round, plan_revision, approved_seal, approved_plan_revision, approved_at) FROM stdin;
800001	normal	normal	approved	Old ticket	1	3	\\x0000000000000000000000000000000000000000000000000000000000000000	2	2020-01-02 03:04:05+00
\.
COPY changemgmt.approval_vote (change_id, round, person_id, decision, voted_at, plan_revision, seal) FROM stdin;
800001	1	800001	approved	2020-01-02 03:04:05+00	2	\\x0000000000000000000000000000000000000000000000000000000000000000
800001	0	800001	rejected	2020-01-01 03:04:05+00	1	\\x0000000000000000000000000000000000000000000000000000000000000000
\.
SELECT is(pg_temp.told(800001), 'vote old f it is not in the ledger, as what was imported: what was edited since is not known -'
	' | approval - f it is not in the ledger, as what was imported: what was edited since is not known -',
	'of what was imported nothing is invented');
SELECT changemgmt.edit_change(800001, '{"priority": "low"}'), changemgmt.edit_change(:example, '{"confidential": true}') \g /dev/null
SELECT is(pg_temp.told(800001), 'vote old f it is not in the ledger, as what was imported: what was edited since is not known -'
	' | approval - f it is not in the ledger, as what was imported: what was edited since is not known -',
	'nor when it has entries since');

-- Who may not see a change, and a ledger that is broken

CREATE ROLE regress_stranger;
SELECT changemgmt.grant_role('regress_stranger', 'viewer') \g /dev/null
RESET changemgmt.actor;
SET LOCAL ROLE regress_stranger;
SELECT is(changemgmt.acting_person(), 'regress_stranger', 'a stranger');
SELECT throws_ok(format('SELECT changemgmt.approval_state(%s)', :example), 'MC008', NULL, 'is told nothing of a confidential change');
SELECT lives_ok(format('SELECT changemgmt.approval_state(%s)', :approved), 'and of others as everybody');
RESET ROLE;
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT changemgmt.edit_change(:approved, '{"description": "f"}') \g /dev/null
ALTER TABLE changemgmt.ledger DISABLE TRIGGER USER;
UPDATE changemgmt.ledger SET changed = '{}' WHERE subject_id = :approved AND sequence = (SELECT max(sequence) FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = :approved);
SELECT throws_ok(format('SELECT changemgmt.approval_state(%s)', :approved), 'XX001', NULL, 'a ledger that is broken tells nothing');
SELECT * FROM finish();
ROLLBACK;
