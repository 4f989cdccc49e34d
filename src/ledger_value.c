/*-------------------------------------------------------------------------
 *
 * ledger_value.c
 *	  Values read back from what the ledger recorded of them.
 *
 * The inverse of ledger_push_value(): whatever it wrote comes back with the
 * same digest, but for the lower bounds of arrays and the sign of a floating
 * zero, which JSON does not have.  Nothing here depends on a setting of the
 * session, and there is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "compat.h"
#include "ledger.h"

pg_noreturn static void
malformed(Oid type)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the ledger has a value that is no %s",
					format_type_be(type))));
	pg_unreachable();
}

static Numeric
read_number(Oid type, JsonbValue *value)
{
	if (value->type != jbvNumeric)
		malformed(type);
	return value->val.numeric;
}

static char *
read_string(Oid type, JsonbValue *value)
{
	if (value->type != jbvString)
		malformed(type);
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/* By the input function of the type, under the settings it was written with. */
static Datum
read_text(Oid type, char *text)
{
	int			nestlevel = ledger_pin_settings();
	Oid			input;
	Oid			parameter;
	Datum		result;

	getTypeInputInfo(type, &input, &parameter);
	result = OidInputFunctionCall(input, text, parameter, -1);
	AtEOXact_GUC(true, nestlevel);
	return result;
}

/* What an array comes to while its dimensions are read. */
typedef struct ArrayBuild
{
	Oid			type;			/* of the array */
	Oid			element_type;
	int			ndim;
	int			dims[MAXDIM];
	int			count;
	int			capacity;
	Datum	   *elements;
	bool	   *nulls;
} ArrayBuild;

static void
read_dimension(ArrayBuild *build, JsonbContainer *container, int depth)
{
	int			count = JsonContainerSize(container);

	if (depth >= MAXDIM)
		malformed(build->type);
	if (depth == build->ndim)
		build->dims[build->ndim++] = count;
	else if (build->dims[depth] != count)
		malformed(build->type);

	for (int i = 0; i < count; i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(container, i);

		CHECK_FOR_INTERRUPTS();
		if (value->type == jbvBinary && build->element_type != JSONBOID)
		{
			if (!JsonContainerIsArray(value->val.binary.data))
				malformed(build->type);
			read_dimension(build, value->val.binary.data, depth + 1);
			continue;
		}
		if (depth + 1 != build->ndim)
			malformed(build->type);
		if (build->count == build->capacity)
		{
			build->capacity = build->capacity ? build->capacity * 2 : 8;
			build->elements = build->elements ?
				repalloc(build->elements, build->capacity * sizeof(Datum)) :
				palloc(build->capacity * sizeof(Datum));
			build->nulls = build->nulls ?
				repalloc(build->nulls, build->capacity * sizeof(bool)) :
				palloc(build->capacity * sizeof(bool));
		}
		build->nulls[build->count] = value->type == jbvNull;
		build->elements[build->count] = value->type == jbvNull ? (Datum) 0 :
			ledger_read_value(build->element_type, value);
		build->count++;
	}
}

static Datum
read_array(Oid type, Oid element_type, JsonbValue *value)
{
	ArrayBuild	build = {.type = type, .element_type = element_type};
	int			lower[MAXDIM];
	int16		typlen;
	bool		typbyval;
	char		typalign;

	if (value->type != jbvBinary ||
		!JsonContainerIsArray(value->val.binary.data))
		malformed(type);
	read_dimension(&build, value->val.binary.data, 0);
	if (build.count == 0)
		return PointerGetDatum(construct_empty_array(element_type));
	for (int i = 0; i < build.ndim; i++)
		lower[i] = 1;
	get_typlenbyvalalign(element_type, &typlen, &typbyval, &typalign);
	return PointerGetDatum(construct_md_array(build.elements, build.nulls,
											  build.ndim, build.dims, lower,
											  element_type, typlen, typbyval,
											  typalign));
}

Datum
ledger_read_value(Oid type, JsonbValue *value)
{
	Oid			base;
	Oid			element;

	switch (type)
	{
		case INT2OID:
			return DirectFunctionCall1(numeric_int2,
									   NumericGetDatum(read_number(type, value)));
		case INT4OID:
			return DirectFunctionCall1(numeric_int4,
									   NumericGetDatum(read_number(type, value)));
		case INT8OID:
			return DirectFunctionCall1(numeric_int8,
									   NumericGetDatum(read_number(type, value)));
		case BOOLOID:
			if (value->type != jbvBool)
				malformed(type);
			return BoolGetDatum(value->val.boolean);
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			if (value->type != jbvString)
				malformed(type);
			return PointerGetDatum(cstring_to_text_with_len(value->val.string.val,
															value->val.string.len));
		case TIMESTAMPTZOID:
			/* ISO 8601 with its zone, which reads the same under any setting */
			return DirectFunctionCall3(timestamptz_in,
									   CStringGetDatum(read_string(type, value)),
									   ObjectIdGetDatum(InvalidOid),
									   Int32GetDatum(-1));
		case NUMERICOID:
			/* NaN and infinities are text */
			if (value->type == jbvString)
				return DirectFunctionCall3(numeric_in,
										   CStringGetDatum(read_string(type, value)),
										   ObjectIdGetDatum(InvalidOid),
										   Int32GetDatum(-1));
			return datumCopy(NumericGetDatum(read_number(type, value)), false, -1);
		case FLOAT4OID:
		case FLOAT8OID:
			if (value->type == jbvNumeric)
				return read_text(type,
								 DatumGetCString(DirectFunctionCall1(numeric_out,
																	 NumericGetDatum(value->val.numeric))));
			return read_text(type, read_string(type, value));
		case JSONBOID:
			return JsonbPGetDatum(JsonbValueToJsonb(value));
		case BYTEAOID:
			{
				int			length;
				bytea	   *bytes;

				if (value->type != jbvString)
					malformed(type);
				length = value->val.string.len;
				bytes = palloc(VARHDRSZ + length / 2 + 1);
				length = hex_decode(value->val.string.val, length,
									VARDATA(bytes));
				SET_VARSIZE(bytes, VARHDRSZ + length);
				return PointerGetDatum(bytes);
			}
		default:
			base = getBaseType(type);
			if (base != type)
				return ledger_read_value(base, value);
			element = get_element_type(type);
			if (OidIsValid(element))
				return read_array(type, element, value);
			return read_text(type, read_string(type, value));
	}
}
