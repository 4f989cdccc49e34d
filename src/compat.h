/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Differences between the server's versions 15 to 18.
 *
 * The newest interface is canonical: code is written against it, and this
 * file supplies what an older server lacks.  It is the only file that looks
 * at PG_VERSION_NUM.  Include it after postgres.h and fmgr.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_COMPAT_H
#define CHANGEMGMT_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "changemgmt needs PostgreSQL 15 or later"
#endif

#if PG_VERSION_NUM >= 160000

/* postgres.h no longer includes it */
#include "varatt.h"
#include "nodes/miscnodes.h"

#else

#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_proc.h"
#include "utils/acl.h"

/*
 * Soft errors do not exist before 16: what would be saved is thrown.  The
 * dummy value is never returned then, hence not evaluated.
 */
#define errsave(context, ...) \
	do { \
		(void) (context); \
		ereport(ERROR, __VA_ARGS__); \
	} while (0)
#define ereturn(context, dummy_value, ...) errsave(context, __VA_ARGS__)
#define SOFT_ERROR_OCCURRED(escontext) ((void) (escontext), false)

/* One function for all kinds of object; relations and functions is our use. */
static inline bool
object_ownercheck(Oid classid, Oid objectid, Oid roleid)
{
	if (classid == ProcedureRelationId)
		return pg_proc_ownercheck(objectid, roleid);
	Assert(classid == RelationRelationId);
	return pg_class_ownercheck(objectid, roleid);
}

static inline AclResult
object_aclcheck(Oid classid, Oid objectid, Oid roleid, AclMode mode)
{
	if (classid == ProcedureRelationId)
		return pg_proc_aclcheck(objectid, roleid, mode);
	if (classid == DatabaseRelationId)
		return pg_database_aclcheck(objectid, roleid, mode);
	Assert(classid == RelationRelationId);
	return pg_class_aclcheck(objectid, roleid, mode);
}

/* From 16 it can save an error. */
#include "utils/rangetypes.h"
#define make_range(type, lower, upper, empty, escontext) \
	make_range(type, lower, upper, empty)

#endif							/* PG_VERSION_NUM >= 160000 */

/* From 18 a module tells pg_get_loaded_modules() its name and version. */
#if PG_VERSION_NUM < 180000
#define PG_MODULE_MAGIC_EXT(...) PG_MODULE_MAGIC
#endif

/* From 18 it stands before the declaration, and its older name is gone. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn pg_attribute_noreturn()
#endif

/* From 18 a scan of an index can be counted for EXPLAIN. */
#if PG_VERSION_NUM < 180000
#include "access/genam.h"
#define index_beginscan(heap, index, snapshot, instrument, nkeys, norderbys) \
	index_beginscan(heap, index, snapshot, nkeys, norderbys)
#endif

#endif							/* CHANGEMGMT_COMPAT_H */
