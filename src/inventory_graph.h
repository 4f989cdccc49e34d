/*-------------------------------------------------------------------------
 *
 * inventory_graph.h
 *	  The one walk through what depends on what.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_INVENTORY_GRAPH_H
#define CHANGEMGMT_INVENTORY_GRAPH_H

#include "utils/hsearch.h"

typedef enum GraphDirection
{
	GRAPH_BELOW,				/* what the items depend on */
	GRAPH_ABOVE					/* what depends on them */
} GraphDirection;

/* What every entry begins with; the rest of it is the caller's, zero at first. */
typedef struct GraphItem
{
	int64		ci_id;			/* key */
	int			steps;			/* from where the walk began */
} GraphItem;

/*
 * Items at a distance up to the depth, the ones it begins with included: each
 * once, at its shortest, whatever circles there are.  The walk ends early when
 * it has found as many as most, 0: all.  Sees what the calling query sees if
 * as_query.  Needs an SPI connection; the table lives in its context.
 */
extern HTAB *graph_walk(const Datum *ids, int n, int depth,
						GraphDirection direction, long most, Size entry_size,
						bool as_query);

#endif							/* CHANGEMGMT_INVENTORY_GRAPH_H */
