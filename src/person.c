/*-------------------------------------------------------------------------
 *
 * person.c
 *	  People and teams; who is acting.
 *
 * The actor is changemgmt.actor where it is set, else the outer role: the one
 * of SET ROLE or of the session, which neither a SECURITY DEFINER function
 * nor the extension's own switch to the owner of its tables changes.
 *
 * State: the ids of active people by login, in a small table that is emptied
 * when any session changes people.  An entry is either empty or complete.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "compat.h"
#include "errors.h"
#include "person.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(acting_person);
PG_FUNCTION_INFO_V1(person_id);
PG_FUNCTION_INFO_V1(team_id);
PG_FUNCTION_INFO_V1(board_id);

/* GUC changemgmt.actor */
static char *actor_setting = NULL;

#define ACTOR_LENGTH_MAX 1000
#define PERSON_CACHE_SLOTS 64	/* a power of two */

typedef struct PersonCacheEntry
{
	char	   *login;			/* NULL where the slot is empty */
	int64		id;
} PersonCacheEntry;

static CachedTable person_table = {.relation = "person"};
static MemoryContext person_context = NULL;
static PersonCacheEntry person_cache[PERSON_CACHE_SLOTS];

static KeptPlan active_person_plan = {
	.sql = "SELECT id FROM changemgmt.person"
	" WHERE login OPERATOR(pg_catalog.=) $1 AND is_active",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static KeptPlan absent_person_plan = {
	.sql = "SELECT EXISTS (SELECT FROM changemgmt.person"
	" WHERE login OPERATOR(pg_catalog.=) $1 AND NOT is_active),"
	" EXISTS (SELECT FROM changemgmt.team"
	" WHERE name OPERATOR(pg_catalog.=) $1)",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static KeptPlan person_login_plan = {
	.sql = "SELECT login FROM changemgmt.person"
	" WHERE id OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.argtypes = {INT8OID}
};

static KeptPlan person_is_manager_plan = {
	.sql = "SELECT FROM changemgmt.board_member"
	" WHERE person_id OPERATOR(pg_catalog.=) $1"
	" AND seat OPERATOR(pg_catalog.=) 'change_manager'"
	" AND valid_from OPERATOR(pg_catalog.<=) pg_catalog.now()"
	" AND valid_until OPERATOR(pg_catalog.>) pg_catalog.now()",
	.nargs = 1,
	.argtypes = {INT8OID}
};

static KeptPlan person_is_active_plan = {
	.sql = "SELECT FROM changemgmt.person"
	" WHERE id OPERATOR(pg_catalog.=) $1 AND is_active",
	.nargs = 1,
	.argtypes = {INT8OID}
};

static KeptPlan team_plan = {
	.sql = "SELECT id FROM changemgmt.team"
	" WHERE name OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

static KeptPlan board_plan = {
	.sql = "SELECT id FROM changemgmt.board"
	" WHERE name OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

/* The id that a plan finds for a text; 0 where it finds none. */
static int64
id_lookup(KeptPlan *plan, const char *key)
{
	Datum		id;
	bool		isnull;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	id = CStringGetTextDatum(key);
	kept_plan_execute(plan, &id, NULL, 1);
	id = spi_first_value(1, &isnull);
	SPI_finish();
	return isnull ? 0 : DatumGetInt64(id);
}

static void
person_cache_store(PersonCacheEntry *entry, const char *login, int64 id)
{
	char	   *copy = MemoryContextStrdup(person_context, login);

	if (entry->login != NULL)
		pfree(entry->login);
	entry->login = copy;
	entry->id = id;
}

/* The id of the active person with this login; 0 where there is none. */
static int64
active_person(const char *login)
{
	PersonCacheEntry *entry;
	int64		id;

	if (!person_table.is_current)
	{
		if (person_context == NULL)
			person_context = AllocSetContextCreate(CacheMemoryContext,
												   "changemgmt people",
												   ALLOCSET_SMALL_SIZES);
		memset(person_cache, 0, sizeof(person_cache));
		MemoryContextReset(person_context);
		cached_table_begin(&person_table);
		cached_table_done(&person_table);	/* people are read one by one */
	}

	entry = &person_cache[hash_bytes((const unsigned char *) login,
									 (int) strlen(login)) &
						  (PERSON_CACHE_SLOTS - 1)];
	if (entry->login != NULL && strcmp(entry->login, login) == 0)
		return entry->id;

	/* Nobody is not remembered: whoever is missing is likely to be added. */
	id = id_lookup(&active_person_plan, login);
	if (id != 0 && person_table.is_current)
		person_cache_store(entry, login, id);
	return id;
}

/* Why there is no active person with this login. */
static void
absent_person(const char *login, bool *has_left, bool *is_team)
{
	Datum		value;
	bool		isnull;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	value = CStringGetTextDatum(login);
	kept_plan_execute(&absent_person_plan, &value, NULL, 1);
	*has_left = DatumGetBool(spi_first_value(1, &isnull));
	*is_team = DatumGetBool(spi_first_value(2, &isnull));
	SPI_finish();
}

const char *
effective_role_name(void)
{
	return GetUserNameFromId(GetOuterUserId(), false);
}

const char *
actor_name(void)
{
	if (actor_setting != NULL && actor_setting[0] != '\0')
		return actor_setting;
	return effective_role_name();
}

int64
actor_person(void)
{
	return active_person(actor_name());
}

int64
actor_person_required(void)
{
	const char *name = actor_name();
	int64		id = active_person(name);
	bool		has_left;
	bool		is_team;

	if (id != 0)
		return id;

	absent_person(name, &has_left, &is_team);
	if (has_left)
		ereport(ERROR,
				(errcode(ERRCODE_MC_NOT_PERMITTED),
				 errmsg("person \"%s\" is no longer active", name),
				 errdetail("People who have left cannot act."),
				 errhint("Whoever maintains people can run UPDATE changemgmt.person SET is_active = true WHERE login = %s;",
						 quote_literal_cstr(name))));
	ereport(ERROR,
			(errcode(ERRCODE_MC_NOT_PERMITTED),
			 name == actor_setting
			 ? errmsg("changemgmt.actor \"%s\" is not a person known here", name)
			 : errmsg("role \"%s\" is not a person known here", name),
			 is_team
			 ? errdetail("\"%s\" is a team; whoever acts must be one person.", name)
			 : 0,
			 errhint("Whoever maintains people can run SELECT changemgmt.add_person(%s, 'Full name');",
					 quote_literal_cstr(name))));
	return 0;					/* not reached */
}

char *
person_login(int64 person_id)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		value = Int64GetDatum(person_id);
	char	   *login = NULL;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	kept_plan_execute(&person_login_plan, &value, NULL, 1);
	if (SPI_processed > 0)
		login = MemoryContextStrdup(caller,
									SPI_getvalue(SPI_tuptable->vals[0],
												 SPI_tuptable->tupdesc, 1));
	SPI_finish();
	return login;
}

static bool
person_is(KeptPlan *plan, int64 person_id)
{
	Datum		value = Int64GetDatum(person_id);
	bool		found;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	kept_plan_execute(plan, &value, NULL, 1);
	found = SPI_processed > 0;
	SPI_finish();
	return found;
}

bool
person_is_manager(int64 person_id)
{
	return person_is(&person_is_manager_plan, person_id);
}

bool
person_is_active(int64 person_id)
{
	return person_is(&person_is_active_plan, person_id);
}

Datum
acting_person(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(actor_name()));
}

Datum
person_id(PG_FUNCTION_ARGS)
{
	char	   *login = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int64		id = active_person(login);
	bool		has_left;
	bool		is_team;

	if (id != 0)
		PG_RETURN_INT64(id);

	absent_person(login, &has_left, &is_team);
	if (has_left)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("person \"%s\" is no longer active", login),
				 errdetail("People who have left stay on their records, but cannot be assigned any more."),
				 errhint("Name somebody else, or run UPDATE changemgmt.person SET is_active = true WHERE login = %s;",
						 quote_literal_cstr(login))));
	if (is_team)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("person \"%s\" does not exist", login),
				 errdetail("\"%s\" is a team; whoever is named here must be one person.",
						   login),
				 errhint("Name the login of one person, such as the lead of the team.")));
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT),
			 errmsg("person \"%s\" does not exist", login),
			 errhint("Check the login, or run SELECT changemgmt.add_person(%s, 'Full name');",
					 quote_literal_cstr(login))));
	PG_RETURN_NULL();			/* not reached */
}

Datum
team_id(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int64		id = id_lookup(&team_plan, name);

	if (id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("team \"%s\" does not exist", name),
				 errhint("Check the name, or run SELECT changemgmt.add_team(%s);",
						 quote_literal_cstr(name))));
	PG_RETURN_INT64(id);
}

Datum
board_id(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int64		id = id_lookup(&board_plan, name);

	if (id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("board \"%s\" does not exist", name),
				 errhint("Check the name, or run SELECT changemgmt.add_board(%s);",
						 quote_literal_cstr(name))));
	PG_RETURN_INT64(id);
}

/* It goes into each entry of the ledger and into messages. */
static bool
check_actor(char **newval, void **extra, GucSource source)
{
	if (strlen(*newval) <= ACTOR_LENGTH_MAX)
		return true;
	GUC_check_errdetail("A login has at most %d bytes.", ACTOR_LENGTH_MAX);
	return false;
}

void
person_init(void)
{
	/* a value that could not be taken over is lost: the role acts */
	if (setting_is_defined("changemgmt.actor"))
		return;
	DefineCustomStringVariable("changemgmt.actor",
							   "Who is acting, for an application whose users share one role.",
							   "An administrator lets the role of such an application set it with "
							   "GRANT SET ON PARAMETER changemgmt.actor TO role; the application "
							   "then says in each transaction SET LOCAL changemgmt.actor = 'login'. "
							   "Where it is empty, the role is who acts: so by default nobody can "
							   "act as somebody else.",
							   &actor_setting,
							   "",
							   PGC_SUSET,
							   GUC_NOT_IN_SAMPLE,
							   check_actor, NULL, NULL);
}
