/*-------------------------------------------------------------------------
 *
 * template.h
 *	  Standard changes: templates that a board approves, and their record.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_TEMPLATE_H
#define CHANGEMGMT_TEMPLATE_H

extern void template_init(void);

#endif							/* CHANGEMGMT_TEMPLATE_H */
