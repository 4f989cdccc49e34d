/*-------------------------------------------------------------------------
 *
 * incident_suspect.c
 *	  Which change did it: suspects of an incident, and what changed near an item.
 *
 * Both look at what was under way or had ended shortly before, by time first
 * and then at the items of these changes: what they cost follows from how much
 * is changed in a week and from how much an item depends on, whatever the
 * history.  There is no state.
 *
 * The score of a change is made of itself and the incident alone.  Nothing is
 * compared with other candidates, so none of them moves another.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

#include "change.h"
#include "compat.h"
#include "errors.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(changes_near);
PG_FUNCTION_INFO_V1(suspect_changes);

/*
 * What breaks by a change mostly does so within minutes or a few hours, and
 * some of it when the load of the day comes.  With six hours a change of the last
 * half hour keeps nearly all of its weight, one of yesterday a sixteenth.
 */
#define HALF_LIFE_MINUTES 360.0
/* Twenty-eight half-lives: nothing before could stand out. */
#define HORIZON (7 * USECS_PER_DAY)

#define SUSPECT_DEPTH 3
#define SUSPECT_LIMIT 10
#define NEAR_DEPTH 2
#define NEAR_DEPTH_MAX 10
#define NEAR_WITHIN USECS_PER_DAY
#define NEAR_WITHIN_MAX (366 * USECS_PER_DAY)

/* Each step down halves it; beside the items, and without any. */
#define ELSEWHERE_SCORE 0.05
#define ANYWHERE_SCORE 0.1

/* Of the likelihood that time and distance leave. */
#define BASE_WEIGHT 0.5
#define RISK_WEIGHT 0.3
#define KIND_WEIGHT 0.2

/* How many changes are asked for their items at once. */
#define BATCH 200

/* ----------------------------------------------------------------
 * Items and what they depend on
 * ---------------------------------------------------------------- */

typedef struct NearItem
{
	int64		ci_id;			/* key */
	int			steps;			/* below what was asked about */
	char	   *name;			/* NULL: not read yet */
	char	   *kind;
} NearItem;

/* The items at a distance up to the depth: each once, at its shortest. */
static HTAB *
near_items(const Datum *ids, int n, int depth)
{
	static KeptPlan below = {
		"SELECT depends_on_ci_id FROM changemgmt.ci_dependency"
		" WHERE ci_id OPERATOR(pg_catalog.=) ANY ($1)",
		1, {INT8ARRAYOID}, NULL
	};
	HASHCTL		control = {
		.keysize = sizeof(int64),
		.entrysize = sizeof(NearItem),
		.hcxt = CurrentMemoryContext
	};
	HTAB	   *items = hash_create("changemgmt near items", 64, &control,
									HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	Datum	   *level = palloc(Max(n, 1) * sizeof(Datum));
	int			n_level = 0;

	for (int steps = 0;; steps++)
	{
		Datum		argument;

		for (int i = 0; i < n; i++)
		{
			int64		id = DatumGetInt64(ids[i]);
			bool		found;
			NearItem   *item = hash_search(items, &id, HASH_ENTER, &found);

			if (found)
				continue;
			item->steps = steps;
			item->name = item->kind = NULL;
			level[n_level++] = ids[i];
		}
		if (n_level == 0 || steps == depth)
			return items;
		CHECK_FOR_INTERRUPTS();
		argument = PointerGetDatum(construct_array(level, n_level, INT8OID, 8,
												   FLOAT8PASSBYVAL,
												   TYPALIGN_DOUBLE));
		kept_plan_read(&below, &argument, NULL, 0);
		n = (int) SPI_processed;
		level = palloc_extended(Max(n, 1) * sizeof(Datum), MCXT_ALLOC_HUGE);
		n_level = 0;
		{
			Datum	   *next = palloc_extended(Max(n, 1) * sizeof(Datum),
											   MCXT_ALLOC_HUGE);

			for (int i = 0; i < n; i++)
			{
				bool		isnull;

				/* a copy, also where a bigint is passed by reference */
				next[i] = Int64GetDatum(DatumGetInt64(
					SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
								  1, &isnull)));
			}
			ids = next;
		}
		SPI_freetuptable(SPI_tuptable);
	}
}

static void
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

/* A change that had begun at the time in question. */
typedef struct Candidate
{
	int64		id;
	TimestampTz began;
	TimestampTz ended;
	bool		never_began;	/* history that does not say when */
	bool		never_ended;
	bool		running;		/* at that time; its rollback, too */
	bool		taken_back;		/* the last that was done to it is its rollback */
	TimestampTz touched;		/* the last time that work was done before */
	char	   *status;
	char	   *outcome;
	char	   *category;
	char	   *risk_level;
	bool		production;
	bool		confidential;
	int64		incident_id;
	bool		no_incident;

	int			n_items;
	NearItem   *item;			/* the nearest; NULL: none is near */
	bool		affected;		/* not worked on: a step further */

	double		time_score;
	double		distance_score;
	double		risk_score;
	double		kind_score;
	double		score;			/* at first the most that it can be */
	bool		is_confirmed;
} Candidate;

static TimestampTz
column_time(HeapTuple tuple, TupleDesc desc, int column, bool *isnull)
{
	return DatumGetTimestampTz(SPI_getbinval(tuple, desc, column, isnull));
}

static int
candidate_distance(const Candidate *c)
{
	return c->item->steps + (c->affected ? 1 : 0);
}

/*
 * Changes whose work ended at "from" or later and began by "at": by index, what
 * ended between from and a week after at, and what is under way.
 */
static Candidate *
candidates_find(TimestampTz from, TimestampTz at, int *n_found)
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
		" AND COALESCE(actual_start, actual_end) OPERATOR(pg_catalog.<=) $3"
		" AND status OPERATOR(pg_catalog.<>) 'in_progress'" APPLIED
		" UNION ALL "
		COLUMNS
		" WHERE status OPERATOR(pg_catalog.=) 'in_progress'"
		" AND actual_start OPERATOR(pg_catalog.<=) $3" APPLIED,
		3, {TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID}, NULL
#undef COLUMNS
#undef APPLIED
	};
	Datum		arguments[3];
	Candidate  *found;
	int			n;
	TupleDesc	desc;

	arguments[0] = TimestampTzGetDatum(from);
	arguments[1] = TimestampTzGetDatum(at > END_TIMESTAMP - 1 - HORIZON ?
									   END_TIMESTAMP - 1 : at + HORIZON);
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

/* Newest first. */
static int
candidate_by_time(const void *a, const void *b)
{
	const Candidate *x = a;
	const Candidate *y = b;

	if (x->touched != y->touched)
		return x->touched < y->touched ? 1 : -1;
	return candidate_by_id(b, a);
}

static int
candidate_by_score(const void *a, const void *b)
{
	const Candidate *x = a;
	const Candidate *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return candidate_by_time(a, b);
}

/* The nearest item of each of some changes.  Leaves them in the order of ids. */
static void
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

static bool
candidate_is_shown(const Candidate *c)
{
	return !c->confidential || change_is_visible_to_query(c->id);
}

static Datum
change_title(int64 change_id)
{
	static KeptPlan find = {
		"SELECT title FROM changemgmt.change"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(change_id);
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
	from = at < MIN_TIMESTAMP + within + HORIZON ? MIN_TIMESTAMP :
		at - within - HORIZON;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	ci = near_ci(fcinfo);
	items = near_items(&ci, 1, depth);
	/* a week more: what is older may have been rolled back since */
	found = candidates_find(from, at, &n);
	for (int i = 0; i < n; i += BATCH)
	{
		CHECK_FOR_INTERRUPTS();
		candidates_place(found + i, Min(BATCH, n - i), items);
	}
	qsort(found, n, sizeof(Candidate), candidate_by_time);
	for (int i = 0; i < n; i++)
	{
		Candidate  *c = &found[i];
		Datum		values[NEAR_COLUMNS];
		bool		isnull[NEAR_COLUMNS] = {false};

		if (at - c->touched > within)
			break;
		if (c->item == NULL || candidate_distance(c) > depth ||
			!candidate_is_shown(c))
			continue;
		near_item_read(c->item);
		values[0] = Int64GetDatum(c->id);
		values[1] = CStringGetTextDatum(change_number_text(c->id));
		values[2] = change_title(c->id);
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

/* ----------------------------------------------------------------
 * Suspects
 * ---------------------------------------------------------------- */

typedef struct Incident
{
	int64		id;
	TimestampTz began;
	const char *beginning;		/* what is known of it, in words */
	int			n_items;
	HTAB	   *items;
} Incident;

/* By reference, or by id; unlike incident_id() it makes none. */
static void
incident_read(Incident *incident, FunctionCallInfo fcinfo)
{
#define COLUMNS \
	"SELECT id, COALESCE(began_at, detected_at, created_at)," \
	" began_at IS NOT NULL, detected_at IS NOT NULL FROM changemgmt.incident"
	static KeptPlan by_reference = {
		COLUMNS " WHERE reference OPERATOR(pg_catalog.=) $1",
		1, {TEXTOID}, NULL
	};
	static KeptPlan by_id = {
		COLUMNS " WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
#undef COLUMNS
	char	   *name = PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum		argument = CStringGetTextDatum(name);
	bool		isnull;

	kept_plan_read(&by_reference, &argument, NULL, 1);
	if (SPI_processed == 0)
	{
		char	   *end;
		int64		id;

		errno = 0;
		id = strtoi64(name, &end, 10);
		if (*name != '\0' && *end == '\0' && errno == 0)
		{
			argument = Int64GetDatum(id);
			kept_plan_read(&by_id, &argument, NULL, 1);
		}
	}
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("incident \"%s\" does not exist", name),
				 errhint("Name it by its reference or its id: SELECT id, reference FROM changemgmt.incident.")));
	incident->id = DatumGetInt64(spi_first_value(1, &isnull));
	incident->began = DatumGetTimestampTz(spi_first_value(2, &isnull));
	incident->beginning =
		DatumGetBool(spi_first_value(3, &isnull)) ? "it began" :
		DatumGetBool(spi_first_value(4, &isnull)) ? "it was detected" :
		"it was recorded";
	SPI_freetuptable(SPI_tuptable);
}

static void
incident_read_items(Incident *incident)
{
	static KeptPlan find = {
		"SELECT ci_id FROM changemgmt.incident_item"
		" WHERE incident_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(incident->id);
	Datum	   *ids;

	kept_plan_read(&find, &argument, NULL, 0);
	incident->n_items = (int) SPI_processed;
	ids = palloc(Max(incident->n_items, 1) * sizeof(Datum));
	for (int i = 0; i < incident->n_items; i++)
	{
		bool		isnull;

		ids[i] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1,
							   &isnull);
	}
	incident->items = near_items(ids, incident->n_items, SUSPECT_DEPTH);
}

/* What people have said of each: confirmed, or dismissed (no suspect any more). */
static void
verdict_of(Candidate *c, const Incident *incident, bool *dismissed)
{
	static KeptPlan find = {
		"SELECT status OPERATOR(pg_catalog.=) 'confirmed',"
		" status OPERATOR(pg_catalog.=) 'dismissed'"
		" FROM changemgmt.incident_cause"
		" WHERE incident_id OPERATOR(pg_catalog.=) $1"
		" AND change_id OPERATOR(pg_catalog.=) $2",
		2, {INT8OID, INT8OID}, NULL
	};
	Datum		arguments[2];
	bool		isnull;

	arguments[0] = Int64GetDatum(incident->id);
	arguments[1] = Int64GetDatum(c->id);
	kept_plan_read(&find, arguments, NULL, 1);
	c->is_confirmed = DatumGetBool(spi_first_value(1, &isnull)) && !isnull;
	*dismissed = DatumGetBool(spi_first_value(2, &isnull)) && !isnull;
	SPI_freetuptable(SPI_tuptable);
}

/* How a code weighs; the line without a code is for all others, and none. */
typedef struct Weight
{
	const char *code;
	double		weight;
} Weight;

static const Weight risk_weights[] = {
	{"low", 0.25},
	{"medium", 0.5},
	{"high", 0.75},
	{"critical", 1.0},
	{NULL, 0.75}				/* what nobody assessed is no less than high */
};

/*
 * In published collections of post-mortems new versions and configuration are
 * behind two thirds of the outages that a change caused; what touches the
 * shape or place of data follows, what can be switched off again comes last.
 */
static const Weight category_weights[] = {
	{"release", 1.0},
	{"configuration", 0.9},
	{"schema", 0.9},
	{"data_migration", 0.9},
	{"infrastructure", 0.8},
	{"dependency", 0.6},
	{"security", 0.6},
	{"feature_flag", 0.5},
	{NULL, 0.5}
};

/* What many things share breaks more of them. */
static const Weight kind_weights[] = {
	{"database", 1.0},
	{"network", 1.0},
	{"storage", 1.0},
	{"host", 0.8},
	{"service", 0.8},
	{"application", 0.7},
	{"client", 0.4},
	{NULL, 0.5}
};

static double
weight_of(const Weight *weights, const char *code)
{
	for (; weights->code != NULL; weights++)
		if (code != NULL && strcmp(weights->code, code) == 0)
			break;
	return weights->weight;
}

static bool
went_wrong(const Candidate *c)
{
	return c->outcome != NULL && (strcmp(c->outcome, "failed") == 0 ||
								  strcmp(c->outcome, "rolled_back") == 0);
}

/* What time and risk say, and the most that its items can make of it. */
static void
candidate_score_bound(Candidate *c, const Incident *incident)
{
	double		minutes = (double) (incident->began - c->touched) /
		USECS_PER_MINUTE;

	c->time_score = exp2(-minutes / HALF_LIFE_MINUTES);
	c->risk_score = went_wrong(c) ? 1.0 : weight_of(risk_weights, c->risk_level);
	c->score = c->time_score * (BASE_WEIGHT + RISK_WEIGHT * c->risk_score +
								KIND_WEIGHT);
}

static void
candidate_score(Candidate *c, const Incident *incident)
{
	double		category = weight_of(category_weights, c->category);

	if (c->item != NULL)
	{
		near_item_read(c->item);
		c->kind_score = (category + weight_of(kind_weights, c->item->kind)) / 2;
		c->distance_score = exp2(-candidate_distance(c));
	}
	else
	{
		c->kind_score = category;
		c->distance_score = c->n_items > 0 ? ELSEWHERE_SCORE : ANYWHERE_SCORE;
	}
	c->score = c->time_score *
		(incident->n_items > 0 ? c->distance_score : 1.0) *
		(BASE_WEIGHT + RISK_WEIGHT * c->risk_score + KIND_WEIGHT * c->kind_score);
}

/* "12 minutes" */
static char *
span_text(int64 span)
{
	int64		minutes = span / USECS_PER_MINUTE;

	if (minutes < 1)
		return pstrdup("less than a minute");
	if (minutes < 120)
		return psprintf(INT64_FORMAT " minute%s", minutes, minutes == 1 ? "" : "s");
	if (minutes < 48 * 60)
		return psprintf(INT64_FORMAT " hours", minutes / 60);
	return psprintf(INT64_FORMAT " days", minutes / (24 * 60));
}

static char *
code_text(const char *code)
{
	char	   *text = pstrdup(code);

	for (char *p = text; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
	return text;
}

/* Why it is a suspect, in words. */
static char *
candidate_reason(const Candidate *c, const Incident *incident)
{
	StringInfoData reason;

	initStringInfo(&reason);
	if (c->running)
		appendStringInfo(&reason, "%s when %s",
						 c->taken_back ? "was being rolled back" : "was under way",
						 incident->beginning);
	else
		appendStringInfo(&reason, "%s %s before %s",
						 c->taken_back ? "was rolled back" : "ended",
						 span_text(incident->began - c->touched),
						 incident->beginning);

	if (incident->n_items == 0)
		appendStringInfoString(&reason,
							   "; the incident names no item, so where it was made does not count");
	else if (c->item == NULL)
		appendStringInfoString(&reason, c->n_items > 0 ?
							   "; on nothing that the incident's items are known to depend on" :
							   "; names no item");
	else if (c->item->steps == 0)
		appendStringInfo(&reason, c->affected ? "; affects %s itself" :
						 "; on %s itself", c->item->name);
	else
		appendStringInfo(&reason, "; %s %s, %d step%s below",
						 c->affected ? "affects" : "on", c->item->name,
						 c->item->steps, c->item->steps == 1 ? "" : "s");

	if (c->risk_level != NULL)
		appendStringInfo(&reason, "; risk %s", c->risk_level);
	else
		appendStringInfoString(&reason, "; risk not assessed");
	if (c->category != NULL || c->item != NULL)
		appendStringInfo(&reason, "; %s%s%s",
						 c->category ? code_text(c->category) : "something",
						 c->item ? " of kind " : "",
						 c->item ? c->item->kind : "");
	if (went_wrong(c))
		appendStringInfoString(&reason, strcmp(c->outcome, "failed") == 0 ?
							   "; it failed" : "; it was rolled back");
	return reason.data;
}

#define SUSPECT_COLUMNS 10

/* suspect_changes(incident, limit): which change may have caused it */
Datum
suspect_changes(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			limit = PG_ARGISNULL(1) ? SUSPECT_LIMIT : PG_GETARG_INT32(1);
	Incident	incident;
	Candidate  *found;
	Candidate  *suspects;
	int			n;
	int			n_kept = 0;
	int			n_suspects = 0;

	if (limit < 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("limit %d is negative", limit)));
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	incident_read(&incident, fcinfo);
	incident_read_items(&incident);
	found = candidates_find(incident.began < MIN_TIMESTAMP + HORIZON ?
							MIN_TIMESTAMP : incident.began - HORIZON,
							incident.began, &n);
	for (int i = 0; i < n; i++)
	{
		/* what answers it did not cause it */
		if (!found[i].no_incident && found[i].incident_id == incident.id)
			continue;
		/* another environment matters where the incident's items are in it */
		if (!found[i].production && incident.n_items == 0)
			continue;
		found[n_kept] = found[i];
		candidate_score_bound(&found[n_kept++], &incident);
	}
	n = n_kept;
	qsort(found, n, sizeof(Candidate), candidate_by_score);

	/* the most promising first, until no other can be among the best */
	suspects = palloc_extended(((Size) Min(limit, n) + BATCH) * sizeof(Candidate),
							   MCXT_ALLOC_HUGE);
	for (int i = 0; i < n && limit > 0; i += BATCH)
	{
		int			batch = Min(BATCH, n - i);

		CHECK_FOR_INTERRUPTS();
		if (n_suspects == limit &&
			found[i].score < suspects[n_suspects - 1].score)
			break;
		candidates_place(found + i, batch, incident.items);
		for (int j = i; j < i + batch; j++)
		{
			Candidate  *c = &found[j];
			bool		dismissed;

			if (!c->production && c->item == NULL)
				continue;
			candidate_score(c, &incident);
			/* what cannot be among them is not looked at any closer */
			if (n_suspects >= limit && c->score < suspects[limit - 1].score)
				continue;
			if (!candidate_is_shown(c))
				continue;
			verdict_of(c, &incident, &dismissed);
			if (!dismissed)
				suspects[n_suspects++] = *c;
		}
		qsort(suspects, n_suspects, sizeof(Candidate), candidate_by_score);
		n_suspects = Min(n_suspects, limit);
	}

	for (int i = 0; i < n_suspects; i++)
	{
		Candidate  *c = &suspects[i];
		Datum		values[SUSPECT_COLUMNS];
		bool		isnull[SUSPECT_COLUMNS] = {false};

		values[0] = Int64GetDatum(c->id);
		values[1] = CStringGetTextDatum(change_number_text(c->id));
		values[2] = change_title(c->id);
		values[3] = Float8GetDatum(c->score);
		values[4] = CStringGetTextDatum(candidate_reason(c, &incident));
		values[5] = Float8GetDatum(c->time_score);
		isnull[6] = incident.n_items == 0;
		values[6] = Float8GetDatum(c->distance_score);
		values[7] = Float8GetDatum(c->risk_score);
		values[8] = Float8GetDatum(c->kind_score);
		values[9] = BoolGetDatum(c->is_confirmed);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	SPI_finish();
	return (Datum) 0;
}
