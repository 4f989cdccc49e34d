/*-------------------------------------------------------------------------
 *
 * model.c
 *	  Change models: reading definitions, and the steps that they allow.
 *
 * A definition is a jsonb object; a site's names a shipped one as its "base"
 * and says what differs.  Parsed models are kept for the session in a context
 * of their own.  When rows of site_model change, a new context is begun, and
 * the old ones are deleted at the end of the transaction, because rules may
 * still be using them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "calendar.h"
#include "compat.h"
#include "errors.h"
#include "ledger.h"
#include "model.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(model_guard);
PG_FUNCTION_INFO_V1(shipped_models);

/* One step of the life of a change, for all models. */
typedef struct Step
{
	Verb		verb;
	uint32		from;			/* STATUS_BITs */
	Status		to;
} Step;

#define DRAFT STATUS_BIT(STATUS_DRAFT)
#define PLANNED STATUS_BIT(STATUS_PLANNED)
#define AWAITING STATUS_BIT(STATUS_AWAITING_APPROVAL)
#define APPROVED STATUS_BIT(STATUS_APPROVED)
#define REJECTED STATUS_BIT(STATUS_REJECTED)
#define SCHEDULED STATUS_BIT(STATUS_SCHEDULED)
#define IN_PROGRESS STATUS_BIT(STATUS_IN_PROGRESS)
#define VERIFYING STATUS_BIT(STATUS_VERIFYING)
#define IMPLEMENTED STATUS_BIT(STATUS_IMPLEMENTED)
#define ROLLED_BACK STATUS_BIT(STATUS_ROLLED_BACK)
#define CLOSED STATUS_BIT(STATUS_CLOSED)
#define CANCELLED STATUS_BIT(STATUS_CANCELLED)

#define BEFORE_WORK \
	(DRAFT | PLANNED | AWAITING | APPROVED | REJECTED | SCHEDULED)
#define UNDER_WAY (IN_PROGRESS | VERIFYING | IMPLEMENTED)

static const Step steps[] = {
	{VERB_PLAN, DRAFT, STATUS_PLANNED},
	{VERB_SUBMIT, PLANNED, STATUS_APPROVED},	/* pre-approved models */
	{VERB_SUBMIT, PLANNED | APPROVED | SCHEDULED, STATUS_AWAITING_APPROVAL},
	{VERB_APPROVE, AWAITING, STATUS_APPROVED},
	{VERB_APPROVE, AWAITING, STATUS_SCHEDULED},
	{VERB_REJECT, AWAITING, STATUS_REJECTED},
	{VERB_DEFER, AWAITING, STATUS_PLANNED},
	{VERB_SCHEDULE, APPROVED, STATUS_SCHEDULED},
	{VERB_START, APPROVED, STATUS_IN_PROGRESS}, /* models without booking */
	{VERB_START, SCHEDULED, STATUS_IN_PROGRESS},
	{VERB_COMPLETE, IN_PROGRESS, STATUS_VERIFYING},
	{VERB_RESUME_WORK, VERIFYING, STATUS_IN_PROGRESS},
	{VERB_PASS, VERIFYING | IMPLEMENTED, STATUS_IMPLEMENTED},	/* again: with issues */
	{VERB_FAIL, UNDER_WAY, STATUS_IMPLEMENTED},
	{VERB_ROLL_BACK, UNDER_WAY, STATUS_ROLLED_BACK},
	{VERB_ABORT, IN_PROGRESS, STATUS_CANCELLED},
	{VERB_CLOSE, IMPLEMENTED | ROLLED_BACK, STATUS_CLOSED},
	{VERB_REVISE, BEFORE_WORK & ~DRAFT, STATUS_DRAFT},
	{VERB_CANCEL, BEFORE_WORK, STATUS_CANCELLED},
};

/* Verbs that leave the status as it is. */
static const struct
{
	Verb		verb;
	uint32		in;
}			remarks[] = {
	{VERB_TRIAGE, DRAFT},
	{VERB_RESCHEDULE, APPROVED | SCHEDULED},
	{VERB_BEGIN_ROLLBACK, UNDER_WAY},
	{VERB_CONFIRM_STABILITY, IMPLEMENTED | ROLLED_BACK},
	{VERB_HOLD, BEFORE_WORK},
};

static const char *const verb_names[VERB_COUNT] = {
	[VERB_NONE] = "none",
	[VERB_CREATE] = "create",
	[VERB_EDIT] = "edit",
	[VERB_TRIAGE] = "triage",
	[VERB_PLAN] = "plan",
	[VERB_SUBMIT] = "submit",
	[VERB_APPROVE] = "approve",
	[VERB_REJECT] = "reject",
	[VERB_DEFER] = "defer",
	[VERB_SCHEDULE] = "schedule",
	[VERB_RESCHEDULE] = "reschedule",
	[VERB_START] = "start",
	[VERB_COMPLETE] = "complete",
	[VERB_RESUME_WORK] = "resume_work",
	[VERB_PASS] = "pass",
	[VERB_FAIL] = "fail",
	[VERB_BEGIN_ROLLBACK] = "begin_rollback",
	[VERB_ROLL_BACK] = "roll_back",
	[VERB_ABORT] = "abort",
	[VERB_CONFIRM_STABILITY] = "confirm_stability",
	[VERB_CLOSE] = "close",
	[VERB_REVISE] = "revise",
	[VERB_HOLD] = "hold",
	[VERB_RESUME] = "resume",
	[VERB_CANCEL] = "cancel"
};

static const char *const duty_names[DUTY_COUNT] = {
	[DUTY_REQUESTER] = "requester",
	[DUTY_OWNER] = "owner",
	[DUTY_AUTHOR] = "author",
	[DUTY_LAST_EDITOR] = "last_editor",
	[DUTY_APPROVER] = "approver",
	[DUTY_IMPLEMENTER] = "implementer",
	[DUTY_VERIFIER] = "verifier"
};

/* A row of site_model; its definition is read when first asked for. */
typedef struct PublishedModel
{
	char	   *key;
	int			version;
	bool		retired;
	Jsonb	   *definition;
	ChangeModel *model;
} PublishedModel;

static CachedTable model_table = {.relation = "site_model"};
static MemoryContext model_context = NULL;
static List *outdated_contexts = NIL;	/* in TopMemoryContext */
static List *shipped = NIL;		/* ChangeModels, for the session */
static List *published = NIL;	/* PublishedModels, in model_context */

const char *
verb_name(Verb verb)
{
	return verb_names[verb];
}

bool
verb_parse(const char *name, Verb *verb)
{
	for (int v = VERB_TRIAGE; v < VERB_COUNT; v++)
		if (strcmp(verb_names[v], name) == 0)
		{
			*verb = v;
			return true;
		}
	return false;
}

const char *
duty_name(Duty duty)
{
	return duty_names[duty];
}

/* ----------------------------------------------------------------
 * Steps
 * ---------------------------------------------------------------- */

/* The statuses that a change of this model can be in. */
static uint32
model_statuses(const ChangeModel *model)
{
	uint32		statuses = UNDER_WAY | ROLLED_BACK | CLOSED | CANCELLED;

	if (model->first_status == STATUS_IMPLEMENTED)
		return IMPLEMENTED | ROLLED_BACK | CLOSED;
	if (model->first_status == STATUS_DRAFT)
	{
		statuses |= BEFORE_WORK;
		if (model->pre_approved)
			statuses &= ~(AWAITING | REJECTED);
		if (!model->books_window)
			statuses &= ~SCHEDULED;
	}
	return statuses;
}

static bool
step_allowed(const ChangeModel *model, const Step *step, Status from)
{
	uint32		statuses = model_statuses(model);

	if (!(step->from & STATUS_BIT(from)) ||
		!(statuses & STATUS_BIT(from)) || !(statuses & STATUS_BIT(step->to)))
		return false;
	if (step->verb == VERB_SUBMIT && step->to == STATUS_APPROVED)
		return model->pre_approved;
	if (step->verb == VERB_START && from == STATUS_APPROVED)
		return !model->books_window;
	return true;
}

Verb
model_verb(const ChangeModel *model, Status from, Status to, Outcome outcome)
{
	Verb		found = VERB_NONE;

	for (size_t i = 0; i < lengthof(steps); i++)
	{
		if (steps[i].to != to || !step_allowed(model, &steps[i], from))
			continue;
		if (steps[i].verb == VERB_PASS && outcome == OUTCOME_FAILED)
			continue;
		if (found == VERB_NONE)
			found = steps[i].verb;
	}
	return found;
}

uint32
model_verbs(const ChangeModel *model, Status status, bool on_hold)
{
	uint32		verbs = 0;

	for (size_t i = 0; i < lengthof(steps); i++)
		if (step_allowed(model, &steps[i], status))
			verbs |= VERB_BIT(steps[i].verb);
	for (size_t i = 0; i < lengthof(remarks); i++)
		if (remarks[i].in & model_statuses(model) & STATUS_BIT(status))
			verbs |= VERB_BIT(remarks[i].verb);
	if (!model->books_window)
		verbs &= ~VERB_BIT(VERB_RESCHEDULE);
	if (on_hold)
		verbs = (verbs & (VERB_BIT(VERB_REVISE) | VERB_BIT(VERB_CANCEL))) |
			VERB_BIT(VERB_RESUME);
	return verbs;
}

Status
model_verb_target(const ChangeModel *model, Verb verb, Status from,
				  bool booked)
{
	Status		to = from;
	bool		found = false;

	for (size_t i = 0; i < lengthof(steps); i++)
	{
		if (steps[i].verb != verb || !step_allowed(model, &steps[i], from))
			continue;
		/* approve leads back to the booking where there is one */
		if (!found || (booked && steps[i].to == STATUS_SCHEDULED))
			to = steps[i].to;
		found = true;
	}
	return to;
}

/* ----------------------------------------------------------------
 * Definitions
 * ---------------------------------------------------------------- */

static void
definition_error(const char *model, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT),
			 errmsg("definition of model \"%s\": %s", model, problem),
			 errhint("The keys of a definition are listed in docs/model.md; SELECT * FROM changemgmt.shipped_models() shows examples.")));
}

static char *
definition_string(const ChangeModel *model, const char *key,
				  const JsonbValue *value)
{
	if (value->type != jbvString)
		definition_error(model->key, psprintf("\"%s\" is not a string", key));
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static bool
definition_boolean(const ChangeModel *model, const char *key,
				   const JsonbValue *value)
{
	if (value->type != jbvBool)
		definition_error(model->key,
						 psprintf("\"%s\" is neither true nor false", key));
	return value->val.boolean;
}

static int
definition_integer(const ChangeModel *model, const char *key,
				   const JsonbValue *value, int low, int high)
{
	int			number = 0;

	if (!definition_value_integer(value, low, high, &number))
		definition_error(model->key,
						 psprintf("\"%s\" is not an integer from %d to %d",
								  key, low, high));
	return number;
}

/* The strings of an array of strings. */
static List *
definition_strings(const ChangeModel *model, const char *key,
				   const JsonbValue *value)
{
	List	   *strings = NIL;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;

	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		definition_error(model->key,
						 psprintf("\"%s\" is not an array of strings", key));
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
		if (token == WJB_ELEM)
			strings = lappend(strings, definition_string(model, key, &v));
	return strings;
}

static int
duty_parse(const char *name, size_t length)
{
	for (int duty = 0; duty < DUTY_COUNT; duty++)
		if (strlen(duty_names[duty]) == length &&
			strncmp(duty_names[duty], name, length) == 0)
			return duty;
	return -1;
}

static void
definition_separate(ChangeModel *model, const JsonbValue *value)
{
	ListCell   *lc;

	memset(model->separate, 0, sizeof(model->separate));
	foreach(lc, definition_strings(model, "separate", value))
	{
		const char *pair = lfirst(lc);
		const char *slash = strchr(pair, '/');
		int			one = slash ? duty_parse(pair, slash - pair) : -1;
		int			other = slash ? duty_parse(slash + 1, strlen(slash + 1)) : -1;

		if (one < 0 || other < 0 || one == other)
			definition_error(model->key,
							 psprintf("\"%s\" is not a pair of two duties such as \"approver/owner\"",
									  pair));
		model->separate[one] |= 1 << other;
		model->separate[other] |= 1 << one;
	}
}

static void
definition_validations(ChangeModel *model, const JsonbValue *value)
{
	ListCell   *lc;

	model->validations = 0;
	foreach(lc, definition_strings(model, "validations", value))
	{
		if (strcmp(lfirst(lc), "24_hours") == 0)
			model->validations |= STAGE_24_HOURS;
		else if (strcmp(lfirst(lc), "7_days") == 0)
			model->validations |= STAGE_7_DAYS;
		else
			definition_error(model->key,
							 psprintf("\"%s\" is no stage of validation: 24_hours, 7_days",
									  (char *) lfirst(lc)));
	}
}

/* Where a change has to have succeeded before. */
static void
definition_proven_in(ChangeModel *model, const JsonbValue *value)
{
	ListCell   *lc;
	List	   *environments = definition_strings(model, "proven_in", value);

	foreach(lc, environments)
	{
		code_check("environment", CStringGetTextDatum(lfirst(lc)), "proven_in");
		if (strcmp(lfirst(lc), "production") == 0)
			definition_error(model->key, "nothing comes after \"production\" of \"proven_in\"");
		for (int i = 0; i < foreach_current_index(lc); i++)
			if (strcmp(list_nth(environments, i), lfirst(lc)) == 0)
				definition_error(model->key,
								 psprintf("\"%s\" stands twice in \"proven_in\"",
										  (char *) lfirst(lc)));
	}
	model->proven_in = environments;
}

/* Call back with each key and value of an object. */
typedef void (*DefinitionKey) (ChangeModel *model, const char *key,
							   const JsonbValue *value);

static void
definition_object(ChangeModel *model, const char *name,
				  JsonbContainer *object, DefinitionKey callback)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	char	   *key = NULL;

	if (!JsonContainerIsObject(object))
		definition_error(model->key, psprintf("\"%s\" is not an object", name));
	it = JsonbIteratorInit(object);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = pnstrdup(v.val.string.val, v.val.string.len);
		else if (token == WJB_VALUE)
			callback(model, key, &v);
	}
}

static void
definition_requires_key(ChangeModel *model, const char *key,
						const JsonbValue *value)
{
	Verb		verb;

	if (!verb_parse(key, &verb))
		definition_error(model->key, psprintf("\"%s\" is not a verb", key));
	/* what a site's model adds comes on top of what its base asks for */
	model->requires[verb] = list_concat_copy(model->requires[verb],
											 definition_strings(model, key, value));
}

static void
definition_approval_key(ChangeModel *model, const char *key,
						const JsonbValue *value)
{
	if (strcmp(key, "policy") == 0)
	{
		char	   *policy = definition_string(model, key, value);

		if (strcmp(policy, "none") == 0)
			model->policy = POLICY_NONE;
		else if (strcmp(policy, "one") == 0)
			model->policy = POLICY_ONE;
		else if (strcmp(policy, "board") == 0)
			model->policy = POLICY_BOARD;
		else
			definition_error(model->key,
							 psprintf("\"%s\" is not an approval policy: none, one, board",
									  policy));
	}
	else if (strcmp(key, "board") == 0)
		model->board = definition_string(model, key, value);
	else if (strcmp(key, "needed") == 0)
		model->approvals_needed = definition_integer(model, key, value, 1, 1000);
	else if (strcmp(key, "levels") == 0)
	{
		if (value->type != jbvBinary)
			definition_error(model->key, "\"levels\" is not an array");
		model->levels = levels_read(psprintf("definition of model \"%s\"",
											 model->key),
									value->val.binary.data);
	}
	else
		definition_error(model->key,
						 psprintf("\"approval\" has no key \"%s\"", key));
}

/* The one level, or none, that the short form of an approval means. */
static void
definition_policy_level(ChangeModel *model)
{
	ApprovalLevel *level;

	if (model->policy == POLICY_NONE)
		return;
	if (model->policy == POLICY_BOARD && model->board == NULL)
		definition_error(model->key, "the approval policy \"board\" names no board");
	level = palloc0(sizeof(ApprovalLevel));
	level->level = 1;
	level->rule = model->policy == POLICY_ONE ? RULE_ONE : RULE_COUNT;
	if (model->policy == POLICY_BOARD)
	{
		level->board = model->board;
		level->needed = model->approvals_needed;
	}
	model->levels = list_make1(level);
}

static void
definition_key(ChangeModel *model, const char *key, const JsonbValue *value)
{
	if (strcmp(key, "key") == 0 || strcmp(key, "base") == 0)
		;						/* read before */
	else if (strcmp(key, "title") == 0 || strcmp(key, "profile") == 0)
		definition_string(model, key, value);	/* for people */
	else if (strcmp(key, "type") == 0)
	{
		model->type = definition_string(model, key, value);
		code_check("type", CStringGetTextDatum(model->type), "type");
	}
	else if (strcmp(key, "first_status") == 0)
	{
		char	   *status = definition_string(model, key, value);

		if (!status_parse(status, &model->first_status) ||
			!(STATUS_BIT(model->first_status) & (DRAFT | IN_PROGRESS | IMPLEMENTED)))
			definition_error(model->key,
							 "\"first_status\" is not draft, in_progress or implemented");
	}
	else if (strcmp(key, "pre_approved") == 0)
		model->pre_approved = definition_boolean(model, key, value);
	else if (strcmp(key, "books_window") == 0)
		model->books_window = definition_boolean(model, key, value);
	else if (strcmp(key, "documented_after") == 0)
		model->documented_after = definition_boolean(model, key, value);
	else if (strcmp(key, "schedule_sealed") == 0)
		model->schedule_sealed = definition_boolean(model, key, value);
	else if (strcmp(key, "sealed") == 0)
		model->sealed = definition_strings(model, key, value);
	else if (strcmp(key, "not_sealed") == 0)
		model->not_sealed = definition_strings(model, key, value);
	else if (strcmp(key, "issues_despite_failed_check") == 0)
		model->issues_despite_failed_check = definition_boolean(model, key, value);
	else if (strcmp(key, "notice_business_days") == 0)
		model->notice_business_days = definition_integer(model, key, value, 0, 365);
	else if (strcmp(key, "calendar") == 0)
		model->calendar = value->type == jbvNull ? DEFAULT_CALENDAR :
			definition_string(model, key, value);
	else if (strcmp(key, "late_hours") == 0)
		model->late_hours = value->type == jbvNull ? -1 :
			definition_integer(model, key, value, 0, 8760);
	else if (strcmp(key, "approval") == 0)
	{
		if (value->type != jbvBinary)
			definition_error(model->key, "\"approval\" is not an object");
		model->levels = NIL;
		definition_object(model, key, value->val.binary.data,
						  definition_approval_key);
		if (model->levels != NIL &&
			JsonContainerSize(value->val.binary.data) > 1)
			definition_error(model->key,
							 "\"approval\" has either \"levels\", or a \"policy\" with its \"board\" and \"needed\"");
		if (model->levels == NIL)
			definition_policy_level(model);
	}
	else if (strcmp(key, "separate") == 0)
		definition_separate(model, value);
	else if (strcmp(key, "validations") == 0)
		definition_validations(model, value);
	else if (strcmp(key, "checklist") == 0)
	{
		model->checklist = checklist_read(psprintf("definition of model \"%s\"",
												   model->key), value);
		model->checklist_keys = checklist_keys(model->checklist);
	}
	else if (strcmp(key, "proven_in") == 0)
		definition_proven_in(model, value);
	else if (strcmp(key, "duties") == 0)
		definition_duties(model, value);
	else if (strcmp(key, "waivable") == 0)
		model->waivable = definition_strings(model, key, value);
	else if (strcmp(key, "requires") == 0)
	{
		if (value->type != jbvBinary)
			definition_error(model->key, "\"requires\" is not an object");
		definition_object(model, key, value->val.binary.data,
						  definition_requires_key);
	}
	else if (strcmp(key, "plan") == 0)
	{
		if (value->type != jbvBinary ||
			!JsonContainerIsObject(value->val.binary.data))
			definition_error(model->key, "\"plan\" is not an object");
		model->plan = JsonbValueToJsonb(unconstify(JsonbValue *, value));
		model->is_template = true;
	}
	else
		definition_error(model->key, psprintf("there is no key \"%s\"", key));
}

/* Read a definition on top of what the model already says. */
static void
definition_read(ChangeModel *model, Jsonb *definition)
{
	definition_object(model, "definition", &definition->root, definition_key);
	definition_duties_done(model);
	if (model->levels == NIL && !model->pre_approved &&
		model->first_status == STATUS_DRAFT)
		definition_error(model->key,
						 "a model without approval must be pre_approved");
}

static void
shipped_read(void)
{
	MemoryContext context;
	MemoryContext old;
	List	   *models = NIL;

	/* a child of the caller's until it is complete: an error frees it */
	context = AllocSetContextCreate(CurrentMemoryContext,
									"changemgmt shipped models",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	for (const char *const *definition = shipped_model_definitions;
		 *definition; definition++)
	{
		ChangeModel *model = palloc0(sizeof(ChangeModel));
		Jsonb	   *jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
															   CStringGetDatum(*definition)));
		JsonbValue	value;

		model->key = "";
		model->approvals_needed = 1;
		model->calendar = DEFAULT_CALENDAR;
		getKeyJsonValueFromContainer(&jsonb->root, "key", 3, &value);
		model->key = definition_string(model, "key", &value);
		definition_read(model, jsonb);
		models = lappend(models, model);
	}
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, TopMemoryContext);
	shipped = models;
}

static const ChangeModel *
shipped_find(const char *key)
{
	ListCell   *lc;

	if (shipped == NIL)
		shipped_read();
	foreach(lc, shipped)
	{
		const ChangeModel *model = lfirst(lc);

		if (strcmp(model->key, key) == 0)
			return model;
	}
	return NULL;
}

ChangeModel *
site_model_read(const char *key, int version, Jsonb *definition)
{
	ChangeModel *model = palloc0(sizeof(ChangeModel));
	const ChangeModel *base;
	JsonbValue	value;

	model->key = pstrdup(key);
	if (!JB_ROOT_IS_OBJECT(definition))
		definition_error(key, "it is not an object");
	if (!getKeyJsonValueFromContainer(&definition->root, "base", 4, &value))
		definition_error(key, "\"base\" is missing: a shipped model");
	base = shipped_find(definition_string(model, "base", &value));
	if (base == NULL)
		definition_error(key, psprintf("\"base\" is not a shipped model: \"%s\"",
									   definition_string(model, "base", &value)));
	*model = *base;
	model->key = pstrdup(key);
	model->version = version;
	definition_read(model, definition);
	return model;
}

/* Whether these rows are the ones that are kept already. */
static bool
published_same(List *models)
{
	if (model_context == NULL || list_length(models) != list_length(published))
		return false;
	for (int i = 0; i < list_length(models); i++)
	{
		PublishedModel *a = list_nth(models, i);
		PublishedModel *b = list_nth(published, i);

		if (a->version != b->version || a->retired != b->retired ||
			strcmp(a->key, b->key) != 0 ||
			VARSIZE(a->definition) != VARSIZE(b->definition) ||
			memcmp(a->definition, b->definition, VARSIZE(a->definition)) != 0)
			return false;
	}
	return true;
}

/* Keep the rows; each definition is read when a change first asks for it. */
static void
published_read(void)
{
	static KeptPlan all = {
		"SELECT key, version, definition, retired_at IS NOT NULL"
		" FROM changemgmt.site_model ORDER BY key, version",
		0, {0}, NULL
	};
	MemoryContext context;
	MemoryContext old;
	List	   *models = NIL;

	SPI_connect();
	cached_table_begin(&model_table);
	kept_plan_execute(&all, NULL, NULL, 0);

	context = AllocSetContextCreate(CurrentMemoryContext,
									"changemgmt published models",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		PublishedModel *p = palloc0(sizeof(PublishedModel));

		p->key = SPI_getvalue(tuple, desc, 1);
		p->version = DatumGetInt32(SPI_getbinval(tuple, desc, 2, &isnull));
		p->definition = DatumGetJsonbPCopy(SPI_getbinval(tuple, desc, 3, &isnull));
		p->retired = DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull));
		models = lappend(models, p);
	}
	if (published_same(models))
	{
		/* nothing has changed: what was parsed stays parsed */
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
		cached_table_done(&model_table);
		SPI_finish();
		return;
	}
	if (model_context)
	{
		MemoryContextSwitchTo(TopMemoryContext);
		outdated_contexts = lappend(outdated_contexts, model_context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, TopMemoryContext);
	model_context = context;
	published = models;
	cached_table_done(&model_table);
	SPI_finish();
}

static List *
published_models(void)
{
	if (!model_table.is_current)
		published_read();
	return published;
}

/* Read a definition; what cannot be read leaves nothing behind. */
static const ChangeModel *
published_model(PublishedModel *p)
{
	if (p->model == NULL)
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
													  "changemgmt model",
													  ALLOCSET_SMALL_SIZES);
		MemoryContext old = MemoryContextSwitchTo(context);
		ChangeModel *model;

		model = site_model_read(p->key, p->version, p->definition);
		MemoryContextSwitchTo(old);
		MemoryContextSetParent(context, model_context);
		p->model = model;
	}
	return p->model;
}

const ChangeModel *
model_find_if_any(const char *key, int version)
{
	const ChangeModel *model = NULL;

	if (version == 0)
		model = shipped_find(key);
	else
	{
		ListCell   *lc;

		foreach(lc, published_models())
		{
			PublishedModel *p = lfirst(lc);

			if (p->version == version && strcmp(p->key, key) == 0)
				model = published_model(p);
		}
	}
	return model;
}

const ChangeModel *
model_find(const char *key, int version)
{
	const ChangeModel *model = model_find_if_any(key, version);

	if (model == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("version %d of model \"%s\" does not exist",
						version, key),
				 errhint("The models are listed in view changemgmt.model.")));
	return model;
}

const ChangeModel *
model_latest_if_any(const char *key, bool *retired)
{
	PublishedModel *latest = NULL;
	ListCell   *lc;

	*retired = false;
	foreach(lc, published_models())
	{
		PublishedModel *p = lfirst(lc);

		if (strcmp(p->key, key) != 0)
			continue;
		if (p->retired)
			*retired = true;
		else
			latest = p;			/* they are in the order of their versions */
	}
	if (latest)
		return published_model(latest);
	return *retired ? NULL : shipped_find(key);
}

const ChangeModel *
model_latest(const char *key)
{
	bool		retired;
	const ChangeModel *model = model_latest_if_any(key, &retired);

	if (model == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 retired ?
				 errmsg("model \"%s\" is retired", key) :
				 errmsg("model \"%s\" does not exist", key),
				 errhint("The models are listed in view changemgmt.model.")));
	return model;
}

/* ----------------------------------------------------------------
 * SQL
 * ---------------------------------------------------------------- */

static bool
values_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What is published names a calendar that can be asked; later it may be gone. */
static void
calendar_must_be(const ChangeModel *model)
{
	char	   *hint;
	char	   *problem = calendar_problem(model->calendar, &hint);

	if (problem)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("definition of model \"%s\": %s", model->key, problem),
				 errhint("%s", hint)));
}

/* Trigger of site_model: definitions are sound, published ones stay. */
Datum
model_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "model_guard",
										 FOR_ROW | FOR_STATEMENT | AT_BEFORE, "site_model");
	TupleDesc	desc;
	bool		isnull;
	HeapTuple	tuple;
	char	   *key;
	Datum		definition;

	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ||
		TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY),
				 errmsg("published models are never deleted"),
				 errhint("changemgmt.retire_model() takes a model out of use.")));

	desc = RelationGetDescr(trigdata->tg_relation);
	tuple = trigdata->tg_trigtuple;
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
	{
		HeapTuple	newtup = trigdata->tg_newtuple;

		for (int i = 1; i <= desc->natts; i++)
			if (strcmp(NameStr(TupleDescAttr(desc, i - 1)->attname),
					   "retired_at") != 0 &&
				!values_same(SPI_getvalue(tuple, desc, i),
							 SPI_getvalue(newtup, desc, i)))
				ereport(ERROR,
						(errcode(ERRCODE_MC_APPEND_ONLY),
						 errmsg("a published model never changes"),
						 errhint("changemgmt.publish_model() publishes the next version.")));
		return PointerGetDatum(newtup);
	}
	if (ledger_is_history(trigdata))
	{
		/* a definition that this version cannot read must not be lost */
		return PointerGetDatum(tuple);
	}
	key = SPI_getvalue(tuple, desc, SPI_fnumber(desc, "key"));
	definition = SPI_getbinval(tuple, desc, SPI_fnumber(desc, "definition"),
							   &isnull);
	if (key && !isnull)			/* else NOT NULL refuses it */
		calendar_must_be(site_model_read(key, 1, DatumGetJsonbP(definition)));
	return PointerGetDatum(tuple);
}

Datum
shipped_models(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (const char *const *definition = shipped_model_definitions;
		 *definition; definition++)
	{
		Datum		values[3];
		bool		isnull[3] = {false, false, false};
		JsonbValue	key;

		values[2] = DirectFunctionCall1(jsonb_in, CStringGetDatum(*definition));
		getKeyJsonValueFromContainer(&DatumGetJsonbP(values[2])->root, "key", 3,
									 &key);
		values[0] = PointerGetDatum(cstring_to_text_with_len(key.val.string.val,
															 key.val.string.len));
		values[1] = Int32GetDatum(0);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	return (Datum) 0;
}

/* Models that were replaced in this transaction are no longer in use. */
static void
model_xact_end(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE)
		return;
	while (outdated_contexts != NIL)
	{
		MemoryContextDelete(linitial(outdated_contexts));
		outdated_contexts = list_delete_first(outdated_contexts);
	}
}

void
model_init(void)
{
	RegisterXactCallback(model_xact_end, NULL);
}
