/*-------------------------------------------------------------------------
 *
 * approval.c
 *	  Votes, the tally, and segregation of duties.
 *
 * A vote is a row of approval_vote, sealed to the plan that it was given for
 * and to the round that the submission opened.  Only fresh votes of eligible
 * people count.  Whoever has part in the change in a way that the model keeps
 * apart from approving is not eligible, whatever his rights.  When the votes
 * decide, the change takes the step that they mean, in the same statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "approval.h"
#include "change_history.h"
#include "change_part.h"
#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(vote_stamp);
PG_FUNCTION_INFO_V1(vote_judge);
PG_FUNCTION_INFO_V1(vote_tally);
PG_FUNCTION_INFO_V1(condition_judge);
PG_FUNCTION_INFO_V1(approve);
PG_FUNCTION_INFO_V1(reject);
PG_FUNCTION_INFO_V1(defer);
PG_FUNCTION_INFO_V1(abstain);
PG_FUNCTION_INFO_V1(approval_tally);

#define V(verb) VERB_BIT(VERB_##verb)

/* Where the votes stand. */
typedef struct Tally
{
	int			needed;
	int			eligible;
	int			approved;
	int			rejected;
	int			deferred;
	int			abstained;
	int			stale;			/* votes for another plan */
	StringInfoData waiting;		/* logins of who has not voted freshly */
	StringInfoData reasons;		/* of rejections and deferrals */
	Verb		decision;		/* VERB_NONE as long as there is none */
} Tally;

/* ----------------------------------------------------------------
 * Segregation of duties
 * ---------------------------------------------------------------- */

/* Who holds a duty; 0 where nobody does.  Approvers are many: not here. */
static int64
duty_person(const ChangeRow *row, Duty duty)
{
	switch (duty)
	{
		case DUTY_REQUESTER:
			return change_int64(row, requester_id);
		case DUTY_OWNER:
			return change_int64(row, owner_id);
		case DUTY_AUTHOR:
			return change_int64(row, author_id);
		case DUTY_LAST_EDITOR:
			return change_int64(row, last_editor_id);
		case DUTY_IMPLEMENTER:
			return change_int64(row, implementer_id);
		case DUTY_VERIFIER:
			return change_int64(row, verifier_id);
		case DUTY_APPROVER:
			break;
	}
	return 0;
}

/*
 * The duty of a person that the model keeps apart from approving; -1 where
 * there is none.
 */
static int
approver_conflict(const ChangeModel *model, const ChangeRow *row,
				  int64 person)
{
	for (int duty = 0; duty < DUTY_COUNT; duty++)
		if ((model->separate[DUTY_APPROVER] & (1 << duty)) &&
			duty_person(row, duty) == person)
			return duty;
	return -1;
}

/* The last approval's voters: those whose fresh vote of the round approved. */
static KeptPlan approvers = {
	"SELECT person_id FROM changemgmt.approval_vote"
	" WHERE change_id OPERATOR(pg_catalog.=) $1"
	" AND round OPERATOR(pg_catalog.=) $2"
	" AND decision OPERATOR(pg_catalog.=) 'approved' ORDER BY id",
	2, {INT8OID, INT4OID}, NULL
};

static void
segregation_add(StringInfo buf, int64 person, Duty one, Duty other)
{
	char	   *login = person_login(person);

	text_list_add(buf, psprintf("%s is both %s and %s",
								login ? login : "somebody", duty_name(one),
								duty_name(other)));
}

static char *
check_segregation(const Transition *t)
{
	const ChangeModel *model = t->model;
	int64		person[DUTY_COUNT];
	const uint32 verifier = 1 << DUTY_VERIFIER;
	uint32		asked;			/* duties that this step is about */
	StringInfoData buf;

	for (int duty = 0; duty < DUTY_COUNT; duty++)
		person[duty] = duty_person(t->row, duty);
	if (t->verb == VERB_START)
	{
		asked = (1 << DUTY_IMPLEMENTER) | (1 << DUTY_APPROVER);
		if (t->thought_of)
			person[DUTY_IMPLEMENTER] = actor_person();
	}
	else
	{
		asked = 1 << DUTY_VERIFIER;
		if (t->thought_of)
			person[DUTY_VERIFIER] = actor_person();
	}

	initStringInfo(&buf);
	for (int one = 0; one < DUTY_COUNT; one++)
		for (int other = one + 1; other < DUTY_COUNT; other++)
		{
			if (!(model->separate[one] & (1 << other)) ||
				!((asked & (1 << one)) || (asked & (1 << other))) ||
				one == DUTY_APPROVER || other == DUTY_APPROVER ||
				(other == DUTY_VERIFIER && t->verb == VERB_START))
				continue;
			/* who is not known cannot be told apart */
			if (person[one] == 0 || person[other] == 0)
				text_list_add(&buf, psprintf("it is not known who the %s is",
											 duty_name(person[one] == 0 ? one : other)));
			else if (person[one] == person[other])
				segregation_add(&buf, person[one], one, other);
		}
	if (t->verb == VERB_START && person[DUTY_IMPLEMENTER] == 0 &&
		(model->separate[DUTY_APPROVER] & (1 << DUTY_IMPLEMENTER)))
		text_list_add(&buf, "it is not known who the implementer is");
	if (model->separate[DUTY_APPROVER] & (t->verb == VERB_PASS ?
										  verifier : ~verifier))
	{
		Datum		arguments[2];
		SPITupleTable *votes;
		uint64		count;

		arguments[0] = t->row->value[CH_id];
		arguments[1] = t->row->value[CH_approval_round];
		kept_plan_execute(&approvers, arguments, NULL, 0);
		votes = SPI_tuptable;
		count = SPI_processed;
		for (uint64 i = 0; i < count; i++)
		{
			bool		isnull;
			int64		approver = DatumGetInt64(SPI_getbinval(votes->vals[i],
															   votes->tupdesc,
															   1, &isnull));

			for (int duty = 0; duty < DUTY_COUNT; duty++)
				if ((model->separate[DUTY_APPROVER] & (1 << duty)) &&
					(duty == DUTY_VERIFIER) == (t->verb == VERB_PASS) &&
					person[duty] == approver)
					segregation_add(&buf, approver, DUTY_APPROVER, duty);
		}
	}
	return buf.len > 0 ? buf.data : NULL;
}

/* ----------------------------------------------------------------
 * Who may vote, and where the votes stand
 * ---------------------------------------------------------------- */

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

static void
tally_count(Tally *tally, const ChangeModel *model, const ChangeRow *row)
{
	uint8		seal[LEDGER_HASH_LENGTH];
	bool		sealed = false;
	SPITupleTable *votes;
	uint64		count;

	memset(tally, 0, sizeof(Tally));
	initStringInfo(&tally->waiting);
	initStringInfo(&tally->reasons);
	if (model->policy == POLICY_NONE)
		return;
	tally->needed = model->policy == POLICY_ONE ? 1 : model->approvals_needed;

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

		if (approver_conflict(model, row, person) >= 0)
			continue;
		tally->eligible++;
		no_vote = decision == NULL;
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
					change_seal(row, model->schedule_sealed, seal);
				sealed = true;
				fresh = VARSIZE_ANY_EXHDR(given) == LEDGER_HASH_LENGTH &&
					memcmp(VARDATA_ANY(given), seal, LEDGER_HASH_LENGTH) == 0;
			}
			if (!fresh)
				tally->stale++;
		}
		if (!fresh)
		{
			text_list_add(&tally->waiting, SPI_getvalue(tuple, desc, 2));
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
			appendStringInfo(&tally->reasons, "%s%s: %s",
							 tally->reasons.len > 0 ? "; " : "",
							 SPI_getvalue(tuple, desc, 2), reason);
	}
	SPI_freetuptable(votes);
	tally_decide(tally);
}

/* Whether the model asks for votes, and the change waits for them now. */
static bool
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

/* Whoever is not known cannot be told apart from who approves. */
static char *
check_writers_known(const Transition *t)
{
	uint32		separate = t->model->separate[DUTY_APPROVER];
	StringInfoData buf;

	initStringInfo(&buf);
	if ((separate & (1 << DUTY_AUTHOR)) && change_is_null(t->row, author_id))
		text_list_add(&buf, "it is not known who wrote the plan");
	if ((separate & (1 << DUTY_LAST_EDITOR)) &&
		change_is_null(t->row, last_editor_id))
		text_list_add(&buf, "it is not known who edited the plan last");
	return buf.len > 0 ? buf.data : NULL;
}

static const Requirement approval_requirements[] = {
	{"writers_known", "It is known who wrote the plan and who edited it last, where the model keeps them apart from approving.",
		"Who answers for the plan edits it, as a person known here: changemgmt.edit_change(%lld, ...).",
	check_writers_known, V(SUBMIT) | V(APPROVE), ERRCODE_MC_SEGREGATION_OF_DUTIES},
	{"quorum", "Fresh votes of eligible people decide, as many as the model asks for.",
		"Eligible people vote with changemgmt.approve(%lld), reject, defer or abstain.",
	check_quorum, V(APPROVE) | V(REJECT) | V(DEFER), 0},
	{"segregation", "Duties that the model keeps apart are different people's.",
		"Somebody else takes the step.",
	check_segregation, V(START) | V(PASS), ERRCODE_MC_SEGREGATION_OF_DUTIES},
};

/* ----------------------------------------------------------------
 * Triggers of approval_vote
 * ---------------------------------------------------------------- */

static Datum
vote_value(HeapTuple tuple, TupleDesc desc, const char *column, bool *isnull)
{
	return SPI_getbinval(tuple, desc, SPI_fnumber(desc, column), isnull);
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
	int			columns[5];
	Datum		values[5];
	bool		nulls[5] = {false};
	int			count = 0;

	tuple = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;
	if (ledger_is_history(trigdata))
		return PointerGetDatum(tuple);
	desc = RelationGetDescr(trigdata->tg_relation);
	seal = palloc(VARHDRSZ + LEDGER_HASH_LENGTH);
	SET_VARSIZE(seal, VARHDRSZ + LEDGER_HASH_LENGTH);

	SPI_connect();
	(void) change_read(&row, DatumGetInt64(vote_value(tuple, desc, "change_id",
											   &isnull)), false);
	model = lifecycle_model(&row);
	change_seal(&row, model->schedule_sealed, (uint8 *) VARDATA(seal));
	if (!TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
	{
		columns[count] = SPI_fnumber(desc, "round");
		values[count++] = row.value[CH_approval_round];
		vote_value(tuple, desc, "person_id", &isnull);
		if (isnull)
		{
			columns[count] = SPI_fnumber(desc, "person_id");
			values[count++] = Int64GetDatum(actor_person_required());
		}
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

/* Whether a person may vote on a change, by the policy of its model. */
static bool
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

/*
 * AFTER ROW trigger of change_task: a task that is a condition is no part of
 * the sealed plan, so only who may vote on the change sets, rewrites or takes
 * away conditions.
 */
Datum
condition_judge(PG_FUNCTION_ARGS)
{
	static const char *const content[] = {
		"change_id", "phase", "position", "title", "description",
		"object_kind", "object_name", "is_condition", NULL
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
		(old && new && part_same(old, new, desc, content)))
		return PointerGetDatum(NULL);

	SPI_connect();
	(void) change_read(&row, part_change_id(new ? new : old, desc), false);
	model = lifecycle_model(&row);
	if (model->policy == POLICY_NONE ||
		!person_is_eligible(model, &row, actor_person_required()) ||
		approver_conflict(model, &row, actor_person()) >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED), err_as_caller(),
				 errmsg("\"%s\" may not set conditions for %s", actor_name(),
						change_number_text(change_id_of(&row))),
				 errhint("Conditions are set by who may vote on the change; other tasks belong to its plan.")));
	SPI_finish();
	return PointerGetDatum(NULL);
}

/* AFTER ROW: the vote as it was stored. */
Datum
vote_judge(PG_FUNCTION_ARGS)
{
	static KeptPlan votes = {
		"SELECT pg_catalog.count(*) FROM changemgmt.approval_vote"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND round OPERATOR(pg_catalog.=) $2"
		" AND person_id OPERATOR(pg_catalog.=) $3",
		3, {INT8OID, INT4OID, INT8OID}, NULL
	};
	TriggerData *trigdata = trigger_data(fcinfo, "vote_judge",
										 FOR_ROW | AT_AFTER, "approval_vote");
	TupleDesc	desc;
	HeapTuple	tuple;
	ChangeRow	row;
	const ChangeModel *model;
	int64		person;
	Datum		arguments[3];
	TimestampTz at;
	int			conflict;
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
	(void) change_read(&row, DatumGetInt64(vote_value(tuple, desc, "change_id",
											   &isnull)), false);
	model = lifecycle_model(&row);
	if (!votes_are_open(model, &row))
		transition_illegal(&row, model, "a vote");

	person = DatumGetInt64(vote_value(tuple, desc, "person_id", &isnull));
	if (person != actor_person_required())
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED),
				 errmsg("\"%s\" cannot vote for somebody else", actor_name()),
				 errhint("Leave person_id out: it is filled in."), err_as_caller()));
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
	{
		static const char *const fixed[] = {
			"id", "change_id", "round", "person_id"
		};

		for (size_t i = 0; i < lengthof(fixed); i++)
			if (DatumGetInt64(vote_value(tuple, desc, fixed[i], &isnull)) !=
				DatumGetInt64(vote_value(trigdata->tg_trigtuple, desc, fixed[i],
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
	kept_plan_execute(&votes, arguments, NULL, 1);
	if (DatumGetInt64(spi_first_value(1, &isnull)) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEALED_CONTENT),
				 errmsg("\"%s\" has voted in this round", actor_name()),
				 errhint("A vote changes by voting again."), err_as_caller()));
	if (DatumGetInt32(vote_value(tuple, desc, "round", &isnull)) !=
		DatumGetInt32(row.value[CH_approval_round]))
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY),
				 errmsg("the vote belongs to a round that is over"), err_as_caller()));

	if (!person_is_eligible(model, &row, person))
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED),
				 errmsg("\"%s\" may not vote on %s", actor_name(),
						change_number_text(change_id_of(&row))),
				 model->policy == POLICY_BOARD ?
				 errdetail("Model \"%s\" asks the members of board %s.",
						   model->key, model->board) :
				 errdetail("Model \"%s\" asks a technical lead or an owner of the affected items.",
						   model->key),
				 errhint("SELECT missing FROM changemgmt.approval_tally(" INT64_FORMAT ") names who may.",
						 change_id_of(&row)),
				 err_as_caller()));
	conflict = approver_conflict(model, &row, person);
	if (conflict >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_SEGREGATION_OF_DUTIES),
				 errmsg("\"%s\" is %s of %s and cannot vote on it", actor_name(),
						duty_name(conflict),
						change_number_text(change_id_of(&row))),
				 errhint("Somebody else decides; nobody is exempt."), err_as_caller()));

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
		at = DatumGetTimestampTz(vote_value(tuple, desc, "voted_at", &isnull));
		if (!part_time_is_now(at))
			ereport(ERROR,
					(errcode(ERRCODE_MC_SEALED_CONTENT),
					 errmsg("voted_at of a vote is when it was given"),
					 errhint("A trigger of the site changed it; give it a name that sorts before zzzz_stamp_vote."), err_as_caller()));
		change_seal(&row, model->schedule_sealed, seal);
		given = DatumGetByteaPP(vote_value(tuple, desc, "seal", &isnull));
		if (DatumGetInt64(vote_value(tuple, desc, "plan_revision", &isnull)) !=
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
		int64		change_id = DatumGetInt64(vote_value(tuple, desc,
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
			tally_count(&tally, lifecycle_model(&row), &row);
			if (tally.decision != VERB_NONE)
				lifecycle_take(&row, tally.decision,
							   tally.decision == VERB_APPROVE ? NULL :
							   tally.reasons.data);
		}
		SPI_finish();
	}
	ExecDropSingleTupleTableSlot(slot);
	return PointerGetDatum(NULL);
}

/* ----------------------------------------------------------------
 * Verbs
 * ---------------------------------------------------------------- */

/*
 * approve, reject, defer, abstain (change_id, reason, expected_revision):
 * one vote, again with what it was before where nothing is to be done.
 */
static Datum
vote(FunctionCallInfo fcinfo, const char *decision)
{
	static KeptPlan insert = {
		"INSERT INTO changemgmt.approval_vote (change_id, person_id, decision, reason)"
		" VALUES ($1, $2, $3, $4)"
		" ON CONFLICT (change_id, round, person_id) DO UPDATE"
		" SET decision = excluded.decision, reason = excluded.reason",
		4, {INT8OID, INT8OID, TEXTOID, TEXTOID}, NULL
	};
	static KeptPlan same = {
		"SELECT FROM changemgmt.approval_vote"
		" WHERE change_id OPERATOR(pg_catalog.=) $1"
		" AND person_id OPERATOR(pg_catalog.=) $2"
		" AND decision OPERATOR(pg_catalog.=) $3"
		" AND ($4 IS NULL OR reason OPERATOR(pg_catalog.=) $4)"
		" AND round OPERATOR(pg_catalog.=) $5"
		" AND ($6 IS NULL OR plan_revision OPERATOR(pg_catalog.=) $6)",
		6, {INT8OID, INT8OID, TEXTOID, TEXTOID, INT4OID, INT8OID}, NULL
	};
	ChangeRow	row;
	int64		seen = 0;
	Datum		arguments[6];
	char		nulls[6] = {' ', ' ', ' ', ' ', ' ', ' '};
	bool		open;
	Datum		result;

	SPI_connect();
	if (!PG_ARGISNULL(0))
	{
		change_find(&row, PG_GETARG_INT64(0), false);
		seen = change_int64(&row, plan_revision);
	}
	lifecycle_open(&row, fcinfo, 2);
	/* nobody can have seen a plan that was committed while this one waited */
	if (change_int64(&row, plan_revision) != seen)
		ereport(ERROR,
				(errcode(ERRCODE_MC_CHANGE_MOVED_ON), err_as_caller(),
				 errmsg("the plan of %s was edited at this moment",
						change_number_text(change_id_of(&row))),
				 errhint("Read the plan again before you vote on it.")));
	arguments[0] = row.value[CH_id];
	arguments[1] = Int64GetDatum(actor_person_required());
	arguments[2] = CStringGetTextDatum(decision);
	arguments[3] = PG_GETARG_DATUM(1);
	nulls[3] = PG_ARGISNULL(1) ? 'n' : ' ';
	arguments[4] = row.value[CH_approval_round];
	/* the same again is nothing; once the outcome stands, all else is too late */
	open = votes_are_open(lifecycle_model(&row), &row);
	arguments[5] = row.value[CH_plan_revision];
	nulls[5] = open ? ' ' : 'n';
	kept_plan_execute(&same, arguments, nulls, 1);
	if (SPI_processed == 0)
	{
		if (!open)
			transition_illegal(&row, lifecycle_model(&row),
							   psprintf("a vote (%s)", decision));
		kept_plan_execute(&insert, arguments, nulls, 0);
		kept_plan_require_row(&insert, "the vote");
		(void) change_read(&row, change_id_of(&row), false);
	}
	result = lifecycle_state(&row);
	SPI_finish();
	return result;
}

Datum
approve(PG_FUNCTION_ARGS)
{
	return vote(fcinfo, "approved");
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

void
approval_init(void)
{
	requirements_register(approval_requirements,
						  lengthof(approval_requirements));
	change_part_register("approval_vote");
}
