/*-------------------------------------------------------------------------
 *
 * ledger_verify.c
 *	  Whether the chains are whole and the rows are what they recorded.
 *
 * A subject is a row of a table of ours that either has the columns
 * ledger_sequence and ledger_head (changes) or whose trigger is ledger_record;
 * which tables that are is asked of the catalog, and of the ledger, for a
 * trigger can be dropped.  Everything is
 * read under the snapshot of the calling query, so that a change which goes
 * on meanwhile is no problem found.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
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
PG_FUNCTION_INFO_V1(row_digest);

#define BATCH 1000

/* A table of subjects, open while it is verified. */
typedef struct Subject
{
	Relation	rel;
	const char *kind;
	AttrNumber	sequence_attnum;	/* invalid where rows carry no head */
	AttrNumber	head_attnum;
	Bitmapset  *skip;
	SPIPlanPtr	row_plan;
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

static const uint8 no_hash[LEDGER_HASH_LENGTH] = {0};

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

/* Compare the row of a subject with the end of its chain. */
static void
verify_row(ReturnSetInfo *result, Subject *subject, Chain *chain)
{
	Datum		argument = Int64GetDatum(chain->id);
	TupleDesc	desc = RelationGetDescr(subject->rel);
	HeapTupleHeader header;
	HeapTupleData tuple;
	uint8		digest[LEDGER_HASH_LENGTH];
	Datum		head;
	bool		isnull;

	if (chain->sequence == 0)
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
		head = heap_getattr(&tuple, subject->head_attnum, desc, &isnull);
		if (!isnull)
		{
			bytea	   *hash = DatumGetByteaPP(head);

			isnull = VARSIZE_ANY_EXHDR(hash) != LEDGER_HASH_LENGTH ||
				memcmp(VARDATA_ANY(hash), chain->hash, LEDGER_HASH_LENGTH) != 0;
		}
		if (isnull)
			report(result, subject->kind, &chain->id, &chain->sequence,
				   "ledger_head of the row is not the hash of the last entry");
	}

	ledger_row_digest(desc, &tuple, subject->skip, digest);
	if (!chain->is_deleted &&
		memcmp(digest, chain->row_digest, LEDGER_HASH_LENGTH) != 0)
		report(result, subject->kind, &chain->id, &chain->sequence,
			   "the row is not what the last entry recorded");
	SPI_freetuptable(SPI_tuptable);
}

static char *
text_column(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static void
hash_column(HeapTuple tuple, TupleDesc desc, int column, uint8 *hash)
{
	bool		isnull;
	bytea	   *bytes = DatumGetByteaPP(heap_getattr(tuple, column, desc,
													 &isnull));

	/* a CHECK sees to the length, but that can be dropped */
	memset(hash, 0, LEDGER_HASH_LENGTH);
	memcpy(hash, VARDATA_ANY(bytes),
		   Min(VARSIZE_ANY_EXHDR(bytes), LEDGER_HASH_LENGTH));
}

/* One row of the ledger; the columns are those of the query below. */
static void
verify_entry(ReturnSetInfo *result, Subject *subject, Chain *chain,
			 HeapTuple tuple, TupleDesc desc)
{
	LedgerEntry entry = {0};
	LedgerIdentity identity;
	uint8		hash[LEDGER_HASH_LENGTH];
	bool		isnull;

	entry.subject_kind = subject->kind;
	entry.subject_id = DatumGetInt64(heap_getattr(tuple, 1, desc, &isnull));
	entry.sequence = DatumGetInt64(heap_getattr(tuple, 2, desc, &isnull));
	entry.event = text_column(tuple, desc, 3);
	entry.from_status = text_column(tuple, desc, 4);
	entry.to_status = text_column(tuple, desc, 5);
	entry.changed = DatumGetJsonbP(heap_getattr(tuple, 6, desc, &isnull));
	identity.actor = text_column(tuple, desc, 7);
	identity.session_role = text_column(tuple, desc, 8);
	identity.effective_role = text_column(tuple, desc, 9);
	identity.client_address = text_column(tuple, desc, 10);
	identity.application = text_column(tuple, desc, 11);
	entry.recorded_at = DatumGetTimestampTz(heap_getattr(tuple, 12, desc, &isnull));
	entry.reason = text_column(tuple, desc, 13);
	hash_column(tuple, desc, 14, entry.row_digest);
	hash_column(tuple, desc, 15, entry.previous_hash);
	hash_column(tuple, desc, 16, entry.hash);
	entry.identity = &identity;

	if (chain->sequence == 0 || entry.subject_id != chain->id)
	{
		verify_row(result, subject, chain);
		chain->id = entry.subject_id;
		chain->sequence = 0;
		memcpy(chain->hash, no_hash, LEDGER_HASH_LENGTH);
	}

	if (entry.sequence != chain->sequence + 1)
		report(result, subject->kind, &entry.subject_id, &entry.sequence,
			   entry.sequence == chain->sequence + 2 ?
			   psprintf("entry " INT64_FORMAT " is missing",
						chain->sequence + 1) :
			   psprintf("entries " INT64_FORMAT " to " INT64_FORMAT " are missing",
						chain->sequence + 1, entry.sequence - 1));
	if (memcmp(entry.previous_hash, chain->hash, LEDGER_HASH_LENGTH) != 0)
		report(result, subject->kind, &entry.subject_id, &entry.sequence,
			   "previous_hash is not the hash of the entry before");
	ledger_entry_hash(&entry, hash);
	if (memcmp(entry.hash, hash, LEDGER_HASH_LENGTH) != 0)
		report(result, subject->kind, &entry.subject_id, &entry.sequence,
			   "hash does not fit the content of the entry");

	chain->sequence = entry.sequence;
	chain->is_deleted = strcmp(entry.event, "delete") == 0;
	memcpy(chain->hash, entry.hash, LEDGER_HASH_LENGTH);
	memcpy(chain->row_digest, entry.row_digest, LEDGER_HASH_LENGTH);
}

static SPIPlanPtr
prepare(const char *sql, int nargs, Oid *types)
{
	SPIPlanPtr	plan = SPI_prepare(sql, nargs, types);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s: %s",
			 SPI_result_code_string(SPI_result), sql);
	return plan;
}

/* Rows that point to a chain which isn't there, and rows from nowhere. */
static void
verify_unchained(ReturnSetInfo *result, Subject *subject,
				 Datum *arguments, const char *nulls)
{
	Oid			types[] = {TEXTOID, INT8OID};
	bool		isnull;
	char	   *sql;

	if (subject->sequence_attnum != InvalidAttrNumber)
	{
		sql = psprintf("SELECT s.id, s.ledger_sequence FROM changemgmt.%s s "
					   "WHERE (s.ledger_sequence OPERATOR(pg_catalog.>) 0 OR s.ledger_head IS NOT NULL) "
					   "AND ($2 IS NULL OR s.id OPERATOR(pg_catalog.=) $2) "
					   "AND NOT EXISTS (SELECT FROM changemgmt.ledger l "
					   "WHERE l.subject_kind OPERATOR(pg_catalog.=) $1 "
					   "AND l.subject_id OPERATOR(pg_catalog.=) s.id) ORDER BY s.id",
					   quote_identifier(subject->kind));
		if (SPI_execute_plan(prepare(sql, 2, types), arguments, nulls, true, 0) < 0)
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

	/* of one subject alone it can't be said whether a COPY brought it */
	if (nulls[1] != 'n')
		return;
	sql = psprintf("SELECT (SELECT pg_catalog.count(*) FROM changemgmt.%s s "
				   "WHERE %s) "
				   "OPERATOR(pg_catalog.+) "
				   "(SELECT pg_catalog.count(*) FROM changemgmt.ledger "
				   "WHERE subject_kind OPERATOR(pg_catalog.=) $1 "
				   "AND sequence OPERATOR(pg_catalog.=) 1 "
				   "AND event OPERATOR(pg_catalog.<>) 'create'), "
				   "(SELECT COALESCE(pg_catalog.sum(row_count), 0)::pg_catalog.int8 "
				   "FROM changemgmt.load "
				   "WHERE relation OPERATOR(pg_catalog.=) $1)",
				   quote_identifier(subject->kind),
				   subject->sequence_attnum != InvalidAttrNumber ?
				   "ledger_sequence OPERATOR(pg_catalog.=) 0" :
				   "NOT EXISTS (SELECT FROM changemgmt.ledger l "
				   "WHERE l.subject_kind OPERATOR(pg_catalog.=) $1 "
				   "AND l.subject_id OPERATOR(pg_catalog.=) s.id)");
	if (SPI_execute_plan(prepare(sql, 2, types), arguments, nulls, true, 0) < 0)
		elog(ERROR, "could not read changemgmt.%s", subject->kind);
	else
	{
		int64		born_elsewhere = DatumGetInt64(spi_first_value(1, &isnull));
		int64		loaded = DatumGetInt64(spi_first_value(2, &isnull));

		if (born_elsewhere > loaded)
			report(result, subject->kind, NULL, NULL,
				   psprintf("of " INT64_FORMAT " rows whose creation is not in the ledger only "
							INT64_FORMAT " came in by COPY",
							born_elsewhere, loaded));
	}
	SPI_freetuptable(SPI_tuptable);
}

/* All chains of one kind; $1 is the kind, $2 the id or null. */
static void
verify_kind(ReturnSetInfo *result, Oid relid, const char *kind,
			Datum id, bool id_isnull)
{
	Oid			types[] = {TEXTOID, INT8OID};
	Oid			row_types[] = {INT8OID};
	Datum		arguments[2];
	const char *nulls = id_isnull ? " n" : "  ";
	Subject		subject;
	Chain		chain = {0};
	Portal		portal;
	MemoryContext batch;

	subject.rel = table_open(relid, AccessShareLock);
	subject.kind = kind;
	subject.sequence_attnum = get_attnum(relid, "ledger_sequence");
	subject.head_attnum = get_attnum(relid, "ledger_head");
	subject.skip = head_columns(relid);
	subject.row_plan = prepare(psprintf("SELECT s FROM changemgmt.%s s "
										"WHERE s.id OPERATOR(pg_catalog.=) $1",
										quote_identifier(kind)),
							   1, row_types);

	arguments[0] = CStringGetTextDatum(kind);
	arguments[1] = id;
	portal = SPI_cursor_open(NULL,
							 prepare("SELECT subject_id, sequence, event, "
									 "from_status, to_status, changed, actor, "
									 "session_role, effective_role, "
									 "client_address, application, "
									 "recorded_at, reason, row_digest, "
									 "previous_hash, hash "
									 "FROM changemgmt.ledger "
									 "WHERE subject_kind OPERATOR(pg_catalog.=) $1 "
									 "AND ($2 IS NULL OR subject_id OPERATOR(pg_catalog.=) $2) "
									 "ORDER BY subject_id, sequence",
									 2, types),
							 arguments, nulls, true);

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
			verify_entry(result, &subject, &chain, table->vals[i],
						 table->tupdesc);
		}
		MemoryContextSwitchTo(oldcontext);
		MemoryContextReset(batch);
		SPI_freetuptable(table);
	}
	verify_row(result, &subject, &chain);
	SPI_cursor_close(portal);
	MemoryContextDelete(batch);

	verify_unchained(result, &subject, arguments, nulls);
	table_close(subject.rel, AccessShareLock);
}

/*
 * verify_ledger(kind text DEFAULT NULL, id bigint DEFAULT NULL): a row for
 * each problem.  Reads as the owner of the tables, for what is told of them
 * is only where something is wrong.
 */
Datum
verify_ledger(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *kind = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum		id = PG_ARGISNULL(1) ? (Datum) 0 : PG_GETARG_DATUM(1);
	Oid			types[] = {OIDOID};
	Datum		schema = ObjectIdGetDatum(schema_oid());
	SPITupleTable *tables;
	uint64		count;
	bool		found = false;
	Oid			save_userid;
	int			save_context;

	if (kind == NULL && !PG_ARGISNULL(1))
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

	if (SPI_execute_plan(prepare("SELECT c.oid, c.relname::pg_catalog.text "
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
								 "AND p.proname OPERATOR(pg_catalog.=) 'ledger_record') "
								 "OR EXISTS (SELECT FROM changemgmt.ledger l "
								 "WHERE l.subject_kind OPERATOR(pg_catalog.=) c.relname::pg_catalog.text)) "
								 "ORDER BY c.relname",
								 1, types),
						 &schema, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_class");
	tables = SPI_tuptable;
	count = SPI_processed;

	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;
		Oid			relid = DatumGetObjectId(SPI_getbinval(tables->vals[i],
														   tables->tupdesc,
														   1, &isnull));
		char	   *name = SPI_getvalue(tables->vals[i], tables->tupdesc, 2);

		if (kind != NULL && strcmp(kind, name) != 0)
			continue;
		found = true;
		verify_kind(result, relid, name, id, PG_ARGISNULL(1));
	}
	if (kind != NULL && !found)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("\"%s\" is no kind of subject that has a ledger", kind),
				 errhint("Leave the kind out to verify all there are.")));

	SetUserIdAndSecContext(save_userid, save_context);
	SPI_finish();
	return (Datum) 0;
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
