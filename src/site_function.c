/*-------------------------------------------------------------------------
 *
 * site_function.c
 *	  Functions of a change that a site registers: requirements, factors.
 *
 * Such a function runs as whoever registered it, so it has to be somebody's
 * whom who registers trusts, and it may look, not touch.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "errors.h"
#include "person.h"
#include "site_function.h"
#include "spi.h"

/* Whether a function has the form for its use; false where it is gone. */
static bool
function_fits(const SiteFunctionUse *use, Oid funcid)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(funcid));
	Form_pg_proc proc;
	bool		good;

	if (!HeapTupleIsValid(tuple))
		return false;
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	good = proc->prorettype == use->result && proc->pronargs == 1 &&
		proc->proargtypes.values[0] == INT8OID && !proc->proretset &&
		proc->prokind == PROKIND_FUNCTION &&
		proc->provolatile != PROVOLATILE_VOLATILE;
	ReleaseSysCache(tuple);
	return good;
}

static Oid
function_owner(Oid funcid)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(funcid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", funcid);
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* Oid of a function by its name and types; InvalidOid where there is none. */
static Oid
function_lookup(const char *function)
{
	LOCAL_FCINFO(lookup, 1);
	Datum		funcid;

	InitFunctionCallInfoData(*lookup, NULL, 1, InvalidOid, NULL, NULL);
	lookup->args[0].value = CStringGetTextDatum(function);
	lookup->args[0].isnull = false;
	funcid = to_regprocedure(lookup);
	return lookup->isnull ? InvalidOid : DatumGetObjectId(funcid);
}

char *
site_function_ask(const SiteFunctionUse *use, const char *function,
				  const char *registered_by, int64 change_id, Datum *answer,
				  bool *isnull)
{
	Oid			role = get_role_oid(registered_by, true);
	Oid			funcid;
	Oid			save_userid;
	int			save_context;
	int			nestlevel;
	bool		save_read_only = XactReadOnly;
	LOCAL_FCINFO(call, 1);
	FmgrInfo	finfo;
	char	   *problem = NULL;

	*isnull = true;
	if (!OidIsValid(role))
		return psprintf("role \"%s\", which registered it, does not exist",
						registered_by);

	GetUserIdAndSecContext(&save_userid, &save_context);
	nestlevel = NewGUCNestLevel();
	SetUserIdAndSecContext(role, save_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);

	/*
	 * From 16 on its setting cannot be saved and put back by a function.  The
	 * variable is as safe: after an error the end of the (sub)transaction
	 * resets it, and its check refuses whoever wants to write again.
	 */
	XactReadOnly = true;

	funcid = function_lookup(function);
	if (!OidIsValid(funcid))
		problem = psprintf("function %s does not exist", function);
	else if (!function_fits(use, funcid))
		problem = psprintf("function %s is no longer what can be a %s",
						   function, use->noun);
	else if (object_aclcheck(ProcedureRelationId, funcid, role,
							 ACL_EXECUTE) != ACLCHECK_OK)
		problem = psprintf("role \"%s\" may not execute function %s",
						   registered_by, function);
	else
	{
		fmgr_info(funcid, &finfo);
		InitFunctionCallInfoData(*call, &finfo, 1, InvalidOid, NULL, NULL);
		call->args[0].value = Int64GetDatum(change_id);
		call->args[0].isnull = false;
		/* it sees what is committed now, and the change as it was stored */
		CommandCounterIncrement();
		PushActiveSnapshot(GetTransactionSnapshot());
		*answer = FunctionCallInvoke(call);
		PopActiveSnapshot();
		*isnull = call->isnull;
	}
	AtEOXact_GUC(false, nestlevel);
	XactReadOnly = save_read_only;
	SetUserIdAndSecContext(save_userid, save_context);
	return problem;
}

HeapTuple
site_function_stamp(const SiteFunctionUse *use, TriggerData *trigdata,
					HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	char	   *function = SPI_getvalue(tuple, desc, SPI_fnumber(desc, "function"));
	const char *registered_by;
	Oid			funcid;
	Oid			owner;
	Oid			role;
	int			columns[2];
	Datum		values[2];
	bool		isnull[2] = {false, false};

	if (function == NULL)
		return tuple;			/* NOT NULL refuses it, where it has to be */
	funcid = DatumGetObjectId(DirectFunctionCall1(regprocedurein,
												  CStringGetDatum(function)));
	if (!function_fits(use, funcid))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("function %s cannot be a %s", function, use->noun),
				 errdetail("%s", use->detail)));

	if (isAnyTempNamespace(get_func_namespace(funcid)))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("function %s cannot be a %s: it is temporary",
						function, use->noun),
				 errhint("Create it in a schema of its own.")));

	/*
	 * It runs as who named the function, also after somebody else has changed
	 * the rest of the row.  And only who may replace a function decides what
	 * it does, so it has to be somebody whom who registers trusts.
	 */
	function = format_procedure_qualified(funcid);
	registered_by = effective_role_name();
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
	{
		HeapTuple	old = trigdata->tg_trigtuple;
		char	   *old_function = SPI_getvalue(old, desc,
												SPI_fnumber(desc, "function"));

		if (old_function && strcmp(old_function, function) == 0)
			registered_by = SPI_getvalue(old, desc,
										 SPI_fnumber(desc, "registered_by"));
	}
	owner = function_owner(funcid);
	role = get_role_oid(registered_by, true);
	if (!superuser_arg(owner) &&
		!(OidIsValid(role) && has_privs_of_role(role, owner)))
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
				 errmsg("function %s belongs to role \"%s\", who could replace it",
						function, GetUserNameFromId(owner, false)),
				 errdetail("A %s runs as who registers it.", use->noun),
				 errhint("Register functions of your own, or let \"%s\" register it.",
						 GetUserNameFromId(owner, false))));

	columns[0] = SPI_fnumber(desc, "function");
	values[0] = CStringGetTextDatum(function);
	columns[1] = SPI_fnumber(desc, "registered_by");
	values[1] = CStringGetTextDatum(registered_by);
	return heap_modify_tuple_by_cols(tuple, desc, 2, columns, values, isnull);
}
