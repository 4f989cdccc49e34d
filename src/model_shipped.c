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

const char *const shipped_model_definitions[] = {
	"{\"key\": \"standard\", \"profile\": \"itil\", \"type\": \"standard\","
	" \"pre_approved\": true, \"books_window\": true,"
	" \"approval\": {\"policy\": \"none\"},"
	" \"issues_despite_failed_check\": true,"
	" \"requires\": {\"plan\": [\"plan_complete\"],"
	" \"submit\": [\"plan_complete\"], \"start\": [\"checklist_done\"]}}",

	"{\"key\": \"normal\", \"profile\": \"itil\", \"type\": \"normal\","
	" \"books_window\": true, \"notice_business_days\": 5,"
	" \"approval\": {\"policy\": \"board\", \"board\": \"cab\", \"needed\": 2},"
	" " ITIL_SEPARATION ","
	" \"validations\": [\"24_hours\", \"7_days\"],"
	" \"issues_despite_failed_check\": true,"
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
	" \"requires\": {\"plan\": [\"plan_complete\"],"
	" \"submit\": [\"plan_complete\", \"notice\"],"
	" \"schedule\": [\"notice\"], \"reschedule\": [\"notice\"],"
	" \"start\": [\"checklist_done\"]},"
	" \"waivable\": [\"notice\"]}",

	"{\"key\": \"emergency\", \"profile\": \"itil\", \"type\": \"emergency\","
	" \"first_status\": \"in_progress\", \"documented_after\": true,"
	" \"late_hours\": 24, \"approval\": {\"policy\": \"none\"},"
	" \"issues_despite_failed_check\": true,"
	" \"validations\": [\"24_hours\", \"7_days\"]}",

	"{\"key\": \"latent\", \"profile\": \"itil\", \"type\": \"latent\","
	" \"first_status\": \"implemented\", \"documented_after\": true,"
	" \"late_hours\": null, \"approval\": {\"policy\": \"none\"},"
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
	" \"approval\": {\"policy\": \"none\"}}",

	NULL
};
