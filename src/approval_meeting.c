/*-------------------------------------------------------------------------
 *
 * approval_meeting.c
 *	  Cadence, meetings, agenda and minutes of boards: what people call.
 *
 * Each function is a statement or two on the tables of meetings, whose
 * triggers (approval_meeting_rule.c) know the rules.  What a function adds is
 * that it finds what a client names, says what it does not find, and does
 * nothing where that is done already.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "approval_meeting.h"
#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "person.h"
#include "spi.h"
#include "types_setting.h"

PG_FUNCTION_INFO_V1(set_board_cadence);
PG_FUNCTION_INFO_V1(plan_meetings);
PG_FUNCTION_INFO_V1(call_emergency_meeting);
PG_FUNCTION_INFO_V1(hold_meeting);
PG_FUNCTION_INFO_V1(close_meeting);
PG_FUNCTION_INFO_V1(cancel_meeting);
PG_FUNCTION_INFO_V1(add_to_agenda);
PG_FUNCTION_INFO_V1(remove_from_agenda);
PG_FUNCTION_INFO_V1(record_minute);

/* How far ahead meetings are planned, and how long one lasts at most. */
#define PLAN_YEARS_MAX		5
#define MEETING_MINUTES_MAX (24 * 60)
#define PRESENT_MAX			1000

/* ----------------------------------------------------------------
 * Arguments
 * ---------------------------------------------------------------- */

static int64
argument_board(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the board is null"),
				 errhint("Name one, such as cab; changemgmt.add_board(name) creates it.")));
	return DatumGetInt64(DirectFunctionCall1(board_id, PG_GETARG_DATUM(n)));
}

static void
argument_meeting(FunctionCallInfo fcinfo, Meeting *meeting)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the meeting is null"),
				 errhint("SELECT id FROM changemgmt.next_meeting(board); where it is null, changemgmt.plan_meetings(board, until) first.")));
	meeting_find(meeting, PG_GETARG_INT64(0));
}

/* A change that who is acting may see. */
static void
argument_change(FunctionCallInfo fcinfo, int n, ChangeRow *row)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the change is null"),
				 errhint("changemgmt.change_id(number) gives its id.")));
	change_find(row, PG_GETARG_INT64(n), false);
}

static char *
argument_text(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* The same text, or both missing. */
static bool
text_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* ----------------------------------------------------------------
 * Cadence
 * ---------------------------------------------------------------- */

/*
 * A recurrence in a word: from the first start on, in the reporting time
 * zone.  By the month it stays with the day of the week and which of the month
 * that is (the last, for a fifth).  NULL for what is no such word.
 */
static char *
cadence_text(const char *word, FunctionCallInfo fcinfo, int start, int minutes)
{
	static const char *const words[] = {"weekly", "biweekly", "monthly", "quarterly"};
	static const char *const rules[] = {
		"FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=2", "FREQ=MONTHLY", "FREQ=MONTHLY;INTERVAL=3"
	};
	static const char *const days[] = {"SU", "MO", "TU", "WE", "TH", "FR", "SA"};
	const char *zone_name = setting_get("reporting_time_zone");
	pg_tz	   *zone = pg_tzset(zone_name);
	StringInfoData buf;
	TimestampTz at;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	size_t		n = 0;

	while (n < lengthof(words) && strcmp(word, words[n]) != 0)
		n++;
	if (n == lengthof(words))
	{
		if (!PG_ARGISNULL(start))
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT),
					 errmsg("a first start goes with weekly, biweekly, monthly or quarterly"),
					 errhint("A recurrence says by itself when it begins.")));
		return NULL;
	}
	if (PG_ARGISNULL(start))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("\"%s\" needs a first start", word),
				 errhint("Give it as first_start => '2026-12-03 10:00'.")));
	at = PG_GETARG_TIMESTAMPTZ(start);
	if (TIMESTAMP_NOT_FINITE(at) || zone == NULL ||
		timestamp2tm(at, &offset, &tm, &fsec, NULL, zone) != 0 ||
		tm.tm_year < 1900 || tm.tm_year > 2499)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("meetings cannot begin at that time"),
				 errhint("Give the first start as first_start => '2026-12-03 10:00'.")));
	if (minutes < 1 || minutes > MEETING_MINUTES_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a meeting cannot last %d minutes", minutes),
				 errhint("It lasts 1 to %d.", MEETING_MINUTES_MAX)));
	initStringInfo(&buf);
	appendStringInfo(&buf, "DTSTART;TZID=%s:%04d%02d%02dT%02d%02d%02d DURATION:PT%dM RRULE:%s;BYDAY=",
					 zone_name, tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour,
					 tm.tm_min, tm.tm_sec, minutes, rules[n]);
	if (n >= 2)
		appendStringInfo(&buf, "%d", tm.tm_mday > 28 ? -1 : (tm.tm_mday + 6) / 7);
	appendStringInfoString(&buf, days[j2day(date2j(tm.tm_year, tm.tm_mon, tm.tm_mday))]);
	return buf.data;
}

/* set_board_cadence(board, recurrence, quorum, location, first_start, minutes) */
Datum
set_board_cadence(PG_FUNCTION_ARGS)
{
	static KeptPlan put = {
		"INSERT INTO changemgmt.board_cadence (board_id, recurrence, quorum, location)"
		" VALUES ($1, $2::changemgmt.recurrence, $3, $4)"
		" ON CONFLICT (board_id) DO UPDATE SET recurrence = excluded.recurrence,"
		" quorum = excluded.quorum, location = excluded.location"
		" RETURNING id",
		4, {INT8OID, TEXTOID, INT4OID, TEXTOID}, NULL
	};
	/* what the cadence no longer names; with an agenda it stays on record */
	static KeptPlan drop = {
		"DELETE FROM changemgmt.board_meeting AS m"
		" WHERE m.board_id OPERATOR(pg_catalog.=) $1"
		" AND m.kind OPERATOR(pg_catalog.=) 'regular'"
		" AND m.status OPERATOR(pg_catalog.=) 'planned'"
		" AND m.starts_at OPERATOR(pg_catalog.>) pg_catalog.now()"
		" AND NOT EXISTS (SELECT FROM changemgmt.agenda_item AS a"
		"  WHERE a.meeting_id OPERATOR(pg_catalog.=) m.id)"
		" AND NOT EXISTS (SELECT FROM changemgmt.board_cadence AS c"
		"  CROSS JOIN LATERAL changemgmt.occurrences(c.recurrence,"
		"   pg_catalog.tstzrange(m.starts_at, m.starts_at, '[]')) AS o"
		"  WHERE c.board_id OPERATOR(pg_catalog.=) $1"
		"  AND o.starts_at OPERATOR(pg_catalog.=) m.starts_at)",
		1, {INT8OID}, NULL
	};
	static KeptPlan cancel = {
		"UPDATE changemgmt.board_meeting AS m SET status = 'cancelled',"
		" status_reason = 'the board meets at other times'"
		" WHERE m.board_id OPERATOR(pg_catalog.=) $1"
		" AND m.kind OPERATOR(pg_catalog.=) 'regular'"
		" AND m.status OPERATOR(pg_catalog.=) 'planned'"
		" AND m.starts_at OPERATOR(pg_catalog.>) pg_catalog.now()"
		" AND NOT EXISTS (SELECT FROM changemgmt.board_cadence AS c"
		"  CROSS JOIN LATERAL changemgmt.occurrences(c.recurrence,"
		"   pg_catalog.tstzrange(m.starts_at, m.starts_at, '[]')) AS o"
		"  WHERE c.board_id OPERATOR(pg_catalog.=) $1"
		"  AND o.starts_at OPERATOR(pg_catalog.=) m.starts_at)",
		1, {INT8OID}, NULL
	};
	int64		board = argument_board(fcinfo, 0);
	char	   *word = argument_text(fcinfo, 1);
	char	   *text;
	Datum		arguments[4];
	char		nulls[4] = {' ', ' ', ' ', ' '};
	int64		id;
	bool		isnull;

	if (word == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the recurrence is null"),
				 errhint("Give weekly, biweekly, monthly or quarterly with a first_start, or a recurrence as RFC 5545 writes it.")));
	if (!PG_ARGISNULL(2) && PG_GETARG_INT32(2) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a quorum of %d is none", PG_GETARG_INT32(2)),
				 errhint("Give how many members have to be present, or leave it out.")));
	text = cadence_text(word, fcinfo, 4, PG_ARGISNULL(5) ? 60 : PG_GETARG_INT32(5));
	SPI_connect();
	arguments[0] = Int64GetDatum(board);
	arguments[1] = CStringGetTextDatum(text ? text : word);
	arguments[2] = PG_GETARG_DATUM(2);
	nulls[2] = PG_ARGISNULL(2) ? 'n' : ' ';
	arguments[3] = PG_GETARG_DATUM(3);
	nulls[3] = PG_ARGISNULL(3) ? 'n' : ' ';
	kept_plan_execute_input(&put, arguments, nulls, 0);
	kept_plan_require_row(&put, "the cadence");
	id = DatumGetInt64(spi_first_value(1, &isnull));
	kept_plan_execute(&drop, arguments, NULL, 0);
	kept_plan_execute(&cancel, arguments, NULL, 0);
	SPI_finish();
	PG_RETURN_INT64(id);
}

/* plan_meetings(board, until): those that the cadence names; how many are new */
Datum
plan_meetings(PG_FUNCTION_ARGS)
{
	static KeptPlan cadence = {
		"SELECT FROM changemgmt.board_cadence"
		" WHERE board_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	static KeptPlan plan = {
		"INSERT INTO changemgmt.board_meeting (board_id, starts_at, ends_at, location)"
		" SELECT $1, o.starts_at, o.ends_at, c.location"
		" FROM changemgmt.board_cadence AS c"
		" CROSS JOIN LATERAL changemgmt.occurrences(c.recurrence,"
		"  pg_catalog.tstzrange($2, $3)) AS o"
		" WHERE c.board_id OPERATOR(pg_catalog.=) $1"
		" AND o.starts_at OPERATOR(pg_catalog.>) $2"
		" ORDER BY o.starts_at ON CONFLICT (board_id, starts_at) DO NOTHING",
		3, {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID}, NULL
	};
	int64		board = argument_board(fcinfo, 0);
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until = PG_ARGISNULL(1) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(1);
	Datum		arguments[3];
	int64		count;

	if (until <= now || TIMESTAMP_NOT_FINITE(until) ||
		until - now > PLAN_YEARS_MAX * 366 * USECS_PER_DAY)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 until <= now ? errmsg("meetings cannot be planned in the past") :
				 errmsg("meetings are planned for %d years at most", PLAN_YEARS_MAX),
				 errhint("Give an end such as now() + interval '3 months'.")));
	SPI_connect();
	arguments[0] = Int64GetDatum(board);
	arguments[1] = TimestampTzGetDatum(now);
	arguments[2] = TimestampTzGetDatum(until);
	kept_plan_execute(&cadence, arguments, NULL, 1);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("board \"%s\" has no cadence", argument_text(fcinfo, 0)),
				 errhint("SELECT changemgmt.set_board_cadence(%s, 'weekly', first_start => ...).",
						 quote_literal_cstr(argument_text(fcinfo, 0)))));
	kept_plan_execute(&plan, arguments, NULL, 0);
	count = (int64) SPI_processed;
	SPI_finish();
	PG_RETURN_INT64(count);
}

/* call_emergency_meeting(board, reason, location): at once */
Datum
call_emergency_meeting(PG_FUNCTION_ARGS)
{
	static KeptPlan call = {
		"INSERT INTO changemgmt.board_meeting"
		" (board_id, starts_at, ends_at, kind, reason, location)"
		" VALUES ($1, $2, $3, 'emergency', $4, $5) RETURNING id",
		5, {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID}, NULL
	};
	TimestampTz now = GetCurrentTimestamp();
	Datum		arguments[5];
	char		nulls[5] = {' ', ' ', ' ', ' ', ' '};
	int64		id;
	bool		isnull;

	arguments[0] = Int64GetDatum(argument_board(fcinfo, 0));
	arguments[1] = TimestampTzGetDatum(now);
	arguments[2] = TimestampTzGetDatum(now + USECS_PER_HOUR);
	for (int i = 1; i < 3; i++)
	{
		arguments[i + 2] = PG_GETARG_DATUM(i);
		nulls[i + 2] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	SPI_connect();
	kept_plan_execute(&call, arguments, nulls, 0);
	kept_plan_require_row(&call, "the meeting");
	id = DatumGetInt64(spi_first_value(1, &isnull));
	SPI_finish();
	PG_RETURN_INT64(id);
}

/* ----------------------------------------------------------------
 * Held, closed, cancelled
 * ---------------------------------------------------------------- */

/* The people who are named as present, as a bigint[]. */
static ArrayType *
argument_present(FunctionCallInfo fcinfo, int n)
{
	Datum	   *logins = NULL;
	bool	   *nulls = NULL;
	Datum	   *ids;
	int			count = 0;

	if (!PG_ARGISNULL(n))
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(n), TEXTOID, -1, false,
						  TYPALIGN_INT, &logins, &nulls, &count);
	if (count == 0 || count > PRESENT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 count == 0 ? errmsg("nobody is named as present") :
				 errmsg("more than %d people are named as present", PRESENT_MAX),
				 errhint("Give the logins, such as present => '{ann,bob}'.")));
	ids = palloc(count * sizeof(Datum));
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT),
					 errmsg("somebody who is present has no name"),
					 errhint("Give the logins, such as present => '{ann,bob}'.")));
		ids[i] = DirectFunctionCall1(person_id, logins[i]);
	}
	return construct_array(ids, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
						   TYPALIGN_DOUBLE);
}

/* hold_meeting(meeting_id, present, chair): who is there; again where it changes */
Datum
hold_meeting(PG_FUNCTION_ARGS)
{
	static KeptPlan hold = {
		"UPDATE changemgmt.board_meeting"
		" SET status = 'held', chair_id = COALESCE($2, chair_id)"
		" WHERE id OPERATOR(pg_catalog.=) $1 AND NOT (status OPERATOR(pg_catalog.=) 'held'"
		" AND COALESCE(chair_id OPERATOR(pg_catalog.=) $2, $2 IS NULL))",
		2, {INT8OID, INT8OID}, NULL
	};
	static KeptPlan leave = {
		"DELETE FROM changemgmt.board_attendance"
		" WHERE meeting_id OPERATOR(pg_catalog.=) $1"
		" AND person_id OPERATOR(pg_catalog.<>) ALL ($2)",
		2, {INT8OID, INT8ARRAYOID}, NULL
	};
	static KeptPlan come = {
		"INSERT INTO changemgmt.board_attendance (meeting_id, person_id)"
		" SELECT DISTINCT $1, p FROM pg_catalog.unnest($2) AS p"
		" WHERE NOT EXISTS (SELECT FROM changemgmt.board_attendance AS a"
		"  WHERE a.meeting_id OPERATOR(pg_catalog.=) $1"
		"  AND a.person_id OPERATOR(pg_catalog.=) p)"
		" ORDER BY p",
		2, {INT8OID, INT8ARRAYOID}, NULL
	};
	ArrayType  *present;
	Meeting		meeting;
	int64		chair = 0;
	int64	   *ids;
	bool		found = false;
	TupleDesc	desc;
	Datum		arguments[2];
	char		nulls[2] = {' ', ' '};
	Datum		values[3];
	bool		isnull[3] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	present = argument_present(fcinfo, 1);
	if (!PG_ARGISNULL(2))
		chair = DatumGetInt64(DirectFunctionCall1(person_id, PG_GETARG_DATUM(2)));
	ids = (int64 *) ARR_DATA_PTR(present);
	for (int i = 0; i < ARR_DIMS(present)[0]; i++)
		found |= ids[i] == (chair != 0 ? chair : actor_person());
	if (chair != 0 && !found)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("\"%s\" is not among those who are present",
						argument_text(fcinfo, 2)),
				 errhint("Whoever takes the chair is there.")));

	SPI_connect();
	argument_meeting(fcinfo, &meeting);
	meeting_require_open(&meeting);
	/* who records it takes the chair, where nobody is named and nobody has it */
	if (chair == 0 && found && meeting.status == MEETING_PLANNED)
		chair = actor_person();
	arguments[0] = Int64GetDatum(meeting.id);
	arguments[1] = Int64GetDatum(chair);
	nulls[1] = chair == 0 ? 'n' : ' ';
	kept_plan_execute(&hold, arguments, nulls, 0);
	arguments[1] = PointerGetDatum(present);
	kept_plan_execute(&leave, arguments, NULL, 0);
	kept_plan_execute(&come, arguments, NULL, 0);
	meeting_find(&meeting, meeting.id);
	values[0] = Int32GetDatum(meeting.members);
	values[1] = Int32GetDatum(meeting.quorum);
	isnull[1] = meeting.quorum == 0;
	values[2] = BoolGetDatum(meeting.members >= meeting.quorum);
	SPI_finish();
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, isnull)));
}

/*
 * The end of a meeting with a text, nothing where it has ended so already with
 * this text or without one.
 */
static void
meeting_end(FunctionCallInfo fcinfo, KeptPlan *end, bool cancelled,
			const char *what)
{
	Meeting		meeting;
	char	   *text = argument_text(fcinfo, 1);
	Datum		arguments[2];
	char		nulls[2] = {' ', text == NULL ? 'n' : ' '};

	SPI_connect();
	argument_meeting(fcinfo, &meeting);
	if (!(cancelled ? meeting.status == MEETING_CANCELLED : meeting.is_closed) ||
		(text != NULL &&
		 !text_same(text, cancelled ? meeting.status_reason : meeting.minutes)))
	{
		meeting_require_open(&meeting);
		arguments[0] = Int64GetDatum(meeting.id);
		arguments[1] = PG_GETARG_DATUM(1);
		kept_plan_execute(end, arguments, nulls, 0);
		kept_plan_require_row(end, what);
	}
	SPI_finish();
}

/* close_meeting(meeting_id, minutes): its minutes stay as they are */
Datum
close_meeting(PG_FUNCTION_ARGS)
{
	static KeptPlan close = {
		"UPDATE changemgmt.board_meeting SET closed_at = pg_catalog.now(),"
		" minutes = COALESCE($2, minutes) WHERE id OPERATOR(pg_catalog.=) $1",
		2, {INT8OID, TEXTOID}, NULL
	};

	meeting_end(fcinfo, &close, false, "the end of the meeting");
	PG_RETURN_VOID();
}

/* cancel_meeting(meeting_id, reason) */
Datum
cancel_meeting(PG_FUNCTION_ARGS)
{
	static KeptPlan cancel = {
		"UPDATE changemgmt.board_meeting SET status = 'cancelled', status_reason = $2"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		2, {INT8OID, TEXTOID}, NULL
	};

	meeting_end(fcinfo, &cancel, true, "the cancellation");
	PG_RETURN_VOID();
}

/* ----------------------------------------------------------------
 * Agenda and minutes
 * ---------------------------------------------------------------- */

/* add_to_agenda(meeting_id, change_id, position): by hand */
Datum
add_to_agenda(PG_FUNCTION_ARGS)
{
	static KeptPlan asked = {
		"SELECT FROM changemgmt.approval_tally($1) AS t WHERE t.board IS NOT NULL",
		1, {INT8OID}, NULL
	};
	static KeptPlan put = {
		"INSERT INTO changemgmt.agenda_item (meeting_id, change_id, \"position\")"
		" VALUES ($1, $2, $3)"
		" ON CONFLICT (meeting_id, change_id) DO UPDATE"
		" SET \"position\" = excluded.\"position\", is_skipped = false"
		" RETURNING id",
		3, {INT8OID, INT8OID, INT4OID}, NULL
	};
	Meeting		meeting;
	ChangeRow	row;
	Datum		arguments[3];
	char		nulls[3] = {' ', ' ', ' '};
	int64		id;
	bool		isnull;

	if (!PG_ARGISNULL(2) && PG_GETARG_INT32(2) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("an agenda has no place %d", PG_GETARG_INT32(2)),
				 errhint("Places count from 1; without one its risk and start decide on it.")));
	SPI_connect();
	argument_meeting(fcinfo, &meeting);
	argument_change(fcinfo, 1, &row);
	if (change_status(&row) != STATUS_AWAITING_APPROVAL)
		transition_illegal(&row, lifecycle_model(&row), "a place on an agenda");
	arguments[1] = row.value[CH_id];
	kept_plan_execute(&asked, &arguments[1], NULL, 1);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("no board is asked about %s",
						change_number_text(change_id_of(&row))),
				 errhint("One approver decides it: SELECT * FROM changemgmt.approval_waiting(" INT64_FORMAT ").",
						 change_id_of(&row))));
	arguments[0] = Int64GetDatum(meeting.id);
	arguments[2] = PG_GETARG_DATUM(2);
	nulls[2] = PG_ARGISNULL(2) ? 'n' : ' ';
	kept_plan_execute_input(&put, arguments, nulls, 0);
	kept_plan_require_row(&put, "the place on the agenda");
	id = DatumGetInt64(spi_first_value(1, &isnull));
	SPI_finish();
	PG_RETURN_INT64(id);
}

/* remove_from_agenda(meeting_id, change_id): not in this meeting */
Datum
remove_from_agenda(PG_FUNCTION_ARGS)
{
	static KeptPlan skip = {
		"INSERT INTO changemgmt.agenda_item (meeting_id, change_id, is_skipped)"
		" VALUES ($1, $2, true)"
		" ON CONFLICT (meeting_id, change_id) DO UPDATE"
		" SET \"position\" = NULL, is_skipped = true",
		2, {INT8OID, INT8OID}, NULL
	};
	Meeting		meeting;
	ChangeRow	row;
	Datum		arguments[2];

	SPI_connect();
	argument_meeting(fcinfo, &meeting);
	argument_change(fcinfo, 1, &row);
	arguments[0] = Int64GetDatum(meeting.id);
	arguments[1] = row.value[CH_id];
	kept_plan_execute(&skip, arguments, NULL, 0);
	kept_plan_require_row(&skip, "what is left out of the agenda");
	SPI_finish();
	PG_RETURN_VOID();
}

/* record_minute(meeting_id, change_id, discussion, decision): what was decided */
Datum
record_minute(PG_FUNCTION_ARGS)
{
	static KeptPlan put = {
		"INSERT INTO changemgmt.meeting_minute"
		" (meeting_id, change_id, discussion, decision) VALUES ($1, $2, $3, $4)"
		" ON CONFLICT (meeting_id, change_id) DO UPDATE"
		" SET discussion = excluded.discussion, decision = excluded.decision"
		" RETURNING decision",
		4, {INT8OID, INT8OID, TEXTOID, TEXTOID}, NULL
	};
	Meeting		meeting;
	ChangeRow	row;
	char	   *discussion = argument_text(fcinfo, 2);
	Datum		arguments[4];
	char		nulls[4] = {' ', ' ', ' ', ' '};
	text	   *decision;
	bool		isnull;

	SPI_connect();
	argument_meeting(fcinfo, &meeting);
	argument_change(fcinfo, 1, &row);
	if (discussion == NULL)
		discussion = pstrdup("");
	arguments[0] = Int64GetDatum(meeting.id);
	arguments[1] = row.value[CH_id];
	arguments[2] = CStringGetTextDatum(discussion);
	arguments[3] = PG_GETARG_DATUM(3);
	nulls[3] = PG_ARGISNULL(3) ? 'n' : ' ';
	kept_plan_execute(&put, arguments, nulls, 0);
	kept_plan_require_row(&put, "the minute");
	decision = DatumGetTextPP(SPI_datumTransfer(spi_first_value(1, &isnull), false, -1));
	SPI_finish();
	PG_RETURN_TEXT_P(decision);
}
