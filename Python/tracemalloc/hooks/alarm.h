/* The alarm: see alarm.c. */

#ifndef TRACEMALLOC_ALARM_H
#define TRACEMALLOC_ALARM_H

#include "pycore_pystate.h"       // PyThreadState

#include "../core.h"

/* Rings once traced memory leaves a window, or it is time. */
struct alarm {
    int set;                    /* waits; written under the store lock, read
                                   with access, like all but `rung_at` */
    size_t low, high;           /* bytes: no alarm from one to the other */
    PyTime_t deadline;          /* of the monotonic clock; 0: none */
    size_t rung_at;             /* traced bytes then; store lock */
    PyInterpreterState *interp; /* whose threads are watched; NULL: none */
};

/* Let the alarm ring if it must. */
extern void _PyTraceMalloc_WatchAlarm(enum access access);

/* Have callback(traced bytes) called when traced memory is below `low` or
   above `high`, or at a time of the monotonic clock (in nanoseconds; 0 for
   none).  Once only; replaces the alarm that was set.  A callback of None sets
   none.  0, or -1 with an exception. */
PART int tm_set_alarm(PyObject *callback, size_t low, size_t high,
                      PyTime_t deadline);
PART void tm_cancel_alarm_lock_held(void);

/* A thread ends: if it was to call back, let another one ring. */
PART void tm_keep_alarm_lock_held(PyThreadState *);

#endif  /* !TRACEMALLOC_ALARM_H */
