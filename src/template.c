/*-------------------------------------------------------------------------
 *
 * template.c
 *	  Standard changes: templates that a board approves, and their record.
 *
 * A template is a row of site_model with a plan.  It is proposed by a change
 * that carries a template_proposal, a part of its plan: voted on, sealed and
 * frozen as the rest of it.  A row of site_model that names the change that
 * approved it is judged here, whatever way it came.
 *
 * The record of a template is what became of the changes under it since the
 * last version that a board approved.  Where it shows that the failure rate is
 * above the limit, submit refuses: pre-approval ends with its next use.  What
 * failed says metrics_fact, for this as for every number of the house.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"

#include "change.h"
#include "change_history.h"
#include "change_part.h"
#include "compat.h"
#include "errors.h"
#include "jsonb_push.h"
#include "lifecycle.h"
#include "spi.h"
#include "template.h"
#include "types_setting.h"

PG_FUNCTION_INFO_V1(proposal_judge);
PG_FUNCTION_INFO_V1(template_judge);
PG_FUNCTION_INFO_V1(propose_template);
PG_FUNCTION_INFO_V1(edit_template);
PG_FUNCTION_INFO_V1(publish_template);
PG_FUNCTION_INFO_V1(template_record);

/* ----------------------------------------------------------------
 * The record
 * ---------------------------------------------------------------- */

typedef struct TemplateRecord
{
	int			since_version;
	int64		executed;
	int64		failed;
	double		low;			/* of the failure rate; nothing where nothing is executed */
	double		high;
	char	   *refusal;		/* why it is not pre-approved; NULL where it is */
} TemplateRecord;

/*
 * The record that a version has part in: of all versions from the last that a
 * board approved to the next, the last thousand changes.  More would say no
 * more of the template as it is, and each submission would feel them.
 */
static void
record_read(TemplateRecord *record, const char *key, int version, bool read_only)
{
	static KeptPlan era = {
		"SELECT (SELECT pg_catalog.max(m.version) FROM changemgmt.site_model AS m"
		"  WHERE m.key OPERATOR(pg_catalog.=) $1"
		"  AND m.version OPERATOR(pg_catalog.<=) $2"
		"  AND m.approved_by_change_id IS NOT NULL),"
		" (SELECT pg_catalog.min(m.version) FROM changemgmt.site_model AS m"
		"  WHERE m.key OPERATOR(pg_catalog.=) $1"
		"  AND m.version OPERATOR(pg_catalog.>) $2"
		"  AND m.approved_by_change_id IS NOT NULL)",
		2, {TEXTOID, INT4OID}, NULL
	};
	static KeptPlan executed = {
		"SELECT pg_catalog.array_agg(c.id) FROM ("
		" SELECT id FROM changemgmt.change"
		" WHERE model OPERATOR(pg_catalog.=) $1"
		" AND model_version OPERATOR(pg_catalog.>=) $2"
		" AND model_version OPERATOR(pg_catalog.<) $3"
		" AND actual_end IS NOT NULL"
		" ORDER BY actual_end DESC LIMIT 1000) AS c",
		3, {TEXTOID, INT4OID, INT4OID}, NULL
	};

	/*
	 * By their ids, so that the plan probes indexes whatever the statistics
	 * say of other models; OFFSET, so that a verdict is computed once.
	 */
	static KeptPlan verdicts = {
		"SELECT changemgmt.denominator(r.rate), changemgmt.numerator(r.rate),"
		" changemgmt.wilson_low(r.rate), changemgmt.wilson_high(r.rate)"
		" FROM (SELECT changemgmt.change_failure_rate(v.verdict"
		"   OPERATOR(pg_catalog.=) ANY ('{rolled_back,failed}'::pg_catalog.text[])) AS rate"
		"  FROM (SELECT f.verdict FROM pg_catalog.unnest($1) AS e(id)"
		"   JOIN changemgmt.metrics_fact AS f"
		"    ON f.change_id OPERATOR(pg_catalog.=) e.id"
		"   WHERE f.is_counted OFFSET 0) AS v"
		"  WHERE v.verdict OPERATOR(pg_catalog.<>) 'pending') AS r",
		1, {INT8ARRAYOID}, NULL
	};
	int			(*execute) (KeptPlan *, Datum *, const char *, long) =
		read_only ? kept_plan_read : kept_plan_execute;
	double		limit = strtod(setting_get("template_failure_limit"), NULL);
	Datum		arguments[3];
	Datum		value;
	bool		isnull;

	memset(record, 0, sizeof(TemplateRecord));
	arguments[0] = CStringGetTextDatum(key);
	arguments[1] = Int32GetDatum(version);
	execute(&era, arguments, NULL, 1);
	value = spi_first_value(1, &isnull);
	record->since_version = isnull ? 1 : DatumGetInt32(value);
	value = spi_first_value(2, &isnull);
	arguments[2] = Int32GetDatum(isnull ? PG_INT32_MAX : DatumGetInt32(value));
	arguments[1] = Int32GetDatum(record->since_version);
	SPI_freetuptable(SPI_tuptable);

	execute(&executed, arguments, NULL, 1);
	arguments[0] = spi_first_value(1, &isnull);
	if (isnull)
		return;
	execute(&verdicts, arguments, NULL, 1);
	record->executed = DatumGetInt64(spi_first_value(1, &isnull));
	record->failed = DatumGetInt64(spi_first_value(2, &isnull));
	if (record->executed == 0)
		return;
	record->low = DatumGetFloat8(spi_first_value(3, &isnull));
	record->high = DatumGetFloat8(spi_first_value(4, &isnull));
	if (record->low > limit)
		record->refusal =
			psprintf("template \"%s\" has lost its pre-approval: " INT64_FORMAT " of " INT64_FORMAT
					 " changes since version %d failed, a rate of %.4f, with 95 %% confidence at least %.4f; the limit is %s",
					 key, record->failed, record->executed,
					 record->since_version,
					 (double) record->failed / (double) record->executed,
					 record->low, setting_get("template_failure_limit"));
}

/* template_record(key, version): what there is to say for its pre-approval */
Datum
template_record(PG_FUNCTION_ARGS)
{
	char	   *key = text_to_cstring(PG_GETARG_TEXT_PP(0));
	TemplateRecord record;
	TupleDesc	desc;
	Datum		values[7];
	bool		isnull[7] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	SPI_connect();
	record_read(&record, key, PG_GETARG_INT32(1), true);
	values[0] = Int32GetDatum(record.since_version);
	values[1] = Int64GetDatum(record.executed);
	values[2] = Int64GetDatum(record.failed);
	isnull[3] = isnull[4] = isnull[5] = record.executed == 0;
	values[3] = Float8GetDatum(isnull[3] ? 0 :
							   (double) record.failed / (double) record.executed);
	values[4] = Float8GetDatum(record.low);
	values[5] = Float8GetDatum(record.high);
	isnull[6] = record.refusal == NULL;
	if (record.refusal)
		values[6] = SPI_datumTransfer(CStringGetTextDatum(record.refusal),
									  false, -1);
	SPI_finish();
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values,
											 isnull));
}

static char *
check_template_record(const Transition *t)
{
	const ChangeModel *model = t->model;
	TemplateRecord record;

	/* submission moves a planned change to the latest version */
	if (t->thought_of && change_status(t->row) == STATUS_PLANNED)
	{
		bool		retired;
		const ChangeModel *latest = model_latest_if_any(model->key, &retired);

		if (latest)
			model = latest;
	}
	if (!model->is_template || !model->pre_approved ||
		!relation_exists("template_proposal"))
		return NULL;
	record_read(&record, model->key, model->version, false);
	return record.refusal;
}

/* ----------------------------------------------------------------
 * Proposals
 * ---------------------------------------------------------------- */

/*
 * AFTER trigger of template_proposal: what is proposed can be published, and
 * what was published stays.
 */
Datum
proposal_judge(PG_FUNCTION_ARGS)
{
	static KeptPlan published = {
		"SELECT version FROM changemgmt.site_model"
		" WHERE approved_by_change_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	TriggerData *trigdata = trigger_data(fcinfo, "proposal_judge",
										 FOR_ROW | AT_AFTER, "template_proposal");
	TupleDesc	desc;
	HeapTuple	tuple;
	char	   *key;
	Jsonb	   *definition;
	Datum		from;
	bool		isnull;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	desc = RelationGetDescr(trigdata->tg_relation);
	if (!TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
	{
		int64		change_id = part_change_id(trigdata->tg_trigtuple, desc);
		Datum		argument = Int64GetDatum(change_id);
		Datum		version;

		SPI_connect();
		kept_plan_execute(&published, &argument, NULL, 1);
		version = spi_first_value(1, &isnull);
		if (!isnull)
			ereport(ERROR,
					(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
					 errmsg("what %s proposes was published as version %d, and stays",
							change_number_text(change_id),
							DatumGetInt32(version)),
					 errhint("changemgmt.propose_template(NULL, key) proposes the next version.")));
		SPI_finish();
	}
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		return PointerGetDatum(NULL);
	tuple = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;
	key = SPI_getvalue(tuple, desc, SPI_fnumber(desc, "key"));
	definition = DatumGetJsonbP(SPI_getbinval(tuple, desc,
											  SPI_fnumber(desc, "definition"),
											  &isnull));
	if (!site_model_read(key, 1, definition)->is_template)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("definition of model \"%s\": a template has a \"plan\"",
						key),
				 errhint("changemgmt.publish_model() publishes other models.")));
	SPI_connect();
	model_content_check(key, definition);
	from = SPI_getbinval(tuple, desc,
						 SPI_fnumber(desc, "proposed_from_change_id"), &isnull);
	if (!isnull &&
		(TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) ||
		 !part_equal(trigdata->tg_trigtuple, tuple, desc,
					 "proposed_from_change_id")) &&
		!change_is_visible(DatumGetInt64(from)))
		change_unknown(DatumGetInt64(from));
	SPI_finish();
	return PointerGetDatum(NULL);
}

pg_noreturn static void
proposal_missing(const ChangeRow *row)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("%s proposes no template",
					change_number_text(change_id_of(row))),
			 errhint("changemgmt.propose_template(from_change_id, key) makes a change that does.")));
}

/* What is done each time; the model of the template has a checklist of its own. */
#define TEMPLATE_TASKS(t) \
	" FROM changemgmt.change_task AS " t \
	" WHERE " t ".change_id OPERATOR(pg_catalog.=) c.id" \
	" AND " t ".phase OPERATOR(pg_catalog.<>) 'follow_up'" \
	" AND " t ".status OPERATOR(pg_catalog.<>) 'skipped'" \
	" AND " t ".checklist_key IS NULL"

/* What a template says of a change: its plan without who and when. */
static Jsonb *
plan_of(const ChangeRow *row)
{
	static KeptPlan plan = {
		"SELECT (SELECT pg_catalog.jsonb_object_agg(e.key, e.value)"
		"  FROM pg_catalog.jsonb_each(pg_catalog.to_jsonb(c)) AS e"
		"  WHERE e.value OPERATOR(pg_catalog.<>) 'null'"
		"  AND e.key OPERATOR(pg_catalog.<>)"
		"   ALL ('{model,type,requester_id,owner_id,team_id}'::pg_catalog.text[])"
		"  AND EXISTS (SELECT FROM changemgmt.field_class() AS f"
		"   WHERE f.relation OPERATOR(pg_catalog.=) 'change'"
		"   AND f.class OPERATOR(pg_catalog.=) 'plan'"
		"   AND f.field OPERATOR(pg_catalog.=) e.key))"
		" OPERATOR(pg_catalog.||) pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
		" 'items', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object("
		"   'ci', ci.name, 'role', p.role) ORDER BY p.id)"
		"  FROM changemgmt.change_item AS p"
		"  JOIN changemgmt.configuration_item AS ci"
		"   ON ci.id OPERATOR(pg_catalog.=) p.ci_id"
		"  WHERE p.change_id OPERATOR(pg_catalog.=) c.id),"
		" 'risks', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object("
		"   'description', p.description, 'likelihood', p.likelihood,"
		"   'impact', p.impact, 'mitigation', p.mitigation)"
		"   OPERATOR(pg_catalog.||) pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object("
		"   'residual_likelihood', p.residual_likelihood,"
		"   'residual_impact', p.residual_impact)) ORDER BY p.id)"
		"  FROM changemgmt.change_risk AS p"
		"  WHERE p.change_id OPERATOR(pg_catalog.=) c.id),"
		/* conditions, too: what the board asked for is part of what worked */
		" 'tasks', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object("
		"   'phase', p.phase, 'position', p.position, 'title', p.title,"
		"   'description', p.description, 'object_kind', p.object_kind,"
		"   'object_name', p.object_name, 'object_system', p.object_system,"
		"   'is_smoke_test', CASE WHEN p.is_smoke_test THEN true END,"
		/* by their places in this array */
		"   'depends_on', (SELECT pg_catalog.jsonb_agg(d.n ORDER BY d.n)"
		"    FROM (SELECT o.id, pg_catalog.row_number()"
		"     OVER (ORDER BY o.phase DESC, o.position, o.id) AS n" TEMPLATE_TASKS("o")
		"    ) AS d"
		"    WHERE d.id OPERATOR(pg_catalog.=) ANY (p.depends_on)))"
		"   ORDER BY p.phase DESC, p.position, p.id)" TEMPLATE_TASKS("p") "),"
		" 'checks', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object("
		"   'kind', p.kind, 'stage', p.stage, 'title', p.title,"
		"   'expected', p.expected, 'is_required', p.is_required)"
		"  OPERATOR(pg_catalog.||) CASE WHEN p.threshold IS NULL AND p.signal IS NULL"
		"   AND p.baseline IS NULL THEN '{}' ELSE pg_catalog.jsonb_build_object("
		"   'signal', p.signal, 'baseline', p.baseline, 'threshold', p.threshold,"
		"   'bad_when', p.bad_when, 'is_rollback_trigger', p.is_rollback_trigger) END"
		"  ORDER BY p.id)"
		"  FROM changemgmt.change_check AS p"
		"  WHERE p.change_id OPERATOR(pg_catalog.=) c.id AND p.is_planned),"
		" 'communications', (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object("
		"   'timing', p.timing, 'stakeholder', p.stakeholder,"
		"   'channel', p.channel, 'message', p.message) ORDER BY p.id)"
		"  FROM changemgmt.change_communication AS p"
		"  WHERE p.change_id OPERATOR(pg_catalog.=) c.id AND p.is_planned)))"
		" FROM changemgmt.change AS c WHERE c.id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	Datum		argument = row->value[CH_id];
	bool		isnull;

	kept_plan_execute(&plan, &argument, NULL, 1);
	return DatumGetJsonbP(spi_first_value(1, &isnull));
}

/* The definition that is in force under a key; NULL where there is none. */
static Jsonb *
definition_in_force(const char *key)
{
	static KeptPlan latest = {
		"SELECT definition FROM changemgmt.site_model"
		" WHERE key OPERATOR(pg_catalog.=) $1 ORDER BY version DESC",
		1, {TEXTOID}, NULL
	};
	Datum		argument = CStringGetTextDatum(key);
	Datum		value;
	bool		isnull;

	kept_plan_execute(&latest, &argument, NULL, 1);
	value = spi_first_value(1, &isnull);
	return isnull ? NULL : DatumGetJsonbP(value);
}

/* The text of a key of an object; NULL where it has none. */
static char *
object_text(Jsonb *object, const char *key)
{
	JsonbValue	value;

	if (!getKeyJsonValueFromContainer(&object->root, key, strlen(key), &value) ||
		value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

static void
push_text_argument(JsonbParseState **state, const char *key,
				   FunctionCallInfo fcinfo, int argument)
{
	if (!PG_ARGISNULL(argument))
		jsonb_push_text(state, key,
						text_to_cstring(PG_GETARG_TEXT_PP(argument)));
}

static void
push_time_argument(JsonbParseState **state, const char *key,
				   FunctionCallInfo fcinfo, int argument)
{
	if (!PG_ARGISNULL(argument))
		jsonb_push_text(state, key,
						DatumGetCString(DirectFunctionCall1(timestamptz_out,
															PG_GETARG_DATUM(argument))));
}

/*
 * propose_template(from_change_id, key, title, base, model, owner,
 * planned_start, planned_end): a draft that proposes a template.
 */
Datum
propose_template(PG_FUNCTION_ARGS)
{
	static KeptPlan insert = {
		"INSERT INTO changemgmt.template_proposal"
		" (change_id, key, definition, proposed_from_change_id)"
		" VALUES ($1, $2, $3, $4)",
		4, {INT8OID, TEXTOID, JSONBOID, INT8OID}, NULL
	};
	/* of the plan that is proposed, for who looks at the change */
	static const char *const told[] = {
		"category", "environment", "affects", "user_impact", "risk_level",
		"touches_data_integrity", "touches_security", "items", "risks", NULL
	};
	char	   *key;
	char	   *title = NULL;
	char	   *description;
	ChangeRow	row;
	Jsonb	   *definition;
	Jsonb	   *plan = NULL;
	JsonbParseState *state = NULL;
	JsonbValue	value;
	Datum		state_row;
	Datum		arguments[4];
	char		nulls[4] = {' ', ' ', ' ', PG_ARGISNULL(0) ? 'n' : ' '};
	bool		confidential = false;
	bool		isnull;
	const ChangeModel *model;
	Datum		result;

	SPI_connect();
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the key of the template is null")));
	key = text_to_cstring(PG_GETARG_TEXT_PP(1));
	model = model_latest(PG_ARGISNULL(4) ? setting_get("default_model") :
						 text_to_cstring(PG_GETARG_TEXT_PP(4)));
	if (model->pre_approved || model->first_status != STATUS_DRAFT)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("under model \"%s\" nobody votes", model->key),
				 errhint("Name a model with an approval: changemgmt.propose_template(..., model => 'normal').")));
	if (!PG_ARGISNULL(2))
		title = text_to_cstring(PG_GETARG_TEXT_PP(2));
	if (PG_ARGISNULL(0))
	{
		definition = definition_in_force(key);
		if (definition == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
					 errmsg("there is no template \"%s\" to propose a version of", key),
					 errhint("Name the change that it is made from: changemgmt.propose_template(from_change_id, key).")));
		if (title == NULL)
			title = object_text(definition, "title");
		description = psprintf("The next version of template \"%s\".", key);
	}
	else
	{
		change_find(&row, PG_GETARG_INT64(0), false);
		confidential = change_bool(&row, confidential);
		if (title == NULL)
			title = change_text(&row, title);
		plan = plan_of(&row);
		description = psprintf("Template \"%s\", made from %s%s%s.", key,
							   change_number_text(change_id_of(&row)),
							   change_is_null(&row, outcome) ? "" : ", which was ",
							   change_is_null(&row, outcome) ? "" :
							   change_text(&row, outcome));
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		if (!PG_ARGISNULL(3))
			jsonb_push_text(&state, "base",
							text_to_cstring(PG_GETARG_TEXT_PP(3)));
		jsonb_push_text(&state, "title", title);
		jsonb_push_key(&state, "plan");
		JsonbToJsonbValue(plan, &value);
		pushJsonbValue(&state, WJB_VALUE, &value);
		definition = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT,
													  NULL));
		state = NULL;
	}
	if (title == NULL)
		title = key;
	if (plan == NULL &&
		getKeyJsonValueFromContainer(&definition->root, "plan", 4, &value) &&
		value.type == jbvBinary)
		plan = JsonbValueToJsonb(&value);

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (plan && JB_ROOT_IS_OBJECT(plan))
		for (const char *const *field = told; *field; field++)
			if (getKeyJsonValueFromContainer(&plan->root, *field,
											 strlen(*field), &value))
				jsonb_push_value(&state, *field, &value);
	jsonb_push_text(&state, "model", model->key);
	jsonb_push_text(&state, "title",
					psprintf("Standard change \"%s\": %s", key, title));
	jsonb_push_text(&state, "description", description);
	jsonb_push_text(&state, "justification",
					"It comes again: approved once, it is pre-approved from then on.");
	jsonb_push_text(&state, "rollback_trigger",
					"The record of the template shows failures");
	jsonb_push_text(&state, "rollback_plan",
					psprintf("SELECT changemgmt.retire_model('%s');", key));
	jsonb_push_int64(&state, "rollback_minutes", 1);
	jsonb_push_text(&state, "verification_plan",
					"The view changemgmt.template shows the version, approved by this change.");
	jsonb_push_bool(&state, "confidential", confidential);
	push_text_argument(&state, "owner", fcinfo, 5);
	push_time_argument(&state, "planned_start", fcinfo, 6);
	push_time_argument(&state, "planned_end", fcinfo, 7);
	state_row = DirectFunctionCall1(create_change_from,
									JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state,
																					WJB_END_OBJECT,
																					NULL))));

	arguments[0] = GetAttributeByName(DatumGetHeapTupleHeader(state_row), "id",
									  &isnull);
	arguments[1] = CStringGetTextDatum(key);
	arguments[2] = JsonbPGetDatum(definition);
	arguments[3] = PG_ARGISNULL(0) ? (Datum) 0 : PG_GETARG_DATUM(0);
	kept_plan_execute_input(&insert, arguments, nulls, 0);
	change_find(&row, DatumGetInt64(arguments[0]), false);
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

/* edit_template(change_id, patch, expected_revision): RFC 7396 */
Datum
edit_template(PG_FUNCTION_ARGS)
{
	static KeptPlan find = {
		"SELECT definition FROM changemgmt.template_proposal"
		" WHERE change_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	static KeptPlan update = {
		"UPDATE changemgmt.template_proposal SET definition = $2"
		" WHERE change_id OPERATOR(pg_catalog.=) $1",
		2, {INT8OID, JSONBOID}, NULL
	};
	ChangeRow	row;
	Jsonb	   *patch;
	Datum		arguments[2];
	Datum		definition;
	bool		isnull;
	Datum		result;

	SPI_connect();
	lifecycle_open(&row, fcinfo, 2);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the patch is null")));
	patch = PG_GETARG_JSONB_P(1);
	if (!JB_ROOT_IS_OBJECT(patch))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the patch is not a JSON object")));
	arguments[0] = row.value[CH_id];
	kept_plan_execute(&find, arguments, NULL, 1);
	definition = spi_first_value(1, &isnull);
	if (isnull)
		proposal_missing(&row);
	arguments[1] = JsonbPGetDatum(merge_patch(DatumGetJsonbP(definition), patch));
	kept_plan_execute_input(&update, arguments, NULL, 0);
	change_find(&row, DatumGetInt64(arguments[0]), false);
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

/* ----------------------------------------------------------------
 * Publishing
 * ---------------------------------------------------------------- */

/* Why a change does not approve what it proposes; NULL where it does. */
static const char *
approval_missing(const ChangeRow *row)
{
	static KeptPlan vote = {
		"SELECT FROM changemgmt.approval_vote"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND round OPERATOR(pg_catalog.=) $2"
		" AND decision OPERATOR(pg_catalog.=) 'approved'"
		" AND seal OPERATOR(pg_catalog.=) $3",
		3, {INT8OID, INT4OID, BYTEAOID}, NULL
	};
	const ChangeModel *model = lifecycle_model(row);
	Status		status = change_status(row);
	Datum		arguments[3];

	if (change_bool(row, on_hold))
		return "it is on hold";
	/* once its work is over, so is its approval */
	if (status != STATUS_APPROVED && status != STATUS_SCHEDULED &&
		status != STATUS_IN_PROGRESS && status != STATUS_VERIFYING)
		return psprintf("it is %s", status_code(status));
	if (model->pre_approved || model->first_status != STATUS_DRAFT)
		return psprintf("under model \"%s\" nobody votes", model->key);
	if (!lifecycle_seal_fresh(model, row))
		return "it was edited after it was approved";
	/* whatever its model and policies say: somebody voted for this very plan */
	arguments[0] = row->value[CH_id];
	arguments[1] = row->value[CH_approval_round];
	arguments[2] = row->value[CH_approved_seal];
	kept_plan_execute(&vote, arguments, NULL, 1);
	if (SPI_processed == 0)
		return "nobody voted for it";
	return NULL;
}

/*
 * AFTER trigger of site_model: a version that says that a change approved it
 * is what that change proposes, and the approval stands.
 */
Datum
template_judge(PG_FUNCTION_ARGS)
{
	static KeptPlan proposed = {
		"SELECT key OPERATOR(pg_catalog.=) $2"
		" AND definition OPERATOR(pg_catalog.=) $3"
		" FROM changemgmt.template_proposal"
		" WHERE change_id OPERATOR(pg_catalog.=) $1",
		3, {INT8OID, TEXTOID, JSONBOID}, NULL
	};
	/* says nothing, but who edits under a snapshot from before notices */
	static KeptPlan touch = {
		"UPDATE changemgmt.change SET status = status"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	TriggerData *trigdata = trigger_data(fcinfo, "template_judge",
										 FOR_ROW | AT_AFTER, "site_model");
	TupleDesc	desc;
	Datum		arguments[3];
	ChangeRow	row;
	Datum		same;
	const char *missing;
	bool		isnull;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	desc = RelationGetDescr(trigdata->tg_relation);
	arguments[0] = SPI_getbinval(trigdata->tg_trigtuple, desc,
								 SPI_fnumber(desc, "approved_by_change_id"),
								 &isnull);
	if (isnull)
		return PointerGetDatum(NULL);
	arguments[1] = SPI_getbinval(trigdata->tg_trigtuple, desc,
								 SPI_fnumber(desc, "key"), &isnull);
	arguments[2] = SPI_getbinval(trigdata->tg_trigtuple, desc,
								 SPI_fnumber(desc, "definition"), &isnull);
	SPI_connect();
	/* under its lock: nobody edits meanwhile what was approved */
	change_find(&row, DatumGetInt64(arguments[0]), true);
	kept_plan_execute(&proposed, arguments, NULL, 1);
	same = spi_first_value(1, &isnull);
	if (isnull)
		proposal_missing(&row);
	if (!DatumGetBool(same))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("%s proposes another template than this one",
						change_number_text(change_id_of(&row))),
				 errhint("changemgmt.publish_template(" INT64_FORMAT ") publishes what it proposes.",
						 change_id_of(&row))));
	missing = approval_missing(&row);
	if (missing)
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
				 errmsg("%s does not approve template \"%s\": %s",
						change_number_text(change_id_of(&row)),
						TextDatumGetCString(arguments[1]), missing),
				 errhint("A template is published from approval to the end of verification: SELECT * FROM changemgmt.next_steps(" INT64_FORMAT ").",
						 change_id_of(&row))));
	kept_plan_execute(&touch, arguments, NULL, 0);
	SPI_finish();
	return PointerGetDatum(NULL);
}

/*
 * publish_template(change_id): publish what a change proposes; the version,
 * also where it was published before.
 */
Datum
publish_template(PG_FUNCTION_ARGS)
{
	static KeptPlan find = {
		"SELECT m.version"
		" FROM changemgmt.template_proposal AS p"
		" LEFT JOIN changemgmt.site_model AS m"
		"  ON m.approved_by_change_id OPERATOR(pg_catalog.=) p.change_id"
		" WHERE p.change_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	static KeptPlan insert = {
		"INSERT INTO changemgmt.site_model"
		" (key, version, definition, published_by, approved_by_change_id)"
		" SELECT p.key, COALESCE((SELECT pg_catalog.max(m.version)"
		"  FROM changemgmt.site_model AS m"
		"  WHERE m.key OPERATOR(pg_catalog.=) p.key), 0) OPERATOR(pg_catalog.+) 1,"
		" p.definition, changemgmt.acting_person(), p.change_id"
		" FROM changemgmt.template_proposal AS p"
		" WHERE p.change_id OPERATOR(pg_catalog.=) $1 RETURNING version",
		1, {INT8OID}, NULL
	};
	ChangeRow	row;
	Datum		argument;
	Datum		version;
	bool		isnull;

	SPI_connect();
	lifecycle_open(&row, fcinfo, 1);
	argument = row.value[CH_id];
	kept_plan_execute(&find, &argument, NULL, 1);
	if (SPI_processed == 0)
		proposal_missing(&row);
	version = spi_first_value(1, &isnull);
	if (isnull)
	{
		kept_plan_execute(&insert, &argument, NULL, 0);
		kept_plan_require_row(&insert, psprintf("the publication of %s",
												change_number_text(change_id_of(&row))));
		version = spi_first_value(1, &isnull);
	}
	SPI_finish();
	return version;
}

static const Requirement requirements[] = {
	{"template_record", "A template is pre-approved as long as its record does not show too many failures.",
		"Take it back (changemgmt.revise(%lld)) and give it a model with an approval, or have the board approve a new version: changemgmt.propose_template(NULL, key).",
	check_template_record, VERB_BIT(VERB_SUBMIT), 0},
};

void
template_init(void)
{
	change_part_register("template_proposal");
	requirements_register(requirements, lengthof(requirements));
	requirement_never_waive("template_record");
}
