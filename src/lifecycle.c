/*-------------------------------------------------------------------------
 *
 * lifecycle.c
 *	  The verbs: the comfortable way to take a step.
 *
 * A verb locks the change, looks whether the step is possible from where it
 * stands, and UPDATEs the columns that the step needs.  Whether it is allowed
 * is not decided here but by the triggers, which answer a direct UPDATE in
 * the same way.  A verb that has been called with the same arguments before,
 * and nothing since, does nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "change_check.h"
#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(triage);
PG_FUNCTION_INFO_V1(plan);
PG_FUNCTION_INFO_V1(submit);
PG_FUNCTION_INFO_V1(schedule);
PG_FUNCTION_INFO_V1(reschedule);
PG_FUNCTION_INFO_V1(start);
PG_FUNCTION_INFO_V1(complete);
PG_FUNCTION_INFO_V1(resume_work);
PG_FUNCTION_INFO_V1(pass);
PG_FUNCTION_INFO_V1(fail);
PG_FUNCTION_INFO_V1(begin_rollback);
PG_FUNCTION_INFO_V1(roll_back);
PG_FUNCTION_INFO_V1(abort_change);
PG_FUNCTION_INFO_V1(confirm_stability);
PG_FUNCTION_INFO_V1(close_change);
PG_FUNCTION_INFO_V1(revise);
PG_FUNCTION_INFO_V1(hold);
PG_FUNCTION_INFO_V1(resume);
PG_FUNCTION_INFO_V1(cancel);
PG_FUNCTION_INFO_V1(advance);
PG_FUNCTION_INFO_V1(change_state);

#define MAX_VERB_COLUMNS 8

/*
 * A verb as a function: change_id, one argument for each column, and
 * expected_revision.  A null argument leaves its column as it is, but
 * status_reason, which belongs to the step.
 */
typedef struct VerbFunction
{
	Verb		verb;
	int			count;
	ChangeColumn columns[MAX_VERB_COLUMNS];
	KeptPlan	update;
} VerbFunction;

/* The columns that a verb writes, beside the status, and with which values. */
typedef struct VerbValues
{
	Datum		value[MAX_VERB_COLUMNS];
	bool		isnull[MAX_VERB_COLUMNS];
} VerbValues;

#define NO_PLAN {NULL, 0, {0}, NULL}

static VerbFunction verb_functions[] = {
	{VERB_TRIAGE, 6, {CH_coordinator_id, CH_owner_id, CH_team_id, CH_priority,
	CH_rough_estimate_hours, CH_promised_at}, NO_PLAN},
	{VERB_PLAN, 0, {0}, NO_PLAN},
	{VERB_SUBMIT, 0, {0}, NO_PLAN},
	{VERB_SCHEDULE, 2, {CH_planned_start, CH_planned_end}, NO_PLAN},
	{VERB_RESCHEDULE, 2, {CH_planned_start, CH_planned_end}, NO_PLAN},
	{VERB_START, 1, {CH_actual_start}, NO_PLAN},
	{VERB_COMPLETE, 1, {CH_deployed_at}, NO_PLAN},
	{VERB_RESUME_WORK, 1, {CH_status_reason}, NO_PLAN},
	{VERB_PASS, 2, {CH_status_reason, CH_outcome}, NO_PLAN},
	{VERB_FAIL, 3, {CH_status_reason, CH_remediation, CH_outcome}, NO_PLAN},
	{VERB_BEGIN_ROLLBACK, 1, {CH_rollback_started_at}, NO_PLAN},
	{VERB_ROLL_BACK, 3, {CH_status_reason, CH_cause_class, CH_rolled_back_at},
	NO_PLAN},
	{VERB_ABORT, 1, {CH_status_reason}, NO_PLAN},
	{VERB_CONFIRM_STABILITY, 1, {CH_stability_confirmed_by_id}, NO_PLAN},
	{VERB_CLOSE, 1, {CH_status_reason}, NO_PLAN},
	{VERB_REVISE, 1, {CH_status_reason}, NO_PLAN},
	{VERB_HOLD, 2, {CH_status_reason, CH_on_hold}, NO_PLAN},
	{VERB_RESUME, 2, {CH_status_reason, CH_on_hold}, NO_PLAN},
	{VERB_CANCEL, 1, {CH_status_reason}, NO_PLAN},
	{VERB_APPROVE, 0, {0}, NO_PLAN},
	{VERB_REJECT, 1, {CH_status_reason}, NO_PLAN},
	{VERB_DEFER, 1, {CH_status_reason}, NO_PLAN},
};

static VerbFunction *
verb_function(Verb verb)
{
	for (size_t i = 0; i < lengthof(verb_functions); i++)
		if (verb_functions[i].verb == verb)
			return &verb_functions[i];
	elog(ERROR, "verb %s has no function", verb_name(verb));
}

/*
 * Write the UPDATE of a verb from its columns, once, and again after an upgrade
 * brought new ones.
 */
static void
verb_prepare(VerbFunction *function, const ChangeRow *row)
{
	static int	columns = 0;
	StringInfoData sql;

	if (columns != change_column_number())
	{
		for (size_t i = 0; i < lengthof(verb_functions); i++)
		{
			verb_functions[i].update.sql = NULL;
			verb_functions[i].update.plan = NULL;
		}
		columns = change_column_number();
	}
	if (function->update.sql)
		return;
	initStringInfo(&sql);
	appendStringInfoString(&sql, "UPDATE changemgmt.change AS change_row SET status = $2");
	function->update.argtypes[0] = INT8OID;
	function->update.argtypes[1] = TEXTOID;
	for (int i = 0; i < function->count; i++)
	{
		ChangeColumn column = function->columns[i];
		const char *name = change_column_names[column];

		if (!change_column_exists(column))
		{
			/* never looked at */
			function->update.argtypes[i + 2] = INT8OID;
			continue;
		}
		if (column == CH_status_reason)
			appendStringInfo(&sql, ", %s = $%d", name, i + 3);
		else
			appendStringInfo(&sql, ", %s = COALESCE($%d, %s)", name, i + 3,
							 name);
		function->update.argtypes[i + 2] =
			TupleDescAttr(row->desc, change_column_attnum(column) - 1)->atttypid;
	}
	appendStringInfoString(&sql,
						   " WHERE id OPERATOR(pg_catalog.=) $1 RETURNING change_row");
	function->update.nargs = function->count + 2;
	function->update.sql = MemoryContextStrdup(TopMemoryContext, sql.data);
}

/* Whether all that a call gives is what the row holds. */
static bool
values_stored(const VerbFunction *function, const VerbValues *values,
			  const ChangeRow *row)
{
	ChangeRow	given = *row;

	for (int i = 0; i < function->count; i++)
	{
		if (values->isnull[i])
			continue;
		given.value[function->columns[i]] = values->value[i];
		given.isnull[function->columns[i]] = false;
		if (!change_column_equal(&given, row, function->columns[i]))
			return false;
	}
	return true;
}

/*
 * Whether the change stands where this verb has led it.  Verbs that change
 * no status repeat themselves by their values.
 */
static bool
verb_was_taken(Verb verb, const ChangeModel *model, const ChangeRow *row)
{
	Status		status = change_status(row);

	if (verb == VERB_HOLD)
		return change_bool(row, on_hold);
	if (verb == VERB_FAIL && change_outcome(row) != OUTCOME_FAILED)
		return false;
	if (verb == VERB_PASS && change_outcome(row) == OUTCOME_FAILED)
		return false;
	if ((verb == VERB_ABORT || verb == VERB_CANCEL) &&
		(verb == VERB_ABORT) != (change_outcome(row) == OUTCOME_NOT_IMPLEMENTED))
		return false;
	for (int from = 0; from < STATUS_COUNT; from++)
		if (from != (int) status &&
			(model_verbs(model, from, false) & VERB_BIT(verb)) &&
			(model_verb_target(model, verb, from, false) == status ||
			 model_verb_target(model, verb, from, true) == status))
			return true;
	return false;
}

/*
 * Take a step on a change that is locked; row becomes what it is then.
 * Needs an SPI connection.
 */
static void
verb_take(ChangeRow *row, Verb verb, const VerbValues *values)
{
	VerbFunction *function = verb_function(verb);
	const ChangeModel *model = lifecycle_model(row);
	Status		from = change_status(row);
	uint32		verbs = model_verbs(model, from, change_bool(row, on_hold));
	VerbCall	call;
	VerbCall   *save = verb_call;
	Datum		arguments[MAX_VERB_COLUMNS + 2];
	char		nulls[MAX_VERB_COLUMNS + 2];
	Status		to;

	if (!(verbs & VERB_BIT(verb)) ||
		(verb == VERB_FAIL && change_outcome(row) == OUTCOME_FAILED) ||
		(verb == VERB_PASS && from == STATUS_IMPLEMENTED &&
		 (values->isnull[0] || values_stored(function, values, row) ||
		  !lifecycle_pass_again(model, row))))
	{
		/* a plan that was edited since its pre-approval is not submitted */
		if (verb_was_taken(verb, model, row) &&
			values_stored(function, values, row) &&
			!(verb == VERB_SUBMIT && from == STATUS_APPROVED &&
			  !lifecycle_seal_fresh(model, row)))
			return;
		if (verb == VERB_RESUME && !change_bool(row, on_hold) &&
			values_stored(function, values, row))
			return;
		transition_illegal(row, model, verb_name(verb));
	}

	to = model_verb_target(model, verb, from,
						   !change_is_null(row, scheduled_at));
	/* it goes on under the latest version of its model, and with its checklist */
	if (verb == VERB_SUBMIT && from == STATUS_PLANNED)
		(void) checklist_add(row);
	verb_prepare(function, row);
	arguments[0] = row->value[CH_id];
	arguments[1] = CStringGetTextDatum(status_code(to));
	nulls[0] = nulls[1] = ' ';
	call.change_id = change_id_of(row);
	call.verb = verb;
	call.reason_given = false;
	call.done = false;
	for (int i = 0; i < function->count; i++)
	{
		arguments[i + 2] = values->value[i];
		nulls[i + 2] = values->isnull[i] ? 'n' : ' ';
		if (function->columns[i] == CH_status_reason && !values->isnull[i])
			call.reason_given = true;
	}

	verb_call = &call;
	PG_TRY();
	{
		kept_plan_execute_input(&function->update, arguments, nulls, 0);
	}
	PG_FINALLY();
	{
		verb_call = save;
	}
	PG_END_TRY();
	kept_plan_require_row(&function->update,
						  psprintf("the %s of change " INT64_FORMAT,
								   verb_name(verb), call.change_id));
	change_row_result(row);
	/* the judge has touched its parts */
	if (verb == VERB_RESUME_WORK)
		(void) change_read(row, call.change_id, false);
}

/* A step that takes at most a reason; not for verbs that need more. */
void
lifecycle_take(ChangeRow *row, Verb verb, const char *reason)
{
	VerbFunction *function = verb_function(verb);
	VerbValues	values;

	for (int i = 0; i < MAX_VERB_COLUMNS; i++)
		values.isnull[i] = true;
	if (reason && function->count > 0 &&
		function->columns[0] == CH_status_reason)
	{
		values.value[0] = CStringGetTextDatum(reason);
		values.isnull[0] = false;
	}
	verb_take(row, verb, &values);
}

void
lifecycle_open(ChangeRow *row, FunctionCallInfo fcinfo,
			   int expected_revision_argument)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("the change is null"),
				 errhint("Verbs take the id of a change; changemgmt.change_id(number) gives it.")));
	change_find(row, PG_GETARG_INT64(0), true);
	lifecycle_expect(row, fcinfo, expected_revision_argument);
}

void
lifecycle_expect(const ChangeRow *row, FunctionCallInfo fcinfo,
				 int expected_revision_argument)
{
	if (expected_revision_argument < PG_NARGS() &&
		!PG_ARGISNULL(expected_revision_argument) &&
		PG_GETARG_INT64(expected_revision_argument) !=
		change_int64(row, revision))
		ereport(ERROR,
				(errcode(ERRCODE_MC_CHANGE_MOVED_ON), err_as_caller(),
				 errmsg("%s has moved on: it is at revision " INT64_FORMAT ", not " INT64_FORMAT,
						change_number_text(change_id_of(row)),
						change_int64(row, revision),
						PG_GETARG_INT64(expected_revision_argument)),
				 errhint("Read the change again, and decide on what it is now.")));
}

static DueNext registered_due = NULL;

void
lifecycle_register_due(DueNext due)
{
	registered_due = due;
}

/* What the status waits for, in words; NULL where it waits for nothing. */
static char *
status_due(const ChangeModel *model, const ChangeRow *row, bool owes)
{
	Outcome		outcome = change_outcome(row);

	switch (change_status(row))
	{
		case STATUS_AWAITING_APPROVAL:
			return pstrdup("decision");
		case STATUS_APPROVED:
			return pstrdup(model->books_window ? "schedule" : "start");
		case STATUS_SCHEDULED:
			if (change_is_null(row, planned_start))
				return pstrdup("start");
			return psprintf("start from %s",
							timestamptz_to_str(change_time(row, planned_start)));
		case STATUS_VERIFYING:
			return pstrdup("verification");
		case STATUS_IMPLEMENTED:
			if (outcome == OUTCOME_FAILED)
				return pstrdup(change_is_null(row, stability_confirmed_at) ?
							   "confirmation of stability" : "close");
			if (owes)
				return NULL;
			if (!change_is_null(row, deployed_at) && model->validations)
				return psprintf("validation until %s",
								timestamptz_to_str(change_time(row, deployed_at) +
												   (model->validations & STAGE_7_DAYS ? 7 : 1) * USECS_PER_DAY));
			return pstrdup("close");
		case STATUS_ROLLED_BACK:
			return pstrdup(change_is_null(row, stability_confirmed_at) ?
						   "confirmation of stability" : "close");
		default:
			return NULL;
	}
}

bool
lifecycle_pass_again(const ChangeModel *model, const ChangeRow *row)
{
	Outcome		outcome = change_outcome(row);

	return change_status(row) == STATUS_IMPLEMENTED &&
		(outcome == OUTCOME_SUCCESSFUL ||
		 outcome == OUTCOME_SUCCESSFUL_WITH_ISSUES) &&
		model->issues_despite_failed_check &&
		checks_went_wrong(change_id_of(row));
}

/* What is due next, in words; NULL where nothing is. */
static char *
due_text(const ChangeModel *model, const ChangeRow *row)
{
	char	   *duty = registered_due ? registered_due(row) : NULL;
	char	   *status = status_due(model, row, duty != NULL);

	return duty && status ? psprintf("%s, %s", status, duty) :
		duty ? duty : status;
}

uint32
lifecycle_verbs(const ChangeModel *model, const ChangeRow *row)
{
	uint32		verbs = model_verbs(model, change_status(row),
									change_bool(row, on_hold));
	Outcome		outcome = change_outcome(row);

	/* there is stability to confirm after a failure, and once */
	if ((outcome != OUTCOME_FAILED && outcome != OUTCOME_ROLLED_BACK) ||
		!change_is_null(row, stability_confirmed_at))
		verbs &= ~VERB_BIT(VERB_CONFIRM_STABILITY);
	if (outcome == OUTCOME_FAILED)
		verbs &= ~VERB_BIT(VERB_FAIL);
	if (change_status(row) == STATUS_IMPLEMENTED &&
		!lifecycle_pass_again(model, row))
		verbs &= ~VERB_BIT(VERB_PASS);
	if (!change_is_null(row, rollback_started_at))
		verbs &= ~VERB_BIT(VERB_BEGIN_ROLLBACK);
	/* nothing sealed was touched since the approval */
	if (!change_is_null(row, approved_plan_revision) &&
		change_int64(row, approved_plan_revision) ==
		change_int64(row, plan_revision))
		verbs &= ~VERB_BIT(VERB_SUBMIT);
	return verbs;
}

Datum
lifecycle_state(const ChangeRow *row)
{
	static const char *const type_name = "change_state";
	const ChangeModel *model = lifecycle_model(row);
	uint32		verbs = lifecycle_verbs(model, row);
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum(type_name),
									   ObjectIdGetDatum(schema_oid()));
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	StringInfoData next;
	Datum		values[7];
	bool		isnull[7] = {false};
	char	   *due = due_text(model, row);
	HeapTuple	tuple;
	Datum		result;

	initStringInfo(&next);
	for (int v = VERB_TRIAGE; v < VERB_COUNT; v++)
		if (verbs & VERB_BIT(v))
			text_list_add(&next, verb_name(v));
	values[0] = row->value[CH_id];
	values[1] = CStringGetTextDatum(change_number_text(change_id_of(row)));
	values[2] = row->value[CH_status];
	values[3] = row->value[CH_outcome];
	isnull[3] = row->isnull[CH_outcome];
	values[4] = CStringGetTextDatum(next.data);
	isnull[5] = due == NULL;
	values[5] = due ? CStringGetTextDatum(due) : (Datum) 0;
	values[6] = row->value[CH_revision];
	tuple = heap_form_tuple(desc, values, isnull);
	/* out of the SPI context */
	result = PointerGetDatum(SPI_returntuple(tuple, desc));
	ReleaseTupleDesc(desc);
	return result;
}

/* A verb whose arguments are its columns. */
static Datum
verb_call_plain(FunctionCallInfo fcinfo, Verb verb)
{
	VerbFunction *function = verb_function(verb);
	VerbValues	values;
	ChangeRow	row;
	Datum		result;

	SPI_connect();
	lifecycle_open(&row, fcinfo, function->count + 1);
	for (int i = 0; i < function->count; i++)
	{
		values.isnull[i] = PG_ARGISNULL(i + 1);
		values.value[i] = PG_GETARG_DATUM(i + 1);
	}
	verb_take(&row, verb, &values);
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

static Datum
text_or_null(FunctionCallInfo fcinfo, int argument, bool *isnull)
{
	*isnull = argument >= PG_NARGS() || PG_ARGISNULL(argument);
	return *isnull ? (Datum) 0 : PG_GETARG_DATUM(argument);
}

#define PLAIN_VERB(name, verb) \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	return verb_call_plain(fcinfo, verb); \
}

PLAIN_VERB(plan, VERB_PLAN)
PLAIN_VERB(submit, VERB_SUBMIT)
PLAIN_VERB(schedule, VERB_SCHEDULE)
PLAIN_VERB(reschedule, VERB_RESCHEDULE)
PLAIN_VERB(start, VERB_START)
PLAIN_VERB(complete, VERB_COMPLETE)
PLAIN_VERB(resume_work, VERB_RESUME_WORK)
PLAIN_VERB(roll_back, VERB_ROLL_BACK)
PLAIN_VERB(abort_change, VERB_ABORT)
PLAIN_VERB(close_change, VERB_CLOSE)
PLAIN_VERB(revise, VERB_REVISE)
PLAIN_VERB(cancel, VERB_CANCEL)

/* triage(change_id, coordinator, owner, team, priority, hours, promised_at) */
Datum
triage(PG_FUNCTION_ARGS)
{
	VerbValues	values;
	ChangeRow	row;
	Datum		result;

	SPI_connect();
	lifecycle_open(&row, fcinfo, 7);
	for (int i = 0; i < 6; i++)
	{
		values.isnull[i] = PG_ARGISNULL(i + 1);
		values.value[i] = PG_GETARG_DATUM(i + 1);
	}
	/* people and teams are given by their names */
	for (int i = 0; i < 2; i++)
		if (!values.isnull[i])
			values.value[i] = DirectFunctionCall1(person_id, values.value[i]);
	if (!values.isnull[2])
		values.value[2] = DirectFunctionCall1(team_id, values.value[2]);
	if (values.isnull[0] && change_is_null(&row, coordinator_id))
	{
		values.value[0] = Int64GetDatum(actor_person());
		values.isnull[0] = actor_person() == 0;
	}
	if (values.isnull[0] && change_is_null(&row, coordinator_id))
	{
		/* an UPDATE that changes nothing would not be judged */
		Transition	t = {0};

		t.model = lifecycle_model(&row);
		t.verb = VERB_TRIAGE;
		t.old = t.row = &row;
		t.now = GetCurrentTimestamp();
		transition_require(&t);
	}
	verb_take(&row, VERB_TRIAGE, &values);
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

#define EVIDENCE_TITLE "evidence given with pass"

static bool
evidence_is_recorded(const ChangeRow *row, Datum evidence)
{
	static KeptPlan find = {
		"SELECT FROM changemgmt.change_check"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND title OPERATOR(pg_catalog.=) '" EVIDENCE_TITLE "'"
		" AND observed OPERATOR(pg_catalog.=) $2",
		2, {INT8OID, TEXTOID}, NULL
	};
	Datum		arguments[2];

	arguments[0] = row->value[CH_id];
	arguments[1] = evidence;
	kept_plan_execute(&find, arguments, NULL, 1);
	return SPI_processed > 0;
}

/* Record what was seen as a check of its own that passed. */
static void
evidence_record(const ChangeRow *row, Datum evidence)
{
	static KeptPlan insert = {
		"INSERT INTO changemgmt.change_check"
		" (change_id, title, is_required, observed, passed)"
		" VALUES ($1, '" EVIDENCE_TITLE "', false, $2, true)",
		2, {INT8OID, TEXTOID}, NULL
	};
	Datum		arguments[2];

	arguments[0] = row->value[CH_id];
	arguments[1] = evidence;
	kept_plan_execute(&insert, arguments, NULL, 0);
}

static void
pass_take(ChangeRow *row, Datum evidence, bool no_evidence, Datum issues,
		  bool no_issues)
{
	VerbValues	values;

	values.value[0] = issues;
	values.isnull[0] = no_issues;
	values.value[1] = no_issues ? (Datum) 0 :
		CStringGetTextDatum(outcome_code(OUTCOME_SUCCESSFUL_WITH_ISSUES));
	values.isnull[1] = no_issues;
	if (!no_evidence)
	{
		if (change_status(row) == STATUS_VERIFYING ||
			(!no_issues && !evidence_is_recorded(row, evidence) &&
			 lifecycle_pass_again(lifecycle_model(row), row)))
			evidence_record(row, evidence);
		else if (!evidence_is_recorded(row, evidence))
			transition_illegal(row, lifecycle_model(row), verb_name(VERB_PASS));
	}
	verb_take(row, VERB_PASS, &values);
}

/* pass(change_id, evidence, issues, expected_revision) */
Datum
pass(PG_FUNCTION_ARGS)
{
	ChangeRow	row;
	Datum		result;
	bool		no_evidence;
	bool		no_issues;
	Datum		evidence = text_or_null(fcinfo, 1, &no_evidence);
	Datum		issues = text_or_null(fcinfo, 2, &no_issues);

	SPI_connect();
	lifecycle_open(&row, fcinfo, 3);
	pass_take(&row, evidence, no_evidence, issues, no_issues);
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

/* fail(change_id, reason, remediation, expected_revision) */
Datum
fail(PG_FUNCTION_ARGS)
{
	ChangeRow	row;
	VerbValues	values;
	Datum		result;

	values.value[0] = text_or_null(fcinfo, 1, &values.isnull[0]);
	values.value[1] = text_or_null(fcinfo, 2, &values.isnull[1]);
	values.value[2] = CStringGetTextDatum(outcome_code(OUTCOME_FAILED));
	values.isnull[2] = false;
	SPI_connect();
	lifecycle_open(&row, fcinfo, 3);
	verb_take(&row, VERB_FAIL, &values);
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

/* begin_rollback(change_id, at, expected_revision) */
Datum
begin_rollback(PG_FUNCTION_ARGS)
{
	ChangeRow	row;
	VerbValues	values;
	Datum		result;

	SPI_connect();
	lifecycle_open(&row, fcinfo, 2);
	values.isnull[0] = false;
	if (!PG_ARGISNULL(1))
		values.value[0] = PG_GETARG_DATUM(1);
	else if (!change_is_null(&row, rollback_started_at))
		values.value[0] = row.value[CH_rollback_started_at];
	else
		values.value[0] = TimestampTzGetDatum(GetCurrentTimestamp());
	verb_take(&row, VERB_BEGIN_ROLLBACK, &values);
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

/* confirm_stability(change_id, expected_revision) */
Datum
confirm_stability(PG_FUNCTION_ARGS)
{
	ChangeRow	row;
	VerbValues	values;
	Datum		result;

	SPI_connect();
	lifecycle_open(&row, fcinfo, 1);
	if (change_is_null(&row, stability_confirmed_at) ||
		!(model_verbs(lifecycle_model(&row), change_status(&row), false) &
		  VERB_BIT(VERB_CONFIRM_STABILITY)))
	{
		values.value[0] = Int64GetDatum(actor_person_required());
		values.isnull[0] = false;
		verb_take(&row, VERB_CONFIRM_STABILITY, &values);
	}
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

static Datum
hold_or_resume(FunctionCallInfo fcinfo, Verb verb)
{
	ChangeRow	row;
	VerbValues	values;
	Datum		result;

	values.value[0] = text_or_null(fcinfo, 1, &values.isnull[0]);
	values.value[1] = BoolGetDatum(verb == VERB_HOLD);
	values.isnull[1] = false;
	SPI_connect();
	lifecycle_open(&row, fcinfo, 2);
	verb_take(&row, verb, &values);
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

/* hold(change_id, reason, expected_revision) */
Datum
hold(PG_FUNCTION_ARGS)
{
	return hold_or_resume(fcinfo, VERB_HOLD);
}

/* resume(change_id, reason, expected_revision) */
Datum
resume(PG_FUNCTION_ARGS)
{
	return hold_or_resume(fcinfo, VERB_RESUME);
}

/* change_state(change_id): the row that verbs return, without a step. */
Datum
change_state(PG_FUNCTION_ARGS)
{
	ChangeRow	row;
	Datum		result;

	SPI_connect();
	change_find(&row, PG_GETARG_INT64(0), false);
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

/* ----------------------------------------------------------------
 * advance
 * ---------------------------------------------------------------- */

/*
 * The verb that leads from one status towards another by the way that a
 * change goes when all goes well; VERB_NONE where there is no such way.
 */
static Verb
verb_towards(const ChangeModel *model, Status from, Status to)
{
	static const Verb forward[] = {
		VERB_PLAN, VERB_SUBMIT, VERB_APPROVE, VERB_SCHEDULE, VERB_START,
		VERB_COMPLETE, VERB_PASS, VERB_CLOSE
	};
	bool		reached[STATUS_COUNT] = {false};
	Verb		first[STATUS_COUNT] = {VERB_NONE};
	bool		more = true;

	reached[from] = true;
	while (more && !reached[to])
	{
		more = false;
		for (int s = 0; s < STATUS_COUNT; s++)
		{
			uint32		verbs;

			if (!reached[s] || (s != (int) from && first[s] == VERB_NONE))
				continue;
			verbs = model_verbs(model, s, false);
			for (size_t i = 0; i < lengthof(forward); i++)
			{
				Status		next;

				if (!(verbs & VERB_BIT(forward[i])))
					continue;
				next = model_verb_target(model, forward[i], s, false);
				/* submitting again is no way forward */
				if (forward[i] == VERB_SUBMIT && s != STATUS_PLANNED)
					continue;
				if (reached[next])
					continue;
				reached[next] = true;
				first[next] = s == (int) from ? forward[i] : first[s];
				more = true;
			}
		}
	}
	return reached[to] ? first[to] : VERB_NONE;
}

/* advance(change_id, to_status, reason, evidence, expected_revision) */
Datum
advance(PG_FUNCTION_ARGS)
{
	ChangeRow	row;
	Status		to;
	Datum		result;
	char	   *code;
	bool		no_reason;
	bool		no_evidence;
	Datum		reason = text_or_null(fcinfo, 2, &no_reason);
	Datum		evidence = text_or_null(fcinfo, 3, &no_evidence);

	code = PG_ARGISNULL(1) ? pstrdup("null") :
		text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (!status_parse(code, &to))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("\"%s\" is not a status", code),
				 errhint("SELECT code FROM changemgmt.code_list() WHERE list = 'status' ORDER BY sort_order lists them.")));
	SPI_connect();
	lifecycle_open(&row, fcinfo, 4);
	while (change_status(&row) != to)
	{
		const ChangeModel *model = lifecycle_model(&row);
		Status		from = change_status(&row);
		Verb		verb = verb_towards(model, from, to);

		CHECK_FOR_INTERRUPTS();
		if (verb == VERB_NONE)
			verb = model_verb(model, from, to, OUTCOME_NONE);
		if (verb == VERB_NONE || change_bool(&row, on_hold))
			transition_illegal(&row, model, psprintf("advance to %s", code));
		if (verb == VERB_PASS)
		{
			pass_take(&row, evidence, no_evidence, (Datum) 0, true);
			continue;
		}
		lifecycle_take(&row, verb, no_reason ? NULL : TextDatumGetCString(reason));
	}
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}
