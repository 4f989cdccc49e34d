#!/bin/bash
# What a long list of tasks costs.
#
#   rounds=5 changes=20 steps=4000 test/bench/tasks.sh
#
# One client, prepared statements, fsync off.
#
#   transition   complete and resume_work in turn, by UPDATE: the first asks for
#                the tasks (tasks_done)
#   task         the last task is opened and done in turn, by UPDATE
#
# Changes have 0, 50 or 500 tasks, all done; "ordered" 500 with a smoke test
# after every tenth.  "emergency" has 500 in an emergency, "listed" 500 in one
# whose model has them as its checklist: there complete asks for the entries.
#
# The ways take turns within a round, and the median round counts.  CPU time (of
# the backend, user and system) is taken inside of the session, after a warm-up;
# the ratio is that to 0 tasks, or to 50 where there must be one, of "listed" that to
# "emergency".  Nothing here passes or fails.
. "$(dirname "${BASH_SOURCE[0]}")/lib/bench.sh"

rounds=${rounds:-5}
changes=${changes:-20}
steps=${steps:-4000}
warm=100

work=$(mktemp -d)
trap 'rm -rf "$work"; sql -c "ALTER SYSTEM RESET fsync" -c "ALTER SYSTEM RESET autovacuum" -c "SELECT pg_reload_conf()" >/dev/null' EXIT

ways=(0 50 500 ordered emergency listed)
make_people
make_changes in_progress 1 $((changes * ${#ways[@]})) | sql -c "COPY changemgmt.change ($columns) FROM STDIN"
sql -v changes="$changes" <<-'SQL' | sql -c "COPY changemgmt.change_task (change_id, phase, position, title, status, is_smoke_test, checklist_key) FROM STDIN"
	COPY (SELECT w.k * :changes + i, 'implementation', n, 'task ' || n, 'done', w.way = 'ordered' AND n % 10 = 0,
				 CASE WHEN w.way = 'listed' THEN 'k' || n END
		  FROM (VALUES (1, '50', 50), (2, '500', 500), (3, 'ordered', 500), (4, 'emergency', 500), (5, 'listed', 500)) AS w (k, way, tasks),
			   generate_series(1, :changes) AS i, generate_series(1, w.tasks) AS n)
	TO STDOUT
SQL
sql -v changes="$changes" -o /dev/null <<-'SQL'
	SELECT changemgmt.publish_model('listed', jsonb_build_object('base', 'lean_emergency', 'checklist',
		(SELECT jsonb_agg(jsonb_build_object('key', 'k' || n, 'title', 'task ' || n, 'phase', 'implementation'))
		 FROM generate_series(1, 500) AS n)));
	ALTER TABLE changemgmt.change DISABLE TRIGGER USER;
	UPDATE changemgmt.change SET model = 'lean_emergency', type = 'emergency' WHERE id > 4 * :changes;
	UPDATE changemgmt.change SET model = 'listed', model_version = 1 WHERE id > 5 * :changes;
	ALTER TABLE changemgmt.change ENABLE TRIGGER USER;
	CREATE TABLE last_task AS
		SELECT change_id, max(id) AS id FROM changemgmt.change_task GROUP BY change_id;
	CREATE UNLOGGED TABLE sample (run integer, step integer, stat text);
	CREATE TABLE figure (what text, way text, round integer, cpu float8);
	ALTER SYSTEM SET fsync = off;
	ALTER SYSTEM SET autovacuum = off;
	SELECT pg_reload_conf();
	VACUUM ANALYZE;
SQL

# One step forth and one back.
script() {
	cat <<-'SQL'
		\set i :i + 1
		\if :i = :warm or :i = :n
		INSERT INTO sample VALUES (:run, :i, pg_read_file('/proc/self/schedstat'));
		\endif
		\set id random(:first, :last)
	SQL
	if [ "$1" = transition ]; then
		echo "UPDATE changemgmt.change SET status = 'verifying' WHERE id = :id;"
		echo "UPDATE changemgmt.change SET status = 'in_progress', status_reason = 'again' WHERE id = :id;"
	else
		echo "UPDATE changemgmt.change_task SET status = 'open' WHERE id = (SELECT l.id FROM last_task AS l WHERE l.change_id = :id);"
		echo "UPDATE changemgmt.change_task SET status = 'done' WHERE id = (SELECT l.id FROM last_task AS l WHERE l.change_id = :id);"
	fi
}

run=0
n=$((steps / 2 + warm))
for what in transition task; do
	script $what >"$work/$what"
	for ((round = 0; round <= rounds; round++)); do
		for ((k = 0; k < ${#ways[@]}; k++)); do
			way=$(((k + round) % ${#ways[@]}))
			[ "$what" = transition ] || [ "$way" -gt 0 ] || continue
			run=$((run + 1))
			sql -c "VACUUM changemgmt.change, changemgmt.change_task, changemgmt.duty"
			pgbench -n -M prepared -c 1 -t "$n" --random-seed="$round" \
				-D i=0 -D run="$run" -D n="$n" -D warm="$warm" \
				-D first=$((way * changes + 1)) -D last=$(((way + 1) * changes)) \
				-f "$work/$what" >"$work/out" 2>&1 || { cat "$work/out" >&2; exit 1; }
			sql -v run="$run" -v what="$what" -v way="${ways[way]}" -v round="$round" <<-'SQL'
				INSERT INTO figure
				SELECT :'what', :'way', :round,
					   (max(cpu) - min(cpu)) / 1e3 / (2 * (max(step) - min(step)))
				FROM (
					-- nanoseconds on a processor
					SELECT step, split_part(stat, ' ', 1)::bigint AS cpu
					FROM sample WHERE run = :run
				) AS s
				WHERE :round > 0;
			SQL
		done
	done
done

about
echo "$changes changes a way; $rounds rounds of $steps steps; median round"
psql -X -q <<-'SQL'
	SELECT f.what, f.way AS tasks,
		   round(percentile_cont(0.5) WITHIN GROUP (ORDER BY f.cpu)::numeric, 1) AS "CPU us each",
		   round(percentile_cont(0.5) WITHIN GROUP (ORDER BY f.cpu / b.cpu)::numeric, 2) AS ratio,
		   round(min(f.cpu / b.cpu)::numeric, 2) AS low,
		   round(max(f.cpu / b.cpu)::numeric, 2) AS high
	FROM figure AS f
	JOIN figure AS b ON b.round = f.round AND b.what = f.what
		AND b.way = CASE WHEN f.way = 'listed' THEN 'emergency' WHEN f.what = 'transition' THEN '0' ELSE '50' END
	GROUP BY f.what, f.way
	ORDER BY f.what DESC, array_position(ARRAY['0', '50', '500', 'ordered', 'emergency', 'listed'], f.way);
SQL
