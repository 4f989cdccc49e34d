/*-------------------------------------------------------------------------
 *
 * risk.c
 *	  What the factors, the matrix and the rules come to, and why.
 *
 * The score is the weighted mean of the factors' values, in points from 0 to
 * 100 with two decimals.  Each factor has its share of it, rounded to the
 * hundredth so that the shares add up to the score exactly: with the weights
 * that ship nothing is ever rounded.  The level is the worst that score, matrix
 * and rules say, and the model that learned where it is asked; the setting risk_combination can leave it to the score alone.
 *
 * There is no state: weights and matrices are cached where they are read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "compat.h"
#include "errors.h"
#include "jsonb_push.h"
#include "lifecycle.h"
#include "risk.h"
#include "spi.h"
#include "types_setting.h"

PG_FUNCTION_INFO_V1(risk_score);
PG_FUNCTION_INFO_V1(risk_level);
PG_FUNCTION_INFO_V1(risk_explain);
PG_FUNCTION_INFO_V1(risk_what_if);

static const char *const opinion_names[] = {
	[OPINION_MATRIX] = "matrix",
	[OPINION_RULES] = "rules",
	[OPINION_SCORE] = "score",
	[OPINION_LEARNED] = "learned"
};

Datum
risk_numeric(int64 hundredths)
{
	return NumericGetDatum(int64_div_fast_to_numeric(hundredths, 2));
}

RiskLevel
risk_score_level(int score)
{
	int			bounds[3];

	/* the setting takes nothing else */
	if (sscanf(setting_get("risk_thresholds"), "%d,%d,%d", &bounds[0],
			   &bounds[1], &bounds[2]) != 3)
		elog(ERROR, "setting risk_thresholds cannot be read");
	return score >= bounds[2] * 100 ? RISK_CRITICAL :
		score >= bounds[1] * 100 ? RISK_HIGH :
		score >= bounds[0] * 100 ? RISK_MEDIUM : RISK_LOW;
}

/* ----------
 * Rules
 * ----------
 */

/*
 * A change to which a rule applies has at least its level.  Returns the
 * sentence, or NULL where it does not apply.
 */
typedef struct RiskRule
{
	RiskLevel	level;
	char	   *(*applies) (RiskInput *input);
} RiskRule;

static char *
rule_no_way_back(RiskInput *input)
{
	char	   *why;

	return risk_way_back(input, &why) == WAY_BACK_NONE ? why : NULL;
}

static char *
rule_unclear_way_back(RiskInput *input)
{
	char	   *why;

	return risk_way_back(input, &why) == WAY_BACK_UNCLEAR ? why : NULL;
}

static char *
rule_no_verification(RiskInput *input)
{
	risk_parts(input);
	return change_is_blank(input->row, CH_verification_plan) &&
		input->checks == 0 ?
		pstrdup("nothing says how success is verified") : NULL;
}

static char *
rule_emergency(RiskInput *input)
{
	char	   *type = change_text(input->row, type);

	return strcmp(type, "emergency") == 0 || strcmp(type, "latent") == 0 ?
		psprintf("it is a %s change", type) : NULL;
}

static char *
rule_impact(RiskInput *input)
{
	return change_is_blank(input->row, CH_user_impact) ?
		pstrdup("nobody says what users will notice") : NULL;
}

static char *
rule_data_or_security(RiskInput *input)
{
	return change_bool(input->row, touches_data_integrity) ?
		pstrdup("it touches data integrity") :
		change_bool(input->row, touches_security) ?
		pstrdup("it touches security") : NULL;
}

static const RiskRule rules[] = {
	{RISK_HIGH, rule_no_way_back},
	{RISK_HIGH, rule_no_verification},
	{RISK_HIGH, rule_emergency},
	{RISK_MEDIUM, rule_unclear_way_back},
	{RISK_MEDIUM, rule_impact},
	{RISK_MEDIUM, rule_data_or_security},
};

static RiskLevel
rules_opinion(RiskInput *input, char **why)
{
	char	   *assessed = change_text(input->row, risk_level);
	RiskLevel	level = RISK_LOW;
	StringInfoData buf;

	initStringInfo(&buf);
	if (assessed && risk_level_parse(assessed, &level))
		appendStringInfo(&buf, "risk_level says %s", assessed);
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		char	   *sentence;

		if (rules[i].level < level)
			continue;
		sentence = rules[i].applies(input);
		if (sentence == NULL)
			continue;
		if (rules[i].level > level)
			resetStringInfo(&buf);
		level = rules[i].level;
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? "; " : "", sentence);
	}
	*why = buf.len > 0 ? buf.data : pstrdup("no rule asks for more than low");
	return level;
}

/* ----------
 * The score
 * ----------
 */

void
risk_input_begin(RiskInput *input, const ChangeRow *row, bool as_query)
{
	memset(input, 0, sizeof(RiskInput));
	input->row = row;
	input->model = lifecycle_model(row);
	input->as_query = as_query;
	input->begun = !change_is_null(row, actual_start) ||
		!change_is_null(row, actual_end);
	input->at = !change_is_null(row, actual_start) ?
		change_time(row, actual_start) :
		!change_is_null(row, actual_end) ? change_time(row, actual_end) :
		GetCurrentTransactionStartTimestamp();
}

/*
 * Share the score out.  It is the weighted mean, rounded to the hundredth; each
 * share is rounded down, and the hundredths that are left go to those that lost
 * most.
 */
static void
share_out(Risk *risk)
{
	int128		whole = 0;
	int128		sum = 0;
	int			given = 0;
	int128	   *lost = palloc0(Max(risk->n_lines, 1) * sizeof(int128));

	for (int i = 0; i < risk->n_lines; i++)
		if (!risk->lines[i].left_out)
		{
			sum += risk->lines[i].weight;
			whole += (int128) risk->lines[i].weight *
				risk->lines[i].finding.value * (RISK_SCORE_MAX / RISK_VALUE_MAX);
		}
	if (sum == 0)
	{
		/* nothing is known of it: the highest, which a line has to account for */
		RiskLine   *line = &risk->lines[risk->n_lines++];

		line->name = "unknown";
		line->points = risk->score = RISK_SCORE_MAX;
		line->finding.value = RISK_VALUE_MAX;
		line->finding.sentence =
			pstrdup("no factor that weighs anything could be asked, which counts as the highest");
		return;
	}
	risk->score = (int) ((2 * whole + sum) / (2 * sum));
	for (int i = 0; i < risk->n_lines; i++)
	{
		RiskLine   *line = &risk->lines[i];
		int128		share;

		if (line->left_out)
			continue;
		share = (int128) line->weight * line->finding.value *
			(RISK_SCORE_MAX / RISK_VALUE_MAX);
		line->points = (int) (share / sum);
		lost[i] = share % sum;
		given += line->points;
	}
	while (given < risk->score)
	{
		int			most = -1;

		for (int i = 0; i < risk->n_lines; i++)
			if (!risk->lines[i].left_out && (most < 0 || lost[i] > lost[most]))
				most = i;
		risk->lines[most].points++;
		lost[most] = -1;
		given++;
	}
}

void
risk_lines_assess(Risk *risk, RiskInput *input)
{
	List	   *sites = site_factors();
	ListCell   *lc;

	/* and one that share_out() may need */
	risk->lines = palloc0((risk_factor_count + list_length(sites) + 1) *
						  sizeof(RiskLine));
	for (int i = 0; i < risk_factor_count; i++)
	{
		const RiskFactor *factor = &risk_factors[i];
		RiskLine   *line = &risk->lines[risk->n_lines];
		int64		weight = factor->weight * RISK_WEIGHT_UNIT;
		bool		is_on = true;

		foreach(lc, sites)
		{
			const SiteFactor *site = lfirst(lc);

			if (strcmp(site->name, factor->name) != 0)
				continue;
			is_on = site->is_on;
			if (site->weight >= 0)
				weight = site->weight;
		}
		if (!is_on)
			continue;
		line->name = factor->name;
		line->weight = weight;
		factor->assess(input, &line->finding);
		risk->n_lines++;
	}
	foreach(lc, sites)
	{
		const SiteFactor *site = lfirst(lc);
		RiskLine   *line = &risk->lines[risk->n_lines];

		if (site->function == NULL || !site->is_on)
			continue;
		CHECK_FOR_INTERRUPTS();
		line->name = site->name;
		line->weight = Max(site->weight, 0);
		line->left_out = !site_factor_assess(site, input, &line->finding);
		risk->n_lines++;
	}
}

Risk *
risk_assess_change(const ChangeRow *row, bool as_query)
{
	Risk	   *risk = palloc0(sizeof(Risk));
	RiskInput	input;
	const char *key = setting_get("risk_matrix");
	const RiskMatrix *matrix;
	bool		weighted;

	risk_input_begin(&input, row, as_query);
	risk_lines_assess(risk, &input);
	share_out(risk);

	risk->asked[OPINION_MATRIX] = risk->asked[OPINION_RULES] =
		risk->asked[OPINION_SCORE] = true;
	matrix = risk_matrix_find(key);
	risk->known[OPINION_MATRIX] = true;
	if (matrix)
		risk->opinion[OPINION_MATRIX] =
			risk_matrix_opinion(&input, matrix, &risk->why[OPINION_MATRIX],
								&risk->known[OPINION_MATRIX]);
	else
	{
		risk->opinion[OPINION_MATRIX] = RISK_CRITICAL;
		risk->known[OPINION_MATRIX] = false;
		risk->why[OPINION_MATRIX] =
			psprintf("there is no matrix \"%s\", as setting risk_matrix says, which counts as the highest",
					 key);
	}
	risk->known[OPINION_RULES] = true;
	risk->opinion[OPINION_RULES] = rules_opinion(&input, &risk->why[OPINION_RULES]);
	risk->known[OPINION_SCORE] = true;
	risk->opinion[OPINION_SCORE] = risk_score_level(risk->score);
	for (int i = 0; i < risk->n_lines; i++)
		risk->known[OPINION_SCORE] &= risk->lines[i].finding.is_known;
	risk->why[OPINION_SCORE] = psprintf("%d.%02d of 100 points (from %s on medium, high, critical)",
										risk->score / 100, risk->score % 100,
										setting_get("risk_thresholds"));
	risk_learned_opinion(risk, &input);

	weighted = strcmp(setting_get("risk_combination"), "score") == 0;
	risk->level = risk->opinion[OPINION_SCORE];
	if (!weighted)
		for (int i = 0; i < OPINION_COUNT; i++)
			if (risk->asked[i] && !risk->silent[i])
				risk->level = Max(risk->level, risk->opinion[i]);
	for (int i = 0; i < OPINION_COUNT; i++)
		risk->won[i] = risk->asked[i] && !risk->silent[i] &&
			risk->opinion[i] == risk->level &&
			(!weighted || i == OPINION_SCORE);
	return risk;
}

char *
risk_won_by(const Risk *risk)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < OPINION_COUNT; i++)
		if (risk->won[i])
			text_list_add(&buf, opinion_names[i]);
	return buf.data;
}

/* The weightiest factors in words, the first first. */
char *
risk_reasons(const Risk *risk, int most)
{
	StringInfoData buf;
	bool	   *said = palloc0(Max(risk->n_lines, 1) * sizeof(bool));

	initStringInfo(&buf);
	for (int n = 0; n < most; n++)
	{
		int			best = -1;

		for (int i = 0; i < risk->n_lines; i++)
			if (!said[i] && risk->lines[i].points > 0 &&
				(best < 0 || risk->lines[i].points > risk->lines[best].points))
				best = i;
		if (best < 0)
			break;
		said[best] = true;
		appendStringInfo(&buf, "%s%s (%d.%02d)", n > 0 ? "; " : "",
						 risk->lines[best].finding.sentence,
						 risk->lines[best].points / 100,
						 risk->lines[best].points % 100);
	}
	return buf.data;
}

/* ----------
 * As jsonb
 * ----------
 */

static void
push_numeric(JsonbParseState **state, const char *key, int64 number, int scale)
{
	JsonbValue	value;

	jsonb_push_key(state, key);
	value.type = jbvNumeric;
	value.val.numeric = int64_div_fast_to_numeric(number, scale);
	pushJsonbValue(state, WJB_VALUE, &value);
}

Jsonb *
risk_explanation(const Risk *risk)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	jsonb_push_key(&state, "factors");
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < risk->n_lines; i++)
	{
		const RiskLine *line = &risk->lines[i];

		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		jsonb_push_text(&state, "factor", line->name);
		push_numeric(&state, "value", line->finding.value, 2);
		push_numeric(&state, "weight", line->weight, 3);
		push_numeric(&state, "points", line->points, 2);
		jsonb_push_text(&state, "sentence", line->finding.sentence);
		jsonb_push_bool(&state, "is_known", line->finding.is_known);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	jsonb_push_key(&state, "opinions");
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < OPINION_COUNT; i++)
	{
		if (!risk->asked[i])
			continue;
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		jsonb_push_text(&state, "opinion", opinion_names[i]);
		if (!risk->silent[i])
			jsonb_push_text(&state, "level", risk_level_code(risk->opinion[i]));
		jsonb_push_text(&state, "sentence", risk->why[i]);
		jsonb_push_bool(&state, "is_known", risk->known[i]);
		jsonb_push_bool(&state, "won", risk->won[i]);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	jsonb_push_text(&state, "reasons", risk_reasons(risk, 3));
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* ----------
 * SQL
 * ----------
 */

void
risk_change(ChangeRow *row, int64 change_id)
{
	static KeptPlan find = {
		"SELECT c FROM changemgmt.change AS c"
		" WHERE c.id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(change_id);

	kept_plan_read(&find, &argument, NULL, 1);
	if (SPI_processed == 0)
		change_unknown(change_id);
	change_row_result(row);
	if (change_bool(row, confidential) &&
		!change_is_visible_to_query(change_id))
		change_unknown(change_id);
}

/* risk_score(change_id): 0 to 100 */
Datum
risk_score(PG_FUNCTION_ARGS)
{
	ChangeRow	row;
	int			score;

	SPI_connect();
	risk_change(&row, PG_GETARG_INT64(0));
	score = risk_assess_change(&row, true)->score;
	SPI_finish();
	return risk_numeric(score);
}

/* risk_level(change_id): low, medium, high or critical */
Datum
risk_level(PG_FUNCTION_ARGS)
{
	ChangeRow	row;
	RiskLevel	level;

	SPI_connect();
	risk_change(&row, PG_GETARG_INT64(0));
	level = risk_assess_change(&row, true)->level;
	SPI_finish();
	return CStringGetTextDatum(risk_level_code(level));
}

#define EXPLAIN_COLUMNS 9

static void
explain_put(ReturnSetInfo *result, const Risk *risk)
{
	for (int i = 0; i < risk->n_lines; i++)
	{
		const RiskLine *line = &risk->lines[i];
		Datum		values[EXPLAIN_COLUMNS] = {0};
		bool		isnull[EXPLAIN_COLUMNS] = {false};

		values[0] = CStringGetTextDatum("factor");
		values[1] = CStringGetTextDatum(line->name);
		isnull[2] = line->left_out;
		if (!isnull[2])
			values[2] = risk_numeric(line->finding.value);
		values[3] = NumericGetDatum(int64_div_fast_to_numeric(line->weight, 3));
		values[4] = risk_numeric(line->points);
		values[5] = CStringGetTextDatum(line->finding.sentence);
		values[6] = BoolGetDatum(line->finding.is_known);
		isnull[7] = isnull[8] = true;
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	for (int i = 0; i < OPINION_COUNT; i++)
	{
		Datum		values[EXPLAIN_COLUMNS] = {0};
		bool		isnull[EXPLAIN_COLUMNS] = {false};

		if (!risk->asked[i])
			continue;
		values[0] = CStringGetTextDatum("level");
		values[1] = CStringGetTextDatum(opinion_names[i]);
		isnull[2] = isnull[3] = isnull[4] = true;
		values[5] = CStringGetTextDatum(risk->why[i]);
		values[6] = BoolGetDatum(risk->known[i]);
		isnull[7] = risk->silent[i];
		if (!isnull[7])
			values[7] = CStringGetTextDatum(risk_level_code(risk->opinion[i]));
		values[8] = BoolGetDatum(risk->won[i]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
}

/* risk_explain(change_id): a row for each factor, and for each opinion */
Datum
risk_explain(PG_FUNCTION_ARGS)
{
	ChangeRow	row;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	risk_change(&row, PG_GETARG_INT64(0));
	explain_put((ReturnSetInfo *) fcinfo->resultinfo,
				risk_assess_change(&row, true));
	SPI_finish();
	return (Datum) 0;
}

/* risk_what_if(change_id, patch): the same as if the columns stood so */
Datum
risk_what_if(PG_FUNCTION_ARGS)
{
	static KeptPlan patched = {
		"SELECT pg_catalog.jsonb_populate_record(c, $2)"
		" FROM changemgmt.change AS c WHERE c.id OPERATOR(pg_catalog.=) $1",
		2, {INT8OID, JSONBOID}, NULL
	};
	ChangeRow	row;
	ChangeRow	as_if;
	Datum		arguments[2];

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	risk_change(&row, PG_GETARG_INT64(0));
	arguments[0] = PG_GETARG_DATUM(0);
	arguments[1] = JsonbPGetDatum(change_patch_columns(&row,
													   PG_GETARG_JSONB_P(1)));
	kept_plan_execute_input(&patched, arguments, NULL, 1);
	change_row_result(&as_if);
	change_check_codes(&row, &as_if);
	change_check_values(&row, &as_if);
	/* under the rules of the version that it has, or of another model's latest */
	if (!change_column_equal(&row, &as_if, CH_model))
	{
		char	   *key = change_text(&as_if, model);
		const ChangeModel *model = model_latest(key);

		as_if.value[CH_model_version] = Int32GetDatum(model->version);
		as_if.isnull[CH_model_version] = false;
		as_if.value[CH_type] = CStringGetTextDatum(model->type);
	}
	explain_put((ReturnSetInfo *) fcinfo->resultinfo,
				risk_assess_change(&as_if, true));
	SPI_finish();
	return (Datum) 0;
}
