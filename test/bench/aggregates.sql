--
-- The aggregates of rate against the builtin expressions that come nearest,
-- side by side: plain, grouped, parallel and as a moving window.
--
--  psql -X -v rows=5000000 -v rounds=5 -f test/bench/aggregates.sql
--
-- In each round every expression runs once, so that whatever else the machine
-- does meets all of them alike; the fastest round counts.  A ratio below 1
-- means that ours is faster.  count(*) alone is shown as the floor of each
-- shape.  What change_failure_rate(b) tells in one value takes two of the
-- builtins: failures and total; that pair is measured as well.  A FILTER alone
-- spares the transition of the rows that it drops, six of seven here.
--
\set ON_ERROR_STOP on
\set QUIET on
\if :{?rows}
\else
    \set rows 5000000
\endif
\if :{?rounds}
\else
    \set rounds 5
\endif

BEGIN;
SET LOCAL search_path = public, changemgmt;
SET LOCAL jit = off;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;

-- Not a temporary table, for those are not read in parallel; it goes with the
-- transaction.
CREATE UNLOGGED TABLE aggregates_bench AS
SELECT i % 100 AS g, i % 7 = 0 AS b, i % 1000 AS n,
    rate(i % 7, 7 + i % 100) AS r
FROM generate_series(1, :rows) i;
ANALYZE aggregates_bench;

CREATE TEMP TABLE shape (shape_id integer, shape text, workers integer, query text);
INSERT INTO shape VALUES
    (1, 'plain', 0,
        'SELECT %1$s FROM aggregates_bench'),
    (2, 'grouped', 0,
        'SELECT g, %1$s FROM aggregates_bench GROUP BY g'),
    (3, 'parallel', 2,
        'SELECT %1$s FROM aggregates_bench'),
    (4, 'moving', 0,
        'SELECT count(v) FROM (SELECT %2$s AS v FROM aggregates_bench WINDOW w AS (ROWS 29 PRECEDING)) s');

-- ours: the number of our expression that this one is compared with
CREATE TEMP TABLE expression (
    expression_id integer, expression text, moving text, ours integer
);
INSERT INTO expression VALUES
    (0, 'count(*)', 'count(*) OVER w', NULL),
    (1, 'change_failure_rate(b)', 'change_failure_rate(b) OVER w', NULL),
    (2, 'count(*) FILTER (WHERE b)', 'count(*) FILTER (WHERE b) OVER w', 1),
    (3, 'count(*) FILTER (WHERE b), count(b)',
        '(count(*) FILTER (WHERE b) OVER w, count(b) OVER w)', 1),
    (4, 'avg(n)', 'avg(n) OVER w', 1),
    (5, 'avg(b::integer)', 'avg(b::integer) OVER w', 1),
    (6, 'rate_sum(r)', 'rate_sum(r) OVER w', NULL),
    (7, 'avg(n)', 'avg(n) OVER w', 6),
    (8, 'sum(n), sum(g)', '(sum(n) OVER w, sum(g) OVER w)', 6);

CREATE TEMP TABLE timing (
    shape_id integer, expression_id integer, ms double precision
);

SELECT set_config('bench.rounds', :'rounds', true) \g /dev/null
DO $$
DECLARE
    todo record;
    started timestamptz;
BEGIN
    FOR todo IN
        SELECT round, shape_id, workers, expression_id,
            format(query, expression, moving) AS query
        FROM generate_series(0, current_setting('bench.rounds')::integer) round,
            shape, expression
        ORDER BY round, shape_id, expression_id
    LOOP
        PERFORM set_config('max_parallel_workers_per_gather',
                           todo.workers::text, true);
        started := clock_timestamp();
        EXECUTE todo.query;
        -- round 0 warms up
        IF todo.round > 0 THEN
            INSERT INTO timing VALUES (todo.shape_id, todo.expression_id,
                extract(epoch FROM clock_timestamp() - started) * 1000);
        END IF;
    END LOOP;
END
$$;

\echo :rows rows, the fastest of :rounds rounds
SELECT shape, o.expression AS ours, b.expression AS builtin,
    round(fo.ms) AS ours_ms, round(fb.ms) AS builtin_ms,
    round(fc.ms) AS "count(*) ms", round((fo.ms / fb.ms)::numeric, 2) AS ratio
FROM shape
JOIN expression b ON b.ours IS NOT NULL
JOIN expression o ON o.expression_id = b.ours
CROSS JOIN LATERAL (SELECT min(ms) AS ms FROM timing t
    WHERE t.shape_id = shape.shape_id AND t.expression_id = o.expression_id) fo
CROSS JOIN LATERAL (SELECT min(ms) AS ms FROM timing t
    WHERE t.shape_id = shape.shape_id AND t.expression_id = b.expression_id) fb
CROSS JOIN LATERAL (SELECT min(ms) AS ms FROM timing t
    WHERE t.shape_id = shape.shape_id AND t.expression_id = 0) fc
ORDER BY shape_id, b.expression_id;
ROLLBACK;
