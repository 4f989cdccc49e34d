/*-------------------------------------------------------------------------
 *
 * change_part_rule.c
 *	  What a part may hold, and what an edit of it may do.
 *
 * Values are checked before a row is stored, edits afterwards, under the lock
 * of the change and with the status that it has then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "change.h"
#include "change_part.h"
#include "compat.h"
#include "errors.h"
#include "person.h"
#include "spi.h"

/* ----------------------------------------------------------------
 * Values
 * ---------------------------------------------------------------- */

/* Codes that a part cannot have (MC008). */
void
part_check_codes(PartTable table, HeapTuple tuple, TupleDesc desc)
{
	static const struct
	{
		PartTable	table;
		const char *column;
		const char *list;
	}			coded[] = {
		{PART_ITEM, "role", "item_role"},
		{PART_RISK, "likelihood", "likelihood"},
		{PART_RISK, "impact", "impact"},
		{PART_RISK, "residual_likelihood", "likelihood"},
		{PART_RISK, "residual_impact", "impact"},
		{PART_TASK, "phase", "task_phase"},
		{PART_TASK, "status", "task_status"},
		{PART_TASK, "object_kind", "object_kind"},
		{PART_CHECK, "kind", "check_kind"},
		{PART_CHECK, "stage", "check_stage"},
		{PART_CHECK, "signal", "signal"},
		{PART_CHECK, "bad_when", "bad_when"},
		{PART_LINK, "relation", "link_relation"},
		{PART_COMMUNICATION, "timing", "communication_timing"},
		{PART_COMMUNICATION, "channel", "communication_channel"},
		{PART_REVIEW, "kind", "review_kind"},
	};

	for (size_t i = 0; i < lengthof(coded); i++)
	{
		bool		isnull;
		Datum		value;

		if (coded[i].table != table || SPI_fnumber(desc, coded[i].column) <= 0)
			continue;
		value = part_value(tuple, desc, coded[i].column, &isnull);
		if (!isnull)
			code_check(coded[i].list, value, coded[i].column);
	}
}

void
part_malformed(Relation rel, const char *column, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("%s of %s %s", column, RelationGetRelationName(rel), problem),
			 errtablecol(rel, SPI_fnumber(RelationGetDescr(rel), column))));
}

bool
part_blank(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;
	Datum		value = part_value(tuple, desc, column, &isnull);
	char	   *string;

	if (isnull)
		return true;
	string = TextDatumGetCString(value);
	return strspn(string, " \t\r\n") == strlen(string);
}

/* Values that no part can have (MC008), in words that help. */
void
part_check_values(PartTable table, HeapTuple tuple, Relation rel)
{
	static const struct
	{
		PartTable	table;
		const char *column;
		bool		is_text;
	}			needed[] = {
		{PART_ITEM, "ci_id", false},
		{PART_RISK, "description", true},
		{PART_RISK, "likelihood", true},
		{PART_RISK, "impact", true},
		{PART_TASK, "title", true},
		{PART_TASK, "phase", false},
		{PART_TASK, "position", false},
		{PART_TASK, "status", false},
		{PART_CHECK, "title", true},
		{PART_CHECK, "kind", false},
		{PART_CHECK, "stage", false},
		{PART_CHECK, "is_required", false},
		{PART_COMMENT, "body", true},
		{PART_LINK, "relation", true},
		{PART_WAIVER, "requirement", true},
		{PART_WAIVER, "reason", true},
		{PART_PROPOSAL, "key", true},
		{PART_PROPOSAL, "definition", false},
		{PART_COMMUNICATION, "timing", true},
		{PART_COMMUNICATION, "stakeholder", true},
		{PART_COMMUNICATION, "channel", true},
		{PART_COMMUNICATION, "message", true},
		{PART_REVIEW, "kind", true},
	};
	static KeptPlan exists = {
		"SELECT FROM changemgmt.change WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;

	for (size_t i = 0; i < lengthof(needed); i++)
	{
		if (needed[i].table != table)
			continue;
		part_value(tuple, desc, needed[i].column, &isnull);
		if (isnull)
			part_malformed(rel, needed[i].column, "is null");
		if (needed[i].is_text && part_blank(tuple, desc, needed[i].column))
			part_malformed(rel, needed[i].column, "is empty");
	}
	if (table == PART_TASK)
	{
		part_value(tuple, desc, "object_kind", &isnull);
		if (!isnull && part_blank(tuple, desc, "object_name"))
			part_malformed(rel, "object_name", "is needed with object_kind");
		if (task_has_order(desc))
		{
			Datum		value = part_value(tuple, desc, "depends_on", &isnull);

			if (isnull || array_contains_nulls(DatumGetArrayTypeP(value)))
				part_malformed(rel, "depends_on", "holds a null");
			if (ARR_NDIM(DatumGetArrayTypeP(value)) > 1)
				part_malformed(rel, "depends_on", "is no list of ids");
			(void) part_value(tuple, desc, "is_smoke_test", &isnull);
			if (isnull)
				part_malformed(rel, "is_smoke_test", "is null");
			(void) part_value(tuple, desc, "object_system", &isnull);
			if (!isnull && part_blank(tuple, desc, "object_system"))
				part_malformed(rel, "object_system", "is empty");
		}
	}
	else if (table == PART_LINK)
	{
		bool		no_target;
		Datum		at;
		Datum		target = part_value(tuple, desc, "target_change_id", &isnull);

		part_value(tuple, desc, "target", &no_target);
		if (isnull == no_target)
			part_malformed(rel, "target",
						   isnull ? "is missing: a change or a text" :
						   "is given twice: as a change and as a text");
		if (!no_target && part_blank(tuple, desc, "target"))
			part_malformed(rel, "target", "is empty");
		if (!isnull)
		{
			if (DatumGetInt64(target) == part_change_id(tuple, desc))
				part_malformed(rel, "target_change_id", "is the change itself");
			SPI_connect();
			kept_plan_execute(&exists, &target, NULL, 1);
			if (SPI_processed == 0 || !change_is_visible(DatumGetInt64(target)))
				part_malformed(rel, "target_change_id",
							   "is no change that exists");
			SPI_finish();
		}
		at = part_value(tuple, desc, "occurred_at", &isnull);
		if (!isnull && TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(at)))
			part_malformed(rel, "occurred_at", "is infinite");
	}
	else if (table == PART_CHECK)
		check_values(tuple, rel);
	else if (table == PART_COMMUNICATION)
	{
		Datum		at = part_value(tuple, desc, "sent_at", &isnull);

		if (!isnull && TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(at)))
			part_malformed(rel, "sent_at", "is infinite");
	}
}

/* ----------------------------------------------------------------
 * Edits
 * ---------------------------------------------------------------- */

/* Whether a row is part of the plan that an approval seals. */
static bool
row_is_plan(PartTable table, HeapTuple tuple, TupleDesc desc)
{
	switch (table)
	{
		case PART_ITEM:
		case PART_RISK:
		case PART_PROPOSAL:
			return true;
		case PART_TASK:
			return !part_true(tuple, desc, "is_condition") &&
				!part_is(tuple, desc, "phase", "follow_up");
		case PART_CHECK:
		case PART_COMMUNICATION:
			return part_true(tuple, desc, "is_planned");
		case PART_LINK:
			return part_is(tuple, desc, "relation", "depends_on");
		case PART_COMMENT:
		case PART_WAIVER:
		case PART_REVIEW:
		case PART_OTHER:
			return false;
	}
	return false;
}

static const char *const plan_columns[][16] = {
	[PART_ITEM] = {"ci_id", "role", "version_before", "version_after", NULL},
	[PART_RISK] = {"description", "likelihood", "impact", "mitigation",
		"owner_id", "residual_likelihood", "residual_impact", NULL},
	[PART_TASK] = {"phase", "position", "title", "description",
	"object_kind", "object_name", "is_condition", "depends_on", "is_smoke_test",
	"checklist_key", "object_system", NULL},
	[PART_CHECK] = {"kind", "stage", "title", "expected", "is_required",
	"signal", "baseline", "threshold", "bad_when", "is_rollback_trigger", NULL},
	[PART_COMMENT] = {NULL},
	[PART_LINK] = {"relation", "target_change_id", "target", NULL},
	[PART_WAIVER] = {NULL},
	[PART_PROPOSAL] = {"key", "definition", "proposed_from_change_id", NULL},
	[PART_COMMUNICATION] = {"timing", "stakeholder", "channel", "message", NULL},
	[PART_REVIEW] = {NULL},
	[PART_OTHER] = {NULL},
};

const char *const *
part_plan_columns(PartTable table)
{
	return plan_columns[table];
}

/* Whether an edit touches what an approval seals. */
bool
part_edit_is_plan(PartTable table, const PartEdit *edit, TupleDesc desc)
{
	if (!(edit->old && row_is_plan(table, edit->old, desc)) &&
		!(edit->new && row_is_plan(table, edit->new, desc)))
		return false;
	return !(edit->old && edit->new) ||
		!part_same(edit->old, edit->new, desc, plan_columns[table]);
}

bool
part_time_is_now(TimestampTz at)
{
	return at >= GetCurrentStatementStartTimestamp() &&
		at <= GetCurrentTimestamp();
}

/*
 * What is planned can be planned elsewhere.  What somebody did, found or said
 * stays where it was: a move is a row taken away and a row put in, and neither
 * half shows who first wrote it and when.
 */
void
part_check_move(PartTable table, HeapTuple old, HeapTuple new, Relation rel)
{
	static const char *const id[] = {"id", NULL};
	TupleDesc	desc = RelationGetDescr(rel);
	bool		free = row_is_plan(table, old, desc) &&
		row_is_plan(table, new, desc) && part_same(old, new, desc, id);

	if (table == PART_TASK)
		free &= part_is(old, desc, "status", "open") &&
			part_is(new, desc, "status", "open");
	if (table == PART_CHECK)
	{
		bool		isnull;

		(void) part_value(old, desc, "passed", &isnull);
		free &= isnull;
	}
	if (table == PART_COMMUNICATION)
	{
		bool		isnull;

		(void) part_value(old, desc, "sent_at", &isnull);
		free &= isnull;
	}
	if (!free)
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("this row of %s stays with change " INT64_FORMAT,
						RelationGetRelationName(rel),
						part_change_id(old, desc)),
				 errhint("Add another one to the change that it is to belong to."),
				 errtablecol(rel, SPI_fnumber(desc, "change_id"))));
}

/* Nobody writes in another's name. */
void
edit_check_person(const PartEdit *edit, TupleDesc desc, Relation rel,
				  const char *column)
{
	bool		isnull;
	Datum		person;

	if (edit->new == NULL ||
		(edit->old && part_equal(edit->old, edit->new, desc, column)))
		return;
	person = part_value(edit->new, desc, column, &isnull);
	if (isnull ? edit->old == NULL && actor_person() != 0 :
		DatumGetInt64(person) != actor_person())
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
				 errmsg("%s of %s is always who acts", column,
						RelationGetRelationName(rel)),
				 errhint("Leave the column out: it is filled in."),
				 errtablecol(rel, SPI_fnumber(desc, column))));
}

/* What somebody wrote only the same person changes or takes back. */
void
edit_check_author(const PartEdit *edit, TupleDesc desc, Relation rel,
				  const char *column, const char *when)
{
	bool		isnull = false;
	Datum		author;

	edit_check_person(edit, desc, rel, column);
	if (edit->old == NULL)
	{
		TimestampTz at = DatumGetTimestampTz(part_value(edit->new, desc, when,
														&isnull));

		if (isnull || !part_time_is_now(at))
			ereport(ERROR,
					(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
					 errmsg("%s of %s is when it was written", when,
							RelationGetRelationName(rel)),
					 errhint("A trigger of the site changed it: give it a name that sorts before zzz_stamp."),
					 errtablecol(rel, SPI_fnumber(desc, when))));
		return;
	}
	author = part_value(edit->old, desc, column, &isnull);
	if (isnull || DatumGetInt64(author) != actor_person())
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
				 errmsg("a row of %s changes only by who wrote it",
						RelationGetRelationName(rel)),
				 errhint("Add one of your own."),
				 errtable(rel)));
	if (edit->new && (!part_equal(edit->old, edit->new, desc, when) ||
					  !part_equal(edit->old, edit->new, desc, column)))
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("%s and %s of %s do not change", column, when,
						RelationGetRelationName(rel)),
				 errtable(rel)));
}

void
edit_check_time(const PartEdit *edit, TupleDesc desc, Relation rel,
				const char *column)
{
	bool		isnull;
	Datum		at;

	if (edit->new == NULL)
		return;
	at = part_value(edit->new, desc, column, &isnull);
	if (!isnull && DatumGetTimestampTz(at) > GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("%s of %s lies in the future", column,
						RelationGetRelationName(rel)),
				 errtablecol(rel, SPI_fnumber(desc, column))));
}

void
progress_error(const char *what, int64 change_id, const char *status,
			   const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_ILLEGAL_TRANSITION), err_as_caller(),
			 errmsg("%s: change " INT64_FORMAT " is %s", what, change_id,
					status),
			 errhint("%s", hint)));
}

/* Who did it and when are written with what was done, and not again. */
void
edit_check_fixed(const PartEdit *edit, TupleDesc desc, Relation rel,
				 const char *const *columns)
{
	if (edit->old == NULL || edit->new == NULL)
		return;
	for (; *columns; columns++)
		if (!part_equal(edit->old, edit->new, desc, *columns))
			ereport(ERROR,
					(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
					 errmsg("%s of %s is written with what it belongs to", *columns,
							RelationGetRelationName(rel)),
					 errhint("Leave the column out: it is filled in."),
					 errtablecol(rel, SPI_fnumber(desc, *columns))));
}

bool
status_is_over(Status status)
{
	return status == STATUS_CLOSED || status == STATUS_CANCELLED;
}

/* What is said of a task whose status stays: why it was skipped, who has it. */
static void
task_remark_judge(const PartEdit *edit, TupleDesc desc, Relation rel,
				  Status status)
{
	bool		over = status_is_over(status) &&
		!part_is(edit->new, desc, "phase", "follow_up");
	bool		isnull;
	Datum		who = part_value(edit->old, desc, "done_by_id", &isnull);

	if (!part_equal(edit->old, edit->new, desc, "status_reason") &&
		!part_is(edit->old, desc, "status", "open") &&
		(isnull || DatumGetInt64(who) != actor_person()))
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
				 errmsg("the reason changes only by who gave it"),
				 errhint("Say in a comment what there is to say."),
				 errtablecol(rel, SPI_fnumber(desc, "status_reason"))));
	if (over && !(part_equal(edit->old, edit->new, desc, "status_reason") &&
				  part_equal(edit->old, edit->new, desc, "assignee_id")))
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("tasks of change " INT64_FORMAT " stay: it is %s",
						edit->change_id, status_code(status)),
				 errhint("Only follow-up tasks go on after the end."),
				 errtable(rel)));
}

static void
task_judge(const PartEdit *edit, TupleDesc desc, Relation rel, Status status,
		   const ChangeModel *model)
{
	static const char *const who[] = {"done_by_id", "done_at", NULL};
	static const char *const place[] = {"phase", "is_condition", NULL};
	const char *code = status_code(status);
	bool		isnull;
	Datum		at;

	if (edit->new == NULL)
		return;
	if (edit->old == NULL && part_is(edit->new, desc, "phase", "preparation") &&
		status >= STATUS_IN_PROGRESS && !model->documented_after)
		progress_error("preparation is over", edit->change_id, code,
					   "What was left out is said in a comment.");
	if (edit->old ? part_equal(edit->old, edit->new, desc, "status") :
		part_is(edit->new, desc, "status", "open"))
	{
		edit_check_fixed(edit, desc, rel, who);
		if (edit->old)
			task_remark_judge(edit, desc, rel, status);
		/* what was done before the work is no step of the work */
		if (!part_is(edit->new, desc, "status", "open"))
			edit_check_fixed(edit, desc, rel, place);
		return;
	}
	if (!part_is(edit->new, desc, "status", "open"))
		edit_check_fixed(edit, desc, rel, place);

	edit_check_person(edit, desc, rel, "done_by_id");
	at = part_value(edit->new, desc, "done_at", &isnull);
	if (!isnull && !part_time_is_now(DatumGetTimestampTz(at)))
		part_malformed(rel, "done_at", "is the time of the step; leave it out");
	if ((part_is(edit->new, desc, "status", "skipped") ||
		 part_is(edit->new, desc, "status", "failed")) &&
		part_blank(edit->new, desc, "status_reason"))
	{
		bool		skipped = part_is(edit->new, desc, "status", "skipped");

		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 skipped ? errmsg("a task is skipped without a reason") :
				 errmsg("a task failed without a reason"),
				 skipped ? errhint("changemgmt.skip_task(task_id, reason) takes it.") :
				 errhint("changemgmt.fail_task(task_id, reason) takes it.")));
	}
	if (status_is_over(status) && !part_is(edit->new, desc, "phase", "follow_up"))
		progress_error("a task cannot move any more", edit->change_id,
					   code, "Only follow-up tasks go on after the end.");
	if (part_is(edit->new, desc, "phase", "implementation") &&
		status != STATUS_IN_PROGRESS)
		progress_error("implementation tasks move while work is under way",
					   edit->change_id, code,
					   "changemgmt.start() begins the work.");
	if (part_is(edit->new, desc, "phase", "preparation") &&
		status >= STATUS_IN_PROGRESS && !model->documented_after)
		progress_error("preparation is over", edit->change_id, code,
					   "What was left out is said in a comment.");
	if (part_is(edit->new, desc, "phase", "rollback") &&
		status != STATUS_IN_PROGRESS && status != STATUS_VERIFYING &&
		status != STATUS_IMPLEMENTED)
		progress_error("steps back are taken between start and roll_back",
					   edit->change_id, code,
					   "changemgmt.begin_rollback() says that the way back begins.");
}

/* A review is given by who acts, of a line of the manifest, while it matters. */
static void
line_review_judge(const PartEdit *edit, TupleDesc desc, Relation rel,
				  Status status)
{
	static const char *const review[] = {"reviewed_by_id", "reviewed_at", NULL};
	bool		is_null[2];
	bool		isnull;
	Datum		at;
	Datum		who;

	if (edit->new == NULL)
		return;
	at = part_value(edit->new, desc, "reviewed_at", &is_null[0]);
	who = part_value(edit->new, desc, "reviewed_by_id", &is_null[1]);
	if (edit->old ? part_same(edit->old, edit->new, desc, review) :
		is_null[0] && is_null[1])
		return;
	if (is_null[0] && is_null[1])
	{
		/* an edit of the line voids it; else it is taken back by who gave it */
		who = part_value(edit->old, desc, "reviewed_by_id", &isnull);
		if (part_same(edit->old, edit->new, desc, part_plan_columns(PART_TASK)) &&
			(isnull || DatumGetInt64(who) != actor_person()))
			ereport(ERROR,
					(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
					 errmsg("a review is taken back only by who gave it"),
					 errhint("Editing the line voids it."),
					 errtablecol(rel, SPI_fnumber(desc, "reviewed_by_id"))));
		return;
	}
	if (is_null[0])
		part_malformed(rel, "reviewed_at", "is missing: give it, and who reviewed is filled in");
	if (status_is_over(status))
		progress_error("nothing is reviewed any more", edit->change_id,
					   status_code(status), "Say in a comment what was found.");
	if (part_value(edit->new, desc, "object_kind", &isnull), isnull)
		part_malformed(rel, "object_kind",
					   "is null: only lines of the deployment manifest are reviewed");
	if (is_null[1])
		(void) actor_person_required();
	if (is_null[1] || DatumGetInt64(who) != actor_person())
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
				 errmsg("reviewed_by_id of %s is always who acts",
						RelationGetRelationName(rel)),
				 errhint("changemgmt.review_object(task_id)."),
				 errtablecol(rel, SPI_fnumber(desc, "reviewed_by_id"))));
	if (!part_time_is_now(DatumGetTimestampTz(at)))
		part_malformed(rel, "reviewed_at", "is the time of the review");
}

/* What the edit of a part may not do in this status. */
void
part_edit_judge(PartTable table, const PartEdit *edit, TupleDesc desc,
				Relation rel, Status status, const ChangeModel *model,
				TimestampTz begun, TimestampTz taken_back, bool submitted)
{
	static const char *const id[] = {"id", NULL};

	if (part_edit_is_plan(table, edit, desc) &&
		(status_is_over(status) || status == STATUS_REJECTED ||
		 (status >= STATUS_IN_PROGRESS && !model->documented_after)))
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("the plan of change " INT64_FORMAT " is frozen: it is %s",
						edit->change_id, status_code(status)),
				 errdetail("%s belongs to the plan.",
						   RelationGetRelationName(rel)),
				 status == STATUS_REJECTED ?
				 errhint("changemgmt.revise() takes it back to draft.") :
				 errhint("What turned out differently goes into comments; further work is a change of its own (changemgmt.copy_change())."),
				 errtable(rel)));

	edit_check_fixed(edit, desc, rel, id);
	switch (table)
	{
		case PART_TASK:
			task_judge(edit, desc, rel, status, model);
			if (task_has_order(desc))
			{
				line_review_judge(edit, desc, rel, status);
				checklist_judge(edit, desc, rel, model);
			}
			break;
		case PART_CHECK:
			check_judge(edit, desc, rel, status, begun, taken_back);
			break;
		case PART_COMMUNICATION:
			communication_judge(edit, desc, rel, status, model, begun);
			break;
		case PART_REVIEW:
			review_judge(edit, desc, rel, status, model, begun);
			break;
		case PART_COMMENT:
			edit_check_author(edit, desc, rel, "author_id", "created_at");
			break;
		case PART_WAIVER:
			edit_check_author(edit, desc, rel, "waived_by_id", "waived_at");
			if (edit->old && submitted)
				ereport(ERROR,
						(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
						 errmsg("a waiver of a change that was submitted stays"),
						 errhint("changemgmt.revise() ends what was waived."),
						 errtable(rel)));
			break;
		case PART_LINK:
			if (edit->old && status_is_over(status))
				ereport(ERROR,
						(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
						 errmsg("links of change " INT64_FORMAT " stay: it is %s",
								edit->change_id, status_code(status)),
						 errhint("Others can be added: changemgmt.link_change()."),
						 errtable(rel)));
			break;
		default:
			break;
	}
}
