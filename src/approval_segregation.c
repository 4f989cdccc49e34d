/*-------------------------------------------------------------------------
 *
 * approval_segregation.c
 *	  Duties that one person may not hold at once.
 *
 * Which pairs a model keeps apart is its own; nobody is exempt, whatever the
 * rights.  Who holds a duty that is kept apart from approving is not counted
 * among those who may vote; the others are checked when work starts and when it
 * is passed.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "approval.h"
#include "compat.h"
#include "errors.h"
#include "person.h"
#include "spi.h"

#define V(verb) VERB_BIT(VERB_##verb)

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

int
approver_conflict(const ChangeModel *model, const ChangeRow *row,
				  int64 person)
{
	for (int duty = 0; duty < DUTY_COUNT; duty++)
		if ((model->separate[DUTY_APPROVER] & (1 << duty)) &&
			duty_person(row, duty) == person)
			return duty;
	return -1;
}

/*
 * The voters whom the approval rests on, and who gave the vote in somebody's
 * place (null: nobody): those who approved the plan that is approved.
 */
static KeptPlan approvers = {
	"SELECT person_id,"
	" (pg_catalog.to_jsonb(v) OPERATOR(pg_catalog.->>) 'voted_by_id')::pg_catalog.int8"
	" FROM changemgmt.approval_vote AS v"
	" WHERE change_id OPERATOR(pg_catalog.=) $1"
	" AND round OPERATOR(pg_catalog.=) $2"
	" AND decision OPERATOR(pg_catalog.=) 'approved'"
	" AND seal OPERATOR(pg_catalog.=) $3 ORDER BY id",
	3, {INT8OID, INT4OID, BYTEAOID}, NULL
};

static void
segregation_add(StringInfo buf, int64 person, Duty one, Duty other)
{
	char	   *login = person_login(person);

	text_list_add(buf, psprintf("%s is both %s and %s",
								login ? login : "somebody", duty_name(one),
								duty_name(other)));
}

static void
not_known_add(StringInfo buf, uint32 *told, Duty duty)
{
	if (!(*told & (1 << duty)))
		text_list_add(buf, psprintf("it is not known who the %s is",
									duty_name(duty)));
	*told |= 1 << duty;
}

/* Approvers who hold one of these duties as well, by their vote or by hand. */
static void
approvers_check(const Transition *t, const int64 *person, uint32 duties,
				StringInfo buf)
{
	Datum		arguments[3];
	SPITupleTable *votes;
	uint64		count;

	if (duties == 0 || change_is_null(t->row, approved_seal))
		return;
	arguments[0] = t->row->value[CH_id];
	arguments[1] = t->row->value[CH_approval_round];
	arguments[2] = t->row->value[CH_approved_seal];
	kept_plan_execute(&approvers, arguments, NULL, 0);
	votes = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
		for (int column = 1; column <= 2; column++)
		{
			bool		isnull;
			int64		approver = DatumGetInt64(SPI_getbinval(votes->vals[i],
															   votes->tupdesc,
															   column, &isnull));

			for (int duty = 0; duty < DUTY_COUNT && !isnull; duty++)
				if ((duties & (1 << duty)) && person[duty] == approver)
					segregation_add(buf, approver, DUTY_APPROVER, duty);
		}
	SPI_freetuptable(votes);
}

/*
 * Each pair is looked at as soon as both its holders are known, and once more
 * at start: what is about the plan when it is submitted and decided on, the
 * implementer at start, the verifier by pass.  Voters are judged as they vote.
 */
static char *
check_segregation(const Transition *t)
{
	const uint32 of_plan = (1 << DUTY_REQUESTER) | (1 << DUTY_OWNER) |
		(1 << DUTY_AUTHOR) | (1 << DUTY_LAST_EDITOR);
	const ChangeModel *model = t->model;
	int64		person[DUTY_COUNT];
	uint32		asked;			/* one of a pair is among these */
	uint32		known;			/* and both are among these */
	uint32		told = 0;
	StringInfoData buf;

	for (int duty = 0; duty < DUTY_COUNT; duty++)
		person[duty] = duty_person(t->row, duty);
	if (t->verb == VERB_PASS)
	{
		asked = 1 << DUTY_VERIFIER;
		known = of_plan | (1 << DUTY_IMPLEMENTER) | asked;
		if (t->thought_of)
			person[DUTY_VERIFIER] = actor_person();
	}
	else if (t->verb == VERB_START)
	{
		asked = known = of_plan | (1 << DUTY_IMPLEMENTER);
		if (t->thought_of)
			person[DUTY_IMPLEMENTER] = actor_person();
	}
	else
		asked = known = of_plan;

	initStringInfo(&buf);
	for (int one = 0; one < DUTY_COUNT; one++)
	{
		if (!(known & (1 << one)))
			continue;
		for (int other = one + 1; other < DUTY_COUNT; other++)
		{
			if (!(model->separate[one] & known & (1 << other)) ||
				!(asked & ((1 << one) | (1 << other))))
				continue;
			/* who is not known cannot be told apart */
			if (person[one] == 0)
				not_known_add(&buf, &told, one);
			if (person[other] == 0)
				not_known_add(&buf, &told, other);
			if (person[one] != 0 && person[one] == person[other])
				segregation_add(&buf, person[one], one, other);
		}
		/* the writers are asked of by writers_known */
		if ((model->separate[DUTY_APPROVER] & asked & (1 << one)) &&
			one != DUTY_AUTHOR && one != DUTY_LAST_EDITOR && person[one] == 0)
			not_known_add(&buf, &told, one);
	}
	if (t->verb == VERB_START || t->verb == VERB_PASS)
		approvers_check(t, person, model->separate[DUTY_APPROVER] & asked, &buf);
	return buf.len > 0 ? buf.data : NULL;
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

static const Requirement segregation_requirements[] = {
	{"writers_known", "It is known who wrote the plan and who edited it last, where the model keeps them apart from approving.",
		"Who answers for the plan edits it, as a person known here: changemgmt.edit_change(%lld, ...).",
	check_writers_known, V(SUBMIT) | V(APPROVE), ERRCODE_MC_SEGREGATION_OF_DUTIES},
	{"segregation", "Duties that the model keeps apart are different people's.",
		"Somebody else takes the step; where it is about the plan, changemgmt.revise(%lld) lets others write and approve it.",
	check_segregation, V(SUBMIT) | V(APPROVE) | V(START) | V(PASS), ERRCODE_MC_SEGREGATION_OF_DUTIES},
};

void
approval_segregation_init(void)
{
	requirements_register(segregation_requirements,
						  lengthof(segregation_requirements));
	requirement_never_waive("writers_known");
	requirement_never_waive("segregation");
}
