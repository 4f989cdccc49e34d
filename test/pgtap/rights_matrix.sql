-- Who may do what: every operation, by every duty, walked completely.
--
-- The rows below are written from the design and docs/rights.md, not from the
-- code, and not from duty_rights(). The subjects are asked of the catalogs: a
-- function, table, view or sequence without a row fails here until it is said
-- whose it is. A cell is
--
--     ok   it works
--     -    42501: the server refuses it, before any code of ours runs
--     MC003 and so on: whoever has the duty is refused by the rules
--
-- and there are eight in a row: nobody, viewer, requester, implementer,
-- approver, manager, integration, owner (a superuser).
\set QUIET on
\set ON_ERROR_STOP on
BEGIN;
SELECT no_plan();

CREATE TEMP TABLE duty (place integer, name text);
INSERT INTO duty VALUES (1, 'nobody'), (2, 'viewer'), (3, 'requester'), (4, 'implementer'), (5, 'approver'), (6, 'manager'),
	(7, 'integration'), (8, 'owner');

-- ----------------------------------------------------------------
-- The matrix
-- ----------------------------------------------------------------

-- In a statement {draft} is a change in this status, {task} and the like a part
-- of such a change, {own} a change that who tries it asked for, owns and wrote.
CREATE TEMP TABLE matrix (place integer GENERATED ALWAYS AS IDENTITY, kind text DEFAULT 'function', subject text, statement text, cells text);

-- Functions that only look: everybody's with a duty
INSERT INTO matrix (subject, statement, cells)
SELECT subject, 'SELECT ' || call, '- ok ok ok ok ok ok ok' FROM (VALUES
	('contains', 'changemgmt.contains(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'', ''2026-07-01'')'),
	('next_occurrence', 'changemgmt.next_occurrence(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'', ''2026-07-01'')'),
	('occurrences', 'changemgmt.occurrences(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'', ''[2026-07-01,2026-07-03)'')'),
	('recurrence_in', 'changemgmt.recurrence_in(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'')'),
	('recurrence_out', 'changemgmt.recurrence_out(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'')'),
	('recurrence_send', 'changemgmt.recurrence_send(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'')'),
	('recurrence_hash', 'changemgmt.recurrence_hash(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'')'),
	('recurrence_hash_extended', 'changemgmt.recurrence_hash_extended(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'', 1)'),
	('recurrence_eq', 'changemgmt.recurrence_eq(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'', ''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'')'),
	('recurrence_ne', 'changemgmt.recurrence_ne(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'', ''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'')'),
	('recurrence_lt', 'changemgmt.recurrence_lt(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'', ''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'')'),
	('recurrence_le', 'changemgmt.recurrence_le(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'', ''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'')'),
	('recurrence_gt', 'changemgmt.recurrence_gt(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'', ''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'')'),
	('recurrence_ge', 'changemgmt.recurrence_ge(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'', ''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'')'),
	('recurrence_cmp', 'changemgmt.recurrence_cmp(''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'', ''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'')'),
	('rate', 'changemgmt.rate(1, 2)'),
	('rate_in', 'changemgmt.rate_in(''1/2'')'),
	('rate_out', 'changemgmt.rate_out(''1/2'')'),
	('rate_send', 'changemgmt.rate_send(''1/2'')'),
	('numerator', 'changemgmt.numerator(''1/2'')'),
	('denominator', 'changemgmt.denominator(''1/2'')'),
	('rate_to_double', 'changemgmt.rate_to_double(''1/2'')'),
	('rate_to_numeric', 'changemgmt.rate_to_numeric(''1/2'')'),
	('wilson_low', 'changemgmt.wilson_low(''1/2'')'),
	('wilson_high', 'changemgmt.wilson_high(''1/2'')'),
	('rate_eq', 'changemgmt.rate_eq(''1/2'', ''1/2'')'),
	('rate_ne', 'changemgmt.rate_ne(''1/2'', ''1/2'')'),
	('rate_lt', 'changemgmt.rate_lt(''1/2'', ''1/2'')'),
	('rate_le', 'changemgmt.rate_le(''1/2'', ''1/2'')'),
	('rate_gt', 'changemgmt.rate_gt(''1/2'', ''1/2'')'),
	('rate_ge', 'changemgmt.rate_ge(''1/2'', ''1/2'')'),
	('rate_cmp', 'changemgmt.rate_cmp(''1/2'', ''1/2'')'),
	('rate_hash', 'changemgmt.rate_hash(''1/2'')'),
	('rate_hash_extended', 'changemgmt.rate_hash_extended(''1/2'', 1)'),
	('rate_add', 'changemgmt.rate_add(''1/2'', ''1/2'')'),
	('rate_subtract', 'changemgmt.rate_subtract(''1/2'', ''1/2'')'),
	('rate_accum', 'changemgmt.rate_accum(''1/2'', true)'),
	('rate_accum_inv', 'changemgmt.rate_accum_inv(''1/2'', true)'),
	('rate_combine', 'changemgmt.rate_combine(''1/2'', ''1/2'')'),
	('rate_combine_inv', 'changemgmt.rate_combine_inv(''1/2'', ''1/2'')'),
	('rate_sum', 'changemgmt.rate_sum(r) FROM (VALUES (''1/2''::changemgmt.rate)) AS v (r)'),
	('change_failure_rate', 'changemgmt.change_failure_rate(true)'),
	('auc', 'changemgmt.auc(1, true)'),
	('risk_fit_summary', 'changemgmt.risk_fit_summary(true, 1::float8)'),
	('risk_fit_summary_accum', 'changemgmt.risk_fit_summary_accum(NULL, true, 1::float8)'),
	('risk_fit_summary_combine', 'changemgmt.risk_fit_summary_combine(''{1,1,0,0,0,1,0,1,1}'', ''{1,1,0,0,0,1,0,1,1}'')'),
	('risk_fit_round', 'changemgmt.risk_fit_round(''{0,0,0,1}'', true, 1::float8)'),
	('risk_fit_round_accum', 'changemgmt.risk_fit_round_accum(NULL, ''{0,0,0,1}'', true, 1::float8)'),
	('risk_fit_round_combine', 'changemgmt.risk_fit_round_combine(''{1,1,0,0,0,0,0,0,0}'', ''{1,1,0,0,0,0,0,0,0}'')'),
	('risk_fit_probability', 'changemgmt.risk_fit_probability(''{0,0,0,1}'', 1::float8)'),
	('risk_model_predict', 'changemgmt.risk_model_predict(1, ''{"x": 3}'')'),
	('brier', 'changemgmt.brier(1, true)'),
	('brier_accum', 'changemgmt.brier_accum(''{0,0,0}'', 1, true)'),
	('brier_accum_inv', 'changemgmt.brier_accum_inv(''{1,0,0}'', 1, true)'),
	('brier_combine', 'changemgmt.brier_combine(''{0,0,0}'', ''{0,0,0}'')'),
	('brier_final', 'changemgmt.brier_final(''{0,0,0}'')'),
	('acting_person', 'changemgmt.acting_person()'),
	('add_business_days', 'changemgmt.add_business_days(now(), 5), changemgmt.add_business_days(now(), 5, ''works'')'),
	('approval_state', 'changemgmt.approval_state({awaiting_approval})'),
	('approval_levels', 'changemgmt.approval_levels({awaiting_approval})'),
	('approval_policy_of', 'changemgmt.approval_policy_of({awaiting_approval})'),
	('approval_tally', 'changemgmt.approval_tally({awaiting_approval})'),
	('approval_waiting', 'changemgmt.approval_waiting({awaiting_approval})'),
	('board_id', 'changemgmt.board_id(''cab'')'),
	('change_calendar', 'changemgmt.change_calendar()'),
	('business_calendar_id', 'changemgmt.business_calendar_id(''works'')'),
	('business_days_between', 'changemgmt.business_days_between(now(), now() + interval ''30 days'', ''works'')'),
	('business_duration', 'changemgmt.business_duration(now(), now() + interval ''30 days'', ''works'')'),
	('change_header', 'changemgmt.change_header({draft})'),
	('change_id', 'changemgmt.change_id(''CHG000000{draft}'')'),
	('change_is_possible', 'changemgmt.change_is_possible(jsonb_populate_record(NULL::changemgmt.change, ''{possible}''))'),
	('change_number', 'changemgmt.change_number({draft})'),
	('change_state', 'changemgmt.change_state({draft})'),
	('ci_id', 'changemgmt.ci_id(''db'')'),
	('code_list', 'changemgmt.code_list()'),
	('doctor', 'changemgmt.doctor()'),
	('duty_rights', 'changemgmt.duty_rights()'),
	('earliest_start', 'changemgmt.earliest_start({planned})'),
	('model_validations', 'changemgmt.model_validations(''normal'', 0)'),
	('plan_missing', 'changemgmt.plan_missing({planned})'),
	('field_class', 'changemgmt.field_class()'),
	('ics_event', 'changemgmt.ics_event(''u'', now(), now(), NULL, ''s'', NULL, NULL, NULL, NULL, NULL)'),
	('ics_range', 'changemgmt.ics_range(now(), now() + interval ''1 day'')'),
	('library_version', 'changemgmt.library_version()'),
	('next_meeting', 'changemgmt.next_meeting(''cab'')'),
	('merkle_root', 'changemgmt.merkle_root(ARRAY[sha256('''')])'),
	('next_steps', 'changemgmt.next_steps({draft})'),
	('open_windows', 'changemgmt.open_windows(''db'', ''[2026-07-01,2026-07-03)'')'),
	('person_id', 'changemgmt.person_id(''ada'')'),
	('requirement_list', 'changemgmt.requirement_list()'),
	('policy_backtest', 'changemgmt.policy_backtest(''all'')'),
	('risk_explain', 'changemgmt.risk_explain({planned})'),
	('risk_level', 'changemgmt.risk_level({planned})'),
	('risk_probability', 'changemgmt.risk_probability({planned})'),
	('risk_score', 'changemgmt.risk_score({planned})'),
	('risk_summary', 'changemgmt.risk_summary({planned})'),
	('risk_what_if', 'changemgmt.risk_what_if({planned}, ''{"touches_security": true}'')'),
	('row_digest', 'changemgmt.row_digest(ROW (1))'),
	('setting_value', 'changemgmt.setting_value(''number_prefix'')'),
	('shipped_functions', 'changemgmt.shipped_functions()'),
	('shipped_models', 'changemgmt.shipped_models()'),
	('shipped_checklist', 'changemgmt.shipped_checklist()'),
	('shipped_risk_factors', 'changemgmt.shipped_risk_factors()'),
	('shipped_risk_matrices', 'changemgmt.shipped_risk_matrices()'),
	('site_risk_matrix_cells', 'changemgmt.site_risk_matrix_cells(''[]'')'),
	('shipped_settings', 'changemgmt.shipped_settings()'),
	('shipped_tables', 'changemgmt.shipped_tables()'),
	('shipped_triggers', 'changemgmt.shipped_triggers()'),
	('team_id', 'changemgmt.team_id(''dba'')'),
	('template_record', 'changemgmt.template_record(''walk'', 1)'),
	('verify_ledger', 'changemgmt.verify_ledger(''change'', {draft})'),
	('verify_checkpoint', 'changemgmt.verify_checkpoint(root) FROM (VALUES (''{root}'')) AS v (root)'),
	('change_as_of', 'changemgmt.change_as_of({voted})'),
	('change_conflicts', 'changemgmt.change_conflicts({scheduled})'),
	('changes_near', 'changemgmt.changes_near(''db'')'),
	('suspect_changes', 'changemgmt.suspect_changes(''INC-1'')'),
	('change_document', 'changemgmt.change_document({voted})'),
	('next_windows', 'changemgmt.next_windows(''db'', ''1 hour'')'),
	('suggest_windows', 'changemgmt.suggest_windows({approved})'),
	('window_id', 'changemgmt.window_id(''old'')'),
	('window_state', 'changemgmt.window_state(''db'', ''2026-07-01'')'),
	('what_the_board_saw', 'changemgmt.what_the_board_saw({voted})'),
	('why_not', 'changemgmt.why_not({draft})')) AS v (subject, call);

-- Functions that do something
INSERT INTO matrix (subject, statement, cells)
SELECT subject, 'SELECT changemgmt.' || call, cells FROM (VALUES
	--                                                                    nobody, viewer, requester, implementer, approver, manager, integration, owner
	('create_change', 'create_change(''new'')',                          '- - ok ok - ok ok ok'),
	('create_change_from', 'create_change_from(''{"title": "new"}'')',   '- - ok ok - ok ok ok'),
	('copy_change', 'copy_change({closed})',                             '- - ok ok - ok ok ok'),
	('edit_change', 'edit_change({draft}, ''{"title": "other"}'')',      '- - ok ok - ok ok ok'),
	('edit_template', 'edit_template({draft}, ''{"title": "other"}'')',  '- - ok ok - ok ok ok'),
	('propose_template', 'propose_template({closed}, ''ours'')',         '- - ok ok - ok ok ok'),
	('add_item', 'add_item({draft}, ''web'')',                           '- - ok ok - ok ok ok'),
	('add_risk', 'add_risk({draft}, ''fire'', ''low'', ''low'')',        '- - ok ok - ok ok ok'),
	('register_risk', 'register_risk({draft}, ''fire'')',                 '- - ok ok - ok ok ok'),
	('add_task', 'add_task({draft}, ''more'')',                          '- - ok ok - ok ok ok'),
	('add_step', 'add_step({draft}, ''more'')',                          '- - ok ok - ok ok ok'),
	('set_dependencies', 'set_dependencies({task}, ''{}'')',             '- - ok ok - ok ok ok'),
	('review_object', 'review_object({line})',                           '- - ok ok ok ok ok ok'),
	('add_checklist', 'add_checklist({draft})',                          '- - ok ok - ok ok ok'),
	('add_check', 'add_check({draft}, ''more'')',                        '- - ok ok - ok ok ok'),
	('add_signal_check', 'add_signal_check({draft}, ''more'', ''errors'', 5)', '- - ok ok - ok ok ok'),
	('add_comment', 'add_comment({draft}, ''hm'')',                      '- - ok ok ok ok ok ok'),
	('complete_duty', 'complete_duty({duty}, ''called'')',               '- - ok ok ok ok ok ok'),
	('add_communication', 'add_communication({draft}, ''after'', ''users'', ''chat'', ''done'')', '- - ok ok - ok ok ok'),
	('mark_sent', 'mark_sent({communication})',                          '- - ok ok - ok ok ok'),
	('remove_communication', 'remove_communication({communication})',    '- - ok ok - ok ok ok'),
	('create_follow_up', 'create_follow_up({closed}, ''more'')',         '- - ok ok - ok ok ok'),
	('review_change', 'review_change({implemented}, lessons => ''look'')', '- - ok ok ok ok ok ok'),
	('link_change', 'link_change({draft}, ''ticket'', target => ''T2'')', '- - ok ok - ok ok ok'),
	('remove_item', 'remove_item({item})',                               '- - ok ok - ok ok ok'),
	('remove_risk', 'remove_risk({risk})',                               '- - ok ok - ok ok ok'),
	('remove_task', 'remove_task({task})',                               '- - ok ok - ok ok ok'),
	('remove_check', 'remove_check({check})',                            '- - ok ok - ok ok ok'),
	('unlink_change', 'unlink_change({link})',                           '- - ok ok - ok ok ok'),
	('plan', 'plan({draft})',                                            '- - ok ok - ok ok ok'),
	('submit', 'submit({planned})',                                      '- - ok ok - ok ok ok'),
	('hold', 'hold({planned}, ''wait'')',                                '- - ok ok - ok ok ok'),
	('resume', 'resume({held}, ''on'')',                                 '- - ok ok - ok ok ok'),
	('revise', 'revise({planned}, ''again'')',                           '- - ok ok - ok ok ok'),
	('cancel', 'cancel({planned}, ''no'')',                              '- - ok ok - ok ok ok'),

	('advance', 'advance({approved}, ''scheduled'')',                    '- - - ok - ok ok ok'),
	('schedule', 'schedule({approved})',                                 '- - - ok - ok ok ok'),
	('reschedule', 'reschedule({scheduled}, now(), now() + interval ''2 days'')', '- - - ok - ok ok ok'),
	('start', 'start({scheduled})',                                      '- - - ok - ok ok ok'),
	('publish_template', 'publish_template({approved})',                 '- - - ok - ok ok ok'),
	('complete_task', 'complete_task({open_task})',                      '- - - ok - ok ok ok'),
	('skip_task', 'skip_task({open_task}, ''no need'')',                 '- - - ok - ok ok ok'),
	('fail_task', 'fail_task({open_task}, ''no space'')',                '- - - ok - ok ok ok'),
	('reopen_task', 'reopen_task({done_task})',                          '- - - ok - ok ok ok'),
	('complete', 'complete({done})',                                     '- - - ok - ok ok ok'),
	('record_check', 'record_check({open_check}, true, ''seen'')',       '- - - ok - ok ok ok'),
	('post_update', 'post_update({in_progress}, ''half way'')',          '- - - ok - ok ok ok'),
	('record_observation', 'record_observation(0, 1)',                   '- - - ok - ok ok ok'),
	('record_signal', 'record_signal({verifying}, ''errors'', 1)',       '- - - ok - ok ok ok'),
	('resume_work', 'resume_work({verifying}, ''a step was left out'')', '- - - ok - ok ok ok'),
	('pass', 'pass({checked})',                                          '- - - ok - ok ok ok'),
	('fail', 'fail({verifying}, ''slow'', ''fixed forward'')',           '- - - ok - ok ok ok'),
	('begin_rollback', 'begin_rollback({verifying})',                    '- - - ok - ok ok ok'),
	('roll_back', 'roll_back({verifying}, ''errors'', ''testing'')',     '- - - ok - ok ok ok'),
	('confirm_stability', 'confirm_stability({rolled_back})',            '- - - ok - ok ok ok'),
	('abort', 'abort({in_progress}, ''nothing was applied'')',           '- - - ok - ok ok ok'),
	('close', 'close({implemented})',                                    '- - - ok - ok ok ok'),
	('declare_emergency', 'declare_emergency(''down'', ''INC-1'', ''ada'', ''production_down'')', '- - - ok - ok ok ok'),
	('assign_duty', 'assign_duty({draft}, ''other'', due_at => now())',  '- - - ok - ok ok MC003'),
	('reassign_duty', 'reassign_duty({duty}, ''bob'')',                  '- - - ok - ok ok MC003'),
	('incident_id', 'incident_id(''INC-2'')',                            '- - - ok - ok ok ok'),
	('record_incident', 'record_incident(''INC-2'', items => ''{web}'')', '- - - ok - ok ok ok'),
	('edit_incident', 'edit_incident(''INC-1'', ''{"severity": 2}'')',   '- - - ok - ok ok ok'),
	('resolve_incident', 'resolve_incident(''INC-1'')',                  '- - - ok - ok ok ok'),
	('reopen_incident', 'reopen_incident(''INC-0'', ''again'')',         '- - - ok - ok ok ok'),
	('suspect_cause', 'suspect_cause(''INC-1'', {planned}, ''near'')',   '- - - ok - ok ok ok'),

	-- the seat that voting and waiving need is not the owner's
	('approve', 'approve({awaiting_approval})',                          '- - - - ok ok - MC003'),
	('approve_with_conditions', 'approve_with_conditions({awaiting_approval}, ''{ask}'')', '- - - - ok ok - MC003'),
	('reject', 'reject({awaiting_approval}, ''no'')',                    '- - - - ok ok - MC003'),
	('defer', 'defer({awaiting_approval}, ''later'')',                   '- - - - ok ok - MC003'),
	('abstain', 'abstain({awaiting_approval}, ''not mine'')',            '- - - - ok ok - MC003'),
	('vote_for', 'vote_for({awaiting_approval}, ''lead'', ''approved'')', '- - - - MC003 MC003 - MC003'),
	('delegate_approval', 'delegate_approval(''bob'', now(), now() + interval ''1 day'')', '- - - - ok ok - ok'),
	('revoke_delegation', 'revoke_delegation(changemgmt.delegate_approval(''bob'', now(), now() + interval ''1 day''))', '- - - - ok ok - ok'),
	('add_condition', 'add_condition({awaiting_approval}, ''ask'')',     '- - - - ok ok - MC003'),
	('add_to_agenda', 'add_to_agenda({meeting}, {awaiting_approval})',   '- - - - ok ok - MC003'),
	('remove_from_agenda', 'remove_from_agenda({meeting}, {awaiting_approval})', '- - - - ok ok - MC003'),
	('call_emergency_meeting', 'call_emergency_meeting(''cab'', ''fire'')', '- - - - ok ok - MC003'),
	('hold_meeting', 'hold_meeting({meeting}, ''{lead}'')',              '- - - - ok ok - MC003'),
	('record_minute', 'record_minute({held_meeting}, {awaiting_approval}, ''said'')', '- - - - ok ok - MC003'),
	('close_meeting', 'close_meeting({held_meeting})',                   '- - - - ok ok - MC003'),
	('cancel_duty', 'cancel_duty({duty}, ''no need'')',                  '- - - - - ok - MC003'),
	('waive', 'waive({planned}, ''checklist_done'', ''no list'')',       '- - - - - ok - MC003'),

	('triage', 'triage({draft}, ''ada'', priority => ''low'')',          '- - - - - ok ok ok'),
	('add_ci', 'add_ci(''cache'')',                                      '- - - - - ok ok ok'),
	('set_ci', 'set_ci(''db'', tags => ''{pci}'')',                      '- - - - - ok ok ok'),
	('confirm_cause', 'confirm_cause(''INC-1'', {closed})',              '- - - - - ok ok ok'),
	('merge_incident', 'merge_incident(''INC-0'', ''INC-1'', ''the same'')', '- - - - - ok ok ok'),
	('add_incident_item', 'add_incident_item(''INC-1'', ''web'')',       '- - - ok - ok ok ok'),
	('ledger_checkpoint', 'ledger_checkpoint()',                         '- - - - - ok ok ok'),
	('tick', 'tick()',                                                   '- - - - - ok ok ok'),
	('add_board', 'add_board(''ecab'')',                                 '- - - - - ok - ok'),
	('add_board_member', 'add_board_member(''cab'', ''bob'')',           '- - - - - ok - ok'),
	('add_maintenance_window', 'add_maintenance_window(''night'', ''DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'')', '- - - - - ok - ok'),
	('declare_blackout', 'declare_blackout(''feast'', starts_at => ''2001-01-01'', ends_at => ''2001-01-02'')', '- - - - - ok - ok'),
	('remove_window', 'remove_window(''old'')',                          '- - - - - ok - ok'),
	('override_booking', 'override_booking({approved}, ''no_conflict'', ''both teams know'')', '- - - - - ok - MC003'),
	('rebuild_bookings', 'rebuild_bookings()',                           '- - - - - ok - ok'),
	('set_board_cadence', 'set_board_cadence(''steering'', ''weekly'', first_start => now())', '- - - - - ok - ok'),
	('plan_meetings', 'plan_meetings(''cab'', now() + interval ''1 month'')', '- - - - - ok - ok'),
	('cancel_meeting', 'cancel_meeting({meeting}, ''feast'')',           '- - - - - ok - ok'),
	('add_person', 'add_person(''new'')',                                '- - - - - ok - ok'),
	('create_business_calendar', 'create_business_calendar(''hours'', ''UTC'')', '- - - - - ok - ok'),
	('set_business_hours', 'set_business_hours(''works'', ''MO-TH'')',   '- - - - - ok - ok'),
	('add_holiday', 'add_holiday(''works'', ''2026-12-24'')',            '- - - - - ok - ok'),
	('remove_holiday', 'remove_holiday(''works'', ''2026-12-25'')',      '- - - - - ok - ok'),
	('import_holidays', 'import_holidays(''works'', E''BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20261224\nEND:VEVENT\nEND:VCALENDAR'')', '- - - - - ok - ok'),
	('add_team', 'add_team(''ops'')',                                    '- - - - - ok - ok'),
	('publish_model', 'publish_model(''ours'', ''{"base": "lean_normal"}'')', '- - - - - ok - ok'),
	('publish_risk_matrix', 'publish_risk_matrix(''ours'', (SELECT jsonb_agg(''["low", "low", "high", "high", "high"]''::jsonb) FROM generate_series(1, 5)))', '- - - - - ok - ok'),
	('register_risk_factor', 'register_risk_factor(''moon'', ''public.regress_factor(bigint)'', 1)', '- - - - - ok - ok'),
	('remove_risk_factor', 'remove_risk_factor(''tier'')',               '- - - - - ok - ok'),
	('set_risk_factor', 'set_risk_factor(''tier'', 9)',                  '- - - - - ok - ok'),
	('retire_model', 'retire_model(''walk'')',                           '- - - - - ok - ok'),
	('record_unauthorized', 'record_unauthorized(''found'', ''ada'', now() - interval ''2 hours'', now() - interval ''1 hour'')', '- - - - - ok - ok'),
	('register_requirement', 'register_requirement(''ours'', ''public.regress_requirement(bigint)'')', '- - - - - ok - ok'),
	('set_approval_policy', 'set_approval_policy(''ours'', ''[{"rule": "one"}]'')', '- - - - - ok - ok'),
	('remove_approval_policy', 'remove_approval_policy(''theirs'')',     '- - - - - ok - ok'),
	('fit_risk_model', 'fit_risk_model(''regress_past'', ''{x}'', at => ''at'')', '- - - - - ok - ok'),
	('activate_risk_model', 'activate_risk_model(1)',                    '- - - - - ok - ok'),
	('deactivate_risk_model', 'deactivate_risk_model()',                 '- - - - - ok - ok'),
	('set_setting', 'set_setting(''number_prefix'', ''C'')',             '- - - - - ok - ok'),

	('grant_role', 'grant_role(''regress_nobody'', ''viewer'')',         '- - - - - - - ok'),
	('revoke_role', 'revoke_role(''regress_viewer'', ''viewer'')',       '- - - - - - - ok')) AS v (subject, call, cells);

-- Support functions that nobody can call from SQL: their arguments are internal.
INSERT INTO matrix (subject, statement, cells) VALUES
	('rate_recv', 'SELECT changemgmt.rate_recv(NULL)', '42883 42883 42883 42883 42883 42883 42883 42883'),
	('rate_sortsupport', 'SELECT changemgmt.rate_sortsupport(NULL)', '42883 42883 42883 42883 42883 42883 42883 42883'),
	('auc_accum', 'SELECT changemgmt.auc_accum(NULL, 1, true)', '42883 42883 42883 42883 42883 42883 42883 42883'),
	('auc_combine', 'SELECT changemgmt.auc_combine(NULL, NULL)', '42883 42883 42883 42883 42883 42883 42883 42883'),
	('auc_serial', 'SELECT changemgmt.auc_serial(NULL)', '42883 42883 42883 42883 42883 42883 42883 42883'),
	('auc_deserial', 'SELECT changemgmt.auc_deserial(NULL, NULL)', '42883 42883 42883 42883 42883 42883 42883 42883'),
	('auc_final', 'SELECT changemgmt.auc_final(NULL)', '42883 42883 42883 42883 42883 42883 42883 42883'),
	('recurrence_recv', 'SELECT changemgmt.recurrence_recv(NULL)', '42883 42883 42883 42883 42883 42883 42883 42883'),
	('occurrences_support', 'SELECT changemgmt.occurrences_support(NULL)', '42883 42883 42883 42883 42883 42883 42883 42883');

-- Functions of triggers: the owner, too, finds that they are called by triggers.
INSERT INTO matrix (subject, statement, cells)
SELECT name, format('SELECT changemgmt.%I()', name), '- - - - - - - 39P01' FROM unnest(ARRAY[
	'risk_model_judge',
	'cache_invalidate', 'business_calendar_check', 'site_setting_check', 'ledger_guard', 'load_record', 'ledger_record', 'truncate_guard', 'model_guard',
	'part_stamp', 'part_changed', 'lifecycle_stamp', 'lifecycle_judge', 'template_check', 'template_judge', 'proposal_judge', 'site_requirement_check',
	'waiver_judge', 'waiver_stamp', 'booking_follow', 'booking_guard', 'booking_item', 'window_stamp', 'delegation_stamp', 'delegation_judge', 'vote_stamp', 'vote_judge', 'vote_tally', 'condition_judge', 'meeting_stamp', 'meeting_judge', 'risk_assess', 'risk_assessment_guard', 'risk_matrix_guard', 'site_risk_factor_check', 'site_risk_factor_sum', 'duty_stamp', 'duty_judge', 'duty_follow', 'duty_check', 'duty_part', 'incident_stamp', 'incident_judge']) AS name;
-- the policies of the tables call it, for whoever reads
INSERT INTO matrix (subject, statement, cells) VALUES ('hidden_changes', 'SELECT changemgmt.hidden_changes()', 'ok ok ok ok ok ok ok ok'),
	('hidden_assessments', 'SELECT changemgmt.hidden_assessments()', 'ok ok ok ok ok ok ok ok'),
	('hidden_causes', 'SELECT changemgmt.hidden_causes()', 'ok ok ok ok ok ok ok ok'),
	('hidden_duties', 'SELECT changemgmt.hidden_duties()', 'ok ok ok ok ok ok ok ok'),
	('hidden_items', 'SELECT changemgmt.hidden_items(''agenda_item'')', 'ok ok ok ok ok ok ok ok');
INSERT INTO matrix (subject, statement, cells) VALUES ('drop_guard', 'SELECT changemgmt.drop_guard()', '- - - - - - - 39P03');

-- The rules: what the duty gives, and the person is refused
INSERT INTO matrix (kind, subject, statement, cells) VALUES
	('person', 'a vote without a seat', 'SELECT changemgmt.approve({lean})', '- - - - MC003 MC003 - MC003'),
	('person', 'a condition without a vote', 'SELECT changemgmt.add_condition({lean}, ''ask'')', '- - - - MC003 MC003 - MC003'),
	('person', 'a vote for one''s own change', 'SELECT changemgmt.approve({own})', '- - - - MC004 MC004 - MC003'),
	('person', 'a condition for one''s own change', 'SELECT changemgmt.add_condition({own}, ''ask'')', '- - - - MC003 MC003 - MC003'),
	('person', 'another requester of one''s own change', 'SELECT changemgmt.edit_change({own_draft}, ''{"requester": "ada"}'')', '- - MC003 MC003 - MC003 MC003 MC003'),
	('person', 'a waiver that the model does not allow', 'SELECT changemgmt.waive({planned}, ''plan_complete'', ''no time'')', '- - - - - MC003 - MC003'),
	('person', 'a condition taken away by who may not vote', 'SELECT changemgmt.remove_task({lean_condition})', '- - MC003 MC003 - MC003 MC003 MC003'),
	('person', 'another model after it was submitted', 'SELECT changemgmt.edit_change({approved}, ''{"model": "major"}'')', '- - MC005 MC005 - MC005 MC005 MC005'),
	('person', 'a plan that is frozen', 'SELECT changemgmt.edit_change({in_progress}, ''{"title": "other"}'')', '- - MC005 MC005 - MC005 MC005 MC005'),
	('person', 'a step out of order', 'SELECT changemgmt.close({draft})', '- - - MC001 - MC001 MC001 MC001'),
	('person', 'a start without approval', 'UPDATE changemgmt.change SET status = ''in_progress'' WHERE id = {draft}', '- - - - - - - MC001');

-- Tables: a duty reads and never writes. The owner writes by the rules.
CREATE TEMP TABLE written (relation text, columns text, row_values text, inserted text, assignment text, updated text, which text, deleted text);
INSERT INTO written VALUES
	('site_setting', 'key, value', '''number_prefix'', ''C''', 'ok', 'value = ''Europe/Paris''', 'ok', 'true', 'ok'),
	('person', 'login, name', '''new'', ''New''', 'ok', 'phone = ''1''', 'ok', 'login = ''ada''', '23503'),
	('team', 'name', '''ops''', 'ok', 'email = ''a@b''', 'ok', 'name = ''dba''', '23503'),
	('team_member', 'team_id, person_id', 'changemgmt.team_id(''dba''), changemgmt.person_id(''bob'')', 'ok', 'person_id = changemgmt.person_id(''lead2'') WHERE person_id = changemgmt.person_id(''ada'')', 'ok', 'true', 'ok'),
	('board', 'name', '''ecab''', 'ok', 'description = ''theirs''', 'ok', 'name = ''cab''', '23503'),
	('board_member', 'board_id, person_id', 'changemgmt.board_id(''cab''), changemgmt.person_id(''bob'')', 'ok', 'seat = ''security''', 'ok', 'true', 'ok'),
	('role_duty', 'role_name, duty, granted_by', '''x'', ''viewer'', ''ada''', 'ok', 'granted_by = ''ada''', 'ok', 'true', 'ok'),
	('ledger', 'subject_kind, subject_id, sequence, event, changed, actor, session_role, effective_role, recorded_at, row_digest, previous_hash, hash',
		'''change'', {draft}, 99, ''edit'', ''{}'', ''ada'', ''ada'', ''ada'', now(), sha256(''''), sha256(''''), sha256('''')', 'MC006', 'actor = ''bob''', 'MC006', 'true', 'MC006'),
	('load', 'relation, row_count, session_role, effective_role, loaded_at', '''change'', 1, ''ada'', ''ada'', now()', 'MC006', 'row_count = 9', 'MC006', 'true', 'MC006'),
	('ledger_checkpoint', 'id, taken_at, subjects, entries, root, actor, session_role, effective_role',
		'99, now(), 1, 1, sha256(''''), ''ada'', ''ada'', ''ada''', 'MC006', 'root = sha256('''')', 'MC006', 'true', 'MC006'),
	('ledger_checkpoint_head', 'subject_kind, subject_id, checkpoint_id, sequence, hash', '''change'', 99, 99, 1, sha256('''')', 'MC006', 'hash = sha256('''')', 'MC006', 'true', 'MC006'),
	('configuration_item', 'name', '''cache''', 'ok', 'tier = 3', 'ok', 'name = ''db''', '23503'),
	('ci_dependency', 'ci_id, depends_on_ci_id', 'changemgmt.ci_id(''db''), changemgmt.ci_id(''disk'')', 'ok', 'kind = ''uses''', 'ok', 'true', 'ok'),
	('change_window', 'name, kind, starts_at, ends_at', '''new'', ''blackout'', ''2001-01-01'', ''2001-01-02''', 'ok', 'reason = ''theirs''', 'ok', 'true', 'ok'),
	('booking', 'change_id, ci_id, period, role, is_exclusive', '{approved}, changemgmt.ci_id(''db''), tstzrange(now(), now() + interval ''1 hour''), ''changed'', false', 'MC005', 'role = ''affected''', 'MC005', 'true', 'MC005'),
	('site_model', 'key, version, definition, published_by', '''ours'', 1, ''{"base": "lean_normal"}'', ''ada''', 'ok', 'definition = ''{"base": "major"}''', 'MC006', 'true', 'MC006'),
	('business_calendar', 'name, time_zone', '''hours'', ''UTC''', 'ok', 'time_zone = ''Europe/Paris''', 'ok', 'name = ''works''', '23503'),
	('business_hours', 'calendar_id, weekday, opens, closes', 'changemgmt.business_calendar_id(''works''), 7, ''10:00'', ''12:00''', 'ok', 'closes = ''23:00''', 'ok', 'true', 'ok'),
	('holiday', 'calendar_id, day', 'changemgmt.business_calendar_id(''works''), ''2026-12-24''', 'ok', 'name = ''theirs''', 'ok', 'true', 'ok'),
	('change', 'title', '''new''', 'ok', 'title = ''other'' WHERE id = {draft}', 'ok', 'id = {bare}', 'ok'),
	('change_item', 'change_id, ci_id', '{draft}, changemgmt.ci_id(''web'')', 'ok', 'role = ''affected'' WHERE id = {item}', 'ok', 'id = {item}', 'ok'),
	('change_risk', 'change_id, description, likelihood, impact', '{draft}, ''fire'', ''low'', ''low''', 'ok', 'impact = ''high'' WHERE id = {risk}', 'ok', 'id = {risk}', 'ok'),
	('change_task', 'change_id, title', '{draft}, ''more''', 'ok', 'title = ''other'' WHERE id = {task}', 'ok', 'id = {task}', 'ok'),
	('change_check', 'change_id, title', '{draft}, ''more''', 'ok', 'title = ''other'' WHERE id = {check}', 'ok', 'id = {check}', 'ok'),
	('change_comment', 'change_id, body', '{draft}, ''hm''', 'ok', 'body = ''never said''', 'MC003', 'true', 'MC003'),
	('change_communication', 'change_id, timing, stakeholder, channel, message', '{draft}, ''before'', ''users'', ''chat'', ''soon''', 'ok',
		'message = ''other'' WHERE id = {communication}', 'ok', 'id = {communication}', 'ok'),
	('change_review', 'change_id, kind, lessons', '{implemented}, ''independent'', ''look first''', 'ok', 'lessons = ''none'' WHERE change_id = {checked}', 'MC003', 'change_id = {checked}', 'MC006'),
	('change_link', 'change_id, relation, target', '{draft}, ''ticket'', ''T2''', 'ok', 'target = ''T3'' WHERE id = {link}', 'ok', 'id = {link}', 'ok'),
	('site_risk_matrix', 'key, version, cells, published_by', '''theirs'', 1, (SELECT jsonb_agg(''["low", "low", "high", "high", "high"]''::jsonb) FROM generate_series(1, 5)), ''ada''', 'ok',
		'published_by = ''bob''', 'MC006', 'true', 'MC006'),
	('site_risk_factor', 'name, weight', '''type'', 7', 'ok', 'weight = 8', 'ok', 'true', 'ok'),
	('risk_assessment', 'change_id, verb, score, level, won_by, explanation, plan_revision', '{planned}, ''submit'', 1, ''low'', ''score'', ''{}'', 1', 'MC006',
		'level = ''low''', 'MC006', 'true', 'MC006'),
	('site_requirement', 'name, function', '''ours'', ''public.regress_requirement(bigint)''', 'ok', 'hint = ''theirs''', 'ok', 'true', 'ok'),
	('change_waiver', 'change_id, requirement, reason', '{planned}, ''checklist_done'', ''no list''', 'MC003', 'reason = ''theirs''', 'MC003', 'true', 'MC003'),
	('approval_policy', 'name', '''ours''', 'ok', 'risk_level = ''high''', 'ok', 'true', '23503'),
	('approval_level', 'policy_id, level, rule', '(SELECT id FROM changemgmt.approval_policy), 2, ''one''', 'ok', 'level = 7', 'ok', 'true', 'ok'),
	('approval_vote', 'change_id, round, person_id, decision, plan_revision, seal',
		'{awaiting_approval}, 1, changemgmt.person_id(''regress_owner''), ''approved'', 1, sha256('''')', 'MC003', 'decision = ''rejected'' WHERE change_id = {voted}', 'MC003', 'change_id = {voted}', 'MC003'),
	('approval_delegation', 'to_person_id, valid_until', 'changemgmt.person_id(''bob''), now() + interval ''1 day''', 'ok', 'reason = ''theirs''', 'MC006', 'true', 'MC006'),
	('template_proposal', 'change_id, key, definition', '{bare}, ''ours'', ''{"base": "standard", "plan": {}}''', 'ok',
		'key = ''theirs'' WHERE change_id = {draft}', 'ok', 'change_id = {draft}', 'ok'),
	('duty', 'change_id, kind, title, due_at', '{draft}, ''other'', ''ours'', now()', 'MC003', 'title = ''theirs''', 'MC005', 'true', 'MC006'),
	('risk_model', 'version, source, features, outcome, ridge, rounds, trained_rows, trained_failures, deviance, null_deviance, log_likelihood, coefficients, standard_errors, means, deviations, fitted_by',
		'2, ''s'', ''{x}'', ''failed'', 0, 1, 20, 10, 1, 1, -1, ''{0,0}'', ''{1,1}'', ''{0}'', ''{1}'', ''ada''', 'ok', 'auc = 1', 'MC006', 'true', 'MC006'),
	('board_cadence', 'board_id, recurrence', 'changemgmt.board_id(''steering''), ''DTSTART:20260106T020000Z DURATION:PT2H''', 'ok', 'location = ''bar''', 'ok', 'true', 'ok'),
	('board_meeting', 'board_id, starts_at, ends_at', 'changemgmt.board_id(''cab''), now() + interval ''2 days'', now() + interval ''3 days''', 'ok',
		'location = ''bar''', 'MC003', 'id = {empty_meeting}', 'ok'),
	('board_attendance', 'meeting_id, person_id', '{held_meeting}, changemgmt.person_id(''bob'')', 'MC003', 'seat = ''security''', 'MC003', 'true', 'MC003'),
	('agenda_item', 'meeting_id, change_id', '{meeting}, {planned}', 'MC003', 'position = 3', 'MC003', 'true', 'MC006'),
	('meeting_minute', 'meeting_id, change_id, discussion', '{held_meeting}, {draft}, ''said''', 'MC003', 'discussion = ''never said''', 'MC003', 'true', 'MC006'),
	('incident', 'reference', '''INC-2''', 'ok', 'title = ''theirs''', 'ok', 'true', '23503'),
	('incident_cause', 'incident_id, change_id', 'changemgmt.incident_id(''INC-1''), {planned}', 'ok', 'status = ''confirmed''', 'ok', 'status = ''suspected''', 'ok'),
	('incident_item', 'incident_id, ci_id', 'changemgmt.incident_id(''INC-1''), changemgmt.ci_id(''web'')', 'ok', 'ci_id = changemgmt.ci_id(''web'')', 'ok', 'true', 'ok');
INSERT INTO matrix (kind, subject, statement, cells)
SELECT 'SELECT', relation, format('SELECT * FROM changemgmt.%I', relation), '- ok ok ok ok ok ok ok' FROM written;
INSERT INTO matrix (kind, subject, statement, cells)
SELECT 'INSERT', relation, format('INSERT INTO changemgmt.%I (%s) VALUES (%s)', relation, columns, row_values), '- - - - - - - ' || inserted FROM written
UNION ALL
SELECT 'UPDATE', relation, format('UPDATE changemgmt.%I SET %s', relation, assignment), '- - - - - - - ' || updated FROM written
UNION ALL
SELECT 'DELETE', relation, format('DELETE FROM changemgmt.%I WHERE %s', relation, which), '- - - - - - - ' || deleted FROM written
UNION ALL
SELECT 'TRUNCATE', relation, format('TRUNCATE changemgmt.%I CASCADE', relation), '- - - - - - - MC006' FROM written
UNION ALL
SELECT 'FOR UPDATE', relation, format('SELECT FROM changemgmt.%I FOR UPDATE', relation), '- - - - - - - ok' FROM written
UNION ALL
SELECT 'LOCK', relation, format('LOCK changemgmt.%I IN ACCESS EXCLUSIVE MODE', relation), '- - - - - - - ok' FROM written
UNION ALL
SELECT 'TRIGGER', relation, format('CREATE TRIGGER theirs AFTER UPDATE ON changemgmt.%I EXECUTE FUNCTION public.regress_trigger()', relation), '- - - - - - - ok' FROM written
UNION ALL
SELECT 'DISABLE TRIGGER', relation, format('ALTER TABLE changemgmt.%I DISABLE TRIGGER ALL', relation), '- - - - - - - ok' FROM written
UNION ALL
SELECT 'POLICY', relation, format('CREATE POLICY theirs ON changemgmt.%I', relation), '- - - - - - - ok' FROM written
UNION ALL
SELECT 'ALTER', relation, format('ALTER TABLE changemgmt.%I ADD COLUMN theirs integer', relation), '- - - - - - - ok' FROM written
UNION ALL
SELECT 'COMMENT', relation, format('COMMENT ON TABLE changemgmt.%I IS ''theirs''', relation), '- - - - - - - ok' FROM written
UNION ALL
SELECT 'INDEX', relation, format('CREATE INDEX ON changemgmt.%I ((1))', relation), '- - - - - - - ok' FROM written
UNION ALL
SELECT 'DROP', relation, format('DROP TABLE changemgmt.%I CASCADE', relation), '- - - - - - - 2BP01' FROM written;

-- Views: all but metrics_fact are read; the server cannot write into any but the
-- simple ones, and has no right for these
CREATE TEMP TABLE seen (relation text, cells text, column_name text, written text);
INSERT INTO seen VALUES
	('setting', '- ok ok ok ok ok ok ok', 'value', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('model', '- ok ok ok ok ok ok ok', 'key', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('change_conflict', '- ok ok ok ok ok ok ok', 'number', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('risk_factor', '- ok ok ok ok ok ok ok', 'factor', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('risk_matrix', '- ok ok ok ok ok ok ok', 'key', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('requirement', '- ok ok ok ok ok ok ok', 'name', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('request_queue', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('verification', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('unverified_change', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('rollback', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('checklist_entry', '- ok ok ok ok ok ok ok', 'key', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('template', '- ok ok ok ok ok ok ok', 'key', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('standard_candidate', '- ok ok ok ok ok ok ok', 'pattern', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('cab_queue', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('board_agenda', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('board_minutes', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('open_duty', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('overdue_duty', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('emergency_compliance', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('unauthorized_change', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('approval_queue', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('communication_plan', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('change_follow_up', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('risk_model_coefficient', '- ok ok ok ok ok ok ok', 'feature', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('risk_model_calibration', '- ok ok ok ok ok ok ok', 'changes', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('change_schedule', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('change_fact', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('incident_change', '- ok ok ok ok ok ok ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('risk_training', '- ok ok ok ok ok ok ok', 'failed', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('risk_prediction', '- ok ok ok ok ok ok ok', 'failed', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('risk_model_comparison', '- ok ok ok ok ok ok ok', 'changes', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('risk_calibration', '- ok ok ok ok ok ok ok', 'changes', '55000 55000 55000 55000 55000 55000 55000 55000'),
	('monthly_metrics', '- ok ok ok ok ok ok ok', 'month', '55000 55000 55000 55000 55000 55000 55000 55000'),
	-- it counts what is confidential
	('metrics_fact', '- - - - - - - ok', 'title', '55000 55000 55000 55000 55000 55000 55000 55000');
INSERT INTO matrix (kind, subject, statement, cells)
SELECT 'SELECT', relation, format('SELECT * FROM changemgmt.%I', relation), cells FROM seen
UNION ALL
SELECT 'INSERT', relation, format('INSERT INTO changemgmt.%I (%I) VALUES (NULL)', relation, column_name), written FROM seen
UNION ALL
SELECT 'UPDATE', relation, format('UPDATE changemgmt.%I SET %I = NULL', relation, column_name), written FROM seen
UNION ALL
SELECT 'DELETE', relation, format('DELETE FROM changemgmt.%I', relation), written FROM seen
UNION ALL
SELECT 'ALTER', relation, format('ALTER VIEW changemgmt.%I RESET (security_invoker)', relation), '- - - - - - - ok' FROM seen
UNION ALL
SELECT 'DROP', relation, format('DROP VIEW changemgmt.%I CASCADE', relation), '- - - - - - - 2BP01' FROM seen;

-- Sequences
CREATE TEMP TABLE counted (relation text);
INSERT INTO counted SELECT name || '_id_seq' FROM unnest(ARRAY['risk_model', 'site_risk_matrix', 'site_risk_factor', 'risk_assessment',
	'site_setting', 'person', 'team', 'team_member', 'board', 'board_member',
	'role_duty', 'configuration_item', 'ci_dependency', 'change_window', 'business_calendar', 'business_hours', 'holiday', 'site_model', 'change', 'change_item', 'change_risk', 'change_task',
	'change_check', 'change_comment', 'change_link', 'change_communication', 'change_review', 'site_requirement', 'change_waiver', 'approval_vote', 'approval_delegation', 'template_proposal', 'incident',
	'incident_cause', 'incident_item', 'board_cadence', 'board_meeting', 'board_attendance', 'agenda_item', 'meeting_minute', 'approval_policy', 'approval_level', 'duty']) AS name;
-- forward: what setval does stays
INSERT INTO matrix (kind, subject, statement, cells)
SELECT 'nextval', relation, format('SELECT nextval(''changemgmt.%I'')', relation), '- - - - - - - ok' FROM counted
UNION ALL
SELECT 'setval', relation, format('SELECT setval(''changemgmt.%I'', 100000)', relation), '- - - - - - - ok' FROM counted
UNION ALL
SELECT 'SELECT', relation, format('SELECT last_value FROM changemgmt.%I', relation), '- - - - - - - ok' FROM counted;

-- The rest
INSERT INTO matrix (kind, subject, statement, cells)
SELECT 'other', statement, statement, cells FROM (VALUES
	('CREATE TABLE changemgmt.theirs ()',                                            '- - - - - - - ok'),
	('CREATE VIEW changemgmt.theirs AS SELECT 1 AS one',                             '- - - - - - - ok'),
	('CREATE FUNCTION changemgmt.theirs() RETURNS integer LANGUAGE sql AS ''SELECT 1''', '- - - - - - - ok'),
	('CREATE TYPE changemgmt.theirs AS ENUM ()',                                     '- - - - - - - ok'),
	('ALTER FUNCTION changemgmt.approve(bigint, text, bigint) SECURITY INVOKER',     '- - - - - - - ok'),
	('ALTER FUNCTION changemgmt.add_task(bigint, text, text, text, text, text, text, integer) RESET search_path', '- - - - - - - ok'),
	('COMMENT ON FUNCTION changemgmt.approve(bigint, text, bigint) IS ''theirs''',   '- - - - - - - ok'),
	('DROP FUNCTION changemgmt.approve(bigint, text, bigint)',                       '- - - - - - - 2BP01'),
	('DROP TRIGGER judge ON changemgmt.approval_vote',                               '- - - - - - - ok'),
	('ALTER TABLE changemgmt.change NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', '- - - - - - - ok'),
	('ALTER TABLE changemgmt.change OWNER TO CURRENT_USER',                          '- - - - - - - ok'),
	('CREATE RULE theirs AS ON INSERT TO changemgmt.change_comment DO INSTEAD NOTHING', '- - - - - - - ok'),
	('CREATE TABLE public.theirs (id bigint REFERENCES changemgmt.change)',          '- - - - - - - ok'),
	('CREATE TABLE public.theirs () INHERITS (changemgmt.ledger)',                   '- - - - - - - ok'),
	-- SELECT suffices for it, and a view reads as its owner
	('CREATE VIEW public.theirs AS SELECT * FROM changemgmt.change; SELECT * FROM public.theirs', '- ok ok ok ok ok ok ok'),
	('ALTER TYPE changemgmt.rate RENAME TO theirs',                                  '- - - - - - - ok'),
	('SECURITY LABEL ON TABLE changemgmt.change IS ''theirs''',                      '22023 22023 22023 22023 22023 22023 22023 22023'),
	('SET LOCAL changemgmt.actor = ''ada''',                                         '- - - - - - - ok'),
	('SELECT set_config(''changemgmt.actor'', ''ada'', true)',                       '- - - - - - - ok'),
	('SET LOCAL changemgmt.allow_drop = on',                                         '- - - - - - - ok'),
	('SET LOCAL session_replication_role = replica',                                 '- - - - - - - ok'),
	('SET LOCAL ROLE regress_owner',                                                 '- - - - - - - ok'),
	('ALTER ROLE CURRENT_USER SET changemgmt.actor = ''ada''',                       '- - - - - - - ok'),
	('GRANT SET ON PARAMETER changemgmt.actor TO CURRENT_USER',                      '- - - - - - - ok'),
	('ALTER EXTENSION changemgmt UPDATE',                                            '- - - - - - - ok'),
	-- what would drop changes or hide them is refused before the server asks whose they are
	('ALTER EXTENSION changemgmt DROP TABLE changemgmt.ledger',                      'MC006 MC006 MC006 MC006 MC006 MC006 MC006 MC006'),
	('ALTER SCHEMA changemgmt RENAME TO theirs',                                     'MC006 MC006 MC006 MC006 MC006 MC006 MC006 MC006'),
	('DROP SCHEMA changemgmt CASCADE',                                               'MC006 MC006 MC006 MC006 MC006 MC006 MC006 MC006'),
	('DROP EXTENSION changemgmt',                                                    'MC006 MC006 MC006 MC006 MC006 MC006 MC006 MC006'),
	('DROP EXTENSION changemgmt CASCADE',                                            'MC006 MC006 MC006 MC006 MC006 MC006 MC006 MC006')) AS v (statement, cells);
-- Who may look may not pass that on: the server says so with a warning only
INSERT INTO matrix (kind, subject, statement, cells) VALUES
	('other', 'GRANT to somebody else', $$DO 'BEGIN
		GRANT SELECT ON changemgmt.change TO regress_other;
		GRANT EXECUTE ON FUNCTION changemgmt.change_id(text) TO regress_other;
		IF NOT (has_table_privilege(''regress_other'', ''changemgmt.change'', ''SELECT'')
			AND has_function_privilege(''regress_other'', ''changemgmt.change_id(text)'', ''EXECUTE'')) THEN
			RAISE insufficient_privilege;
		END IF; END'$$, '- - - - - - - ok');

-- COPY, by who may read and write the server's files, which duties do not give
INSERT INTO matrix (kind, subject, statement, cells)
SELECT 'COPY FROM', relation, format('COPY changemgmt.%I FROM ''/dev/null''', relation), '- - - - - - - ok' FROM written
UNION ALL
SELECT 'COPY TO', relation, format('COPY changemgmt.%I TO ''/dev/null''', relation), '- ok ok ok ok ok ok ok' FROM written;

-- ----------------------------------------------------------------
-- The matrix is about everything that there is
-- ----------------------------------------------------------------

SELECT is_empty('SELECT * FROM matrix WHERE cardinality(string_to_array(cells, '' '')) <> 8', 'every row has eight cells');
SELECT is_empty($$
	(SELECT proname::text FROM pg_proc JOIN pg_depend ON classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e'
		AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'changemgmt')
	UNION ALL
	SELECT relname FROM pg_class JOIN pg_depend ON classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype IN ('e', 'i')
		AND (refobjid = (SELECT oid FROM pg_extension WHERE extname = 'changemgmt') OR relnamespace = 'changemgmt'::regnamespace)
	WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S'))
	EXCEPT SELECT subject FROM matrix WHERE kind IN ('function', 'SELECT', 'nextval')$$,
	'every function, table, view and sequence has a row');
SELECT is_empty($$
	SELECT subject FROM matrix WHERE kind IN ('function', 'SELECT', 'nextval')
	EXCEPT (SELECT proname FROM pg_proc WHERE pronamespace = 'changemgmt'::regnamespace
		UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'changemgmt'::regnamespace)$$,
	'and there are no others');
SELECT is_empty($$SELECT proname FROM pg_proc WHERE pronamespace = 'changemgmt'::regnamespace AND proname <> 'add_business_days' GROUP BY 1 HAVING count(*) > 1$$,
	'a name is one function''s, but for the calendar that a newer one takes');

-- ----------------------------------------------------------------
-- A site
-- ----------------------------------------------------------------

CREATE FUNCTION public.regress_requirement(change_id bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT NULL::text';
CREATE FUNCTION public.regress_factor(change_id bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 0.5';
CREATE FUNCTION public.regress_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
GRANT CREATE ON SCHEMA public TO PUBLIC;
CREATE ROLE regress_other;

-- Everybody is known and has a seat, but for the owner: so what refuses is the
-- duty that is missing. For each duty there is a role that has it, and there
-- are a member of that role and one who inherits nothing.
CREATE ROLE regress_owner SUPERUSER;
CREATE TEMP TABLE login AS
	SELECT place, name AS duty, 'regress_' || name AS role, 'regress_' || prefix || name AS login, prefix
	FROM duty, unnest(ARRAY['', 'member_', 'closed_']) AS prefix
	WHERE name <> 'owner' OR prefix = '';
SELECT format('CREATE ROLE %I %s', login, CASE prefix WHEN 'closed_' THEN 'NOINHERIT' ELSE '' END)
FROM login WHERE duty <> 'owner' ORDER BY place, prefix \gexec
SELECT format('GRANT %I TO %I', role, login) FROM login WHERE prefix <> '' \gexec
SELECT changemgmt.grant_role(role, duty) FROM login WHERE prefix = '' AND duty NOT IN ('nobody', 'owner') \g /dev/null
-- so that it is not the schema that refuses
GRANT USAGE ON SCHEMA changemgmt TO regress_nobody;

SELECT changemgmt.add_person(name) FROM unnest('{ada,bob,lead,lead2}'::text[] || ARRAY(SELECT login FROM login)) AS name \g /dev/null
SELECT changemgmt.add_team('dba', 'lead'), changemgmt.add_board('cab'), changemgmt.incident_id('INC-1'),
	changemgmt.record_incident('INC-0', resolved_at => now()) \g /dev/null
SELECT changemgmt.add_board_member('cab', name, 'change_manager')
FROM unnest('{lead,lead2}'::text[] || ARRAY(SELECT login FROM login WHERE duty <> 'owner')) AS name \g /dev/null
SELECT changemgmt.add_ci('disk'), changemgmt.add_ci('db', version => '1'), changemgmt.add_ci('web', depends_on => '{db}') \g /dev/null
CREATE TABLE public.regress_past AS
	SELECT n % 7 AS x, n * 5 % 11 < n % 7 AS failed, timestamptz '2026-01-01 12:00+00' + n * interval '1 day' AS at
	FROM generate_series(1, 200) AS n;
GRANT SELECT ON public.regress_past TO PUBLIC;
SELECT changemgmt.fit_risk_model('regress_past', '{x}', at => 'at') \g /dev/null
-- there are many changes at a time
SELECT changemgmt.set_ci('db', is_exclusive => false) \g /dev/null
SELECT changemgmt.declare_blackout('old', starts_at => '2001-01-01', ends_at => '2001-01-02') \g /dev/null
SELECT changemgmt.create_business_calendar('works', 'Europe/Berlin'), changemgmt.add_holiday('works', '2026-12-25') \g /dev/null
SET LOCAL changemgmt.actor = 'bob';
SELECT changemgmt.delegate_approval('lead2', now(), now() + interval '1 day') \g /dev/null
RESET changemgmt.actor;
SELECT changemgmt.publish_model('walk', '{"base": "normal", "validations": []}') \g /dev/null
INSERT INTO changemgmt.board (name) VALUES ('steering');
SELECT changemgmt.set_approval_policy('theirs', '[{"rule": "any", "board": "steering"}]', model => 'standard') \g /dev/null
INSERT INTO changemgmt.team_member (team_id, person_id) VALUES (changemgmt.team_id('dba'), changemgmt.person_id('ada'));
INSERT INTO changemgmt.site_requirement (name, function) VALUES ('theirs', 'public.regress_requirement(bigint)');
SELECT changemgmt.set_risk_factor('size', 3), changemgmt.publish_risk_matrix('first', (SELECT jsonb_agg('["low", "low", "high", "high", "high"]'::jsonb) FROM generate_series(1, 5))) \g /dev/null
SELECT changemgmt.set_setting('reporting_time_zone', 'UTC'), changemgmt.ledger_checkpoint() \g /dev/null

COPY changemgmt.team (name) FROM stdin;
old
\.

-- A change that came this way, whose votes leave room for one more.
CREATE FUNCTION pg_temp.act(who text) RETURNS void LANGUAGE sql AS $$ SELECT set_config('changemgmt.actor', who, true) $$;
CREATE FUNCTION pg_temp.made(way text, who text DEFAULT 'ada', model text DEFAULT 'walk') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	c bigint;
	work bigint;
	look bigint;
	step text;
BEGIN
	PERFORM pg_temp.act(who);
	SELECT id INTO c FROM changemgmt.create_change(way, model => model, owner => who, team => 'dba', description => 'd',
		justification => 'j', user_impact => 'none', risk_level => 'low', items => '{db}', rollback_trigger => 't',
		rollback_plan => 'p', rollback_minutes => 5, planned_start => now() - interval '1 hour', planned_end => now() + interval '1 day');
	PERFORM changemgmt.add_risk(c, 'r', 'low', 'low');
	PERFORM changemgmt.add_comment(c, 'said');
	PERFORM changemgmt.link_change(c, 'ticket', target => 'T');
	INSERT INTO changemgmt.template_proposal (change_id, key, definition) VALUES (c, 'standing', '{"base": "standard", "plan": {}}');
	work := changemgmt.add_task(c, 'work');
	look := changemgmt.add_check(c, 'look');
	PERFORM changemgmt.add_communication(c, 'before', 'users', 'chat', 'soon');
	FOREACH step IN ARRAY string_to_array(way, ' ') LOOP
		PERFORM pg_temp.act(who);
		CASE step
			WHEN 'draft' THEN NULL;
			WHEN 'waive' THEN PERFORM pg_temp.act('lead'); PERFORM changemgmt.waive(c, 'notice', 'agreed');
			WHEN 'plan' THEN PERFORM changemgmt.plan(c);
			WHEN 'hold' THEN PERFORM changemgmt.hold(c, 'wait');
			WHEN 'submit' THEN PERFORM changemgmt.submit(c);
			WHEN 'ask' THEN PERFORM pg_temp.act('lead'); PERFORM changemgmt.add_condition(c, 'asked for');
			WHEN 'vote' THEN PERFORM pg_temp.act('lead'); PERFORM changemgmt.approve(c);
			WHEN 'approve' THEN PERFORM pg_temp.act('lead2'); PERFORM changemgmt.approve(c);
			WHEN 'schedule' THEN PERFORM changemgmt.schedule(c);
			WHEN 'start' THEN PERFORM changemgmt.start(c);
			WHEN 'work' THEN PERFORM changemgmt.complete_task(work);
			WHEN 'complete' THEN PERFORM changemgmt.complete(c);
			WHEN 'check' THEN PERFORM pg_temp.act('bob'); PERFORM changemgmt.record_check(look, true, 'seen');
				PERFORM changemgmt.review_change(c, lessons => 'look first');
			WHEN 'pass' THEN PERFORM pg_temp.act('bob'); PERFORM changemgmt.pass(c);
			WHEN 'roll_back' THEN PERFORM changemgmt.roll_back(c, 'errors', 'testing');
			WHEN 'close' THEN PERFORM changemgmt.close(c);
		END CASE;
	END LOOP;
	RETURN c;
END
$$;
CREATE TEMP TABLE subject (name text, login text, id text);
INSERT INTO subject (name, id) SELECT name, pg_temp.made(way)::text FROM (VALUES
	('draft', 'draft'),
	('planned', 'waive plan'),
	('held', 'waive plan hold'),
	('awaiting_approval', 'waive plan submit'),
	('voted', 'waive plan submit vote'),
	('approved', 'waive plan submit vote approve'),
	('scheduled', 'waive plan submit vote approve schedule'),
	('in_progress', 'waive plan submit vote approve schedule start'),
	('done', 'waive plan submit vote approve schedule start work'),
	('verifying', 'waive plan submit vote approve schedule start work complete'),
	('checked', 'waive plan submit vote approve schedule start work complete check'),
	('implemented', 'waive plan submit vote approve schedule start work complete check pass'),
	('rolled_back', 'waive plan submit vote approve schedule start work complete roll_back'),
	('closed', 'waive plan submit vote approve schedule start work complete check pass close')) AS v (name, way);
INSERT INTO subject (name, id) VALUES ('lean', pg_temp.made('ask plan submit', 'ada', 'lean_normal'));
INSERT INTO subject SELECT 'bare', NULL, id FROM changemgmt.create_change('bare');
INSERT INTO subject SELECT 'lined', NULL, id FROM changemgmt.create_change('lined');
INSERT INTO subject SELECT 'own', login, pg_temp.made('waive plan submit', login) FROM login;
INSERT INTO subject SELECT 'own_draft', login, pg_temp.made('draft', login) FROM login;
SET changemgmt.actor = 'lead';
SELECT changemgmt.set_board_cadence('cab', 'DTSTART:20200101T000000Z DURATION:PT1H RRULE:FREQ=DAILY;BYHOUR=0,6,12,18'),
	changemgmt.plan_meetings('cab', now() + interval '2 days') \g /dev/null
INSERT INTO subject (name, id) SELECT 'meeting', min(id) FROM changemgmt.board_meeting UNION ALL SELECT 'empty_meeting', max(id) FROM changemgmt.board_meeting
	UNION ALL SELECT 'held_meeting', changemgmt.call_emergency_meeting('cab', 'fire')
	UNION ALL SELECT 'duty', (changemgmt.assign_duty(id::bigint, 'other', due_at => now() + interval '1 day')).id FROM subject WHERE name = 'draft';
SELECT changemgmt.add_to_agenda(m.id::bigint, c.id::bigint, 1) FROM subject AS m, subject AS c WHERE m.name = 'meeting' AND c.name = 'awaiting_approval' \g /dev/null
SELECT changemgmt.hold_meeting(m.id::bigint, '{lead}'), changemgmt.record_minute(m.id::bigint, c.id::bigint, 'said')
FROM subject AS m, subject AS c WHERE m.name = 'held_meeting' AND c.name = 'planned' \g /dev/null
RESET changemgmt.actor;
INSERT INTO changemgmt.incident_cause (incident_id, change_id) SELECT changemgmt.incident_id('INC-1'), id::bigint FROM subject WHERE name = 'checked';
INSERT INTO changemgmt.incident_item (incident_id, ci_id) VALUES (changemgmt.incident_id('INC-1'), changemgmt.ci_id('db'));
INSERT INTO subject (name, id)
SELECT 'item', (SELECT id FROM changemgmt.change_item WHERE change_id = subject.id::bigint) FROM subject WHERE name = 'draft'
UNION ALL
SELECT 'risk', (SELECT id FROM changemgmt.change_risk WHERE change_id = subject.id::bigint) FROM subject WHERE name = 'draft'
UNION ALL
SELECT 'task', (SELECT id FROM changemgmt.change_task WHERE change_id = subject.id::bigint) FROM subject WHERE name = 'draft'
UNION ALL
SELECT 'line', changemgmt.add_step(id::bigint, 'create the view', object_kind => 'schema', object_name => 'v') FROM subject WHERE name = 'lined'
UNION ALL
SELECT 'done_task', (SELECT id FROM changemgmt.change_task WHERE change_id = subject.id::bigint) FROM subject WHERE name = 'done'
UNION ALL
SELECT 'check', (SELECT id FROM changemgmt.change_check WHERE change_id = subject.id::bigint) FROM subject WHERE name = 'draft'
UNION ALL
SELECT 'communication', (SELECT id FROM changemgmt.change_communication WHERE change_id = subject.id::bigint) FROM subject WHERE name = 'draft'
UNION ALL
SELECT 'link', (SELECT id FROM changemgmt.change_link WHERE change_id = subject.id::bigint) FROM subject WHERE name = 'draft'
UNION ALL
SELECT 'open_task', (SELECT id FROM changemgmt.change_task WHERE change_id = subject.id::bigint) FROM subject WHERE name = 'in_progress'
UNION ALL
SELECT 'open_check', (SELECT id FROM changemgmt.change_check WHERE change_id = subject.id::bigint) FROM subject WHERE name = 'verifying'
UNION ALL
SELECT 'lean_condition', (SELECT id FROM changemgmt.change_task WHERE change_id = subject.id::bigint AND is_condition) FROM subject WHERE name = 'lean';
INSERT INTO subject (name, id) SELECT 'possible', to_jsonb(c)::text FROM changemgmt.change AS c WHERE title = 'bare';
INSERT INTO subject (name, id) SELECT 'root', encode(root, 'hex') FROM changemgmt.ledger_checkpoint;
SELECT is_empty($$SELECT relation FROM written WHERE (xpath('/row/n/text()',
		query_to_xml(format('SELECT count(*) AS n FROM changemgmt.%I', relation), false, true, '')))[1]::text = '0'$$,
	'there is something to change in every table');

-- ----------------------------------------------------------------
-- The walk
-- ----------------------------------------------------------------

-- What a session of this login, after SET ROLE where a role is given, gets for
-- a statement. Nothing is left of it.
CREATE FUNCTION pg_temp.fate(login text, role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET LOCAL SESSION AUTHORIZATION %I', login);
	IF role IS NOT NULL THEN
		EXECUTE format('SET LOCAL ROLE %I', role);
	END IF;
	EXECUTE statement;
	RAISE SQLSTATE 'ZZ001';
EXCEPTION
	WHEN SQLSTATE 'ZZ001' THEN RETURN 'ok';
	WHEN insufficient_privilege THEN RETURN '-';
	-- 15.18 finds a function of an internal argument, and then has no value for it
	WHEN OTHERS THEN RETURN CASE WHEN sqlerrm = 'cannot accept a value of type internal' THEN '42883' ELSE sqlstate END;
END $$;
-- A statement about the changes prepared, and those of who tries it.
CREATE FUNCTION pg_temp.filled(statement text, who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	s subject;
BEGIN
	FOR s IN SELECT * FROM subject AS t WHERE t.login IS NULL OR t.login = who LOOP
		statement := replace(statement, '{' || s.name || '}', s.id);
	END LOOP;
	RETURN statement;
END $$;
CREATE FUNCTION pg_temp.cell(m matrix, duty text) RETURNS text LANGUAGE sql AS
	$$ SELECT split_part(m.cells, ' ', d.place) FROM duty AS d WHERE d.name = duty $$;
-- The cells of a row, as the logins of this prefix find them.
CREATE FUNCTION pg_temp.walk(m matrix, of_prefix text, by_role boolean DEFAULT false) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(pg_temp.fate(l.login, CASE WHEN by_role THEN l.role END,
		pg_temp.filled(m.statement, CASE WHEN by_role THEN l.role ELSE l.login END)), ' ' ORDER BY l.place)
	FROM login AS l WHERE l.prefix = of_prefix
$$;
-- The same columns, where the last, the owner's, has nobody.
CREATE FUNCTION pg_temp.duties(m matrix) RETURNS text LANGUAGE sql AS
	$$ SELECT array_to_string((string_to_array(m.cells, ' '))[:7], ' ') $$;
-- What is left to who has not even USAGE of the schema.
CREATE FUNCTION pg_temp.stranger(m matrix) RETURNS text LANGUAGE sql AS
	$$ SELECT CASE m.kind WHEN 'other' THEN split_part(m.cells, ' ', 1) ELSE '-' END $$;

SET LOCAL client_min_messages = error;

SELECT is(pg_temp.walk(m, ''), cells, format('%s %s: %s', kind, subject, regexp_replace(statement, '\s+', ' ', 'g')))
FROM matrix AS m WHERE kind NOT LIKE 'COPY%' ORDER BY place;

-- COPY with a file, by who may read and write the server's
SELECT format('GRANT pg_read_server_files, pg_write_server_files TO %I', login) FROM login WHERE prefix = '' AND duty <> 'owner' \gexec
SELECT is(pg_temp.walk(m, ''), cells, format('%s %s: %s', kind, subject, statement))
FROM matrix AS m WHERE kind LIKE 'COPY%' ORDER BY place;
SELECT format('REVOKE pg_read_server_files, pg_write_server_files FROM %I', login) FROM login WHERE prefix = '' AND duty <> 'owner' \gexec

-- A login that is a member of a role with the duty has it, and acts itself
SELECT is_empty(format($$
	SELECT m.*, walk FROM matrix AS m, pg_temp.walk(m, 'member_') AS walk
	WHERE kind = %L AND walk <> pg_temp.duties(m)$$, kind), 'by membership: ' || kind)
FROM matrix WHERE kind NOT LIKE 'COPY%' GROUP BY kind ORDER BY kind;
-- A member that inherits nothing has it after SET ROLE, and acts as that role
SELECT is_empty(format($$
	SELECT m.*, walk FROM matrix AS m, pg_temp.walk(m, 'closed_') AS walk
	WHERE kind = %L AND EXISTS (SELECT FROM string_to_table(walk, ' ') AS cell WHERE cell <> pg_temp.stranger(m))$$, kind),
	'a member with NOINHERIT: ' || kind)
FROM matrix WHERE kind NOT LIKE 'COPY%' GROUP BY kind ORDER BY kind;
SELECT is_empty(format($$
	SELECT m.*, walk FROM matrix AS m, pg_temp.walk(m, 'closed_', true) AS walk
	WHERE kind = %L AND walk <> pg_temp.duties(m)$$, kind), 'and after SET ROLE: ' || kind)
FROM matrix WHERE kind NOT LIKE 'COPY%' GROUP BY kind ORDER BY kind;

-- A duty is no seat: whoever loses that keeps what needs none
DELETE FROM changemgmt.board_member WHERE person_id IN (SELECT changemgmt.person_id(login) FROM login WHERE prefix = 'member_');
SELECT is_empty($$
	SELECT m.*, walk FROM matrix AS m, pg_temp.walk(m, 'member_') AS walk
	WHERE kind = 'function' AND walk <> CASE
		WHEN subject IN ('approve', 'approve_with_conditions', 'reject', 'defer', 'abstain', 'add_condition', 'waive', 'override_booking', 'add_to_agenda', 'remove_from_agenda',
			'call_emergency_meeting', 'hold_meeting', 'record_minute', 'close_meeting', 'assign_duty', 'reassign_duty', 'cancel_duty') THEN replace(pg_temp.duties(m), 'ok', 'MC003')
		ELSE pg_temp.duties(m) END$$, 'without a seat nobody votes, sets conditions, waives, leads a meeting or gives the duties of others'' changes, and everything else is as before');

-- A function of the site's with its owner's rights: by the server's rules it
-- does what its owner has the duty for, whoever calls, and not more. Who calls
-- it is who acts.
CREATE FUNCTION public.regress_as_manager(statement text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN EXECUTE statement; END';
CREATE FUNCTION public.regress_as_viewer(statement text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN EXECUTE statement; END';
ALTER FUNCTION public.regress_as_manager(text) OWNER TO regress_manager;
ALTER FUNCTION public.regress_as_viewer(text) OWNER TO regress_viewer;
CREATE FUNCTION pg_temp.wrapped(m matrix, wrapper text) RETURNS matrix LANGUAGE plpgsql AS $$
BEGIN
	m.statement := format('SELECT public.%I(%L)', wrapper, m.statement);
	RETURN m;
END $$;
SELECT is_empty($$
	SELECT m.*, walk FROM matrix AS m, pg_temp.walk(pg_temp.wrapped(m, 'regress_as_manager'), '') AS walk
	WHERE kind = 'function' AND walk <> repeat(pg_temp.cell(m, 'manager') || ' ', 7) ||
		CASE pg_temp.cell(m, 'manager') WHEN '-' THEN '-' ELSE pg_temp.cell(m, 'owner') END$$,
	'through a function of a manager''s everybody can what a manager can, but for what the person may not');
SELECT is_empty($$
	SELECT m.*, walk FROM matrix AS m, pg_temp.walk(pg_temp.wrapped(m, 'regress_as_viewer'), '') AS walk
	WHERE kind = 'function' AND walk <> btrim(repeat(pg_temp.cell(m, 'viewer') || ' ', 8))$$,
	'and through one of a viewer''s nobody can do more than look');

-- Two duties of one role give what either gives, and one taken away leaves the other
CREATE ROLE regress_two_duties;
SELECT changemgmt.add_person('regress_two_duties'), changemgmt.add_board_member('cab', 'regress_two_duties', 'change_manager'),
	changemgmt.grant_role('regress_two_duties', 'approver'), changemgmt.grant_role('regress_two_duties', 'integration') \g /dev/null
SELECT is_empty($$
	SELECT m.*, fate FROM matrix AS m, pg_temp.fate('regress_two_duties', NULL, pg_temp.filled(m.statement, 'regress_requester')) AS fate
	WHERE kind NOT IN ('person', 'COPY FROM', 'COPY TO')
		AND fate <> CASE pg_temp.cell(m, 'approver') WHEN '-' THEN pg_temp.cell(m, 'integration') ELSE pg_temp.cell(m, 'approver') END$$,
	'two duties');
SELECT changemgmt.revoke_role('regress_two_duties', 'integration') \g /dev/null
SELECT is_empty($$
	SELECT m.*, fate FROM matrix AS m, pg_temp.fate('regress_two_duties', NULL, pg_temp.filled(m.statement, 'regress_requester')) AS fate
	WHERE kind NOT IN ('person', 'COPY FROM', 'COPY TO') AND fate <> pg_temp.cell(m, 'approver')$$,
	'one of them taken away');

-- After revoke_role nothing is left, to the role nor to its members
SELECT changemgmt.revoke_role(role, duty) FROM login WHERE prefix = '' AND duty NOT IN ('nobody', 'owner') \g /dev/null
REVOKE USAGE ON SCHEMA changemgmt FROM regress_nobody;
SELECT is_empty(format($$
	SELECT m.*, l.login, fate FROM matrix AS m, login AS l,
		pg_temp.fate(l.login, CASE l.prefix WHEN 'closed_' THEN l.role END, pg_temp.filled(m.statement, l.login)) AS fate
	WHERE kind = %L AND l.duty <> 'owner' AND fate <> pg_temp.stranger(m)$$, kind), 'after revoke_role: ' || kind)
FROM matrix WHERE kind NOT LIKE 'COPY%' GROUP BY kind ORDER BY kind;

-- ----------------------------------------------------------------
-- PUBLIC
-- ----------------------------------------------------------------

-- what PUBLIC may execute, read, write or use of the extension's, and in its schema
CREATE TEMP TABLE public_may (object text, privilege text);
INSERT INTO public_may VALUES
	-- types can be named by everybody
	('changemgmt.rate', 'USAGE'), ('changemgmt.recurrence', 'USAGE'), ('changemgmt.approval_count', 'USAGE'), ('changemgmt.change_state', 'USAGE'),
	('changemgmt.next_step', 'USAGE'), ('changemgmt.duty_state', 'USAGE'), ('changemgmt.unmet_requirement', 'USAGE'),
	-- the policies call it for whoever reads
	('changemgmt.hidden_changes()', 'EXECUTE'), ('changemgmt.hidden_causes()', 'EXECUTE'), ('changemgmt.hidden_duties()', 'EXECUTE'), ('changemgmt.hidden_assessments()', 'EXECUTE'), ('changemgmt.hidden_items(text)', 'EXECUTE');
CREATE FUNCTION pg_temp.acl() RETURNS TABLE (object text, privilege text) LANGUAGE sql AS $$
	SELECT o.object, a.privilege_type
	FROM (SELECT oid::regprocedure::text, coalesce(proacl, acldefault('f', proowner)), pronamespace, oid, 'pg_proc'::regclass FROM pg_proc
		UNION ALL
		SELECT oid::regclass::text, coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner)),
			relnamespace, oid, 'pg_class'::regclass FROM pg_class
		UNION ALL
		SELECT attrelid::regclass || '.' || attname, attacl, relnamespace, attrelid, 'pg_class'::regclass
			FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE attacl IS NOT NULL
		UNION ALL
		-- not those that tables and arrays have
		SELECT oid::regtype::text, coalesce(typacl, acldefault('T', typowner)), typnamespace, oid, 'pg_type'::regclass
			FROM pg_type WHERE typelem = 0 AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = typrelid AND c.relkind <> 'c')
		UNION ALL
		SELECT nspname::text, coalesce(nspacl, acldefault('n', nspowner)), oid, oid, 'pg_namespace'::regclass FROM pg_namespace)
			AS o (object, acl, namespace, oid, class), aclexplode(o.acl) AS a
	WHERE a.grantee = 0 AND (o.namespace = 'changemgmt'::regnamespace
		OR EXISTS (SELECT FROM pg_depend AS d WHERE (d.classid, d.objid, d.deptype) = (o.class, o.oid, 'e')
			AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'changemgmt')))
$$;
SELECT set_eq('SELECT * FROM pg_temp.acl()', 'SELECT * FROM public_may', 'PUBLIC may do what is on the list and nothing else');
SELECT is_empty($$SELECT * FROM pg_parameter_acl WHERE parname LIKE 'changemgmt.%'$$, 'and set none of the parameters');
SELECT is_empty($$
	SELECT * FROM pg_default_acl AS d, aclexplode(defaclacl) AS a WHERE a.grantee = 0$$, 'nor what is made later');

SELECT * FROM finish();
ROLLBACK;
