/* A copy of one trace: see trace_copy.c. */

#ifndef TRACEMALLOC_TRACE_COPY_H
#define TRACEMALLOC_TRACE_COPY_H

#include "../store/block_table.h"
#include "../store/code_table.h"
#include "../store/locations.h"

struct frame_copy {
    const struct name *file;
    const struct name *function;        /* NULL: not known */
    int32_t line;
};

struct trace_copy {
    size_t size;                /* of the block */
    size_t nframes;             /* 0: it was allocated where there is none */
    struct frame_copy *frames;  /* newest first */
    struct location where;      /* of the instruction that allocated */
    struct name_table *names;   /* holds a reference, which keeps the names */
};

/* Copy a block and at most `limit` of its frames, and, if `locate`, where the
   instruction stands: 0, or -1 when out of memory.  Needs the store lock. */
PART int tm_copy_trace(struct trace_copy *, const struct code_table *,
                       const struct call_tree *, const struct block *,
                       uint32_t limit, int locate);

/* Needs the store lock. */
PART void tm_free_trace(struct trace_copy *);

#endif  /* !TRACEMALLOC_TRACE_COPY_H */
