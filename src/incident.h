/*-------------------------------------------------------------------------
 *
 * incident.h
 *	  Emergencies and what was found to have been changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_INCIDENT_H
#define CHANGEMGMT_INCIDENT_H

extern void incident_init(void);

#endif							/* CHANGEMGMT_INCIDENT_H */
