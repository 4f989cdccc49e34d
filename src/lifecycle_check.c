/*-------------------------------------------------------------------------
 *
 * lifecycle_check.c
 *	  The requirements of the engine itself.
 *
 * Each check looks at the row as it was stored (or, asked by why_not, as it
 * is) and reads at most one kept plan.  It returns NULL when the requirement
 * is met, else what is missing, as a phrase.  Nothing unknown ever passes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "calendar.h"
#include "change_check.h"
#include "change_history.h"
#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(earliest_start);
PG_FUNCTION_INFO_V1(plan_missing);

#define V(verb) VERB_BIT(VERB_##verb)

/* Who books for longer keeps others from an item for good. */
#define BOOKING_DAYS_MAX 366

char *
plan_lacks(const ChangeRow *row)
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
	Datum		argument = row->value[CH_id];
	StringInfoData buf;
	bool		isnull;

	initStringInfo(&buf);
	kept_plan_execute(&parts, &argument, NULL, 0);
	if (change_is_null(row, owner_id))
		text_list_add(&buf, "owner");
	if (change_is_blank(row, CH_description))
		text_list_add(&buf, "description");
	if (change_is_blank(row, CH_justification))
		text_list_add(&buf, "justification");
	if (!DatumGetBool(spi_first_value(1, &isnull)))
		text_list_add(&buf, "affected items");
	if (change_is_blank(row, CH_user_impact))
		text_list_add(&buf, "user impact");
	if (change_is_null(row, risk_level) &&
		!DatumGetBool(spi_first_value(2, &isnull)))
		text_list_add(&buf, "risk");
	if (change_is_blank(row, CH_rollback_trigger))
		text_list_add(&buf, "rollback trigger");
	if (change_is_blank(row, CH_rollback_plan))
		text_list_add(&buf, "rollback steps");
	if (change_is_null(row, rollback_minutes))
		text_list_add(&buf, "rollback minutes");
	if (change_is_blank(row, CH_verification_plan) &&
		!DatumGetBool(spi_first_value(3, &isnull)))
		text_list_add(&buf, "verification");
	/* what is written afterwards has its real time */
	if ((change_is_null(row, planned_start) || change_is_null(row, planned_end)) &&
		!(lifecycle_model(row)->documented_after &&
		  !change_is_null(row, actual_start)))
		text_list_add(&buf, "planned time");
	SPI_freetuptable(SPI_tuptable);
	return buf.len > 0 ? buf.data : NULL;
}

static char *
check_plan_complete(const Transition *t)
{
	char	   *parts = plan_lacks(t->row);

	return parts ? psprintf("the plan lacks %s", parts) : NULL;
}

/* plan_missing(change_id): what plan_complete asks for, of the plan as it is */
Datum
plan_missing(PG_FUNCTION_ARGS)
{
	ChangeRow	row;
	char	   *parts;
	Datum		result = (Datum) 0;

	SPI_connect();
	change_find(&row, PG_GETARG_INT64(0), false);
	parts = plan_lacks(&row);
	if (parts)
		result = SPI_datumTransfer(CStringGetTextDatum(parts), false, -1);
	SPI_finish();
	if (parts == NULL)
		PG_RETURN_NULL();
	return result;
}

static char *
check_coordinator(const Transition *t)
{
	if (!change_is_null(t->row, coordinator_id) ||
		(t->thought_of && actor_person() != 0))	/* who triages, coordinates */
		return NULL;
	return pstrdup("nobody coordinates it");
}

/*
 * earliest_start(change_id): what the notice of its model leaves.  Never, where
 * its calendar can't be asked: an error would take whole queues with it.
 */
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
	if (model->notice_business_days > 0 &&
		calendar_problem(model->calendar, NULL) != NULL)
		PG_RETURN_TIMESTAMPTZ(DT_NOEND);
	PG_RETURN_TIMESTAMPTZ(model->notice_business_days == 0 ? from :
						  calendar_add_business_days(from,
													 model->notice_business_days,
													 model->calendar));
}

static char *
check_notice(const Transition *t)
{
	const ChangeRow *row = t->row;
	int			days = t->model->notice_business_days;
	TimestampTz from;
	TimestampTz earliest;
	char	   *problem;

	if (days == 0)
		return NULL;
	if (change_is_null(row, planned_start))
		return psprintf("%d business days' notice are needed, and there is no planned start",
						days);
	/* not an error, which would bar what does not ask for notice, too */
	problem = calendar_problem(t->model->calendar, NULL);
	if (problem)
		return psprintf("%d business days' notice are needed, and %s",
						days, problem);
	from = change_is_null(row, notice_from) ? t->now :
		change_time(row, notice_from);
	earliest = calendar_add_business_days(from, days, t->model->calendar);
	if (change_time(row, planned_start) >= earliest)
		return NULL;
	return psprintf("%d business days' notice are needed: the earliest start is %s",
					days, timestamptz_to_str(earliest));
}

/*
 * Data and security need somebody's approval, whatever the model.  The
 * approval of a template is one for the columns of the plan that it fills in;
 * its parts are a beginning, and not compared.
 */
static char *
check_data_approval(const Transition *t)
{
	static KeptPlan deviations = {
		"SELECT e.key FROM changemgmt.change AS c,"
		" pg_catalog.jsonb_each(pg_catalog.to_jsonb("
		"  pg_catalog.jsonb_populate_record(c, $2))) AS e"
		" WHERE c.id OPERATOR(pg_catalog.=) $1"
		" AND e.key OPERATOR(pg_catalog.<>) 'title'"
		" AND EXISTS (SELECT FROM changemgmt.field_class() AS f"
		"  WHERE f.relation OPERATOR(pg_catalog.=) 'change'"
		"  AND f.class OPERATOR(pg_catalog.=) 'plan'"
		"  AND f.field OPERATOR(pg_catalog.=) e.key)"
		" AND e.value OPERATOR(pg_catalog.<>)"
		"  (pg_catalog.to_jsonb(c) OPERATOR(pg_catalog.->) e.key)"
		" UNION ALL"
		" SELECT f.flag FROM changemgmt.change AS c,"
		" pg_catalog.unnest('{touches_data_integrity,touches_security}'::pg_catalog.text[]) AS f(flag)"
		" WHERE c.id OPERATOR(pg_catalog.=) $1"
		" AND (pg_catalog.to_jsonb(c) OPERATOR(pg_catalog.->>) f.flag)::pg_catalog.bool"
		" AND NOT COALESCE(($2 OPERATOR(pg_catalog.->>) f.flag)::pg_catalog.bool, false)",
		2, {INT8OID, JSONBOID}, NULL
	};
	const ChangeRow *row = t->row;
	const char *what = change_bool(row, touches_data_integrity) ?
		"data integrity" : "security";
	Datum		arguments[2];
	StringInfoData buf;

	if (!t->model->pre_approved ||
		!(change_bool(row, touches_data_integrity) ||
		  change_bool(row, touches_security)))
		return NULL;
	if (!t->model->is_template)
		return psprintf("it touches %s, and model \"%s\" is neither an approved template nor asks for an approval",
						what, t->model->key);

	initStringInfo(&buf);
	arguments[0] = row->value[CH_id];
	arguments[1] = JsonbPGetDatum(t->model->plan);
	kept_plan_execute(&deviations, arguments, NULL, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
		text_list_add(&buf, SPI_getvalue(SPI_tuptable->vals[i],
										 SPI_tuptable->tupdesc, 1));
	SPI_freetuptable(SPI_tuptable);
	if (buf.len == 0)
		return NULL;
	return psprintf("it touches %s, and is not what template \"%s\" was approved for: %s",
					what, t->model->key, buf.data);
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
	change_seal(row, model, seal);
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
	if (change_time(row, planned_end) - change_time(row, planned_start) >
		BOOKING_DAYS_MAX * USECS_PER_DAY)
		return psprintf("the time is longer than %d days", BOOKING_DAYS_MAX);
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

#define OPEN_TASKS(phase, more) \
	" FROM changemgmt.change_task" \
	" WHERE change_id OPERATOR(pg_catalog.=) $1" \
	" AND phase OPERATOR(pg_catalog.=) '" phase "'" \
	" AND status OPERATOR(pg_catalog.<>) 'done'" \
	" AND status OPERATOR(pg_catalog.<>) 'skipped'" more

/* Of each its title, and whether it failed. */
#define OPEN_TASKS_ALL(phase, more) \
	"SELECT title, status OPERATOR(pg_catalog.=) 'failed'" \
	OPEN_TASKS(phase, more) " ORDER BY position, id"

/*
 * "3 tasks are open: a, b, c"; NULL where none is.  Mostly none is, so the
 * plan that would sort them is only started where there is something to sort.
 */
static char *
open_tasks(KeptPlan *any, KeptPlan *all, const Transition *t, const char *what)
{
	Datum		argument = t->row->value[CH_id];
	StringInfoData buf;
	uint64		count;
	uint64		failed = 0;
	bool		isnull;

	kept_plan_execute(any, &argument, NULL, 1);
	count = SPI_processed;
	SPI_freetuptable(SPI_tuptable);
	if (count == 0)
		return NULL;
	kept_plan_execute(all, &argument, NULL, 0);
	count = SPI_processed;
	if (count == 0)
	{
		SPI_freetuptable(SPI_tuptable);
		return NULL;
	}
	for (uint64 i = 0; i < count; i++)
		failed += DatumGetBool(SPI_getbinval(SPI_tuptable->vals[i],
											 SPI_tuptable->tupdesc, 2, &isnull));
	initStringInfo(&buf);
	appendStringInfo(&buf, UINT64_FORMAT " %s%s %s %s: ", count, what,
					 count == 1 ? "" : "s", count == 1 ? "is" : "are",
					 failed == 0 ? "open" :
					 failed == count ? "failed" : "open or failed");
	for (uint64 i = 0; i < count && i < 10; i++)
		appendStringInfo(&buf, "%s%s%s", i > 0 ? ", " : "",
						 SPI_getvalue(SPI_tuptable->vals[i],
									  SPI_tuptable->tupdesc, 1),
						 failed < count &&
						 DatumGetBool(SPI_getbinval(SPI_tuptable->vals[i],
													SPI_tuptable->tupdesc, 2,
													&isnull)) ? " (failed)" : "");
	if (count > 10)
		appendStringInfoString(&buf, " ...");
	SPI_freetuptable(SPI_tuptable);
	return buf.data;
}

/* What lacks of the checklist is not done either. */
static char *
with_lacking(char *open, char *lacking)
{
	if (lacking == NULL)
		return open;
	lacking = psprintf("the checklist of the model lacks a task: %s", lacking);
	return open ? psprintf("%s; %s", open, lacking) : lacking;
}

static char *
check_checklist_done(const Transition *t)
{
	static KeptPlan any = {
		"SELECT" OPEN_TASKS("preparation", " AND NOT is_condition"),
		1, {INT8OID}, NULL
	};
	static KeptPlan all = {
		OPEN_TASKS_ALL("preparation", " AND NOT is_condition"),
		1, {INT8OID}, NULL
	};

	return with_lacking(open_tasks(&any, &all, t, "preparation task"),
						checklist_lacks(t, NULL));
}

/* What approvers asked for is done before the start, whatever the model says. */
static char *
check_conditions_done(const Transition *t)
{
	static KeptPlan any = {
		"SELECT" OPEN_TASKS("preparation", " AND is_condition"),
		1, {INT8OID}, NULL
	};
	static KeptPlan all = {
		OPEN_TASKS_ALL("preparation", " AND is_condition"),
		1, {INT8OID}, NULL
	};

	return open_tasks(&any, &all, t, "condition");
}

static char *
check_tasks_done(const Transition *t)
{
	static KeptPlan any = {
		"SELECT" OPEN_TASKS("implementation", ""), 1, {INT8OID}, NULL
	};
	static KeptPlan all = {
		OPEN_TASKS_ALL("implementation", ""), 1, {INT8OID}, NULL
	};

	/* where the plan is frozen, start has asked */
	return with_lacking(open_tasks(&any, &all, t, "implementation task"),
						t->model->documented_after ?
						checklist_lacks(t, "implementation") : NULL);
}

/* The steps back that the plan has were taken. */
static char *
check_rollback_tasks_done(const Transition *t)
{
	static KeptPlan any = {
		"SELECT" OPEN_TASKS("rollback", ""), 1, {INT8OID}, NULL
	};
	static KeptPlan all = {
		OPEN_TASKS_ALL("rollback", ""), 1, {INT8OID}, NULL
	};

	return open_tasks(&any, &all, t, "step back");
}

/* Each line of the deployment manifest was looked at as it stands. */
static char *
check_manifest_reviewed(const Transition *t)
{
	static KeptPlan plan = {
		"SELECT COALESCE(object_system OPERATOR(pg_catalog.||) '/', '')"
		" OPERATOR(pg_catalog.||) object_name"
		" FROM changemgmt.change_task"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND object_kind IS NOT NULL AND reviewed_at IS NULL"
		" ORDER BY phase DESC, position, id",
		1, {INT8OID}, NULL
	};
	Datum		argument = t->row->value[CH_id];
	StringInfoData buf;
	uint64		count;

	if (!column_exists("change_task", "reviewed_at"))
		return pstrdup("reviews are recorded from version 1.1 on");
	kept_plan_execute(&plan, &argument, NULL, 0);
	count = SPI_processed;
	if (count == 0)
	{
		SPI_freetuptable(SPI_tuptable);
		return NULL;
	}
	initStringInfo(&buf);
	appendStringInfo(&buf, UINT64_FORMAT " line%s of the manifest %s not reviewed: ",
					 count, count == 1 ? "" : "s", count == 1 ? "is" : "are");
	for (uint64 i = 0; i < count && i < 10; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 SPI_getvalue(SPI_tuptable->vals[i],
									  SPI_tuptable->tupdesc, 1));
	if (count > 10)
		appendStringInfoString(&buf, " ...");
	SPI_freetuptable(SPI_tuptable);
	return buf.data;
}

/*
 * Whether work began anew after the latest result of a check was recorded.  Where
 * the end of the work is reported late, the result can lie behind it all the same.
 */
static bool
begun_anew_since(const Transition *t, Datum check_id)
{
	static KeptPlan plan = {
		"SELECT FROM changemgmt.ledger AS w"
		" WHERE w.subject_kind OPERATOR(pg_catalog.=) 'change'"
		" AND w.subject_id OPERATOR(pg_catalog.=) $1"
		" AND w.event OPERATOR(pg_catalog.=) 'resume_work'"
		" AND NOT EXISTS (SELECT FROM changemgmt.ledger AS r"
		"  WHERE r.subject_kind OPERATOR(pg_catalog.=) 'change'"
		"  AND r.subject_id OPERATOR(pg_catalog.=) $1"
		"  AND r.sequence OPERATOR(pg_catalog.>) w.sequence"
		"  AND r.changed OPERATOR(pg_catalog.?) 'change_check'"
		"  AND pg_catalog.jsonb_path_exists(r.changed,"
		"   '$.change_check[*] ? ((@.id == $id && exists(@.changed.checked_at))"
		"    || (@.new.id == $id && exists(@.new.checked_at)))',"
		"   pg_catalog.jsonb_build_object('id', $2)))",
		2, {INT8OID, INT8OID}, NULL
	};
	Datum		arguments[2] = {t->row->value[CH_id], check_id};
	bool		found;

	if (t->model->late_hours == 0)
		return false;
	kept_plan_execute(&plan, arguments, NULL, 1);
	found = SPI_processed > 0;
	SPI_freetuptable(SPI_tuptable);
	return found;
}

static char *
check_verified(const Transition *t)
{
	/* what trips a rollback is looked at after the work, not before its end */
	static KeptPlan plan = {
		"SELECT title, CASE WHEN is_too_early THEN NULL ELSE passed END, id, is_too_early,"
		" is_rollback_trigger AND passed IS NOT NULL AND NOT is_too_early, is_required"
		" FROM (SELECT *, COALESCE(is_rollback_trigger"
		"  AND checked_at OPERATOR(pg_catalog.<) $2, false) AS is_too_early"
		"  FROM changemgmt.change_check"
		"  WHERE change_id OPERATOR(pg_catalog.=) $1"
		"  AND stage OPERATOR(pg_catalog.=) 'immediate') AS k"
		" WHERE is_required OR (passed AND NOT is_too_early) ORDER BY id",
		2, {INT8OID, TIMESTAMPTZOID}, NULL
	};
	/* with the table of 1.0 */
	static KeptPlan plan_before = {
		"SELECT title, passed, id, false, false, is_required FROM changemgmt.change_check"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND stage OPERATOR(pg_catalog.=) 'immediate'"
		" AND (is_required OR passed) ORDER BY id",
		1, {INT8OID}, NULL
	};
	Datum		arguments[2] = {t->row->value[CH_id],
		change_is_null(t->row, deployed_at) ?
		TimestampTzGetDatum(DT_NOBEGIN) : t->row->value[CH_deployed_at]};
	bool		with_issues = !t->thought_of &&
		change_outcome(t->row) == OUTCOME_SUCCESSFUL_WITH_ISSUES;
	SPITupleTable *table;
	uint64		count;
	StringInfoData buf;
	int			passed = 0;

	initStringInfo(&buf);
	kept_plan_execute(column_exists("change_check", "is_rollback_trigger") ?
					  &plan : &plan_before, arguments, NULL, 0);
	table = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	tuple = table->vals[i];
		TupleDesc	desc = table->tupdesc;
		bool		isnull;
		bool		unmade;
		bool		good = DatumGetBool(SPI_getbinval(tuple, desc, 2, &unmade));
		char	   *title = SPI_getvalue(tuple, desc, 1);
		char	   *id = SPI_getvalue(tuple, desc, 3);
		bool		early = DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull));

		if (DatumGetBool(SPI_getbinval(tuple, desc, 5, &isnull)) &&
			begun_anew_since(t, SPI_getbinval(tuple, desc, 3, &isnull)))
		{
			if (!DatumGetBool(SPI_getbinval(tuple, desc, 6, &isnull)))
				continue;
			early = unmade = true;
		}
		if (unmade)
			text_list_add(&buf, psprintf("check %s \"%s\" was not made%s", id, title,
										 early ? " since the work was complete" : ""));
		else if (good)
			passed++;
		else if (!with_issues || !t->model->issues_despite_failed_check)
			text_list_add(&buf, psprintf("check %s \"%s\" failed", id, title));
	}
	SPI_freetuptable(table);
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
		"SELECT status OPERATOR(pg_catalog.=) 'failed' FROM changemgmt.change_task"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND phase OPERATOR(pg_catalog.=) 'implementation'"
		" AND (status OPERATOR(pg_catalog.=) 'done'"
		"  OR status OPERATOR(pg_catalog.=) 'failed')",
		1, {INT8OID}, NULL
	};
	Datum		argument = t->row->value[CH_id];
	uint64		count;
	bool		failed = false;
	bool		isnull;

	if (!change_is_null(t->row, deployed_at))
		return pstrdup("it was complete once");
	kept_plan_execute(&plan, &argument, NULL, 0);
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
		failed |= DatumGetBool(SPI_getbinval(SPI_tuptable->vals[i],
											 SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	if (count == 0)
		return NULL;
	return psprintf(UINT64_FORMAT " implementation task%s %s", count,
					count == 1 ? " is" : "s are",
					failed ? "done or failed" : "done");
}

static char *
check_validations_done(const Transition *t)
{
	static KeptPlan plan = {
		"SELECT stage, passed, title FROM (SELECT id, stage, title, is_required,"
		"  CASE WHEN checked_at OPERATOR(pg_catalog.>=)"
		"   ($2 OPERATOR(pg_catalog.+) CASE"
		"    WHEN stage OPERATOR(pg_catalog.=) '24_hours' THEN '24 hours'::pg_catalog.interval"
		"    ELSE '168 hours'::pg_catalog.interval END) THEN passed END AS passed"
		"  FROM changemgmt.change_check"
		"  WHERE change_id OPERATOR(pg_catalog.=) $1"
		"  AND stage OPERATOR(pg_catalog.<>) 'immediate') AS k"
		" WHERE passed IS NOT NULL OR is_required ORDER BY id",
		2, {INT8OID, TIMESTAMPTZOID}, NULL
	};
	Datum		arguments[2];
	Outcome		outcome = change_outcome(t->row);
	uint32		seen = 0;
	StringInfoData unmade[2];
	StringInfoData buf;

	if (t->model->validations == 0 ||
		(outcome != OUTCOME_SUCCESSFUL &&
		 outcome != OUTCOME_SUCCESSFUL_WITH_ISSUES))
		return NULL;
	initStringInfo(&buf);
	initStringInfo(&unmade[0]);
	initStringInfo(&unmade[1]);
	arguments[0] = t->row->value[CH_id];
	arguments[1] = change_is_null(t->row, deployed_at) ?
		TimestampTzGetDatum(DT_NOEND) : t->row->value[CH_deployed_at];
	kept_plan_execute(&plan, arguments, NULL, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		char	   *code = SPI_getvalue(tuple, desc, 1);
		uint32		stage = strcmp(code, "24_hours") == 0 ? STAGE_24_HOURS : STAGE_7_DAYS;
		bool		passed = DatumGetBool(SPI_getbinval(tuple, desc, 2, &isnull));

		if (isnull)
		{
			text_list_add(&unmade[stage == STAGE_24_HOURS ? 0 : 1],
						  psprintf("the %s validation \"%s\" was not made", code,
								   SPI_getvalue(tuple, desc, 3)));
			continue;
		}
		seen |= stage;
		if (!passed && outcome == OUTCOME_SUCCESSFUL)
			text_list_add(&buf, psprintf("the %s validation \"%s\" failed", code,
										 SPI_getvalue(tuple, desc, 3)));
	}
	SPI_freetuptable(SPI_tuptable);
	/* another check of the stage stands in for none that is required */
	if (t->model->validations & ~seen & STAGE_24_HOURS)
		text_list_add(&buf, "no validation 24 hours after deployment");
	else if ((t->model->validations & STAGE_24_HOURS) && unmade[0].len > 0)
		text_list_add(&buf, unmade[0].data);
	if (t->model->validations & ~seen & STAGE_7_DAYS)
		text_list_add(&buf, "no validation 7 days after deployment");
	else if ((t->model->validations & STAGE_7_DAYS) && unmade[1].len > 0)
		text_list_add(&buf, unmade[1].data);
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

/* Communications of a timing that are planned and were not sent. */
#define NOT_SENT(timing) \
	"SELECT stakeholder FROM changemgmt.change_communication" \
	" WHERE change_id OPERATOR(pg_catalog.=) $1" \
	" AND timing OPERATOR(pg_catalog.=) '" timing "'" \
	" AND sent_at IS NULL ORDER BY id"

/* Who was not told yet, or "nobody"; NULL where all were, and somebody was. */
static char *
told(KeptPlan *open, KeptPlan *done, const Transition *t, const char *when,
	 TimestampTz since, const char *since_when)
{
	Datum		arguments[2];
	StringInfoData buf;
	uint64		count;

	if (!relation_exists("change_communication"))
		return psprintf("nobody was told %s the work", when);
	arguments[0] = t->row->value[CH_id];
	arguments[1] = TimestampTzGetDatum(since);
	kept_plan_execute(open, arguments, NULL, 0);
	count = SPI_processed;
	initStringInfo(&buf);
	for (uint64 i = 0; i < count && i < 10; i++)
		text_list_add(&buf, SPI_getvalue(SPI_tuptable->vals[i],
										 SPI_tuptable->tupdesc, 1));
	SPI_freetuptable(SPI_tuptable);
	if (count > 0)
		return psprintf("not told %s the work: %s%s", when, buf.data,
						count > 10 ? " ..." : "");
	kept_plan_execute(done, arguments, NULL, 1);
	count = SPI_processed;
	SPI_freetuptable(SPI_tuptable);
	return count > 0 ? NULL : psprintf("nobody was told %s", since_when);
}

/* When the planned start was moved last; DT_NOBEGIN where it never was. */
static TimestampTz
start_moved(const Transition *t)
{
	static KeptPlan moved = {
		"SELECT pg_catalog.max(recorded_at) FROM changemgmt.ledger"
		" WHERE subject_kind OPERATOR(pg_catalog.=) 'change'"
		" AND subject_id OPERATOR(pg_catalog.=) $1"
		" AND (changed OPERATOR(pg_catalog.->) 'planned_start')"
		"  OPERATOR(pg_catalog.->>) 0 IS NOT NULL",
		1, {INT8OID}, NULL
	};
	Datum		argument = t->row->value[CH_id];
	bool		isnull;
	TimestampTz at;

	kept_plan_execute(&moved, &argument, NULL, 1);
	at = DatumGetTimestampTz(spi_first_value(1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return isnull ? DT_NOBEGIN : at;
}

/* A start that was announced for another time is announced again. */
static char *
check_stakeholders_told(const Transition *t)
{
	static KeptPlan open = {
		NOT_SENT("before"), 1, {INT8OID}, NULL
	};
	static KeptPlan done = {
		"SELECT FROM changemgmt.change_communication"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND timing OPERATOR(pg_catalog.=) 'before'"
		" AND sent_at OPERATOR(pg_catalog.>=) $2",
		2, {INT8OID, TIMESTAMPTZOID}, NULL
	};
	TimestampTz moved = start_moved(t);

	return told(&open, &done, t, "before", moved, moved == DT_NOBEGIN ?
				"before the work" : "since the planned start was moved");
}

/* An end that was announced, and was none (resume_work), is announced again. */
static char *
check_end_announced(const Transition *t)
{
	static KeptPlan open = {
		NOT_SENT("after"), 1, {INT8OID}, NULL
	};
	static KeptPlan done = {
		"SELECT FROM changemgmt.change_communication"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND timing OPERATOR(pg_catalog.=) 'after'"
		" AND sent_at OPERATOR(pg_catalog.>=) $2",
		2, {INT8OID, TIMESTAMPTZOID}, NULL
	};

	return told(&open, &done, t, "after",
				change_is_null(t->row, actual_end) ? DT_NOBEGIN :
				change_time(t->row, actual_end), "after the work");
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
		"Put the plan back, or have it approved anew: changemgmt.submit(%lld), or revise where the model is pre-approved.",
	check_seal_fresh, V(SCHEDULE) | V(START), ERRCODE_MC_SEALED_CONTENT},
	{"seal_stale", "What is submitted again was edited since its approval.",
		"Go on: SELECT * FROM changemgmt.next_steps(%lld).",
	check_seal_stale, V(SUBMIT), 0},
	{"window_booked", "A time is given that is not over, and not longer than 366 days.",
		"changemgmt.schedule(%lld, planned_start, planned_end).",
	check_window_booked, V(SCHEDULE) | V(RESCHEDULE), ERRCODE_MC_BOOKING_CONFLICT},
	{"inside_window", "The work begins inside the booked time.",
		"Wait for it, or book another: changemgmt.reschedule(%lld, planned_start, planned_end).",
	check_inside_window, V(START), ERRCODE_MC_BOOKING_CONFLICT},
	{"checklist_done", "Every preparation task that is no condition is done, or skipped with a reason, and the checklist of the model is there.",
		"changemgmt.complete_task(task_id), changemgmt.skip_task(task_id, reason); changemgmt.add_checklist(%lld) adds what lacks.",
	check_checklist_done, 0, 0},
	{"conditions_done", "Every condition of an approver is met, or skipped with a reason.",
		"changemgmt.complete_task(task_id); who may vote on it: changemgmt.skip_task(task_id, reason).",
	check_conditions_done, V(START), 0},
	{"tasks_done", "Every implementation task is done, or skipped with a reason.",
		"changemgmt.complete_task(task_id), changemgmt.skip_task(task_id, reason).",
	check_tasks_done, V(COMPLETE), 0},
	{"rollback_tasks_done", "Every step back of the plan is done, or skipped with a reason.",
		"changemgmt.complete_task(task_id), changemgmt.skip_task(task_id, reason).",
	check_rollback_tasks_done, V(ROLL_BACK), 0},
	{"manifest_reviewed", "Every line of the deployment manifest is reviewed as it stands.",
		"changemgmt.review_object(task_id).",
	check_manifest_reviewed, 0, 0},
	{"verified", "The latest result of each required check passed, and there is one.",
		"changemgmt.record_check(check_id, passed, observed); where no check is planned, pass(%lld, evidence).",
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
	{"stakeholders_told", "Everybody was told before the work who is to be told then, and somebody since the planned start was moved.",
		"changemgmt.mark_sent(communication_id) for each that was sent; post_update(%lld, message) for what was told besides.",
	check_stakeholders_told, 0, 0},
	{"end_announced", "Everybody was told after the work who is to be told then, and somebody since it ended.",
		"changemgmt.mark_sent(communication_id) for each that was sent; post_update(%lld, message) for what was told besides.",
	check_end_announced, 0, 0},
};

void
lifecycle_init(void)
{
	lifecycle_stamp_init();
	change_check_init();
	change_part_register("change_waiver");
	requirements_register(engine_requirements, lengthof(engine_requirements));
	requirement_never_waive("data_approval");
	requirement_never_waive("seal_fresh");
	requirement_never_waive("conditions_done");
}
