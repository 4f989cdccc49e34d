/*-------------------------------------------------------------------------
 *
 * duty_rule.c
 *	  What may be done with a duty, and what doing it takes.
 *
 * What a duty asks for stays as it was given, and its row stays on record.  It
 * ends once: done, by who acts, or cancelled, by a manager.  What an emergency
 * owes is not cancelled by anybody.  What only the extension writes is told by
 * duty_call.
 *
 * Called by the triggers of the table duty.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "change_part.h"
#include "compat.h"
#include "duty.h"
#include "errors.h"
#include "ledger.h"
#include "lifecycle.h"
#include "person.h"

PG_FUNCTION_INFO_V1(duty_stamp);
PG_FUNCTION_INFO_V1(duty_judge);

/* A row of the table, as it was and as it was stored. */
typedef struct DutyEdit
{
	HeapTuple	old;			/* NULL for a new row */
	HeapTuple	new;
	TupleDesc	desc;
	Relation	rel;
	DutyKind	kind;
	ChangeRow	change;
	const ChangeModel *model;
} DutyEdit;

/* Whether the extension itself is doing this to a duty of this change. */
static bool
is_own_doing(DutyDoing doing, int64 change_id)
{
	return duty_call && duty_call->doing == doing &&
		(duty_call->change_id == 0 || duty_call->change_id == change_id);
}

static bool
is_any_own_doing(int64 change_id)
{
	return duty_call &&
		(duty_call->change_id == 0 || duty_call->change_id == change_id);
}

static bool
is_null(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;

	(void) part_value(tuple, desc, column, &isnull);
	return isnull;
}

static char *
text_of(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;
	Datum		value = part_value(tuple, desc, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static bool
is_blank(const char *text)
{
	return text == NULL || strspn(text, " \t\r\n") == strlen(text);
}

static TimestampTz
time_of(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;

	return DatumGetTimestampTz(part_value(tuple, desc, column, &isnull));
}

/* "duty 7 (post_mortem of CHG0000042)"; a new one has no number to be named by */
static char *
duty_words(const DutyEdit *edit)
{
	HeapTuple	row = edit->new ? edit->new : edit->old;

	if (edit->old == NULL)
		return psprintf("a duty %s of %s", duty_kind_code(edit->kind),
						change_number_text(part_change_id(row, edit->desc)));
	return psprintf("duty " INT64_FORMAT " (%s of %s)",
					part_id(row, edit->desc, "id"), duty_kind_code(edit->kind),
					change_number_text(part_change_id(row, edit->desc)));
}

static void
refuse(const DutyEdit *edit, int sqlstate, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(sqlstate), err_as_caller(),
			 errmsg("%s %s", duty_words(edit), what),
			 errhint("%s", hint), errtable(edit->rel)));
}

/* ----------------------------------------------------------------
 * Before the row: lock and stamp
 * ---------------------------------------------------------------- */

/* BEFORE ROW trigger of duty. */
Datum
duty_stamp(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "duty_stamp",
										 FOR_ROW | AT_BEFORE, "duty");
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	bool		is_new = TRIGGER_FIRED_BY_INSERT(trigdata->tg_event);
	HeapTuple	tuple = is_new ? trigdata->tg_trigtuple : trigdata->tg_newtuple;
	ChangeRow	row;
	int64		change_id;
	int			column;
	Datum		value;
	bool		isnull = false;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(tuple);
	change_id = part_change_id(tuple, desc);
	if (is_null(tuple, desc, "change_id") ||
		is_own_doing(DUTY_DO_FLAG, change_id))
		return PointerGetDatum(tuple);	/* NOT NULL refuses the one */
	value = part_value(tuple, desc, "kind", &isnull);
	if (!isnull)
		code_check("duty_kind", value, "kind");
	isnull = false;

	/*
	 * Whoever ends the work, or closes, meets who writes a duty here.  What the
	 * extension does follows from a row of the change, or of a part of it, that
	 * this transaction has written: the change is locked.
	 */
	if (!is_any_own_doing(change_id))
	{
		SPI_connect();
		if (!change_read(&row, change_id, true))
			change_unknown(change_id);
		SPI_finish();
	}
	if (is_new)
	{
		column = SPI_fnumber(desc, "created_at");
		value = TimestampTzGetDatum(GetCurrentTimestamp());
	}
	else if (is_null(trigdata->tg_trigtuple, desc, "done_at") &&
			 !is_null(tuple, desc, "done_at") &&
			 is_null(tuple, desc, "done_by_id") &&
			 !is_own_doing(DUTY_DO_FINISH, change_id))
	{
		column = SPI_fnumber(desc, "done_by_id");
		value = Int64GetDatum(actor_person_required());
	}
	else if (is_null(trigdata->tg_trigtuple, desc, "cancelled_at") &&
			 !is_null(tuple, desc, "cancelled_at"))
	{
		column = SPI_fnumber(desc, "cancelled_at");
		value = TimestampTzGetDatum(GetCurrentTimestamp());
	}
	else
		return PointerGetDatum(tuple);
	return PointerGetDatum(heap_modify_tuple_by_cols(tuple, desc, 1, &column,
													 &value, &isnull));
}

/* ----------------------------------------------------------------
 * What doing it takes
 * ---------------------------------------------------------------- */

/* What the post-mortem of a change lacks; NULL where it lacks nothing. */
static char *
post_mortem_lacks(int64 change_id)
{
	static KeptPlan written = {
		"SELECT pg_catalog.bool_or(pg_catalog.btrim(causes) OPERATOR(pg_catalog.<>) ''),"
		" pg_catalog.bool_or(pg_catalog.btrim(lessons) OPERATOR(pg_catalog.<>) ''),"
		" pg_catalog.bool_or(pg_catalog.btrim(actions) OPERATOR(pg_catalog.<>) '')"
		" FROM changemgmt.change_review"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND kind OPERATOR(pg_catalog.=) 'post_mortem'",
		1, {INT8OID}, NULL
	};
	static const char *const parts[] = {"causes", "lessons", "actions"};
	Datum		argument = Int64GetDatum(change_id);
	StringInfoData buf;

	initStringInfo(&buf);
	if (relation_exists("change_review"))
		kept_plan_execute(&written, &argument, NULL, 0);
	for (int i = 0; i < 3; i++)
	{
		bool		isnull = true;
		bool		there = false;

		if (relation_exists("change_review"))
			there = DatumGetBool(spi_first_value(i + 1, &isnull));
		if (isnull || !there)
			text_list_add(&buf, parts[i]);
	}
	return buf.len > 0 ? buf.data : NULL;
}

bool
duty_validation_is_recorded(const ChangeRow *row, DutyKind kind)
{
	static KeptPlan find = {
		"SELECT FROM changemgmt.change_check"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND stage OPERATOR(pg_catalog.=) $2 AND passed IS NOT NULL"
		" AND checked_at OPERATOR(pg_catalog.>=) $3",
		3, {INT8OID, TEXTOID, TIMESTAMPTZOID}, NULL
	};
	Datum		arguments[3];
	int			days = kind == KIND_VALIDATION_24_HOURS ? 1 : 7;

	if (change_is_null(row, deployed_at) ||
		change_time(row, deployed_at) + days * USECS_PER_DAY > GetCurrentTimestamp())
		return false;
	arguments[0] = row->value[CH_id];
	arguments[1] = CStringGetTextDatum(days == 1 ? "24_hours" : "7_days");
	arguments[2] = TimestampTzGetDatum(change_time(row, deployed_at) +
									   days * USECS_PER_DAY);
	kept_plan_execute(&find, arguments, NULL, 1);
	return SPI_processed > 0;
}

static void
refuse_part(const DutyEdit *edit, int64 person, const char *hint)
{
	const char *part = review_part_had(part_change_id(edit->new, edit->desc), person);

	if (part)
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEGREGATION_OF_DUTIES), err_as_caller(),
				 errmsg("%s is not for the %s of the change", duty_words(edit),
						strcmp(part, "one of the implementers") == 0 ? "implementers" : part),
				 errhint("%s", hint), errtable(edit->rel)));
}

/*
 * Who authorised the change confirms that, or who votes in that person's place;
 * where that person has left, a manager.  In the place of another, nobody who
 * had a part in the change.
 */
static void
refuse_confirmer(const DutyEdit *edit, int64 by)
{
	int64		authoriser = change_int64(&edit->change, authorised_by_id);

	if (by == authoriser && by != 0)
		return;
	if (!duty_delegate(authoriser, by) &&
		(authoriser == 0 || person_is_active(authoriser) || !person_is_manager(by)))
		refuse(edit, ERRCODE_MC_NOT_PERMITTED,
			   authoriser == 0 ?
			   "has nobody to do it: no authoriser is named" :
			   psprintf("is for %s, who authorised the change", person_login(authoriser)),
			   "Whoever authorised it confirms that, or to whom that person has delegated approvals; a manager, where that person is no longer active.");
	refuse_part(edit, by, "Somebody who had no part in it confirms it in the place of who authorised it.");
}

/* A duty that somebody could never do is not theirs. */
static void
judge_person(const DutyEdit *edit)
{
	int64		person = part_id(edit->new, edit->desc, "person_id");

	if (person == 0)
		return;
	if (edit->kind == KIND_INDEPENDENT_REVIEW)
		refuse_part(edit, person, "Somebody who had no part in it reviews it.");
	if (edit->kind == KIND_AUTHORISER_CONFIRMATION)
		refuse_confirmer(edit, person);
}

/* What is missing for a duty to be done (MC002), and who may not do it. */
static void
judge_content(const DutyEdit *edit, int64 by, bool own)
{
	int64		change_id = part_change_id(edit->new, edit->desc);
	char	   *result = text_of(edit->new, edit->desc, "result");
	char	   *missing = NULL;

	switch (edit->kind)
	{
		case KIND_ROOT_CAUSE:
			if (is_blank(result))
				refuse(edit, ERRCODE_MC_REQUIREMENTS_UNMET, "is done by saying what the root cause was",
					   "changemgmt.complete_duty(duty_id, 'the root cause in short').");
			break;
		case KIND_RESOLUTION_SUMMARY:
			if (is_blank(result))
				refuse(edit, ERRCODE_MC_REQUIREMENTS_UNMET, "is done by saying what resolved it",
					   "changemgmt.complete_duty(duty_id, 'the resolution in short').");
			break;
		case KIND_FULL_RECORD:
			missing = plan_lacks(&edit->change);
			if (missing)
				refuse(edit, ERRCODE_MC_REQUIREMENTS_UNMET,
					   psprintf("is not done: the record lacks %s", missing),
					   psprintf("changemgmt.edit_change(" INT64_FORMAT ", ...), add_item, add_risk and add_check write it down.",
								change_id));
			break;
		case KIND_AUTHORISER_CONFIRMATION:
			refuse_confirmer(edit, by);
			break;
		case KIND_POST_MORTEM:
			missing = post_mortem_lacks(change_id);
			if (missing)
				refuse(edit, ERRCODE_MC_REQUIREMENTS_UNMET,
					   psprintf("is not done: the post-mortem lacks %s", missing),
					   "Write it down as a review of kind post_mortem, with causes, lessons and actions.");
			break;
		case KIND_INDEPENDENT_REVIEW:
			refuse_part(edit, by, "Somebody who had no part in it reviews it.");
			if (!own && is_blank(result))
				refuse(edit, ERRCODE_MC_REQUIREMENTS_UNMET, "is done by saying what the review found",
					   "changemgmt.complete_duty(duty_id, 'what the review found').");
			break;
		case KIND_POST_IMPLEMENTATION_REVIEW:
			if (!own && is_blank(result))
				refuse(edit, ERRCODE_MC_REQUIREMENTS_UNMET, "is done by saying what was learned",
					   "changemgmt.complete_duty(duty_id, 'what was learned').");
			break;
		case KIND_VALIDATION_24_HOURS:
		case KIND_VALIDATION_7_DAYS:
			if (!own && !duty_validation_is_recorded(&edit->change, edit->kind))
				refuse(edit, ERRCODE_MC_REQUIREMENTS_UNMET, "is done by the result of a check of its stage, at its time",
					   "changemgmt.record_check(check_id, passed, observed).");
			break;
		case KIND_ROLLBACK_DECISION:
			if (!own)
				refuse(edit, ERRCODE_MC_REQUIREMENTS_UNMET, "is done by the decision itself",
					   "changemgmt.roll_back(), fail(), or pass() with the issues that are acceptable.");
			break;
		default:
			break;
	}
}

/* When it was done: not in the future, nor before there was anything to do. */
static void
judge_time(const DutyEdit *edit)
{
	TimestampTz at = time_of(edit->new, edit->desc, "done_at");
	TimestampTz from = time_of(edit->new, edit->desc, "created_at");
	TimestampTz now = GetCurrentTimestamp();
	int			late = edit->model->late_hours;

	if (TIMESTAMP_NOT_FINITE(at) || at > now)
		refuse(edit, ERRCODE_MC_INVALID_INPUT, "cannot be done in the future",
			   "Leave the time out.");
	if (!change_is_null(&edit->change, actual_start))
		from = Min(from, change_time(&edit->change, actual_start));
	if (at < from)
		refuse(edit, ERRCODE_MC_INVALID_INPUT,
			   psprintf("cannot be done before %s", timestamptz_to_str(from)),
			   "Leave the time out, or give the real one.");
	if (late < 0)
		return;
	if (at < (late == 0 ? GetCurrentStatementStartTimestamp() :
			  now - late * USECS_PER_HOUR))
		refuse(edit, ERRCODE_MC_INVALID_INPUT, "was not done that long ago",
			   late == 0 ?
			   psprintf("Model \"%s\" records things when they are done: leave the time out.",
						edit->model->key) :
			   psprintf("Model \"%s\" takes times of the last %d hours.",
						edit->model->key, late));
}

/* ----------------------------------------------------------------
 * Who may, and what stays
 * ---------------------------------------------------------------- */

/* Whether a person may give duties of this change, or give them away. */
static bool
has_charge(const DutyEdit *edit, int64 person, bool coordinator)
{
	return person == change_int64(&edit->change, owner_id) ||
		(coordinator && person == change_int64(&edit->change, coordinator_id)) ||
		person_is_manager(person);
}

static void
judge_insert(const DutyEdit *edit)
{
	static const char *const later[] = {
		"done_at", "done_by_id", "result", "cancelled_at", "cancel_reason",
		"flagged_at", "escalated_at", "escalated_to_id", "check_id"
	};
	int64		change_id = part_change_id(edit->new, edit->desc);

	if (!part_time_is_now(time_of(edit->new, edit->desc, "created_at")))
		refuse(edit, ERRCODE_MC_SEALED_CONTENT, "begins when it is given",
			   "A trigger of the site changed created_at: give it a name that sorts before zzz_duty.");
	if (is_own_doing(DUTY_DO_ASSIGN, change_id))
		return;
	for (size_t i = 0; i < lengthof(later); i++)
		if (!is_null(edit->new, edit->desc, later[i]))
			refuse(edit, ERRCODE_MC_SEALED_CONTENT,
				   psprintf("has no %s yet", later[i]), "Leave it out.");
	if (edit->kind == KIND_ROLLBACK_DECISION)
		refuse(edit, ERRCODE_MC_INVALID_INPUT, "comes by itself when a rollback trigger is tripped",
			   "changemgmt.record_check(check_id, ...) records what was observed.");
	if (edit->kind == KIND_AUTHORISER_CONFIRMATION &&
		change_is_null(&edit->change, authorised_by_id))
		refuse(edit, ERRCODE_MC_INVALID_INPUT, "has nobody to do it: no authoriser is named",
			   "Only an emergency has one.");
	if (!has_charge(edit, actor_person_required(), true))
		refuse(edit, ERRCODE_MC_NOT_PERMITTED, "is not yours to give",
			   "The owner and the coordinator of a change give its duties, or a manager does.");
	judge_person(edit);
}

/* What its model makes an emergency, or what was found, owe. */
static bool
is_owed(const DutyEdit *edit)
{
	return edit->model->documented_after &&
		model_duty(edit->model, edit->kind) != NULL;
}

static void
judge_ended(const DutyEdit *edit)
{
	HeapTuple	old = edit->old;
	TupleDesc	desc = edit->desc;

	if (!is_null(old, desc, "done_at"))
	{
		char	   *who = person_login(part_id(old, desc, "done_by_id"));

		refuse(edit, ERRCODE_MC_ILLEGAL_TRANSITION,
			   psprintf("was done%s%s at %s", who ? " by " : "", who ? who : "",
						timestamptz_to_str(time_of(old, desc, "done_at"))),
			   "What is to be added goes into a comment: changemgmt.add_comment(change_id, body).");
	}
	refuse(edit, ERRCODE_MC_ILLEGAL_TRANSITION,
		   psprintf("was cancelled at %s: %s",
					timestamptz_to_str(time_of(old, desc, "cancelled_at")),
					text_of(old, desc, "cancel_reason")),
		   "changemgmt.assign_duty(change_id, kind, ...) gives a new one.");
}

static void
judge_update(const DutyEdit *edit)
{
	static const char *const all[] = {
		"change_id", "kind", "title", "person_id", "due_at", "repeat_minutes",
		"check_id", "created_at", "done_at", "done_by_id", "result",
		"cancelled_at", "cancel_reason", "flagged_at", "escalated_at",
		"escalated_to_id", NULL
	};
	static const char *const fixed[] = {
		"change_id", "kind", "title", "due_at", "repeat_minutes", "check_id",
		"created_at", NULL
	};
	static const char *const person[] = {"person_id", NULL};
	static const char *const flags[] = {
		"flagged_at", "escalated_at", "escalated_to_id", NULL
	};
	static const char *const unflagged[] = {
		"person_id", "done_at", "done_by_id", "result", "cancelled_at",
		"cancel_reason", NULL
	};
	HeapTuple	old = edit->old;
	HeapTuple	new = edit->new;
	TupleDesc	desc = edit->desc;
	int64		change_id = part_change_id(old, desc);
	bool		done;
	bool		cancelled;

	if (part_same(old, new, desc, all))
		return;
	if (!part_same(old, new, desc, fixed))
		refuse(edit, ERRCODE_MC_SEALED_CONTENT, "stays what it is: kind, title, time and change of a duty do not change",
			   "A manager cancels it with changemgmt.cancel_duty(duty_id, reason), and assign_duty() gives another.");
	if (!is_null(old, desc, "done_at") || !is_null(old, desc, "cancelled_at"))
		judge_ended(edit);
	if (is_own_doing(DUTY_DO_FLAG, change_id) ?
		!part_same(old, new, desc, unflagged) : !part_same(old, new, desc, flags))
		refuse(edit, ERRCODE_MC_SEALED_CONTENT, "is flagged and escalated by tick() alone",
			   "Leave flagged_at, escalated_at and escalated_to_id out.");
	done = !is_null(new, desc, "done_at");
	cancelled = !is_null(new, desc, "cancelled_at");
	if ((!done && (!is_null(new, desc, "done_by_id") || !is_null(new, desc, "result"))) ||
		(!cancelled && !is_null(new, desc, "cancel_reason")))
		refuse(edit, ERRCODE_MC_SEALED_CONTENT, "is not done: who did it and what came of it are written when it is",
			   "changemgmt.complete_duty(duty_id, result).");
	if (done && cancelled)
		refuse(edit, ERRCODE_MC_INVALID_INPUT, "is either done or cancelled",
			   "changemgmt.complete_duty(duty_id, result).");
	if (!part_same(old, new, desc, person))
	{
		if (!has_charge(edit, actor_person_required(), false))
			refuse(edit, ERRCODE_MC_NOT_PERMITTED, "is not yours to give to somebody else",
				   "The owner of the change does, or a manager.");
		judge_person(edit);
	}
	if (done)
	{
		bool		own = is_own_doing(DUTY_DO_FINISH, change_id);
		int64		by = part_id(new, desc, "done_by_id");

		if (!own)
		{
			if (by != actor_person_required())
				refuse(edit, ERRCODE_MC_NOT_PERMITTED, "is done by who acts",
					   "Leave done_by_id out: it is filled in.");
			judge_time(edit);
		}
		judge_content(edit, by, own);
	}
	if (cancelled && !is_own_doing(DUTY_DO_CANCEL, change_id))
	{
		if (is_blank(text_of(new, desc, "cancel_reason")))
			refuse(edit, ERRCODE_MC_REQUIREMENTS_UNMET, "is cancelled with a reason",
				   "changemgmt.cancel_duty(duty_id, reason).");
		if (!person_is_manager(actor_person_required()))
			refuse(edit, ERRCODE_MC_NOT_PERMITTED, "is cancelled by a manager",
				   "Who holds the seat of change_manager on a board may.");
		if (is_owed(edit) || edit->kind == KIND_ROLLBACK_DECISION)
			refuse(edit, ERRCODE_MC_NOT_PERMITTED, "is not cancelled by anybody",
				   is_owed(edit) ?
				   "An emergency, and a change that is recorded afterwards, owes what its model asks for." :
				   "changemgmt.roll_back(), fail(), or pass() with issues decides it.");
		if (!part_time_is_now(time_of(new, desc, "cancelled_at")))
			refuse(edit, ERRCODE_MC_SEALED_CONTENT, "is cancelled at the time of the statement",
				   "A trigger of the site changed cancelled_at: give it a name that sorts before zzz_duty.");
	}
}

/* What is due again, as long as there is something to tell. */
static void
duty_repeat(const DutyEdit *edit)
{
	HeapTuple	new = edit->new;
	TupleDesc	desc = edit->desc;
	Status		status = change_status(&edit->change);
	bool		isnull;
	int			minutes = DatumGetInt32(part_value(new, desc, "repeat_minutes", &isnull));

	if (isnull || status == STATUS_CLOSED || status == STATUS_CANCELLED ||
		(edit->kind == KIND_PROGRESS_UPDATE && status != STATUS_IN_PROGRESS))
		return;
	(void) duty_assign(part_change_id(new, desc), duty_kind_code(edit->kind),
					   text_of(new, desc, "title"),
					   part_id(new, desc, "person_id"),
					   time_of(new, desc, "done_at") + minutes * USECS_PER_MINUTE,
					   minutes, 0);
}

/* AFTER ROW trigger of duty: the rules, on the row as it was stored. */
Datum
duty_judge(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "duty_judge",
										 FOR_ROW | AT_AFTER, "duty");
	static const char *const person[] = {"person_id", NULL};
	DutyEdit	edit = {0};
	int64		change_id;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	edit.rel = trigdata->tg_relation;
	edit.desc = RelationGetDescr(edit.rel);
	if (!TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		edit.old = trigdata->tg_trigtuple;
	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		edit.new = trigdata->tg_trigtuple;
	else if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		edit.new = trigdata->tg_newtuple;
	(void) duty_kind_parse(text_of(edit.old ? edit.old : edit.new, edit.desc, "kind"),
						   &edit.kind);
	if (edit.new == NULL)
		refuse(&edit, ERRCODE_MC_APPEND_ONLY, "stays on record",
			   "changemgmt.complete_duty(duty_id, result) ends it, or a manager's cancel_duty(duty_id, reason).");

	/* to give a duty, or to end one that is idle, asks nothing of the change */
	change_id = part_change_id(edit.old ? edit.old : edit.new, edit.desc);
	if (edit.old == NULL && is_own_doing(DUTY_DO_ASSIGN, change_id))
	{
		judge_insert(&edit);
		return PointerGetDatum(NULL);
	}
	if (edit.old && is_own_doing(DUTY_DO_CANCEL, change_id) &&
		!is_null(edit.new, edit.desc, "cancelled_at") &&
		part_same(edit.old, edit.new, edit.desc, person))
	{
		judge_update(&edit);
		return PointerGetDatum(NULL);
	}
	SPI_connect();
	if (!change_read(&edit.change, change_id, false))
	{
		/* the foreign key refuses it */
		SPI_finish();
		return PointerGetDatum(NULL);
	}
	edit.model = lifecycle_model(&edit.change);
	if (edit.old == NULL)
		judge_insert(&edit);
	else
	{
		judge_update(&edit);
		if (is_null(edit.old, edit.desc, "done_at") &&
			!is_null(edit.new, edit.desc, "done_at"))
			duty_repeat(&edit);
	}
	SPI_finish();
	return PointerGetDatum(NULL);
}
