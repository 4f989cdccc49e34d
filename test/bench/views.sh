#!/bin/bash
# The views that people wait for, as the history grows: the queues, the schedule
# and its feed, the metrics of a month and of all months, one row of change_fact.
#
#   sizes="10000 1000000" open=500 rounds=5 test/bench/views.sh
#   BENCH_LARGE=1 test/bench/views.sh        adds 10 million changes (11 GB)
#
# What is open stays the same, whatever the history.  The fastest round counts,
# in milliseconds, with all rows fetched and counted.
. "$(dirname "${BASH_SOURCE[0]}")/lib/bench.sh"

sizes=${sizes:-10000 1000000}
[ -z "${BENCH_LARGE:-}" ] || sizes="$sizes 10000000"
open=${open:-500}
rounds=${rounds:-5}

make_people
make_changes open 1 "$open" | sql -c "COPY changemgmt.change ($columns) FROM STDIN"
sql -c "CREATE SCHEMA bench" -c "CREATE TABLE bench.figure (size bigint, what text, ms float8, result bigint)"

# name, then the query
queries=(
	"request_queue" "SELECT count(*) FROM (SELECT * FROM changemgmt.request_queue OFFSET 0) AS q"
	"cab_queue" "SELECT count(*) FROM (SELECT * FROM changemgmt.cab_queue OFFSET 0) AS q"
	"change_schedule" "SELECT count(*) FROM (SELECT * FROM changemgmt.change_schedule OFFSET 0) AS q"
	"change_calendar()" "SELECT length(changemgmt.change_calendar())"
	"unverified_change" "SELECT count(*) FROM (SELECT * FROM changemgmt.unverified_change OFFSET 0) AS q"
	"rollback, last month" "SELECT count(*) FROM (SELECT * FROM changemgmt.rollback WHERE ended_at >= now() - interval '1 month' OFFSET 0) AS q"
	"change_fact, one change" "SELECT count(*) FROM (SELECT * FROM changemgmt.change_fact WHERE change_id = \$1 OFFSET 0) AS q"
	"monthly_metrics, last month" "SELECT count(*) FROM (SELECT * FROM changemgmt.monthly_metrics WHERE month = date_trunc('month', now() - interval '1 month')::date OFFSET 0) AS q"
	"monthly_metrics, all months" "SELECT count(*) FROM (SELECT * FROM changemgmt.monthly_metrics OFFSET 0) AS q"
)

first=$((open + 1))
for size in $sizes; do
	more=$((size - first + 1))
	make_changes closed "$first" "$more" | sql -c "COPY changemgmt.change ($columns) FROM STDIN"
	first=$((size + 1))
	sql -c "VACUUM ANALYZE changemgmt.change" -c CHECKPOINT
	for ((k = 0; k < ${#queries[@]}; k += 2)); do
		name=${queries[k]} query=${queries[k + 1]//\$1/$((size - 5))}
		[ -n "$(sql -c "SELECT coalesce(to_regclass('changemgmt.${name%%[,(]*}')::text, to_regproc('changemgmt.${name%%[,(]*}')::text)")" ] || continue
		n=$rounds
		[ "$name" != "monthly_metrics, all months" ] || [ "$size" -le 100000 ] || n=2
		for ((round = 0; round < n; round++)); do echo "$query;"; done |
			sql -c '\timing on' -f - |
			awk -v size="$size" -v what="$name" '
				/^Time:/ { printf "%s\t%s\t%s\t%s\n", size, what, $2, result; next }
				{ result = $1 }' |
			sql -c "COPY bench.figure FROM STDIN"
	done
done

about
echo "$open open changes; milliseconds, the fastest of $rounds rounds"
psql -X -q <<-'SQL'
	SELECT what, size AS changes, max(result) AS rows, round(min(ms)::numeric, 2) AS ms
	FROM bench.figure GROUP BY what, size
	ORDER BY what, size;
	SELECT pg_size_pretty(pg_total_relation_size('changemgmt.change')) AS "size of change in the end";
SQL
