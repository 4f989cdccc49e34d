/*-------------------------------------------------------------------------
 *
 * duty.c
 *	  What is to be done for a change by when: what people and other rooms call.
 *
 * A duty is open until it is done or cancelled; overdue is what is open and
 * past its time, which nothing stores.  The rules are the triggers' (duty_rule.c),
 * so that an UPDATE meets them as well.  Whoever writes a duty locks its change
 * first, as a verb does that creates and ends duties.
 *
 * State: duty_call, while a statement of the extension's own is under way, and
 * whom the later room registered at load time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "compat.h"
#include "duty.h"
#include "errors.h"
#include "lifecycle.h"
#include "person.h"

PG_FUNCTION_INFO_V1(complete_duty);
PG_FUNCTION_INFO_V1(assign_duty);
PG_FUNCTION_INFO_V1(reassign_duty);
PG_FUNCTION_INFO_V1(cancel_duty);
PG_FUNCTION_INFO_V1(hidden_duties);

DutyCall   *duty_call = NULL;

static DutyDelegate registered_delegate = NULL;

void
duty_register_delegate(DutyDelegate delegate)
{
	registered_delegate = delegate;
}

bool
duty_delegate(int64 from, int64 to)
{
	return from != 0 && registered_delegate && registered_delegate(from, to);
}

int
duty_execute(KeptPlan *plan, Datum *values, const char *nulls,
			 int64 change_id, DutyDoing doing)
{
	DutyCall	call = {change_id, doing};
	DutyCall   *save = duty_call;

	duty_call = &call;
	PG_TRY();
	{
		kept_plan_execute(plan, values, nulls, 0);
	}
	PG_FINALLY();
	{
		duty_call = save;
	}
	PG_END_TRY();
	return (int) SPI_processed;
}

int64
duty_assign(int64 change_id, const char *kind, const char *title,
			int64 person_id, TimestampTz due, int repeat_minutes,
			int64 check_id)
{
	static KeptPlan insert = {
		"INSERT INTO changemgmt.duty (change_id, kind, title, person_id, due_at,"
		" repeat_minutes, check_id) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
		7, {INT8OID, TEXTOID, TEXTOID, INT8OID, TIMESTAMPTZOID, INT4OID, INT8OID}, NULL
	};
	Datum		arguments[7];
	char		nulls[7] = {' ', ' ', ' ', ' ', ' ', ' ', ' '};
	DutyKind	parsed;
	bool		isnull;

	if (!duty_kind_parse(kind, &parsed))
		elog(ERROR, "there is no kind of duty \"%s\"", kind);
	arguments[0] = Int64GetDatum(change_id);
	arguments[1] = CStringGetTextDatum(kind);
	arguments[2] = CStringGetTextDatum(title ? title : duty_kind_title(parsed));
	arguments[3] = Int64GetDatum(person_id);
	nulls[3] = person_id == 0 ? 'n' : ' ';
	arguments[4] = TimestampTzGetDatum(due);
	arguments[5] = Int32GetDatum(repeat_minutes);
	nulls[5] = repeat_minutes == 0 ? 'n' : ' ';
	arguments[6] = Int64GetDatum(check_id);
	nulls[6] = check_id == 0 ? 'n' : ' ';
	duty_execute(&insert, arguments, nulls, change_id, DUTY_DO_ASSIGN);
	kept_plan_require_row(&insert, "the duty");
	return DatumGetInt64(spi_first_value(1, &isnull));
}

int
duty_finish(int64 change_id, const char *kind, int64 by, TimestampTz at,
			const char *result)
{
	static KeptPlan finish = {
		"UPDATE changemgmt.duty SET done_at = $3, done_by_id = $4, result = $5"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND kind OPERATOR(pg_catalog.=) $2 AND " DUTY_IS_OPEN,
		5, {INT8OID, TEXTOID, TIMESTAMPTZOID, INT8OID, TEXTOID}, NULL
	};
	Datum		arguments[5];
	char		nulls[5] = {' ', ' ', ' ', ' ', ' '};

	arguments[0] = Int64GetDatum(change_id);
	arguments[1] = CStringGetTextDatum(kind);
	arguments[2] = TimestampTzGetDatum(at);
	arguments[3] = Int64GetDatum(by);
	nulls[3] = by == 0 ? 'n' : ' ';
	arguments[4] = result ? CStringGetTextDatum(result) : (Datum) 0;
	nulls[4] = result ? ' ' : 'n';
	return duty_execute(&finish, arguments, nulls, change_id, DUTY_DO_FINISH);
}

int
duty_cancel(int64 change_id, const char *kind, const char *why)
{
	static KeptPlan cancel = {
		"UPDATE changemgmt.duty SET cancelled_at = pg_catalog.now(), cancel_reason = $3"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND kind OPERATOR(pg_catalog.=) $2 AND " DUTY_IS_OPEN,
		3, {INT8OID, TEXTOID, TEXTOID}, NULL
	};
	Datum		arguments[3];

	arguments[0] = Int64GetDatum(change_id);
	arguments[1] = CStringGetTextDatum(kind);
	arguments[2] = CStringGetTextDatum(why);
	return duty_execute(&cancel, arguments, NULL, change_id, DUTY_DO_CANCEL);
}

/* ----------------------------------------------------------------
 * What people call
 * ---------------------------------------------------------------- */

/* A duty that is there, with its change locked. */
typedef struct DutyRow
{
	int64		id;
	int64		change_id;
	bool		is_open;
	bool		is_done;
	int64		done_by_id;
	TimestampTz done_at;
	char	   *result;
	char	   *cancel_reason;
	int64		person_id;
} DutyRow;

static void
duty_unknown(int64 id)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("duty " INT64_FORMAT " does not exist", id),
			 errhint("The table changemgmt.duty lists duties; those that are late stand in changemgmt.overdue_duty.")));
}

/* The duty that the first argument names, as it is once its change is locked. */
static void
duty_open(DutyRow *duty, FunctionCallInfo fcinfo)
{
	static KeptPlan change = {
		"SELECT change_id FROM changemgmt.duty WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	static KeptPlan lock = {
		"SELECT change_id, done_at, done_by_id, result, cancelled_at IS NOT NULL,"
		" cancel_reason, person_id FROM changemgmt.duty"
		" WHERE id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
		1, {INT8OID}, NULL
	};
	Datum		argument;
	HeapTuple	tuple;
	TupleDesc	desc;
	ChangeRow	row;
	bool		isnull;
	bool		cancelled;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("the duty is null"),
				 errhint("SELECT id, kind FROM changemgmt.duty WHERE change_id = ... lists the duties of a change.")));
	duty->id = PG_GETARG_INT64(0);
	argument = Int64GetDatum(duty->id);
	kept_plan_execute(&change, &argument, NULL, 1);
	duty->change_id = DatumGetInt64(spi_first_value(1, &isnull));
	if (isnull ||
		!change_read(&row, duty->change_id, true) ||
		(change_bool(&row, confidential) && !change_is_visible(duty->change_id)))
		duty_unknown(duty->id);
	kept_plan_execute(&lock, &argument, NULL, 0);
	if (SPI_processed == 0)
		duty_unknown(duty->id);
	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	duty->done_at = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 2, &isnull));
	duty->is_done = !isnull;
	duty->done_by_id = DatumGetInt64(SPI_getbinval(tuple, desc, 3, &isnull));
	if (isnull)
		duty->done_by_id = 0;
	duty->result = SPI_getvalue(tuple, desc, 4);
	cancelled = DatumGetBool(SPI_getbinval(tuple, desc, 5, &isnull));
	duty->is_open = !duty->is_done && !cancelled;
	duty->cancel_reason = SPI_getvalue(tuple, desc, 6);
	duty->person_id = DatumGetInt64(SPI_getbinval(tuple, desc, 7, &isnull));
	if (isnull)
		duty->person_id = 0;
}

static bool
text_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static char *
argument_text(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* The row type duty_state of a duty.  Ends the SPI connection. */
static Datum
duty_result(FunctionCallInfo fcinfo, int64 id)
{
	static KeptPlan state = {
		"SELECT d.id, d.change_id, changemgmt.change_number(d.change_id), d.kind,"
		" d.title, p.login, d.due_at,"
		" CASE WHEN d.done_at IS NOT NULL THEN 'done'"
		"  WHEN d.cancelled_at IS NOT NULL THEN 'cancelled'"
		"  WHEN d.due_at OPERATOR(pg_catalog.<) pg_catalog.now() THEN 'overdue'"
		"  ELSE 'open' END, b.login, d.done_at"
		" FROM changemgmt.duty AS d"
		" LEFT JOIN changemgmt.person AS p ON p.id OPERATOR(pg_catalog.=) d.person_id"
		" LEFT JOIN changemgmt.person AS b ON b.id OPERATOR(pg_catalog.=) d.done_by_id"
		" WHERE d.id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	TupleDesc	desc;
	Datum		argument = Int64GetDatum(id);
	Datum		values[10];
	bool		nulls[10];
	HeapTuple	tuple;
	Datum		result;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	kept_plan_execute(&state, &argument, NULL, 0);
	if (SPI_processed != 1)
		elog(ERROR, "duty " INT64_FORMAT " is gone", id);
	heap_deform_tuple(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, values, nulls);
	tuple = heap_form_tuple(desc, values, nulls);
	result = PointerGetDatum(SPI_returntuple(tuple, desc));
	SPI_finish();
	return result;
}

/* complete_duty(duty_id, result, at) */
Datum
complete_duty(PG_FUNCTION_ARGS)
{
	static KeptPlan complete = {
		"UPDATE changemgmt.duty SET done_at = $2, done_by_id = $3, result = $4"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		4, {INT8OID, TIMESTAMPTZOID, INT8OID, TEXTOID}, NULL
	};
	char	   *result = argument_text(fcinfo, 1);
	int64		actor = actor_person_required();
	DutyRow		duty;
	Datum		arguments[4];
	char		nulls[4] = {' ', ' ', ' ', result ? ' ' : 'n'};

	SPI_connect();
	duty_open(&duty, fcinfo);
	if (!(duty.is_done && duty.done_by_id == actor &&
		  (result == NULL || text_same(result, duty.result)) &&
		  (PG_ARGISNULL(2) || PG_GETARG_TIMESTAMPTZ(2) == duty.done_at)))
	{
		arguments[0] = Int64GetDatum(duty.id);
		arguments[1] = PG_ARGISNULL(2) ?
			TimestampTzGetDatum(GetCurrentTimestamp()) : PG_GETARG_DATUM(2);
		arguments[2] = Int64GetDatum(actor);
		arguments[3] = PG_GETARG_DATUM(1);
		kept_plan_execute_input(&complete, arguments, nulls, 0);
		kept_plan_require_row(&complete, "the end of the duty");
	}
	return duty_result(fcinfo, duty.id);
}

/* assign_duty(change_id, kind, title, person, due_at, repeat_minutes) */
Datum
assign_duty(PG_FUNCTION_ARGS)
{
	static KeptPlan assign = {
		"INSERT INTO changemgmt.duty (change_id, kind, title, person_id, due_at, repeat_minutes)"
		" VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
		6, {INT8OID, TEXTOID, TEXTOID, INT8OID, TIMESTAMPTZOID, INT4OID}, NULL
	};
	ChangeRow	row;
	DutyKind	kind;
	Datum		arguments[6];
	char		nulls[6] = {' ', ' ', ' ', ' ', ' ', ' '};
	bool		isnull;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(4))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("a duty needs a change, a kind and a time by which it is due"),
				 errhint("assign_duty(change_id, kind, due_at => now() + interval '1 day').")));
	code_check("duty_kind", PG_GETARG_DATUM(1), "kind");
	(void) duty_kind_parse(argument_text(fcinfo, 1), &kind);
	SPI_connect();
	change_find(&row, PG_GETARG_INT64(0), true);
	arguments[0] = PG_GETARG_DATUM(0);
	arguments[1] = PG_GETARG_DATUM(1);
	arguments[2] = PG_ARGISNULL(2) ? CStringGetTextDatum(duty_kind_title(kind)) :
		PG_GETARG_DATUM(2);
	if (!PG_ARGISNULL(3))
		arguments[3] = DirectFunctionCall1(person_id, PG_GETARG_DATUM(3));
	else if (kind == KIND_AUTHORISER_CONFIRMATION)
	{
		arguments[3] = row.value[CH_authorised_by_id];
		nulls[3] = row.isnull[CH_authorised_by_id] ? 'n' : ' ';
	}
	else
	{
		arguments[3] = row.value[CH_owner_id];
		nulls[3] = row.isnull[CH_owner_id] || kind == KIND_INDEPENDENT_REVIEW ?
			'n' : ' ';
	}
	arguments[4] = PG_GETARG_DATUM(4);
	arguments[5] = PG_GETARG_DATUM(5);
	nulls[5] = PG_ARGISNULL(5) ? 'n' : ' ';
	kept_plan_execute_input(&assign, arguments, nulls, 0);
	kept_plan_require_row(&assign, "the duty");
	return duty_result(fcinfo, DatumGetInt64(spi_first_value(1, &isnull)));
}

/* reassign_duty(duty_id, person) */
Datum
reassign_duty(PG_FUNCTION_ARGS)
{
	static KeptPlan reassign = {
		"UPDATE changemgmt.duty SET person_id = $2 WHERE id OPERATOR(pg_catalog.=) $1",
		2, {INT8OID, INT8OID}, NULL
	};
	DutyRow		duty;
	Datum		arguments[2];

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("the person is null"),
				 errhint("Name who is to do it.")));
	arguments[0] = PG_GETARG_DATUM(0);
	arguments[1] = DirectFunctionCall1(person_id, PG_GETARG_DATUM(1));
	SPI_connect();
	duty_open(&duty, fcinfo);
	if (duty.person_id != DatumGetInt64(arguments[1]))
	{
		kept_plan_execute(&reassign, arguments, NULL, 0);
		kept_plan_require_row(&reassign, "the duty");
	}
	return duty_result(fcinfo, duty.id);
}

/* cancel_duty(duty_id, reason) */
Datum
cancel_duty(PG_FUNCTION_ARGS)
{
	static KeptPlan cancel = {
		"UPDATE changemgmt.duty SET cancelled_at = pg_catalog.now(), cancel_reason = $2"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		2, {INT8OID, TEXTOID}, NULL
	};
	char	   *reason = argument_text(fcinfo, 1);
	DutyRow		duty;
	Datum		arguments[2];
	char		nulls[2] = {' ', reason ? ' ' : 'n'};

	SPI_connect();
	duty_open(&duty, fcinfo);
	if (duty.is_open || duty.is_done || !text_same(reason, duty.cancel_reason))
	{
		arguments[0] = Int64GetDatum(duty.id);
		arguments[1] = PG_GETARG_DATUM(1);
		kept_plan_execute(&cancel, arguments, nulls, 0);
		kept_plan_require_row(&cancel, "the end of the duty");
	}
	return duty_result(fcinfo, duty.id);
}

/* hidden_duties(): which duties tell of hidden changes */
Datum
hidden_duties(PG_FUNCTION_ARGS)
{
	static KeptPlan duties = {
		"SELECT pg_catalog.array_agg(id) FROM changemgmt.duty"
		" WHERE change_id OPERATOR(pg_catalog.=) ANY ($1)",
		1, {INT8ARRAYOID}, NULL
	};
	Datum		argument = hidden_changes(fcinfo);

	return kept_plan_read_ids(&duties, &argument);
}
