--
-- types: the rate, how many of how many, written 4/23
--
SET search_path = public, changemgmt;
SET extra_float_digits = 0;
\pset null '(null)'

--
-- Text input
--
SELECT '4/23'::rate;
SELECT '0/0'::rate;
SELECT '  4 / 23  '::rate;
SELECT E'\t4\n/\r23\f\x0b'::rate;
SELECT '+4/+23'::rate;
SELECT '-0/007'::rate;
SELECT '9223372036854775807/9223372036854775807'::rate;
SELECT '00000000000000000000000000000004/23'::rate;
SELECT NULL::rate;

-- not of the form
SELECT ''::rate;
SELECT ' '::rate;
SELECT '4'::rate;
SELECT '4/'::rate;
SELECT '/23'::rate;
SELECT '/'::rate;
SELECT '4//23'::rate;
SELECT '4/23/1'::rate;
SELECT '4/23 x'::rate;
SELECT '4 2/3'::rate;
SELECT '4.0/23'::rate;
SELECT '4e0/23'::rate;
SELECT '0x4/0x17'::rate;
SELECT '1_0/2_0'::rate;
SELECT '+ 4/23'::rate;
SELECT '--4/23'::rate;
SELECT '17 %'::rate;
SELECT 'NaN'::rate;
SELECT '٤/٢٣'::rate;

-- not counts
SELECT '-1/5'::rate;
SELECT '1/-5'::rate;
SELECT '-5/-1'::rate;
SELECT '24/23'::rate;
SELECT '1/0'::rate;

-- too large
SELECT '0/9223372036854775808'::rate;
SELECT '9223372036854775808/0'::rate;
SELECT '-9223372036854775808/5'::rate;
SELECT '0/18446744073709551617'::rate;
SELECT '99999999999999999999999999999999999999/99999999999999999999999999999999999999'::rate;
SELECT '99999999999999999999/x'::rate;

-- Mutations of valid texts: each is either refused as one of the three errors
-- above, or is read as a value that is valid and reads back as itself.
CREATE FUNCTION pg_temp.try_text(str text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r rate;
BEGIN
    r := str::rate;
    IF r::text::rate <> r
        OR r::text <> format('%s/%s', numerator(r), denominator(r))
        OR numerator(r) < 0 OR numerator(r) > denominator(r)
    THEN
        RETURN 'WRONG: ' || str;
    END IF;
    RETURN 'accepted';
EXCEPTION
    WHEN invalid_text_representation THEN RETURN 'syntax';
    WHEN numeric_value_out_of_range THEN RETURN 'range';
END
$$;

WITH valid (v) AS (
    VALUES ('4/23'), (' 0 / 0 '), ('+12/345'),
        ('9223372036854775806/9223372036854775807')
), mutation (kind, m) AS (
    SELECT 'truncated', left(v, i)
    FROM valid, generate_series(0, length(v) - 1) i
    UNION ALL
    SELECT 'one character removed', overlay(v PLACING '' FROM i FOR 1)
    FROM valid, generate_series(1, length(v)) i
    UNION ALL
    SELECT 'one character replaced', overlay(v PLACING chr(c) FROM i FOR 1)
    FROM valid, generate_series(1, length(v)) i, generate_series(1, 255) c
    UNION ALL
    SELECT 'one character inserted', overlay(v PLACING chr(c) FROM i FOR 0)
    FROM valid, generate_series(1, length(v) + 1) i, generate_series(1, 255) c
    UNION ALL
    SELECT 'two characters swapped',
        overlay(v PLACING reverse(substr(v, i, 2)) FROM i FOR 2)
    FROM valid, generate_series(1, length(v) - 1) i
    UNION ALL
    SELECT 'doubled', v || s || v
    FROM valid, unnest(ARRAY['', ' ', '/', ',', E'\n']) s
)
SELECT kind, count(*) AS tried,
    count(*) FILTER (WHERE t = 'accepted') AS accepted,
    count(*) FILTER (WHERE t = 'syntax') AS syntax,
    count(*) FILTER (WHERE t = 'range') AS range,
    count(*) FILTER (WHERE t LIKE 'WRONG%') AS wrong
FROM mutation, pg_temp.try_text(m) t
GROUP BY kind
ORDER BY kind COLLATE "C";

--
-- Binary input
--
SELECT rate_send('4/23');
SELECT rate_send('9223372036854775806/9223372036854775807');

-- Whatever bytes are wanted get to rate_recv as the only field of the only row
-- of a COPY, which the server reads from printf.
CREATE TEMP TABLE received (r rate);
CREATE FUNCTION pg_temp.receive(field bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message bytea := '\x5047434f50590aff0d0a00'::bytea -- signature
        || '\x0000000000000000'::bytea -- flags, header extension
        || '\x0001'::bytea || int4send(length(field)) || field
        || '\xffff'::bytea;
    octal text := '';
BEGIN
    FOR i IN 0 .. length(message) - 1 LOOP
        octal := octal || '\' || lpad(
            (get_byte(message, i) / 64 * 100
             + get_byte(message, i) / 8 % 8 * 10
             + get_byte(message, i) % 8)::text, 3, '0');
    END LOOP;
    TRUNCATE received;
    EXECUTE format('COPY received FROM PROGRAM %L (FORMAT binary)',
                   format('printf ''%s''', octal));
    RETURN (SELECT r FROM received);
EXCEPTION
    WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

SELECT pg_temp.receive(rate_send('4/23'));
SELECT pg_temp.receive(rate_send('9223372036854775806/9223372036854775807'));
-- -1/5, 1/-5, 24/23, -9223372036854775808/-9223372036854775808
SELECT pg_temp.receive(int8send(-1) || int8send(5));
SELECT pg_temp.receive(int8send(1) || int8send(-5));
SELECT pg_temp.receive(int8send(24) || int8send(23));
SELECT pg_temp.receive('\x80000000000000008000000000000000');
-- nothing, too short, too long, the text
SELECT pg_temp.receive('');
SELECT pg_temp.receive('\x00');
SELECT pg_temp.receive(int8send(4));
SELECT pg_temp.receive(substr(rate_send('4/23'), 1, 15));
SELECT pg_temp.receive(rate_send('4/23') || '\x00');
SELECT pg_temp.receive('4/23');
SELECT pg_temp.receive('4/23            ');

-- Every byte damaged in several ways: refused, or a valid value that is sent
-- as the bytes that came.
WITH damaged (field) AS (
    SELECT set_byte(rate_send(v), i, (get_byte(rate_send(v), i) + d) % 256)
    FROM unnest(ARRAY['4/23', '0/0']::rate[]) v, generate_series(0, 15) i,
        unnest(ARRAY[1, 127, 128, 255]) d
), tried AS (
    SELECT field, pg_temp.receive(field) AS t FROM damaged
)
SELECT count(*) AS tried,
    count(*) FILTER (WHERE t LIKE '22P03 %') AS refused,
    count(*) FILTER (WHERE CASE WHEN t ~ '^\d+/\d+$'
        THEN rate_send(t::rate) = field END) AS accepted
FROM tried;

--
-- Constructor, parts, casts
--
SELECT rate(4, 23);
SELECT rate(failures => 4, total => 23);
SELECT rate(NULL, 23);
SELECT rate(-1, 23);
SELECT rate(24, 23);
SELECT numerator('4/23'), denominator('4/23');
SELECT r, r::double precision, r::numeric, round(r::numeric, 4) AS rounded
FROM unnest(ARRAY['4/23', '0/10', '10/10', '1/3', '2/10', '0/0',
    '9223372036854775806/9223372036854775807']::rate[]) r;

-- assigned, not converted behind one's back
CREATE TEMP TABLE assigned (d double precision, n numeric(5, 4));
INSERT INTO assigned VALUES ('4/23'::rate, '4/23'::rate), (rate(0, 0), rate(0, 0));
SELECT * FROM assigned;
SELECT sqrt('4/23'::rate);
SELECT '4/23'::rate > 0.1;

--
-- Comparisons: equality of the pair; order by quotient, then total; 0/0 last
--
SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a >= b AS ge, a > b AS gt,
    a <> b AS ne, rate_cmp(a, b) AS cmp
FROM (VALUES
    ('1/2'::rate, '1/2'::rate),
    ('1/2', '2/4'),
    ('1/3', '1/2'),
    ('2/3', '1/2'),
    ('0/5', '0/7'),
    ('5/5', '7/7'),
    ('0/0', '0/0'),
    ('0/0', '0/1'),
    ('0/0', '1/1'),
    ('9223372036854775807/9223372036854775807', '0/0')
) v (a, b);

SELECT string_agg(r::text, ' < ' ORDER BY r)
FROM unnest('{1/2, 0/5, 0/0, 2/4, 7/7, 5/5, 0/7, 2/3, 1/3}'::rate[]) r;

-- quotients that differ in the 126th bit, where double precision sees none
SELECT a, b, rate_cmp(a, b), rate_cmp(b, a),
    a::double precision = b::double precision AS same_double
FROM (VALUES
    ('9223372036854775805/9223372036854775806'::rate,
     '9223372036854775806/9223372036854775807'::rate),
    ('4611686018427387903/9223372036854775807', '1/2'),
    ('4611686018427387903/9223372036854775806', '1/2'),
    ('1/9223372036854775807', '1/9223372036854775806'),
    ('4294967295/4294967296', '4294967294/4294967295'),
    ('4294967296/4294967297', '4294967295/4294967296')
) v (a, b);

-- against numeric, over every pair of counts around the borders of 32 and 64 bits
WITH border (n) AS (
    SELECT (2::numeric ^ p + d)::bigint
    FROM unnest(ARRAY[0, 1, 16, 31, 32, 33, 62]) p, generate_series(-1, 1) d
    UNION
    VALUES (3), (7), (9223372036854775806), (9223372036854775807)
), r AS (
    SELECT rate(f.n, t.n) AS r, f.n AS f, t.n AS t
    FROM border f, border t
    WHERE f.n <= t.n AND t.n > 0
)
SELECT count(*) > 40000 AS enough,
    count(*) FILTER (WHERE rate_cmp(a.r, b.r) <>
        CASE WHEN a.f::numeric * b.t <> b.f::numeric * a.t
            THEN sign(a.f::numeric * b.t - b.f::numeric * a.t)
            ELSE sign(a.t::numeric - b.t) END) AS wrong
FROM r a, r b;

--
-- Operator classes
--
SELECT amname, opcname, opcdefault, amvalidate(c.oid)
FROM pg_opclass c JOIN pg_am m ON m.oid = opcmethod
WHERE opcintype = 'rate'::regtype
ORDER BY amname;

CREATE TEMP TABLE rates (id integer, r rate);
INSERT INTO rates
SELECT i, CASE WHEN i % 11 > 0 THEN rate(i % 7, i % 7 + i % 5) END
FROM generate_series(1, 1000) i;
ANALYZE rates;

SELECT r, count(*) FROM rates GROUP BY r ORDER BY r LIMIT 5;
SELECT r, count(*) FROM rates GROUP BY r ORDER BY r DESC LIMIT 3;

-- sorted, hashed and by index, it is the same answer
SET enable_hashagg = off;
SELECT count(*), md5(string_agg(r::text, ',' ORDER BY r))
FROM (SELECT DISTINCT r FROM rates) d;
RESET enable_hashagg;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT DISTINCT r FROM rates;
SELECT count(*), md5(string_agg(r::text, ',' ORDER BY r))
FROM (SELECT DISTINCT r FROM rates) d;
RESET enable_sort;

SELECT count(*) FROM rates WHERE r = '2/4';
SELECT count(*) FROM rates WHERE r > '1/2' AND r < '2/3';
SELECT count(*) FROM rates WHERE r >= '0/0';
SET enable_seqscan = off;
SET enable_bitmapscan = off;
CREATE INDEX rates_btree ON rates (r);
EXPLAIN (COSTS OFF) SELECT count(*) FROM rates WHERE r > '1/2' AND r < '2/3';
SELECT count(*) FROM rates WHERE r = '2/4';
SELECT count(*) FROM rates WHERE r > '1/2' AND r < '2/3';
SELECT count(*) FROM rates WHERE r >= '0/0';
DROP INDEX rates_btree;
CREATE INDEX rates_hash ON rates USING hash (r);
EXPLAIN (COSTS OFF) SELECT count(*) FROM rates WHERE r = '2/4';
SELECT count(*) FROM rates WHERE r = '2/4';
DROP INDEX rates_hash;
RESET enable_seqscan;
RESET enable_bitmapscan;

-- joins of each kind
SET enable_nestloop = off;
SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM rates a JOIN rates b USING (r);
SELECT count(*) FROM rates a JOIN rates b USING (r);
RESET enable_mergejoin;
SET enable_hashjoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM rates a JOIN rates b USING (r);
SELECT count(*) FROM rates a JOIN rates b USING (r);
RESET enable_hashjoin;
RESET enable_nestloop;

-- partitions by hash use the extended function
CREATE TEMP TABLE parted (r rate) PARTITION BY HASH (r);
CREATE TEMP TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TEMP TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parted SELECT r FROM rates;
SELECT (SELECT count(*) FROM parted) AS all_rows,
    (SELECT count(*) FROM parted_0) BETWEEN 1 AND 999 AS divided,
    (SELECT count(*) FROM parted WHERE r = '2/4') AS found;
SELECT rate_hash('1/2') = rate_hash('1/2') AS same,
    rate_hash('1/2') = rate_hash('2/4') AS other,
    rate_hash_extended('1/2', 0)::bit(32) = rate_hash('1/2')::bit(32) AS seed_0,
    rate_hash_extended('1/2', 1)::bit(32) = rate_hash('1/2')::bit(32) AS seed_1;

--
-- Sum and difference
--
SELECT rate '1/4' + rate '3/19' AS sum, rate '4/23' - rate '1/4' AS difference;
SELECT changemgmt.rate_add('1/4', '3/19'), changemgmt.rate_subtract('4/23', '1/4');
SELECT rate '4/23' - rate '4/23' AS nothing;
SELECT rate '4/23' + NULL AS unknown;
SELECT rate '4/23' - rate '5/23';
SELECT rate '4/23' - rate '0/24';
SELECT rate '4/23' - rate '0/20';
SELECT rate '0/9223372036854775807' + rate '0/1';
SELECT rate '9223372036854775807/9223372036854775807'
    + rate '9223372036854775807/9223372036854775807';

--
-- Wilson score interval
--
SELECT r, round(r::numeric, 4) AS rounded, round(wilson_low(r)::numeric, 6) AS low,
    round(wilson_high(r)::numeric, 6) AS high
FROM unnest(ARRAY['4/23', '0/10', '10/10', '1/10', '0/0']::rate[]) r;
SELECT confidence, round(wilson_low('4/23', confidence)::numeric, 6) AS low,
    round(wilson_high('4/23', confidence)::numeric, 6) AS high
FROM unnest(ARRAY[0.5, 0.8, 0.9, 0.95, 0.99, 0.999]) confidence;
SELECT wilson_low('4/23', NULL);
SELECT wilson_low('4/23', confidence => 0);
SELECT wilson_high('4/23', confidence => 1);
SELECT wilson_low('4/23', confidence => 95);
SELECT wilson_high('4/23', confidence => -0.5);
SELECT wilson_low('4/23', confidence => 'NaN');
SELECT wilson_high('4/23', confidence => 'Infinity');
SELECT wilson_low('0/0', confidence => 2);

--
-- Aggregates
--
SELECT change_failure_rate(failed)
FROM (VALUES (true), (false), (false), (true), (false)) v (failed);
SELECT change_failure_rate(failed)
FROM (VALUES (true), (NULL), (false)) v (failed);
SELECT change_failure_rate(failed) FROM (VALUES (NULL::boolean)) v (failed);
SELECT change_failure_rate(true) WHERE false;
SELECT change_failure_rate(true) FILTER (WHERE i > 3) FROM generate_series(1, 10) i;

SELECT rate_sum(r) FROM (VALUES ('1/4'::rate), ('3/19'), ('0/0'), (NULL)) v (r);
SELECT rate_sum(r) FROM (VALUES (NULL::rate)) v (r);
SELECT rate_sum('1/1') WHERE false;
SELECT rate_sum(r) FROM (VALUES ('1/9223372036854775807'::rate), ('0/1')) v (r);
SELECT rate_sum(DISTINCT r) FROM (VALUES ('1/4'::rate), ('1/4'), ('2/8')) v (r);

CREATE TABLE types_deployed (
    id integer PRIMARY KEY,
    team integer,
    failed boolean,
    r rate
);
INSERT INTO types_deployed
SELECT i, i % 13, CASE WHEN i % 17 > 0 THEN i * 7919 % 100 < 13 END,
    CASE WHEN i % 19 > 0 THEN rate(i % 5, i % 5 + i % 3) END
FROM generate_series(1, 20000) i;
ANALYZE types_deployed;

-- a total is the sum of its parts, however they are grouped
SELECT change_failure_rate(failed),
    rate(count(*) FILTER (WHERE failed), count(failed)) AS counted,
    rate_sum(r),
    rate(sum(numerator(r))::bigint, sum(denominator(r))::bigint) AS summed
FROM types_deployed;
SELECT rate_sum(f), rate_sum(s)
FROM (SELECT change_failure_rate(failed) AS f, rate_sum(r) AS s
    FROM types_deployed GROUP BY team) g;
SELECT count(*) AS groups, count(*) FILTER (
        WHERE f = rate(n, t) AND s = rate(sn, st)) AS equal
FROM (SELECT change_failure_rate(failed) AS f, rate_sum(r) AS s,
        count(*) FILTER (WHERE failed) AS n, count(failed) AS t,
        sum(numerator(r))::bigint AS sn, sum(denominator(r))::bigint AS st
    FROM types_deployed GROUP BY GROUPING SETS ((team), (team, id % 3), ())) g;

-- what is kept a month makes the year
CREATE TEMP TABLE monthly AS
SELECT date '2024-01-01' + interval '1 month' * (id / 900) AS month,
    change_failure_rate(failed) AS rate
FROM types_deployed GROUP BY 1;
SELECT extract(year FROM month) AS year, rate_sum(rate)
FROM monthly GROUP BY 1 ORDER BY 1;
SELECT extract(year FROM date '2024-01-01' + interval '1 month' * (id / 900)) AS year,
    change_failure_rate(failed)
FROM types_deployed GROUP BY 1 ORDER BY 1;

-- parallel
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF)
SELECT change_failure_rate(failed), rate_sum(r) FROM types_deployed;
SELECT change_failure_rate(failed), rate_sum(r) FROM types_deployed;
SELECT change_failure_rate(failed), rate_sum(r) FROM types_deployed WHERE id < 0;
SELECT team, change_failure_rate(failed), rate_sum(r)
FROM types_deployed GROUP BY team ORDER BY team LIMIT 3;
SET max_parallel_workers_per_gather = 0;
SELECT change_failure_rate(failed), rate_sum(r) FROM types_deployed;
SELECT team, change_failure_rate(failed), rate_sum(r)
FROM types_deployed GROUP BY team ORDER BY team LIMIT 3;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

-- moving
SELECT id, failed, change_failure_rate(failed) OVER w, r, rate_sum(r) OVER w
FROM types_deployed
WHERE id BETWEEN 10 AND 22
WINDOW w AS (ORDER BY id ROWS 3 PRECEDING)
ORDER BY id;

-- equal to what is counted anew, whatever the frame
SELECT 'rows 29 preceding' AS frame, count(*) AS rows, count(*) FILTER (
    WHERE f = (SELECT change_failure_rate(failed) FROM types_deployed b
        WHERE b.id BETWEEN a.id - 29 AND a.id)
    AND s = (SELECT rate_sum(r) FROM types_deployed b
        WHERE b.id BETWEEN a.id - 29 AND a.id)) AS equal
FROM (SELECT id, change_failure_rate(failed) OVER w AS f, rate_sum(r) OVER w AS s
    FROM types_deployed WINDOW w AS (ORDER BY id ROWS 29 PRECEDING)) a
UNION ALL
SELECT 'rows 5 preceding, 5 following, partition', count(*), count(*) FILTER (
    WHERE f = (SELECT change_failure_rate(failed) FROM types_deployed b
        WHERE b.id IN (SELECT a.id + i * 13 FROM generate_series(-5, 5) i)))
FROM (SELECT id, change_failure_rate(failed) OVER w AS f
    FROM types_deployed
    WINDOW w AS (PARTITION BY team ORDER BY id
        ROWS BETWEEN 5 PRECEDING AND 5 FOLLOWING)) a
UNION ALL
SELECT 'range 10 preceding, exclude current row', count(*), count(*) FILTER (
    WHERE f = (SELECT change_failure_rate(failed) FROM types_deployed b
        WHERE b.id BETWEEN a.id - 10 AND a.id - 1))
FROM (SELECT id, change_failure_rate(failed) OVER (ORDER BY id
        RANGE 10 PRECEDING EXCLUDE CURRENT ROW) AS f
    FROM types_deployed WHERE id <= 1000) a
UNION ALL
SELECT 'rows 3 following, 5 following', count(*), count(*) FILTER (
    WHERE f = (SELECT change_failure_rate(failed) FROM types_deployed b
        WHERE b.id BETWEEN a.id + 3 AND a.id + 5))
FROM (SELECT id, change_failure_rate(failed) OVER (ORDER BY id
        ROWS BETWEEN 3 FOLLOWING AND 5 FOLLOWING) AS f
    FROM types_deployed) a;

-- The transition functions change their state in place only for an aggregate:
-- called by hand they must not change the row that they are given.
CREATE TEMP TABLE kept AS SELECT '4/23'::rate AS r;
SELECT rate_accum(r, true), rate_accum(r, false), rate_accum_inv(r, true),
    rate_combine(r, '1/4'), rate_combine_inv(r, '1/4'), r
FROM kept;
SELECT * FROM kept;
SELECT rate_accum('0/9223372036854775807', true);
SELECT rate_accum_inv('0/1', true);
SELECT rate_accum_inv('1/1', false);
SELECT rate_accum_inv('0/0', false);
SELECT rate_combine('0/9223372036854775807', '0/1');
SELECT rate_combine_inv('1/4', '2/4');

DROP TABLE types_deployed;
