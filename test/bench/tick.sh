#!/bin/bash
# tick() over open duties of which none, some or all are overdue, and the call
# after it; the same escalated; beside so many duties that are done.
#
#   duties=100000 some=100 done=1000000 rounds=5 test/bench/tick.sh
#
# Each call is a session and a transaction of its own, as the worker makes it,
# so the first reading of the catalogs is in it.  CPU is the time of the backend
# on a processor, user and system; the median round counts, of "all" all its
# calls.  longest is the wall time of the longest call: so long a row is locked;
# MB the private memory after a call.  Nothing here passes or fails.
. "$(dirname "${BASH_SOURCE[0]}")/lib/bench.sh"

duties=${duties:-100000}
some=${some:-100}
done=${done:-1000000}
rounds=${rounds:-5}

# ------------------------------------------------------------------- what is there

sql -o /dev/null <<-'SQL'
	SELECT changemgmt.add_person(current_user::text);
	SELECT changemgmt.add_person('lead');
	SELECT changemgmt.add_team('ops', 'lead');
	CREATE TABLE figure (what text, round integer, did bigint, cpu float8, wall float8, memory integer);
SQL
sql -v duties="$duties" <<-'SQL' | sql -c "COPY changemgmt.change (id, title, status, owner_id, team_id, closed_at) FROM STDIN"
	COPY (SELECT i, 'change ' || i, 'closed', 1, 1, timestamptz '2026-01-01 00:00+00' FROM generate_series(1, :duties / 10) AS i) TO STDOUT
SQL
# Duties that are done, then those that are open, due ten a second from June on:
# all of them before the first is escalated.
sql -v duties="$duties" -v done="$done" <<-'SQL' |
	COPY (
		SELECT i, 1 + i % (:duties / 10), 'progress_update', 'update ' || i, 1, '2026-01-01 00:00+00'::timestamptz + i * interval '1 second',
			   '2026-01-01 00:00+00'::timestamptz, '2026-01-01 00:00+00'::timestamptz + i * interval '1 second', 1, 'all is well'
		FROM generate_series(1, :done) AS i
		UNION ALL
		SELECT :done + i, 1 + i % (:duties / 10), 'progress_update', 'update ' || i, 1, '2026-06-01 00:00+00'::timestamptz + i * interval '100 milliseconds',
			   '2026-01-01 00:00+00'::timestamptz, NULL, NULL, NULL
		FROM generate_series(1, :duties) AS i
	) TO STDOUT
SQL
	sql -c "COPY changemgmt.duty (id, change_id, kind, title, person_id, due_at, created_at, done_at, done_by_id, result) FROM STDIN"

# As if nothing had been flagged.  Past the rules, which leave nobody do that.
forget() {
	sql <<-'SQL'
		SET session_replication_role = replica;
		UPDATE changemgmt.duty SET flagged_at = NULL, escalated_at = NULL, escalated_to_id = NULL WHERE flagged_at IS NOT NULL;
		DELETE FROM changemgmt.ledger WHERE subject_kind = 'duty';
		VACUUM ANALYZE changemgmt.duty, changemgmt.ledger;
	SQL
}

# go WHAT ROUND SECONDS: one call at so many seconds after the first is due
go() {
	sql -v what="$1" -v round="$2" -v seconds="$3" <<-'SQL'
		SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1) AS cpu, clock_timestamp() AS began,
			   timestamptz '2026-06-01 00:00+00' + :seconds * interval '1 second' AS at \gset
		SELECT flagged + escalated AS did FROM changemgmt.tick(:'at') \gset
		INSERT INTO figure
		SELECT :'what', :round, :did, split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint - :cpu,
			   extract(epoch FROM clock_timestamp() - :'began'), substring(pg_read_file('/proc/self/status') FROM 'RssAnon:\s+(\d+)')::integer;
		\echo :did
	SQL
}

# until nothing is left
all() { while [ "$(go "$@")" -gt 0 ]; do :; done; }

sql -c 'VACUUM ANALYZE'
for round in $(seq "$rounds"); do
	forget
	go "none is overdue" "$round" 0 >/dev/null
	go "some are overdue" "$round" $((some / 10)).05 >/dev/null
	go "some, again" "$round" $((some / 10)).05 >/dev/null
	all "all are overdue" "$round" $((duties / 10 + 1))
	go "all, again" "$round" $((duties / 10 + 1)) >/dev/null
	all "all are escalated" "$round" $((duties / 10 + 4 * 3600 + 1))
	go "all escalated, again" "$round" $((duties / 10 + 4 * 3600 + 1)) >/dev/null
done

about
psql -X -P footer=off <<-SQL
	\echo '$duties open duties, $some of them some; $done done; $rounds rounds'
	SELECT what, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY did)) AS did, max(calls) AS calls,
		   round((percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu) / 1e6)::numeric, 1) AS "CPU ms",
		   round((min(cpu) / 1e6)::numeric, 1) AS low, round((max(cpu) / 1e6)::numeric, 1) AS high,
		   round((percentile_cont(0.5) WITHIN GROUP (ORDER BY longest) * 1000)::numeric, 1) AS "longest ms",
		   max(memory) / 1024 AS "MB"
	FROM (SELECT what, round, sum(did) AS did, count(*) AS calls, sum(cpu) AS cpu, max(wall) AS longest, max(memory) AS memory
		  FROM figure GROUP BY what, round) AS f
	GROUP BY what ORDER BY min(array_position(ARRAY['none is overdue', 'some are overdue', 'some, again', 'all are overdue', 'all, again',
													'all are escalated', 'all escalated, again'], what));
SQL
