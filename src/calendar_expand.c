/*-------------------------------------------------------------------------
 *
 * calendar_expand.c
 *	  The days of a rule.  The only file that knows libical but calendar_ics.c.
 *
 * libical expands months and years; every day or every week is an addition,
 * and weeks of a year are, too (libical loses days of the last one).
 * It is given dates only, in no time zone, and a rule in which nothing is left
 * to be taken from the start: hours, COUNT, UNTIL and BYSETPOS are the
 * caller's, so that a walk can begin at any day.
 *
 * libical can't be interrupted inside a call, so no call may take long: a rule
 * that has an occurrence has one in each 400 years' worth of its periods,
 * which is as far as a call goes, and one that has none was refused before, or
 * ends in the year 20000 (some tenths of a second, at input only).
 *
 * An iterator is malloc'ed: it is freed by a callback of the memory context
 * that the walker lives in.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <libical/ical.h>

#include "miscadmin.h"
#include "utils/datetime.h"

#include "calendar.h"
#include "compat.h"

struct RuleWalker
{
	const Rule *rule;
	int			start;			/* of the recurrence */
	int			step;			/* days or weeks, in days; 0: by libical */
	int			next;			/* the day or week to look at next */
	int			weekday;		/* place in the list of BYDAY */
	int			from;			/* nothing before it is given */
	icalrecur_iterator *iterator;	/* of months and years */
	bool		ended;
	MemoryContextCallback callback;
};

static void
walker_free(void *argument)
{
	RuleWalker *walker = argument;

	if (walker->iterator != NULL)
		icalrecur_iterator_free(walker->iterator);
	walker->iterator = NULL;
}

static struct icaltimetype
to_icaltime(int day)
{
	struct icaltimetype result = icaltime_null_time();

	j2date(day + POSTGRES_EPOCH_JDATE, &result.year, &result.month, &result.day);
	return result;
}

/* What libical says when it gives nothing: no memory is not "no day". */
static void
check_error(void)
{
	if (icalerrno == ICAL_NEWFAILED_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed in libical.")));
	if (icalerrno != ICAL_NO_ERROR && icalerrno != ICAL_MALFORMEDDATA_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("libical could not expand a recurrence: %s",
						icalerror_strerror(icalerrno))));
}

/*
 * The iterator of a rule, NULL if libical knows no day of it; with "only_read",
 * only whether it takes the text.
 */
static icalrecur_iterator *
iterator_new(const char *text, int start, bool only_read, bool *good)
{
	icalrecur_iterator *result = NULL;
#if ICAL_MAJOR_VERSION >= 4
	struct icalrecurrencetype *rule;
#else
	struct icalrecurrencetype rule;
#endif

	icalerror_set_errors_are_fatal(false);
	icalerror_clear_errno();
#if ICAL_MAJOR_VERSION >= 4
	rule = icalrecurrencetype_new_from_string(text);
	*good = rule != NULL;
#else
	rule = icalrecurrencetype_from_string(text);
	*good = rule.freq != ICAL_NO_RECURRENCE;
#endif
	if (*good && !only_read)
	{
		result = icalrecur_iterator_new(rule, to_icaltime(start));
		*good = result != NULL;
	}
#if ICAL_MAJOR_VERSION >= 4
	if (rule != NULL)
		icalrecurrencetype_unref(rule);
#endif
	return result;
}

bool
rule_is_read(const Rule *rule)
{
	bool		good;

	(void) iterator_new(rule_text(rule), 0, true, &good);
	check_error();
	return good;
}

RuleWalker *
rule_walker_new(MemoryContext context, const Rule *rule, int start_day,
				bool *found)
{
	static int16 all_months[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	RuleWalker *walker = MemoryContextAllocZero(context, sizeof(RuleWalker));
	Rule		days = *rule;

	walker->rule = rule;
	walker->start = start_day;
	if (rule->frequency == RULE_DAILY)
		walker->step = rule->interval;
	else if (rule->frequency == RULE_WEEKLY)
		walker->step = 7 * rule->interval;
	else if (rule->n[BY_WEEKNO] > 0)
		walker->step = 7;
	walker->callback.func = walker_free;
	walker->callback.arg = walker;

	*found = true;
	if (walker->step > 0)
		return walker;

	days.count = 0;
	days.until_kind = UNTIL_NONE;
	days.n[BY_HOUR] = days.n[BY_MINUTE] = days.n[BY_SECOND] = 0;
	days.n[BY_SETPOS] = 0;
	if (days.frequency == RULE_YEARLY && days.n[BY_MONTHDAY] > 0 &&
		days.n[BY_MONTH] == 0)
	{
		/* libical would take the month from the start */
		days.by[BY_MONTH] = all_months;
		days.n[BY_MONTH] = lengthof(all_months);
	}
	MemoryContextRegisterResetCallback(context, &walker->callback);
	walker->iterator = iterator_new(rule_text(&days),
									rule_period_start(rule, start_day),
									false, found);
	check_error();
	return walker;
}

static int
week_start(const RuleWalker *walker, int day)
{
	int			weekday = (j2day(day + POSTGRES_EPOCH_JDATE) + 6) % 7;

	return day - (weekday - walker->rule->week_start + 7) % 7;
}

void
rule_walker_seek(RuleWalker *walker, int day)
{
	const Rule *rule = walker->rule;

	day = Max(day, walker->start);
	/* a position is counted from the beginning of its period */
	walker->from = rule->n[BY_SETPOS] > 0 ? rule_period_start(rule, day) : day;
	walker->ended = false;
	walker->weekday = 0;
	if (walker->step > 0)
	{
		/* the day, or the week, that is part of the walk and not after it */
		walker->next = walker->start;
		if (rule->frequency != RULE_DAILY)
			walker->next = week_start(walker, walker->start);
		if (walker->from > walker->next)
			walker->next += (walker->from - walker->next) / walker->step * walker->step;
		else if (walker->from < walker->next)
			walker->next = week_start(walker, walker->from);
		return;
	}
	if (walker->iterator == NULL)
	{
		walker->ended = true;
		return;
	}
	/* it looks at the error of the call before */
	icalerror_clear_errno();
	walker->ended = !icalrecur_iterator_set_start(walker->iterator,
												  to_icaltime(rule_period_start(rule, day)));
	check_error();
}

/* The next day, whether or not it is late enough. */
static bool
walker_step(RuleWalker *walker, int *day)
{
	const Rule *rule = walker->rule;

	if (rule->frequency == RULE_DAILY)
	{
		*day = walker->next;
		walker->next += rule->interval;
	}
	else if (walker->step > 0)
	{
		int			place = walker->weekday++;

		/* the days of the week in the order that begins with WKST */
		for (int pass = 0; pass < 2; pass++)
			for (int i = 0; i < rule->n[BY_DAY]; i++)
			{
				int			weekday = RULE_DAY_WEEKDAY(rule->by[BY_DAY][i]);

				if ((weekday >= rule->week_start) == (pass == 0) &&
					place-- == 0)
					*day = walker->next +
						(weekday - rule->week_start + 7) % 7;
			}
		if (walker->weekday == rule->n[BY_DAY])
		{
			walker->weekday = 0;
			walker->next += walker->step;
		}
	}
	else
	{
		struct icaltimetype next;

		icalerror_clear_errno();
		next = icalrecur_iterator_next(walker->iterator);
		if (icaltime_is_null_time(next))
		{
			check_error();
			return false;
		}
		*day = date2j(next.year, next.month, next.day) - POSTGRES_EPOCH_JDATE;
	}
	return *day < RECURRENCE_DAY_LIMIT;
}

bool
rule_walker_next(RuleWalker *walker, int *day)
{
	while (!walker->ended)
	{
		CHECK_FOR_INTERRUPTS();
		if (!walker_step(walker, day))
			walker->ended = true;
		else if (*day >= walker->from &&
				 (walker->step == 0 ||
				  rule_day_passes(walker->rule, walker->start, *day)))
			return true;
	}
	return false;
}
