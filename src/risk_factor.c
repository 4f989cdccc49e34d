/*-------------------------------------------------------------------------
 *
 * risk_factor.c
 *	  The factors that the record of a change itself tells, and their list.
 *
 * Each looks at the change and finds a value from 0 to 100 (hundredths of 1),
 * whether it is known, and a sentence.  What is not known has the highest
 * value.  docs/risk.md has the same rules in words: change both.  There is no
 * state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "compat.h"
#include "risk.h"
#include "spi.h"

int
risk_read(const RiskInput *input, KeptPlan *plan, Datum *values,
		  const char *nulls, long limit)
{
	kept_plan_once(plan);
	return input->as_query ? kept_plan_read(plan, values, nulls, limit) :
		kept_plan_execute(plan, values, nulls, limit);
}

void
risk_items(RiskInput *input)
{
	static KeptPlan read = {
		"SELECT i.ci_id, c.name, c.tier,"
		" c.environment OPERATOR(pg_catalog.=) 'production',"
		" i.role OPERATOR(pg_catalog.=) 'changed', c.is_exclusive"
		" FROM changemgmt.change_item AS i"
		" JOIN changemgmt.configuration_item AS c"
		"  ON c.id OPERATOR(pg_catalog.=) i.ci_id"
		" WHERE i.change_id OPERATOR(pg_catalog.=) $1 ORDER BY c.tier NULLS FIRST, c.id",
		1, {INT8OID}, NULL
	};
	Datum		argument = input->row->value[CH_id];

	if (input->has_items)
		return;
	risk_read(input, &read, &argument, NULL, 0);
	input->n_items = (int) SPI_processed;
	input->items = palloc0(Max(input->n_items, 1) * sizeof(RiskItem));
	for (int i = 0; i < input->n_items; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		RiskItem   *item = &input->items[i];
		Datum		tier;
		bool		isnull;

		item->ci_id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		item->name = SPI_getvalue(tuple, desc, 2);
		tier = SPI_getbinval(tuple, desc, 3, &isnull);
		item->tier = isnull ? 0 : DatumGetInt32(tier);
		item->production = DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull));
		item->is_changed = DatumGetBool(SPI_getbinval(tuple, desc, 5, &isnull));
		item->is_exclusive = DatumGetBool(SPI_getbinval(tuple, desc, 6, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	input->has_items = true;
}

/* Tasks, the lines of the manifest among them, planned checks. */
void
risk_parts(RiskInput *input)
{
#define PARTS(tested) \
	"SELECT pg_catalog.count(*), pg_catalog.count(object_name)," \
	" COALESCE(pg_catalog.bool_or(" tested "), false)," \
	" (SELECT pg_catalog.count(*) FROM changemgmt.change_check" \
	"  WHERE change_id OPERATOR(pg_catalog.=) $1 AND is_planned)" \
	" FROM changemgmt.change_task" \
	" WHERE change_id OPERATOR(pg_catalog.=) $1"
	static KeptPlan with_keys = {
		PARTS("checklist_key OPERATOR(pg_catalog.=) 'rollback_tested'"
			  " AND status OPERATOR(pg_catalog.=) 'done'"),
		1, {INT8OID}, NULL
	};
	static KeptPlan without_keys = {
		PARTS("false"), 1, {INT8OID}, NULL
	};
	Datum		argument = input->row->value[CH_id];
	bool		isnull;

	if (input->has_parts)
		return;
	risk_read(input, column_exists("change_task", "checklist_key") ?
			  &with_keys : &without_keys, &argument, NULL, 0);
	input->tasks = DatumGetInt64(spi_first_value(1, &isnull));
	input->objects = DatumGetInt64(spi_first_value(2, &isnull));
	input->rollback_tested = DatumGetBool(spi_first_value(3, &isnull));
	input->checks = DatumGetInt64(spi_first_value(4, &isnull));
	SPI_freetuptable(SPI_tuptable);
	input->has_parts = true;
#undef PARTS
}

static void
found(RiskFinding *finding, int value, char *sentence)
{
	finding->value = value;
	finding->is_known = true;
	finding->sentence = sentence;
}

static void
not_known(RiskFinding *finding, char *sentence)
{
	finding->value = RISK_VALUE_MAX;
	finding->is_known = false;
	finding->sentence = psprintf("%s, which counts as the highest", sentence);
}

/* ----------
 * The factors
 * ----------
 */

/*
 * The worst row, as likelihood times impact of 25, and 5 more for each other
 * one that is at least medium times medium, up to 20.
 */
static void
assess_inherent_risk(RiskInput *input, RiskFinding *finding)
{
	static const int by_level[] = {16, 36, 64, 100};
	const RiskRegister *reg = risk_register(input);
	const RiskRows *worst = NULL;
	int			worst_product = 0;
	int64		considerable = 0;
	bool		unknown = false;
	int			value;

	if (reg->count == 0)
	{
		char	   *assessed = change_text(input->row, risk_level);
		RiskLevel	level;

		if (assessed && risk_level_parse(assessed, &level))
			found(finding, by_level[level],
				  psprintf("the register is empty; risk_level says %s", assessed));
		else
			not_known(finding, "nobody has assessed the risk");
		return;
	}
	for (int i = 0; i < reg->n; i++)
	{
		const RiskRows *r = &reg->rows[i];
		int			product =
			(Min(r->likelihood, RISK_AXIS - 1) + 1) *
			(Min(r->impact, RISK_AXIS - 1) + 1);

		unknown |= r->likelihood == RISK_AXIS_UNKNOWN ||
			r->impact == RISK_AXIS_UNKNOWN;
		if (product >= 9)
			considerable += r->count;
		if (product > worst_product)
		{
			worst_product = product;
			worst = r;
		}
	}
	if (worst_product >= 9)
		considerable--;
	value = worst_product * 4 + (int) Min(considerable, 4) * 5;
	found(finding, Min(value, RISK_VALUE_MAX),
		  psprintf("the worst of " INT64_FORMAT " risks has %s likelihood and %s impact%s%s",
				   reg->count, risk_axis_word(worst->likelihood),
				   risk_axis_word(worst->impact),
				   considerable > 0 ?
				   psprintf(", and " INT64_FORMAT " more %s at least medium in both",
							considerable, considerable == 1 ? "is" : "are") : "",
				   unknown ? "; unknown counts as very high" : ""));
	finding->is_known = !unknown;
}

static void
assess_tier(RiskInput *input, RiskFinding *finding)
{
	const RiskItem *worst;

	risk_items(input);
	if (input->n_items == 0)
	{
		not_known(finding, "no item is named");
		return;
	}
	worst = &input->items[0];	/* unknown first, then by tier */
	if (worst->tier == 0)
		not_known(finding, psprintf("nobody knows the tier of %s", worst->name));
	else
		found(finding, (5 - worst->tier) * 25,
			  psprintf("the most critical item, %s, is of tier %d",
					   worst->name, worst->tier));
}

static void
assess_data_integrity(RiskInput *input, RiskFinding *finding)
{
	bool		touched = change_bool(input->row, touches_data_integrity);

	found(finding, touched ? 100 : 0,
		  pstrdup(touched ? "data could be damaged" : "data are not touched"));
}

static void
assess_security(RiskInput *input, RiskFinding *finding)
{
	bool		touched = change_bool(input->row, touches_security);

	found(finding, touched ? 100 : 0,
		  pstrdup(touched ? "security could suffer" : "security is not touched"));
}

static void
assess_environment(RiskInput *input, RiskFinding *finding)
{
	char	   *environment = change_text(input->row, environment);
	const char *item = NULL;

	risk_items(input);
	for (int i = 0; i < input->n_items && item == NULL; i++)
		if (input->items[i].production)
			item = input->items[i].name;
	if (strcmp(environment, "production") == 0)
		found(finding, 100, pstrdup("it is done in production"));
	else if (item)
		found(finding, 100, psprintf("it is called %s, but item %s is of production",
									 environment, item));
	else
		found(finding, strcmp(environment, "staging") == 0 ? 40 :
			  strcmp(environment, "test") == 0 ? 20 : 0,
			  psprintf("it is done in %s", environment));
}

static void
assess_type(RiskInput *input, RiskFinding *finding)
{
	char	   *type = change_text(input->row, type);

	found(finding, strcmp(type, "standard") == 0 ? 0 :
		  strcmp(type, "normal") == 0 ? 40 :
		  strcmp(type, "major") == 0 ? 80 : 100,
		  psprintf("it is a %s change", type));
}

WayBack
risk_way_back(RiskInput *input, char **why)
{
	const ChangeRow *row = input->row;
	char	   *strategy = change_text(row, rollback_strategy);
	bool		has_plan = !change_is_blank(row, CH_rollback_plan);

	risk_parts(input);
	if (strategy && strcmp(strategy, "fix_forward") == 0)
	{
		*why = pstrdup("there is no way back, only forward");
		return WAY_BACK_NONE;
	}
	if (!has_plan)
	{
		*why = pstrdup("there is no rollback plan");
		return WAY_BACK_NONE;
	}
	if (strategy == NULL || change_is_blank(row, CH_rollback_trigger) ||
		change_is_null(row, rollback_minutes))
	{
		*why = psprintf("the rollback plan is unclear: it lacks %s",
						strategy == NULL ? "a strategy" :
						change_is_null(row, rollback_minutes) ?
						"how long it takes" : "what triggers it");
		return WAY_BACK_UNCLEAR;
	}
	if (strcmp(strategy, "blue_green") == 0 ||
		strcmp(strategy, "feature_flag") == 0)
	{
		*why = psprintf("the way back is a switch (%s)", strategy);
		return WAY_BACK_SWITCH;
	}
	*why = psprintf("the rollback (%s) was %stested", strategy,
					input->rollback_tested ? "" : "not ");
	return input->rollback_tested ? WAY_BACK_TESTED : WAY_BACK_UNTESTED;
}

static void
assess_rollback(RiskInput *input, RiskFinding *finding)
{
	static const int values[] = {
		[WAY_BACK_NONE] = 100,
		[WAY_BACK_UNCLEAR] = 75,
		[WAY_BACK_UNTESTED] = 50,
		[WAY_BACK_TESTED] = 20,
		[WAY_BACK_SWITCH] = 0
	};
	char	   *why;
	WayBack		way = risk_way_back(input, &why);

	found(finding, values[way], why);
}

/* Where it was tried: the change of which this one is the promotion. */
static void
assess_testing(RiskInput *input, RiskFinding *finding)
{
	static KeptPlan read = {
		"SELECT c.id, c.environment, c.outcome, c.confidential"
		" FROM changemgmt.change_link AS l"
		" JOIN changemgmt.change AS c"
		"  ON c.id OPERATOR(pg_catalog.=) l.target_change_id"
		" WHERE l.change_id OPERATOR(pg_catalog.=) $1"
		" AND l.relation OPERATOR(pg_catalog.=) 'promoted_from'"
		" ORDER BY l.id DESC LIMIT 1",
		1, {INT8OID}, NULL
	};
	Datum		argument = input->row->value[CH_id];
	char	   *environment = change_text(input->row, environment);

	risk_read(input, &read, &argument, NULL, 1);
	if (SPI_processed > 0)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		/* the sentence is kept, also for those who may not know that one */
		char	   *number = DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull)) ?
			pstrdup("a confidential change") :
			change_number_text(DatumGetInt64(
				SPI_getbinval(tuple, desc, 1, &isnull)));
		char	   *where = SPI_getvalue(tuple, desc, 2);
		char	   *outcome = SPI_getvalue(tuple, desc, 3);

		if (outcome == NULL)
			found(finding, 60, psprintf("%s in %s, of which it is the promotion, is not done",
										number, where));
		else if (strcmp(outcome, "successful") == 0)
			found(finding, 0, psprintf("%s did the same in %s, successfully",
									   number, where));
		else if (strcmp(outcome, "successful_with_issues") == 0)
			found(finding, 40, psprintf("%s did the same in %s, with issues",
										number, where));
		else
			found(finding, 100, psprintf("%s did the same in %s, and its outcome is %s",
										 number, where, outcome));
	}
	else if (strcmp(environment, "production") != 0 &&
			 strcmp(environment, "staging") != 0)
		found(finding, 0, psprintf("%s is where things are tested", environment));
	else if (change_is_blank(input->row, CH_test_plan))
		not_known(finding, pstrdup("nothing says how it was tested"));
	else
		found(finding, 50, pstrdup("a test plan says how it is tested, but no change in an earlier environment is linked"));
	SPI_freetuptable(SPI_tuptable);
}

static void
assess_size(RiskInput *input, RiskFinding *finding)
{
	int64		size;

	risk_items(input);
	risk_parts(input);
	size = input->tasks + input->n_items;
	if (size == 0)
	{
		not_known(finding, pstrdup("neither items nor tasks say how large it is"));
		return;
	}
	found(finding, size < 4 ? 10 : size < 10 ? 30 : size < 20 ? 50 :
		  size < 50 ? 75 : 100,
		  psprintf("%d %s and " INT64_FORMAT " %s, of which " INT64_FORMAT " %s an object",
				   input->n_items, input->n_items == 1 ? "item" : "items",
				   input->tasks, input->tasks == 1 ? "task" : "tasks",
				   input->objects, input->objects == 1 ? "names" : "name"));
}

/* In the order in which they are shown; those that ship weigh 100 together. */
const RiskFactor risk_factors[] = {
	{"inherent_risk", 14, "The worst row of the register, before mitigation, and how many others are considerable.",
	assess_inherent_risk},
	{"tier", 8, "How critical the items are.", assess_tier},
	{"blast_radius", 8, "How many items depend on those that it changes.",
	risk_blast_radius},
	{"data_integrity", 7, "Whether data could be damaged.",
	assess_data_integrity},
	{"security", 7, "Whether security could suffer.", assess_security},
	{"environment", 4, "Where it is done.", assess_environment},
	{"type", 4, "What type of change it is.", assess_type},
	{"novelty", 6, "Whether this model, owner and item have been through changes before.",
	risk_novelty},
	{"record_of_model", 3, "How many of the latest changes of the model failed.",
	risk_record_of_model},
	{"record_of_item", 3, "How many of the latest changes of the worst item failed.",
	risk_record_of_item},
	{"record_of_owner", 3, "How many of the owner's latest changes failed.",
	risk_record_of_owner},
	{"record_of_team", 3, "How many of the team's latest changes failed.",
	risk_record_of_team},
	{"rollback", 8, "How the change comes back.", assess_rollback},
	{"testing", 6, "Whether it was done in an earlier environment.",
	assess_testing},
	{"size", 4, "How many items, tasks and objects.", assess_size},
	{"timing", 5, "When it is done, and at what notice.", risk_timing},
	{"overlap", 3, "What else is booked at that time on the items, or near them.",
	risk_overlap},
	{"recent_incidents", 4, "Incidents of its items in the 30 days before.",
	risk_incidents},
};

const int	risk_factor_count = lengthof(risk_factors);
