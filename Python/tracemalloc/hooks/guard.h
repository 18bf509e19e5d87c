/* The guard against re-entrancy: what an allocator allocates while it serves a
   block that is noted, and what the tracer itself allocates, goes unnoted.

   A hook enters the guard of its thread, calls the allocator below, and leaves
   it.  Whoever comes by meanwhile, in the same thread, passes through. */

#ifndef TRACEMALLOC_GUARD_H
#define TRACEMALLOC_GUARD_H

#include "Python.h"

enum reentrancy {
    NOT_REENTRANT,
    REENTRANT,                  /* nothing is noted */
    REENTRANT_BELOW,            /* nothing is forgotten either: pymalloc gets
                                   memory for itself, or for one large block */
};

/* Of the calling thread. */
#if defined(__PIC__) && !defined(__PIE__)
__attribute__((tls_model("initial-exec")))
#else
__attribute__((tls_model("local-exec")))
#endif
extern _Py_thread_local enum reentrancy _PyTraceMalloc_Reentrant;


static inline int
tm_guard_is_entered(void)
{
    return _PyTraceMalloc_Reentrant != NOT_REENTRANT;
}


/* What it was before, which is to be given to tm_guard_leave(). */
static inline enum reentrancy
tm_guard_enter(enum reentrancy reentrancy)
{
    enum reentrancy before = _PyTraceMalloc_Reentrant;
    _PyTraceMalloc_Reentrant = reentrancy;
    return before;
}


static inline void
tm_guard_leave(enum reentrancy before)
{
    _PyTraceMalloc_Reentrant = before;
}

#endif  /* !TRACEMALLOC_GUARD_H */
