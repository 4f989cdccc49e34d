/*-------------------------------------------------------------------------
 *
 * lifecycle_explain.c
 *	  What can be done with a change, and what is missing: why_not and
 *	  next_steps ask the same requirements that the triggers ask.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(why_not);
PG_FUNCTION_INFO_V1(next_steps);

static void
transition_think(Transition *t, const ChangeModel *model, const ChangeRow *row,
				 Verb verb)
{
	memset(t, 0, sizeof(Transition));
	t->model = model;
	t->verb = verb;
	t->old = row;
	t->row = row;
	t->thought_of = true;
	t->now = GetCurrentTimestamp();
}

static Datum
text_datum(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text ? CStringGetTextDatum(text) : (Datum) 0;
}

/* why_not(change_id, verb): a row for each unmet requirement */
Datum
why_not(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ChangeRow	row;
	const ChangeModel *model;
	uint32		verbs;
	Verb		asked = VERB_NONE;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	if (!PG_ARGISNULL(1))
	{
		char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));

		if (!verb_parse(name, &asked))
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
					 errmsg("\"%s\" is not a verb", name),
					 errhint("SELECT verb FROM changemgmt.next_steps(" INT64_FORMAT ") lists what can be done.",
							 PG_GETARG_INT64(0))));
	}

	SPI_connect();
	change_find(&row, PG_GETARG_INT64(0), false);
	model = lifecycle_model(&row);
	verbs = asked == VERB_NONE ? lifecycle_verbs(model, &row) :
		model_verbs(model, change_status(&row), change_bool(&row, on_hold));
	if (change_status(&row) == STATUS_IMPLEMENTED &&
		!lifecycle_pass_again(model, &row))
		verbs &= ~VERB_BIT(VERB_PASS);
	for (int v = VERB_TRIAGE; v < VERB_COUNT; v++)
	{
		Transition	t;
		Datum		values[4];
		bool		isnull[4] = {false, false, false, false};
		ListCell   *lc;

		if (asked != VERB_NONE && v != (int) asked)
			continue;
		if (!(verbs & VERB_BIT(v)))
		{
			if (asked == VERB_NONE)
				continue;
			values[0] = CStringGetTextDatum(verb_name(v));
			values[1] = CStringGetTextDatum("transition");
			values[2] = CStringGetTextDatum(psprintf("%s is not possible: the change is %s%s",
													 verb_name(v),
													 change_bool(&row, on_hold) ? "on hold, " : "",
													 status_code(change_status(&row))));
			values[3] = CStringGetTextDatum(psprintf("SELECT * FROM changemgmt.next_steps(" INT64_FORMAT ");",
													 change_id_of(&row)));
			tuplestore_putvalues(result->setResult, result->setDesc, values,
								 isnull);
			continue;
		}
		transition_think(&t, model, &row, v);
		foreach(lc, transition_unmet(&t))
		{
			UnmetRequirement *u = lfirst(lc);

			values[0] = CStringGetTextDatum(verb_name(v));
			values[1] = CStringGetTextDatum(u->requirement);
			values[2] = CStringGetTextDatum(u->message);
			values[3] = text_datum(u->hint, &isnull[3]);
			tuplestore_putvalues(result->setResult, result->setDesc, values,
								 isnull);
		}
	}
	SPI_finish();
	return (Datum) 0;
}

/* next_steps(change_id): a row for each verb that the status allows */
Datum
next_steps(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ChangeRow	row;
	const ChangeModel *model;
	uint32		verbs;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	change_find(&row, PG_GETARG_INT64(0), false);
	model = lifecycle_model(&row);
	verbs = lifecycle_verbs(model, &row);
	for (int v = VERB_TRIAGE; v < VERB_COUNT; v++)
	{
		Transition	t;
		StringInfoData missing;
		Datum		values[4];
		bool		isnull[4] = {false, false, false, false};
		List	   *unmet;
		ListCell   *lc;

		if (!(verbs & VERB_BIT(v)))
			continue;
		transition_think(&t, model, &row, v);
		unmet = transition_unmet(&t);
		initStringInfo(&missing);
		foreach(lc, unmet)
			appendStringInfo(&missing, "%s%s", missing.len > 0 ? "; " : "",
							 ((UnmetRequirement *) lfirst(lc))->message);
		values[0] = CStringGetTextDatum(verb_name(v));
		values[1] = CStringGetTextDatum(status_code(model_verb_target(model, v,
																	  change_status(&row),
																	  !change_is_null(&row, scheduled_at))));
		values[2] = BoolGetDatum(unmet == NIL);
		values[3] = text_datum(unmet == NIL ? NULL : missing.data, &isnull[3]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	SPI_finish();
	return (Datum) 0;
}
