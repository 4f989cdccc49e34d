-- Fits a model to a log of deployments (docs/import.md has its columns), learning
-- from the deployments before a time and tested with the later ones, and draws
-- whether its probabilities came true:
--
--   psql -X -q -A -t -v split=2017-01-01 -f docs/risk_calibration.sql DATABASE < log.csv > picture.svg
--
-- Nothing is left in the database. The features are what was known when the
-- deployment began; what came of it (reverted_at) is the outcome only.
\set ON_ERROR_STOP on
\if :{?split}
\else
\set split 2017-01-01
\endif
BEGIN;
SET LOCAL timezone = 'UTC';
CREATE TEMP TABLE deployment (
	seq bigint, change_id text, authored_at timestamptz, committed_at timestamptz NOT NULL,
	author_tz text, author text, committer text, n_files integer, insertions integer,
	deletions integer, n_dirs integer, author_prior_changes integer, subject_len integer,
	body_len integer, n_tickets integer, tickets text, is_revert integer, reverts text,
	emergency_word integer, reverted_by text, reverted_at timestamptz
);
\copy deployment from pstdin with (format csv, header)

CREATE TEMP VIEW past AS
	SELECT committed_at AS at,
		   reverted_at IS NOT NULL AS failed,
		   ln(1 + n_files) AS files,
		   ln(1 + insertions) AS insertions,
		   ln(1 + deletions) AS deletions,
		   ln(1 + n_dirs) AS directories,
		   ln(1 + author_prior_changes) AS experience,
		   subject_len AS subject_length,
		   ln(1 + body_len) AS body_length,
		   n_tickets > 0 AS has_ticket,
		   is_revert = 1 AS is_revert,
		   emergency_word = 1 AS is_emergency,
		   extract(hour FROM committed_at) NOT BETWEEN 8 AND 19 AS is_out_of_hours,
		   extract(isodow FROM committed_at) >= 5 AS is_friday_or_weekend
	FROM deployment;
SELECT fit.version, fit.auc, fit.brier, fit.base_brier, fit.trained_rows, fit.tested_rows,
	   fit.trained_failures::float8 / fit.trained_rows AS rate_before,
	   fit.tested_failures::float8 / fit.tested_rows AS rate_after
FROM changemgmt.fit_risk_model('past', '{files,insertions,deletions,directories,experience,subject_length,body_length,has_ticket,is_revert,is_emergency,is_out_of_hours,is_friday_or_weekend}',
	outcome => 'failed', at => 'at', split => :'split') AS fit \gset
\if :{?figures}
-- what a test compares
SELECT :trained_rows, :tested_rows, :auc, :brier, :base_brier;
SELECT feature, coefficient, standard_error FROM changemgmt.risk_model_coefficient WHERE version = :version ORDER BY position;
\else
-- A tenth is 50 wide from x = 70 on; a failure rate r is at y = 300 - 600 r.
SELECT '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 610 360" font-family="sans-serif" font-size="12">';
SELECT '<rect width="610" height="360" fill="white"/>';
SELECT format('<text x="40" y="20" font-size="14">%s deployments from %s on: what was said and what failed</text>', :tested_rows, :'split');
SELECT format('<text x="40" y="38" fill="#555">learned from the %s before; AUC %s, Brier %s (base rate %s)</text>',
	:trained_rows, round(:auc::numeric, 3), round(:brier::numeric, 4), round(:base_brier::numeric, 4));
SELECT format('<path d="M70 %1$s H570" stroke="#ddd"/><text x="62" y="%2$s" text-anchor="end">%3$s %%</text>', 300 - 6 * p, 304 - 6 * p, p)
FROM generate_series(0, 40, 10) AS p;
SELECT format('<path d="M70 %1$s H570" stroke="%2$s" stroke-dasharray="4 4"/><text x="572" y="%3$s" fill="%2$s" font-size="10">%4$s</text>',
	round(300 - 600 * rate::numeric, 1), colour, round(303 - 600 * rate::numeric, 1), label)
FROM (VALUES (:rate_before, '#2a6', 'before'), (:rate_after, '#b30', 'after')) AS r (rate, colour, label);
SELECT format('<path d="M%1$s %2$s V%3$s" stroke="#b30" stroke-width="2"/><circle cx="%1$s" cy="%4$s" r="5" fill="#b30"/><rect x="%5$s" y="%6$s" width="20" height="3" fill="#2a6"/>'
	'<text x="%1$s" y="318" text-anchor="middle">%7$s</text>',
	45 + 50 * decile, round(300 - 600 * failure_rate_low::numeric, 1), round(300 - 600 * failure_rate_high::numeric, 1),
	round(300 - 600 * failure_rate::numeric, 1), 35 + 50 * decile, round(298.5 - 600 * predicted::numeric, 1), decile)
FROM changemgmt.risk_model_calibration WHERE version = :version ORDER BY decile;
SELECT '<text x="320" y="336" text-anchor="middle">tenths by probability, from the least to the most</text>';
SELECT '<rect x="170" y="347" width="20" height="3" fill="#2a6"/><text x="195" y="353">said</text><circle cx="270" cy="349" r="5" fill="#b30"/><text x="282" y="353">failed, with its 95 % interval</text>';
SELECT '</svg>';
\endif
ROLLBACK;
