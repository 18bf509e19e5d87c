/* What is done with samples: see sampled_blocks.c. */

#ifndef TRACEMALLOC_SAMPLED_BLOCKS_H
#define TRACEMALLOC_SAMPLED_BLOCKS_H

#include "../hooks/blocks.h"
#include "../hooks/hooks.h"

/* A block without a cell becomes a sample. */
extern void _PyTraceMalloc_NoteSample(struct block_table *, uint32_t domain,
                                      uintptr_t address, size_t size);

/* It goes, if it was one; and stays after all. */
extern void _PyTraceMalloc_LiftSample(struct block_table *, uintptr_t address,
                                      struct lifted *);
extern void _PyTraceMalloc_PutBackSample(struct block_table *,
                                         const struct lifted *);

/* As the public functions, when sampling. */
PART int tm_track_sample(uint32_t domain, uintptr_t address,
                         size_t size);
PART int tm_untrack_sample(uint32_t domain, uintptr_t address);

/* An object that begins in a page with samples was taken from a free list, or
   just allocated. */
extern void _PyTraceMalloc_MoveSampledObject(PyObject *);

/* Draw all gaps anew, from a seed: for tests.  1, or 0 when not sampling. */
extern int _PyTraceMalloc_SeedSampling(uint64_t seed);

#endif  /* !TRACEMALLOC_SAMPLED_BLOCKS_H */
