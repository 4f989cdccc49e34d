/*-------------------------------------------------------------------------
 *
 * schedule_requirement.c
 *	  What booking and beginning require: in_window, no_blackout, no_conflict.
 *
 * A change that books a time is asked when it books it, every change when it
 * begins.  What is soft a manager overrides, for the time that is planned then;
 * an emergency is asked nothing, but what it ran through is written down.
 *
 * There is no state.  With the tables of a version that had no bookings all of
 * it is quiet.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/memutils.h"

#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "schedule.h"
#include "spi.h"

#define V(verb) VERB_BIT(VERB_##verb)

/* How many conflicts a refusal names; change_conflicts() has all of a booking. */
#define CONFLICTS_NAMED 5

/* What the three requirements of a step look at, read once. */
typedef struct ScheduleFacts
{
	bool		nothing;		/* there is no time to look at */
	Period		period;
	TimestampTz start;			/* when the work begins, at start */
	BookingItem *items;
	int			n_items;
	List	   *windows;		/* Conflicts */
	bool		windows_known;
} ScheduleFacts;

static ScheduleFacts *
facts_of(const Transition *t)
{
	const ChangeRow *row = t->row;
	ScheduleFacts *facts;

	if (t->memo && *t->memo)
		return *t->memo;
	facts = palloc0(sizeof(ScheduleFacts));
	if (t->memo)
		*t->memo = facts;
	facts->nothing = true;
	if (!relation_exists("booking"))
		return facts;

	if (t->verb == VERB_START)
	{
		facts->start = t->thought_of || change_is_null(row, actual_start) ?
			t->now : change_time(row, actual_start);
		facts->period.from = facts->start;
		facts->period.to = facts->start + booking_length(row);
		if (!change_is_null(row, scheduled_at) && t->model->books_window &&
			!change_is_null(row, planned_start) &&
			!change_is_null(row, planned_end))
		{
			facts->period.to = change_time(row, planned_end);

			/*
			 * It begins with its time, not before (inside_window); where that
			 * can be waived, at any time.
			 */
			if (!requirement_is_waivable(t->model, "inside_window"))
				facts->start = Max(facts->start, change_time(row, planned_start));
			else if (facts->start >= change_time(row, planned_end))
				facts->period.to = facts->start + booking_length(row);
			facts->period.from = facts->start;
		}
	}
	else
	{
		/* without a time window_booked refuses */
		if (change_is_null(row, planned_start) || change_is_null(row, planned_end))
			return facts;
		facts->period.from = change_time(row, planned_start);
		facts->period.to = change_time(row, planned_end);
	}
	if (facts->period.from >= facts->period.to)
		return facts;
	facts->nothing = false;
	facts->items = booking_items(change_id_of(row), false, &facts->n_items);
	return facts;
}

/* What of these is neither overridden nor of another kind, in words. */
static char *
conflicts_unmet(const Transition *t, List *conflicts, const char *requirement)
{
	const ScheduleFacts *facts = facts_of(t);
	const ChangeRow *row = t->row;
	TimestampTz override_at = DT_NOBEGIN;
	TimestampTz since = t->now;
	bool		inside = true;
	int			count = 0;
	StringInfoData buf;
	ListCell   *lc;

	if (conflicts == NIL)
		return NULL;
	if (t->verb == VERB_START)
	{
		/* an override is good for the time that it names, booked or not */
		inside = !change_is_null(row, planned_start) &&
			!change_is_null(row, planned_end) &&
			facts->start >= change_time(row, planned_start) &&
			facts->start < change_time(row, planned_end);
		if (!change_is_null(row, scheduled_at))
			since = change_time(row, scheduled_at);
	}
	if (inside)
		override_at = override_time(change_id_of(row), requirement, false);
	initStringInfo(&buf);
	foreach(lc, conflicts)
	{
		const Conflict *c = lfirst(lc);

		if (conflict_is_overridden(c, override_at, since, false))
			continue;
		if (count++ < CONFLICTS_NAMED)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? "; " : "",
							 conflict_text(c, false));
	}
	if (count > CONFLICTS_NAMED)
		appendStringInfo(&buf, "; and %d more", count - CONFLICTS_NAMED);
	return buf.len > 0 ? buf.data : NULL;
}

static char *
windows_unmet(const Transition *t, ConflictKind kind, const char *requirement)
{
	ScheduleFacts *facts = facts_of(t);
	List	   *conflicts = NIL;
	ListCell   *lc;

	if (facts->nothing)
		return NULL;
	if (!facts->windows_known)
	{
		if (!t->thought_of)
			windows_require_current();
		facts->windows = conflicts_with_windows(t->row, t->model, facts->items,
												facts->n_items, &facts->period);
		facts->windows_known = true;
	}
	foreach(lc, facts->windows)
		if (((Conflict *) lfirst(lc))->kind == kind)
			conflicts = lappend(conflicts, lfirst(lc));
	return conflicts_unmet(t, conflicts, requirement);
}

/*
 * At start it is asked again: items, tags and windows may be others than when
 * the time was booked.  Who books none begins when it suits.
 */
static char *
check_in_window(const Transition *t)
{
	const ScheduleFacts *facts = facts_of(t);

	if (t->verb == VERB_START && !t->model->books_window)
		return NULL;
	if (t->verb != VERB_START && !facts->nothing &&
		facts->period.to > RECURRENCE_TIME_LIMIT)
		return psprintf("maintenance windows and blackouts are computed up to the year %d",
						RECURRENCE_LAST_YEAR);
	return windows_unmet(t, CONFLICT_OUTSIDE_WINDOW, "in_window");
}

static char *
check_no_blackout(const Transition *t)
{
	return windows_unmet(t, CONFLICT_INSIDE_BLACKOUT, "no_blackout");
}

static char *
check_no_conflict(const Transition *t)
{
	ScheduleFacts *facts = facts_of(t);
	ConflictQuery query = {0};

	if (facts->nothing)
		return NULL;
	query.change_id = change_id_of(t->row);
	query.items = facts->items;
	query.n_items = facts->n_items;
	query.period = facts->period;
	query.owner_id = change_int64(t->row, owner_id);
	query.implementer_id = change_int64(t->row, implementer_id);
	query.at_start = t->verb == VERB_START;
	query.ordered = true;
	query.least = conflict_severity_setting();
	return conflicts_unmet(t, conflicts_with_changes(&query), "no_conflict");
}

/*
 * What an emergency ran through: a sentence about the blackouts that its work
 * overlapped, in the caller's context; NULL where it met none.
 */
static char *
blackouts_met(const ChangeRow *row, const ChangeModel *model,
			  TimestampTz from, TimestampTz to)
{
	MemoryContext caller = CurrentMemoryContext;
	Period		period = {from, Max(to, from + 1)};
	StringInfoData buf;
	BookingItem *items;
	int			n_items;
	ListCell   *lc;

	if (!relation_exists("booking"))
		return NULL;
	SPI_connect();
	items = booking_items(change_id_of(row), false, &n_items);
	initStringInfo(&buf);
	foreach(lc, conflicts_with_windows(row, model, items, n_items, &period))
	{
		const Conflict *c = lfirst(lc);

		if (c->kind != CONFLICT_INSIDE_BLACKOUT)
			continue;
		if (buf.len == 0)
			appendStringInfoString(&buf, "The work was done ");
		else
			appendStringInfoString(&buf, "; ");
		appendStringInfoString(&buf, conflict_text(c, false));
	}
	if (buf.len > 0)
	{
		char	   *text = MemoryContextStrdup(caller, buf.data);

		SPI_finish();
		return text;
	}
	SPI_finish();
	return NULL;
}

static const Requirement schedule_requirements[] = {
	{"in_window", "The time lies inside the maintenance windows that hold for the change.",
		"SELECT * FROM changemgmt.suggest_windows(%lld) offers times; what is soft a manager overrides: changemgmt.override_booking().",
	check_in_window, V(SCHEDULE) | V(RESCHEDULE) | V(START), ERRCODE_MC_BOOKING_CONFLICT},
	{"no_blackout", "No blackout that holds for the change overlaps the time.",
		"SELECT * FROM changemgmt.suggest_windows(%lld) offers times; what is soft a manager overrides: changemgmt.override_booking().",
	check_no_blackout, V(SCHEDULE) | V(RESCHEDULE) | V(START), ERRCODE_MC_BOOKING_CONFLICT},
	{"no_conflict", "No other change has the same items, or what they depend on, at the time.",
		"SELECT * FROM changemgmt.suggest_windows(%lld) offers times; what is not exclusive a manager overrides: changemgmt.override_booking().",
	check_no_conflict, V(SCHEDULE) | V(RESCHEDULE) | V(START), ERRCODE_MC_BOOKING_CONFLICT},
};

void
schedule_init(void)
{
	requirements_register_timed(schedule_requirements,
								lengthof(schedule_requirements));
	lifecycle_register_override(blackouts_met);
}
