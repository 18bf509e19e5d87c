/* The helper: a thread that has a checkpoint made every second or so.

   Called by record.c, which begins and ends it, and by who uses the store;
   calls checkpoint.c.

   It is none of Python's: it has no thread state, never takes the GIL, blocks
   all signals and takes no memory from the C library, which would give it a
   heap of its own.  To copy it needs access (access.h).  With several GILs, or
   samples, the store lock is access.  Otherwise it is the GIL, and there are
   two ways to do without:

       nobody holds it   who takes it next finds SLOW_ACCESS set, and waits for
                         the store lock until the copy is made
       somebody does     whoever uses the store next finds SLOW_ACCESS set, and
                         makes the copy himself (tm_serve_record_lock_held)

   So a program that computes for hours without allocating is not disturbed,
   one that sleeps is copied as it is, and no thread ever waits for the helper
   to write. */

#include "Python.h"
#include "pycore_interp.h"        // PyInterpreterState.ceval
#include "../access.h"
#include "recorder.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define S (&_PyTraceMalloc_State)
#define R (&recorder)

#define MILLISECOND ((uint64_t)1000000)
#define SECOND (1000 * MILLISECOND)

/* Others wait for a copy; that may take this share of the time, and what the
   helper does beside them that one. */
#define PAUSES_PER_TIME 1000
#define EFFORTS_PER_TIME 100
/* Until all contexts are there that are new, copies and writing take this one
   together. */
#define CATCHING_UP 50

/* What is written to a disk, in bytes per second: 10 GB a day. */
#define DISK_RATE ((uint64_t)115740)
#define LONGEST_DELAY (60 * SECOND)

#define STACK_SIZE ((size_t)256 << 10)


/* --- who is busy --------------------------------------------------------- */

PART int
tm_take_recorder(void)
{
    pthread_mutex_lock(&R->lock);
    int taken = !R->busy;
    R->busy = 1;
    pthread_mutex_unlock(&R->lock);
    return taken;
}


PART void
tm_leave_recorder(void)
{
    pthread_mutex_lock(&R->lock);
    R->busy = 0;
    pthread_mutex_unlock(&R->lock);
}


PART void
tm_hurry_helper(void)
{
    pthread_mutex_lock(&R->lock);
    R->hurry = 1;
    pthread_cond_signal(&R->wake);
    pthread_mutex_unlock(&R->lock);
}


PART void
tm_wake_helper(uint64_t due)
{
    pthread_mutex_lock(&R->lock);
    int sooner = R->due == 0 || due < R->due;
    if (sooner) {
        R->due = due;
        pthread_cond_signal(&R->wake);
    }
    pthread_mutex_unlock(&R->lock);
}


/* Wait so long, or until somebody is in a hurry, or `served` if `for_copy`:
   whether it is time to quit. */
static int
wait_for(uint64_t delay, int for_copy)
{
    uint64_t end = tm_steady_time() + delay;
    int error = 0;
    pthread_mutex_lock(&R->lock);
    while (!R->quit && !(for_copy ? R->served : R->hurry) && error == 0) {
        if (!for_copy && R->due != 0) {
            end = Py_MIN(end, R->due);
        }
        struct timespec until = {
            .tv_sec = (time_t)(end / SECOND),
            .tv_nsec = (long)(end % SECOND),
        };
        error = pthread_cond_timedwait(&R->wake, &R->lock, &until);
    }
    if (!for_copy) {
        R->hurry = 0;
        R->due = 0;
    }
    int quit = R->quit;
    pthread_mutex_unlock(&R->lock);
    return quit;
}


/* --- access -------------------------------------------------------------- */

/* Whether nobody holds the only GIL.  With SLOW_ACCESS set, and the store lock
   held, whoever takes it then waits before he touches the store. */
static int
gil_is_free(void)
{
    struct _gil_runtime_state *gil = _PyInterpreterState_Main()->ceval.gil;
    if (pthread_mutex_lock(&gil->mutex) != 0) {
        return 0;
    }
    int locked = _Py_atomic_load_int_relaxed(&gil->locked);
    pthread_mutex_unlock(&gil->mutex);
    return locked == 0;
}


/* Copy if that can be done now: 1; 0 if somebody is asked to do it; -1 if
   nothing is traced. */
static int
copy_or_ask(void)
{
    int copied = -1;
    tm_lock();
    if (!tm_is_tracing()) {
        S->record_wanted = 0;
    }
    else if (tm_is_sampling() || !S->one_gil) {
        tm_copy_checkpoint_lock_held();
        copied = 1;
    }
    else {
        tm_set_slow_flag(SLOW_ACCESS, 1);
        if (gil_is_free()) {
            S->record_wanted = 0;
            tm_take_detached(&S->detached, &S->tree, &S->bytes);
            tm_free_replaced(&S->tree);
            tm_copy_checkpoint_lock_held();
            tm_drain_detached_lock_held();
            copied = 1;
        }
        else {
            R->served = 0;
            S->record_wanted = 1;
            copied = 0;
        }
    }
    tm_unlock();
    return copied;
}


PART void
tm_serve_record_lock_held(void)
{
    S->record_wanted = 0;
    tm_copy_checkpoint_lock_held();
    pthread_mutex_lock(&R->lock);
    R->served = 1;
    pthread_cond_signal(&R->wake);
    pthread_mutex_unlock(&R->lock);
}


/* Ask no more: whether the copy was made in time. */
static int
copy_take_back(void)
{
    tm_lock();
    int served = !S->record_wanted;
    S->record_wanted = 0;
    tm_unlock();
    return served;
}


/* Have a copy made: 1, or 0 if it is time to quit, or there is nothing to
   copy. */
static int
copy_get(void)
{
    uint64_t patience = 10 * MILLISECOND;
    int copied;
    while ((copied = copy_or_ask()) == 0) {
        /* He may give the GIL away before he uses the store. */
        int quit = wait_for(patience, 1);
        if (copy_take_back()) {
            return 1;
        }
        if (quit) {
            return 0;
        }
        patience = Py_MIN(2 * patience, SECOND);
    }
    return copied > 0;
}


/* --- the thread ---------------------------------------------------------- */

static uint64_t
delay_next(void)
{
    uint64_t delay = Py_MAX(R->pause * PAUSES_PER_TIME,
                            R->effort * EFFORTS_PER_TIME);
    if (!R->in_memory) {
        uint64_t slowly = R->written * 1000 / DISK_RATE * MILLISECOND;
        delay = Py_MAX(delay, Py_MIN(slowly, LONGEST_DELAY));
    }
    return Py_MAX(delay, SECOND);
}


/* One turn: how long to wait for the next. */
static uint64_t
helper_turn(void)
{
    if (!tm_take_recorder()) {
        return 10 * MILLISECOND;
    }
    uint64_t delay = SECOND;
    if (R->file.fd < 0 && !R->gone && tm_make_file() < 0) {
        /* Of a child: there is nobody to raise an exception to. */
        fprintf(stderr, "tracemalloc: %s\n", R->place.fault);
        R->gone = 1;
    }
    if (!R->gone && copy_get()) {
        (void)tm_write_checkpoint(RECORD_RUNNING);
        delay = delay_next();
        if (R->tables.waiting) {
            delay = Py_MAX(10 * MILLISECOND,
                           (R->pause + R->effort) * CATCHING_UP);
        }
    }
    tm_leave_recorder();
    return delay;
}


static void *
helper_run(void *Py_UNUSED(argument))
{
    uint64_t delay = R->orphan ? SECOND : 20 * MILLISECOND;
    while (!wait_for(delay, 0) && !R->gone) {
        delay = helper_turn();
    }
    return NULL;
}


PART int
tm_begin_helper(void)
{
    pthread_attr_t attributes;
    pthread_condattr_t clock;
    sigset_t all, before;
    R->quit = R->hurry = R->served = 0;
    R->due = 0;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&R->wake, &clock);
    pthread_condattr_destroy(&clock);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&R->helper, &attributes, helper_run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    R->has_helper = error == 0;
    return error;
}


PART void
tm_end_helper(void)
{
    if (!R->has_helper) {
        return;
    }
    pthread_mutex_lock(&R->lock);
    R->quit = 1;
    pthread_cond_broadcast(&R->wake);
    pthread_mutex_unlock(&R->lock);
    pthread_join(R->helper, NULL);
    R->has_helper = 0;
}
