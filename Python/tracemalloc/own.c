/* The library's own: what it allocates is noted, and shown to nobody.

   Called by Modules/_tracemalloc.c and by everything that runs code of the
   program's (pycore_tracemalloc.h); calls counting. */

#include "Python.h"
#include "access.h"
#include "capture/cache.h"
#include "own.h"
#include "pycore_tracemalloc.h"

#define S (&_PyTraceMalloc_State)


/* The cache is put aside where the common capture does not find it, so that
   this takes nothing from others.  It is right when it is put back: frames
   that called have not moved, and those that have come since bear no mark. */
int
_PyTraceMalloc_SetQuiet(PyThreadState *tstate, int quiet)
{
    _PyThreadStateImpl *state = (_PyThreadStateImpl *)tstate;
    int was_quiet = state->tracemalloc_quiet;
    if (was_quiet == quiet) {
        return was_quiet;
    }
    tm_lock();
    if (quiet) {
        tm_put_cache_aside(tstate);
    }
    else {
        tm_put_cache_back(tstate);
    }
    state->tracemalloc_quiet = quiet;
    if (tm_is_tracing()) {
        tm_settle_own();
    }
    tm_unlock();
    return was_quiet;
}


void
_PyTraceMalloc_CountOwn(size_t size)
{
    struct sample_weight one = {.blocks = 1, .bytes = size};
    tm_count_own_alloc(&S->bytes, tm_context_at(&S->tree, CONTEXT_OWN),
                       one);
}


PART void
tm_settle_own(void)
{
    tm_count_own_settled(&S->bytes, tm_context_at(&S->tree, CONTEXT_OWN));
}


PART void
tm_program_bytes(size_t *current, size_t *peak)
{
    struct context *own = tm_context_at(&S->tree, CONTEXT_OWN);
    tm_count_own_settled(&S->bytes, own);
    struct counters mine = tm_context_totals(own, &S->bytes);
    *current = (size_t)tm_sampled_bytes(
        &S->sampler, tm_bytes_current(&S->bytes)
                     - (size_t)(mine.allocated_bytes - mine.freed_bytes));
    *peak = (size_t)tm_sampled_bytes(
        &S->sampler, S->bytes.peak - (size_t)mine.peak_bytes);
}
