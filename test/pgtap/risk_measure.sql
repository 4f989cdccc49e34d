-- risk: how good a score is (auc) and how honest a probability (brier).
--
-- Known answers: the ratings of 109 CT images of J. A. Hanley and B. J. McNeil,
-- Radiology 143 (1982) 29-36, whose area is 0.893; R's wilcox.test on mtcars;
-- sums by hand.

BEGIN;
SET LOCAL search_path = changemgmt, public;
SET LOCAL extra_float_digits = 3;
SELECT no_plan();

CREATE FUNCTION pg_temp.near(a float8, b float8, by float8 DEFAULT 1e-15) RETURNS boolean
	LANGUAGE sql AS 'SELECT abs(a - b) <= by';

-- ----------------------------------------------------------------
-- auc: known answers
-- ----------------------------------------------------------------

CREATE TEMP TABLE ct AS
SELECT rating::float8 AS score, failed
FROM (VALUES (1, 33, 3), (2, 6, 2), (3, 6, 2), (4, 11, 11), (5, 2, 33)) AS v (rating, normal, abnormal),
	LATERAL (SELECT false FROM generate_series(1, normal)
			 UNION ALL SELECT true FROM generate_series(1, abnormal)) AS f (failed);
SELECT is((SELECT auc(score, failed) FROM ct), 2642 / 2958.0::float8, 'Hanley and McNeil: W is 2642 of 58 * 51 pairs');
SELECT is(round((SELECT auc(score, failed) FROM ct)::numeric, 3), 0.893, 'that is the 0.893 that they give');

CREATE TEMP TABLE cars AS
SELECT * FROM unnest(
	'{2.62,2.875,2.32,3.215,3.44,3.46,3.57,3.19,3.15,3.44,3.44,4.07,3.73,3.78,5.25,5.424,5.345,2.2,1.615,1.835,2.465,3.52,3.435,3.84,3.845,1.935,2.14,1.513,3.17,2.77,3.57,2.78}'::float8[],
	'{6,6,4,6,8,6,8,4,4,6,6,8,8,8,8,8,8,4,4,4,4,8,8,8,8,4,4,4,8,6,8,4}'::float8[],
	'{1,1,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,1,1,0,0,0,0,0,1,1,1,1,1,1,1}'::integer[]) AS c (weight, cylinders, manual);
SELECT is((SELECT auc(weight, manual = 0) FROM cars), 230.5 / 247::float8, 'R, mtcars: W of weight is 230.5 of 13 * 19');
SELECT is((SELECT auc(cylinders, manual = 0) FROM cars), 194 / 247.0::float8, 'R, mtcars: W of cylinders, where most are ties, is 194');

SELECT is(auc(s, f), 1::float8, 'all that failed above all that did not') FROM (VALUES (1, false), (2, false), (3, true)) AS v (s, f);
SELECT is(auc(s, f), 0::float8, 'and below') FROM (VALUES (1, true), (2, false), (3, false)) AS v (s, f);
SELECT is(auc(7, f), 0.5::float8, 'one score for all tells nothing') FROM (VALUES (true), (false), (false)) AS v (f);
SELECT is(auc(s, f), 0.5::float8, '0 and -0 are one score') FROM (VALUES ('0'::float8, true), ('-0', false)) AS v (s, f);
SELECT is(auc(s, f), 1::float8, 'denormal, negative and infinite scores have their places')
FROM (VALUES ('-infinity'::float8, false), (-1e300, false), ('-4.9e-324', false), (0, false), ('4.9e-324', true), (1e300, true), ('infinity', true)) AS v (s, f);

-- ----------------------------------------------------------------
-- auc: what is missing and what is wrong
-- ----------------------------------------------------------------

SELECT is(auc(s, f), 1::float8, 'a row with a null is left out')
FROM (VALUES (1::float8, false), (NULL, true), (2, NULL), (NULL, NULL), (3, true)) AS v (s, f);
SELECT is(auc(1, true), NULL, 'null where nothing succeeded');
SELECT is(auc(1, false), NULL, 'null where nothing failed');
SELECT is((SELECT auc(1, true) WHERE false), NULL, 'null over no rows');
SELECT is(auc(NULL, NULL), NULL, 'null over nulls');
SELECT throws_ok('SELECT auc(''NaN'', true)', 'MC008', 'a score is NaN', 'NaN is no score');
SELECT throws_ok('SELECT auc(s, true) FROM unnest(''{1,NaN}''::float8[]) AS s', 'MC008', NULL, 'nor is it among others');

-- ----------------------------------------------------------------
-- auc: many rows, however they are added up
-- ----------------------------------------------------------------

-- 200,000 rows: above one run, and in 64 kB of work_mem far above memory; a
-- table that is read in parallel must not be temporary
CREATE UNLOGGED TABLE regress_scores AS
SELECT i, ((i * 7919::bigint) % 200003) / 1000.0::float8 - 150 AS score, i * 7 % 41 AS coarse, i * 31 % 13 = 0 AS failed
FROM generate_series(1, 200000) AS i;
ANALYZE regress_scores;
-- the statistic from ranks, in numeric
CREATE FUNCTION pg_temp.from_ranks(scores float8[], failures boolean[]) RETURNS numeric LANGUAGE sql AS $$
	SELECT (sum(r) FILTER (WHERE f) - count(*) FILTER (WHERE f) * (count(*) FILTER (WHERE f) + 1) / 2)
		/ (count(*) FILTER (WHERE f) * count(*) FILTER (WHERE NOT f))::numeric
	FROM (SELECT f, rank() OVER (ORDER BY s) + (count(*) OVER (PARTITION BY s) - 1) / 2.0 AS r
		  FROM unnest(scores, failures) AS u (s, f)) AS ranked
$$;
CREATE TEMP TABLE wanted AS
SELECT pg_temp.from_ranks(array_agg(score), array_agg(failed))::float8 AS score,
	pg_temp.from_ranks(array_agg(coarse), array_agg(failed))::float8 AS coarse
FROM regress_scores;
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT ok(pg_temp.near(auc(r.score, failed), min(w.score)) AND pg_temp.near(auc(r.coarse, failed), min(w.coarse)),
	'200,000 rows: the ranks say the same') FROM regress_scores AS r, wanted AS w;
SET LOCAL work_mem = '64kB';
SELECT ok(pg_temp.near(auc(r.score, failed), min(w.score)) AND pg_temp.near(auc(r.coarse, failed), min(w.coarse)),
	'so they do from a temporary file') FROM regress_scores AS r, wanted AS w;
SELECT ok(pg_temp.near(auc(r.score, failed ORDER BY r.score DESC), min(w.score)), 'in another order') FROM regress_scores AS r, wanted AS w;
SELECT ok(bool_and(a = (SELECT auc(r.score, r.failed) FROM regress_scores AS r WHERE r.i / 40000 <= w.part)) AND count(*) = 6,
	'a result is taken on the way, and the next rows come on top of it')
FROM (SELECT DISTINCT i / 40000 AS part, auc(score, failed) OVER (ORDER BY i / 40000) AS a FROM regress_scores) AS w;
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS
	'BEGIN RETURN QUERY EXECUTE ''EXPLAIN (COSTS off) '' || query; END';
SELECT ok(bool_or(p LIKE '%Partial Aggregate%'), 'it is added up in parallel')
FROM pg_temp.plan_of('SELECT auc(score, failed), brier(0.5, failed) FROM regress_scores') AS p;
CREATE TEMP TABLE found AS
SELECT auc(score, failed) AS score, auc(coarse, failed) AS coarse, brier((score + 150) / 301, failed) AS brier FROM regress_scores;
SELECT ok(pg_temp.near(f.score, w.score) AND pg_temp.near(f.coarse, w.coarse), 'parts that went through files and workers make the same')
FROM found AS f, wanted AS w;
SELECT ok(bool_and(pg_temp.near(a, b)), 'groups')
FROM (SELECT auc(score, failed) AS a, pg_temp.from_ranks(array_agg(score), array_agg(failed))::float8 AS b FROM regress_scores GROUP BY i % 7) AS g;
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL work_mem = '4MB';
SELECT is((SELECT brier((score + 150) / 301, failed) FROM regress_scores), brier, 'brier is the same to the last bit, in parallel or not') FROM found;
SELECT is((SELECT brier((score + 150) / 301, failed ORDER BY score) FROM regress_scores), brier, 'and in any order') FROM found;
SELECT ok(pg_temp.near((SELECT avg(((score + 150) / 301 - failed::integer) ^ 2) FROM regress_scores), brier, 1e-13), 'and it is that mean') FROM found;

-- ----------------------------------------------------------------
-- brier
-- ----------------------------------------------------------------

SELECT is(brier(p, f), (0.04 + 0.01 + 0.25) / 3::float8, 'by hand: 0.2^2, 0.1^2, 0.5^2')
FROM (VALUES (0.8, true), (0.1, false), (0.5, false)) AS v (p, f);
SELECT is(brier(p, f), 0::float8, 'who knew everything has 0') FROM (VALUES (1, true), (0, false)) AS v (p, f);
SELECT is(brier(p, f), 1::float8, 'who had everything wrong has 1') FROM (VALUES (0, true), (1, false)) AS v (p, f);
SELECT is(brier(0.5, f), 0.25::float8, 'who always says one half has a quarter') FROM (VALUES (true), (false), (true)) AS v (f);
SELECT ok(pg_temp.near(brier(0.2, i % 5 = 0), 0.2 * 0.8), 'the base rate b has b (1 - b)') FROM generate_series(1, 1000) AS i;
SELECT is(brier(p, f), 0.25::float8, 'a row with a null is left out') FROM (VALUES (0.5, true), (NULL, true), (0.5, NULL)) AS v (p, f);
SELECT is((SELECT brier(0.5, true) WHERE false), NULL, 'null over no rows');
SELECT throws_ok(format('SELECT brier(%L, true)', p), 'MC008', NULL, format('%s is no probability', p))
FROM unnest('{-0.1,1.0000001,50,NaN,Infinity,-Infinity}'::text[]) AS p;
SELECT lives_ok('SELECT brier(''-0'', true)', '-0 is 0');

-- it moves with a window, exactly
CREATE TEMP TABLE said AS SELECT i, (i * 37 % 101) / 100.0 AS p, i % 3 = 0 AS f FROM generate_series(1, 500) AS i;
INSERT INTO said SELECT i, 1e-9 * i, false FROM generate_series(501, 600) AS i;
SELECT is(count(*), 600::bigint, 'each place of a moving window has what its rows alone have')
FROM (SELECT s.i, brier(p, f) OVER (ORDER BY i ROWS 29 PRECEDING) AS moved FROM said AS s) AS w
WHERE moved = (SELECT brier(p, f) FROM said AS s WHERE s.i BETWEEN w.i - 29 AND w.i);
SELECT is(brier_accum_inv(brier_accum(state, p, f), p, f), state, format('%s, %s goes in and out again', p, f))
FROM (VALUES ('{3,1,5}'::bigint[], 0.3::float8, true), ('{1,0,4611686018427387903}', 0, true), ('{0,0,0}', 1, true), ('{2,2,0}', 1e-20, false)) AS v (state, p, f);
SELECT is(brier_combine('{2,0,4611686018427387903}', '{1,0,1}'), '{3,1,0}'::bigint[], 'parts add up to ones');

-- what is given by hand, or by another server
SELECT throws_ok(format('SELECT brier_combine(''{0,0,0}'', %L)', state), '22023', NULL, format('%s is no state', state))
FROM unnest(ARRAY['{}', '{0,0}', '{0,0,0,0}', '{{0,0,0}}', '{0,NULL,0}', '{-1,0,0}', '{1,-1,0}', '{1,2,0}', '{1,0,-1}', '{0,0,1}', '{1,1,1}',
	'{3,0,4611686018427387904}', '{-1,-1,0}']) AS state;
SELECT throws_ok('SELECT brier_accum_inv(''{0,0,0}'', 0, false)', '22003', NULL, 'nothing comes out of nothing');
SELECT throws_ok('SELECT brier_accum_inv(''{2,0,0}'', 1, false)', '22003', NULL, 'nor what is not in it');
SELECT throws_ok('SELECT brier_accum_inv(''{2,2,0}'', 0, false)', '22003', NULL, 'nor what would leave too much');
SELECT throws_ok('SELECT brier_accum(''{9223372036854775807,0,0}'', 0, false)', '22003', NULL, 'a count beyond bigint');
SELECT throws_ok('SELECT brier_combine(''{9223372036854775807,0,0}'', ''{1,0,0}'')', '22003', NULL, 'and of two together');
SELECT is(brier_final('{9223372036854775807,9223372036854775807,0}'), 1::float8, 'the greatest state');
SELECT throws_ok('SELECT auc_final(NULL)', '42883', NULL, 'what is internal cannot be called');
SELECT is(state, '{1,0,0}'::bigint[], 'a stored state is not written to')
FROM (VALUES ('{1,0,0}'::bigint[])) AS v (state), LATERAL (SELECT brier_accum(state, 1, false)) AS after WHERE after IS NOT NULL;

SELECT * FROM finish();
ROLLBACK;
