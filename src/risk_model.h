/*-------------------------------------------------------------------------
 *
 * risk_model.h
 *	  Models that fit_risk_model() made.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_RISK_MODEL_H
#define CHANGEMGMT_RISK_MODEL_H

#include "utils/jsonb.h"
#include "utils/timestamp.h"

typedef struct RiskModel
{
	int			version;
	int			features;
	char	  **names;
	double	   *coefficients;	/* of the intercept, then of each feature */
	TimestampTz activated_at;	/* DT_NOEND: nobody knows */
} RiskModel;

/*
 * The version asked for, or with 0 the active one, in the caller's context;
 * NULL where there is none.  Needs no SPI connection.
 */
extern RiskModel *risk_model_read(int version);

/*
 * The probability of failure that it gives features, an object of numbers and
 * booleans.  MC008 where one is missing.
 */
extern double risk_model_probability(const RiskModel *model, Jsonb *features);

#endif							/* CHANGEMGMT_RISK_MODEL_H */
