#!/bin/bash
# A transition under all rules against the same UPDATE plus INSERT as one
# statement with no rules at all, and against the rules in PL/pgSQL.
#
#   rounds=5 changes=10000 steps=6000 steps_fsync=1000 test/bench/transition.sh
#
# One client, prepared statements.  Each iteration takes a change at random
# from in_progress to verifying and back, each in a transaction of its own; the
# first needs its tasks done, the second a reason.
#
#   bare     the statement, on tables of the same columns, defaults and indexes
#   checked  the same with the codes and ranges as check constraints
#   update   the extension, by UPDATE of the status
#   verb     the extension, by complete() and resume_work()
#   plpgsql  triggers in PL/pgSQL, with the check constraints
#
# All have the same rows.  The ways take turns within a round, and the median
# round counts.  Rate and CPU time (of the backend, user and system) are taken
# inside of the session, after a warm-up.  Nothing here passes or fails.
. "$(dirname "${BASH_SOURCE[0]}")/lib/bench.sh"

rounds=${rounds:-5}
changes=${changes:-10000}
steps=${steps:-6000}
steps_fsync=${steps_fsync:-1000}
warm=100

work=$(mktemp -d)
trap 'rm -rf "$work"; sql -c "ALTER SYSTEM RESET fsync" -c "ALTER SYSTEM RESET autovacuum" -c "SELECT pg_reload_conf()" >/dev/null' EXIT

make_people
make_changes in_progress 1 "$changes" | sql -c "COPY changemgmt.change ($columns) FROM STDIN"
sql -v changes="$changes" <<-'SQL' | sql -c "COPY changemgmt.change_task (change_id, phase, position, title, status) FROM STDIN"
	COPY (SELECT i, p.phase, n, 'task ' || n, 'done'
		  FROM generate_series(1, :changes) AS i,
			   (VALUES ('preparation', 1), ('implementation', 2), ('implementation', 3)) AS p (phase, n))
	TO STDOUT
SQL
for schema in bare checked rules; do
	sql -v schema="$schema" -o /dev/null <<-'SQL'
		CREATE SCHEMA :schema;
		CREATE TABLE :schema.change (LIKE changemgmt.change INCLUDING ALL EXCLUDING CONSTRAINTS);
		CREATE TABLE :schema.change_task (LIKE changemgmt.change_task INCLUDING ALL);
		CREATE TABLE :schema.change_check (LIKE changemgmt.change_check INCLUDING ALL);
		CREATE TABLE :schema.ledger (LIKE changemgmt.ledger INCLUDING ALL EXCLUDING CONSTRAINTS);
		INSERT INTO :schema.change SELECT * FROM changemgmt.change;
		INSERT INTO :schema.change_task SELECT * FROM changemgmt.change_task;
	SQL
	[ $schema = bare ] || sql -v schema="$schema" -f "${lib%/*}/transition/checks.sql"
done
sql -f "${lib%/*}/transition/plpgsql.sql"
sql <<-'SQL'
	CREATE UNLOGGED TABLE sample (run integer, step integer, at timestamptz, stat text);
	CREATE TABLE figure (way text, fsync text, round integer, rate float8, cpu float8);
	VACUUM ANALYZE;
SQL

# Ways: a step forth and one back.
script() {
	cat <<-'SQL'
		\set i :i + 1
		\if :i = :warm or :i = :n
		INSERT INTO sample VALUES (:run, :i, clock_timestamp(), pg_read_file('/proc/self/schedstat'));
		\endif
		\set id random(1, :changes)
	SQL
	case $1 in
	update | plpgsql)
		local schema=changemgmt
		[ "$1" = update ] || schema=rules
		echo "UPDATE $schema.change SET status = 'verifying' WHERE id = :id;"
		echo "UPDATE $schema.change SET status = 'in_progress', status_reason = 'again' WHERE id = :id;"
		;;
	verb)
		echo "SELECT * FROM changemgmt.complete(:id);"
		echo "SELECT * FROM changemgmt.resume_work(:id, 'again');"
		;;
	bare | checked)
		# a ledger row as long as ours
		sed "s/bare\\./$1./g" <<-'SQL'
			WITH step AS (UPDATE bare.change SET status = 'verifying', status_reason = NULL, deployed_at = now(), actual_end = now(), updated_at = now(), revision = revision + 1, ledger_sequence = ledger_sequence + 1, ledger_head = '\x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef' WHERE id = :id RETURNING id, ledger_sequence) INSERT INTO bare.ledger SELECT 'change', id, ledger_sequence, 'complete', 'in_progress', 'verifying', '{"status": ["in_progress", "verifying"], "revision": [100, 101], "actual_end": ["2026-01-01T12:00:00.123456+00:00", "2026-01-01T12:00:00.123456+00:00"], "updated_at": ["2026-01-01T12:00:00.123456+00:00", "2026-01-01T12:00:00.123456+00:00"], "deployed_at": ["2026-01-01T12:00:00.123456+00:00", "2026-01-01T12:00:00.123456+00:00"], "status_reason": ["again", null]}', current_user, session_user, current_user, NULL, 'pgbench', now(), NULL, '\x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', '\x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', '\x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef' FROM step;
			WITH step AS (UPDATE bare.change SET status = 'in_progress', status_reason = 'again', updated_at = now(), revision = revision + 1, ledger_sequence = ledger_sequence + 1, ledger_head = '\x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef' WHERE id = :id RETURNING id, ledger_sequence) INSERT INTO bare.ledger SELECT 'change', id, ledger_sequence, 'resume_work', 'verifying', 'in_progress', '{"status": ["verifying", "in_progress"], "revision": [100, 101], "updated_at": ["2026-01-01T12:00:00.123456+00:00", "2026-01-01T12:00:00.123456+00:00"], "status_reason": [null, "again"]}', current_user, session_user, current_user, NULL, 'pgbench', now(), 'again', '\x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', '\x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', '\x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef' FROM step;
		SQL
		;;
	esac
}

ways=(bare checked update verb plpgsql)
for way in "${ways[@]}"; do script "$way" >"$work/$way"; done

run=0
sql -c "ALTER SYSTEM SET autovacuum = off" -o /dev/null
for fsync in off on; do
	sql -c "ALTER SYSTEM SET fsync = $fsync" -c "SELECT pg_reload_conf()" -o /dev/null
	n=$((steps / 2))
	[ $fsync = off ] || n=$((steps_fsync / 2))
	n=$((n + warm))
	sql -c CHECKPOINT
	# round 0 warms up: after it the pages have had their full images in WAL
	for ((round = 0; round <= rounds; round++)); do
		for ((k = 0; k < ${#ways[@]}; k++)); do
			# another way begins each round
			way=${ways[(k + round) % ${#ways[@]}]}
			run=$((run + 1))
			sql -c "VACUUM changemgmt.change, bare.change, checked.change, rules.change"
			pgbench -n -M prepared -c 1 -t "$n" --random-seed="$round" \
				-D i=0 -D run="$run" -D n="$n" -D warm="$warm" -D changes="$changes" \
				-f "$work/$way" >"$work/out" 2>&1 || { cat "$work/out" >&2; exit 1; }
			sql -v run="$run" -v way="$way" -v fsync="$fsync" -v round="$round" <<-'SQL'
				INSERT INTO figure
				SELECT :'way', :'fsync', :round,
					   2 * (max(step) - min(step))
						   / extract(epoch FROM max(at) - min(at)),
					   (max(cpu) - min(cpu)) / 1e3 / (2 * (max(step) - min(step)))
				FROM (
					-- nanoseconds on a processor
					SELECT step, at, split_part(stat, ' ', 1)::bigint AS cpu
					FROM sample WHERE run = :run
				) AS s
				WHERE :round > 0;
			SQL
		done
	done
done

about
echo "$changes changes; $rounds rounds of $steps transitions, $steps_fsync with fsync; median round"
echo "ratio: rate against the bare statement in the same round, median, lowest and highest"
psql -X -q <<-'SQL'
	SELECT f.fsync, f.way,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY f.rate)::integer AS "per second",
		   round(percentile_cont(0.5) WITHIN GROUP (ORDER BY f.cpu)::numeric, 1) AS "CPU us each",
		   round(percentile_cont(0.5) WITHIN GROUP (ORDER BY f.rate / b.rate)::numeric, 2) AS ratio,
		   round(min(f.rate / b.rate)::numeric, 2) AS low,
		   round(max(f.rate / b.rate)::numeric, 2) AS high,
		   round(percentile_cont(0.5) WITHIN GROUP (ORDER BY b.cpu / f.cpu)::numeric, 2) AS "CPU ratio"
	FROM figure AS f
	JOIN figure AS b ON b.way = 'bare' AND (b.fsync, b.round) = (f.fsync, f.round)
	GROUP BY f.fsync, f.way
	ORDER BY f.fsync, array_position(ARRAY['bare', 'checked', 'update', 'verb', 'plpgsql'], f.way);
SQL
