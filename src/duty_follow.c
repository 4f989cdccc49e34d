/*-------------------------------------------------------------------------
 *
 * duty_follow.c
 *	  Duties come and go with the steps of their change.
 *
 * A trigger on change, which fires after the judge, gives the duties that the
 * model names for a step, and ends those that the step makes idle; one on
 * change_check ends validations, and asks for a decision where a rollback trigger
 * was tripped; one on reviews and communications ends what they do.  What closing
 * waits for, who is kept from the next change by being late, and what is due next
 * is asked here, too.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "change_part.h"
#include "compat.h"
#include "duty.h"
#include "errors.h"
#include "ledger.h"
#include "lifecycle.h"
#include "person.h"
#include "types_setting.h"

PG_FUNCTION_INFO_V1(duty_follow);
PG_FUNCTION_INFO_V1(duty_check);
PG_FUNCTION_INFO_V1(duty_part);

#define V(verb) VERB_BIT(VERB_##verb)

/* What ends the work, where it was under way. */
#define WORK_ENDS (V(COMPLETE) | V(FAIL) | V(ROLL_BACK))

/* It comes again, and was done: there would be no end of it. */
#define IS_AGAIN \
	" (repeat_minutes IS NOT NULL AND EXISTS (SELECT FROM changemgmt.duty AS b" \
	"  WHERE b.change_id OPERATOR(pg_catalog.=) $1 AND b.done_at IS NOT NULL" \
	"  AND b.kind OPERATOR(pg_catalog.=) duty.kind))"

/* Open duties of a kind of the list, or of any (NULL), are over. */
static void
duties_cancel(int64 change_id, const char *kinds, const char *why)
{
	static KeptPlan cancel = {
		"UPDATE changemgmt.duty SET cancelled_at = pg_catalog.now(), cancel_reason = $3"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND ($2 IS NULL OR kind OPERATOR(pg_catalog.=)"
		"  ANY (pg_catalog.string_to_array($2, ' ')))"
		" AND " DUTY_IS_OPEN,
		3, {INT8OID, TEXTOID, TEXTOID}, NULL
	};
	Datum		arguments[3];
	char		nulls[3] = {' ', kinds ? ' ' : 'n', ' '};

	arguments[0] = Int64GetDatum(change_id);
	arguments[1] = kinds ? CStringGetTextDatum(kinds) : (Datum) 0;
	arguments[2] = CStringGetTextDatum(why);
	duty_execute(&cancel, arguments, nulls, change_id, DUTY_DO_CANCEL);
}

/* What would come again for ever ends with the change. */
static void
duties_close(int64 change_id)
{
	static KeptPlan cancel = {
		"UPDATE changemgmt.duty SET cancelled_at = pg_catalog.now(),"
		" cancel_reason = 'the change is closed'"
		" WHERE change_id OPERATOR(pg_catalog.=) $1 AND " DUTY_IS_OPEN
		" AND (kind OPERATOR(pg_catalog.=) 'progress_update'"
		"  OR kind OPERATOR(pg_catalog.=) 'steering_report' OR" IS_AGAIN ")",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(change_id);

	duty_execute(&cancel, &argument, NULL, change_id, DUTY_DO_CANCEL);
}

/* What a change has of duties that were not cancelled. */
typedef struct Standing
{
	uint32		open;			/* bits of DutyKind */
	uint32		any;
} Standing;

#define KIND_BIT(kind) (((uint32) 1) << (kind))

static Standing
duties_standing(int64 change_id)
{
	static KeptPlan find = {
		"SELECT kind, done_at IS NULL FROM changemgmt.duty"
		" WHERE change_id OPERATOR(pg_catalog.=) $1 AND cancelled_at IS NULL",
		1, {INT8OID}, NULL
	};
	Standing	standing = {0, 0};
	Datum		argument = Int64GetDatum(change_id);

	kept_plan_execute(&find, &argument, NULL, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		DutyKind	kind;
		bool		isnull;

		if (!duty_kind_parse(SPI_getvalue(tuple, desc, 1), &kind))
			continue;
		standing.any |= KIND_BIT(kind);
		if (DatumGetBool(SPI_getbinval(tuple, desc, 2, &isnull)))
			standing.open |= KIND_BIT(kind);
	}
	SPI_freetuptable(SPI_tuptable);
	return standing;
}

/* ----------------------------------------------------------------
 * Steps of the change
 * ---------------------------------------------------------------- */

static TimestampTz
duty_due(const ModelDuty *duty, const ChangeRow *row)
{
	TimestampTz from = GetCurrentTimestamp();

	if (strcmp(duty->from, "now") != 0)
		for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
			if (strcmp(change_column_names[i], duty->from) == 0 &&
				!row->isnull[i])
				from = DatumGetTimestampTz(row->value[i]);
	return from + duty->minutes * USECS_PER_MINUTE;
}

/* Who is to do it, where nobody says otherwise; 0: nobody is named. */
static int64
duty_person(DutyKind kind, const ChangeRow *row)
{
	if (kind == KIND_AUTHORISER_CONFIRMATION)
		return change_int64(row, authorised_by_id);
	/* who had a part in it is not asked */
	if (kind == KIND_INDEPENDENT_REVIEW)
		return 0;
	if (!change_is_null(row, owner_id))
		return change_int64(row, owner_id);
	if (!change_is_null(row, implementer_id))
		return change_int64(row, implementer_id);
	return change_int64(row, author_id);
}

static Datum
array_of(Datum *values, int n, Oid type, bool by_value, int length)
{
	return PointerGetDatum(construct_array(values, n, type, length, by_value,
										   length < 0 ? TYPALIGN_INT : TYPALIGN_DOUBLE));
}

/*
 * The duties that the model names for this step, in one statement: the server
 * reads the checks of a table anew for each.
 */
static void
duties_give(const ChangeModel *model, Verb verb, const ChangeRow *old,
			const ChangeRow *new)
{
	static KeptPlan insert = {
		"INSERT INTO changemgmt.duty (change_id, kind, title, person_id, due_at, repeat_minutes)"
		" SELECT $1, u.kind, u.title,"
		" CASE WHEN u.person OPERATOR(pg_catalog.<>) 0 THEN u.person END, u.due,"
		" CASE WHEN u.minutes OPERATOR(pg_catalog.<>) 0 THEN u.minutes::pg_catalog.int4 END"
		" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3),"
		"  pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6))"
		"  WITH ORDINALITY AS u(kind, title, person, due, minutes, place)"
		" ORDER BY u.place",
		6, {INT8OID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID,
		INT8ARRAYOID}, NULL
	};
	int			count = list_length(model->duties);
	Datum	   *kinds = palloc(count * sizeof(Datum));
	Datum	   *titles = palloc(count * sizeof(Datum));
	Datum	   *people = palloc(count * sizeof(Datum));
	Datum	   *times = palloc(count * sizeof(Datum));
	Datum	   *repeats = palloc(count * sizeof(Datum));
	Datum		arguments[6];
	int			n = 0;
	bool		working = old && change_status(old) == STATUS_IN_PROGRESS;
	Standing	standing = {0, 0};
	ListCell   *lc;

	if (verb != VERB_CREATE)
		standing = duties_standing(change_id_of(new));
	foreach(lc, model->duties)
	{
		const ModelDuty *duty = lfirst(lc);
		uint32		bit = KIND_BIT(duty->kind);

		if (!(duty->verbs & VERB_BIT(verb)) ||
			(strcmp(duty->on, "end") == 0 && !working))
			continue;
		/* a step that is taken again asks again only for what has a time anew */
		if (standing.open & bit)
			continue;
		if (duty->is_validation ? duty_validation_is_recorded(new, duty->kind) :
			duty->repeat_minutes == 0 && (standing.any & bit))
			continue;
		kinds[n] = CStringGetTextDatum(duty_kind_code(duty->kind));
		titles[n] = CStringGetTextDatum(duty_kind_title(duty->kind));
		people[n] = Int64GetDatum(duty_person(duty->kind, new));
		times[n] = TimestampTzGetDatum(duty_due(duty, new));
		repeats[n++] = Int64GetDatum(duty->repeat_minutes);
	}
	if (n == 0)
		return;
	arguments[0] = new->value[CH_id];
	arguments[1] = array_of(kinds, n, TEXTOID, false, -1);
	arguments[2] = array_of(titles, n, TEXTOID, false, -1);
	arguments[3] = array_of(people, n, INT8OID, FLOAT8PASSBYVAL, sizeof(int64));
	arguments[4] = array_of(times, n, TIMESTAMPTZOID, FLOAT8PASSBYVAL, sizeof(int64));
	arguments[5] = array_of(repeats, n, INT8OID, FLOAT8PASSBYVAL, sizeof(int64));
	duty_execute(&insert, arguments, NULL, change_id_of(new), DUTY_DO_ASSIGN);
}

/* The work is taken up again: what was due after its end is not, updates are. */
static void
duties_resume(const ChangeModel *model, const ChangeRow *row)
{
	const ModelDuty *update = model_duty(model, KIND_PROGRESS_UPDATE);
	StringInfoData kinds;
	ListCell   *lc;

	initStringInfo(&kinds);
	foreach(lc, model->duties)
	{
		const ModelDuty *duty = lfirst(lc);

		if (duty->verbs & V(COMPLETE))
			appendStringInfo(&kinds, "%s%s", kinds.len > 0 ? " " : "",
							 duty_kind_code(duty->kind));
	}
	if (kinds.len > 0)
		duties_cancel(change_id_of(row), kinds.data, "the work goes on");
	if (update && update->repeat_minutes > 0 &&
		!(duties_standing(change_id_of(row)).open & KIND_BIT(KIND_PROGRESS_UPDATE)))
		(void) duty_assign(change_id_of(row), duty_kind_code(KIND_PROGRESS_UPDATE),
						   NULL, duty_person(KIND_PROGRESS_UPDATE, row),
						   GetCurrentTimestamp() + update->repeat_minutes * USECS_PER_MINUTE,
						   update->repeat_minutes, 0);
}

/* What this step makes idle, or does itself. */
static void
duties_end(const ChangeModel *model, Verb verb, const ChangeRow *old,
		   const ChangeRow *new)
{
	int64		id = change_id_of(new);
	bool		working = change_status(old) == STATUS_IN_PROGRESS;
	bool		with_issues = change_outcome(new) == OUTCOME_SUCCESSFUL_WITH_ISSUES;

	if ((VERB_BIT(verb) & WORK_ENDS) && working && model->duties != NIL)
		duties_cancel(id, "progress_update", "fixed");
	switch (verb)
	{
		case VERB_FAIL:
		case VERB_ROLL_BACK:
			duty_finish(id, "rollback_decision", actor_person(),
						GetCurrentTimestamp(), verb_name(verb));
			duties_cancel(id, "validation_24_hours validation_7_days",
						  verb == VERB_FAIL ? "the change failed" :
						  "the change was rolled back");
			break;
		case VERB_PASS:
			if (with_issues)
				duty_finish(id, "rollback_decision", actor_person(),
							GetCurrentTimestamp(), "pass with issues");
			break;
		case VERB_ABORT:
			duties_cancel(id, NULL, "nothing was applied");
			break;
		case VERB_CANCEL:
			duties_cancel(id, NULL, "the change is cancelled");
			break;
		case VERB_CLOSE:
			duties_close(id);
			break;
		default:
			break;
	}
}

/* Whether a column is the same in two rows, without taking all of them apart. */
static bool
column_same(HeapTuple old, HeapTuple new, TupleDesc desc, ChangeColumn column)
{
	AttrNumber	attnum = change_column_attnum(column);
	bool		old_isnull;
	bool		new_isnull;
	Datum		old_value = heap_getattr(old, attnum, desc, &old_isnull);
	Datum		new_value = heap_getattr(new, attnum, desc, &new_isnull);

	if (old_isnull || new_isnull)
		return old_isnull == new_isnull;
	return datum_image_eq(old_value, new_value, false, -1);
}

/* AFTER ROW trigger of change, after the judge: its duties follow. */
Datum
duty_follow(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "duty_follow",
										 FOR_ROW | AT_AFTER, "change");
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	const ChangeModel *model;
	ChangeRow	old;
	ChangeRow	new;
	bool		is_new = TRIGGER_FIRED_BY_INSERT(trigdata->tg_event);
	Verb		verb = VERB_CREATE;

	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ||
		ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	if (!is_new)
	{
		/* what changes none of these begins or ends no duty */
		if (parts_touched == NULL && verb_call && verb_call->verb == VERB_PASS)
			;					/* may be passed again for the same reason */
		else if (column_same(trigdata->tg_trigtuple, trigdata->tg_newtuple, desc,
						CH_status) &&
			column_same(trigdata->tg_trigtuple, trigdata->tg_newtuple, desc,
						CH_outcome) &&
			column_same(trigdata->tg_trigtuple, trigdata->tg_newtuple, desc,
						CH_status_reason))
			return PointerGetDatum(NULL);
		change_row_read(&old, trigdata->tg_trigtuple, desc);
	}
	change_row_read(&new, is_new ? trigdata->tg_trigtuple : trigdata->tg_newtuple,
					desc);
	model = lifecycle_model(&new);
	if (!is_new)
		verb = verb_call && verb_call->change_id == change_id_of(&new) ?
			verb_call->verb :	/* which the judge is through with */
			lifecycle_verb(model, &old, &new);
	if (!(model->duty_verbs & VERB_BIT(verb)) &&
		!(VERB_BIT(verb) & (V(FAIL) | V(ROLL_BACK) | V(ABORT) | V(CANCEL) | V(CLOSE))) &&
		!(verb == VERB_PASS &&
		  change_outcome(&new) == OUTCOME_SUCCESSFUL_WITH_ISSUES) &&
		!((VERB_BIT(verb) & (V(COMPLETE) | V(RESUME_WORK))) &&
		  model_duty(model, KIND_PROGRESS_UPDATE)))
		return PointerGetDatum(NULL);

	SPI_connect();
	if (!is_new)
		duties_end(model, verb, &old, &new);
	if (verb == VERB_RESUME_WORK)
		duties_resume(model, &new);
	if (model->duty_verbs & VERB_BIT(verb))
		duties_give(model, verb, is_new ? NULL : &old, &new);
	SPI_finish();
	return PointerGetDatum(NULL);
}

/* ----------------------------------------------------------------
 * What was found, written and sent
 * ---------------------------------------------------------------- */

static bool
has_value(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;

	if (tuple == NULL || SPI_fnumber(desc, column) <= 0)
		return false;
	(void) part_value(tuple, desc, column, &isnull);
	return !isnull;
}

/* A result of a validation at its time does it. */
static void
validation_follow(HeapTuple new, TupleDesc desc, DutyKind kind)
{
	int64		change_id = part_change_id(new, desc);
	ChangeRow	row;
	bool		isnull;
	bool		passed = DatumGetBool(part_value(new, desc, "passed", &isnull));

	if (!change_read(&row, change_id, false) ||
		!duty_validation_is_recorded(&row, kind))
		return;
	duty_finish(change_id, duty_kind_code(kind), part_id(new, desc, "checked_by_id"),
				DatumGetTimestampTz(part_value(new, desc, "checked_at", &isnull)),
				psprintf("check " INT64_FORMAT " %s", part_id(new, desc, "id"),
						 passed ? "passed" : "failed"));
}

/* Where a rollback trigger was tripped, somebody has to decide at once. */
static void
decision_follow(HeapTuple old, HeapTuple new, TupleDesc desc)
{
	static KeptPlan cancel = {
		"UPDATE changemgmt.duty SET cancelled_at = pg_catalog.now(),"
		" cancel_reason = 'the work goes on'"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND kind OPERATOR(pg_catalog.=) 'rollback_decision'"
		" AND check_id OPERATOR(pg_catalog.=) $2 AND " DUTY_IS_OPEN,
		2, {INT8OID, INT8OID}, NULL
	};
	static KeptPlan find = {
		"SELECT FROM changemgmt.duty WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND kind OPERATOR(pg_catalog.=) 'rollback_decision'"
		" AND check_id OPERATOR(pg_catalog.=) $2 AND " DUTY_IS_OPEN,
		2, {INT8OID, INT8OID}, NULL
	};
	int64		change_id = part_change_id(new, desc);
	Datum		arguments[2];
	ChangeRow	row;
	bool		isnull;

	arguments[0] = Int64GetDatum(change_id);
	arguments[1] = Int64GetDatum(part_id(new, desc, "id"));
	if (!has_value(new, desc, "tripped_at"))
	{
		duty_execute(&cancel, arguments, NULL, change_id, DUTY_DO_CANCEL);
		return;
	}
	kept_plan_execute(&find, arguments, NULL, 1);
	if (SPI_processed > 0 || !change_read(&row, change_id, false))
		return;
	(void) duty_assign(change_id, duty_kind_code(KIND_ROLLBACK_DECISION),
					   psprintf("Check \"%s\" was tripped: roll back, fail, or pass with issues",
								TextDatumGetCString(part_value(new, desc, "title", &isnull))),
					   duty_person(KIND_ROLLBACK_DECISION, &row),
					   DatumGetTimestampTz(part_value(new, desc, "tripped_at", &isnull)),
					   0, part_id(new, desc, "id"));
}

/* AFTER ROW trigger of change_check. */
Datum
duty_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "duty_check",
										 FOR_ROW | AT_AFTER, "change_check");
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	bool		is_new = TRIGGER_FIRED_BY_INSERT(trigdata->tg_event);
	HeapTuple	old = is_new ? NULL : trigdata->tg_trigtuple;
	HeapTuple	new = is_new ? trigdata->tg_trigtuple : trigdata->tg_newtuple;
	bool		tripped;
	bool		validated;

	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ||
		ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	tripped = has_value(old, desc, "tripped_at") != has_value(new, desc, "tripped_at");
	validated = has_value(new, desc, "passed") && has_value(new, desc, "checked_at") &&
		!part_is(new, desc, "stage", "immediate");
	if (!tripped && !validated)
		return PointerGetDatum(NULL);
	SPI_connect();
	if (tripped)
		decision_follow(old, new, desc);
	if (validated)
		validation_follow(new, desc, part_is(new, desc, "stage", "24_hours") ?
						  KIND_VALIDATION_24_HOURS : KIND_VALIDATION_7_DAYS);
	SPI_finish();
	return PointerGetDatum(NULL);
}

static bool
says(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;
	Datum		value = part_value(tuple, desc, column, &isnull);
	char	   *said = isnull ? NULL : TextDatumGetCString(value);

	return said && strspn(said, " \t\r\n") < strlen(said);
}

/* A review that was written is the duty to write it. */
static void
review_follow(HeapTuple new, TupleDesc desc)
{
	static const struct
	{
		const char *kind;
		DutyKind	duty;
	}			kinds[] = {
		{"post_implementation", KIND_POST_IMPLEMENTATION_REVIEW},
		{"post_mortem", KIND_POST_MORTEM},
		{"independent", KIND_INDEPENDENT_REVIEW},
	};
	bool		isnull;
	TimestampTz at;

	for (size_t i = 0; i < lengthof(kinds); i++)
	{
		if (!part_is(new, desc, "kind", kinds[i].kind))
			continue;
		if (kinds[i].duty == KIND_POST_MORTEM &&
			!(says(new, desc, "causes") && says(new, desc, "lessons") &&
			  says(new, desc, "actions")))
			continue;
		at = DatumGetTimestampTz(part_value(new, desc, "reviewed_at", &isnull));
		duty_finish(part_change_id(new, desc), duty_kind_code(kinds[i].duty),
					part_id(new, desc, "reviewed_by_id"),
					isnull ? GetCurrentTimestamp() : at,
					psprintf("review " INT64_FORMAT, part_id(new, desc, "id")));
	}
}

/* What was sent: the status page first, and then each word on how far it is. */
static void
communication_follow(HeapTuple new, TupleDesc desc)
{
	int64		change_id = part_change_id(new, desc);
	int64		by = part_id(new, desc, "sent_by_id");
	bool		isnull;
	TimestampTz at = DatumGetTimestampTz(part_value(new, desc, "sent_at", &isnull));
	char	   *result = psprintf("message " INT64_FORMAT, part_id(new, desc, "id"));

	if (part_is(new, desc, "channel", "status_page") &&
		duty_finish(change_id, duty_kind_code(KIND_STATUS_PAGE), by, at, result) > 0)
		return;
	if (part_is(new, desc, "timing", "during"))
		duty_finish(change_id, duty_kind_code(KIND_PROGRESS_UPDATE), by, at, result);
}

/* AFTER ROW trigger of change_review and change_communication. */
Datum
duty_part(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "duty_part",
										 FOR_ROW | AT_AFTER, NULL);
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	bool		is_new = TRIGGER_FIRED_BY_INSERT(trigdata->tg_event);
	HeapTuple	old = is_new ? NULL : trigdata->tg_trigtuple;
	HeapTuple	new = is_new ? trigdata->tg_trigtuple : trigdata->tg_newtuple;
	bool		is_review = strcmp(RelationGetRelationName(trigdata->tg_relation),
								   "change_review") == 0;

	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ||
		ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	if (!is_review &&
		(!has_value(new, desc, "sent_at") || has_value(old, desc, "sent_at")))
		return PointerGetDatum(NULL);
	SPI_connect();
	if (is_review)
		review_follow(new, desc);
	else
		communication_follow(new, desc);
	SPI_finish();
	return PointerGetDatum(NULL);
}

/* ----------------------------------------------------------------
 * What steps wait for, and what is due
 * ---------------------------------------------------------------- */

/* Reports go on, and looking back takes its time; validations are asked for by themselves. */
#define BARS_CLOSING \
	" kind OPERATOR(pg_catalog.<>) ALL ('{steering_report,other," \
	"post_implementation_review,validation_24_hours,validation_7_days}'::pg_catalog.text[])" \
	" AND NOT" IS_AGAIN

#define DUTIES_SHOWN 10

static char *
check_duties_done(const Transition *t)
{
	static KeptPlan open = {
		"SELECT id, kind, due_at FROM changemgmt.duty"
		" WHERE change_id OPERATOR(pg_catalog.=) $1 AND " DUTY_IS_OPEN
		" AND" BARS_CLOSING " ORDER BY due_at, id",
		1, {INT8OID}, NULL
	};
	static KeptPlan names = {
		"SELECT pg_catalog.string_agg(id::pg_catalog.text, ',' ORDER BY id)"
		" FROM changemgmt.duty"
		" WHERE change_id OPERATOR(pg_catalog.=) $1 AND " DUTY_IS_OPEN
		" AND" BARS_CLOSING,
		1, {INT8OID}, NULL
	};
	Datum		argument = t->row->value[CH_id];
	StringInfoData buf;
	uint64		count;

	if (!relation_exists("duty"))
		return NULL;
	if (!t->thought_of)
		kept_plan_require_current(&names, &argument,
								  "duties of the change were given or done meanwhile");
	kept_plan_execute(&open, &argument, NULL, 0);
	count = SPI_processed;
	initStringInfo(&buf);
	for (uint64 i = 0; i < count && i < DUTIES_SHOWN; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		text_list_add(&buf, psprintf("%s (duty %s) due %s",
									 SPI_getvalue(tuple, desc, 2),
									 SPI_getvalue(tuple, desc, 1),
									 timestamptz_to_str(DatumGetTimestampTz(
										 SPI_getbinval(tuple, desc, 3, &isnull)))));
	}
	SPI_freetuptable(SPI_tuptable);
	if (count == 0)
		return NULL;
	return psprintf(UINT64_FORMAT " %s open: %s%s", count,
					count == 1 ? "duty is" : "duties are", buf.data,
					count > DUTIES_SHOWN ? " ..." : "");
}

/*
 * Nobody is kept from work by what others give them and they could not end: the
 * record and the checks of somebody else's change, what is hidden from them, a
 * review of what they had a part in.
 */
static char *
check_duties_kept(const Transition *t)
{
	static KeptPlan late = {
		"SELECT d.change_id, d.kind, d.due_at FROM changemgmt.duty AS d"
		" JOIN changemgmt.change AS c ON c.id OPERATOR(pg_catalog.=) d.change_id"
		" WHERE d.person_id OPERATOR(pg_catalog.=) $1 AND d.done_at IS NULL"
		" AND d.cancelled_at IS NULL AND d.due_at OPERATOR(pg_catalog.<) $2"
		" AND (COALESCE(c.owner_id OPERATOR(pg_catalog.=) $1, false)"
		"  OR NOT c.confidential"
		"  AND d.kind OPERATOR(pg_catalog.<>) ALL ('{full_record,validation_24_hours,"
		"validation_7_days,rollback_decision,authoriser_confirmation}'::pg_catalog.text[])"
		"  OR d.kind OPERATOR(pg_catalog.=) 'authoriser_confirmation'"
		"  AND c.authorised_by_id OPERATOR(pg_catalog.=) $1)"
		" AND (d.kind OPERATOR(pg_catalog.<>) 'independent_review'"
		"  OR $1 OPERATOR(pg_catalog.<>) ALL (ARRAY[COALESCE(c.owner_id, 0),"
		"   COALESCE(c.implementer_id, 0), COALESCE(c.author_id, 0)]))"
		" ORDER BY d.due_at, d.id",
		2, {INT8OID, TIMESTAMPTZOID}, NULL
	};
	Datum		arguments[2];
	StringInfoData buf;
	uint64		count;
	struct
	{
		int64		change_id;
		char	   *kind;
		char	   *since;
	}			shown[DUTIES_SHOWN];
	int			n = 0;

	if (t->model->first_status != STATUS_DRAFT ||
		change_is_null(t->row, owner_id) ||
		strcmp(setting_get("overdue_duty_blocks"), "on") != 0 ||
		!relation_exists("duty"))
		return NULL;
	arguments[0] = t->row->value[CH_owner_id];
	arguments[1] = TimestampTzGetDatum(t->now);
	kept_plan_execute(&late, arguments, NULL, 0);
	count = SPI_processed;
	for (uint64 i = 0; i < count && i < DUTIES_SHOWN; i++, n++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;

		shown[n].change_id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		shown[n].kind = SPI_getvalue(tuple, desc, 2);
		shown[n].since = pstrdup(timestamptz_to_str(DatumGetTimestampTz(
														SPI_getbinval(tuple, desc, 3, &isnull))));
	}
	SPI_freetuptable(SPI_tuptable);
	if (count == 0)
		return NULL;
	initStringInfo(&buf);
	/* nobody is told of a change that is hidden */
	for (int i = 0; i < n; i++)
		text_list_add(&buf, psprintf("%s of %s since %s", shown[i].kind,
									 change_is_visible(shown[i].change_id) ?
									 change_number_text(shown[i].change_id) :
									 "another change", shown[i].since));
	return psprintf("%s is late with " UINT64_FORMAT " %s: %s%s",
					person_login(change_int64(t->row, owner_id)), count,
					count == 1 ? "duty" : "duties", buf.data,
					count > DUTIES_SHOWN ? " ..." : "");
}

/* The next open duty of a change, "kind until time"; NULL where there is none. */
static char *
next_due(const ChangeRow *row)
{
	static KeptPlan next = {
		"SELECT kind, due_at FROM changemgmt.duty"
		" WHERE change_id OPERATOR(pg_catalog.=) $1 AND " DUTY_IS_OPEN
		" ORDER BY due_at, id",
		1, {INT8OID}, NULL
	};
	Datum		argument = row->value[CH_id];
	char	   *words = NULL;
	bool		isnull;

	if (!relation_exists("duty"))
		return NULL;
	kept_plan_execute(&next, &argument, NULL, 1);
	if (SPI_processed > 0)
		words = psprintf("%s until %s",
						 SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1),
						 timestamptz_to_str(DatumGetTimestampTz(spi_first_value(2, &isnull))));
	SPI_freetuptable(SPI_tuptable);
	return words;
}

void
duty_init(void)
{
	const Requirement requirements[] = {
		{"duties_done", "Every duty that closing waits for is done.",
			"changemgmt.complete_duty(duty_id, result); SELECT * FROM changemgmt.open_duty WHERE change_id = %lld lists them.",
		check_duties_done, V(CLOSE), 0},
		{"duties_kept", "Where the setting overdue_duty_blocks is on: the owner is late with no duty.",
			"changemgmt.complete_duty(duty_id, result); the view changemgmt.overdue_duty lists them.",
		check_duties_kept, V(SUBMIT) | V(START), 0},
	};

	requirements_register(requirements, lengthof(requirements));
	lifecycle_register_due(next_due);
}
