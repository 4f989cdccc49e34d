/*-------------------------------------------------------------------------
 *
 * doctor.h
 *	  What stands round the rules.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_DOCTOR_H
#define CHANGEMGMT_DOCTOR_H

extern void doctor_init(void);

#endif							/* CHANGEMGMT_DOCTOR_H */
