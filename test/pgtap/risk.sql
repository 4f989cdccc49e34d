-- The risk of a change: factors, matrices, rules, and what they come to.

BEGIN;
SELECT no_plan();

CREATE FUNCTION pg_temp.refusal(sql text) RETURNS text
	LANGUAGE plpgsql AS
$$
BEGIN
	EXECUTE sql;
	RETURN '';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' | ' || SQLERRM;
END
$$;

SELECT changemgmt.add_person(p) FROM unnest('{regress_ann,regress_ben,regress_mona}'::text[]) AS p \g /dev/null
SET LOCAL changemgmt.actor = 'regress_ann';
SELECT changemgmt.add_team('dba', members => '{regress_ann}') \g /dev/null
SELECT changemgmt.add_ci('orders-db', kind => 'database', tier => 2),
	changemgmt.add_ci('web', tier => 1, depends_on => '{orders-db}'),
	changemgmt.add_ci('unrated'), changemgmt.add_ci('alone', tier => 5) \g /dev/null

CREATE FUNCTION pg_temp.factor(change bigint, name text) RETURNS text LANGUAGE sql AS
$$ SELECT concat_ws(' ', value, is_known, sentence) FROM changemgmt.risk_explain(change) WHERE factor = name $$;
CREATE FUNCTION pg_temp.value(change bigint, name text) RETURNS numeric LANGUAGE sql AS
$$ SELECT value FROM changemgmt.risk_explain(change) WHERE factor = name $$;
CREATE FUNCTION pg_temp.if(change bigint, patch jsonb, name text) RETURNS text LANGUAGE sql AS
$$ SELECT concat_ws(' ', value, is_known) FROM changemgmt.risk_what_if(change, patch) WHERE factor = name $$;

-- One change, by hand: the table of docs/risk.md

SELECT id AS hand FROM changemgmt.create_change('Upgrade orders-db', model => 'normal', owner => 'regress_ann', items => '{orders-db}',
	description => 'From 15 to 17.', justification => 'End of life.', user_impact => 'Orders wait for ten minutes.', team => 'dba',
	rollback_trigger => 'Errors above 5 %', rollback_plan => 'Restore the snapshot.', rollback_minutes => 20, rollback_strategy => 'restore',
	test_plan => 'On a copy.', verification_plan => 'Place an order.', touches_data_integrity => true,
	planned_start => '2099-03-03 10:00Z', planned_end => '2099-03-03 11:00Z') \gset
SELECT changemgmt.register_risk(:hand, 'The upgrade stops half way', 'medium', 'high'), changemgmt.register_risk(:hand, 'Plans get worse', 'low', 'medium') \g /dev/null
SELECT results_eq(format($$SELECT factor, value, weight::integer, points, is_known FROM changemgmt.risk_explain(%s) WHERE kind = 'factor'$$, :hand), $$VALUES
	('inherent_risk', 0.48, 14, 6.72, true), ('tier', 0.75, 8, 6.00, true), ('blast_radius', 0.20, 8, 1.60, true),
	('data_integrity', 1.00, 7, 7.00, true), ('security', 0.00, 7, 0.00, true), ('environment', 1.00, 4, 4.00, true),
	('type', 0.40, 4, 1.60, true), ('novelty', 1.00, 6, 6.00, true), ('record_of_model', 0.20, 3, 0.60, true),
	('record_of_item', 0.20, 3, 0.60, true), ('record_of_owner', 0.20, 3, 0.60, true), ('record_of_team', 0.20, 3, 0.60, true),
	('rollback', 0.50, 8, 4.00, true), ('testing', 0.50, 6, 3.00, true), ('size', 0.10, 4, 0.40, true),
	('timing', 0.00, 5, 0.00, true), ('overlap', 0.00, 3, 0.00, true), ('recent_incidents', 0.00, 4, 0.00, true)$$, 'a score by hand: each factor');
SELECT is(changemgmt.risk_score(:hand), 42.72, 'and their sum');
SELECT results_eq(format($$SELECT factor, level, won, is_known FROM changemgmt.risk_explain(%s) WHERE kind = 'level'$$, :hand),
	$$VALUES ('matrix', 'high', true, true), ('rules', 'medium', false, true), ('score', 'medium', false, true)$$, 'the matrix says more than rules and score, and wins');
SELECT is(changemgmt.risk_level(:hand), 'high', 'so that is the level');
SELECT results_eq(format('SELECT score, level, won_by, assessed_at IS NULL FROM changemgmt.risk_summary(%s)', :hand), $$VALUES (42.72, 'high', 'matrix', true)$$, 'the same in one row');
SELECT is((SELECT reasons FROM changemgmt.risk_summary(:hand)), 'data could be damaged (7.00); the worst of 2 risks has medium likelihood and high impact (6.72); '
	|| 'the most critical item, orders-db, is of tier 2 (6.00)', 'with the three weightiest reasons in words');
SELECT is((SELECT sum(weight) FROM changemgmt.shipped_risk_factors()), 100::numeric, 'what ships weighs 100');

-- What is not known is never low

SELECT id AS bare FROM changemgmt.create_change('bare') \gset
SELECT set_eq(format($$SELECT factor FROM changemgmt.risk_explain(%s) WHERE kind = 'factor' AND NOT is_known$$, :bare),
	'{inherent_risk,tier,blast_radius,novelty,record_of_item,record_of_owner,record_of_team,testing,size,timing,overlap,recent_incidents}'::text[], 'what a bare draft leaves open');
SELECT is_empty(format($$SELECT factor, value FROM changemgmt.risk_explain(%s) WHERE kind = 'factor' AND NOT is_known AND value <> 1$$, :bare), 'all of it counts as the highest');
SELECT is(changemgmt.risk_level(:bare), 'critical', 'and the level is critical');
SELECT changemgmt.add_item(:bare, 'alone') \g /dev/null
SELECT is(pg_temp.value(:bare, 'tier'), 0.00, 'an item of tier 5');
SELECT changemgmt.add_item(:bare, 'unrated') \g /dev/null
SELECT is(pg_temp.factor(:bare, 'tier'), '1.00 f nobody knows the tier of unrated, which counts as the highest', 'and one of which nobody knows the tier');

-- The register

SELECT id AS register FROM changemgmt.create_change('register') \gset
SELECT results_eq(format($$SELECT pg_temp.if(%s, jsonb_build_object('risk_level', l), 'inherent_risk') FROM unnest('{low,medium,high,critical}'::text[]) AS l$$, :register),
	$$VALUES ('0.16 t'), ('0.36 t'), ('0.64 t'), ('1.00 t')$$, 'without rows risk_level tells it');
SELECT changemgmt.register_risk(:register, 'r', 'very_low', 'very_high', 'insured', 'regress_ben', 'very_low', 'low') AS risk \gset
SELECT results_eq(format('SELECT likelihood, impact, mitigation, owner_id = changemgmt.person_id(''regress_ben''), residual_likelihood, residual_impact FROM changemgmt.change_risk WHERE id = %s', :risk),
	$$VALUES ('very_low', 'very_high', 'insured', true, 'very_low', 'low')$$, 'a row of the register');
SELECT is(pg_temp.value(:register, 'inherent_risk'), 0.20, 'the factor sees the risk before mitigation: 1 times 5 of 25');
SELECT is((SELECT level || ' ' || sentence FROM changemgmt.risk_explain(:register) WHERE factor = 'matrix'),
	'low matrix default: the worst of 1 risks has very_low likelihood and low impact after mitigation', 'the matrix what is left of it');
SELECT id AS copied FROM changemgmt.copy_change(:register) \gset
SELECT results_eq(format('SELECT description, likelihood, impact, mitigation, owner_id, residual_likelihood, residual_impact FROM changemgmt.change_risk WHERE change_id = %s', :copied),
	format('SELECT description, likelihood, impact, mitigation, owner_id, residual_likelihood, residual_impact FROM changemgmt.change_risk WHERE change_id = %s', :register), 'a copy has all of it');
SELECT id AS document FROM changemgmt.create_change_from('{"title": "document", "risks": [{"description": "r", "likelihood": "very_low", "impact": "high", "owner": "regress_ben", "residual_impact": "low"}]}') \gset
SELECT results_eq(format('SELECT likelihood, owner_id = changemgmt.person_id(''regress_ben''), residual_likelihood, residual_impact FROM changemgmt.change_risk WHERE change_id = %s', :document),
	$$VALUES ('very_low', true, NULL, 'low')$$, 'and a document can say it');
UPDATE changemgmt.change_risk SET mitigation = ' ' WHERE id = :risk;
SELECT is((SELECT level FROM changemgmt.risk_explain(:register) WHERE factor = 'matrix'), 'high', 'but only where a mitigation says why');
SELECT matches(pg_temp.refusal(format($$SELECT changemgmt.register_risk(%s, 'r', 'often', 'low')$$, :register)), '^MC008 .*often', 'words of the list only');
SELECT matches(pg_temp.refusal(format($$SELECT changemgmt.register_risk(%s, 'r', 'low', 'low', residual_impact => 'none')$$, :register)), '^MC008 .*none', 'of what is left, too');
SELECT changemgmt.register_risk(:register, 'nobody knows', impact => 'low') \g /dev/null
SELECT is(pg_temp.factor(:register, 'inherent_risk'), '0.40 f the worst of 2 risks has unknown likelihood and low impact; unknown counts as very high',
	'an unknown axis: 5 times 2 of 25');
-- the highest that there is for it: of impact low, in the default matrix, high
CREATE FUNCTION pg_temp.cell(likelihood text, impact text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	c bigint := (SELECT id FROM changemgmt.create_change('cell'));
BEGIN
	PERFORM changemgmt.register_risk(c, 'r', likelihood, impact);
	RETURN (SELECT level FROM changemgmt.risk_explain(c) WHERE factor = 'matrix');
END
$$;
CREATE TEMP TABLE axis (word text, n integer);
INSERT INTO axis VALUES ('very_low', 1), ('low', 2), ('medium', 3), ('high', 4), ('very_high', 5);
SELECT is(pg_temp.cell('unknown', a.word), (SELECT level FROM changemgmt.risk_matrix WHERE key = 'default' AND impact = a.word
		ORDER BY array_position('{critical,high,medium,low}'::text[], level) LIMIT 1), 'unknown likelihood, impact ' || a.word) FROM axis AS a;
SELECT is(pg_temp.cell(a.word, 'unknown'), (SELECT level FROM changemgmt.risk_matrix WHERE key = 'default' AND likelihood = a.word
		ORDER BY array_position('{critical,high,medium,low}'::text[], level) LIMIT 1), 'unknown impact, likelihood ' || a.word) FROM axis AS a;
SELECT is(pg_temp.cell('unknown', 'unknown'), 'critical', 'neither is known');
SELECT results_eq($$SELECT changemgmt.setting_value('risk_matrix'), level FROM changemgmt.risk_matrix WHERE key = 'default' AND likelihood = impact AND likelihood IN ('low', 'medium', 'high')$$,
	$$VALUES ('default', 'low'), ('default', 'medium'), ('default', 'high')$$, 'three words map onto themselves');

-- Matrices that others publish, from their sources: docs/risk.md says which

SELECT set_eq($$SELECT key FROM changemgmt.risk_matrix$$, '{default,freeitsm,glpi,znuny}'::text[], 'what ships');
SELECT is((SELECT count(*) FROM changemgmt.risk_matrix), 100::bigint, 'all of 25 cells');
SELECT set_eq($$SELECT l.n AS l, i.n AS i, m.level FROM changemgmt.risk_matrix AS m JOIN axis AS l ON l.word = m.likelihood JOIN axis AS i ON i.word = m.impact WHERE key = 'freeitsm'$$,
	$$SELECT l.n AS l, i.n AS i, CASE WHEN l.n * i.n <= 4 THEN 'low' WHEN l.n * i.n <= 9 THEN 'medium' WHEN l.n * i.n <= 15 THEN 'high' ELSE 'critical' END FROM axis AS l, axis AS i$$,
	'freeITSM: the product, with very high and critical as critical');
CREATE FUNCTION pg_temp.of_five(n integer) RETURNS text LANGUAGE sql AS $$ SELECT ('{low,low,medium,high,critical}'::text[])[n] $$;
SELECT set_eq($$SELECT l.n AS l, i.n AS i, m.level FROM changemgmt.risk_matrix AS m JOIN axis AS l ON l.word = m.likelihood JOIN axis AS i ON i.word = m.impact WHERE key = 'glpi'$$,
	$$SELECT l.key::integer AS l, i.key::integer AS i, pg_temp.of_five(i.value::integer) FROM jsonb_each('{"1": {"1": 1, "2": 1, "3": 2, "4": 2, "5": 2},
		"2": {"1": 1, "2": 2, "3": 2, "4": 3, "5": 3}, "3": {"1": 2, "2": 2, "3": 3, "4": 4, "5": 4}, "4": {"1": 2, "2": 3, "3": 4, "4": 4, "5": 5},
		"5": {"1": 2, "2": 3, "3": 4, "4": 5, "5": 5}}') AS l, jsonb_each_text(l.value) AS i$$, 'GLPI: its default priority_matrix');
SELECT set_eq($$SELECT l.n AS l, i.n AS i, m.level FROM changemgmt.risk_matrix AS m JOIN axis AS l ON l.word = m.likelihood JOIN axis AS i ON i.word = m.impact WHERE key = 'znuny'$$,
	$$SELECT c::integer AS l, i::integer AS i, pg_temp.of_five(p) FROM unnest('{{1,1,2,2,3},{1,2,2,3,4},{2,2,3,4,4},{2,3,4,4,5},{3,4,4,5,5}}'::integer[]) WITH ORDINALITY AS m (p, n),
		LATERAL (SELECT (n - 1) / 5 + 1 AS i, (n - 1) % 5 + 1 AS c) AS x$$, 'Znuny: impact and category make the priority');
CREATE FUNCTION pg_temp.under(matrix text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM changemgmt.set_setting('risk_matrix', matrix);
	RETURN pg_temp.cell('high', 'high');
END
$$;
SELECT is((SELECT array_agg(pg_temp.under(k) ORDER BY n) FROM unnest('{default,freeitsm,glpi,znuny}'::text[]) WITH ORDINALITY AS u (k, n)),
	'{high,critical,high,high}'::text[], 'the setting chooses');
SELECT matches(pg_temp.refusal($$SELECT changemgmt.publish_risk_matrix('ours', $$ || quote_nullable(cells) || ')'), '^(MC008|23502) ', 'no matrix: ' || coalesce(cells, 'null'))
FROM (VALUES ('[]'), ('{}'), ('1'), (NULL), ('[[],[],[],[],[]]'), ('[["low","low","low","low","low"],["low","low","low","low","low"],["low","low","low","low","low"],["low","low","low","low","low"],["low","low","low","low","worst"]]'),
	('[1,2,3,4,5]'), ('[["low","low","low","low",1],["low","low","low","low","low"],["low","low","low","low","low"],["low","low","low","low","low"],["low","low","low","low","low"]]')) AS v (cells);
CREATE FUNCTION pg_temp.all_of(level text) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_agg((SELECT jsonb_agg(level) FROM generate_series(1, 5))) FROM generate_series(1, 5) $$;
SELECT is(changemgmt.publish_risk_matrix('ours', pg_temp.all_of('critical')), 1, 'a site publishes its own');
SELECT changemgmt.set_setting('risk_matrix', 'ours') \g /dev/null
SELECT is(pg_temp.cell('low', 'low'), 'critical', 'which is in force by the setting');
SELECT is(changemgmt.publish_risk_matrix('ours', pg_temp.all_of('low')), 2, 'its next version');
SELECT is(pg_temp.cell('high', 'high'), 'low', 'takes the place of the first');
SELECT matches(pg_temp.refusal(s), '^MC006 ', s) FROM unnest(ARRAY['UPDATE changemgmt.site_risk_matrix SET cells = ''[]''', 'DELETE FROM changemgmt.site_risk_matrix', 'TRUNCATE changemgmt.site_risk_matrix']) AS s;
SELECT changemgmt.set_setting('risk_matrix', 'nobody_s') \g /dev/null
SELECT is((SELECT level || ' ' || is_known FROM changemgmt.risk_explain(:hand) WHERE factor = 'matrix'), 'critical false', 'a matrix that is not there counts as the highest');
DELETE FROM changemgmt.site_setting;
SELECT changemgmt.publish_risk_matrix('default', pg_temp.all_of('medium')) \g /dev/null
SELECT is(pg_temp.cell('high', 'high'), 'medium', 'one with the key of a shipped one takes its place');

-- Factors

SELECT is(pg_temp.if(:hand, patch::jsonb, factor), expected, factor || ' if ' || patch) FROM (VALUES
	('{"environment": "staging"}', 'environment', '1.00 t'), -- its item is of production
	('{"model": "standard"}', 'type', '0.00 t'), ('{"model": "major"}', 'type', '0.80 t'),
	('{"touches_security": true}', 'security', '1.00 t'), ('{"touches_data_integrity": false}', 'data_integrity', '0.00 t'),
	('{"rollback_plan": null}', 'rollback', '1.00 t'), ('{"rollback_strategy": "fix_forward"}', 'rollback', '1.00 t'), ('{"rollback_strategy": null}', 'rollback', '0.75 t'),
	('{"rollback_minutes": null}', 'rollback', '0.75 t'), ('{"rollback_trigger": " "}', 'rollback', '0.75 t'), ('{"rollback_strategy": "redeploy"}', 'rollback', '0.50 t'),
	('{"rollback_strategy": "blue_green"}', 'rollback', '0.00 t'), ('{"rollback_strategy": "feature_flag"}', 'rollback', '0.00 t'),
	('{"test_plan": ""}', 'testing', '1.00 f'), ('{"environment": "test", "test_plan": ""}', 'testing', '0.00 t'),
	('{"owner": null}', 'record_of_owner', '1.00 f'), ('{"team": null}', 'record_of_team', '1.00 f'),
	('{"planned_start": null}', 'timing', '1.00 f'), ('{"planned_start": "2099-03-07 10:00Z", "planned_end": "2099-03-07 11:00Z"}', 'timing', '0.20 t'), -- a Saturday
	('{"planned_end": "2109-03-03 10:00Z"}', 'timing', '1.00 t'), ('{"planned_start": null}', 'overlap', '1.00 f')) AS v (patch, factor, expected);
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.risk_what_if(%s, %L)', :hand, patch)), '^(MC008|22)', 'no patch: ' || patch)
FROM unnest('{"[]","1","{\"colour\": 1}","{\"status\": \"approved\"}","{\"revision\": 1}","{\"environment\": \"moon\"}","{\"owner\": \"nobody\"}","{\"rollback_minutes\": -1}"}'::text[]) AS patch;
SELECT is(changemgmt.risk_score(:hand), 42.72, 'what is thought of is not stored');

SELECT changemgmt.declare_blackout('audit', starts_at => '2099-03-04 00:00Z', ends_at => '2099-03-05 00:00Z', reason => 'Audit') \g /dev/null
SELECT is(pg_temp.factor(:hand, 'timing'), '0.30 t it is planned within a day of a blackout', 'the day before a blackout');
SELECT is(pg_temp.if(:hand, '{"planned_start": "2099-03-04 10:00Z", "planned_end": "2099-03-04 11:00Z"}', 'timing'), '1.00 t', 'in it');
SELECT changemgmt.remove_window('audit'), changemgmt.add_maintenance_window('nights', 'DTSTART:20990301T020000Z DURATION:PT2H RRULE:FREQ=DAILY') \g /dev/null
SELECT is(pg_temp.factor(:hand, 'timing'), '0.50 t it is planned outside of the maintenance windows', 'outside of the windows');
SELECT is(pg_temp.if(:hand, '{"planned_start": "2099-03-03 02:00Z", "planned_end": "2099-03-03 03:00Z"}', 'timing'), '0.00 t', 'in a window, at night');
SELECT changemgmt.remove_window('nights') \g /dev/null

-- testing: the same change in an earlier environment
SELECT id AS rehearsal FROM changemgmt.create_change('In staging', environment => 'staging') \gset
INSERT INTO changemgmt.change_link (change_id, relation, target_change_id) VALUES (:hand, 'promoted_from', :rehearsal);
SELECT is(pg_temp.value(:hand, 'testing'), 0.60, 'it is linked, but not done');
DELETE FROM changemgmt.change_link WHERE change_id = :hand;
SAVEPOINT rehearsed;
COPY changemgmt.change (id, title, model, type, environment, status, outcome, actual_start, actual_end) FROM stdin;
900001	rehearsed	normal	normal	staging	closed	successful	2020-01-01 10:00Z	2020-01-01 11:00Z
900002	rehearsed	normal	normal	staging	closed	successful_with_issues	2020-01-01 10:00Z	2020-01-01 11:00Z
900003	rehearsed	normal	normal	test	closed	failed	2020-01-01 10:00Z	2020-01-01 11:00Z
900004	rehearsed	normal	normal	test	closed	rolled_back	2020-01-01 10:00Z	2020-01-01 11:00Z
900005	rehearsed	normal	normal	test	cancelled	not_implemented	2020-01-01 10:00Z	2020-01-01 11:00Z
\.
CREATE FUNCTION pg_temp.promoted(change bigint, source bigint) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	answer text;
BEGIN
	INSERT INTO changemgmt.change_link (change_id, relation, target_change_id) VALUES (change, 'promoted_from', source);
	answer := pg_temp.factor(change, 'testing');
	DELETE FROM changemgmt.change_link WHERE change_id = change;
	RETURN replace(answer, changemgmt.change_number(source), 'it');
END
$$;
SELECT is(pg_temp.promoted(:hand, id), said, 'promoted from what was ' || said) FROM (VALUES (900001, '0.00 t it did the same in staging, successfully'), (900002, '0.40 t it did the same in staging, with issues'),
	(900003, '1.00 t it did the same in test, and its outcome is failed'), (900004, '1.00 t it did the same in test, and its outcome is rolled_back'), (900005, '1.00 t it did the same in test, and its outcome is not_implemented')) AS v (id, said);
ROLLBACK TO rehearsed;

-- rollback: the entry of the checklist that ships
SELECT changemgmt.publish_model('checked', (SELECT jsonb_build_object('base', 'normal', 'checklist', jsonb_agg(key)) FROM changemgmt.checklist_entry WHERE key = 'rollback_tested')) \g /dev/null
SELECT id AS checked FROM changemgmt.create_change('checked', model => 'checked', owner => 'regress_ann', rollback_trigger => 'Errors above 5 %', rollback_plan => 'Restore the snapshot.', rollback_minutes => 20, rollback_strategy => 'restore') \gset
SELECT changemgmt.add_checklist(:checked) \g /dev/null
SELECT is(pg_temp.value(:checked, 'rollback'), 0.50, 'the way back is to be tested');
SELECT is((SELECT count(changemgmt.complete_task(id)) FROM changemgmt.change_task WHERE change_id = :checked), 1::bigint, 'by the one entry of its checklist');
SELECT is(pg_temp.value(:checked, 'rollback'), 0.20, 'it was');


-- the graph goes round in a circle, and each item counts once
INSERT INTO changemgmt.ci_dependency (ci_id, depends_on_ci_id) VALUES (changemgmt.ci_id('orders-db'), changemgmt.ci_id('web')), (changemgmt.ci_id('unrated'), changemgmt.ci_id('web')), (changemgmt.ci_id('web'), changemgmt.ci_id('unrated'));
SELECT is(pg_temp.factor(:hand, 'blast_radius'), '0.20 t 2 items depend on what it changes, over up to 2 steps', 'a cyclic graph');
DELETE FROM changemgmt.ci_dependency WHERE ci_id <> changemgmt.ci_id('web') OR depends_on_ci_id <> changemgmt.ci_id('orders-db');
WITH made AS (INSERT INTO changemgmt.configuration_item (name) SELECT 'fan ' || n FROM generate_series(1, 2000) AS n RETURNING id)
INSERT INTO changemgmt.ci_dependency (ci_id, depends_on_ci_id) SELECT id, changemgmt.ci_id('orders-db') FROM made;
SELECT is(pg_temp.factor(:hand, 'blast_radius'), '1.00 t at least 100 items depend on what it changes, over up to 1 step', 'a hub');
DELETE FROM changemgmt.ci_dependency WHERE ci_id <> changemgmt.ci_id('web');
-- a chain is followed for five steps
INSERT INTO changemgmt.ci_dependency (ci_id, depends_on_ci_id) SELECT changemgmt.ci_id('fan ' || n), changemgmt.ci_id(CASE n WHEN 1 THEN 'web' ELSE 'fan ' || n - 1 END) FROM generate_series(1, 9) AS n;
SELECT is(pg_temp.factor(:hand, 'blast_radius'), '0.40 t 5 items depend on what it changes, over up to 5 steps', 'a chain');
DELETE FROM changemgmt.ci_dependency WHERE ci_id <> changemgmt.ci_id('web');

-- incidents: one of the last 30 days, one that is open, one of long ago
INSERT INTO changemgmt.incident (reference, began_at, resolved_at) VALUES ('INC-old', now() - interval '90 days', now() - interval '89 days'),
	('INC-new', now() - interval '9 days', now() - interval '8 days');
SELECT changemgmt.add_incident_item('INC-old', 'orders-db') \g /dev/null
SELECT is(pg_temp.value(:hand, 'recent_incidents'), 0.00, 'an incident of long ago');
SELECT changemgmt.add_incident_item('INC-new', 'orders-db') \g /dev/null
SELECT is(pg_temp.factor(:hand, 'recent_incidents'), '0.50 t 1 incident of its items in 30 days', 'one of last week');
INSERT INTO changemgmt.incident (reference, began_at) VALUES ('INC-open', now() - interval '80 days');
SELECT changemgmt.add_incident_item('INC-open', 'orders-db') \g /dev/null
SELECT is(pg_temp.factor(:hand, 'recent_incidents'), '1.00 t 2 incidents of its items in 30 days, 1 not resolved', 'one that is open');

-- Records: history that comes in by COPY

SELECT is(pg_temp.factor(:hand, 'record_of_model'), '0.20 t no change of model normal was executed yet: the rate is taken to be 10 %', 'no record: the prior');
-- as the statement that brings it: COPY by a function is no history
CREATE FUNCTION pg_temp.executed(outcome text, n integer, ended timestamptz, owner text DEFAULT NULL) RETURNS text LANGUAGE sql AS
$$
	SELECT format('COPY changemgmt.change (title, model, status, outcome, actual_start, actual_end, owner_id) FROM PROGRAM %L',
		format($p$for i in $(seq %s); do printf 'history\tnormal\tclosed\t%s\t%s\t%s\t%s\n'; done$p$, n, outcome,
			ended - interval '1 hour', ended, coalesce(changemgmt.person_id(owner)::text, '\\N')))
$$;
SELECT pg_temp.executed('failed', 1, '2020-05-05', 'regress_ann') \gexec
SELECT is(pg_temp.factor(:hand, 'record_of_model'), '0.37 t 1 of the latest 1 changes of model normal failed: (1 + 1) of (1 + 10) is 18.2 %', '1 of 1 is not 100 %');
SELECT is(pg_temp.value(:hand, 'record_of_owner'), 0.37, 'the owner''s as well');
SELECT is(pg_temp.factor(:hand, 'novelty'), '0.30 t no change was executed before of orders-db', 'and neither is new');
SELECT pg_temp.executed('successful', 49, '2020-05-04') \gexec
SELECT is(pg_temp.value(:hand, 'record_of_model'), 0.07, '1 of 50: 2 of 60');
SELECT pg_temp.executed('rolled_back', 10, '2020-05-03') \gexec
SELECT is(pg_temp.value(:hand, 'record_of_model'), 0.07, 'only the latest 50 count');
SELECT pg_temp.executed('not_implemented', 30, '2020-05-06') \gexec
SELECT is(pg_temp.value(:hand, 'record_of_model'), 0.07, 'what was not implemented does not');
SELECT is(pg_temp.value((SELECT min(id) FROM changemgmt.change WHERE outcome = 'rolled_back'), 'record_of_model'), 0.20,
	'of a change of the past only what was known at its start counts');
-- a success that an incident was caused by, and one that was remediated
SELECT id AS caused FROM changemgmt.change WHERE outcome = 'successful' ORDER BY id LIMIT 1 \gset
INSERT INTO changemgmt.incident_cause (incident_id, change_id, status, decided_at) VALUES (changemgmt.incident_id('INC-new'), :caused, 'confirmed', '2020-06-01');
SELECT is(pg_temp.value(:hand, 'record_of_model'), 0.10, 'a success that caused an incident failed: 3 of 60');
INSERT INTO changemgmt.change_link (change_id, relation, target_change_id) VALUES (:rehearsal, 'remediates', :caused + 1);
SELECT is(pg_temp.value(:hand, 'record_of_model'), 0.14, 'and one that is remediated: 4 of 60');

-- What a policy would have done: 60 executed, 1 failed, 10 rolled back, 1 caused, 1 remediated; nobody has assessed them

SELECT results_eq($$SELECT policy, changes, to_board, failed, caught, caught_share, board_failure_rate, waiting_hours, mean_wait_hours, waits_assumed
		FROM unnest('{all,none,risk_level >= critical,score >= 0,score >= 100,level >= critical,matrix znuny >= critical}'::text[]) WITH ORDINALITY AS p (policy, n), changemgmt.policy_backtest(policy) ORDER BY n$$,
	$$VALUES ('all', 60::bigint, 60::bigint, 13::bigint, 13::bigint, 1.0000, 0.2167, NULL::numeric, NULL::numeric, 60::bigint), ('none', 60, 0, 13, 0, 0.0000, NULL, 0.00, NULL, 0),
		('risk_level >= critical', 60, 60, 13, 13, 1.0000, 0.2167, NULL, NULL, 60), ('score >= 0', 60, 60, 13, 13, 1.0000, 0.2167, NULL, NULL, 60), ('score >= 100', 60, 0, 13, 0, 0.0000, NULL, 0.00, NULL, 0),
		('level >= critical', 60, 59, 13, 12, 0.9231, 0.2034, NULL, NULL, 59), ('matrix znuny >= critical', 60, 60, 13, 13, 1.0000, 0.2167, NULL, NULL, 60)$$, 'policies that are tried on the past');
COPY changemgmt.change (title, model, status, outcome, actual_start, actual_end, submitted_at, approved_at, risk_level, environment) FROM stdin;
waited	normal	closed	failed	2021-01-01 01:00Z	2021-01-01 02:00Z	2020-12-30 00:00Z	2020-12-31 00:00Z	high	production
waited longer	normal	closed	successful	2021-01-02 01:00Z	2021-01-02 02:00Z	2020-12-29 00:00Z	2020-12-31 00:00Z	low	production
did not wait	normal	closed	successful	2021-01-03 01:00Z	2021-01-03 02:00Z	\N	\N	high	production
elsewhere	normal	closed	failed	2021-01-03 01:00Z	2021-01-03 02:00Z	\N	\N	high	test
not done	normal	closed	not_implemented	2021-01-03 01:00Z	2021-01-03 02:00Z	\N	\N	high	production
later	normal	closed	failed	2021-01-03 01:00Z	2021-02-01 00:00Z	\N	\N	high	production
\.
SELECT results_eq($$SELECT * FROM changemgmt.policy_backtest('risk_level >= high', '2021-01-01 00:00Z', '2021-02-01 00:00Z')$$,
	$$VALUES (3::bigint, 2::bigint, 0.6667, 1::bigint, 1::bigint, 1.0000, 0.5000, 60.00, 36.00, 1::bigint)$$, 'a day, and a mean of a day and a half for the one that did not wait');
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.policy_backtest(%L)', p)), '^MC008 ', 'no policy: ' || p)
FROM unnest('{"",score,"score > 5","score >= 101","score >= -1","score >= NaN","level >= worst","matrix nobody_s >= high","all of them"}'::text[]) AS p;
DELETE FROM changemgmt.site_setting;

-- Weights, and factors of a site

SELECT changemgmt.set_risk_factor('tier', 0), changemgmt.set_risk_factor('size', is_on => false) \g /dev/null
SELECT results_eq($$SELECT factor, weight, is_on FROM changemgmt.risk_factor WHERE factor IN ('tier', 'size') ORDER BY factor$$, $$VALUES ('size', 4::numeric, false), ('tier', 0, true)$$, 'weights are data');
SELECT is((SELECT count(*) || ' ' || sum(weight) FROM changemgmt.risk_explain(:hand) WHERE kind = 'factor'), '17 88.000', 'one is off, one weighs nothing');
SELECT is(changemgmt.risk_score(:hand), (SELECT round(sum(weight * value) / sum(weight) * 100, 2) FROM changemgmt.risk_explain(:hand) WHERE kind = 'factor'), 'the score is the weighted mean');
SELECT is(changemgmt.risk_score(:hand), (SELECT sum(points) FROM changemgmt.risk_explain(:hand)), 'and the points add up to it');
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.set_risk_factor(%L, %s)', factor, weight)), '^MC008 ', factor || ' ' || weight)
FROM (VALUES ('tier', '-1'), ('tier', '''NaN'''), ('tier', '''infinity'''), ('tier', '''-infinity'''), ('tier', '1e9'), ('colour', '1')) AS v (factor, weight);
SELECT matches(pg_temp.refusal('INSERT INTO changemgmt.site_risk_factor (name, weight) SELECT factor, 0 FROM changemgmt.shipped_risk_factors() ON CONFLICT (name) DO UPDATE SET weight = 0, is_on = true'),
	'^MC008 .*would be 0', 'weights that sum to 0');
SELECT is(changemgmt.remove_risk_factor('tier') AND changemgmt.remove_risk_factor('size'), true, 'as it ships again');
SELECT is(changemgmt.remove_risk_factor('size'), false, 'there is nothing left to be removed');

CREATE SCHEMA regress_risk;
CREATE FUNCTION regress_risk.of(change_id bigint) RETURNS numeric LANGUAGE sql STABLE AS $$ SELECT (SELECT attributes ->> 'moon' FROM changemgmt.change AS c WHERE c.id = change_id)::numeric $$;
CREATE FUNCTION regress_risk.writes(change_id bigint) RETURNS numeric LANGUAGE plpgsql STABLE AS $$ BEGIN EXECUTE 'CREATE TABLE regress_risk.theirs ()'; RETURN 1; END $$;
CREATE FUNCTION regress_risk.volatile(change_id bigint) RETURNS numeric LANGUAGE sql VOLATILE AS 'SELECT 1.0';
CREATE FUNCTION regress_risk.text(change_id bigint) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''1''';
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.register_risk_factor(%L, %L, %s)', name, function, weight)), expected, name || ' ' || function || ' ' || coalesce(weight, 'null'))
FROM (VALUES ('moon', 'regress_risk.volatile(bigint)', '1', '^MC008 '), ('moon', 'regress_risk.text(bigint)', '1', '^MC008 '), ('tier', 'regress_risk.of(bigint)', '1', '^MC008 '),
	('moon', 'regress_risk.of(bigint)', 'NULL', '^MC008 '), ('moon', 'regress_risk.of(bigint)', '-1', '^MC008 '), ('Moon', 'regress_risk.of(bigint)', '1', '^23514 '), ('moon', 'regress_risk.none(bigint)', '1', '^42')) AS v (name, function, weight, expected);
SELECT changemgmt.register_risk_factor('moon', 'regress_risk.of(bigint)', 10, 'The phase of the moon.') \g /dev/null
SELECT changemgmt.risk_score(:hand) AS without \gset
SELECT is(pg_temp.if(:hand, '{"attributes": {"moon": 1}}', 'moon'), 'f', 'a site''s function sees what is stored');
CREATE FUNCTION pg_temp.moon(said text, OUT answer text) LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM changemgmt.edit_change((SELECT id FROM changemgmt.change WHERE title = 'Upgrade orders-db'), jsonb_build_object('attributes', jsonb_build_object('moon', said)));
	SELECT concat_ws(' ', value, points, is_known, sentence) INTO answer FROM changemgmt.change AS c, changemgmt.risk_explain(c.id) WHERE c.title = 'Upgrade orders-db' AND factor = 'moon';
END
$$;
SELECT is(pg_temp.moon(said), expected, 'a factor that says ' || coalesce(said, 'null')) FROM (VALUES
	('1', '1.00 9.09 t regress_risk.of(bigint) says 100 of 100'), ('0.5', '0.50 4.54 t regress_risk.of(bigint) says 50 of 100'),
	('0.001', '0.01 0.09 t regress_risk.of(bigint) says 1 of 100'), ('0', '0.00 0.00 t regress_risk.of(bigint) says 0 of 100'),
	('1.01', '0.00 f left out, the score stands without it: it returned 1.01, which is not from 0 to 1'),
	('-0.1', '0.00 f left out, the score stands without it: it returned -0.1, which is not from 0 to 1'),
	('NaN', '0.00 f left out, the score stands without it: it returned NaN, which is not from 0 to 1'),
	('infinity', '0.00 f left out, the score stands without it: it returned Infinity, which is not from 0 to 1'),
	(NULL, '0.00 f left out, the score stands without it: it returned null'),
	('full', '0.00 f left out, the score stands without it: it failed: invalid input syntax for type numeric: "full"')) AS v (said, expected);
SELECT is(changemgmt.risk_score(:hand), :without, 'the score stands without it');
SELECT changemgmt.register_risk_factor('moon', 'regress_risk.writes(bigint)', 10) \g /dev/null
SELECT matches((SELECT sentence FROM changemgmt.risk_explain(:hand) WHERE factor = 'moon'), '^left out, the score stands without it: it failed: .*CREATE TABLE', 'it looks and does not touch');
CREATE TABLE regress_risk.written (n integer);
CREATE FUNCTION regress_risk.helper() RETURNS numeric LANGUAGE sql VOLATILE AS 'INSERT INTO regress_risk.written VALUES (1) RETURNING 1.0';
CREATE OR REPLACE FUNCTION regress_risk.writes(change_id bigint) RETURNS numeric LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN regress_risk.helper(); END $$;
SELECT changemgmt.register_risk_factor('moon', 'regress_risk.writes(bigint)', 10) \g /dev/null
SELECT matches((SELECT sentence FROM changemgmt.risk_explain(:hand) WHERE factor = 'moon'), '^left out, the score stands without it: it failed: .*(INSERT|read-only)', 'nor through a helper that is VOLATILE');
SELECT is_empty('SELECT * FROM regress_risk.written', 'which wrote nothing');
SELECT is(changemgmt.risk_score(:hand), :without, 'and the score stands without it');
DROP FUNCTION regress_risk.writes(bigint);
SELECT is((SELECT sentence FROM changemgmt.risk_explain(:hand) WHERE factor = 'moon'), 'left out, the score stands without it: function regress_risk.writes(bigint) does not exist', 'it was dropped');
SELECT is(changemgmt.risk_score(:hand), :without, 'and the score stands without it, too');
SELECT is(changemgmt.remove_risk_factor('moon'), true, 'it is taken away');

-- BMC's worked example: (4 * 60 + 5 * 20 + 2 * 100) / 180 = 3 of 5. The score alone decides.
SAVEPOINT bmc;
CREATE FUNCTION regress_risk.manager(change_id bigint) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT 4 / 5.0';
CREATE FUNCTION regress_risk.rolled_back(change_id bigint) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT 5 / 5.0';
CREATE FUNCTION regress_risk.people(change_id bigint) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT 2 / 5.0';
SELECT changemgmt.register_risk_factor('manager', 'regress_risk.manager(bigint)', 60), changemgmt.register_risk_factor('rolled_back', 'regress_risk.rolled_back(bigint)', 20),
	changemgmt.register_risk_factor('people', 'regress_risk.people(bigint)', 100), changemgmt.set_setting('risk_combination', 'score') \g /dev/null
SELECT changemgmt.set_risk_factor(factor, is_on => false) FROM changemgmt.shipped_risk_factors() \g /dev/null
SELECT is(changemgmt.risk_score(:hand) * 5 / 100, 3::numeric, 'BMC: the weighted mean is 3 of 5');
SELECT is((SELECT sum(points) FROM changemgmt.risk_explain(:hand)), 60.00, 'shared out so that it adds up');
SELECT is((SELECT string_agg(factor, ' ') FROM changemgmt.risk_explain(:hand) WHERE won), 'score', 'and the score alone says the level');
ROLLBACK TO bmc;

-- What learned: features that are factors. By hand: -2 + 3 * 0.10 + 1.5 * 0.50 is -0.95, and 1 / (1 + e^0.95) is 0.27888482197713693
SAVEPOINT learned;
SELECT is(changemgmt.risk_probability(:hand), NULL::float8, 'without a model there is no probability');
COPY changemgmt.risk_model (version, source, features, outcome, ridge, rounds, trained_rows, trained_failures, deviance, null_deviance, log_likelihood, coefficients, standard_errors, means, deviations, fitted_by, is_active, activated_at) FROM stdin;
1	past	{size,rollback}	failed	0	1	100	25	1	1	1	{-2,3,1.5}	{1,1,1}	{0,0}	{1,1}	ann	t	2020-05-04 00:00Z
\.
SELECT is(changemgmt.risk_probability(:hand)::numeric(16, 14), 0.27888482197714, 'the active model: its coefficients times the values of the factors');
SELECT is((SELECT count(*) FROM changemgmt.risk_explain(:hand) WHERE kind = 'level'), 3::bigint, 'off by default: the level does not ask it');
SELECT is(changemgmt.risk_level(:hand), 'medium', 'and is what it was');
CREATE FUNCTION pg_temp.learned(change bigint) RETURNS text LANGUAGE sql AS
$$ SELECT concat_ws(' ', level, won, is_known, sentence, '/', changemgmt.risk_level(change)) FROM changemgmt.risk_explain(change) WHERE factor = 'learned' $$;
SELECT changemgmt.set_setting('risk_model_thresholds', '5,15,27') \g /dev/null
SELECT is(pg_temp.learned(:hand), 'critical t t version 1 of the risk model says that it fails with a probability of 27.9 % (from 5,15,27 % on medium, high, critical) / critical', 'switched on it is one more opinion');
SELECT is((SELECT won_by FROM changemgmt.risk_summary(:hand)), 'learned', 'the worst wins, and it says which');
SELECT is((SELECT sum(points) FROM changemgmt.risk_explain(:hand)), changemgmt.risk_score(:hand), 'the score is what it was');
SELECT changemgmt.set_setting('risk_combination', 'score') \g /dev/null
SELECT alike(pg_temp.learned(:hand), 'critical f t % / medium', 'where the score alone decides it is shown only');
SELECT changemgmt.set_setting('risk_combination', 'worst'), changemgmt.set_setting('risk_model_thresholds', '28,40,50') \g /dev/null
SELECT alike(pg_temp.learned(:hand), 'low f t % / medium', 'below the first threshold it is low, and the others win');
SELECT alike(pg_temp.learned((SELECT min(id) FROM changemgmt.change WHERE outcome = 'rolled_back')), 'f f left out: the work began before version 1 of the risk model was in use / %', 'of what may have taught it, it says nothing');
SELECT unalike(pg_temp.learned((SELECT min(id) FROM changemgmt.change WHERE outcome = 'failed')), '%left out%', 'of what came later, it does');
SELECT changemgmt.set_risk_factor('size', is_on => false), changemgmt.set_setting('risk_model_thresholds', '0,1,2') \g /dev/null
SELECT is(changemgmt.risk_probability(:hand), NULL::float8, 'null where a feature is no factor that is on');
SELECT is(pg_temp.learned(:hand), 'f f left out: "size", which version 1 of the risk model looks at, is no factor that could be asked / medium', 'the level stands without it, and says so');
SELECT changemgmt.deactivate_risk_model() \g /dev/null
SELECT is(pg_temp.learned(:hand), 'f f left out: no risk model is in use / medium', 'and without a model');
SELECT matches(pg_temp.refusal(format('SELECT changemgmt.set_setting(''risk_model_thresholds'', %L)', v)), '^MC008 ', 'no thresholds: ' || v) FROM unnest('{on,0.1,"1,2","5,5,6","1,2,101"}'::text[]) AS v;
SELECT matches(pg_temp.refusal('SELECT changemgmt.risk_probability(-1)'), '^MC008 ', 'nothing is said of a change that is not there');
ROLLBACK TO learned;

-- ServiceNow: the highest of all wins. And the points add up, for any change and any weights.
SELECT setseed(0.42) \g /dev/null
DO $$
DECLARE
	c bigint;
	words text[] := '{very_low,low,medium,high,very_high,unknown}';
	strategies text[] := '{restore,redeploy,blue_green,feature_flag,fix_forward,manual,NULL}';
BEGIN
	FOR n IN 1..120 LOOP
		SELECT id INTO c FROM changemgmt.create_change('random', environment => ('{production,staging,test,development}'::text[])[1 + floor(random() * 4)::int],
			model => ('{normal,major,standard,lean_normal}'::text[])[1 + floor(random() * 4)::int]);
		PERFORM changemgmt.edit_change(c, jsonb_strip_nulls(jsonb_build_object('touches_security', random() < 0.3, 'touches_data_integrity', random() < 0.3,
			'rollback_plan', CASE WHEN random() < 0.7 THEN 'back' END, 'rollback_trigger', CASE WHEN random() < 0.7 THEN 'errors' END, 'rollback_minutes', CASE WHEN random() < 0.7 THEN 5 END,
			'rollback_strategy', strategies[1 + floor(random() * 7)::int], 'test_plan', CASE WHEN random() < 0.5 THEN 'tested' END, 'user_impact', CASE WHEN random() < 0.5 THEN 'none' END,
			'risk_level', ('{low,medium,high,critical,NULL}'::text[])[1 + floor(random() * 5)::int], 'verification_plan', CASE WHEN random() < 0.5 THEN 'look' END,
			'planned_start', timestamptz '2098-01-01 00:00Z' + n * interval '37 hours', 'planned_end', timestamptz '2098-01-01 01:00Z' + n * interval '37 hours')));
		IF random() < 0.7 THEN
			PERFORM changemgmt.add_item(c, ('{orders-db,web,unrated,alone}'::text[])[1 + floor(random() * 4)::int]);
		END IF;
		FOR m IN 1..floor(random() * 5)::int LOOP
			PERFORM changemgmt.register_risk(c, 'r', words[1 + floor(random() * 6)::int], words[1 + floor(random() * 6)::int], 'm', NULL,
				nullif(words[1 + floor(random() * 6)::int], 'unknown'), words[1 + floor(random() * 6)::int]);
			PERFORM changemgmt.add_task(c, 't');
		END LOOP;
	END LOOP;
END
$$;
CREATE FUNCTION pg_temp.wrong() RETURNS SETOF text LANGUAGE sql AS
$$
	SELECT format('%s: %s, sum %s, mean %s, level %s of %s, off by %s, %s', c.id, s.score, x.sum, x.mean, s.level, x.levels, x.off, x.range)
	FROM changemgmt.change AS c, changemgmt.risk_summary(c.id) AS s, LATERAL (
		SELECT sum(points) AS sum, round(sum(weight * value) / sum(weight) * 100, 2) AS mean, array_agg(level) FILTER (WHERE kind = 'level') AS levels,
			max(abs(points - weight * value * 100 / t.total)) AS off, bool_and(value BETWEEN 0 AND 1 AND points >= 0) AS range
		FROM changemgmt.risk_explain(c.id) AS e, (SELECT sum(weight) AS total FROM changemgmt.risk_explain(c.id)) AS t) AS x
	WHERE c.title = 'random' AND (s.score <> x.sum OR s.score <> x.mean OR x.off >= 0.01 OR NOT x.range OR s.score NOT BETWEEN 0 AND 100
		OR s.level <> (SELECT l FROM unnest('{critical,high,medium,low}'::text[]) WITH ORDINALITY AS u (l, n) WHERE l = ANY (x.levels) ORDER BY n LIMIT 1)
		OR s.score <> changemgmt.risk_score(c.id) OR s.level <> changemgmt.risk_level(c.id))
$$;
SELECT is_empty('SELECT pg_temp.wrong()', 'of random changes the points add up to the score, and the worst wins');
SELECT cmp_ok((SELECT count(DISTINCT changemgmt.risk_score(id)) FROM changemgmt.change WHERE title = 'random'), '>', 60::bigint, 'which differ');
SELECT changemgmt.set_risk_factor(factor, (17 * place % 13 + 0.333)::numeric) FROM changemgmt.shipped_risk_factors() \g /dev/null
SELECT is_empty('SELECT pg_temp.wrong()', 'with odd weights, too');
DELETE FROM changemgmt.site_risk_factor;

-- A register of a hundred thousand rows
INSERT INTO changemgmt.change_risk (change_id, description, likelihood, impact) SELECT :register, 'r', 'low', 'low' FROM generate_series(1, 100000);
SELECT is(pg_temp.factor(:register, 'inherent_risk'), '0.40 f the worst of 100002 risks has unknown likelihood and low impact; unknown counts as very high', 'a register of 100 thousand rows');

SELECT is((SELECT string_agg(changemgmt.risk_score(NULL)::text, '')), NULL, 'null in, null out');
SELECT matches(pg_temp.refusal(s), '^MC008 ', s) FROM unnest('{SELECT changemgmt.risk_score(-1),SELECT changemgmt.risk_level(-1),SELECT changemgmt.risk_explain(-1),SELECT changemgmt.risk_summary(-1)}'::text[]) AS s;

SELECT * FROM finish();
ROLLBACK;
