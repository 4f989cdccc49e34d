/*-------------------------------------------------------------------------
 *
 * ledger_key.h
 *	  The ledger's tables by their primary key (kind, id, number).
 *
 * Read by the index and not by a statement, whose kept plan would be the one
 * that was best when the table was small.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_LEDGER_KEY_H
#define CHANGEMGMT_LEDGER_KEY_H

#include "access/genam.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "utils/relcache.h"

/* Columns of the ledger, as sql/03_ledger.sql has them. */
#define LEDGER_SEQUENCE 3
#define LEDGER_RECORDED_AT 13
#define LEDGER_ROW_DIGEST 15
#define LEDGER_HASH 17

/* A table whose primary key is (kind text, id bigint, number bigint). */
typedef struct KeyedTable
{
	Relation	rel;
	Relation	index;
	TupleTableSlot *slot;
} KeyedTable;

/* 55000 where the primary key is gone or another. */
extern void keyed_table_open(KeyedTable *table, const char *relation);
extern void keyed_table_close(KeyedTable *table);

/* Conditions on the columns of the key: kind is the first. */
extern void key_text(ScanKey key, StrategyNumber strategy,
					 RegProcedure procedure, text *value);
extern void key_int64(ScanKey key, AttrNumber attnum, StrategyNumber strategy,
					  RegProcedure procedure, int64 value);
/* The first row in this direction, in the table's slot; false if none. */
extern bool keyed_table_probe(KeyedTable *table, IndexScanDesc scan,
							  ScanKey keys, int nkeys, ScanDirection direction);

#endif							/* CHANGEMGMT_LEDGER_KEY_H */
