-- The rules of the process, by their numbers in docs/process.md, as a user of
-- the product meets them.
BEGIN;
SELECT no_plan();
SET LOCAL search_path = public, changemgmt;

-- The code of a refusal with its detail, '' where nothing is refused.
CREATE FUNCTION pg_temp.refusal(actor text, sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	code text;
	message text;
	detail text;
BEGIN
	PERFORM set_config('changemgmt.actor', actor, true);
	EXECUTE sql;
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' | ', code, coalesce(nullif(detail, ''), message));
END
$$;

-- The status after a call of a verb by somebody.
CREATE FUNCTION pg_temp.does(actor text, verb text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	result text;
BEGIN
	PERFORM set_config('changemgmt.actor', actor, true);
	EXECUTE 'SELECT status FROM changemgmt.' || verb INTO result;
	RETURN result;
END
$$;

-- A complete plan, to which a change adds what it is about.
CREATE FUNCTION pg_temp.complete(of jsonb) RETURNS bigint
	LANGUAGE sql AS
$$
	SELECT id FROM changemgmt.create_change_from(
		'{"description": "What.", "justification": "Why.", "user_impact": "None.",
		"owner": "owner", "team": "web", "items": ["shop"], "risk_level": "medium",
		"rollback_trigger": "Errors", "rollback_plan": "Back.", "rollback_minutes": 5,
		"verification_plan": "Smoke test."}'
		|| jsonb_build_object('planned_start', now(), 'planned_end', now() + interval '1 hour')
		|| of)
$$;

SELECT add_person(p) FROM unnest('{asker,owner,worker,lead,manager,security,business}'::text[]) AS p \g /dev/null
SELECT add_person('chief', is_executive => true) \g /dev/null
SELECT add_person('temp', kind => 'contractor', phone => '+49 30 1234', chat => '@temp') \g /dev/null
SELECT add_team('web', lead => 'lead', members => '{owner,worker}'),
	add_team('agency', kind => 'contractor'), add_board('cab') \g /dev/null
SELECT add_board_member('cab', 'manager', 'change_manager'),
	add_board_member('cab', 'lead', 'technical_lead'),
	add_board_member('cab', 'security', 'security'),
	add_board_member('cab', 'business', 'business_representative') \g /dev/null
SELECT add_ci('shop-db', kind => 'database', version => '15', end_of_life => '2027-11-11') \g /dev/null
SELECT add_ci('shop', version => '1', depends_on => '{shop-db}') \g /dev/null

-- Requests

SELECT is(pg_temp.does('asker', $$create_change('A report', priority => 'high', team => 'agency',
	affects => '{clients,customers,business,internal_staff}', deadline => now() + interval '90 days',
	expected_benefit => 'Fewer calls', long_term_impact => 'One system less')$$), 'draft',
	'G1: anybody files a request with a title');
SELECT results_eq($$SELECT p.login, c.priority, c.description FROM change AS c
	JOIN person AS p ON p.id = c.requester_id$$,
	$$VALUES ('asker', 'high', NULL)$$, 'G1, G6: it says who asks, and how urgent it is');
SELECT results_eq($$SELECT c.affects, t.kind, c.deadline IS NOT NULL FROM change AS c
	JOIN team AS t ON t.id = c.team_id$$,
	$$VALUES ('{clients,customers,business,internal_staff}'::text[], 'contractor', true)$$,
	'G6: whom it affects, the deadline, and a team of contractors');
SELECT is(pg_temp.refusal('nobody', $$SELECT create_change('A wish')$$),
	'MC008 | "nobody" is not a person known here, so the requester must be given.',
	'G1: nobody asks as nobody');

SELECT pg_temp.does('asker', $$create_change('Later', priority => 'medium')$$),
	pg_temp.does('chief', $$create_change('What the chief wants', priority => 'medium')$$),
	pg_temp.does('asker', $$create_change('A typo', rough_estimate_hours => 0.2)$$),
	pg_temp.does('asker', $$create_change('Data is lost', priority => 'critical')$$),
	pg_temp.does('asker', $$create_change('Until Monday', deadline => now() + interval '2 days')$$) \g /dev/null
SELECT results_eq('SELECT title FROM request_queue ORDER BY place',
	$$VALUES ('Data is lost'), ('Until Monday'), ('A typo'), ('What the chief wants'), ('A report'), ('Later')$$,
	'G3: critical first, then due, quick, executive, and by priority');
SELECT matches((SELECT reason FROM request_queue WHERE title = 'What the chief wants'), '^asked for by an executive',
	'G3: with the reason for the place');
SELECT is(pg_temp.does('manager', $$triage((SELECT id FROM changemgmt.change WHERE title = 'A report'),
	owner => 'owner', team => 'web', rough_estimate_hours => 6, promised_at => now() + interval '30 days')$$), 'draft',
	'G2: a coordinator receives it, assigns it, and promises a time');
SELECT is((SELECT count(*) FROM request_queue WHERE title = 'A report'), 0::bigint, 'G2: then it is out of the queue');
SELECT is(pg_temp.refusal('nobody', $$SELECT triage(id, priority => 'low') FROM changemgmt.change WHERE title = 'Later'$$),
	'MC002 | coordinator: nobody coordinates it', 'G2: not by nobody');

-- The plan

SELECT id AS bare FROM create_change('Bare', model => 'normal', requester => 'asker') \gset
SELECT is(pg_temp.refusal('owner', format('SELECT changemgmt.plan(%s)', :bare)),
	'MC002 | plan_complete: the plan lacks owner, description, justification, affected items, user impact, '
	'risk, rollback trigger, rollback steps, rollback minutes, verification, planned time',
	'F1, F2, F5, F6, F8, G10: a plan without owner, why, items, impact, risk, way back and verification is incomplete');
SELECT is(pg_temp.refusal('owner', format($$UPDATE changemgmt.change SET status = 'planned' WHERE id = %s$$, :bare)),
	pg_temp.refusal('owner', format('SELECT changemgmt.plan(%s)', :bare)), 'F8: by UPDATE as by verb');
SELECT ok(level IN ('high', 'critical'), 'F8: and without a way back and verification its risk is high') FROM risk_explain(:bare) WHERE kind = 'level' AND factor = 'rules';
SELECT is(pg_temp.refusal('owner', format($$SELECT edit_change(%s, '{"owner": "web"}')$$, :bare)),
	'MC008 | "web" is a team; whoever is named here must be one person.', 'F1: a team is no owner');
SELECT is(pg_temp.refusal('owner', format($$SELECT add_risk(%s, 'Load', 'often', 'high')$$, :bare)),
	'MC008 | "often" is no value of likelihood', 'F4: a likelihood is low, medium or high');
SELECT lives_ok(format($$SELECT changemgmt.add_risk(%s, 'Load', 'medium', 'high', 'Watch it')$$, :bare),
	'F4: risks are rows, with their mitigation');
SELECT lives_ok(format($$SELECT changemgmt.link_change(%s, 'depends_on', 1)$$, :bare),
	'F3: a change depends on another');
SELECT lives_ok(format($$SELECT changemgmt.add_task(%s, 'Load it', object_kind => 'stored_procedure', object_name => 'orders.place')$$, :bare),
	'R4: a line of the deployment manifest');
SELECT is(pg_temp.refusal('owner', format($$SELECT add_task(%s, 'Load it', object_kind => 'thing', object_name => 'x')$$, :bare)),
	'MC008 | "thing" is no value of object_kind', 'R4: of the kinds that there are');
SELECT ok(change_header(:bare) ~ 'Type: .*\nOwner: .*\nServices: .*\nRisk: .*\nTime: .*\nRollback: ',
	'F1: the header to copy and paste');
SELECT set_eq($$SELECT code FROM code_list() WHERE list = 'category'$$,
	$$VALUES ('release'), ('configuration'), ('infrastructure'), ('feature_flag'), ('data_migration'),
	('dependency'), ('schema'), ('security'), ('other')$$, 'K4: whatever can break production is a change');
SELECT set_eq($$SELECT code FROM code_list() WHERE list = 'environment'$$,
	$$VALUES ('development'), ('test'), ('staging'), ('production')$$, 'R10: in every environment');
SELECT results_eq($$SELECT end_of_life FROM configuration_item WHERE name = 'shop-db'$$,
	$$VALUES ('2027-11-11'::date)$$, 'G7: items have an end of life');

SELECT publish_model('reorganisation', '{"base": "major", "approval": {"board": "steering", "needed": 1}}') \g /dev/null
SELECT results_eq(format($$SELECT board, needed FROM changemgmt.approval_tally(%s)$$,
		(SELECT id FROM create_change('Two data centres', model => 'reorganisation', requester => 'asker'))),
	$$VALUES ('steering', 1)$$, 'G4, G5: a steering committee signs off what its models say');
SELECT is(pg_temp.refusal('asker', $$SELECT create_change('Once', source => 'jira', source_key => 'OPS-1')$$)
		|| pg_temp.refusal('asker', $$SELECT create_change('Once', source => 'jira', source_key => 'OPS-1')$$), '',
	'S1: a message that comes twice is one change');
SELECT is(pg_temp.refusal('asker', $$SELECT create_change('Twice', source => 'jira', source_key => 'OPS-1')$$),
	format('MC009 | It is %s.', change_number((SELECT id FROM change WHERE source = 'jira'))),
	'S1: with other content it is refused');
SELECT lives_ok(format($$SELECT changemgmt.link_change(%s, 'project', target => 'Move')$$, :bare),
	'R9: a change belongs to a project');

-- Standard changes

SELECT publish_model('certificate', '{"base": "standard", "plan": {
	"description": "Renew it.", "justification": "It expires.", "user_impact": "None.", "risk_level": "low",
	"touches_security": true, "rollback_trigger": "Errors", "rollback_plan": "The old one.",
	"rollback_minutes": 2, "verification_plan": "openssl."}}') \g /dev/null
SELECT set_config('changemgmt.actor', 'owner', true) \g /dev/null
SELECT id AS std FROM create_change('Renew', template => 'certificate', owner => 'owner', items => '{shop}',
	planned_start => now(), planned_end => now() + interval '1 hour') \gset
SELECT is(pg_temp.does('owner', format($$advance(%s, 'in_progress')$$, :std)), 'in_progress',
	'K1, R8, A4: a standard change is pre-approved, and nobody reviews it');
SELECT is(pg_temp.does('owner', format($$advance(%s, 'closed', evidence => 'seen')$$, :std)), 'closed',
	'K1: three calls');
SELECT confirm_cause('INC-STD', :std) \g /dev/null
SELECT set_config('changemgmt.actor', 'owner', true) \g /dev/null
SELECT id AS std_next FROM create_change('Renew again', template => 'certificate', owner => 'owner', items => '{shop}',
	planned_start => now(), planned_end => now() + interval '1 hour') \gset
SELECT is(pg_temp.refusal('owner', format('SELECT advance(%s, ''approved'')', :std_next)),
	'MC002 | template_record: template "certificate" has lost its pre-approval: 1 of 1 changes since version 1 failed, a rate of 1.0000, with 95 % confidence at least 0.2065; the limit is 0.05',
	'R8: a template whose changes fail loses its pre-approval');
SELECT confirm_cause('INC-STD', :std, false) \g /dev/null
SELECT is(pg_temp.does('owner', format($$advance(%s, 'approved')$$, :std_next)), 'approved',
	'R8: and has it again when they did not');
SELECT is(pg_temp.refusal('owner', format('SELECT advance(%s, %L)',
		pg_temp.complete('{"title": "Secrets", "model": "lean_standard", "touches_security": true}'), 'approved')),
	'MC002 | data_approval: it touches security, and model "lean_standard" is neither an approved template nor asks for an approval',
	'K5: what touches security needs an approval, whatever its model');
SELECT is(pg_temp.refusal('owner', format('SELECT advance(%s, %L)',
		pg_temp.complete('{"title": "Data", "model": "standard", "touches_data_integrity": true}'), 'approved')),
	'MC002 | data_approval: it touches data integrity, and model "standard" is neither an approved template nor asks for an approval',
	'K5: and what touches data integrity');

SELECT set_config('changemgmt.actor', 'owner', true) \g /dev/null
SELECT id AS other FROM create_change('Renew otherwise', template => 'certificate', owner => 'owner', items => '{shop}',
	rollback_plan => 'None.', planned_start => now(), planned_end => now() + interval '1 hour') \gset
SELECT is(pg_temp.refusal('owner', format('SELECT advance(%s, %L)', :other, 'approved')),
	'MC002 | data_approval: it touches security, and is not what template "certificate" was approved for: rollback_plan',
	'K5: a template approves what it says');

-- Lean: one approver

SELECT set_config('changemgmt.actor', 'owner', true) \g /dev/null
SELECT pg_temp.complete('{"title": "Lean", "model": "lean_normal", "items": [{"ci": "shop", "version_after": "2"}],
	"tasks": [{"phase": "preparation", "title": "Backup verified"}, "Step one", "Step two"],
	"checks": [{"title": "Error rate", "kind": "slo"}, {"title": "User says so", "kind": "user_confirmation", "is_required": false}]}') AS lean \gset
SELECT is(pg_temp.does('owner', format($$advance(%s, 'awaiting_approval')$$, :lean)), 'awaiting_approval',
	'K2: lean waits for one approver');
SELECT is(pg_temp.refusal('owner', format('SELECT approve(%s)', :lean)),
	'MC003 | Model "lean_normal" asks a technical lead or an owner of the affected items.',
	'A1: not just anybody');
SELECT is(pg_temp.does('lead', format('approve(%s)', :lean)), 'approved', 'A1: one approver, without a meeting');
SELECT is(pg_temp.refusal('worker', format('SELECT start(%s)', :lean)),
	'MC002 | checklist_done: 1 preparation task is open: Backup verified',
	'X2: nothing starts before its preparation is done');
SELECT complete_task(id) FROM change_task WHERE change_id = :lean AND phase = 'preparation' \g /dev/null
SELECT is(pg_temp.does('worker', format('start(%s)', :lean)), 'in_progress', 'X3: the start is recorded');
SELECT is((SELECT p.login FROM change AS c JOIN person AS p ON p.id = c.implementer_id
	WHERE c.id = :lean AND c.actual_start IS NOT NULL), 'worker', 'X3: when, and by whom');
SELECT is(pg_temp.refusal('worker', format($$SELECT edit_change(%s, '{"description": "And more."}')$$, :lean)),
	'MC005 | description belongs to the plan.', 'X4: the scope does not change under way');
SELECT is(pg_temp.refusal('worker', format($$SELECT add_item(%s, 'shop-db')$$, :lean)),
	'MC005 | change_item belongs to the plan.', 'X4: nor by the back door');
SELECT lives_ok(format($$SELECT changemgmt.add_comment(%s, 'Users ask about the new colours.')$$, :lean),
	'G8: feedback is taken in under way');
SELECT lives_ok(format($$SELECT changemgmt.edit_change(%s, '{"realised_benefit": "Faster", "cost_actual": 120}')$$, :lean),
	'G8, G9: and benefit and cost');
SELECT is(pg_temp.refusal('worker', format('SELECT complete(%s)', :lean)),
	'MC002 | tasks_done: 2 implementation tasks are open: Step one, Step two', 'X3: the plan is followed step by step');
SELECT complete_task(id) FROM change_task WHERE change_id = :lean AND title = 'Step one' \g /dev/null
SELECT skip_task(id, 'Done before.') FROM change_task WHERE change_id = :lean AND title = 'Step two' \g /dev/null
SELECT is(pg_temp.does('worker', format('complete(%s)', :lean)), 'verifying', 'X3: then it is deployed');
SELECT matches(pg_temp.refusal('owner', format('SELECT pass(%s)', :lean)), '^MC002 \| verified: check \d+ "Error rate" was not made$',
	'X5: no verification, no success');
SELECT record_check(id, false, '7 %') FROM change_check WHERE change_id = :lean AND title = 'Error rate' \g /dev/null
SELECT matches(pg_temp.refusal('owner', format('SELECT pass(%s)', :lean)), '^MC002 \| verified: check \d+ "Error rate" failed$',
	'X5, X7: nor with a check that failed');
SELECT results_eq('SELECT number FROM unverified_change', format('VALUES (%L)', change_number(:lean)), 'X5, S3: it stands, by its number, among what lacks evidence');
SELECT matches(pg_temp.refusal('owner', format($$SELECT pass(%s, issues => 'It is fine.')$$, :lean)), '"Error rate" failed$',
	'X5: in lean not even with issues');
SELECT is(pg_temp.refusal('owner', format('SELECT roll_back(%s)', :lean)),
	E'MC002 | reason: roll_back needs a reason\ncause_class: the class of the cause is not given',
	'X7, M2: why it was rolled back is written down');
SELECT is(pg_temp.does('owner', format($$roll_back(%s, 'Errors', 'testing')$$, :lean)), 'rolled_back', 'X7: it is rolled back');
SELECT is(pg_temp.refusal('owner', format('SELECT close(%s)', :lean)),
	'MC002 | stability_confirmed: nobody has confirmed that the service is stable',
	'X8: not closed before stability is confirmed');
SELECT confirm_stability(:lean) \g /dev/null
SELECT is(pg_temp.does('owner', format('close(%s)', :lean)), 'closed', 'X8: then it is');
SELECT results_eq(format('SELECT outcome FROM changemgmt.change WHERE id = %s', :lean),
	$$VALUES ('rolled_back')$$, 'X8: with its outcome');
SELECT lives_ok(format($$SELECT changemgmt.add_task(%s, 'Test it with real data', 'follow_up')$$, :lean),
	'X8: what was learned becomes a follow-up');
SELECT is(pg_temp.refusal('worker', format($$SELECT complete_task(id) FROM change_task WHERE change_id = %s AND phase = 'follow_up'$$, :lean)), '',
	'R7: which is done after the end, as what operations take over');

SELECT results_eq(format('SELECT cause_class, reason FROM rollback WHERE change_id = %s', :lean), $$VALUES ('testing', 'Errors')$$,
	'X7: and stands with cause and reason');

SELECT pg_temp.complete('{"title": "Watched", "model": "lean_standard", "items": ["shop"], "checks": ["Orders come",
	{"title": "Errors, %", "signal": "errors", "threshold": 5, "baseline": 0.1, "is_rollback_trigger": true}]}') AS watched \gset
SELECT pg_temp.does('worker', format($$advance(%s, 'verifying')$$, :watched)) \g /dev/null
SELECT results_eq(format('SELECT title, stage, due_at FROM verification WHERE change_id = %s ORDER BY title', :watched),
	format($$SELECT t, 'immediate', deployed_at FROM change, unnest('{"Errors, %%",Orders come}'::text[]) AS t WHERE id = %s ORDER BY t$$, :watched),
	'R6, X5, X6: what is due, and when');
SELECT record_check(id, true) FROM change_check WHERE change_id = :watched AND title = 'Orders come' \g /dev/null
SELECT is(record_signal(:watched, 'errors', 7.2), 1, 'X5: monitoring says what it sees');
SELECT is(record_signal(:watched, 'errors', 0.1), 1, 'X5: and says it again when it is good');
SELECT matches(pg_temp.refusal('owner', format('SELECT pass(%s)', :watched)), '^MC002 \| rollback_trigger_clear: check \d+ "Errors, %" tripped the rollback at',
	'F5, X7: an error rate above 5 % asks for a rollback, whatever comes after');
SELECT is(pg_temp.does('worker', format($$roll_back(%s, 'Errors of 7.2 %%', 'environment')$$, :watched)), 'rolled_back', 'X7: which is done');
SELECT matches(pg_temp.refusal('worker', format($$SELECT record_signal(%s, 'errors', 0.1)$$, :watched)), '^MC001 \| there is nothing to verify any more',
	'X7: after it nothing of the change is verified');

SELECT pg_temp.complete('{"title": "Passes", "model": "lean_normal", "items": [{"ci": "shop", "version_after": "2"}]}') AS good \gset
SELECT pg_temp.does('owner', format($$advance(%s, 'awaiting_approval')$$, :good)), pg_temp.does('lead', format('approve(%s)', :good)),
	pg_temp.does('owner', format($$advance(%s, 'implemented', evidence => 'seen')$$, :good)) \g /dev/null
SELECT results_eq($$SELECT version, version_change_id FROM configuration_item WHERE name = 'shop'$$,
	format($$VALUES ('2', %s::bigint)$$, :good), 'R10, S2: what was changed stands in the inventory, with its change');

-- A checklist, steps in order, and what succeeded before

SELECT publish_model('careful', '{"base": "lean_standard", "proven_in": ["test"], "requires": {"start": ["manifest_reviewed"]},
	"checklist": ["backup_verified", "rollback_tested", "stakeholders_notified", "alerts_configured", "on_call_available",
		{"key": "smoke", "title": "Smoke test", "phase": "implementation", "is_smoke_test": true}]}') \g /dev/null
SELECT set_config('changemgmt.actor', 'owner', true) \g /dev/null
SELECT pg_temp.complete('{"title": "Careful", "model": "careful", "environment": "staging", "tasks": [{"title": "Load it", "object_kind": "stored_procedure",
	"object_name": "place", "object_system": "shop-db"}]}') AS careful \gset
SELECT pg_temp.complete('{"title": "Careful, in test", "model": "lean_standard", "environment": "test"}') AS tested \gset
SELECT pg_temp.does('owner', format($$advance(%s, 'approved')$$, :careful)) \g /dev/null
SELECT link_change(:careful, 'promoted_from', :tested) \g /dev/null
SELECT is(pg_temp.refusal('worker', format('SELECT start(%s)', :careful)),
	E'MC002 | checklist_done: 5 preparation tasks are open: Backup taken and verified, Way back tested, Stakeholders told, '
	'Monitoring and alerts configured, On-call available\n'
	'manifest_reviewed: 1 line of the manifest is not reviewed: shop-db/place\n'
	'proven_before: not proven in test: ' || change_number(:tested) || ' is draft',
	'X2, R1, R4: nothing starts before backup, way back, stakeholders, alerts and on-call, a review, and a success in test');
SELECT is(pg_temp.refusal('owner', format('SELECT remove_task(id) FROM change_task WHERE change_id = %s AND checklist_key = ''backup_verified''', :careful)),
	'MC005 | task "Backup taken and verified" is not removed: the checklist of model "careful" asks for it', 'X2: nobody takes an entry out');
SELECT pg_temp.does('owner', format($$advance(%s, 'implemented', evidence => 'seen')$$, :tested)) \g /dev/null
SELECT complete_task(id) FROM change_task WHERE change_id = :careful AND phase = 'preparation' \g /dev/null
SELECT review_object(id) FROM change_task WHERE change_id = :careful AND object_kind IS NOT NULL \g /dev/null
SELECT is(pg_temp.does('worker', format('start(%s)', :careful)), 'in_progress', 'R1, R4, X2: then it does');
SELECT matches(pg_temp.refusal('worker', format($$SELECT complete_task(id) FROM change_task WHERE change_id = %s AND title = 'Smoke test'$$, :careful)),
	'^MC001 \| task \d+ "Smoke test" waits for task \d+ "Load it"$', 'X3: step by step, with a smoke test after each major step');
SELECT pg_temp.does('worker', format($$roll_back(%s, 'Errors', 'testing')$$, :careful)) \g /dev/null

-- Itil: the board

SELECT set_config('changemgmt.actor', 'asker', true) \g /dev/null
SELECT pg_temp.complete('{"title": "Itil", "model": "normal"}') AS itil \gset
SELECT changemgmt.plan(:itil) \g /dev/null
SELECT matches(pg_temp.refusal('asker', format('SELECT submit(%s)', :itil)),
	'^MC002 \| notice: 5 business days'' notice are needed: the earliest start is ', 'K2: five business days'' notice');
SELECT edit_change(:itil, jsonb_build_object('planned_start', add_business_days(now(), 6),
	'planned_end', add_business_days(now(), 6) + interval '2 hours')) \g /dev/null
SELECT is(pg_temp.does('asker', format('submit(%s)', :itil)), 'awaiting_approval', 'K2: itil waits for the board');
SELECT results_eq($$SELECT title, board, notice_kept, approvals_need FROM cab_queue$$,
	$$VALUES ('Itil', 'cab', true, 2)$$, 'A2: the board sees it in its queue');
SELECT is((SELECT recommendation FROM cab_queue WHERE title = 'Itil'), 'decide_asynchronously', 'A4: what needs no talking is not talked about');
SELECT add_board('steering') \g /dev/null
SELECT set_board_cadence('cab', 'weekly', first_start => now() + interval '1 hour'),
	set_board_cadence('steering', 'monthly', first_start => now() + interval '1 day') \g /dev/null
SELECT ok(plan_meetings('cab', now() + interval '22 days') = 4 AND plan_meetings('steering', now() + interval '2 months') >= 1,
	'A2, G5: boards meet on a fixed rhythm');
SELECT is_empty($$SELECT FROM board_agenda$$, 'A4: and the agenda is empty then');
SELECT is(pg_temp.refusal('manager', $$SELECT call_emergency_meeting('cab', 'Down')$$), '', 'A2: and at once for emergencies');
SELECT is(pg_temp.refusal('security', format('SELECT defer(%s)', :itil)),
	'MC002 | reason: the vote says deferred without a reason', 'A3: a deferral says why');
SELECT is(pg_temp.refusal('asker', format('SELECT approve(%s)', :itil)),
	'MC003 | Model "normal" asks the members of board cab.', 'A2: who has no seat has no vote');
SELECT pg_temp.does('security', format($$defer(%s, 'Test it.')$$, :itil)) \g /dev/null
SELECT is(pg_temp.does('manager', format($$defer(%s, 'Test it.')$$, :itil)), 'planned', 'A3: the board defers');
SELECT submit(:itil) \g /dev/null
SELECT pg_temp.does('security', format('approve(%s)', :itil)) \g /dev/null
SELECT is(pg_temp.does('business', format('approve(%s)', :itil)), 'approved', 'A3: the board approves');
SELECT is(pg_temp.does('asker', format('schedule(%s)', :itil)), 'scheduled', 'X9: the time is booked');
SELECT matches(pg_temp.refusal('asker', format('SELECT start(%s)', :itil)),
	'^MC007 \| inside_window: the booked time begins at ', 'X1: nothing starts outside its booked time');
SELECT declare_blackout('Quarter end', starts_at => now() - interval '1 day', ends_at => now() + interval '1 day', environment => 'development') \g /dev/null
SELECT matches(pg_temp.refusal('owner', format($$SELECT advance(%s, 'in_progress')$$,
	pg_temp.complete('{"title": "Frozen", "model": "lean_standard", "environment": "development"}'))), 'no_blackout: inside the blackout "Quarter end"',
	'X1: nor during a blackout');

SELECT pg_temp.complete('{"title": "No", "model": "normal"}'
	|| jsonb_build_object('planned_start', add_business_days(now(), 6), 'planned_end', add_business_days(now(), 7))) AS no \gset
SELECT pg_temp.does('asker', format($$advance(%s, 'awaiting_approval')$$, :no)),
	pg_temp.does('security', format($$reject(%s, 'Too risky.')$$, :no)) \g /dev/null
SELECT is(pg_temp.does('manager', format($$reject(%s, 'Not justified.')$$, :no)), 'rejected', 'A3: the board rejects');

-- Emergencies, and what nobody had asked for

SELECT is(pg_temp.refusal('owner', $$SELECT declare_emergency('Restart', NULL, NULL, NULL)$$),
	E'MC002 | incident: no incident is named that it answers\nauthoriser: nobody is named who authorised it\n'
	'emergency_threshold: it is not said what makes it an emergency: production_down, data_at_risk or security_breach',
	'K3: an emergency names incident, authoriser and threshold');
SELECT is(pg_temp.does('owner', $$declare_emergency('Restart', 'INC1', 'manager', 'production_down', owner => 'owner',
	actual_start => now() - interval '3 hours')$$), 'in_progress', 'K3: speed before form');
SELECT id AS er FROM change WHERE title = 'Restart' \gset
SELECT is(pg_temp.does('owner', format($$edit_change(%s, '{"description": "It hung."}')$$, :er)), 'in_progress',
	'K3: documented after');
SELECT is(pg_temp.refusal('owner', $$SELECT declare_emergency('Late', 'INC2', 'manager', 'production_down',
	actual_start => now() - interval '25 hours')$$), 'MC008 | Model "emergency" takes times of the last 24 hours.',
	'E1: recorded within 24 hours');
SELECT is(pg_temp.does('owner', format('complete(%s)', :er)), 'verifying', 'K3: done');
SELECT pg_temp.does('owner', format($$pass(%s, 'It answers.')$$, :er)) \g /dev/null
SELECT alike(pg_temp.refusal('owner', format('SELECT close(%s)', :er)),
	E'MC002 | validations_done: no validation 24 hours after deployment, no validation 7 days after deployment\n%',
	'X6: validated after 24 hours and after 7 days');
SELECT results_eq(format($$SELECT kind, d.due_at - c.deployed_at FROM duty AS d JOIN change AS c ON c.id = d.change_id
	WHERE c.id = %s AND kind LIKE 'validation%%' ORDER BY kind$$, :er),
	$$VALUES ('validation_24_hours', interval '24 hours'), ('validation_7_days', '168 hours')$$, 'X6: which is due at a time');
SELECT set_eq(format($$SELECT kind, round(extract(epoch FROM d.due_at - c.actual_start) / 3600, 1) FROM duty AS d JOIN change AS c ON c.id = d.change_id
	WHERE c.id = %s AND kind IN ('full_record', 'authoriser_confirmation', 'independent_review', 'post_mortem', 'status_page', 'progress_update')$$, :er),
	$$VALUES ('full_record', 24.0), ('authoriser_confirmation', 24.0), ('independent_review', 24.0), ('post_mortem', 48.0), ('status_page', 0.0), ('progress_update', 0.5)$$,
	'E1, E2: record, confirmation and review within 24 hours, post-mortem within 48; status page at once, progress every 30 minutes');
SELECT results_eq(format($$SELECT kind, due_at - actual_end FROM duty AS d JOIN change AS c ON c.id = d.change_id
	WHERE c.id = %s AND kind IN ('root_cause', 'resolution_summary') ORDER BY kind$$, :er),
	$$VALUES ('resolution_summary', interval '24 hours'), ('root_cause', '24 hours')$$, 'E2: after the fix root cause and resolution in short');
SELECT is((SELECT cancel_reason FROM duty WHERE change_id = :er AND kind = 'progress_update'), 'fixed', 'E2: until it is fixed');
SELECT set_eq(format('SELECT kind FROM overdue_duty WHERE change_id = %s', :er), ARRAY['status_page'], 'E2: who told nobody is late');
SELECT alike(pg_temp.refusal('owner', format($$SELECT complete_duty(id, 'done') FROM duty WHERE change_id = %s AND kind = 'post_mortem'$$, :er)),
	'MC002 | %causes, lessons, actions', 'E1: a post-mortem has lessons');
SELECT alike(pg_temp.refusal('owner', format($$SELECT complete_duty(id) FROM duty WHERE change_id = %s AND kind = 'full_record'$$, :er)),
	'MC002 | %lacks justification, affected items, user impact, risk, %', 'E1: with full details');
SELECT alike(pg_temp.refusal('owner', format($$SELECT complete_duty(id) FROM duty WHERE change_id = %s AND kind = 'authoriser_confirmation'$$, :er)),
	'MC003 | %is for manager%', 'K3: authorised by word, confirmed in writing');
SELECT is(pg_temp.refusal('manager', format($$SELECT complete_duty(id) FROM duty WHERE change_id = %s AND kind = 'authoriser_confirmation'$$, :er)), '',
	'K3: by who authorised it');
SELECT matches(pg_temp.refusal('owner', format($$SELECT review_change(%s, 'independent', lessons => 'All was well.')$$, :er)), '^MC004 ',
	'K3: reviewed by somebody else than who did it');
SELECT is(pg_temp.refusal('worker', format($$SELECT review_change(%s, 'independent', lessons => 'A limit was missing.')$$, :er)), '', 'K3: who had no part in it');
SELECT results_eq($$SELECT incident, authoriser, updates_missed > 0, is_confirmed, is_record_complete, independent_review_done_at IS NOT NULL, is_kept FROM emergency_compliance$$,
	$$VALUES ('INC1', 'manager', true, true, false, true, false)$$, 'E1, E2: what it owes, and that it came late, stands there');
SELECT set_setting('overdue_duty_blocks', 'on') \g /dev/null
SELECT matches(pg_temp.refusal('owner', format($$SELECT advance(%s, 'in_progress')$$, pg_temp.complete('{"title": "Next", "model": "lean_standard", "environment": "test"}'))),
	'duties_kept: ', 'E1, E2: who owes that begins nothing else, where the site says so');
SELECT set_setting('overdue_duty_blocks', 'off') \g /dev/null
SELECT is(pg_temp.does('manager', $$record_unauthorized('Firewall', 'Nightly comparison', now() - interval '5 days',
	now() - interval '5 days', owner => 'owner')$$), 'implemented', 'M5: an unauthorized change is recorded');
SELECT results_eq('SELECT title, found_by, open_duties FROM unauthorized_change', $$VALUES ('Firewall', 'Nightly comparison', 3::bigint)$$, 'M5: with what it owes');

-- Measures

INSERT INTO incident (reference, began_at) VALUES ('INC-M4', clock_timestamp() + interval '1 minute');
SELECT add_incident_item('INC-M4', 'shop') \g /dev/null
SELECT matches((SELECT reason FROM suspect_changes('INC-M4', 1000) WHERE change_id = :good),
	'^ended 1 minute before it began; on shop itself; risk medium', 'M4: what changed before an incident is a suspect, with the reason');
SELECT is((SELECT ci_name FROM changes_near('shop', now() + interval '1 hour') WHERE change_id = :good), 'shop', 'M4: and stands among what changed there');
SELECT is((SELECT is_failed FROM change_fact WHERE change_id = :good), false, 'M4: a suspect counts for nothing');
SELECT create_change('Never begun') \g /dev/null
SELECT matches(pg_temp.refusal('manager', format($$SELECT confirm_cause('INC1', %s)$$, (SELECT id FROM change WHERE title = 'Never begun'))),
	'^MC008 . CHG\d+ was never carried out', 'M4: what was never carried out has caused nothing');
SELECT suspect_cause('INC1', :good, 'it was near'), confirm_cause('INC1', :good) \g /dev/null
SELECT results_eq(format('SELECT reference, status, reason, is_late FROM incident_change WHERE change_id = %s', :good),
	$$VALUES ('INC1', 'confirmed', 'it was near', false)$$, 'M4: it is said which change caused which incident');
SELECT record_incident('INC1-again', 'the same, told by another system', outage_minutes => 7) \g /dev/null
SELECT merge_incident('INC1-again', 'INC1', 'told twice') \g /dev/null
SELECT resolve_incident('INC1-again', outage_minutes => 30) \g /dev/null
SELECT is((SELECT is_failed FROM change_fact WHERE change_id = :good), true,
	'M4: a confirmed cause makes a change a failed one');
SELECT is((SELECT duration_variance > 0.9 FROM change_fact WHERE change_id = :good), true,
	'M3: a second where an hour was planned is off by nearly all of it');
SELECT results_eq($$SELECT sum(changes), sum(failed), sum(rolled_back), sum(incidents_caused), sum(emergency), sum(unauthorized),
		sum(standard) FROM monthly_metrics$$,
	$$VALUES (6::numeric, 3::numeric, 2::numeric, 1::numeric, 1::numeric, 1::numeric, 2::numeric)$$,
	'M1, M5: failures, rollbacks, incidents caused, emergencies, unauthorized changes');
SELECT is((SELECT sum(outage_minutes) FROM monthly_metrics), 30::numeric, 'M5: minutes of outage, once for an incident that was told twice');
-- ten days before this month began, whatever day it is
SELECT id AS past FROM record_unauthorized('Past', 'The log', date_trunc('month', now()) - interval '11 days', date_trunc('month', now()) - interval '10 days') \gset
SELECT is((SELECT count(restated_at) FROM monthly_metrics), 0::bigint, 'M4: no month is restated');
SELECT confirm_cause('INC-PAST', :past) \g /dev/null
SELECT results_eq($$SELECT failed, is_complete FROM monthly_metrics WHERE restated_at IS NOT NULL$$, $$VALUES (1::bigint, true)$$, 'M4: a cause that is confirmed late restates its month, which says so');
SELECT is((SELECT cause_class FROM change WHERE id = :lean), 'testing', 'M2: each rollback with its why');
SELECT is((SELECT count(*) FROM verify_ledger()), 0::bigint, 'the trail of all that is whole');

-- Who is told, and what is learned

SELECT publish_model('announced', '{"base": "lean_standard", "requires": {"start": ["stakeholders_told"], "close": ["end_announced"]}}') \g /dev/null
SELECT pg_temp.complete('{"title": "Announced", "model": "announced", "communications": [
	{"timing": "before", "stakeholder": "customers", "channel": "status_page", "message": "It starts."},
	{"timing": "after", "stakeholder": "customers", "channel": "email", "message": "It ended."}]}') AS announced \gset
SELECT pg_temp.does('owner', format($$advance(%s, 'approved')$$, :announced)) \g /dev/null
SELECT is(pg_temp.refusal('owner', format('SELECT start(%s)', :announced)), 'MC002 | stakeholders_told: not told before the work: customers',
	'F7, X3: no start before who must know has been told');
SELECT results_eq('SELECT timing, stakeholder, channel, message FROM communication_plan WHERE NOT sent ORDER BY due_at, communication_id',
	$$VALUES ('before', 'customers', 'status_page', 'It starts.'), ('after', 'customers', 'email', 'It ended.')$$, 'F7, S4: who is to be told what, when, and where');
SELECT mark_sent(id) FROM change_communication WHERE change_id = :announced AND timing = 'before' \g /dev/null
SELECT is(pg_temp.does('owner', format('start(%s)', :announced)), 'in_progress', 'X3: the start is announced');
SELECT is(pg_temp.refusal('worker', format($$SELECT post_update(%s, 'Half way.')$$, :announced)), '', 'S4: the status page hears how it goes');
SELECT pg_temp.does('owner', format($$advance(%s, 'implemented', evidence => 'seen')$$, :announced)) \g /dev/null
SELECT is(pg_temp.refusal('owner', format('SELECT close(%s)', :announced)), 'MC002 | end_announced: not told after the work: customers', 'X3: nor does it close before the end is announced');
SELECT mark_sent(id) FROM change_communication WHERE change_id = :announced AND timing = 'after' \g /dev/null
SELECT is(pg_temp.does('owner', format('close(%s)', :announced)), 'closed', 'X3: it is');
SELECT is(pg_temp.refusal('owner', format($$SELECT review_change(%s, lessons => 'Warn the desk, too.')$$, :announced)), '', 'X8: what was learned is written down');
SELECT is(pg_temp.does('owner', format($$create_follow_up(%s, 'Warn the desk')$$, :announced)), 'draft', 'X8: and becomes a change');
SELECT results_eq(format('SELECT follow_up_title, follow_up_status FROM change_follow_up WHERE change_id = %s', :announced), $$VALUES ('Warn the desk', 'draft')$$, 'X8: linked to it');

SELECT * FROM finish();
ROLLBACK;
