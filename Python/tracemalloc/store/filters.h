/* Filters: which contexts count, by file name and line. */

#ifndef TRACEMALLOC_FILTERS_H
#define TRACEMALLOC_FILTERS_H

#include "call_tree.h"
#include "code_table.h"

struct trace_filter {
    int inclusive;              /* 0: ignore what matches */
    int all_frames;             /* 0: look at the newest frame only */
    int32_t line;               /* 0: any */
    size_t length;
    uint32_t *pattern;          /* characters; '*' stands for any text */
};

/* The filters that are in force, and what they said of contexts so far:

       filters    + *app.py      any line    newest frame
                  - *cache.py    line 12     all frames

       results    context 1: ignored   2: admitted   3: not asked yet   ...

   They are applied to a context once: what they look at never changes.  So
   what filters cost is one byte looked up per block, however many filters
   there are.  The results are forgotten when the filters change, when the
   limit of tracebacks does, and when the numbers of contexts are given anew
   (`generation`).

   Invariant: a result that is there is what the filters would say now; checked
   by tm_check_filters.

   Filters are written under the store lock; the results need access. */
struct filter_set {
    size_t n;                   /* 0: everything is admitted */
    struct trace_filter *filters;       /* from malloc, like the patterns */
    uint32_t nframe;            /* frames that a traceback shows, >= 1 */
    uint32_t generation;        /* of the contexts that results are of */
    size_t nresults;
    unsigned char *results;     /* by context_id */
};

/* Put other filters in force; takes them over.  Call with (NULL, 0) to have
   none. */
PART void tm_replace_filters(struct filter_set *, struct trace_filter *,
                             size_t n);
PART void tm_free_filters(struct trace_filter *, size_t n);

/* Whether blocks of a context are to be noted: 1, or 0 to ignore them.  A
   block without a frame has the file name "" and line 0.  The line of the
   context is told by who calls: it cannot be read without access. */
PART int tm_apply_filters(const struct filter_set *, const struct code_table *,
                          const struct call_tree *, context_id, int32_t line);

/* The same, as it was kept, or -1 if it was not. */
PART int tm_recall_filter_result(const struct filter_set *,
                                 const struct call_tree *, context_id);
PART void tm_keep_filter_result(struct filter_set *, const struct call_tree *,
                                context_id, int admitted);
PART void tm_forget_filter_results(struct filter_set *);

PART size_t tm_size_of_filters(const struct filter_set *);

/* NULL, or what is wrong. */
PART const char *tm_check_filters(const struct filter_set *,
                                  const struct code_table *,
                                  const struct call_tree *);

#endif  /* !TRACEMALLOC_FILTERS_H */
