# Changes that walk through everything the extension does, for tests that do it
# many times, or are interrupted in the middle.
#
#   Walks::setup($server);                  people, models, and the functions:
#   SELECT public.walk('board');            one walk, each step as its own actor
#   SELECT public.cheap(100);               what only computes, n times
#   is($server->sql(Walks::not_whole()), '')    what verify_ledger and the rows
#                                           themselves say that is wrong
#   Walks::memory($server)                  the query for the memory that a session
#                                           holds: lines of name, count, bytes
#
# A step that names an SQLSTATE has to be refused with it, in a subtransaction;
# any other answer is an error of the walk.
package Walks;

use strict;
use warnings;

# name of the walk: actor | SQLSTATE | statement; $1 is what the first gave
my $walks = <<'EOWALKS';
board:
otto | | SELECT id FROM changemgmt.create_change('walk', template => 'walked', source => 'walks', source_key => 'k' || nextval('public.key'))
otto | MC008 | SELECT changemgmt.create_change('walk', template => 'walked', owner => 'nobody')
otto | MC008 | SELECT changemgmt.create_change_from('{"title": "t", "tasks": [{"phase": "preparation"}]}')
otto | MC008 | SELECT changemgmt.create_change_from('{"title": "t", "attributes": {"a": 1}, "colour": "red"}')
otto | MC009 | SELECT changemgmt.create_change('other', source => 'walks', source_key => (SELECT source_key FROM changemgmt.change WHERE id = $1))
mona | | SELECT changemgmt.triage($1, 'otto', 'otto', 'dba', 'high', 4, now() + interval '1 day')
mona | MC008 | SELECT changemgmt.triage($1, 'nobody')
mona | MC008 | SELECT changemgmt.triage($1, team => 'nobody')
otto | MC010 | SELECT changemgmt.plan($1, 99)
otto | MC001 | SELECT changemgmt.start($1)
otto | | SELECT changemgmt.why_not($1)
otto | | SELECT changemgmt.why_not($1, 'start')
otto | MC008 | SELECT changemgmt.why_not($1, 'dance')
otto | | SELECT changemgmt.next_steps($1)
otto | | SELECT changemgmt.edit_change($1, '{"attributes": {"a": {"b": [1, 2.5, null, "x"]}}, "rollback_plan": null}')
otto | MC002 | SELECT changemgmt.plan($1)
otto | MC008 | SELECT changemgmt.edit_change($1, '{"colour": "red"}')
otto | MC008 | SELECT changemgmt.edit_change($1, '{"rollback_minutes": "many"}')
otto | MC008 | SELECT changemgmt.edit_change($1, '{"status": "closed"}')
otto | | SELECT changemgmt.edit_change($1, '{"attributes": {"a": {"b": null, "c": true}}, "rollback_plan": "back"}')
otto | | UPDATE changemgmt.change SET title = title || '!', cost_planned = 12.5, affects = '{clients,business}' WHERE id = $1
otto | MC008 | UPDATE changemgmt.change SET title = '' WHERE id = $1
otto | MC001 | UPDATE changemgmt.change SET status = 'closed' WHERE id = $1
otto | MC005 | UPDATE changemgmt.change SET revision = 0 WHERE id = $1
otto | | SELECT changemgmt.add_risk($1, 'it breaks', 'low', 'high', 'care')
otto | MC008 | SELECT changemgmt.add_risk($1, 'it breaks', 'often', 'high')
otto | MC008 | SELECT changemgmt.add_risk(-1, 'it breaks', 'low', 'high')
otto | | INSERT INTO changemgmt.change_risk (change_id, description, likelihood, impact) SELECT $1, 'risk ' || n, 'low', 'low' FROM generate_series(1, 5) AS n
otto | | UPDATE changemgmt.change_risk SET mitigation = 'none' WHERE change_id = $1
otto | | SELECT changemgmt.remove_risk(id) FROM changemgmt.change_risk WHERE change_id = $1
otto | | SELECT changemgmt.add_item($1, 'app', version_after => '3')
otto | MC008 | SELECT changemgmt.add_item($1, 'nothing')
otto | 23505 | SELECT changemgmt.add_item($1, 'app')
otto | | SELECT changemgmt.add_task($1, 'one more', assignee => 'ivan')
vera | | SELECT changemgmt.review_object(changemgmt.add_task($1, 'copy', object_kind => 'service', object_name => 'web'))
vera | MC008 | SELECT changemgmt.review_object(id) FROM changemgmt.change_task WHERE change_id = $1 AND object_name IS NULL
otto | | SELECT changemgmt.remove_task(id) FROM changemgmt.change_task WHERE change_id = $1 AND title = 'copy'
otto | | SELECT changemgmt.add_check($1, 'errors', 'slo', expected => 'none')
otto | | SELECT changemgmt.add_signal_check($1, 'error rate', 'errors', 5, baseline => 0.2, is_rollback_trigger => true)
otto | MC008 | SELECT changemgmt.add_signal_check($1, 'error rate', 'errors', 'NaN')
otto | | SELECT changemgmt.add_comment($1, 'a word')
otto | | SELECT changemgmt.add_communication($1, 'before', 'users', 'chat', 'soon')
otto | MC008 | SELECT changemgmt.add_communication($1, 'once', 'users', 'chat', 'soon')
otto | | SELECT changemgmt.link_change($1, 'ticket', target => 'T1')
otto | MC008 | SELECT changemgmt.assign_duty($1, 'dream', due_at => now())
otto | | SELECT changemgmt.assign_duty($1, 'steering_report', 'report', 'ann', now() - interval '1 hour', 60)
otto | | SELECT changemgmt.reassign_duty(max(id), 'ben') FROM changemgmt.duty WHERE change_id = $1
ben | | SELECT changemgmt.complete_duty(max(id), 'half') FROM changemgmt.duty WHERE change_id = $1
ann | MC001 | SELECT changemgmt.complete_duty(min(id), 'half') FROM changemgmt.duty WHERE change_id = $1
otto | MC003 | SELECT changemgmt.cancel_duty(max(id), 'no') FROM changemgmt.duty WHERE change_id = $1
mona | | SELECT changemgmt.cancel_duty(max(id), 'no') FROM changemgmt.duty WHERE change_id = $1
otto | | SELECT t.overdue IS NULL FROM changemgmt.tick() AS t
otto | MC008 | SELECT changemgmt.tick('infinity')
otto | MC006 | TRUNCATE changemgmt.change_risk
otto | | SELECT changemgmt.add_checklist($1)
otto | | SELECT changemgmt.plan($1)
otto | | SELECT changemgmt.plan($1)
otto | | SELECT changemgmt.hold($1, 'wait')
otto | MC001 | SELECT changemgmt.submit($1)
otto | | SELECT changemgmt.resume($1, 'on')
otto | | SELECT changemgmt.submit($1)
ann | | SELECT changemgmt.defer($1, 'later')
ben | | SELECT changemgmt.defer($1, 'as ann says')
otto | | SELECT changemgmt.submit($1)
ann | | SELECT changemgmt.reject($1, 'no')
ben | | SELECT changemgmt.reject($1, 'no')
otto | | SELECT changemgmt.revise($1, 'once more')
otto | | SELECT changemgmt.advance($1, 'awaiting_approval')
nobody | MC003 | SELECT changemgmt.approve($1)
ann | | SELECT changemgmt.abstain($1, 'not me')
ann | | SELECT changemgmt.delegate_approval('vera', now(), now() + interval '1 day', 'cab')
vera | | SELECT changemgmt.vote_for($1, 'ann', 'abstained', 'not she')
ivan | MC003 | SELECT changemgmt.vote_for($1, 'ann', 'approved')
ann | MC008 | SELECT changemgmt.delegate_approval('ann', now(), now() + interval '1 day')
ann | | SELECT changemgmt.revoke_delegation(max(id)) FROM changemgmt.approval_delegation
vera | MC003 | SELECT changemgmt.vote_for($1, 'ann', 'approved')
ann | | SELECT changemgmt.approve($1)
ann | | SELECT changemgmt.approval_tally($1)
ann | | SELECT changemgmt.approval_state($1)
ann | | SELECT changemgmt.approval_waiting($1)
ann | | SELECT changemgmt.approval_tally($1), changemgmt.approval_levels($1), changemgmt.approval_policy_of($1)
otto | | SELECT changemgmt.set_approval_policy('walked ' || $1, '[{"rule": "count", "board": "cab", "needed": 2}, {"level": 2, "rule": "seats", "board": "cab", "seats": ["member"]}]', model => 'lean_normal', ci_tier => 1)
otto | | SELECT changemgmt.approval_policy_of($1), changemgmt.approval_levels($1)
otto | MC008 | SELECT changemgmt.set_approval_policy('walked ' || $1, '[{"rule": "percent", "board": "cab", "percent": 101}]')
otto | | SELECT changemgmt.remove_approval_policy('walked ' || $1)
otto | MC008 | SELECT changemgmt.remove_approval_policy('walked ' || $1)
mona | | SELECT changemgmt.set_board_cadence('cab', 'weekly', 1, 'here', date_trunc('hour', now()), 30)
mona | MC008 | SELECT changemgmt.set_board_cadence('cab', 'never')
mona | | SELECT changemgmt.plan_meetings('cab', now() + interval '3 weeks')
mona | MC008 | SELECT changemgmt.plan_meetings('cab', 'infinity')
mona | | SELECT changemgmt.next_meeting('cab')
mona | | SELECT changemgmt.cancel_meeting(changemgmt.call_emergency_meeting('cab', 'walk'), 'no')
mona | | SELECT changemgmt.add_to_agenda(changemgmt.call_emergency_meeting('cab', 'walk'), $1, 1)
otto | MC003 | SELECT changemgmt.call_emergency_meeting('cab', 'walk')
mona | MC008 | SELECT changemgmt.hold_meeting(meeting_id, '{mona,king}') FROM changemgmt.agenda_item WHERE change_id = $1
mona | | SELECT changemgmt.hold_meeting(meeting_id, '{mona,ann}') FROM changemgmt.agenda_item WHERE change_id = $1
mona | MC002 | SELECT changemgmt.record_minute(meeting_id, $1, 'said', 'approved') FROM changemgmt.agenda_item WHERE change_id = $1
mona | | SELECT changemgmt.record_minute(meeting_id, $1, 'said') FROM changemgmt.agenda_item WHERE change_id = $1
mona | | SELECT changemgmt.remove_from_agenda(meeting_id, $1) FROM changemgmt.agenda_item WHERE change_id = $1
mona | | SELECT changemgmt.close_meeting(meeting_id, 'all said') FROM changemgmt.agenda_item WHERE change_id = $1
mona | MC005 | SELECT changemgmt.record_minute(meeting_id, $1, 'other') FROM changemgmt.agenda_item WHERE change_id = $1
ben | MC010 | SELECT changemgmt.approve($1, expected_revision => 1)
ben | MC008 | SELECT changemgmt.approve_with_conditions($1, '{}')
ben | | SELECT changemgmt.approve_with_conditions($1, '{keep the log}')
otto | | SELECT changemgmt.earliest_start($1)
otto | | SELECT changemgmt.plan_missing($1)
otto | | SELECT changemgmt.schedule($1, now() - interval '1 hour', now() + interval '1 hour')
otto | MC008 | SELECT changemgmt.reschedule($1, now(), now() - interval '2 hours')
otto | | SELECT changemgmt.suggest_windows($1), changemgmt.change_conflicts($1)
mona | | SELECT changemgmt.override_booking($1, 'no_conflict', 'both know')
mona | MC008 | SELECT changemgmt.override_booking($1, 'notice', 'later', now(), now() + interval '1 hour')
otto | | SELECT changemgmt.reschedule($1, now(), now() + interval '2 hours')
otto | | SELECT changemgmt.edit_change($1, '{"description": "another"}')
otto | MC002 | SELECT changemgmt.start($1)
otto | | SELECT changemgmt.submit($1)
cleo | | SELECT changemgmt.approve($1)
ben | | SELECT changemgmt.approve($1)
mona | MC008 | SELECT changemgmt.waive($1, 'checklist_done', ' ')
ben | MC003 | SELECT changemgmt.waive($1, 'checklist_done', 'agreed')
mona | | SELECT changemgmt.waive($1, 'checklist_done', 'agreed')
ivan | MC002 | SELECT changemgmt.start($1)
ivan | | SELECT changemgmt.complete_task(id) FROM changemgmt.change_task WHERE change_id = $1 AND is_condition
ivan | | SELECT changemgmt.start($1)
otto | MC005 | SELECT changemgmt.edit_change($1, '{"description": "a third"}')
otto | MC005 | SELECT changemgmt.add_risk($1, 'it breaks', 'low', 'high')
ivan | MC002 | SELECT changemgmt.complete($1)
ivan | | SELECT changemgmt.complete_task(id) FROM changemgmt.change_task WHERE change_id = $1 AND title = 'step'
ivan | | SELECT changemgmt.skip_task(id, 'no need') FROM changemgmt.change_task WHERE change_id = $1 AND title <> 'step' AND NOT is_condition
ivan | | SELECT changemgmt.mark_sent(id) FROM changemgmt.change_communication WHERE change_id = $1 AND sent_at IS NULL
otto | MC001 | SELECT changemgmt.mark_sent(id) FROM changemgmt.change_communication WHERE change_id = $1 AND timing = 'before'
ivan | | SELECT changemgmt.post_update($1, 'half way')
vera | MC001 | SELECT changemgmt.review_change($1, 'post_mortem', causes => 'c', lessons => 'l', actions => 'a')
ivan | | SELECT changemgmt.complete($1)
ivan | | SELECT changemgmt.resume_work($1, 'again')
ivan | | SELECT changemgmt.complete($1)
vera | | SELECT changemgmt.record_check(id, true, 'fine') FROM changemgmt.change_check WHERE change_id = $1 AND threshold IS NULL
vera | MC008 | SELECT changemgmt.record_observation(id, 1) FROM changemgmt.change_check WHERE change_id = $1 AND threshold IS NULL
vera | | SELECT changemgmt.record_observation(id, 0.1) FROM changemgmt.change_check WHERE change_id = $1 AND threshold IS NOT NULL
vera | | SELECT changemgmt.record_signal($1, 'errors', 7)
vera | MC002 | SELECT changemgmt.pass($1, 'seen')
vera | | SELECT changemgmt.pass($1, 'seen', 'slow')
otto | | SELECT changemgmt.close($1)
otto | MC001 | SELECT changemgmt.cancel($1, 'no')
vera | | SELECT changemgmt.review_change($1, 'independent', went_well => 'all of it')
ivan | MC004 | SELECT changemgmt.review_change($1, 'independent', went_well => 'all of it')
otto | | SELECT changemgmt.create_follow_up($1, 'more of it', 'as the review says')
otto | MC008 | SELECT changemgmt.create_follow_up(-1, 'more')
otto | | SELECT changemgmt.change_header($1)
otto | | SELECT changemgmt.change_state($1)
otto | | SELECT changemgmt.change_as_of($1, recorded_at), changemgmt.change_document($1, recorded_at) FROM changemgmt.ledger WHERE subject_kind = 'change' AND subject_id = $1 AND sequence % 7 = 0
otto | MC008 | SELECT changemgmt.change_as_of(-1)
otto | | SELECT changemgmt.what_the_board_saw($1)
otto | | SELECT changemgmt.verify_ledger('change', $1)
otto | MC008 | SELECT changemgmt.verify_ledger('nothing')
otto | | SELECT changemgmt.row_digest(c) FROM changemgmt.change AS c WHERE id = $1
otto | MC006 | UPDATE changemgmt.ledger SET reason = 'x' WHERE subject_id = $1
otto | MC006 | DELETE FROM changemgmt.risk_assessment
back:
otto | | SELECT id FROM changemgmt.create_change('walk', template => 'quick')
otto | | SELECT changemgmt.advance($1, 'in_progress')
ivan | | SELECT changemgmt.begin_rollback($1)
ivan | MC008 | SELECT changemgmt.roll_back($1, 'errors', 'weather')
ivan | | SELECT changemgmt.roll_back($1, 'errors', 'testing')
vera | | SELECT changemgmt.confirm_stability($1)
otto | | SELECT changemgmt.close($1)
fail:
otto | | SELECT id FROM changemgmt.create_change('walk', template => 'quick')
otto | | SELECT changemgmt.advance($1, 'in_progress')
otto | | SELECT changemgmt.complete_task(id) FROM changemgmt.change_task WHERE change_id = $1
otto | | SELECT changemgmt.complete($1)
otto | MC002 | SELECT changemgmt.fail($1)
otto | | SELECT changemgmt.fail($1, 'errors', 'fixed forward')
otto | | SELECT changemgmt.copy_change($1, 'again')
otto | MC008 | SELECT changemgmt.copy_change(-1)
otto | MC008 | SELECT changemgmt.advance($1, 'nowhere')
abort:
otto | | SELECT id FROM changemgmt.create_change('walk', template => 'quick')
otto | | SELECT changemgmt.advance($1, 'in_progress')
otto | MC002 | SELECT changemgmt.abort($1)
otto | | SELECT changemgmt.abort($1, 'no')
cancel:
otto | | SELECT id FROM changemgmt.create_change('walk')
otto | | SELECT changemgmt.cancel($1, 'no')
otto | | SELECT changemgmt.record_unauthorized('walk', 'me', now() - interval '2 days', now() - interval '1 day')
otto | MC002 | SELECT changemgmt.record_unauthorized('walk', NULL, NULL, NULL)
otto | | SELECT changemgmt.declare_emergency('walk', 'INC1', 'mona', 'production_down')
otto | MC008 | SELECT changemgmt.declare_emergency('walk', 'INC1', 'mona', 'boredom')
template:
otto | | SELECT id FROM changemgmt.propose_template((SELECT max(id) FROM changemgmt.change WHERE model = 'quick'), 'standing', model => 'walked')
otto | MC008 | SELECT changemgmt.propose_template(-1, 'standing')
otto | MC008 | SELECT changemgmt.propose_template(NULL, 'nothing')
otto | MC008 | SELECT changemgmt.propose_template($1, 'standing', model => 'quick')
otto | MC008 | SELECT changemgmt.edit_template($1, '{"plan": {"colour": "red"}}')
otto | | SELECT changemgmt.edit_template($1, '{"plan": {"test_plan": "on a copy"}}')
otto | MC003 | SELECT changemgmt.publish_template($1)
otto | | SELECT changemgmt.advance($1, 'awaiting_approval')
ann | | SELECT changemgmt.approve($1)
ben | | SELECT changemgmt.approve($1)
otto | MC010 | SELECT changemgmt.publish_template($1), changemgmt.publish_template($1, 1)
otto | MC005 | SELECT changemgmt.publish_template($1), changemgmt.edit_template($1, '{"title": "another"}')
otto | | SELECT changemgmt.template_record('standing', 1), changemgmt.template_record('quick', 1)
rules:
otto | | SELECT nextval('public.key')
otto | | SELECT changemgmt.ci_id('db')
otto | | SELECT changemgmt.set_setting('reporting_time_zone', CASE changemgmt.setting_value('reporting_time_zone') WHEN 'UTC' THEN 'Europe/Berlin' ELSE 'UTC' END)
otto | | SELECT changemgmt.setting_value('number_prefix')
otto | MC008 | SELECT changemgmt.set_setting('reporting_time_zone', 'Nowhere/Land')
otto | MC008 | SELECT changemgmt.setting_value('colour')
otto | | SELECT changemgmt.register_requirement('site_rule', 'public.site_rule(bigint)', '{start}')
otto | MC008 | SELECT changemgmt.register_requirement('site_rule', 'pg_catalog.now()', '{start}')
otto | | SELECT changemgmt.requirement_list()
mona | | SELECT changemgmt.activate_risk_model((changemgmt.fit_risk_model('public.past', '{x}', at => 'at', against => 'x')).version)
mona | | SELECT changemgmt.fit_risk_model('SELECT x, failed FROM public.past', '{x}', ridge => 1)
mona | MC008 | SELECT changemgmt.fit_risk_model('SELECT x, 1 - 3 * x AS z, failed FROM public.past', '{x,z}')
mona | MC008 | SELECT changemgmt.fit_risk_model('SELECT x, failed AS leak, failed FROM public.past', '{x,leak}')
mona | MC008 | SELECT changemgmt.fit_risk_model('public.nothing', '{x}')
mona | | SELECT changemgmt.risk_model_predict(NULL, '{"x": 3}'), (SELECT count(*) FROM changemgmt.risk_model_calibration)
mona | | SELECT count(changemgmt.risk_probability(id)) FROM (SELECT id FROM changemgmt.change ORDER BY id DESC LIMIT 3) AS c
mona | | SELECT count(p.probability), (SELECT count(*) FROM changemgmt.risk_model_comparison) FROM changemgmt.risk_prediction AS p
mona | MC002 | SELECT changemgmt.activate_risk_model(max(version)) FROM changemgmt.risk_model
mona | MC008 | SELECT changemgmt.risk_model_predict(NULL, '{}')
mona | | SELECT changemgmt.deactivate_risk_model()
otto | | SELECT changemgmt.shipped_risk_factors(), changemgmt.shipped_risk_matrices()
otto | | SELECT changemgmt.register_risk_factor('site_factor', 'public.site_factor(bigint)', 7)
otto | MC008 | SELECT changemgmt.register_risk_factor('site_factor', 'pg_catalog.now()', 7)
otto | MC008 | SELECT changemgmt.register_risk_factor('site_factor', 'public.site_factor(bigint)', 'NaN')
otto | | SELECT changemgmt.set_risk_factor('tier', 9)
otto | MC008 | SELECT changemgmt.set_risk_factor('colour', 9)
otto | | SELECT changemgmt.publish_risk_matrix('walked', (SELECT jsonb_agg('["low", "low", "high", "high", "high"]'::jsonb) FROM generate_series(1, 5)))
otto | MC008 | SELECT changemgmt.publish_risk_matrix('walked', '[]')
otto | MC006 | DELETE FROM changemgmt.site_risk_matrix
otto | | SELECT c FROM changemgmt.site_risk_matrix AS m, changemgmt.site_risk_matrix_cells(m.cells) AS c
otto | | SELECT count(changemgmt.risk_score(id)), count(changemgmt.risk_level(id)) FROM (SELECT id FROM changemgmt.change ORDER BY id DESC LIMIT 3) AS c
otto | | SELECT r FROM (SELECT id FROM changemgmt.change ORDER BY id DESC LIMIT 3) AS c, changemgmt.risk_explain(c.id) AS r
otto | | SELECT r FROM (SELECT id FROM changemgmt.change ORDER BY id DESC LIMIT 3) AS c, changemgmt.risk_summary(c.id) AS r
otto | | SELECT r FROM (SELECT id FROM changemgmt.change ORDER BY id DESC LIMIT 3) AS c, changemgmt.risk_what_if(c.id, '{"touches_security": true, "model": "standard"}') AS r
otto | MC008 | SELECT changemgmt.risk_score(-1)
otto | | SELECT changemgmt.policy_backtest(p) FROM unnest('{all,none,score >= 50,level >= high,risk_level >= high,matrix glpi >= high}'::text[]) AS p
otto | MC008 | SELECT changemgmt.policy_backtest('now and then')
otto | MC008 | SELECT changemgmt.publish_model('walked', '{"base": "nothing"}')
otto | MC008 | SELECT changemgmt.publish_model('walked', '{"base": "normal", "plan": {"colour": "red"}}')
otto | MC008 | SELECT changemgmt.publish_model('walked', '{"base": "normal", "requires": {"dance": []}}')
otto | MC006 | DELETE FROM changemgmt.site_model
otto | | SELECT changemgmt.set_ci('db', tags => '{pci}')
otto | MC008 | SELECT changemgmt.set_ci('nobody', tags => '{pci}')
otto | | SELECT changemgmt.declare_blackout('walked', 'DTSTART;TZID=Europe/Berlin:20010106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH', environment => 'development', ci => 'db', tag => 'pci')
otto | MC008 | SELECT changemgmt.declare_blackout('wrong', starts_at => '2001-01-02', ends_at => '2001-01-01')
otto | | SELECT changemgmt.add_maintenance_window('laboratory', starts_at => '2026-01-01', ends_at => '2026-07-01', environment => 'development')
otto | | SELECT changemgmt.open_windows('web', '[2026-01-01,2027-01-01)', 'development')
otto | | SELECT changemgmt.window_state('db', '2026-02-03 01:30Z', 'development', 'normal')
otto | MC008 | SELECT changemgmt.open_windows('db', '(,)')
otto | MC008 | SELECT changemgmt.window_id('nobody')
otto | | SELECT changemgmt.window_id('walked')
otto | | SELECT changemgmt.next_windows('db', '2 hours', '2026-01-01', 7, true, 'development')
otto | MC008 | SELECT changemgmt.next_windows('db', '-2 hours')
otto | | SELECT changemgmt.rebuild_bookings()
otto | 22008 | SELECT changemgmt.window_state('db', '2600-02-03', 'development', 'normal')
otto | | SELECT changemgmt.create_business_calendar('walked', 'Europe/Berlin', 'MO-FR 09:00-12:00,13:00-17:00')
otto | MC008 | SELECT changemgmt.create_business_calendar('walked', 'UTC')
otto | MC008 | SELECT changemgmt.create_business_calendar('other', 'Berlin')
otto | MC008 | SELECT changemgmt.create_business_calendar('other', 'UTC', 'MO 9-5')
otto | | SELECT changemgmt.set_business_hours('walked', 'MO-FR 09:00-17:00'), changemgmt.business_calendar_id('walked')
otto | MC008 | SELECT changemgmt.set_business_hours('nobody', 'MO-FR 09:00-17:00')
otto | | SELECT changemgmt.add_holiday('walked', '2026-12-25', 'x'), changemgmt.add_holiday('walked', '2026-12-26')
otto | MC008 | SELECT changemgmt.add_holiday('walked', 'infinity')
otto | | SELECT changemgmt.remove_holiday('walked', '2026-12-26')
otto | | SELECT changemgmt.import_holidays('walked', E'BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260525\nRRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO\nEXDATE;VALUE=DATE:20280529\nSUMMARY:x\nEND:VEVENT\nEND:VCALENDAR', '2036-01-01')
otto | MC008 | SELECT changemgmt.import_holidays('walked', E'BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260525\nRRULE:FREQ=SECONDLY\nEND:VEVENT\nEND:VCALENDAR')
otto | MC008 | SELECT changemgmt.import_holidays('walked', E'BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260525\nRRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30\nEND:VEVENT\nEND:VCALENDAR')
otto | MC008 | SELECT changemgmt.import_holidays('walked', E'BEGIN:VCALENDAR\nBEGIN:VEVENT\n')
otto | | SELECT changemgmt.business_days_between('2026-12-01', '2027-02-01', 'walked'), changemgmt.business_duration('2026-12-01', '2027-02-01', 'walked')
otto | MC008 | SELECT changemgmt.business_days_between('2026-12-01', '2027-02-01', 'nobody')
otto | | DELETE FROM changemgmt.business_hours
otto | MC008 | SELECT changemgmt.add_business_days('2026-12-01', 3, 'walked')
otto | | DELETE FROM changemgmt.holiday
otto | | DELETE FROM changemgmt.business_calendar WHERE name = 'walked'
otto | | SELECT changemgmt.remove_window('walked'), changemgmt.remove_window('laboratory')
otto | MC008 | SELECT changemgmt.person_id('nobody')
otto | MC008 | SELECT changemgmt.team_id('nobody')
otto | MC008 | SELECT changemgmt.board_id('nobody')
otto | MC008 | SELECT changemgmt.ci_id('nobody')
otto | MC008 | SELECT changemgmt.change_id('42')
otto | | UPDATE changemgmt.person SET name = name WHERE login = 'vera'
otto | | SELECT changemgmt.person_id(login) FROM changemgmt.person
otto | | SELECT changemgmt.person_id('p' || n) FROM generate_series(1, 200) AS n
otto | 39P01 | INSERT INTO public.guarded VALUES (1)
otto | | SELECT changemgmt.grant_role('regress_walker', 'manager')
otto | MC008 | SELECT changemgmt.grant_role('regress_walker', 'king')
otto | | SELECT changemgmt.revoke_role('regress_walker', 'manager')
otto | | SELECT changemgmt.duty_rights()
otto | | SELECT changemgmt.hidden_changes()
otto | | SELECT changemgmt.hidden_causes(), changemgmt.hidden_assessments(), changemgmt.hidden_duties(), changemgmt.hidden_items('agenda_item'), changemgmt.hidden_items('meeting_minute')
otto | MC008 | SELECT changemgmt.hidden_items('change')
otto | | SELECT changemgmt.add_incident_item('INC-' || $1, name) FROM changemgmt.configuration_item
otto | MC008 | SELECT changemgmt.add_incident_item('INC-' || $1, 'nobody')
otto | | SELECT changemgmt.incident_id('INC-' || $1), changemgmt.incident_id('')
otto | | SELECT changemgmt.record_incident('INC-' || $1, 'x', 2, 'outage', now() - interval '1 hour', now(), now(), ARRAY[min(name)], 5, 'here') FROM changemgmt.configuration_item
otto | | SELECT changemgmt.record_incident('INC-' || $1, 'x'), changemgmt.record_incident('INC-m' || $1)
otto | MC009 | SELECT changemgmt.record_incident('INC-' || $1, 'y')
otto | MC008 | SELECT changemgmt.record_incident('INC-' || $1, items => '{nobody}')
otto | | SELECT changemgmt.edit_incident('INC-' || $1, '{"title": "y", "kind": null}')
otto | MC008 | SELECT changemgmt.edit_incident('INC-' || $1, '{"severity": "x"}')
otto | | SELECT changemgmt.reopen_incident('INC-' || $1, 'again')
otto | MC008 | SELECT changemgmt.reopen_incident('INC-nowhere', 'again')
otto | | SELECT changemgmt.resolve_incident('INC-' || $1, clock_timestamp(), 7)
otto | MC008 | SELECT changemgmt.resolve_incident('INC-' || $1, '2000-01-01')
otto | | SELECT changemgmt.record_unauthorized('suspected ' || $1, 'audit', now() - interval '3 hours', now() - interval '2 hours')
otto | | SELECT changemgmt.suspect_cause('INC-m' || $1, id, 'near'), changemgmt.confirm_cause('INC-m' || $1, id, false) FROM changemgmt.change WHERE title = 'suspected ' || $1
otto | MC001 | SELECT changemgmt.suspect_cause('INC-m' || $1, id, 'near') FROM changemgmt.change WHERE title = 'suspected ' || $1
otto | MC006 | DELETE FROM changemgmt.incident_cause
otto | MC002 | SELECT changemgmt.merge_incident('INC-m' || $1, 'INC-' || $1, '')
otto | MC008 | SELECT changemgmt.merge_incident('INC-m' || $1, 'INC-m' || $1, 'the same')
otto | | SELECT changemgmt.merge_incident('INC-m' || $1, 'INC-' || $1, 'the same')
otto | MC005 | UPDATE changemgmt.incident SET title = 'z' WHERE reference = 'INC-m' || $1
otto | | SELECT changemgmt.suspect_changes('INC-' || $1), changemgmt.suspect_changes('INC-' || $1, 0)
otto | MC008 | SELECT changemgmt.suspect_changes('INC-nowhere')
otto | MC008 | SELECT changemgmt.suspect_changes('INC-' || $1, -1)
otto | | SELECT changemgmt.changes_near(name) FROM changemgmt.configuration_item
otto | MC008 | SELECT changemgmt.changes_near('nobody')
otto | MC008 | SELECT changemgmt.changes_near(min(name), within => '-1 day') FROM changemgmt.configuration_item
otto | | SELECT changemgmt.verify_checkpoint(repeat('0', 64))
otto | | SELECT changemgmt.library_version()
otto | | SELECT changemgmt.model_validations('normal', 0)
otto | | SELECT changemgmt.shipped_tables()
otto | | SELECT changemgmt.shipped_triggers()
otto | | SELECT changemgmt.shipped_functions()
otto | | SELECT * FROM changemgmt.ledger_checkpoint()
EOWALKS

# What only computes; i runs from 1, r and s are rates, q is a recurrence, c is
# a change.
my @cheap = split /\n/, <<'EOCHEAP';
changemgmt.rate_in(changemgmt.rate_out(r))
(r::text)::changemgmt.rate
changemgmt.rate_send(r)
changemgmt.rate(i, i + 1)
changemgmt.numerator(r) + changemgmt.denominator(r)
r::float8
r::numeric
changemgmt.wilson_low(r) + changemgmt.wilson_high(r)
r = s OR r <> s OR r < s OR r <= s OR r > s OR r >= s
r <> s
r < s
r <= s
r > s
r >= s
changemgmt.rate_cmp(r, s)
changemgmt.rate_hash(r)
changemgmt.rate_hash_extended(r, i)
r + s
(r + s) - s
changemgmt.brier_accum('{0,0,0}', 0.25, i % 2 = 0)
changemgmt.brier_accum_inv('{3,1,4611686018427387903}', 0.25, i % 2 = 0)
changemgmt.brier_combine('{2,1,5}', '{1,0,7}')
changemgmt.brier_final('{2,1,5}')
changemgmt.risk_fit_summary_accum(NULL, true, i::float8, 2::float8)
changemgmt.risk_fit_summary_combine('{1,1,0,0,0,1,0,1,1}', '{1,2,1,0,0,3,2,2,4}')
changemgmt.risk_fit_round_accum(NULL, '{0,0,0,0,0,1,1}', true, i::float8, 2::float8)
changemgmt.risk_fit_round_combine('{1,1,0,0,0,0,0,0,0}', '{1,1,1,2,3,4,5,6,7}')
changemgmt.risk_fit_probability('{0,0,0,0,0,1,1}', i::float8, 2::float8)
changemgmt.rate_accum(r, true)
changemgmt.rate_accum_inv(r, false)
changemgmt.rate_combine(r, s)
changemgmt.rate_combine_inv(r + s, s)
changemgmt.recurrence_in(changemgmt.recurrence_out(q))
(q::text)::changemgmt.recurrence
changemgmt.recurrence_send(q)
q = q OR q <> q OR q < q OR q <= q OR q > q OR q >= q
q <> q
q < q
q <= q
q > q
q >= q
changemgmt.recurrence_cmp(q, q)
changemgmt.recurrence_hash(q)
changemgmt.recurrence_hash_extended(q, i)
changemgmt.contains(q, '2026-06-01'::timestamptz + make_interval(hours => i))
(changemgmt.next_occurrence(q, '2026-06-01'::timestamptz + make_interval(days => i))).starts_at
(SELECT count(*) FROM changemgmt.occurrences(q, tstzrange('2026-06-01', '2026-06-01'::timestamptz + make_interval(days => i))))
changemgmt.add_business_days(now(), i)
changemgmt.ics_event('u' || i, now(), now(), now() + interval '1 hour', repeat('é,', i), 'd', 'c', 's', true, i)
changemgmt.ics_range(now(), now() + make_interval(days => i + 1))
length(changemgmt.change_calendar(now(), now() + make_interval(days => i + 1)))
changemgmt.add_business_days(now(), i, 'default')
changemgmt.business_days_between(now(), now() + make_interval(days => i), left('default', i + 6))
changemgmt.business_duration(now(), now() + make_interval(days => i), 'default')
changemgmt.change_number(i)
changemgmt.setting_value('number_' || CASE WHEN i % 2 = 0 THEN 'width' ELSE 'prefix' END)
changemgmt.acting_person() || i
changemgmt.person_id(CASE WHEN i % 2 = 0 THEN 'otto' ELSE 'ann' END)
changemgmt.team_id(left('dba', i + 2))
changemgmt.board_id(left('cab', i + 2))
changemgmt.ci_id(left('app', i + 2))
changemgmt.open_windows('app', tstzrange('2026-06-01', '2026-06-01'::timestamptz + make_interval(days => i)))
(changemgmt.window_state(CASE WHEN i % 2 = 0 THEN 'app' END, '2026-06-01'::timestamptz + make_interval(days => i))).reason
changemgmt.change_is_possible(c)
changemgmt.row_digest(c)
changemgmt.merkle_root(ARRAY[pg_catalog.sha256(changemgmt.rate_send(r)), pg_catalog.sha256('x')])
EOCHEAP

# Errors of what only computes.
my @refused = split /\n/, <<'EOREFUSED';
22003 | SELECT changemgmt.rate(1, -1)
22P02 | SELECT 'x'::changemgmt.rate
22P02 | SELECT '1/2/3'::changemgmt.rate
22003 | SELECT changemgmt.rate(9223372036854775807, 9223372036854775807) + changemgmt.rate(1, 1)
22P02 | SELECT 'x'::changemgmt.recurrence
22023 | SELECT 'DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30'::changemgmt.recurrence
22023 | SELECT 'DTSTART:20260131T020000Z DURATION:PT2H RRULE:FREQ=MONTHLY;INTERVAL=24;BYMONTHDAY=31;UNTIL=20260101'::changemgmt.recurrence
MC008 | SELECT * FROM changemgmt.occurrences('DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=MONTHLY', '(,)')
22008 | SELECT changemgmt.contains('DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=MONTHLY', '9999-01-01')
MC008 | SELECT changemgmt.add_business_days(now(), -1)
MC008 | SELECT changemgmt.change_calendar(now(), 'infinity')
MC008 | SELECT changemgmt.add_business_days('infinity', 1)
MC008 | SELECT changemgmt.add_business_days(now(), 1, 'nobody')
MC008 | SELECT changemgmt.business_duration('1000-01-01', '3000-01-01')
EOREFUSED

sub statements
{
	my ($name, @values) = ('');
	for my $line (split /\n/, $walks)
	{
		if ($line =~ /^(\w+):$/) { $name = $1; next }
		my ($actor, $refusal, $statement) = map { s/^\s+|\s+$//gr } split /\|/, $line, 3;
		push @values, "('$name', '$actor', '$refusal', \$step\$$statement\$step\$)";
	}
	return join ",\n", @values;
}

sub setup
{
	my ($s) = @_;
	my $cheap = join "\n", map { "    PERFORM count($_) FROM public.row_of(n);" } @cheap;
	my $refused = join "\n", map { my ($state, $statement) = split / \| /, $_, 2;
		"    PERFORM public.refused('$state', '', \$step\$$statement\$step\$, 0);" } @refused;
	$s->sql(<<"EOSQL");
CREATE EXTENSION changemgmt;
CREATE ROLE regress_walker;
CREATE SEQUENCE public.key;
SELECT changemgmt.add_person(login) FROM unnest(ARRAY['otto', 'ivan', 'vera', 'ann', 'ben', 'cleo', 'mona']) AS login;
SELECT changemgmt.add_person('p' || n) FROM generate_series(1, 200) AS n;
SELECT changemgmt.add_team('dba', 'ann', ARRAY['ivan']);
SELECT changemgmt.add_board('cab');
SELECT changemgmt.add_board_member('cab', login) FROM unnest(ARRAY['ann', 'ben', 'cleo']) AS login;
SELECT changemgmt.add_board_member('cab', 'mona', 'change_manager');
SELECT changemgmt.add_ci('db'), changemgmt.add_ci('web'), changemgmt.add_ci('app');
SELECT changemgmt.set_ci(ci, is_exclusive => false) FROM unnest('{db,web}'::text[]) AS ci;
CREATE FUNCTION public.site_factor(bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 0.5 / (\$1 % 2)';
CREATE FUNCTION public.site_rule(bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT NULL::text WHERE \$1 > 0';
CREATE FUNCTION public.publish(day int) RETURNS void LANGUAGE sql AS \$\$
SELECT changemgmt.publish_model(key, jsonb_build_object('base', base, 'notice_business_days', 0, 'validations', '[]'::jsonb,
	'separate', '[]'::jsonb, 'approval', approval, 'waivable', '["checklist_done"]'::jsonb, 'plan', jsonb_build_object(
    'description', 'of day ' || day, 'justification', 'why', 'user_impact', 'none', 'owner', 'otto', 'requester', 'otto',
    'risk_level', 'low', 'rollback_trigger', 'errors', 'rollback_plan', 'back', 'rollback_minutes', 5,
    'planned_start', '2026-01-01 00:00+00', 'planned_end', '2036-01-01 00:00+00',
    'items', '[{"ci": "db", "version_after": "2"}, {"ci": "web", "version_after": "2"}]'::jsonb,
    'checks', '["health"]'::jsonb, 'tasks', '["step"]'::jsonb)))
FROM (VALUES ('walked', 'normal', '{"policy": "board", "board": "cab", "needed": 2}'::jsonb),
             ('quick', 'lean_standard', '{"policy": "none"}')) AS v(key, base, approval)
\$\$;
SELECT public.publish(0);
-- the walks fail on purpose
SELECT changemgmt.set_setting('template_failure_limit', '1');

CREATE TABLE public.step (place int GENERATED ALWAYS AS IDENTITY, walk text, actor text, refusal text, statement text);
INSERT INTO public.step (walk, actor, refusal, statement) VALUES
@{[ statements() ]};

CREATE TABLE public.past AS
    SELECT n % 7 AS x, n * 5 % 11 < n % 7 AS failed, timestamptz '2026-01-01 12:00+00' + n * interval '1 day' AS at
    FROM generate_series(1, 200) AS n;
CREATE TABLE public.guarded (id int);
CREATE TRIGGER guard BEFORE INSERT ON public.guarded FOR EACH ROW EXECUTE FUNCTION changemgmt.lifecycle_stamp();

CREATE FUNCTION public.refused(wanted text, actor text, statement text, id bigint) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
    got text := '';
BEGIN
    BEGIN
        EXECUTE statement USING id;
    EXCEPTION WHEN OTHERS THEN
        got := sqlstate;
        IF got <> wanted THEN RAISE; END IF;
    END;
    IF got <> wanted THEN
        RAISE EXCEPTION '% by % was not refused', statement, actor;
    END IF;
END \$\$;

CREATE FUNCTION public.take(v public.step, INOUT id bigint, first bool) LANGUAGE plpgsql AS \$\$
BEGIN
    PERFORM set_config('changemgmt.actor', v.actor, true);
    IF v.refusal <> '' THEN
        PERFORM public.refused(v.refusal, v.actor, v.statement, id);
    ELSIF first THEN
        EXECUTE v.statement INTO id;
    ELSE
        EXECUTE v.statement USING id;
    END IF;
END \$\$;

CREATE FUNCTION public.walk(name text) RETURNS bigint LANGUAGE plpgsql AS \$\$
DECLARE
    id bigint;
    v public.step;
BEGIN
    FOR v IN SELECT * FROM public.step WHERE walk = name ORDER BY place LOOP
        id := public.take(v, id, id IS NULL);
    END LOOP;
    RETURN id;
END \$\$;

CREATE FUNCTION public.row_of(n int) RETURNS TABLE (i int, r changemgmt.rate, s changemgmt.rate, q changemgmt.recurrence, c changemgmt.change) LANGUAGE sql AS \$\$
    SELECT i, changemgmt.rate(i, 2 * i), changemgmt.rate(i, 3 * i),
        ('DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=' || CASE WHEN i % 8 = 0 THEN 'MONTHLY;BYDAY=2TU' ELSE 'WEEKLY;BYDAY=TU,TH' END)::changemgmt.recurrence, (SELECT c FROM changemgmt.change AS c ORDER BY id LIMIT 1)
    FROM generate_series(1, n) AS i
\$\$;

CREATE FUNCTION public.cheap(n int) RETURNS void LANGUAGE plpgsql SET search_path = changemgmt, pg_catalog, pg_temp AS \$\$
BEGIN
$cheap
$refused
    PERFORM changemgmt.rate_sum(r), changemgmt.change_failure_rate(i % 2 = 0), changemgmt.auc(i % 3, i % 2 = 0) FROM public.row_of(n);
    PERFORM changemgmt.rate_sum(r) OVER w, changemgmt.change_failure_rate(i % 2 = 0) OVER w FROM public.row_of(n)
        WINDOW w AS (ORDER BY i ROWS BETWEEN 3 PRECEDING AND CURRENT ROW);
    PERFORM i FROM public.row_of(n) ORDER BY r;
    PERFORM count(*) FROM public.row_of(n) GROUP BY r;
    PERFORM i FROM public.row_of(n) ORDER BY q;
    PERFORM count(*) FROM public.row_of(n) GROUP BY q;
    PERFORM changemgmt.change_id(changemgmt.change_number(id)) FROM changemgmt.change ORDER BY id LIMIT n;
    PERFORM changemgmt.code_list(), changemgmt.field_class(), changemgmt.shipped_settings(), changemgmt.shipped_models();
    PERFORM * FROM changemgmt.code_list();
    PERFORM * FROM changemgmt.field_class();
    PERFORM * FROM changemgmt.shipped_settings();
    PERFORM * FROM changemgmt.shipped_models(), changemgmt.shipped_checklist();
    PERFORM * FROM changemgmt.requirement_list();
    PERFORM * FROM changemgmt.duty_rights();
END \$\$;
EOSQL
	return;
}

# The query finds each chain that is broken, each row that is not the last
# entry of its chain, and each part that the ledger does not know (comments
# 'before our time' came by COPY).
sub not_whole
{
	my @parts = qw(change_item change_risk change_task change_check change_comment change_link change_waiver approval_vote template_proposal change_communication change_review);
	my $rows = join "\nUNION ALL ", map { "SELECT '$_', id FROM changemgmt.$_" . ($_ eq 'change_comment' ? " WHERE body <> 'before our time'" : '') } @parts;
	my $names = join ', ', map { "'$_'" } @parts;
	return <<"EOSQL";
SELECT 'verify_ledger: ' || concat_ws(' ', subject_kind, subject_id, sequence, problem) FROM changemgmt.verify_ledger()
UNION ALL
SELECT 'change ' || c.id || ' is not what its ledger ends with'
FROM changemgmt.change AS c
LEFT JOIN (
	SELECT subject_id AS id, count(*) AS entries, max(sequence) AS last,
		   (array_agg(to_status ORDER BY sequence DESC))[1] AS status
	FROM changemgmt.ledger WHERE subject_kind = 'change' GROUP BY subject_id) AS l USING (id)
WHERE c.ledger_sequence > 0 AND (c.revision, c.ledger_sequence, c.status) IS DISTINCT FROM (l.entries, l.last, l.status)
UNION ALL
SELECT 'step without the one before: ' || subject_id FROM (
	SELECT subject_id, from_status, lag(to_status) OVER (PARTITION BY subject_id ORDER BY sequence) AS before
	FROM changemgmt.ledger WHERE subject_kind = 'change') AS l
WHERE from_status IS DISTINCT FROM before
UNION ALL
SELECT 'unknown ' || table_name || ' ' || id FROM (
	$rows
	UNION ALL
	SELECT p.key, (coalesce(e -> 'new', e -> 'old') ->> 'id')::bigint
	FROM changemgmt.ledger AS l, jsonb_each(l.changed) AS p, jsonb_array_elements(p.value) AS e
	WHERE l.subject_kind = 'change' AND p.key IN ($names) AND e ->> 'op' IN ('insert', 'delete')) AS x(table_name, id)
GROUP BY table_name, id HAVING count(*) <> 2
LIMIT 20
EOSQL
}

# What is in use of each kind of context, but for what lives as long as the
# statement that asks.  From 18 on a context names its ancestors, by numbers.
sub memory
{
	my ($server) = @_;
	my $of_statement = $server->sql("SELECT current_setting('server_version_num')::int >= 180000") eq 't'
	  ? "EXISTS (SELECT FROM context AS p WHERE p.name = 'PortalContext' AND p.path <> c.path AND p.path[cardinality(p.path)] = ANY (c.path))"
	  : "c.parent IS NOT DISTINCT FROM 'PortalContext'";
	return <<"EOSQL";
WITH context AS MATERIALIZED (SELECT * FROM pg_backend_memory_contexts)
SELECT name || E'\\t' || count(*) || E'\\t' || sum(used_bytes) FROM context AS c
WHERE NOT $of_statement AND name NOT IN ('ExecutorState', 'ExprContext', 'printtup', 'MessageContext')
GROUP BY name ORDER BY name;
EOSQL
}

1;
