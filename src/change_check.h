/*-------------------------------------------------------------------------
 *
 * change_check.h
 *	  What results of checks mean for the steps of their change.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_CHANGE_CHECK_H
#define CHANGEMGMT_CHANGE_CHECK_H

/* Whether a check failed or tripped a rollback.  Needs an SPI connection. */
extern bool checks_went_wrong(int64 change_id);
/* The work begins anew: no trigger has tripped.  Needs an SPI connection. */
extern void checks_clear_trips(int64 change_id);

extern void change_check_init(void);

#endif							/* CHANGEMGMT_CHANGE_CHECK_H */
