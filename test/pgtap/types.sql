--
-- types: what the rate and its aggregates mean, rule by rule
--
BEGIN;
SET LOCAL search_path = changemgmt, public;
SET LOCAL extra_float_digits = 3;

SELECT plan(92);

--
-- The definitions that the metrics stand on
--
SELECT is(
    (SELECT change_failure_rate(i <= 4) FROM generate_series(1, 23) i),
    '4/23'::rate,
    'four failed of 23 is 4/23');
SELECT is(round('4/23'::rate::numeric, 4), 0.1739, '4/23 is 0.1739');
SELECT is('1/10'::rate::numeric, 0.1, 'one of ten is 0.1');
SELECT is((SELECT change_failure_rate(true) WHERE false), '0/0'::rate,
    'no rows give 0/0, not null');
SELECT is((SELECT change_failure_rate(NULL)), '0/0'::rate,
    'a null is not counted');
SELECT is((SELECT rate_sum(NULL)), '0/0'::rate, 'a null rate adds nothing');
SELECT is((SELECT rate_sum('1/1') WHERE false), '0/0'::rate,
    'the sum of no rates is 0/0');
SELECT is('0/0'::rate::double precision, NULL,
    '0/0 as double precision is null, not 0');
SELECT is('0/0'::rate::numeric, NULL, '0/0 as numeric is null, not 0');
SELECT is(wilson_low('0/0'), NULL, '0/0 has no lower bound');
SELECT is(wilson_high('0/0'), NULL, '0/0 has no upper bound');
SELECT is(
    (SELECT rate_sum(r) FROM unnest(ARRAY['1/10', '2/3', '1/10']::rate[]) r),
    '4/23'::rate,
    'months add up to their year');
SELECT is(rate(4, 23), '4/23'::rate, 'the constructor says what the text says');
SELECT is(numerator('4/23'), 4::bigint, 'the numerator is the failures');
SELECT is(denominator('4/23'), 23::bigint, 'the denominator is the total');
SELECT is('1/4'::rate + '3/19'::rate, '4/23'::rate, 'a sum takes both together');
SELECT is('4/23'::rate - '3/19'::rate, '1/4'::rate, 'a difference takes a part away');
SELECT is(rate_add('1/4', '3/19'), '4/23'::rate, 'rate_add is +');
SELECT is(rate_subtract('4/23', '3/19'), '1/4'::rate, 'rate_subtract is -');

--
-- Refusals, by their code
--
SELECT throws_ok($$SELECT '4 of 23'::rate$$, '22P02', NULL, 'a text of another form is refused');
SELECT throws_ok($$SELECT '-1/23'::rate$$, '22003', NULL, 'negative failures are refused');
SELECT throws_ok($$SELECT '1/-23'::rate$$, '22003', NULL, 'a negative total is refused');
SELECT throws_ok($$SELECT '24/23'::rate$$, '22003', NULL, 'more failures than the total are refused');
SELECT throws_ok($$SELECT '0/9223372036854775808'::rate$$, '22003', NULL, 'a total beyond bigint is refused');
SELECT throws_ok($$SELECT rate(-1, 23)$$, '22003', NULL, 'the constructor refuses negative failures');
SELECT throws_ok($$SELECT rate(24, 23)$$, '22003', NULL, 'the constructor refuses more failures than the total');
SELECT throws_ok($$SELECT rate_subtract('4/23', '5/23')$$, '22003', NULL, 'failures that are not there cannot be taken away');
SELECT throws_ok($$SELECT rate_subtract('4/23', '0/20')$$, '22003', NULL, 'successes that are not there cannot be taken away');
SELECT throws_ok($$SELECT rate_add('0/9223372036854775807', '0/1')$$, '22003', NULL, 'a sum beyond bigint is refused');
SELECT throws_ok($$SELECT rate_sum(r) FROM unnest(ARRAY['0/9223372036854775807', '0/1']::rate[]) r$$, '22003', NULL, 'so is that of the aggregate');
SELECT throws_ok(format('SELECT %s(%L, %L)', f, '4/23', c), '22023', NULL,
    format('%s refuses the confidence %s', f, c))
FROM unnest(ARRAY['wilson_low', 'wilson_high']) f,
    unnest(ARRAY['0', '1', '95', '-1', 'NaN', 'Infinity']) c;

-- From 16 on an input error can be asked for without being thrown.
SELECT current_setting('server_version_num')::integer >= 160000 AS soft \gset
\if :soft
SELECT ok(pg_input_is_valid('4/23', 'changemgmt.rate'), 'soft: a valid text');
SELECT is((SELECT sql_error_code FROM pg_input_error_info(t, 'changemgmt.rate')), code,
    format('soft: %s gives %s', t, code))
FROM (VALUES ('4', '22P02'), ('-1/5', '22003'), ('24/23', '22003'),
    ('0/9223372036854775808', '22003')) v (t, code);
\else
SELECT skip('input errors are thrown before PostgreSQL 16', 5);
\endif

--
-- Order: a total order that agrees with equality
--
CREATE TEMP TABLE small AS
SELECT rate(f, t) AS r
FROM generate_series(0, 8) f, generate_series(0, 8) t
WHERE f <= t;
SELECT results_eq(
    $$SELECT r FROM small ORDER BY r$$,
    $$SELECT r FROM small ORDER BY r::numeric NULLS LAST, denominator(r)$$,
    'by quotient, then by total, 0/0 last');
SELECT is_empty(
    $$SELECT * FROM small a, small b WHERE (a.r = b.r) <>
        (numerator(a.r) = numerator(b.r) AND denominator(a.r) = denominator(b.r))$$,
    'equal are equal counts');
SELECT is_empty(
    $$SELECT * FROM small a, small b
    WHERE (a.r < b.r)::int + (a.r = b.r)::int + (a.r > b.r)::int <> 1
        OR (a.r <= b.r) <> (a.r < b.r OR a.r = b.r)
        OR (a.r >= b.r) <> (a.r > b.r OR a.r = b.r)
        OR (a.r <> b.r) = (a.r = b.r)
        OR (a.r < b.r) <> (b.r > a.r)
        OR rate_cmp(a.r, b.r) <> -rate_cmp(b.r, a.r)$$,
    'one of less, equal and greater holds, and the others follow');
SELECT is_empty(
    $$SELECT * FROM small a, small b, small c WHERE a.r <= b.r AND b.r <= c.r AND a.r > c.r$$,
    'the order is transitive');
SELECT is_empty(
    $$SELECT * FROM small a, small b WHERE a.r = b.r AND (rate_hash(a.r) <> rate_hash(b.r)
        OR rate_hash_extended(a.r, 7) <> rate_hash_extended(b.r, 7))$$,
    'equal rates have equal hashes');
SELECT is_empty(
    $$SELECT * FROM small a, small b WHERE (a.r + b.r) - b.r <> a.r OR a.r + b.r <> b.r + a.r$$,
    'a difference undoes a sum, and a sum commutes');

--
-- The Wilson interval: published and independent values.
--
-- Newcombe, Two-sided confidence intervals for the single proportion,
-- Statistics in Medicine 17 (1998) 857-872, table I, method 3: four digits.
SELECT is(ARRAY[round(wilson_low(r)::numeric, 4), round(wilson_high(r)::numeric, 4)],
    bounds, 'published: ' || r)
FROM (VALUES ('81/263'::rate, ARRAY[0.2553, 0.3662]),
    ('15/148', ARRAY[0.0624, 0.1605]),
    ('0/20', ARRAY[0.0000, 0.1611]),
    ('1/29', ARRAY[0.0061, 0.1718])) v (r, bounds);

-- The definition, evaluated with 50 digits: relative to the bound it is right
-- to 1e-14, however small.
SELECT ok(abs(wilson_low(r, c) - low) <= 1e-14 * low
        AND abs(wilson_high(r, c) - high) <= 1e-14 * high,
    format('%s with confidence %s', r, c))
FROM (VALUES
    ('4/23'::rate, 0.95::double precision, 0.069786535630625675365::double precision, 0.37137647640226138169::double precision),
    ('0/10', 0.95, 0.0, 0.27753279986288917498),
    ('10/10', 0.95, 0.72246720013711082502, 1.0),
    ('1/10', 0.95, 0.017876213095072908876, 0.40415002679523843111),
    ('1/1000000000', 0.95, 1.7652455495696317964e-10, 5.6649342432974378632e-9),
    ('999999999999/1000000000000', 0.95, 0.99999999999433506573, 0.99999999999982347545),
    ('4611686018427387903/9223372036854775807', 0.95, 0.49999999967731912048, 0.50000000032268087941),
    ('1/9223372036854775807', 0.95, 1.9138830595772961966e-20, 6.1419340379234528339e-19),
    ('4/23', 1e-9, 0.17391304337920619385, 0.17391304357731554533),
    ('4/23', 0.5, 0.12707209133533222976, 0.23340368530269467227),
    ('4/23', 0.85, 0.08861188712607661094, 0.31311713647625679554),
    ('4/23', 0.8500001, 0.088611872535574221124, 0.31311717533282719816),
    ('4/23', 0.99, 0.05328271803462223803, 0.44055725711538039363),
    ('4/23', 0.999999, 0.022534435350890396569, 0.65782783422381063429),
    ('4/23', 0.9999999999, 0.014226221863586622316, 0.75436891810011928191),
    ('4/23', 0.99999999999999, 0.010377071488747931513, 0.80867693295609814584),
    ('2/7', 0.99999999999, 0.011493967453633893166, 0.93225090910502861613)
) v (r, c, low, high);

SELECT is(wilson_low('0/10'), 0::double precision, 'no failures: the lower bound is exactly 0');
SELECT is(wilson_high('10/10'), 1::double precision, 'all failures: the upper bound is exactly 1');
SELECT is(wilson_low('0/9223372036854775807', 0.999999), 0::double precision, 'however large the total: 0');
SELECT is(wilson_high('9223372036854775807/9223372036854775807', 1e-9), 1::double precision, 'and 1');
SELECT is_empty(
    $$SELECT * FROM small, unnest(ARRAY[1e-300, 1e-9, 0.1, 0.5, 0.85, 0.95, 0.999999, 1 - 1e-16]) c
    WHERE denominator(r) > 0 AND NOT (0 <= wilson_low(r, c)
        AND wilson_low(r, c) <= r::double precision
        AND r::double precision <= wilson_high(r, c)
        AND wilson_high(r, c) <= 1)$$,
    'the interval contains the rate, and lies within 0 and 1');
SELECT is_empty(
    $$SELECT * FROM small WHERE denominator(r) > 0
        AND abs(wilson_high(r) - (1 - wilson_low(rate(denominator(r) - numerator(r), denominator(r))))) > 1e-15$$,
    'failures and successes mirror each other');
SELECT is_empty(
    $$SELECT * FROM (SELECT r, c, wilson_high(r, c) - wilson_low(r, c) AS width,
            lag(wilson_high(r, c) - wilson_low(r, c)) OVER (PARTITION BY r ORDER BY c) AS before
        FROM small, generate_series(0.001, 0.999, 0.001) c WHERE denominator(r) > 0) w
    WHERE width <= before$$,
    'more confidence is a wider interval');
SELECT is(wilson_low('4/23'), wilson_low('4/23', 0.95), 'the confidence is 0.95 by default (low)');
SELECT is(wilson_high('4/23'), wilson_high('4/23', 0.95), 'the confidence is 0.95 by default (high)');

--
-- Finished as a type
--
SELECT is((SELECT count(*) FROM pg_type WHERE oid = 'rate'::regtype
        AND typlen = 16 AND NOT typbyval AND typalign = 'd' AND typstorage = 'p'
        AND typsend = 'rate_send'::regproc AND typreceive = 'rate_recv'::regproc),
    1::bigint, '16 bytes of fixed length, with a binary form');
SELECT is_empty(
    $$SELECT oprname FROM pg_operator WHERE oprleft = 'rate'::regtype
        AND oprname IN ('=', '<>', '<', '<=', '>', '>=')
        AND (oprcom = 0 OR oprnegate = 0 OR oprrest = 0 OR oprjoin = 0)$$,
    'each comparison has commutator, negator and both estimators');
SELECT is((SELECT count(*) FROM pg_operator WHERE oprleft = 'rate'::regtype),
    8::bigint, 'six comparisons, + and -');
SELECT results_eq(
    $$SELECT amname::text COLLATE "default", amvalidate(c.oid), opcdefault
        FROM pg_opclass c JOIN pg_am m ON m.oid = opcmethod
        WHERE opcintype = 'rate'::regtype ORDER BY 1$$,
    $$VALUES ('btree', true, true), ('hash', true, true)$$,
    'a valid default operator class for btree and hash');
SELECT is_empty(
    $$SELECT castsource::regtype, casttarget::regtype, castcontext FROM pg_cast
        WHERE (castsource = 'rate'::regtype OR casttarget = 'rate'::regtype)
        AND castcontext = 'i'$$,
    'no cast is implicit: none loses the sample size unasked');
SELECT is_empty(
    $$SELECT aggfnoid FROM pg_aggregate
        WHERE aggfnoid IN ('change_failure_rate(boolean)'::regprocedure,
                           'rate_sum(rate)'::regprocedure)
        AND (aggtranstype <> 'rate'::regtype OR aggmtranstype <> 'rate'::regtype
            OR aggcombinefn = 0 OR aggminvtransfn = 0 OR agginitval <> '0/0')$$,
    'both aggregates: transition type rate, combine and inverse');
CREATE TEMP VIEW mine AS
SELECT p.* FROM pg_proc p
WHERE p.pronamespace = 'changemgmt'::regnamespace
    AND (p.proname ~ '^rate(_|$)' OR p.proname IN ('numerator', 'denominator',
        'wilson_low', 'wilson_high', 'change_failure_rate'));
SELECT is((SELECT count(*) FROM mine), 29::bigint, 'the functions of the type are all here');
SELECT is_empty(
    $$SELECT proname FROM mine
        WHERE proparallel <> 's' OR provolatile <> 'i' OR (prokind = 'f' AND NOT proisstrict)$$,
    'every function is immutable, strict and parallel safe');
SELECT is_empty(
    $$SELECT proname FROM mine WHERE obj_description(oid, 'pg_proc') IS NULL
    UNION ALL SELECT oprname FROM pg_operator WHERE oprleft = 'rate'::regtype
        AND obj_description(oid, 'pg_operator') IS NULL
    UNION ALL SELECT opcname FROM pg_opclass WHERE opcintype = 'rate'::regtype
        AND obj_description(oid, 'pg_opclass') IS NULL
    UNION ALL SELECT 'cast' FROM pg_cast WHERE castsource = 'rate'::regtype
        AND obj_description(oid, 'pg_cast') IS NULL
    UNION ALL SELECT typname FROM pg_type WHERE oid = 'rate'::regtype
        AND obj_description(oid, 'pg_type') IS NULL$$,
    'everything has a comment');

SELECT * FROM finish();
ROLLBACK;
