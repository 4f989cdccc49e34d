/*-------------------------------------------------------------------------
 *
 * risk_fit.c
 *	  fit_risk_model: a logistic regression that runs in the database.
 *
 * Newton's method (iteratively reweighted least squares): each round is one
 * aggregate over the rows (risk_round.c), run through SPI as whoever calls,
 * with the snapshot of the calling statement; risk_newton.c takes the steps in
 * between.  Only the result is written as the owner of the tables.
 *
 * Features are standardised for the rounds (mean 0, deviation 1), so that the
 * ridge treats them alike and the information is a matrix of correlations
 * where the fit begins; what is stored is in the features' own units.  The
 * criterion is the deviance plus ridge times the sum of the squared
 * standardised coefficients, without the intercept.
 *
 * What has no answer is refused with a word for it: see risk_fit_refuse().  There
 * is no state between calls.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "parser/scansup.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "compat.h"
#include "errors.h"
#include "person.h"
#include "risk_fit.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(fit_risk_model);

#define FEWEST_FAILURES 10

/* What is wrong, and what helps. */
void
risk_fit_refuse(char *problem, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT),
			 errmsg("%s", problem), errhint("%s", hint)));
}

/* ----------------------------------------------------------------
 * Where the rows come from
 * ---------------------------------------------------------------- */

/* Whether a text begins with this word. */
static bool
begins_with(const char *text, const char *word)
{
	size_t		length = strlen(word);

	return pg_strncasecmp(text, word, length) == 0 &&
		(text[length] == '\0' || text[length] == '(' ||
		 scanner_isspace(text[length]));
}

/* A query in parentheses, or the name of a table or view. */
static void
fit_read_source(RiskFit *fit)
{
	const char *text = fit->source;

	while (scanner_isspace(*text))
		text++;
	if (*text == '(' || begins_with(text, "SELECT") || begins_with(text, "WITH") ||
		begins_with(text, "VALUES") || begins_with(text, "TABLE"))
	{
		List	   *statements = raw_parser(text, RAW_PARSE_DEFAULT);
		RawStmt    *statement = list_length(statements) == 1 ?
			linitial_node(RawStmt, statements) : NULL;

		if (statement == NULL || !IsA(statement->stmt, SelectStmt) ||
			((SelectStmt *) statement->stmt)->intoClause != NULL)
			risk_fit_refuse(pstrdup("the source is not one query"),
					   "Give the name of a table or view, or one SELECT.");
		fit->from = psprintf("(%s\n)", statement->stmt_len == 0 ?
							 text + statement->stmt_location :
							 pnstrdup(text + statement->stmt_location,
									  statement->stmt_len));
	}
	else
	{
		List	   *names;
		Oid			relid = InvalidOid;

		if (SplitIdentifierString(pstrdup(text), '.', &names) &&
			(list_length(names) == 1 || list_length(names) == 2))
			relid = RangeVarGetRelid(makeRangeVar(list_length(names) == 2 ? linitial(names) : NULL,
												  llast(names), -1),
									 NoLock, true);
		if (!OidIsValid(relid))
			risk_fit_refuse(psprintf("relation \"%s\" does not exist", fit->source),
					   "Give the name of a table or view, or one SELECT.");
		fit->from = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
											   get_rel_name(relid));
	}
}

static SPIPlanPtr
fit_prepare(const char *sql, int nargs, Oid *types)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(sql, nargs, types, CURSOR_OPT_PARALLEL_OK);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s: %s",
			 SPI_result_code_string(SPI_result), sql);
	return plan;
}

/* As the caller, with the snapshot of the calling statement. */
static void
fit_execute(SPIPlanPtr plan, Datum *values)
{
	int			result = SPI_execute_plan(plan, values, NULL, true, 0);

	if (result != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
}

/* A column of the source: its type without its domain. */
static Oid
column_type(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			return getBaseType(TupleDescAttr(desc, i)->atttypid);
	risk_fit_refuse(psprintf("the source has no column \"%s\"", name),
			   "Features, outcome and time are named as the columns of the source are.");
}

/* A column as a number; NULL where it is none. */
static char *
column_number(Oid type, const char *name)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return psprintf("s.%s::pg_catalog.float8", quote_identifier(name));
		case BOOLOID:
			return psprintf("s.%s::pg_catalog.int4::pg_catalog.float8",
							quote_identifier(name));
	}
	return NULL;
}

/* The columns that are named are there and can be used; how they are written. */
static void
fit_read_columns(RiskFit *fit)
{
	SPIPlanPtr	plan = fit_prepare(psprintf("SELECT s.* FROM %s AS s", fit->from), 0, NULL);
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));
	TupleDesc	desc = source->resultDesc;
	StringInfoData columns;
	Oid			type;

	initStringInfo(&columns);
	for (int i = 0; i < fit->features; i++)
	{
		char	   *column = column_number(column_type(desc, fit->names[i]), fit->names[i]);

		for (int j = 0; j < i; j++)
			if (strcmp(fit->names[j], fit->names[i]) == 0)
				risk_fit_refuse(psprintf("feature \"%s\" is named twice", fit->names[i]),
						   "Name each feature once.");
		if (strcmp(fit->names[i], fit->outcome) == 0)
			risk_fit_refuse(psprintf("feature \"%s\" is the outcome", fit->names[i]),
					   "A feature is what is known before the outcome is.");
		if (column == NULL)
			risk_fit_refuse(psprintf("feature \"%s\" is neither a number nor a boolean", fit->names[i]),
					   "Turn words into numbers first: one boolean for each word but one.");
		appendStringInfo(&columns, ", %s", column);
	}
	fit->columns = columns.data;
	if (column_type(desc, fit->outcome) != BOOLOID)
		risk_fit_refuse(psprintf("the outcome \"%s\" is not a boolean", fit->outcome),
				   "It is true for what failed, false for what did not, null for what is not known yet.");
	fit->outcome_column = psprintf("s.%s", quote_identifier(fit->outcome));
	if (fit->at)
	{
		type = column_type(desc, fit->at);
		if (type != TIMESTAMPTZOID && type != TIMESTAMPOID && type != DATEOID)
			risk_fit_refuse(psprintf("\"%s\" is not a time", fit->at),
					   "It is a timestamptz, timestamp or date.");
		fit->at_column = psprintf("s.%s::pg_catalog.timestamptz", quote_identifier(fit->at));
	}
	if (fit->against)
	{
		fit->against_column = column_number(column_type(desc, fit->against), fit->against);
		if (fit->against_column == NULL)
			risk_fit_refuse(psprintf("\"%s\" is not a number", fit->against),
					   "It is a score that the model is compared with.");
	}
}

/* Where the later part begins: as said, or where three quarters are before. */
static void
fit_read_times(RiskFit *fit)
{
	bool		isnull;
	Datum		value;

	if (fit->at == NULL)
		return;
	fit_execute(fit_prepare(psprintf("SELECT pg_catalog.count(*) FILTER (WHERE %s IS NULL),"
									 " pg_catalog.min(%s), pg_catalog.max(%s),"
									 " pg_catalog.percentile_disc(0.75) WITHIN GROUP (ORDER BY %s)"
									 " FROM %s AS s WHERE %s IS NOT NULL",
									 fit->at_column, fit->at_column, fit->at_column,
									 fit->at_column, fit->from, fit->outcome_column),
							0, NULL), NULL);
	if (DatumGetInt64(spi_first_value(1, &isnull)) > 0)
		risk_fit_refuse(psprintf("\"%s\" is null in some rows", fit->at),
				   "Leave out rows whose time is not known: a split by time can't place them.");
	value = spi_first_value(2, &isnull);
	if (isnull)
		return;
	fit->trained_from = DatumGetTimestampTz(value);
	fit->tested_until = DatumGetTimestampTz(spi_first_value(3, &isnull));
	if (!fit->has_split)
		fit->split = DatumGetTimestampTz(spi_first_value(4, &isnull));
	fit->has_split = true;
}

/* A query over one part of the rows that have an outcome; $1 is the model. */
SPIPlanPtr
risk_fit_prepare(RiskFit *fit, const char *select, const char *comparison)
{
	Oid			types[3] = {FLOAT8ARRAYOID, TIMESTAMPTZOID, FLOAT8OID};
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s AS s WHERE %s IS NOT NULL",
					 select, fit->from, fit->outcome_column);
	if (fit->at)
		appendStringInfo(&sql, " AND %s OPERATOR(pg_catalog.%s) $2",
						 fit->at_column, comparison);
	return fit_prepare(sql.data, 3, types);
}

static ArrayType *
numbers_array(const double *numbers, int count)
{
	Datum	   *datums = palloc(count * sizeof(Datum));
	bool	   *nulls = palloc(count * sizeof(bool));
	int			dims[1] = {count};
	int			bounds[1] = {1};

	for (int i = 0; i < count; i++)
	{
		datums[i] = Float8GetDatum(numbers[i]);
		nulls[i] = isnan(numbers[i]);
	}
	return construct_md_array(datums, nulls, 1, dims, bounds, FLOAT8OID,
							  sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

void
risk_fit_execute(RiskFit *fit, SPIPlanPtr plan)
{
	Datum		values[3];

	CHECK_FOR_INTERRUPTS();
	values[0] = PointerGetDatum(numbers_array(fit->model, MODEL_LENGTH(fit->features)));
	values[1] = TimestampTzGetDatum(fit->split);
	values[2] = Float8GetDatum(fit->rows > 0 ? fit->failures / fit->rows : 0);
	fit_execute(plan, values);
}

/*
 * What an aggregate of ours gave, in the caller's memory; NULL for no rows.
 * The aggregates are ours, so the array is as long as it should be.
 */
double *
risk_fit_numbers(int length)
{
	bool		isnull;
	Datum		value = spi_first_value(1, &isnull);
	double	   *numbers = NULL;

	if (!isnull)
	{
		ArrayType  *array = DatumGetArrayTypeP(value);

		if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != length || ARR_HASNULL(array))
			elog(ERROR, "a round gave an array of another length");
		numbers = palloc(length * sizeof(double));
		memcpy(numbers, ARR_DATA_PTR(array), length * sizeof(double));
	}
	SPI_freetuptable(SPI_tuptable);
	return numbers;
}

/* ----------------------------------------------------------------
 * Before the first round
 * ---------------------------------------------------------------- */

/* The features of one part: every value there and finite.  NULL for no rows. */
static double *
fit_summary(RiskFit *fit, const char *comparison, const char *part)
{
	double	   *summary;

	risk_fit_execute(fit, risk_fit_prepare(fit,
										   psprintf("changemgmt.risk_fit_summary(%s%s)",
													fit->outcome_column, fit->columns),
										   comparison));
	summary = risk_fit_numbers(SUMMARY_LENGTH(fit->features));
	for (int i = 0; summary && i < fit->features; i++)
	{
		double	   *f = summary + SUMMARY_FEATURE(i);

		if (f[FEATURE_NULLS] > 0)
			risk_fit_refuse(psprintf("feature \"%s\" is null in %.0f of %.0f rows%s",
								fit->names[i], f[FEATURE_NULLS], summary[SUMMARY_ROWS], part),
					   "Leave such rows out, or give what is not known a value, and a boolean feature that says so.");
		if (f[FEATURE_INFINITE] > 0)
			risk_fit_refuse(psprintf("feature \"%s\" is NaN or infinite in %.0f of %.0f rows%s",
								fit->names[i], f[FEATURE_INFINITE], summary[SUMMARY_ROWS], part),
					   "Leave such rows out, or give them a value.");
	}
	return summary;
}

static void
fit_begin(RiskFit *fit)
{
	double	   *summary = fit_summary(fit, "<", fit->at ? " before the split" : "");
	double		fewer;
	double		least = Max(FEWEST_FAILURES, fit->features);

	if (summary == NULL)
		risk_fit_refuse(psprintf("there is no row with an outcome to learn from%s",
							fit->at ? " before the split" : ""),
				   "The outcome is null in all of them, or the source is empty, or the split too early.");
	fit->rows = summary[SUMMARY_ROWS];
	fit->failures = summary[SUMMARY_FAILURES];
	fewer = Min(fit->failures, fit->rows - fit->failures);
	if (fewer == 0)
		risk_fit_refuse(psprintf("%s of %.0f rows failed", fit->failures == 0 ? "none" : "all",
							fit->rows),
				   "There is nothing to tell apart.");
	if (fewer < least)
		risk_fit_refuse(psprintf("%.0f of %.0f rows failed: %.0f of either kind are too few for %d features",
							fit->failures, fit->rows, fewer, fit->features),
				   psprintf("At least %.0f are needed; ten for each feature are a good number. Take fewer features or a longer time.",
							least));

	fit->mean = palloc(fit->features * sizeof(double));
	fit->deviation = palloc(fit->features * sizeof(double));
	for (int i = 0; i < fit->features; i++)
	{
		double	   *f = summary + SUMMARY_FEATURE(i);
		double		deviation = sqrt(f[FEATURE_SQUARES] / fit->rows);

		if (!isfinite(deviation) || !isfinite(f[FEATURE_MEAN]))
			risk_fit_refuse(psprintf("the values of feature \"%s\" are too large", fit->names[i]),
					   "Take its logarithm, or another unit.");
		/* a deviation of rounding errors only is none */
		if (f[FEATURE_LEAST] == f[FEATURE_GREATEST] ||
			!(deviation > 1e-13 * fabs(f[FEATURE_MEAN])) || !isfinite(1 / deviation))
			risk_fit_refuse(psprintf("feature \"%s\" is the same in all rows%s: %g",
								fit->names[i], fit->at ? " before the split" : "",
								f[FEATURE_LEAST]),
					   "Leave it out: it tells nothing.");
		fit->mean[i] = f[FEATURE_MEAN];
		fit->deviation[i] = deviation;
		fit->model[fit->features + 1 + i] = f[FEATURE_MEAN];
		fit->model[2 * fit->features + 1 + i] = 1 / deviation;
	}
	fit->model[0] = log(fit->failures / (fit->rows - fit->failures));
	fit->null_deviance = -2 * (fit->failures * log(fit->failures / fit->rows) +
							   (fit->rows - fit->failures) *
							   log1p(-fit->failures / fit->rows));
}

/* ----------------------------------------------------------------
 * The later part
 * ---------------------------------------------------------------- */

static double
first_number(int column)
{
	bool		isnull;
	Datum		value = spi_first_value(column, &isnull);

	return isnull ? get_float8_nan() : DatumGetFloat8(value);
}

/* What the model says of rows that it has not seen, and what happened. */
static void
fit_test(RiskFit *fit)
{
	double	   *summary;
	char	   *probability;
	char	   *rows;
	bool		isnull;
	Datum		value;
	Oid			types[3] = {FLOAT8ARRAYOID, TIMESTAMPTZOID, FLOAT8OID};

	fit->auc = fit->brier = fit->base_brier = fit->against_auc = get_float8_nan();
	if (fit->at == NULL ||
		(summary = fit_summary(fit, ">=", " from the split on")) == NULL)
		return;
	fit->test_rows = summary[SUMMARY_ROWS];
	fit->test_failures = summary[SUMMARY_FAILURES];
	probability = psprintf("changemgmt.risk_fit_probability($1%s)", fit->columns);

	risk_fit_execute(fit, risk_fit_prepare(fit, psprintf(
		"changemgmt.auc(%s, %s), changemgmt.brier(%s, %s), changemgmt.brier($3, %s), changemgmt.auc(%s, %s)",
		probability, fit->outcome_column, probability, fit->outcome_column,
		fit->outcome_column,
		fit->against ? fit->against_column : "NULL::pg_catalog.float8",
		fit->outcome_column), ">="));
	fit->auc = first_number(1);
	fit->brier = first_number(2);
	fit->base_brier = first_number(3);
	fit->against_auc = first_number(4);

	/* rows of the same probability stay in the same tenth */
	rows = psprintf("SELECT %s AS p, %s AS f FROM %s AS s WHERE %s IS NOT NULL"
					" AND %s OPERATOR(pg_catalog.>=) $2",
					probability, fit->outcome_column, fit->from,
					fit->outcome_column, fit->at_column);
	risk_fit_execute(fit, fit_prepare(psprintf(
		"SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object("
		"  'decile', t.decile, 'changes', t.changes, 'failed', t.failed,"
		"  'predicted', t.predicted, 'lowest', t.lowest, 'highest', t.highest)"
		"  ORDER BY t.decile)"
		" FROM (SELECT d.decile, pg_catalog.count(*) AS changes,"
		"   pg_catalog.count(*) FILTER (WHERE d.f) AS failed,"
		"   pg_catalog.avg(d.p) AS predicted, pg_catalog.min(d.p) AS lowest,"
		"   pg_catalog.max(d.p) AS highest"
		"  FROM (SELECT r.p, r.f, 1 OPERATOR(pg_catalog.+)"
		"     ((10 OPERATOR(pg_catalog.*)"
		"       (pg_catalog.rank() OVER (ORDER BY r.p) OPERATOR(pg_catalog.-) 1))"
		"      OPERATOR(pg_catalog./) pg_catalog.count(*) OVER ()) AS decile"
		"   FROM (%s) AS r"
		"   WHERE $3 IS NOT NULL) AS d"
		"  GROUP BY d.decile) AS t", rows), 3, types));
	value = spi_first_value(1, &isnull);
	if (!isnull)
		fit->calibration = DatumGetJsonbPCopy(value);
}

/* ----------------------------------------------------------------
 * The result
 * ---------------------------------------------------------------- */

/* Returns the version. */
static int
fit_store(RiskFit *fit)
{
	/* one after the other, so that versions are counted without gaps */
	static KeptPlan lock = {
		"LOCK TABLE changemgmt.risk_model IN SHARE ROW EXCLUSIVE MODE", 0, {0}, NULL
	};
	static KeptPlan insert = {
		"INSERT INTO changemgmt.risk_model (version, source, features, outcome,"
		" at_column, split_at, trained_from, tested_until, against, rounds, ridge,"
		" trained_rows, trained_failures, tested_rows, tested_failures, deviance,"
		" null_deviance, log_likelihood, auc, brier, base_brier, against_auc,"
		" coefficients, standard_errors, means, deviations, calibration, fitted_by)"
		" SELECT COALESCE(pg_catalog.max(m.version), 0) OPERATOR(pg_catalog.+) 1,"
		" $1[1], $2, $1[2], $1[3], $3, $4, $5, $1[4], $6[1]::pg_catalog.int4, $6[2],"
		" $6[3]::pg_catalog.int8, $6[4]::pg_catalog.int8, $6[5]::pg_catalog.int8,"
		" $6[6]::pg_catalog.int8, $6[7], $6[8], $6[9], $6[10], $6[11], $6[12], $6[13],"
		" $7, $8, $9, $10, $11, $12"
		" FROM changemgmt.risk_model AS m RETURNING version",
		12, {TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
			FLOAT8ARRAYOID, FLOAT8ARRAYOID, FLOAT8ARRAYOID, FLOAT8ARRAYOID,
		FLOAT8ARRAYOID, JSONBOID, TEXTOID}, NULL
	};
	int			size = fit->features + 1;
	Datum		texts[4];
	bool		text_nulls[4];
	Datum	   *names = palloc(fit->features * sizeof(Datum));
	int			four = 4;
	int			one = 1;
	double		nan = get_float8_nan();
	double		figures[13] = {
		fit->rounds, fit->ridge, fit->rows, fit->failures,
		fit->at ? fit->test_rows : nan, fit->at ? fit->test_failures : nan,
		fit->round[ROUND_DEVIANCE], fit->null_deviance,
		-fit->round[ROUND_DEVIANCE] / 2,
		fit->auc, fit->brier, fit->base_brier, fit->against_auc
	};
	const char *given[4] = {fit->source, fit->outcome, fit->at, fit->against};
	Datum		values[12];
	char		nulls[13] = "            ";
	bool		isnull;

	for (int i = 0; i < 4; i++)
	{
		text_nulls[i] = given[i] == NULL;
		texts[i] = given[i] ? CStringGetTextDatum(given[i]) : (Datum) 0;
	}
	for (int i = 0; i < fit->features; i++)
		names[i] = CStringGetTextDatum(fit->names[i]);
	values[0] = PointerGetDatum(construct_md_array(texts, text_nulls, 1, &four, &one,
												   TEXTOID, -1, false, TYPALIGN_INT));
	values[1] = PointerGetDatum(construct_array(names, fit->features, TEXTOID, -1,
												false, TYPALIGN_INT));
	values[2] = TimestampTzGetDatum(fit->split);
	values[3] = TimestampTzGetDatum(fit->trained_from);
	values[4] = TimestampTzGetDatum(fit->tested_until);
	for (int i = 2; i <= 4; i++)
		nulls[i] = fit->at ? ' ' : 'n';
	values[5] = PointerGetDatum(numbers_array(figures, lengthof(figures)));
	values[6] = PointerGetDatum(numbers_array(fit->coefficients, size));
	values[7] = PointerGetDatum(numbers_array(fit->errors, size));
	values[8] = PointerGetDatum(numbers_array(fit->mean, fit->features));
	values[9] = PointerGetDatum(numbers_array(fit->deviation, fit->features));
	values[10] = fit->calibration ? JsonbPGetDatum(fit->calibration) : (Datum) 0;
	nulls[10] = fit->calibration ? ' ' : 'n';
	values[11] = CStringGetTextDatum(actor_name());

	kept_plan_execute(&lock, NULL, NULL, 0);
	kept_plan_execute(&insert, values, nulls, 0);
	kept_plan_require_row(&insert, "the model");
	return DatumGetInt32(spi_first_value(1, &isnull));
}

static char *
argument_text(FunctionCallInfo fcinfo, int argument)
{
	char	   *given;

	if (PG_ARGISNULL(argument))
		return NULL;
	given = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	return given[0] ? given : NULL;
}

static void
fit_read_arguments(FunctionCallInfo fcinfo, RiskFit *fit)
{
	Datum	   *names;
	bool	   *nulls;

	fit->source = argument_text(fcinfo, 0);
	fit->outcome = argument_text(fcinfo, 2);
	fit->at = argument_text(fcinfo, 3);
	fit->has_split = !PG_ARGISNULL(4);
	if (fit->has_split)
		fit->split = PG_GETARG_TIMESTAMPTZ(4);
	fit->ridge = PG_ARGISNULL(5) ? 0 : PG_GETARG_FLOAT8(5);
	fit->against = argument_text(fcinfo, 6);
	if (fit->source == NULL || fit->outcome == NULL || PG_ARGISNULL(1))
		risk_fit_refuse(pstrdup("a fit needs a source, features and an outcome"),
				   "SELECT * FROM changemgmt.fit_risk_model('my_view', '{size,is_urgent}', 'failed', 'at')");
	if (fit->has_split && fit->at == NULL)
		risk_fit_refuse(pstrdup("a split needs to know the column of the time"),
				   "Name it: at => 'actual_start'.");
	if (fit->against && fit->at == NULL)
		risk_fit_refuse(pstrdup("scores are compared over the rows after the split, which needs the column of the time"),
				   "Name it: at => 'actual_start'.");
	/* Written so that NaN fails too. */
	if (!(fit->ridge >= 0 && fit->ridge <= 1e12))
		risk_fit_refuse(psprintf("ridge %g is not between 0 and 1e12", fit->ridge),
				   "0 is none; 1 is a little.");
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT,
					  &names, &nulls, &fit->features);
	if (fit->features < 1 || fit->features > FEATURES_MAX)
		risk_fit_refuse(psprintf("%d features are not between 1 and %d",
							fit->features, FEATURES_MAX),
				   "Take those that matter.");
	fit->names = palloc(fit->features * sizeof(char *));
	for (int i = 0; i < fit->features; i++)
	{
		if (nulls[i])
			risk_fit_refuse(pstrdup("the name of a feature is null"), "Name a column.");
		fit->names[i] = TextDatumGetCString(names[i]);
	}
	fit->model = palloc0(MODEL_LENGTH(fit->features) * sizeof(double));
}

static Datum
number_or_null(double number, bool *isnull)
{
	*isnull = isnan(number);
	return Float8GetDatum(number);
}

/*
 * fit_risk_model(source, features, outcome, at, split, ridge, against)
 */
Datum
fit_risk_model(PG_FUNCTION_ARGS)
{
	RiskFit		fit = {0};
	TupleDesc	desc;
	Datum		values[15];
	bool		nulls[15] = {0};
	int			version;
	double		deviance;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != lengthof(values))
		elog(ERROR, "fit_risk_model returns another row than its own");
	/* before the passes, and not after them */
	PreventCommandIfReadOnly("fit_risk_model()");
	fit_read_arguments(fcinfo, &fit);
	SPI_connect();
	fit_read_source(&fit);
	fit_read_columns(&fit);
	fit_read_times(&fit);
	fit_begin(&fit);
	risk_fit_run(&fit);
	risk_fit_finish(&fit);
	fit_test(&fit);
	version = fit_store(&fit);
	deviance = fit.round[ROUND_DEVIANCE];
	SPI_finish();

	values[0] = Int32GetDatum(version);
	values[1] = Int64GetDatum((int64) fit.rows);
	values[2] = Int64GetDatum((int64) fit.failures);
	values[3] = Int32GetDatum(fit.rounds);
	values[4] = Float8GetDatum(deviance);
	values[5] = Float8GetDatum(fit.null_deviance);
	values[6] = Float8GetDatum(-deviance / 2);
	values[7] = TimestampTzGetDatum(fit.split);
	nulls[7] = fit.at == NULL;
	values[8] = Int64GetDatum((int64) fit.test_rows);
	values[9] = Int64GetDatum((int64) fit.test_failures);
	nulls[8] = nulls[9] = fit.at == NULL;
	values[10] = number_or_null(fit.auc, &nulls[10]);
	values[11] = number_or_null(fit.brier, &nulls[11]);
	values[12] = number_or_null(fit.base_brier, &nulls[12]);
	values[13] = number_or_null(fit.base_brier > 0 ? 1 - fit.brier / fit.base_brier :
								get_float8_nan(), &nulls[13]);
	values[14] = number_or_null(fit.against_auc, &nulls[14]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
