/*-------------------------------------------------------------------------
 *
 * doctor.c
 *	  What stands round the rules: a guard against dropping them, and the
 *	  list of what has to be there for them to hold.
 *
 * doctor() itself is a query (sql/98_doctor.sql).  What it compares with
 * stands here, where no statement can change it.
 *
 * State: the GUC changemgmt.allow_drop.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
#include "tcop/cmdtag.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "doctor.h"
#include "errors.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(drop_guard);
PG_FUNCTION_INFO_V1(shipped_tables);
PG_FUNCTION_INFO_V1(shipped_triggers);
PG_FUNCTION_INFO_V1(shipped_functions);
PG_FUNCTION_INFO_V1(library_version);

#define EXTENSION "changemgmt"

static bool allow_drop = false;

/* A table of the extension, with what belongs to it. */
typedef struct ShippedTable
{
	const char *name;
	int			columns;
	int			constraints;	/* but NOT NULL */
	const char *triggers;		/* separated by spaces */
	const char *indexes;		/* but those of constraints */
	bool		row_security;	/* with the policy "visible" */
} ShippedTable;

#define PART "load_record load_record_before part_deleted part_inserted part_updated truncate_guard zzz_stamp"
#define MEETING "judge_meeting zzz_meeting"
#define RECORDED "load_record load_record_before record truncate_guard"
#define CACHED "cache_invalidate cache_invalidate_replica"
#define APPENDED "ledger_guard ledger_guard_truncate load_record load_record_before"

static const ShippedTable shipped[] = {
	{"agenda_item", 7, 6, RECORDED " " MEETING,
	"agenda_item_change_id_idx", true},
	{"approval_delegation", 11, 8, RECORDED " judge zzzz_stamp",
	"approval_delegation_valid_until_idx", false},
	{"approval_level", 9, 15, RECORDED " " CACHED,
	"", false},
	{"approval_policy", 9, 7, RECORDED " " CACHED,
	"", false},
	{"approval_vote", 10, 7, PART " judge tally_inserted tally_updated zzzz_stamp_vote",
	"", true},
	{"booking", 5, 6, "guard load_record load_record_before truncate_guard",
	"booking_ci_id_idx booking_period_idx", true},
	{"board", 3, 3, RECORDED,
	"", false},
	{"board_attendance", 4, 4, RECORDED " " MEETING,
	"", false},
	{"board_cadence", 5, 4, RECORDED,
	"", false},
	{"board_meeting", 14, 8, RECORDED " " MEETING,
	"", false},
	{"board_member", 6, 6, RECORDED,
	"board_member_person_id_idx", false},
	{"business_calendar", 4, 3, RECORDED " " CACHED " business_calendar_check",
	"", false},
	{"business_hours", 5, 5, RECORDED " " CACHED,
	"", false},
	{"change", 87, 14, "Judge booking duty load_record load_record_before risk_assess truncate_guard zzz_stamp",
	"change_actual_end_idx change_confidential_idx change_incident_id_idx change_model_executed_idx change_open_idx change_owner_executed_idx change_rolled_back_at_idx change_team_executed_idx", true},
	{"change_check", 19, 11, PART " duty",
	"change_check_change_id_idx", true},
	{"change_comment", 5, 4, PART,
	"change_comment_change_id_idx", true},
	{"change_communication", 9, 8, PART " duty",
	"change_communication_change_id_idx", true},
	{"change_item", 6, 5, PART,
	"change_item_ci_id_idx", true},
	{"change_link", 6, 9, PART,
	"change_link_target_change_id_idx", true},
	{"change_review", 10, 4, PART " duty",
	"change_review_change_id_idx", true},
	{"change_risk", 9, 8, PART,
	"change_risk_change_id_idx", true},
	{"change_task", 20, 10, PART " condition_judge",
	"change_task_change_id_idx change_task_checklist_key_idx change_task_unfinished_idx", true},
	{"change_waiver", 8, 6, PART " judge zzzz_stamp_waiver",
	"change_waiver_change_id_idx", true},
	{"change_window", 15, 10, RECORDED " " CACHED " window_stamp",
	"change_window_ci_id_idx", false},
	{"ci_dependency", 4, 6, RECORDED,
	"ci_dependency_depends_on_ci_id_idx", false},
	{"configuration_item", 12, 8, RECORDED " booking",
	"", false},
	{"duty", 17, 10, RECORDED " judge zzz_duty",
	"duty_change_id_idx duty_due_at_idx duty_person_id_idx duty_tick_idx", true},
	{"holiday", 4, 4, RECORDED " " CACHED " business_calendar_check",
	"", false},
	{"incident", 17, 12, RECORDED " judge_incident zzz_incident",
	"incident_merged_into_id_idx", false},
	{"incident_cause", 10, 7, RECORDED " judge_incident zzz_incident",
	"incident_cause_change_id_idx incident_cause_withdrawn_at_idx", true},
	{"incident_item", 3, 4, RECORDED " zzz_incident",
	"incident_item_ci_id_idx", false},
	{"ledger", 17, 5, APPENDED,
	"", true},
	{"ledger_checkpoint", 10, 5, APPENDED,
	"ledger_checkpoint_root", false},
	{"ledger_checkpoint_head", 5, 3, APPENDED,
	"", true},
	{"load", 9, 1, "ledger_guard ledger_guard_truncate",
	"", false},
	{"meeting_minute", 8, 6, RECORDED " " MEETING,
	"meeting_minute_change_id_idx", true},
	{"person", 9, 5, RECORDED " " CACHED,
	"", false},
	{"risk_assessment", 9, 5, RECORDED " guard",
	"risk_assessment_change_id_idx", true},
	{"risk_model", 33, 5, RECORDED " judge",
	"risk_model_active_idx", false},
	{"role_duty", 5, 3, RECORDED,
	"", false},
	{"site_model", 8, 5, CACHED " load_record load_record_before model_guard model_guard_truncate record template_check template_judge",
	"site_model_approved_by_change_id_idx", false},
	{"site_requirement", 7, 4, RECORDED " " CACHED " site_requirement_check",
	"", false},
	{"site_risk_factor", 7, 3, RECORDED " " CACHED " site_risk_factor_check site_risk_factor_sum",
	"", false},
	{"site_risk_matrix", 6, 4, RECORDED " " CACHED " risk_matrix_guard",
	"", false},
	{"site_setting", 3, 2, RECORDED " " CACHED " site_setting_check",
	"", false},
	{"team", 5, 5, RECORDED,
	"", false},
	{"team_member", 3, 4, RECORDED,
	"team_member_person_id_idx", false},
	{"template_proposal", 5, 5, PART " judge",
	"", true},
};

/*
 * What a trigger of that name has to be, on the table or, with NULL, on each
 * that has one; the first line that fits counts.  A new trigger is a name in
 * shipped[] and, if it is the first of its name or differs from it, a line here.
 */
typedef struct ShippedTrigger
{
	const char *relation;
	const char *name;
	const char *function;
	int			type;			/* TRIGGER_TYPE_...: pg_trigger.tgtype */
	const char *arguments;		/* separated by spaces */
	const char *transition;		/* its transition tables, separated by spaces */
	const char *enabled;		/* pg_trigger.tgenabled */
} ShippedTrigger;

#define EACH_ROW TRIGGER_TYPE_ROW
#define BEFORE TRIGGER_TYPE_BEFORE
#define INSERTED TRIGGER_TYPE_INSERT
#define UPDATED TRIGGER_TYPE_UPDATE
#define DELETED TRIGGER_TYPE_DELETE
#define TRUNCATED TRIGGER_TYPE_TRUNCATE
#define STORED (INSERTED | UPDATED)
#define WRITTEN (INSERTED | UPDATED | DELETED)

static const ShippedTrigger trigger_kinds[] = {
	{"change", "zzz_stamp", "lifecycle_stamp", BEFORE | STORED | EACH_ROW, "", "", "O"},
	{"person", "record", "ledger_record", WRITTEN | EACH_ROW, "email phone chat", "", "O"},
	{"risk_assessment", "guard", "risk_assessment_guard", WRITTEN | EACH_ROW, "", "", "O"},
	{"risk_assessment", "record", "ledger_record", WRITTEN | EACH_ROW, "explanation", "", "O"},
	{"approval_delegation", "judge", "delegation_judge", WRITTEN | EACH_ROW, "", "", "O"},
	{"approval_vote", "judge", "vote_judge", WRITTEN | EACH_ROW, "", "", "O"},
	{"change_waiver", "judge", "waiver_judge", WRITTEN | EACH_ROW, "", "", "O"},
	{"duty", "judge", "duty_judge", WRITTEN | EACH_ROW, "", "", "O"},
	{"risk_model", "judge", "risk_model_judge", WRITTEN | EACH_ROW, "", "", "O"},
	{"template_proposal", "judge", "proposal_judge", WRITTEN | EACH_ROW, "", "", "O"},

	{NULL, "Judge", "lifecycle_judge", WRITTEN | EACH_ROW, "", "", "O"},
	{"change", "duty", "duty_follow", STORED | EACH_ROW, "", "", "O"},
	{"change_check", "duty", "duty_check", STORED | EACH_ROW, "", "", "O"},
	{NULL, "duty", "duty_part", STORED | EACH_ROW, "", "", "O"},
	{NULL, "business_calendar_check", "business_calendar_check", BEFORE | STORED | EACH_ROW, "", "", "O"},
	{"change", "booking", "booking_follow", STORED | EACH_ROW, "", "", "O"},
	{"configuration_item", "booking", "booking_item", UPDATED | EACH_ROW, "", "", "O"},

	{NULL, "cache_invalidate", "cache_invalidate", WRITTEN | TRUNCATED, "", "", "O"},
	{NULL, "cache_invalidate_replica", "cache_invalidate", WRITTEN | EACH_ROW, "", "", "R"},
	{NULL, "condition_judge", "condition_judge", WRITTEN | EACH_ROW, "", "", "O"},
	{NULL, "guard", "booking_guard", WRITTEN | EACH_ROW, "", "", "O"},
	{NULL, "judge_incident", "incident_judge", WRITTEN | EACH_ROW, "", "", "O"},
	{NULL, "judge_meeting", "meeting_judge", WRITTEN | EACH_ROW, "", "", "O"},
	{NULL, "ledger_guard", "ledger_guard", BEFORE | WRITTEN | EACH_ROW, "", "", "O"},
	{NULL, "ledger_guard_truncate", "ledger_guard", BEFORE | TRUNCATED, "", "", "O"},
	{NULL, "load_record", "load_record", INSERTED, "", "", "O"},
	{NULL, "load_record_before", "load_record", BEFORE | INSERTED, "", "", "O"},
	{NULL, "model_guard", "model_guard", BEFORE | WRITTEN | EACH_ROW, "", "", "O"},
	{NULL, "model_guard_truncate", "model_guard", BEFORE | TRUNCATED, "", "", "O"},
	{NULL, "part_deleted", "part_changed", DELETED, "", "old_rows", "O"},
	{NULL, "part_inserted", "part_changed", INSERTED, "", "new_rows", "O"},
	{NULL, "part_updated", "part_changed", UPDATED, "", "old_rows new_rows", "O"},
	{NULL, "record", "ledger_record", WRITTEN | EACH_ROW, "", "", "O"},
	{NULL, "risk_assess", "risk_assess", UPDATED | EACH_ROW, "", "", "O"},
	{NULL, "risk_matrix_guard", "risk_matrix_guard", BEFORE | WRITTEN | EACH_ROW, "", "", "O"},
	{NULL, "site_requirement_check", "site_requirement_check", BEFORE | STORED | EACH_ROW, "", "", "O"},
	{NULL, "site_risk_factor_check", "site_risk_factor_check", BEFORE | STORED | EACH_ROW, "", "", "O"},
	{NULL, "site_risk_factor_sum", "site_risk_factor_sum", WRITTEN | EACH_ROW, "", "", "O"},
	{NULL, "site_setting_check", "site_setting_check", BEFORE | STORED | EACH_ROW, "", "", "O"},
	{NULL, "tally_inserted", "vote_tally", INSERTED, "", "new_rows", "O"},
	{NULL, "tally_updated", "vote_tally", UPDATED, "", "new_rows", "O"},
	{NULL, "template_check", "template_check", INSERTED | EACH_ROW, "", "", "O"},
	{NULL, "template_judge", "template_judge", INSERTED | EACH_ROW, "", "", "O"},
	{NULL, "truncate_guard", "truncate_guard", BEFORE | TRUNCATED, "", "", "O"},
	{NULL, "window_stamp", "window_stamp", BEFORE | STORED | EACH_ROW, "", "", "O"},
	{NULL, "zzz_duty", "duty_stamp", BEFORE | STORED | EACH_ROW, "", "", "O"},
	{NULL, "zzz_incident", "incident_stamp", BEFORE | STORED | EACH_ROW, "", "", "O"},
	{NULL, "zzz_meeting", "meeting_stamp", BEFORE | WRITTEN | EACH_ROW, "", "", "O"},
	{NULL, "zzz_stamp", "part_stamp", BEFORE | WRITTEN | EACH_ROW, "", "", "O"},
	{NULL, "zzzz_stamp", "delegation_stamp", BEFORE | STORED | EACH_ROW, "", "", "O"},
	{NULL, "zzzz_stamp_waiver", "waiver_stamp", BEFORE | STORED | EACH_ROW, "", "", "O"},
	{NULL, "zzzz_stamp_vote", "vote_stamp", BEFORE | STORED | EACH_ROW, "", "", "O"},
};

/*
 * The functions that are written in C, in the order of their names; symbol is
 * NULL where it is the name.  A new function is a line of its own, as
 * {"name", NULL, "stable strict"}: test/pgtap/doctor.sql fails without, and
 * prints it.
 */
typedef struct ShippedFunction
{
	const char *name;
	const char *symbol;
	const char *manner;			/* volatility, and whether it is strict */
} ShippedFunction;

static const ShippedFunction functions[] = {
	{"abort", "abort_change", "volatile"},
	{"abstain", NULL, "volatile"},
	{"acting_person", NULL, "stable"},
	{"activate_risk_model", NULL, "volatile"},
	{"add_business_days", NULL, "stable strict"},
	{"add_checklist", NULL, "volatile"},
	{"add_holiday", NULL, "volatile"},
	{"add_to_agenda", NULL, "volatile"},
	{"advance", NULL, "volatile"},
	{"approval_levels", NULL, "volatile strict"},
	{"approval_policy_of", NULL, "volatile strict"},
	{"approval_state", NULL, "stable strict"},
	{"approval_tally", NULL, "volatile strict"},
	{"approval_waiting", NULL, "volatile strict"},
	{"approve", NULL, "volatile"},
	{"approve_with_conditions", NULL, "volatile"},
	{"assign_duty", NULL, "volatile"},
	{"auc_accum", NULL, "immutable"},
	{"auc_combine", NULL, "immutable"},
	{"auc_deserial", NULL, "immutable strict"},
	{"auc_final", NULL, "immutable"},
	{"auc_serial", NULL, "immutable strict"},
	{"begin_rollback", NULL, "volatile"},
	{"board_id", NULL, "stable strict"},
	{"booking_follow", NULL, "volatile"},
	{"booking_guard", NULL, "volatile"},
	{"booking_item", NULL, "volatile"},
	{"brier_accum", NULL, "immutable strict"},
	{"brier_accum_inv", NULL, "immutable strict"},
	{"brier_combine", NULL, "immutable strict"},
	{"brier_final", NULL, "immutable strict"},
	{"business_calendar_check", NULL, "volatile"},
	{"business_calendar_id", NULL, "stable strict"},
	{"business_days_between", NULL, "stable strict"},
	{"business_duration", NULL, "stable strict"},
	{"cache_invalidate", NULL, "volatile"},
	{"call_emergency_meeting", NULL, "volatile"},
	{"cancel", NULL, "volatile"},
	{"cancel_duty", NULL, "volatile"},
	{"cancel_meeting", NULL, "volatile"},
	{"change_as_of", NULL, "stable"},
	{"change_conflicts", NULL, "stable strict"},
	{"change_document", NULL, "stable"},
	{"change_id", NULL, "stable strict"},
	{"change_is_possible", NULL, "immutable strict"},
	{"change_number", NULL, "stable strict"},
	{"change_state", NULL, "stable strict"},
	{"changes_near", NULL, "stable"},
	{"ci_id", NULL, "stable strict"},
	{"close", "close_change", "volatile"},
	{"close_meeting", NULL, "volatile"},
	{"code_list", NULL, "immutable"},
	{"complete", NULL, "volatile"},
	{"complete_duty", NULL, "volatile"},
	{"condition_judge", NULL, "volatile"},
	{"confirm_stability", NULL, "volatile"},
	{"contains", "recurrence_contains", "stable strict"},
	{"copy_change", NULL, "volatile"},
	{"create_business_calendar", NULL, "volatile"},
	{"create_change_from", NULL, "volatile strict"},
	{"create_follow_up", NULL, "volatile"},
	{"deactivate_risk_model", NULL, "volatile"},
	{"defer", NULL, "volatile"},
	{"delegation_judge", NULL, "volatile"},
	{"delegation_stamp", NULL, "volatile"},
	{"denominator", "rate_denominator", "immutable strict"},
	{"drop_guard", NULL, "volatile"},
	{"duty_check", NULL, "volatile"},
	{"duty_follow", NULL, "volatile"},
	{"duty_judge", NULL, "volatile"},
	{"duty_part", NULL, "volatile"},
	{"duty_rights", NULL, "stable"},
	{"duty_stamp", NULL, "volatile"},
	{"earliest_start", NULL, "stable strict"},
	{"edit_change", NULL, "volatile"},
	{"edit_incident", NULL, "volatile"},
	{"edit_template", NULL, "volatile"},
	{"fail", NULL, "volatile"},
	{"field_class", NULL, "immutable"},
	{"fit_risk_model", NULL, "volatile"},
	{"grant_role", NULL, "volatile"},
	{"hidden_assessments", NULL, "stable"},
	{"hidden_causes", NULL, "stable"},
	{"hidden_changes", NULL, "stable"},
	{"hidden_duties", NULL, "stable"},
	{"hidden_items", NULL, "stable strict"},
	{"hold", NULL, "volatile"},
	{"hold_meeting", NULL, "volatile"},
	{"ics_event", NULL, "immutable"},
	{"ics_range", NULL, "immutable"},
	{"import_holidays", NULL, "volatile"},
	{"incident_id", NULL, "volatile strict"},
	{"incident_judge", NULL, "volatile"},
	{"incident_stamp", NULL, "volatile"},
	{"ledger_checkpoint", NULL, "volatile"},
	{"ledger_guard", NULL, "volatile"},
	{"ledger_record", NULL, "volatile"},
	{"library_version", NULL, "stable"},
	{"lifecycle_judge", NULL, "volatile"},
	{"lifecycle_stamp", NULL, "volatile"},
	{"load_record", NULL, "volatile"},
	{"meeting_judge", NULL, "volatile"},
	{"meeting_stamp", NULL, "volatile"},
	{"merge_incident", NULL, "volatile"},
	{"merkle_root", NULL, "immutable strict"},
	{"model_guard", NULL, "volatile"},
	{"model_validations", NULL, "stable strict"},
	{"next_occurrence", "recurrence_next_occurrence", "stable strict"},
	{"next_steps", NULL, "volatile strict"},
	{"next_windows", NULL, "stable"},
	{"numerator", "rate_numerator", "immutable strict"},
	{"occurrences", "recurrence_occurrences", "stable strict"},
	{"occurrences_support", "recurrence_occurrences_support", "immutable strict"},
	{"open_windows", NULL, "stable"},
	{"part_changed", NULL, "volatile"},
	{"part_stamp", NULL, "volatile"},
	{"pass", NULL, "volatile"},
	{"person_id", NULL, "stable strict"},
	{"plan", NULL, "volatile"},
	{"plan_meetings", NULL, "volatile"},
	{"plan_missing", NULL, "stable strict"},
	{"policy_backtest", NULL, "stable strict"},
	{"proposal_judge", NULL, "volatile"},
	{"propose_template", NULL, "volatile"},
	{"publish_template", NULL, "volatile"},
	{"rate", "rate_construct", "immutable strict"},
	{"rate_accum", NULL, "immutable strict"},
	{"rate_accum_inv", NULL, "immutable strict"},
	{"rate_add", NULL, "immutable strict"},
	{"rate_cmp", NULL, "immutable strict"},
	{"rate_combine", NULL, "immutable strict"},
	{"rate_combine_inv", NULL, "immutable strict"},
	{"rate_eq", NULL, "immutable strict"},
	{"rate_ge", NULL, "immutable strict"},
	{"rate_gt", NULL, "immutable strict"},
	{"rate_hash", NULL, "immutable strict"},
	{"rate_hash_extended", NULL, "immutable strict"},
	{"rate_in", NULL, "immutable strict"},
	{"rate_le", NULL, "immutable strict"},
	{"rate_lt", NULL, "immutable strict"},
	{"rate_ne", NULL, "immutable strict"},
	{"rate_out", NULL, "immutable strict"},
	{"rate_recv", NULL, "immutable strict"},
	{"rate_send", NULL, "immutable strict"},
	{"rate_sortsupport", NULL, "immutable strict"},
	{"rate_subtract", NULL, "immutable strict"},
	{"rate_to_double", NULL, "immutable strict"},
	{"rate_to_numeric", NULL, "immutable strict"},
	{"reassign_duty", NULL, "volatile"},
	{"rebuild_bookings", NULL, "volatile"},
	{"record_incident", NULL, "volatile"},
	{"record_minute", NULL, "volatile"},
	{"record_observation", NULL, "volatile"},
	{"record_signal", NULL, "volatile"},
	{"recurrence_cmp", NULL, "immutable strict"},
	{"recurrence_eq", NULL, "immutable strict"},
	{"recurrence_ge", NULL, "immutable strict"},
	{"recurrence_gt", NULL, "immutable strict"},
	{"recurrence_hash", NULL, "immutable strict"},
	{"recurrence_hash_extended", NULL, "immutable strict"},
	{"recurrence_in", NULL, "stable strict"},
	{"recurrence_le", NULL, "immutable strict"},
	{"recurrence_lt", NULL, "immutable strict"},
	{"recurrence_ne", NULL, "immutable strict"},
	{"recurrence_out", NULL, "immutable strict"},
	{"recurrence_recv", NULL, "stable strict"},
	{"recurrence_send", NULL, "immutable strict"},
	{"reject", NULL, "volatile"},
	{"remove_approval_policy", NULL, "volatile strict"},
	{"remove_from_agenda", NULL, "volatile"},
	{"remove_holiday", NULL, "volatile strict"},
	{"reopen_incident", NULL, "volatile"},
	{"requirement_list", NULL, "stable"},
	{"reschedule", NULL, "volatile"},
	{"resolve_incident", NULL, "volatile"},
	{"resume", NULL, "volatile"},
	{"resume_work", NULL, "volatile"},
	{"review_object", NULL, "volatile"},
	{"revise", NULL, "volatile"},
	{"revoke_delegation", NULL, "volatile strict"},
	{"revoke_role", NULL, "volatile"},
	{"risk_assess", NULL, "volatile"},
	{"risk_assessment_guard", NULL, "volatile"},
	{"risk_explain", NULL, "stable strict"},
	{"risk_level", NULL, "stable strict"},
	{"risk_matrix_guard", NULL, "volatile"},
	{"risk_score", NULL, "stable strict"},
	{"risk_summary", NULL, "stable strict"},
	{"risk_what_if", NULL, "stable strict"},
	{"roll_back", NULL, "volatile"},
	{"risk_fit_probability", NULL, "immutable"},
	{"risk_fit_round_accum", NULL, "immutable"},
	{"risk_fit_round_combine", NULL, "immutable strict"},
	{"risk_fit_summary_accum", NULL, "immutable"},
	{"risk_fit_summary_combine", NULL, "immutable strict"},
	{"risk_model_judge", NULL, "volatile"},
	{"risk_model_predict", NULL, "stable"},
	{"risk_probability", NULL, "stable strict"},
	{"row_digest", NULL, "stable strict"},
	{"schedule", NULL, "volatile"},
	{"set_approval_policy", NULL, "volatile"},
	{"set_board_cadence", NULL, "volatile"},
	{"set_business_hours", NULL, "volatile"},
	{"setting_value", NULL, "stable strict"},
	{"shipped_functions", NULL, "immutable"},
	{"shipped_checklist", NULL, "immutable"},
	{"shipped_models", NULL, "immutable"},
	{"shipped_risk_factors", NULL, "immutable"},
	{"shipped_risk_matrices", NULL, "immutable"},
	{"shipped_settings", NULL, "immutable"},
	{"shipped_tables", NULL, "immutable"},
	{"shipped_triggers", NULL, "immutable"},
	{"site_requirement_check", NULL, "volatile"},
	{"site_risk_factor_check", NULL, "volatile"},
	{"site_risk_factor_sum", NULL, "volatile"},
	{"site_risk_matrix_cells", NULL, "immutable strict"},
	{"site_setting_check", NULL, "volatile"},
	{"start", NULL, "volatile"},
	{"submit", NULL, "volatile"},
	{"suggest_windows", NULL, "stable"},
	{"suspect_changes", NULL, "stable"},
	{"team_id", NULL, "stable strict"},
	{"template_check", NULL, "volatile"},
	{"template_judge", NULL, "volatile"},
	{"template_record", NULL, "stable strict"},
	{"tick", NULL, "volatile"},
	{"triage", NULL, "volatile"},
	{"truncate_guard", NULL, "volatile"},
	{"verify_checkpoint", NULL, "stable"},
	{"verify_ledger", NULL, "stable"},
	{"vote_for", NULL, "volatile"},
	{"vote_judge", NULL, "volatile"},
	{"vote_stamp", NULL, "volatile"},
	{"vote_tally", NULL, "volatile"},
	{"waiver_judge", NULL, "volatile"},
	{"waiver_stamp", NULL, "volatile"},
	{"what_the_board_saw", NULL, "stable strict"},
	{"why_not", NULL, "volatile"},
	{"wilson_high", "rate_wilson_high", "immutable strict"},
	{"wilson_low", "rate_wilson_low", "immutable strict"},
	{"window_id", NULL, "stable strict"},
	{"window_stamp", NULL, "volatile"},
	{"window_state", NULL, "stable"},
};

/* shipped_tables(): the list, for doctor() */
Datum
shipped_tables(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (size_t i = 0; i < lengthof(shipped); i++)
	{
		Datum		values[6];
		bool		nulls[6] = {false};

		values[0] = CStringGetTextDatum(shipped[i].name);
		values[1] = Int32GetDatum(shipped[i].columns);
		values[2] = Int32GetDatum(shipped[i].constraints);
		values[3] = CStringGetTextDatum(shipped[i].triggers);
		values[4] = CStringGetTextDatum(shipped[i].indexes);
		values[5] = BoolGetDatum(shipped[i].row_security);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* What the trigger of a table has to be. */
static const ShippedTrigger *
shipped_trigger(const char *relation, const char *name)
{
	for (size_t i = 0; i < lengthof(trigger_kinds); i++)
		if (strcmp(trigger_kinds[i].name, name) == 0 &&
			(trigger_kinds[i].relation == NULL ||
			 strcmp(trigger_kinds[i].relation, relation) == 0))
			return &trigger_kinds[i];
	elog(ERROR, "trigger %s of %s has no line in trigger_kinds[]", name, relation);
}

/* shipped_triggers(): those of all tables, for doctor() */
Datum
shipped_triggers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (size_t i = 0; i < lengthof(shipped); i++)
	{
		char	   *names = pstrdup(shipped[i].triggers);
		char	   *rest = names;

		for (char *name = strsep(&rest, " "); name != NULL; name = strsep(&rest, " "))
		{
			const ShippedTrigger *trigger = shipped_trigger(shipped[i].name, name);
			Datum		values[7];
			bool		nulls[7] = {false};

			values[0] = CStringGetTextDatum(shipped[i].name);
			values[1] = CStringGetTextDatum(name);
			values[2] = CStringGetTextDatum(trigger->function);
			values[3] = Int32GetDatum(trigger->type);
			values[4] = CStringGetTextDatum(trigger->arguments);
			values[5] = CStringGetTextDatum(trigger->transition);
			values[6] = CStringGetTextDatum(trigger->enabled);
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		}
		pfree(names);
	}
	return (Datum) 0;
}

/* shipped_functions(): those in C, for doctor() */
Datum
shipped_functions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (size_t i = 0; i < lengthof(functions); i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false};

		values[0] = CStringGetTextDatum(functions[i].name);
		values[1] = CStringGetTextDatum(functions[i].symbol != NULL ?
										functions[i].symbol : functions[i].name);
		values[2] = CStringGetTextDatum(functions[i].manner);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
library_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(CHANGEMGMT_VERSION));
}

/* ------------------------------------------------------- the drop guard */

/* Whether a DROP of these objects names ours. */
static bool
drop_names_us(const DropStmt *drop)
{
	ListCell   *lc;

	if (drop->removeType != OBJECT_EXTENSION &&
		drop->removeType != OBJECT_SCHEMA)
		return false;
	foreach(lc, drop->objects)
		if (IsA(lfirst(lc), String) &&
			strcmp(strVal(lfirst(lc)), EXTENSION) == 0)
			return true;
	return false;
}

/*
 * Whether DROP OWNED takes the extension, its schema or one of its objects,
 * with which all of it would go.
 */
static bool
drop_owned_is_ours(const DropOwnedStmt *drop)
{
	static KeptPlan owns = {
		"SELECT FROM pg_catalog.pg_shdepend AS s"
		" WHERE s.dbid OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_database"
		"  WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database())"
		" AND s.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_authid'::pg_catalog.regclass"
		" AND s.refobjid OPERATOR(pg_catalog.=) $1"
		" AND s.deptype OPERATOR(pg_catalog.=) 'o'"
		" AND ((s.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass"
		"   AND s.objid OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_namespace"
		"    WHERE nspname OPERATOR(pg_catalog.=) 'changemgmt'))"
		"  OR (s.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass"
		"   AND s.objid OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_extension"
		"    WHERE extname OPERATOR(pg_catalog.=) 'changemgmt'))"
		"  OR EXISTS (SELECT FROM pg_catalog.pg_depend AS d"
		"   JOIN pg_catalog.pg_extension AS e"
		"    ON e.oid OPERATOR(pg_catalog.=) d.refobjid"
		"   WHERE e.extname OPERATOR(pg_catalog.=) 'changemgmt'"
		"   AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass"
		"   AND d.deptype OPERATOR(pg_catalog.=) 'e'"
		"   AND d.classid OPERATOR(pg_catalog.=) s.classid"
		"   AND d.objid OPERATOR(pg_catalog.=) s.objid))",
		1, {OIDOID}, NULL
	};
	ListCell   *lc;

	foreach(lc, drop->roles)
	{
		Oid			role = get_rolespec_oid(lfirst_node(RoleSpec, lc), true);
		Datum		argument = ObjectIdGetDatum(role);
		bool		found = role == tables_owner();

		if (!found)
		{
			SPI_connect();
			kept_plan_execute(&owns, &argument, NULL, 1);
			found = SPI_processed > 0;
			SPI_finish();
		}
		if (found)
			return true;
	}
	return false;
}

/* Whether a statement would end the extension, or take something out of it. */
static bool
statement_ends_us(Node *parsetree)
{
	if (IsA(parsetree, DropStmt))
		return drop_names_us((DropStmt *) parsetree);
	if (IsA(parsetree, DropOwnedStmt))
		return drop_owned_is_ours((DropOwnedStmt *) parsetree);
	/* under another name nothing here would be found, and it could be dropped */
	if (IsA(parsetree, RenameStmt))
		return ((RenameStmt *) parsetree)->renameType == OBJECT_SCHEMA &&
			strcmp(((RenameStmt *) parsetree)->subname, EXTENSION) == 0;
	/* nor does its schema go to somebody who could drop it with what he owns */
	if (IsA(parsetree, AlterOwnerStmt))
		return ((AlterOwnerStmt *) parsetree)->objectType == OBJECT_SCHEMA &&
			strcmp(strVal(((AlterOwnerStmt *) parsetree)->object), EXTENSION) == 0;
	if (IsA(parsetree, AlterExtensionContentsStmt))
		return ((AlterExtensionContentsStmt *) parsetree)->action < 0 &&
			strcmp(((AlterExtensionContentsStmt *) parsetree)->extname,
				   EXTENSION) == 0;
	return false;
}

/*
 * Event trigger, ddl_command_start: nobody drops the changes of a database in
 * passing.  (sql_drop would come too late: with the extension its own event
 * triggers are gone.)
 */
Datum
drop_guard(PG_FUNCTION_ARGS)
{
	static KeptPlan changes = {
		"SELECT EXISTS (SELECT FROM changemgmt.change)", 0, {0}, NULL
	};
	EventTriggerData *trigdata;
	bool		isnull;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("drop_guard is called by an event trigger only")));
	trigdata = (EventTriggerData *) fcinfo->context;
	if (allow_drop || creating_extension || trigdata->parsetree == NULL ||
		!statement_ends_us(trigdata->parsetree))
		return PointerGetDatum(NULL);

	SPI_connect();
	kept_plan_execute(&changes, NULL, NULL, 1);
	if (DatumGetBool(spi_first_value(1, &isnull)))
		ereport(ERROR,
				(errcode(ERRCODE_MC_APPEND_ONLY), err_as_caller(),
				 errmsg("%s is refused: changemgmt holds changes",
						GetCommandTagName(trigdata->tag)),
				 errdetail("With the extension its changes and their ledger would be gone."),
				 errhint("If that is meant, back it up, then SET changemgmt.allow_drop = on as a superuser, and try again.")));
	SPI_finish();
	return PointerGetDatum(NULL);
}

void
doctor_init(void)
{
	if (setting_is_defined("changemgmt.allow_drop"))
		return;
	DefineCustomBoolVariable("changemgmt.allow_drop",
							 "Whether the extension can be dropped while it holds changes.",
							 "An administrator turns it on for the session that is to drop the "
							 "extension, its schema or what its owner owns, and for restoring a dump "
							 "made with --clean. By default it is off, so that nobody drops the "
							 "changes of a database in passing.",
							 &allow_drop,
							 false,
							 PGC_SUSET,
							 GUC_NOT_IN_SAMPLE,
							 NULL, NULL, NULL);
}
