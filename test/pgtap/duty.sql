--
-- duty: what is owed, by when, by whom; what doing it takes; who is late.
--
BEGIN;
SET LOCAL search_path = public;
SET LOCAL timezone = 'UTC';
SELECT no_plan();

-- The refusal of a statement by somebody: code and message, '' where there is none.
CREATE FUNCTION pg_temp.refusal(actor text, sql text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('changemgmt.actor', actor, true);
	EXECUTE sql;
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate || ' | ' || sqlerrm;
END $$;
CREATE FUNCTION pg_temp.act(actor text) RETURNS text LANGUAGE sql AS $$SELECT set_config('changemgmt.actor', actor, true)$$;
-- The open duty of a kind, or the last there was.
CREATE FUNCTION pg_temp.duty(change bigint, of_kind text) RETURNS bigint LANGUAGE sql AS $$
	SELECT id FROM changemgmt.duty WHERE change_id = change AND kind = of_kind
	ORDER BY done_at IS NULL AND cancelled_at IS NULL DESC, id DESC LIMIT 1 $$;
-- What is open of a change, with minutes from a time until it is due.
CREATE FUNCTION pg_temp.owed(change bigint, since timestamptz) RETURNS TABLE (kind text, minutes integer) LANGUAGE sql AS $$
	SELECT kind, round(extract(epoch FROM due_at - since) / 60)::integer FROM changemgmt.duty
	WHERE change_id = change AND done_at IS NULL AND cancelled_at IS NULL $$;
CREATE FUNCTION pg_temp.planned(title text, of_model text, owner text) RETURNS bigint LANGUAGE sql AS $$
	SELECT id FROM changemgmt.create_change_from(jsonb_build_object('title', title, 'model', of_model, 'owner', owner,
		'description', 'd', 'justification', 'j', 'user_impact', 'u', 'risk_level', 'low', 'rollback_trigger', 't', 'rollback_plan', 'p',
		'rollback_minutes', 1, 'items', '["db"]'::jsonb, 'checks', '["health"]'::jsonb, 'planned_start', now(), 'planned_end', now() + interval '1 hour')) $$;

SELECT changemgmt.add_person(login) FROM unnest('{ann,bob,cho,dan,mona,exec,deputy}'::text[]) AS login \g /dev/null
SELECT changemgmt.add_board('cab'), changemgmt.add_board_member('cab', 'mona', 'change_manager'), changemgmt.add_ci('db') \g /dev/null
SELECT changemgmt.set_ci('db', is_exclusive => false) \g /dev/null

-- ----------------------------------------------------------------
-- By hand
-- ----------------------------------------------------------------

SELECT pg_temp.act('ann') \g /dev/null
SELECT id AS plain FROM changemgmt.create_change('plain', model => 'lean_normal', owner => 'ann', coordinator => 'cho') \gset
SELECT results_eq(format($$SELECT number, kind, title, person, state, done_by, done_at FROM changemgmt.assign_duty(%s, 'steering_report', due_at => now() + interval '1 day')$$, :plain),
	format($$SELECT changemgmt.change_number(%s), 'steering_report', 'Report to the steering committee', 'ann', 'open', NULL::text, NULL::timestamptz$$, :plain),
	'a duty is the owner''s where nobody else is named');
SELECT is(pg_temp.refusal('cho', format($$SELECT changemgmt.assign_duty(%s, 'other', 'call', 'bob', now())$$, :plain)), '', 'the coordinator gives one, too');
SELECT is(pg_temp.refusal('mona', format($$SELECT changemgmt.assign_duty(%s, 'other', 'call', 'bob', now())$$, :plain)), '', 'and a manager');
SELECT matches(pg_temp.refusal(actor, format(sql, :plain)), '^' || expected, sql)
FROM (VALUES
	('bob', $$SELECT changemgmt.assign_duty(%s, 'other', due_at => now())$$, 'MC003'),
	('stranger', $$SELECT changemgmt.assign_duty(%s, 'other', due_at => now())$$, 'MC003'),
	('ann', $$SELECT changemgmt.assign_duty(%s, 'dream', due_at => now())$$, 'MC008 \| "dream" is no value of kind'),
	('ann', $$SELECT changemgmt.assign_duty(%s, 'other')$$, 'MC008 \| a duty needs a change, a kind and a time by which it is due'),
	('ann', $$SELECT changemgmt.assign_duty(%s, 'other', due_at => 'infinity')$$, 'MC008'),
	('ann', $$SELECT changemgmt.assign_duty(%s, 'other', '', due_at => now())$$, 'MC008'),
	('ann', $$SELECT changemgmt.assign_duty(%s, 'other', person => 'eve', due_at => now())$$, 'MC008 \| person "eve" does not exist'),
	('ann', $$SELECT changemgmt.assign_duty(%s, 'other', due_at => now(), repeat_minutes => 0)$$, 'MC008'),
	('ann', $$SELECT changemgmt.assign_duty(-%s, 'other', due_at => now())$$, 'MC008'),
	('ann', $$SELECT changemgmt.assign_duty(%s, 'rollback_decision', due_at => now())$$, 'MC008'),
	('ann', $$SELECT changemgmt.assign_duty(%s, 'authoriser_confirmation', due_at => now())$$, 'MC008')
) AS v (actor, sql, expected);

-- done once
SELECT id AS call FROM changemgmt.duty WHERE title = 'call' ORDER BY id LIMIT 1 \gset
SELECT pg_temp.act('bob') \g /dev/null
SELECT results_eq(format($$SELECT state, done_by FROM changemgmt.complete_duty(%s, 'called')$$, :call), $$VALUES ('done', 'bob')$$, 'done, by who acts');
SELECT results_eq(format($$SELECT state, done_by FROM changemgmt.complete_duty(%s, 'called')$$, :call), $$VALUES ('done', 'bob')$$, 'the same again does nothing');
SELECT is((SELECT count(*) FROM changemgmt.ledger WHERE subject_kind = 'duty' AND subject_id = :call), 2::bigint, 'and leaves no trace');
SELECT matches(pg_temp.refusal('cho', format($$SELECT changemgmt.complete_duty(%s, 'called')$$, :call)),
	'^MC001 \| duty [0-9]+ \(other of CHG[0-9]+\) was done by bob at ', 'who comes second is told who did it and when');
SELECT matches(pg_temp.refusal('bob', format($$SELECT changemgmt.complete_duty(%s, 'otherwise')$$, :call)), '^MC001', 'nor does the first say it anew');
SELECT matches(pg_temp.refusal('mona', format($$SELECT changemgmt.cancel_duty(%s, 'late')$$, :call)), '^MC001 .* was done by bob', 'nor is it cancelled');
SELECT matches(pg_temp.refusal('mona', format($$SELECT changemgmt.reassign_duty(%s, 'cho')$$, :call)), '^MC001', 'nor given to somebody else');

-- what it is stays; every door
SELECT id AS open FROM changemgmt.duty WHERE title = 'call' AND done_at IS NULL \gset
SELECT is(left(pg_temp.refusal('mona', format('UPDATE changemgmt.duty SET %s WHERE id = %s', assignment, :open)), 5), expected, assignment)
FROM (VALUES
	('change_id = change_id + 1', 'MC008'), ('kind = ''post_mortem''', 'MC005'), ('title = ''x''', 'MC005'), ('due_at = due_at + interval ''1 day''', 'MC005'),
	('repeat_minutes = 5', 'MC005'), ('check_id = 5', 'MC005'), ('created_at = now() - interval ''1 day''', 'MC005'), ('id = id + 1000', 'MC006'),
	('result = ''x''', 'MC005'), ('done_by_id = changemgmt.person_id(''bob'')', 'MC005'), ('cancel_reason = ''x''', 'MC005'),
	('flagged_at = now()', 'MC005'), ('escalated_at = now()', 'MC005'), ('escalated_to_id = 1', 'MC005'),
	('cancelled_at = now()', 'MC002'), ('cancelled_at = now(), cancel_reason = '' ''', 'MC002'),
	('done_at = now() + interval ''1 minute''', 'MC008'), ('done_at = now() - interval ''1 day''', 'MC008'), ('done_at = ''infinity''', '23514'),
	('done_at = clock_timestamp(), done_by_id = changemgmt.person_id(''bob'')', 'MC003')
) AS v (assignment, expected);
SELECT is(left(pg_temp.refusal('mona', format('DELETE FROM changemgmt.duty WHERE id = %s', :open)), 5), 'MC006', 'nothing is deleted');
SELECT is(left(pg_temp.refusal('bob', format($$SELECT changemgmt.reassign_duty(%s, 'cho')$$, :open)), 5), 'MC003', 'it is not given away by anybody');
SELECT is(pg_temp.refusal('ann', format($$SELECT changemgmt.reassign_duty(%s, 'cho')$$, :open)), '', 'but by the owner');
SELECT is(pg_temp.refusal('mona', format($$SELECT changemgmt.reassign_duty(%s, 'bob')$$, :open)), '', 'and by a manager');
SELECT is(left(pg_temp.refusal('ann', format($$SELECT changemgmt.cancel_duty(%s, 'no')$$, :open)), 5), 'MC003', 'only a manager cancels');
SELECT is(pg_temp.refusal('mona', format($$SELECT changemgmt.cancel_duty(%s, 'no need')$$, :open)), '', 'with a reason');
SELECT is(pg_temp.refusal('mona', format($$SELECT changemgmt.cancel_duty(%s, 'no need')$$, :open)), '', 'the same again does nothing');
SELECT matches(pg_temp.refusal('bob', format($$SELECT changemgmt.complete_duty(%s)$$, :open)), '^MC001 .* was cancelled at .*: no need', 'what is cancelled is not done');
SELECT is(left(pg_temp.refusal('ann', 'SELECT changemgmt.complete_duty(-1)'), 5), 'MC008', 'no such duty');
SELECT is(left(pg_temp.refusal('ann', 'SELECT changemgmt.complete_duty(NULL)'), 5), 'MC008', 'no duty');
SELECT is(left(pg_temp.refusal('stranger', format('SELECT changemgmt.complete_duty(%s)', :open)), 5), 'MC003', 'nobody known');
SELECT pg_temp.act('ann') \g /dev/null
SELECT id AS direct FROM changemgmt.assign_duty(:plain, 'other', due_at => now()) \gset
UPDATE changemgmt.duty SET done_at = clock_timestamp() WHERE id = :direct;
SELECT is((SELECT done_by_id FROM changemgmt.duty WHERE id = :direct), changemgmt.person_id('ann'), 'an UPDATE says who did it, too');

-- again and again
SELECT id AS report FROM changemgmt.assign_duty(:plain, 'steering_report', 'weekly', 'bob', now() - interval '1 hour', 10080) \gset
SELECT changemgmt.complete_duty(:report, 'half') \g /dev/null
SELECT results_eq(format($$SELECT n.title, n.person_id, n.repeat_minutes, n.due_at = d.done_at + interval '7 days'
		FROM changemgmt.duty AS n, changemgmt.duty AS d WHERE d.id = %1$s AND n.id = (SELECT max(id) FROM changemgmt.duty WHERE change_id = d.change_id)$$, :report),
	$$SELECT 'weekly', changemgmt.person_id('bob'), 10080, true$$, 'done, it is due again as long after');

-- the views
SELECT results_eq(format($$SELECT kind, is_overdue FROM changemgmt.open_duty WHERE change_id = %s AND title <> 'weekly' ORDER BY due_at$$, :plain),
	$$VALUES ('steering_report', false)$$, 'open_duty');
SELECT changemgmt.assign_duty(:plain, 'other', 'forgotten', 'bob', now() - interval '3 hours') \g /dev/null
SELECT results_eq($$SELECT number, change_title, kind, title, person, round(hours_late::numeric, 3) FROM changemgmt.overdue_duty$$,
	format($$VALUES (changemgmt.change_number(%s), 'plain', 'other', 'forgotten', 'bob', 3.000)$$, :plain), 'overdue_duty: by the clock');
SELECT matches((SELECT due FROM changemgmt.change_state(:plain)), '^other until ', 'what is due next is what verbs say');

-- ----------------------------------------------------------------
-- An emergency
-- ----------------------------------------------------------------

SELECT pg_temp.act('bob') \g /dev/null
SELECT id AS fire, due AS fire_due FROM changemgmt.declare_emergency('Restart', 'INC-1', 'exec', 'production_down', owner => 'bob',
	items => '{db}', actual_start => now() - interval '20 hours') \gset
SELECT matches(:'fire_due'::text, '^status_page until ', 'the first thing that is due');
SELECT set_eq(format($$SELECT * FROM pg_temp.owed(%s, now() - interval '20 hours')$$, :fire),
	$$VALUES ('status_page', 0), ('progress_update', 30), ('full_record', 1440), ('authoriser_confirmation', 1440), ('independent_review', 1440), ('post_mortem', 2880)$$,
	'what an emergency owes, from when it really began');
SELECT set_eq(format($$SELECT kind, person FROM changemgmt.open_duty WHERE change_id = %s$$, :fire),
	$$VALUES ('status_page', 'bob'), ('progress_update', 'bob'), ('full_record', 'bob'), ('authoriser_confirmation', 'exec'), ('independent_review', NULL), ('post_mortem', 'bob')$$,
	'by whom: the owner, but for what another has to do');
SELECT is((SELECT count(*) FROM changemgmt.overdue_duty WHERE change_id = :fire), 2::bigint, 'two are late already');
SELECT is(pg_temp.refusal('bob', format($$SELECT changemgmt.complete_duty(%s, at => now() - interval '19 hours')$$, pg_temp.duty(:fire, 'status_page'))), '', 'when it really was done');
SELECT is(left(pg_temp.refusal('bob', format($$SELECT changemgmt.complete_duty(%s, at => now() - interval '21 hours')$$, pg_temp.duty(:fire, 'progress_update'))), 5), 'MC008', 'not before there was anything to tell');
SELECT is(pg_temp.refusal('bob', format($$SELECT changemgmt.complete_duty(%s, 'We look', now() - interval '19 hours')$$, pg_temp.duty(:fire, 'progress_update'))), '', 'the first update');
SELECT is((SELECT minutes FROM pg_temp.owed(:fire, now() - interval '20 hours') WHERE kind = 'progress_update'), 90, 'the next, 30 minutes later');
SELECT pg_temp.act('bob') \g /dev/null
SELECT changemgmt.post_update(:fire, 'Nearly there', channel => 'chat') \g /dev/null
SELECT is((SELECT count(*) FROM changemgmt.duty WHERE change_id = :fire AND kind = 'progress_update' AND done_at IS NOT NULL), 2::bigint, 'a message to those concerned is an update');

SELECT changemgmt.complete(:fire, now() - interval '30 minutes') \g /dev/null
SELECT results_eq(format($$SELECT cancel_reason FROM changemgmt.duty WHERE id = %s$$, pg_temp.duty(:fire, 'progress_update')), $$VALUES ('fixed')$$, 'fixed, no update is owed');
SELECT set_eq(format($$SELECT * FROM pg_temp.owed(%s, now() - interval '30 minutes') WHERE kind IN ('root_cause', 'resolution_summary')$$, :fire),
	$$VALUES ('root_cause', 1440), ('resolution_summary', 1440)$$, 'but what it was, 24 hours after the fix');
SELECT changemgmt.resume_work(:fire, 'it fails again') \g /dev/null
SELECT is_empty(format($$SELECT FROM pg_temp.owed(%s, now()) WHERE kind IN ('root_cause', 'resolution_summary')$$, :fire), 'which is not due where the work goes on');
SELECT is((SELECT minutes FROM pg_temp.owed(:fire, now()) WHERE kind = 'progress_update'), 30, 'and updates are again');
SELECT changemgmt.complete(:fire) \g /dev/null
SELECT is((SELECT count(*) FROM pg_temp.owed(:fire, now()) WHERE kind IN ('root_cause', 'resolution_summary')), 2::bigint, 'until it is fixed');
SELECT changemgmt.pass(:fire, 'It answers.') \g /dev/null
SELECT set_eq(format($$SELECT kind FROM pg_temp.owed(%s, now())$$, :fire),
	$$VALUES ('full_record'), ('authoriser_confirmation'), ('independent_review'), ('post_mortem'), ('root_cause'), ('resolution_summary'), ('validation_24_hours'), ('validation_7_days')$$,
	'and validations, once it has passed');
SELECT results_eq(format($$SELECT d.kind, d.due_at - c.deployed_at FROM changemgmt.duty AS d JOIN changemgmt.change AS c ON c.id = d.change_id
	WHERE c.id = %s AND d.kind LIKE 'validation%%' ORDER BY 1$$, :fire), $$VALUES ('validation_24_hours', interval '24 hours'), ('validation_7_days', '168 hours')$$,
	'24 hours and 7 days after the deployment');

-- what doing each takes
SELECT matches(pg_temp.refusal(actor, format($$SELECT changemgmt.complete_duty(%s%s)$$, pg_temp.duty(:fire, kind), result)), '^' || expected, kind || ' by ' || actor || result)
FROM (VALUES
	('bob', 'root_cause', '', 'MC002'), ('bob', 'root_cause', ', '' ''', 'MC002'), ('bob', 'resolution_summary', '', 'MC002'),
	('bob', 'full_record', '', 'MC002 .* lacks description, justification, user impact, risk, rollback trigger, rollback steps, rollback minutes$'),
	('bob', 'authoriser_confirmation', '', 'MC003 .* is for exec, who authorised'), ('mona', 'authoriser_confirmation', '', 'MC003'), ('deputy', 'authoriser_confirmation', '', 'MC003'),
	('bob', 'post_mortem', ', ''all well''', 'MC002 .* lacks causes, lessons, actions$'),
	('bob', 'independent_review', ', ''fine''', 'MC004 .* is not for the implementer'), ('cho', 'independent_review', '', 'MC002'),
	('bob', 'validation_24_hours', ', ''fine''', 'MC002'), ('bob', 'validation_7_days', '', 'MC002')
) AS v (actor, kind, result, expected);
SELECT is(left(pg_temp.refusal('mona', format($$SELECT changemgmt.cancel_duty(%s, 'spare us')$$, pg_temp.duty(:fire, kind))), 5), 'MC003', 'nobody cancels ' || kind)
FROM unnest('{full_record,authoriser_confirmation,independent_review,post_mortem,root_cause,resolution_summary,validation_24_hours}'::text[]) AS kind;
SELECT matches((SELECT message FROM changemgmt.why_not(:fire, 'close') WHERE requirement = 'duties_done'),
	'^6 duties are open: full_record \(duty [0-9]+\) due .*, authoriser_confirmation .*, independent_review .*, root_cause .*, resolution_summary .*, post_mortem ', 'what closing waits for, validations aside');

SELECT is(pg_temp.refusal('bob', format($$SELECT changemgmt.complete_duty(%s, 'A leak')$$, pg_temp.duty(:fire, 'root_cause'))), '', 'the root cause');
SELECT is(pg_temp.refusal('bob', format($$SELECT changemgmt.complete_duty(%s, 'Restarted')$$, pg_temp.duty(:fire, 'resolution_summary'))), '', 'the resolution');
SELECT pg_temp.act('bob') \g /dev/null
SELECT changemgmt.edit_change(:fire, '{"description": "d", "justification": "j", "user_impact": "u", "risk_level": "high", "rollback_trigger": "t", "rollback_plan": "p", "rollback_minutes": 1}') \g /dev/null
SELECT is(pg_temp.refusal('bob', format($$SELECT changemgmt.complete_duty(%s)$$, pg_temp.duty(:fire, 'full_record'))), '', 'the record, written afterwards');
SELECT pg_temp.act('exec') \g /dev/null
SELECT changemgmt.delegate_approval('deputy', now(), now() + interval '1 day') \g /dev/null
SELECT is(pg_temp.refusal('deputy', format($$SELECT changemgmt.complete_duty(%s)$$, pg_temp.duty(:fire, 'authoriser_confirmation'))), '', 'the authoriser, or who votes in that person''s place');
SELECT pg_temp.act('bob') \g /dev/null
SELECT changemgmt.review_change(:fire, 'post_mortem', causes => 'c', lessons => 'l', actions => 'a') AS written \gset
SELECT results_eq(format($$SELECT done_by_id, result FROM changemgmt.duty WHERE id = %s$$, pg_temp.duty(:fire, 'post_mortem')),
	format($$VALUES (changemgmt.person_id('bob'), 'review %s')$$, :written), 'the post-mortem, by being written');
SELECT pg_temp.act('cho') \g /dev/null
SELECT changemgmt.review_change(:fire, 'independent', went_well => 'all') \g /dev/null
SELECT is((SELECT done_by_id FROM changemgmt.duty WHERE id = pg_temp.duty(:fire, 'independent_review')), changemgmt.person_id('cho'), 'the independent review likewise');
SELECT is_empty(format($$SELECT FROM changemgmt.why_not(%s, 'close') WHERE requirement = 'duties_done'$$, :fire), 'then closing waits for validations only');

-- did it keep what it owed
SELECT results_eq(format($$SELECT incident, authoriser, emergency_threshold, status_page_late_minutes, authoriser_confirmation_late_minutes, post_mortem_late_minutes,
	root_cause_late_minutes, updates_made, updates_missed > 30, is_confirmed, is_record_complete, open_duties, is_kept FROM changemgmt.emergency_compliance WHERE change_id = %s$$, :fire),
	$$VALUES ('INC-1', 'exec', 'production_down', 60, 0, 0, 0, 2::bigint, true, true, true, 0::bigint, false)$$, 'emergency_compliance: an hour late with the status page, updates left out');
SELECT id AS swift FROM changemgmt.declare_emergency('Swift', 'INC-2', 'exec', 'security_breach', owner => 'bob', model => 'lean_emergency') \gset
SELECT is((SELECT is_kept FROM changemgmt.emergency_compliance WHERE change_id = :swift), NULL::boolean, 'nothing is said as long as something is open');
SELECT changemgmt.post_update(:swift, 'We see it', channel => 'status_page'), changemgmt.complete(:swift), changemgmt.pass(:swift, 'seen') \g /dev/null
SELECT changemgmt.edit_change(:swift, '{"description": "d", "justification": "j", "user_impact": "u", "risk_level": "high", "rollback_trigger": "t", "rollback_plan": "p", "rollback_minutes": 1}'),
	changemgmt.add_item(:swift, 'db') \g /dev/null
SELECT is(pg_temp.refusal('cho', format('SELECT changemgmt.close(%s)', :swift)) ~ '^MC002 .*: 6 duties are open', true, 'a lean emergency is closed when it has written, too');
SELECT is(pg_temp.refusal(actor, format($$SELECT changemgmt.complete_duty(%s, 'said')$$, pg_temp.duty(:swift, kind))), '', kind)
FROM (VALUES ('bob', 'root_cause'), ('bob', 'resolution_summary'), ('bob', 'full_record'), ('exec', 'authoriser_confirmation'), ('dan', 'independent_review')) AS v (actor, kind);
SELECT pg_temp.act('cho') \g /dev/null
SELECT changemgmt.review_change(:swift, 'post_mortem', causes => 'c', lessons => 'l', actions => 'a') \g /dev/null
SELECT results_eq(format($$SELECT is_kept, updates_missed FROM changemgmt.emergency_compliance WHERE change_id = %s$$, :swift), $$VALUES (true, 0::bigint)$$, 'all in time');
SELECT is(pg_temp.refusal('bob', format('SELECT changemgmt.close(%s)', :swift)), '', 'closed');

-- nothing was applied
SELECT id AS alarm FROM changemgmt.declare_emergency('False alarm', 'INC-3', 'exec', 'data_at_risk') \gset
SELECT changemgmt.abort(:alarm, 'it was the sensor') \g /dev/null
SELECT is_empty(format('SELECT FROM pg_temp.owed(%s, now())', :alarm), 'who did nothing owes nothing');

-- ----------------------------------------------------------------
-- What was found
-- ----------------------------------------------------------------

SELECT pg_temp.act('mona') \g /dev/null
SELECT id AS found FROM changemgmt.record_unauthorized('Firewall', 'audit', now() - interval '5 days', now() - interval '4 days', owner => 'bob', implementer => 'cho', items => '{db}') \gset
SELECT set_eq(format($$SELECT * FROM pg_temp.owed(%s, now())$$, :found), $$VALUES ('full_record', 1440), ('independent_review', 1440), ('post_implementation_review', 10080)$$,
	'what a change that was found owes, from its record');
SELECT results_eq($$SELECT found_by, owner, implementer, round(recorded_after_hours::numeric, 2), reviewed_by, open_duties, overdue_duties FROM changemgmt.unauthorized_change$$,
	$$VALUES ('audit', 'bob', 'cho', 96.00, NULL::text, 3::bigint, 0::bigint)$$, 'unauthorized_change');
SELECT is(left(pg_temp.refusal(actor, format($$SELECT changemgmt.complete_duty(%s, 'seen')$$, pg_temp.duty(:found, 'independent_review'))), 5), 'MC004', 'reviewed by no ' || role)
FROM (VALUES ('bob', 'owner'), ('cho', 'implementer'), ('mona', 'author')) AS v (actor, role);
SELECT is(pg_temp.refusal('dan', format($$SELECT changemgmt.complete_duty(%s, 'seen')$$, pg_temp.duty(:found, 'independent_review'))), '', 'but by somebody else');
SELECT is((SELECT reviewed_by FROM changemgmt.unauthorized_change), 'dan', 'who is named');
SELECT matches(pg_temp.refusal('mona', format('SELECT changemgmt.close(%s)', :found)), '^MC002 .*: 1 duty is open: full_record ', 'closed when the record is there');
SELECT changemgmt.edit_change(:found, '{"description": "d", "justification": "j", "user_impact": "u", "risk_level": "high", "rollback_trigger": "t", "rollback_plan": "p", "rollback_minutes": 1, "verification_plan": "v"}') \g /dev/null
SELECT is(pg_temp.refusal('bob', format($$SELECT changemgmt.complete_duty(%s)$$, pg_temp.duty(:found, 'full_record'))), '', 'the record');
SELECT is(pg_temp.refusal('mona', format('SELECT changemgmt.close(%s)', :found)), '', 'looking back may come later');
SELECT is((SELECT array_agg(kind) FROM pg_temp.owed(:found, now())), '{post_implementation_review}'::text[], 'and stays owed');
SELECT is(pg_temp.refusal('bob', format($$SELECT changemgmt.complete_duty(%s, 'learned')$$, pg_temp.duty(:found, 'post_implementation_review'))), '', 'also once it is closed');

-- ----------------------------------------------------------------
-- Validations and decisions
-- ----------------------------------------------------------------

SELECT pg_temp.act('bob') \g /dev/null
SELECT changemgmt.publish_model('late', '{"base": "lean_emergency", "late_hours": null, "validations": ["24_hours", "7_days"]}') \g /dev/null
SELECT id AS old FROM changemgmt.declare_emergency('Old', 'INC-4', 'exec', 'production_down', model => 'late', actual_start => now() - interval '3 days', actual_end => now() - interval '2 days') \gset
SELECT changemgmt.pass(:old, 'seen') \g /dev/null
SELECT changemgmt.add_check(:old, 'errors', stage => '24_hours') AS day_check, changemgmt.add_check(:old, 'incidents', stage => '7_days') AS week_check \gset
SELECT changemgmt.record_check(:week_check, true, 'none') \g /dev/null
SELECT is((SELECT done_at FROM changemgmt.duty WHERE id = pg_temp.duty(:old, 'validation_7_days')), NULL::timestamptz, 'a result before its time validates nothing');
SELECT changemgmt.record_check(:day_check, false, 'many') \g /dev/null
SELECT results_eq(format($$SELECT done_by_id, result FROM changemgmt.duty WHERE id = %s$$, pg_temp.duty(:old, 'validation_24_hours')),
	format($$VALUES (changemgmt.person_id('bob'), 'check %s failed')$$, :day_check), 'a result at its time does, whatever it is');
SELECT changemgmt.roll_back(:old, 'errors', 'testing') \g /dev/null
SELECT is((SELECT cancel_reason FROM changemgmt.duty WHERE id = pg_temp.duty(:old, 'validation_7_days')), 'the change was rolled back', 'what is rolled back is not validated');

SELECT pg_temp.planned('itil', 'standard', 'bob') AS standard \gset
SELECT changemgmt.advance(:standard, 'in_progress') \g /dev/null
SELECT is_empty(format('SELECT FROM changemgmt.duty WHERE change_id = %s', :standard), 'a standard change owes nothing');
SELECT changemgmt.roll_back(:standard, 'errors', 'plan') \g /dev/null
SELECT set_eq(format('SELECT * FROM pg_temp.owed(%s, now())', :standard), $$VALUES ('post_implementation_review', 10080)$$, 'until it is rolled back: then one looks back');
SELECT changemgmt.confirm_stability(:standard), changemgmt.close(:standard) \g /dev/null
SELECT is((SELECT status FROM changemgmt.change WHERE id = :standard), 'closed', 'which closing does not wait for');

-- a rollback trigger
SELECT pg_temp.planned('tripped', 'standard', 'bob') AS tripped \gset
SELECT pg_temp.act('bob') \g /dev/null
INSERT INTO changemgmt.change_check (change_id, title, signal, threshold, bad_when, is_rollback_trigger, is_required) VALUES (:tripped, 'rate', 'errors', 5, 'above', true, false) RETURNING id AS rate \gset
SELECT changemgmt.advance(:tripped, 'in_progress') \g /dev/null
SELECT changemgmt.complete(:tripped), changemgmt.record_check(min(id), true) FROM changemgmt.change_check WHERE change_id = :tripped AND title = 'health' \g /dev/null
SELECT changemgmt.record_observation(:rate, 4) \g /dev/null
SELECT is_empty(format('SELECT FROM pg_temp.owed(%s, now())', :tripped), 'a good value asks for nothing');
SELECT changemgmt.record_observation(:rate, 9), changemgmt.record_observation(:rate, 10) \g /dev/null
SELECT results_eq(format($$SELECT d.title, d.check_id, d.due_at = c.tripped_at, d.person_id FROM changemgmt.duty AS d JOIN changemgmt.change_check AS c ON c.id = d.check_id
	WHERE d.change_id = %s AND d.kind = 'rollback_decision'$$, :tripped),
	format($$VALUES ('Check "rate" was tripped: roll back, fail, or pass with issues', %s::bigint, true, changemgmt.person_id('bob'))$$, :rate), 'a bad one asks for a decision, at once, and once');
SELECT is(left(pg_temp.refusal('bob', format($$SELECT changemgmt.complete_duty(%s, 'we wait')$$, pg_temp.duty(:tripped, 'rollback_decision'))), 5), 'MC002', 'which is not done by a word');
SELECT is(left(pg_temp.refusal('mona', format($$SELECT changemgmt.cancel_duty(%s, 'we wait')$$, pg_temp.duty(:tripped, 'rollback_decision'))), 5), 'MC003', 'nor called off');
SELECT pg_temp.act('bob') \g /dev/null
SELECT changemgmt.resume_work(:tripped, 'again') \g /dev/null
SELECT is_empty(format('SELECT FROM pg_temp.owed(%s, now())', :tripped), 'work that goes on decides nothing yet');
SELECT changemgmt.complete(:tripped), changemgmt.record_observation(:rate, 9), changemgmt.record_check(min(id), true) FROM changemgmt.change_check WHERE change_id = :tripped AND title = 'health' \g /dev/null
SELECT changemgmt.pass(:tripped, issues => 'one client, whom we told') \g /dev/null
SELECT is((SELECT result FROM changemgmt.duty WHERE id = pg_temp.duty(:tripped, 'rollback_decision')), 'pass with issues', 'to pass with issues is one');
SELECT changemgmt.record_observation(:rate, 9) \g /dev/null
SELECT is_empty(format('SELECT FROM pg_temp.owed(%s, now())', :tripped), 'what was decided on is not asked again');
SELECT changemgmt.close(:tripped) \g /dev/null
SELECT pg_temp.planned('tripped too', 'lean_standard', 'bob') AS second \gset
INSERT INTO changemgmt.change_check (change_id, title, signal, threshold, bad_when, is_rollback_trigger, is_required) VALUES (:second, 'rate', 'errors', 5, 'above', true, false) RETURNING id AS second_rate \gset
SELECT changemgmt.advance(:second, 'in_progress'), changemgmt.record_observation(:second_rate, 9) \g /dev/null
SELECT is((SELECT array_agg(kind) FROM pg_temp.owed(:second, now())), '{rollback_decision}'::text[], 'in a lean model, too');
SELECT changemgmt.roll_back(:second, 'errors', 'testing') \g /dev/null
SELECT results_eq(format($$SELECT done_by_id, result FROM changemgmt.duty WHERE id = %s$$, pg_temp.duty(:second, 'rollback_decision')),
	$$VALUES (changemgmt.person_id('bob'), 'roll_back')$$, 'to roll back is another');

-- ----------------------------------------------------------------
-- Models
-- ----------------------------------------------------------------

SELECT is(left(pg_temp.refusal('mona', format($$SELECT changemgmt.publish_model('owing', '{"base": "lean_normal", "duties": %s}')$$, duties)), 5), 'MC008', duties)
FROM unnest(ARRAY['{}', '1', '[1]', '["other"]', '[[]]', '[{}]', '[{"kind": "other"}]', '[{"kind": "other", "on": "pass"}]', '[{"kind": "dream", "on": "pass", "hours": 1}]',
	'[{"kind": "other", "on": "sleep", "hours": 1}]', '[{"kind": "other", "on": "approve", "hours": 1}]', '[{"kind": "other", "on": "pass", "hours": -1}]',
	'[{"kind": "other", "on": "pass", "hours": 1.5}]', '[{"kind": "other", "on": "pass", "hours": 8785}]', '[{"kind": "other", "on": "pass", "hours": 1, "minutes": 1}]',
	'[{"kind": "other", "on": "pass", "hours": 1, "from": "title"}]', '[{"kind": "other", "on": "pass", "hours": 1, "colour": "red"}]',
	'[{"kind": "other", "on": "pass", "hours": 1, "repeat_minutes": 0}]', '[{"kind": "other", "on": ["pass"], "hours": 1}]', '[{"kind": {"a": 1}, "on": "pass", "hours": 1}]',
	'[{"kind": "rollback_decision", "on": "pass", "hours": 1}]']) AS duties;
SELECT changemgmt.publish_model('owing', '{"base": "lean_normal", "duties": [{"kind": "steering_report", "on": "start", "minutes": 5, "repeat_minutes": 60}]}'),
	changemgmt.publish_model('softer', '{"base": "lean_emergency", "duties": [{"kind": "status_page", "on": "create", "hours": null}, {"kind": "post_mortem", "on": "create", "hours": 96}]}') \g /dev/null
SELECT pg_temp.act('bob') \g /dev/null
SELECT id AS softer FROM changemgmt.declare_emergency('Softer', 'INC-5', 'exec', 'data_at_risk', model => 'softer') \gset
SELECT set_eq(format('SELECT * FROM pg_temp.owed(%s, now())', :softer),
	$$VALUES ('progress_update', 30), ('full_record', 1440), ('authoriser_confirmation', 1440), ('independent_review', 1440), ('post_mortem', 5760)$$,
	'a site''s model leaves out and changes what its base says');

-- ----------------------------------------------------------------
-- Who is late
-- ----------------------------------------------------------------

SELECT pg_temp.planned('next', 'standard', 'bob') AS next \gset
SELECT changemgmt.plan(:next) \g /dev/null
SELECT is_empty(format($$SELECT FROM changemgmt.why_not(%s, 'submit')$$, :next), 'being late keeps nobody from the next change');
SELECT changemgmt.set_setting('overdue_duty_blocks', 'on') \g /dev/null
SELECT matches(pg_temp.refusal('mona', format('SELECT changemgmt.submit(%s)', :next)), '^MC002 .*: bob is late with [0-9]+ dut(y|ies): .*other of ' || changemgmt.change_number(:plain) || ' since ', 'unless the site says so');
SELECT is(pg_temp.refusal('mona', format($$SELECT changemgmt.edit_change(%s, '{"owner": "cho"}'), changemgmt.submit(%1$s)$$, :next)), '', 'somebody else''s change is not held up');
SELECT is(pg_temp.refusal('mona', format($$SELECT changemgmt.start(id) FROM changemgmt.schedule(%s)$$, :next)), '', 'nor its start');
SELECT is(pg_temp.refusal('bob', $$SELECT changemgmt.declare_emergency('Again', 'INC-6', 'exec', 'production_down', owner => 'bob')$$), '', 'nor an emergency');
SELECT changemgmt.set_setting('overdue_duty_blocks', 'off') \g /dev/null
SELECT is(left(pg_temp.refusal('mona', $$SELECT changemgmt.set_setting('overdue_duty_blocks', 'maybe')$$), 5), 'MC008', 'on or off');

-- ----------------------------------------------------------------
-- What nobody could end
-- ----------------------------------------------------------------

-- given to somebody who cannot do it
SELECT pg_temp.act('bob'), changemgmt.add_person('vic') \g /dev/null
SELECT id AS trap FROM changemgmt.create_change('trap', model => 'lean_normal', owner => 'bob') \gset
SELECT pg_temp.act('dan') \g /dev/null
SELECT id AS stuck FROM changemgmt.declare_emergency('Stuck', 'INC-7', 'deputy', 'production_down', owner => 'bob', model => 'lean_emergency') \gset
SELECT pg_temp.act('bob') \g /dev/null
SELECT is(left(pg_temp.refusal('bob', format($$SELECT changemgmt.reassign_duty(%s, '%s')$$, pg_temp.duty(:stuck, kind), person)), 5), expected, kind || ' for ' || person)
FROM (VALUES ('independent_review', 'dan', 'MC004'), ('independent_review', 'bob', 'MC004'), ('independent_review', 'cho', ''),
	('authoriser_confirmation', 'mona', 'MC003'), ('authoriser_confirmation', 'ann', 'MC003')) AS v (kind, person, expected);
SELECT is(left(pg_temp.refusal('bob', format($$SELECT changemgmt.assign_duty(%s, 'independent_review', person => 'bob', due_at => now())$$, :trap)), 5), 'MC004', 'nor is it given so at first');
SELECT is(pg_temp.refusal('bob', format($$SELECT changemgmt.assign_duty(%s, '%s', person => 'vic', due_at => now() - interval '1 day')$$, :trap, kind)), '', kind || ' for somebody else')
FROM unnest('{full_record,validation_24_hours,validation_7_days}'::text[]) AS kind;
SELECT changemgmt.create_change_from('{"title": "secret", "model": "lean_normal", "owner": "bob", "confidential": true}') \g /dev/null
SELECT is(pg_temp.refusal('bob', format($$SELECT changemgmt.assign_duty(%s, 'other', person => 'vic', due_at => now() - interval '1 day')$$, max(id))), '', 'something of what vic does not see')
FROM changemgmt.change;
SELECT pg_temp.planned('mine', 'standard', 'vic') AS mine \gset
SELECT changemgmt.plan(:mine), changemgmt.set_setting('overdue_duty_blocks', 'on') \g /dev/null
SELECT is_empty(format($$SELECT FROM changemgmt.why_not(%s, 'submit')$$, :mine), 'what somebody could not end keeps nobody from work');
SELECT pg_temp.act('bob') \g /dev/null
SELECT changemgmt.assign_duty(:trap, 'other', 'call', 'vic', now() - interval '1 day') \g /dev/null
SELECT matches((SELECT message FROM changemgmt.why_not(:mine, 'submit')), '^vic is late with 1 duty: other of ', 'what they could does');
SELECT changemgmt.set_setting('overdue_duty_blocks', 'off') \g /dev/null

-- who authorised it has left
SELECT is(left(pg_temp.refusal('mona', format($$SELECT changemgmt.complete_duty(%s)$$, pg_temp.duty(:stuck, 'authoriser_confirmation'))), 5), 'MC003', 'no manager confirms for who is there');
UPDATE changemgmt.person SET is_active = false WHERE login = 'deputy';
SELECT is(left(pg_temp.refusal('ann', format($$SELECT changemgmt.complete_duty(%s)$$, pg_temp.duty(:stuck, 'authoriser_confirmation'))), 5), 'MC003', 'nor does anybody else for who has left');
SELECT changemgmt.add_board_member('cab', 'dan', 'change_manager') \g /dev/null
SELECT is(left(pg_temp.refusal('dan', format($$SELECT changemgmt.complete_duty(%s)$$, pg_temp.duty(:stuck, 'authoriser_confirmation'))), 5), 'MC004', 'nor a manager who had a part in it');
SELECT is(pg_temp.refusal('mona', format($$SELECT changemgmt.complete_duty(%s)$$, pg_temp.duty(:stuck, 'authoriser_confirmation'))), '', 'but another manager');

-- in the place of the authoriser
SELECT pg_temp.act('dan') \g /dev/null
SELECT id AS close_by FROM changemgmt.declare_emergency('Close by', 'INC-8', 'exec', 'production_down', owner => 'bob', model => 'lean_emergency') \gset
SELECT pg_temp.act('bob') \g /dev/null
SELECT pg_temp.act('exec') \g /dev/null
SELECT changemgmt.delegate_approval(login, now(), now() + interval '1 day') FROM unnest('{bob,dan}'::text[]) AS login \g /dev/null
SELECT is(left(pg_temp.refusal(login, format($$SELECT changemgmt.complete_duty(%s)$$, pg_temp.duty(:close_by, 'authoriser_confirmation'))), 5), 'MC004', 'no confirmation by ' || login || ', who had a part in it')
FROM unnest('{bob,dan}'::text[]) AS login;

-- what comes again without end
SELECT pg_temp.act('bob') \g /dev/null
SELECT changemgmt.assign_duty(:close_by, 'status_page', 'hourly', due_at => now(), repeat_minutes => 60) AS hourly \g /dev/null
SELECT changemgmt.complete(:close_by) \g /dev/null
SELECT changemgmt.assign_duty(:close_by, 'progress_update', 'too late', due_at => now(), repeat_minutes => 60) \g /dev/null
SELECT changemgmt.resume_work(:close_by, 'again') \g /dev/null
SELECT is((SELECT count(*) FROM pg_temp.owed(:close_by, now()) WHERE kind = 'progress_update'), 1::bigint, 'where updates are owed already, none is added');
SELECT changemgmt.complete(:close_by), changemgmt.pass(:close_by, 'seen') \g /dev/null
SELECT changemgmt.complete_duty(id) FROM changemgmt.duty WHERE change_id = :close_by AND kind = 'status_page' AND done_at IS NULL \g /dev/null
SELECT is((SELECT array_agg(repeat_minutes) FROM changemgmt.duty WHERE change_id = :close_by AND kind = 'status_page' AND done_at IS NULL), '{60}'::integer[], 'it is due again');
SELECT is((SELECT message FROM changemgmt.why_not(:close_by, 'close') WHERE requirement = 'duties_done') ~ 'status_page', false, 'closing does not wait for what was done and comes again');
SELECT changemgmt.edit_change(:close_by, '{"description": "d", "justification": "j", "user_impact": "u", "risk_level": "high", "rollback_trigger": "t", "rollback_plan": "p", "rollback_minutes": 1}'),
	changemgmt.add_item(:close_by, 'db'), changemgmt.review_change(:close_by, 'post_mortem', causes => 'c', lessons => 'l', actions => 'a') \g /dev/null
SELECT is(pg_temp.refusal(actor, format($$SELECT changemgmt.complete_duty(%s, 'said')$$, pg_temp.duty(:close_by, kind))), '', kind || ' by ' || actor)
FROM (VALUES ('bob', 'root_cause'), ('bob', 'resolution_summary'), ('bob', 'full_record'), ('exec', 'authoriser_confirmation'), ('cho', 'independent_review')) AS v (actor, kind);
SELECT is(pg_temp.refusal('bob', format('SELECT changemgmt.close(%s)', :close_by)), '', 'so it is closed');
SELECT is_empty(format('SELECT FROM pg_temp.owed(%s, now())', :close_by), 'and owes nothing');

-- ----------------------------------------------------------------
-- Who sees what
-- ----------------------------------------------------------------

CREATE ROLE regress_onlooker;
SELECT changemgmt.grant_role('regress_onlooker', 'implementer'), changemgmt.add_person('regress_onlooker') \g /dev/null
SELECT pg_temp.act('ann') \g /dev/null
SELECT id AS secret FROM changemgmt.create_change('secret', model => 'lean_normal', owner => 'ann', confidential => true) \gset
SELECT id AS secret_duty FROM changemgmt.assign_duty(:secret, 'other', 'hush', 'bob', now() - interval '1 hour') \gset
CREATE FUNCTION pg_temp.seen(which bigint) RETURNS bigint[] LANGUAGE sql AS $$
	SELECT ARRAY[(SELECT count(*) FROM changemgmt.duty WHERE id = which), (SELECT count(*) FROM changemgmt.open_duty WHERE duty_id = which),
		(SELECT count(*) FROM changemgmt.overdue_duty WHERE duty_id = which), (SELECT count(*) FROM changemgmt.ledger WHERE subject_kind = 'duty' AND subject_id = which)] $$;
CREATE FUNCTION pg_temp.tried(sql text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE sql;
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END $$;
SELECT pg_temp.act('') \g /dev/null
SET LOCAL ROLE regress_onlooker;
SELECT pg_temp.seen(:secret_duty) AS hidden, pg_temp.seen(:direct) AS shown \gset
SELECT pg_temp.tried(format('SELECT changemgmt.complete_duty(%s)', :secret_duty)) AS refused,
	pg_temp.tried(format($$SELECT changemgmt.assign_duty(%s, 'other', due_at => now())$$, :secret)) AS refused_too \gset
RESET ROLE;
SELECT is(:'hidden'::bigint[], '{0,0,0,0}', 'duties of a confidential change are not seen by others, nor their trail');
SELECT is(:'shown'::bigint[], '{1,0,0,2}', 'others are');
SELECT is(:'refused'::text, 'MC008', 'nor done');
SELECT is(:'refused_too'::text, 'MC008', 'nor given');
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT is_empty($$SELECT * FROM changemgmt.doctor(deep => true) WHERE severity <> 'note'$$, 'and nothing is wrong');
SELECT finish();
ROLLBACK;
