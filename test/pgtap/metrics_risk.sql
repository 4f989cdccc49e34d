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

-- What a model learns from

SELECT results_eq($$SELECT attname::text COLLATE "C" FROM pg_attribute WHERE attrelid = 'changemgmt.risk_training'::regclass AND attnum > 4 ORDER BY attnum$$,
	'SELECT factor COLLATE "C" FROM changemgmt.shipped_risk_factors() ORDER BY place', 'risk_training: a column for each factor that ships, in their order');
SELECT is_empty($$SELECT attrelid::regclass, attname FROM pg_attribute WHERE attrelid IN ('changemgmt.risk_training'::regclass, 'changemgmt.risk_prediction'::regclass, 'changemgmt.risk_model_comparison'::regclass)
	AND attnum > 0 AND (atttypid NOT IN ('bigint'::regtype, 'integer'::regtype, 'boolean'::regtype, 'float8'::regtype, 'timestamptz'::regtype) OR coalesce(col_description(attrelid, attnum), '') = '')$$,
	'every column has a plain type and a comment');
COPY changemgmt.change (id, title, model, model_version, type, environment, status, outcome, created_at, actual_start, deployed_at, actual_end, closed_at) FROM stdin;
3001	in time	lean_normal	0	normal	production	closed	failed	2025-04-03 10:00Z	2025-04-03 10:00Z	2025-04-03 10:00Z	2025-04-03 10:00Z	2025-04-03 10:00Z
3002	too late	lean_normal	0	normal	production	closed	failed	2025-04-03 10:00Z	2025-04-03 10:00Z	2025-04-03 10:00Z	2025-04-03 10:00Z	2025-04-03 10:00Z
3003	a test	lean_normal	0	normal	test	closed	failed	2025-04-03 10:00Z	2025-04-03 10:00Z	2025-04-03 10:00Z	2025-04-03 10:00Z	2025-04-03 10:00Z
3004	pending	lean_normal	0	normal	production	verifying	\N	2025-04-03 10:00Z	2025-04-03 10:00Z	2025-04-03 10:00Z	2025-04-03 10:00Z	\N
3005	none	lean_normal	0	normal	production	cancelled	not_implemented	2025-04-03 10:00Z	2025-04-03 10:00Z	\N	2025-04-03 10:00Z	\N
3006	begins as it is approved	lean_normal	0	normal	production	closed	successful	2025-04-04 10:00Z	2025-04-04 10:00Z	2025-04-04 10:00Z	2025-04-04 10:00Z	2025-04-04 10:00Z
3007	backed out	lean_normal	0	normal	production	closed	successful	2025-04-05 10:00Z	2025-04-05 10:00Z	2025-04-05 10:00Z	2025-04-05 10:00Z	2025-04-05 10:00Z
3008	not assessed	lean_normal	0	normal	production	closed	successful	2025-04-05 10:00Z	2025-04-05 10:00Z	2025-04-05 10:00Z	2025-04-05 10:00Z	2025-04-05 10:00Z
\.
COPY changemgmt.change_link (change_id, relation, target_change_id) FROM stdin;
3006	backs_out	3007
\.
SELECT setval('changemgmt.risk_assessment_id_seq', 100000) \g /dev/null
COPY changemgmt.risk_assessment (change_id, assessed_at, verb, score, level, won_by, explanation, plan_revision) FROM stdin;
3001	2025-04-03 08:00Z	submit	90	high	score	{"factors": [{"factor": "tier", "value": 0.25}, {"factor": "novelty", "value": 1}]}	1
3001	2025-04-03 09:00Z	approve	12.5	low	score	{"factors": [{"factor": "size", "value": 0.30}, {"factor": "tier", "value": 0.75}, {"factor": "moon", "value": 1.00}]}	1
3001	2025-04-03 10:01Z	approve	99	low	score	{"factors": [{"factor": "size", "value": 1.00}, {"factor": "tier", "value": 0.00}]}	2
3002	2025-04-03 10:01Z	approve	99	low	score	{"factors": [{"factor": "size", "value": 1.00}]}	2
3003	2025-04-03 09:00Z	approve	50	low	score	{"factors": [{"factor": "size", "value": 1.00}]}	1
3004	2025-04-03 09:00Z	approve	50	low	score	{"factors": [{"factor": "size", "value": 1.00}]}	1
3005	2025-04-03 09:00Z	approve	50	low	score	{"factors": [{"factor": "size", "value": 1.00}]}	1
3006	2025-04-04 10:00Z	approve	50	low	score	{"factors": [{"factor": "size", "value": 0.50}]}	1
3007	2025-04-04 10:00Z	approve	51	low	score	{"factors": [{"factor": "size", "value": 0.10}]}	1
\.
SELECT results_eq('SELECT change_id, at, failed, score, size, tier, novelty FROM changemgmt.risk_training WHERE change_id BETWEEN 3001 AND 3999 ORDER BY change_id',
	$$VALUES (3001::bigint, timestamptz '2025-04-03 10:00Z', true, 12.5::float8, 0.3::float8, 0.75::float8, NULL::float8),
		(3006, '2025-04-04 10:00Z', false, 50, 0.5, NULL, NULL), (3007, '2025-04-05 10:00Z', true, 51, 0.1, NULL, NULL)$$,
	'a row an executed, decided change of production, with what was stored last before its start, never later');

-- Score and model side by side. By hand: sizes 0.1, 0.5, 0.75 and 1 with the coefficients -1 and 2 are probabilities of
-- 1/(1+e^0.8), 1/2, 1/(1+e^-0.5) and 1/(1+e^-1); the second and the last failed
COPY changemgmt.change (id, title, model, model_version, type, environment, status, outcome, created_at, actual_start, deployed_at, actual_end, closed_at) FROM stdin;
4001	one	lean_normal	0	normal	production	closed	successful	2025-05-01 10:00Z	2025-05-01 10:00Z	2025-05-01 10:00Z	2025-05-01 10:00Z	2025-05-01 10:00Z
4002	two	lean_normal	0	normal	production	closed	failed	2025-05-02 10:00Z	2025-05-02 10:00Z	2025-05-02 10:00Z	2025-05-02 10:00Z	2025-05-02 10:00Z
4003	three	lean_normal	0	normal	production	closed	successful	2025-05-03 10:00Z	2025-05-03 10:00Z	2025-05-03 10:00Z	2025-05-03 10:00Z	2025-05-03 10:00Z
4004	four	lean_normal	0	normal	production	closed	failed	2025-05-04 10:00Z	2025-05-04 10:00Z	2025-05-04 10:00Z	2025-05-04 10:00Z	2025-05-04 10:00Z
4005	lacks the factor	lean_normal	0	normal	production	closed	failed	2025-05-05 10:00Z	2025-05-05 10:00Z	2025-05-05 10:00Z	2025-05-05 10:00Z	2025-05-05 10:00Z
\.
COPY changemgmt.risk_assessment (change_id, assessed_at, verb, score, level, won_by, explanation, plan_revision) FROM stdin;
4001	2025-05-01 09:00Z	approve	40	low	score	{"factors": [{"factor": "size", "value": 0.10}]}	1
4002	2025-05-01 09:00Z	approve	10	low	score	{"factors": [{"factor": "size", "value": 0.50}]}	1
4003	2025-05-01 09:00Z	approve	20	low	score	{"factors": [{"factor": "size", "value": 0.75}]}	1
4004	2025-05-01 09:00Z	approve	50	low	score	{"factors": [{"factor": "size", "value": 1.00}]}	1
4005	2025-05-01 09:00Z	approve	50	low	score	{"factors": [{"factor": "tier", "value": 1.00}]}	1
\.
COPY changemgmt.risk_model (version, source, features, outcome, split_at, ridge, rounds, trained_rows, trained_failures, deviance, null_deviance, log_likelihood, coefficients, standard_errors, means, deviations, fitted_by, fitted_at) FROM stdin;
101	past	{size}	failed	2025-05-01 10:00Z	0	1	100	25	1	1	1	{-1,2}	{1,1}	{0}	{1}	ann	2025-06-01 10:00Z
102	past	{size,colour}	failed	2025-05-01 10:00Z	0	1	100	25	1	1	1	{-1,2,1}	{1,1,1}	{0,0}	{1,1}	ann	2025-06-01 10:00Z
103	past	{score}	failed	2025-05-01 10:00Z	0	1	100	25	1	1	1	{-1,2}	{1,1}	{0}	{1}	ann	2025-06-01 10:00Z
104	past	{size}	failed	\N	0	1	100	25	1	1	1	{-1,2}	{1,1}	{0}	{1}	ann	2025-05-03 10:00Z
\.
SELECT results_eq('SELECT version, change_id, failed, score, round(probability::numeric, 12) FROM changemgmt.risk_prediction ORDER BY version, change_id',
	$$VALUES (101, 4001::bigint, false, 40::float8, 0.310025518872), (101, 4002, true, 10, 0.500000000000), (101, 4003, false, 20, 0.622459331202), (101, 4004, true, 50, 0.731058578630),
		(104, 4003, false, 20, 0.622459331202), (104, 4004, true, 50, 0.731058578630)$$,
	'what models say of changes after their split, or after they were fitted; not where a feature is no factor, or is missing');
SELECT results_eq('SELECT changes, failed, score_auc, model_auc, round(score_brier::numeric, 12), round(model_brier::numeric, 12), base_brier FROM changemgmt.risk_model_comparison WHERE version = 101',
	'VALUES (4::bigint, 2::bigint, 0.5::float8, 0.75::float8, 0.315000000000, 0.201475232370, 0.3125::float8)', 'by hand: AUC and Brier score of score, model and base rate');

-- and a model that is fitted to it: what it says of itself is what the comparison says
\copy changemgmt.change (id, title, model, model_version, type, environment, status, outcome, created_at, actual_start, deployed_at, actual_end, closed_at) FROM PROGRAM 'awk ''BEGIN { OFS = "\t"; for (n = 0; n < 240; n++) { t = sprintf("2025-%02d-%02d 10:00Z", 6 + int(n / 80), 1 + int(n % 80 / 3)); print 5000 + n, "change", "lean_normal", 0, "normal", "production", "closed", n * 5 % 11 < n % 7 ? "failed" : "successful", t, t, t, t, t } }'''
\copy changemgmt.risk_assessment (change_id, assessed_at, verb, score, level, won_by, explanation, plan_revision) FROM PROGRAM 'awk ''BEGIN { OFS = "\t"; for (n = 0; n < 240; n++) print 5000 + n, "2025-05-30 10:00Z", "approve", n * 7 % 50, "low", "score", sprintf("{\"factors\": [{\"factor\": \"size\", \"value\": %.2f}, {\"factor\": \"tier\", \"value\": %.2f}]}", n % 7 / 7, n % 5 / 5), 1 }'''
SELECT version AS fitted, tested_rows, auc, brier, base_brier, against_auc FROM changemgmt.fit_risk_model('SELECT * FROM changemgmt.risk_training WHERE change_id >= 5000', '{size,tier}',
	at => 'at', split => '2025-08-01 00:00Z', against => 'score') \gset
SELECT is(:'tested_rows'::bigint, 80::bigint, 'risk_training can be given to fit_risk_model');
SELECT results_eq(format('SELECT changes, round(model_auc::numeric, 10), round(model_brier::numeric, 10), round(base_brier::numeric, 10), round(score_auc::numeric, 10) FROM changemgmt.risk_model_comparison WHERE version = %s', :fitted),
	format('VALUES (80::bigint, round(%s, 10), round(%s, 10), round(%s, 10), round(%s, 10))', :'auc', :'brier', :'base_brier', :'against_auc'), 'and says of itself what the comparison says');

SELECT * FROM finish();
ROLLBACK;
