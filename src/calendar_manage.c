/*-------------------------------------------------------------------------
 *
 * calendar_manage.c
 *	  Writing business calendars: their hours and their holidays.
 *
 * Working hours are said in a text, "MO-FR 09:00-12:00,13:00-17:30; SA
 * 10:00-14:00", and kept as rows.  The functions write as the tables' owner;
 * what a row must be says the trigger business_calendar_check, for whoever
 * writes.  No state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/rel.h"

#include "calendar.h"
#include "compat.h"
#include "errors.h"
#include "ledger.h"
#include "spi.h"
#include "types_setting.h"

PG_FUNCTION_INFO_V1(add_holiday);
PG_FUNCTION_INFO_V1(business_calendar_check);
PG_FUNCTION_INFO_V1(create_business_calendar);
PG_FUNCTION_INFO_V1(remove_holiday);
PG_FUNCTION_INFO_V1(set_business_hours);

#define HOURS_MAX 200			/* rows of one calendar */

static const char *const weekdays[] = {
	"MO", "TU", "WE", "TH", "FR", "SA", "SU"
};

/* ----------
 * Working hours in words
 * ----------
 */

typedef struct HoursText
{
	const char *text;
	const char *at;				/* what is read next */
	int			n;
	Datum		weekday[HOURS_MAX];
	Datum		opens[HOURS_MAX];
	Datum		closes[HOURS_MAX];
} HoursText;

pg_noreturn static void hours_error(const HoursText *hours, const char *at,
									const char *problem);

static void
hours_error(const HoursText *hours, const char *at, const char *problem)
{
	int			length = strcspn(at, " \t\n;");

	length = pg_mbcliplen(at, length, 40);
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT),
			 errmsg("invalid working hours: %s", problem),
			 length > 0 ?
			 errdetail("At character %d: \"%.*s\".",
					   pg_mbstrlen_with_len(hours->text, at - hours->text) + 1,
					   length, at) : 0,
			 errhint("Write them as MO-FR 09:00-17:00, or MO,WE 08:00-12:00,13:00-17:00; SA 10:00-14:00.")));
}

static void
skip_space(HoursText *hours)
{
	while (*hours->at == ' ' || *hours->at == '\t' || *hours->at == '\n' ||
		   *hours->at == '\r')
		hours->at++;
}

static int
read_weekday(HoursText *hours)
{
	skip_space(hours);
	for (int i = 0; i < 7; i++)
		if (pg_strncasecmp(hours->at, weekdays[i], 2) == 0)
		{
			hours->at += 2;
			return i;
		}
	hours_error(hours, hours->at,
				"days are MO, TU, WE, TH, FR, SA and SU");
}

/* A bit for each day: MO-FR, or SA,SU, or FR-MO */
static int
read_weekdays(HoursText *hours)
{
	int			days = 0;

	for (;;)
	{
		int			first = read_weekday(hours);
		int			last = first;

		skip_space(hours);
		if (*hours->at == '-')
		{
			hours->at++;
			last = read_weekday(hours);
		}
		for (int day = first;; day = (day + 1) % 7)
		{
			days |= 1 << day;
			if (day == last)
				break;
		}
		skip_space(hours);
		if (*hours->at != ',')
			return days;
		hours->at++;
	}
}

/* 9:00, 09:00, up to 24:00 */
static TimeADT
read_time(HoursText *hours)
{
	const char *start;
	int			parts[2] = {0, 0};

	skip_space(hours);
	start = hours->at;
	for (int i = 0; i < 2; i++)
	{
		int			digits = 0;

		if (i == 1 && *hours->at++ != ':')
			hours_error(hours, start, "times are of the form 09:00");
		for (; *hours->at >= '0' && *hours->at <= '9' && digits < 3; digits++)
			parts[i] = parts[i] * 10 + (*hours->at++ - '0');
		if (digits > 2 || digits < i + 1)
			hours_error(hours, start, "times are of the form 09:00");
	}
	if (parts[1] > 59 || parts[0] * 60 + parts[1] > 24 * 60)
		hours_error(hours, start, "times go from 00:00 to 24:00");
	return (parts[0] * INT64CONST(60) + parts[1]) * SECS_PER_MINUTE * USECS_PER_SEC;
}

/* One or more rows for the days; whole days where no time is given. */
static void
read_times(HoursText *hours, int days)
{
	bool		more = false;

	do
	{
		const char *start = hours->at;
		TimeADT		opens = 0;
		TimeADT		closes = USECS_PER_DAY;

		skip_space(hours);
		if (more || (*hours->at != ';' && *hours->at != '\0'))
		{
			start = hours->at;
			opens = read_time(hours);
			skip_space(hours);
			if (*hours->at++ != '-')
				hours_error(hours, start, "a time of opening and one of closing are divided by a hyphen");
			closes = read_time(hours);
			if (opens >= closes)
				hours_error(hours, start, "they close after they open; over midnight they are written up to 24:00, and on the next day from 00:00");
		}
		for (int day = 0; day < 7; day++)
		{
			if (!(days & (1 << day)))
				continue;
			if (hours->n == HOURS_MAX)
				hours_error(hours, start, "there are too many");
			for (int i = 0; i < hours->n; i++)
				if (DatumGetInt32(hours->weekday[i]) == day + 1 &&
					DatumGetTimeADT(hours->opens[i]) < closes &&
					DatumGetTimeADT(hours->closes[i]) > opens)
					hours_error(hours, start,
								psprintf("they overlap on %s", weekdays[day]));
			hours->weekday[hours->n] = Int32GetDatum(day + 1);
			hours->opens[hours->n] = TimeADTGetDatum(opens);
			hours->closes[hours->n++] = TimeADTGetDatum(closes);
		}
		skip_space(hours);
		more = *hours->at == ',';
		if (more)
			hours->at++;
	} while (more);
}

static HoursText *
hours_read(const char *text)
{
	HoursText  *hours = palloc0(sizeof(HoursText));

	hours->text = hours->at = text;
	for (;;)
	{
		read_times(hours, read_weekdays(hours));
		if (*hours->at == '\0')
			return hours;
		if (*hours->at++ != ';')
			hours_error(hours, hours->at - 1, "what belongs to other days is divided by a semicolon");
		skip_space(hours);
		if (*hours->at == '\0')
			return hours;
	}
}

static void
hours_write(Datum calendar, HoursText *hours)
{
	static KeptPlan insert = {
		"INSERT INTO changemgmt.business_hours (calendar_id, weekday, opens, closes)"
		" SELECT $1, h.weekday, h.opens, h.closes"
		" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3),"
		"  pg_catalog.unnest($4)) AS h(weekday, opens, closes)",
		4, {INT8OID, INT4ARRAYOID, TIMEARRAYOID, TIMEARRAYOID}, NULL
	};
	Datum		arguments[4];

	arguments[0] = calendar;
	arguments[1] = PointerGetDatum(construct_array(hours->weekday, hours->n, INT4OID,
												   sizeof(int32), true, TYPALIGN_INT));
	arguments[2] = PointerGetDatum(construct_array(hours->opens, hours->n, TIMEOID,
												   sizeof(TimeADT), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	arguments[3] = PointerGetDatum(construct_array(hours->closes, hours->n, TIMEOID,
												   sizeof(TimeADT), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	kept_plan_execute_input(&insert, arguments, NULL, 0);
}

/* ----------
 * SQL
 * ----------
 */

/* A text argument that has to be there. */
static char *
text_argument(FunctionCallInfo fcinfo, int number, const char *what)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("%s missing", what)));
	return text_to_cstring(PG_GETARG_TEXT_PP(number));
}

/* create_business_calendar(name, time_zone, working_hours, description) */
Datum
create_business_calendar(PG_FUNCTION_ARGS)
{
	static KeptPlan insert = {
		"INSERT INTO changemgmt.business_calendar (name, time_zone, description)"
		" VALUES ($1, $2, $3) RETURNING id",
		3, {TEXTOID, TEXTOID, TEXTOID}, NULL
	};
	HoursText  *hours;
	Datum		arguments[3];
	char		nulls[] = "   ";
	Datum		id;
	bool		isnull;

	arguments[0] = CStringGetTextDatum(text_argument(fcinfo, 0, "the name of the business calendar is"));
	arguments[1] = CStringGetTextDatum(text_argument(fcinfo, 1, "the time zone of the business calendar is"));
	hours = hours_read(text_argument(fcinfo, 2, "the working hours are"));
	arguments[2] = PG_GETARG_DATUM(3);
	if (PG_ARGISNULL(3))
		nulls[2] = 'n';

	SPI_connect();
	kept_plan_execute_input(&insert, arguments, nulls, 0);
	kept_plan_require_row(&insert, "the business calendar");
	id = spi_first_value(1, &isnull);
	id = Int64GetDatum(DatumGetInt64(id));
	hours_write(id, hours);
	SPI_finish();
	PG_RETURN_DATUM(id);
}

/* set_business_hours(calendar, working_hours) */
Datum
set_business_hours(PG_FUNCTION_ARGS)
{
	static KeptPlan delete = {
		"DELETE FROM changemgmt.business_hours"
		" WHERE calendar_id OPERATOR(pg_catalog.=) $1",
		1, {INT8OID}, NULL
	};
	Datum		id = Int64GetDatum(calendar_id(text_argument(fcinfo, 0, "the name of the business calendar is")));
	HoursText  *hours = hours_read(text_argument(fcinfo, 1, "the working hours are"));

	SPI_connect();
	kept_plan_execute(&delete, &id, NULL, 0);
	hours_write(id, hours);
	SPI_finish();
	PG_RETURN_VOID();
}

/* add_holiday(calendar, day, name) */
Datum
add_holiday(PG_FUNCTION_ARGS)
{
	static KeptPlan insert = {
		"INSERT INTO changemgmt.holiday (calendar_id, day, name)"
		" VALUES ($1, $2, $3) ON CONFLICT (calendar_id, day)"
		" DO UPDATE SET name = excluded.name RETURNING id",
		3, {INT8OID, DATEOID, TEXTOID}, NULL
	};
	Datum		arguments[3];
	char		nulls[] = "   ";
	Datum		id;
	bool		isnull;

	arguments[0] = Int64GetDatum(calendar_id(text_argument(fcinfo, 0, "the name of the business calendar is")));
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("the day of the holiday is missing")));
	arguments[1] = PG_GETARG_DATUM(1);
	arguments[2] = PG_GETARG_DATUM(2);
	if (PG_ARGISNULL(2))
		nulls[2] = 'n';

	SPI_connect();
	kept_plan_execute_input(&insert, arguments, nulls, 0);
	kept_plan_require_row(&insert, "the holiday");
	id = Int64GetDatum(DatumGetInt64(spi_first_value(1, &isnull)));
	SPI_finish();
	PG_RETURN_DATUM(id);
}

/* remove_holiday(calendar, day): whether it was there */
Datum
remove_holiday(PG_FUNCTION_ARGS)
{
	static KeptPlan delete = {
		"DELETE FROM changemgmt.holiday"
		" WHERE calendar_id OPERATOR(pg_catalog.=) $1"
		" AND day OPERATOR(pg_catalog.=) $2",
		2, {INT8OID, DATEOID}, NULL
	};
	Datum		arguments[2];
	bool		found;

	arguments[0] = Int64GetDatum(calendar_id(text_to_cstring(PG_GETARG_TEXT_PP(0))));
	arguments[1] = PG_GETARG_DATUM(1);
	SPI_connect();
	kept_plan_execute(&delete, arguments, NULL, 0);
	found = SPI_processed > 0;
	SPI_finish();
	PG_RETURN_BOOL(found);
}

static char *
column_of(TriggerData *trigdata, HeapTuple row, const char *name)
{
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);

	return SPI_getvalue(row, desc, SPI_fnumber(desc, name));
}

/*
 * Trigger of business_calendar and holiday: a name that can be typed, a time
 * zone that the server knows, a day.  History may name a zone that this server
 * lacks: it is told when the calendar is asked.
 */
Datum
business_calendar_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "business_calendar_check",
										 FOR_ROW | AT_BEFORE, NULL);
	HeapTuple	row = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;
	char	   *value;

	if (strcmp(RelationGetRelationName(trigdata->tg_relation), "holiday") == 0)
	{
		value = column_of(trigdata, row, "day");
		if (value && strstr(value, "infinity"))
			ereport(ERROR,
					(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
					 errmsg("\"%s\" is no day of a holiday", value)));
		return PointerGetDatum(row);
	}
	/* the NOT NULL of both comes after this trigger */
	value = column_of(trigdata, row, "name");
	if (value && (*value < 'a' || *value > 'z' || strlen(value) > 63 ||
				  strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(value)))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("a business calendar cannot be named \"%s\"", value),
				 errhint("It takes up to 63 of a to z, 0 to 9 and _, a letter first.")));
	value = column_of(trigdata, row, "time_zone");
	if (value && !ledger_is_history(trigdata) && time_zone_find(value) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("the time zone of a business calendar cannot be \"%s\"", value),
				 errhint(TIME_ZONE_EXPECTED)));
	return PointerGetDatum(row);
}
