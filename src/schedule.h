/*-------------------------------------------------------------------------
 *
 * schedule.h
 *	  Bookings, what collides with them, and which times are free.
 *
 * schedule.c writes the table booking, when schedule_trigger.c says so;
 * schedule_conflict.c finds what a time
 * collides with, schedule_requirement.c refuses it, schedule_window.c offers
 * others.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_SCHEDULE_H
#define CHANGEMGMT_SCHEDULE_H

#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "calendar.h"
#include "change.h"
#include "model.h"

/* An item of a change. */
typedef struct BookingItem
{
	int64		ci_id;
	bool		is_changed;		/* else it may only notice the work */
	bool		is_exclusive;	/* the item: one change at a time */
} BookingItem;

/*
 * What a change books on its items; false where it books nothing.  It follows
 * from the row alone.
 */
extern bool booking_period(const ChangeRow *row, Period *period);
/* For how long the work is expected to last, in microseconds. */
extern int64 booking_length(const ChangeRow *row);
/* The items of a change, in the order of their ids.  Needs an SPI connection. */
extern BookingItem *booking_items(int64 change_id, bool as_query, int *n);
extern char *booking_ci_name(int64 ci_id);
/* "2026-01-01 10:00:00+00 to ...", palloc'ed. */
extern char *booking_time_text(TimestampTz from, TimestampTz to);

/* A row of booking; its change is known. */
typedef struct Booking
{
	int64		ci_id;
	Period		period;
	bool		is_changed;
	bool		is_exclusive;
} Booking;

/* The rows that a change has to have and those that it has, by item. */
extern Booking *bookings_wanted(const ChangeRow *row, int *n);
extern Booking *bookings_stored(int64 change_id, int *n);
/*
 * Whether a row that is there can stay.  One that is not exclusive although it
 * could be overlapped in history, and stays until it moves.
 */
extern bool booking_stays(const Booking *stored, const Booking *wanted);
/* Bring the rows of a change from one to the other; MC007. */
extern void bookings_write(int64 change_id, const Booking *stored, int n_stored,
						   Booking *wanted, int n_wanted);
/* What is being written for a change now; false where nothing is. */
extern bool bookings_being_written(int64 change_id, const Booking **rows,
								   int *n);
extern bool bookings_being_rebuilt(void);

typedef enum ConflictKind
{
	CONFLICT_SAME_CI,
	CONFLICT_DEPENDENCY,
	CONFLICT_PERSON,
	CONFLICT_RELEASE_ORDER,
	CONFLICT_OUTSIDE_WINDOW,
	CONFLICT_INSIDE_BLACKOUT
} ConflictKind;

typedef enum ConflictSeverity
{
	SEVERITY_LOW,
	SEVERITY_MEDIUM,
	SEVERITY_HIGH,
	SEVERITY_NONE				/* more than any conflict has */
} ConflictSeverity;

extern const char *conflict_kind_code(ConflictKind kind);
extern const char *conflict_severity_code(ConflictSeverity severity);

/* What is to be done, and when. */
typedef struct ConflictQuery
{
	int64		change_id;		/* 0: a change that is not there yet */
	const BookingItem *items;
	int			n_items;
	Period		period;
	int64		owner_id;		/* 0: nobody */
	int64		implementer_id;
	bool		at_start;		/* what is under way collides, booked or not */
	bool		ordered;		/* look at the order of releases, too */
	bool		as_query;		/* as the calling query sees it */
	ConflictSeverity least;		/* of what is looked for; what nobody can
								 * override is always found */
} ConflictQuery;

typedef struct Conflict
{
	ConflictKind kind;
	ConflictSeverity severity;
	bool		is_hard;		/* nobody can override it */
	int64		other_id;		/* the other change; 0: a window */
	bool		other_confidential;
	bool		other_begun;	/* it is under way */
	bool		other_first;	/* it has to come before */
	Period		other;			/* what it books, or what is closed */
	int64		ci_id;			/* 0: none in particular */
	int64		other_ci_id;
	bool		ci_depends;		/* ci_id on other_ci_id */
	char	   *window_name;	/* of the blackout or the windows */
	char	   *window_text;	/* what is closed, in words */
	TimestampTz since;			/* when that was booked or declared */
} Conflict;

/* Conflicts with other changes, in the order of time.  Needs SPI. */
extern List *conflicts_with_changes(const ConflictQuery *query);
/* Conflicts with windows and blackouts. */
extern List *conflicts_with_windows(const ChangeRow *row,
									const ChangeModel *model,
									const BookingItem *items, int n_items,
									const Period *period);
/* Whose windows hold for a change. */
extern void conflict_scope(WindowScope *scope, const ChangeRow *row,
						   const ChangeModel *model,
						   const BookingItem *items, int n_items);
/* In words: what it is, and what would solve it. */
extern char *conflict_text(const Conflict *conflict, bool as_query);
extern char *conflict_resolution(const Conflict *conflict, bool as_query);
extern ConflictSeverity conflict_severity_setting(void);

/*
 * When a manager last overrode a requirement for the planned time that a
 * change has now; DT_NOBEGIN where nobody did.
 */
extern TimestampTz override_time(int64 change_id, const char *requirement,
								 bool as_query);
/*
 * Whether a conflict is covered by such an override, of this change or of the
 * other one: what was booked or declared after it is not.  "since" is when this
 * change was booked.
 */
extern bool conflict_is_overridden(const Conflict *conflict,
								   TimestampTz override_at, TimestampTz since,
								   bool as_query);

extern void schedule_init(void);

#endif							/* CHANGEMGMT_SCHEDULE_H */
