/* The C API: blocks that extensions report. */

#include "Python.h"
#include "access.h"
#include "hooks/blocks.h"
#include "hooks/pymalloc.h"
#include "pycore_tracemalloc.h"
#include "sampler/sampled_blocks.h"

#define S (&_PyTraceMalloc_State)


/* Forget a block that is kept elsewhere than in the table of raw blocks. */
static int
block_of_python_forget(uintptr_t address, enum access access)
{
    struct block removed;
    if (access == ACCESS_DETACHED) {
        return 0;
    }
    return _PyTraceMalloc_ForgetCell(address)
           || _PyTraceMalloc_ForgetBlock(&S->large, DEFAULT_DOMAIN, address,
                                         &removed, access);
}


int
PyTraceMalloc_Track(unsigned int domain, uintptr_t address, size_t size)
{
    if (tm_is_sampling()) {
        return tm_track_sample(domain, address, size);
    }
    if (domain == DEFAULT_DOMAIN) {
        /* A block of Python's own may be replaced by this, and be freed by
           Python later. */
        if (_PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
            return -2;
        }
        S->foreign = 1;
        tm_set_slow_flag(SLOW_ACCESS, 1);
        tm_end_locked();
    }
    enum access access = tm_begin();
    if (access == ACCESS_NONE) {
        return -2;
    }
    if (domain == DEFAULT_DOMAIN) {
        block_of_python_forget(address, access);
    }
    int result = _PyTraceMalloc_NoteBlock(&S->raw, domain, address, size,
                                          access);
    tm_end(access);
    return result < 0 ? -1 : 0;
}


int
PyTraceMalloc_Untrack(unsigned int domain, uintptr_t address)
{
    if (tm_is_sampling()) {
        return tm_untrack_sample(domain, address);
    }
    enum access access = tm_begin();
    if (access == ACCESS_NONE) {
        return -2;
    }
    struct block removed;
    if (!_PyTraceMalloc_ForgetBlock(&S->raw, domain, address, &removed, access)
        && domain == DEFAULT_DOMAIN)
    {
        block_of_python_forget(address, access);
    }
    tm_end(access);
    return 0;
}


int
_PyTraceMalloc_IsTracing(void)
{
    return tm_is_tracing();
}
