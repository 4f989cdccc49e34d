/*-------------------------------------------------------------------------
 *
 * incident.h
 *	  Emergencies, what was found to have been changed, and what changed near.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_INCIDENT_H
#define CHANGEMGMT_INCIDENT_H

#include "utils/hsearch.h"
#include "utils/timestamp.h"

/*
 * How long before a moment the work that is looked at may have ended, and how
 * long after it what was under way.  With the half-life of suspects that is 28 of
 * them: nothing from before could stand out.
 */
#define NEAR_HORIZON (7 * USECS_PER_DAY)

/* How many changes are asked for their items at once. */
#define NEAR_BATCH 200

/* An item that was asked about, or that such a one depends on. */
typedef struct NearItem
{
	int64		ci_id;			/* key */
	int			steps;			/* below what was asked about */
	char	   *name;			/* NULL: not read yet */
	char	   *kind;
} NearItem;

/* A change that had begun at the time in question. */
typedef struct Candidate
{
	int64		id;
	TimestampTz began;
	TimestampTz ended;
	bool		never_began;	/* history that does not say when */
	bool		never_ended;
	bool		running;		/* at that time; its rollback, too */
	bool		taken_back;		/* the last that was done to it is its rollback */
	TimestampTz touched;		/* the last time that work was done before */
	char	   *status;
	char	   *outcome;
	char	   *category;
	char	   *risk_level;
	bool		production;
	bool		confidential;
	int64		incident_id;
	bool		no_incident;

	int			n_items;
	NearItem   *item;			/* the nearest; NULL: none is near */
	bool		affected;		/* not worked on: a step further */

	double		time_score;
	double		distance_score;
	double		risk_score;
	double		kind_score;
	double		score;			/* at first the most that it can be */
	bool		is_confirmed;
} Candidate;

/* The steps from what was asked about to the nearest item of a change. */
static inline int
candidate_distance(const Candidate *c)
{
	return c->item->steps + (c->affected ? 1 : 0);
}

/* All of these need an SPI connection, and leave what they make in its context. */

/* The items at a distance up to the depth: each once, at its shortest. */
extern HTAB *near_items(const Datum *ids, int n, int depth);
/* Name and kind, where they have not been read yet. */
extern void near_item_read(NearItem *item);

/*
 * Changes whose work ended at "from" or later, or at "back_from" or later and is
 * rolled back, and began by "at": by index, what ended between these and a week
 * after at, and what is under way.
 */
extern Candidate *candidates_find(TimestampTz from, TimestampTz back_from,
								  TimestampTz at, int *n_found);
/* The nearest item of each of some changes.  Leaves them in the order of ids. */
extern void candidates_place(Candidate *some, int n, HTAB *items);
/* For qsort(): newest first. */
extern int	candidate_by_time(const void *a, const void *b);
/* Whether who is acting may see it. */
extern bool candidate_is_shown(const Candidate *c);
extern Datum candidate_title(const Candidate *c);

/*
 * The id of an incident by its reference, or its id; 0 where there is none.
 * With to_query as the calling query sees it.
 */
extern int64 incident_named(const char *name, bool to_query);
/* What an incident was merged into in the end; itself where it was not. */
extern int64 incident_target(int64 id, bool to_query);
/* MC008: there is no such incident. */
pg_noreturn extern void incident_unknown(const char *name);
/* Its reference, or its id, palloc'd. */
extern char *incident_label(int64 id);

/* The requirement proven_before (incident_proven.c). */
extern void incident_proven_init(void);
extern void incident_init(void);

#endif							/* CHANGEMGMT_INCIDENT_H */
