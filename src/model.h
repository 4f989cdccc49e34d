/*-------------------------------------------------------------------------
 *
 * model.h
 *	  Change models: which transitions there are and what each asks for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_MODEL_H
#define CHANGEMGMT_MODEL_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "types_code.h"

typedef enum Verb
{
	VERB_NONE,
	VERB_CREATE,
	VERB_EDIT,
	VERB_TRIAGE,
	VERB_PLAN,
	VERB_SUBMIT,
	VERB_APPROVE,
	VERB_REJECT,
	VERB_DEFER,
	VERB_SCHEDULE,
	VERB_RESCHEDULE,
	VERB_START,
	VERB_COMPLETE,
	VERB_RESUME_WORK,
	VERB_PASS,
	VERB_FAIL,
	VERB_BEGIN_ROLLBACK,
	VERB_ROLL_BACK,
	VERB_ABORT,
	VERB_CONFIRM_STABILITY,
	VERB_CLOSE,
	VERB_REVISE,
	VERB_HOLD,
	VERB_RESUME,
	VERB_CANCEL
} Verb;

#define VERB_COUNT (VERB_CANCEL + 1)
#define VERB_BIT(v) (((uint32) 1) << (v))

extern const char *verb_name(Verb verb);
extern bool verb_parse(const char *name, Verb *verb);

/* What people do for a change; a model names the pairs that must be two. */
typedef enum Duty
{
	DUTY_REQUESTER,
	DUTY_OWNER,
	DUTY_AUTHOR,
	DUTY_LAST_EDITOR,
	DUTY_APPROVER,
	DUTY_IMPLEMENTER,
	DUTY_VERIFIER
} Duty;

#define DUTY_COUNT (DUTY_VERIFIER + 1)

extern const char *duty_name(Duty duty);

typedef enum ModelPolicy
{
	POLICY_NONE,
	POLICY_ONE,					/* a technical lead or service owner */
	POLICY_BOARD				/* so many members of a board */
} ModelPolicy;

/* How many of those whom a level asks must approve; an abstention leaves. */
typedef enum LevelRule
{
	RULE_ONE,					/* a person, or a technical lead or owner */
	RULE_ANY,					/* one member of a board */
	RULE_ALL,					/* all */
	RULE_COUNT,					/* so many */
	RULE_PERCENT,				/* a part of them, rounded up */
	RULE_SEATS					/* one of each of these seats */
} LevelRule;

typedef struct ApprovalLevel
{
	int			level;			/* their order, from 1 */
	LevelRule	rule;
	char	   *board;			/* NULL with RULE_ONE */
	char	   *person;			/* login, with RULE_ONE; NULL: lead or owner */
	int64		person_id;		/* of the same, where it is known */
	int			needed;
	int			percent;
	List	   *seats;			/* char * */
} ApprovalLevel;

/* What the model wants done or skipped with a reason, as a task of its changes. */
typedef struct ChecklistEntry
{
	char	   *key;
	char	   *phase;
	char	   *title;
	char	   *description;	/* may be NULL */
	bool		is_smoke_test;
	int			position;		/* -1: at the end of its phase */
} ChecklistEntry;

/* What a change of a model owes from a step on. */
typedef struct ModelDuty
{
	DutyKind	kind;
	const char *on;				/* a verb, or "end" of the work */
	uint32		verbs;			/* VERB_BITs of the same */
	int			minutes;		/* until it is due */
	const char *from;			/* counted from this column, or "now" */
	int			repeat_minutes; /* 0: once */
	bool		is_validation;	/* follows from the key "validations" */
	bool		has_kind;		/* these two while it is read */
	bool		has_time;
} ModelDuty;

#define STAGE_24_HOURS 0x1
#define STAGE_7_DAYS 0x2

typedef struct ChangeModel
{
	char	   *key;
	int			version;
	char	   *type;
	Status		first_status;
	bool		pre_approved;	/* submit leads to approved */
	bool		books_window;	/* start only from scheduled */
	bool		documented_after;	/* the plan may be written afterwards */
	bool		schedule_sealed;
	List	   *sealed;			/* columns, on top of the plan's */
	List	   *not_sealed;		/* columns and parts of the plan */
	bool		issues_despite_failed_check;
	bool		is_template;	/* a site's model with a plan of its own */
	int			notice_business_days;
	char	   *calendar;		/* that the notice is counted in */
	int			late_hours;		/* real times may be this old; -1: any age */
	ModelPolicy policy;			/* with the next two: what levels is made of */
	int			approvals_needed;
	char	   *board;
	List	   *levels;			/* ApprovalLevels in order; NIL: no approval */
	uint32		separate[DUTY_COUNT];	/* bit of the other duty */
	uint32		validations;	/* STAGE_ bits */
	List	   *duties;			/* ModelDuty */
	uint32		duty_verbs;		/* VERB_BITs that any of them begins on */
	List	   *requires[VERB_COUNT];	/* names of requirements */
	List	   *waivable;
	List	   *checklist;		/* ChecklistEntries in order */
	char	   *checklist_keys;	/* of all, sorted, with a space between */
	List	   *proven_in;		/* environments that come before */
	Jsonb	   *plan;			/* what a template fills in; may be NULL */
} ChangeModel;

/*
 * The model of a change; MC008 where there is none.  Valid until the end of
 * the transaction.
 */
extern const ChangeModel *model_find(const char *key, int version);
/* The same; NULL where there is none. */
extern const ChangeModel *model_find_if_any(const char *key, int version);
/* A site's model from its definition, in the current memory context; MC008. */
extern ChangeModel *site_model_read(const char *key, int version,
									Jsonb *definition);
/* The version that new changes get; MC008 if unknown or retired. */
extern const ChangeModel *model_latest(const char *key);
/* The same, or NULL: where retired is set, changes under way stay as they are. */
extern const ChangeModel *model_latest_if_any(const char *key, bool *retired);

/*
 * The verb that leads from one status to another in this model; VERB_NONE
 * where none does.  Of the two from verifying to implemented, fail is the one
 * that brings the outcome failed.
 */
extern Verb model_verb(const ChangeModel *model, Status from, Status to,
					   Outcome outcome);
/* VERB_ bits of everything that can be done in a status. */
extern uint32 model_verbs(const ChangeModel *model, Status status,
						  bool on_hold);
/* Where a verb leads; the status itself for verbs that change none. */
extern Status model_verb_target(const ChangeModel *model, Verb verb,
								Status from, bool booked);

/*
 * Levels from a jsonb array, in order, in the current memory context; MC008
 * begins with "of".
 */
extern List *levels_read(const char *of, JsonbContainer *array);
extern const char *level_rule_name(LevelRule rule);
extern bool level_rule_parse(const char *name, LevelRule *rule);
extern bool level_has_seat(const List *seats, const char *seat);
/* Whom a level asks, and what of them, in words. */
extern char *level_people(const ApprovalLevel *level);
extern char *level_words(const ApprovalLevel *level);
/*
 * A checklist from its definition, in the current memory context; MC008 begins
 * with "of".
 */
extern List *checklist_read(const char *of, const JsonbValue *value);
/* Its keys, sorted, with a space between. */
extern char *checklist_keys(const List *entries);
/* NULL where there is none. */
extern const ChecklistEntry *checklist_find(const List *entries,
											const char *key);
/* The same as an array of objects with all that they say. */
extern Jsonb *checklist_jsonb(const List *entries);
/* The key "duties" of a definition, and what follows when all keys are read. */
extern void definition_duties(ChangeModel *model, const JsonbValue *value);
extern void definition_duties_done(ChangeModel *model);
/* What a model says of a kind of duty; NULL: nothing. */
extern const ModelDuty *model_duty(const ChangeModel *model, DutyKind kind);
/* Whether a value is an integer in these bounds. */
extern bool definition_value_integer(const JsonbValue *value, int low,
									 int high, int *number);

extern const char *const shipped_model_definitions[];

extern void model_init(void);

#endif							/* CHANGEMGMT_MODEL_H */
