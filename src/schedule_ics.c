/*-------------------------------------------------------------------------
 *
 * schedule_ics.c
 *	  The text of calendars, RFC 5545: what change_calendar() is made of.
 *
 * An event is written as lines of octets in UTF-8 (in whatever encoding the
 * database has: the client's is UTF-8 when a calendar program reads it), each
 * folded so that no character is divided.  What a line can't hold is left out
 * or brought into its limits, so that one odd row can't spoil a whole feed.
 * There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/rangetypes.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "calendar.h"
#include "compat.h"
#include "errors.h"

PG_FUNCTION_INFO_V1(ics_event);
PG_FUNCTION_INFO_V1(ics_range);

/* Octets of a line, without its end. */
#define LINE_MAX_OCTETS	75

/* Longest range of a calendar: five years. */
#define RANGE_MAX_DAYS	1830

/*
 * Octets of a character here, and in UTF-8 (no fewer than it will have there).
 */
static int
character_length(const char *at, int left, int *octets)
{
	int			encoding = GetDatabaseEncoding();
	int			length;

	/*
	 * Nobody knows what SQL_ASCII holds: most likely UTF-8.  What is none is a
	 * character for each octet, so that it hides no end of a line.
	 */
	if (encoding == PG_SQL_ASCII)
		length = Max(pg_encoding_verifymbchar(PG_UTF8, at, left), 1);
	else
		length = pg_mblen(at);
	length = Min(length, left);
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII || !IS_HIGHBIT_SET(*at))
		*octets = length;
	else
		*octets = 4;
	return length;
}

/* Write a line, folded. */
static void
put_line(StringInfo out, const char *line, int length)
{
	int			used = 0;
	int			i = 0;

	while (i < length)
	{
		int			octets;
		int			n = character_length(line + i, length - i, &octets);

		if (used + octets > LINE_MAX_OCTETS)
		{
			appendStringInfoString(out, "\r\n ");
			used = 1;
		}
		appendBinaryStringInfo(out, line + i, n);
		used += octets;
		i += n;
	}
	appendStringInfoString(out, "\r\n");
}

/*
 * Write a property of type TEXT; nothing where the value is null.  Ends of
 * lines become \n, other control characters but the tab vanish.
 */
static void
put_text(StringInfo out, const char *name, FunctionCallInfo fcinfo, int arg)
{
	StringInfoData line;
	text	   *value;
	const char *at;
	const char *end;

	if (PG_ARGISNULL(arg))
		return;
	value = PG_GETARG_TEXT_PP(arg);
	at = VARDATA_ANY(value);
	end = at + VARSIZE_ANY_EXHDR(value);

	initStringInfo(&line);
	appendStringInfo(&line, "%s:", name);
	while (at < end)
	{
		int			octets;
		int			n = character_length(at, end - at, &octets);

		/* some encodings have such octets inside of their characters */
		if (n > 1)
			appendBinaryStringInfo(&line, at, n);
		else if (*at == '\r' && at + 1 < end && at[1] == '\n')
			;					/* the line's end comes now */
		else if (*at == '\n' || *at == '\r')
			appendStringInfoString(&line, "\\n");
		else if (*at == '\\' || *at == ';' || *at == ',')
		{
			appendStringInfoChar(&line, '\\');
			appendStringInfoChar(&line, *at);
		}
		else if (*at == '\t' || ((unsigned char) *at >= ' ' && *at != 0x7F))
			appendStringInfoChar(&line, *at);
		at += n;
	}
	put_line(out, line.data, line.len);
	pfree(line.data);
}

/* A time as whole seconds that four digits of a year can write. */
static TimestampTz
writable_time(TimestampTz at)
{
	const TimestampTz first = (TimestampTz) (date2j(1, 1, 1) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
	const TimestampTz last = (TimestampTz) (date2j(10000, 1, 1) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY - USECS_PER_SEC;

	if (at < first)
		return first;
	if (at > last)
		return last;
	return at - ((at % USECS_PER_SEC) + USECS_PER_SEC) % USECS_PER_SEC;
}

static void
put_time(StringInfo out, const char *name, TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;
	StringInfoData line;

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	initStringInfo(&line);
	appendStringInfo(&line, "%s:%04d%02d%02dT%02d%02d%02dZ", name,
					 tm.tm_year, tm.tm_mon, tm.tm_mday,
					 tm.tm_hour, tm.tm_min, tm.tm_sec);
	put_line(out, line.data, line.len);
	pfree(line.data);
}

/*
 * ics_event(uid, modified_at, starts_at, ends_at, summary, description,
 *			 category, status, is_busy, sequence): a VEVENT.
 *
 * RFC 5545 wants the first three: null gives null, which an aggregate leaves
 * out.  An end that is not after the start is not written; then the event
 * takes no time.  In a calendar without METHOD, which starts no scheduling
 * but is a snapshot, DTSTAMP is the last revision: equal rows are equal texts.
 */
Datum
ics_event(PG_FUNCTION_ARGS)
{
	StringInfoData out;
	TimestampTz modified_at;
	TimestampTz starts_at;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	modified_at = writable_time(PG_GETARG_TIMESTAMPTZ(1));
	starts_at = writable_time(PG_GETARG_TIMESTAMPTZ(2));

	initStringInfo(&out);
	appendStringInfoString(&out, "BEGIN:VEVENT\r\n");
	put_text(&out, "UID", fcinfo, 0);
	put_time(&out, "DTSTAMP", modified_at);
	put_time(&out, "LAST-MODIFIED", modified_at);
	put_time(&out, "DTSTART", starts_at);
	if (!PG_ARGISNULL(3))
	{
		TimestampTz ends_at = writable_time(PG_GETARG_TIMESTAMPTZ(3));

		if (ends_at > starts_at)
			put_time(&out, "DTEND", ends_at);
	}
	put_text(&out, "SUMMARY", fcinfo, 4);
	put_text(&out, "DESCRIPTION", fcinfo, 5);
	put_text(&out, "CATEGORIES", fcinfo, 6);
	put_text(&out, "STATUS", fcinfo, 7);
	if (!PG_ARGISNULL(8))
		appendStringInfo(&out, "TRANSP:%s\r\n",
						 PG_GETARG_BOOL(8) ? "OPAQUE" : "TRANSPARENT");
	if (!PG_ARGISNULL(9))
		appendStringInfo(&out, "SEQUENCE:%d\r\n",
						 (int) Max(Min(PG_GETARG_INT64(9), PG_INT32_MAX), 0));
	appendStringInfoString(&out, "END:VEVENT\r\n");
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/* ics_range(from_at, to_at): the range, or MC008 where a calendar can't be of it */
Datum
ics_range(PG_FUNCTION_ARGS)
{
	RangeBound	lower = {.inclusive = true, .lower = true};
	RangeBound	upper = {.inclusive = false, .lower = false};
	TypeCacheEntry *type = lookup_type_cache(TSTZRANGEOID, TYPECACHE_RANGE_INFO);
	TimestampTz from;
	TimestampTz to;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a calendar needs to know from when until when"),
				 errhint("Leave from_at and to_at out for the last 30 days and the year to come.")));
	from = PG_GETARG_TIMESTAMPTZ(0);
	to = PG_GETARG_TIMESTAMPTZ(1);
	if (TIMESTAMP_NOT_FINITE(from) || TIMESTAMP_NOT_FINITE(to))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a calendar cannot be of infinite time"),
				 errhint("Give at most %d days.", RANGE_MAX_DAYS)));
	if (from >= to)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the calendar's end is not after its start"),
				 errhint("Give a from_at that lies before to_at.")));
	if (from < to - (TimestampTz) RANGE_MAX_DAYS * USECS_PER_DAY)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the calendar's range is too long"),
				 errhint("Give at most %d days.", RANGE_MAX_DAYS)));
	if (to > RECURRENCE_TIME_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("recurrences are computed up to the year %d",
						RECURRENCE_LAST_YEAR),
				 errhint("Give a to_at that lies before its end.")));

	lower.val = TimestampTzGetDatum(from);
	upper.val = TimestampTzGetDatum(to);
	PG_RETURN_RANGE_P(make_range(type, &lower, &upper, false, NULL));
}
