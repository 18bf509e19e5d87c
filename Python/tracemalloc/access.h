/* Access: who may touch what of the store, and the tracer's locks.

   While all interpreters share one GIL, whoever holds it may change
   everything marked "access" below without a lock.  Threads that allocate
   without the GIL then are *detached*: they take the store lock, leave what is
   marked "access" alone, and put what they have to count into `detached`, from
   where the next holder of the GIL takes it.  With more than one GIL, or none,
   everybody takes the store lock, and that is access.

       ACCESS_GIL        one GIL, and this thread holds it
       ACCESS_LOCK       several GILs or none; this thread holds the store lock
       ACCESS_DETACHED   one GIL, which this thread does not hold; holds the
                         store lock
       ACCESS_SAMPLING   samples are taken, and this thread holds the store
                         lock, which is access then: samples are so few that
                         the lock does not matter

   Locks, in the order they may be taken:

       control_lock   start() and stop() as a whole; the GIL may be held
       store_lock     a leaf, held for short; waiting never gives the GIL away,
                      since a thread may wait inside malloc() */

#ifndef TRACEMALLOC_ACCESS_H
#define TRACEMALLOC_ACCESS_H

#include "pycore_pystate.h"       // _PyThreadState_GET()

#include "state.h"

static inline int
tm_is_tracing(void)
{
    return _Py_atomic_load_int_relaxed(&_PyRuntime.tracemalloc.tracing);
}


static inline void
tm_lock(void)
{
    PyMutex_LockFlags(&_PyTraceMalloc_State.store_lock, _Py_LOCK_DONT_DETACH);
}


static inline void
tm_unlock(void)
{
    PyMutex_Unlock(&_PyTraceMalloc_State.store_lock);
}


/* The same for who has access, and so holds the lock already unless a GIL is
   what gives access. */
static inline void
tm_access_lock(enum access access)
{
    if (access == ACCESS_GIL) {
        tm_lock();
    }
}


static inline void
tm_access_unlock(enum access access)
{
    if (access == ACCESS_GIL) {
        tm_unlock();
    }
}


/* Let a context have room for one more block of so many bytes.  Needs
   access. */
static inline void
tm_make_room(struct context *context, size_t size, enum access access)
{
    if (!tm_context_has_room(context, size)) {
        tm_access_lock(access);
        _PyTraceMalloc_MakeRoom(&_PyTraceMalloc_State.tree, context, size);
        tm_access_unlock(access);
    }
}


/* Take over what detached threads counted.  Needs access and the lock. */
PART void tm_drain_detached_lock_held(void);


/* Whether the fast path may be taken: by a thread that holds the GIL. */
static inline int
tm_is_fast(void)
{
    return _Py_atomic_load_int_relaxed(&_PyTraceMalloc_SlowFlags) == 0;
}


/* The same for giving blocks back, which filters and alarms do not concern. */
static inline int
tm_is_free(void)
{
    return (_Py_atomic_load_int_relaxed(&_PyTraceMalloc_SlowFlags)
            & SLOW_ACCESS) == 0;
}


/* Far below it and far above it no program has memory. */
#define OBJECTS_NOWHERE ((uintptr_t)1 << (8 * sizeof(uintptr_t) - 1))

/* Needs the store lock. */
static inline void
tm_set_slow_flag(int bit, int on)
{
    int bits = _Py_atomic_load_int_relaxed(&_PyTraceMalloc_SlowFlags);
    bits = on ? bits | bit : bits & ~bit;
    _Py_atomic_store_int_relaxed(&_PyTraceMalloc_SlowFlags, bits);
    _Py_atomic_store_uintptr_relaxed(
        &_PyTraceMalloc_ObjectsLast,
        bits == 0 ? _PyTraceMalloc_State.objects_last : OBJECTS_NOWHERE);
}


/* Filters or the alarm have changed.  Needs the store lock. */
static inline void
tm_update_slow_flags_lock_held(void)
{
    tm_set_slow_flag(SLOW_NOTE, _PyTraceMalloc_State.filters.n != 0
                                || _PyTraceMalloc_State.alarm.set);
}


static inline int
tm_is_sampling(void)
{
    return __atomic_load_n(&_PyTraceMalloc_State.sampler.interval,
                           __ATOMIC_RELAXED) != 0;
}


/* Begin to use the store for every block: ACCESS_NONE when sampling.  Follow
   with tm_end(), unless ACCESS_NONE. */
extern enum access _PyTraceMalloc_Begin(void);

static inline enum access
tm_begin(void)
{
    if (tm_is_free() && _PyThreadState_GET() != NULL) {
        return ACCESS_GIL;
    }
    return tm_is_tracing() ? _PyTraceMalloc_Begin() : ACCESS_NONE;
}


static inline void
tm_end(enum access access)
{
    if (access != ACCESS_GIL) {
        tm_unlock();
    }
}


/* The same, with the store lock in any case: for what needs all of the store.
   Never ACCESS_DETACHED for a thread that holds a GIL. */
extern enum access _PyTraceMalloc_BeginLocked(void);

static inline void
tm_end_locked(void)
{
    tm_unlock();
}


/* Whether there are filters or an alarm. */
static inline int
tm_is_watched(void)
{
    return (_Py_atomic_load_int_relaxed(&_PyTraceMalloc_SlowFlags)
            & SLOW_NOTE) != 0;
}

#endif  /* !TRACEMALLOC_ACCESS_H */
