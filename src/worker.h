/*-------------------------------------------------------------------------
 *
 * worker.h
 *	  The optional background worker, which calls tick().
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_WORKER_H
#define CHANGEMGMT_WORKER_H

#include "fmgr.h"

/* What the server starts, by name. */
extern PGDLLEXPORT void changemgmt_launcher_main(Datum main_arg);
extern PGDLLEXPORT void changemgmt_worker_main(Datum main_arg);

extern void worker_init(void);

#endif							/* CHANGEMGMT_WORKER_H */
