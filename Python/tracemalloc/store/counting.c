/* Counting: what is too rare for counting.h.

   Called by what frees without access (tm_count_lost), by reclaim, by who
   resets the peak, and by who looks; calls nobody. */

#include "counting.h"


static struct counters
some_counters(const struct some *some)
{
    return (struct counters){
        .allocated_blocks = some->allocated_blocks,
        .freed_blocks = some->freed_blocks,
        .allocated_bytes = some->allocated_bytes,
        .freed_bytes = some->freed_bytes,
        .peak_blocks = some->peak_blocks,
        .peak_bytes = some->peak_bytes,
        .epoch = some->epoch,
    };
}


static struct counters
few_counters(const struct context *context)
{
    uint64_t few = context->counts;
    struct counters counters = {.epoch = tm_few_epoch(context)};
    for (unsigned of = FEW_FIRST; of <= FEW_SECOND;
         of += FEW_SECOND - FEW_FIRST)
    {
        uint64_t size = tm_few_size(few, of);
        counters.allocated_blocks += tm_few(few, of, 0);
        counters.freed_blocks += tm_few(few, of, 1);
        counters.peak_blocks += tm_few(few, of, 2);
        counters.allocated_bytes += tm_few(few, of, 0) * size;
        counters.freed_bytes += tm_few(few, of, 1) * size;
        counters.peak_bytes += tm_few(few, of, 2) * size;
    }
    return counters;
}


PART struct counters
tm_context_counters(const struct context *context)
{
    return tm_context_has_counters(context) ? *tm_counters_of(context)
           : tm_context_has_some(context) ? some_counters(tm_some_of(context))
           : few_counters(context);
}


PART struct counters
tm_context_totals(const struct context *context,
                  const struct traced_bytes *bytes)
{
    struct counters counters = tm_context_counters(context);
    if (counters.epoch != bytes->epoch) {
        counters.peak_blocks = counters.allocated_blocks
                               - counters.freed_blocks;
        counters.peak_bytes = counters.allocated_bytes - counters.freed_bytes;
    }
    return counters;
}


PART void
tm_count_lost(struct traced_bytes *bytes, struct context *context, size_t size)
{
    uint64_t counts = __atomic_load_n(&context->counts, __ATOMIC_ACQUIRE);
    while (!(counts & (HAS_COUNTERS | HAS_SOME))) {
        /* It may be something else by now. */
        if (__atomic_compare_exchange_n(&context->counts, &counts,
                                        counts + tm_few_free(counts, size), 0,
                                        __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
        {
            bytes->headroom += size;
            return;
        }
    }
    if (counts & HAS_COUNTERS) {
        tm_count_free(bytes, context, size);
        return;
    }
    /* Where it counts now, nobody else does before a reclaim, which needs the
       store lock.  The peak is not saved, here and above: it would be written
       where the chain of unused ones may be by now, or beside what others
       save. */
    tm_some_add_free((struct some *)(uintptr_t)(counts - HAS_SOME), size);
    bytes->headroom += size;
}


static uint32_t
epoch_renewed(uint64_t epoch, const struct traced_bytes *bytes)
{
    return epoch == bytes->epoch ? 2 : 0;
}


void
_PyTraceMalloc_RenewEpochs(struct call_tree *tree, struct traced_bytes *bytes)
{
    if (bytes->epoch < LATE_EPOCH) {
        return;
    }
    for (context_id id = 0; id < tree->contexts.used; id++) {
        struct context *context = tm_context_at(tree, id);
        struct saved *saved;
        if (tm_saved_bit(context, &saved) == 1) {
            /* Once for all that share it. */
            saved->epoch = epoch_renewed(saved->epoch, bytes);
        }
        if (tm_context_has_counters(context)) {
            struct counters *all = tm_counters_of(context);
            all->epoch = epoch_renewed(all->epoch, bytes);
        }
        else if (tm_context_has_some(context)) {
            struct some *some = tm_some_of(context);
            some->epoch = epoch_renewed(some->epoch, bytes);
        }
    }
    bytes->saved = bytes->saved == bytes->epoch ? 2 : 1;
    bytes->epoch = 2;
}


PART void
tm_reset_peak(struct call_tree *tree, struct traced_bytes *bytes)
{
    tm_bytes_maximum(bytes, tm_bytes_current(bytes));
    _PyTraceMalloc_RenewEpochs(tree, bytes);
}
