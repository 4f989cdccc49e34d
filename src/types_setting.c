/*-------------------------------------------------------------------------
 *
 * types_setting.c
 *	  Stored settings: shipped defaults overlaid by a site's rows.
 *
 * The settings that exist, with their defaults, are constants here; what a
 * site sets stands in the table site_setting, for the whole database.
 *
 * State: the values in force, read once and again when any session changed
 * the table.  Invariant: site_values is either of one complete reading or of
 * none, in which case site_setting_table is not current.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "funcapi.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "errors.h"
#include "spi.h"
#include "types_setting.h"

PG_FUNCTION_INFO_V1(site_setting_check);
PG_FUNCTION_INFO_V1(shipped_settings);
PG_FUNCTION_INFO_V1(setting_value);

/* NULL for a value that the setting takes, else what it takes (a sentence) */
typedef const char *(*SettingCheck) (const char *value);

typedef struct Setting
{
	const char *key;
	const char *default_value;
	const char *description;
	SettingCheck check;
} Setting;

static const char *check_time_zone(const char *value);
static const char *check_number_prefix(const char *value);
static const char *check_number_width(const char *value);
static const char *check_model_key(const char *value);
static const char *check_share(const char *value);
static const char *check_count(const char *value);
static const char *check_conflict_severity(const char *value);
static const char *check_conflict_depth(const char *value);
static const char *check_switch(const char *value);
static const char *check_risk_matrix(const char *value);
static const char *check_risk_combination(const char *value);
static const char *check_risk_thresholds(const char *value);
static const char *check_risk_model_thresholds(const char *value);

/* Append only: a dump of a site's settings must load into any later version. */
static const Setting settings[] = {
	{
		"reporting_time_zone", "UTC",
		"Time zone in which months, days and business days are counted.",
		check_time_zone
	},
	{
		"number_prefix", "CHG",
		"What the number of a change begins with.",
		check_number_prefix
	},
	{
		"number_width", "7",
		"How many digits the number of a change has at least.",
		check_number_width
	},
	{
		"default_model", "normal",
		"Key of the model of a change for which none was named.",
		check_model_key
	},
	{
		"template_failure_limit", "0.05",
		"A template whose failure rate lies above this, by the lower bound of its 95 % interval, is no longer pre-approved.",
		check_share
	},
	{
		"standard_candidate_minimum", "20",
		"How many executed changes of a year make a pattern a candidate for a template.",
		check_count
	},
	{
		"standard_candidate_limit", "0.15",
		"What the failure rate of such a pattern may be at most, by the upper bound of its 95 % interval.",
		check_share
	},
	{
		"conflict_severity", "medium",
		"From which severity a conflict refuses a booking or a start: low, medium, high or none.",
		check_conflict_severity
	},
	{
		"conflict_depth", "1",
		"Over how many dependencies the items of two changes conflict.",
		check_conflict_depth
	},
	{
		"escalate_after_hours", "4",
		"How many hours a duty is overdue before tick() escalates it.",
		check_count
	},
	{
		"overdue_duty_blocks", "off",
		"Whether the owner of a change that is no emergency must not be late with any duty: on or off.",
		check_switch
	},
	{
		"risk_matrix", "default",
		"Key of the matrix that makes levels of the risks of a change: default, freeitsm, glpi, znuny or one of the site's.",
		check_risk_matrix
	},
	{
		"risk_combination", "worst",
		"What the risk level is: the worst that matrix, rules and score say (worst), or what the score says (score).",
		check_risk_combination
	},
	{
		"risk_thresholds", "25,50,75",
		"From which score on the risk is medium, high and critical.",
		check_risk_thresholds
	},
	{
		"risk_model_thresholds", "off",
		"From which probability of failure on, in percent, the risk model in use says medium, high and critical; off: it says nothing.",
		check_risk_model_thresholds
	},
};

#define SETTING_COUNT ((int) lengthof(settings))

static CachedTable site_setting_table = {.relation = "site_setting"};
static MemoryContext site_context = NULL;
/* by position in settings[]; NULL where the site sets none */
static const char *site_values[SETTING_COUNT];

static KeptPlan site_setting_plan = {
	.sql = "SELECT key, value FROM changemgmt.site_setting"
};

/*
 * Only names with a region, which mean the same to every function of the
 * server: 'CET' is a fixed offset to AT TIME ZONE and a zone with summer time
 * to others.  What is no name, as a misspelt one with a digit, the server takes
 * for a POSIX rule, and spells in upper case.
 */
pg_tz *
time_zone_find(const char *name)
{
	pg_tz	   *zone;

	if (strlen(name) > TZ_STRLEN_MAX ||
		(strchr(name, '/') == NULL && pg_strcasecmp(name, "UTC") != 0))
		return NULL;
	zone = pg_tzset(name);
	if (zone == NULL || !pg_tz_acceptable(zone))
		return NULL;
	if (pg_strcasecmp(name, "UTC") == 0)
		return zone;
	for (const char *s = pg_get_timezone_name(zone); *s; s++)
		if (*s >= 'a' && *s <= 'z')
			return zone;
	return NULL;
}

static const char *
check_time_zone(const char *value)
{
	return time_zone_find(value) ? NULL : TIME_ZONE_EXPECTED;
}

static const char *
check_number_prefix(const char *value)
{
	size_t		length = strlen(value);

	if (length >= 1 && length <= 10 &&
		strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") == length)
		return NULL;
	return "It takes 1 to 10 letters (A to Z) and hyphens.";
}

static const char *
check_number_width(const char *value)
{
	size_t		length = strlen(value);

	if (length >= 1 && length <= 2 && value[0] != '0' &&
		strspn(value, "0123456789") == length && atoi(value) <= 18)
		return NULL;
	return "It takes a whole number from 1 to 18.";
}

static const char *
check_model_key(const char *value)
{
	size_t		length = strlen(value);

	if (length >= 1 && length <= 63 && value[0] >= 'a' && value[0] <= 'z' &&
		strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_") == length)
		return NULL;
	return "It takes the key of a model; the view model lists them.";
}

static const char *
check_share(const char *value)
{
	size_t		length = strlen(value);
	const char *point = strchr(value, '.');

	/* digits, with at most one point among them */
	if (length >= 1 && length <= 10 && value[0] >= '0' && value[0] <= '9' &&
		value[length - 1] != '.' &&
		strspn(value, "0123456789.") == length &&
		(point == NULL || strchr(point + 1, '.') == NULL) &&
		strtod(value, NULL) <= 1)
		return NULL;
	return "It takes a share from 0 to 1, such as 0.05.";
}

static const char *
check_count(const char *value)
{
	size_t		length = strlen(value);

	if (length >= 1 && length <= 9 && value[0] != '0' &&
		strspn(value, "0123456789") == length)
		return NULL;
	return "It takes a whole number from 1 to 999999999.";
}

static const char *
check_conflict_severity(const char *value)
{
	if (strcmp(value, "low") == 0 || strcmp(value, "medium") == 0 ||
		strcmp(value, "high") == 0 || strcmp(value, "none") == 0)
		return NULL;
	return "It takes low, medium, high or none.";
}

static const char *
check_conflict_depth(const char *value)
{
	size_t		length = strlen(value);

	if (length >= 1 && length <= 2 && strspn(value, "0123456789") == length &&
		(value[0] != '0' || length == 1) && atoi(value) <= 10)
		return NULL;
	return "It takes a whole number from 0 to 10.";
}

static const char *
check_switch(const char *value)
{
	if (strcmp(value, "on") == 0 || strcmp(value, "off") == 0)
		return NULL;
	return "It takes on or off.";
}

static const char *
check_risk_matrix(const char *value)
{
	if (check_model_key(value) == NULL)
		return NULL;
	return "It takes the key of a matrix; the view risk_matrix lists them.";
}

static const char *
check_risk_combination(const char *value)
{
	if (strcmp(value, "worst") == 0 || strcmp(value, "score") == 0)
		return NULL;
	return "It takes worst or score.";
}

static const char *
check_risk_thresholds(const char *value)
{
	int			bounds[3];
	int			length = 0;

	if (strspn(value, "0123456789,") == strlen(value) &&
		strlen(value) <= 11 && value[0] != ',' &&
		sscanf(value, "%d,%d,%d%n", &bounds[0], &bounds[1], &bounds[2],
			   &length) == 3 &&
		length == (int) strlen(value) && bounds[0] < bounds[1] &&
		bounds[1] < bounds[2] && bounds[2] <= 100)
		return NULL;
	return "It takes three whole numbers from 0 to 100 that rise, such as 25,50,75.";
}

static const char *
check_risk_model_thresholds(const char *value)
{
	if (strcmp(value, "off") == 0 || check_risk_thresholds(value) == NULL)
		return NULL;
	return "It takes off, or three whole numbers from 0 to 100 that rise, such as 10,20,40.";
}

/* Position of a key in settings[]; -1 where unknown. */
static int
setting_position(const char *key)
{
	for (int i = 0; i < SETTING_COUNT; i++)
		if (strcmp(settings[i].key, key) == 0)
			return i;
	return -1;
}

static int
setting_position_required(const char *key)
{
	int			position = setting_position(key);

	if (position < 0)
	{
		StringInfoData keys;

		initStringInfo(&keys);
		for (int i = 0; i < SETTING_COUNT; i++)
			appendStringInfo(&keys, "%s%s", i > 0 ? ", " : "", settings[i].key);
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("setting \"%s\" does not exist", key),
				 errhint("The settings are: %s.", keys.data)));
	}
	return position;
}

/*
 * Read all of the site's values.  They are published together, at the end,
 * so that an error on the way leaves the old ones, marked as not current.
 */
static void
settings_read_all(void)
{
	const char *values[SETTING_COUNT] = {NULL};
	MemoryContext context;
	MemoryContext old_context;

	/* A child of the caller's until it is complete: an error frees it. */
	context = AllocSetContextCreate(CurrentMemoryContext,
									"changemgmt settings",
									ALLOCSET_SMALL_SIZES);
	cached_table_begin(&site_setting_table);

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	kept_plan_execute(&site_setting_plan, NULL, NULL, 0);
	old_context = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		char	   *key = SPI_getvalue(row, desc, 1);
		int			position = setting_position(key);

		/* A later version of the library may have left a row behind. */
		if (position >= 0)
			values[position] = SPI_getvalue(row, desc, 2);
		pfree(key);
	}
	MemoryContextSwitchTo(old_context);
	SPI_finish();

	MemoryContextSetParent(context, CacheMemoryContext);
	if (site_context != NULL)
		MemoryContextDelete(site_context);
	site_context = context;
	memcpy(site_values, values, sizeof(site_values));
	cached_table_done(&site_setting_table);
}

const char *
setting_get(const char *key)
{
	int			position = setting_position_required(key);

	if (!site_setting_table.is_current)
		settings_read_all();
	return site_values[position] != NULL ? site_values[position]
		: settings[position].default_value;
}

int
setting_get_int(const char *key)
{
	return pg_strtoint32(setting_get(key));
}

/* Trigger: refuses unknown keys and values that the setting cannot take. */
Datum
site_setting_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	HeapTuple	row;
	TupleDesc	desc;
	char	   *key;
	char	   *value;
	const Setting *setting;
	const char *expected;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_BEFORE(trigdata->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) ||
		TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("site_setting_check: not called BEFORE INSERT OR UPDATE FOR EACH ROW")));

	row = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newtuple
		: trigdata->tg_trigtuple;
	desc = RelationGetDescr(trigdata->tg_relation);
	key = SPI_getvalue(row, desc, SPI_fnumber(desc, "key"));
	value = SPI_getvalue(row, desc, SPI_fnumber(desc, "value"));
	/* The NOT NULL of both columns comes after this trigger. */
	if (key == NULL || value == NULL)
		return PointerGetDatum(row);

	setting = &settings[setting_position_required(key)];
	expected = setting->check(value);
	if (expected != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("setting \"%s\" cannot be \"%s\"", key, value),
				 errhint("%s", expected)));
	return PointerGetDatum(row);
}

Datum
shipped_settings(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < SETTING_COUNT; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false};

		values[0] = CStringGetTextDatum(settings[i].key);
		values[1] = CStringGetTextDatum(settings[i].default_value);
		values[2] = CStringGetTextDatum(settings[i].description);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc,
							 values, nulls);
	}
	return (Datum) 0;
}

Datum
setting_value(PG_FUNCTION_ARGS)
{
	char	   *key = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TEXT_P(cstring_to_text(setting_get(key)));
}
