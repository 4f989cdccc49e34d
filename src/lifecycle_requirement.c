/*-------------------------------------------------------------------------
 *
 * lifecycle_requirement.c
 *	  What a step requires: the registry, and the requirements of the engine.
 *
 * A requirement is a name with a check.  Those of the extension are
 * registered at load time, by each room its own; a site's stand in
 * site_requirement, with any function (change_id bigint) RETURNS text, which
 * runs as whoever registered it, read-only.  Which of them a step must meet
 * say the requirement itself ("always") and the model ("requires").
 *
 * State: the list of registered requirements, for the life of the session,
 * and the cached rows of site_requirement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "calendar.h"
#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(earliest_start);
PG_FUNCTION_INFO_V1(requirement_list);
PG_FUNCTION_INFO_V1(site_requirement_check);

#define V(verb) VERB_BIT(VERB_##verb)

/* ----------------------------------------------------------------
 * The engine's own
 * ---------------------------------------------------------------- */

static void
missing(StringInfo buf, const char *what)
{
	appendStringInfo(buf, "%s%s", buf->len > 0 ? ", " : "", what);
}

static char *
check_plan_complete(const Transition *t)
{
	static KeptPlan parts = {
		"SELECT EXISTS (SELECT FROM changemgmt.change_item"
		"  WHERE change_id OPERATOR(pg_catalog.=) $1),"
		" EXISTS (SELECT FROM changemgmt.change_risk"
		"  WHERE change_id OPERATOR(pg_catalog.=) $1),"
		" EXISTS (SELECT FROM changemgmt.change_check"
		"  WHERE change_id OPERATOR(pg_catalog.=) $1)",
		1, {INT8OID}, NULL
	};
	const ChangeRow *row = t->row;
	Datum		argument = row->value[CH_id];
	StringInfoData buf;
	bool		isnull;

	initStringInfo(&buf);
	kept_plan_execute(&parts, &argument, NULL, 0);
	if (change_is_null(row, owner_id))
		missing(&buf, "owner");
	if (change_is_blank(row, CH_description))
		missing(&buf, "description");
	if (change_is_blank(row, CH_justification))
		missing(&buf, "justification");
	if (!DatumGetBool(spi_first_value(1, &isnull)))
		missing(&buf, "affected items");
	if (change_is_blank(row, CH_user_impact))
		missing(&buf, "user impact");
	if (change_is_null(row, risk_level) &&
		!DatumGetBool(spi_first_value(2, &isnull)))
		missing(&buf, "risk");
	if (change_is_blank(row, CH_rollback_trigger))
		missing(&buf, "rollback trigger");
	if (change_is_blank(row, CH_rollback_plan))
		missing(&buf, "rollback steps");
	if (change_is_null(row, rollback_minutes))
		missing(&buf, "rollback minutes");
	if (change_is_blank(row, CH_verification_plan) &&
		!DatumGetBool(spi_first_value(3, &isnull)))
		missing(&buf, "verification");
	if (change_is_null(row, planned_start) || change_is_null(row, planned_end))
		missing(&buf, "planned time");
	SPI_freetuptable(SPI_tuptable);
	return buf.len > 0 ? psprintf("the plan lacks %s", buf.data) : NULL;
}

static char *
check_coordinator(const Transition *t)
{
	return change_is_null(t->row, coordinator_id) ?
		pstrdup("nobody coordinates it") : NULL;
}

/* earliest_start(change_id): what the notice of its model leaves */
Datum
earliest_start(PG_FUNCTION_ARGS)
{
	ChangeRow	row;
	const ChangeModel *model;
	TimestampTz from;

	SPI_connect();
	change_find(&row, PG_GETARG_INT64(0), false);
	model = lifecycle_model(&row);
	from = change_is_null(&row, notice_from) ? GetCurrentTimestamp() :
		change_time(&row, notice_from);
	SPI_finish();
	PG_RETURN_TIMESTAMPTZ(model->notice_business_days == 0 ? from :
						  calendar_add_business_days(from,
													 model->notice_business_days));
}

static char *
check_notice(const Transition *t)
{
	const ChangeRow *row = t->row;
	int			days = t->model->notice_business_days;
	TimestampTz from;
	TimestampTz earliest;

	if (days == 0)
		return NULL;
	if (change_is_null(row, planned_start))
		return psprintf("%d business days' notice are needed, and there is no planned start",
						days);
	from = change_is_null(row, notice_from) ? t->now :
		change_time(row, notice_from);
	earliest = calendar_add_business_days(from, days);
	if (change_time(row, planned_start) >= earliest)
		return NULL;
	return psprintf("%d business days' notice are needed: the earliest start is %s",
					days, timestamptz_to_str(earliest));
}

/* Data and security need somebody's approval, whatever the model. */
static char *
check_data_approval(const Transition *t)
{
	const ChangeRow *row = t->row;

	if (!t->model->pre_approved || t->model->is_template ||
		!(change_bool(row, touches_data_integrity) ||
		  change_bool(row, touches_security)))
		return NULL;
	return psprintf("it touches %s, and model \"%s\" is neither an approved template nor asks for an approval",
					change_bool(row, touches_data_integrity) ?
					"data integrity" : "security", t->model->key);
}

bool
lifecycle_seal_fresh(const ChangeModel *model, const ChangeRow *row)
{
	uint8		seal[LEDGER_HASH_LENGTH];
	bytea	   *approved;

	if (change_is_null(row, approved_seal))
		return false;
	if (change_int64(row, approved_plan_revision) ==
		change_int64(row, plan_revision))
		return true;
	/* edited since: perhaps it was put back */
	change_seal(row, model->schedule_sealed, seal);
	approved = DatumGetByteaPP(row->value[CH_approved_seal]);
	return VARSIZE_ANY_EXHDR(approved) == LEDGER_HASH_LENGTH &&
		memcmp(VARDATA_ANY(approved), seal, LEDGER_HASH_LENGTH) == 0;
}

static char *
check_seal_fresh(const Transition *t)
{
	if (lifecycle_seal_fresh(t->model, t->row))
		return NULL;
	return pstrdup(change_is_null(t->row, approved_seal) ?
				   "no approval seals this plan" :
				   "the plan was edited after it was approved");
}

static char *
check_seal_stale(const Transition *t)
{
	const ChangeRow *row = t->old ? t->old : t->row;

	if (change_status(row) == STATUS_PLANNED ||
		!lifecycle_seal_fresh(t->model, t->row))
		return NULL;
	return pstrdup("the approval is fresh: there is nothing to submit again");
}

static char *
check_window_booked(const Transition *t)
{
	const ChangeRow *row = t->row;

	if (change_is_null(row, planned_start) || change_is_null(row, planned_end))
		return pstrdup("no time is given");
	if (change_time(row, planned_end) <= t->now)
		return psprintf("the time is over since %s",
						timestamptz_to_str(change_time(row, planned_end)));
	return NULL;
}

static char *
check_inside_window(const Transition *t)
{
	const ChangeRow *row = t->row;
	TimestampTz at = t->thought_of || change_is_null(row, actual_start) ?
		t->now : change_time(row, actual_start);

	if (!t->model->books_window)
		return NULL;
	if (change_is_null(row, scheduled_at) ||
		change_is_null(row, planned_start) || change_is_null(row, planned_end))
		return pstrdup("no time is booked");
	if (at < change_time(row, planned_start))
		return psprintf("the booked time begins at %s",
						timestamptz_to_str(change_time(row, planned_start)));
	if (at >= change_time(row, planned_end))
		return psprintf("the booked time ended at %s",
						timestamptz_to_str(change_time(row, planned_end)));
	return NULL;
}

/* "3 tasks are open: a, b, c" for what the plan selects; NULL for nothing. */
static char *
open_tasks(KeptPlan *plan, const Transition *t, const char *what)
{
	Datum		argument = t->row->value[CH_id];
	StringInfoData buf;
	uint64		count;

	kept_plan_execute(plan, &argument, NULL, 0);
	count = SPI_processed;
	if (count == 0)
	{
		SPI_freetuptable(SPI_tuptable);
		return NULL;
	}
	initStringInfo(&buf);
	appendStringInfo(&buf, UINT64_FORMAT " %s%s %s open: ", count, what,
					 count == 1 ? "" : "s", count == 1 ? "is" : "are");
	for (uint64 i = 0; i < count && i < 10; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 SPI_getvalue(SPI_tuptable->vals[i],
									  SPI_tuptable->tupdesc, 1));
	if (count > 10)
		appendStringInfoString(&buf, " ...");
	SPI_freetuptable(SPI_tuptable);
	return buf.data;
}

static char *
check_checklist_done(const Transition *t)
{
	static KeptPlan plan = {
		"SELECT title FROM changemgmt.change_task"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND phase OPERATOR(pg_catalog.=) 'preparation'"
		" AND status OPERATOR(pg_catalog.=) 'open' ORDER BY position, id",
		1, {INT8OID}, NULL
	};

	return open_tasks(&plan, t, "preparation task");
}

static char *
check_tasks_done(const Transition *t)
{
	static KeptPlan plan = {
		"SELECT title FROM changemgmt.change_task"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND phase OPERATOR(pg_catalog.=) 'implementation'"
		" AND status OPERATOR(pg_catalog.=) 'open' ORDER BY position, id",
		1, {INT8OID}, NULL
	};

	return open_tasks(&plan, t, "implementation task");
}

static char *
check_verified(const Transition *t)
{
	static KeptPlan plan = {
		"SELECT title, passed FROM changemgmt.change_check"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND stage OPERATOR(pg_catalog.=) 'immediate'"
		" AND (is_required OR passed) ORDER BY id",
		1, {INT8OID}, NULL
	};
	Datum		argument = t->row->value[CH_id];
	bool		with_issues = !t->thought_of &&
		change_outcome(t->row) == OUTCOME_SUCCESSFUL_WITH_ISSUES;
	StringInfoData buf;
	int			passed = 0;

	initStringInfo(&buf);
	kept_plan_execute(&plan, &argument, NULL, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		bool		good = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[i],
													  SPI_tuptable->tupdesc,
													  2, &isnull));
		char	   *title = SPI_getvalue(SPI_tuptable->vals[i],
										 SPI_tuptable->tupdesc, 1);

		if (isnull)
			missing(&buf, psprintf("\"%s\" was not checked", title));
		else if (good)
			passed++;
		else if (!with_issues || !t->model->issues_despite_failed_check)
			missing(&buf, psprintf("\"%s\" failed", title));
	}
	SPI_freetuptable(SPI_tuptable);
	if (buf.len > 0)
		return buf.data;
	return passed > 0 ? NULL : pstrdup("no check has passed");
}

static char *
check_reason(const Transition *t)
{
	if (t->verb == VERB_PASS &&
		(t->thought_of ||
		 change_outcome(t->row) != OUTCOME_SUCCESSFUL_WITH_ISSUES))
		return NULL;
	if (!t->thought_of && !change_is_blank(t->row, CH_status_reason))
		return NULL;
	return psprintf("%s needs a reason", verb_name(t->verb));
}

static char *
check_remediation(const Transition *t)
{
	return change_is_blank(t->row, CH_remediation) ?
		pstrdup("nothing is said of the remediation") : NULL;
}

static char *
check_cause_class(const Transition *t)
{
	return change_is_null(t->row, cause_class) ?
		pstrdup("the class of the cause is not given") : NULL;
}

static char *
check_nothing_applied(const Transition *t)
{
	static KeptPlan plan = {
		"SELECT FROM changemgmt.change_task"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND phase OPERATOR(pg_catalog.=) 'implementation'"
		" AND status OPERATOR(pg_catalog.=) 'done'",
		1, {INT8OID}, NULL
	};
	Datum		argument = t->row->value[CH_id];
	uint64		count;

	if (!change_is_null(t->row, deployed_at))
		return pstrdup("it was complete once");
	kept_plan_execute(&plan, &argument, NULL, 0);
	count = SPI_processed;
	SPI_freetuptable(SPI_tuptable);
	if (count == 0)
		return NULL;
	return psprintf(UINT64_FORMAT " implementation task%s done", count,
					count == 1 ? " is" : "s are");
}

static char *
check_validations_done(const Transition *t)
{
	static KeptPlan plan = {
		"SELECT stage, passed, title FROM changemgmt.change_check"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND stage OPERATOR(pg_catalog.<>) 'immediate'"
		" AND passed IS NOT NULL"
		" AND checked_at OPERATOR(pg_catalog.>=)"
		" ($2 OPERATOR(pg_catalog.+) CASE stage"
		"  WHEN '24_hours' THEN '24 hours'::pg_catalog.interval"
		"  ELSE '168 hours'::pg_catalog.interval END) ORDER BY id",
		2, {INT8OID, TIMESTAMPTZOID}, NULL
	};
	Datum		arguments[2];
	Outcome		outcome = change_outcome(t->row);
	uint32		seen = 0;
	StringInfoData buf;

	if (t->model->validations == 0 ||
		(outcome != OUTCOME_SUCCESSFUL &&
		 outcome != OUTCOME_SUCCESSFUL_WITH_ISSUES))
		return NULL;
	initStringInfo(&buf);
	arguments[0] = t->row->value[CH_id];
	arguments[1] = change_is_null(t->row, deployed_at) ?
		TimestampTzGetDatum(DT_NOEND) : t->row->value[CH_deployed_at];
	kept_plan_execute(&plan, arguments, NULL, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		char	   *stage = SPI_getvalue(SPI_tuptable->vals[i],
										 SPI_tuptable->tupdesc, 1);

		seen |= strcmp(stage, "24_hours") == 0 ? STAGE_24_HOURS : STAGE_7_DAYS;
		if (!DatumGetBool(SPI_getbinval(SPI_tuptable->vals[i],
										SPI_tuptable->tupdesc, 2, &isnull)) &&
			outcome == OUTCOME_SUCCESSFUL)
			missing(&buf, psprintf("the %s validation \"%s\" failed", stage,
								   SPI_getvalue(SPI_tuptable->vals[i],
												SPI_tuptable->tupdesc, 3)));
	}
	SPI_freetuptable(SPI_tuptable);
	if (t->model->validations & ~seen & STAGE_24_HOURS)
		missing(&buf, "no validation 24 hours after deployment");
	if (t->model->validations & ~seen & STAGE_7_DAYS)
		missing(&buf, "no validation 7 days after deployment");
	return buf.len > 0 ? buf.data : NULL;
}

static char *
check_stability_confirmed(const Transition *t)
{
	Outcome		outcome = change_outcome(t->row);

	if ((outcome != OUTCOME_FAILED && outcome != OUTCOME_ROLLED_BACK) ||
		(!change_is_null(t->row, stability_confirmed_by_id) &&
		 !change_is_null(t->row, stability_confirmed_at)))
		return NULL;
	return pstrdup("nobody has confirmed that the service is stable");
}

static const Requirement engine_requirements[] = {
	{"plan_complete", "Owner, what, why, items, impact, risk, way back, verification and time are there.",
		"Fill it in with changemgmt.edit_change(%lld, ...), add_item, add_risk, add_check.",
	check_plan_complete, 0, 0},
	{"coordinator", "Somebody coordinates the request.",
		"Register yourself with changemgmt.add_person(), or name a coordinator.",
	check_coordinator, V(TRIAGE), 0},
	{"notice", "The business days of notice that the model asks for lie between submission and start.",
		"Plan a later start, or have a manager waive it: changemgmt.waive(%lld, 'notice', reason).",
	check_notice, 0, 0},
	{"data_approval", "What touches data integrity or security is approved by somebody.",
		"Use a template, or a model with an approval: changemgmt.edit_change(%lld, '{\"model\": ...}') in draft.",
	check_data_approval, V(SUBMIT), 0},
	{"seal_fresh", "The plan is the one that was approved.",
		"Put the plan back, or submit it again: changemgmt.submit(%lld).",
	check_seal_fresh, V(SCHEDULE) | V(START), ERRCODE_MC_SEALED_CONTENT},
	{"seal_stale", "What is submitted again was edited since its approval.",
		"Go on: SELECT * FROM changemgmt.next_steps(%lld).",
	check_seal_stale, V(SUBMIT), 0},
	{"window_booked", "A time is given that is not over.",
		"changemgmt.schedule(%lld, planned_start, planned_end).",
	check_window_booked, V(SCHEDULE) | V(RESCHEDULE), ERRCODE_MC_BOOKING_CONFLICT},
	{"inside_window", "The work begins inside the booked time.",
		"Wait for it, or book another: changemgmt.reschedule(%lld, planned_start, planned_end).",
	check_inside_window, V(START), ERRCODE_MC_BOOKING_CONFLICT},
	{"checklist_done", "Every preparation task is done, or skipped with a reason.",
		"changemgmt.complete_task(task_id), changemgmt.skip_task(task_id, reason).",
	check_checklist_done, 0, 0},
	{"tasks_done", "Every implementation task is done, or skipped with a reason.",
		"changemgmt.complete_task(task_id), changemgmt.skip_task(task_id, reason).",
	check_tasks_done, V(COMPLETE), 0},
	{"verified", "The latest result of each required check passed, and there is one.",
		"changemgmt.record_check(check_id, passed, observed), or pass(%lld, evidence).",
	check_verified, V(PASS), 0},
	{"reason", "The step says why.",
		"Give a reason with the verb, or status_reason with the UPDATE.",
		check_reason, V(REJECT) | V(DEFER) | V(RESUME_WORK) | V(PASS) | V(FAIL) |
	V(ROLL_BACK) | V(ABORT) | V(HOLD) | V(CANCEL), 0},
	{"remediation", "A failure that stays says what is done about it.",
		"changemgmt.fail(%lld, reason, remediation).",
	check_remediation, V(FAIL), 0},
	{"cause_class", "A rollback says what kind of cause it had.",
		"changemgmt.roll_back(%lld, reason, cause_class).",
	check_cause_class, V(ROLL_BACK), 0},
	{"nothing_applied", "Nothing was applied yet.",
		"Use changemgmt.roll_back(%lld, ...) or fail.",
	check_nothing_applied, V(ABORT), 0},
	{"validations_done", "The validations of the model are done and none failed.",
		"changemgmt.record_check(check_id, passed, observed) when they are due; after a failed one fail or roll back.",
	check_validations_done, V(CLOSE), 0},
	{"stability_confirmed", "After a rollback or a failure somebody confirmed stability.",
		"changemgmt.confirm_stability(%lld).",
	check_stability_confirmed, V(CLOSE), 0},
};

/* ----------------------------------------------------------------
 * The registry
 * ---------------------------------------------------------------- */

#define MAX_REQUIREMENTS 64

static Requirement registry[MAX_REQUIREMENTS];
static int	registry_count = 0;

void
requirements_register(const Requirement *requirements, int count)
{
	if (registry_count + count > MAX_REQUIREMENTS)
		elog(FATAL, "too many requirements");
	memcpy(&registry[registry_count], requirements,
		   count * sizeof(Requirement));
	registry_count += count;
}

static const Requirement *
requirement_find(const char *name)
{
	for (int i = 0; i < registry_count; i++)
		if (strcmp(registry[i].name, name) == 0)
			return &registry[i];
	return NULL;
}

/* A site's requirement, from its row. */
typedef struct SiteRequirement
{
	char	   *name;
	char	   *function;
	char	   *registered_by;
	char	   *hint;
	uint32		verbs;			/* for all models; 0 where only models name it */
} SiteRequirement;

static CachedTable site_table = {.relation = "site_requirement"};
static MemoryContext site_context = NULL;
static List *site_requirements = NIL;

static void
site_requirements_read(void)
{
	static KeptPlan all = {
		"SELECT name, function, registered_by, hint,"
		" pg_catalog.array_to_string(verbs, ',')"
		" FROM changemgmt.site_requirement ORDER BY name",
		0, {0}, NULL
	};
	MemoryContext context;
	MemoryContext old;
	List	   *list = NIL;

	SPI_connect();
	cached_table_begin(&site_table);
	kept_plan_execute(&all, NULL, NULL, 0);
	context = AllocSetContextCreate(CurrentMemoryContext,
									"changemgmt site requirements",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		SiteRequirement *r = palloc0(sizeof(SiteRequirement));
		char	   *verbs = SPI_getvalue(tuple, desc, 5);

		r->name = SPI_getvalue(tuple, desc, 1);
		r->function = SPI_getvalue(tuple, desc, 2);
		r->registered_by = SPI_getvalue(tuple, desc, 3);
		r->hint = SPI_getvalue(tuple, desc, 4);
		for (char *name = verbs ? strtok(verbs, ",") : NULL; name;
			 name = strtok(NULL, ","))
		{
			Verb		verb;

			if (verb_parse(name, &verb))
				r->verbs |= VERB_BIT(verb);
		}
		list = lappend(list, r);
	}
	MemoryContextSwitchTo(old);
	if (site_context)
		MemoryContextDelete(site_context);
	MemoryContextSetParent(context, TopMemoryContext);
	site_context = context;
	site_requirements = list;
	SPI_finish();
}

static List *
site_requirement_list(void)
{
	if (!site_table.is_current)
		site_requirements_read();
	return site_requirements;
}

bool
requirement_exists(const char *name)
{
	ListCell   *lc;

	if (requirement_find(name))
		return true;
	foreach(lc, site_requirement_list())
		if (strcmp(((SiteRequirement *) lfirst(lc))->name, name) == 0)
			return true;
	return false;
}

/*
 * Ask a site's function.  It runs as whoever registered it, in a restricted
 * operation and in a read-only transaction: it may look, not touch.
 */
static char *
site_requirement_ask(const char *name, const char *function,
					 const char *registered_by, const ChangeRow *row)
{
	Oid			role = get_role_oid(registered_by, true);
	Oid			funcid;
	Oid			save_userid;
	int			save_context;
	int			nestlevel;
	LOCAL_FCINFO(call, 1);
	FmgrInfo	finfo;
	Datum		answer;
	char	   *result;

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
	(void) set_config_option("transaction_read_only", "on",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);

	funcid = DatumGetObjectId(DirectFunctionCall1(to_regprocedure,
												  CStringGetTextDatum(function)));
	if (!OidIsValid(funcid))
		result = psprintf("function %s does not exist", function);
	else if (object_aclcheck(ProcedureRelationId, funcid, role,
							 ACL_EXECUTE) != ACLCHECK_OK)
		result = psprintf("role \"%s\" may not execute function %s",
						  registered_by, function);
	else
	{
		fmgr_info(funcid, &finfo);
		InitFunctionCallInfoData(*call, &finfo, 1, InvalidOid, NULL, NULL);
		call->args[0].value = row->value[CH_id];
		call->args[0].isnull = false;
		answer = FunctionCallInvoke(call);
		result = call->isnull ? NULL : TextDatumGetCString(answer);
	}
	AtEOXact_GUC(false, nestlevel);
	SetUserIdAndSecContext(save_userid, save_context);
	return result;
}

static bool
is_waived(const Transition *t, const char *name)
{
	static KeptPlan plan = {
		"SELECT FROM changemgmt.change_waiver"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND requirement OPERATOR(pg_catalog.=) $2",
		2, {INT8OID, TEXTOID}, NULL
	};
	ListCell   *lc;
	bool		waivable = false;
	Datum		arguments[2];
	bool		waived;

	foreach(lc, t->model->waivable)
		waivable |= strcmp(lfirst(lc), name) == 0;
	if (!waivable)
		return false;
	arguments[0] = t->row->value[CH_id];
	arguments[1] = CStringGetTextDatum(name);
	kept_plan_execute(&plan, arguments, NULL, 1);
	waived = SPI_processed > 0;
	SPI_freetuptable(SPI_tuptable);
	return waived;
}

static List *
unmet_add(List *unmet, const Transition *t, const char *name, char *message,
		  const char *hint, int sqlstate)
{
	UnmetRequirement *u;

	if (message == NULL || is_waived(t, name))
		return unmet;
	u = palloc0(sizeof(UnmetRequirement));
	u->requirement = name;
	u->message = message;
	if (hint)
	{
		const char *place = strstr(hint, "%lld");

		/* a site's hint is no format */
		u->hint = place == NULL ? pstrdup(hint) :
			psprintf("%.*s" INT64_FORMAT "%s", (int) (place - hint), hint,
					 change_id_of(t->row), place + 4);
	}
	u->sqlstate = sqlstate ? sqlstate : ERRCODE_MC_REQUIREMENTS_UNMET;
	return lappend(unmet, u);
}

List *
transition_unmet(const Transition *t)
{
	List	   *unmet = NIL;
	List	   *sites = site_requirement_list();
	ListCell   *lc;

	for (int i = 0; i < registry_count; i++)
	{
		const Requirement *r = &registry[i];
		bool		asked = (r->always & VERB_BIT(t->verb)) != 0;

		foreach(lc, t->model->requires[t->verb])
			asked |= strcmp(lfirst(lc), r->name) == 0;
		if (asked)
			unmet = unmet_add(unmet, t, r->name, r->check(t), r->hint,
							  r->sqlstate);
	}

	/*
	 * A site's function may do anything to the cache, so nothing of it is
	 * used after the call.
	 */
	sites = list_copy(sites);
	for (int i = 0; i < list_length(sites); i++)
	{
		SiteRequirement *r = list_nth(sites, i);
		SiteRequirement *copy = palloc(sizeof(SiteRequirement));

		copy->name = pstrdup(r->name);
		copy->function = pstrdup(r->function);
		copy->registered_by = pstrdup(r->registered_by);
		copy->hint = r->hint ? pstrdup(r->hint) : NULL;
		copy->verbs = r->verbs;
		foreach(lc, t->model->requires[t->verb])
			if (strcmp(lfirst(lc), r->name) == 0)
				copy->verbs |= VERB_BIT(t->verb);
		list_nth_cell(sites, i)->ptr_value = copy;
	}
	foreach(lc, sites)
	{
		SiteRequirement *r = lfirst(lc);

		if (r->verbs & VERB_BIT(t->verb))
			unmet = unmet_add(unmet, t, r->name,
							  site_requirement_ask(r->name, r->function,
												   r->registered_by, t->row),
							  r->hint, 0);
	}

	/* a name that nobody answers to is never met silently */
	foreach(lc, t->model->requires[t->verb])
		if (!requirement_exists(lfirst(lc)))
			unmet = unmet_add(unmet, t, lfirst(lc),
							  pstrdup("there is no requirement of this name"),
							  "changemgmt.register_requirement() registers a site's requirements.",
							  0);
	return unmet;
}

void
transition_require(const Transition *t)
{
	List	   *unmet = transition_unmet(t);
	UnmetRequirement *first;
	StringInfoData detail;
	ListCell   *lc;
	int			sqlstate;

	if (unmet == NIL)
		return;

	/* one kind of refusal keeps its own code, several are unmet requirements */
	first = linitial(unmet);
	sqlstate = first->sqlstate;
	initStringInfo(&detail);
	foreach(lc, unmet)
	{
		UnmetRequirement *u = lfirst(lc);

		appendStringInfo(&detail, "%s%s: %s", detail.len > 0 ? "\n" : "",
						 u->requirement, u->message);
		if (u->sqlstate != sqlstate)
			sqlstate = ERRCODE_MC_REQUIREMENTS_UNMET;
	}
	ereport(ERROR,
			(errcode(sqlstate), err_as_caller(),
			 list_length(unmet) == 1 ?
			 errmsg("%s: %s is refused: %s",
					change_number_text(change_id_of(t->row)),
					verb_name(t->verb), first->message) :
			 errmsg("%s: %s is refused: %d requirements are not met",
					change_number_text(change_id_of(t->row)),
					verb_name(t->verb), list_length(unmet)),
			 errdetail_internal("%s", detail.data),
			 (list_length(unmet) == 1 || t->verb == VERB_CREATE) && first->hint ?
			 errhint("%s", first->hint) :
			 errhint("SELECT * FROM changemgmt.why_not(" INT64_FORMAT ", '%s') lists them with what to do.",
					 change_id_of(t->row), verb_name(t->verb))));
}

void
transition_illegal(const ChangeRow *row, const ChangeModel *model,
				   const char *attempt)
{
	uint32		verbs = model_verbs(model, change_status(row),
									change_bool(row, on_hold));
	StringInfoData hint;

	initStringInfo(&hint);
	for (int v = VERB_TRIAGE; v < VERB_COUNT; v++)
		if (verbs & VERB_BIT(v))
			missing(&hint, verb_name(v));
	ereport(ERROR,
			(errcode(ERRCODE_MC_ILLEGAL_TRANSITION), err_as_caller(),
			 errmsg("%s: %s is not possible: it is %s%s",
					change_number_text(change_id_of(row)), attempt,
					change_bool(row, on_hold) ? "on hold, " : "",
					status_code(change_status(row))),
			 errdetail("Model \"%s\" has no such step from there.", model->key),
			 hint.len > 0 ?
			 errhint("Possible are: %s.", hint.data) :
			 errhint("Nothing is possible any more; changemgmt.copy_change(" INT64_FORMAT ") begins a new one.",
					 change_id_of(row))));
}

/* ----------------------------------------------------------------
 * SQL
 * ---------------------------------------------------------------- */

Datum
requirement_list(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < registry_count; i++)
	{
		Datum		values[3];
		bool		isnull[3] = {false, false, false};
		StringInfoData verbs;

		initStringInfo(&verbs);
		for (int v = VERB_CREATE; v < VERB_COUNT; v++)
			if (registry[i].always & VERB_BIT(v))
				missing(&verbs, verb_name(v));
		values[0] = CStringGetTextDatum(registry[i].name);
		values[1] = CStringGetTextDatum(registry[i].description);
		isnull[2] = verbs.len == 0;
		values[2] = isnull[2] ? (Datum) 0 : CStringGetTextDatum(verbs.data);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	return (Datum) 0;
}

/* BEFORE trigger of site_requirement: a sound function, by who runs it. */
Datum
site_requirement_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	HeapTuple	tuple;
	HeapTuple	proc;
	char	   *name;
	char	   *function;
	Oid			funcid;
	bool		good;
	int			columns[2];
	Datum		values[2];
	bool		isnull[2] = {false, false};

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("site_requirement_check: not called as a trigger")));
	desc = RelationGetDescr(trigdata->tg_relation);
	tuple = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;
	if (ledger_is_history(trigdata))
		return PointerGetDatum(tuple);

	name = SPI_getvalue(tuple, desc, SPI_fnumber(desc, "name"));
	function = SPI_getvalue(tuple, desc, SPI_fnumber(desc, "function"));
	if (name == NULL || function == NULL)
		return PointerGetDatum(tuple);	/* NOT NULL refuses it */
	if (requirement_find(name))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("requirement \"%s\" is one of the extension's own",
						name),
				 errhint("Choose another name.")));
	funcid = DatumGetObjectId(DirectFunctionCall1(regprocedurein,
												  CStringGetDatum(function)));
	proc = SearchSysCache1(PROCOID, ObjectIdGetDatum(funcid));
	if (!HeapTupleIsValid(proc))
		elog(ERROR, "cache lookup failed for function %u", funcid);
	good = ((Form_pg_proc) GETSTRUCT(proc))->prorettype == TEXTOID &&
		((Form_pg_proc) GETSTRUCT(proc))->pronargs == 1 &&
		((Form_pg_proc) GETSTRUCT(proc))->proargtypes.values[0] == INT8OID &&
		!((Form_pg_proc) GETSTRUCT(proc))->proretset &&
		((Form_pg_proc) GETSTRUCT(proc))->provolatile != PROVOLATILE_VOLATILE;
	ReleaseSysCache(proc);
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("function %s cannot be a requirement", function),
				 errdetail("A requirement is a STABLE or IMMUTABLE function (change_id bigint) RETURNS text that returns null when it is met, else what is missing.")));

	columns[0] = SPI_fnumber(desc, "function");
	values[0] = CStringGetTextDatum(format_procedure_qualified(funcid));
	columns[1] = SPI_fnumber(desc, "registered_by");
	values[1] = CStringGetTextDatum(effective_role_name());
	return PointerGetDatum(heap_modify_tuple_by_cols(tuple, desc, 2, columns,
													 values, isnull));
}

void
lifecycle_init(void)
{
	requirements_register(engine_requirements, lengthof(engine_requirements));
}
