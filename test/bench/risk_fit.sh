#!/bin/bash
# A model that learns, and the measure of a score: what they cost.
#
#   rows=1000000 features=15 scores=10000000 rounds=3 test/bench/risk_fit.sh
#
# fit: fit_risk_model() over so many rows and features, alone and in parallel,
# and one round of it, against the same sums written in SQL, and against R's glm
# where Rscript is there (the fit only, its rows are in memory before; it stops
# as early as it does by itself).  auc: over so many distinct scores, and over a
# hundred different ones, against the sum of ranks that a window function gives.
# Wall-clock milliseconds, the fastest round.  Nothing here passes or fails.
. "$(dirname "${BASH_SOURCE[0]}")/lib/bench.sh"

rows=${rows:-1000000}
features=${features:-15}
scores=${scores:-10000000}
rounds=${rounds:-3}

names=$(seq -f 'x%g' -s, 1 "$features")
columns=$(seq -f 'random() * 10 AS x%g' -s, 1 "$features")
score=$(for i in $(seq 1 "$features"); do printf ' + %s * x%s' "0.0$((i % 7))" "$i"; done)
sql -o /dev/null <<-SQL
	CREATE TABLE figure (place serial, what text, workers integer, ms float8);
	SELECT setseed(0.25);
	CREATE UNLOGGED TABLE past AS
	SELECT *, random() < 1 / (1 + exp(4 - (0 $score))) AS failed FROM (SELECT $columns FROM generate_series(1, $rows)) AS x;
	CREATE UNLOGGED TABLE scored AS
	SELECT random() * 1000 AS score, floor(random() * 100) AS coarse, random() < 0.1 AS failed FROM generate_series(1, $scores);
	VACUUM ANALYZE past;
	VACUUM ANALYZE scored;
	CHECKPOINT;
SQL

# timed WHAT WORKERS STATEMENT [MEMORY]
timed() {
	sql -o /dev/null <<-SQL
		SET jit = off;
		SET max_parallel_workers_per_gather = $2;
		SET work_mem = '${4:-64MB}';
		SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
		SELECT clock_timestamp() AS began \gset
		$3;
		INSERT INTO figure (what, workers, ms) SELECT '$1', $2, extract(epoch FROM clock_timestamp() - :'began') * 1000;
	SQL
}

# the same sums in SQL, at coefficients of 0.01: gradient, information, deviance
in_sql() {
	local i j sums=
	for ((i = 0; i <= features; i++)); do
		sums="$sums, sum(r * x$i)"
		for ((j = 0; j <= i; j++)); do sums="$sums, sum(w * x$i * x$j)"; done
	done
	echo "SELECT sum(-2 * ln(CASE WHEN failed THEN p ELSE 1 - p END)) $sums FROM (
		SELECT *, failed::int - p AS r, p * (1 - p) AS w, 1::float8 AS x0 FROM (
		SELECT *, 1 / (1 + exp(-(0.01 $(for ((i = 1; i <= features; i++)); do printf ' + 0.01 * x%s' "$i"; done)))) AS p FROM past OFFSET 0) AS a OFFSET 0) AS b"
}
model=$(for ((i = 0; i <= features; i++)); do printf '0.01,'; done; for ((i = 0; i < features; i++)); do printf '0,'; done; for ((i = 1; i < features; i++)); do printf '1,'; done; printf 1)
ranks() {
	echo "SELECT (sum(r) FILTER (WHERE failed) - f * (f + 1) / 2) / (f * (n - f)) FROM (
		SELECT failed, rank() OVER (ORDER BY $1) + (count(*) OVER (PARTITION BY $1) - 1) / 2.0::float8 AS r FROM scored) AS ranked,
		(SELECT count(*) AS n, (count(*) FILTER (WHERE failed))::float8 AS f FROM scored) AS c GROUP BY n, f"
}

for ((round = 1; round <= rounds; round++)); do
	for workers in 0 2; do
		timed fit "$workers" "SELECT * FROM changemgmt.fit_risk_model('past', '{$names}')"
		timed 'one round' "$workers" "SELECT changemgmt.risk_fit_round('{$model}', failed, ${names}) FROM past"
		timed 'one round in SQL' "$workers" "$(in_sql)"
		timed 'reading the rows' "$workers" "SELECT count(x$features) FROM past"
		timed 'auc, distinct' "$workers" 'SELECT changemgmt.auc(score, failed) FROM scored' 1GB
		timed 'auc, coarse' "$workers" 'SELECT changemgmt.auc(coarse, failed) FROM scored' 1GB
		timed 'auc, distinct, 4 MB' "$workers" 'SELECT changemgmt.auc(score, failed) FROM scored' 4MB
		timed 'reading the scores' "$workers" 'SELECT count(score) FROM scored'
	done
	timed 'ranks, distinct' 0 "$(ranks score)" 1GB
	timed 'ranks, coarse' 0 "$(ranks coarse)" 1GB
	timed 'ranks, distinct, 4 MB' 0 "$(ranks score)" 4MB
done

about
echo "$rows rows of $features features, $scores scores; $rounds rounds, the fastest, milliseconds"
psql -X -q <<-'SQL'
	SELECT what, workers, round(min(ms)) AS ms FROM figure GROUP BY what, workers ORDER BY min(place);
	SELECT version, rounds, log_likelihood FROM changemgmt.risk_model ORDER BY version LIMIT 1;
SQL
if command -v Rscript >/dev/null; then
	file=$(mktemp)
	psql -X -q -c "COPY (SELECT $names, failed::int AS failed FROM past) TO STDOUT WITH (FORMAT csv, HEADER)" >"$file"
	Rscript - "$file" <<-'EOR'
		past <- read.csv(commandArgs(TRUE)[1])
		for (i in 1:3) {
			time <- system.time(model <- glm(failed ~ ., binomial, past))
			cat("R, glm:", round(time[["elapsed"]] * 1000), "ms,", model$iter, "iterations, log-likelihood", format(as.numeric(logLik(model)), digits = 15), "\n")
		}
	EOR
	rm -f "$file"
fi
