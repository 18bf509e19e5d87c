/* Threads: which root a thread's captures hang under, and what to call it.

   Called by cache.c for a thread's first capture, by control.c when a thread
   or tracing ends, and by the snapshot's columns for names; calls the call
   tree.

       slots   [ main ][ a thread ][ free ][ a thread ] ... [ all others ]
                  |         |                                    |
       nodes    root    root of 1                        root of the last

   Contexts know their thread by the root of their node, so a capture costs
   the same as without.  A thread keeps its slot as long as its state lives;
   then the next new thread gets it, the lowest slot first.  So a server with a
   thread for each request has few roots, and the memory of contexts does not
   grow with the number of requests; threads that had the same slot are shown
   as one, called after the last of them.  More threads at once than there are
   slots share the last one.

   Slot 0 is for the main thread as the main interpreter runs it.  Other
   interpreters have thread states of their own, so they have slots.

   All that is here needs the store lock. */

#include "Python.h"
#include "pycore_interp.h"        // PyInterpreterState
#include "../state.h"
#include "accounts.h"

#include <stdlib.h>               // malloc()

#define S (&_PyTraceMalloc_State)
#define SHARED_SLOT (THREAD_SLOTS - 1)


/* What tells thread states apart; nothing is read from there. */
static const void *
thread_owner(PyThreadState *tstate)
{
    return &((_PyThreadStateImpl *)tstate)->tracemalloc_cache;
}


static void
slot_enter(struct thread_slot *slot, PyThreadState *tstate)
{
    int64_t interpreter = PyInterpreterState_GetID(tstate->interp);
    if (slot->threads > 0 && slot->native_id == tstate->native_thread_id
        && slot->ident == tstate->thread_id
        && slot->interpreter == interpreter)
    {
        /* The same thread, with another state. */
        return;
    }
    free(slot->name);
    slot->name = NULL;
    slot->ident = tstate->thread_id;
    slot->native_id = tstate->native_thread_id;
    slot->interpreter = interpreter;
    slot->threads++;
}


static uint32_t
slot_of(PyThreadState *tstate)
{
    if (tstate->thread_id == _PyRuntime.main_thread
        && tstate->interp == _PyInterpreterState_Main())
    {
        return 0;
    }
    const void *owner = thread_owner(tstate);
    uint32_t vacant = SHARED_SLOT;
    for (uint32_t i = SHARED_SLOT - 1; i > 0; i--) {
        if (S->threads[i].owner == owner) {
            return i;
        }
        if (S->threads[i].owner == NULL) {
            vacant = i;
        }
    }
    slot_enter(&S->threads[vacant], tstate);
    if (vacant != SHARED_SLOT) {
        S->threads[vacant].owner = owner;
    }
    return vacant;
}


PART node_id
tm_thread_root(PyThreadState *tstate)
{
    return tm_add_root(&S->tree, tm_root_line(tm_thread_account(tstate),
                                              slot_of(tstate)));
}


PART void
tm_release_thread(PyThreadState *tstate)
{
    const void *owner = thread_owner(tstate);
    for (uint32_t i = 1; i < SHARED_SLOT; i++) {
        if (S->threads[i].owner == owner) {
            S->threads[i].owner = NULL;
        }
    }
}


PART void
tm_clear_threads(int all)
{
    for (uint32_t i = 0; i < THREAD_SLOTS; i++) {
        struct thread_slot *slot = &S->threads[i];
        if (all || slot->owner == NULL) {
            free(slot->name);
            *slot = (struct thread_slot){.owner = NULL};
        }
        else {
            slot->threads = 1;
        }
    }
}


PART int
tm_name_thread(uint32_t number, const struct thread_slot *known,
               uint32_t kind, const void *text, size_t length)
{
    struct thread_slot *slot = &S->threads[number];
    struct name *name = malloc(sizeof(*name) + length * kind);
    if (name == NULL) {
        return -1;
    }
    if (slot->owner != known->owner || slot->threads != known->threads) {
        /* It ended meanwhile. */
        free(name);
        return 0;
    }
    *name = (struct name){.kind = kind, .length = length};
    memcpy(name->text, text, length * kind);
    free(slot->name);
    slot->name = name;
    return 0;
}
