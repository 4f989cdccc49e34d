/*-------------------------------------------------------------------------
 *
 * risk_learned.c
 *	  What the active risk model says of a change.
 *
 * The features of a model are names of factors: it is asked with their values,
 * as risk_explain() shows them.  Its level is one more opinion beside matrix,
 * rules and score where the setting risk_model_thresholds gives bounds for it.
 * Where it can't answer it is left out, and the explanation says why.
 *
 * There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "risk.h"
#include "risk_model.h"
#include "spi.h"
#include "types_setting.h"

PG_FUNCTION_INFO_V1(risk_probability);

/* The probability of failure; false with a feature that has no value. */
static bool
lines_probability(const Risk *risk, const RiskModel *model, double *probability,
				  const char **missing)
{
	double		predictor = model->coefficients[0];

	for (int i = 0; i < model->features; i++)
	{
		const RiskLine *line = NULL;

		for (int j = 0; j < risk->n_lines && line == NULL; j++)
			if (!risk->lines[j].left_out &&
				strcmp(risk->lines[j].name, model->names[i]) == 0)
				line = &risk->lines[j];
		if (line == NULL)
		{
			*missing = model->names[i];
			return false;
		}
		predictor += model->coefficients[i + 1] *
			((double) line->finding.value / RISK_VALUE_MAX);
	}
	*missing = NULL;
	*probability = 1 / (1 + exp(-predictor));
	return !isnan(*probability);
}

/*
 * Ask the model, if the site wants to hear it.  Of work that began before the
 * model was in use it knew the outcome perhaps: then it is not asked.
 */
void
risk_learned_opinion(Risk *risk, const RiskInput *input)
{
	const char *setting = setting_get("risk_model_thresholds");
	RiskModel  *model;
	int			bounds[3];
	double		probability;
	const char *missing;

	risk->asked[OPINION_LEARNED] = strcmp(setting, "off") != 0;
	if (!risk->asked[OPINION_LEARNED])
		return;
	/* the setting takes nothing else */
	if (sscanf(setting, "%d,%d,%d", &bounds[0], &bounds[1], &bounds[2]) != 3)
		elog(ERROR, "setting risk_model_thresholds cannot be read");
	risk->silent[OPINION_LEARNED] = true;
	model = risk_model_read(0);
	if (model == NULL)
		risk->why[OPINION_LEARNED] = pstrdup("left out: no risk model is in use");
	else if (input->begun && input->at < model->activated_at)
		risk->why[OPINION_LEARNED] =
			psprintf("left out: the work began before version %d of the risk model was in use",
					 model->version);
	else if (!lines_probability(risk, model, &probability, &missing))
		risk->why[OPINION_LEARNED] = missing ?
			psprintf("left out: \"%s\", which version %d of the risk model looks at, is no factor that could be asked",
					 missing, model->version) :
			psprintf("left out: the factors are out of range of version %d of the risk model",
					 model->version);
	else
	{
		double		percent = probability * 100;

		risk->silent[OPINION_LEARNED] = false;
		risk->known[OPINION_LEARNED] = risk->known[OPINION_SCORE];
		risk->opinion[OPINION_LEARNED] = percent >= bounds[2] ? RISK_CRITICAL :
			percent >= bounds[1] ? RISK_HIGH :
			percent >= bounds[0] ? RISK_MEDIUM : RISK_LOW;
		risk->why[OPINION_LEARNED] =
			psprintf("version %d of the risk model says that it fails with a probability of %.1f %% (from %s %% on medium, high, critical)",
					 model->version, percent, setting);
	}
}

/* risk_probability(change_id): null where no model can answer */
Datum
risk_probability(PG_FUNCTION_ARGS)
{
	ChangeRow	row;
	RiskInput	input;
	Risk	   *risk;
	RiskModel  *model;
	double		probability = 0;
	const char *missing;
	bool		answers = false;

	SPI_connect();
	risk_change(&row, PG_GETARG_INT64(0));
	model = risk_model_read(0);
	if (model)
	{
		risk = palloc0(sizeof(Risk));
		risk_input_begin(&input, &row, true);
		risk_lines_assess(risk, &input);
		answers = lines_probability(risk, model, &probability, &missing);
	}
	SPI_finish();
	if (!answers)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(probability);
}
