/*-------------------------------------------------------------------------
 *
 * ledger_verify.c
 *	  Whether the chains are whole and the rows are what they recorded.
 *
 * A kind of subjects is a table of ours.  Rows with the columns
 * ledger_sequence and ledger_head (changes) know where their chain ends; the
 * rows of other kinds have the trigger ledger_record, and only their digest is
 * compared.  Which kinds there are is asked of the catalog, and of the ledger
 * and the checkpoints, for a trigger can be dropped.  Everything is read under
 * the snapshot of the calling query, so that a change which goes on meanwhile
 * is no problem found.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "compat.h"
#include "errors.h"
#include "ledger.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(verify_ledger);
PG_FUNCTION_INFO_V1(verify_checkpoint);
PG_FUNCTION_INFO_V1(row_digest);

/* entries read at once: few enough that their memory is used again */
#define BATCH 64

static const Oid entry_types[EN_COUNT] = {
	TEXTOID, INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID,
	TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID,
	BYTEAOID, BYTEAOID, BYTEAOID
};

/* A kind of subjects while it is verified. */
typedef struct Subject
{
	Relation	rel;			/* NULL: there is no such table */
	const char *kind;
	AttrNumber	sequence_attnum;	/* 0: the rows don't know their chain */
	AttrNumber	head_attnum;
	Bitmapset  *skip;
	SPIPlanPtr	row_plan;
	StringInfoData buffer;		/* of what is hashed, and with what */
	pg_cryptohash_ctx *hasher;
	int64		born_elsewhere; /* chains that don't begin with a creation */
	int64		chained;		/* rows that a chain was found for */
	int64		headed;			/* those of them that say so */
} Subject;

/* Where in the ledger we are. */
typedef struct Chain
{
	int64		id;
	int64		sequence;		/* of the entry before; 0: no chain is open */
	bool		is_deleted;
	uint8		hash[LEDGER_HASH_LENGTH];
	uint8		row_digest[LEDGER_HASH_LENGTH];
} Chain;

/* The heads that checkpoints saw, in the order of the chains. */
typedef struct Heads
{
	Portal		portal;			/* NULL: none are left */
	SPITupleTable *table;
	uint64		count;
	uint64		next;
	/* the one that we are at */
	int64		id;
	int64		sequence;
	int64		checkpoint;
	Datum		hash;
} Heads;

static const uint8 no_hash[LEDGER_HASH_LENGTH] = {0};

/* What later rooms compare with the chains of a kind. */
static const char *parts_kind = NULL;
static LedgerPartsVerifier parts_verifier = NULL;

static void
report(ReturnSetInfo *result, const char *kind, const int64 *id,
	   const int64 *sequence, const char *problem)
{
	Datum		values[4];
	bool		nulls[4] = {false};

	values[0] = CStringGetTextDatum(kind);
	nulls[1] = (id == NULL);
	values[1] = id ? Int64GetDatum(*id) : (Datum) 0;
	nulls[2] = (sequence == NULL);
	values[2] = sequence ? Int64GetDatum(*sequence) : (Datum) 0;
	values[3] = CStringGetTextDatum(problem);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

void
ledger_register_parts(const char *kind, LedgerPartsVerifier verifier)
{
	Assert(parts_verifier == NULL);
	parts_kind = kind;
	parts_verifier = verifier;
}

void
ledger_report(ReturnSetInfo *result, const char *kind, const int64 *id,
			  const int64 *sequence, const char *problem)
{
	report(result, kind, id, sequence, problem);
}

/* The columns of a subject's table that say where its chain is. */
static Bitmapset *
head_columns(Oid relid)
{
	Bitmapset  *columns = NULL;
	static const char *const names[] = {"ledger_sequence", "ledger_head"};

	for (int i = 0; i < (int) lengthof(names); i++)
	{
		AttrNumber	attnum = get_attnum(relid, names[i]);

		if (attnum != InvalidAttrNumber)
			columns = bms_add_member(columns, attnum);
	}
	return columns;
}

static bool
is_hash(Datum value, bool isnull, const uint8 *hash)
{
	bytea	   *bytes = isnull ? NULL : DatumGetByteaPP(value);

	return bytes != NULL && VARSIZE_ANY_EXHDR(bytes) == LEDGER_HASH_LENGTH &&
		memcmp(VARDATA_ANY(bytes), hash, LEDGER_HASH_LENGTH) == 0;
}

static bool
is_text(Datum value, bool isnull, const char *string)
{
	text	   *t = isnull ? NULL : DatumGetTextPP(value);

	return t != NULL && VARSIZE_ANY_EXHDR(t) == strlen(string) &&
		memcmp(VARDATA_ANY(t), string, strlen(string)) == 0;
}

/* Compare the row of a subject with the end of its chain. */
static void
verify_row(ReturnSetInfo *result, Subject *subject, Chain *chain)
{
	Datum		argument = Int64GetDatum(chain->id);
	TupleDesc	desc;
	HeapTupleHeader header;
	HeapTupleData tuple;
	uint8		digest[LEDGER_HASH_LENGTH];
	Datum		head;
	bool		has_head = false;
	bool		isnull;

	if (chain->sequence == 0 || subject->rel == NULL)
		return;
	if (SPI_execute_plan(subject->row_plan, &argument, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read changemgmt.%s", subject->kind);
	if (SPI_processed == 0)
	{
		if (!chain->is_deleted)
			report(result, subject->kind, &chain->id, &chain->sequence,
				   "the row is gone, and its deletion is not recorded");
		SPI_freetuptable(SPI_tuptable);
		return;
	}
	if (chain->is_deleted)
		report(result, subject->kind, &chain->id, &chain->sequence,
			   "the row is there, but its deletion is recorded");

	desc = RelationGetDescr(subject->rel);
	header = DatumGetHeapTupleHeader(SPI_getbinval(SPI_tuptable->vals[0],
												   SPI_tuptable->tupdesc,
												   1, &isnull));
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = RelationGetRelid(subject->rel);
	tuple.t_data = header;

	if (subject->sequence_attnum != InvalidAttrNumber)
	{
		head = heap_getattr(&tuple, subject->sequence_attnum, desc, &isnull);
		if (isnull || DatumGetInt64(head) != chain->sequence)
			report(result, subject->kind, &chain->id, &chain->sequence,
				   psprintf("the row says that entry " INT64_FORMAT " is the last",
							isnull ? (int64) 0 : DatumGetInt64(head)));
		has_head = !isnull && DatumGetInt64(head) > 0;
	}
	if (subject->head_attnum != InvalidAttrNumber)
	{
		head = heap_getattr(&tuple, subject->head_attnum, desc, &isnull);
		if (!is_hash(head, isnull, chain->hash))
			report(result, subject->kind, &chain->id, &chain->sequence,
				   "ledger_head of the row is not the hash of the last entry");
		has_head |= !isnull;
	}
	subject->chained++;
	subject->headed += has_head;

	ledger_row_digest(desc, &tuple, subject->skip, digest);
	if (!chain->is_deleted &&
		memcmp(digest, chain->row_digest, LEDGER_HASH_LENGTH) != 0)
		report(result, subject->kind, &chain->id, &chain->sequence,
			   "the row is not what the last entry recorded");
	SPI_freetuptable(SPI_tuptable);
}

/* What is no hash becomes 32 zero bytes, which no content has. */
static void
copy_hash(Datum value, bool isnull, uint8 *hash)
{
	bytea	   *bytes = isnull ? NULL : DatumGetByteaPP(value);

	/* a CHECK sees to the length, but that can be dropped */
	if (bytes != NULL && VARSIZE_ANY_EXHDR(bytes) == LEDGER_HASH_LENGTH)
		memcpy(hash, VARDATA_ANY(bytes), LEDGER_HASH_LENGTH);
	else
		memset(hash, 0, LEDGER_HASH_LENGTH);
}

/* The bytes themselves, not hex. */
static void
append_bytes_or_null(StringInfo buf, Datum value, bool isnull)
{
	if (isnull)
		canonical_append_null(buf);
	else
	{
		bytea	   *bytes = DatumGetByteaPP(value);

		canonical_append_bytes(buf, VARDATA_ANY(bytes),
							   VARSIZE_ANY_EXHDR(bytes));
	}
}

void
ledger_stored_hash(StringInfo buf, pg_cryptohash_ctx *hasher,
				   const Datum *values, const bool *nulls, uint8 *hash)
{
	resetStringInfo(buf);
	canonical_append_text(buf, LEDGER_FORMAT);
	append_bytes_or_null(buf, values[EN_PREVIOUS_HASH], nulls[EN_PREVIOUS_HASH]);
	for (int i = EN_SUBJECT_KIND; i < EN_ROW_DIGEST; i++)
		canonical_append_value(buf, entry_types[i], values[i], nulls[i]);
	append_bytes_or_null(buf, values[EN_ROW_DIGEST], nulls[EN_ROW_DIGEST]);
	canonical_digest_with(hasher, buf, hash);
}

/* Go to the next head. */
static void
heads_next(Heads *heads)
{
	HeapTuple	tuple;
	TupleDesc	desc;
	bool		isnull;

	if (heads->next >= heads->count)
	{
		if (heads->table != NULL)
			SPI_freetuptable(heads->table);
		SPI_cursor_fetch(heads->portal, true, BATCH);
		heads->table = SPI_tuptable;
		heads->count = SPI_processed;
		heads->next = 0;
		if (heads->count == 0)
		{
			SPI_freetuptable(heads->table);
			SPI_cursor_close(heads->portal);
			heads->portal = NULL;
			return;
		}
	}
	tuple = heads->table->vals[heads->next++];
	desc = heads->table->tupdesc;
	heads->id = DatumGetInt64(heap_getattr(tuple, 1, desc, &isnull));
	heads->sequence = DatumGetInt64(heap_getattr(tuple, 2, desc, &isnull));
	heads->checkpoint = DatumGetInt64(heap_getattr(tuple, 3, desc, &isnull));
	heads->hash = heap_getattr(tuple, 4, desc, &isnull);
	if (isnull)
		heads->hash = (Datum) 0;
}

/*
 * The heads up to an entry: those before it have no entry, and those of it
 * must have its hash.  "values" is NULL after the last entry.
 */
static void
verify_heads(ReturnSetInfo *result, Subject *subject, Heads *heads,
			 const Datum *values, const uint8 *hash)
{
	while (heads->portal != NULL)
	{
		int64		id = values ? DatumGetInt64(values[EN_SUBJECT_ID]) : 0;
		int64		sequence = values ? DatumGetInt64(values[EN_SEQUENCE]) : 0;

		CHECK_FOR_INTERRUPTS();
		if (values == NULL || heads->id < id ||
			(heads->id == id && heads->sequence < sequence))
			report(result, subject->kind, &heads->id, &heads->sequence,
				   psprintf("entry " INT64_FORMAT ", which checkpoint " INT64_FORMAT " saw, is missing",
							heads->sequence, heads->checkpoint));
		else if (heads->id > id || heads->sequence > sequence)
			break;
		else if (!is_hash(heads->hash, heads->hash == (Datum) 0, hash))
			report(result, subject->kind, &heads->id, &heads->sequence,
				   psprintf("hash is not the one that checkpoint " INT64_FORMAT " saw",
							heads->checkpoint));
		heads_next(heads);
	}
}

/* One row of the ledger; the columns are LEDGER_ENTRY_COLUMNS. */
static void
verify_entry(ReturnSetInfo *result, Subject *subject, Chain *chain,
			 Heads *heads, HeapTuple tuple, TupleDesc desc)
{
	Datum		values[EN_COUNT];
	bool		nulls[EN_COUNT];
	uint8		stored[LEDGER_HASH_LENGTH];
	uint8		computed[LEDGER_HASH_LENGTH];
	int64		id;
	int64		sequence;

	heap_deform_tuple(tuple, desc, values, nulls);
	id = DatumGetInt64(values[EN_SUBJECT_ID]);
	sequence = DatumGetInt64(values[EN_SEQUENCE]);
	copy_hash(values[EN_HASH], nulls[EN_HASH], stored);

	if (chain->sequence == 0 || id != chain->id)
	{
		verify_row(result, subject, chain);
		chain->id = id;
		chain->sequence = 0;
		memcpy(chain->hash, no_hash, LEDGER_HASH_LENGTH);
	}

	if (sequence != chain->sequence + 1)
		report(result, subject->kind, &id, &sequence,
			   sequence == chain->sequence + 2 ?
			   psprintf("entry " INT64_FORMAT " is missing",
						chain->sequence + 1) :
			   psprintf("entries " INT64_FORMAT " to " INT64_FORMAT " are missing",
						chain->sequence + 1, sequence - 1));
	if (!is_hash(values[EN_PREVIOUS_HASH], nulls[EN_PREVIOUS_HASH],
				 chain->hash))
		report(result, subject->kind, &id, &sequence,
			   "previous_hash is not the hash of the entry before");
	ledger_stored_hash(&subject->buffer, subject->hasher, values, nulls,
					   computed);
	if (memcmp(stored, computed, LEDGER_HASH_LENGTH) != 0)
		report(result, subject->kind, &id, &sequence,
			   "hash does not fit the content of the entry");
	verify_heads(result, subject, heads, values, stored);

	if (sequence == 1 &&
		!is_text(values[EN_EVENT], nulls[EN_EVENT], "create"))
		subject->born_elsewhere++;
	chain->sequence = sequence;
	chain->is_deleted = is_text(values[EN_EVENT], nulls[EN_EVENT], "delete");
	memcpy(chain->hash, stored, LEDGER_HASH_LENGTH);
	copy_hash(values[EN_ROW_DIGEST], nulls[EN_ROW_DIGEST], chain->row_digest);
}

/* Rows that point to a chain which isn't there; $1 is the kind, $2 the id. */
static void
verify_headed(ReturnSetInfo *result, Subject *subject, Datum *arguments,
			  const char *nulls)
{
	Oid			types[] = {TEXTOID, INT8OID};
	bool		isnull;
	char	   *sql;

	sql = psprintf("SELECT s.id, s.ledger_sequence FROM changemgmt.%s s "
				   "WHERE (s.ledger_sequence OPERATOR(pg_catalog.>) 0 OR s.ledger_head IS NOT NULL) "
				   "AND ($2 IS NULL OR s.id OPERATOR(pg_catalog.=) $2) "
				   "AND NOT EXISTS (SELECT FROM changemgmt.ledger l "
				   "WHERE l.subject_kind OPERATOR(pg_catalog.=) $1 "
				   "AND l.subject_id OPERATOR(pg_catalog.=) s.id) ORDER BY s.id",
				   quote_identifier(subject->kind));
	if (SPI_execute_plan(spi_prepare(sql, 2, types), arguments, nulls, true, 0) < 0)
		elog(ERROR, "could not read changemgmt.%s", subject->kind);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		int64		id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
													 SPI_tuptable->tupdesc,
													 1, &isnull));
		int64		sequence = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
														   SPI_tuptable->tupdesc,
														   2, &isnull));

		CHECK_FOR_INTERRUPTS();
		report(result, subject->kind, &id, &sequence,
			   "the row has a ledger_head, but the ledger has no entry");
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Rows without a chain.  They are counted against those that the chains were
 * found to have, so that the ledger is not read once more where all is well.
 */
static void
verify_unchained(ReturnSetInfo *result, Subject *subject,
				 Datum *arguments, const char *nulls)
{
	Oid			types[] = {TEXTOID};
	bool		has_heads = subject->sequence_attnum != InvalidAttrNumber;
	bool		isnull;
	int64		headed;
	int64		unchained;		/* rows that no chain tells of */
	int64		born_elsewhere; /* and those whose chain begins later */
	int64		loaded;
	int64		loaded_unchained;
	char	   *sql;

	/* of one subject alone it can't be said whether a COPY brought it */
	if (nulls[1] != 'n')
	{
		if (has_heads && subject->headed == 0)
			verify_headed(result, subject, arguments, nulls);
		return;
	}

	sql = psprintf("SELECT pg_catalog.count(*) FILTER (WHERE %s), "
				   "pg_catalog.count(*) FILTER (WHERE %s), "
				   "(SELECT COALESCE(pg_catalog.sum(row_count), 0)::pg_catalog.int8 "
				   "FROM changemgmt.load "
				   "WHERE relation OPERATOR(pg_catalog.=) $1), "
				   "(SELECT COALESCE(pg_catalog.sum(%s), 0)::pg_catalog.int8 "
				   "FROM changemgmt.load "
				   "WHERE relation OPERATOR(pg_catalog.=) $1) "
				   "FROM changemgmt.%s s",
				   has_heads ? "s.ledger_sequence OPERATOR(pg_catalog.>) 0 OR s.ledger_head IS NOT NULL" : "false",
				   has_heads ? "s.ledger_sequence OPERATOR(pg_catalog.=) 0" : "true",
				   column_exists("load", "unchained_count") ?
				   "COALESCE(unchained_count, row_count)" : "row_count",
				   quote_identifier(subject->kind));
	if (SPI_execute_plan(spi_prepare(sql, 1, types), arguments, NULL, true, 0) < 0)
		elog(ERROR, "could not read changemgmt.%s", subject->kind);
	headed = DatumGetInt64(spi_first_value(1, &isnull));
	unchained = DatumGetInt64(spi_first_value(2, &isnull)) -
		(has_heads ? 0 : subject->chained);
	born_elsewhere = subject->born_elsewhere + unchained;
	loaded_unchained = DatumGetInt64(spi_first_value(4, &isnull));
	loaded = DatumGetInt64(spi_first_value(3, &isnull));
	SPI_freetuptable(SPI_tuptable);

	if (headed > subject->headed)
		verify_headed(result, subject, arguments, nulls);
	if (unchained > loaded_unchained)
		report(result, subject->kind, NULL, NULL,
			   psprintf("of " INT64_FORMAT " rows whose creation is not in the ledger only "
						INT64_FORMAT " came in by COPY",
						unchained, loaded_unchained));
	else if (born_elsewhere > loaded)
		report(result, subject->kind, NULL, NULL,
			   psprintf("of " INT64_FORMAT " rows whose creation is not in the ledger only "
						INT64_FORMAT " came in by COPY",
						born_elsewhere, loaded));
}

/* The table of a kind, if it is one of ours whose rows have an id. */
static Oid
subject_table(const char *kind)
{
	Oid			relid = get_relname_relid(kind, schema_oid());
	AttrNumber	id;

	if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_RELATION)
		return InvalidOid;
	id = get_attnum(relid, "id");
	if (id == InvalidAttrNumber || get_atttype(relid, id) != INT8OID)
		return InvalidOid;
	return relid;
}

/* All chains of one kind; $1 is the kind, $2 the id or null. */
static void
verify_kind(ReturnSetInfo *result, const char *kind, Datum id, bool id_isnull)
{
	Oid			types[] = {TEXTOID, INT8OID};
	Oid			row_types[] = {INT8OID};
	Oid			relid = subject_table(kind);
	Datum		arguments[2];
	const char *nulls = id_isnull ? " n" : "  ";
	Subject		subject = {0};
	Chain		chain = {0};
	Heads		heads = {0};
	Portal		portal;
	MemoryContext batch;

	subject.kind = kind;
	initStringInfo(&subject.buffer);
	subject.hasher = canonical_hasher();
	if (OidIsValid(relid))
	{
		subject.rel = table_open(relid, AccessShareLock);
		subject.sequence_attnum = get_attnum(relid, "ledger_sequence");
		subject.head_attnum = get_attnum(relid, "ledger_head");
		subject.skip = head_columns(relid);
		subject.row_plan = spi_prepare(psprintf("SELECT s FROM changemgmt.%s s "
											"WHERE s.id OPERATOR(pg_catalog.=) $1",
											quote_identifier(kind)),
								   1, row_types);
	}
	else
		report(result, kind, NULL, NULL,
			   "there is no table of this kind, and so no row to compare with");

	arguments[0] = CStringGetTextDatum(kind);
	arguments[1] = id;
	portal = SPI_cursor_open(NULL,
							 spi_prepare("SELECT " LEDGER_ENTRY_COLUMNS " "
									 "FROM changemgmt.ledger "
									 "WHERE subject_kind OPERATOR(pg_catalog.=) $1 "
									 "AND ($2 IS NULL OR subject_id OPERATOR(pg_catalog.=) $2) "
									 "ORDER BY subject_id, sequence",
									 2, types),
							 arguments, nulls, true);
	if (ledger_has_checkpoints())
	{
		heads.portal = SPI_cursor_open(NULL,
									   spi_prepare("SELECT subject_id, sequence, checkpoint_id, hash "
											   "FROM changemgmt.ledger_checkpoint_head "
											   "WHERE subject_kind OPERATOR(pg_catalog.=) $1 "
											   "AND ($2 IS NULL OR subject_id OPERATOR(pg_catalog.=) $2) "
											   "AND sequence OPERATOR(pg_catalog.>) 0 "
											   "ORDER BY subject_id, sequence, checkpoint_id",
											   2, types),
									   arguments, nulls, true);
		heads_next(&heads);
	}

	batch = AllocSetContextCreate(CurrentMemoryContext,
								  "changemgmt verify_ledger",
								  ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		MemoryContext oldcontext;
		SPITupleTable *table;
		uint64		count;

		SPI_cursor_fetch(portal, true, BATCH);
		table = SPI_tuptable;
		count = SPI_processed;
		if (count == 0)
			break;
		oldcontext = MemoryContextSwitchTo(batch);
		for (uint64 i = 0; i < count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			verify_entry(result, &subject, &chain, &heads, table->vals[i],
						 table->tupdesc);
		}
		MemoryContextSwitchTo(oldcontext);
		MemoryContextReset(batch);
		SPI_freetuptable(table);
	}
	verify_row(result, &subject, &chain);
	verify_heads(result, &subject, &heads, NULL, NULL);
	SPI_cursor_close(portal);
	MemoryContextDelete(batch);

	if (subject.rel != NULL)
	{
		verify_unchained(result, &subject, arguments, nulls);
		if (parts_kind != NULL && strcmp(kind, parts_kind) == 0)
			parts_verifier(result, arguments, nulls);
		table_close(subject.rel, AccessShareLock);
	}
	pfree(subject.buffer.data);
	pg_cryptohash_free(subject.hasher);
}

/* A problem of the checkpoints themselves. */
static void
report_checkpoint(ReturnSetInfo *result, const int64 *id, const char *problem)
{
	report(result, "ledger_checkpoint", id, NULL, problem);
}

/* Whether a stored checkpoint is what its heads come to. */
static void
verify_stored(ReturnSetInfo *result, const LedgerCheckpoint *stored)
{
	LedgerCheckpoint computed;

	ledger_checkpoint_compute(stored->id, &computed);
	if (memcmp(computed.root, stored->root, LEDGER_HASH_LENGTH) != 0)
		report_checkpoint(result, &stored->id,
						  "the heads that are kept for it do not give its root");
	else if (computed.subjects != stored->subjects ||
			 computed.entries != stored->entries)
		report_checkpoint(result, &stored->id,
						  psprintf("its root has " INT64_FORMAT " subjects and " INT64_FORMAT " entries, not " INT64_FORMAT " and " INT64_FORMAT,
								   computed.subjects, computed.entries,
								   stored->subjects, stored->entries));
}

/*
 * The checkpoints: the one with the root that was given, else (where all is
 * verified) the newest; and that none is missing.
 */
static void
verify_checkpoints(ReturnSetInfo *result, bytea *root, bool is_whole)
{
	Oid			types[] = {BYTEAOID};
	Datum		argument = PointerGetDatum(root);
	LedgerCheckpoint stored = {0};
	bool		isnull;

	if (root != NULL || is_whole)
	{
		if (SPI_execute_plan(spi_prepare("SELECT id, subjects, entries, root "
									 "FROM changemgmt.ledger_checkpoint "
									 "WHERE $1 IS NULL OR root OPERATOR(pg_catalog.=) $1 "
									 "ORDER BY id DESC LIMIT 1",
									 1, types),
							 &argument, root ? " " : "n", true, 1) != SPI_OK_SELECT)
			elog(ERROR, "could not read changemgmt.ledger_checkpoint");
		if (SPI_processed > 0)
		{
			stored.id = DatumGetInt64(spi_first_value(1, &isnull));
			stored.subjects = DatumGetInt64(spi_first_value(2, &isnull));
			stored.entries = DatumGetInt64(spi_first_value(3, &isnull));
			argument = spi_first_value(4, &isnull);
			copy_hash(argument, isnull, stored.root);
			verify_stored(result, &stored);
		}
		else if (root != NULL)
			report_checkpoint(result, NULL, "no checkpoint has this root");
		SPI_freetuptable(SPI_tuptable);
	}
	if (!is_whole)
		return;

	if (SPI_execute_plan(spi_prepare("SELECT c.id FROM changemgmt.ledger_checkpoint c "
								 "WHERE c.id OPERATOR(pg_catalog.>) 1 "
								 "AND NOT EXISTS (SELECT FROM changemgmt.ledger_checkpoint p "
								 "WHERE p.id OPERATOR(pg_catalog.=) (c.id OPERATOR(pg_catalog.-) 1)) "
								 "ORDER BY c.id",
								 0, NULL),
						 NULL, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read changemgmt.ledger_checkpoint");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		int64		id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
													 SPI_tuptable->tupdesc,
													 1, &isnull));

		report_checkpoint(result, &id, "the checkpoint before it is missing");
	}
	SPI_freetuptable(SPI_tuptable);
}

static int
compare_kinds(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/*
 * The kinds of subjects: the tables whose rows know their chain or are
 * recorded, and what else the ledger or a checkpoint names.  In order, each
 * once.
 */
static List *
subject_kinds(void)
{
	Oid			types[] = {OIDOID};
	Datum		schema = ObjectIdGetDatum(schema_oid());
	List	   *kinds;
	List	   *unique = NIL;
	ListCell   *cell;

	kinds = ledger_kinds("ledger", NIL);
	if (ledger_has_checkpoints())
		kinds = ledger_kinds("ledger_checkpoint_head", kinds);
	if (SPI_execute_plan(spi_prepare("SELECT c.relname "
								 "FROM pg_catalog.pg_class c "
								 "WHERE c.relnamespace OPERATOR(pg_catalog.=) $1 "
								 "AND c.relkind OPERATOR(pg_catalog.=) 'r' "
								 "AND (3 OPERATOR(pg_catalog.=) (SELECT pg_catalog.count(*) "
								 "FROM pg_catalog.pg_attribute a "
								 "WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid "
								 "AND a.attname OPERATOR(pg_catalog.=) "
								 "ANY ('{id,ledger_sequence,ledger_head}'::pg_catalog.name[])) "
								 "OR EXISTS (SELECT FROM pg_catalog.pg_trigger t "
								 "JOIN pg_catalog.pg_proc p "
								 "ON p.oid OPERATOR(pg_catalog.=) t.tgfoid "
								 "WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid "
								 "AND p.pronamespace OPERATOR(pg_catalog.=) $1 "
								 "AND p.proname OPERATOR(pg_catalog.=) 'ledger_record'))",
								 1, types),
						 &schema, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_class");
	for (uint64 i = 0; i < SPI_processed; i++)
		kinds = lappend(kinds, SPI_getvalue(SPI_tuptable->vals[i],
											SPI_tuptable->tupdesc, 1));

	list_sort(kinds, compare_kinds);
	foreach(cell, kinds)
		if (unique == NIL || strcmp(llast(unique), lfirst(cell)) != 0)
			unique = lappend(unique, lfirst(cell));
	return unique;
}

/*
 * A row for each problem; root is NULL where none was given.  Reads as the
 * owner of the tables, for what is told of them is only where something is
 * wrong.
 */
static Datum
verify(FunctionCallInfo fcinfo, const char *kind, const int64 *subject_id,
	   bytea *root)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		id = subject_id ? Int64GetDatum(*subject_id) : (Datum) 0;
	List	   *kinds;
	ListCell   *cell;
	bool		found = false;
	Oid			save_userid;
	int			save_context;

	if (kind == NULL && subject_id != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("an id needs the kind of subject beside it"),
				 errhint("For a change: verify_ledger('change', 42).")));

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	GetUserIdAndSecContext(&save_userid, &save_context);
	SetUserIdAndSecContext(tables_owner(),
						   save_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);

	kinds = subject_kinds();
	foreach(cell, kinds)
	{
		if (kind != NULL && strcmp(kind, lfirst(cell)) != 0)
			continue;
		found = true;
		verify_kind(result, lfirst(cell), id, subject_id == NULL);
	}
	if (kind != NULL && !found)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("\"%s\" is no kind of subject that has a ledger", kind),
				 errhint("Leave the kind out to verify all there are.")));
	if (ledger_has_checkpoints())
		verify_checkpoints(result, root, kind == NULL);

	SetUserIdAndSecContext(save_userid, save_context);
	SPI_finish();
	return (Datum) 0;
}

/* verify_ledger(kind text DEFAULT NULL, id bigint DEFAULT NULL) */
Datum
verify_ledger(PG_FUNCTION_ARGS)
{
	int64		id = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT64(1);

	return verify(fcinfo,
				  PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0)),
				  PG_ARGISNULL(1) ? NULL : &id, NULL);
}

/*
 * verify_checkpoint(checkpoint text, kind text DEFAULT NULL, id bigint DEFAULT
 * NULL): the same, against a root that was kept outside.
 */
Datum
verify_checkpoint(PG_FUNCTION_ARGS)
{
	int64		id = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT64(2);
	bytea	   *root = palloc(VARHDRSZ + LEDGER_HASH_LENGTH);

	SET_VARSIZE(root, VARHDRSZ + LEDGER_HASH_LENGTH);
	ledger_root_parse(PG_ARGISNULL(0) ? "" :
					  text_to_cstring(PG_GETARG_TEXT_PP(0)),
					  (uint8 *) VARDATA(root));
	return verify(fcinfo,
				  PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)),
				  PG_ARGISNULL(2) ? NULL : &id, root);
}

/* row_digest(record) returns bytea: what an entry keeps of a row. */
Datum
row_digest(PG_FUNCTION_ARGS)
{
	HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER(0);
	Oid			type = HeapTupleHeaderGetTypeId(header);
	TupleDesc	desc = lookup_rowtype_tupdesc(type,
											  HeapTupleHeaderGetTypMod(header));
	bytea	   *digest = palloc(VARHDRSZ + LEDGER_HASH_LENGTH);
	Oid			relid = get_typ_typrelid(type);
	HeapTupleData tuple;

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	SET_VARSIZE(digest, VARHDRSZ + LEDGER_HASH_LENGTH);
	ledger_row_digest(desc, &tuple,
					  OidIsValid(relid) ? head_columns(relid) : NULL,
					  (uint8 *) VARDATA(digest));
	ReleaseTupleDesc(desc);
	PG_RETURN_BYTEA_P(digest);
}
