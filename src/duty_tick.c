/*-------------------------------------------------------------------------
 *
 * duty_tick.c
 *	  tick(): flags duties that are overdue, and escalates those that stay so.
 *
 * That a duty is overdue is computed wherever it is asked for; tick() only
 * writes down, once each, that it was seen and who else was told.  So the clock
 * may stand still, be called twice, or by two at once: rows that another session
 * has locked are left for the next call, so a tick waits for nobody and nobody
 * long for a tick.  One call takes at most DUTIES_MAX, the longest overdue first;
 * whoever calls it (worker.c) goes on while it returns any.
 *
 * What is late is found by the index duty_tick_idx, and written by an array of
 * ids: so the cost is that of what is late, however many duties are done.
 *
 * State: the functions that later rooms have registered.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "duty.h"
#include "duty_tick.h"
#include "errors.h"
#include "spi.h"
#include "types_setting.h"

PG_FUNCTION_INFO_V1(tick);

#define DUTIES_MAX	10000
#define FUNCTIONS_MAX	8

/* The clock of who calls may be ahead of the server's by this. */
#define AHEAD_MAX	USECS_PER_MINUTE

static TickFunction functions[FUNCTIONS_MAX];
static int	function_count = 0;

void
tick_register(TickFunction function)
{
	if (function_count == FUNCTIONS_MAX)
		elog(ERROR, "too many functions for tick()");
	functions[function_count++] = function;
}

/* The first column or the second of the one row that was read. */
static int64
count_read(int column)
{
	bool		isnull;

	return DatumGetInt64(spi_first_value(column, &isnull));
}

/*
 * Escalated is to the first who is there, active, and not whose duty it is: the
 * lead of the change's team, its coordinator, the change manager who has sat
 * longest.  Where there is nobody, that it was tried is written down.
 */
static int64
duties_escalate(TimestampTz at, int64 limit, int64 *newly_flagged)
{
	static KeptPlan escalate = {
		"WITH late AS ("
		"  SELECT d.id, d.flagged_at IS NULL AS is_new"
		"  FROM changemgmt.duty AS d"
		"  WHERE d.done_at IS NULL AND d.cancelled_at IS NULL"
		"  AND d.escalated_at IS NULL AND d.due_at OPERATOR(pg_catalog.<) $2"
		"  ORDER BY d.due_at, d.id LIMIT $3"
		"  FOR NO KEY UPDATE SKIP LOCKED), "
		"written AS ("
		"  UPDATE changemgmt.duty AS d"
		"  SET flagged_at = coalesce(d.flagged_at, $1), escalated_at = $1,"
		"   escalated_to_id = ("
		"    SELECT p.id FROM ("
		"     SELECT 1 AS place, t.lead_id AS id, NULL::pg_catalog.timestamptz AS since"
		"     FROM changemgmt.team AS t WHERE t.id OPERATOR(pg_catalog.=) c.team_id"
		"     UNION ALL SELECT 2, c.coordinator_id, NULL"
		"     UNION ALL SELECT 3, m.person_id, m.valid_from"
		"     FROM changemgmt.board_member AS m"
		"     WHERE m.seat OPERATOR(pg_catalog.=) 'change_manager'"
		"     AND m.valid_from OPERATOR(pg_catalog.<=) $1"
		"     AND m.valid_until OPERATOR(pg_catalog.>) $1) AS w"
		"    JOIN changemgmt.person AS p ON p.id OPERATOR(pg_catalog.=) w.id"
		"     AND p.is_active"
		"    WHERE p.id OPERATOR(pg_catalog.<>)"
		"     coalesce(d.person_id, c.owner_id, 0)"
		"    ORDER BY w.place, w.since, p.id LIMIT 1)"
		"  FROM changemgmt.change AS c"
		"  WHERE c.id OPERATOR(pg_catalog.=) d.change_id AND d.id OPERATOR(pg_catalog.=)"
		"   ANY (ARRAY(SELECT late.id FROM late))) "
		"SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE is_new)"
		" FROM late",
		3, {TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID}, NULL
	};
	Datum		arguments[3];

	arguments[0] = TimestampTzGetDatum(at);
	arguments[1] = TimestampTzGetDatum(at - setting_get_int("escalate_after_hours") * USECS_PER_HOUR);
	arguments[2] = Int64GetDatum(limit);
	duty_execute(&escalate, arguments, NULL, 0, DUTY_DO_FLAG);
	*newly_flagged = count_read(2);
	return count_read(1);
}

static int64
duties_flag(TimestampTz at, int64 limit)
{
	static KeptPlan flag = {
		"WITH late AS ("
		"  SELECT d.id FROM changemgmt.duty AS d"
		"  WHERE d.done_at IS NULL AND d.cancelled_at IS NULL"
		"  AND d.escalated_at IS NULL AND d.flagged_at IS NULL"
		"  AND d.due_at OPERATOR(pg_catalog.<) $1"
		"  ORDER BY d.due_at, d.id LIMIT $2"
		"  FOR NO KEY UPDATE SKIP LOCKED) "
		"UPDATE changemgmt.duty AS d SET flagged_at = $1"
		" WHERE d.id OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT late.id FROM late))",
		2, {TIMESTAMPTZOID, INT8OID}, NULL
	};
	Datum		arguments[2];

	arguments[0] = TimestampTzGetDatum(at);
	arguments[1] = Int64GetDatum(limit);
	duty_execute(&flag, arguments, NULL, 0, DUTY_DO_FLAG);
	return SPI_processed;
}

/* tick(at): what is to be done by then; returns what it did and what is left. */
Datum
tick(PG_FUNCTION_ARGS)
{
	static KeptPlan count = {
		"SELECT pg_catalog.count(*), pg_catalog.count(*)"
		" FILTER (WHERE d.due_at OPERATOR(pg_catalog.<) $1)"
		" FROM changemgmt.duty AS d"
		" WHERE d.done_at IS NULL AND d.cancelled_at IS NULL",
		1, {TIMESTAMPTZOID}, NULL
	};
	TupleDesc	desc;
	TimestampTz at;
	Datum		argument;
	Datum		values[4];
	bool		nulls[4] = {false};
	int64		flagged;
	int64		escalated;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "tick: return type must be a row type");
	PreventCommandIfReadOnly("tick()");
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the time of a tick is null"),
				 errhint("Leave it out for now.")));
	at = PG_GETARG_TIMESTAMPTZ(0);
	if (TIMESTAMP_NOT_FINITE(at) || at > GetCurrentTimestamp() + AHEAD_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a tick cannot be at %s", timestamptz_to_str(at)),
				 errhint("Leave it out for now; what is not due yet is not flagged.")));
	argument = TimestampTzGetDatum(at);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	escalated = duties_escalate(at, DUTIES_MAX, &flagged);
	if (escalated < DUTIES_MAX)
		flagged += duties_flag(at, DUTIES_MAX - escalated);
	for (int i = 0; i < function_count; i++)
		functions[i] (at);

	kept_plan_execute(&count, &argument, NULL, 0);
	values[0] = Int64GetDatum(flagged);
	values[1] = Int64GetDatum(escalated);
	values[2] = Int64GetDatum(count_read(1));
	values[3] = Int64GetDatum(count_read(2));
	SPI_finish();
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
