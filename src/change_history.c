/*-------------------------------------------------------------------------
 *
 * change_history.c
 *	  A change as it stood, by undoing what its chain says.
 *
 * The way goes backward from the row as it is (from nothing, where it was
 * deleted), entry by entry, so that it also works for history that came by
 * COPY and has no entry of its creation.  Each entry on the way is checked as
 * verify_ledger() would: its number, its hash, the hash of the one before; and
 * the row that comes out must have the digest of the entry at which it stands.
 * Everything is read under the snapshot of the calling query.  There is no
 * state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "change.h"
#include "change_history.h"
#include "compat.h"
#include "errors.h"
#include "jsonb_push.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(change_as_of);
PG_FUNCTION_INFO_V1(change_document);

/* entries read at once: few enough that their memory is used again */
#define BATCH 64

struct ChangeHistory
{
	int64		change_id;
	MemoryContext context;
	MemoryContext entry_context;	/* of the entry that was read last */
	bool		exists;			/* where the history stands */

	/* the row as the table has it, all null where it has none */
	TupleDesc	desc;
	Datum	   *values;
	bool	   *nulls;
	Jsonb	  **recorded;		/* what stood in a column instead, a scalar or so */
	PartsState *parts;			/* NULL: not asked for */

	/* the chain */
	Portal		portal;			/* NULL: it is read to its beginning */
	SPITupleTable *table;
	uint64		count;
	uint64		next;
	StringInfoData buffer;		/* of what is hashed */
	pg_cryptohash_ctx *hasher;
	int64		sequence;		/* of the entry to come; -1: not known */
	uint8		hash[LEDGER_HASH_LENGTH];
};

pg_noreturn static void
history_broken(int64 change_id, int64 sequence, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED), err_as_caller(),
			 errmsg("the history of change " INT64_FORMAT " is broken at entry " INT64_FORMAT,
					change_id, sequence),
			 errdetail("%s", problem),
			 errhint("SELECT * FROM changemgmt.verify_ledger('change', " INT64_FORMAT ") lists all that is not what was recorded.",
					 change_id)));
	pg_unreachable();
}

static void
history_complain(void *arg, int64 sequence, const char *problem)
{
	ChangeHistory *history = arg;
	char	   *sentence = psprintf("%s.", problem);

	sentence[0] = pg_toupper((unsigned char) sentence[0]);
	history_broken(history->change_id, sequence, sentence);
}

/* ------------------------------------------------------------- the start */

static void
read_row(ChangeHistory *history)
{
	static KeptPlan find = {
		"SELECT change_row FROM changemgmt.change AS change_row"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(history->change_id);
	ChangeRow	row;

	kept_plan_read(&find, &argument, NULL, 1);
	history->exists = SPI_processed > 0;
	history->sequence = -1;
	if (!history->exists)
		return;

	change_row_result(&row);
	if (change_bool(&row, confidential) &&
		!change_is_visible_to_query(history->change_id))
		change_unknown(history->change_id);
	heap_deform_tuple(row.tuple, row.desc, history->values, history->nulls);
	history->sequence = change_int64(&row, ledger_sequence);
	memset(history->hash, 0, LEDGER_HASH_LENGTH);
	if (!change_is_null(&row, ledger_head))
	{
		bytea	   *head = DatumGetByteaPP(row.value[CH_ledger_head]);

		if (VARSIZE_ANY_EXHDR(head) == LEDGER_HASH_LENGTH)
			memcpy(history->hash, VARDATA_ANY(head), LEDGER_HASH_LENGTH);
	}
}

static void
read_parts(ChangeHistory *history)
{
	static KeptPlan rows[MAX_PART_TABLES];
	Datum		argument = Int64GetDatum(history->change_id);

	history->parts = parts_create(history_complain, history);
	for (int i = 0; i < change_part_table_count; i++)
	{
		if (!relation_exists(change_part_tables[i]))
			continue;
		if (rows[i].sql == NULL)
		{
			MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

			rows[i].nargs = 1;
			rows[i].argtypes[0] = INT8OID;
			rows[i].sql = psprintf("SELECT p.* FROM changemgmt.%s AS p"
								   " WHERE p.change_id OPERATOR(pg_catalog.=) $1",
								   quote_identifier(change_part_tables[i]));
			MemoryContextSwitchTo(caller);
		}
		kept_plan_read(&rows[i], &argument, NULL, 0);
		for (uint64 row = 0; row < SPI_processed; row++)
		{
			CHECK_FOR_INTERRUPTS();
			parts_put(history->parts, i, SPI_tuptable->vals[row],
					  SPI_tuptable->tupdesc);
		}
		SPI_freetuptable(SPI_tuptable);
	}
}

static void
fetch(ChangeHistory *history)
{
	if (history->table)
		SPI_freetuptable(history->table);
	SPI_cursor_fetch(history->portal, true, BATCH);
	history->table = SPI_tuptable;
	history->count = SPI_processed;
	history->next = 0;
	if (history->count == 0)
		history_close(history);
}

/*
 * Whether a change was confidential when it was deleted: who had to do with
 * it can't be asked any more.  The entry of the deletion is yet to be read.
 */
static bool
was_confidential(ChangeHistory *history)
{
	bool		isnull;
	Datum		value = heap_getattr(history->table->vals[0],
									 EN_CHANGED + 1,
									 history->table->tupdesc, &isnull);
	JsonbContainer *pair;
	JsonbValue *old;

	if (isnull || !JB_ROOT_IS_OBJECT(DatumGetJsonbP(value)))
		return true;
	pair = parts_recorded(&DatumGetJsonbP(value)->root, "confidential", true);
	old = pair ? getIthJsonbValueFromContainer(pair, 0) : NULL;
	return old == NULL || old->type != jbvBool || old->val.boolean;
}

ChangeHistory *
history_open(int64 change_id, bool with_parts)
{
	static KeptPlan chain = {
		"SELECT " LEDGER_ENTRY_COLUMNS " FROM changemgmt.ledger"
		" WHERE subject_kind OPERATOR(pg_catalog.=) 'change'"
		" AND subject_id OPERATOR(pg_catalog.=) $1"
		" ORDER BY sequence DESC",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(change_id);
	ChangeHistory *history = palloc0(sizeof(ChangeHistory));
	int			natts;

	history->change_id = change_id;
	history->context = CurrentMemoryContext;
	history->entry_context = AllocSetContextCreate(CurrentMemoryContext,
												   "changemgmt history entry",
												   ALLOCSET_DEFAULT_SIZES);
	history->desc = lookup_rowtype_tupdesc_copy(get_rel_type_id(relation_oid("change")),
												-1);
	natts = history->desc->natts;
	history->values = palloc0(natts * sizeof(Datum));
	history->nulls = palloc(natts * sizeof(bool));
	memset(history->nulls, true, natts * sizeof(bool));
	history->recorded = palloc0(natts * sizeof(Jsonb *));
	initStringInfo(&history->buffer);
	history->hasher = canonical_hasher();

	read_row(history);
	history->portal = kept_plan_cursor(&chain, &argument, NULL);
	fetch(history);
	if (!history->exists &&
		(history->portal == NULL ||
		 (was_confidential(history) && !change_sees_everything())))
		change_unknown(change_id);
	if (with_parts)
		read_parts(history);
	return history;
}

void
history_close(ChangeHistory *history)
{
	if (history->portal == NULL)
		return;
	SPI_freetuptable(history->table);
	SPI_cursor_close(history->portal);
	history->portal = NULL;
	pg_cryptohash_free(history->hasher);
}

PartsState *
history_parts(ChangeHistory *history)
{
	return history->parts;
}

/* --------------------------------------------------------------- the way */

static void
copy_hash(Datum value, bool isnull, uint8 *hash)
{
	bytea	   *bytes = isnull ? NULL : DatumGetByteaPP(value);

	/* a CHECK sees to the length, but that can be dropped */
	memset(hash, 0, LEDGER_HASH_LENGTH);
	if (bytes && VARSIZE_ANY_EXHDR(bytes) == LEDGER_HASH_LENGTH)
		memcpy(hash, VARDATA_ANY(bytes), LEDGER_HASH_LENGTH);
}

static char *
text_or_null(Datum value, bool isnull)
{
	return isnull ? NULL : TextDatumGetCString(value);
}

bool
history_next(ChangeHistory *history, HistoryEntry *entry)
{
	Datum		values[EN_COUNT];
	bool		nulls[EN_COUNT];
	uint8		computed[LEDGER_HASH_LENGTH];
	MemoryContext caller;

	CHECK_FOR_INTERRUPTS();
	if (history->portal && history->next >= history->count)
		fetch(history);
	if (history->portal == NULL)
	{
		if (history->sequence > 0)
			history_broken(history->change_id, history->sequence,
						   "The entry is missing.");
		return false;
	}

	MemoryContextReset(history->entry_context);
	caller = MemoryContextSwitchTo(history->entry_context);
	heap_deform_tuple(history->table->vals[history->next++],
					  history->table->tupdesc, values, nulls);
	entry->sequence = DatumGetInt64(values[EN_SEQUENCE]);
	entry->event = text_or_null(values[EN_EVENT], nulls[EN_EVENT]);
	entry->actor = text_or_null(values[EN_ACTOR], nulls[EN_ACTOR]);
	entry->reason = text_or_null(values[EN_REASON], nulls[EN_REASON]);
	entry->recorded_at = DatumGetTimestampTz(values[EN_RECORDED_AT]);
	copy_hash(values[EN_HASH], nulls[EN_HASH], entry->hash);
	copy_hash(values[EN_ROW_DIGEST], nulls[EN_ROW_DIGEST], entry->row_digest);

	ledger_stored_hash(&history->buffer, history->hasher, values, nulls,
					   computed);
	if (memcmp(computed, entry->hash, LEDGER_HASH_LENGTH) != 0)
		history_broken(history->change_id, entry->sequence,
					   "Its hash does not fit its content.");
	/* a NOT NULL can be dropped */
	if (nulls[EN_EVENT] || nulls[EN_ACTOR] || nulls[EN_CHANGED] ||
		nulls[EN_RECORDED_AT])
		history_broken(history->change_id, entry->sequence,
					   "It lacks what every entry has.");
	if (history->sequence == -1)
	{
		/* the last of a row that is not there */
		if (strcmp(entry->event, "delete") != 0)
			history_broken(history->change_id, entry->sequence,
						   "The row is gone, and its deletion is not recorded.");
	}
	else if (entry->sequence != history->sequence)
		history_broken(history->change_id, history->sequence,
					   entry->sequence < history->sequence ?
					   "The entry is missing." :
					   "The row says that it is the last, and there are others after it.");
	else if (memcmp(entry->hash, history->hash, LEDGER_HASH_LENGTH) != 0)
		history_broken(history->change_id, entry->sequence,
					   "It is not the entry that the one after it, or the row, was made for.");
	history->sequence = entry->sequence - 1;
	copy_hash(values[EN_PREVIOUS_HASH], nulls[EN_PREVIOUS_HASH], history->hash);
	entry->changed = DatumGetJsonbP(values[EN_CHANGED]);
	MemoryContextSwitchTo(caller);
	return true;
}

/* The column of the row that a key of "changed" names; -1 where it is none. */
static int
column_of(TupleDesc desc, const char *name, int length)
{
	for (int i = 0; i < desc->natts; i++)
	{
		const char *column = NameStr(TupleDescAttr(desc, i)->attname);

		if (length > 0 && length < NAMEDATALEN && column[0] == name[0] &&
			strncmp(column, name, length) == 0 && column[length] == '\0' &&
			!TupleDescAttr(desc, i)->attisdropped)
			return i;
	}
	return -1;
}

void
history_undo(ChangeHistory *history, const HistoryEntry *entry)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	MemoryContext caller = MemoryContextSwitchTo(history->entry_context);

	if (!JB_ROOT_IS_OBJECT(entry->changed))
		history_broken(history->change_id, entry->sequence,
					   "What it changed cannot be read.");
	it = JsonbIteratorInit(&entry->changed->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		JsonbValue *old;
		int			column;

		if (token != WJB_KEY)
			continue;
		column = column_of(history->desc, value.val.string.val,
						   value.val.string.len);
		(void) JsonbIteratorNext(&it, &value, true);
		/* parts, and columns that are no more: the digest tells */
		if (column < 0)
			continue;
		if (value.type != jbvBinary ||
			!JsonContainerIsArray(value.val.binary.data) ||
			JsonContainerSize(value.val.binary.data) != 2)
			history_broken(history->change_id, entry->sequence,
						   "What it changed cannot be read.");
		old = getIthJsonbValueFromContainer(value.val.binary.data, 0);
		if (history->recorded[column])
			pfree(history->recorded[column]);
		MemoryContextSwitchTo(history->context);
		history->recorded[column] = JsonbValueToJsonb(old);
		MemoryContextSwitchTo(history->entry_context);
	}
	MemoryContextSwitchTo(caller);

	if (strcmp(entry->event, "create") == 0)
		history->exists = false;
	else if (strcmp(entry->event, "delete") == 0)
		history->exists = true;
	if (history->parts)
		parts_undo(history->parts, entry->sequence, entry->changed);
}

/* ------------------------------------------------------------ the answer */

/* The value that an earlier entry recorded, in a jsonb of its own. */
static Datum
recorded_value(Oid type, Jsonb *recorded, bool *isnull)
{
	JsonbValue	value;

	if (!JB_ROOT_IS_SCALAR(recorded))
	{
		value.type = jbvBinary;
		value.val.binary.data = &recorded->root;
		value.val.binary.len = VARSIZE(recorded) - VARHDRSZ;
	}
	else
		(void) JsonbExtractScalar(&recorded->root, &value);
	*isnull = value.type == jbvNull;
	return *isnull ? (Datum) 0 : ledger_read_value(type, &value);
}

HeapTuple
history_row(ChangeHistory *history, const HistoryEntry *entry)
{
	TupleDesc	desc = history->desc;
	Datum	   *values;
	bool	   *nulls;
	HeapTuple	tuple;
	uint8		digest[LEDGER_HASH_LENGTH];
	static const uint8 no_hash[LEDGER_HASH_LENGTH] = {0};
	const uint8 *head = entry ? entry->hash : history->hash;

	if (!history->exists)
		return NULL;
	values = palloc(desc->natts * sizeof(Datum));
	nulls = palloc(desc->natts * sizeof(bool));
	for (int i = 0; i < desc->natts; i++)
	{
		values[i] = history->values[i];
		nulls[i] = history->nulls[i];
		if (history->recorded[i])
			values[i] = recorded_value(TupleDescAttr(desc, i)->atttypid,
									   history->recorded[i], &nulls[i]);
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname),
				   "ledger_sequence") == 0)
		{
			values[i] = Int64GetDatum(entry ? entry->sequence :
									  Max(history->sequence, 0));
			nulls[i] = false;
		}
		else if (strcmp(NameStr(TupleDescAttr(desc, i)->attname),
						"ledger_head") == 0)
		{
			if (memcmp(head, no_hash, LEDGER_HASH_LENGTH) != 0)
				ledger_put_hash(values, nulls, i, head);
			else
				nulls[i] = true;
		}
	}
	tuple = heap_form_tuple(desc, values, nulls);

	if (entry)
	{
		(void) change_column_number();	/* the columns to skip are known */
		ledger_row_digest(desc, tuple, change_ledger_skip(), digest);
		if (memcmp(digest, entry->row_digest, LEDGER_HASH_LENGTH) != 0)
			history_broken(history->change_id, entry->sequence,
						   "The row, with what came later undone, is not the one that the entry recorded.");
	}
	return tuple;
}

Datum
history_value(ChangeHistory *history, HeapTuple row, const char *column,
			  bool *isnull)
{
	return heap_getattr(row, SPI_fnumber(history->desc, column),
						history->desc, isnull);
}

/*
 * The document has all columns, in the form of to_jsonb() in the time zone
 * UTC, so that jsonb_populate_record() gives the row again.
 */
Jsonb *
history_document(ChangeHistory *history, HeapTuple row)
{
	TupleDesc	desc = history->desc;
	JsonbParseState *state = NULL;
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));

	heap_deform_tuple(row, desc, values, nulls);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		JsonbValue	null = {.type = jbvNull};

		if (att->attisdropped)
			continue;
		jsonb_push_key(&state, NameStr(att->attname));
		if (nulls[i])
			pushJsonbValue(&state, WJB_VALUE, &null);
		else if (att->atttypid == BYTEAOID)
		{
			bytea	   *bytes = DatumGetByteaPP(values[i]);
			int			length = VARSIZE_ANY_EXHDR(bytes);
			char	   *text = palloc(2 * (Size) length + 3);

			strcpy(text, "\\x");
			text[2 + hex_encode(VARDATA_ANY(bytes), length, text + 2)] = '\0';
			jsonb_push_string(&state, WJB_VALUE, text);
		}
		else
			ledger_push_value(&state, WJB_VALUE, att->atttypid, values[i]);
	}
	parts_push(&state, history->parts);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * Go back to how the change stood at a time; NULL where there was none.  A
 * clock can be set back: it is the last entry of that time or before that
 * counts, whatever stands in those before it.
 */
static HeapTuple
history_seek(ChangeHistory *history, TimestampTz at)
{
	HistoryEntry entry;
	HeapTuple	row;
	bool		isnull;

	while (history_next(history, &entry))
	{
		if (entry.recorded_at <= at)
			return history_row(history, &entry);
		history_undo(history, &entry);
	}
	row = history_row(history, NULL);
	/* history without an entry of its creation begins with created_at */
	if (row && DatumGetTimestampTz(history_value(history, row, "created_at",
												 &isnull)) > at)
		return NULL;
	return row;
}

/* change_as_of(change_id bigint, at timestamptz) returns setof change */
Datum
change_as_of(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ChangeHistory *history;
	HeapTuple	row;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	SPI_connect();
	history = history_open(PG_GETARG_INT64(0), false);
	row = history_seek(history, PG_ARGISNULL(1) ? DT_NOEND :
					   PG_GETARG_TIMESTAMPTZ(1));
	if (row)
		tuplestore_puttuple(result->setResult, row);
	history_close(history);
	SPI_finish();
	return (Datum) 0;
}

/* change_document(change_id bigint, at timestamptz) returns jsonb */
Datum
change_document(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	ChangeHistory *history;
	HeapTuple	row;
	Jsonb	   *document = NULL;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	SPI_connect();
	history = history_open(PG_GETARG_INT64(0), true);
	row = history_seek(history, PG_ARGISNULL(1) ? DT_NOEND :
					   PG_GETARG_TIMESTAMPTZ(1));
	if (row)
	{
		MemoryContext spi;

		document = history_document(history, row);
		spi = MemoryContextSwitchTo(caller);
		document = (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(document));
		MemoryContextSwitchTo(spi);
	}
	history_close(history);
	SPI_finish();
	if (document == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(document);
}

void
change_history_init(void)
{
	static const char *const tables[] = {
		"change_item", "change_risk", "change_task", "change_check",
		"change_comment", "change_link", "change_communication",
		"change_review"
	};

	for (size_t i = 0; i < lengthof(tables); i++)
		change_part_register(tables[i]);
	ledger_register_parts("change", parts_verify);
}
