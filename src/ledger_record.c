/*-------------------------------------------------------------------------
 *
 * ledger_record.c
 *	  The trail of what changes stand on: people, boards, models, settings ...
 *
 * An AFTER ROW trigger writes an entry for each row of such a table that was
 * created, edited or deleted, as it was stored.  The row itself carries no
 * head: who extends a chain has the row locked, and finds the last entry in
 * the ledger.  There are no rules here, and no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "compat.h"
#include "errors.h"
#include "jsonb_push.h"
#include "ledger.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(ledger_record);

/*
 * Where the chain of a subject ends; an entry that begins it where there is
 * none.  A trigger of the site that comes first and updates the same row would
 * turn two entries round: then what this very statement wrote last is not the
 * row as it was before.
 */
static void
chain_end(LedgerEntry *entry, Relation rel, HeapTuple old)
{
	LedgerChainEnd end;
	uint8		digest[LEDGER_HASH_LENGTH];

	ledger_chain_end(entry->subject_kind, entry->subject_id, &end);
	entry->sequence = end.sequence + 1;
	memcpy(entry->previous_hash, end.hash, LEDGER_HASH_LENGTH);
	if (old == NULL || end.recorded_at < GetCurrentStatementStartTimestamp())
		return;
	ledger_row_digest(RelationGetDescr(rel), old, NULL, digest);
	if (memcmp(end.row_digest, digest, LEDGER_HASH_LENGTH) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("a trigger of the site changed a row of \"%s\" before its trail was written",
						RelationGetRelationName(rel)),
				 errhint("Give it a name in lower case that sorts after \"record\"."),
				 errtable(rel)));
}

/*
 * Columns that the trigger's arguments name are withheld: what people are
 * reached by must not stay in a trail that nobody can erase.  That they
 * changed is said, and the digest covers them.
 */
static Bitmapset *
withheld_columns(Trigger *trigger, TupleDesc desc)
{
	Bitmapset  *columns = NULL;

	for (int i = 0; i < trigger->tgnargs; i++)
	{
		int			attnum = SPI_fnumber(desc, trigger->tgargs[i]);

		if (attnum <= 0)
			elog(ERROR, "trigger \"%s\" withholds a column \"%s\" that is not there",
				 trigger->tgname, trigger->tgargs[i]);
		columns = bms_add_member(columns, attnum);
	}
	return columns;
}

static bool
column_equal(HeapTuple old, HeapTuple new, TupleDesc desc, int attnum)
{
	Form_pg_attribute att = TupleDescAttr(desc, attnum - 1);
	bool		old_isnull = true;
	bool		new_isnull = true;
	Datum		old_value = (Datum) 0;
	Datum		new_value = (Datum) 0;

	if (old)
		old_value = heap_getattr(old, attnum, desc, &old_isnull);
	if (new)
		new_value = heap_getattr(new, attnum, desc, &new_isnull);
	if (old_isnull || new_isnull)
		return old_isnull == new_isnull;
	return datum_image_eq(old_value, new_value, att->attbyval, att->attlen);
}

static Jsonb *
row_diff(HeapTuple old, HeapTuple new, TupleDesc desc, Bitmapset *withheld)
{
	JsonbParseState *state = NULL;
	int			attnum = -1;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	ledger_push_diff(&state, desc, old, new, withheld);
	while ((attnum = bms_next_member(withheld, attnum)) >= 0)
	{
		JsonbValue	null = {.type = jbvNull};

		if (column_equal(old, new, desc, attnum))
			continue;
		jsonb_push_key(&state, NameStr(TupleDescAttr(desc, attnum - 1)->attname));
		pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		pushJsonbValue(&state, WJB_ELEM, &null);
		pushJsonbValue(&state, WJB_ELEM, &null);
		pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static int64
row_id(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;

	return DatumGetInt64(heap_getattr(tuple, SPI_fnumber(desc, "id"), desc,
									  &isnull));
}

/* AFTER ROW trigger of every table whose rows are subjects without a head. */
Datum
ledger_record(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "ledger_record",
										 FOR_ROW | AT_AFTER, NULL);
	Relation	rel = trigdata->tg_relation;
	TupleDesc	desc = RelationGetDescr(rel);
	HeapTuple	old = NULL;
	HeapTuple	new = NULL;
	LedgerEntry entry = {0};
	bool		same = true;

	if (ledger_is_history(trigdata))
	{
		ledger_count_history(false);
		return PointerGetDatum(NULL);
	}

	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		new = trigdata->tg_trigtuple;
	else
		old = trigdata->tg_trigtuple;
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		new = trigdata->tg_newtuple;

	for (int i = 1; i <= desc->natts && same; i++)
		if (!TupleDescAttr(desc, i - 1)->attisdropped)
			same = column_equal(old, new, desc, i);
	if (same)
		return PointerGetDatum(NULL);
	if (old && new && row_id(old, desc) != row_id(new, desc))
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
				 errmsg("the id of a row of \"%s\" stays: its trail hangs on it",
						RelationGetRelationName(rel)),
				 errhint("Leave the id out."),
				 errtablecol(rel, SPI_fnumber(desc, "id"))));

	entry.subject_kind = RelationGetRelationName(rel);
	entry.subject_id = row_id(new ? new : old, desc);
	entry.event = old == NULL ? "create" : new == NULL ? "delete" : "edit";
	entry.changed = row_diff(old, new, desc,
							 withheld_columns(trigdata->tg_trigger, desc));
	entry.recorded_at = GetCurrentTimestamp();
	ledger_row_digest(desc, new ? new : old, NULL, entry.row_digest);

	SPI_connect();
	chain_end(&entry, rel, old);
	ledger_entry_seal(&entry);
	ledger_entry_write(&entry);
	SPI_finish();
	return PointerGetDatum(NULL);
}
