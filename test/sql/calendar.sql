--
-- calendar: the type recurrence, a time that comes again
--
SET search_path = public, changemgmt;
SET timezone = 'Europe/Berlin';
SET datestyle = 'ISO';
\pset null '(null)'

--
-- Text in, canonical text out
--
SELECT 'DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH EXDATE:20261224T020000,20261231T020000'::recurrence;
SELECT E'rrule:byday=th,TU;freq=Weekly\nduration:PT120M\ndtstart;tzid=europe/berlin:20260106T020000'::recurrence;
SELECT 'DTSTART:20260106T020000Z DTEND:20260106T040000Z'::recurrence;
SELECT 'DTSTART;TZID=America/New_York;VALUE=DATE:20261127 RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=FR;BYMONTHDAY=29,28,27,26,25,24,23'::recurrence;
SELECT NULL::recurrence;

--
-- The three functions; a text is taken as well
--
SELECT contains('DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH', '2026-07-07 03:59:59');
SELECT contains('DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH'::text, '2026-07-07 04:00');
SELECT * FROM occurrences('DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH', '[2026-03-26,2026-04-03)');
SELECT * FROM next_occurrence('DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH', '2026-10-23');
SELECT * FROM next_occurrence('DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H', '2026-10-23');
-- 2:30 does not exist on 29 March, and comes twice on 25 October
SELECT * FROM occurrences('DTSTART;TZID=Europe/Berlin:20260101T023000 DURATION:PT1H RRULE:FREQ=MONTHLY;BYDAY=-1SU', '[2026-03-01,2026-11-01)');
EXPLAIN (COSTS off) SELECT * FROM occurrences('DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY', '[2026-03-26,2026-04-03)');

--
-- What a refusal looks like
--
SELECT 'every Tuesday'::recurrence;
SELECT 'DTSTART:20260106T020000 DURATION:PT2H'::recurrence;
SELECT 'DTSTART;TZID=Berlin:20260106T020000 DURATION:PT2H'::recurrence;
SELECT 'DTSTART;TZID=Europe/Berlin:20260106 DURATION:PT2H'::recurrence;
SELECT 'DTSTART:20260106T020000Z DURATION:2h'::recurrence;
SELECT 'DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,DO'::recurrence;
SELECT 'DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=SECONDLY'::recurrence;
SELECT 'DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAYS=TU'::recurrence;
SELECT 'DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY;COUNT=5000000000'::recurrence;
SELECT 'DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30'::recurrence;
SELECT 'DTSTART:20260106T020000Z DURATION:PT2H RDATE:20260108T020000Z'::recurrence;
SELECT 'DTSTART:20260106T020000Z DURATION:P400D'::recurrence;
SELECT 'DTSTART:00010101T000000Z DURATION:P1D'::recurrence;
SELECT * FROM occurrences('DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY', '[2026-03-26,)');
SELECT contains('DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY', '9999-12-31');
SELECT contains('DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY', 'infinity');

--
-- Binary form
--
SELECT recurrence_send('DTSTART:20000101T000001Z DURATION:P1DT1S RRULE:FREQ=DAILY EXDATE:20000102T000001');

--
-- Columns, order, indexes
--
CREATE TABLE rota (r recurrence PRIMARY KEY);
INSERT INTO rota VALUES ('DTSTART:20260107T020000Z DURATION:PT2H'), ('DTSTART:20260106T020000Z DURATION:PT2H RRULE:FREQ=DAILY'), ('DTSTART:20260106T020000Z DURATION:PT1H');
INSERT INTO rota VALUES ('DTSTART;TZID=UTC:20260106T020000 DURATION:PT60M');
SELECT * FROM rota ORDER BY r;
SELECT opcname, amname, amvalidate(c.oid) FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = c.opcmethod WHERE opcintype = 'recurrence'::regtype ORDER BY 2;
DROP TABLE rota;

--
-- Business calendars
--
SELECT create_business_calendar('office', 'Europe/Berlin', 'MO-TH 09:00-12:30,13:30-18:00; FR 09:00-15:00') IS NOT NULL AS created;
SELECT name, time_zone, weekday, opens, closes FROM business_calendar AS c JOIN business_hours AS h ON h.calendar_id = c.id ORDER BY weekday, opens;
SELECT add_holiday('office', '2026-12-25', 'Christmas Day') IS NOT NULL AS added;
SELECT add_business_days('2026-12-23 10:00', 2, 'office');
SELECT business_days_between('2026-12-23 10:00', '2026-12-29 09:00', 'office'), business_duration('2026-12-23 10:00', '2026-12-29 09:00', 'office');
SELECT business_days_between('2026-12-29 09:00', '2026-12-23 10:00', calendar => 'office'), business_duration('2026-12-29 09:00', '2026-12-23 10:00', calendar => 'office');
SELECT import_holidays('office', E'BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20270326\nDTEND;VALUE=DATE:20270330\nSUMMARY:Easter\nEND:VEVENT\nBEGIN:VEVENT\nUID:2\nDTSTART:20270401T080000Z\nDTEND:20270401T100000Z\nSUMMARY:Meeting\nEND:VEVENT\nBEGIN:VEVENT\nUID:3\nDTSTART:20270402T080000Z\nEND:VEVENT\nEND:VCALENDAR', '2030-12-31');
SELECT day, name FROM holiday ORDER BY day;
-- what a refusal looks like
SELECT create_business_calendar('shop', 'Berlin');
SELECT create_business_calendar('shop', 'Europe/Berlin', 'MO-FR 9-17');
SELECT create_business_calendar('The Shop', 'Europe/Berlin');
SELECT add_business_days(now(), 5, 'shop');
SELECT add_holiday('default', '2026-12-25');
SELECT business_duration('2026-01-01', 'infinity', 'office');
SELECT import_holidays('office', E'BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20270230\nSUMMARY:Leap day\nEND:VEVENT\nEND:VCALENDAR');
SELECT import_holidays('office', E'BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20270226\nSUMMARY:Leap day\n');
SELECT publish_model('ours', '{"base": "normal", "calendar": "shop"}');
DELETE FROM holiday;
DELETE FROM business_hours;
DELETE FROM business_calendar;
