/*-------------------------------------------------------------------------
 *
 * approval.h
 *	  Votes, the tally, and segregation of duties.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_APPROVAL_H
#define CHANGEMGMT_APPROVAL_H

#include "lifecycle.h"

/* Somebody who may vote and has not, or only for another plan. */
typedef struct OpenVote
{
	int64		person;
	char	   *login;
	char	   *board;			/* NULL: one approver is asked */
	bool		is_stale;
} OpenVote;

/* Where the votes stand. */
typedef struct Tally
{
	int			needed;
	int			eligible;
	int			approved;
	int			rejected;
	int			deferred;
	int			abstained;
	int			stale;			/* votes for another plan */
	StringInfoData waiting;		/* logins of who has not voted freshly */
	List	   *open;			/* the same people: OpenVote * */
	StringInfoData reasons;		/* of rejections and deferrals */
	Verb		decision;		/* VERB_NONE as long as there is none */
} Tally;

/* These need an SPI connection. */
extern void tally_count(Tally *tally, const ChangeModel *model,
						const ChangeRow *row);
/* Whether a person may vote on a change, by the policy of its model. */
extern bool person_is_eligible(const ChangeModel *model, const ChangeRow *row,
							   int64 person);

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
 * one that is for all), and who made it (int64 *).  It stays until the end of
 * the transaction.
 */
extern bool delegation_find(const char *board, int64 from, int64 to,
							List **made_by);
/* The people (int64 *) in whose place somebody may vote now. */
extern List *delegation_givers(const char *board, int64 to);

/* Somebody who may vote in a person's place now, for a board as above. */
typedef struct DelegatedHand
{
	int64		person;
	char	   *login;
} DelegatedHand;

extern List *delegation_hands(const char *board);
/* "ann", or "ann (or ben for ann)" where ben may. */
extern char *delegation_words(const List *hands, int64 person, char *login);

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
extern void approval_tally_init(void);
extern void approval_init(void);

#endif							/* CHANGEMGMT_APPROVAL_H */
