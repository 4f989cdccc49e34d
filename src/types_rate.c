/*-------------------------------------------------------------------------
 *
 * types_rate.c
 *		The type rate: how many of how many, written 4/23.
 *
 * A rate keeps its two counts instead of their quotient, so that it is exact,
 * carries its sample size and adds up over months, items, teams and servers.
 * It is 16 bytes of fixed length, passed by reference; there is no state
 * beside the value.  The invariant of every value, wherever it came from, is
 *
 *		0 <= failures <= total
 *
 * and rate_check() is the only judge of it: text input, binary input, the
 * constructor, the subtraction and the combine functions all ask it.
 *
 * C symbols are loaded into one name space with those of every other library
 * of the server, so the functions whose SQL name is a common word (rate,
 * numerator, denominator, wilson_low, wilson_high) bear the prefix rate_ here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "common/int.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/sortsupport.h"

#include "compat.h"

typedef struct Rate
{
	int64		failures;
	int64		total;
} Rate;

/* rate_hash() and the deduplication of btree pages compare the bytes. */
StaticAssertDecl(sizeof(Rate) == 16, "rate must have no padding");

#define PG_GETARG_RATE_P(n)	((Rate *) PG_GETARG_POINTER(n))
#define PG_RETURN_RATE_P(r)	PG_RETURN_POINTER(r)

/* Two counts as text, the slash and the terminating zero. */
#define RATE_TEXT_LEN		(2 * MAXINT8LEN + 2)

#ifdef USE_ASSERT_CHECKING
static void
AssertCheckRate(const Rate *r)
{
	Assert(r != NULL);
	Assert(r->failures >= 0);
	Assert(r->total >= 0);
	Assert(r->failures <= r->total);
}
#else
#define AssertCheckRate(r) ((void) 0)
#endif

/* ----------
 * The value and its validation
 * ----------
 */

/*
 * The one validation.  The SQLSTATE is the caller's, because the same two
 * numbers are a value out of range in a statement and a damaged message on
 * the wire.  Returns false only if the error went softly into escontext.
 */
static bool
rate_check(int64 failures, int64 total, int sqlstate,
		   struct Node *escontext)
{
	if (failures < 0 || total < 0)
		ereturn(escontext, false,
				(errcode(sqlstate),
				 errmsg("rate must not be negative: " INT64_FORMAT "/" INT64_FORMAT,
						failures, total),
				 errhint("Both failures and total are counts, from 0 upwards.")));

	if (failures > total)
		ereturn(escontext, false,
				(errcode(sqlstate),
				 errmsg("rate has more failures than its total: " INT64_FORMAT "/" INT64_FORMAT,
						failures, total),
				 errhint("The failures are counted within the total: write failures first, as in 4/23.")));

	return true;
}

static Rate *
rate_new(int64 failures, int64 total)
{
	Rate	   *result = (Rate *) palloc(sizeof(Rate));

	result->failures = failures;
	result->total = total;
	AssertCheckRate(result);
	return result;
}

/* target += r; target is unchanged if that is an error. */
static inline void
rate_increase(Rate *target, const Rate *r)
{
	int64		failures;
	int64		total;

	if (unlikely(pg_add_s64_overflow(target->failures, r->failures, &failures) ||
				 pg_add_s64_overflow(target->total, r->total, &total)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("rate out of range"),
				 errdetail("The sum of " INT64_FORMAT "/" INT64_FORMAT " and " INT64_FORMAT "/" INT64_FORMAT " does not fit into bigint counts.",
						   target->failures, target->total,
						   r->failures, r->total)));

	target->failures = failures;
	target->total = total;
}

/* target -= r; target is unchanged if that is an error. */
static inline void
rate_decrease(Rate *target, const Rate *r)
{
	int64		failures;
	int64		total;

	/* Counts from 0 upwards can't overflow here, damaged ones could. */
	if (unlikely(pg_sub_s64_overflow(target->failures, r->failures, &failures) ||
				 pg_sub_s64_overflow(target->total, r->total, &total) ||
				 failures < 0 || total < failures))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("cannot subtract rate " INT64_FORMAT "/" INT64_FORMAT " from " INT64_FORMAT "/" INT64_FORMAT,
						r->failures, r->total,
						target->failures, target->total),
				 errdetail("The failures, the successes and the total that are left must not be negative."),
				 errhint("Subtract only a rate that is part of the other one.")));

	target->failures = failures;
	target->total = total;
}

/* ----------
 * Input and output
 * ----------
 */

/* The white space of ASCII, so that a text means the same in every locale. */
static const char *
rate_skip_space(const char *s)
{
	while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
		s++;
	return s;
}

/*
 * Reads one count.  Returns where it ends, or NULL if there is no number.
 * A number that doesn't fit sets *overflow and is read to its end, so that a
 * syntax error behind it is still reported as one.  The sign is read too:
 * whoever writes -1/5 is told that a rate is not negative.
 */
static const char *
rate_read_count(const char *s, int64 *count, bool *overflow)
{
	bool		negative = false;
	int64		value = 0;

	if (*s == '-' || *s == '+')
		negative = (*s++ == '-');

	if (*s < '0' || *s > '9')
		return NULL;

	for (; *s >= '0' && *s <= '9'; s++)
	{
		if (pg_mul_s64_overflow(value, 10, &value) ||
			pg_add_s64_overflow(value, *s - '0', &value))
		{
			*overflow = true;
			value = 0;
		}
	}

	*count = negative ? -value : value;
	return s;
}

/* The whole of the text syntax; false if str is not of the form 4/23. */
static bool
rate_parse(const char *str, int64 *failures, int64 *total, bool *overflow)
{
	const char *s = rate_skip_space(str);

	*overflow = false;

	if ((s = rate_read_count(s, failures, overflow)) == NULL)
		return false;
	s = rate_skip_space(s);
	if (*s++ != '/')
		return false;
	s = rate_skip_space(s);
	if ((s = rate_read_count(s, total, overflow)) == NULL)
		return false;

	return *rate_skip_space(s) == '\0';
}

PG_FUNCTION_INFO_V1(rate_in);
Datum
rate_in(PG_FUNCTION_ARGS)
{
	char	   *str = PG_GETARG_CSTRING(0);
	struct Node *escontext = fcinfo->context;
	int64		failures;
	int64		total;
	bool		overflow;

	if (!rate_parse(str, &failures, &total, &overflow))
		ereturn(escontext, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"",
						"rate", str),
				 errhint("Write the failures, a slash and the total, as in 4/23.")));

	if (overflow)
		ereturn(escontext, (Datum) 0,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value \"%s\" is out of range for type %s",
						str, "rate"),
				 errdetail("Failures and total go up to " INT64_FORMAT ".",
						   PG_INT64_MAX)));

	if (!rate_check(failures, total, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
					escontext))
		return (Datum) 0;

	PG_RETURN_RATE_P(rate_new(failures, total));
}

PG_FUNCTION_INFO_V1(rate_out);
Datum
rate_out(PG_FUNCTION_ARGS)
{
	Rate	   *r = PG_GETARG_RATE_P(0);
	char	   *result = palloc(RATE_TEXT_LEN);
	int			len;

	AssertCheckRate(r);
	len = pg_lltoa(r->failures, result);
	result[len++] = '/';
	pg_lltoa(r->total, result + len);

	PG_RETURN_CSTRING(result);
}

/* On the wire: failures, total, each 8 bytes in network order. */
PG_FUNCTION_INFO_V1(rate_recv);
Datum
rate_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int64		failures = pq_getmsgint64(buf);
	int64		total = pq_getmsgint64(buf);

	/* With a null context it can only return true. */
	(void) rate_check(failures, total, ERRCODE_INVALID_BINARY_REPRESENTATION,
					  NULL);

	PG_RETURN_RATE_P(rate_new(failures, total));
}

PG_FUNCTION_INFO_V1(rate_send);
Datum
rate_send(PG_FUNCTION_ARGS)
{
	Rate	   *r = PG_GETARG_RATE_P(0);
	StringInfoData buf;

	AssertCheckRate(r);
	pq_begintypsend(&buf);
	pq_sendint64(&buf, r->failures);
	pq_sendint64(&buf, r->total);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* SQL: rate(failures bigint, total bigint) */
PG_FUNCTION_INFO_V1(rate_construct);
Datum
rate_construct(PG_FUNCTION_ARGS)
{
	int64		failures = PG_GETARG_INT64(0);
	int64		total = PG_GETARG_INT64(1);

	(void) rate_check(failures, total, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
					  NULL);

	PG_RETURN_RATE_P(rate_new(failures, total));
}

/* SQL: numerator(rate) */
PG_FUNCTION_INFO_V1(rate_numerator);
Datum
rate_numerator(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_RATE_P(0)->failures);
}

/* SQL: denominator(rate) */
PG_FUNCTION_INFO_V1(rate_denominator);
Datum
rate_denominator(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_RATE_P(0)->total);
}

/* ----------
 * Casts: the quotient, null where there is nothing to divide by
 * ----------
 */

PG_FUNCTION_INFO_V1(rate_to_double);
Datum
rate_to_double(PG_FUNCTION_ARGS)
{
	Rate	   *r = PG_GETARG_RATE_P(0);

	if (r->total == 0)
		PG_RETURN_NULL();

	PG_RETURN_FLOAT8((double) r->failures / (double) r->total);
}

PG_FUNCTION_INFO_V1(rate_to_numeric);
Datum
rate_to_numeric(PG_FUNCTION_ARGS)
{
	Rate	   *r = PG_GETARG_RATE_P(0);

	if (r->total == 0)
		PG_RETURN_NULL();

	/* As many digits as 4::numeric / 23 has. */
	PG_RETURN_DATUM(DirectFunctionCall2(numeric_div,
										NumericGetDatum(int64_to_numeric(r->failures)),
										NumericGetDatum(int64_to_numeric(r->total))));
}

/* ----------
 * Order and equality
 *
 * Two rates are equal when both counts are: 1/2 and 2/4 say different things.
 * They are ordered by what they amount to, then by total, so that the order
 * agrees with equality; 0/0 amounts to nothing and comes last.
 * ----------
 */

/* The 128 bits of a * b, of counts that are not negative. */
static void
rate_multiply(uint64 a, uint64 b, uint64 *high, uint64 *low)
{
	uint64		a_high = a >> 32;
	uint64		a_low = a & PG_UINT32_MAX;
	uint64		b_high = b >> 32;
	uint64		b_low = b & PG_UINT32_MAX;
	uint64		middle;

	/* Neither sum overflows: (2^32 - 1)^2 + 2 * (2^32 - 1) is 2^64 - 1. */
	middle = a_high * b_low + ((a_low * b_low) >> 32);
	*low = a * b;
	*high = a_high * b_high + (middle >> 32) +
		((a_low * b_high + (middle & PG_UINT32_MAX)) >> 32);
}

/*
 * Compares the quotients by their cross products, which are exact.  All
 * platforms take the same way, whether or not they have 128-bit integers.
 */
static inline int
rate_compare(const Rate *a, const Rate *b)
{
	uint64		a_high = 0;
	uint64		a_low;
	uint64		b_high = 0;
	uint64		b_low;

	AssertCheckRate(a);
	AssertCheckRate(b);

	if (unlikely(a->total == 0 || b->total == 0))
		return (a->total == 0) - (b->total == 0);

	/* The failures are not above the total, so the totals tell the size. */
	if (likely(((a->total | b->total) >> 32) == 0))
	{
		a_low = (uint64) a->failures * (uint64) b->total;
		b_low = (uint64) b->failures * (uint64) a->total;
	}
	else
	{
		rate_multiply(a->failures, b->total, &a_high, &a_low);
		rate_multiply(b->failures, a->total, &b_high, &b_low);
	}

	if (a_high != b_high)
		return a_high < b_high ? -1 : 1;
	if (a_low != b_low)
		return a_low < b_low ? -1 : 1;
	return (a->total > b->total) - (a->total < b->total);
}

static inline bool
rate_equal(const Rate *a, const Rate *b)
{
	return a->failures == b->failures && a->total == b->total;
}

PG_FUNCTION_INFO_V1(rate_eq);
Datum
rate_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(rate_equal(PG_GETARG_RATE_P(0), PG_GETARG_RATE_P(1)));
}

PG_FUNCTION_INFO_V1(rate_ne);
Datum
rate_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!rate_equal(PG_GETARG_RATE_P(0), PG_GETARG_RATE_P(1)));
}

PG_FUNCTION_INFO_V1(rate_lt);
Datum
rate_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(rate_compare(PG_GETARG_RATE_P(0), PG_GETARG_RATE_P(1)) < 0);
}

PG_FUNCTION_INFO_V1(rate_le);
Datum
rate_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(rate_compare(PG_GETARG_RATE_P(0), PG_GETARG_RATE_P(1)) <= 0);
}

PG_FUNCTION_INFO_V1(rate_gt);
Datum
rate_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(rate_compare(PG_GETARG_RATE_P(0), PG_GETARG_RATE_P(1)) > 0);
}

PG_FUNCTION_INFO_V1(rate_ge);
Datum
rate_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(rate_compare(PG_GETARG_RATE_P(0), PG_GETARG_RATE_P(1)) >= 0);
}

PG_FUNCTION_INFO_V1(rate_cmp);
Datum
rate_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(rate_compare(PG_GETARG_RATE_P(0), PG_GETARG_RATE_P(1)));
}

static int
rate_sort_compare(Datum a, Datum b, SortSupport ssup)
{
	return rate_compare((const Rate *) DatumGetPointer(a),
						(const Rate *) DatumGetPointer(b));
}

PG_FUNCTION_INFO_V1(rate_sortsupport);
Datum
rate_sortsupport(PG_FUNCTION_ARGS)
{
	SortSupport ssup = (SortSupport) PG_GETARG_POINTER(0);

	ssup->comparator = rate_sort_compare;
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(rate_hash);
Datum
rate_hash(PG_FUNCTION_ARGS)
{
	return hash_any((unsigned char *) PG_GETARG_RATE_P(0), sizeof(Rate));
}

PG_FUNCTION_INFO_V1(rate_hash_extended);
Datum
rate_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_any_extended((unsigned char *) PG_GETARG_RATE_P(0),
							 sizeof(Rate), PG_GETARG_INT64(1));
}

/* ----------
 * Sum and difference
 * ----------
 */

PG_FUNCTION_INFO_V1(rate_add);
Datum
rate_add(PG_FUNCTION_ARGS)
{
	Rate	   *a = PG_GETARG_RATE_P(0);
	Rate	   *result = rate_new(a->failures, a->total);

	rate_increase(result, PG_GETARG_RATE_P(1));
	PG_RETURN_RATE_P(result);
}

PG_FUNCTION_INFO_V1(rate_subtract);
Datum
rate_subtract(PG_FUNCTION_ARGS)
{
	Rate	   *a = PG_GETARG_RATE_P(0);
	Rate	   *result = rate_new(a->failures, a->total);

	rate_decrease(result, PG_GETARG_RATE_P(1));
	PG_RETURN_RATE_P(result);
}

/* ----------
 * The Wilson score interval
 * ----------
 */

/*
 * The two-sided normal quantile: the z with P(|Z| <= z) = confidence, to
 * about 1 part in 10^16.
 *
 * M. J. Wichura, Algorithm AS 241: The Percentage Points of the Normal
 * Distribution, Applied Statistics 37 (1988) 477-484, routine PPND16, for
 * p = (1 + confidence) / 2.  Its q = p - 1/2 and its distance r from the
 * nearer end are taken from the confidence itself, so that no digit is lost
 * where that is close to 0 or 1.
 */
static double
normal_quantile(double confidence)
{
	double		q = confidence / 2;
	double		r;

	if (q <= 0.425)
	{
		r = 0.180625 - q * q;
		return q *
			(((((((2.5090809287301226727e+3 * r
				   + 3.3430575583588128105e+4) * r
				  + 6.7265770927008700853e+4) * r
				 + 4.5921953931549871457e+4) * r
				+ 1.3731693765509461125e+4) * r
			   + 1.9715909503065514427e+3) * r
			  + 1.3314166789178437745e+2) * r
			 + 3.3871328727963666080e+0) /
			(((((((5.2264952788528545610e+3 * r
				   + 2.8729085735721942674e+4) * r
				  + 3.9307895800092710610e+4) * r
				 + 2.1213794301586595867e+4) * r
				+ 5.3941960214247511077e+3) * r
			   + 6.8718700749205790830e+2) * r
			  + 4.2313330701600911252e+1) * r
			 + 1.0);
	}

	r = sqrt(-log((1 - confidence) / 2));

	if (r <= 5)
	{
		r -= 1.6;
		return
			(((((((7.74545014278341407640e-4 * r
				   + 2.27238449892691845833e-2) * r
				  + 2.41780725177450611770e-1) * r
				 + 1.27045825245236838258e+0) * r
				+ 3.64784832476320460504e+0) * r
			   + 5.76949722146069140550e+0) * r
			  + 4.63033784615654529590e+0) * r
			 + 1.42343711074968357734e+0) /
			(((((((1.05075007164441684324e-9 * r
				   + 5.47593808499534494600e-4) * r
				  + 1.51986665636164571966e-2) * r
				 + 1.48103976427480074590e-1) * r
				+ 6.89767334985100004550e-1) * r
			   + 1.67638483018380384940e+0) * r
			  + 2.05319162663775882187e+0) * r
			 + 1.0);
	}

	r -= 5;
	return
		(((((((2.01033439929228813265e-7 * r
			   + 2.71155556874348757815e-5) * r
			  + 1.24266094738807843860e-3) * r
			 + 2.65321895265761230930e-2) * r
			+ 2.96560571828504891230e-1) * r
		   + 1.78482653991729133580e+0) * r
		  + 5.46378491116411436990e+0) * r
		 + 6.65790464350110377720e+0) /
		(((((((2.04426310338993978564e-15 * r
			   + 1.42151175831644588870e-7) * r
			  + 1.84631831751005468180e-5) * r
			 + 7.86869131145613259100e-4) * r
			+ 1.48753612908506148525e-2) * r
		   + 1.36929880922735805310e-1) * r
		  + 5.99832206555887937690e-1) * r
		 + 1.0);
}

static double
wilson_quantile(double confidence)
{
	/* Written so that NaN fails too. */
	if (!(confidence > 0 && confidence < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("confidence must be between 0 and 1, both excluded"),
				 errdetail("The confidence given is %g.", confidence),
				 errhint("Write 0.95 for a 95 %% interval.")));

	return normal_quantile(confidence);
}

/*
 * E. B. Wilson, Probable Inference, the Law of Succession, and Statistical
 * Inference, JASA 22 (1927) 209-212, without continuity correction.  With f
 * failures and s successes of n, the bounds are the roots x of
 *
 *		(n + z^2) x^2 - (2f + z^2) x + f^2/n = 0
 *
 * The lower one is taken from the product of the roots, and the upper one is
 * a sum of terms that are not negative: no digits are lost to cancellation,
 * however small the rate.  Rounding can't put a bound on the wrong side of
 * the rate itself.
 */
PG_FUNCTION_INFO_V1(rate_wilson_low);
Datum
rate_wilson_low(PG_FUNCTION_ARGS)
{
	Rate	   *r = PG_GETARG_RATE_P(0);
	double		z = wilson_quantile(PG_GETARG_FLOAT8(1));
	double		n = (double) r->total;
	double		f = (double) r->failures;
	double		s = (double) (r->total - r->failures);
	double		low;

	AssertCheckRate(r);
	if (r->total == 0)
		PG_RETURN_NULL();
	if (r->failures == 0)
		PG_RETURN_FLOAT8(0);

	low = 2 * f * (f / n) / (2 * f + z * z + z * sqrt(z * z + 4 * f * (s / n)));

	PG_RETURN_FLOAT8(Min(low, f / n));
}

PG_FUNCTION_INFO_V1(rate_wilson_high);
Datum
rate_wilson_high(PG_FUNCTION_ARGS)
{
	Rate	   *r = PG_GETARG_RATE_P(0);
	double		z = wilson_quantile(PG_GETARG_FLOAT8(1));
	double		n = (double) r->total;
	double		f = (double) r->failures;
	double		s = (double) (r->total - r->failures);
	double		high;

	AssertCheckRate(r);
	if (r->total == 0)
		PG_RETURN_NULL();
	if (r->failures == r->total)
		PG_RETURN_FLOAT8(1);

	high = (2 * f + z * z + z * sqrt(z * z + 4 * f * (s / n))) /
		(2 * (n + z * z));

	PG_RETURN_FLOAT8(Min(Max(high, f / n), 1));
}

/* ----------
 * Aggregates
 *
 * The transition type is rate itself, so partial results can travel between
 * processes and servers, and be stored, with no further code.  All of these
 * functions are strict and the aggregates start from 0/0: the executor skips
 * nulls before it calls us.
 * ----------
 */

/*
 * The state to change: the aggregate's own, or a copy if somebody calls the
 * function by hand, whose argument may be part of a table's page.
 *
 * This is what AggCheckCallContext(fcinfo, NULL) looks at.  Asking it here
 * instead takes a tenth off what we cost per row (measured).
 */
static inline Rate *
rate_state(FunctionCallInfo fcinfo)
{
	Rate	   *state = PG_GETARG_RATE_P(0);

	AssertCheckRate(state);
	if (unlikely(fcinfo->context == NULL ||
				 !(IsA(fcinfo->context, AggState) ||
				   IsA(fcinfo->context, WindowAggState))))
		state = rate_new(state->failures, state->total);
	return state;
}

PG_FUNCTION_INFO_V1(rate_accum);
Datum
rate_accum(PG_FUNCTION_ARGS)
{
	Rate	   *state = rate_state(fcinfo);
	bool		failed = PG_GETARG_BOOL(1);

	/* The total is the greater count: if it fits, the failures do. */
	if (unlikely(state->total == PG_INT64_MAX))
	{
		Rate		one = {failed, 1};

		rate_increase(state, &one); /* reports the error */
	}

	state->failures += failed;
	state->total++;
	PG_RETURN_RATE_P(state);
}

PG_FUNCTION_INFO_V1(rate_accum_inv);
Datum
rate_accum_inv(PG_FUNCTION_ARGS)
{
	Rate	   *state = rate_state(fcinfo);
	Rate		one = {PG_GETARG_BOOL(1), 1};

	rate_decrease(state, &one);
	PG_RETURN_RATE_P(state);
}

/*
 * Adds a rate to the state: the transition of rate_sum() and the combine
 * function of both aggregates.  What it is given may be a partial result
 * that another server sent, so it is not trusted to be valid.
 */
PG_FUNCTION_INFO_V1(rate_combine);
Datum
rate_combine(PG_FUNCTION_ARGS)
{
	Rate	   *state = rate_state(fcinfo);
	Rate	   *r = PG_GETARG_RATE_P(1);

	(void) rate_check(r->failures, r->total, ERRCODE_DATA_CORRUPTED, NULL);
	rate_increase(state, r);
	PG_RETURN_RATE_P(state);
}

PG_FUNCTION_INFO_V1(rate_combine_inv);
Datum
rate_combine_inv(PG_FUNCTION_ARGS)
{
	Rate	   *state = rate_state(fcinfo);

	rate_decrease(state, PG_GETARG_RATE_P(1));
	PG_RETURN_RATE_P(state);
}
