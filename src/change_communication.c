/*-------------------------------------------------------------------------
 *
 * change_communication.c
 *	  Who is told what of a change, and what was told.
 *
 * The plan is sealed and frozen as that of the checks is; that a message was
 * sent is progress, written once, with who sent it and when.  What is recorded
 * as sent from the beginning was never planned.
 *
 * Called by the triggers of the part (change_part.c, change_part_rule.c), under
 * the lock of the change.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "change.h"
#include "change_part.h"
#include "compat.h"
#include "errors.h"
#include "person.h"
#include "spi.h"

static bool
is_sent(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull = true;

	if (tuple)
		(void) part_value(tuple, desc, "sent_at", &isnull);
	return !isnull;
}

HeapTuple
communication_stamp(HeapTuple old, HeapTuple new, TupleDesc desc,
					Status status)
{
	bool		planned = old ? part_true(old, desc, "is_planned") :
		status < STATUS_IN_PROGRESS && !is_sent(new, desc);
	bool		isnull;

	new = part_set(new, desc, "is_planned", BoolGetDatum(planned), false);
	(void) part_value(new, desc, "sent_by_id", &isnull);
	if (isnull && is_sent(new, desc) && !is_sent(old, desc))
		new = part_stamp_actor(new, desc, "sent_by_id");
	return new;
}

/* When a change was recorded, and when its work ended: DT_NOEND where not. */
static void
change_times(int64 change_id, TimestampTz *created, TimestampTz *ended)
{
	static KeptPlan times = {
		"SELECT created_at, COALESCE(actual_end, cancelled_at)"
		" FROM changemgmt.change WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(change_id);
	bool		isnull;

	kept_plan_execute(&times, &argument, NULL, 1);
	*created = DatumGetTimestampTz(spi_first_value(1, &isnull));
	*ended = DatumGetTimestampTz(spi_first_value(2, &isnull));
	if (isnull)
		*ended = DT_NOEND;
}

/* What is sent when: "after" the work cannot be told before it has ended. */
static void
sent_judge(const PartEdit *edit, TupleDesc desc, Relation rel, Status status,
		   const ChangeModel *model, TimestampTz begun)
{
	bool		isnull;
	TimestampTz sent = DatumGetTimestampTz(part_value(edit->new, desc,
													  "sent_at", &isnull));
	TimestampTz created;
	TimestampTz ended;

	edit_check_person(edit, desc, rel, "sent_by_id");
	edit_check_time(edit, desc, rel, "sent_at");
	change_times(edit->change_id, &created, &ended);
	if (part_is(edit->new, desc, "timing", "before"))
	{
		if (sent < created && !model->documented_after)
			part_malformed(rel, "sent_at", "lies before the change was recorded");
	}
	else if (part_is(edit->new, desc, "timing", "during"))
	{
		if (begun == DT_NOEND)
			progress_error("nothing is told during the work, which has not begun",
						   edit->change_id, status_code(status),
						   "changemgmt.post_update() tells what there is to tell now.");
		if (sent < begun)
			part_malformed(rel, "sent_at", "lies before the work began");
	}
	else
	{
		if (ended == DT_NOEND || status == STATUS_IN_PROGRESS)
			progress_error("nothing is told after the work, which has not ended",
						   edit->change_id, status_code(status),
						   "changemgmt.post_update() tells what there is to tell now.");
		if (sent < ended)
			part_malformed(rel, "sent_at", "lies before the work ended");
	}
}

/* A message is sent once: MC001 names who did, and when. */
pg_noreturn static void
sent_already(const PartEdit *edit, TupleDesc desc, Relation rel)
{
	bool		isnull;
	TimestampTz at = DatumGetTimestampTz(part_value(edit->old, desc, "sent_at",
													&isnull));
	char	   *login = person_login(part_id(edit->old, desc, "sent_by_id"));

	ereport(ERROR,
			(errcode(ERRCODE_MC_ILLEGAL_TRANSITION), err_as_caller(),
			 errmsg("communication " INT64_FORMAT " was sent by %s at %s",
					part_id(edit->old, desc, "id"), login ? login : "somebody",
					timestamptz_to_str(at)),
			 errhint("What there is to tell besides: changemgmt.post_update()."),
			 errtable(rel)));
	pg_unreachable();
}

void
communication_judge(const PartEdit *edit, TupleDesc desc, Relation rel,
					Status status, const ChangeModel *model,
					TimestampTz begun)
{
	static const char *const plan[] = {"timing", "stakeholder", "channel",
	"message", NULL};
	static const char *const when[] = {"sent_at", NULL};
	static const char *const who[] = {"sent_by_id", NULL};
	bool		was_sent = is_sent(edit->old, desc);
	bool		sent = is_sent(edit->new, desc);
	bool		isnull;

	if (was_sent && !sent)
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
				 errmsg("a message that was sent stays"),
				 errhint("What there is to correct: changemgmt.post_update()."),
				 errtable(rel)));
	if (edit->new == NULL)
		return;
	if (edit->old ?
		part_true(edit->old, desc, "is_planned") != part_true(edit->new, desc, "is_planned") :
		part_true(edit->new, desc, "is_planned") != (status < STATUS_IN_PROGRESS && !sent))
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("is_planned of a communication is not written by hand"),
				 errhint("Leave the column out: it is filled in."),
				 errtablecol(rel, SPI_fnumber(desc, "is_planned"))));
	if (was_sent && !part_same(edit->old, edit->new, desc, when))
		sent_already(edit, desc, rel);
	if (was_sent)
		edit_check_fixed(edit, desc, rel, who);
	if (edit->old && (was_sent || status_is_over(status)) &&
		!part_same(edit->old, edit->new, desc, plan))
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("what a communication says stays once %s",
						was_sent ? "it was sent" : "its change is over"),
				 errhint("What there is to tell besides: changemgmt.post_update()."),
				 errtable(rel)));
	if (edit->old == NULL && !sent && status_is_over(status))
		progress_error("nothing is planned to be told any more",
					   edit->change_id, status_code(status),
					   "changemgmt.post_update() tells what there is to tell now.");
	if (sent && !was_sent)
		sent_judge(edit, desc, rel, status, model, begun);
	(void) part_value(edit->new, desc, "sent_by_id", &isnull);
	if (!sent && !isnull)
		part_malformed(rel, "sent_by_id", "is given, and nothing was sent");
}
