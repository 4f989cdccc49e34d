/*-------------------------------------------------------------------------
 *
 * change_visible.c
 *	  Who may see a confidential change.
 *
 * Row-level security asks hidden_changes() once a query; functions, which
 * read as the tables' owner, ask for the one change that they are about.
 * Nobody who may not see a change is told that there is one.  There is no
 * state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"

#include "change.h"
#include "compat.h"
#include "errors.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(hidden_changes);

/*
 * What hides a change c from person $1: it is confidential, its date has not
 * come, and the person has nothing to do with it.
 */
#define HIDDEN \
	" c.confidential" \
	" AND (c.confidential_until IS NULL" \
	"  OR c.confidential_until OPERATOR(pg_catalog.>) pg_catalog.now())" \
	" AND NOT COALESCE($1 OPERATOR(pg_catalog.=) ANY (ARRAY[" \
	"  c.requester_id, c.owner_id, c.coordinator_id, c.author_id," \
	"  c.implementer_id, c.verifier_id, c.authorised_by_id]), false)" \
	" AND NOT EXISTS (SELECT FROM changemgmt.team AS t" \
	"  WHERE t.id OPERATOR(pg_catalog.=) c.team_id" \
	"  AND t.lead_id OPERATOR(pg_catalog.=) $1)" \
	" AND NOT EXISTS (SELECT FROM changemgmt.team_member AS m" \
	"  WHERE m.team_id OPERATOR(pg_catalog.=) c.team_id" \
	"  AND m.person_id OPERATOR(pg_catalog.=) $1)" \
	" AND NOT EXISTS (SELECT FROM changemgmt.board_member AS b" \
	"  WHERE b.person_id OPERATOR(pg_catalog.=) $1" \
	"  AND b.valid_from OPERATOR(pg_catalog.<=) pg_catalog.now()" \
	"  AND b.valid_until OPERATOR(pg_catalog.>) pg_catalog.now())" \
	" AND NOT EXISTS (SELECT FROM changemgmt.change_task AS t" \
	"  WHERE t.change_id OPERATOR(pg_catalog.=) c.id" \
	"  AND t.assignee_id OPERATOR(pg_catalog.=) $1)" \
	" AND NOT EXISTS (SELECT FROM changemgmt.change_item AS i" \
	"  JOIN changemgmt.configuration_item AS ci" \
	"   ON ci.id OPERATOR(pg_catalog.=) i.ci_id" \
	"  WHERE i.change_id OPERATOR(pg_catalog.=) c.id" \
	"  AND ci.owner_id OPERATOR(pg_catalog.=) $1)" \
	" AND NOT EXISTS (SELECT FROM changemgmt.approval_vote AS v" \
	"  WHERE v.change_id OPERATOR(pg_catalog.=) c.id" \
	"  AND v.person_id OPERATOR(pg_catalog.=) $1)"

/* Whether a person is named by the model of c, or a policy that may be for it. */
#define NAMED(person) \
	" EXISTS (SELECT FROM changemgmt.approval_level AS l" \
	"  JOIN changemgmt.approval_policy AS p" \
	"   ON p.id OPERATOR(pg_catalog.=) l.policy_id" \
	"  WHERE l.person_id OPERATOR(pg_catalog.=) " person \
	"  AND (p.model IS NULL OR p.model OPERATOR(pg_catalog.=) c.model)" \
	"  AND (p.type IS NULL OR p.type OPERATOR(pg_catalog.=) c.type)" \
	"  AND (p.touches_data_integrity IS NULL" \
	"   OR p.touches_data_integrity OPERATOR(pg_catalog.=) c.touches_data_integrity)" \
	"  AND (p.touches_security IS NULL" \
	"   OR p.touches_security OPERATOR(pg_catalog.=) c.touches_security))" \
	" OR EXISTS (SELECT FROM changemgmt.site_model AS m" \
	"  JOIN changemgmt.person AS n ON n.id OPERATOR(pg_catalog.=) " person \
	"  WHERE m.key OPERATOR(pg_catalog.=) c.model" \
	"  AND m.version OPERATOR(pg_catalog.=) c.model_version" \
	"  AND (m.definition OPERATOR(pg_catalog.#>) '{approval,levels}'::pg_catalog.text[])" \
	"   OPERATOR(pg_catalog.@>) pg_catalog.jsonb_build_array(" \
	"    pg_catalog.jsonb_build_object('person', n.login)))"

/*
 * The same, and who is asked by name, or votes in the place of who is asked,
 * or has a duty for it, or was told that one is late.
 */
#define HIDDEN_NOW \
	HIDDEN \
	" AND NOT (" NAMED("$1") ")" \
	" AND NOT EXISTS (SELECT FROM changemgmt.approval_vote AS v" \
	"  WHERE v.change_id OPERATOR(pg_catalog.=) c.id" \
	"  AND v.voted_by_id OPERATOR(pg_catalog.=) $1)" \
	" AND NOT EXISTS (SELECT FROM changemgmt.duty AS u" \
	"  WHERE u.change_id OPERATOR(pg_catalog.=) c.id" \
	"  AND (u.person_id OPERATOR(pg_catalog.=) $1" \
	"   OR u.escalated_to_id OPERATOR(pg_catalog.=) $1))" \
	" AND NOT EXISTS (SELECT FROM changemgmt.approval_delegation AS d" \
	"  JOIN changemgmt.person AS f" \
	"   ON f.id OPERATOR(pg_catalog.=) d.from_person_id" \
	"  WHERE d.to_person_id OPERATOR(pg_catalog.=) $1 AND f.is_active" \
	"  AND d.revoked_at IS NULL" \
	"  AND d.valid_from OPERATOR(pg_catalog.<=) pg_catalog.now()" \
	"  AND d.valid_until OPERATOR(pg_catalog.>) pg_catalog.now()" \
	"  AND (EXISTS (SELECT FROM changemgmt.board_member AS b" \
	"    WHERE b.person_id OPERATOR(pg_catalog.=) f.id" \
	"    AND (d.board_id IS NULL OR d.board_id OPERATOR(pg_catalog.=) b.board_id)" \
	"    AND b.valid_from OPERATOR(pg_catalog.<=) pg_catalog.now()" \
	"    AND b.valid_until OPERATOR(pg_catalog.>) pg_catalog.now())" \
	"   OR d.board_id IS NULL AND (" NAMED("f.id") \
	"    OR c.authorised_by_id OPERATOR(pg_catalog.=) f.id" \
	"    OR EXISTS (SELECT FROM changemgmt.team AS t" \
	"     WHERE t.id OPERATOR(pg_catalog.=) c.team_id" \
	"     AND t.lead_id OPERATOR(pg_catalog.=) f.id)" \
	"    OR EXISTS (SELECT FROM changemgmt.change_item AS i" \
	"     JOIN changemgmt.configuration_item AS ci" \
	"      ON ci.id OPERATOR(pg_catalog.=) i.ci_id" \
	"     WHERE i.change_id OPERATOR(pg_catalog.=) c.id" \
	"     AND ci.owner_id OPERATOR(pg_catalog.=) f.id))))"

/* The tables of 1.0 have neither policies nor delegations nor duties. */
static bool
names_approvers(void)
{
	return relation_exists("approval_level") &&
		relation_exists("approval_delegation") && relation_exists("duty");
}

/* The owner of the tables sees everything, and whom the server lets. */
bool
change_sees_everything(void)
{
	Oid			role = GetOuterUserId();

	return has_bypassrls_privilege(role) ||
		has_privs_of_role(role, tables_owner());
}

/* Whether a change is there, and hidden or (wanted false) shown. */
static bool
is_there(int64 change_id, bool wanted, bool to_query)
{
	static KeptPlan state = {
		"SELECT" HIDDEN_NOW " FROM changemgmt.change AS c"
		" WHERE c.id OPERATOR(pg_catalog.=) $2",
		2, {INT8OID, INT8OID}, NULL
	};
	static KeptPlan state_before = {
		"SELECT" HIDDEN " FROM changemgmt.change AS c"
		" WHERE c.id OPERATOR(pg_catalog.=) $2",
		2, {INT8OID, INT8OID}, NULL
	};
	KeptPlan   *plan = names_approvers() ? &state : &state_before;
	Datum		arguments[2];
	bool		hidden;
	bool		isnull;

	if (change_sees_everything())
		return !wanted;
	arguments[0] = Int64GetDatum(actor_person());
	arguments[1] = Int64GetDatum(change_id);
	SPI_connect();
	if (to_query)
		kept_plan_read(plan, arguments, NULL, 1);
	else
		kept_plan_execute(plan, arguments, NULL, 1);
	hidden = DatumGetBool(spi_first_value(1, &isnull));
	SPI_finish();
	return !isnull && hidden == wanted;
}

bool
change_is_visible(int64 change_id)
{
	return is_there(change_id, false, false);
}

bool
change_is_visible_to_query(int64 change_id)
{
	return is_there(change_id, false, true);
}

bool
change_is_hidden_to_query(int64 change_id)
{
	return is_there(change_id, true, true);
}

/*
 * hidden_changes(): the ids of the changes that who is acting may not see, as
 * the calling query sees them.  Newer ones would not hide what an older
 * snapshot still shows: a change that was deleted or made public meanwhile.
 */
Datum
hidden_changes(PG_FUNCTION_ARGS)
{
	static KeptPlan hidden = {
		"SELECT pg_catalog.array_agg(c.id) FROM changemgmt.change AS c"
		" WHERE" HIDDEN_NOW,
		1, {INT8OID}, NULL
	};
	Datum		argument;

	if (change_sees_everything())
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT8OID));
	argument = Int64GetDatum(actor_person());
	return kept_plan_read_ids(&hidden, &argument);
}
