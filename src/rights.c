/*-------------------------------------------------------------------------
 *
 * rights.c
 *	  Duties: which roles may call what.
 *
 * A duty is a set of privileges on the extension's schema, tables and
 * functions, granted to a role or taken away from it by one call.  Nobody
 * gets more on a table than SELECT: verbs and parts are written by functions,
 * which work as the tables' owner.  What an acting person may do (vote, waive)
 * is the rules' matter, not that of rights.
 *
 * There is no state: what a role has is what the catalogs say.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "errors.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(duty_rights);
PG_FUNCTION_INFO_V1(grant_role);
PG_FUNCTION_INFO_V1(revoke_role);

static const char *const duty_names[] = {
	"viewer", "requester", "implementer", "approver", "manager", "integration"
};

#define VIEWER		(1 << 0)
#define REQUESTER	(1 << 1)
#define IMPLEMENTER	(1 << 2)
#define APPROVER	(1 << 3)
#define MANAGER		(1 << 4)
#define INTEGRATION	(1 << 5)

#define ALL_DUTIES	(VIEWER | REQUESTER | IMPLEMENTER | APPROVER | MANAGER | \
					 INTEGRATION)
/* who writes and plans changes, who carries them out, who votes */
#define PLANNING	(REQUESTER | IMPLEMENTER | MANAGER | INTEGRATION)
#define WORKING		(IMPLEMENTER | MANAGER | INTEGRATION)
#define VOTING		(APPROVER | MANAGER)

/*
 * The functions of each duty.  What is not named here (trigger functions,
 * grant_role and revoke_role themselves) is for the owner only.
 */
static const struct
{
	const char *name;
	int			duties;
}			function_duties[] = {
	/* the type rate, which views show */
	{"rate_in", ALL_DUTIES},
	{"rate_out", ALL_DUTIES},
	{"rate_recv", ALL_DUTIES},
	{"rate_send", ALL_DUTIES},
	{"rate", ALL_DUTIES},
	{"numerator", ALL_DUTIES},
	{"denominator", ALL_DUTIES},
	{"rate_to_double", ALL_DUTIES},
	{"rate_to_numeric", ALL_DUTIES},
	{"wilson_low", ALL_DUTIES},
	{"wilson_high", ALL_DUTIES},
	{"rate_eq", ALL_DUTIES},
	{"rate_ne", ALL_DUTIES},
	{"rate_lt", ALL_DUTIES},
	{"rate_le", ALL_DUTIES},
	{"rate_gt", ALL_DUTIES},
	{"rate_ge", ALL_DUTIES},
	{"rate_cmp", ALL_DUTIES},
	{"rate_sortsupport", ALL_DUTIES},
	{"rate_hash", ALL_DUTIES},
	{"rate_hash_extended", ALL_DUTIES},
	{"rate_add", ALL_DUTIES},
	{"rate_subtract", ALL_DUTIES},
	{"rate_accum", ALL_DUTIES},
	{"rate_accum_inv", ALL_DUTIES},
	{"rate_combine", ALL_DUTIES},
	{"rate_combine_inv", ALL_DUTIES},
	{"change_failure_rate", ALL_DUTIES},
	{"rate_sum", ALL_DUTIES},

	/* how good a score is */
	{"auc", ALL_DUTIES},
	{"auc_accum", ALL_DUTIES},
	{"auc_combine", ALL_DUTIES},
	{"auc_deserial", ALL_DUTIES},
	{"auc_final", ALL_DUTIES},
	{"auc_serial", ALL_DUTIES},
	{"brier", ALL_DUTIES},
	{"brier_accum", ALL_DUTIES},
	{"brier_accum_inv", ALL_DUTIES},
	{"brier_combine", ALL_DUTIES},
	{"brier_final", ALL_DUTIES},
	{"risk_fit_probability", ALL_DUTIES},
	{"risk_fit_round", ALL_DUTIES},
	{"risk_fit_round_accum", ALL_DUTIES},
	{"risk_fit_round_combine", ALL_DUTIES},
	{"risk_fit_summary", ALL_DUTIES},
	{"risk_fit_summary_accum", ALL_DUTIES},
	{"risk_fit_summary_combine", ALL_DUTIES},
	{"risk_model_predict", ALL_DUTIES},

	/* the type recurrence */
	{"recurrence_in", ALL_DUTIES},
	{"recurrence_out", ALL_DUTIES},
	{"recurrence_recv", ALL_DUTIES},
	{"recurrence_send", ALL_DUTIES},
	{"recurrence_eq", ALL_DUTIES},
	{"recurrence_ne", ALL_DUTIES},
	{"recurrence_lt", ALL_DUTIES},
	{"recurrence_le", ALL_DUTIES},
	{"recurrence_gt", ALL_DUTIES},
	{"recurrence_ge", ALL_DUTIES},
	{"recurrence_cmp", ALL_DUTIES},
	{"recurrence_hash", ALL_DUTIES},
	{"recurrence_hash_extended", ALL_DUTIES},
	{"contains", ALL_DUTIES},
	{"occurrences", ALL_DUTIES},
	{"occurrences_support", ALL_DUTIES},
	{"next_occurrence", ALL_DUTIES},

	/* what only looks */
	{"acting_person", ALL_DUTIES},
	{"add_business_days", ALL_DUTIES},
	{"approval_levels", ALL_DUTIES},
	{"approval_policy_of", ALL_DUTIES},
	{"approval_state", ALL_DUTIES},
	{"approval_tally", ALL_DUTIES},
	{"approval_waiting", ALL_DUTIES},
	{"board_id", ALL_DUTIES},
	{"business_calendar_id", ALL_DUTIES},
	{"business_days_between", ALL_DUTIES},
	{"business_duration", ALL_DUTIES},
	{"change_as_of", ALL_DUTIES},
	{"change_calendar", ALL_DUTIES},
	{"change_conflicts", ALL_DUTIES},
	{"change_document", ALL_DUTIES},
	{"change_header", ALL_DUTIES},
	{"change_is_possible", ALL_DUTIES},	/* its constraint, where a site grants UPDATE */
	{"change_id", ALL_DUTIES},
	{"change_number", ALL_DUTIES},
	{"change_state", ALL_DUTIES},
	{"changes_near", ALL_DUTIES},
	{"ci_id", ALL_DUTIES},
	{"code_list", ALL_DUTIES},
	{"doctor", ALL_DUTIES},
	{"duty_rights", ALL_DUTIES},
	{"earliest_start", ALL_DUTIES},
	{"field_class", ALL_DUTIES},
	{"hidden_assessments", ALL_DUTIES},
	{"hidden_causes", ALL_DUTIES},
	{"hidden_changes", ALL_DUTIES},
	{"hidden_duties", ALL_DUTIES},
	{"hidden_items", ALL_DUTIES},
	{"merkle_root", ALL_DUTIES},
	{"ics_event", ALL_DUTIES},
	{"ics_range", ALL_DUTIES},
	{"library_version", ALL_DUTIES},
	{"next_meeting", ALL_DUTIES},
	{"next_steps", ALL_DUTIES},
	{"next_windows", ALL_DUTIES},
	{"open_windows", ALL_DUTIES},
	{"person_id", ALL_DUTIES},
	{"model_validations", ALL_DUTIES},
	{"plan_missing", ALL_DUTIES},
	{"policy_backtest", ALL_DUTIES},
	{"requirement_list", ALL_DUTIES},
	{"risk_explain", ALL_DUTIES},
	{"risk_level", ALL_DUTIES},
	{"risk_probability", ALL_DUTIES},
	{"risk_score", ALL_DUTIES},
	{"risk_summary", ALL_DUTIES},
	{"risk_what_if", ALL_DUTIES},
	{"row_digest", ALL_DUTIES},
	{"setting_value", ALL_DUTIES},
	{"shipped_functions", ALL_DUTIES},
	{"shipped_checklist", ALL_DUTIES},
	{"shipped_models", ALL_DUTIES},
	{"shipped_risk_factors", ALL_DUTIES},
	{"shipped_risk_matrices", ALL_DUTIES},
	{"shipped_settings", ALL_DUTIES},
	{"shipped_tables", ALL_DUTIES},
	{"shipped_triggers", ALL_DUTIES},
	{"site_risk_matrix_cells", ALL_DUTIES},
	{"suggest_windows", ALL_DUTIES},
	{"suspect_changes", ALL_DUTIES},
	{"team_id", ALL_DUTIES},
	{"template_record", ALL_DUTIES},
	{"verify_checkpoint", ALL_DUTIES},
	{"verify_ledger", ALL_DUTIES},
	{"what_the_board_saw", ALL_DUTIES},
	{"why_not", ALL_DUTIES},
	{"window_id", ALL_DUTIES},
	{"window_state", ALL_DUTIES},

	{"add_comment", PLANNING | VOTING},
	{"complete_duty", PLANNING | VOTING},

	{"review_change", PLANNING | VOTING},
	{"review_object", PLANNING | VOTING},

	{"add_check", PLANNING},
	{"add_checklist", PLANNING},
	{"add_communication", PLANNING},
	{"add_item", PLANNING},
	{"add_risk", PLANNING},
	{"add_signal_check", PLANNING},
	{"add_step", PLANNING},
	{"add_task", PLANNING},
	{"cancel", PLANNING},
	{"copy_change", PLANNING},
	{"create_change", PLANNING},
	{"create_change_from", PLANNING},
	{"create_follow_up", PLANNING},
	{"edit_change", PLANNING},
	{"edit_template", PLANNING},
	{"hold", PLANNING},
	{"link_change", PLANNING},
	{"mark_sent", PLANNING},
	{"plan", PLANNING},
	{"propose_template", PLANNING},
	{"register_risk", PLANNING},
	{"remove_check", PLANNING},
	{"remove_communication", PLANNING},
	{"remove_item", PLANNING},
	{"remove_risk", PLANNING},
	{"remove_task", PLANNING},
	{"unlink_change", PLANNING},
	{"resume", PLANNING},
	{"set_dependencies", PLANNING},
	{"revise", PLANNING},
	{"submit", PLANNING},

	{"abort", WORKING},
	{"assign_duty", WORKING},
	{"reassign_duty", WORKING},
	{"add_incident_item", WORKING},
	{"advance", WORKING},
	{"begin_rollback", WORKING},
	{"close", WORKING},
	{"complete", WORKING},
	{"complete_task", WORKING},
	{"confirm_stability", WORKING},
	{"declare_emergency", WORKING},
	{"edit_incident", WORKING},
	{"fail", WORKING},
	{"fail_task", WORKING},
	{"incident_id", WORKING},
	{"pass", WORKING},
	{"post_update", WORKING},
	{"publish_template", WORKING},
	{"record_check", WORKING},
	{"record_incident", WORKING},
	{"reopen_incident", WORKING},
	{"record_observation", WORKING},
	{"record_signal", WORKING},
	{"reopen_task", WORKING},
	{"reschedule", WORKING},
	{"resolve_incident", WORKING},
	{"resume_work", WORKING},
	{"roll_back", WORKING},
	{"schedule", WORKING},
	{"skip_task", WORKING},
	{"start", WORKING},
	{"suspect_cause", WORKING},

	{"abstain", VOTING},
	{"add_condition", VOTING},
	{"add_to_agenda", VOTING},
	{"approve", VOTING},
	{"approve_with_conditions", VOTING},
	{"call_emergency_meeting", VOTING},
	{"close_meeting", VOTING},
	{"defer", VOTING},
	{"delegate_approval", VOTING},
	{"hold_meeting", VOTING},
	{"record_minute", VOTING},
	{"reject", VOTING},
	{"remove_from_agenda", VOTING},
	{"revoke_delegation", VOTING},
	{"vote_for", VOTING},

	{"add_ci", MANAGER | INTEGRATION},
	{"confirm_cause", MANAGER | INTEGRATION},
	{"ledger_checkpoint", MANAGER | INTEGRATION},
	{"merge_incident", MANAGER | INTEGRATION},
	{"set_ci", MANAGER | INTEGRATION},
	{"tick", MANAGER | INTEGRATION},
	{"triage", MANAGER | INTEGRATION},

	{"activate_risk_model", MANAGER},
	{"add_board", MANAGER},
	{"add_board_member", MANAGER},
	{"add_holiday", MANAGER},
	{"add_maintenance_window", MANAGER},
	{"add_person", MANAGER},
	{"add_team", MANAGER},
	{"create_business_calendar", MANAGER},
	{"cancel_duty", MANAGER},
	{"cancel_meeting", MANAGER},
	{"plan_meetings", MANAGER},
	{"deactivate_risk_model", MANAGER},
	{"declare_blackout", MANAGER},
	{"fit_risk_model", MANAGER},
	{"import_holidays", MANAGER},
	{"override_booking", MANAGER},
	{"publish_model", MANAGER},
	{"publish_risk_matrix", MANAGER},
	{"rebuild_bookings", MANAGER},
	{"record_unauthorized", MANAGER},
	{"register_requirement", MANAGER},
	{"register_risk_factor", MANAGER},
	{"remove_approval_policy", MANAGER},
	{"remove_holiday", MANAGER},
	{"remove_risk_factor", MANAGER},
	{"remove_window", MANAGER},
	{"retire_model", MANAGER},
	{"set_approval_policy", MANAGER},
	{"set_business_hours", MANAGER},
	{"set_board_cadence", MANAGER},
	{"set_risk_factor", MANAGER},
	{"set_setting", MANAGER},
	{"waive", MANAGER},
};

/* A privilege on one object of the extension. */
typedef enum RightKind
{
	RIGHT_USAGE,				/* of the schema */
	RIGHT_SELECT,				/* of a table or view */
	RIGHT_EXECUTE				/* of a function */
} RightKind;

static const char *const privilege_names[] = {"USAGE", "SELECT", "EXECUTE"};
static const char *const object_kinds[] = {"SCHEMA", "TABLE", "ROUTINE"};

typedef struct Right
{
	RightKind	kind;
	char	   *object;			/* as SQL writes it */
	int			duties;
	bool		held;			/* granted to the role asked about, directly */
} Right;

typedef struct Rights
{
	int			count;
	Right	   *rights;
} Rights;

/* All rights that duties give.  Needs an SPI connection. */
static void
rights_read(Rights *result, Oid role)
{
	static KeptPlan objects = {
		"SELECT 0, n.oid, n.nspname, EXISTS ("
		"  SELECT FROM pg_catalog.aclexplode(n.nspacl) AS a"
		"  WHERE a.grantee OPERATOR(pg_catalog.=) $1"
		"  AND a.privilege_type OPERATOR(pg_catalog.=) 'USAGE')"
		" FROM pg_catalog.pg_namespace AS n"
		" WHERE n.nspname OPERATOR(pg_catalog.=) 'changemgmt'"
		" UNION ALL"
		" SELECT 1, c.oid, c.relname, EXISTS ("
		"  SELECT FROM pg_catalog.aclexplode(c.relacl) AS a"
		"  WHERE a.grantee OPERATOR(pg_catalog.=) $1"
		"  AND a.privilege_type OPERATOR(pg_catalog.=) 'SELECT')"
		" FROM pg_catalog.pg_class AS c"
		" JOIN pg_catalog.pg_depend AS d"
		"  ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass"
		"  AND d.objid OPERATOR(pg_catalog.=) c.oid"
		"  AND d.deptype OPERATOR(pg_catalog.=) 'e'"
		"  AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass"
		" JOIN pg_catalog.pg_extension AS e"
		"  ON e.oid OPERATOR(pg_catalog.=) d.refobjid"
		"  AND e.extname OPERATOR(pg_catalog.=) 'changemgmt'"
		" WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f}'::pg_catalog.\"char\"[])"
		" UNION ALL"
		" SELECT 2, p.oid, p.proname, EXISTS ("
		"  SELECT FROM pg_catalog.aclexplode(p.proacl) AS a"
		"  WHERE a.grantee OPERATOR(pg_catalog.=) $1"
		"  AND a.privilege_type OPERATOR(pg_catalog.=) 'EXECUTE')"
		" FROM pg_catalog.pg_proc AS p"
		" JOIN pg_catalog.pg_depend AS d"
		"  ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass"
		"  AND d.objid OPERATOR(pg_catalog.=) p.oid"
		"  AND d.deptype OPERATOR(pg_catalog.=) 'e'"
		"  AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass"
		" JOIN pg_catalog.pg_extension AS e"
		"  ON e.oid OPERATOR(pg_catalog.=) d.refobjid"
		"  AND e.extname OPERATOR(pg_catalog.=) 'changemgmt'"
		" ORDER BY 1, 3, 2",
		1, {OIDOID}, NULL
	};
	Datum		argument = ObjectIdGetDatum(role);

	kept_plan_execute(&objects, &argument, NULL, 0);
	result->count = 0;
	result->rights = palloc(Max(SPI_processed, 1) * sizeof(Right));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Right	   *right = &result->rights[result->count];
		char	   *name = SPI_getvalue(tuple, desc, 3);
		bool		isnull;
		Oid			oid = DatumGetObjectId(SPI_getbinval(tuple, desc, 2, &isnull));

		right->kind = DatumGetInt32(SPI_getbinval(tuple, desc, 1, &isnull));
		right->held = DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull));
		right->duties = ALL_DUTIES;
		switch (right->kind)
		{
			case RIGHT_USAGE:
				right->object = pstrdup(quote_identifier(name));
				break;
			case RIGHT_SELECT:
				/* it shows confidential changes, for monthly_metrics to count */
				if (strcmp(name, "metrics_fact") == 0)
					right->duties = 0;
				right->object = quote_qualified_identifier("changemgmt", name);
				break;
			case RIGHT_EXECUTE:
				right->object = format_procedure_qualified(oid);
				right->duties = 0;
				for (size_t f = 0; f < lengthof(function_duties); f++)
					if (strcmp(function_duties[f].name, name) == 0)
						right->duties = function_duties[f].duties;
				break;
		}
		if (right->duties != 0)
			result->count++;
	}
}

/* Grant or revoke the marked rights, in one statement for each kind. */
static void
rights_apply(const Rights *rights, const bool *marked, const char *action,
			 const char *preposition, const char *role)
{
	for (RightKind kind = RIGHT_USAGE; kind <= RIGHT_EXECUTE; kind++)
	{
		StringInfoData buf;
		int			count = 0;

		initStringInfo(&buf);
		appendStringInfo(&buf, "%s %s ON %s ", action, privilege_names[kind],
						 object_kinds[kind]);
		for (int i = 0; i < rights->count; i++)
			if (marked[i] && rights->rights[i].kind == kind)
				appendStringInfo(&buf, "%s%s", count++ > 0 ? ", " : "",
								 rights->rights[i].object);
		if (count == 0)
			continue;
		appendStringInfo(&buf, " %s %s", preposition, quote_identifier(role));
		if (SPI_execute(buf.data, false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "SPI_execute failed: %s", buf.data);
	}
}

/* The arguments of grant_role and revoke_role, checked. */
static void
read_arguments(FunctionCallInfo fcinfo, char **role_name, Oid *role,
			   int *duty)
{
	char	   *duty_name;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a role and a duty are needed")));
	*role_name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	duty_name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	*role = get_role_oid(*role_name, true);
	if (!OidIsValid(*role))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("role \"%s\" does not exist", *role_name),
				 errhint("CREATE ROLE %s", quote_identifier(*role_name))));
	*duty = -1;
	for (size_t i = 0; i < lengthof(duty_names); i++)
		if (strcmp(duty_names[i], duty_name) == 0)
			*duty = i;
	if (*duty < 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("\"%s\" is not a duty", duty_name),
				 errhint("Duties are viewer, requester, implementer, approver, manager and integration; SELECT * FROM changemgmt.duty_rights() shows what they give.")));
	if (!has_privs_of_role(GetUserId(), tables_owner()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("duties are granted by the owner of the extension")));
	if (*role == tables_owner())
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("role \"%s\" owns the extension and needs no duty",
						*role_name)));
}

/* Put a duty of a role on record, or take it off. */
static void
duty_record(KeptPlan *plan, const char *role_name, int duty)
{
	Datum		arguments[3];

	if (!relation_exists("role_duty"))
		return;
	arguments[0] = CStringGetTextDatum(role_name);
	arguments[1] = CStringGetTextDatum(duty_names[duty]);
	arguments[2] = CStringGetTextDatum(actor_name());
	kept_plan_execute(plan, arguments, NULL, 0);
}

static void
duty_record_grant(const char *role_name, int duty)
{
	static KeptPlan grant = {
		"INSERT INTO changemgmt.role_duty (role_name, duty, granted_by)"
		" VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
		3, {TEXTOID, TEXTOID, TEXTOID}, NULL
	};

	duty_record(&grant, role_name, duty);
}

static void
duty_record_revoke(const char *role_name, int duty)
{
	static KeptPlan revoke = {
		"DELETE FROM changemgmt.role_duty"
		" WHERE role_name OPERATOR(pg_catalog.=) $1"
		" AND duty OPERATOR(pg_catalog.=) $2 AND $3 IS NOT NULL",
		3, {TEXTOID, TEXTOID, TEXTOID}, NULL
	};

	duty_record(&revoke, role_name, duty);
}

/* duty_rights(): every privilege that a duty gives */
Datum
duty_rights(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Rights		rights;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	rights_read(&rights, InvalidOid);
	for (size_t duty = 0; duty < lengthof(duty_names); duty++)
		for (int i = 0; i < rights.count; i++)
		{
			const Right *right = &rights.rights[i];
			Datum		values[3];
			bool		isnull[3] = {false, false, false};

			if (!(right->duties & (1 << duty)))
				continue;
			values[0] = CStringGetTextDatum(duty_names[duty]);
			values[1] = CStringGetTextDatum(privilege_names[right->kind]);
			values[2] = CStringGetTextDatum(right->object);
			tuplestore_putvalues(result->setResult, result->setDesc, values,
								 isnull);
		}
	SPI_finish();
	return (Datum) 0;
}

/* grant_role(role_name, duty) */
Datum
grant_role(PG_FUNCTION_ARGS)
{
	char	   *role_name;
	Oid			role;
	int			duty;
	Rights		rights;
	bool	   *marked;

	read_arguments(fcinfo, &role_name, &role, &duty);
	SPI_connect();
	rights_read(&rights, role);
	marked = palloc(rights.count * sizeof(bool));
	for (int i = 0; i < rights.count; i++)
		marked[i] = (rights.rights[i].duties & (1 << duty)) != 0;
	rights_apply(&rights, marked, "GRANT", "TO", role_name);
	duty_record_grant(role_name, duty);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * revoke_role(role_name, duty): the duty and those that it includes go; what
 * another duty of the role gives as well stays.
 */
Datum
revoke_role(PG_FUNCTION_ARGS)
{
	char	   *role_name;
	Oid			role;
	int			duty;
	Rights		rights;
	bool	   *marked;
	int			kept = 0;		/* duties that the role keeps */

	read_arguments(fcinfo, &role_name, &role, &duty);
	SPI_connect();
	rights_read(&rights, role);
	for (int other = 0; other < (int) lengthof(duty_names); other++)
	{
		bool		held = true;
		bool		included = true;	/* other in duty */
		bool		includes = true;	/* duty in other */

		for (int i = 0; i < rights.count; i++)
		{
			bool		of_duty = (rights.rights[i].duties & (1 << duty)) != 0;
			bool		of_other = (rights.rights[i].duties & (1 << other)) != 0;

			held &= rights.rights[i].held || !of_other;
			included &= of_duty || !of_other;
			includes &= of_other || !of_duty;
		}
		if (included)
			duty_record_revoke(role_name, other);
		if (!held || included)
			continue;
		if (includes)
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT),
					 errmsg("role \"%s\" has the duty %s, which includes %s",
							role_name, duty_names[other], duty_names[duty]),
					 errhint("SELECT changemgmt.revoke_role(%s, %s), and grant what is to stay.",
							 quote_literal_cstr(role_name),
							 quote_literal_cstr(duty_names[other]))));
		kept |= 1 << other;
	}
	marked = palloc(rights.count * sizeof(bool));
	for (int i = 0; i < rights.count; i++)
		marked[i] = (rights.rights[i].duties & (1 << duty)) != 0 &&
			(rights.rights[i].duties & kept) == 0;
	rights_apply(&rights, marked, "REVOKE", "FROM", role_name);
	SPI_finish();
	PG_RETURN_VOID();
}
