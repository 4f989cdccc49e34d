-- risk, fit: how good a score is, and a model that learns from the record.

CREATE FUNCTION changemgmt.auc_accum(internal, double precision, boolean)
	RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'auc_accum';
COMMENT ON FUNCTION changemgmt.auc_accum(internal, double precision, boolean) IS
	'Transition of auc.';
CREATE FUNCTION changemgmt.auc_combine(internal, internal) RETURNS internal
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'auc_combine';
COMMENT ON FUNCTION changemgmt.auc_combine(internal, internal) IS
	'Combines partial results of auc.';
CREATE FUNCTION changemgmt.auc_serial(internal) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'auc_serial';
COMMENT ON FUNCTION changemgmt.auc_serial(internal) IS
	'A partial result of auc as a worker sends it.';
CREATE FUNCTION changemgmt.auc_deserial(bytea, internal) RETURNS internal
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'auc_deserial';
COMMENT ON FUNCTION changemgmt.auc_deserial(bytea, internal) IS
	'A partial result of auc as it came from a worker, checked.';
CREATE FUNCTION changemgmt.auc_final(internal) RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'auc_final';
COMMENT ON FUNCTION changemgmt.auc_final(internal) IS
	'Result of auc.';

CREATE AGGREGATE changemgmt.auc(score double precision, failed boolean) (
	SFUNC = changemgmt.auc_accum,
	STYPE = internal,
	SSPACE = 2048,
	COMBINEFUNC = changemgmt.auc_combine,
	SERIALFUNC = changemgmt.auc_serial,
	DESERIALFUNC = changemgmt.auc_deserial,
	FINALFUNC = changemgmt.auc_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE changemgmt.auc(double precision, boolean) IS
	'The probability that a row which failed has a higher score than one which did not, a tie counting half (Mann-Whitney): 0.5 is chance, 1 perfect. Rows with a null are left out; null where one of the two kinds is missing. Errors: MC008 for NaN.';

CREATE FUNCTION changemgmt.brier_accum(bigint[], double precision, boolean)
	RETURNS bigint[]
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'brier_accum';
COMMENT ON FUNCTION changemgmt.brier_accum(bigint[], double precision, boolean) IS
	'Transition of brier.';
CREATE FUNCTION changemgmt.brier_accum_inv(bigint[], double precision, boolean)
	RETURNS bigint[]
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'brier_accum_inv';
COMMENT ON FUNCTION changemgmt.brier_accum_inv(bigint[], double precision, boolean) IS
	'Inverse transition of brier.';
CREATE FUNCTION changemgmt.brier_combine(bigint[], bigint[]) RETURNS bigint[]
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'brier_combine';
COMMENT ON FUNCTION changemgmt.brier_combine(bigint[], bigint[]) IS
	'Combines partial results of brier.';
CREATE FUNCTION changemgmt.brier_final(bigint[]) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'brier_final';
COMMENT ON FUNCTION changemgmt.brier_final(bigint[]) IS
	'Result of brier.';

CREATE AGGREGATE changemgmt.brier(probability double precision, failed boolean) (
	SFUNC = changemgmt.brier_accum,
	STYPE = bigint[],
	INITCOND = '{0,0,0}',
	COMBINEFUNC = changemgmt.brier_combine,
	FINALFUNC = changemgmt.brier_final,
	MSFUNC = changemgmt.brier_accum,
	MINVFUNC = changemgmt.brier_accum_inv,
	MSTYPE = bigint[],
	MINITCOND = '{0,0,0}',
	MFINALFUNC = changemgmt.brier_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE changemgmt.brier(double precision, boolean) IS
	'The mean squared difference between a probability of failure and what happened (1 failed, 0 did not): 0 is perfect, lower is better. Rows with a null are left out; null over no rows. Errors: MC008 for what is not between 0 and 1.';

-- The passes of a fit over its rows.

CREATE FUNCTION changemgmt.risk_fit_summary_accum(
	double precision[], boolean, VARIADIC "any") RETURNS double precision[]
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'risk_fit_summary_accum';
COMMENT ON FUNCTION changemgmt.risk_fit_summary_accum(double precision[], boolean, "any") IS
	'Transition of risk_fit_summary.';
CREATE FUNCTION changemgmt.risk_fit_summary_combine(
	double precision[], double precision[]) RETURNS double precision[]
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'risk_fit_summary_combine';
COMMENT ON FUNCTION changemgmt.risk_fit_summary_combine(double precision[], double precision[]) IS
	'Combines partial results of risk_fit_summary.';
CREATE AGGREGATE changemgmt.risk_fit_summary(failed boolean, VARIADIC features "any") (
	SFUNC = changemgmt.risk_fit_summary_accum,
	STYPE = double precision[],
	SSPACE = 1024,
	COMBINEFUNC = changemgmt.risk_fit_summary_combine,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE changemgmt.risk_fit_summary(boolean, "any") IS
	'What fit_risk_model asks of its features (all double precision) first: how many they are, rows, failures, then for each how many nulls and infinite ones, mean, sum of squared differences, least, greatest. Rows whose outcome is null are left out.';

CREATE FUNCTION changemgmt.risk_fit_round_accum(
	double precision[], double precision[], boolean, VARIADIC "any")
	RETURNS double precision[]
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'risk_fit_round_accum';
COMMENT ON FUNCTION changemgmt.risk_fit_round_accum(double precision[], double precision[], boolean, "any") IS
	'Transition of risk_fit_round.';
CREATE FUNCTION changemgmt.risk_fit_round_combine(
	double precision[], double precision[]) RETURNS double precision[]
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'risk_fit_round_combine';
COMMENT ON FUNCTION changemgmt.risk_fit_round_combine(double precision[], double precision[]) IS
	'Combines partial results of risk_fit_round.';
CREATE AGGREGATE changemgmt.risk_fit_round(
	model double precision[], failed boolean, VARIADIC features "any") (
	SFUNC = changemgmt.risk_fit_round_accum,
	STYPE = double precision[],
	SSPACE = 2048,
	COMBINEFUNC = changemgmt.risk_fit_round_combine,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE changemgmt.risk_fit_round(double precision[], boolean, "any") IS
	'One round of a logistic regression at a model (intercept, coefficients, centers and scales of the features, all double precision): number of features, rows, failures, deviance, gradient, lower triangle of the information. Rows whose outcome is null are left out. Errors: MC008.';

CREATE FUNCTION changemgmt.risk_fit_probability(
	model double precision[], VARIADIC features "any") RETURNS double precision
	LANGUAGE C IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'risk_fit_probability';
COMMENT ON FUNCTION changemgmt.risk_fit_probability(double precision[], "any") IS
	'The probability of failure that a model, as risk_fit_round takes it, gives features. Errors: MC008.';

-- Fitted models. A row is a version, and stays as it is.

-- since 1.1
CREATE TABLE changemgmt.risk_model (
	id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	version integer NOT NULL UNIQUE CHECK (version > 0),
	source text NOT NULL,
	features text[] NOT NULL,
	outcome text NOT NULL,
	at_column text,
	split_at timestamptz,
	trained_from timestamptz,
	tested_until timestamptz,
	against text,
	ridge double precision NOT NULL CHECK (ridge >= 0),
	rounds integer NOT NULL,
	trained_rows bigint NOT NULL,
	trained_failures bigint NOT NULL,
	deviance double precision NOT NULL,
	null_deviance double precision NOT NULL,
	log_likelihood double precision NOT NULL,
	coefficients double precision[] NOT NULL,
	standard_errors double precision[] NOT NULL,
	means double precision[] NOT NULL,
	deviations double precision[] NOT NULL,
	tested_rows bigint,
	tested_failures bigint,
	auc double precision,
	brier double precision,
	base_brier double precision,
	against_auc double precision,
	calibration jsonb,
	fitted_by text NOT NULL,
	fitted_at timestamptz NOT NULL DEFAULT now(),
	is_active boolean NOT NULL DEFAULT false,
	activated_by text,
	activated_at timestamptz,
	CONSTRAINT risk_model_length_check CHECK (
		cardinality(coefficients) = cardinality(features) + 1
		AND cardinality(standard_errors) = cardinality(features) + 1
		AND cardinality(means) = cardinality(features)
		AND cardinality(deviations) = cardinality(features))
);
COMMENT ON TABLE changemgmt.risk_model IS
	'Models that fit_risk_model made, with what they are worth. A version never changes; at most one is active.';
COMMENT ON COLUMN changemgmt.risk_model.version IS 'Version, from 1.';
COMMENT ON COLUMN changemgmt.risk_model.source IS 'The view or query that it learned from.';
COMMENT ON COLUMN changemgmt.risk_model.features IS 'The columns that it looks at.';
COMMENT ON COLUMN changemgmt.risk_model.outcome IS 'The column of what happened.';
COMMENT ON COLUMN changemgmt.risk_model.at_column IS 'The column of the time; null where all rows were learned from.';
COMMENT ON COLUMN changemgmt.risk_model.split_at IS 'Rows before were learned from, those from then on tested with.';
COMMENT ON COLUMN changemgmt.risk_model.trained_from IS 'Time of the first row.';
COMMENT ON COLUMN changemgmt.risk_model.tested_until IS 'Time of the last row.';
COMMENT ON COLUMN changemgmt.risk_model.against IS 'The column of a score that it was compared with.';
COMMENT ON COLUMN changemgmt.risk_model.ridge IS 'What the deviance was charged for each squared standardised coefficient.';
COMMENT ON COLUMN changemgmt.risk_model.rounds IS 'How often the rows were read to fit it.';
COMMENT ON COLUMN changemgmt.risk_model.trained_rows IS 'Rows that it learned from.';
COMMENT ON COLUMN changemgmt.risk_model.trained_failures IS 'How many of them failed.';
COMMENT ON COLUMN changemgmt.risk_model.deviance IS 'Deviance over the rows that it learned from.';
COMMENT ON COLUMN changemgmt.risk_model.null_deviance IS 'That of their failure rate alone.';
COMMENT ON COLUMN changemgmt.risk_model.log_likelihood IS 'Log-likelihood over the rows that it learned from.';
COMMENT ON COLUMN changemgmt.risk_model.coefficients IS 'The intercept, then a coefficient for each feature.';
COMMENT ON COLUMN changemgmt.risk_model.standard_errors IS 'Their standard errors.';
COMMENT ON COLUMN changemgmt.risk_model.means IS 'Mean of each feature over the rows that it learned from.';
COMMENT ON COLUMN changemgmt.risk_model.deviations IS 'Standard deviation of each feature there.';
COMMENT ON COLUMN changemgmt.risk_model.tested_rows IS 'Rows after the split; null without a split.';
COMMENT ON COLUMN changemgmt.risk_model.tested_failures IS 'How many of them failed.';
COMMENT ON COLUMN changemgmt.risk_model.auc IS 'AUC after the split: 0.5 is chance.';
COMMENT ON COLUMN changemgmt.risk_model.brier IS 'Brier score after the split: lower is better.';
COMMENT ON COLUMN changemgmt.risk_model.base_brier IS 'What the failure rate before the split reaches there.';
COMMENT ON COLUMN changemgmt.risk_model.against_auc IS 'AUC of the other score over the same rows.';
COMMENT ON COLUMN changemgmt.risk_model.calibration IS 'Tenths of the rows after the split by probability; view risk_model_calibration shows them.';
COMMENT ON COLUMN changemgmt.risk_model.fitted_by IS 'Who fitted it.';
COMMENT ON COLUMN changemgmt.risk_model.fitted_at IS 'When.';
COMMENT ON COLUMN changemgmt.risk_model.is_active IS 'Whether it is the one in use.';
COMMENT ON COLUMN changemgmt.risk_model.activated_by IS 'Who switched it on.';
COMMENT ON COLUMN changemgmt.risk_model.activated_at IS 'When.';
-- since 1.1
CREATE UNIQUE INDEX risk_model_active_idx ON changemgmt.risk_model (is_active)
	WHERE is_active;

CREATE FUNCTION changemgmt.risk_model_judge() RETURNS trigger
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'risk_model_judge';
COMMENT ON FUNCTION changemgmt.risk_model_judge() IS
	'Trigger: keeps fitted models as they are (MC006) and switches on only what beats the base rate out of time (MC002).';
CREATE TRIGGER judge
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.risk_model
	FOR EACH ROW EXECUTE FUNCTION changemgmt.risk_model_judge();
CREATE TRIGGER load_record_before
	BEFORE INSERT ON changemgmt.risk_model
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER load_record
	AFTER INSERT ON changemgmt.risk_model
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.load_record();
CREATE TRIGGER record
	AFTER INSERT OR UPDATE OR DELETE ON changemgmt.risk_model
	FOR EACH ROW EXECUTE FUNCTION changemgmt.ledger_record();
CREATE TRIGGER truncate_guard
	BEFORE TRUNCATE ON changemgmt.risk_model
	FOR EACH STATEMENT EXECUTE FUNCTION changemgmt.truncate_guard();

CREATE FUNCTION changemgmt.fit_risk_model(
	source text, features text[], outcome text DEFAULT 'failed',
	at text DEFAULT NULL, split timestamptz DEFAULT NULL,
	ridge double precision DEFAULT 0, against text DEFAULT NULL,
	OUT version integer, OUT trained_rows bigint, OUT trained_failures bigint,
	OUT rounds integer, OUT deviance double precision,
	OUT null_deviance double precision, OUT log_likelihood double precision,
	OUT split_at timestamptz, OUT tested_rows bigint, OUT tested_failures bigint,
	OUT auc double precision, OUT brier double precision,
	OUT base_brier double precision, OUT skill double precision,
	OUT against_auc double precision)
	RETURNS record
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'fit_risk_model';
COMMENT ON FUNCTION changemgmt.fit_risk_model(text, text[], text, text, timestamptz, double precision, text) IS
	'Fits a logistic regression of outcome on features, columns of a view or query that is read as the caller, stores it as the next version, and says what it is worth: learned from rows before split (by default where three quarters are before), tested with the later ones; without at, all rows are learned from. Errors: MC008 with what is wrong.';

CREATE FUNCTION changemgmt.activate_risk_model(version integer) RETURNS integer
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'activate_risk_model';
COMMENT ON FUNCTION changemgmt.activate_risk_model(integer) IS
	'Makes a version of the risk model the one in use. Errors: MC002 where it does not beat the base rate after the split, MC008 for an unknown version.';

CREATE FUNCTION changemgmt.deactivate_risk_model() RETURNS integer
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'deactivate_risk_model';
COMMENT ON FUNCTION changemgmt.deactivate_risk_model() IS
	'Takes the risk model in use out of use and returns its version; null where none was.';

CREATE FUNCTION changemgmt.risk_model_predict(version integer, features jsonb)
	RETURNS double precision
	LANGUAGE C STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'risk_model_predict';
COMMENT ON FUNCTION changemgmt.risk_model_predict(integer, jsonb) IS
	'The probability of failure that a version of the risk model (null: the one in use) gives features, an object such as {"size": 12, "is_urgent": true}; null where none is in use. Errors: MC008 where a feature is missing or no number.';

CREATE FUNCTION changemgmt.risk_probability(change_id bigint)
	RETURNS double precision
	LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'risk_probability';
COMMENT ON FUNCTION changemgmt.risk_probability(bigint) IS
	'The probability of failure that the risk model in use gives a change, from the values of its factors as risk_explain() shows them; null where no model is in use, or it looks at something that is no factor that is on. Errors: MC008 for an unknown change.';

CREATE VIEW changemgmt.risk_model_coefficient WITH (security_invoker = true) AS
	SELECT m.version, c.position::integer AS position,
		   CASE c.position WHEN 1 THEN '(intercept)' ELSE m.features[c.position - 1] END AS feature,
		   c.coefficient, c.standard_error,
		   c.coefficient / nullif(c.standard_error, 0) AS z,
		   c.coefficient * m.deviations[c.position - 1] AS standardised,
		   m.means[c.position - 1] AS mean,
		   m.deviations[c.position - 1] AS deviation
	FROM changemgmt.risk_model AS m
	CROSS JOIN LATERAL unnest(m.coefficients, m.standard_errors)
		WITH ORDINALITY AS c (coefficient, standard_error, position);
COMMENT ON VIEW changemgmt.risk_model_coefficient IS
	'The coefficients of the fitted models: a row a feature, the intercept first.';
COMMENT ON COLUMN changemgmt.risk_model_coefficient.version IS 'Version of the model.';
COMMENT ON COLUMN changemgmt.risk_model_coefficient.position IS 'Place in the model, from 1.';
COMMENT ON COLUMN changemgmt.risk_model_coefficient.feature IS 'Name of the feature; (intercept) for what stands without any.';
COMMENT ON COLUMN changemgmt.risk_model_coefficient.coefficient IS 'What one more of it adds to the log of the odds of failure.';
COMMENT ON COLUMN changemgmt.risk_model_coefficient.standard_error IS 'Its standard error.';
COMMENT ON COLUMN changemgmt.risk_model_coefficient.z IS 'Coefficient divided by standard error; beyond 2 either way is hardly chance.';
COMMENT ON COLUMN changemgmt.risk_model_coefficient.standardised IS 'What one standard deviation more adds: comparable between features.';
COMMENT ON COLUMN changemgmt.risk_model_coefficient.mean IS 'Mean of the feature over the rows that it learned from.';
COMMENT ON COLUMN changemgmt.risk_model_coefficient.deviation IS 'Standard deviation of the feature there.';

CREATE VIEW changemgmt.risk_model_calibration WITH (security_invoker = true) AS
	SELECT m.version, d.decile, d.changes, d.failed,
		   changemgmt.rate(d.failed, d.changes)::double precision AS failure_rate,
		   changemgmt.wilson_low(changemgmt.rate(d.failed, d.changes)) AS failure_rate_low,
		   changemgmt.wilson_high(changemgmt.rate(d.failed, d.changes)) AS failure_rate_high,
		   d.predicted, d.lowest, d.highest,
		   d.predicted BETWEEN changemgmt.wilson_low(changemgmt.rate(d.failed, d.changes))
			   AND changemgmt.wilson_high(changemgmt.rate(d.failed, d.changes)) AS is_calibrated
	FROM changemgmt.risk_model AS m
	CROSS JOIN LATERAL jsonb_to_recordset(m.calibration)
		AS d (decile integer, changes bigint, failed bigint,
			  predicted double precision, lowest double precision,
			  highest double precision);
COMMENT ON VIEW changemgmt.risk_model_calibration IS
	'Whether the probabilities of fitted models came true: tenths of the rows after the split, by probability. Rows of the same probability are in the same tenth.';
COMMENT ON COLUMN changemgmt.risk_model_calibration.version IS 'Version of the model.';
COMMENT ON COLUMN changemgmt.risk_model_calibration.decile IS '1 (least probable to fail) to 10.';
COMMENT ON COLUMN changemgmt.risk_model_calibration.changes IS 'Rows in it.';
COMMENT ON COLUMN changemgmt.risk_model_calibration.failed IS 'How many of them failed.';
COMMENT ON COLUMN changemgmt.risk_model_calibration.failure_rate IS 'Failed by rows.';
COMMENT ON COLUMN changemgmt.risk_model_calibration.failure_rate_low IS 'Lower bound of its 95 % Wilson interval.';
COMMENT ON COLUMN changemgmt.risk_model_calibration.failure_rate_high IS 'Upper bound of its 95 % Wilson interval.';
COMMENT ON COLUMN changemgmt.risk_model_calibration.predicted IS 'Mean probability that the model gave them.';
COMMENT ON COLUMN changemgmt.risk_model_calibration.lowest IS 'The least of these probabilities.';
COMMENT ON COLUMN changemgmt.risk_model_calibration.highest IS 'The greatest.';
COMMENT ON COLUMN changemgmt.risk_model_calibration.is_calibrated IS 'Whether the interval holds the mean probability.';

SELECT pg_catalog.pg_extension_config_dump('changemgmt.risk_model', '');
SELECT pg_catalog.pg_extension_config_dump('changemgmt.risk_model_id_seq', '');
