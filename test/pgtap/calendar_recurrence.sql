-- The type recurrence and its three functions: known answers from outside, and
-- random rules against a walk over days in SQL.

BEGIN;
SELECT no_plan();
SET LOCAL search_path = changemgmt, public;
SET LOCAL timezone = 'UTC';

-- Local starts, one after the other, as RFC 5545 lists them: "19970902 ...".
CREATE FUNCTION pg_temp.starts(r recurrence, zone text, howmany int DEFAULT NULL, format text DEFAULT 'YYYYMMDD"T"HH24MI')
RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(to_char(starts_at AT TIME ZONE zone, format), ' ' ORDER BY starts_at)
	FROM (SELECT starts_at FROM changemgmt.occurrences(r, '[1990-01-01,2026-01-01)') ORDER BY 1 LIMIT howmany) AS o
$$;

--
-- RFC 5545, section 3.8.5.3: its examples with the dates that it gives.  All
-- but one are at 9 o'clock in New York.
--
CREATE TEMP TABLE rfc (what text, start text, rest text, days text);
INSERT INTO rfc VALUES
	('daily for 10 occurrences', '19970902', 'FREQ=DAILY;COUNT=10',
		'1997-09: 2 3 4 5 6 7 8 9 10 11'),
	('every other day, forever', '19970902', 'FREQ=DAILY;INTERVAL=2',
		'1997-09: 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30; 1997-10: 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30; 1997-11: 1 3 5 7 9 11 13 15 17 19 21 23 25 27 29; 1997-12: 1 3'),
	('every 10 days, 5 occurrences', '19970902', 'FREQ=DAILY;INTERVAL=10;COUNT=5',
		'1997-09: 2 12 22; 1997-10: 2 12'),
	('weekly for 10 occurrences', '19970902', 'FREQ=WEEKLY;COUNT=10',
		'1997-09: 2 9 16 23 30; 1997-10: 7 14 21 28; 1997-11: 4'),
	('weekly until December 24, 1997', '19970902', 'FREQ=WEEKLY;UNTIL=19971224T000000Z',
		'1997-09: 2 9 16 23 30; 1997-10: 7 14 21 28; 1997-11: 4 11 18 25; 1997-12: 2 9 16 23'),
	('every other week, forever', '19970902', 'FREQ=WEEKLY;INTERVAL=2;WKST=SU',
		'1997-09: 2 16 30; 1997-10: 14 28; 1997-11: 11 25; 1997-12: 9 23; 1998-01: 6 20; 1998-02: 3 17'),
	('weekly on Tuesday and Thursday for five weeks (until)', '19970902', 'FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH',
		'1997-09: 2 4 9 11 16 18 23 25 30; 1997-10: 2'),
	('weekly on Tuesday and Thursday for five weeks (count)', '19970902', 'FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH',
		'1997-09: 2 4 9 11 16 18 23 25 30; 1997-10: 2'),
	('every other week on Monday, Wednesday, and Friday until December 24, 1997', '19970901', 'FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR',
		'1997-09: 1 3 5 15 17 19 29; 1997-10: 1 3 13 15 17 27 29 31; 1997-11: 10 12 14 24 26 28; 1997-12: 8 10 12 22'),
	('every other week on Tuesday and Thursday, for 8 occurrences', '19970902', 'FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH',
		'1997-09: 2 4 16 18 30; 1997-10: 2 14 16'),
	('monthly on the first Friday for 10 occurrences', '19970905', 'FREQ=MONTHLY;COUNT=10;BYDAY=1FR',
		'1997-09: 5; 1997-10: 3; 1997-11: 7; 1997-12: 5; 1998-01: 2; 1998-02: 6; 1998-03: 6; 1998-04: 3; 1998-05: 1; 1998-06: 5'),
	('monthly on the first Friday until December 24, 1997', '19970905', 'FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR',
		'1997-09: 5; 1997-10: 3; 1997-11: 7; 1997-12: 5'),
	('every other month on the first and last Sunday for 10 occurrences', '19970907', 'FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU',
		'1997-09: 7 28; 1997-11: 2 30; 1998-01: 4 25; 1998-03: 1 29; 1998-05: 3 31'),
	('monthly on the second-to-last Monday for 6 months', '19970922', 'FREQ=MONTHLY;COUNT=6;BYDAY=-2MO',
		'1997-09: 22; 1997-10: 20; 1997-11: 17; 1997-12: 22; 1998-01: 19; 1998-02: 16'),
	('monthly on the third-to-the-last day of the month, forever', '19970928', 'FREQ=MONTHLY;BYMONTHDAY=-3',
		'1997-09: 28; 1997-10: 29; 1997-11: 28; 1997-12: 29; 1998-01: 29; 1998-02: 26'),
	('monthly on the 2nd and 15th for 10 occurrences', '19970902', 'FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15',
		'1997-09: 2 15; 1997-10: 2 15; 1997-11: 2 15; 1997-12: 2 15; 1998-01: 2 15'),
	('monthly on the first and last day of the month for 10 occurrences', '19970930', 'FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1',
		'1997-09: 30; 1997-10: 1 31; 1997-11: 1 30; 1997-12: 1 31; 1998-01: 1 31; 1998-02: 1'),
	('every 18 months on the 10th thru 15th for 10 occurrences', '19970910', 'FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15',
		'1997-09: 10 11 12 13 14 15; 1999-03: 10 11 12 13'),
	('every Tuesday, every other month', '19970902', 'FREQ=MONTHLY;INTERVAL=2;BYDAY=TU',
		'1997-09: 2 9 16 23 30; 1997-11: 4 11 18 25; 1998-01: 6 13 20 27; 1998-03: 3 10 17 24 31'),
	('yearly in June and July for 10 occurrences', '19970610', 'FREQ=YEARLY;COUNT=10;BYMONTH=6,7',
		'1997-06: 10; 1997-07: 10; 1998-06: 10; 1998-07: 10; 1999-06: 10; 1999-07: 10; 2000-06: 10; 2000-07: 10; 2001-06: 10; 2001-07: 10'),
	('every other year on January, February, and March for 10 occurrences', '19970310', 'FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3',
		'1997-03: 10; 1999-01: 10; 1999-02: 10; 1999-03: 10; 2001-01: 10; 2001-02: 10; 2001-03: 10; 2003-01: 10; 2003-02: 10; 2003-03: 10'),
	('every third year on the 1st, 100th, and 200th day for 10 occurrences', '19970101', 'FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200',
		'1997-01: 1; 1997-04: 10; 1997-07: 19; 2000-01: 1; 2000-04: 9; 2000-07: 18; 2003-01: 1; 2003-04: 10; 2003-07: 19; 2006-01: 1'),
	('every 20th Monday of the year, forever', '19970519', 'FREQ=YEARLY;BYDAY=20MO',
		'1997-05: 19; 1998-05: 18; 1999-05: 17'),
	('Monday of week number 20, forever', '19970512', 'FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO',
		'1997-05: 12; 1998-05: 11; 1999-05: 17'),
	('every Thursday in March, forever', '19970313', 'FREQ=YEARLY;BYMONTH=3;BYDAY=TH',
		'1997-03: 13 20 27; 1998-03: 5 12 19 26; 1999-03: 4 11 18 25'),
	('every Thursday, but only during June, July, and August, forever', '19970605', 'FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8',
		'1997-06: 5 12 19 26; 1997-07: 3 10 17 24 31; 1997-08: 7 14 21 28; 1998-06: 4 11 18 25; 1998-07: 2 9 16 23 30; 1998-08: 6 13 20 27; 1999-06: 3 10 17 24; 1999-07: 1 8 15 22 29; 1999-08: 5 12 19 26'),
	('every Friday the 13th, forever', '19970902', 'FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13 EXDATE;TZID=America/New_York:19970902T090000',
		'1998-02: 13; 1998-03: 13; 1998-11: 13; 1999-08: 13; 2000-10: 13'),
	('the first Saturday that follows the first Sunday of the month, forever', '19970913', 'FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13',
		'1997-09: 13; 1997-10: 11; 1997-11: 8; 1997-12: 13; 1998-01: 10; 1998-02: 7; 1998-03: 7; 1998-04: 11; 1998-05: 9; 1998-06: 13'),
	('every 4 years, the first Tuesday after a Monday in November, forever', '19961105', 'FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8',
		'1996-11: 5; 2000-11: 7; 2004-11: 2'),
	('the third instance into the month of Tuesday, Wednesday, or Thursday, for the next 3 months', '19970904', 'FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3',
		'1997-09: 4; 1997-10: 7; 1997-11: 6'),
	('the second-to-last weekday of the month', '19970929', 'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2',
		'1997-09: 29; 1997-10: 30; 1997-11: 27; 1997-12: 30; 1998-01: 29; 1998-02: 26; 1998-03: 30'),
	('where WKST makes a difference: Monday', '19970805', 'FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO',
		'1997-08: 5 10 19 24'),
	('where WKST makes a difference: Sunday', '19970805', 'FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU',
		'1997-08: 5 17 19 31'),
	('an invalid date (February 30) is ignored', '20070115', 'FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5',
		'2007-01: 15 30; 2007-02: 15; 2007-03: 15 30');

CREATE TEMP TABLE rfc_days AS
	SELECT what, start, rest, string_agg(format('%s%sT0900', replace(m[1], '-', ''), lpad(d, 2, '0')), ' ' ORDER BY m[1], d::int) AS days, count(*)::int AS n
	FROM rfc, regexp_split_to_table(days, '; ') AS month, regexp_matches(month, '^([-0-9]+): (.*)$') AS m, regexp_split_to_table(m[2], ' ') AS d
	GROUP BY what, start, rest;

-- one more than the RFC gives, where the rule says that it has an end
SELECT is(pg_temp.starts(format('DTSTART;TZID=America/New_York:%sT090000 DURATION:PT1H RRULE:%s', start, rest), 'America/New_York',
		CASE WHEN rest ~ 'COUNT|UNTIL' THEN n + 1 ELSE n END), days, 'RFC 5545: ' || what)
FROM rfc_days ORDER BY what;
SELECT is(count(*), 34::bigint, 'all examples with dates have been tried') FROM rfc_days;

CREATE TEMP TABLE daily AS SELECT * FROM occurrences('DTSTART;TZID=America/New_York:19970902T090000 DURATION:PT1H RRULE:FREQ=DAILY;UNTIL=19971224T000000Z', '(,)');
SELECT is((SELECT (count(*), min(starts_at), max(starts_at))::text FROM daily), (113, '1997-09-02 13:00Z'::timestamptz, '1997-12-23 14:00Z'::timestamptz)::text,
	'RFC 5545: daily until December 24, 1997, summer time and winter time');
SELECT is((SELECT (count(*) FILTER (WHERE starts_at::time = '13:00'), max(starts_at) FILTER (WHERE starts_at::time = '13:00'))::text FROM daily),
	(54, '1997-10-25 13:00Z'::timestamptz)::text, 'which changes on October 26');
SELECT is(pg_temp.starts('DTSTART;TZID=America/New_York:19980101T090000 DURATION:PT1H RRULE:' || rule, 'America/New_York'),
	(SELECT string_agg(to_char(d, 'YYYYMMDD"T0900"'), ' ' ORDER BY d) FROM generate_series('1998-01-01'::timestamp, '2000-01-31', '1 day') AS d WHERE extract(month FROM d) = 1),
	'RFC 5545: every day in January, for 3 years: ' || rule)
FROM unnest(ARRAY['FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA', 'FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1']) AS rule;
SELECT is(pg_temp.starts('DTSTART;TZID=America/New_York:19970902T090000 DURATION:PT1M RRULE:FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40', 'America/New_York', 26),
	'19970902T0900 19970902T0920 19970902T0940 19970902T1000 19970902T1020 19970902T1040 19970902T1100 19970902T1120 19970902T1140 '
	|| '19970902T1200 19970902T1220 19970902T1240 19970902T1300 19970902T1320 19970902T1340 19970902T1400 19970902T1420 19970902T1440 '
	|| '19970902T1500 19970902T1520 19970902T1540 19970902T1600 19970902T1620 19970902T1640 19970903T0900 19970903T0920',
	'RFC 5545: every 20 minutes from 9:00 AM to 4:40 PM every day');
SELECT throws_ok(format('SELECT %L::recurrence', 'DTSTART;TZID=America/New_York:19970902T090000 DURATION:PT1M RRULE:' || rule), '22023', 'invalid recurrence: a rule may not be finer than FREQ=DAILY',
	'RFC 5545, not taken: ' || rule)
FROM unnest(ARRAY['FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000Z', 'FREQ=MINUTELY;INTERVAL=15;COUNT=6', 'FREQ=SECONDLY']) AS rule;

--
-- Random rules against a walk over all days, in SQL, which shares no code with
-- the library: each day is looked at for itself, BYSETPOS counts within its
-- period.
--
CREATE TEMP TABLE days AS
	SELECT d::date AS d, extract(year FROM d)::int AS year, extract(month FROM d)::int AS month, extract(day FROM d)::int AS dom,
		extract(doy FROM d)::int AS doy, extract(isodow FROM d)::int - 1 AS dow, extract(isoyear FROM d)::int AS isoyear, extract(week FROM d)::int AS week,
		extract(day FROM date_trunc('month', d) + interval '1 month - 1 day')::int AS month_days,
		extract(doy FROM date_trunc('year', d) + interval '1 year - 1 day')::int AS year_days,
		extract(week FROM make_date(extract(isoyear FROM d)::int, 12, 28))::int AS year_weeks
	FROM generate_series('2015-01-01'::timestamp, '2034-12-31', '1 day') AS d;

-- Lists are null where the rule has none.
CREATE FUNCTION pg_temp.walk(start timestamp, upto date, freq text, ival int, wkst int, months int[], weeknos int[], yeardays int[], monthdays int[],
	weekdays text[], hours int[], setpos int[])
RETURNS SETOF timestamp LANGUAGE sql AS $$
	WITH first AS (SELECT * FROM pg_temp.days WHERE days.d = start::date),
	-- what a rule leaves out comes from its start
	meant AS (
		SELECT f.*, CASE WHEN freq IN ('MONTHLY', 'YEARLY') AND weekdays IS NULL AND yeardays IS NULL AND weeknos IS NULL THEN coalesce(monthdays, ARRAY[f.dom]) ELSE monthdays END AS mdays,
			CASE WHEN freq = 'YEARLY' AND weekdays IS NULL AND yeardays IS NULL AND weeknos IS NULL AND monthdays IS NULL THEN coalesce(months, ARRAY[f.month]) ELSE months END AS mmonths,
			CASE WHEN freq = 'WEEKLY' OR weeknos IS NOT NULL THEN coalesce(weekdays, ARRAY[(ARRAY['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'])[f.dow + 1]]) ELSE weekdays END AS wdays,
			coalesce(hours, ARRAY[extract(hour FROM start)::int]) AS mhours
		FROM first AS f),
	counted AS (
		SELECT x.*, m.mdays, m.mmonths, m.wdays, m.mhours,
			CASE freq WHEN 'DAILY' THEN x.d - m.d
				WHEN 'WEEKLY' THEN ((x.d - (x.dow - wkst + 7) % 7) - (m.d - (m.dow - wkst + 7) % 7)) / 7
				WHEN 'MONTHLY' THEN (x.year - m.year) * 12 + x.month - m.month
				ELSE CASE WHEN weeknos IS NULL THEN x.year - m.year ELSE x.isoyear - m.isoyear END END AS period
		FROM pg_temp.days AS x, meant AS m
		WHERE x.d BETWEEN m.d - 800 AND upto + 400),
	chosen AS (
		SELECT period, d + make_interval(hours => h) + (start - date_trunc('hour', start)) AS at
		FROM counted AS c, unnest(c.mhours) AS h
		WHERE period % ival = 0
		AND (mmonths IS NULL OR month = ANY (mmonths))
		AND (weeknos IS NULL OR week = ANY (weeknos) OR week - year_weeks - 1 = ANY (weeknos))
		AND (yeardays IS NULL OR doy = ANY (yeardays) OR doy - year_days - 1 = ANY (yeardays))
		AND (mdays IS NULL OR dom = ANY (mdays) OR dom - month_days - 1 = ANY (mdays))
		AND (wdays IS NULL OR EXISTS (
			SELECT FROM unnest(c.wdays) AS w
			WHERE right(w, 2) = (ARRAY['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'])[c.dow + 1]
			AND (length(w) = 2 OR left(w, -2)::int IN (
				CASE WHEN freq = 'YEARLY' AND c.mmonths IS NULL THEN (c.doy - 1) / 7 + 1 ELSE (c.dom - 1) / 7 + 1 END,
				CASE WHEN freq = 'YEARLY' AND c.mmonths IS NULL THEN -((c.year_days - c.doy) / 7 + 1) ELSE -((c.month_days - c.dom) / 7 + 1) END))))),
	ranked AS (
		SELECT at, row_number() OVER (PARTITION BY period ORDER BY at) AS place, count(*) OVER (PARTITION BY period) AS places FROM chosen)
	SELECT at FROM ranked
	WHERE at >= start AND at::date < upto AND (setpos IS NULL OR place = ANY (setpos) OR place - places - 1 = ANY (setpos))
$$;

-- Dice with the same numbers under every server.
CREATE FUNCTION pg_temp.dice(seed text, sides int) RETURNS int LANGUAGE sql IMMUTABLE AS
	$$ SELECT (('x' || left(md5(seed), 7))::bit(28)::int % sides) $$;
CREATE FUNCTION pg_temp.some(seed text, choices int[], most int) RETURNS int[] LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(DISTINCT choices[1 + pg_temp.dice(seed || i, cardinality(choices))])
	FROM generate_series(0, pg_temp.dice(seed || 'n', most)) AS i
$$;

CREATE TEMP TABLE random_rule AS
WITH base AS (
	SELECT n, (ARRAY['DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY', 'MONTHLY', 'YEARLY'])[1 + n % 6] AS freq,
		'2017-01-01'::timestamp + make_interval(days => pg_temp.dice(n || 'start', 3000), hours => pg_temp.dice(n || 'hour', 24), mins => 30) AS start,
		(ARRAY[1, 1, 2, 3, 5, 12])[1 + pg_temp.dice(n || 'interval', 6)] AS ival,
		pg_temp.dice(n || 'wkst', 7) AS wkst, n::text AS s
	FROM generate_series(1, 400) AS n),
kinds AS (
	SELECT b.*,
		CASE WHEN freq = 'YEARLY' AND pg_temp.dice(s || 'week', 4) = 0 THEN 'weeks' WHEN freq = 'YEARLY' AND pg_temp.dice(s || 'week', 4) = 1 THEN 'days' ELSE 'months' END AS kind,
		pg_temp.dice(s || 'ordinal', 3) = 0 AND freq IN ('MONTHLY', 'YEARLY') AS ordinals
	FROM base AS b),
parts AS (
	SELECT n, s, freq, start, ival, CASE WHEN kind = 'weeks' THEN 0 ELSE wkst END AS wkst,
		CASE WHEN kind = 'months' AND pg_temp.dice(s || 'months', 2) = 0 THEN pg_temp.some(s || 'm', ARRAY[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 6) END AS months,
		CASE WHEN kind = 'weeks' THEN pg_temp.some(s || 'w', ARRAY[1, 2, 20, 51, 52, 53, -1, -2, -52, -53], 4) END AS weeknos,
		CASE WHEN kind = 'days' THEN pg_temp.some(s || 'y', ARRAY[1, 2, 59, 60, 100, 365, 366, -1, -2, -100, -365, -366], 6) END AS yeardays,
		CASE WHEN kind = 'months' AND freq <> 'WEEKLY' AND NOT ordinals AND pg_temp.dice(s || 'monthdays', 2) = 0 THEN pg_temp.some(s || 'd', ARRAY[1, 2, 7, 13, 15, 28, 29, 30, 31, -1, -2, -15, -29, -31], 8) END AS monthdays,
		CASE WHEN pg_temp.dice(s || 'byday', 2) = 0 OR (ordinals AND kind = 'months') THEN
			(SELECT array_agg(DISTINCT CASE WHEN ordinals AND kind = 'months' THEN (ARRAY['1', '2', '5', '-1', '-2', ''])[1 + pg_temp.dice(s || 'o' || i, 6)] ELSE '' END
				|| (ARRAY['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'])[1 + pg_temp.dice(s || 'day' || i, 7)])
			FROM generate_series(0, pg_temp.dice(s || 'days', 5)) AS i) END AS weekdays,
		CASE WHEN pg_temp.dice(s || 'hours', 4) = 0 THEN pg_temp.some(s || 'h', ARRAY[0, 1, 6, 12, 22, 23], 3) END AS hours
	FROM kinds)
SELECT p.*, CASE WHEN coalesce(months, weeknos, yeardays, monthdays, hours) IS NOT NULL OR weekdays IS NOT NULL THEN
		CASE WHEN pg_temp.dice(s || 'setpos', 3) = 0 THEN pg_temp.some(s || 'p', ARRAY[1, 2, 3, 5, -1, -2], 3) END END AS setpos,
	CASE pg_temp.dice(s || 'end', 5) WHEN 0 THEN 1 + pg_temp.dice(s || 'count', 40) END AS count,
	CASE pg_temp.dice(s || 'end', 5) WHEN 1 THEN start + make_interval(days => pg_temp.dice(s || 'until', 1500)) END AS until
FROM parts AS p;

ALTER TABLE random_rule ADD text text, ADD expected text;
UPDATE random_rule SET text = format('DTSTART;TZID=UTC:%s DURATION:PT30M RRULE:FREQ=%s;INTERVAL=%s;WKST=%s', to_char(start, 'YYYYMMDD"T"HH24MISS'), freq, ival,
		(ARRAY['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'])[wkst + 1])
	|| coalesce(';BYMONTH=' || array_to_string(months, ','), '') || coalesce(';BYWEEKNO=' || array_to_string(weeknos, ','), '')
	|| coalesce(';BYYEARDAY=' || array_to_string(yeardays, ','), '') || coalesce(';BYMONTHDAY=' || array_to_string(monthdays, ','), '')
	|| coalesce(';BYDAY=' || array_to_string(weekdays, ','), '') || coalesce(';BYHOUR=' || array_to_string(hours, ','), '')
	|| coalesce(';BYSETPOS=' || array_to_string(setpos, ','), '') || coalesce(';COUNT=' || count, '')
	|| coalesce(';UNTIL=' || to_char(until, 'YYYYMMDD"T"HH24MISS"Z"'), '');
UPDATE random_rule AS r SET expected = coalesce((
	SELECT string_agg(to_char(at, 'YYMMDD"T"HH24'), ' ' ORDER BY at) FROM (
		SELECT at FROM pg_temp.walk(start, start::date + 1500, freq, ival, wkst, months, weeknos, yeardays, monthdays, weekdays, hours, setpos) AS at
		WHERE until IS NULL OR at <= until ORDER BY at LIMIT count) AS w), '');
CREATE FUNCTION pg_temp.found(r text, start timestamp) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN coalesce((SELECT string_agg(to_char(starts_at, 'YYMMDD"T"HH24'), ' ' ORDER BY starts_at)
		FROM changemgmt.occurrences(r, tstzrange(start, start::date + 1500))), '');
EXCEPTION WHEN invalid_parameter_value THEN
	RETURN CASE WHEN SQLERRM LIKE '%never occurs' THEN 'never' ELSE SQLERRM END;
END $$;
CREATE TEMP TABLE random_answer AS SELECT *, pg_temp.found(text, start) AS found FROM random_rule;
SELECT is_empty($$SELECT text, left(expected, 200), left(found, 200) FROM random_answer WHERE found <> expected AND NOT (found = 'never' AND expected = '') ORDER BY n LIMIT 10$$,
	'random rules give what a walk over all days gives');
SELECT cmp_ok(count(*), '>', 300::bigint, 'most of them have occurrences in four years') FROM random_answer WHERE expected <> '' AND found <> 'never';


--
-- What the three functions mean
--
CREATE TEMP TABLE r (name text PRIMARY KEY, r recurrence);
INSERT INTO r VALUES
	('tue_thu', 'DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH'),
	('night', 'DTSTART;TZID=Europe/Berlin:20260105T220000 DURATION:PT4H RRULE:FREQ=DAILY'),
	('once', 'DTSTART;TZID=Europe/Berlin:20260706T020000 DURATION:PT2H');
CREATE FUNCTION pg_temp.r(name text) RETURNS recurrence LANGUAGE sql STABLE AS 'SELECT r FROM pg_temp.r WHERE r.name = r.name AND r.name = $1';

-- 2026 begins on a Thursday and has 52 weeks and a Thursday: 52 Tuesdays (6
-- January to 29 December), 53 Thursdays, of which 1 January is before the start.
SELECT is(count(*), 104::bigint, 'a year of Tuesday and Thursday, counted by hand: 52 and 52') FROM occurrences(pg_temp.r('tue_thu'), '[2026-01-01,2027-01-01)');
SELECT is((min(starts_at), max(ends_at))::text, ('2026-01-06 01:00Z'::timestamptz, '2026-12-31 03:00Z'::timestamptz)::text, 'from the first Tuesday to the last Thursday, 2 to 4 in Berlin')
FROM occurrences(pg_temp.r('tue_thu'), '[2026-01-01,2027-01-01)');
SELECT is(contains(pg_temp.r('tue_thu'), at), covered, 'contains ' || at)
FROM (VALUES ('2026-01-06 00:59:59.999999Z'::timestamptz, false), ('2026-01-06 01:00Z', true), ('2026-01-06 02:59:59.999999Z', true), ('2026-01-06 03:00Z', false),
	('2026-01-01 01:30Z', false), ('2026-07-07 00:30Z', true), ('2026-07-07 02:30Z', false), ('2026-07-09 01:00Z', true), ('2026-07-10 01:00Z', false),
	('2499-12-31 00:00Z', false), ('1970-01-01 00:00Z', false)) AS t(at, covered);
SELECT is(next_occurrence(pg_temp.r('tue_thu'), at)::text, (starts_at, starts_at + interval '2 hours')::text, 'the next one after ' || at)
FROM (VALUES ('-infinity'::timestamptz, '2026-01-06 01:00Z'::timestamptz), ('2020-01-01', '2026-01-06 01:00Z'), ('2026-01-06 00:59:59Z', '2026-01-06 01:00Z'), ('2026-01-06 01:00Z', '2026-01-08 01:00Z'),
	('2026-01-09', '2026-01-13 01:00Z'), ('2026-03-27', '2026-03-31 00:00Z'), ('2050-01-01', '2050-01-04 01:00Z')) AS t(at, starts_at);
SELECT is(next_occurrence(pg_temp.r('once'), '2026-01-01')::text, ('2026-07-06 00:00Z'::timestamptz, '2026-07-06 02:00Z'::timestamptz)::text, 'without RRULE it happens once');
SELECT is(next_occurrence(pg_temp.r('once'), '2026-07-06 00:00Z')::text, '(,)', 'and then never again');
SELECT is(count(*), 1::bigint, 'also over all time') FROM occurrences(pg_temp.r('once'), '(,)');
SELECT ok(contains(pg_temp.r('once'), '2026-07-06 01:00Z') AND NOT contains(pg_temp.r('once'), '2026-07-07 01:00Z'), 'and contains that time only');

-- windows across midnight, month and year; ranges are half-open
SELECT is(array_agg(starts_at), ARRAY['2026-12-30 21:00Z', '2026-12-31 21:00Z', '2027-01-01 21:00Z']::timestamptz[], 'across midnight and the year: what overlaps is given whole')
FROM occurrences(pg_temp.r('night'), '[2026-12-31 00:30Z,2027-01-01 21:30Z)');
SELECT is((SELECT count(*) FROM occurrences(pg_temp.r('night'), within)), n, format('occurrences within %s', within))
FROM (VALUES ('[2026-12-31 01:00Z,2026-12-31 21:00Z)'::tstzrange, 0::bigint), ('[2026-12-31 01:00Z,2026-12-31 21:00Z]', 1), ('[2026-12-31 00:59Z,2026-12-31 21:01Z)', 2),
	('empty', 0), ('[2026-12-31 22:00Z,2026-12-31 22:00Z]', 1), ('(,2026-01-05 21:00Z)', 0), ('(,2026-01-05 21:00Z]', 1), ('[-infinity,2026-01-07 00:00Z)', 2)) AS t(within, n);
SELECT is_empty($$SELECT * FROM occurrences(pg_temp.r('once'), '[infinity,)')$$, 'nothing at the end of time');
SELECT ok(contains(pg_temp.r('night'), '2027-01-01 00:59Z') AND NOT contains(pg_temp.r('night'), '2027-01-01 01:00Z'), 'after midnight it is still the window of the day before');

-- The Friday after the fourth Thursday of November.  (2024: 28 and 29; 2029
-- begins November with a Thursday: 22 and 23.)
SELECT is(pg_temp.starts('DTSTART;TZID=America/New_York:20191129T000000 DURATION:P1D RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=FR;BYMONTHDAY=23,24,25,26,27,28,29', 'America/New_York', 7, 'YYYYMMDD'),
	'20191129 20201127 20211126 20221125 20231124 20241129 20251128', 'the Friday after the fourth Thursday of November');
SELECT is(to_char((next_occurrence('DTSTART;TZID=America/New_York:20191128T000000 DURATION:P4D RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH', '2029-01-01')).starts_at, 'YYYY-MM-DD'),
	'2029-11-22', 'and the Thursday itself');

-- leap days
SELECT is(pg_temp.starts('DTSTART;TZID=UTC:19920229T120000 DURATION:PT1H RRULE:FREQ=YEARLY', 'UTC', NULL, 'YYYYMMDD'),
	'19920229 19960229 20000229 20040229 20080229 20120229 20160229 20200229 20240229', 'February 29 every year that has one');
SELECT is((next_occurrence('DTSTART;TZID=UTC:19920229T120000 DURATION:PT1H RRULE:FREQ=YEARLY', '2096-03-01')).starts_at, '2104-02-29 12:00Z'::timestamptz, '2100 is no leap year');
SELECT is((next_occurrence('DTSTART;TZID=UTC:20240229T120000 DURATION:PT1H RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=TH', '2024-03-01')).starts_at, '2052-02-29 12:00Z'::timestamptz, 'a leap day on a Thursday comes after 28 years');
SELECT is(pg_temp.starts('DTSTART;TZID=UTC:20240131T120000 DURATION:PT1H RRULE:FREQ=MONTHLY;BYMONTHDAY=-1', 'UTC', 4, 'YYYYMMDD'), '20240131 20240229 20240331 20240430', 'the last day of each month');

--
-- Clocks that change.  2:30 at night in Berlin (2026-03-29 2:00 -> 3:00, 10-25
-- 3:00 -> 2:00) and New York (2026-03-08 2:00 -> 3:00, 11-01 2:00 -> 1:00; so
-- 1:30 is what comes twice), Lord Howe by half an hour (2026-04-05 2:00 ->
-- 1:30, 10-04 2:00 -> 2:30), Apia, which had no 30 December 2011.
--
CREATE TEMP TABLE clock (what text, r recurrence, after timestamptz, starts_at timestamptz, ends_at timestamptz);
INSERT INTO clock VALUES
	('Berlin, the night before', 'DTSTART;TZID=Europe/Berlin:20260301T023000 DURATION:PT1H RRULE:FREQ=DAILY', '2026-03-27 12:00Z', '2026-03-28 01:30Z', '2026-03-28 02:30Z'),
	('Berlin, skipped: starts at 3:00', 'DTSTART;TZID=Europe/Berlin:20260301T023000 DURATION:PT1H RRULE:FREQ=DAILY', '2026-03-28 12:00Z', '2026-03-29 01:00Z', '2026-03-29 02:00Z'),
	('Berlin, the night after', 'DTSTART;TZID=Europe/Berlin:20260301T023000 DURATION:PT1H RRULE:FREQ=DAILY', '2026-03-29 12:00Z', '2026-03-30 00:30Z', '2026-03-30 01:30Z'),
	('Berlin, twice: the first', 'DTSTART;TZID=Europe/Berlin:20260301T023000 DURATION:PT1H RRULE:FREQ=DAILY', '2026-10-24 12:00Z', '2026-10-25 00:30Z', '2026-10-25 01:30Z'),
	('Berlin, and not the second', 'DTSTART;TZID=Europe/Berlin:20260301T023000 DURATION:PT1H RRULE:FREQ=DAILY', '2026-10-25 00:30Z', '2026-10-26 01:30Z', '2026-10-26 02:30Z'),
	('New York, skipped', 'DTSTART;TZID=America/New_York:20260301T023000 DURATION:PT1H RRULE:FREQ=DAILY', '2026-03-07 12:00Z', '2026-03-08 07:00Z', '2026-03-08 08:00Z'),
	('New York, 2:30 when the clocks go back comes once', 'DTSTART;TZID=America/New_York:20260301T023000 DURATION:PT1H RRULE:FREQ=DAILY', '2026-10-31 12:00Z', '2026-11-01 07:30Z', '2026-11-01 08:30Z'),
	('New York, 1:30 comes twice', 'DTSTART;TZID=America/New_York:20260301T013000 DURATION:PT1H RRULE:FREQ=DAILY', '2026-10-31 12:00Z', '2026-11-01 05:30Z', '2026-11-01 06:30Z'),
	('Lord Howe, 2:15 is skipped', 'DTSTART;TZID=Australia/Lord_Howe:20260301T021500 DURATION:PT1H RRULE:FREQ=DAILY', '2026-10-03 00:00Z', '2026-10-03 15:30Z', '2026-10-03 16:30Z'),
	('Lord Howe, 1:45 comes twice', 'DTSTART;TZID=Australia/Lord_Howe:20260301T014500 DURATION:PT1H RRULE:FREQ=DAILY', '2026-04-04 00:00Z', '2026-04-04 14:45Z', '2026-04-04 15:45Z'),
	('Apia, a day that never was starts with the next', 'DTSTART;TZID=Pacific/Apia:20111201T020000 DURATION:PT1H RRULE:FREQ=DAILY', '2011-12-29 13:00Z', '2011-12-30 10:00Z', '2011-12-30 11:00Z'),
	('whole days are as long as they are', 'DTSTART;TZID=Europe/Berlin:20260301T000000 DURATION:P1D RRULE:FREQ=DAILY', '2026-03-28 12:00Z', '2026-03-28 23:00Z', '2026-03-29 22:00Z'),
	('and 25 hours', 'DTSTART;TZID=Europe/Berlin:20260301T000000 DURATION:P1D RRULE:FREQ=DAILY', '2026-10-24 12:00Z', '2026-10-24 22:00Z', '2026-10-25 23:00Z'),
	('24 hours are 24 hours', 'DTSTART;TZID=Europe/Berlin:20260301T000000 DURATION:PT24H RRULE:FREQ=DAILY', '2026-03-28 12:00Z', '2026-03-28 23:00Z', '2026-03-29 23:00Z'),
	('days first, then hours', 'DTSTART;TZID=Europe/Berlin:20260301T120000 DURATION:P1DT1H RRULE:FREQ=DAILY', '2026-03-28 10:59Z', '2026-03-28 11:00Z', '2026-03-29 11:00Z');
SELECT is(next_occurrence(r, after)::text, (starts_at, ends_at)::text, what) FROM clock;
SELECT is(array_agg((starts_at, ends_at)::text), ARRAY[('2026-03-29 01:00Z'::timestamptz, '2026-03-29 01:30Z'::timestamptz)::text], 'two starts in one gap are one occurrence')
FROM occurrences('DTSTART;TZID=Europe/Berlin:20260329T020000 DURATION:PT30M RRULE:FREQ=DAILY;BYMINUTE=15,45', '[2026-03-29 00:00Z,2026-03-29 12:00Z)') AS o;
SELECT ok(NOT contains('DTSTART;TZID=Pacific/Apia:20111201T000000 DURATION:P1D RRULE:FREQ=DAILY;UNTIL=20111230', '2011-12-30 10:30Z'), 'a whole day that never was does not happen');
SELECT is(EXTRACT(epoch FROM sum(ends_at - starts_at)), 365 * 24 * 3600.0, 'a year of whole days is a year, without hole')
FROM occurrences('DTSTART;TZID=America/New_York:20260101T000000 DURATION:P1D RRULE:FREQ=DAILY', '[2026-01-01 05:00Z,2027-01-01 05:00Z)');

--
-- COUNT, UNTIL, EXDATE
--
SELECT is(pg_temp.starts('DTSTART;TZID=Europe/Berlin:20240101T100000 DURATION:PT1H RRULE:FREQ=DAILY;' || ending, 'Europe/Berlin'), '20240101T1000 20240102T1000', ending)
FROM unnest(ARRAY['COUNT=2', 'UNTIL=20240102T090000Z', 'UNTIL=20240103T085959Z', 'UNTIL=20240102T100000', 'UNTIL=20240102', 'COUNT=3 EXDATE:20240103T100000',
	'COUNT=4 EXDATE:20240104T100000 EXDATE;TZID=Europe/Berlin:20240103T100000,20240103T100000']) AS ending;
SELECT is(pg_temp.starts('DTSTART;TZID=Europe/Berlin:20240101T100000 DURATION:PT1H RRULE:FREQ=DAILY;BYHOUR=8,10;COUNT=4', 'Europe/Berlin'),
	'20240101T1000 20240102T0800 20240102T1000 20240103T0800', 'COUNT begins with the start, not with its day');
SELECT is(pg_temp.starts('DTSTART;TZID=UTC:20240101T100000 DURATION:PT1H RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=2', 'UTC', NULL, 'YYYYMMDD'), '20240102 20240109',
	'a start that the rule does not name is no occurrence');
SELECT ok(contains(r, '2024-12-01') AND NOT contains(r, '2024-12-02') AND NOT contains(r, '2999-01-01') AND next_occurrence(r, '2024-12-01')::text = '(,)', 'a rule with an end has answers after it')
FROM (SELECT 'DTSTART;TZID=UTC:20240101T000000 DURATION:P1D RRULE:FREQ=DAILY;COUNT=336'::recurrence AS r) AS x;
SELECT is(count(*), 10000::bigint, 'as many as COUNT can say') FROM occurrences('DTSTART;TZID=UTC:20240101T000000 DURATION:P1D RRULE:FREQ=DAILY;COUNT=10000', '(,)');

-- overlapping occurrences stay apart
SELECT is(array_agg(starts_at), ARRAY['2026-01-05', '2026-01-06', '2026-01-07']::timestamptz[], 'occurrences longer than their period overlap, each is given')
FROM occurrences('DTSTART;TZID=UTC:20260101T000000 DURATION:P3D RRULE:FREQ=DAILY', '[2026-01-07 12:00,2026-01-07 13:00)');
SELECT is(count(*), 366::bigint, 'also a year long') FROM occurrences('DTSTART;TZID=UTC:20200101T000000 DURATION:P366D RRULE:FREQ=DAILY', '[2026-01-07 12:00,2026-01-07 13:00)');
SELECT ok(contains('DTSTART;TZID=UTC:20260101T000000 DURATION:P366D', '2027-01-01 23:59') AND NOT contains('DTSTART;TZID=UTC:20260101T000000 DURATION:P366D', '2027-01-02'), 'the longest one');

-- The three functions say the same, in any order of asking.
CREATE TEMP TABLE asked AS
	SELECT n, text::recurrence AS r, start + make_interval(mins => pg_temp.dice(n || 'minute' || i, 2000000)) AS at
	FROM random_answer, generate_series(1, 5) AS i WHERE found NOT IN ('', 'never') AND n % 3 = 0;
SELECT is_empty($$SELECT r, at FROM asked WHERE contains(r, at) <> EXISTS (SELECT FROM occurrences(r, tstzrange(at, at, '[]')))$$, 'contains() is true where there is an occurrence');
SELECT is_empty($$SELECT r, at FROM asked WHERE (next_occurrence(r, at)).starts_at IS DISTINCT FROM (SELECT min(starts_at) FROM occurrences(r, tstzrange(at, at + interval '40 years')) AS o WHERE starts_at > at)$$,
	'next_occurrence() is the first that occurrences() gives after it');
SELECT is_empty($$SELECT at FROM (SELECT '2024-01-01'::timestamptz + make_interval(mins => pg_temp.dice('jump' || i, 10000000)) AS at FROM generate_series(1, 2000) AS i) AS x
	WHERE contains('DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH', at) <>
		(at >= '2026-01-06' AND extract(isodow FROM at AT TIME ZONE 'Europe/Berlin') IN (2, 4) AND (at AT TIME ZONE 'Europe/Berlin')::time >= '02:00' AND (at AT TIME ZONE 'Europe/Berlin')::time < '04:00')
		AND NOT extract(doy FROM at) IN (86, 87, 88)$$, 'jumping to and fro through 19 years');
SELECT is_empty($$WITH RECURSIVE chain AS (
		SELECT 1 AS n, (next_occurrence(r, '-infinity')).starts_at AS at, r FROM (SELECT 'DTSTART;TZID=America/New_York:20260131T013000 DURATION:PT1H RRULE:FREQ=MONTHLY;BYMONTHDAY=-1,1'::recurrence AS r) AS x
		UNION ALL SELECT n + 1, (next_occurrence(r, at)).starts_at, r FROM chain WHERE n < 300)
	SELECT at FROM chain EXCEPT SELECT starts_at FROM occurrences('DTSTART;TZID=America/New_York:20260131T013000 DURATION:PT1H RRULE:FREQ=MONTHLY;BYMONTHDAY=-1,1', '[2026-01-01,2040-01-01)')$$,
	'from one to the next through twelve years');

--
-- The type
--
SELECT is(input::recurrence::text, output, input)
FROM (VALUES
	('DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H', 'DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H'),
	('DTSTART:20260106T020000Z DTEND:20260106T033000Z', 'DTSTART;TZID=UTC:20260106T020000 DURATION:PT1H30M'),
	('dtend;tzid=europe/berlin:20260330T020000 dtstart;tzid=EUROPE/BERLIN:20260328T020000', 'DTSTART;TZID=Europe/Berlin:20260328T020000 DURATION:PT47H'),
	('DTSTART;VALUE=DATE;TZID=Europe/Berlin:20261127', 'DTSTART;TZID=Europe/Berlin:20261127T000000 DURATION:P1D'),
	('DTSTART;VALUE=DATE;TZID="Europe/Berlin":20260328 DTEND;VALUE=DATE:20260330 RRULE:FREQ=WEEKLY EXDATE;VALUE=DATE:20260404', 'DTSTART;TZID=Europe/Berlin:20260328T000000 DURATION:P2D RRULE:FREQ=WEEKLY EXDATE:20260404T000000'),
	('DTSTART:20260106T020000Z DURATION:+P1W', 'DTSTART;TZID=UTC:20260106T020000 DURATION:P7D'),
	('DTSTART:20260106T020000Z DURATION:P1DT36H0M90S', 'DTSTART;TZID=UTC:20260106T020000 DURATION:P1DT36H1M30S'),
	('DTSTART:20260106T020000Z DURATION:PT1S RRULE:WKST=MO;INTERVAL=1;UNTIL=20270101;FREQ=YEARLY;BYSETPOS=-1;BYDAY=SU,1MO,-1MO,MO;BYMONTH=12,2,1', 'DTSTART;TZID=UTC:20260106T020000 DURATION:PT1S RRULE:FREQ=YEARLY;UNTIL=20270101;BYMONTH=1,2,12;BYDAY=-1MO,MO,SU,1MO;BYSETPOS=-1'),
	('DTSTART:20260106T020000Z DURATION:PT1S RRULE:FREQ=DAILY;BYSECOND=30,0;BYMINUTE=5,1;BYHOUR=23,0;BYMONTHDAY=-1,31,+2;WKST=SU;COUNT=0005;INTERVAL=2', 'DTSTART;TZID=UTC:20260106T020000 DURATION:PT1S RRULE:FREQ=DAILY;INTERVAL=2;COUNT=5;WKST=SU;BYMONTHDAY=-1,2,31;BYHOUR=0,23;BYMINUTE=1,5;BYSECOND=0,30'),
	('DTSTART:20260106T020000Z DURATION:PT1S RRULE:FREQ=DAILY EXDATE:20260108T020000,20260107T020000Z EXDATE:20260107T020000', 'DTSTART;TZID=UTC:20260106T020000 DURATION:PT1S RRULE:FREQ=DAILY EXDATE:20260107T020000,20260108T020000')
) AS t(input, output);
SELECT is(E'\t\r\nDTSTART:20260106T020000Z\nDURATION:PT1H\n\x0bRRULE:FREQ=DAILY\f\n'::recurrence, 'DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY'::recurrence, 'any white space of ASCII');
SELECT is_empty($$SELECT text FROM random_answer WHERE found <> 'never' AND (text::recurrence::text::recurrence <> text::recurrence OR text::recurrence::text::recurrence::text <> text::recurrence::text)$$, 'what is written reads back as the same');

SELECT is((SELECT count(*) FROM (SELECT DISTINCT r FROM asked) AS x), (SELECT count(DISTINCT r::text) FROM asked), 'as many different ones as texts');
SELECT is(array_agg(i ORDER BY r, i), ARRAY[2, 1, 4, 3, 5, 6, 7]::bigint[], 'ordered by start, duration, zone, rule, exceptions')
FROM unnest(ARRAY['DTSTART:20260107T020000Z DURATION:PT1H', 'DTSTART:20260106T020000Z DURATION:PT2H', 'DTSTART:20260107T020000Z DURATION:P1D RRULE:FREQ=DAILY EXDATE:20260108T020000', 'DTSTART:20260107T020000Z DURATION:P1D RRULE:FREQ=DAILY',
	'DTSTART:20260107T020000Z DURATION:P1D RRULE:FREQ=DAILY EXDATE:20260108T020000,20260109T020000', 'DTSTART:20260107T020000Z DURATION:P1D RRULE:FREQ=DAILY EXDATE:20260109T020000', 'DTSTART:20260107T020000Z DURATION:P1D RRULE:FREQ=WEEKLY']::recurrence[]) WITH ORDINALITY AS t(r, i);
SELECT is_empty($$SELECT a.r, b.r FROM (SELECT DISTINCT r FROM asked LIMIT 40) AS a, (SELECT DISTINCT r FROM asked LIMIT 40) AS b
	WHERE ((a.r < b.r)::int + (a.r = b.r)::int + (a.r > b.r)::int) <> 1 OR (a.r <= b.r) <> NOT (a.r > b.r) OR (a.r >= b.r) <> NOT (a.r < b.r) OR (a.r <> b.r) <> NOT (a.r = b.r)
	OR recurrence_cmp(a.r, b.r) <> -recurrence_cmp(b.r, a.r) OR (a.r = b.r AND (recurrence_hash(a.r) <> recurrence_hash(b.r) OR recurrence_hash_extended(a.r, 7) <> recurrence_hash_extended(b.r, 7)))
	OR (a.r <> b.r AND recurrence_hash_extended(a.r, 7) = recurrence_hash_extended(b.r, 7)) OR (recurrence_hash(a.r)::bigint & 4294967295) <> (recurrence_hash_extended(a.r, 0) & 4294967295)$$, 'the comparisons and hashes agree');
SELECT is_empty($$SELECT oprname FROM pg_operator WHERE oprleft = 'recurrence'::regtype AND (oprcom = 0 OR oprnegate = 0 OR oprrest = 0 OR oprjoin = 0)$$, 'each comparison has commutator, negator and both estimators');
SELECT results_eq(
	$$SELECT amname::text COLLATE "default", amvalidate(c.oid), opcdefault FROM pg_opclass c JOIN pg_am m ON m.oid = opcmethod WHERE opcintype = 'recurrence'::regtype ORDER BY 1$$,
	$$VALUES ('btree', true, true), ('hash', true, true)$$, 'a valid default operator class for btree and hash');
CREATE TEMP TABLE indexed (r recurrence);
CREATE UNIQUE INDEX ON indexed (r);
CREATE INDEX ON indexed USING hash (r);
INSERT INTO indexed SELECT DISTINCT r FROM asked;
CREATE TEMP TABLE many (r recurrence);
INSERT INTO many SELECT 'DTSTART:20260106T020000Z DURATION:PT1S RRULE:FREQ=DAILY EXDATE:' || string_agg(to_char('2026-01-07 02:00'::timestamp + make_interval(days => i), 'YYYYMMDD"T"HH24MISS'), ',') FROM generate_series(0, 999) AS i;
SELECT is((SELECT array_length(string_to_array(r::text, ','), 1) FROM many WHERE contains(r, '2026-01-06 02:00:00.5Z') AND NOT contains(r, '2026-01-07 02:00Z') AND contains(r, '2028-10-03 02:00Z')), 1000,
	'a thousand exceptions, stored');
SELECT throws_ok($$INSERT INTO indexed SELECT r FROM indexed LIMIT 1$$, '23505', NULL, 'equal ones are found by a unique index');

-- volatility: what knows zones is stable
SELECT results_eq($$SELECT proname::text COLLATE "default", provolatile::text COLLATE "default" FROM pg_proc WHERE pronamespace = 'changemgmt'::regnamespace AND proname IN ('contains', 'occurrences', 'next_occurrence', 'recurrence_in', 'recurrence_recv', 'recurrence_out') ORDER BY 1$$,
	$$VALUES ('contains', 's'), ('next_occurrence', 's'), ('occurrences', 's'), ('recurrence_in', 's'), ('recurrence_out', 'i'), ('recurrence_recv', 's')$$, 'what knows time zones is stable');

-- what the planner is told
CREATE FUNCTION pg_temp.rows(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan' -> 'Plan Rows';
END $$;
SELECT ok(pg_temp.rows(format('SELECT * FROM occurrences(%L, %L)', r, within)) BETWEEN n * 0.8 AND n * 1.25, format('about %s rows are foreseen for %s', n, r))
FROM (VALUES ('DTSTART:20200101T000000Z DURATION:PT1H RRULE:FREQ=WEEKLY;BYDAY=TU,TH', '[2026-01-01,2027-01-01)', 104), ('DTSTART:20200101T000000Z DURATION:PT1H RRULE:FREQ=DAILY', '[2026-01-01,2036-01-01)', 3650),
	('DTSTART:20200101T000000Z DURATION:PT1H RRULE:FREQ=MONTHLY;BYDAY=1MO', '[2026-01-01,2036-01-01)', 120), ('DTSTART:20200101T000000Z DURATION:PT1H RRULE:FREQ=YEARLY', '[2026-01-01,2036-01-01)', 10),
	('DTSTART:20200101T000000Z DURATION:PT1H RRULE:FREQ=DAILY;BYHOUR=1,2;BYMINUTE=0,30;BYDAY=MO,TU', '[2026-01-01,2027-01-01)', 416), ('DTSTART:20200101T000000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=7', '(,)', 7),
	('DTSTART:20200101T000000Z DURATION:PT1H', '(,)', 1), ('DTSTART:20200101T000000Z DURATION:PT1H RRULE:FREQ=DAILY', 'empty', 1)) AS t(r, within, n);

--
-- Refusals
--
CREATE TEMP TABLE refused (input text, code text, message text);
INSERT INTO refused VALUES
	('', '22P02', 'there is no DTSTART'),
	('x', '22P02', 'this is no property of the form NAME:value'),
	('DTSTART;TZID=UTC', '22P02', 'a colon and a value were expected'),
	('DTSTART:20260106T020000Z', '22P02', 'there is no DURATION and no DTEND'),
	('DURATION:PT1H', '22P02', 'there is no DTSTART'),
	('DTSTART:20260106T020000 DURATION:PT1H', '22P02', 'DTSTART has no time zone'),
	('DTSTART;TZID=UTC:20260106T020000Z DURATION:PT1H', '22P02', 'a time has a TZID or ends in Z, not both'),
	('DTSTART;TZID=Europe/Berlin:20260106 DURATION:PT1H', '22007', 'a date without a time goes with VALUE=DATE only'),
	('DTSTART;TZID=Europe/Berlin:2026-01-06 DURATION:PT1H', '22007', 'not a date and time'),
	('DTSTART:20260230T020000Z DURATION:PT1H', '22008', 'there is no such date or time'),
	('DTSTART:20260106T240000Z DURATION:PT1H', '22008', 'there is no such date or time'),
	('DTSTART:20260106T020060Z DURATION:PT1H', '22008', 'there is no such date or time'),
	('DTSTART:00010101T000000Z DURATION:PT1H', '22008', 'DTSTART is not between the years 1900 and 2499'),
	('DTSTART:99991231T000000Z DURATION:PT1H', '22008', 'DTSTART is not between the years 1900 and 2499'),
	('DTSTART:00000101T000000Z DURATION:PT1H', '22008', 'there is no such date or time'),
	('DTSTART:infinity DURATION:PT1H', '22007', 'not a date and time'),
	('DTSTART;TZID=Nowhere/Land:20260106T020000 DURATION:PT1H', '22023', 'time zone "Nowhere/Land" is not known'),
	('DTSTART;TZID=CET:20260106T020000 DURATION:PT1H', '22023', 'time zone "CET" is not known'),
	('DTSTART;TZID=Europe/Berlin1:20260106T020000 DURATION:PT1H', '22023', 'time zone "Europe/Berlin1" is not known'),
	('DTSTART;TZID=<A/>1:20260106T020000 DURATION:PT1H', '22023', 'time zone "<A/>1" is not known'),
	('DTSTART;TZID=../etc/passwd:20260106T020000 DURATION:PT1H', '22023', 'time zone "../etc/passwd" is not known'),
	('DTSTART:20260106T020000Z DTSTART:20260106T020000Z DURATION:PT1H', '22P02', 'DTSTART is there twice'),
	('DTSTART:20260106T020000Z DURATION:PT1H DTEND:20260106T030000Z', '22P02', 'a recurrence has DURATION or DTEND, not both'),
	('DTSTART:20260106T020000Z DURATION:PT1H RDATE:20260107T020000Z', '22P02', 'this property is not known'),
	('DTSTART;X=1:20260106T020000Z DURATION:PT1H', '22P02', 'the parameters are TZID, once, and VALUE=DATE'),
	('DTSTART;TZID="UTC:20260106T020000 DURATION:PT1H', '22P02', 'the quote has no end'),
	('DTSTART:20260106T020000Z DURATION;TZID=UTC:PT1H', '22P02', 'TZID and VALUE go with times only'),
	('DTSTART:20260106T020000Z DURATION:PT0S', '22023', 'the duration is not above zero'),
	('DTSTART:20260106T020000Z DURATION:-PT1H', '22023', 'the duration is not above zero'),
	('DTSTART:20260106T020000Z DTEND:20260106T020000Z', '22023', 'the duration is not above zero'),
	('DTSTART:20260106T020000Z DTEND:20260105T020000Z', '22023', 'the duration is not above zero'),
	('DTSTART:20260106T020000Z DTEND:99991231T235959Z', '22023', 'the duration is above 366 days'),
	('DTSTART:20260106T020000Z DURATION:P367D', '22023', 'the duration is above 366 days'),
	('DTSTART:20260106T020000Z DURATION:P366DT1S', '22023', 'the duration is above 366 days'),
	('DTSTART:20260106T020000Z DURATION:PT99999999999999999999S', '22023', 'the duration is above 366 days'),
	('DTSTART:20260106T020000Z DURATION:P9223372036854775807W', '22023', 'the duration is above 366 days'),
	('DTSTART:20260106T020000Z DURATION:P', '22P02', 'not a duration'),
	('DTSTART:20260106T020000Z DURATION:PT', '22P02', 'not a duration'),
	('DTSTART:20260106T020000Z DURATION:P1H', '22P02', 'not a duration'),
	('DTSTART:20260106T020000Z DURATION:PT1D', '22P02', 'not a duration'),
	('DTSTART:20260106T020000Z DURATION:PT1M1H', '22P02', 'not a duration'),
	('DTSTART:20260106T020000Z DURATION:2_hours', '22P02', 'not a duration'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:', '22P02', 'a part of RRULE is of the form NAME=VALUE'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:INTERVAL=2', '22P02', 'RRULE has no FREQ'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=FORTNIGHTLY', '22P02', 'FREQ is one of DAILY, WEEKLY, MONTHLY and YEARLY'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY;', '22P02', 'a part of RRULE is of the form NAME=VALUE'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY;FREQ=DAILY', '22P02', 'FREQ is there twice'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY;RSCALE=HEBREW', '22P02', 'RRULE has a part that is not known'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY;INTERVAL=0', '22023', 'INTERVAL goes from 1 to 1000'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY;INTERVAL=4294967297', '22023', 'INTERVAL goes from 1 to 1000'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY;INTERVAL=-1', '22P02', 'INTERVAL takes a whole number'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=5000000000', '22023', 'COUNT goes from 1 to 10000'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=0', '22023', 'COUNT goes from 1 to 10000'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY;COUNT=5;UNTIL=20270101', '22023', 'a rule ends by COUNT or by UNTIL, not by both'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY;UNTIL=tomorrow', '22007', 'not a date and time'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=WEEKLY;BYDAY=TU,', '22P02', 'BYDAY has something that is no day of the week'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=MONTHLY;BYDAY=0TU', '22P02', 'BYDAY has something that is no day of the week'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=MONTHLY;BYDAY=6TU', '22023', 'a month has at most five of a day of the week'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=WEEKLY;BYDAY=2TU', '22023', 'a BYDAY with an ordinal goes with FREQ=MONTHLY and YEARLY only'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=MONTHLY;BYMONTHDAY=32', '22P02', 'BYMONTHDAY takes whole numbers from 1 to 31, or from -31 to -1'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=MONTHLY;BYMONTH=13', '22P02', 'BYMONTH takes whole numbers from 1 to 12'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=WEEKLY;BYMONTHDAY=1', '22023', 'BYMONTHDAY does not go with FREQ=WEEKLY'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=MONTHLY;BYYEARDAY=1', '22023', 'BYYEARDAY goes with FREQ=YEARLY only, not with MONTHLY'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY;BYWEEKNO=1', '22023', 'BYWEEKNO goes with FREQ=YEARLY only, not with DAILY'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=YEARLY;BYWEEKNO=1;WKST=SU', '22023', 'BYWEEKNO counts weeks that begin on a Monday'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY;BYSETPOS=1', '22023', 'BYSETPOS chooses from what another BY... gives'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY;BYHOUR=0,1,2,3,4;BYMINUTE=0,1,2,3,4,5,6,7,8,9;BYSECOND=0,1,2,3,4,5,6,7,8,9', '22023', 'a rule has at most 288 times a day, this one 500'),
	('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY EXDATE:20260107', '22007', 'an EXDATE is a date where DTSTART is one, else a time'),
	('DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT1H RRULE:FREQ=DAILY EXDATE:20260107T020000Z', '22023', 'all times of a recurrence are in the time zone of its DTSTART'),
	('DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT1H RRULE:FREQ=DAILY EXDATE;TZID=Europe/Paris:20260107T020000', '22023', 'all times of a recurrence are in the time zone of its DTSTART');
INSERT INTO refused SELECT 'DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=' || rest, '22023', 'it never occurs'
FROM unnest(ARRAY['YEARLY;BYMONTH=2;BYMONTHDAY=30', 'MONTHLY;BYMONTH=2;BYMONTHDAY=30', 'DAILY;BYMONTH=2;BYMONTHDAY=30', 'YEARLY;BYMONTHDAY=31;BYMONTH=4,6,9,11', 'YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29',
	'MONTHLY;INTERVAL=12;BYMONTH=5', 'MONTHLY;BYDAY=MO;BYSETPOS=6', 'YEARLY;BYDAY=1MO;BYSETPOS=2', 'WEEKLY;BYDAY=MO,TU;BYSETPOS=3', 'DAILY;INTERVAL=7;BYDAY=WE', 'WEEKLY;UNTIL=20260106T015959Z', 'YEARLY;UNTIL=20250101',
	'MONTHLY;BYMONTHDAY=31;UNTIL=20260130', 'DAILY;COUNT=1 EXDATE:20260106T020000', 'YEARLY;INTERVAL=1000;BYMONTH=1;BYMONTHDAY=1']) AS rest;
SELECT throws_ok(format('SELECT %L::recurrence', input), code, 'invalid recurrence: ' || message, 'refused: ' || input) FROM refused;
SELECT current_setting('server_version_num')::int >= 160000 AS has_soft_errors \gset
\if :has_soft_errors
SELECT is_empty($$SELECT input FROM refused, LATERAL pg_input_error_info(input, 'changemgmt.recurrence') AS i WHERE (sql_error_code, i.message) IS DISTINCT FROM (code, 'invalid recurrence: ' || refused.message)$$,
	'the same refusals, softly');
SELECT is((SELECT count(*) FROM asked WHERE NOT pg_input_is_valid(r::text, 'changemgmt.recurrence')), 0::bigint, 'softly: valid ones');
\else
SELECT skip('input errors are thrown before PostgreSQL 16', 2);
\endif
SELECT throws_ok(format('SELECT * FROM %s', call), code, NULL, call)
FROM (VALUES ($$contains('DTSTART:20260106T020000Z DURATION:PT1H', 'infinity')$$, 'MC008'), ($$contains('DTSTART:20260106T020000Z DURATION:PT1H', '-infinity')$$, 'MC008'),
	($$next_occurrence('DTSTART:20260106T020000Z DURATION:PT1H', 'infinity')$$, 'MC008'), ($$contains('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY', '9999-01-01')$$, '22008'),
	($$next_occurrence('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY', '9999-01-01')$$, '22008'), ($$occurrences('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY', '[9999-01-01,9999-02-01)')$$, '22008'),
	($$occurrences('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY', '[2026-01-01,)')$$, 'MC008'), ($$occurrences('DTSTART:20260106T020000Z DURATION:PT1H RRULE:FREQ=DAILY', '[2026-01-01,infinity)')$$, 'MC008')) AS t(call, code);
-- The ends of what the types can say.
CREATE FUNCTION pg_temp.edge(r text, at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN left(contains(r, at)::text, 1) || ' ' || (SELECT count(*) FROM occurrences(r, tstzrange(at, at, '[]')));
EXCEPTION WHEN invalid_parameter_value THEN
	RETURN 'never';
END $$;
SELECT is(pg_temp.edge(r, at::timestamptz), answer, format('%s at %s', r, at))
FROM (VALUES ('DTSTART:24991231T235959Z DURATION:P366D RRULE:FREQ=YEARLY', '2500-06-01 00:00Z', 't 1'), ('DTSTART:24991231T235959Z DURATION:P366D RRULE:FREQ=YEARLY;UNTIL=20000101', '2500-06-01', 'never'),
	('DTSTART:24991231T235959Z DURATION:P366D RRULE:FREQ=YEARLY;UNTIL=99991231', '2500-06-01 00:00Z', 't 1'), ('DTSTART:24991231T235959Z DURATION:P366D RRULE:FREQ=MONTHLY;COUNT=1', '294276-12-31 23:59:59.999999Z', 'f 0'),
	('DTSTART:19000101T000000Z DURATION:PT1S RRULE:FREQ=MONTHLY;UNTIL=99991231', '294276-12-31 23:59:59.999999Z', 'f 0'), ('DTSTART:19000101T000000Z DURATION:PT1S RRULE:FREQ=DAILY;COUNT=10000', '4714-11-24 00:00Z BC', 'f 0'),
	('DTSTART:19000101T000000Z DURATION:PT1S RRULE:FREQ=YEARLY', '4714-11-24 00:00Z BC', 'f 0'), ('DTSTART:19000101T000000Z DURATION:PT1S', '1900-01-01 00:00Z', 't 1'),
	('DTSTART:24991231T000000Z DURATION:P1D RRULE:FREQ=DAILY', '2499-12-31 23:59:59.999999Z', 't 1')) AS t(r, at, answer);
SELECT is((contains(NULL, now()), contains('DTSTART:20260106T020000Z DURATION:PT1H', NULL), next_occurrence(NULL, now()))::text, '(,,)', 'nulls give null');

-- A long expansion can be interrupted.
CREATE FUNCTION pg_temp.is_cancelled(query text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN false;
EXCEPTION WHEN query_canceled THEN
	RETURN true;
END $$;
SET LOCAL statement_timeout = '200ms';
SELECT ok(pg_temp.is_cancelled($$SELECT count(*) FROM occurrences('DTSTART:19000101T000000Z DURATION:PT1S RRULE:FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23;BYMINUTE=0,5,10,15,20,25,30,35,40,45,50,55', '[1900-01-01,2499-12-01)')$$),
	'a statement timeout ends a walk through 600 years');
SET LOCAL statement_timeout = 0;

SELECT finish();
ROLLBACK;
