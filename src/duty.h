/*-------------------------------------------------------------------------
 *
 * duty.h
 *	  What is to be done for a change by when.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_DUTY_H
#define CHANGEMGMT_DUTY_H

#include "utils/timestamp.h"

#include "change.h"
#include "spi.h"
#include "types_code.h"

/* All of these need an SPI connection. */

/*
 * Give a change a duty, and return its id.  title NULL: what the kind asks for;
 * person_id 0: nobody yet; repeat_minutes 0: once; check_id 0: of no check.
 */
extern int64 duty_assign(int64 change_id, const char *kind, const char *title,
						 int64 person_id, TimestampTz due,
						 int repeat_minutes, int64 check_id);
/*
 * The open duties of this kind are done, by whom (0: nobody known) and when; the
 * rules of who may do them hold.  Returns how many there were.
 */
extern int	duty_finish(int64 change_id, const char *kind, int64 by,
						TimestampTz at, const char *result);
/* The open duties of this kind need not be done any more. */
extern int	duty_cancel(int64 change_id, const char *kind, const char *why);

/* What the extension itself is doing to duties, for the guard of the table. */
typedef enum DutyDoing
{
	DUTY_DO_ASSIGN,
	DUTY_DO_FINISH,
	DUTY_DO_CANCEL,
	DUTY_DO_FLAG				/* flagged_at, escalated_at, escalated_to_id */
} DutyDoing;

typedef struct DutyCall
{
	int64		change_id;		/* 0: of any */
	DutyDoing	doing;
} DutyCall;

extern DutyCall *duty_call;

/*
 * Execute a statement that writes duties of a change (0: of any) as the
 * extension's own doing: the guard lets it write what nobody writes by hand,
 * and DUTY_DO_FLAG locks no change.
 */
extern int	duty_execute(KeptPlan *plan, Datum *values, const char *nulls,
						 int64 change_id, DutyDoing doing);

/* What is written of a duty when it has ended. */
#define DUTY_IS_OPEN "done_at IS NULL AND cancelled_at IS NULL"

/*
 * The later room's answer to whether somebody may confirm in a person's place
 * now.  Needs an SPI connection.
 */
typedef bool (*DutyDelegate) (int64 from, int64 to);
extern void duty_register_delegate(DutyDelegate delegate);
extern bool duty_delegate(int64 from, int64 to);

/* Whether a validation has its result, at or after its time. */
extern bool duty_validation_is_recorded(const ChangeRow *row, DutyKind kind);

extern void duty_init(void);

extern Datum hidden_duties(PG_FUNCTION_ARGS);

#endif							/* CHANGEMGMT_DUTY_H */
