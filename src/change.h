/*-------------------------------------------------------------------------
 *
 * change.h
 *	  The change record as C sees it, its parts, and the seal of its plan.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_CHANGE_H
#define CHANGEMGMT_CHANGE_H

#include "commands/trigger.h"
#include "nodes/bitmapset.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "ledger.h"
#include "model.h"
#include "types_code.h"

/*
 * What a column is to an approval.  Plan is sealed by it and frozen by start;
 * schedule is the booked time; progress is written along the way; a remark
 * can be made at any time; engine is kept by the extension alone.
 */
typedef enum FieldClass
{
	FIELD_PLAN,
	FIELD_SCHEDULE,
	FIELD_PROGRESS,
	FIELD_REMARK,
	FIELD_ENGINE
} FieldClass;

/* The columns of changemgmt.change, each with its class. */
#define CHANGE_COLUMNS(X) \
	X(id, ENGINE) \
	X(model, PLAN) \
	X(model_version, ENGINE) \
	X(type, PLAN) \
	X(status, PROGRESS) \
	X(on_hold, PROGRESS) \
	X(status_reason, PROGRESS) \
	X(outcome, PROGRESS) \
	X(title, PLAN) \
	X(description, PLAN) \
	X(category, PLAN) \
	X(justification, PLAN) \
	X(impact_of_not_doing, PLAN) \
	X(expected_benefit, REMARK) \
	X(realised_benefit, REMARK) \
	X(long_term_impact, REMARK) \
	X(environment, PLAN) \
	X(user_impact, PLAN) \
	X(affects, PLAN) \
	X(touches_data_integrity, PLAN) \
	X(touches_security, PLAN) \
	X(confidential, REMARK) \
	X(unplanned, REMARK) \
	X(requester_id, PLAN) \
	X(owner_id, PLAN) \
	X(coordinator_id, REMARK) \
	X(author_id, ENGINE) \
	X(team_id, PLAN) \
	X(implementer_id, PROGRESS) \
	X(verifier_id, PROGRESS) \
	X(priority, REMARK) \
	X(deadline, REMARK) \
	X(promised_at, REMARK) \
	X(rough_estimate_hours, REMARK) \
	X(estimated_minutes, PLAN) \
	X(cost_planned, REMARK) \
	X(cost_actual, REMARK) \
	X(implementation_plan, PLAN) \
	X(rollback_trigger, PLAN) \
	X(rollback_plan, PLAN) \
	X(rollback_minutes, PLAN) \
	X(rollback_strategy, PLAN) \
	X(test_plan, PLAN) \
	X(verification_plan, PLAN) \
	X(risk_level, PLAN) \
	X(planned_start, SCHEDULE) \
	X(planned_end, SCHEDULE) \
	X(created_at, ENGINE) \
	X(updated_at, ENGINE) \
	X(first_submitted_at, PROGRESS) \
	X(submitted_at, PROGRESS) \
	X(notice_from, ENGINE) \
	X(approved_at, PROGRESS) \
	X(scheduled_at, PROGRESS) \
	X(revised_at, PROGRESS) \
	X(actual_start, PROGRESS) \
	X(deployed_at, PROGRESS) \
	X(actual_end, PROGRESS) \
	X(verified_at, PROGRESS) \
	X(rollback_started_at, PROGRESS) \
	X(rolled_back_at, PROGRESS) \
	X(recovered_at, PROGRESS) \
	X(stability_confirmed_at, PROGRESS) \
	X(stability_confirmed_by_id, PROGRESS) \
	X(closed_at, PROGRESS) \
	X(cancelled_at, PROGRESS) \
	X(override_reason, PROGRESS) \
	X(remediation, PROGRESS) \
	X(cause_class, PROGRESS) \
	X(incident_id, PROGRESS) \
	X(authorised_by_id, PROGRESS) \
	X(emergency_threshold, PROGRESS) \
	X(found_by, PROGRESS) \
	X(copied_from_id, ENGINE) \
	X(source, ENGINE) \
	X(source_key, ENGINE) \
	X(source_digest, ENGINE) \
	X(attributes, REMARK) \
	X(approval_round, ENGINE) \
	X(approved_seal, ENGINE) \
	X(approved_plan_revision, ENGINE) \
	X(last_editor_id, ENGINE) \
	X(plan_revision, ENGINE) \
	X(revision, ENGINE) \
	X(ledger_sequence, ENGINE) \
	X(ledger_head, ENGINE) \
	X(confidential_until, REMARK)

typedef enum ChangeColumn
{
#define X(name, class) CH_##name,
	CHANGE_COLUMNS(X)
#undef X
	CHANGE_COLUMN_COUNT
} ChangeColumn;

/* A row of changemgmt.change, taken apart. */
typedef struct ChangeRow
{
	HeapTuple	tuple;
	TupleDesc	desc;
	Datum		value[CHANGE_COLUMN_COUNT];
	bool		isnull[CHANGE_COLUMN_COUNT];
} ChangeRow;

extern const char *const change_column_names[CHANGE_COLUMN_COUNT];
extern const FieldClass change_column_classes[CHANGE_COLUMN_COUNT];

extern void change_row_read(ChangeRow *row, HeapTuple tuple, TupleDesc desc);
/*
 * Read the whole row that a kept plan returned as its one column.  It lives
 * in the SPI context.
 */
extern void change_row_result(ChangeRow *row);
/* The same of such a row at hand; it lives in the current context. */
extern void change_row_of_datum(ChangeRow *row, Datum value);
/* Make a tuple of the row with its present values. */
extern HeapTuple change_row_form(const ChangeRow *row);
extern bool change_column_equal(const ChangeRow *a, const ChangeRow *b,
								ChangeColumn column);
/* Of a column that exists; 0 where change_column_exists() says no. */
extern AttrNumber change_column_attnum(ChangeColumn column);

/*
 * A table that an older version made may lack the newest columns: they read as
 * null, and what is given for them is not stored.  Statements that name
 * columns are written again when their number is another.
 */
extern bool change_column_exists(ChangeColumn column);
extern int	change_column_number(void);

/* ledger_sequence and ledger_head, which neither digest nor diff cover. */
extern const Bitmapset *change_ledger_skip(void);

#define change_id_of(row) DatumGetInt64((row)->value[CH_id])
#define change_is_null(row, column) ((row)->isnull[CH_##column])
#define change_int64(row, column) \
	((row)->isnull[CH_##column] ? 0 : DatumGetInt64((row)->value[CH_##column]))
#define change_bool(row, column) \
	(!(row)->isnull[CH_##column] && DatumGetBool((row)->value[CH_##column]))
#define change_time(row, column) \
	DatumGetTimestampTz((row)->value[CH_##column])
#define change_text(row, column) \
	((row)->isnull[CH_##column] ? NULL : \
	 TextDatumGetCString((row)->value[CH_##column]))
#define change_status(row) status_from_datum((row)->value[CH_status])
#define change_outcome(row) \
	outcome_from_datum((row)->value[CH_outcome], (row)->isnull[CH_outcome])
/* Null, empty and blank text say nothing. */
extern bool change_is_blank(const ChangeRow *row, ChangeColumn column);

/*
 * Refuse (MC008) values that no change can have, where they are new (old is
 * NULL for a new row).  Codes come first: nothing reads a status before.
 */
extern void change_check_codes(const ChangeRow *old, const ChangeRow *new);
extern void change_check_values(const ChangeRow *old, const ChangeRow *new);

/* Whether who is acting may see a change; needs no SPI connection. */
extern bool change_is_visible(int64 change_id);
/* The same of a change that was read with kept_plan_read(), as it was then. */
extern bool change_is_visible_to_query(int64 change_id);
/* Whether there is one that is kept from who is acting. */
extern bool change_is_hidden_to_query(int64 change_id);
/* Whether who is acting sees all changes, whatever they are. */
extern bool change_sees_everything(void);
extern Datum hidden_changes(PG_FUNCTION_ARGS);

extern char *change_number_text(int64 change_id);

/*
 * Find a change; with lock, locked against everybody else until the end of
 * the transaction.  MC008 where there is none, or none that who is acting may
 * see.  Needs an SPI connection; the
 * row lives in the SPI context.
 */
extern void change_find(ChangeRow *row, int64 change_id, bool lock);
/* MC008: there is no such change, or none that who is acting may see. */
pg_noreturn extern void change_unknown(int64 change_id);
/* change_find() for triggers and for a change that was found: false if not there. */
extern bool change_read(ChangeRow *row, int64 change_id, bool lock);

/*
 * What a statement did to the parts of a change, while the UPDATE that raises
 * the revision of the change is under way; NULL at any other time.
 */
typedef struct PartsTouched
{
	int64		change_id;
	Jsonb	   *changed;		/* {table: [{op, old, new}, ...]} */
	bool		plan;			/* something sealed was touched */
	bool		items;			/* the table is change_item */
	bool		done;			/* judged: what comes now is not its doing */
} PartsTouched;

extern PartsTouched *parts_touched;
/* What is being raised on this change; NULL where nothing is. */
extern PartsTouched *parts_touched_of(const ChangeRow *row);

/* Whether a model seals a column, or the rows of a part. */
extern bool column_is_sealed(const ChangeModel *model, ChangeColumn column);
extern bool part_is_sealed(const ChangeModel *model, const char *part);
/* MC008 for what a model can neither seal nor leave out. */
extern void seal_lists_check(const ChangeModel *model);

/* What a row of a part says, or must not say, to be sealed; value NULL: true. */
typedef struct SealedOnly
{
	const char *column;
	bool		is;
	const char *value;
} SealedOnly;

/* A part whose rows, or some of them, are sealed by their content. */
typedef struct SealedPart
{
	const char *relation;
	const char *content;		/* columns, "a, b" */
	SealedOnly	only[2];
	const char *more;			/* columns that count where they say something:
								 * not null, false or empty; or NULL */
} SealedPart;

#define SEALED_PART_COUNT 7
extern const SealedPart sealed_parts[SEALED_PART_COUNT];

/*
 * The seal: SHA-256 of the canonical plan (change_seal.c), of LEDGER_HASH_LENGTH
 * bytes.  Needs an SPI connection.
 */
extern void change_seal(const ChangeRow *row, const ChangeModel *model,
						uint8 *digest);
/* The same of a row that was read with kept_plan_read(), as its parts were then. */
extern void change_seal_to_query(const ChangeRow *row,
								 const ChangeModel *model, uint8 *digest);

#endif							/* CHANGEMGMT_CHANGE_H */
