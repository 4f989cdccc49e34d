/*-------------------------------------------------------------------------
 *
 * person.h
 *	  People and teams; who is acting.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_PERSON_H
#define CHANGEMGMT_PERSON_H

#include "fmgr.h"

/* changemgmt.actor where set, else the outer role's name (palloc'd or static). */
extern const char *actor_name(void);
/* The outer role's name, whoever acts. */
extern const char *effective_role_name(void);
/* The acting person's id; 0 where nobody active has that login. */
extern int64 actor_person(void);
/* The same, or MC003 "role "x" is not a person known here" with a hint. */
extern int64 actor_person_required(void);
/* Login of a person by id, palloc'd; NULL where there is none. */
extern char *person_login(int64 person_id);
/* Whether the person is there and has not left. */
extern bool person_is_active(int64 person_id);
/* Whether the person holds a change_manager seat on any board now. */
extern bool person_is_manager(int64 person_id);

/* By name, for text arguments; MC008 where there is none. */
extern Datum person_id(PG_FUNCTION_ARGS);
extern Datum team_id(PG_FUNCTION_ARGS);
extern Datum board_id(PG_FUNCTION_ARGS);

extern void person_init(void);

#endif							/* CHANGEMGMT_PERSON_H */
