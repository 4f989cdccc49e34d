/*-------------------------------------------------------------------------
 *
 * risk_matrix.c
 *	  The register of a change, and the matrix that makes levels of its rows.
 *
 * What ships are constants: a matrix of ours and, to be chosen by the setting
 * risk_matrix, those that other products publish (docs/risk.md says where).
 * They have priorities from 1 to 5 or five words; here 1 and 2 are low, 3 is
 * medium, 4 is high and 5 is critical.  A site's own are rows of
 * site_risk_matrix, whose published versions never change.
 *
 * State: the cached rows of site_risk_matrix.
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
#include "risk.h"
#include "spi.h"
#include "types_setting.h"

PG_FUNCTION_INFO_V1(shipped_risk_matrices);
PG_FUNCTION_INFO_V1(site_risk_matrix_cells);
PG_FUNCTION_INFO_V1(risk_matrix_guard);

#define L RISK_LOW
#define M RISK_MEDIUM
#define H RISK_HIGH
#define C RISK_CRITICAL

/* Rows are likelihood from very_low, columns impact from very_low. */
static const RiskMatrix shipped[] = {
	{"default", 0, {
			{L, L, L, M, H},
			{L, L, M, M, H},
			{L, M, M, H, H},
			{M, M, H, H, C},
			{M, H, H, C, C}}},
	/* likelihood times impact: to 4 low, to 9 medium, to 15 high */
	{"freeitsm", 0, {
			{L, L, L, L, M},
			{L, L, M, M, H},
			{L, M, M, H, H},
			{L, M, H, C, C},
			{M, H, H, C, C}}},
	/* of urgency and impact */
	{"glpi", 0, {
			{L, L, L, L, L},
			{L, L, L, M, M},
			{L, L, M, H, H},
			{L, M, H, H, C},
			{L, M, H, C, C}}},
	/* of category and impact */
	{"znuny", 0, {
			{L, L, L, L, M},
			{L, L, L, M, H},
			{L, L, M, H, H},
			{L, M, H, H, C},
			{M, H, H, C, C}}},
};

#undef L
#undef M
#undef H
#undef C

static const char *const axis_words[] = {
	"very_low", "low", "medium", "high", "very_high", "unknown"
};

static const char *const level_codes[] = {
	[RISK_LOW] = "low",
	[RISK_MEDIUM] = "medium",
	[RISK_HIGH] = "high",
	[RISK_CRITICAL] = "critical"
};

const char *
risk_level_code(RiskLevel level)
{
	return level_codes[level];
}

bool
risk_level_parse(const char *code, RiskLevel *level)
{
	for (int i = 0; i < RISK_LEVEL_COUNT; i++)
		if (strcmp(level_codes[i], code) == 0)
		{
			*level = i;
			return true;
		}
	return false;
}

bool
risk_axis_parse(const char *word, int *axis)
{
	for (int i = 0; i < (int) lengthof(axis_words); i++)
		if (strcmp(axis_words[i], word) == 0)
		{
			*axis = i;
			return true;
		}
	return false;
}

const char *
risk_axis_word(int axis)
{
	return axis_words[axis];
}

RiskLevel
risk_matrix_level(const RiskMatrix *matrix, int likelihood, int impact)
{
	RiskLevel	highest = RISK_LOW;

	for (int l = 0; l < RISK_AXIS; l++)
		for (int i = 0; i < RISK_AXIS; i++)
			if ((likelihood == l || likelihood == RISK_AXIS_UNKNOWN) &&
				(impact == i || impact == RISK_AXIS_UNKNOWN))
				highest = Max(highest, matrix->cell[l][i]);
	return highest;
}

/* ----------------------------------------------------------------
 * The site's
 * ---------------------------------------------------------------- */

static CachedTable matrix_table = {.relation = "site_risk_matrix"};
static MemoryContext site_context = NULL;
static List *site_matrices = NIL;	/* RiskMatrix *, the latest of each key */

pg_noreturn static void
cells_wrong(const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("cells of a risk matrix: %s", problem),
			 errhint("Give an array of five arrays (likelihood from very_low to very_high) of five levels each (impact from very_low to very_high): low, medium, high or critical.")));
	pg_unreachable();
}

/* Read the cells; false where they are none and it is not to be said. */
static bool
cells_read(Jsonb *cells, RiskMatrix *matrix, bool complain)
{
	JsonbContainer *rows = &cells->root;

	if (!JsonContainerIsArray(rows) || JsonContainerIsScalar(rows) ||
		JsonContainerSize(rows) != RISK_AXIS)
	{
		if (complain)
			cells_wrong("there are not five rows");
		return false;
	}
	for (int l = 0; l < RISK_AXIS; l++)
	{
		JsonbValue *row = getIthJsonbValueFromContainer(rows, l);

		if (row->type != jbvBinary ||
			!JsonContainerIsArray(row->val.binary.data) ||
			JsonContainerSize(row->val.binary.data) != RISK_AXIS)
		{
			if (complain)
				cells_wrong(psprintf("the row of likelihood %s has not five levels",
									 axis_words[l]));
			return false;
		}
		for (int i = 0; i < RISK_AXIS; i++)
		{
			JsonbValue *cell = getIthJsonbValueFromContainer(row->val.binary.data, i);
			RiskLevel	level;

			if (cell->type != jbvString ||
				!risk_level_parse(pnstrdup(cell->val.string.val,
										   cell->val.string.len), &level))
			{
				if (complain)
					cells_wrong(psprintf("likelihood %s, impact %s is no level",
										 axis_words[l], axis_words[i]));
				return false;
			}
			matrix->cell[l][i] = level;
		}
	}
	return true;
}

static void
site_matrices_read(void)
{
	static KeptPlan all = {
		"SELECT DISTINCT ON (key) key, version, cells"
		" FROM changemgmt.site_risk_matrix ORDER BY key, version DESC",
		0, {0}, NULL
	};
	MemoryContext context;
	MemoryContext old;
	List	   *list = NIL;

	SPI_connect();
	cached_table_begin(&matrix_table);
	kept_plan_execute(&all, NULL, NULL, 0);
	context = AllocSetContextCreate(CurrentMemoryContext,
									"changemgmt risk matrices",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		RiskMatrix *matrix = palloc0(sizeof(RiskMatrix));
		bool		isnull;

		matrix->key = SPI_getvalue(tuple, desc, 1);
		matrix->version = DatumGetInt32(SPI_getbinval(tuple, desc, 2, &isnull));
		/* history may hold anything; what is no matrix is not there */
		if (cells_read(DatumGetJsonbP(SPI_getbinval(tuple, desc, 3, &isnull)),
					   matrix, false))
			list = lappend(list, matrix);
	}
	MemoryContextSwitchTo(old);
	if (site_context)
		MemoryContextDelete(site_context);
	MemoryContextSetParent(context, TopMemoryContext);
	site_context = context;
	site_matrices = list;
	cached_table_done(&matrix_table);
	SPI_finish();
}

const RiskMatrix *
risk_matrix_find(const char *key)
{
	ListCell   *lc;

	if (!matrix_table.is_current)
		site_matrices_read();
	foreach(lc, site_matrices)
		if (strcmp(((RiskMatrix *) lfirst(lc))->key, key) == 0)
			return lfirst(lc);
	for (int i = 0; i < (int) lengthof(shipped); i++)
		if (strcmp(shipped[i].key, key) == 0)
			return &shipped[i];
	return NULL;
}

/* BEFORE trigger of site_risk_matrix: cells are sound, published ones stay. */
Datum
risk_matrix_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "risk_matrix_guard",
										 FOR_ROW | AT_BEFORE, "site_risk_matrix");
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	HeapTuple	tuple = trigdata->tg_trigtuple;
	RiskMatrix	matrix;
	Datum		cells;
	bool		isnull;

	if (!TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
				 errmsg("a published risk matrix never changes"),
				 errhint("changemgmt.publish_risk_matrix() publishes the next version.")));
	if (ledger_is_history(trigdata))
		return PointerGetDatum(tuple);
	cells = SPI_getbinval(tuple, desc, SPI_fnumber(desc, "cells"), &isnull);
	if (!isnull)				/* else NOT NULL refuses it */
		(void) cells_read(DatumGetJsonbP(cells), &matrix, true);
	return PointerGetDatum(tuple);
}

static void
matrix_put(ReturnSetInfo *result, const RiskMatrix *matrix, bool with_key)
{
	for (int l = 0; l < RISK_AXIS; l++)
		for (int i = 0; i < RISK_AXIS; i++)
		{
			Datum		values[4];
			bool		isnull[4] = {false};
			int			n = 0;

			if (with_key)
				values[n++] = CStringGetTextDatum(matrix->key);
			values[n++] = CStringGetTextDatum(axis_words[l]);
			values[n++] = CStringGetTextDatum(axis_words[i]);
			values[n++] = CStringGetTextDatum(level_codes[matrix->cell[l][i]]);
			tuplestore_putvalues(result->setResult, result->setDesc, values,
								 isnull);
		}
}

Datum
shipped_risk_matrices(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int m = 0; m < (int) lengthof(shipped); m++)
		matrix_put(result, &shipped[m], true);
	return (Datum) 0;
}

/* risk_matrix_cells(cells): a row for each cell of a site's matrix */
Datum
site_risk_matrix_cells(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RiskMatrix	matrix;

	InitMaterializedSRF(fcinfo, 0);
	if (cells_read(PG_GETARG_JSONB_P(0), &matrix, false))
		matrix_put(result, &matrix, false);
	return (Datum) 0;
}

/* ----------------------------------------------------------------
 * The register
 * ---------------------------------------------------------------- */

static int
axis_of(HeapTuple tuple, TupleDesc desc, int column, int otherwise)
{
	char	   *word = SPI_getvalue(tuple, desc, column);
	int			axis;

	if (word == NULL)
		return otherwise;
	return risk_axis_parse(word, &axis) ? axis : RISK_AXIS_UNKNOWN;
}

/*
 * The register has few kinds of rows, however many there are: what is left of
 * a risk counts where both axes of it are said and a mitigation says why.
 */
const RiskRegister *
risk_register(RiskInput *input)
{
	static KeptPlan read = {
		"SELECT r.likelihood, r.impact, r.left_likelihood, r.left_impact,"
		" pg_catalog.count(*), (SELECT d.description"
		"  FROM changemgmt.change_risk AS d"
		"  WHERE d.id OPERATOR(pg_catalog.=) pg_catalog.min(r.id))"
		" FROM (SELECT id, likelihood, impact,"
		"  CASE WHEN m THEN residual_likelihood ELSE likelihood END AS left_likelihood,"
		"  CASE WHEN m THEN residual_impact ELSE impact END AS left_impact"
		"  FROM (SELECT *, residual_likelihood IS NOT NULL"
		"    AND residual_impact IS NOT NULL"
		"    AND COALESCE(mitigation OPERATOR(pg_catalog.~) '\\S', false) AS m"
		"   FROM changemgmt.change_risk"
		"   WHERE change_id OPERATOR(pg_catalog.=) $1) AS k) AS r"
		" GROUP BY r.likelihood, r.impact, r.left_likelihood, r.left_impact"
		" ORDER BY pg_catalog.min(r.id)",
		1, {INT8OID}, NULL
	};
	RiskRegister *reg;
	Datum		argument = input->row->value[CH_id];

	if (input->reg)
		return input->reg;
	reg = palloc0(sizeof(RiskRegister));
	risk_read(input, &read, &argument, NULL, 0);
	reg->n = (int) SPI_processed;
	reg->rows = palloc0(Max(reg->n, 1) * sizeof(RiskRows));
	for (int i = 0; i < reg->n; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		RiskRows   *r = &reg->rows[i];
		bool		isnull;

		r->likelihood = axis_of(tuple, desc, 1, RISK_AXIS_UNKNOWN);
		r->impact = axis_of(tuple, desc, 2, RISK_AXIS_UNKNOWN);
		r->left_likelihood = axis_of(tuple, desc, 3, r->likelihood);
		r->left_impact = axis_of(tuple, desc, 4, r->impact);
		r->count = DatumGetInt64(SPI_getbinval(tuple, desc, 5, &isnull));
		r->worst = SPI_getvalue(tuple, desc, 6);
		reg->count += r->count;
	}
	SPI_freetuptable(SPI_tuptable);
	input->reg = reg;
	return reg;
}

RiskLevel
risk_matrix_opinion(RiskInput *input, const RiskMatrix *matrix, char **why,
					bool *known)
{
	const RiskRegister *reg = risk_register(input);
	const RiskRows *worst = NULL;
	RiskLevel	level = RISK_LOW;

	*known = true;
	if (reg->count == 0)
	{
		char	   *assessed = change_text(input->row, risk_level);

		if (assessed && risk_level_parse(assessed, &level))
		{
			*why = psprintf("the register is empty; risk_level says %s",
							assessed);
			return level;
		}
		*why = pstrdup("nobody has assessed the risk, which counts as the highest");
		*known = false;
		return risk_matrix_level(matrix, RISK_AXIS_UNKNOWN, RISK_AXIS_UNKNOWN);
	}
	for (int i = 0; i < reg->n; i++)
	{
		const RiskRows *r = &reg->rows[i];
		RiskLevel	its = risk_matrix_level(matrix, r->left_likelihood,
											r->left_impact);

		if (worst == NULL || its > level)
		{
			worst = r;
			level = its;
		}
	}
	*known = worst->left_likelihood != RISK_AXIS_UNKNOWN &&
		worst->left_impact != RISK_AXIS_UNKNOWN;
	*why = psprintf("matrix %s: the worst of " INT64_FORMAT " risks has %s likelihood and %s impact%s%s",
					matrix->key, reg->count,
					axis_words[worst->left_likelihood],
					axis_words[worst->left_impact],
					worst->left_likelihood != worst->likelihood ||
					worst->left_impact != worst->impact ?
					" after mitigation" : "",
					*known ? "" : "; unknown counts as the highest that the matrix has for it");
	return level;
}
