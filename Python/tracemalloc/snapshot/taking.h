/* Snapshots of the tracer's store: see taking.c. */

#ifndef TRACEMALLOC_TAKING_H
#define TRACEMALLOC_TAKING_H

#include "snapshot.h"

/* Where the tracer keeps its blocks. */
PART struct block_stores tm_block_stores(void);

/* Take a snapshot without the library's own blocks, that is to be finished: 0,
   or -1 when out of memory.  Needs access and the lock. */
PART int tm_take_store_lock_held(struct snapshot *, int parts);

/* Take and finish one: with `parts`, or `sampled` when sampling.  1, 0 if
   there is no tracing or nothing to take, or -1 with an exception set. */
PART int tm_take_store(struct snapshot *, int parts, int sampled);

#endif  /* !TRACEMALLOC_TAKING_H */
