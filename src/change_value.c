/*-------------------------------------------------------------------------
 *
 * change_value.c
 *	  Values that no change can have, refused with a word that helps.
 *
 * The stamp asks for them first, before anything else looks at the values; the
 * table's only check constraint asks again for what holds for any history:
 * for rows that come by COPY, and for what a site's trigger wrote later.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

#include "change.h"
#include "compat.h"
#include "errors.h"
#include "person.h"
#include "spi.h"

static const struct
{
	ChangeColumn column;
	const char *list;
}			coded[] = {
	{CH_status, "status"},
	{CH_outcome, "outcome"},
	{CH_type, "type"},
	{CH_category, "category"},
	{CH_environment, "environment"},
	{CH_priority, "priority"},
	{CH_risk_level, "risk_level"},
	{CH_rollback_strategy, "rollback_strategy"},
	{CH_cause_class, "cause_class"},
	{CH_emergency_threshold, "emergency_threshold"},
};

static const ChangeColumn never_null[] = {
	CH_model, CH_type, CH_status, CH_on_hold, CH_environment,
	CH_touches_data_integrity, CH_touches_security, CH_confidential,
	CH_unplanned, CH_title, CH_attributes
};

static const ChangeColumn never_negative[] = {
	CH_rough_estimate_hours, CH_estimated_minutes, CH_cost_planned,
	CH_cost_actual, CH_rollback_minutes
};

static const ChangeColumn always_finite[] = {
	CH_deadline, CH_promised_at, CH_planned_start, CH_planned_end,
	CH_actual_start, CH_actual_end, CH_deployed_at, CH_rollback_started_at,
	CH_rolled_back_at, CH_recovered_at
};

static const ChangeColumn people[] = {
	CH_requester_id, CH_owner_id, CH_coordinator_id, CH_author_id,
	CH_implementer_id, CH_verifier_id, CH_authorised_by_id,
	CH_stability_confirmed_by_id
};

PG_FUNCTION_INFO_V1(change_is_possible);

static void
malformed(ChangeColumn column, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("%s of a change %s", change_column_names[column], problem)));
}

static bool
is_new(const ChangeRow *old, const ChangeRow *new, ChangeColumn column)
{
	return old == NULL || !change_column_equal(old, new, column);
}

static void
check_affects(Datum affects)
{
	Datum	   *elements;
	bool	   *isnull;
	int			count;

	if (ARR_NDIM(DatumGetArrayTypeP(affects)) > 1 ||
		(ARR_NDIM(DatumGetArrayTypeP(affects)) == 1 &&
		 ARR_LBOUND(DatumGetArrayTypeP(affects))[0] != 1))
		malformed(CH_affects, "is no plain list");
	deconstruct_array(DatumGetArrayTypeP(affects), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, &isnull, &count);
	for (int i = 0; i < count; i++)
	{
		if (isnull[i])
			malformed(CH_affects, "has a null in it");
		code_check("affects", elements[i], "affects");
	}
}

void
change_check_codes(const ChangeRow *old, const ChangeRow *new)
{
	for (size_t i = 0; i < lengthof(never_null); i++)
		if (new->isnull[never_null[i]])
			malformed(never_null[i], "is null");
	for (size_t i = 0; i < lengthof(coded); i++)
		if (!new->isnull[coded[i].column] && is_new(old, new, coded[i].column))
			code_check(coded[i].list, new->value[coded[i].column],
					   change_column_names[coded[i].column]);
	if (!change_is_null(new, affects) && is_new(old, new, CH_affects))
		check_affects(new->value[CH_affects]);
}

static bool
is_negative(const ChangeRow *row, ChangeColumn column)
{
	Oid			type = TupleDescAttr(row->desc,
									 change_column_attnum(column) - 1)->atttypid;

	if (type == INT4OID)
		return DatumGetInt32(row->value[column]) < 0;
	/* NaN is above all numbers, and none */
	if (numeric_is_nan(DatumGetNumeric(row->value[column])))
		malformed(column, "is not a number");
	return DatumGetBool(DirectFunctionCall2(numeric_lt, row->value[column],
											NumericGetDatum(int64_to_numeric(0))));
}

/* What holds for any history, beside the codes. */
static void
check_possible(const ChangeRow *old, const ChangeRow *new)
{
	if (VARSIZE_ANY_EXHDR(DatumGetTextPP(new->value[CH_title])) == 0)
		malformed(CH_title, "is empty");
	for (size_t i = 0; i < lengthof(never_negative); i++)
		if (!new->isnull[never_negative[i]] &&
			is_new(old, new, never_negative[i]) &&
			is_negative(new, never_negative[i]))
			malformed(never_negative[i], "is negative");
	for (size_t i = 0; i < lengthof(always_finite); i++)
		if (!new->isnull[always_finite[i]] &&
			TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(new->value[always_finite[i]])))
			malformed(always_finite[i], "is infinite");
	if (!change_is_null(new, planned_start) &&
		!change_is_null(new, planned_end) &&
		change_time(new, planned_end) <= change_time(new, planned_start))
		malformed(CH_planned_end, "is not after planned_start");
	if (!change_is_null(new, actual_start) && !change_is_null(new, actual_end) &&
		change_time(new, actual_end) < change_time(new, actual_start))
		malformed(CH_actual_end, "is before actual_start");
	if (is_new(old, new, CH_attributes) &&
		!JB_ROOT_IS_OBJECT(DatumGetJsonbP(new->value[CH_attributes])))
		malformed(CH_attributes, "is not an object");
}

void
change_check_values(const ChangeRow *old, const ChangeRow *new)
{
	check_possible(old, new);
	if (change_is_blank(new, CH_title))
		malformed(CH_title, "is empty");
	if (is_new(old, new, CH_title))
		for (const char *c = TextDatumGetCString(new->value[CH_title]); *c; c++)
			if ((unsigned char) *c < 0x20)
				malformed(CH_title, "has more than one line, or control characters");
	for (size_t i = 0; i < lengthof(people); i++)
		if (!new->isnull[people[i]] && is_new(old, new, people[i]) &&
			DatumGetInt64(new->value[people[i]]) != actor_person() &&
			person_login(DatumGetInt64(new->value[people[i]])) == NULL)
			malformed(people[i],
					  psprintf("is " INT64_FORMAT ", and there is no such person",
							   DatumGetInt64(new->value[people[i]])));
}

Datum
change_is_possible(PG_FUNCTION_ARGS)
{
	HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER(0);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
											  HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple;
	ChangeRow	row;

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	change_row_read(&row, &tuple, desc);
	if (change_id_of(&row) < 1)
		malformed(CH_id, "is no number of a change: they begin with 1");
	change_check_codes(NULL, &row);
	check_possible(NULL, &row);
	ReleaseTupleDesc(desc);
	PG_RETURN_BOOL(true);
}
