/*-------------------------------------------------------------------------
 *
 * change.c
 *	  The change record as C sees it.
 *
 * Columns are found by name, once a session and again when the relation's
 * description changes, so that an upgraded table may have them in any order.
 * A table that is not upgraded yet may lack the newest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "change.h"
#include "compat.h"
#include "errors.h"
#include "spi.h"
#include "types_setting.h"

PG_FUNCTION_INFO_V1(change_number);
PG_FUNCTION_INFO_V1(change_id);
PG_FUNCTION_INFO_V1(field_class);

const char *const change_column_names[CHANGE_COLUMN_COUNT] = {
#define X(name, class) #name,
	CHANGE_COLUMNS(X)
#undef X
};

const FieldClass change_column_classes[CHANGE_COLUMN_COUNT] = {
#define X(name, class) FIELD_##class,
	CHANGE_COLUMNS(X)
#undef X
};

/*
 * Columns of the parts, for field_class().  Which rows belong to the plan
 * says change_part.c: of links only depends_on, of tasks neither conditions
 * nor follow-ups, of checks and communications only the planned ones.
 */
typedef struct PartColumn
{
	const char *relation;
	const char *column;
	FieldClass	class;
} PartColumn;

static const PartColumn part_columns[] = {
	{"change_item", "id", FIELD_ENGINE},
	{"change_item", "change_id", FIELD_ENGINE},
	{"change_item", "ci_id", FIELD_PLAN},
	{"change_item", "role", FIELD_PLAN},
	{"change_item", "version_before", FIELD_PLAN},
	{"change_item", "version_after", FIELD_PLAN},
	{"change_risk", "id", FIELD_ENGINE},
	{"change_risk", "change_id", FIELD_ENGINE},
	{"change_risk", "description", FIELD_PLAN},
	{"change_risk", "likelihood", FIELD_PLAN},
	{"change_risk", "impact", FIELD_PLAN},
	{"change_risk", "mitigation", FIELD_PLAN},
	{"change_risk", "owner_id", FIELD_PLAN},
	{"change_risk", "residual_likelihood", FIELD_PLAN},
	{"change_risk", "residual_impact", FIELD_PLAN},
	{"change_task", "id", FIELD_ENGINE},
	{"change_task", "change_id", FIELD_ENGINE},
	{"change_task", "phase", FIELD_PLAN},
	{"change_task", "position", FIELD_PLAN},
	{"change_task", "title", FIELD_PLAN},
	{"change_task", "description", FIELD_PLAN},
	{"change_task", "object_kind", FIELD_PLAN},
	{"change_task", "object_name", FIELD_PLAN},
	{"change_task", "assignee_id", FIELD_PROGRESS},
	{"change_task", "is_condition", FIELD_PROGRESS},
	{"change_task", "status", FIELD_PROGRESS},
	{"change_task", "status_reason", FIELD_PROGRESS},
	{"change_task", "done_by_id", FIELD_PROGRESS},
	{"change_task", "done_at", FIELD_PROGRESS},
	{"change_check", "id", FIELD_ENGINE},
	{"change_check", "change_id", FIELD_ENGINE},
	{"change_check", "kind", FIELD_PLAN},
	{"change_check", "stage", FIELD_PLAN},
	{"change_check", "title", FIELD_PLAN},
	{"change_check", "expected", FIELD_PLAN},
	{"change_check", "is_required", FIELD_PLAN},
	{"change_check", "is_planned", FIELD_ENGINE},
	{"change_check", "observed", FIELD_PROGRESS},
	{"change_check", "passed", FIELD_PROGRESS},
	{"change_check", "checked_by_id", FIELD_PROGRESS},
	{"change_check", "checked_at", FIELD_PROGRESS},
	{"change_comment", "id", FIELD_ENGINE},
	{"change_comment", "change_id", FIELD_ENGINE},
	{"change_comment", "author_id", FIELD_ENGINE},
	{"change_comment", "body", FIELD_REMARK},
	{"change_comment", "created_at", FIELD_ENGINE},
	{"change_link", "id", FIELD_ENGINE},
	{"change_link", "change_id", FIELD_ENGINE},
	{"change_link", "relation", FIELD_PLAN},
	{"change_link", "target_change_id", FIELD_PLAN},
	{"change_link", "target", FIELD_PLAN},
	{"change_link", "occurred_at", FIELD_REMARK},
	{"change_waiver", "id", FIELD_ENGINE},
	{"change_waiver", "change_id", FIELD_ENGINE},
	{"change_waiver", "requirement", FIELD_PROGRESS},
	{"change_waiver", "reason", FIELD_PROGRESS},
	{"change_waiver", "waived_by_id", FIELD_ENGINE},
	{"change_waiver", "waived_at", FIELD_ENGINE},
	{"template_proposal", "id", FIELD_ENGINE},
	{"template_proposal", "change_id", FIELD_ENGINE},
	{"template_proposal", "key", FIELD_PLAN},
	{"template_proposal", "definition", FIELD_PLAN},
	{"template_proposal", "proposed_from_change_id", FIELD_PLAN},
	{"change_waiver", "planned_start", FIELD_PROGRESS},
	{"change_waiver", "planned_end", FIELD_PROGRESS},
	{"change_communication", "id", FIELD_ENGINE},
	{"change_communication", "change_id", FIELD_ENGINE},
	{"change_communication", "timing", FIELD_PLAN},
	{"change_communication", "stakeholder", FIELD_PLAN},
	{"change_communication", "channel", FIELD_PLAN},
	{"change_communication", "message", FIELD_PLAN},
	{"change_communication", "is_planned", FIELD_ENGINE},
	{"change_communication", "sent_at", FIELD_PROGRESS},
	{"change_communication", "sent_by_id", FIELD_PROGRESS},
	{"change_review", "id", FIELD_ENGINE},
	{"change_review", "change_id", FIELD_ENGINE},
	{"change_review", "kind", FIELD_REMARK},
	{"change_review", "went_well", FIELD_REMARK},
	{"change_review", "went_badly", FIELD_REMARK},
	{"change_review", "causes", FIELD_REMARK},
	{"change_review", "lessons", FIELD_REMARK},
	{"change_review", "actions", FIELD_REMARK},
	{"change_review", "reviewed_by_id", FIELD_ENGINE},
	{"change_review", "reviewed_at", FIELD_ENGINE},
	{"change_check", "signal", FIELD_PLAN},
	{"change_check", "baseline", FIELD_PLAN},
	{"change_check", "threshold", FIELD_PLAN},
	{"change_check", "bad_when", FIELD_PLAN},
	{"change_check", "is_rollback_trigger", FIELD_PLAN},
	{"change_check", "observed_value", FIELD_PROGRESS},
	{"change_check", "tripped_at", FIELD_ENGINE},
	{"change_task", "depends_on", FIELD_PLAN},
	{"change_task", "is_smoke_test", FIELD_PLAN},
	{"change_task", "checklist_key", FIELD_PLAN},
	{"change_task", "object_system", FIELD_PLAN},
	{"change_task", "reviewed_by_id", FIELD_PROGRESS},
	{"change_task", "reviewed_at", FIELD_PROGRESS},
};

static CachedTable change_table = {.relation = "change"};
static AttrNumber column_attnums[CHANGE_COLUMN_COUNT];
static int	column_number = 0;	/* how many of them there are */
static Bitmapset *ledger_skip = NULL;

static void
columns_find(void)
{
	AttrNumber	attnums[CHANGE_COLUMN_COUNT];
	int			number = 0;
	MemoryContext old;

	cached_table_begin(&change_table);
	for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
	{
		attnums[i] = get_attnum(change_table.relid, change_column_names[i]);
		if (attnums[i] != InvalidAttrNumber)
			number++;
	}
	if (number < CHANGE_COLUMN_COUNT && extension_is_current())
		for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
			if (attnums[i] == InvalidAttrNumber)
				ereport(ERROR,
						(errcode(ERRCODE_UNDEFINED_COLUMN),
						 errmsg("column \"%s\" of relation \"changemgmt.change\" does not exist",
								change_column_names[i]),
						 errhint("The extension created it and needs it: ALTER TABLE took it away, and can add it again.")));
	memcpy(column_attnums, attnums, sizeof(attnums));
	column_number = number;

	bms_free(ledger_skip);
	ledger_skip = NULL;
	old = MemoryContextSwitchTo(TopMemoryContext);
	ledger_skip = bms_add_member(bms_make_singleton(attnums[CH_ledger_sequence]),
								 attnums[CH_ledger_head]);
	MemoryContextSwitchTo(old);
	cached_table_done(&change_table);
}

AttrNumber
change_column_attnum(ChangeColumn column)
{
	return column_attnums[column];
}

bool
change_column_exists(ChangeColumn column)
{
	if (!change_table.is_current)
		columns_find();
	return column_attnums[column] != InvalidAttrNumber;
}

int
change_column_number(void)
{
	if (!change_table.is_current)
		columns_find();
	return column_number;
}

const Bitmapset *
change_ledger_skip(void)
{
	return ledger_skip;
}

void
change_row_read(ChangeRow *row, HeapTuple tuple, TupleDesc desc)
{
	Datum	   *values;
	bool	   *isnull;

	if (!change_table.is_current)
		columns_find();

	values = palloc(desc->natts * sizeof(Datum));
	isnull = palloc(desc->natts * sizeof(bool));
	heap_deform_tuple(tuple, desc, values, isnull);
	row->tuple = tuple;
	row->desc = desc;
	for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
	{
		AttrNumber	attnum = column_attnums[i];

		row->value[i] = attnum > 0 ? values[attnum - 1] : (Datum) 0;
		row->isnull[i] = attnum > 0 ? isnull[attnum - 1] : true;
	}
	pfree(values);
	pfree(isnull);
}

/*
 * Read the row that a plan brought as the one column of its first row, which
 * it names as a whole: the executor describes each column of each node's
 * result anew, and there are many.
 */
void
change_row_result(ChangeRow *row)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[0],
									  SPI_tuptable->tupdesc, 1, &isnull);

	Assert(!isnull);
	change_row_of_datum(row, value);
}

void
change_row_of_datum(ChangeRow *row, Datum value)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);
	HeapTuple	tuple = palloc(sizeof(HeapTupleData));
	TupleDesc	desc;
	TupleDesc	copy;

	tuple->t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple->t_self);
	tuple->t_tableOid = InvalidOid;
	tuple->t_data = header;
	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
								  HeapTupleHeaderGetTypMod(header));
	copy = CreateTupleDescCopy(desc);
	ReleaseTupleDesc(desc);
	change_row_read(row, tuple, copy);
}

HeapTuple
change_row_form(const ChangeRow *row)
{
	int			attnums[CHANGE_COLUMN_COUNT];
	Datum		values[CHANGE_COLUMN_COUNT];
	bool		isnull[CHANGE_COLUMN_COUNT];
	int			count = 0;

	for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
	{
		if (column_attnums[i] == InvalidAttrNumber)
			continue;
		attnums[count] = column_attnums[i];
		values[count] = row->value[i];
		isnull[count++] = row->isnull[i];
	}
	return heap_modify_tuple_by_cols(row->tuple, row->desc, count, attnums,
									 values, isnull);
}

bool
change_column_equal(const ChangeRow *a, const ChangeRow *b,
					ChangeColumn column)
{
	Form_pg_attribute attribute;

	if (column_attnums[column] == InvalidAttrNumber)
		return true;
	if (a->isnull[column] || b->isnull[column])
		return a->isnull[column] == b->isnull[column];
	attribute = TupleDescAttr(a->desc, column_attnums[column] - 1);
	return datum_image_eq(a->value[column], b->value[column],
						  attribute->attbyval, attribute->attlen);
}

bool
change_is_blank(const ChangeRow *row, ChangeColumn column)
{
	struct varlena *text;
	const char *data;
	int			length;

	if (row->isnull[column])
		return true;
	text = PG_DETOAST_DATUM_PACKED(row->value[column]);
	data = VARDATA_ANY(text);
	length = VARSIZE_ANY_EXHDR(text);
	for (int i = 0; i < length; i++)
		if (!isspace((unsigned char) data[i]))
			return false;
	return true;
}

/* Find a change, whoever may see it; false where there is none. */
bool
change_read(ChangeRow *row, int64 change_id, bool lock)
{
	static KeptPlan find = {
		"SELECT change_row FROM changemgmt.change AS change_row"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	static KeptPlan find_and_lock = {
		"SELECT change_row FROM changemgmt.change AS change_row"
		" WHERE id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(change_id);

	kept_plan_execute(lock ? &find_and_lock : &find, &argument, NULL, 0);
	if (SPI_processed == 0)
		return false;
	change_row_result(row);
	return true;
}

void
change_unknown(int64 change_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("change " INT64_FORMAT " does not exist", change_id),
			 errhint("SELECT change_id, number, title FROM changemgmt.change_fact lists the changes there are.")));
	pg_unreachable();
}

void
change_find(ChangeRow *row, int64 change_id, bool lock)
{
	if (!change_read(row, change_id, lock) ||
		(change_bool(row, confidential) && !change_is_visible(change_id)))
		change_unknown(change_id);
}

char *
change_number_text(int64 change_id)
{
	return psprintf("%s%0*lld", setting_get("number_prefix"),
					setting_get_int("number_width"), (long long) change_id);
}

Datum
change_number(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(change_number_text(PG_GETARG_INT64(0))));
}

/* The number may come with or without its leading zeros. */
Datum
change_id(PG_FUNCTION_ARGS)
{
	char	   *number = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *prefix = setting_get("number_prefix");
	size_t		length = strlen(prefix);
	const char *digits = number + length;
	char	   *end = NULL;
	int64		id = 0;

	if (pg_strncasecmp(number, prefix, length) == 0 &&
		isdigit((unsigned char) *digits))
	{
		errno = 0;
		id = strtoll(digits, &end, 10);
	}
	if (end == NULL || *end != '\0' || errno != 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("\"%s\" is not the number of a change", number),
				 errhint("Numbers look like %s.", change_number_text(42))));
	PG_RETURN_INT64(id);
}

static void
field_class_put(ReturnSetInfo *result, const char *relation,
				const char *column, FieldClass class)
{
	static const char *const names[] = {
		"plan", "schedule", "progress", "remark", "engine"
	};
	Datum		values[3];
	bool		isnull[3] = {false, false, false};

	values[0] = CStringGetTextDatum(relation);
	values[1] = CStringGetTextDatum(column);
	values[2] = CStringGetTextDatum(names[class]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
}

Datum
field_class(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
		field_class_put(result, "change", change_column_names[i],
						change_column_classes[i]);
	for (size_t i = 0; i < lengthof(part_columns); i++)
		field_class_put(result, part_columns[i].relation,
						part_columns[i].column, part_columns[i].class);
	return (Datum) 0;
}
