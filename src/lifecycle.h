/*-------------------------------------------------------------------------
 *
 * lifecycle.h
 *	  The engine: transitions, and the registry of what they require.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_LIFECYCLE_H
#define CHANGEMGMT_LIFECYCLE_H

#include "fmgr.h"

#include "change.h"
#include "compat.h"
#include "model.h"
#include "spi.h"

/* A step of a change, taken or thought of. */
typedef struct Transition
{
	const ChangeModel *model;
	Verb		verb;
	const ChangeRow *old;		/* as it was; NULL at creation */
	const ChangeRow *row;		/* as it was stored; as it is, if thought of */
	bool		thought_of;		/* asked by why_not: nothing was given yet */
	TimestampTz now;
	void	  **memo;			/* where a room keeps what it read for this step,
								 * while its requirements are asked; or NULL */
} Transition;

/*
 * A named requirement: the check returns NULL when it is met, else what is
 * missing, as a phrase.  An unknown value never passes.  Needs an SPI
 * connection.  Later rooms register theirs at load time.
 */
typedef struct Requirement
{
	const char *name;
	const char *description;
	const char *hint;			/* what to call next; %lld is the change */
	char	   *(*check) (const Transition *transition);
	uint32		always;			/* VERB_BITs that it holds for in any model */
	int			sqlstate;		/* 0: requirements unmet */
} Requirement;

extern void requirements_register(const Requirement *requirements, int count);
/*
 * The same for what is asked of the planned time: any model lets it be waived,
 * for the time that the waiver was given for, and only as far as the check
 * itself says.
 */
extern void requirements_register_timed(const Requirement *requirements,
										int count);
/* What no model lets be waived: who decides, and on which plan. */
extern void requirement_never_waive(const char *name);
/* MC008 where a model lets such a one be waived. */
extern void waivable_check(const ChangeModel *model);
extern bool requirement_exists(const char *name);
extern bool requirement_is_timed(const char *name);
/* Whether a manager may waive it for changes of a model. */
extern bool requirement_is_waivable(const ChangeModel *model, const char *name);

/* Append to a list in words: "a, b, c". */
extern void text_list_add(StringInfo list, const char *item);

typedef struct UnmetRequirement
{
	const char *requirement;
	char	   *message;
	char	   *hint;
	int			sqlstate;
} UnmetRequirement;

/* All that a step lacks: a list of UnmetRequirement. */
extern List *transition_unmet(const Transition *transition);
/* Refuse the step where it lacks anything. */
extern void transition_require(const Transition *transition);
/* MC001: no such step; the hint lists the verbs there are. */
pg_noreturn extern void transition_illegal(const ChangeRow *row,
										   const ChangeModel *model,
										   const char *attempt);

/*
 * What a verb is doing, while its UPDATE is under way.  A direct UPDATE has
 * none, and the triggers tell the verb from old and new.
 */
typedef struct VerbCall
{
	int64		change_id;
	Verb		verb;
	bool		reason_given;	/* also where it is the same as before */
	bool		done;			/* judged: what comes now is not its doing */
} VerbCall;

extern VerbCall *verb_call;
/* The call that is updating this change; NULL where none is. */
extern VerbCall *verb_call_of(const ChangeRow *row);

/* The verb that an update amounts to: VERB_EDIT where it is no step. */
extern Verb lifecycle_verb(const ChangeModel *model, const ChangeRow *old,
						   const ChangeRow *new);
/* Whether an update touches what an approval seals, parts included. */
extern bool lifecycle_plan_touched(const ChangeModel *model,
								   const ChangeRow *old,
								   const ChangeRow *new);
/*
 * What is written down as override_reason of a change that is documented
 * after the fact: the later room's answer to which rules its work, from and to,
 * went against, palloc'ed; NULL: none.
 */
typedef char *(*OverrideReason) (const ChangeRow *row, const ChangeModel *model,
								 TimestampTz from, TimestampTz to);
extern void lifecycle_register_override(OverrideReason reason);
/*
 * What is due next of a change, in words; NULL: nothing.  Needs an SPI connection.
 */
typedef char *(*DueNext) (const ChangeRow *row);
extern void lifecycle_register_due(DueNext due);
/* The ledger row of a step, sealed. */
extern void lifecycle_entry(LedgerEntry *entry, Verb verb,
							const ChangeRow *old, const ChangeRow *new);
/*
 * The same, as it was sealed when this very row was stamped; false where it
 * is another row, or the row was changed since.  If true, the ledger head of
 * the row is the hash of the entry.
 */
extern bool lifecycle_stamped(LedgerEntry *entry, Verb verb,
							  const ChangeRow *old, const ChangeRow *new);
extern void lifecycle_stamp_init(void);
extern const ChangeModel *lifecycle_model(const ChangeRow *row);
/* Whether the plan is what was approved.  Needs an SPI connection. */
extern bool lifecycle_seal_fresh(const ChangeModel *model,
								 const ChangeRow *row);

/*
 * Add what a change lacks of the checklist of its model; how many tasks.  Needs
 * an SPI connection.
 */
extern int	checklist_add(const ChangeRow *row);
/* What it lacks, in words; NULL: nothing.  Of one phase, where it is given. */
extern char *checklist_lacks(const Transition *t, const char *phase);

/* VERB_BITs of what makes sense now: model_verbs() less what is idle. */
extern uint32 lifecycle_verbs(const ChangeModel *model, const ChangeRow *row);
/*
 * Whether what passed is passed again, with issues: something went wrong since,
 * and the model takes it with an explanation.  Needs an SPI connection.
 */
extern bool lifecycle_pass_again(const ChangeModel *model, const ChangeRow *row);
/* Make the row type change_state of a change. */
extern Datum lifecycle_state(const ChangeRow *row);
/* Find and lock a change for a verb; MC008, MC010. */
extern void lifecycle_open(ChangeRow *row, FunctionCallInfo fcinfo,
						   int expected_revision_argument);

/* MC010 where a change that was found is not at the revision that is expected. */
extern void lifecycle_expect(const ChangeRow *row, FunctionCallInfo fcinfo,
							 int expected_revision_argument);

/* Take a step that needs at most a reason (which may be NULL). */
extern void lifecycle_take(ChangeRow *row, Verb verb, const char *reason);

/* Whether a column holds what a change is about: plan, schedule and remarks. */
extern bool column_is_content(ChangeColumn column);
/*
 * Whether a statement that names the columns of change is to be written, or
 * written again; columns is how many it named.
 */
extern bool is_to_write(KeptPlan *kept, int *columns);

/* create_change_from(), the verb: makes a change of a document. */
extern Datum create_change_from(PG_FUNCTION_ARGS);
/* RFC 7396: what patch makes of target (NULL for nothing there); both objects. */
extern Jsonb *merge_patch(Jsonb *target, Jsonb *patch);
/*
 * A patch of a change as its columns: people and teams by their ids.  MC008
 * for a key that is not given.  Needs an SPI connection.
 */
extern Jsonb *change_patch_columns(const ChangeRow *row, Jsonb *patch);
/*
 * MC008 for what a model can not seal, and for a plan that no change could
 * have.  Needs an SPI connection.
 */
extern void model_content_check(const char *key, Jsonb *definition);

/*
 * The parts that the plan of a change lacks, "a, b, c"; NULL where it lacks none.
 * Needs an SPI connection.
 */
extern char *plan_lacks(const ChangeRow *row);

extern void lifecycle_init(void);

#endif							/* CHANGEMGMT_LIFECYCLE_H */
