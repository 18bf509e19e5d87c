/* Counting: what is too rare for counting.h.

   Called by what frees without access (tm_count_lost), by reclaim and by who
   resets the peak; calls nobody. */

#include "counting.h"


PART void
tm_count_lost(struct traced_bytes *bytes, struct context *context, size_t size)
{
    if (__atomic_load_n(&context->has_counters, __ATOMIC_ACQUIRE)) {
        tm_count_free(bytes, context, size);
        return;
    }
    /* The peak is not saved: it would be written where a pointer may be by
       now. */
    context->freed_blocks++;
    context->freed_bytes += (uint16_t)size;
    bytes->headroom += size;
}


void
_PyTraceMalloc_RenewEpochs(struct call_tree *tree, struct traced_bytes *bytes)
{
    if (bytes->epoch < LATE_EPOCH) {
        return;
    }
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        struct context *context = tm_context_at(tree, id);
        context->epoch = context->epoch == bytes->epoch ? 2 : 0;
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
