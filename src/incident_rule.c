/*-------------------------------------------------------------------------
 *
 * incident_rule.c
 *	  What an incident can be, and what can be said to have caused it.
 *
 * The times of an incident come from people and from other systems, whose
 * clocks differ; what cannot be is refused, whoever says it.  What is written
 * for an incident that was merged is written for what it was merged into, by
 * locking the one that stays first.  Who decides about a cause, and when, is
 * filled in here, so nobody can say it for others.
 *
 * Called by the triggers of incident, incident_cause and incident_item.
 * History that comes by COPY is stored as it is.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "change.h"
#include "change_part.h"
#include "compat.h"
#include "errors.h"
#include "incident.h"
#include "ledger.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(incident_stamp);
PG_FUNCTION_INFO_V1(incident_judge);

/* How far the clocks of others may be ahead of ours. */
#define CLOCK_MARGIN (5 * USECS_PER_MINUTE)

typedef enum IncidentTable
{
	TABLE_INCIDENT,
	TABLE_CAUSE,
	TABLE_ITEM
} IncidentTable;

/* A row before and after, by the names of its columns. */
typedef struct Edit
{
	Relation	rel;
	TupleDesc	desc;
	HeapTuple	old;			/* NULL for a new row */
	HeapTuple	new;			/* NULL for a deleted row */
} Edit;

static IncidentTable
incident_table(Relation rel)
{
	const char *name = RelationGetRelationName(rel);

	if (strcmp(name, "incident") == 0)
		return TABLE_INCIDENT;
	if (strcmp(name, "incident_cause") == 0)
		return TABLE_CAUSE;
	if (strcmp(name, "incident_item") == 0)
		return TABLE_ITEM;
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("table \"%s\" is not one of incidents", name)));
	return TABLE_INCIDENT;		/* not reached */
}

static void
edit_read(Edit *edit, TriggerData *trigdata)
{
	edit->rel = trigdata->tg_relation;
	edit->desc = RelationGetDescr(edit->rel);
	edit->old = TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) ? NULL :
		trigdata->tg_trigtuple;
	edit->new = TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ? NULL :
		TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newtuple :
		trigdata->tg_trigtuple;
}

static bool
is_null(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;

	(void) part_value(tuple, desc, column, &isnull);
	return isnull;
}

static TimestampTz
time_of(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;

	return DatumGetTimestampTz(part_value(tuple, desc, column, &isnull));
}

/* Whether a column is new, or another than it was. */
static bool
is_said(const Edit *edit, const char *column)
{
	return edit->old == NULL ||
		!part_equal(edit->old, edit->new, edit->desc, column);
}

static bool
is_blank(const Edit *edit, const char *column)
{
	bool		isnull;
	Datum		value = part_value(edit->new, edit->desc, column, &isnull);
	char	   *said;

	if (isnull)
		return true;
	said = TextDatumGetCString(value);
	return strspn(said, " \t\r\n") == strlen(said);
}

static void
refuse(const Edit *edit, int sqlstate, const char *column, const char *problem,
	   const char *hint)
{
	ereport(ERROR,
			(errcode(sqlstate), err_as_caller(), errmsg("%s", problem),
			 errhint("%s", hint),
			 errtablecol(edit->rel, SPI_fnumber(edit->desc, column))));
}

/* ----------------------------------------------------------------
 * Incidents
 * ---------------------------------------------------------------- */

/* Two times of which the second must not lie before the first. */
static void
check_order(const Edit *edit, const char *first, const char *second,
			const char *problem, const char *hint)
{
	if ((is_said(edit, first) || is_said(edit, second)) &&
		!is_null(edit->new, edit->desc, first) &&
		!is_null(edit->new, edit->desc, second) &&
		time_of(edit->new, edit->desc, second) <
		time_of(edit->new, edit->desc, first))
		refuse(edit, ERRCODE_MC_INVALID_INPUT, second, problem, hint);
}

/* What no incident can be; what history brought stays until it is written. */
static void
check_incident(const Edit *edit)
{
	static const char *const times[] = {"began_at", "detected_at", "resolved_at"};
	bool		isnull;
	Datum		value;

	if (is_said(edit, "reference") &&
		!is_null(edit->new, edit->desc, "reference") && is_blank(edit, "reference"))
		refuse(edit, ERRCODE_MC_INVALID_INPUT, "reference",
			   "the reference of an incident is empty",
			   "Give its id in the system that it comes from, or leave it out.");
	value = part_value(edit->new, edit->desc, "severity", &isnull);
	if (!isnull && is_said(edit, "severity") &&
		(DatumGetInt32(value) < 1 || DatumGetInt32(value) > 5))
		refuse(edit, ERRCODE_MC_INVALID_INPUT, "severity",
			   psprintf("severity %d is not between 1 and 5", DatumGetInt32(value)),
			   "1: everything is down; 5: nobody notices.");
	value = part_value(edit->new, edit->desc, "outage_minutes", &isnull);
	if (!isnull && is_said(edit, "outage_minutes") && DatumGetInt32(value) < 0)
		refuse(edit, ERRCODE_MC_INVALID_INPUT, "outage_minutes",
			   psprintf("outage_minutes %d is negative", DatumGetInt32(value)),
			   "Count the minutes of outage that users had, or leave them out.");
	value = part_value(edit->new, edit->desc, "kind", &isnull);
	if (!isnull && is_said(edit, "kind"))
		code_check("incident_kind", value, "kind");
	for (size_t i = 0; i < lengthof(times); i++)
	{
		TimestampTz at;

		if (is_null(edit->new, edit->desc, times[i]) || !is_said(edit, times[i]))
			continue;
		at = time_of(edit->new, edit->desc, times[i]);
		if (TIMESTAMP_NOT_FINITE(at))
			refuse(edit, ERRCODE_MC_INVALID_INPUT, times[i],
				   psprintf("%s of an incident is infinite", times[i]),
				   "Leave it out where it is not known.");
		if (at > GetCurrentTimestamp() + CLOCK_MARGIN)
			refuse(edit, ERRCODE_MC_INVALID_INPUT, times[i],
				   psprintf("%s of an incident lies in the future", times[i]),
				   "Clocks may differ by five minutes. Record what has happened.");
	}
	check_order(edit, "began_at", "resolved_at",
				"an incident is resolved before it began",
				"Correct one of the times.");
	check_order(edit, "began_at", "detected_at",
				"an incident is detected before it began",
				"What is noticed has begun: give the earlier time as began_at.");
	if (is_said(edit, "resolved_at"))
		check_order(edit, "reopened_at", "resolved_at",
					"an incident is resolved before it was reopened",
					"Say when it was resolved after that.");
}

/* New values of a row's columns, put in at once. */
typedef struct Stamps
{
	int			count;
	int			columns[8];
	Datum		values[8];
	bool		nulls[8];
} Stamps;

static void
stamp(Stamps *stamps, const Edit *edit, const char *column, Datum value,
	  bool isnull)
{
	Assert(stamps->count < (int) lengthof(stamps->columns));
	stamps->columns[stamps->count] = SPI_fnumber(edit->desc, column);
	stamps->values[stamps->count] = value;
	stamps->nulls[stamps->count++] = isnull;
}

/* What only the rules write stays as it was. */
static void
stamp_kept(Stamps *stamps, const Edit *edit, const char *column)
{
	bool		isnull = true;
	Datum		value = edit->old == NULL ? (Datum) 0 :
		part_value(edit->old, edit->desc, column, &isnull);

	stamp(stamps, edit, column, value, isnull);
}

static void
stamp_actor(Stamps *stamps, const Edit *edit, const char *column)
{
	int64		person = actor_person();

	stamp(stamps, edit, column, Int64GetDatum(person), person == 0);
}

/* As now() has it, by which months are over. */
static void
stamp_now(Stamps *stamps, const Edit *edit, const char *column)
{
	stamp(stamps, edit, column,
		  TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()), false);
}

static bool
is_reopened(const Edit *edit)
{
	return edit->old != NULL && !is_null(edit->old, edit->desc, "resolved_at") &&
		is_null(edit->new, edit->desc, "resolved_at");
}

static bool
is_merged_now(const Edit *edit)
{
	return edit->old != NULL && is_null(edit->old, edit->desc, "merged_into_id") &&
		!is_null(edit->new, edit->desc, "merged_into_id");
}

static void
stamp_incident(Stamps *stamps, const Edit *edit)
{
	if (edit->old == NULL)
		stamp_actor(stamps, edit, "recorded_by_id");
	else
		stamp_kept(stamps, edit, "recorded_by_id");
	if (is_reopened(edit))
	{
		bool		isnull;
		int32		count = DatumGetInt32(part_value(edit->old, edit->desc,
													 "reopen_count", &isnull));

		stamp(stamps, edit, "reopen_count", Int32GetDatum(count + 1), false);
		/* when this began, but never before it was resolved */
		stamp(stamps, edit, "reopened_at",
			  TimestampTzGetDatum(Max(GetCurrentTransactionStartTimestamp(),
									  Min(GetCurrentTimestamp(),
										  time_of(edit->old, edit->desc,
												  "resolved_at")))), false);
	}
	else
	{
		if (edit->old == NULL)
			stamp(stamps, edit, "reopen_count", Int32GetDatum(0), false);
		else
			stamp_kept(stamps, edit, "reopen_count");
		stamp_kept(stamps, edit, "reopened_at");
	}
	if (is_merged_now(edit))
	{
		int64		into = part_id(edit->new, edit->desc, "merged_into_id");

		stamp(stamps, edit, "merged_into_id",
			  Int64GetDatum(incident_target(into, false)), false);
		stamp_now(stamps, edit, "merged_at");
	}
	else
		stamp_kept(stamps, edit, "merged_at");
	/* the next time that it is reopened, it is for a reason of its own */
	if (edit->old != NULL && is_null(edit->old, edit->desc, "resolved_at") &&
		!is_null(edit->new, edit->desc, "resolved_at") &&
		!is_said(edit, "status_reason"))
		stamp(stamps, edit, "status_reason", (Datum) 0, true);
}

/* A merged incident stays as it is, but for what it was merged into is merged. */
static void
judge_merged(const Edit *edit)
{
	int64		before = part_id(edit->old, edit->desc, "merged_into_id");
	int64		after = part_id(edit->new, edit->desc, "merged_into_id");

	for (int i = 0; i < edit->desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(edit->desc, i);

		if (column->attisdropped || !is_said(edit, NameStr(column->attname)))
			continue;
		if (strcmp(NameStr(column->attname), "merged_into_id") == 0 &&
			after != 0 && incident_target(before, false) == after)
			continue;
		refuse(edit, ERRCODE_MC_SEALED_CONTENT, NameStr(column->attname),
			   psprintf("incident \"%s\" is merged into \"%s\" and stays as it is",
						is_null(edit->old, edit->desc, "reference") ?
						psprintf(INT64_FORMAT, part_id(edit->old, edit->desc, "id")) :
						SPI_getvalue(edit->old, edit->desc,
									 SPI_fnumber(edit->desc, "reference")),
						incident_label(before)),
			   "Write of the one that it was merged into.");
	}
}

/*
 * Items and causes go to where an incident is merged into, once each.  Where
 * both know a change, confirmed stands before dismissed, and that before
 * suspected, so that no merge takes back what somebody confirmed, nor
 * that it was confirmed once, and restated a month.
 */
static void
merge_parts(int64 id, int64 into)
{
#define PAIR {INT8OID, INT8OID}
	static KeptPlan statements[] = {
		{"DELETE FROM changemgmt.incident_item AS i"
			" WHERE i.incident_id OPERATOR(pg_catalog.=) $1"
			" AND EXISTS (SELECT FROM changemgmt.incident_item AS o"
			"  WHERE o.incident_id OPERATOR(pg_catalog.=) $2"
			"  AND o.ci_id OPERATOR(pg_catalog.=) i.ci_id)",
		2, PAIR, NULL},
		{"UPDATE changemgmt.incident_item SET incident_id = $2"
			" WHERE incident_id OPERATOR(pg_catalog.=) $1",
		2, PAIR, NULL},
		/* the codes sort this way */
		{"DELETE FROM changemgmt.incident_cause AS o"
			" USING changemgmt.incident_cause AS c"
			" WHERE o.incident_id OPERATOR(pg_catalog.=) $2"
			" AND c.incident_id OPERATOR(pg_catalog.=) $1"
			" AND o.change_id OPERATOR(pg_catalog.=) c.change_id"
			" AND (c.status COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.<) o.status"
			"  OR (c.status OPERATOR(pg_catalog.=) o.status"
			"   AND c.withdrawn_at IS NOT NULL AND o.withdrawn_at IS NULL))",
		2, PAIR, NULL},
		{"DELETE FROM changemgmt.incident_cause AS c"
			" WHERE c.incident_id OPERATOR(pg_catalog.=) $1"
			" AND EXISTS (SELECT FROM changemgmt.incident_cause AS o"
			"  WHERE o.incident_id OPERATOR(pg_catalog.=) $2"
			"  AND o.change_id OPERATOR(pg_catalog.=) c.change_id)",
		2, PAIR, NULL},
		{"UPDATE changemgmt.incident_cause SET incident_id = $2"
			" WHERE incident_id OPERATOR(pg_catalog.=) $1",
		2, PAIR, NULL},
		{"UPDATE changemgmt.incident SET merged_into_id = $2"
			" WHERE merged_into_id OPERATOR(pg_catalog.=) $1",
		2, PAIR, NULL},
	};
#undef PAIR
	Datum		arguments[2];

	arguments[0] = Int64GetDatum(id);
	arguments[1] = Int64GetDatum(into);
	for (size_t i = 0; i < lengthof(statements); i++)
		kept_plan_execute(&statements[i], arguments, NULL, 0);
}

/* A change in a message to who may not know of it. */
static const char *
change_words(int64 id)
{
	return change_is_visible(id) ? change_number_text(id) : "a change";
}

/* A change that is confirmed to have caused it, and began later; 0: none. */
static int64
cause_from_later(int64 incident)
{
	static KeptPlan find = {
		"SELECT c.id FROM changemgmt.incident_cause AS k"
		" JOIN changemgmt.incident AS i ON i.id OPERATOR(pg_catalog.=) k.incident_id"
		" JOIN changemgmt.change AS c ON c.id OPERATOR(pg_catalog.=) k.change_id"
		" WHERE k.incident_id OPERATOR(pg_catalog.=) $1"
		" AND k.status OPERATOR(pg_catalog.=) 'confirmed'"
		" AND c.actual_start OPERATOR(pg_catalog.>)"
		"  COALESCE(i.began_at, i.detected_at)"
		" ORDER BY c.id",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(incident);
	bool		isnull;
	Datum		value;

	kept_plan_execute(&find, &argument, NULL, 1);
	value = spi_first_value(1, &isnull);
	return isnull ? 0 : DatumGetInt64(value);
}

static void
judge_incident(const Edit *edit)
{
	static KeptPlan lock = {
		"SELECT merged_into_id IS NOT NULL FROM changemgmt.incident"
		" WHERE id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
		1, {INT8OID}, NULL
	};
	static KeptPlan merged = {
		"SELECT FROM changemgmt.incident"
		" WHERE merged_into_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	int64		id;
	int64		into;

	/* no foreign key: of one to the same table pg_dump warns */
	if (edit->new == NULL)
	{
		Datum		argument = Int64GetDatum(part_id(edit->old, edit->desc, "id"));

		kept_plan_execute(&merged, &argument, NULL, 1);
		if (SPI_processed > 0)
			refuse(edit, ERRCODE_MC_APPEND_ONLY, "id",
				   "an incident that others were merged into stays on record",
				   "They lead to it.");
		return;
	}
	id = part_id(edit->new, edit->desc, "id");
	into = part_id(edit->new, edit->desc, "merged_into_id");
	check_incident(edit);
	if (edit->old == NULL)
	{
		if (into != 0)
			refuse(edit, ERRCODE_MC_INVALID_INPUT, "merged_into_id",
				   "an incident is recorded before it is merged",
				   "changemgmt.merge_incident(incident, into, reason) merges it. History comes in by COPY.");
		return;
	}
	if (!is_null(edit->old, edit->desc, "merged_into_id"))
	{
		judge_merged(edit);
		return;
	}
	if (is_reopened(edit) && is_blank(edit, "status_reason"))
		refuse(edit, ERRCODE_MC_REQUIREMENTS_UNMET, "status_reason",
			   "who reopens an incident says why",
			   "changemgmt.reopen_incident(incident, reason).");
	if (is_merged_now(edit))
	{
		Datum		argument = Int64GetDatum(into);
		bool		isnull;

		if (into == id)
			refuse(edit, ERRCODE_MC_INVALID_INPUT, "merged_into_id",
				   psprintf("incident \"%s\" cannot be merged into itself, nor into what was merged into it",
							incident_label(id)),
				   "changemgmt.merge_incident(incident, into, reason): the second one stays.");
		if (is_blank(edit, "status_reason"))
			refuse(edit, ERRCODE_MC_REQUIREMENTS_UNMET, "status_reason",
				   "who merges an incident says why",
				   "changemgmt.merge_incident(incident, into, reason).");
		kept_plan_execute(&lock, &argument, NULL, 0);
		if (SPI_processed == 0)
			incident_unknown(psprintf(INT64_FORMAT, into));
		if (DatumGetBool(spi_first_value(1, &isnull)))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE), err_as_caller(),
					 errmsg("the incident to merge into is merged itself meanwhile"),
					 errhint("Try again.")));
		merge_parts(id, into);
	}
	if (is_said(edit, "began_at") || is_said(edit, "detected_at"))
	{
		int64		later = cause_from_later(id);

		if (later != 0)
			refuse(edit, ERRCODE_MC_INVALID_INPUT, "began_at",
				   psprintf("%s is confirmed to have caused the incident, and began after it",
							change_words(later)),
				   "Dismiss it first with changemgmt.confirm_cause(incident, change_id, confirmed => false).");
	}
}

/* ----------------------------------------------------------------
 * Causes and items
 * ---------------------------------------------------------------- */

/*
 * The incident that a row is for: what the one named was merged into.  It is
 * locked against being merged until the row is there.
 */
static int64
incident_share(const Edit *edit, int64 id)
{
	static KeptPlan lock = {
		"SELECT merged_into_id FROM changemgmt.incident"
		" WHERE id OPERATOR(pg_catalog.=) $1 FOR SHARE",
		1, {INT8OID}, NULL
	};

	if (id == 0)
		refuse(edit, ERRCODE_MC_INVALID_INPUT, "incident_id",
			   "no incident is named", "Give its reference or its id.");
	for (;;)
	{
		Datum		argument = Int64GetDatum(id);
		int64		target;

		kept_plan_execute(&lock, &argument, NULL, 0);
		if (SPI_processed == 0)
			incident_unknown(psprintf(INT64_FORMAT, id));
		target = incident_target(id, false);
		if (target == id)
			return id;
		id = target;
	}
}

static bool
is_decided(const Edit *edit, HeapTuple row)
{
	return !part_is(row, edit->desc, "status", "suspected");
}

static void
stamp_cause(Stamps *stamps, const Edit *edit)
{
	ChangeRow	change;
	bool		was_confirmed;
	bool		confirmed;

	if (is_null(edit->new, edit->desc, "status"))
		refuse(edit, ERRCODE_MC_INVALID_INPUT, "status",
			   "it is not said whether the change caused the incident",
			   "changemgmt.confirm_cause(incident, change_id, confirmed).");
	/* before foreign keys have their say */
	if (edit->old == NULL)
		change_find(&change, part_change_id(edit->new, edit->desc), false);
	if (edit->old != NULL && !is_said(edit, "status"))
	{
		stamp_kept(stamps, edit, "decided_by_id");
		stamp_kept(stamps, edit, "decided_at");
		stamp_kept(stamps, edit, "suspected_by_id");
		stamp_kept(stamps, edit, "suspected_at");
		stamp_kept(stamps, edit, "withdrawn_at");
		return;
	}
	if (!is_decided(edit, edit->new))
	{
		stamp(stamps, edit, "decided_by_id", (Datum) 0, true);
		stamp(stamps, edit, "decided_at", (Datum) 0, true);
		stamp_actor(stamps, edit, "suspected_by_id");
		stamp_now(stamps, edit, "suspected_at");
		stamp(stamps, edit, "withdrawn_at", (Datum) 0, true);
		return;
	}
	was_confirmed = edit->old != NULL &&
		part_is(edit->old, edit->desc, "status", "confirmed");
	confirmed = part_is(edit->new, edit->desc, "status", "confirmed");
	stamp(stamps, edit, "decided_by_id",
		  Int64GetDatum(actor_person_required()), false);
	stamp_now(stamps, edit, "decided_at");
	stamp_kept(stamps, edit, "suspected_by_id");
	stamp_kept(stamps, edit, "suspected_at");
	if (was_confirmed && !confirmed)
		stamp_now(stamps, edit, "withdrawn_at");
	else if (confirmed)
		stamp(stamps, edit, "withdrawn_at", (Datum) 0, true);
	else
		stamp_kept(stamps, edit, "withdrawn_at");
}

/* What is confirmed was there: the work was begun, and before the incident. */
static void
judge_confirmed(const Edit *edit)
{
	static KeptPlan times = {
		"SELECT COALESCE(began_at, detected_at) FROM changemgmt.incident"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	Datum		incident = Int64GetDatum(part_id(edit->new, edit->desc, "incident_id"));
	int64		id = part_change_id(edit->new, edit->desc);
	ChangeRow	change;
	TimestampTz began;
	bool		unknown;

	if (!change_read(&change, id, false))
		change_unknown(id);
	if ((change_is_null(&change, actual_start) &&
		 change_is_null(&change, actual_end)) ||
		change_outcome(&change) == OUTCOME_NOT_IMPLEMENTED)
		refuse(edit, ERRCODE_MC_INVALID_INPUT, "status",
			   psprintf("%s was never carried out and cannot have caused an incident",
						change_words(id)),
			   "Dismiss it with changemgmt.confirm_cause(incident, change_id, confirmed => false).");
	kept_plan_execute(&times, &incident, NULL, 1);
	began = DatumGetTimestampTz(spi_first_value(1, &unknown));
	if (!unknown && !change_is_null(&change, actual_start) &&
		change_time(&change, actual_start) > began)
		refuse(edit, ERRCODE_MC_INVALID_INPUT, "status",
			   psprintf("%s began after incident \"%s\" did and cannot have caused it",
						change_words(id),
						incident_label(DatumGetInt64(incident))),
			   "Correct began_at of the incident, or dismiss the change.");
}

/* A month whose numbers were final until now. */
static void
tell_restated(const Edit *edit, bool confirmed)
{
	static KeptPlan month = {
		"SELECT pg_catalog.to_char(c.actual_end AT TIME ZONE z.name, 'YYYY-MM')"
		" FROM changemgmt.change AS c,"
		"  (SELECT changemgmt.setting_value('reporting_time_zone')) AS z (name)"
		" WHERE c.id OPERATOR(pg_catalog.=) $1"
		" AND c.environment OPERATOR(pg_catalog.=) 'production'"
		" AND c.actual_start IS NOT NULL AND c.actual_end IS NOT NULL"
		" AND COALESCE(c.outcome OPERATOR(pg_catalog.<>) 'not_implemented', true)"
		" AND pg_catalog.date_trunc('month', c.actual_end AT TIME ZONE z.name)"
		"  OPERATOR(pg_catalog.<) pg_catalog.date_trunc('month',"
		"   pg_catalog.now() AT TIME ZONE z.name)",
		1, {INT8OID}, NULL
	};
	int64		id = part_change_id(edit->new, edit->desc);
	Datum		argument = Int64GetDatum(id);
	char	   *restated;

	kept_plan_execute(&month, &argument, NULL, 1);
	if (SPI_processed == 0)
		return;
	restated = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	ereport(NOTICE,
			(errmsg("month %s is restated: %s %s incident \"%s\"", restated,
					change_number_text(id),
					confirmed ? "is confirmed to have caused" :
					"is no longer held to have caused",
					incident_label(part_id(edit->new, edit->desc, "incident_id"))),
			 errhint("restated_at of changemgmt.monthly_metrics says when that was last.")));
}

/* Whether a cause that is deleted stands with the incident merged into, or from. */
static bool
stands_elsewhere(const Edit *edit)
{
	static KeptPlan find = {
		"SELECT FROM changemgmt.incident_cause AS k"
		" JOIN changemgmt.incident AS i ON i.id OPERATOR(pg_catalog.=) k.incident_id"
		" JOIN changemgmt.incident AS m ON m.id OPERATOR(pg_catalog.=) $1"
		" WHERE k.change_id OPERATOR(pg_catalog.=) $2"
		" AND (i.merged_into_id OPERATOR(pg_catalog.=) m.id"
		"  OR m.merged_into_id OPERATOR(pg_catalog.=) i.id)",
		2, {INT8OID, INT8OID}, NULL
	};
	Datum		arguments[2];

	arguments[0] = Int64GetDatum(part_id(edit->old, edit->desc, "incident_id"));
	arguments[1] = Int64GetDatum(part_change_id(edit->old, edit->desc));
	kept_plan_execute(&find, arguments, NULL, 1);
	return SPI_processed > 0;
}

static void
judge_cause(const Edit *edit)
{
	bool		was_confirmed;
	bool		confirmed;

	if (edit->new == NULL)
	{
		if (is_decided(edit, edit->old) && !stands_elsewhere(edit))
			refuse(edit, ERRCODE_MC_APPEND_ONLY, "status",
				   "what was decided about a cause stays on record",
				   "changemgmt.confirm_cause(incident, change_id, confirmed => false) dismisses it.");
		return;
	}
	if (edit->old != NULL && is_said(edit, "change_id"))
		refuse(edit, ERRCODE_MC_SEALED_CONTENT, "change_id",
			   "a cause stays with its change",
			   "changemgmt.suspect_cause(incident, change_id, reason) records another.");
	if (edit->old != NULL && is_said(edit, "incident_id") &&
		incident_target(part_id(edit->old, edit->desc, "incident_id"), false) !=
		part_id(edit->new, edit->desc, "incident_id"))
		refuse(edit, ERRCODE_MC_SEALED_CONTENT, "incident_id",
			   "a cause stays with its incident",
			   "It goes along where the incident is merged.");
	if (edit->old != NULL && is_said(edit, "status") &&
		!is_decided(edit, edit->new))
		refuse(edit, ERRCODE_MC_ILLEGAL_TRANSITION, "status",
			   psprintf("%s is decided about already",
						change_number_text(part_change_id(edit->new, edit->desc))),
			   "changemgmt.confirm_cause(incident, change_id, confirmed) decides anew.");
	was_confirmed = edit->old != NULL &&
		part_is(edit->old, edit->desc, "status", "confirmed");
	confirmed = part_is(edit->new, edit->desc, "status", "confirmed");
	if (confirmed && (is_said(edit, "status") || is_said(edit, "incident_id")))
		judge_confirmed(edit);
	if (confirmed != was_confirmed)
		tell_restated(edit, confirmed);
}

/* ----------------------------------------------------------------
 * The triggers
 * ---------------------------------------------------------------- */

/* BEFORE ROW of all three tables. */
Datum
incident_stamp(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "incident_stamp",
										 FOR_ROW | AT_BEFORE, NULL);
	IncidentTable table = incident_table(trigdata->tg_relation);
	MemoryContext caller = CurrentMemoryContext;
	Stamps		stamps = {0};
	Edit		edit;

	edit_read(&edit, trigdata);
	if (ledger_is_history(trigdata))
		return PointerGetDatum(edit.new);
	SPI_connect();
	if (table == TABLE_INCIDENT)
	{
		/* here, too, as the constraints of the table would say it in other words */
		check_incident(&edit);
		stamp_incident(&stamps, &edit);
	}
	else
	{
		if (is_said(&edit, "incident_id"))
			stamp(&stamps, &edit, "incident_id",
				  Int64GetDatum(incident_share(&edit, part_id(edit.new, edit.desc,
															  "incident_id"))),
				  false);
		if (table == TABLE_CAUSE)
			stamp_cause(&stamps, &edit);
	}
	if (stamps.count > 0)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);

		edit.new = heap_modify_tuple_by_cols(edit.new, edit.desc, stamps.count,
											 stamps.columns, stamps.values,
											 stamps.nulls);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return PointerGetDatum(edit.new);
}

/* AFTER ROW of incident and incident_cause. */
Datum
incident_judge(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "incident_judge",
										 FOR_ROW | AT_AFTER, NULL);
	IncidentTable table = incident_table(trigdata->tg_relation);
	Edit		edit;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	edit_read(&edit, trigdata);
	SPI_connect();
	if (table == TABLE_INCIDENT)
		judge_incident(&edit);
	else if (table == TABLE_CAUSE)
		judge_cause(&edit);
	SPI_finish();
	return PointerGetDatum(NULL);
}
