/* Accounts of threads: whose root a thread's captures hang under.

   Called by Python/context.c when a thread goes on in another context, by
   ../accounts.c when a context gets another account, and by slow captures.

       thread --> context of contextvars --> number of the account

   The number is in the context, and copied with it; so it is found without
   looking anything up, also by a thread without the GIL.  A thread's cache
   hangs under one root.  Who changes the account that is current in a thread
   empties the thread's cache: common captures miss then, and the next slow one
   finds the root and walks the stack, whose marked frames are new because the
   cache does not have them.  greenlet, which exchanges contexts with stacks
   and tells nobody, makes captures miss as well.

   As long as there never was an account, nobody calls and no capture looks. */

#include "Python.h"
#include "accounts.h"
#include "growth.h"
#include "pycore_tracemalloc.h"

#define S (&_PyTraceMalloc_State)

static_assert(sizeof(void *) != 8
              || offsetof(PyContext, ctx_account) + sizeof(uint32_t)
                 == sizeof(PyContext),
              "in padding: the context is as large as CPython's");


PART int
tm_move_cache(PyThreadState *tstate, struct _PyTraceMalloc_ThreadCache *cache,
              enum access access)
{
    tm_access_lock(access);
    tm_empty_cache(cache);
    node_id old = cache->entries[0].site.node;
    uint32_t slot = tm_root_slot((uint32_t)tm_node_line(&S->tree, old));
    uint32_t account = tm_thread_account(tstate);
    node_id root = tm_add_root(&S->tree, tm_root_line(account, slot));
    tm_watch_growth_lock_held(root, access);
    if (root != NODE_NONE) {
        cache->entries[0].site.node = root;
        cache->entries[-1].site.node = root;
        cache->account = account;
    }
    tm_access_unlock(access);
    return root != NODE_NONE ? 0 : -1;
}


void
_PyTraceMalloc_SwitchAccount(PyThreadState *tstate)
{
    const _PyThreadStateImpl *state = (const _PyThreadStateImpl *)tstate;
    tm_lock();
    struct _PyTraceMalloc_ThreadCache *cache = state->tracemalloc_cache;
    if (cache == NULL) {
        /* It may be put aside. */
        cache = state->tracemalloc_kept;
    }
    if (cache != NULL && cache->account != tm_thread_account(tstate)) {
        tm_empty_cache(cache);
    }
    tm_unlock();
}


PART void
tm_account_changed(PyThreadState *tstate, const PyContext *context)
{
    if (tstate->context == (const PyObject *)context) {
        _PyTraceMalloc_SwitchAccount(tstate);
    }
    /* Who ends a generator leaves the account that it has entered, for the
       context of that time.  Any thread may be in it. */
    else if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        tm_free_caches();
        tm_end_locked();
    }
}
