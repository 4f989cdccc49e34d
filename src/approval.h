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

extern void approval_segregation_init(void);
extern void approval_tally_init(void);
extern void approval_init(void);

#endif							/* CHANGEMGMT_APPROVAL_H */
