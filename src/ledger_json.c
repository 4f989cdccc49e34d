/*-------------------------------------------------------------------------
 *
 * ledger_json.c
 *	  The text of a jsonb, as PostgreSQL prints it, for hashes.
 *
 * Half the time of a verification would go into the server's own function,
 * which appends a character at a time.  It is still what decides: in other
 * encodings than UTF-8 it is used, and test/pgtap/ledger.sql compares.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "compat.h"
#include "ledger.h"

#define EACH_BYTE(b) (UINT64CONST(0x0101010101010101) * (uint64) (b))

/* Whether one of eight bytes is a control character, a quote or a backslash. */
static inline bool
must_escape(uint64 bytes)
{
	uint64		quote = bytes ^ EACH_BYTE('"');
	uint64		backslash = bytes ^ EACH_BYTE('\\');

	return (((bytes - EACH_BYTE(0x20)) & ~bytes) |
			((quote - EACH_BYTE(1)) & ~quote) |
			((backslash - EACH_BYTE(1)) & ~backslash)) & EACH_BYTE(0x80);
}

static void
append_escaped(StringInfo buf, unsigned char c)
{
	switch (c)
	{
		case '"':
			appendBinaryStringInfo(buf, "\\\"", 2);
			break;
		case '\\':
			appendBinaryStringInfo(buf, "\\\\", 2);
			break;
		case '\b':
			appendBinaryStringInfo(buf, "\\b", 2);
			break;
		case '\f':
			appendBinaryStringInfo(buf, "\\f", 2);
			break;
		case '\n':
			appendBinaryStringInfo(buf, "\\n", 2);
			break;
		case '\r':
			appendBinaryStringInfo(buf, "\\r", 2);
			break;
		case '\t':
			appendBinaryStringInfo(buf, "\\t", 2);
			break;
		default:
			appendStringInfo(buf, "\\u%04x", c);
			break;
	}
}

/* Stretches that need no escape are copied at once. */
static void
append_string(StringInfo buf, const char *text, int len)
{
	int			begin = 0;
	int			i = 0;

	enlargeStringInfo(buf, len + 2);
	appendStringInfoCharMacro(buf, '"');
	while (i < len)
	{
		uint64		bytes;
		unsigned char c;

		if (len - i >= (int) sizeof(bytes))
		{
			memcpy(&bytes, text + i, sizeof(bytes));
			if (!must_escape(bytes))
			{
				i += sizeof(bytes);
				continue;
			}
		}
		c = (unsigned char) text[i];
		if (c < 0x20 || c == '"' || c == '\\')
		{
			appendBinaryStringInfo(buf, text + begin, i - begin);
			append_escaped(buf, c);
			begin = i + 1;
		}
		i++;
	}
	appendBinaryStringInfo(buf, text + begin, len - begin);
	appendStringInfoCharMacro(buf, '"');
}

static void
append_scalar(StringInfo buf, const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			appendBinaryStringInfo(buf, "null", 4);
			break;
		case jbvString:
			append_string(buf, value->val.string.val, value->val.string.len);
			break;
		case jbvNumeric:
			{
				char	   *text;

				text = DatumGetCString(DirectFunctionCall1(numeric_out,
														   NumericGetDatum(value->val.numeric)));
				appendStringInfoString(buf, text);
				pfree(text);
				break;
			}
		case jbvBool:
			if (value->val.boolean)
				appendBinaryStringInfo(buf, "true", 4);
			else
				appendBinaryStringInfo(buf, "false", 5);
			break;
		default:
			elog(ERROR, "unknown type of jsonb scalar: %d", value->type);
	}
}

static void
append_jsonb(StringInfo buf, Jsonb *jsonb)
{
	JsonbIterator *it = JsonbIteratorInit(&jsonb->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	bool		is_first = true;	/* no comma before what comes next */
	bool		is_scalar = false;

	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_END_ARRAY || token == WJB_END_OBJECT)
		{
			if (!is_scalar)
				appendStringInfoCharMacro(buf, token == WJB_END_ARRAY ? ']' : '}');
			is_first = false;
			continue;
		}
		if (!is_first)
			appendBinaryStringInfo(buf, ", ", 2);
		is_first = true;
		switch (token)
		{
			case WJB_BEGIN_ARRAY:
				is_scalar = value.val.array.rawScalar;
				if (!is_scalar)
					appendStringInfoCharMacro(buf, '[');
				break;
			case WJB_BEGIN_OBJECT:
				appendStringInfoCharMacro(buf, '{');
				break;
			case WJB_KEY:
				append_string(buf, value.val.string.val, value.val.string.len);
				appendBinaryStringInfo(buf, ": ", 2);
				break;
			default:
				append_scalar(buf, &value);
				is_first = false;
				break;
		}
	}
}

void
canonical_append_jsonb(StringInfo buf, Jsonb *jsonb)
{
	if (GetDatabaseEncoding() == PG_UTF8)
	{
		int			start = canonical_begin_field(buf);

		append_jsonb(buf, jsonb);
		canonical_end_field(buf, start);
	}
	else
	{
		char	   *text = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));

		canonical_append_text(buf, text);
		pfree(text);
	}
}
