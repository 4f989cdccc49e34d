#!/bin/bash
# Risk: scores one by one and in bulk over a history, the blast radius in a graph
# of items, the assessment that is stored with a submission, the queue of a board.
#
#   history=100000 items=100000 edges=500000 bulk=10000 calls=1000 waiting=300 test/bench/risk.sh
#
# CPU time of the backend (user and system), so that others on the machine count
# less; the fastest of the rounds.
. "$(dirname "${BASH_SOURCE[0]}")/lib/bench.sh"

history=${history:-100000}
items=${items:-100000}
edges=${edges:-500000}
bulk=${bulk:-10000}
calls=${calls:-1000}
waiting=${waiting:-300}
rounds=${rounds:-3}

make_people
make_changes closed 1 "$history" | sql -c "COPY changemgmt.change ($columns) FROM STDIN"
sql -v items="$items" -v edges="$edges" -v history="$history" -o /dev/null <<-'SQL'
	SELECT setseed(0.5);
	-- as a load: what matters is what is there
	SET session_replication_role = replica;
	INSERT INTO changemgmt.configuration_item (name, tier) SELECT 'item ' || i, 1 + i % 5 FROM generate_series(1, :items) AS i;
	INSERT INTO changemgmt.ci_dependency (ci_id, depends_on_ci_id)
	SELECT a, b FROM (SELECT 2 + floor(random() * :items)::bigint AS a, 2 + floor(random() * :items)::bigint AS b FROM generate_series(1, :edges)) AS e
	WHERE a <> b ON CONFLICT DO NOTHING;
	INSERT INTO changemgmt.change_item (change_id, ci_id) SELECT i, 2 + (i * 7) % :items FROM generate_series(1, :history) AS i;
	INSERT INTO changemgmt.change_risk (change_id, description, likelihood, impact) SELECT i, 'r', 'low', 'high' FROM generate_series(1, :history) AS i;
	RESET session_replication_role;
	CREATE SCHEMA bench;
	CREATE FUNCTION bench.cpu() RETURNS float8 LANGUAGE sql VOLATILE AS
	$$ SELECT sum(t::float8) * 10 FROM unnest((string_to_array(pg_read_file('/proc/' || pg_backend_pid() || '/stat'), ' '))[14:15]) AS t $$;
	CREATE TABLE bench.figure (what text, n bigint, ms float8);
	-- one statement many times, each time planned as a client's would be kept
	CREATE FUNCTION bench.run(what text, n bigint, statement text, by_one boolean) RETURNS void LANGUAGE plpgsql AS
	$$
	DECLARE
		before float8;
	BEGIN
		EXECUTE statement USING 1;
		before := bench.cpu();
		IF by_one THEN
			FOR i IN 1..n LOOP EXECUTE statement USING i; END LOOP;
		ELSE
			EXECUTE statement USING n;
		END IF;
		INSERT INTO bench.figure VALUES (what, n, bench.cpu() - before);
	END
	$$;
SQL
sql -o /dev/null <<-'SQL'
	SELECT setval('changemgmt.change_id_seq', 100000000);
	SELECT changemgmt.add_board('cab'), changemgmt.add_person('voter'), changemgmt.add_board_member('cab', 'voter');
	SELECT changemgmt.publish_model('voted', '{"base": "normal", "notice_business_days": 0, "approval": {"needed": 1}}');
	-- the queue without a look at the risk
	SELECT format('CREATE VIEW bench.bare_queue AS %s', regexp_replace(pg_get_viewdef('changemgmt.cab_queue'), 'changemgmt\.risk_summary\(c\.id\)',
		'(SELECT NULL::numeric, NULL::text, NULL::text, NULL::text, NULL::timestamptz)')) \gexec
	CREATE PROCEDURE bench.step(what text, verb text, ids bigint[]) LANGUAGE plpgsql AS
	$$
	DECLARE
		before float8 := bench.cpu();
	BEGIN
		FOR i IN 1..cardinality(ids) LOOP
			COMMIT;
			PERFORM set_config('changemgmt.actor', CASE verb WHEN 'submit' THEN 'bench2' ELSE 'voter' END, true);
			EXECUTE format('SELECT changemgmt.%I($1)', verb) USING ids[i];
		END LOOP;
		COMMIT;
		INSERT INTO bench.figure VALUES (what, cardinality(ids), bench.cpu() - before);
	END
	$$;
SQL
sql -c "VACUUM ANALYZE"
for ((round = 0; round < rounds; round++)); do
	sql -o /dev/null -v calls="$calls" -v bulk="$bulk" -v items="$items" <<-'SQL'
		SELECT bench.run('risk_score, one by one', :calls, 'SELECT changemgmt.risk_score($1)', true);
		SELECT bench.run('risk_score, in bulk', :bulk, 'SELECT count(changemgmt.risk_score(id)) FROM changemgmt.change WHERE id <= $1', false);
		SELECT bench.run('risk_explain, in bulk', :bulk, 'SELECT count(e) FROM changemgmt.change, changemgmt.risk_explain(id) AS e WHERE id <= $1', false);
		SELECT changemgmt.set_risk_factor('blast_radius', is_on => false);
		SELECT bench.run('risk_score without the graph, in bulk', :bulk, 'SELECT count(changemgmt.risk_score(id)) FROM changemgmt.change WHERE id <= $1', false);
		SELECT changemgmt.remove_risk_factor('blast_radius');
		SELECT bench.run('policy_backtest, in bulk', n, 'SELECT changemgmt.policy_backtest(''matrix glpi >= high'') WHERE $1 > 0', false) FROM (SELECT count(*) AS n FROM changemgmt.change) AS c;
	SQL
done
# submit, the queue and approve, with the assessment and without
day=30
for ((round = 0; round < rounds; round++)); do
	for way in without with; do
		[ $way = with ] || sql -c "ALTER TABLE changemgmt.change DISABLE TRIGGER risk_assess"
		sql -o /dev/null -v waiting="$waiting" -v items="$items" -v way="$way" -v day=$((day += waiting / 12 + 1)) <<-'SQL'
			SELECT array_agg(a.id) AS ids FROM generate_series(1, :waiting) AS n, LATERAL changemgmt.create_change('waits ' || n, model => 'voted', owner => 'bench2',
				description => 'd', justification => 'j', user_impact => 'none', risk_level => 'low', items => ARRAY['item ' || 1 + n * 7 % :items],
				rollback_trigger => 'errors', rollback_plan => 'back', rollback_minutes => 5, verification_plan => 'look',
				planned_start => now() + interval '1 day' * :day + n * interval '2 hours', planned_end => now() + interval '1 day' * :day + (n + 0.5) * interval '2 hours') AS c,
				LATERAL changemgmt.advance(c.id, 'planned') AS a \gset
			CALL bench.step('submit, ' || :'way' || ' assessment', 'submit', :'ids');
			SELECT bench.run('cab_queue without risk', :waiting, 'SELECT count(*) FROM (SELECT * FROM bench.bare_queue OFFSET 0) AS q WHERE $1 > 0', false);
			SELECT bench.run('cab_queue, ' || CASE :'way' WHEN 'with' THEN 'stored' ELSE 'computed' END, :waiting,
				'SELECT count(*) FROM (SELECT * FROM changemgmt.cab_queue OFFSET 0) AS q WHERE $1 > 0', false);
			CALL bench.step('approve, ' || :'way' || ' assessment', 'approve', :'ids');
		SQL
		[ $way = with ] || sql -c "ALTER TABLE changemgmt.change ENABLE TRIGGER risk_assess"
	done
done
about
sql -c "SELECT (SELECT count(*) FROM changemgmt.change) || ' changes, ' || (SELECT count(*) FROM changemgmt.configuration_item) || ' items, ' || (SELECT count(*) FROM changemgmt.ci_dependency) || ' edges'"
psql -X -q <<-'SQL'
	SELECT what, max(n) AS n, round((min(ms) / max(n) * 1000)::numeric, 1) AS "us each", round((max(n) / nullif(min(ms), 0) * 1000)::numeric) AS "a second"
	FROM bench.figure GROUP BY what ORDER BY what;
SQL
