/*-------------------------------------------------------------------------
 *
 * changemgmt.c
 *	  What the server calls when it loads the library.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "compat.h"

PG_MODULE_MAGIC_EXT(.name = "changemgmt", .version = CHANGEMGMT_VERSION);

void		_PG_init(void);

void
_PG_init(void)
{
}
