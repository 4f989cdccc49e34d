/*-------------------------------------------------------------------------
 *
 * schedule_conflict.c
 *	  What a time collides with: other changes, windows and blackouts.
 *
 * The one search that the requirement no_conflict, the view change_conflict and
 * next_windows share.  It looks into the table booking, which holds what is
 * booked and no history, by its indexes.  Touching is not overlapping.
 *
 * Of a confidential change that who is acting may not see, the search finds
 * the time; the words about it say no more.  There is no state.
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
#include "utils/jsonb.h"

#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "schedule.h"
#include "spi.h"
#include "types_setting.h"

PG_FUNCTION_INFO_V1(change_conflicts);

const char *
conflict_kind_code(ConflictKind kind)
{
	static const char *const codes[] = {
		[CONFLICT_SAME_CI] = "same_ci",
		[CONFLICT_DEPENDENCY] = "dependency",
		[CONFLICT_PERSON] = "person",
		[CONFLICT_RELEASE_ORDER] = "release_order",
		[CONFLICT_OUTSIDE_WINDOW] = "outside_window",
		[CONFLICT_INSIDE_BLACKOUT] = "inside_blackout"
	};

	return codes[kind];
}

static const char *const severity_codes[] = {
	[SEVERITY_LOW] = "low",
	[SEVERITY_MEDIUM] = "medium",
	[SEVERITY_HIGH] = "high",
	[SEVERITY_NONE] = "none"
};

const char *
conflict_severity_code(ConflictSeverity severity)
{
	return severity_codes[severity];
}

ConflictSeverity
conflict_severity_setting(void)
{
	const char *value = setting_get("conflict_severity");

	for (int i = 0; i < (int) lengthof(severity_codes); i++)
		if (strcmp(severity_codes[i], value) == 0)
			return i;
	return SEVERITY_MEDIUM;
}

/* ----------------------------------------------------------------
 * Items
 * ---------------------------------------------------------------- */

/* An item of ours, and one that a change of it collides with. */
typedef struct Neighbours
{
	int			n;
	int			capacity;
	Datum	   *mine;
	Datum	   *other;
	bool	   *below;			/* ours depends on the other */
} Neighbours;

static void
neighbours_add(Neighbours *list, int64 mine, int64 other, bool below)
{
	if (list->n == list->capacity)
	{
		list->capacity = list->capacity ? list->capacity * 2 : 16;
		list->mine = list->mine ?
			repalloc_huge(list->mine, list->capacity * sizeof(Datum)) :
			palloc(list->capacity * sizeof(Datum));
		list->other = list->other ?
			repalloc_huge(list->other, list->capacity * sizeof(Datum)) :
			palloc(list->capacity * sizeof(Datum));
		list->below = list->below ?
			repalloc_huge(list->below, list->capacity * sizeof(bool)) :
			palloc(list->capacity * sizeof(bool));
	}
	list->below[list->n] = below;
	list->mine[list->n] = Int64GetDatum(mine);
	list->other[list->n++] = Int64GetDatum(other);
}

static Datum
int64_array(const Datum *values, int n)
{
	return PointerGetDatum(construct_array((Datum *) values, n, INT8OID, 8,
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static int
run(KeptPlan *plan, Datum *arguments, bool as_query)
{
	return as_query ? kept_plan_read(plan, arguments, NULL, 0) :
		kept_plan_execute(plan, arguments, NULL, 0);
}

/* What our items depend on and what depends on them, to the depth of the setting. */
static void
neighbours_find(Neighbours *list, const ConflictQuery *query)
{
	/* the common depth without the cost of recursion */
	static KeptPlan direct = {
		"SELECT ci_id, depends_on_ci_id, true FROM changemgmt.ci_dependency"
		" WHERE ci_id OPERATOR(pg_catalog.=) ANY ($1)"
		" UNION ALL"
		" SELECT depends_on_ci_id, ci_id, false FROM changemgmt.ci_dependency"
		" WHERE depends_on_ci_id OPERATOR(pg_catalog.=) ANY ($1)",
		1, {INT8ARRAYOID}, NULL
	};
	static KeptPlan deep = {
		"WITH RECURSIVE below (mine, other, depth) AS ("
		"  SELECT ci_id, depends_on_ci_id, 1 FROM changemgmt.ci_dependency"
		"  WHERE ci_id OPERATOR(pg_catalog.=) ANY ($1)"
		"  UNION"
		"  SELECT b.mine, d.depends_on_ci_id, b.depth OPERATOR(pg_catalog.+) 1"
		"  FROM below AS b JOIN changemgmt.ci_dependency AS d"
		"   ON d.ci_id OPERATOR(pg_catalog.=) b.other"
		"  WHERE b.depth OPERATOR(pg_catalog.<) $2"
		" ), above (mine, other, depth) AS ("
		"  SELECT depends_on_ci_id, ci_id, 1 FROM changemgmt.ci_dependency"
		"  WHERE depends_on_ci_id OPERATOR(pg_catalog.=) ANY ($1)"
		"  UNION"
		"  SELECT a.mine, d.ci_id, a.depth OPERATOR(pg_catalog.+) 1"
		"  FROM above AS a JOIN changemgmt.ci_dependency AS d"
		"   ON d.depends_on_ci_id OPERATOR(pg_catalog.=) a.other"
		"  WHERE a.depth OPERATOR(pg_catalog.<) $2"
		" ) SELECT DISTINCT mine, other, true FROM below"
		" UNION ALL SELECT DISTINCT mine, other, false FROM above",
		2, {INT8ARRAYOID, INT4OID}, NULL
	};
	int			depth = setting_get_int("conflict_depth");
	Datum	   *ids;
	Datum		arguments[2];

	if (depth == 0)
		return;
	ids = palloc(query->n_items * sizeof(Datum));
	for (int i = 0; i < query->n_items; i++)
		ids[i] = Int64GetDatum(query->items[i].ci_id);
	arguments[0] = int64_array(ids, query->n_items);
	arguments[1] = Int32GetDatum(depth);
	run(depth == 1 ? &direct : &deep, arguments, query->as_query);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		int64		mine = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		int64		other = DatumGetInt64(SPI_getbinval(tuple, desc, 2, &isnull));

		/* a circle leads back to the item itself */
		if (mine != other)
			neighbours_add(list, mine, other,
						   DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull)));
	}
	SPI_freetuptable(SPI_tuptable);
}

static const BookingItem *
item_find(const ConflictQuery *query, int64 ci_id)
{
	for (int i = 0; i < query->n_items; i++)
		if (query->items[i].ci_id == ci_id)
			return &query->items[i];
	elog(ERROR, "item " INT64_FORMAT " was not asked for", ci_id);
}

static bool
already_found(const List *found, int64 other_id, int64 other_ci_id)
{
	ListCell   *lc;

	foreach(lc, found)
	{
		const Conflict *c = lfirst(lc);

		if (c->other_id == other_id && c->other_ci_id == other_ci_id)
			return true;
	}
	return false;
}

static int
conflict_compare(const ListCell *a, const ListCell *b)
{
	const Conflict *x = lfirst(a);
	const Conflict *y = lfirst(b);

	if (x->kind != y->kind)
		return (int) x->kind - (int) y->kind;
	if (x->other.from != y->other.from)
		return x->other.from < y->other.from ? -1 : 1;
	if (x->other_id != y->other_id)
		return x->other_id < y->other_id ? -1 : 1;
	if (x->ci_id != y->ci_id)
		return x->ci_id < y->ci_id ? -1 : 1;
	if (x->other_ci_id != y->other_ci_id)
		return x->other_ci_id < y->other_ci_id ? -1 : 1;
	return 0;
}

/* Other changes on our items, and on what they depend on or serve. */
static List *
conflicts_on_items(const ConflictQuery *query)
{
	static KeptPlan booked = {
		"SELECT n.mine, b.ci_id, b.change_id,"
		" b.role OPERATOR(pg_catalog.=) 'changed',"
		" pg_catalog.lower(b.period), pg_catalog.upper(b.period),"
		" c.status OPERATOR(pg_catalog.=) 'in_progress', c.confidential,"
		" COALESCE(c.scheduled_at, c.actual_start)"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2))"
		"  AS n(mine, other)"
		" JOIN changemgmt.booking AS b"
		"  ON b.ci_id OPERATOR(pg_catalog.=) n.other"
		"  AND pg_catalog.upper(b.period) OPERATOR(pg_catalog.>) $3"
		"  AND pg_catalog.lower(b.period) OPERATOR(pg_catalog.<) $4"
		" JOIN changemgmt.change AS c ON c.id OPERATOR(pg_catalog.=) b.change_id"
		" WHERE b.change_id OPERATOR(pg_catalog.<>) $5",
		5, {INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID},
		NULL
	};
	Neighbours	list = {0, 0, NULL, NULL, NULL};
	Datum		arguments[5];
	List	   *same = NIL;
	List	   *found = NIL;
	List	   *near = NIL;
	ListCell   *lc;

	if (query->n_items == 0)
		return NIL;
	for (int i = 0; i < query->n_items; i++)
		neighbours_add(&list, query->items[i].ci_id, query->items[i].ci_id,
					   false);
	if (query->least <= SEVERITY_MEDIUM)
		neighbours_find(&list, query);

	arguments[0] = int64_array(list.mine, list.n);
	arguments[1] = int64_array(list.other, list.n);
	/* what is under way may have overrun its time */
	arguments[2] = TimestampTzGetDatum(query->at_start ? DT_NOBEGIN :
									   query->period.from);
	arguments[3] = TimestampTzGetDatum(query->period.to);
	arguments[4] = Int64GetDatum(query->change_id);
	run(&booked, arguments, query->as_query);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Conflict   *c = palloc0(sizeof(Conflict));
		const BookingItem *mine;
		bool		changed;
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
#define COLUMN(n) SPI_getbinval(tuple, desc, n, &isnull)
		c->ci_id = DatumGetInt64(COLUMN(1));
		c->other_ci_id = DatumGetInt64(COLUMN(2));
		c->other_id = DatumGetInt64(COLUMN(3));
		changed = DatumGetBool(COLUMN(4));
		c->other.from = DatumGetTimestampTz(COLUMN(5));
		c->other.to = DatumGetTimestampTz(COLUMN(6));
		c->other_begun = DatumGetBool(COLUMN(7));
		c->other_confidential = DatumGetBool(COLUMN(8));
		c->since = DatumGetTimestampTz(COLUMN(9));
#undef COLUMN
		mine = item_find(query, c->ci_id);
		if (query->at_start && c->other.to <= query->period.from &&
			!c->other_begun)
			continue;
		/* nothing is done to either */
		if (!mine->is_changed && !changed)
			continue;
		if (c->ci_id != c->other_ci_id)
		{
			c->kind = CONFLICT_DEPENDENCY;
			c->severity = SEVERITY_MEDIUM;
			for (int n = 0; n < list.n; n++)
				if (DatumGetInt64(list.mine[n]) == c->ci_id &&
					DatumGetInt64(list.other[n]) == c->other_ci_id)
					c->ci_depends |= list.below[n];
		}
		else if (!mine->is_exclusive)
		{
			c->kind = CONFLICT_SAME_CI;
			c->severity = SEVERITY_LOW;
		}
		else
		{
			c->kind = CONFLICT_SAME_CI;
			c->is_hard = mine->is_changed && changed;
			c->severity = c->is_hard ? SEVERITY_HIGH : SEVERITY_MEDIUM;
		}
		if (c->severity < query->least && !c->is_hard)
			continue;
		if (c->kind == CONFLICT_SAME_CI)
			same = lappend(same, c);
		else
			near = lappend(near, c);
	}
	SPI_freetuptable(SPI_tuptable);
	/* that a change meets another on the item says enough */
	foreach(lc, near)
	{
		const Conflict *c = lfirst(lc);

		if (!already_found(same, c->other_id, c->other_ci_id))
			found = lappend(found, lfirst(lc));
	}
	return list_concat(same, found);
}

/* The same people at the same time. */
static List *
conflicts_of_people(const ConflictQuery *query, List *found)
{
	static KeptPlan booked = {
		"SELECT b.change_id, pg_catalog.lower(b.period),"
		" pg_catalog.upper(b.period), c.confidential, c.since"
		/* what is booked then, and then only these: a guess of a range's
		 * share in all bookings would have the server read all changes */
		" FROM (SELECT DISTINCT change_id, period FROM changemgmt.booking"
		"  WHERE period OPERATOR(pg_catalog.&&) pg_catalog.tstzrange($1, $2)"
		"  AND change_id OPERATOR(pg_catalog.<>) $3 OFFSET 0) AS b"
		" CROSS JOIN LATERAL (SELECT confidential,"
		"  COALESCE(scheduled_at, actual_start) AS since"
		"  FROM changemgmt.change"
		"  WHERE id OPERATOR(pg_catalog.=) b.change_id"
		"  AND (owner_id OPERATOR(pg_catalog.=) ANY ($4)"
		"   OR implementer_id OPERATOR(pg_catalog.=) ANY ($5)) OFFSET 0) AS c",
		5, {TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID, INT8ARRAYOID, INT8ARRAYOID}, NULL
	};
	Datum		arguments[5];
	Datum		person;

	if (query->owner_id == 0 && query->implementer_id == 0)
		return found;
	arguments[0] = TimestampTzGetDatum(query->period.from);
	arguments[1] = TimestampTzGetDatum(query->period.to);
	arguments[2] = Int64GetDatum(query->change_id);
	person = Int64GetDatum(query->owner_id);
	arguments[3] = int64_array(&person, query->owner_id != 0);
	person = Int64GetDatum(query->implementer_id);
	arguments[4] = int64_array(&person, query->implementer_id != 0);
	run(&booked, arguments, query->as_query);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Conflict   *c = palloc0(sizeof(Conflict));
		bool		isnull;

		c->kind = CONFLICT_PERSON;
		c->severity = SEVERITY_LOW;
		c->other_id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		c->other.from = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 2, &isnull));
		c->other.to = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 3, &isnull));
		c->other_confidential = DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull));
		c->since = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 5, &isnull));
		found = lappend(found, c);
	}
	SPI_freetuptable(SPI_tuptable);
	return found;
}

/* ----------------------------------------------------------------
 * The order of releases
 * ---------------------------------------------------------------- */

static void
order_add(List **found, const ConflictQuery *query, bool other_first)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Conflict   *c = palloc0(sizeof(Conflict));
		bool		isnull;

		c->kind = CONFLICT_RELEASE_ORDER;
		c->severity = SEVERITY_HIGH;
		c->other_first = other_first;
		c->other_id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		c->other_confidential = DatumGetBool(SPI_getbinval(tuple, desc, 2, &isnull));
		c->other.from = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 3, &isnull));
		if (isnull)
			c->other.from = DT_NOBEGIN;
		c->other.to = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 4, &isnull));
		if (isnull)
			c->other.to = DT_NOEND;
		c->since = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 5, &isnull));
		if (isnull)
			c->since = DT_NOBEGIN;
		*found = lappend(*found, c);
	}
	SPI_freetuptable(SPI_tuptable);
}

/*
 * A change that depends on another comes after it.  Booked times say whether it
 * does; and it cannot begin before the other is done.
 */
static List *
conflicts_of_order(const ConflictQuery *query, List *found)
{
#define OTHER_COLUMNS \
	"SELECT c.id, c.confidential," \
	" CASE WHEN c.scheduled_at IS NULL THEN c.actual_start" \
	"  ELSE c.planned_start END," \
	" CASE WHEN c.scheduled_at IS NULL THEN NULL ELSE c.planned_end END," \
	" COALESCE(c.scheduled_at, c.actual_start)" \
	" FROM changemgmt.change_link AS l" \
	" JOIN changemgmt.change AS c"
#define DEPENDS " l.relation OPERATOR(pg_catalog.=) 'depends_on'"
#define BOOKED \
	" c.scheduled_at IS NOT NULL AND c.status OPERATOR(pg_catalog.=) ANY" \
	" ('{awaiting_approval,approved,scheduled,in_progress,verifying}'::pg_catalog.text[])"
	static KeptPlan before = {
		OTHER_COLUMNS " ON c.id OPERATOR(pg_catalog.=) l.target_change_id"
		" WHERE l.change_id OPERATOR(pg_catalog.=) $1 AND" DEPENDS
		" AND ((" BOOKED " AND c.planned_end OPERATOR(pg_catalog.>) $2)"
		"  OR ($3 AND c.status OPERATOR(pg_catalog.<>) ALL"
		"   ('{implemented,rolled_back,closed,cancelled}'::pg_catalog.text[])))",
		3, {INT8OID, TIMESTAMPTZOID, BOOLOID}, NULL
	};
	static KeptPlan after = {
		OTHER_COLUMNS " ON c.id OPERATOR(pg_catalog.=) l.change_id"
		" WHERE l.target_change_id OPERATOR(pg_catalog.=) $1 AND" DEPENDS
		" AND " BOOKED " AND c.planned_start OPERATOR(pg_catalog.<) $2",
		2, {INT8OID, TIMESTAMPTZOID}, NULL
	};
	Datum		arguments[3];

	arguments[0] = Int64GetDatum(query->change_id);
	arguments[1] = TimestampTzGetDatum(query->period.from);
	arguments[2] = BoolGetDatum(query->at_start);
	run(&before, arguments, query->as_query);
	order_add(&found, query, true);
	arguments[1] = TimestampTzGetDatum(query->period.to);
	run(&after, arguments, query->as_query);
	order_add(&found, query, false);
	return found;
}

List *
conflicts_with_changes(const ConflictQuery *query)
{
	List	   *found = conflicts_on_items(query);

	if (query->least <= SEVERITY_LOW)
		found = conflicts_of_people(query, found);
	if (query->ordered && query->least <= SEVERITY_HIGH)
		found = conflicts_of_order(query, found);
	list_sort(found, conflict_compare);
	return found;
}

/* ----------------------------------------------------------------
 * Windows
 * ---------------------------------------------------------------- */

void
conflict_scope(WindowScope *scope, const ChangeRow *row,
			   const ChangeModel *model, const BookingItem *items, int n_items)
{
	int64	   *cis = palloc(Max(n_items, 1) * sizeof(int64));

	memset(scope, 0, sizeof(WindowScope));
	scope->environment = change_text(row, environment);
	scope->model = model->key;
	for (int i = 0; i < n_items; i++)
		cis[i] = items[i].ci_id;
	scope->cis = cis;
	scope->n_cis = n_items;
	if (!change_is_null(row, attributes))
	{
		Jsonb	   *attributes = DatumGetJsonbP(row->value[CH_attributes]);
		JsonbValue	value;

		if (JB_ROOT_IS_OBJECT(attributes) &&
			getKeyJsonValueFromContainer(&attributes->root, "tags", 4, &value) &&
			value.type == jbvBinary && JsonContainerIsArray(value.val.binary.data))
		{
			JsonbIterator *it = JsonbIteratorInit(value.val.binary.data);
			JsonbIteratorToken token;

			while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
				if (token == WJB_ELEM && value.type == jbvString)
					scope->tags = lappend(scope->tags,
										  pnstrdup(value.val.string.val,
												   value.val.string.len));
		}
	}
}

List *
conflicts_with_windows(const ChangeRow *row, const ChangeModel *model,
					   const BookingItem *items, int n_items,
					   const Period *period)
{
	TimestampTz to = Min(period->to, RECURRENCE_TIME_LIMIT);
	WindowScope scope;
	Period		part;
	List	   *refusals = NIL;
	List	   *found = NIL;
	ListCell   *lc;

	conflict_scope(&scope, row, model, items, n_items);
	/*
	 * Times may span more than can be asked about at once.  Those that nobody
	 * can ask about are not booked (in_window), but were before.
	 */
	for (part.from = period->from; part.from < to; part.from = part.to)
	{
		CHECK_FOR_INTERRUPTS();
		part.to = to - part.from > WINDOW_DAYS_MAX * USECS_PER_DAY ?
			part.from + WINDOW_DAYS_MAX * USECS_PER_DAY : to;
		refusals = list_concat(refusals, window_refusals(&scope, part.from, part.to));
	}
	foreach(lc, refusals)
	{
		const WindowRefusal *r = lfirst(lc);
		Conflict   *c = palloc0(sizeof(Conflict));

		c->kind = r->is_blackout ? CONFLICT_INSIDE_BLACKOUT :
			CONFLICT_OUTSIDE_WINDOW;
		c->is_hard = r->is_hard;
		c->severity = r->is_hard ? SEVERITY_HIGH : SEVERITY_MEDIUM;
		c->ci_id = r->ci_id;
		c->other.from = r->starts_at;
		c->other.to = r->ends_at;
		c->window_name = r->name ? pstrdup(r->name) : NULL;
		c->window_text = window_refusal_text(r);
		c->since = r->declared_at;
		found = lappend(found, c);
	}
	return found;
}

/* ----------------------------------------------------------------
 * Overrides
 * ---------------------------------------------------------------- */

TimestampTz
override_time(int64 change_id, const char *requirement, bool as_query)
{
	/* given for the plan and its time, it goes with them */
	static KeptPlan waived = {
		"SELECT pg_catalog.max(w.waived_at) FROM changemgmt.change_waiver AS w"
		" JOIN changemgmt.change AS c ON c.id OPERATOR(pg_catalog.=) w.change_id"
		" WHERE w.change_id OPERATOR(pg_catalog.=) $1"
		" AND w.requirement OPERATOR(pg_catalog.=) $2"
		" AND (c.revised_at IS NULL"
		"  OR w.waived_at OPERATOR(pg_catalog.>=) c.revised_at)"
		" AND w.planned_start OPERATOR(pg_catalog.=) c.planned_start"
		" AND w.planned_end OPERATOR(pg_catalog.=) c.planned_end",
		2, {INT8OID, TEXTOID}, NULL
	};
	Datum		arguments[2];
	bool		isnull;
	TimestampTz result;

	arguments[0] = Int64GetDatum(change_id);
	arguments[1] = CStringGetTextDatum(requirement);
	run(&waived, arguments, as_query);
	result = DatumGetTimestampTz(spi_first_value(1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return isnull ? DT_NOBEGIN : result;
}

bool
conflict_is_overridden(const Conflict *conflict, TimestampTz override_at,
					   TimestampTz since, bool as_query)
{
	TimestampTz other_at;

	if (conflict->is_hard)
		return false;
	if (override_at != DT_NOBEGIN && conflict->since <= override_at)
		return true;
	/* who came later has asked for both */
	if (conflict->other_id == 0)
		return false;
	other_at = override_time(conflict->other_id, "no_conflict", as_query);
	return other_at != DT_NOBEGIN && since <= other_at;
}

/* ----------------------------------------------------------------
 * In words
 * ---------------------------------------------------------------- */

static char *
other_text(const Conflict *c, bool as_query)
{
	if (c->other_confidential &&
		!(as_query ? change_is_visible_to_query(c->other_id) :
		  change_is_visible(c->other_id)))
		return pstrdup("a change that is confidential");
	return change_number_text(c->other_id);
}

/* When the other is, as far as it says so. */
static char *
other_time(const Conflict *c)
{
	if (TIMESTAMP_NOT_FINITE(c->other.from) || TIMESTAMP_NOT_FINITE(c->other.to))
		return pstrdup(c->other_begun ? "now" : "at a time that is not booked");
	return psprintf("from %s", booking_time_text(c->other.from, c->other.to));
}

char *
conflict_text(const Conflict *c, bool as_query)
{
	char	   *other = c->other_id ? other_text(c, as_query) : NULL;

	switch (c->kind)
	{
		case CONFLICT_SAME_CI:
			return psprintf(c->other_begun ? "%s: %s is at work on it (booked %s)" :
							"%s is booked by %s %s",
							booking_ci_name(c->ci_id), other, other_time(c));
		case CONFLICT_DEPENDENCY:
			return psprintf(c->ci_depends ?
							"%s depends on %s, which is booked by %s %s" :
							"%s is what %s depends on, which is booked by %s %s",
							booking_ci_name(c->ci_id),
							booking_ci_name(c->other_ci_id), other, other_time(c));
		case CONFLICT_PERSON:
			return psprintf("the same people have %s %s", other, other_time(c));
		case CONFLICT_RELEASE_ORDER:
			return c->other_first ?
				psprintf("it depends on %s, which is made %s", other, other_time(c)) :
				psprintf("%s depends on it, and is made %s", other, other_time(c));
		case CONFLICT_OUTSIDE_WINDOW:
		case CONFLICT_INSIDE_BLACKOUT:
			return psprintf("%s from %s%s", c->window_text,
							TIMESTAMP_NOT_FINITE(c->other.to) ?
							psprintf("%s on", timestamptz_to_str(c->other.from)) :
							booking_time_text(c->other.from, c->other.to),
							c->is_hard ? ", which nobody overrides" : "");
	}
	return NULL;
}

char *
conflict_resolution(const Conflict *c, bool as_query)
{
	switch (c->kind)
	{
		case CONFLICT_SAME_CI:
		case CONFLICT_DEPENDENCY:
			return c->is_hard ?
				psprintf("Move one of them: changemgmt.suggest_windows() offers times.") :
				psprintf("Move one of them (changemgmt.suggest_windows() offers times), or have a manager override it.");
		case CONFLICT_PERSON:
			return pstrdup("Move one of them, or let somebody else do it.");
		case CONFLICT_RELEASE_ORDER:
			return psprintf(c->other_first ?
							"Book it after the end of %s." :
							"Book it so that it ends before %s begins.",
							other_text(c, as_query));
		case CONFLICT_OUTSIDE_WINDOW:
		case CONFLICT_INSIDE_BLACKOUT:
			return c->is_hard ?
				psprintf("Move it: changemgmt.suggest_windows() offers times.") :
				psprintf("Move it (changemgmt.suggest_windows() offers times), or have a manager override it.");
	}
	return NULL;
}

/* ----------------------------------------------------------------
 * SQL
 * ---------------------------------------------------------------- */

#define CONFLICT_COLUMNS 12

/* change_conflicts(change_id): what its booked time collides with */
Datum
change_conflicts(PG_FUNCTION_ARGS)
{
	static KeptPlan find = {
		"SELECT change_row FROM changemgmt.change AS change_row"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		argument = PG_GETARG_DATUM(0);
	ChangeRow	row;
	const ChangeModel *model;
	Period		period;
	ConflictQuery query = {0};
	List	   *found;
	ListCell   *lc;
	TimestampTz overrides[3];
	TimestampTz since;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	kept_plan_read(&find, &argument, NULL, 1);
	if (SPI_processed == 0)
	{
		SPI_finish();
		return (Datum) 0;
	}
	change_row_result(&row);
	if (!booking_period(&row, &period) ||
		(change_bool(&row, confidential) &&
		 !change_is_visible_to_query(change_id_of(&row))))
	{
		SPI_finish();
		return (Datum) 0;
	}
	model = lifecycle_model(&row);
	query.change_id = change_id_of(&row);
	query.items = booking_items(query.change_id, true, &query.n_items);
	query.period = period;
	query.owner_id = change_int64(&row, owner_id);
	query.implementer_id = change_int64(&row, implementer_id);
	query.ordered = true;
	query.as_query = true;
	query.least = SEVERITY_LOW;
	found = list_concat(conflicts_with_changes(&query),
						conflicts_with_windows(&row, model, query.items,
											   query.n_items, &period));
	overrides[0] = override_time(query.change_id, "no_conflict", true);
	overrides[1] = override_time(query.change_id, "in_window", true);
	overrides[2] = override_time(query.change_id, "no_blackout", true);
	since = change_is_null(&row, scheduled_at) ? change_time(&row, actual_start) :
		change_time(&row, scheduled_at);
	foreach(lc, found)
	{
		const Conflict *c = lfirst(lc);
		Datum		values[CONFLICT_COLUMNS];
		bool		isnull[CONFLICT_COLUMNS] = {false};
		TimestampTz from = Max(period.from, c->other.from);
		TimestampTz to = Min(period.to, c->other.to);

		if (c->kind == CONFLICT_RELEASE_ORDER)
		{
			/* what stands in the wrong order need not overlap */
			from = c->other_first ? period.from : c->other.from;
			to = c->other_first ? c->other.to : period.to;
		}
		isnull[0] = isnull[1] = c->other_id == 0 ||
			(c->other_confidential && !change_is_visible_to_query(c->other_id));
		values[0] = Int64GetDatum(c->other_id);
		values[1] = isnull[1] ? (Datum) 0 :
			CStringGetTextDatum(change_number_text(c->other_id));
		values[2] = CStringGetTextDatum(conflict_kind_code(c->kind));
		isnull[3] = c->ci_id == 0;
		values[3] = isnull[3] ? (Datum) 0 :
			CStringGetTextDatum(booking_ci_name(c->ci_id));
		isnull[4] = c->other_ci_id == 0;
		values[4] = isnull[4] ? (Datum) 0 :
			CStringGetTextDatum(booking_ci_name(c->other_ci_id));
		isnull[5] = c->window_name == NULL;
		values[5] = isnull[5] ? (Datum) 0 : CStringGetTextDatum(c->window_name);
		values[6] = CStringGetTextDatum(conflict_severity_code(c->severity));
		values[7] = TimestampTzGetDatum(from);
		values[8] = TimestampTzGetDatum(to);
		values[9] = BoolGetDatum(conflict_is_overridden(c,
														overrides[c->kind == CONFLICT_OUTSIDE_WINDOW ? 1 :
																  c->kind == CONFLICT_INSIDE_BLACKOUT ? 2 : 0],
														since, true));
		values[10] = CStringGetTextDatum(conflict_text(c, true));
		values[11] = CStringGetTextDatum(conflict_resolution(c, true));
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	SPI_finish();
	return (Datum) 0;
}
