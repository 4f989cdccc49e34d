/*-------------------------------------------------------------------------
 *
 * incident_suspect.c
 *	  Which change may have caused an incident, and why.
 *
 * The score of a change is made of itself and the incident alone.  Nothing is
 * compared with other candidates, so none of them moves another.  There is no
 * state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "change.h"
#include "compat.h"
#include "errors.h"
#include "incident.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(suspect_changes);

/*
 * What breaks by a change mostly does so within minutes or a few hours, and
 * some of it when the load of the day comes.  With six hours a change of the last
 * half hour keeps nearly all of its weight, one of yesterday a sixteenth.
 */
#define HALF_LIFE_MINUTES 360.0
#define SUSPECT_DEPTH 3
#define SUSPECT_LIMIT 10

/* Each step down halves it; beside the items, and without any. */
#define ELSEWHERE_SCORE 0.05
#define ANYWHERE_SCORE 0.1

/* Of the likelihood that time and distance leave. */
#define BASE_WEIGHT 0.5
#define RISK_WEIGHT 0.3
#define KIND_WEIGHT 0.2

typedef struct Incident
{
	int64		id;
	TimestampTz began;
	const char *beginning;		/* what is known of it, in words */
	int			n_items;
	HTAB	   *items;
} Incident;

/* Unlike incident_id() it makes none. */
static void
incident_read(Incident *incident, FunctionCallInfo fcinfo)
{
	static KeptPlan find = {
		"SELECT COALESCE(began_at, detected_at, created_at),"
		" began_at IS NOT NULL, detected_at IS NOT NULL FROM changemgmt.incident"
		" WHERE id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	char	   *name = PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum		argument;
	bool		isnull;

	incident->id = incident_named(name, true);
	if (incident->id == 0)
		incident_unknown(name);
	incident->id = incident_target(incident->id, true);
	argument = Int64GetDatum(incident->id);
	kept_plan_read(&find, &argument, NULL, 1);
	incident->began = DatumGetTimestampTz(spi_first_value(1, &isnull));
	incident->beginning =
		DatumGetBool(spi_first_value(2, &isnull)) ? "it began" :
		DatumGetBool(spi_first_value(3, &isnull)) ? "it was detected" :
		"it was recorded";
	SPI_freetuptable(SPI_tuptable);
}

static void
incident_read_items(Incident *incident)
{
	static KeptPlan find = {
		"SELECT ci_id FROM changemgmt.incident_item"
		" WHERE incident_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	Datum		argument = Int64GetDatum(incident->id);
	Datum	   *ids;

	kept_plan_read(&find, &argument, NULL, 0);
	incident->n_items = (int) SPI_processed;
	ids = palloc(Max(incident->n_items, 1) * sizeof(Datum));
	for (int i = 0; i < incident->n_items; i++)
	{
		bool		isnull;

		ids[i] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1,
							   &isnull);
	}
	incident->items = near_items(ids, incident->n_items, SUSPECT_DEPTH);
}

/* What people have said of each: confirmed, or dismissed (no suspect any more). */
static void
verdict_of(Candidate *c, const Incident *incident, bool *dismissed)
{
	static KeptPlan find = {
		"SELECT status OPERATOR(pg_catalog.=) 'confirmed',"
		" status OPERATOR(pg_catalog.=) 'dismissed'"
		" FROM changemgmt.incident_cause"
		" WHERE incident_id OPERATOR(pg_catalog.=) $1"
		" AND change_id OPERATOR(pg_catalog.=) $2",
		2, {INT8OID, INT8OID}, NULL
	};
	Datum		arguments[2];
	bool		isnull;

	arguments[0] = Int64GetDatum(incident->id);
	arguments[1] = Int64GetDatum(c->id);
	kept_plan_read(&find, arguments, NULL, 1);
	c->is_confirmed = DatumGetBool(spi_first_value(1, &isnull)) && !isnull;
	*dismissed = DatumGetBool(spi_first_value(2, &isnull)) && !isnull;
	SPI_freetuptable(SPI_tuptable);
}

/* How a code weighs; the line without a code is for all others, and none. */
typedef struct Weight
{
	const char *code;
	double		weight;
} Weight;

static const Weight risk_weights[] = {
	{"low", 0.25},
	{"medium", 0.5},
	{"high", 0.75},
	{"critical", 1.0},
	{NULL, 0.75}				/* what nobody assessed is no less than high */
};

/*
 * In published collections of post-mortems new versions and configuration are
 * behind two thirds of the outages that a change caused; what touches the
 * shape or place of data follows, what can be switched off again comes last.
 */
static const Weight category_weights[] = {
	{"release", 1.0},
	{"configuration", 0.9},
	{"schema", 0.9},
	{"data_migration", 0.9},
	{"infrastructure", 0.8},
	{"dependency", 0.6},
	{"security", 0.6},
	{"feature_flag", 0.5},
	{NULL, 0.5}
};

/* What many things share breaks more of them. */
static const Weight kind_weights[] = {
	{"database", 1.0},
	{"network", 1.0},
	{"storage", 1.0},
	{"host", 0.8},
	{"service", 0.8},
	{"application", 0.7},
	{"client", 0.4},
	{NULL, 0.5}
};

static double
weight_of(const Weight *weights, const char *code)
{
	for (; weights->code != NULL; weights++)
		if (code != NULL && strcmp(weights->code, code) == 0)
			break;
	return weights->weight;
}

static bool
went_wrong(const Candidate *c)
{
	return c->outcome != NULL && (strcmp(c->outcome, "failed") == 0 ||
								  strcmp(c->outcome, "rolled_back") == 0);
}

/* What time and risk say, and the most that its items can make of it. */
static void
candidate_score_bound(Candidate *c, const Incident *incident)
{
	double		minutes = (double) (incident->began - c->touched) /
		USECS_PER_MINUTE;

	c->time_score = exp2(-minutes / HALF_LIFE_MINUTES);
	c->risk_score = went_wrong(c) ? 1.0 : weight_of(risk_weights, c->risk_level);
	c->score = c->time_score * (BASE_WEIGHT + RISK_WEIGHT * c->risk_score +
								KIND_WEIGHT);
}

static void
candidate_score(Candidate *c, const Incident *incident)
{
	double		category = weight_of(category_weights, c->category);

	if (c->item != NULL)
	{
		near_item_read(c->item);
		c->kind_score = (category + weight_of(kind_weights, c->item->kind)) / 2;
		c->distance_score = exp2(-candidate_distance(c));
	}
	else
	{
		c->kind_score = category;
		c->distance_score = c->n_items > 0 ? ELSEWHERE_SCORE : ANYWHERE_SCORE;
	}
	c->score = c->time_score *
		(incident->n_items > 0 ? c->distance_score : 1.0) *
		(BASE_WEIGHT + RISK_WEIGHT * c->risk_score + KIND_WEIGHT * c->kind_score);
}

/* "12 minutes" */
static char *
span_text(int64 span)
{
	int64		minutes = span / USECS_PER_MINUTE;

	if (minutes < 1)
		return pstrdup("less than a minute");
	if (minutes < 120)
		return psprintf(INT64_FORMAT " minute%s", minutes, minutes == 1 ? "" : "s");
	if (minutes < 48 * 60)
		return psprintf(INT64_FORMAT " hours", minutes / 60);
	return psprintf(INT64_FORMAT " days", minutes / (24 * 60));
}

static char *
code_text(const char *code)
{
	char	   *text = pstrdup(code);

	for (char *p = text; *p != '\0'; p++)
		if (*p == '_')
			*p = ' ';
	return text;
}

/* Why it is a suspect, in words. */
static char *
candidate_reason(const Candidate *c, const Incident *incident)
{
	StringInfoData reason;

	initStringInfo(&reason);
	if (c->running)
		appendStringInfo(&reason, "%s when %s",
						 c->taken_back ? "was being rolled back" : "was under way",
						 incident->beginning);
	else
		appendStringInfo(&reason, "%s %s before %s",
						 c->taken_back ? "was rolled back" : "ended",
						 span_text(incident->began - c->touched),
						 incident->beginning);

	if (incident->n_items == 0)
		appendStringInfoString(&reason,
							   "; the incident names no item, so where it was made does not count");
	else if (c->item == NULL)
		appendStringInfoString(&reason, c->n_items > 0 ?
							   "; on nothing that the incident's items are known to depend on" :
							   "; names no item");
	else if (c->item->steps == 0)
		appendStringInfo(&reason, c->affected ? "; affects %s itself" :
						 "; on %s itself", c->item->name);
	else
		appendStringInfo(&reason, "; %s %s, %d step%s below",
						 c->affected ? "affects" : "on", c->item->name,
						 c->item->steps, c->item->steps == 1 ? "" : "s");

	if (c->risk_level != NULL)
		appendStringInfo(&reason, "; risk %s", c->risk_level);
	else
		appendStringInfoString(&reason, "; risk not assessed");
	if (c->category != NULL || c->item != NULL)
		appendStringInfo(&reason, "; %s%s%s",
						 c->category ? code_text(c->category) : "something",
						 c->item ? " of kind " : "",
						 c->item ? c->item->kind : "");
	if (went_wrong(c))
		appendStringInfoString(&reason, strcmp(c->outcome, "failed") == 0 ?
							   "; it failed" : "; it was rolled back");
	return reason.data;
}

static int
candidate_by_score(const void *a, const void *b)
{
	const Candidate *x = a;
	const Candidate *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return candidate_by_time(a, b);
}

#define SUSPECT_COLUMNS 10

/* suspect_changes(incident, limit): which change may have caused it */
Datum
suspect_changes(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			limit = PG_ARGISNULL(1) ? SUSPECT_LIMIT : PG_GETARG_INT32(1);
	Incident	incident;
	TimestampTz from;
	Candidate  *found;
	Candidate  *suspects;
	int			n;
	int			n_kept = 0;
	int			n_suspects = 0;

	if (limit < 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("limit %d is negative", limit)));
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	incident_read(&incident, fcinfo);
	incident_read_items(&incident);
	from = incident.began < MIN_TIMESTAMP + NEAR_HORIZON ? MIN_TIMESTAMP :
		incident.began - NEAR_HORIZON;
	found = candidates_find(from, from, incident.began, &n);
	for (int i = 0; i < n; i++)
	{
		/* what answers it did not cause it */
		if (!found[i].no_incident && incident_target(found[i].incident_id, true) == incident.id)
			continue;
		/* another environment matters where the incident's items are in it */
		if (!found[i].production && incident.n_items == 0)
			continue;
		found[n_kept] = found[i];
		candidate_score_bound(&found[n_kept++], &incident);
	}
	n = n_kept;
	qsort(found, n, sizeof(Candidate), candidate_by_score);

	/* the most promising first, until no other can be among the best */
	suspects = palloc_extended(((Size) Min(limit, n) + NEAR_BATCH) * sizeof(Candidate),
							   MCXT_ALLOC_HUGE);
	for (int i = 0; i < n && limit > 0; i += NEAR_BATCH)
	{
		int			batch = Min(NEAR_BATCH, n - i);
		double		least = n_suspects == limit ? suspects[limit - 1].score : 0;

		CHECK_FOR_INTERRUPTS();
		if (found[i].score < least)
			break;
		candidates_place(found + i, batch, incident.items);
		for (int j = i; j < i + batch; j++)
		{
			Candidate  *c = &found[j];
			bool		dismissed;

			if (!c->production && c->item == NULL)
				continue;
			candidate_score(c, &incident);
			/* what cannot be among them is not looked at any closer */
			if (c->score < least)
				continue;
			if (!candidate_is_shown(c))
				continue;
			verdict_of(c, &incident, &dismissed);
			if (!dismissed)
				suspects[n_suspects++] = *c;
		}
		qsort(suspects, n_suspects, sizeof(Candidate), candidate_by_score);
		n_suspects = Min(n_suspects, limit);
	}

	for (int i = 0; i < n_suspects; i++)
	{
		Candidate  *c = &suspects[i];
		Datum		values[SUSPECT_COLUMNS];
		bool		isnull[SUSPECT_COLUMNS] = {false};

		values[0] = Int64GetDatum(c->id);
		values[1] = CStringGetTextDatum(change_number_text(c->id));
		values[2] = candidate_title(c);
		values[3] = Float8GetDatum(c->score);
		values[4] = CStringGetTextDatum(candidate_reason(c, &incident));
		values[5] = Float8GetDatum(c->time_score);
		isnull[6] = incident.n_items == 0;
		values[6] = Float8GetDatum(c->distance_score);
		values[7] = Float8GetDatum(c->risk_score);
		values[8] = Float8GetDatum(c->kind_score);
		values[9] = BoolGetDatum(c->is_confirmed);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	SPI_finish();
	return (Datum) 0;
}
