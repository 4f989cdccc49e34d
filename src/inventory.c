/*-------------------------------------------------------------------------
 *
 * inventory.c
 *	  Configuration items.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "compat.h"
#include "errors.h"
#include "spi.h"

PG_FUNCTION_INFO_V1(ci_id);

static KeptPlan ci_plan = {
	.sql = "SELECT id FROM changemgmt.configuration_item"
	" WHERE name OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.argtypes = {TEXTOID}
};

Datum
ci_id(PG_FUNCTION_ARGS)
{
	Datum		name = PG_GETARG_DATUM(0);
	Datum		id;
	bool		isnull;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	kept_plan_execute(&ci_plan, &name, NULL, 1);
	id = spi_first_value(1, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("configuration item \"%s\" does not exist",
						TextDatumGetCString(name)),
				 errhint("Check the name, or run SELECT changemgmt.add_ci(%s);",
						 quote_literal_cstr(TextDatumGetCString(name)))));
	SPI_finish();
	PG_RETURN_INT64(DatumGetInt64(id));
}
