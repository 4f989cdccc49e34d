/*-------------------------------------------------------------------------
 *
 * spi.h
 *	  The one way in which C reaches the extension's tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_SPI_H
#define CHANGEMGMT_SPI_H

#include "commands/trigger.h"
#include "executor/spi.h"

/*
 * A statement that is prepared once a session, as the owner of the tables,
 * and kept.  It is parsed under the search_path of whoever calls, as the owner:
 * all names and operators in it are qualified, and no syntax is used that
 * means an unqualified operator (IN, CASE x WHEN, BETWEEN, NULLIF, IS DISTINCT
 * FROM, USING).  test/pgtap/search_path.sql calls all of them in a hostile one.
 */
typedef struct KeptPlan
{
	const char *sql;
	int			nargs;
	Oid			argtypes[12];
	SPIPlanPtr	plan;			/* set by the first execution */
} KeptPlan;

extern int	kept_plan_execute(KeptPlan *kept, Datum *values,
							  const char *nulls, long limit);

/*
 * Before the first of these calls: have one plan made for all values, for a
 * statement that is executed often and never deserves one of its own.
 */
extern void kept_plan_once(KeptPlan *kept);

/*
 * The same for a query that sees what the calling statement sees, and no more:
 * a cursor goes on with the snapshot with which it was opened.
 */
extern int	kept_plan_read(KeptPlan *kept, Datum *values,
						   const char *nulls, long limit);
/*
 * The same for a query of one bigint[]: that array, in the caller's context,
 * empty where it is null.  Needs no SPI connection.
 */
extern Datum kept_plan_read_ids(KeptPlan *kept, Datum *values);
/* The same row by row, by a cursor that the caller closes. */
extern Portal kept_plan_cursor(KeptPlan *kept, Datum *values,
							   const char *nulls);

/*
 * kept_plan_execute() for a statement that puts in values of a client: what the server
 * says of them (wrong type, out of range, a constraint) becomes MC008, with
 * its words but without the statement.
 */
extern int	kept_plan_execute_input(KeptPlan *kept, Datum *values,
									const char *nulls, long limit);

/*
 * For rules that have to see what is committed.  Under REPEATABLE READ, where
 * a query of one text gives another value by now than the transaction's snapshot
 * shows: 40001, with this message.  Needs an SPI connection.
 */
extern void kept_plan_require_current(KeptPlan *kept, Datum *values,
									  const char *message);

/*
 * After a statement that has to write one row ("what"): 27000 where a trigger
 * or rule of the site made nothing of it.
 */
extern void kept_plan_require_row(KeptPlan *kept, const char *what);

/*
 * In an ereport: leave the extension's own statements out of the CONTEXT.
 * What the caller does shows; that a verb is an UPDATE inside does not.
 */
extern int	err_as_caller(void);

/* A plan of the caller's own, for a statement that is put together. */
extern SPIPlanPtr spi_prepare(const char *sql, int nargs, Oid *types);

/* One value of the first row of what was executed last; *isnull if no row. */
extern Datum spi_first_value(int column, bool *isnull);

extern Oid	schema_oid(void);
extern Oid	relation_oid(const char *name);

/*
 * The library runs with the tables of the version before, until ALTER
 * EXTENSION changemgmt UPDATE.  What reaches a table or column that the older
 * version lacks asks first, before its plan is prepared.
 */
extern bool relation_exists(const char *name);
extern bool column_exists(const char *relation, const char *column);
/* Whether the installed version of the extension is the library's. */
extern bool extension_is_current(void);

extern Oid	tables_owner(void);

/*
 * A table whose rows a session keeps in some form.  When rows of it change
 * in any session, is_current becomes false and the keeper must read again.
 * It does so too at the end of what may have read rows that nobody else sees:
 * an aborted (sub)transaction that wrote, and one with a snapshot of its own.
 */
typedef struct CachedTable
{
	const char *relation;
	Oid			relid;
	bool		is_current;		/* read to the end, and nothing changed since */
	bool		is_reading;		/* begun, and nothing changed since */
	bool		is_of_transaction;	/* read with its snapshot */
	struct CachedTable *next;
} CachedTable;

/* Around the reading: what an error or a change interrupts is not current. */
extern void cached_table_begin(CachedTable *table);
extern void cached_table_done(CachedTable *table);

/* How a trigger function means to be called; combine one of each pair. */
#define FOR_ROW			0x1
#define FOR_STATEMENT	0x2
#define AT_BEFORE		0x4
#define AT_AFTER		0x8

/*
 * The data of a trigger that is called as it means to be, on a table of ours
 * (on this very one, where it is named); 39P01 otherwise.
 */
extern TriggerData *trigger_data(FunctionCallInfo fcinfo, const char *function,
								 int manner, const char *relation);

/*
 * Whether the library has made this setting.  What a client sets before, it
 * does as soon as it is made; where memory runs out in that, the setting stands,
 * and the server would not have it made again.
 */
extern bool setting_is_defined(const char *name);

extern void spi_init(void);

#endif							/* CHANGEMGMT_SPI_H */
