/* When contexts are reclaimed: see growth.c. */

#ifndef TRACEMALLOC_GROWTH_H
#define TRACEMALLOC_GROWTH_H

#include "../state.h"

/* Reclaim contexts; needs access. */
PART void tm_reclaim_now(enum access access);

/* A node, context or code object got this number, or none: 0.  Let the next
   capture that may do so reclaim, if it is time. */
PART void tm_watch_growth_lock_held(uint32_t id, enum access access);

/* Whether a capture has to look at more than frames: contexts are to be
   reclaimed, or the thread's account may be another one. */
static inline int
tm_capture_is_held_up(void)
{
    return _Py_atomic_load_int_relaxed(&_PyTraceMalloc_State.held_up) != 0;
}


static inline int
tm_reclaim_is_wanted(void)
{
    return (_Py_atomic_load_int_relaxed(&_PyTraceMalloc_State.held_up)
            & RECLAIM_WANTED) != 0;
}


/* Needs the store lock. */
static inline void
tm_hold_up(int bit, int on)
{
    int bits = _Py_atomic_load_int_relaxed(&_PyTraceMalloc_State.held_up);
    _Py_atomic_store_int_relaxed(&_PyTraceMalloc_State.held_up,
                                 on ? bits | bit : bits & ~bit);
}


/* Needs the store lock. */
static inline void
tm_reclaim_want(int wanted)
{
    tm_hold_up(RECLAIM_WANTED, wanted);
}

#endif  /* !TRACEMALLOC_GROWTH_H */
