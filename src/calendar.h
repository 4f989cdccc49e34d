/*-------------------------------------------------------------------------
 *
 * calendar.h
 *	  Business days.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_CALENDAR_H
#define CHANGEMGMT_CALENDAR_H

#include "utils/timestamp.h"

#define BUSINESS_DAYS_MAX 3660

/* The same local time "days" business days later, 0 to BUSINESS_DAYS_MAX;
 * from a weekend, counted from the Monday that ends it at 00:00. */
extern TimestampTz calendar_add_business_days(TimestampTz at, int days);

#endif							/* CHANGEMGMT_CALENDAR_H */
