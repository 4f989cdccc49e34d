-- Maintenance windows and blackouts: what they leave open, for whom, and that
-- a walk over minutes in SQL finds the same.

BEGIN;
SELECT no_plan();
SET LOCAL search_path = changemgmt, public;
SET LOCAL timezone = 'UTC';

-- What is open, as "01T02:00-01T04:00 ..." in UTC; all of it is "all".
CREATE FUNCTION pg_temp.open(ci text, within tstzrange, environment text DEFAULT NULL, model text DEFAULT NULL, tags text[] DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN o = tstzmultirange(within) THEN 'all' ELSE coalesce((
		SELECT string_agg(to_char(lower(r), 'DD"T"HH24:MI') || '-' || to_char(upper(r), 'DD"T"HH24:MI'), ' ' ORDER BY r)
		FROM unnest(o) AS r), 'none') END
	FROM changemgmt.open_windows(ci, within, environment, model, tags) AS o
$$;
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate || ' ' || sqlerrm;
END $$;

--
-- Without any window all is open.
--
SELECT is(pg_temp.open(NULL, '[2026-01-01,2036-01-01)'), 'all', 'no windows: all is open');
SELECT row_eq($$SELECT * FROM window_state(NULL, '2026-07-01')$$,
	ROW(true, NULL::boolean, 'no maintenance window or blackout says otherwise'::text, NULL::timestamptz), 'at any time, for ever');

--
-- What Argo CD's documentation says of its sync windows, where allow is a
-- maintenance window and deny a blackout, and what it once got wrong (its
-- issues 5590, 10425).
--
CREATE FUNCTION pg_temp.precedence(windows text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	answer boolean;
BEGIN
	DELETE FROM changemgmt.change_window;
	INSERT INTO changemgmt.change_window (name, kind, starts_at, ends_at)
	SELECT w || place, CASE split_part(w, ' ', 2) WHEN 'allow' THEN 'maintenance' ELSE 'blackout' END,
		timestamptz '2026-07-01 12:00' + CASE split_part(w, ' ', 1) WHEN 'active' THEN '-1 hour' ELSE '2 hours' END::interval,
		timestamptz '2026-07-01 12:00' + CASE split_part(w, ' ', 1) WHEN 'active' THEN '1 hour' ELSE '3 hours' END::interval
	FROM string_to_table(windows, ', ') WITH ORDINALITY AS t (w, place);
	SELECT is_open INTO answer FROM changemgmt.window_state(NULL, '2026-07-01 12:00');
	DELETE FROM changemgmt.change_window;
	RETURN answer;
END $$;
SELECT is(pg_temp.precedence(windows), allowed, format('%s: %s', coalesce(nullif(windows, ''), 'no windows'), CASE WHEN allowed THEN 'allowed' ELSE 'denied' END))
FROM (VALUES
	('', true),
	('active allow', true),
	('inactive allow', false),
	('active deny', false),
	('inactive deny', true),
	('active allow, active deny', false),
	('active allow, inactive deny', true),
	('inactive allow, active deny', false),
	('inactive allow, inactive deny', false),
	('active allow, inactive allow', true),
	('inactive allow, inactive allow', false),
	('active deny, inactive deny', false),
	('active allow, inactive allow, inactive deny', true),
	('active allow, active allow, active deny, inactive deny', false)) AS v (windows, allowed);

--
-- Known times
--
SELECT add_maintenance_window('low traffic', 'DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH') \g /dev/null
SELECT results_eq($$SELECT count(*), sum(upper(r) - lower(r)), min(upper(r) - lower(r)), max(upper(r) - lower(r))
	FROM unnest(open_windows(NULL, '[2026-01-01 00:00+01,2027-01-01 00:00+01)')) AS r$$,
	$$VALUES (104::bigint, interval '208 hours', interval '2 hours', interval '2 hours')$$,
	'2026 has 52 Tuesdays and 52 Thursdays from its first Tuesday on: 104 windows, 208 hours');
SELECT is(pg_temp.open(NULL, '[2026-07-06,2026-07-13)'), '07T00:00-07T02:00 09T00:00-09T02:00', 'in summer at midnight UTC');
SELECT is(pg_temp.open(NULL, '[2026-12-07,2026-12-14)'), '08T01:00-08T03:00 10T01:00-10T03:00', 'in winter at one');
SELECT is(pg_temp.open(NULL, '[2026-07-07 01:00,2026-07-09 01:30)'), '07T01:00-07T02:00 09T00:00-09T01:30', 'cut where the range ends');
SELECT is(pg_temp.open(NULL, '[2026-07-07 00:30,2026-07-07 01:30)'), 'all', 'wholly inside');
SELECT is(pg_temp.open(NULL, '[2026-07-07 02:00,2026-07-09 00:00)'), 'none', 'what only touches on both ends is not inside');
SELECT is(open_windows(NULL, '(2026-07-07 00:00,2026-07-07 01:00]')::text,
	'{["2026-07-07 00:00:00.000001+00","2026-07-07 01:00:00.000001+00")}', 'bounds that are excluded and included');
SELECT row_eq($$SELECT * FROM window_state(NULL, '2026-07-07 00:00')$$,
	ROW(true, NULL::boolean, 'inside the maintenance windows (low traffic)'::text, '2026-07-07 02:00'::timestamptz), 'its start belongs to a window');
SELECT row_eq($$SELECT * FROM window_state(NULL, '2026-07-07 02:00')$$,
	ROW(false, true, 'outside of the maintenance windows (low traffic)'::text, '2026-07-09 00:00'::timestamptz), 'its end does not');
SELECT row_eq($$SELECT * FROM window_state(NULL, '2026-07-07 01:59:59.999999')$$,
	ROW(true, NULL::boolean, 'inside the maintenance windows (low traffic)'::text, '2026-07-07 02:00'::timestamptz), 'the last microsecond does');
SELECT remove_window('low traffic') \g /dev/null

SELECT declare_blackout('hour', starts_at => '2026-07-01 10:00', ends_at => '2026-07-01 11:00') \g /dev/null
SELECT is(pg_temp.open(NULL, '[2026-07-01 09:00,2026-07-01 10:00)'), 'all', 'before a blackout, touching it');
SELECT is(pg_temp.open(NULL, '[2026-07-01 11:00,2026-07-01 12:00)'), 'all', 'after a blackout, touching it');
SELECT is(pg_temp.open(NULL, '[2026-07-01 09:00,2026-07-01 12:00)'), '01T09:00-01T10:00 01T11:00-01T12:00', 'around it');
SELECT is(pg_temp.open(NULL, '[2026-07-01 10:59:59.999999,2026-07-01 11:00)'), 'none', 'its last microsecond');
SELECT is((window_state(NULL, '2026-07-01 09:59:59.999999')).until, '2026-07-01 10:00', 'open until it begins');
SELECT row_eq($$SELECT * FROM window_state(NULL, '2026-07-01 10:00')$$,
	ROW(false, true, 'inside the blackout "hour"'::text, '2026-07-01 11:00'::timestamptz), 'closed until it ends');
SELECT declare_blackout('next hour', starts_at => '2026-07-01 11:00', ends_at => '2026-07-01 12:00', enforcement => 'soft', reason => 'more') \g /dev/null
SELECT row_eq($$SELECT * FROM window_state(NULL, '2026-07-01 10:00')$$,
	ROW(false, true, 'inside the blackout "hour"'::text, '2026-07-01 12:00'::timestamptz), 'two that touch are closed throughout');
SELECT row_eq($$SELECT * FROM window_state(NULL, '2026-07-01 11:30')$$,
	ROW(false, false, 'inside the blackout "next hour" (more)'::text, '2026-07-01 12:00'::timestamptz), 'a soft one, with its reason');
DELETE FROM change_window;
SELECT add_maintenance_window('one', starts_at => '2026-07-01 10:00', ends_at => '2026-07-01 11:00'),
	add_maintenance_window('two', starts_at => '2026-07-01 11:00', ends_at => '2026-07-01 12:00') \g /dev/null
SELECT is(pg_temp.open(NULL, '[2026-07-01 10:30,2026-07-01 11:30)'), 'all', 'windows that touch are one');
SELECT is((window_state(NULL, '2026-07-01 10:30')).until, '2026-07-01 12:00', 'open until the last ends');
SELECT row_eq($$SELECT * FROM window_state(NULL, '2026-07-01 12:00')$$,
	ROW(false, true, 'outside of the maintenance windows (one, two)'::text, NULL::timestamptz), 'closed for ever after');
UPDATE change_window SET enforcement = 'soft' WHERE name = 'one';
SELECT is((window_state(NULL, '2026-07-01 12:00')).is_hard, true, 'outside is hard when one of the windows is');
UPDATE change_window SET enforcement = 'soft';
SELECT is((window_state(NULL, '2026-07-01 12:00')).is_hard, false, 'and soft when all are');
DELETE FROM change_window;

SELECT declare_blackout('daily', 'DTSTART:20260101T100000Z DURATION:PT1H RRULE:FREQ=DAILY') \g /dev/null
SELECT results_eq($$SELECT s.is_open, s.until FROM unnest(ARRAY['09:59:59.999999', '10:00', '10:59:59.999999', '11:00']) AS t,
	window_state(NULL, ('2026-07-01 ' || t)::timestamptz) AS s$$,
	$$VALUES (true, timestamptz '2026-07-01 10:00'), (false, '2026-07-01 11:00'), (false, '2026-07-01 11:00'), (true, '2026-07-02 10:00')$$,
	'a blackout that recurs, to the microsecond');
DELETE FROM change_window;

-- one recurrence, alone: what is open
CREATE FUNCTION pg_temp.alone(recurrence text, within tstzrange) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
	inverse text;
BEGIN
	PERFORM changemgmt.add_maintenance_window('alone', recurrence);
	answer := pg_temp.open(NULL, within);
	PERFORM changemgmt.remove_window('alone'), changemgmt.declare_blackout('alone', recurrence);
	inverse := (tstzmultirange(within) - changemgmt.open_windows(NULL, within))::text;
	PERFORM changemgmt.remove_window('alone'), changemgmt.add_maintenance_window('alone', recurrence);
	IF inverse <> changemgmt.open_windows(NULL, within)::text THEN
		answer := 'a blackout is not the inverse: ' || inverse;
	END IF;
	PERFORM changemgmt.remove_window('alone');
	RETURN answer;
END $$;
SELECT is(pg_temp.alone(recurrence, within::tstzrange), answer, what)
FROM (VALUES
	('Berlin, clocks go forward: 2:30 is 3:00', 'DTSTART;TZID=Europe/Berlin:20260101T023000 DURATION:PT1H RRULE:FREQ=DAILY',
		'[2026-03-28,2026-03-31)', '28T01:30-28T02:30 29T01:00-29T02:00 30T00:30-30T01:30'),
	('Berlin, clocks go back: 2:30 once, the first', 'DTSTART;TZID=Europe/Berlin:20260101T023000 DURATION:PT1H RRULE:FREQ=DAILY',
		'[2026-10-24,2026-10-27)', '24T00:30-24T01:30 25T00:30-25T01:30 26T01:30-26T02:30'),
	('New York, clocks go forward: 2:30 is 3:00', 'DTSTART;TZID=America/New_York:20260101T023000 DURATION:PT1H RRULE:FREQ=DAILY',
		'[2026-03-07,2026-03-10)', '07T07:30-07T08:30 08T07:00-08T08:00 09T06:30-09T07:30'),
	('New York, clocks go back: 2:30 is not repeated', 'DTSTART;TZID=America/New_York:20260101T023000 DURATION:PT1H RRULE:FREQ=DAILY',
		'[2026-10-31,2026-11-03)', '31T06:30-31T07:30 01T07:30-01T08:30 02T07:30-02T08:30'),
	('New York, clocks go back: 1:30 once, the first', 'DTSTART;TZID=America/New_York:20260101T013000 DURATION:PT1H RRULE:FREQ=DAILY',
		'[2026-10-31,2026-11-03)', '31T05:30-31T06:30 01T05:30-01T06:30 02T06:30-02T07:30'),
	('Lord Howe, half an hour forward: 2:15 is 2:30', 'DTSTART;TZID=Australia/Lord_Howe:20260101T021500 DURATION:PT1H RRULE:FREQ=DAILY',
		'[2026-10-02 12:00,2026-10-05)', '02T15:45-02T16:45 03T15:30-03T16:30 04T15:15-04T16:15'),
	('Lord Howe, half an hour back: 1:45 once', 'DTSTART;TZID=Australia/Lord_Howe:20260101T014500 DURATION:PT15M RRULE:FREQ=DAILY',
		'[2026-04-03,2026-04-06)', '03T14:45-03T15:00 04T14:45-04T15:00 05T15:15-05T15:30'),
	('through the night that is an hour longer', 'DTSTART;TZID=Europe/Berlin:20260101T220000 DURATION:PT4H RRULE:FREQ=DAILY',
		'[2026-10-24 12:00,2026-10-25 12:00)', '24T20:00-25T00:00'),
	('a day that is 25 hours long', 'DTSTART;VALUE=DATE;TZID=Europe/Berlin:20261025', '[2026-10-24,2026-10-27)', '24T22:00-25T23:00'),
	('across midnight', 'DTSTART:20260102T220000Z DURATION:PT4H RRULE:FREQ=WEEKLY;BYDAY=FR', '[2026-07-01,2026-07-08)', '03T22:00-04T02:00'),
	('begun before the range', 'DTSTART:20260102T220000Z DURATION:PT4H RRULE:FREQ=WEEKLY;BYDAY=FR', '[2026-07-04,2026-07-05)', '04T00:00-04T02:00'),
	('across the end of each month', 'DTSTART:20260131T220000Z DURATION:PT4H RRULE:FREQ=MONTHLY;BYMONTHDAY=-1', '[2026-02-01,2026-04-02)',
		'01T00:00-01T02:00 28T22:00-01T02:00 31T22:00-01T02:00'),
	('across the year''s end', 'DTSTART:20261231T200000Z DURATION:P2D RRULE:FREQ=YEARLY', '[2027-12-31,2028-01-05)', '31T20:00-02T20:00'),
	('on 29 February only', 'DTSTART;VALUE=DATE;TZID=UTC:20240229 RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29', '[2095-01-01,2104-12-31)',
		'29T00:00-01T00:00 29T00:00-01T00:00'),
	('longer than their period', 'DTSTART:20260105T000000Z DURATION:P9D RRULE:FREQ=WEEKLY;COUNT=3', '[2026-01-01,2026-02-01)', '05T00:00-28T00:00'),
	('Black Friday', 'DTSTART;VALUE=DATE;TZID=America/New_York:20261127 RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=FR;BYMONTHDAY=23,24,25,26,27,28,29',
		'[2026-01-01,2030-01-01)', '27T05:00-28T05:00 26T05:00-27T05:00 24T05:00-25T05:00 23T05:00-24T05:00'),
	('one that is left out', 'DTSTART:20260101T020000Z DURATION:PT1H RRULE:FREQ=DAILY EXDATE:20260102T020000', '[2026-01-01,2026-01-04)',
		'01T02:00-01T03:00 03T02:00-03T03:00'),
	('once', 'DTSTART:20260101T020000Z DURATION:PT1H', '[2026-01-01,2036-01-01)', '01T02:00-01T03:00')) AS v (what, recurrence, within, answer);

--
-- Scope: each row is a blackout, and the items that it closes.  shop uses api,
-- api uses db, db runs on host, and so does lab; ring and gnir use each other,
-- gnir uses db.
--
SELECT add_ci('host', 'host', environment => 'staging'), add_ci('db', depends_on => '{host}'), add_ci('api', depends_on => '{db}'),
	add_ci('shop', depends_on => '{api}'), add_ci('lab', environment => 'development', depends_on => '{host}'),
	add_ci('ring'), add_ci('gnir', depends_on => '{ring,db}') \g /dev/null
INSERT INTO ci_dependency (ci_id, depends_on_ci_id) VALUES (ci_id('ring'), ci_id('gnir'));
SELECT set_ci('shop', tags => '{web}'), set_ci('db', tags => '{pci,tax}'), set_ci('lab', tags => '{pci}') \g /dev/null
CREATE FUNCTION pg_temp.closed(environment text, model text, tags text[]) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(coalesce(n.name, '-'), ' ' ORDER BY n.name)
	FROM (SELECT name FROM changemgmt.configuration_item UNION ALL SELECT NULL) AS n
	WHERE NOT (changemgmt.window_state(n.name, '2026-07-01 12:00', environment, model, tags)).is_open
$$;
CREATE FUNCTION pg_temp.blackout(scope text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM changemgmt.change_window;
	EXECUTE format($q$SELECT changemgmt.declare_blackout('b', starts_at => '2026-07-01', ends_at => '2026-07-02' %s)$q$, ', ' || nullif(scope, ''));
END $$;
CREATE TEMP TABLE scope (scope text, environment text, model text, tags text[], closed text);
INSERT INTO scope VALUES
	('', NULL, NULL, NULL, 'api db gnir host lab ring shop -'),
	('environment => ''production''', NULL, NULL, NULL, 'api db gnir ring shop'),
	('environment => ''staging''', NULL, NULL, NULL, 'host'),
	('environment => ''test''', NULL, NULL, NULL, NULL),
	('environment => ''test''', 'test', NULL, NULL, 'api db gnir host lab ring shop -'),
	('environment => ''production''', 'staging', NULL, NULL, 'api db gnir ring shop'),
	('ci => ''host''', NULL, NULL, NULL, 'api db gnir host lab ring shop'),
	('ci => ''db''', NULL, NULL, NULL, 'api db gnir ring shop'),
	('ci => ''api''', NULL, NULL, NULL, 'api shop'),
	('ci => ''shop''', NULL, NULL, NULL, 'shop'),
	('ci => ''ring''', NULL, NULL, NULL, 'gnir ring'),
	('ci => ''gnir''', NULL, NULL, NULL, 'gnir ring'),
	('ci => ''lab''', NULL, NULL, NULL, 'lab'),
	('ci => ''db'', covers_dependents => false', NULL, NULL, NULL, 'db'),
	('ci => ''ring'', covers_dependents => false', NULL, NULL, NULL, 'ring'),
	('model => ''normal''', NULL, NULL, NULL, NULL),
	('model => ''normal''', NULL, 'major', NULL, NULL),
	('model => ''normal''', NULL, 'normal', NULL, 'api db gnir host lab ring shop -'),
	('tag => ''pci''', NULL, NULL, NULL, 'db lab'),
	('tag => ''web''', NULL, NULL, NULL, 'shop'),
	('tag => ''nobody''', NULL, NULL, NULL, NULL),
	('tag => ''pci''', NULL, NULL, '{web,pci}', 'api db gnir host lab ring shop -'),
	('tag => ''pci''', NULL, NULL, '{PCI,NULL}', 'api db gnir host lab ring shop -'),
	('tag => ''pci''', NULL, NULL, '{pc,pcis,""}', 'db lab'),
	-- all that is given must match
	('environment => ''production'', tag => ''pci''', NULL, NULL, NULL, 'db'),
	('environment => ''development'', tag => ''pci''', NULL, NULL, NULL, 'lab'),
	('environment => ''development'', tag => ''pci''', 'development', NULL, NULL, 'db lab'),
	('environment => ''production'', tag => ''pci''', NULL, NULL, '{pci}', 'api db gnir ring shop'),
	('ci => ''db'', tag => ''web''', NULL, NULL, NULL, 'shop'),
	('ci => ''db'', tag => ''pci''', NULL, NULL, '{pci}', 'api db gnir ring shop'),
	('ci => ''db'', environment => ''staging''', NULL, NULL, NULL, NULL),
	('ci => ''db'', environment => ''staging''', 'staging', NULL, NULL, 'api db gnir ring shop'),
	('ci => ''host'', environment => ''production''', NULL, NULL, NULL, 'api db gnir ring shop'),
	('ci => ''host'', environment => ''production'', covers_dependents => false', NULL, NULL, NULL, NULL),
	('ci => ''api'', model => ''major''', NULL, 'normal', NULL, NULL),
	('ci => ''api'', model => ''major''', NULL, 'major', NULL, 'api shop'),
	('ci => ''api'', model => ''major'', tag => ''web'', environment => ''production''', NULL, 'major', NULL, 'shop'),
	('ci => ''api'', model => ''major'', tag => ''web'', environment => ''test''', NULL, 'major', NULL, NULL);
DO $$
DECLARE
	s scope;
	results text[];
BEGIN
	FOR s IN SELECT * FROM scope LOOP
		PERFORM pg_temp.blackout(s.scope);
		results := results || (is(pg_temp.closed(s.environment, s.model, s.tags), s.closed,
			format('a blackout of (%s) for a change with (%s, %s, %s)', s.scope, s.environment, s.model, s.tags)));
	END LOOP;
	CREATE TEMP TABLE scope_result AS SELECT unnest(results) AS line;
END $$;
SELECT line FROM scope_result;
DELETE FROM change_window;

-- One window covers dependents, another of the same item does not.
SELECT declare_blackout('wide', starts_at => '2026-07-01 10:00', ends_at => '2026-07-01 11:00', ci => 'db'),
	declare_blackout('narrow', starts_at => '2026-07-01 12:00', ends_at => '2026-07-01 13:00', ci => 'db', covers_dependents => false) \g /dev/null
SELECT is(pg_temp.open(ci, '[2026-07-01 10:00,2026-07-01 13:00)'), answer, format('%s: one window that covers dependents, one that does not', ci))
FROM (VALUES ('host', 'all'), ('db', '01T11:00-01T12:00'), ('api', '01T11:00-01T13:00')) AS v (ci, answer);
DELETE FROM change_window;

-- Maintenance windows bind those in scope only.
SELECT add_maintenance_window('db', starts_at => '2026-07-01 10:00', ends_at => '2026-07-01 12:00', ci => 'db'),
	add_maintenance_window('web', starts_at => '2026-07-01 11:00', ends_at => '2026-07-01 13:00', tag => 'web', enforcement => 'soft') \g /dev/null
SELECT is(pg_temp.open(ci, '[2026-07-01,2026-07-02)'), answer, coalesce(ci, 'no item') || ': ' || what)
FROM (VALUES
	('host', 'all', 'in no window''s scope'),
	(NULL, 'all', 'in no window''s scope'),
	('db', '01T10:00-01T12:00', 'in its own window'),
	('api', '01T10:00-01T12:00', 'in the window of what it depends on'),
	('shop', '01T10:00-01T13:00', 'in either')) AS v (ci, answer, what);
SELECT results_eq($$SELECT n, (window_state(n, '2026-07-01 09:00')).* FROM unnest('{db,shop}'::text[]) AS n$$,
	$$VALUES ('db', false, true, 'outside of the maintenance windows (db)', timestamptz '2026-07-01 10:00'),
		('shop', false, true, 'outside of the maintenance windows (db, web)', '2026-07-01 10:00')$$, 'each is told the windows that it has');
SELECT results_eq($$SELECT reason FROM window_state('shop', '2026-07-01 11:30')$$, ARRAY['inside the maintenance windows (db, web)'], 'and those that are open');
SELECT declare_blackout('audit', starts_at => '2026-07-01 11:00', ends_at => '2026-07-01 11:30', enforcement => 'soft', reason => 'the auditor is here') \g /dev/null
SELECT is(pg_temp.open('shop', '[2026-07-01,2026-07-02)'), '01T10:00-01T11:00 01T11:30-01T13:00', 'a soft blackout closes, too');
SELECT results_eq($$SELECT is_hard, reason FROM window_state('db', '2026-07-01 11:00')$$,
	$$VALUES (false, 'inside the blackout "audit" (the auditor is here)')$$, 'softly');
UPDATE change_window SET starts_at = '2026-07-01 09:00' WHERE name = 'audit';
SELECT results_eq($$SELECT is_hard, reason, until FROM window_state('db', '2026-07-01 09:00')$$,
	$$VALUES (true, 'inside the blackout "audit" (the auditor is here); outside of the maintenance windows (db)', timestamptz '2026-07-01 11:30')$$,
	'all that closes is named');
UPDATE change_window SET ends_at = 'infinity' WHERE name = 'audit';
SELECT results_eq($$SELECT is_open, until FROM window_state('db', '2026-07-01 10:00')$$, $$VALUES (false, NULL::timestamptz)$$, 'until further notice');
SELECT is(pg_temp.open('db', '[2026-07-01,2036-01-01)'), 'none', 'for ten years');
DELETE FROM change_window;

-- An item that is tagged, moved to another environment or depends on another is seen at once.
SELECT declare_blackout('pci', starts_at => '2026-07-01', ends_at => '2026-07-02', tag => 'new', environment => 'production', ci => 'host') \g /dev/null
SELECT is(pg_temp.closed(NULL, NULL, NULL), NULL, 'nobody has the tag');
SELECT set_ci('ring', tags => '{new}') \g /dev/null
SELECT is(pg_temp.closed(NULL, NULL, NULL), 'ring', 'it has');
UPDATE configuration_item SET environment = 'test' WHERE name = 'ring';
SELECT is(pg_temp.closed(NULL, NULL, NULL), NULL, 'in another environment');
UPDATE configuration_item SET environment = 'production' WHERE name = 'ring';
DELETE FROM ci_dependency WHERE ci_id = ci_id('gnir') AND depends_on_ci_id = ci_id('db');
SELECT is(pg_temp.closed(NULL, NULL, NULL), NULL, 'without what it depends on');
DELETE FROM change_window;

-- What is rolled back was never there.
SELECT declare_blackout('kept', starts_at => '2026-07-01', ends_at => '2026-07-02') \g /dev/null
SAVEPOINT a;
SELECT remove_window('kept') \g /dev/null
SELECT is((window_state(NULL, '2026-07-01')).is_open, true, 'removed');
ROLLBACK TO a;
SELECT is((window_state(NULL, '2026-07-01')).is_open, false, 'and not removed');
SELECT pg_temp.try($$SELECT window_state(NULL, '2026-07-01') FROM (SELECT 1 / (1 - count(*)) FROM change_window) AS x$$) \g /dev/null
SELECT is((window_state(NULL, '2026-07-01')).is_open, false, 'after an error, too');
DELETE FROM change_window;

--
-- Random windows against a walk over minutes: for each, contains() or its
-- range; its scope by joins.
--
SELECT set_config('regress.seed', '0.4711', true) \g /dev/null
CREATE TEMP TABLE reach AS
	WITH RECURSIVE r (ci, onto) AS (SELECT id, id FROM configuration_item
		UNION SELECT r.ci, d.depends_on_ci_id FROM r JOIN ci_dependency AS d ON d.ci_id = r.onto)
	SELECT * FROM r;
CREATE FUNCTION pg_temp.pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql AS
	'SELECT choices[1 + floor(random() * cardinality(choices))::int]';
CREATE FUNCTION pg_temp.random_window(n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	begins timestamptz := timestamptz '2026-03-20' + floor(random() * 17 * 24 * 60) * interval '1 minute';
	recurs boolean := random() < 0.7;
BEGIN
	INSERT INTO changemgmt.change_window (name, kind, enforcement, recurrence, starts_at, ends_at, environment, ci_id, covers_dependents, model, tag)
	SELECT 'w' || n, pg_temp.pick('maintenance', 'maintenance', 'blackout'), pg_temp.pick('hard', 'soft'),
		CASE WHEN recurs THEN format('DTSTART;TZID=%s:%s DURATION:PT%sM RRULE:%s',
			pg_temp.pick('Europe/Berlin', 'UTC', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe'),
			to_char(timestamp '2026-01-01' + floor(random() * 60 * 24 * 90) * interval '1 minute', 'YYYYMMDD"T"HH24MI"00"'),
			1 + floor(random() ^ 3 * 4000)::int,
			pg_temp.pick('FREQ=DAILY', 'FREQ=DAILY;INTERVAL=3', 'FREQ=WEEKLY;BYDAY=TU,TH', 'FREQ=WEEKLY;BYDAY=SA,SU,MO', 'FREQ=WEEKLY',
				'FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,30', 'FREQ=MONTHLY;BYMONTHDAY=-1,28', 'FREQ=MONTHLY;BYDAY=-1SU', 'FREQ=DAILY;COUNT=88'))::changemgmt.recurrence END,
		CASE WHEN NOT recurs THEN begins END,
		CASE WHEN NOT recurs THEN CASE WHEN random() < 0.1 THEN 'infinity' ELSE begins + (1 + floor(random() * 6000)) * interval '1 minute' END END,
		CASE WHEN random() < 0.2 THEN pg_temp.pick('production', 'staging', 'development') END,
		CASE WHEN random() < 0.3 THEN (SELECT id FROM changemgmt.configuration_item ORDER BY random() LIMIT 1) END,
		random() < 0.7,
		CASE WHEN random() < 0.15 THEN pg_temp.pick('normal', 'major') END,
		CASE WHEN random() < 0.2 THEN pg_temp.pick('web', 'pci', 'tax', 'new') END;
END $$;
-- The windows in scope, written once more.
CREATE FUNCTION pg_temp.in_scope(item bigint, of_environment text, of_model text, of_tags text[]) RETURNS SETOF changemgmt.change_window LANGUAGE sql AS $$
	SELECT w.* FROM changemgmt.change_window AS w LEFT JOIN changemgmt.configuration_item AS i ON i.id = item
	WHERE coalesce(w.environment IN (of_environment, i.environment), w.environment IS NULL)
		AND coalesce(w.model = of_model, w.model IS NULL)
		AND (w.tag IS NULL OR w.tag = ANY (coalesce(of_tags, '{}') || coalesce(i.tags, '{}')))
		AND (w.ci_id IS NULL OR w.ci_id = item
			OR w.covers_dependents AND EXISTS (SELECT FROM reach AS r WHERE r.ci = item AND r.onto = w.ci_id))
$$;
-- Minutes of [from, to): is it open, is it hard
CREATE FUNCTION pg_temp.minutes(item bigint, of_environment text, of_model text, of_tags text[], from_at timestamptz, to_at timestamptz)
RETURNS TABLE (at timestamptz, is_open boolean, is_hard boolean) LANGUAGE sql AS $$
	WITH s AS MATERIALIZED (SELECT * FROM pg_temp.in_scope(item, of_environment, of_model, of_tags)),
	m AS (SELECT m.at,
			bool_or(s.kind = 'maintenance') AS bound,
			bool_or(s.kind = 'maintenance' AND s.enforcement = 'hard') AS bound_hard,
			bool_or(s.kind = 'maintenance' AND c.covers) AS allowed,
			bool_or(s.kind = 'blackout' AND c.covers) AS denied,
			bool_or(s.kind = 'blackout' AND c.covers AND s.enforcement = 'hard') AS denied_hard
		FROM generate_series(from_at, to_at - interval '1 minute', '1 minute') AS m (at)
			LEFT JOIN s ON true
			LEFT JOIN LATERAL (SELECT CASE WHEN s.recurrence IS NULL THEN s.starts_at <= m.at AND m.at < s.ends_at
				ELSE changemgmt.contains(s.recurrence, m.at) END AS covers) AS c ON true
		GROUP BY m.at)
	SELECT at, NOT coalesce(denied, false) AND (NOT coalesce(bound, false) OR allowed),
		coalesce(denied_hard, false) OR coalesce(bound AND NOT allowed AND bound_hard, false)
	FROM m
$$;
CREATE TEMP TABLE difference (trial int, what text);
CREATE TEMP TABLE trial_seen (states bigint, opened bigint, closed bigint);
DO $$
DECLARE
	from_at timestamptz;
	to_at timestamptz;
	item changemgmt.configuration_item;
	e text; m text; t text[];
	n int;
BEGIN
	PERFORM setseed(current_setting('regress.seed')::float8);
	FOR trial IN 1 .. 60 LOOP
		DELETE FROM changemgmt.change_window;
		PERFORM pg_temp.random_window(i) FROM generate_series(1, 1 + floor(random() * 6)::int) AS i;
		from_at := timestamptz '2026-03-26' + floor(random() * 2880) * interval '1 minute';
		to_at := from_at + (1 + floor(random() * 5000)) * interval '1 minute';
		SELECT * INTO item FROM changemgmt.configuration_item ORDER BY random() LIMIT 1;
		IF random() < 0.1 THEN item := NULL; END IF;
		e := CASE WHEN random() < 0.3 THEN pg_temp.pick('production', 'staging') END;
		m := CASE WHEN random() < 0.5 THEN pg_temp.pick('normal', 'major') END;
		t := CASE WHEN random() < 0.3 THEN ARRAY[pg_temp.pick('web', 'pci')] END;
		DROP TABLE IF EXISTS pg_temp.walked;
		CREATE TEMP TABLE walked AS SELECT * FROM pg_temp.minutes(item.id, e, m, t, from_at, to_at);
		CREATE INDEX ON walked (at);
		INSERT INTO difference
		SELECT trial, format('open %s, walked %s', o, w)
		FROM changemgmt.open_windows(item.name, tstzrange(from_at, to_at), e, m, t) AS o,
			(SELECT coalesce(range_agg(tstzrange(at, at + interval '1 minute')), '{}') FROM walked WHERE is_open) AS w (w)
		WHERE o <> w;
		INSERT INTO difference
		SELECT trial, format('at %s: %s, walked %s until %s', w.at, s, w, n.at)
		FROM (SELECT * FROM walked ORDER BY random() LIMIT 30) AS w
			CROSS JOIN LATERAL changemgmt.window_state(item.name, w.at, e, m, t) AS s
			LEFT JOIN LATERAL (SELECT min(at) AS at FROM walked AS l WHERE l.at > w.at AND l.is_open <> w.is_open) AS n ON true
		WHERE s.is_open <> w.is_open OR s.is_hard IS DISTINCT FROM CASE WHEN NOT w.is_open THEN w.is_hard END
			OR CASE WHEN n.at IS NULL THEN s.until < to_at ELSE s.until IS DISTINCT FROM n.at END;
		INSERT INTO trial_seen SELECT count(*), count(*) FILTER (WHERE is_open), count(*) FILTER (WHERE NOT is_open) FROM walked;
	END LOOP;
	DELETE FROM changemgmt.change_window;
END $$;
SELECT is_empty('SELECT * FROM difference ORDER BY trial LIMIT 5', 'random windows: what is open, why not and until when, as by a walk over minutes');
SELECT cmp_ok(count(*) FILTER (WHERE opened > 0 AND closed > 0), '>', 15::bigint, 'many of these trials have seen both') FROM trial_seen;

--
-- Input
--
SELECT is(pg_temp.try('SELECT ' || call), answer, call)
FROM (VALUES
	('declare_blackout(NULL, starts_at => ''2026-01-01'', ends_at => ''2026-01-02'')', 'MC008 a window needs a name'),
	('declare_blackout('''', starts_at => ''2026-01-01'', ends_at => ''2026-01-02'')', 'MC008 a window needs a name'),
	('declare_blackout(''b'')', 'MC008 a window has either a recurrence or one range'),
	('declare_blackout(''b'', starts_at => ''2026-01-01'')', 'MC008 a window has either a recurrence or one range'),
	('declare_blackout(''b'', ends_at => ''2026-01-01'')', 'MC008 a window has either a recurrence or one range'),
	('declare_blackout(''b'', ''DTSTART:20260106T020000Z DURATION:PT2H'', ''2026-01-01'', ''2026-01-02'')', 'MC008 a window has either a recurrence or one range'),
	('declare_blackout(''b'', ''DTSTART:20260106T020000Z DURATION:PT2H'', ''2026-01-01'')', 'MC008 a window has either a recurrence or one range'),
	('declare_blackout(''b'', starts_at => ''2026-01-01'', ends_at => ''2026-01-01'')', 'MC008 a window ends after it starts'),
	('declare_blackout(''b'', starts_at => ''2026-01-02'', ends_at => ''2026-01-01'')', 'MC008 a window ends after it starts'),
	('declare_blackout(''b'', starts_at => ''2026-01-02'', ends_at => ''-infinity'')', 'MC008 a window ends after it starts'),
	('declare_blackout(''b'', starts_at => ''-infinity'', ends_at => ''2026-01-02'')', 'MC008 a window cannot start at infinity'),
	('declare_blackout(''b'', starts_at => ''infinity'', ends_at => ''infinity'')', 'MC008 a window cannot start at infinity'),
	('declare_blackout(''b'', starts_at => ''2026-01-01'', ends_at => ''infinity'')', 'done'),
	('declare_blackout(''b'', starts_at => ''2026-01-01'', ends_at => ''2026-01-02'', enforcement => ''medium'')', 'MC008 "medium" is no value of enforcement'),
	('declare_blackout(''b'', starts_at => ''2026-01-01'', ends_at => ''2026-01-02'', enforcement => NULL)', 'MC008 enforcement is missing'),
	('declare_blackout(''b'', starts_at => ''2026-01-01'', ends_at => ''2026-01-02'', covers_dependents => NULL)', 'MC008 covers_dependents is missing'),
	('declare_blackout(''b'', starts_at => ''2026-01-01'', ends_at => ''2026-01-02'', environment => ''moon'')', 'MC008 "moon" is no value of environment'),
	('declare_blackout(''b'', starts_at => ''2026-01-01'', ends_at => ''2026-01-02'', ci => ''nobody'')', 'MC008 configuration item "nobody" does not exist'),
	('declare_blackout(''b'', starts_at => ''2026-01-01'', ends_at => ''2026-01-02'', model => ''nothing'')', 'MC008 model "nothing" does not exist'),
	('declare_blackout(''b'', starts_at => ''2026-01-01'', ends_at => ''2026-01-02'', tag => '''')', 'MC008 "" is not a tag'),
	('declare_blackout(''b'', starts_at => ''2026-01-01'', ends_at => ''2026-01-02'', tag => ''two words'')', 'MC008 "two words" is not a tag'),
	('declare_blackout(''b'', starts_at => ''2026-01-01'', ends_at => ''2026-01-02'', tag => ''PCI'')', 'MC008 "PCI" is not a tag'),
	('add_maintenance_window(''m'', ''DTSTART:20260106T020000Z DURATION:PT0H'')', '22023 invalid recurrence: the duration is not above zero'),
	('remove_window(''nobody'')', 'MC008 window "nobody" does not exist'),
	('remove_window(NULL)', 'MC008 window "" does not exist'),
	('window_id(''nobody'')', 'MC008 window "nobody" does not exist'),
	('open_windows(''nobody'', ''[2026-01-01,2026-01-02)'')', 'MC008 configuration item "nobody" does not exist'),
	('open_windows(NULL, ''[2026-01-01,2026-01-02)'', ''moon'')', 'MC008 "moon" is no value of environment'),
	('open_windows(NULL, ''[2026-01-01,2026-01-02)'', NULL, ''nothing'')', 'MC008 model "nothing" does not exist'),
	('open_windows(NULL, ''[2026-01-01,)'')', 'MC008 windows cannot be asked about a range without bounds'),
	('open_windows(NULL, ''(,2026-01-01)'')', 'MC008 windows cannot be asked about a range without bounds'),
	('open_windows(NULL, ''(,)'')', 'MC008 windows cannot be asked about a range without bounds'),
	('open_windows(NULL, ''[2026-01-01,infinity]'')', 'MC008 windows cannot be asked about a range without bounds'),
	('open_windows(NULL, ''[-infinity,2026-01-01]'')', 'MC008 windows cannot be asked about a range without bounds'),
	('open_windows(NULL, ''[2026-01-01,2036-01-10)'')', 'MC008 windows cannot be asked about more than 3660 days'),
	('open_windows(NULL, ''[2026-01-01,2036-01-09)'')', 'done'),
	('open_windows(NULL, ''[0001-01-01 BC,0002-01-01)'')', 'done'),
	('open_windows(NULL, ''[294276-12-31 00:00,294276-12-31 23:59:59.999998]'')', 'done'),
	('window_state(NULL, ''infinity'')', 'MC008 windows cannot be asked about an infinite time'),
	('window_state(NULL, ''-infinity'')', 'MC008 windows cannot be asked about an infinite time'),
	('window_state(NULL, ''294276-12-31 23:59:59.999999'')', 'MC008 windows cannot be asked about an infinite time'),
	('window_state(''nobody'')', 'MC008 configuration item "nobody" does not exist'),
	('set_ci(''nobody'')', 'MC008 configuration item "nobody" does not exist'),
	('set_ci(NULL)', 'MC008 configuration item "" does not exist')) AS v (call, answer);
DELETE FROM change_window;
SELECT is(open_windows(NULL, 'empty'), '{}', 'nothing of an empty range is open');
SELECT is(open_windows(NULL, '(2026-01-01,2026-01-01 00:00:00.000001)'), '{}', 'nor of one between two microseconds');
SELECT is(open_windows(NULL, NULL), NULL, 'a range that is not known');
SELECT row_eq($$SELECT * FROM window_state(NULL, NULL)$$, ROW(NULL::boolean, NULL::boolean, NULL::text, NULL::timestamptz), 'a time that is not known');
SELECT is((window_state(NULL, '294276-12-31 23:59:59.999998')).is_open, true, 'the last moment that there is');
SELECT is((window_state(NULL, '4714-11-24 BC')).is_open, true, 'and the first');
SELECT add_maintenance_window('rows', 'DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY') \g /dev/null
SELECT is(pg_temp.try($$SELECT declare_blackout('rows', starts_at => '2026-01-01', ends_at => '2026-01-02')$$),
	'23505 duplicate key value violates unique constraint "change_window_name_key"', 'a name is one window''s');
SELECT is(pg_temp.try($$SELECT window_state(NULL, '2600-01-01')$$), '22008 recurrences are computed up to the year 2499', 'a window without an end, in 2600');
CREATE FUNCTION pg_temp.context(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	context text;
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
	RETURN split_part(context, E'\n', 1);
END $$;
SELECT is(pg_temp.context($$SELECT window_state(NULL, '2600-01-01')$$), 'window "rows"', 'which one, says the context');
SELECT is(pg_temp.try($$SELECT open_windows(NULL, '[2499-12-01,2500-02-01)')$$), '22008 recurrences are computed up to the year 2499', 'or open until then');
SELECT is((window_state(NULL, '2499-12-31 02:00')).until, '2499-12-31 04:00', 'it is known to the end of 2499');
SELECT is((window_state(NULL, '2499-12-31 04:00')).until, NULL, 'and not after');
UPDATE change_window SET environment = 'test';
SELECT is((window_state(NULL, '2600-01-01')).is_open, true, 'what is not in scope is not computed');
SELECT is((window_state(NULL, '0001-01-01', 'test')).is_open, false, 'nothing is open before a window''s first time');
SELECT is((window_state(NULL, '2025-06-01', 'test')).until, '2026-01-06 02:00', 'until then');
DELETE FROM change_window;

-- The table's own constraints say the same, without the trigger.
SET LOCAL session_replication_role = replica;
SELECT is(left(pg_temp.try('INSERT INTO change_window (name, kind, recurrence, starts_at, ends_at, tag, environment, enforcement) VALUES '
	|| row || '; SELECT 1 / 0'), 5), answer, row)
FROM (VALUES
	('(''a'', ''blackout'', NULL, ''2026-01-01'', ''2026-01-02'', ''t'', ''test'', ''soft'')', '22012'),
	('('''', ''blackout'', NULL, ''2026-01-01'', ''2026-01-02'', NULL, NULL, ''soft'')', '23514'),
	('(''a'', ''curfew'', NULL, ''2026-01-01'', ''2026-01-02'', NULL, NULL, ''soft'')', '23514'),
	('(''a'', ''blackout'', NULL, ''2026-01-01'', ''2026-01-01'', NULL, NULL, ''soft'')', '23514'),
	('(''a'', ''blackout'', NULL, ''-infinity'', ''2026-01-01'', NULL, NULL, ''soft'')', '23514'),
	('(''a'', ''blackout'', NULL, ''infinity'', ''infinity'', NULL, NULL, ''soft'')', '23514'),
	('(''a'', ''blackout'', NULL, ''2026-01-01'', NULL, NULL, NULL, ''soft'')', '23514'),
	('(''a'', ''blackout'', NULL, NULL, NULL, NULL, NULL, ''soft'')', '23514'),
	('(''a'', ''blackout'', ''DTSTART:20260106T020000Z DURATION:PT2H'', ''2026-01-01'', ''2026-01-02'', NULL, NULL, ''soft'')', '23514'),
	('(''a'', ''blackout'', NULL, ''2026-01-01'', ''2026-01-02'', ''A'', NULL, ''soft'')', '23514'),
	('(''a'', ''blackout'', NULL, ''2026-01-01'', ''2026-01-02'', '''', NULL, ''soft'')', '23514'),
	('(''a'', ''blackout'', NULL, ''2026-01-01'', ''2026-01-02'', NULL, ''moon'', ''soft'')', '23514'),
	('(''a'', ''blackout'', NULL, ''2026-01-01'', ''2026-01-02'', NULL, NULL, ''medium'')', '23514')) AS v (row, answer);
SET LOCAL session_replication_role = origin;

-- Tags of items
SELECT is(left(pg_temp.try(format('SELECT set_ci(''db'', tags => %L)', tags)), 5), answer, 'tags ' || tags)
FROM (VALUES ('{}', 'done'), ('{pci}', 'done'), ('{pci,tax-2026,größe}', 'done'), ('{pci,pci}', 'done'), ('{""}', '23514'), ('{pci,""}', '23514'),
	('{NULL}', '23514'), ('{pci,NULL}', '23514'), ('{PCI}', '23514'), ('{"two words"}', '23514'), (E'{"a\tb"}', '23514'), (E'{"a\nb"}', '23514'),
	(E'{"\t"}', '23514'), ('{{a,b},{c,d}}', '23514')) AS v (tags, answer);
-- set_ci leaves what is not given
SELECT add_person('olga'), add_ci('whole', tier => 2, owner => 'olga', version => '1', end_of_life => '2030-01-01') \g /dev/null
UPDATE configuration_item SET version_change_id = 7 WHERE name = 'whole';
CREATE FUNCTION pg_temp.whole() RETURNS text LANGUAGE sql AS
	'SELECT concat_ws('' '', tags, is_exclusive, tier, p.login, version, version_change_id, end_of_life)
	FROM changemgmt.configuration_item AS c LEFT JOIN changemgmt.person AS p ON p.id = owner_id WHERE c.name = ''whole''';
SELECT set_ci('whole') \g /dev/null
SELECT is(pg_temp.whole(), '{} t 2 olga 1 7 2030-01-01', 'nothing given, nothing changed');
SELECT is(set_ci('whole', '{pci}', false, 1), ci_id('whole'), 'the id comes back');
SELECT is(pg_temp.whole(), '{pci} f 1 olga 1 7 2030-01-01', 'what is given is changed');
SELECT set_ci('whole', version => '1', end_of_life => '2031-01-01') \g /dev/null
SELECT is(pg_temp.whole(), '{pci} f 1 olga 1 7 2031-01-01', 'the version that is there is who brought it''s');
SELECT set_ci('whole', version => '2', tags => '{}') \g /dev/null
SELECT is(pg_temp.whole(), '{} f 1 olga 2 2031-01-01', 'another one is nobody''s');

--
-- Who declared it, and when
--
CREATE FUNCTION pg_temp.stamped(assignment text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	old changemgmt.change_window;
	new changemgmt.change_window;
BEGIN
	SELECT * INTO old FROM changemgmt.change_window WHERE name = 'stamped';
	PERFORM set_config('changemgmt.actor', 'olga', true);
	EXECUTE 'UPDATE changemgmt.change_window SET ' || assignment || ' WHERE name = ''stamped''';
	PERFORM set_config('changemgmt.actor', '', true);
	SELECT * INTO new FROM changemgmt.change_window WHERE id = old.id;
	RETURN CASE WHEN new.declared_at > old.declared_at AND new.declared_by = 'olga' THEN 'declared again'
		WHEN new.declared_at = old.declared_at AND new.declared_by = old.declared_by THEN 'as before' ELSE 'something else' END;
END $$;
SELECT is(assignment || ': ' || pg_temp.stamped(assignment), assignment || ': ' || answer, 'UPDATE: ' || assignment)
FROM (SELECT declare_blackout('stamped', starts_at => '2026-01-01', ends_at => '2026-01-02') OFFSET 0) AS declared, (VALUES
	(1, 'reason = ''why''', 'as before'), (2, 'declared_at = ''2001-01-01''', 'as before'), (3, 'declared_by = ''me''', 'as before'),
	(4, 'ends_at = ends_at', 'as before'), (5, 'ends_at = ''2026-01-03''', 'declared again'), (6, 'kind = ''maintenance''', 'declared again'),
	(7, 'enforcement = ''soft''', 'declared again'), (8, 'environment = ''test''', 'declared again'), (9, 'ci_id = changemgmt.ci_id(''db'')', 'declared again'),
	(10, 'covers_dependents = false', 'declared again'), (11, 'model = ''major''', 'declared again'), (12, 'tag = ''web''', 'declared again'),
	(13, 'starts_at = NULL, ends_at = NULL, recurrence = ''DTSTART:20260106T020000Z DURATION:PT2H''', 'declared again'),
	(14, 'recurrence = ''DTSTART:20260106T020000Z DTEND:20260106T040000Z''', 'as before'),
	(15, 'recurrence = ''DTSTART:20260106T020000Z DURATION:PT3H''', 'declared again')) AS v (place, assignment, answer)
ORDER BY place;
SELECT is((SELECT declared_by FROM change_window WHERE name = 'stamped'), 'olga', 'by who did it');
SELECT is_empty($$SELECT FROM change_window WHERE declared_at NOT BETWEEN statement_timestamp() - interval '10 minutes' AND clock_timestamp()$$, 'at that time');
COPY change_window (name, kind, starts_at, ends_at, model, declared_at, declared_by) FROM stdin;
history	blackout	2001-01-01 00:00+00	2001-01-02 00:00+00	gone	2000-01-01 00:00+00	somebody
\.
SELECT results_eq($$SELECT model, declared_at, declared_by FROM change_window WHERE name = 'history'$$,
	$$VALUES ('gone', timestamptz '2000-01-01 00:00+00', 'somebody')$$, 'what is loaded stays as it is');
SELECT throws_ok('TRUNCATE change_window', 'MC006', NULL, 'windows are not truncated');
SELECT throws_ok($$DELETE FROM configuration_item WHERE name = 'db'$$, '23503', NULL, 'an item with a window stays');
SELECT is_empty('SELECT * FROM verify_ledger()', 'the trail is whole');
DELETE FROM change_window;

--
-- A change of several items needs all of them open, and is told once what
-- closes several.
--
SELECT add_ci('left', environment => 'staging'), add_ci('right'), set_ci('right', '{vault}'), add_ci('under', depends_on => '{right}') \g /dev/null
SELECT add_maintenance_window('of left', starts_at => '2030-01-01 10:00', ends_at => '2030-01-01 14:00', ci => 'left', enforcement => 'soft'),
	add_maintenance_window('of right', starts_at => '2030-01-01 12:00', ends_at => '2030-01-01 16:00', ci => 'right'),
	declare_blackout('vault', starts_at => '2030-01-01 13:00', ends_at => '2030-01-01 13:30', tag => 'vault', enforcement => 'soft') \g /dev/null
SET LOCAL changemgmt.actor = 'olga';
SELECT id FROM create_change('several', owner => 'olga', model => 'standard', items => '{left,right,under}', description => 'd', justification => 'j',
	user_impact => 'n', risk_level => 'low', rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 1, verification_plan => 'v',
	planned_start => '2030-01-01 11:00', planned_end => '2030-01-01 15:00') \gset
SELECT changemgmt.plan(:id::bigint), submit(:id) \g /dev/null
SELECT results_eq(format($$SELECT requirement, m FROM why_not(%s, 'schedule'), regexp_matches(message, '[("](of left|of right|vault)[")] from \S+ ([0-9:]+)\S+ to \S+ ([0-9:]+)', 'g') AS m
		ORDER BY requirement, m$$, :id),
	$$VALUES ('in_window', '{of left,14:00:00,15:00:00}'::text[]), ('in_window', '{of right,11:00:00,12:00:00}'),
		('no_blackout', '{vault,13:00:00,13:30:00}')$$, 'each part that is closed, and once');
RESET changemgmt.actor;
DELETE FROM change_window;

--
-- What it costs
--
SET LOCAL statement_timeout = '30s';
SELECT add_maintenance_window('gone', 'DTSTART:20010106T020000Z DURATION:PT1M RRULE:FREQ=DAILY;COUNT=10000') \g /dev/null
SELECT results_eq($$SELECT is_open, until FROM window_state(NULL, '2040-07-01')$$, $$VALUES (false, NULL::timestamptz)$$, 'a window that never opens again');
DELETE FROM change_window;
SELECT declare_blackout('all', 'DTSTART:20010101T000000Z DURATION:PT5M RRULE:FREQ=DAILY;BYHOUR='
	|| (SELECT string_agg(h::text, ',') FROM generate_series(0, 23) AS h) || ';BYMINUTE=0,5,10,15,20,25,30,35,40,45,50,55') \g /dev/null
SELECT results_eq($$SELECT is_open, until FROM window_state(NULL, '2026-07-01')$$, $$VALUES (false, NULL::timestamptz)$$, 'never, in 288 pieces a day');
SELECT is(open_windows(NULL, '[2026-01-01,2036-01-01)'), '{}', 'for ten years');
DELETE FROM change_window;
SELECT add_maintenance_window('m' || i, format('DTSTART:20010101T%s0000Z DURATION:PT10M RRULE:FREQ=DAILY', to_char(i % 24, 'FM00'))) FROM generate_series(1, 500) AS i \g /dev/null
SELECT is(count(*), 500 * 7::bigint, '500 windows, asked 500 times') FROM generate_series(1, 500) AS i,
	generate_series(0, 6) AS d, window_state(NULL, '2026-07-01 00:05+00'::timestamptz + make_interval(days => d, hours => i % 24)) AS s WHERE s.is_open;

SELECT * FROM finish();
ROLLBACK;
