/*-------------------------------------------------------------------------
 *
 * ledger.h
 *	  The append-only trail: canonical encoding, hash chain, the COPY door.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_LEDGER_H
#define CHANGEMGMT_LEDGER_H

#include "commands/trigger.h"
#include "common/cryptohash.h"
#include "lib/stringinfo.h"
#include "nodes/execnodes.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#define LEDGER_HASH_LENGTH 32
#define LEDGER_FORMAT "changemgmt-ledger-1"

/* One row of the ledger before it is written. */
typedef struct LedgerEntry
{
	const char *subject_kind;
	int64		subject_id;
	int64		sequence;
	const char *event;
	const char *from_status;	/* NULL at creation */
	const char *to_status;		/* NULL at deletion */
	Jsonb	   *changed;
	TimestampTz recorded_at;
	const char *reason;			/* may be NULL */
	uint8		row_digest[LEDGER_HASH_LENGTH];
	uint8		previous_hash[LEDGER_HASH_LENGTH];
	uint8		hash[LEDGER_HASH_LENGTH];	/* set by ledger_entry_seal */
	/* who, also set by ledger_entry_seal; lives until the transaction ends */
	const struct LedgerIdentity *identity;
} LedgerEntry;

/* Who is acting, as the hash covers it. */
typedef struct LedgerIdentity
{
	const char *actor;
	const char *session_role;
	const char *effective_role;
	const char *client_address; /* NULL for a local socket */
	const char *application;	/* NULL where it has no name */
} LedgerIdentity;

/* Canonical encoding (docs/ledger.md) */
extern void canonical_append_text(StringInfo buf, const char *text);
extern void canonical_append_bytes(StringInfo buf, const void *data, int len);
extern void canonical_append_null(StringInfo buf);
/* a field whose length is not known yet: pass on where it began */
extern int	canonical_begin_field(StringInfo buf);
extern void canonical_end_field(StringInfo buf, int start);
extern void canonical_append_jsonb(StringInfo buf, Jsonb *jsonb);
extern void canonical_append_value(StringInfo buf, Oid type, Datum value,
								   bool isnull);

/* SHA-256 of what a buffer holds; for many of them, with one hasher. */
extern void canonical_digest(StringInfo buf, uint8 *digest);
extern pg_cryptohash_ctx *canonical_hasher(void);
extern void canonical_digest_with(pg_cryptohash_ctx *hasher, StringInfo buf,
								  uint8 *digest);

/*
 * The diff of two rows of one relation as the jsonb object of
 * ledger.changed, and the digest of a row.  Either row may be NULL in the
 * diff (creation, deletion), not both.  Columns in "skip" (attnums) are left
 * out.  The tuples must live until the caller has made its jsonb.
 *
 * The row of a subject has the columns id, ledger_sequence and ledger_head;
 * the digest covers all columns but the last two.
 */
extern void ledger_push_diff(JsonbParseState **state, TupleDesc desc,
							 HeapTuple oldtup, HeapTuple newtup,
							 const Bitmapset *skip);
extern JsonbValue *ledger_push_row(JsonbParseState **state, TupleDesc desc,
								   HeapTuple tuple, const Bitmapset *skip);
extern void ledger_row_digest(TupleDesc desc, HeapTuple tuple,
							  const Bitmapset *skip, uint8 *digest);

/*
 * One value of a row in the form of ledger.changed, and back: the value (in
 * the current context) that was written so, not null.  What is no value of the
 * type is an error of its input function, or ERRCODE_DATA_CORRUPTED.
 */
extern void ledger_push_value(JsonbParseState **state,
							  JsonbIteratorToken token, Oid type, Datum value);
extern Datum ledger_read_value(Oid type, JsonbValue *value);
/* Settings that the text of any value depends on, for AtEOXact_GUC(true, ...) */
extern int	ledger_pin_settings(void);

/* Where a chain ends: its last entry. */
typedef struct LedgerChainEnd
{
	int64		sequence;		/* 0: there is no entry */
	uint8		hash[LEDGER_HASH_LENGTH];
	uint8		row_digest[LEDGER_HASH_LENGTH];
	TimestampTz recorded_at;
} LedgerChainEnd;

/* Read it from the ledger, for who holds the subject's row locked. */
extern void ledger_chain_end(const char *kind, int64 id, LedgerChainEnd *end);

/* Fill identity and hash; all else must be there. */
extern void ledger_entry_seal(LedgerEntry *entry);
/* Store an entry that was sealed in this transaction. */
extern void ledger_entry_write(const LedgerEntry *entry);
extern void ledger_entry_hash(const LedgerEntry *entry, uint8 *hash);

/*
 * The columns of the ledger.  They are read in the order of the table, which
 * saves the server from forming each row anew.
 */
enum LedgerColumn
{
	EN_SUBJECT_KIND,
	EN_SUBJECT_ID,
	EN_SEQUENCE,
	EN_EVENT,
	EN_FROM_STATUS,
	EN_TO_STATUS,
	EN_CHANGED,
	EN_ACTOR,
	EN_RECORDED_AT = 12,
	EN_REASON,
	EN_ROW_DIGEST,
	EN_PREVIOUS_HASH,
	EN_HASH,
	EN_COUNT
};

#define LEDGER_ENTRY_COLUMNS \
	"subject_kind, subject_id, sequence, event, " \
	"from_status, to_status, changed, actor, session_role, " \
	"effective_role, client_address, application, recorded_at, reason, " \
	"row_digest, previous_hash, hash"

/*
 * ledger_entry_hash() of an entry as it stands in the table, without taking
 * its columns apart.  Buffer and hasher are the caller's, to be used again.
 */
extern void ledger_stored_hash(StringInfo buf, pg_cryptohash_ctx *hasher,
							   const Datum *values, const bool *nulls,
							   uint8 *hash);

/*
 * verify_ledger() asks a later room whether what belongs to the subjects of a
 * kind is what their chains recorded.  Called between SPI_connect() and
 * SPI_finish() as the owner of the tables; arguments are the kind and the id,
 * null for all (nulls as SPI takes them).  Reports with ledger_report().
 */
typedef void (*LedgerPartsVerifier) (ReturnSetInfo *result, Datum *arguments,
									 const char *nulls);
extern void ledger_register_parts(const char *kind,
								  LedgerPartsVerifier verifier);
extern void ledger_report(ReturnSetInfo *result, const char *kind,
						  const int64 *id, const int64 *sequence,
						  const char *problem);

/*
 * Puts rows straight into one of our tables and its indexes, past SQL.  No
 * trigger fires and no constraint but uniqueness is checked: the rows are
 * right by construction.  Lives in the context in which it is begun.
 */
typedef struct LedgerAppender LedgerAppender;

extern LedgerAppender *ledger_append_begin(const char *relation, int columns);
extern void ledger_append_row(LedgerAppender *appender, const Datum *values,
							  const bool *nulls);
extern void ledger_append_end(LedgerAppender *appender);

/* Columns of such rows, allocated in the current context. */
extern void ledger_put_text(Datum *values, bool *nulls, int column,
							const char *text);
extern void ledger_put_hash(Datum *values, bool *nulls, int column,
							const uint8 *hash);

/* Who is acting now; lives until the end of the transaction. */
extern const LedgerIdentity *ledger_identity(void);

/* Checkpoints (ledger_checkpoint.c); all read under the active snapshot. */

/* What a checkpoint comes to. */
typedef struct LedgerCheckpoint
{
	int64		id;				/* 0: there is none */
	int64		subjects;
	int64		entries;
	uint8		root[LEDGER_HASH_LENGTH];
} LedgerCheckpoint;

/* The library also serves an extension that has no checkpoints yet. */
extern bool ledger_has_checkpoints(void);
/* The same, computed from the heads that are stored for checkpoint "id". */
extern void ledger_checkpoint_compute(int64 id, LedgerCheckpoint *computed);
/* The kinds of subjects that a table with a key like the ledger's names. */
extern List *ledger_kinds(const char *relation, List *kinds);
/* Root in hex; MC008 where it is none. */
extern void ledger_root_parse(const char *text, uint8 *root);

/*
 * Whether the row or statement that fired this trigger comes in by the door
 * for history: an INSERT that is a COPY FROM by the owner or a superuser
 * straight into this very relation (trigger depth 1).  COPY FROM by anyone
 * else is refused (MC003).  Cheap when it is not a COPY.
 */
extern bool ledger_is_history(TriggerData *trigdata);
/* Count one row that came in this way (BEFORE ROW triggers call it). */
extern void ledger_count_history(bool has_chain);

extern void ledger_init(void);
extern void ledger_canonical_init(void);

#endif							/* CHANGEMGMT_LEDGER_H */
