#!/bin/bash
# Which change did it: suspects of incidents and what changed near an item, in a
# graph of many items, among the changes of one busy week and the history before
# it; and the metrics of a month where incidents have confirmed causes.  Against
# one plain query with the same weights, which gives no reasons and leaves out
# rollbacks, confidential changes, and what people said of a cause.
#
#   items=100000 week=4000 histories="0 1000000" rounds=5 calls=100 test/bench/incident.sh
#   BENCH_LARGE=1 test/bench/incident.sh      adds 10 million changes (8 GB)
#
# CPU time of the backend (user and system) for each call; ours and theirs take
# turns within a round, the median round counts.  Fails where a table of the
# size of the history was ever read as a whole by ours.
. "$(dirname "${BASH_SOURCE[0]}")/lib/bench.sh"

items=${items:-100000}
week=${week:-4000}
histories=${histories:-0 1000000}
[ -z "${BENCH_LARGE:-}" ] || histories="$histories 10000000"
rounds=${rounds:-5}
calls=${calls:-100}

# ------------------------------------------------------------------- what is there

make_people
# each item depends on three of the next thousand, the last tenth on nothing
sql -v items="$items" <<-'SQL' | sql -c "COPY changemgmt.configuration_item (id, name, kind) FROM STDIN"
	COPY (SELECT 1 + i, 'item ' || i, (ARRAY['service', 'service', 'application', 'database', 'host', 'network', 'client'])[1 + i % 7]
		FROM generate_series(1, :items) AS i) TO STDOUT
SQL
sql -v items="$items" <<-'SQL' | sql -c "COPY changemgmt.ci_dependency (ci_id, depends_on_ci_id) FROM STDIN"
	COPY (SELECT DISTINCT 1 + i, 1 + least(:items, i + 1 + (i::bigint * 7919 + k * 104729) % 1000)
		FROM generate_series(1, :items * 9 / 10) AS i, generate_series(1, 3) AS k) TO STDOUT
SQL

# load FIRST COUNT FROM-DAYS SPAN-DAYS: closed changes spread over that time, each with two items
load() {
	sql -v first="$1" -v n="$2" -v from="$3" -v span="$4" <<-'SQL' | sql -c "COPY changemgmt.change (id, title, status, outcome, category, risk_level, requester_id, owner_id, actual_start, deployed_at, actual_end, created_at) FROM STDIN"
		COPY (SELECT :first + i, 'change ' || :first + i, 'closed', CASE WHEN i % 20 = 0 THEN 'failed' ELSE 'successful' END,
				(ARRAY['release', 'configuration', 'schema', 'infrastructure', 'dependency'])[1 + i % 5],
				(ARRAY['low', 'medium', 'high', 'critical'])[1 + i % 4], 1 + i % 10, 1 + i % 10,
				e - interval '30 minutes', e, e, e - interval '3 days'
			FROM generate_series(0, :n - 1) AS i, LATERAL (SELECT now() - interval '1 hour' - :from * interval '1 day' - i * (:span * interval '1 day' / :n)) AS x (e)) TO STDOUT
	SQL
	sql -v first="$1" -v n="$2" -v items="$items" <<-'SQL' | sql -c "COPY changemgmt.change_item (change_id, ci_id) FROM STDIN"
		COPY (SELECT :first + i, 2 + (i::bigint * 7919 + k * 15485863) % :items FROM generate_series(0, :n - 1) AS i, generate_series(0, 1) AS k) TO STDOUT
	SQL
}

# the busy week, and a hundred incidents at its end, each with an item
load 1 "$week" 0 7
sql -v items="$items" -o /dev/null <<-'SQL'
	CREATE SCHEMA plain;
	CREATE TABLE plain.figure (history bigint, what text, way text, round int, us float8);
	SELECT changemgmt.record_incident('INC' || i, 'incident ' || i, 1 + i % 5, 'outage', now() - i * interval '30 seconds',
		items => ARRAY['item ' || 1 + i * 7919 % :items]) FROM generate_series(1, 100) AS i;
	CREATE FUNCTION plain.suspect_changes(incident text) RETURNS TABLE (id bigint, score float8) LANGUAGE sql STABLE AS $$
		WITH RECURSIVE i AS (SELECT * FROM changemgmt.incident WHERE reference = $1),
		below (ci_id, steps) AS (
			SELECT x.ci_id, 0 FROM i JOIN changemgmt.incident_item AS x ON x.incident_id = i.id
			UNION
			SELECT d.depends_on_ci_id, b.steps + 1 FROM below AS b JOIN changemgmt.ci_dependency AS d ON d.ci_id = b.ci_id WHERE b.steps < 3),
		near (ci_id, steps) AS (SELECT ci_id, min(steps) FROM below GROUP BY ci_id)
		SELECT c.id, power(2, extract(epoch FROM c.actual_end - i.began_at) / 21600)::float8
			* coalesce(max(power(2, -n.steps)), 0.05)
			* (0.5 + 0.3 * CASE WHEN c.outcome = 'failed' THEN 1 ELSE CASE c.risk_level WHEN 'low' THEN 0.25 WHEN 'medium' THEN 0.5 WHEN 'high' THEN 0.75 ELSE 1 END END
			   + 0.2 * CASE c.category WHEN 'release' THEN 1 WHEN 'infrastructure' THEN 0.8 WHEN 'dependency' THEN 0.6 ELSE 0.9 END)
		FROM i
		JOIN changemgmt.change AS c ON c.actual_end BETWEEN i.began_at - interval '7 days' AND i.began_at
		LEFT JOIN changemgmt.change_item AS x ON x.change_id = c.id
		LEFT JOIN near AS n ON n.ci_id = x.ci_id
		GROUP BY c.id, i.began_at ORDER BY 2 DESC LIMIT 10 $$;
	CREATE FUNCTION plain.changes_near(ci text, at timestamptz) RETURNS TABLE (id bigint, ended timestamptz) LANGUAGE sql STABLE AS $$
		WITH RECURSIVE below (ci_id, steps) AS (
			SELECT id, 0 FROM changemgmt.configuration_item WHERE name = $1
			UNION
			SELECT d.depends_on_ci_id, b.steps + 1 FROM below AS b JOIN changemgmt.ci_dependency AS d ON d.ci_id = b.ci_id WHERE b.steps < 2)
		SELECT DISTINCT c.id, c.actual_end
		FROM changemgmt.change AS c JOIN changemgmt.change_item AS x ON x.change_id = c.id JOIN below AS b ON b.ci_id = x.ci_id
		WHERE c.actual_end BETWEEN $2 - interval '24 hours' AND $2 ORDER BY 2 DESC $$;
SQL

# what, calls, our query of i (from 1 on), theirs
questions=(
	"suspect_changes()" "$calls"
	"SELECT count(*) FROM changemgmt.suspect_changes('INC' || i)"
	"SELECT count(*) FROM plain.suspect_changes('INC' || i)"
	"changes_near(), 24 hours" "$calls"
	"SELECT count(*) FROM changemgmt.changes_near('item ' || i * 7919 % $items)"
	"SELECT count(*) FROM plain.changes_near('item ' || i * 7919 % $items, now())"
	"incident_id()" "$((calls * 10))"
	"SELECT changemgmt.incident_id('INC' || 1 + i % 100)" ""
	"monthly_metrics, last month" 5
	"SELECT count(*) FROM (SELECT * FROM changemgmt.monthly_metrics WHERE month = (date_trunc('month', now()) - i * interval '0' - interval '1 month')::date OFFSET 0) AS q" ""
)

# cpu WHAT WAY ROUND CALLS QUERY: of the backend, after a first execution
cpu() {
	sql <<-SQL
		SET jit = off;
		SELECT count(x) FROM generate_series(1, 3) AS i, LATERAL ($5) AS x \\g /dev/null
		SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1) AS before \\gset
		SELECT count(x) FROM generate_series(1, $4) AS i, LATERAL ($5) AS x \\g /dev/null
		INSERT INTO plain.figure SELECT $history, '$1', '$2', $3, (split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint - :before) / 1e3 / $4;
	SQL
}

# tables of the size of the history or of the graph that ours read as a whole
scans() {
	sql -c "SELECT pg_stat_reset()" >/dev/null
	sql -c "SELECT count(*) FROM generate_series(1, 20) AS i, LATERAL changemgmt.suspect_changes('INC' || i)" \
		-c "SELECT count(*) FROM generate_series(1, 20) AS i, LATERAL changemgmt.changes_near('item ' || i)" >/dev/null
	sql -c "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'changemgmt' AND seq_scan > 0
		AND relname IN ('change', 'change_item', 'configuration_item', 'ci_dependency')"
}

first=$((week + 1))
for history in $histories; do
	if [ "$history" -gt 0 ]; then
		more=$((history - first + week + 1))
		load "$first" "$more" 14 $((365 * 5))
		# of a hundred changes one caused an incident, half of them found out late
		sql -v first="$first" -v n="$more" <<-'SQL' | sql -c "COPY changemgmt.incident (id, reference, began_at, resolved_at, outage_minutes) FROM STDIN"
			COPY (SELECT c.id + 1000, 'PAST' || c.id, c.actual_end, c.actual_end + interval '2 hours', 30
				FROM changemgmt.change AS c WHERE c.id >= :first AND c.id % 100 = 0) TO STDOUT
		SQL
		sql -v first="$first" -v n="$more" <<-'SQL' | sql -c "COPY changemgmt.incident_cause (incident_id, change_id, status, decided_at, withdrawn_at) FROM STDIN"
			COPY (SELECT c.id + 1000, c.id, CASE WHEN c.id % 1000 = 0 THEN 'dismissed' ELSE 'confirmed' END, t, CASE WHEN c.id % 1000 = 0 THEN t END
				FROM changemgmt.change AS c, LATERAL (SELECT c.actual_end + c.id / 100 % 2 * interval '60 days' + interval '1 hour') AS x (t)
				WHERE c.id >= :first AND c.id % 100 = 0) TO STDOUT
		SQL
		first=$((history + week + 1))
	fi
	sql -c "VACUUM ANALYZE" -c CHECKPOINT
	whole=
	[ "$history" -lt 100000 ] || whole=$(scans)	# small tables are rightly read so
	[ -z "$whole" ] || { echo "read as a whole: $whole" >&2; exit 1; }
	for ((round = 1; round <= rounds; round++)); do
		for ((k = 0; k < ${#questions[@]}; k += 4)); do
			cpu "${questions[k]}" ours "$round" "${questions[k + 1]}" "${questions[k + 2]}"
			[ -z "${questions[k + 3]}" ] || cpu "${questions[k]}" plain "$round" "${questions[k + 1]}" "${questions[k + 3]}"
		done
	done
done

about
echo "$items items, $week changes in the week before; us of CPU a call, the median of $rounds rounds"
psql -X -q <<-'SQL'
	\pset footer off
	SELECT f.what, f.history,
		   round(percentile_cont(0.5) WITHIN GROUP (ORDER BY f.us)::numeric, 1) AS us,
		   round(percentile_cont(0.5) WITHIN GROUP (ORDER BY p.us)::numeric, 1) AS "plain us",
		   round(percentile_cont(0.5) WITHIN GROUP (ORDER BY p.us / f.us)::numeric, 1) AS ratio,
		   round(min(p.us / f.us)::numeric, 1) AS low, round(max(p.us / f.us)::numeric, 1) AS high
	FROM plain.figure AS f
	LEFT JOIN plain.figure AS p ON p.what = f.what AND p.history = f.history AND p.round = f.round AND p.way = 'plain'
	WHERE f.way = 'ours'
	GROUP BY f.what, f.history ORDER BY f.what, f.history;
SQL
