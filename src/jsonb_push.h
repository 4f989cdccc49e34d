/*-------------------------------------------------------------------------
 *
 * jsonb_push.h
 *	  Building jsonb objects key by key.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_JSONB_PUSH_H
#define CHANGEMGMT_JSONB_PUSH_H

#include "utils/jsonb.h"
#include "utils/numeric.h"

static inline void
jsonb_push_string(JsonbParseState **state, JsonbIteratorToken token,
				  const char *text)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, text);
	value.val.string.len = strlen(text);
	pushJsonbValue(state, token, &value);
}

static inline void
jsonb_push_key(JsonbParseState **state, const char *key)
{
	jsonb_push_string(state, WJB_KEY, key);
}

static inline void
jsonb_push_text(JsonbParseState **state, const char *key, const char *text)
{
	jsonb_push_key(state, key);
	jsonb_push_string(state, WJB_VALUE, text);
}

static inline void
jsonb_push_int64(JsonbParseState **state, const char *key, int64 number)
{
	JsonbValue	value;

	jsonb_push_key(state, key);
	value.type = jbvNumeric;
	value.val.numeric = int64_to_numeric(number);
	pushJsonbValue(state, WJB_VALUE, &value);
}

static inline void
jsonb_push_bool(JsonbParseState **state, const char *key, bool boolean)
{
	JsonbValue	value;

	jsonb_push_key(state, key);
	value.type = jbvBool;
	value.val.boolean = boolean;
	pushJsonbValue(state, WJB_VALUE, &value);
}

/* A value as it is, also where it is an object or an array. */
static inline void
jsonb_push_value(JsonbParseState **state, const char *key, JsonbValue *value)
{
	jsonb_push_key(state, key);
	pushJsonbValue(state, WJB_VALUE, value);
}

#endif							/* CHANGEMGMT_JSONB_PUSH_H */
