/*-------------------------------------------------------------------------
 *
 * change_history.h
 *	  A change and its parts as they stood, by undoing what the ledger says.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_CHANGE_HISTORY_H
#define CHANGEMGMT_CHANGE_HISTORY_H

#include "access/htup.h"
#include "executor/spi.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "ledger.h"

/*
 * Tables whose rows are parts of changes, recorded in the chain of the change
 * by part_changed().  Later rooms name theirs at start.
 */
#define MAX_PART_TABLES 16

extern const char *change_part_tables[MAX_PART_TABLES];
extern int	change_part_table_count;

extern void change_part_register(const char *relation);

/*
 * The parts of one change at some point of its chain, each row as the object
 * that ledger_push_row() makes of it.  What does not fit what the chain
 * recorded is complained of, once a row; a complaint may return.
 */
typedef struct PartsState PartsState;
typedef void (*PartsComplaint) (void *arg, int64 sequence,
								const char *problem);

extern PartsState *parts_create(PartsComplaint complain, void *arg);
extern void parts_reset(PartsState *parts);
/* A row of part table number "table", as it is now. */
extern void parts_put(PartsState *parts, int table, HeapTuple tuple,
					  TupleDesc desc);
/* Undo an entry; the entries after it are undone. */
extern void parts_undo(PartsState *parts, int64 sequence, Jsonb *changed);
/* A row by its id; NULL where there is none. */
extern Jsonb *parts_find(PartsState *parts, const char *relation, int64 id);
/* Push a key for each table, with the array of its rows ordered by id. */
extern void parts_push(JsonbParseState **state, PartsState *parts);

/* An id in what was recorded; false where it is none. */
extern bool parts_recorded_id(JsonbContainer *object, const char *key,
							  int64 *id);
/* The value of a key if it is an object (or array); NULL otherwise. */
extern JsonbContainer *parts_recorded(JsonbContainer *object, const char *key,
									  bool is_array);

/* The ledger's question, see ledger_register_parts(). */
extern void parts_verify(ReturnSetInfo *result, Datum *arguments,
						 const char *nulls);

/* An entry of the chain; lives until the next is read. */
typedef struct HistoryEntry
{
	int64		sequence;
	char	   *event;
	char	   *actor;
	char	   *reason;			/* may be NULL */
	TimestampTz recorded_at;
	Jsonb	   *changed;
	uint8		hash[LEDGER_HASH_LENGTH];
	uint8		row_digest[LEDGER_HASH_LENGTH];
} HistoryEntry;

/* A change on its way back; lives in the context in which it is opened. */
typedef struct ChangeHistory ChangeHistory;

/*
 * Open the history of a change at its end, as the active snapshot sees it.
 * MC008 where there neither is nor was such a change, or who is acting may not
 * see it.  Needs an SPI connection.
 */
extern ChangeHistory *history_open(int64 change_id, bool with_parts);
/*
 * The entry at which the history stands; false before the first.  What does
 * not fit the entry after it is ERRCODE_DATA_CORRUPTED.
 */
extern bool history_next(ChangeHistory *history, HistoryEntry *entry);
/* Undo the entry that history_next() gave last. */
extern void history_undo(ChangeHistory *history, const HistoryEntry *entry);
/*
 * The row as it stands after an entry (NULL: before the first, which has no
 * digest to compare with); NULL where there is none.
 */
extern HeapTuple history_row(ChangeHistory *history,
							 const HistoryEntry *entry);
/* That row with the parts, as a document. */
extern Jsonb *history_document(ChangeHistory *history, HeapTuple row);
extern PartsState *history_parts(ChangeHistory *history);
/* A column of such a row. */
extern Datum history_value(ChangeHistory *history, HeapTuple row,
						   const char *column, bool *isnull);
extern void history_close(ChangeHistory *history);

extern void change_history_init(void);

#endif							/* CHANGEMGMT_CHANGE_HISTORY_H */
