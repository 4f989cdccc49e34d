#!/bin/bash
# Votes on a board of 20 and the queue of the board, as past decisions grow.
#
#   sizes="10000 1000000" waiting=1000 rounds=5 test/bench/approval.sh
#   BENCH_LARGE=1 test/bench/approval.sh     adds 10 million decisions
#
# Each past change has ten decisions.  What waits stays the same: so many
# changes of a level that 15 of 20 have to approve, on each of which one has
# voted, and changes that vote at each size.  vote is one such vote with all its
# rules and its tally, each in a transaction of its own; cab_queue is with all
# rows fetched, the round that took least.  Time is that of the backend on a
# processor, user and system; buffers are those that were looked at, which other
# work on the machine does not change.  Nothing here passes or fails.
. "$(dirname "${BASH_SOURCE[0]}")/lib/bench.sh"

sizes=${sizes:-10000 1000000}
[ -z "${BENCH_LARGE:-}" ] || sizes="$sizes 10000000"
waiting=${waiting:-1000}
rounds=${rounds:-5}

make_people
sql -o /dev/null <<-SQL
	SELECT changemgmt.add_board('cab');
	SELECT changemgmt.add_person('voter' || i), changemgmt.add_board_member('cab', 'voter' || i) FROM generate_series(1, 20) AS i;
	SELECT changemgmt.publish_model('voted', '{"base": "normal", "notice_business_days": 0, "approval": {"needed": 15}}');
	SELECT changemgmt.advance(id, 'awaiting_approval')
	FROM generate_series(1, $waiting) AS n, LATERAL changemgmt.create_change('waits ' || n, model => 'voted', owner => 'bench2',
		description => 'd', justification => 'j', user_impact => 'none', risk_level => 'low', items => '{payments}',
		rollback_trigger => 'errors', rollback_plan => 'back', rollback_minutes => 5, verification_plan => 'look',
		planned_start => now() + interval '30 days', planned_end => now() + interval '31 days');
	SELECT setval('changemgmt.approval_vote_id_seq', 100000000);
	CREATE SCHEMA bench;
	CREATE TABLE bench.figure (size bigint, what text, ms float8, buffers bigint);
SQL

vote() { # DECISION SIZE: nanoseconds a vote; without a size nothing is kept
	sql -o /dev/null <<-SQL
		CREATE OR REPLACE PROCEDURE bench.vote() LANGUAGE plpgsql AS \$\$
		DECLARE
			waits bigint;
		BEGIN
			FOR waits IN SELECT id FROM changemgmt.change WHERE status = 'awaiting_approval' ORDER BY id LOOP
				COMMIT;
				PERFORM set_config('changemgmt.actor', 'voter1', true);
				PERFORM changemgmt.$1(waits, 'measured');
			END LOOP;
		END \$\$;
		SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1) AS before \gset
		CALL bench.vote();
		INSERT INTO bench.figure SELECT ${2:-0}, 'vote',
			(split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint - :before) / 1e6 / $waiting, NULL;
	SQL
}

vote approve
past=0
decision=approve
for size in $sizes; do
	more=$((size / 10 - past))
	make_changes closed $((1000000 + past)) "$more" | sql -c "COPY changemgmt.change ($columns) FROM STDIN"
	sql -c "COPY (SELECT c, 1, changemgmt.person_id('voter' || v), CASE WHEN (c + v) % 10 = 0 THEN 'rejected' ELSE 'approved' END,
			1, sha256(c::text::bytea) FROM generate_series(1000000 + $past, 1000000 + $past + $more - 1) AS c,
			generate_series(1, 10) AS v) TO STDOUT" |
		sql -c "COPY changemgmt.approval_vote (change_id, round, person_id, decision, plan_revision, seal) FROM STDIN"
	past=$((past + more))
	[ "$decision" = approve ] && decision=abstain || decision=approve
	sql -c "VACUUM ANALYZE changemgmt.change" -c "VACUUM ANALYZE changemgmt.approval_vote" -c CHECKPOINT
	vote "$decision" "$size"
	sql -c "VACUUM ANALYZE changemgmt.change" -c "VACUUM ANALYZE changemgmt.approval_vote"
	for ((round = 0; round < rounds; round++)); do
		sql -o /dev/null <<-SQL
			SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1) AS before \gset
			SELECT count(*) FROM (SELECT * FROM changemgmt.cab_queue OFFSET 0) AS q;
			INSERT INTO bench.figure SELECT $size, 'cab_queue',
				(split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint - :before) / 1e6, NULL;
		SQL
	done
	buffers=$(sql -c "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM changemgmt.cab_queue" |
		sed -n 's/.*"Shared \(Hit\|Read\) Blocks": \([0-9]*\).*/\2/p' | head -2 | awk '{ sum += $1 } END { print sum }')
	sql -c "UPDATE bench.figure SET buffers = $buffers WHERE size = $size AND what = 'cab_queue'"
done

about
echo "$waiting changes wait; milliseconds of CPU"
psql -X -q -P border=2 <<-'SQL'
	SELECT what, size AS decisions, round(min(ms)::numeric, 3) AS ms, max(buffers) AS buffers
	FROM bench.figure WHERE size > 0 GROUP BY what, size ORDER BY what, size;
SQL
echo "plan of cab_queue"
sql -c "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM changemgmt.cab_queue"
