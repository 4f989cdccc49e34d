/*
 * Makes the n-th allocation fail that the extension's library asks for, itself
 * or through what it calls in the server: for 037_out_of_memory.pl, which
 * compiles it.
 *
 * Every palloc goes through the methods of its context.  Those of AllocSet
 * stand in a table of which alloc and realloc are replaced.  As the real ones
 * would, ours end in an error 53200.  An allocation counts where changemgmt.so
 * is on the stack, above any other library: what PL/pgSQL or a failure in
 * the server alone would do is not in question here.  PL/pgSQL itself loses
 * count of its subtransactions when memory runs out while it catches an error.
 *
 * Spared is what must not fail: critical sections, the writing of errors, aborts,
 * for which the server keeps memory; and LockAcquireExtended(), which leaves an
 * entry without owners when it fails in a subtransaction, and crashes over it
 * the next time.  The type cache is made before: from 18 on, one that memory
 * ran out for halfway is taken for whole, and the next look into it crashes.
 */
#define _GNU_SOURCE
#include "postgres.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>
#include <unwind.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/memnodes.h"
#include "storage/lock.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(alloc_fail);
PG_FUNCTION_INFO_V1(alloc_count);
PG_FUNCTION_INFO_V1(alloc_forget);

typedef struct Range
{
	uintptr_t	begin;
	uintptr_t	end;
} Range;

static MemoryContextMethods original;
static int64 fails_at = 0;		/* 0: does not count */
static int64 counted = 0;
static bool has_failed = false;

static Range server;
static Range libc;
static Range self;
static Range lock_acquire;
static Range library;			/* empty until it is met */

static bool
is_within(const Range *range, uintptr_t address)
{
	return address >= range->begin && address < range->end;
}

/* dl_iterate_phdr: the object that the address in range->begin belongs to */
static int
find_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	Range	   *range = arg;
	Range		object = {UINTPTR_MAX, 0};

	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD)
		{
			uintptr_t	begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

			object.begin = Min(object.begin, begin);
			object.end = Max(object.end, begin + info->dlpi_phdr[i].p_memsz);
		}
	if (!is_within(&object, range->begin))
		return 0;
	*range = object;
	return 1;
}

static Range
object_of(uintptr_t address)
{
	Range		range = {address, address};

	dl_iterate_phdr(find_object, &range);
	return range;
}

static Range
function_range(void *function)
{
	Dl_info		info;
	ElfW(Sym) * symbol;

	if (dladdr1(function, &info, (void **) &symbol, RTLD_DL_SYMENT) == 0 ||
		symbol == NULL)
		elog(ERROR, "the server has no symbols");
	return (Range) {(uintptr_t) info.dli_saddr,
		(uintptr_t) info.dli_saddr + symbol->st_size};
}

static bool
is_library(uintptr_t address)
{
	Dl_info		info;
	const char *name;

	if (is_within(&library, address))
		return true;
	if (dladdr((void *) address, &info) == 0)
		return false;
	name = strrchr(info.dli_fname, '/');
	if (name == NULL || strcmp(name, "/changemgmt" DLSUFFIX) != 0)
		return false;
	library = object_of(address);
	return true;
}

/* From the innermost frame outwards, to the first that decides. */
static _Unwind_Reason_Code
look_at_frame(struct _Unwind_Context *frame, void *arg)
{
	uintptr_t	address = _Unwind_GetIP(frame);

	if (is_within(&lock_acquire, address))
		return _URC_NORMAL_STOP;
	if (is_within(&server, address) || is_within(&libc, address) ||
		is_within(&self, address))
		return _URC_NO_REASON;
	*(bool *) arg = is_library(address);
	return _URC_NORMAL_STOP;
}

static void
count(Size size)
{
	bool		counts = false;

	if (fails_at == 0 || CritSectionCount > 0 ||
		CurrentMemoryContext == ErrorContext || !IsTransactionState())
		return;
	_Unwind_Backtrace(look_at_frame, &counts);
	if (!counts || ++counted != fails_at)
		return;
	fails_at = 0;
	has_failed = true;
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory"),
			 errdetail("Failed on request of size %zu, as asked for.", size)));
}

#if PG_VERSION_NUM >= 170000
static void *
counted_alloc(MemoryContext context, Size size, int flags)
{
	count(size);
	return original.alloc(context, size, flags);
}

static void *
counted_realloc(void *pointer, Size size, int flags)
{
	count(size);
	return original.realloc(pointer, size, flags);
}
#else
static void *
counted_alloc(MemoryContext context, Size size)
{
	count(size);
	return original.alloc(context, size);
}

#if PG_VERSION_NUM >= 160000
static void *
counted_realloc(void *pointer, Size size)
{
	count(size);
	return original.realloc(pointer, size);
}
#else
static void *
counted_realloc(MemoryContext context, void *pointer, Size size)
{
	count(size);
	return original.realloc(context, pointer, size);
}
#endif
#endif

/* Until the transaction or the subtransaction ends. */
static void
end_xact(XactEvent event, void *arg)
{
	fails_at = 0;
}

static void
end_subxact(SubXactEvent event, SubTransactionId subid,
			SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		fails_at = 0;
}

/* alloc_fail(n): counts from now on, and the n-th fails */
Datum
alloc_fail(PG_FUNCTION_ARGS)
{
	if (original.alloc == NULL)
	{
		MemoryContextMethods *methods = (MemoryContextMethods *) TopMemoryContext->methods;
		uintptr_t	page = sysconf(_SC_PAGESIZE);
		uintptr_t	begin = (uintptr_t) methods & ~(page - 1);
		uintptr_t	end = ((uintptr_t) (methods + 1) + page - 1) & ~(page - 1);

		server = object_of((uintptr_t) methods->alloc);
		libc = object_of((uintptr_t) &qsort_r);
		self = object_of((uintptr_t) &alloc_fail);
		lock_acquire = function_range((void *) &LockAcquireExtended);
		(void) lookup_type_cache(INT4OID, 0);
		if (mprotect((void *) begin, end - begin, PROT_READ | PROT_WRITE) != 0)
			elog(ERROR, "mprotect: %m");
		RegisterXactCallback(end_xact, NULL);
		RegisterSubXactCallback(end_subxact, NULL);
		original = *methods;
		methods->alloc = counted_alloc;
		methods->realloc = counted_realloc;
	}
	has_failed = false;
	counted = 0;
	fails_at = PG_GETARG_INT64(0);
	PG_RETURN_VOID();
}

/* alloc_count(): how many were counted; negative where the last one failed */
Datum
alloc_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(has_failed ? -counted : counted);
}

/* alloc_forget(): the session has all to read again */
Datum
alloc_forget(PG_FUNCTION_ARGS)
{
	InvalidateSystemCaches();
	PG_RETURN_VOID();
}
