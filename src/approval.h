/*-------------------------------------------------------------------------
 *
 * approval.h
 *	  Votes, policies, the tally, and segregation of duties.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_APPROVAL_H
#define CHANGEMGMT_APPROVAL_H

#include "lifecycle.h"

/* What a change's approval may go by. */
typedef struct ApprovalPolicy
{
	char	   *name;			/* NULL: the model's own */
	char	   *conditions;		/* in words */
	List	   *levels;			/* ApprovalLevel, in order */
	int64		asks;			/* people at the least, now */
} ApprovalPolicy;

/*
 * The policies whose conditions a change meets, the model's own first where it
 * has one.  Nothing of them belongs to the session's cache.
 */
extern List *approval_policies(const ChangeModel *model, const ChangeRow *row);
/* Of these, with what they ask: the one that holds; NULL of none. */
extern const ApprovalPolicy *approval_policy_strictest(const List *policies);

/* Somebody who may vote and has not, or only for another plan. */
typedef struct OpenVote
{
	int64		person;
	char	   *login;
	char	   *board;			/* NULL: one approver is asked */
	bool		is_stale;
} OpenVote;

/* Votes on one seat of a level. */
typedef struct SeatTally
{
	int			eligible;
	int			approved;
	int			rejected;
	int			deferred;
	int			abstained;
} SeatTally;

/* Where the votes on a level stand. */
typedef struct LevelTally
{
	const ApprovalLevel *level;
	int64		needed;			/* of who is eligible and has not abstained */
	int			eligible;
	int			approved;
	int			rejected;
	int			deferred;
	int			abstained;
	int			stale;			/* votes for another plan */
	bool		asks_voter;		/* who was left out; kept apart or not */
	SeatTally  *seats;			/* in the level's order; NULL: no seats */
	List	   *waiting;		/* OpenVote, of who has not voted freshly */
	StringInfoData reasons;		/* of rejections and deferrals */
	Verb		decision;		/* VERB_NONE as long as there is none */
} LevelTally;

/* Where the votes stand. */
typedef struct Tally
{
	const ChangeModel *model;
	const ChangeRow *row;
	const ApprovalPolicy *policy;	/* the one that holds; NULL: none */
	List	   *policies;		/* all that match */
	int			count;			/* of levels */
	LevelTally *levels;
	int			open;			/* the lowest undecided; count: all approve */
	Verb		decision;		/* VERB_NONE as long as there is none */
} Tally;

/* The level that is open, or the last; NULL where none is asked. */
#define tally_level(tally) \
	((tally)->count == 0 ? NULL : \
	 &(tally)->levels[Min((tally)->open, (tally)->count - 1)])

/*
 * Count the votes of the round, but not that of "left_out" (0: of nobody).
 * These need an SPI connection.
 */
extern void tally_count(Tally *tally, const ChangeModel *model,
						const ChangeRow *row, int64 left_out);
/* Whether any level asks whose vote was left out, kept apart or not. */
extern bool tally_asks(const Tally *tally);
/*
 * Of a tally without this person's vote: MC003 where no level asks the person
 * now.  Who has given a vote may change it after its level.
 */
extern void vote_require_asked(const Tally *tally, const ChangeModel *model,
							   const ChangeRow *row, int64 person, bool given);

/* Whether the model asks for votes, and the change waits for them now. */
extern bool votes_are_open(const ChangeModel *model, const ChangeRow *row);

/*
 * The duty of a person that the model keeps apart from approving; -1 where
 * there is none.
 */
extern int	approver_conflict(const ChangeModel *model, const ChangeRow *row,
							  int64 person);

/*
 * Whether a delegation from one person to another holds now, for a board (NULL:
 * one that is for all), and who made it (int64 *): only the giver, where the
 * giver did.  It stays until the end of the transaction.
 */
extern bool delegation_find(const char *board, int64 from, int64 to,
							List **made_by);
/* The people (int64 *) in whose place somebody may vote now. */
extern List *delegation_givers(const char *board, int64 to);

/*
 * Somebody who may vote on a change in a person's place now, for a board as
 * above: who has no part in it, and has not given another vote.
 */
typedef struct DelegatedHand
{
	int64		person;
	char	   *login;
} DelegatedHand;

extern List *delegation_hands(const char *board, const ChangeModel *model,
							  const ChangeRow *row);
/* Logins of who may vote in a person's place, "a or b"; NULL: nobody. */
extern char *delegation_words(const List *hands, int64 person);

/* A vote of the round under way that somebody else gave in a person's place. */
typedef struct DelegatedVote
{
	int64		person;
	int64		hand;
} DelegatedVote;

extern List *delegated_votes(const ChangeRow *row);
/* Who gave a person's vote in that person's place; 0: nobody else. */
extern int64 delegated_hand(const List *votes, int64 person);

extern void approval_segregation_init(void);
extern void approval_policy_init(void);
extern void approval_tally_init(void);
extern void approval_init(void);

#endif							/* CHANGEMGMT_APPROVAL_H */
