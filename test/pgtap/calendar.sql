-- Business days: Monday to Friday in the reporting time zone.

BEGIN;
SELECT plan(34);

SET LOCAL timezone = 'UTC';

CREATE TEMP TABLE expected (at timestamptz, days integer, result timestamptz, what text);

-- 2026-11-16 is a Monday.
INSERT INTO expected VALUES
	('2026-11-16 09:30', 0, '2026-11-16 09:30', 'no day from a Monday'),
	('2026-11-16 09:30', 1, '2026-11-17 09:30', 'one day from a Monday'),
	('2026-11-16 09:30', 4, '2026-11-20 09:30', 'four from a Monday: Friday'),
	('2026-11-16 09:30', 5, '2026-11-23 09:30', 'five are a week'),
	('2026-11-18 09:30', 2, '2026-11-20 09:30', 'two from a Wednesday: Friday'),
	('2026-11-18 09:30', 3, '2026-11-23 09:30', 'three from a Wednesday: over the weekend'),
	('2026-11-20 09:30', 0, '2026-11-20 09:30', 'no day from a Friday'),
	('2026-11-20 09:30', 1, '2026-11-23 09:30', 'one from a Friday: Monday'),
	('2026-11-20 23:59:59.999999', 5, '2026-11-27 23:59:59.999999', 'to the microsecond'),
	('2026-11-21 00:00', 0, '2026-11-23 00:00', 'the first moment of a weekend is its end'),
	('2026-11-21 15:00', 1, '2026-11-24 00:00', 'one from a Saturday: the end of Monday'),
	('2026-11-22 23:59', 5, '2026-11-30 00:00', 'five from a Sunday'),
	('2026-11-20 09:30', 11, '2026-12-07 09:30', 'eleven from a Friday'),
	('2024-02-28 12:00', 2, '2024-03-01 12:00', 'over a leap day'),
	('2026-12-31 12:00', 1, '2027-01-01 12:00', 'holidays are no weekends'),
	('1969-12-31 12:00', 3, '1970-01-05 12:00', 'before the epoch of Unix'),
	('0001-01-03 12:00 BC', 5, '0001-01-10 12:00 BC', 'long ago');

SELECT is(changemgmt.add_business_days(at, days), result, what) FROM expected;

-- Counted one by one it must be the same.
SELECT is_empty(
	$$SELECT start, days
	FROM generate_series('2026-11-16 10:00'::timestamptz, '2026-11-29 10:00', '1 day') AS start,
		generate_series(0, 60) AS days
	WHERE changemgmt.add_business_days(start, days) <>
		(SELECT d
		 FROM generate_series(
				CASE extract(isodow FROM start)
					WHEN 6 THEN date_trunc('day', start) + '2 days'
					WHEN 7 THEN date_trunc('day', start) + '1 day'
					ELSE start END, start + '100 days', '1 day') AS d
		 WHERE extract(isodow FROM d) < 6
		 ORDER BY d OFFSET days LIMIT 1)$$,
	'two weeks of starts and 60 days, against counting the days one by one');

-- the time zone is the setting's, not the session's

SELECT changemgmt.set_setting('reporting_time_zone', 'Europe/Berlin') \g /dev/null
SELECT is(changemgmt.add_business_days('2026-10-23 12:00 Europe/Berlin', 1),
	'2026-10-26 12:00 Europe/Berlin', 'noon stays noon when summer time ends');
SELECT is(changemgmt.add_business_days('2026-10-23 12:00 Europe/Berlin', 1)
	- '2026-10-23 12:00 Europe/Berlin', '73 hours', 'which are 73 hours');
SELECT is(changemgmt.add_business_days('2026-03-27 12:00 Europe/Berlin', 1)
	- '2026-03-27 12:00 Europe/Berlin', '71 hours', 'and 71 when it begins');
SELECT is(changemgmt.add_business_days('2026-11-20 23:30Z', 0),
	'2026-11-22 23:00Z', 'Friday night in UTC is Saturday in Berlin');
SELECT is(changemgmt.add_business_days('2026-11-22 23:30Z', 1),
	'2026-11-23 23:30Z', 'Sunday night in UTC is Monday in Berlin');
SET LOCAL timezone = 'Pacific/Auckland';
SELECT is(changemgmt.add_business_days('2026-11-20 23:30Z', 0),
	'2026-11-22 23:00Z', 'whatever the session''s time zone');

-- Where a clock changes on a business day: Cairo, Friday 2023-04-28 0:00 -> 1:00
SELECT changemgmt.set_setting('reporting_time_zone', 'Africa/Cairo') \g /dev/null
SELECT is(changemgmt.add_business_days('2023-04-27 00:30 Africa/Cairo', 1),
	'2023-04-28 01:30 Africa/Cairo', 'a local time that the clocks skip is an hour later');

-- borders

SELECT changemgmt.set_setting('reporting_time_zone', 'UTC') \g /dev/null
SELECT is(changemgmt.add_business_days('2026-11-16 09:30Z', 3660),
	'2026-11-16 09:30Z'::timestamptz + '732 weeks', 'as many days as can be given');
SELECT throws_ok($$SELECT changemgmt.add_business_days('2026-11-16', 3661)$$,
	'MC008', '3661 business days are out of range', 'not more');
SELECT throws_ok($$SELECT changemgmt.add_business_days('2026-11-16', -1)$$,
	'MC008', '-1 business days are out of range', 'not backwards');
SELECT throws_ok($$SELECT changemgmt.add_business_days('infinity', 1)$$,
	'MC008', 'business days cannot be counted from an infinite time', 'not from infinity');
SELECT throws_ok($$SELECT changemgmt.add_business_days('-infinity', 0)$$,
	'MC008', 'business days cannot be counted from an infinite time', 'nor from its opposite');
SELECT throws_ok($$SELECT changemgmt.add_business_days('294276-12-31 00:00Z', 3660)$$,
	'MC008', 'timestamp out of range', 'not past the end of time');
SELECT is(changemgmt.add_business_days(NULL, 1), NULL, 'null from no time');
SELECT is(changemgmt.add_business_days(now(), NULL), NULL, 'null for no days');
SELECT is(changemgmt.add_business_days('4713-11-24 00:00:00Z BC', 1)
	> '4713-11-24 00:00:00Z BC', true, 'from the beginning of time');

SELECT finish();
ROLLBACK;
