/* Access: who may touch what of the store, decided when it is not the common
   case.  See access.h; called by everything that begins to use the store. */

#include "Python.h"
#include "access.h"
#include "record/record.h"

#define S (&_PyTraceMalloc_State)


PART void
tm_drain_detached_lock_held(void)
{
    tm_take_detached(&S->detached, &S->tree, &S->bytes);
    tm_free_replaced(&S->tree);
    if (S->one_gil && !S->foreign && tm_is_tracing()) {
        tm_set_slow_flag(SLOW_ACCESS, 0);
    }
}


static enum access
access_of_locked(void)
{
    if (tm_is_sampling()) {
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
    tm_lock();
    if (!tm_is_tracing()) {
        tm_unlock();
        return ACCESS_NONE;
    }
    enum access access = access_of_locked();
    if (access != ACCESS_DETACHED) {
        tm_drain_detached_lock_held();
        if (S->record_wanted) {
            tm_serve_record_lock_held();
        }
    }
    return access;
}


enum access
_PyTraceMalloc_Begin(void)
{
    if (tm_is_sampling()) {
        return ACCESS_NONE;
    }
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_SAMPLING) {
        /* Tracing began anew just now. */
        tm_unlock();
        return ACCESS_NONE;
    }
    tm_access_unlock(access);
    return access;
}
