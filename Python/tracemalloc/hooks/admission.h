/* The filters in force: see admission.c. */

#ifndef TRACEMALLOC_ADMISSION_H
#define TRACEMALLOC_ADMISSION_H

#include "../capture/site_cache.h"
#include "../store/filters.h"

/* Whether the filters let a block that was captured be noted; they let what is
   not known (NULL) pass. */
extern int _PyTraceMalloc_IsAdmitted(const struct site *,
                                     enum access access);

/* Put other filters in force; takes them over. */
PART void tm_set_filters(struct trace_filter *, size_t n);

/* Show at most `nframe` frames from now on. */
PART void tm_set_limit_lock_held(int nframe);

#endif  /* !TRACEMALLOC_ADMISSION_H */
