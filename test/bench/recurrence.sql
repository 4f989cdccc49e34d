--
-- Questions to a recurrence per second: contains() in the order of time and
-- jumping about, on one year and on ten, next_occurrence(), a hundred rules
-- asked in turns, and reading one from text; against the same weekly window
-- as a function in PL/pgSQL that reads the parts of its rule from columns.
--
--  psql -X -v calls=500000 -v rounds=5 -f test/bench/recurrence.sql
--
-- In each round every question is asked once; the fastest round counts.  What
-- the loop itself takes (generate_series and count) is shown and taken off.
--
\set ON_ERROR_STOP on
\set QUIET on
\if :{?calls}
\else
    \set calls 200000
\endif
\if :{?rounds}
\else
    \set rounds 5
\endif

BEGIN;
SET LOCAL search_path = public, changemgmt;
SET LOCAL jit = off;
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL timezone = 'UTC';

CREATE TEMP TABLE rule (id int, days int[], from_time time, to_time time, zone text, r recurrence);
INSERT INTO rule SELECT i, ARRAY[1 + i % 7, 1 + (i + 2) % 7], '02:00', '04:00', 'Europe/Berlin',
    format('DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;INTERVAL=%s;BYDAY=TU,TH', 1 + i % 50)
FROM generate_series(1, 100) AS i;
UPDATE rule SET days = '{2,4}', r = 'DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH' WHERE id = 1;
ANALYZE rule;

-- A weekly window as sites write it; no exceptions, no intervals, no count.
CREATE FUNCTION pg_temp.in_window(rule_id int, at timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    w pg_temp.rule;
    here timestamp;
BEGIN
    SELECT * INTO w FROM pg_temp.rule WHERE id = rule_id;
    here := at AT TIME ZONE w.zone;
    RETURN extract(isodow FROM here)::int = ANY (w.days) AND here::time >= w.from_time AND here::time < w.to_time;
END $$;

CREATE TEMP TABLE question (question_id int, question text, share int, query text);
INSERT INTO question VALUES
    (0, 'the loop', 1, 'SELECT count(NULLIF(at, NULL)) FROM %s'),
    (1, 'contains(), weekly, ten years in order', 1, 'SELECT count(*) FROM %s WHERE contains(''DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH'', at)'),
    (2, 'contains(), weekly, one year, jumping', 1, 'SELECT count(*) FROM %s WHERE contains(''DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH'', in_year)'),
    (3, 'contains(), weekly, ten years, jumping', 1, 'SELECT count(*) FROM %s WHERE contains(''DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH'', in_ten)'),
    (4, 'contains(), second Tuesday, ten years, jumping', 1, 'SELECT count(*) FROM %s WHERE contains(''DTSTART;TZID=Europe/Berlin:20260113T020000 DURATION:PT2H RRULE:FREQ=MONTHLY;BYDAY=2TU'', in_ten)'),
    (5, 'contains(), a hundred rules in turns', 100, 'SELECT count(*) FROM %s, rule WHERE contains(rule.r, at)'),
    (6, 'next_occurrence(), weekly, ten years in order', 1, 'SELECT count(next_occurrence(''DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH'', at)) FROM %s'),
    (7, 'from text, weekly', 20, 'SELECT count((''DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH;INTERVAL='' || 1 + i %% 9)::recurrence) FROM %s'),
    (8, 'from text, monthly', 100, 'SELECT count((''DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=MONTHLY;BYDAY=TU,TH;INTERVAL='' || 1 + i %% 9)::recurrence) FROM %s'),
    (9, 'PL/pgSQL, weekly, ten years in order', 10, 'SELECT count(*) FROM %s WHERE pg_temp.in_window(1, at)');

CREATE TEMP TABLE figure (question_id int, us float8);
SELECT set_config('bench.calls', :'calls', true), set_config('bench.rounds', :'rounds', true) \g /dev/null
DO $$
DECLARE
    q record;
    n int;
    started timestamptz;
BEGIN
    FOR round IN 1 .. current_setting('bench.rounds')::int LOOP
        FOR q IN SELECT * FROM question ORDER BY question_id LOOP
            n := greatest(current_setting('bench.calls')::int / q.share, 1);
            started := clock_timestamp();
            EXECUTE format(q.query, format('(SELECT i, ''2026-01-06''::timestamptz + i * (interval ''10 years'' / %s) AS at, '
                '''2026-01-06''::timestamptz + i::bigint * 7919 %% (365 * 1440) * interval ''1 min'' AS in_year, '
                '''2026-01-06''::timestamptz + i::bigint * 7919 %% (3650 * 1440) * interval ''1 min'' AS in_ten '
                'FROM generate_series(1, %s) AS i OFFSET 0) AS t', n, n));
            INSERT INTO figure VALUES (q.question_id, extract(epoch FROM clock_timestamp() - started) * 1e6 / n / CASE q.question_id WHEN 5 THEN 100 ELSE 1 END);
        END LOOP;
    END LOOP;
END $$;

\pset footer off
WITH best AS (SELECT question_id, min(us) AS us FROM figure GROUP BY question_id),
bare AS (SELECT b.question_id, greatest(b.us - CASE WHEN b.question_id IN (0, 5) THEN 0 ELSE floor.us END, 0.001) AS us
    FROM best AS b, best AS floor WHERE floor.question_id = 0)
SELECT question, round(us::numeric, 3) AS us, round((1e6 / us)::numeric) AS per_second
FROM bare JOIN question USING (question_id) ORDER BY question_id;
ROLLBACK;
