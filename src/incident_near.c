/*-------------------------------------------------------------------------
 *
 * incident_near.c
 *	  What changed near an item in the time before a moment.
 *
 * The search that changes_near() and the suspects of an incident share: by time
 * first, and then at the items of what is found.  What it costs follows from
 * how much is changed in a week and from how much an item depends on, whatever
 * the history.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "change.h"
#include "compat.h"
#include "errors.h"
#include "incident.h"
#include "inventory_graph.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(changes_near);

#define NEAR_DEPTH 2
#define NEAR_DEPTH_MAX 10
#define NEAR_WITHIN USECS_PER_DAY
#define NEAR_WITHIN_MAX (366 * USECS_PER_DAY)

/* ----------------------------------------------------------------
 * Items and what they depend on
 * ---------------------------------------------------------------- */

HTAB *
near_items(const Datum *ids, int n, int depth)
{
	return graph_walk(ids, n, depth, GRAPH_BELOW, 0, sizeof(NearItem), true);
}

void
near_item_read(NearItem *item)
{
	static KeptPlan describe = {
		"SELECT name, kind FROM changemgmt.configuration_item"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(item->ci_id);

	if (item->name != NULL)
		return;
	kept_plan_read(&describe, &argument, NULL, 1);
	if (SPI_processed == 0)
		elog(ERROR, "item " INT64_FORMAT " is gone", item->ci_id);
	item->kind = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	item->name = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	SPI_freetuptable(SPI_tuptable);
}

/* ----------------------------------------------------------------
 * Changes
 * ---------------------------------------------------------------- */

static TimestampTz
column_time(HeapTuple tuple, TupleDesc desc, int column, bool *isnull)
{
	return DatumGetTimestampTz(SPI_getbinval(tuple, desc, column, isnull));
}

Candidate *
candidates_find(TimestampTz from, TimestampTz back_from, TimestampTz at,
				int *n_found)
{
	static KeptPlan find = {
#define COLUMNS \
		"SELECT id, actual_start, actual_end, rollback_started_at," \
		" rolled_back_at, status, outcome, category, risk_level," \
		" environment OPERATOR(pg_catalog.=) 'production', confidential," \
		" incident_id FROM changemgmt.change"
#define APPLIED \
		" AND (outcome IS NULL" \
		"  OR outcome OPERATOR(pg_catalog.<>) 'not_implemented')"
		COLUMNS
		" WHERE actual_end OPERATOR(pg_catalog.>=) $1"
		" AND actual_end OPERATOR(pg_catalog.<=) $2"
		" AND (actual_end OPERATOR(pg_catalog.>=) $4"
		"  OR rollback_started_at IS NOT NULL OR rolled_back_at IS NOT NULL)"
		" AND COALESCE(actual_start, actual_end) OPERATOR(pg_catalog.<=) $3"
		" AND status OPERATOR(pg_catalog.<>) 'in_progress'" APPLIED
		" UNION ALL "
		COLUMNS
		" WHERE status OPERATOR(pg_catalog.=) 'in_progress'"
		" AND actual_start OPERATOR(pg_catalog.<=) $3" APPLIED,
		4, {TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID}, NULL
#undef COLUMNS
#undef APPLIED
	};
	Datum		arguments[4];
	Candidate  *found;
	int			n;
	TupleDesc	desc;

	arguments[0] = TimestampTzGetDatum(back_from);
	arguments[3] = TimestampTzGetDatum(from);
	arguments[1] = TimestampTzGetDatum(at > END_TIMESTAMP - 1 - NEAR_HORIZON ?
									   END_TIMESTAMP - 1 : at + NEAR_HORIZON);
	arguments[2] = TimestampTzGetDatum(at);
	kept_plan_read(&find, arguments, NULL, 0);
	n = (int) SPI_processed;
	desc = SPI_tuptable->tupdesc;
	found = palloc_extended(Max(n, 1) * sizeof(Candidate),
							MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		Candidate  *c = &found[i];
		TimestampTz back_began;
		TimestampTz back_ended;
		bool		never_back;
		bool		not_back;
		bool		isnull;

		c->id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		c->began = column_time(tuple, desc, 2, &c->never_began);
		c->ended = column_time(tuple, desc, 3, &c->never_ended);
		back_began = column_time(tuple, desc, 4, &never_back);
		back_ended = column_time(tuple, desc, 5, &not_back);
		c->status = SPI_getvalue(tuple, desc, 6);
		c->outcome = SPI_getvalue(tuple, desc, 7);
		c->category = SPI_getvalue(tuple, desc, 8);
		c->risk_level = SPI_getvalue(tuple, desc, 9);
		c->production = DatumGetBool(SPI_getbinval(tuple, desc, 10, &isnull));
		c->confidential = DatumGetBool(SPI_getbinval(tuple, desc, 11, &isnull));
		c->incident_id = DatumGetInt64(SPI_getbinval(tuple, desc, 12,
													 &c->no_incident));

		/* it may have left in_progress before, and gone on */
		if (strcmp(c->status, "in_progress") == 0)
			c->never_ended = true;
		c->running = c->never_ended || c->ended > at;
		c->touched = c->running ? at : c->ended;
		if (!c->running && !never_back && back_began <= at &&
			(not_back || back_ended > at))
		{
			c->running = c->taken_back = true;
			c->touched = at;
		}
		else if (!c->running && !not_back && back_ended <= at &&
				 back_ended > c->ended)
		{
			c->taken_back = true;
			c->touched = back_ended;
		}
	}
	SPI_freetuptable(SPI_tuptable);
	*n_found = n;
	return found;
}

static int
candidate_by_id(const void *a, const void *b)
{
	const Candidate *x = a;
	const Candidate *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

int
candidate_by_time(const void *a, const void *b)
{
	const Candidate *x = a;
	const Candidate *y = b;

	if (x->touched != y->touched)
		return x->touched < y->touched ? 1 : -1;
	return candidate_by_id(b, a);
}

void
candidates_place(Candidate *some, int n, HTAB *items)
{
	/* OFFSET 0 keeps a probe for each: nothing larger is ever read */
	static KeptPlan find = {
		"SELECT i.change_id, i.ci_id, i.role OPERATOR(pg_catalog.=) 'affected'"
		" FROM pg_catalog.unnest($1) AS c (id)"
		" CROSS JOIN LATERAL (SELECT * FROM changemgmt.change_item AS i"
		"  WHERE i.change_id OPERATOR(pg_catalog.=) c.id OFFSET 0) AS i",
		1, {INT8ARRAYOID}, NULL
	};
	Datum	   *ids = palloc(n * sizeof(Datum));
	Datum		argument;

	qsort(some, n, sizeof(Candidate), candidate_by_id);
	for (int i = 0; i < n; i++)
		ids[i] = Int64GetDatum(some[i].id);
	argument = PointerGetDatum(construct_array(ids, n, INT8OID, 8,
											   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	kept_plan_read(&find, &argument, NULL, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Candidate	key;
		Candidate  *c;
		int64		ci_id;
		bool		affected;
		NearItem   *item;

		key.id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		ci_id = DatumGetInt64(SPI_getbinval(tuple, desc, 2, &isnull));
		affected = DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull));
		c = bsearch(&key, some, n, sizeof(Candidate), candidate_by_id);
		c->n_items++;
		item = hash_search(items, &ci_id, HASH_FIND, NULL);
		if (item != NULL &&
			(c->item == NULL ||
			 item->steps + affected < candidate_distance(c) ||
			 (item->steps + affected == candidate_distance(c) &&
			  item->ci_id < c->item->ci_id)))
		{
			c->item = item;
			c->affected = affected;
		}
	}
	SPI_freetuptable(SPI_tuptable);
	pfree(ids);
}

bool
candidate_is_shown(const Candidate *c)
{
	return !c->confidential || change_is_visible_to_query(c->id);
}

Datum
candidate_title(const Candidate *c)
{
	static KeptPlan find = {
		"SELECT title FROM changemgmt.change"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(c->id);
	bool		isnull;

	kept_plan_read(&find, &argument, NULL, 1);
	return spi_first_value(1, &isnull);
}

static Datum
text_or_null(const char *value, bool *isnull)
{
	*isnull = value == NULL;
	return value ? CStringGetTextDatum(value) : (Datum) 0;
}

/* ----------------------------------------------------------------
 * What changed near an item
 * ---------------------------------------------------------------- */

static int64
span_of(const Interval *span)
{
	/* as intervals are compared: a month has 30 days, a day 24 hours */
	double		days = (double) span->month * DAYS_PER_MONTH + span->day;
	double		result = days * USECS_PER_DAY + (double) span->time;

	if (!(result >= 0 && result <= (double) NEAR_WITHIN_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("within must not be negative, nor longer than 366 days")));
	return (int64) result;
}

static Datum
near_ci(FunctionCallInfo fcinfo)
{
	static KeptPlan find = {
		"SELECT id FROM changemgmt.configuration_item"
		" WHERE name OPERATOR(pg_catalog.=) $1",
		1, {TEXTOID}, NULL
	};
	Datum		name = PG_ARGISNULL(0) ? CStringGetTextDatum("") :
		PG_GETARG_DATUM(0);
	Datum		id;
	bool		isnull;

	kept_plan_read(&find, &name, NULL, 1);
	id = spi_first_value(1, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("configuration item \"%s\" does not exist",
						TextDatumGetCString(name)),
				 errhint("SELECT name FROM changemgmt.configuration_item lists them.")));
	return Int64GetDatum(DatumGetInt64(id));
}

#define NEAR_COLUMNS 10

/* changes_near(ci, at, within, depth): what changed there in the hours before */
Datum
changes_near(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	TimestampTz at = PG_ARGISNULL(1) ? GetCurrentTransactionStartTimestamp() :
		PG_GETARG_TIMESTAMPTZ(1);
	int64		within = PG_ARGISNULL(2) ? NEAR_WITHIN :
		span_of(PG_GETARG_INTERVAL_P(2));
	int			depth = PG_ARGISNULL(3) ? NEAR_DEPTH : PG_GETARG_INT32(3);
	TimestampTz from;
	TimestampTz back_from;
	Candidate  *found;
	int			n;
	HTAB	   *items;
	Datum		ci;

	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("at is infinite")));
	if (depth < 0 || depth > NEAR_DEPTH_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("depth %d is not between 0 and %d", depth,
						NEAR_DEPTH_MAX)));
	from = at < MIN_TIMESTAMP + within ? MIN_TIMESTAMP : at - within;
	back_from = from < MIN_TIMESTAMP + NEAR_HORIZON ? MIN_TIMESTAMP :
		from - NEAR_HORIZON;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	ci = near_ci(fcinfo);
	items = near_items(&ci, 1, depth);
	/* a week more for what was rolled back: it may have been since */
	found = candidates_find(from, back_from, at, &n);
	qsort(found, n, sizeof(Candidate), candidate_by_time);
	while (n > 0 && at - found[n - 1].touched > within)
		n--;
	for (int i = 0; i < n; i += NEAR_BATCH)
	{
		CHECK_FOR_INTERRUPTS();
		candidates_place(found + i, Min(NEAR_BATCH, n - i), items);
	}
	qsort(found, n, sizeof(Candidate), candidate_by_time);
	for (int i = 0; i < n; i++)
	{
		Candidate  *c = &found[i];
		Datum		values[NEAR_COLUMNS];
		bool		isnull[NEAR_COLUMNS] = {false};

		if (c->item == NULL || candidate_distance(c) > depth ||
			!candidate_is_shown(c))
			continue;
		near_item_read(c->item);
		values[0] = Int64GetDatum(c->id);
		values[1] = CStringGetTextDatum(change_number_text(c->id));
		values[2] = candidate_title(c);
		values[3] = CStringGetTextDatum(c->status);
		values[4] = text_or_null(c->outcome, &isnull[4]);
		values[5] = CStringGetTextDatum(c->item->name);
		values[6] = Int32GetDatum(candidate_distance(c));
		isnull[7] = c->never_began;
		values[7] = TimestampTzGetDatum(c->began);
		isnull[8] = c->never_ended;
		values[8] = TimestampTzGetDatum(c->ended);
		values[9] = Int32GetDatum((int32) ((at - c->touched) / USECS_PER_MINUTE));
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	SPI_finish();
	return (Datum) 0;
}
