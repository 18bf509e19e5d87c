/* What is done with samples: see
   sampled_blocks.c. */

#ifndef TRACEMALLOC_SAMPLED_BLOCKS_H
#define TRACEMALLOC_SAMPLED_BLOCKS_H

#include "../hooks/hooks.h"

/* Counting, for samples of a size: 0, or -1 when out of memory.  Need the
   store lock. */
extern int _PyTraceMalloc_CountSample(context_id, size_t size);
extern void _PyTraceMalloc_CountSampleFree(context_id, size_t size);
extern void _PyTraceMalloc_UncountSampleFree(context_id, size_t size);
extern int _PyTraceMalloc_MoveSample(context_id from, context_id to,
                                     size_t size);

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

/* Standard errors of what a context is estimated to have. */
struct context_errors {
    double live_blocks;
    double live_bytes;
    double allocated_blocks;
    double allocated_bytes;
};

/* Fill in errors[context_id], for all contexts, from all live samples. */
extern void _PyTraceMalloc_CopyErrors(struct context_errors *errors,
                                      size_t ncontexts,
                                      const struct block *samples, size_t n);

/* Sort samples by context and size, and let one of each stand for all blocks
   of its kind: `address` is their estimated number, at least 1.  The number of
   kinds. */
extern size_t _PyTraceMalloc_GroupSamples(struct block *samples, size_t n);

/* NULL, or what is wrong with a copy of all live samples; stores what contexts
   should have into live[context]. */
extern const char *_PyTraceMalloc_CheckSamples(const struct block *samples,
                                               size_t n,
                                               struct live_sums *live);

#endif  /* !TRACEMALLOC_SAMPLED_BLOCKS_H */
