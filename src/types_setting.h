/*-------------------------------------------------------------------------
 *
 * types_setting.h
 *	  Stored settings: shipped defaults overlaid by a site's rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_TYPES_SETTING_H
#define CHANGEMGMT_TYPES_SETTING_H

/* The value in force; an error (MC008) for an unknown key.  Valid until the
 * next call that reads the settings again; copy what must live longer. */
extern const char *setting_get(const char *key);
extern int	setting_get_int(const char *key);

/* NULL for the name of a time zone that can be kept, else what is (a sentence). */
extern const char *time_zone_expected(const char *value);

#endif							/* CHANGEMGMT_TYPES_SETTING_H */
