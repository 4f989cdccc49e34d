/*-------------------------------------------------------------------------
 *
 * risk_newton.c
 *	  The steps of a logistic regression, from round to round.
 *
 * A round (risk_round.c, run by risk_fit.c) gives the gradient and the
 * information of the log-likelihood at a model; Cholesky's decomposition of the
 * information gives Newton's step, at the end the standard errors, and on the
 * way a word for what has no maximum: features that follow from others, and
 * features that separate.
 *
 * There is no state; matrices are lower triangles, row by row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "lib/stringinfo.h"

#include "compat.h"
#include "risk_fit.h"

#define ROUNDS_MAX	100
/* Newton's decrement where a coefficient is right to 1e-8 standard errors */
#define DECREMENT_DONE	1e-16
/* below it, a step that still shrinks no faster than this leads nowhere */
#define DECREMENT_SMALL 1e-6
#define DECREMENT_SLOW	0.15
/* 1 - R squared of a feature over the ones before it */
#define COLLINEAR		1e-9

/* Row i, column j <= i of a lower triangle. */
#define LOWER(i, j)	((i) * ((i) + 1) / 2 + (j))

/*
 * Cholesky's decomposition of a lower triangle, in place.  Returns the first
 * row of which hardly anything is left when those before it are taken out, or
 * the size.
 */
static int
triangle_decompose(double *a, int size, double tolerance)
{
	for (int i = 0; i < size; i++)
	{
		double		whole = a[LOWER(i, i)];

		for (int j = 0; j <= i; j++)
		{
			double		sum = a[LOWER(i, j)];

			for (int k = 0; k < j; k++)
				sum -= a[LOWER(i, k)] * a[LOWER(j, k)];
			if (j < i)
				a[LOWER(i, j)] = sum / a[LOWER(j, j)];
			else if (!(sum > tolerance * whole))
				return i;
			else
				a[LOWER(i, i)] = sqrt(sum);
		}
	}
	return size;
}

/* b becomes x of A x = b. */
static void
triangle_solve(const double *a, int size, double *b)
{
	for (int i = 0; i < size; i++)
	{
		for (int k = 0; k < i; k++)
			b[i] -= a[LOWER(i, k)] * b[k];
		b[i] /= a[LOWER(i, i)];
	}
	for (int i = size - 1; i >= 0; i--)
	{
		for (int k = i + 1; k < size; k++)
			b[i] -= a[LOWER(k, i)] * b[k];
		b[i] /= a[LOWER(i, i)];
	}
}

/* Those that matter of some features, by how much they weigh. */
static char *
features_named(RiskFit *fit, const double *weights, int count, double share)
{
	StringInfoData names;
	double		most = 0;

	initStringInfo(&names);
	for (int i = 0; i < count; i++)
		most = Max(most, fabs(weights[i]));
	for (int i = 0; i < count; i++)
		if (fabs(weights[i]) >= share * most)
			appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "", fit->names[i]);
	return names.data;
}

/* Row (of a decomposition that ended there) is a sum of the rows before it. */
pg_noreturn static void
fit_refuse_collinear(RiskFit *fit, const double *decomposed, int row)
{
	double	   *weights = palloc(row * sizeof(double));

	/* back from the decomposition to what the earlier ones weigh in it */
	for (int i = row - 1; i >= 0; i--)
	{
		weights[i] = decomposed[LOWER(row, i)];
		for (int k = i + 1; k < row; k++)
			weights[i] -= decomposed[LOWER(k, i)] * weights[k];
		weights[i] /= decomposed[LOWER(i, i)];
	}
	/* the intercept stands first and is centered away */
	risk_fit_refuse(psprintf("feature \"%s\" follows from %s", fit->names[row - 1],
						features_named(fit, weights + 1, row - 1, 1e-3)),
			   "Leave one of them out, or give a ridge.");
}

pg_noreturn static void
fit_refuse_separated(RiskFit *fit, const double *step)
{
	risk_fit_refuse(psprintf("the coefficients grow without end: the outcome of some rows is told perfectly by %s",
						features_named(fit, step + 1, fit->features, 0.3)),
			   "A feature that is known only after the outcome is a leak: leave it out. A feature that is rarely set may separate by chance: leave it out or give a ridge, such as ridge => 1.");
}

static double
fit_penalty(const RiskFit *fit, const double *coefficients)
{
	double		sum = 0;

	for (int i = 1; i <= fit->features; i++)
		sum += coefficients[i] * coefficients[i];
	return fit->ridge * sum;
}

/* One pass over the rows at fit->model; the criterion that falls. */
static double
fit_round(RiskFit *fit, SPIPlanPtr plan)
{
	double	   *round;

	risk_fit_execute(fit, plan);
	round = risk_fit_numbers(ROUND_LENGTH(fit->features));
	if (round == NULL || round[ROUND_ROWS] != fit->rows ||
		round[ROUND_FAILURES] != fit->failures)
		risk_fit_refuse(pstrdup("the source gives other rows each time it is read"),
				   "Store its rows in a table first, or leave out what is random.");
	if (fit->round)
		pfree(fit->round);
	fit->round = round;
	fit->rounds++;
	return round[ROUND_DEVIANCE] + fit_penalty(fit, fit->model);
}

/*
 * To the maximum.  A full step that makes the criterion worse is halved; a
 * legitimate fit ends in steps whose decrement is squared from one to the
 * next, one without a maximum in decrements that fall by e each, for ever.
 */
void
risk_fit_run(RiskFit *fit)
{
	int			size = fit->features + 1;
	int			packed = size * (size + 1) / 2;
	double	   *decomposed = palloc(packed * sizeof(double));
	double	   *step = palloc(size * sizeof(double));
	double	   *before = palloc(size * sizeof(double));
	double		last = 0;
	int			slow = 0;
	double		criterion;
	SPIPlanPtr	plan;

	plan = risk_fit_prepare(fit, psprintf("changemgmt.risk_fit_round($1, %s%s)",
										  fit->outcome_column, fit->columns), "<");
	criterion = fit_round(fit, plan);
	for (;;)
	{
		const double *gradient = fit->round + ROUND_GRADIENT;
		double		decrement = 0;
		double		next;
		int			bad;

		memcpy(decomposed, fit->round + ROUND_INFORMATION(fit->features),
			   packed * sizeof(double));
		for (int i = 1; i < size; i++)
			decomposed[LOWER(i, i)] += fit->ridge;
		for (int i = 0; i < size; i++)
			step[i] = gradient[i] - (i > 0 ? fit->ridge * fit->model[i] : 0);
		bad = triangle_decompose(decomposed, size, fit->rounds == 1 ? COLLINEAR : 1e-14);
		if (bad < size)
		{
			if (fit->rounds == 1)
				fit_refuse_collinear(fit, decomposed, bad);
			memset(step, 0, size * sizeof(double));
			step[bad] = 1;
			fit_refuse_separated(fit, step);
		}
		memcpy(before, step, size * sizeof(double));
		triangle_solve(decomposed, size, step);
		for (int i = 0; i < size; i++)
			decrement += before[i] * step[i];
		if (!isfinite(decrement))
			risk_fit_refuse(pstrdup("the fit did not converge: its numbers are out of range"),
					   "Take the logarithm of features with very large values, or give a ridge.");
		if (decrement <= DECREMENT_DONE)
			break;

		if (decrement < DECREMENT_SMALL && decrement > DECREMENT_SLOW * last &&
			last > 0)
			slow++;
		else
			slow = 0;
		if (slow >= 2 && decrement < 1e-10 && decrement > 0.9 * last)
			break;				/* nothing but rounding errors is left */
		if (slow >= 2)
			fit_refuse_separated(fit, step);
		last = decrement;

		memcpy(before, fit->model, size * sizeof(double));
		for (double length = 1;; length /= 2)
		{
			if (fit->rounds >= ROUNDS_MAX)
				risk_fit_refuse(psprintf("the fit did not converge in %d rounds", ROUNDS_MAX),
						   "Take fewer features, or give a ridge, such as ridge => 1.");
			for (int i = 0; i < size; i++)
				fit->model[i] = before[i] + length * step[i];
			next = fit_round(fit, plan);
			if (next <= criterion + 1e-9 * (fabs(criterion) + 1))
				break;
		}
		criterion = next;
	}
}

/* Coefficients and their standard errors in the features' own units. */
void
risk_fit_finish(RiskFit *fit)
{
	int			size = fit->features + 1;
	int			packed = size * (size + 1) / 2;
	const double *information = fit->round + ROUND_INFORMATION(fit->features);
	double	   *decomposed = palloc(packed * sizeof(double));
	double	   *column = palloc(size * sizeof(double));

	fit->coefficients = palloc(size * sizeof(double));
	fit->errors = palloc(size * sizeof(double));
	memcpy(decomposed, information, packed * sizeof(double));
	for (int i = 1; i < size; i++)
		decomposed[LOWER(i, i)] += fit->ridge;
	(void) triangle_decompose(decomposed, size, 0);

	fit->coefficients[0] = fit->model[0];
	for (int i = 1; i < size; i++)
	{
		fit->coefficients[i] = fit->model[i] / fit->deviation[i - 1];
		fit->coefficients[0] -= fit->coefficients[i] * fit->mean[i - 1];
	}

	/*
	 * The variance of c'b is v'Iv with (I + ridge) v = c, as of an estimate
	 * with a ridge (S. le Cessie and J. C. van Houwelingen, Applied Statistics
	 * 41 (1992) 191-201).
	 */
	for (int i = 0; i < size; i++)
	{
		double		variance = 0;

		memset(column, 0, size * sizeof(double));
		if (i > 0)
			column[i] = 1 / fit->deviation[i - 1];
		else
		{
			column[0] = 1;
			for (int j = 1; j < size; j++)
				column[j] = -fit->mean[j - 1] / fit->deviation[j - 1];
		}
		triangle_solve(decomposed, size, column);
		for (int j = 0; j < size; j++)
			for (int k = 0; k <= j; k++)
				variance += (j == k ? 1 : 2) * column[j] * column[k] *
					information[LOWER(j, k)];
		fit->errors[i] = sqrt(variance);
	}
}
