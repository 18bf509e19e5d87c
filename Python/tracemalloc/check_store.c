/* The checker: whether everything in the store agrees with everything else.

   Called by `_tracemalloc._check()`, for tests; calls the checker of each
   part, which says what is wrong within, and compares what they add up. */

#include "Python.h"
#include "access.h"
#include "check_store.h"
#include "hooks/pymalloc.h"
#include "sampler/allocators.h"
#include "snapshot/taking.h"

#define S (&_PyTraceMalloc_State)


/* NULL, or what is wrong; puts weights in the place of numbers of blocks. */
static const char *
samples_check_lock_held(struct live_sums *live)
{
    const struct sampler *sampler = &S->sampler;
    const struct block_stores stores = tm_block_stores();
    struct block_walk walk = tm_walk_blocks(&stores);
    struct block sample;
    memset(live, 0, S->tree.contexts.used * sizeof(live[0]));
    while (tm_next_block(&walk, &sample)) {
        struct sample_weight weight = tm_weigh_sample(sampler, sample.size);
        live[sample.context].blocks += weight.blocks;
        live[sample.context].bytes += weight.bytes;
        if (sample.context >= sampler->nspreads) {
            return "samples: a context has no spread";
        }
        size_t header = sample.size > SAMPLE_HEADER ? SAMPLE_HEADER : 0;
        if (!tm_sampler_may_have(sampler, sample.address)
            || !tm_sampler_may_have(sampler, sample.address + header))
        {
            return "samples: a page is not marked";
        }
    }
    return _PyTraceMalloc_CheckSampledRows();
}


/* NULL, or what is wrong within a part; adds up what is live. */
static const char *
parts_check_lock_held(struct live_sums *live)
{
    const struct call_tree *tree = &S->tree;
    const char *fault = tm_check_tree(tree);
    if (fault == NULL) {
        fault = _PyTraceMalloc_CheckCells(live);
    }
    if (fault == NULL) {
        fault = tm_check_blocks(&S->large, tree, live);
    }
    if (fault == NULL) {
        fault = tm_check_blocks(&S->raw, tree, live);
    }
    if (fault == NULL) {
        fault = tm_check_filters(&S->filters, &S->codes, tree);
    }
    if (fault == NULL && tm_is_sampling()) {
        fault = samples_check_lock_held(live);
    }
    return fault;
}


/* NULL, or which sums of all contexts are wrong. */
static const char *
sums_check_lock_held(const struct live_sums *live)
{
    const struct call_tree *tree = &S->tree;
    uint64_t current = 0, peak = 0;
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        const struct context *context = tm_context_at(tree, id);
        struct counters totals = tm_context_totals(context, &S->bytes);
        uint64_t blocks = totals.allocated_blocks - totals.freed_blocks;
        uint64_t bytes = totals.allocated_bytes - totals.freed_bytes;
        current += bytes;
        peak += totals.peak_bytes;
        if (live[id].blocks != blocks || live[id].bytes != bytes) {
            return "the counters of a context differ from its blocks";
        }
    }
    if (current != tm_bytes_current(&S->bytes)) {
        return "traced memory is not the sum over all contexts";
    }
    if (peak != S->bytes.peak) {
        return "the peak is not the sum over all contexts at that time";
    }
    return NULL;
}


const char *
_PyTraceMalloc_CheckStore(void)
{
    if (_PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
        return NULL;
    }
    const char *fault = "no memory for the check";
    struct live_sums *live = calloc(S->tree.contexts.used,
                                    sizeof(live[0]));
    if (live != NULL) {
        fault = parts_check_lock_held(live);
        if (fault == NULL) {
            fault = sums_check_lock_held(live);
        }
        free(live);
    }
    tm_end_locked();
    return fault;
}
