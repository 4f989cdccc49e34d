/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  The optional background worker: calls tick() from time to time.
 *
 * Where shared_preload_libraries has the library and changemgmt.worker_databases
 * names databases, the postmaster starts one launcher once recovery is over,
 * so none on a standby before it is promoted.  The launcher is connected to no
 * database and sleeps.  When a database's turn has come it starts a worker,
 * which connects as changemgmt.worker_role, looks whether the extension is there,
 * calls tick() until nothing is left to do, each call in a transaction of its
 * own, and ends.  So between two rounds nobody is connected: DROP DATABASE,
 * CREATE DATABASE ... TEMPLATE, DROP EXTENSION and ALTER EXTENSION UPDATE find
 * nothing in their way, and each round meets the extension as it is by then,
 * with no plan or cache from before.
 *
 * State: in the launcher, a Served for each database; the last trouble of each
 * in a dynamic shared memory segment, which the launcher writes while no worker
 * of the database runs, and the worker while it runs.  All of it is gone with
 * the launcher, and made anew by the next: at worst a line of the log comes
 * twice.  What the launcher waits for is counted by a clock that nobody sets.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/sinval.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/varlena.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "spi.h"
#include "worker.h"

#define DATABASES_MAX		100
/* The other slots of max_worker_processes are for others. */
#define RUNNING_MAX			2
/* When the launcher comes back that somebody terminated. */
#define RESTART_SECONDS		5
/* For one call of tick(), and for one lock that it waits for. */
#define CALL_MILLISECONDS	60000
#define LOCK_TIMEOUT		"10s"
/* Calls of one round; what is left then has to wait for the next. */
#define CALLS_MAX			1000
#define TROUBLE_LENGTH		256

/* What the log was told last of a database; empty where all is well. */
typedef struct Trouble
{
	char		text[TROUBLE_LENGTH];
} Trouble;

/* A database, as the launcher knows it. */
typedef struct Served
{
	const char *name;
	double		started;		/* milliseconds of the steady clock */
	bool		was_started;
	BackgroundWorkerHandle *handle; /* of the worker that runs, else NULL */
} Served;

/* What a worker has to know; fits into bgw_extra. */
typedef struct WorkerTask
{
	Oid			database;
	Oid			role;
	dsm_handle	segment;
} WorkerTask;

StaticAssertDecl(sizeof(WorkerTask) <= BGW_EXTRALEN,
				 "WorkerTask must fit into bgw_extra");

static char *worker_databases;
static int	worker_interval;
static char *worker_role;

/* ----------------------------------------------------------------
 * What was said already
 * ---------------------------------------------------------------- */

static bool
trouble_is_new(Trouble *trouble, const char *text)
{
	char		cut[TROUBLE_LENGTH];

	if (trouble == NULL)
		return true;
	strlcpy(cut, text, sizeof(cut));
	if (strcmp(trouble->text, cut) == 0)
		return false;
	strcpy(trouble->text, cut);
	return true;
}

/* Say in the log what keeps a database from being served, once. */
static void
trouble_report(Trouble *trouble, const char *text, const char *hint)
{
	if (trouble_is_new(trouble, text))
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("changemgmt worker: %s", text),
				 hint != NULL ? errhint("%s", hint) : 0));
}

static void
trouble_end(Trouble *trouble, const char *database)
{
	if (trouble == NULL || trouble->text[0] == '\0')
		return;
	trouble->text[0] = '\0';
	ereport(LOG,
			(errmsg("changemgmt worker: database \"%s\" is served again", database)));
}

/* ----------------------------------------------------------------
 * The worker
 * ---------------------------------------------------------------- */

static void
worker_context(void *arg)
{
	errcontext("changemgmt worker in database \"%s\"", (const char *) arg);
}

/* The function that is the extension's, and nobody else's of that name. */
static bool
tick_exists(void)
{
	Oid			extension = get_extension_oid("changemgmt", true);
	Oid			argtypes[] = {TIMESTAMPTZOID};
	Oid			function;

	if (!OidIsValid(extension))
		return false;
	function = LookupFuncName(list_make2(makeString("changemgmt"),
										 makeString("tick")),
							  1, argtypes, true);
	return OidIsValid(function) &&
		getExtensionOfObject(ProcedureRelationId, function) == extension;
}

/*
 * One call in a transaction of its own.  False where the extension is not
 * there (then *what is unchanged); else how many duties it did something about.
 */
static bool
tick_call(int64 *what)
{
	static const char call[] =
		"SELECT flagged OPERATOR(pg_catalog.+) escalated FROM changemgmt.tick()";
	bool		exists;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, call);
	enable_timeout_after(STATEMENT_TIMEOUT, CALL_MILLISECONDS);

	exists = tick_exists();
	if (exists)
	{
		bool		isnull;

		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		if (SPI_execute(call, false, 0) != SPI_OK_SELECT || SPI_processed != 1)
			elog(ERROR, "tick() gave no row");
		*what = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
											SPI_tuptable->tupdesc, 1, &isnull));
		SPI_finish();
	}

	disable_timeout(STATEMENT_TIMEOUT, false);
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_activity(STATE_IDLE, NULL);
	return exists;
}

void
changemgmt_worker_main(Datum main_arg)
{
	ErrorContextCallback context = {0};
	WorkerTask	task;
	dsm_segment *segment;
	Trouble    *volatile trouble = NULL;
	const char *database;
	MemoryContext calling;

	memcpy(&task, MyBgworkerEntry->bgw_extra, sizeof(task));
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	/* No segment: the launcher has gone meanwhile, and nobody remembers. */
	segment = dsm_attach(task.segment);
	if (segment != NULL)
		trouble = (Trouble *) dsm_segment_address(segment) +
			DatumGetInt32(main_arg);

	BackgroundWorkerInitializeConnectionByOid(task.database, task.role, 0);

	/* Above what the role and the database have set. */
	SetConfigOption("search_path", "pg_catalog, pg_temp",
					PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed",
					PGC_USERSET, PGC_S_SESSION);

	StartTransactionCommand();
	database = MemoryContextStrdup(TopMemoryContext,
								   get_database_name(MyDatabaseId));
	CommitTransactionCommand();

	context.callback = worker_context;
	context.arg = unconstify(char *, database);
	context.previous = error_context_stack;
	error_context_stack = &context;
	calling = CurrentMemoryContext;

	PG_TRY();
	{
		int64		what = 1;
		bool		exists = true;

		for (int i = 0; i < CALLS_MAX && exists && what > 0; i++)
		{
			CHECK_FOR_INTERRUPTS();
			exists = tick_call(&what);
		}
		if (exists)
			trouble_end(trouble, database);
		else
			trouble_report(trouble,
						   psprintf("database \"%s\" has no changemgmt.tick()", database),
						   "CREATE EXTENSION changemgmt, or ALTER EXTENSION changemgmt UPDATE, in that database.");
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* The transaction is rolled back as the process ends. */
		HOLD_INTERRUPTS();
		disable_all_timeouts(false);
		MemoryContextSwitchTo(calling);
		error = CopyErrorData();
		if (trouble_is_new(trouble, error->message))
			EmitErrorReport();
		FlushErrorState();
	}
	PG_END_TRY();
	/* not 0 would be a line in the log each round */
	proc_exit(0);
}

/* ----------------------------------------------------------------
 * The launcher
 * ---------------------------------------------------------------- */

/*
 * By reading all of pg_database: to open an index may take the catalogs of a
 * database, and the launcher has none.
 */
static Oid
database_find(const char *name, bool *allows_connections)
{
	Relation	relation = table_open(DatabaseRelationId, AccessShareLock);
	TableScanDesc scan = table_beginscan_catalog(relation, 0, NULL);
	HeapTuple	tuple;
	Oid			result = InvalidOid;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);

		if (strcmp(NameStr(database->datname), name) != 0)
			continue;
		result = database->oid;
		/* below -1: a DROP DATABASE of it was interrupted */
		*allows_connections = database->datallowconn && database->datconnlimit >= -1;
		break;
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	return result;
}

/*
 * Whether a worker could connect, so that it need not die of it, each round
 * anew.  Sets the task's database and role; else what stands in the way, and a
 * hint.  Needs a transaction.
 */
static const char *
obstacle_find(const char *name, WorkerTask *task, const char **hint)
{
	HeapTuple	tuple;
	bool		allows_connections;
	bool		can_login;

	*hint = NULL;
	if (worker_role == NULL || worker_role[0] == '\0')
	{
		*hint = "Set changemgmt.worker_role to a role that may connect and has the duty integration, and reload the configuration.";
		return "changemgmt.worker_role names no role";
	}
	tuple = SearchSysCache1(AUTHNAME, CStringGetDatum(worker_role));
	if (!HeapTupleIsValid(tuple))
	{
		*hint = "Create it, or set changemgmt.worker_role to another.";
		return psprintf("role \"%s\" of changemgmt.worker_role does not exist",
						worker_role);
	}
	task->role = ((Form_pg_authid) GETSTRUCT(tuple))->oid;
	can_login = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	if (!can_login)
	{
		*hint = psprintf("ALTER ROLE %s LOGIN", quote_identifier(worker_role));
		return psprintf("role \"%s\" of changemgmt.worker_role may not log in",
						worker_role);
	}

	task->database = database_find(name, &allows_connections);
	if (!OidIsValid(task->database))
		return psprintf("database \"%s\" of changemgmt.worker_databases does not exist",
						name);
	if (!allows_connections)
		return psprintf("database \"%s\" does not accept connections", name);
	if (object_aclcheck(DatabaseRelationId, task->database, task->role,
						ACL_CONNECT) != ACLCHECK_OK)
	{
		*hint = psprintf("GRANT CONNECT ON DATABASE %s TO %s",
						 quote_identifier(name), quote_identifier(worker_role));
		return psprintf("role \"%s\" may not connect to database \"%s\"",
						worker_role, name);
	}
	return NULL;
}

/* Start the worker of a database, or say why not. */
static void
worker_start(Served *served, int n, dsm_segment *segment)
{
	Trouble    *trouble = (Trouble *) dsm_segment_address(segment) + n;
	BackgroundWorker worker = {0};
	WorkerTask	task = {0};
	const char *obstacle;
	const char *hint;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	obstacle = obstacle_find(served->name, &task, &hint);
	if (obstacle != NULL)
		trouble_report(trouble, obstacle, hint);
	CommitTransactionCommand();
	if (obstacle != NULL)
		return;

	task.segment = dsm_segment_handle(segment);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "changemgmt", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "changemgmt_worker_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "changemgmt worker", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "changemgmt worker", BGW_MAXLEN);
	worker.bgw_main_arg = Int32GetDatum(n);
	memcpy(worker.bgw_extra, &task, sizeof(task));
	worker.bgw_notify_pid = MyProcPid;
	if (!RegisterDynamicBackgroundWorker(&worker, &served->handle))
	{
		served->handle = NULL;
		trouble_report(trouble, "no background worker is left",
					   "Raise max_worker_processes.");
	}
}

static double
steady_milliseconds(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return INSTR_TIME_GET_MILLISEC(now);
}

/*
 * Start the workers whose turn has come.  Returns in how many milliseconds to
 * look again; the end of a worker wakes the launcher, too.
 */
static long
round_go(Served *served, int count, dsm_segment *segment)
{
	double		interval = worker_interval * 1000.0;
	double		wait = interval;
	int			running = 0;

	for (int i = 0; i < count; i++)
	{
		pid_t		pid;

		if (served[i].handle == NULL)
			continue;
		if (GetBackgroundWorkerPid(served[i].handle, &pid) != BGWH_STOPPED)
			running++;
		else
		{
			pfree(served[i].handle);
			served[i].handle = NULL;
		}
	}
	for (int i = 0; i < count; i++)
	{
		double		now = steady_milliseconds();
		double		left;

		if (served[i].handle != NULL)
			continue;
		left = served[i].was_started ? served[i].started + interval - now : 0;
		if (left <= 0)
		{
			/* the end of one of those that run wakes us */
			if (running >= RUNNING_MAX)
				continue;
			served[i].started = now;
			served[i].was_started = true;
			worker_start(&served[i], i, segment);
			if (served[i].handle != NULL)
				running++;
			left = interval;
		}
		wait = Min(wait, left);
	}
	return Max((long) wait, 1);
}

/* The databases of the setting, in the current memory context. */
static List *
databases_list(const char *value)
{
	List	   *names;

	if (!SplitGUCList(pstrdup(value), ',', &names))
		return NIL;
	return names;
}

void
changemgmt_launcher_main(Datum main_arg)
{
	List	   *names;
	Served	   *served;
	dsm_segment *segment;
	int			count;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	MemoryContextSwitchTo(TopMemoryContext);
	names = databases_list(worker_databases);
	count = list_length(names);
	served = palloc0(count * sizeof(Served));
	for (int i = 0; i < count; i++)
		served[i].name = list_nth(names, i);
	segment = dsm_create(count * sizeof(Trouble), 0);
	memset(dsm_segment_address(segment), 0, count * sizeof(Trouble));

	for (;;)
	{
		long		wait;

		/* At shutdown; with a code that brings it back where the server stays. */
		if (ProcDiePending)
			proc_exit(1);
		CHECK_FOR_INTERRUPTS();
		if (catchupInterruptPending)
			ProcessCatchupInterrupt();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}

		pgstat_report_activity(STATE_RUNNING, "start workers");
		wait = round_go(served, count, segment);
		pgstat_report_activity(STATE_IDLE, NULL);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 wait, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/* ----------------------------------------------------------------
 * Settings
 * ---------------------------------------------------------------- */

static bool
check_databases(char **newval, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*newval);
	List	   *names;
	bool		valid = SplitGUCList(copy, ',', &names);

	if (!valid)
		GUC_check_errdetail("It takes names of databases, separated by commas; what has other than letters, digits and underscores in double quotes.");
	else if (list_length(names) > DATABASES_MAX)
	{
		GUC_check_errdetail("At most %d databases are served.", DATABASES_MAX);
		valid = false;
	}
	else
	{
		ListCell   *cell;

		foreach(cell, names)
		{
			const char *name = lfirst(cell);

			if (strlen(name) < NAMEDATALEN)
				continue;
			GUC_check_errdetail("\"%s\" is longer than a name can be.", name);
			valid = false;
			break;
		}
	}
	pfree(copy);
	return valid;
}

static void
launcher_register(void)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_SECONDS;
	strlcpy(worker.bgw_library_name, "changemgmt", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "changemgmt_launcher_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "changemgmt launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "changemgmt launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

/*
 * The settings exist in each session that loads the library, so that none is
 * warned of names that postgresql.conf has; they do something only where the
 * postmaster has loaded it.
 */
void
worker_init(void)
{
	bool		preloading = process_shared_preload_libraries_in_progress;

	if (!setting_is_defined("changemgmt.worker_databases"))
		DefineCustomStringVariable("changemgmt.worker_databases",
								   "Databases in which the background worker calls changemgmt.tick().",
								   "An administrator who has the library in shared_preload_libraries "
								   "lists them, separated by commas, and restarts the server. It is "
								   "empty by default: without it there is no worker, and a scheduler "
								   "such as pg_cron may call tick() as well.",
								   &worker_databases,
								   "",
								   preloading ? PGC_POSTMASTER : PGC_SIGHUP,
								   GUC_LIST_INPUT | GUC_NOT_IN_SAMPLE,
								   check_databases, NULL, NULL);
	if (!setting_is_defined("changemgmt.worker_interval"))
		DefineCustomIntVariable("changemgmt.worker_interval",
								"Time between two calls of changemgmt.tick() by the background worker.",
								"An administrator raises it where a process a minute and database is "
								"too much, and lowers it where duties must be flagged sooner. The "
								"default is a minute: duties are due by the minute.",
								&worker_interval,
								60, 1, 86400,
								PGC_SIGHUP,
								GUC_UNIT_S | GUC_NOT_IN_SAMPLE,
								NULL, NULL, NULL);
	if (!setting_is_defined("changemgmt.worker_role"))
		DefineCustomStringVariable("changemgmt.worker_role",
								   "Role as which the background worker connects and calls changemgmt.tick().",
								   "An administrator creates it with LOGIN and gives it the duty "
								   "integration in each database that is served. It is empty by "
								   "default, and the worker waits until it is set: the server would "
								   "make a worker that names nobody a superuser, and tick() needs none.",
								   &worker_role,
								   "",
								   PGC_SIGHUP,
								   GUC_NOT_IN_SAMPLE,
								   NULL, NULL, NULL);

	if (preloading && !IsBinaryUpgrade && databases_list(worker_databases) != NIL)
		launcher_register();
}
