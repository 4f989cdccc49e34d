/*-------------------------------------------------------------------------
 *
 * approval_delegation.c
 *	  Who votes in whose place.
 *
 * A delegation gives the seat of one person to another for a time, for one
 * board or for whatever that person is asked.  It is looked up when the vote is
 * judged, from giver to hand directly: what somebody holds by delegation is not
 * his own to give, so there are no chains, and a circle is two delegations.
 * Rows are only added and, once, revoked.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "approval.h"
#include "change_part.h"
#include "compat.h"
#include "errors.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(delegation_stamp);
PG_FUNCTION_INFO_V1(delegation_judge);
PG_FUNCTION_INFO_V1(revoke_delegation);

/*
 * Those that hold at this moment, for a board ($1) or, with null, for all; now()
 * adds nothing but what the index can find.
 */
#define DELEGATIONS_NOW \
	" FROM changemgmt.approval_delegation AS d" \
	" JOIN changemgmt.person AS p ON p.id OPERATOR(pg_catalog.=) d.from_person_id" \
	" JOIN changemgmt.person AS t ON t.id OPERATOR(pg_catalog.=) d.to_person_id" \
	" WHERE p.is_active AND t.is_active AND d.revoked_at IS NULL" \
	" AND d.valid_from OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()" \
	" AND d.valid_until OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp()" \
	" AND d.valid_until OPERATOR(pg_catalog.>) pg_catalog.now()" \
	" AND (d.board_id IS NULL OR EXISTS (SELECT FROM changemgmt.board AS b" \
	"  WHERE b.id OPERATOR(pg_catalog.=) d.board_id" \
	"  AND b.name OPERATOR(pg_catalog.=) $1))"

static Datum
board_argument(const char *board, char *nulls)
{
	nulls[0] = board ? ' ' : 'n';
	return board ? CStringGetTextDatum(board) : (Datum) 0;
}

bool
delegation_find(const char *board, int64 from, int64 to, List **made_by)
{
	/* locked: it is not revoked before the vote is there */
	static KeptPlan find = {
		"SELECT d.created_by_id" DELEGATIONS_NOW
		" AND d.from_person_id OPERATOR(pg_catalog.=) $2"
		" AND d.to_person_id OPERATOR(pg_catalog.=) $3 FOR SHARE OF d",
		3, {TEXTOID, INT8OID, INT8OID}, NULL
	};
	Datum		arguments[3];
	char		nulls[3] = {' ', ' ', ' '};

	*made_by = NIL;
	if (!relation_exists("approval_delegation"))
		return false;
	arguments[0] = board_argument(board, nulls);
	arguments[1] = Int64GetDatum(from);
	arguments[2] = Int64GetDatum(to);
	kept_plan_execute(&find, arguments, nulls, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		int64	   *person = palloc(sizeof(int64));

		*person = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
											  SPI_tuptable->tupdesc, 1, &isnull));
		if (*person == from)
		{
			/* what somebody else arranged besides does not matter */
			*made_by = list_make1(person);
			break;
		}
		*made_by = lappend(*made_by, person);
	}
	SPI_freetuptable(SPI_tuptable);
	return *made_by != NIL;
}

List *
delegation_givers(const char *board, int64 to)
{
	static KeptPlan givers = {
		"SELECT DISTINCT d.from_person_id" DELEGATIONS_NOW
		" AND d.to_person_id OPERATOR(pg_catalog.=) $2",
		2, {TEXTOID, INT8OID}, NULL
	};
	Datum		arguments[2];
	char		nulls[2] = {' ', ' '};
	List	   *result = NIL;

	if (!relation_exists("approval_delegation"))
		return NIL;
	arguments[0] = board_argument(board, nulls);
	arguments[1] = Int64GetDatum(to);
	kept_plan_execute(&givers, arguments, nulls, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		int64	   *person = palloc(sizeof(int64));

		*person = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
											  SPI_tuptable->tupdesc, 1, &isnull));
		result = lappend(result, person);
	}
	SPI_freetuptable(SPI_tuptable);
	return result;
}

List *
delegation_hands(const char *board, const ChangeModel *model,
				 const ChangeRow *row)
{
	/* one hand gives one vote a round */
	static KeptPlan hands = {
		"SELECT DISTINCT d.from_person_id, t.login, t.id" DELEGATIONS_NOW
		" AND NOT EXISTS (SELECT FROM changemgmt.approval_vote AS v"
		"  WHERE v.change_id OPERATOR(pg_catalog.=) $2"
		"  AND v.round OPERATOR(pg_catalog.=) $3"
		"  AND v.person_id OPERATOR(pg_catalog.<>) p.id"
		"  AND COALESCE(v.voted_by_id, v.person_id) OPERATOR(pg_catalog.=) t.id)"
		" ORDER BY 2",
		3, {TEXTOID, INT8OID, INT4OID}, NULL
	};
	Datum		arguments[3];
	char		nulls[3] = {' ', ' ', ' '};
	List	   *result = NIL;

	if (!relation_exists("approval_delegation"))
		return NIL;
	arguments[0] = board_argument(board, nulls);
	arguments[1] = row->value[CH_id];
	arguments[2] = row->value[CH_approval_round];
	kept_plan_execute(&hands, arguments, nulls, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		DelegatedHand *hand = palloc(sizeof(DelegatedHand));

		if (approver_conflict(model, row,
							  DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
														  SPI_tuptable->tupdesc,
														  3, &isnull))) >= 0)
			continue;
		hand->person = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
												   SPI_tuptable->tupdesc, 1,
												   &isnull));
		hand->login = SPI_getvalue(SPI_tuptable->vals[i],
								   SPI_tuptable->tupdesc, 2);
		result = lappend(result, hand);
	}
	SPI_freetuptable(SPI_tuptable);
	return result;
}

char *
delegation_words(const List *hands, int64 person)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, hands)
	{
		DelegatedHand *hand = lfirst(lc);

		if (hand->person == person)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? " or " : "", hand->login);
	}
	return buf.len > 0 ? buf.data : NULL;
}

List *
delegated_votes(const ChangeRow *row)
{
	static KeptPlan votes = {
		"SELECT person_id, voted_by_id FROM changemgmt.approval_vote"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND round OPERATOR(pg_catalog.=) $2 AND voted_by_id IS NOT NULL",
		2, {INT8OID, INT4OID}, NULL
	};
	Datum		arguments[2];
	List	   *result = NIL;

	if (!column_exists("approval_vote", "voted_by_id"))
		return NIL;
	arguments[0] = row->value[CH_id];
	arguments[1] = row->value[CH_approval_round];
	kept_plan_execute(&votes, arguments, NULL, 0);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		DelegatedVote *vote = palloc(sizeof(DelegatedVote));

		vote->person = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
												   SPI_tuptable->tupdesc, 1,
												   &isnull));
		vote->hand = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
												 SPI_tuptable->tupdesc, 2,
												 &isnull));
		result = lappend(result, vote);
	}
	SPI_freetuptable(SPI_tuptable);
	return result;
}

int64
delegated_hand(const List *votes, int64 person)
{
	ListCell   *lc;

	foreach(lc, votes)
		if (((DelegatedVote *) lfirst(lc))->person == person)
			return ((DelegatedVote *) lfirst(lc))->hand;
	return 0;
}

/* ----------------------------------------------------------------
 * Triggers of approval_delegation
 * ---------------------------------------------------------------- */

static TimestampTz
time_of(HeapTuple tuple, TupleDesc desc, const char *column, bool *isnull)
{
	Datum		value = part_value(tuple, desc, column, isnull);

	return *isnull ? 0 : DatumGetTimestampTz(value);
}

pg_noreturn static void
wrong(const char *problem, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("%s", problem), hint ? errhint("%s", hint) : 0));
	pg_unreachable();
}

/* MC008 for what no delegation can be; the table's constraints say it of history. */
static void
form_check(HeapTuple tuple, TupleDesc desc)
{
	bool		no_from;
	bool		no_until;
	TimestampTz from = time_of(tuple, desc, "valid_from", &no_from);
	TimestampTz until = time_of(tuple, desc, "valid_until", &no_until);

	if (part_id(tuple, desc, "to_person_id") == 0)
		wrong("a delegation needs somebody who acts", NULL);
	if (part_id(tuple, desc, "to_person_id") == part_id(tuple, desc, "from_person_id"))
		wrong("nobody delegates to oneself", "Name somebody else.");
	if (no_from || no_until || TIMESTAMP_NOT_FINITE(from) ||
		TIMESTAMP_NOT_FINITE(until))
		wrong("a delegation has a beginning and an end",
			  "Give valid_from and valid_until; it can be made again.");
	if (until <= from)
		wrong("a delegation ends after its beginning", NULL);
	if (until <= GetCurrentTimestamp())
		wrong("a delegation that is over already is of no use",
			  "Give a valid_until that is yet to come.");
}

/* BEFORE ROW: who made it and when, or who revoked it. */
Datum
delegation_stamp(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "delegation_stamp",
										 FOR_ROW | AT_BEFORE,
										 "approval_delegation");
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event);
	HeapTuple	tuple = update ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	int			columns[4];
	Datum		values[4];
	bool		nulls[4] = {false};
	int			count = 0;
	bool		isnull;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(tuple);
	if (update)
	{
		(void) time_of(tuple, desc, "revoked_at", &isnull);
		if (isnull || !part_equal(trigdata->tg_trigtuple, tuple, desc, "revoked_at"))
		{
			columns[count] = SPI_fnumber(desc, "revoked_by_id");
			nulls[count] = isnull;
			values[count++] = isnull ? (Datum) 0 :
				Int64GetDatum(actor_person_required());
		}
		if (!isnull && !part_equal(trigdata->tg_trigtuple, tuple, desc, "revoked_at"))
		{
			columns[count] = SPI_fnumber(desc, "revoked_at");
			values[count++] = TimestampTzGetDatum(GetCurrentTimestamp());
		}
	}
	else
	{
		if (part_id(tuple, desc, "from_person_id") == 0)
		{
			columns[count] = SPI_fnumber(desc, "from_person_id");
			values[count++] = Int64GetDatum(actor_person_required());
		}
		columns[count] = SPI_fnumber(desc, "created_by_id");
		values[count++] = Int64GetDatum(actor_person_required());
		columns[count] = SPI_fnumber(desc, "created_at");
		values[count++] = TimestampTzGetDatum(GetCurrentTimestamp());
	}
	if (count > 0)
		tuple = heap_modify_tuple_by_cols(tuple, desc, count, columns, values,
										  nulls);
	if (!update)
		form_check(tuple, desc);
	return PointerGetDatum(tuple);
}

/* Who may give or take back what is a person's: that person, or a manager. */
static void
require_own(int64 from, const char *what)
{
	int64		actor = actor_person_required();

	if (from != actor && !person_is_manager(actor))
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
				 errmsg("\"%s\" may not %s \"%s\"", actor_name(), what,
						person_login(from)),
				 errhint("That person does it, or whoever holds the seat change_manager on a board.")));
}

static void
judge_insert(HeapTuple tuple, TupleDesc desc)
{
	static KeptPlan active = {
		"SELECT login, is_active FROM changemgmt.person"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	static KeptPlan seat = {
		"SELECT FROM changemgmt.board_member"
		" WHERE board_id OPERATOR(pg_catalog.=) $1"
		" AND person_id OPERATOR(pg_catalog.=) $2"
		" AND valid_from OPERATOR(pg_catalog.<) $4"
		" AND valid_until OPERATOR(pg_catalog.>) $3",
		4, {INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID}, NULL
	};
	static const char *const people[] = {"from_person_id", "to_person_id"};
	int64		from = part_id(tuple, desc, "from_person_id");
	int64		to = part_id(tuple, desc, "to_person_id");
	int64		actor = actor_person_required();
	bool		isnull;
	bool		revoked;
	Datum		arguments[4];

	form_check(tuple, desc);
	(void) time_of(tuple, desc, "revoked_at", &isnull);
	revoked = !isnull || part_id(tuple, desc, "revoked_by_id") != 0;
	if (revoked || part_id(tuple, desc, "created_by_id") != actor ||
		!part_time_is_now(time_of(tuple, desc, "created_at", &isnull)))
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("who made a delegation, and when, and that it was revoked is not written by hand"),
				 errhint("Leave the columns out: they are filled in.")));
	require_own(from, "delegate for");
	if (to == actor)
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEGREGATION_OF_DUTIES), err_as_caller(),
				 errmsg("\"%s\" cannot take the vote of \"%s\" for oneself",
						actor_name(), person_login(from)),
				 errhint("That person delegates it, or another change manager does.")));
	for (size_t i = 0; i < lengthof(people); i++)
	{
		arguments[0] = Int64GetDatum(part_id(tuple, desc, people[i]));
		kept_plan_execute(&active, arguments, NULL, 1);
		if (SPI_processed > 0 && !DatumGetBool(spi_first_value(2, &isnull)))
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
					 errmsg("person \"%s\" is no longer active",
							SPI_getvalue(SPI_tuptable->vals[0],
										 SPI_tuptable->tupdesc, 1)),
					 errdetail("People who have left neither vote nor have others vote for them.")));
	}
	arguments[0] = part_value(tuple, desc, "board_id", &isnull);
	if (isnull)
		return;
	arguments[1] = Int64GetDatum(from);
	arguments[2] = part_value(tuple, desc, "valid_from", &isnull);
	arguments[3] = part_value(tuple, desc, "valid_until", &isnull);
	kept_plan_execute(&seat, arguments, NULL, 1);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
				 errmsg("\"%s\" has no seat on that board to delegate", person_login(from)),
				 errhint("Nobody delegates what one could not do.")));
}

/* AFTER ROW: the delegation as it was stored. */
Datum
delegation_judge(PG_FUNCTION_ARGS)
{
	static const char *const fixed[] = {
		"id", "from_person_id", "to_person_id", "valid_from", "valid_until",
		"board_id", "reason", "created_by_id", "created_at", NULL
	};
	TriggerData *trigdata = trigger_data(fcinfo, "delegation_judge",
										 FOR_ROW | AT_AFTER,
										 "approval_delegation");
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	HeapTuple	old = trigdata->tg_trigtuple;
	HeapTuple	new = trigdata->tg_newtuple;
	bool		was_open;
	bool		is_open;
	TimestampTz revoked_at;

	if (ledger_is_history(trigdata))
		return PointerGetDatum(NULL);
	SPI_connect();
	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
	{
		judge_insert(old, desc);
		SPI_finish();
		return PointerGetDatum(NULL);
	}
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ||
		!part_same(old, new, desc, fixed))
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
				 errmsg("a delegation is neither changed nor deleted"),
				 errhint("changemgmt.revoke_delegation() ends it; then make another.")));
	(void) time_of(old, desc, "revoked_at", &was_open);
	revoked_at = time_of(new, desc, "revoked_at", &is_open);
	if (!was_open && (!part_equal(old, new, desc, "revoked_at") ||
					  !part_equal(old, new, desc, "revoked_by_id")))
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
				 errmsg("a delegation that was revoked stays so"),
				 errhint("changemgmt.delegate_approval() makes another.")));
	if (was_open && !is_open)
	{
		require_own(part_id(new, desc, "from_person_id"), "revoke a delegation of");
		if (!part_time_is_now(revoked_at) ||
			part_id(new, desc, "revoked_by_id") != actor_person_required())
			ereport(ERROR,
					(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
					 errmsg("who revoked a delegation, and when, is not written by hand"),
					 errhint("A trigger of the site changed it; give it a name that sorts before zzzz_stamp.")));
	}
	else if (was_open && part_id(new, desc, "revoked_by_id") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
				 errmsg("nobody has revoked this delegation")));
	SPI_finish();
	return PointerGetDatum(NULL);
}

/* revoke_delegation(id bigint) returns boolean */
Datum
revoke_delegation(PG_FUNCTION_ARGS)
{
	static KeptPlan revoke = {
		"UPDATE changemgmt.approval_delegation"
		" SET revoked_at = pg_catalog.now()"
		" WHERE id OPERATOR(pg_catalog.=) $1 AND revoked_at IS NULL",
		1, {INT8OID}, NULL
	};
	static KeptPlan find = {
		"SELECT FROM changemgmt.approval_delegation"
		" WHERE id OPERATOR(pg_catalog.=) $1 AND revoked_at IS NOT NULL",
		1, {INT8OID}, NULL
	};
	Datum		id = PG_GETARG_DATUM(0);
	bool		revoked;

	SPI_connect();
	kept_plan_execute(&revoke, &id, NULL, 0);
	revoked = SPI_processed > 0;
	if (!revoked)
	{
		kept_plan_execute(&find, &id, NULL, 1);
		if (SPI_processed == 0)
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
					 errmsg("delegation " INT64_FORMAT " does not exist",
							DatumGetInt64(id)),
					 errhint("SELECT * FROM changemgmt.approval_delegation lists them.")));
	}
	SPI_finish();
	PG_RETURN_BOOL(revoked);
}
