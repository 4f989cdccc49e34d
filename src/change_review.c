/*-------------------------------------------------------------------------
 *
 * change_review.c
 *	  What was learned of a change.
 *
 * A review is a remark with a form: what it has to say depends on its kind,
 * and who may write it.  It is made when the work has ended; of an emergency,
 * or what else is documented afterwards, a post-mortem and an independent
 * review also while it still runs, since they are due within hours of its
 * beginning.  Its author corrects it until the change is closed; nobody
 * deletes it.
 *
 * Called by the triggers of the part (change_part_rule.c), under the lock of the
 * change.  There is no state.
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

/*
 * The part that somebody had in a change, in a word; NULL: none.  Who gave it
 * away after the work had begun owned it then.
 */
const char *
review_part_had(int64 change_id, int64 person)
{
	static KeptPlan roles = {
		"SELECT CASE WHEN c.implementer_id OPERATOR(pg_catalog.=) $2 THEN 'implementer'"
		" WHEN c.owner_id OPERATOR(pg_catalog.=) $2 THEN 'owner'"
		" WHEN c.author_id OPERATOR(pg_catalog.=) $2 THEN 'author'"
		" WHEN EXISTS (SELECT FROM changemgmt.change_task AS t"
		"  WHERE t.change_id OPERATOR(pg_catalog.=) c.id"
		"  AND (t.phase OPERATOR(pg_catalog.=) 'implementation'"
		"   OR t.phase OPERATOR(pg_catalog.=) 'rollback')"
		"  AND t.status OPERATOR(pg_catalog.=) 'done'"
		"  AND t.done_by_id OPERATOR(pg_catalog.=) $2) THEN 'one of the implementers'"
		" WHEN EXISTS (SELECT FROM changemgmt.ledger AS l"
		"  WHERE l.subject_kind OPERATOR(pg_catalog.=) 'change'"
		"  AND l.subject_id OPERATOR(pg_catalog.=) c.id"
		"  AND l.recorded_at OPERATOR(pg_catalog.>=) c.actual_start"
		"  AND (l.changed OPERATOR(pg_catalog.->) 'owner_id') OPERATOR(pg_catalog.->) 0"
		"   OPERATOR(pg_catalog.=) pg_catalog.to_jsonb($2)) THEN 'owner of before'"
		" END FROM changemgmt.change AS c WHERE c.id OPERATOR(pg_catalog.=) $1",
		2, {INT8OID, INT8OID}, NULL
	};
	Datum		arguments[2];
	Datum		role;
	bool		isnull;

	arguments[0] = Int64GetDatum(change_id);
	arguments[1] = Int64GetDatum(person);
	kept_plan_execute(&roles, arguments, NULL, 1);
	role = spi_first_value(1, &isnull);
	return isnull ? NULL : TextDatumGetCString(role);
}

/* Who has a part in a change does not review it independently (MC004). */
static void
independence_judge(const PartEdit *edit, Relation rel)
{
	int64		reviewer = actor_person_required();
	const char *part = review_part_had(edit->change_id, reviewer);

	if (part == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_MC_SEGREGATION_OF_DUTIES), err_as_caller(),
			 errmsg("an independent review of change " INT64_FORMAT " is not by %s, who is %s",
					edit->change_id, person_login(reviewer), part),
			 errhint("Somebody who had no part in it writes it."),
			 errtable(rel)));
}

/* MC008 for a review that does not say what its kind has to. */
static void
content_judge(const PartEdit *edit, TupleDesc desc, Relation rel)
{
	static const char *const all[] = {"went_well", "went_badly", "causes",
	"lessons", "actions"};
	static const char *const needed[] = {"causes", "lessons", "actions"};
	bool		says = false;

	if (part_is(edit->new, desc, "kind", "post_mortem"))
		for (size_t i = 0; i < lengthof(needed); i++)
			if (part_blank(edit->new, desc, needed[i]))
				part_malformed(rel, needed[i],
							   "is missing: a post-mortem has causes, lessons and actions");
	for (size_t i = 0; i < lengthof(all); i++)
		says |= !part_blank(edit->new, desc, all[i]);
	if (!says)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("the review says nothing"),
				 errhint("It says at least one of went_well, went_badly, causes, lessons and actions."),
				 errtable(rel)));
}

void
review_judge(const PartEdit *edit, TupleDesc desc, Relation rel,
			 Status status, const ChangeModel *model, TimestampTz begun)
{
	bool		running = status == STATUS_IN_PROGRESS;
	bool		ended = begun != DT_NOEND && status > STATUS_IN_PROGRESS;

	if (edit->old && (edit->new == NULL || status_is_over(status)))
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
				 edit->new ?
				 errmsg("reviews of change " INT64_FORMAT " stay: it is %s",
						edit->change_id, status_code(status)) :
				 errmsg("a review is not deleted"),
				 errhint("Another can be added: changemgmt.review_change()."),
				 errtable(rel)));
	edit_check_author(edit, desc, rel, "reviewed_by_id", "reviewed_at");
	if (edit->old && !part_equal(edit->old, edit->new, desc, "kind"))
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("the kind of a review does not change"),
				 errhint("Another can be added: changemgmt.review_change()."),
				 errtablecol(rel, SPI_fnumber(desc, "kind"))));
	content_judge(edit, desc, rel);
	if (edit->old)
		return;
	if (!ended && !(running && model->documented_after &&
					!part_is(edit->new, desc, "kind", "post_implementation")))
		progress_error("there is nothing to review yet", edit->change_id,
					   status_code(status),
					   "A change is reviewed when its work has ended; what there is to say before is a comment.");
	if (part_is(edit->new, desc, "kind", "independent"))
		independence_judge(edit, rel);
}
