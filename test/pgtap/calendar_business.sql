-- Business calendars: hours, holidays, zones. Known answers by hand, and random
-- questions against a count of days and of minutes that shares no code.
\set QUIET on
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';
SET LOCAL intervalstyle = 'postgres';

-- SQLSTATE and words of a refusal
CREATE FUNCTION pg_temp.words(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;

-- ----------------------------------------------------------------
-- Creating
-- ----------------------------------------------------------------

SELECT is_empty('SELECT FROM changemgmt.business_calendar', 'no calendar is a row: what ships is a constant');
SELECT isnt(changemgmt.create_business_calendar('berlin', 'Europe/Berlin', 'MO-TH 09:00-12:30,13:30-18:00; FR 9:00-15:00', 'Office'), NULL, 'a calendar');
SELECT results_eq($$SELECT weekday, opens, closes FROM changemgmt.business_hours ORDER BY 1, 2$$, $$VALUES
	(1, time '09:00', time '12:30'), (1, '13:30', '18:00'), (2, '09:00', '12:30'), (2, '13:30', '18:00'),
	(3, '09:00', '12:30'), (3, '13:30', '18:00'), (4, '09:00', '12:30'), (4, '13:30', '18:00'), (5, '09:00', '15:00')$$, 'its hours');
SELECT results_eq($$SELECT name, time_zone, description FROM changemgmt.business_calendar$$, $$VALUES ('berlin', 'Europe/Berlin', 'Office')$$, 'and itself');

CREATE FUNCTION pg_temp.hours(working_hours text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM changemgmt.set_business_hours('berlin', working_hours);
	SELECT string_agg(weekday || ' ' || left(opens::text, 5) || '-' || left(closes::text, 5), ', ' ORDER BY weekday, opens) INTO result
	FROM changemgmt.business_hours WHERE calendar_id = changemgmt.business_calendar_id('berlin');
	RAISE SQLSTATE 'ZZ000' USING MESSAGE = result;
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN RETURN SQLERRM;
	WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT is(pg_temp.hours(working_hours), expected, format('working hours: "%s"', working_hours)) FROM (VALUES
	('MO', '1 00:00-24:00'),
	('SA,SU', '6 00:00-24:00, 7 00:00-24:00'),
	('FR-MO 10:00-11:00', '1 10:00-11:00, 5 10:00-11:00, 6 10:00-11:00, 7 10:00-11:00'),
	('mo-we', '1 00:00-24:00, 2 00:00-24:00, 3 00:00-24:00'),
	(E' MO \t-\n TU  0:00 - 24:00 ; ', '1 00:00-24:00, 2 00:00-24:00'),
	('FR 22:00-24:00; SA 00:00-06:00', '5 22:00-24:00, 6 00:00-06:00'),
	('MO 08:00-12:00,12:00-16:00', '1 08:00-12:00, 1 12:00-16:00'),
	('MO,MO 08:00-12:00', '1 08:00-12:00'),
	('', 'MC008 invalid working hours: days are MO, TU, WE, TH, FR, SA and SU'),
	(' ', 'MC008 invalid working hours: days are MO, TU, WE, TH, FR, SA and SU'),
	('MO-', 'MC008 invalid working hours: days are MO, TU, WE, TH, FR, SA and SU'),
	('DO 9:00-17:00', 'MC008 invalid working hours: days are MO, TU, WE, TH, FR, SA and SU'),
	('1 9:00-17:00', 'MC008 invalid working hours: days are MO, TU, WE, TH, FR, SA and SU'),
	('MO 9-17', 'MC008 invalid working hours: times are of the form 09:00'),
	('MO 09:0-17:00', 'MC008 invalid working hours: times are of the form 09:00'),
	('MO 009:00-17:00', 'MC008 invalid working hours: times are of the form 09:00'),
	('MO 09:00', 'MC008 invalid working hours: a time of opening and one of closing are divided by a hyphen'),
	('MO 09:00-', 'MC008 invalid working hours: times are of the form 09:00'),
	('MO 09:60-17:00', 'MC008 invalid working hours: times go from 00:00 to 24:00'),
	('MO 09:00-24:01', 'MC008 invalid working hours: times go from 00:00 to 24:00'),
	('MO 09:00-09:00', 'MC008 invalid working hours: they close after they open; over midnight they are written up to 24:00, and on the next day from 00:00'),
	('MO 22:00-06:00', 'MC008 invalid working hours: they close after they open; over midnight they are written up to 24:00, and on the next day from 00:00'),
	('MO 09:00-12:00,11:59-14:00', 'MC008 invalid working hours: they overlap on MO'),
	('MO-FR; FR 09:00-12:00', 'MC008 invalid working hours: they overlap on FR'),
	('MO 09:00-12:00 TU 09:00-12:00', 'MC008 invalid working hours: what belongs to other days is divided by a semicolon'),
	('MO 09:00-12:00,', 'MC008 invalid working hours: times are of the form 09:00'),
	('MO 09:00-12:00;;', 'MC008 invalid working hours: days are MO, TU, WE, TH, FR, SA and SU')) AS v (working_hours, expected);
SELECT is(pg_temp.words($$SELECT changemgmt.set_business_hours('berlin', 'MO 9:00-17:00; TÜ 9-17')$$),
	'MC008 invalid working hours: days are MO, TU, WE, TH, FR, SA and SU | At character 16: "TÜ". | Write them as MO-FR 09:00-17:00, or MO,WE 08:00-12:00,13:00-17:00; SA 10:00-14:00.',
	'it says what is wrong, where, and how it is written');
SELECT is((SELECT count(*) FROM changemgmt.business_hours), 9::bigint, 'what was refused changed nothing');

SELECT is(pg_temp.words(statement), expected, statement) FROM (VALUES
	($$SELECT changemgmt.create_business_calendar('Berlin', 'Europe/Berlin')$$, 'MC008 a business calendar cannot be named "Berlin" | It takes up to 63 of a to z, 0 to 9 and _, a letter first.'),
	($$SELECT changemgmt.create_business_calendar('', 'Europe/Berlin')$$, 'MC008 a business calendar cannot be named "" | It takes up to 63 of a to z, 0 to 9 and _, a letter first.'),
	($$SELECT changemgmt.create_business_calendar('paris', 'Paris')$$, 'MC008 the time zone of a business calendar cannot be "Paris" | It takes UTC or a name with a region, such as Europe/Berlin, from the view pg_timezone_names.'),
	($$SELECT changemgmt.create_business_calendar('paris', 'CET')$$, 'MC008 the time zone of a business calendar cannot be "CET" | It takes UTC or a name with a region, such as Europe/Berlin, from the view pg_timezone_names.'),
	($$SELECT changemgmt.create_business_calendar('paris', 'Europe/Paris3')$$, 'MC008 the time zone of a business calendar cannot be "Europe/Paris3" | It takes UTC or a name with a region, such as Europe/Berlin, from the view pg_timezone_names.'),
	($$SELECT changemgmt.create_business_calendar('berlin', 'UTC')$$, 'MC008 duplicate key value violates unique constraint "business_calendar_name_key" | Key (name)=(berlin) already exists.'),
	($$SELECT changemgmt.create_business_calendar(NULL, 'UTC')$$, 'MC008 the name of the business calendar is missing'),
	($$SELECT changemgmt.create_business_calendar('x', NULL)$$, 'MC008 the time zone of the business calendar is missing'),
	($$SELECT changemgmt.create_business_calendar('x', 'UTC', NULL)$$, 'MC008 the working hours are missing'),
	($$SELECT changemgmt.set_business_hours('x', 'MO')$$, 'MC008 business calendar "x" does not exist | Run SELECT changemgmt.create_business_calendar(''x'', time_zone);'),
	($$SELECT changemgmt.set_business_hours('default', 'MO')$$, 'MC008 business calendar "default" is the one that ships, which has no rows | Run SELECT changemgmt.create_business_calendar(''default'', time_zone);'),
	($$SELECT changemgmt.add_holiday('x', '2026-12-25')$$, 'MC008 business calendar "x" does not exist | Run SELECT changemgmt.create_business_calendar(''x'', time_zone);'),
	($$SELECT changemgmt.add_holiday('berlin', NULL)$$, 'MC008 the day of the holiday is missing'),
	($$SELECT changemgmt.add_holiday(NULL, '2026-12-25')$$, 'MC008 the name of the business calendar is missing'),
	($$SELECT changemgmt.add_holiday('berlin', 'infinity')$$, 'MC008 "infinity" is no day of a holiday'),
	($$SELECT changemgmt.add_holiday('berlin', '-infinity')$$, 'MC008 "-infinity" is no day of a holiday'),
	($$INSERT INTO changemgmt.holiday (calendar_id, day) VALUES (changemgmt.business_calendar_id('berlin'), 'infinity')$$, 'MC008 "infinity" is no day of a holiday'),
	($$UPDATE changemgmt.business_calendar SET time_zone = 'Nowhere/None'$$, 'MC008 the time zone of a business calendar cannot be "Nowhere/None" | It takes UTC or a name with a region, such as Europe/Berlin, from the view pg_timezone_names.')) AS v (statement, expected);
SELECT throws_ok($$INSERT INTO changemgmt.business_hours (calendar_id, weekday, opens, closes) VALUES (changemgmt.business_calendar_id('berlin'), 1, '12:00', '13:00')$$,
	'23P01', NULL, 'hours of a day never overlap');
SELECT lives_ok($$INSERT INTO changemgmt.business_hours (calendar_id, weekday, opens, closes) VALUES (changemgmt.business_calendar_id('berlin'), 1, '18:00', '24:00')$$,
	'touching is not overlapping');
SELECT throws_ok($$INSERT INTO changemgmt.business_hours (calendar_id, weekday, opens, closes) VALUES (changemgmt.business_calendar_id('berlin'), $$ || v || ')',
	'23514', NULL, v || ' are no hours') FROM unnest('{"0, ''9:00'', ''10:00''","8, ''9:00'', ''10:00''","7, ''9:00'', ''9:00''","7, ''24:00'', ''24:00''"}'::text[]) AS v;
DELETE FROM changemgmt.business_hours WHERE opens = '18:00';

-- Holidays

SELECT changemgmt.add_holiday('berlin', d, n) FROM (VALUES (date '2026-12-25', 'Christmas'), ('2026-12-26', 'Boxing Day'), ('2027-01-01', 'New Year'),
	('2026-12-31', NULL), ('2026-05-01', 'Labour Day')) AS v (d, n) \g /dev/null
SELECT is(changemgmt.add_holiday('berlin', '2026-12-25', 'Christmas Day'), (SELECT id FROM changemgmt.holiday WHERE day = '2026-12-25'), 'a day that is one gets the name');
SELECT results_eq('SELECT day, name FROM changemgmt.holiday ORDER BY day', $$VALUES (date '2026-05-01', 'Labour Day'), ('2026-12-25', 'Christmas Day'),
	('2026-12-26', 'Boxing Day'), ('2026-12-31', NULL), ('2027-01-01', 'New Year')$$, 'holidays');
SELECT is(changemgmt.remove_holiday('berlin', '2026-12-31'), true, 'one is taken away');
SELECT is(changemgmt.remove_holiday('berlin', '2026-12-31'), false, 'once');
SELECT changemgmt.add_holiday('berlin', '2026-12-31', 'Bridge') \g /dev/null

-- ----------------------------------------------------------------
-- Known answers
-- ----------------------------------------------------------------

SET LOCAL timezone = 'Europe/Berlin';
CREATE TEMP TABLE added (at timestamptz, days integer, result timestamptz, what text);
INSERT INTO added VALUES
	('2026-12-23 10:00', 0, '2026-12-23 10:00', 'none from a business day'),
	('2026-12-23 10:00', 1, '2026-12-24 10:00', 'Wednesday to Thursday'),
	('2026-12-23 10:00', 2, '2026-12-28 10:00', 'over Christmas on a Friday and a Saturday, and a Sunday'),
	('2026-12-23 23:00', 2, '2026-12-28 23:00', 'hours don''t matter to days'),
	('2026-12-25 10:00', 0, '2026-12-28 00:00', 'from a holiday: the next business day'),
	('2026-12-25 10:00', 1, '2026-12-29 00:00', 'and a day more'),
	('2026-12-26 10:00', 1, '2026-12-29 00:00', 'from a holiday on a Saturday'),
	('2026-12-30 10:00', 1, '2027-01-04 10:00', 'over a run of holidays at new year, and the weekend'),
	('2026-12-31 10:00', 0, '2027-01-04 00:00', 'from within it'),
	('2027-01-02 10:00', 5, '2027-01-11 00:00', 'a week from the weekend after it'),
	('2026-04-30 10:00', 1, '2026-05-04 10:00', 'over 1 May'),
	('2026-03-27 12:00', 1, '2026-03-30 12:00', 'noon is noon when summer time begins');
SELECT is(changemgmt.add_business_days(at, days, 'berlin'), result, what) FROM added;
SELECT is(changemgmt.add_business_days(at, days), changemgmt.add_business_days(at, days, 'default'), 'two arguments are the calendar default: ' || at) FROM added;

CREATE TEMP TABLE spent (from_at timestamptz, to_at timestamptz, days integer, hours interval, what text);
INSERT INTO spent VALUES
	('2026-12-23 10:00', '2026-12-29 09:00', 2, '23:00', 'over Christmas'),
	('2026-12-23 10:00', '2026-12-29 10:00', 3, '24:00', 'to the very time: the day counts'),
	('2026-12-23 10:00', '2026-12-23 10:00', 0, '00:00', 'none'),
	('2026-12-23 12:00', '2026-12-23 14:00', 0, '01:00', 'over noon'),
	('2026-12-23 12:30', '2026-12-23 13:30', 0, '00:00', 'noon itself'),
	('2026-12-23 00:00', '2026-12-24 00:00', 1, '08:00', 'a day'),
	('2026-12-25 00:00', '2026-12-27 23:00', 0, '00:00', 'holidays and a Sunday'),
	('2026-12-26 10:00', '2026-12-28 00:00', 0, '00:00', 'from a day off to the next business day'),
	('2026-12-26 10:00', '2026-12-29 00:00', 1, '08:00', 'and one more'),
	('2026-12-26 10:00', '2026-12-28 12:00', 0, '03:00', 'the morning after'),
	('2026-12-24 00:00', '2027-01-05 00:00', 5, '40:00', 'five business days: 24, 28, 29, 30 December and 4 January'),
	('2026-01-05 00:00', '2026-01-10 00:00', 4, '38:00', 'a week of 4 times 8 and 6; the fifth day is full on Monday'),
	-- 261 weekdays, 52 of them Fridays, less 1 May and 25 December (Fridays, 6 hours) and 31 December (8): 209 * 8 + 52 * 6 - 20
	('2026-01-01 00:00', '2027-01-01 00:00', 257, '1964:00', 'a year of 258 business days; the last is full in the next');
SELECT is(changemgmt.business_days_between(from_at, to_at, 'berlin'), days, what || ', in days') FROM spent;
SELECT is(changemgmt.business_duration(from_at, to_at, 'berlin')::text, hours::text, what || ', in hours') FROM spent;
SELECT is(changemgmt.business_days_between(to_at, from_at, 'berlin'), -days, what || ', mirrored') FROM spent;
SELECT is(changemgmt.business_duration(to_at, from_at, 'berlin')::text, (-hours)::text, what || ', mirrored, in hours') FROM spent;

-- Clocks: a shop that never closes, in three zones

SELECT changemgmt.create_business_calendar(replace(lower(split_part(z, '/', 2)), '_', ''), z, 'MO-SU')
FROM unnest('{America/New_York,Australia/Lord_Howe,Pacific/Apia,Africa/Cairo,Pacific/Kiritimati,America/St_Johns}'::text[]) AS z \g /dev/null
SELECT changemgmt.create_business_calendar('nights', 'Europe/Berlin', 'SU 01:00-04:00') \g /dev/null
SELECT changemgmt.create_business_calendar('howe_nights', 'Australia/Lord_Howe', 'SU 01:00-04:00') \g /dev/null
SELECT is(changemgmt.business_duration(d::timestamp AT TIME ZONE z, (d + 1)::timestamp AT TIME ZONE z, c)::text, expected, format('%s in %s', d, z)) FROM (VALUES
	(date '2026-03-29', 'Europe/Berlin', 'nights', '02:00:00'), ('2026-10-25', 'Europe/Berlin', 'nights', '04:00:00'), ('2026-10-18', 'Europe/Berlin', 'nights', '03:00:00'),
	('2026-03-08', 'America/New_York', 'newyork', '23:00:00'), ('2026-11-01', 'America/New_York', 'newyork', '25:00:00'),
	('2026-10-04', 'Australia/Lord_Howe', 'lordhowe', '23:30:00'), ('2026-04-05', 'Australia/Lord_Howe', 'lordhowe', '24:30:00'),
	('2026-10-04', 'Australia/Lord_Howe', 'howe_nights', '02:30:00'), ('2026-04-05', 'Australia/Lord_Howe', 'howe_nights', '03:30:00'),
	('2023-04-28', 'Africa/Cairo', 'cairo', '23:00:00')) AS v (d, z, c, expected);
SELECT is(changemgmt.business_days_between('2026-03-28 02:30 Europe/Berlin', '2026-03-29 03:29 Europe/Berlin', 'default'), 0, 'a weekend');
SELECT is(changemgmt.add_business_days('2026-03-07 02:30 America/New_York', 1, 'newyork'), '2026-03-08 03:30 America/New_York', 'a time that is skipped is an hour later');
SELECT is(changemgmt.business_days_between('2026-03-07 02:30 America/New_York', '2026-03-08 03:29 America/New_York', 'newyork'), 0, 'so a day is not full before it');
SELECT is(changemgmt.business_days_between('2026-03-07 02:30 America/New_York', '2026-03-08 03:30 America/New_York', 'newyork'), 1, 'but then');
SELECT is(changemgmt.business_days_between('2011-12-29 12:00 Pacific/Apia', '2011-12-31 11:00 Pacific/Apia', 'apia'), 0, 'a day that a zone left out: one day later is 31 December');
SELECT is(changemgmt.business_days_between('2011-12-29 12:00 Pacific/Apia', '2011-12-31 12:00 Pacific/Apia', 'apia'), 2, 'and two days later as well');
SELECT is(changemgmt.business_duration('2011-12-29 00:00 Pacific/Apia', '2012-01-01 00:00 Pacific/Apia', 'apia')::text, '48:00:00', 'it had no hours');
SELECT is(changemgmt.add_business_days('2026-12-24 10:30Z', 0, 'kiritimati'), '2026-12-24 10:30Z', 'a zone 14 hours ahead');
SET LOCAL timezone = 'UTC';

-- The border of what can be asked

SELECT is(pg_temp.words('SELECT changemgmt.' || statement), expected, statement) FROM (VALUES
	($$add_business_days('infinity', 1, 'berlin')$$, 'MC008 business days cannot be counted from an infinite time'),
	($$add_business_days('2026-01-01', 3661, 'berlin')$$, 'MC008 3661 business days are out of range | Give a number from 0 to 3660.'),
	($$add_business_days('2026-01-01', -1, 'berlin')$$, 'MC008 -1 business days are out of range | Give a number from 0 to 3660.'),
	($$add_business_days('2026-01-01', 1, 'Berlin')$$, 'MC008 business calendar "Berlin" does not exist | Check the name, or run SELECT changemgmt.create_business_calendar(''Berlin'', time_zone);'),
	($$add_business_days('294276-12-31', 30, 'berlin')$$, 'MC008 timestamp out of range'),
	($$business_days_between('-infinity', '2026-01-01')$$, 'MC008 business days cannot be counted from an infinite time'),
	($$business_days_between('2026-01-01', 'infinity', 'berlin')$$, 'MC008 business days cannot be counted from an infinite time'),
	($$business_days_between('2026-01-01', '2026-01-01', 'paris')$$, 'MC008 business calendar "paris" does not exist | Check the name, or run SELECT changemgmt.create_business_calendar(''paris'', time_zone);'),
	($$business_duration('2026-01-01', 'infinity')$$, 'MC008 working time cannot be counted from an infinite time'),
	($$business_duration('2026-01-01', '4026-01-01')$$, 'MC008 working time is counted over 1000 years at most'),
	($$business_duration('294276-12-31', '4714-11-24 BC')$$, 'MC008 working time is counted over 1000 years at most')) AS v (statement, expected);
SELECT is(changemgmt.business_days_between(NULL, now()), NULL, 'null') UNION ALL
SELECT is(changemgmt.business_days_between(now(), now(), NULL), NULL, 'null') UNION ALL
SELECT is(changemgmt.add_business_days(now(), 1, NULL), NULL, 'null');
SELECT is(changemgmt.business_duration(now(), NULL), NULL, 'null');
-- 0001-01-01 was a Monday, 9999-12-31 is a Friday (of the proleptic Gregorian calendar)
SELECT is(changemgmt.add_business_days('0001-01-01 12:00Z', 5), '0001-01-08 12:00Z', 'the year 1');
SELECT is(changemgmt.add_business_days('9999-12-31 12:00Z', 1), '10000-01-03 12:00Z', 'the year 9999');
SELECT is(changemgmt.business_days_between('0001-01-01 00:00Z', '9999-12-31 00:00Z'),
	(date '9999-12-31' - date '0001-01-01') / 7 * 5 + 4,
	'all the weekdays between them: whole weeks and four days');
SELECT is(changemgmt.business_duration('9000-01-01 00:00Z', '9999-12-31 00:00Z')::text,
	(changemgmt.business_days_between('9000-01-01 00:00Z', '9999-12-31 00:00Z') * interval '24 hours')::text, 'and the hours of a thousand years');
SELECT cmp_ok(changemgmt.business_days_between('4714-11-24 00:00Z BC', '294276-12-31 23:59Z', 'newyork'), '>', 109000000, 'from the beginning of time to its end');

-- A calendar without hours, and without the zone that it was given

INSERT INTO changemgmt.business_calendar (name, time_zone) VALUES ('idle', 'UTC');
SELECT is(pg_temp.words($$SELECT changemgmt.add_business_days(now(), 1, 'idle')$$),
	'MC008 business calendar "idle" has no working hours | SELECT changemgmt.set_business_hours(''idle'', ''MO-FR 09:00-17:00'');', 'a calendar without hours says so');
SELECT is(pg_temp.words($$SELECT changemgmt.business_duration(now(), now(), 'idle')$$) LIKE 'MC008 business calendar "idle" has no working hours%', true, 'whatever is asked');
COPY changemgmt.business_calendar (name, time_zone) FROM stdin;
lost	Atlantis/Capital
\.
INSERT INTO changemgmt.business_hours (calendar_id, weekday, opens, closes) VALUES (changemgmt.business_calendar_id('lost'), 1, '0:00', '24:00');
SELECT is(pg_temp.words($$SELECT changemgmt.add_business_days(now(), 1, 'lost')$$),
	'MC008 time zone "Atlantis/Capital" is not known to this server | Change that of the business calendar; the view pg_timezone_names lists the names.',
	'history may have a zone that this server lacks');

-- A site's own default

SELECT changemgmt.set_setting('reporting_time_zone', 'Asia/Tokyo') \g /dev/null
SELECT is(changemgmt.add_business_days('2026-11-20 16:00Z', 0), '2026-11-22 15:00Z', 'what ships counts in the setting');
SAVEPOINT own;
SELECT changemgmt.create_business_calendar('default', 'UTC', 'MO-SA') \g /dev/null
SELECT is(changemgmt.add_business_days('2026-11-20 16:00Z', 1), '2026-11-21 16:00Z', 'the site''s own default counts in its own zone, and on Saturdays');
SELECT changemgmt.add_holiday('default', '2026-11-21') \g /dev/null
SELECT is(changemgmt.add_business_days('2026-11-20 16:00Z', 1), '2026-11-23 16:00Z', 'and has holidays');
SELECT is(changemgmt.business_days_between('2026-11-20 16:00Z', '2026-11-23 16:00Z'), 1, 'for every function');
ROLLBACK TO own;
SELECT is(changemgmt.add_business_days('2026-11-20 16:00Z', 0), '2026-11-22 15:00Z', 'a savepoint takes it back');
SELECT changemgmt.set_setting('reporting_time_zone', 'UTC') \g /dev/null

-- ----------------------------------------------------------------
-- Random calendars against counting one by one
-- ----------------------------------------------------------------

SELECT setseed(0.26);
CREATE TEMP TABLE zone AS SELECT row_number() OVER () AS n, z FROM unnest('{UTC,Europe/Berlin,America/New_York,Australia/Lord_Howe,Pacific/Apia,Asia/Kathmandu,America/St_Johns,Africa/Casablanca}'::text[]) AS z;
SELECT changemgmt.create_business_calendar('random_' || n, z, 'WE 10:00-11:00') FROM zone \g /dev/null
INSERT INTO changemgmt.business_hours (calendar_id, weekday, opens, closes)
SELECT changemgmt.business_calendar_id('random_' || n), weekday, time '0:00' + make_interval(mins => part * 480 + opens), CASE WHEN part = 2 AND opens % 3 = 0 THEN '24:00'
	ELSE time '0:00' + make_interval(mins => part * 480 + opens + lasts) END
FROM (SELECT n, weekday, part, (random() * 200)::int AS opens, 1 + (random() * 278)::int AS lasts
	FROM zone, generate_series(1, 7) AS weekday, generate_series(0, 2) AS part WHERE weekday <> 3) AS h
WHERE random() < 0.5;
INSERT INTO changemgmt.holiday (calendar_id, day)
SELECT DISTINCT changemgmt.business_calendar_id('random_' || n), date '2025-12-01' + (random() * 450)::int FROM zone, generate_series(1, 60);
INSERT INTO changemgmt.holiday (calendar_id, day)
SELECT changemgmt.business_calendar_id('random_' || n), d FROM zone, generate_series(timestamp '2026-12-20', '2027-01-12', '1 day') AS d ON CONFLICT DO NOTHING;

CREATE TEMP TABLE business_day AS
SELECT n, z, d::date AS day FROM zone, generate_series(timestamp '2025-11-01', '2027-12-31', '1 day') AS d
WHERE EXISTS (SELECT FROM changemgmt.business_hours WHERE calendar_id = changemgmt.business_calendar_id('random_' || n) AND weekday = extract(isodow FROM d))
	AND NOT EXISTS (SELECT FROM changemgmt.holiday WHERE calendar_id = changemgmt.business_calendar_id('random_' || n) AND day = d);
CREATE INDEX ON business_day (n, day);
CREATE FUNCTION pg_temp.counted(n bigint, z text, at timestamptz, days integer) RETURNS timestamptz LANGUAGE sql AS $$
	SELECT ((SELECT b.day FROM business_day AS b WHERE b.n = counted.n AND b.day >= l::date ORDER BY b.day OFFSET counted.days LIMIT 1)
		+ CASE WHEN EXISTS (SELECT FROM business_day AS b WHERE b.n = counted.n AND b.day = l::date) THEN l::time ELSE time '0:00' END) AT TIME ZONE z
	FROM (SELECT at AT TIME ZONE z AS l) AS v $$;
CREATE TEMP TABLE question AS
SELECT n, z, timestamptz '2026-01-01 00:00Z' + random() * interval '400 days' AS a, (random() * 60)::int AS days, random() * interval '40 days' - interval '2 days' AS span
FROM zone, generate_series(1, 150);
SELECT is_empty($$SELECT n, z, a, days, changemgmt.add_business_days(a, days, 'random_' || n), pg_temp.counted(n, z, a, days) FROM question
	WHERE changemgmt.add_business_days(a, days, 'random_' || n) IS DISTINCT FROM pg_temp.counted(n, z, a, days)
	AND NOT (days = 0 AND changemgmt.add_business_days(a, days, 'random_' || n) = a)$$,
	'1,200 random questions: days added as they are counted one by one');
SELECT is_empty($$
	WITH q AS (SELECT n, z, least(a, a + span) AS f, greatest(a, a + span) AS t, span < interval '0' AS mirrored, a, a + span AS b FROM question)
	SELECT * FROM (SELECT q.*, changemgmt.business_days_between(a, b, 'random_' || n) AS got,
		(SELECT coalesce(max(k), 0) FROM generate_series(0, 45) AS k WHERE pg_temp.counted(n, z, f, k) <= t) * CASE WHEN mirrored THEN -1 ELSE 1 END AS expected FROM q) AS v
	WHERE got <> expected$$, 'and the days between two times');
SELECT is_empty($$
	SELECT * FROM (SELECT n, z, f, t, changemgmt.business_duration(f, t, 'random_' || n) AS got,
		(SELECT count(*) FROM generate_series(f, t - interval '1 minute', '1 minute') AS m
		 JOIN changemgmt.business_hours AS h ON h.calendar_id = changemgmt.business_calendar_id('random_' || n)
			AND h.weekday = extract(isodow FROM m AT TIME ZONE z) AND (m AT TIME ZONE z)::time >= h.opens AND (m AT TIME ZONE z)::time < h.closes
		 WHERE NOT EXISTS (SELECT FROM changemgmt.holiday AS o WHERE o.calendar_id = h.calendar_id AND o.day = (m AT TIME ZONE z)::date)) * interval '1 minute' AS expected
	FROM (SELECT n, z, date_trunc('minute', a) AS f, date_trunc('minute', a + abs(extract(epoch FROM span)) * interval '0.1 second') AS t
		FROM (SELECT *, row_number() OVER (PARTITION BY n) AS place FROM question) AS q WHERE place <= 12) AS v) AS w
	WHERE got <> expected$$, 'working time, as it is counted minute by minute');
SELECT is_empty($$
	SELECT * FROM (SELECT n, z, f, t, changemgmt.business_duration(f, t, 'random_' || n) AS got,
		(SELECT count(*) FROM generate_series(f, t - interval '1 minute', '1 minute') AS m
		 JOIN changemgmt.business_hours AS h ON h.calendar_id = changemgmt.business_calendar_id('random_' || n)
			AND h.weekday = extract(isodow FROM m AT TIME ZONE z) AND (m AT TIME ZONE z)::time >= h.opens AND (m AT TIME ZONE z)::time < h.closes
		 WHERE NOT EXISTS (SELECT FROM changemgmt.holiday AS o WHERE o.calendar_id = h.calendar_id AND o.day = (m AT TIME ZONE z)::date)) * interval '1 minute' AS expected
	FROM (SELECT n, z, d + random() * interval '20 hours' * 0 AS f, d + interval '40 hours' AS t FROM zone,
		unnest('{2026-03-28 08:00+00,2026-10-24 08:00+00,2026-03-07 12:00+00,2026-10-31 12:00+00,2026-04-04 02:00+00,2026-10-03 02:00+00,2026-02-15 00:00+00,2026-03-22 00:00+00}'::timestamptz[]) AS d) AS v) AS w
	WHERE got <> expected$$, 'and over the nights on which clocks change');

-- ----------------------------------------------------------------
-- What models ask
-- ----------------------------------------------------------------

SELECT changemgmt.add_person(login) FROM unnest('{ann,ben}'::text[]) AS login \g /dev/null
SELECT changemgmt.add_board('cab'), changemgmt.add_ci('db') \g /dev/null
SELECT is(pg_temp.words($$SELECT changemgmt.publish_model('ours', '{"base": "normal", "calendar": $$ || v || $$}')$$), expected, '"calendar": ' || v) FROM (VALUES
	('"paris"', 'MC008 definition of model "ours": business calendar "paris" does not exist | Check the name, or run SELECT changemgmt.create_business_calendar(''paris'', time_zone);'),
	('"idle"', 'MC008 definition of model "ours": business calendar "idle" has no working hours | SELECT changemgmt.set_business_hours(''idle'', ''MO-FR 09:00-17:00'');'),
	('3', 'MC008 definition of model "ours": "calendar" is not a string | The keys of a definition are listed in docs/model.md; SELECT * FROM changemgmt.shipped_models() shows examples.'),
	('null', 'done'), ('"default"', 'done'), ('"berlin"', 'done')) AS v (v, expected);

-- the next ten days are holidays, in Berlin
SELECT changemgmt.add_holiday('berlin', (now() AT TIME ZONE 'Europe/Berlin')::date + n) FROM generate_series(0, 10) AS n \g /dev/null
SET LOCAL changemgmt.actor = 'ann';
CREATE FUNCTION pg_temp.planned(model text, starts timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	c bigint;
BEGIN
	SELECT id INTO c FROM changemgmt.create_change('x', model => model, owner => 'ann', items => '{db}', description => 'd', justification => 'j',
		user_impact => 'none', risk_level => 'low', rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 1, verification_plan => 'v',
		planned_start => starts, planned_end => starts + interval '1 hour');
	PERFORM changemgmt.plan(c);
	RETURN c;
END $$;
SET LOCAL timezone = 'America/New_York';
SELECT pg_temp.planned('ours', changemgmt.add_business_days(now(), 6)) AS c \gset
SELECT changemgmt.add_business_days(now(), 5, 'berlin') AS earliest \gset
SELECT cmp_ok(:'earliest'::timestamptz, '>', changemgmt.add_business_days(now(), 6), 'in the calendar of the model the earliest start is later');
SELECT is(changemgmt.earliest_start(:c), :'earliest'::timestamptz, 'as earliest_start() says');
SELECT matches(pg_temp.words(format('SELECT changemgmt.submit(%s)', :c)),
	'MC002 .*5 business days'' notice are needed: the earliest start is ' || replace(:'earliest', '+', '\+'), 'the refusal says it, in the session''s time zone');
SELECT is((SELECT message FROM changemgmt.why_not(:c, 'submit') WHERE requirement = 'notice'),
	'5 business days'' notice are needed: the earliest start is ' || :'earliest', 'so does why_not()');
SELECT is((SELECT message FROM changemgmt.why_not(pg_temp.planned('normal', changemgmt.add_business_days(now(), 6)), 'submit') WHERE requirement = 'notice'),
	NULL, 'in the calendar default it would do');
SELECT is(status, 'planned', 'planned for then') FROM changemgmt.edit_change(:c, jsonb_build_object('planned_start', :'earliest'::timestamptz, 'planned_end', :'earliest'::timestamptz + interval '1 hour'));
SELECT is((SELECT status FROM changemgmt.submit(:c)), 'awaiting_approval', 'it is submitted');
SELECT is(changemgmt.earliest_start(:c), :'earliest'::timestamptz, 'the notice counts from there');
-- moved to an earlier start, of which the notice would be too short
UPDATE changemgmt.change SET planned_start = planned_start - interval '1 hour', planned_end = planned_end - interval '1 hour' WHERE id = :c;
SELECT is(changemgmt.earliest_start(:c), :'earliest'::timestamptz, 'moved to an earlier start: in the calendar of the model, again');
SELECT changemgmt.remove_holiday('berlin', day) FROM changemgmt.holiday WHERE day > now() \g /dev/null
SELECT cmp_ok(changemgmt.earliest_start(:c), '<', :'earliest'::timestamptz, 'a holiday less, and the earliest start is earlier, at once');

-- A calendar that is gone

\set submitted :c
SELECT pg_temp.planned('ours', now() + interval '100 days') AS c \gset
SAVEPOINT gone;
UPDATE changemgmt.business_calendar SET name = 'bonn' WHERE name = 'berlin';
SELECT is((SELECT message FROM changemgmt.why_not(:c, 'submit') WHERE requirement = 'notice'),
	'5 business days'' notice are needed, and business calendar "berlin" does not exist', 'gone: the notice is not met, and says so');
SELECT matches(pg_temp.words(format('SELECT changemgmt.submit(%s)', :c)), '^MC002 .*business calendar "berlin" does not exist', 'submit is refused for it');
SELECT is(changemgmt.earliest_start(:c), 'infinity', 'there is no earliest start');
SELECT is((SELECT status FROM changemgmt.revise(:c, 'wait')), 'draft', 'what asks for no notice goes on');
SELECT is((SELECT notice_kept FROM changemgmt.cab_queue WHERE id = :submitted), false, 'and the board''s queue is read');
ROLLBACK TO gone;
DELETE FROM changemgmt.business_hours WHERE calendar_id = changemgmt.business_calendar_id('berlin');
SELECT is((SELECT message FROM changemgmt.why_not(:c, 'submit') WHERE requirement = 'notice'),
	'5 business days'' notice are needed, and business calendar "berlin" has no working hours', 'the same without hours');
SELECT throws_ok($$DELETE FROM changemgmt.business_calendar WHERE name = 'berlin'$$, '23503', NULL, 'a calendar with holidays is not deleted');
RESET changemgmt.actor;
SET LOCAL timezone = 'UTC';

SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'the trail is whole');
SELECT * FROM finish();
ROLLBACK;
