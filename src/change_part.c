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
 * Called by the triggers of the part tables only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "change.h"
#include "compat.h"
#include "errors.h"
#include "jsonb_push.h"
#include "model.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(part_stamp);
PG_FUNCTION_INFO_V1(part_changed);
PG_FUNCTION_INFO_V1(truncate_guard);

PartsTouched *parts_touched = NULL;

PartsTouched *
parts_touched_of(const ChangeRow *row)
{
	return parts_touched && !parts_touched->done &&
		parts_touched->change_id == change_id_of(row) ? parts_touched : NULL;
}

/* What happened to one row of a part, for one change. */
typedef struct PartEdit
{
	int64		change_id;
	int			ordinal;		/* order within the statement */
	HeapTuple	old;			/* NULL for a new row */
	HeapTuple	new;			/* NULL for a deleted row */
} PartEdit;

typedef struct PartEdits
{
	int			count;
	int			capacity;
	PartEdit   *edits;
} PartEdits;

typedef enum PartTable
{
	PART_ITEM,
	PART_RISK,
	PART_TASK,
	PART_CHECK,
	PART_COMMENT,
	PART_LINK,
	PART_WAIVER,
	PART_OTHER					/* parts of later rooms: never plan */
} PartTable;

static PartTable
part_table(Relation rel)
{
	static const char *const names[] = {
		[PART_ITEM] = "change_item",
		[PART_RISK] = "change_risk",
		[PART_TASK] = "change_task",
		[PART_CHECK] = "change_check",
		[PART_COMMENT] = "change_comment",
		[PART_LINK] = "change_link",
		[PART_WAIVER] = "change_waiver"
	};

	for (size_t i = 0; i < lengthof(names); i++)
		if (strcmp(RelationGetRelationName(rel), names[i]) == 0)
			return (PartTable) i;
	return PART_OTHER;
}

static Datum
part_value(HeapTuple tuple, TupleDesc desc, const char *column, bool *isnull)
{
	int			attnum = SPI_fnumber(desc, column);

	if (attnum <= 0)
		elog(ERROR, "part has no column \"%s\"", column);
	return heap_getattr(tuple, attnum, desc, isnull);
}

static int64
part_change_id(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		id = part_value(tuple, desc, "change_id", &isnull);

	return isnull ? 0 : DatumGetInt64(id);
}

static bool
part_equal(HeapTuple a, HeapTuple b, TupleDesc desc, const char *column)
{
	int			attnum = SPI_fnumber(desc, column);
	Form_pg_attribute attribute = TupleDescAttr(desc, attnum - 1);
	bool		a_null,
				b_null;
	Datum		a_value = heap_getattr(a, attnum, desc, &a_null);
	Datum		b_value = heap_getattr(b, attnum, desc, &b_null);

	if (a_null || b_null)
		return a_null == b_null;
	return datum_image_eq(a_value, b_value, attribute->attbyval,
						  attribute->attlen);
}

/* Whether a text column holds this code. */
static bool
part_is(HeapTuple tuple, TupleDesc desc, const char *column, const char *code)
{
	bool		isnull;
	Datum		value = part_value(tuple, desc, column, &isnull);

	return !isnull && strcmp(TextDatumGetCString(value), code) == 0;
}

static bool
part_true(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;
	Datum		value = part_value(tuple, desc, column, &isnull);

	return !isnull && DatumGetBool(value);
}

static HeapTuple
part_set(HeapTuple tuple, TupleDesc desc, const char *column, Datum value,
		 bool isnull)
{
	int			attnum = SPI_fnumber(desc, column);

	return heap_modify_tuple_by_cols(tuple, desc, 1, &attnum, &value, &isnull);
}

/* Lock the change of a part until the transaction ends; its status. */
static Status
part_lock(int64 change_id)
{
	static KeptPlan lock = {
		"SELECT status FROM changemgmt.change"
		" WHERE id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(change_id);
	bool		isnull;
	Datum		value;
	Status		status;

	SPI_connect();
	kept_plan_execute(&lock, &argument, NULL, 0);
	value = spi_first_value(1, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("change " INT64_FORMAT " does not exist", change_id),
				 errhint("changemgmt.create_change() creates changes; changemgmt.change_id() finds the id of a number.")));
	status = status_from_datum(value);
	SPI_finish();
	return status;
}

/* ----------------------------------------------------------------
 * Before the row: lock and stamp
 * ---------------------------------------------------------------- */

/* Write who did it, where the row does not say. */
static HeapTuple
part_stamp_actor(HeapTuple tuple, TupleDesc desc, const char *column)
{
	int64		person = actor_person();

	return part_set(tuple, desc, column, Int64GetDatum(person), person == 0);
}

/* Whether old and new agree in all of these columns (NULL-terminated). */
static bool
part_same(HeapTuple old, HeapTuple new, TupleDesc desc,
		  const char *const *columns)
{
	for (; *columns; columns++)
		if (!part_equal(old, new, desc, *columns))
			return false;
	return true;
}

/* Codes that a part cannot have (MC008). */
static void
part_check_codes(PartTable table, HeapTuple tuple, TupleDesc desc)
{
	static const struct
	{
		PartTable	table;
		const char *column;
		const char *list;
	}			coded[] = {
		{PART_ITEM, "role", "item_role"},
		{PART_RISK, "likelihood", "likelihood"},
		{PART_RISK, "impact", "impact"},
		{PART_TASK, "phase", "task_phase"},
		{PART_TASK, "status", "task_status"},
		{PART_TASK, "object_kind", "object_kind"},
		{PART_CHECK, "kind", "check_kind"},
		{PART_CHECK, "stage", "check_stage"},
		{PART_LINK, "relation", "link_relation"},
	};

	for (size_t i = 0; i < lengthof(coded); i++)
	{
		bool		isnull;
		Datum		value;

		if (coded[i].table != table)
			continue;
		value = part_value(tuple, desc, coded[i].column, &isnull);
		if (!isnull)
			code_check(coded[i].list, value, coded[i].column);
	}
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
stamp_task(HeapTuple old, HeapTuple new, TupleDesc desc)
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

static HeapTuple
stamp_check(HeapTuple old, HeapTuple new, TupleDesc desc, Status status)
{
	static const char *const result[] = {"passed", "observed", NULL};
	static const char *const who[] = {"checked_by_id", NULL};
	static const char *const when[] = {"checked_at", NULL};
	bool		isnull;
	bool		planned;

	if (old)
		planned = part_true(old, desc, "is_planned");
	else
		planned = status < STATUS_IN_PROGRESS;
	new = part_set(new, desc, "is_planned", BoolGetDatum(planned), false);

	part_value(new, desc, "passed", &isnull);
	if (isnull || (old && part_same(old, new, desc, result) &&
				   part_same(old, new, desc, when)))
		return new;
	part_value(new, desc, "checked_by_id", &isnull);
	if (isnull || (old && part_same(old, new, desc, who)))
		new = part_stamp_actor(new, desc, "checked_by_id");
	part_value(new, desc, "checked_at", &isnull);
	if (isnull || (old && part_same(old, new, desc, when)))
		new = part_set(new, desc, "checked_at",
					   TimestampTzGetDatum(GetCurrentTimestamp()), false);
	return new;
}

/* Who wrote a row that somebody simply writes. */
static HeapTuple
stamp_author(HeapTuple old, HeapTuple new, TupleDesc desc, const char *column)
{
	bool		isnull;

	part_value(new, desc, column, &isnull);
	if (old == NULL && isnull)
		new = part_stamp_actor(new, desc, column);
	return new;
}

/* BEFORE ROW trigger of every part. */
Datum
part_stamp(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	HeapTuple	old = NULL;
	HeapTuple	new = NULL;
	int64		old_id = 0;
	int64		new_id = 0;
	Status		status = STATUS_DRAFT;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("part_stamp: not called as a trigger")));
	if (ledger_is_history(trigdata))
	{
		ledger_count_history();
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
	/* a row that moves locks both changes, the lower id first */
	if (old && (new == NULL || old_id <= new_id))
		status = part_lock(old_id);
	if (new && (old == NULL || new_id != old_id))
		status = part_lock(new_id);
	if (old && new && old_id > new_id)
		(void) part_lock(old_id);

	if (new)
		part_check_codes(part_table(trigdata->tg_relation), new, desc);
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
				new = stamp_check(old, new, desc, status);
				break;
			case PART_COMMENT:
				new = stamp_author(old, new, desc, "author_id");
				break;
			case PART_WAIVER:
				new = stamp_author(old, new, desc, "waived_by_id");
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

/* Whether a row is part of the plan that an approval seals. */
static bool
row_is_plan(PartTable table, HeapTuple tuple, TupleDesc desc)
{
	switch (table)
	{
		case PART_ITEM:
		case PART_RISK:
			return true;
		case PART_TASK:
			return !part_true(tuple, desc, "is_condition") &&
				!part_is(tuple, desc, "phase", "follow_up");
		case PART_CHECK:
			return part_true(tuple, desc, "is_planned");
		case PART_LINK:
			return part_is(tuple, desc, "relation", "depends_on");
		case PART_COMMENT:
		case PART_WAIVER:
		case PART_OTHER:
			return false;
	}
	return false;
}

/* Whether an edit touches what an approval seals. */
static bool
edit_is_plan(PartTable table, const PartEdit *edit, TupleDesc desc)
{
	static const char *const plan_columns[][8] = {
		[PART_ITEM] = {"ci_id", "role", "version_before", "version_after", NULL},
		[PART_RISK] = {"description", "likelihood", "impact", "mitigation", NULL},
		[PART_TASK] = {"phase", "position", "title", "description",
		"object_kind", "object_name", "is_condition", NULL},
		[PART_CHECK] = {"kind", "stage", "title", "expected", "is_required", NULL},
		[PART_COMMENT] = {NULL},
		[PART_LINK] = {"relation", "target_change_id", "target", NULL},
		[PART_WAIVER] = {NULL},
		[PART_OTHER] = {NULL},
	};

	if (!(edit->old && row_is_plan(table, edit->old, desc)) &&
		!(edit->new && row_is_plan(table, edit->new, desc)))
		return false;
	return !(edit->old && edit->new) ||
		!part_same(edit->old, edit->new, desc, plan_columns[table]);
}

/* Nobody writes in another's name. */
static void
edit_check_person(const PartEdit *edit, TupleDesc desc, Relation rel,
				  const char *column)
{
	bool		isnull;
	Datum		person;

	if (edit->new == NULL ||
		(edit->old && part_equal(edit->old, edit->new, desc, column)))
		return;
	person = part_value(edit->new, desc, column, &isnull);
	if (!isnull && DatumGetInt64(person) != actor_person())
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
				 errmsg("%s of %s is always who acts", column,
						RelationGetRelationName(rel)),
				 errhint("Leave the column out: it is filled in."),
				 errtablecol(rel, SPI_fnumber(desc, column))));
}

static void
edit_check_time(const PartEdit *edit, TupleDesc desc, Relation rel,
				const char *column)
{
	bool		isnull;
	Datum		at;

	if (edit->new == NULL)
		return;
	at = part_value(edit->new, desc, column, &isnull);
	if (!isnull && DatumGetTimestampTz(at) > GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("%s of %s lies in the future", column,
						RelationGetRelationName(rel)),
				 errtablecol(rel, SPI_fnumber(desc, column))));
}

static void
progress_error(const char *what, int64 change_id, const char *status,
			   const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_ILLEGAL_TRANSITION), err_as_caller(),
			 errmsg("%s: change " INT64_FORMAT " is %s", what, change_id,
					status),
			 errhint("%s", hint)));
}

/* What the edit of a part may not do in this status, whatever the model. */
static void
edit_judge(PartTable table, const PartEdit *edit, TupleDesc desc,
		   Relation rel, Status status, const ChangeModel *model,
		   TimestampTz begun)
{
	const char *code = status_code(status);
	bool		over = status == STATUS_CLOSED || status == STATUS_CANCELLED;

	if (edit_is_plan(table, edit, desc) &&
		(over || status == STATUS_REJECTED ||
		 (status >= STATUS_IN_PROGRESS && !model->documented_after)))
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("the plan of change " INT64_FORMAT " is frozen: it is %s",
						edit->change_id, code),
				 errdetail("%s belongs to the plan.",
						   RelationGetRelationName(rel)),
				 status == STATUS_REJECTED ?
				 errhint("changemgmt.revise() takes it back to draft.") :
				 errhint("What turned out differently goes into comments; further work is a change of its own (changemgmt.copy_change())."),
				 errtable(rel)));

	if (table == PART_TASK)
	{
		edit_check_person(edit, desc, rel, "done_by_id");
		edit_check_time(edit, desc, rel, "done_at");
		if (edit->new && part_is(edit->new, desc, "status", "skipped"))
		{
			bool		isnull;
			Datum		reason = part_value(edit->new, desc, "status_reason",
											&isnull);

			if (isnull || TextDatumGetCString(reason)[0] == '\0')
				ereport(ERROR,
						(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
						 errmsg("a task is skipped without a reason"),
						 errhint("changemgmt.skip_task(task_id, reason) takes it.")));
		}
		if (edit->new &&
			(edit->old ? !part_equal(edit->old, edit->new, desc, "status") :
			 !part_is(edit->new, desc, "status", "open")))
		{
			if (over && !part_is(edit->new, desc, "phase", "follow_up"))
				progress_error("a task cannot move any more", edit->change_id,
							   code, "Only follow-up tasks go on after the end.");
			if (part_is(edit->new, desc, "phase", "implementation") &&
				status != STATUS_IN_PROGRESS)
				progress_error("implementation tasks move while work is under way",
							   edit->change_id, code,
							   "changemgmt.start() begins the work.");
			if (part_is(edit->new, desc, "phase", "preparation") &&
				status >= STATUS_IN_PROGRESS && !model->documented_after)
				progress_error("preparation is over", edit->change_id, code,
							   "What was left out is said in a comment.");
		}
	}
	else if (table == PART_CHECK)
	{
		static const char *const result[] = {
			"passed", "observed", "checked_by_id", "checked_at", NULL
		};
		bool		isnull = true;

		edit_check_person(edit, desc, rel, "checked_by_id");
		edit_check_time(edit, desc, rel, "checked_at");
		if (edit->new)
			part_value(edit->new, desc, "passed", &isnull);
		if (edit->old && edit->new)
			isnull = part_same(edit->old, edit->new, desc, result);
		if (!isnull && (status < STATUS_IN_PROGRESS || over))
			progress_error("there is nothing to verify", edit->change_id, code,
						   "Checks are recorded from start until close.");
		if (!isnull)
		{
			Datum		at = part_value(edit->new, desc, "checked_at", &isnull);

			if (!isnull && DatumGetTimestampTz(at) < begun)
				ereport(ERROR,
						(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
						 errmsg("checked_at of a check lies before the work on change " INT64_FORMAT " began",
								edit->change_id)));
		}
		if (edit->new == NULL && status >= STATUS_IN_PROGRESS)
			ereport(ERROR,
					(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
					 errmsg("evidence is not deleted"),
					 errhint("changemgmt.record_check() records a later result of the same check.")));
	}
	else if (table == PART_COMMENT)
		edit_check_person(edit, desc, rel, "author_id");
	else if (table == PART_WAIVER)
		edit_check_person(edit, desc, rel, "waived_by_id");
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
		" RETURNING status, model, model_version, actual_start",
		1, {INT8OID}, NULL
	};
	PartTable	table = part_table(rel);
	PartsTouched touched;
	PartsTouched *save = parts_touched;
	Datum		argument = Int64GetDatum(edits->change_id);
	bool		isnull;
	Datum		value;

	touched.change_id = edits->change_id;
	touched.changed = edits_jsonb(rel, desc, edits, count);
	touched.plan = false;
	touched.done = false;
	for (int i = 0; i < count && !touched.plan; i++)
		touched.plan = edit_is_plan(table, &edits[i], desc);

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

	value = spi_first_value(1, &isnull);
	if (!isnull)
	{
		Status		status = status_from_datum(value);
		char	   *key = SPI_getvalue(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 2);
		int			version = DatumGetInt32(spi_first_value(3, &isnull));
		const ChangeModel *model = model_find(key, version);
		TimestampTz begun = DatumGetTimestampTz(spi_first_value(4, &isnull));

		if (isnull)
			begun = DT_NOEND;
		for (int i = 0; i < count; i++)
			edit_judge(table, &edits[i], desc, rel, status, model, begun);
	}
	SPI_finish();
}

/* AFTER STATEMENT trigger of every part. */
Datum
part_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	PartEdits	edits = {0, 0, NULL};

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("part_changed: not called as a trigger")));
	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);

	desc = RelationGetDescr(trigdata->tg_relation);
	edits_collect(&edits, trigdata, desc);
	if (edits.count == 0)
		return PointerGetDatum(NULL);

	/* in the order of their ids, so that two statements cannot deadlock */
	qsort(edits.edits, edits.count, sizeof(PartEdit), edit_compare);
	for (int first = 0, i = 1; i <= edits.count; i++)
		if (i == edits.count ||
			edits.edits[i].change_id != edits.edits[first].change_id)
		{
			change_raise(trigdata->tg_relation, desc, &edits.edits[first],
						 i - first);
			first = i;
		}
	return PointerGetDatum(NULL);
}

/* BEFORE TRUNCATE trigger of change and its parts. */
Datum
truncate_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("truncate_guard: not called as a trigger")));
	ereport(ERROR,
			(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
			 errmsg("%s is not truncated: history is append-only",
					RelationGetRelationName(trigdata->tg_relation)),
			 errhint("Changes that are not wanted any more are cancelled: changemgmt.cancel()."),
			 errtable(trigdata->tg_relation)));
	return PointerGetDatum(NULL);
}
