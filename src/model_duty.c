/*-------------------------------------------------------------------------
 *
 * model_duty.c
 *	  The key "duties" of a model: what its changes owe, from which step on.
 *
 * A list of objects: a kind, the step that it begins "on", and when it is due,
 * counted "from" a time of the change.  What a site's model says stands in the
 * place of what its base says of the same kind and step, and adds to the rest.
 * The validations of a model are duties by themselves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "errors.h"
#include "model.h"

/* At most a year, as a time between two steps. */
#define DUTY_MINUTES_MAX (366 * 24 * 60)

/* The steps that a duty can begin on. */
#define DUTY_VERBS \
	(VERB_BIT(VERB_CREATE) | VERB_BIT(VERB_SUBMIT) | VERB_BIT(VERB_START) | \
	 VERB_BIT(VERB_COMPLETE) | VERB_BIT(VERB_PASS) | VERB_BIT(VERB_FAIL) | \
	 VERB_BIT(VERB_ROLL_BACK) | VERB_BIT(VERB_CLOSE))

static void
duty_error(const ChangeModel *model, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT),
			 errmsg("definition of model \"%s\": a duty %s", model->key, problem),
			 errhint("A duty is such as {\"kind\": \"post_mortem\", \"on\": \"create\", \"hours\": 48, \"from\": \"actual_start\"}; docs/duty.md has the keys.")));
}

static char *
string_of(const ChangeModel *model, const char *key, const JsonbValue *value)
{
	if (value->type != jbvString)
		duty_error(model, psprintf("has a \"%s\" that is not a string", key));
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static void
duty_on(const ChangeModel *model, ModelDuty *duty, const char *name)
{
	Verb		verb = VERB_CREATE;

	duty->on = pstrdup(name);
	if (strcmp(name, "end") == 0)
		duty->verbs = VERB_BIT(VERB_COMPLETE) | VERB_BIT(VERB_FAIL) |
			VERB_BIT(VERB_ROLL_BACK);
	else if (strcmp(name, "create") == 0 || verb_parse(name, &verb))
		duty->verbs = VERB_BIT(verb) & DUTY_VERBS;
	if (duty->verbs == 0)
		duty_error(model, psprintf("cannot begin on \"%s\": create, submit, start, complete, pass, fail, roll_back, close, or end of the work",
								   name));
}

static void
duty_from(const ChangeModel *model, ModelDuty *duty, const char *name)
{
	static const char *const times[] = {
		"now", "created_at", "actual_start", "deployed_at", "actual_end",
		"rolled_back_at"
	};

	for (size_t i = 0; i < lengthof(times); i++)
		if (strcmp(times[i], name) == 0)
		{
			duty->from = times[i];
			return;
		}
	duty_error(model, psprintf("is not counted from \"%s\": now, created_at, actual_start, deployed_at, actual_end, rolled_back_at",
							   name));
}

static void
duty_key(const ChangeModel *model, ModelDuty *duty, const char *key,
		 const JsonbValue *value)
{
	int			number;

	if (strcmp(key, "kind") == 0)
	{
		char	   *kind = string_of(model, key, value);

		if (!duty_kind_parse(kind, &duty->kind) ||
			duty->kind == KIND_ROLLBACK_DECISION)
			duty_error(model, psprintf("is of no kind \"%s\" that a model gives", kind));
		duty->has_kind = true;
	}
	else if (strcmp(key, "on") == 0)
		duty_on(model, duty, string_of(model, key, value));
	else if (strcmp(key, "from") == 0)
		duty_from(model, duty, string_of(model, key, value));
	else if (strcmp(key, "minutes") == 0 || strcmp(key, "hours") == 0)
	{
		int			unit = key[0] == 'h' ? 60 : 1;

		if (duty->has_time)
			duty_error(model, "has both \"hours\" and \"minutes\"");
		duty->has_time = true;
		if (value->type == jbvNull)
		{
			duty->minutes = -1;
			return;
		}
		if (!definition_value_integer(value, 0, DUTY_MINUTES_MAX / unit, &number))
			duty_error(model, psprintf("has \"%s\" that are not an integer from 0 to %d",
									   key, DUTY_MINUTES_MAX / unit));
		duty->minutes = number * unit;
	}
	else if (strcmp(key, "repeat_minutes") == 0)
	{
		if (!definition_value_integer(value, 1, 525600, &duty->repeat_minutes))
			duty_error(model, "has \"repeat_minutes\" that are not an integer from 1 to 525600");
	}
	else
		duty_error(model, psprintf("has no key \"%s\"", key));
}

/* What is said of this kind and step before is said anew. */
static void
duty_add(ChangeModel *model, ModelDuty *duty)
{
	List	   *kept = NIL;
	ListCell   *lc;

	foreach(lc, model->duties)
	{
		ModelDuty  *d = lfirst(lc);

		if (d->kind != duty->kind || strcmp(d->on, duty->on) != 0)
			kept = lappend(kept, d);
	}
	if (duty->minutes >= 0)
		kept = lappend(kept, duty);
	model->duties = kept;
}

void
definition_duties(ChangeModel *model, const JsonbValue *value)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	ModelDuty  *duty = NULL;
	char	   *key = NULL;
	bool		begun = false;

	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		duty_error(model, "stands in an array of objects");
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &v, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_ARRAY && !begun)
			begun = true;
		else if (token == WJB_ELEM || token == WJB_BEGIN_ARRAY)
			duty_error(model, duty ? "has no key with an array" : "is an object");
		else if (token == WJB_BEGIN_OBJECT)
		{
			if (duty)
				duty_error(model, "has no key with an object");
			duty = palloc0(sizeof(ModelDuty));
			duty->from = "now";
		}
		else if (token == WJB_KEY)
			key = pnstrdup(v.val.string.val, v.val.string.len);
		else if (token == WJB_VALUE)
			duty_key(model, duty, key, &v);
		else if (token == WJB_END_OBJECT)
		{
			if (!duty->has_kind || duty->verbs == 0 || !duty->has_time)
				duty_error(model, "needs \"kind\", \"on\", and \"hours\" or \"minutes\"");
			duty_add(model, duty);
			duty = NULL;
		}
	}
}

/* Once all keys are read: the validations, and which steps duties begin on. */
void
definition_duties_done(ChangeModel *model)
{
	static const struct
	{
		uint32		stage;
		DutyKind	kind;
		int			hours;
	}			validations[] = {
		{STAGE_24_HOURS, KIND_VALIDATION_24_HOURS, 24},
		{STAGE_7_DAYS, KIND_VALIDATION_7_DAYS, 7 * 24},
	};
	List	   *duties = NIL;
	ListCell   *lc;

	foreach(lc, model->duties)
		if (!((ModelDuty *) lfirst(lc))->is_validation)
			duties = lappend(duties, lfirst(lc));
	for (size_t i = 0; i < lengthof(validations); i++)
	{
		ModelDuty  *duty;

		if (!(model->validations & validations[i].stage))
			continue;
		duty = palloc0(sizeof(ModelDuty));
		duty->kind = validations[i].kind;
		duty->on = "pass";
		duty->verbs = VERB_BIT(VERB_PASS);
		duty->minutes = validations[i].hours * 60;
		duty->from = "deployed_at";
		duty->is_validation = true;
		duties = lappend(duties, duty);
	}
	model->duties = duties;
	model->duty_verbs = 0;
	foreach(lc, model->duties)
		model->duty_verbs |= ((ModelDuty *) lfirst(lc))->verbs;
}

const ModelDuty *
model_duty(const ChangeModel *model, DutyKind kind)
{
	ListCell   *lc;

	foreach(lc, model->duties)
	{
		const ModelDuty *duty = lfirst(lc);

		if (duty->kind == kind)
			return duty;
	}
	return NULL;
}
