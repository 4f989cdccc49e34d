/*-------------------------------------------------------------------------
 *
 * approval_meeting_rule.c
 *	  What a meeting of a board may be, and what its minutes say.
 *
 * A meeting is planned, then held or cancelled; held, it is open until it is
 * closed.  Whatever is written into a meeting locks it first, so that nothing
 * gets into one that is closed at the same time.
 *
 * Minutes decide nothing.  What a minute says was decided is what the votes
 * of the board led to since the meeting began, read from the ledger when the
 * minute is written and once more when the meeting is closed.
 *
 * Called by the triggers of board_meeting, board_attendance, agenda_item and
 * meeting_minute.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "approval_meeting.h"
#include "change.h"
#include "change_part.h"
#include "compat.h"
#include "errors.h"
#include "ledger.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(meeting_stamp);
PG_FUNCTION_INFO_V1(meeting_judge);
PG_FUNCTION_INFO_V1(hidden_items);

/* A meeting is recorded on the day before and after it at the latest. */
#define HOLD_MARGIN		(INT64CONST(24) * USECS_PER_HOUR)

typedef enum MeetingTable
{
	TABLE_MEETING,
	TABLE_ATTENDANCE,
	TABLE_AGENDA,
	TABLE_MINUTE
} MeetingTable;

static MeetingTable
meeting_table(Relation rel)
{
	static const char *const names[] = {
		[TABLE_MEETING] = "board_meeting",
		[TABLE_ATTENDANCE] = "board_attendance",
		[TABLE_AGENDA] = "agenda_item",
		[TABLE_MINUTE] = "meeting_minute"
	};

	for (size_t i = 0; i < lengthof(names); i++)
		if (strcmp(RelationGetRelationName(rel), names[i]) == 0)
			return (MeetingTable) i;
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("table \"%s\" is not one of meetings",
					RelationGetRelationName(rel))));
	return TABLE_MEETING;		/* not reached */
}

bool
meeting_lock(Meeting *meeting, int64 id)
{
	static KeptPlan lock = {
		"SELECT m.board_id, b.name, m.starts_at, m.status, m.held_at,"
		" m.closed_at, m.quorum, m.minutes, m.status_reason"
		" FROM changemgmt.board_meeting AS m"
		" JOIN changemgmt.board AS b ON b.id OPERATOR(pg_catalog.=) m.board_id"
		" WHERE m.id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE OF m",
		1, {INT8OID}, NULL
	};
	static KeptPlan members = {
		"SELECT pg_catalog.count(*) FROM changemgmt.board_attendance"
		" WHERE meeting_id OPERATOR(pg_catalog.=) $1 AND seat IS NOT NULL",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(id);
	HeapTuple	row;
	TupleDesc	desc;
	char	   *status;
	Datum		value;
	bool		isnull;

	memset(meeting, 0, sizeof(Meeting));
	kept_plan_execute(&lock, &argument, NULL, 0);
	if (SPI_processed == 0)
		return false;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	meeting->id = id;
	meeting->board_id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	meeting->board = SPI_getvalue(row, desc, 2);
	meeting->begun = DatumGetTimestampTz(SPI_getbinval(row, desc, 3, &isnull));
	status = SPI_getvalue(row, desc, 4);
	meeting->status = strcmp(status, "planned") == 0 ? MEETING_PLANNED :
		strcmp(status, "held") == 0 ? MEETING_HELD : MEETING_CANCELLED;
	value = SPI_getbinval(row, desc, 5, &isnull);
	if (!isnull)
		meeting->begun = Min(meeting->begun, DatumGetTimestampTz(value));
	(void) SPI_getbinval(row, desc, 6, &isnull);
	meeting->is_closed = !isnull;
	value = SPI_getbinval(row, desc, 7, &isnull);
	meeting->quorum = isnull ? 0 : DatumGetInt32(value);
	meeting->minutes = SPI_getvalue(row, desc, 8);
	meeting->status_reason = SPI_getvalue(row, desc, 9);

	/* after the lock was waited for: a statement of its own sees who came */
	kept_plan_execute(&members, &argument, NULL, 0);
	meeting->members = (int) DatumGetInt64(spi_first_value(1, &isnull));
	return true;
}

void
meeting_find(Meeting *meeting, int64 id)
{
	if (!meeting_lock(meeting, id))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("meeting " INT64_FORMAT " does not exist", id),
				 errhint("The table board_meeting lists meetings; changemgmt.next_meeting(board) gives the next.")));
}

void
meeting_require_open(const Meeting *meeting)
{
	if (meeting->is_closed)
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("meeting " INT64_FORMAT " of board %s is closed",
						meeting->id, meeting->board),
				 errhint("Its minutes stay as they are; what is to be added goes into the next meeting's.")));
	if (meeting->status == MEETING_CANCELLED)
		ereport(ERROR,
				(errcode(ERRCODE_MC_ILLEGAL_TRANSITION), err_as_caller(),
				 errmsg("meeting " INT64_FORMAT " of board %s is cancelled",
						meeting->id, meeting->board),
				 errhint("SELECT * FROM changemgmt.next_meeting(%s) gives the next one.",
						 quote_literal_cstr(meeting->board))));
}

static void
require_held(const Meeting *meeting)
{
	meeting_require_open(meeting);
	if (meeting->status == MEETING_PLANNED)
		ereport(ERROR,
				(errcode(ERRCODE_MC_ILLEGAL_TRANSITION), err_as_caller(),
				 errmsg("meeting " INT64_FORMAT " of board %s is not held yet",
						meeting->id, meeting->board),
				 errhint("SELECT * FROM changemgmt.hold_meeting(" INT64_FORMAT ", present => '{...}') first.",
						 meeting->id)));
}

/* ----------------------------------------------------------------
 * Who may
 * ---------------------------------------------------------------- */

/* A person's seat on a board now, palloc'd; NULL where there is none. */
static char *
board_seat(int64 board_id, int64 person)
{
	static KeptPlan seat = {
		"SELECT m.seat FROM changemgmt.board_member AS m"
		" WHERE m.board_id OPERATOR(pg_catalog.=) $1"
		" AND m.person_id OPERATOR(pg_catalog.=) $2"
		" AND m.valid_from OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
		" AND m.valid_until OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp()",
		2, {INT8OID, INT8OID}, NULL
	};
	Datum		arguments[2];

	arguments[0] = Int64GetDatum(board_id);
	arguments[1] = Int64GetDatum(person);
	kept_plan_execute(&seat, arguments, NULL, 1);
	return SPI_processed == 0 ? NULL :
		SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/*
 * Meetings are led and written up by the board's members and by change
 * managers; minutes are written by a guest who is present, too.
 */
static void
require_seat(int64 board_id, int64 meeting_id, bool guests)
{
	static KeptPlan present = {
		"SELECT FROM changemgmt.board_attendance"
		" WHERE meeting_id OPERATOR(pg_catalog.=) $1"
		" AND person_id OPERATOR(pg_catalog.=) $2",
		2, {INT8OID, INT8OID}, NULL
	};
	int64		person = actor_person_required();
	Datum		arguments[2];

	if (board_seat(board_id, person) || person_is_manager(person))
		return;
	arguments[0] = Int64GetDatum(meeting_id);
	arguments[1] = Int64GetDatum(person);
	if (guests)
	{
		kept_plan_execute(&present, arguments, NULL, 1);
		if (SPI_processed > 0)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
			 errmsg("\"%s\" has no seat on the board", actor_name()),
			 errhint(guests ?
					 "Its members, change managers and who is present write its minutes." :
					 "Its members and change managers hold its meetings.")));
}

/* ----------------------------------------------------------------
 * What the minutes say
 * ---------------------------------------------------------------- */

/*
 * What the votes of the board came to in the meeting, and the votes in words
 * (NULL where there are none).  A step that others brought about, before or
 * beside the meeting, is not the meeting's.  "undone" says that its members
 * have voted otherwise since, on the same plan, and decide nothing now.
 */
static const char *
meeting_decision(const Meeting *meeting, int64 change_id, char **votes,
				 bool *undone)
{
	static KeptPlan given = {
		"SELECT pg_catalog.string_agg(pg_catalog.concat("
		"   CASE WHEN d.id IS NOT NULL THEN pg_catalog.concat(d.login, ' for ') END,"
		"   p.login, ' ', v.decision,"
		"   CASE WHEN v.reason IS NOT NULL THEN pg_catalog.concat(' (', v.reason, ')') END,"
		"   CASE WHEN v.voted_at OPERATOR(pg_catalog.<) $2 THEN ' before the meeting' END),"
		"  '; ' ORDER BY v.voted_at, v.id),"
		" pg_catalog.bool_or(v.voted_at OPERATOR(pg_catalog.>=) $2 AND EXISTS ("
		"  SELECT FROM changemgmt.board_member AS m"
		"  WHERE m.board_id OPERATOR(pg_catalog.=) $3"
		"  AND m.person_id OPERATOR(pg_catalog.=) v.person_id))"
		" FROM changemgmt.change AS c"
		" JOIN changemgmt.approval_vote AS v"
		"  ON v.change_id OPERATOR(pg_catalog.=) c.id"
		"  AND v.round OPERATOR(pg_catalog.=) c.approval_round"
		" JOIN changemgmt.person AS p ON p.id OPERATOR(pg_catalog.=) v.person_id"
		" LEFT JOIN changemgmt.person AS d ON d.id OPERATOR(pg_catalog.=) v.voted_by_id"
		" WHERE c.id OPERATOR(pg_catalog.=) $1",
		3, {INT8OID, TIMESTAMPTZOID, INT8OID}, NULL
	};
	/*
	 * A board may be one level of several, so what it decides is no step yet,
	 * and the step is its decision only where nobody else is asked.
	 */
	static KeptPlan levels = {
		"SELECT (pg_catalog.array_agg(l.decision ORDER BY l.level DESC) FILTER"
		"  (WHERE l.board OPERATOR(pg_catalog.=) $2 AND l.is_decided))[1],"
		" pg_catalog.bool_and(COALESCE(l.board OPERATOR(pg_catalog.=) $2, false)),"
		" pg_catalog.bool_or(l.board OPERATOR(pg_catalog.=) $2"
		"  AND l.is_open AND l.stale OPERATOR(pg_catalog.=) 0"
		"  AND EXISTS (SELECT FROM changemgmt.change AS c"
		"   WHERE c.id OPERATOR(pg_catalog.=) $1"
		"   AND c.status OPERATOR(pg_catalog.=) 'awaiting_approval'))"
		" FROM changemgmt.approval_levels($1) AS l",
		2, {INT8OID, TEXTOID}, NULL
	};
	static KeptPlan step = {
		"SELECT event FROM changemgmt.ledger"
		" WHERE subject_kind OPERATOR(pg_catalog.=) 'change'"
		" AND subject_id OPERATOR(pg_catalog.=) $1"
		" AND event OPERATOR(pg_catalog.=) ANY ('{approve,reject,defer}'::pg_catalog.text[])"
		" AND recorded_at OPERATOR(pg_catalog.>=) $2"
		" ORDER BY sequence DESC",
		2, {INT8OID, TIMESTAMPTZOID}, NULL
	};
	Datum		arguments[3];
	char	   *decided;
	char	   *event;
	bool		isnull;

	*undone = false;
	arguments[0] = Int64GetDatum(change_id);
	arguments[1] = TimestampTzGetDatum(meeting->begun);
	arguments[2] = Int64GetDatum(meeting->board_id);
	kept_plan_execute(&given, arguments, NULL, 0);
	*votes = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (!DatumGetBool(spi_first_value(2, &isnull)) || isnull)
		return "noted";
	arguments[1] = CStringGetTextDatum(meeting->board);
	kept_plan_execute(&levels, arguments, NULL, 1);
	decided = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (decided)
		return decided;
	*undone = DatumGetBool(spi_first_value(3, &isnull)) && !isnull;
	if (*undone || !DatumGetBool(spi_first_value(2, &isnull)) || isnull)
		return "noted";
	arguments[1] = TimestampTzGetDatum(meeting->begun);
	kept_plan_execute(&step, arguments, NULL, 1);
	if (SPI_processed == 0)
		return "noted";
	event = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	return strcmp(event, "approve") == 0 ? "approved" :
		strcmp(event, "reject") == 0 ? "rejected" : "deferred";
}

/* ----------------------------------------------------------------
 * Before the row: lock and stamp
 * ---------------------------------------------------------------- */

/* Columns of a row that are to be written; the row itself comes at the end. */
typedef struct Stamps
{
	int			count;
	int			columns[6];
	Datum		values[6];
	bool		nulls[6];
} Stamps;

static void
stamp_add(Stamps *stamps, TupleDesc desc, const char *column, Datum value,
		  bool isnull)
{
	Assert(stamps->count < (int) lengthof(stamps->columns));
	stamps->columns[stamps->count] = SPI_fnumber(desc, column);
	stamps->values[stamps->count] = value;
	stamps->nulls[stamps->count++] = isnull;
}

static bool
is_null(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;

	(void) part_value(tuple, desc, column, &isnull);
	return isnull;
}

static char *
text_of(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;
	Datum		value = part_value(tuple, desc, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static bool
is_blank(const char *text)
{
	return text == NULL || strspn(text, " \t\r\n") == strlen(text);
}

static void
refuse(int sqlstate, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(sqlstate), err_as_caller(), errmsg("%s", what),
			 errhint("%s", hint)));
}

static void
stamp_meeting(Stamps *stamps, HeapTuple old, HeapTuple new, TupleDesc desc)
{
	static KeptPlan quorum = {
		"SELECT quorum FROM changemgmt.board_cadence"
		" WHERE board_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	/* its trigger reads anew what was decided */
	static KeptPlan minutes = {
		"UPDATE changemgmt.meeting_minute SET decision = decision"
		" WHERE meeting_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	Datum		now = TimestampTzGetDatum(GetCurrentTimestamp());
	Datum		argument;
	Datum		value;
	bool		isnull;

	if (old == NULL)
		return;
	if (part_is(new, desc, "status", "held") &&
		!part_is(old, desc, "status", "held"))
	{
		argument = part_value(new, desc, "board_id", &isnull);
		kept_plan_execute(&quorum, &argument, NULL, 1);
		value = spi_first_value(1, &isnull);
		stamp_add(stamps, desc, "quorum", value, isnull);
		stamp_add(stamps, desc, "held_at", now, false);
	}
	if (is_null(old, desc, "closed_at") && !is_null(new, desc, "closed_at"))
	{
		argument = part_value(old, desc, "id", &isnull);
		kept_plan_execute(&minutes, &argument, NULL, 0);
		stamp_add(stamps, desc, "closed_at", now, false);
	}
}

static void
stamp_minute(Stamps *stamps, const Meeting *meeting, HeapTuple old,
			 HeapTuple new, TupleDesc desc)
{
	static const char *const said[] = {"discussion", NULL};
	static const char *const decided[] = {"decision", NULL};
	bool		quorate = meeting->members >= meeting->quorum;
	char	   *given = text_of(new, desc, "decision");
	const char *decision;
	char	   *votes;
	bool		undone;

	if (old == NULL || !part_same(old, new, desc, said))
	{
		stamp_add(stamps, desc, "recorded_by_id",
				  Int64GetDatum(actor_person_required()), false);
		stamp_add(stamps, desc, "recorded_at",
				  TimestampTzGetDatum(GetCurrentTimestamp()), false);
	}
	if (part_id(new, desc, "change_id") == 0)
		return;
	decision = meeting_decision(meeting, part_id(new, desc, "change_id"), &votes,
								&undone);
	if (old && part_same(old, new, desc, decided))
	{
		/* a decision of the meeting stays, whatever became of the change */
		if (!quorate || (strcmp(decision, "noted") == 0 && !undone &&
						 !part_is(old, desc, "decision", "noted")))
		{
			Datum		value;
			bool		isnull;

			value = part_value(old, desc, "votes", &isnull);
			stamp_add(stamps, desc, "votes", value, isnull);
			return;
		}
		given = NULL;
	}
	if (!quorate && given && strcmp(given, "noted") == 0)
		decision = given;
	else if (!quorate && (given || strcmp(decision, "noted") != 0))
		ereport(ERROR,
				(errcode(ERRCODE_MC_REQUIREMENTS_UNMET), err_as_caller(),
				 errmsg("meeting " INT64_FORMAT " of board %s is below its quorum and decides nothing",
						meeting->id, meeting->board),
				 errdetail("quorum: %d of %d members are present",
						   meeting->members, meeting->quorum),
				 errhint("Record what was said with decision => 'noted'; votes count by themselves.")));
	else if (given && strcmp(given, decision) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_REQUIREMENTS_UNMET), err_as_caller(),
				 errmsg("the minutes cannot say %s", given),
				 errdetail("votes: %s; so far that is %s",
						   votes ? votes : "none", decision),
				 errhint("Members vote with changemgmt.approve(" INT64_FORMAT "), reject or defer; leave the decision out, and the votes say it.",
						 part_id(new, desc, "change_id"))));
	stamp_add(stamps, desc, "decision", CStringGetTextDatum(decision), false);
	stamp_add(stamps, desc, "votes", votes ? CStringGetTextDatum(votes) : 0,
			  votes == NULL);
}

/* BEFORE ROW of all four tables. */
Datum
meeting_stamp(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "meeting_stamp",
										 FOR_ROW | AT_BEFORE, NULL);
	MeetingTable table = meeting_table(trigdata->tg_relation);
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	HeapTuple	old = TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) ? NULL :
		trigdata->tg_trigtuple;
	HeapTuple	new = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;
	MemoryContext caller = CurrentMemoryContext;
	Stamps		stamps = {0};
	Meeting		meeting;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(new);
	SPI_connect();
	if (table == TABLE_MEETING)
	{
		if (!TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
			stamp_meeting(&stamps, old, new, desc);
		/* here, as after the row foreign keys would have their say first */
		else if (!part_is(old, desc, "status", "planned"))
			refuse(ERRCODE_MC_APPEND_ONLY, "a meeting that was held or cancelled stays on record",
				   "Only what is planned can be taken away.");
	}
	else if (part_id(new, desc, "meeting_id") != 0)
	{
		meeting_find(&meeting, part_id(new, desc, "meeting_id"));
		if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
			 /* nothing is written */ ;
		else if (table == TABLE_ATTENDANCE && old == NULL)
		{
			char	   *seat = board_seat(meeting.board_id,
										  part_id(new, desc, "person_id"));

			stamp_add(&stamps, desc, "seat", seat ? CStringGetTextDatum(seat) : 0,
					  seat == NULL);
		}
		else if (table == TABLE_AGENDA)
		{
			stamp_add(&stamps, desc, "added_by_id",
					  Int64GetDatum(actor_person_required()), false);
			stamp_add(&stamps, desc, "added_at",
					  TimestampTzGetDatum(GetCurrentTimestamp()), false);
		}
		else if (table == TABLE_MINUTE)
		{
			/* before anything is read for it, or said of it */
			require_held(&meeting);
			stamp_minute(&stamps, &meeting, old, new, desc);
		}
	}
	if (stamps.count > 0)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);

		new = heap_modify_tuple_by_cols(new, desc, stamps.count, stamps.columns,
										stamps.values, stamps.nulls);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return PointerGetDatum(new);
}

/* ----------------------------------------------------------------
 * After the row: judge it as it was stored
 * ---------------------------------------------------------------- */

static TimestampTz
time_of(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;

	return DatumGetTimestampTz(part_value(tuple, desc, column, &isnull));
}

static void
judge_new_meeting(HeapTuple new, TupleDesc desc)
{
	if (!part_is(new, desc, "status", "planned") ||
		!is_null(new, desc, "held_at") || !is_null(new, desc, "closed_at") ||
		!is_null(new, desc, "minutes") || !is_null(new, desc, "quorum"))
		refuse(ERRCODE_MC_ILLEGAL_TRANSITION, "a meeting is planned before it is held",
			   "changemgmt.hold_meeting(meeting_id, present) records that it is held. History comes in by COPY.");
	if (time_of(new, desc, "ends_at") <= GetCurrentTimestamp())
		refuse(ERRCODE_MC_INVALID_INPUT, "a meeting cannot be planned in the past",
			   "Give it a time to come, or call one with changemgmt.call_emergency_meeting(board, reason).");
	if (!part_is(new, desc, "kind", "emergency"))
		return;
	if (is_blank(text_of(new, desc, "reason")))
		refuse(ERRCODE_MC_REQUIREMENTS_UNMET, "an emergency meeting says why it is called",
			   "changemgmt.call_emergency_meeting(board, reason).");
	require_seat(part_id(new, desc, "board_id"), 0, false);
}

static void
judge_meeting(HeapTuple old, HeapTuple new, TupleDesc desc)
{
	static const char *const fixed[] = {"board_id", "kind", NULL};
	static const char *const all[] = {
		"board_id", "starts_at", "ends_at", "kind", "status", "location", "quorum",
		"reason", "status_reason", "chair_id", "held_at", "closed_at", "minutes", NULL
	};
	static const char *const when[] = {"starts_at", "ends_at", NULL};
	static const char *const stamped[] = {"held_at", "quorum", NULL};
	static const char *const status[] = {"status", NULL};
	TimestampTz now = GetCurrentTimestamp();
	bool		was_held;
	bool		is_held;

	if (old == NULL)
	{
		judge_new_meeting(new, desc);
		return;
	}
	if (new == NULL || part_same(old, new, desc, all))
		return;
	was_held = part_is(old, desc, "status", "held");
	is_held = part_is(new, desc, "status", "held");
	if (!is_null(old, desc, "closed_at"))
		refuse(ERRCODE_MC_SEALED_CONTENT, "a meeting that is closed stays as it is",
			   "What is to be added goes into the next meeting's minutes.");
	if (part_is(old, desc, "status", "cancelled"))
		refuse(ERRCODE_MC_ILLEGAL_TRANSITION, "a meeting that is cancelled stays so",
			   "Plan another with changemgmt.plan_meetings(board, until), or call one.");
	if (!part_same(old, new, desc, fixed))
		refuse(ERRCODE_MC_SEALED_CONTENT, "board and kind of a meeting do not change",
			   "Cancel it with changemgmt.cancel_meeting(meeting_id, reason) and plan another.");
	if (was_held && !is_held)
		refuse(ERRCODE_MC_ILLEGAL_TRANSITION, "a meeting that is held stays so",
			   "changemgmt.close_meeting(meeting_id, minutes) ends it.");
	if (was_held && !part_same(old, new, desc, when))
		refuse(ERRCODE_MC_SEALED_CONTENT, "the time of a meeting that is held does not change",
			   "held_at says when it really began.");
	if (was_held ? !part_same(old, new, desc, stamped) :
		is_held ? !part_time_is_now(time_of(new, desc, "held_at")) :
		!is_null(new, desc, "held_at") || !is_null(new, desc, "quorum"))
		refuse(ERRCODE_MC_SEALED_CONTENT, "held_at and quorum of a meeting are filled in when it is held",
			   "Leave them out.");
	if (!is_null(new, desc, "closed_at") &&
		!part_time_is_now(time_of(new, desc, "closed_at")))
		refuse(ERRCODE_MC_SEALED_CONTENT, "closed_at of a meeting is filled in when it is closed",
			   "Leave it out.");
	if (!is_held && (!is_null(new, desc, "closed_at") || !is_null(new, desc, "minutes")))
		refuse(ERRCODE_MC_ILLEGAL_TRANSITION, "only a meeting that is held has minutes and is closed",
			   "changemgmt.hold_meeting(meeting_id, present) records that it is held.");
	if (is_held && !was_held &&
		(now < time_of(new, desc, "starts_at") - HOLD_MARGIN ||
		 now > time_of(new, desc, "ends_at") + HOLD_MARGIN))
		refuse(ERRCODE_MC_ILLEGAL_TRANSITION, "a meeting is recorded within 24 hours of its time",
			   "Cancel one that was not held; call one at once with changemgmt.call_emergency_meeting(board, reason).");
	if (part_is(new, desc, "status", "cancelled") &&
		is_blank(text_of(new, desc, "status_reason")))
		refuse(ERRCODE_MC_REQUIREMENTS_UNMET, "who cancels a meeting says why",
			   "changemgmt.cancel_meeting(meeting_id, reason).");
	if (part_is(new, desc, "status", "planned") &&
		!part_same(old, new, desc, when) &&
		time_of(new, desc, "ends_at") <= now)
		refuse(ERRCODE_MC_INVALID_INPUT, "a meeting cannot be planned in the past",
			   "Give it a time to come.");
	/* planning and cancelling is a manager's duty, not a member's */
	if (is_held || part_same(old, new, desc, status))
		require_seat(part_id(new, desc, "board_id"), part_id(new, desc, "id"), false);
}

static void
judge_entry(MeetingTable table, HeapTuple old, HeapTuple new, TupleDesc desc)
{
	static const char *const place[] = {"meeting_id", NULL};
	static const char *const change[] = {"change_id", NULL};
	static const char *const attendance[] = {"person_id", "seat", NULL};
	static const char *const said[] = {"discussion", NULL};
	static const char *const who[] = {"recorded_by_id", "recorded_at", NULL};
	static const char *const decided[] = {"decision", NULL};
	HeapTuple	row = new ? new : old;
	Meeting		meeting;

	meeting_find(&meeting, part_id(row, desc, "meeting_id"));
	if (old && new && !part_same(old, new, desc, place))
		refuse(ERRCODE_MC_SEALED_CONTENT, "what belongs to one meeting does not move to another",
			   "Add it to the other meeting.");
	if (table == TABLE_AGENDA)
		meeting_require_open(&meeting);
	else
		require_held(&meeting);
	if (new == NULL && table != TABLE_ATTENDANCE)
		refuse(ERRCODE_MC_APPEND_ONLY, "agenda and minutes of a meeting stay on record",
			   table == TABLE_AGENDA ?
			   "changemgmt.remove_from_agenda(meeting_id, change_id) leaves a change out." :
			   "Write with changemgmt.record_minute() what is right.");
	require_seat(meeting.board_id, meeting.id, table == TABLE_MINUTE);
	if (table == TABLE_ATTENDANCE)
	{
		char	   *seat = new ? text_of(new, desc, "seat") : NULL;
		char	   *held = new ? board_seat(meeting.board_id,
											part_id(new, desc, "person_id")) : NULL;

		if (old && new ? !part_same(old, new, desc, attendance) :
			new && (seat == NULL ? held != NULL :
					held == NULL || strcmp(seat, held) != 0))
			refuse(ERRCODE_MC_SEALED_CONTENT, "the seat of who is present is filled in",
				   "Name who is present in changemgmt.hold_meeting(meeting_id, present).");
		return;
	}
	if (old && !part_same(old, new, desc, change))
		refuse(ERRCODE_MC_SEALED_CONTENT, "agenda and minutes stay with their change",
			   "Add the other change.");
	if (table == TABLE_AGENDA)
	{
		if (part_id(new, desc, "added_by_id") != actor_person() ||
			!part_time_is_now(time_of(new, desc, "added_at")))
			refuse(ERRCODE_MC_SEALED_CONTENT, "who placed a change on an agenda, and when, is filled in",
				   "A trigger of the site changed it: give it a name that sorts before zzz_meeting.");
		return;
	}
	if (is_blank(text_of(new, desc, "discussion")))
		refuse(ERRCODE_MC_INVALID_INPUT, "a minute says what was said",
			   "changemgmt.record_minute(meeting_id, change_id, discussion).");
	if (old && part_same(old, new, desc, said) ?
		!part_same(old, new, desc, who) :
		part_id(new, desc, "recorded_by_id") != actor_person() ||
		!part_time_is_now(time_of(new, desc, "recorded_at")))
		refuse(ERRCODE_MC_SEALED_CONTENT, "who recorded a minute, and when, is filled in",
			   "Leave it out.");
	if (!part_is(new, desc, "decision", "noted") &&
		!(old && part_same(old, new, desc, decided)))
	{
		char	   *votes;
		bool		undone;
		const char *decision = meeting_decision(&meeting,
												part_id(new, desc, "change_id"),
												&votes, &undone);

		if (!part_is(new, desc, "decision", decision))
			refuse(ERRCODE_MC_SEALED_CONTENT, "the decision of a minute is what the votes say",
				   "A trigger of the site changed it: give it a name that sorts before zzz_meeting.");
	}
}

/* AFTER ROW of all four tables. */
Datum
meeting_judge(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "meeting_judge",
										 FOR_ROW | AT_AFTER, NULL);
	MeetingTable table = meeting_table(trigdata->tg_relation);
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	HeapTuple	old = TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) ? NULL :
		trigdata->tg_trigtuple;
	HeapTuple	new = TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ? NULL :
		TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newtuple :
		trigdata->tg_trigtuple;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	SPI_connect();
	if (table == TABLE_MEETING)
		judge_meeting(old, new, desc);
	else
		judge_entry(table, old, new, desc);
	SPI_finish();
	return PointerGetDatum(NULL);
}

/* hidden_items(kind): rows of agenda_item or meeting_minute of hidden changes */
Datum
hidden_items(PG_FUNCTION_ARGS)
{
	static KeptPlan items = {
		"SELECT pg_catalog.array_agg(id) FROM changemgmt.agenda_item"
		" WHERE change_id OPERATOR(pg_catalog.=) ANY ($1)",
		1, {INT8ARRAYOID}, NULL
	};
	static KeptPlan minutes = {
		"SELECT pg_catalog.array_agg(id) FROM changemgmt.meeting_minute"
		" WHERE change_id OPERATOR(pg_catalog.=) ANY ($1)",
		1, {INT8ARRAYOID}, NULL
	};
	char	   *kind = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum		argument = hidden_changes(fcinfo);

	if (strcmp(kind, "agenda_item") == 0)
		return kept_plan_read_ids(&items, &argument);
	if (strcmp(kind, "meeting_minute") == 0)
		return kept_plan_read_ids(&minutes, &argument);
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT),
			 errmsg("\"%s\" is not agenda_item or meeting_minute", kind)));
	PG_RETURN_NULL();			/* not reached */
}
