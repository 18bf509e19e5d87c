/* Verify: see verify.c. */

#ifndef TRACEMALLOC_VERIFY_H
#define TRACEMALLOC_VERIFY_H

#ifdef Py_TRACEMALLOC_VERIFY

#include "site_cache.h"

/* Walk the whole stack and compare; abort if the site is wrong. */
extern void _PyTraceMalloc_VerifyCapture(PyThreadState *tstate,
                                         const struct site *site);

/* The runtime begins; the child of a fork does. */
PART void tm_begin_verify(void);
PART void tm_fork_verify(void);

/* Captures that this process has compared. */
extern uint64_t _PyTraceMalloc_CountVerified(void);

#endif  /* Py_TRACEMALLOC_VERIFY */

#endif  /* !TRACEMALLOC_VERIFY_H */
