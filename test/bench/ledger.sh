#!/bin/bash
# The ledger: verification against the SHA-256 of as many bytes, and checkpoints
# as the subjects grow.
#
#   rounds=5 changes=5000 sizes="10000 1000000" test/bench/ledger.sh
#
# Verified are changes with a plan of 1 kB and ten entries each.  bare is
# SELECT count(sha256(b)) over a table of inputs of the same number and length: an
# entry's as the format has it, and a row's for each change.  Checkpoints are
# taken over chains of two entries.  Time is that of the backend on a processor,
# user and system; the two that are compared take turns, and the median round
# counts; ratio is against bare in the same round.  Nothing here passes or fails.
. "$(dirname "${BASH_SOURCE[0]}")/lib/bench.sh"

rounds=${rounds:-5}
changes=${changes:-5000}
sizes=${sizes:-10000 1000000}

sql -v changes="$changes" -o /dev/null <<-'SQL'
	SELECT changemgmt.add_person(current_user::text);
	INSERT INTO changemgmt.change (title, description, implementation_plan, rollback_plan, user_impact)
	SELECT 'Release ' || i, repeat('what is new in it. ', 8), repeat('one node after the other; ', 20),
		   repeat('the version before, ', 12), 'Payments are slower for two minutes.'
	FROM generate_series(1, :changes) AS i;
	DO $$
	BEGIN
		FOR n IN 1 .. 9 LOOP
			UPDATE changemgmt.change
			SET title = 'Release ' || n, estimated_minutes = n, planned_start = now() + n * interval '1 day',
				user_impact = 'Payments are slower for ' || n || ' minutes.';
		END LOOP;
	END $$;

	CREATE UNLOGGED TABLE input (b bytea);
	INSERT INTO input
	SELECT convert_to(repeat('x', 23 + 2 * 36 + octet_length(concat(subject_kind, subject_id, sequence, event, from_status,
			to_status, changed, actor, session_role, effective_role, client_address, application, reason)) + 16 + 14 * 4), 'UTF8')
	FROM changemgmt.ledger WHERE subject_kind = 'change'
	UNION ALL
	SELECT convert_to(repeat('x', (
			SELECT sum(octet_length(key) + octet_length(value) + 8)
			FROM jsonb_each_text(to_jsonb(c) - 'ledger_head' - 'ledger_sequence') WHERE value IS NOT NULL)::integer), 'UTF8')
	FROM changemgmt.change AS c;
	-- read as it stands, neither compressed nor fetched from elsewhere
	ALTER TABLE input ALTER b SET STORAGE PLAIN;
	CREATE TABLE figure (way text, round integer, cpu float8);
	VACUUM ANALYZE;
SQL

# cpu WAY ROUND STATEMENT: nanoseconds of the backend, after a first execution
cpu() {
	sql -o /dev/null <<-SQL
		$3;
		SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1) AS before \gset
		$3;
		INSERT INTO figure SELECT '$1', $2, split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint - :before;
	SQL
}

for ((round = 1; round <= rounds; round++)); do
	cpu bare "$round" "SELECT count(sha256(b)) FROM input"
	cpu verify "$round" "SELECT count(*) FROM changemgmt.verify_ledger('change')"
done

about
echo "$changes changes; $rounds rounds, median"
psql -X -q <<-'SQL'
	SELECT f.way, e.entries, e.bytes AS "bytes each",
		   round((percentile_cont(0.5) WITHIN GROUP (ORDER BY f.cpu) / e.entries / 1e3)::numeric, 2) AS "us an entry",
		   (1e9 * e.entries / percentile_cont(0.5) WITHIN GROUP (ORDER BY f.cpu))::integer AS "entries per second",
		   round(percentile_cont(0.5) WITHIN GROUP (ORDER BY b.cpu / f.cpu)::numeric, 2) AS ratio,
		   round(min(b.cpu / f.cpu)::numeric, 2) AS low, round(max(b.cpu / f.cpu)::numeric, 2) AS high
	FROM figure AS f
	JOIN figure AS b ON b.way = 'bare' AND b.round = f.round,
		(SELECT count(*) AS entries, (SELECT round(avg(octet_length(b))) FROM input) AS bytes
		 FROM changemgmt.ledger WHERE subject_kind = 'change') AS e
	GROUP BY f.way, e.entries, e.bytes ORDER BY f.way;
SQL

sql -o /dev/null -c "CREATE TABLE checkpoint_figure (place serial, subjects bigint, what text, heads bigint, ms numeric)"
for size in $sizes; do
	sql -v size="$size" -o /dev/null <<-'SQL'
		SET session_replication_role = replica;
		TRUNCATE changemgmt.ledger, changemgmt.ledger_checkpoint, changemgmt.ledger_checkpoint_head;
		INSERT INTO changemgmt.ledger (subject_kind, subject_id, sequence, event, changed, actor, session_role, effective_role,
			recorded_at, row_digest, previous_hash, hash)
		SELECT 'change', i, n, 'edit', '{"title": ["Release 1", "Release 2"]}', 'anna', 'app', 'app', now(), hash, hash, hash
		FROM generate_series(1, 2) AS n, generate_series(1, :size) AS i, sha256(int8send(i)) AS hash;
		VACUUM ANALYZE changemgmt.ledger;
	SQL
	take() {
		sql -o /dev/null <<-SQL
			SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1) AS before \gset
			$2;
			INSERT INTO checkpoint_figure (subjects, what, heads, ms)
			SELECT $size, '$1', (SELECT count(*) FROM changemgmt.ledger_checkpoint_head
				WHERE checkpoint_id = (SELECT max(id) FROM changemgmt.ledger_checkpoint)),
				round((split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint - :before) / 1e6, 1);
		SQL
	}
	take 'first' 'SELECT * FROM changemgmt.ledger_checkpoint()'
	sql -o /dev/null -c 'VACUUM ANALYZE changemgmt.ledger_checkpoint_head'
	take 'nothing moved' 'SELECT * FROM changemgmt.ledger_checkpoint()'
	sql -v size="$size" -o /dev/null <<-'SQL'
		SET session_replication_role = replica;
		INSERT INTO changemgmt.ledger
		SELECT subject_kind, subject_id, 3, event, from_status, to_status, changed, actor, session_role, effective_role,
			   client_address, application, recorded_at, reason, row_digest, hash, sha256(hash)
		FROM changemgmt.ledger
		WHERE subject_kind = 'change' AND sequence = 2 AND subject_id % (:size / 1000) = 0;
	SQL
	take '1000 moved' 'SELECT * FROM changemgmt.ledger_checkpoint()'
	take 'root for one subject' "SELECT count(*) FROM changemgmt.verify_checkpoint(
		(SELECT encode(root, 'hex') FROM changemgmt.ledger_checkpoint ORDER BY id DESC LIMIT 1), 'change', 1)"
done
psql -X -q -c "SELECT subjects, what, heads AS \"heads kept\", ms FROM checkpoint_figure ORDER BY place"
