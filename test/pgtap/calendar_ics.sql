-- Holidays from .ics texts: what calendars publish, what is wrong with some, and
-- what an import leaves alone.
\set QUIET on
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL client_min_messages = warning;

SELECT changemgmt.create_business_calendar(name, zone) FROM (VALUES ('berlin', 'Europe/Berlin'), ('newyork', 'America/New_York')) AS v (name, zone) \g /dev/null

-- A calendar of these lines, in an event; what an import of it says: the days
-- up to the end of 2030, or the refusal. It is taken back.
CREATE FUNCTION pg_temp.event(VARIADIC lines text[]) RETURNS text LANGUAGE sql AS $$
	SELECT array_to_string(ARRAY['BEGIN:VCALENDAR', 'VERSION:2.0', 'BEGIN:VEVENT'] || lines || ARRAY['END:VEVENT', 'END:VCALENDAR', ''], E'\r\n') $$;
CREATE FUNCTION pg_temp.imported(ics text, calendar text DEFAULT 'berlin', until date DEFAULT '2030-12-31') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	n integer;
	result text;
	detail text;
BEGIN
	n := changemgmt.import_holidays(calendar, ics, until);
	SELECT n || ': ' || coalesce(string_agg(day || coalesce(' ' || name, ''), ', ' ORDER BY day), '') INTO result FROM changemgmt.holiday
	WHERE calendar_id = changemgmt.business_calendar_id(calendar);
	RAISE SQLSTATE 'ZZ000' USING MESSAGE = result;
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN SQLERRM;
	WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
		RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''));
END $$;

-- ----------------------------------------------------------------
-- A published calendar
-- ----------------------------------------------------------------

-- As several publishers write them: a time zone with rules of its own, folded lines
-- (also within a word), CLASS, empty values, alarms, names that nobody registered.
SELECT replace($ics$BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:PUBLISH
X-WR-CALNAME:Feiertage
X-WR-TIMEZONE:Europe/Berlin
REFRESH-INTERVAL;VALUE=DURATION:P1D
BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
DTSTART;VALUE=DATE:20261225
DTEND;VALUE=DATE:20261227
DTSTAMP:20260101T000000Z
UID:christmas@example.org
CLASS:PUBLIC
CREATED:20250101T120000Z
DESCRIPTION:
LOCATION:
SEQUENCE:0
STATUS:CONFIRMED
SUMMARY;LANGUAGE=de:Weihnachten\, erster und zwe
 iter Feiertag
TRANSP:TRANSPARENT
X-MICROSOFT-CDO-BUSYSTATUS:OOF
FANCY-NEW-PROPERTY;WITH=PARAMETER:1
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-P1D
DESCRIPTION:soon
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:memorial@example.org
DTSTART;VALUE=DATE:20260525
RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO
EXDATE;VALUE=DATE:20280529
SUMMARY:Memorial Day
END:VEVENT
BEGIN:VEVENT
UID:outlook@example.org
DTSTART;TZID="W. Europe Standard Time":20261003T000000
DTEND;TZID="W. Europe Standard Time":20261004T000000
SUMMARY:Tag der Einheit
END:VEVENT
BEGIN:VEVENT
UID:bridge@example.org
DTSTART:20270513T220000Z
DTEND:20270514T220000Z
SUMMARY:Brückentag
END:VEVENT
BEGIN:VEVENT
UID:off@example.org
DTSTART;VALUE=DATE:20270614
STATUS:CANCELLED
SUMMARY:Not this time
END:VEVENT
BEGIN:VEVENT
UID:party@example.org
DTSTART;TZID=Europe/Berlin:20261218T150000
DTEND;TZID=Europe/Berlin:20261218T220000
SUMMARY:Party
END:VEVENT
BEGIN:VTODO
UID:todo@example.org
SUMMARY:buy a tree
END:VTODO
END:VCALENDAR
$ics$, E'\n', E'\r\n') AS published \gset

SELECT is(pg_temp.imported(:'published'), '8: 2026-05-25 Memorial Day, 2026-10-03 Tag der Einheit, 2026-12-25 Weihnachten, erster und zweiter Feiertag, '
	'2026-12-26 Weihnachten, erster und zweiter Feiertag, 2027-05-14 Brückentag, 2027-05-31 Memorial Day, 2029-05-28 Memorial Day, 2030-05-27 Memorial Day',
	'a calendar as it is published: whole days by date, by local and by universal time; rules with exceptions');
SELECT is(pg_temp.imported(replace(:'published', E'\r\n', E'\n')), pg_temp.imported(:'published'), 'the same with line feeds alone');
SELECT is(pg_temp.imported(E'\uFEFF' || :'published'), pg_temp.imported(:'published'), 'with a byte order mark');
SELECT is(pg_temp.imported(:'published' || :'published'), pg_temp.imported(:'published'), 'twice in one text');
SELECT is(pg_temp.imported(lower(substr(:'published', 1, 15)) || substr(:'published', 16)), pg_temp.imported(:'published'), 'names are not case-sensitive');
SELECT is(pg_temp.imported(:'published', 'berlin', '2026-10-03'), '2: 2026-05-25 Memorial Day, 2026-10-03 Tag der Einheit', 'up to a day');
SELECT is(pg_temp.imported(:'published', 'berlin', '2000-01-01'), '0: ', 'none is that early');

SELECT is(changemgmt.import_holidays('berlin', :'published', '2030-12-31'), 8, 'imported');
UPDATE changemgmt.holiday SET name = 'Ours' WHERE day = '2026-12-26';
SELECT is(changemgmt.import_holidays('berlin', :'published', '2030-12-31'), 0, 'twice: nothing is new');
SELECT is((SELECT name FROM changemgmt.holiday WHERE day = '2026-12-26'), 'Ours', 'what is there stays as it is');
SELECT is(changemgmt.import_holidays('berlin', :'published', '2032-12-31'), 2, 'two years more');
SELECT is((SELECT count(*) FROM changemgmt.holiday), 10::bigint, 'ten days');
SELECT is(changemgmt.add_business_days('2026-12-24 12:00 Europe/Berlin', 1, 'berlin'), '2026-12-28 12:00 Europe/Berlin', 'business days know them');
SELECT is((SELECT count(*) FROM changemgmt.ledger WHERE subject_kind = 'holiday'), 11::bigint, 'the ledger has each, and the edit');
DELETE FROM changemgmt.holiday;
SELECT is(changemgmt.import_holidays('berlin', pg_temp.event('DTSTART;VALUE=DATE:20000101', 'RRULE:FREQ=YEARLY')),
	(SELECT count(*)::int FROM generate_series(timestamp '2000-01-01', (now() AT TIME ZONE 'Europe/Berlin')::date + interval '10 years', '1 year')),
	'without an end: ten years from today');
DELETE FROM changemgmt.holiday;

-- ----------------------------------------------------------------
-- Events, one by one
-- ----------------------------------------------------------------

SELECT is(pg_temp.imported(pg_temp.event(VARIADIC string_to_array(lines, '~')), calendar), expected, lines) FROM (VALUES
	('berlin', 'DTSTART;VALUE=DATE:20270101', '1: 2027-01-01'),
	('berlin', 'DTSTART;VALUE=DATE:20270101~SUMMARY:', '1: 2027-01-01'),
	('berlin', 'DTSTART;VALUE=DATE:20270101~DTEND;VALUE=DATE:20270102~SUMMARY:a', '1: 2027-01-01 a'),
	('berlin', 'DTSTART;VALUE=DATE:20270101~DTEND;VALUE=DATE:20270104', '3: 2027-01-01, 2027-01-02, 2027-01-03'),
	('berlin', 'DTSTART;VALUE=DATE:20270101~DTEND;VALUE=DATE:20270101', '1: 2027-01-01'),
	('berlin', 'DTSTART;VALUE=DATE:20270101~DURATION:P2D', '2: 2027-01-01, 2027-01-02'),
	('berlin', 'DTSTART;VALUE=DATE:20270101~DURATION:P1W', '7: 2027-01-01, 2027-01-02, 2027-01-03, 2027-01-04, 2027-01-05, 2027-01-06, 2027-01-07'),
	('berlin', 'DTSTART;VALUE=DATE:20280229~RRULE:FREQ=YEARLY', '1: 2028-02-29'),
	('berlin', 'DTSTART;VALUE=DATE:20261226~DTEND;VALUE=DATE:20261228~RRULE:FREQ=YEARLY;COUNT=2', '4: 2026-12-26, 2026-12-27, 2027-12-26, 2027-12-27'),
	('berlin', 'DTSTART;VALUE=DATE:20261226~RRULE:FREQ=YEARLY;COUNT=3~EXDATE;VALUE=DATE:20271226', '2: 2026-12-26, 2028-12-26'),
	('berlin', 'DTSTART;VALUE=DATE:20261226~RRULE:FREQ=YEARLY;UNTIL=20281226', '3: 2026-12-26, 2027-12-26, 2028-12-26'),
	('berlin', 'DTSTART;VALUE=DATE:20261226~RRULE:FREQ=YEARLY;UNTIL=20281226T000000Z', '3: 2026-12-26, 2027-12-26, 2028-12-26'),
	('newyork', 'DTSTART;VALUE=DATE:20261226~RRULE:FREQ=YEARLY;UNTIL=20281226T000000Z', '3: 2026-12-26, 2027-12-26, 2028-12-26'),
	('berlin', 'DTSTART;TZID=Europe/Berlin:20261226T000000~DTEND;TZID=Europe/Berlin:20261227T000000~RRULE:FREQ=YEARLY;UNTIL=20281225T230000Z', '3: 2026-12-26, 2027-12-26, 2028-12-26'),
	('berlin', 'DTSTART;TZID=Europe/Berlin:20261226T000000~DURATION:P1D~RRULE:FREQ=YEARLY;UNTIL=20281225T225959Z', '2: 2026-12-26, 2027-12-26'),
	('newyork', 'DTSTART:20261225T050000Z~DTEND:20261226T050000Z', '1: 2026-12-25'),
	('berlin', 'DTSTART:20261225T050000Z~DTEND:20261226T050000Z', '0: '),
	('berlin', 'DTSTART:20261225T000000~DURATION:PT24H', '1: 2026-12-25'),
	('berlin', 'DTSTART:20261225T000000~DURATION:PT23H', '0: '),
	('berlin', 'DTSTART:20261225T000000', '0: '),
	('berlin', 'DTSTART:20261225T000000~DTEND:20261225T000000', '0: '),
	('berlin', 'DTSTART:20261225T080000~DTEND:20261226T080000', '0: '),
	('berlin', 'DTSTART:20261224T230000Z~DTEND:20261225T230000Z~RRULE:FREQ=YEARLY', '0: '),
	('berlin', 'DTSTART;VALUE=DATE:20270101~RDATE;VALUE=DATE:20270201,20270301~EXDATE;VALUE=DATE:20270201', '2: 2027-01-01, 2027-03-01'),
	('berlin', 'DTSTART;VALUE=DATE:20270101~RDATE;VALUE=PERIOD:20270201T000000Z/P1D', '0: '),
	('berlin', 'DTSTART;VALUE=DATE:20270104~RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=2', '2: 2027-01-05, 2027-01-12'),
	('berlin', 'DTSTART;VALUE=DATE:20270104~RRULE:FREQ=DAILY;BYHOUR=9;COUNT=2', '2: 2027-01-04, 2027-01-05'),
	('berlin', 'DTSTART;VALUE=DATE:20270101~STATUS:CANCELLED', '0: '),
	('berlin', 'DTSTART;VALUE=DATE:20261127~RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=FR;BYMONTHDAY=23,24,25,26,27,28,29', '5: 2026-11-27, 2027-11-26, 2028-11-24, 2029-11-23, 2030-11-29'),
	('berlin', 'DTSTART;VALUE=DATE:20270101~SUMMARY:' || repeat('ä', 300), '1: 2027-01-01 ' || repeat('ä', 100)),
	('berlin', 'DTSTART;VALUE=DATE:20270101~END:VEVENT~BEGIN:VEVENT~DTSTART;VALUE=DATE:20270101~SUMMARY:second', '1: 2027-01-01'),
	('berlin', 'UID:1~DTSTART;VALUE=DATE:20270105~RRULE:FREQ=MONTHLY;COUNT=3~SUMMARY:a~END:VEVENT~BEGIN:VEVENT~UID:1~RECURRENCE-ID;VALUE=DATE:20270205~DTSTART;VALUE=DATE:20270206~SUMMARY:b',
		'3: 2027-01-05 a, 2027-02-06 b, 2027-03-05 a'),
	('berlin', 'UID:1~RECURRENCE-ID;VALUE=DATE:20270205~DTSTART;VALUE=DATE:20270205~STATUS:CANCELLED~END:VEVENT~BEGIN:VEVENT~UID:1~DTSTART;VALUE=DATE:20270105~RRULE:FREQ=MONTHLY;COUNT=3',
		'2: 2027-01-05, 2027-03-05'),
	('berlin', 'UID:1~DTSTART;VALUE=DATE:20270105~RRULE:FREQ=MONTHLY;COUNT=2~END:VEVENT~BEGIN:VEVENT~UID:2~RECURRENCE-ID;VALUE=DATE:20270205~DTSTART;VALUE=DATE:20270205~STATUS:CANCELLED',
		'2: 2027-01-05, 2027-02-05')) AS v (calendar, lines, expected);
SELECT is(pg_temp.imported(E'BEGIN:VCALENDAR\nEND:VCALENDAR'), '0: ', 'no event at all');

-- ----------------------------------------------------------------
-- What is wrong
-- ----------------------------------------------------------------

SELECT is(pg_temp.imported(ics), expected, format('%s: %s', n, left(ics, 60))) FROM (VALUES
	(1, '', 'MC008 invalid calendar text: it is empty | On line 1.'),
	(2, 'hello', 'MC008 invalid calendar text: it does not begin with BEGIN:VCALENDAR | On line 1.'),
	(3, E'\n\nBEGIN:VEVENT\nEND:VEVENT', 'MC008 invalid calendar text: it does not begin with BEGIN:VCALENDAR | On line 3.'),
	(4, E'BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20270101\n', 'MC008 invalid calendar text: it ends before END:VEVENT, which belongs to the BEGIN on line 2 | On line 3.'),
	(5, E'BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20270101\nEND:VEVENT\n', 'MC008 invalid calendar text: it ends before END:VCALENDAR, which belongs to the BEGIN on line 1 | On line 4.'),
	(6, E'BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\nEND:VEVENT\n', 'MC008 invalid calendar text: END:VEVENT was expected for the BEGIN on line 2 | On line 3.'),
	(7, E'BEGIN:VCALENDAR\nEND:VCALENDAR\nEND:VCALENDAR', 'MC008 invalid calendar text: it does not begin with BEGIN:VCALENDAR | On line 3.'),
	(8, E'BEGIN:VCALENDAR\nEND:VCALENDAR\nthe end', 'MC008 invalid calendar text: it does not begin with BEGIN:VCALENDAR | On line 3.'),
	(9, 'BEGIN:VCALENDAR' || repeat(E'\nBEGIN:VEVENT', 8), 'MC008 invalid calendar text: components lie too deep in each other | On line 9.'),
	(10, pg_temp.event('SUMMARY:x'), 'MC008 invalid calendar text: it has no DTSTART | In the event that begins on line 3, "x".'),
	(11, pg_temp.event('DTSTART;VALUE=DATE:20270230', 'SUMMARY:x'), 'MC008 invalid calendar text: DTSTART: there is no such date or time: "20270230" | In the event that begins on line 3, "x".'),
	(12, pg_temp.event('DTSTART;VALUE=DATE:tomorrow'), 'MC008 invalid calendar text: Can''t parse as DATE value in DTSTART property. Removing entire property: tomorrow | In the event that begins on line 3.'),
	(13, pg_temp.event('DTSTART;VALUE=DATE:20270101', 'what is this?'), 'MC008 invalid calendar text: Got a data line, but could not find a property name or component begin tag: what is this? | In the event that begins on line 3.'),
	(14, pg_temp.event('DTSTART;VALUE=DATE:20270101', 'DTSTART;VALUE=DATE:20270102'), 'MC008 invalid calendar text: DTSTART is there twice | In the event that begins on line 3.'),
	(15, pg_temp.event('DTSTART;VALUE=DATE:20270101', 'DTEND;VALUE=DATE:20261231'), 'MC008 invalid calendar text: it ends before it begins | In the event that begins on line 3.'),
	(16, pg_temp.event('DTSTART;VALUE=DATE:20270101', 'DTEND:20270102T000000'), 'MC008 invalid calendar text: DTSTART and DTEND are both dates or both times | In the event that begins on line 3.'),
	(17, pg_temp.event('DTSTART;VALUE=DATE:20270101', 'DTEND;VALUE=DATE:20270102', 'DURATION:P1D'), 'MC008 invalid calendar text: an event has DTEND or DURATION, not both | In the event that begins on line 3.'),
	(18, pg_temp.event('DTSTART;VALUE=DATE:20270101', 'DURATION:-P1D'), 'MC008 invalid calendar text: it ends before it begins | In the event that begins on line 3.'),
	(19, pg_temp.event('DTSTART;VALUE=DATE:20270101', 'DURATION:PT5H'), 'MC008 invalid calendar text: the duration of whole days is no number of days | In the event that begins on line 3.'),
	(20, pg_temp.event('DTSTART;VALUE=DATE:20270101', 'DURATION:P367D'), 'MC008 invalid calendar text: it is longer than 366 days | In the event that begins on line 3.'),
	(21, pg_temp.event('DTSTART;VALUE=DATE:20270101', 'RRULE:FREQ=SOMETIMES'), 'MC008 invalid calendar text: Can''t parse as RECUR value in RRULE property. Removing entire property: FREQ=SOMETIMES | In the event that begins on line 3.'),
	(22, pg_temp.event('DTSTART;VALUE=DATE:20270101', 'RRULE:FREQ=SECONDLY;COUNT=5'), 'MC008 invalid calendar text: a rule may not be finer than FREQ=DAILY: "FREQ=SECONDLY;COUNT=5" | In the event that begins on line 3.'),
	(23, pg_temp.event('DTSTART;VALUE=DATE:20270101', 'RRULE:FREQ=YEARLY', 'RRULE:FREQ=MONTHLY'), 'MC008 invalid calendar text: RRULE is there twice | In the event that begins on line 3.'),
	(24, pg_temp.event('DTSTART;VALUE=DATE:18500101'), '1: 1850-01-01'),
	(25, pg_temp.event('DTSTART;VALUE=DATE:20270101', 'EXDATE;VALUE=DATE:20271301'), 'MC008 invalid calendar text: EXDATE: there is no such date or time: "20271301" | In the event that begins on line 3.'),
	(26, pg_temp.event('DTSTART;VALUE=DATE:20000101', 'RRULE:FREQ=DAILY'), 'MC008 invalid calendar text: it has more than 10000 days: "FREQ=DAILY" | In the event that begins on line 3.'),
	(27, pg_temp.event('DTSTART;VALUE=DATE:20000101', 'DTEND;VALUE=DATE:20001231', 'RRULE:FREQ=YEARLY'), 'MC008 the calendar text has more than 10000 days'),
	(28, E'BEGIN:VCALENDAR\ngarbage\nEND:VCALENDAR', 'MC008 invalid calendar text: Got a data line, but could not find a property name or component begin tag: garbage | Outside of events.')) AS v (n, ics, expected);
SELECT matches(pg_temp.imported(pg_temp.event('DTSTART;VALUE=DATE:20270101', 'RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30')),
	'^MC008 invalid calendar text: .*it never occurs: "FREQ=YEARLY;.*" \| In the event that begins on line 3\.$', 'a rule that never comes');
SELECT matches(pg_temp.imported(pg_temp.event('DTSTART;VALUE=DATE:18500101', 'RRULE:FREQ=YEARLY')),
	'^MC008 invalid calendar text: .*between the years 1900 and 2499', 'a rule that begins too long ago');
SELECT is(pg_temp.imported(:'published', 'paris'), 'MC008 business calendar "paris" does not exist', 'an unknown calendar');
SELECT is(pg_temp.imported(:'published', 'default'), 'MC008 business calendar "default" is the one that ships, which has no rows', 'the calendar that ships');
SELECT is(pg_temp.imported(:'published', 'berlin', 'infinity'), 'MC008 holidays are imported up to a day, not to infinity', 'to infinity');
SELECT is(pg_temp.imported(NULL), 'MC008 import_holidays() takes a business calendar and a text', 'no text');
SELECT is(pg_temp.imported(:'published', NULL), 'MC008 import_holidays() takes a business calendar and a text', 'no calendar');
SELECT is(pg_temp.imported(replace(:'published', 'UID:off', E'DTEND:never\r\nUID:off')),
	'MC008 invalid calendar text: Can''t parse as DATE-TIME value in DTEND property. Removing entire property: never | In the event that begins on line 65, "Not this time".',
	'one bad event of several: the line is told');
-- cut off anywhere: never a row, never anything but MC008
SELECT is_empty($$SELECT n, said FROM (SELECT n, pg_temp.imported(left(t, n)) AS said FROM (SELECT $$ || quote_literal(:'published') || $$ AS t) AS v,
	generate_series(0, length(t) - 3, 7) AS n) AS w WHERE said !~ '^MC008 invalid calendar text: '$$, 'cut off anywhere, nothing is imported');
SELECT is_empty('SELECT FROM changemgmt.holiday', 'none of all this left a row');
SELECT is(pg_temp.imported(repeat(E'\n', 1048577)), 'MC008 the calendar text is longer than 1048576 bytes', 'over 1 MB');
SELECT is(left(pg_temp.imported('BEGIN:VCALENDAR' || (SELECT string_agg(format(E'\r\nBEGIN:VEVENT\r\nUID:%s\r\nDTSTART;VALUE=DATE:%s\r\nSUMMARY:Day %s, %s\r\nEND:VEVENT',
	n, to_char(date '2000-01-01' + n % 9000, 'YYYYMMDD'), n, repeat('x', 20)), '' ORDER BY n) FROM generate_series(1, 9900) AS n) || E'\r\nEND:VCALENDAR'), 5),
	'9000:', 'just under 1 MB: 9,900 events on 9,000 days');

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT * FROM finish();
ROLLBACK;
