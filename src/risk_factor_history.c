/*-------------------------------------------------------------------------
 *
 * risk_factor_history.c
 *	  The factors that what happened before, and what else goes on, tell.
 *
 * Of the past at most so many rows are read, by index and the latest first,
 * whatever the history.  It is what was known when the work began, or is known
 * now: of a change of the past neither its own outcome nor what came after it
 * counts.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "calendar.h"
#include "compat.h"
#include "inventory_graph.h"
#include "lifecycle.h"
#include "risk.h"
#include "schedule.h"
#include "spi.h"

#define BLAST_DEPTH 5
#define BLAST_MOST 100

/* How many items are asked for their records, the most critical first. */
#define RECORD_ITEMS 20

#define SHORT_NOTICE (2 * USECS_PER_DAY)
#define NEAR_BLACKOUT USECS_PER_DAY
#define LONGEST_TIME (366 * USECS_PER_DAY)
#define INCIDENT_DAYS 30

/* 1900, from when on calendars count. */
#define CALENDAR_FROM \
	((date2j(RECURRENCE_FIRST_YEAR, 1, 2) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)

static void
found(RiskFinding *finding, int value, char *sentence)
{
	finding->value = Min(value, RISK_VALUE_MAX);
	finding->is_known = true;
	finding->sentence = sentence;
}

static void
not_known(RiskFinding *finding, char *sentence)
{
	finding->value = RISK_VALUE_MAX;
	finding->is_known = false;
	finding->sentence = psprintf("%s, which counts as the highest", sentence);
}

static Datum
item_ids(const RiskInput *input, bool changed_only, int most, int *n)
{
	Datum	   *ids = palloc(Max(input->n_items, 1) * sizeof(Datum));

	*n = 0;
	for (int i = 0; i < input->n_items && *n < most; i++)
		if (!changed_only || input->items[i].is_changed)
			ids[(*n)++] = Int64GetDatum(input->items[i].ci_id);
	return PointerGetDatum(construct_array(ids, *n, INT8OID, 8, FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

/* ----------
 * What depends on it
 * ----------
 */

void
risk_blast_radius(RiskInput *input, RiskFinding *finding)
{
	Datum	   *ids;
	int			n = 0;
	HTAB	   *reached;
	HASH_SEQ_STATUS scan;
	GraphItem  *item;
	long		count = 0;
	int			farthest = 0;

	risk_items(input);
	if (input->n_items == 0)
	{
		not_known(finding, "no item is named");
		return;
	}
	ids = palloc(input->n_items * sizeof(Datum));
	for (int i = 0; i < input->n_items; i++)
		if (input->items[i].is_changed)
			ids[n++] = Int64GetDatum(input->items[i].ci_id);
	if (n == 0)
	{
		not_known(finding, "none of its items is named as changed");
		return;
	}
	reached = graph_walk(ids, n, BLAST_DEPTH, GRAPH_ABOVE, BLAST_MOST + n,
						 sizeof(GraphItem), input->as_query);
	hash_seq_init(&scan, reached);
	while ((item = hash_seq_search(&scan)) != NULL)
		if (item->steps > 0)
		{
			count++;
			farthest = Max(farthest, item->steps);
		}
	hash_destroy(reached);
	if (count == 0)
		found(finding, 0, pstrdup("nothing depends on what it changes"));
	else
		found(finding, count < 3 ? 20 : count < 10 ? 40 : count < 30 ? 60 :
			  count < 100 ? 80 : 100,
			  psprintf("%s%ld %s on what it changes, over up to %d %s",
					   count >= BLAST_MOST ? "at least " : "",
					   Min(count, BLAST_MOST),
					   count == 1 ? "item depends" : "items depend", farthest,
					   farthest == 1 ? "step" : "steps"));
}

/* ----------
 * Records
 * ----------
 */

/*
 * Whether a change failed, as far as was known at a time: docs/metrics.md has
 * the definition, which reads a table of a later room that has been there
 * since 1.0.  Not EXISTS, which the server may turn into a hash of all links.
 */
#define FAILED(at) \
	"(c.outcome OPERATOR(pg_catalog.=) ANY ('{failed,rolled_back}'::pg_catalog.text[])" \
	" OR (SELECT 1 FROM changemgmt.change_link AS l" \
	"  JOIN changemgmt.change AS r ON r.id OPERATOR(pg_catalog.=) l.change_id" \
	"  WHERE l.target_change_id OPERATOR(pg_catalog.=) c.id" \
	"  AND l.relation OPERATOR(pg_catalog.=) ANY ('{remediates,backs_out}'::pg_catalog.text[])" \
	"  AND r.created_at OPERATOR(pg_catalog.<=) " at " LIMIT 1) IS NOT NULL" \
	" OR (SELECT 1 FROM changemgmt.incident_cause AS k" \
	"  WHERE k.change_id OPERATOR(pg_catalog.=) c.id" \
	"  AND k.status OPERATOR(pg_catalog.=) 'confirmed'" \
	"  AND (k.decided_at IS NULL OR k.decided_at OPERATOR(pg_catalog.<=) " at ")" \
	"  LIMIT 1) IS NOT NULL)"

#define COUNTED \
	"pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE " FAILED("$1") ")"

/*
 * A range and the order of both columns, where an equation and the order of
 * the second would do: of these the server could read the index of actual_end
 * alone, and with it the whole history for the sake of a model or an owner
 * that has little of it.
 */
#define LATEST(column, value) \
	"(SELECT id, outcome FROM changemgmt.change" \
	"  WHERE " column " OPERATOR(pg_catalog.>=) " value \
	"  AND (" column ", actual_end) OPERATOR(pg_catalog.<) (" value ", $1)" \
	"  AND actual_end IS NOT NULL" \
	"  AND COALESCE(outcome, '') OPERATOR(pg_catalog.<>) 'not_implemented'" \
	"  ORDER BY " column " DESC, actual_end DESC LIMIT 50) AS c"

/* The records of model, owner and team at once, and those of the items. */
static void
records_read(RiskInput *input)
{
	static KeptPlan of_people = {
		"SELECT 1, " COUNTED " FROM " LATEST("model", "$2")
		" UNION ALL SELECT 2, " COUNTED " FROM " LATEST("owner_id", "$3")
		" UNION ALL SELECT 3, " COUNTED " FROM " LATEST("team_id", "$4"),
		4, {TIMESTAMPTZOID, TEXTOID, INT8OID, INT8OID}, NULL
	};
	static KeptPlan of_items = {
		"SELECT x.n, " COUNTED
		" FROM pg_catalog.unnest($2) WITH ORDINALITY AS x (ci_id, n)"
		" LEFT JOIN LATERAL (SELECT change_id FROM changemgmt.change_item"
		"  WHERE ci_id OPERATOR(pg_catalog.=) x.ci_id"
		"  AND change_id OPERATOR(pg_catalog.<) $3"
		"  ORDER BY change_id DESC LIMIT 50) AS i ON true"
		" CROSS JOIN LATERAL (SELECT id, outcome FROM changemgmt.change"
		"  WHERE id OPERATOR(pg_catalog.=) i.change_id"
		"  AND actual_end OPERATOR(pg_catalog.<) $1"
		"  AND COALESCE(outcome, '') OPERATOR(pg_catalog.<>) 'not_implemented'"
		"  OFFSET 0) AS c GROUP BY x.n",
		3, {TIMESTAMPTZOID, INT8ARRAYOID, INT8OID}, NULL
	};
	Datum		arguments[4];
	char		nulls[4] = {' ', ' ', ' ', ' '};
	RiskRecord	records[RECORD_ITEMS] = {{0}};
	int			n;

	if (input->has_records)
		return;
	/* all there is, also of this very moment, where the work is still to come */
	arguments[0] = TimestampTzGetDatum(input->begun ? input->at : DT_NOEND);
	arguments[1] = input->row->value[CH_model];
	arguments[2] = input->row->value[CH_owner_id];
	nulls[2] = change_is_null(input->row, owner_id) ? 'n' : ' ';
	arguments[3] = input->row->value[CH_team_id];
	nulls[3] = change_is_null(input->row, team_id) ? 'n' : ' ';
	risk_read(input, &of_people, arguments, nulls, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		int			which = DatumGetInt32(SPI_getbinval(tuple, desc, 1, &isnull));
		RiskRecord *record = which == 1 ? &input->of_model :
			which == 2 ? &input->of_owner : &input->of_team;

		record->executed = DatumGetInt64(SPI_getbinval(tuple, desc, 2, &isnull));
		record->failed = DatumGetInt64(SPI_getbinval(tuple, desc, 3, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);

	risk_items(input);
	arguments[1] = item_ids(input, false, RECORD_ITEMS, &n);
	/* later changes of the item are not looked through to find earlier ones */
	arguments[2] = input->begun ? input->row->value[CH_id] :
		Int64GetDatum(PG_INT64_MAX);
	if (n > 0)
	{
		risk_read(input, &of_items, arguments, NULL, 0);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			HeapTuple	tuple = SPI_tuptable->vals[i];
			TupleDesc	desc = SPI_tuptable->tupdesc;
			bool		isnull;
			RiskRecord *record = &records[DatumGetInt64(
				SPI_getbinval(tuple, desc, 1, &isnull)) - 1];

			record->executed = DatumGetInt64(SPI_getbinval(tuple, desc, 2, &isnull));
			record->failed = DatumGetInt64(SPI_getbinval(tuple, desc, 3, &isnull));
		}
		SPI_freetuptable(SPI_tuptable);
	}
	for (int i = 0; i < n; i++)
	{
		const RiskRecord *record = &records[i];

		/* (failed + 1) / (executed + 10), compared as fractions */
		if (input->worst_item == NULL ||
			(record->failed + 1) * (input->of_item.executed + 10) >
			(input->of_item.failed + 1) * (record->executed + 10))
		{
			input->of_item = *record;
			input->worst_item = input->items[i].name;
		}
		if (record->executed == 0 && input->new_item == NULL)
			input->new_item = input->items[i].name;
	}
	input->has_records = true;
}

/*
 * The mean of a Beta distribution that begins with 1 failure of 10: no history
 * is a rate of 10 %, 1 failure of 1 is 18 %.  50 % and more is the highest
 * value.
 */
static void
record_found(const RiskRecord *record, const char *whose, RiskFinding *finding)
{
	int64		above = 200 * (record->failed + 1);
	int64		below = record->executed + 10;
	int64		tenths = (2000 * (record->failed + 1) / below + 1) / 2;

	found(finding, (int) ((above + below - 1) / below),
		  record->executed == 0 ?
		  psprintf("no change of %s was executed yet: the rate is taken to be 10 %%",
				   whose) :
		  psprintf(INT64_FORMAT " of the latest " INT64_FORMAT
				   " changes of %s failed: (" INT64_FORMAT " + 1) of ("
				   INT64_FORMAT " + 10) is " INT64_FORMAT "." INT64_FORMAT " %%",
				   record->failed, record->executed, whose, record->failed,
				   record->executed, tenths / 10, tenths % 10));
}

void
risk_record_of_model(RiskInput *input, RiskFinding *finding)
{
	records_read(input);
	record_found(&input->of_model,
				 psprintf("model %s", change_text(input->row, model)), finding);
}

void
risk_record_of_item(RiskInput *input, RiskFinding *finding)
{
	records_read(input);
	if (input->worst_item == NULL)
		not_known(finding, "no item is named");
	else
		record_found(&input->of_item, input->worst_item, finding);
}

void
risk_record_of_owner(RiskInput *input, RiskFinding *finding)
{
	records_read(input);
	if (change_is_null(input->row, owner_id))
		not_known(finding, "it has no owner");
	else
		record_found(&input->of_owner, "the owner", finding);
}

void
risk_record_of_team(RiskInput *input, RiskFinding *finding)
{
	records_read(input);
	if (change_is_null(input->row, team_id))
		not_known(finding, "no team is named");
	else
		record_found(&input->of_team, "the team", finding);
}

void
risk_novelty(RiskInput *input, RiskFinding *finding)
{
	int			value = 0;
	StringInfoData what;

	records_read(input);
	initStringInfo(&what);
	if (input->of_model.executed == 0)
	{
		value += 40;
		text_list_add(&what, "of this model");
	}
	if (input->of_owner.executed == 0)
	{
		value += 30;
		text_list_add(&what, "of this owner");
	}
	if (input->n_items == 0 || input->new_item)
	{
		value += 30;
		text_list_add(&what, input->new_item ?
					  psprintf("of %s", input->new_item) : "of any item named");
	}
	found(finding, value, value == 0 ?
		  pstrdup("changes of its model, its owner and its items were executed before") :
		  psprintf("no change was executed before %s", what.data));
	finding->is_known = input->n_items > 0 &&
		!change_is_null(input->row, owner_id);
}

/* ----------
 * Time
 * ----------
 */

static bool
has_time(const RiskInput *input, Period *period)
{
	if (change_is_null(input->row, planned_start) ||
		change_is_null(input->row, planned_end))
		return false;
	period->from = change_time(input->row, planned_start);
	period->to = change_time(input->row, planned_end);
	return !TIMESTAMP_NOT_FINITE(period->from) &&
		!TIMESTAMP_NOT_FINITE(period->to) && period->from < period->to;
}

static BookingItem *
booking_items_of(RiskInput *input)
{
	BookingItem *items;

	risk_items(input);
	items = palloc0(Max(input->n_items, 1) * sizeof(BookingItem));
	for (int i = 0; i < input->n_items; i++)
	{
		items[i].ci_id = input->items[i].ci_id;
		items[i].is_changed = input->items[i].is_changed;
		items[i].is_exclusive = input->items[i].is_exclusive;
	}
	return items;
}

void
risk_timing(RiskInput *input, RiskFinding *finding)
{
	const ChangeRow *row = input->row;
	Period		period;
	Period		around;
	WindowScope scope;
	TimestampTz notice;
	bool		in_blackout = false;
	bool		near_blackout = false;
	bool		outside = false;
	bool		has_windows = false;
	bool		in_window;
	bool		is_business_day;
	bool		at_work;
	int			value = 0;
	StringInfoData why;
	ListCell   *lc;

	if (!has_time(input, &period))
	{
		not_known(finding, "no time is planned");
		return;
	}
	if (period.to - period.from > LONGEST_TIME ||
		period.from < CALENDAR_FROM || period.to > RECURRENCE_TIME_LIMIT -
		LONGEST_TIME)
	{
		found(finding, 100, pstrdup("its time is longer than a year, or beyond what calendars know"));
		return;
	}
	initStringInfo(&why);
	conflict_scope(&scope, row, input->model, booking_items_of(input),
				   input->n_items);
	around.from = period.from - NEAR_BLACKOUT;
	around.to = period.to + NEAR_BLACKOUT;
	foreach(lc, window_refusals(&scope, around.from, around.to))
	{
		const WindowRefusal *r = lfirst(lc);
		bool		overlaps = r->starts_at < period.to && r->ends_at > period.from;

		if (!r->is_blackout)
		{
			has_windows = true;
			outside |= overlaps;
		}
		else if (overlaps)
			in_blackout = true;
		else
			near_blackout = true;
	}
	/* open around it, too, for days: then no window was made for it */
	in_window = has_windows && !outside;
	at_work = calendar_is_at_work(period.from, DEFAULT_CALENDAR, &is_business_day);
	notice = !change_is_null(row, notice_from) ? change_time(row, notice_from) :
		!change_is_null(row, first_submitted_at) ?
		change_time(row, first_submitted_at) : input->at;

	if (in_blackout)
	{
		value += 100;
		text_list_add(&why, "in a blackout");
	}
	if (outside)
	{
		value += 50;
		text_list_add(&why, "outside of the maintenance windows");
	}
	if (in_window)
		text_list_add(&why, "in a maintenance window");
	if (near_blackout)
	{
		value += 30;
		text_list_add(&why, "within a day of a blackout");
	}
	/* a window says that somebody has thought of the hour */
	if (!in_window && !is_business_day)
	{
		value += 20;
		text_list_add(&why, "on a day off");
	}
	else if (!in_window && !at_work)
	{
		value += 20;
		text_list_add(&why, "out of hours");
	}
	if (period.from - notice < SHORT_NOTICE)
	{
		value += 30;
		text_list_add(&why, "at less than 48 hours' notice");
	}
	found(finding, value, why.len == 0 ?
		  pstrdup("it begins in working hours, with notice") :
		  psprintf("it is planned %s", why.data));
}

void
risk_overlap(RiskInput *input, RiskFinding *finding)
{
	ConflictQuery query;
	List	   *conflicts;
	const Conflict *first;
	int			n;

	if (input->begun)
	{
		found(finding, 0, pstrdup("the work has begun: nothing more is booked against it"));
		return;
	}
	memset(&query, 0, sizeof(query));
	if (!has_time(input, &query.period))
	{
		not_known(finding, "no time is planned");
		return;
	}
	query.change_id = change_id_of(input->row);
	query.items = booking_items_of(input);
	query.n_items = input->n_items;
	query.owner_id = change_int64(input->row, owner_id);
	query.implementer_id = change_int64(input->row, implementer_id);
	query.as_query = input->as_query;
	query.least = SEVERITY_LOW;
	conflicts = conflicts_with_changes(&query);
	n = list_length(conflicts);
	if (n == 0)
	{
		found(finding, 0, pstrdup("nothing else is booked then on its items, near them, or by its people"));
		return;
	}
	first = linitial(conflicts);
	found(finding, n == 1 ? 60 : 100,
		  n == 1 ? psprintf("another change is booked then (%s)",
							conflict_kind_code(first->kind)) :
		  psprintf("%d overlaps with changes that are booked then", n));
}

/* ----------
 * Incidents: a later room's, of which only tables are asked, where they are
 * ----------
 */

void
risk_incidents(RiskInput *input, RiskFinding *finding)
{
	static KeptPlan read = {
		"SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER ("
		"  WHERE i.resolved_at IS NULL OR i.resolved_at OPERATOR(pg_catalog.>=) $2)"
		" FROM (SELECT DISTINCT incident_id FROM changemgmt.incident_item"
		"  WHERE ci_id OPERATOR(pg_catalog.=) ANY ($1)) AS x"
		" CROSS JOIN LATERAL (SELECT * FROM changemgmt.incident"
		"  WHERE id OPERATOR(pg_catalog.=) x.incident_id OFFSET 0) AS i"
		" WHERE COALESCE(i.began_at, i.detected_at, i.created_at) OPERATOR(pg_catalog.<) $2"
		" AND (COALESCE(i.began_at, i.detected_at, i.created_at)"
		"   OPERATOR(pg_catalog.>=) $3"
		"  OR i.resolved_at IS NULL OR i.resolved_at OPERATOR(pg_catalog.>=) $2)",
		3, {INT8ARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID}, NULL
	};
	Datum		arguments[3];
	int64		recent;
	int64		open;
	bool		isnull;
	int			n;

	if (!relation_exists("incident_item"))
	{
		found(finding, 0, pstrdup("incidents of items are not recorded here"));
		return;
	}
	risk_items(input);
	if (input->n_items == 0)
	{
		not_known(finding, "no item is named");
		return;
	}
	arguments[0] = item_ids(input, false, input->n_items, &n);
	arguments[1] = TimestampTzGetDatum(input->at);
	arguments[2] = TimestampTzGetDatum(input->at - INCIDENT_DAYS * USECS_PER_DAY);
	risk_read(input, &read, arguments, NULL, 0);
	recent = DatumGetInt64(spi_first_value(1, &isnull));
	open = DatumGetInt64(spi_first_value(2, &isnull));
	SPI_freetuptable(SPI_tuptable);
	if (recent == 0)
		found(finding, 0, psprintf("its items had no incident in %d days",
								   INCIDENT_DAYS));
	else
		found(finding, open > 0 || recent > 1 ? 100 : 50,
			  psprintf(INT64_FORMAT " %s of its items in %d days%s", recent,
					   recent == 1 ? "incident" : "incidents", INCIDENT_DAYS,
					   open > 0 ? psprintf(", " INT64_FORMAT " not resolved",
										   open) : ""));
}
