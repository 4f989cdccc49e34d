/*-------------------------------------------------------------------------
 *
 * approval_tally.c
 *	  Who may vote on a change, and where the votes stand.
 *
 * Only fresh votes of eligible people count: those of the round under way that
 * are sealed to the plan as it is.  Eligible at a level is whom it asks, less
 * whoever has a part in the change that the model keeps apart from approving.
 * The levels of the policy that holds are decided in their order; a vote counts
 * at each level that asks its voter.  All arithmetic is of integers.  What is
 * counted is counted anew each time: there is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "approval.h"
#include "compat.h"
#include "errors.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(approval_tally);
PG_FUNCTION_INFO_V1(approval_levels);

#define V(verb) VERB_BIT(VERB_##verb)

/* ----------------------------------------------------------------
 * Voters
 * ---------------------------------------------------------------- */

/* Why somebody is asked. */
typedef enum VoterSource
{
	FROM_BOARD,
	FROM_LEADS,
	FROM_NAMES
} VoterSource;

/* Somebody whom a level may ask, with the vote of the round, if any. */
typedef struct Voter
{
	VoterSource source;
	int64		person;
	char	   *login;
	char	   *board;			/* FROM_BOARD */
	char	   *seat;
	int64		hand;			/* who gave the vote in that person's place */
	bool		kept_apart;
	Verb		vote;			/* VERB_EDIT: an abstention; VERB_NONE: none fresh */
	bool		stale;
	char	   *reason;
} Voter;

#define ABSTENTION VERB_EDIT

#define VOTER_COLUMNS "p.id, p.login, v.decision, v.plan_revision, v.seal, v.reason"
#define VOTE_OF_PERSON \
	" FROM changemgmt.person AS p" \
	" LEFT JOIN changemgmt.approval_vote AS v" \
	"  ON v.change_id OPERATOR(pg_catalog.=) $1" \
	"  AND v.round OPERATOR(pg_catalog.=) $2" \
	"  AND v.person_id OPERATOR(pg_catalog.=) p.id"

/* Members of one board. */
static KeptPlan voters_of_board = {
	"SELECT m.person_id, p.login, v.decision, v.plan_revision, v.seal, v.reason, m.seat"
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
static KeptPlan voters_of_leads = {
	"SELECT " VOTER_COLUMNS VOTE_OF_PERSON
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

/* One person: by id where it is known, else by login. */
static KeptPlan voter_by_name = {
	"SELECT " VOTER_COLUMNS VOTE_OF_PERSON
	" WHERE p.is_active AND p.id OPERATOR(pg_catalog.=)"
	" CASE WHEN $3 OPERATOR(pg_catalog.>) 0 THEN $3"
	"  ELSE (SELECT n.id FROM changemgmt.person AS n"
	"   WHERE n.login OPERATOR(pg_catalog.=) $4) END",
	4, {INT8OID, INT4OID, INT8OID, TEXTOID}, NULL
};

/* The plan that fresh votes are for, hashed when it is first asked for. */
typedef struct PlanSeal
{
	bool		known;
	uint8		hash[LEDGER_HASH_LENGTH];
} PlanSeal;

/* What the plan executed last returned becomes voters. */
static List *
voters_add(List *voters, VoterSource source, char *board,
		   const ChangeModel *model, const ChangeRow *row,
		   const List *delegated, PlanSeal *seal)
{
	SPITupleTable *table = SPI_tuptable;
	uint64		count = SPI_processed;

	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	tuple = table->vals[i];
		TupleDesc	desc = table->tupdesc;
		Voter	   *voter = palloc0(sizeof(Voter));
		bool		isnull;
		char	   *decision = SPI_getvalue(tuple, desc, 3);

		voter->source = source;
		voter->board = board;
		voter->person = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		voter->login = SPI_getvalue(tuple, desc, 2);
		voter->kept_apart = approver_conflict(model, row, voter->person) >= 0;
		if (source == FROM_BOARD)
			voter->seat = SPI_getvalue(tuple, desc, 7);
		voter->hand = delegated_hand(delegated, voter->person);
		voters = lappend(voters, voter);
		/* of a hand that has part in the change by now, it is as none */
		if (decision == NULL ||
			(voter->hand != 0 &&
			 approver_conflict(model, row, voter->hand) >= 0))
			continue;
		if (DatumGetInt64(SPI_getbinval(tuple, desc, 4, &isnull)) !=
			change_int64(row, plan_revision))
		{
			bytea	   *given = DatumGetByteaPP(SPI_getbinval(tuple, desc, 5,
															  &isnull));

			if (!seal->known)
				change_seal(row, model, seal->hash);
			seal->known = true;
			voter->stale = VARSIZE_ANY_EXHDR(given) != LEDGER_HASH_LENGTH ||
				memcmp(VARDATA_ANY(given), seal->hash, LEDGER_HASH_LENGTH) != 0;
			if (voter->stale)
				continue;
		}
		if (strcmp(decision, "approved") == 0)
			voter->vote = VERB_APPROVE;
		else if (strcmp(decision, "rejected") == 0)
			voter->vote = VERB_REJECT;
		else if (strcmp(decision, "deferred") == 0)
			voter->vote = VERB_DEFER;
		else
			voter->vote = ABSTENTION;
		voter->reason = SPI_getvalue(tuple, desc, 6);
	}
	SPI_freetuptable(table);
	return voters;
}

/* Whether a level asks a voter, by that of the voter's which it asks for. */
static bool
level_asks(const ApprovalLevel *level, const Voter *voter)
{
	if (level->rule == RULE_ONE)
		return level->person == NULL ? voter->source == FROM_LEADS :
			voter->source == FROM_NAMES &&
			(level->person_id > 0 ? voter->person == level->person_id :
			 strcmp(voter->login, level->person) == 0);
	return voter->source == FROM_BOARD &&
		strcmp(voter->board, level->board) == 0 &&
		(level->rule != RULE_SEATS || level_has_seat(level->seats, voter->seat));
}

/* Whether an earlier level of these has read the voters of this one. */
static bool
voters_are_read(const List *read, const ApprovalLevel *level)
{
	ListCell   *lc;

	foreach(lc, read)
	{
		const ApprovalLevel *other = lfirst(lc);

		if (level->board ?
			other->board && strcmp(other->board, level->board) == 0 :
			!other->board &&
			(level->person ? other->person &&
			 other->person_id == level->person_id &&
			 strcmp(other->person, level->person) == 0 :
			 other->person == NULL))
			return true;
	}
	return false;
}

/* Everybody whom a level of these policies may ask. */
static List *
voters_read(const List *policies, const ChangeModel *model,
			const ChangeRow *row)
{
	List	   *voters = NIL;
	List	   *read = NIL;
	List	   *delegated = delegated_votes(row);
	PlanSeal	seal = {0};
	ListCell   *lp;
	ListCell   *ll;

	foreach(lp, policies)
		foreach(ll, ((ApprovalPolicy *) lfirst(lp))->levels)
	{
		ApprovalLevel *level = lfirst(ll);
		Datum		arguments[4];
		char		nulls[4] = {' ', ' ', ' ', ' '};

		if (voters_are_read(read, level))
			continue;
		read = lappend(read, level);
		arguments[0] = row->value[CH_id];
		arguments[1] = row->value[CH_approval_round];
		if (level->board)
		{
			arguments[2] = CStringGetTextDatum(level->board);
			kept_plan_execute(&voters_of_board, arguments, nulls, 0);
			voters = voters_add(voters, FROM_BOARD, level->board, model, row,
								delegated, &seal);
		}
		else if (level->person)
		{
			arguments[2] = Int64GetDatum(level->person_id);
			arguments[3] = CStringGetTextDatum(level->person);
			kept_plan_execute(&voter_by_name, arguments, nulls, 0);
			voters = voters_add(voters, FROM_NAMES, NULL, model, row, delegated,
								&seal);
		}
		else
		{
			arguments[2] = row->value[CH_team_id];
			nulls[2] = change_is_null(row, team_id) ? 'n' : ' ';
			kept_plan_execute(&voters_of_leads, arguments, nulls, 0);
			voters = voters_add(voters, FROM_LEADS, NULL, model, row, delegated,
								&seal);
		}
	}
	return voters;
}

/* ----------------------------------------------------------------
 * The tally
 * ---------------------------------------------------------------- */

/* How many approvals a level needs of so many people, rounded up. */
static int64
level_needs(const ApprovalLevel *level, int64 people)
{
	switch (level->rule)
	{
		case RULE_ONE:
		case RULE_ANY:
			return 1;
		case RULE_COUNT:
			return level->needed;
		case RULE_ALL:
			return people;
		case RULE_PERCENT:
			return (people * level->percent + 99) / 100;
		case RULE_SEATS:
			return list_length(level->seats);
	}
	return 0;					/* keep compiler quiet */
}

/* What more of those who did not approve said; between equals, rejected. */
static Verb
level_refusal(const LevelTally *t)
{
	return t->rejected >= t->deferred ? VERB_REJECT : VERB_DEFER;
}

/* Each named seat has to approve; see docs/approval.md. */
static Verb
seats_decision(const LevelTally *t)
{
	int			count = list_length(t->level->seats);
	int			approved = 0;
	int			rejected = 0;
	int			deferred = 0;
	bool		lost = false;

	for (int i = 0; i < count; i++)
	{
		const SeatTally *s = &t->seats[i];

		if (s->eligible == 0)
			return VERB_NONE;
		approved += s->approved > 0;
		rejected += s->rejected > 0;
		deferred += s->deferred > 0;
		lost |= s->approved == 0 && s->rejected + s->deferred > 0 &&
			s->rejected + s->deferred + s->abstained == s->eligible;
	}
	if (approved == count)
		return VERB_APPROVE;
	if (rejected == count)
		return VERB_REJECT;
	if (deferred == count)
		return VERB_DEFER;
	return lost ? level_refusal(t) : VERB_NONE;
}

static Verb
level_decision(const LevelTally *t)
{
	int64		open = t->eligible - t->approved - t->rejected - t->deferred -
		t->abstained;

	/* of nobody there is no part, and nobody agrees for all */
	if (t->eligible == 0 || t->eligible == t->abstained)
		return VERB_NONE;
	if (t->seats)
		return seats_decision(t);
	if (t->approved >= t->needed)
		return VERB_APPROVE;
	if (t->rejected >= t->needed)
		return VERB_REJECT;
	if (t->deferred >= t->needed)
		return VERB_DEFER;
	/* it cannot be approved any more */
	if (t->eligible >= t->needed && t->approved + open < t->needed &&
		t->rejected + t->deferred > 0)
		return level_refusal(t);
	return VERB_NONE;
}

static void
level_count(LevelTally *t, const ApprovalLevel *level, const List *voters,
			int64 left_out)
{
	ListCell   *lc;

	memset(t, 0, sizeof(LevelTally));
	t->level = level;
	initStringInfo(&t->reasons);
	if (level->rule == RULE_SEATS)
		t->seats = palloc0(list_length(level->seats) * sizeof(SeatTally));
	foreach(lc, voters)
	{
		const Voter *voter = lfirst(lc);
		bool		counts = voter->person != left_out;
		SeatTally  *seat = NULL;

		if (!level_asks(level, voter))
			continue;
		t->asks_voter |= !counts;
		if (voter->kept_apart)
			continue;
		for (int i = 0; t->seats && i < list_length(level->seats); i++)
			if (strcmp(list_nth(level->seats, i), voter->seat) == 0)
				seat = &t->seats[i];
		t->eligible++;
		if (seat)
			seat->eligible++;
		if (counts && voter->stale)
			t->stale++;
		if (!counts || voter->vote == VERB_NONE)
		{
			OpenVote   *open = palloc(sizeof(OpenVote));

			open->person = voter->person;
			open->login = voter->login;
			open->board = level->board;
			open->is_stale = counts && voter->stale;
			t->waiting = lappend(t->waiting, open);
			continue;
		}
		if (voter->vote == VERB_APPROVE)
		{
			t->approved++;
			if (seat)
				seat->approved++;
		}
		else if (voter->vote == VERB_REJECT)
		{
			t->rejected++;
			if (seat)
				seat->rejected++;
		}
		else if (voter->vote == VERB_DEFER)
		{
			t->deferred++;
			if (seat)
				seat->deferred++;
		}
		else
		{
			t->abstained++;
			if (seat)
				seat->abstained++;
		}
		if (voter->reason &&
			(voter->vote == VERB_REJECT || voter->vote == VERB_DEFER))
			appendStringInfo(&t->reasons, "%s%s%s%s: %s",
							 t->reasons.len > 0 ? "; " : "",
							 voter->hand ? person_login(voter->hand) : "",
							 voter->hand ? " for " : "",
							 voter->login, voter->reason);
	}
	t->needed = Max(1, level_needs(level, t->eligible - t->abstained));
	t->decision = level_decision(t);
}

static int
person_compare(const void *a, const void *b)
{
	int64		one = *(const int64 *) a;
	int64		other = *(const int64 *) b;

	return one < other ? -1 : one > other;
}

/*
 * How many people have to approve at the least for a policy, of those who
 * have not abstained.  Whoever approves at one level does so at each other that
 * asks the person, too, so a level adds as many people as it needs less those.
 */
static int64
policy_asks(const ApprovalPolicy *policy, const List *voters, int64 left_out)
{
	/* whom the levels before ask, in order of their ids */
	int64	   *asked = palloc(Max(1, list_length(voters) *
								   list_length(policy->levels)) * sizeof(int64));
	int			before = 0;
	int64		asks = 0;
	ListCell   *lc;
	ListCell   *lv;

	foreach(lc, policy->levels)
	{
		const ApprovalLevel *level = lfirst(lc);
		int			count = before;
		int64		again = 0;
		int64		needs;

		foreach(lv, voters)
		{
			const Voter *voter = lfirst(lv);

			if (voter->kept_apart || !level_asks(level, voter) ||
				(voter->vote == ABSTENTION && voter->person != left_out))
				continue;
			again += bsearch(&voter->person, asked, before, sizeof(int64),
							 person_compare) != NULL;
			asked[count++] = voter->person;
		}
		needs = Max(1, level_needs(level, count - before));
		asks += needs - Min(needs, Min(again, asks));
		before = count;
		qsort(asked, before, sizeof(int64), person_compare);
	}
	pfree(asked);
	return asks;
}

void
tally_count(Tally *tally, const ChangeModel *model, const ChangeRow *row,
			int64 left_out)
{
	List	   *voters;
	ListCell   *lc;

	memset(tally, 0, sizeof(Tally));
	tally->model = model;
	tally->row = row;
	tally->policies = approval_policies(model, row);
	if (tally->policies == NIL)
		return;
	voters = voters_read(tally->policies, model, row);
	foreach(lc, tally->policies)
	{
		ApprovalPolicy *policy = lfirst(lc);

		policy->asks = policy_asks(policy, voters, left_out);
	}
	tally->policy = approval_policy_strictest(tally->policies);
	tally->count = list_length(tally->policy->levels);
	tally->levels = palloc(tally->count * sizeof(LevelTally));
	for (int i = 0; i < tally->count; i++)
		level_count(&tally->levels[i], list_nth(tally->policy->levels, i),
					voters, left_out);
	while (tally->open < tally->count &&
		   tally->levels[tally->open].decision == VERB_APPROVE)
		tally->open++;
	tally->decision = tally->open == tally->count ? VERB_APPROVE :
		tally->levels[tally->open].decision;
}

bool
votes_are_open(const ChangeModel *model, const ChangeRow *row)
{
	return (model_verbs(model, change_status(row), change_bool(row, on_hold)) &
			V(APPROVE)) != 0;
}

/* ----------------------------------------------------------------
 * In words
 * ---------------------------------------------------------------- */

/* Who has not voted, with who may in their place. */
static char *
waiting_text(const Tally *tally, const LevelTally *t)
{
	List	   *hands = delegation_hands(t->level->board, tally->model,
										 tally->row);
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, t->waiting)
	{
		OpenVote   *vote = lfirst(lc);
		char	   *others = delegation_words(hands, vote->person);

		text_list_add(&buf, others ? psprintf("%s (or %s for %s)", vote->login,
											  others, vote->login) : vote->login);
	}
	return buf.data;
}

static void
seats_missing(StringInfo buf, const LevelTally *t)
{
	const char *board = t->level->board;
	StringInfoData without;
	int			count = 0;

	initStringInfo(&without);
	for (int i = 0; i < list_length(t->level->seats); i++)
		if (t->seats[i].approved == 0)
		{
			count++;
			text_list_add(&without, list_nth(t->level->seats, i));
		}
	appendStringInfo(buf, "no approval of the seat%s %s of board %s",
					 count == 1 ? "" : "s", without.data, board);
	if (t->stale > 0)
		appendStringInfo(buf, ", %d given for another plan", t->stale);
	for (int i = 0; i < list_length(t->level->seats); i++)
	{
		const SeatTally *s = &t->seats[i];

		if (s->eligible == 0)
			appendStringInfo(buf, ", and nobody who may vote holds the seat %s",
							 (char *) list_nth(t->level->seats, i));
		else if (s->eligible == s->abstained)
			appendStringInfo(buf, ", and everybody in the seat %s has abstained",
							 (char *) list_nth(t->level->seats, i));
	}
}

/* What the votes on a level lack; NULL where they approve. */
static char *
level_missing(const Tally *tally, const LevelTally *t)
{
	StringInfoData buf;
	int			reachable = t->eligible - t->abstained;

	if (t->decision == VERB_APPROVE)
		return NULL;
	initStringInfo(&buf);
	if (t->seats)
		seats_missing(&buf, t);
	else
	{
		appendStringInfo(&buf, "%d of " INT64_FORMAT " approvals", t->approved,
						 t->needed);
		if (t->level->board)
			appendStringInfo(&buf, " of board %s", t->level->board);
		if (t->level->rule == RULE_PERCENT)
			appendStringInfo(&buf, " (%d %% of %d)", t->level->percent,
							 reachable);
		else if (t->level->rule == RULE_ALL)
			appendStringInfoString(&buf, " (all)");
		if (t->stale > 0)
			appendStringInfo(&buf, ", %d given for another plan", t->stale);
	}
	if (!t->seats && t->eligible == 0)
		appendStringInfoString(&buf, ", and there is nobody who may vote");
	else if (!t->seats && reachable == 0)
		appendStringInfoString(&buf, ", and everybody has abstained");
	else if (!t->seats && t->eligible < t->needed)
		appendStringInfo(&buf, ", and only %d %s may vote", t->eligible,
						 t->eligible == 1 ? "person" : "people");
	else if (!t->seats && reachable < t->needed)
		appendStringInfo(&buf, ", and only %d %s not abstained", reachable,
						 reachable == 1 ? "person has" : "people have");
	else if (t->waiting != NIL)
		appendStringInfo(&buf, ", waiting for %s", waiting_text(tally, t));
	return buf.data;
}

/* What the votes lack, in words; NULL where they approve. */
static char *
tally_missing(const Tally *tally)
{
	const LevelTally *t = tally_level(tally);

	if (tally->count == 0 || tally->decision == VERB_APPROVE)
		return NULL;
	if (tally->count == 1)
		return level_missing(tally, t);
	return psprintf("level %d: %s", t->level->level, level_missing(tally, t));
}

static char *
check_quorum(const Transition *t)
{
	Tally		tally;
	const LevelTally *level;

	tally_count(&tally, t->model, t->row, 0);
	if (tally.decision == t->verb)
		return NULL;
	if (t->verb == VERB_APPROVE)
		return tally_missing(&tally);
	level = tally_level(&tally);
	return psprintf("the votes do not %s it: %d approved, %d rejected, %d deferred of %d that may vote",
					verb_name(t->verb), level ? level->approved : 0,
					level ? level->rejected : 0, level ? level->deferred : 0,
					level ? level->eligible : 0);
}

/* ----------------------------------------------------------------
 * Who may vote
 * ---------------------------------------------------------------- */

bool
tally_asks(const Tally *tally)
{
	for (int i = 0; i < tally->count; i++)
		if (tally->levels[i].asks_voter)
			return true;
	return false;
}

/* "Policy "x"", or the model. */
static char *
policy_subject(const Tally *tally, const ChangeModel *model)
{
	if (tally->policy && tally->policy->name)
		return psprintf("Policy \"%s\"", tally->policy->name);
	return psprintf("Model \"%s\"", model->key);
}

void
vote_require_asked(const Tally *tally, const ChangeModel *model,
				   const ChangeRow *row, int64 person, bool given)
{
	const LevelTally *level = tally_level(tally);
	bool		asked = false;
	bool		now = false;
	bool		later = false;
	char	   *login = person_login(person);

	for (int i = 0; i < tally->count; i++)
	{
		if (!tally->levels[i].asks_voter)
			continue;
		asked = true;
		now |= i == tally->open || tally->open == tally->count ||
			(given && i < tally->open);
		later |= i > tally->open;
	}
	if (now)
		return;
	if (login == NULL)
		login = "somebody";
	if (!asked)
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED),
				 errmsg("\"%s\" may not vote on %s", login,
						change_number_text(change_id_of(row))),
				 level == NULL ? errdetail("Nobody is asked.") :
				 tally->count == 1 ?
				 errdetail("%s asks %s.", policy_subject(tally, model),
						   level_people(level->level)) :
				 errdetail("%s asks %s at level %d.",
						   policy_subject(tally, model),
						   level_people(level->level), level->level->level),
				 errhint("SELECT missing FROM changemgmt.approval_tally(" INT64_FORMAT ") names who may.",
						 change_id_of(row)),
				 err_as_caller()));
	ereport(ERROR,
			(errcode(ERRCODE_MC_NOT_PERMITTED),
			 later ?
			 errmsg("\"%s\" may not vote on %s yet: level %d is open", login,
					change_number_text(change_id_of(row)),
					level->level->level) :
			 errmsg("\"%s\" may not vote on %s any more: level %d is open", login,
					change_number_text(change_id_of(row)),
					level->level->level),
			 errdetail("%s asks %s at level %d.", policy_subject(tally, model),
					   level_people(level->level), level->level->level),
			 errhint("SELECT * FROM changemgmt.approval_levels(" INT64_FORMAT ") shows the levels.",
					 change_id_of(row)),
			 err_as_caller()));
}

/* ----------------------------------------------------------------
 * SQL
 * ---------------------------------------------------------------- */

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text ? CStringGetTextDatum(text) : (Datum) 0;
}

/* approval_tally(change_id): where the votes on a change stand */
Datum
approval_tally(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ChangeRow	row;
	Tally		tally;
	LevelTally	none = {0};
	const LevelTally *level;
	Datum		values[9];
	bool		isnull[9] = {false};

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	change_find(&row, PG_GETARG_INT64(0), false);
	tally_count(&tally, lifecycle_model(&row), &row, 0);
	level = tally.count > 0 ? tally_level(&tally) : &none;
	values[0] = text_or_null(level->level ? level->level->board : NULL,
							 &isnull[0]);
	values[1] = Int32GetDatum((int32) level->needed);
	values[2] = Int32GetDatum(level->eligible);
	values[3] = Int32GetDatum(level->approved);
	values[4] = Int32GetDatum(level->rejected);
	values[5] = Int32GetDatum(level->deferred);
	values[6] = Int32GetDatum(level->abstained);
	values[7] = Int32GetDatum(level->stale);
	values[8] = text_or_null(tally_missing(&tally), &isnull[8]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	SPI_finish();
	return (Datum) 0;
}

static const char *
decision_text(Verb decision)
{
	return decision == VERB_APPROVE ? "approved" :
		decision == VERB_REJECT ? "rejected" :
		decision == VERB_DEFER ? "deferred" : NULL;
}

/* approval_levels(change_id): the levels of the policy that holds */
Datum
approval_levels(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ChangeRow	row;
	Tally		tally;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	change_find(&row, PG_GETARG_INT64(0), false);
	tally_count(&tally, lifecycle_model(&row), &row, 0);
	for (int i = 0; i < tally.count; i++)
	{
		const LevelTally *t = &tally.levels[i];
		Datum		values[16];
		bool		isnull[16] = {false};
		Datum	   *logins = palloc(list_length(t->waiting) * sizeof(Datum) + 1);
		ListCell   *lc;

		foreach(lc, t->waiting)
			logins[foreach_current_index(lc)] =
				CStringGetTextDatum(((OpenVote *) lfirst(lc))->login);
		values[0] = Int32GetDatum(t->level->level);
		values[1] = CStringGetTextDatum(level_rule_name(t->level->rule));
		values[2] = text_or_null(t->level->board, &isnull[2]);
		values[3] = CStringGetTextDatum(level_words(t->level));
		values[4] = Int32GetDatum((int32) t->needed);
		values[5] = Int32GetDatum(t->eligible);
		values[6] = Int32GetDatum(t->approved);
		values[7] = Int32GetDatum(t->rejected);
		values[8] = Int32GetDatum(t->deferred);
		values[9] = Int32GetDatum(t->abstained);
		values[10] = Int32GetDatum(t->stale);
		values[11] = BoolGetDatum(i == tally.open);
		values[12] = BoolGetDatum(t->decision != VERB_NONE);
		values[13] = text_or_null(decision_text(t->decision), &isnull[13]);
		values[14] = PointerGetDatum(construct_array(logins,
													 list_length(t->waiting),
													 TEXTOID, -1, false,
													 TYPALIGN_INT));
		values[15] = text_or_null(level_missing(&tally, t), &isnull[15]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	SPI_finish();
	return (Datum) 0;
}

static const Requirement tally_requirements[] = {
	{"quorum", "Fresh votes of eligible people decide, as many as the policy asks for.",
		"Eligible people vote with changemgmt.approve(%lld), reject, defer or abstain.",
	check_quorum, V(APPROVE) | V(REJECT) | V(DEFER), 0},
};

void
approval_tally_init(void)
{
	requirements_register(tally_requirements, lengthof(tally_requirements));
	requirement_never_waive("quorum");
}
