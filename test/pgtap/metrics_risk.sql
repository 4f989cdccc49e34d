-- metrics, risk: whether what was said to be risky failed more often, against
-- answers worked out by hand. All rows come in by COPY, the door for history.
\set QUIET on
\set ON_ERROR_STOP on
BEGIN;
SELECT no_plan();

SELECT is_empty('SELECT * FROM changemgmt.risk_calibration', 'nothing is said of no changes');
SELECT is_empty($$SELECT attname FROM pg_attribute WHERE attrelid = 'changemgmt.risk_calibration'::regclass AND attnum > 0
	AND (atttypid NOT IN ('text'::regtype, 'bigint'::regtype, 'integer'::regtype, 'boolean'::regtype, 'float8'::regtype)
		OR coalesce(col_description(attrelid, attnum), '') = '')$$, 'every column has a plain type and a comment');

-- 20 low of which 1 failed, 10 medium (2), 40 high (2), 2 critical (2), 4 that
-- nobody assessed (1); what is not counted: one of a test environment, one
-- without outcome, one that was never carried out
\copy changemgmt.change (id, title, model, model_version, type, environment, status, outcome, risk_level, created_at, actual_start, deployed_at, actual_end, closed_at) FROM PROGRAM 'awk ''BEGIN { OFS = "\t"; t = "2025-03-03 10:00Z"; k = split("low 20 1 medium 10 2 high 40 2 critical 2 2 \\N 4 1", v, " "); for (i = 1; i < k; i += 3) for (n = 1; n <= v[i + 1]; n++) print ++id, "change", "lean_normal", 0, "normal", "production", "closed", n <= v[i + 2] ? "failed" : "successful", v[i], t, t, t, t, t }'''
COPY changemgmt.change (id, title, model, model_version, type, environment, status, outcome, risk_level, created_at, actual_start, deployed_at, actual_end, closed_at) FROM stdin;
1001	a test	lean_normal	0	normal	test	closed	failed	low	2025-03-03 10:00Z	2025-03-03 10:00Z	2025-03-03 10:00Z	2025-03-03 10:00Z	2025-03-03 10:00Z
1002	pending	lean_normal	0	normal	production	verifying	\N	low	2025-03-03 10:00Z	2025-03-03 10:00Z	2025-03-03 10:00Z	2025-03-03 10:00Z	\N
1003	none	lean_normal	0	normal	production	cancelled	not_implemented	low	2025-03-03 10:00Z	2025-03-03 10:00Z	\N	2025-03-03 10:00Z	\N
\.

CREATE FUNCTION pg_temp.shown(wanted text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', bucket, position, failed || '/' || changes, round(failure_rate::numeric, 4),
		CASE is_in_order WHEN true THEN 'higher' WHEN false THEN 'lower' END, CASE WHEN is_refuted THEN 'refuted' END)
	FROM changemgmt.risk_calibration WHERE kind = wanted ORDER BY position NULLS LAST $$;
SELECT results_eq($$SELECT * FROM pg_temp.shown('level')$$,
	$$VALUES ('low 1 1/20 0.0500'), ('medium 2 2/10 0.2000 higher'), ('high 3 2/40 0.0500 lower'), ('critical 4 2/2 1.0000 higher'), ('unknown 1/4 0.2500')$$,
	'levels: how many, how many failed, and whether the order holds');
-- Wilson's bounds of 2/10 and 2/40, by R's prop.test(correct = FALSE)
SELECT ok(abs(failure_rate_low - 0.05668215145438) < 1e-9 AND abs(failure_rate_high - 0.50983752846336) < 1e-9, 'the interval of 2/10 is R''s')
FROM changemgmt.risk_calibration WHERE bucket = 'medium';
SELECT is((SELECT count(*) FROM changemgmt.risk_calibration WHERE kind = 'decile'), 0::bigint, 'without scores there are no tenths');

-- an incident that a successful change caused makes it a failure
COPY changemgmt.incident (id, reference) FROM stdin;
1	INC-1
\.
COPY changemgmt.incident_cause (incident_id, change_id, status) FROM stdin;
1	20	confirmed
\.
SELECT results_eq($$SELECT failed FROM changemgmt.risk_calibration WHERE bucket = 'low'$$, 'VALUES (2::bigint)', 'a confirmed cause counts as failed');

-- scores: that of change n is n, so that the first of each level are its lowest; what was said last before the start holds
\copy changemgmt.risk_assessment (id, change_id, assessed_at, verb, score, level, won_by, explanation, plan_revision) FROM PROGRAM 'awk ''BEGIN { OFS = "\t"; for (id = 1; id <= 76; id++) { l = id <= 20 ? "low" : id <= 30 ? "medium" : id <= 70 ? "high" : "critical"; if (id <= 72) { print id * 10, id, "2025-03-03 07:00Z", "submit", 99, "critical", "score", "{}", 1; print id * 10 + 1, id, "2025-03-03 08:00Z", "approve", id, l, "score", "{}", 1 } print id * 10 + 2, id, "2025-03-03 10:01Z", "approve", 0, "low", "score", "{}", 2 } }'''
SELECT results_eq($$SELECT * FROM pg_temp.shown('level')$$,
	$$VALUES ('low 1 2/20 0.1000'), ('medium 2 2/10 0.2000 higher'), ('high 3 2/40 0.0500 lower'), ('critical 4 2/2 1.0000 higher'), ('unknown 1/4 0.2500')$$,
	'the last assessment before the start says the level, no earlier and no later one');
-- 72 scores: tenths of 8, 7, 7, 7, 7, 8, 7, 7, 7, 7 by rank; failed are 1, 20, 21, 22, 31, 32, 71, 72
SELECT results_eq($$SELECT * FROM pg_temp.shown('decile')$$,
	$$VALUES ('1 1 1/8 0.1250'), ('2 2 0/7 0.0000 lower'), ('3 3 3/7 0.4286 higher'), ('4 4 0/7 0.0000 lower'), ('5 5 2/7 0.2857 higher'),
		('6 6 0/8 0.0000 lower'), ('7 7 0/7 0.0000 higher'), ('8 8 0/7 0.0000 higher'), ('9 9 0/7 0.0000 higher'), ('10 10 2/7 0.2857 higher')$$, 'tenths of the scores');
SELECT results_eq($$SELECT lowest_score, mean_score, highest_score FROM changemgmt.risk_calibration WHERE kind = 'decile' AND position IN (1, 10) ORDER BY position$$,
	'VALUES (1::float8, 4.5::float8, 8::float8), (66, 69, 72)', 'with their scores');

-- the order is refuted where chance does not explain it
\copy changemgmt.change (id, title, model, model_version, type, environment, status, outcome, risk_level, created_at, actual_start, deployed_at, actual_end, closed_at) FROM PROGRAM 'awk ''BEGIN { OFS = "\t"; t = "2025-03-03 10:00Z"; for (n = 1; n <= 200; n++) print 2000 + n, "change", "lean_normal", 0, "normal", "production", "closed", n % 2 ? "failed" : "successful", "medium", t, t, t, t, t }'''
SELECT results_eq($$SELECT bucket, is_refuted FROM changemgmt.risk_calibration WHERE kind = 'level' AND position > 1 ORDER BY position$$,
	$$VALUES ('medium', false), ('high', true), ('critical', false)$$, 'high fails so much less than medium that it is refuted');

SELECT * FROM finish();
ROLLBACK;
