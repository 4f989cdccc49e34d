/*-------------------------------------------------------------------------
 *
 * lifecycle_judge.c
 *	  AFTER trigger of change: the rules, on the row as it was stored.
 *
 * Not deferred, so that the next statement of the same transaction already
 * stands on what was judged.  Whatever way the row came (a verb, an UPDATE of
 * any columns together, ON CONFLICT, MERGE, another trigger), this is where
 * it is allowed or refused, and where the ledger is written.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "change_check.h"
#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(lifecycle_judge);

#define KEPT(old, new, column) change_column_equal(old, new, CH_##column)

/* When a column of class progress may be written, but by its own step. */
typedef enum ProgressRule
{
	BY_STEP,					/* only with the verbs named */
	UNTIL_CLOSED,				/* also at any time before the end */
	ONCE_BEGUN					/* also between start and close */
} ProgressRule;

/* What kind of time a column holds. */
typedef enum TimeRule
{
	NO_TIME,
	RECORDED,					/* the moment of the statement, never given */
	REAL						/* when it really happened; may be given */
} TimeRule;

typedef struct ProgressColumn
{
	ChangeColumn column;
	uint32		verbs;
	ProgressRule rule;
	TimeRule	time;
} ProgressColumn;

#define V(verb) VERB_BIT(VERB_##verb)

static const ProgressColumn progress_columns[] = {
	{CH_status_reason, ~(V(EDIT) | V(CREATE)), BY_STEP, NO_TIME},
	{CH_outcome, V(PASS) | V(FAIL) | V(ROLL_BACK) | V(ABORT), BY_STEP, NO_TIME},
	{CH_implementer_id, V(START), BY_STEP, NO_TIME},
	{CH_verifier_id, V(PASS), BY_STEP, NO_TIME},
	{CH_actual_start, V(START), BY_STEP, REAL},
	{CH_deployed_at, V(COMPLETE), BY_STEP, REAL},
	{CH_actual_end, V(COMPLETE) | V(FAIL) | V(ROLL_BACK) | V(ABORT),
	BY_STEP, REAL},
	{CH_verified_at, V(PASS), BY_STEP, RECORDED},
	{CH_rollback_started_at, V(BEGIN_ROLLBACK) | V(ROLL_BACK), BY_STEP, REAL},
	{CH_rolled_back_at, V(ROLL_BACK), BY_STEP, REAL},
	{CH_recovered_at, 0, ONCE_BEGUN, REAL},
	{CH_stability_confirmed_at, V(CONFIRM_STABILITY), BY_STEP, RECORDED},
	{CH_stability_confirmed_by_id, V(CONFIRM_STABILITY), BY_STEP, NO_TIME},
	{CH_closed_at, V(CLOSE), BY_STEP, RECORDED},
	{CH_cancelled_at, V(CANCEL) | V(ABORT), BY_STEP, RECORDED},
	{CH_first_submitted_at, V(SUBMIT), BY_STEP, RECORDED},
	{CH_submitted_at, V(SUBMIT), BY_STEP, RECORDED},
	{CH_approved_at, V(SUBMIT) | V(APPROVE) | V(REJECT) | V(DEFER) | V(REVISE),
	BY_STEP, RECORDED},
	{CH_scheduled_at,
		V(SCHEDULE) | V(RESCHEDULE) | V(REJECT) | V(DEFER) | V(REVISE),
	BY_STEP, RECORDED},
	{CH_revised_at, V(REVISE), BY_STEP, RECORDED},
	{CH_override_reason, 0, UNTIL_CLOSED, NO_TIME},
	{CH_remediation, V(FAIL), UNTIL_CLOSED, NO_TIME},
	{CH_cause_class, V(ROLL_BACK), UNTIL_CLOSED, NO_TIME},
	{CH_incident_id, 0, UNTIL_CLOSED, NO_TIME},
	{CH_found_by, 0, UNTIL_CLOSED, NO_TIME},
	{CH_authorised_by_id, 0, BY_STEP, NO_TIME},
	{CH_emergency_threshold, 0, BY_STEP, NO_TIME},
};

static void
kept_by_engine(const ChangeRow *row, ChangeColumn column, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
			 errmsg("%s of change " INT64_FORMAT " is not written by hand",
					change_column_names[column], change_id_of(row)),
			 errhint("%s", hint)));
}

/* The values that only the engine writes are what it stamped. */
static void
judge_engine_columns(const Transition *t)
{
	const ChangeRow *old = t->old;
	const ChangeRow *new = t->row;
	static const char *const hint = "The extension keeps it; leave the column out.";
	bool		touched = lifecycle_plan_touched(t->model, old, new);

	for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
	{
		bool		good;

		if (change_column_classes[i] != FIELD_ENGINE)
			continue;
		switch (i)
		{
			case CH_updated_at:
			case CH_ledger_sequence:
			case CH_ledger_head:
				good = true;	/* the ledger compares them itself */
				break;
			case CH_revision:
				good = change_int64(new, revision) == change_int64(old, revision) + 1;
				break;
			case CH_plan_revision:
				good = change_int64(new, plan_revision) ==
					(touched ? change_int64(new, revision) :
					 change_int64(old, plan_revision));
				break;
			case CH_last_editor_id:
				good = touched ?
					change_int64(new, last_editor_id) == actor_person() :
					change_column_equal(old, new, i);
				break;
			case CH_author_id:
				good = change_column_equal(old, new, i) ||
					(old->isnull[i] && !KEPT(old, new, plan_revision) &&
					 change_int64(new, author_id) == actor_person());
				break;
			case CH_model_version:
				good = change_column_equal(old, new, i) ||
					(((t->verb == VERB_SUBMIT &&
					   change_status(old) == STATUS_PLANNED) ||
					  !KEPT(old, new, model)) &&
					 t->model == model_latest(t->model->key));
				break;
			case CH_notice_from:
				good = change_column_equal(old, new, i) ||
					change_time(new, notice_from) == change_time(new, updated_at);
				break;
			case CH_approval_round:
				good = DatumGetInt32(new->value[i]) ==
					DatumGetInt32(old->value[i]) + (t->verb == VERB_SUBMIT);
				break;
			case CH_approved_seal:
			case CH_approved_plan_revision:
				good = change_column_equal(old, new, i) ||
					(VERB_BIT(t->verb) & (V(APPROVE) | V(REJECT) | V(DEFER) |
										  V(REVISE))) ||
					(t->verb == VERB_SUBMIT &&
					 change_status(new) == STATUS_APPROVED);
				break;
			default:
				good = change_column_equal(old, new, i);
				break;
		}
		if (!good)
			kept_by_engine(old, i, hint);
	}
}

/* A time that was given lies where it can have happened. */
static void
judge_time(const Transition *t, const ProgressColumn *p)
{
	TimestampTz at = DatumGetTimestampTz(t->row->value[p->column]);
	TimestampTz now = change_time(t->row, updated_at);
	int			late = t->model->late_hours;

	if (at == now)
		return;
	if (p->time == RECORDED)
		kept_by_engine(t->row, p->column,
					   "It is the time of the step; leave the column out.");
	if (at > now)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("%s of change " INT64_FORMAT " lies in the future",
						change_column_names[p->column],
						change_id_of(t->row))));
	if (p->column == CH_actual_end && !change_is_null(t->row, deployed_at) &&
		at == change_time(t->row, deployed_at))
		return;					/* judged with deployed_at */
	if (p->column != CH_actual_start &&
		!change_is_null(t->row, actual_start) &&
		at < change_time(t->row, actual_start))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("%s of change " INT64_FORMAT " lies before actual_start",
						change_column_names[p->column],
						change_id_of(t->row))));
	if (p->column == CH_recovered_at || p->column == CH_rollback_started_at ||
		late < 0)
		return;
	if (at < (late == 0 ? GetCurrentStatementStartTimestamp() :
			  now - late * USECS_PER_HOUR))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("%s of change " INT64_FORMAT " lies too far back",
						change_column_names[p->column],
						change_id_of(t->row)),
				 late == 0 ?
				 errdetail("Model \"%s\" records steps when they are taken.",
						   t->model->key) :
				 errdetail("Model \"%s\" takes times of the last %d hours.",
						   t->model->key, late),
				 errhint("Leave the time out, or say in a comment when it really was.")));
}

static void
judge_progress_columns(const Transition *t)
{
	Status		status = change_status(t->row);
	bool		over = status == STATUS_CLOSED || status == STATUS_CANCELLED;

	for (size_t i = 0; i < lengthof(progress_columns); i++)
	{
		const ProgressColumn *p = &progress_columns[i];
		bool		was_over;

		if (change_column_equal(t->old, t->row, p->column))
			continue;
		was_over = change_status(t->old) == STATUS_CLOSED ||
			change_status(t->old) == STATUS_CANCELLED;
		if (!(p->verbs & VERB_BIT(t->verb)) &&
			(p->rule == BY_STEP || was_over ||
			 (p->rule == ONCE_BEGUN && (over || status < STATUS_IN_PROGRESS))))
			kept_by_engine(t->row, p->column,
						   p->rule == BY_STEP ?
						   "It is written by the step that it belongs to: the verbs of changemgmt.next_steps()." :
						   "The change is not in a status in which it can be written.");
		if (p->time != NO_TIME && t->row->isnull[p->column] &&
			!((p->column == CH_approved_at || p->column == CH_scheduled_at) &&
			  (VERB_BIT(t->verb) & (V(REJECT) | V(DEFER) | V(REVISE)))))
			kept_by_engine(t->row, p->column,
						   "A time that is recorded is not emptied.");
		if (p->column == CH_actual_end &&
			change_status(t->old) != STATUS_IN_PROGRESS)
			kept_by_engine(t->row, p->column,
						   "It is when the work last left in_progress.");
		if (p->time != NO_TIME && !t->row->isnull[p->column])
			judge_time(t, p);
	}
}

/* Who starts, verifies or confirms is who acts. */
static void
judge_people(const Transition *t)
{
	static const ChangeColumn columns[] = {
		CH_implementer_id, CH_verifier_id, CH_stability_confirmed_by_id
	};

	for (size_t i = 0; i < lengthof(columns); i++)
		if (!change_column_equal(t->old, t->row, columns[i]) &&
			!t->row->isnull[columns[i]] &&
			DatumGetInt64(t->row->value[columns[i]]) != actor_person())
			ereport(ERROR,
					(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
					 errmsg("%s of change " INT64_FORMAT " is always who acts",
							change_column_names[columns[i]],
							change_id_of(t->row)),
					 errhint("Leave the column out: it is filled in.")));
}

/* The outcome that a step writes is one that it can have. */
static void
judge_outcome(const Transition *t)
{
	Outcome		outcome = change_outcome(t->row);
	bool		good = true;

	switch (t->verb)
	{
		case VERB_PASS:
			good = outcome == OUTCOME_SUCCESSFUL_WITH_ISSUES ||
				(outcome == OUTCOME_SUCCESSFUL &&
				 change_status(t->old) == STATUS_VERIFYING);
			break;
		case VERB_FAIL:
			good = outcome == OUTCOME_FAILED;
			break;
		case VERB_ROLL_BACK:
			good = outcome == OUTCOME_ROLLED_BACK;
			break;
		case VERB_ABORT:
			good = outcome == OUTCOME_NOT_IMPLEMENTED;
			break;
		default:
			break;
	}
	if (!good)
		kept_by_engine(t->row, CH_outcome,
					   "pass writes successful or successful_with_issues, fail failed, roll_back rolled_back, abort not_implemented.");
}

/* Edits of the plan and of the booked time. */
static void
judge_content(const Transition *t)
{
	Status		status = change_status(t->old);
	bool		over = status == STATUS_CLOSED || status == STATUS_CANCELLED;
	bool		frozen = over || status == STATUS_REJECTED ||
		(status >= STATUS_IN_PROGRESS && !t->model->documented_after);

	for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
	{
		FieldClass	class = change_column_classes[i];

		if (change_column_equal(t->old, t->row, i))
			continue;
		/* nobody casts off the duty that keeps him from approving */
		if (i == CH_requester_id && !t->old->isnull[i] &&
			change_int64(t->old, requester_id) == actor_person())
			ereport(ERROR,
					(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
					 errmsg("who asks for a change does not name another requester"),
					 errhint("Its owner or coordinator can.")));
		if (i == CH_unplanned && over)
			kept_by_engine(t->row, i, "It counts in the metrics; after the end it stays.");
		if (class != FIELD_PLAN && class != FIELD_SCHEDULE)
			continue;
		if (frozen)
			ereport(ERROR,
					(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
					 errmsg("the plan of change " INT64_FORMAT " is frozen: it is %s",
							change_id_of(t->row), status_code(status)),
					 errdetail("%s belongs to the plan.", change_column_names[i]),
					 status == STATUS_REJECTED ?
					 errhint("changemgmt.revise() takes it back to draft.") :
					 errhint("What turned out differently goes into comments; further work is a change of its own (changemgmt.copy_change()).")));
		if (i == CH_model && t->model->first_status != STATUS_DRAFT)
			ereport(ERROR,
					(errcode(ERRCODE_MC_ILLEGAL_TRANSITION), err_as_caller(),
					 errmsg("a change of model \"%s\" begins as %s, not as %s",
							t->model->key, status_code(t->model->first_status),
							status_code(status)),
					 errhint("changemgmt.declare_emergency() and record_unauthorized() create such changes.")));
		if (i == CH_type ?
			strcmp(TextDatumGetCString(t->row->value[CH_type]), t->model->type) != 0 :
			i == CH_model && (t->verb != VERB_EDIT || status != STATUS_DRAFT))
			kept_by_engine(t->row, i,
						   "The model is chosen in draft, in a statement of its own; the type is the model's.");
	}
	/* a booked time moves by the rules of booking, and no time with start */
	if ((!KEPT(t->old, t->row, planned_start) ||
		 !KEPT(t->old, t->row, planned_end)) &&
		(t->verb == VERB_START ||
		 (!change_is_null(t->old, scheduled_at) &&
		  !(VERB_BIT(t->verb) & (V(RESCHEDULE) | V(SCHEDULE) | V(REVISE) |
								 V(CANCEL))))))
		ereport(ERROR,
				(errcode(ERRCODE_MC_BOOKING_CONFLICT), err_as_caller(),
				 errmsg("the time of change " INT64_FORMAT " is booked",
						change_id_of(t->row)),
				 errhint("changemgmt.reschedule() moves it, once it is approved.")));
}

static void
judge_update(const Transition *t)
{
	Status		from = change_status(t->old);
	Status		to = change_status(t->row);
	uint32		verbs;

	/* approval leads back to a booking only where there is one */
	if (t->verb == VERB_NONE ||
		(t->verb == VERB_APPROVE && to == STATUS_SCHEDULED &&
		 change_is_null(t->row, scheduled_at)))
		transition_illegal(t->old, t->model,
						   psprintf("from %s to %s", status_code(from),
									status_code(to)));
	if (t->verb != VERB_EDIT)
	{
		verbs = model_verbs(t->model, from, change_bool(t->old, on_hold));
		if (!(verbs & VERB_BIT(t->verb)))
			transition_illegal(t->old, t->model, verb_name(t->verb));
	}
	if (t->verb == VERB_PASS && from == STATUS_IMPLEMENTED &&
		!lifecycle_pass_again(t->model, t->old))
		transition_illegal(t->old, t->model, verb_name(t->verb));
	if (from != to && t->verb != VERB_REVISE && t->verb != VERB_CANCEL &&
		change_bool(t->row, on_hold) != change_bool(t->old, on_hold))
		kept_by_engine(t->row, CH_on_hold,
					   "hold and resume are steps of their own.");
	judge_engine_columns(t);
	judge_progress_columns(t);
	judge_people(t);
	judge_outcome(t);
	judge_content(t);
	if (t->verb != VERB_EDIT)
		transition_require(t);
}

static void
judge_insert(const Transition *t)
{
	const ChangeRow *row = t->row;
	Status		status = change_status(row);

	if (status != t->model->first_status)
		ereport(ERROR,
				(errcode(ERRCODE_MC_ILLEGAL_TRANSITION), err_as_caller(),
				 errmsg("a change of model \"%s\" begins as %s, not as %s",
						t->model->key, status_code(t->model->first_status),
						status_code(status)),
				 errhint("Create it and walk it on: changemgmt.create_change(), changemgmt.advance(). History comes in by COPY.")));
	for (size_t i = 0; i < lengthof(progress_columns); i++)
	{
		const ProgressColumn *p = &progress_columns[i];
		bool		emergency = status == STATUS_IN_PROGRESS &&
			(p->column == CH_actual_start || p->column == CH_implementer_id ||
			 p->column == CH_authorised_by_id ||
			 p->column == CH_emergency_threshold);
		bool		latent = status == STATUS_IMPLEMENTED &&
			(p->column == CH_actual_start || p->column == CH_actual_end ||
			 p->column == CH_deployed_at || p->column == CH_outcome ||
			 p->column == CH_implementer_id);

		if (row->isnull[p->column] || p->column == CH_status_reason)
			continue;
		if (!emergency && !latent &&
			(p->rule == BY_STEP ||
			 (p->rule == ONCE_BEGUN && status < STATUS_IN_PROGRESS)))
			kept_by_engine(row, p->column,
						   "It is written by the step that it belongs to: the verbs of changemgmt.next_steps().");
		if (p->time != NO_TIME)
			judge_time(t, p);
	}
	for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
	{
		bool		good = true;

		switch (i)
		{
			case CH_notice_from:
			case CH_approved_seal:
			case CH_approved_plan_revision:
				good = row->isnull[i];
				break;
			case CH_approval_round:
				good = DatumGetInt32(row->value[i]) == 0;
				break;
			case CH_revision:
			case CH_plan_revision:
				good = DatumGetInt64(row->value[i]) == 1;
				break;
			case CH_on_hold:
				good = !DatumGetBool(row->value[i]);
				break;
			default:
				break;
		}
		if (!good)
			kept_by_engine(row, i, "The extension keeps it; leave the column out.");
	}
	if (change_int64(row, ledger_sequence) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
				 errmsg("%s was another change, which is not there any more",
						change_number_text(change_id_of(row))),
				 errhint("Leave the id out.")));
	if (!change_is_null(row, source_digest) && change_is_null(row, source))
		kept_by_engine(row, CH_source_digest,
					   "It is computed of what another system sent.");
	if (!change_is_null(row, copied_from_id))
	{
		ChangeRow	original;

		change_find(&original, change_int64(row, copied_from_id), false);
	}
	if (!change_is_null(row, author_id) &&
		change_int64(row, author_id) != actor_person())
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
				 errmsg("the author of a change is always who acts"),
				 errhint("Leave author_id out: it is filled in. Who asks for the change is its requester.")));
	if (change_is_null(row, requester_id))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("nobody is named who asks for the change"),
				 errdetail("\"%s\" is not a person known here, so the requester must be given.",
						   actor_name()),
				 errhint("SELECT changemgmt.add_person(%s) registers who is acting.",
						 quote_literal_cstr(actor_name()))));
	transition_require(t);
}

/* A passed change leaves its versions in the inventory; rolled back, the old. */
static void
inventory_update(const Transition *t)
{
	/* items are locked in the order of their ids: two changes can share them */
	static KeptPlan passed = {
		"UPDATE changemgmt.configuration_item AS c"
		" SET version = o.version_after, version_change_id = $1"
		" FROM (SELECT ci.id, i.version_after"
		"  FROM changemgmt.change_item AS i"
		"  JOIN changemgmt.configuration_item AS ci"
		"   ON ci.id OPERATOR(pg_catalog.=) i.ci_id"
		"  WHERE i.change_id OPERATOR(pg_catalog.=) $1"
		"  AND i.version_after IS NOT NULL"
		"  ORDER BY ci.id FOR NO KEY UPDATE OF ci) AS o"
		" WHERE o.id OPERATOR(pg_catalog.=) c.id",
		1, {INT8OID}, NULL
	};
	static KeptPlan lock = {
		"SELECT FROM changemgmt.change_item AS i"
		" JOIN changemgmt.configuration_item AS ci"
		"  ON ci.id OPERATOR(pg_catalog.=) i.ci_id"
		" WHERE i.change_id OPERATOR(pg_catalog.=) $1"
		" AND i.version_after IS NOT NULL"
		" ORDER BY ci.id FOR NO KEY UPDATE OF ci",
		1, {INT8OID}, NULL
	};

	/*
	 * What is there then came with the last change that stands, if any did.
	 * The lock is a statement of its own, for the look at the other changes
	 * must come after it; and the item is written also where another change
	 * is on top, so that a rollback of that one under a snapshot notices.
	 */
	static KeptPlan rolled_back = {
		"UPDATE changemgmt.configuration_item AS c"
		" SET version = CASE WHEN o.is_top"
		"  THEN COALESCE(l.version_after, o.version_before) ELSE c.version END,"
		"  version_change_id = CASE WHEN o.is_top"
		"  THEN l.change_id ELSE c.version_change_id END"
		" FROM (SELECT ci.id, i.version_before,"
		"  COALESCE(ci.version_change_id OPERATOR(pg_catalog.=) $1, false) AS is_top"
		"  FROM changemgmt.change_item AS i"
		"  JOIN changemgmt.configuration_item AS ci"
		"   ON ci.id OPERATOR(pg_catalog.=) i.ci_id"
		"  WHERE i.change_id OPERATOR(pg_catalog.=) $1"
		"  AND i.version_after IS NOT NULL) AS o"
		" LEFT JOIN LATERAL (SELECT x.change_id, x.version_after"
		"  FROM changemgmt.change_item AS x"
		"  JOIN changemgmt.change AS h ON h.id OPERATOR(pg_catalog.=) x.change_id"
		"  WHERE x.ci_id OPERATOR(pg_catalog.=) o.id"
		"  AND h.id OPERATOR(pg_catalog.<>) $1"
		"  AND x.version_after IS NOT NULL"
		"  AND h.verified_at IS NOT NULL AND h.rolled_back_at IS NULL"
		"  ORDER BY h.verified_at DESC, h.id DESC LIMIT 1) AS l ON true"
		" WHERE o.id OPERATOR(pg_catalog.=) c.id",
		1, {INT8OID}, NULL
	};
	Datum		argument = t->row->value[CH_id];

	if (t->verb == VERB_PASS && change_status(t->old) == STATUS_VERIFYING)
		kept_plan_execute(&passed, &argument, NULL, 0);
	else if (t->verb == VERB_ROLL_BACK &&
			 change_status(t->old) == STATUS_IMPLEMENTED)
	{
		kept_plan_execute(&lock, &argument, NULL, 0);
		kept_plan_execute(&rolled_back, &argument, NULL, 0);
	}
}

/* AFTER ROW trigger of change. */
Datum
lifecycle_judge(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "lifecycle_judge",
										 FOR_ROW | AT_AFTER, "change");
	TupleDesc	desc;
	ChangeRow	first;
	ChangeRow	second;
	Transition	t = {0};
	LedgerEntry entry;
	bytea	   *head;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);

	desc = RelationGetDescr(trigdata->tg_relation);
	change_row_read(&first, trigdata->tg_trigtuple, desc);

	SPI_connect();
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
	{
		if (change_status(&first) != STATUS_DRAFT)
			ereport(ERROR,
					(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
					 errmsg("change " INT64_FORMAT " is not deleted: it is %s",
							change_id_of(&first),
							status_code(change_status(&first))),
					 errhint("Only drafts can be deleted.")));
		/* what hides its trail is the row */
		if (change_bool(&first, confidential))
			ereport(ERROR,
					(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
					 errmsg("change " INT64_FORMAT " is not deleted: it is confidential",
							change_id_of(&first)),
					 errdetail("Its entries in the ledger stay, and would be for everybody."),
					 errhint("changemgmt.cancel() ends it.")));
		lifecycle_entry(&entry, VERB_NONE, &first, NULL);
		ledger_entry_write(&entry);
		SPI_finish();
		return PointerGetDatum(NULL);
	}

	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
	{
		t.row = &first;
		t.verb = VERB_CREATE;
	}
	else
	{
		change_row_read(&second, trigdata->tg_newtuple, desc);
		if (change_int64(&second, ledger_sequence) ==
			change_int64(&first, ledger_sequence))
		{
			/* the stamp saw nothing change, and a later trigger nothing else */
			for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
				if (!change_column_equal(&first, &second, i))
					kept_by_engine(&second, i,
								   "A trigger of the site wrote it after the stamp: give it a name that sorts before zzz_stamp.");
			SPI_finish();
			return PointerGetDatum(NULL);
		}
		t.old = &first;
		t.row = &second;
	}
	t.model = lifecycle_model(t.row);
	t.now = change_time(t.row, updated_at);
	if (t.old)
	{
		t.verb = lifecycle_verb(t.model, t.old, t.row);
		judge_update(&t);
	}
	else
		judge_insert(&t);

	if (!lifecycle_stamped(&entry, t.verb, t.old, t.row))
	{
		lifecycle_entry(&entry, t.verb, t.old, t.row);
		head = change_is_null(t.row, ledger_head) ? NULL :
			DatumGetByteaPP(t.row->value[CH_ledger_head]);
		if (head == NULL || VARSIZE_ANY_EXHDR(head) != LEDGER_HASH_LENGTH ||
			memcmp(VARDATA_ANY(head), entry.hash, LEDGER_HASH_LENGTH) != 0 ||
			change_int64(t.row, ledger_sequence) != entry.sequence)
			kept_by_engine(t.row, CH_ledger_head,
						   "A trigger of the site changed the row after the stamp: give it a name that sorts before zzz_stamp.");
	}
	ledger_entry_write(&entry);
	if (verb_call_of(t.row))
		verb_call->done = true;
	if (parts_touched_of(t.row))
		parts_touched->done = true;
	inventory_update(&t);
	if (t.verb == VERB_RESUME_WORK)
		checks_clear_trips(change_id_of(t.row));
	SPI_finish();
	return PointerGetDatum(NULL);
}
