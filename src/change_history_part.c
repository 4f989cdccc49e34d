/*-------------------------------------------------------------------------
 *
 * change_history_part.c
 *	  Parts of a change on the way back through its chain.
 *
 * The rows are kept as the ledger writes them, so that what it recorded is
 * compared as it stands and nothing has to be read back; a row that was
 * altered behind the triggers does not fit the entry that is undone.  The same
 * way back serves two questions: how the parts stood at a time (undo some
 * entries, a misfit is an error) and whether they are what the chain recorded
 * (undo all, a misfit is reported, and what is left was never created in it).
 *
 * State for the life of the session: the names of the part tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "change.h"
#include "change_history.h"
#include "compat.h"
#include "jsonb_push.h"
#include "spi.h"

/* rows read at once: few enough that their memory is used again */
#define BATCH 64

const char *change_part_tables[MAX_PART_TABLES];
int			change_part_table_count = 0;

typedef struct PartKey
{
	int64		id;
	int			table;
} PartKey;

typedef struct PartRow
{
	PartKey		key;
	Jsonb	   *row;			/* NULL: gone, and nobody knows what it was */
	bool		is_recorded;	/* an entry put it here */
	bool		is_wrong;		/* complained of */
	char		status;			/* of simplehash */
} PartRow;

#define SH_PREFIX part_hash
#define SH_ELEMENT_TYPE PartRow
#define SH_KEY_TYPE PartKey
#define SH_KEY key
#define SH_HASH_KEY(tb, k) \
	hash_combine(murmurhash32((uint32) (k).id), \
				 murmurhash32((uint32) ((k).id >> 32) ^ (uint32) (k).table))
#define SH_EQUAL(tb, a, b) ((a).id == (b).id && (a).table == (b).table)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct PartsState
{
	MemoryContext context;		/* the rows */
	MemoryContext scratch;		/* of what is done with one of them */
	part_hash_hash *rows;
	PartsComplaint complain;
	void	   *arg;
};

/* A row that an entry changed, taken out and not yet put back as it was. */
typedef struct TakenRow
{
	int64		id;
	Jsonb	   *row;
	bool		is_wrong;
} TakenRow;

void
change_part_register(const char *relation)
{
	if (change_part_table_count == MAX_PART_TABLES)
		elog(ERROR, "more than %d tables of parts", MAX_PART_TABLES);
	change_part_tables[change_part_table_count++] = relation;
}

PartsState *
parts_create(PartsComplaint complain, void *arg)
{
	PartsState *parts = palloc(sizeof(PartsState));

	parts->context = AllocSetContextCreate(CurrentMemoryContext,
										   "changemgmt parts as they were",
										   ALLOCSET_DEFAULT_SIZES);
	parts->scratch = AllocSetContextCreate(CurrentMemoryContext,
										   "changemgmt part as it was",
										   ALLOCSET_DEFAULT_SIZES);
	parts->rows = part_hash_create(parts->context, 16, NULL);
	parts->complain = complain;
	parts->arg = arg;
	return parts;
}

/* Without rows again. */
void
parts_reset(PartsState *parts)
{
	MemoryContextReset(parts->context);
	parts->rows = part_hash_create(parts->context, 16, NULL);
}

/* ------------------------------------------------- what was recorded */

/* Columns that came after version 1.0 and are never null. */
static const struct
{
	const char *relation;
	const char *column;
	bool		is_array;		/* else false */
}			newer_columns[] = {
	{"change_task", "depends_on", true},
	{"change_task", "is_smoke_test", false},
	{"change_check", "is_rollback_trigger", false},
};

static JsonbValue *
newer_default(int i)
{
	JsonbParseState *state = NULL;
	JsonbValue *value;

	if (newer_columns[i].is_array)
	{
		pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		value = pushJsonbValue(&state, WJB_END_ARRAY, NULL);
		(void) JsonbToJsonbValue(JsonbValueToJsonb(value), value);
		return value;
	}
	value = palloc0(sizeof(JsonbValue));
	value->type = jbvBool;
	return value;
}

/* What a column has in rows that were recorded before it came; NULL: null. */
static JsonbValue *
parts_default(const char *relation, const char *column)
{
	for (size_t i = 0; i < lengthof(newer_columns); i++)
		if (strcmp(newer_columns[i].relation, relation) == 0 &&
			strcmp(newer_columns[i].column, column) == 0)
			return newer_default(i);
	return NULL;
}

static JsonbValue *
recorded_value(JsonbContainer *object, const char *key)
{
	return getKeyJsonValueFromContainer(object, key, strlen(key), NULL);
}

static JsonbContainer *
container_of(JsonbValue *value, bool is_array)
{
	JsonbContainer *container;

	if (value == NULL || value->type != jbvBinary)
		return NULL;
	container = value->val.binary.data;
	if (is_array ? !JsonContainerIsArray(container) || JsonContainerIsScalar(container) :
		!JsonContainerIsObject(container))
		return NULL;
	return container;
}

JsonbContainer *
parts_recorded(JsonbContainer *object, const char *key, bool is_array)
{
	return container_of(recorded_value(object, key), is_array);
}

static bool
number_of(JsonbValue *value, int64 *number)
{
	char	   *text;
	char	   *end;

	if (value == NULL || value->type != jbvNumeric)
		return false;
	text = DatumGetCString(DirectFunctionCall1(numeric_out,
											   NumericGetDatum(value->val.numeric)));
	errno = 0;
	*number = strtoi64(text, &end, 10);
	return *end == '\0' && errno == 0;
}

bool
parts_recorded_id(JsonbContainer *object, const char *key, int64 *id)
{
	return number_of(recorded_value(object, key), id);
}

/* One side (0: old, 1: new) of {column: [old, new]}; NULL where it is null. */
static JsonbValue *
side_of(JsonbContainer *pair, int side)
{
	JsonbValue *value = getIthJsonbValueFromContainer(pair, side);

	return value == NULL || value->type == jbvNull ? NULL : value;
}

static bool
value_equal(JsonbValue *a, JsonbValue *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case jbvString:
			return a->val.string.len == b->val.string.len &&
				memcmp(a->val.string.val, b->val.string.val,
					   a->val.string.len) == 0;
		case jbvNumeric:
			return DatumGetBool(DirectFunctionCall2(numeric_eq,
													NumericGetDatum(a->val.numeric),
													NumericGetDatum(b->val.numeric)));
		case jbvBool:
			return a->val.boolean == b->val.boolean;
		case jbvBinary:
			return compareJsonbContainers(a->val.binary.data,
										  b->val.binary.data) == 0;
		default:
			return a->type == jbvNull;
	}
}

/* ------------------------------------------------------------- rows */

static PartRow *
row_insert(PartsState *parts, int table, int64 id, Jsonb *row)
{
	PartKey		key = {.id = id, .table = table};
	bool		found;
	PartRow    *entry = part_hash_insert(parts->rows, key, &found);

	if (found && entry->row)
		pfree(entry->row);
	entry->row = row;
	entry->is_recorded = false;
	entry->is_wrong = false;
	return entry;
}

static PartRow *
row_find(PartsState *parts, int table, int64 id)
{
	PartKey		key = {.id = id, .table = table};

	return part_hash_lookup(parts->rows, key);
}

static void
row_remove(PartsState *parts, PartRow *row)
{
	if (row->row)
		pfree(row->row);
	part_hash_delete_item(parts->rows, row);
}

void
parts_put(PartsState *parts, int table, HeapTuple tuple, TupleDesc desc)
{
	MemoryContext caller = MemoryContextSwitchTo(parts->scratch);
	JsonbParseState *state = NULL;
	JsonbValue *object = ledger_push_row(&state, desc, tuple, NULL);
	bool		isnull;
	Datum		id = heap_getattr(tuple, SPI_fnumber(desc, "id"), desc, &isnull);
	Jsonb	   *row;

	MemoryContextSwitchTo(parts->context);
	row = JsonbValueToJsonb(object);
	row_insert(parts, table, DatumGetInt64(id), row);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(parts->scratch);
}

Jsonb *
parts_find(PartsState *parts, const char *relation, int64 id)
{
	for (int table = 0; table < change_part_table_count; table++)
		if (strcmp(change_part_tables[table], relation) == 0)
		{
			PartRow    *row = row_find(parts, table, id);

			return row ? row->row : NULL;
		}
	return NULL;
}

/* ------------------------------------------------------------- undoing */

static void
complain(PartsState *parts, int64 sequence, int table, int64 id,
		 const char *problem)
{
	parts->complain(parts->arg, sequence,
					psprintf("row " INT64_FORMAT " of %s %s", id,
							 change_part_tables[table], problem));
}

#define GONE "is gone, and its deletion is not recorded"
#define OTHER "is not what the chain recorded"

/*
 * Whether a row is what an entry says that it created.  One from before a
 * column came has its default now.
 */
static bool
row_is(int table, JsonbContainer *row, JsonbContainer *created)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	uint32		same = 0;

	if (compareJsonbContainers(row, created) == 0)
		return true;
	it = JsonbIteratorInit(row);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		JsonbValue *recorded;
		char	   *key;

		if (token != WJB_KEY)
			continue;
		key = pnstrdup(value.val.string.val, value.val.string.len);
		(void) JsonbIteratorNext(&it, &value, true);
		recorded = recorded_value(created, key);
		if (recorded)
			same++;
		else
			recorded = parts_default(change_part_tables[table], key);
		if (!value_equal(&value, recorded))
			return false;
	}
	return same == JsonContainerSize(created);
}

/* The row that an entry created goes. */
static void
undo_insert(PartsState *parts, int64 sequence, int table, int64 id,
			JsonbContainer *new)
{
	PartRow    *row = row_find(parts, table, id);

	if (row == NULL)
	{
		complain(parts, sequence, table, id, GONE);
		return;
	}
	if (!row->is_wrong && !row_is(table, &row->row->root, new))
		complain(parts, sequence, table, id, OTHER);
	row_remove(parts, row);
}

/*
 * The row as it was before an update, in the rows' context; whether it was
 * what the update made of it.
 */
static Jsonb *
row_before(PartsState *parts, Jsonb *row, JsonbContainer *changed, bool *fits)
{
	JsonbParseState *state = NULL;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	JsonbValue *object;
	MemoryContext caller;
	Jsonb	   *result;

	*fits = true;
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);

	/* what the update left alone */
	it = JsonbIteratorInit(&row->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		if (getKeyJsonValueFromContainer(changed, value.val.string.val,
										 value.val.string.len, NULL))
			continue;
		pushJsonbValue(&state, WJB_KEY, &value);
		(void) JsonbIteratorNext(&it, &value, true);
		pushJsonbValue(&state, WJB_VALUE, &value);
	}

	/* what it changed */
	it = JsonbIteratorInit(changed);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		JsonbValue	key = value;
		JsonbValue *old;
		JsonbContainer *pair;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&it, &value, true);
		pair = container_of(&value, true);
		if (pair == NULL || JsonContainerSize(pair) != 2)
		{
			*fits = false;
			continue;
		}
		if (!value_equal(getKeyJsonValueFromContainer(&row->root,
													  key.val.string.val,
													  key.val.string.len, NULL),
						 side_of(pair, 1)))
			*fits = false;
		old = side_of(pair, 0);
		if (old == NULL)
			continue;
		pushJsonbValue(&state, WJB_KEY, &key);
		pushJsonbValue(&state, WJB_VALUE, old);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	caller = MemoryContextSwitchTo(parts->context);
	result = JsonbValueToJsonb(object);
	MemoryContextSwitchTo(caller);
	return result;
}

/* The row that an entry updated is taken out, as it was before. */
static void
undo_update(PartsState *parts, int64 sequence, int table, int64 id,
			JsonbContainer *changed, TakenRow *taken)
{
	PartRow    *row = row_find(parts, table, id);
	JsonbContainer *ids = parts_recorded(changed, "id", true);
	bool		fits;

	taken->id = id;
	taken->row = NULL;
	taken->is_wrong = true;
	if (ids && JsonContainerSize(ids) == 2)
		(void) number_of(side_of(ids, 0), &taken->id);
	if (row == NULL)
	{
		complain(parts, sequence, table, id, GONE);
		return;
	}
	taken->is_wrong = row->is_wrong;
	if (row->row)
	{
		taken->row = row_before(parts, row->row, changed, &fits);
		if (!fits && !row->is_wrong)
		{
			complain(parts, sequence, table, id, OTHER);
			taken->is_wrong = true;
		}
	}
	row_remove(parts, row);
}

/*
 * Undo what an entry says of one table.  A statement can move ids among rows:
 * all that it left is taken out before anything is put back.
 */
static void
undo_table(PartsState *parts, int64 sequence, int table,
		   JsonbContainer *edits)
{
	int			count = JsonContainerSize(edits);
	TakenRow   *taken = palloc(sizeof(TakenRow) * Max(count, 1));
	int			taken_count = 0;

	for (int i = 0; i < count; i++)
	{
		JsonbContainer *edit;
		JsonbContainer *part;
		int64		id;

		CHECK_FOR_INTERRUPTS();
		edit = container_of(getIthJsonbValueFromContainer(edits, i), false);
		if (edit && (part = parts_recorded(edit, "new", false)) != NULL &&
			parts_recorded_id(part, "id", &id))
			undo_insert(parts, sequence, table, id, part);
		else if (edit && (part = parts_recorded(edit, "changed", false)) != NULL &&
				 parts_recorded_id(edit, "id", &id))
			undo_update(parts, sequence, table, id, part,
						&taken[taken_count++]);
		else if (!edit || (part = parts_recorded(edit, "old", false)) == NULL ||
				 !parts_recorded_id(part, "id", &id))
			parts->complain(parts->arg, sequence,
							psprintf("what is recorded of %s cannot be read",
									 change_part_tables[table]));
	}
	for (int i = 0; i < count; i++)
	{
		JsonbContainer *edit;
		JsonbContainer *part;
		int64		id;
		PartRow    *row;
		Jsonb	   *old;
		JsonbValue	value;
		MemoryContext caller;

		CHECK_FOR_INTERRUPTS();
		edit = container_of(getIthJsonbValueFromContainer(edits, i), false);
		if (!edit || (part = parts_recorded(edit, "old", false)) == NULL ||
			!parts_recorded_id(part, "id", &id))
			continue;
		row = row_find(parts, table, id);
		if (row && !row->is_wrong)
			complain(parts, sequence, table, id,
					 "is there, but its deletion is recorded");
		value = *recorded_value(edit, "old");
		caller = MemoryContextSwitchTo(parts->context);
		old = JsonbValueToJsonb(&value);
		MemoryContextSwitchTo(caller);
		row_insert(parts, table, id, old)->is_recorded = true;
	}
	for (int i = 0; i < taken_count; i++)
	{
		PartRow    *row = row_insert(parts, table, taken[i].id, taken[i].row);

		row->is_recorded = true;
		row->is_wrong = taken[i].is_wrong;
	}
}

void
parts_undo(PartsState *parts, int64 sequence, Jsonb *changed)
{
	MemoryContext caller = MemoryContextSwitchTo(parts->scratch);

	if (JB_ROOT_IS_OBJECT(changed))
		for (int table = 0; table < change_part_table_count; table++)
		{
			JsonbValue *edits = recorded_value(&changed->root,
											   change_part_tables[table]);

			if (edits == NULL)
				continue;
			if (container_of(edits, true))
				undo_table(parts, sequence, table, container_of(edits, true));
			else
				parts->complain(parts->arg, sequence,
								psprintf("what is recorded of %s cannot be read",
										 change_part_tables[table]));
		}
	MemoryContextSwitchTo(caller);
	MemoryContextReset(parts->scratch);
}

/* ------------------------------------------------------------- showing */

static int
row_compare(const void *a, const void *b)
{
	const PartRow *x = *(PartRow *const *) a;
	const PartRow *y = *(PartRow *const *) b;

	if (x->key.table != y->key.table)
		return x->key.table < y->key.table ? -1 : 1;
	return x->key.id < y->key.id ? -1 : x->key.id > y->key.id;
}

/* A row with all its columns, in the form of to_jsonb(). */
static void
row_push(JsonbParseState **state, const char *relation, Jsonb *row,
		 TupleDesc desc)
{
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		JsonbValue	null = {.type = jbvNull};
		JsonbValue *value;

		if (att->attisdropped)
			continue;
		jsonb_push_key(state, NameStr(att->attname));
		value = recorded_value(&row->root, NameStr(att->attname));
		if (value == NULL)
			value = parts_default(relation, NameStr(att->attname));
		if (value == NULL)
			value = &null;
		else if (att->atttypid == BYTEAOID && value->type == jbvString)
		{
			value->val.string.val = psprintf("\\x%.*s", value->val.string.len,
											 value->val.string.val);
			value->val.string.len += 2;
		}
		pushJsonbValue(state, WJB_VALUE, value);
	}
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* A link to a change that who is acting may not see does not show. */
static bool
row_is_visible(PartRow *row)
{
	int64		target;

	if (strcmp(change_part_tables[row->key.table], "change_link") != 0 ||
		!parts_recorded_id(&row->row->root, "target_change_id", &target))
		return true;
	return !change_is_hidden_to_query(target);
}

void
parts_push(JsonbParseState **state, PartsState *parts)
{
	PartRow   **rows = palloc(sizeof(PartRow *) * Max(parts->rows->members, 1));
	int			count = 0;
	int			next = 0;
	part_hash_iterator it;
	PartRow    *row;

	part_hash_start_iterate(parts->rows, &it);
	while ((row = part_hash_iterate(parts->rows, &it)) != NULL)
		if (row->row)
			rows[count++] = row;
	qsort(rows, count, sizeof(PartRow *), row_compare);

	for (int table = 0; table < change_part_table_count; table++)
	{
		TupleDesc	desc;

		if (!relation_exists(change_part_tables[table]))
			continue;
		desc = lookup_rowtype_tupdesc_copy(get_rel_type_id(relation_oid(change_part_tables[table])),
										   -1);
		jsonb_push_key(state, change_part_tables[table]);
		pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
		for (; next < count && rows[next]->key.table == table; next++)
		{
			CHECK_FOR_INTERRUPTS();
			if (row_is_visible(rows[next]))
				row_push(state, change_part_tables[table], rows[next]->row,
						 desc);
		}
		pushJsonbValue(state, WJB_END_ARRAY, NULL);
	}
}

/* ----------------------------------------------------------- verifying */

/* Rows that are read in step, the highest change first. */
typedef struct Reader
{
	Portal		portal;			/* NULL: there are no more */
	SPITupleTable *table;
	uint64		count;
	uint64		next;
	int			column;			/* of the id of the change */
	/* the one that it is at */
	HeapTuple	tuple;
	TupleDesc	desc;
	int64		change_id;
	/* of a table of parts: rows that came by COPY, and that must have */
	int64		loaded;
	int64		unexplained;
} Reader;

typedef struct Verification
{
	ReturnSetInfo *result;
	int64		change_id;
} Verification;

static void
verify_complain(void *arg, int64 sequence, const char *problem)
{
	Verification *v = arg;

	ledger_report(v->result, "change", &v->change_id, &sequence, problem);
}

static void
reader_next(Reader *reader)
{
	bool		isnull;

	if (reader->portal == NULL)
		return;
	if (reader->next >= reader->count)
	{
		if (reader->table)
			SPI_freetuptable(reader->table);
		SPI_cursor_fetch(reader->portal, true, BATCH);
		reader->table = SPI_tuptable;
		reader->count = SPI_processed;
		reader->next = 0;
		if (reader->count == 0)
		{
			SPI_freetuptable(reader->table);
			SPI_cursor_close(reader->portal);
			reader->portal = NULL;
			return;
		}
	}
	reader->tuple = reader->table->vals[reader->next++];
	reader->desc = reader->table->tupdesc;
	reader->change_id = DatumGetInt64(heap_getattr(reader->tuple,
												   reader->column,
												   reader->desc, &isnull));
}

static void
reader_open(Reader *reader, const char *sql, const char *column,
			Datum *arguments, const char *nulls)
{
	Oid			types[] = {TEXTOID, INT8OID, TEXTARRAYOID};

	reader->portal = SPI_cursor_open(NULL, spi_prepare(sql, 3, types),
									 arguments, nulls, true);
	reader->column = SPI_fnumber(reader->portal->tupDesc, column);
	reader_next(reader);
}

/* How many rows of a table came by COPY. */
static int64
rows_loaded(const char *relation)
{
	Oid			types[] = {TEXTOID};
	Datum		argument = CStringGetTextDatum(relation);
	bool		isnull;
	int64		result;

	if (SPI_execute_with_args("SELECT COALESCE(pg_catalog.sum(row_count), 0)::pg_catalog.int8 "
							  "FROM changemgmt.load "
							  "WHERE relation OPERATOR(pg_catalog.=) $1",
							  1, types, &argument, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read changemgmt.load");
	result = DatumGetInt64(spi_first_value(1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return result;
}

/* What is left when the whole chain is undone was not created in it. */
static void
verify_left(PartsState *parts, Reader *readers, Verification *v)
{
	PartRow   **rows = palloc(sizeof(PartRow *) * Max(parts->rows->members, 1));
	int			count = 0;
	part_hash_iterator it;
	PartRow    *row;

	part_hash_start_iterate(parts->rows, &it);
	while ((row = part_hash_iterate(parts->rows, &it)) != NULL)
		if (!row->is_wrong)
			rows[count++] = row;
	qsort(rows, count, sizeof(PartRow *), row_compare);
	for (int i = 0; i < count; i++)
	{
		Reader	   *reader = &readers[rows[i]->key.table];

		reader->unexplained++;
		if (reader->loaded == 0)
			ledger_report(v->result, "change", &v->change_id, NULL,
						  psprintf(rows[i]->is_recorded ?
								   "the creation of row " INT64_FORMAT " of %s is not recorded" :
								   "row " INT64_FORMAT " of %s is there, but the chain does not know it",
								   rows[i]->key.id,
								   change_part_tables[rows[i]->key.table]));
	}
	pfree(rows);
}

/*
 * Chains and parts are read once, in step, from the last change to the first;
 * what is in memory is one change.
 */
void
parts_verify(ReturnSetInfo *result, Datum *arguments, const char *nulls)
{
	Verification v = {.result = result};
	PartsState *parts = parts_create(verify_complain, &v);
	Reader		entries = {0};
	Reader		readers[MAX_PART_TABLES] = {{0}};
	Datum		names[MAX_PART_TABLES];
	Datum		values[3];
	char		is_null[3];

	for (int i = 0; i < change_part_table_count; i++)
		names[i] = CStringGetTextDatum(change_part_tables[i]);
	values[0] = arguments[0];
	values[1] = arguments[1];
	values[2] = PointerGetDatum(construct_array(names, change_part_table_count,
												TEXTOID, -1, false, TYPALIGN_INT));
	is_null[0] = ' ';
	is_null[1] = nulls[1];
	is_null[2] = ' ';

	reader_open(&entries,
				"SELECT subject_id, sequence, changed FROM changemgmt.ledger "
				"WHERE subject_kind OPERATOR(pg_catalog.=) $1 "
				"AND ($2 IS NULL OR subject_id OPERATOR(pg_catalog.=) $2) "
				"AND changed OPERATOR(pg_catalog.?|) $3 "
				"ORDER BY subject_id DESC, sequence DESC",
				"subject_id", values, is_null);
	for (int i = 0; i < change_part_table_count; i++)
	{
		if (!relation_exists(change_part_tables[i]))
			continue;
		readers[i].loaded = rows_loaded(change_part_tables[i]);
		reader_open(&readers[i],
					psprintf("SELECT p.* FROM changemgmt.%s AS p "
							 "WHERE $2 IS NULL OR p.change_id OPERATOR(pg_catalog.=) $2 "
							 "ORDER BY p.change_id DESC",
							 quote_identifier(change_part_tables[i])),
					"change_id", values, is_null);
	}

	for (;;)
	{
		bool		found = entries.portal != NULL;

		v.change_id = found ? entries.change_id : PG_INT64_MIN;
		for (int i = 0; i < change_part_table_count; i++)
			if (readers[i].portal && readers[i].change_id >= v.change_id)
			{
				v.change_id = readers[i].change_id;
				found = true;
			}
		if (!found)
			break;

		parts_reset(parts);
		for (int i = 0; i < change_part_table_count; i++)
			for (; readers[i].portal && readers[i].change_id == v.change_id;
				 reader_next(&readers[i]))
			{
				CHECK_FOR_INTERRUPTS();
				parts_put(parts, i, readers[i].tuple, readers[i].desc);
			}
		for (; entries.portal && entries.change_id == v.change_id;
			 reader_next(&entries))
		{
			bool		isnull;
			int64		sequence = DatumGetInt64(heap_getattr(entries.tuple, 2,
															  entries.desc,
															  &isnull));
			Datum		value = heap_getattr(entries.tuple, 3, entries.desc,
											 &isnull);
			Jsonb	   *changed = DatumGetJsonbP(value);

			CHECK_FOR_INTERRUPTS();
			parts_undo(parts, sequence, changed);
			/* there are as many as the ledger is long */
			if ((Pointer) changed != DatumGetPointer(value))
				pfree(changed);
		}
		verify_left(parts, readers, &v);
	}

	/* of rows of an older import it can't be said which: only how many */
	for (int i = 0; i < change_part_table_count; i++)
		if (readers[i].loaded > 0 && readers[i].unexplained > readers[i].loaded)
			ledger_report(result, "change", NULL, NULL,
						  psprintf("of " INT64_FORMAT " rows of %s whose creation is not in the ledger only "
								   INT64_FORMAT " came in by COPY",
								   readers[i].unexplained,
								   change_part_tables[i], readers[i].loaded));
}
