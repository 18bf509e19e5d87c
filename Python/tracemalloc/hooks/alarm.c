/* The alarm: calls back when traced memory leaves a window, or at a time.

   Called by whoever notes blocks, before and after each of them while
   SLOW_NOTE is set; by pytracemalloc.c, which sets the alarm; and by
   Python/ceval_gil.c, when it rings.

       block to be noted --> alarm?  --> filters --> noted --> alarm?

   It watches traced memory and the clock:

       off --set--> set --memory left the window, or it is time--> ringing
        ^            |                                                |
        +---cancel---+      the thread that allocated calls back <----+
        +----------------------------------------------------- off    |

   Memory is compared before and after each block is noted.  In between it can
   only have fallen, so no movement escapes, though freeing is not watched.
   Ringing sets a bit of the thread's eval breaker: the callback runs between
   two instructions of that thread, never inside an allocation.  Threads
   without the GIL do not ring; the next block of one that has it does. */

#include "Python.h"
#include "pycore_ceval.h"         // _Py_set_eval_breaker_bit()
#include "pycore_tracemalloc.h"
#include "../access.h"
#include "../own.h"
#include "alarm.h"
#include "guard.h"

#include <time.h>                 // clock_gettime()

#define S (&_PyTraceMalloc_State)

/* Where an interpreter keeps the callback of its alarm. */
#define CALLBACK_KEY "_tracemalloc.alarm"


/* Nanoseconds of the monotonic clock; may be a tick late, never early. */
static PyTime_t
clock_now(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC_COARSE, &now) == 0) {
        return (PyTime_t)now.tv_sec * 1000000000 + now.tv_nsec;
    }
#endif
    PyTime_t exact;
    (void)PyTime_MonotonicRaw(&exact);
    return exact;
}


void
_PyTraceMalloc_WatchAlarm(enum access access)
{
    struct alarm *alarm = &S->alarm;
    if (!alarm->set || access == ACCESS_DETACHED) {
        return;
    }
    PyThreadState *tstate = _PyThreadState_GET();
    size_t current, peak;
    tm_program_bytes(&current, &peak);
    if (tstate == NULL || tstate->interp != alarm->interp
        || (alarm->low <= current && current <= alarm->high
            && (alarm->deadline == 0 || clock_now() < alarm->deadline)))
    {
        return;
    }
    tm_access_lock(access);
    alarm->set = 0;
    alarm->rung_at = current;
    tm_update_slow_flags_lock_held();
    tm_access_unlock(access);
    _Py_set_eval_breaker_bit(tstate, _PY_TRACEMALLOC_ALARM_BIT);
}


PART void
tm_cancel_alarm_lock_held(void)
{
    S->alarm.set = 0;
    tm_update_slow_flags_lock_held();
}


PART void
tm_keep_alarm_lock_held(PyThreadState *tstate)
{
    if (S->alarm.interp != tstate->interp) {
        return;
    }
    uintptr_t bits = _Py_atomic_load_uintptr_relaxed(&tstate->eval_breaker);
    if (_PyInterpreterState_GetFinalizing(tstate->interp) != NULL) {
        /* Nobody is left to ring, nor to be called. */
        S->alarm.set = 0;
        S->alarm.interp = NULL;
    }
    else if (bits & _PY_TRACEMALLOC_ALARM_BIT) {
        S->alarm.set = 1;
    }
    tm_update_slow_flags_lock_held();
}


PART int
tm_set_alarm(PyObject *callback, size_t low, size_t high,
             PyTime_t deadline)
{
    PyInterpreterState *interp = PyInterpreterState_Get();
    PyObject *dict = PyInterpreterState_GetDict(interp);    // borrowed
    if (dict == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "no memory for an alarm");
        return -1;
    }
    if (PyDict_SetItemString(dict, CALLBACK_KEY, callback) < 0) {
        return -1;
    }
    tm_lock();
    S->alarm = (struct alarm){
        .set = callback != Py_None && tm_is_tracing(),
        .low = low,
        .high = high,
        .deadline = deadline,
        .interp = callback != Py_None ? interp : NULL,
    };
    tm_update_slow_flags_lock_held();
    tm_unlock();
    return 0;
}


void
_PyTraceMalloc_RunAlarm(PyThreadState *tstate)
{
    _Py_unset_eval_breaker_bit(tstate, _PY_TRACEMALLOC_ALARM_BIT);
    tm_lock();
    size_t rung_at = S->alarm.rung_at;
    /* It may have been set anew, or cancelled, since it rang. */
    int cancelled = S->alarm.set || S->alarm.interp != tstate->interp;
    tm_unlock();
    PyObject *dict = PyInterpreterState_GetDict(tstate->interp);
    if (cancelled || dict == NULL) {
        return;
    }
    PyObject *callback = NULL, *result = NULL;
    /* The number is no memory of the line that is running. */
    enum reentrancy before = tm_guard_enter(REENTRANT);
    PyObject *memory = PyLong_FromSize_t(rung_at);
    tm_guard_leave(before);
    if (memory != NULL
        && PyDict_GetItemStringRef(dict, CALLBACK_KEY, &callback) > 0
        && callback != Py_None)
    {
        int was_quiet = _PyTraceMalloc_BeginProgram(tstate);
        result = PyObject_CallOneArg(callback, memory);
        _PyTraceMalloc_EndProgram(tstate, was_quiet);
    }
    if (PyErr_Occurred()) {
        PyErr_WriteUnraisable(callback);
    }
    Py_XDECREF(result);
    Py_XDECREF(memory);
    Py_XDECREF(callback);
}
