/*-------------------------------------------------------------------------
 *
 * types_code.c
 *	  The codes that columns take: their labels, order and meaning.
 *
 * On disk a code is text under a CHECK; the lists here describe the same
 * codes, and test/pgtap/setting.sql compares both.  Lists are append only: a
 * code that was ever stored keeps its meaning.
 *
 * All of it is constant; there is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "errors.h"
#include "spi.h"
#include "types_code.h"

PG_FUNCTION_INFO_V1(code_list);

typedef struct Code
{
	const char *code;
	const char *label;
	const char *description;
} Code;

typedef struct CodeList
{
	const char *name;
	const Code *codes;
	int			count;
} CodeList;

static const Code type_codes[] = {
	{"standard", "Standard", "Done often, described by an approved template, of low risk."},
	{"normal", "Normal", "Assessed and approved each time."},
	{"major", "Major", "Of wide impact or cost; approved by more people."},
	{"emergency", "Emergency", "Cannot wait for an approval; reviewed afterwards."},
	{"latent", "Latent", "Was done already and is recorded afterwards."},
};

static const Code category_codes[] = {
	{"release", "Release", "A new version of software."},
	{"configuration", "Configuration", "Settings of something that stays the same version."},
	{"infrastructure", "Infrastructure", "Hosts, networks, storage, clusters."},
	{"feature_flag", "Feature Flag", "Switches behaviour that is deployed already."},
	{"data_migration", "Data Migration", "Moves or rewrites data."},
	{"dependency", "Dependency", "A library or service that others rely on."},
	{"schema", "Schema", "The structure of a database."},
	{"security", "Security", "Patches, keys, rights, firewall rules."},
	{"other", "Other", "None of the others."},
};

/* In the order of enum Status. */
static const Code status_codes[STATUS_COUNT] = {
	[STATUS_DRAFT] = {"draft", "Draft", "Requested; its plan is being written."},
	[STATUS_PLANNED] = {"planned", "Planned", "The plan is complete, but was not submitted yet."},
	[STATUS_AWAITING_APPROVAL] = {"awaiting_approval", "CAB Review", "Those who approve are deciding."},
	[STATUS_APPROVED] = {"approved", "Approved", "May be scheduled."},
	[STATUS_REJECTED] = {"rejected", "Rejected", "Was refused; may be revised."},
	[STATUS_SCHEDULED] = {"scheduled", "Scheduled", "Its time is booked."},
	[STATUS_IN_PROGRESS] = {"in_progress", "In Progress", "The work is being done."},
	[STATUS_VERIFYING] = {"verifying", "Verifying", "The work is done and is being checked."},
	[STATUS_IMPLEMENTED] = {"implemented", "Implemented", "It is in place; validations may still be due."},
	[STATUS_ROLLED_BACK] = {"rolled_back", "Rolled Back", "The old state was put back."},
	[STATUS_CLOSED] = {"closed", "Closed", "Nothing is left to be done."},
	[STATUS_CANCELLED] = {"cancelled", "Cancelled", "It will not be done."},
};

/* In the order of enum Outcome. */
static const Code outcome_codes[] = {
	[OUTCOME_SUCCESSFUL] = {"successful", "Successful", "Everything went as planned."},
	[OUTCOME_SUCCESSFUL_WITH_ISSUES] = {"successful_with_issues", "Successful with Issues", "In place, with issues that are acceptable."},
	[OUTCOME_ROLLED_BACK] = {"rolled_back", "Rolled Back", "The old state was put back."},
	[OUTCOME_FAILED] = {"failed", "Failed", "Failed, and left in place or fixed forward."},
	[OUTCOME_NOT_IMPLEMENTED] = {"not_implemented", "Not Implemented", "Begun, but nothing was applied."},
};

static const Code level_codes[] = {
	{"low", "Low", NULL},
	{"medium", "Medium", NULL},
	{"high", "High", NULL},
	{"critical", "Critical", NULL},
};

static const Code decision_codes[] = {
	{"approved", "Approved", "In favour."},
	{"rejected", "Rejected", "Against."},
	{"deferred", "Deferred", "Not now: back to planning."},
	{"abstained", "Abstained", "Neither; does not count in the base."},
};

static const Code environment_codes[] = {
	{"development", "Development", NULL},
	{"test", "Test", NULL},
	{"staging", "Staging", NULL},
	{"production", "Production", "The only one that metrics count."},
};

static const Code rollback_strategy_codes[] = {
	{"restore", "Restore", "From a backup or snapshot."},
	{"redeploy", "Redeploy", "Deploy the version before."},
	{"blue_green", "Blue/Green", "Switch back to the other side."},
	{"feature_flag", "Feature Flag", "Switch the flag off."},
	{"fix_forward", "Fix Forward", "There is no way back; repair what is there."},
	{"manual", "Manual", "By hand, in the steps of the rollback plan."},
};

static const Code cause_class_codes[] = {
	{"testing", "Testing", "Tests had not covered it."},
	{"plan", "Plan", "The plan was wrong or incomplete."},
	{"environment", "Environment", "Production differed from what was tested."},
	{"dependency", "Dependency", "Something that it relies on behaved differently."},
	{"human", "Human", "A slip in the execution."},
	{"vendor", "Vendor", "A fault in what a vendor delivered."},
	{"capacity", "Capacity", "Load or size was more than it could take."},
	{"unknown", "Unknown", "Not found, or not yet."},
};

static const Code task_phase_codes[] = {
	{"preparation", "Preparation", "Before the work may start."},
	{"implementation", "Implementation", "The work itself."},
	{"follow_up", "Follow-up", "After the work."},
	{"rollback", "Rollback", "The steps back, where it is rolled back."},
};

static const Code check_kind_codes[] = {
	{"slo", "SLO", "A service level objective is met."},
	{"synthetic", "Synthetic", "An automatic probe succeeds."},
	{"functional", "Functional", "Somebody or something tried the function."},
	{"user_confirmation", "User Confirmation", "A user says that it works."},
};

static const Code check_stage_codes[] = {
	{"immediate", "Immediate", "Right after the work."},
	{"24_hours", "24 Hours", "A day after."},
	{"7_days", "7 Days", "A week after."},
};

static const Code communication_timing_codes[] = {
	{"before", "Before", "Before the work begins."},
	{"during", "During", "While work is under way."},
	{"after", "After", "When the work has ended."},
};

static const Code communication_channel_codes[] = {
	{"email", "E-Mail", "An e-mail."},
	{"chat", "Chat", "A message in a chat."},
	{"phone", "Phone", "A call."},
	{"status_page", "Status Page", "A note on the status page."},
	{"meeting", "Meeting", "Said in a meeting."},
	{"ticket", "Ticket", "A note in a ticket."},
	{"other", "Other", "Any other channel."},
};

static const Code review_kind_codes[] = {
	{"post_implementation", "Post-Implementation Review", "What went well and what did not."},
	{"post_mortem", "Post-Mortem", "Causes, lessons and actions."},
	{"independent", "Independent Review", "By somebody who had no part in it."},
};

static const Code signal_codes[] = {
	{"errors", "Errors", "How much fails."},
	{"latency", "Latency", "How long it takes."},
	{"availability", "Availability", "How much of the time it is there."},
	{"saturation", "Saturation", "How full it is."},
	{"traffic", "Traffic", "How much is asked of it."},
	{"other", "Other", "Another number that is watched."},
};

static const Code bad_when_codes[] = {
	{"above", "Above", "A value above the threshold is bad."},
	{"below", "Below", "A value below the threshold is bad."},
};

static const Code link_relation_codes[] = {
	{"parent", "Parent", "The target is the greater change that this one is part of."},
	{"depends_on", "Depends On", "The target has to be done before."},
	{"caused", "Caused", "This change made the target necessary."},
	{"resolves", "Resolves", "This change resolves the target."},
	{"remediates", "Remediates", "This change repairs what the target broke."},
	{"backs_out", "Backs Out", "This change takes the target back."},
	{"commit", "Commit", "A commit in a version control system."},
	{"ticket", "Ticket", "A ticket in another system."},
	{"project", "Project", "The project that it belongs to."},
	{"other", "Other", "Related in another way."},
	{"promoted_from", "Promoted From", "This change promotes what the target did in an earlier environment."},
	{"follows_up", "Follows Up", "This change was created from the review of the target."},
};

static const Code emergency_threshold_codes[] = {
	{"production_down", "Production Down", "Production does not work."},
	{"data_at_risk", "Data at Risk", "Data is being lost or damaged, or soon will be."},
	{"security_breach", "Security Breach", "Somebody is in, or could be."},
};

static const Code object_kind_codes[] = {
	{"client", "Client", NULL},
	{"service", "Service", NULL},
	{"stored_procedure", "Stored Procedure", NULL},
	{"function", "Function", NULL},
	{"schema", "Schema", NULL},
	{"configuration", "Configuration", NULL},
	{"other", "Other", NULL},
};

static const Code seat_codes[] = {
	{"technical_lead", "Technical Lead", "Judges whether it will work."},
	{"business_representative", "Business Representative", "Speaks for those who use it."},
	{"security", "Security", "Judges what it means for security."},
	{"change_manager", "Change Manager", "Runs the process; may waive requirements."},
	{"member", "Member", "Votes without a seat of its own."},
};

static const Code likelihood_codes[] = {
	{"very_low", "Very Low", NULL},
	{"low", "Low", NULL},
	{"medium", "Medium", NULL},
	{"high", "High", NULL},
	{"very_high", "Very High", NULL},
	{"unknown", "Unknown", "Counts as the highest."},
};

static const Code affects_codes[] = {
	{"clients", "Clients", NULL},
	{"customers", "Customers", NULL},
	{"business", "Business", NULL},
	{"internal_staff", "Internal Staff", NULL},
};

static const Code task_status_codes[] = {
	{"open", "Open", "Still to be done."},
	{"done", "Done", "Somebody did it."},
	{"skipped", "Skipped", "Left out, with a reason."},
	{"failed", "Failed", "It went wrong, and can be tried again."},
};

static const Code item_role_codes[] = {
	{"changed", "Changed", "The work is done on it."},
	{"affected", "Affected", "It may notice the work."},
};

static const Code window_kind_codes[] = {
	{"maintenance", "Maintenance Window", "Changes in scope are made only inside."},
	{"blackout", "Blackout", "No change in scope is made inside."},
};

static const Code window_enforcement_codes[] = {
	{"hard", "Hard", "Only an emergency gets past."},
	{"soft", "Soft", "A manager gets past with a reason, too."},
};

/* In the order of enum DutyKind. */
static const Code duty_kind_codes[DUTY_KIND_COUNT] = {
	[KIND_STATUS_PAGE] = {"status_page", "Status Page", "Say on the status page what is wrong."},
	[KIND_PROGRESS_UPDATE] = {"progress_update", "Progress Update", "Tell how far the work is."},
	[KIND_ROOT_CAUSE] = {"root_cause", "Root Cause", "Say in short what the root cause was."},
	[KIND_RESOLUTION_SUMMARY] = {"resolution_summary", "Resolution Summary", "Say in short what resolved it."},
	[KIND_FULL_RECORD] = {"full_record", "Full Record", "Complete the record: what, why, items, impact, risk, way back, verification."},
	[KIND_AUTHORISER_CONFIRMATION] = {"authoriser_confirmation", "Authoriser's Confirmation", "Confirm that it was authorised."},
	[KIND_POST_MORTEM] = {"post_mortem", "Post-mortem", "Write the post-mortem: causes, lessons, actions."},
	[KIND_INDEPENDENT_REVIEW] = {"independent_review", "Independent Review", "Review what was done; somebody who had no part in it."},
	[KIND_POST_IMPLEMENTATION_REVIEW] = {"post_implementation_review", "Post-implementation Review", "Look back: what went well, what did not, lessons."},
	[KIND_VALIDATION_24_HOURS] = {"validation_24_hours", "Validation after 24 Hours", "Validate it 24 hours after the deployment."},
	[KIND_VALIDATION_7_DAYS] = {"validation_7_days", "Validation after 7 Days", "Validate it 7 days after the deployment."},
	[KIND_ROLLBACK_DECISION] = {"rollback_decision", "Rollback Decision", "A rollback trigger was tripped: roll back, fail, or pass with issues."},
	[KIND_STEERING_REPORT] = {"steering_report", "Steering Report", "Report to the steering committee."},
	[KIND_OTHER] = {"other", "Other", "Do what was agreed."},
};

static const Code incident_kind_codes[] = {
	{"outage", "Outage", "Something does not work."},
	{"degradation", "Degradation", "It works, but slowly, or with errors."},
	{"security", "Security", "Somebody got in, or could."},
	{"data", "Data", "Data is lost, damaged or wrong."},
	{"other", "Other", "None of the others."},
};

#define CODE_LIST(name, codes) {name, codes, lengthof(codes)}

static const CodeList code_lists[] = {
	CODE_LIST("type", type_codes),
	CODE_LIST("category", category_codes),
	CODE_LIST("status", status_codes),
	CODE_LIST("outcome", outcome_codes),
	CODE_LIST("risk_level", level_codes),
	CODE_LIST("priority", level_codes),
	CODE_LIST("decision", decision_codes),
	CODE_LIST("environment", environment_codes),
	CODE_LIST("rollback_strategy", rollback_strategy_codes),
	CODE_LIST("cause_class", cause_class_codes),
	CODE_LIST("task_phase", task_phase_codes),
	CODE_LIST("check_kind", check_kind_codes),
	CODE_LIST("check_stage", check_stage_codes),
	CODE_LIST("link_relation", link_relation_codes),
	CODE_LIST("communication_timing", communication_timing_codes),
	CODE_LIST("communication_channel", communication_channel_codes),
	CODE_LIST("review_kind", review_kind_codes),
	CODE_LIST("signal", signal_codes),
	CODE_LIST("bad_when", bad_when_codes),
	CODE_LIST("emergency_threshold", emergency_threshold_codes),
	CODE_LIST("object_kind", object_kind_codes),
	CODE_LIST("seat", seat_codes),
	CODE_LIST("likelihood", likelihood_codes),
	CODE_LIST("impact", likelihood_codes),
	CODE_LIST("affects", affects_codes),
	CODE_LIST("task_status", task_status_codes),
	CODE_LIST("item_role", item_role_codes),
	CODE_LIST("window_kind", window_kind_codes),
	CODE_LIST("window_enforcement", window_enforcement_codes),
	CODE_LIST("duty_kind", duty_kind_codes),
	CODE_LIST("incident_kind", incident_kind_codes),
};

/* Position of a code that need not end in a zero byte; -1 where unknown. */
static int
code_position(const Code *codes, int count, const char *code, size_t length)
{
	for (int i = 0; i < count; i++)
		if (strlen(codes[i].code) == length &&
			memcmp(codes[i].code, code, length) == 0)
			return i;
	return -1;
}

static int
code_position_of_datum(const Code *codes, int count, Datum stored,
					   const char *what)
{
	text	   *t = DatumGetTextPP(stored);
	int			position = code_position(codes, count, VARDATA_ANY(t),
										 VARSIZE_ANY_EXHDR(t));

	if (position < 0)
		elog(ERROR, "unexpected %s: \"%s\"", what, text_to_cstring(t));
	return position;
}

const char *
status_code(Status status)
{
	Assert(status >= 0 && status < STATUS_COUNT);
	return status_codes[status].code;
}

/* NULL for OUTCOME_NONE. */
const char *
outcome_code(Outcome outcome)
{
	Assert(outcome >= OUTCOME_NONE && outcome < (int) lengthof(outcome_codes));
	return outcome == OUTCOME_NONE ? NULL : outcome_codes[outcome].code;
}

Status
status_from_datum(Datum text)
{
	return (Status) code_position_of_datum(status_codes, STATUS_COUNT, text,
										   "status");
}

Outcome
outcome_from_datum(Datum text, bool isnull)
{
	if (isnull)
		return OUTCOME_NONE;
	return (Outcome) code_position_of_datum(outcome_codes,
											lengthof(outcome_codes), text,
											"outcome");
}

bool
status_parse(const char *code, Status *status)
{
	int			position = code_position(status_codes, STATUS_COUNT, code,
										 strlen(code));

	if (position < 0)
		return false;
	*status = (Status) position;
	return true;
}

const char *
duty_kind_code(DutyKind kind)
{
	return duty_kind_codes[kind].code;
}

char *
duty_kind_title(DutyKind kind)
{
	const char *sentence = duty_kind_codes[kind].description;

	return pnstrdup(sentence, strlen(sentence) - 1);
}

bool
duty_kind_parse(const char *code, DutyKind *kind)
{
	int			position = code_position(duty_kind_codes, DUTY_KIND_COUNT, code,
										 strlen(code));

	if (position < 0)
		return false;
	*kind = (DutyKind) position;
	return true;
}

void
code_check(const char *list_name, Datum value, const char *column)
{
	text	   *t = DatumGetTextPP(value);
	const CodeList *list = NULL;
	StringInfoData codes;

	for (size_t i = 0; i < lengthof(code_lists) && list == NULL; i++)
		if (strcmp(code_lists[i].name, list_name) == 0)
			list = &code_lists[i];
	if (list == NULL)
		elog(ERROR, "there is no code list \"%s\"", list_name);
	if (code_position(list->codes, list->count, VARDATA_ANY(t),
					  VARSIZE_ANY_EXHDR(t)) >= 0)
		return;

	initStringInfo(&codes);
	for (int i = 0; i < list->count; i++)
		appendStringInfo(&codes, "%s%s", i > 0 ? ", " : "", list->codes[i].code);
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("\"%s\" is no value of %s", text_to_cstring(t), column),
			 errhint("It is one of %s.", codes.data)));
}

/* All lists, one row a code. */
Datum
code_list(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < (int) lengthof(code_lists); i++)
	{
		const CodeList *list = &code_lists[i];

		for (int j = 0; j < list->count; j++)
		{
			const Code *code = &list->codes[j];
			Datum		values[5];
			bool		nulls[5] = {false};

			values[0] = CStringGetTextDatum(list->name);
			values[1] = CStringGetTextDatum(code->code);
			values[2] = CStringGetTextDatum(code->label);
			values[3] = Int32GetDatum(j + 1);
			nulls[4] = code->description == NULL;
			values[4] = nulls[4] ? (Datum) 0
				: CStringGetTextDatum(code->description);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc,
								 values, nulls);
		}
	}
	return (Datum) 0;
}
