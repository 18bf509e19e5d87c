/* When contexts are reclaimed: see growth.c. */

#ifndef TRACEMALLOC_GROWTH_H
#define TRACEMALLOC_GROWTH_H

#include "../state.h"

/* Reclaim contexts; needs access. */
extern void _PyTraceMalloc_ReclaimNow(enum access access);

/* A path, context or code object got this number, or none: 0.  Let the next
   capture that may do so reclaim, if it is time. */
extern void _PyTraceMalloc_WatchGrowth_lock_held(uint32_t id,
                                                 enum access access);

static inline int
reclaim_is_wanted(void)
{
    return _Py_atomic_load_int_relaxed(&_PyTraceMalloc_State.reclaim_wanted);
}


/* Needs the store lock. */
static inline void
reclaim_want(int wanted)
{
    _Py_atomic_store_int_relaxed(&_PyTraceMalloc_State.reclaim_wanted, wanted);
}

#endif  /* !TRACEMALLOC_GROWTH_H */
