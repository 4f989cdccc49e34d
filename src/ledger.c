/*-------------------------------------------------------------------------
 *
 * ledger.c
 *	  The append-only trail: chain, writer, guard, the COPY door.
 *
 * The triggers of a subject seal an entry before its row is stored (the hash
 * becomes the row's ledger_head) and write it afterwards.  Entries go straight
 * into the table, not through SQL.  So whatever comes to the ledger through
 * SQL does not come from here, and the guard refuses all of it but history:
 * rows that the owner or a superuser brings by COPY FROM.
 *
 * State for the life of the session: the address of the client, the identity
 * sealed last (older ones until the transaction ends), the COPY that was last
 * found to be history (until its portal goes), the rows it brought.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/pquery.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "compat.h"
#include "errors.h"
#include "ledger.h"
#include "ledger_key.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(ledger_guard);
PG_FUNCTION_INFO_V1(load_record);
PG_FUNCTION_INFO_V1(truncate_guard);

#define LEDGER_COLUMNS 17
#define LOAD_COLUMNS 9

/* An identity with the strings behind it in the same allocation. */
typedef struct KeptIdentity
{
	LedgerIdentity id;
	struct KeptIdentity *older;
} KeptIdentity;

static KeptIdentity *identities = NULL;

/* A COPY that is known to be the door of a relation, for a user. */
static struct
{
	Portal		portal;			/* NULL: none is known */
	Oid			relid;
	Oid			userid;
} door = {NULL, InvalidOid, InvalidOid};

static int64 history_count = 0;
static int64 unchained_count = 0;

/* ------------------------------------------------------------- identity */

/* Address of the client; NULL for a local socket or where there is none. */
static const char *
client_address(void)
{
	static bool is_known = false;
	static char address[64];

	if (!is_known)
	{
		LOCAL_FCINFO(fcinfo, 0);
		Datum		inet;

		InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
		inet = inet_client_addr(fcinfo);
		if (!fcinfo->isnull)
			strlcpy(address,
					DatumGetCString(DirectFunctionCall1(inet_out, inet)),
					sizeof(address));
		is_known = true;
	}
	return address[0] ? address : NULL;
}

static bool
same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static const char *
copy_text(char **to, const char *text)
{
	char	   *copy = *to;
	Size		len;

	if (text == NULL)
		return NULL;
	len = strlen(text) + 1;
	memcpy(copy, text, len);
	*to += len;
	return copy;
}

/*
 * Who is acting now.  The result lives until the end of the transaction: an
 * entry is sealed in one trigger and written in another.
 */
const LedgerIdentity *
ledger_identity(void)
{
	LedgerIdentity now;
	KeptIdentity *kept;
	const char *texts[5];
	Size		size = sizeof(KeptIdentity);
	char	   *to;

	now.actor = actor_name();
	now.session_role = GetUserNameFromId(GetSessionUserId(), true);
	if (now.session_role == NULL)
		now.session_role = psprintf("%u", GetSessionUserId());
	now.effective_role = effective_role_name();
	now.client_address = client_address();
	now.application = application_name && application_name[0] ?
		application_name : NULL;

	if (identities != NULL &&
		same_text(now.actor, identities->id.actor) &&
		same_text(now.session_role, identities->id.session_role) &&
		same_text(now.effective_role, identities->id.effective_role) &&
		same_text(now.client_address, identities->id.client_address) &&
		same_text(now.application, identities->id.application))
		return &identities->id;

	texts[0] = now.actor;
	texts[1] = now.session_role;
	texts[2] = now.effective_role;
	texts[3] = now.client_address;
	texts[4] = now.application;
	for (int i = 0; i < (int) lengthof(texts); i++)
		size += texts[i] ? strlen(texts[i]) + 1 : 0;

	kept = MemoryContextAlloc(TopMemoryContext, size);
	to = (char *) (kept + 1);
	kept->id.actor = copy_text(&to, now.actor);
	kept->id.session_role = copy_text(&to, now.session_role);
	kept->id.effective_role = copy_text(&to, now.effective_role);
	kept->id.client_address = copy_text(&to, now.client_address);
	kept->id.application = copy_text(&to, now.application);
	kept->older = identities;
	identities = kept;
	return &kept->id;
}

/* No entry outlives its transaction: only the last identity may be of use. */
static void
identities_trim(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;
	while (identities != NULL && identities->older != NULL)
	{
		KeptIdentity *older = identities->older;

		identities->older = older->older;
		pfree(older);
	}
}

/* ---------------------------------------------------------------- chain */

static void
append_text_or_null(StringInfo buf, const char *text)
{
	if (text)
		canonical_append_text(buf, text);
	else
		canonical_append_null(buf);
}

void
ledger_entry_hash(const LedgerEntry *entry, uint8 *hash)
{
	const LedgerIdentity *who = entry->identity;
	StringInfoData buf;

	initStringInfo(&buf);
	enlargeStringInfo(&buf, 2000);
	canonical_append_text(&buf, LEDGER_FORMAT);
	canonical_append_bytes(&buf, entry->previous_hash, LEDGER_HASH_LENGTH);
	canonical_append_text(&buf, entry->subject_kind);
	canonical_append_value(&buf, INT8OID,
						   Int64GetDatum(entry->subject_id), false);
	canonical_append_value(&buf, INT8OID,
						   Int64GetDatum(entry->sequence), false);
	canonical_append_text(&buf, entry->event);
	append_text_or_null(&buf, entry->from_status);
	append_text_or_null(&buf, entry->to_status);
	canonical_append_jsonb(&buf, entry->changed);
	canonical_append_text(&buf, who->actor);
	canonical_append_text(&buf, who->session_role);
	canonical_append_text(&buf, who->effective_role);
	append_text_or_null(&buf, who->client_address);
	append_text_or_null(&buf, who->application);
	canonical_append_value(&buf, TIMESTAMPTZOID,
						   TimestampTzGetDatum(entry->recorded_at), false);
	append_text_or_null(&buf, entry->reason);
	canonical_append_bytes(&buf, entry->row_digest, LEDGER_HASH_LENGTH);
	canonical_digest(&buf, hash);
	pfree(buf.data);
}

void
ledger_entry_seal(LedgerEntry *entry)
{
	entry->identity = ledger_identity();
	ledger_entry_hash(entry, entry->hash);
}

/* What is no hash stays 32 zero bytes; constraints can be dropped. */
static void
copy_hash(Datum value, bool isnull, uint8 *hash)
{
	bytea	   *bytes = isnull ? NULL : DatumGetByteaPP(value);

	if (bytes != NULL && VARSIZE_ANY_EXHDR(bytes) == LEDGER_HASH_LENGTH)
		memcpy(hash, VARDATA_ANY(bytes), LEDGER_HASH_LENGTH);
}

void
ledger_chain_end(const char *kind, int64 id, LedgerChainEnd *end)
{
	KeyedTable	table;
	IndexScanDesc scan;
	ScanKeyData keys[2];

	memset(end, 0, sizeof(LedgerChainEnd));
	CommandCounterIncrement();	/* what this statement wrote counts */
	PushActiveSnapshot(GetTransactionSnapshot());
	keyed_table_open(&table, "ledger");
	scan = index_beginscan(table.rel, table.index, GetActiveSnapshot(), NULL,
						   2, 0);
	key_text(&keys[0], BTEqualStrategyNumber, F_TEXTEQ, cstring_to_text(kind));
	key_int64(&keys[1], 2, BTEqualStrategyNumber, F_INT8EQ, id);
	if (keyed_table_probe(&table, scan, keys, 2, BackwardScanDirection))
	{
		bool		isnull;
		Datum		value;

		end->sequence = DatumGetInt64(slot_getattr(table.slot, LEDGER_SEQUENCE,
												   &isnull));
		value = slot_getattr(table.slot, LEDGER_HASH, &isnull);
		copy_hash(value, isnull, end->hash);
		value = slot_getattr(table.slot, LEDGER_ROW_DIGEST, &isnull);
		copy_hash(value, isnull, end->row_digest);
		value = slot_getattr(table.slot, LEDGER_RECORDED_AT, &isnull);
		end->recorded_at = isnull ? 0 : DatumGetTimestampTz(value);
	}
	ExecClearTuple(table.slot);
	index_endscan(scan);
	keyed_table_close(&table);
	PopActiveSnapshot();
}

/* --------------------------------------------------------------- writer */

struct LedgerAppender
{
	Relation	rel;
	int			columns;		/* that the caller gives; others are null */
	TupleTableSlot *slot;
	ResultRelInfo *indexes;
};

LedgerAppender *
ledger_append_begin(const char *relation, int columns)
{
	LedgerAppender *appender = palloc(sizeof(LedgerAppender));
	Relation	rel = table_open(relation_oid(relation), RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);

	if (rel->rd_rel->relkind != RELKIND_RELATION || desc->natts < columns)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"changemgmt.%s\" is not what the library expects",
						relation),
				 errhint("Bring extension and library to the same version: ALTER EXTENSION changemgmt UPDATE."),
				 errtable(rel)));
	for (int i = columns; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		/* a column that a site added stays null */
		if (att->attnotnull && !att->attisdropped)
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("column \"%s\" of \"changemgmt.%s\" does not belong to the extension and may not be null",
							NameStr(att->attname), relation),
					 errhint("Drop it, or drop its NOT NULL."),
					 errtablecol(rel, att->attnum)));
	}

	appender->rel = rel;
	appender->columns = columns;
	appender->slot = table_slot_create(rel, NULL);
	appender->indexes = makeNode(ResultRelInfo);
	appender->indexes->ri_RelationDesc = rel;
	ExecOpenIndices(appender->indexes, false);
	return appender;
}

void
ledger_append_row(LedgerAppender *appender, const Datum *values,
				  const bool *nulls)
{
	Relation	rel = appender->rel;
	TupleTableSlot *slot = appender->slot;
	ResultRelInfo *result = appender->indexes;
	int			natts = RelationGetDescr(rel)->natts;
	EState	   *estate = NULL;
	Oid			save_userid;
	int			save_context;

	ExecClearTuple(slot);
	memcpy(slot->tts_values, values, appender->columns * sizeof(Datum));
	memcpy(slot->tts_isnull, nulls, appender->columns * sizeof(bool));
	for (int i = appender->columns; i < natts; i++)
	{
		slot->tts_values[i] = (Datum) 0;
		slot->tts_isnull[i] = true;
	}
	ExecStoreVirtualTuple(slot);
	simple_table_tuple_insert(rel, slot);

	GetUserIdAndSecContext(&save_userid, &save_context);
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		Relation	index = result->ri_IndexRelationDescs[i];
		IndexInfo  *info = result->ri_IndexRelationInfo[i];
		Datum		index_values[INDEX_MAX_KEYS];
		bool		index_nulls[INDEX_MAX_KEYS];

		if (!info->ii_ReadyForInserts)
			continue;
		if (info->ii_ExclusionOps != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("exclusion constraint \"%s\" on \"changemgmt.%s\" is not supported",
							RelationGetRelationName(index),
							RelationGetRelationName(rel)),
					 errhint("Drop the constraint."),
					 errtable(rel)));

		/* indexes with functions of a site's own: those run as the owner */
		if (info->ii_Expressions != NIL || info->ii_Predicate != NIL)
		{
			if (estate == NULL)
			{
				estate = CreateExecutorState();
				GetPerTupleExprContext(estate)->ecxt_scantuple = slot;
				SetUserIdAndSecContext(rel->rd_rel->relowner,
									   save_context | SECURITY_RESTRICTED_OPERATION);
			}
			if (info->ii_Predicate != NIL &&
				!ExecQual(ExecPrepareQual(info->ii_Predicate, estate),
						  GetPerTupleExprContext(estate)))
				continue;
			/* compiled into a state that goes with the row */
			info->ii_ExpressionsState = NIL;
		}
		FormIndexDatum(info, slot, estate, index_values, index_nulls);
		(void) index_insert(index, index_values, index_nulls, &slot->tts_tid,
							rel,
							index->rd_index->indisunique ?
							UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
							false, info);
	}
	SetUserIdAndSecContext(save_userid, save_context);
	if (estate != NULL)
		FreeExecutorState(estate);
}

void
ledger_append_end(LedgerAppender *appender)
{
	ExecCloseIndices(appender->indexes);
	ExecDropSingleTupleTableSlot(appender->slot);
	table_close(appender->rel, NoLock);
	pfree(appender);
}

static void
append_row(const char *relation, int columns, Datum *values, bool *nulls)
{
	LedgerAppender *appender = ledger_append_begin(relation, columns);

	ledger_append_row(appender, values, nulls);
	ledger_append_end(appender);
}

void
ledger_put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = (text == NULL);
	values[column] = text ? CStringGetTextDatum(text) : (Datum) 0;
}

void
ledger_put_hash(Datum *values, bool *nulls, int column, const uint8 *hash)
{
	bytea	   *bytes = palloc(VARHDRSZ + LEDGER_HASH_LENGTH);

	SET_VARSIZE(bytes, VARHDRSZ + LEDGER_HASH_LENGTH);
	memcpy(VARDATA(bytes), hash, LEDGER_HASH_LENGTH);
	nulls[column] = false;
	values[column] = PointerGetDatum(bytes);
}

/* Columns in the order of sql/03_ledger.sql. */
void
ledger_entry_write(const LedgerEntry *entry)
{
	const LedgerIdentity *who = entry->identity;
	Datum		values[LEDGER_COLUMNS];
	bool		nulls[LEDGER_COLUMNS] = {false};
	MemoryContext context;
	MemoryContext oldcontext;

	/* a caller may write many entries in one context of its own */
	context = AllocSetContextCreate(CurrentMemoryContext,
									"changemgmt ledger row",
									ALLOCSET_DEFAULT_SIZES);
	oldcontext = MemoryContextSwitchTo(context);

	ledger_put_text(values, nulls, 0, entry->subject_kind);
	values[1] = Int64GetDatum(entry->subject_id);
	values[2] = Int64GetDatum(entry->sequence);
	ledger_put_text(values, nulls, 3, entry->event);
	ledger_put_text(values, nulls, 4, entry->from_status);
	ledger_put_text(values, nulls, 5, entry->to_status);
	values[6] = JsonbPGetDatum(entry->changed);
	ledger_put_text(values, nulls, 7, who->actor);
	ledger_put_text(values, nulls, 8, who->session_role);
	ledger_put_text(values, nulls, 9, who->effective_role);
	ledger_put_text(values, nulls, 10, who->client_address);
	ledger_put_text(values, nulls, 11, who->application);
	values[12] = TimestampTzGetDatum(entry->recorded_at);
	ledger_put_text(values, nulls, 13, entry->reason);
	ledger_put_hash(values, nulls, 14, entry->row_digest);
	ledger_put_hash(values, nulls, 15, entry->previous_hash);
	ledger_put_hash(values, nulls, 16, entry->hash);
	append_row("ledger", LEDGER_COLUMNS, values, nulls);

	MemoryContextSwitchTo(oldcontext);
	MemoryContextDelete(context);
}

/* ------------------------------------------------------------- the door */

static void
door_forget(void *arg)
{
	door.portal = NULL;
}

static int
trigger_depth(void)
{
	LOCAL_FCINFO(fcinfo, 0);

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	return DatumGetInt32(pg_trigger_depth(fcinfo));
}

/* The COPY FROM that the client's statement is; NULL where it is none. */
static CopyStmt *
copy_from_statement(void)
{
	PlannedStmt *planned;
	CopyStmt   *copy;

	if (ActivePortal == NULL || ActivePortal->commandTag != CMDTAG_COPY ||
		list_length(ActivePortal->stmts) != 1)
		return NULL;
	planned = linitial_node(PlannedStmt, ActivePortal->stmts);
	if (planned->utilityStmt == NULL || !IsA(planned->utilityStmt, CopyStmt))
		return NULL;
	copy = (CopyStmt *) planned->utilityStmt;
	return copy->is_from && copy->relation != NULL ? copy : NULL;
}

bool
ledger_is_history(TriggerData *trigdata)
{
	Relation	rel = trigdata->tg_relation;
	Oid			relid = RelationGetRelid(rel);
	CopyStmt   *copy;
	MemoryContextCallback *callback;

	/* a client's COPY runs as who gave it; under it we and others may insert */
	if (!TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) ||
		InLocalUserIdChange() || InSecurityRestrictedOperation())
		return false;
	if ((copy = copy_from_statement()) == NULL || trigger_depth() != 1)
		return false;
	if (door.portal == ActivePortal && door.relid == relid &&
		door.userid == GetUserId())
		return true;

	if (RangeVarGetRelid(copy->relation, NoLock, true) != relid)
		return false;
	if (!object_ownercheck(RelationRelationId, relid, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED),
				 errmsg("COPY into \"%s.%s\" is for the owner of the table",
						get_namespace_name(RelationGetNamespace(rel)),
						RelationGetRelationName(rel)),
				 errdetail("Rows that come by COPY are history and are stored without any rule."),
				 errhint("Use INSERT or the functions of changemgmt, or let the owner of the table or a superuser load the rows."),
				 errtable(rel)));

	/* Nothing of this can change before the portal goes. */
	callback = MemoryContextAlloc(ActivePortal->portalContext,
								  sizeof(MemoryContextCallback));
	callback->func = door_forget;
	callback->arg = NULL;
	MemoryContextRegisterResetCallback(ActivePortal->portalContext, callback);
	door.relid = relid;
	door.userid = GetUserId();
	door.portal = ActivePortal;
	return true;
}

void
ledger_count_history(bool has_chain)
{
	history_count++;
	if (!has_chain)
		unchained_count++;
}

/*
 * Trigger on ledger, checkpoints and load, BEFORE ROW and BEFORE TRUNCATE:
 * refuses whatever it sees but history, which comes into all but load.
 */
Datum
ledger_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "ledger_guard",
										 FOR_ROW | FOR_STATEMENT | AT_BEFORE,
										 NULL);
	Relation	rel = trigdata->tg_relation;
	bool		is_load = strcmp(RelationGetRelationName(rel), "load") == 0;
	bool		is_ledger = strcmp(RelationGetRelationName(rel), "ledger") == 0;
	const char *command;

	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
	{
		if (TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) && !is_load &&
			ledger_is_history(trigdata))
		{
			ledger_count_history(true);
			return PointerGetDatum(trigdata->tg_trigtuple);
		}
		command = "INSERT";
	}
	else if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		command = "UPDATE";
	else if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		command = "DELETE";
	else
		command = "TRUNCATE";

	ereport(ERROR,
			(errcode(ERRCODE_MC_APPEND_ONLY),
			 errmsg("%s on \"%s.%s\" is refused: history is append-only",
					command, get_namespace_name(RelationGetNamespace(rel)),
					RelationGetRelationName(rel)),
			 errdetail("Only the extension itself writes to this table, whoever asks."),
			 is_load ?
			 errhint("What comes in by COPY is recorded by itself.") :
			 !is_ledger ?
			 errhint("ledger_checkpoint() takes a checkpoint. The owner restores saved ones with COPY.") :
			 strcmp(command, "INSERT") == 0 ?
			 errhint("What happens to a change is recorded by itself. The owner restores saved rows of the ledger with COPY.") :
			 errhint("A correction is a step of its own: change the subject, and give the reason."),
			 errtable(rel)));
	return PointerGetDatum(NULL);
}

/*
 * Trigger, BEFORE and AFTER INSERT of a statement: counts what a COPY brings
 * and records it.  Statements in between, of other triggers, are no history
 * and don't touch the count.
 */
Datum
load_record(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "load_record",
										 FOR_STATEMENT | AT_BEFORE | AT_AFTER,
										 NULL);
	const LedgerIdentity *who;
	Datum		values[LOAD_COLUMNS];
	bool		nulls[LOAD_COLUMNS] = {false};

	if (!ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	if (TRIGGER_FIRED_BEFORE(trigdata->tg_event))
	{
		history_count = unchained_count = 0;
		return PointerGetDatum(NULL);
	}
	if (history_count == 0)
		return PointerGetDatum(NULL);

	/* columns in the order of sql/03_ledger.sql */
	who = ledger_identity();
	values[0] = DirectFunctionCall1(gen_random_uuid, (Datum) 0);
	ledger_put_text(values, nulls, 1, RelationGetRelationName(trigdata->tg_relation));
	values[2] = Int64GetDatum(history_count);
	ledger_put_text(values, nulls, 3, who->session_role);
	ledger_put_text(values, nulls, 4, who->effective_role);
	ledger_put_text(values, nulls, 5, who->client_address);
	ledger_put_text(values, nulls, 6, who->application);
	values[7] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[8] = Int64GetDatum(unchained_count);
	/* the last column is not of version 1.0 */
	append_row("load", LOAD_COLUMNS - !column_exists("load", "unchained_count"),
			   values, nulls);
	history_count = 0;
	return PointerGetDatum(NULL);
}

/* BEFORE TRUNCATE trigger of every table whose rows have a trail. */
Datum
truncate_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "truncate_guard",
										 FOR_STATEMENT | AT_BEFORE, NULL);

	ereport(ERROR,
			(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
			 errmsg("%s is not truncated: history is append-only",
					RelationGetRelationName(trigdata->tg_relation)),
			 errhint("Changes that are not wanted any more are cancelled: changemgmt.cancel(). Other rows can be deleted, which the ledger keeps."),
			 errtable(trigdata->tg_relation)));
	return PointerGetDatum(NULL);
}

void
ledger_init(void)
{
	RegisterXactCallback(identities_trim, NULL);
	ledger_canonical_init();
}
