-- What the board saw: when the risk is stored, who sees it, and what a site's
-- factors can and cannot do to it.

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
DO $$
DECLARE who text;
BEGIN
	FOREACH who IN ARRAY '{regress_ann,regress_b1,regress_b2,regress_mona}'::text[] LOOP
		EXECUTE format('CREATE ROLE %I', who);
		PERFORM changemgmt.add_person(who), changemgmt.grant_role(who, 'manager');
	END LOOP;
END $$;
CREATE ROLE regress_viewer;
SELECT changemgmt.add_person('regress_viewer'), changemgmt.grant_role('regress_viewer', 'viewer') \g /dev/null
SELECT changemgmt.add_team('ours', 'regress_ann', '{regress_ann}'), changemgmt.add_board('cab'), changemgmt.add_board_member('cab', 'regress_b1'),
	changemgmt.add_board_member('cab', 'regress_b2'), changemgmt.add_ci('db', tier => 2),
	changemgmt.publish_model('two', '{"base": "lean_normal", "approval": {"policy": "board", "board": "cab", "needed": 2}}') \g /dev/null

CREATE FUNCTION pg_temp.planned(title text, confidential boolean DEFAULT false) RETURNS bigint LANGUAGE sql AS
$$
	SELECT p.id FROM changemgmt.create_change(title, model => 'two', owner => 'regress_ann', items => '{db}', team => 'ours', description => 'd', justification => 'j',
		user_impact => 'u', rollback_trigger => 't', rollback_plan => 'p', rollback_minutes => 5, rollback_strategy => 'restore', test_plan => 't', verification_plan => 'v',
		risk_level => 'low', planned_start => now() + interval '20 days', planned_end => now() + interval '20 days 1 hour', confidential => confidential) AS c, changemgmt.plan(c.id) AS p
$$;
CREATE FUNCTION pg_temp.stored(id bigint) RETURNS text[] LANGUAGE sql AS
$$ SELECT array_agg(verb ORDER BY a.id) FROM changemgmt.risk_assessment AS a WHERE change_id = stored.id $$;
CREATE FUNCTION pg_temp.sees(id bigint) RETURNS text LANGUAGE sql AS $$ SELECT score || ' ' || (assessed_at IS NOT NULL) FROM changemgmt.risk_summary(sees.id) $$;
CREATE TEMP TABLE said (id bigint, score numeric, level text, won_by text, explanation jsonb);
GRANT SELECT ON said TO PUBLIC;

-- When it is stored: with the submission and with each approval

SET LOCAL ROLE regress_ann;
SELECT pg_temp.planned('open') AS open \gset
SELECT is(pg_temp.stored(:open), NULL, 'before it is submitted nothing is stored');
SELECT changemgmt.register_risk(:open, 'r', 'medium', 'high') \g /dev/null
SELECT changemgmt.submit(:open) \g /dev/null
SELECT is(pg_temp.stored(:open), '{submit}', 'with its submission it is');
SELECT results_eq(format('SELECT score, level, won_by FROM changemgmt.risk_assessment WHERE change_id = %s', :open),
	format($$SELECT changemgmt.risk_score(id), changemgmt.risk_level(id), 'matrix' FROM changemgmt.change WHERE id = %s$$, :open), 'as it is to be seen');
SELECT results_eq(format($$SELECT f ->> 'factor', (f ->> 'value')::numeric, (f ->> 'points')::numeric, f ->> 'sentence' FROM changemgmt.risk_assessment, jsonb_array_elements(explanation -> 'factors') AS f WHERE change_id = %s$$, :open),
	format($$SELECT factor, value, points, sentence FROM changemgmt.risk_explain(%s) WHERE kind = 'factor'$$, :open), 'with every factor');
SELECT results_eq(format($$SELECT risk_score, computed_risk_level, risk_won_by, risk_reasons FROM changemgmt.cab_queue WHERE id = %s$$, :open),
	format($$SELECT score, level, won_by, explanation ->> 'reasons' FROM changemgmt.risk_assessment WHERE change_id = %s$$, :open), 'and the queue of the board shows it');
SELECT is((SELECT array_length(string_to_array(risk_reasons, '; '), 1) FROM changemgmt.cab_queue WHERE id = :open), 3, 'with three reasons');

SET LOCAL ROLE regress_b1;
SELECT is((SELECT status FROM changemgmt.approve(:open)), 'awaiting_approval', 'one of two approves');
SELECT is(pg_temp.stored(:open), '{submit,approve}', 'what that one saw is stored, though it does not decide yet');
SELECT changemgmt.abstain(:open, 'I was away.') \g /dev/null
SELECT is(pg_temp.stored(:open), '{submit,approve}', 'with a vote that is none nothing is');
SELECT changemgmt.approve(:open) \g /dev/null
SET LOCAL ROLE regress_b2;
SELECT is((SELECT status FROM changemgmt.approve(:open)), 'approved', 'the second approves');
SELECT is(pg_temp.stored(:open), '{submit,approve,approve,approve}', 'and the approval is stored once');

-- What is stored is shown until the plan is another
SET LOCAL ROLE regress_ann;
SELECT pg_temp.planned('edited') AS edited \gset
SELECT changemgmt.submit(:edited) \g /dev/null
SELECT score AS before FROM changemgmt.risk_summary(:edited) \gset
RESET ROLE;
SELECT changemgmt.set_risk_factor('tier', 80) \g /dev/null
SELECT is(pg_temp.sees(:edited), :'before' || ' true', 'other weights do not change what was submitted');
SELECT isnt(changemgmt.risk_score(:edited), :before, 'but what is computed now');
SELECT changemgmt.remove_risk_factor('tier') \g /dev/null
SET LOCAL ROLE regress_ann;
SELECT changemgmt.edit_change(:edited, '{"rollback_strategy": "blue_green"}') \g /dev/null
SELECT is(pg_temp.sees(:edited), (:before - 4) || ' false', 'after an edit of the plan what is to be seen now is shown');
SET LOCAL ROLE regress_b1;
SELECT changemgmt.approve(:edited) \g /dev/null
SELECT is(pg_temp.sees(:edited), (:before - 4) || ' true', 'and a vote stores it');
SELECT is((SELECT array_agg(score ORDER BY id) FROM changemgmt.risk_assessment WHERE change_id = :edited), ARRAY[:before, :before - 4], 'beside what was submitted');

-- Nobody writes there
RESET ROLE;
SELECT matches(pg_temp.refusal(s), '^MC006 ', s) FROM unnest(ARRAY[
	format($$INSERT INTO changemgmt.risk_assessment (change_id, verb, score, level, won_by, explanation, plan_revision) VALUES (%s, 'approve', 0, 'low', 'score', '{}', 1)$$, :open),
	'UPDATE changemgmt.risk_assessment SET score = 0', 'DELETE FROM changemgmt.risk_assessment', 'TRUNCATE changemgmt.risk_assessment']) AS s;

-- Who sees it

SET LOCAL ROLE regress_ann;
SELECT pg_temp.planned('secret', true) AS secret \gset
SELECT changemgmt.submit(:secret) \g /dev/null
SELECT pg_temp.planned('promotes') AS promotes \gset
SELECT changemgmt.link_change(:promotes, 'promoted_from', target_change_id => :secret), changemgmt.submit(:promotes) \g /dev/null
SELECT max(id) AS assessment FROM changemgmt.risk_assessment WHERE change_id = :secret \gset
SELECT is((SELECT count(*) FROM changemgmt.ledger WHERE subject_kind = 'risk_assessment' AND subject_id = :assessment), 1::bigint, 'each has its chain');
SELECT is(pg_temp.stored(:secret), '{submit}', 'who has part in a confidential change sees its risk');
SET LOCAL ROLE regress_viewer;
SELECT is(pg_temp.stored(:secret), NULL, 'others do not');
SELECT is((SELECT count(*) FROM changemgmt.ledger WHERE subject_kind = 'risk_assessment' AND subject_id = :assessment), 0::bigint, 'nor its chain');
SELECT matches(pg_temp.refusal(format(s, :secret)), '^MC008 .* does not exist', s)
FROM unnest(ARRAY['SELECT changemgmt.risk_score(%s)', 'SELECT changemgmt.risk_level(%s)', 'SELECT changemgmt.risk_explain(%s)',
	'SELECT changemgmt.risk_what_if(%s, ''{"confidential": false}'')', 'SELECT changemgmt.risk_summary(%s)']) AS s;
SELECT is_empty(format($$SELECT explanation FROM changemgmt.risk_assessment WHERE explanation::text LIKE '%%%s%%' UNION ALL SELECT to_jsonb(e) FROM changemgmt.risk_explain(%s) AS e WHERE sentence LIKE '%%%s%%'$$,
	changemgmt.change_number(:secret), :promotes, changemgmt.change_number(:secret)), 'and no explanation of another change names it');
SELECT is((SELECT sentence FROM changemgmt.risk_explain(:promotes) WHERE factor = 'testing'), 'a confidential change in production, of which it is the promotion, is not done', 'which says what it can');
SELECT matches(pg_temp.refusal($$SELECT changemgmt.set_risk_factor('tier', 0)$$), '^42501 ', 'a viewer sets no weights');
SELECT is((SELECT count(*) FROM changemgmt.risk_what_if(:open, '{"touches_security": true}') WHERE factor = 'security' AND value = 1), 1::bigint, 'and may ask what would be');
RESET ROLE;

-- Items that are only affected: nobody says what it changes
SET LOCAL ROLE regress_ann;
SELECT id AS affected FROM changemgmt.create_change('affected') \gset
SELECT changemgmt.add_item(:affected, 'db', 'affected') \g /dev/null
SELECT is((SELECT value || ' ' || is_known FROM changemgmt.risk_explain(:affected) WHERE factor = 'blast_radius'), '1.00 false', 'an unknown blast radius counts as the highest');

-- A site's factors

RESET ROLE;
CREATE SCHEMA regress_factor;
GRANT USAGE, CREATE ON SCHEMA regress_factor TO regress_mona;
SET LOCAL ROLE regress_mona;
CREATE FUNCTION regress_factor.who(change_id bigint) RETURNS numeric LANGUAGE plpgsql STABLE AS
$$ BEGIN RAISE '% % %', current_user, current_setting('search_path'), current_setting('transaction_read_only'); END $$;
CREATE FUNCTION regress_factor.asks(change_id bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT changemgmt.risk_score(change_id) / 100';
CREATE FUNCTION regress_factor.escapes(change_id bigint) RETURNS numeric LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM set_config('role', 'none', true); RETURN 0; END $$;
CREATE FUNCTION regress_factor.steals(change_id bigint) RETURNS numeric LANGUAGE sql STABLE AS
	'WITH x AS (DELETE FROM changemgmt.site_risk_factor RETURNING 1) SELECT count(*)::numeric FROM x';
SELECT changemgmt.register_risk_factor('who', 'regress_factor.who(bigint)', 5), changemgmt.register_risk_factor('escapes', 'regress_factor.escapes(bigint)', 5) \g /dev/null
SELECT changemgmt.register_risk_factor('steals', 'regress_factor.steals(bigint)', 5) \g /dev/null
SET LOCAL ROLE regress_viewer;
CREATE FUNCTION pg_temp.says(factor text) RETURNS text LANGUAGE sql AS $$ SELECT sentence FROM changemgmt.change AS c, changemgmt.risk_explain(c.id) AS e WHERE c.title = 'open' AND e.factor = says.factor $$;
SELECT is(pg_temp.says('who'), 'left out, the score stands without it: it failed: regress_mona pg_catalog, pg_temp on', 'a factor runs as who registered it, on its own path, read-only');
SELECT matches(pg_temp.says('escapes'), '^left out, .*cannot set parameter "role" within security-(restricted operation|definer function)', 'and stays that role');
SELECT matches(pg_temp.says('steals'), '^left out, .*(read-only|permission denied|not allowed)', 'and writes nothing');
SELECT is(current_user::text || ' ' || current_setting('transaction_read_only'), 'regress_viewer off', 'nothing of it is left behind');
RESET ROLE;
SELECT is((SELECT count(*) FROM changemgmt.site_risk_factor), 3::bigint, 'nothing was taken away');
CREATE FUNCTION public.regress_owned_by_super(change_id bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 1.0';
CREATE FUNCTION regress_factor.anns(change_id bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 1.0';
ALTER FUNCTION regress_factor.anns(bigint) OWNER TO regress_ann;
SET LOCAL ROLE regress_mona;
SELECT matches(pg_temp.refusal($$SELECT changemgmt.register_risk_factor('anns', 'regress_factor.anns(bigint)', 5)$$), '^(MC003|42501) ', 'nobody registers what somebody else can replace');
RESET ROLE;
DELETE FROM changemgmt.site_risk_factor;

-- factors that ask for the score of which they are a part, or of each other
SET LOCAL statement_timeout = '60s';
SET LOCAL ROLE regress_mona;
SELECT changemgmt.risk_score(:open) AS alone \gset
SELECT changemgmt.register_risk_factor('asks' || n, 'regress_factor.asks(bigint)', 5) FROM generate_series(1, 4) AS n \g /dev/null
SELECT results_eq(format($$SELECT factor, value FROM changemgmt.risk_explain(%s) WHERE factor LIKE 'asks%%'$$, :open),
	format('SELECT ''asks'' || n, ceil(%s) / 100 FROM generate_series(1, 4) AS n', :alone), 'four factors that ask for the score see it without them, and do not ask each other without end');
SELECT is(changemgmt.risk_score(:open), (SELECT sum(points) FROM changemgmt.risk_explain(:open)), 'and the points add up');
RESET ROLE;
DELETE FROM changemgmt.site_risk_factor;

-- nothing that could be asked
SELECT changemgmt.register_risk_factor('super', 'public.regress_owned_by_super(bigint)', 5) \g /dev/null
SELECT changemgmt.set_risk_factor(factor, is_on => false) FROM changemgmt.shipped_risk_factors() \g /dev/null
SELECT is(changemgmt.risk_score(:open), 100.00, 'only a factor of the site counts');
DROP FUNCTION public.regress_owned_by_super(bigint);
SELECT results_eq(format('SELECT factor, value, points, is_known FROM changemgmt.risk_explain(%s) WHERE kind = ''factor''', :open),
	$$VALUES ('super', NULL::numeric, 0.00, false), ('unknown', 1.00, 100.00, false)$$, 'where none can be asked a line says so, and the points add up');
SELECT is(changemgmt.risk_level(:open), 'critical', 'what is not known is not low');
SET LOCAL ROLE regress_ann;
SELECT pg_temp.planned('blind') AS blind \gset
SELECT is((SELECT status FROM changemgmt.submit(:blind)), 'awaiting_approval', 'and it stands in nobody''s way');
RESET ROLE;

-- What a score costs does not grow with the history, also where model and owner have none of it
DELETE FROM changemgmt.site_risk_factor;
COPY changemgmt.change (title, model, status, outcome, actual_start, actual_end) FROM PROGRAM 'awk ''BEGIN { split("normal major standard emergency lean_normal", model, " "); for (i = 0; i < 6000; i++) printf "history\t%s\tclosed\tsuccessful\t2020-01-01 00:00Z\t2020-01-01 %02d:%02d:%02dZ\n", model[1 + i * 7 % 5], 1 + i / 3600, i / 60 % 60, i % 60 }''';
ANALYZE changemgmt.change;
CREATE FUNCTION pg_temp.fetched() RETURNS bigint LANGUAGE sql VOLATILE AS
$$
	SELECT pg_stat_get_xact_tuples_returned('changemgmt.change'::regclass) + sum(pg_stat_get_xact_tuples_fetched(indexrelid))::bigint
	FROM pg_index WHERE indrelid = 'changemgmt.change'::regclass
$$;
CREATE TEMP TABLE fetched AS SELECT 0::bigint AS before, 0::bigint AS after;
SELECT is((SELECT count(changemgmt.risk_score(:blind)) FROM generate_series(1, 10)), 10::bigint, 'a score, until its plans are kept');
UPDATE fetched SET before = pg_temp.fetched();
SELECT changemgmt.risk_score(:blind) \g /dev/null
UPDATE fetched SET after = pg_temp.fetched();
SELECT ok((SELECT after - before BETWEEN 1 AND 1000 FROM fetched), 'reads few of 6000 changes of other models');

SELECT * FROM finish();
ROLLBACK;
