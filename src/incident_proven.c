/*-------------------------------------------------------------------------
 *
 * incident_proven.c
 *	  What has succeeded in earlier environments before it may start here.
 *
 * A model names the environments ("proven_in"), a link promoted_from the change
 * that did the same there.  Whether that one failed is what the metrics say
 * (sql/15_metrics.sql, is_failed), so it counts no more once an incident is
 * confirmed, or another change takes it back.  A change that who is acting may
 * not see proves as any other, and is not spoken of.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "compat.h"
#include "errors.h"
#include "incident.h"
#include "lifecycle.h"
#include "spi.h"

/* From the first to the last that a change goes through. */
static const char *const environments[] = {
	"development", "test", "staging", "production"
};

static int
environment_place(const char *environment)
{
	for (size_t i = 0; i < lengthof(environments); i++)
		if (strcmp(environments[i], environment) == 0)
			return i;
	return lengthof(environments);
}

/* Why an earlier change does not prove it; NULL where it does. */
static char *
why_unproven(HeapTuple tuple, TupleDesc desc, TimestampTz start)
{
	bool		isnull;
	char	   *number = change_number_text(DatumGetInt64(SPI_getbinval(tuple, desc, 1,
																	   &isnull)));
	char	   *status = SPI_getvalue(tuple, desc, 3);
	char	   *outcome = SPI_getvalue(tuple, desc, 4);
	Datum		end;

	if (outcome == NULL)
		return psprintf("%s is %s", number, status);
	if (strcmp(outcome, "successful") != 0 &&
		strcmp(outcome, "successful_with_issues") != 0)
		return psprintf("%s ended as %s", number, outcome);
	if (DatumGetBool(SPI_getbinval(tuple, desc, 6, &isnull)))
		return psprintf("%s ended as %s and counts as failed since", number,
						outcome);
	end = SPI_getbinval(tuple, desc, 5, &isnull);
	if (isnull || DatumGetTimestampTz(end) > start)
		return psprintf("%s ended after this one began", number);
	return NULL;
}

static char *
check_proven_before(const Transition *t)
{
	static KeptPlan earlier = {
		"SELECT c.id, c.environment, c.status, c.outcome, c.actual_end,"
		" EXISTS (SELECT FROM changemgmt.incident_cause AS i"
		"  WHERE i.change_id OPERATOR(pg_catalog.=) c.id"
		"  AND i.status OPERATOR(pg_catalog.=) 'confirmed')"
		" OR EXISTS (SELECT FROM changemgmt.change_link AS r"
		"  WHERE r.target_change_id OPERATOR(pg_catalog.=) c.id"
		"  AND (r.relation OPERATOR(pg_catalog.=) 'remediates'"
		"   OR r.relation OPERATOR(pg_catalog.=) 'backs_out'))"
		" FROM changemgmt.change_link AS l"
		" JOIN changemgmt.change AS c"
		"  ON c.id OPERATOR(pg_catalog.=) l.target_change_id"
		" WHERE l.change_id OPERATOR(pg_catalog.=) $1"
		" AND l.relation OPERATOR(pg_catalog.=) 'promoted_from'"
		" ORDER BY c.id",
		1, {INT8OID}, NULL
	};
	const ChangeRow *row = t->row;
	Datum		argument = row->value[CH_id];
	TimestampTz start = t->thought_of || change_is_null(row, actual_start) ?
		t->now : change_time(row, actual_start);
	int			here = environment_place(change_text(row, environment));
	StringInfoData buf;
	SPITupleTable *table;
	uint64		count;
	ListCell   *lc;

	if (t->model->proven_in == NIL)
		return NULL;
	initStringInfo(&buf);
	kept_plan_execute(&earlier, &argument, NULL, 0);
	table = SPI_tuptable;
	count = SPI_processed;
	foreach(lc, t->model->proven_in)
	{
		const char *environment = lfirst(lc);
		StringInfoData problems;
		bool		proven = false;

		if (environment_place(environment) >= here)
			continue;
		initStringInfo(&problems);
		for (uint64 i = 0; i < count && !proven; i++)
		{
			bool		isnull;
			char	   *problem;

			if (strcmp(SPI_getvalue(table->vals[i], table->tupdesc, 2),
					   environment) != 0)
				continue;
			problem = why_unproven(table->vals[i], table->tupdesc, start);
			if (problem == NULL)
				proven = true;
			else if (change_is_visible(DatumGetInt64(SPI_getbinval(table->vals[i],
																   table->tupdesc, 1,
																   &isnull))))
				text_list_add(&problems, problem);
		}
		if (proven)
			continue;
		if (buf.len > 0)
			appendStringInfoString(&buf, "; ");
		appendStringInfo(&buf, "not proven in %s: %s", environment,
						 problems.len > 0 ? problems.data :
						 "no change there is linked as promoted_from");
	}
	SPI_freetuptable(table);
	return buf.len > 0 ? buf.data : NULL;
}

void
incident_proven_init(void)
{
	const Requirement requirements[] = {
		{"proven_before", "In the environments that the model names, the change that did the same succeeded before.",
			"changemgmt.link_change(%lld, 'promoted_from', earlier_change_id), once that one has succeeded.",
		check_proven_before, VERB_BIT(VERB_START), 0},
	};

	requirements_register(requirements, lengthof(requirements));
}
