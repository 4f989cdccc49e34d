/*-------------------------------------------------------------------------
 *
 * approval.c
 *	  Votes: the triggers that judge them, and the verbs that give them.
 *
 * A vote is a row of approval_vote, sealed to the plan that it was given for
 * and to the round that the submission opened.  Who may vote and where the
 * votes stand is approval_tally.c's.  When the votes decide, the change takes
 * the step that they mean, in the same statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "approval.h"
#include "change_history.h"
#include "change_part.h"
#include "compat.h"
#include "duty.h"
#include "errors.h"
#include "person.h"
#include "risk.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(vote_stamp);
PG_FUNCTION_INFO_V1(vote_judge);
PG_FUNCTION_INFO_V1(vote_tally);
PG_FUNCTION_INFO_V1(condition_judge);
PG_FUNCTION_INFO_V1(approve);
PG_FUNCTION_INFO_V1(approve_with_conditions);
PG_FUNCTION_INFO_V1(reject);
PG_FUNCTION_INFO_V1(defer);
PG_FUNCTION_INFO_V1(abstain);
PG_FUNCTION_INFO_V1(vote_for);

/* ----------------------------------------------------------------
 * Triggers of approval_vote
 * ---------------------------------------------------------------- */

/* The older version's votes are everybody's own. */
static bool
has_voted_by(TupleDesc desc)
{
	return SPI_fnumber(desc, "voted_by_id") > 0;
}

/* BEFORE ROW, after the change is locked: who, which round, for which plan. */
Datum
vote_stamp(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "vote_stamp",
										 FOR_ROW | AT_BEFORE, "approval_vote");
	TupleDesc	desc;
	HeapTuple	tuple;
	ChangeRow	row;
	const ChangeModel *model;
	bytea	   *seal;
	bool		isnull;
	int			columns[6];
	Datum		values[6];
	bool		nulls[6] = {false};
	int			count = 0;
	int64		person;
	int64		hand = actor_person();

	tuple = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;
	if (ledger_is_history(trigdata))
		return PointerGetDatum(tuple);
	desc = RelationGetDescr(trigdata->tg_relation);
	seal = palloc(VARHDRSZ + LEDGER_HASH_LENGTH);
	SET_VARSIZE(seal, VARHDRSZ + LEDGER_HASH_LENGTH);

	SPI_connect();
	(void) change_read(&row, DatumGetInt64(part_value(tuple, desc, "change_id",
											   &isnull)), false);
	model = lifecycle_model(&row);
	change_seal(&row, model, (uint8 *) VARDATA(seal));
	person = DatumGetInt64(part_value(tuple, desc, "person_id", &isnull));
	if (!TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
	{
		columns[count] = SPI_fnumber(desc, "round");
		values[count++] = row.value[CH_approval_round];
		if (isnull)
		{
			person = actor_person_required();
			columns[count] = SPI_fnumber(desc, "person_id");
			values[count++] = Int64GetDatum(person);
		}
	}
	if (has_voted_by(desc))
	{
		columns[count] = SPI_fnumber(desc, "voted_by_id");
		nulls[count] = hand == 0 || hand == person;
		values[count++] = Int64GetDatum(hand);
	}
	columns[count] = SPI_fnumber(desc, "plan_revision");
	values[count++] = row.value[CH_plan_revision];
	columns[count] = SPI_fnumber(desc, "voted_at");
	values[count++] = TimestampTzGetDatum(GetCurrentTimestamp());
	SPI_finish();
	columns[count] = SPI_fnumber(desc, "seal");
	values[count++] = PointerGetDatum(seal);
	return PointerGetDatum(heap_modify_tuple_by_cols(tuple, desc, count, columns,
													 values, nulls));
}

/*
 * Whether somebody may vote in a person's place, of a tally without that
 * person's vote, and who arranged it: for each level that asks the person the
 * vote would count, so the delegation has to hold for all of them.
 */
static bool
delegation_covers(const Tally *tally, int64 person, int64 hand,
				  List **made_by)
{
	bool		asked = tally_asks(tally);
	bool		covered = asked;

	*made_by = NIL;
	for (int i = 0; i < tally->count; i++)
	{
		List	   *by;
		bool		found;

		if (asked && !tally->levels[i].asks_voter)
			continue;
		found = delegation_find(tally->levels[i].level->board, person, hand,
								&by);
		*made_by = list_concat(*made_by, by);
		covered = asked ? covered && found : covered || found;
	}
	return covered;
}

/* Whether somebody may vote on a change: with a vote of one's own, or another's. */
static bool
may_vote(const ChangeModel *model, const ChangeRow *row, int64 hand)
{
	Tally		tally;

	if (approver_conflict(model, row, hand) >= 0)
		return false;
	tally_count(&tally, model, row, hand);
	if (tally_asks(&tally))
		return true;
	for (int i = 0; i < tally.count; i++)
	{
		ListCell   *lc;

		foreach(lc, delegation_givers(tally.levels[i].level->board, hand))
		{
			int64		giver = *(int64 *) lfirst(lc);
			List	   *made_by;
			Tally		of_giver;

			if (approver_conflict(model, row, giver) >= 0)
				continue;
			tally_count(&of_giver, model, row, giver);
			if (tally_asks(&of_giver) &&
				delegation_covers(&of_giver, giver, hand, &made_by))
				return true;
		}
	}
	return false;
}

/*
 * AFTER ROW trigger of change_task: a task that is a condition is no part of
 * the sealed plan, so only who may vote on the change sets, rewrites, skips or
 * takes away conditions.
 */
Datum
condition_judge(PG_FUNCTION_ARGS)
{
	static const char *const content[] = {
		"change_id", "phase", "position", "title", "description",
		"object_kind", "object_name", "is_condition", "depends_on",
		"is_smoke_test", "checklist_key", "object_system", NULL
	};
	TriggerData *trigdata = trigger_data(fcinfo, "condition_judge",
										 FOR_ROW | AT_AFTER, "change_task");
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	HeapTuple	old = TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) ? NULL :
		trigdata->tg_trigtuple;
	HeapTuple	new = TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) ?
		trigdata->tg_trigtuple : trigdata->tg_newtuple;
	ChangeRow	row;
	const ChangeModel *model;

	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		new = NULL;
	if (ledger_is_history(trigdata) ||
		!((old && part_true(old, desc, "is_condition")) ||
		  (new && part_true(new, desc, "is_condition"))) ||
		(old && new && part_same(old, new, desc, content) &&
		 !(part_is(new, desc, "status", "skipped") &&
		   !part_is(old, desc, "status", "skipped"))))
		return PointerGetDatum(NULL);

	SPI_connect();
	(void) change_read(&row, part_change_id(new ? new : old, desc), false);
	model = lifecycle_model(&row);
	if (!may_vote(model, &row, actor_person_required()))
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
				 errmsg("\"%s\" may not set or skip conditions for %s", actor_name(),
						change_number_text(change_id_of(&row))),
				 errhint("Conditions are set and skipped by who may vote on the change, and completed by anybody; other tasks belong to its plan.")));
	SPI_finish();
	return PointerGetDatum(NULL);
}

static const char *
person_name(int64 person)
{
	char	   *login = person_login(person);

	return login ? login : "somebody";
}

/* MC004 where somebody has part in the change that is kept apart from voting. */
static void
require_no_conflict(const ChangeModel *model, const ChangeRow *row, int64 person)
{
	int			conflict = approver_conflict(model, row, person);

	if (conflict >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEGREGATION_OF_DUTIES),
				 errmsg("\"%s\" is %s of %s and cannot vote on it",
						person_name(person), duty_name(conflict),
						change_number_text(change_id_of(row))),
				 errhint("Somebody else decides; nobody is exempt."), err_as_caller()));
}

/* AFTER ROW: the vote as it was stored. */
Datum
vote_judge(PG_FUNCTION_ARGS)
{
	/* of this person in the round, and by this hand for others */
	static KeptPlan votes = {
		"SELECT pg_catalog.count(*) FILTER (WHERE person_id OPERATOR(pg_catalog.=) $3),"
		" pg_catalog.count(*) FILTER (WHERE person_id OPERATOR(pg_catalog.<>) $3"
		"  AND COALESCE(voted_by_id, person_id) OPERATOR(pg_catalog.=) $4)"
		" FROM changemgmt.approval_vote"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND round OPERATOR(pg_catalog.=) $2",
		4, {INT8OID, INT4OID, INT8OID, INT8OID}, NULL
	};
	static KeptPlan votes_before = {
		"SELECT pg_catalog.count(*), 0::pg_catalog.int8"
		" FROM changemgmt.approval_vote"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND round OPERATOR(pg_catalog.=) $2"
		" AND person_id OPERATOR(pg_catalog.=) $3"
		" AND $4 IS NOT NULL",
		4, {INT8OID, INT4OID, INT8OID, INT8OID}, NULL
	};
	TriggerData *trigdata = trigger_data(fcinfo, "vote_judge",
										 FOR_ROW | AT_AFTER, "approval_vote");
	TupleDesc	desc;
	HeapTuple	tuple;
	ChangeRow	row;
	const ChangeModel *model;
	int64		person;
	int64		hand;
	int64		others;
	Tally		tally;
	List	   *made_by = NIL;
	ListCell   *lc;
	Datum		arguments[4];
	TimestampTz at;
	bool		isnull;
	char	   *decision;
	char	   *reason;
	uint8		seal[LEDGER_HASH_LENGTH];
	bytea	   *given;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	desc = RelationGetDescr(trigdata->tg_relation);
	tuple = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;

	SPI_connect();
	(void) change_read(&row, DatumGetInt64(part_value(tuple, desc, "change_id",
											   &isnull)), false);
	model = lifecycle_model(&row);
	if (!votes_are_open(model, &row))
		transition_illegal(&row, model, "a vote");

	person = DatumGetInt64(part_value(tuple, desc, "person_id", &isnull));
	hand = actor_person_required();
	/* what is open to somebody is what is open without the own vote */
	tally_count(&tally, model, &row, person);
	if (person != hand && !delegation_covers(&tally, person, hand, &made_by))
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED),
				 errmsg("\"%s\" cannot vote for \"%s\"", actor_name(),
						person_name(person)),
				 errdetail("No delegation from \"%s\" to \"%s\" is valid for it now.",
						   person_name(person), actor_name()),
				 errhint("\"%s\" votes, or delegates with changemgmt.delegate_approval(%s, now(), valid_until).",
						 person_name(person), quote_literal_cstr(actor_name())),
				 err_as_caller()));
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
	{
		static const char *const fixed[] = {
			"id", "change_id", "round", "person_id"
		};

		for (size_t i = 0; i < lengthof(fixed); i++)
			if (DatumGetInt64(part_value(tuple, desc, fixed[i], &isnull)) !=
				DatumGetInt64(part_value(trigdata->tg_trigtuple, desc, fixed[i],
										 &isnull)))
				ereport(ERROR,
						(errcode(ERRCODE_MC_SEALED_CONTENT),
						 errmsg("%s of a vote does not change", fixed[i]),
						 errhint("A vote changes by voting again."), err_as_caller()));
	}
	/* the unique constraint says so, too, as long as nobody drops it */
	arguments[0] = row.value[CH_id];
	arguments[1] = row.value[CH_approval_round];
	arguments[2] = Int64GetDatum(person);
	arguments[3] = Int64GetDatum(hand);
	kept_plan_execute(has_voted_by(desc) ? &votes : &votes_before, arguments,
					  NULL, 1);
	others = DatumGetInt64(spi_first_value(2, &isnull));
	if (DatumGetInt64(spi_first_value(1, &isnull)) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT),
				 errmsg("\"%s\" has voted in this round", person_name(person)),
				 errhint("A vote changes by voting again."), err_as_caller()));
	if (others > 0 && !TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEGREGATION_OF_DUTIES),
				 errmsg("\"%s\" has given a vote on %s already", actor_name(),
						change_number_text(change_id_of(&row))),
				 errdetail("Whoever votes for somebody else gives that vote instead of one's own, and one only."),
				 errhint("Somebody else votes."), err_as_caller()));
	if (DatumGetInt32(part_value(tuple, desc, "round", &isnull)) !=
		DatumGetInt32(row.value[CH_approval_round]))
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY),
				 errmsg("the vote belongs to a round that is over"), err_as_caller()));

	vote_require_asked(&tally, model, &row, person,
					   !TRIGGER_FIRED_BY_INSERT(trigdata->tg_event));
	require_no_conflict(model, &row, person);
	require_no_conflict(model, &row, hand);
	/* nor does somebody who has part in it choose who votes */
	foreach(lc, made_by)
		require_no_conflict(model, &row, *(int64 *) lfirst(lc));

	if (!TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
	{
		decision = SPI_getvalue(tuple, desc, SPI_fnumber(desc, "decision"));
		reason = SPI_getvalue(tuple, desc, SPI_fnumber(desc, "reason"));
		if (strcmp(decision, "approved") != 0 &&
			(reason == NULL || strspn(reason, " \t\r\n") == strlen(reason)))
			ereport(ERROR,
					(errcode(ERRCODE_MC_REQUIREMENTS_UNMET),
					 errmsg("a vote that is not approved needs a reason"),
					 errdetail("reason: the vote says %s without a reason", decision),
					 errhint("Give it as the second argument."), err_as_caller()));
		at = DatumGetTimestampTz(part_value(tuple, desc, "voted_at", &isnull));
		if (!part_time_is_now(at))
			ereport(ERROR,
					(errcode(ERRCODE_MC_SEALED_CONTENT),
					 errmsg("voted_at of a vote is when it was given"),
					 errhint("A trigger of the site changed it; give it a name that sorts before zzzz_stamp_vote."), err_as_caller()));
		if (has_voted_by(desc))
		{
			int64		voted_by = DatumGetInt64(part_value(tuple, desc,
															"voted_by_id", &isnull));

			if (isnull ? person != hand : voted_by != hand || person == hand)
				ereport(ERROR,
						(errcode(ERRCODE_MC_SEALED_CONTENT),
						 errmsg("voted_by_id of a vote is who gave it for somebody else"),
						 errhint("A trigger of the site changed it; give it a name that sorts before zzzz_stamp_vote."), err_as_caller()));
		}
		change_seal(&row, model, seal);
		given = DatumGetByteaPP(part_value(tuple, desc, "seal", &isnull));
		if (DatumGetInt64(part_value(tuple, desc, "plan_revision", &isnull)) !=
			change_int64(&row, plan_revision) ||
			memcmp(VARDATA_ANY(given), seal, LEDGER_HASH_LENGTH) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_MC_SEALED_CONTENT),
					 errmsg("the seal of a vote is not written by hand"),
					 errhint("A trigger of the site changed it; give it a name that sorts before zzzz_stamp_vote."), err_as_caller()));
	}
	SPI_finish();
	return PointerGetDatum(NULL);
}

/* AFTER STATEMENT: where the votes decide, the change takes the step. */
Datum
vote_tally(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "vote_tally",
										 FOR_STATEMENT | AT_AFTER, "approval_vote");
	TupleDesc	desc;
	TupleTableSlot *slot;
	int64		last = 0;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	desc = RelationGetDescr(trigdata->tg_relation);
	slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	tuplestore_rescan(trigdata->tg_newtable);
	while (tuplestore_gettupleslot(trigdata->tg_newtable, true, false, slot))
	{
		HeapTuple	tuple = ExecCopySlotHeapTuple(slot);
		bool		isnull;
		int64		change_id = DatumGetInt64(part_value(tuple, desc,
														 "change_id", &isnull));
		ChangeRow	row;
		Tally		tally;

		CHECK_FOR_INTERRUPTS();
		if (change_id == last)
			continue;
		last = change_id;
		SPI_connect();
		(void) change_read(&row, change_id, true);
		if (votes_are_open(lifecycle_model(&row), &row))
		{
			tally_count(&tally, lifecycle_model(&row), &row, 0);
			if (tally.decision != VERB_NONE)
				lifecycle_take(&row, tally.decision,
							   tally.decision == VERB_APPROVE ? NULL :
							   tally_level(&tally)->reasons.data);
			/* the step to approved stores what was seen by itself */
			if (tally.decision != VERB_APPROVE &&
				strcmp(SPI_getvalue(tuple, desc, SPI_fnumber(desc, "decision")),
					   "approved") == 0)
				risk_assessment_store(&row, VERB_APPROVE);
		}
		SPI_finish();
	}
	ExecDropSingleTupleTableSlot(slot);
	return PointerGetDatum(NULL);
}

/* ----------------------------------------------------------------
 * Verbs
 * ---------------------------------------------------------------- */

/* What conditions are given as: titles, none of them blank. */
static void
conditions_check(ArrayType *conditions)
{
	Datum	   *titles;
	bool	   *nulls;
	int			count;

	deconstruct_array(conditions, TEXTOID, -1, false, TYPALIGN_INT, &titles,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char	   *title = nulls[i] ? NULL : TextDatumGetCString(titles[i]);

		if (title == NULL || title[strspn(title, " \t\r\n")] == '\0')
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
					 errmsg("condition %d says nothing", i + 1),
					 errhint("A condition is the title of a task that is done before the start.")));
	}
	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("no condition is given"),
				 errhint("changemgmt.approve() approves without one.")));
}

/*
 * Add the conditions that the change does not have yet, in their order; with
 * "look", only say whether there is one.
 */
static bool
conditions_add(const ChangeRow *row, Datum conditions, bool look)
{
#define NEW_CONDITIONS \
	" FROM pg_catalog.unnest($2) WITH ORDINALITY AS c(title, place)" \
	" WHERE NOT EXISTS (SELECT FROM changemgmt.change_task AS t" \
	"  WHERE t.change_id OPERATOR(pg_catalog.=) $1 AND t.is_condition" \
	"  AND t.phase OPERATOR(pg_catalog.=) 'preparation'" \
	"  AND t.title OPERATOR(pg_catalog.=) c.title)"
	static KeptPlan any = {
		"SELECT" NEW_CONDITIONS, 2, {INT8OID, TEXTARRAYOID}, NULL
	};
	static KeptPlan insert = {
		"INSERT INTO changemgmt.change_task"
		" (change_id, title, phase, position, is_condition)"
		" SELECT $1, pg_catalog.min(c.title), 'preparation',"
		" LEAST((SELECT COALESCE(pg_catalog.max(p.position), 0)"
		"  FROM changemgmt.change_task AS p"
		"  WHERE p.change_id OPERATOR(pg_catalog.=) $1"
		"  AND p.phase OPERATOR(pg_catalog.=) 'preparation')"
		" OPERATOR(pg_catalog.+) pg_catalog.row_number()"
		"  OVER (ORDER BY pg_catalog.min(c.place)), 2147483647)::pg_catalog.int4, true"
		NEW_CONDITIONS " GROUP BY c.title ORDER BY pg_catalog.min(c.place)",
		2, {INT8OID, TEXTARRAYOID}, NULL
	};
	Datum		arguments[2];

	arguments[0] = row->value[CH_id];
	arguments[1] = conditions;
	if (look)
		kept_plan_execute(&any, arguments, NULL, 1);
	else
		kept_plan_execute_input(&insert, arguments, NULL, 0);
	return SPI_processed > 0;
}

/*
 * One vote, again with what it was before where nothing is to be done: person
 * (0: who is acting), decision, conditions (0: none), reason and expected
 * revision in these arguments.
 */
static Datum
vote_give(FunctionCallInfo fcinfo, int64 person, const char *decision,
		  Datum conditions, int reason, int expected_revision)
{
	static KeptPlan insert = {
		"INSERT INTO changemgmt.approval_vote (change_id, person_id, decision, reason)"
		" VALUES ($1, $2, $3, $4)"
		" ON CONFLICT (change_id, round, person_id) DO UPDATE"
		" SET decision = excluded.decision, reason = excluded.reason",
		4, {INT8OID, INT8OID, TEXTOID, TEXTOID}, NULL
	};
	static KeptPlan same = {
		"SELECT FROM changemgmt.approval_vote AS v"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND person_id OPERATOR(pg_catalog.=) $2"
		" AND decision OPERATOR(pg_catalog.=) $3"
		" AND ($4 IS NULL OR reason OPERATOR(pg_catalog.=) $4)"
		" AND round OPERATOR(pg_catalog.=) $5"
		" AND ($6 IS NULL OR plan_revision OPERATOR(pg_catalog.=) $6"
		"  AND COALESCE((pg_catalog.to_jsonb(v) OPERATOR(pg_catalog.->>) 'voted_by_id')::pg_catalog.int8, person_id)"
		"   OPERATOR(pg_catalog.=) $7)",
		7, {INT8OID, INT8OID, TEXTOID, TEXTOID, INT4OID, INT8OID, INT8OID}, NULL
	};
	ChangeRow	row;
	int64		seen = 0;
	Datum		arguments[7];
	char		nulls[7] = {' ', ' ', ' ', ' ', ' ', ' ', ' '};
	bool		open;
	bool		voted;
	bool		more;
	Datum		result;

	SPI_connect();
	if (!PG_ARGISNULL(0))
	{
		change_find(&row, PG_GETARG_INT64(0), false);
		seen = change_int64(&row, plan_revision);
	}
	lifecycle_open(&row, fcinfo, expected_revision);
	/* nobody can have seen a plan that was committed while this one waited */
	if (change_int64(&row, plan_revision) != seen)
		ereport(ERROR,
				(errcode(ERRCODE_MC_CHANGE_MOVED_ON), err_as_caller(),
				 errmsg("the plan of %s was edited at this moment",
						change_number_text(change_id_of(&row))),
				 errhint("Read the plan again before you vote on it.")));
	arguments[0] = row.value[CH_id];
	arguments[6] = Int64GetDatum(actor_person_required());
	arguments[1] = person == 0 ? arguments[6] : Int64GetDatum(person);
	arguments[2] = CStringGetTextDatum(decision);
	arguments[3] = PG_GETARG_DATUM(reason);
	nulls[3] = PG_ARGISNULL(reason) ? 'n' : ' ';
	arguments[4] = row.value[CH_approval_round];
	/* the same again is nothing; once the outcome stands, all else is too late */
	open = votes_are_open(lifecycle_model(&row), &row);
	arguments[5] = row.value[CH_plan_revision];
	nulls[5] = open ? ' ' : 'n';
	kept_plan_execute(&same, arguments, nulls, 1);
	voted = SPI_processed > 0;
	more = conditions != (Datum) 0 && conditions_add(&row, conditions, true);
	if ((!voted || more) && !open)
		transition_illegal(&row, lifecycle_model(&row),
						   psprintf("a vote (%s)", decision));
	if (more)
	{
		const ChangeModel *model = lifecycle_model(&row);
		int64		voter = DatumGetInt64(arguments[1]);
		Tally		tally;

		/* before the vote, which may decide: they belong to what it says */
		tally_count(&tally, model, &row, voter);
		vote_require_asked(&tally, model, &row, voter, true);
		require_no_conflict(model, &row, voter);
		(void) conditions_add(&row, conditions, false);
	}
	if (!voted)
	{
		kept_plan_execute(&insert, arguments, nulls, 0);
		kept_plan_require_row(&insert, "the vote");
	}
	if (!voted || more)
		(void) change_read(&row, change_id_of(&row), false);
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

/* approve, reject, defer, abstain (change_id, reason, expected_revision) */
static Datum
vote(FunctionCallInfo fcinfo, const char *decision)
{
	return vote_give(fcinfo, 0, decision, (Datum) 0, 1, 2);
}

/* vote_for(change_id, person, decision, reason, expected_revision) */
Datum
vote_for(PG_FUNCTION_ARGS)
{
	static const char *const decisions[] = {
		"approved", "rejected", "deferred", "abstained"
	};

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("whom to vote for is missing"),
				 errhint("Name the login of who delegated the vote; approve, reject, defer and abstain give one's own.")));
	for (size_t i = 0; i < lengthof(decisions) && !PG_ARGISNULL(2); i++)
		if (strcmp(text_to_cstring(PG_GETARG_TEXT_PP(2)), decisions[i]) == 0)
			return vote_give(fcinfo,
							 DatumGetInt64(DirectFunctionCall1(person_id,
															   PG_GETARG_DATUM(1))),
							 decisions[i], (Datum) 0, 3, 4);
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT),
			 PG_ARGISNULL(2) ? errmsg("the decision is missing") :
			 errmsg("\"%s\" is no decision", text_to_cstring(PG_GETARG_TEXT_PP(2))),
			 errhint("A decision is approved, rejected, deferred or abstained.")));
	PG_RETURN_NULL();			/* not reached */
}

Datum
approve(PG_FUNCTION_ARGS)
{
	return vote(fcinfo, "approved");
}

/* approve_with_conditions(change_id, conditions, reason, expected_revision) */
Datum
approve_with_conditions(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("no condition is given"),
				 errhint("changemgmt.approve() approves without one.")));
	conditions_check(PG_GETARG_ARRAYTYPE_P(1));
	return vote_give(fcinfo, 0, "approved", PG_GETARG_DATUM(1), 2, 3);
}

Datum
reject(PG_FUNCTION_ARGS)
{
	return vote(fcinfo, "rejected");
}

Datum
defer(PG_FUNCTION_ARGS)
{
	return vote(fcinfo, "deferred");
}

Datum
abstain(PG_FUNCTION_ARGS)
{
	return vote(fcinfo, "abstained");
}

/* Whoever votes in a person's place may also confirm in it. */
static bool
stands_in(int64 from, int64 to)
{
	List	   *made_by;

	return delegation_find(NULL, from, to, &made_by);
}

void
approval_init(void)
{
	duty_register_delegate(stands_in);
	approval_segregation_init();
	approval_policy_init();
	approval_tally_init();
	change_part_register("approval_vote");
}
