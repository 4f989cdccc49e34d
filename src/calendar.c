/*-------------------------------------------------------------------------
 *
 * calendar.c
 *	  Business calendars: counting days and hours of work.
 *
 * A calendar has hours of work on days of the week, holidays, and a time zone.
 * A business day is a day that has hours and is no holiday.  Days are counted
 * on local dates, so a day is a day also where the clocks change; hours are
 * counted where the clocks show working time, hence exactly, whatever they do.
 * Both are arithmetic on weeks and a search among the holidays: no walk over
 * days.
 *
 * State: the calendars of the site, read once and again when any session
 * changed one of the three tables.  Invariant: they are of one complete
 * reading.  A pointer to one is valid until the next call of calendar_open().
 * The calendar that ships is a constant.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "calendar.h"
#include "compat.h"
#include "errors.h"
#include "spi.h"
#include "types_setting.h"

PG_FUNCTION_INFO_V1(add_business_days);
PG_FUNCTION_INFO_V1(business_calendar_id);
PG_FUNCTION_INFO_V1(business_days_between);
PG_FUNCTION_INFO_V1(business_duration);

/* Working time of a day of the week, in microseconds since its midnight. */
typedef struct Hours
{
	int			weekday;		/* 0 is Monday */
	int64		opens;
	int64		closes;
	int64		before;			/* working time of the week before it */
} Hours;

/*
 * Days are those of the type date.  2000-01-03 was a Monday, so week 0 begins
 * with day 2; times and ranks are counted from there.
 */
#define FIRST_MONDAY 2

typedef struct BusinessCalendar
{
	int64		id;				/* 0: the one that ships */
	const char *name;
	const char *time_zone;		/* NULL: the setting reporting_time_zone */
	int			n_hours;
	Hours	   *hours;			/* by weekday and time */
	int			days_before[8]; /* working days of the week before each */
	int64		time_before[8]; /* working time of the week before each */
	int			n_holidays;
	int32	   *holidays;		/* ascending, only those that have hours */
	int64	   *holiday_time;	/* working time that those before each take */
} BusinessCalendar;

static CachedTable calendar_table = {.relation = "business_calendar"};
static CachedTable hours_table = {.relation = "business_hours"};
static CachedTable holiday_table = {.relation = "holiday"};
static MemoryContext site_context = NULL;
static BusinessCalendar *site_calendars = NULL; /* by id, in site_context */
static int	n_site_calendars = 0;

/* Monday to Friday, whole days. */
static Hours shipped_hours[5];
static BusinessCalendar shipped = {
	.name = DEFAULT_CALENDAR, .n_hours = 5, .hours = shipped_hours
};

/* ----------
 * Reading
 * ----------
 */

static int
floor_div(int64 value, int64 by)
{
	return value / by - (value % by < 0);
}

/* Monday is 0 */
static int
weekday_of(int day)
{
	return day - FIRST_MONDAY - 7 * floor_div(day - FIRST_MONDAY, 7);
}

static int64
hours_of_weekday(const BusinessCalendar *calendar, int weekday)
{
	return calendar->time_before[weekday + 1] - calendar->time_before[weekday];
}

/* What follows from hours and holidays, whose order is right. */
static void
calendar_finish(BusinessCalendar *calendar)
{
	int			h = 0;
	int			kept = 0;
	int64		closed = 0;

	for (int weekday = 0; weekday < 7; weekday++)
	{
		int64		time = calendar->time_before[weekday];

		for (; h < calendar->n_hours && calendar->hours[h].weekday == weekday; h++)
		{
			calendar->hours[h].before = time;
			time += calendar->hours[h].closes - calendar->hours[h].opens;
		}
		calendar->time_before[weekday + 1] = time;
		calendar->days_before[weekday + 1] = calendar->days_before[weekday] +
			(time > calendar->time_before[weekday]);
	}
	for (int i = 0; i < calendar->n_holidays; i++)
	{
		int			day = calendar->holidays[i];
		int64		time = hours_of_weekday(calendar, weekday_of(day));

		if (time == 0)
			continue;
		calendar->holidays[kept] = day;
		calendar->holiday_time[kept++] = closed;
		closed += time;
	}
	calendar->n_holidays = kept;
}

static const BusinessCalendar *
shipped_calendar(void)
{
	if (shipped.days_before[7] == 0)
	{
		for (int i = 0; i < 5; i++)
			shipped_hours[i] = (Hours) {.weekday = i,.closes = USECS_PER_DAY};
		calendar_finish(&shipped);
	}
	return &shipped;
}

static BusinessCalendar *
by_id(BusinessCalendar *calendars, int n, int64 id)
{
	int			low = 0;

	while (low < n)
	{
		int			middle = (low + n) / 2;

		if (calendars[middle].id < id)
			low = middle + 1;
		else
			n = middle;
	}
	return &calendars[low];
}

static int64
int64_of(HeapTuple row, int column)
{
	bool		isnull;

	return DatumGetInt64(SPI_getbinval(row, SPI_tuptable->tupdesc, column,
									   &isnull));
}

/*
 * Rows of hours or holidays that belong to no calendar can't be: a foreign key
 * keeps them, and a calendar that was created meanwhile has its id checked.
 */
static BusinessCalendar *
owner_of(BusinessCalendar *calendars, int n, HeapTuple row)
{
	int64		id = int64_of(row, 1);
	BusinessCalendar *calendar = n > 0 ? by_id(calendars, n, id) : NULL;

	return calendar && calendar < calendars + n && calendar->id == id ?
		calendar : NULL;
}

/*
 * Read all calendars.  They are published together, at the end, so that an
 * error on the way leaves the old ones, marked as not current.
 */
static void
calendars_read(void)
{
	static KeptPlan calendar_plan = {
		.sql = "SELECT id, name, time_zone FROM changemgmt.business_calendar ORDER BY id"
	};
	static KeptPlan hours_plan = {
		.sql = "SELECT calendar_id, weekday, opens, closes"
		" FROM changemgmt.business_hours ORDER BY calendar_id, weekday, opens"
	};
	static KeptPlan holiday_plan = {
		.sql = "SELECT calendar_id, day FROM changemgmt.holiday ORDER BY calendar_id, day"
	};
	MemoryContext context;
	MemoryContext old;
	BusinessCalendar *calendars;
	int			n;
	Hours	   *hours;
	int32	   *holidays;
	int64	   *holiday_time;

	/* a child of the caller's until it is complete: an error frees it */
	context = AllocSetContextCreate(CurrentMemoryContext,
									"changemgmt business calendars",
									ALLOCSET_SMALL_SIZES);
	SPI_connect();
	cached_table_begin(&calendar_table);
	cached_table_begin(&hours_table);
	cached_table_begin(&holiday_table);

	/* each execution goes back to SPI's own memory context */
	kept_plan_execute(&calendar_plan, NULL, NULL, 0);
	old = MemoryContextSwitchTo(context);
	n = SPI_processed;
	calendars = palloc0(Max(n, 1) * sizeof(BusinessCalendar));
	for (int i = 0; i < n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];

		calendars[i].id = int64_of(row, 1);
		calendars[i].name = SPI_getvalue(row, SPI_tuptable->tupdesc, 2);
		calendars[i].time_zone = SPI_getvalue(row, SPI_tuptable->tupdesc, 3);
	}
	SPI_freetuptable(SPI_tuptable);

	kept_plan_execute(&hours_plan, NULL, NULL, 0);
	MemoryContextSwitchTo(context);
	hours = palloc(Max(SPI_processed, 1) * sizeof(Hours));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		BusinessCalendar *calendar = owner_of(calendars, n, row);
		bool		isnull;

		if (calendar == NULL)
			continue;
		if (calendar->n_hours++ == 0)
			calendar->hours = &hours[i];
		hours[i].weekday = DatumGetInt32(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull)) - 1;
		hours[i].opens = int64_of(row, 3);
		hours[i].closes = int64_of(row, 4);
	}
	SPI_freetuptable(SPI_tuptable);

	kept_plan_execute(&holiday_plan, NULL, NULL, 0);
	MemoryContextSwitchTo(context);
	holidays = palloc(Max(SPI_processed, 1) * sizeof(int32));
	holiday_time = palloc(Max(SPI_processed, 1) * sizeof(int64));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		BusinessCalendar *calendar = owner_of(calendars, n, row);
		bool		isnull;

		if (calendar == NULL)
			continue;
		if (calendar->n_holidays++ == 0)
		{
			calendar->holidays = &holidays[i];
			calendar->holiday_time = &holiday_time[i];
		}
		holidays[i] = DatumGetDateADT(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull));
	}
	for (int i = 0; i < n; i++)
		calendar_finish(&calendars[i]);
	MemoryContextSwitchTo(old);
	SPI_finish();

	MemoryContextSetParent(context, CacheMemoryContext);
	if (site_context != NULL)
		MemoryContextDelete(site_context);
	site_context = context;
	site_calendars = calendars;
	n_site_calendars = n;
	cached_table_done(&calendar_table);
	cached_table_done(&hours_table);
	cached_table_done(&holiday_table);
}

/* NULL where there is none. */
static const BusinessCalendar *
calendar_find(const char *name)
{
	if (!calendar_table.is_current || !hours_table.is_current ||
		!holiday_table.is_current)
	{
		/* the tables of version 1.0 have no calendars */
		if (relation_exists("holiday"))
			calendars_read();
		else
			n_site_calendars = 0;
	}
	for (int i = 0; i < n_site_calendars; i++)
		if (strcmp(site_calendars[i].name, name) == 0)
			return &site_calendars[i];
	return strcmp(name, DEFAULT_CALENDAR) == 0 ? shipped_calendar() : NULL;
}

/* A calendar that is asked; or why it can't be, and what to do about it. */
typedef struct Asked
{
	const BusinessCalendar *calendar;
	pg_tz	   *zone;
	char	   *problem;
	char	   *hint;
} Asked;

static bool
calendar_open(const char *name, Asked *asked)
{
	const BusinessCalendar *calendar = calendar_find(name);
	const char *zone;

	memset(asked, 0, sizeof(Asked));
	if (calendar == NULL)
	{
		asked->problem = psprintf("business calendar \"%s\" does not exist", name);
		asked->hint = psprintf("Check the name, or run SELECT changemgmt.create_business_calendar(%s, time_zone);",
							   quote_literal_cstr(name));
		return false;
	}
	if (calendar->days_before[7] == 0)
	{
		asked->problem = psprintf("business calendar \"%s\" has no working hours", name);
		asked->hint = psprintf("SELECT changemgmt.set_business_hours(%s, 'MO-FR 09:00-17:00');",
							   quote_literal_cstr(name));
		return false;
	}
	asked->calendar = calendar;
	zone = calendar->time_zone ? calendar->time_zone :
		setting_get("reporting_time_zone");
	asked->zone = pg_tzset(zone);
	if (asked->zone == NULL)
	{
		asked->problem = psprintf("time zone \"%s\" is not known to this server", zone);
		asked->hint = pstrdup(calendar->time_zone ?
							  "Change that of the business calendar; the view pg_timezone_names lists the names." :
							  "Change it with SELECT changemgmt.set_setting('reporting_time_zone', ...); the view pg_timezone_names lists the names.");
		return false;
	}
	return true;
}

static void
calendar_require(const char *name, Asked *asked)
{
	if (!calendar_open(name, asked))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("%s", asked->problem), errhint("%s", asked->hint)));
}

char *
calendar_problem(const char *name, char **hint)
{
	Asked		asked;

	calendar_open(name, &asked);
	if (hint)
		*hint = asked.hint;
	return asked.problem;
}

int64
calendar_id(const char *name)
{
	const BusinessCalendar *calendar = calendar_find(name);

	if (calendar == NULL || calendar->id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 calendar ?
				 errmsg("business calendar \"%s\" is the one that ships, which has no rows", name) :
				 errmsg("business calendar \"%s\" does not exist", name),
				 errhint("Run SELECT changemgmt.create_business_calendar(%s, time_zone);",
						 quote_literal_cstr(name))));
	return calendar->id;
}

const char *
calendar_time_zone(const char *name)
{
	const BusinessCalendar *calendar = calendar_find(name);

	return calendar && calendar->time_zone ? calendar->time_zone :
		setting_get("reporting_time_zone");
}

/* ----------
 * Counting days
 * ----------
 */

/* How many holidays (with hours) are before this day. */
static int
holidays_before(const BusinessCalendar *calendar, int day)
{
	int			low = 0;
	int			high = calendar->n_holidays;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (calendar->holidays[middle] < day)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* How many days with hours are before this day, holidays or not. */
static int
week_rank(const BusinessCalendar *calendar, int day)
{
	return floor_div(day - FIRST_MONDAY, 7) * calendar->days_before[7] +
		calendar->days_before[weekday_of(day)];
}

/* How many business days are before this day. */
static int
rank_of(const BusinessCalendar *calendar, int day)
{
	return week_rank(calendar, day) - holidays_before(calendar, day);
}

/* The business day that has so many before it. */
static int
day_of_rank(const BusinessCalendar *calendar, int rank)
{
	int			low = 0;
	int			high = calendar->n_holidays;
	int			week;
	int			weekday = 0;

	/* the holidays before it: they have as many before them, or less */
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (week_rank(calendar, calendar->holidays[middle]) - middle <= rank)
			low = middle + 1;
		else
			high = middle;
	}
	rank += low;
	week = floor_div(rank, calendar->days_before[7]);
	rank -= week * calendar->days_before[7];
	while (calendar->days_before[weekday + 1] <= rank)
		weekday++;
	return week * 7 + FIRST_MONDAY + weekday;
}

static bool
is_business_day(const BusinessCalendar *calendar, int day)
{
	int			before;

	if (hours_of_weekday(calendar, weekday_of(day)) == 0)
		return false;
	before = holidays_before(calendar, day);
	return before == calendar->n_holidays || calendar->holidays[before] != day;
}

pg_noreturn static void out_of_range(void);

static void
out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT),
			 errmsg("timestamp out of range")));
}

/* Where a count begins: a business day and a time of it. */
typedef struct Beginning
{
	int			day;
	struct pg_tm tm;			/* local, whose date says nothing */
	fsec_t		fsec;
	bool		moved;			/* from a day off, to the next one's 00:00 */
} Beginning;

static int
local_day(TimestampTz at, const Asked *asked, struct pg_tm *tm, fsec_t *fsec)
{
	int			offset;

	if (timestamp2tm(at, &offset, tm, fsec, NULL, asked->zone) != 0)
		out_of_range();
	return date2j(tm->tm_year, tm->tm_mon, tm->tm_mday) - POSTGRES_EPOCH_JDATE;
}

static void
beginning_of(TimestampTz at, const Asked *asked, Beginning *result)
{
	result->day = local_day(at, asked, &result->tm, &result->fsec);
	result->moved = !is_business_day(asked->calendar, result->day);
	if (result->moved)
	{
		result->day = day_of_rank(asked->calendar,
								  rank_of(asked->calendar, result->day));
		result->tm.tm_hour = result->tm.tm_min = result->tm.tm_sec = 0;
		result->fsec = 0;
	}
}

/*
 * The same local time of the day that has so many business days before it;
 * false where time is at its end.  One that the clocks skip is taken as the
 * server takes it: an hour later.  Of one that comes twice, the second.
 */
static bool
time_of_rank(const Beginning *from, int rank, const Asked *asked,
			 TimestampTz *result)
{
	struct pg_tm tm = from->tm;
	int			offset;

	j2date(day_of_rank(asked->calendar, rank) + POSTGRES_EPOCH_JDATE,
		   &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
	offset = DetermineTimeZoneOffset(&tm, asked->zone);
	return tm2timestamp(&tm, from->fsec, &offset, result) == 0;
}

static void
check_finite(TimestampTz at, const char *what)
{
	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("%s cannot be counted from an infinite time", what)));
}

TimestampTz
calendar_add_business_days(TimestampTz at, int days, const char *name)
{
	Asked		asked;
	Beginning	from;
	TimestampTz result;

	check_finite(at, "business days");
	if (days < 0 || days > BUSINESS_DAYS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("%d business days are out of range", days),
				 errhint("Give a number from 0 to %d.", BUSINESS_DAYS_MAX)));

	calendar_require(name, &asked);
	beginning_of(at, &asked, &from);
	if (days == 0 && !from.moved)
		return at;
	if (!time_of_rank(&from, rank_of(asked.calendar, from.day) + days, &asked,
					  &result))
		out_of_range();
	return result;
}

/*
 * The largest n for which n business days after "from" are not after "to", 0
 * where there is none.  Local dates tell it, but for the time of the last day.
 */
static int
days_between(TimestampTz from_at, TimestampTz to_at, const Asked *asked)
{
	Beginning	from;
	struct pg_tm tm;
	fsec_t		fsec;
	TimestampTz result;
	int			day;
	int			rank;
	int			n;

	beginning_of(from_at, asked, &from);
	day = local_day(to_at, asked, &tm, &fsec);
	rank = rank_of(asked->calendar, from.day);
	n = rank_of(asked->calendar, day + 1) - 1 - rank;
	while (n > 0 &&
		   (!time_of_rank(&from, rank + n, asked, &result) || result > to_at))
		n--;
	return Max(n, 0);
}

/* ----------
 * Counting hours
 * ----------
 */

/* The working time before a local time, counted from FIRST_MONDAY. */
static int64
working_time_before(const BusinessCalendar *calendar, Timestamp local)
{
	int			day = floor_div(local, USECS_PER_DAY);
	int64		time = local - day * USECS_PER_DAY;
	int			weekday = weekday_of(day);
	int			before = holidays_before(calendar, day);
	int64		result = floor_div(day - FIRST_MONDAY, 7) *
		calendar->time_before[7] + calendar->time_before[weekday];

	if (before < calendar->n_holidays && calendar->holidays[before] == day)
		return result - calendar->holiday_time[before];
	for (int h = 0; h < calendar->n_hours; h++)
		if (calendar->hours[h].weekday == weekday)
			result += Max(Min(time, calendar->hours[h].closes) -
						  calendar->hours[h].opens, 0);
	if (before > 0)
	{
		int			last = calendar->holidays[before - 1];

		result -= calendar->holiday_time[before - 1] +
			hours_of_weekday(calendar, weekday_of(last));
	}
	return result;
}

bool
calendar_is_at_work(TimestampTz at, const char *name, bool *is_day)
{
	Asked		asked;
	char	   *hint;
	struct pg_tm tm;
	fsec_t		fsec;
	Timestamp	local;
	int			day;

	*is_day = true;
	if (calendar_problem(name, &hint) != NULL)
		return true;
	calendar_require(name, &asked);
	day = local_day(at, &asked, &tm, &fsec);
	*is_day = is_business_day(asked.calendar, day);
	if (!*is_day)
		return false;
	local = day * USECS_PER_DAY + tm.tm_hour * USECS_PER_HOUR +
		tm.tm_min * USECS_PER_MINUTE + tm.tm_sec * USECS_PER_SEC + fsec;
	return working_time_before(asked.calendar, local + 1) >
		working_time_before(asked.calendar, local);
}

#define UNIX_OFFSET \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY)

/*
 * Between two changes of the clocks, local and real time run alike.  What the
 * clocks show twice is worked twice, what they skip is not.
 */
static int64
working_time_between(TimestampTz from, TimestampTz to, const Asked *asked)
{
	const BusinessCalendar *calendar = asked->calendar;
	int64		result = 0;

	while (from < to)
	{
		pg_time_t	second = from / USECS_PER_SEC - (from % USECS_PER_SEC < 0) + UNIX_OFFSET;
		pg_time_t	boundary;
		long int	before_offset,
					after_offset;
		int			before_isdst,
					after_isdst;
		TimestampTz until = to;
		int			n;

		CHECK_FOR_INTERRUPTS();
		n = pg_next_dst_boundary(&second, &before_offset, &before_isdst,
								 &boundary, &after_offset, &after_isdst,
								 asked->zone);
		if (n < 0)
			out_of_range();
		if (n > 0 && boundary - UNIX_OFFSET < to / USECS_PER_SEC + 1)
			until = Min(until, (boundary - UNIX_OFFSET) * USECS_PER_SEC);
		result += working_time_before(calendar, until + before_offset * USECS_PER_SEC) -
			working_time_before(calendar, from + before_offset * USECS_PER_SEC);
		from = until;
	}
	return result;
}

/* ----------
 * SQL
 * ----------
 */

/* With two arguments in the calendar "default". */
Datum
add_business_days(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(calendar_add_business_days(PG_GETARG_TIMESTAMPTZ(0),
													 PG_GETARG_INT32(1),
													 PG_NARGS() < 3 ? DEFAULT_CALENDAR :
													 text_to_cstring(PG_GETARG_TEXT_PP(2))));
}

Datum
business_calendar_id(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(calendar_id(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

Datum
business_days_between(PG_FUNCTION_ARGS)
{
	TimestampTz from = PG_GETARG_TIMESTAMPTZ(0);
	TimestampTz to = PG_GETARG_TIMESTAMPTZ(1);
	Asked		asked;

	check_finite(from, "business days");
	check_finite(to, "business days");
	calendar_require(text_to_cstring(PG_GETARG_TEXT_PP(2)), &asked);
	PG_RETURN_INT32(to < from ? -days_between(to, from, &asked) :
					days_between(from, to, &asked));
}

Datum
business_duration(PG_FUNCTION_ARGS)
{
	TimestampTz from = PG_GETARG_TIMESTAMPTZ(0);
	TimestampTz to = PG_GETARG_TIMESTAMPTZ(1);
	Interval   *result = palloc0(sizeof(Interval));
	Asked		asked;

	check_finite(from, "working time");
	check_finite(to, "working time");
	/* the difference of any two finite times fits, but for the very longest */
	if ((from < to ? (float8) to - from : (float8) from - to) >
		BUSINESS_YEARS_MAX * 366.0 * USECS_PER_DAY)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("working time is counted over %d years at most",
						BUSINESS_YEARS_MAX)));
	calendar_require(text_to_cstring(PG_GETARG_TEXT_PP(2)), &asked);
	result->time = to < from ? -working_time_between(to, from, &asked) :
		working_time_between(from, to, &asked);
	PG_RETURN_INTERVAL_P(result);
}
