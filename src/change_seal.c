/*-------------------------------------------------------------------------
 *
 * change_seal.c
 *	  The seal: what exactly it is that was approved.
 *
 * SHA-256 over the canonical encoding (docs/ledger.md) of the fields
 *
 *	  "changemgmt-seal-1"
 *	  name and value of each sealed column that is not null, by name: those of
 *	  class plan, less what the model does not seal, and what it seals besides
 *	  table and content of each row of a sealed part that belongs to the plan, in
 *	  bytewise order; the content is a jsonb array of its plan columns, those
 *	  that later versions added only where one of them is not its default; what
 *	  a task depends on stands there by its content, too
 *
 * What a model seals needs no place in it: a published version never changes, and
 * a change under another one is submitted anew.
 *
 * Parts are known by their content, not by their ids: a risk that is deleted
 * and entered again makes the seal fresh again.  Two changes with the same
 * plan have the same seal.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "change.h"
#include "compat.h"
#include "errors.h"
#include "spi.h"

/* What of a row of each part is sealed: these columns, in this order. */
#define CHECK_CONTENT "kind, stage, title, expected, is_required"
#define CHECK_MORE "signal, baseline, threshold, bad_when, is_rollback_trigger"
#define COMMUNICATION_CONTENT "timing, stakeholder, channel, message"
#define ITEM_CONTENT "ci_id, role, version_before, version_after"
#define LINK_CONTENT "relation, target_change_id, target"
#define RISK_CONTENT "description, likelihood, impact, mitigation"
#define RISK_MORE "owner_id, residual_likelihood, residual_impact"
#define TASK_CONTENT "phase, position, title, description, object_kind, object_name"
#define TASK_MORE "depends_on, is_smoke_test, checklist_key, object_system"
#define PROPOSAL_CONTENT "key, definition, proposed_from_change_id"

/*
 * What later versions added is sealed only where it says something, all of it
 * behind the rest: what was sealed without it stays sealed.
 */
#define SEALED_MORE(content, more, nothing) \
	"(pg_catalog.jsonb_build_array(" content ") OPERATOR(pg_catalog.||)" \
	" CASE WHEN pg_catalog.jsonb_build_array(" more ") OPERATOR(pg_catalog.=) '" nothing "'" \
	" THEN '[]' ELSE pg_catalog.jsonb_build_array(" more ") END)::pg_catalog.text"

/* The same, for rows as the ledger recorded them. */
const SealedPart sealed_parts[SEALED_PART_COUNT] = {
	{"change_check", CHECK_CONTENT, {{"is_planned", true, NULL}}, CHECK_MORE},
	{"change_communication", COMMUNICATION_CONTENT, {{"is_planned", true, NULL}}, NULL},
	{"change_item", ITEM_CONTENT, {{NULL, false, NULL}}, NULL},
	{"change_link", LINK_CONTENT, {{"relation", true, "depends_on"}}, NULL},
	{"change_risk", RISK_CONTENT, {{NULL, false, NULL}}, RISK_MORE},
	{"change_task", TASK_CONTENT, {{"is_condition", false, NULL},
	{"phase", false, "follow_up"}}, TASK_MORE},
	{"template_proposal", PROPOSAL_CONTENT, {{NULL, false, NULL}}, NULL},
};

#define TASK_PLAIN \
	"pg_catalog.jsonb_build_array(" TASK_CONTENT ")::pg_catalog.text"
/*
 * Other tasks are named by what they are: ids say nothing of the plan.  At one
 * position the ids are the order, and where a smoke test stands there, each task
 * says which one it comes after.
 */
#define TASK_NAME(t) \
	"pg_catalog.jsonb_build_array(" t "title, " t "description, " t "object_kind, " \
	t "object_name, " t "object_system)"
#define AT_POSITION "PARTITION BY phase, position"
#define TASK_FULL \
	"CASE WHEN NOT pg_catalog.bool_or(is_smoke_test) OVER (" AT_POSITION ")" \
	"  AND depends_on OPERATOR(pg_catalog.=) '{}'" \
	"  AND checklist_key IS NULL AND object_system IS NULL" \
	" THEN " TASK_PLAIN \
	" ELSE (pg_catalog.jsonb_build_array(" TASK_CONTENT ")" \
	"  OPERATOR(pg_catalog.||) pg_catalog.jsonb_strip_nulls(" \
	"  pg_catalog.jsonb_build_object('checklist_key', checklist_key," \
	"  'object_system', object_system," \
	"  'is_smoke_test', CASE WHEN is_smoke_test THEN true END," \
	"  'depends_on', (SELECT pg_catalog.jsonb_agg(o.content" \
	"    ORDER BY o.content::pg_catalog.text COLLATE pg_catalog.\"C\")" \
	"   FROM (SELECT pg_catalog.jsonb_build_array(d.phase, d.position)" \
	"     OPERATOR(pg_catalog.||) " TASK_NAME("d.") " AS content" \
	"    FROM changemgmt.change_task AS d" \
	"    WHERE d.id OPERATOR(pg_catalog.=) ANY (t.depends_on)) AS o)," \
	"  'after', CASE WHEN pg_catalog.bool_or(is_smoke_test) OVER (" AT_POSITION ")" \
	"   THEN pg_catalog.lag(" TASK_NAME("") ") OVER (" AT_POSITION " ORDER BY id) END" \
	"  )))::pg_catalog.text" \
	" END"

#define PLAN_PARTS(check, risk, task, more) \
	"SELECT part, content FROM (" \
	" SELECT 'change_check' AS part, " check " AS content" \
	" FROM changemgmt.change_check" \
	" WHERE change_id OPERATOR(pg_catalog.=) $1 AND is_planned" \
	" UNION ALL" \
	" SELECT 'change_item', pg_catalog.jsonb_build_array(" \
	ITEM_CONTENT ")::pg_catalog.text" \
	" FROM changemgmt.change_item" \
	" WHERE change_id OPERATOR(pg_catalog.=) $1" \
	" UNION ALL" \
	" SELECT 'change_link', pg_catalog.jsonb_build_array(" \
	LINK_CONTENT ")::pg_catalog.text" \
	" FROM changemgmt.change_link" \
	" WHERE change_id OPERATOR(pg_catalog.=) $1" \
	" AND relation OPERATOR(pg_catalog.=) 'depends_on'" \
	" UNION ALL" \
	" SELECT 'change_risk', " risk \
	" FROM changemgmt.change_risk" \
	" WHERE change_id OPERATOR(pg_catalog.=) $1" \
	" UNION ALL" \
	" SELECT 'change_task', " task \
	" FROM changemgmt.change_task AS t" \
	" WHERE change_id OPERATOR(pg_catalog.=) $1 AND NOT is_condition" \
	" AND phase OPERATOR(pg_catalog.<>) 'follow_up'" \
	more \
	") AS parts" \
	" ORDER BY part COLLATE pg_catalog.\"C\", content COLLATE pg_catalog.\"C\""

static KeptPlan plan_parts = {
	PLAN_PARTS(SEALED_MORE(CHECK_CONTENT, CHECK_MORE,
						   "[null, null, null, null, false]"),
			   SEALED_MORE(RISK_CONTENT, RISK_MORE, "[null, null, null]"),
			   TASK_FULL,
			   " UNION ALL"
			   " SELECT 'template_proposal', pg_catalog.jsonb_build_array("
			   PROPOSAL_CONTENT ")::pg_catalog.text"
			   " FROM changemgmt.template_proposal"
			   " WHERE change_id OPERATOR(pg_catalog.=) $1"
			   " UNION ALL"
			   " SELECT 'change_communication', pg_catalog.jsonb_build_array("
			   COMMUNICATION_CONTENT ")::pg_catalog.text"
			   " FROM changemgmt.change_communication"
			   " WHERE change_id OPERATOR(pg_catalog.=) $1 AND is_planned"),
	1, {INT8OID}, NULL
};

/* with the tables of 1.0 */
static KeptPlan plan_parts_before = {
	PLAN_PARTS("pg_catalog.jsonb_build_array(" CHECK_CONTENT ")::pg_catalog.text",
			   "pg_catalog.jsonb_build_array(" RISK_CONTENT ")::pg_catalog.text",
			   TASK_PLAIN, ""), 1, {INT8OID}, NULL
};

static bool
listed(const List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return false;
}

bool
column_is_sealed(const ChangeModel *model, ChangeColumn column)
{
	const char *name = change_column_names[column];

	switch (change_column_classes[column])
	{
		case FIELD_PLAN:
			return !listed(model->not_sealed, name);
		case FIELD_SCHEDULE:
			return model->schedule_sealed || listed(model->sealed, name);
		case FIELD_REMARK:
			return listed(model->sealed, name);
		default:
			return false;
	}
}

bool
part_is_sealed(const ChangeModel *model, const char *part)
{
	return !listed(model->not_sealed, part);
}

static int
column_compare(const void *a, const void *b)
{
	return strcmp(change_column_names[*(const int *) a],
				  change_column_names[*(const int *) b]);
}

static void
seal(const ChangeRow *row, const ChangeModel *model, bool to_query,
	 uint8 *digest)
{
	static int	by_name[CHANGE_COLUMN_COUNT];
	static bool sorted = false;
	StringInfoData buf;
	Datum		argument = row->value[CH_id];
	KeptPlan   *plan;

	if (!sorted)
	{
		for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
			by_name[i] = i;
		qsort(by_name, CHANGE_COLUMN_COUNT, sizeof(int), column_compare);
		sorted = true;
	}

	initStringInfo(&buf);
	canonical_append_text(&buf, "changemgmt-seal-1");
	for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
	{
		ChangeColumn column = by_name[i];
		Oid			type;

		if (row->isnull[column] || !change_column_exists(column) ||
			!column_is_sealed(model, column))
			continue;
		type = TupleDescAttr(row->desc,
							 change_column_attnum(column) - 1)->atttypid;
		canonical_append_text(&buf, change_column_names[column]);
		canonical_append_value(&buf, type, row->value[column], false);
	}

	plan = relation_exists("template_proposal") ? &plan_parts :
		&plan_parts_before;
	if (to_query)
		kept_plan_read(plan, &argument, NULL, 0);
	else
		kept_plan_execute(plan, &argument, NULL, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *part = SPI_getvalue(SPI_tuptable->vals[i],
										SPI_tuptable->tupdesc, 1);

		if (!part_is_sealed(model, part))
			continue;
		canonical_append_text(&buf, part);
		canonical_append_text(&buf, SPI_getvalue(SPI_tuptable->vals[i],
												 SPI_tuptable->tupdesc, 2));
	}
	SPI_freetuptable(SPI_tuptable);
	canonical_digest(&buf, digest);
	pfree(buf.data);
}

void
change_seal(const ChangeRow *row, const ChangeModel *model, uint8 *digest)
{
	seal(row, model, false, digest);
}

void
change_seal_to_query(const ChangeRow *row, const ChangeModel *model,
					 uint8 *digest)
{
	seal(row, model, true, digest);
}

/*
 * What chooses who has to approve, and who may, stays sealed: else it is edited
 * after the approval.
 */
static const char *const always_sealed[] = {
	"model", "type", "environment", "risk_level", "touches_data_integrity",
	"touches_security", "requester_id", "owner_id", "team_id", "change_item"
};

pg_noreturn static void
list_wrong(const ChangeModel *model, const char *list, const char *name,
		   const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("definition of model \"%s\": \"%s\" of \"%s\" %s",
					model->key, name, list, problem),
			 errhint("SELECT * FROM changemgmt.field_class() lists fields and parts with their classes.")));
	pg_unreachable();
}

static int
column_named(const char *name)
{
	for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
		if (strcmp(change_column_names[i], name) == 0)
			return i;
	return -1;
}

void
seal_lists_check(const ChangeModel *model)
{
	ListCell   *lc;

	foreach(lc, model->sealed)
	{
		int			column = column_named(lfirst(lc));

		if (column >= 0 && change_column_classes[column] == FIELD_PLAN)
			list_wrong(model, "sealed", lfirst(lc), "is sealed anyway");
		if (column < 0 || (change_column_classes[column] != FIELD_SCHEDULE &&
						   change_column_classes[column] != FIELD_REMARK))
			list_wrong(model, "sealed", lfirst(lc),
					   "is no field of class schedule or remark");
	}
	foreach(lc, model->not_sealed)
	{
		const char *name = lfirst(lc);
		int			column = column_named(name);
		bool		known = column >= 0 &&
			change_column_classes[column] == FIELD_PLAN;

		for (int i = 0; i < SEALED_PART_COUNT; i++)
			known |= strcmp(sealed_parts[i].relation, name) == 0;
		if (!known)
			list_wrong(model, "not_sealed", name,
					   "is no field of class plan and no part of the plan");
		for (size_t i = 0; i < lengthof(always_sealed); i++)
			if (strcmp(always_sealed[i], name) == 0)
				list_wrong(model, "not_sealed", name,
						   "says who has to approve, and stays sealed");
		if (strcmp(name, "template_proposal") == 0)
			list_wrong(model, "not_sealed", name,
					   "is what is approved, and stays sealed");
	}
}
