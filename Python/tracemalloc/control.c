/* Control: tracing begins and ends here; claims; forks.

   Called by Python/pylifecycle.c, by whoever holds something that the tracer
   knows and that goes away, and by Modules/_tracemalloc.c.  Owns the tracer's
   state: makes the store when tracing begins, and frees it when it ends.

       state       ready   tracing   left by
       not ready   0       0         Init()
       idle        1       0         Start(), Fini()
       tracing     1       1         Stop(), Fini(), Clear() without memory

   Who may touch the store, and its locks: Python/tracemalloc/access.h. */

#include "Python.h"
#include "pycore_initconfig.h"    // _PyStatus_NO_MEMORY()
#include "pycore_pylifecycle.h"   // _PyOS_URandomNonblock()
#include "pycore_runtime.h"       // _PyRuntime
#include "pycore_tstate.h"        // _PyThreadStateImpl
#include "pycore_tracemalloc.h"
#include "access.h"
#include "accounts.h"
#include "capture/cache.h"
#include "capture/capture.h"
#include "capture/code_objects.h"
#include "control.h"
#include "hooks/admission.h"
#include "hooks/alarm.h"
#include "hooks/blocks.h"
#include "hooks/hooks.h"
#include "hooks/pymalloc.h"
#include "record/record.h"
#include "sampler/allocators.h"

#include <errno.h>
#ifdef HAVE_PTHREAD_H
#  include <pthread.h>            // pthread_atfork()
#endif

#define S (&_PyTraceMalloc_State)

struct tracer_state _PyTraceMalloc_State;
int _PyTraceMalloc_SlowFlags = SLOW_ACCESS;
uintptr_t _PyTraceMalloc_ObjectsLast = OBJECTS_NOWHERE;

/* The process has, or had once, more than one GIL, or has none; atomic. */
#ifdef Py_GIL_DISABLED
static int several_gils = 1;
#else
static int several_gils = 0;
#endif


/* Waiting does not give the GIL away: who forks may hold it, and must not wait
   for one who has been given the lock but not the GIL.  Nobody waits for a GIL
   while holding the lock. */
static void
control_lock(void)
{
    PyMutex_LockFlags(&S->control_lock, _Py_LOCK_DONT_DETACH);
}


static void
control_unlock(void)
{
    PyMutex_Unlock(&S->control_lock);
}


/* --- fork ---------------------------------------------------------------- */

#if defined(HAVE_PTHREAD_H) && defined(HAVE_FORK)

/* No other thread may hold a lock, or have half changed the store, at the
   moment the child's copy is made. */
static void
atfork_prepare(void)
{
    control_lock();
    tm_lock();
}


static void
atfork_parent(void)
{
    tm_unlock();
    control_unlock();
}


static void
atfork_child(void)
{
    /* Threads that waited for the locks do not exist here. */
    _PyMutex_at_fork_reinit(&S->store_lock);
    _PyMutex_at_fork_reinit(&S->control_lock);
#ifdef Py_TRACEMALLOC_VERIFY
    tm_fork_verify();
#endif
    /* The child is to take other samples than its parent. */
    S->sampler.random = tm_mix_bits(S->sampler.random
                                    + (uint64_t)getpid());
    tm_fork_record();
}


static int
atfork_register(void)
{
    static int atfork_done = 0;
    if (!atfork_done) {
        if (pthread_atfork(atfork_prepare, atfork_parent, atfork_child) != 0) {
            return -1;
        }
        atfork_done = 1;
    }
    return 0;
}

#else

static int
atfork_register(void)
{
    return 0;
}

#endif


/* --- life cycle ---------------------------------------------------------- */

static void
store_fini_lock_held(void)
{
    tm_free_caches();
    tm_clear_threads(1);
    tm_forget_code_objects();
    _PyTraceMalloc_FreeCells();
    tm_fini_blocks(&S->raw);
    tm_fini_blocks(&S->large);
    tm_fini_tree(&S->tree);
    tm_fini_codes(&S->codes);
    tm_init_sampler(&S->sampler, 0, 0);
    tm_fini_detached(&S->detached);
    tm_forget_filter_results(&S->filters);
    tm_cancel_alarm_lock_held();
}


/* Contexts, none of them but those that are always there: 0, or -1 when out of
   memory. */
static int
contexts_init_lock_held(void)
{
    struct call_tree *tree = &S->tree;
    if (tm_init_tree(tree) < 0) {
        return -1;
    }
    /* Another instruction than the unknown one's. */
    if (tm_add_context(tree, NODE_ROOT, CODE_NONE, 1, 0)
        != CONTEXT_OWN)
    {
        tm_fini_tree(tree);
        return -1;
    }
    _PyTraceMalloc_GiveCounters(tree, tm_context_at(tree, CONTEXT_OWN));
    return 0;
}


/* A store with no traces, as it is at first and after clear_traces(). */
static void
store_reset_lock_held(void)
{
    tm_clear_site_cache();
    tm_clear_threads(0);
    S->unknown = (struct frame_entry){
        .site.node = NODE_ROOT,
        .site.context = tm_context_at(&S->tree, CONTEXT_UNKNOWN),
        .site.cell = CELL(CONTEXT_UNKNOWN, 0),
    };
    S->bytes = (struct traced_bytes){.epoch = 1};
    tm_clear_detached(&S->detached);
    tm_reclaim_want(0);
    S->foreign = 0;
    tm_begin_pace(&S->pace);
}


static int
store_init_lock_held(int sampling)
{
    _PyTraceMalloc_InitCells(&S->cells);
    if (tm_init_codes(&S->codes) < 0
        || contexts_init_lock_held() < 0
        /* Samples lie far apart: a page of the shadow for each. */
        || tm_init_blocks(&S->large, sampling ? NULL : &S->shadow) < 0
        || tm_init_blocks(&S->raw, NULL) < 0)
    {
        store_fini_lock_held();
        return -1;
    }
    S->dropped = 0;
    store_reset_lock_held();
    return 0;
}


static void
tracing_set_lock_held(int tracing)
{
    _Py_atomic_store_int_relaxed(&_PyRuntime.tracemalloc.tracing, tracing);
    S->sole_gil = !_Py_atomic_load_int_relaxed(&several_gils);
    S->one_gil = S->sole_gil && !tm_is_sampling();
    tm_set_slow_flag(SLOW_ACCESS, !(tracing && S->one_gil));
    _PyTraceMalloc_ChooseObjectHook();
}


/* Needs the only GIL, if there is one and tracing: whoever holds it may be in
   the middle of something that its GIL alone protects. */
static void
gils_become_several(void)
{
    tm_lock();
    _Py_atomic_store_int_relaxed(&several_gils, 1);
    S->one_gil = S->sole_gil = 0;
    tm_set_slow_flag(SLOW_ACCESS, 1);
    tm_unlock();
}


int
_PyTraceMalloc_AddGil(void)
{
    if (_Py_atomic_load_int_relaxed(&several_gils)) {
        return 0;
    }
    PyThreadState *tstate = NULL;
    if (_PyThreadState_GET() == NULL) {
        tstate = PyThreadState_New(_PyInterpreterState_Main());
        if (tstate == NULL) {
            return -1;
        }
        PyEval_AcquireThread(tstate);
    }
    gils_become_several();
    if (tstate != NULL) {
        PyThreadState_Clear(tstate);
        PyThreadState_DeleteCurrent();
    }
    return 0;
}


PyStatus
_PyTraceMalloc_Init(void)
{
    assert(!tm_is_tracing());
    if (atfork_register() < 0) {
        return _PyStatus_NO_MEMORY();
    }
#ifdef Py_TRACEMALLOC_VERIFY
    tm_begin_verify();
#endif
    _PyRuntime.tracemalloc.ready = 1;
    return _PyStatus_OK();
}


/* A seed for samples: any will do that is not the last one's.  Asking the
   system for it gives the GIL away, so no lock may be held. */
static uint64_t
sampling_seed(void)
{
    uint64_t seed;
    if (_PyOS_URandomNonblock(&seed, sizeof(seed)) < 0) {
        PyErr_Clear();
        PyTime_t now;
        (void)PyTime_TimeRaw(&now);
        seed = (uint64_t)now ^ (uint64_t)getpid() << 48;
    }
    return seed;
}


/* Whether tracing may start; if not, an exception is set. */
static int
start_is_possible(int nframe)
{
    if (nframe < 1 || nframe > MAX_NFRAME) {
        PyErr_SetString(PyExc_ValueError, "the number of frames must be in "
                        "range [1; " Py_STRINGIFY(MAX_NFRAME) "]");
        return 0;
    }
    if (!_PyRuntime.tracemalloc.ready) {
        PyErr_SetString(PyExc_RuntimeError,
                        "tracemalloc cannot start: the runtime is finalized");
        return 0;
    }
    return 1;
}


/* 0, or -1 without memory, with no exception set.  Needs the control lock.
   The seed is drawn before that, which may give the GIL away. */
static int
tracing_start(int nframe, uint64_t interval, uint64_t seed)
{
    if (tm_is_tracing()) {
        return 0;
    }
    if (!tm_has_record()) {
        S->record_limit = SIZE_MAX;
    }
    tm_lock();
    int failed = store_init_lock_held(interval != 0) < 0;
    if (!failed) {
        tm_set_limit_lock_held(nframe);
        S->sessions++;
        if (interval != 0) {
            tm_init_sampler(&S->sampler, interval, seed);
        }
    }
    tm_unlock();
    if (failed) {
        return -1;
    }
    _PyTraceMalloc_InterruptGap();
    tm_install_hooks(interval != 0);
    tm_lock();
    tracing_set_lock_held(1);
    tm_unlock();
    return 0;
}


/* Needs the control lock. */
static void
tracing_stop(void)
{
    if (tm_is_tracing()) {
        tm_end_record(RECORD_STOPPED);
        tm_lock();
        int sampling = tm_is_sampling();
        tracing_set_lock_held(0);
        store_fini_lock_held();
        tm_unlock();
        tm_remove_hooks(sampling);
    }
}


/* 0, or -1: with an exception, or with what is wrong with the record. */
static int
recording_start(int nframe, uint64_t interval,
                const struct record_options *options, const char **fault)
{
    *fault = NULL;
    if (!start_is_possible(nframe)) {
        return -1;
    }
    uint64_t seed = interval != 0 ? sampling_seed() : 0;
    const char *told = NULL;
    int failed = 0, begun = 0;
    control_lock();
    if (options->place != NULL && !tm_has_record()) {
        tm_prepare_record();
        /* First: who asks for a record that cannot be made traces nothing. */
        int tracing = tm_is_tracing();
        failed = tm_begin_record(
            options, tracing ? _PyRuntime.tracemalloc.nframe : nframe,
            tracing ? S->sampler.interval : interval, &told) < 0;
        begun = !failed;
    }
    int result = failed ? -1 : tracing_start(nframe, interval, seed);
    if (result < 0 && begun) {
        tm_end_record(RECORD_STOPPED);
    }
    control_unlock();
    if (failed) {
        *fault = told;
    }
    else if (result < 0) {
        PyErr_NoMemory();
    }
    return result;
}


int
_PyTraceMalloc_StartRecording(int nframe, uint64_t interval,
                              const struct record_options *options)
{
    const char *fault;
    int result = recording_start(nframe, interval, options, &fault);
    if (fault != NULL) {
        PyErr_SetString(PyExc_OSError, fault);
    }
    return result;
}


int
_PyTraceMalloc_Start(int nframe)
{
    struct record_options options = {
        .place = S->option_record_size != 0 ? tm_record_option() : NULL,
        .size = S->option_record_size,
    };
    const char *fault;
    int result = recording_start(nframe, S->option_interval, &options,
                                 &fault);
    if (fault != NULL && !tm_is_first_of_family()) {
        /* Options that are inherited must not keep a program from running,
           such as one that goes on as another user. */
        fprintf(stderr, "tracemalloc: %s; process %ld, which another one has "
                "started, goes on without\n", fault, (long)getpid());
        options.place = NULL;
        result = recording_start(nframe, S->option_interval, &options,
                                 &fault);
    }
    if (fault != NULL) {
        PyErr_SetString(PyExc_OSError, fault);
    }
    return result;
}


int
_PyTraceMalloc_StartSampling(int nframe, uint64_t interval)
{
    struct record_options none = {.place = NULL};
    return _PyTraceMalloc_StartRecording(nframe, interval, &none);
}


void
_PyTraceMalloc_EndRecord(void)
{
    control_lock();
    tm_end_record(RECORD_EXITED);
    control_unlock();
}


int
_PyTraceMalloc_WriteRecord(void)
{
    control_lock();
    int result = tm_write_record();
    int saved = errno;
    control_unlock();
    errno = saved;
    return result;
}


const char *
_PyTraceMalloc_RecordPath(char *path, size_t room)
{
    control_lock();
    const char *found = tm_record_path(path, room);
    control_unlock();
    return found;
}


void
_PyTraceMalloc_Stop(void)
{
    control_lock();
    tracing_stop();
    control_unlock();
}


int
_PyTraceMalloc_BeginClaim(int nframe)
{
    if (!start_is_possible(nframe)) {
        return -1;
    }
    uint64_t interval = S->option_interval;
    uint64_t seed = interval != 0 ? sampling_seed() : 0;
    control_lock();
    int was_tracing = tm_is_tracing();
    int result = tracing_start(nframe, interval, seed);
    if (result == 0) {
        S->claims++;
        if (!was_tracing) {
            S->claimed_session = S->sessions;
        }
    }
    control_unlock();
    if (result < 0) {
        PyErr_NoMemory();
    }
    return result;
}


void
_PyTraceMalloc_EndClaim(void)
{
    control_lock();
    /* It may be of a runtime that has ended. */
    S->claims -= S->claims != 0;
    if (S->claims == 0 && S->claimed_session == S->sessions) {
        tracing_stop();
    }
    control_unlock();
}


int
_PyTraceMalloc_Clear(void)
{
    if (_PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
        return 0;
    }
    tm_free_caches();
    if (tm_is_sampling()) {
        _PyTraceMalloc_FreeSampledCells();
        tm_clear_sampler(&S->sampler);
    }
    else {
        _PyTraceMalloc_ClearCells();
    }
    tm_clear_blocks(&S->large);
    tm_clear_blocks(&S->raw);
    tm_fini_tree(&S->tree);
    int failed = contexts_init_lock_held();
    if (!failed) {
        tm_recycle_codes(&S->codes, NULL);
        store_reset_lock_held();
        tm_clear_record_lock_held();
    }
    else {
        tracing_set_lock_held(0);
        store_fini_lock_held();
    }
    tm_end_locked();
    return failed;
}


void
_PyTraceMalloc_Fini(void)
{
    _PyTraceMalloc_Stop();
    S->option_interval = S->option_record_size = 0;
    /* Another runtime in this process is to begin as the first one did. */
    S->alarm = (struct alarm){.set = 0};
    S->claims = 0;
    tm_set_filters(NULL, 0);
    tm_forget_accounts();
    _PyRuntime.tracemalloc.ready = 0;
}


void
_PyTraceMalloc_RetireCodeObject(PyCodeObject *co)
{
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access != ACCESS_NONE) {
        if (co->_co_tracemalloc_id != CODE_NONE) {
            tm_retire_code(&S->codes, co->_co_tracemalloc_id);
            if (S->codes.retired_bytes >= S->pace.retired) {
                tm_reclaim_want(1);
            }
        }
        if (Py_REFCNT(co) > 0) {
            /* Renamed: a frame that runs it may be in a cache. */
            tm_free_caches();
        }
        tm_end_locked();
    }
    co->_co_tracemalloc_id = CODE_NONE;
}


void
_PyTraceMalloc_ForgetThread(PyThreadState *tstate)
{
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        struct _PyTraceMalloc_ThreadCache *cache =
            ((_PyThreadStateImpl *)tstate)->tracemalloc_cache;
        if (cache == NULL) {
            cache = ((_PyThreadStateImpl *)tstate)->tracemalloc_kept;
        }
        if (cache != NULL) {
            tm_free_cache(cache);
        }
        tm_release_thread(tstate);
        tm_keep_alarm_lock_held(tstate);
        tm_end_locked();
    }
}
