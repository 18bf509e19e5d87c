/* Sampled blocks: what is done with a block once it is known to be a sample.

   Called by the allocators in allocators.c.h and by capi.c; calls capture and
   the block stores.

   Samples lie where all blocks lie when all are noted: in cells and tables.
   So what reads the store need not know about sampling, but that counters are
   weights (sampler.c), and one block stands for several.

   An object that comes from a free list belongs to who takes it now: its
   sample moves there with its weight, as if it had been allocated there.
   Nothing is counted as freed, since nothing came from an allocator; to count
   it as another allocation would make the figures of a free list hang on
   whether one of its few blocks is a sample.

   Needs the store lock throughout, which is access when sampling. */

#include "Python.h"
#include "pycore_object.h"        // _PyType_PreHeaderSize()
#include "pycore_tracemalloc.h"
#include "../access.h"
#include "../capture/capture.h"
#include "../hooks/admission.h"
#include "../hooks/blocks.h"
#include "../hooks/objects.h"
#include "../hooks/pymalloc.h"
#include "allocators.h"
#include "count_sample.h"
#include "sampled_blocks.h"

#define S (&_PyTraceMalloc_State)


/* --- blocks without a cell ----------------------------------------------- */

void
_PyTraceMalloc_NoteSample(struct block_table *table, uint32_t domain,
                          uintptr_t address, size_t size)
{
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_NONE) {
        return;
    }
    /* Not sampling: tracing began anew just now. */
    if (access == ACCESS_SAMPLING
        && _PyTraceMalloc_NoteBlock(table, domain, address, size, access) == 0)
    {
        _PyTraceMalloc_AddToPages(&S->sampler, address);
        tm_set_fresh((void *)address);
        if (domain == DEFAULT_DOMAIN && S->foreign) {
            _PyTraceMalloc_WatchPool(address);
        }
    }
    tm_end_locked();
}


/* Forget a block of a table: 1, or 0 if it is not known. */
static int
sample_forget_lock_held(struct block_table *table, uint32_t domain,
                        uintptr_t address, struct block *removed)
{
    if (!_PyTraceMalloc_ForgetBlock(table, domain, address, removed,
                                    ACCESS_SAMPLING))
    {
        return 0;
    }
    _PyTraceMalloc_TakeFromPages(&S->sampler, address);
    return 1;
}


void
_PyTraceMalloc_LiftSample(struct block_table *table, uintptr_t address,
                          struct lifted *lifted)
{
    lifted->present = 0;
    if (address == 0 || !tm_sampler_may_have(&S->sampler, address)) {
        return;
    }
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_NONE) {
        return;
    }
    if (access == ACCESS_SAMPLING) {
        lifted->present = sample_forget_lock_held(table, DEFAULT_DOMAIN,
                                                  address, &lifted->block);
        lifted->generation = S->tree.generation;
    }
    tm_end_locked();
    if (lifted->present) {
        _PyTraceMalloc_ShowLifted(lifted);
    }
}


void
_PyTraceMalloc_PutBackSample(struct block_table *table,
                             const struct lifted *lifted)
{
    if (!lifted->present) {
        return;
    }
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_NONE) {
        return;
    }
    const struct block *block = &lifted->block;
    if (access == ACCESS_SAMPLING
        && lifted->generation == S->tree.generation)
    {
        if (_PyTraceMalloc_ReserveBlock(table, block) == 0) {
            _PyTraceMalloc_AddBlock(table, block);
            _PyTraceMalloc_AddToPages(&S->sampler, block->address);
            _PyTraceMalloc_UncountSampleFree(block->context, block->size);
        }
        else {
            S->dropped++;
        }
    }
    tm_end_locked();
}


/* --- what extensions report ---------------------------------------------- */

static void
tracked_forget_lock_held(uint32_t domain, uintptr_t address)
{
    struct block removed;
    if (!tm_sampler_may_have(&S->sampler, address)) {
        return;
    }
    if (!sample_forget_lock_held(&S->raw, domain, address, &removed)
        && domain == DEFAULT_DOMAIN
        && !_PyTraceMalloc_ForgetSampledCell(address))
    {
        sample_forget_lock_held(&S->large, domain, address, &removed);
    }
}


PART int
tm_track_sample(uint32_t domain, uintptr_t address, size_t size)
{
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_NONE) {
        return -2;
    }
    if (access == ACCESS_SAMPLING) {
        /* Reported again: what was known of it is over. */
        tracked_forget_lock_held(domain, address);
        S->foreign |= domain == DEFAULT_DOMAIN;
    }
    tm_end_locked();
    if (_PyTraceMalloc_IsSampleDue(size)) {
        _PyTraceMalloc_NoteSample(&S->raw, domain, address, size);
    }
    return 0;
}


PART int
tm_untrack_sample(uint32_t domain, uintptr_t address)
{
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_NONE) {
        return -2;
    }
    if (access == ACCESS_SAMPLING) {
        tracked_forget_lock_held(domain, address);
    }
    tm_end_locked();
    return 0;
}


/* --- objects ------------------------------------------------------------- */

static void
object_move_lock_held(PyObject *op)
{
    uintptr_t address = _PyTraceMalloc_BlockOfObject(op);
    if (_PyTraceMalloc_MoveSampledCell(address)) {
        return;
    }
    struct block_table *table = &S->large;
    struct block block, removed;
    if (!tm_find_block(table, DEFAULT_DOMAIN, address, &block)) {
        table = &S->raw;
        if (!tm_find_block(table, DEFAULT_DOMAIN, address, &block)) {
            return;
        }
    }
    const struct site *site = tm_capture(_PyThreadState_GET(),
                                         ACCESS_SAMPLING);
    if (tm_is_watched()
        && !_PyTraceMalloc_IsAdmitted(site, ACCESS_SAMPLING))
    {
        (void)sample_forget_lock_held(table, DEFAULT_DOMAIN, address,
                                      &removed);
    }
    else if (site != NULL
             && _PyTraceMalloc_MoveSample(block.context, tm_site_context(site),
                                          block.size) == 0)
    {
        tm_set_block_context(table, DEFAULT_DOMAIN, address,
                             tm_site_context(site));
    }
    else if (!tm_is_quiet(_PyThreadState_GET())) {
        /* Who had it before has let go of it. */
        (void)sample_forget_lock_held(table, DEFAULT_DOMAIN, address,
                                      &removed);
        S->dropped++;
    }
}


void
_PyTraceMalloc_MoveSampledObject(PyObject *op)
{
    static_assert(SAMPLE_HEADER >= 2 * sizeof(PyGC_Head),
                  "an object may begin in the page behind its block's");
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_NONE) {
        return;
    }
    if (access == ACCESS_SAMPLING) {
        object_move_lock_held(op);
    }
    tm_end_locked();
}


/* --- tests --------------------------------------------------------------- */

int
_PyTraceMalloc_SeedSampling(uint64_t seed)
{
    if (_PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
        return 0;
    }
    int sampling = tm_is_sampling();
    if (sampling) {
        tm_seed_sampler(&S->sampler, seed);
        _PyTraceMalloc_InterruptGap();
    }
    tm_end_locked();
    return sampling;
}
