/*-------------------------------------------------------------------------
 *
 * approval.h
 *	  Votes, the tally, and segregation of duties.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_APPROVAL_H
#define CHANGEMGMT_APPROVAL_H

extern void approval_init(void);

#endif							/* CHANGEMGMT_APPROVAL_H */
