/*-------------------------------------------------------------------------
 *
 * model_level.c
 *	  The levels of an approval: read from jsonb, and said in words.
 *
 * A level says whom it asks and how many of them must approve.  Models have
 * them in their definitions, policies of the site are given them as an
 * argument; both are read here, so that both mean the same.  Whether the
 * boards and people exist is not looked at: a model may come before them.
 * There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "errors.h"
#include "model.h"

#define MAX_LEVEL 100

static const char *const rule_names[] = {
	[RULE_ONE] = "one",
	[RULE_ANY] = "any",
	[RULE_ALL] = "all",
	[RULE_COUNT] = "count",
	[RULE_PERCENT] = "percent",
	[RULE_SEATS] = "seats"
};

const char *
level_rule_name(LevelRule rule)
{
	return rule_names[rule];
}

bool
level_rule_parse(const char *name, LevelRule *rule)
{
	for (size_t i = 0; i < lengthof(rule_names); i++)
		if (strcmp(rule_names[i], name) == 0)
		{
			*rule = i;
			return true;
		}
	return false;
}

static void
levels_error(const char *of, char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT),
			 errmsg("%s: %s", of, problem),
			 errhint("A level is an object such as {\"rule\": \"percent\", \"board\": \"cab\", \"percent\": 60}; docs/approval.md lists the rules.")));
}

bool
definition_value_integer(const JsonbValue *value, int low, int high,
						 int *number)
{
	char	   *text;
	char	   *end;
	int64		n;

	if (value->type != jbvNumeric)
		return false;
	text = DatumGetCString(DirectFunctionCall1(numeric_out,
											   NumericGetDatum(value->val.numeric)));
	errno = 0;
	n = strtoll(text, &end, 10);
	if (*end != '\0' || errno != 0 || n < low || n > high)
		return false;
	*number = (int) n;
	return true;
}

static int
level_integer(const char *of, const char *key, const JsonbValue *value,
			  int low, int high)
{
	int			number = 0;

	if (!definition_value_integer(value, low, high, &number))
		levels_error(of, psprintf("\"%s\" of a level is not an integer from %d to %d",
								  key, low, high));
	return number;
}

static char *
level_string(const char *of, const char *key, const JsonbValue *value)
{
	if (value->type != jbvString || value->val.string.len == 0)
		levels_error(of, psprintf("\"%s\" of a level is not a string, or empty",
								  key));
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static List *
level_seats(const char *of, const JsonbValue *value)
{
	List	   *seats = NIL;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;

	if (value->type != jbvBinary ||
		!JsonContainerIsArray(value->val.binary.data))
		levels_error(of, pstrdup("\"seats\" of a level is not an array of seats"));
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		char	   *seat;

		if (token != WJB_ELEM)
			continue;
		seat = level_string(of, "seats", &v);
		code_check("seat", CStringGetTextDatum(seat), "seat");
		if (level_has_seat(seats, seat))
			levels_error(of, psprintf("seat \"%s\" is named twice", seat));
		seats = lappend(seats, seat);
	}
	if (seats == NIL)
		levels_error(of, pstrdup("\"seats\" of a level names no seat"));
	return seats;
}

bool
level_has_seat(const List *seats, const char *seat)
{
	ListCell   *lc;

	foreach(lc, seats)
		if (strcmp(lfirst(lc), seat) == 0)
			return true;
	return false;
}

static ApprovalLevel *
level_read(const char *of, JsonbContainer *object, int place)
{
	ApprovalLevel *level = palloc0(sizeof(ApprovalLevel));
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	v;
	char	   *key = NULL;
	bool		ruled = false;
	bool		of_board;

	level->level = place;
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = pnstrdup(v.val.string.val, v.val.string.len);
		if (token != WJB_VALUE)
			continue;
		if (strcmp(key, "level") == 0)
			level->level = level_integer(of, key, &v, 1, MAX_LEVEL);
		else if (strcmp(key, "rule") == 0)
		{
			char	   *rule = level_string(of, key, &v);

			ruled = level_rule_parse(rule, &level->rule);
			if (!ruled)
				levels_error(of, psprintf("\"%s\" is not a rule: one, any, all, count, percent, seats",
										  rule));
		}
		else if (strcmp(key, "board") == 0)
			level->board = level_string(of, key, &v);
		else if (strcmp(key, "person") == 0)
			level->person = level_string(of, key, &v);
		else if (strcmp(key, "needed") == 0)
			level->needed = level_integer(of, key, &v, 1, 1000);
		else if (strcmp(key, "percent") == 0)
			level->percent = level_integer(of, key, &v, 1, 100);
		else if (strcmp(key, "seats") == 0)
			level->seats = level_seats(of, &v);
		else
			levels_error(of, psprintf("a level has no key \"%s\"", key));
	}
	if (!ruled)
		levels_error(of, pstrdup("a level has no \"rule\": one, any, all, count, percent, seats"));

	/* what the rule needs is there, and nothing that it does not know */
	of_board = level->rule != RULE_ONE;
	if (of_board != (level->board != NULL))
		levels_error(of, psprintf(of_board ? "rule \"%s\" asks a board, and \"board\" is missing" :
								  "rule \"%s\" asks no board; one member of a board is rule \"any\"",
								  rule_names[level->rule]));
	if (level->person && level->rule != RULE_ONE)
		levels_error(of, psprintf("rule \"%s\" asks no person; one person is rule \"one\"",
								  rule_names[level->rule]));
	if ((level->rule == RULE_COUNT) != (level->needed != 0))
		levels_error(of, psprintf("\"needed\" %s rule \"%s\"",
								  level->needed ? "means nothing to" : "is missing from",
								  rule_names[level->rule]));
	if ((level->rule == RULE_PERCENT) != (level->percent != 0))
		levels_error(of, psprintf("\"percent\" %s rule \"%s\"",
								  level->percent ? "means nothing to" : "is missing from",
								  rule_names[level->rule]));
	if ((level->rule == RULE_SEATS) != (level->seats != NIL))
		levels_error(of, psprintf("\"seats\" %s rule \"%s\"",
								  level->seats ? "mean nothing to" : "are missing from",
								  rule_names[level->rule]));
	return level;
}

static int
level_compare(const ListCell *a, const ListCell *b)
{
	return ((ApprovalLevel *) lfirst(a))->level -
		((ApprovalLevel *) lfirst(b))->level;
}

List *
levels_read(const char *of, JsonbContainer *array)
{
	List	   *levels = NIL;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;

	if (!JsonContainerIsArray(array) || JsonContainerIsScalar(array))
		levels_error(of, pstrdup("the levels are not an array"));
	it = JsonbIteratorInit(array);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (v.type != jbvBinary || !JsonContainerIsObject(v.val.binary.data))
			levels_error(of, pstrdup("a level is not an object"));
		levels = lappend(levels, level_read(of, v.val.binary.data,
											list_length(levels) + 1));
	}
	if (levels == NIL)
		levels_error(of, pstrdup("there is no level"));
	list_sort(levels, level_compare);
	for (int i = 1; i < list_length(levels); i++)
	{
		int			one = ((ApprovalLevel *) list_nth(levels, i - 1))->level;

		if (((ApprovalLevel *) list_nth(levels, i))->level == one)
			levels_error(of, psprintf("there are two levels %d", one));
	}
	return levels;
}

char *
level_people(const ApprovalLevel *level)
{
	StringInfoData buf;
	ListCell   *lc;

	if (level->rule == RULE_ONE)
		return level->person ? psprintf("\"%s\"", level->person) :
			pstrdup("a technical lead or an owner of the affected items");
	if (level->rule != RULE_SEATS)
		return psprintf("the members of board %s", level->board);
	initStringInfo(&buf);
	foreach(lc, level->seats)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
						 (char *) lfirst(lc));
	return psprintf("the seat%s %s of board %s",
					list_length(level->seats) == 1 ? "" : "s", buf.data,
					level->board);
}

char *
level_words(const ApprovalLevel *level)
{
	switch (level->rule)
	{
		case RULE_ONE:
			return level_people(level);
		case RULE_ANY:
			return psprintf("one of %s", level_people(level));
		case RULE_ALL:
			return psprintf("all of %s", level_people(level));
		case RULE_COUNT:
			return psprintf("%d of %s", level->needed, level_people(level));
		case RULE_PERCENT:
			return psprintf("%d %% of %s", level->percent, level_people(level));
		case RULE_SEATS:
			return psprintf("one of each of %s", level_people(level));
	}
	return NULL;				/* keep compiler quiet */
}
