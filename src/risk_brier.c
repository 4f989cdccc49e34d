/*-------------------------------------------------------------------------
 *
 * risk_brier.c
 *	  How honest a probability is: the aggregate brier.
 *
 * brier(probability, failed) is the mean squared difference.  Each difference
 * is rounded to 2^-62 once, and what is added up from there on is exact: the
 * sum is the same in any order, and what leaves a window leaves it whole.
 *
 * The state is an array of three bigints: how many, and the sum as ones and
 * 2^-62ths.  Its invariant, which every partial result is held to, is that the
 * sum is between 0 and how many.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/int.h"
#include "fmgr.h"
#include "utils/array.h"

#include "compat.h"
#include "errors.h"

PG_FUNCTION_INFO_V1(brier_accum);
PG_FUNCTION_INFO_V1(brier_accum_inv);
PG_FUNCTION_INFO_V1(brier_combine);
PG_FUNCTION_INFO_V1(brier_final);

/* The sum of the squared differences is ones + parts / 2^62. */
typedef struct Brier
{
	int64		count;
	int64		ones;
	int64		parts;
} Brier;

#define BRIER_ONE (INT64CONST(1) << 62)

/*
 * The state in an array, checked: it may be a partial result that another
 * server sent, or what somebody calls the function by hand with.
 */
static Brier *
brier_state(FunctionCallInfo fcinfo, int argument, bool writable)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(argument);
	Brier	   *state;

	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != 3 ||
		ARR_HASNULL(array) || ARR_ELEMTYPE(array) != INT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a partial result of brier is not an array of three bigints")));
	if (writable && !AggCheckCallContext(fcinfo, NULL))
		array = PG_GETARG_ARRAYTYPE_P_COPY(argument);
	state = (Brier *) ARR_DATA_PTR(array);
	if (state->ones < 0 || state->ones > state->count ||
		state->parts < 0 || state->parts >= BRIER_ONE ||
		(state->ones == state->count && state->parts > 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a partial result of brier is damaged")));
	return state;
}

StaticAssertDecl(sizeof(Brier) == 3 * sizeof(int64), "Brier is three bigints");

/* The array that a state stands in. */
static inline Datum
brier_datum(Brier *state)
{
	return PointerGetDatum((char *) state - ARR_OVERHEAD_NONULLS(1));
}

/* What one row adds. */
static int64
brier_parts(FunctionCallInfo fcinfo)
{
	double		probability = PG_GETARG_FLOAT8(1);
	double		difference;

	/* Written so that NaN fails too. */
	if (!(probability >= 0 && probability <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a probability is not between 0 and 1: %g", probability),
				 errhint("brier(probability, failed) takes probabilities; a score of 0 to 100 divided by 100 is one only if it was made to be.")));
	difference = PG_GETARG_BOOL(2) ? 1 - probability : probability;
	return (int64) rint(ldexp(difference * difference, 62));
}

Datum
brier_accum(PG_FUNCTION_ARGS)
{
	Brier	   *state = brier_state(fcinfo, 0, true);
	int64		parts = brier_parts(fcinfo);

	if (unlikely(state->count == PG_INT64_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("brier has more rows than fit into a bigint")));
	state->count++;
	/* both are at most 2^62 */
	state->parts += parts;
	if (state->parts >= BRIER_ONE)
	{
		state->parts -= BRIER_ONE;
		state->ones++;
	}
	return brier_datum(state);
}

Datum
brier_accum_inv(PG_FUNCTION_ARGS)
{
	Brier	   *state = brier_state(fcinfo, 0, true);
	int64		parts = brier_parts(fcinfo);
	int64		ones = state->ones;

	parts = state->parts - parts;
	if (parts < 0)
	{
		parts += BRIER_ONE;
		ones--;
	}
	if (state->count == 0 || ones < 0 || ones > state->count - 1 ||
		(ones == state->count - 1 && parts > 0))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("cannot take a row out of a brier that it is not in")));
	state->count--;
	state->ones = ones;
	state->parts = parts;
	return brier_datum(state);
}

Datum
brier_combine(PG_FUNCTION_ARGS)
{
	Brier	   *state = brier_state(fcinfo, 0, true);
	Brier	   *other = brier_state(fcinfo, 1, false);
	int64		count;

	/* No sum of ones overflows that is not above that of the counts. */
	if (pg_add_s64_overflow(state->count, other->count, &count))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("brier has more rows than fit into a bigint")));
	state->count = count;
	state->ones += other->ones;
	state->parts += other->parts;
	if (state->parts >= BRIER_ONE)
	{
		state->parts -= BRIER_ONE;
		state->ones++;
	}
	return brier_datum(state);
}

Datum
brier_final(PG_FUNCTION_ARGS)
{
	Brier	   *state = brier_state(fcinfo, 0, false);

	if (state->count == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(((double) state->ones + ldexp((double) state->parts, -62)) /
					 (double) state->count);
}
