/* Counting of samples: see count_sample.c. */

#ifndef TRACEMALLOC_COUNT_SAMPLE_H
#define TRACEMALLOC_COUNT_SAMPLE_H

#include "../state.h"

/* As tm_count_alloc() and the like, for a sample of a size: 0, or -1 when out
   of memory.  Need the store lock. */
extern int _PyTraceMalloc_CountSample(context_id, size_t size);
extern void _PyTraceMalloc_CountSampleFree(context_id, size_t size);
extern void _PyTraceMalloc_UncountSampleFree(context_id, size_t size);
extern int _PyTraceMalloc_MoveSample(context_id from, context_id to,
                                     size_t size);

#endif  /* !TRACEMALLOC_COUNT_SAMPLE_H */
