/* Snapshots: a snapshot in columns, plain C; see Python/tracemalloc_picture.c.

   A snapshot has three tables, whose rows are told apart by numbers from 0:

       paths      call paths, as a tree.  Path 0 is the root, without a frame;
                  a path's caller has a smaller number
       contexts   what ever allocated, with what was counted there
       rows       how many live blocks of one size there are in one context,
                  sorted by context, then by size

   Each column is an array.  Columns of names and threads hold numbers of
   names. */

#ifndef TRACEMALLOC_SNAPSHOT_H
#define TRACEMALLOC_SNAPSHOT_H

#include "../sampler/sampler.h"
#include "../store/block_table.h"
#include "../store/cells.h"
#include "../store/counting.h"
#include "../store/code_table.h"

/* COLUMN(table, name, type): all columns. */
#define SNAPSHOT_PATHS(COLUMN) \
    COLUMN(path, parent, uint32_t) \
    COLUMN(path, file, uint32_t) \
    COLUMN(path, function, uint32_t) \
    COLUMN(path, line, int32_t)

#define SNAPSHOT_CONTEXTS(COLUMN) \
    COLUMN(context, path, uint32_t) \
    COLUMN(context, file, uint32_t) \
    COLUMN(context, function, uint32_t) \
    COLUMN(context, line, int32_t) \
    COLUMN(context, end_line, int32_t) \
    COLUMN(context, column, int32_t) \
    COLUMN(context, end_column, int32_t) \
    COLUMN(context, domain, uint32_t) \
    COLUMN(context, thread, uint32_t) \
    COLUMN(context, depth, uint32_t) \
    COLUMN(context, allocated_blocks, uint64_t) \
    COLUMN(context, allocated_bytes, uint64_t) \
    COLUMN(context, freed_blocks, uint64_t) \
    COLUMN(context, freed_bytes, uint64_t) \
    COLUMN(context, peak_blocks, uint64_t) \
    COLUMN(context, peak_bytes, uint64_t)

#define SNAPSHOT_ROWS(COLUMN) \
    COLUMN(row, context, uint32_t) \
    COLUMN(row, size, uint64_t) \
    COLUMN(row, count, uint64_t)

#define SNAPSHOT_COLUMNS(COLUMN) \
    SNAPSHOT_PATHS(COLUMN) \
    SNAPSHOT_CONTEXTS(COLUMN) \
    SNAPSHOT_ROWS(COLUMN)

struct snapshot_draft;

struct snapshot {
    size_t npaths;
    size_t ncontexts;
    size_t nrows;
#define COLUMN(table, name, type) type *table##_##name;
    SNAPSHOT_COLUMNS(COLUMN)
#undef COLUMN
    /* Names of files and functions, copied.  Number 0 is empty, and NULL, like
       the one of contexts without a frame. */
    size_t nnames;
    const struct name **names;
    char *text;                 /* where they lie */
    size_t text_size;
    /* Numbers from nnames on are threads: the line of their root.  Number 0
       is no thread's: that of contexts without a frame. */
    size_t nthreads;
    uint32_t *threads;
    struct snapshot_draft *draft;    /* until it is finished */
};

/* What a snapshot is taken of. */
struct snapshot_source {
    const struct code_table *codes;
    const struct call_tree *tree;
    const struct traced_bytes *bytes;
    const struct sampler *sampler;      /* NULL: every block is noted */
    context_id hidden;          /* left out, with its blocks; or CONTEXT_NONE */
    int rows;                   /* whether there shall be rows */
    const struct cell_store *cells;
    size_t cell_unit;           /* blocks of size class n take n + 1 of them */
    const struct block_table *tables[2];
};

/* Copy what must not change meanwhile: 0, or -1 when out of memory.  Needs
   access to all of it. */
PART int tm_take_snapshot(struct snapshot *,
                          const struct snapshot_source *);

/* Complete the columns, with no need for anything else: 0, or -1 when out of
   memory, and it is freed. */
PART int tm_finish_snapshot(struct snapshot *);

PART void tm_free_snapshot(struct snapshot *);

#endif  /* !TRACEMALLOC_SNAPSHOT_H */
