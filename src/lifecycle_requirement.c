/*-------------------------------------------------------------------------
 *
 * lifecycle_requirement.c
 *	  What a step requires: the registry, waivers, and refusals.
 *
 * A requirement is a name with a check.  Those of the extension are
 * registered at load time, by each room its own (lifecycle_check.c has the
 * engine's); a site's stand in
 * site_requirement, with any function (change_id bigint) RETURNS text, which
 * runs as whoever registered it, read-only.  Which of them a step must meet
 * say the requirement itself ("always") and the model ("requires").
 *
 * State: the list of registered requirements, for the life of the session,
 * and the cached rows of site_requirement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "person.h"
#include "site_function.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(waiver_judge);
PG_FUNCTION_INFO_V1(waiver_stamp);
PG_FUNCTION_INFO_V1(requirement_list);
PG_FUNCTION_INFO_V1(site_requirement_check);

void
text_list_add(StringInfo list, const char *item)
{
	appendStringInfo(list, "%s%s", list->len > 0 ? ", " : "", item);
}

/* ----------------------------------------------------------------
 * The registry
 * ---------------------------------------------------------------- */

#define MAX_REQUIREMENTS 64

static Requirement registry[MAX_REQUIREMENTS];
static bool never_waived[MAX_REQUIREMENTS];
static int	registry_count = 0;

void
requirements_register(const Requirement *requirements, int count)
{
	if (registry_count + count > MAX_REQUIREMENTS)
		elog(FATAL, "too many requirements");
	memcpy(&registry[registry_count], requirements,
		   count * sizeof(Requirement));
	registry_count += count;
}

static int	timed_first = 0;
static int	timed_end = 0;

/* One room has such requirements. */
void
requirements_register_timed(const Requirement *requirements, int count)
{
	Assert(timed_end == 0);
	timed_first = registry_count;
	requirements_register(requirements, count);
	timed_end = registry_count;
}

static const Requirement *
requirement_find(const char *name)
{
	for (int i = 0; i < registry_count; i++)
		if (strcmp(registry[i].name, name) == 0)
			return &registry[i];
	return NULL;
}

void
requirement_never_waive(const char *name)
{
	const Requirement *found = requirement_find(name);

	Assert(found != NULL);
	never_waived[found - registry] = true;
}

static bool
requirement_is_firm(const char *name)
{
	const Requirement *found = requirement_find(name);

	return found && never_waived[found - registry];
}

void
waivable_check(const ChangeModel *model)
{
	ListCell   *lc;

	foreach(lc, model->waivable)
		if (requirement_is_firm(lfirst(lc)))
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
					 errmsg("definition of model \"%s\": \"%s\" of \"waivable\" is never waived",
							model->key, (char *) lfirst(lc)),
					 errhint("Say who decides in \"approval\", and whom it keeps apart in \"separate\".")));
}

bool
requirement_is_timed(const char *name)
{
	const Requirement *found = requirement_find(name);

	return found && found >= &registry[timed_first] &&
		found < &registry[timed_end];
}

/* A site's requirement, from its row. */
typedef struct SiteRequirement
{
	char	   *name;
	char	   *function;
	char	   *registered_by;
	char	   *hint;
	uint32		verbs;			/* for all models; 0 where only models name it */
} SiteRequirement;

static CachedTable site_table = {.relation = "site_requirement"};
static MemoryContext site_context = NULL;
static List *site_requirements = NIL;

static void
site_requirements_read(void)
{
	static KeptPlan all = {
		"SELECT name, function, registered_by, hint,"
		" pg_catalog.array_to_string(verbs, ',')"
		" FROM changemgmt.site_requirement ORDER BY name",
		0, {0}, NULL
	};
	MemoryContext context;
	MemoryContext old;
	List	   *list = NIL;

	SPI_connect();
	cached_table_begin(&site_table);
	kept_plan_execute(&all, NULL, NULL, 0);
	context = AllocSetContextCreate(CurrentMemoryContext,
									"changemgmt site requirements",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		SiteRequirement *r = palloc0(sizeof(SiteRequirement));
		char	   *verbs = SPI_getvalue(tuple, desc, 5);

		r->name = SPI_getvalue(tuple, desc, 1);
		r->function = SPI_getvalue(tuple, desc, 2);
		r->registered_by = SPI_getvalue(tuple, desc, 3);
		r->hint = SPI_getvalue(tuple, desc, 4);
		for (char *name = verbs ? strtok(verbs, ",") : NULL; name;
			 name = strtok(NULL, ","))
		{
			Verb		verb;

			if (verb_parse(name, &verb))
				r->verbs |= VERB_BIT(verb);
		}
		list = lappend(list, r);
	}
	MemoryContextSwitchTo(old);
	if (site_context)
		MemoryContextDelete(site_context);
	MemoryContextSetParent(context, TopMemoryContext);
	site_context = context;
	site_requirements = list;
	cached_table_done(&site_table);
	SPI_finish();
}

static List *
site_requirement_list(void)
{
	if (!site_table.is_current)
		site_requirements_read();
	return site_requirements;
}

bool
requirement_exists(const char *name)
{
	ListCell   *lc;

	if (requirement_find(name))
		return true;
	foreach(lc, site_requirement_list())
		if (strcmp(((SiteRequirement *) lfirst(lc))->name, name) == 0)
			return true;
	return false;
}

static const SiteFunctionUse requirement_use = {
	.noun = "requirement",
	.result = TEXTOID,
	.detail = "A requirement is a STABLE or IMMUTABLE function (change_id bigint) RETURNS text that returns null when it is met, else what is missing."
};

static char *
site_requirement_ask(const char *function, const char *registered_by,
					 const ChangeRow *row)
{
	Datum		answer;
	bool		isnull;
	char	   *problem = site_function_ask(&requirement_use, function,
											registered_by, change_id_of(row),
											&answer, &isnull);

	return problem || isnull ? problem : TextDatumGetCString(answer);
}

bool
requirement_is_waivable(const ChangeModel *model, const char *name)
{
	ListCell   *lc;

	/* a model that was published before may name what is never waived */
	if (requirement_is_firm(name))
		return false;
	foreach(lc, model->waivable)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return false;
}

static bool
is_waived(const Transition *t, const char *name)
{
	static KeptPlan plan = {
		"SELECT FROM changemgmt.change_waiver"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND requirement OPERATOR(pg_catalog.=) $2"
		" AND waived_at OPERATOR(pg_catalog.>=) $3",
		3, {INT8OID, TEXTOID, TIMESTAMPTZOID}, NULL
	};
	Datum		arguments[3];
	bool		waived;

	if (!requirement_is_waivable(t->model, name))
		return false;
	arguments[0] = t->row->value[CH_id];
	arguments[1] = CStringGetTextDatum(name);
	/* a waiver was given for the plan, and goes with it */
	arguments[2] = change_is_null(t->row, revised_at) ?
		TimestampTzGetDatum(DT_NOBEGIN) : t->row->value[CH_revised_at];
	kept_plan_execute(&plan, arguments, NULL, 1);
	waived = SPI_processed > 0;
	SPI_freetuptable(SPI_tuptable);
	return waived;
}

static List *
unmet_add(List *unmet, const Transition *t, const char *name, char *message,
		  const char *hint, int sqlstate)
{
	UnmetRequirement *u;

	if (message == NULL || (!requirement_is_timed(name) && is_waived(t, name)))
		return unmet;
	u = palloc0(sizeof(UnmetRequirement));
	u->requirement = name;
	u->message = message;
	if (hint)
	{
		const char *place = strstr(hint, "%lld");

		/* a site's hint is no format */
		u->hint = place == NULL ? pstrdup(hint) :
			psprintf("%.*s" INT64_FORMAT "%s", (int) (place - hint), hint,
					 change_id_of(t->row), place + 4);
	}
	u->sqlstate = sqlstate ? sqlstate : ERRCODE_MC_REQUIREMENTS_UNMET;
	return lappend(unmet, u);
}

List *
transition_unmet(const Transition *asked_for)
{
	Transition	with_memo = *asked_for;
	const Transition *t = &with_memo;
	void	   *memo = NULL;
	List	   *unmet = NIL;
	List	   *sites = site_requirement_list();
	ListCell   *lc;

	with_memo.memo = &memo;
	for (int i = 0; i < registry_count; i++)
	{
		const Requirement *r = &registry[i];
		bool		asked = (r->always & VERB_BIT(t->verb)) != 0;

		foreach(lc, t->model->requires[t->verb])
			asked |= strcmp(lfirst(lc), r->name) == 0;
		if (asked)
			unmet = unmet_add(unmet, t, r->name, r->check(t), r->hint,
							  r->sqlstate);
	}

	/*
	 * A site's function may do anything to the cache, so nothing of it is
	 * used after the call.
	 */
	sites = list_copy(sites);
	for (int i = 0; i < list_length(sites); i++)
	{
		SiteRequirement *r = list_nth(sites, i);
		SiteRequirement *copy = palloc(sizeof(SiteRequirement));

		copy->name = pstrdup(r->name);
		copy->function = pstrdup(r->function);
		copy->registered_by = pstrdup(r->registered_by);
		copy->hint = r->hint ? pstrdup(r->hint) : NULL;
		copy->verbs = r->verbs;
		foreach(lc, t->model->requires[t->verb])
			if (strcmp(lfirst(lc), r->name) == 0)
				copy->verbs |= VERB_BIT(t->verb);
		list_nth_cell(sites, i)->ptr_value = copy;
	}
	foreach(lc, sites)
	{
		SiteRequirement *r = lfirst(lc);

		if (r->verbs & VERB_BIT(t->verb))
			unmet = unmet_add(unmet, t, r->name,
							  site_requirement_ask(r->function, r->registered_by,
												   t->row),
							  r->hint, 0);
	}

	/* a name that nobody answers to is never met silently */
	foreach(lc, t->model->requires[t->verb])
		if (!requirement_exists(lfirst(lc)))
			unmet = unmet_add(unmet, t, lfirst(lc),
							  pstrdup("there is no requirement of this name"),
							  "changemgmt.register_requirement() registers a site's requirements.",
							  0);
	return unmet;
}

void
transition_require(const Transition *t)
{
	List	   *unmet = transition_unmet(t);
	UnmetRequirement *first;
	StringInfoData detail;
	ListCell   *lc;
	int			sqlstate;

	if (unmet == NIL)
		return;

	/* one kind of refusal keeps its own code, several are unmet requirements */
	first = linitial(unmet);
	sqlstate = first->sqlstate;
	initStringInfo(&detail);
	foreach(lc, unmet)
	{
		UnmetRequirement *u = lfirst(lc);

		appendStringInfo(&detail, "%s%s: %s", detail.len > 0 ? "\n" : "",
						 u->requirement, u->message);
		if (u->sqlstate != sqlstate)
			sqlstate = ERRCODE_MC_REQUIREMENTS_UNMET;
	}
	ereport(ERROR,
			(errcode(sqlstate), err_as_caller(),
			 t->verb == VERB_CREATE ?
			 errmsg("a change of model \"%s\" is not created like this: %s",
					t->model->key, list_length(unmet) == 1 ? first->message :
					psprintf("%d requirements are not met", list_length(unmet))) :
			 list_length(unmet) == 1 ?
			 errmsg("%s: %s is refused: %s",
					change_number_text(change_id_of(t->row)),
					verb_name(t->verb), first->message) :
			 errmsg("%s: %s is refused: %d requirements are not met",
					change_number_text(change_id_of(t->row)),
					verb_name(t->verb), list_length(unmet)),
			 errdetail_internal("%s", detail.data),
			 (list_length(unmet) == 1 || t->verb == VERB_CREATE) && first->hint ?
			 errhint("%s", first->hint) :
			 errhint("SELECT * FROM changemgmt.why_not(" INT64_FORMAT ", '%s') lists them with what to do.",
					 change_id_of(t->row), verb_name(t->verb))));
}

void
transition_illegal(const ChangeRow *row, const ChangeModel *model,
				   const char *attempt)
{
	uint32		verbs = lifecycle_verbs(model, row);
	StringInfoData hint;

	initStringInfo(&hint);
	for (int v = VERB_TRIAGE; v < VERB_COUNT; v++)
		if (verbs & VERB_BIT(v))
			text_list_add(&hint, verb_name(v));
	ereport(ERROR,
			(errcode(ERRCODE_MC_ILLEGAL_TRANSITION), err_as_caller(),
			 errmsg("%s: %s is not possible: it is %s%s",
					change_number_text(change_id_of(row)), attempt,
					change_bool(row, on_hold) ? "on hold, " : "",
					status_code(change_status(row))),
			 errdetail("Model \"%s\" has no such step from there.", model->key),
			 hint.len > 0 ?
			 errhint("Possible are: %s.", hint.data) :
			 errhint("Nothing is possible any more; changemgmt.copy_change(" INT64_FORMAT ") begins a new one.",
					 change_id_of(row))));
}

/* ----------------------------------------------------------------
 * SQL
 * ---------------------------------------------------------------- */

Datum
requirement_list(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < registry_count; i++)
	{
		Datum		values[3];
		bool		isnull[3] = {false, false, false};
		StringInfoData verbs;

		initStringInfo(&verbs);
		for (int v = VERB_CREATE; v < VERB_COUNT; v++)
			if (registry[i].always & VERB_BIT(v))
				text_list_add(&verbs, verb_name(v));
		values[0] = CStringGetTextDatum(registry[i].name);
		values[1] = CStringGetTextDatum(registry[i].description);
		isnull[2] = verbs.len == 0;
		values[2] = isnull[2] ? (Datum) 0 : CStringGetTextDatum(verbs.data);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	return (Datum) 0;
}

/* BEFORE trigger of site_requirement: a sound function, by who runs it. */
Datum
site_requirement_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "site_requirement_check",
										 FOR_ROW | AT_BEFORE, "site_requirement");
	TupleDesc	desc;
	HeapTuple	tuple;
	char	   *name;

	desc = RelationGetDescr(trigdata->tg_relation);
	tuple = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;
	if (ledger_is_history(trigdata))
		return PointerGetDatum(tuple);

	name = SPI_getvalue(tuple, desc, SPI_fnumber(desc, "name"));
	if (name == NULL)
		return PointerGetDatum(tuple);	/* NOT NULL refuses it */
	if (requirement_find(name))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("requirement \"%s\" is one of the extension's own",
						name),
				 errhint("Choose another name.")));
	return PointerGetDatum(site_function_stamp(&requirement_use, trigdata, tuple));
}

/* AFTER ROW trigger of change_waiver: a manager, and what may be waived. */
Datum
waiver_judge(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "waiver_judge",
										 FOR_ROW | AT_AFTER, "change_waiver");
	TupleDesc	desc;
	HeapTuple	tuple;
	ChangeRow	row;
	const ChangeModel *model;
	char	   *requirement;
	bool		isnull;
	bool		waivable;
	ListCell   *lc;
	StringInfoData names;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	desc = RelationGetDescr(trigdata->tg_relation);
	tuple = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;

	if (!person_is_manager(actor_person_required()))
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
				 errmsg("\"%s\" may not waive requirements", actor_name()),
				 errhint("Who holds the seat of change_manager on a board may.")));
	SPI_connect();
	(void) change_read(&row, DatumGetInt64(SPI_getbinval(tuple, desc,
												  SPI_fnumber(desc, "change_id"),
												  &isnull)), false);
	model = lifecycle_model(&row);
	requirement = SPI_getvalue(tuple, desc, SPI_fnumber(desc, "requirement"));
	initStringInfo(&names);
	waivable = requirement_is_timed(requirement) ||
		requirement_is_waivable(model, requirement);
	foreach(lc, model->waivable)
		if (!requirement_is_firm(lfirst(lc)))
			text_list_add(&names, lfirst(lc));
	for (int i = timed_first; i < timed_end; i++)
		text_list_add(&names, registry[i].name);
	if (!waivable && !TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
				 errmsg("requirement \"%s\" of %s cannot be waived", requirement,
						change_number_text(change_id_of(&row))),
				 errhint("Model \"%s\" lets these be waived: %s.", model->key,
						 names.data)));
	SPI_finish();
	return PointerGetDatum(NULL);
}

/*
 * BEFORE ROW trigger of change_waiver: what is asked of the planned time is
 * waived for that time, the present one where none is given.
 */
Datum
waiver_stamp(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "waiver_stamp",
										 FOR_ROW | AT_BEFORE, "change_waiver");
	Relation	rel = trigdata->tg_relation;
	TupleDesc	desc = RelationGetDescr(rel);
	HeapTuple	tuple = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;
	int			columns[2];
	Datum		values[2];
	bool		isnull[2];
	char	   *requirement;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(tuple);
	requirement = SPI_getvalue(tuple, desc, SPI_fnumber(desc, "requirement"));
	columns[0] = SPI_fnumber(desc, "planned_start");
	columns[1] = SPI_fnumber(desc, "planned_end");
	for (int i = 0; i < 2; i++)
		values[i] = SPI_getbinval(tuple, desc, columns[i], &isnull[i]);

	if (!requirement_is_timed(requirement))
	{
		if (!isnull[0] || !isnull[1])
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
					 errmsg("requirement \"%s\" is not waived for a time", requirement),
					 errhint("Leave planned_start and planned_end out."),
					 errtablecol(rel, columns[0])));
		return PointerGetDatum(tuple);
	}
	if (isnull[0] && isnull[1] && TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
	{
		ChangeRow	row;
		bool		change_isnull;

		SPI_connect();
		if (change_read(&row, DatumGetInt64(SPI_getbinval(tuple, desc,
														  SPI_fnumber(desc, "change_id"),
														  &change_isnull)), false))
		{
			values[0] = row.value[CH_planned_start];
			values[1] = row.value[CH_planned_end];
			isnull[0] = row.isnull[CH_planned_start];
			isnull[1] = row.isnull[CH_planned_end];
		}
		SPI_finish();
		tuple = heap_modify_tuple_by_cols(tuple, desc, 2, columns, values, isnull);
	}
	if (isnull[0] || isnull[1])
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("requirement \"%s\" is waived for a time, and none is planned",
						requirement),
				 errhint("changemgmt.override_booking(change_id, requirement, reason, planned_start, planned_end)."),
				 errtablecol(rel, columns[isnull[0] ? 0 : 1])));
	if (TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(values[0])) ||
		TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(values[1])) ||
		DatumGetTimestampTz(values[0]) >= DatumGetTimestampTz(values[1]))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("planned_end of a waiver is not after planned_start, or one is infinite"),
				 errtablecol(rel, columns[1])));
	return PointerGetDatum(tuple);
}
