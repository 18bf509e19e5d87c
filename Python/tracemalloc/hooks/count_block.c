/* Counting of blocks that are noted or forgotten, by whoever it is: who has
   access, detached threads, and the sampler.

   Called by blocks.c, and by pymalloc.c.h for traces that are lost; calls the
   counters of contexts (store/counting.h), the list of what detached threads
   count, and the sampler's weights. */

#include "Python.h"
#include "../access.h"
#include "../own.h"
#include "../sampler/count_sample.h"
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
tm_count_block(context_id id, size_t size, enum access access)
{
    if (access == ACCESS_SAMPLING) {
        return _PyTraceMalloc_CountSample(id, size);
    }
    if (id == CONTEXT_OWN) {
        _PyTraceMalloc_CountOwn(size);
        return 0;
    }
    if (access == ACCESS_DETACHED) {
        return detached_announce(
            tm_count_detached_alloc(&S->detached, id, size));
    }
    struct context *context = tm_context_at(&S->tree, id);
    tm_make_room(context, size, access);
    tm_count_alloc(&S->bytes, context, size);
    return 0;
}


PART void
tm_count_block_free(context_id id, size_t size, enum access access)
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
    struct context *context = tm_context_at(&S->tree, id);
    if (access == ACCESS_DETACHED) {
        tm_count_lost(&S->bytes, context, size);
    }
    else {
        tm_count_free(&S->bytes, context, size);
    }
}


PART int
tm_count_block_kept(context_id id, size_t size, enum access access)
{
    if (access == ACCESS_DETACHED) {
        return detached_announce(
            tm_uncount_detached_free(&S->detached, id, size));
    }
    tm_uncount_free(&S->bytes, tm_context_at(&S->tree, id), size);
    return 0;
}


void
_PyTraceMalloc_CountDrop(enum access access)
{
    tm_access_lock(access);
    S->dropped++;
    tm_access_unlock(access);
}
