--
-- The schedule of change as a view, and as a text for calendar programs.
-- Expected texts are written by hand from RFC 5545.
--
\set QUIET on
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'Asia/Tokyo';

SELECT is(changemgmt.change_calendar(),
	E'BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//changemgmt//change schedule//EN\r\nCALSCALE:GREGORIAN\r\n'
	'X-WR-CALNAME:Change schedule\r\nEND:VCALENDAR\r\n', 'an empty schedule is a calendar');
SELECT is_empty('TABLE changemgmt.change_schedule', 'and no row');

--
-- One event
--
SELECT is(changemgmt.ics_event('u@d', '1999-12-31 23:59:59.999999Z', '2026-11-21 02:00:00.7+09', '2026-11-21 04:30+09', 'S', 'D', 'C',
		'CONFIRMED', true, 7),
	E'BEGIN:VEVENT\r\nUID:u@d\r\nDTSTAMP:19991231T235959Z\r\nLAST-MODIFIED:19991231T235959Z\r\nDTSTART:20261120T170000Z\r\nDTEND:20261120T193000Z\r\nSUMMARY:S\r\n'
	'DESCRIPTION:D\r\nCATEGORIES:C\r\nSTATUS:CONFIRMED\r\nTRANSP:OPAQUE\r\nSEQUENCE:7\r\nEND:VEVENT\r\n',
	'times are in UTC and whole seconds');
SELECT is(changemgmt.ics_event('u', 'epoch', 'epoch', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	E'BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:19700101T000000Z\r\nLAST-MODIFIED:19700101T000000Z\r\nDTSTART:19700101T000000Z\r\nEND:VEVENT\r\n', 'what is null is left out');
SELECT is(changemgmt.ics_event(u, s, b, 'infinity', 's', 'd', 'c', 's', true, 0), NULL, 'no event without uid, time stamp and start')
FROM (VALUES (NULL, 'epoch'::timestamptz, 'epoch'::timestamptz), ('u', NULL, 'epoch'), ('u', 'epoch', NULL)) AS v (u, s, b);
SELECT is(changemgmt.ics_event('u', 'epoch', 'epoch', e::timestamptz, NULL, NULL, NULL, NULL, false, 1e15::bigint),
	E'BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:19700101T000000Z\r\nLAST-MODIFIED:19700101T000000Z\r\nDTSTART:19700101T000000Z\r\nTRANSP:TRANSPARENT\r\nSEQUENCE:2147483647\r\nEND:VEVENT\r\n',
	'no end that is not after the start: ' || e)
FROM unnest(ARRAY['epoch', '1970-01-01 00:00:00.9Z', '1969-12-31 00:00Z', '-infinity']) AS e;
SELECT is(changemgmt.ics_event('u', 'infinity', '0044-03-15 12:00Z BC', '294000-01-01', NULL, NULL, NULL, NULL, NULL, -5),
	E'BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:99991231T235959Z\r\nLAST-MODIFIED:99991231T235959Z\r\nDTSTART:00010101T000000Z\r\nDTEND:99991231T235959Z\r\n'
	'SEQUENCE:0\r\nEND:VEVENT\r\n', 'years have four digits');
SELECT is(changemgmt.ics_event('u', 'epoch', '1969-12-31 23:59:58.5Z', '1969-12-31 23:59:59.5Z', NULL, NULL, NULL, NULL, NULL, NULL),
	E'BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:19700101T000000Z\r\nLAST-MODIFIED:19700101T000000Z\r\nDTSTART:19691231T235958Z\r\nDTEND:19691231T235959Z\r\nEND:VEVENT\r\n',
	'before 2000 fractions of a second are cut off, too');

-- the line of a summary, as it is written
CREATE FUNCTION pg_temp.summary(value text) RETURNS text LANGUAGE sql AS $$
	SELECT substring(changemgmt.ics_event('u', 'epoch', 'epoch', NULL, value, NULL, NULL, NULL, NULL, NULL)
		FROM E'DTSTART:19700101T000000Z\r\n(.*)\r\nEND:VEVENT') $$;

SELECT is(pg_temp.summary(given), 'SUMMARY:' || written, 'escaped: ' || what)
FROM (VALUES
	('backslash', 'a\b', 'a\\b'), ('semicolon', 'a;b', 'a\;b'), ('comma', 'a,b', 'a\,b'), ('colon and quote are not', 'a:"b"', 'a:"b"'),
	('line', E'a\nb', 'a\nb'), ('DOS line', E'a\r\nb', 'a\nb'), ('Mac line', E'a\rb', 'a\nb'), ('blank lines', E'a\n\n\r\n\r\rb', 'a\n\n\n\n\nb'),
	('what looks escaped', 'a\nb', 'a\\nb'), ('tab stays', E'a\tb', E'a\tb'), ('control characters vanish', E'a\x01\x08\x0b\x0c\x1b\x1f\x7f' || 'b', 'ab'),
	('nothing', '', ''), ('at the end', E'a\\\r', 'a\\\n'), ('an injected property', E'a\r\nATTENDEE:b', 'a\nATTENDEE:b'),
	('a character of two octets with a low one', U&'\00e9\0085', U&'\00e9\0085'))
	AS v (what, given, written);

-- "SUMMARY:" is 8 octets
SELECT is(pg_temp.summary(given), 'SUMMARY:' || written, 'folded: ' || what)
FROM (VALUES
	('74 octets', repeat('x', 66), repeat('x', 66)),
	('75 octets', repeat('x', 67), repeat('x', 67)),
	('76 octets', repeat('x', 68), repeat('x', 67) || E'\r\n x'),
	('75 + 74 octets', repeat('x', 67) || repeat('y', 74), repeat('x', 67) || E'\r\n ' || repeat('y', 74)),
	('75 + 75 octets', repeat('x', 67) || repeat('y', 75), repeat('x', 67) || E'\r\n ' || repeat('y', 74) || E'\r\n y'),
	('75 octets, the last two one character', repeat('x', 65) || 'é', repeat('x', 65) || 'é'),
	('76 octets, the last two one character', repeat('x', 66) || 'é', repeat('x', 66) || E'\r\n é'),
	('76 octets, the last three one character', repeat('x', 65) || '€', repeat('x', 65) || E'\r\n €'),
	('76 octets, the last four one character', repeat('x', 64) || '🌊', repeat('x', 64) || E'\r\n 🌊'),
	('a second line of characters', repeat('x', 67) || repeat('é', 38), repeat('x', 67) || E'\r\n ' || repeat('é', 37) || E'\r\n é'),
	('a blank first on the next line stays', repeat('x', 67) || ' y', repeat('x', 67) || E'\r\n  y'))
	AS v (what, given, written);
-- whatever stands where the fold comes
SELECT is_empty($$
	SELECT n, piece, line
	FROM generate_series(0, 160) AS n, unnest(ARRAY['é', '€', '🌊', E'\\', E'\n', ';', E'\t ', U&'e\0301']) AS piece,
		LATERAL (SELECT repeat('x', n) || repeat(piece, 40)) AS t (given),
		LATERAL pg_temp.summary(given) AS s (written),
		LATERAL regexp_split_to_table(written, E'\r\n') AS line
	WHERE octet_length(line) > 75 OR line ~ E'[\r\n]'
	   OR replace(written, E'\r\n ', '') <> 'SUMMARY:' || replace(replace(replace(replace(given, '\', '\\'), E'\n', '\n'), ';', '\;'), ',', '\,') $$,
	'no line has more than 75 octets, and unfolded it is what it was');

--
-- The view
--
SELECT set_eq($$SELECT DISTINCT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'changemgmt.change_schedule'::regclass AND attnum > 0$$,
	ARRAY['bigint', 'text', 'boolean', 'timestamp with time zone', 'double precision'], 'plain types only');
SELECT is_empty($$SELECT attname FROM pg_attribute WHERE attrelid = 'changemgmt.change_schedule'::regclass AND attnum > 0
	AND col_description(attrelid, attnum) IS NULL$$, 'every column says what it is');

SELECT changemgmt.add_person(login) FROM unnest(ARRAY['olga', 'ivan']) AS login \g /dev/null
SELECT changemgmt.add_team('dba', 'olga'), changemgmt.add_ci('shop'), changemgmt.add_ci('ledger, main') \g /dev/null

-- one of each status, with and without a time, a booking and a beginning
SET LOCAL session_replication_role = replica;
INSERT INTO changemgmt.change (id, title, status, planned_start, planned_end, scheduled_at, actual_start, actual_end)
SELECT row_number() OVER (), concat_ws(' ', status, planned, booked, begun), status,
	now() + CASE planned WHEN 'planned' THEN interval '1 day' END, now() + CASE planned WHEN 'planned' THEN interval '25 hours' END,
	CASE booked WHEN 'booked' THEN now() END,
	now() - CASE begun WHEN 'begun' THEN interval '3 days' END,
	CASE WHEN begun = 'begun' AND status <> 'in_progress' THEN now() - interval '2 days' END
FROM unnest(ARRAY['draft', 'planned', 'awaiting_approval', 'approved', 'rejected', 'scheduled', 'in_progress', 'verifying', 'implemented',
		'rolled_back', 'closed', 'cancelled']) AS status,
	unnest(ARRAY['planned', NULL]) AS planned, unnest(ARRAY['booked', NULL]) AS booked, unnest(ARRAY['begun', NULL]) AS begun
WHERE (planned IS NOT NULL OR booked IS NULL);
SET LOCAL session_replication_role = origin;
SELECT set_eq('SELECT title FROM changemgmt.change_schedule', ARRAY[
	'awaiting_approval planned booked', 'awaiting_approval planned booked begun',
	'approved planned', 'approved planned booked', 'approved planned begun', 'approved planned booked begun',
	'scheduled planned', 'scheduled planned booked', 'scheduled planned begun', 'scheduled planned booked begun',
	'in_progress planned', 'in_progress planned booked', 'in_progress begun', 'in_progress planned begun', 'in_progress planned booked begun',
	'verifying planned', 'verifying planned booked', 'verifying begun', 'verifying planned begun', 'verifying planned booked begun'],
	'what is to run or runs, and has a time');
SELECT results_eq($$SELECT title, starts_at - now(), ends_at - now(), duration_minutes, is_booked, is_running, is_overdue
	FROM changemgmt.change_schedule WHERE title IN ('scheduled planned booked', 'approved planned', 'in_progress begun', 'in_progress planned begun',
		'verifying planned booked begun') ORDER BY title$$,
	$$VALUES ('approved planned', interval '1 day', interval '25 hours', 60::float8, false, false, false),
		('in_progress begun', '-3 days', NULL, NULL, false, true, false),
		('in_progress planned begun', '-3 days', '25 hours', 5820, false, true, false),
		('scheduled planned booked', '1 day', '25 hours', 60, true, false, false),
		('verifying planned booked begun', '-3 days', '-2 days', 1440, true, false, false)$$,
	'starts, ends and what is computed of them');
SET LOCAL session_replication_role = replica;
UPDATE changemgmt.change SET planned_start = now() - interval '2 hours', planned_end = now() - interval '1 hour' WHERE planned_start IS NOT NULL;
SELECT set_eq('SELECT DISTINCT status, is_overdue FROM changemgmt.change_schedule WHERE title NOT LIKE ''%d begun'' AND title NOT LIKE ''%s begun''',
	$$VALUES ('awaiting_approval', true), ('approved', true), ('scheduled', true), ('in_progress', true), ('verifying', false)$$,
	'what should have begun, or ended, is overdue');
DELETE FROM changemgmt.change;

--
-- A calendar, written by hand
--
INSERT INTO changemgmt.change (id, title, type, status, on_hold, environment, risk_level, owner_id, implementer_id, team_id,
	planned_start, planned_end, scheduled_at, actual_start, actual_end, outcome, updated_at, revision)
VALUES
	(42, 'Move orders; then drop, or not', 'normal', 'scheduled', false, 'production', 'high', changemgmt.person_id('olga'), NULL, changemgmt.team_id('dba'),
		'2026-12-01 03:00+01', '2026-12-01 05:00+01', '2026-11-20', NULL, NULL, NULL, '2026-11-20 12:00Z', 17),
	(43, 'Warten', 'major', 'scheduled', true, 'staging', NULL, NULL, NULL, NULL,
		'2026-12-02 00:00Z', '2026-12-02 01:00Z', '2026-11-20', NULL, NULL, NULL, '2026-11-21 12:00Z', 3),
	(44, 'Done', 'standard', 'closed', false, 'test', 'low', changemgmt.person_id('olga'), changemgmt.person_id('ivan'), NULL,
		'2026-12-01 00:00Z', '2026-12-01 01:00Z', '2026-11-20', '2026-12-01 00:10Z', '2026-12-01 00:50Z', 'successful', '2026-12-01 02:00Z', 9),
	(45, 'Stopped', 'emergency', 'cancelled', false, 'production', 'low', NULL, NULL, NULL,
		NULL, NULL, NULL, '2026-12-03 00:00Z', '2026-12-03 00:00:30Z', 'not_implemented', '2026-12-03 02:00Z', 1),
	-- not of the range
	(46, 'Before', 'normal', 'closed', false, 'production', 'low', NULL, NULL, NULL,
		NULL, NULL, NULL, '2026-11-30 00:00Z', '2026-12-01 00:00Z', 'successful', now(), 1),
	(47, 'After', 'normal', 'scheduled', false, 'production', 'low', NULL, NULL, NULL,
		'2026-12-31 00:00Z', '2026-12-31 01:00Z', now(), NULL, NULL, NULL, now(), 1),
	(48, 'Until then', 'normal', 'scheduled', false, 'production', 'low', NULL, NULL, NULL,
		'2026-11-30 22:00Z', '2026-12-01 00:00Z', now(), NULL, NULL, NULL, now(), 1);
INSERT INTO changemgmt.change_item (change_id, ci_id) SELECT 42, changemgmt.ci_id(name) FROM unnest(ARRAY['shop', 'ledger, main']) AS name;
SET LOCAL session_replication_role = origin;

-- the text without what it has of this database
CREATE FUNCTION pg_temp.calendar(from_at timestamptz, to_at timestamptz, with_windows boolean DEFAULT true) RETURNS text LANGUAGE sql AS $$
	SELECT replace(replace(changemgmt.change_calendar(from_at, to_at, with_windows), E'\r\n', E'\n'), '@' || current_database() || '.', '@db.') $$;
-- and some properties of its events, as they stand in short lines
CREATE FUNCTION pg_temp.events(calendar text, OUT uid text, OUT title text, OUT status text, OUT ends_at text) RETURNS SETOF record LANGUAGE sql AS $$
	SELECT substring(event FROM '(?n)^UID:(.*)\r$'), substring(event FROM '(?n)^SUMMARY:(?:CHG\d+ )?(.*)\r$'),
		substring(event FROM '(?n)^STATUS:(.*)\r$'), substring(event FROM '(?n)^DTEND:(.*)\r$')
	FROM regexp_split_to_table(calendar, 'BEGIN:VEVENT') WITH ORDINALITY AS e (event, place) WHERE place > 1 $$;
SELECT is(pg_temp.calendar('2026-12-01 00:00Z', '2026-12-31 00:00Z'), $ics$BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//changemgmt//change schedule//EN
CALSCALE:GREGORIAN
X-WR-CALNAME:Change schedule
BEGIN:VEVENT
UID:change-44@db.changemgmt
DTSTAMP:20261201T020000Z
LAST-MODIFIED:20261201T020000Z
DTSTART:20261201T001000Z
DTEND:20261201T005000Z
SUMMARY:CHG0000044 Done
DESCRIPTION:Type: standard\nEnvironment: test\nRisk: low\nStatus: closed\nO
 utcome: successful\nOwner: olga\nImplementer: ivan
CATEGORIES:standard
STATUS:CONFIRMED
TRANSP:OPAQUE
SEQUENCE:9
END:VEVENT
BEGIN:VEVENT
UID:change-42@db.changemgmt
DTSTAMP:20261120T120000Z
LAST-MODIFIED:20261120T120000Z
DTSTART:20261201T020000Z
DTEND:20261201T040000Z
SUMMARY:CHG0000042 Move orders\; then drop\, or not
DESCRIPTION:Type: normal\nEnvironment: production\nRisk: high\nStatus: sche
 duled\nOwner: olga\nTeam: dba\nItems: ledger\, main\, shop
CATEGORIES:normal
STATUS:CONFIRMED
TRANSP:OPAQUE
SEQUENCE:17
END:VEVENT
BEGIN:VEVENT
UID:change-43@db.changemgmt
DTSTAMP:20261121T120000Z
LAST-MODIFIED:20261121T120000Z
DTSTART:20261202T000000Z
DTEND:20261202T010000Z
SUMMARY:CHG0000043 Warten
DESCRIPTION:Type: major\nEnvironment: staging\nRisk: unknown\nStatus: sched
 uled\, on hold
CATEGORIES:major
STATUS:TENTATIVE
TRANSP:OPAQUE
SEQUENCE:3
END:VEVENT
BEGIN:VEVENT
UID:change-45@db.changemgmt
DTSTAMP:20261203T020000Z
LAST-MODIFIED:20261203T020000Z
DTSTART:20261203T000000Z
DTEND:20261203T000030Z
SUMMARY:CHG0000045 Stopped
DESCRIPTION:Type: emergency\nEnvironment: production\nRisk: low\nStatus: ca
 ncelled\nOutcome: not_implemented
CATEGORIES:emergency
STATUS:CANCELLED
TRANSP:OPAQUE
SEQUENCE:1
END:VEVENT
END:VCALENDAR
$ics$, 'a calendar as RFC 5545 writes it');
SELECT is((SELECT count(*) FROM regexp_matches(changemgmt.change_calendar('2026-12-01 00:00Z', '2026-12-31 00:00Z'), '(?<!\r)\n', 'g')), 0::bigint,
	'every line ends with CR LF');

--
-- Maintenance windows and blackouts
--
SELECT changemgmt.add_maintenance_window('Tuesdays, Thursdays',
	'DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH', environment => 'production') AS weekly,
	changemgmt.declare_blackout('Backup', 'DTSTART;TZID=Europe/Berlin:20260328T023000 DURATION:PT1H RRULE:FREQ=DAILY;COUNT=3',
		ci => 'shop', enforcement => 'soft', reason => 'It is slow; a lot.') AS backup,
	changemgmt.declare_blackout('Freeze', starts_at => '2026-03-31 22:00Z', ends_at => '2026-04-03 00:00Z', ci => 'shop',
		covers_dependents => false, model => 'normal', tag => 'pci') AS freeze,
	changemgmt.declare_blackout('Until then', starts_at => '2026-03-01', ends_at => '2026-03-26 00:00Z') AS until_then,
	changemgmt.declare_blackout('From then', starts_at => '2026-04-01 00:00Z', ends_at => '2026-04-02') AS from_then,
	changemgmt.declare_blackout('For good', starts_at => '2027-01-01 00:00Z', ends_at => 'infinity') AS for_good \gset
-- Berlin's clocks go forward on 29 March 2026, 01:00 UTC: 2:30 is 3:00 then
SELECT is(regexp_replace(pg_temp.calendar('2026-03-26 00:00Z', '2026-04-01 00:00Z'),
	'(DTSTAMP|LAST-MODIFIED):(' || (SELECT string_agg(DISTINCT to_char(declared_at AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS"Z"'), '|') FROM changemgmt.change_window) || ')', '\1:now', 'g'),
	format($ics$BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//changemgmt//change schedule//EN
CALSCALE:GREGORIAN
X-WR-CALNAME:Change schedule
BEGIN:VEVENT
UID:window-%1$s-20260326T010000Z@db.changemgmt
DTSTAMP:now
LAST-MODIFIED:now
DTSTART:20260326T010000Z
DTEND:20260326T030000Z
SUMMARY:Maintenance window: Tuesdays\, Thursdays
DESCRIPTION:Enforcement: hard\nEnvironment: production
CATEGORIES:maintenance
STATUS:CONFIRMED
TRANSP:TRANSPARENT
SEQUENCE:0
END:VEVENT
BEGIN:VEVENT
UID:window-%2$s-20260328T013000Z@db.changemgmt
DTSTAMP:now
LAST-MODIFIED:now
DTSTART:20260328T013000Z
DTEND:20260328T023000Z
SUMMARY:Blackout: Backup
DESCRIPTION:Enforcement: soft\nItem: shop\, and what depends on it\nReason:
  It is slow\; a lot.
CATEGORIES:blackout
STATUS:CONFIRMED
TRANSP:OPAQUE
SEQUENCE:0
END:VEVENT
BEGIN:VEVENT
UID:window-%2$s-20260329T010000Z@db.changemgmt
DTSTAMP:now
LAST-MODIFIED:now
DTSTART:20260329T010000Z
DTEND:20260329T020000Z
SUMMARY:Blackout: Backup
DESCRIPTION:Enforcement: soft\nItem: shop\, and what depends on it\nReason:
  It is slow\; a lot.
CATEGORIES:blackout
STATUS:CONFIRMED
TRANSP:OPAQUE
SEQUENCE:0
END:VEVENT
BEGIN:VEVENT
UID:window-%2$s-20260330T003000Z@db.changemgmt
DTSTAMP:now
LAST-MODIFIED:now
DTSTART:20260330T003000Z
DTEND:20260330T013000Z
SUMMARY:Blackout: Backup
DESCRIPTION:Enforcement: soft\nItem: shop\, and what depends on it\nReason:
  It is slow\; a lot.
CATEGORIES:blackout
STATUS:CONFIRMED
TRANSP:OPAQUE
SEQUENCE:0
END:VEVENT
BEGIN:VEVENT
UID:window-%1$s-20260331T000000Z@db.changemgmt
DTSTAMP:now
LAST-MODIFIED:now
DTSTART:20260331T000000Z
DTEND:20260331T020000Z
SUMMARY:Maintenance window: Tuesdays\, Thursdays
DESCRIPTION:Enforcement: hard\nEnvironment: production
CATEGORIES:maintenance
STATUS:CONFIRMED
TRANSP:TRANSPARENT
SEQUENCE:0
END:VEVENT
BEGIN:VEVENT
UID:window-%3$s-20260331T220000Z@db.changemgmt
DTSTAMP:now
LAST-MODIFIED:now
DTSTART:20260331T220000Z
DTEND:20260403T000000Z
SUMMARY:Blackout: Freeze
DESCRIPTION:Enforcement: hard\nItem: shop\nModel: normal\nTag: pci
CATEGORIES:blackout
STATUS:CONFIRMED
TRANSP:OPAQUE
SEQUENCE:0
END:VEVENT
END:VCALENDAR
$ics$, :weekly, :backup, :freeze), 'windows and blackouts in the range, whole, in UTC');
SELECT is(pg_temp.calendar('2026-03-26 00:00Z', '2026-04-01 00:00Z', w), $ics$BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//changemgmt//change schedule//EN
CALSCALE:GREGORIAN
X-WR-CALNAME:Change schedule
END:VCALENDAR
$ics$, format('none where with_windows is %L', w))
FROM unnest(ARRAY[false, NULL]) AS w;
SELECT results_eq($$SELECT title, ends_at FROM pg_temp.events(changemgmt.change_calendar('2027-01-01 00:00Z', '2027-01-01 01:00Z'))$$,
	$$VALUES ('Blackout: For good', '20270101T010000Z')$$, 'what has no end goes to that of the calendar');
SELECT changemgmt.remove_window(name) FROM changemgmt.change_window \g /dev/null

-- what is planned or waits again is not certain
SET LOCAL session_replication_role = replica;
DELETE FROM changemgmt.change_item;
DELETE FROM changemgmt.change;
INSERT INTO changemgmt.change (title, status, planned_start, planned_end, scheduled_at, actual_start, actual_end)
SELECT concat_ws(' ', status, booked), status, now() + interval '1 hour', now() + interval '2 hours', CASE booked WHEN 'booked' THEN now() END,
	CASE WHEN status IN ('in_progress', 'verifying', 'closed') THEN now() - interval '2 hours' END,
	CASE WHEN status IN ('verifying', 'closed') THEN now() - interval '1 hour' END
FROM unnest(ARRAY['awaiting_approval', 'approved', 'scheduled', 'in_progress', 'verifying', 'closed']) AS status, unnest(ARRAY['booked', NULL]) AS booked;
SET LOCAL session_replication_role = origin;
SELECT set_eq($$SELECT title, status FROM pg_temp.events(changemgmt.change_calendar(now() - interval '1 year', now() + interval '1 year'))$$,
	$$VALUES ('awaiting_approval booked', 'TENTATIVE'), ('approved', 'TENTATIVE'), ('approved booked', 'CONFIRMED'), ('scheduled', 'CONFIRMED'),
		('scheduled booked', 'CONFIRMED'), ('in_progress', 'CONFIRMED'), ('in_progress booked', 'CONFIRMED'), ('verifying', 'CONFIRMED'),
		('verifying booked', 'CONFIRMED'), ('closed', 'CONFIRMED'), ('closed booked', 'CONFIRMED')$$,
	'tentative is what is not booked, or not approved any more');

-- what runs takes the time until now, however old it is
SET LOCAL session_replication_role = replica;
DELETE FROM changemgmt.change;
INSERT INTO changemgmt.change (title, status, planned_start, planned_end, actual_start)
VALUES ('still', 'in_progress', now() - interval '91 days', now() - interval '90 days', now() - interval '91 days'),
	('late', 'scheduled', now() - interval '91 days', now() - interval '90 days', NULL);
SET LOCAL session_replication_role = origin;
SELECT set_eq($$SELECT title, ends_at FROM pg_temp.events(changemgmt.change_calendar(now() - interval '30 days', now() + interval '1 day'))$$,
	$$SELECT 'still', to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS"Z"')$$, 'what runs takes the time until now');
SELECT is_empty($$SELECT title FROM pg_temp.events(changemgmt.change_calendar(now() + interval '1 second', now() + interval '1 day'))$$, 'and no more');

--
-- Its range
--
SELECT throws_ok(format('SELECT changemgmt.change_calendar(%L, %L)', f, t), 'MC008', message, format('from %s to %s', f, t))
FROM (VALUES
	(NULL, '2026-01-01', 'a calendar needs to know from when until when'), ('2026-01-01', NULL, 'a calendar needs to know from when until when'),
	('-infinity', '2026-01-01', 'a calendar cannot be of infinite time'), ('2026-01-01', 'infinity', 'a calendar cannot be of infinite time'),
	('2026-01-01', '2026-01-01', 'the calendar''s end is not after its start'), ('2026-01-02', '2026-01-01', 'the calendar''s end is not after its start'),
	('2026-01-01', '2031-01-06', 'the calendar''s range is too long'), ('4713-01-01 BC', '294276-12-31', 'the calendar''s range is too long'),
	('2499-12-31', '2500-01-01 00:00:01Z', 'recurrences are computed up to the year 2499')) AS v (f, t, message);
SELECT lives_ok(format('SELECT changemgmt.change_calendar(%L, %L)', f, t), format('from %s to %s', f, t))
FROM (VALUES ('2026-01-01', '2031-01-05'), ('2499-01-01', '2500-01-01 00:00Z'), ('4713-01-01 BC', '4712-01-01 BC')) AS v (f, t);

--
-- Many of them
--
SET LOCAL session_replication_role = replica;
DELETE FROM changemgmt.change;
INSERT INTO changemgmt.change (id, title, status, planned_start, planned_end, scheduled_at)
SELECT n, 'change ' || n, 'scheduled', now() + n * interval '1 hour', now() + (n + 1) * interval '1 hour', now() FROM generate_series(1, 1000) AS n;
SET LOCAL session_replication_role = origin;
SELECT is((count(*), count(DISTINCT uid), count(DISTINCT title))::text, '(1000,1000,1000)', 'a thousand events, each with a uid of its own')
FROM pg_temp.events(changemgmt.change_calendar());

--
-- Confidential changes, and rights
--
CREATE ROLE regress_viewer;
CREATE ROLE regress_owner;
CREATE ROLE regress_stranger;
SELECT changemgmt.add_person('regress_owner'), changemgmt.grant_role('regress_viewer', 'viewer'), changemgmt.grant_role('regress_owner', 'viewer') \g /dev/null
SET LOCAL session_replication_role = replica;
DELETE FROM changemgmt.change;
INSERT INTO changemgmt.change (title, status, confidential, owner_id, planned_start, planned_end, actual_start, actual_end)
VALUES ('Close CVE', 'approved', true, changemgmt.person_id('regress_owner'), now(), now() + interval '1 hour', NULL, NULL),
	('Closed CVE', 'closed', true, changemgmt.person_id('regress_owner'), now(), now() + interval '1 hour', now() - interval '2 hours', now() - interval '1 hour'),
	('Paint it', 'approved', false, NULL, now(), now() + interval '1 hour', NULL, NULL);
SET LOCAL session_replication_role = origin;
CREATE FUNCTION pg_temp.sees() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(title, ', ' ORDER BY title) FROM pg_temp.events(changemgmt.change_calendar()) $$;
SET LOCAL ROLE regress_viewer;
SELECT is(pg_temp.sees(), 'Paint it', 'a viewer sees no confidential change in the calendar');
SELECT results_eq('SELECT title FROM changemgmt.change_schedule', $$VALUES ('Paint it')$$, 'nor in the schedule');
SET LOCAL ROLE regress_owner;
SELECT is(pg_temp.sees(), 'Close CVE, Closed CVE, Paint it', 'its owner does');
SELECT set_eq('SELECT title FROM changemgmt.change_schedule', ARRAY['Close CVE', 'Paint it'], 'here, too');
SET LOCAL ROLE regress_stranger;
SELECT throws_ok('SELECT changemgmt.change_calendar()', '42501', NULL, 'who has no duty has no calendar');
RESET ROLE;

--
-- The history costs nothing
--
SET LOCAL session_replication_role = replica;
INSERT INTO changemgmt.change (title, status, actual_start, actual_end)
SELECT 'old', 'closed', now() - interval '1 year' - n * interval '1 hour', now() - interval '1 year' - n * interval '1 hour' + interval '1 minute'
FROM generate_series(1, 20000) AS n;
SET LOCAL session_replication_role = origin;
ANALYZE changemgmt.change;
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY EXECUTE 'EXPLAIN ' || query; END$$;
SELECT ok(bool_or(line LIKE '%change_open_idx%') AND NOT bool_or(line LIKE '%Seq Scan on change n%' OR line LIKE '%Seq Scan on change b%'), 'the schedule reads what is open')
FROM pg_temp.plan_of('TABLE changemgmt.change_schedule') AS line;
SET LOCAL ROLE regress_viewer;
SELECT ok(bool_or(line LIKE '%change_open_idx%') AND NOT bool_or(line LIKE '%Seq Scan on change n%' OR line LIKE '%Seq Scan on change b%'), 'for viewers, too')
FROM pg_temp.plan_of('TABLE changemgmt.change_schedule') AS line;
RESET ROLE;
SELECT ok(bool_or(line ~ 'Index Cond:.*planned_start <'), 'a range of it reads what is in the range')
FROM pg_temp.plan_of($$SELECT * FROM changemgmt.change_schedule WHERE starts_at < now() + interval '1 day'$$) AS line;
SELECT coalesce(sum(seq_tup_read), 0) AS before FROM pg_stat_xact_user_tables WHERE relid = 'changemgmt.change'::regclass \gset
SELECT changemgmt.change_calendar() \g /dev/null
SELECT is(coalesce(sum(seq_tup_read), 0), :before::numeric, 'the calendar does not read it either') FROM pg_stat_xact_user_tables
WHERE relid = 'changemgmt.change'::regclass;

SELECT * FROM finish();
ROLLBACK;
