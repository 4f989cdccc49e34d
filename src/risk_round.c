/*-------------------------------------------------------------------------
 *
 * risk_round.c
 *	  The passes of a logistic regression over its rows, as aggregates.
 *
 * risk_fit_summary(failed, features...) looks at the features before a fit;
 * risk_fit_round(model, failed, features...) adds up, at the model given, what
 * Newton's step needs: deviance, gradient, information.  fit_risk_model()
 * (risk_fit.c) runs the rounds.  Rows whose outcome is null are left out.
 *
 * States are arrays of double precision, as risk_fit.h lays them out, made by
 * the first row and changed in place; they add up, so partial results can
 * come from workers and from other servers, and are checked.  Features are
 * arguments of their own and not an array, for which the executor would build
 * one for every row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"

#include "compat.h"
#include "errors.h"
#include "risk_fit.h"

PG_FUNCTION_INFO_V1(risk_fit_summary_accum);
PG_FUNCTION_INFO_V1(risk_fit_summary_combine);
PG_FUNCTION_INFO_V1(risk_fit_round_accum);
PG_FUNCTION_INFO_V1(risk_fit_round_combine);
PG_FUNCTION_INFO_V1(risk_fit_probability);

/*
 * How many features a call has, behind so many other arguments: all of them
 * double precision, which is looked at once a statement.
 */
static inline int
feature_count(FunctionCallInfo fcinfo, int first)
{
	int			count = PG_NARGS() - first;

	if (likely(fcinfo->flinfo->fn_extra != NULL))
		return count;
	if (count < 1 || count > FEATURES_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("%d features are not between 1 and %d", count, FEATURES_MAX)));
	for (int i = first; i < PG_NARGS(); i++)
		if (get_fn_expr_argtype(fcinfo->flinfo, i) != FLOAT8OID)
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT),
					 errmsg("feature %d is not double precision", i - first + 1),
					 errhint("Cast features to double precision; VARIADIC is not taken.")));
	fcinfo->flinfo->fn_extra = fcinfo->flinfo;
	return count;
}

/* An array of finite numbers, with or without a length to have. */
static double *
numbers_of(ArrayType *array, const char *what, int length)
{
	if (ARR_NDIM(array) != 1 || ARR_HASNULL(array) ||
		ARR_ELEMTYPE(array) != FLOAT8OID ||
		(length > 0 && ARR_DIMS(array)[0] != length))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("%s is not an array of the numbers that it should have", what)));
	return (double *) ARR_DATA_PTR(array);
}

/*
 * The state to change: the aggregate's own, or a copy if somebody calls the
 * function by hand.
 */
static ArrayType *
state_array(FunctionCallInfo fcinfo)
{
	if (AggCheckCallContext(fcinfo, NULL))
		return PG_GETARG_ARRAYTYPE_P(0);
	return PG_GETARG_ARRAYTYPE_P_COPY(0);
}

/* A state of zeros, in the aggregate's context. */
static ArrayType *
state_new(FunctionCallInfo fcinfo, int length, int features)
{
	MemoryContext context;
	ArrayType  *array;
	Size		size = ARR_OVERHEAD_NONULLS(1) + length * sizeof(double);

	if (!AggCheckCallContext(fcinfo, &context))
		context = CurrentMemoryContext;
	array = MemoryContextAllocZero(context, size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = FLOAT8OID;
	ARR_DIMS(array)[0] = length;
	ARR_LBOUND(array)[0] = 1;
	((double *) ARR_DATA_PTR(array))[0] = features;
	return array;
}

/*
 * The features of a partial result, which may come from anywhere: its length
 * has to fit, its counts have to be counts, and all of it finite.
 */
static int
state_check(ArrayType *array, const char *what, bool summary)
{
	double	   *state = numbers_of(array, what, 0);
	int			length = ARR_DIMS(array)[0];
	double		features = state[0];

	if (length < 4 || !(features >= 1 && features <= FEATURES_MAX) ||
		features != rint(features) ||
		length != (summary ? SUMMARY_LENGTH((int) features) :
				   ROUND_LENGTH((int) features)))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("%s is not an array of the numbers that it should have", what)));
	for (int i = 0; i < length; i++)
		if (!isfinite(state[i]))
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT),
					 errmsg("%s has a number that is not finite", what)));
	/* both begin with the same three */
	if (state[ROUND_ROWS] < 0 || state[ROUND_ROWS] != rint(state[ROUND_ROWS]) ||
		state[ROUND_FAILURES] < 0 ||
		state[ROUND_FAILURES] > state[ROUND_ROWS] ||
		state[ROUND_FAILURES] != rint(state[ROUND_FAILURES]))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("%s has counts that are none", what)));
	if (summary)
		for (int i = 0; i < (int) features; i++)
		{
			double	   *f = state + SUMMARY_FEATURE(i);

			if (f[FEATURE_NULLS] < 0 || f[FEATURE_INFINITE] < 0 ||
				f[FEATURE_NULLS] + f[FEATURE_INFINITE] > state[SUMMARY_ROWS] ||
				f[FEATURE_SQUARES] < 0 || f[FEATURE_LEAST] > f[FEATURE_GREATEST])
				ereport(ERROR,
						(errcode(ERRCODE_MC_INVALID_INPUT),
						 errmsg("%s has counts that are none", what)));
		}
	return (int) features;
}

/* Two partial results of the same features, for a combine function. */
static bool
states_check(FunctionCallInfo fcinfo, const char *what, bool summary,
			 ArrayType **state, ArrayType **other, int *features)
{
	*state = state_array(fcinfo);
	*other = PG_GETARG_ARRAYTYPE_P(1);
	*features = state_check(*state, what, summary);
	if (state_check(*other, what, summary) != *features)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("%s is of other features than the one that it is added to", what)));
	return true;
}

/* ----------------------------------------------------------------
 * Before a fit
 * ---------------------------------------------------------------- */

#define SUMMARY "a summary of features"

/* risk_fit_summary_accum(state, failed, features...) */
Datum
risk_fit_summary_accum(PG_FUNCTION_ARGS)
{
	int			features = feature_count(fcinfo, 2);
	ArrayType  *array;
	double	   *state;

	if (PG_ARGISNULL(0))
		array = state_new(fcinfo, SUMMARY_LENGTH(features), features);
	else
		array = state_array(fcinfo);
	if (PG_ARGISNULL(1))
		PG_RETURN_ARRAYTYPE_P(array);
	state = numbers_of(array, SUMMARY, SUMMARY_LENGTH(features));
	state[SUMMARY_ROWS]++;
	state[SUMMARY_FAILURES] += PG_GETARG_BOOL(1);
	for (int i = 0; i < features; i++)
	{
		double	   *f = state + SUMMARY_FEATURE(i);
		double		value;
		double		count;
		double		difference;

		if (PG_ARGISNULL(2 + i))
		{
			f[FEATURE_NULLS]++;
			continue;
		}
		value = PG_GETARG_FLOAT8(2 + i);
		if (!isfinite(value))
		{
			f[FEATURE_INFINITE]++;
			continue;
		}
		/* B. P. Welford, Technometrics 4 (1962) 419-420 */
		count = state[SUMMARY_ROWS] - f[FEATURE_NULLS] - f[FEATURE_INFINITE];
		difference = value - f[FEATURE_MEAN];
		f[FEATURE_MEAN] += difference / count;
		f[FEATURE_SQUARES] += difference * (value - f[FEATURE_MEAN]);
		f[FEATURE_LEAST] = count == 1 ? value : Min(f[FEATURE_LEAST], value);
		f[FEATURE_GREATEST] = count == 1 ? value : Max(f[FEATURE_GREATEST], value);
	}
	PG_RETURN_ARRAYTYPE_P(array);
}

Datum
risk_fit_summary_combine(PG_FUNCTION_ARGS)
{
	ArrayType  *array;
	ArrayType  *other_array;
	int			features;
	double	   *state;
	double	   *other;

	states_check(fcinfo, SUMMARY, true, &array, &other_array, &features);
	state = (double *) ARR_DATA_PTR(array);
	other = (double *) ARR_DATA_PTR(other_array);
	for (int i = 0; i < features; i++)
	{
		double	   *a = state + SUMMARY_FEATURE(i);
		double	   *b = other + SUMMARY_FEATURE(i);
		double		a_count = state[SUMMARY_ROWS] - a[FEATURE_NULLS] - a[FEATURE_INFINITE];
		double		b_count = other[SUMMARY_ROWS] - b[FEATURE_NULLS] - b[FEATURE_INFINITE];

		if (b_count > 0 && a_count == 0)
			memcpy(a + FEATURE_MEAN, b + FEATURE_MEAN, 4 * sizeof(double));
		else if (b_count > 0)
		{
			double		count = a_count + b_count;
			double		difference = b[FEATURE_MEAN] - a[FEATURE_MEAN];

			a[FEATURE_MEAN] += difference * b_count / count;
			a[FEATURE_SQUARES] += b[FEATURE_SQUARES] +
				difference * difference * a_count * b_count / count;
			a[FEATURE_LEAST] = Min(a[FEATURE_LEAST], b[FEATURE_LEAST]);
			a[FEATURE_GREATEST] = Max(a[FEATURE_GREATEST], b[FEATURE_GREATEST]);
		}
		a[FEATURE_NULLS] += b[FEATURE_NULLS];
		a[FEATURE_INFINITE] += b[FEATURE_INFINITE];
	}
	state[SUMMARY_ROWS] += other[SUMMARY_ROWS];
	state[SUMMARY_FAILURES] += other[SUMMARY_FAILURES];
	PG_RETURN_ARRAYTYPE_P(array);
}

/* ----------------------------------------------------------------
 * A round
 * ---------------------------------------------------------------- */

#define ROUND "a round of a fit"

/*
 * The linear predictor of a row; x is the row as the model sees it, behind a 1
 * for the intercept.
 */
static inline double
row_predictor(FunctionCallInfo fcinfo, int first, int features,
			  const double *model, double *x)
{
	const double *center = model + features + 1;
	const double *scale = center + features;
	double		predictor = model[0];

	x[0] = 1;
	for (int i = 0; i < features; i++)
	{
		if (unlikely(PG_ARGISNULL(first + i)))
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT),
					 errmsg("feature %d is null in a row", i + 1)));
		x[i + 1] = (PG_GETARG_FLOAT8(first + i) - center[i]) * scale[i];
		predictor += model[i + 1] * x[i + 1];
	}
	if (unlikely(!isfinite(predictor)))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a feature is NaN, infinite or too large in a row")));
	return predictor;
}

/* risk_fit_round_accum(state, model, failed, features...) */
Datum
risk_fit_round_accum(PG_FUNCTION_ARGS)
{
	int			features = feature_count(fcinfo, 3);
	ArrayType  *array;
	double	   *state;
	double	   *model;
	double		x[FEATURES_MAX + 1];
	double		predictor;
	double		e;
	double		probability;
	double		weight;
	double		residual;
	double	   *gradient;
	double	   *information;
	bool		failed;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a round needs a model to start from")));
	if (PG_ARGISNULL(0))
		array = state_new(fcinfo, ROUND_LENGTH(features), features);
	else
		array = state_array(fcinfo);
	if (PG_ARGISNULL(2))
		PG_RETURN_ARRAYTYPE_P(array);
	state = numbers_of(array, ROUND, ROUND_LENGTH(features));
	model = numbers_of(PG_GETARG_ARRAYTYPE_P(1), "a model", MODEL_LENGTH(features));
	failed = PG_GETARG_BOOL(2);
	predictor = row_predictor(fcinfo, 3, features, model, x);

	/* of the smaller of the two probabilities, so that no digit is lost */
	e = exp(-fabs(predictor));
	probability = (predictor >= 0 ? 1 : e) / (1 + e);
	weight = e / ((1 + e) * (1 + e));
	residual = failed ? (predictor >= 0 ? e : 1) / (1 + e) : -probability;

	state[ROUND_ROWS]++;
	state[ROUND_FAILURES] += failed;
	state[ROUND_DEVIANCE] += 2 * (log1p(e) +
								  ((predictor >= 0) == failed ? 0 : fabs(predictor)));
	gradient = state + ROUND_GRADIENT;
	information = state + ROUND_INFORMATION(features);
	for (int i = 0; i <= features; i++)
	{
		double		weighted = weight * x[i];

		gradient[i] += residual * x[i];
		for (int j = 0; j <= i; j++)
			information[j] += weighted * x[j];
		information += i + 1;
	}
	PG_RETURN_ARRAYTYPE_P(array);
}

Datum
risk_fit_round_combine(PG_FUNCTION_ARGS)
{
	ArrayType  *array;
	ArrayType  *other;
	int			features;
	double	   *to;
	double	   *from;

	states_check(fcinfo, ROUND, false, &array, &other, &features);
	to = (double *) ARR_DATA_PTR(array);
	from = (double *) ARR_DATA_PTR(other);
	for (int i = ROUND_ROWS; i < ROUND_LENGTH(features); i++)
		to[i] += from[i];
	PG_RETURN_ARRAYTYPE_P(array);
}

/* risk_fit_probability(model, features...): what a model says of a row */
Datum
risk_fit_probability(PG_FUNCTION_ARGS)
{
	int			features = feature_count(fcinfo, 1);
	double		x[FEATURES_MAX + 1];
	double		predictor;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a probability needs a model")));
	predictor = row_predictor(fcinfo, 1, features,
							  numbers_of(PG_GETARG_ARRAYTYPE_P(0), "a model",
										 MODEL_LENGTH(features)), x);
	PG_RETURN_FLOAT8(1 / (1 + exp(-predictor)));
}
