/*-------------------------------------------------------------------------
 *
 * schedule_trigger.c
 *	  Bookings follow changes, their items, and the items' flag.
 *
 * A trigger on change, which fires after the judge, brings the rows of a change
 * to what they have to be; one on configuration_item does so where an item
 * becomes exclusive or shared; a guard on booking lets nobody write anything
 * else.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/rangetypes.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "compat.h"
#include "errors.h"
#include "schedule.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(booking_follow);
PG_FUNCTION_INFO_V1(booking_guard);
PG_FUNCTION_INFO_V1(booking_item);

/* Whether an update can have moved what the change books. */
static bool
booking_touched(const ChangeRow *old, const ChangeRow *new)
{
	static const ChangeColumn columns[] = {
		CH_planned_start, CH_planned_end, CH_actual_start,
		CH_estimated_minutes, CH_model, CH_model_version
	};
	Period		before;
	Period		after;
	bool		had = booking_period(old, &before);
	bool		has = booking_period(new, &after);

	if (!had && !has)
		return false;
	if (had != has)
		return true;
	/* also after the judge is through with the items that were touched */
	if (parts_touched && parts_touched->items &&
		parts_touched->change_id == change_id_of(new))
		return true;
	for (size_t i = 0; i < lengthof(columns); i++)
		if (!change_column_equal(old, new, columns[i]))
			return true;
	return before.from != after.from || before.to != after.to;
}

/* AFTER ROW trigger of change, after the judge: its bookings follow. */
Datum
booking_follow(PG_FUNCTION_ARGS)
{
	static KeptPlan flags = {
		"SELECT pg_catalog.string_agg(pg_catalog.format('%s %s', c.id, c.is_exclusive),"
		"  ',' ORDER BY c.id)"
		" FROM changemgmt.change_item AS i"
		" JOIN changemgmt.configuration_item AS c"
		"  ON c.id OPERATOR(pg_catalog.=) i.ci_id"
		" WHERE i.change_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	TriggerData *trigdata = trigger_data(fcinfo, "booking_follow",
										 FOR_ROW | AT_AFTER, "change");
	TupleDesc	desc;
	ChangeRow	old;
	ChangeRow	new;
	Booking    *stored;
	Booking    *wanted;
	int			n_stored = 0;
	int			n_wanted;

	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ||
		ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	desc = RelationGetDescr(trigdata->tg_relation);
	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
	{
		Period		ignored;

		change_row_read(&new, trigdata->tg_trigtuple, desc);
		if (!booking_period(&new, &ignored))
			return PointerGetDatum(NULL);
	}
	else
	{
		change_row_read(&old, trigdata->tg_trigtuple, desc);
		change_row_read(&new, trigdata->tg_newtuple, desc);
		if (!booking_touched(&old, &new))
			return PointerGetDatum(NULL);
	}

	SPI_connect();
	/*
	 * Whoever makes an item exclusive locks the table against this, and then
	 * looks: either sees the other's row, or that its snapshot is too old.
	 */
	LockRelationOid(relation_oid("booking"), RowExclusiveLock);
	kept_plan_require_current(&flags, &new.value[CH_id],
							  "items were made exclusive or shared meanwhile");
	wanted = bookings_wanted(&new, &n_wanted);
	stored = bookings_stored(change_id_of(&new), &n_stored);
	bookings_write(change_id_of(&new), stored, n_stored, wanted, n_wanted);
	SPI_finish();
	return PointerGetDatum(NULL);
}

static Period
period_of(Datum range)
{
	TypeCacheEntry *type = lookup_type_cache(TSTZRANGEOID, TYPECACHE_RANGE_INFO);
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;
	Period		period;

	range_deserialize(type, DatumGetRangeTypeP(range), &lower, &upper, &empty);
	period.from = lower.infinite ? DT_NOBEGIN : DatumGetTimestampTz(lower.val);
	period.to = upper.infinite ? DT_NOEND : DatumGetTimestampTz(upper.val);
	return period;
}

static int64
booking_change(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;

	return DatumGetInt64(SPI_getbinval(tuple, desc,
									   SPI_fnumber(desc, "change_id"), &isnull));
}

/*
 * Whether a row is one that its change has to have; exactly, or up to that it
 * is not exclusive.
 */
static bool
booking_is_due(HeapTuple tuple, TupleDesc desc, bool exactly)
{
	int64		change_id = booking_change(tuple, desc);
	Booking		row;
	const Booking *rows = NULL;
	int			n = 0;
	ChangeRow	change;
	bool		isnull;

	row.ci_id = DatumGetInt64(SPI_getbinval(tuple, desc,
											SPI_fnumber(desc, "ci_id"),
											&isnull));
	row.period = period_of(SPI_getbinval(tuple, desc,
										 SPI_fnumber(desc, "period"), &isnull));
	row.is_changed = strcmp(SPI_getvalue(tuple, desc, SPI_fnumber(desc, "role")),
							"changed") == 0;
	row.is_exclusive = DatumGetBool(SPI_getbinval(tuple, desc,
												  SPI_fnumber(desc, "is_exclusive"),
												  &isnull));
	if (!bookings_being_written(change_id, &rows, &n) &&
		change_read(&change, change_id, false))
		rows = bookings_wanted(&change, &n);
	for (int i = 0; i < n; i++)
		if (rows[i].ci_id == row.ci_id)
			return booking_stays(&row, &rows[i]) &&
				(!exactly || row.is_exclusive == rows[i].is_exclusive);
	return false;
}

/*
 * AFTER ROW trigger of booking: what is written there follows from a change,
 * whoever writes it.
 */
Datum
booking_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "booking_guard",
										 FOR_ROW | AT_AFTER, "booking");
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	const Booking *rows;
	int			n;
	bool		good;

	if (ledger_is_history(trigdata))
	{
		ledger_count_history(false);
		return PointerGetDatum(NULL);
	}
	if (bookings_being_rebuilt())
		return PointerGetDatum(NULL);
	SPI_connect();
	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		good = booking_is_due(trigdata->tg_trigtuple, desc, true);
	else if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		good = bookings_being_written(booking_change(trigdata->tg_trigtuple, desc),
									  &rows, &n) ||
			!booking_is_due(trigdata->tg_trigtuple, desc, false);
	else
		good = booking_is_due(trigdata->tg_newtuple, desc, true) &&
			!booking_is_due(trigdata->tg_trigtuple, desc, false);
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("bookings are not written by hand"),
				 errdetail("They follow from the change that books, and from its items."),
				 errhint("changemgmt.schedule() and reschedule() book; changemgmt.rebuild_bookings() derives all of them anew."),
				 errtable(trigdata->tg_relation)));
	SPI_finish();
	return PointerGetDatum(NULL);
}

/* AFTER ROW trigger of configuration_item: bookings of it follow its flag. */
Datum
booking_item(PG_FUNCTION_ARGS)
{
	static KeptPlan booked = {
		"SELECT change_id FROM changemgmt.booking"
		" WHERE ci_id OPERATOR(pg_catalog.=) $1"
		" AND role OPERATOR(pg_catalog.=) 'changed' ORDER BY change_id",
		1, {INT8OID}, NULL
	};
	static KeptPlan versions = {
		"SELECT pg_catalog.string_agg(pg_catalog.format('%s %s', change_id, xmin),"
		"  ',' ORDER BY change_id)"
		" FROM changemgmt.booking"
		" WHERE pg_catalog.int8range(ci_id, ci_id, '[]') OPERATOR(pg_catalog.&&)"
		"  pg_catalog.int8range($1, $1, '[]')",
		1, {INT8OID}, NULL
	};
	TriggerData *trigdata = trigger_data(fcinfo, "booking_item",
										 FOR_ROW | AT_AFTER, "configuration_item");
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	int			attnum = SPI_fnumber(desc, "is_exclusive");
	bool		isnull;
	Datum		argument;
	int64	   *changes;
	int			n;

	if (!TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) || attnum <= 0 ||
		SPI_getbinval(trigdata->tg_trigtuple, desc, attnum, &isnull) ==
		SPI_getbinval(trigdata->tg_newtuple, desc, attnum, &isnull))
		return PointerGetDatum(NULL);

	SPI_connect();
	LockRelationOid(relation_oid("booking"), ShareRowExclusiveLock);
	argument = SPI_getbinval(trigdata->tg_newtuple, desc,
							 SPI_fnumber(desc, "id"), &isnull);
	kept_plan_require_current(&versions, &argument, "the item was booked meanwhile");
	kept_plan_execute(&booked, &argument, NULL, 0);
	n = SPI_processed;
	changes = palloc(Max(n, 1) * sizeof(int64));
	for (int i = 0; i < n; i++)
		changes[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
												 SPI_tuptable->tupdesc, 1,
												 &isnull));
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < n; i++)
	{
		ChangeRow	row;
		Booking    *stored;
		Booking    *wanted;
		int			n_stored;
		int			n_wanted;

		CHECK_FOR_INTERRUPTS();
		if (!change_read(&row, changes[i], false))
			continue;
		stored = bookings_stored(changes[i], &n_stored);
		wanted = bookings_wanted(&row, &n_wanted);
		/* this one is to become exclusive, too */
		for (int s = 0; s < n_stored; s++)
			if (stored[s].ci_id == DatumGetInt64(argument) &&
				!stored[s].is_exclusive)
				stored[s].period.to = stored[s].period.from;
		bookings_write(changes[i], stored, n_stored, wanted, n_wanted);
	}
	SPI_finish();
	return PointerGetDatum(NULL);
}
