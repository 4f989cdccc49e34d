/*-------------------------------------------------------------------------
 *
 * approval_policy.c
 *	  Which policy an approval goes by.
 *
 * A model has an approval of its own; a site adds policies as rows, each with
 * the conditions under which it holds.  Of all that match a change the
 * strictest holds: the one that needs the most people, then the one with
 * the most levels, then a site's before the model's, then the first by name.
 * Nothing of it is stored with the change.
 *
 * State: the site's policies, in a context of their own, read again when any
 * session changes a table that they are made of.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "approval.h"
#include "compat.h"
#include "errors.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(approval_policy_of);
PG_FUNCTION_INFO_V1(set_approval_policy);
PG_FUNCTION_INFO_V1(remove_approval_policy);

#define V(verb) VERB_BIT(VERB_##verb)

/* A row of approval_policy with its levels.  What is NULL or 0 matches any. */
typedef struct SitePolicy
{
	int64		id;
	char	   *name;
	char	   *model;
	char	   *type;
	char	   *risk_level;
	char	   *environment;
	int			ci_tier;
	char	   *data_integrity; /* "t" or "f" */
	char	   *security;
	List	   *levels;
} SitePolicy;

static CachedTable policy_table = {.relation = "approval_policy"};
static CachedTable level_table = {.relation = "approval_level"};
static CachedTable person_table = {.relation = "person"};	/* for logins */
static MemoryContext policy_context = NULL;
static List *site_policies = NIL;

/* ----------------------------------------------------------------
 * Reading
 * ---------------------------------------------------------------- */

static List *
seats_read(ArrayType *array)
{
	Datum	   *seats;
	int			count;
	List	   *list = NIL;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &seats, NULL,
					  &count);
	for (int i = 0; i < count; i++)
	{
		char	   *seat = TextDatumGetCString(seats[i]);

		if (!level_has_seat(list, seat))
			list = lappend(list, seat);
	}
	return list;
}

static int
integer_or_zero(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, column, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

static void
policies_read(void)
{
	static KeptPlan all = {
		"SELECT p.id, p.name, p.model, p.type, p.risk_level, p.environment,"
		" p.ci_tier, p.touches_data_integrity, p.touches_security,"
		" l.level, l.rule, l.board, l.person_id, n.login, l.needed, l.percent,"
		" l.seats"
		" FROM changemgmt.approval_policy AS p"
		" JOIN changemgmt.approval_level AS l"
		"  ON l.policy_id OPERATOR(pg_catalog.=) p.id"
		" LEFT JOIN changemgmt.person AS n"
		"  ON n.id OPERATOR(pg_catalog.=) l.person_id"
		" ORDER BY p.id, l.level",
		0, {0}, NULL
	};
	MemoryContext context;
	MemoryContext old;
	List	   *policies = NIL;
	SitePolicy *policy = NULL;

	SPI_connect();
	cached_table_begin(&policy_table);
	cached_table_begin(&level_table);
	cached_table_begin(&person_table);
	kept_plan_execute(&all, NULL, NULL, 0);
	context = AllocSetContextCreate(CurrentMemoryContext,
									"changemgmt approval policies",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		int64		id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		char	   *rule = SPI_getvalue(tuple, desc, 11);
		ApprovalLevel *level = palloc0(sizeof(ApprovalLevel));
		Datum		value;

		if (policy == NULL || policy->id != id)
		{
			policy = palloc0(sizeof(SitePolicy));
			policy->id = id;
			policy->name = SPI_getvalue(tuple, desc, 2);
			policy->model = SPI_getvalue(tuple, desc, 3);
			policy->type = SPI_getvalue(tuple, desc, 4);
			policy->risk_level = SPI_getvalue(tuple, desc, 5);
			policy->environment = SPI_getvalue(tuple, desc, 6);
			policy->ci_tier = integer_or_zero(tuple, desc, 7);
			policy->data_integrity = SPI_getvalue(tuple, desc, 8);
			policy->security = SPI_getvalue(tuple, desc, 9);
			policies = lappend(policies, policy);
		}
		level->level = integer_or_zero(tuple, desc, 10);
		if (!level_rule_parse(rule, &level->rule))
			elog(ERROR, "unexpected rule: \"%s\"", rule);
		level->board = SPI_getvalue(tuple, desc, 12);
		value = SPI_getbinval(tuple, desc, 13, &isnull);
		if (!isnull)
			level->person_id = DatumGetInt64(value);
		level->person = SPI_getvalue(tuple, desc, 14);
		level->needed = integer_or_zero(tuple, desc, 15);
		level->percent = integer_or_zero(tuple, desc, 16);
		value = SPI_getbinval(tuple, desc, 17, &isnull);
		if (!isnull)
			level->seats = seats_read(DatumGetArrayTypeP(value));
		policy->levels = lappend(policy->levels, level);
	}
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, TopMemoryContext);
	if (policy_context)
		MemoryContextDelete(policy_context);
	policy_context = context;
	site_policies = policies;
	cached_table_done(&policy_table);
	cached_table_done(&level_table);
	cached_table_done(&person_table);
	SPI_finish();
}

static List *
site_policy_list(void)
{
	if (policy_table.is_current && level_table.is_current &&
		person_table.is_current)
		return site_policies;
	/* the tables of 1.0 have none */
	if (!relation_exists("approval_level"))
		return NIL;
	policies_read();
	return site_policies;
}

/* ----------------------------------------------------------------
 * Matching
 * ---------------------------------------------------------------- */

static int
risk_rank(const char *level)
{
	static const char *const levels[] = {"low", "medium", "high", "critical"};

	for (size_t i = 0; level && i < lengthof(levels); i++)
		if (strcmp(levels[i], level) == 0)
			return i;
	return lengthof(levels);	/* unknown: above all */
}

/* What policies ask of the items of a change. */
typedef struct ItemFacts
{
	int			tier;			/* the most critical; 1 where one is unknown */
	List	   *environments;
} ItemFacts;

static void
items_read(ItemFacts *items, const ChangeRow *row)
{
	static KeptPlan plan = {
		"SELECT ci.environment, pg_catalog.min(COALESCE(ci.tier, 1))"
		" FROM changemgmt.change_item AS i"
		" JOIN changemgmt.configuration_item AS ci"
		"  ON ci.id OPERATOR(pg_catalog.=) i.ci_id"
		" WHERE i.change_id OPERATOR(pg_catalog.=) $1"
		" GROUP BY ci.environment",
		1, {INT8OID}, NULL
	};
	Datum		argument = row->value[CH_id];

	kept_plan_execute(&plan, &argument, NULL, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		int			tier = integer_or_zero(tuple, desc, 2);

		items->environments = lappend(items->environments,
									  SPI_getvalue(tuple, desc, 1));
		if (items->tier == 0 || tier < items->tier)
			items->tier = tier;
	}
	SPI_freetuptable(SPI_tuptable);
	/* nobody has said what it is done to */
	if (items->tier == 0)
		items->tier = 1;
}

static bool
flag_matches(const char *flag, bool value)
{
	return flag == NULL || (flag[0] == 't') == value;
}

static bool
policy_matches(const SitePolicy *p, const ChangeModel *model,
			   const ChangeRow *row, const ItemFacts *items)
{
	if ((p->model && strcmp(p->model, model->key) != 0) ||
		(p->type && strcmp(p->type, model->type) != 0) ||
		!flag_matches(p->data_integrity, change_bool(row, touches_data_integrity)) ||
		!flag_matches(p->security, change_bool(row, touches_security)) ||
		(p->risk_level &&
		 risk_rank(change_text(row, risk_level)) < risk_rank(p->risk_level)))
		return false;
	if (p->environment &&
		strcmp(p->environment,
			   TextDatumGetCString(row->value[CH_environment])) != 0)
	{
		bool		found = false;
		ListCell   *lc;

		foreach(lc, items->environments)
			found |= strcmp(lfirst(lc), p->environment) == 0;
		if (!found)
			return false;
	}
	return p->ci_tier == 0 || items->tier <= p->ci_tier;
}

static char *
policy_conditions(const SitePolicy *p)
{
	StringInfoData buf;

	initStringInfo(&buf);
	if (p->model)
		text_list_add(&buf, psprintf("model %s", p->model));
	if (p->type)
		text_list_add(&buf, psprintf("type %s", p->type));
	if (p->risk_level)
		text_list_add(&buf, psprintf("risk %s or above, or unknown",
									 p->risk_level));
	if (p->environment)
		text_list_add(&buf, psprintf("environment %s", p->environment));
	if (p->ci_tier > 0)
		text_list_add(&buf, psprintf("an item of tier %d or more critical, or unknown",
									 p->ci_tier));
	if (p->data_integrity)
		text_list_add(&buf, p->data_integrity[0] == 't' ?
					  "touches data integrity" : "does not touch data integrity");
	if (p->security)
		text_list_add(&buf, p->security[0] == 't' ?
					  "touches security" : "does not touch security");
	return buf.len > 0 ? buf.data : pstrdup("any change");
}

/* A level of its own, which no change of the cache takes away. */
static List *
levels_copy(const List *levels)
{
	List	   *copies = NIL;
	ListCell   *lc;
	ListCell   *ls;

	foreach(lc, levels)
	{
		ApprovalLevel *level = palloc(sizeof(ApprovalLevel));

		*level = *(ApprovalLevel *) lfirst(lc);
		level->board = level->board ? pstrdup(level->board) : NULL;
		level->person = level->person ? pstrdup(level->person) : NULL;
		level->seats = NIL;
		foreach(ls, ((ApprovalLevel *) lfirst(lc))->seats)
			level->seats = lappend(level->seats, pstrdup(lfirst(ls)));
		copies = lappend(copies, level);
	}
	return copies;
}

List *
approval_policies(const ChangeModel *model, const ChangeRow *row)
{
	List	   *policies = NIL;
	ItemFacts	items = {0};
	List	   *matching = NIL;
	ListCell   *lc;

	/* where work begins at once, or is over, nobody is asked before it */
	if (model->first_status != STATUS_DRAFT)
		return NIL;
	if (model->levels != NIL && !model->pre_approved)
	{
		ApprovalPolicy *own = palloc0(sizeof(ApprovalPolicy));

		own->conditions = psprintf("model %s", model->key);
		own->levels = model->levels;
		policies = list_make1(own);
	}

	/* the items are read by a query, which may see that policies changed */
	foreach(lc, site_policy_list())
	{
		const SitePolicy *p = lfirst(lc);

		if (p->ci_tier > 0 || p->environment)
		{
			items_read(&items, row);
			break;
		}
	}
	foreach(lc, site_policy_list())
		if (policy_matches(lfirst(lc), model, row, &items))
			matching = lappend(matching, lfirst(lc));
	foreach(lc, matching)
	{
		const SitePolicy *p = lfirst(lc);
		ApprovalPolicy *policy = palloc0(sizeof(ApprovalPolicy));

		policy->name = pstrdup(p->name);
		policy->conditions = policy_conditions(p);
		policy->levels = levels_copy(p->levels);
		policies = lappend(policies, policy);
	}
	return policies;
}

/* Whether a is stricter than b. */
static bool
policy_is_stricter(const ApprovalPolicy *a, const ApprovalPolicy *b)
{
	if (a->asks != b->asks)
		return a->asks > b->asks;
	if (list_length(a->levels) != list_length(b->levels))
		return list_length(a->levels) > list_length(b->levels);
	if (a->name == NULL || b->name == NULL)
		return a->name != NULL;
	return strcmp(a->name, b->name) < 0;
}

const ApprovalPolicy *
approval_policy_strictest(const List *policies)
{
	const ApprovalPolicy *strictest = NULL;
	ListCell   *lc;

	foreach(lc, policies)
		if (strictest == NULL || policy_is_stricter(lfirst(lc), strictest))
			strictest = lfirst(lc);
	return strictest;
}

/* A model that is pre-approved has no place for the votes of a policy. */
static char *
check_policy_votes(const Transition *t)
{
	List	   *policies;
	StringInfoData names;
	ListCell   *lc;

	if (!t->model->pre_approved)
		return NULL;
	policies = approval_policies(t->model, t->row);
	if (policies == NIL)
		return NULL;
	initStringInfo(&names);
	foreach(lc, policies)
		text_list_add(&names, psprintf("\"%s\"",
									   ((ApprovalPolicy *) lfirst(lc))->name));
	return psprintf("polic%s %s ask%s for an approval, and model \"%s\" takes no votes",
					list_length(policies) == 1 ? "y" : "ies", names.data,
					list_length(policies) == 1 ? "s" : "", t->model->key);
}

/* ----------------------------------------------------------------
 * SQL
 * ---------------------------------------------------------------- */

/* approval_policy_of(change_id): the policies that match, the strictest first */
Datum
approval_policy_of(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ChangeRow	row;
	const ChangeModel *model;
	Tally		tally;
	List	   *left;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	change_find(&row, PG_GETARG_INT64(0), false);
	model = lifecycle_model(&row);
	tally_count(&tally, model, &row, 0);
	left = list_copy(tally.policies);
	while (left != NIL)
	{
		const ApprovalPolicy *policy = approval_policy_strictest(left);
		Datum		values[7];
		bool		isnull[7] = {false};
		StringInfoData words;
		ListCell   *lc;

		initStringInfo(&words);
		foreach(lc, policy->levels)
			appendStringInfo(&words, "%s%s", words.len > 0 ? "; then " : "",
							 level_words(lfirst(lc)));
		values[0] = CStringGetTextDatum(policy->name ? policy->name : model->key);
		values[1] = BoolGetDatum(policy->name == NULL);
		values[2] = BoolGetDatum(policy == tally.policy);
		values[3] = Int32GetDatum((int32) policy->asks);
		values[4] = Int32GetDatum(list_length(policy->levels));
		values[5] = CStringGetTextDatum(words.data);
		values[6] = CStringGetTextDatum(policy->conditions);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
		left = list_delete_ptr(left, unconstify(ApprovalPolicy *, policy));
	}
	SPI_finish();
	return (Datum) 0;
}

static void
policy_error(const char *name, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT),
			 errmsg("approval policy \"%s\": %s", name, problem),
			 errhint("docs/approval.md shows examples of changemgmt.set_approval_policy(name, levels, ...).")));
}

/* A model that the site has, and on whose changes people vote or could. */
static void
policy_check_model(const char *name, const char *key)
{
	bool		retired;
	const ChangeModel *model = model_latest_if_any(key, &retired);

	if (model == NULL)
		policy_error(name, psprintf(retired ? "model \"%s\" is retired" :
									"model \"%s\" does not exist", key));
	if (model->first_status != STATUS_DRAFT)
		policy_error(name, psprintf("a change of model \"%s\" begins as %s, and nobody votes on it",
									key, status_code(model->first_status)));
}

/*
 * set_approval_policy(name, levels, model, type, risk_level, environment,
 * ci_tier, touches_data_integrity, touches_security)
 */
Datum
set_approval_policy(PG_FUNCTION_ARGS)
{
	static KeptPlan policy = {
		"INSERT INTO changemgmt.approval_policy (name, model, type, risk_level,"
		" environment, ci_tier, touches_data_integrity, touches_security)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
		" ON CONFLICT (name) DO UPDATE SET model = excluded.model,"
		" type = excluded.type, risk_level = excluded.risk_level,"
		" environment = excluded.environment, ci_tier = excluded.ci_tier,"
		" touches_data_integrity = excluded.touches_data_integrity,"
		" touches_security = excluded.touches_security RETURNING id",
		8, {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, BOOLOID,
		BOOLOID}, NULL
	};
	static KeptPlan level = {
		"INSERT INTO changemgmt.approval_level (policy_id, level, rule, board,"
		" person_id, needed, percent, seats)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
		" ON CONFLICT (policy_id, level) DO UPDATE SET rule = excluded.rule,"
		" board = excluded.board, person_id = excluded.person_id,"
		" needed = excluded.needed, percent = excluded.percent,"
		" seats = excluded.seats",
		8, {INT8OID, INT4OID, TEXTOID, TEXTOID, INT8OID, INT4OID, INT4OID,
		TEXTARRAYOID}, NULL
	};
	static KeptPlan others = {
		"DELETE FROM changemgmt.approval_level"
		" WHERE policy_id OPERATOR(pg_catalog.=) $1"
		" AND level OPERATOR(pg_catalog.<>) ALL ($2)",
		2, {INT8OID, INT4ARRAYOID}, NULL
	};
	static const char *const lists[] = {"type", "risk_level", "environment"};
	char	   *name;
	List	   *levels;
	Datum		numbers[100];
	Datum		arguments[8];
	char		nulls[8];
	int64		id;
	bool		isnull;
	ListCell   *lc;

	name = PG_ARGISNULL(0) ? pstrdup("") :
		text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (name[strspn(name, " \t\r\n")] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("an approval policy has a name")));
	if (PG_ARGISNULL(1))
		policy_error(name, "the levels are null");
	levels = levels_read(psprintf("approval policy \"%s\"", name),
						 &PG_GETARG_JSONB_P(1)->root);
	SPI_connect();
	if (!PG_ARGISNULL(2))
		policy_check_model(name, text_to_cstring(PG_GETARG_TEXT_PP(2)));
	for (size_t i = 0; i < lengthof(lists); i++)
		if (!PG_ARGISNULL(i + 3))
			code_check(lists[i], PG_GETARG_DATUM(i + 3), lists[i]);
	if (!PG_ARGISNULL(6) && (PG_GETARG_INT32(6) < 1 || PG_GETARG_INT32(6) > 5))
		policy_error(name, "ci_tier is not a tier from 1 to 5");

	arguments[0] = PG_GETARG_DATUM(0);
	nulls[0] = ' ';
	for (int i = 1; i < 8; i++)
	{
		arguments[i] = PG_GETARG_DATUM(i + 1);
		nulls[i] = PG_ARGISNULL(i + 1) ? 'n' : ' ';
	}
	kept_plan_execute_input(&policy, arguments, nulls, 0);
	kept_plan_require_row(&policy, "the approval policy");
	id = DatumGetInt64(spi_first_value(1, &isnull));

	foreach(lc, levels)
	{
		const ApprovalLevel *l = lfirst(lc);
		ListCell   *ls;
		Datum	   *seats = palloc(list_length(l->seats) * sizeof(Datum) + 1);

		foreach(ls, l->seats)
			seats[foreach_current_index(ls)] = CStringGetTextDatum(lfirst(ls));
		memset(nulls, ' ', sizeof(nulls));
		arguments[0] = Int64GetDatum(id);
		arguments[1] = Int32GetDatum(l->level);
		numbers[foreach_current_index(lc)] = arguments[1];
		arguments[2] = CStringGetTextDatum(level_rule_name(l->rule));
		nulls[3] = l->board ? ' ' : 'n';
		if (l->board)
		{
			arguments[3] = CStringGetTextDatum(l->board);
			(void) DirectFunctionCall1(board_id, arguments[3]);
		}
		nulls[4] = l->person ? ' ' : 'n';
		if (l->person)
			arguments[4] = DirectFunctionCall1(person_id,
											   CStringGetTextDatum(l->person));
		arguments[5] = Int32GetDatum(l->needed);
		nulls[5] = l->needed ? ' ' : 'n';
		arguments[6] = Int32GetDatum(l->percent);
		nulls[6] = l->percent ? ' ' : 'n';
		arguments[7] = PointerGetDatum(construct_array(seats,
													   list_length(l->seats),
													   TEXTOID, -1, false,
													   TYPALIGN_INT));
		nulls[7] = l->seats ? ' ' : 'n';
		kept_plan_execute_input(&level, arguments, nulls, 0);
		kept_plan_require_row(&level, "a level of the approval policy");
	}
	arguments[0] = Int64GetDatum(id);
	arguments[1] = PointerGetDatum(construct_array(numbers, list_length(levels),
												   INT4OID, sizeof(int32), true,
												   TYPALIGN_INT));
	kept_plan_execute(&others, arguments, NULL, 0);
	SPI_finish();
	PG_RETURN_INT64(id);
}

/* remove_approval_policy(name) */
Datum
remove_approval_policy(PG_FUNCTION_ARGS)
{
	static KeptPlan lock = {
		"SELECT FROM changemgmt.approval_policy"
		" WHERE name OPERATOR(pg_catalog.=) $1 FOR UPDATE",
		1, {TEXTOID}, NULL
	};
	static KeptPlan levels = {
		"DELETE FROM changemgmt.approval_level AS l"
		" USING changemgmt.approval_policy AS p"
		" WHERE p.id OPERATOR(pg_catalog.=) l.policy_id"
		" AND p.name OPERATOR(pg_catalog.=) $1",
		1, {TEXTOID}, NULL
	};
	static KeptPlan policy = {
		"DELETE FROM changemgmt.approval_policy"
		" WHERE name OPERATOR(pg_catalog.=) $1",
		1, {TEXTOID}, NULL
	};
	Datum		name = PG_GETARG_DATUM(0);

	SPI_connect();
	kept_plan_execute(&lock, &name, NULL, 0);
	kept_plan_execute(&levels, &name, NULL, 0);
	kept_plan_execute(&policy, &name, NULL, 0);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("approval policy \"%s\" does not exist",
						TextDatumGetCString(name)),
				 errhint("The site's policies are in changemgmt.approval_policy.")));
	SPI_finish();
	PG_RETURN_BOOL(true);
}

static const Requirement policy_requirements[] = {
	{"policy_votes", "Where a policy of the site asks for an approval, the model takes votes.",
		"Use a model with an approval: changemgmt.edit_change(%lld, '{\"model\": ...}') in draft.",
	check_policy_votes, V(SUBMIT), 0},
};

void
approval_policy_init(void)
{
	requirements_register(policy_requirements, lengthof(policy_requirements));
	requirement_never_waive("policy_votes");
}
