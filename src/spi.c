/*-------------------------------------------------------------------------
 *
 * spi.c
 *	  The one way in which C reaches the extension's tables.
 *
 * Plans are prepared and executed as the owner of the tables, so that nobody
 * needs rights on what only the rules may write; who is acting is asked of
 * the outer role (person.c), which this does not touch.  The switch of the
 * user id needs no PG_TRY: the abort of a transaction or subtransaction puts
 * it back.
 *
 * State: the plans themselves (static in their callers, kept by SPI) and a
 * list of cached tables, both for the life of the session.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "errors.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(cache_invalidate);

static CachedTable *cached_tables = NULL;

/* Where the outermost kept plan was called from, for err_as_caller(). */
static int	kept_plan_depth = 0;
static ErrorContextCallback *caller_context = NULL;

/* Oid of the extension's schema; an error where it was dropped meanwhile. */
Oid
schema_oid(void)
{
	return get_namespace_oid("changemgmt", false);
}

/* Oid of one of our tables or views. */
Oid
relation_oid(const char *name)
{
	Oid			relid = get_relname_relid(name, schema_oid());

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"changemgmt.%s\" does not exist", name),
				 errhint("The installed library needs a newer version of the extension: ALTER EXTENSION changemgmt UPDATE.")));
	return relid;
}

bool
relation_exists(const char *name)
{
	return OidIsValid(get_relname_relid(name, schema_oid()));
}

bool
column_exists(const char *relation, const char *column)
{
	Oid			relid = get_relname_relid(relation, schema_oid());

	return OidIsValid(relid) &&
		get_attnum(relid, column) != InvalidAttrNumber;
}

bool
extension_is_current(void)
{
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		current = false;

	/* its own script is on the way from one version to the other */
	if (creating_extension)
		return false;
	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum("changemgmt"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		version = heap_getattr(tuple, Anum_pg_extension_extversion,
										   RelationGetDescr(rel), &isnull);

		current = !isnull && strcmp(TextDatumGetCString(version),
									CHANGEMGMT_VERSION) == 0;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return current;
}

/* Who owns the tables: the role that the extension's own statements run as. */
Oid
tables_owner(void)
{
	HeapTuple	tuple;
	Oid			owner;

	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation_oid("ledger")));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation changemgmt.ledger");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

static SPIPlanPtr
prepare(const char *sql, int nargs, Oid *types, int options)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(sql, nargs, types, options);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s: %s",
			 SPI_result_code_string(SPI_result), sql);
	return plan;
}

SPIPlanPtr
spi_prepare(const char *sql, int nargs, Oid *types)
{
	return prepare(sql, nargs, types, 0);
}

/*
 * Left to itself, the server would plan a statement with an array among its
 * values anew in every call: it takes an array that it knows for the smaller
 * one.  Others come to one plan for all values where that is no dearer.
 */
static int
kept_plan_options(const KeptPlan *kept)
{
	for (int i = 0; i < kept->nargs; i++)
		if (type_is_array(kept->argtypes[i]))
			return CURSOR_OPT_GENERIC_PLAN;
	return 0;
}

/* Prepare a kept plan where that is needed, as the owner of the tables. */
static void
kept_plan_prepare_with(KeptPlan *kept, int options)
{
	SPIPlanPtr	plan;

	if (kept->plan != NULL)
		return;
	plan = prepare(kept->sql, kept->nargs, kept->argtypes, options);
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_keepplan failed");
	kept->plan = plan;
}

static void
kept_plan_prepare(KeptPlan *kept)
{
	kept_plan_prepare_with(kept, kept_plan_options(kept));
}

void
kept_plan_once(KeptPlan *kept)
{
	Oid			save_userid;
	int			save_context;

	if (kept->plan != NULL)
		return;
	GetUserIdAndSecContext(&save_userid, &save_context);
	SetUserIdAndSecContext(tables_owner(),
						   save_context | SECURITY_LOCAL_USERID_CHANGE);
	kept_plan_prepare_with(kept, CURSOR_OPT_GENERIC_PLAN);
	SetUserIdAndSecContext(save_userid, save_context);
}

/*
 * Execute a kept plan, preparing it first where needed.  Must be called
 * between SPI_connect() and SPI_finish().  Every execution sees what was
 * committed until now, also where the calling statement began earlier; with
 * read_only, what that statement sees.
 * Returns the SPI result code, which is never an error.
 */
static int
plan_execute(KeptPlan *kept, Datum *values, const char *nulls,
			 bool read_only, long limit)
{
	Oid			save_userid;
	int			save_context;
	volatile int result = 0;
	bool		outermost = kept_plan_depth == 0;

	GetUserIdAndSecContext(&save_userid, &save_context);
	SetUserIdAndSecContext(tables_owner(),
						   save_context | SECURITY_LOCAL_USERID_CHANGE);

	kept_plan_prepare(kept);

	kept_plan_depth++;
	if (outermost)
		caller_context = error_context_stack;
	PG_TRY();
	{
		result = SPI_execute_plan(kept->plan, values, nulls, read_only, limit);
	}
	PG_FINALLY();
	{
		if (outermost)
			caller_context = NULL;
		kept_plan_depth--;
	}
	PG_END_TRY();
	if (result < 0)
		elog(ERROR, "SPI_execute_plan failed: %s: %s",
			 SPI_result_code_string(result), kept->sql);

	SetUserIdAndSecContext(save_userid, save_context);
	return result;
}

int
kept_plan_execute(KeptPlan *kept, Datum *values, const char *nulls, long limit)
{
	return plan_execute(kept, values, nulls, false, limit);
}

int
kept_plan_read(KeptPlan *kept, Datum *values, const char *nulls, long limit)
{
	return plan_execute(kept, values, nulls, true, limit);
}

Portal
kept_plan_cursor(KeptPlan *kept, Datum *values, const char *nulls)
{
	Oid			save_userid;
	int			save_context;
	Portal		portal;

	GetUserIdAndSecContext(&save_userid, &save_context);
	SetUserIdAndSecContext(tables_owner(),
						   save_context | SECURITY_LOCAL_USERID_CHANGE);
	kept_plan_prepare(kept);
	portal = SPI_cursor_open(NULL, kept->plan, values, nulls, true);
	SetUserIdAndSecContext(save_userid, save_context);
	return portal;
}

int
kept_plan_execute_input(KeptPlan *kept, Datum *values, const char *nulls,
						long limit)
{
	MemoryContext caller = CurrentMemoryContext;
	ErrorContextCallback *context = error_context_stack;
	volatile int result = 0;

	PG_TRY();
	{
		result = kept_plan_execute(kept, values, nulls, limit);
	}
	PG_CATCH();
	{
		ErrorData  *error;
		int			class;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		class = ERRCODE_TO_CATEGORY(error->sqlerrcode);
		if (class != ERRCODE_DATA_EXCEPTION &&
			class != ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION)
			PG_RE_THROW();
		FlushErrorState();
		error_context_stack = context;
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("%s", error->message),
				 /* the whole row, as null and check constraints show it, is no help */
				 error->detail &&
				 error->sqlerrcode != ERRCODE_NOT_NULL_VIOLATION &&
				 error->sqlerrcode != ERRCODE_CHECK_VIOLATION ?
				 errdetail("%s", error->detail) : 0,
				 error->hint ? errhint("%s", error->hint) : 0));
	}
	PG_END_TRY();
	return result;
}

Datum
kept_plan_read_ids(KeptPlan *kept, Datum *values)
{
	MemoryContext caller = CurrentMemoryContext;
	ArrayType  *ids = NULL;
	Datum		value;
	bool		isnull;

	SPI_connect();
	kept_plan_read(kept, values, NULL, 1);
	value = spi_first_value(1, &isnull);
	if (!isnull)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);

		ids = DatumGetArrayTypePCopy(value);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return PointerGetDatum(ids ? ids : construct_empty_array(INT8OID));
}

static const char *
plan_text(KeptPlan *kept, Datum *values)
{
	char	   *text = NULL;

	kept_plan_read(kept, values, NULL, 1);
	if (SPI_processed > 0)
		text = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	SPI_freetuptable(SPI_tuptable);
	return text ? text : "";
}

void
kept_plan_require_current(KeptPlan *kept, Datum *values, const char *message)
{
	const char *seen;
	const char *now;

	if (!IsolationUsesXactSnapshot())
		return;
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	seen = plan_text(kept, values);
	PopActiveSnapshot();
	PushActiveSnapshot(GetLatestSnapshot());
	now = plan_text(kept, values);
	PopActiveSnapshot();
	if (strcmp(seen, now) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE), err_as_caller(),
				 errmsg("%s", message),
				 errhint("Try again, in a new transaction.")));
}

void
kept_plan_require_row(KeptPlan *kept, const char *what)
{
	SPIPlanPtr	plan = kept->plan;

	if (SPI_processed == 1)
		return;
	/*
	 * A plan that a rule rewrote to nothing would outlive the rule.  It stays
	 * where a trigger of the site called us from within another execution of
	 * it, and may go on after our error.
	 */
	kept->plan = NULL;
	if (kept_plan_depth == 0)
		SPI_freeplan(plan);
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("a trigger or rule of the site suppressed %s", what),
			 errhint("SELECT * FROM changemgmt.doctor() names what stands on the extension's tables.")));
}

int
err_as_caller(void)
{
	if (kept_plan_depth > 0)
		error_context_stack = caller_context;
	return 0;
}

Datum
spi_first_value(int column, bool *isnull)
{
	if (SPI_processed == 0)
	{
		*isnull = true;
		return (Datum) 0;
	}
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
						 column, isnull);
}

static void
cached_table_outdate(CachedTable *table)
{
	table->is_current = false;
	table->is_reading = false;
}

static void
cached_tables_invalidate(Datum arg, Oid relid)
{
	for (CachedTable *table = cached_tables; table; table = table->next)
		if (relid == InvalidOid || relid == table->relid)
			cached_table_outdate(table);
}

/*
 * Begin to read a cached table: called before the rows are read, so that an
 * invalidation that comes in while they are read is not lost.
 */
void
cached_table_begin(CachedTable *table)
{
	bool		known = false;

	for (CachedTable *t = cached_tables; t; t = t->next)
		known |= (t == table);
	if (!known)
	{
		table->next = cached_tables;
		cached_tables = table;
	}
	table->relid = relation_oid(table->relation);
	table->is_current = false;
	table->is_reading = true;
	table->is_of_transaction = IsolationUsesXactSnapshot();
}

/* The rows were read to the end: they hold until the next change. */
void
cached_table_done(CachedTable *table)
{
	table->is_current = table->is_reading;
	table->is_reading = false;
}

/*
 * What REPEATABLE READ read may have been out of date already, and its
 * invalidation was taken in before, so no other will come.
 */
static void
cached_tables_end_xact(XactEvent event, void *arg)
{
	for (CachedTable *table = cached_tables; table; table = table->next)
		if (table->is_of_transaction ||
			(event == XACT_EVENT_ABORT &&
			 TransactionIdIsValid(GetTopTransactionIdIfAny())))
			cached_table_outdate(table);
}

/*
 * Rows that were read before their statement came to the trigger
 * cache_invalidate are gone without an invalidation.
 */
static void
cached_tables_end_subxact(SubXactEvent event, SubTransactionId subid,
						  SubTransactionId parent, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB ||
		!TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return;
	for (CachedTable *table = cached_tables; table; table = table->next)
		cached_table_outdate(table);
}

TriggerData *
trigger_data(FunctionCallInfo fcinfo, const char *function, int manner,
			 const char *relation)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	bool		good = false;

	if (CALLED_AS_TRIGGER(fcinfo))
		good = (manner & (TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) ?
						  FOR_ROW : FOR_STATEMENT)) != 0 &&
			(manner & (TRIGGER_FIRED_BEFORE(trigdata->tg_event) ?
					   AT_BEFORE : AT_AFTER)) != 0 &&
			RelationGetNamespace(trigdata->tg_relation) == schema_oid() &&
			(relation == NULL ||
			 strcmp(RelationGetRelationName(trigdata->tg_relation),
					relation) == 0);
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("%s is not called by the trigger that it was made for",
						function)));
	return trigdata;
}

/* Trigger: all sessions read the rows of this table again. */
Datum
cache_invalidate(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "cache_invalidate",
										 FOR_ROW | FOR_STATEMENT | AT_AFTER,
										 NULL);

	CacheInvalidateRelcache(trigdata->tg_relation);
	return PointerGetDatum(NULL);
}

bool
setting_is_defined(const char *name)
{
	int			flags = GetConfigOptionFlags(name, true);

	return flags != 0 && (flags & GUC_CUSTOM_PLACEHOLDER) == 0;
}

void
spi_init(void)
{
	RegisterXactCallback(cached_tables_end_xact, NULL);
	RegisterSubXactCallback(cached_tables_end_subxact, NULL);
	CacheRegisterRelcacheCallback(cached_tables_invalidate, (Datum) 0);
}
