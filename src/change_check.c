/*-------------------------------------------------------------------------
 *
 * change_check.c
 *	  Verification: results of checks, and what numbers make of them.
 *
 * A check with a threshold takes a number, and whether it passed follows from
 * that; the number is its result in words, too.  A check without one takes what
 * somebody says.  Either way a row holds the latest result and the ledger the
 * earlier ones, so a result that is older than the one there is refused.
 *
 * A number that is bad trips a check that is a rollback trigger.  That stands,
 * whatever comes after, until the work begins anew.
 *
 * State: the change whose triggers are being cleared, while that lasts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "change.h"
#include "change_check.h"
#include "change_part.h"
#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(record_observation);
PG_FUNCTION_INFO_V1(record_signal);
PG_FUNCTION_INFO_V1(model_validations);

/* No measurement has more; bad_when compares what an attacker would make longer. */
#define NUMBER_LENGTH_MAX 100
/* What was seen before that says nothing of the service now. */
#define RESULT_DAYS_MAX 30

static int64 clearing_trips_of = 0;

/* The table of 1.0 has none of the columns for numbers. */
static bool
takes_numbers(TupleDesc desc)
{
	return SPI_fnumber(desc, "tripped_at") > 0;
}

static bool
has_threshold(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull = true;

	if (takes_numbers(desc))
		(void) part_value(tuple, desc, "threshold", &isnull);
	return !isnull;
}

/* Whether the value observed is on the wrong side of the threshold. */
static bool
observed_is_bad(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		value = part_value(tuple, desc, "observed_value", &isnull);
	Datum		threshold = part_value(tuple, desc, "threshold", &isnull);
	int			order = DatumGetInt32(DirectFunctionCall2(numeric_cmp, value,
														  threshold));

	return part_is(tuple, desc, "bad_when", "above") ? order > 0 : order < 0;
}

static Datum
observed_text(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		value = part_value(tuple, desc, "observed_value", &isnull);

	return CStringGetTextDatum(DatumGetCString(DirectFunctionCall1(numeric_out,
																   value)));
}

static void
number_check(HeapTuple tuple, Relation rel, const char *column)
{
	bool		isnull;
	Datum		value = part_value(tuple, RelationGetDescr(rel), column, &isnull);

	if (isnull)
		return;
	if (numeric_is_nan(DatumGetNumeric(value)))
		part_malformed(rel, column, "is not a number");
	if (numeric_is_inf(DatumGetNumeric(value)))
		part_malformed(rel, column, "is infinite");
	if (strlen(DatumGetCString(DirectFunctionCall1(numeric_out, value))) >
		NUMBER_LENGTH_MAX)
		part_malformed(rel, column,
					   psprintf("has more than %d digits", NUMBER_LENGTH_MAX));
}

/* Values that no check can have (MC008). */
void
check_values(HeapTuple tuple, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		no_value;
	bool		isnull;
	bool		answered = false;
	Datum		at = part_value(tuple, desc, "checked_at", &isnull);

	if (!isnull && TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(at)))
		part_malformed(rel, "checked_at", "is infinite");
	if (!takes_numbers(desc))
		return;
	answered = !isnull;
	(void) part_value(tuple, desc, "passed", &isnull);
	answered |= !isnull;

	(void) part_value(tuple, desc, "is_rollback_trigger", &isnull);
	if (isnull)
		part_malformed(rel, "is_rollback_trigger", "is null");
	number_check(tuple, rel, "baseline");
	number_check(tuple, rel, "threshold");
	number_check(tuple, rel, "observed_value");
	(void) part_value(tuple, desc, "bad_when", &isnull);
	if (isnull && has_threshold(tuple, desc))
		part_malformed(rel, "bad_when", "is needed with a threshold: above or below");
	if (!isnull && !has_threshold(tuple, desc))
		part_malformed(rel, "threshold", "is needed with bad_when");
	if (part_true(tuple, desc, "is_rollback_trigger") &&
		!has_threshold(tuple, desc))
		part_malformed(rel, "threshold", "is needed by a rollback trigger");

	(void) part_value(tuple, desc, "observed_value", &no_value);
	if (!no_value && !has_threshold(tuple, desc))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("check " INT64_FORMAT " has no threshold, and takes no number",
						part_id(tuple, desc, "id")),
				 errhint("changemgmt.record_check(check_id, passed, observed) says whether it passed."),
				 errtablecol(rel, SPI_fnumber(desc, "observed_value"))));
	if (no_value && answered && has_threshold(tuple, desc))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("check " INT64_FORMAT " has a threshold, and takes a number",
						part_id(tuple, desc, "id")),
				 errhint("changemgmt.record_observation(check_id, value) tells from it whether the check passed."),
				 errtablecol(rel, SPI_fnumber(desc, "observed_value"))));
}

/* ----------------------------------------------------------------
 * Before the row
 * ---------------------------------------------------------------- */

static bool
kept(HeapTuple old, HeapTuple new, TupleDesc desc, const char *column)
{
	bool		isnull;

	if (old)
		return part_equal(old, new, desc, column);
	(void) part_value(new, desc, column, &isnull);
	return isnull;
}

HeapTuple
check_stamp(HeapTuple old, HeapTuple new, TupleDesc desc, Status status)
{
	static const char *const result[] = {"passed", "observed", "observed_value",
	"checked_at", NULL};
	bool		isnull;
	bool		planned = old ? part_true(old, desc, "is_planned") :
		status < STATUS_IN_PROGRESS;

	new = part_set(new, desc, "is_planned", BoolGetDatum(planned), false);
	if (old && part_same(old, new, desc, result))
		return new;
	isnull = true;
	if (has_threshold(new, desc))
		(void) part_value(new, desc, "observed_value", &isnull);
	if (!isnull)
	{
		/* what follows from the number; what is given otherwise is judged */
		if (kept(old, new, desc, "passed"))
			new = part_set(new, desc, "passed",
						   BoolGetDatum(!observed_is_bad(new, desc)), false);
		if (kept(old, new, desc, "observed"))
			new = part_set(new, desc, "observed", observed_text(new, desc), false);
	}
	part_value(new, desc, "passed", &isnull);
	if (isnull)
		return new;
	if (kept(old, new, desc, "checked_by_id"))
		new = part_stamp_actor(new, desc, "checked_by_id");
	else
	{
		part_value(new, desc, "checked_by_id", &isnull);
		if (isnull)
			new = part_stamp_actor(new, desc, "checked_by_id");
	}
	part_value(new, desc, "checked_at", &isnull);
	if (isnull || (old && part_equal(old, new, desc, "checked_at")))
		new = part_set(new, desc, "checked_at",
					   TimestampTzGetDatum(GetCurrentTimestamp()), false);
	if (has_threshold(new, desc) &&
		part_true(new, desc, "is_rollback_trigger") &&
		observed_is_bad(new, desc) && kept(old, new, desc, "tripped_at"))
	{
		part_value(new, desc, "tripped_at", &isnull);
		if (isnull)
			new = part_set(new, desc, "tripped_at",
						   part_value(new, desc, "checked_at", &isnull), false);
	}
	return new;
}

/* ----------------------------------------------------------------
 * After the row
 * ---------------------------------------------------------------- */

/* Results come when there is something to see, and in their order. */
static void
result_time_judge(int64 change_id, Status status, TimestampTz at,
				  TimestampTz begun, TimestampTz taken_back, Relation rel)
{
	if (status < STATUS_IN_PROGRESS || status_is_over(status))
		progress_error("there is nothing to verify", change_id,
					   status_code(status),
					   "Checks are recorded from start until close.");
	if (at > taken_back)
		progress_error("there is nothing to verify any more", change_id,
					   status_code(status),
					   "What was seen before it was rolled back can be recorded, with its time; that the service is stable says changemgmt.confirm_stability().");
	if (at > GetCurrentTimestamp())
		part_malformed(rel, "checked_at", "lies in the future");
	if (at < begun)
		part_malformed(rel, "checked_at", "lies before the work began");
	if (at < GetCurrentTimestamp() - RESULT_DAYS_MAX * USECS_PER_DAY)
		part_malformed(rel, "checked_at",
					   psprintf("lies more than %d days back", RESULT_DAYS_MAX));
}

/* A number is the whole of its result. */
static void
number_judge(const PartEdit *edit, TupleDesc desc, Relation rel)
{
	bool		isnull;
	Datum		passed = part_value(edit->new, desc, "passed", &isnull);
	char	   *observed = SPI_getvalue(edit->new, desc,
										SPI_fnumber(desc, "observed"));

	if (DatumGetBool(passed) != !observed_is_bad(edit->new, desc) ||
		observed == NULL ||
		strcmp(observed, TextDatumGetCString(observed_text(edit->new, desc))) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("the result of check " INT64_FORMAT " follows from the number observed",
						part_id(edit->new, desc, "id")),
				 errhint("changemgmt.record_observation(check_id, value) takes a number, and what there is to say of it goes into a comment."),
				 errtable(rel)));
}

/* tripped_at is the engine's. */
static void
trip_judge(const PartEdit *edit, TupleDesc desc, Relation rel, bool is_result)
{
	bool		was_null = true;
	bool		isnull;
	bool		good;
	Datum		at = part_value(edit->new, desc, "tripped_at", &isnull);

	if (edit->old)
		(void) part_value(edit->old, desc, "tripped_at", &was_null);
	if (!was_null)
		good = part_equal(edit->old, edit->new, desc, "tripped_at") ||
			(isnull && clearing_trips_of == edit->change_id);
	else if (is_result && has_threshold(edit->new, desc) &&
			 part_true(edit->new, desc, "is_rollback_trigger") &&
			 observed_is_bad(edit->new, desc))
	{
		bool		no_time;

		good = !isnull && DatumGetTimestampTz(at) ==
			DatumGetTimestampTz(part_value(edit->new, desc, "checked_at",
										   &no_time));
	}
	else
		good = isnull;
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("tripped_at of a check is not written by hand"),
				 errhint("A value observed writes it, and changemgmt.resume_work() empties it."),
				 errtablecol(rel, SPI_fnumber(desc, "tripped_at"))));
}

void
check_judge(const PartEdit *edit, TupleDesc desc, Relation rel, Status status,
			TimestampTz begun, TimestampTz taken_back)
{
	static const char *const result[] = {"passed", "observed", "observed_value",
	"checked_at", NULL};
	static const char *const who[] = {"checked_by_id", NULL};
	static const char *const asked[] = {"kind", "stage", "title", "expected",
		"is_required", "signal", "baseline", "threshold", "bad_when",
	"is_rollback_trigger", NULL};
	bool		had_result = false;
	bool		has_result = false;
	bool		is_result;
	bool		isnull;
	TimestampTz at;

	if (edit->old)
	{
		part_value(edit->old, desc, "passed", &isnull);
		had_result = !isnull;
	}
	if (edit->new)
	{
		part_value(edit->new, desc, "passed", &isnull);
		has_result = !isnull;
	}
	if (edit->new && had_result && !has_result)
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
				 errmsg("evidence is not taken away"),
				 errhint("changemgmt.record_check() records a later result of the same check.")));
	if (edit->new == NULL)
	{
		if (status >= STATUS_IN_PROGRESS)
			ereport(ERROR,
					(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
					 errmsg("evidence is not deleted"),
					 errhint("changemgmt.record_check() records a later result of the same check.")));
		return;
	}
	if (edit->old ?
		part_true(edit->old, desc, "is_planned") != part_true(edit->new, desc, "is_planned") :
		part_true(edit->new, desc, "is_planned") != (status < STATUS_IN_PROGRESS))
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("is_planned of a check is not written by hand"),
				 errhint("Leave the column out: it is filled in."),
				 errtablecol(rel, SPI_fnumber(desc, "is_planned"))));
	/* what was asked stays beside the answer */
	if (edit->old && (had_result || status_is_over(status)) &&
		!part_same(edit->old, edit->new, desc, asked))
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("what a check asked for stays once %s",
						had_result ? "it has a result" : "its change is over"),
				 errhint("Add a check of your own: changemgmt.add_check()."),
				 errtable(rel)));
	if (edit->old == NULL && status_is_over(status))
		progress_error("nothing is verified any more", edit->change_id,
					   status_code(status), "Say in a comment what was found.");
	is_result = has_result &&
		!(edit->old && part_same(edit->old, edit->new, desc, result));
	if (takes_numbers(desc))
		trip_judge(edit, desc, rel, is_result);
	if (edit->old && part_same(edit->old, edit->new, desc, result))
	{
		edit_check_fixed(edit, desc, rel, who);
		return;
	}
	if (!has_result)
	{
		if (!part_blank(edit->new, desc, "observed"))
			part_malformed(rel, "passed", "is null: what was observed is right or not");
		(void) part_value(edit->new, desc, "checked_at", &isnull);
		if (!isnull)
			part_malformed(rel, "checked_at", "is given, and there is no result");
		(void) part_value(edit->new, desc, "checked_by_id", &isnull);
		if (!isnull)
			part_malformed(rel, "checked_by_id", "is given, and there is no result");
		return;
	}

	at = DatumGetTimestampTz(part_value(edit->new, desc, "checked_at", &isnull));
	/* what somebody says after a rollback is said of what is there then */
	result_time_judge(edit->change_id, status, at, begun,
					  has_threshold(edit->new, desc) ? taken_back : DT_NOEND,
					  rel);
	edit_check_person(edit, desc, rel, "checked_by_id");
	if (has_threshold(edit->new, desc))
		number_judge(edit, desc, rel);
	if (had_result)
	{
		TimestampTz before = DatumGetTimestampTz(part_value(edit->old, desc,
															"checked_at",
															&isnull));

		if (!isnull && at < before)
			part_malformed(rel, "checked_at",
						   psprintf("lies before the latest result, which is of %s",
									timestamptz_to_str(before)));
	}
}

/* ----------------------------------------------------------------
 * What trips mean for the change
 * ---------------------------------------------------------------- */

/* The triggers that tripped, as a list; NULL where none did. */
static char *
tripped_checks(const ChangeRow *row)
{
	static KeptPlan plan = {
		"SELECT id, title, tripped_at FROM changemgmt.change_check"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND tripped_at IS NOT NULL ORDER BY id",
		1, {INT8OID}, NULL
	};
	Datum		argument = row->value[CH_id];
	StringInfoData buf;

	if (!column_exists("change_check", "tripped_at"))
		return NULL;
	initStringInfo(&buf);
	kept_plan_execute(&plan, &argument, NULL, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
		text_list_add(&buf, psprintf("check %s \"%s\" tripped the rollback at %s",
									 SPI_getvalue(SPI_tuptable->vals[i],
												  SPI_tuptable->tupdesc, 1),
									 SPI_getvalue(SPI_tuptable->vals[i],
												  SPI_tuptable->tupdesc, 2),
									 SPI_getvalue(SPI_tuptable->vals[i],
												  SPI_tuptable->tupdesc, 3)));
	SPI_freetuptable(SPI_tuptable);
	return buf.len > 0 ? buf.data : NULL;
}

/*
 * Whether somebody passed the change after its triggers tripped, which then is
 * with issues.  The trail knows the order: a value can be reported late, and is
 * of its own time.
 */
static bool
trips_are_explained(const ChangeRow *row)
{
	static KeptPlan plan = {
		"SELECT pg_catalog.max(sequence) FILTER (WHERE event OPERATOR(pg_catalog.=) 'pass')"
		" OPERATOR(pg_catalog.>) pg_catalog.max(sequence) FILTER (WHERE"
		"  pg_catalog.jsonb_path_exists(changed, '$.change_check[*].changed.tripped_at')"
		"  OR pg_catalog.jsonb_path_exists(changed, '$.change_check[*].new.tripped_at')),"
		" pg_catalog.bool_or(pg_catalog.jsonb_path_exists(changed, '$.change_check[*].*.tripped_at'))"
		" FROM changemgmt.ledger"
		" WHERE subject_kind OPERATOR(pg_catalog.=) 'change'"
		" AND subject_id OPERATOR(pg_catalog.=) $1"
		" AND (event OPERATOR(pg_catalog.=) 'pass'"
		"  OR changed OPERATOR(pg_catalog.?) 'change_check')",
		1, {INT8OID}, NULL
	};
	Datum		argument = row->value[CH_id];
	bool		no_order;
	bool		isnull;
	bool		explained;
	bool		recorded;

	kept_plan_execute(&plan, &argument, NULL, 0);
	explained = DatumGetBool(spi_first_value(1, &no_order)) && !no_order;
	recorded = DatumGetBool(spi_first_value(2, &isnull)) && !isnull;
	SPI_freetuptable(SPI_tuptable);
	return explained || !recorded;
}

static char *
check_rollback_trigger_clear(const Transition *t)
{
	Outcome		outcome = change_outcome(t->row);
	char	   *tripped;

	if (t->verb == VERB_CLOSE && outcome != OUTCOME_SUCCESSFUL &&
		outcome != OUTCOME_SUCCESSFUL_WITH_ISSUES)
		return NULL;
	tripped = tripped_checks(t->row);
	if (tripped == NULL)
		return NULL;
	if (outcome == OUTCOME_SUCCESSFUL_WITH_ISSUES && !t->thought_of &&
		t->verb == VERB_PASS && t->model->issues_despite_failed_check)
		return NULL;			/* and the requirement reason asks why */
	if (outcome == OUTCOME_SUCCESSFUL_WITH_ISSUES && t->verb == VERB_CLOSE &&
		trips_are_explained(t->row))
		return NULL;
	return tripped;
}

static const Requirement check_requirements[] = {
	{"rollback_trigger_clear", "No value observed tripped a rollback trigger; or it passes with issues that say why it stays.",
		"changemgmt.roll_back(%lld, reason, cause_class), fail, or pass with issues where the model allows it; changemgmt.resume_work() begins the work anew.",
	check_rollback_trigger_clear, VERB_BIT(VERB_PASS) | VERB_BIT(VERB_CLOSE), 0},
};

void
change_check_init(void)
{
	requirements_register(check_requirements, lengthof(check_requirements));
	requirement_never_waive("rollback_trigger_clear");
}

bool
checks_went_wrong(int64 change_id)
{
	static KeptPlan plan = {
		"SELECT FROM changemgmt.change_check"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND (NOT passed OR tripped_at IS NOT NULL)",
		1, {INT8OID}, NULL
	};
	static KeptPlan before = {
		"SELECT FROM changemgmt.change_check"
		" WHERE change_id OPERATOR(pg_catalog.=) $1 AND NOT passed",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(change_id);
	bool		found;

	kept_plan_execute(column_exists("change_check", "tripped_at") ? &plan : &before,
					  &argument, NULL, 1);
	found = SPI_processed > 0;
	SPI_freetuptable(SPI_tuptable);
	return found;
}

void
checks_clear_trips(int64 change_id)
{
	static KeptPlan plan = {
		"UPDATE changemgmt.change_check SET tripped_at = NULL"
		" WHERE change_id OPERATOR(pg_catalog.=) $1 AND tripped_at IS NOT NULL",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(change_id);
	int64		save = clearing_trips_of;

	if (!column_exists("change_check", "tripped_at"))
		return;
	clearing_trips_of = change_id;
	PG_TRY();
	{
		kept_plan_execute(&plan, &argument, NULL, 0);
	}
	PG_FINALLY();
	{
		clearing_trips_of = save;
	}
	PG_END_TRY();
}

/* ----------------------------------------------------------------
 * SQL
 * ---------------------------------------------------------------- */

static Datum
observation_value(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("no value is given"),
				 errhint("Where nothing was measured, nothing is recorded.")));
	return PG_GETARG_DATUM(argument);
}

/*
 * A value that was observed when another was.  The trigger takes a time that
 * stays as one that nobody gave, so this is asked before.
 */
static void
other_value_check(KeptPlan *plan, Datum *arguments)
{
	kept_plan_execute(plan, arguments, NULL, 1);
	if (SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("check %s has another value of %s: %s",
						SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1),
						SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2),
						SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3)),
				 errhint("The same value again is taken as a replay; a later one has a later time.")));
	SPI_freetuptable(SPI_tuptable);
}

/* the same value may be written otherwise: 1 and 1.0 */
#define REPLAYED(at, value) \
	"CASE WHEN checked_at OPERATOR(pg_catalog.=) " at \
	" THEN observed_value ELSE " value " END"
#define OTHER_VALUE \
	"SELECT id, checked_at, observed_value FROM changemgmt.change_check"

/* record_observation(check_id, value, at) */
Datum
record_observation(PG_FUNCTION_ARGS)
{
	static KeptPlan find = {
		"SELECT change_id FROM changemgmt.change_check"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	static KeptPlan record = {
		"UPDATE changemgmt.change_check SET checked_at = $3,"
		" observed_value = " REPLAYED("$3", "$2")
		" WHERE id OPERATOR(pg_catalog.=) $1 AND change_id OPERATOR(pg_catalog.=) $4"
		" RETURNING passed",
		4, {INT8OID, NUMERICOID, TIMESTAMPTZOID, INT8OID}, NULL
	};
	static KeptPlan other = {
		OTHER_VALUE " WHERE id OPERATOR(pg_catalog.=) $1"
		" AND observed_value OPERATOR(pg_catalog.<>) $2"
		" AND checked_at OPERATOR(pg_catalog.=) $3",
		3, {INT8OID, NUMERICOID, TIMESTAMPTZOID}, NULL
	};
	Datum		arguments[4];
	ChangeRow	row;
	int64		change_id;
	bool		isnull;
	bool		passed = false;

	arguments[1] = observation_value(fcinfo, 1);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	arguments[0] = PG_GETARG_DATUM(0);
	SPI_connect();
	kept_plan_execute(&find, arguments, NULL, 1);
	change_id = DatumGetInt64(spi_first_value(1, &isnull));
	/* the change is locked before its part, as everywhere */
	if (!isnull && change_is_visible(change_id) &&
		change_read(&row, change_id, true))
	{
		arguments[2] = PG_ARGISNULL(2) ?
			TimestampTzGetDatum(GetCurrentTimestamp()) : PG_GETARG_DATUM(2);
		arguments[3] = Int64GetDatum(change_id);
		other_value_check(&other, arguments);
		kept_plan_execute_input(&record, arguments, NULL, 0);
		passed = DatumGetBool(spi_first_value(1, &isnull));
	}
	else
		isnull = true;
	SPI_finish();
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(passed);
}

/* The stage whose checks a value of this time belongs to. */
static const char *
stage_at(const ChangeRow *row, TimestampTz at)
{
	if (change_status(row) == STATUS_IN_PROGRESS ||
		change_is_null(row, deployed_at) ||
		at < change_time(row, deployed_at) + USECS_PER_DAY)
		return "immediate";
	return at < change_time(row, deployed_at) + 7 * USECS_PER_DAY ?
		"24_hours" : "7_days";
}

/* record_signal(change_id, signal, value, at) */
Datum
record_signal(PG_FUNCTION_ARGS)
{
	static KeptPlan record = {
		"UPDATE changemgmt.change_check SET checked_at = $4,"
		" observed_value = " REPLAYED("$4", "$3")
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND signal OPERATOR(pg_catalog.=) $2"
		" AND stage OPERATOR(pg_catalog.=) $5 AND threshold IS NOT NULL",
		5, {INT8OID, TEXTOID, NUMERICOID, TIMESTAMPTZOID, TEXTOID}, NULL
	};
	static KeptPlan other = {
		OTHER_VALUE " WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND signal OPERATOR(pg_catalog.=) $2"
		" AND observed_value OPERATOR(pg_catalog.<>) $3"
		" AND checked_at OPERATOR(pg_catalog.=) $4"
		" AND stage OPERATOR(pg_catalog.=) $5 AND threshold IS NOT NULL",
		5, {INT8OID, TEXTOID, NUMERICOID, TIMESTAMPTZOID, TEXTOID}, NULL
	};
	Datum		arguments[5];
	ChangeRow	row;
	TimestampTz at;
	int32		count;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("no signal is given"),
				 errhint("errors, latency, availability, saturation, traffic or other.")));
	code_check("signal", PG_GETARG_DATUM(1), "signal");
	arguments[1] = PG_GETARG_DATUM(1);
	arguments[2] = observation_value(fcinfo, 2);
	SPI_connect();
	lifecycle_open(&row, fcinfo, 4);
	at = PG_ARGISNULL(3) ? GetCurrentTimestamp() : PG_GETARG_TIMESTAMPTZ(3);
	{
		/* also where no check of the stage has this signal */
		Relation	rel = table_open(relation_oid("change_check"),
									 AccessShareLock);

		if (TIMESTAMP_NOT_FINITE(at))
			part_malformed(rel, "checked_at", "is infinite");
		result_time_judge(change_id_of(&row), change_status(&row), at,
						  change_is_null(&row, actual_start) ? DT_NOEND :
						  change_time(&row, actual_start),
						  change_is_null(&row, rolled_back_at) ? DT_NOEND :
						  change_time(&row, rolled_back_at), rel);
		table_close(rel, AccessShareLock);
	}
	arguments[0] = row.value[CH_id];
	arguments[3] = TimestampTzGetDatum(at);
	arguments[4] = CStringGetTextDatum(stage_at(&row, at));
	other_value_check(&other, arguments);
	kept_plan_execute_input(&record, arguments, NULL, 0);
	count = (int32) SPI_processed;
	SPI_finish();
	PG_RETURN_INT32(count);
}

/*
 * model_validations(model, version): the stages that it asks for, as codes;
 * null where there is no such model, as in history from elsewhere.
 */
Datum
model_validations(PG_FUNCTION_ARGS)
{
	char	   *key = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const ChangeModel *model = model_find_if_any(key, PG_GETARG_INT32(1));
	Datum		stages[2];
	int			count = 0;

	if (model == NULL)
		PG_RETURN_NULL();
	if (model->validations & STAGE_24_HOURS)
		stages[count++] = CStringGetTextDatum("24_hours");
	if (model->validations & STAGE_7_DAYS)
		stages[count++] = CStringGetTextDatum("7_days");
	PG_RETURN_ARRAYTYPE_P(construct_array(stages, count, TEXTOID, -1, false,
										  TYPALIGN_INT));
}
