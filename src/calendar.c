/*-------------------------------------------------------------------------
 *
 * calendar.c
 *	  Business days: Monday to Friday in the reporting time zone.
 *
 * All counting is done on local dates, so a day is a day also where the
 * clocks change.  No state but the setting reporting_time_zone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "pgtime.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "calendar.h"
#include "compat.h"
#include "errors.h"
#include "types_setting.h"

PG_FUNCTION_INFO_V1(add_business_days);

static pg_tz *
reporting_time_zone(void)
{
	const char *name = setting_get("reporting_time_zone");
	pg_tz	   *zone = pg_tzset(name);

	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("time zone \"%s\" is not known to this server", name),
				 errhint("Change it with SELECT changemgmt.set_setting('reporting_time_zone', ...); the view pg_timezone_names lists the names.")));
	return zone;
}

/*
 * A local time that the clocks skip is taken as the server takes it: an hour
 * later.  Of one that comes twice, the second is meant, unless "at" itself
 * is a business day and days is 0.
 */
TimestampTz
calendar_add_business_days(TimestampTz at, int days)
{
	pg_tz	   *zone;
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	int			date;
	int			weekday;		/* 0 is Monday */
	TimestampTz result;

	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("business days cannot be counted from an infinite time")));
	if (days < 0 || days > BUSINESS_DAYS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("%d business days are out of range", days),
				 errhint("Give a number from 0 to %d.", BUSINESS_DAYS_MAX)));

	zone = reporting_time_zone();
	if (timestamp2tm(at, &offset, &tm, &fsec, NULL, zone) != 0)
		goto out_of_range;

	date = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
	weekday = (j2day(date) + 6) % 7;
	if (weekday >= 5)
	{
		date += 7 - weekday;
		weekday = 0;
		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		fsec = 0;
	}
	else if (days == 0)
		return at;

	date += days / 5 * 7 + days % 5;
	if (weekday + days % 5 >= 5)
		date += 2;				/* over the weekend */

	j2date(date, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
	offset = DetermineTimeZoneOffset(&tm, zone);
	if (tm2timestamp(&tm, fsec, &offset, &result) != 0)
		goto out_of_range;
	return result;

out_of_range:
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT),
			 errmsg("timestamp out of range")));
	return 0;					/* not reached */
}

Datum
add_business_days(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(calendar_add_business_days(PG_GETARG_TIMESTAMPTZ(0),
													 PG_GETARG_INT32(1)));
}
