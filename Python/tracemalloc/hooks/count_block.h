/* Counting of blocks: see count_block.c.  Need access, or the store lock in a
   detached thread. */

#ifndef TRACEMALLOC_COUNT_BLOCK_H
#define TRACEMALLOC_COUNT_BLOCK_H

#include "../state.h"

/* Count a block that was noted: 0, or -1 when out of memory. */
PART int tm_count_block(context_id id, size_t size, enum access access);

/* Count one that was forgotten; and one that was, but is still there: 0, or -1
   when out of memory. */
PART void tm_count_block_free(context_id id, size_t size, enum access access);
PART int tm_count_block_kept(context_id id, size_t size, enum access access);

/* A trace is lost. */
extern void _PyTraceMalloc_CountDrop(enum access access);

#endif  /* !TRACEMALLOC_COUNT_BLOCK_H */
