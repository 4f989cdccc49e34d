/*-------------------------------------------------------------------------
 *
 * ledger_key.c
 *	  The ledger's tables by their primary key (kind, id, number).
 *
 * No state is kept; who opens a table closes it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_collation.h"
#include "utils/rel.h"

#include "compat.h"
#include "ledger_key.h"
#include "spi.h"

void
keyed_table_open(KeyedTable *table, const char *relation)
{
	List	   *indexes;
	Form_pg_index key;

	table->rel = table_open(relation_oid(relation), AccessShareLock);
	indexes = RelationGetIndexList(table->rel);
	list_free(indexes);
	if (!OidIsValid(table->rel->rd_pkindex))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"changemgmt.%s\" has lost its primary key",
						relation),
				 errtable(table->rel)));
	table->index = index_open(table->rel->rd_pkindex, AccessShareLock);
	key = table->index->rd_index;
	if (key->indnkeyatts != 3 || key->indkey.values[0] != 1 ||
		key->indkey.values[1] != 2 || key->indkey.values[2] != 3 ||
		table->index->rd_indcollation[0] != C_COLLATION_OID)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("primary key of table \"changemgmt.%s\" is not what the library expects",
						relation),
				 errtable(table->rel)));
	table->slot = table_slot_create(table->rel, NULL);
}

void
keyed_table_close(KeyedTable *table)
{
	ExecDropSingleTupleTableSlot(table->slot);
	index_close(table->index, AccessShareLock);
	table_close(table->rel, AccessShareLock);
}

void
key_text(ScanKey key, StrategyNumber strategy, RegProcedure procedure,
		 text *value)
{
	ScanKeyEntryInitialize(key, 0, 1, strategy, InvalidOid, C_COLLATION_OID,
						   procedure, PointerGetDatum(value));
}

void
key_int64(ScanKey key, AttrNumber attnum, StrategyNumber strategy,
		  RegProcedure procedure, int64 value)
{
	ScanKeyEntryInitialize(key, 0, attnum, strategy, InvalidOid, InvalidOid,
						   procedure, Int64GetDatum(value));
}

bool
keyed_table_probe(KeyedTable *table, IndexScanDesc scan, ScanKey keys,
				  int nkeys, ScanDirection direction)
{
	index_rescan(scan, keys, nkeys, NULL, 0);
	return index_getnext_slot(scan, direction, table->slot);
}
