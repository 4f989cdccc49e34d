-- metrics, risk: whether what was said to be risky failed more often.

-- It reads as the owner, as monthly_metrics does: confidential changes are
-- counted for everybody.
CREATE VIEW changemgmt.risk_calibration AS
	WITH judged AS (
		SELECT f.is_failed,
			   coalesce(a.level, f.risk_level, 'unknown') AS level,
			   a.score::double precision AS score
		FROM changemgmt.metrics_fact AS f
		LEFT JOIN LATERAL (
			SELECT r.level, r.score
			FROM changemgmt.risk_assessment AS r
			WHERE r.change_id = f.change_id
			  AND r.assessed_at <= f.actual_start
			ORDER BY r.id DESC
			LIMIT 1
		) AS a ON true
		WHERE f.is_counted AND f.verdict <> 'pending'
	), ranked AS (
		-- changes of one score stay in one tenth
		SELECT j.is_failed, j.score,
			   (1 + (10 * (rank() OVER (ORDER BY j.score) - 1))
					/ count(*) OVER ())::integer AS decile
		FROM judged AS j
		WHERE j.score IS NOT NULL
	), bucket AS (
		SELECT 'level' AS kind, j.level AS bucket,
			   CASE j.level WHEN 'low' THEN 1 WHEN 'medium' THEN 2
							WHEN 'high' THEN 3 WHEN 'critical' THEN 4 END AS position,
			   min(j.score) AS lowest_score, avg(j.score) AS mean_score,
			   max(j.score) AS highest_score,
			   changemgmt.change_failure_rate(j.is_failed) AS failures
		FROM judged AS j
		GROUP BY j.level
		UNION ALL
		SELECT 'decile', r.decile::text, r.decile,
			   min(r.score), avg(r.score), max(r.score),
			   changemgmt.change_failure_rate(r.is_failed)
		FROM ranked AS r
		GROUP BY r.decile
	)
	SELECT b.kind, b.bucket, b.position,
		   b.lowest_score, b.mean_score, b.highest_score,
		   changemgmt.denominator(b.failures) AS changes,
		   changemgmt.numerator(b.failures) AS failed,
		   b.failures::double precision AS failure_rate,
		   changemgmt.wilson_low(b.failures) AS failure_rate_low,
		   changemgmt.wilson_high(b.failures) AS failure_rate_high,
		   b.failures::double precision
			   >= lag(b.failures::double precision) OVER w AS is_in_order,
		   changemgmt.wilson_high(b.failures)
			   < lag(changemgmt.wilson_low(b.failures)) OVER w AS is_refuted
	FROM bucket AS b
	WINDOW w AS (PARTITION BY b.kind, b.position IS NULL ORDER BY b.position);
COMMENT ON VIEW changemgmt.risk_calibration IS
	'Whether what was said to be risky failed more often: a row a risk level and a row a tenth of the scores, over the changes that the metrics count and whose outcome is known. What was said is the last assessment before the start, or else the risk level of the change.';
COMMENT ON COLUMN changemgmt.risk_calibration.kind IS 'level or decile.';
COMMENT ON COLUMN changemgmt.risk_calibration.bucket IS 'low, medium, high, critical or unknown; or 1 (the lowest scores) to 10. Changes of the same score are in the same tenth, so some may be missing.';
COMMENT ON COLUMN changemgmt.risk_calibration.position IS 'Its place in the order, from 1; null for unknown.';
COMMENT ON COLUMN changemgmt.risk_calibration.lowest_score IS 'Least score in it; null where none was stored.';
COMMENT ON COLUMN changemgmt.risk_calibration.mean_score IS 'Mean score in it.';
COMMENT ON COLUMN changemgmt.risk_calibration.highest_score IS 'Greatest score in it.';
COMMENT ON COLUMN changemgmt.risk_calibration.changes IS 'Changes in it.';
COMMENT ON COLUMN changemgmt.risk_calibration.failed IS 'How many of them failed.';
COMMENT ON COLUMN changemgmt.risk_calibration.failure_rate IS 'Failed by changes.';
COMMENT ON COLUMN changemgmt.risk_calibration.failure_rate_low IS 'Lower bound of its 95 % Wilson interval.';
COMMENT ON COLUMN changemgmt.risk_calibration.failure_rate_high IS 'Upper bound of its 95 % Wilson interval.';
COMMENT ON COLUMN changemgmt.risk_calibration.is_in_order IS 'Whether it failed at least as often as the one before it; null for the first.';
COMMENT ON COLUMN changemgmt.risk_calibration.is_refuted IS 'Whether it failed less often than the one before it and chance does not explain that: the intervals do not meet.';
