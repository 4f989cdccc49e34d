/*-------------------------------------------------------------------------
 *
 * approval_tally.c
 *	  Who may vote on a change, and where the votes stand.
 *
 * Only fresh votes of eligible people count: those of the round under way that
 * are sealed to the plan as it is.  Eligible is whom the policy asks, less whoever
 * has a part in the change that the model keeps apart from approving.  What is
 * counted is counted anew each time: there is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "approval.h"
#include "compat.h"
#include "errors.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(approval_tally);

#define V(verb) VERB_BIT(VERB_##verb)

/* Eligible people with their vote of the round, if any. */
static KeptPlan votes_of_board = {
	"SELECT m.person_id, p.login, v.decision, v.plan_revision, v.seal, v.reason"
	" FROM changemgmt.board AS b"
	" JOIN changemgmt.board_member AS m ON m.board_id OPERATOR(pg_catalog.=) b.id"
	" JOIN changemgmt.person AS p ON p.id OPERATOR(pg_catalog.=) m.person_id"
	" LEFT JOIN changemgmt.approval_vote AS v"
	"  ON v.change_id OPERATOR(pg_catalog.=) $1"
	"  AND v.round OPERATOR(pg_catalog.=) $2"
	"  AND v.person_id OPERATOR(pg_catalog.=) m.person_id"
	" WHERE b.name OPERATOR(pg_catalog.=) $3 AND p.is_active"
	" AND m.valid_from OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
	" AND m.valid_until OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp()"
	" ORDER BY p.login",
	3, {INT8OID, INT4OID, TEXTOID}, NULL
};

/* A technical lead (of the team, or by seat), or the owner of an item. */
static KeptPlan votes_of_leads = {
	"SELECT p.id, p.login, v.decision, v.plan_revision, v.seal, v.reason"
	" FROM changemgmt.person AS p"
	" LEFT JOIN changemgmt.approval_vote AS v"
	"  ON v.change_id OPERATOR(pg_catalog.=) $1"
	"  AND v.round OPERATOR(pg_catalog.=) $2"
	"  AND v.person_id OPERATOR(pg_catalog.=) p.id"
	" WHERE p.is_active AND p.id OPERATOR(pg_catalog.=) ANY ("
	"  SELECT t.lead_id FROM changemgmt.team AS t"
	"  WHERE t.id OPERATOR(pg_catalog.=) $3"
	"  UNION ALL"
	"  SELECT ci.owner_id FROM changemgmt.change_item AS i"
	"  JOIN changemgmt.configuration_item AS ci"
	"   ON ci.id OPERATOR(pg_catalog.=) i.ci_id"
	"  WHERE i.change_id OPERATOR(pg_catalog.=) $1"
	"  UNION ALL"
	"  SELECT m.person_id FROM changemgmt.board_member AS m"
	"  WHERE m.seat OPERATOR(pg_catalog.=) 'technical_lead'"
	"  AND m.valid_from OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()"
	"  AND m.valid_until OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp())"
	" ORDER BY p.login",
	3, {INT8OID, INT4OID, INT8OID}, NULL
};

/* Read the eligible people and their votes; SPI_tuptable holds them. */
static void
votes_read(const ChangeModel *model, const ChangeRow *row)
{
	Datum		arguments[3];
	char		nulls[3] = {' ', ' ', ' '};

	arguments[0] = row->value[CH_id];
	arguments[1] = row->value[CH_approval_round];
	if (model->policy == POLICY_BOARD)
	{
		arguments[2] = CStringGetTextDatum(model->board);
		kept_plan_execute(&votes_of_board, arguments, nulls, 0);
	}
	else
	{
		arguments[2] = row->value[CH_team_id];
		nulls[2] = change_is_null(row, team_id) ? 'n' : ' ';
		kept_plan_execute(&votes_of_leads, arguments, nulls, 0);
	}
}

static void
tally_decide(Tally *tally)
{
	int			open = tally->eligible - tally->approved - tally->rejected -
		tally->deferred - tally->abstained;

	tally->decision = VERB_NONE;
	if (tally->eligible == 0)
		return;
	if (tally->approved >= tally->needed)
		tally->decision = VERB_APPROVE;
	else if (tally->rejected >= tally->needed)
		tally->decision = VERB_REJECT;
	else if (tally->deferred >= tally->needed)
		tally->decision = VERB_DEFER;
	else if (tally->eligible >= tally->needed &&
			 tally->approved + open < tally->needed &&
			 tally->rejected + tally->deferred > 0)
		/* it cannot be approved any more */
		tally->decision = tally->rejected >= tally->deferred ?
			VERB_REJECT : VERB_DEFER;
}

void
tally_count(Tally *tally, const ChangeModel *model, const ChangeRow *row)
{
	uint8		seal[LEDGER_HASH_LENGTH];
	bool		sealed = false;
	SPITupleTable *votes;
	uint64		count;
	List	   *delegated;
	List	   *hands;

	memset(tally, 0, sizeof(Tally));
	initStringInfo(&tally->waiting);
	initStringInfo(&tally->reasons);
	if (model->policy == POLICY_NONE)
		return;
	tally->needed = model->policy == POLICY_ONE ? 1 : model->approvals_needed;

	delegated = delegated_votes(row);
	hands = delegation_hands(model->policy == POLICY_BOARD ? model->board : NULL);
	votes_read(model, row);
	votes = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	tuple = votes->vals[i];
		TupleDesc	desc = votes->tupdesc;
		bool		isnull;
		bool		no_vote;
		int64		person = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		char	   *decision = SPI_getvalue(tuple, desc, 3);
		char	   *reason;
		bool		fresh = false;
		int64		hand = delegated_hand(delegated, person);

		if (approver_conflict(model, row, person) >= 0)
			continue;
		tally->eligible++;
		/* of a hand that has part in the change by now, it is as none */
		no_vote = decision == NULL ||
			(hand != 0 && approver_conflict(model, row, hand) >= 0);
		if (!no_vote)
		{
			int64		revision = DatumGetInt64(SPI_getbinval(tuple, desc, 4,
															   &isnull));
			bytea	   *given = DatumGetByteaPP(SPI_getbinval(tuple, desc, 5,
															  &isnull));

			fresh = revision == change_int64(row, plan_revision);
			if (!fresh)
			{
				if (!sealed)
					change_seal(row, model, seal);
				sealed = true;
				fresh = VARSIZE_ANY_EXHDR(given) == LEDGER_HASH_LENGTH &&
					memcmp(VARDATA_ANY(given), seal, LEDGER_HASH_LENGTH) == 0;
			}
			if (!fresh)
				tally->stale++;
		}
		if (!fresh)
		{
			OpenVote   *vote = palloc(sizeof(OpenVote));

			vote->person = person;
			vote->login = SPI_getvalue(tuple, desc, 2);
			vote->board = model->policy == POLICY_BOARD ? model->board : NULL;
			vote->is_stale = !no_vote;
			tally->open = lappend(tally->open, vote);
			text_list_add(&tally->waiting,
						  delegation_words(hands, person, vote->login));
			continue;
		}
		if (strcmp(decision, "approved") == 0)
			tally->approved++;
		else if (strcmp(decision, "rejected") == 0)
			tally->rejected++;
		else if (strcmp(decision, "deferred") == 0)
			tally->deferred++;
		else
			tally->abstained++;
		reason = SPI_getvalue(tuple, desc, 6);
		if (reason && (strcmp(decision, "rejected") == 0 ||
					   strcmp(decision, "deferred") == 0))
			appendStringInfo(&tally->reasons, "%s%s%s%s: %s",
							 tally->reasons.len > 0 ? "; " : "",
							 hand ? person_login(hand) : "",
							 hand ? " for " : "",
							 SPI_getvalue(tuple, desc, 2), reason);
	}
	SPI_freetuptable(votes);
	tally_decide(tally);
}

bool
votes_are_open(const ChangeModel *model, const ChangeRow *row)
{
	return (model_verbs(model, change_status(row), change_bool(row, on_hold)) &
			V(APPROVE)) != 0;
}

/* What the votes lack, in words; NULL where they approve. */
static char *
tally_missing(const Tally *tally, const ChangeModel *model)
{
	StringInfoData buf;

	if (tally->decision == VERB_APPROVE)
		return NULL;
	initStringInfo(&buf);
	appendStringInfo(&buf, "%d of %d approvals", tally->approved, tally->needed);
	if (model->policy == POLICY_BOARD)
		appendStringInfo(&buf, " of board %s", model->board);
	if (tally->stale > 0)
		appendStringInfo(&buf, ", %d given for another plan", tally->stale);
	if (tally->eligible == 0)
		appendStringInfoString(&buf, ", and there is nobody who may vote");
	else if (tally->eligible < tally->needed)
		appendStringInfo(&buf, ", and only %d %s may vote", tally->eligible,
						 tally->eligible == 1 ? "person" : "people");
	else if (tally->waiting.len > 0)
		appendStringInfo(&buf, ", waiting for %s", tally->waiting.data);
	return buf.data;
}

static char *
check_quorum(const Transition *t)
{
	Tally		tally;

	tally_count(&tally, t->model, t->row);
	if (tally.decision == t->verb)
		return NULL;
	if (t->verb == VERB_APPROVE)
		return tally_missing(&tally, t->model);
	return psprintf("the votes do not %s it: %d approved, %d rejected, %d deferred of %d that may vote",
					verb_name(t->verb), tally.approved, tally.rejected,
					tally.deferred, tally.eligible);
}
bool
person_is_eligible(const ChangeModel *model, const ChangeRow *row,
				   int64 person)
{
	bool		found = false;

	votes_read(model, row);
	for (uint64 i = 0; i < SPI_processed && !found; i++)
	{
		bool		isnull;

		found = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
											SPI_tuptable->tupdesc, 1,
											&isnull)) == person;
	}
	SPI_freetuptable(SPI_tuptable);
	return found;
}

/* approval_tally(change_id): where the votes on a change stand */
Datum
approval_tally(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ChangeRow	row;
	const ChangeModel *model;
	Tally		tally;
	Datum		values[9];
	bool		isnull[9] = {false};
	char	   *missing;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	change_find(&row, PG_GETARG_INT64(0), false);
	model = lifecycle_model(&row);
	tally_count(&tally, model, &row);
	missing = model->policy == POLICY_NONE ? NULL : tally_missing(&tally, model);
	isnull[0] = model->policy != POLICY_BOARD;
	values[0] = isnull[0] ? (Datum) 0 : CStringGetTextDatum(model->board);
	values[1] = Int32GetDatum(tally.needed);
	values[2] = Int32GetDatum(tally.eligible);
	values[3] = Int32GetDatum(tally.approved);
	values[4] = Int32GetDatum(tally.rejected);
	values[5] = Int32GetDatum(tally.deferred);
	values[6] = Int32GetDatum(tally.abstained);
	values[7] = Int32GetDatum(tally.stale);
	isnull[8] = missing == NULL;
	values[8] = missing ? CStringGetTextDatum(missing) : (Datum) 0;
	tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	SPI_finish();
	return (Datum) 0;
}

static const Requirement tally_requirements[] = {
	{"quorum", "Fresh votes of eligible people decide, as many as the model asks for.",
		"Eligible people vote with changemgmt.approve(%lld), reject, defer or abstain.",
	check_quorum, V(APPROVE) | V(REJECT) | V(DEFER), 0},
};

void
approval_tally_init(void)
{
	requirements_register(tally_requirements, lengthof(tally_requirements));
}
