/*-------------------------------------------------------------------------
 *
 * risk_site.c
 *	  What a site sets of the factors, and factors of its own.
 *
 * A site's factor is a function (change_id bigint) RETURNS numeric from 0 to 1.
 * It runs as whoever registered it, read-only.  One that throws, returns null
 * or no such number, or was dropped is left out, and the explanation says so:
 * it never stands in the way of a change.
 *
 * State: the cached rows of site_risk_factor; whether one is being asked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "compat.h"
#include "errors.h"
#include "risk.h"
#include "site_function.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(shipped_risk_factors);
PG_FUNCTION_INFO_V1(site_risk_factor_check);
PG_FUNCTION_INFO_V1(site_risk_factor_sum);

static const SiteFunctionUse factor_use = {
	.noun = "risk factor",
	.result = NUMERICOID,
	.detail = "A risk factor is a STABLE or IMMUTABLE function (change_id bigint) RETURNS numeric that returns a number from 0 (no risk) to 1."
};

static CachedTable factor_table = {.relation = "site_risk_factor"};
static MemoryContext site_context = NULL;
static List *cached_factors = NIL;

/*
 * A factor may look at the score of a change, also of its own, but not at what
 * the site's factors say of it: two such would ask each other without end.
 */
static bool is_asking = false;

static const RiskFactor *
shipped_factor(const char *name)
{
	for (int i = 0; i < risk_factor_count; i++)
		if (strcmp(risk_factors[i].name, name) == 0)
			return &risk_factors[i];
	return NULL;
}

/* In thousandths; false for what is no weight. */
static bool
weight_read(Datum value, int64 *weight)
{
	Datum		scaled;

	if (numeric_is_nan(DatumGetNumeric(value)) ||
		numeric_is_inf(DatumGetNumeric(value)))
		return false;
	scaled = DirectFunctionCall2(numeric_mul, value,
								 NumericGetDatum(int64_to_numeric(RISK_WEIGHT_UNIT)));
	if (DatumGetBool(DirectFunctionCall2(numeric_lt, scaled,
										 NumericGetDatum(int64_to_numeric(0)))) ||
		DatumGetBool(DirectFunctionCall2(numeric_gt, scaled,
										 NumericGetDatum(int64_to_numeric(RISK_WEIGHT_MAX)))))
		return false;
	*weight = DatumGetInt64(DirectFunctionCall1(numeric_int8, scaled));
	return true;
}

static void
site_factors_read(void)
{
	static KeptPlan all = {
		"SELECT name, weight, is_on, function, registered_by"
		" FROM changemgmt.site_risk_factor ORDER BY name",
		0, {0}, NULL
	};
	MemoryContext context;
	MemoryContext old;
	List	   *list = NIL;

	SPI_connect();
	cached_table_begin(&factor_table);
	kept_plan_execute(&all, NULL, NULL, 0);
	context = AllocSetContextCreate(CurrentMemoryContext,
									"changemgmt risk factors",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		SiteFactor *factor = palloc0(sizeof(SiteFactor));
		Datum		weight;
		bool		isnull;

		factor->name = SPI_getvalue(tuple, desc, 1);
		weight = SPI_getbinval(tuple, desc, 2, &isnull);
		/* what history brought and is no weight counts as none given */
		if (isnull || !weight_read(weight, &factor->weight))
			factor->weight = -1;
		factor->is_on = DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull));
		factor->function = SPI_getvalue(tuple, desc, 4);
		factor->registered_by = SPI_getvalue(tuple, desc, 5);
		list = lappend(list, factor);
	}
	MemoryContextSwitchTo(old);
	if (site_context)
		MemoryContextDelete(site_context);
	MemoryContextSetParent(context, TopMemoryContext);
	site_context = context;
	cached_factors = list;
	cached_table_done(&factor_table);
	SPI_finish();
}

/* A copy, as a site's function may do anything to the cache. */
List *
site_factors(void)
{
	List	   *copies = NIL;
	ListCell   *lc;

	if (!factor_table.is_current)
		site_factors_read();
	foreach(lc, cached_factors)
	{
		const SiteFactor *factor = lfirst(lc);
		SiteFactor *copy = palloc(sizeof(SiteFactor));

		copy->name = pstrdup(factor->name);
		copy->weight = factor->weight;
		copy->is_on = factor->is_on;
		copy->function = factor->function ? pstrdup(factor->function) : NULL;
		copy->registered_by = factor->registered_by ?
			pstrdup(factor->registered_by) : NULL;
		copies = lappend(copies, copy);
	}
	return copies;
}

/* The value of a factor, rounded up to hundredths; -1: it is none. */
static int
value_read(Datum answer)
{
	Numeric		number = DatumGetNumeric(answer);
	Datum		scaled;

	if (numeric_is_nan(number) || numeric_is_inf(number))
		return -1;
	if (DatumGetBool(DirectFunctionCall2(numeric_lt, answer,
										 NumericGetDatum(int64_to_numeric(0)))) ||
		DatumGetBool(DirectFunctionCall2(numeric_gt, answer,
										 NumericGetDatum(int64_to_numeric(1)))))
		return -1;
	scaled = DirectFunctionCall2(numeric_mul, answer,
								 NumericGetDatum(int64_to_numeric(RISK_VALUE_MAX)));
	return DatumGetInt32(DirectFunctionCall1(numeric_int4,
											 DirectFunctionCall1(numeric_ceil, scaled)));
}

bool
site_factor_assess(const SiteFactor *factor, RiskInput *input,
				   RiskFinding *finding)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorContextCallback *error_contexts = error_context_stack;
	char	   *volatile problem = NULL;
	volatile int value = -1;

	if (is_asking)
	{
		finding->is_known = false;
		finding->sentence = pstrdup("left out: a site's factor asks for this score");
		return false;
	}
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		Datum		answer;
		bool		isnull;

		is_asking = true;
		problem = site_function_ask(&factor_use, factor->function,
									factor->registered_by,
									change_id_of(input->row), &answer, &isnull);
		is_asking = false;
		if (problem == NULL && isnull)
			problem = "it returned null";
		else if (problem == NULL)
		{
			value = value_read(answer);
			if (value < 0)
				problem = psprintf("it returned %s, which is not from 0 to 1",
								   DatumGetCString(DirectFunctionCall1(numeric_out,
																	   answer)));
		}
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		is_asking = false;
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		error_context_stack = error_contexts;
		/* who cancels means the whole statement */
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
			error->sqlerrcode == ERRCODE_OUT_OF_MEMORY ||
			ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
			ReThrowError(error);
		problem = psprintf("it failed: %s", error->message);
	}
	PG_END_TRY();

	finding->is_known = problem == NULL;
	finding->value = problem ? 0 : value;
	finding->sentence = problem ?
		psprintf("left out, the score stands without it: %s", problem) :
		psprintf("%s says %d of 100", factor->function, value);
	return problem == NULL;
}

/* BEFORE trigger of site_risk_factor: a sound weight, a sound function. */
Datum
site_risk_factor_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "site_risk_factor_check",
										 FOR_ROW | AT_BEFORE, "site_risk_factor");
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	HeapTuple	tuple = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;
	char	   *name;
	char	   *function;
	Datum		value;
	int64		weight;
	bool		isnull;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(tuple);
	name = SPI_getvalue(tuple, desc, SPI_fnumber(desc, "name"));
	function = SPI_getvalue(tuple, desc, SPI_fnumber(desc, "function"));
	if (name == NULL)
		return PointerGetDatum(tuple);	/* NOT NULL refuses it */
	value = SPI_getbinval(tuple, desc, SPI_fnumber(desc, "weight"), &isnull);
	if (!isnull && !weight_read(value, &weight))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("the weight of risk factor \"%s\" cannot be %s", name,
						DatumGetCString(DirectFunctionCall1(numeric_out, value))),
				 errhint("Give a number from 0 to 1000000.")));
	if (shipped_factor(name))
	{
		if (function)
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
					 errmsg("risk factor \"%s\" is one of the extension's own",
							name),
					 errhint("Choose another name, and switch this one off with changemgmt.set_risk_factor(%s, is_on => false).",
							 quote_literal_cstr(name))));
	}
	else if (function == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("there is no risk factor \"%s\"", name),
				 errhint("The view changemgmt.risk_factor lists them; changemgmt.register_risk_factor() makes one of a function.")));
	else if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("risk factor \"%s\" has no weight", name),
				 errhint("Give a number from 0 to 1000000; what ships weighs 100 together.")));
	return PointerGetDatum(site_function_stamp(&factor_use, trigdata, tuple));
}

/* AFTER trigger of site_risk_factor: something has to be left that weighs. */
Datum
site_risk_factor_sum(PG_FUNCTION_ARGS)
{
	static KeptPlan all = {
		"SELECT name, weight, is_on FROM changemgmt.site_risk_factor",
		0, {0}, NULL
	};
	TriggerData *trigdata = trigger_data(fcinfo, "site_risk_factor_sum",
										 FOR_ROW | AT_AFTER, "site_risk_factor");
	int64		sum = 0;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	for (int i = 0; i < risk_factor_count; i++)
		sum += risk_factors[i].weight * RISK_WEIGHT_UNIT;
	SPI_connect();
	kept_plan_execute(&all, NULL, NULL, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		const RiskFactor *shipped = shipped_factor(SPI_getvalue(tuple, desc, 1));
		bool		isnull;
		Datum		value = SPI_getbinval(tuple, desc, 2, &isnull);
		int64		weight = 0;

		if (shipped)
			sum -= shipped->weight * RISK_WEIGHT_UNIT;
		if (isnull || !weight_read(value, &weight))
			weight = shipped ? shipped->weight * RISK_WEIGHT_UNIT : 0;
		if (DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull)))
			sum += weight;
	}
	SPI_finish();
	if (sum <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("the weights of all risk factors together would be 0"),
				 errhint("Leave one of them on, with a weight.")));
	return PointerGetDatum(NULL);
}

Datum
shipped_risk_factors(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < risk_factor_count; i++)
	{
		Datum		values[4];
		bool		isnull[4] = {false};

		values[0] = Int32GetDatum(i + 1);
		values[1] = CStringGetTextDatum(risk_factors[i].name);
		values[2] = NumericGetDatum(int64_to_numeric(risk_factors[i].weight));
		values[3] = CStringGetTextDatum(risk_factors[i].description);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	return (Datum) 0;
}
