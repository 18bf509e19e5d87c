/* Counting: what is too rare for counting.h.

   Called by what frees without access (tm_count_lost), by reclaim and by who
   resets the peak; calls nobody. */

#include "counting.h"


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
