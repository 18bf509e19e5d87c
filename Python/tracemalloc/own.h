/* What the tracer's library takes for itself: see own.c. */

#ifndef TRACEMALLOC_OWN_H
#define TRACEMALLOC_OWN_H

#include "state.h"

/* Whether what the thread allocates is the library's own, NULL being a thread
   that is unknown.  Where it is, a capture finds no site. */
static inline int
tm_is_quiet(PyThreadState *tstate)
{
    return tstate != NULL
           && ((_PyThreadStateImpl *)tstate)->tracemalloc_quiet;
}

/* Count one of these, and let those that were freed count no longer.  Need
   access. */
extern void _PyTraceMalloc_CountOwn(size_t size);
PART void tm_settle_own(void);

/* Traced bytes without them, now and at the peak.  Needs access. */
PART void tm_program_bytes(size_t *current, size_t *peak);

#endif  /* !TRACEMALLOC_OWN_H */
