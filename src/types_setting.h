/*-------------------------------------------------------------------------
 *
 * types_setting.h
 *	  Stored settings: shipped defaults overlaid by a site's rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_TYPES_SETTING_H
#define CHANGEMGMT_TYPES_SETTING_H

#include "pgtime.h"

/* The value in force; an error (MC008) for an unknown key.  Valid until the
 * next call that reads the settings again; copy what must live longer. */
extern const char *setting_get(const char *key);
extern int	setting_get_int(const char *key);

/* The time zone of a name that can be kept, NULL for any other. */
extern pg_tz *time_zone_find(const char *name);

#define TIME_ZONE_EXPECTED \
	"It takes UTC or a name with a region, such as Europe/Berlin, from the view pg_timezone_names."

#endif							/* CHANGEMGMT_TYPES_SETTING_H */
