/*-------------------------------------------------------------------------
 *
 * lifecycle_edit.c
 *	  Creating and editing changes from documents.
 *
 * A document is a jsonb object whose keys are columns of change, or people,
 * teams and items by their names (owner, team, items ...).  Everything else
 * about it (types, rules) is the table's and its triggers'.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "errors.h"
#include "jsonb_push.h"
#include "lifecycle.h"
#include "person.h"
#include "spi.h"
#include "types_setting.h"

PG_FUNCTION_INFO_V1(create_change_from);
PG_FUNCTION_INFO_V1(edit_change);
PG_FUNCTION_INFO_V1(template_check);

/* Keys that name people and teams, and the columns that hold their ids. */
static const struct
{
	const char *key;
	ChangeColumn column;
	PGFunction	resolve;
}			names[] = {
	{"requester", CH_requester_id, person_id},
	{"owner", CH_owner_id, person_id},
	{"coordinator", CH_coordinator_id, person_id},
	{"implementer", CH_implementer_id, person_id},
	{"authorised_by", CH_authorised_by_id, person_id},
	{"team", CH_team_id, team_id},
};

/* Keys that become rows of parts: the keys of an element, and how. */
static struct
{
	const char *key;
	const char *fields[16];
	const char *text_is;		/* the field that a string alone stands for */
	KeptPlan	insert;
	const char *relation;		/* that lacks this column in 1.0 ... */
	const char *column;
	KeptPlan	insert_before;	/* ... where this is executed */
}			parts[] = {
	{"items", {"ci", "role", "version_before", "version_after", NULL}, "ci", {
			"INSERT INTO changemgmt.change_item (change_id, ci_id, role, version_before, version_after)"
			" SELECT $1, changemgmt.ci_id(e OPERATOR(pg_catalog.->>) 'ci'),"
			" COALESCE(e OPERATOR(pg_catalog.->>) 'role', 'changed'),"
			" e OPERATOR(pg_catalog.->>) 'version_before',"
			" e OPERATOR(pg_catalog.->>) 'version_after'"
			" FROM pg_catalog.jsonb_array_elements($2) AS e",
	2, {INT8OID, JSONBOID}, NULL}, NULL, NULL, {NULL, 0, {0}, NULL}},
	{"risks", {"description", "likelihood", "impact", "mitigation", "owner",
			"residual_likelihood", "residual_impact", NULL}, NULL, {
			"INSERT INTO changemgmt.change_risk (change_id, description, likelihood,"
			" impact, mitigation, owner_id, residual_likelihood, residual_impact)"
			" SELECT $1, r.description, r.likelihood, r.impact, r.mitigation,"
			" changemgmt.person_id(e OPERATOR(pg_catalog.->>) 'owner'),"
			" r.residual_likelihood, r.residual_impact"
			" FROM pg_catalog.jsonb_array_elements($2) AS e,"
			" pg_catalog.jsonb_populate_record(NULL::changemgmt.change_risk, e) AS r",
	2, {INT8OID, JSONBOID}, NULL}, "change_risk", "residual_impact", {
			"INSERT INTO changemgmt.change_risk (change_id, description, likelihood, impact, mitigation)"
			" SELECT $1, r.description, r.likelihood, r.impact, r.mitigation"
			" FROM pg_catalog.jsonb_populate_recordset(NULL::changemgmt.change_risk, $2) AS r",
	2, {INT8OID, JSONBOID}, NULL}},
	{"tasks", {"title", "phase", "position", "description", "assignee",
			"object_kind", "object_name", "object_system", "depends_on",
			"is_smoke_test", NULL}, "title", {
			/* depends_on names elements of the array, from 1 */
			"WITH e AS MATERIALIZED (SELECT o.e, o.n,"
			"  pg_catalog.nextval('changemgmt.change_task_id_seq'::pg_catalog.regclass) AS id"
			"  FROM pg_catalog.jsonb_array_elements($2) WITH ORDINALITY AS o (e, n))"
			" INSERT INTO changemgmt.change_task (id, change_id, phase, position, title,"
			" description, object_kind, object_name, object_system, is_smoke_test,"
			" depends_on, assignee_id)"
			" SELECT e.id, $1, COALESCE(r.phase, 'implementation'),"
			" COALESCE(r.position, e.n::pg_catalog.int4), r.title, r.description,"
			" r.object_kind, r.object_name, r.object_system,"
			" COALESCE(r.is_smoke_test, false),"
			" COALESCE((SELECT pg_catalog.array_agg(COALESCE("
			"   (SELECT o.id FROM e AS o WHERE o.n OPERATOR(pg_catalog.=) d.n),"
			"   OPERATOR(pg_catalog.-) d.n))"
			"  FROM pg_catalog.unnest(r.depends_on) AS d (n)), '{}'),"
			" changemgmt.person_id(e.e OPERATOR(pg_catalog.->>) 'assignee')"
			" FROM e, pg_catalog.jsonb_populate_record(NULL::changemgmt.change_task, e.e) AS r"
			" ORDER BY e.n",
	2, {INT8OID, JSONBOID}, NULL}, "change_task", "checklist_key", {
			"INSERT INTO changemgmt.change_task (change_id, phase, position, title,"
			" description, object_kind, object_name, assignee_id)"
			" SELECT $1, COALESCE(r.phase, 'implementation'),"
			" COALESCE(r.position, n::pg_catalog.int4), r.title, r.description,"
			" r.object_kind, r.object_name,"
			" changemgmt.person_id(e OPERATOR(pg_catalog.->>) 'assignee')"
			" FROM pg_catalog.jsonb_array_elements($2) WITH ORDINALITY AS e(e, n),"
			" pg_catalog.jsonb_populate_record(NULL::changemgmt.change_task, e) AS r",
	2, {INT8OID, JSONBOID}, NULL}},
	{"checks", {"title", "kind", "stage", "expected", "is_required", "signal",
			"baseline", "threshold", "bad_when", "is_rollback_trigger", NULL}, "title", {
			"INSERT INTO changemgmt.change_check (change_id, kind, stage, title,"
			" expected, is_required, signal, baseline, threshold, bad_when, is_rollback_trigger)"
			" SELECT $1, COALESCE(r.kind, CASE WHEN r.signal IS NULL THEN 'functional' ELSE 'slo' END),"
			" COALESCE(r.stage, 'immediate'), r.title, r.expected, COALESCE(r.is_required, true),"
			" r.signal, r.baseline, r.threshold,"
			" COALESCE(r.bad_when, CASE WHEN r.threshold IS NOT NULL THEN 'above' END),"
			" COALESCE(r.is_rollback_trigger, false)"
			" FROM pg_catalog.jsonb_array_elements($2) AS e,"
			" pg_catalog.jsonb_populate_record(NULL::changemgmt.change_check, e) AS r",
	2, {INT8OID, JSONBOID}, NULL}, "change_check", "signal", {
			"INSERT INTO changemgmt.change_check (change_id, kind, stage, title, expected, is_required)"
			" SELECT $1, COALESCE(r.kind, 'functional'), COALESCE(r.stage, 'immediate'),"
			" r.title, r.expected, COALESCE(r.is_required, true)"
			" FROM pg_catalog.jsonb_array_elements($2) AS e,"
			" pg_catalog.jsonb_populate_record(NULL::changemgmt.change_check, e) AS r",
	2, {INT8OID, JSONBOID}, NULL}},
	{"communications", {"message", "timing", "stakeholder", "channel", NULL}, NULL, {
			"INSERT INTO changemgmt.change_communication (change_id, timing, stakeholder, channel, message)"
			" SELECT $1, COALESCE(r.timing, 'before'), r.stakeholder,"
			" COALESCE(r.channel, 'email'), r.message"
			" FROM pg_catalog.jsonb_populate_recordset(NULL::changemgmt.change_communication, $2) AS r",
	2, {INT8OID, JSONBOID}, NULL}, NULL, NULL, {NULL, 0, {0}, NULL}},
};

/* Columns beside the plan, the schedule and remarks that creation takes. */
static const ChangeColumn creation_columns[] = {
	CH_status, CH_source, CH_source_key, CH_source_digest, CH_copied_from_id,
	CH_implementer_id, CH_actual_start, CH_actual_end, CH_incident_id,
	CH_authorised_by_id, CH_emergency_threshold, CH_found_by,
};

bool
column_is_content(ChangeColumn column)
{
	FieldClass	class = change_column_classes[column];

	return column != CH_type && change_column_exists(column) &&
		(class == FIELD_PLAN || class == FIELD_SCHEDULE || class == FIELD_REMARK);
}

static bool
column_is_creation(ChangeColumn column)
{
	for (size_t i = 0; i < lengthof(creation_columns); i++)
		if (creation_columns[i] == column)
			return change_column_exists(column);
	return false;
}

static int
column_by_name(const char *name)
{
	for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
		if (strcmp(change_column_names[i], name) == 0 &&
			change_column_exists(i))
			return i;
	return -1;
}

/*
 * Whether a statement that names the columns is to be written, the first time
 * and after an upgrade brought new ones.  Its old plan stays for the session.
 */
bool
is_to_write(KeptPlan *kept, int *columns)
{
	if (kept->sql && *columns == change_column_number())
		return false;
	kept->sql = NULL;
	kept->plan = NULL;
	*columns = change_column_number();
	return true;
}

static bool
document_has(Jsonb *document, const char *key, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(&document->root, key, strlen(key),
										value) != NULL &&
		value->type != jbvNull;
}

/* The text of a string; MC008 for anything else. */
static char *
document_text(Jsonb *document, const char *key)
{
	JsonbValue	value;

	if (!document_has(document, key, &value))
		return NULL;
	if (value.type != jbvString)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("\"%s\" is not a string", key)));
	return pnstrdup(value.val.string.val, value.val.string.len);
}

static void
check_object(Jsonb *document)
{
	if (!JB_ROOT_IS_OBJECT(document))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the document is not a JSON object")));
}

/*
 * RFC 7396: what patch makes of target (NULL for nothing there).  What is
 * below is converted at each level, so the depth has a limit.
 */
#define MAX_PATCH_DEPTH 100

static Jsonb *
merge_patch_at(Jsonb *target, Jsonb *patch, int depth)
{
	JsonbParseState *state = NULL;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	JsonbValue	theirs;
	char	   *key = NULL;

	CHECK_FOR_INTERRUPTS();
	if (depth > MAX_PATCH_DEPTH)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("attributes are nested deeper than %d levels",
						MAX_PATCH_DEPTH)));
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (target && JB_ROOT_IS_OBJECT(target))
	{
		it = JsonbIteratorInit(&target->root);
		while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
		{
			if (token == WJB_KEY)
				key = pnstrdup(value.val.string.val, value.val.string.len);
			else if (token == WJB_VALUE &&
					 getKeyJsonValueFromContainer(&patch->root, key, strlen(key),
												  &theirs) == NULL)
				jsonb_push_value(&state, key, &value);
		}
	}
	it = JsonbIteratorInit(&patch->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE && value.type != jbvNull)
		{
			if (value.type == jbvBinary &&
				JsonContainerIsObject(value.val.binary.data))
			{
				JsonbValue	ours;
				Jsonb	   *inner = NULL;

				if (target && JB_ROOT_IS_OBJECT(target) &&
					getKeyJsonValueFromContainer(&target->root, key, strlen(key),
												 &ours) != NULL &&
					ours.type == jbvBinary)
					inner = JsonbValueToJsonb(&ours);
				JsonbToJsonbValue(merge_patch_at(inner,
												 JsonbValueToJsonb(&value),
												 depth + 1),
								  &value);
			}
			jsonb_push_value(&state, key, &value);
		}
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

Jsonb *
merge_patch(Jsonb *target, Jsonb *patch)
{
	return merge_patch_at(target, patch, 1);
}

/*
 * A document as columns of change.  Names become ids; parts are left out,
 * the caller inserts them.  Unknown keys are errors, so that nothing is lost.
 */
static Jsonb *
document_columns(Jsonb *document, bool creation, Jsonb *attributes)
{
	JsonbParseState *state = NULL;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *key = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	it = JsonbIteratorInit(&document->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		bool		known = false;
		int			column;

		if (token == WJB_KEY)
			key = pnstrdup(value.val.string.val, value.val.string.len);
		if (token != WJB_VALUE)
			continue;

		for (size_t i = 0; i < lengthof(names); i++)
			if (strcmp(names[i].key, key) == 0 &&
				(creation || column_is_content(names[i].column)))
			{
				JsonbValue	other;

				known = true;
				if (getKeyJsonValueFromContainer(&document->root,
												 change_column_names[names[i].column],
												 strlen(change_column_names[names[i].column]),
												 &other) != NULL)
					ereport(ERROR,
							(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
							 errmsg("\"%s\" and \"%s\" cannot both be given",
									key, change_column_names[names[i].column])));
				if (value.type == jbvNull)
					jsonb_push_value(&state, change_column_names[names[i].column],
							   &value);
				else
					jsonb_push_int64(&state, change_column_names[names[i].column],
							   DatumGetInt64(DirectFunctionCall1(names[i].resolve,
																 CStringGetTextDatum(document_text(document, key)))));
			}
		if (known)
			continue;

		column = column_by_name(key);
		if (column == CH_attributes && value.type == jbvNull)
		{
			jsonb_push_key(&state, key);
			pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
			pushJsonbValue(&state, WJB_END_OBJECT, NULL);
			continue;
		}
		if (column == CH_attributes)
		{
			if (value.type != jbvBinary ||
				!JsonContainerIsObject(value.val.binary.data))
				ereport(ERROR,
						(errcode(ERRCODE_MC_INVALID_INPUT),
						 errmsg("\"attributes\" is not an object")));
			/* a patch drops nulls; what is created is stored as it came */
			if (!creation)
				JsonbToJsonbValue(merge_patch(attributes,
											  JsonbValueToJsonb(&value)),
								  &value);
		}
		if (column >= 0 &&
			(column_is_content(column) ||
			 (creation && column_is_creation(column) && column != CH_status &&
			  column != CH_source_digest && column != CH_copied_from_id)))
		{
			jsonb_push_value(&state, key, &value);
			continue;
		}
		if (creation)
		{
			known = strcmp(key, "template") == 0;
			for (size_t i = 0; i < lengthof(parts); i++)
				known |= strcmp(parts[i].key, key) == 0;
		}
		if (!known && column >= 0)
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
					 errmsg("\"%s\" of a change is not given but written along the way",
							key),
					 errhint("The verbs of changemgmt.next_steps() write it, or the extension itself.")));
		if (!known)
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT),
					 errmsg("a change has no \"%s\" that can be given here", key),
					 errhint("Keys are the columns of changemgmt.change of class plan, schedule or remark (changemgmt.field_class()), and requester, owner, coordinator, team by name.")));
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* What a document leaves open takes the value of the table's default. */
static Jsonb *
columns_with_defaults(Jsonb *columns, const ChangeModel *model, bytea *digest)
{
	static const char *const flags[] = {
		"touches_data_integrity", "touches_security", "confidential", "unplanned"
	};
	JsonbParseState *state = NULL;
	JsonbValue	value;
	JsonbIterator *it;
	JsonbIteratorToken token;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	jsonb_push_text(&state, "environment", "production");
	for (size_t i = 0; i < lengthof(flags); i++)
		jsonb_push_bool(&state, flags[i], false);
	jsonb_push_key(&state, "attributes");
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	pushJsonbValue(&state, WJB_END_OBJECT, NULL);

	/* of two equal keys the later stays */
	it = JsonbIteratorInit(&columns->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		char	   *key = NULL;

		if (token != WJB_KEY)
			continue;
		key = pnstrdup(value.val.string.val, value.val.string.len);
		token = JsonbIteratorNext(&it, &value, true);
		if (value.type != jbvNull)
			jsonb_push_value(&state, key, &value);
	}
	jsonb_push_text(&state, "model", model->key);
	jsonb_push_text(&state, "status", status_code(model->first_status));
	if (digest)
		jsonb_push_text(&state, "source_digest",
				  DatumGetCString(DirectFunctionCall1(byteaout,
													  PointerGetDatum(digest))));
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/* The columns that documents fill, as a list for SQL. */
static char *
column_list(const char *prefix, bool creation)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < CHANGE_COLUMN_COUNT; i++)
		if (column_is_content(i) || (creation && column_is_creation(i)))
			appendStringInfo(&buf, "%s%s%s", buf.len > 0 ? ", " : "", prefix,
							 change_column_names[i]);
	return buf.data;
}

static void
element_error(int part, const char *problem)
{
	StringInfoData fields;

	initStringInfo(&fields);
	for (const char *const *field = parts[part].fields; *field; field++)
		text_list_add(&fields, *field);
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("\"%s\": %s", parts[part].key, problem),
			 parts[part].text_is ?
			 errhint("An element is a %s, or an object of %s.",
					 parts[part].text_is, fields.data) :
			 errhint("An element is an object of %s.", fields.data)));
}

/* The elements of a part as objects with known keys, so that nothing is lost. */
static Jsonb *
part_elements(int part, JsonbContainer *array)
{
	JsonbParseState *state = NULL;
	JsonbIterator *it = JsonbIteratorInit(array);
	JsonbIteratorToken token;
	JsonbValue	element;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		JsonbIterator *fields;
		JsonbValue	value;

		if (token != WJB_ELEM)
			continue;
		if (element.type == jbvString && parts[part].text_is)
		{
			pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
			jsonb_push_value(&state, parts[part].text_is, &element);
			pushJsonbValue(&state, WJB_END_OBJECT, NULL);
			continue;
		}
		if (element.type != jbvBinary ||
			!JsonContainerIsObject(element.val.binary.data))
			element_error(part, "an element is neither a text nor an object");
		if (getKeyJsonValueFromContainer(element.val.binary.data,
										 parts[part].fields[0],
										 strlen(parts[part].fields[0]),
										 &value) == NULL)
			element_error(part, psprintf("an element lacks its %s",
										 parts[part].fields[0]));
		fields = JsonbIteratorInit(element.val.binary.data);
		while ((token = JsonbIteratorNext(&fields, &value, true)) != WJB_DONE)
		{
			bool		known = false;

			if (token != WJB_KEY)
				continue;
			for (const char *const *field = parts[part].fields; *field; field++)
				known |= strlen(*field) == (size_t) value.val.string.len &&
					strncmp(*field, value.val.string.val,
							value.val.string.len) == 0;
			if (!known)
				element_error(part, psprintf("an element has no \"%.*s\"",
											 value.val.string.len,
											 value.val.string.val));
		}
		pushJsonbValue(&state, WJB_ELEM, &element);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

/* The rows of a part that a document brings; NULL where there is none. */
static Jsonb *
part_rows(int part, Jsonb *document)
{
	JsonbValue	value;

	if (!document_has(document, parts[part].key, &value))
		return NULL;
	if (value.type != jbvBinary ||
		!JsonContainerIsArray(value.val.binary.data))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("\"%s\" is not an array", parts[part].key)));
	if (JsonContainerSize(value.val.binary.data) == 0)
		return NULL;
	return part_elements(part, value.val.binary.data);
}

static void
parts_insert(int64 change_id, Jsonb *document)
{
	for (size_t i = 0; i < lengthof(parts); i++)
	{
		Jsonb	   *rows = part_rows(i, document);
		Datum		arguments[2];

		if (rows == NULL)
			continue;
		arguments[0] = Int64GetDatum(change_id);
		arguments[1] = JsonbPGetDatum(rows);
		kept_plan_execute_input(parts[i].column == NULL ||
								column_exists(parts[i].relation, parts[i].column) ?
								&parts[i].insert : &parts[i].insert_before,
								arguments, NULL, 0);
	}
}

/* Drop what is null: a function's default is the same as a key left out. */
static Jsonb *
without_nulls(Jsonb *document)
{
	JsonbParseState *state = NULL;
	JsonbIterator *it = JsonbIteratorInit(&document->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		char	   *key;

		if (token != WJB_KEY)
			continue;
		key = pnstrdup(value.val.string.val, value.val.string.len);
		token = JsonbIteratorNext(&it, &value, true);
		if (value.type != jbvNull)
			jsonb_push_value(&state, key, &value);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * The change that a source has already sent under this key, if any: the same
 * content is the same change, other content is a conflict.
 */
static bool
replay_find(const char *source, const char *source_key, const bytea *digest,
			int64 *change_id)
{
	static KeptPlan find = {
		"SELECT id, source_digest FROM changemgmt.change"
		" WHERE source OPERATOR(pg_catalog.=) $1"
		" AND source_key OPERATOR(pg_catalog.=) $2",
		2, {TEXTOID, TEXTOID}, NULL
	};
	Datum		arguments[2];
	bool		isnull;
	bool		visible;
	bytea	   *stored;

	arguments[0] = CStringGetTextDatum(source);
	arguments[1] = CStringGetTextDatum(source_key);
	kept_plan_execute(&find, arguments, NULL, 1);
	if (SPI_processed == 0)
		return false;
	*change_id = DatumGetInt64(spi_first_value(1, &isnull));
	stored = DatumGetByteaPP(spi_first_value(2, &isnull));
	if (isnull || VARSIZE_ANY_EXHDR(stored) != VARSIZE_ANY_EXHDR(digest) ||
		memcmp(VARDATA_ANY(stored), VARDATA_ANY(digest),
			   VARSIZE_ANY_EXHDR(digest)) != 0)
	{
		visible = change_is_visible(*change_id);
		ereport(ERROR,
				(errcode(ERRCODE_MC_REPLAY_CONFLICT),
				 errmsg("source \"%s\" has already sent \"%s\" with other content",
						source, source_key),
				 visible ? errdetail("It is %s.", change_number_text(*change_id)) : 0,
				 visible ?
				 errhint("changemgmt.edit_change(" INT64_FORMAT ", ...) changes it; a new change needs a key of its own.",
						 *change_id) :
				 errhint("A new change needs a key of its own.")));
	}
	return true;
}

/*
 * create_change_from(document): create a change.  Returns its state, also
 * where the same source has sent the same before.
 */
Datum
create_change_from(PG_FUNCTION_ARGS)
{
	static KeptPlan insert = {NULL, 1, {JSONBOID}, NULL};
	static int	insert_columns = 0;
	Jsonb	   *document = PG_GETARG_JSONB_P(0);
	const ChangeModel *model;
	char	   *template;
	char	   *key;
	char	   *source;
	char	   *source_key;
	bytea	   *digest = NULL;
	Datum		argument;
	ChangeRow	row;
	int64		change_id = 0;
	bool		isnull;
	Datum		result;

	SPI_connect();
	check_object(document);
	document = without_nulls(document);
	source = document_text(document, "source");
	source_key = document_text(document, "source_key");
	if ((source == NULL) != (source_key == NULL) ||
		(source && (source[0] == '\0' || source_key[0] == '\0')))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("source and source_key are given together and not empty, or not at all")));
	if (source)
	{
		StringInfoData buf;

		digest = palloc(VARHDRSZ + LEDGER_HASH_LENGTH);
		SET_VARSIZE(digest, VARHDRSZ + LEDGER_HASH_LENGTH);
		initStringInfo(&buf);
		canonical_append_value(&buf, JSONBOID, JsonbPGetDatum(document), false);
		canonical_digest(&buf, (uint8 *) VARDATA(digest));
		if (replay_find(source, source_key, digest, &change_id))
		{
			(void) change_read(&row, change_id, false);
			result = lifecycle_state(&row);
			SPI_finish();
			return result;
		}
	}

	template = document_text(document, "template");
	key = document_text(document, "model");
	if (template && key && strcmp(template, key) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a template is a model of its own: \"%s\" and \"%s\" cannot both be given",
						template, key)));
	model = model_latest(template ? template : key ? key :
						 setting_get("default_model"));
	if (template && !model->is_template)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("model \"%s\" is not a template", model->key),
				 errhint("A template is a model with a \"plan\": changemgmt.publish_model().")));
	/* what is given stands over what the template fills in */
	if (model->plan)
		document = DatumGetJsonbP(DirectFunctionCall2(jsonb_concat,
													  JsonbPGetDatum(model->plan),
													  JsonbPGetDatum(document)));

	if (is_to_write(&insert, &insert_columns))
		insert.sql = MemoryContextStrdup(TopMemoryContext,
										 psprintf("INSERT INTO changemgmt.change (%s)"
												  " SELECT %s FROM pg_catalog.jsonb_populate_record("
												  "NULL::changemgmt.change, $1) AS r"
												  " ON CONFLICT (source, source_key) DO NOTHING RETURNING id",
												  column_list("", true),
												  column_list("r.", true)));
	argument = JsonbPGetDatum(columns_with_defaults(document_columns(document, true, NULL),
													model, digest));
	if (document_text(document, "title") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a change needs a title"),
				 errhint("changemgmt.create_change(title => '...', ...)")));
	kept_plan_execute_input(&insert, &argument, NULL, 0);
	if (SPI_processed == 0)
	{
		/* somebody else sent the same at the same time */
		if (!replay_find(source, source_key, digest, &change_id))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("could not serialize access due to concurrent creation from source \"%s\"",
							source)));
	}
	else
	{
		change_id = DatumGetInt64(spi_first_value(1, &isnull));
		parts_insert(change_id, document);
		if (model->checklist)
		{
			(void) change_read(&row, change_id, false);
			(void) checklist_add(&row);
		}
	}
	(void) change_read(&row, change_id, false);
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

Jsonb *
change_patch_columns(const ChangeRow *row, Jsonb *patch)
{
	check_object(patch);
	return document_columns(patch, false,
							DatumGetJsonbP(row->value[CH_attributes]));
}

/* edit_change(change_id, patch, expected_revision): RFC 7396 */
Datum
edit_change(PG_FUNCTION_ARGS)
{
	static KeptPlan update = {NULL, 2, {INT8OID, JSONBOID}, NULL};
	static int	update_columns = 0;
	ChangeRow	row;
	Jsonb	   *patch;
	Datum		arguments[2];
	Datum		model;
	Datum		result;

	SPI_connect();
	lifecycle_open(&row, fcinfo, 2);
	model = row.value[CH_model];
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the patch is null")));
	patch = PG_GETARG_JSONB_P(1);
	patch = change_patch_columns(&row, patch);
	if (is_to_write(&update, &update_columns))
		update.sql = MemoryContextStrdup(TopMemoryContext,
										 psprintf("UPDATE changemgmt.change AS c SET (%s) ="
												  " (SELECT %s FROM pg_catalog.jsonb_populate_record(c, $2) AS r)"
												  " WHERE c.id OPERATOR(pg_catalog.=) $1 RETURNING c",
												  column_list("", false),
												  column_list("r.", false)));
	arguments[0] = row.value[CH_id];
	arguments[1] = JsonbPGetDatum(patch);
	kept_plan_execute_input(&update, arguments, NULL, 0);
	kept_plan_require_row(&update, psprintf("the edit of %s",
											change_number_text(change_id_of(&row))));
	change_row_result(&row);
	if (!DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID, model,
											  row.value[CH_model])) &&
		checklist_add(&row) > 0)
		change_find(&row, change_id_of(&row), false);
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

void
model_content_check(const char *key, Jsonb *definition)
{
	static KeptPlan possible = {
		"SELECT changemgmt.change_is_possible("
		"pg_catalog.jsonb_populate_record(NULL::changemgmt.change, $1))",
		1, {JSONBOID}, NULL
	};
	static const char *const own[] = {
		"model", "template", "source", "source_key"
	};
	Jsonb	   *plan;
	JsonbValue	value;
	JsonbParseState *state = NULL;
	const ChangeModel *model;
	Datum		argument;

	model = site_model_read(key, 1, definition);
	seal_lists_check(model);
	waivable_check(model);
	if (!document_has(definition, "plan", &value))
		return;
	plan = JsonbValueToJsonb(&value);
	for (size_t i = 0; i < lengthof(own); i++)
		if (document_has(plan, own[i], &value))
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
					 errmsg("the plan of a template does not say \"%s\"", own[i])));
	for (size_t i = 0; i < lengthof(parts); i++)
		(void) part_rows(i, plan);

	/* as a change of its own, with a title and an id */
	plan = columns_with_defaults(document_columns(plan, true, NULL), model, NULL);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	jsonb_push_text(&state, "title", "template");
	jsonb_push_text(&state, "type", model->type);
	jsonb_push_int64(&state, "id", 1);
	jsonb_push_bool(&state, "on_hold", false);
	argument = DirectFunctionCall2(jsonb_concat,
								   JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL))),
								   JsonbPGetDatum(plan));
	kept_plan_execute_input(&possible, &argument, NULL, 1);
}

/*
 * AFTER trigger of site_model: what a model seals can be sealed, and what a
 * template fills in can be filled in.
 * A published version never changes, so the mistake must show here.
 */
Datum
template_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "template_check",
										 FOR_ROW | AT_AFTER, "site_model");
	TupleDesc	desc;
	bool		isnull;
	Datum		definition;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	desc = RelationGetDescr(trigdata->tg_relation);
	definition = SPI_getbinval(trigdata->tg_trigtuple, desc,
							   SPI_fnumber(desc, "definition"), &isnull);
	SPI_connect();
	model_content_check(SPI_getvalue(trigdata->tg_trigtuple, desc,
									 SPI_fnumber(desc, "key")),
						DatumGetJsonbP(definition));
	SPI_finish();
	return PointerGetDatum(NULL);
}
