/* Threads, and the roots of their call paths: see threads.c. */

#ifndef TRACEMALLOC_THREADS_H
#define TRACEMALLOC_THREADS_H

#include "pycore_pystate.h"       // PyThreadState

#include "../store/call_tree.h"

/* What is known of the threads whose contexts hang under one root. */
struct thread_slot {
    const void *owner;          /* the thread state that has it, or NULL */
    unsigned long ident;        /* of the last one, like the next three */
    unsigned long native_id;
    int64_t interpreter;
    struct name *name;          /* as Python calls it; NULL: not told */
    uint64_t threads;           /* that had it since traces were cleared */
};

/* All that follow need the store lock. */

/* The root of a thread's call paths in its current account, or NODE_NONE when
   out of memory. */
PART node_id tm_thread_root(PyThreadState *tstate);

/* The thread state goes away: another thread may have its slot. */
PART void tm_release_thread(PyThreadState *tstate);

/* Forget the threads that have ended, or all. */
PART void tm_clear_threads(int all);

/* Say what the thread is called that had a slot, by number, when it was copied
   to `known`.  0, or -1 when out of memory. */
PART int tm_name_thread(uint32_t number, const struct thread_slot *known,
                        uint32_t kind, const void *text, size_t length);

#endif  /* !TRACEMALLOC_THREADS_H */
