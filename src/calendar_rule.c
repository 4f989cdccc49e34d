/*-------------------------------------------------------------------------
 *
 * calendar_rule.c
 *	  Rules of recurrence: the value of RRULE in RFC 5545, section 3.3.10.
 *
 * Reads a rule into a struct, writes it in its one canonical form, and tells
 * what a rule says about a single day.  No state.  What can't be computed
 * exactly is refused here, with a message that names the part: frequencies
 * below a day, parts that RFC 5545 forbids for a frequency, and combinations
 * that libical does not know or that calendars read differently.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/datetime.h"

#include "calendar.h"
#include "compat.h"

static const char *const frequency_names[] = {
	"DAILY", "WEEKLY", "MONTHLY", "YEARLY"
};

static const char *const weekday_names[] = {
	"MO", "TU", "WE", "TH", "FR", "SA", "SU"
};

/* by RuleList; negative values count from the end */
static const struct
{
	const char *name;
	int			min;
	int			max;
	bool		from_end;
}			lists[RULE_LISTS] = {
	{"BYMONTH", 1, 12, false},
	{"BYWEEKNO", 1, 53, true},
	{"BYYEARDAY", 1, 366, true},
	{"BYMONTHDAY", 1, 31, true},
	{"BYDAY", 1, 53, true},		/* its ordinal */
	{"BYHOUR", 0, 23, false},
	{"BYMINUTE", 0, 59, false},
	{"BYSECOND", 0, 59, false},
	{"BYSETPOS", 1, 366, true},
};

#define USECS(hour, minute, second) \
	((((hour) * INT64CONST(60) + (minute)) * 60 + (second)) * USECS_PER_SEC)

bool
fault_set(Fault *fault, int sqlstate, const char *at, const char *hint,
		  const char *format,...)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&buf, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&buf, needed);
	}
	fault->sqlstate = sqlstate;
	fault->at = at;
	fault->message = buf.data;
	fault->hint = hint;
	return false;
}

/* ----------
 * Reading
 * ----------
 */

/* Is the text from here to end this word, whatever its case? */
static bool
is_word(const char *text, const char *end, const char *word)
{
	size_t		length = strlen(word);

	return (size_t) (end - text) == length &&
		pg_strncasecmp(text, word, length) == 0;
}

static const char *
find_char(const char *text, const char *end, char c)
{
	const char *found = memchr(text, c, end - text);

	return found ? found : end;
}

/* Digits only, up to a number that any limit refuses; false if there are none. */
static bool
read_number(const char **text, const char *end, int *number)
{
	const char *s = *text;

	*number = 0;
	for (; s < end && *s >= '0' && *s <= '9'; s++)
		if (*number < 100000000)
			*number = *number * 10 + (*s - '0');
	if (s == *text)
		return false;
	*text = s;
	return true;
}

static bool
read_weekday(const char *text, const char *end, int *weekday)
{
	for (*weekday = 0; *weekday < 7; (*weekday)++)
		if (is_word(text, end, weekday_names[*weekday]))
			return true;
	return false;
}

static int
two_digits(const char *s)
{
	return (s[0] - '0') * 10 + (s[1] - '0');
}

bool
datetime_parse(const char *text, const char *end, Timestamp *result,
			   bool *is_date, bool *is_utc, Fault *fault)
{
	static const char *const hint =
		"Write it as 20260106T020000: year, month, day, T, hour, minute, second.";
	int			length = end - text;
	int			year,
				month,
				day,
				hour = 0,
				minute = 0,
				second = 0;

	*is_utc = length == 16 && (text[15] == 'Z' || text[15] == 'z');
	*is_date = length == 8;
	if (!*is_utc && !*is_date && length != 15)
		return fault_set(fault, ERRCODE_INVALID_DATETIME_FORMAT, text, hint,
						 "not a date and time");
	for (int i = 0; i < Min(length, 15); i++)
		if (i == 8 ? text[i] != 'T' && text[i] != 't' :
			text[i] < '0' || text[i] > '9')
			return fault_set(fault, ERRCODE_INVALID_DATETIME_FORMAT, text,
							 hint, "not a date and time");

	year = two_digits(text) * 100 + two_digits(text + 2);
	month = two_digits(text + 4);
	day = two_digits(text + 6);
	if (!*is_date)
	{
		hour = two_digits(text + 9);
		minute = two_digits(text + 11);
		second = two_digits(text + 13);
	}
	if (month < 1 || month > 12 || day < 1 || year < 1 ||
		day > day_tab[isleap(year)][month - 1] ||
		hour > 23 || minute > 59 || second > 59)
		return fault_set(fault, ERRCODE_DATETIME_FIELD_OVERFLOW, text, NULL,
						 "there is no such date or time");
	*result = (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY +
		USECS(hour, minute, second);
	return true;
}

static int
compare_int16(const void *a, const void *b)
{
	return *(const int16 *) a - *(const int16 *) b;
}

/* A comma-separated list, sorted and without what is there already. */
static bool
parse_list(const char *name, const char *text, const char *end, RuleList list,
		   Rule *rule, Fault *fault)
{
	int			n = 1;
	int			kept = 0;
	int16	   *values;

	for (const char *s = text; s < end; s++)
		n += (*s == ',');
	values = palloc(n * sizeof(int16));
	n = 0;
	for (;;)
	{
		const char *comma = find_char(text, end, ',');
		const char *s = text;
		bool		negative = false;
		bool		is_signed = false;
		int			number = 0;
		int			weekday = 0;
		bool		good;

		if (s < comma && (*s == '-' || *s == '+'))
		{
			is_signed = true;
			negative = *s++ == '-';
		}
		good = read_number(&s, comma, &number);
		if (list == BY_DAY)
		{
			/* the ordinal may be missing */
			good = (good || !is_signed) && read_weekday(s, comma, &weekday) &&
				(!good || (number >= 1 && number <= lists[list].max));
			if (!good)
				return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, text,
								 "Write days as MO, TU, WE, TH, FR, SA, SU; with an ordinal as 2TU or -1FR.",
								 "%s has something that is no day of the week", name);
		}
		else
		{
			good = good && s == comma && number >= lists[list].min &&
				number <= lists[list].max &&
				(!is_signed || lists[list].from_end);
			if (!good)
				return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, text,
								 NULL, lists[list].from_end ?
								 "%s takes whole numbers from %d to %d, or from -%d to -%d" :
								 "%s takes whole numbers from %d to %d",
								 name, lists[list].min, lists[list].max,
								 lists[list].max, lists[list].min);
		}
		if (negative)
			number = -number;
		values[n++] = list == BY_DAY ? RULE_DAY(number, weekday) : number;
		if (comma == end)
			break;
		text = comma + 1;
	}

	qsort(values, n, sizeof(int16), compare_int16);
	for (int i = 0; i < n; i++)
		if (i == 0 || values[i] != values[i - 1])
			values[kept++] = values[i];
	if (lists[list].from_end && kept > lists[list].max)
		return fault_set(fault, ERRCODE_INVALID_PARAMETER_VALUE, text, NULL,
						 "%s has more than %d values", name, lists[list].max);
	rule->by[list] = values;
	rule->n[list] = kept;
	return true;
}

/* A whole number between 1 and max. */
static bool
parse_limited(const char *name, const char *text, const char *end, int max,
			  int *result, Fault *fault)
{
	const char *s = text;

	if (!read_number(&s, end, result) || s != end)
		return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, text, NULL,
						 "%s takes a whole number", name);
	if (*result < 1 || *result > max)
		return fault_set(fault, ERRCODE_INVALID_PARAMETER_VALUE, text, NULL,
						 "%s goes from 1 to %d", name, max);
	return true;
}

static bool
parse_frequency(const char *text, const char *end, Rule *rule, Fault *fault)
{
	for (size_t i = 0; i < lengthof(frequency_names); i++)
		if (is_word(text, end, frequency_names[i]))
		{
			rule->frequency = i;
			return true;
		}
	if (is_word(text, end, "HOURLY") || is_word(text, end, "MINUTELY") ||
		is_word(text, end, "SECONDLY"))
		return fault_set(fault, ERRCODE_INVALID_PARAMETER_VALUE, text,
						 "Several times a day are written with BYHOUR and BYMINUTE, as in FREQ=DAILY;BYHOUR=8,20.",
						 "a rule may not be finer than FREQ=DAILY");
	return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, text, NULL,
					 "FREQ is one of DAILY, WEEKLY, MONTHLY and YEARLY");
}

/* One NAME=VALUE.  "seen" has a bit for each part that was there. */
static bool
parse_part(const char *text, const char *end, Rule *rule, uint32 *seen,
		   Fault *fault)
{
	static const char *const names[] = {
		"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"
	};
	const char *equals = find_char(text, end, '=');
	const char *value = equals + 1;
	const char *name = NULL;
	int			number = 0;
	bool		is_date;
	bool		is_utc;

	if (equals == end)
		return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, text,
						 "Parts are divided by semicolons, as in RRULE:FREQ=WEEKLY;BYDAY=TU,TH.",
						 "a part of RRULE is of the form NAME=VALUE");
	for (size_t i = 0; i < lengthof(names) && name == NULL; i++, number++)
		if (is_word(text, equals, names[i]))
			name = names[i];
	for (int i = 0; i < RULE_LISTS && name == NULL; i++, number++)
		if (is_word(text, equals, lists[i].name))
			name = lists[i].name;
	if (name == NULL)
		return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, text,
						 "The parts are FREQ, INTERVAL, COUNT, UNTIL, WKST, BYMONTH, BYWEEKNO, BYYEARDAY, BYMONTHDAY, BYDAY, BYHOUR, BYMINUTE, BYSECOND and BYSETPOS.",
						 "RRULE has a part that is not known");
	number--;
	if (*seen & (1 << number))
		return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, text, NULL,
						 "%s is there twice", name);
	*seen |= 1 << number;

	switch (number)
	{
		case 0:
			return parse_frequency(value, end, rule, fault);
		case 1:
			return parse_limited(name, value, end, RULE_INTERVAL_MAX,
								 &rule->interval, fault);
		case 2:
			return parse_limited(name, value, end, RULE_COUNT_MAX,
								 &rule->count, fault);
		case 3:
			if (!datetime_parse(value, end, &rule->until, &is_date, &is_utc,
								fault))
				return false;
			rule->until_kind = is_date ? UNTIL_DATE :
				is_utc ? UNTIL_UTC : UNTIL_LOCAL;
			return true;
		case 4:
			if (!read_weekday(value, end, &rule->week_start))
				return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION,
								 value, NULL,
								 "WKST is one of MO, TU, WE, TH, FR, SA and SU");
			return true;
		default:
			return parse_list(name, value, end,
							  number - (int) lengthof(names), rule, fault);
	}
}

/* What the parts must be to each other. */
static bool
check_parts(const Rule *rule, const char *text, Fault *fault)
{
	const char *frequency = frequency_names[rule->frequency];
	bool		ordinal = false;
	int			times;

	for (int i = 0; i < rule->n[BY_DAY]; i++)
		if (RULE_DAY_ORDINAL(rule->by[BY_DAY][i]) != 0)
			ordinal = true;

#define REFUSE(...) \
	return fault_set(fault, ERRCODE_INVALID_PARAMETER_VALUE, text, NULL, __VA_ARGS__)

	if (rule->count > 0 && rule->until_kind != UNTIL_NONE)
		REFUSE("a rule ends by COUNT or by UNTIL, not by both");
	if (rule->n[BY_WEEKNO] > 0 && rule->frequency != RULE_YEARLY)
		REFUSE("BYWEEKNO goes with FREQ=YEARLY only, not with %s", frequency);
	if (rule->n[BY_YEARDAY] > 0 && rule->frequency != RULE_YEARLY)
		REFUSE("BYYEARDAY goes with FREQ=YEARLY only, not with %s", frequency);
	if (rule->n[BY_MONTHDAY] > 0 && rule->frequency == RULE_WEEKLY)
		REFUSE("BYMONTHDAY does not go with FREQ=WEEKLY");
	if (rule->n[BY_WEEKNO] > 0 &&
		(rule->n[BY_MONTH] > 0 || rule->n[BY_YEARDAY] > 0 ||
		 rule->n[BY_MONTHDAY] > 0 || ordinal))
		REFUSE("BYWEEKNO goes with days of the week in BYDAY only");
	if (rule->n[BY_WEEKNO] > 0 && rule->week_start != 0)
		REFUSE("BYWEEKNO counts weeks that begin on a Monday");
	if (rule->n[BY_YEARDAY] > 0 &&
		(rule->n[BY_MONTH] > 0 || rule->n[BY_MONTHDAY] > 0 || ordinal))
		REFUSE("BYYEARDAY goes with days of the week in BYDAY only");
	if (ordinal && rule->frequency < RULE_MONTHLY)
		REFUSE("a BYDAY with an ordinal goes with FREQ=MONTHLY and YEARLY only");
	if (ordinal && rule->n[BY_MONTHDAY] > 0)
		REFUSE("a BYDAY with an ordinal does not go with BYMONTHDAY");
	if (ordinal && (rule->frequency == RULE_MONTHLY || rule->n[BY_MONTH] > 0))
		for (int i = 0; i < rule->n[BY_DAY]; i++)
			if (abs(RULE_DAY_ORDINAL(rule->by[BY_DAY][i])) > 5)
				REFUSE("a month has at most five of a day of the week");
	times = Max(rule->n[BY_HOUR], 1) * Max(rule->n[BY_MINUTE], 1) *
		Max(rule->n[BY_SECOND], 1);
	if (times > RULE_TIMES_MAX)
		REFUSE("a rule has at most %d times a day, this one %d",
			   RULE_TIMES_MAX, times);
	if (rule->n[BY_SETPOS] > 0 &&
		rule->n[BY_MONTH] + rule->n[BY_WEEKNO] + rule->n[BY_YEARDAY] +
		rule->n[BY_MONTHDAY] + rule->n[BY_DAY] + rule->n[BY_HOUR] +
		rule->n[BY_MINUTE] + rule->n[BY_SECOND] == 0)
		REFUSE("BYSETPOS chooses from what another BY... gives");
#undef REFUSE
	return true;
}

bool
rule_parse(const char *text, const char *end, Rule *rule, Fault *fault)
{
	const char *s = text;
	uint32		seen = 0;

	memset(rule, 0, sizeof(Rule));
	rule->interval = 1;
	for (;;)
	{
		const char *semicolon = find_char(s, end, ';');

		if (!parse_part(s, semicolon, rule, &seen, fault))
			return false;
		if (semicolon == end)
			break;
		s = semicolon + 1;
	}
	if (!(seen & 1))
		return fault_set(fault, ERRCODE_INVALID_TEXT_REPRESENTATION, text,
						 "Write FREQ=DAILY, WEEKLY, MONTHLY or YEARLY.",
						 "RRULE has no FREQ");
	return check_parts(rule, text, fault);
}

/* ----------
 * Writing
 * ----------
 */

void
datetime_append(StringInfo buf, Timestamp local, bool is_date)
{
	int64		days = local / USECS_PER_DAY;
	int64		seconds;
	int			year,
				month,
				day;

	if (local - days * USECS_PER_DAY < 0)
		days--;
	seconds = (local - days * USECS_PER_DAY) / USECS_PER_SEC;
	j2date((int) days + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	appendStringInfo(buf, "%04d%02d%02d", year, month, day);
	if (!is_date)
		appendStringInfo(buf, "T%02d%02d%02d", (int) (seconds / 3600),
						 (int) (seconds / 60 % 60), (int) (seconds % 60));
}

char *
rule_text(const Rule *rule)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "FREQ=%s", frequency_names[rule->frequency]);
	if (rule->interval > 1)
		appendStringInfo(&buf, ";INTERVAL=%d", rule->interval);
	if (rule->count > 0)
		appendStringInfo(&buf, ";COUNT=%d", rule->count);
	if (rule->until_kind != UNTIL_NONE)
	{
		appendStringInfoString(&buf, ";UNTIL=");
		datetime_append(&buf, rule->until, rule->until_kind == UNTIL_DATE);
		if (rule->until_kind == UNTIL_UTC)
			appendStringInfoChar(&buf, 'Z');
	}
	if (rule->week_start != 0)
		appendStringInfo(&buf, ";WKST=%s", weekday_names[rule->week_start]);
	for (int list = 0; list < RULE_LISTS; list++)
		for (int i = 0; i < rule->n[list]; i++)
		{
			int			value = rule->by[list][i];

			if (i == 0)
				appendStringInfo(&buf, ";%s=", lists[list].name);
			else
				appendStringInfoChar(&buf, ',');
			if (list != BY_DAY)
				appendStringInfo(&buf, "%d", value);
			else if (RULE_DAY_ORDINAL(value) != 0)
				appendStringInfo(&buf, "%d%s", RULE_DAY_ORDINAL(value),
								 weekday_names[RULE_DAY_WEEKDAY(value)]);
			else
				appendStringInfoString(&buf, weekday_names[RULE_DAY_WEEKDAY(value)]);
		}
	return buf.data;
}

/* ----------
 * What a rule says about a day
 * ----------
 */

static void
set_one(Rule *rule, RuleList list, int value)
{
	rule->by[list] = palloc(sizeof(int16));
	rule->by[list][0] = value;
	rule->n[list] = 1;
}

/* 0 is Monday */
static int
weekday_of(int day)
{
	return (j2day(day + POSTGRES_EPOCH_JDATE) + 6) % 7;
}

void
rule_complete(Rule *rule, Timestamp start)
{
	int			start_day;
	int			second;
	int			year,
				month,
				day;

	start_day = start / USECS_PER_DAY - (start % USECS_PER_DAY < 0);
	second = (start - start_day * USECS_PER_DAY) / USECS_PER_SEC;
	j2date(start_day + POSTGRES_EPOCH_JDATE, &year, &month, &day);

	if (rule->n[BY_HOUR] == 0)
		set_one(rule, BY_HOUR, second / 3600);
	if (rule->n[BY_MINUTE] == 0)
		set_one(rule, BY_MINUTE, second / 60 % 60);
	if (rule->n[BY_SECOND] == 0)
		set_one(rule, BY_SECOND, second % 60);

	if (rule->frequency == RULE_DAILY || rule->n[BY_YEARDAY] > 0 ||
		rule->n[BY_DAY] > 0)
		return;
	if (rule->frequency == RULE_WEEKLY || rule->n[BY_WEEKNO] > 0)
		set_one(rule, BY_DAY, RULE_DAY(0, weekday_of(start_day)));
	else if (rule->n[BY_MONTHDAY] == 0)
	{
		set_one(rule, BY_MONTHDAY, day);
		if (rule->frequency == RULE_YEARLY && rule->n[BY_MONTH] == 0)
			set_one(rule, BY_MONTH, month);
	}
}

static bool
list_has(const Rule *rule, RuleList list, int value)
{
	for (int i = 0; i < rule->n[list]; i++)
		if (rule->by[list][i] == value)
			return true;
	return false;
}

/* A day by its place in month and week, but for ordinals. */
static bool
passes(const Rule *rule, int month, int day, int month_days, int weekday)
{
	bool		good = true;

	if (rule->n[BY_MONTH] > 0 && !list_has(rule, BY_MONTH, month))
		return false;
	if (rule->n[BY_MONTHDAY] > 0 && !list_has(rule, BY_MONTHDAY, day) &&
		!list_has(rule, BY_MONTHDAY, day - month_days - 1))
		return false;
	for (int i = 0; i < rule->n[BY_DAY]; i++)
	{
		int			value = rule->by[BY_DAY][i];

		good = RULE_DAY_WEEKDAY(value) == weekday;
		if (good)
			break;
	}
	return good;
}

/* The year that the week of a day belongs to, for weeks from a Monday. */
static int
week_year(int day)
{
	int			year,
				month,
				month_day;

	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &month_day);
	return date2isoyear(year, month, month_day);
}

bool
rule_day_passes(const Rule *rule, int start_day, int day)
{
	int			year,
				month,
				month_day;

	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &month_day);
	if (rule->n[BY_WEEKNO] > 0)
	{
		int			week = date2isoweek(year, month, month_day);
		int			of_year = week_year(day);

		/* the last week is that of December 28 */
		if ((of_year - week_year(start_day)) % rule->interval != 0 ||
			(!list_has(rule, BY_WEEKNO, week) &&
			 !list_has(rule, BY_WEEKNO,
					   week - date2isoweek(of_year, 12, 28) - 1)))
			return false;
	}
	return passes(rule, month, month_day,
				  day_tab[isleap(year)][month - 1], weekday_of(day));
}

static int
common_divisor(int a, int b)
{
	while (b != 0)
	{
		int			rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/*
 * There are fourteen kinds of years: leap or not, and the day of the week
 * that it begins on.  A month that the interval never comes to, and a leap
 * year that it never comes to, don't count.
 */
bool
rule_is_possible(const Rule *rule, int start_day)
{
	int			start_year,
				start_month,
				start_month_day;
	int			months = 1;
	int			years = 1;
	int			times = rule->n[BY_HOUR] * rule->n[BY_MINUTE] * rule->n[BY_SECOND];
	int			most = 0;		/* times in a period */
	int			least_position = RULE_TIMES_MAX * 366;

	for (int i = 0; i < rule->n[BY_SETPOS]; i++)
		least_position = Min(least_position, abs(rule->by[BY_SETPOS][i]));

	j2date(start_day + POSTGRES_EPOCH_JDATE, &start_year, &start_month,
		   &start_month_day);
	if (rule->frequency == RULE_MONTHLY)
		months = common_divisor(rule->interval, 12);
	if (rule->frequency == RULE_YEARLY)
		years = common_divisor(rule->interval, 4);

	for (int leap = 0; leap <= 1; leap++)
		for (int first = 0; first < 7; first++)
		{
			int			year_day = 0;
			int			in_year = 0;

			if (leap && start_year % years != 0)
				continue;
			for (int month = 1; month <= 12; month++)
			{
				int			month_days = day_tab[leap][month - 1];
				int			in_month = 0;

				for (int day = 1; day <= month_days; day++, year_day++)
				{
					if ((month - start_month) % months != 0 ||
						!passes(rule, month, day, month_days,
								(first + year_day) % 7))
						continue;
					if (rule->n[BY_YEARDAY] > 0 &&
						!list_has(rule, BY_YEARDAY, year_day + 1) &&
						!list_has(rule, BY_YEARDAY, year_day - 365 - leap))
						continue;
					in_month++;
				}
				in_year += in_month;
				if (rule->frequency == RULE_MONTHLY)
					most = Max(most, in_month);
			}
			if (rule->frequency == RULE_YEARLY)
				most = Max(most, in_year);
			else if (rule->frequency == RULE_DAILY)
				most = Max(most, Min(in_year, 1));
			else if (rule->frequency == RULE_WEEKLY)
				most = Max(most, Min(in_year, rule->n[BY_DAY]));
		}

	return most > 0 &&
		(rule->n[BY_SETPOS] == 0 || most * times >= least_position);
}

int
rule_period(const Rule *rule, int day)
{
	int			julian = day + POSTGRES_EPOCH_JDATE;
	int			year,
				month,
				month_day;

	switch (rule->frequency)
	{
		case RULE_DAILY:
			return julian;
		case RULE_WEEKLY:
			return rule_period_start(rule, day);
		default:
			break;
	}
	j2date(julian, &year, &month, &month_day);
	if (rule->n[BY_WEEKNO] > 0)
		return week_year(day);
	return rule->frequency == RULE_YEARLY ? year : year * 12 + month;
}

int
rule_period_start(const Rule *rule, int day)
{
	int			year,
				month,
				month_day;

	switch (rule->frequency)
	{
		case RULE_DAILY:
			return day;
		case RULE_WEEKLY:
			return day - (weekday_of(day) - rule->week_start + 7) % 7;
		default:
			break;
	}
	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &month_day);
	if (rule->frequency == RULE_YEARLY)
		month = 1;

	/* weeks of a year begin up to three days before it, end as much after it */
	if (rule->n[BY_WEEKNO] > 0)
		return date2j(year - 1, 1, 1) - 7 - POSTGRES_EPOCH_JDATE;
	return date2j(year, month, 1) - POSTGRES_EPOCH_JDATE;
}
