/*-------------------------------------------------------------------------
 *
 * model_shipped.c
 *	  The models that come with the extension, in two profiles.
 *
 * Constants, not rows, so that a dump restores into any later version.  What
 * every model asks for (a reason, a fresh seal, votes ...) is not repeated
 * here: the registry of requirements says for which verbs it always holds.
 * docs/model.md explains the keys.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "model.h"

#define ITIL_SEPARATION \
	"\"separate\": [\"approver/requester\", \"approver/owner\"," \
	" \"approver/author\", \"approver/last_editor\"," \
	" \"approver/implementer\", \"verifier/implementer\"]"

#define LEAN_SEPARATION \
	"\"separate\": [\"approver/owner\", \"approver/author\"," \
	" \"approver/last_editor\"]"

/* A change that failed or was taken back is looked back on. */
#define LOOK_BACK \
	"{\"kind\": \"post_implementation_review\", \"on\": \"fail\"," \
	" \"hours\": 168}," \
	" {\"kind\": \"post_implementation_review\", \"on\": \"roll_back\"," \
	" \"hours\": 168}"

/* Act first, write afterwards; but write. */
#define EMERGENCY_DUTIES \
	"{\"kind\": \"status_page\", \"on\": \"create\", \"minutes\": 0," \
	" \"from\": \"actual_start\"}," \
	" {\"kind\": \"progress_update\", \"on\": \"create\", \"minutes\": 30," \
	" \"from\": \"actual_start\", \"repeat_minutes\": 30}," \
	" {\"kind\": \"full_record\", \"on\": \"create\", \"hours\": 24," \
	" \"from\": \"actual_start\"}," \
	" {\"kind\": \"authoriser_confirmation\", \"on\": \"create\", \"hours\": 24," \
	" \"from\": \"actual_start\"}," \
	" {\"kind\": \"independent_review\", \"on\": \"create\", \"hours\": 24," \
	" \"from\": \"actual_start\"}," \
	" {\"kind\": \"post_mortem\", \"on\": \"create\", \"hours\": 48," \
	" \"from\": \"actual_start\"}," \
	" {\"kind\": \"root_cause\", \"on\": \"end\", \"hours\": 24," \
	" \"from\": \"actual_end\"}," \
	" {\"kind\": \"resolution_summary\", \"on\": \"end\", \"hours\": 24," \
	" \"from\": \"actual_end\"}"

const char *const shipped_model_definitions[] = {
	"{\"key\": \"standard\", \"profile\": \"itil\", \"type\": \"standard\","
	" \"pre_approved\": true, \"books_window\": true,"
	" \"approval\": {\"policy\": \"none\"},"
	" \"issues_despite_failed_check\": true,"
	" \"duties\": [" LOOK_BACK "],"
	" \"requires\": {\"plan\": [\"plan_complete\"],"
	" \"submit\": [\"plan_complete\"], \"start\": [\"checklist_done\"]}}",

	"{\"key\": \"normal\", \"profile\": \"itil\", \"type\": \"normal\","
	" \"books_window\": true, \"notice_business_days\": 5,"
	" \"approval\": {\"policy\": \"board\", \"board\": \"cab\", \"needed\": 2},"
	" " ITIL_SEPARATION ","
	" \"validations\": [\"24_hours\", \"7_days\"],"
	" \"issues_despite_failed_check\": true,"
	" \"duties\": [" LOOK_BACK "],"
	" \"requires\": {\"plan\": [\"plan_complete\"],"
	" \"submit\": [\"plan_complete\", \"notice\"],"
	" \"schedule\": [\"notice\"], \"reschedule\": [\"notice\"],"
	" \"start\": [\"checklist_done\"]},"
	" \"waivable\": [\"notice\", \"checklist_done\"]}",

	"{\"key\": \"major\", \"profile\": \"itil\", \"type\": \"major\","
	" \"books_window\": true, \"notice_business_days\": 5,"
	" \"approval\": {\"policy\": \"board\", \"board\": \"cab\", \"needed\": 3},"
	" " ITIL_SEPARATION ","
	" \"validations\": [\"24_hours\", \"7_days\"],"
	" \"duties\": [" LOOK_BACK "],"
	" \"requires\": {\"plan\": [\"plan_complete\"],"
	" \"submit\": [\"plan_complete\", \"notice\"],"
	" \"schedule\": [\"notice\"], \"reschedule\": [\"notice\"],"
	" \"start\": [\"checklist_done\"]},"
	" \"waivable\": [\"notice\"]}",

	"{\"key\": \"emergency\", \"profile\": \"itil\", \"type\": \"emergency\","
	" \"first_status\": \"in_progress\", \"documented_after\": true,"
	" \"late_hours\": 24, \"approval\": {\"policy\": \"none\"},"
	" \"duties\": [" EMERGENCY_DUTIES ", " LOOK_BACK "],"
	" \"issues_despite_failed_check\": true,"
	" \"validations\": [\"24_hours\", \"7_days\"]}",

	"{\"key\": \"latent\", \"profile\": \"itil\", \"type\": \"latent\","
	" \"first_status\": \"implemented\", \"documented_after\": true,"
	" \"late_hours\": null, \"approval\": {\"policy\": \"none\"},"
	" \"duties\": [{\"kind\": \"full_record\", \"on\": \"create\", \"hours\": 24},"
	" {\"kind\": \"independent_review\", \"on\": \"create\", \"hours\": 24},"
	" {\"kind\": \"post_implementation_review\", \"on\": \"create\", \"hours\": 168},"
	" " LOOK_BACK "],"
	" \"issues_despite_failed_check\": true}",

	"{\"key\": \"lean_standard\", \"profile\": \"lean\","
	" \"type\": \"standard\", \"pre_approved\": true,"
	" \"approval\": {\"policy\": \"none\"},"
	" \"requires\": {\"plan\": [\"plan_complete\"],"
	" \"submit\": [\"plan_complete\"], \"start\": [\"checklist_done\"]}}",

	"{\"key\": \"lean_normal\", \"profile\": \"lean\", \"type\": \"normal\","
	" \"approval\": {\"policy\": \"one\"},"
	" " LEAN_SEPARATION ","
	" \"requires\": {\"plan\": [\"plan_complete\"],"
	" \"submit\": [\"plan_complete\"], \"start\": [\"checklist_done\"]}}",

	"{\"key\": \"lean_emergency\", \"profile\": \"lean\","
	" \"type\": \"emergency\", \"first_status\": \"in_progress\","
	" \"documented_after\": true, \"late_hours\": 24,"
	" \"duties\": [" EMERGENCY_DUTIES "],"
	" \"approval\": {\"policy\": \"none\"}}",

	NULL
};
