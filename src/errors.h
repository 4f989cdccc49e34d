/*-------------------------------------------------------------------------
 *
 * errors.h
 *	  The SQLSTATEs of changemgmt: class MC.
 *
 * A site's tooling matches on these codes, so they never change their
 * meaning; new ones are added at the end.  The message is a sentence that a
 * person can act on, the detail lists every unmet requirement as a line of
 * its own, the hint names the next call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_ERRORS_H
#define CHANGEMGMT_ERRORS_H

#include "utils/elog.h"

/* illegal transition: the model has no such step from this status */
#define ERRCODE_MC_ILLEGAL_TRANSITION	MAKE_SQLSTATE('M', 'C', '0', '0', '1')

/* requirements unmet: the step is legal, and all that is missing is listed */
#define ERRCODE_MC_REQUIREMENTS_UNMET	MAKE_SQLSTATE('M', 'C', '0', '0', '2')

/* not permitted to this person */
#define ERRCODE_MC_NOT_PERMITTED		MAKE_SQLSTATE('M', 'C', '0', '0', '3')

/* segregation of duties: one person would hold two duties of a forbidden pair */
#define ERRCODE_MC_SEGREGATION_OF_DUTIES	MAKE_SQLSTATE('M', 'C', '0', '0', '4')

/* sealed or frozen content */
#define ERRCODE_MC_SEALED_CONTENT		MAKE_SQLSTATE('M', 'C', '0', '0', '5')

/* history is append-only */
#define ERRCODE_MC_APPEND_ONLY			MAKE_SQLSTATE('M', 'C', '0', '0', '6')

/* window or booking conflict */
#define ERRCODE_MC_BOOKING_CONFLICT		MAKE_SQLSTATE('M', 'C', '0', '0', '7')

/* invalid input */
#define ERRCODE_MC_INVALID_INPUT		MAKE_SQLSTATE('M', 'C', '0', '0', '8')

/* conflicting replay of an external message: same key, other content */
#define ERRCODE_MC_REPLAY_CONFLICT		MAKE_SQLSTATE('M', 'C', '0', '0', '9')

/* the change has moved on: its revision is not the expected_revision given */
#define ERRCODE_MC_CHANGE_MOVED_ON		MAKE_SQLSTATE('M', 'C', '0', '1', '0')

#endif							/* CHANGEMGMT_ERRORS_H */
