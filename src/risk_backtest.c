/*-------------------------------------------------------------------------
 *
 * risk_backtest.c
 *	  What a rule that sends changes to a board would have done to the past.
 *
 * Asked of each executed change is what was known when its work began: the
 * assessment that was stored, else the one that is computed for that time.
 * There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "compat.h"
#include "errors.h"
#include "risk.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(policy_backtest);

typedef enum PolicyAsks
{
	ASKS_ALL,
	ASKS_NONE,
	ASKS_SCORE,					/* a score from ... on */
	ASKS_LEVEL,					/* the level that won, or more */
	ASKS_MATRIX,				/* the level that a matrix says, or more */
	ASKS_ASSESSED				/* risk_level, as a person set it, or more */
} PolicyAsks;

typedef struct BoardPolicy
{
	PolicyAsks	asks;
	int			score;			/* in hundredths */
	RiskLevel	level;
	const RiskMatrix *matrix;
} BoardPolicy;

#define SCORE_DIGITS 6

/* "score >= 50", "level >= high", "matrix glpi >= high", "all" ... */
static void
policy_parse(const char *text, BoardPolicy *policy)
{
	char	   *copy = pstrdup(text);
	char	   *rest;
	char	   *word[4] = {NULL};
	int			n = 0;
	char	   *level;

	for (char *w = strtok_r(copy, " \t", &rest); w && n < 4;
		 w = strtok_r(NULL, " \t", &rest))
		word[n++] = w;
	memset(policy, 0, sizeof(BoardPolicy));
	level = n > 0 ? word[n - 1] : NULL;
	if (n == 1 && strcmp(word[0], "all") == 0)
		policy->asks = ASKS_ALL;
	else if (n == 1 && strcmp(word[0], "none") == 0)
		policy->asks = ASKS_NONE;
	else if (n == 3 && strcmp(word[0], "score") == 0 &&
			 strcmp(word[1], ">=") == 0 &&
			 strspn(level, "0123456789.") == strlen(level) &&
			 strlen(level) <= SCORE_DIGITS && level[0] != '.' &&
			 strtod(level, NULL) <= 100)
	{
		policy->asks = ASKS_SCORE;
		policy->score = (int) (strtod(level, NULL) * 100 + 0.5);
	}
	else if (n == 3 && strcmp(word[0], "level") == 0 &&
			 strcmp(word[1], ">=") == 0 &&
			 risk_level_parse(level, &policy->level))
		policy->asks = ASKS_LEVEL;
	else if (n == 3 && strcmp(word[0], "risk_level") == 0 &&
			 strcmp(word[1], ">=") == 0 &&
			 risk_level_parse(level, &policy->level))
		policy->asks = ASKS_ASSESSED;
	else if (n == 4 && strcmp(word[0], "matrix") == 0 &&
			 strcmp(word[2], ">=") == 0 &&
			 risk_level_parse(level, &policy->level) &&
			 (policy->matrix = risk_matrix_find(word[1])) != NULL)
		policy->asks = ASKS_MATRIX;
	else
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("\"%s\" is no policy that can be tried", text),
				 errhint("Such as: score >= 50, level >= high, risk_level >= high, matrix glpi >= high (view risk_matrix), all, none.")));
}

/* With the score and level that were stored, or no_score. */
static bool
goes_to_board(const BoardPolicy *policy, const ChangeRow *row, bool no_score,
			  int64 score, const char *stored)
{
	RiskInput	input;
	RiskLevel	level;
	char	   *word;
	char	   *why;
	bool		known;

	switch (policy->asks)
	{
		case ASKS_ALL:
			return true;
		case ASKS_NONE:
			return false;
		case ASKS_ASSESSED:
			word = change_text(row, risk_level);
			/* what nobody assessed is never low */
			return word == NULL || !risk_level_parse(word, &level) ||
				level >= policy->level;
		case ASKS_MATRIX:
			risk_input_begin(&input, row, true);
			return risk_matrix_opinion(&input, policy->matrix, &why, &known) >=
				policy->level;
		case ASKS_SCORE:
		case ASKS_LEVEL:
			if (no_score)
			{
				Risk	   *risk = risk_assess_change(row, true);

				return policy->asks == ASKS_SCORE ?
					risk->score >= policy->score :
					risk->level >= policy->level;
			}
			if (policy->asks == ASKS_LEVEL)
				return risk_level_parse(stored, &level) &&
					level >= policy->level;
			return score >= policy->score;
	}
	return true;
}

static Datum
share_of(int64 part, int64 whole, bool *isnull)
{
	*isnull = whole == 0;
	return whole == 0 ? (Datum) 0 :
		NumericGetDatum(int64_div_fast_to_numeric((10000 * part + whole / 2) / whole, 4));
}

#define BACKTEST_BATCH 1000

/* policy_backtest(policy, from_at, to_at): one row */
Datum
policy_backtest(PG_FUNCTION_ARGS)
{
	/* as docs/metrics.md counts them */
	static KeptPlan executed = {
		"SELECT c, a.score, a.level,"
		" c.outcome OPERATOR(pg_catalog.=) ANY ('{failed,rolled_back}'::pg_catalog.text[])"
		"  OR EXISTS (SELECT FROM changemgmt.incident_cause AS k"
		"   WHERE k.change_id OPERATOR(pg_catalog.=) c.id"
		"   AND k.status OPERATOR(pg_catalog.=) 'confirmed')"
		"  OR EXISTS (SELECT FROM changemgmt.change_link AS l"
		"   WHERE l.target_change_id OPERATOR(pg_catalog.=) c.id"
		"   AND l.relation OPERATOR(pg_catalog.=) ANY ('{remediates,backs_out}'::pg_catalog.text[])),"
		" pg_catalog.date_part('epoch', CASE"
		"  WHEN c.approved_at OPERATOR(pg_catalog.>=) c.submitted_at"
		"  THEN c.approved_at OPERATOR(pg_catalog.-) c.submitted_at END)"
		" FROM changemgmt.change AS c"
		" LEFT JOIN LATERAL (SELECT (r.score OPERATOR(pg_catalog.*) 100)::pg_catalog.int8 AS score,"
		"   r.level FROM changemgmt.risk_assessment AS r"
		"  WHERE r.change_id OPERATOR(pg_catalog.=) c.id"
		"  ORDER BY r.id DESC LIMIT 1) AS a ON true"
		" WHERE c.actual_end OPERATOR(pg_catalog.>=) $1"
		" AND c.actual_end OPERATOR(pg_catalog.<) $2"
		" AND c.actual_start IS NOT NULL"
		" AND c.environment OPERATOR(pg_catalog.=) 'production'"
		" AND c.outcome OPERATOR(pg_catalog.<>) 'not_implemented'",
		2, {TIMESTAMPTZOID, TIMESTAMPTZOID}, NULL
	};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	BoardPolicy policy;
	Datum		arguments[2];
	Portal		portal;
	MemoryContext each;
	int64		changes = 0;
	int64		board = 0;
	int64		failed = 0;
	int64		caught = 0;
	int64		waited = 0;
	int64		unknown_wait = 0;
	double		all_wait = 0;
	double		board_wait = 0;
	Datum		values[10] = {0};
	bool		isnull[10] = {false};

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	policy_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), &policy);
	arguments[0] = PG_GETARG_DATUM(1);
	arguments[1] = PG_GETARG_DATUM(2);
	each = AllocSetContextCreate(CurrentMemoryContext, "changemgmt backtest",
								 ALLOCSET_DEFAULT_SIZES);
	portal = kept_plan_cursor(&executed, arguments, NULL);
	for (;;)
	{
		SPITupleTable *table;
		uint64		n;

		SPI_cursor_fetch(portal, true, BACKTEST_BATCH);
		n = SPI_processed;
		table = SPI_tuptable;
		if (n == 0)
			break;
		for (uint64 i = 0; i < n; i++)
		{
			HeapTuple	tuple = table->vals[i];
			TupleDesc	desc = table->tupdesc;
			MemoryContext old = MemoryContextSwitchTo(each);
			ChangeRow	row;
			bool		has_failed;
			bool		to_board;
			bool		no_wait;
			bool		no_value;
			bool		no_score;
			int64		score;
			char	   *level;
			double		wait;

			CHECK_FOR_INTERRUPTS();
			change_row_of_datum(&row, SPI_getbinval(tuple, desc, 1, &no_value));
			has_failed = DatumGetBool(SPI_getbinval(tuple, desc, 4, &no_value)) &&
				!no_value;
			wait = DatumGetFloat8(SPI_getbinval(tuple, desc, 5, &no_wait));
			score = DatumGetInt64(SPI_getbinval(tuple, desc, 2, &no_score));
			level = SPI_getvalue(tuple, desc, 3);
			/* what is read for one change goes with it */
			SPI_connect();
			to_board = goes_to_board(&policy, &row, no_score, score, level);
			SPI_finish();
			changes++;
			failed += has_failed;
			board += to_board;
			caught += to_board && has_failed;
			if (!no_wait)
			{
				waited++;
				all_wait += wait;
			}
			if (to_board && no_wait)
				unknown_wait++;
			else if (to_board)
				board_wait += wait;
			MemoryContextSwitchTo(old);
			MemoryContextReset(each);
		}
		SPI_freetuptable(table);
	}
	SPI_cursor_close(portal);
	SPI_finish();

	/* one that has not waited for an approval waits as long as the others did */
	if (waited > 0)
		board_wait += unknown_wait * (all_wait / waited);
	values[0] = Int64GetDatum(changes);
	values[1] = Int64GetDatum(board);
	values[2] = share_of(board, changes, &isnull[2]);
	values[3] = Int64GetDatum(failed);
	values[4] = Int64GetDatum(caught);
	values[5] = share_of(caught, failed, &isnull[5]);
	values[6] = share_of(caught, board, &isnull[6]);
	isnull[7] = waited == 0 && board > 0;
	values[7] = risk_numeric((int64) (board_wait / 36 + 0.5));
	isnull[8] = waited == 0;
	values[8] = risk_numeric(waited == 0 ? 0 :
							 (int64) (all_wait / waited / 36 + 0.5));
	values[9] = Int64GetDatum(unknown_wait);
	tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	return (Datum) 0;
}
