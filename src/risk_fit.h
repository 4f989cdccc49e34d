/*-------------------------------------------------------------------------
 *
 * risk_fit.h
 *	  Logistic regression: what its rounds and its models have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_RISK_FIT_H
#define CHANGEMGMT_RISK_FIT_H

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

#endif							/* CHANGEMGMT_RISK_FIT_H */
