/*-------------------------------------------------------------------------
 *
 * lifecycle_copy.c
 *	  New changes out of others: copies, and what follows from a review.
 *
 * Of a plan its columns and parts are copied, not what became of them.  There is
 * no state but the kept plans.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "compat.h"
#include "errors.h"
#include "jsonb_push.h"
#include "lifecycle.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(copy_change);
PG_FUNCTION_INFO_V1(create_follow_up);

#define COPY(part, columns, more) \
	"INSERT INTO changemgmt." part " (change_id, " columns ")" \
	" SELECT $2, " columns " FROM changemgmt." part \
	" WHERE change_id OPERATOR(pg_catalog.=) $1" more " ORDER BY id"

/*
 * The parts of a plan: from $1 to $2; $3 is the checklist of the model.  Those
 * that lack the column are of 1.0.
 */
static struct
{
	const char *relation;
	const char *column;
	KeptPlan	copy;
	KeptPlan	copy_before;
}			copies[] = {
	{"change_risk", "residual_impact", {
			COPY("change_risk", "description, likelihood, impact, mitigation,"
				 " owner_id, residual_likelihood, residual_impact", ""),
	2, {INT8OID, INT8OID}, NULL}, {
			COPY("change_risk", "description, likelihood, impact, mitigation", ""),
	2, {INT8OID, INT8OID}, NULL}},
	{"change_item", NULL, {
			COPY("change_item", "ci_id, role, version_after", ""),
	2, {INT8OID, INT8OID}, NULL}, {NULL, 0, {0}, NULL}},
	{"change_task", "checklist_key", {
			"WITH e AS MATERIALIZED (SELECT t.*,"
			"  pg_catalog.nextval('changemgmt.change_task_id_seq'::pg_catalog.regclass) AS copy"
			"  FROM (SELECT * FROM changemgmt.change_task"
			"   WHERE change_id OPERATOR(pg_catalog.=) $1 AND NOT is_condition"
			"   ORDER BY id) AS t)"
			" INSERT INTO changemgmt.change_task (id, change_id, phase, position, title,"
			" description, object_kind, object_name, object_system, assignee_id,"
			" is_smoke_test, depends_on, checklist_key)"
			" SELECT copy, $2, phase, position, title, description, object_kind,"
			" object_name, object_system, assignee_id, is_smoke_test,"
			" COALESCE((SELECT pg_catalog.array_agg(o.copy) FROM e AS o"
			"  WHERE o.id OPERATOR(pg_catalog.=) ANY (e.depends_on)), '{}'),"
			/* what the model asks for no more is a task like others */
			" CASE WHEN $3 OPERATOR(pg_catalog.@>) pg_catalog.jsonb_build_array("
			"  pg_catalog.jsonb_build_object('key', checklist_key, 'phase', phase,"
			"   'is_smoke_test', is_smoke_test)) THEN checklist_key END"
			" FROM e ORDER BY id",
	3, {INT8OID, INT8OID, JSONBOID}, NULL}, {
			COPY("change_task", "phase, position, title, description, object_kind,"
				 " object_name, assignee_id", " AND NOT is_condition"),
	2, {INT8OID, INT8OID}, NULL}},
	{"change_communication", NULL, {
			COPY("change_communication", "timing, stakeholder, channel, message",
				 " AND is_planned"),
	2, {INT8OID, INT8OID}, NULL}, {NULL, 0, {0}, NULL}},
	{"change_check", "signal", {
			COPY("change_check", "kind, stage, title, expected, is_required, signal,"
				 " baseline, threshold, bad_when, is_rollback_trigger",
				 " AND is_planned"),
	2, {INT8OID, INT8OID}, NULL}, {
			COPY("change_check", "kind, stage, title, expected, is_required",
				 " AND is_planned"),
	2, {INT8OID, INT8OID}, NULL}},
};

/* copy_change(change_id, title): a new draft with the plan of another. */
Datum
copy_change(PG_FUNCTION_ARGS)
{
	static KeptPlan insert = {NULL, 3, {INT8OID, TEXTOID, TEXTOID}, NULL};
	static int	insert_columns = 0;
	ChangeRow	row;
	const ChangeModel *model;
	Datum		arguments[3];
	char		nulls[3] = {' ', ' ', ' '};
	bool		isnull;
	Datum		result;

	SPI_connect();
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the change is null")));
	change_find(&row, PG_GETARG_INT64(0), false);
	model = model_latest(change_text(&row, model));
	if (is_to_write(&insert, &insert_columns))
	{
		StringInfoData columns;

		/* the plan and the remarks on it, without what is of its own time */
		initStringInfo(&columns);
		for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
			if (column_is_content(i) && i != CH_title &&
				change_column_classes[i] != FIELD_SCHEDULE &&
				i != CH_requester_id && i != CH_deadline &&
				i != CH_promised_at && i != CH_cost_actual &&
				i != CH_realised_benefit)
				appendStringInfo(&columns, ", %s", change_column_names[i]);
		insert.sql = MemoryContextStrdup(TopMemoryContext,
										 psprintf("INSERT INTO changemgmt.change (status, copied_from_id, title%s)"
												  " SELECT $3, id, COALESCE($2, title)%s"
												  " FROM changemgmt.change"
												  " WHERE id OPERATOR(pg_catalog.=) $1 RETURNING id",
												  columns.data, columns.data));
	}
	arguments[0] = row.value[CH_id];
	arguments[1] = PG_ARGISNULL(1) ? (Datum) 0 : PG_GETARG_DATUM(1);
	nulls[1] = PG_ARGISNULL(1) ? 'n' : ' ';
	arguments[2] = CStringGetTextDatum(status_code(model->first_status));
	kept_plan_execute_input(&insert, arguments, nulls, 0);
	arguments[1] = spi_first_value(1, &isnull);
	arguments[2] = JsonbPGetDatum(checklist_jsonb(model->checklist));
	for (size_t i = 0; i < lengthof(copies); i++)
	{
		if (!relation_exists(copies[i].relation))
			continue;
		kept_plan_execute(copies[i].column == NULL ||
						  column_exists(copies[i].relation, copies[i].column) ?
						  &copies[i].copy : &copies[i].copy_before,
						  arguments, NULL, 0);
	}
	change_find(&row, DatumGetInt64(arguments[1]), false);
	if (checklist_add(&row) > 0)
		change_find(&row, change_id_of(&row), false);
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

/*
 * create_follow_up(change_id, title, description, model, owner, with_items):
 * a new change, linked to the one that it was learned of.
 */
Datum
create_follow_up(PG_FUNCTION_ARGS)
{
	static KeptPlan items = {
		"SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object("
		" 'ci', ci.name, 'role', p.role) ORDER BY p.id)"
		" FROM changemgmt.change_item AS p"
		" JOIN changemgmt.configuration_item AS ci"
		"  ON ci.id OPERATOR(pg_catalog.=) p.ci_id"
		" WHERE p.change_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	static KeptPlan follow = {
		"INSERT INTO changemgmt.change_link (change_id, relation, target_change_id)"
		" VALUES ($1, 'follows_up', $2)",
		2, {INT8OID, INT8OID}, NULL
	};
	static const struct
	{
		int			argument;
		const char *key;
	}			texts[] = {
		{1, "title"}, {2, "description"}, {3, "model"}, {4, "owner"}
	};
	ChangeRow	row;
	JsonbParseState *state = NULL;
	JsonbValue	value;
	Datum		arguments[2];
	Datum		change;
	bool		isnull;
	Datum		result;

	SPI_connect();
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the change is null")));
	change_find(&row, PG_GETARG_INT64(0), false);
	arguments[1] = row.value[CH_id];
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (size_t i = 0; i < lengthof(texts); i++)
		if (!PG_ARGISNULL(texts[i].argument))
			jsonb_push_text(&state, texts[i].key,
							text_to_cstring(PG_GETARG_TEXT_PP(texts[i].argument)));
	jsonb_push_text(&state, "environment", change_text(&row, environment));
	/* what it tells is what the other one may not */
	jsonb_push_bool(&state, "confidential", change_bool(&row, confidential));
	if (!change_is_null(&row, confidential_until))
		jsonb_push_text(&state, "confidential_until",
						DatumGetCString(DirectFunctionCall1(timestamptz_out,
															row.value[CH_confidential_until])));
	if (!PG_ARGISNULL(5) && PG_GETARG_BOOL(5))
	{
		kept_plan_execute(&items, &arguments[1], NULL, 1);
		change = spi_first_value(1, &isnull);
		if (!isnull)
		{
			JsonbToJsonbValue(DatumGetJsonbP(change), &value);
			jsonb_push_value(&state, "items", &value);
		}
	}
	change = DirectFunctionCall1(create_change_from,
								 JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state,
																				 WJB_END_OBJECT,
																				 NULL))));
	arguments[0] = GetAttributeByName(DatumGetHeapTupleHeader(change), "id",
									  &isnull);
	kept_plan_execute(&follow, arguments, NULL, 0);
	kept_plan_require_row(&follow, "the link of the follow-up");
	change_find(&row, DatumGetInt64(arguments[0]), false);
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}
