/* The tracer's state; what each of it is, the parts' headers say.

   Behind each member stands who may touch it: see access.h. */

#ifndef TRACEMALLOC_STATE_H
#define TRACEMALLOC_STATE_H

#include "pycore_lock.h"          // PyMutex
#include "pycore_runtime.h"       // _PyRuntime
#include "pycore_tstate.h"        // _PyThreadStateImpl

#include "capture/frame_entry.h"
#include "capture/threads.h"
#include "hooks/alarm.h"
#include "sampler/sampler.h"
#include "store/block_table.h"
#include "store/cells.h"
#include "store/code_table.h"
#include "store/counting.h"
#include "store/detached.h"
#include "store/filters.h"
#include "store/reclaim.h"

/* Why allocations cannot take the fast path; bits of the slow-path flags. */
enum slow_flags {
    SLOW_ACCESS = 1,            /* the store is not free to use: there is no
                                   tracing, no single GIL, something in
                                   `detached`, or `foreign` */
    SLOW_NOTE = 2,              /* somebody wants a look at what is noted:
                                   there are filters, or an alarm is set */
};

/* What captures look at before frames, those that are not the common ones. */
enum held_up {
    RECLAIM_WANTED = 1,         /* contexts are to be reclaimed */
    ACCOUNTS_USED = 2,          /* there was an account; stays */
};

struct _PyTraceMalloc_ThreadCache;

struct tracer_state {
    /* --- read or changed by every allocation */
    int held_up;                /* enum held_up; atomic; written under the
                                   store lock */
    struct traced_bytes bytes;  /* access */
    size_t record_limit;        /* when the peak is as high, the record is to
                                   be written; SIZE_MAX without one; access */

    /* --- the rest */
    PyMutex control_lock;
    PyMutex store_lock;
    int one_gil;                /* store lock */
    int foreign;                /* an extension reported blocks of domain 0:
                                   any block may be in `raw`; store lock */
    struct detached_counts detached;    /* store lock */
    uint64_t dropped;           /* traces without memory; store lock */
    struct block_table large;   /* of obj and mem, without a cell; access */
    struct shadow shadow;       /* of `large`, but for samples; access */
    struct block_table raw;     /* of raw, and other domains; store lock */
    struct cell_store cells;    /* rows: store lock; cells: access */
    int objects_have_cells;     /* those that pymalloc holds; control_lock */
    struct reclaim_pace pace;   /* store lock */
    struct _PyTraceMalloc_ThreadCache *caches;  /* all of them; store lock */
    size_t cache_bytes;         /* store lock */
    struct thread_slot threads[THREAD_SLOTS];   /* store lock */
    struct name_table *accounts;    /* what they are called, by number, as
                                       long as the runtime lives; NULL: there
                                       are none; store lock */
    struct alarm alarm;
    struct filter_set filters;  /* written under the store lock; results:
                                   access */
    uintptr_t objects_last;     /* address of the main interpreter's window of
                                   arenas; store lock */
    size_t sessions;            /* how often tracing began; control_lock */
    size_t claims;              /* which want tracing to be on; control_lock */
    size_t claimed_session;     /* that the first of them began, or another
                                   one; control_lock */
    int sole_gil;               /* changes only in a thread that holds it */
    struct sampler sampler;
    uint64_t option_interval;   /* what the options ask for at start-up, in
                                   bytes, or 0; GIL */
    uint64_t option_record_size;        /* the same; 0: no record; GIL */
    int record_wanted;          /* the record's helper waits for a copy; store
                                   lock */
    struct frame_entry unknown; /* where threads without frames allocate;
                                   fixed while tracing */
    struct code_table codes;    /* store lock; see access.h */
    struct call_tree tree;      /* store lock; see access.h */
};

/* All zeros at first, so that it takes no room in the executable. */
extern struct tracer_state _PyTraceMalloc_State;

/* enum slow_flags; not 0: leave the fast path.  Not 0 at first either: blocks
   may be reported before anything of the runtime was initialized.  Atomic;
   written under the store lock. */
extern int _PyTraceMalloc_SlowFlags;

/* Where those objects end that may come from a free list by the fast path: at
   `objects_last` if the slow-path flags are 0, else where none are.  So one
   question is enough.  Atomic; written with the flags. */
extern uintptr_t _PyTraceMalloc_ObjectsLast;

#endif  /* !TRACEMALLOC_STATE_H */
