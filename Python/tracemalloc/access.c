/* Access: who may touch what of the store, decided when it is not the common
   case.  See access.h; called by everything that begins to use the store. */

#include "Python.h"
#include "access.h"

#define S (&_PyTraceMalloc_State)


void
_PyTraceMalloc_DrainDetached_lock_held(void)
{
    _PyTraceMalloc_TakeDetached(&S->detached, &S->contexts, &S->bytes);
    _PyTraceMalloc_FreeReplaced(&S->contexts);
    if (S->one_gil && !S->foreign && tracer_is_tracing()) {
        attention_change(ATTENTION_ACCESS, 0);
    }
}


static enum access
access_of_locked(void)
{
    if (tracer_is_sampling()) {
        return ACCESS_SAMPLING;
    }
    if (!S->one_gil) {
        return ACCESS_LOCK;
    }
    return _PyThreadState_GET() != NULL ? ACCESS_GIL : ACCESS_DETACHED;
}


enum access
_PyTraceMalloc_BeginLocked(void)
{
    tracer_lock();
    if (!tracer_is_tracing()) {
        tracer_unlock();
        return ACCESS_NONE;
    }
    enum access access = access_of_locked();
    if (access != ACCESS_DETACHED) {
        _PyTraceMalloc_DrainDetached_lock_held();
    }
    return access;
}


enum access
_PyTraceMalloc_Begin(void)
{
    if (tracer_is_sampling()) {
        return ACCESS_NONE;
    }
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_SAMPLING) {
        /* Tracing began anew just now. */
        tracer_unlock();
        return ACCESS_NONE;
    }
    access_unlock(access);
    return access;
}
