#!/bin/bash
# What the duties of an emergency cost.
#
#   rounds=5 changes=20 steps=40 test/bench/duty.sh
#
#   declare   declare_emergency(), which gives six duties
#   step      complete and resume_work in turn, by UPDATE: three duties are given
#             and three cancelled by the two of them
#   update    complete_duty() of a progress update, which is due again
#
# "without" has the trigger that gives duties turned off.  The ways take turns
# within a round, each in a session of its own over changes of its own; CPU time
# (of the backend, user and system) a call, after a warm-up; the median round
# counts.  Nothing here passes or fails.
. "$(dirname "${BASH_SOURCE[0]}")/lib/bench.sh"

rounds=${rounds:-5}
changes=${changes:-20}
steps=${steps:-40}

make_people
sql -o /dev/null <<-'SQL'
	CREATE TABLE figure (what text, way text, round integer, cpu float8);
	CREATE FUNCTION cpu() RETURNS bigint LANGUAGE sql VOLATILE AS
		$$SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint$$;
	CREATE FUNCTION declare() RETURNS bigint LANGUAGE sql VOLATILE AS
		$$SELECT id FROM changemgmt.declare_emergency('Restart', 'INC1', 'bench2', 'production_down', model => 'lean_emergency')$$;
	CREATE PROCEDURE steps(ids bigint[], n integer) LANGUAGE plpgsql AS $$
	DECLARE
		c bigint;
	BEGIN
		FOR i IN 1..n LOOP
			FOREACH c IN ARRAY ids LOOP
				UPDATE changemgmt.change SET status = 'verifying' WHERE id = c;
				UPDATE changemgmt.change SET status = 'in_progress', status_reason = 'again' WHERE id = c;
				COMMIT;
			END LOOP;
		END LOOP;
	END $$;
	CREATE PROCEDURE updates(ids bigint[], n integer) LANGUAGE plpgsql AS $$
	DECLARE
		c bigint;
	BEGIN
		FOR i IN 1..n LOOP
			FOREACH c IN ARRAY ids LOOP
				PERFORM changemgmt.complete_duty(d.id) FROM changemgmt.duty AS d
				WHERE d.change_id = c AND d.kind = 'progress_update' AND d.done_at IS NULL AND d.cancelled_at IS NULL;
				COMMIT;
			END LOOP;
		END LOOP;
	END $$;
SQL

# go ROUND WAY
go() {
	sql -c 'VACUUM ANALYZE changemgmt.change, changemgmt.duty, changemgmt.ledger' \
		-c "ALTER TABLE changemgmt.change $([ "$2" = with ] && echo ENABLE || echo DISABLE) TRIGGER duty"
	sql -v round="$1" -v way="$2" -v changes="$changes" -v steps="$steps" -o /dev/null <<-'SQL'
		SELECT declare() FROM generate_series(1, 3);
		SELECT cpu() AS began \gset
		SELECT array_agg(declare()) AS ids FROM generate_series(1, :changes) \gset
		INSERT INTO figure VALUES ('declare', :'way', :round, (cpu() - :began) / 1e3 / :changes);
		CALL steps(:'ids', 2);
		SELECT cpu() AS began \gset
		CALL steps(:'ids', :steps / 2);
		INSERT INTO figure VALUES ('step', :'way', :round, (cpu() - :began) / 1e3 / (2 * (:steps / 2) * :changes));
		CALL updates(:'ids', 2);
		SELECT cpu() AS began \gset
		CALL updates(:'ids', :steps / 2);
		INSERT INTO figure SELECT 'update', :'way', :round, (cpu() - :began) / 1e3 / ((:steps / 2) * :changes) WHERE :'way' = 'with';
	SQL
}

for round in $(seq "$rounds"); do
	go "$round" without
	go "$round" with
done

about
psql -X -P footer=off <<-SQL
	\echo '$changes emergencies a round, $steps steps of each; $rounds rounds; median round'
	SELECT f.what, f.way AS duties, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY f.cpu)::numeric) AS "CPU us each",
		   round(min(f.cpu)::numeric) AS low, round(max(f.cpu)::numeric) AS high
	FROM figure AS f GROUP BY f.what, f.way ORDER BY f.what, f.way DESC;
SQL
