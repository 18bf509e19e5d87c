/* The tracer's state, who may touch what, and its locks; for the files that
   run it.

   Access.  While all interpreters share one GIL, whoever holds it may change
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

#ifndef Py_INTERNAL_TRACEMALLOC_STATE_H
#define Py_INTERNAL_TRACEMALLOC_STATE_H

#include "pycore_lock.h"          // PyMutex_LockFlags()
#include "pycore_pystate.h"       // _PyThreadState_GET()
#include "pycore_runtime.h"       // _PyRuntime
#include "pycore_tstate.h"        // _PyThreadStateImpl
#include "pycore_tracemalloc_counting.h"

#define DEFAULT_DOMAIN 0

enum access {
    ACCESS_NONE,                /* not tracing */
    ACCESS_GIL,
    ACCESS_LOCK,
    ACCESS_DETACHED,
    ACCESS_SAMPLING,
};

/* What the library allocates for itself, in which no frame is told: all that it
   does to take, compare and write snapshots.  Noted, so that what later comes
   to the program from a free list is the program's, and shown to nobody. */
enum {CONTEXT_OWN = CONTEXT_UNKNOWN + 1};

/* What is known of an instruction under a caller. */
struct place {
    struct context *context;    /* of an allocation there; NULL: not known */
    context_id context_id;
    code_id code;
};

/* Where a frame is, in a thread's cache. */
struct path_entry {
    _PyInterpreterFrame *frame;
    const _Py_CODEUNIT *instruction;    /* where the frame was */
    struct place place;
    path_id parent;             /* path of the entry below */
    path_id path;               /* own, for callees; PATH_NONE: not known */
};

/* A call site under a caller, met before: saves looking its line up, and then
   its path and its context. */
struct site {
    const _Py_CODEUNIT *instruction;
    struct place place;
    path_id parent;
    path_id path;               /* or PATH_NONE */
};

#define SITES 1024

/* Rings once traced memory leaves a window, or it is time. */
struct alarm {
    int set;                    /* waits; written under the store lock, read
                                   with access, like all but `rung_at` */
    size_t low, high;           /* bytes: no alarm from one to the other */
    PyTime_t deadline;          /* of the monotonic clock; 0: none */
    size_t rung_at;             /* traced bytes then; store lock */
    PyInterpreterState *interp; /* whose threads are watched; NULL: none */
};

/* Why allocations cannot take the fast path; bits of `attention`. */
enum attention {
    ATTENTION_ACCESS = 1,       /* the store is not free to use: there is no
                                   tracing, no single GIL, something in
                                   `detached`, or `foreign` */
    ATTENTION_NOTE = 2,         /* somebody wants a look at what is noted:
                                   there are filters, or an alarm is set */
};

/* What is known of the threads whose contexts hang under one root. */
struct thread_slot {
    const void *owner;          /* the thread state that has it, or NULL */
    unsigned long ident;        /* of the last one, like the next three */
    unsigned long native_id;
    int64_t interpreter;
    struct source_file *name;   /* as Python calls it; NULL: not told */
    uint64_t threads;           /* that had it since traces were cleared */
};

#ifdef Py_TRACEMALLOC_STRESS
#  define THREAD_SLOTS 4
#else
#  define THREAD_SLOTS 64
#endif

struct _PyTraceMalloc_ThreadCache;

struct tracer_state {
    /* --- read or changed by every allocation */
    int attention;              /* enum attention: not 0: leave the fast path;
                                   atomic, written under the store lock */
    int reclaim_wanted;         /* atomic; written under the store lock */
    struct traced_bytes bytes;  /* access */

    /* --- the rest */
    PyMutex control_lock;
    PyMutex store_lock;
    int one_gil;                /* store lock */
    int foreign;                /* an extension reported blocks of domain 0:
                                   any block may be in `raw`; store lock */
    struct detached_counts detached;    /* store lock */
    uint64_t dropped;           /* traces without memory; store lock */
    struct block_table large;   /* of obj and mem, without a cell; access */
    struct block_table raw;     /* of raw, and other domains; store lock */
    struct cell_store cells;    /* rows: store lock; cells: access */
    int objects_have_cells;     /* those that pymalloc holds; control_lock */
    struct reclaim_pace pace;   /* store lock */
    struct _PyTraceMalloc_ThreadCache *caches;  /* all of them; store lock */
    size_t cache_bytes;         /* store lock */
    struct thread_slot threads[THREAD_SLOTS];   /* store lock */
    struct alarm alarm;
    struct filter_set filters;  /* written under the store lock; verdicts:
                                   access */
    size_t sessions;            /* how often tracing began; control_lock */
    size_t claims;              /* which want tracing to be on; control_lock */
    size_t claimed_session;     /* that the first of them began, or another
                                   one; control_lock */
    int sole_gil;               /* changes only in a thread that holds it */
    struct sampler sampler;
    uint64_t option_interval;   /* what the options ask for at start-up, in
                                   bytes, or 0; GIL */
    struct path_entry unknown;  /* where threads without frames allocate;
                                   fixed while tracing */
    struct source_table sources;        /* store lock; see core.h */
    struct context_tree contexts;       /* store lock; see core.h */
};

extern struct tracer_state _PyTraceMalloc_State;

/* Start tracing, if it is off, until as many claims have ended as began
   (Python/tracemalloc_control.c).  0, or -1 with an exception set.  Tracing
   that another has started is left on, after stopping this one too. */
extern int _PyTraceMalloc_BeginClaim(int nframe);
extern void _PyTraceMalloc_EndClaim(void);

/* By site_at(); access.  Not part of the state: its address costs nothing
   then. */
extern struct site _PyTraceMalloc_Sites[SITES];


/* The block noted last by those who hold the calling thread's GIL; without
   GILs, by the thread.  So nobody else may change it, and no block in there
   can be freed and be an object's later without being noted anew: memory that
   objects come from without being allocated, in free lists, is an
   interpreter's, or a thread's.  NULL for who has no thread state, and can
   make no objects. */
static inline struct _PyTraceMalloc_Fresh *
tracer_fresh(enum access access)
{
    if (access == ACCESS_GIL) {
        return &_PyRuntime.tracemalloc.fresh;
    }
    PyThreadState *tstate = _PyThreadState_GET();
    if (tstate == NULL) {
        return NULL;
    }
#ifdef Py_GIL_DISABLED
    return &((_PyThreadStateImpl *)tstate)->tracemalloc_fresh;
#else
    return &tstate->interp->tracemalloc_fresh;
#endif
}


/* Remember the block noted last; see _PyTraceMalloc_IsFresh(). */
static inline void
tracer_set_fresh(enum access access, const void *block, size_t size)
{
    struct _PyTraceMalloc_Fresh *fresh = tracer_fresh(access);
    if (fresh != NULL) {
        fresh->block = (uintptr_t)block;
        fresh->size = size;
    }
}


/* --- locks and access ---------------------------------------------------- */

static inline int
tracer_is_tracing(void)
{
    return _Py_atomic_load_int_relaxed(&_PyRuntime.tracemalloc.tracing);
}


static inline void
tracer_lock(void)
{
    PyMutex_LockFlags(&_PyTraceMalloc_State.store_lock, _Py_LOCK_DONT_DETACH);
}


static inline void
tracer_unlock(void)
{
    PyMutex_Unlock(&_PyTraceMalloc_State.store_lock);
}


/* Whether the fast path may be taken: by a thread that holds the GIL. */
static inline int
tracer_is_fast(void)
{
    return _Py_atomic_load_int_relaxed(&_PyTraceMalloc_State.attention) == 0;
}


/* The same for giving blocks back, which filters and alarms do not concern. */
static inline int
tracer_is_free(void)
{
    return (_Py_atomic_load_int_relaxed(&_PyTraceMalloc_State.attention)
            & ATTENTION_ACCESS) == 0;
}


/* Needs the store lock. */
static inline void
attention_change(int bit, int on)
{
    int *attention = &_PyTraceMalloc_State.attention;
    int bits = _Py_atomic_load_int_relaxed(attention);
    _Py_atomic_store_int_relaxed(attention, on ? bits | bit : bits & ~bit);
}


static inline int
tracer_is_sampling(void)
{
    return __atomic_load_n(&_PyTraceMalloc_State.sampler.interval,
                           __ATOMIC_RELAXED) != 0;
}


/* Begin to use the store for every block: ACCESS_NONE when sampling.  Follow
   with tracer_end(), unless ACCESS_NONE. */
extern enum access _PyTraceMalloc_Begin(void);

static inline enum access
tracer_begin(void)
{
    if (tracer_is_free() && _PyThreadState_GET() != NULL) {
        return ACCESS_GIL;
    }
    return tracer_is_tracing() ? _PyTraceMalloc_Begin() : ACCESS_NONE;
}


static inline void
tracer_end(enum access access)
{
    if (access != ACCESS_GIL) {
        tracer_unlock();
    }
}


/* The same, with the store lock in any case: for what needs all of the store.
   Never ACCESS_DETACHED for a thread that holds a GIL. */
extern enum access _PyTraceMalloc_BeginLocked(void);

static inline void
tracer_end_locked(void)
{
    tracer_unlock();
}


/* Whether there are filters or an alarm. */
static inline int
tracer_is_watched(void)
{
    return (_Py_atomic_load_int_relaxed(&_PyTraceMalloc_State.attention)
            & ATTENTION_NOTE) != 0;
}


/* --- Objects/tracemalloc_attention.c ------------------------------------- */

/* Whether the filters let a block that was captured be noted; they let what is
   not known (NULL) pass. */
extern int _PyTraceMalloc_IsAdmitted(const struct place *,
                                     enum access access);

/* Let the alarm ring if it must. */
extern void _PyTraceMalloc_WatchAlarm(enum access access);

/* Put other filters in force; takes them over. */
extern void _PyTraceMalloc_SetFilters(struct trace_filter *, size_t n);

/* Show at most `nframe` frames from now on. */
extern void _PyTraceMalloc_SetLimit_lock_held(int nframe);

/* Have callback(traced bytes) called when traced memory is below `low` or
   above `high`, or at a time of the monotonic clock (in nanoseconds; 0 for
   none).  Once only; replaces the alarm that was set.  A callback of None sets
   none.  0, or -1 with an exception. */
extern int _PyTraceMalloc_SetAlarm(PyObject *callback, size_t low, size_t high,
                                   PyTime_t deadline);
extern void _PyTraceMalloc_CancelAlarm_lock_held(void);

/* A thread ends: if it was to call back, let another one ring. */
extern void _PyTraceMalloc_KeepAlarm_lock_held(PyThreadState *);


/* --- Python/tracemalloc_control.c ---------------------------------------- */

/* Whether what the thread allocates is the library's own, NULL being a thread
   that is unknown.  Where it is, a capture finds no place. */
static inline int
tracer_is_quiet(PyThreadState *tstate)
{
    return tstate != NULL
           && ((_PyThreadStateImpl *)tstate)->tracemalloc_quiet;
}

/* Count one of these, and let those that were freed count no longer.  Need
   access. */
extern void _PyTraceMalloc_CountOwn(size_t size);
extern void _PyTraceMalloc_SettleOwn(void);

/* Traced bytes without them, now and at the peak.  Needs access. */
extern void _PyTraceMalloc_ProgramBytes(size_t *current, size_t *peak);

/* Forget all traces and go on tracing: 0, or -1 when out of memory; then
   tracing has stopped. */
extern int _PyTraceMalloc_Clear(void);


/* --- Objects/tracemalloc_hooks.c ----------------------------------------- */

/* A link in the chain of allocators of a domain. */
struct hook {
    PyMemAllocatorDomain domain;    /* fixed after init */
    PyMemAllocatorEx below;         /* control_lock; readers see old or new */
    PyMemAllocatorEx own;           /* put above it; control_lock */
    int in_chain;                   /* control_lock; may be stale, see
                                       hook_is_reached() */
};

/* By domain: those that note every block, and those that take samples. */
extern struct hook _PyTraceMalloc_Hooks[2][3];

/* Functions of one hook, or what is to be above an allocator.  A thread that
   has no GIL, or another one, may call a function that was just put in place
   with the context of the one before, or the other way round.  So these do not
   look at their context, which is that of the allocator below. */
#define HOOK_ALLOCATOR(name, calls, hook)                                     \
    static void *                                                             \
    name##_malloc(void *Py_UNUSED(ctx), size_t size)                          \
    {                                                                         \
        return calls##_malloc(hook, size);                                    \
    }                                                                         \
    static void *                                                             \
    name##_calloc(void *Py_UNUSED(ctx), size_t count, size_t size)            \
    {                                                                         \
        return calls##_calloc(hook, count, size);                             \
    }                                                                         \
    static void *                                                             \
    name##_realloc(void *Py_UNUSED(ctx), void *ptr, size_t size)              \
    {                                                                         \
        return calls##_realloc(hook, ptr, size);                              \
    }                                                                         \
    static void                                                               \
    name##_free(void *Py_UNUSED(ctx), void *ptr)                              \
    {                                                                         \
        calls##_free(hook, ptr);                                              \
    }                                                                         \
    static const PyMemAllocatorEx name = {                                    \
        NULL, name##_malloc, name##_calloc, name##_realloc, name##_free,      \
    }

/* Put the hooks of all domains in place, or take them out where nobody else's
   allocator depends on them: those that note every block, or samples.  Need
   control_lock. */
extern void _PyTraceMalloc_InstallHooks(int sampling);
extern void _PyTraceMalloc_RemoveHooks(int sampling);

/* What the calling thread allocates goes unnoted: not at all, or, while
   pymalloc gets memory for itself, also what it frees. */
enum busy { NOT_BUSY, BUSY, BUSY_BELOW };
extern _Py_thread_local enum busy _PyTraceMalloc_Busy;

/* Note a block in a table: 0, 1 if a filter ignores it, or -1 when the trace
   had to be dropped. */
extern int _PyTraceMalloc_NoteBlock(struct block_table *, uint32_t domain,
                                    uintptr_t address, size_t size,
                                    enum access access);

/* Forget a block and copy it to *removed: 1, or 0 if it is not known. */
extern int _PyTraceMalloc_ForgetBlock(struct block_table *, uint32_t domain,
                                      uintptr_t address,
                                      struct block *removed,
                                      enum access access);

/* A block that is forgotten while the allocator below works on it. */
struct lifted {
    struct block block;
    uint32_t generation;    /* of the block's context */
    int present;
};

/* Let LookUp() find the block that this thread has lifted; NULL for none. */
extern void _PyTraceMalloc_ShowLifted(const struct lifted *);

/* Find a block of any kind: 1 and a copy, or 0.  Needs access and the lock. */
extern int _PyTraceMalloc_LookUp(uint32_t domain, uintptr_t address,
                                 struct block *block);

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


/* A hook that was replaced by traced pymalloc is asked while busy. */
extern void _PyTraceMalloc_HookReached(void *ctx);

/* An object that was not just allocated belongs to who takes it now. */
extern void _PyTraceMalloc_MoveObject(PyObject *);


/* --- Python/tracemalloc_threads.c (all need the store lock) -------------- */

/* The root of a thread's paths, or PATH_NONE when out of memory. */
extern path_id _PyTraceMalloc_ThreadRoot(PyThreadState *tstate);

/* The thread state goes away: another thread may have its slot. */
extern void _PyTraceMalloc_ReleaseThread(PyThreadState *tstate);

/* Forget the threads that have ended, or all. */
extern void _PyTraceMalloc_ClearThreads(int all);

/* Say what the thread is called that had a slot, by number, when it was copied
   to `known`.  0, or -1 when out of memory. */
extern int _PyTraceMalloc_NameThread(uint32_t number,
                                     const struct thread_slot *known,
                                     uint32_t kind, const void *text,
                                     size_t length);


/* --- Objects/tracemalloc_sampling.c -------------------------------------- */

/* Counting, for samples of a size: 0, or -1 when out of memory.  Need the
   store lock. */
extern int _PyTraceMalloc_CountSample(context_id, size_t size);
extern void _PyTraceMalloc_CountSampleFree(context_id, size_t size);
extern void _PyTraceMalloc_UncountSampleFree(context_id, size_t size);
extern int _PyTraceMalloc_MoveSample(context_id from, context_id to,
                                     size_t size);

/* A block without a cell becomes a sample. */
extern void _PyTraceMalloc_NoteSample(struct block_table *, uint32_t domain,
                                      uintptr_t address, size_t size);

/* It goes, if it was one; and stays after all. */
extern void _PyTraceMalloc_LiftSample(struct block_table *, uintptr_t address,
                                      struct lifted *);
extern void _PyTraceMalloc_PutBackSample(struct block_table *,
                                         const struct lifted *);

/* As the public functions, when sampling. */
extern int _PyTraceMalloc_TrackSample(uint32_t domain, uintptr_t address,
                                      size_t size);
extern int _PyTraceMalloc_UntrackSample(uint32_t domain, uintptr_t address);

/* An object that begins in a page with samples was taken from a free list, or
   just allocated. */
extern void _PyTraceMalloc_MoveSampledObject(PyObject *);

/* Standard errors of what a context is estimated to have. */
struct context_errors {
    double live_blocks;
    double live_bytes;
    double allocated_blocks;
    double allocated_bytes;
};

/* Fill in errors[context_id], for all contexts, from all live samples. */
extern void _PyTraceMalloc_CopyErrors(struct context_errors *errors,
                                      size_t ncontexts,
                                      const struct block *samples, size_t n);

/* Sort samples by context and size, and let one of each stand for all blocks
   of its kind: `address` is their estimated number, at least 1.  The number of
   kinds. */
extern size_t _PyTraceMalloc_GroupSamples(struct block *samples, size_t n);

/* NULL, or what is wrong with a copy of all live samples; stores what contexts
   should have into live[context]. */
extern const char *_PyTraceMalloc_CheckSamples(const struct block *samples,
                                               size_t n,
                                               struct live_sums *live);


/* --- Objects/tracemalloc_sampling.h (part of obmalloc.c) ----------------- */

/* Put the functions that take samples into `sampled`. */
extern void _PyTraceMalloc_UseSampling(struct hook *,
                                       PyMemAllocatorEx *sampled);

/* Let the calling thread's next allocation look at its state. */
extern void _PyTraceMalloc_InterruptGap(void);

/* Whether the next block, of so many bytes, is to be a sample. */
extern int _PyTraceMalloc_IsSampleDue(size_t size);

/* The cell at an address, if there is one that is not empty: forget it, or let
   it belong to the calling line: 1, or 0.  Need the store lock. */
extern int _PyTraceMalloc_ForgetSampledCell(uintptr_t address);
extern int _PyTraceMalloc_MoveSampledCell(uintptr_t address);

/* Let whoever frees the block at an address look for it in the tables. */
extern void _PyTraceMalloc_WatchPool(uintptr_t address);

/* Take all rows away from their pools. */
extern void _PyTraceMalloc_FreeSampledCells(void);

/* NULL, or what is wrong with rows. */
extern const char *_PyTraceMalloc_CheckSampledRows(void);


/* --- Objects/tracemalloc_pymalloc.h (part of obmalloc.c) ----------------- */

/* Put pymalloc with cells into `traced`, if the hook is above pymalloc: 1, or
   0. */
extern int _PyTraceMalloc_UsePymalloc(struct hook *, PyMemAllocatorEx *traced);

/* The block at an address, if a pool with cells holds it: 1, or 0.  Needs
   access, like all that follow. */
extern int _PyTraceMalloc_LookUpCell(uintptr_t address, struct block *block);

/* Forget the block at an address: 1, or 0 if it has no cell. */
extern int _PyTraceMalloc_ForgetCell(uintptr_t address);

/* Let the block at an address belong to the calling line: 1, or 0 if it has
   no cell. */
extern int _PyTraceMalloc_MoveCell(uintptr_t address, enum access access);

/* Where the block begins in which an object lies. */
extern uintptr_t _PyTraceMalloc_BlockOfObject(PyObject *);

/* Bytes of the calling interpreter's arenas that hold a traced block; 0 when
   out of memory. */
extern size_t _PyTraceMalloc_SizeOfArenas(void);

/* Blocks that have cells: their number, or copies of them. */
extern size_t _PyTraceMalloc_CountCells(void);
extern void _PyTraceMalloc_CopyCells(struct block *blocks);

/* Empty all cells, or take them away from the pools as well. */
extern void _PyTraceMalloc_ClearCells(void);
extern void _PyTraceMalloc_FreeCells(void);

/* NULL, or what is wrong; adds to the sums in live[context]. */
extern const char *_PyTraceMalloc_CheckCells(struct live_sums *live);

#endif  /* !Py_INTERNAL_TRACEMALLOC_STATE_H */
