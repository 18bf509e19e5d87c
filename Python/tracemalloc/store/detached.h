/* What detached threads counted: see detached.c. */

#ifndef TRACEMALLOC_DETACHED_H
#define TRACEMALLOC_DETACHED_H

#include "call_tree.h"

struct traced_bytes;

/* What detached threads counted for a context since somebody with access
   looked; all modulo 2**64. */
struct detached_count {
    context_id context;
    uint32_t epoch;
    uint64_t allocated_blocks;
    uint64_t allocated_bytes;
    uint64_t freed_blocks;
    uint64_t freed_bytes;
    /* What was live at the maximum of the list, if `epoch` is the list's;
       otherwise it is what is live now. */
    uint64_t peak_blocks;
    uint64_t peak_bytes;
};

struct detached_counts {
    struct detached_count *counts;
    size_t used;
    size_t allocated;
    size_t bytes;               /* more is live than without the list, or,
                                   modulo 2**64, less */
    size_t peak;                /* highest value of `bytes`; >= 0 */
    uint32_t epoch;             /* as in struct traced_bytes */
    uint32_t saved;
};

/* Empty a list, which zeros alone are not; and free its memory too. */
PART void tm_clear_detached(struct detached_counts *);
PART void tm_fini_detached(struct detached_counts *);

/* As tm_count_alloc(), tm_count_free() and tm_uncount_free(): 0, or -1 when out of
   memory, and then nothing is counted. */
PART int tm_count_detached_alloc(struct detached_counts *,
                                 context_id, size_t size);
PART int tm_count_detached_free(struct detached_counts *,
                                context_id, size_t size);
PART int tm_uncount_detached_free(struct detached_counts *,
                                  context_id, size_t size);

/* Take a list over, and empty it.  Needs access. */
PART void tm_take_detached(struct detached_counts *,
                           struct call_tree *,
                           struct traced_bytes *);

#endif  /* !TRACEMALLOC_DETACHED_H */
