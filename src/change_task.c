/*-------------------------------------------------------------------------
 *
 * change_task.c
 *	  What tasks of a change have to do with each other.
 *
 * A task waits for the tasks that it names (depends_on).  A smoke test waits
 * for all steps of its phase that stand before it, and the steps after it wait
 * for it; conditions of approvers have no part in that order.  Position and id
 * make the order.
 *
 * Judged after the statement, under the lock of the change, with the rows as
 * they are then: an UPDATE of several tasks is one step.  What is read to
 * finish a task is what is not finished, however long the list; all tasks are
 * read only where their order is edited.
 *
 * Called by part_changed() for change_task.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "change.h"
#include "change_part.h"
#include "compat.h"
#include "errors.h"
#include "lifecycle.h"
#include "spi.h"

typedef struct Task
{
	int64		id;
	int			phase;
	int32		position;
	bool		in_order;		/* no condition */
	bool		is_smoke_test;
	char	   *status;
	char	   *title;
	int64	   *waits;			/* ids of what it names */
	int			waits_count;
	/* of the search for circles */
	int			last_test;		/* the smoke test before it in its phase; -1 */
	int			previous_test;	/* of a smoke test: the steps since are its */
	int			next;			/* what it waits for, to be looked at next */
	char		color;
} Task;

typedef struct Tasks
{
	Task	   *tasks;
	int			count;
} Tasks;

/* The order of phases; the way back stands beside the work. */
static const char *const phases[] = {
	"preparation", "implementation", "follow_up", "rollback"
};

#define PHASE_FOLLOW_UP 2
#define PHASE_ROLLBACK 3

static int
phase_of(const char *code)
{
	for (size_t i = 0; i < lengthof(phases); i++)
		if (strcmp(phases[i], code) == 0)
			return i;
	return lengthof(phases);
}

/* Whether a task of one phase can wait for a task of another. */
static bool
phase_waits(int phase, int other)
{
	if (phase == other || other == 0)
		return true;
	/* the steps back are mostly never taken, and what failed is not done */
	return other < phase && phase != PHASE_ROLLBACK && other != PHASE_ROLLBACK;
}

bool
task_has_order(TupleDesc desc)
{
	return SPI_fnumber(desc, "depends_on") > 0;
}

static void
task_read_waits(Task *task, Datum value, bool isnull)
{
	ArrayType  *array;

	task->waits = NULL;
	task->waits_count = 0;
	if (isnull)
		return;
	array = DatumGetArrayTypeP(value);
	if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) == 0 ||
		array_contains_nulls(array))
		return;
	task->waits = (int64 *) ARR_DATA_PTR(array);
	task->waits_count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
}

static void
task_read(Task *task, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		value;

	memset(task, 0, sizeof(Task));
	task->id = part_id(tuple, desc, "id");
	task->phase = phase_of(TextDatumGetCString(part_value(tuple, desc, "phase",
														  &isnull)));
	task->position = DatumGetInt32(part_value(tuple, desc, "position", &isnull));
	task->in_order = !part_true(tuple, desc, "is_condition");
	task->is_smoke_test = part_true(tuple, desc, "is_smoke_test");
	task->status = TextDatumGetCString(part_value(tuple, desc, "status", &isnull));
	task->title = TextDatumGetCString(part_value(tuple, desc, "title", &isnull));
	value = part_value(tuple, desc, "depends_on", &isnull);
	task_read_waits(task, value, isnull);
	task->last_test = task->previous_test = -1;
}

static Tasks
tasks_read(KeptPlan *plan, int64 change_id)
{
	Datum		argument = Int64GetDatum(change_id);
	Tasks		result;

	kept_plan_execute(plan, &argument, NULL, 0);
	result.count = SPI_processed;
	result.tasks = palloc_extended(sizeof(Task) * Max(result.count, 1),
								   MCXT_ALLOC_HUGE);
	for (int i = 0; i < result.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		task_read(&result.tasks[i], SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	}
	return result;
}

#define TASKS(where) \
	"SELECT id, phase, position, is_condition, is_smoke_test, status, title, depends_on" \
	" FROM changemgmt.change_task" \
	" WHERE change_id OPERATOR(pg_catalog.=) $1" where

static int
by_id(const void *a, const void *b)
{
	int64		x = ((const Task *) a)->id;
	int64		y = ((const Task *) b)->id;

	return x < y ? -1 : x > y;
}

static Task *
task_find(const Tasks *sorted, int64 id)
{
	Task		key;

	key.id = id;
	return bsearch(&key, sorted->tasks, sorted->count, sizeof(Task), by_id);
}

/* Where tasks stand in their phase. */
static int
place_compare(const Task *a, const Task *b)
{
	if (a->phase != b->phase)
		return a->phase < b->phase ? -1 : 1;
	if (a->position != b->position)
		return a->position < b->position ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static int
by_place(const void *a, const void *b)
{
	return place_compare(a, b);
}

static void
task_words(StringInfo words, const Task *task)
{
	text_list_add(words, psprintf("task " INT64_FORMAT " \"%s\"%s", task->id,
								  task->title,
								  strcmp(task->status, "failed") == 0 ?
								  " (failed)" : ""));
}

/* ----------------------------------------------------------------
 * Order
 * ---------------------------------------------------------------- */

pg_noreturn static void
order_error(Relation rel, const Task *task, const char *problem,
			const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_MC_INVALID_INPUT), err_as_caller(),
			 errmsg("task " INT64_FORMAT " \"%s\" %s", task->id, task->title,
					problem),
			 errhint("%s", hint),
			 errtablecol(rel, SPI_fnumber(RelationGetDescr(rel), "depends_on"))));
	pg_unreachable();
}

/*
 * The next task that one waits for, -1 where there is none: what it names,
 * the smoke test before it, and of a smoke test the steps since that.
 */
static int
next_wait(const Tasks *tasks, const Tasks *sorted, Task *task, const int *place)
{
	int			self = task - tasks->tasks;

	while (task->next < task->waits_count)
	{
		Task	   *found = task_find(sorted, task->waits[task->next++]);

		if (found)
			return place[found - sorted->tasks];
	}
	if (task->next == task->waits_count)
	{
		task->next++;
		if (task->in_order && task->last_test >= 0)
			return task->last_test;
	}
	while (task->in_order && task->is_smoke_test)
	{
		int			other = self - (task->next++ - task->waits_count);

		if (other <= task->previous_test || other < 0 ||
			tasks->tasks[other].phase != task->phase)
			break;
		if (tasks->tasks[other].in_order)
			return other;
	}
	return -1;
}

/* MC008 where tasks wait for each other in a circle; all are in their order. */
static void
order_check_circles(const Tasks *tasks, const Tasks *sorted, Relation rel)
{
	int		   *place = palloc_extended(sizeof(int) * Max(tasks->count, 1),
										MCXT_ALLOC_HUGE);
	int		   *path = palloc_extended(sizeof(int) * Max(tasks->count, 1),
									   MCXT_ALLOC_HUGE);
	int			test = -1;

	for (int i = 0; i < tasks->count; i++)
	{
		Task	   *task = &tasks->tasks[i];

		place[task_find(sorted, task->id) - sorted->tasks] = i;
		if (i > 0 && tasks->tasks[i - 1].phase != task->phase)
			test = -1;
		task->last_test = task->previous_test = test;
		if (task->in_order && task->is_smoke_test)
			test = i;
	}
	for (int i = 0; i < tasks->count; i++)
	{
		int			depth = 0;

		if (tasks->tasks[i].color != 0)
			continue;
		path[0] = i;
		tasks->tasks[i].color = 1;
		while (depth >= 0)
		{
			Task	   *task = &tasks->tasks[path[depth]];
			int			other = next_wait(tasks, sorted, task, place);

			CHECK_FOR_INTERRUPTS();
			if (other < 0)
			{
				task->color = 2;
				depth--;
			}
			else if (tasks->tasks[other].color == 1)
			{
				StringInfoData words;

				initStringInfo(&words);
				for (int j = 0; j <= depth; j++)
					if (words.len > 0 || path[j] == other)
						task_words(&words, &tasks->tasks[path[j]]);
				order_error(rel, &tasks->tasks[other],
							psprintf("waits for itself: %s", words.data),
							"A task waits for what it names; a smoke test for the steps before it, and the steps after it for the smoke test.");
			}
			else if (tasks->tasks[other].color == 0)
			{
				tasks->tasks[other].color = 1;
				path[++depth] = other;
			}
		}
	}
}

/* Whether an edit touches the order of tasks. */
static bool
edit_is_order(const PartEdit *edit, TupleDesc desc)
{
	static const char *const order[] = {
		"depends_on", "phase", "position", "is_smoke_test", "is_condition", NULL
	};
	bool		isnull;

	if (edit->new == NULL)
		return true;			/* others may wait for it */
	if (edit->old)
		return !part_same(edit->old, edit->new, desc, order);
	return part_true(edit->new, desc, "is_smoke_test") ||
		ArrayGetNItems(ARR_NDIM(DatumGetArrayTypeP(part_value(edit->new, desc, "depends_on", &isnull))),
					   ARR_DIMS(DatumGetArrayTypeP(part_value(edit->new, desc, "depends_on", &isnull)))) > 0;
}

static void
order_judge(const PartEdit *edits, int count, TupleDesc desc, Relation rel)
{
	static KeptPlan all = {TASKS(""), 1, {INT8OID}, NULL};
	Tasks		tasks = tasks_read(&all, edits->change_id);
	Tasks		sorted = {palloc_extended(sizeof(Task) * Max(tasks.count, 1),
										  MCXT_ALLOC_HUGE), tasks.count};
	Tasks		gone = {palloc_extended(sizeof(Task) * count, MCXT_ALLOC_HUGE), 0};
	bool		named = false;

	qsort(tasks.tasks, tasks.count, sizeof(Task), by_place);
	memcpy(sorted.tasks, tasks.tasks, sizeof(Task) * tasks.count);
	qsort(sorted.tasks, sorted.count, sizeof(Task), by_id);
	for (int i = 0; i < count; i++)
	{
		Task		task;

		if (edits[i].new == NULL)
		{
			task_read(&gone.tasks[gone.count++], edits[i].old, desc);
			continue;
		}
		task_read(&task, edits[i].new, desc);
		for (int j = 0; j < task.waits_count; j++)
		{
			if (task.waits[j] == task.id)
				order_error(rel, &task, "depends on itself",
							"Name the tasks that are done before it.");
			if (task_find(&sorted, task.waits[j]) == NULL)
				order_error(rel, &task,
							psprintf("depends on task " INT64_FORMAT ", which is none of %s",
									 task.waits[j],
									 change_number_text(edits->change_id)),
							"depends_on names tasks of the same change by their ids.");
		}
	}
	qsort(gone.tasks, gone.count, sizeof(Task), by_id);
	for (int i = 0; i < tasks.count; i++)
	{
		const Task *task = &tasks.tasks[i];

		CHECK_FOR_INTERRUPTS();
		named |= task->waits_count > 0;
		for (int j = 0; j < task->waits_count; j++)
		{
			const Task *other = task_find(&sorted, task->waits[j]);

			if (other && !phase_waits(task->phase, other->phase))
				order_error(rel, task,
							psprintf("of %s depends on task " INT64_FORMAT " of %s",
									 phases[task->phase], other->id,
									 phases[other->phase]),
							"A task depends on tasks of its own or an earlier phase, a step back on steps back and preparation.");
			if (other == NULL && gone.count > 0 &&
				(other = task_find(&gone, task->waits[j])) != NULL)
				order_error(rel, other,
							psprintf("cannot be removed: task " INT64_FORMAT " \"%s\" depends on it",
									 task->id, task->title),
							"changemgmt.set_dependencies(task_id, '{}') takes the dependency away.");
		}
	}
	/* smoke tests alone make no circle */
	if (named)
		order_check_circles(&tasks, &sorted, rel);
}

/* ----------------------------------------------------------------
 * Progress
 * ---------------------------------------------------------------- */

static bool
is_finished(const char *status)
{
	return strcmp(status, "done") == 0 || strcmp(status, "skipped") == 0;
}

/* Whether one task waits for another, by name or by its place. */
static bool
task_waits(const Task *task, const Task *other)
{
	for (int i = 0; i < task->waits_count; i++)
		if (task->waits[i] == other->id)
			return true;
	return task->in_order && other->in_order &&
		(task->is_smoke_test || other->is_smoke_test) &&
		task->phase == other->phase && place_compare(other, task) < 0;
}

/* The first of each phase, and of its smoke tests, so that most need no look. */
typedef struct PhaseFirst
{
	const Task *step;
	const Task *test;
} PhaseFirst;

static void
phase_first(PhaseFirst *first, const Task *task)
{
	PhaseFirst *f = &first[task->phase];

	if (!task->in_order)
		return;
	if (f->step == NULL || place_compare(task, f->step) < 0)
		f->step = task;
	if (task->is_smoke_test &&
		(f->test == NULL || place_compare(task, f->test) < 0))
		f->test = task;
}

/* Whether a task waits for any of these, of which these are the first. */
static bool
task_waits_any(const Task *task, const Tasks *sorted, const PhaseFirst *first)
{
	const PhaseFirst *f = &first[task->phase];

	for (int i = 0; i < task->waits_count; i++)
		if (task_find(sorted, task->waits[i]))
			return true;
	return task->in_order &&
		((f->test && place_compare(f->test, task) < 0) ||
		 (task->is_smoke_test && f->step && place_compare(f->step, task) < 0));
}

static int
waits_list(StringInfo words, const Task *task, const Tasks *others)
{
	int			count = 0;

	for (int i = 0; i < others->count; i++)
		if (others->tasks[i].id != task->id &&
			task_waits(task, &others->tasks[i]) && ++count <= 10)
			task_words(words, &others->tasks[i]);
	if (count > 10)
		appendStringInfoString(words, " ...");
	return count;
}

/* MC001 for a task that is done before what it waits for. */
static void
done_judge(const PartEdit *edits, int count, TupleDesc desc, Relation rel)
{
	static KeptPlan unfinished = {
		TASKS(" AND status OPERATOR(pg_catalog.<>) 'done'"
			  " AND status OPERATOR(pg_catalog.<>) 'skipped'"),
		1, {INT8OID}, NULL
	};
	Tasks		left = tasks_read(&unfinished, edits->change_id);
	PhaseFirst	first[lengthof(phases) + 1] = {{NULL, NULL}};

	if (left.count == 0)
		return;
	qsort(left.tasks, left.count, sizeof(Task), by_id);
	for (int i = 0; i < left.count; i++)
		phase_first(first, &left.tasks[i]);
	for (int i = 0; i < count; i++)
	{
		Task		task;
		StringInfoData words;

		CHECK_FOR_INTERRUPTS();
		if (edits[i].new == NULL || !part_is(edits[i].new, desc, "status", "done"))
			continue;
		task_read(&task, edits[i].new, desc);
		if (!task_waits_any(&task, &left, first))
			continue;
		initStringInfo(&words);
		qsort(left.tasks, left.count, sizeof(Task), by_place);
		waits_list(&words, &task, &left);
		ereport(ERROR,
				(errcode(ERRCODE_MC_ILLEGAL_TRANSITION), err_as_caller(),
				 errmsg("task " INT64_FORMAT " \"%s\" waits for %s", task.id,
						task.title, words.data),
				 errhint("changemgmt.complete_task(task_id), or changemgmt.skip_task(task_id, reason), first."),
				 errtable(rel)));
	}
}

/* MC001 for a task that is opened again while others stand on it. */
static void
reopened_judge(const PartEdit *edits, int count, TupleDesc desc, Relation rel)
{
	static KeptPlan done = {
		TASKS(" AND status OPERATOR(pg_catalog.=) 'done'"), 1, {INT8OID}, NULL
	};
	Tasks		opened = {palloc_extended(sizeof(Task) * count, MCXT_ALLOC_HUGE), 0};
	Tasks		others;
	PhaseFirst	first[lengthof(phases) + 1] = {{NULL, NULL}};

	for (int i = 0; i < count; i++)
	{
		bool		isnull;

		if (edits[i].old && edits[i].new &&
			part_is(edits[i].new, desc, "status", "open") &&
			is_finished(TextDatumGetCString(part_value(edits[i].old, desc,
													   "status", &isnull))))
			task_read(&opened.tasks[opened.count++], edits[i].new, desc);
	}
	if (opened.count == 0)
		return;
	qsort(opened.tasks, opened.count, sizeof(Task), by_id);
	for (int i = 0; i < opened.count; i++)
		phase_first(first, &opened.tasks[i]);
	others = tasks_read(&done, edits->change_id);
	qsort(others.tasks, others.count, sizeof(Task), by_place);
	for (int i = 0; i < others.count; i++)
	{
		const Task *task = &others.tasks[i];

		CHECK_FOR_INTERRUPTS();
		if (!task_waits_any(task, &opened, first))
			continue;
		for (int j = 0; j < opened.count; j++)
			if (task_waits(task, &opened.tasks[j]))
				ereport(ERROR,
						(errcode(ERRCODE_MC_ILLEGAL_TRANSITION), err_as_caller(),
						 errmsg("task " INT64_FORMAT " \"%s\" is done and stands on task " INT64_FORMAT " \"%s\"",
								task->id, task->title, opened.tasks[j].id,
								opened.tasks[j].title),
						 errhint("Open that one first, with changemgmt.reopen_task(" INT64_FORMAT "); where it went wrong, changemgmt.fail_task(" INT64_FORMAT ", reason) says so.",
								 task->id, opened.tasks[j].id),
						 errtable(rel)));
	}
}

/* ----------------------------------------------------------------
 * Checklist
 * ---------------------------------------------------------------- */

/* The entry of the model's checklist that a task is; NULL: none, or no more. */
static const ChecklistEntry *
entry_of(HeapTuple tuple, TupleDesc desc, const ChangeModel *model)
{
	bool		isnull;
	Datum		key = part_value(tuple, desc, "checklist_key", &isnull);

	return isnull ? NULL :
		checklist_find(model->checklist, TextDatumGetCString(key));
}

/*
 * A task that the model asks for is done or skipped, not removed, and stays
 * what it is.
 */
void
checklist_judge(const PartEdit *edit, TupleDesc desc, Relation rel,
				const ChangeModel *model)
{
	static const char *const place[] = {
		"checklist_key", "phase", "is_smoke_test", "is_condition", NULL
	};
	const ChecklistEntry *entry;
	bool		isnull;

	if (edit->old)
	{
		entry = entry_of(edit->old, desc, model);
		if (entry && edit->new == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
					 errmsg("task \"%s\" is not removed: the checklist of model \"%s\" asks for it",
							entry->title, model->key),
					 errhint("changemgmt.skip_task(task_id, reason) leaves it out."),
					 errtable(rel)));
		if (edit->new &&
			(entry ? !part_same(edit->old, edit->new, desc, place) :
			 !part_equal(edit->old, edit->new, desc, "checklist_key")))
			ereport(ERROR,
					(errcode(ERRCODE_MC_SEALED_CONTENT), err_as_caller(),
					 errmsg("which entry of a checklist a task is, its phase and what kind it is do not change"),
					 errhint("changemgmt.add_checklist() adds what lacks."),
					 errtable(rel)));
		return;
	}
	(void) part_value(edit->new, desc, "checklist_key", &isnull);
	if (isnull)
		return;
	entry = entry_of(edit->new, desc, model);
	if (entry == NULL)
	{
		/* submitting takes the latest version */
		bool		retired;
		const ChangeModel *latest = model_latest_if_any(model->key, &retired);

		entry = latest ? entry_of(edit->new, desc, latest) : NULL;
	}
	if (entry == NULL)
		part_malformed(rel, "checklist_key",
					   psprintf("is no entry of the checklist of model \"%s\"", model->key));
	if (!part_is(edit->new, desc, "phase", entry->phase))
		part_malformed(rel, "phase",
					   psprintf("is %s in the checklist of the model", entry->phase));
	if (part_true(edit->new, desc, "is_condition"))
		part_malformed(rel, "is_condition", "is true, and the task is one of the checklist");
	if (part_true(edit->new, desc, "is_smoke_test") != entry->is_smoke_test)
		part_malformed(rel, "is_smoke_test", "is not what the checklist of the model says");
}

/* The edits of one statement, of one change. */
void
tasks_judge(const PartEdit *edits, int count, TupleDesc desc, Relation rel)
{
	bool		order = false;
	bool		done = false;
	bool		reopened = false;

	if (!task_has_order(desc))
		return;					/* the tables of 1.0 */
	for (int i = 0; i < count; i++)
	{
		const PartEdit *edit = &edits[i];
		bool		is_order = edit_is_order(edit, desc);
		bool		moved = edit->old == NULL || edit->new == NULL ||
			!part_equal(edit->old, edit->new, desc, "status");

		order |= is_order;
		if (edit->new == NULL)
			continue;
		if (part_is(edit->new, desc, "status", "done"))
			done |= moved || is_order;
		else
			reopened |= moved && edit->old != NULL;
	}
	if (order)
		order_judge(edits, count, desc, rel);
	if (done)
		done_judge(edits, count, desc, rel);
	if (reopened)
		reopened_judge(edits, count, desc, rel);
}
