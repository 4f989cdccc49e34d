/*-------------------------------------------------------------------------
 *
 * calendar_occurrence.c
 *	  Recurrences in real time: what contains(), occurrences() and
 *	  next_occurrence() answer.
 *
 * A rule speaks of local time, so occurrences are found as local starts, in
 * order, and each is then turned into real time by the server's own zones: a
 * start that the clocks skip becomes the end of the gap, of one that comes
 * twice the first is meant.  The order stays, so what was found can be
 * searched.
 *
 * What a recurrence has computed (its rule, libical's iterator, a block of
 * occurrences around the last question) lives as long as the call site
 * (fn_extra).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/memutils.h"
#include "utils/rangetypes.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#include "calendar.h"
#include "compat.h"
#include "errors.h"

PG_FUNCTION_INFO_V1(recurrence_contains);
PG_FUNCTION_INFO_V1(recurrence_occurrences);
PG_FUNCTION_INFO_V1(recurrence_occurrences_support);
PG_FUNCTION_INFO_V1(recurrence_next_occurrence);

/* A block is at most this long, and stops at this many occurrences. */
#define BLOCK_DAYS_MAX	12000
#define BLOCK_MAX		10000

/* Zones differ from UTC by less than a day, and a gap may be one day long. */
#define DAYS_OF_ZONES	3

struct RecurrenceState
{
	MemoryContext context;
	Recurrence *value;
	pg_tz	   *zone;
	Rule		rule;			/* completed */
	RuleWalker *walker;			/* NULL: the recurrence happens once */
	int			start_day;
	int			longest;		/* days that an occurrence can reach into */
	int		   *times;			/* of a day, in seconds, sorted */
	int			n_times;
	Timestamp	last;			/* local start that COUNT ends with, or DT_NOEND */

	/* local starts of the period that is being looked at */
	Timestamp  *queue;
	int			queue_size;
	int			queued;
	int			taken;
	int			pending_day;
	bool		pending;
	bool		ended;

	/* the occurrences whose local start is in these days */
	int			block_from;
	int			block_to;		/* excluded; PG_INT32_MAX: no more come */
	Occurrence *block;
	int			block_size;
	int			block_n;
	int			block_days;		/* length of the next one */
};

/* ----------
 * Local time and real time
 * ----------
 */

/*
 * The moment at which clocks first show this local time, or at which they
 * jump over it.  (DetermineTimeZoneOffset takes the second of two, and moves
 * a skipped time on by the length of the gap.)
 */
TimestampTz
recurrence_real_time(Timestamp local, pg_tz *zone)
{
	pg_time_t	wanted = local / USECS_PER_SEC +
		(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY;
	pg_time_t	from = wanted - 2 * SECS_PER_DAY;
	pg_time_t	result;

	for (;;)
	{
		long int	before_offset,
					after_offset;
		int			before_isdst,
					after_isdst;
		pg_time_t	boundary;
		int			n = pg_next_dst_boundary(&from, &before_offset, &before_isdst,
											 &boundary, &after_offset,
											 &after_isdst, zone);

		if (n < 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("timestamp out of range")));
		result = wanted - before_offset;
		if (n == 0 || result < boundary)
			break;
		if (wanted - after_offset < boundary)
		{
			result = boundary;
			break;
		}
		from = boundary;
	}
	return (result - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) *
			(int64) SECS_PER_DAY) * USECS_PER_SEC;
}

static int
day_of(Timestamp at)
{
	return at / USECS_PER_DAY - (at % USECS_PER_DAY < 0);
}

/* ----------
 * Local starts, in order
 * ----------
 */

static void
queue_times(RecurrenceState *state, int day)
{
	int			needed = state->queued + state->n_times;

	if (needed > state->queue_size)
	{
		state->queue_size = Max(needed, 2 * state->queue_size);
		state->queue = state->queue == NULL ?
			MemoryContextAlloc(state->context, state->queue_size * sizeof(Timestamp)) :
			repalloc(state->queue, state->queue_size * sizeof(Timestamp));
	}
	for (int i = 0; i < state->n_times; i++)
		state->queue[state->queued++] = day * USECS_PER_DAY +
			state->times[i] * USECS_PER_SEC;
}

/* Leaves in the queue what BYSETPOS chooses. */
static void
queue_choose(RecurrenceState *state)
{
	const Rule *rule = &state->rule;
	int			kept = 0;

	for (int i = 0; i < state->queued; i++)
		for (int p = 0; p < rule->n[BY_SETPOS]; p++)
		{
			int			position = rule->by[BY_SETPOS][p];

			if (position == i + 1 || position == i - state->queued)
			{
				state->queue[kept++] = state->queue[i];
				break;
			}
		}
	state->queued = kept;
}

/* From here on starts are given from this day on, some may be before it. */
static void
starts_seek(RecurrenceState *state, int day)
{
	state->queued = state->taken = 0;
	state->pending = false;
	state->ended = day >= RECURRENCE_DAY_LIMIT;
	if (state->walker == NULL)
		state->queue[state->queued++] = state->value->start;
	else if (!state->ended)
		rule_walker_seek(state->walker, day);
}

static bool
starts_next(RecurrenceState *state, Timestamp *result)
{
	for (;;)
	{
		int			day;

		while (state->taken < state->queued)
		{
			*result = state->queue[state->taken++];
			if (*result >= state->value->start)
				return true;
		}
		if (state->ended || state->walker == NULL)
			return false;

		state->queued = state->taken = 0;
		if (state->pending)
			day = state->pending_day;
		else if (!rule_walker_next(state->walker, &day))
			return false;
		state->pending = false;
		queue_times(state, day);
		if (state->rule.n[BY_SETPOS] > 0)
		{
			int			period = rule_period(&state->rule, day);

			while (rule_walker_next(state->walker, &day))
			{
				if (rule_period(&state->rule, day) != period)
				{
					state->pending_day = day;
					state->pending = true;
					break;
				}
				queue_times(state, day);
			}
			state->ended = !state->pending;
			queue_choose(state);
		}
	}
}

/* ----------
 * Occurrences
 * ----------
 */

static bool
is_excluded(const Recurrence *value, Timestamp local)
{
	int			low = 0;
	int			high = value->exdates;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (value->exdate[middle] < local)
			low = middle + 1;
		else
			high = middle;
	}
	return low < value->exdates && value->exdate[low] == local;
}

/*
 * The next occurrence with its local start, after starts_seek().  Two local
 * starts in one gap are two occurrences here that begin together.
 */
static bool
occurrence_next(RecurrenceState *state, Timestamp *local, Occurrence *result)
{
	const Recurrence *value = state->value;
	const Rule *rule = &state->rule;

	while (starts_next(state, local))
	{
		if (*local > state->last ||
			(rule->until_kind == UNTIL_LOCAL && *local > rule->until) ||
			(rule->until_kind == UNTIL_DATE &&
			 *local >= rule->until + USECS_PER_DAY))
			return false;
		if (is_excluded(value, *local))
			continue;
		result->starts_at = recurrence_real_time(*local, state->zone);
		if (rule->until_kind == UNTIL_UTC && result->starts_at > rule->until)
			return false;
		result->ends_at = value->days == 0 ? result->starts_at :
			recurrence_real_time(*local + value->days * USECS_PER_DAY, state->zone);
		result->ends_at += value->seconds * USECS_PER_SEC;

		/* a day that the zone left out */
		if (result->ends_at > result->starts_at)
			return true;
	}
	return false;
}

static int
compare_int(const void *a, const void *b)
{
	return *(const int *) a - *(const int *) b;
}

RecurrenceState *
recurrence_open(MemoryContext context, const Recurrence *value)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	RecurrenceState *state = palloc0(sizeof(RecurrenceState));
	char	   *zone;

	state->context = context;
	state->value = palloc(VARSIZE(value));
	memcpy(state->value, value, VARSIZE(value));
	value = state->value;
	state->start_day = day_of(value->start);
	state->longest = value->days + value->seconds / SECS_PER_DAY + 1;
	state->last = DT_NOEND;

	zone = pnstrdup(RECURRENCE_ZONE(value), value->zone_length);
	state->zone = pg_tzset(zone);
	if (state->zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" is not known to this server", zone),
				 errhint("The view pg_timezone_names lists the names.")));

	if (value->rule_length == 0)
	{
		state->queue_size = 1;
		state->queue = palloc(sizeof(Timestamp));
	}
	else
	{
		Rule	   *rule = &state->rule;
		Fault		fault;
		bool		found;

		if (!rule_parse(RECURRENCE_RULE(value),
						RECURRENCE_RULE(value) + value->rule_length, rule,
						&fault))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("stored recurrence has an invalid rule: %s",
							fault.message)));
		rule_complete(rule, value->start);
		state->times = palloc(rule->n[BY_HOUR] * rule->n[BY_MINUTE] *
							  rule->n[BY_SECOND] * sizeof(int));
		for (int h = 0; h < rule->n[BY_HOUR]; h++)
			for (int m = 0; m < rule->n[BY_MINUTE]; m++)
				for (int s = 0; s < rule->n[BY_SECOND]; s++)
					state->times[state->n_times++] =
						(rule->by[BY_HOUR][h] * 60 + rule->by[BY_MINUTE][m]) * 60 +
						rule->by[BY_SECOND][s];
		qsort(state->times, state->n_times, sizeof(int), compare_int);
		state->walker = rule_walker_new(context, rule, state->start_day, &found);
		if (rule->count > 0)
		{
			Timestamp	local;
			Timestamp	last = DT_NOBEGIN;

			starts_seek(state, state->start_day);
			for (int i = 0; i < rule->count && starts_next(state, &local); i++)
				last = local;
			state->last = last;
		}
	}
	MemoryContextSwitchTo(old);
	return state;
}

/* Does it end by itself? */
static bool
is_finite(const RecurrenceState *state)
{
	return state->walker == NULL || state->rule.count > 0 ||
		state->rule.until_kind != UNTIL_NONE;
}

/* Is there an answer about this day? */
static void
check_day(const RecurrenceState *state, int day)
{
	if (day - state->longest - DAYS_OF_ZONES >= RECURRENCE_DAY_LIMIT && !is_finite(state))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("recurrences are computed up to the year %d",
						RECURRENCE_LAST_YEAR),
				 errhint("A rule with UNTIL or COUNT has an end.")));
}

/* ----------
 * Blocks
 * ----------
 */

/* Makes the block hold all occurrences that begin in these days. */
static void
block_cover(RecurrenceState *state, int from, int to)
{
	Timestamp	local;
	Occurrence	occurrence;
	int			days = Max(state->block_days, to - from);
	int			block_to;
	bool		full = false;

	from = Max(from, state->start_day);
	if (state->block_from <= from && to <= state->block_to)
		return;

	from = Max(from - (days - (to - from)) / 4, state->start_day);
	block_to = Max(to, from + days);
	state->block_from = state->block_to = 0;
	state->block_n = 0;

	starts_seek(state, from);
	for (;;)
	{
		int			day;

		if (!occurrence_next(state, &local, &occurrence))
		{
			block_to = PG_INT32_MAX;
			break;
		}
		day = day_of(local);
		if (day < from)
			continue;
		if (day >= to && state->block_n >= BLOCK_MAX)
		{
			block_to = Min(block_to, day);
			full = true;
		}
		if (day >= block_to)
			break;
		if (state->block_n > 0 &&
			state->block[state->block_n - 1].starts_at == occurrence.starts_at)
			continue;			/* both in the same gap */
		if (state->block_n == state->block_size)
		{
			state->block_size = Max(64, 2 * state->block_size);
			state->block = state->block == NULL ?
				MemoryContextAlloc(state->context, state->block_size * sizeof(Occurrence)) :
				repalloc(state->block, state->block_size * sizeof(Occurrence));
		}
		state->block[state->block_n++] = occurrence;
	}
	state->block_from = from;
	state->block_to = block_to;

	/*
	 * The more often it is asked elsewhere, the longer a block gets, up to
	 * what fits: what lies before the question has to be walked through, too.
	 */
	state->block_days = full ? Max(1, (block_to - from) / 2) :
		Min(BLOCK_DAYS_MAX, 8 * days);
}

/* How many of the block begin at this time or before it. */
static int
block_count_until(const RecurrenceState *state, TimestampTz at)
{
	int			low = 0;
	int			high = state->block_n;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (state->block[middle].starts_at <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * All of a recurrence's occurrences are of one length in local time, so the
 * one that began last ends last.
 */
static bool
recurrence_covers(RecurrenceState *state, TimestampTz at)
{
	int			day = day_of(at);
	int			n;

	check_day(state, day);
	if (day + DAYS_OF_ZONES <= state->start_day ||
		day - state->longest - DAYS_OF_ZONES >= RECURRENCE_DAY_LIMIT)
		return false;
	block_cover(state, day - state->longest - DAYS_OF_ZONES,
				day + DAYS_OF_ZONES);
	n = block_count_until(state, at);
	return n > 0 && at < state->block[n - 1].ends_at;
}

bool
recurrence_next(RecurrenceState *state, TimestampTz after, Occurrence *result)
{
	int			from = state->start_day;
	int			to;

	if (after == DT_NOEND)
		from = RECURRENCE_DAY_LIMIT;
	else if (after != DT_NOBEGIN)
		from = Max(day_of(after) - DAYS_OF_ZONES, state->start_day);
	check_day(state, from);
	to = from + 2 * DAYS_OF_ZONES;
	while (from < RECURRENCE_DAY_LIMIT)
	{
		int			n;

		block_cover(state, from, to);
		n = block_count_until(state, after);
		if (n < state->block_n)
		{
			*result = state->block[n];
			return true;
		}
		if (state->block_to == PG_INT32_MAX)
			return false;
		from = state->block_to;
		to = from + 1;
	}
	return false;
}

/*
 * Both the starts and the ends of a recurrence's occurrences are in order.
 */
bool
recurrence_overlapping(RecurrenceState *state, TimestampTz after,
					   TimestampTz before, Occurrence *result)
{
	int			from = Max(day_of(after) - state->longest - DAYS_OF_ZONES,
						   state->start_day);
	int			to = Max(from + 1, day_of(after) + DAYS_OF_ZONES);
	int			end = day_of(before - 1) + DAYS_OF_ZONES;

	check_day(state, day_of(before - 1));
	end = Min(end, RECURRENCE_DAY_LIMIT);
	while (from < end)
	{
		int			low = 0;
		int			high;

		block_cover(state, from, Min(to, end));
		high = state->block_n;
		while (low < high)
		{
			int			middle = (low + high) / 2;

			if (state->block[middle].ends_at <= after)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < state->block_n)
		{
			*result = state->block[low];
			return result->starts_at < before;
		}
		if (state->block_to == PG_INT32_MAX)
			return false;
		from = state->block_to;
		to = from + 1;
	}
	return false;
}

bool
recurrence_has_any(RecurrenceState *state)
{
	Timestamp	local;
	Occurrence	occurrence;

	starts_seek(state, state->start_day);
	return occurrence_next(state, &local, &occurrence);
}

/* ----------
 * SQL
 * ----------
 */

/*
 * What a call site keeps: the recurrence that it was asked about last, and
 * those before it by their hash, for a table of windows is gone through again
 * and again.
 */
typedef struct KeptStates
{
	RecurrenceState *last;
	RecurrenceState *by_hash[64];
} KeptStates;

static inline bool
is_same(const RecurrenceState *state, const Recurrence *value)
{
	return state != NULL && VARSIZE(state->value) == VARSIZE(value) &&
		memcmp(state->value, value, VARSIZE(value)) == 0;
}

/* The state of the recurrence that is the first argument. */
static RecurrenceState *
state_of(FunctionCallInfo fcinfo)
{
	Recurrence *value = PG_GETARG_RECURRENCE_P(0);
	KeptStates *kept = fcinfo->flinfo->fn_extra;
	RecurrenceState **place;
	MemoryContext context;
	RecurrenceState *state;

	if (kept == NULL)
		fcinfo->flinfo->fn_extra = kept =
			MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(KeptStates));
	if (is_same(kept->last, value))
		return kept->last;

	place = &kept->by_hash[hash_bytes((unsigned char *) value, VARSIZE(value)) %
						   lengthof(kept->by_hash)];
	if (!is_same(*place, value))
	{
		/* not kept before it is complete: until then an error takes it away */
		context = AllocSetContextCreate(CurrentMemoryContext,
										"changemgmt recurrence",
										ALLOCSET_SMALL_SIZES);
		state = recurrence_open(context, value);
		if (*place != NULL)
		{
			context = (*place)->context;
			*place = kept->last = NULL;
			MemoryContextDelete(context);
		}
		MemoryContextSetParent(state->context, fcinfo->flinfo->fn_mcxt);
		*place = state;
	}
	kept->last = *place;
	return kept->last;
}

/* contains(recurrence, at) */
Datum
recurrence_contains(PG_FUNCTION_ARGS)
{
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(1);

	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a recurrence cannot be asked about an infinite time")));
	PG_RETURN_BOOL(recurrence_covers(state_of(fcinfo), at));
}

/* next_occurrence(recurrence, after) */
Datum
recurrence_next_occurrence(PG_FUNCTION_ARGS)
{
	TimestampTz after = PG_GETARG_TIMESTAMPTZ(1);
	RecurrenceState *state = state_of(fcinfo);
	Occurrence	next;
	TupleDesc	desc;
	Datum		values[2] = {0, 0};
	bool		isnull[2] = {true, true};

	if (after == DT_NOEND)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("nothing comes after an infinite time")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (recurrence_next(state, after, &next))
	{
		values[0] = TimestampTzGetDatum(next.starts_at);
		values[1] = TimestampTzGetDatum(next.ends_at);
		isnull[0] = isnull[1] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, isnull)));
}

/*
 * occurrences(recurrence, within): those that overlap the range, whole.
 */
Datum
recurrence_occurrences(PG_FUNCTION_ARGS)
{
	RangeType  *range = PG_GETARG_RANGE_P(1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RangeBound	lower,
				upper;
	TimestampTz after = DT_NOBEGIN; /* nothing that ends by then */
	TimestampTz before = DT_NOEND;
	TimestampTz previous = DT_NOBEGIN;
	bool		empty;
	RecurrenceState *state;
	Timestamp	local;
	Occurrence	occurrence;
	int			from;

	InitMaterializedSRF(fcinfo, 0);
	range_deserialize(lookup_type_cache(RangeTypeGetOid(range),
										TYPECACHE_RANGE_INFO),
					  range, &lower, &upper, &empty);
	if (empty)
		return (Datum) 0;

	state = state_of(fcinfo);
	if (!lower.infinite)
		after = DatumGetTimestampTz(lower.val);
	if (!upper.infinite)
		before = DatumGetTimestampTz(upper.val);
	if (before == DT_NOEND && !is_finite(state))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a recurrence without an end has no occurrences to be listed up to infinity"),
				 errhint("Give the range an upper bound.")));
	if (after == DT_NOEND || before == DT_NOBEGIN)
		return (Datum) 0;

	from = state->start_day;
	if (after != DT_NOBEGIN)
		from = Max(from, day_of(after) - state->longest - DAYS_OF_ZONES);
	if (before != DT_NOEND)
		check_day(state, day_of(before));

	/* the block's local starts are another walk's now */
	starts_seek(state, from);
	while (occurrence_next(state, &local, &occurrence))
	{
		Datum		values[2];
		bool		isnull[2] = {false, false};

		if (occurrence.starts_at > before ||
			(occurrence.starts_at == before && !upper.inclusive))
			break;
		if (occurrence.ends_at <= after || occurrence.starts_at == previous)
			continue;
		previous = occurrence.starts_at;
		values[0] = TimestampTzGetDatum(occurrence.starts_at);
		values[1] = TimestampTzGetDatum(occurrence.ends_at);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	return (Datum) 0;
}

/* Occurrences a day, as far as the rule's lists tell. */
static double
occurrences_a_day(const RecurrenceState *state)
{
	static const double period_days[] = {1, 7, 30.436875, 365.2425};
	const Rule *rule = &state->rule;
	double		period = period_days[rule->frequency];
	double		days = 1;		/* a period */

	if (rule->n[BY_YEARDAY] > 0)
		days = rule->n[BY_YEARDAY];
	else if (rule->n[BY_WEEKNO] > 0)
		days = rule->n[BY_WEEKNO] * rule->n[BY_DAY];
	else
	{
		double		months = rule->n[BY_MONTH] > 0 ? rule->n[BY_MONTH] : 12;
		double		month_days = rule->n[BY_MONTHDAY] > 0 ? rule->n[BY_MONTHDAY] : 30.4;
		double		week_days = 0;

		for (int i = 0; i < rule->n[BY_DAY]; i++)
			week_days += RULE_DAY_ORDINAL(rule->by[BY_DAY][i]) == 0 ? 1 : 0.23;
		if (rule->n[BY_DAY] == 0)
			week_days = 7;
		days = period * Min(1, months / 12) * Min(1, month_days / 30.4) *
			Min(1, week_days / 7);
	}
	days *= rule->n[BY_HOUR] * rule->n[BY_MINUTE] * rule->n[BY_SECOND];
	if (rule->n[BY_SETPOS] > 0)
		days = Min(days, rule->n[BY_SETPOS]);
	return days / period / rule->interval;
}

static double
estimate_rows(Recurrence *value, RangeType *range)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "changemgmt recurrence",
												  ALLOCSET_DEFAULT_SIZES);
	RecurrenceState *state = recurrence_open(context, value);
	RangeBound	lower,
				upper;
	bool		empty;
	double		rows = 1;

	range_deserialize(lookup_type_cache(RangeTypeGetOid(range),
										TYPECACHE_RANGE_INFO),
					  range, &lower, &upper, &empty);
	if (empty)
		rows = 0;
	else if (state->walker != NULL)
	{
		TimestampTz from = value->start;
		TimestampTz to = RECURRENCE_DAY_LIMIT * USECS_PER_DAY;

		if (!lower.infinite && !TIMESTAMP_IS_NOBEGIN(DatumGetTimestampTz(lower.val)))
			from = Max(from, DatumGetTimestampTz(lower.val) -
					   state->longest * USECS_PER_DAY);
		if (!upper.infinite)
			to = Min(to, DatumGetTimestampTz(upper.val));
		if (state->rule.until_kind != UNTIL_NONE)
			to = Min(to, state->rule.until);
		if (state->last != DT_NOEND)
			to = Min(to, state->last);
		rows = to > from ?
			((double) to - (double) from) / USECS_PER_DAY * occurrences_a_day(state) : 0;
		if (state->rule.count > 0)
			rows = Min(rows, state->rule.count);
	}
	MemoryContextDelete(context);
	return Max(rows, 1);
}

/* Tells the planner how many rows occurrences() gives. */
Datum
recurrence_occurrences_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	SupportRequestRows *rows;
	Node	   *value;
	Node	   *range;

	if (!IsA(request, SupportRequestRows))
		PG_RETURN_POINTER(NULL);
	rows = (SupportRequestRows *) request;
	if (!is_funcclause(rows->node) ||
		list_length(((FuncExpr *) rows->node)->args) != 2)
		PG_RETURN_POINTER(NULL);
	value = estimate_expression_value(rows->root,
									  linitial(((FuncExpr *) rows->node)->args));
	range = estimate_expression_value(rows->root,
									  lsecond(((FuncExpr *) rows->node)->args));
	if (!IsA(value, Const) || !IsA(range, Const))
		PG_RETURN_POINTER(NULL);
	if (((Const *) value)->constisnull || ((Const *) range)->constisnull)
		rows->rows = 0;
	else
		rows->rows = estimate_rows(recurrence_check(PG_DETOAST_DATUM(((Const *) value)->constvalue)),
								   DatumGetRangeTypeP(((Const *) range)->constvalue));
	PG_RETURN_POINTER(rows);
}
