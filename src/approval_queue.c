/*-------------------------------------------------------------------------
 *
 * approval_queue.c
 *	  Whom a change waits for.
 *
 * The view approval_queue asks it of each change that waits.  It is the tally
 * that says who may vote and who has, so there is no second opinion.  No state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "approval.h"
#include "compat.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(approval_waiting);

/* approval_waiting(change_id): who may vote on it and has not freshly */
Datum
approval_waiting(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ChangeRow	row;
	const ChangeModel *model;
	Tally		tally;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	change_find(&row, PG_GETARG_INT64(0), false);
	model = lifecycle_model(&row);
	if (votes_are_open(model, &row))
	{
		const LevelTally *level;
		List	   *hands;

		tally_count(&tally, model, &row, 0);
		level = tally_level(&tally);
		hands = level ? delegation_hands(level->level->board, model, &row) : NIL;
		foreach(cell, level ? level->waiting : NIL)
		{
			const OpenVote *vote = lfirst(cell);
			char	   *delegates = delegation_words(hands, vote->person);
			Datum		values[5];
			bool		isnull[5] = {false};

			values[0] = Int64GetDatum(vote->person);
			values[1] = CStringGetTextDatum(vote->login);
			isnull[2] = vote->board == NULL;
			values[2] = isnull[2] ? (Datum) 0 : CStringGetTextDatum(vote->board);
			values[3] = BoolGetDatum(vote->is_stale);
			isnull[4] = delegates == NULL;
			values[4] = delegates ? CStringGetTextDatum(delegates) : (Datum) 0;
			tuplestore_putvalues(result->setResult, result->setDesc, values,
								 isnull);
		}
	}
	SPI_finish();
	return (Datum) 0;
}
