-- risk: a logistic regression that runs in the database, and what it is worth.
--
-- Known answers: L. Spector and M. Mazzeo, Journal of Economic Education 11
-- (1980) 37-44, as W. H. Greene, Econometric Analysis, prints them; R's glm on
-- iris and mtcars, iterated to the end.  With the features as real, Spector's
-- log-likelihood is the -12.8896334653335 that other programs print.

BEGIN;
SET LOCAL search_path = public, changemgmt;
SELECT no_plan();

CREATE FUNCTION pg_temp.near(a float8, b float8, by float8 DEFAULT 1e-6) RETURNS boolean
	LANGUAGE sql AS 'SELECT abs(a - b) <= by * greatest(1, abs(b))';
CREATE FUNCTION pg_temp.refusal(statement text, OUT said text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	said := 'nothing';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	said := sqlstate || ' ' || sqlerrm;
END $$;
-- where the coefficients of a version differ from the known ones, with errors
CREATE FUNCTION pg_temp.differences(version integer, names text[], coefficients float8[], errors float8[]) RETURNS bigint
	LANGUAGE sql AS $$
	SELECT count(*) FROM unnest(names, coefficients, errors) WITH ORDINALITY AS k (feature, coefficient, standard_error, position)
	FULL JOIN (SELECT * FROM changemgmt.risk_model_coefficient AS c WHERE c.version = $1) AS f USING (position)
	WHERE f.feature = k.feature AND pg_temp.near(f.coefficient, k.coefficient) AND pg_temp.near(f.standard_error, k.standard_error)
		AND pg_temp.near(f.z, k.coefficient / k.standard_error) IS NOT TRUE OR f.feature IS DISTINCT FROM k.feature
		OR pg_temp.near(f.coefficient, k.coefficient) IS NOT TRUE OR pg_temp.near(f.standard_error, k.standard_error) IS NOT TRUE
$$;

-- ----------------------------------------------------------------
-- Known answers
-- ----------------------------------------------------------------

CREATE TABLE regress_spector AS
SELECT gpa, tuce, psi = 1 AS psi, grade = 1 AS grade FROM unnest(
	'{2.66,2.89,3.28,2.92,4.00,2.86,2.76,2.87,3.03,3.92,2.63,3.32,3.57,3.26,3.53,2.74,2.75,2.83,3.12,3.16,2.06,3.62,2.89,3.51,3.54,2.83,3.39,2.67,3.65,4.00,3.10,2.39}'::float8[],
	'{20,22,24,12,21,17,17,21,25,29,20,23,23,25,26,19,25,19,23,25,22,28,14,26,24,27,17,24,21,23,21,19}'::integer[],
	'{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1,1,1,1,1,1}'::integer[],
	'{0,0,0,0,1,0,0,0,0,1,0,0,0,1,0,0,0,0,0,1,0,1,0,0,1,1,1,0,1,1,0,1}'::integer[]) AS s (gpa, tuce, psi, grade);
CREATE TABLE regress_iris AS
SELECT *, i > 50 AS virginica FROM unnest(
	'{7,6.4,6.9,5.5,6.5,5.7,6.3,4.9,6.6,5.2,5,5.9,6,6.1,5.6,6.7,5.6,5.8,6.2,5.6,5.9,6.1,6.3,6.1,6.4,6.6,6.8,6.7,6,5.7,5.5,5.5,5.8,6,5.4,6,6.7,6.3,5.6,5.5,5.5,6.1,5.8,5,5.6,5.7,5.7,6.2,5.1,5.7,6.3,5.8,7.1,6.3,6.5,7.6,4.9,7.3,6.7,7.2,6.5,6.4,6.8,5.7,5.8,6.4,6.5,7.7,7.7,6,6.9,5.6,7.7,6.3,6.7,7.2,6.2,6.1,6.4,7.2,7.4,7.9,6.4,6.3,6.1,7.7,6.3,6.4,6,6.9,6.7,6.9,5.8,6.8,6.7,6.7,6.3,6.5,6.2,5.9}'::float8[],
	'{3.2,3.2,3.1,2.3,2.8,2.8,3.3,2.4,2.9,2.7,2,3,2.2,2.9,2.9,3.1,3,2.7,2.2,2.5,3.2,2.8,2.5,2.8,2.9,3,2.8,3,2.9,2.6,2.4,2.4,2.7,2.7,3,3.4,3.1,2.3,3,2.5,2.6,3,2.6,2.3,2.7,3,2.9,2.9,2.5,2.8,3.3,2.7,3,2.9,3,3,2.5,2.9,2.5,3.6,3.2,2.7,3,2.5,2.8,3.2,3,3.8,2.6,2.2,3.2,2.8,2.8,2.7,3.3,3.2,2.8,3,2.8,3,2.8,3.8,2.8,2.8,2.6,3,3.4,3.1,3,3.1,3.1,3.1,2.7,3.2,3.3,3,2.5,3,3.4,3}'::float8[],
	'{4.7,4.5,4.9,4,4.6,4.5,4.7,3.3,4.6,3.9,3.5,4.2,4,4.7,3.6,4.4,4.5,4.1,4.5,3.9,4.8,4,4.9,4.7,4.3,4.4,4.8,5,4.5,3.5,3.8,3.7,3.9,5.1,4.5,4.5,4.7,4.4,4.1,4,4.4,4.6,4,3.3,4.2,4.2,4.2,4.3,3,4.1,6,5.1,5.9,5.6,5.8,6.6,4.5,6.3,5.8,6.1,5.1,5.3,5.5,5,5.1,5.3,5.5,6.7,6.9,5,5.7,4.9,6.7,4.9,5.7,6,4.8,4.9,5.6,5.8,6.1,6.4,5.6,5.1,5.6,6.1,5.6,5.5,4.8,5.4,5.6,5.1,5.1,5.9,5.7,5.2,5,5.2,5.4,5.1}'::float8[],
	'{1.4,1.5,1.5,1.3,1.5,1.3,1.6,1,1.3,1.4,1,1.5,1,1.4,1.3,1.4,1.5,1,1.5,1.1,1.8,1.3,1.5,1.2,1.3,1.4,1.4,1.7,1.5,1,1.1,1,1.2,1.6,1.5,1.6,1.5,1.3,1.3,1.3,1.2,1.4,1.2,1,1.3,1.2,1.3,1.3,1.1,1.3,2.5,1.9,2.1,1.8,2.2,2.1,1.7,1.8,1.8,2.5,2,1.9,2.1,2,2.4,2.3,1.8,2.2,2.3,1.5,2.3,2,2,1.8,2.1,1.8,1.8,1.8,2.1,1.6,1.9,2,2.2,1.5,1.4,2.3,2.4,1.8,1.8,2.1,2.4,2.3,1.9,2.3,2.5,2.3,1.9,2,2.3,1.8}'::float8[]) WITH ORDINALITY AS s (sepal_length, sepal_width, petal_length, petal_width, i);
CREATE TABLE regress_cars AS
SELECT hp, wt, am = 1 AS am FROM unnest(
	'{110,110,93,110,175,105,245,62,95,123,123,180,180,180,205,215,230,66,52,65,97,150,150,245,175,66,91,113,264,175,335,109}'::integer[],
	'{2.62,2.875,2.32,3.215,3.44,3.46,3.57,3.19,3.15,3.44,3.44,4.07,3.73,3.78,5.25,5.424,5.345,2.2,1.615,1.835,2.465,3.52,3.435,3.84,3.845,1.935,2.14,1.513,3.17,2.77,3.57,2.78}'::numeric[],
	'{1,1,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,1,1,0,0,0,0,0,1,1,1,1,1,1,1}'::integer[]) AS s (hp, wt, am);

SELECT ok(version = 1 AND trained_rows = 32 AND trained_failures = 11, 'spector: 32 rows, 11 with the better grade')
FROM fit_risk_model('regress_spector', '{gpa,tuce,psi}', 'grade');
SELECT is(pg_temp.differences(1, '{(intercept),gpa,tuce,psi}', '{-13.02134686,2.82611259,0.09515766,2.37868766}',
	'{4.93132421,1.26294108,0.14155421,1.06456425}'), 0::bigint, 'spector: coefficients and errors as Greene prints them');
SELECT ok(pg_temp.near(log_likelihood, -12.8896334653335, 1e-12) AND pg_temp.near(deviance, 2 * 12.8896334653335, 1e-12)
	AND pg_temp.near(null_deviance, 2 * 20.5917296966173, 1e-12), 'spector, as real: log-likelihood -12.8896334653335, of the base rate -20.5917296966173')
FROM fit_risk_model('SELECT gpa::real, tuce::smallint, psi, grade FROM regress_spector', '{gpa,tuce,psi}', 'grade');
SELECT is((SELECT count(*) FROM risk_model_coefficient AS c JOIN unnest('{-13.0213483201,2.82611297201,0.0951576702557,2.37868772835}'::float8[])
	WITH ORDINALITY AS k (coefficient, position) USING (position) WHERE version = 2 AND pg_temp.near(c.coefficient, k.coefficient, 1e-11)), 4::bigint,
	'and its coefficients those that other programs print');
SELECT ok(pg_temp.near(deviance, 11.898546791358841) AND pg_temp.near(null_deviance, 138.62943611198907), 'iris: deviance as R''s')
FROM fit_risk_model('regress_iris', '{sepal_length,sepal_width,petal_length,petal_width}', 'virginica');
SELECT is(pg_temp.differences(3, '{(intercept),sepal_length,sepal_width,petal_length,petal_width}',
	'{-42.6378038130219181,-2.4652201951866721,-6.6808870140785510,9.4293851539266456,18.2861368878509829}',
	'{25.7076608331620911,2.3943010185352267,4.4795645666009714,4.7372077003165813,9.7426121398268695}'), 0::bigint, 'iris: coefficients and errors as R''s');
SELECT ok(pg_temp.near(deviance, 10.059110472266987), 'mtcars: deviance as R''s') FROM fit_risk_model('regress_cars', '{hp,wt}', 'am');
SELECT is(pg_temp.differences(4, '{(intercept),hp,wt}', '{18.866298717204141866,0.036255596082216603,-8.083475182444646023}',
	'{7.443558427981708192,0.017734154331947014,3.068675275390587043}'), 0::bigint, 'mtcars: coefficients and errors as R''s');
-- the minimum of the penalised deviance, found by R's optim and by Newton steps
SELECT lives_ok($$SELECT fit_risk_model('regress_cars', '{hp,wt}', 'am', ridge => 1)$$, 'mtcars, with a ridge');
SELECT ok(bool_and(pg_temp.near(c.coefficient, k.coefficient)) AND count(*) = 2, 'the coefficients that R''s optim finds')
FROM risk_model_coefficient AS c JOIN (VALUES ('hp', 0.0081538120262940276), ('wt', -2.4068159453000181891)) AS k (feature, coefficient) USING (feature)
WHERE version = 5;
SELECT ok(bool_and(pg_temp.near(c.standardised, k.standardised)) AND count(*) = 2, 'standardised, too')
FROM risk_model_coefficient AS c JOIN (VALUES ('hp', 0.55024427420907174), ('wt', -2.31787856359934263)) AS k (feature, standardised) USING (feature)
WHERE version = 5;

-- the order of rows, parts and workers makes no difference worth the name
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
ANALYZE regress_iris;
SELECT ok(pg_temp.near(deviance, 11.898546791358841), 'iris, in parallel')
FROM fit_risk_model('TABLE regress_iris', '{sepal_length,sepal_width,petal_length,petal_width}', 'virginica');
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS
	'BEGIN RETURN QUERY EXECUTE ''EXPLAIN (COSTS off) '' || query; END';
SELECT ok(bool_or(p LIKE '%Partial Aggregate%'), 'a round is added up in parallel')
FROM pg_temp.plan_of('SELECT risk_fit_round(''{0,0,0,0,1,1}'', virginica, sepal_length, sepal_width), risk_fit_summary(virginica, sepal_length) FROM regress_iris') AS p;
SET LOCAL max_parallel_workers_per_gather = 0;
-- a round is Newton's: halves that are combined are the whole
SELECT ok(bool_and(pg_temp.near(a, b, 1e-14)), 'two halves of a summary are the whole')
FROM (SELECT risk_fit_summary_combine(
		(SELECT risk_fit_summary(virginica, sepal_length, petal_width) FROM regress_iris WHERE i % 3 = 0),
		(SELECT risk_fit_summary(virginica, sepal_length, petal_width) FROM regress_iris WHERE i % 3 > 0)) AS parts,
	(SELECT risk_fit_summary(virginica, sepal_length, petal_width) FROM regress_iris) AS whole) AS s, unnest(parts, whole) AS u (a, b);
SELECT ok(bool_and(pg_temp.near(f.m, k.m, 1e-13)), 'which counts, means, squares and ends are')
FROM (SELECT risk_fit_summary(virginica, sepal_length, petal_width) AS s, ARRAY[2, count(*), count(*) FILTER (WHERE virginica),
	0, 0, avg(sepal_length), var_pop(sepal_length) * count(*), min(sepal_length), max(sepal_length),
	0, 0, avg(petal_width), var_pop(petal_width) * count(*), min(petal_width), max(petal_width)] AS known FROM regress_iris) AS r,
	unnest(s, known) AS u (a, b), LATERAL (SELECT a) AS f (m), LATERAL (SELECT b) AS k (m);
SELECT is(risk_fit_summary(f, x), '{1,3,1,1,1,2,0,2,2}'::float8[], 'what is null and what is not finite is counted apart; a row without outcome is none')
FROM (VALUES (true, 2::float8), (false, NULL), (false, 'NaN'), (NULL, 7)) AS v (f, x);
SELECT is(risk_fit_round('{0,0,0,1}', f, x), ARRAY[1, 2, 1, 4 * ln(2::float8), 0, 2, 0.5, -0.5, 2.5], 'a round by hand: at probability 1/2')
FROM (VALUES (true, 1::float8), (false, -3), (NULL, NULL)) AS v (f, x);

-- ----------------------------------------------------------------
-- What has no answer
-- ----------------------------------------------------------------

CREATE TABLE regress_past AS
SELECT n, n % 7 AS x, n * 3 % 10 AS y, n % 2 = 0 AS even, 'word' || n % 3 AS word, n * 5 % 11 < n % 7 AS failed,
	timestamptz '2026-01-01 12:00+00' + n * interval '1 day' AS at
FROM generate_series(1, 200) AS n;
ANALYZE regress_past;
CREATE TEMP TABLE wrong (place integer GENERATED ALWAYS AS IDENTITY, call text, said text);
INSERT INTO wrong (call, said) VALUES
	('NULL, ''{x}''', 'a fit needs a source, features and an outcome'),
	(''''', ''{x}''', 'a fit needs a source, features and an outcome'),
	('''regress_past'', NULL', 'a fit needs a source, features and an outcome'),
	('''regress_past'', ''{}''', '0 features are not between 1 and 64'),
	('''regress_past'', array_fill(''x''::text, ARRAY[65])', '65 features are not between 1 and 64'),
	('''regress_past'', ''{x,NULL}''', 'the name of a feature is null'),
	('''regress_past'', ''{x,y,x}''', 'feature "x" is named twice'),
	('''regress_past'', ''{x,failed}''', 'feature "failed" is the outcome'),
	('''regress_past'', ''{z}''', 'the source has no column "z"'),
	('''regress_past'', ''{x}'', ''lost''', 'the source has no column "lost"'),
	('''regress_past'', ''{x}'', ''y''', 'the outcome "y" is not a boolean'),
	('''regress_past'', ''{word}''', 'feature "word" is neither a number nor a boolean'),
	('''regress_past'', ''{at}''', 'feature "at" is neither a number nor a boolean'),
	('''regress_past'', ''{x}'', at => ''y''', '"y" is not a time'),
	('''regress_past'', ''{x}'', split => now()', 'a split needs to know the column of the time'),
	('''regress_past'', ''{x}'', against => ''y''', 'scores are compared over the rows after the split, which needs the column of the time'),
	('''regress_past'', ''{x}'', at => ''at'', against => ''word''', '"word" is not a number'),
	('''regress_past'', ''{x}'', ridge => -1', 'ridge -1 is not between 0 and 1e12'),
	('''regress_past'', ''{x}'', ridge => ''NaN''', 'ridge NaN is not between 0 and 1e12'),
	('''regress_past'', ''{x}'', ridge => ''Infinity''', 'ridge Infinity is not between 0 and 1e12'),
	('''nowhere'', ''{x}''', 'relation "nowhere" does not exist'),
	('''no such.thing!'', ''{x}''', 'relation "no such.thing!" does not exist'),
	('''SELECT * FROM regress_past; SELECT 1'', ''{x}''', 'the source is not one query'),
	('''SELECT * INTO regress_other FROM regress_past'', ''{x}''', 'the source is not one query'),
	('''SELECT * FROM regress_past WHERE false'', ''{x}''', 'there is no row with an outcome to learn from'),
	('''SELECT x, NULL::boolean AS failed FROM regress_past'', ''{x}''', 'there is no row with an outcome to learn from'),
	('''regress_past'', ''{x}'', at => ''at'', split => ''2025-01-01''', 'there is no row with an outcome to learn from before the split'),
	('''SELECT x, NULLIF(at, ''''2026-01-02 12:00+00'''') AS at, failed FROM regress_past'', ''{x}'', at => ''at''', '"at" is null in some rows'),
	('''SELECT x, true AS failed FROM regress_past'', ''{x}''', 'all of 200 rows failed'),
	('''SELECT x, false AS failed FROM regress_past'', ''{x}''', 'none of 200 rows failed'),
	('''SELECT x, n <= 9 AS failed FROM regress_past'', ''{x}''', '9 of 200 rows failed: 9 of either kind are too few for 1 features'),
	('''SELECT x, n > 9 AS failed FROM regress_past'', ''{x}''', '191 of 200 rows failed: 9 of either kind are too few for 1 features'),
	('''SELECT NULLIF(x, 3) AS x, failed FROM regress_past'', ''{x}''', 'feature "x" is null in 29 of 200 rows'),
	('''SELECT CASE n WHEN 7 THEN ''''NaN'''' ELSE x::float8 END AS x, failed FROM regress_past'', ''{x}''', 'feature "x" is NaN or infinite in 1 of 200 rows'),
	('''SELECT CASE n WHEN 7 THEN ''''-Infinity'''' ELSE x::numeric END AS x, failed FROM regress_past'', ''{x}''', 'feature "x" is NaN or infinite in 1 of 200 rows'),
	('''SELECT x, y * 0 + 4 AS y, failed FROM regress_past'', ''{x,y}''', 'feature "y" is the same in all rows: 4'),
	('''SELECT x, at, at > ''''2026-06-01'''' AS late, failed FROM regress_past'', ''{x,late}'', at => ''at'', split => ''2026-06-01''', 'feature "late" is the same in all rows before the split: 0'),
	('''SELECT x * 1e300 AS x, failed FROM regress_past'', ''{x}''', 'the values of feature "x" are too large'),
	('''SELECT x, 1 - 3 * x AS z, failed FROM regress_past'', ''{x,z}''', 'feature "z" follows from "x"'),
	('''SELECT x, y, n, 1e6 + x / 7.0 - 2 * y AS z, failed FROM regress_past'', ''{x,n,y,z}''', 'feature "z" follows from "x", "y"'),
	('''SELECT x, y, failed AND n % 3 > 0 AS leak, failed FROM regress_past'', ''{x,y,leak}''', 'the coefficients grow without end: the outcome of some rows is told perfectly by "leak"'),
	('''SELECT y, x + 1000 * failed::integer AS leak, failed FROM regress_past'', ''{leak}''', 'the coefficients grow without end: the outcome of some rows is told perfectly by "leak"'),
	('''SELECT x, n = 5 AS once, failed FROM regress_past'', ''{x,once}''', 'the coefficients grow without end: the outcome of some rows is told perfectly by "once"'),
	('''SELECT x, failed FROM regress_past, LATERAL (SELECT random() WHERE n > 0) AS r (v) WHERE v < 0.9'', ''{x}''', 'the source gives other rows each time it is read');
SELECT is(r.said, 'MC008 ' || w.said, left(call, 120)) FROM wrong AS w, LATERAL pg_temp.refusal(format('SELECT changemgmt.fit_risk_model(%s)', call)) AS r
WHERE call NOT LIKE '%random()%' ORDER BY place;
SELECT is((SELECT count(*) FROM wrong AS w, LATERAL pg_temp.refusal(format('SELECT changemgmt.fit_risk_model(%s)', call)) AS r WHERE coalesce(hint, '') = ''), 0::bigint,
	'each of them with a word on what helps');
SELECT matches(r.said, '^MC008 (the source gives other rows|\d+ of)', 'a source that is another one each time') FROM wrong AS w, LATERAL pg_temp.refusal(format('SELECT changemgmt.fit_risk_model(%s)', call)) AS r
WHERE call LIKE '%random()%';
SELECT is(r.said, 'MC008 feature "x" is null in 7 of 50 rows from the split on', 'what is missing later is found later')
FROM pg_temp.refusal($$SELECT changemgmt.fit_risk_model('SELECT CASE WHEN n <= 150 OR x <> 3 THEN x END AS x, failed, at FROM regress_past', '{x}', at => 'at', split => '2026-05-31 18:00+00')$$) AS r;
SELECT throws_ok($$SELECT changemgmt.fit_risk_model('SELECT', '{x}')$$, 'MC008', 'the source has no column "x"', 'a query of nothing has no columns');
SELECT throws_ok($$SELECT changemgmt.fit_risk_model('SELECT FROM WHERE', '{x}')$$, '42601', NULL, 'a query that is none is the server''s matter');
SELECT throws_ok($$SELECT changemgmt.fit_risk_model('SELECT 1 / 0 AS x, failed FROM regress_past', '{x}')$$, '22012', NULL, 'and so are its errors');
SELECT throws_ok($$SELECT changemgmt.fit_risk_model('WITH gone AS (DELETE FROM regress_past RETURNING *) SELECT * FROM gone', '{x}')$$, '0A000', NULL,
	'a source that writes is refused');
SELECT is((SELECT count(*) FROM risk_model), 6::bigint, 'of all that nothing is kept');

-- a ridge gives separated and collinear features an answer
SELECT lives_ok($$SELECT fit_risk_model('SELECT x, n = 5 AS once, failed FROM regress_past', '{x,once}', ridge => 1)$$, 'separated, with a ridge');
SELECT lives_ok($$SELECT fit_risk_model('SELECT x, 1 - 3 * x AS z, failed FROM regress_past', '{x,z}', ridge => 1)$$, 'collinear, with a ridge');
SELECT ok(bool_and(pg_temp.near(a.standardised, -b.standardised, 1e-9)), 'features that say the same share it')
FROM risk_model_coefficient AS a, risk_model_coefficient AS b WHERE a.version = 8 AND b.version = 8 AND a.feature = 'x' AND b.feature = 'z';
SELECT ok(pg_temp.near(deviance, null_deviance, 1e-4), 'under an enormous ridge nothing is left but the base rate')
FROM fit_risk_model('regress_past', '{x,y,even}', ridge => 1e12);
-- units do not matter
SELECT ok(pg_temp.near(a.deviance, b.deviance, 1e-12), 'nor does the unit of a feature matter')
FROM fit_risk_model('regress_past', '{x,y}') AS a, fit_risk_model('SELECT x * 1e-9 AS x, y * 1e9 - 5e9 AS y, failed FROM regress_past', '{x,y}') AS b;
-- hardly overlapping is not separated
SELECT ok(rounds < 40 AND trained_rows = 2000, 'one row on the wrong side is enough for an answer')
FROM fit_risk_model('SELECT n::float8 AS x, n > 1000 OR n = 990 AS failed FROM generate_series(1, 2000) AS n', '{x}');

-- what names come to
CREATE SCHEMA "regress Odd";
CREATE TABLE "regress Odd"."Past; DROP" AS SELECT x AS "X y", failed AS "Fa""iled", at AS "WHERE" FROM regress_past;
SELECT lives_ok($$SELECT fit_risk_model('"regress Odd"."Past; DROP"', '{"X y"}', 'Fa"iled', 'WHERE')$$, 'names are quoted');
SELECT lives_ok($$SELECT fit_risk_model('  WITH w AS (SELECT * FROM regress_past) SELECT * FROM w -- with a remark', '{x}')$$, 'a query may end in a remark');
SELECT lives_ok($$SELECT fit_risk_model('(SELECT * FROM regress_past) UNION ALL TABLE regress_past;', '{x}')$$, 'or a semicolon');

-- ----------------------------------------------------------------
-- Out of time
-- ----------------------------------------------------------------

CREATE TEMP TABLE fitted AS
SELECT * FROM fit_risk_model('SELECT *, 100 - y AS hand FROM regress_past', '{x,y}', at => 'at', split => '2026-06-01 00:00+00', against => 'hand');
SELECT ok(trained_rows = 150 AND tested_rows = 50, 'rows before the split are learned from, those after tested with') FROM fitted;
CREATE TEMP TABLE later AS
SELECT risk_model_predict(f.version, jsonb_build_object('x', x, 'y', y, 'more', 'ignored')) AS p, failed, 100 - y AS hand
FROM regress_past, fitted AS f WHERE at >= '2026-06-01 00:00+00';
SELECT ok(pg_temp.near(f.auc, (SELECT auc(p, failed) FROM later), 1e-15) AND pg_temp.near(f.brier, (SELECT brier(p, failed) FROM later), 1e-12),
	'AUC and Brier score are those of what risk_model_predict says of the later rows') FROM fitted AS f;
SELECT ok(pg_temp.near(f.base_brier, (SELECT avg((trained_failures / trained_rows::float8 - failed::integer) ^ 2) FROM later), 1e-12)
	AND pg_temp.near(f.skill, 1 - f.brier / f.base_brier, 1e-12), 'the base rate is that of the earlier rows') FROM fitted AS f;
SELECT ok(pg_temp.near(f.against_auc, (SELECT auc(hand, failed) FROM later), 1e-15), 'the other score is compared over the same rows') FROM fitted AS f;
SELECT is((SELECT version FROM fit_risk_model('SELECT x, y, failed FROM regress_past WHERE at < ''2026-06-01 00:00+00''', '{x,y}')), (SELECT version + 1 FROM fitted), 'the earlier rows alone');
SELECT ok(bool_and(pg_temp.near(a.coefficient, b.coefficient, 1e-12)), 'make the same model: nothing of the later ones comes in')
FROM risk_model_coefficient AS a, risk_model_coefficient AS b, fitted AS f
WHERE a.version = f.version AND b.version = f.version + 1 AND a.position = b.position;
SELECT is((SELECT split_at FROM fit_risk_model('regress_past', '{x}', at => 'at')), '2026-05-31 12:00+00'::timestamptz, 'three quarters are earlier where no split is given');
SELECT is((SELECT row(sum(changes), sum(failed), min(decile), max(decile)) FROM risk_model_calibration AS c, fitted AS f WHERE c.version = f.version)::text,
	(SELECT row(count(*), count(*) FILTER (WHERE failed), 1, 10) FROM later)::text, 'every later row is in a tenth');
SELECT is_empty($$SELECT * FROM (SELECT decile, lowest, lag(highest) OVER (ORDER BY decile) AS before FROM risk_model_calibration AS c, fitted AS f WHERE c.version = f.version) AS d
	WHERE before >= lowest$$, 'rows of one probability are in one tenth');
SELECT is_empty($$SELECT FROM risk_model_calibration AS c, fitted AS f WHERE c.version = f.version
	AND ((SELECT count(*) FROM later WHERE p BETWEEN lowest - 1e-12 AND highest + 1e-12), (SELECT count(*) FROM later WHERE p BETWEEN lowest - 1e-12 AND highest + 1e-12 AND later.failed))
	IS DISTINCT FROM (c.changes, c.failed)$$, 'with its failures');

-- ----------------------------------------------------------------
-- In use
-- ----------------------------------------------------------------

CREATE TEMP TABLE good AS SELECT * FROM fit_risk_model('regress_past', '{x}', at => 'at');
SELECT ok(skill > 0 AND auc > 0.6, 'a model that knows something') FROM good;
SELECT is(risk_model_predict(NULL, '{"x": 3}'), NULL, 'no model is in use until somebody says so');
SELECT is(deactivate_risk_model(), NULL, 'so none is taken out of use');
SELECT is(activate_risk_model(version), version, 'it is switched on') FROM good;
SELECT is(activate_risk_model(version), version, 'twice is once') FROM good;
SELECT is(risk_model_predict(NULL, '{"x": 3}'), risk_model_predict(version, '{"x": 3}'), 'and asked') FROM good;
SELECT is((SELECT row(is_active, activated_by, activated_at)::text FROM risk_model AS m JOIN good USING (version)), row(true, acting_person(), now())::text, 'it says since when, and by whom');
CREATE TEMP TABLE bad AS SELECT * FROM fit_risk_model('SELECT x, failed <> (n > 150) AS failed, at FROM regress_past', '{x}', at => 'at');
SELECT ok(auc < 0.5, 'a model that the later rows refute') FROM bad;
SELECT throws_like(format('SELECT changemgmt.activate_risk_model(%s)', version), '%does not beat the base rate out of time', 'is not switched on') FROM bad;
SELECT throws_ok(format('SELECT changemgmt.activate_risk_model(%s)', version), 'MC002', NULL, 'with MC002') FROM bad;
SELECT throws_ok('SELECT changemgmt.activate_risk_model(1)', 'MC002', NULL, 'nor is one that was never tested');
SELECT is((SELECT version FROM risk_model WHERE is_active), version, 'the one in use stays') FROM good;
SELECT is(deactivate_risk_model(), version, 'it is taken out of use') FROM good;
SELECT throws_ok(format('UPDATE changemgmt.risk_model SET is_active = true WHERE version = %s', version), 'MC002', NULL, 'an UPDATE meets the same rule') FROM bad;
SELECT throws_ok('INSERT INTO changemgmt.risk_model SELECT (jsonb_populate_record(m, ''{"id": 100, "version": 100, "is_active": true}'')).* FROM changemgmt.risk_model AS m WHERE version = 1', 'MC002', NULL, 'so does an INSERT');
SELECT throws_ok('UPDATE changemgmt.risk_model SET coefficients = means || 7.0 WHERE version = 1', 'MC006', NULL, 'a version never changes');
SELECT throws_ok('DELETE FROM changemgmt.risk_model', 'MC006', NULL, 'nor goes');
SELECT throws_ok('SELECT changemgmt.activate_risk_model(1000)', 'MC008', 'version 1000 of the risk model does not exist', 'an unknown version');
SELECT throws_ok('SELECT changemgmt.activate_risk_model(NULL)', 'MC008', NULL, 'no version');

-- asking
SELECT ok(pg_temp.near(risk_model_predict(1, '{"gpa": 3, "tuce": 20, "psi": true}'), 1 / (1 + exp(13.02134686 - 3 * 2.82611259 - 20 * 0.09515766 - 2.37868766)), 1e-7), 'Spector: by hand');
SELECT is(risk_model_predict(1, '{"gpa": 3, "tuce": 20, "psi": 1}'), risk_model_predict(1, '{"gpa": 3, "tuce": 20, "psi": true}'), 'true is 1');
SELECT ok(bool_and(pg_temp.near(risk_model_predict(v, f), p, 1e-12)), 'each version of a statement for itself')
FROM (SELECT v, '{"gpa": 3, "tuce": 20, "psi": true, "hp": 100, "wt": 3}'::jsonb AS f, CASE v WHEN 1 THEN risk_model_predict(1, '{"gpa": 3, "tuce": 20, "psi": true}') ELSE risk_model_predict(4, '{"hp": 100, "wt": 3}') END AS p
	FROM unnest('{1,4,1,4}'::integer[]) AS v OFFSET 0) AS s;
SELECT is(risk_model_predict(1, NULL), NULL, 'null of null');
SELECT throws_ok(format('SELECT changemgmt.risk_model_predict(1, %L)', f), 'MC008', said, f) FROM (VALUES
	('{"gpa": 3, "tuce": 20}', 'feature "psi" of version 1 of the risk model is missing'),
	('{"gpa": 3, "tuce": 20, "psi": null}', 'feature "psi" of version 1 of the risk model is missing'),
	('{"gpa": "3", "tuce": 20, "psi": 1}', 'feature "gpa" is not a number that a model can take'),
	('{"gpa": 1e400, "tuce": 20, "psi": 1}', 'feature "gpa" is not a number that a model can take'),
	('{"gpa": [3], "tuce": 20, "psi": 1}', 'feature "gpa" is not a number that a model can take'),
	('[1, 2, 3]', 'features are a JSON object of numbers and booleans'), ('3', 'features are a JSON object of numbers and booleans')) AS v (f, said);
SELECT is(risk_model_predict(1, '{"gpa": 1e300, "tuce": 20, "psi": 1}'), 1::float8, 'a number beyond all others is certain');
SELECT throws_ok('SELECT changemgmt.risk_model_predict(1000, ''{}'')', 'MC008', 'version 1000 of the risk model does not exist', 'an unknown version');
SELECT throws_ok('SELECT changemgmt.risk_model_predict(0, ''{}'')', 'MC008', NULL, '0 is none');

-- ----------------------------------------------------------------
-- The passes, by hand or from another server
-- ----------------------------------------------------------------

SELECT throws_ok(format('SELECT changemgmt.%s', call), 'MC008', NULL, call) FROM unnest(ARRAY[
	'risk_fit_round(''{0,0,0,1}'', true, 1)', 'risk_fit_round(''{0,0,0,1}'', true, ''x''::text)', 'risk_fit_round(NULL, true, 1::float8)',
	'risk_fit_round(''{0,0,0,1}'', true, VARIADIC ''{1}''::float8[])', 'risk_fit_round(''{0,0,0}'', true, 1::float8)', 'risk_fit_round(''{}'', true, 1::float8)',
	'risk_fit_round(''{0,0,0,NULL}'', true, 1::float8)', 'risk_fit_round(''{NaN,0,0,1}'', true, 1::float8)', 'risk_fit_round(''{0,1,0,1}'', true, ''Infinity''::float8)',
	'risk_fit_round(''{0,1,0,1}'', true, NULL::float8)', 'risk_fit_probability(''{0,1,0,1}'', NULL::float8)', 'risk_fit_probability(NULL, 1::float8)',
	'risk_fit_summary_accum(''{1,0,0}'', true, 1::float8)', 'risk_fit_round_accum(''{1,0,0}'', ''{0,0,0,1}'', true, 1::float8)',
	'risk_fit_summary_combine(''{1,1,0,0,0,1,0,1,1}'', ''{2,1,0,0,0,1,0,1,1}'')', 'risk_fit_summary_combine(''{1,1,2,0,0,1,0,1,1}'', ''{1,1,0,0,0,1,0,1,1}'')',
	'risk_fit_summary_combine(''{1,1,0,0,0,1,0,1,1}'', ''{1,-1,0,0,0,1,0,1,1}'')', 'risk_fit_summary_combine(''{1,1,0,0,0,1,0,1,1}'', ''{1,1,0,2,0,1,0,1,1}'')',
	'risk_fit_summary_combine(''{1,1,0,0,0,1,0,1,1}'', ''{1,1,0,0,0,1,-1,1,1}'')', 'risk_fit_summary_combine(''{1,1,0,0,0,1,0,1,1}'', ''{1,1,0,0,0,NaN,0,1,1}'')',
	'risk_fit_summary_combine(''{}'', ''{}'')', 'risk_fit_summary_combine(''{{1,1,0,0,0,1,0,1,1}}'', ''{1,1,0,0,0,1,0,1,1}'')',
	'risk_fit_round_combine(''{1,1,0,0,0,0,0,0,0}'', ''{1,1,0,0,0,0,0,0}'')', 'risk_fit_round_combine(''{1,1,0,0,0,0,0,0,0}'', ''{1e9,1,0,0,0,0,0,0,0}'')',
	'risk_fit_round_combine(''{1,1,0,0,0,0,0,0,0}'', ''{1.5,1,0,0,0,0,0,0,0}'')', 'risk_fit_round_combine(''{1,1,0,0,0,0,0,0,0}'', ''{1,0.5,0,0,0,0,0,0,0}'')',
	'risk_fit_round_combine(''{1,1,0,0,0,0,0,0,0}'', ''{-1,1,0,0,0,0,0,0,0}'')', 'risk_fit_round_combine(''{1,1,0,0,0,0,0,0,0}'', ''{NaN,1,0,0,0,0,0,0,0}'')']) AS call;
SELECT is(risk_fit_round_combine('{1,1,0,2,3,4,5,6,7}', '{1,1,1,2,3,4,5,6,7}'), '{1,2,1,4,6,8,10,12,14}'::float8[], 'two partial results of a round');
SELECT ok(pg_temp.near(risk_fit_probability('{-1,2,3,1,1,0.5,10}', 5::float8, 1.1::float8), 1 / (1 + exp(1 - 2 * (5 - 1) * 0.5 - 3 * (1.1 - 1) * 10)), 1e-14), 'a probability by hand');
SELECT is(risk_fit_probability('{-1e6,1,0,1}', 1::float8), 0::float8, 'without end, 0');

-- ----------------------------------------------------------------
-- Whose rights
-- ----------------------------------------------------------------

CREATE ROLE regress_fitter;
SELECT changemgmt.grant_role('regress_fitter', 'manager') \g /dev/null
SET LOCAL ROLE regress_fitter;
SELECT throws_ok($$SELECT changemgmt.fit_risk_model('public.regress_past', '{x}')$$, '42501', NULL, 'rows are read as the caller, who may not');
SELECT throws_ok($$SELECT changemgmt.fit_risk_model('SELECT * FROM public.regress_past', '{x}')$$, '42501', NULL, 'nor in a query');
RESET ROLE;
GRANT SELECT ON regress_past TO regress_fitter;
CREATE FUNCTION public.regress_whoami() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user::text';
SET LOCAL ROLE regress_fitter;
SELECT lives_ok($$SELECT changemgmt.fit_risk_model('SELECT x, failed AND public.regress_whoami() = ''regress_fitter'' AS failed FROM public.regress_past', '{x}')$$, 'and then may');
SELECT is((SELECT fitted_by FROM changemgmt.risk_model ORDER BY version DESC LIMIT 1), 'regress_fitter', 'the model says who');
RESET ROLE;
SELECT is_empty('SELECT * FROM changemgmt.verify_ledger()', 'all of it is in the trail');

SELECT * FROM finish();
ROLLBACK;
