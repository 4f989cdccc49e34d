/*-------------------------------------------------------------------------
 *
 * risk_model.c
 *	  Fitted models: kept as they are, switched on, asked.
 *
 * A row of risk_model never changes but for being active or not, and at most
 * one is.  The AFTER ROW trigger judges that, so an UPDATE by hand meets the
 * same rules as activate_risk_model().
 *
 * State: the model that a statement asks for is kept for that statement, with
 * the call (fn_extra).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "compat.h"
#include "errors.h"
#include "ledger.h"
#include "person.h"
#include "risk_model.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(risk_model_judge);
PG_FUNCTION_INFO_V1(activate_risk_model);
PG_FUNCTION_INFO_V1(deactivate_risk_model);
PG_FUNCTION_INFO_V1(risk_model_predict);

/* ----------------------------------------------------------------
 * The rules
 * ---------------------------------------------------------------- */

static Datum
model_value(HeapTuple tuple, TupleDesc desc, const char *column, bool *isnull)
{
	return heap_getattr(tuple, SPI_fnumber(desc, column), desc, isnull);
}

static double
model_number(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;
	Datum		value = model_value(tuple, desc, column, &isnull);

	return isnull ? get_float8_nan() : DatumGetFloat8(value);
}

static bool
model_is_active(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;

	return DatumGetBool(model_value(tuple, desc, "is_active", &isnull)) && !isnull;
}

/* Only what says whether it is used may change. */
static void
model_must_stay(HeapTuple old, HeapTuple new, TupleDesc desc)
{
	static const char *const may_change[] = {"is_active", "activated_by", "activated_at"};

	for (int i = 1; i <= desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i - 1);
		bool		old_isnull;
		bool		new_isnull;
		Datum		old_value;
		Datum		new_value;
		bool		may = att->attisdropped;

		for (size_t c = 0; c < lengthof(may_change); c++)
			may |= strcmp(NameStr(att->attname), may_change[c]) == 0;
		if (may)
			continue;
		old_value = heap_getattr(old, i, desc, &old_isnull);
		new_value = heap_getattr(new, i, desc, &new_isnull);
		if (old_isnull != new_isnull ||
			(!old_isnull && !datum_image_eq(old_value, new_value,
											att->attbyval, att->attlen)))
			ereport(ERROR,
					(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
					 errmsg("a fitted model never changes"),
					 errhint("changemgmt.fit_risk_model() makes the next version.")));
	}
}

/* It knows more than the base rate, about changes that it has not seen. */
static void
model_must_be_better(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	int			version = DatumGetInt32(model_value(tuple, desc, "version", &isnull));
	double		auc = model_number(tuple, desc, "auc");
	double		brier = model_number(tuple, desc, "brier");
	double		base_brier = model_number(tuple, desc, "base_brier");
	char	   *problem;

	/* Written so that NaN, which is null here, fails too. */
	if (auc > 0.5 && brier < base_brier)
		return;
	if (isnan(auc) || isnan(brier) || isnan(base_brier))
		problem = pstrdup("test: there are no changes after the split, of which some failed and some did not, to compare it with");
	else if (!(brier < base_brier))
		problem = psprintf("test: its Brier score after the split, %.6g, is not below that of the base rate, %.6g",
						   brier, base_brier);
	else
		problem = psprintf("test: its AUC after the split is %.4g: chance has 0.5", auc);
	ereport(ERROR,
			(errcode(ERRCODE_MC_REQUIREMENTS_UNMET), err_as_caller(),
			 errmsg("version %d of the risk model is not used: it does not beat the base rate out of time",
					version),
			 errdetail("%s", problem),
			 errhint("Fit another one, with other features or more history: changemgmt.fit_risk_model().")));
}

/* AFTER ROW trigger of risk_model. */
Datum
risk_model_judge(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "risk_model_judge",
										 FOR_ROW | AT_AFTER, "risk_model");
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
				 errmsg("fitted models are never deleted"),
				 errhint("changemgmt.deactivate_risk_model() takes the active one out of use.")));
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
	{
		model_must_stay(trigdata->tg_trigtuple, trigdata->tg_newtuple, desc);
		if (model_is_active(trigdata->tg_newtuple, desc) &&
			!model_is_active(trigdata->tg_trigtuple, desc))
			model_must_be_better(trigdata->tg_newtuple, desc);
	}
	else if (model_is_active(trigdata->tg_trigtuple, desc))
		model_must_be_better(trigdata->tg_trigtuple, desc);
	return PointerGetDatum(NULL);
}

/* Returns the version that was active; 0 where none was. */
static int
model_deactivate(void)
{
	static KeptPlan plan = {
		"UPDATE changemgmt.risk_model SET is_active = false, activated_by = NULL,"
		" activated_at = NULL WHERE is_active RETURNING version", 0, {0}, NULL
	};
	bool		isnull;
	Datum		version;

	kept_plan_execute(&plan, NULL, NULL, 0);
	version = spi_first_value(1, &isnull);
	return isnull ? 0 : DatumGetInt32(version);
}

/* activate_risk_model(version) */
Datum
activate_risk_model(PG_FUNCTION_ARGS)
{
	static KeptPlan look = {
		"SELECT is_active FROM changemgmt.risk_model"
		" WHERE version OPERATOR(pg_catalog.=) $1 FOR UPDATE",
		1, {INT4OID}, NULL
	};
	static KeptPlan activate = {
		"UPDATE changemgmt.risk_model SET is_active = true, activated_by = $2,"
		" activated_at = pg_catalog.now()"
		" WHERE version OPERATOR(pg_catalog.=) $1",
		2, {INT4OID, TEXTOID}, NULL
	};
	static KeptPlan lock = {
		"LOCK TABLE changemgmt.risk_model IN SHARE ROW EXCLUSIVE MODE", 0, {0}, NULL
	};
	Datum		arguments[2];
	bool		isnull;
	Datum		value;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("which version of the risk model?"),
				 errhint("SELECT version, auc, brier, base_brier FROM changemgmt.risk_model")));
	SPI_connect();
	/* two at once would meet in the index of the active one */
	kept_plan_execute(&lock, NULL, NULL, 0);
	arguments[0] = PG_GETARG_DATUM(0);
	arguments[1] = CStringGetTextDatum(actor_name());
	kept_plan_execute(&look, arguments, NULL, 0);
	value = spi_first_value(1, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("version %d of the risk model does not exist", PG_GETARG_INT32(0)),
				 errhint("SELECT version, auc, brier, base_brier FROM changemgmt.risk_model")));
	if (!DatumGetBool(value))
	{
		(void) model_deactivate();
		kept_plan_execute(&activate, arguments, NULL, 0);
		kept_plan_require_row(&activate, "the activation of a risk model");
	}
	SPI_finish();
	PG_RETURN_INT32(PG_GETARG_INT32(0));
}

/* deactivate_risk_model(): the version that was active, or null */
Datum
deactivate_risk_model(PG_FUNCTION_ARGS)
{
	int			version;

	SPI_connect();
	version = model_deactivate();
	SPI_finish();
	if (version == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(version);
}

/* ----------------------------------------------------------------
 * Asking
 * ---------------------------------------------------------------- */

/* What came in by COPY was not judged. */
static void
model_fill(RiskModel *model, ArrayType *names, ArrayType *coefficients)
{
	Datum	   *datums;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &datums, NULL,
					  &model->features);
	if (ARR_NDIM(coefficients) != 1 || ARR_HASNULL(coefficients) ||
		ARR_DIMS(coefficients)[0] != model->features + 1)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("version %d of the risk model has not one coefficient for each feature",
						model->version)));
	model->names = palloc((model->features + 1) * sizeof(char *));
	for (int i = 0; i < model->features; i++)
		model->names[i] = TextDatumGetCString(datums[i]);
	model->coefficients = (double *) ARR_DATA_PTR(coefficients);
}

RiskModel *
risk_model_read(int version)
{
	static KeptPlan by_version = {
		"SELECT version, features, coefficients, activated_at"
		" FROM changemgmt.risk_model WHERE version OPERATOR(pg_catalog.=) $1",
		1, {INT4OID}, NULL
	};
	static KeptPlan active = {
		"SELECT version, features, coefficients, activated_at"
		" FROM changemgmt.risk_model WHERE is_active",
		0, {0}, NULL
	};
	MemoryContext caller = CurrentMemoryContext;
	RiskModel  *model = NULL;
	Datum		argument = Int32GetDatum(version);
	bool		isnull;
	int			found;

	SPI_connect();
	if (version == 0)
		kept_plan_read(&active, NULL, NULL, 1);
	else
		kept_plan_read(&by_version, &argument, NULL, 1);
	found = DatumGetInt32(spi_first_value(1, &isnull));
	if (!isnull)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);

		model = palloc0(sizeof(RiskModel));
		model->version = found;
		model_fill(model, DatumGetArrayTypePCopy(spi_first_value(2, &isnull)),
				   DatumGetArrayTypePCopy(spi_first_value(3, &isnull)));
		model->activated_at = DatumGetTimestampTz(spi_first_value(4, &isnull));
		if (isnull)
			model->activated_at = DT_NOEND;
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return model;
}

/* The one value of a feature, as a number. */
static double
feature_number(const RiskModel *model, Jsonb *features, int feature)
{
	JsonbValue	value;
	const char *name = model->names[feature];
	double		number = get_float8_nan();

	if (getKeyJsonValueFromContainer(&features->root, name, strlen(name), &value) == NULL ||
		value.type == jbvNull)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("feature \"%s\" of version %d of the risk model is missing",
						name, model->version),
				 errhint("The model knows nothing about what is not known: give each of its features a value.")));
	if (value.type == jbvNumeric)
		number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
													NumericGetDatum(value.val.numeric)));
	else if (value.type == jbvBool)
		number = value.val.boolean;
	if (!isfinite(number))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("feature \"%s\" is not a number that a model can take", name),
				 errhint("It is a number or true or false.")));
	return number;
}

double
risk_model_probability(const RiskModel *model, Jsonb *features)
{
	double		predictor = model->coefficients[0];

	if (!JB_ROOT_IS_OBJECT(features))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("features are a JSON object of numbers and booleans")));
	for (int i = 0; i < model->features; i++)
		predictor += model->coefficients[i + 1] * feature_number(model, features, i);
	if (isnan(predictor))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("the features are out of range of version %d of the risk model",
						model->version)));
	return 1 / (1 + exp(-predictor));
}

/*
 * risk_model_predict(version, features): null where version is null and no
 * model is active
 */
Datum
risk_model_predict(PG_FUNCTION_ARGS)
{
	RiskModel  *model = fcinfo->flinfo->fn_extra;
	int			version = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0);

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(0) && version < 1)
		model = NULL;
	else if (model == NULL || (version != 0 && model->version != version))
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		model = risk_model_read(version);
		MemoryContextSwitchTo(old);
		/* a call where the version varies asks for each */
		if (fcinfo->flinfo->fn_extra == NULL && get_fn_expr_arg_stable(fcinfo->flinfo, 0))
			fcinfo->flinfo->fn_extra = model;
	}
	if (model == NULL && PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (model == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("version %d of the risk model does not exist", version),
				 errhint("SELECT version, auc, brier, base_brier FROM changemgmt.risk_model")));
	PG_RETURN_FLOAT8(risk_model_probability(model, PG_GETARG_JSONB_P(1)));
}
