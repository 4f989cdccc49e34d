/*-------------------------------------------------------------------------
 *
 * calendar.h
 *	  Business calendars, the type recurrence, windows and blackouts.
 *
 * calendar.c counts days and hours of work, calendar_manage.c writes the
 * calendars, calendar_ics.c reads holidays from a text of RFC 5545.
 * calendar_rule.c reads and writes rules (RRULE of RFC 5545),
 * calendar_expand.c steps through their days with libical,
 * calendar_recurrence.c is the type, calendar_occurrence.c turns it into real
 * times; calendar_window.c says what windows and blackouts leave open,
 * calendar_window_sql.c is what SQL sees of that.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_CALENDAR_H
#define CHANGEMGMT_CALENDAR_H

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "pgtime.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

/* ----------
 * Business calendars, by name.  Who asks one that is not there, that has no
 * hours or whose time zone the server does not know, gets MC008.
 * ----------
 */

#define DEFAULT_CALENDAR	"default"
#define BUSINESS_DAYS_MAX	3660
#define BUSINESS_YEARS_MAX	1000

/* The same local time "days" business days later, 0 to BUSINESS_DAYS_MAX;
 * from a day off, counted from the next business day at 00:00. */
extern TimestampTz calendar_add_business_days(TimestampTz at, int days,
											  const char *calendar);

/* Why a calendar can't be asked (a phrase) and what to do; NULL: it can be. */
extern char *calendar_problem(const char *calendar, char **hint);

/*
 * Whether a time lies in the hours of a calendar, and whether the day has any.
 * Where the calendar can't be asked, both are true: it says nothing against.
 */
extern bool calendar_is_at_work(TimestampTz at, const char *calendar,
								bool *is_business_day);

/* Its row; MC008 for one that has none. */
extern int64 calendar_id(const char *calendar);
extern const char *calendar_time_zone(const char *calendar);

/* ----------
 * Rules.  A day is counted from 2000-01-01, as the server's type date does.
 * ----------
 */

#define RULE_INTERVAL_MAX		1000
#define RULE_COUNT_MAX			10000
#define RULE_TIMES_MAX			288 /* a day: every five minutes */

/* Occurrences begin in these years: libical's own calendar is another one
 * before 1583, and ends in 2582. */
#define RECURRENCE_FIRST_YEAR	1900
#define RECURRENCE_LAST_YEAR	2499

/* The day after the last one that is computed, and its beginning in UTC. */
#define RECURRENCE_DAY_LIMIT \
	(date2j(RECURRENCE_LAST_YEAR + 1, 1, 1) - POSTGRES_EPOCH_JDATE)
#define RECURRENCE_TIME_LIMIT	(RECURRENCE_DAY_LIMIT * USECS_PER_DAY)

typedef enum RuleFrequency
{
	RULE_DAILY,
	RULE_WEEKLY,
	RULE_MONTHLY,
	RULE_YEARLY
} RuleFrequency;

/* The parts that are lists, in the order in which they are written. */
typedef enum RuleList
{
	BY_MONTH,
	BY_WEEKNO,
	BY_YEARDAY,
	BY_MONTHDAY,
	BY_DAY,						/* see RULE_DAY */
	BY_HOUR,
	BY_MINUTE,
	BY_SECOND,
	BY_SETPOS
} RuleList;

#define RULE_LISTS (BY_SETPOS + 1)

/* A day of the week, 0 is Monday, with its ordinal (0: every, -1: the last) */
#define RULE_DAY(ordinal, weekday)	(((ordinal) + 64) * 8 + (weekday))
#define RULE_DAY_ORDINAL(value)		((value) / 8 - 64)
#define RULE_DAY_WEEKDAY(value)		((value) % 8)

typedef enum RuleUntil
{
	UNTIL_NONE,
	UNTIL_UTC,
	UNTIL_LOCAL,				/* in the zone of the recurrence */
	UNTIL_DATE					/* to the end of the local day */
} RuleUntil;

typedef struct Rule
{
	RuleFrequency frequency;
	int			interval;
	int			count;			/* 0: none */
	RuleUntil	until_kind;
	Timestamp	until;
	int			week_start;		/* 0 is Monday */
	int			n[RULE_LISTS];
	int16	   *by[RULE_LISTS]; /* sorted, each value once */
} Rule;

/* What is wrong with an input, and where; the caller makes it an error. */
typedef struct Fault
{
	int			sqlstate;
	const char *at;				/* in the input; NULL: no one place */
	const char *message;
	const char *hint;			/* or NULL */
} Fault;

/* Returns false, for the caller to hand on. */
extern bool fault_set(Fault *fault, int sqlstate, const char *at,
					  const char *hint, const char *format,...)
			pg_attribute_printf(5, 6);

/* Reads what follows RRULE: up to end. */
extern bool rule_parse(const char *text, const char *end, Rule *rule,
					   Fault *fault);

/* One of the forms 20260106, 20260106T020000, 20260106T020000Z, up to end. */
extern bool datetime_parse(const char *text, const char *end,
						   Timestamp *result, bool *is_date, bool *is_utc,
						   Fault *fault);
extern void datetime_append(StringInfo buf, Timestamp local, bool is_date);

/* Its one canonical form. */
extern char *rule_text(const Rule *rule);

/* Writes out what the rule takes from its start: afterwards it says by itself
 * which days and times are meant. */
extern void rule_complete(Rule *rule, Timestamp start);

/* Whether a completed rule can have a day at all, told without looking for
 * one; what that leaves is found out by looking. */
extern bool rule_is_possible(const Rule *rule, int start_day);

/* Whether a day is one of those that the lists of months, days of months,
 * weeks and days of the week name; ordinals are not looked at. */
extern bool rule_day_passes(const Rule *rule, int start_day, int day);

/* A number for the period (day, week, month, year) that a day belongs to. */
extern int	rule_period(const Rule *rule, int day);

/* The first day of that period, or a day before it. */
extern int	rule_period_start(const Rule *rule, int day);

/* ----------
 * Days of a completed rule, by libical
 * ----------
 */

/* Does libical, too, take the rule for one? */
extern bool rule_is_read(const Rule *rule);

typedef struct RuleWalker RuleWalker;

/* Lives in, and is freed with, the memory context.  False into *found if
 * libical knows no day of the rule. */
extern RuleWalker *rule_walker_new(MemoryContext context, const Rule *rule,
								   int start_day, bool *found);

/* From here on the days not before this one are given, in order. */
extern void rule_walker_seek(RuleWalker *walker, int day);
extern bool rule_walker_next(RuleWalker *walker, int *day);

/* ----------
 * The type
 * ----------
 */

/* On disk: only canonical values, see recurrence_check(). */
typedef struct Recurrence
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		version;		/* RECURRENCE_VERSION */
	uint8		unused;			/* 0 */
	uint16		flags;			/* 0 */
	Timestamp	start;			/* local, whole seconds */
	int32		days;			/* duration: nominal days ... */
	int32		seconds;		/* ... and exact seconds */
	uint16		zone_length;
	uint16		rule_length;	/* 0: happens once */
	int32		exdates;
	Timestamp	exdate[FLEXIBLE_ARRAY_MEMBER];	/* ascending */
	/* then the bytes of the zone's name and of the rule's text */
} Recurrence;

#define RECURRENCE_VERSION		1
#define RECURRENCE_EXDATES_MAX	1000
#define RECURRENCE_DAYS_MAX		366

#define RECURRENCE_ZONE(r)		((char *) &(r)->exdate[(r)->exdates])
#define RECURRENCE_RULE(r)		(RECURRENCE_ZONE(r) + (r)->zone_length)

/* Its text input. */
extern Datum recurrence_in(PG_FUNCTION_ARGS);

/* An argument, detoasted and looked at. */
extern Recurrence *recurrence_check(struct varlena *value);
#define PG_GETARG_RECURRENCE_P(n) \
	recurrence_check(PG_DETOAST_DATUM(PG_GETARG_DATUM(n)))

/* ----------
 * Real times
 * ----------
 */

typedef struct Occurrence
{
	TimestampTz starts_at;
	TimestampTz ends_at;
} Occurrence;

/* A recurrence made ready to be asked, with what it has computed. */
typedef struct RecurrenceState RecurrenceState;

extern RecurrenceState *recurrence_open(MemoryContext context,
										const Recurrence *value);

/* The moment at which clocks first show a local time, or jump over it. */
extern TimestampTz recurrence_real_time(Timestamp local, pg_tz *zone);

/* The first occurrence that begins later; false if there is none. */
extern bool recurrence_next(RecurrenceState *state, TimestampTz after,
							Occurrence *result);

/* The first occurrence that ends after one time and begins before another;
 * false if there is none. */
extern bool recurrence_overlapping(RecurrenceState *state, TimestampTz after,
								   TimestampTz before, Occurrence *result);

/* Whether there is one; UNTIL, COUNT and EXDATE are counted in. */
extern bool recurrence_has_any(RecurrenceState *state);

/* ----------
 * Windows and blackouts
 * ----------
 */

/* The longest range that can be asked about. */
#define WINDOW_DAYS_MAX		3660

/* Of one rule (or of one set of items outside of their windows) no more
 * refusals than this are given, the first ones. */
#define WINDOW_REFUSALS_MAX 100

/* Whose windows are asked for. */
typedef struct WindowScope
{
	const char *environment;	/* of the change; NULL: that of the items only */
	const char *model;			/* key of the model; NULL: windows of a model
								 * are left out */
	List	   *tags;			/* char *: of the change itself; those of its
								 * items are added */
	int			n_cis;
	const int64 *cis;			/* its items; none: only windows that name no
								 * item and no item's tag */
} WindowScope;

typedef struct WindowRefusal
{
	bool		is_blackout;	/* else: outside of all maintenance windows in
								 * scope */
	bool		is_hard;
	int64		window_id;		/* 0: outside */
	const char *name;			/* of the blackout; the maintenance windows'
								 * names, "a, b", when outside */
	const char *reason;			/* of the blackout, or NULL */
	int64		ci_id;			/* the first item that it is about; 0: the
								 * change as a whole */
	TimestampTz starts_at;		/* what is closed: the occurrence of the
								 * blackout (those that touch are one), or the
								 * uncovered part of the range */
	TimestampTz ends_at;		/* DT_NOEND: until further notice */
	TimestampTz declared_at;	/* when the rule (or the latest of the rules)
								 * was last written */
} WindowRefusal;

/* From "from" to before "to". */
typedef struct Period
{
	TimestampTz from;
	TimestampTz to;
} Period;

/*
 * What of [from, to) is closed, as WindowRefusals; NIL: all is open.  MC008
 * where the range is empty, endless or longer than WINDOW_DAYS_MAX.
 */
extern List *window_refusals(const WindowScope *scope, TimestampTz from,
							 TimestampTz to);
/* 40001 where REPEATABLE READ would miss windows that were declared since. */
extern void windows_require_current(void);
/* The open parts of [from, to), disjoint, in order. */
extern Period *window_open(const WindowScope *scope, TimestampTz from,
						   TimestampTz to, int *n);

/* What window_moment() tells of a time. */
typedef struct WindowMoment
{
	List	   *refusals;		/* NIL: it is open */
	char	   *names;			/* of the maintenance windows that cover it, or
								 * NULL */
	TimestampTz until;			/* when that is other; DT_NOEND: not in the next
								 * WINDOW_HORIZON_DAYS, or not before 2500 */
} WindowMoment;

#define WINDOW_HORIZON_DAYS 731

extern void window_moment(const WindowScope *scope, TimestampTz at,
						  WindowMoment *moment);
/* In words: inside the blackout "x" (reason). */
extern char *window_refusal_text(const WindowRefusal *refusal);

#endif							/* CHANGEMGMT_CALENDAR_H */
