/*-------------------------------------------------------------------------
 *
 * inventory_graph.c
 *	  The one walk through what depends on what.
 *
 * Breadth first, a query a level, so that each item is met at its shortest
 * distance and a circle ends where it closes.  There is no state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"

#include "compat.h"
#include "inventory_graph.h"
#include "spi.h"

HTAB *
graph_walk(const Datum *ids, int n, int depth, GraphDirection direction,
		   long most, Size entry_size, bool as_query)
{
	static KeptPlan below = {
		"SELECT depends_on_ci_id FROM changemgmt.ci_dependency"
		" WHERE ci_id OPERATOR(pg_catalog.=) ANY ($1)",
		1, {INT8ARRAYOID}, NULL
	};
	static KeptPlan above = {
		"SELECT ci_id FROM changemgmt.ci_dependency"
		" WHERE depends_on_ci_id OPERATOR(pg_catalog.=) ANY ($1)",
		1, {INT8ARRAYOID}, NULL
	};
	KeptPlan   *plan = direction == GRAPH_BELOW ? &below : &above;
	HASHCTL		control = {
		.keysize = sizeof(int64),
		.entrysize = entry_size,
		.hcxt = CurrentMemoryContext
	};
	HTAB	   *items = hash_create("changemgmt items of a graph", 64, &control,
									HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	Datum	   *level = palloc(Max(n, 1) * sizeof(Datum));
	int			n_level = 0;

	for (int steps = 0;; steps++)
	{
		Datum		argument;
		Datum	   *next;

		for (int i = 0; i < n; i++)
		{
			int64		id = DatumGetInt64(ids[i]);
			bool		known;
			GraphItem  *item = hash_search(items, &id, HASH_ENTER, &known);

			if (known)
				continue;
			memset((char *) item + sizeof(int64), 0, entry_size - sizeof(int64));
			item->steps = steps;
			level[n_level++] = ids[i];
		}
		if (n_level == 0 || steps == depth ||
			(most > 0 && hash_get_num_entries(items) >= most))
			return items;
		CHECK_FOR_INTERRUPTS();
		argument = PointerGetDatum(construct_array(level, n_level, INT8OID, 8,
												   FLOAT8PASSBYVAL,
												   TYPALIGN_DOUBLE));
		/* each that is found anew is met at most once from each of the level */
		if (as_query)
			kept_plan_read(plan, &argument, NULL, 0);
		else
			kept_plan_execute(plan, &argument, NULL, 0);
		n = (int) SPI_processed;
		level = palloc_extended(Max(n, 1) * sizeof(Datum), MCXT_ALLOC_HUGE);
		n_level = 0;
		next = palloc_extended(Max(n, 1) * sizeof(Datum), MCXT_ALLOC_HUGE);
		for (int i = 0; i < n; i++)
		{
			bool		isnull;

			/* a copy, also where a bigint is passed by reference */
			next[i] = Int64GetDatum(DatumGetInt64(
				SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
							  1, &isnull)));
		}
		ids = next;
		SPI_freetuptable(SPI_tuptable);
	}
}
