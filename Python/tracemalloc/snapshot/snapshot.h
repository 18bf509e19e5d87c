/* Snapshots: contexts and blocks at one moment, in columns; plain C.

   A snapshot has three tables, whose rows are told apart by numbers from 0:

       paths      call paths, as a tree.  Path 0 is the root, without a frame;
                  a path's caller has a smaller number
       contexts   what ever allocated, with what was counted there
       rows       how many live blocks of one size there are in one context,
                  sorted by context, then by size; or one row for each live
                  block, with its address, in the order of block_walk.h

   Each column is an array, NULL if it belongs to a part that was not asked
   for.  Columns of names, threads and accounts hold numbers of names.

   Copying needs access to the store; a snapshot that is finished needs nothing
   but itself, however the store goes on. */

#ifndef TRACEMALLOC_SNAPSHOT_H
#define TRACEMALLOC_SNAPSHOT_H

#include "../sampler/sampler.h"
#include "../store/counting.h"
#include "../store/code_table.h"
#include "block_walk.h"

/* What a snapshot can have besides paths and contexts. */
enum snapshot_parts {
    SNAPSHOT_COUNTERS = 1,      /* what contexts counted */
    SNAPSHOT_LOCATIONS = 2,     /* where in their lines contexts allocate */
    SNAPSHOT_ERRORS = 4,        /* standard errors, of samples only */
    SNAPSHOT_ROWS = 8,          /* rows of blocks of one size */
    SNAPSHOT_BLOCKS = 16,       /* or rows of single blocks */
};

/* COLUMN(table, name, type): all columns, by part. */
#define SNAPSHOT_PATH_COLUMNS(COLUMN) \
    COLUMN(path, parent, uint32_t) \
    COLUMN(path, file, uint32_t) \
    COLUMN(path, function, uint32_t) \
    COLUMN(path, line, int32_t)

#define SNAPSHOT_CONTEXT_COLUMNS(COLUMN) \
    COLUMN(context, path, uint32_t) \
    COLUMN(context, file, uint32_t) \
    COLUMN(context, function, uint32_t) \
    COLUMN(context, line, int32_t) \
    COLUMN(context, domain, uint32_t) \
    COLUMN(context, thread, uint32_t) \
    COLUMN(context, depth, uint32_t)

/* If there are accounts. */
#define SNAPSHOT_ACCOUNT_COLUMNS(COLUMN) \
    COLUMN(context, account, uint32_t)

#define SNAPSHOT_LOCATION_COLUMNS(COLUMN) \
    COLUMN(context, end_line, int32_t) \
    COLUMN(context, column, int32_t) \
    COLUMN(context, end_column, int32_t)

#define SNAPSHOT_COUNTER_COLUMNS(COLUMN) \
    COLUMN(context, allocated_blocks, uint64_t) \
    COLUMN(context, allocated_bytes, uint64_t) \
    COLUMN(context, freed_blocks, uint64_t) \
    COLUMN(context, freed_bytes, uint64_t) \
    COLUMN(context, peak_blocks, uint64_t) \
    COLUMN(context, peak_bytes, uint64_t)

#define SNAPSHOT_ROW_COLUMNS(COLUMN) \
    COLUMN(row, context, uint32_t) \
    COLUMN(row, size, uint64_t)

#define SNAPSHOT_COUNT_COLUMNS(COLUMN) \
    COLUMN(row, count, uint64_t)

/* What Python sees. */
#define SNAPSHOT_COLUMNS(COLUMN) \
    SNAPSHOT_PATH_COLUMNS(COLUMN) \
    SNAPSHOT_CONTEXT_COLUMNS(COLUMN) \
    SNAPSHOT_ACCOUNT_COLUMNS(COLUMN) \
    SNAPSHOT_LOCATION_COLUMNS(COLUMN) \
    SNAPSHOT_COUNTER_COLUMNS(COLUMN) \
    SNAPSHOT_ROW_COLUMNS(COLUMN) \
    SNAPSHOT_COUNT_COLUMNS(COLUMN)

/* What only lists are made of. */
#define SNAPSHOT_ADDRESS_COLUMNS(COLUMN) \
    COLUMN(row, address, uintptr_t)

#define SNAPSHOT_ERROR_COLUMNS(COLUMN) \
    COLUMN(context, live_blocks_error, double) \
    COLUMN(context, live_bytes_error, double) \
    COLUMN(context, allocated_blocks_error, double) \
    COLUMN(context, allocated_bytes_error, double)

#define SNAPSHOT_ALL_COLUMNS(COLUMN) \
    SNAPSHOT_COLUMNS(COLUMN) \
    SNAPSHOT_ADDRESS_COLUMNS(COLUMN) \
    SNAPSHOT_ERROR_COLUMNS(COLUMN)

struct snapshot_draft;

struct snapshot {
    size_t npaths;
    size_t ncontexts;
    size_t nrows;
#define COLUMN(table, name, type) type *table##_##name;
    SNAPSHOT_ALL_COLUMNS(COLUMN)
#undef COLUMN
    /* Names of files and functions, copied.  Number 0 is empty, and NULL, like
       the one of contexts without a frame. */
    size_t nnames;
    const struct name **names;
    char *text;                 /* where they lie */
    size_t text_size;
    /* Numbers from nnames on are threads: their slots.  Number 0 is no
       thread's: that of contexts without a frame.  Behind threads come
       accounts; number 0 is no account's either. */
    size_t nthreads;
    uint32_t *threads;
    size_t naccounts;
    uint32_t *accounts;
    struct snapshot_draft *draft;       /* until it is finished */
};

/* What a snapshot is taken of. */
struct snapshot_source {
    int parts;                  /* enum snapshot_parts */
    const struct code_table *codes;
    const struct call_tree *tree;
    const struct traced_bytes *bytes;
    const struct sampler *sampler;      /* NULL: every block is noted */
    context_id hidden;          /* left out, with its blocks; or
                                   CONTEXT_NONE */
    struct block_stores blocks;
};

/* Copy what must not change meanwhile: 0, or -1 when out of memory.  Needs
   access to all of it. */
PART int tm_take_snapshot(struct snapshot *, const struct snapshot_source *);

/* Complete the columns, with no need for anything else: 0, or -1 when out of
   memory, and it is freed. */
PART int tm_finish_snapshot(struct snapshot *);

PART void tm_free_snapshot(struct snapshot *);

/* What a context counted, as it is shown: with samples, for what they stand
   for.  `sampler` is NULL if every block is noted. */
PART struct counters tm_shown_counters(const struct context *,
                                       const struct traced_bytes *,
                                       const struct sampler *);

/* Whether a context has a frame of its own. */
static inline int
tm_context_has_frame(const struct snapshot *snapshot, size_t number)
{
    return snapshot->context_thread[number] != 0;
}

#endif  /* !TRACEMALLOC_SNAPSHOT_H */
