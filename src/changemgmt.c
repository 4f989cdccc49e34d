/*-------------------------------------------------------------------------
 *
 * changemgmt.c
 *	  What the server calls when it loads the library.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"

#include "utils/guc.h"

#include "approval.h"
#include "change_history.h"
#include "compat.h"
#include "doctor.h"
#include "duty.h"
#include "incident.h"
#include "ledger.h"
#include "lifecycle.h"
#include "model.h"
#include "person.h"
#include "schedule.h"
#include "spi.h"
#include "template.h"
#include "worker.h"

PG_MODULE_MAGIC_EXT(.name = "changemgmt", .version = CHANGEMGMT_VERSION);

void		_PG_init(void);

void
_PG_init(void)
{
	static void (*const inits[]) (void) = {
		spi_init,
		person_init,
		ledger_init,
		model_init,
		change_history_init,
		lifecycle_init,
		duty_init,
		schedule_init,
		approval_init,
		incident_init,
		template_init,
		doctor_init,
		worker_init,
	};
	static int	done = 0;

	/*
	 * Where memory runs out in here, the library stays mapped, but the server
	 * does not count it as loaded and calls this again the next time: it goes
	 * on where it ended.  So each of them begins with what may fail.
	 */
	for (; done < (int) lengthof(inits); done++)
		inits[done] ();

	MarkGUCPrefixReserved("changemgmt");
}
