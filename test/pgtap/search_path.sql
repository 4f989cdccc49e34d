-- A hostile search_path: operators of the same names, for every pair of types
-- that the extension's statements compare, stand before pg_catalog's. Whoever
-- is called says so and fails; nobody may be.
BEGIN;
SELECT plan(4);

CREATE SCHEMA regress_evil;
DO $$
DECLARE
	operator text;
	pair text[];
BEGIN
	FOREACH pair SLICE 1 IN ARRAY ARRAY[
		['bigint', 'bigint'], ['integer', 'integer'], ['bigint', 'integer'],
		['integer', 'bigint'], ['text', 'text'], ['"char"', '"char"'],
		['name', 'name'], ['name', 'text'], ['oid', 'oid'], ['boolean', 'boolean'],
		['timestamptz', 'timestamptz'], ['timestamptz', 'interval'],
		['jsonb', 'jsonb'], ['jsonb', 'text'], ['bytea', 'bytea'],
		['numeric', 'numeric'], ['text[]', 'text[]']]
	LOOP
		EXECUTE format($f$
			CREATE FUNCTION regress_evil.op(%1$s, %2$s) RETURNS boolean
			LANGUAGE plpgsql AS
			$b$ BEGIN RAISE EXCEPTION 'the operator of %1$s was called'; END $b$ $f$,
			pair[1], pair[2]);
		FOREACH operator IN ARRAY '{=,<>,<,<=,>,>=,+,-,||,->,->>,#>>,@>,<@}'::text[]
		LOOP
			EXECUTE format('CREATE OPERATOR regress_evil.%s (LEFTARG = %s,
				RIGHTARG = %s, FUNCTION = regress_evil.op)',
				operator, pair[1], pair[2]);
		END LOOP;
	END LOOP;
	EXECUTE 'CREATE TABLE regress_evil.change (id bigint)';
END $$;

SELECT ok((SELECT count(*) FROM pg_operator
		   WHERE oprnamespace = 'regress_evil'::regnamespace) > 200,
		  'the hostile operators stand');

SELECT throws_ok($$ SET LOCAL search_path = regress_evil, pg_catalog;
	SELECT 1::bigint = 1::bigint $$,
	'P0001', 'the operator of bigint was called', 'and are the ones that are found');

-- pgTAP would find them, too: the way is gone without it.
SET search_path = regress_evil, pg_catalog;
DO $$
DECLARE
	c bigint;
	part bigint;
	names text[] := '{ann,ben,cyd,dan,eve}';
	n integer;
BEGIN
	PERFORM changemgmt.add_person('ann');
	PERFORM changemgmt.add_person('ben');
	PERFORM changemgmt.add_person('cyd');
	PERFORM changemgmt.add_person('dan');
	PERFORM changemgmt.add_team('dba', 'ben', '{ann}');
	PERFORM changemgmt.add_board('cab');
	PERFORM changemgmt.add_board_member('cab', 'cyd', 'change_manager');
	PERFORM changemgmt.add_board_member('cab', 'dan');
	PERFORM changemgmt.add_ci('db', 'database', 1, 'ben', '14');
	PERFORM changemgmt.add_ci('web', 'service', 1, 'ben', '1',
							  depends_on => '{db}');
	PERFORM changemgmt.set_ci('web', tags => '{shop}');
	PERFORM changemgmt.add_maintenance_window('always',
		'DTSTART:20260101T000000Z DURATION:P1D RRULE:FREQ=DAILY', ci => 'db', tag => 'shop');
	PERFORM changemgmt.declare_blackout('past', starts_at => pg_catalog.timestamptz '2001-01-01',
		ends_at => pg_catalog.timestamptz '2001-01-02', environment => 'test', model => 'normal');
	PERFORM changemgmt.open_windows('web', pg_catalog.tstzrange '[2026-01-01,2026-02-01)', 'test', 'normal');
	PERFORM changemgmt.window_state('web', pg_catalog.timestamptz '2026-01-01', 'test', 'normal');
	PERFORM changemgmt.remove_window('past');
	PERFORM changemgmt.create_business_calendar('works', 'Europe/Berlin');
	PERFORM changemgmt.set_business_hours('works', 'MO-SA 09:00-17:00');
	PERFORM changemgmt.add_holiday('works', '2026-12-25');
	PERFORM changemgmt.add_holiday('works', '2026-12-25', 'x');
	PERFORM changemgmt.remove_holiday('works', '2026-12-25');
	PERFORM changemgmt.import_holidays('works', E'BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20261225\nRRULE:FREQ=YEARLY\nEND:VEVENT\nEND:VCALENDAR');
	PERFORM changemgmt.add_business_days(pg_catalog.now(), 5, 'works');
	PERFORM changemgmt.business_days_between(pg_catalog.now(), pg_catalog.now(), 'works');
	PERFORM changemgmt.business_duration(pg_catalog.now(), pg_catalog.now(), 'works');
	PERFORM changemgmt.set_setting('number_prefix', 'C');
	PERFORM changemgmt.publish_model('renew',
		'{"base": "standard", "plan": {"rollback_minutes": 1}}');
	PERFORM changemgmt.retire_model('renew');

	-- lean, from the request to the rollback
	PERFORM set_config('changemgmt.actor', 'ann', true);
	SELECT id INTO c FROM changemgmt.create_change('a', model => 'lean_normal',
		owner => 'ann', team => 'dba', items => '{db}', source => 's',
		source_key => 'k', description => 'd', justification => 'j',
		user_impact => 'none', risk_level => 'low', rollback_trigger => 't',
		rollback_plan => 'p', rollback_minutes => 1, verification_plan => 'v',
		planned_start => pg_catalog.now(),
		planned_end => pg_catalog.timestamptz_pl_interval(pg_catalog.now(), '30 days'), cost_planned => 3);
	PERFORM changemgmt.create_change('a', model => 'lean_normal',
		owner => 'ann', team => 'dba', items => '{db}', source => 's',
		source_key => 'k', description => 'd', justification => 'j',
		user_impact => 'none', risk_level => 'low', rollback_trigger => 't',
		rollback_plan => 'p', rollback_minutes => 1, verification_plan => 'v',
		planned_start => pg_catalog.now(),
		planned_end => pg_catalog.timestamptz_pl_interval(pg_catalog.now(), '30 days'), cost_planned => 3);
	PERFORM changemgmt.triage(c, priority => 'high');
	PERFORM changemgmt.edit_change(c, '{"attributes": {"a": {"b": 1}}}');
	PERFORM changemgmt.add_item(c, 'web', version_after => '2');
	PERFORM changemgmt.add_risk(c, 'r', 'low', 'low');
	PERFORM changemgmt.add_task(c, 'before', 'preparation');
	PERFORM changemgmt.add_check(c, 'look');
	PERFORM changemgmt.add_comment(c, 'word');
	PERFORM changemgmt.link_change(c, 'ticket', target => 'T-1');
	PERFORM changemgmt.advance(c, 'awaiting_approval');
	PERFORM set_config('changemgmt.actor', 'ben', true);
	PERFORM changemgmt.approval_tally(c), changemgmt.approval_state(c), changemgmt.approval_waiting(c);
	PERFORM changemgmt.approve(c);
	PERFORM changemgmt.approve(c);
	PERFORM set_config('changemgmt.actor', 'ann', true);
	PERFORM changemgmt.hold(c, 'wait');
	PERFORM changemgmt.resume(c);
	PERFORM changemgmt.why_not(c);
	PERFORM changemgmt.next_steps(c);
	PERFORM changemgmt.change_header(c);
	PERFORM changemgmt.earliest_start(c), changemgmt.plan_missing(c);
	SELECT id INTO part FROM changemgmt.change_task;
	PERFORM changemgmt.complete_task(part);
	PERFORM changemgmt.start(c);
	PERFORM changemgmt.complete(c);
	PERFORM changemgmt.resume_work(c, 'again');
	PERFORM changemgmt.complete(c);
	SELECT id INTO part FROM changemgmt.change_check;
	PERFORM changemgmt.record_check(part, true, 'seen');
	PERFORM changemgmt.pass(c, 'works');
	PERFORM changemgmt.pass(c, 'works');
	PERFORM changemgmt.begin_rollback(c);
	PERFORM changemgmt.roll_back(c, 'why', 'testing');
	PERFORM changemgmt.confirm_stability(c);
	PERFORM changemgmt.close(c);
	PERFORM changemgmt.copy_change(c);
	PERFORM changemgmt.post_update(c, 'done'), changemgmt.create_follow_up(c, 'more');
	PERFORM changemgmt.review_change(c, lessons => 'look'), set_config('changemgmt.actor', 'cyd', true);
	PERFORM changemgmt.review_change(c, 'independent', lessons => 'look'), set_config('changemgmt.actor', 'ann', true);

	-- itil: a board, notice waived, a booking, an abort
	SELECT id INTO c FROM changemgmt.create_change('b',
		owner => 'ann', items => '{db}', description => 'd',
		justification => 'j', user_impact => 'none', risk_level => 'low',
		rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 1,
		verification_plan => 'v', planned_start => pg_catalog.now(),
		planned_end => pg_catalog.timestamptz_pl_interval(pg_catalog.now(), '30 days'));
	PERFORM changemgmt.plan(c);
	PERFORM set_config('changemgmt.actor', 'cyd', true);
	PERFORM changemgmt.waive(c, 'notice', 'now');
	PERFORM set_config('changemgmt.actor', 'ann', true);
	PERFORM changemgmt.submit(c);
	PERFORM set_config('changemgmt.actor', 'cyd', true);
	-- and a meeting
	PERFORM changemgmt.set_board_cadence('cab', 'weekly', 1, 'here', pg_catalog.now());
	PERFORM changemgmt.plan_meetings('cab', pg_catalog.timestamptz_pl_interval(pg_catalog.now(), '1 month'));
	PERFORM changemgmt.set_board_cadence('cab', 'monthly', 1, 'here', pg_catalog.now());
	PERFORM changemgmt.next_meeting('cab');
	PERFORM changemgmt.cancel_meeting(changemgmt.call_emergency_meeting('cab', 'no'), 'no');
	SELECT changemgmt.call_emergency_meeting('cab', 'why') INTO part;
	PERFORM changemgmt.add_to_agenda(part, c, 1);
	PERFORM changemgmt.hold_meeting(part, '{cyd,dan}', 'dan');
	PERFORM changemgmt.record_minute(part, c, 'said');
	PERFORM changemgmt.remove_from_agenda(part, c);
	PERFORM FROM changemgmt.board_agenda;
	PERFORM changemgmt.approve(c);
	PERFORM changemgmt.close_meeting(part, 'all');
	PERFORM FROM changemgmt.board_minutes;
	PERFORM changemgmt.hidden_items('agenda_item'), changemgmt.hidden_items('meeting_minute');
	PERFORM set_config('changemgmt.actor', 'dan', true);
	PERFORM changemgmt.approve(c);
	PERFORM set_config('changemgmt.actor', 'ann', true);
	PERFORM changemgmt.schedule(c, pg_catalog.now(), (SELECT changemgmt.add_business_days(pg_catalog.now(), 30)));
	PERFORM changemgmt.reschedule(c, pg_catalog.now());
	PERFORM changemgmt.start(c);
	PERFORM changemgmt.abort(c, 'nothing was done');

	SELECT id INTO c FROM changemgmt.declare_emergency('e', 'INC1', 'cyd',
		'production_down', items => '{db}');
	PERFORM changemgmt.post_update(c, 'down', channel => 'status_page');
	PERFORM changemgmt.complete(c);
	PERFORM changemgmt.resume_work(c, 'not yet');
	PERFORM changemgmt.complete(c);
	PERFORM changemgmt.pass(c, 'seen', 'slow');
	PERFORM changemgmt.fail(c, 'left', 'to be mended');
	PERFORM changemgmt.confirm_stability(c);
	PERFORM changemgmt.why_not(c, 'close');
	-- and what it owes
	PERFORM changemgmt.edit_change(c, '{"owner": "ann", "description": "d", "justification": "j", "user_impact": "u", "risk_level": "low",
		"rollback_trigger": "t", "rollback_plan": "p", "rollback_minutes": 1, "verification_plan": "v"}');
	PERFORM changemgmt.review_change(c, 'post_mortem', causes => 'c', lessons => 'l', actions => 'a');
	PERFORM changemgmt.complete_duty(duty_id, 'said') FROM changemgmt.open_duty
	WHERE kind OPERATOR(pg_catalog.=) ANY (ARRAY['root_cause', 'resolution_summary', 'full_record']);
	PERFORM set_config('changemgmt.actor', 'cyd', true);
	PERFORM changemgmt.complete_duty(duty_id) FROM changemgmt.open_duty
	WHERE kind OPERATOR(pg_catalog.=) 'authoriser_confirmation';
	PERFORM changemgmt.review_change(c, 'independent', went_well => 'all');
	PERFORM set_config('changemgmt.actor', 'ann', true);
	PERFORM changemgmt.close(c);
	SELECT id INTO part FROM changemgmt.assign_duty(c, 'steering_report', 'report', 'ann', pg_catalog.timestamptz '2020-01-01', 60);
	PERFORM changemgmt.reassign_duty(part, 'dan');
	PERFORM changemgmt.set_setting('overdue_duty_blocks', 'on');
	PERFORM changemgmt.why_not(id, 'submit') FROM changemgmt.create_change('late', owner => 'dan');
	PERFORM changemgmt.hidden_duties();
	PERFORM FROM changemgmt.overdue_duty;
	PERFORM FROM changemgmt.emergency_compliance;
	PERFORM FROM changemgmt.unauthorized_change;
	PERFORM changemgmt.add_incident_item('INC2', 'web');
	PERFORM changemgmt.suspect_changes('INC2');
	PERFORM changemgmt.suspect_changes(changemgmt.incident_id('INC2')::text);
	PERFORM changemgmt.changes_near('web');
	PERFORM changemgmt.confirm_cause('INC1', c);
	PERFORM changemgmt.record_unauthorized('l', 'audit',
		pg_catalog.timestamptz '2020-01-01', pg_catalog.timestamptz '2020-01-02');
	PERFORM changemgmt.ledger_checkpoint();
	PERFORM changemgmt.verify_ledger();
	PERFORM changemgmt.verify_checkpoint(root) FROM changemgmt.ledger_checkpoint();
	PERFORM FROM changemgmt.cab_queue;
	PERFORM FROM changemgmt.approval_queue;
	PERFORM FROM changemgmt.request_queue;
	PERFORM FROM changemgmt.monthly_metrics;
	PERFORM FROM changemgmt.change_fact;
	PERFORM FROM changemgmt.duty_rights();
	PERFORM FROM changemgmt.code_list();
	PERFORM set_config('regress.way', 'gone to its end', true);
END $$;
RESET search_path;
SELECT is(current_setting('regress.way', true), 'gone to its end',
	'a change goes all its ways under it');
RESET changemgmt.actor;
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()',
	'and its ledger is whole');
SELECT * FROM finish();
ROLLBACK;
