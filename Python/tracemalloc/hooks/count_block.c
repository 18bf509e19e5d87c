/* Counting of blocks, whoever notes them: holders of the GIL, threads without
   it, and samples.

   Called by hooks/blocks.c; calls the counters, the list of detached threads,
   and sampling. */

#include "Python.h"
#include "../access.h"
#include "../sampling/samples.h"
#include "count_block.h"

#define S (&_PyTraceMalloc_State)


/* Let whoever has access next take over what was counted. */
static inline int
detached_announce(int failed)
{
    if (!failed) {
        attention_change(ATTENTION_ACCESS, 1);
    }
    return failed;
}


int
counted_alloc(context_id id, size_t size, enum access access)
{
    if (access == ACCESS_SAMPLING) {
        return _PyTraceMalloc_CountSample(id, size);
    }
    if (access == ACCESS_DETACHED) {
        return detached_announce(
            _PyTraceMalloc_CountDetachedAlloc(&S->detached, id, size));
    }
    struct context *context = context_at(&S->contexts, id);
    context_make_room(&S->contexts, context, size);
    count_alloc(&S->bytes, context, size);
    return 0;
}


void
counted_free(context_id id, size_t size, enum access access)
{
    if (access == ACCESS_SAMPLING) {
        _PyTraceMalloc_CountSampleFree(id, size);
        return;
    }
    if (access == ACCESS_DETACHED
        && detached_announce(
            _PyTraceMalloc_CountDetachedFree(&S->detached, id, size)) == 0)
    {
        return;
    }
    struct context *context = context_at(&S->contexts, id);
    if (access == ACCESS_DETACHED) {
        _PyTraceMalloc_CountLost(&S->bytes, context, size);
    }
    else {
        count_free(&S->bytes, context, size);
    }
}


int
counted_put_back(context_id id, size_t size, enum access access)
{
    if (access == ACCESS_DETACHED) {
        return detached_announce(
            _PyTraceMalloc_UncountDetachedFree(&S->detached, id, size));
    }
    uncount_free(&S->bytes, context_at(&S->contexts, id), size);
    return 0;
}


void
counted_drop(enum access access)
{
    access_lock(access);
    S->dropped++;
    access_unlock(access);
}
