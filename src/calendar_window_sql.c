/*-------------------------------------------------------------------------
 *
 * calendar_window_sql.c
 *	  Windows and blackouts as SQL sees them: open_windows(),
 *	  window_state(), window_id(), and the trigger of change_window.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/multirangetypes.h"
#include "utils/rangetypes.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "calendar.h"
#include "compat.h"
#include "errors.h"
#include "ledger.h"
#include "model.h"
#include "person.h"
#include "spi.h"
#include "types_code.h"

PG_FUNCTION_INFO_V1(open_windows);
PG_FUNCTION_INFO_V1(window_state);
PG_FUNCTION_INFO_V1(window_id);
PG_FUNCTION_INFO_V1(window_stamp);

extern Datum ci_id(PG_FUNCTION_ARGS);

/*
 * A model is looked up here, although its room comes later: a misspelt one
 * would make a blackout of nothing.
 */
static void
check_model(const char *key)
{
	bool		retired;

	if (model_latest_if_any(key, &retired) == NULL && !retired)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
				 errmsg("model \"%s\" does not exist", key),
				 errhint("The models are listed in view changemgmt.model.")));
}

/* Fills a scope from the arguments ci, ?, environment, model, tags. */
static void
scope_from_arguments(FunctionCallInfo fcinfo, WindowScope *scope, int64 *ci)
{
	memset(scope, 0, sizeof(WindowScope));
	if (!PG_ARGISNULL(0))
	{
		*ci = DatumGetInt64(DirectFunctionCall1(ci_id, PG_GETARG_DATUM(0)));
		scope->cis = ci;
		scope->n_cis = 1;
	}
	if (!PG_ARGISNULL(2))
	{
		code_check("environment", PG_GETARG_DATUM(2), "environment");
		scope->environment = text_to_cstring(PG_GETARG_TEXT_PP(2));
	}
	if (!PG_ARGISNULL(3))
	{
		scope->model = text_to_cstring(PG_GETARG_TEXT_PP(3));
		check_model(scope->model);
	}
	if (!PG_ARGISNULL(4))
	{
		Datum	   *tags;
		bool	   *nulls;
		int			n;

		deconstruct_array(PG_GETARG_ARRAYTYPE_P(4), TEXTOID, -1, false,
						  TYPALIGN_INT, &tags, &nulls, &n);
		for (int i = 0; i < n; i++)
			if (!nulls[i])
				scope->tags = lappend(scope->tags, TextDatumGetCString(tags[i]));
	}
}

/* open_windows(ci, within, environment, model, tags) */
Datum
open_windows(PG_FUNCTION_ARGS)
{
	TypeCacheEntry *multi = lookup_type_cache(TSTZMULTIRANGEOID,
											  TYPECACHE_MULTIRANGE_INFO);
	TypeCacheEntry *type = multi->rngtype;
	WindowScope scope;
	int64		ci;
	RangeBound	lower,
				upper;
	bool		empty;
	TimestampTz from = DT_NOBEGIN;
	TimestampTz to = DT_NOEND;
	Period	   *open;
	RangeType **ranges;
	int			n;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	scope_from_arguments(fcinfo, &scope, &ci);
	range_deserialize(type, PG_GETARG_RANGE_P(1), &lower, &upper, &empty);
	if (empty)
		PG_RETURN_MULTIRANGE_P(make_empty_multirange(TSTZMULTIRANGEOID, type));
	if (!lower.infinite)
		from = DatumGetTimestampTz(lower.val);
	if (!upper.infinite)
		to = DatumGetTimestampTz(upper.val);

	/* half-open: a time is a whole number of microseconds */
	if (!TIMESTAMP_NOT_FINITE(from) && !lower.inclusive)
		from++;
	if (!TIMESTAMP_NOT_FINITE(to) && upper.inclusive)
		to++;
	if (from >= to)
		PG_RETURN_MULTIRANGE_P(make_empty_multirange(TSTZMULTIRANGEOID, type));

	open = window_open(&scope, from, to, &n);
	ranges = palloc(Max(n, 1) * sizeof(RangeType *));
	for (int i = 0; i < n; i++)
	{
		RangeBound	start = {TimestampTzGetDatum(open[i].from), false, true, true};
		RangeBound	end = {TimestampTzGetDatum(open[i].to), false, false, false};

		ranges[i] = make_range(type, &start, &end, false, NULL);
	}
	PG_RETURN_MULTIRANGE_P(make_multirange(TSTZMULTIRANGEOID, type, n, ranges));
}

/* window_state(ci, at, environment, model, tags) */
Datum
window_state(PG_FUNCTION_ARGS)
{
	WindowScope scope;
	int64		ci;
	TupleDesc	desc;
	Datum		values[4] = {0};
	bool		isnull[4] = {true, true, true, true};
	TimestampTz at;
	WindowMoment moment;
	StringInfoData reason;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	scope_from_arguments(fcinfo, &scope, &ci);
	if (PG_ARGISNULL(1))
		PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, isnull)));
	at = PG_GETARG_TIMESTAMPTZ(1);
	if (TIMESTAMP_NOT_FINITE(at) || !IS_VALID_TIMESTAMP(at + 1))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("windows cannot be asked about an infinite time")));

	window_moment(&scope, at, &moment);
	initStringInfo(&reason);
	if (moment.refusals == NIL)
	{
		if (moment.names != NULL)
			appendStringInfo(&reason, "inside the maintenance windows (%s)",
							 moment.names);
		else
			appendStringInfoString(&reason, "no maintenance window or blackout says otherwise");
	}
	else
	{
		bool		hard = false;
		ListCell   *lc;

		foreach(lc, moment.refusals)
		{
			appendStringInfo(&reason, "%s%s", reason.len > 0 ? "; " : "",
							 window_refusal_text(lfirst(lc)));
			hard |= ((WindowRefusal *) lfirst(lc))->is_hard;
		}
		values[1] = BoolGetDatum(hard);
		isnull[1] = false;
	}
	values[0] = BoolGetDatum(moment.refusals == NIL);
	values[2] = CStringGetTextDatum(reason.data);
	isnull[0] = isnull[2] = false;
	if (moment.until != DT_NOEND)
	{
		values[3] = TimestampTzGetDatum(moment.until);
		isnull[3] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, isnull)));
}

/* window_id(name) */
Datum
window_id(PG_FUNCTION_ARGS)
{
	static KeptPlan plan = {
		"SELECT id FROM changemgmt.change_window"
		" WHERE name OPERATOR(pg_catalog.=) $1",
		1, {TEXTOID}, NULL
	};
	Datum		name = PG_GETARG_DATUM(0);
	Datum		id;
	bool		isnull;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	kept_plan_execute(&plan, &name, NULL, 1);
	id = spi_first_value(1, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("window \"%s\" does not exist",
						TextDatumGetCString(name)),
				 errhint("Maintenance windows and blackouts are listed in table changemgmt.change_window.")));
	SPI_finish();
	PG_RETURN_INT64(DatumGetInt64(id));
}

/* ----------
 * The trigger
 * ----------
 */

/* Columns that may change without a window meaning something else. */
static bool
is_remark(const char *column)
{
	static const char *const remarks[] = {
		"id", "name", "reason", "declared_at", "declared_by"
	};

	for (size_t i = 0; i < lengthof(remarks); i++)
		if (strcmp(column, remarks[i]) == 0)
			return true;
	return false;
}

static bool
means_the_same(HeapTuple old, HeapTuple new, TupleDesc desc)
{
	for (int i = 1; i <= desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i - 1);
		bool		old_null,
					new_null;
		Datum		old_value,
					new_value;

		if (att->attisdropped || is_remark(NameStr(att->attname)))
			continue;
		old_value = heap_getattr(old, i, desc, &old_null);
		new_value = heap_getattr(new, i, desc, &new_null);
		if (old_null != new_null ||
			(!old_null && !datum_image_eq(old_value, new_value, att->attbyval,
										  att->attlen)))
			return false;
	}
	return true;
}

static Datum
column_value(HeapTuple tuple, TupleDesc desc, const char *column, bool *isnull)
{
	return heap_getattr(tuple, SPI_fnumber(desc, column), desc, isnull);
}

static void
refuse_window(const char *message, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("%s", message), errhint("%s", hint)));
}

/* What the constraints of the table say, too, in words for a person. */
static void
window_check(HeapTuple new, TupleDesc desc)
{
	bool		isnull;
	bool		no_recurrence;
	bool		no_start;
	bool		no_end;
	Datum		value;
	Datum		starts_at;
	Datum		ends_at;

	value = column_value(new, desc, "name", &isnull);
	if (isnull || VARSIZE_ANY_EXHDR(DatumGetTextPP(value)) == 0)
		refuse_window("a window needs a name", "Give it one that no other has.");
	value = column_value(new, desc, "kind", &isnull);
	if (!isnull)
		code_check("window_kind", value, "kind");
	value = column_value(new, desc, "enforcement", &isnull);
	if (isnull)
		refuse_window("enforcement is missing", "It is one of hard, soft.");
	code_check("window_enforcement", value, "enforcement");
	value = column_value(new, desc, "environment", &isnull);
	if (!isnull)
		code_check("environment", value, "environment");
	value = column_value(new, desc, "covers_dependents", &isnull);
	if (isnull)
		refuse_window("covers_dependents is missing", "It is true or false.");
	value = column_value(new, desc, "model", &isnull);
	if (!isnull)
		check_model(TextDatumGetCString(value));
	value = column_value(new, desc, "tag", &isnull);
	if (!isnull)
	{
		char	   *tag = TextDatumGetCString(value);

		if (tag[0] == '\0' || strpbrk(tag, " \t\n\v\f\rABCDEFGHIJKLMNOPQRSTUVWXYZ"))
			refuse_window(psprintf("\"%s\" is not a tag", tag),
				   "A tag is one word in lower case.");
	}

	column_value(new, desc, "recurrence", &no_recurrence);
	starts_at = column_value(new, desc, "starts_at", &no_start);
	ends_at = column_value(new, desc, "ends_at", &no_end);
	if (no_recurrence ? no_start || no_end : !no_start || !no_end)
		refuse_window("a window has either a recurrence or one range",
			   "Give a recurrence alone, or starts_at and ends_at.");
	if (!no_recurrence)
		return;
	if (TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(starts_at)))
		refuse_window("a window cannot start at infinity",
			   "Only ends_at can be infinity: until further notice.");
	if (DatumGetTimestampTz(starts_at) >= DatumGetTimestampTz(ends_at))
		refuse_window("a window ends after it starts",
			   "Give an ends_at that is later than starts_at.");
}

/* BEFORE ROW trigger of change_window */
Datum
window_stamp(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = trigger_data(fcinfo, "window_stamp",
										 FOR_ROW | AT_BEFORE, "change_window");
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	HeapTuple	new = trigdata->tg_trigtuple;
	int			columns[2];
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (ledger_is_history(trigdata) || TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		return PointerGetDatum(new);
	columns[0] = SPI_fnumber(desc, "declared_at");
	columns[1] = SPI_fnumber(desc, "declared_by");
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) &&
		means_the_same(trigdata->tg_trigtuple, trigdata->tg_newtuple, desc))
	{
		new = trigdata->tg_newtuple;
		for (int i = 0; i < 2; i++)
			values[i] = heap_getattr(trigdata->tg_trigtuple, columns[i], desc,
									 &nulls[i]);
	}
	else
	{
		const char *actor = actor_name();

		if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
			new = trigdata->tg_newtuple;
		values[0] = TimestampTzGetDatum(GetCurrentTimestamp());
		if (actor != NULL)
			values[1] = CStringGetTextDatum(actor);
		else
			nulls[1] = true;
	}
	window_check(new, desc);
	return PointerGetDatum(heap_modify_tuple_by_cols(new, desc, 2, columns,
													 values, nulls));
}
