/*-------------------------------------------------------------------------
 *
 * approval_history.c
 *	  What each decision on a change was taken on.
 *
 * Votes stand in the chain as parts, and the step that they lead to as a step
 * of its own.  The record of both is the change right before, which the way
 * back through the chain passes anyway.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "change_history.h"
#include "compat.h"
#include "person.h"

PG_FUNCTION_INFO_V1(what_the_board_saw);

typedef struct Decision
{
	int64		sequence;
	TimestampTz decided_at;
	char	   *decided_by;
	const char *kind;
	const char *decision;
	char	   *reason;
	Datum		plan_revision;
	Jsonb	   *record;			/* NULL: not reached yet */
	char	   *voted_for;		/* whose vote it is; NULL: one's own */
} Decision;

static List *
decision_add(List *decisions, const HistoryEntry *entry, const char *kind,
			 const char *decision, char *reason)
{
	Decision   *d = palloc0(sizeof(Decision));

	d->sequence = entry->sequence;
	d->decided_at = entry->recorded_at;
	d->decided_by = pstrdup(entry->actor);
	d->kind = kind;
	d->decision = decision;
	d->reason = reason ? pstrdup(reason) : NULL;
	return lappend(decisions, d);
}

static char *
text_of(Jsonb *row, const char *column)
{
	JsonbValue *value = getKeyJsonValueFromContainer(&row->root, column,
													 strlen(column), NULL);

	return value && value->type == jbvString ?
		pnstrdup(value->val.string.val, value->val.string.len) : NULL;
}

/* The login of whose vote somebody else gave; NULL where nobody else did. */
static char *
voted_for(Jsonb *vote)
{
	int64		id;

	if (!parts_recorded_id(&vote->root, "voted_by_id", &id) ||
		!parts_recorded_id(&vote->root, "person_id", &id))
		return NULL;
	return person_login(id);
}

/* The decisions that an entry records, the last first; it is not undone yet. */
static List *
decisions_of(List *decisions, ChangeHistory *history,
			 const HistoryEntry *entry)
{
	static const char *const steps[][2] = {
		{"approve", "approved"}, {"reject", "rejected"}, {"defer", "deferred"}
	};
	JsonbContainer *votes = parts_recorded(&entry->changed->root,
										   "approval_vote", true);

	for (size_t i = 0; i < lengthof(steps); i++)
		if (strcmp(entry->event, steps[i][0]) == 0)
			decisions = decision_add(decisions, entry, "step", steps[i][1],
									 entry->reason);
	for (int i = votes ? (int) JsonContainerSize(votes) - 1 : -1; i >= 0; i--)
	{
		JsonbValue *edit = getIthJsonbValueFromContainer(votes, i);
		JsonbContainer *given;
		int64		id;
		Jsonb	   *vote;

		if (edit->type != jbvBinary ||
			!JsonContainerIsObject(edit->val.binary.data))
			continue;
		/* given, or given again; one that was taken away decides nothing */
		given = parts_recorded(edit->val.binary.data, "new", false);
		if (!parts_recorded_id(given ? given : edit->val.binary.data, "id", &id))
			continue;
		vote = parts_find(history_parts(history), "approval_vote", id);
		if (vote)
		{
			decisions = decision_add(decisions, entry, "vote",
									 text_of(vote, "decision"),
									 text_of(vote, "reason"));
			((Decision *) llast(decisions))->voted_for = voted_for(vote);
		}
	}
	return decisions;
}

/* Give those that have none yet the record as it stands after an entry. */
static void
decisions_record(List *decisions, ChangeHistory *history,
				 const HistoryEntry *entry)
{
	Jsonb	   *record = NULL;
	Datum		plan_revision = (Datum) 0;

	for (int i = list_length(decisions) - 1; i >= 0; i--)
	{
		Decision   *d = list_nth(decisions, i);

		if (d->record)
			break;
		if (record == NULL)
		{
			HeapTuple	row = history_row(history, entry);
			bool		isnull;

			if (row == NULL)
				break;
			record = history_document(history, row);
			plan_revision = history_value(history, row, "plan_revision",
										  &isnull);
		}
		d->record = record;
		d->plan_revision = plan_revision;
	}
}

/* what_the_board_saw(change_id bigint) */
Datum
what_the_board_saw(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ChangeHistory *history;
	HistoryEntry entry;
	List	   *decisions = NIL;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	history = history_open(PG_GETARG_INT64(0), true);
	while (history_next(history, &entry))
	{
		decisions_record(decisions, history, &entry);
		decisions = decisions_of(decisions, history, &entry);
		history_undo(history, &entry);
	}
	decisions_record(decisions, history, NULL);

	for (int i = list_length(decisions) - 1; i >= 0; i--)
	{
		Decision   *d = list_nth(decisions, i);
		Datum		values[9];
		bool		nulls[9] = {false};

		values[0] = Int64GetDatum(d->sequence);
		values[1] = TimestampTzGetDatum(d->decided_at);
		ledger_put_text(values, nulls, 2, d->decided_by);
		ledger_put_text(values, nulls, 3, d->kind);
		ledger_put_text(values, nulls, 4, d->decision);
		ledger_put_text(values, nulls, 5, d->reason);
		values[6] = d->plan_revision;
		nulls[6] = nulls[7] = d->record == NULL;
		values[7] = JsonbPGetDatum(d->record);
		ledger_put_text(values, nulls, 8, d->voted_for);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}
