/*-------------------------------------------------------------------------
 *
 * change_part.h
 *	  Parts of a change, between change_part.c and change_part_rule.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHANGEMGMT_CHANGE_PART_H
#define CHANGEMGMT_CHANGE_PART_H

#include "access/htup.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "model.h"
#include "types_code.h"

typedef enum PartTable
{
	PART_ITEM,
	PART_RISK,
	PART_TASK,
	PART_CHECK,
	PART_COMMENT,
	PART_LINK,
	PART_WAIVER,
	PART_PROPOSAL,
	PART_COMMUNICATION,
	PART_REVIEW,
	PART_OTHER					/* parts of later rooms: never plan */
} PartTable;

/* What happened to one row of a part, for one change. */
typedef struct PartEdit
{
	int64		change_id;
	int			ordinal;		/* order within the statement */
	HeapTuple	old;			/* NULL for a new row */
	HeapTuple	new;			/* NULL for a deleted row */
} PartEdit;

/* Columns of a part's row, by name. */
extern PartTable part_table(Relation rel);
extern Datum part_value(HeapTuple tuple, TupleDesc desc, const char *column,
						bool *isnull);
/* 0 for null */
extern int64 part_id(HeapTuple tuple, TupleDesc desc, const char *column);
extern int64 part_change_id(HeapTuple tuple, TupleDesc desc);
extern bool part_equal(HeapTuple a, HeapTuple b, TupleDesc desc,
					   const char *column);
extern bool part_same(HeapTuple old, HeapTuple new, TupleDesc desc,
					  const char *const *columns);
extern bool part_is(HeapTuple tuple, TupleDesc desc, const char *column,
					const char *code);
/* The row with another value in a column. */
extern HeapTuple part_set(HeapTuple tuple, TupleDesc desc, const char *column,
						  Datum value, bool isnull);
/* The row with who is acting in a column. */
extern HeapTuple part_stamp_actor(HeapTuple tuple, TupleDesc desc,
								  const char *column);
extern bool part_true(HeapTuple tuple, TupleDesc desc, const char *column);

/* MC008: this column of a part is not what it has to be. */
extern void part_malformed(Relation rel, const char *column,
						   const char *problem);
/* Null, empty and blank text say nothing. */
extern bool part_blank(HeapTuple tuple, TupleDesc desc, const char *column);

/* Whether a time lies within the client's statement: nobody gave it. */
extern bool part_time_is_now(TimestampTz at);

/* MC008 for what no part can hold. */
extern void part_check_codes(PartTable table, HeapTuple tuple, TupleDesc desc);
extern void part_check_values(PartTable table, HeapTuple tuple, Relation rel);
/* MC005 for a row that may not be moved to another change. */
extern void part_check_move(PartTable table, HeapTuple old, HeapTuple new,
							Relation rel);
/* Whether an edit touches what an approval seals. */
extern bool part_edit_is_plan(PartTable table, const PartEdit *edit,
							  TupleDesc desc);
/*
 * What an edit may not do in this status: MC001, MC003, MC005, MC006, MC008.
 * begun is actual_start, or the end of time where work has not begun;
 * taken_back is rolled_back_at, or the end of time; submitted: ever.
 */
extern void part_edit_judge(PartTable table, const PartEdit *edit,
							TupleDesc desc, Relation rel, Status status,
							const ChangeModel *model, TimestampTz begun,
							TimestampTz taken_back, bool submitted);

/* Checks have a file of their own: change_check.c. */
extern void check_values(HeapTuple tuple, Relation rel);
extern HeapTuple check_stamp(HeapTuple old, HeapTuple new, TupleDesc desc,
							 Status status);
extern void check_judge(const PartEdit *edit, TupleDesc desc, Relation rel,
						Status status, TimestampTz begun,
						TimestampTz taken_back);


/* Closed or cancelled. */
extern bool status_is_over(Status status);

/* Rules that several parts have; change_part_rule.c says which they are. */
extern void edit_check_person(const PartEdit *edit, TupleDesc desc,
							  Relation rel, const char *column);
extern void edit_check_author(const PartEdit *edit, TupleDesc desc,
							  Relation rel, const char *column,
							  const char *when);
extern void edit_check_time(const PartEdit *edit, TupleDesc desc, Relation rel,
							const char *column);
extern void edit_check_fixed(const PartEdit *edit, TupleDesc desc,
							 Relation rel, const char *const *columns);
/* MC001: it is not the time for this. */
extern void progress_error(const char *what, int64 change_id,
						   const char *status, const char *hint);

/* Of parts with a file of their own: what part_edit_judge() asks them. */
extern HeapTuple communication_stamp(HeapTuple old, HeapTuple new,
									 TupleDesc desc, Status status);
extern void communication_judge(const PartEdit *edit, TupleDesc desc,
								Relation rel, Status status,
								const ChangeModel *model, TimestampTz begun);
/* The part that somebody had in the change (implementer ...); NULL: none. */
extern const char *review_part_had(int64 change_id, int64 person);
extern void review_judge(const PartEdit *edit, TupleDesc desc, Relation rel,
						 Status status, const ChangeModel *model,
						 TimestampTz begun);
/* The plan columns of a part (NULL-terminated). */
extern const char *const *part_plan_columns(PartTable table);

/* Whether the table of tasks is that of 1.1 (change_task.c). */
extern bool task_has_order(TupleDesc desc);
/* What an edit of a task may not do to the checklist of the model: MC005, MC008. */
extern void checklist_judge(const PartEdit *edit, TupleDesc desc, Relation rel,
							const ChangeModel *model);
/* What edits of tasks of one change may not do to each other: MC001, MC008. */
extern void tasks_judge(const PartEdit *edits, int count, TupleDesc desc,
						Relation rel);

#endif							/* CHANGEMGMT_CHANGE_PART_H */
