/*-------------------------------------------------------------------------
 *
 * change_part.c
 *	  Parts belong to their change.
 *
 * Before a row of a part is written, its change is locked, so that whoever
 * edits and whoever approves or starts meet there at every isolation level.
 * After each statement the revision of every change that it touched is raised
 * once, by an UPDATE that carries what happened in parts_touched; the rules
 * of the change and its ledger see it there.  A statement that changes
 * nothing raises nothing.
 *
 * An INSERT that also updates (ON CONFLICT, MERGE) is two statements here, as
 * it is to the server's statement triggers.
 *
 * Called by the triggers of the part tables only.  What a part may hold and
 * what an edit of it may do is in change_part_rule.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "change.h"
#include "change_part.h"
#include "compat.h"
#include "errors.h"
#include "jsonb_push.h"
#include "model.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(part_stamp);
PG_FUNCTION_INFO_V1(part_changed);

PartsTouched *parts_touched = NULL;

PartsTouched *
parts_touched_of(const ChangeRow *row)
{
	return parts_touched && !parts_touched->done &&
		parts_touched->change_id == change_id_of(row) ? parts_touched : NULL;
}

typedef struct PartEdits
{
	int			count;
	int			capacity;
	PartEdit   *edits;
} PartEdits;

PartTable
part_table(Relation rel)
{
	static const char *const names[] = {
		[PART_ITEM] = "change_item",
		[PART_RISK] = "change_risk",
		[PART_TASK] = "change_task",
		[PART_CHECK] = "change_check",
		[PART_COMMENT] = "change_comment",
		[PART_LINK] = "change_link",
		[PART_WAIVER] = "change_waiver",
		[PART_PROPOSAL] = "template_proposal",
		[PART_COMMUNICATION] = "change_communication",
		[PART_REVIEW] = "change_review"
	};

	for (size_t i = 0; i < lengthof(names); i++)
		if (strcmp(RelationGetRelationName(rel), names[i]) == 0)
			return (PartTable) i;
	return PART_OTHER;
}

Datum
part_value(HeapTuple tuple, TupleDesc desc, const char *column, bool *isnull)
{
	int			attnum = SPI_fnumber(desc, column);

	if (attnum <= 0)
		elog(ERROR, "part has no column \"%s\"", column);
	return heap_getattr(tuple, attnum, desc, isnull);
}

int64
part_id(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;
	Datum		value = part_value(tuple, desc, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

int64
part_change_id(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		id = part_value(tuple, desc, "change_id", &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("the change is null"),
				 errhint("Parts belong to a change; changemgmt.change_id(number) gives its id.")));
	return DatumGetInt64(id);
}

bool
part_equal(HeapTuple a, HeapTuple b, TupleDesc desc, const char *column)
{
	int			attnum = SPI_fnumber(desc, column);
	Form_pg_attribute attribute;
	bool		a_null,
				b_null;
	Datum		a_value;
	Datum		b_value;

	/* a table that an older version made may lack it */
	if (attnum <= 0)
		return true;
	attribute = TupleDescAttr(desc, attnum - 1);
	a_value = heap_getattr(a, attnum, desc, &a_null);
	b_value = heap_getattr(b, attnum, desc, &b_null);
	if (a_null || b_null)
		return a_null == b_null;
	return datum_image_eq(a_value, b_value, attribute->attbyval,
						  attribute->attlen);
}

/* Whether a text column holds this code. */
bool
part_is(HeapTuple tuple, TupleDesc desc, const char *column, const char *code)
{
	bool		isnull;
	Datum		value = part_value(tuple, desc, column, &isnull);

	return !isnull && strcmp(TextDatumGetCString(value), code) == 0;
}

bool
part_true(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;
	Datum		value = part_value(tuple, desc, column, &isnull);

	return !isnull && DatumGetBool(value);
}

/* Whether old and new agree in all of these columns (NULL-terminated). */
bool
part_same(HeapTuple old, HeapTuple new, TupleDesc desc,
		  const char *const *columns)
{
	for (; *columns; columns++)
		if (!part_equal(old, new, desc, *columns))
			return false;
	return true;
}

HeapTuple
part_set(HeapTuple tuple, TupleDesc desc, const char *column, Datum value,
		 bool isnull)
{
	int			attnum = SPI_fnumber(desc, column);

	return heap_modify_tuple_by_cols(tuple, desc, 1, &attnum, &value, &isnull);
}

/*
 * Lock the change of a part until the transaction ends, and tell its status;
 * false where who is acting may not see it.
 */
static bool
part_lock(int64 change_id, Status *status)
{
	static KeptPlan lock = {
		"SELECT status, confidential FROM changemgmt.change"
		" WHERE id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(change_id);
	bool		isnull;
	Datum		value;
	bool		visible;

	SPI_connect();
	kept_plan_execute(&lock, &argument, NULL, 0);
	value = spi_first_value(1, &isnull);
	if (isnull)
		change_unknown(change_id);
	*status = status_from_datum(value);
	visible = !DatumGetBool(spi_first_value(2, &isnull)) ||
		change_is_visible(change_id);
	SPI_finish();
	return visible;
}

/* ----------------------------------------------------------------
 * Before the row: lock and stamp
 * ---------------------------------------------------------------- */

/* Write who did it, where the row does not say. */
HeapTuple
part_stamp_actor(HeapTuple tuple, TupleDesc desc, const char *column)
{
	int64		person = actor_person();

	return part_set(tuple, desc, column, Int64GetDatum(person), person == 0);
}

static HeapTuple
stamp_item(HeapTuple old, HeapTuple new, TupleDesc desc)
{
	static KeptPlan version = {
		"SELECT version FROM changemgmt.configuration_item"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	bool		isnull;
	Datum		ci;
	Datum		value;

	part_value(new, desc, "version_before", &isnull);
	if (old != NULL || !isnull)
		return new;
	ci = part_value(new, desc, "ci_id", &isnull);
	if (isnull)
		return new;

	SPI_connect();
	kept_plan_execute(&version, &ci, NULL, 0);
	value = spi_first_value(1, &isnull);
	if (!isnull)
	{
		value = SPI_datumTransfer(value, false, -1);
		new = part_set(new, desc, "version_before", value, false);
		/* the tuple was formed in the SPI context: bring it out */
		new = SPI_copytuple(new);
	}
	SPI_finish();
	return new;
}

static HeapTuple
stamp_task_status(HeapTuple old, HeapTuple new, TupleDesc desc)
{
	static const char *const status[] = {"status", NULL};
	static const char *const who[] = {"done_by_id", "done_at", NULL};
	bool		isnull;

	if (old ? part_same(old, new, desc, status) :
		part_is(new, desc, "status", "open"))
		return new;
	if (part_is(new, desc, "status", "open"))
	{
		new = part_set(new, desc, "done_by_id", 0, true);
		return part_set(new, desc, "done_at", 0, true);
	}
	if (old && !part_same(old, new, desc, who))
		return new;				/* given: the judge will see */
	part_value(new, desc, "done_by_id", &isnull);
	if (old || isnull)
		new = part_stamp_actor(new, desc, "done_by_id");
	part_value(new, desc, "done_at", &isnull);
	if (old || isnull)
		new = part_set(new, desc, "done_at",
					   TimestampTzGetDatum(GetCurrentTimestamp()), false);
	return new;
}

static int
int64_compare(const void *a, const void *b)
{
	int64		x = DatumGetInt64(*(const Datum *) a);
	int64		y = DatumGetInt64(*(const Datum *) b);

	return x < y ? -1 : x > y;
}

/* The ids that a task names, in order and once. */
static HeapTuple
stamp_dependencies(HeapTuple old, HeapTuple new, TupleDesc desc)
{
	bool		isnull;
	Datum		value = part_value(new, desc, "depends_on", &isnull);
	Datum	   *ids;
	int			count;
	int			kept = 0;
	ArrayType  *array;

	if (isnull || (old && part_equal(old, new, desc, "depends_on")))
		return new;
	array = DatumGetArrayTypeP(value);
	if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) == 0)
		array = construct_empty_array(INT8OID);
	else
	{
		deconstruct_array(array, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
						  &ids, NULL, &count);
		qsort(ids, count, sizeof(Datum), int64_compare);
		for (int i = 0; i < count; i++)
			if (i == 0 || DatumGetInt64(ids[i]) != DatumGetInt64(ids[kept - 1]))
				ids[kept++] = ids[i];
		array = construct_array(ids, kept, INT8OID, 8, FLOAT8PASSBYVAL,
								TYPALIGN_DOUBLE);
	}
	return part_set(new, desc, "depends_on", PointerGetDatum(array), false);
}

/* A review is of the line as it stands. */
static HeapTuple
stamp_line_review(HeapTuple old, HeapTuple new, TupleDesc desc)
{
	static const char *const review[] = {"reviewed_by_id", "reviewed_at", NULL};
	bool		isnull;

	part_value(new, desc, "reviewed_at", &isnull);
	if (old && part_same(old, new, desc, review))
	{
		if (isnull || part_same(old, new, desc, part_plan_columns(PART_TASK)))
			return new;
		new = part_set(new, desc, "reviewed_by_id", 0, true);
		return part_set(new, desc, "reviewed_at", 0, true);
	}
	if (isnull)
		return new;
	if (old == NULL || part_equal(old, new, desc, "reviewed_by_id"))
		new = part_stamp_actor(new, desc, "reviewed_by_id");
	return part_set(new, desc, "reviewed_at",
					TimestampTzGetDatum(GetCurrentTimestamp()), false);
}

static HeapTuple
stamp_task(HeapTuple old, HeapTuple new, TupleDesc desc)
{
	if (task_has_order(desc))
	{
		new = stamp_dependencies(old, new, desc);
		new = stamp_line_review(old, new, desc);
	}
	return stamp_task_status(old, new, desc);
}

/* Who wrote a row that somebody simply writes, and when. */
static HeapTuple
stamp_author(HeapTuple old, HeapTuple new, TupleDesc desc, const char *column,
			 const char *when)
{
	bool		isnull;

	part_value(new, desc, column, &isnull);
	if (old == NULL && isnull)
		new = part_stamp_actor(new, desc, column);
	if (old == NULL)
		new = part_set(new, desc, when,
					   TimestampTzGetDatum(GetCurrentTimestamp()), false);
	return new;
}

/* BEFORE ROW trigger of every part. */
Datum
part_stamp(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "part_stamp",
										 FOR_ROW | AT_BEFORE, NULL);
	TupleDesc	desc;
	HeapTuple	old = NULL;
	HeapTuple	new = NULL;
	int64		old_id = 0;
	int64		new_id = 0;
	Status		status = STATUS_DRAFT;
	Status		ignored;
	bool		visible = true;

	if (ledger_is_history(trigdata))
	{
		ledger_count_history(false);
		return PointerGetDatum(trigdata->tg_trigtuple);
	}

	desc = RelationGetDescr(trigdata->tg_relation);
	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		new = trigdata->tg_trigtuple;
	else
		old = trigdata->tg_trigtuple;
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		new = trigdata->tg_newtuple;

	if (old)
		old_id = part_change_id(old, desc);
	if (new)
		new_id = part_change_id(new, desc);
	if (old && new && old_id != new_id)
		part_check_move(part_table(trigdata->tg_relation), old, new,
						trigdata->tg_relation);
	/* a row that moves locks both changes, the lower id first */
	if (old && (new == NULL || old_id <= new_id))
		visible = part_lock(old_id, &status);
	if (new && (old == NULL || new_id != old_id) &&
		!part_lock(new_id, &status))
		change_unknown(new_id);
	if (old && new && old_id > new_id)
		visible = part_lock(old_id, &ignored);
	/* a row of a change that one may not see is not there */
	if (!visible)
		return PointerGetDatum(NULL);

	if (new)
	{
		part_check_codes(part_table(trigdata->tg_relation), new, desc);
		part_check_values(part_table(trigdata->tg_relation), new,
						  trigdata->tg_relation);
	}
	if (new)
		switch (part_table(trigdata->tg_relation))
		{
			case PART_ITEM:
				new = stamp_item(old, new, desc);
				break;
			case PART_TASK:
				new = stamp_task(old, new, desc);
				break;
			case PART_CHECK:
				new = check_stamp(old, new, desc, status);
				break;
			case PART_COMMUNICATION:
				new = communication_stamp(old, new, desc, status);
				break;
			case PART_REVIEW:
				new = stamp_author(old, new, desc, "reviewed_by_id", "reviewed_at");
				break;
			case PART_COMMENT:
				new = stamp_author(old, new, desc, "author_id", "created_at");
				break;
			case PART_WAIVER:
				new = stamp_author(old, new, desc, "waived_by_id", "waived_at");
				break;
			default:
				break;
		}
	return PointerGetDatum(new ? new : old);
}

/* ----------------------------------------------------------------
 * After the statement: judge and raise
 * ---------------------------------------------------------------- */

static void
edits_add(PartEdits *edits, int64 change_id, HeapTuple old, HeapTuple new)
{
	PartEdit   *edit;

	if (edits->count == edits->capacity)
	{
		edits->capacity = edits->capacity ? edits->capacity * 2 : 8;
		edits->edits = edits->edits ?
			repalloc_huge(edits->edits, edits->capacity * sizeof(PartEdit)) :
			palloc(edits->capacity * sizeof(PartEdit));
	}
	edit = &edits->edits[edits->count++];
	edit->change_id = change_id;
	edit->ordinal = edits->count;
	edit->old = old;
	edit->new = new;
}

/* Take the rows of both transition tables, in step. */
static void
edits_collect(PartEdits *edits, TriggerData *trigdata, TupleDesc desc)
{
	TupleTableSlot *old_slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	TupleTableSlot *new_slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	Tuplestorestate *olds = trigdata->tg_oldtable;
	Tuplestorestate *news = trigdata->tg_newtable;

	if (olds)
		tuplestore_rescan(olds);
	if (news)
		tuplestore_rescan(news);
	for (;;)
	{
		HeapTuple	old = NULL;
		HeapTuple	new = NULL;

		CHECK_FOR_INTERRUPTS();
		if (olds && tuplestore_gettupleslot(olds, true, false, old_slot))
			old = ExecCopySlotHeapTuple(old_slot);
		if (news && tuplestore_gettupleslot(news, true, false, new_slot))
			new = ExecCopySlotHeapTuple(new_slot);
		if (old == NULL && new == NULL)
			break;
		if (old && new)
		{
			int64		old_id = part_change_id(old, desc);
			int64		new_id = part_change_id(new, desc);
			bool		same = true;

			if (old_id != new_id)
			{
				edits_add(edits, old_id, old, NULL);
				edits_add(edits, new_id, NULL, new);
				continue;
			}
			for (int i = 0; i < desc->natts && same; i++)
				same = part_equal(old, new, desc,
								  NameStr(TupleDescAttr(desc, i)->attname));
			if (same)
				continue;
		}
		edits_add(edits, part_change_id(new ? new : old, desc), old, new);
	}
	ExecDropSingleTupleTableSlot(old_slot);
	ExecDropSingleTupleTableSlot(new_slot);
}

static int
edit_compare(const void *a, const void *b)
{
	const PartEdit *x = a;
	const PartEdit *y = b;

	if (x->change_id != y->change_id)
		return x->change_id < y->change_id ? -1 : 1;
	return x->ordinal - y->ordinal;
}

/* {"table": [{"op": ..., ...}, ...]} for the edits of one change. */
static Jsonb *
edits_jsonb(Relation rel, TupleDesc desc, const PartEdit *edits, int count)
{
	JsonbParseState *state = NULL;
	JsonbValue *result;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	jsonb_push_key(&state, RelationGetRelationName(rel));
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < count; i++)
	{
		const PartEdit *edit = &edits[i];

		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		if (edit->old && edit->new)
		{
			bool		isnull;
			Datum		id = part_value(edit->new, desc, "id", &isnull);

			jsonb_push_text(&state, "op", "update");
			jsonb_push_int64(&state, "id", DatumGetInt64(id));
			jsonb_push_key(&state, "changed");
			pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
			ledger_push_diff(&state, desc, edit->old, edit->new, NULL);
			pushJsonbValue(&state, WJB_END_OBJECT, NULL);
		}
		else
		{
			jsonb_push_text(&state, "op", edit->new ? "insert" : "delete");
			jsonb_push_key(&state, edit->new ? "new" : "old");
			ledger_push_row(&state, desc, edit->new ? edit->new : edit->old,
							NULL);
		}
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	result = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(result);
}

/* Raise the revision of a change for the edits of its parts. */
static void
change_raise(Relation rel, TupleDesc desc, const PartEdit *edits, int count)
{
	static KeptPlan raise = {
		"UPDATE changemgmt.change"
		" SET revision = revision OPERATOR(pg_catalog.+) 1"
		" WHERE id OPERATOR(pg_catalog.=) $1"
		" RETURNING status, model, model_version, actual_start,"
		" first_submitted_at IS NOT NULL, rolled_back_at",
		1, {INT8OID}, NULL
	};
	PartTable	table = part_table(rel);
	PartsTouched touched;
	PartsTouched *save = parts_touched;
	Datum		argument = Int64GetDatum(edits->change_id);
	Status		status;
	const ChangeModel *model;
	TimestampTz begun;
	TimestampTz taken_back;
	bool		submitted;
	char	   *key;
	bool		isnull;

	touched.change_id = edits->change_id;
	touched.changed = edits_jsonb(rel, desc, edits, count);
	touched.plan = false;
	touched.items = table == PART_ITEM;
	touched.done = false;
	for (int i = 0; i < count && !touched.plan; i++)
		touched.plan = part_edit_is_plan(table, &edits[i], desc);

	SPI_connect();
	parts_touched = &touched;
	PG_TRY();
	{
		kept_plan_execute(&raise, &argument, NULL, 0);
	}
	PG_FINALLY();
	{
		parts_touched = save;
	}
	PG_END_TRY();

	kept_plan_require_row(&raise, psprintf("the edit of %s",
										   change_number_text(edits->change_id)));
	status = status_from_datum(spi_first_value(1, &isnull));
	key = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	model = model_find(key, DatumGetInt32(spi_first_value(3, &isnull)));
	begun = DatumGetTimestampTz(spi_first_value(4, &isnull));
	if (isnull)
		begun = DT_NOEND;
	submitted = DatumGetBool(spi_first_value(5, &isnull));
	taken_back = DatumGetTimestampTz(spi_first_value(6, &isnull));
	if (isnull)
		taken_back = DT_NOEND;
	for (int i = 0; i < count; i++)
		part_edit_judge(table, &edits[i], desc, rel, status, model, begun,
						taken_back, submitted);
	if (table == PART_TASK)
		tasks_judge(edits, count, desc, rel);
	SPI_finish();
}

/* AFTER STATEMENT trigger of every part. */
Datum
part_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "part_changed",
										 FOR_STATEMENT | AT_AFTER, NULL);
	TupleDesc	desc;
	PartEdits	edits = {0, 0, NULL};
	MemoryContext context;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);

	desc = RelationGetDescr(trigdata->tg_relation);
	edits_collect(&edits, trigdata, desc);
	if (edits.count == 0)
		return PointerGetDatum(NULL);

	/* in the order of their ids, so that two statements cannot deadlock */
	qsort(edits.edits, edits.count, sizeof(PartEdit), edit_compare);
	context = AllocSetContextCreate(CurrentMemoryContext, "changemgmt parts",
									ALLOCSET_DEFAULT_SIZES);
	for (int first = 0, i = 1; i <= edits.count; i++)
		if (i == edits.count ||
			edits.edits[i].change_id != edits.edits[first].change_id)
		{
			MemoryContext caller = MemoryContextSwitchTo(context);

			change_raise(trigdata->tg_relation, desc, &edits.edits[first],
						 i - first);
			MemoryContextSwitchTo(caller);
			MemoryContextReset(context);
			first = i;
		}
	MemoryContextDelete(context);
	return PointerGetDatum(NULL);
}
