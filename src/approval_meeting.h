/*-------------------------------------------------------------------------
 *
 * approval_meeting.h
 *	  Meetings of boards, between approval_meeting.c and its rules.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_APPROVAL_MEETING_H
#define CHANGEMGMT_APPROVAL_MEETING_H

#include "utils/timestamp.h"

typedef enum MeetingStatus
{
	MEETING_PLANNED,
	MEETING_HELD,
	MEETING_CANCELLED
} MeetingStatus;

typedef struct Meeting
{
	int64		id;
	int64		board_id;
	char	   *board;
	MeetingStatus status;
	bool		is_closed;
	TimestampTz begun;			/* what happened since belongs to it */
	int			quorum;			/* 0: none */
	int			members;		/* with a seat, who are present */
	char	   *minutes;		/* or NULL, as in what follows */
	char	   *status_reason;
} Meeting;

/* These need an SPI connection.  Locks the meeting; false where there is none. */
extern bool meeting_lock(Meeting *meeting, int64 id);
/* The same, or MC008. */
extern void meeting_find(Meeting *meeting, int64 id);
/* MC001 or MC005 where nothing can be written into the meeting any more. */
extern void meeting_require_open(const Meeting *meeting);

#endif							/* CHANGEMGMT_APPROVAL_MEETING_H */
