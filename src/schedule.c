/*-------------------------------------------------------------------------
 *
 * schedule.c
 *	  Bookings: which change has which item when.
 *
 * The table booking follows from the changes and their items; the triggers that
 * see to it are in schedule_trigger.c.  An
 * exclusion constraint keeps two changes from booking an exclusive item for
 * one time, whatever the isolation level; rows are put in by INSERT ... ON
 * CONFLICT, so that after the wait for another session there is a transaction
 * left in which to say with whom it collided.
 *
 * A row that is not exclusive although it could be comes from history that
 * overlapped already (rebuild_bookings); it stays so until it is moved.
 *
 * State: what is being written, while it is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "schedule.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(rebuild_bookings);

/* What is being written for a change; NULL at any other time. */
typedef struct BookingWriter
{
	int64		change_id;
	Booking    *rows;
	int			n;
} BookingWriter;

static BookingWriter *writer = NULL;
static bool rebuilding = false;	/* whose rows nobody has to judge */

/* ----------------------------------------------------------------
 * What follows from a change
 * ---------------------------------------------------------------- */

#define BOOKED_STATUSES \
	(STATUS_BIT(STATUS_AWAITING_APPROVAL) | STATUS_BIT(STATUS_APPROVED) | \
	 STATUS_BIT(STATUS_SCHEDULED) | STATUS_BIT(STATUS_IN_PROGRESS) | \
	 STATUS_BIT(STATUS_VERIFYING))
#define BEGUN_STATUSES \
	(STATUS_BIT(STATUS_IN_PROGRESS) | STATUS_BIT(STATUS_VERIFYING))

int64
booking_length(const ChangeRow *row)
{
	if (!change_is_null(row, estimated_minutes) &&
		DatumGetInt32(row->value[CH_estimated_minutes]) > 0)
		return DatumGetInt32(row->value[CH_estimated_minutes]) * USECS_PER_MINUTE;
	if (!change_is_null(row, planned_start) && !change_is_null(row, planned_end) &&
		change_time(row, planned_end) > change_time(row, planned_start))
		return change_time(row, planned_end) - change_time(row, planned_start);
	return USECS_PER_HOUR;
}

bool
booking_period(const ChangeRow *row, Period *period)
{
	uint32		status = STATUS_BIT(change_status(row));

	if (!(status & BOOKED_STATUSES))
		return false;
	if (!change_is_null(row, scheduled_at) &&
		!change_is_null(row, planned_start) && !change_is_null(row, planned_end))
	{
		period->from = change_time(row, planned_start);
		period->to = change_time(row, planned_end);
	}
	else if ((status & BEGUN_STATUSES) && !change_is_null(row, actual_start))
	{
		period->from = change_time(row, actual_start);
		period->to = period->from + booking_length(row);
		if (!IS_VALID_TIMESTAMP(period->to))
			period->to = END_TIMESTAMP - 1;
	}
	else
		return false;
	return period->from < period->to;
}

BookingItem *
booking_items(int64 change_id, bool as_query, int *n)
{
	static KeptPlan items = {
		"SELECT i.ci_id, i.role OPERATOR(pg_catalog.=) 'changed', c.is_exclusive"
		" FROM changemgmt.change_item AS i"
		" JOIN changemgmt.configuration_item AS c"
		"  ON c.id OPERATOR(pg_catalog.=) i.ci_id"
		" WHERE i.change_id OPERATOR(pg_catalog.=) $1 ORDER BY i.ci_id",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(change_id);
	BookingItem *result;

	if (as_query)
		kept_plan_read(&items, &argument, NULL, 0);
	else
		kept_plan_execute(&items, &argument, NULL, 0);
	*n = SPI_processed;
	result = palloc(Max(*n, 1) * sizeof(BookingItem));
	for (int i = 0; i < *n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		result[i].ci_id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		result[i].is_changed = DatumGetBool(SPI_getbinval(tuple, desc, 2, &isnull));
		result[i].is_exclusive = DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	return result;
}

/* The rows that a change has to have, in the order of its items. */
Booking *
bookings_wanted(const ChangeRow *row, int *n)
{
	Period		period;
	BookingItem *items;
	Booking    *result;
	char	   *type;
	bool		may_exclude;

	*n = 0;
	if (!booking_period(row, &period))
		return NULL;
	items = booking_items(change_id_of(row), false, n);
	result = palloc(Max(*n, 1) * sizeof(Booking));
	/* an emergency takes what it needs */
	type = change_text(row, type);
	may_exclude = strcmp(type, "emergency") != 0 && strcmp(type, "latent") != 0;
	for (int i = 0; i < *n; i++)
	{
		result[i].ci_id = items[i].ci_id;
		result[i].period = period;
		result[i].is_changed = items[i].is_changed;
		result[i].is_exclusive = may_exclude && items[i].is_changed &&
			items[i].is_exclusive;
	}
	return result;
}

char *
booking_ci_name(int64 ci_id)
{
	static KeptPlan name = {
		"SELECT name FROM changemgmt.configuration_item"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(ci_id);
	char	   *result;

	kept_plan_execute(&name, &argument, NULL, 1);
	result = SPI_processed == 0 ? pstrdup("an item") :
		SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	SPI_freetuptable(SPI_tuptable);
	return result;
}

char *
booking_time_text(TimestampTz from, TimestampTz to)
{
	/* it answers in one buffer */
	char	   *begin = pstrdup(timestamptz_to_str(from));

	return psprintf("%s to %s", begin, timestamptz_to_str(to));
}

/* ----------------------------------------------------------------
 * Writing
 * ---------------------------------------------------------------- */

static const char *
change_words(int64 change_id)
{
	return change_is_visible(change_id) ? change_number_text(change_id) :
		"a change that is confidential";
}

/*
 * Say that a time is taken; the other change where there is one to name.  Who
 * makes an item exclusive need not be concerned by either.
 */
pg_noreturn static void
booking_taken(int64 change_id, int64 ci_id, const Period *period,
			  int64 other_id, const Period *other)
{
	char	   *ci = booking_ci_name(ci_id);

	ereport(ERROR,
			(errcode(ERRCODE_MC_BOOKING_CONFLICT), err_as_caller(),
			 errmsg("%s cannot be booked for %s: it is booked by %s",
					ci, change_words(change_id),
					other_id == 0 ? "another change" : change_words(other_id)),
			 errdetail("Only one change at a time is made on it: this one from %s, the other from %s.",
					   booking_time_text(period->from, period->to),
					   booking_time_text(other->from, other->to)),
			 errhint("SELECT * FROM changemgmt.next_windows(%s, interval '%d minutes'); offers times that are free.",
					 quote_literal_cstr(ci),
					 (int) Max((period->to - period->from) / USECS_PER_MINUTE, 1))));
}

/*
 * Who else has an exclusive item of these rows then; refuses where somebody
 * has.  Comes after the rows could not be put in, with a newer snapshot.
 */
static void
booking_refuse(int64 change_id, const Booking *rows, int n)
{
	static KeptPlan other = {
		"SELECT change_id, pg_catalog.lower(period), pg_catalog.upper(period)"
		" FROM changemgmt.booking"
		" WHERE ci_id OPERATOR(pg_catalog.=) $1"
		" AND pg_catalog.upper(period) OPERATOR(pg_catalog.>) $2"
		" AND pg_catalog.lower(period) OPERATOR(pg_catalog.<) $3"
		" AND is_exclusive AND change_id OPERATOR(pg_catalog.<>) $4"
		" ORDER BY pg_catalog.lower(period) LIMIT 1",
		4, {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID}, NULL
	};
	const Booking *first = NULL;

	for (int i = 0; i < n; i++)
	{
		Datum		arguments[4];
		bool		isnull;
		int64		other_id;
		Period		period;

		if (!rows[i].is_exclusive)
			continue;
		if (first == NULL)
			first = &rows[i];
		arguments[0] = Int64GetDatum(rows[i].ci_id);
		arguments[1] = TimestampTzGetDatum(rows[i].period.from);
		arguments[2] = TimestampTzGetDatum(rows[i].period.to);
		arguments[3] = Int64GetDatum(change_id);
		kept_plan_execute(&other, arguments, NULL, 1);
		if (SPI_processed == 0)
			continue;
		other_id = DatumGetInt64(spi_first_value(1, &isnull));
		period.from = DatumGetTimestampTz(spi_first_value(2, &isnull));
		period.to = DatumGetTimestampTz(spi_first_value(3, &isnull));
		booking_taken(change_id, rows[i].ci_id, &rows[i].period, other_id,
					  &period);
	}
	/* it was there, and has gone since: the next try will succeed */
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE), err_as_caller(),
			 errmsg("the bookings of %s changed meanwhile",
					first ? booking_ci_name(first->ci_id) :
					change_number_text(change_id)),
			 errhint("Try again.")));
}

static ArrayType *
array_of(const Datum *values, int n, Oid type)
{
	return construct_array((Datum *) values, n, type,
						   type == BOOLOID ? 1 : 8,
						   type == BOOLOID ? true : FLOAT8PASSBYVAL,
						   type == BOOLOID ? TYPALIGN_CHAR : TYPALIGN_DOUBLE);
}

/*
 * Put rows in, which have one period, in the order of their items, so that
 * two sessions that want the same ones meet at the first.  False where an
 * exclusive one is taken; then some are in.
 */
static bool
bookings_insert(int64 change_id, const Booking *rows, int n)
{
	static KeptPlan insert = {
		"INSERT INTO changemgmt.booking"
		" (change_id, ci_id, period, role, is_exclusive)"
		" SELECT $1, r.ci_id, pg_catalog.tstzrange($2, $3),"
		"  CASE WHEN r.is_changed THEN 'changed' ELSE 'affected' END,"
		"  r.is_exclusive"
		" FROM ROWS FROM (pg_catalog.unnest($4), pg_catalog.unnest($5),"
		"  pg_catalog.unnest($6)) AS r(ci_id, is_changed, is_exclusive)"
		" ON CONFLICT ON CONSTRAINT booking_is_exclusive DO NOTHING",
		6, {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8ARRAYOID, BOOLARRAYOID,
		BOOLARRAYOID}, NULL
	};
	Datum		arguments[6];
	Datum	   *ci_ids;
	Datum	   *changed;
	Datum	   *exclusive;
	uint64		inserted;

	if (n == 0)
		return true;
	ci_ids = palloc(n * sizeof(Datum));
	changed = palloc(n * sizeof(Datum));
	exclusive = palloc(n * sizeof(Datum));
	for (int i = 0; i < n; i++)
	{
		ci_ids[i] = Int64GetDatum(rows[i].ci_id);
		changed[i] = BoolGetDatum(rows[i].is_changed);
		exclusive[i] = BoolGetDatum(rows[i].is_exclusive);
	}
	arguments[0] = Int64GetDatum(change_id);
	arguments[1] = TimestampTzGetDatum(rows[0].period.from);
	arguments[2] = TimestampTzGetDatum(rows[0].period.to);
	arguments[3] = PointerGetDatum(array_of(ci_ids, n, INT8OID));
	arguments[4] = PointerGetDatum(array_of(changed, n, BOOLOID));
	arguments[5] = PointerGetDatum(array_of(exclusive, n, BOOLOID));
	kept_plan_execute(&insert, arguments, NULL, 0);
	inserted = SPI_processed;
	return inserted == (uint64) n;
}

static void
booking_delete(int64 change_id, int64 ci_id)
{
	static KeptPlan delete = {
		"DELETE FROM changemgmt.booking"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND ci_id OPERATOR(pg_catalog.=) $2",
		2, {INT8OID, INT8OID}, NULL
	};
	Datum		arguments[2];

	arguments[0] = Int64GetDatum(change_id);
	arguments[1] = Int64GetDatum(ci_id);
	kept_plan_execute(&delete, arguments, NULL, 0);
}

/* The rows that a change has, in the order of its items. */
Booking *
bookings_stored(int64 change_id, int *n)
{
	static KeptPlan stored = {
		"SELECT ci_id, pg_catalog.lower(period), pg_catalog.upper(period),"
		" role OPERATOR(pg_catalog.=) 'changed', is_exclusive"
		" FROM changemgmt.booking"
		" WHERE change_id OPERATOR(pg_catalog.=) $1 ORDER BY ci_id",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(change_id);
	Booking    *result;

	kept_plan_execute(&stored, &argument, NULL, 0);
	*n = SPI_processed;
	result = palloc(Max(*n, 1) * sizeof(Booking));
	for (int i = 0; i < *n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		result[i].ci_id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		result[i].period.from = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 2, &isnull));
		result[i].period.to = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 3, &isnull));
		result[i].is_changed = DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull));
		result[i].is_exclusive = DatumGetBool(SPI_getbinval(tuple, desc, 5, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	return result;
}

bool
booking_stays(const Booking *stored, const Booking *wanted)
{
	return stored->period.from == wanted->period.from &&
		stored->period.to == wanted->period.to &&
		stored->is_changed == wanted->is_changed &&
		(!stored->is_exclusive || wanted->is_exclusive);
}

bool
bookings_being_written(int64 change_id, const Booking **rows, int *n)
{
	if (writer == NULL || writer->change_id != change_id)
		return false;
	*rows = writer->rows;
	*n = writer->n;
	return true;
}

bool
bookings_being_rebuilt(void)
{
	return rebuilding;
}

/* Bring the rows of a change from what they are to what they have to be. */
void
bookings_write(int64 change_id, const Booking *stored, int n_stored,
			   Booking *wanted, int n_wanted)
{
	BookingWriter own = {change_id, wanted, n_wanted};
	BookingWriter *save = writer;
	Booking    *missing = palloc(Max(n_wanted, 1) * sizeof(Booking));
	int			n_missing = 0;

	writer = &own;
	PG_TRY();
	{
		int			w = 0;

		for (int s = 0; s < n_stored; s++)
		{
			while (w < n_wanted && wanted[w].ci_id < stored[s].ci_id)
				missing[n_missing++] = wanted[w++];
			if (w < n_wanted && wanted[w].ci_id == stored[s].ci_id)
			{
				if (booking_stays(&stored[s], &wanted[w]))
				{
					w++;
					continue;
				}
				missing[n_missing++] = wanted[w++];
			}
			booking_delete(change_id, stored[s].ci_id);
		}
		while (w < n_wanted)
			missing[n_missing++] = wanted[w++];
		if (!bookings_insert(change_id, missing, n_missing))
			booking_refuse(change_id, missing, n_missing);
	}
	PG_FINALLY();
	{
		writer = save;
	}
	PG_END_TRY();
	pfree(missing);
}

/* ----------------------------------------------------------------
 * History
 * ---------------------------------------------------------------- */

/* Put in the rows of a change; what overlaps already is not exclusive. */
static void
bookings_rebuild(int64 change_id, Booking *wanted, int n_wanted)
{
	Booking    *stored;
	int			n_stored;
	int			n_missing = 0;
	int			s = 0;

	if (bookings_insert(change_id, wanted, n_wanted))
		return;
	stored = bookings_stored(change_id, &n_stored);
	for (int w = 0; w < n_wanted; w++)
	{
		if (s < n_stored && stored[s].ci_id == wanted[w].ci_id)
		{
			s++;
			continue;
		}
		wanted[n_missing] = wanted[w];
		wanted[n_missing++].is_exclusive = false;
	}
	(void) bookings_insert(change_id, wanted, n_missing);
}

/* rebuild_bookings(): all of them anew; how many there are then */
Datum
rebuild_bookings(PG_FUNCTION_ARGS)
{
	static KeptPlan clear = {
		"DELETE FROM changemgmt.booking", 0, {0}, NULL
	};
	/* who booked first keeps the item */
	static KeptPlan booked = {
		"SELECT id FROM changemgmt.change"
		" WHERE status OPERATOR(pg_catalog.=) ANY"
		"  ('{awaiting_approval,approved,scheduled,in_progress,verifying}'::pg_catalog.text[])"
		" AND (scheduled_at IS NOT NULL OR actual_start IS NOT NULL)"
		" ORDER BY COALESCE(scheduled_at, actual_start), id",
		0, {0}, NULL
	};
	volatile int64 count = 0;

	PreventCommandIfReadOnly("rebuild_bookings()");
	if (rebuilding)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("bookings are being rebuilt already")));
	SPI_connect();
	/* changes whose time moves wait, and then find what is here */
	LockRelationOid(relation_oid("booking"), ExclusiveLock);
	rebuilding = true;
	PG_TRY();
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
													  "changemgmt bookings",
													  ALLOCSET_DEFAULT_SIZES);
		SPITupleTable *changes;
		uint64		n;

		kept_plan_execute(&clear, NULL, NULL, 0);
		kept_plan_execute(&booked, NULL, NULL, 0);
		changes = SPI_tuptable;
		n = SPI_processed;
		for (uint64 i = 0; i < n; i++)
		{
			MemoryContext caller = MemoryContextSwitchTo(context);
			bool		isnull;
			int64		id = DatumGetInt64(SPI_getbinval(changes->vals[i],
														 changes->tupdesc, 1,
														 &isnull));
			ChangeRow	row;

			CHECK_FOR_INTERRUPTS();
			if (change_read(&row, id, false))
			{
				int			n_wanted;
				Booking    *wanted;
				SPITupleTable *read = SPI_tuptable;

				wanted = bookings_wanted(&row, &n_wanted);
				bookings_rebuild(id, wanted, n_wanted);
				count += n_wanted;
				SPI_freetuptable(read);
			}
			MemoryContextSwitchTo(caller);
			MemoryContextReset(context);
		}
	}
	PG_FINALLY();
	{
		rebuilding = false;
	}
	PG_END_TRY();
	SPI_finish();
	PG_RETURN_INT64(count);
}
