/*-------------------------------------------------------------------------
 *
 * ledger_checkpoint.c
 *	  Checkpoints: a Merkle root over the heads of all chains.
 *
 * A checkpoint stores the heads that moved since the one before, so the
 * heads that checkpoint k saw are, for each chain, those of its newest row
 * with checkpoint_id <= k.  A chain that is gone has a row with sequence 0.
 * docs/ledger.md gives the tree byte by byte.
 *
 * Heads are found by skipping through the primary keys of ledger and
 * ledger_checkpoint_head, which both are (kind, id, number): what a
 * checkpoint reads grows with the subjects, not with what happened to them.
 * No state is kept.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "errors.h"
#include "ledger.h"
#include "ledger_key.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(ledger_checkpoint);
PG_FUNCTION_INFO_V1(merkle_root);

#define CHECKPOINT_COLUMNS 10
#define HEAD_COLUMNS 5

/* Columns of the table, as sql/03_ledger.sql has them. */
#define HEAD_SEQUENCE 4
#define HEAD_HASH 5
#define CHECKPOINT_ID 1

/* Entries of one chain that are walked along before it is skipped. */
#define LONG_CHAIN 200

/* ----------------------------------------------------------------- tree */

/*
 * A Merkle tree of RFC 6962 that grows from left to right.  level[i] is the
 * root of a full tree of 2^i leaves where bit i of the count is set.
 */
typedef struct MerkleTree
{
	uint64		count;
	pg_cryptohash_ctx *hasher;
	uint8		level[64][LEDGER_HASH_LENGTH];
} MerkleTree;

static void
hash_of_parts(MerkleTree *tree, uint8 prefix, const void *first, Size first_len,
			  const void *second, Size second_len, uint8 *hash)
{
	if (pg_cryptohash_init(tree->hasher) < 0 ||
		pg_cryptohash_update(tree->hasher, &prefix, 1) < 0 ||
		pg_cryptohash_update(tree->hasher, first, first_len) < 0 ||
		(second_len > 0 &&
		 pg_cryptohash_update(tree->hasher, second, second_len) < 0) ||
		pg_cryptohash_final(tree->hasher, hash, LEDGER_HASH_LENGTH) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute SHA-256: %s",
						pg_cryptohash_error(tree->hasher))));
}

static void
merkle_node(MerkleTree *tree, const uint8 *left, const uint8 *right,
			uint8 *hash)
{
	hash_of_parts(tree, 0x01, left, LEDGER_HASH_LENGTH,
				  right, LEDGER_HASH_LENGTH, hash);
}

static void
merkle_begin(MerkleTree *tree)
{
	tree->count = 0;
	tree->hasher = canonical_hasher();
}

static void
merkle_add(MerkleTree *tree, const void *leaf, Size len)
{
	uint8		hash[LEDGER_HASH_LENGTH];
	int			i = 0;

	hash_of_parts(tree, 0x00, leaf, len, NULL, 0, hash);
	for (; tree->count & (UINT64CONST(1) << i); i++)
		merkle_node(tree, tree->level[i], hash, hash);
	memcpy(tree->level[i], hash, LEDGER_HASH_LENGTH);
	tree->count++;
}

/* The root of what was added; the tree is gone after that. */
static void
merkle_end(MerkleTree *tree, uint8 *root)
{
	bool		is_first = true;

	if (tree->count == 0)
	{
		/* SHA-256 of nothing */
		if (pg_cryptohash_init(tree->hasher) < 0 ||
			pg_cryptohash_final(tree->hasher, root, LEDGER_HASH_LENGTH) < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not compute SHA-256: %s",
							pg_cryptohash_error(tree->hasher))));
	}
	for (int i = 0; i < 64; i++)
	{
		if (!(tree->count & (UINT64CONST(1) << i)))
			continue;
		if (is_first)
			memcpy(root, tree->level[i], LEDGER_HASH_LENGTH);
		else
			merkle_node(tree, tree->level[i], root, root);
		is_first = false;
	}
	pg_cryptohash_free(tree->hasher);
}

/* merkle_root(leaves bytea[]) returns bytea */
Datum
merkle_root(PG_FUNCTION_ARGS)
{
	ArrayType  *leaves = PG_GETARG_ARRAYTYPE_P(0);
	bytea	   *root = palloc(VARHDRSZ + LEDGER_HASH_LENGTH);
	MerkleTree	tree;
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(leaves, BYTEAOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT),
					 errmsg("leaf %d is null", i + 1)));

	merkle_begin(&tree);
	for (int i = 0; i < count; i++)
	{
		bytea	   *leaf = DatumGetByteaPP(elements[i]);

		CHECK_FOR_INTERRUPTS();
		merkle_add(&tree, VARDATA_ANY(leaf), VARSIZE_ANY_EXHDR(leaf));
		if ((Pointer) leaf != DatumGetPointer(elements[i]))
			pfree(leaf);
	}
	SET_VARSIZE(root, VARHDRSZ + LEDGER_HASH_LENGTH);
	merkle_end(&tree, (uint8 *) VARDATA(root));
	PG_RETURN_BYTEA_P(root);
}

/* ---------------------------------------------------------------- heads */

/*
 * The newest row of each chain, in the order of kind and id.  It walks along
 * the index, which is a step of a few instructions for each entry, and looks
 * at the last row of a chain only; a long chain is skipped.
 */
typedef struct HeadScan
{
	KeyedTable	table;
	Snapshot	snapshot;
	IndexScanDesc kinds;		/* kind > $1 */
	IndexScanDesc ids;			/* kind = $1 and id > $2 */
	IndexScanDesc newest;		/* kind = $1 and id = $2 and number <= $3 */
	IndexFetchTableData *fetch;
	AttrNumber	sequence_attnum;
	AttrNumber	hash_attnum;
	int64		limit;			/* $3 */
	bool		is_done;

	/* what "ids" came to, while has_step */
	bool		has_step;
	int64		step_id;
	int64		step_number;
	ItemPointerData step_tid;

	/* where it is, while it is not done */
	text	   *kind;
	int64		id;
	int64		sequence;
	uint8		hash[LEDGER_HASH_LENGTH];
} HeadScan;

/* The first kind after one, or the first of all where that is NULL. */
static text *
next_kind(KeyedTable *table, IndexScanDesc scan, text *after)
{
	ScanKeyData key;
	text	   *none = NULL;
	text	   *kind = NULL;
	bool		isnull;

	if (after == NULL)
	{
		none = cstring_to_text("");
		key_text(&key, BTGreaterEqualStrategyNumber, F_TEXT_GE, none);
	}
	else
		key_text(&key, BTGreaterStrategyNumber, F_TEXT_GT, after);
	if (keyed_table_probe(table, scan, &key, 1, ForwardScanDirection))
		kind = DatumGetTextPCopy(slot_getattr(table->slot, 1, &isnull));
	return kind;
}

static void
head_scan_begin(HeadScan *scan, const char *relation,
				AttrNumber sequence_attnum, AttrNumber hash_attnum, int64 limit)
{
	Snapshot	snapshot = GetActiveSnapshot();
	KeyedTable *table = &scan->table;

	memset(scan, 0, sizeof(HeadScan));
	keyed_table_open(table, relation);
	scan->kinds = index_beginscan(table->rel, table->index, snapshot, NULL, 1, 0);
	scan->ids = index_beginscan(table->rel, table->index, snapshot, NULL, 2, 0);
	scan->ids->xs_want_itup = true;
	scan->newest = index_beginscan(table->rel, table->index, snapshot, NULL, 3, 0);
	scan->fetch = table_index_fetch_begin(table->rel);
	scan->snapshot = snapshot;
	scan->sequence_attnum = sequence_attnum;
	scan->hash_attnum = hash_attnum;
	scan->limit = limit;
}

/* The next entry of the kind in the index, seen or not. */
static void
head_scan_step(HeadScan *scan)
{
	ItemPointer tid = index_getnext_tid(scan->ids, ForwardScanDirection);
	TupleDesc	desc = scan->ids->xs_itupdesc;
	bool		isnull;

	scan->has_step = tid != NULL;
	if (tid == NULL)
		return;
	scan->step_id = DatumGetInt64(index_getattr(scan->ids->xs_itup, 2, desc,
												&isnull));
	scan->step_number = DatumGetInt64(index_getattr(scan->ids->xs_itup, 3,
													desc, &isnull));
	scan->step_tid = *tid;
}

/* Go on with the chains of the kind from "id" on, or after it. */
static void
head_scan_descend(HeadScan *scan, bool is_after, int64 id)
{
	ScanKeyData keys[2];

	key_text(&keys[0], BTEqualStrategyNumber, F_TEXTEQ, scan->kind);
	if (is_after)
		key_int64(&keys[1], 2, BTGreaterStrategyNumber, F_INT8GT, id);
	else
		key_int64(&keys[1], 2, BTGreaterEqualStrategyNumber, F_INT8GE, id);
	index_rescan(scan->ids, keys, 2, NULL, 0);
	head_scan_step(scan);
}

/* The newest row of this chain that the snapshot sees, by its own descent. */
static bool
head_scan_probe(HeadScan *scan)
{
	ScanKeyData keys[3];

	key_text(&keys[0], BTEqualStrategyNumber, F_TEXTEQ, scan->kind);
	key_int64(&keys[1], 2, BTEqualStrategyNumber, F_INT8EQ, scan->id);
	key_int64(&keys[2], 3, BTLessEqualStrategyNumber, F_INT8LE, scan->limit);
	return keyed_table_probe(&scan->table, scan->newest, keys, 3, BackwardScanDirection);
}

/* Go to the next chain that has a row within the limit; false at the end. */
static bool
head_scan_next(HeadScan *scan)
{
	TupleTableSlot *slot = scan->table.slot;
	Datum		value;
	bool		isnull;

	while (!scan->is_done)
	{
		ItemPointerData last;
		bool		has_last = false;
		bool		is_found = false;
		bool		call_again = false;

		CHECK_FOR_INTERRUPTS();
		if (!scan->has_step)
		{
			text	   *kind = next_kind(&scan->table, scan->kinds, scan->kind);

			if (scan->kind != NULL)
				pfree(scan->kind);
			scan->kind = kind;
			scan->is_done = kind == NULL;
			if (kind != NULL)
				head_scan_descend(scan, false, PG_INT64_MIN);
			continue;
		}

		scan->id = scan->step_id;
		for (int i = 0; scan->has_step && scan->step_id == scan->id; i++)
		{
			if (i >= LONG_CHAIN)
			{
				head_scan_descend(scan, true, scan->id);
				has_last = false;
				is_found = head_scan_probe(scan);
				break;
			}
			if (scan->step_number <= scan->limit)
			{
				last = scan->step_tid;
				has_last = true;
			}
			head_scan_step(scan);
		}
		/* what was rolled back, or is too new, stands in the index, too */
		if (has_last)
			is_found = table_index_fetch_tuple(scan->fetch, &last,
											   scan->snapshot, slot,
											   &call_again, NULL) ||
				head_scan_probe(scan);
		if (!is_found)
			continue;

		scan->sequence = DatumGetInt64(slot_getattr(slot, scan->sequence_attnum,
													&isnull));
		value = slot_getattr(slot, scan->hash_attnum, &isnull);
		memset(scan->hash, 0, LEDGER_HASH_LENGTH);
		if (!isnull)
		{
			bytea	   *hash = DatumGetByteaPP(value);

			/* a CHECK sees to the length, but that can be dropped */
			memcpy(scan->hash, VARDATA_ANY(hash),
				   Min(VARSIZE_ANY_EXHDR(hash), LEDGER_HASH_LENGTH));
			if ((Pointer) hash != DatumGetPointer(value))
				pfree(hash);
		}
		return true;
	}
	return false;
}

static void
head_scan_end(HeadScan *scan)
{
	ExecClearTuple(scan->table.slot);
	table_index_fetch_end(scan->fetch);
	index_endscan(scan->kinds);
	index_endscan(scan->ids);
	index_endscan(scan->newest);
	keyed_table_close(&scan->table);
}

/* Which of two scans is at the chain that comes first; 0 for the same. */
static int
head_scan_compare(const HeadScan *a, const HeadScan *b)
{
	int			length;
	int			order;

	if (a->is_done || b->is_done)
		return (int) a->is_done - (int) b->is_done;
	length = Min(VARSIZE_ANY_EXHDR(a->kind), VARSIZE_ANY_EXHDR(b->kind));
	order = memcmp(VARDATA_ANY(a->kind), VARDATA_ANY(b->kind), length);
	if (order == 0)
		order = (int) VARSIZE_ANY_EXHDR(a->kind) - (int) VARSIZE_ANY_EXHDR(b->kind);
	if (order == 0)
		order = a->id < b->id ? -1 : a->id > b->id;
	return order;
}

List *
ledger_kinds(const char *relation, List *kinds)
{
	KeyedTable	table;
	IndexScanDesc scan;
	text	   *kind = NULL;

	keyed_table_open(&table, relation);
	scan = index_beginscan(table.rel, table.index, GetActiveSnapshot(), NULL,
						   1, 0);
	while ((kind = next_kind(&table, scan, kind)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		kinds = lappend(kinds, text_to_cstring(kind));
	}
	ExecClearTuple(table.slot);
	index_endscan(scan);
	keyed_table_close(&table);
	return kinds;
}

/* ---------------------------------------------------------- checkpoints */

/* A head as a leaf, and in the sums. */
static void
checkpoint_add(LedgerCheckpoint *checkpoint, MerkleTree *tree,
			   StringInfo leaf, const HeadScan *head)
{
	resetStringInfo(leaf);
	canonical_append_value(leaf, TEXTOID, PointerGetDatum(head->kind), false);
	canonical_append_value(leaf, INT8OID, Int64GetDatum(head->id), false);
	canonical_append_value(leaf, INT8OID, Int64GetDatum(head->sequence), false);
	canonical_append_bytes(leaf, head->hash, LEDGER_HASH_LENGTH);
	merkle_add(tree, leaf->data, leaf->len);
	checkpoint->subjects++;
	checkpoint->entries += head->sequence;
}

bool
ledger_has_checkpoints(void)
{
	return OidIsValid(get_relname_relid("ledger_checkpoint_head",
										schema_oid()));
}

void
ledger_checkpoint_compute(int64 id, LedgerCheckpoint *computed)
{
	HeadScan	heads;
	MerkleTree	tree;
	StringInfoData leaf;

	memset(computed, 0, sizeof(LedgerCheckpoint));
	computed->id = id;
	initStringInfo(&leaf);
	merkle_begin(&tree);
	head_scan_begin(&heads, "ledger_checkpoint_head", HEAD_SEQUENCE, HEAD_HASH,
					id);
	while (head_scan_next(&heads))
		if (heads.sequence != 0)
			checkpoint_add(computed, &tree, &leaf, &heads);
	head_scan_end(&heads);
	merkle_end(&tree, computed->root);
	pfree(leaf.data);
}

void
ledger_root_parse(const char *string, uint8 *root)
{
	const char *digits = string;
	bool		good;

	if (digits[0] == '\\' && digits[1] == 'x')
		digits += 2;
	good = strlen(digits) == 2 * LEDGER_HASH_LENGTH &&
		strspn(digits, "0123456789abcdefABCDEF") == 2 * LEDGER_HASH_LENGTH;
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("\"%.100s\" is not the root of a checkpoint", string),
				 errhint("A root is 64 hexadecimal digits, as ledger_checkpoint() returns it.")));
	(void) hex_decode(digits, 2 * LEDGER_HASH_LENGTH, (char *) root);
}

/* The id of the newest checkpoint that a snapshot sees; 0 where there is none. */
static int64
newest_checkpoint(Relation rel, Snapshot snapshot)
{
	Relation	index = index_open(rel->rd_pkindex, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan;
	int64		id = 0;
	bool		isnull;

	scan = index_beginscan(rel, index, snapshot, NULL, 0, 0);
	index_rescan(scan, NULL, 0, NULL, 0);
	if (index_getnext_slot(scan, BackwardScanDirection, slot))
		id = DatumGetInt64(slot_getattr(slot, CHECKPOINT_ID, &isnull));
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	index_close(index, AccessShareLock);
	return id;
}

/* Store a head that moved; sequence 0 where its chain is gone. */
static void
write_head(LedgerAppender *appender, MemoryContext context,
		   const HeadScan *chain, int64 checkpoint, int64 sequence,
		   const uint8 *hash)
{
	Datum		values[HEAD_COLUMNS];
	bool		nulls[HEAD_COLUMNS] = {false};
	MemoryContext oldcontext = MemoryContextSwitchTo(context);

	/* columns in the order of sql/03_ledger.sql */
	values[0] = PointerGetDatum(chain->kind);
	values[1] = Int64GetDatum(chain->id);
	values[2] = Int64GetDatum(checkpoint);
	values[3] = Int64GetDatum(sequence);
	ledger_put_hash(values, nulls, 4, hash);
	ledger_append_row(appender, values, nulls);
	MemoryContextSwitchTo(oldcontext);
	MemoryContextReset(context);
}

/*
 * Write a checkpoint of what the active snapshot sees.  Returns how many
 * chains are not the continuation of what the checkpoint before saw.
 */
static int64
checkpoint_write(LedgerCheckpoint *checkpoint, TimestampTz taken_at)
{
	static const uint8 no_hash[LEDGER_HASH_LENGTH] = {0};
	const LedgerIdentity *who = ledger_identity();
	LedgerAppender *appender = ledger_append_begin("ledger_checkpoint_head",
												   HEAD_COLUMNS);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext,
													  "changemgmt checkpoint row",
													  ALLOCSET_DEFAULT_SIZES);
	HeadScan	chains;
	HeadScan	known;
	MerkleTree	tree;
	StringInfoData leaf;
	int64		broken = 0;
	Datum		values[CHECKPOINT_COLUMNS];
	bool		nulls[CHECKPOINT_COLUMNS] = {false};

	initStringInfo(&leaf);
	merkle_begin(&tree);
	head_scan_begin(&chains, "ledger", LEDGER_SEQUENCE, LEDGER_HASH,
					PG_INT64_MAX);
	head_scan_begin(&known, "ledger_checkpoint_head", HEAD_SEQUENCE, HEAD_HASH,
					PG_INT64_MAX);
	head_scan_next(&chains);
	head_scan_next(&known);
	while (!chains.is_done || !known.is_done)
	{
		int			order = head_scan_compare(&chains, &known);

		if (order <= 0)
		{
			bool		is_same = order == 0 &&
				chains.sequence == known.sequence &&
				memcmp(chains.hash, known.hash, LEDGER_HASH_LENGTH) == 0;

			checkpoint_add(checkpoint, &tree, &leaf, &chains);
			if (!is_same)
			{
				write_head(appender, row_context, &chains, checkpoint->id,
						   chains.sequence, chains.hash);
				if (order == 0 && chains.sequence <= known.sequence)
					broken++;
			}
		}
		else if (known.sequence != 0)
		{
			write_head(appender, row_context, &known, checkpoint->id,
					   0, no_hash);
			broken++;
		}
		if (order <= 0)
			head_scan_next(&chains);
		if (order >= 0)
			head_scan_next(&known);
	}
	head_scan_end(&chains);
	head_scan_end(&known);
	ledger_append_end(appender);
	merkle_end(&tree, checkpoint->root);

	values[0] = Int64GetDatum(checkpoint->id);
	values[1] = TimestampTzGetDatum(taken_at);
	values[2] = Int64GetDatum(checkpoint->subjects);
	values[3] = Int64GetDatum(checkpoint->entries);
	ledger_put_hash(values, nulls, 4, checkpoint->root);
	ledger_put_text(values, nulls, 5, who->actor);
	ledger_put_text(values, nulls, 6, who->session_role);
	ledger_put_text(values, nulls, 7, who->effective_role);
	ledger_put_text(values, nulls, 8, who->client_address);
	ledger_put_text(values, nulls, 9, who->application);
	appender = ledger_append_begin("ledger_checkpoint", CHECKPOINT_COLUMNS);
	ledger_append_row(appender, values, nulls);
	ledger_append_end(appender);
	MemoryContextDelete(row_context);
	return broken;
}

/* ledger_checkpoint() */
Datum
ledger_checkpoint(PG_FUNCTION_ARGS)
{
	LedgerCheckpoint checkpoint = {0};
	TimestampTz taken_at;
	TupleDesc	desc;
	Relation	rel;
	List	   *indexes;
	int64		broken;
	char		root[2 * LEDGER_HASH_LENGTH + 1];
	Datum		values[5];
	bool		nulls[5] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PreventCommandIfReadOnly("ledger_checkpoint()");

	/*
	 * One at a time, and none beside a COPY.  What is read is what was
	 * committed when it was this one's turn, and what its own transaction did.
	 */
	rel = table_open(relation_oid("ledger_checkpoint"), ShareRowExclusiveLock);
	indexes = RelationGetIndexList(rel);
	list_free(indexes);
	if (!OidIsValid(rel->rd_pkindex))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"changemgmt.ledger_checkpoint\" has lost its primary key"),
				 errtable(rel)));
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	taken_at = GetCurrentTimestamp();

	checkpoint.id = newest_checkpoint(rel, GetActiveSnapshot()) + 1;
	if (IsolationUsesXactSnapshot())
	{
		PushActiveSnapshot(GetLatestSnapshot());
		if (newest_checkpoint(rel, GetActiveSnapshot()) >= checkpoint.id)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not serialize access due to a checkpoint that was taken meanwhile"),
					 errhint("Try the transaction again.")));
		PopActiveSnapshot();
	}
	broken = checkpoint_write(&checkpoint, taken_at);
	PopActiveSnapshot();
	table_close(rel, NoLock);

	if (broken > 0)
		ereport(WARNING,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg_plural("%lld chain of the ledger does not continue what the checkpoint before saw",
							   "%lld chains of the ledger do not continue what the checkpoint before saw",
							   (unsigned long) broken, (long long) broken),
				 errhint("SELECT * FROM changemgmt.verify_ledger() tells where.")));

	(void) hex_encode((char *) checkpoint.root, LEDGER_HASH_LENGTH, root);
	root[2 * LEDGER_HASH_LENGTH] = '\0';
	values[0] = Int64GetDatum(checkpoint.id);
	values[1] = TimestampTzGetDatum(taken_at);
	values[2] = Int64GetDatum(checkpoint.subjects);
	values[3] = Int64GetDatum(checkpoint.entries);
	values[4] = CStringGetTextDatum(root);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
