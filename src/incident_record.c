/*-------------------------------------------------------------------------
 *
 * incident_record.c
 *	  Which incident is meant, and what becomes of it: recorded, edited,
 *	  resolved, reopened, merged.
 *
 * An incident is named by its reference or its id.  One that was merged leads
 * to what it was merged into, one step as the rules keep it, several or in a
 * circle as history may bring it.  The verbs only supply: what an incident can
 * be is judged by its triggers (incident_rule.c).  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "errors.h"
#include "incident.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(incident_id);
PG_FUNCTION_INFO_V1(record_incident);
PG_FUNCTION_INFO_V1(edit_incident);
PG_FUNCTION_INFO_V1(resolve_incident);
PG_FUNCTION_INFO_V1(reopen_incident);
PG_FUNCTION_INFO_V1(merge_incident);

/* ----------------------------------------------------------------
 * Which incident
 * ---------------------------------------------------------------- */

static int	(*const reads[]) (KeptPlan *, Datum *, const char *, long) = {
	kept_plan_execute, kept_plan_read
};

static int64
first_id(void)
{
	bool		isnull;
	Datum		value = spi_first_value(1, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static int64
incident_by_reference(Datum reference, bool to_query)
{
	static KeptPlan find = {
		"SELECT id FROM changemgmt.incident"
		" WHERE reference OPERATOR(pg_catalog.=) $1",
		1, {TEXTOID}, NULL
	};

	reads[to_query] (&find, &reference, NULL, 1);
	return first_id();
}

int64
incident_named(const char *name, bool to_query)
{
	static KeptPlan find = {
		"SELECT id FROM changemgmt.incident WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	int64		id = incident_by_reference(CStringGetTextDatum(name), to_query);
	Datum		argument;

	if (id != 0)
		return id;
	/* by its id, as it is written and no other way */
	id = strtoll(name, NULL, 10);
	if (strcmp(name, psprintf(INT64_FORMAT, id)) != 0)
		return 0;
	argument = Int64GetDatum(id);
	reads[to_query] (&find, &argument, NULL, 1);
	return first_id();
}

int64
incident_target(int64 id, bool to_query)
{
	static KeptPlan find = {
		"SELECT merged_into_id FROM changemgmt.incident"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	int64		at = id;

	if (!column_exists("incident", "merged_into_id"))
		return id;
	for (int steps = 0; steps < 100; steps++)
	{
		Datum		argument = Int64GetDatum(at);
		int64		next;

		reads[to_query] (&find, &argument, NULL, 1);
		next = first_id();
		if (next == 0)
			return at;
		at = next;
	}
	/* a circle that history brought leads nowhere */
	return id;
}

void
incident_unknown(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("incident \"%s\" does not exist", name),
			 errhint("Name it by its reference or its id: SELECT id, reference FROM changemgmt.incident.")));
	pg_unreachable();
}

char *
incident_label(int64 id)
{
	static KeptPlan find = {
		"SELECT COALESCE(reference, pg_catalog.text(id)) FROM changemgmt.incident"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(id);

	kept_plan_execute(&find, &argument, NULL, 1);
	return SPI_processed == 0 ? psprintf(INT64_FORMAT, id) :
		SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

static char *
text_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? pstrdup("") :
		text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* incident_id(incident): by reference or id; a stub where nobody recorded it */
Datum
incident_id(PG_FUNCTION_ARGS)
{
	static KeptPlan stub = {
		"INSERT INTO changemgmt.incident (reference) VALUES ($1)"
		" ON CONFLICT (reference) DO NOTHING",
		1, {TEXTOID}, NULL
	};
	char	   *name = text_argument(fcinfo, 0);
	Datum		argument = CStringGetTextDatum(name);
	int64		id;

	if (name[0] == '\0')
		PG_RETURN_NULL();
	SPI_connect();
	id = incident_named(name, false);
	if (id == 0)
	{
		/* another session may be at it; then its row is the one */
		kept_plan_execute(&stub, &argument, NULL, 0);
		id = incident_by_reference(argument, false);
		if (id == 0)
		{
			SPI_processed = 0;
			kept_plan_require_row(&stub, "an incident");
		}
	}
	id = incident_target(id, false);
	SPI_finish();
	PG_RETURN_INT64(id);
}

/* What the verbs do to an incident: one that is there, led to its target. */
static int64
incident_found(const char *name)
{
	int64		id = incident_named(name, false);

	if (id == 0)
		incident_unknown(name);
	return incident_target(id, false);
}

/* ----------------------------------------------------------------
 * Recording
 * ---------------------------------------------------------------- */

static void
add_items(int64 incident, ArrayType *items)
{
	static KeptPlan add = {
		"INSERT INTO changemgmt.incident_item (incident_id, ci_id)"
		" SELECT $1, changemgmt.ci_id(COALESCE(i.name, ''))"
		" FROM pg_catalog.unnest($2) AS i (name)"
		" GROUP BY i.name ORDER BY 2"
		" ON CONFLICT (incident_id, ci_id) DO NOTHING",
		2, {INT8OID, TEXTARRAYOID}, NULL
	};
	Datum		arguments[2];

	arguments[0] = Int64GetDatum(incident);
	arguments[1] = PointerGetDatum(items);
	kept_plan_execute(&add, arguments, NULL, 0);
}

#define RECORD_ITEMS 7
#define RECORD_ARGUMENTS 10

/*
 * record_incident(): the same message may come any number of times, and from
 * systems that know different parts.  What is not known is filled in; another
 * value than the recorded one is refused, as who is right is for people.  A
 * resolution from before it was reopened is an old message and says nothing.
 */
Datum
record_incident(PG_FUNCTION_ARGS)
{
#define VALUES_TYPES \
	{TEXTOID, TEXTOID, INT4OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, \
	 TIMESTAMPTZOID, INT4OID, TEXTOID, INT8OID}
	static KeptPlan insert = {
		"INSERT INTO changemgmt.incident (reference, title, severity, kind,"
		" began_at, detected_at, resolved_at, outage_minutes, source)"
		" SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9"
		" WHERE $10 OPERATOR(pg_catalog.=) 0"
		" ON CONFLICT (reference) DO NOTHING",
		RECORD_ARGUMENTS, VALUES_TYPES, NULL
	};
#define RESOLVED \
	"CASE WHEN i.reopened_at OPERATOR(pg_catalog.>=) $7 THEN NULL ELSE $7 END"
#define OTHER(column, value) \
	" CASE WHEN i." column " OPERATOR(pg_catalog.<>) " value \
	"  THEN pg_catalog.concat('" column ": it is ', i." column "," \
	"   ', and the message says ', " value ") END"
#define NEW(column, value) \
	"(i." column " IS NULL AND " value " IS NOT NULL)"
	static KeptPlan compare = {
		"SELECT i.merged_into_id, pg_catalog.concat_ws(pg_catalog.chr(10),"
		OTHER("title", "$2") "," OTHER("severity", "$3") ","
		OTHER("kind", "$4") "," OTHER("began_at", "$5") ","
		OTHER("detected_at", "$6") "," OTHER("resolved_at", RESOLVED) ","
		OTHER("outage_minutes", "$8") "," OTHER("source", "$9") "), "
		NEW("title", "$2") " OR " NEW("severity", "$3") " OR "
		NEW("kind", "$4") " OR " NEW("began_at", "$5") " OR "
		NEW("detected_at", "$6") " OR " NEW("resolved_at", RESOLVED) " OR "
		NEW("outage_minutes", "$8") " OR " NEW("source", "$9")
		" FROM changemgmt.incident AS i"
		" WHERE i.id OPERATOR(pg_catalog.=) $10"
		" AND i.reference OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
		RECORD_ARGUMENTS, VALUES_TYPES, NULL
	};
	static KeptPlan fill = {
		"UPDATE changemgmt.incident AS i SET title = COALESCE(i.title, $2),"
		" severity = COALESCE(i.severity, $3), kind = COALESCE(i.kind, $4),"
		" began_at = COALESCE(i.began_at, $5),"
		" detected_at = COALESCE(i.detected_at, $6),"
		" resolved_at = COALESCE(i.resolved_at, " RESOLVED "),"
		" outage_minutes = COALESCE(i.outage_minutes, $8),"
		" source = COALESCE(i.source, $9)"
		" WHERE i.id OPERATOR(pg_catalog.=) $10"
		" AND i.reference OPERATOR(pg_catalog.=) $1",
		RECORD_ARGUMENTS, VALUES_TYPES, NULL
	};
#undef RESOLVED
#undef OTHER
#undef NEW
#undef VALUES_TYPES
	char	   *reference = text_argument(fcinfo, 0);
	Datum		values[RECORD_ARGUMENTS];
	char		nulls[RECORD_ARGUMENTS];
	int64		id;

	if (strspn(reference, " \t\r\n") == strlen(reference))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("an incident is recorded without a reference"),
				 errhint("Give its id in the system that it comes from.")));
	for (int i = 0, argument = 0; i < RECORD_ARGUMENTS; i++)
	{
		if (argument == RECORD_ITEMS)
			argument++;
		nulls[i] = i < RECORD_ARGUMENTS - 1 && PG_ARGISNULL(argument) ? 'n' : ' ';
		values[i] = nulls[i] == 'n' || i == RECORD_ARGUMENTS - 1 ? (Datum) 0 :
			PG_GETARG_DATUM(argument);
		argument++;
	}

	SPI_connect();
	id = incident_by_reference(values[0], false);
	if (id == 0)
	{
		/* another session may be at it; then its row is compared */
		kept_plan_execute(&insert, values, nulls, 0);
		if (SPI_processed == 0)
		{
			id = incident_by_reference(values[0], false);
			if (id == 0)
				kept_plan_require_row(&insert, "an incident");
		}
	}
	if (id == 0)
		id = incident_by_reference(values[0], false);
	else
	{
		bool		fills;
		bool		isnull;
		int64		merged_into;
		char	   *others;

		values[RECORD_ARGUMENTS - 1] = Int64GetDatum(id);
		kept_plan_execute(&compare, values, nulls, 0);
		if (SPI_processed == 0)
			elog(ERROR, "incident %s is gone", reference);
		merged_into = first_id();
		others = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
		fills = DatumGetBool(spi_first_value(3, &isnull));
		if (others != NULL && others[0] != '\0')
			ereport(ERROR,
					(errcode(ERRCODE_MC_REPLAY_CONFLICT),
					 errmsg("incident \"%s\" is recorded with other values", reference),
					 errdetail("%s", others),
					 errhint("Leave out what is not to be said; changemgmt.edit_incident(incident, patch) corrects what is recorded.")));
		if (fills && merged_into != 0)
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT),
					 errmsg("incident \"%s\" is merged into \"%s\" and stays as it is",
							reference, incident_label(incident_target(id, false))),
					 errhint("Record what is new with that one.")));
		if (fills)
		{
			kept_plan_execute(&fill, values, nulls, 0);
			kept_plan_require_row(&fill, "an incident");
		}
	}
	id = incident_target(id, false);
	if (!PG_ARGISNULL(RECORD_ITEMS))
		add_items(id, PG_GETARG_ARRAYTYPE_P(RECORD_ITEMS));
	SPI_finish();
	PG_RETURN_INT64(id);
}

/* ----------------------------------------------------------------
 * Editing, resolving, reopening, merging
 * ---------------------------------------------------------------- */

/* Lock an incident that is named, or what it was merged into meanwhile. */
static int64
incident_lock(const char *name, TimestampTz *resolved_at, bool *is_open,
			  char **reason)
{
	static KeptPlan lock = {
		"SELECT merged_into_id, resolved_at, status_reason"
		" FROM changemgmt.incident"
		" WHERE id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
		1, {INT8OID}, NULL
	};
	int64		id = incident_found(name);

	for (;;)
	{
		Datum		argument = Int64GetDatum(id);
		int64		target;

		kept_plan_execute(&lock, &argument, NULL, 0);
		if (SPI_processed == 0)
			incident_unknown(name);
		*resolved_at = DatumGetTimestampTz(spi_first_value(2, is_open));
		*reason = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3);
		target = incident_target(id, false);
		if (target == id)
			return id;
		id = target;
	}
}

/* edit_incident(incident, patch): as RFC 7396 has it, so null takes away */
Datum
edit_incident(PG_FUNCTION_ARGS)
{
#define EDITABLE "title, severity, kind, began_at, detected_at, outage_minutes"
	static KeptPlan unknown = {
		"SELECT k FROM pg_catalog.jsonb_object_keys($1) AS k"
		" WHERE k OPERATOR(pg_catalog.<>) ALL"
		"  (pg_catalog.string_to_array('" EDITABLE "', ', '))",
		1, {JSONBOID}, NULL
	};
	static KeptPlan edit = {
		"UPDATE changemgmt.incident AS i SET (" EDITABLE ") ="
		" (SELECT p.title, p.severity, p.kind, p.began_at, p.detected_at,"
		"   p.outage_minutes"
		"  FROM pg_catalog.jsonb_populate_record(i, $2) AS p)"
		" WHERE i.id OPERATOR(pg_catalog.=) $1",
		2, {INT8OID, JSONBOID}, NULL
	};
	char	   *name = text_argument(fcinfo, 0);
	TimestampTz resolved_at;
	bool		is_open;
	char	   *reason;
	Datum		values[2];

	if (PG_ARGISNULL(1) || !JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(1)))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the patch of an incident is no JSON object"),
				 errhint("{\"severity\": 2}, with some of " EDITABLE ".")));
	SPI_connect();
	values[0] = Int64GetDatum(incident_lock(name, &resolved_at, &is_open, &reason));
	values[1] = PG_GETARG_DATUM(1);
	kept_plan_execute(&unknown, &values[1], NULL, 1);
	if (SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("\"%s\" of an incident is not edited",
						SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)),
				 errhint("One can edit " EDITABLE ".")));
	kept_plan_execute_input(&edit, values, NULL, 0);
	kept_plan_require_row(&edit, "an incident");
	SPI_finish();
	PG_RETURN_VOID();
#undef EDITABLE
}

/* resolve_incident(incident, at, outage_minutes) */
Datum
resolve_incident(PG_FUNCTION_ARGS)
{
	static KeptPlan resolve = {
		"UPDATE changemgmt.incident SET resolved_at = $2,"
		" outage_minutes = COALESCE($3, outage_minutes)"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		3, {INT8OID, TIMESTAMPTZOID, INT4OID}, NULL
	};
	char	   *name = text_argument(fcinfo, 0);
	TimestampTz at = PG_ARGISNULL(1) ? 0 : PG_GETARG_TIMESTAMPTZ(1);
	TimestampTz before;
	bool		is_open;
	char	   *reason;
	Datum		values[3];
	char		nulls[] = "   ";

	SPI_connect();
	values[0] = Int64GetDatum(incident_lock(name, &before, &is_open, &reason));
	if (!is_open && !PG_ARGISNULL(1) && at != before)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("incident \"%s\" is resolved already, at another time", name),
				 errdetail("It was resolved at %s.", timestamptz_to_str(before)),
				 errhint("changemgmt.reopen_incident(incident, reason) says that it goes on.")));
	if (is_open || !PG_ARGISNULL(2))
	{
		/* the clock, as what was reopened a moment ago is resolved after it */
		values[1] = TimestampTzGetDatum(!is_open ? before : PG_ARGISNULL(1) ?
										GetCurrentTimestamp() : at);
		values[2] = PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2);
		nulls[2] = PG_ARGISNULL(2) ? 'n' : ' ';
		kept_plan_execute(&resolve, values, nulls, 0);
		kept_plan_require_row(&resolve, "an incident");
	}
	SPI_finish();
	PG_RETURN_VOID();
}

/* reopen_incident(incident, reason) */
Datum
reopen_incident(PG_FUNCTION_ARGS)
{
	static KeptPlan reopen = {
		"UPDATE changemgmt.incident SET resolved_at = NULL, status_reason = $2"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		2, {INT8OID, TEXTOID}, NULL
	};
	char	   *name = text_argument(fcinfo, 0);
	char	   *reason = text_argument(fcinfo, 1);
	TimestampTz before;
	bool		is_open;
	char	   *said;
	Datum		values[2];

	SPI_connect();
	values[0] = Int64GetDatum(incident_lock(name, &before, &is_open, &said));
	values[1] = CStringGetTextDatum(reason);
	if (!is_open)
	{
		kept_plan_execute(&reopen, values, NULL, 0);
		kept_plan_require_row(&reopen, "an incident");
	}
	else if (said == NULL || strcmp(said, reason) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("incident \"%s\" is not resolved", name),
				 errhint("changemgmt.resolve_incident(incident) resolves it.")));
	SPI_finish();
	PG_RETURN_VOID();
}

/* merge_incident(incident, into, reason) */
Datum
merge_incident(PG_FUNCTION_ARGS)
{
	static KeptPlan lock = {
		"SELECT id FROM changemgmt.incident"
		" WHERE id OPERATOR(pg_catalog.=) ANY ($1) ORDER BY id FOR NO KEY UPDATE",
		1, {INT8ARRAYOID}, NULL
	};
	static KeptPlan merge = {
		"UPDATE changemgmt.incident SET merged_into_id = $2, status_reason = $3"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		3, {INT8OID, INT8OID, TEXTOID}, NULL
	};
	char	   *name = text_argument(fcinfo, 0);
	char	   *into_name = text_argument(fcinfo, 1);
	int64		id;
	int64		into;
	int64		target;
	Datum		values[3];

	SPI_connect();
	id = incident_named(name, false);
	if (id == 0)
		incident_unknown(name);
	into = incident_found(into_name);
	/* both at once in one order, so that no two sessions wait for each other */
	for (;;)
	{
		Datum		ids[2];
		Datum		argument;

		ids[0] = Int64GetDatum(id);
		ids[1] = Int64GetDatum(into);
		argument = PointerGetDatum(construct_array(ids, 2, INT8OID, 8,
												   FLOAT8PASSBYVAL,
												   TYPALIGN_DOUBLE));
		kept_plan_execute(&lock, &argument, NULL, 0);
		target = incident_target(into, false);
		if (target == into)
			break;
		into = target;
	}
	target = incident_target(id, false);
	if (target != id && target != into)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("incident \"%s\" is merged into \"%s\" already", name,
						incident_label(target)),
				 errhint("Merge that one, if they are the same.")));
	/* said again, it is done */
	if (target == id || id == into)
	{
		values[0] = Int64GetDatum(id);
		values[1] = Int64GetDatum(into);
		values[2] = CStringGetTextDatum(text_argument(fcinfo, 2));
		kept_plan_execute(&merge, values, NULL, 0);
		kept_plan_require_row(&merge, "an incident");
	}
	SPI_finish();
	PG_RETURN_VOID();
}
