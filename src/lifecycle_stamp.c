/*-------------------------------------------------------------------------
 *
 * lifecycle_stamp.c
 *	  BEFORE trigger of change: revision, times, seal and ledger head.
 *
 * It fills in what follows from a step and judges nothing but the form of
 * the values; whether the step is allowed is judged on the row as it was
 * stored, in lifecycle_judge.c.  Values that the engine alone may write are
 * stamped only where the statement left them alone, so that the judge sees
 * what was tampered with.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(lifecycle_stamp);

VerbCall   *verb_call = NULL;

VerbCall *
verb_call_of(const ChangeRow *row)
{
	return verb_call && !verb_call->done &&
		verb_call->change_id == change_id_of(row) ? verb_call : NULL;
}

/*
 * The row that was stamped last with its ledger entry, until it is judged or
 * the transaction ends.  An entry follows from the old and the new row, the
 * verb, and who is acting, so it holds for the judge where these are the same
 * byte for byte; else the judge makes its own.  Valid only when complete.
 */
static struct
{
	bool		is_valid;
	MemoryContext context;		/* of all that the others point to */
	Verb		verb;
	HeapTuple	old;			/* NULL at creation */
	HeapTuple	new;
	LedgerEntry entry;
}			stamped;

#define SET(row, column, datum) \
	((row)->value[CH_##column] = (datum), (row)->isnull[CH_##column] = false)
#define CLEAR(row, column) \
	((row)->value[CH_##column] = (Datum) 0, (row)->isnull[CH_##column] = true)
#define SET_TEXT(row, column, string) \
	SET(row, column, CStringGetTextDatum(string))
#define KEPT(old, new, column) change_column_equal(old, new, CH_##column)

const ChangeModel *
lifecycle_model(const ChangeRow *row)
{
	char	   *key = change_text(row, model);
	const ChangeModel *model = model_find(key,
										  DatumGetInt32(row->value[CH_model_version]));

	pfree(key);
	return model;
}

Verb
lifecycle_verb(const ChangeModel *model, const ChangeRow *old,
			   const ChangeRow *new)
{
	Status		from = change_status(old);
	Status		to = change_status(new);
	Outcome		outcome = change_outcome(new);

	if (from != to)
		return model_verb(model, from, to, outcome);
	if (verb_call_of(old))
		return verb_call->verb;
	if (!KEPT(old, new, on_hold))
		return change_bool(new, on_hold) ? VERB_HOLD : VERB_RESUME;
	if (to == STATUS_IMPLEMENTED && outcome == OUTCOME_FAILED &&
		change_outcome(old) != OUTCOME_FAILED)
		return VERB_FAIL;
	if (to == STATUS_IMPLEMENTED &&
		outcome == OUTCOME_SUCCESSFUL_WITH_ISSUES &&
		change_outcome(old) == OUTCOME_SUCCESSFUL)
		return VERB_PASS;
	if (model->books_window &&
		(STATUS_BIT(to) & (STATUS_BIT(STATUS_APPROVED) |
						   STATUS_BIT(STATUS_SCHEDULED))) &&
		(!KEPT(old, new, planned_start) || !KEPT(old, new, planned_end)))
		return VERB_RESCHEDULE;
	if (!KEPT(old, new, rollback_started_at))
		return VERB_BEGIN_ROLLBACK;
	if (!KEPT(old, new, stability_confirmed_at) ||
		!KEPT(old, new, stability_confirmed_by_id))
		return VERB_CONFIRM_STABILITY;
	return VERB_EDIT;
}

/*
 * The end of the chain that the next entry goes on from.  The row says where it
 * is; a new row and one of history don't, and their id may have been that of
 * another, whose deletion is the end.
 */
static void
chain_end(const ChangeRow *old, int64 id, LedgerChainEnd *end)
{
	bytea	   *head;

	if (old == NULL || change_int64(old, ledger_sequence) == 0 ||
		change_is_null(old, ledger_head))
	{
		ledger_chain_end("change", id, end);
		return;
	}
	head = DatumGetByteaPP(old->value[CH_ledger_head]);
	if (VARSIZE_ANY_EXHDR(head) != LEDGER_HASH_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("ledger head of change " INT64_FORMAT " is not a hash",
						id)));
	end->sequence = change_int64(old, ledger_sequence);
	memcpy(end->hash, VARDATA_ANY(head), LEDGER_HASH_LENGTH);
}

void
lifecycle_entry(LedgerEntry *entry, Verb verb, const ChangeRow *old,
				const ChangeRow *new)
{
	const ChangeRow *row = new ? new : old;
	JsonbParseState *state = NULL;
	JsonbValue *changed;
	LedgerChainEnd end;
	bool		parts = old && new && parts_touched_of(new);

	memset(entry, 0, sizeof(LedgerEntry));
	entry->subject_kind = "change";
	entry->subject_id = change_id_of(row);
	chain_end(old, entry->subject_id, &end);
	entry->sequence = end.sequence + 1;
	memcpy(entry->previous_hash, end.hash, LEDGER_HASH_LENGTH);
	entry->event = old == NULL ? "create" : new == NULL ? "delete" :
		parts && verb == VERB_EDIT ? "parts" : verb_name(verb);
	if (old)
		entry->from_status = status_code(change_status(old));
	if (new)
		entry->to_status = status_code(change_status(new));

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	ledger_push_diff(&state, row->desc, old ? old->tuple : NULL,
					 new ? new->tuple : NULL, change_ledger_skip());
	if (parts)
	{
		JsonbIterator *it = JsonbIteratorInit(&parts_touched->changed->root);
		JsonbIteratorToken token;
		JsonbValue	value;

		while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
			if (token == WJB_KEY || token == WJB_VALUE)
				pushJsonbValue(&state, token, &value);
	}
	changed = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	entry->changed = JsonbValueToJsonb(changed);

	entry->recorded_at = new ? change_time(new, updated_at) :
		GetCurrentTimestamp();
	/* what stands in status_reason belongs to an earlier step, or to this */
	if (new && (old == NULL || change_status(old) != change_status(new) ||
				verb == VERB_HOLD || verb == VERB_RESUME || verb == VERB_FAIL ||
				verb == VERB_PASS || !KEPT(old, new, status_reason)))
		entry->reason = change_text(new, status_reason);
	if (new && entry->reason == NULL && old && !KEPT(old, new, override_reason))
		entry->reason = change_text(new, override_reason);
	ledger_row_digest(row->desc, row->tuple, change_ledger_skip(),
					  entry->row_digest);
	ledger_entry_seal(entry);
}

/* ----------------------------------------------------------------
 * What follows from a step
 * ---------------------------------------------------------------- */

static void
stamp_actor(ChangeRow *row, ChangeColumn column)
{
	int64		person = actor_person();

	row->value[column] = Int64GetDatum(person);
	row->isnull[column] = person == 0;
}

static void
stamp_approved(ChangeRow *row, const ChangeModel *model, TimestampTz now)
{
	bytea	   *seal = palloc(VARHDRSZ + LEDGER_HASH_LENGTH);

	SET_VARSIZE(seal, VARHDRSZ + LEDGER_HASH_LENGTH);
	SPI_connect();
	change_seal(row, model, (uint8 *) VARDATA(seal));
	SPI_finish();
	SET(row, approved_seal, PointerGetDatum(seal));
	SET(row, approved_plan_revision, row->value[CH_plan_revision]);
	SET(row, approved_at, TimestampTzGetDatum(now));
}

static void
stamp_step(const ChangeModel *model, Verb verb, const ChangeRow *old,
		   ChangeRow *new, TimestampTz now)
{
	Status		from = change_status(old);
	Datum		at = TimestampTzGetDatum(now);

	/* a time that the statement gives is judged; one that it leaves is now */
#define STAMP(column) \
	do { \
		if (KEPT(old, new, column)) \
			SET(new, column, at); \
	} while (0)

	switch (verb)
	{
		case VERB_SUBMIT:
			STAMP(submitted_at);
			if (change_is_null(old, first_submitted_at))
				STAMP(first_submitted_at);
			if (change_is_null(old, notice_from))
				STAMP(notice_from);
			SET(new, approval_round,
				Int32GetDatum(DatumGetInt32(old->value[CH_approval_round]) + 1));
			if (change_status(new) == STATUS_APPROVED)
				stamp_approved(new, model, now);
			break;
		case VERB_APPROVE:
			stamp_approved(new, model, now);
			break;
		case VERB_REJECT:
		case VERB_DEFER:
		case VERB_REVISE:
			CLEAR(new, approved_at);
			CLEAR(new, approved_seal);
			CLEAR(new, approved_plan_revision);
			CLEAR(new, scheduled_at);
			break;
		case VERB_SCHEDULE:
			STAMP(scheduled_at);
			break;
		case VERB_RESCHEDULE:
			if (from == STATUS_SCHEDULED)
				STAMP(scheduled_at);
			break;
		case VERB_START:
			STAMP(actual_start);
			if (KEPT(old, new, implementer_id))
				stamp_actor(new, CH_implementer_id);
			break;
		case VERB_COMPLETE:
			STAMP(deployed_at);
			if (KEPT(old, new, actual_end) && !change_is_null(new, deployed_at))
				SET(new, actual_end, new->value[CH_deployed_at]);
			break;
		case VERB_PASS:
			if (change_is_null(new, outcome))
				SET_TEXT(new, outcome, outcome_code(OUTCOME_SUCCESSFUL));
			/* passed again, with issues: it was verified when it was */
			if (from != STATUS_IMPLEMENTED)
				STAMP(verified_at);
			if (KEPT(old, new, verifier_id))
				stamp_actor(new, CH_verifier_id);
			break;
		case VERB_FAIL:
			if (KEPT(old, new, outcome))
				SET_TEXT(new, outcome, outcome_code(OUTCOME_FAILED));
			if (from == STATUS_IN_PROGRESS)
				STAMP(actual_end);
			break;
		case VERB_ROLL_BACK:
			if (KEPT(old, new, outcome))
				SET_TEXT(new, outcome, outcome_code(OUTCOME_ROLLED_BACK));
			STAMP(rolled_back_at);
			if (from == STATUS_IN_PROGRESS && KEPT(old, new, actual_end) &&
				!change_is_null(new, rolled_back_at))
				SET(new, actual_end, new->value[CH_rolled_back_at]);
			break;
		case VERB_ABORT:
			if (KEPT(old, new, outcome))
				SET_TEXT(new, outcome, outcome_code(OUTCOME_NOT_IMPLEMENTED));
			STAMP(cancelled_at);
			STAMP(actual_end);
			break;
		case VERB_CONFIRM_STABILITY:
			STAMP(stability_confirmed_at);
			if (KEPT(old, new, stability_confirmed_by_id))
				stamp_actor(new, CH_stability_confirmed_by_id);
			break;
		case VERB_CLOSE:
			STAMP(closed_at);
			break;
		case VERB_CANCEL:
			STAMP(cancelled_at);
			break;
		default:
			break;
	}
	if (verb == VERB_REVISE)
		STAMP(revised_at);
	if (verb == VERB_REVISE || verb == VERB_CANCEL)
		SET(new, on_hold, BoolGetDatum(false));
#undef STAMP

	/* notice is counted anew when the start moves earlier, or was taken away */
	if (!change_is_null(old, notice_from) &&
		!change_is_null(new, planned_start) &&
		KEPT(old, new, notice_from) &&
		(change_is_null(old, planned_start) ||
		 change_time(new, planned_start) < change_time(old, planned_start)))
		SET(new, notice_from, at);
}

static OverrideReason override_reason = NULL;

void
lifecycle_register_override(OverrideReason reason)
{
	override_reason = reason;
}

/*
 * What goes its way without asking says afterwards which rules it went against:
 * as soon as the work is over, or what it touched is known.
 */
static void
stamp_override(const ChangeModel *model, const ChangeRow *old, ChangeRow *new,
			   TimestampTz now)
{
	Status		to = change_status(new);
	TimestampTz end;
	char	   *reason;

	if (!model->documented_after || override_reason == NULL ||
		!change_is_null(new, override_reason) ||
		(old && !KEPT(old, new, override_reason)) ||
		change_is_null(new, actual_start) ||
		to == STATUS_CLOSED || to == STATUS_CANCELLED)
		return;
	if (old && !(change_status(old) == STATUS_IN_PROGRESS && to != STATUS_IN_PROGRESS) &&
		!(parts_touched_of(new) && parts_touched->items))
		return;
	end = change_is_null(new, actual_end) ? now : change_time(new, actual_end);
	reason = override_reason(new, model, change_time(new, actual_start), end);
	if (reason)
		SET_TEXT(new, override_reason, reason);
}

bool
lifecycle_plan_touched(const ChangeModel *model, const ChangeRow *old,
					   const ChangeRow *new)
{
	if (parts_touched_of(new) && parts_touched->plan)
		return true;
	for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
		if ((change_column_classes[i] == FIELD_PLAN ||
			 column_is_sealed(model, i)) &&
			!change_column_equal(old, new, i))
			return true;
	return false;
}

/* Whether two tuples of one relation are the same, byte for byte. */
static bool
tuple_same(HeapTuple a, HeapTuple b)
{
	const uint16 shape = HEAP_HASNULL | HEAP_HASVARWIDTH | HEAP_HASEXTERNAL;
	const size_t offset = offsetof(HeapTupleHeaderData, t_bits);

	return a->t_len == b->t_len &&
		HeapTupleHeaderGetNatts(a->t_data) == HeapTupleHeaderGetNatts(b->t_data) &&
		a->t_data->t_hoff == b->t_data->t_hoff &&
		(a->t_data->t_infomask & shape) == (b->t_data->t_infomask & shape) &&
		memcmp((char *) a->t_data + offset, (char *) b->t_data + offset,
			   a->t_len - offset) == 0;
}

/* Keep the entry that was just sealed, for the judge of the same row. */
static void
stamped_keep(const LedgerEntry *entry, Verb verb, const ChangeRow *old,
			 const ChangeRow *new)
{
	MemoryContext caller;

	stamped.is_valid = false;
	if (parts_touched)
		return;
	if (stamped.context == NULL)
		stamped.context = AllocSetContextCreate(TopMemoryContext,
												"changemgmt stamped row",
												ALLOCSET_DEFAULT_SIZES);
	else
		MemoryContextReset(stamped.context);
	caller = MemoryContextSwitchTo(stamped.context);
	stamped.verb = verb;
	stamped.old = old ? heap_copytuple(old->tuple) : NULL;
	stamped.new = heap_copytuple(new->tuple);
	stamped.entry = *entry;
	stamped.entry.changed = (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(entry->changed));
	if (entry->reason)
		stamped.entry.reason = pstrdup(entry->reason);
	MemoryContextSwitchTo(caller);
	stamped.is_valid = true;
}

bool
lifecycle_stamped(LedgerEntry *entry, Verb verb, const ChangeRow *old,
				  const ChangeRow *new)
{
	if (!stamped.is_valid || parts_touched || stamped.verb != verb ||
		(old == NULL) != (stamped.old == NULL) ||
		!tuple_same(stamped.new, new->tuple) ||
		(old && !tuple_same(stamped.old, old->tuple)))
		return false;
	/* the next stamp may come before the caller is through with it */
	*entry = stamped.entry;
	entry->changed = (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(stamped.entry.changed));
	if (entry->reason)
		entry->reason = pstrdup(entry->reason);
	stamped.is_valid = false;
	return true;
}

/* The identity in the entry does not outlive the transaction. */
static void
stamped_forget(XactEvent event, void *arg)
{
	stamped.is_valid = false;
	if (stamped.context && !MemoryContextIsEmpty(stamped.context))
		MemoryContextReset(stamped.context);
}

void
lifecycle_stamp_init(void)
{
	RegisterXactCallback(stamped_forget, NULL);
}

/*
 * The digest and the diff leave ledger_sequence and ledger_head out, so the
 * tuple is made once, with room for the hash, and the hash is put into it.
 */
static void
stamp_head(Verb verb, const ChangeRow *old, ChangeRow *new)
{
	LedgerEntry entry;
	LedgerChainEnd end;
	bytea	   *head = palloc0(VARHDRSZ + LEDGER_HASH_LENGTH);
	Datum		room;
	bool		isnull;

	SET_VARSIZE(head, VARHDRSZ + LEDGER_HASH_LENGTH);
	SET(new, ledger_head, PointerGetDatum(head));
	chain_end(old, change_id_of(new), &end);
	SET(new, ledger_sequence, Int64GetDatum(end.sequence + 1));
	new->tuple = change_row_form(new);
	lifecycle_entry(&entry, verb, old, new);
	Assert(entry.sequence == change_int64(new, ledger_sequence));
	memcpy(VARDATA(head), entry.hash, LEDGER_HASH_LENGTH);
	room = heap_getattr(new->tuple, change_column_attnum(CH_ledger_head),
						new->desc, &isnull);
	memcpy(VARDATA_ANY(DatumGetPointer(room)), entry.hash, LEDGER_HASH_LENGTH);
	stamped_keep(&entry, verb, old, new);
}

static HeapTuple
stamp_insert(ChangeRow *new)
{
	TimestampTz now = GetCurrentTimestamp();
	const ChangeModel *model;

	change_check_codes(NULL, new);
	model = model_latest(change_text(new, model));
	SET(new, model_version, Int32GetDatum(model->version));
	SET_TEXT(new, type, model->type);
	if (change_is_null(new, author_id))
		stamp_actor(new, CH_author_id);
	if (change_is_null(new, requester_id))
		stamp_actor(new, CH_requester_id);
	stamp_actor(new, CH_last_editor_id);
	SET(new, created_at, TimestampTzGetDatum(now));
	SET(new, updated_at, TimestampTzGetDatum(now));
	SET(new, revision, Int64GetDatum(1));
	SET(new, plan_revision, Int64GetDatum(1));

	if (model->first_status == STATUS_IN_PROGRESS)
	{
		if (change_is_null(new, actual_start))
			SET(new, actual_start, TimestampTzGetDatum(now));
		if (change_is_null(new, implementer_id))
			stamp_actor(new, CH_implementer_id);
	}
	else if (model->first_status == STATUS_IMPLEMENTED)
	{
		if (change_is_null(new, deployed_at) && !change_is_null(new, actual_end))
			SET(new, deployed_at, new->value[CH_actual_end]);
		if (change_is_null(new, outcome))
			SET_TEXT(new, outcome, outcome_code(OUTCOME_SUCCESSFUL));
	}
	change_check_values(NULL, new);
	stamp_override(model, NULL, new, now);
	stamp_head(VERB_CREATE, NULL, new);
	return new->tuple;
}

static HeapTuple
stamp_update(const ChangeRow *old, ChangeRow *new, HeapTuple given)
{
	TimestampTz now = GetCurrentTimestamp();
	const ChangeModel *model;
	Verb		verb;
	bool		touched = parts_touched_of(new) != NULL;
	bool		same = !touched;

	/* an update that changes nothing leaves no trace */
	for (int i = 0; i < CHANGE_COLUMN_COUNT && same; i++)
		same = change_column_equal(old, new, i);
	if (same)
		return given;

	change_check_codes(old, new);
	/* it moves to the latest version of its model with its submission */
	if (!KEPT(old, new, model))
	{
		model = model_latest(change_text(new, model));
		SET(new, model_version, Int32GetDatum(model->version));
		SET_TEXT(new, type, model->type);
	}
	model = lifecycle_model(new);
	verb = lifecycle_verb(model, old, new);
	if (verb == VERB_SUBMIT && change_status(old) == STATUS_PLANNED &&
		KEPT(old, new, model_version))
	{
		bool		retired;
		const ChangeModel *latest = model_latest_if_any(model->key, &retired);

		if (latest && latest->version != model->version &&
			lifecycle_verb(latest, old, new) == VERB_SUBMIT)
		{
			model = latest;
			SET(new, model_version, Int32GetDatum(model->version));
			SET_TEXT(new, type, model->type);
		}
	}

	/* a reason belongs to its step: one that is left over is none */
	if ((change_status(old) != change_status(new) || verb == VERB_HOLD ||
		 verb == VERB_RESUME || verb == VERB_FAIL || verb == VERB_PASS) &&
		KEPT(old, new, status_reason) &&
		!(verb_call_of(new) && verb_call->reason_given))
		CLEAR(new, status_reason);

	SET(new, updated_at, TimestampTzGetDatum(now));
	if (touched)
		SET(new, revision, Int64GetDatum(change_int64(old, revision) + 1));
	else if (KEPT(old, new, revision))
		SET(new, revision, Int64GetDatum(change_int64(old, revision) + 1));
	if (lifecycle_plan_touched(model, old, new))
	{
		if (KEPT(old, new, plan_revision))
			SET(new, plan_revision,
				Int64GetDatum(change_int64(old, revision) + 1));
		if (KEPT(old, new, last_editor_id))
			stamp_actor(new, CH_last_editor_id);
		/* what nobody known had written is theirs who take it on */
		if (change_is_null(old, author_id) && KEPT(old, new, author_id))
			stamp_actor(new, CH_author_id);
	}
	change_check_values(old, new);
	stamp_step(model, verb, old, new, now);
	stamp_override(model, old, new, now);
	stamp_head(verb, old, new);
	return new->tuple;
}

/* BEFORE ROW trigger of change, the last by its name. */
Datum
lifecycle_stamp(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "lifecycle_stamp",
										 FOR_ROW | AT_BEFORE, "change");
	TupleDesc	desc;
	ChangeRow	old;
	ChangeRow	new;

	if (ledger_is_history(trigdata))
	{
		bool		isnull;
		Datum		sequence = heap_getattr(trigdata->tg_trigtuple,
											SPI_fnumber(RelationGetDescr(trigdata->tg_relation),
														"ledger_sequence"),
											RelationGetDescr(trigdata->tg_relation),
											&isnull);

		ledger_count_history(!isnull && DatumGetInt64(sequence) > 0);
		return PointerGetDatum(trigdata->tg_trigtuple);
	}

	desc = RelationGetDescr(trigdata->tg_relation);
	change_row_read(&old, trigdata->tg_trigtuple, desc);
	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		return PointerGetDatum(stamp_insert(&old));
	change_row_read(&new, trigdata->tg_newtuple, desc);
	return PointerGetDatum(stamp_update(&old, &new, trigdata->tg_newtuple));
}
