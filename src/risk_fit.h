/*-------------------------------------------------------------------------
 *
 * risk_fit.h
 *	  Logistic regression: what its rounds and its models have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_RISK_FIT_H
#define CHANGEMGMT_RISK_FIT_H

#include "spi.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* An aggregate takes 100 arguments, a few of them not features. */
#define FEATURES_MAX	64

/*
 * The model that a round is given, of p features: the intercept and p
 * coefficients, of features less their p centers, times their p scales.
 */
#define MODEL_LENGTH(p)		(3 * (p) + 1)

/*
 * What a round gives: p, rows, failures, the deviance, the gradient of the
 * log-likelihood (p + 1) and its information: the lower triangle of X'WX, row
 * by row.
 */
#define ROUND_FEATURES	0
#define ROUND_ROWS		1
#define ROUND_FAILURES	2
#define ROUND_DEVIANCE	3
#define ROUND_GRADIENT	4
#define ROUND_INFORMATION(p) (ROUND_GRADIENT + (p) + 1)
#define ROUND_LENGTH(p) \
	(ROUND_INFORMATION(p) + ((p) + 1) * ((p) + 2) / 2)

/*
 * What is asked before: p, rows, failures, then for each feature how many are
 * null and how many not finite, and of the others the mean, the sum of the
 * squared differences from it, the least and the greatest.
 */
#define SUMMARY_FEATURES	0
#define SUMMARY_ROWS		1
#define SUMMARY_FAILURES	2
#define SUMMARY_FEATURE(i)	(3 + 6 * (i))
#define SUMMARY_LENGTH(p)	SUMMARY_FEATURE(p)
#define FEATURE_NULLS		0
#define FEATURE_INFINITE	1
#define FEATURE_MEAN		2
#define FEATURE_SQUARES		3
#define FEATURE_LEAST		4
#define FEATURE_GREATEST	5

/* Arguments, and what the rows say. */
typedef struct RiskFit
{
	char	   *source;
	char	   *from;			/* as it stands behind FROM */
	int			features;
	char	  **names;
	char	   *columns;		/* the features as arguments, with a comma before each */
	char	   *outcome;
	char	   *outcome_column;
	char	   *at;
	char	   *at_column;
	char	   *against;
	char	   *against_column;
	bool		has_split;
	TimestampTz split;
	TimestampTz trained_from;
	TimestampTz tested_until;
	double		ridge;

	double		rows;
	double		failures;
	double		test_rows;
	double		test_failures;
	double	   *mean;			/* of each feature, in the earlier part */
	double	   *deviation;
	double	   *model;			/* as risk_fit_round takes it */
	double	   *round;			/* what the last round gave */
	int			rounds;
	double		null_deviance;

	double	   *coefficients;	/* in the features' units, intercept first */
	double	   *errors;

	/* of the later part; NaN is null */
	double		auc;
	double		brier;
	double		base_brier;
	double		against_auc;
	Jsonb	   *calibration;
} RiskFit;

/* MC008: what is wrong, and what helps. */
pg_noreturn extern void risk_fit_refuse(char *problem, const char *hint);

/*
 * A query over one part of the rows that have an outcome: those whose time is
 * before ("<") or after (">=") the split.  $1 is the model, $2 the split, $3 the
 * failure rate of the earlier rows.  Read as the caller.
 */
extern SPIPlanPtr risk_fit_prepare(RiskFit *fit, const char *select,
								   const char *comparison);
extern void risk_fit_execute(RiskFit *fit, SPIPlanPtr plan);
/* The array of numbers that it gave; NULL for no rows. */
extern double *risk_fit_numbers(int length);

/* From the start that fit->model is to the maximum. */
extern void risk_fit_run(RiskFit *fit);
/* Coefficients and their standard errors in the features' own units. */
extern void risk_fit_finish(RiskFit *fit);

#endif							/* CHANGEMGMT_RISK_FIT_H */
