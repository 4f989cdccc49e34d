/*-------------------------------------------------------------------------
 *
 * types_code.h
 *	  The codes that C decides on.  On disk they are text; the order here is
 *	  only their sort order.  Append only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_TYPES_CODE_H
#define CHANGEMGMT_TYPES_CODE_H

typedef enum Status
{
	STATUS_DRAFT,
	STATUS_PLANNED,
	STATUS_AWAITING_APPROVAL,
	STATUS_APPROVED,
	STATUS_REJECTED,
	STATUS_SCHEDULED,
	STATUS_IN_PROGRESS,
	STATUS_VERIFYING,
	STATUS_IMPLEMENTED,
	STATUS_ROLLED_BACK,
	STATUS_CLOSED,
	STATUS_CANCELLED
} Status;

#define STATUS_COUNT (STATUS_CANCELLED + 1)
#define STATUS_BIT(s) (((uint32) 1) << (s))

typedef enum Outcome
{
	OUTCOME_NONE = -1,			/* null */
	OUTCOME_SUCCESSFUL,
	OUTCOME_SUCCESSFUL_WITH_ISSUES,
	OUTCOME_ROLLED_BACK,
	OUTCOME_FAILED,
	OUTCOME_NOT_IMPLEMENTED
} Outcome;

typedef enum DutyKind
{
	KIND_STATUS_PAGE,
	KIND_PROGRESS_UPDATE,
	KIND_ROOT_CAUSE,
	KIND_RESOLUTION_SUMMARY,
	KIND_FULL_RECORD,
	KIND_AUTHORISER_CONFIRMATION,
	KIND_POST_MORTEM,
	KIND_INDEPENDENT_REVIEW,
	KIND_POST_IMPLEMENTATION_REVIEW,
	KIND_VALIDATION_24_HOURS,
	KIND_VALIDATION_7_DAYS,
	KIND_ROLLBACK_DECISION,
	KIND_STEERING_REPORT,
	KIND_OTHER
} DutyKind;

#define DUTY_KIND_COUNT (KIND_OTHER + 1)

extern const char *duty_kind_code(DutyKind kind);
/* What it asks for, in one line; palloc'd. */
extern char *duty_kind_title(DutyKind kind);
extern bool duty_kind_parse(const char *code, DutyKind *kind);

extern const char *status_code(Status status);
extern const char *outcome_code(Outcome outcome);
/* From a text Datum as stored; elog for what the CHECK would not let in. */
extern Status status_from_datum(Datum text);
extern Outcome outcome_from_datum(Datum text, bool isnull);
/* From a client's argument: false where the code is unknown. */
extern bool status_parse(const char *code, Status *status);

/* MC008 where the text is no code of the list; the hint names them. */
extern void code_check(const char *list, Datum value, const char *column);

#endif							/* CHANGEMGMT_TYPES_CODE_H */
