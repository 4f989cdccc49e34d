--
-- Confidential changes: seen by those concerned, counted for everybody.
--
\set QUIET on
BEGIN;
SELECT no_plan();

-- Everybody below is a role of their own with the duty of a manager or viewer,
-- so that what differs is who they are to the change.
CREATE TEMP TABLE cast_member (login text PRIMARY KEY, sees boolean NOT NULL, why text NOT NULL);
INSERT INTO cast_member VALUES
	('regress_requester', true, 'asked for it'), ('regress_owner', true, 'owns it'),
	('regress_coordinator', true, 'coordinates it'), ('regress_author', true, 'wrote it'),
	('regress_member', true, 'is of its team'), ('regress_lead', true, 'leads its team'),
	('regress_assignee', true, 'has a task'), ('regress_ci_owner', true, 'owns an item of it'),
	('regress_board', true, 'sits on a board'), ('regress_on_duty', true, 'has a duty for it'),
	('regress_past_board', false, 'sat on a board'), ('regress_other_team', false, 'is of another team'),
	('regress_colleague', false, 'has nothing to do with it'), ('regress_left', false, 'wrote the ticket and has left');
DO $$
DECLARE who text;
BEGIN
	FOR who IN SELECT login FROM cast_member LOOP
		EXECUTE format('CREATE ROLE %I', who);
		PERFORM changemgmt.add_person(who);
		PERFORM changemgmt.grant_role(who, 'manager');
	END LOOP;
END $$;
CREATE ROLE regress_nobody_known;
SELECT changemgmt.grant_role('regress_nobody_known', 'viewer') \g /dev/null
CREATE ROLE regress_bypass BYPASSRLS;
SELECT changemgmt.grant_role('regress_bypass', 'viewer') \g /dev/null

SELECT changemgmt.add_team('ours', 'regress_lead', ARRAY['regress_member']),
	changemgmt.add_team('theirs', 'regress_other_team', ARRAY['regress_other_team']),
	changemgmt.add_board('cab'), changemgmt.add_board_member('cab', 'regress_board'),
	changemgmt.add_board_member('cab', 'regress_past_board', valid_from => now() - interval '2 days', valid_until => now() - interval '1 day'),
	changemgmt.add_ci('gateway', owner => 'regress_ci_owner') \g /dev/null

-- a public one beside the one that is not
SET LOCAL ROLE regress_colleague;
SELECT id AS open FROM changemgmt.create_change('Upgrade the wiki') \gset
SELECT changemgmt.add_comment(:open, 'soon') \g /dev/null
SET LOCAL ROLE regress_author;
SELECT id AS secret FROM changemgmt.create_change('Close CVE-2026-1', confidential => true, category => 'security',
	requester => 'regress_requester', owner => 'regress_owner', team => 'ours', items => '{gateway}') \gset
SELECT changemgmt.edit_change(:secret, '{"coordinator": "regress_coordinator"}') \g /dev/null
SELECT changemgmt.add_risk(:secret, 'It leaks.', 'high', 'high'), changemgmt.add_check(:secret, 'closed'), changemgmt.add_communication(:secret, 'before', 'the press', 'email', 'hush'),
	changemgmt.add_comment(:secret, 'hush'), changemgmt.add_task(:secret, 'patch', assignee => 'regress_assignee'),
	changemgmt.link_change(:secret, 'other', target_change_id => :open), changemgmt.confirm_cause('INC-7', :secret, false) \g /dev/null
SET LOCAL ROLE regress_owner;
SELECT changemgmt.assign_duty(:secret, 'other', 'Watch the logs.', 'regress_on_duty', now() + interval '1 day') \g /dev/null
SET LOCAL ROLE regress_board;
SELECT changemgmt.call_emergency_meeting('cab', 'a hole') AS meeting \gset
SELECT changemgmt.hold_meeting(:meeting, '{regress_board}') \g /dev/null
SELECT changemgmt.remove_from_agenda(:meeting, :secret), changemgmt.record_minute(:meeting, :secret, 'Patch it.') \g /dev/null
RESET ROLE;
UPDATE changemgmt.person SET is_active = false WHERE login = 'regress_left';

SELECT format($$COPY changemgmt.risk_assessment (change_id, verb, score, level, won_by, explanation, plan_revision) FROM PROGRAM 'printf "%s\tsubmit\t50\tmedium\tscore\t[]\t1\n"'$$, :secret) \gexec

-- every table with rows of changes, from the catalog
CREATE TEMP TABLE of_change AS
	SELECT c.oid::regclass::text AS relation,
		format(CASE c.relname WHEN 'change' THEN 'id' WHEN 'ledger' THEN $q$subject_kind = 'change' AND subject_id$q$
			ELSE 'change_id' END) AS key
	FROM pg_class AS c
	WHERE c.relnamespace = 'changemgmt'::regnamespace AND c.relkind = 'r'
	  AND (c.relname IN ('change', 'ledger')
		   OR EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'change_id' AND a.attnum > 0));
SELECT set_eq('SELECT relation FROM of_change', $$SELECT 'changemgmt.' || r FROM unnest(ARRAY['change', 'ledger', 'change_item',
	'change_risk', 'change_task', 'change_check', 'change_comment', 'change_link', 'change_communication', 'change_review', 'change_waiver', 'approval_vote', 'template_proposal', 'incident_cause', 'agenda_item', 'meeting_minute', 'booking', 'duty', 'risk_assessment']) AS r$$,
	'these tables tell of changes');
SELECT is_empty($$SELECT relation FROM of_change WHERE NOT (SELECT relrowsecurity FROM pg_class WHERE oid = relation::regclass)
	OR NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = relation::regclass)$$, 'each has row-level security');

-- how many rows of the change somebody sees in all of them
CREATE FUNCTION pg_temp.seen(who text, change_id bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	t record;
	n bigint;
	total bigint := 0;
BEGIN
	FOR t IN SELECT * FROM of_change LOOP
		EXECUTE format('SET LOCAL ROLE %I', who);
		EXECUTE format('SELECT count(*) FROM %s WHERE %s = $1', t.relation, t.key) INTO n USING change_id;
		RESET ROLE;
		total := total + n;
	END LOOP;
	RETURN total;
END $$;
SELECT pg_temp.seen('postgres', :secret) AS all_rows \gset
SELECT cmp_ok(:all_rows::bigint, '>', 12::bigint, 'there is something to see');

SELECT is(pg_temp.seen(login, :secret), CASE WHEN sees THEN :all_rows::bigint ELSE 0 END, format('who %s sees %s', why, CASE WHEN sees THEN 'all' ELSE 'nothing' END))
FROM cast_member ORDER BY login;
SELECT cmp_ok(pg_temp.seen(login, :open), '>=', 3::bigint, format('%s sees what is not confidential', login)) FROM cast_member ORDER BY login;
SELECT is(pg_temp.seen('regress_nobody_known', :secret), 0::bigint, 'nor does a viewer who is no person');
SELECT is(pg_temp.seen('regress_bypass', :secret), :all_rows::bigint, 'BYPASSRLS is the server''s own exception');

-- views, functions and the metrics
CREATE FUNCTION pg_temp.try(who text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', who);
	EXECUTE statement INTO answer;
	RESET ROLE;
	RETURN answer;
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate || ': ' || sqlerrm;
END $$;
SELECT is(pg_temp.try(w.login, format('SELECT count(*) FROM changemgmt.change_fact WHERE change_id = %s', :secret)), w.n::text,
	format('%s: change_fact', w.login))
FROM (VALUES ('regress_colleague', 0), ('regress_owner', 1), ('regress_nobody_known', 0)) AS w (login, n);
SELECT is(pg_temp.try(w.login, $$SELECT string_agg(title, ',' ORDER BY title) FROM changemgmt.change_fact$$), w.titles, format('%s: titles', w.login))
FROM (VALUES ('regress_colleague', 'Upgrade the wiki'), ('regress_owner', 'Close CVE-2026-1,Upgrade the wiki')) AS w (login, titles);
SELECT is(pg_temp.try('regress_colleague', $$SELECT count(*) FROM changemgmt.metrics_fact$$),
	'42501: permission denied for view metrics_fact', 'what the metrics count is for the owner');
-- a function of the reader's that is cheap and tells what it sees
CREATE FUNCTION public.regress_tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
	$$BEGIN RAISE NOTICE 'seen: %', $1; RETURN true; END$$;
GRANT EXECUTE ON FUNCTION public.regress_tell(text) TO PUBLIC;
SELECT is(pg_temp.try('regress_colleague', $$SELECT string_agg(title, ',') FROM changemgmt.change_fact WHERE public.regress_tell(title)$$),
	'Upgrade the wiki', 'a cheap function of the reader''s is shown no more');

CREATE TEMP TABLE call (statement text);
INSERT INTO call VALUES
	('SELECT changemgmt.change_state(%s)'), ('SELECT changemgmt.next_steps(%s)'), ('SELECT changemgmt.why_not(%s)'),
	('SELECT changemgmt.add_to_agenda((SELECT max(id) FROM changemgmt.board_meeting), %s)'), ('SELECT changemgmt.remove_from_agenda((SELECT max(id) FROM changemgmt.board_meeting), %s)'),
	('SELECT changemgmt.record_minute((SELECT max(id) FROM changemgmt.board_meeting), %s, ''x'')'),
	('SELECT changemgmt.approval_tally(%s)'), ('SELECT changemgmt.approval_state(%s)'), ('SELECT changemgmt.approval_waiting(%s)'), ('SELECT changemgmt.earliest_start(%s)'), ('SELECT changemgmt.plan_missing(%s)'), ('SELECT changemgmt.plan(%s)'),
	('SELECT changemgmt.edit_change(%s, ''{"title": "x"}'')'), ('SELECT changemgmt.cancel(%s, ''no'')'),
	('SELECT changemgmt.hold(%s, ''no'')'), ('SELECT changemgmt.approve(%s)'), ('SELECT changemgmt.advance(%s, ''planned'')'),
	('SELECT changemgmt.copy_change(%s)'), ('SELECT changemgmt.add_comment(%s, ''found you'')'), ('SELECT changemgmt.add_risk(%s, ''x'', ''low'', ''low'')'),
	('SELECT changemgmt.add_task(%s, ''x'')'), ('SELECT changemgmt.add_item(%s, ''gateway'')'), ('SELECT changemgmt.add_check(%s, ''x'')'),
	('SELECT changemgmt.add_communication(%s, ''before'', ''x'', ''chat'', ''x'')'), ('SELECT changemgmt.post_update(%s, ''x'')'), ('SELECT changemgmt.review_change(%s, lessons => ''x'')'), ('SELECT changemgmt.create_follow_up(%s, ''x'')'),
	('SELECT changemgmt.confirm_cause(''INC-8'', %s)'), ('SELECT changemgmt.suspect_cause(''INC-8'', %s)'), ('SELECT changemgmt.waive(%s, ''notice'', ''x'')'),
	('SELECT changemgmt.triage(%s)'), ('SELECT changemgmt.link_change(%s, ''other'', target => ''x'')');
SELECT is(pg_temp.try('regress_colleague', format(statement, :secret)), format('MC008: change %s does not exist', :secret), statement)
FROM call;
SELECT is(pg_temp.try('regress_colleague', format('SELECT changemgmt.change_header(%s)', :secret)), NULL, 'change_header says nothing');
SELECT is(pg_temp.try('regress_owner', format('SELECT title FROM changemgmt.change WHERE id = (changemgmt.change_state(%s)).id', :secret)),
	'Close CVE-2026-1', 'while its owner is answered');
SELECT is(pg_temp.try('regress_colleague', format('SELECT changemgmt.complete_task(%s)', t.id)),
	NULL, 'a task of it is as one that there is not')
FROM changemgmt.change_task AS t WHERE t.change_id = :secret;
SELECT is(pg_temp.try('regress_colleague', format('SELECT changemgmt.record_check(%s, true)', k.id)), NULL, 'nor is a check')
FROM changemgmt.change_check AS k WHERE k.change_id = :secret;
SELECT is(pg_temp.try('regress_colleague', format('SELECT changemgmt.mark_sent(%s)', m.id)), NULL, 'nor is a message')
FROM changemgmt.change_communication AS m WHERE m.change_id = :secret;
SELECT is(pg_temp.try('regress_colleague', format('SELECT changemgmt.remove_communication(%s)', m.id)), 'false', 'to be sent or taken out')
FROM changemgmt.change_communication AS m WHERE m.change_id = :secret;
SELECT is(pg_temp.try(w.login, format('SELECT count(*) FROM changemgmt.communication_plan WHERE change_id = %s', :secret)), w.n, format('%s: communication_plan', w.login))
FROM (VALUES ('regress_colleague', '0'), ('regress_owner', '1')) AS w (login, n);
SELECT is(pg_temp.try('regress_colleague', format('SELECT changemgmt.remove_risk(%s)', k.id)), 'false', 'nor a risk')
FROM changemgmt.change_risk AS k WHERE k.change_id = :secret;

-- a cursor goes on with what was hidden when it was opened
SET LOCAL ROLE regress_author;
SELECT id AS gone FROM changemgmt.create_change('Close CVE-2026-2', confidential => true) \gset
SELECT id AS public FROM changemgmt.create_change('Close CVE-2026-3', confidential => true) \gset
SET LOCAL ROLE regress_colleague;
DECLARE opened CURSOR FOR SELECT title FROM changemgmt.change;
DECLARE opened_fact CURSOR FOR SELECT title FROM changemgmt.change_fact;
RESET ROLE;
UPDATE changemgmt.change SET confidential = false WHERE id = :gone;
DELETE FROM changemgmt.change WHERE id = :gone;
UPDATE changemgmt.change SET title = 'Security update', confidential = false WHERE id = :public;
SET LOCAL ROLE regress_colleague;
SELECT results_eq('FETCH ALL FROM opened', ARRAY['Upgrade the wiki'], 'a cursor shows nothing of what was deleted or made public since');
SELECT results_eq('FETCH ALL FROM opened_fact', ARRAY['Upgrade the wiki'], 'nor does one on a view');
RESET ROLE;
-- what its parts say elsewhere
SET LOCAL ROLE regress_owner;
SELECT id AS beside FROM changemgmt.create_change('Restart the gateway') \gset
SELECT changemgmt.link_change(:beside, 'depends_on', target_change_id => :secret) \g /dev/null
RESET ROLE;
SELECT is(pg_temp.try('regress_colleague', format('SELECT count(*) FROM changemgmt.change_link WHERE change_id = %s', :beside)), '0',
	'a link to it is hidden');
SELECT is(pg_temp.try('regress_owner', format('SELECT count(*) FROM changemgmt.change_link WHERE change_id = %s', :beside)), '1', 'but to its owner');
SELECT is(pg_temp.try('regress_colleague', $$SELECT count(*) FROM changemgmt.ledger WHERE subject_kind = 'incident_cause'$$), '0',
	'what it caused is not in the ledger either');
SELECT is(pg_temp.try('regress_owner', $$SELECT count(*) FROM changemgmt.ledger WHERE subject_kind = 'incident_cause'$$), '1', 'but for its owner');
SELECT is(pg_temp.try(w.login, $$SELECT count(*) || ' ' || (SELECT count(*) FROM changemgmt.board_minutes WHERE decision IS NOT NULL)
		FROM changemgmt.ledger WHERE subject_kind IN ('agenda_item', 'meeting_minute')$$), w.answer, format('%s: agenda and minutes', w.login))
FROM (VALUES ('regress_colleague', '0 0'), ('regress_owner', '2 1')) AS w (login, answer);
-- a score is stored with what is submitted
SET LOCAL ROLE regress_author;
SELECT id AS scored FROM changemgmt.create_change_from(jsonb_build_object('model', 'lean_normal', 'title', 'Close CVE-2026-4', 'confidential', true,
	'description', 'what', 'justification', 'why', 'user_impact', 'none', 'risk_level', 'high', 'owner', 'regress_owner', 'requester', 'regress_requester',
	'rollback_trigger', 'errors', 'rollback_plan', 'back', 'rollback_minutes', 5, 'verification_plan', 'look', 'checks', '["closed"]'::jsonb,
	'items', '["gateway"]'::jsonb, 'planned_start', now() + interval '1 hour', 'planned_end', now() + interval '2 hours')) \gset
SELECT changemgmt.triage(:scored), changemgmt.plan(:scored), changemgmt.submit(:scored) \g /dev/null
RESET ROLE;
SELECT is(pg_temp.try(w.login, format($$SELECT count(*) || ' ' || (SELECT count(*) FROM changemgmt.risk_assessment WHERE change_id = %s)
		FROM changemgmt.ledger WHERE subject_kind = 'risk_assessment'$$, :scored)), w.answer, format('%s: the stored score and its chain', w.login))
FROM (VALUES ('regress_colleague', '0 0'), ('regress_owner', '1 1')) AS w (login, answer);
CREATE ROLE regress_ledger_only;
GRANT USAGE ON SCHEMA changemgmt TO regress_ledger_only;
GRANT SELECT ON changemgmt.ledger TO regress_ledger_only;
SELECT is(pg_temp.try('regress_ledger_only', $$SELECT count(*) FROM changemgmt.ledger WHERE subject_kind = 'incident_cause'$$), '0',
	'who may read the ledger alone reads it');
SELECT is(pg_temp.try('regress_ledger_only', $$SELECT count(*) FROM changemgmt.ledger WHERE subject_kind = 'risk_assessment'$$), '0',
	'also where a score was stored');
SELECT throws_ok(format('DELETE FROM changemgmt.change WHERE id = %s', :secret), 'MC006', NULL, 'it is not deleted, for its trail would be for all');
SET LOCAL ROLE regress_owner;
SELECT id AS sent FROM changemgmt.create_change('Sent', source => 'jira', source_key => 'SEC-7', confidential => true) \gset
RESET ROLE;
CREATE FUNCTION pg_temp.told(who text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', who);
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws('|', sqlstate, sqlerrm, nullif(detail, ''), hint);
END $$;
SELECT is(pg_temp.told('regress_colleague', $$SELECT changemgmt.create_change('Other', source => 'jira', source_key => 'SEC-7')$$),
	'MC009|source "jira" has already sent "SEC-7" with other content|A new change needs a key of its own.',
	'a key that was used tells no number');

-- counted for everybody
UPDATE changemgmt.change SET confidential = false WHERE id = :open;
COPY changemgmt.change (id, model, type, status, title, environment, confidential, outcome, actual_start, deployed_at, actual_end) FROM stdin;
9001	lean_normal	normal	closed	Secret one	production	t	failed	2026-02-01 10:00:00+00	2026-02-01 11:00:00+00	2026-02-01 11:00:00+00
9002	lean_normal	normal	closed	Known one	production	f	successful	2026-02-02 10:00:00+00	2026-02-02 11:00:00+00	2026-02-02 11:00:00+00
\.
SELECT is(pg_temp.try(w, $$SELECT format('%s of %s', failed, decided) FROM changemgmt.monthly_metrics WHERE month = '2026-02-01'$$),
	'1 of 2', format('%s: the month counts both', w))
FROM unnest(ARRAY['regress_colleague', 'regress_owner', 'regress_nobody_known']) AS w;
SELECT is(pg_temp.try('regress_colleague', $$SELECT string_agg(title, ',') FROM changemgmt.change_fact WHERE month = '2026-02-01'$$),
	'Known one', 'and lists one');

-- until its date, or until it is lifted
UPDATE changemgmt.change SET confidential_until = now() + interval '1 hour' WHERE id = :secret;
SELECT is(pg_temp.seen('regress_colleague', :secret), 0::bigint, 'before its date it is hidden');
UPDATE changemgmt.change SET confidential_until = now() WHERE id = :secret;
SELECT cmp_ok(pg_temp.seen('regress_colleague', :secret), '>', :all_rows::bigint, 'from its date on it is not');
SELECT is(pg_temp.try('regress_colleague', format('SELECT (changemgmt.add_comment(%s, ''well done'')) IS NOT NULL', :secret)), 'true',
	'and can be worked with');
UPDATE changemgmt.change SET confidential_until = 'infinity' WHERE id = :secret;
SELECT is(pg_temp.seen('regress_colleague', :secret), 0::bigint, 'infinity never comes');
UPDATE changemgmt.change SET confidential = false WHERE id = :secret;
SELECT cmp_ok(pg_temp.seen('regress_colleague', :secret), '>', :all_rows::bigint, 'lifted, it is for everybody');
UPDATE changemgmt.change SET confidential = true WHERE id = :secret;

-- direct statements of a role that was granted them
GRANT UPDATE, DELETE, INSERT ON changemgmt.change, changemgmt.change_comment TO regress_colleague;
CREATE FUNCTION pg_temp.count_of(who text, statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', who);
	EXECUTE statement;
	GET DIAGNOSTICS n = ROW_COUNT;
	RESET ROLE;
	RETURN n;
END $$;
SELECT is(pg_temp.count_of('regress_colleague', format('UPDATE changemgmt.change SET title = ''mine'' WHERE id = %s', :secret)), 0::bigint, 'UPDATE does not find it');
SELECT is(pg_temp.count_of('regress_colleague', 'UPDATE changemgmt.change_comment SET body = ''mine'' WHERE body = ''hush'''), 0::bigint, 'nor its parts');
SELECT is(pg_temp.count_of('regress_colleague', format('DELETE FROM changemgmt.change WHERE id = %s', :secret)), 0::bigint, 'DELETE does not');
SELECT matches(pg_temp.try('regress_colleague', format('INSERT INTO changemgmt.change_comment (change_id, body) VALUES (%s, ''x'') RETURNING id', :secret)),
	'^(MC008|42501)', 'INSERT is refused');

-- who hands it over does not lose the thread in the middle of it
SELECT is(pg_temp.try('regress_coordinator', format('SELECT (changemgmt.edit_change(%s, ''{"coordinator": "regress_owner"}'')).id', :secret)),
	:'secret', 'the coordinator names another one');
SELECT is(pg_temp.seen('regress_coordinator', :secret), 0::bigint, 'and from then on sees nothing of it');

-- who is asked by name, and who votes in the place of who is asked
CREATE ROLE regress_named;
CREATE ROLE regress_by_model;
CREATE ROLE regress_hand;
CREATE ROLE regress_second_hand;
CREATE ROLE regress_idle_hand;
SELECT changemgmt.add_person(p), changemgmt.grant_role(p, 'approver')
FROM unnest('{regress_named,regress_by_model,regress_hand,regress_second_hand,regress_idle_hand}'::text[]) AS p \g /dev/null
SELECT changemgmt.set_approval_policy('of others', '[{"rule": "one", "person": "regress_named"}]', model => 'lean_normal') \g /dev/null
SELECT is(pg_temp.seen('regress_named', :secret), 0::bigint, 'a policy for other models shows nothing');
SELECT changemgmt.set_approval_policy('of ours', '[{"rule": "one", "person": "regress_named"}]', model => 'normal') \g /dev/null
SELECT cmp_ok(pg_temp.seen('regress_named', :secret), '>=', :all_rows::bigint, 'whom a policy names sees what it asks about');
SELECT changemgmt.remove_approval_policy('of ours') \g /dev/null
SELECT is(pg_temp.seen('regress_named', :secret), 0::bigint, 'until it asks somebody else');
SELECT is(pg_temp.seen('regress_by_model', :secret), 0::bigint, 'so with whom a model names');
SELECT changemgmt.publish_model('by_name', '{"base": "lean_normal", "approval": {"levels": [{"rule": "one", "person": "regress_by_model"}]}}') \g /dev/null
SELECT is(pg_temp.try('regress_owner', format('SELECT (changemgmt.edit_change(%s, ''{"model": "by_name"}'')).id', :secret)), :'secret', 'and the change is of that model');
SELECT cmp_ok(pg_temp.seen('regress_by_model', :secret), '>=', :all_rows::bigint, 'who sees it then');
SELECT is(pg_temp.seen(who, :secret), 0::bigint, who || ' sees nothing') FROM unnest('{regress_hand,regress_second_hand,regress_idle_hand}'::text[]) AS who;
SET LOCAL ROLE regress_board;
SELECT changemgmt.delegate_approval('regress_hand', now(), now() + interval '1 day', 'cab') AS delegation \gset
SET LOCAL ROLE regress_hand;
SELECT changemgmt.delegate_approval('regress_second_hand', now(), now() + interval '1 day') \g /dev/null
SET LOCAL ROLE regress_named;
SELECT changemgmt.delegate_approval('regress_idle_hand', now(), now() + interval '1 day') \g /dev/null
RESET ROLE;
SELECT cmp_ok(pg_temp.seen('regress_hand', :secret), '>=', :all_rows::bigint, 'a delegate of the board sees it');
SELECT is(pg_temp.seen(who, :secret), 0::bigint, 'no sight is delegated by who has none: ' || who) FROM unnest('{regress_second_hand,regress_idle_hand}'::text[]) AS who;
SET LOCAL ROLE regress_board;
SELECT changemgmt.revoke_delegation(:delegation) \g /dev/null
RESET ROLE;
SELECT is(pg_temp.seen('regress_hand', :secret), 0::bigint, 'until that is revoked');

-- whoever votes in the place of who authorised an emergency confirms it, too
SET LOCAL ROLE regress_owner;
SELECT id AS night FROM changemgmt.declare_emergency('Shut the hole', 'INC-9', 'regress_requester', 'security_breach', owner => 'regress_owner') \gset
SELECT changemgmt.edit_change(:night, '{"confidential": true}') \g /dev/null
SET LOCAL ROLE regress_requester;
SELECT changemgmt.delegate_approval('regress_second_hand', now(), now() + interval '1 day') \g /dev/null
RESET ROLE;
SELECT is(pg_temp.seen('regress_colleague', :night), 0::bigint, 'a confidential emergency');
SELECT cmp_ok(pg_temp.seen('regress_second_hand', :night), '>', 1::bigint, 'is seen by who votes for its authoriser');

-- the actor counts, not the pool that they come through
CREATE ROLE regress_pool;
SELECT changemgmt.grant_role('regress_pool', 'integration') \g /dev/null
GRANT SET ON PARAMETER changemgmt.actor TO regress_pool;
SELECT is(pg_temp.seen('regress_pool', :secret), 0::bigint, 'the pool alone sees nothing');
SET LOCAL changemgmt.actor = 'regress_owner';
SELECT cmp_ok(pg_temp.seen('regress_pool', :secret), '>=', :all_rows::bigint, 'for the owner it sees all');
SET LOCAL changemgmt.actor = 'regress_colleague';
SELECT is(pg_temp.seen('regress_pool', :secret), 0::bigint, 'for a colleague nothing');
RESET changemgmt.actor;

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the ledger is whole');
SELECT * FROM finish();
ROLLBACK;
