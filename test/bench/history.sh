#!/bin/bash
# A change as it stood: what it costs to go back over its events.
#
#   rounds=7 calls=200 events="10 200 1000" test/bench/history.sh
#
# Changes with a plan of 1 kB and so many entries each, every other one the edit
# of a task.  first is the row as of the first entry, with all others undone and
# every hash on the way checked; document is that with its parts; last undoes
# nothing; saw is what_the_board_saw(), which goes all the way.  Time is that of
# the backend on a processor, user and system, for one call of many in a
# statement; the median round counts.  Nothing here passes or fails.
. "$(dirname "${BASH_SOURCE[0]}")/lib/bench.sh"

rounds=${rounds:-7}
calls=${calls:-200}
events=${events:-10 200 1000}

sql -o /dev/null <<-'SQL'
	SELECT changemgmt.add_person(current_user::text);
	CREATE TABLE subject (events integer, change_id bigint, since timestamptz);
	CREATE TABLE figure (events integer, what text, round integer, cpu float8);
	CREATE FUNCTION grow(events integer) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		release bigint;
		task bigint;
	BEGIN
		INSERT INTO changemgmt.change (title, description, implementation_plan, rollback_plan, user_impact)
		VALUES ('Release', repeat('what is new in it. ', 8), repeat('one node after the other; ', 20),
				repeat('the version before, ', 12), 'Payments are slower for two minutes.')
		RETURNING id INTO release;
		INSERT INTO changemgmt.change_task (change_id, title) SELECT release, 'step ' || n FROM generate_series(1, 3) AS n;
		task := (SELECT max(id) FROM changemgmt.change_task);
		FOR n IN 3 .. events LOOP
			IF n % 2 = 0 THEN
				UPDATE changemgmt.change_task SET title = 'step ' || n, description = 'after step ' || n - 1 WHERE id = task;
			ELSE
				UPDATE changemgmt.change
				SET title = 'Release ' || n, estimated_minutes = n, user_impact = 'Payments are slower for ' || n || ' minutes.'
				WHERE id = release;
			END IF;
		END LOOP;
		INSERT INTO subject SELECT c.ledger_sequence, c.id, l.recorded_at FROM changemgmt.change AS c
		JOIN changemgmt.ledger AS l ON l.subject_kind = 'change' AND l.subject_id = c.id AND l.sequence = 1 WHERE c.id = release;
	END $$;
SQL
for n in $events; do
	sql -o /dev/null -c "SELECT grow($n)"
done
sql -c 'VACUUM ANALYZE'

# cpu EVENTS WHAT ROUND STATEMENT: nanoseconds of the backend, after a first execution
cpu() {
	sql -o /dev/null <<-SQL
		SELECT change_id AS id, since FROM subject WHERE events = $1 \gset
		$4;
		SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1) AS before \gset
		$4;
		INSERT INTO figure SELECT $1, '$2', $3, split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint - :before;
	SQL
}

# the call is one of the row, or it would be made once
for ((round = 1; round <= rounds; round++)); do
	for n in $events; do
		many="generate_series(1, $calls) AS g, LATERAL (SELECT :'since'::timestamptz + g * interval '0' AS since) AS s"
		cpu "$n" first "$round" "SELECT count(*) FROM $many, changemgmt.change_as_of(:id, since) AS c WHERE c.id > 0"
		cpu "$n" last "$round" "SELECT count(*) FROM $many, changemgmt.change_as_of(:id, since + interval '1 day') AS c WHERE c.id > 0"
		cpu "$n" document "$round" "SELECT count(changemgmt.change_document(:id, since)) FROM $many"
		cpu "$n" saw "$round" "SELECT count(*) FROM $many, changemgmt.what_the_board_saw(:id + g * 0) AS b"
	done
done

about
echo "$calls calls a round; $rounds rounds, median"
psql -X -q <<-SQL
	SELECT events, what, round((percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu) / $calls / 1e3)::numeric, 1) AS "us a call",
		   CASE WHEN what <> 'last' THEN round((percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu) / $calls / 1e3 / events)::numeric, 2) END AS "us an event",
		   round((min(cpu) / $calls / 1e3)::numeric, 1) AS low, round((max(cpu) / $calls / 1e3)::numeric, 1) AS high
	FROM figure GROUP BY events, what ORDER BY events, what;
SQL
