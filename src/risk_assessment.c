/*-------------------------------------------------------------------------
 *
 * risk_assessment.c
 *	  The risk as it was when a change was submitted and when it was approved.
 *
 * A trigger on change, which fires after the judge, stores it with the steps
 * submit and approve, and the tally of votes with an approval that does not
 * decide yet, so that one can see later what the board saw.  Nobody writes
 * these rows by hand, and nobody changes them.
 *
 * State: of which change a row is being stored.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "risk.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(risk_assess);
PG_FUNCTION_INFO_V1(risk_assessment_guard);
PG_FUNCTION_INFO_V1(risk_summary);
PG_FUNCTION_INFO_V1(hidden_assessments);

static int64 storing = 0;

static void
assessment_store(const ChangeRow *row, Verb verb, const Risk *risk)
{
	static KeptPlan insert = {
		"INSERT INTO changemgmt.risk_assessment"
		" (change_id, verb, score, level, won_by, explanation, plan_revision)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7)",
		7, {INT8OID, TEXTOID, NUMERICOID, TEXTOID, TEXTOID, JSONBOID, INT8OID},
		NULL
	};
	Datum		values[7];
	int64		before = storing;

	values[0] = row->value[CH_id];
	values[1] = CStringGetTextDatum(verb_name(verb));
	values[2] = risk_numeric(risk->score);
	values[3] = CStringGetTextDatum(risk_level_code(risk->level));
	values[4] = CStringGetTextDatum(risk_won_by(risk));
	values[5] = JsonbPGetDatum(risk_explanation(risk));
	values[6] = row->value[CH_plan_revision];
	storing = change_id_of(row);
	PG_TRY();
	{
		kept_plan_execute(&insert, values, NULL, 0);
	}
	PG_FINALLY();
	{
		storing = before;
	}
	PG_END_TRY();
	kept_plan_require_row(&insert, "the risk assessment");
}

/* Needs an SPI connection. The older version has no table for it. */
void
risk_assessment_store(const ChangeRow *row, Verb verb)
{
	if (relation_exists("risk_assessment"))
		assessment_store(row, verb, risk_assess_change(row, false));
}

/* AFTER ROW trigger of change, after the judge: store what the board sees. */
Datum
risk_assess(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "risk_assess",
										 FOR_ROW | AT_AFTER, "change");
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	ChangeRow	old;
	ChangeRow	new;
	Status		to;
	Verb		verb;

	if (!TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		return PointerGetDatum(NULL);
	change_row_read(&new, trigdata->tg_newtuple, desc);
	to = change_status(&new);
	if (to != STATUS_AWAITING_APPROVAL && to != STATUS_APPROVED &&
		to != STATUS_SCHEDULED)
		return PointerGetDatum(NULL);
	change_row_read(&old, trigdata->tg_trigtuple, desc);
	if (change_status(&old) == to)
		return PointerGetDatum(NULL);
	SPI_connect();
	verb = lifecycle_verb(lifecycle_model(&new), &old, &new);
	if (verb == VERB_SUBMIT || verb == VERB_APPROVE)
		assessment_store(&new, verb, risk_assess_change(&new, false));
	SPI_finish();
	return PointerGetDatum(NULL);
}

/* AFTER ROW trigger of risk_assessment: only the trigger above writes it. */
Datum
risk_assessment_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "risk_assessment_guard",
										 FOR_ROW | AT_AFTER, "risk_assessment");
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	bool		isnull;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	if (!TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
				 errmsg("a risk assessment never changes"),
				 errhint("It says what was seen then; changemgmt.risk_explain() says what is to be seen now.")));
	if (storing == 0 ||
		storing != DatumGetInt64(SPI_getbinval(trigdata->tg_trigtuple, desc,
											   SPI_fnumber(desc, "change_id"),
											   &isnull)))
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
				 errmsg("risk assessments are not written by hand"),
				 errhint("changemgmt.submit() and approve() store them.")));
	return PointerGetDatum(NULL);
}

/* hidden_assessments(): which rows of risk_assessment tell of hidden changes */
Datum
hidden_assessments(PG_FUNCTION_ARGS)
{
	static KeptPlan rows = {
		"SELECT pg_catalog.array_agg(id) FROM changemgmt.risk_assessment"
		" WHERE change_id OPERATOR(pg_catalog.=) ANY ($1)",
		1, {INT8ARRAYOID}, NULL
	};
	Datum		argument = hidden_changes(fcinfo);

	return kept_plan_read_ids(&rows, &argument);
}

/*
 * risk_summary(change_id): in one row what was stored last, where the plan is
 * the same still, else what is to be seen now.
 */
Datum
risk_summary(PG_FUNCTION_ARGS)
{
	static KeptPlan stored = {
		"SELECT score, level, won_by,"
		" explanation OPERATOR(pg_catalog.->>) 'reasons', assessed_at, plan_revision"
		" FROM changemgmt.risk_assessment"
		" WHERE change_id OPERATOR(pg_catalog.=) $1 ORDER BY id DESC LIMIT 1",
		1, {INT8OID}, NULL
	};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ChangeRow	row;
	Datum		argument = PG_GETARG_DATUM(0);
	Datum		values[5];
	bool		isnull[5] = {false};
	bool		is_null;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	risk_change(&row, PG_GETARG_INT64(0));
	kept_plan_read(&stored, &argument, NULL, 1);
	if (SPI_processed > 0 &&
		DatumGetInt64(spi_first_value(6, &is_null)) ==
		change_int64(&row, plan_revision))
	{
		for (int i = 0; i < 5; i++)
			values[i] = spi_first_value(i + 1, &isnull[i]);
	}
	else
	{
		Risk	   *risk = risk_assess_change(&row, true);

		values[0] = risk_numeric(risk->score);
		values[1] = CStringGetTextDatum(risk_level_code(risk->level));
		values[2] = CStringGetTextDatum(risk_won_by(risk));
		values[3] = CStringGetTextDatum(risk_reasons(risk, 3));
		isnull[4] = true;
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	SPI_finish();
	return (Datum) 0;
}
