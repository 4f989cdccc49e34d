/*-------------------------------------------------------------------------
 *
 * calendar_window.c
 *	  Maintenance windows and blackouts: what they leave open.
 *
 * Of each item of a change: where maintenance windows are in scope, all
 * outside of them is closed; what a blackout in scope covers is closed in any
 * case.  A change may be made when none of its items is closed.  Ranges are
 * half-open, so what only touches does not overlap.
 *
 * State: the table change_window, with what its recurrences have computed, is
 * kept for the session in a context of its own.  Who uses it takes it: it
 * hangs below the caller's context meanwhile, so that an error at any point
 * frees it and leaves none, and it is read again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "calendar.h"
#include "compat.h"
#include "errors.h"
#include "spi.h"

/* What has computed more than this is not kept. */
#define WINDOW_CACHE_MAX	((Size) 64 * 1024 * 1024)

/* A row of change_window. */
typedef struct Window
{
	int64		id;
	char	   *name;
	char	   *reason;			/* or NULL */
	bool		is_blackout;
	bool		is_hard;
	Recurrence *recurrence;		/* NULL: the one range */
	RecurrenceState *state;		/* NULL: not asked yet */
	TimestampTz starts_at;
	TimestampTz ends_at;
	char	   *environment;	/* NULL: any, as in what follows */
	int64		ci_id;			/* 0 */
	bool		covers_dependents;
	char	   *model;
	char	   *tag;
	TimestampTz declared_at;
} Window;

typedef struct WindowCache
{
	MemoryContext context;
	uint64		reading;		/* its number, see window_readings */
	int			n;
	Window	   *windows;
} WindowCache;

static CachedTable window_table = {.relation = "change_window"};
static WindowCache *window_cache = NULL;
static uint64 window_readings = 0;	/* only the last one is kept */

/* An item, and what it depends on, directly or not. */
typedef struct Reach
{
	int64		ci;
	int64		on;
} Reach;

/* An item of the scope, or the one without an id that stands for none. */
typedef struct ScopeItem
{
	int64		id;
	char	   *environment;
	List	   *tags;			/* char * */
} ScopeItem;

/* Items for which the same windows are in scope. */
typedef struct ScopeGroup
{
	Bitmapset  *windows;		/* positions in the cache */
	Bitmapset  *maintenance;	/* of these, the maintenance windows */
	int64		first_ci;
	int			n;
} ScopeGroup;

typedef struct PeriodList
{
	Period	   *items;
	int			n;
	int			size;
} PeriodList;

/* ----------
 * The table
 * ----------
 */

static WindowCache *
windows_read(void)
{
	static KeptPlan all = {
		"SELECT id, name, kind OPERATOR(pg_catalog.=) 'blackout',"
		" enforcement OPERATOR(pg_catalog.=) 'hard', recurrence,"
		" starts_at, ends_at, environment, ci_id, covers_dependents, model,"
		" tag, declared_at, reason"
		" FROM changemgmt.change_window ORDER BY id",
		0, {0}, NULL
	};
	MemoryContext context;
	MemoryContext old;
	WindowCache *cache;

	context = AllocSetContextCreate(CurrentMemoryContext,
									"changemgmt windows",
									ALLOCSET_SMALL_SIZES);
	cached_table_begin(&window_table);
	SPI_connect();
	kept_plan_execute(&all, NULL, NULL, 0);
	old = MemoryContextSwitchTo(context);
	cache = palloc0(sizeof(WindowCache));
	cache->context = context;
	cache->n = SPI_processed;
	cache->windows = palloc0(Max(cache->n, 1) * sizeof(Window));
	for (int i = 0; i < cache->n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Window	   *window = &cache->windows[i];
		Datum		value;
		bool		isnull;

		window->id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
		window->name = SPI_getvalue(row, desc, 2);
		window->is_blackout = DatumGetBool(SPI_getbinval(row, desc, 3, &isnull));
		window->is_hard = DatumGetBool(SPI_getbinval(row, desc, 4, &isnull));
		value = SPI_getbinval(row, desc, 5, &isnull);
		if (!isnull)
			window->recurrence =
				recurrence_check(PG_DETOAST_DATUM_COPY(value));
		window->starts_at = DatumGetTimestampTz(SPI_getbinval(row, desc, 6, &isnull));
		window->ends_at = DatumGetTimestampTz(SPI_getbinval(row, desc, 7, &isnull));
		window->environment = SPI_getvalue(row, desc, 8);
		value = SPI_getbinval(row, desc, 9, &isnull);
		window->ci_id = isnull ? 0 : DatumGetInt64(value);
		window->covers_dependents = DatumGetBool(SPI_getbinval(row, desc, 10, &isnull));
		window->model = SPI_getvalue(row, desc, 11);
		window->tag = SPI_getvalue(row, desc, 12);
		window->declared_at = DatumGetTimestampTz(SPI_getbinval(row, desc, 13, &isnull));
		window->reason = SPI_getvalue(row, desc, 14);
	}
	MemoryContextSwitchTo(old);
	SPI_finish();
	cached_table_done(&window_table);
	cache->reading = ++window_readings;
	return cache;
}

/* NULL where there are no windows at all. */
static WindowCache *
windows_take(void)
{
	WindowCache *cache = window_cache;

	/*
	 * What other sessions declared comes in where a table is locked, and
	 * within a transaction that has asked before none is.
	 */
	AcceptInvalidationMessages();
	if (!window_table.is_current && !relation_exists("change_window"))
		return NULL;			/* of the version before */
	window_cache = NULL;
	if (cache != NULL && window_table.is_current)
	{
		MemoryContextSetParent(cache->context, CurrentMemoryContext);
		return cache;
	}
	if (cache != NULL)
		MemoryContextDelete(cache->context);
	return windows_read();
}

static void
windows_give_back(WindowCache *cache)
{
	if (cache == NULL)
		return;
	if (window_cache == NULL && cache->reading == window_readings &&
		MemoryContextMemAllocated(cache->context, true) <= WINDOW_CACHE_MAX)
	{
		MemoryContextSetParent(cache->context, TopMemoryContext);
		window_cache = cache;
	}
	else
		MemoryContextDelete(cache->context);
}

/* ----------
 * Periods
 * ----------
 */

/* What overlaps or touches the last one makes it longer. */
static void
period_add(PeriodList *list, TimestampTz from, TimestampTz to)
{
	if (list->n > 0 && from <= list->items[list->n - 1].to &&
		from >= list->items[list->n - 1].from)
	{
		list->items[list->n - 1].to = Max(list->items[list->n - 1].to, to);
		return;
	}
	if (list->n == list->size)
	{
		list->size = Max(16, 2 * list->size);
		list->items = list->items == NULL ?
			palloc(list->size * sizeof(Period)) :
			repalloc_huge(list->items, list->size * sizeof(Period));
	}
	list->items[list->n].from = from;
	list->items[list->n].to = to;
	list->n++;
}

static int
period_compare(const void *a, const void *b)
{
	const Period *left = a;
	const Period *right = b;

	return left->from < right->from ? -1 : left->from > right->from;
}

/* What lies between them within [from, to), in order and disjoint. */
static PeriodList
periods_complement(PeriodList *list, TimestampTz from, TimestampTz to)
{
	PeriodList	result = {0};

	if (list->n > 1)
		qsort(list->items, list->n, sizeof(Period), period_compare);
	for (int i = 0; i < list->n && from < to; i++)
	{
		if (list->items[i].from > from)
			period_add(&result, from, Min(to, list->items[i].from));
		from = Max(from, list->items[i].to);
	}
	if (from < to)
		period_add(&result, from, to);
	return result;
}

static void
window_error_context(void *arg)
{
	errcontext("window \"%s\"", ((Window *) arg)->name);
}

/* Adds the window's times that overlap [from, to), whole. */
static void
window_periods(WindowCache *cache, Window *window, TimestampTz from,
			   TimestampTz to, int max, PeriodList *list)
{
	ErrorContextCallback context;
	Occurrence	occurrence;
	int			before = list->n;

	if (window->recurrence == NULL)
	{
		if (window->starts_at < to && window->ends_at > from)
			period_add(list, window->starts_at, window->ends_at);
		return;
	}
	context.callback = window_error_context;
	context.arg = window;
	context.previous = error_context_stack;
	error_context_stack = &context;
	if (window->state == NULL)
		window->state = recurrence_open(cache->context, window->recurrence);
	while (list->n - before <= max &&
		   recurrence_overlapping(window->state, from, to, &occurrence))
	{
		CHECK_FOR_INTERRUPTS();
		period_add(list, occurrence.starts_at, occurrence.ends_at);
		from = occurrence.ends_at;
	}
	error_context_stack = context.previous;
}

/* ----------
 * Scope
 * ----------
 */

static bool
tag_listed(const char *tag, List *tags)
{
	ListCell   *lc;

	foreach(lc, tags)
		if (pg_strcasecmp(tag, lfirst(lc)) == 0)
			return true;
	return false;
}

static int
reach_compare(const void *a, const void *b)
{
	const Reach *left = a;
	const Reach *right = b;

	if (left->ci != right->ci)
		return left->ci < right->ci ? -1 : 1;
	return left->on < right->on ? -1 : left->on > right->on;
}

static Datum
id_array(const int64 *ids, int n)
{
	Datum	   *values = palloc(Max(n, 1) * sizeof(Datum));

	for (int i = 0; i < n; i++)
		values[i] = Int64GetDatum(ids[i]);
	return PointerGetDatum(construct_array(values, n, INT8OID, sizeof(int64),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * Gives the items what windows ask about: their environments and tags.  OFFSET
 * keeps the search to the index, here and below: the planner expects more items
 * than come, and would read the whole inventory, or the whole graph at each step.
 */
static void
items_read(ScopeItem *items, const WindowScope *scope)
{
	static KeptPlan plan = {
		"SELECT c.id, c.environment, c.tags FROM pg_catalog.unnest($1) AS i (id)"
		" CROSS JOIN LATERAL ("
		"  SELECT c.id, c.environment, c.tags"
		"  FROM changemgmt.configuration_item AS c"
		"  WHERE c.id OPERATOR(pg_catalog.=) i.id OFFSET 0) AS c"
		" ORDER BY c.id",
		1, {INT8ARRAYOID}, NULL
	};
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext spi;
	Datum		ids = id_array(scope->cis, scope->n_cis);

	SPI_connect();
	kept_plan_execute(&plan, &ids, NULL, 0);
	spi = MemoryContextSwitchTo(caller);
	for (int i = 0; i < scope->n_cis; i++)
	{
		uint64		low = 0;
		uint64		high = SPI_processed;
		TupleDesc	desc = SPI_tuptable->tupdesc;
		HeapTuple	row = NULL;
		bool		isnull;
		Datum	   *tags;
		int			n;

		while (low < high)
		{
			uint64		middle = (low + high) / 2;
			int64		id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[middle],
														 desc, 1, &isnull));

			if (id == items[i].id)
				row = SPI_tuptable->vals[middle];
			if (id < items[i].id)
				low = middle + 1;
			else
				high = middle;
		}
		if (row == NULL)
			continue;
		items[i].environment = SPI_getvalue(row, desc, 2);
		deconstruct_array(DatumGetArrayTypeP(SPI_getbinval(row, desc, 3, &isnull)),
						  TEXTOID, -1, false, TYPALIGN_INT, &tags, NULL, &n);
		for (int t = 0; t < n; t++)
			items[i].tags = lappend(items[i].tags, TextDatumGetCString(tags[t]));
	}
	MemoryContextSwitchTo(spi);
	SPI_finish();
}

/* Which of the items depend, directly or not, on an item that a window names. */
static Reach *
reach_read(const WindowScope *scope, const int64 *named, int n_named, int *n)
{
	static KeptPlan plan = {
		"WITH RECURSIVE reached (ci, onto) AS ("
		" SELECT i.ci, i.ci FROM pg_catalog.unnest($1) AS i(ci)"
		" UNION"
		" SELECT r.ci, d.onto FROM reached AS r CROSS JOIN LATERAL ("
		"  SELECT d.depends_on_ci_id FROM changemgmt.ci_dependency AS d"
		"  WHERE d.ci_id OPERATOR(pg_catalog.=) r.onto OFFSET 0) AS d (onto))"
		" SELECT r.ci, r.onto FROM reached AS r"
		" WHERE r.onto OPERATOR(pg_catalog.=) ANY ($2)",
		2, {INT8ARRAYOID, INT8ARRAYOID}, NULL
	};
	MemoryContext caller = CurrentMemoryContext;
	Datum		values[2];
	Reach	   *result;

	values[0] = id_array(scope->cis, scope->n_cis);
	values[1] = id_array(named, n_named);
	SPI_connect();
	kept_plan_execute(&plan, values, NULL, 0);
	*n = SPI_processed;
	result = MemoryContextAllocHuge(caller, Max(*n, 1) * sizeof(Reach));
	for (int i = 0; i < *n; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		result[i].ci = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
		result[i].on = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
	}
	SPI_finish();
	qsort(result, *n, sizeof(Reach), reach_compare);
	return result;
}

static bool
in_scope(const Window *window, const WindowScope *scope, const ScopeItem *item,
		 const Reach *reach, int n_reach)
{
	if (window->model != NULL &&
		(scope->model == NULL || strcmp(window->model, scope->model) != 0))
		return false;
	if (window->environment != NULL &&
		!(scope->environment != NULL &&
		  strcmp(window->environment, scope->environment) == 0) &&
		!(item->environment != NULL &&
		  strcmp(window->environment, item->environment) == 0))
		return false;
	if (window->tag != NULL && !tag_listed(window->tag, scope->tags) &&
		!tag_listed(window->tag, item->tags))
		return false;
	if (window->ci_id != 0 && window->ci_id != item->id)
	{
		Reach		wanted = {item->id, window->ci_id};

		if (!window->covers_dependents || n_reach == 0 || item->id == 0 ||
			bsearch(&wanted, reach, n_reach, sizeof(Reach),
					reach_compare) == NULL)
			return false;
	}
	return true;
}

/* The items of the scope by the windows that are in scope for them. */
static List *
scope_groups(WindowCache *cache, const WindowScope *scope)
{
	List	   *groups = NIL;
	int			n_items = Max(scope->n_cis, 1);
	ScopeItem  *items = palloc0(n_items * sizeof(ScopeItem));
	int64	   *named = palloc(Max(cache->n, 1) * sizeof(int64));
	int			n_named = 0;
	bool		needs_items = false;
	Reach	   *reach = NULL;
	int			n_reach = 0;

	for (int i = 0; i < scope->n_cis; i++)
		items[i].id = scope->cis[i];
	for (int w = 0; w < cache->n; w++)
	{
		Window	   *window = &cache->windows[w];

		if (window->model != NULL &&
			(scope->model == NULL || strcmp(window->model, scope->model) != 0))
			continue;
		needs_items |= window->environment != NULL || window->tag != NULL;
		if (window->ci_id != 0 && window->covers_dependents)
			named[n_named++] = window->ci_id;
	}
	if (scope->n_cis > 0 && needs_items)
		items_read(items, scope);
	if (scope->n_cis > 0 && n_named > 0)
		reach = reach_read(scope, named, n_named, &n_reach);

	for (int i = 0; i < n_items; i++)
	{
		Bitmapset  *windows = NULL;
		ScopeGroup *group = NULL;
		ListCell   *lc;

		CHECK_FOR_INTERRUPTS();
		for (int w = 0; w < cache->n; w++)
			if (in_scope(&cache->windows[w], scope, &items[i], reach, n_reach))
				windows = bms_add_member(windows, w);
		foreach(lc, groups)
			if (bms_equal(((ScopeGroup *) lfirst(lc))->windows, windows))
				group = lfirst(lc);
		if (group == NULL)
		{
			group = palloc0(sizeof(ScopeGroup));
			group->windows = windows;
			for (int w = 0; w < cache->n; w++)
				if (!cache->windows[w].is_blackout && bms_is_member(w, windows))
					group->maintenance = bms_add_member(group->maintenance, w);
			group->first_ci = items[i].id;
			groups = lappend(groups, group);
		}
		group->n++;
	}
	return groups;
}

/*
 * Groups that differ in blackouts only are outside at the same times: the first
 * of them tells it for all.  *n becomes the number of their items.
 */
static bool
is_first_outside(List *groups, const ScopeGroup *group, int *n)
{
	bool		first = true;
	bool		seen = false;
	ListCell   *lc;

	*n = 0;
	foreach(lc, groups)
	{
		const ScopeGroup *other = lfirst(lc);

		seen |= other == group;
		if (bms_equal(other->maintenance, group->maintenance))
		{
			first &= seen;
			*n += other->n;
		}
	}
	return first;
}

/* Is it in scope whatever the item? */
static bool
concerns_all(const Window *window, const WindowScope *scope)
{
	ScopeItem none = {0};

	return in_scope(window, scope, &none, NULL, 0);
}

/* ----------
 * What is closed
 * ----------
 */

static void
check_range(TimestampTz from, TimestampTz to)
{
	if (TIMESTAMP_NOT_FINITE(from) || TIMESTAMP_NOT_FINITE(to))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("windows cannot be asked about a range without bounds"),
				 errhint("Give it a beginning and an end, at most %d days apart.",
						 WINDOW_DAYS_MAX)));
	if (from >= to)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("windows cannot be asked about an empty range"),
				 errhint("The end of a range is not part of it.")));
	if (to - from > WINDOW_DAYS_MAX * USECS_PER_DAY)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("windows cannot be asked about more than %d days",
						WINDOW_DAYS_MAX)));
}

/* What of [from, to) the maintenance windows of a group leave out. */
static PeriodList
group_outside(WindowCache *cache, const ScopeGroup *group, TimestampTz from,
			  TimestampTz to)
{
	PeriodList	covered = {0};
	PeriodList	outside = {0};
	int			w = -1;

	if (bms_is_empty(group->maintenance))
		return outside;
	while ((w = bms_next_member(group->maintenance, w)) >= 0)
		window_periods(cache, &cache->windows[w], from, to, PG_INT32_MAX,
					   &covered);
	return periods_complement(&covered, from, to);
}

static List *
refuse_blackouts(WindowCache *cache, const WindowScope *scope, List *groups,
				 TimestampTz from, TimestampTz to)
{
	List	   *result = NIL;

	for (int w = 0; w < cache->n; w++)
	{
		Window	   *window = &cache->windows[w];
		ScopeGroup *concerned = NULL;
		PeriodList	periods = {0};
		ListCell   *lc;

		if (!window->is_blackout)
			continue;
		foreach(lc, groups)
		{
			ScopeGroup	   *group = lfirst(lc);

			if (bms_is_member(w, group->windows) && concerned == NULL)
				concerned = group;
		}
		if (concerned == NULL)
			continue;
		window_periods(cache, window, from, to, WINDOW_REFUSALS_MAX, &periods);
		for (int i = 0; i < Min(periods.n, WINDOW_REFUSALS_MAX); i++)
		{
			WindowRefusal *refusal = palloc0(sizeof(WindowRefusal));

			refusal->is_blackout = true;
			refusal->is_hard = window->is_hard;
			refusal->window_id = window->id;
			refusal->name = pstrdup(window->name);
			refusal->reason = window->reason ? pstrdup(window->reason) : NULL;
			refusal->ci_id = concerns_all(window, scope) ? 0 :
				concerned->first_ci;
			refusal->starts_at = periods.items[i].from;
			refusal->ends_at = periods.items[i].to;
			refusal->declared_at = window->declared_at;
			result = lappend(result, refusal);
		}
	}
	return result;
}

static List *
refuse_outside(WindowCache *cache, const WindowScope *scope, ScopeGroup *group,
			   int n_items, TimestampTz from, TimestampTz to)
{
	PeriodList	outside = group_outside(cache, group, from, to);
	List	   *result = NIL;
	StringInfoData names;
	bool		hard = false;
	bool		all = n_items == Max(scope->n_cis, 1);
	TimestampTz declared_at = DT_NOBEGIN;
	int			w = -1;

	if (outside.n == 0)
		return NIL;
	initStringInfo(&names);
	while ((w = bms_next_member(group->maintenance, w)) >= 0)
	{
		Window	   *window = &cache->windows[w];

		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
						 window->name);
		hard |= window->is_hard;
		all &= concerns_all(window, scope);
		declared_at = Max(declared_at, window->declared_at);
	}
	for (int i = 0; i < Min(outside.n, WINDOW_REFUSALS_MAX); i++)
	{
		WindowRefusal *refusal = palloc0(sizeof(WindowRefusal));

		refusal->is_hard = hard;
		refusal->name = names.data;
		refusal->ci_id = all ? 0 : group->first_ci;
		refusal->starts_at = outside.items[i].from;
		refusal->ends_at = outside.items[i].to;
		refusal->declared_at = declared_at;
		result = lappend(result, refusal);
	}
	return result;
}

static List *
refuse(WindowCache *cache, const WindowScope *scope, List *groups,
	   TimestampTz from, TimestampTz to)
{
	List	   *result = refuse_blackouts(cache, scope, groups, from, to);
	ListCell   *lc;

	foreach(lc, groups)
	{
		int			n;

		if (is_first_outside(groups, lfirst(lc), &n))
			result = list_concat(result, refuse_outside(cache, scope,
														lfirst(lc), n, from, to));
	}
	return result;
}

/* All windows in scope of any of the groups. */
static Bitmapset *
groups_windows(List *groups)
{
	Bitmapset  *windows = NULL;
	ListCell   *lc;

	foreach(lc, groups)
		windows = bms_add_members(windows, ((ScopeGroup *) lfirst(lc))->windows);
	return windows;
}

static PeriodList
open_periods(WindowCache *cache, List *groups, TimestampTz from,
			 TimestampTz to)
{
	PeriodList	closed = {0};
	Bitmapset  *windows = groups_windows(groups);
	ListCell   *lc;
	int			w = -1;

	foreach(lc, groups)
	{
		PeriodList	outside;
		int			n;

		if (!is_first_outside(groups, lfirst(lc), &n))
			continue;
		outside = group_outside(cache, lfirst(lc), from, to);
		for (int i = 0; i < outside.n; i++)
			period_add(&closed, outside.items[i].from, outside.items[i].to);
	}
	while ((w = bms_next_member(windows, w)) >= 0)
		if (cache->windows[w].is_blackout)
			window_periods(cache, &cache->windows[w], from, to, PG_INT32_MAX,
						   &closed);
	return periods_complement(&closed, from, to);
}

void
windows_require_current(void)
{
	static KeptPlan rows = {
		"SELECT pg_catalog.string_agg(pg_catalog.format('%s %s', id, xmin), ','"
		"  ORDER BY id)"
		" FROM changemgmt.change_window",
		0, {0}, NULL
	};

	SPI_connect();
	kept_plan_require_current(&rows, NULL,
							  "maintenance windows or blackouts were declared meanwhile");
	SPI_finish();
}

List *
window_refusals(const WindowScope *scope, TimestampTz from, TimestampTz to)
{
	WindowCache *cache;
	List	   *result = NIL;

	check_range(from, to);
	cache = windows_take();
	if (cache != NULL && cache->n > 0)
		result = refuse(cache, scope, scope_groups(cache, scope), from, to);
	windows_give_back(cache);
	return result;
}

Period *
window_open(const WindowScope *scope, TimestampTz from, TimestampTz to, int *n)
{
	WindowCache *cache;
	PeriodList	open = {0};

	check_range(from, to);
	cache = windows_take();
	if (cache != NULL && cache->n > 0)
		open = open_periods(cache, scope_groups(cache, scope), from, to);
	else
		period_add(&open, from, to);
	windows_give_back(cache);
	*n = open.n;
	return open.items;
}

/* ----------
 * One moment
 * ----------
 */

/* The names of the maintenance windows that cover a time; NULL: none does. */
static char *
names_at(WindowCache *cache, List *groups, TimestampTz at)
{
	Bitmapset  *windows = groups_windows(groups);
	StringInfoData names;
	int			w = -1;

	initStringInfo(&names);
	while ((w = bms_next_member(windows, w)) >= 0)
	{
		PeriodList	periods = {0};

		if (cache->windows[w].is_blackout)
			continue;
		window_periods(cache, &cache->windows[w], at, at + 1, 1, &periods);
		if (periods.n > 0)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
							 cache->windows[w].name);
	}
	return names.len > 0 ? names.data : NULL;
}

/*
 * The next time at which it is open or closed other than at "at", looked for
 * in longer and longer stretches; DT_NOEND where none comes before the horizon.
 */
static TimestampTz
state_end(WindowCache *cache, List *groups, TimestampTz at, bool is_open)
{
	TimestampTz last = RECURRENCE_TIME_LIMIT;
	TimestampTz horizon;

	if (at >= END_TIMESTAMP - WINDOW_HORIZON_DAYS * USECS_PER_DAY)
		return DT_NOEND;
	horizon = at + WINDOW_HORIZON_DAYS * USECS_PER_DAY;

	/* beyond that year only windows that end are computed */
	if (at < last)
		horizon = Min(horizon, last);
	for (int64 days = 2; at < horizon; days *= 8)
	{
		TimestampTz to = Min(horizon, at + days * USECS_PER_DAY);
		PeriodList	open = open_periods(cache, groups, at, to);

		if (is_open && (open.n == 0 || open.items[0].from > at))
			return at;
		if (is_open && open.items[0].to < to)
			return open.items[0].to;
		if (!is_open && open.n > 0)
			return open.items[0].from;
		at = to;
	}
	return DT_NOEND;
}

void
window_moment(const WindowScope *scope, TimestampTz at, WindowMoment *moment)
{
	WindowCache *cache;

	memset(moment, 0, sizeof(WindowMoment));
	moment->until = DT_NOEND;
	check_range(at, at + 1);
	cache = windows_take();
	if (cache != NULL && cache->n > 0)
	{
		List	   *groups = scope_groups(cache, scope);

		moment->refusals = refuse(cache, scope, groups, at, at + 1);
		moment->names = names_at(cache, groups, at);
		moment->until = state_end(cache, groups, at, moment->refusals == NIL);
	}
	windows_give_back(cache);
}

char *
window_refusal_text(const WindowRefusal *refusal)
{
	if (!refusal->is_blackout)
		return psprintf("outside of the maintenance windows (%s)",
						refusal->name);
	if (refusal->reason != NULL)
		return psprintf("inside the blackout \"%s\" (%s)", refusal->name,
						refusal->reason);
	return psprintf("inside the blackout \"%s\"", refusal->name);
}
