/*-------------------------------------------------------------------------
 *
 * site_function.h
 *	  Functions of a change that a site registers: requirements, factors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_SITE_FUNCTION_H
#define CHANGEMGMT_SITE_FUNCTION_H

#include "commands/trigger.h"

/* What a site's functions are registered as. */
typedef struct SiteFunctionUse
{
	const char *noun;			/* "requirement" */
	Oid			result;			/* what it returns */
	const char *detail;			/* what such a function is, a sentence */
} SiteFunctionUse;

/*
 * Ask a site's function (change_id bigint).  It runs as whoever registered it,
 * in a restricted operation and in a read-only transaction: it may look, not
 * touch.  Returns what keeps it from being asked, in words, or NULL: then
 * *answer is what it said.  What it throws, it throws.
 */
extern char *site_function_ask(const SiteFunctionUse *use,
							   const char *function, const char *registered_by,
							   int64 change_id, Datum *answer, bool *isnull);

/*
 * For the BEFORE trigger of a table with the columns function and
 * registered_by: the row with both as they are to be stored.  MC008 where it
 * is no such function, MC003 where somebody else could replace it.
 */
extern HeapTuple site_function_stamp(const SiteFunctionUse *use,
									 TriggerData *trigdata, HeapTuple tuple);

#endif							/* CHANGEMGMT_SITE_FUNCTION_H */
