/*-------------------------------------------------------------------------
 *
 * model_checklist.c
 *	  The checklist of a model: what has to be there before, during and after.
 *
 * "checklist" in a definition is an array of keys of entries that ship, and of
 * objects {key, phase, title, description, is_smoke_test, position}; what an
 * object leaves out it has from the shipped entry of its key.  Entries ship as
 * constants, with permanent keys.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "compat.h"
#include "errors.h"
#include "jsonb_push.h"
#include "model.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(shipped_checklist);

#define MAX_ENTRIES 1000
#define MAX_KEY_LENGTH 63
/* after the steps, which are added later */
#define SMOKE_TEST_POSITION 1000

typedef struct ShippedEntry
{
	const char *key;
	const char *phase;
	const char *title;
	const char *description;
} ShippedEntry;

static const ShippedEntry shipped_entries[] = {
	{"backup_verified", "preparation", "Backup taken and verified",
	"A backup of what is touched exists, and was restored or read back once."},
	{"rollback_tested", "preparation", "Way back tested",
	"The steps back were tried where the change was tested, and took no longer than planned."},
	{"stakeholders_notified", "preparation", "Stakeholders told",
	"Who notices it knows when it happens, how long it takes and whom to call."},
	{"alerts_configured", "preparation", "Monitoring and alerts configured",
	"What would show that it goes wrong is watched, and raises an alert."},
	{"on_call_available", "preparation", "On-call available",
	"Somebody who can help is on call during the work and after it."},
	{"staging_passed", "preparation", "Staging passed",
	"The same change succeeded in an environment like production."},
	{"load_tested", "preparation", "Load tested",
	"It takes the load that production has, with room to spare."},
	{"performance_tested", "preparation", "Performance tested",
	"Response times are what users have now, or better."},
	{"acceptance_tested", "preparation", "Accepted by users",
	"Those who asked for it tried it, and took it."},
	{"recovery_tested", "preparation", "Recovery tested",
	"What fails over or restarts came back by itself, or by the runbook."},
	{"capacity_checked", "preparation", "Capacity checked",
	"Disk, memory, connections and licences are enough for the work and for what comes after."},
	{"security_reviewed", "preparation", "Security reviewed",
	"Somebody of security looked at what it opens, stores and trusts."},
	{"legal_reviewed", "preparation", "Legal review done",
	"Contracts, privacy and licences allow it."},
	{"training_done", "preparation", "Training done",
	"Who works with it, or answers for it, knows what is new."},
	{"vendor_available", "preparation", "Vendor available",
	"The vendor knows the time, and can be reached in it."},
	{"dependencies_checked", "preparation", "Dependencies checked",
	"What uses it, and what it uses, works with the new version."},
	{"documentation_ready", "follow_up", "Documentation brought up to date",
	"Runbooks, diagrams and manuals say what is now."},
	{"monitoring_watched", "follow_up", "Monitoring watched",
	"Somebody looked at the figures after the work, against those before."},
	{"temporary_removed", "follow_up", "Temporary things removed",
	"Flags, accounts, copies and rights that the work needed are gone."},
};

static const ShippedEntry *
shipped_entry(const char *key)
{
	for (size_t i = 0; i < lengthof(shipped_entries); i++)
		if (strcmp(shipped_entries[i].key, key) == 0)
			return &shipped_entries[i];
	return NULL;
}

pg_noreturn static void
checklist_error(const char *of, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("%s: %s", of, problem),
			 errhint("\"checklist\" is an array of keys of changemgmt.checklist_entry, and of objects with key, phase, title, description, is_smoke_test, position.")));
	pg_unreachable();
}

static char *
string_of(const JsonbValue *value)
{
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static bool
key_is_sound(const char *key)
{
	return key[0] >= 'a' && key[0] <= 'z' && strlen(key) <= MAX_KEY_LENGTH &&
		strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(key);
}

static void
entry_field(const char *of, ChecklistEntry *entry, const char *name,
			const JsonbValue *value)
{
	bool		is_text = strcmp(name, "key") == 0 || strcmp(name, "phase") == 0 ||
		strcmp(name, "title") == 0 || strcmp(name, "description") == 0;

	if (value->type == jbvNull)
		return;
	if (is_text && value->type != jbvString)
		checklist_error(of, psprintf("\"%s\" of an entry of \"checklist\" is not a string", name));
	if (strcmp(name, "key") == 0)
		entry->key = string_of(value);
	else if (strcmp(name, "phase") == 0)
	{
		entry->phase = string_of(value);
		code_check("task_phase", CStringGetTextDatum(entry->phase), "phase");
	}
	else if (strcmp(name, "title") == 0)
		entry->title = string_of(value);
	else if (strcmp(name, "description") == 0)
		entry->description = string_of(value);
	else if (strcmp(name, "is_smoke_test") == 0)
	{
		if (value->type != jbvBool)
			checklist_error(of, "\"is_smoke_test\" of an entry of \"checklist\" is neither true nor false");
		entry->is_smoke_test = value->val.boolean;
	}
	else if (strcmp(name, "position") == 0)
	{
		if (!definition_value_integer(value, 0, 1000000, &entry->position))
			checklist_error(of, "\"position\" of an entry of \"checklist\" is not an integer from 0 to 1000000");
	}
	else
		checklist_error(of, psprintf("an entry of \"checklist\" has no key \"%s\"", name));
}

static ChecklistEntry *
entry_read(const char *of, const JsonbValue *value)
{
	ChecklistEntry *entry = palloc0(sizeof(ChecklistEntry));
	const ShippedEntry *ships;

	entry->position = -1;
	if (value->type == jbvString)
		entry->key = string_of(value);
	else if (value->type == jbvBinary &&
			 JsonContainerIsObject(value->val.binary.data))
	{
		JsonbIterator *it = JsonbIteratorInit(value->val.binary.data);
		JsonbIteratorToken token;
		JsonbValue	v;

		while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
		{
			char	   *name;

			if (token != WJB_KEY)
				continue;
			name = string_of(&v);
			(void) JsonbIteratorNext(&it, &v, true);
			entry_field(of, entry, name, &v);
		}
	}
	else
		checklist_error(of, "an entry of \"checklist\" is neither a string nor an object");
	if (entry->key == NULL || !key_is_sound(entry->key))
		checklist_error(of, psprintf("\"%s\" is no key of an entry of \"checklist\": lower-case letters, digits and underscores",
									 entry->key ? entry->key : ""));
	ships = shipped_entry(entry->key);
	if (ships == NULL && value->type == jbvString)
		checklist_error(of, psprintf("\"%s\" of \"checklist\" is no entry that ships", entry->key));
	if (entry->title == NULL && ships)
		entry->title = pstrdup(ships->title);
	if (entry->title == NULL ||
		strspn(entry->title, " \t\r\n") == strlen(entry->title))
		checklist_error(of, psprintf("entry \"%s\" of \"checklist\" has no title", entry->key));
	if (entry->description == NULL && ships)
		entry->description = pstrdup(ships->description);
	if (entry->is_smoke_test && entry->position < 0)
		entry->position = SMOKE_TEST_POSITION;
	if (entry->phase == NULL)
		entry->phase = pstrdup(ships ? ships->phase : "preparation");
	return entry;
}

List *
checklist_read(const char *of, const JsonbValue *value)
{
	List	   *entries = NIL;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;

	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data) ||
		JsonContainerIsScalar(value->val.binary.data))
		checklist_error(of, "\"checklist\" is not an array");
	if (JsonContainerSize(value->val.binary.data) > MAX_ENTRIES)
		checklist_error(of, psprintf("\"checklist\" has more than %d entries", MAX_ENTRIES));
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		ChecklistEntry *entry;

		if (token != WJB_ELEM)
			continue;
		entry = entry_read(of, &v);
		if (checklist_find(entries, entry->key))
			checklist_error(of, psprintf("entry \"%s\" stands twice in \"checklist\"", entry->key));
		entries = lappend(entries, entry);
	}
	return entries;
}

static int
key_compare(const ListCell *a, const ListCell *b)
{
	return strcmp(((const ChecklistEntry *) lfirst(a))->key,
				  ((const ChecklistEntry *) lfirst(b))->key);
}

char *
checklist_keys(const List *entries)
{
	List	   *sorted = list_copy(entries);
	StringInfoData buf;
	ListCell   *lc;

	list_sort(sorted, key_compare);
	initStringInfo(&buf);
	foreach(lc, sorted)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? " " : "",
						 ((const ChecklistEntry *) lfirst(lc))->key);
	list_free(sorted);
	return buf.data;
}

const ChecklistEntry *
checklist_find(const List *entries, const char *key)
{
	ListCell   *lc;

	foreach(lc, entries)
		if (strcmp(((const ChecklistEntry *) lfirst(lc))->key, key) == 0)
			return lfirst(lc);
	return NULL;
}

Jsonb *
checklist_jsonb(const List *entries)
{
	JsonbParseState *state = NULL;
	ListCell   *lc;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	foreach(lc, entries)
	{
		const ChecklistEntry *entry = lfirst(lc);

		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		jsonb_push_text(&state, "key", entry->key);
		jsonb_push_text(&state, "phase", entry->phase);
		jsonb_push_text(&state, "title", entry->title);
		if (entry->description)
			jsonb_push_text(&state, "description", entry->description);
		jsonb_push_bool(&state, "is_smoke_test", entry->is_smoke_test);
		if (entry->position >= 0)
			jsonb_push_int64(&state, "position", entry->position);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

Datum
shipped_checklist(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (size_t i = 0; i < lengthof(shipped_entries); i++)
	{
		const ShippedEntry *entry = &shipped_entries[i];
		Datum		values[4];
		bool		isnull[4] = {false, false, false, false};

		values[0] = CStringGetTextDatum(entry->key);
		values[1] = CStringGetTextDatum(entry->phase);
		values[2] = CStringGetTextDatum(entry->title);
		values[3] = CStringGetTextDatum(entry->description);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	return (Datum) 0;
}
