/*-------------------------------------------------------------------------
 *
 * change_seal.c
 *	  The seal: what exactly it is that was approved.
 *
 * SHA-256 over the canonical encoding (docs/ledger.md) of the fields
 *
 *	  "changemgmt-seal-1"
 *	  name and value of each column of class plan that is not null, by name
 *	  (and of class schedule, where the model seals the time)
 *	  table and content of each row of a part that belongs to the plan, in
 *	  bytewise order; the content is a jsonb array of its plan columns
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
#include "spi.h"

static KeptPlan plan_parts = {
	"SELECT part, content FROM ("
	" SELECT 'change_check' AS part, pg_catalog.jsonb_build_array("
	"  kind, stage, title, expected, is_required)::pg_catalog.text AS content"
	" FROM changemgmt.change_check"
	" WHERE change_id OPERATOR(pg_catalog.=) $1 AND is_planned"
	" UNION ALL"
	" SELECT 'change_item', pg_catalog.jsonb_build_array("
	"  ci_id, role, version_before, version_after)::pg_catalog.text"
	" FROM changemgmt.change_item"
	" WHERE change_id OPERATOR(pg_catalog.=) $1"
	" UNION ALL"
	" SELECT 'change_link', pg_catalog.jsonb_build_array("
	"  relation, target_change_id, target)::pg_catalog.text"
	" FROM changemgmt.change_link"
	" WHERE change_id OPERATOR(pg_catalog.=) $1"
	" AND relation OPERATOR(pg_catalog.=) 'depends_on'"
	" UNION ALL"
	" SELECT 'change_risk', pg_catalog.jsonb_build_array("
	"  description, likelihood, impact, mitigation)::pg_catalog.text"
	" FROM changemgmt.change_risk"
	" WHERE change_id OPERATOR(pg_catalog.=) $1"
	" UNION ALL"
	" SELECT 'change_task', pg_catalog.jsonb_build_array("
	"  phase, position, title, description, object_kind,"
	"  object_name)::pg_catalog.text"
	" FROM changemgmt.change_task"
	" WHERE change_id OPERATOR(pg_catalog.=) $1 AND NOT is_condition"
	" AND phase OPERATOR(pg_catalog.<>) 'follow_up'"
	") AS parts"
	" ORDER BY part COLLATE pg_catalog.\"C\", content COLLATE pg_catalog.\"C\"",
	1, {INT8OID}, NULL
};

static int
column_compare(const void *a, const void *b)
{
	return strcmp(change_column_names[*(const int *) a],
				  change_column_names[*(const int *) b]);
}

void
change_seal(const ChangeRow *row, bool schedule_sealed, uint8 *seal)
{
	static int	by_name[CHANGE_COLUMN_COUNT];
	static bool sorted = false;
	StringInfoData buf;
	Datum		argument = row->value[CH_id];

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
		FieldClass	class = change_column_classes[column];
		Oid			type;

		if (row->isnull[column] || !change_column_exists(column) ||
			!(class == FIELD_PLAN ||
			  (class == FIELD_SCHEDULE && schedule_sealed)))
			continue;
		type = TupleDescAttr(row->desc,
							 change_column_attnum(column) - 1)->atttypid;
		canonical_append_text(&buf, change_column_names[column]);
		canonical_append_value(&buf, type, row->value[column], false);
	}

	kept_plan_execute(&plan_parts, &argument, NULL, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		canonical_append_text(&buf, SPI_getvalue(SPI_tuptable->vals[i],
												 SPI_tuptable->tupdesc, 1));
		canonical_append_text(&buf, SPI_getvalue(SPI_tuptable->vals[i],
												 SPI_tuptable->tupdesc, 2));
	}
	SPI_freetuptable(SPI_tuptable);
	canonical_digest(&buf, seal);
	pfree(buf.data);
}
