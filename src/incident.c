/*-------------------------------------------------------------------------
 *
 * incident.c
 *	  What an emergency, and a change that nobody had recorded, must say.
 *
 * Both begin in the middle of their life, so their requirements are those of
 * their creation.  The verbs declare_emergency and record_unauthorized are
 * SQL over create_change_from().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "change.h"
#include "compat.h"
#include "incident.h"
#include "lifecycle.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(hidden_causes);

static bool
is_emergency(const Transition *t)
{
	return t->model->first_status == STATUS_IN_PROGRESS;
}

static bool
is_latent(const Transition *t)
{
	return t->model->first_status == STATUS_IMPLEMENTED;
}

static char *
check_incident(const Transition *t)
{
	return is_emergency(t) && change_is_null(t->row, incident_id) ?
		pstrdup("no incident is named that it answers") : NULL;
}

static char *
check_authoriser(const Transition *t)
{
	return is_emergency(t) && change_is_null(t->row, authorised_by_id) ?
		pstrdup("nobody is named who authorised it") : NULL;
}

static char *
check_threshold(const Transition *t)
{
	return is_emergency(t) && change_is_null(t->row, emergency_threshold) ?
		pstrdup("it is not said what makes it an emergency: production_down, data_at_risk or security_breach") :
		NULL;
}

static char *
check_found_by(const Transition *t)
{
	return is_latent(t) && change_is_blank(t->row, CH_found_by) ?
		pstrdup("it is not said how it was found") : NULL;
}

static char *
check_real_times(const Transition *t)
{
	return is_latent(t) && (change_is_null(t->row, actual_start) ||
							change_is_null(t->row, actual_end)) ?
		pstrdup("it is not said when it really began and ended") : NULL;
}

/* hidden_causes(): which rows of incident_cause tell of hidden changes */
Datum
hidden_causes(PG_FUNCTION_ARGS)
{
	static KeptPlan causes = {
		"SELECT pg_catalog.array_agg(id) FROM changemgmt.incident_cause"
		" WHERE change_id OPERATOR(pg_catalog.=) ANY ($1)",
		1, {INT8ARRAYOID}, NULL
	};
	Datum		argument = hidden_changes(fcinfo);

	return kept_plan_read_ids(&causes, &argument);
}

#define CREATE VERB_BIT(VERB_CREATE)

static const char *const emergency_hint =
"changemgmt.declare_emergency(title, incident, authorised_by, emergency_threshold).";
static const char *const latent_hint =
"changemgmt.record_unauthorized(title, found_by, actual_start, actual_end).";

void
incident_init(void)
{
	const Requirement requirements[] = {
		{"incident", "An emergency answers an incident.",
		emergency_hint, check_incident, CREATE, 0},
		{"authoriser", "An emergency was authorised by somebody.",
		emergency_hint, check_authoriser, CREATE, 0},
		{"emergency_threshold", "Production is down, data is at risk, or security is breached.",
		emergency_hint, check_threshold, CREATE, 0},
		{"found_by", "It is said how a change that nobody had recorded was found.",
		latent_hint, check_found_by, CREATE, 0},
		{"real_times", "It is said when it really happened.",
		latent_hint, check_real_times, CREATE, 0},
	};

	requirements_register(requirements, lengthof(requirements));
	incident_proven_init();
}
