/* Figures of the whole store: see figures.c. */

#ifndef TRACEMALLOC_FIGURES_H
#define TRACEMALLOC_FIGURES_H

#include "core.h"

/* All of these are 0 when not tracing, and take the store lock. */

/* Traced bytes, now and at most. */
extern void _PyTraceMalloc_GetTracedMemory(size_t *current, size_t *peak);

/* Let what is traced now be the most. */
extern void _PyTraceMalloc_StartPeakAgain(void);

/* Bytes of the tracer's own data; and how many of them wait to be used. */
extern size_t _PyTraceMalloc_GetOwnMemory(void);
PART void tm_get_room(size_t *size, size_t *room);

/* The first of these, for who holds the store lock while tracing is on. */
PART size_t tm_store_size_lock_held(void);

/* Bytes from sample to sample, in the mean; 0 when every block is noted. */
extern uint64_t _PyTraceMalloc_GetSampleInterval(void);

/* Traces that were lost for want of memory. */
extern uint64_t _PyTraceMalloc_GetDropped(void);

/* How many of each kind there are. */
struct store_counts {
    uint64_t contexts, nodes;
    size_t codes, names;
    uint64_t contexts_made, nodes_made;         /* ever */
    uint64_t blocks, blocks_made;
};

/* 1, or 0 when not tracing.  O(contexts). */
extern int _PyTraceMalloc_GetCounts(struct store_counts *);

#endif  /* !TRACEMALLOC_FIGURES_H */
