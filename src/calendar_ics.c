/*-------------------------------------------------------------------------
 *
 * calendar_ics.c
 *	  Holidays from a text of RFC 5545, as calendars are published in (.ics).
 *
 * libical takes the text apart; what its properties say is read by our own
 * rules, and recurrences are expanded as everywhere (calendar_recurrence.c,
 * calendar_occurrence.c).  Only whole days become holidays: events of dates,
 * and those from one local midnight to another.  A text with an error imports
 * nothing.
 *
 * libical can't be interrupted inside a call and its memory is malloc'ed:
 * texts have a limit, are looked at before (is each BEGIN ended, and not too
 * deep?), and what was parsed is freed by a callback of the memory context
 * that all of an import lives in.  No code of the server runs inside of it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <libical/ical.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/memutils.h"

#include "calendar.h"
#include "compat.h"
#include "errors.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(import_holidays);

#define TEXT_MAX		(1024 * 1024)
#define HOLIDAYS_MAX	10000	/* days of one import */
#define EVENT_DAYS_MAX	366
#define NESTING_MAX		8
#define NAME_MAX_BYTES	200
#define YEARS_DEFAULT	10

typedef struct Holiday
{
	int			day;
	int			place;			/* in the text: the first event names a day */
	const char *name;			/* or NULL */
} Holiday;

/* An event that takes the place of one occurrence of another. */
typedef struct Override
{
	const char *uid;
	int			day;
} Override;

typedef struct Import
{
	icalcomponent *root;
	MemoryContextCallback callback;
	pg_tz	   *zone;
	int			until;			/* the last day */
	List	   *lines;			/* of the events, in their order */
	int			place;			/* of the event that is read */
	const char *name;			/* its own */
	int			n_overrides;
	Override   *overrides;		/* sorted */
	int			n;
	int			size;
	Holiday    *holidays;
	int			n_skipped;
	StringInfoData skipped;
} Import;

static void
import_free(void *argument)
{
	Import	   *import = argument;

	if (import->root != NULL)
		icalcomponent_free(import->root);
	import->root = NULL;
}

/* ----------
 * Errors
 * ----------
 */

pg_noreturn static void line_error(int line, const char *problem);
pg_noreturn static void event_error(const Import *import, const char *problem,
									const char *value);

static void
line_error(int line, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT),
			 errmsg("invalid calendar text: %s", problem),
			 errdetail("On line %d.", line),
			 errhint("Give the whole text of an .ics file; nothing was imported.")));
}

/* "the event on line 12, "Christmas Day"" */
static char *
event_words(const Import *import)
{
	int			line = list_nth_int(import->lines, import->place);

	return import->name ? psprintf("line %d, \"%s\"", line, import->name) :
		psprintf("line %d", line);
}

static void
event_error(const Import *import, const char *problem, const char *value)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT),
			 value ? errmsg("invalid calendar text: %s: \"%s\"", problem, value) :
			 errmsg("invalid calendar text: %s", problem),
			 errdetail("In the event that begins on %s.", event_words(import)),
			 errhint("Correct or leave out the event; nothing was imported.")));
}

/* ----------
 * The text as a whole
 * ----------
 */

/*
 * Each BEGIN has its END, all is inside of a VCALENDAR.  Notes the lines on
 * which events begin that libical gives as such.
 */
static void
text_scan(const char *text, Import *import)
{
	const char *open[NESTING_MAX];
	int			open_length[NESTING_MAX];
	int			open_line[NESTING_MAX];
	int			depth = 0;
	int			line = 0;

	while (*text)
	{
		const char *end = text + strcspn(text, "\r\n");
		int			length = end - text;

		line++;
		while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
			length--;
		if (*text == ' ' || *text == '\t' || length == 0)
			;					/* goes on with the line before */
		else if (length > 6 && pg_strncasecmp(text, "BEGIN:", 6) == 0)
		{
			if (depth == 0 &&
				(length != 15 || pg_strncasecmp(text + 6, "VCALENDAR", 9) != 0))
				line_error(line, "it does not begin with BEGIN:VCALENDAR");
			if (depth == NESTING_MAX)
				line_error(line, "components lie too deep in each other");
			if (depth == 1 && length == 12 &&
				pg_strncasecmp(text + 6, "VEVENT", 6) == 0)
				import->lines = lappend_int(import->lines, line);
			open[depth] = text + 6;
			open_length[depth] = length - 6;
			open_line[depth++] = line;
		}
		else if (depth == 0)
			line_error(line, "it does not begin with BEGIN:VCALENDAR");
		else if (length >= 4 && pg_strncasecmp(text, "END:", 4) == 0)
		{
			depth--;
			if (length - 4 != open_length[depth] ||
				pg_strncasecmp(text + 4, open[depth], open_length[depth]) != 0)
				line_error(line, psprintf("END:%.*s was expected for the BEGIN on line %d",
										  pg_mbcliplen(open[depth], open_length[depth], 40),
										  open[depth], open_line[depth]));
		}
		text = end;
		if (text[0] == '\r' && text[1] == '\n')
			text++;
		if (*text)
			text++;
		CHECK_FOR_INTERRUPTS();
	}
	if (line == 0)
		line_error(1, "it is empty");
	if (depth > 0)
		line_error(line, psprintf("it ends before END:%.*s, which belongs to the BEGIN on line %d",
								  pg_mbcliplen(open[depth - 1], open_length[depth - 1], 40),
								  open[depth - 1], open_line[depth - 1]));
}

static void
text_parse(const char *text, Import *import)
{
	icalerror_set_errors_are_fatal(false);
	icalerror_clear_errno();
	import->root = icalparser_parse_string(text);
	if (icalerrno == ICAL_NEWFAILED_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed in libical.")));
	if (import->root == NULL)
		line_error(1, "libical makes nothing of it");
}

/*
 * What libical could not read.  A value that is empty is none, and a property
 * that it does not know is to be ignored: neither is an error.
 */
static const char *
error_of(icalcomponent *component)
{
	for (icalproperty *p = icalcomponent_get_first_property(component, ICAL_XLICERROR_PROPERTY);
		 p != NULL;
		 p = icalcomponent_get_next_property(component, ICAL_XLICERROR_PROPERTY))
	{
		const char *words = icalproperty_get_xlicerror(p);

		if (words != NULL && strncmp(words, "No value for", 12) != 0 &&
			strncmp(words, "Parse error in property name", 28) != 0)
			return pnstrdup(words, pg_mbcliplen(words, strlen(words), NAME_MAX_BYTES));
	}
	return NULL;
}

/* ----------
 * Days
 * ----------
 */

static int
compare_holidays(const void *a, const void *b)
{
	const Holiday *x = a;
	const Holiday *y = b;

	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

/* Each day once, and not too many. */
static void
holidays_sort(Import *import)
{
	int			kept = 0;

	qsort(import->holidays, import->n, sizeof(Holiday), compare_holidays);
	for (int i = 0; i < import->n; i++)
		if (i == 0 || import->holidays[i].day != import->holidays[i - 1].day)
			import->holidays[kept++] = import->holidays[i];
	import->n = kept;
	if (import->n > HOLIDAYS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the calendar text has more than %d days", HOLIDAYS_MAX),
				 errhint("Import up to an earlier day: import_holidays(calendar, ics, until).")));
}

static void
day_add(Import *import, int day)
{
	if (day > import->until)
		return;
	if (import->n == import->size)
		holidays_sort(import);
	import->holidays[import->n++] = (Holiday) {day, import->place, import->name};
}

static int
day_of(Timestamp at)
{
	return at / USECS_PER_DAY - (at % USECS_PER_DAY < 0);
}

static int
compare_overrides(const void *a, const void *b)
{
	const Override *x = a;
	const Override *y = b;
	int			result = strcmp(x->uid, y->uid);

	return result != 0 ? result : (x->day > y->day) - (x->day < y->day);
}

/* ----------
 * Events
 * ----------
 */

typedef struct EventTime
{
	int			day;
	int64		time;			/* since midnight */
	bool		is_date;
	bool		is_utc;			/* as it was written */
} EventTime;

/* As it is written, in whatever zone; in UTC, as the calendar's zone shows it. */
static EventTime
time_of(const Import *import, icalproperty *property)
{
	const char *text = icalproperty_get_value_as_string(property);
	EventTime	result;
	Timestamp	local;
	Fault		fault;

	if (text == NULL ||
		!datetime_parse(text, text + strlen(text), &local, &result.is_date,
						&result.is_utc, &fault))
		event_error(import, psprintf("%s: %s",
									 icalproperty_get_property_name(property),
									 text ? fault.message : "there is no value"), text);
	if (result.is_utc)
	{
		struct pg_tm tm;
		fsec_t		fsec;
		int			offset;

		if (timestamp2tm(local, &offset, &tm, &fsec, NULL, import->zone) != 0)
			event_error(import, "a time is out of range", text);
		local -= offset * USECS_PER_SEC;
	}
	result.day = day_of(local);
	result.time = local - result.day * USECS_PER_DAY;
	return result;
}

/* The one property of this kind, NULL if it is not there. */
static icalproperty *
property_of(const Import *import, icalcomponent *event, icalproperty_kind kind)
{
	icalproperty *result = icalcomponent_get_first_property(event, kind);

	if (result && icalcomponent_get_next_property(event, kind))
		event_error(import, psprintf("%s is there twice",
									 icalproperty_kind_to_string(kind)), NULL);
	return result;
}

/* How many whole days, 0 for an event that is not of whole days. */
static int
days_of_event(const Import *import, icalcomponent *event, const EventTime *start)
{
	icalproperty *end = property_of(import, event, ICAL_DTEND_PROPERTY);
	icalproperty *duration = property_of(import, event, ICAL_DURATION_PROPERTY);
	int64		days = start->is_date;

	if (end && duration)
		event_error(import, "an event has DTEND or DURATION, not both", NULL);
	if (end)
	{
		EventTime	until = time_of(import, end);

		if (until.is_date != start->is_date)
			event_error(import, "DTSTART and DTEND are both dates or both times", NULL);
		days = until.day - start->day;
		if (days < 0 || (days == 0 && until.time < start->time))
			event_error(import, "it ends before it begins", NULL);
		/* many write one day so */
		if (start->is_date)
			days = Max(days, 1);
		else if (until.time != 0)
			return 0;
	}
	else if (duration)
	{
		struct icaldurationtype length = icalproperty_get_duration(duration);
		int64		seconds = length.hours * INT64CONST(3600) +
			length.minutes * INT64CONST(60) + length.seconds;

		days = length.weeks * INT64CONST(7) + length.days + seconds / SECS_PER_DAY;
		if (length.is_neg)
			event_error(import, "it ends before it begins", NULL);
		if (seconds % SECS_PER_DAY != 0)
		{
			if (start->is_date)
				event_error(import, "the duration of whole days is no number of days", NULL);
			return 0;
		}
	}
	if (start->time != 0)
		return 0;
	if (days > EVENT_DAYS_MAX)
		event_error(import, psprintf("it is longer than %d days", EVENT_DAYS_MAX), NULL);
	return days;
}

/* The days on which a rule begins, up to the last day of the import. */
static List *
days_of_rule(const Import *import, icalproperty *property, const EventTime *start)
{
	MemoryContext caller = CurrentMemoryContext;
	const char *text = icalproperty_get_value_as_string(property);
	StringInfoData buf;
	Rule		rule;
	Fault		fault;
	Datum volatile value = (Datum) 0;
	RecurrenceState *state;
	Occurrence	occurrence;
	TimestampTz after = DT_NOBEGIN;
	List	   *days = NIL;

	if (text == NULL)
		event_error(import, "RRULE has no value", NULL);
	text = pstrdup(text);
	if (!rule_parse(text, text + strlen(text), &rule, &fault))
		event_error(import, fault.message, text);
	/* of whole days, which have no hours */
	rule.n[BY_HOUR] = rule.n[BY_MINUTE] = rule.n[BY_SECOND] = 0;
	if (rule.until_kind == UNTIL_UTC && !start->is_date)
	{
		struct pg_tm tm;
		fsec_t		fsec;
		int			offset;

		if (timestamp2tm(rule.until, &offset, &tm, &fsec, NULL, import->zone) == 0)
			rule.until -= offset * USECS_PER_SEC;
	}
	if (rule.until_kind != UNTIL_NONE)
	{
		rule.until = day_of(rule.until) * USECS_PER_DAY;
		rule.until_kind = UNTIL_DATE;
	}

	initStringInfo(&buf);
	appendStringInfoString(&buf, "DTSTART;TZID=UTC;VALUE=DATE:");
	datetime_append(&buf, start->day * USECS_PER_DAY, true);
	appendStringInfo(&buf, " RRULE:%s", rule_text(&rule));
	PG_TRY();
	{
		value = DirectFunctionCall1(recurrence_in, CStringGetDatum(buf.data));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		FlushErrorState();
		event_error(import, error->message, text);
	}
	PG_END_TRY();

	state = recurrence_open(caller, recurrence_check((struct varlena *) DatumGetPointer(value)));
	while (recurrence_next(state, after, &occurrence) &&
		   day_of(occurrence.starts_at) <= import->until)
	{
		CHECK_FOR_INTERRUPTS();
		after = occurrence.starts_at;
		days = lappend_int(days, day_of(after));
		if (list_length(days) > HOLIDAYS_MAX)
			event_error(import, psprintf("it has more than %d days", HOLIDAYS_MAX), text);
	}
	return days;
}

/* The days that EXDATE or RDATE name; false if one is no whole day. */
static bool
days_listed(const Import *import, icalcomponent *event, icalproperty_kind kind,
			List **days)
{
	for (icalproperty *p = icalcomponent_get_first_property(event, kind);
		 p != NULL; p = icalcomponent_get_next_property(event, kind))
	{
		const char *text = icalproperty_get_value_as_string(p);
		EventTime	time;

		if (text != NULL && strchr(text, '/') != NULL)
			return false;
		time = time_of(import, p);
		if (kind == ICAL_RDATE_PROPERTY && time.time != 0)
			return false;
		*days = lappend_int(*days, time.day);
	}
	list_sort(*days, list_int_cmp);
	return true;
}

static bool
days_have(const List *days, int day)
{
	int			low = 0;
	int			high = list_length(days);

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (list_nth_int(days, middle) < day)
			low = middle + 1;
		else
			high = middle;
	}
	return low < list_length(days) && list_nth_int(days, low) == day;
}

static void
event_skip(Import *import)
{
	if (import->n_skipped++ < 5)
		appendStringInfo(&import->skipped, "%s%s",
						 import->n_skipped > 1 ? "; " : "", event_words(import));
}

static void
event_read(Import *import, icalcomponent *event, MemoryContext names)
{
	const char *words = icalcomponent_get_summary(event);
	icalproperty *begin;
	icalproperty *status;
	icalproperty *rule;
	icalproperty *uid;
	EventTime	start;
	List	   *days = NIL;
	List	   *left_out = NIL;
	ListCell   *cell;
	int			length;
	bool		is_override;

	import->name = NULL;
	if (words != NULL && *words != '\0')
		import->name = MemoryContextStrdup(names,
										   pnstrdup(words, pg_mbcliplen(words, strlen(words), NAME_MAX_BYTES)));
	words = error_of(event);
	if (words != NULL)
		event_error(import, words, NULL);
	status = icalcomponent_get_first_property(event, ICAL_STATUS_PROPERTY);
	if (status && icalproperty_get_status(status) == ICAL_STATUS_CANCELLED)
		return;

	begin = property_of(import, event, ICAL_DTSTART_PROPERTY);
	if (begin == NULL)
		event_error(import, "it has no DTSTART", NULL);
	start = time_of(import, begin);
	rule = property_of(import, event, ICAL_RRULE_PROPERTY);
	uid = icalcomponent_get_first_property(event, ICAL_UID_PROPERTY);
	is_override = icalcomponent_get_first_property(event, ICAL_RECURRENCEID_PROPERTY) != NULL;
	length = days_of_event(import, event, &start);
	/* a rule of times in UTC is none of local days, as clocks change */
	if (length == 0 || (rule && start.is_utc) ||
		!days_listed(import, event, ICAL_EXDATE_PROPERTY, &left_out) ||
		!days_listed(import, event, ICAL_RDATE_PROPERTY, &days))
	{
		event_skip(import);
		return;
	}

	if (rule && !is_override)
		days = list_concat(days, days_of_rule(import, rule, &start));
	else
		days = lappend_int(days, start.day);
	foreach(cell, days)
	{
		Override	this = {uid ? icalproperty_get_uid(uid) : "", lfirst_int(cell)};

		CHECK_FOR_INTERRUPTS();
		if (days_have(left_out, this.day) ||
			(!is_override && import->n_overrides > 0 &&
			 bsearch(&this, import->overrides, import->n_overrides,
					 sizeof(Override), compare_overrides) != NULL))
			continue;
		for (int i = 0; i < length; i++)
			day_add(import, this.day + i);
	}
}

/* Call back for each event of each VCALENDAR, in the order of the text. */
static void
events_walk(Import *import, icalcomponent *component,
			void (*callback) (Import *, icalcomponent *, MemoryContext),
			MemoryContext context)
{
	const char *words;

	if (icalcomponent_isa(component) != ICAL_VCALENDAR_COMPONENT)
	{
		for (icalcompiter i = icalcomponent_begin_component(component, ICAL_VCALENDAR_COMPONENT);
			 icalcompiter_deref(&i) != NULL; icalcompiter_next(&i))
			events_walk(import, icalcompiter_deref(&i), callback, context);
		return;
	}
	words = error_of(component);
	if (words != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("invalid calendar text: %s", words),
				 errdetail("Outside of events."),
				 errhint("Give the whole text of an .ics file; nothing was imported.")));
	for (icalcompiter i = icalcomponent_begin_component(component, ICAL_VEVENT_COMPONENT);
		 icalcompiter_deref(&i) != NULL; icalcompiter_next(&i))
	{
		MemoryContext event = AllocSetContextCreate(CurrentMemoryContext,
													"changemgmt event",
													ALLOCSET_SMALL_SIZES);
		MemoryContext old = MemoryContextSwitchTo(event);

		CHECK_FOR_INTERRUPTS();
		/* both count the same events, or none would be named */
		if (import->place >= list_length(import->lines))
			line_error(1, "its components are not where they seem to be");
		callback(import, icalcompiter_deref(&i), context);
		import->place++;
		MemoryContextSwitchTo(old);
		MemoryContextDelete(event);
	}
}

static void
override_note(Import *import, icalcomponent *event, MemoryContext context)
{
	icalproperty *which = icalcomponent_get_first_property(event, ICAL_RECURRENCEID_PROPERTY);
	icalproperty *uid = icalcomponent_get_first_property(event, ICAL_UID_PROPERTY);

	if (which == NULL || uid == NULL)
		return;
	import->overrides[import->n_overrides].uid = icalproperty_get_uid(uid);
	import->overrides[import->n_overrides++].day = time_of(import, which).day;
}

/* ----------
 * SQL
 * ----------
 */

/* Returns how many are new. */
static int
holidays_write(const Import *import, int64 calendar)
{
	static KeptPlan insert = {
		"INSERT INTO changemgmt.holiday (calendar_id, day, name)"
		" SELECT $1, h.day, h.name"
		" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS h(day, name)"
		" ON CONFLICT (calendar_id, day) DO NOTHING",
		3, {INT8OID, DATEARRAYOID, TEXTARRAYOID}, NULL
	};
	Datum	   *day = palloc(import->n * sizeof(Datum));
	Datum	   *name = palloc(import->n * sizeof(Datum));
	bool	   *isnull = palloc(import->n * sizeof(bool));
	Datum		arguments[3];
	int			n = import->n;
	int			bound = 1;
	int			result;

	if (n == 0)
		return 0;
	for (int i = 0; i < n; i++)
	{
		const Holiday *holiday = &import->holidays[i];

		day[i] = DateADTGetDatum(holiday->day);
		isnull[i] = holiday->name == NULL;
		name[i] = isnull[i] ? (Datum) 0 : CStringGetTextDatum(holiday->name);
	}
	arguments[0] = Int64GetDatum(calendar);
	arguments[1] = PointerGetDatum(construct_array(day, n, DATEOID, sizeof(DateADT),
												   true, TYPALIGN_INT));
	arguments[2] = PointerGetDatum(construct_md_array(name, isnull, 1, &n, &bound,
													  TEXTOID, -1, false, TYPALIGN_INT));
	SPI_connect();
	kept_plan_execute_input(&insert, arguments, NULL, 0);
	result = SPI_processed;
	SPI_finish();
	return result;
}

/* The same day some years from now, in the zone. */
static int
day_in_years(pg_tz *zone, int years)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;

	if (timestamp2tm(GetCurrentTimestamp(), &offset, &tm, &fsec, NULL, zone) != 0)
		elog(ERROR, "now is out of range");
	return date2j(tm.tm_year + years, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE;
}

/* import_holidays(calendar, ics, until) */
Datum
import_holidays(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	MemoryContext old;
	Import	   *import;
	const char *calendar;
	const char *zone;
	char	   *ics;
	int64		id;
	int			result;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("import_holidays() takes a business calendar and a text")));
	context = AllocSetContextCreate(CurrentMemoryContext,
									"changemgmt import of holidays",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	import = palloc0(sizeof(Import));
	calendar = text_to_cstring(PG_GETARG_TEXT_PP(0));
	ics = text_to_cstring(PG_GETARG_TEXT_PP(1));
	id = calendar_id(calendar);
	zone = calendar_time_zone(calendar);
	import->zone = pg_tzset(zone);
	if (import->zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("time zone \"%s\" is not known to this server", zone)));
	if (strlen(ics) > TEXT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the calendar text is longer than %d bytes", TEXT_MAX)));
	import->until = PG_ARGISNULL(2) ? day_in_years(import->zone, YEARS_DEFAULT) :
		PG_GETARG_DATEADT(2);
	if (DATE_NOT_FINITE(import->until))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("holidays are imported up to a day, not to infinity")));

	if (strncmp(ics, "\xEF\xBB\xBF", 3) == 0)
		ics += 3;					/* a byte order mark */
	text_scan(ics, import);
	import->callback.func = import_free;
	import->callback.arg = import;
	MemoryContextRegisterResetCallback(context, &import->callback);
	text_parse(ics, import);

	initStringInfo(&import->skipped);
	import->overrides = palloc((list_length(import->lines) + 1) * sizeof(Override));
	events_walk(import, import->root, override_note, context);
	qsort(import->overrides, import->n_overrides, sizeof(Override), compare_overrides);
	import->size = 4 * HOLIDAYS_MAX;
	import->holidays = palloc(import->size * sizeof(Holiday));
	import->place = 0;
	events_walk(import, import->root, event_read, context);
	holidays_sort(import);

	result = holidays_write(import, id);
	if (import->n_skipped > 0)
		ereport(NOTICE,
				(errmsg_plural("%d event that is not of whole days was skipped",
							   "%d events that are not of whole days were skipped",
							   import->n_skipped, import->n_skipped),
				 errdetail("%s%s.", import->skipped.data,
						   import->n_skipped > 5 ? "; ..." : "")));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	PG_RETURN_INT32(result);
}
