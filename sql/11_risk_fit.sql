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
