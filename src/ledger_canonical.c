/*-------------------------------------------------------------------------
 *
 * ledger_canonical.c
 *	  The canonical encoding of values, digests of rows, diffs of rows.
 *
 * docs/ledger.md gives the encoding byte by byte; whatever is written here
 * is in the chains of every site, so it is changed for a new version of the
 * format only, never in place.  Nothing here may depend on a setting of the
 * session, on the server's encoding or on its version.
 *
 * State: for each relation seen, the order of its columns by name, for the
 * life of the session; the relcache invalidates it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/int.h"
#include "common/sha2.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "compat.h"
#include "ledger.h"

/* Microseconds from 1970-01-01 to PostgreSQL's own epoch. */
#define UNIX_EPOCH_OFFSET \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

#define NULL_LENGTH 0xFFFFFFFF

/* The columns of a relation in the order of their names. */
typedef struct ColumnOrder
{
	struct ColumnOrder *next;
	Oid			relid;
	int			natts;
	int			count;
	bool		is_current;
	int16		attnums[FLEXIBLE_ARRAY_MEMBER];
} ColumnOrder;

typedef struct ColumnName
{
	const char *name;
	int16		attnum;
} ColumnName;

static ColumnOrder *column_orders = NULL;

/* ------------------------------------------------------------- encoding */

int
canonical_begin_field(StringInfo buf)
{
	enlargeStringInfo(buf, 4);
	buf->len += 4;
	return buf->len;
}

void
canonical_end_field(StringInfo buf, int start)
{
	uint32		length = pg_hton32((uint32) (buf->len - start));

	memcpy(buf->data + start - 4, &length, 4);
}

static void
append_uint32(StringInfo buf, uint32 value)
{
	uint32		ordered = pg_hton32(value);

	appendBinaryStringInfo(buf, (char *) &ordered, 4);
}

/* Many small fields make a row, so this looks at the buffer once. */
static inline void
append_field(StringInfo buf, const void *data, int len)
{
	uint32		length = pg_hton32((uint32) len);

	if (unlikely(buf->maxlen - buf->len <= len + 4))
		enlargeStringInfo(buf, len + 4);
	memcpy(buf->data + buf->len, &length, 4);
	memcpy(buf->data + buf->len + 4, data, len);
	buf->len += len + 4;
}

void
canonical_append_bytes(StringInfo buf, const void *data, int len)
{
	append_field(buf, data, len);
}

void
canonical_append_null(StringInfo buf)
{
	append_uint32(buf, NULL_LENGTH);
}

/*
 * Text goes in as UTF-8.  Under SQL_ASCII nobody knows what the bytes mean,
 * so they stay what they are.
 */
static void
append_text_bytes(StringInfo buf, const char *text, int len)
{
	int			encoding = GetDatabaseEncoding();

	if (encoding != PG_UTF8 && encoding != PG_SQL_ASCII)
	{
		char	   *converted = pg_server_to_any(text, len, PG_UTF8);

		if (converted != text)
			len = strlen(converted);
		text = converted;
	}
	append_field(buf, text, len);
}

void
canonical_append_text(StringInfo buf, const char *text)
{
	append_text_bytes(buf, text, strlen(text));
}

static void
append_int64(StringInfo buf, int64 value)
{
	char		text[MAXINT8LEN + 1];

	append_field(buf, text, pg_lltoa(value, text));
}

/* Microseconds since 1970, in 64 bits over the whole range of the type. */
static void
append_timestamp(StringInfo buf, Timestamp value)
{
	if (TIMESTAMP_IS_NOBEGIN(value))
		canonical_append_text(buf, "-infinity");
	else if (TIMESTAMP_IS_NOEND(value))
		canonical_append_text(buf, "infinity");
	else
	{
		int64		micros;

		/* the last 30 years of the range don't fit; numeric does it */
		if (pg_add_s64_overflow(value, UNIX_EPOCH_OFFSET, &micros))
		{
			Datum		sum;

			sum = DirectFunctionCall2(numeric_add,
									  NumericGetDatum(int64_to_numeric(value)),
									  NumericGetDatum(int64_to_numeric(UNIX_EPOCH_OFFSET)));
			canonical_append_text(buf,
								  DatumGetCString(DirectFunctionCall1(numeric_out, sum)));
		}
		else
			append_int64(buf, micros);
	}
}

static void
append_array(StringInfo buf, Oid element_type, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	int16		typlen;
	bool		typbyval;
	char		typalign;
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int			start = canonical_begin_field(buf);

	append_uint32(buf, ARR_NDIM(array));
	for (int i = 0; i < ARR_NDIM(array); i++)
	{
		append_uint32(buf, ARR_DIMS(array)[i]);
		append_uint32(buf, (uint32) ARR_LBOUND(array)[i]);
	}

	get_typlenbyvalalign(element_type, &typlen, &typbyval, &typalign);
	deconstruct_array(array, element_type, typlen, typbyval, typalign,
					  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		canonical_append_value(buf, element_type, elements[i], nulls[i]);
	}
	canonical_end_field(buf, start);
}

/*
 * Settings for the text of a type that has no rule of its own, whatever the
 * session's are.  An error in between puts them back with the
 * (sub)transaction.
 */
int
ledger_pin_settings(void)
{
	static const char *const settings[][2] = {
		{"datestyle", "ISO, YMD"},
		{"intervalstyle", "postgres"},
		{"timezone", "UTC"},
		{"bytea_output", "hex"},
		{"extra_float_digits", "1"},
		{"lc_monetary", "C"},
		{"xmlbinary", "base64"},
		{"search_path", "pg_catalog"},
	};
	int			nestlevel = NewGUCNestLevel();

	for (int i = 0; i < (int) lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1],
								 PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return nestlevel;
}

static char *
pinned_output(Oid type, Datum value)
{
	int			nestlevel = ledger_pin_settings();
	Oid			output;
	bool		is_varlena;
	char	   *text;

	getTypeOutputInfo(type, &output, &is_varlena);
	text = OidOutputFunctionCall(output, value);
	AtEOXact_GUC(true, nestlevel);
	return text;
}

/*
 * Append one field.  The types that our tables have come first and need no
 * lookup in the catalog.
 */
void
canonical_append_value(StringInfo buf, Oid type, Datum value, bool isnull)
{
	if (isnull)
	{
		canonical_append_null(buf);
		return;
	}

	switch (type)
	{
		case INT2OID:
			append_int64(buf, DatumGetInt16(value));
			break;
		case INT4OID:
			append_int64(buf, DatumGetInt32(value));
			break;
		case INT8OID:
			append_int64(buf, DatumGetInt64(value));
			break;
		case BOOLOID:
			if (DatumGetBool(value))
				append_field(buf, "true", 4);
			else
				append_field(buf, "false", 5);
			break;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case JSONOID:
			{
				text	   *t = DatumGetTextPP(value);

				append_text_bytes(buf, VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
				if ((Pointer) t != DatumGetPointer(value))
					pfree(t);
				break;
			}
		case NAMEOID:
			canonical_append_text(buf, NameStr(*DatumGetName(value)));
			break;
		case TIMESTAMPTZOID:
		case TIMESTAMPOID:
			append_timestamp(buf, DatumGetTimestamp(value));
			break;
		case DATEOID:
			{
				char		text[MAXDATELEN + 1];

				JsonEncodeDateTime(text, value, DATEOID, NULL);
				canonical_append_text(buf, text);
				break;
			}
		case NUMERICOID:
			{
				char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out,
																	   value));

				canonical_append_text(buf, text);
				pfree(text);
				break;
			}
		case FLOAT4OID:
			{
				char		text[FLOAT_SHORTEST_DECIMAL_LEN];

				float_to_shortest_decimal_buf(DatumGetFloat4(value), text);
				canonical_append_text(buf, text);
				break;
			}
		case FLOAT8OID:
			{
				char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

				double_to_shortest_decimal_buf(DatumGetFloat8(value), text);
				canonical_append_text(buf, text);
				break;
			}
		case JSONBOID:
			{
				Jsonb	   *jsonb = DatumGetJsonbP(value);

				canonical_append_jsonb(buf, jsonb);
				if ((Pointer) jsonb != DatumGetPointer(value))
					pfree(jsonb);
				break;
			}
		case BYTEAOID:
			{
				bytea	   *bytes = DatumGetByteaPP(value);
				int			len = VARSIZE_ANY_EXHDR(bytes);
				int			start = canonical_begin_field(buf);

				/* 1 GB of hex: the buffer refuses what is longer */
				enlargeStringInfo(buf, len);
				enlargeStringInfo(buf, 2 * len);
				buf->len += hex_encode(VARDATA_ANY(bytes), len,
									   buf->data + buf->len);
				canonical_end_field(buf, start);
				break;
			}
		case UUIDOID:
			{
				char	   *text = DatumGetCString(DirectFunctionCall1(uuid_out,
																	   value));

				canonical_append_text(buf, text);
				pfree(text);
				break;
			}
		case TEXTARRAYOID:
			append_array(buf, TEXTOID, value);
			break;
		default:
			{
				Oid			base = getBaseType(type);
				Oid			element;

				if (base != type)
					canonical_append_value(buf, base, value, false);
				else if (OidIsValid(element = get_element_type(type)))
					append_array(buf, element, value);
				else
				{
					char	   *text = pinned_output(type, value);

					canonical_append_text(buf, text);
					pfree(text);
				}
				break;
			}
	}
}

pg_cryptohash_ctx *
canonical_hasher(void)
{
	pg_cryptohash_ctx *hasher = pg_cryptohash_create(PG_SHA256);

	StaticAssertStmt(LEDGER_HASH_LENGTH == PG_SHA256_DIGEST_LENGTH,
					 "the ledger's hash is SHA-256");
	if (hasher == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	return hasher;
}

void
canonical_digest_with(pg_cryptohash_ctx *hasher, StringInfo buf, uint8 *digest)
{
	if (pg_cryptohash_init(hasher) < 0 ||
		pg_cryptohash_update(hasher, (uint8 *) buf->data, buf->len) < 0 ||
		pg_cryptohash_final(hasher, digest, LEDGER_HASH_LENGTH) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute SHA-256: %s",
						pg_cryptohash_error(hasher))));
}

void
canonical_digest(StringInfo buf, uint8 *digest)
{
	pg_cryptohash_ctx *hasher = canonical_hasher();

	canonical_digest_with(hasher, buf, digest);
	pg_cryptohash_free(hasher);
}

/* -------------------------------------------------------------- digests */

static void
column_orders_invalidate(Datum arg, Oid relid)
{
	for (ColumnOrder *order = column_orders; order; order = order->next)
		if (relid == InvalidOid || relid == order->relid)
			order->is_current = false;
}

static int
column_name_compare(const void *a, const void *b)
{
	return strcmp(((const ColumnName *) a)->name,
				  ((const ColumnName *) b)->name);
}

/* Fill attnums (natts of them) in the order of the names as UTF-8 bytes. */
static int
sort_columns(TupleDesc desc, int16 *attnums)
{
	ColumnName *names = palloc(sizeof(ColumnName) * Max(desc->natts, 1));
	int			count = 0;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		char	   *name = NameStr(att->attname);

		if (att->attisdropped)
			continue;
		if (GetDatabaseEncoding() != PG_SQL_ASCII)
			name = pg_server_to_any(name, strlen(name), PG_UTF8);
		names[count].name = name;
		names[count].attnum = att->attnum;
		count++;
	}
	qsort(names, count, sizeof(ColumnName), column_name_compare);
	for (int i = 0; i < count; i++)
		attnums[i] = names[i].attnum;
	pfree(names);
	return count;
}

/*
 * The order of the columns, into the caller's array: what is kept may be
 * replaced while the caller still works through it.
 */
static int
column_order(TupleDesc desc, int16 *attnums)
{
	Oid			relid;
	ColumnOrder *order;
	ColumnOrder **link;
	int			count;

	relid = desc->natts > 0 ? TupleDescAttr(desc, 0)->attrelid : InvalidOid;
	if (!OidIsValid(relid))
		return sort_columns(desc, attnums);

	for (link = &column_orders; (order = *link) != NULL;)
	{
		if (order->is_current && order->relid == relid &&
			order->natts == desc->natts)
		{
			memcpy(attnums, order->attnums, order->count * sizeof(int16));
			return order->count;
		}
		if (order->is_current && order->relid != relid)
		{
			link = &order->next;
			continue;
		}
		/* what is outdated goes, or dropped tables would stay for good */
		*link = order->next;
		pfree(order);
	}

	count = sort_columns(desc, attnums);
	order = MemoryContextAlloc(TopMemoryContext,
							   offsetof(ColumnOrder, attnums) +
							   count * sizeof(int16));
	order->relid = relid;
	order->natts = desc->natts;
	order->count = count;
	order->is_current = true;
	memcpy(order->attnums, attnums, count * sizeof(int16));
	order->next = column_orders;
	column_orders = order;
	return count;
}

/*
 * Digest of a row: of each column that is not null its name and value, in
 * the order of the names.  Nulls are left out, so that a column which a
 * later version adds changes no digest.
 */
void
ledger_row_digest(TupleDesc desc, HeapTuple tuple, const Bitmapset *skip,
				  uint8 *digest)
{
	Datum		values[MaxHeapAttributeNumber];
	bool		nulls[MaxHeapAttributeNumber];
	int16		attnums[MaxHeapAttributeNumber];
	int			count = column_order(desc, attnums);
	StringInfoData buf;

	heap_deform_tuple(tuple, desc, values, nulls);

	initStringInfo(&buf);
	enlargeStringInfo(&buf, 4000);
	for (int i = 0; i < count; i++)
	{
		int			index = attnums[i] - 1;
		Form_pg_attribute att;

		if (nulls[index] || bms_is_member(attnums[i], skip))
			continue;
		att = TupleDescAttr(desc, index);
		canonical_append_text(&buf, NameStr(att->attname));
		canonical_append_value(&buf, att->atttypid, values[index], false);
	}
	canonical_digest(&buf, digest);
	pfree(buf.data);
}

/* ---------------------------------------------------------------- diffs */

static void
push_string(JsonbParseState **state, JsonbIteratorToken token,
			char *text, int len)
{
	JsonbValue	v;

	v.type = jbvString;
	v.val.string.val = text;
	v.val.string.len = len;
	(void) pushJsonbValue(state, token, &v);
}

static void
push_null(JsonbParseState **state, JsonbIteratorToken token)
{
	JsonbValue	v;

	v.type = jbvNull;
	(void) pushJsonbValue(state, token, &v);
}

static void
push_numeric(JsonbParseState **state, JsonbIteratorToken token,
			 Numeric numeric)
{
	JsonbValue	v;

	v.type = jbvNumeric;
	v.val.numeric = numeric;
	(void) pushJsonbValue(state, token, &v);
}

/* Push one dimension of an array; *next is the first element not pushed. */
static void
push_array_dimension(JsonbParseState **state, int ndim, int *dims,
					 Oid element_type, Datum *elements, bool *nulls, int *next)
{
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; ndim > 0 && i < dims[0]; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (ndim > 1)
		{
			push_array_dimension(state, ndim - 1, dims + 1, element_type,
								 elements, nulls, next);
			continue;
		}
		if (nulls[*next])
			push_null(state, WJB_ELEM);
		else
			ledger_push_value(state, WJB_ELEM, element_type, elements[*next]);
		(*next)++;
	}
	(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_array(JsonbParseState **state, Oid element_type, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	int16		typlen;
	bool		typbyval;
	char		typalign;
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int			next = 0;

	get_typlenbyvalalign(element_type, &typlen, &typbyval, &typalign);
	deconstruct_array(array, element_type, typlen, typbyval, typalign,
					  &elements, &nulls, &count);
	push_array_dimension(state, ARR_NDIM(array), ARR_DIMS(array),
						 element_type, elements, nulls, &next);
}

/*
 * Push a value that is not null.  Text and numbers are not copied: the tuple
 * must live until the caller has made its jsonb.
 */
void
ledger_push_value(JsonbParseState **state, JsonbIteratorToken token,
				  Oid type, Datum value)
{
	switch (type)
	{
		case INT2OID:
			push_numeric(state, token, int64_to_numeric(DatumGetInt16(value)));
			break;
		case INT4OID:
			push_numeric(state, token, int64_to_numeric(DatumGetInt32(value)));
			break;
		case INT8OID:
			push_numeric(state, token, int64_to_numeric(DatumGetInt64(value)));
			break;
		case BOOLOID:
			{
				JsonbValue	v;

				v.type = jbvBool;
				v.val.boolean = DatumGetBool(value);
				(void) pushJsonbValue(state, token, &v);
				break;
			}
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			{
				text	   *t = DatumGetTextPP(value);

				push_string(state, token, VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
				break;
			}
		case TIMESTAMPTZOID:
		case TIMESTAMPOID:
		case DATEOID:
			{
				char	   *text = palloc(MAXDATELEN + 1);
				int			utc = 0;

				JsonEncodeDateTime(text, value, type,
								   type == TIMESTAMPTZOID ? &utc : NULL);
				push_string(state, token, text, strlen(text));
				break;
			}
		case NUMERICOID:
			{
				Numeric		numeric = DatumGetNumeric(value);

				if (numeric_is_nan(numeric) || numeric_is_inf(numeric))
				{
					char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out,
																		   value));

					push_string(state, token, text, strlen(text));
				}
				else
					push_numeric(state, token, numeric);
				break;
			}
		case FLOAT4OID:
		case FLOAT8OID:
			{
				char	   *text = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);
				double		number;

				if (type == FLOAT4OID)
				{
					number = DatumGetFloat4(value);
					float_to_shortest_decimal_buf(DatumGetFloat4(value), text);
				}
				else
				{
					number = DatumGetFloat8(value);
					double_to_shortest_decimal_buf(number, text);
				}
				if (isnan(number) || isinf(number))
					push_string(state, token, text, strlen(text));
				else
					push_numeric(state, token,
								 DatumGetNumeric(DirectFunctionCall3(numeric_in,
																	 CStringGetDatum(text),
																	 ObjectIdGetDatum(InvalidOid),
																	 Int32GetDatum(-1))));
				break;
			}
		case JSONBOID:
			{
				JsonbValue	v;

				JsonbToJsonbValue(DatumGetJsonbP(value), &v);
				(void) pushJsonbValue(state, token, &v);
				break;
			}
		case BYTEAOID:
			{
				bytea	   *bytes = DatumGetByteaPP(value);
				int			len = VARSIZE_ANY_EXHDR(bytes);
				char	   *text = palloc(2 * (Size) len + 1);

				push_string(state, token, text,
							hex_encode(VARDATA_ANY(bytes), len, text));
				break;
			}
		case TEXTARRAYOID:
			push_array(state, TEXTOID, value);
			break;
		default:
			{
				Oid			base = getBaseType(type);
				Oid			element;

				if (base != type)
					ledger_push_value(state, token, base, value);
				else if (OidIsValid(element = get_element_type(type)))
					push_array(state, element, value);
				else
				{
					char	   *text = pinned_output(type, value);

					push_string(state, token, text, strlen(text));
				}
				break;
			}
	}
}

static void
push_key(JsonbParseState **state, Form_pg_attribute att)
{
	push_string(state, WJB_KEY, NameStr(att->attname),
				strlen(NameStr(att->attname)));
}

/*
 * Push a key "column" with the value [old, new] for each column that
 * differs, into an object that the caller has begun.
 */
void
ledger_push_diff(JsonbParseState **state, TupleDesc desc,
				 HeapTuple oldtup, HeapTuple newtup, const Bitmapset *skip)
{
	Datum		values[2][MaxHeapAttributeNumber];
	bool		nulls[2][MaxHeapAttributeNumber];

	Assert(oldtup != NULL || newtup != NULL);
	if (oldtup)
		heap_deform_tuple(oldtup, desc, values[0], nulls[0]);
	else
		memset(nulls[0], true, desc->natts);
	if (newtup)
		heap_deform_tuple(newtup, desc, values[1], nulls[1]);
	else
		memset(nulls[1], true, desc->natts);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || (nulls[0][i] && nulls[1][i]))
			continue;
		if (!nulls[0][i] && !nulls[1][i] &&
			(values[0][i] == values[1][i] ||
			 datum_image_eq(values[0][i], values[1][i],
							att->attbyval, att->attlen)))
			continue;
		if (bms_is_member(att->attnum, skip))
			continue;

		push_key(state, att);
		(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
		for (int side = 0; side < 2; side++)
		{
			if (nulls[side][i])
				push_null(state, WJB_ELEM);
			else
				ledger_push_value(state, WJB_ELEM, att->atttypid, values[side][i]);
		}
		(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
	}
}

/*
 * Push a row as an object of its columns that are not null.  Returns the
 * object, for who wants nothing around it.
 */
JsonbValue *
ledger_push_row(JsonbParseState **state, TupleDesc desc, HeapTuple tuple,
				const Bitmapset *skip)
{
	Datum		values[MaxHeapAttributeNumber];
	bool		nulls[MaxHeapAttributeNumber];

	heap_deform_tuple(tuple, desc, values, nulls);
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || nulls[i] || bms_is_member(att->attnum, skip))
			continue;
		push_key(state, att);
		ledger_push_value(state, WJB_VALUE, att->atttypid, values[i]);
	}
	return pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

void
ledger_canonical_init(void)
{
	CacheRegisterRelcacheCallback(column_orders_invalidate, (Datum) 0);
}
