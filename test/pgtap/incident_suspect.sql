-- Suspects of incidents, and what changed near an item.
--
-- The planted causes are made here from what outages look like, by a stream of
-- numbers that md5 gives: nothing in it knows how the ranking weighs.
\set QUIET on
\set ON_ERROR_STOP on
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO, YMD';

CREATE FUNCTION pg_temp.refusal(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	m text;
BEGIN
	EXECUTE sql;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT;
	RETURN SQLSTATE || ' ' || m;
END $$;
-- From 0 to 1, the same in each run.
CREATE FUNCTION pg_temp.chance(seed text) RETURNS double precision LANGUAGE sql AS
	$$SELECT ('x' || substr(md5(seed), 1, 8))::bit(32)::bigint / 4294967296.0$$;
CREATE FUNCTION pg_temp.one_of(things text[], seed text) RETURNS text LANGUAGE sql AS
	$$SELECT things[1 + floor(pg_temp.chance(seed) * cardinality(things))::int]$$;
-- History comes by COPY: some hundred rows at a time, as a command can't be of any length.
CREATE FUNCTION pg_temp.copy_rows(into_table text, of_rows text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT format(''COPY %s FROM PROGRAM %%L'', E''cat <<"END"\n'' || string_agg(r, E''\n'') || E''\nEND'')
		FROM (SELECT r, row_number() OVER () / 300 AS n FROM (%s) AS x (r)) AS y GROUP BY n', into_table, of_rows);
END $$;
CREATE TEMP TABLE past (id bigint, title text, status text DEFAULT 'closed', outcome text DEFAULT 'successful', category text, risk_level text,
	actual_start timestamptz, actual_end timestamptz, environment text DEFAULT 'production', incident_id bigint,
	confidential boolean DEFAULT false, rollback_started_at timestamptz, rolled_back_at timestamptz, requester text,
	items text[] DEFAULT '{}', affected text[] DEFAULT '{}');
CREATE FUNCTION pg_temp.load_past() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT pg_temp.copy_rows('changemgmt.change (id, title, status, outcome, category, risk_level, actual_start, actual_end, environment, incident_id, confidential, rollback_started_at, rolled_back_at, requester_id)',
		$sql$SELECT concat_ws(E'\t', id, title, status, coalesce(outcome, '\N'), coalesce(category, '\N'), coalesce(risk_level, '\N'),
			coalesce(actual_start::text, '\N'), coalesce(actual_end::text, '\N'), environment, coalesce(incident_id::text, '\N'), confidential,
			coalesce(rollback_started_at::text, '\N'), coalesce(rolled_back_at::text, '\N'),
			coalesce(changemgmt.person_id(requester)::text, '\N')) FROM past$sql$);
	RETURN QUERY SELECT pg_temp.copy_rows('changemgmt.change_item (change_id, ci_id, role)',
		$sql$SELECT concat_ws(E'\t', id, changemgmt.ci_id(i), 'changed') FROM past, unnest(items) AS i
		UNION ALL SELECT concat_ws(E'\t', id, changemgmt.ci_id(i), 'affected') FROM past, unnest(affected) AS i$sql$);
	TRUNCATE past;
END $$;
CREATE FUNCTION pg_temp.titles(incident text) RETURNS text LANGUAGE sql AS
	$$SELECT string_agg(s.title, ' ' ORDER BY s.n) FROM changemgmt.suspect_changes(incident) WITH ORDINALITY AS
		s (change_id, number, title, score, reason, time_score, distance_score, risk_score, kind_score, is_confirmed, n)$$;
CREATE FUNCTION pg_temp.reason(incident text, of text) RETURNS text LANGUAGE sql AS
	$$SELECT s.reason FROM changemgmt.suspect_changes(incident, 1000) AS s WHERE s.title = of$$;

SELECT changemgmt.add_person(login) FROM unnest('{ann,bob}'::text[]) AS login \g /dev/null

-- Planted causes: three seeds of forty incidents, a month apart, each seed among 300
-- items of its own in layers, each on one of the upper ones; fifty other changes in the three days before and
-- the hours after. What did it ended within some hours (most often one) before, on
-- the item or something that it depends on.

SELECT changemgmt.add_ci('i' || i, kind => pg_temp.one_of('{service,service,application,database,host,network,client}', 'kind' || i))
FROM generate_series(1, 900) AS i \g /dev/null
INSERT INTO changemgmt.ci_dependency (ci_id, depends_on_ci_id)
SELECT DISTINCT changemgmt.ci_id('i' || i), changemgmt.ci_id('i' || i + 20 + floor(pg_temp.chance(concat('edge', i, ' ', k)) * 60)::int)
FROM generate_series(0, 600, 300) AS s, generate_series(s + 1, s + 220) AS i, generate_series(1, 3) AS k;
CREATE TEMP TABLE planted AS
	SELECT n, (n - 1) / 40 AS seed, 'CASE' || n AS reference, 'i' || (n - 1) / 40 * 300 + 1 + floor(pg_temp.chance('item' || n) * 100)::int AS ci,
		timestamptz '2015-01-15 03:00' + n * interval '30 days' + pg_temp.chance('hour' || n) * interval '24 hours' AS began_at
	FROM generate_series(1, 120) AS n;
INSERT INTO changemgmt.incident (reference, began_at, resolved_at) SELECT reference, began_at, began_at + interval '3 hours' FROM planted;
SELECT changemgmt.add_incident_item(reference, ci) FROM planted \g /dev/null
-- all within two steps, each as often as there are ways to it
CREATE TEMP TABLE below AS
	SELECT p.n, 0 AS steps, p.ci FROM planted AS p
	UNION ALL
	SELECT p.n, 1, b.name FROM planted AS p JOIN changemgmt.ci_dependency AS d ON d.ci_id = changemgmt.ci_id(p.ci)
		JOIN changemgmt.configuration_item AS b ON b.id = d.depends_on_ci_id
	UNION ALL
	SELECT p.n, 2, b.name FROM planted AS p JOIN changemgmt.ci_dependency AS d ON d.ci_id = changemgmt.ci_id(p.ci)
		JOIN changemgmt.ci_dependency AS e ON e.ci_id = d.depends_on_ci_id
		JOIN changemgmt.configuration_item AS b ON b.id = e.depends_on_ci_id;
INSERT INTO past (id, title, category, risk_level, actual_start, actual_end, items)
	-- exponentially spread with a mean of an hour; half on the item itself, a third one step below
	SELECT 100000 + p.n, 'planted', pg_temp.one_of('{release,configuration,schema,infrastructure,data_migration,feature_flag,dependency}', 'pc' || p.n),
		pg_temp.one_of('{low,medium,medium,high,high,critical}', 'pr' || p.n), e.t - interval '30 minutes', e.t,
		ARRAY(SELECT b.ci FROM below AS b WHERE b.n = p.n
			AND b.steps = CASE WHEN pg_temp.chance('ps' || p.n) < 0.5 THEN 0 WHEN pg_temp.chance('ps' || p.n) < 0.83 THEN 1 ELSE 2 END
			ORDER BY md5(b.ci || p.n) LIMIT 1)
	FROM planted AS p, LATERAL (SELECT p.began_at + ln(1 - pg_temp.chance('pt' || p.n)) * interval '1 hour') AS e (t)
	UNION ALL
	SELECT 200000 + p.n * 100 + k, 'other', pg_temp.one_of('{release,configuration,schema,infrastructure,data_migration,feature_flag,dependency}', concat('oc', p.n, ' ', k)),
		pg_temp.one_of('{low,low,medium,medium,high}', concat('or', p.n, ' ', k)), e.t - interval '30 minutes', e.t,
		ARRAY['i' || seed * 300 + 1 + floor(pg_temp.chance(concat('oi', p.n, ' ', k)) * 300)::int]
	FROM planted AS p, generate_series(1, 50) AS k,
		LATERAL (SELECT p.began_at - interval '72 hours' + pg_temp.chance(concat('ot', p.n, ' ', k)) * interval '84 hours') AS e (t);
SELECT pg_temp.load_past() \gexec
CREATE TEMP TABLE ranked AS
	SELECT p.n, s.* FROM planted AS p CROSS JOIN LATERAL changemgmt.suspect_changes(p.reference, 1000) WITH ORDINALITY AS
		s (change_id, number, title, score, reason, time_score, distance_score, risk_score, kind_score, is_confirmed, place);
SELECT is((SELECT count(*) FROM changemgmt.change), 120 * 51::bigint, 'each of the incidents with fifty changes around the one that did it');
SELECT cmp_ok(count(*) FILTER (WHERE place = 1), '>=', 36::bigint, format('seed %s: it is first in at least nine of ten', seed))
FROM ranked JOIN planted USING (n) WHERE title = 'planted' GROUP BY seed ORDER BY seed;
SELECT diag(format('seed %s: planted cause first in %s of 40, among the first three in %s', seed, count(*) FILTER (WHERE place = 1), count(*) FILTER (WHERE place <= 3)))
FROM ranked JOIN planted USING (n) WHERE title = 'planted' GROUP BY seed ORDER BY seed;
SELECT is((SELECT count(*) FROM ranked WHERE title = 'planted'), 120::bigint, 'and a suspect in all');
SELECT is_empty($$SELECT r.* FROM ranked AS r JOIN changemgmt.change AS c ON c.id = r.change_id JOIN planted AS p ON p.n = r.n
	WHERE c.actual_start > p.began_at OR c.actual_end < p.began_at - interval '7 days'$$, 'what began later is no suspect, nor what ended long before');
SELECT is_empty('SELECT * FROM ranked WHERE NOT (score > 0 AND score <= 1 AND time_score > 0 AND time_score <= 1 AND distance_score > 0 AND distance_score <= 1 AND risk_score > 0 AND risk_score <= 1 AND kind_score > 0 AND kind_score <= 1)',
	'all parts are from 0 to 1');
SELECT is_empty('SELECT * FROM ranked WHERE abs(score - time_score * distance_score * (0.5 + 0.3 * risk_score + 0.2 * kind_score)) > 1e-12', 'the score is made of its parts');
SELECT is_empty($$SELECT * FROM (SELECT n, score, lag(score) OVER (PARTITION BY n ORDER BY place) AS before FROM ranked) AS x WHERE score > before$$, 'the order is that of the scores');
SELECT is((SELECT count(*) FROM planted AS p WHERE ARRAY(SELECT r.change_id FROM ranked AS r WHERE r.n = p.n AND place <= 3 ORDER BY place)
	= ARRAY(SELECT s.change_id FROM changemgmt.suspect_changes(p.reference, 3) AS s)), 120::bigint, 'a limit cuts off, and changes nothing else');
SELECT is((SELECT count(*) FROM ranked AS r JOIN planted AS p USING (n) JOIN below AS b USING (n)
	JOIN changemgmt.change_item AS i ON i.change_id = r.change_id AND i.ci_id = changemgmt.ci_id(b.ci) WHERE r.distance_score < 0.5 ^ b.steps), 0::bigint,
	'each step down halves the distance');

-- As many again in the days before, in between and after: nothing moves.
INSERT INTO past (id, title, category, risk_level, actual_start, actual_end, items)
	SELECT 300000 + p.n * 100 + k, 'more', 'release', 'critical', e.t - interval '30 minutes', e.t, ARRAY['i' || seed * 300 + 1 + floor(pg_temp.chance(concat('mi', p.n, ' ', k)) * 300)::int]
	FROM planted AS p, generate_series(1, 60) AS k,
		LATERAL (SELECT p.began_at - interval '14 days' + pg_temp.chance(concat('mt', p.n, ' ', k)) * interval '26 days') AS e (t);
SELECT pg_temp.load_past() \gexec
CREATE TEMP TABLE again AS
	SELECT p.n, s.* FROM planted AS p CROSS JOIN LATERAL changemgmt.suspect_changes(p.reference, 1000) WITH ORDINALITY AS
		s (change_id, number, title, score, reason, time_score, distance_score, risk_score, kind_score, is_confirmed, place);
SELECT cmp_ok((SELECT count(*) FROM again WHERE title = 'more'), '>', 200::bigint, 'with more changes around');
SELECT results_eq($$SELECT n, change_id, score, reason FROM again WHERE title <> 'more' ORDER BY n, place$$,
	$$SELECT n, change_id, score, reason FROM ranked ORDER BY n, place$$, 'those before keep their scores and their order');

SELECT is_empty($$SELECT p.n, l FROM planted AS p, generate_series(1, 10) AS l WHERE ARRAY(SELECT a.change_id FROM again AS a WHERE a.n = p.n AND place <= l ORDER BY place)
	<> ARRAY(SELECT s.change_id FROM changemgmt.suspect_changes(p.reference, l) AS s)$$, 'whatever the limit, the best are the best');
-- a thousand at once, of all ages and risks, in the order of their ids and against it
INSERT INTO changemgmt.incident (reference, began_at) VALUES ('CROWD', '2025-06-08 12:00');
SELECT changemgmt.add_incident_item('CROWD', 'i1') \g /dev/null
INSERT INTO past (id, title, category, risk_level, actual_start, actual_end, items)
	SELECT 400000 + k, 'crowd', 'release', pg_temp.one_of('{low,medium,high,critical}', 'kr' || k), e.t - interval '30 minutes', e.t,
		ARRAY['i' || 1 + floor(pg_temp.chance('ki' || k) * 30)::int]
	FROM generate_series(1, 1000) AS k, LATERAL (SELECT timestamptz '2025-06-08 12:00' - pg_temp.chance('kt' || k) * interval '12 hours') AS e (t);
SELECT pg_temp.load_past() \gexec
CREATE TEMP TABLE crowd AS SELECT * FROM changemgmt.suspect_changes('CROWD', 2000) WITH ORDINALITY AS
	s (change_id, number, title, score, reason, time_score, distance_score, risk_score, kind_score, is_confirmed, place);
SELECT is((SELECT count(*) FROM crowd), 1000::bigint, 'all of a thousand');
SELECT is_empty($$SELECT l FROM generate_series(1, 300, 13) AS l WHERE ARRAY(SELECT change_id FROM crowd WHERE place <= l ORDER BY place)
	<> ARRAY(SELECT s.change_id FROM changemgmt.suspect_changes('CROWD', l) AS s)$$, 'and the best of them, though not all are looked at');

-- One by one

SELECT changemgmt.add_ci('disk', kind => 'storage'), changemgmt.add_ci('db', kind => 'database', depends_on => '{disk}'),
	changemgmt.add_ci('payments', depends_on => '{db}'), changemgmt.add_ci('shop', kind => 'application', depends_on => '{payments}'), changemgmt.add_ci('wiki', kind => 'client') \g /dev/null
-- a circle
INSERT INTO changemgmt.ci_dependency (ci_id, depends_on_ci_id) VALUES (changemgmt.ci_id('disk'), changemgmt.ci_id('payments'));
INSERT INTO changemgmt.incident (reference, began_at) VALUES ('INC-1', '2026-03-01 12:00'), ('INC-bare', '2026-03-01 12:00');
SELECT changemgmt.add_incident_item('INC-1', 'payments'), changemgmt.add_incident_item('INC-1', 'payments') \g /dev/null
SELECT is((SELECT count(*) FROM changemgmt.incident_item WHERE incident_id = changemgmt.incident_id('INC-1')), 1::bigint, 'an item is named once');
INSERT INTO past (id, title, status, outcome, category, risk_level, actual_start, actual_end, items, affected)
VALUES (1, 'itself', 'closed', 'successful', 'schema', 'high', '2026-03-01 11:00', '2026-03-01 11:48', '{payments}', '{}'),
	(2, 'below', 'closed', 'successful', 'release', 'low', '2026-03-01 05:00', '2026-03-01 06:00', '{wiki,db}', '{}'),
	(3, 'deep', 'closed', 'failed', NULL, NULL, '2026-02-27 05:00', '2026-02-27 06:00', '{disk}', '{}'),
	(4, 'beside', 'closed', 'successful', 'release', 'high', '2026-03-01 11:00', '2026-03-01 11:59:30', '{wiki}', '{}'),
	(5, 'above', 'closed', 'successful', 'release', 'high', '2026-03-01 11:00', '2026-03-01 11:59', '{shop}', '{}'),
	(6, 'nowhere', 'closed', 'successful', 'release', 'high', '2026-03-01 11:00', '2026-03-01 11:59', '{}', '{}'),
	(7, 'running', 'in_progress', NULL, 'release', 'medium', '2026-03-01 11:30', NULL, '{db}', '{}'),
	(8, 'overlapping', 'closed', 'successful', 'release', 'medium', '2026-03-01 11:30', '2026-03-01 12:30', '{db}', '{}'),
	(9, 'later', 'in_progress', NULL, 'release', 'critical', '2026-03-01 12:01', NULL, '{payments}', '{}'),
	(10, 'after', 'closed', 'successful', 'release', 'critical', '2026-03-01 12:01', '2026-03-01 12:02', '{payments}', '{}'),
	(11, 'aborted', 'cancelled', 'not_implemented', 'release', 'critical', '2026-03-01 11:01', '2026-03-01 11:02', '{payments}', '{}'),
	(12, 'planned', 'scheduled', NULL, 'release', 'critical', NULL, NULL, '{payments}', '{}'),
	(13, 'affecting', 'closed', 'successful', 'release', 'medium', '2026-03-01 05:00', '2026-03-01 06:00', '{wiki}', '{payments}'),
	(14, 'old', 'closed', 'successful', 'release', 'critical', '2026-02-20 05:00', '2026-02-22 11:59', '{payments}', '{}');
SELECT pg_temp.load_past() \gexec
SELECT is(pg_temp.titles('INC-1'), 'itself overlapping running affecting below nowhere beside above deep', 'the order');
SELECT results_eq($$SELECT title, round(score::numeric, 6), round(time_score::numeric, 6), distance_score, risk_score, round(kind_score::numeric, 6), is_confirmed, change_id, number
		FROM changemgmt.suspect_changes('INC-1') WHERE title IN ('itself', 'below', 'affecting', 'nowhere', 'running')$$,
	-- half-lives of six hours: 2^(-12/360) = 0.977160, 2^(-1/360) = 0.998076
	$$VALUES ('itself', round(0.977160 * (0.5 + 0.3 * 0.75 + 0.2 * 0.85), 6), 0.977160, 1::float8, 0.75::float8, 0.850000, false, 1::bigint, 'CHG0000001'),
		('running', 0.5 * (0.5 + 0.15 + 0.2), 1.000000, 0.5, 0.5, 1.0, false, 7, 'CHG0000007'),
		('affecting', 0.5 * 0.5 * (0.5 + 0.3 * 0.5 + 0.2 * 0.9), 0.500000, 0.5, 0.5, 0.9, false, 13, 'CHG0000013'),
		('below', 0.5 * 0.5 * (0.5 + 0.3 * 0.25 + 0.2), 0.500000, 0.5, 0.25, 1.0, false, 2, 'CHG0000002'),
		('nowhere', round(0.998076 * 0.1 * (0.5 + 0.3 * 0.75 + 0.2), 6), 0.998076, 0.1, 0.75, 1.0, false, 6, 'CHG0000006')$$, 'scores as they are worked out by hand');
SELECT is(pg_temp.reason('INC-1', title), reason, title) FROM (VALUES
	('itself', 'ended 12 minutes before it began; on payments itself; risk high; schema of kind service'),
	('below', 'ended 6 hours before it began; on db, 1 step below; risk low; release of kind database'),
	('deep', 'ended 2 days before it began; on disk, 2 steps below; risk not assessed; something of kind storage; it failed'),
	('beside', 'ended less than a minute before it began; on nothing that the incident''s items are known to depend on; risk high; release'),
	('nowhere', 'ended 1 minute before it began; names no item; risk high; release'),
	('running', 'was under way when it began; on db, 1 step below; risk medium; release of kind database'),
	('overlapping', 'was under way when it began; on db, 1 step below; risk medium; release of kind database'),
	('affecting', 'ended 6 hours before it began; affects payments itself; risk medium; release of kind service')) AS v (title, reason);
SELECT is((SELECT count(DISTINCT title) FROM changemgmt.suspect_changes('INC-1', 1000)), 9::bigint, 'neither what began after it, nor what was never done, nor what is a week old');
SELECT is(pg_temp.titles('INC-bare'), 'beside nowhere above itself overlapping running affecting below deep', 'without items by time and risk');
SELECT results_eq($$SELECT distance_score, reason FROM changemgmt.suspect_changes('INC-bare') WHERE title = 'below'$$,
	$$VALUES (NULL::float8, 'ended 6 hours before it began; the incident names no item, so where it was made does not count; risk low; release')$$, 'and it says so');
SELECT is((SELECT string_agg(title, ' ') FROM changemgmt.suspect_changes(changemgmt.incident_id('INC-1')::text, 1)), 'itself', 'an incident is named by its id, too');
SELECT is((SELECT count(*) FROM changemgmt.suspect_changes('INC-1', "limit" => 0)), 0::bigint, 'a limit of nothing');
SELECT is((SELECT count(*) FROM changemgmt.suspect_changes('INC-bare', NULL)), 9::bigint, 'no limit is the usual one');

-- What a person says of it
SET LOCAL changemgmt.actor = 'bob';
SELECT changemgmt.confirm_cause('INC-1', 2), changemgmt.confirm_cause('INC-1', 1, false) \g /dev/null
INSERT INTO changemgmt.incident_cause (incident_id, change_id) VALUES (changemgmt.incident_id('INC-1'), 7);
SELECT results_eq($$SELECT title, is_confirmed FROM changemgmt.suspect_changes('INC-1', 4)$$,
	$$VALUES ('overlapping', false), ('running', false), ('affecting', false), ('below', true)$$, 'confirmed stands beside, dismissed is no suspect any more');
SELECT is((SELECT string_agg(title, ' ' ORDER BY title) FROM changemgmt.suspect_changes('INC-bare') WHERE is_confirmed), NULL, 'of another incident it says nothing');
SELECT is((SELECT array_agg(f.change_id ORDER BY f.change_id) FROM changemgmt.change_fact AS f WHERE f.is_failed AND f.change_id < 100), ARRAY[2, 3]::bigint[], 'a suspect is never counted: what failed, and what is confirmed');

-- Beginnings that nobody knows, rollbacks, other environments, what answers it
INSERT INTO changemgmt.incident (reference, began_at, detected_at, created_at) VALUES ('INC-seen', NULL, '2026-04-01 12:00', '2026-04-02 12:00'), ('INC-stub', NULL, NULL, '2026-04-01 12:00');
SELECT changemgmt.add_incident_item('INC-seen', 'payments') \g /dev/null
INSERT INTO past (id, title, status, outcome, category, risk_level, actual_start, actual_end, environment, incident_id, rollback_started_at, rolled_back_at, items)
VALUES (21, 'taken_back', 'rolled_back', 'rolled_back', 'release', 'low', '2026-03-30 10:00', '2026-03-30 11:00', 'production', NULL, '2026-04-01 10:30', '2026-04-01 11:00', '{payments}'),
	(22, 'taking_back', 'rolled_back', 'rolled_back', 'release', 'low', '2026-03-30 10:00', '2026-03-30 11:00', 'production', NULL, '2026-04-01 11:30', '2026-04-01 13:00', '{payments}'),
	(23, 'taken_back_then', 'rolled_back', 'rolled_back', 'release', 'low', '2026-04-01 10:00', '2026-04-01 11:00', 'production', NULL, '2026-04-01 12:30', '2026-04-01 13:00', '{payments}'),
	(24, 'staging', 'closed', 'successful', 'release', 'low', '2026-04-01 10:00', '2026-04-01 11:00', 'staging', NULL, NULL, NULL, '{payments}'),
	(25, 'elsewhere', 'closed', 'successful', 'release', 'low', '2026-04-01 10:00', '2026-04-01 11:00', 'staging', NULL, NULL, NULL, '{wiki}'),
	(26, 'answer', 'closed', 'successful', 'release', 'low', '2026-04-01 10:00', '2026-04-01 11:00', 'production', changemgmt.incident_id('INC-seen'), NULL, NULL, '{payments}');
SELECT pg_temp.load_past() \gexec
SELECT is(pg_temp.titles('INC-seen'), 'taking_back later taken_back_then taken_back staging running',
	'what answers it is no suspect, nor what was done elsewhere in another environment');
SELECT is(pg_temp.titles('INC-stub'), 'taking_back later taken_back_then taken_back running answer', 'without items it is about production only');
SELECT is(pg_temp.reason('INC-seen', title), reason, title) FROM (VALUES
	('taken_back', 'was rolled back 60 minutes before it was detected; on payments itself; risk low; release of kind service; it was rolled back'),
	('taking_back', 'was being rolled back when it was detected; on payments itself; risk low; release of kind service; it was rolled back'),
	('taken_back_then', 'ended 60 minutes before it was detected; on payments itself; risk low; release of kind service; it was rolled back')) AS v (title, reason);
SELECT matches(pg_temp.reason('INC-stub', 'taken_back'), 'before it was recorded', 'a stub began when it was recorded, as far as anybody knows');

-- Wrong input, and history of any time
COPY changemgmt.incident (reference, began_at) FROM stdin;
INC-first	4713-01-01 BC
INC-last	294276-12-31 23:59
\.
SELECT is(pg_temp.refusal(sql), expected, sql) FROM (VALUES
	('SELECT changemgmt.suspect_changes(''INC-404'')', 'MC008 incident "INC-404" does not exist'),
	('SELECT changemgmt.suspect_changes('''')', 'MC008 incident "" does not exist'),
	('SELECT changemgmt.suspect_changes(NULL)', 'MC008 incident "" does not exist'),
	('SELECT changemgmt.suspect_changes(''99999999999999999999'')', 'MC008 incident "99999999999999999999" does not exist'),
	('SELECT changemgmt.suspect_changes('' 1'')', 'MC008 incident " 1" does not exist'),
	('SELECT changemgmt.suspect_changes(''INC-1'', -1)', 'MC008 limit -1 is negative'),
	('SELECT changemgmt.add_incident_item(''INC-1'', ''none'')', 'MC008 configuration item "none" does not exist'),
	('SELECT changemgmt.add_incident_item(''INC-1'', NULL)', 'MC008 configuration item "" does not exist'),
	('SELECT changemgmt.changes_near(''none'')', 'MC008 configuration item "none" does not exist'),
	('SELECT changemgmt.changes_near(NULL)', 'MC008 configuration item "" does not exist'),
	('SELECT changemgmt.changes_near(''db'', ''infinity'')', 'MC008 at is infinite'),
	('SELECT changemgmt.changes_near(''db'', within => ''-1 hour'')', 'MC008 within must not be negative, nor longer than 366 days'),
	('SELECT changemgmt.changes_near(''db'', within => ''2 years'')', 'MC008 within must not be negative, nor longer than 366 days'),
	('SELECT changemgmt.changes_near(''db'', within => ''178000000 years'')', 'MC008 within must not be negative, nor longer than 366 days'),
	('SELECT changemgmt.changes_near(''db'', depth => -1)', 'MC008 depth -1 is not between 0 and 10'),
	('SELECT changemgmt.changes_near(''db'', depth => 11)', 'MC008 depth 11 is not between 0 and 10'),
	('SELECT changemgmt.changes_near(''db'', ''4713-01-01 BC'')', 'done'),
	('SELECT changemgmt.changes_near(''db'', ''294276-12-31 23:59:59.999999'')', 'done'),
	('SELECT changemgmt.suspect_changes(''INC-first''), changemgmt.suspect_changes(''INC-last'')', 'done')) AS v (sql, expected);
SELECT matches(pg_temp.refusal($$INSERT INTO changemgmt.incident (reference, began_at, resolved_at) VALUES ('x', '2026-01-02', '2026-01-01')$$), '^MC008',
	'an incident is not resolved before it began');
SELECT is((SELECT count(*) FROM changemgmt.incident WHERE reference = 'INC-404'), 0::bigint, 'asking records no incident');

-- What changed near
SELECT results_eq($$SELECT title, ci_name, distance, minutes_before, status, outcome FROM changemgmt.changes_near('payments', '2026-03-01 12:00')$$,
	$$VALUES ('overlapping', 'db', 1, 0, 'closed', 'successful'), ('running', 'db', 1, 0, 'in_progress', NULL),
		('itself', 'payments', 0, 12, 'closed', 'successful'), ('affecting', 'payments', 1, 360, 'closed', 'successful'), ('below', 'db', 1, 360, 'closed', 'successful')$$,
	'what changed near payments, the newest first');
SELECT results_eq($$SELECT change_id, number, began_at, ended_at FROM changemgmt.changes_near('payments', '2026-03-01 12:00') WHERE title IN ('itself', 'running')$$,
	$$VALUES (7::bigint, 'CHG0000007', timestamptz '2026-03-01 11:30', NULL::timestamptz), (1, 'CHG0000001', '2026-03-01 11:00', '2026-03-01 11:48')$$, 'from when to when');
SELECT is((SELECT string_agg(title, ' ') FROM changemgmt.changes_near('payments', '2026-03-01 12:00', depth => 0)), 'itself', 'on itself only');
SELECT is((SELECT string_agg(title, ' ') FROM changemgmt.changes_near('payments', '2026-03-01 12:00', '10 minutes', 1)), 'overlapping running', 'in the last minutes');
SELECT is((SELECT string_agg(title, ' ') FROM changemgmt.changes_near('payments', '2026-03-01 12:00', '3 days', 10)), 'overlapping running itself affecting below deep', 'in days, through the circle');
SELECT is((SELECT string_agg(title, ' ' ORDER BY title) FROM changemgmt.changes_near('payments', '2026-04-01 12:00', '2 hours', 0)),
	'answer later staging taken_back taken_back_then taking_back', 'a rollback is a change, too, however old what it takes back');
SELECT is((SELECT string_agg(title, ' ') FROM changemgmt.changes_near('shop', '2026-03-01 12:00', '1 hour', 1)), 'above itself', 'what an item depends on');
SELECT is((SELECT count(*) FROM changemgmt.changes_near('wiki', NULL, NULL, NULL)), 0::bigint, 'nothing is now');
SELECT is((SELECT count(*) FROM changemgmt.changes_near('payments')), 2::bigint, 'what is under way is near now');

-- Confidential changes, and ordinary roles
RESET changemgmt.actor;
INSERT INTO past (id, title, status, outcome, category, risk_level, actual_start, actual_end, confidential, requester, items)
VALUES (31, 'secret', 'closed', 'successful', 'security', 'high', '2026-03-01 11:00', '2026-03-01 11:59', true, 'ann', '{payments}');
SELECT pg_temp.load_past() \gexec
CREATE FUNCTION pg_temp.seen_by(who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', who);
	SELECT (SELECT string_agg(s.title, ' ') FROM changemgmt.suspect_changes('INC-1', 2) AS s) || ', '
		|| (SELECT string_agg(s.title, ' ') FROM changemgmt.changes_near('payments', '2026-03-01 12:00', '1 hour', 0) AS s) INTO result;
	RESET ROLE;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
CREATE ROLE regress_suspect_ann;
CREATE ROLE regress_suspect_viewer;
CREATE ROLE regress_suspect_nobody;
CREATE ROLE regress_suspect_implementer;
UPDATE changemgmt.person SET login = 'regress_suspect_ann' WHERE login = 'ann';
SELECT changemgmt.grant_role('regress_suspect_ann', 'viewer'), changemgmt.grant_role('regress_suspect_viewer', 'viewer'), changemgmt.grant_role('regress_suspect_implementer', 'implementer') \g /dev/null
GRANT USAGE ON SCHEMA changemgmt TO regress_suspect_nobody;
SELECT is(pg_temp.seen_by('regress_suspect_ann'), 'secret overlapping, secret itself', 'a confidential change is a suspect to who may see it');
SELECT is(pg_temp.seen_by('regress_suspect_viewer'), 'overlapping running, itself', 'and is not there for others, who get as many');
SELECT is(pg_temp.seen_by('regress_suspect_nobody'), '42501', 'who has no duty asks nothing');
SET LOCAL ROLE regress_suspect_viewer;
SELECT is(pg_temp.refusal($$SELECT changemgmt.add_incident_item('INC-1', 'db')$$), '42501 permission denied for function add_incident_item', 'a viewer names no item');
SET LOCAL ROLE regress_suspect_implementer;
SELECT is(pg_temp.refusal($$SELECT changemgmt.add_incident_item('INC-new', 'db')$$), 'done', 'who works on it does');
RESET ROLE;
SELECT is((SELECT string_agg(i.reference || ' ' || c.name, ', ' ORDER BY i.id) FROM changemgmt.incident_item AS x JOIN changemgmt.incident AS i ON i.id = x.incident_id
	JOIN changemgmt.configuration_item AS c ON c.id = x.ci_id WHERE i.reference LIKE 'INC-%'), 'INC-1 payments, INC-seen payments, INC-new db', 'and it is there');

SELECT finish();
ROLLBACK;
