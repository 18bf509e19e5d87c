/* The checker of the whole store: see check_store.c. */

#ifndef TRACEMALLOC_CHECK_STORE_H
#define TRACEMALLOC_CHECK_STORE_H

/* NULL, or what is wrong; NULL when not tracing, too.  Takes the lock. */
extern const char *_PyTraceMalloc_CheckStore(void);

#endif  /* !TRACEMALLOC_CHECK_STORE_H */
