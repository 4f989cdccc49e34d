#!/bin/bash
# Bulk load of history: COPY into changemgmt.change, where triggers, foreign
# keys and the checks of values see each row, against COPY of the same rows into
# a table of the same columns and indexes that has none of them.
#
#   changes=200000 rounds=3 test/bench/load.sh
#
# The ways take turns; each begins with an empty table and ends with its
# commit.  The rows are made beforehand.
. "$(dirname "${BASH_SOURCE[0]}")/lib/bench.sh"

changes=${changes:-200000}
rounds=${rounds:-3}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

make_people
make_changes closed 1 "$changes" >"$work/changes"
sql <<-'SQL'
	CREATE SCHEMA bare;
	CREATE TABLE bare.change (LIKE changemgmt.change INCLUDING ALL EXCLUDING CONSTRAINTS);
	CREATE SCHEMA bench;
	CREATE TABLE bench.figure (way text, round integer, seconds float8);
SQL

# changemgmt.change is not truncated, so each round has a database of its own
base=$PGDATABASE
for ((round = 1; round <= rounds; round++)); do
	ways=(bare change)
	((round % 2)) || ways=(change bare)
	dropdb --if-exists "${base}_load"
	createdb -T "$base" "${base}_load"
	for way in "${ways[@]}"; do
		table=bare.change
		[ $way = bare ] || table=changemgmt.change
		sql -d "${base}_load" -c CHECKPOINT
		begun=$(date +%s%N)
		sql -d "${base}_load" -c "COPY $table ($columns) FROM STDIN" <"$work/changes"
		ended=$(date +%s%N)
		sql -c "INSERT INTO bench.figure VALUES ('$way', $round, ($ended - $begun) / 1e9::float8)"
	done
done
dropdb "${base}_load"

about
echo "$changes changes, $(du -m "$work/changes" | cut -f1) MB; the fastest of $rounds rounds"
psql -X -q -v changes="$changes" <<-'SQL'
	SELECT f.way, round(min(f.seconds)::numeric, 2) AS seconds,
		   (:changes / min(f.seconds))::integer AS "rows per second",
		   round((min(b.seconds) / min(f.seconds))::numeric, 2) AS ratio
	FROM bench.figure AS f
	JOIN bench.figure AS b ON b.way = 'bare'
	GROUP BY f.way ORDER BY f.way;
SQL
