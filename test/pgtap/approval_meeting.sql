-- Queues, meetings of boards, agenda and minutes.

BEGIN;
SELECT no_plan();

CREATE FUNCTION pg_temp.refusal(sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	code text;
	message text;
	detail text;
BEGIN
	EXECUTE sql;
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' | ', code, message, nullif(detail, ''));
END
$$;

-- The first column of the answer to somebody, or the SQLSTATE of the refusal.
CREATE FUNCTION pg_temp.as(login text, sql text, VARIADIC arguments text[] DEFAULT '{}') RETURNS text
	LANGUAGE plpgsql AS
$$
DECLARE
	actor text := current_setting('changemgmt.actor');
	answer text;
BEGIN
	PERFORM set_config('changemgmt.actor', login, true);
	BEGIN
		EXECUTE format(sql, VARIADIC arguments) INTO answer;
	EXCEPTION WHEN OTHERS THEN
		answer := SQLSTATE;
	END;
	PERFORM set_config('changemgmt.actor', actor, true);
	RETURN answer;
END
$$;

SET LOCAL timezone = 'UTC';
SET LOCAL changemgmt.actor = 'author';
SELECT changemgmt.add_person(p)
FROM unnest('{author,owner,chair,m1,m2,m3,guest,lead,keeper}'::text[]) AS p \g /dev/null
SELECT changemgmt.add_team('dba', lead => 'lead') \g /dev/null
SELECT changemgmt.add_ci('db1', kind => 'database', owner => 'keeper') \g /dev/null
SELECT changemgmt.add_board(b) FROM unnest('{cab,ecab,steering}'::text[]) AS b \g /dev/null
SELECT changemgmt.add_board_member('cab', 'chair', 'change_manager'), changemgmt.add_board_member('cab', 'm1'),
	changemgmt.add_board_member('cab', 'm2'), changemgmt.add_board_member('cab', 'm3') \g /dev/null

-- A change that waits for the board; the patch is laid over a good plan, before or after it was submitted.
CREATE FUNCTION pg_temp.submitted(title text, patch jsonb DEFAULT '{}', later jsonb DEFAULT '{}', model text DEFAULT 'normal') RETURNS bigint
	LANGUAGE plpgsql AS
$$
DECLARE
	id bigint;
BEGIN
	SELECT c.id INTO id FROM changemgmt.create_change_from('{"owner": "owner", "items": ["db1"], "description": "d", "justification": "j",
		"user_impact": "none", "risk_level": "low", "rollback_trigger": "errors", "rollback_plan": "back", "rollback_minutes": 5,
		"rollback_strategy": "redeploy", "test_plan": "on a copy", "verification_plan": "look"}'::jsonb
		|| jsonb_build_object('title', title, 'model', model, 'planned_start', now() + interval '30 days',
			'planned_end', now() + interval '30 days 1 hour') || patch) AS c;
	PERFORM changemgmt.advance(id, 'awaiting_approval');
	IF later <> '{}' THEN
		PERFORM changemgmt.edit_change(id, later);
	END IF;
	RETURN id;
END
$$;

-- ----------------------------------------------------------------
-- Recommendations
-- ----------------------------------------------------------------

SELECT pg_temp.submitted('good') AS good, pg_temp.submitted('against', '{"risk_level": "medium"}') AS against \gset
SELECT pg_temp.submitted(title, patch::jsonb, later::jsonb, model) FROM (VALUES
	('high', '{"risk_level": "high"}', '{}', 'normal'),
	('critical data', '{"risk_level": "critical", "touches_data_integrity": true}', '{}', 'normal'),
	('unknown', '{"risk_level": null, "risks": [{"description": "r", "likelihood": "low", "impact": "low"}]}', '{}', 'normal'),
	('security', '{"touches_security": true}', '{}', 'normal'),
	('bare', '{}', '{"description": " ", "verification_plan": null, "rollback_trigger": null}', 'normal'),
	('medium', '{"risk_level": "medium", "rollback_strategy": null, "test_plan": null}', '{}', 'normal'),
	('major', '{}', '{}', 'major'),
	('lean', '{"team": "dba"}', '{}', 'lean_normal'),
	('late', '{}', jsonb_build_object('planned_start', now() + interval '1 hour', 'planned_end', now() + interval '2 hours')::text, 'normal'))
	AS v (title, patch, later, model) \g /dev/null
CREATE FUNCTION pg_temp.advice(title text) RETURNS text LANGUAGE sql AS
	$$ SELECT recommendation || ': ' || recommendation_reason FROM changemgmt.cab_queue AS q WHERE q.title = advice.title $$;
SELECT is(pg_temp.advice(title), advice, format('what to do with %s', title)) FROM (VALUES
	('good', 'pre_approve: low risk, tested, redeploy as the way back, notice kept, nobody against it'),
	('high', 'discuss: the risk is high'),
	('critical data', 'discuss: the risk is critical; touches data integrity'),
	('unknown', 'discuss: nobody has assessed the risk'),
	('security', 'discuss: touches security'),
	('bare', 'discuss: the plan lacks description, rollback trigger, verification'),
	('medium', 'decide_asynchronously: the risk is medium; it is not said how it is tested; the rollback strategy is not known'),
	('major', 'decide_asynchronously: it is major'),
	('lean', NULL),
	('late', 'decide_asynchronously: the notice is not kept')) AS v (title, advice);

SELECT is(pg_temp.as('m1', 'SELECT (changemgmt.approve(%s)).status', :'against'), 'awaiting_approval', 'a vote for it');
SELECT is(pg_temp.advice('against'), 'decide_asynchronously: the risk is medium', 'speaks for no meeting');
SELECT is(pg_temp.as('m2', 'SELECT (changemgmt.reject(%s, ''no'')).status', :'against'), 'awaiting_approval', 'another against it');
SELECT is(pg_temp.advice('against'), 'discuss: the votes disagree', 'does');
SELECT changemgmt.edit_change(:against, '{"description": "other"}') \g /dev/null
SELECT is(pg_temp.advice('against'), 'discuss: it was rejected or deferred before', 'also after another plan was made');
SELECT is(pg_temp.as('m3', 'SELECT (changemgmt.defer(%s, ''test it'')).status', :'against'), 'awaiting_approval', 'one defers');
SELECT is(pg_temp.advice('against'), 'discuss: a vote defers it; it was rejected or deferred before', 'both are said');
SELECT is(pg_temp.as('m2', 'SELECT (changemgmt.defer(%s, ''too'')).status', :'against'), 'planned', 'two defer it');
SELECT is(pg_temp.as('author', 'SELECT (changemgmt.submit(%s)).status', :'against'), 'awaiting_approval', 'it is submitted again');
SELECT is(pg_temp.advice('against'), 'discuss: it was rejected or deferred before', 'and that is remembered');
SELECT is(pg_temp.as('m1', 'SELECT (changemgmt.abstain(%s, ''mine'')).status', :'good'), 'awaiting_approval', 'one abstains');
SELECT is(pg_temp.advice('good'), 'decide_asynchronously: somebody abstained', 'that is a doubt');
SELECT changemgmt.edit_change(:good, '{"description": "other"}') \g /dev/null
SELECT is(pg_temp.advice('good'), 'decide_asynchronously: the plan was edited since a vote', 'so is an edit after a vote');

-- ----------------------------------------------------------------
-- Whom it waits for
-- ----------------------------------------------------------------

SELECT results_eq($$SELECT login, board, is_stale_vote FROM changemgmt.approval_queue WHERE title = 'good' ORDER BY login$$,
	$$VALUES ('chair', 'cab', false), ('m1', 'cab', true), ('m2', 'cab', false), ('m3', 'cab', false)$$,
	'for each who has not voted on the plan as it is');
SELECT results_eq($$SELECT login, board, type, risk_level FROM changemgmt.approval_queue WHERE title = 'lean' ORDER BY login$$,
	$$VALUES ('keeper', NULL, 'normal', 'low'), ('lead', NULL, 'normal', 'low')$$, 'a lean change for the lead and the owner of the item');
SELECT is(pg_temp.as('m2', 'SELECT (changemgmt.approve(%s)).status', :'good'), 'awaiting_approval', 'one votes');
SELECT is_empty($$SELECT FROM changemgmt.approval_queue WHERE title = 'good' AND login = 'm2'$$, 'it waits for him no more');
UPDATE changemgmt.board_member SET valid_until = clock_timestamp() WHERE person_id = changemgmt.person_id('m3');
SELECT is_empty($$SELECT FROM changemgmt.approval_queue WHERE login = 'm3'$$, 'nor for one whose seat is over');
UPDATE changemgmt.board_member SET valid_until = 'infinity' WHERE person_id = changemgmt.person_id('m3');
SELECT changemgmt.edit_change(:good, '{"owner": "m1"}') \g /dev/null
SELECT is_empty(format('SELECT FROM changemgmt.approval_queue WHERE id = %s AND login = ''m1''', :good),
	'nor for whom duties keep apart from it');
SELECT changemgmt.edit_change(:good, '{"owner": "owner"}') \g /dev/null
SELECT changemgmt.hold(id, 'later') FROM changemgmt.change WHERE title = 'late' \g /dev/null
SELECT is_empty($$SELECT FROM changemgmt.approval_queue WHERE title = 'late'$$, 'what is on hold waits for nobody');
SELECT is_empty(format('SELECT FROM changemgmt.approval_waiting(%s)', id), 'by the function, too') FROM changemgmt.change WHERE title = 'late';
SELECT is(pg_temp.refusal('SELECT * FROM changemgmt.approval_waiting(-1)'), 'MC008 | change -1 does not exist', 'an unknown change');
SELECT ok(bool_and(abs(age_hours) < 0.1 AND submitted_at >= now()), 'since when') FROM changemgmt.approval_queue WHERE title = 'lean';
SELECT is_empty(
	$$SELECT a.attrelid::regclass, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
	WHERE a.attrelid = ANY (ARRAY['changemgmt.cab_queue', 'changemgmt.approval_queue']::regclass[])
	  AND a.attnum > 0 AND (col_description(a.attrelid, a.attnum) IS NULL
	   OR a.atttypid NOT IN ('text'::regtype, 'bigint'::regtype, 'integer'::regtype,
		'boolean'::regtype, 'timestamptz'::regtype, 'double precision'::regtype)
		  AND NOT (a.atttypid = 'numeric'::regtype AND a.atttypmod <> -1)
	   OR c.reloptions <> '{security_invoker=true}')$$, 'plain columns, each with a comment, with the rights of who looks');

-- ----------------------------------------------------------------
-- Cadence
-- ----------------------------------------------------------------

CREATE FUNCTION pg_temp.meets(board text, within tstzrange) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(to_char(o.starts_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI'), ', ' ORDER BY o.starts_at)
	FROM changemgmt.board_cadence AS c, changemgmt.occurrences(c.recurrence, within) AS o
	WHERE c.board_id = changemgmt.board_id(board) $$;

SELECT changemgmt.set_setting('reporting_time_zone', 'Europe/Berlin') \g /dev/null
-- clocks go forward on 29 March and back on 25 October 2026: ten o'clock is 9 UTC in winter and 8 in summer
SELECT changemgmt.set_board_cadence('cab', 'weekly', first_start => '2026-03-19 10:00 Europe/Berlin') \g /dev/null
SELECT is(pg_temp.meets('cab', '[2026-03-01,2026-04-10)'), '03-19 09:00, 03-26 09:00, 04-02 08:00, 04-09 08:00', 'weekly');
SELECT is((SELECT recurrence::text FROM changemgmt.board_cadence),
	'DTSTART;TZID=Europe/Berlin:20260319T100000 DURATION:PT1H RRULE:FREQ=WEEKLY;BYDAY=TH', 'is such a recurrence');
SELECT changemgmt.set_board_cadence('cab', 'biweekly', first_start => '2026-03-19 10:00 Europe/Berlin', minutes => 90) \g /dev/null
SELECT is(pg_temp.meets('cab', '[2026-03-01,2026-05-01)'), '03-19 09:00, 04-02 08:00, 04-16 08:00, 04-30 08:00', 'biweekly');
SELECT changemgmt.set_board_cadence('cab', 'monthly', first_start => '2026-01-08 10:00 Europe/Berlin') \g /dev/null
SELECT is(pg_temp.meets('cab', '[2026-01-01,2026-12-01)'),
	'01-08 09:00, 02-12 09:00, 03-12 09:00, 04-09 08:00, 05-14 08:00, 06-11 08:00, 07-09 08:00, 08-13 08:00, 09-10 08:00, 10-08 08:00, 11-12 09:00',
	'monthly: the second Thursday');
SELECT changemgmt.set_board_cadence('cab', 'quarterly', first_start => '2026-01-08 10:00 Europe/Berlin') \g /dev/null
SELECT is(pg_temp.meets('cab', '[2026-01-01,2027-02-01)'), '01-08 09:00, 04-09 08:00, 07-09 08:00, 10-08 08:00, 01-14 09:00', 'quarterly');
SELECT changemgmt.set_board_cadence('cab', 'monthly', first_start => '2026-01-29 10:00 Europe/Berlin') \g /dev/null
SELECT is(pg_temp.meets('cab', '[2026-01-01,2026-06-01)'), '01-29 09:00, 02-26 09:00, 03-26 09:00, 04-30 08:00, 05-28 08:00',
	'from a fifth Thursday: the last one');
SELECT changemgmt.set_setting('reporting_time_zone', 'UTC') \g /dev/null
SELECT changemgmt.set_board_cadence('cab', 'weekly', first_start => '2026-01-01 10:00Z') \g /dev/null
SELECT is((SELECT recurrence::text FROM changemgmt.board_cadence), 'DTSTART;TZID=UTC:20260101T100000 DURATION:PT1H RRULE:FREQ=WEEKLY;BYDAY=TH', 'in UTC');
SELECT changemgmt.set_board_cadence('steering', 'DTSTART;TZID=America/New_York:20260302T090000 DURATION:PT30M RRULE:FREQ=MONTHLY;BYDAY=1MO', 3, 'room 1') \g /dev/null
SELECT is(pg_temp.meets('steering', '[2026-03-01,2026-06-01)'), '03-02 14:00, 04-06 13:00, 05-04 13:00', 'as RFC 5545 writes it');
SELECT results_eq($$SELECT b.name, c.quorum, c.location FROM changemgmt.board_cadence AS c JOIN changemgmt.board AS b ON b.id = c.board_id ORDER BY 1$$,
	$$VALUES ('cab', NULL, NULL), ('steering', 3, 'room 1')$$, 'one cadence a board');

SELECT is(pg_temp.refusal(format('SELECT changemgmt.set_board_cadence(%s)', arguments)), refusal, arguments) FROM (VALUES
	('''nobody'', ''weekly'', first_start => now()', 'MC008 | board "nobody" does not exist'),
	('NULL, ''weekly'', first_start => now()', 'MC008 | the board is null'),
	('''cab'', NULL', 'MC008 | the recurrence is null'),
	('''cab'', ''weekly''', 'MC008 | "weekly" needs a first start'),
	('''cab'', ''monthly'', first_start => ''infinity''', 'MC008 | meetings cannot begin at that time'),
	('''cab'', ''weekly'', first_start => now(), minutes => 0', 'MC008 | a meeting cannot last 0 minutes'),
	('''cab'', ''weekly'', first_start => now(), minutes => 1441', 'MC008 | a meeting cannot last 1441 minutes'),
	('''cab'', ''DTSTART:20260101T100000Z DURATION:PT1H'', first_start => now()', 'MC008 | a first start goes with weekly, biweekly, monthly or quarterly'),
	('''cab'', ''weekly'', 0, first_start => now()', 'MC008 | a quorum of 0 is none'))
	AS v (arguments, refusal);
SELECT matches(pg_temp.refusal($$SELECT changemgmt.set_board_cadence('cab', 'on Thursdays')$$), '^MC008 \| ', 'what is no recurrence');

-- ----------------------------------------------------------------
-- Planning
-- ----------------------------------------------------------------

SELECT date_trunc('day', now()) + interval '7 days 10 hours' AS first \gset
SELECT changemgmt.set_board_cadence('cab', 'weekly', 2, 'room 2', first_start => :'first') \g /dev/null
SELECT is((SELECT id FROM changemgmt.next_meeting('cab')), NULL, 'nothing is planned yet');
SELECT is((SELECT starts_at FROM changemgmt.next_meeting('cab')), :'first'::timestamptz, 'but the cadence knows the next meeting');
SELECT is(changemgmt.plan_meetings('cab', :'first'::timestamptz + interval '21 days 1 hour'), 4::bigint, 'four weeks are four meetings');
SELECT is(changemgmt.plan_meetings('cab', :'first'::timestamptz + interval '21 days 1 hour'), 0::bigint, 'once');
SELECT is(changemgmt.plan_meetings('cab', :'first'::timestamptz + interval '35 days'), 1::bigint, 'the end is not part of it');
SELECT results_eq($$SELECT starts_at, ends_at - starts_at, kind, status, location FROM changemgmt.board_meeting ORDER BY id LIMIT 2$$,
	format($$VALUES (%1$L::timestamptz, interval '1 hour', 'regular', 'planned', 'room 2'), (%1$L::timestamptz + interval '7 days', '1 hour', 'regular', 'planned', 'room 2')$$, :'first'),
	'at their times');
SELECT id AS second FROM changemgmt.board_meeting WHERE starts_at = :'first'::timestamptz + interval '7 days' \gset
SELECT id AS third FROM changemgmt.board_meeting WHERE starts_at = :'first'::timestamptz + interval '14 days' \gset
SELECT changemgmt.cancel_meeting(:second, 'holidays') \g /dev/null
SELECT changemgmt.cancel_meeting(:second, 'holidays') \g /dev/null
SELECT is(changemgmt.plan_meetings('cab', :'first'::timestamptz + interval '35 days'), 0::bigint, 'what is cancelled is not planned again');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.cancel_meeting(%s, ''again'')', :second)), format('MC001 | meeting %s of board cab is cancelled', :second), 'nor cancelled again');
SELECT is(pg_temp.refusal(format('SELECT changemgmt.cancel_meeting(%s, '' '')', :third)), 'MC002 | who cancels a meeting says why', 'nor without a reason');
SELECT is(pg_temp.as('chair', 'SELECT changemgmt.add_to_agenda(%s, %s) > 0', :'third', :'good'), 'true', 'an item is placed');
SELECT changemgmt.set_board_cadence('cab', 'biweekly', 2, 'room 2', first_start => :'first') \g /dev/null
SELECT results_eq($$SELECT starts_at, status FROM changemgmt.board_meeting ORDER BY starts_at$$,
	format($$VALUES (%1$L::timestamptz, 'planned'), (%1$L::timestamptz + interval '7 days', 'cancelled'), (%1$L::timestamptz + interval '14 days', 'planned'),
		(%1$L::timestamptz + interval '28 days', 'planned')$$, :'first'),
	'another cadence takes back what it does not name');
SELECT changemgmt.set_board_cadence('cab', 'weekly', 2, 'room 2', first_start => :'first'::timestamptz + interval '1 hour') \g /dev/null
SELECT results_eq($$SELECT starts_at, status, status_reason FROM changemgmt.board_meeting WHERE status_reason IS DISTINCT FROM 'holidays'$$,
	format($$VALUES (%L::timestamptz + interval '14 days', 'cancelled', 'the board meets at other times')$$, :'first'),
	'what has an agenda stays on record');
SELECT changemgmt.set_board_cadence('cab', 'weekly', 2, 'room 2', first_start => :'first') \g /dev/null
SELECT is(changemgmt.plan_meetings('cab', :'first'::timestamptz + interval '1 day'), 1::bigint, 'and back again');
SELECT is((SELECT starts_at FROM changemgmt.next_meeting('cab')), :'first'::timestamptz, 'the next meeting');
SELECT isnt((SELECT id FROM changemgmt.next_meeting('cab')), NULL, 'has an id now');
SELECT ok((n).id IS NULL AND (n).starts_at IS NULL, 'a board without a cadence has none') FROM changemgmt.next_meeting('ecab') AS n;
SELECT is(pg_temp.refusal(sql), refusal, sql) FROM (VALUES
	('SELECT * FROM changemgmt.next_meeting(''nobody'')', 'MC008 | board "nobody" does not exist'),
	('SELECT changemgmt.plan_meetings(''nobody'', now() + interval ''1 month'')', 'MC008 | board "nobody" does not exist'),
	('SELECT changemgmt.plan_meetings(''ecab'', now() + interval ''1 month'')', 'MC008 | board "ecab" has no cadence'),
	('SELECT changemgmt.plan_meetings(''cab'', now() - interval ''1 month'')', 'MC008 | meetings cannot be planned in the past'),
	('SELECT changemgmt.plan_meetings(''cab'', ''infinity'')', 'MC008 | meetings are planned for 5 years at most'),
	('SELECT changemgmt.plan_meetings(''cab'', NULL)', 'MC008 | meetings are planned for 5 years at most'),
	('SELECT changemgmt.plan_meetings(''cab'', now() + interval ''6 years'')', 'MC008 | meetings are planned for 5 years at most'),
	('SELECT changemgmt.hold_meeting(-1, ''{m1}'')', 'MC008 | meeting -1 does not exist'),
	('SELECT changemgmt.hold_meeting(NULL, ''{m1}'')', 'MC008 | the meeting is null'),
	('INSERT INTO changemgmt.board_meeting (board_id, starts_at, ends_at) SELECT id, now() - interval ''2 days'', now() - interval ''1 day'' FROM changemgmt.board WHERE name = ''cab''',
		'MC008 | a meeting cannot be planned in the past'),
	('INSERT INTO changemgmt.board_meeting (board_id, starts_at, ends_at, status) SELECT id, now(), now() + interval ''1 day'', ''held'' FROM changemgmt.board WHERE name = ''cab''',
		'MC001 | a meeting is planned before it is held')) AS v (sql, refusal);

-- ----------------------------------------------------------------
-- The agenda
-- ----------------------------------------------------------------

-- of a meeting that can be held: in an hour
SELECT changemgmt.set_board_cadence('cab', 'weekly', 3, 'room 2', first_start => date_trunc('second', now()) + interval '1 hour') \g /dev/null
SELECT changemgmt.plan_meetings('cab', now() + interval '2 hours') \g /dev/null
SELECT id AS meeting FROM changemgmt.next_meeting('cab') \gset
CREATE FUNCTION pg_temp.agenda() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(title, ', ' ORDER BY place) FROM changemgmt.board_agenda WHERE board = 'cab' $$;
SELECT pg_temp.submitted('soon', '{"risk_level": "high"}', jsonb_build_object('planned_start', now() + interval '30 minutes', 'planned_end', now() + interval '2 hours')) AS soon,
	(SELECT id FROM changemgmt.change WHERE title = 'high') AS high, (SELECT id FROM changemgmt.change WHERE title = 'security') AS security,
	(SELECT id FROM changemgmt.change WHERE title = 'medium') AS medium, (SELECT id FROM changemgmt.change WHERE title = 'lean') AS lean,
	(SELECT id FROM changemgmt.change WHERE title = 'unknown') AS unknown \gset
SELECT is(pg_temp.agenda(), 'critical data, soon, high, unknown, against, security, bare', 'what needs talking: the risk first, then the start');
SELECT results_eq($$SELECT title, starts_before_meeting, advice FROM changemgmt.board_agenda WHERE title IN ('soon', 'high')$$,
	$$VALUES ('soon', true, 'it starts before the meeting: decide asynchronously, or call an emergency meeting'), ('high', false, NULL)$$,
	'what cannot wait for the meeting');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.add_to_agenda(%s, %s, 1) > 0', :'meeting', :'medium'), 'true', 'the chair''s order');
SELECT is(pg_temp.agenda(), 'medium, critical data, soon, high, unknown, against, security, bare', 'comes first');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.add_to_agenda(%s, %s, 3) > 0', :'meeting', :'security'), 'true', 'another');
SELECT is(pg_temp.agenda(), 'medium, critical data, security, soon, high, unknown, against, bare', 'at its place');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.add_to_agenda(%s, %s, 1) > 0', :'meeting', :'good'), 'true', 'a third, where one is');
SELECT is(pg_temp.agenda(), 'good, medium, security, critical data, soon, high, unknown, against, bare', 'moves that one on');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.add_to_agenda(%s, %s, 99) > 0', :'meeting', :'high'), 'true', 'beyond the end');
SELECT is(pg_temp.agenda(), 'good, medium, security, critical data, soon, unknown, against, bare, high', 'is at the end');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.add_to_agenda(%s, %s) > 0', :'meeting', :'good'), 'true', 'without a place');
SELECT is(pg_temp.agenda(), 'medium, critical data, security, soon, unknown, against, good, bare, high', 'it goes where its risk puts it');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.remove_from_agenda(%s, %s)', :'meeting', :'unknown'), '', 'one is left out');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.remove_from_agenda(%s, %s)', :'meeting', :'good'), '', 'also one that was placed');
SELECT is(pg_temp.agenda(), 'medium, critical data, security, soon, against, bare, high', 'and is gone');
SELECT results_eq($$SELECT title, placed_by FROM changemgmt.board_agenda WHERE title IN ('medium', 'bare')$$,
	$$VALUES ('medium', 'm1'), ('bare', NULL)$$, 'who placed it');
SELECT results_eq($$SELECT DISTINCT board, meeting_id, location FROM changemgmt.board_agenda$$,
	format('VALUES (''cab'', %s::bigint, ''room 2'')', :meeting), 'in one meeting');
SELECT is(answer, refusal, what || ' is refused') FROM (VALUES
	('a lean change', pg_temp.as('m1', 'SELECT changemgmt.add_to_agenda(%s, %s)', :'meeting', :'lean'), 'MC008'),
	('an unknown change', pg_temp.as('m1', 'SELECT changemgmt.add_to_agenda(%s, -1)', :'meeting'), 'MC008'),
	('no change', pg_temp.as('m1', 'SELECT changemgmt.add_to_agenda(%s, NULL)', :'meeting'), 'MC008'),
	('place -1', pg_temp.as('m1', $$SELECT pg_temp.refusal('SELECT changemgmt.add_to_agenda(%s, %s, -1)')$$, :'meeting', :'good'), 'MC008 | an agenda has no place -1'),
	('place 0', pg_temp.as('m1', 'SELECT changemgmt.add_to_agenda(%s, %s, 0)', :'meeting', :'good'), 'MC008'),
	('somebody without a seat', pg_temp.as('guest', 'SELECT changemgmt.add_to_agenda(%s, %s)', :'meeting', :'good'), 'MC003'),
	('nobody', pg_temp.as('stranger', 'SELECT changemgmt.add_to_agenda(%s, %s)', :'meeting', :'good'), 'MC003'),
	('a cancelled meeting', pg_temp.as('m1', 'SELECT changemgmt.add_to_agenda(%s, %s)', :'second', :'good'), 'MC001'),
	('a draft', pg_temp.as('m1', 'SELECT changemgmt.add_to_agenda(%s, (changemgmt.create_change(''draft'')).id)', :'meeting'), 'MC001'))
	AS v (what, answer, refusal);
SELECT is(pg_temp.refusal(format('DELETE FROM changemgmt.agenda_item WHERE change_id = %s AND meeting_id = %s', :good, :meeting)), 'MC006 | agenda and minutes of a meeting stay on record', 'nothing is taken away');

-- ----------------------------------------------------------------
-- The meeting
-- ----------------------------------------------------------------

SELECT is(pg_temp.as('chair', 'SELECT changemgmt.record_minute(%s, %s, ''said'')', :'meeting', :'high'), 'MC001', 'no minutes before it is held');
SELECT is(pg_temp.as('chair', 'SELECT changemgmt.close_meeting(%s)', :'meeting'), 'MC001', 'nor an end');
SELECT is(pg_temp.as('chair', 'SELECT changemgmt.hold_meeting(%s, ''{m1}'')', :'second'), 'MC001', 'one that is cancelled is not held');
SELECT is(pg_temp.as('guest', 'SELECT changemgmt.hold_meeting(%s, ''{m1}'')', :'meeting'), 'MC003', 'nor by somebody without a seat');
SELECT is(pg_temp.as('chair', 'SELECT changemgmt.hold_meeting(%s, %L)', :'meeting', present), 'MC008', 'nor with ' || coalesce(present, 'null'))
FROM unnest(ARRAY['{}', NULL, '{NULL}', '{m1,stranger}', '{dba}']) AS present;
SELECT is(pg_temp.as('chair', 'SELECT changemgmt.hold_meeting(%s, ''{m1,m2}'', ''m3'')', :'meeting'), 'MC008', 'nor with a chair who is not there');
SELECT is(pg_temp.as('guest', 'UPDATE changemgmt.board_meeting SET location = ''bar'' WHERE id = %s', :'meeting'), 'MC003', 'nor moved');
SET LOCAL changemgmt.actor = 'chair';
UPDATE changemgmt.board_meeting SET starts_at = now() + interval '2 days', ends_at = now() + interval '3 days' WHERE id = :meeting;
SELECT is(pg_temp.as('chair', 'SELECT changemgmt.hold_meeting(%s, ''{m1}'')', :'meeting'), 'MC001', 'nor two days early');
UPDATE changemgmt.board_meeting SET starts_at = now() + interval '1 hour', ends_at = now() + interval '2 hours' WHERE id = :meeting;
SET LOCAL changemgmt.actor = 'author';

SELECT is(pg_temp.as('m1', 'SELECT h::text FROM changemgmt.hold_meeting(%s, ''{m1,m2,guest,m1}'') AS h', :'meeting'), '(2,3,f)', 'two of three');
SELECT is(pg_temp.as('m1', 'SELECT (changemgmt.reject(%s, ''not now'')).status', :'high'), 'awaiting_approval', 'votes are given all the same');
SELECT is(pg_temp.as('m2', 'SELECT (changemgmt.reject(%s, ''no'')).status', :'high'), 'rejected', 'and decide');
SELECT is(pg_temp.as('m1', $$SELECT pg_temp.refusal('SELECT changemgmt.record_minute(%s, %s, ''said'')')$$, :'meeting', :'high'),
	format('MC002 | meeting %s of board cab is below its quorum and decides nothing | quorum: 2 of 3 members are present', :meeting), 'but are no decision of the meeting');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.record_minute(%s, %s, ''said'', ''rejected'')', :'meeting', :'high'), 'MC002', 'nor if somebody says so');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.record_minute(%s, %s, ''We were too few.'', ''noted'')', :'meeting', :'high'), 'noted', 'what was said is noted');
SELECT is(pg_temp.as('guest', 'SELECT changemgmt.record_minute(%s, %s, ''talked'')', :'meeting', :'security'), 'noted', 'also by a guest');
SELECT is(pg_temp.as('keeper', 'SELECT changemgmt.record_minute(%s, %s, ''talked'')', :'meeting', :'security'), 'MC003', 'who has to be there');
SELECT is(pg_temp.as('m1', 'SELECT h::text FROM changemgmt.hold_meeting(%s, ''{m1,m2,m3}'') AS h', :'meeting'), '(3,3,t)', 'a third comes, the guest leaves');
SELECT results_eq(format($$SELECT p.login, a.seat FROM changemgmt.board_attendance AS a JOIN changemgmt.person AS p ON p.id = a.person_id WHERE meeting_id = %s ORDER BY 1$$, :meeting),
	$$VALUES ('m1', 'member'), ('m2', 'member'), ('m3', 'member')$$, 'who is there');
SELECT is((SELECT p.login FROM changemgmt.board_meeting AS m JOIN changemgmt.person AS p ON p.id = m.chair_id WHERE m.id = :meeting), 'm1', 'who records it takes the chair');
SELECT is((SELECT id FROM changemgmt.next_meeting('cab')), :meeting::bigint, 'the meeting under way is the next');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.record_minute(%s, %s, ''We were too few.'')', :'meeting', :'high'), 'rejected', 'now it is its decision');
SELECT is(pg_temp.agenda(), 'medium, critical data, security, soon, against, bare', 'what is decided drops off');

SELECT is(pg_temp.as('m1', 'SELECT changemgmt.record_minute(%s, %s, ''Harmless.'', ''approved'')', :'meeting', :'medium'), 'MC002', 'minutes approve nothing');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.record_minute(%s, %s, ''Harmless.'', %L)', :'meeting', :'medium', decision), 'MC002', 'nor say ' || decision)
FROM unnest(ARRAY['rejected', 'deferred', 'abstained', 'x', '']) AS decision;
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.record_minute(%s, %s, ''Harmless.'')', :'meeting', :'medium'), 'noted', 'nothing is decided yet');
SELECT is((SELECT status FROM changemgmt.change WHERE id = :medium), 'awaiting_approval', 'it waits');
SELECT is(pg_temp.as('m2', 'SELECT (changemgmt.approve(%s)).status', :'medium'), 'awaiting_approval', 'one votes');
SELECT is(pg_temp.as('m3', 'SELECT (changemgmt.approve(%s, ''fine'')).status', :'medium'), 'approved', 'and another');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.record_minute(%s, %s, ''Harmless.'', ''noted'')', :'meeting', :'medium'), 'MC002', 'then it is not noted only');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.record_minute(%s, %s, %L)', :'meeting', :'medium', said), 'MC008', 'something is said')
FROM unnest(ARRAY['', ' ', NULL]) AS said;
SELECT is(pg_temp.as('m2', 'SELECT (changemgmt.defer(%s, ''tell us more'')).status', :'security'), 'awaiting_approval', 'one defers another');
SELECT is(pg_temp.as('m3', 'SELECT (changemgmt.defer(%s, ''as he says'')).status', :'security'), 'planned', 'so do two');
SELECT is(pg_temp.refusal(format('DELETE FROM changemgmt.meeting_minute WHERE meeting_id = %s', :meeting)), 'MC006 | agenda and minutes of a meeting stay on record', 'minutes are not taken away');
SELECT is(pg_temp.refusal(format('DELETE FROM changemgmt.board_meeting WHERE id = %s', :meeting)), 'MC006 | a meeting that was held or cancelled stays on record', 'nor is the meeting');
SELECT is(pg_temp.as('keeper', 'SELECT changemgmt.close_meeting(%s, ''All said.'')', :'meeting'), 'MC003', 'not everybody closes it');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.close_meeting(%s, ''All said.'')', :'meeting'), '', 'it is closed');
SELECT results_eq(format($$SELECT item, title, decision, votes, discussion, recorded_by FROM changemgmt.board_minutes WHERE meeting_id = %s ORDER BY item$$, :meeting),
	$$VALUES (1::bigint, 'high', 'rejected', 'm1 rejected (not now); m2 rejected (no)', 'We were too few.', 'm1'),
		(2, 'security', 'deferred', 'm2 deferred (tell us more); m3 deferred (as he says)', 'talked', 'guest'),
		(3, 'medium', 'approved', 'm2 approved; m3 approved (fine)', 'Harmless.', 'm1')$$, 'the minutes take up what was decided since they were written');
SELECT results_eq(format($$SELECT DISTINCT board, kind, chair, present, is_quorate, minutes, closed_at IS NOT NULL FROM changemgmt.board_minutes WHERE meeting_id = %s$$, :meeting),
	$$VALUES ('cab', 'regular', 'm1', 'm1, m2, m3', true, 'All said.', true)$$, 'of this meeting');

-- frozen
SELECT is(pg_temp.as('m1', sql, :'meeting', :'high'), answer, sql) FROM (VALUES
	('SELECT changemgmt.record_minute(%s, %s, ''other'')', 'MC005'),
	('SELECT changemgmt.close_meeting(%s, ''other'')', 'MC005'),
	('SELECT changemgmt.close_meeting(%s, ''All said.'')', ''),
	('SELECT changemgmt.close_meeting(%s)', ''),
	('SELECT changemgmt.hold_meeting(%s, ''{m1}'')', 'MC005'),
	('SELECT changemgmt.cancel_meeting(%s, ''never was'')', 'MC005'),
	('SELECT changemgmt.add_to_agenda(%1$s, ' || :good || ')', 'MC005'),
	('UPDATE changemgmt.board_meeting SET minutes = ''other'' WHERE id = %s', 'MC005'),
	('UPDATE changemgmt.board_meeting SET closed_at = NULL WHERE id = %s', 'MC005'),
	('UPDATE changemgmt.meeting_minute SET discussion = ''other'' WHERE meeting_id = %s', 'MC005'),
	('UPDATE changemgmt.meeting_minute SET decision = ''approved'' WHERE meeting_id = %s', 'MC005'),
	('UPDATE changemgmt.agenda_item SET position = 1 WHERE meeting_id = %s', 'MC005'),
	('DELETE FROM changemgmt.board_attendance WHERE meeting_id = %s', 'MC005'),
	('DELETE FROM changemgmt.meeting_minute WHERE meeting_id = %s', 'MC005'),
	('DELETE FROM changemgmt.board_meeting WHERE id = %s', 'MC006'),
	('TRUNCATE changemgmt.meeting_minute', 'MC006')) AS v (sql, answer);
SELECT is_empty(format('SELECT FROM changemgmt.board_agenda WHERE meeting_id = %s', :meeting), 'its agenda is over');
SELECT is(pg_temp.as('owner', 'SELECT (changemgmt.submit(%s)).status', :'security'), 'awaiting_approval', 'a deferred change comes back');
SELECT is((SELECT decision || ': ' || votes FROM changemgmt.board_minutes WHERE meeting_id = :meeting AND change_id = :security),
	'deferred: m2 deferred (tell us more); m3 deferred (as he says)', 'and the minutes stay');
SELECT matches(pg_temp.agenda(), 'security', 'it is on the next agenda');

-- ----------------------------------------------------------------
-- An emergency meeting
-- ----------------------------------------------------------------

SELECT is(pg_temp.as('guest', 'SELECT changemgmt.call_emergency_meeting(''cab'', ''fire'')'), 'MC003', 'not everybody calls one');
SELECT is(pg_temp.as('m2', 'SELECT changemgmt.call_emergency_meeting(''cab'', '' '')'), 'MC002', 'nor without a reason');
SELECT is(pg_temp.as('m2', 'SELECT changemgmt.call_emergency_meeting(''nobody'', ''fire'')'), 'MC008', 'nor of a board that there is not');
SELECT is(pg_temp.as('m2', 'SELECT changemgmt.call_emergency_meeting(''cab'', ''fire'') > 0'), 'true', 'a member does');
SELECT id AS emergency FROM changemgmt.board_meeting WHERE kind = 'emergency' \gset
SELECT is((SELECT id FROM changemgmt.next_meeting('cab')), :emergency::bigint, 'it is the next');
SELECT matches(pg_temp.agenda(), '^critical data, soon, ', 'with an agenda');
SELECT is((SELECT starts_before_meeting FROM changemgmt.board_agenda WHERE title = 'soon'), false, 'in time for what could not wait');
SELECT is(pg_temp.as('m1', 'SELECT (changemgmt.approve(%s)).status', :'soon'), 'awaiting_approval', 'votes');
SELECT is(pg_temp.as('m2', 'SELECT is_quorate FROM changemgmt.hold_meeting(%s, ''{m1,m2,m3}'', ''m3'')', :'emergency'), 'true', 'it is held at once');
SELECT is(pg_temp.as('m2', 'SELECT (changemgmt.approve(%s)).status', :'soon'), 'approved', 'decides');
SELECT is(pg_temp.as('m2', 'SELECT changemgmt.record_minute(%s, %s, ''It burns.'', ''approved'')', :'emergency', :'soon'), 'approved', 'and says so');
SELECT is(pg_temp.as('m2', 'SELECT changemgmt.record_minute(%s, %s, ''What became of it?'')', :'emergency', :'medium'), 'noted', 'what was decided before is not its decision');
SELECT is(pg_temp.as('m2', 'SELECT changemgmt.record_minute(%s, %s, ''Why?'', ''approved'')', :'emergency', :'medium'), 'MC002', 'and cannot be said to be');
-- a delegate votes; the change is revised before the meeting ends
SELECT is(pg_temp.as('chair', 'SELECT changemgmt.delegate_approval(''guest'', now() - interval ''1 minute'', now() + interval ''1 day'') > 0'), 'true', 'the chair is away');
SELECT is(pg_temp.as('guest', 'SELECT (changemgmt.vote_for(%s, ''chair'', ''rejected'', ''no'')).status', :'unknown'), 'awaiting_approval', 'a delegate votes');
SELECT is(pg_temp.as('m1', 'SELECT (changemgmt.reject(%s, ''no'')).status', :'unknown'), 'rejected', 'and a member');
SELECT is(pg_temp.as('m2', 'SELECT changemgmt.record_minute(%s, %s, ''No.'')', :'emergency', :'unknown'), 'rejected', 'that is rejected');
SELECT is(pg_temp.as('owner', 'SELECT (changemgmt.revise(%s)).status', :'unknown'), 'draft', 'it is revised at once');
SELECT is(pg_temp.as('m2', 'SELECT changemgmt.close_meeting(%s)', :'emergency'), '', 'and the meeting ends');
SELECT results_eq(format($$SELECT title, decision, votes FROM changemgmt.board_minutes WHERE meeting_id = %s ORDER BY item$$, :emergency),
	$$VALUES ('soon', 'approved', 'm1 approved; m2 approved'), ('medium', 'noted', 'm2 approved before the meeting; m3 approved (fine) before the meeting'),
		('unknown', 'rejected', 'guest for chair rejected (no); m1 rejected (no)')$$, 'what was decided stays in its minutes');

-- ----------------------------------------------------------------
-- A board that is one level of two
-- ----------------------------------------------------------------

SELECT changemgmt.add_board_member('steering', 'keeper') \g /dev/null
SELECT changemgmt.publish_model('two_levels', '{"base": "normal", "approval": {"levels": [{"level": 1, "rule": "count", "board": "cab", "needed": 2}, {"level": 2, "rule": "any", "board": "steering"}]}}') \g /dev/null
SELECT pg_temp.submitted('two levels', '{"risk_level": "high"}', '{}', 'two_levels') AS levels \gset
SELECT is((SELECT board FROM changemgmt.cab_queue WHERE id = :levels), 'cab', 'the first board is asked');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.call_emergency_meeting(''cab'', ''levels'') > 0'), 'true', 'it meets');
SELECT id AS levelled FROM changemgmt.board_meeting WHERE reason = 'levels' \gset
SELECT is(pg_temp.as('m1', 'SELECT is_quorate FROM changemgmt.hold_meeting(%s, ''{m1,m2,m3}'')', :'levelled'), 'true', 'with a quorum');
SELECT is(pg_temp.as('m1', 'SELECT (changemgmt.approve(%s)).status', :'levels'), 'awaiting_approval', 'one of the first board');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.record_minute(%s, %s, ''Well.'')', :'levelled', :'levels'), 'noted', 'is not enough');
SELECT is(pg_temp.as('m2', 'SELECT (changemgmt.approve(%s)).status', :'levels'), 'awaiting_approval', 'two are, for their level');
SELECT is((SELECT board FROM changemgmt.cab_queue WHERE id = :levels), 'steering', 'the second board is asked');
SELECT results_eq(format('SELECT login, board FROM changemgmt.approval_queue WHERE id = %s', :levels), $$VALUES ('keeper', 'steering')$$, 'it waits for that one');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.record_minute(%s, %s, ''Well.'', ''approved'')', :'levelled', :'levels'), 'approved', 'the first board has approved it');
SELECT is(pg_temp.as('keeper', 'SELECT (changemgmt.reject(%s, ''too dear'')).status', :'levels'), 'rejected', 'the second rejects it');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.close_meeting(%s)', :'levelled'), '', 'before the first has closed its meeting');
SELECT is((SELECT decision FROM changemgmt.board_minutes WHERE meeting_id = :levelled), 'approved', 'whose decision stays');

-- what its members take back in the meeting is no decision any more
SELECT pg_temp.submitted('taken back', '{"risk_level": "high"}', '{}', 'two_levels') AS back \gset
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.call_emergency_meeting(''cab'', ''back'') > 0'), 'true', 'it meets again');
SELECT id AS again FROM changemgmt.board_meeting WHERE reason = 'back' \gset
SELECT is(pg_temp.as('m1', 'SELECT is_quorate FROM changemgmt.hold_meeting(%s, ''{m1,m2,m3}'')', :'again'), 'true', 'with a quorum');
SELECT is(pg_temp.as(m, 'SELECT (changemgmt.approve(%s)).status', :'back'), 'awaiting_approval', m || ' approves') FROM unnest('{m1,m2}'::text[]) AS m;
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.record_minute(%s, %s, ''Well.'')', :'again', :'back'), 'approved', 'the board has approved it');
SELECT is(pg_temp.as('m2', 'SELECT (changemgmt.abstain(%s, ''on second thoughts'')).status', :'back'), 'awaiting_approval', 'one takes the vote back');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.close_meeting(%s)', :'again'), '', 'before the end');
SELECT results_eq(format('SELECT decision, votes FROM changemgmt.board_minutes WHERE meeting_id = %s', :again),
	$$VALUES ('noted', 'm1 approved; m2 abstained (on second thoughts)')$$, 'and its minutes say so');

-- ----------------------------------------------------------------
-- A board that is not asked
-- ----------------------------------------------------------------

SELECT changemgmt.publish_model('by_name', '{"base": "normal", "approval": {"levels": [{"rule": "one", "person": "m1"}, {"rule": "one", "person": "m2"}]}}') \g /dev/null
SELECT pg_temp.submitted('not its own', '{"risk_level": "high"}', '{}', 'by_name') AS other \gset
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.call_emergency_meeting(''cab'', ''other'') > 0'), 'true', 'a board meets');
SELECT id AS talk FROM changemgmt.board_meeting WHERE reason = 'other' \gset
SELECT is(pg_temp.as('m1', 'SELECT is_quorate FROM changemgmt.hold_meeting(%s, ''{m1,m2,m3}'')', :'talk'), 'true', 'with a quorum');
SELECT is(pg_temp.as('m1', 'SELECT (changemgmt.approve(%s)).status', :'other'), 'awaiting_approval', 'a member decides what one is asked by name');
SELECT is(pg_temp.as('m2', 'SELECT (changemgmt.reject(%s, ''no'')).status', :'other'), 'rejected', 'and another');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.record_minute(%s, %s, ''We heard of it.'')', :'talk', :'other'), 'noted', 'that is no decision of the board');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.record_minute(%s, %s, ''We heard of it.'', ''rejected'')', :'talk', :'other'), 'MC002', 'and cannot be said to be');
-- an approval that was edited since is still the board's decision, a level of two that was is not known any more
SELECT pg_temp.submitted('edited', '{"risk_level": "high"}', '{}', 'normal') AS edited \gset
SELECT is(pg_temp.as(m, 'SELECT count((changemgmt.approve(%s)).status)', :'edited'), '1', m || ' approves') FROM unnest('{m1,m2}'::text[]) AS m;
SELECT is(pg_temp.as('owner', 'SELECT (changemgmt.edit_change(%s, ''{"rollback_minutes": 99}'')).status', :'edited'), 'approved', 'somebody edits it');
SELECT is(pg_temp.as('m1', 'SELECT changemgmt.record_minute(%s, %s, ''Well.'')', :'talk', :'edited'), 'approved', 'it was approved');

-- ----------------------------------------------------------------
-- History, and who may
-- ----------------------------------------------------------------

SELECT changemgmt.board_id('ecab') AS ecab \gset
COPY changemgmt.board_meeting (id, board_id, starts_at, ends_at, kind, status, held_at, closed_at, minutes) FROM stdin;
900001	2	2020-01-01 10:00+00	2020-01-01 11:00+00	regular	held	2020-01-01 10:00+00	2020-01-01 11:00+00	Long ago.
\.
SELECT is((SELECT minutes FROM changemgmt.board_minutes WHERE meeting_id = 900001), 'Long ago.', 'history comes in by COPY');
SELECT is(pg_temp.refusal('UPDATE changemgmt.board_meeting SET minutes = ''Now.'' WHERE id = 900001'), 'MC005 | a meeting that is closed stays as it is', 'and stays');
SELECT is(pg_temp.refusal($$INSERT INTO changemgmt.board_meeting (board_id, starts_at, ends_at, status, held_at, closed_at)
	SELECT board_id, now(), now() + interval '1 hour', 'held', now(), now() FROM changemgmt.board_meeting WHERE id = 900001$$),
	'MC001 | a meeting is planned before it is held', 'INSERT is no door for it');
SELECT results_eq($$SELECT duty, string_agg(split_part(replace(object, 'changemgmt.', ''), '(', 1), ',' ORDER BY object COLLATE "C") FROM changemgmt.duty_rights()
	WHERE object ~ 'meeting\(|agenda\(|minute\(|cadence\(|meetings\(' AND duty <> 'integration' GROUP BY duty ORDER BY duty$$,
	$$VALUES ('approver', 'add_to_agenda,call_emergency_meeting,close_meeting,hold_meeting,next_meeting,record_minute,remove_from_agenda'),
		('implementer', 'next_meeting'),
		('manager', 'add_to_agenda,call_emergency_meeting,cancel_meeting,close_meeting,hold_meeting,next_meeting,plan_meetings,record_minute,remove_from_agenda,set_board_cadence'),
		('requester', 'next_meeting'), ('viewer', 'next_meeting')$$, 'who may what by duty');

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT * FROM finish();
ROLLBACK;
