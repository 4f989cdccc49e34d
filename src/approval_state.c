/*-------------------------------------------------------------------------
 *
 * approval_state.c
 *	  Which votes mean the plan as it is, and what was edited since the others.
 *
 * Whether a vote is fresh is the seal's to say.  For one that is not, the way
 * back through the chain (change_history.c) passes the plan as it was then,
 * and the two are compared as the seal does it: sealed columns by value, rows of
 * sealed parts by content.  What has no entry, because it came by COPY, is said
 * to have none.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "change_history.h"
#include "compat.h"
#include "jsonb_push.h"
#include "lifecycle.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(approval_state);

/* bytes of a value in words; jsonb has all of it */
#define WORDS_LENGTH 60
/* and of what is the same in two values, before they differ */
#define WORDS_BEFORE 20

/* A vote, or the approval that the votes led to. */
typedef struct Given
{
	int64		id;				/* of the vote; 0: the approval */
	Datum		values[9];
	bool		nulls[9];
	bool		is_fresh;
	Jsonb	   *then;			/* the document that it was given for */
} Given;

/* ------------------------------------------------------------ comparing */

static JsonbValue *
value_of(Jsonb *document, const char *key)
{
	return getKeyJsonValueFromContainer(&document->root, key, strlen(key), NULL);
}

/* A value as a jsonb of its own, null where there is none. */
static Jsonb *
jsonb_of(JsonbValue *value)
{
	JsonbValue	null = {.type = jbvNull};

	return JsonbValueToJsonb(value ? value : &null);
}

/* As the seal has it: 1 and 1.0 are two texts. */
static bool
jsonb_same(Jsonb *a, Jsonb *b)
{
	return strcmp(JsonbToCString(NULL, &a->root, VARSIZE(a)),
				  JsonbToCString(NULL, &b->root, VARSIZE(b))) == 0;
}

static void
push_jsonb(JsonbParseState **state, JsonbIteratorToken token, Jsonb *jsonb)
{
	JsonbValue	value;

	if (JB_ROOT_IS_SCALAR(jsonb))
		(void) JsonbExtractScalar(&jsonb->root, &value);
	else
	{
		value.type = jbvBinary;
		value.val.binary.data = &jsonb->root;
		value.val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
	}
	pushJsonbValue(state, token, &value);
}

/* The name of what an id stands for, where that is not a number to people. */
static char *
name_of(const char *column, Jsonb *value)
{
	static KeptPlan team = {
		"SELECT name FROM changemgmt.team WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	static KeptPlan item = {
		"SELECT name FROM changemgmt.configuration_item"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	KeptPlan   *plan = NULL;
	JsonbValue	scalar;
	Datum		id;

	if (!JB_ROOT_IS_SCALAR(value) ||
		!JsonbExtractScalar(&value->root, &scalar) || scalar.type != jbvNumeric)
		return NULL;
	id = DirectFunctionCall1(numeric_int8, NumericGetDatum(scalar.val.numeric));
	if (strcmp(column, "requester_id") == 0 || strcmp(column, "owner_id") == 0 ||
		strcmp(column, "coordinator_id") == 0)
		return person_login(DatumGetInt64(id));
	if (strcmp(column, "target_change_id") == 0)
		return change_number_text(DatumGetInt64(id));
	if (strcmp(column, "team_id") == 0)
		plan = &team;
	else if (strcmp(column, "ci_id") == 0)
		plan = &item;
	if (plan == NULL)
		return NULL;
	kept_plan_read(plan, &id, NULL, 1);
	return SPI_processed == 0 ? NULL :
		SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

static bool
is_null(Jsonb *value)
{
	JsonbValue	scalar;

	return JB_ROOT_IS_SCALAR(value) &&
		JsonbExtractScalar(&value->root, &scalar) && scalar.type == jbvNull;
}

/* A value in words, all of it. */
static char *
value_text(const char *column, Jsonb *value)
{
	char	   *text = name_of(column, value);

	if (text == NULL && is_null(value))
		text = "nothing";
	return text ? text : JsonbToCString(NULL, &value->root, VARSIZE(value));
}

/*
 * Append a value in words: of what is long the beginning, or, beside another
 * value (NULL: none) that begins like it, from a little before they differ.
 */
static void
words_value(StringInfo words, const char *column, Jsonb *value, Jsonb *beside)
{
	char	   *text = value_text(column, value);
	int			length = strlen(text);
	int			from = 0;

	if (beside && length > WORDS_LENGTH)
	{
		char	   *other = value_text(column, beside);

		while (text[from] != '\0' && text[from] == other[from])
			from++;
		from = from < WORDS_LENGTH - WORDS_BEFORE ? 0 :
			pg_mbcliplen(text, length, from - WORDS_BEFORE);
	}
	if (from > 0)
		appendStringInfoString(words, "...");
	text += from;
	length -= from;
	if (length <= WORDS_LENGTH)
		appendStringInfoString(words, text);
	else
		appendStringInfo(words, "%.*s...",
						 pg_mbcliplen(text, length, WORDS_LENGTH), text);
}

/* The columns of a part that are its content. */
static List *
content_columns(const SealedPart *part)
{
	List	   *columns = NIL;
	char	   *names = part->more ?
		psprintf("%s, %s", part->content, part->more) : pstrdup(part->content);
	char	   *rest;

	for (char *name = strtok_r(names, ", ", &rest); name;
		 name = strtok_r(NULL, ", ", &rest))
		columns = lappend(columns, name);
	return columns;
}

static bool
row_is_sealed(const SealedPart *part, JsonbContainer *row)
{
	for (size_t i = 0; i < lengthof(part->only) && part->only[i].column; i++)
	{
		const SealedOnly *only = &part->only[i];
		JsonbValue *value = getKeyJsonValueFromContainer(row, only->column,
														 strlen(only->column),
														 NULL);
		bool		is;

		if (only->value)
			is = value && value->type == jbvString &&
				value->val.string.len == (int) strlen(only->value) &&
				memcmp(value->val.string.val, only->value,
					   value->val.string.len) == 0;
		else
			is = value && value->type == jbvBool && value->val.boolean;
		if (is != only->is)
			return false;
	}
	return true;
}

/*
 * Whether a column that came later is what it is where nobody gave it, also in
 * rows that were recorded before it was there.
 */
static bool
says_nothing(const JsonbValue *value)
{
	return value == NULL || value->type == jbvNull ||
		(value->type == jbvBool && !value->val.boolean) ||
		(value->type == jbvBinary &&
		 JsonContainerIsArray(value->val.binary.data) &&
		 JsonContainerSize(value->val.binary.data) == 0);
}

static int
row_compare(const ListCell *a, const ListCell *b)
{
	return compareJsonbContainers(&((Jsonb *) lfirst(a))->root,
								  &((Jsonb *) lfirst(b))->root);
}

/* The sealed rows of a part by their content, in an order of their own. */
static List *
part_rows(const SealedPart *part, List *columns, Jsonb *document)
{
	JsonbContainer *rows = parts_recorded(&document->root, part->relation, true);
	List	   *result = NIL;

	for (uint32 i = 0; rows && i < JsonContainerSize(rows); i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(rows, i);
		JsonbContainer *row = value->val.binary.data;
		JsonbParseState *state = NULL;
		ListCell   *lc;

		CHECK_FOR_INTERRUPTS();
		if (!row_is_sealed(part, row))
			continue;
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		foreach(lc, columns)
		{
			JsonbValue *cell = getKeyJsonValueFromContainer(row, lfirst(lc),
															strlen(lfirst(lc)),
															NULL);

			if (says_nothing(cell) && part->more &&
				strstr(part->more, lfirst(lc)))
				continue;
			jsonb_push_key(&state, lfirst(lc));
			push_jsonb(&state, WJB_VALUE, jsonb_of(cell));
		}
		result = lappend(result,
						 JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT,
														  NULL)));
	}
	list_sort(result, row_compare);
	return result;
}

/* What one list has and the other has not; both are sorted, rows may repeat. */
static List *
rows_less(List *rows, List *others)
{
	List	   *result = NIL;
	int			other = 0;
	ListCell   *lc;

	foreach(lc, rows)
	{
		int			order = -1;

		while (other < list_length(others) &&
			   (order = compareJsonbContainers(&((Jsonb *) list_nth(others, other))->root,
											   &((Jsonb *) lfirst(lc))->root)) < 0)
			other++;
		if (other < list_length(others) && order == 0)
			other++;
		else
			result = lappend(result, lfirst(lc));
	}
	return result;
}

static void
push_rows(JsonbParseState **state, StringInfo words, const SealedPart *part,
		  List *columns, const char *verb, List *rows, List *others)
{
	/* one that went and one that came: mostly the same row, edited */
	Jsonb	   *other = list_length(rows) == 1 && list_length(others) == 1 ?
		linitial(others) : NULL;
	ListCell   *lc;

	jsonb_push_key(state, verb);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	foreach(lc, rows)
	{
		Jsonb	   *row = lfirst(lc);
		bool		first = true;
		ListCell   *column;

		push_jsonb(state, WJB_ELEM, row);
		appendStringInfo(words, "%s%s %s (", words->len > 0 ? "; " : "",
						 part->relation, verb);
		foreach(column, columns)
		{
			Jsonb	   *value = jsonb_of(value_of(row, lfirst(column)));

			if (is_null(value))
				continue;
			if (!first)
				appendStringInfoString(words, ", ");
			first = false;
			words_value(words, lfirst(column), value, other ?
						jsonb_of(value_of(other, lfirst(column))) : NULL);
		}
		appendStringInfoChar(words, ')');
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* What was edited between two documents: in words, and as an object. */
static Jsonb *
compare(const ChangeModel *model, Jsonb *then, Jsonb *now, StringInfo words)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
	{
		const char *column = change_column_names[i];
		Jsonb	   *old;
		Jsonb	   *new;

		if (!column_is_sealed(model, i) || !change_column_exists(i))
			continue;
		old = jsonb_of(value_of(then, column));
		new = jsonb_of(value_of(now, column));
		if (jsonb_same(old, new))
			continue;
		jsonb_push_key(&state, column);
		pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		push_jsonb(&state, WJB_ELEM, old);
		push_jsonb(&state, WJB_ELEM, new);
		pushJsonbValue(&state, WJB_END_ARRAY, NULL);
		appendStringInfo(words, "%s%s from ", words->len > 0 ? "; " : "", column);
		words_value(words, column, old, new);
		appendStringInfoString(words, " to ");
		words_value(words, column, new, old);
	}
	for (int i = 0; i < SEALED_PART_COUNT; i++)
	{
		const SealedPart *part = &sealed_parts[i];
		List	   *columns = content_columns(part);
		List	   *old;
		List	   *new;
		List	   *added;
		List	   *removed;

		if (!part_is_sealed(model, part->relation))
			continue;
		old = part_rows(part, columns, then);
		new = part_rows(part, columns, now);
		added = rows_less(new, old);
		removed = rows_less(old, new);
		if (added == NIL && removed == NIL)
			continue;
		jsonb_push_key(&state, part->relation);
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_rows(&state, words, part, columns, "added", added, removed);
		push_rows(&state, words, part, columns, "removed", removed, added);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* ---------------------------------------------------------- what was given */

/* Whether a seal is that of the plan as it is, which is made when needed. */
typedef struct Now
{
	const ChangeRow *row;
	const ChangeModel *model;
	bool		is_made;
	uint8		seal[LEDGER_HASH_LENGTH];
} Now;

static bool
seal_is_fresh(Now *now, int64 plan_revision, bytea *seal)
{
	if (plan_revision == change_int64(now->row, plan_revision))
		return true;
	if (!now->is_made)
		change_seal_to_query(now->row, now->model, now->seal);
	now->is_made = true;
	return VARSIZE_ANY_EXHDR(seal) == LEDGER_HASH_LENGTH &&
		memcmp(VARDATA_ANY(seal), now->seal, LEDGER_HASH_LENGTH) == 0;
}

/* The votes of the round under way in their order, then the approval. */
static List *
given_read(Now *now)
{
	static KeptPlan votes = {
		"SELECT v.id, v.plan_revision, v.seal, p.login, v.decision, v.reason,"
		" v.voted_at, h.login"
		" FROM changemgmt.approval_vote AS v"
		" JOIN changemgmt.person AS p ON p.id OPERATOR(pg_catalog.=) v.person_id"
		" LEFT JOIN changemgmt.person AS h"
		"  ON h.id OPERATOR(pg_catalog.=) v.voted_by_id"
		" WHERE v.change_id OPERATOR(pg_catalog.=) $1"
		" AND v.round OPERATOR(pg_catalog.=) $2"
		" ORDER BY v.voted_at, v.id",
		2, {INT8OID, INT4OID}, NULL
	};
	const ChangeRow *row = now->row;
	Datum		arguments[2];
	SPITupleTable *table;
	uint64		count;
	List	   *result = NIL;

	arguments[0] = row->value[CH_id];
	arguments[1] = row->value[CH_approval_round];
	kept_plan_read(&votes, arguments, NULL, 0);
	table = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
	{
		Given	   *given = palloc0(sizeof(Given));
		HeapTuple	tuple = table->vals[i];
		TupleDesc	desc = table->tupdesc;
		bool		isnull;

		given->id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		given->values[0] = CStringGetTextDatum("vote");
		given->values[1] = SPI_getbinval(tuple, desc, 4, &isnull);
		given->values[2] = SPI_getbinval(tuple, desc, 8, &given->nulls[2]);
		for (int column = 3; column <= 5; column++)
			given->values[column] = SPI_getbinval(tuple, desc, column + 2,
												  &given->nulls[column]);
		given->is_fresh =
			seal_is_fresh(now,
						  DatumGetInt64(SPI_getbinval(tuple, desc, 2, &isnull)),
						  DatumGetByteaPP(SPI_getbinval(tuple, desc, 3, &isnull)));
		result = lappend(result, given);
	}
	if (!change_is_null(row, approved_seal))
	{
		Given	   *given = palloc0(sizeof(Given));

		given->values[0] = CStringGetTextDatum("approval");
		given->nulls[1] = given->nulls[2] = given->nulls[4] = true;
		given->values[3] = CStringGetTextDatum("approved");
		given->values[5] = row->value[CH_approved_at];
		given->nulls[5] = row->isnull[CH_approved_at];
		given->is_fresh =
			seal_is_fresh(now, change_int64(row, approved_plan_revision),
						  DatumGetByteaPP(row->value[CH_approved_seal]));
		result = lappend(result, given);
	}
	return result;
}

/* Whether an entry is the one of a vote, or of the approval. */
static bool
entry_is_of(const HistoryEntry *entry, const Given *given)
{
	JsonbContainer *votes;

	if (given->id == 0)
		return parts_recorded(&entry->changed->root, "approved_plan_revision",
							  true) != NULL;
	votes = parts_recorded(&entry->changed->root, "approval_vote", true);
	for (uint32 i = 0; votes && i < JsonContainerSize(votes); i++)
	{
		JsonbValue *edit = getIthJsonbValueFromContainer(votes, i);
		JsonbContainer *new;
		int64		id;

		if (edit->type != jbvBinary ||
			!JsonContainerIsObject(edit->val.binary.data))
			continue;
		new = parts_recorded(edit->val.binary.data, "new", false);
		if (parts_recorded_id(new ? new : edit->val.binary.data, "id", &id) &&
			id == given->id)
			return true;
	}
	return false;
}

/* Go back until every one that is stale has the document it was given for. */
static Jsonb *
given_find(List *all, int64 change_id)
{
	ChangeHistory *history;
	HistoryEntry entry;
	Jsonb	   *now = NULL;
	int			wanted = 0;
	ListCell   *lc;

	foreach(lc, all)
		wanted += !((Given *) lfirst(lc))->is_fresh;
	if (wanted == 0)
		return NULL;
	history = history_open(change_id, true);
	while (wanted > 0 && history_next(history, &entry))
	{
		Jsonb	   *document = NULL;

		foreach(lc, all)
		{
			Given	   *given = lfirst(lc);

			if (given->is_fresh || given->then)
				continue;
			if (now != NULL && !entry_is_of(&entry, given))
				continue;
			if (document == NULL)
			{
				HeapTuple	row = history_row(history, &entry);

				document = row ? history_document(history, row) : NULL;
			}
			if (now == NULL)
				now = document;
			if (document && entry_is_of(&entry, given))
			{
				given->then = document;
				wanted--;
			}
		}
		history_undo(history, &entry);
	}
	history_close(history);
	return now;
}

/* approval_state(change_id bigint) */
Datum
approval_state(PG_FUNCTION_ARGS)
{
	static KeptPlan find = {
		"SELECT change_row FROM changemgmt.change AS change_row"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int64		change_id = PG_GETARG_INT64(0);
	Datum		argument = Int64GetDatum(change_id);
	ChangeRow	row;
	Now			now = {.row = &row};
	Jsonb	   *document;
	List	   *all;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	kept_plan_read(&find, &argument, NULL, 1);
	if (SPI_processed == 0)
		change_unknown(change_id);
	change_row_result(&row);
	if (change_bool(&row, confidential) && !change_is_visible_to_query(change_id))
		change_unknown(change_id);
	now.model = lifecycle_model(&row);
	all = given_read(&now);
	document = given_find(all, change_id);
	foreach(lc, all)
	{
		Given	   *given = lfirst(lc);

		given->values[6] = BoolGetDatum(given->is_fresh);
		given->nulls[7] = given->nulls[8] = true;
		if (!given->is_fresh && given->then == NULL)
			given->values[7] = CStringGetTextDatum("it is not in the ledger, as what was imported: what was edited since is not known");
		else if (!given->is_fresh)
		{
			StringInfoData words;
			Jsonb	   *changes;

			initStringInfo(&words);
			changes = compare(now.model, given->then, document, &words);
			given->values[7] =
				CStringGetTextDatum(words.len > 0 ? words.data :
									"what was edited since does not show here");
			given->values[8] = JsonbPGetDatum(changes);
			given->nulls[8] = words.len == 0;
		}
		given->nulls[7] = given->is_fresh;
		tuplestore_putvalues(result->setResult, result->setDesc, given->values,
							 given->nulls);
	}
	SPI_finish();
	return (Datum) 0;
}
