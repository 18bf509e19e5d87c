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
        tm_set_slow_flag(SLOW_ACCESS, 1);
    }
    return failed;
}


PART int
tm_counted_alloc(context_id id, size_t size, enum access access)
{
    if (access == ACCESS_SAMPLING) {
        return _PyTraceMalloc_CountSample(id, size);
    }
    if (access == ACCESS_DETACHED) {
        return detached_announce(
            tm_count_detached_alloc(&S->detached, id, size));
    }
    struct context *context = tm_context_at(&S->contexts, id);
    tm_context_make_room(&S->contexts, context, size);
    tm_count_alloc(&S->bytes, context, size);
    return 0;
}


PART void
tm_counted_free(context_id id, size_t size, enum access access)
{
    if (access == ACCESS_SAMPLING) {
        _PyTraceMalloc_CountSampleFree(id, size);
        return;
    }
    if (access == ACCESS_DETACHED
        && detached_announce(
            tm_count_detached_free(&S->detached, id, size)) == 0)
    {
        return;
    }
    struct context *context = tm_context_at(&S->contexts, id);
    if (access == ACCESS_DETACHED) {
        tm_count_lost(&S->bytes, context, size);
    }
    else {
        tm_count_free(&S->bytes, context, size);
    }
}


PART int
tm_counted_put_back(context_id id, size_t size, enum access access)
{
    if (access == ACCESS_DETACHED) {
        return detached_announce(
            tm_uncount_detached_free(&S->detached, id, size));
    }
    tm_uncount_free(&S->bytes, tm_context_at(&S->contexts, id), size);
    return 0;
}


PART void
tm_counted_drop(enum access access)
{
    tm_access_lock(access);
    S->dropped++;
    tm_access_unlock(access);
}
