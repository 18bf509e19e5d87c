/* Which account a thread works for: see accounts.c. */

#ifndef TRACEMALLOC_CAPTURE_ACCOUNTS_H
#define TRACEMALLOC_CAPTURE_ACCOUNTS_H

#include "pycore_context.h"       // struct _pycontextobject

#include "cache.h"

/* The account of the context that is current in the thread; the calling
   thread's, or one that cannot run. */
static inline uint32_t
tm_thread_account(PyThreadState *tstate)
{
    const PyContext *context = (const PyContext *)tstate->context;
    return context != NULL ? context->ctx_account : NO_ACCOUNT;
}


/* A context has got another account. */
PART void tm_account_changed(PyThreadState *, const PyContext *);

/* Let the cache of the calling thread hang under the root of its account: 0,
   or -1 when out of memory.  Needs what captures need. */
PART int tm_move_cache(PyThreadState *, struct _PyTraceMalloc_ThreadCache *,
                       enum access);

static inline int
tm_follow_account(PyThreadState *tstate,
                  struct _PyTraceMalloc_ThreadCache *cache,
                  enum access access)
{
    return cache->account == tm_thread_account(tstate)
           ? 0 : tm_move_cache(tstate, cache, access);
}

#endif  /* !TRACEMALLOC_CAPTURE_ACCOUNTS_H */
