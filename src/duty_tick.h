/*-------------------------------------------------------------------------
 *
 * duty_tick.h
 *	  What is done on time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_DUTY_TICK_H
#define CHANGEMGMT_DUTY_TICK_H

#include "datatype/timestamp.h"

/*
 * What a later room does at each tick, after duties are flagged and escalated,
 * in the same transaction, with an SPI connection, as the tables' owner only
 * where it uses kept plans.  It must find nothing to do when it is called again
 * for the same time, wait for no lock that a person's work holds, and do at
 * most some thousand rows a call; the next goes on.
 */
typedef void (*TickFunction) (TimestampTz at);
extern void tick_register(TickFunction function);

#endif							/* CHANGEMGMT_DUTY_TICK_H */
