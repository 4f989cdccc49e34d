/*-------------------------------------------------------------------------
 *
 * risk_auc.c
 *	  How good a score is: the aggregate auc.
 *
 * auc(score, failed) is the probability that a change which failed had a
 * higher score than one which did not, a tie counting half: the statistic of
 * Mann and Whitney divided by the number of pairs, from exact counts.
 *
 * Its state has a bag of scores for either class.  New scores are kept as they
 * come; full, they are sorted and become a run, in which every distinct score
 * stands once with its count.  Runs are merged so that each is at least twice
 * as long as the next.  When all runs together need more than work_mem, they
 * go to a temporary file as one run (but not in a window).  The result merges
 * what is in the files with what is in memory.  The state lives in the
 * aggregate's context, the file in the executor's resource owner.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "common/int.h"
#include "fmgr.h"
#include "lib/binaryheap.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "port/pg_bswap.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#include "compat.h"
#include "errors.h"

PG_FUNCTION_INFO_V1(auc_accum);
PG_FUNCTION_INFO_V1(auc_combine);
PG_FUNCTION_INFO_V1(auc_serial);
PG_FUNCTION_INFO_V1(auc_deserial);
PG_FUNCTION_INFO_V1(auc_final);

/* ----------------------------------------------------------------
 * Scores in order
 * ---------------------------------------------------------------- */

/* A score that occurs, and how often. */
typedef struct ScoreCount
{
	uint64		key;			/* as score_key() makes it */
	int64		count;
} ScoreCount;

#define RAW_FIRST	64			/* room for new scores, at first */
#define RAW_LAST	65536		/* and at most */
#define RUNS		48			/* each twice as long as the next */
#define FILE_BUFFER 512			/* entries read from a file at a time */

typedef struct Run
{
	ScoreCount *entries;
	int64		length;
} Run;

/* A run in the state's file. */
typedef struct FiledRun
{
	int			fileno;
	off_t		offset;
	int64		length;
} FiledRun;

/* The scores of one class. */
typedef struct Bag
{
	int64		total;			/* of all scores in it */
	uint64	   *raw;
	int			raw_length;
	int			raw_room;
	Run			runs[RUNS];
	int			run_count;
	FiledRun   *filed;
	int			filed_count;
} Bag;

typedef struct AucState
{
	MemoryContext context;
	Bag			bags[2];		/* did not fail, failed */
	uint64	   *scratch;		/* RAW_LAST keys, once it is needed */
	BufFile    *file;			/* NULL as long as all is in memory */
	int			end_fileno;		/* where the next run is written */
	off_t		end_offset;
} AucState;

/*
 * Unsigned integers in the order of the numbers, so that bytes can be sorted.
 * -0 is 0.
 */
static inline uint64
score_key(double score)
{
	uint64		bits;

	if (score == 0)
		score = 0;
	memcpy(&bits, &score, sizeof(bits));
	return (bits >> 63) ? ~bits : bits | (UINT64CONST(1) << 63);
}

/* Whether score_key() can have made this. */
static bool
score_key_is_possible(uint64 key)
{
	uint64		bits = (key >> 63) ? key & ~(UINT64CONST(1) << 63) : ~key;
	double		score;

	memcpy(&score, &bits, sizeof(score));
	return !isnan(score) && score_key(score) == key;
}

static int
key_compare(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return (x > y) - (x < y);
}

/*
 * Sort keys by their bytes, from the lowest on; a byte that is the same in all
 * of them costs nothing.
 */
static void
keys_sort(uint64 *keys, int count, uint64 *scratch)
{
	uint32		histogram[8][256];
	uint64	   *from = keys;
	uint64	   *to = scratch;

	memset(histogram, 0, sizeof(histogram));
	for (int i = 0; i < count; i++)
		for (int byte = 0; byte < 8; byte++)
			histogram[byte][(keys[i] >> (8 * byte)) & 0xff]++;
	for (int byte = 0; byte < 8; byte++)
	{
		uint32	   *place = histogram[byte];
		uint32		next = 0;
		uint64	   *swap;

		if (place[(from[0] >> (8 * byte)) & 0xff] == (uint32) count)
			continue;
		for (int value = 0; value < 256; value++)
		{
			uint32		many = place[value];

			place[value] = next;
			next += many;
		}
		for (int i = 0; i < count; i++)
			to[place[(from[i] >> (8 * byte)) & 0xff]++] = from[i];
		swap = from;
		from = to;
		to = swap;
	}
	if (from != keys)
		memcpy(keys, from, count * sizeof(uint64));
}

/* ----------------------------------------------------------------
 * Reading a bag in order
 * ---------------------------------------------------------------- */

/* One run on the way through it. */
typedef struct Source
{
	const ScoreCount *next;
	const ScoreCount *end;
	FiledRun	rest;			/* what is still to be read of a filed run */
	ScoreCount *buffer;
} Source;

typedef struct Stream
{
	AucState   *state;
	int			count;
	Source	   *sources;
	binaryheap *heap;			/* of Source pointers, by their next key */
} Stream;

static int
source_compare(Datum a, Datum b, void *arg)
{
	const Source *x = (const Source *) DatumGetPointer(a);
	const Source *y = (const Source *) DatumGetPointer(b);

	/* the first is the greatest for a binaryheap */
	return (x->next->key < y->next->key) - (x->next->key > y->next->key);
}

/* Read on; false at the end of the run. */
static bool
source_fill(Stream *stream, Source *source)
{
	int64		many = Min(source->rest.length, FILE_BUFFER);
	BufFile    *file = stream->state->file;
	size_t		size = many * sizeof(ScoreCount);

	if (many == 0)
		return false;
	CHECK_FOR_INTERRUPTS();
	if (BufFileSeek(file, source->rest.fileno, source->rest.offset, SEEK_SET) != 0 ||
		BufFileRead(file, source->buffer, size) != size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read a temporary file of auc")));
	BufFileTell(file, &source->rest.fileno, &source->rest.offset);
	source->rest.length -= many;
	source->next = source->buffer;
	source->end = source->buffer + many;
	return true;
}

/* Everything in a bag but what is raw, in ascending order. */
static void
stream_begin(Stream *stream, AucState *state, const Bag *bag)
{
	int			count = bag->run_count + bag->filed_count;

	stream->state = state;
	stream->count = 0;
	stream->sources = palloc0(Max(count, 1) * sizeof(Source));
	for (int i = 0; i < bag->run_count; i++)
	{
		Source	   *source = &stream->sources[stream->count++];

		source->next = bag->runs[i].entries;
		source->end = source->next + bag->runs[i].length;
	}
	for (int i = 0; i < bag->filed_count; i++)
	{
		Source	   *source = &stream->sources[stream->count++];

		source->rest = bag->filed[i];
		source->buffer = palloc(FILE_BUFFER * sizeof(ScoreCount));
		(void) source_fill(stream, source);
	}
	stream->heap = NULL;
	if (count > 1)
	{
		stream->heap = binaryheap_allocate(count, source_compare, NULL);
		for (int i = 0; i < count; i++)
			binaryheap_add_unordered(stream->heap,
									 PointerGetDatum(&stream->sources[i]));
		binaryheap_build(stream->heap);
	}
}

static inline bool
source_advance(Stream *stream, Source *source)
{
	source->next++;
	return source->next < source->end || source_fill(stream, source);
}

/* The next distinct score with its count; false where there is none. */
static inline bool
stream_next(Stream *stream, ScoreCount *entry)
{
	if (stream->heap == NULL)
	{
		Source	   *source = stream->sources;

		if (stream->count == 0)
			return false;
		*entry = *source->next;
		if (!source_advance(stream, source))
			stream->count = 0;
		return true;
	}
	if (binaryheap_empty(stream->heap))
		return false;
	entry->count = 0;
	do
	{
		Source	   *source = (Source *) DatumGetPointer(binaryheap_first(stream->heap));

		if (entry->count == 0)
			entry->key = source->next->key;
		else if (source->next->key != entry->key)
			break;
		/* bag_enlarge() saw that all together fit */
		entry->count += source->next->count;
		if (source_advance(stream, source))
			binaryheap_replace_first(stream->heap, PointerGetDatum(source));
		else
			(void) binaryheap_remove_first(stream->heap);
	} while (!binaryheap_empty(stream->heap));
	return true;
}

static void
stream_end(Stream *stream)
{
	for (int i = 0; i < stream->count; i++)
		if (stream->sources[i].buffer)
			pfree(stream->sources[i].buffer);
	if (stream->heap)
		binaryheap_free(stream->heap);
	pfree(stream->sources);
}

/* ----------------------------------------------------------------
 * Filling a bag
 * ---------------------------------------------------------------- */

static AucState *
auc_state_new(MemoryContext context)
{
	AucState   *state = MemoryContextAllocZero(context, sizeof(AucState));

	state->context = context;
	return state;
}

static void
bag_enlarge(Bag *bag, int64 by)
{
	if (unlikely(pg_add_s64_overflow(bag->total, by, &bag->total)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("auc has more scores than fit into a bigint")));
}

static Run
runs_merge(AucState *state, const Run *a, const Run *b)
{
	const ScoreCount *x = a->entries;
	const ScoreCount *x_end = x + a->length;
	const ScoreCount *y = b->entries;
	const ScoreCount *y_end = y + b->length;
	ScoreCount *to;
	Run			run;

	CHECK_FOR_INTERRUPTS();
	run.entries = MemoryContextAllocHuge(state->context,
										 (a->length + b->length) * sizeof(ScoreCount));
	to = run.entries;
	while (x < x_end && y < y_end)
	{
		if (x->key < y->key)
			*to++ = *x++;
		else if (y->key < x->key)
			*to++ = *y++;
		else
		{
			*to = *x++;
			to++->count += y++->count;
		}
	}
	while (x < x_end)
		*to++ = *x++;
	while (y < y_end)
		*to++ = *y++;
	run.length = to - run.entries;
	return run;
}

/* The two shortest runs of a bag become one. */
static void
bag_merge_last(AucState *state, Bag *bag)
{
	Run		   *a = &bag->runs[bag->run_count - 2];
	Run		   *b = &bag->runs[bag->run_count - 1];
	Run			merged = runs_merge(state, a, b);

	pfree(a->entries);
	pfree(b->entries);
	*a = merged;
	bag->run_count--;
}

/* The executor's end, and a rescan, before the context is reset. */
static void
auc_shutdown(Datum arg)
{
	AucState   *state = (AucState *) DatumGetPointer(arg);

	if (state->file)
		BufFileClose(state->file);
	state->file = NULL;
}

/* What a bag has in memory goes into the file as one run. */
static void
bag_file(FunctionCallInfo fcinfo, AucState *state, Bag *bag)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);
	FiledRun   *filed;

	while (bag->run_count > 1)
		bag_merge_last(state, bag);
	if (bag->run_count == 1)
	{
		if (state->file == NULL)
		{
			state->file = BufFileCreateTemp(false);
			AggRegisterCallback(fcinfo, auc_shutdown, PointerGetDatum(state));
		}
		if (bag->filed == NULL)
			bag->filed = palloc(sizeof(FiledRun));
		else
			bag->filed = repalloc(bag->filed,
								  (bag->filed_count + 1) * sizeof(FiledRun));
		filed = &bag->filed[bag->filed_count];
		/* not to SEEK_END: that does not see what is still in its buffer */
		if (BufFileSeek(state->file, state->end_fileno, state->end_offset,
						SEEK_SET) != 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not seek in a temporary file of auc")));
		filed->fileno = state->end_fileno;
		filed->offset = state->end_offset;
		filed->length = bag->runs[0].length;
		for (int64 done = 0; done < filed->length; done += RAW_LAST)
		{
			CHECK_FOR_INTERRUPTS();
			BufFileWrite(state->file, bag->runs[0].entries + done,
						 Min(filed->length - done, RAW_LAST) * sizeof(ScoreCount));
		}
		BufFileTell(state->file, &state->end_fileno, &state->end_offset);
		bag->filed_count++;
		pfree(bag->runs[0].entries);
		bag->run_count = 0;
	}
	MemoryContextSwitchTo(old);
}

/* A run of the state's context is added to a bag, which owns it from here. */
static void
bag_add_run(FunctionCallInfo fcinfo, AucState *state, Bag *bag, Run run)
{
	int64		held = 0;

	if (bag->run_count == RUNS)
		bag_merge_last(state, bag);
	bag->runs[bag->run_count++] = run;
	while (bag->run_count > 1 &&
		   bag->runs[bag->run_count - 2].length <
		   2 * bag->runs[bag->run_count - 1].length)
		bag_merge_last(state, bag);

	/* a window has nobody to close a file at its end */
	if (!IsA(fcinfo->context, AggState))
		return;
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < state->bags[i].run_count; j++)
			held += state->bags[i].runs[j].length;
	if (held > work_mem * INT64CONST(1024) / (int64) sizeof(ScoreCount))
		for (int i = 0; i < 2; i++)
			bag_file(fcinfo, state, &state->bags[i]);
}

/* The new scores of a bag become a run. */
static void
bag_sort(FunctionCallInfo fcinfo, AucState *state, Bag *bag)
{
	Run			run;

	CHECK_FOR_INTERRUPTS();
	if (bag->raw_length == 0)
		return;
	if (bag->raw_length < 256)
		qsort(bag->raw, bag->raw_length, sizeof(uint64), key_compare);
	else
	{
		if (state->scratch == NULL)
			state->scratch = MemoryContextAlloc(state->context,
												RAW_LAST * sizeof(uint64));
		keys_sort(bag->raw, bag->raw_length, state->scratch);
	}
	run.length = 1;
	for (int i = 1; i < bag->raw_length; i++)
		run.length += bag->raw[i] != bag->raw[i - 1];
	run.entries = MemoryContextAlloc(state->context,
									 run.length * sizeof(ScoreCount));
	for (int i = 0, to = -1; i < bag->raw_length; i++)
	{
		if (i == 0 || bag->raw[i] != bag->raw[i - 1])
		{
			run.entries[++to].key = bag->raw[i];
			run.entries[to].count = 0;
		}
		run.entries[to].count++;
	}
	bag->raw_length = 0;
	bag_add_run(fcinfo, state, bag, run);
}

/* Room for one more new score. */
static void
bag_make_room(FunctionCallInfo fcinfo, AucState *state, Bag *bag)
{
	if (bag->raw_room == RAW_LAST)
		bag_sort(fcinfo, state, bag);
	else
	{
		int			room = Max(RAW_FIRST, bag->raw_room * 4);

		if (bag->raw == NULL)
			bag->raw = MemoryContextAlloc(state->context, room * sizeof(uint64));
		else
			bag->raw = repalloc(bag->raw, room * sizeof(uint64));
		bag->raw_room = room;
	}
}

StaticAssertDecl(RAW_FIRST * 4 * 4 * 4 * 4 * 4 == RAW_LAST, "room grows to RAW_LAST");

/* ----------------------------------------------------------------
 * auc
 * ---------------------------------------------------------------- */

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo, const char *function)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s is called by its aggregate only", function)));
	return context;
}

Datum
auc_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo, "auc_accum");
	AucState   *state = PG_ARGISNULL(0) ? NULL : (AucState *) PG_GETARG_POINTER(0);
	double		score;
	Bag		   *bag;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = auc_state_new(context);
	score = PG_GETARG_FLOAT8(1);
	if (unlikely(isnan(score)))
		ereport(ERROR,
				(errcode(ERRCODE_MC_INVALID_INPUT),
				 errmsg("a score is NaN"),
				 errhint("Leave such rows out, or make their scores null: auc(score, failed) ignores nulls.")));
	bag = &state->bags[PG_GETARG_BOOL(2)];
	bag_enlarge(bag, 1);
	if (unlikely(bag->raw_length == bag->raw_room))
		bag_make_room(fcinfo, state, bag);
	bag->raw[bag->raw_length++] = score_key(score);
	PG_RETURN_POINTER(state);
}

/* Everything that a state has is in runs. */
static void
auc_sort(FunctionCallInfo fcinfo, AucState *state)
{
	for (int i = 0; i < 2; i++)
		bag_sort(fcinfo, state, &state->bags[i]);
}

Datum
auc_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo, "auc_combine");
	AucState   *state = PG_ARGISNULL(0) ? NULL : (AucState *) PG_GETARG_POINTER(0);
	AucState   *other = PG_ARGISNULL(1) ? NULL : (AucState *) PG_GETARG_POINTER(1);

	if (other == NULL)
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
		state = auc_state_new(context);
	auc_sort(fcinfo, other);
	for (int i = 0; i < 2; i++)
	{
		Bag		   *bag = &state->bags[i];
		Stream		stream;
		bool		more = true;

		bag_enlarge(bag, other->bags[i].total);
		stream_begin(&stream, other, &other->bags[i]);
		while (more)
		{
			Run			run = {NULL, 0};

			run.entries = MemoryContextAlloc(context,
											 RAW_LAST * sizeof(ScoreCount));
			while (run.length < RAW_LAST &&
				   (more = stream_next(&stream, &run.entries[run.length])))
				run.length++;
			if (run.length > 0)
				bag_add_run(fcinfo, state, bag, run);
			else
				pfree(run.entries);
		}
		stream_end(&stream);
	}
	PG_RETURN_POINTER(state);
}

/*
 * As a worker sends it: for either class the number of distinct scores, then
 * each of them with its count, 8 bytes each in network order.
 */
Datum
auc_serial(PG_FUNCTION_ARGS)
{
	AucState   *state = (AucState *) PG_GETARG_POINTER(0);
	int64		most = 2;
	StringInfoData buf;

	(void) aggregate_context(fcinfo, "auc_serial");
	auc_sort(fcinfo, state);
	for (int i = 0; i < 2; i++)
	{
		for (int j = 0; j < state->bags[i].run_count; j++)
			most += state->bags[i].runs[j].length * 2;
		for (int j = 0; j < state->bags[i].filed_count; j++)
			most += state->bags[i].filed[j].length * 2;
	}
	pq_begintypsend(&buf);
	if (most > (int64) ((MaxAllocSize - 1024) / sizeof(uint64)))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("auc has too many different scores for a parallel query"),
				 errhint("Round the scores, or SET max_parallel_workers_per_gather = 0.")));
	enlargeStringInfo(&buf, (int) (most * sizeof(uint64)));
	for (int i = 0; i < 2; i++)
	{
		int			start = buf.len;
		uint64		distinct = 0;
		Stream		stream;
		ScoreCount	entry;

		pq_writeint64(&buf, 0);
		stream_begin(&stream, state, &state->bags[i]);
		while (stream_next(&stream, &entry))
		{
			pq_writeint64(&buf, entry.key);
			pq_writeint64(&buf, (uint64) entry.count);
			distinct++;
		}
		stream_end(&stream);
		distinct = pg_hton64(distinct);
		memcpy(buf.data + start, &distinct, sizeof(distinct));
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

pg_noreturn static void
auc_damaged(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("a partial result of auc is damaged")));
}

/* It may come from another server, so nothing in it is taken for granted. */
Datum
auc_deserial(PG_FUNCTION_ARGS)
{
	bytea	   *sent = PG_GETARG_BYTEA_PP(0);
	AucState   *state;
	StringInfoData buf;

	(void) aggregate_context(fcinfo, "auc_deserial");
	buf.data = VARDATA_ANY(sent);
	buf.len = VARSIZE_ANY_EXHDR(sent);
	buf.maxlen = buf.len;
	buf.cursor = 0;
	state = auc_state_new(CurrentMemoryContext);
	for (int i = 0; i < 2; i++)
	{
		Bag		   *bag = &state->bags[i];
		uint64		distinct;
		Run			run;

		if (buf.len - buf.cursor < (int) sizeof(uint64))
			auc_damaged();
		distinct = (uint64) pq_getmsgint64(&buf);
		if (distinct > (uint64) (buf.len - buf.cursor) / sizeof(ScoreCount))
			auc_damaged();
		if (distinct == 0)
			continue;
		run.length = (int64) distinct;
		run.entries = palloc(distinct * sizeof(ScoreCount));
		for (int64 j = 0; j < run.length; j++)
		{
			ScoreCount *entry = &run.entries[j];

			entry->key = (uint64) pq_getmsgint64(&buf);
			entry->count = pq_getmsgint64(&buf);
			if (!score_key_is_possible(entry->key) || entry->count <= 0 ||
				(j > 0 && entry->key <= entry[-1].key))
				auc_damaged();
			bag_enlarge(bag, entry->count);
		}
		bag->runs[bag->run_count++] = run;
	}
	if (buf.cursor != buf.len)
		auc_damaged();
	PG_RETURN_POINTER(state);
}

/* 128 bits: sum += a * b */
static inline void
product_add(uint64 *high, uint64 *low, uint64 a, uint64 b)
{
	uint64		product_high = 0;
	uint64		product_low = a * b;

	if (unlikely(((a | b) >> 32) != 0))
	{
		uint64		a_high = a >> 32;
		uint64		a_low = a & PG_UINT32_MAX;
		uint64		b_high = b >> 32;
		uint64		b_low = b & PG_UINT32_MAX;
		uint64		middle = a_high * b_low + ((a_low * b_low) >> 32);

		product_high = a_high * b_high + (middle >> 32) +
			((a_low * b_high + (middle & PG_UINT32_MAX)) >> 32);
	}
	*low += product_low;
	*high += product_high + (*low < product_low);
}

static double
wide_to_double(uint64 high, uint64 low)
{
	return ldexp((double) high, 64) + (double) low;
}

/*
 * Twice the statistic is the sum, over the scores of what failed, of twice the
 * number of lower scores of what did not plus that of the same.  It is below
 * 2^127.  What this sorts, files or merges stays valid for more scores.
 */
Datum
auc_final(PG_FUNCTION_ARGS)
{
	AucState   *state = PG_ARGISNULL(0) ? NULL : (AucState *) PG_GETARG_POINTER(0);
	Stream		ok;
	Stream		failed;
	ScoreCount	ok_entry;
	ScoreCount	entry;
	bool		ok_more;
	uint64		below = 0;
	uint64		high = 0;
	uint64		low = 0;
	uint64		pairs_high = 0;
	uint64		pairs_low = 0;
	double		result;

	(void) aggregate_context(fcinfo, "auc_final");
	if (state == NULL || state->bags[0].total == 0 || state->bags[1].total == 0)
		PG_RETURN_NULL();
	auc_sort(fcinfo, state);
	stream_begin(&ok, state, &state->bags[0]);
	stream_begin(&failed, state, &state->bags[1]);
	ok_more = stream_next(&ok, &ok_entry);
	while (stream_next(&failed, &entry))
	{
		uint64		same = 0;

		while (ok_more && ok_entry.key < entry.key)
		{
			below += ok_entry.count;
			ok_more = stream_next(&ok, &ok_entry);
		}
		if (ok_more && ok_entry.key == entry.key)
			same = ok_entry.count;
		product_add(&high, &low, entry.count, 2 * below + same);
	}
	stream_end(&ok);
	stream_end(&failed);
	product_add(&pairs_high, &pairs_low, state->bags[0].total,
				2 * (uint64) state->bags[1].total);
	result = wide_to_double(high, low) / wide_to_double(pairs_high, pairs_low);
	PG_RETURN_FLOAT8(Min(result, 1.0));
}
