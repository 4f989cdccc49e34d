-- rights: what duties consist of, a change's way as ordinary roles, granting and
-- revoking. Who may do what is walked in rights_matrix.sql.
\set QUIET on
\set ON_ERROR_STOP on
BEGIN;
SELECT no_plan();

CREATE ROLE regress_nobody;
CREATE ROLE regress_viewer;
CREATE ROLE regress_requester;
CREATE ROLE regress_implementer;
CREATE ROLE regress_approver;
CREATE ROLE regress_manager;
CREATE ROLE regress_integration;
CREATE ROLE regress_two_duties;

-- 'ok', or the SQLSTATE of what a role gets for a statement.
CREATE FUNCTION pg_temp.try(role text, statement text) RETURNS text
	LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	EXECUTE statement;
	RESET ROLE;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END $$;

-- The objects of the extension, and what duties give of them.
CREATE VIEW pg_temp.member AS
	SELECT 'SELECT' AS privilege, c.oid::regclass::text AS object, c.oid, false AS is_trigger
	FROM pg_class AS c
	JOIN pg_depend AS d ON (d.classid, d.objid, d.deptype) = ('pg_class'::regclass, c.oid, 'e')
	JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'changemgmt'
	WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
	UNION ALL
	SELECT 'EXECUTE', p.oid::regprocedure::text, p.oid, p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype)
	FROM pg_proc AS p
	JOIN pg_depend AS d ON (d.classid, d.objid, d.deptype) = ('pg_proc'::regclass, p.oid, 'e')
	JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'changemgmt'
	-- everybody has these
	WHERE p.proname NOT IN ('hidden_changes', 'hidden_causes', 'hidden_duties', 'hidden_items', 'hidden_assessments');
CREATE TEMP TABLE given AS
	SELECT duty, privilege,
		   CASE privilege WHEN 'SELECT' THEN object::regclass::oid
			   WHEN 'EXECUTE' THEN object::regprocedure::oid END AS oid
	FROM changemgmt.duty_rights() WHERE object !~ 'hidden_(assessments|changes|causes|duties|items)';

CREATE FUNCTION pg_temp.has(role text, privilege text, object oid) RETURNS boolean
	LANGUAGE sql AS $$
	SELECT CASE privilege WHEN 'EXECUTE' THEN has_function_privilege(role, object, privilege)
		   ELSE has_table_privilege(role, object, privilege) END
$$;

-- What ships

SELECT is_empty($$
	SELECT oid::regprocedure FROM pg_proc
	WHERE pronamespace = 'changemgmt'::regnamespace AND prosecdef
	  AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)$$,
	'every SECURITY DEFINER function has its search_path pinned');
SELECT is_empty($$
	SELECT oid::regclass FROM pg_class
	WHERE relnamespace = 'changemgmt'::regnamespace AND relkind = 'v'
	  AND relname NOT IN ('metrics_fact', 'change_fact', 'monthly_metrics', 'standard_candidate',
		'risk_calibration')
	  AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)$$,
	'every view reads with the rights of the caller, but those of the metrics, which count confidential changes for everybody');
SELECT is_empty($$
	SELECT object FROM pg_temp.member AS m
	WHERE NOT is_trigger AND NOT EXISTS (SELECT FROM given AS g WHERE g.oid = m.oid)
	EXCEPT VALUES ('changemgmt.grant_role(text,text)'), ('changemgmt.revoke_role(text,text)'), ('changemgmt.metrics_fact')$$,
	'every object is some duty''s, but for triggers, the granting of duties, and what the metrics count');
SELECT is_empty($$
	SELECT g.* FROM given AS g
	LEFT JOIN pg_temp.member AS m USING (oid, privilege)
	WHERE g.privilege <> 'USAGE' AND (m.oid IS NULL OR m.is_trigger)$$,
	'duties give SELECT and EXECUTE only, and no trigger function');

-- What each duty gives

SELECT lives_ok(format('SELECT changemgmt.grant_role(%L, %L)', 'regress_' || duty, duty),
	'granted: ' || duty)
FROM (SELECT DISTINCT duty FROM changemgmt.duty_rights()) AS duties ORDER BY duty;

SELECT is_empty(format($$
	SELECT m.object, pg_temp.has(%1$L, m.privilege, m.oid) AS has
	FROM pg_temp.member AS m
	WHERE pg_temp.has(%1$L, m.privilege, m.oid)
		  -- the policies call it for whoever reads
		  <> (m.object = 'changemgmt.hidden_changes()'
			  OR EXISTS (SELECT FROM given AS g
						 WHERE g.duty = %2$L AND (g.oid, g.privilege) = (m.oid, m.privilege)))$$,
		'regress_' || duty, duty),
	duty || ' has exactly what duty_rights() says, and what PUBLIC has')
FROM unnest(ARRAY['nobody', 'viewer', 'requester', 'implementer', 'approver', 'manager', 'integration']) AS duty;
SELECT is_empty($$
	SELECT r.rolname, m.object, p.privilege
	FROM pg_temp.member AS m, pg_roles AS r,
		 unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p(privilege)
	WHERE m.privilege = 'SELECT' AND r.rolname ~ '^regress_'
	  AND (has_table_privilege(r.oid, m.oid, p.privilege)
		   OR p.privilege IN ('INSERT', 'UPDATE', 'REFERENCES')
			  AND has_any_column_privilege(r.oid, m.oid, p.privilege))$$,
	'no duty writes a table or a view');
SELECT is_empty($$
	SELECT r.rolname, c.relname FROM pg_class AS c, pg_roles AS r
	WHERE c.relnamespace = 'changemgmt'::regnamespace AND c.relkind = 'S'
	  AND r.rolname ~ '^regress_' AND has_sequence_privilege(r.oid, c.oid, 'USAGE, SELECT, UPDATE')$$,
	'nor a sequence');
SELECT is_empty($$
	SELECT rolname FROM pg_roles
	WHERE rolname ~ '^regress_' AND has_schema_privilege(oid, 'changemgmt', 'CREATE')$$,
	'nor creates in the schema');

-- A duty that includes others
SELECT is_empty(format($$
	SELECT object, privilege FROM changemgmt.duty_rights() WHERE duty = %L
	EXCEPT SELECT object, privilege FROM changemgmt.duty_rights() WHERE duty = %L$$, small, large),
	large || ' includes ' || small)
FROM (VALUES ('viewer', 'requester'), ('requester', 'implementer'), ('implementer', 'manager'),
	('viewer', 'approver'), ('approver', 'manager'), ('implementer', 'integration')) AS v(small, large);
SELECT is((SELECT count(*) FROM changemgmt.duty_rights()
		   WHERE duty = 'integration' AND object ~ '\.(approve|reject|defer|abstain|waive)\('), 0::bigint,
	'a ticket system does not vote or waive, unless it is made an approver too');

-- Looking, in one statement

SELECT is(pg_temp.try('regress_viewer', statement), 'ok', 'a viewer can: ' || statement)
FROM unnest(ARRAY[
	'SELECT * FROM changemgmt.verify_ledger()',
	'SELECT * FROM changemgmt.duty_rights()',
	'SELECT changemgmt.setting_value(''number_prefix'')',
	'SELECT changemgmt.rate_sum(r), min(changemgmt.wilson_low(r)), count(DISTINCT r) FROM (VALUES (changemgmt.rate(1, 2))) AS v(r) WHERE r OPERATOR(changemgmt.<) changemgmt.rate(2, 2)',
	'SELECT (changemgmt.change_failure_rate(b))::numeric FROM unnest(ARRAY[true, false]) AS b']) AS statement;
-- A manager sets the site up

CREATE FUNCTION public.regress_requirement(change_id bigint) RETURNS text
	LANGUAGE sql STABLE AS 'SELECT NULL::text';
SELECT is(pg_temp.try('regress_manager', statement), 'ok', 'a manager can: ' || statement)
FROM unnest(ARRAY[
	'SELECT changemgmt.add_person(login) FROM unnest(ARRAY[''regress_requester'', ''regress_implementer'', ''regress_approver'', ''regress_manager'']) AS login',
	'SELECT changemgmt.add_team(''dba'', ''regress_approver'', ARRAY[''regress_implementer''])',
	'SELECT changemgmt.add_board(''cab'')',
	'SELECT changemgmt.add_board_member(''cab'', ''regress_approver'', ''technical_lead'')',
	'SELECT changemgmt.add_ci(''warehouse'', ''database'', 1, ''regress_approver'')',
	'SELECT changemgmt.set_ci(''warehouse'', tags => ''{pci}'')',
	'SELECT changemgmt.declare_blackout(''feast'', starts_at => ''2001-01-01'', ends_at => ''2001-01-02'')',
	'SELECT changemgmt.add_maintenance_window(''night'', ''DTSTART:20260106T020000Z DURATION:PT2H'', ci => ''warehouse'')',
	'SELECT changemgmt.remove_window(''night'')',
	'SELECT changemgmt.create_business_calendar(''works'', ''Europe/Berlin'')',
	'SELECT changemgmt.set_business_hours(''works'', ''MO-FR 09:00-17:00'')',
	'SELECT changemgmt.add_holiday(''works'', ''2026-12-25'')',
	'SELECT changemgmt.remove_holiday(''works'', ''2026-12-25'')',
	'SELECT changemgmt.import_holidays(''works'', E''BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20261225\nEND:VEVENT\nEND:VCALENDAR'')',
	'SELECT changemgmt.set_setting(''number_prefix'', ''C'')',
	'SELECT changemgmt.publish_model(''ours'', ''{"base": "lean_normal"}'')',
	'SELECT changemgmt.retire_model(''ours'')',
	'SELECT changemgmt.register_requirement(''ours'', ''public.regress_requirement(bigint)'')']) AS statement;
-- The way of a change, each step by whose duty it is

CREATE TEMP TABLE subject (id bigint);
GRANT SELECT, INSERT ON subject TO PUBLIC;
SELECT is(pg_temp.try('regress_requester', $$
	INSERT INTO pg_temp.subject
	SELECT id FROM changemgmt.create_change(title => 'subject', model => 'lean_normal',
		description => 'what', justification => 'why', user_impact => 'none',
		owner => 'regress_requester', team => 'dba', risk_level => 'low',
		rollback_trigger => 'errors', rollback_plan => 'back', rollback_minutes => 5,
		planned_start => now() + interval '1 hour', planned_end => now() + interval '2 hours')$$),
	'ok', 'a requester creates');
CREATE FUNCTION pg_temp.id() RETURNS bigint LANGUAGE sql AS 'SELECT id FROM pg_temp.subject';

SELECT is(pg_temp.try('regress_' || role, replace(statement, '$1', pg_temp.id()::text)), state,
		  format('%s: %s gives %s', role, statement, state))
FROM (VALUES
	(1, 'requester', 'SELECT changemgmt.add_item($1, ''warehouse'', version_after => ''16'')', 'ok'),
	(2, 'requester', 'SELECT changemgmt.add_risk($1, ''it breaks'', ''low'', ''high'')', 'ok'),
	(3, 'requester', 'SELECT changemgmt.add_task($1, ''the step'')', 'ok'),
	(4, 'requester', 'SELECT changemgmt.add_check($1, ''health'')', 'ok'),
	(5, 'requester', 'SELECT changemgmt.edit_change($1, ''{"rollback_minutes": 6}'')', 'ok'),
	(6, 'requester', 'SELECT changemgmt.hold($1, ''a moment'')', 'ok'),
	(7, 'requester', 'SELECT changemgmt.resume($1)', 'ok'),
	(8, 'requester', 'SELECT changemgmt.plan($1)', 'ok'),
	(9, 'requester', 'SELECT changemgmt.start($1)', '42501'),
	(10, 'requester', 'SELECT changemgmt.submit($1)', 'ok'),
	(11, 'requester', 'SELECT changemgmt.approve($1)', '42501'),
	(12, 'implementer', 'SELECT changemgmt.approve($1)', '42501'),
	(13, 'integration', 'SELECT changemgmt.approve($1)', '42501'),
	(14, 'manager', 'SELECT changemgmt.approve($1)', 'MC003'),
	(15, 'manager', 'SELECT changemgmt.waive($1, ''checklist_done'', ''no need'')', 'MC003'),
	(16, 'approver', 'SELECT changemgmt.edit_change($1, ''{"title": "mine"}'')', '42501'),
	(17, 'approver', 'SELECT changemgmt.add_comment($1, ''looks good'')', 'ok'),
	(18, 'approver', 'SELECT changemgmt.approve($1)', 'ok'),
	(19, 'approver', 'SELECT changemgmt.start($1)', '42501'),
	(20, 'approver', 'SELECT changemgmt.cancel($1, ''no'')', '42501'),
	(21, 'viewer', 'SELECT changemgmt.start($1)', '42501'),
	(22, 'implementer', 'SELECT changemgmt.start($1)', 'ok'),
	(23, 'requester', 'SELECT changemgmt.complete_task(t.id) FROM changemgmt.change_task AS t WHERE t.change_id = $1', '42501'),
	(24, 'implementer', 'SELECT changemgmt.complete_task(t.id) FROM changemgmt.change_task AS t WHERE t.change_id = $1', 'ok'),
	(25, 'implementer', 'SELECT changemgmt.complete($1)', 'ok'),
	(26, 'implementer', 'SELECT changemgmt.record_check(c.id, true) FROM changemgmt.change_check AS c WHERE c.change_id = $1', 'ok'),
	(27, 'implementer', 'SELECT changemgmt.pass($1)', 'ok'),
	(28, 'requester', 'SELECT changemgmt.close($1)', '42501'),
	(29, 'implementer', 'SELECT changemgmt.close($1)', 'ok'),
	(30, 'viewer', 'SELECT changemgmt.change_header($1)', 'ok'),
	(31, 'viewer', 'SELECT * FROM changemgmt.why_not($1)', 'ok'),
	(32, 'viewer', 'SELECT * FROM changemgmt.next_steps($1)', 'ok'),
	(33, 'implementer', 'SELECT changemgmt.declare_emergency(''down'', ''INC1'', ''regress_manager'', ''production_down'')', 'ok'),
	(34, 'requester', 'SELECT changemgmt.declare_emergency(''down'', ''INC1'', ''regress_manager'', ''production_down'')', '42501'),
	(35, 'manager', 'SELECT changemgmt.confirm_cause(''INC1'', $1)', 'ok'),
	(36, 'requester', 'SELECT changemgmt.copy_change($1)', 'ok')
	) AS v(step, role, statement, state)
ORDER BY step;
SELECT results_eq('SELECT status, outcome FROM changemgmt.change WHERE id = pg_temp.id()',
	$$VALUES ('closed', 'successful')$$, 'and it is closed');
SELECT results_eq($$
	SELECT event, actor, session_role = session_user, effective_role = actor FROM changemgmt.ledger
	WHERE subject_kind = 'change' AND subject_id = pg_temp.id() AND event <> 'parts' ORDER BY sequence$$,
	$$VALUES ('create', 'regress_requester', true, true), ('edit', 'regress_requester', true, true),
		('hold', 'regress_requester', true, true), ('resume', 'regress_requester', true, true),
		('plan', 'regress_requester', true, true), ('submit', 'regress_requester', true, true),
		('approve', 'regress_approver', true, true), ('start', 'regress_implementer', true, true),
		('complete', 'regress_implementer', true, true), ('pass', 'regress_implementer', true, true),
		('close', 'regress_implementer', true, true)$$,
	'the ledger names who took each step');

-- Who acts

SELECT is(pg_temp.try('regress_integration', 'SET LOCAL changemgmt.actor = ''regress_approver'''), '42501',
	'a duty does not let anybody act in another''s name');
GRANT SET ON PARAMETER changemgmt.actor TO regress_integration;
SELECT is(pg_temp.try('regress_integration', $$
	SET LOCAL changemgmt.actor = 'regress_requester';
	SELECT changemgmt.create_change(title => 'by ticket', source => 'tickets', source_key => 'T1')$$), 'ok',
	'who may set the parameter can');
RESET changemgmt.actor;
SELECT results_eq($$
	SELECT l.actor, l.effective_role, p.login FROM changemgmt.change AS c
	JOIN changemgmt.ledger AS l ON l.subject_kind = 'change' AND l.subject_id = c.id AND l.event = 'create'
	JOIN changemgmt.person AS p ON p.id = c.requester_id WHERE c.source_key = 'T1'$$,
	$$VALUES ('regress_requester', 'regress_integration', 'regress_requester')$$,
	'and the ledger tells both apart');

-- Inside of SECURITY DEFINER the caller acts, not the function's owner
CREATE FUNCTION pg_temp.as_owner(id bigint) RETURNS bigint LANGUAGE sql SECURITY DEFINER
	AS 'SELECT changemgmt.add_comment(id, ''wrapped'')';
SELECT is(pg_temp.try('regress_viewer', format('SELECT pg_temp.as_owner(%s)', pg_temp.id())), 'ok',
	'a SECURITY DEFINER function of the site gives its rights');
SELECT is((SELECT actor FROM changemgmt.ledger WHERE subject_id = pg_temp.id() ORDER BY sequence DESC LIMIT 1),
	'regress_viewer', 'but not its identity');

-- Taking duties away

SELECT lives_ok($$SELECT changemgmt.grant_role('regress_two_duties', 'approver'), changemgmt.grant_role('regress_two_duties', 'implementer')$$,
	'two duties');
SELECT lives_ok($$SELECT changemgmt.grant_role('regress_two_duties', 'implementer')$$, 'one of them again');
SELECT throws_ok($$SELECT changemgmt.revoke_role('regress_two_duties', 'requester')$$, 'MC008', NULL,
	'what a larger duty includes is not taken from it');
SELECT lives_ok($$SELECT changemgmt.revoke_role('regress_two_duties', 'implementer')$$, 'one taken away');
SELECT results_eq($$SELECT has_function_privilege('regress_two_duties', oid, 'EXECUTE') FROM pg_proc
		WHERE oid IN ('changemgmt.start(bigint,timestamptz,bigint)'::regprocedure, 'changemgmt.approve(bigint,text,bigint)'::regprocedure,
			'changemgmt.add_comment(bigint,text)'::regprocedure, 'changemgmt.change_number(bigint)'::regprocedure)
		ORDER BY proname$$, ARRAY[true, true, true, false],
	'the other is whole');
SELECT lives_ok($$SELECT changemgmt.revoke_role('regress_two_duties', 'approver')$$, 'the other taken away');
SELECT is_empty($$SELECT object FROM pg_temp.member WHERE pg_temp.has('regress_two_duties', privilege, oid)
		EXCEPT VALUES ('changemgmt.hidden_changes()')
		UNION ALL SELECT 'schema' WHERE has_schema_privilege('regress_two_duties', 'changemgmt', 'USAGE')$$,
	'nothing is left but what PUBLIC has');
SELECT lives_ok($$SELECT changemgmt.revoke_role('regress_two_duties', 'manager')$$, 'taking what is not there is no error');

-- Wrong input

SELECT throws_ok(statement, 'MC008', NULL, 'refused: ' || statement)
FROM unnest(ARRAY[
	$$SELECT changemgmt.grant_role('regress_no_such', 'viewer')$$,
	$$SELECT changemgmt.grant_role('public', 'viewer')$$,
	$$SELECT changemgmt.grant_role('regress_nobody', 'boss')$$,
	$$SELECT changemgmt.grant_role('regress_nobody', 'Viewer')$$,
	$$SELECT changemgmt.grant_role('regress_nobody', '')$$,
	$$SELECT changemgmt.grant_role(NULL, 'viewer')$$,
	$$SELECT changemgmt.grant_role('regress_nobody', NULL)$$,
	$$SELECT changemgmt.revoke_role('regress_nobody', 'boss')$$,
	$$SELECT changemgmt.revoke_role(current_user, 'viewer')$$]) AS statement;
CREATE ROLE "regress role; ""quoted""";
SELECT lives_ok($$SELECT changemgmt.grant_role('regress role; "quoted"', 'viewer')$$, 'a role''s name is quoted');
SELECT ok(has_table_privilege('regress role; "quoted"', 'changemgmt.change', 'SELECT'), 'and it is that role that gets it');
GRANT EXECUTE ON FUNCTION changemgmt.grant_role(text, text) TO regress_manager;
SELECT is(pg_temp.try('regress_manager', $$SELECT changemgmt.grant_role('regress_nobody', 'viewer')$$), '42501',
	'who may execute grant_role but owns nothing is refused');

SELECT * FROM finish();
ROLLBACK;
