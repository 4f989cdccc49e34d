/*-------------------------------------------------------------------------
 *
 * calendar_recurrence.c
 *	  The type recurrence: a time that comes again, in the words of RFC 5545.
 *
 *		DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H
 *		RRULE:FREQ=WEEKLY;BYDAY=TU,TH EXDATE:20261224T020000
 *
 * A value keeps the local start, the duration, the zone's name, the rule's
 * canonical text and the exceptions, in a layout of our own with a version.
 * The invariant of every value, wherever it came from, is what
 * recurrence_build() says, which text and binary input both call: all parts
 * canonical and within their limits, a zone that this server knows, and at
 * least one occurrence.  So equal recurrences are equal bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/memutils.h"

#include "calendar.h"
#include "compat.h"
#include "types_setting.h"

#define PG_RETURN_RECURRENCE_P(r)	PG_RETURN_POINTER(r)

#define DURATION_MAX_SECONDS	(RECURRENCE_DAYS_MAX * SECS_PER_DAY)

/* What an input says, before it is a value. */
typedef struct Parts
{
	Timestamp	start;
	const char *zone;			/* as it was written; NULL: none yet */
	int			zone_length;
	int			days;
	int			seconds;
	bool		has_rule;
	Rule		rule;
	int			exdates;
	Timestamp  *exdate;
} Parts;

/* ----------
 * The value and its validation
 * ----------
 */

static pg_tz *
zone_find(const char *name, int length)
{
	char		copy[TZ_STRLEN_MAX + 1];

	if (length < 1 || length > TZ_STRLEN_MAX || memchr(name, '\0', length))
		return NULL;
	memcpy(copy, name, length);
	copy[length] = '\0';
	return time_zone_find(copy);
}

static int
compare_timestamp(const void *a, const void *b)
{
	Timestamp	x = *(const Timestamp *) a;
	Timestamp	y = *(const Timestamp *) b;

	return (x > y) - (x < y);
}

static int
year_of(Timestamp at)
{
	int			year,
				month,
				day;

	j2date(at / USECS_PER_DAY - (at % USECS_PER_DAY < 0) + POSTGRES_EPOCH_JDATE,
		   &year, &month, &day);
	return year;
}

static bool
is_local_time(Timestamp at)
{
	return at % USECS_PER_SEC == 0 && IS_VALID_TIMESTAMP(at) &&
		year_of(at) >= 1 && year_of(at) <= 9999;
}

/* Is there an occurrence?  What it took is gone afterwards. */
static bool
has_occurrence(const Recurrence *value, const Rule *rule)
{
	MemoryContext context;
	MemoryContext old;
	RecurrenceState *state;
	bool		result;

	context = AllocSetContextCreate(CurrentMemoryContext,
									"changemgmt recurrence",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	if (rule != NULL)
	{
		Rule		completed = *rule;
		int			day = value->start / USECS_PER_DAY -
			(value->start % USECS_PER_DAY < 0);

		rule_complete(&completed, value->start);
		result = rule_is_possible(&completed, day);
	}
	else
		result = true;
	if (result)
	{
		state = recurrence_open(context, value);
		result = recurrence_has_any(state);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return result;
}

/* The one validation.  NULL with a fault if there is one. */
static Recurrence *
recurrence_build(Parts *parts, Fault *fault)
{
	Recurrence *result;
	const char *zone_name;
	char	   *rule_string = NULL;
	pg_tz	   *zone;
	Size		size;
	int			kept = 0;

#define REFUSE(code, hint, ...) \
	do { \
		fault_set(fault, code, NULL, hint, __VA_ARGS__); \
		return NULL; \
	} while (0)

	zone = zone_find(parts->zone, parts->zone_length);
	if (zone == NULL)
		REFUSE(ERRCODE_INVALID_PARAMETER_VALUE,
			   TIME_ZONE_EXPECTED,
			   "time zone \"%s\" is not known",
			   pnstrdup(parts->zone, pg_mbcliplen(parts->zone, parts->zone_length, 80)));
	zone_name = pg_get_timezone_name(zone);

	if (!is_local_time(parts->start) ||
		year_of(parts->start) < RECURRENCE_FIRST_YEAR ||
		year_of(parts->start) > RECURRENCE_LAST_YEAR)
		REFUSE(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, NULL,
			   "DTSTART is not between the years %d and %d",
			   RECURRENCE_FIRST_YEAR, RECURRENCE_LAST_YEAR);

	if (parts->days < 0 || parts->seconds < 0 ||
		(parts->days == 0 && parts->seconds == 0))
		REFUSE(ERRCODE_INVALID_PARAMETER_VALUE,
			   "Write it as DURATION:PT2H or DURATION:P1D.",
			   "the duration is not above zero");
	if ((int64) parts->days * SECS_PER_DAY + parts->seconds > DURATION_MAX_SECONDS)
		REFUSE(ERRCODE_INVALID_PARAMETER_VALUE, NULL,
			   "the duration is above %d days", RECURRENCE_DAYS_MAX);

	for (int i = 0; i < parts->exdates; i++)
		if (!is_local_time(parts->exdate[i]))
			REFUSE(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, NULL,
				   "an EXDATE is not a time of the years 1 to 9999");
	if (parts->exdates > 0)
		qsort(parts->exdate, parts->exdates, sizeof(Timestamp), compare_timestamp);
	for (int i = 0; i < parts->exdates; i++)
		if (i == 0 || parts->exdate[i] != parts->exdate[i - 1])
			parts->exdate[kept++] = parts->exdate[i];
	parts->exdates = kept;
	if (kept > RECURRENCE_EXDATES_MAX)
		REFUSE(ERRCODE_INVALID_PARAMETER_VALUE, NULL,
			   "there are more than %d EXDATEs", RECURRENCE_EXDATES_MAX);

	if (parts->has_rule)
	{
		rule_string = rule_text(&parts->rule);
		if (!rule_is_read(&parts->rule))
			REFUSE(ERRCODE_INVALID_PARAMETER_VALUE, NULL,
				   "libical does not take the rule %s", rule_string);
	}

	size = offsetof(Recurrence, exdate) + kept * sizeof(Timestamp) +
		strlen(zone_name) + (rule_string ? strlen(rule_string) : 0);
	result = palloc0(size);
	SET_VARSIZE(result, size);
	result->version = RECURRENCE_VERSION;
	result->start = parts->start;
	result->days = parts->days;
	result->seconds = parts->seconds;
	result->zone_length = strlen(zone_name);
	result->rule_length = rule_string ? strlen(rule_string) : 0;
	result->exdates = kept;
	if (kept > 0)
		memcpy(result->exdate, parts->exdate, kept * sizeof(Timestamp));
	memcpy(RECURRENCE_ZONE(result), zone_name, result->zone_length);
	if (rule_string)
		memcpy(RECURRENCE_RULE(result), rule_string, result->rule_length);

	if (!has_occurrence(result, parts->has_rule ? &parts->rule : NULL))
		REFUSE(ERRCODE_INVALID_PARAMETER_VALUE,
			   "Compare DTSTART with the parts of RRULE, with UNTIL and with the EXDATEs.",
			   "it never occurs");
#undef REFUSE
	return result;
}

#ifdef USE_ASSERT_CHECKING
static void
AssertCheckRecurrence(const Recurrence *r)
{
	Fault		fault;
	Rule		rule;

	Assert(r->unused == 0 && r->flags == 0);
	Assert(is_local_time(r->start));
	Assert(r->days >= 0 && r->seconds >= 0 && r->days + r->seconds > 0);
	Assert((int64) r->days * SECS_PER_DAY + r->seconds <= DURATION_MAX_SECONDS);
	for (int i = 0; i < r->exdates; i++)
		Assert(is_local_time(r->exdate[i]) &&
			   (i == 0 || r->exdate[i - 1] < r->exdate[i]));
	if (r->rule_length > 0)
	{
		char	   *text;

		Assert(rule_parse(RECURRENCE_RULE(r), RECURRENCE_RULE(r) + r->rule_length,
						  &rule, &fault));
		text = rule_text(&rule);
		Assert(strlen(text) == r->rule_length &&
			   memcmp(text, RECURRENCE_RULE(r), r->rule_length) == 0);
	}
}
#else
#define AssertCheckRecurrence(r) ((void) 0)
#endif

Recurrence *
recurrence_check(struct varlena *value)
{
	Recurrence *r = (Recurrence *) value;

	if (VARSIZE(r) < offsetof(Recurrence, exdate) ||
		r->version != RECURRENCE_VERSION || r->flags != 0 ||
		r->exdates < 0 || r->exdates > RECURRENCE_EXDATES_MAX ||
		VARSIZE(r) != offsetof(Recurrence, exdate) +
		r->exdates * sizeof(Timestamp) + r->zone_length + r->rule_length)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored recurrence is damaged, or of a version that this library does not know"),
				 errdetail("Its version is %d, its size %zu.", r->version,
						   (Size) VARSIZE(r))));
	AssertCheckRecurrence(r);
	return r;
}

/* ----------
 * Text
 * ----------
 */

/* The white space of ASCII, so that a text means the same in every locale. */
static inline bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* One property, NAME;TZID=...;VALUE=...:value */
typedef struct Property
{
	const char *name;
	int			name_length;
	const char *zone;			/* NULL: none */
	int			zone_length;
	bool		is_date;		/* VALUE=DATE */
	const char *value;
	const char *end;
} Property;

static bool
property_is(const Property *p, const char *name)
{
	return (size_t) p->name_length == strlen(name) &&
		pg_strncasecmp(p->name, name, p->name_length) == 0;
}

/* Reads from *text, which stands at no white space, to the end of the word. */
static bool
property_parse(const char **text, Property *p, Fault *fault)
{
	static const char *const hint =
		"Write it as DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH.";
	const char *s = *text;

	memset(p, 0, sizeof(Property));
	p->name = s;
	while ((*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z') || *s == '-')
		s++;
	p->name_length = s - p->name;
	if (p->name_length == 0 || (*s != ';' && *s != ':'))
		return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, p->name,
						 hint, "this is no property of the form NAME:value");

	while (*s == ';')
	{
		const char *parameter = ++s;
		const char *value;
		int			length;

		while (*s && !is_space(*s) && *s != '=' && *s != ':' && *s != ';')
			s++;
		length = s - parameter;
		if (*s != '=')
			return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION,
							 parameter, hint,
							 "this is no parameter of the form NAME=value");
		value = ++s;
		if (*s == '"')
		{
			value = ++s;
			while (*s && *s != '"')
				s++;
			if (*s != '"')
				return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION,
								 value, NULL, "the quote has no end");
		}
		else
			while (*s && !is_space(*s) && *s != ':' && *s != ';')
				s++;

		if (length == 4 && pg_strncasecmp(parameter, "TZID", 4) == 0 &&
			p->zone == NULL)
		{
			p->zone = value;
			p->zone_length = s - value;
		}
		else if (length == 5 && pg_strncasecmp(parameter, "VALUE", 5) == 0 &&
				 s - value == 4 && pg_strncasecmp(value, "DATE", 4) == 0)
			p->is_date = true;
		else if (!(length == 5 && pg_strncasecmp(parameter, "VALUE", 5) == 0 &&
				   s - value == 9 && pg_strncasecmp(value, "DATE-TIME", 9) == 0))
			return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION,
							 parameter, NULL,
							 "the parameters are TZID, once, and VALUE=DATE");
		if (*s == '"')
			s++;
	}
	if (*s != ':')
		return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, s, hint,
						 "a colon and a value were expected");
	p->value = ++s;
	while (*s && !is_space(*s))
		s++;
	p->end = s;
	*text = s;
	return true;
}

/* The zone of a property must be that of DTSTART, or not be there. */
static bool
same_zone(const Property *p, const Parts *parts, bool is_utc, Fault *fault)
{
	const char *zone = is_utc ? "UTC" : p->zone;
	int			length = is_utc ? 3 : p->zone_length;

	if (is_utc && p->zone != NULL)
		return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, p->value,
						 NULL, "a time has a TZID or ends in Z, not both");
	if (zone == NULL ||
		(length == parts->zone_length &&
		 pg_strncasecmp(zone, parts->zone, length) == 0))
		return true;
	return fault_set(fault, ERRCODE_INVALID_PARAMETER_VALUE, p->name, NULL,
					 "all times of a recurrence are in the time zone of its DTSTART");
}

/* P1D, PT2H30M, P2W ... */
static bool
duration_parse(const Property *p, Parts *parts, Fault *fault)
{
	static const char units[] = "WDHMS";
	static const int sizes[] = {7, 1, SECS_PER_HOUR, SECS_PER_MINUTE, 1};
	const char *s = p->value;
	bool		negative = false;
	bool		time = false;
	int			unit = -1;		/* the last one that was there */
	int64		total[2] = {0, 0};	/* days, seconds */

#define BAD() \
	return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, p->value, \
					 "Write it as PT2H, PT1H30M, P1D or P2W.", "not a duration")

	if (s < p->end && (*s == '+' || *s == '-'))
		negative = *s++ == '-';
	if (s == p->end || pg_toupper((unsigned char) *s++) != 'P')
		BAD();
	while (s < p->end)
	{
		int64		number = 0;
		const char *digits;
		const char *found;

		if (!time && pg_toupper((unsigned char) *s) == 'T')
		{
			time = true;
			if (++s == p->end)
				BAD();
		}
		for (digits = s; s < p->end && *s >= '0' && *s <= '9'; s++)
			if (number < INT64CONST(1000000000000))
				number = number * 10 + (*s - '0');
		if (s == digits || s == p->end)
			BAD();
		found = strchr(units, pg_toupper((unsigned char) *s++));
		if (found == NULL || *found == '\0' || found - units <= unit ||
			(found - units >= 2) != time)
			BAD();
		unit = found - units;
		total[time] += number * sizes[unit];
	}
	if (unit < 0)
		BAD();
#undef BAD
	if (negative)
		total[0] = total[1] = -1;
	/* recurrence_build() says what is too long */
	parts->days = Min(total[0], RECURRENCE_DAYS_MAX + 1);
	parts->seconds = Min(total[1], DURATION_MAX_SECONDS + 1);
	return true;
}

static bool
dtstart_parse(const Property *p, Parts *parts, bool *is_date, Fault *fault)
{
	bool		is_utc;

	if (!datetime_parse(p->value, p->end, &parts->start, is_date, &is_utc, fault))
		return false;
	if (*is_date != p->is_date)
		return fault_set(fault, ERRCODE_INVALID_DATETIME_FORMAT, p->value,
						 "A time of a day is written 20260106T020000, whole days are DTSTART;TZID=Europe/Berlin;VALUE=DATE:20260106.",
						 "a date without a time goes with VALUE=DATE only");
	if (is_utc && p->zone != NULL)
		return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, p->value,
						 NULL, "a time has a TZID or ends in Z, not both");
	if (!is_utc && p->zone == NULL)
		return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, p->name,
						 "Write it as DTSTART;TZID=Europe/Berlin:20260106T020000.",
						 "DTSTART has no time zone");
	parts->zone = is_utc ? "UTC" : p->zone;
	parts->zone_length = is_utc ? 3 : p->zone_length;
	return true;
}

/* The end as a duration: days from a date to a date, else exact seconds. */
static bool
dtend_parse(const Property *p, Parts *parts, bool start_is_date, Fault *fault)
{
	Timestamp	end;
	bool		is_date;
	bool		is_utc;
	pg_tz	   *zone;
	int64		length;

	if (!datetime_parse(p->value, p->end, &end, &is_date, &is_utc, fault) ||
		!same_zone(p, parts, is_utc, fault))
		return false;
	if (is_date != start_is_date)
		return fault_set(fault, ERRCODE_INVALID_DATETIME_FORMAT, p->value, NULL,
						 "DTSTART and DTEND are both dates or both times");
	zone = zone_find(parts->zone, parts->zone_length);
	if (is_date || zone == NULL)	/* which is reported later */
		parts->days = Min(Max((end - parts->start) / USECS_PER_DAY, -1),
						  RECURRENCE_DAYS_MAX + 1);
	else
	{
		length = (recurrence_real_time(end, zone) -
				  recurrence_real_time(parts->start, zone)) / USECS_PER_SEC;
		parts->seconds = Min(Max(length, -1), DURATION_MAX_SECONDS + 1);
	}
	return true;
}

static bool
exdate_parse(const Property *p, Parts *parts, bool start_is_date, Fault *fault)
{
	const char *s = p->value;
	int			room = parts->exdates + 1;

	for (const char *c = s; c < p->end; c++)
		room += (*c == ',');
	parts->exdate = parts->exdate == NULL ? palloc(room * sizeof(Timestamp)) :
		repalloc(parts->exdate, room * sizeof(Timestamp));
	for (;;)
	{
		const char *comma = memchr(s, ',', p->end - s);
		bool		is_date;
		bool		is_utc;

		if (comma == NULL)
			comma = p->end;
		if (!datetime_parse(s, comma, &parts->exdate[parts->exdates++],
							&is_date, &is_utc, fault) ||
			!same_zone(p, parts, is_utc, fault))
			return false;
		if (is_date != start_is_date)
			return fault_set(fault, ERRCODE_INVALID_DATETIME_FORMAT, s,
							 "Write it as the occurrence begins, date and time: EXDATE:20261224T020000.",
							 "an EXDATE is a date where DTSTART is one, else a time");
		if (comma == p->end)
			return true;
		s = comma + 1;
	}
}

/* The whole of the text syntax. */
static bool
recurrence_parse(const char *text, Parts *parts, Fault *fault)
{
	static const char *const names[] = {
		"DTSTART", "DURATION", "DTEND", "RRULE"
	};
	static const char *const hint =
		"Write it as DTSTART;TZID=Europe/Berlin:20260106T020000 DURATION:PT2H RRULE:FREQ=WEEKLY;BYDAY=TU,TH.";
	Property	single[lengthof(names)];
	List	   *exdates = NIL;
	ListCell   *cell;
	bool		is_date;

	memset(parts, 0, sizeof(Parts));
	memset(single, 0, sizeof(single));
	for (;;)
	{
		Property	p;
		bool		known = false;

		while (is_space(*text))
			text++;
		if (*text == '\0')
			break;
		if (!property_parse(&text, &p, fault))
			return false;
		for (size_t i = 0; i < lengthof(names); i++)
			if (property_is(&p, names[i]))
			{
				if (single[i].name != NULL)
					return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION,
									 p.name, NULL, "%s is there twice", names[i]);
				single[i] = p;
				known = true;
			}
		if (property_is(&p, "EXDATE"))
		{
			exdates = lappend(exdates, memcpy(palloc(sizeof(Property)), &p,
											  sizeof(Property)));
			known = true;
		}
		if (!known)
			return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, p.name,
							 "The properties are DTSTART, DURATION or DTEND, RRULE and EXDATE.",
							 "this property is not known");
		if (!property_is(&p, "DTSTART") && !property_is(&p, "DTEND") &&
			!property_is(&p, "EXDATE") && (p.zone != NULL || p.is_date))
			return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, p.name,
							 NULL, "TZID and VALUE go with times only");
	}

	if (single[0].name == NULL)
		return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, NULL, hint,
						 "there is no DTSTART");
	if (!dtstart_parse(&single[0], parts, &is_date, fault))
		return false;
	if (single[1].name != NULL && single[2].name != NULL)
		return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION,
						 single[2].name, NULL,
						 "a recurrence has DURATION or DTEND, not both");
	if (single[1].name != NULL)
	{
		if (!duration_parse(&single[1], parts, fault))
			return false;
	}
	else if (single[2].name != NULL)
	{
		if (!dtend_parse(&single[2], parts, is_date, fault))
			return false;
	}
	else if (is_date)
		parts->days = 1;
	else
		return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, NULL, hint,
						 "there is no DURATION and no DTEND");
	if (single[3].name != NULL)
	{
		parts->has_rule = true;
		if (!rule_parse(single[3].value, single[3].end, &parts->rule, fault))
			return false;
	}
	foreach(cell, exdates)
		if (!exdate_parse(lfirst(cell), parts, is_date, fault))
			return false;
	return true;
}

/* Makes a fault an error, soft where the caller wants it so. */
static void
fault_report(const Fault *fault, const char *text, struct Node *escontext)
{
	int			length = 0;

	if (fault->at == NULL)
		errsave(escontext,
				(errcode(fault->sqlstate),
				 errmsg("invalid recurrence: %s", fault->message),
				 fault->hint ? errhint("%s", fault->hint) : 0));
	else
	{
		while (fault->at[length] && !is_space(fault->at[length]))
			length++;
		length = pg_mbcliplen(fault->at, length, 60);
		errsave(escontext,
				(errcode(fault->sqlstate),
				 errmsg("invalid recurrence: %s", fault->message),
				 length > 0 ?
				 errdetail("At character %d: \"%.*s\".",
						   pg_mbstrlen_with_len(text, fault->at - text) + 1,
						   length, fault->at) :
				 errdetail("At character %d.",
						   pg_mbstrlen_with_len(text, fault->at - text) + 1),
				 fault->hint ? errhint("%s", fault->hint) : 0));
	}
}

PG_FUNCTION_INFO_V1(recurrence_in);
Datum
recurrence_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	Parts		parts;
	Fault		fault;
	Recurrence *result = NULL;

	if (!recurrence_parse(text, &parts, &fault) ||
		(result = recurrence_build(&parts, &fault)) == NULL)
	{
		fault_report(&fault, text, fcinfo->context);
		PG_RETURN_NULL();
	}
	PG_RETURN_RECURRENCE_P(result);
}

PG_FUNCTION_INFO_V1(recurrence_out);
Datum
recurrence_out(PG_FUNCTION_ARGS)
{
	const Recurrence *r = PG_GETARG_RECURRENCE_P(0);
	StringInfoData buf;
	int			units[] = {r->seconds / SECS_PER_HOUR,
		r->seconds / SECS_PER_MINUTE % 60, r->seconds % 60};

	initStringInfo(&buf);
	appendStringInfo(&buf, "DTSTART;TZID=%.*s:", r->zone_length,
					 RECURRENCE_ZONE(r));
	datetime_append(&buf, r->start, false);
	appendStringInfoString(&buf, " DURATION:P");
	if (r->days > 0)
		appendStringInfo(&buf, "%dD", r->days);
	if (r->seconds > 0)
		appendStringInfoChar(&buf, 'T');
	for (size_t i = 0; i < lengthof(units); i++)
		if (units[i] > 0)
			appendStringInfo(&buf, "%d%c", units[i], "HMS"[i]);
	if (r->rule_length > 0)
		appendStringInfo(&buf, " RRULE:%.*s", r->rule_length, RECURRENCE_RULE(r));
	for (int i = 0; i < r->exdates; i++)
	{
		appendStringInfoString(&buf, i == 0 ? " EXDATE:" : ",");
		datetime_append(&buf, r->exdate[i], false);
	}
	PG_RETURN_CSTRING(buf.data);
}

/*
 * On the wire, in network order: version (1 byte), start (8), days and seconds
 * (4 each), zone and rule (4 bytes of length and the text), the number of
 * exceptions (4) and each of them (8).  Times are microseconds since
 * 2000-01-01 00:00, local.
 */
PG_FUNCTION_INFO_V1(recurrence_recv);
Datum
recurrence_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	Parts		parts;
	Fault		fault;
	Recurrence *result = NULL;
	int			version = pq_getmsgbyte(buf);
	const char *rule = "";
	int			length;

	if (version != RECURRENCE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("version %d of a binary recurrence is not known",
						version)));
	memset(&parts, 0, sizeof(parts));
	parts.start = pq_getmsgint64(buf);
	parts.days = pq_getmsgint(buf, 4);
	parts.seconds = pq_getmsgint(buf, 4);
	parts.zone = pq_getmsgtext(buf, pq_getmsgint(buf, 4), &parts.zone_length);
	rule = pq_getmsgtext(buf, pq_getmsgint(buf, 4), &length);
	parts.exdates = pq_getmsgint(buf, 4);
	if (parts.exdates < 0 || parts.exdates > RECURRENCE_EXDATES_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("a recurrence with %d exceptions is out of range",
						parts.exdates)));
	if (parts.exdates > 0)
		parts.exdate = palloc(parts.exdates * sizeof(Timestamp));
	for (int i = 0; i < parts.exdates; i++)
		parts.exdate[i] = pq_getmsgint64(buf);

	parts.has_rule = length > 0;
	if ((parts.has_rule &&
		 !rule_parse(rule, rule + length, &parts.rule, &fault)) ||
		(result = recurrence_build(&parts, &fault)) == NULL)
		fault_report(&fault, rule, NULL);
	PG_RETURN_RECURRENCE_P(result);
}

PG_FUNCTION_INFO_V1(recurrence_send);
Datum
recurrence_send(PG_FUNCTION_ARGS)
{
	const Recurrence *r = PG_GETARG_RECURRENCE_P(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbyte(&buf, r->version);
	pq_sendint64(&buf, r->start);
	pq_sendint32(&buf, r->days);
	pq_sendint32(&buf, r->seconds);
	/* both are ASCII, the same in every encoding */
	pq_sendint32(&buf, r->zone_length);
	pq_sendbytes(&buf, RECURRENCE_ZONE(r), r->zone_length);
	pq_sendint32(&buf, r->rule_length);
	pq_sendbytes(&buf, RECURRENCE_RULE(r), r->rule_length);
	pq_sendint32(&buf, r->exdates);
	for (int i = 0; i < r->exdates; i++)
		pq_sendint64(&buf, r->exdate[i]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* ----------
 * Order and equality: by start, duration, zone, rule, exceptions
 * ----------
 */

static int
compare_bytes(const char *a, int a_length, const char *b, int b_length)
{
	int			result = memcmp(a, b, Min(a_length, b_length));

	return result != 0 ? result : a_length - b_length;
}

static int
recurrence_compare(const Recurrence *a, const Recurrence *b)
{
	int			result;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->days != b->days)
		return a->days < b->days ? -1 : 1;
	if (a->seconds != b->seconds)
		return a->seconds < b->seconds ? -1 : 1;
	result = compare_bytes(RECURRENCE_ZONE(a), a->zone_length,
						   RECURRENCE_ZONE(b), b->zone_length);
	if (result == 0)
		result = compare_bytes(RECURRENCE_RULE(a), a->rule_length,
							   RECURRENCE_RULE(b), b->rule_length);
	for (int i = 0; result == 0 && i < Min(a->exdates, b->exdates); i++)
		result = compare_timestamp(&a->exdate[i], &b->exdate[i]);
	if (result == 0)
		result = a->exdates - b->exdates;
	return (result > 0) - (result < 0);
}

/* Arguments that were copied to be looked at are freed: indexes want that. */
#define COMPARISON(name, expression) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	Recurrence *a = PG_GETARG_RECURRENCE_P(0); \
	Recurrence *b = PG_GETARG_RECURRENCE_P(1); \
	int			order = recurrence_compare(a, b); \
\
	PG_FREE_IF_COPY(a, 0); \
	PG_FREE_IF_COPY(b, 1); \
	expression; \
}

COMPARISON(recurrence_eq, PG_RETURN_BOOL(order == 0))
COMPARISON(recurrence_ne, PG_RETURN_BOOL(order != 0))
COMPARISON(recurrence_lt, PG_RETURN_BOOL(order < 0))
COMPARISON(recurrence_le, PG_RETURN_BOOL(order <= 0))
COMPARISON(recurrence_gt, PG_RETURN_BOOL(order > 0))
COMPARISON(recurrence_ge, PG_RETURN_BOOL(order >= 0))
COMPARISON(recurrence_cmp, PG_RETURN_INT32(order))

PG_FUNCTION_INFO_V1(recurrence_hash);
Datum
recurrence_hash(PG_FUNCTION_ARGS)
{
	Recurrence *r = PG_GETARG_RECURRENCE_P(0);
	Datum		result = hash_any((unsigned char *) VARDATA(r),
								  VARSIZE(r) - VARHDRSZ);

	PG_FREE_IF_COPY(r, 0);
	return result;
}

PG_FUNCTION_INFO_V1(recurrence_hash_extended);
Datum
recurrence_hash_extended(PG_FUNCTION_ARGS)
{
	Recurrence *r = PG_GETARG_RECURRENCE_P(0);
	Datum		result = hash_any_extended((unsigned char *) VARDATA(r),
										   VARSIZE(r) - VARHDRSZ,
										   PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(r, 0);
	return result;
}
