/*-------------------------------------------------------------------------
 *
 * lifecycle_checklist.c
 *	  The checklist of a model as tasks of its changes, and reviews of tasks.
 *
 * The entries become tasks where a change is created, copied or given another
 * model, and when it is submitted, which takes the latest version of its model.
 * What lacks all the same (the row came by INSERT or COPY) the requirements
 * name, and add_checklist() adds.  change_task.c keeps such tasks from being
 * removed or made into others.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(add_checklist);
PG_FUNCTION_INFO_V1(review_object);

/* The model whose checklist a change is to have: submitting takes the latest. */
static const ChangeModel *
checklist_model(const ChangeRow *row)
{
	const ChangeModel *model = lifecycle_model(row);
	const ChangeModel *latest;
	bool		retired;

	if (change_status(row) > STATUS_PLANNED)
		return model;
	latest = model_latest_if_any(model->key, &retired);
	return latest ? latest : model;
}

int
checklist_add(const ChangeRow *row)
{
	static KeptPlan insert = {
		"INSERT INTO changemgmt.change_task (change_id, phase, position, title,"
		" description, is_smoke_test, checklist_key)"
		" SELECT $1, e.phase, COALESCE(e.position, LEAST(COALESCE("
		"  (SELECT pg_catalog.max(p.position) FROM changemgmt.change_task AS p"
		"   WHERE p.change_id OPERATOR(pg_catalog.=) $1"
		"   AND p.phase OPERATOR(pg_catalog.=) e.phase"
		"   AND NOT (p.is_smoke_test AND p.checklist_key IS NOT NULL)), 0)"
		"  OPERATOR(pg_catalog.+) pg_catalog.row_number()"
		"   OVER (PARTITION BY e.phase ORDER BY e.n), 2147483647)::pg_catalog.int4),"
		" e.title, e.description, e.is_smoke_test, e.key"
		" FROM (SELECT o.n, o.e OPERATOR(pg_catalog.->>) 'key' AS key,"
		"  o.e OPERATOR(pg_catalog.->>) 'phase' AS phase,"
		"  o.e OPERATOR(pg_catalog.->>) 'title' AS title,"
		"  o.e OPERATOR(pg_catalog.->>) 'description' AS description,"
		"  (o.e OPERATOR(pg_catalog.->>) 'is_smoke_test')::pg_catalog.bool AS is_smoke_test,"
		"  (o.e OPERATOR(pg_catalog.->>) 'position')::pg_catalog.int4 AS position"
		"  FROM pg_catalog.jsonb_array_elements($2) WITH ORDINALITY AS o (e, n)) AS e"
		" WHERE NOT EXISTS (SELECT FROM changemgmt.change_task AS t"
		"  WHERE t.change_id OPERATOR(pg_catalog.=) $1"
		"  AND t.checklist_key OPERATOR(pg_catalog.=) e.key)"
		" ORDER BY e.n",
		2, {INT8OID, JSONBOID}, NULL
	};
	const ChangeModel *model = checklist_model(row);
	Datum		arguments[2];

	if (model->checklist == NIL || !column_exists("change_task", "checklist_key"))
		return 0;
	arguments[0] = row->value[CH_id];
	arguments[1] = JsonbPGetDatum(checklist_jsonb(model->checklist));
	kept_plan_execute(&insert, arguments, NULL, 0);
	return SPI_processed;
}

static int
key_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/*
 * The titles of the entries that a change has no task for, "a, b, c"; NULL where
 * it has all.  Of one phase, where it is given.
 */
char *
checklist_lacks(const Transition *t, const char *phase)
{
	/* in the order of the index: mostly they are all there, and no more */
	static KeptPlan together = {
		"SELECT pg_catalog.string_agg(t.checklist_key, ' ') FROM ("
		"SELECT checklist_key FROM changemgmt.change_task"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND checklist_key IS NOT NULL"
		" ORDER BY checklist_key COLLATE pg_catalog.\"C\") AS t",
		1, {INT8OID}, NULL
	};
	static KeptPlan keys = {
		"SELECT checklist_key FROM changemgmt.change_task"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND checklist_key IS NOT NULL",
		1, {INT8OID}, NULL
	};
	Datum		argument = t->row->value[CH_id];
	StringInfoData lacking;
	const char **found;
	int			count;
	bool		asked = phase == NULL && t->model->checklist != NIL;
	bool		same;
	char	   *all;
	ListCell   *lc;

	foreach(lc, t->model->checklist)
		asked |= phase &&
			strcmp(((const ChecklistEntry *) lfirst(lc))->phase, phase) == 0;
	if (!asked || !column_exists("change_task", "checklist_key"))
		return NULL;
	kept_plan_execute(&together, &argument, NULL, 1);
	all = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	same = all && strcmp(all, t->model->checklist_keys) == 0;
	SPI_freetuptable(SPI_tuptable);
	if (same)
		return NULL;
	kept_plan_execute(&keys, &argument, NULL, 0);
	count = SPI_processed;
	found = palloc(sizeof(char *) * Max(count, 1));
	for (int i = 0; i < count; i++)
		found[i] = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
	SPI_freetuptable(SPI_tuptable);
	qsort(found, count, sizeof(char *), key_compare);

	initStringInfo(&lacking);
	foreach(lc, t->model->checklist)
	{
		const ChecklistEntry *entry = lfirst(lc);
		const char *key = entry->key;

		if ((phase == NULL || strcmp(entry->phase, phase) == 0) &&
			bsearch(&key, found, count, sizeof(char *), key_compare) == NULL)
			text_list_add(&lacking, entry->title);
	}
	return lacking.len > 0 ? lacking.data : NULL;
}

/* add_checklist(change_id): how many tasks were added */
Datum
add_checklist(PG_FUNCTION_ARGS)
{
	ChangeRow	row;
	int			count;

	SPI_connect();
	lifecycle_open(&row, fcinfo, 1);
	count = checklist_add(&row);
	SPI_finish();
	PG_RETURN_INT32(count);
}

/* review_object(task_id, expected_revision): a line as it stands, by who acts */
Datum
review_object(PG_FUNCTION_ARGS)
{
	static KeptPlan find = {
		"SELECT change_id FROM changemgmt.change_task"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	static KeptPlan update = {
		"UPDATE changemgmt.change_task"
		" SET reviewed_at = pg_catalog.statement_timestamp()"
		" WHERE id OPERATOR(pg_catalog.=) $1 RETURNING true",
		1, {INT8OID}, NULL
	};
	ChangeRow	row;
	Datum		argument = PG_GETARG_DATUM(0);
	Datum		change_id;
	bool		isnull;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	SPI_connect();
	kept_plan_execute(&find, &argument, NULL, 1);
	change_id = spi_first_value(1, &isnull);
	if (isnull || !change_is_visible(DatumGetInt64(change_id)))
	{
		SPI_finish();
		PG_RETURN_NULL();
	}
	change_find(&row, DatumGetInt64(change_id), true);
	lifecycle_expect(&row, fcinfo, 1);
	kept_plan_execute(&update, &argument, NULL, 0);
	(void) spi_first_value(1, &isnull);
	SPI_finish();
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(true);
}
