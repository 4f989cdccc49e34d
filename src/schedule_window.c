/*-------------------------------------------------------------------------
 *
 * schedule_window.c
 *	  Times that would be accepted: next_windows, suggest_windows.
 *
 * What is open, less what would collide, by the same search that refuses it
 * (schedule_conflict.c).  It looks ahead in steps that grow, until it has found
 * enough.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "schedule.h"
#include "spi.h"
#include "types_code.h"

PG_FUNCTION_INFO_V1(next_windows);
PG_FUNCTION_INFO_V1(suggest_windows);

extern Datum ci_id(PG_FUNCTION_ARGS);
extern Datum earliest_start(PG_FUNCTION_ARGS);

/* How far it looks ahead, and the first step of it. */
#define HORIZON_DAYS	731
#define FIRST_DAYS		14
#define LIMIT_MAX		1000

typedef struct SlotSearch
{
	WindowScope scope;
	ConflictQuery query;
	bool		avoid;			/* other changes, too */
	Interval	duration;
	TimestampTz from;
	int			limit;
	int			found;
	ReturnSetInfo *result;
} SlotSearch;

static TimestampTz
time_plus(TimestampTz at, const Interval *span)
{
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												   TimestampTzGetDatum(at),
												   PointerGetDatum(span)));
}

pg_noreturn static void
argument_error(const char *problem, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("%s", problem), errhint("%s", hint)));
	pg_unreachable();
}

static void
search_check(SlotSearch *search)
{
	static const char *const hint =
		"A duration is longer than nothing and not longer than 366 days.";
	const Interval *d = &search->duration;

	if (search->limit < 1 || search->limit > LIMIT_MAX)
		argument_error("the limit of times is out of range",
					   "It is a number from 1 to 1000.");
	if (d->month < -12 || d->month > 12 || d->day < -366 || d->day > 366 ||
		d->time < -366 * USECS_PER_DAY || d->time > 366 * USECS_PER_DAY)
		argument_error("the duration is out of range", hint);
	if (TIMESTAMP_NOT_FINITE(search->from))
		argument_error("the time to begin from is infinite",
					   "Leave it out to begin from now.");
	if (time_plus(search->from, d) <= search->from ||
		time_plus(search->from, d) - search->from > 366 * USECS_PER_DAY)
		argument_error("the duration is out of range", hint);
}

/* Offer what fits into a stretch that is free; end: nothing is known beyond. */
static void
slots_offer(SlotSearch *search, Period free, bool end)
{
	Interval	days = {0};
	TimestampTz first;
	bool		is_long = free.to - free.from > USECS_PER_DAY;

	/* on the full minute */
	first = free.from + USECS_PER_MINUTE - 1;
	first -= ((first % USECS_PER_MINUTE) + USECS_PER_MINUTE) % USECS_PER_MINUTE;
	for (days.day = 0; search->found < search->limit; days.day++)
	{
		Datum		values[3];
		bool		isnull[3] = {false, false, end};
		TimestampTz starts_at = time_plus(first, &days);
		TimestampTz ends_at = time_plus(starts_at, &search->duration);

		CHECK_FOR_INTERRUPTS();
		if (ends_at > free.to)
			break;
		values[0] = TimestampTzGetDatum(starts_at);
		values[1] = TimestampTzGetDatum(ends_at);
		values[2] = TimestampTzGetDatum(free.to);
		tuplestore_putvalues(search->result->setResult,
							 search->result->setDesc, values, isnull);
		search->found++;
		if (!is_long)
			break;
	}
}

static int
period_compare(const void *a, const void *b)
{
	const Period *x = a;
	const Period *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

/* What other changes take of a range, in the order of its beginnings. */
static Period *
periods_taken(SlotSearch *search, const Period *range, int *n)
{
	List	   *conflicts = NIL;
	Period	   *taken;
	ListCell   *lc;

	*n = 0;
	if (search->avoid)
	{
		search->query.period = *range;
		conflicts = conflicts_with_changes(&search->query);
	}
	taken = palloc(Max(list_length(conflicts), 1) * sizeof(Period));
	foreach(lc, conflicts)
	{
		const Conflict *c = lfirst(lc);

		taken[*n] = c->other;
		if (c->kind == CONFLICT_RELEASE_ORDER)
		{
			if (c->other_first)
				taken[*n].from = DT_NOBEGIN;
			else
				taken[*n].to = DT_NOEND;
		}
		(*n)++;
	}
	qsort(taken, *n, sizeof(Period), period_compare);
	return taken;
}

/*
 * Go through what is free, in the order of time.  A stretch is offered when
 * its end is known.
 */
static void
slots_search(SlotSearch *search)
{
	TimestampTz horizon = search->from + HORIZON_DAYS * USECS_PER_DAY;
	int64		step = FIRST_DAYS * USECS_PER_DAY;
	Period		range = {search->from, search->from};
	Period		free = {0, 0};
	bool		has_free = false;

	while (search->found < search->limit && range.to < horizon)
	{
		Period	   *open;
		Period	   *taken;
		int			n_open;
		int			n_taken;
		int			t = 0;
		TimestampTz taken_to = DT_NOBEGIN;

		range.from = range.to;
		range.to = Min(range.from + step, horizon);
		step *= 2;
		open = window_open(&search->scope, range.from, range.to, &n_open);
		taken = periods_taken(search, &range, &n_taken);
		for (int o = 0; o < n_open; o++)
		{
			TimestampTz from = Max(open[o].from, taken_to);

			while (from < open[o].to)
			{
				TimestampTz to = open[o].to;
				TimestampTz next;

				CHECK_FOR_INTERRUPTS();
				/* over what is taken, from where it begins to where all ends */
				while (t < n_taken && taken[t].from <= from)
				{
					taken_to = Max(taken_to, taken[t].to);
					from = Max(from, taken_to);
					t++;
				}
				if (from >= to)
					break;
				next = t < n_taken ? Min(taken[t].from, to) : to;
				if (has_free && free.to == from)
					free.to = next;
				else
				{
					if (has_free)
						slots_offer(search, free, false);
					free.from = from;
					free.to = next;
					has_free = true;
				}
				from = next;
			}
		}
	}
	if (has_free)
		slots_offer(search, free, free.to == horizon);
}

/* next_windows(ci, duration, after, limit, conflicts_avoided, environment, model) */
Datum
next_windows(PG_FUNCTION_ARGS)
{
	static KeptPlan exclusive = {
		"SELECT is_exclusive FROM changemgmt.configuration_item"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	SlotSearch	search = {0};
	TimestampTz now = GetCurrentTimestamp();
	BookingItem item = {0, true, true};
	Datum		argument;
	bool		isnull;

	InitMaterializedSRF(fcinfo, 0);
	search.result = (ReturnSetInfo *) fcinfo->resultinfo;
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		argument_error("the item or the duration is null",
					   "changemgmt.next_windows(ci, duration) needs both.");
	search.duration = *PG_GETARG_INTERVAL_P(1);
	search.from = PG_ARGISNULL(2) ? now : PG_GETARG_TIMESTAMPTZ(2);
	search.limit = PG_ARGISNULL(3) ? 3 : PG_GETARG_INT32(3);
	search.avoid = PG_ARGISNULL(4) || PG_GETARG_BOOL(4);
	search_check(&search);
	if (search.from < now)
		search.from = now;

	item.ci_id = DatumGetInt64(DirectFunctionCall1(ci_id, PG_GETARG_DATUM(0)));
	search.scope.cis = &item.ci_id;
	search.scope.n_cis = 1;
	if (!PG_ARGISNULL(5))
	{
		code_check("environment", PG_GETARG_DATUM(5), "environment");
		search.scope.environment = text_to_cstring(PG_GETARG_TEXT_PP(5));
	}
	if (!PG_ARGISNULL(6))
		search.scope.model = model_latest(text_to_cstring(PG_GETARG_TEXT_PP(6)))->key;

	SPI_connect();
	argument = Int64GetDatum(item.ci_id);
	kept_plan_execute(&exclusive, &argument, NULL, 1);
	item.is_exclusive = DatumGetBool(spi_first_value(1, &isnull));
	search.query.items = &item;
	search.query.n_items = 1;
	search.query.least = conflict_severity_setting();
	slots_search(&search);
	SPI_finish();
	return (Datum) 0;
}

/* suggest_windows(change_id, limit) */
Datum
suggest_windows(PG_FUNCTION_ARGS)
{
	SlotSearch	search = {0};
	TimestampTz now = GetCurrentTimestamp();
	ChangeRow	row;
	const ChangeModel *model;
	BookingItem *items;
	int			n_items;

	InitMaterializedSRF(fcinfo, 0);
	search.result = (ReturnSetInfo *) fcinfo->resultinfo;
	if (PG_ARGISNULL(0))
		argument_error("the change is null",
					   "changemgmt.change_id(number) gives the id of a change.");
	SPI_connect();
	change_find(&row, PG_GETARG_INT64(0), false);
	model = lifecycle_model(&row);
	search.duration.time = model->books_window &&
		!change_is_null(&row, planned_start) && !change_is_null(&row, planned_end) ?
		change_time(&row, planned_end) - change_time(&row, planned_start) :
		booking_length(&row);
	search.limit = PG_ARGISNULL(1) ? 3 : PG_GETARG_INT32(1);
	search.from = now;
	if (model->notice_business_days > 0)
	{
		search.from = DatumGetTimestampTz(DirectFunctionCall1(earliest_start,
															  PG_GETARG_DATUM(0)));
		/* notice counts anew where the start moves earlier */
		if (!change_is_null(&row, notice_from) &&
			!change_is_null(&row, planned_start))
			search.from = Min(Max(search.from, change_time(&row, planned_start)),
							  calendar_add_business_days(now,
														 model->notice_business_days,
														 model->calendar));
	}
	search.from = Max(search.from, now);
	search_check(&search);
	search.avoid = true;

	items = booking_items(change_id_of(&row), false, &n_items);
	conflict_scope(&search.scope, &row, model, items, n_items);
	search.query.change_id = change_id_of(&row);
	search.query.items = items;
	search.query.n_items = n_items;
	search.query.owner_id = change_int64(&row, owner_id);
	search.query.implementer_id = change_int64(&row, implementer_id);
	search.query.ordered = true;
	search.query.least = conflict_severity_setting();
	slots_search(&search);
	SPI_finish();
	return (Datum) 0;
}
