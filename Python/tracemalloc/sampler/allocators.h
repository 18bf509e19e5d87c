/* Allocators that take samples, a part of obmalloc.c: see
   allocators.c.h. */

#ifndef TRACEMALLOC_ALLOCATORS_H
#define TRACEMALLOC_ALLOCATORS_H

#include "../hooks/hooks.h"

/* Put the functions that take samples into `sampled`. */
extern void _PyTraceMalloc_UseSampling(struct hook *,
                                       PyMemAllocatorEx *sampled);

/* Let the calling thread's next allocation look at its state. */
extern void _PyTraceMalloc_InterruptGap(void);

/* Whether the next block, of so many bytes, is to be a sample. */
extern int _PyTraceMalloc_IsSampleDue(size_t size);

/* The cell at an address, if there is one that is not empty: forget it, or let
   it belong to the calling line: 1, or 0.  Need the store lock. */
extern int _PyTraceMalloc_ForgetSampledCell(uintptr_t address);
extern int _PyTraceMalloc_MoveSampledCell(uintptr_t address);

/* Let whoever frees the block at an address look for it in the tables. */
extern void _PyTraceMalloc_WatchPool(uintptr_t address);

/* Take all rows away from their pools. */
extern void _PyTraceMalloc_FreeSampledCells(void);

/* NULL, or what is wrong with rows. */
extern const char *_PyTraceMalloc_CheckSampledRows(void);

#endif  /* !TRACEMALLOC_ALLOCATORS_H */
