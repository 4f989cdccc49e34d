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

-- What a model learns from: what was stored of each factor before the work
-- began, and what came of it. The caller sees what is visible to the caller.
CREATE VIEW changemgmt.risk_training WITH (security_invoker = true) AS
	SELECT f.change_id, f.actual_start AS at, f.is_failed AS failed,
		   a.score::double precision AS score,
		   x.inherent_risk,
		   x.tier,
		   x.blast_radius,
		   x.data_integrity,
		   x.security,
		   x.environment,
		   x.type,
		   x.novelty,
		   x.record_of_model,
		   x.record_of_item,
		   x.record_of_owner,
		   x.record_of_team,
		   x.rollback,
		   x.testing,
		   x.size,
		   x.timing,
		   x.overlap,
		   x.recent_incidents
	FROM changemgmt.change_fact AS f
	CROSS JOIN LATERAL (
		SELECT r.score, r.explanation
		FROM changemgmt.risk_assessment AS r
		WHERE r.change_id = f.change_id
		  AND r.assessed_at <= f.actual_start
		ORDER BY r.id DESC
		LIMIT 1
	) AS a
	CROSS JOIN LATERAL (
		SELECT
			max(e.value) FILTER (WHERE e.factor = 'inherent_risk') AS inherent_risk,
			max(e.value) FILTER (WHERE e.factor = 'tier') AS tier,
			max(e.value) FILTER (WHERE e.factor = 'blast_radius') AS blast_radius,
			max(e.value) FILTER (WHERE e.factor = 'data_integrity') AS data_integrity,
			max(e.value) FILTER (WHERE e.factor = 'security') AS security,
			max(e.value) FILTER (WHERE e.factor = 'environment') AS environment,
			max(e.value) FILTER (WHERE e.factor = 'type') AS type,
			max(e.value) FILTER (WHERE e.factor = 'novelty') AS novelty,
			max(e.value) FILTER (WHERE e.factor = 'record_of_model') AS record_of_model,
			max(e.value) FILTER (WHERE e.factor = 'record_of_item') AS record_of_item,
			max(e.value) FILTER (WHERE e.factor = 'record_of_owner') AS record_of_owner,
			max(e.value) FILTER (WHERE e.factor = 'record_of_team') AS record_of_team,
			max(e.value) FILTER (WHERE e.factor = 'rollback') AS rollback,
			max(e.value) FILTER (WHERE e.factor = 'testing') AS testing,
			max(e.value) FILTER (WHERE e.factor = 'size') AS size,
			max(e.value) FILTER (WHERE e.factor = 'timing') AS timing,
			max(e.value) FILTER (WHERE e.factor = 'overlap') AS overlap,
			max(e.value) FILTER (WHERE e.factor = 'recent_incidents') AS recent_incidents
		FROM jsonb_to_recordset(a.explanation -> 'factors')
			AS e (factor text, value double precision)
	) AS x
	WHERE f.is_counted AND f.verdict <> 'pending';
COMMENT ON VIEW changemgmt.risk_training IS
	'What fit_risk_model can learn from: a row a change that the metrics count, whose outcome is known and whose risk was stored before it began, with the factors as they were stored last before the start. Changes that one may not see are left out.';
COMMENT ON COLUMN changemgmt.risk_training.change_id IS 'Id of the change.';
COMMENT ON COLUMN changemgmt.risk_training.at IS 'When the work began.';
COMMENT ON COLUMN changemgmt.risk_training.failed IS 'Whether it failed, as in change_fact.';
COMMENT ON COLUMN changemgmt.risk_training.score IS 'The score that was stored, from 0 to 100: to compare with, not to learn from.';
COMMENT ON COLUMN changemgmt.risk_training.inherent_risk IS 'Value of the factor inherent_risk, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.tier IS 'Value of the factor tier, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.blast_radius IS 'Value of the factor blast_radius, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.data_integrity IS 'Value of the factor data_integrity, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.security IS 'Value of the factor security, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.environment IS 'Value of the factor environment, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.type IS 'Value of the factor type, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.novelty IS 'Value of the factor novelty, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.record_of_model IS 'Value of the factor record_of_model, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.record_of_item IS 'Value of the factor record_of_item, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.record_of_owner IS 'Value of the factor record_of_owner, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.record_of_team IS 'Value of the factor record_of_team, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.rollback IS 'Value of the factor rollback, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.testing IS 'Value of the factor testing, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.size IS 'Value of the factor size, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.timing IS 'Value of the factor timing, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.overlap IS 'Value of the factor overlap, from 0 to 1; null where it was switched off.';
COMMENT ON COLUMN changemgmt.risk_training.recent_incidents IS 'Value of the factor recent_incidents, from 0 to 1; null where it was switched off.';

CREATE VIEW changemgmt.risk_prediction WITH (security_invoker = true) AS
	SELECT p.version, p.change_id, p.at, p.failed, p.score, p.probability
	FROM (
		SELECT m.version, t.change_id, t.at, t.failed, t.score,
			   CASE WHEN t.features ?& m.features
				   THEN changemgmt.risk_model_predict(m.version, t.features)
			   END AS probability
		FROM changemgmt.risk_model AS m
		JOIN (
			SELECT r.change_id, r.at, r.failed, r.score,
				   jsonb_strip_nulls(to_jsonb(r))
					   - '{change_id,at,failed,score}'::text[] AS features
			FROM changemgmt.risk_training AS r
		) AS t ON t.at >= coalesce(m.split_at, m.fitted_at)
	) AS p
	WHERE p.probability IS NOT NULL;
COMMENT ON VIEW changemgmt.risk_prediction IS
	'What fitted models say of changes of risk_training that they did not learn from, beside the score that was stored: a row a version and change, from the split on, or where all rows were learned from, of changes that began after the fit. Versions with a feature that is no factor have no rows, nor have changes that lack one.';
COMMENT ON COLUMN changemgmt.risk_prediction.version IS 'Version of the model.';
COMMENT ON COLUMN changemgmt.risk_prediction.change_id IS 'Id of the change.';
COMMENT ON COLUMN changemgmt.risk_prediction.at IS 'When the work began.';
COMMENT ON COLUMN changemgmt.risk_prediction.failed IS 'Whether it failed.';
COMMENT ON COLUMN changemgmt.risk_prediction.score IS 'The score that was stored, from 0 to 100.';
COMMENT ON COLUMN changemgmt.risk_prediction.probability IS 'The probability of failure that the model gives it.';

CREATE VIEW changemgmt.risk_model_comparison WITH (security_invoker = true) AS
	SELECT m.version, m.is_active, c.changes, c.failed,
		   c.score_auc, c.model_auc, c.score_brier, c.model_brier, c.base_brier
	FROM changemgmt.risk_model AS m
	JOIN (
		SELECT p.version, count(*) AS changes,
			   count(*) FILTER (WHERE p.failed) AS failed,
			   changemgmt.auc(p.score, p.failed) AS score_auc,
			   changemgmt.auc(p.probability, p.failed) AS model_auc,
			   changemgmt.brier(p.score / 100, p.failed) AS score_brier,
			   changemgmt.brier(p.probability, p.failed) AS model_brier,
			   changemgmt.brier(b.trained_failures::double precision
								/ b.trained_rows, p.failed) AS base_brier
		FROM changemgmt.risk_prediction AS p
		JOIN changemgmt.risk_model AS b ON b.version = p.version
		GROUP BY p.version
	) AS c ON c.version = m.version;
COMMENT ON VIEW changemgmt.risk_model_comparison IS
	'The weights set by hand and fitted models side by side, over the changes of risk_prediction: a row a version that has any.';
COMMENT ON COLUMN changemgmt.risk_model_comparison.version IS 'Version of the model.';
COMMENT ON COLUMN changemgmt.risk_model_comparison.is_active IS 'Whether it is the one in use.';
COMMENT ON COLUMN changemgmt.risk_model_comparison.changes IS 'Changes that both are compared over.';
COMMENT ON COLUMN changemgmt.risk_model_comparison.failed IS 'How many of them failed.';
COMMENT ON COLUMN changemgmt.risk_model_comparison.score_auc IS 'AUC of the score: 0.5 is chance.';
COMMENT ON COLUMN changemgmt.risk_model_comparison.model_auc IS 'AUC of the model.';
COMMENT ON COLUMN changemgmt.risk_model_comparison.score_brier IS 'Brier score of score / 100, which is no probability and not meant as one.';
COMMENT ON COLUMN changemgmt.risk_model_comparison.model_brier IS 'Brier score of the probability: lower is better.';
COMMENT ON COLUMN changemgmt.risk_model_comparison.base_brier IS 'What the failure rate of the rows that it learned from reaches.';
