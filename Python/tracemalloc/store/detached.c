/* Detached counts: what threads without access allocate and free, until
   somebody with access takes it over.

   Called by hooks/count_block.c and access.c, under the store lock; calls
   counting.h and the call tree.  See the header for the picture. */

#include "detached.h"
#include "counting.h"

#include <assert.h>
#include <stdlib.h>

#ifdef Py_TRACEMALLOC_STRESS
#  define FIRST_COUNTS 4
#else
#  define FIRST_COUNTS 64
#endif

/* How many of the newest entries are looked at for one that is there. */
#define RECENT 16


static inline uint64_t
count_live_blocks(const struct detached_count *count)
{
    return count->allocated_blocks - count->freed_blocks;
}


static inline uint64_t
count_live_bytes(const struct detached_count *count)
{
    return count->allocated_bytes - count->freed_bytes;
}


/* Keep what is live, because it is about to change. */
static void
count_save_peak(struct detached_counts *list, struct detached_count *count)
{
    if (count->epoch != list->epoch) {
        count->peak_blocks = count_live_blocks(count);
        count->peak_bytes = count_live_bytes(count);
        count->epoch = list->epoch;
        list->saved = list->epoch;
    }
}


PART void
tm_clear_detached(struct detached_counts *list)
{
    list->used = 0;
    list->bytes = list->peak = 0;
    list->epoch = 1;
    list->saved = 0;
}


PART void
tm_fini_detached(struct detached_counts *list)
{
    free(list->counts);
    list->counts = NULL;
    list->allocated = 0;
    tm_clear_detached(list);
}


static int
count_compare(const void *left, const void *right)
{
    context_id a = ((const struct detached_count *)left)->context;
    context_id b = ((const struct detached_count *)right)->context;
    return (a > b) - (a < b);
}


/* Make one entry of all that have the same context: a list that nobody takes
   over stays as short as there are contexts. */
static void
list_merge(struct detached_counts *list)
{
    struct detached_count *counts = list->counts;
    qsort(counts, list->used, sizeof(counts[0]), count_compare);
    size_t n = 0;
    for (size_t i = 0; i < list->used; i++) {
        if (n == 0 || counts[n - 1].context != counts[i].context) {
            counts[n++] = counts[i];
            continue;
        }
        struct detached_count *into = &counts[n - 1];
        count_save_peak(list, into);
        count_save_peak(list, &counts[i]);
        into->allocated_blocks += counts[i].allocated_blocks;
        into->allocated_bytes += counts[i].allocated_bytes;
        into->freed_blocks += counts[i].freed_blocks;
        into->freed_bytes += counts[i].freed_bytes;
        into->peak_blocks += counts[i].peak_blocks;
        into->peak_bytes += counts[i].peak_bytes;
    }
    list->used = n;
}


/* Room for one more entry: 0, or -1 when out of memory. */
static int
list_reserve(struct detached_counts *list)
{
    if (list->used < list->allocated) {
        return 0;
    }
    if (list->used > 0) {
        list_merge(list);
    }
    if (list->allocated > 0 && list->used <= list->allocated / 2) {
        return 0;
    }
    size_t allocated = list->allocated ? 2 * list->allocated : FIRST_COUNTS;
    struct detached_count *counts = realloc(list->counts,
                                            allocated * sizeof(counts[0]));
    if (counts == NULL) {
        return list->used < list->allocated ? 0 : -1;
    }
    list->counts = counts;
    list->allocated = allocated;
    return 0;
}


/* The entry of a context among the newest `n`, or NULL. */
static struct detached_count *
list_find(struct detached_counts *list, context_id context, size_t n)
{
    for (size_t i = list->used; i-- > 0 && list->used - i <= n;) {
        if (list->counts[i].context == context) {
            return &list->counts[i];
        }
    }
    return NULL;
}


/* The entry of a context, added if new; NULL when out of memory. */
static struct detached_count *
list_get(struct detached_counts *list, context_id context)
{
    assert(list->epoch > 0);
    struct detached_count *count = list_find(list, context, RECENT);
    if (count == NULL && list_reserve(list) == 0) {
        count = &list->counts[list->used++];
        *count = (struct detached_count){.context = context};
    }
    else if (count == NULL) {
        count = list_find(list, context, list->used);
    }
    return count;
}


/* More is live from now on: a new maximum, or a change after it. */
static void
list_rise(struct detached_counts *list, struct detached_count *count,
          size_t size)
{
    size_t bytes = list->bytes + size;
    if ((ptrdiff_t)(bytes - list->peak) > 0) {
        list->peak = bytes;
        list->epoch = list->saved + 1;
    }
    else {
        count_save_peak(list, count);
    }
    list->bytes = bytes;
}


PART int
tm_count_detached_alloc(struct detached_counts *list,
                        context_id context, size_t size)
{
    struct detached_count *count = list_get(list, context);
    if (count == NULL) {
        return -1;
    }
    list_rise(list, count, size);
    count->allocated_blocks++;
    count->allocated_bytes += size;
    return 0;
}


PART int
tm_count_detached_free(struct detached_counts *list,
                       context_id context, size_t size)
{
    struct detached_count *count = list_get(list, context);
    if (count == NULL) {
        return -1;
    }
    count_save_peak(list, count);
    count->freed_blocks++;
    count->freed_bytes += size;
    list->bytes -= size;
    return 0;
}


PART int
tm_uncount_detached_free(struct detached_counts *list,
                         context_id context, size_t size)
{
    struct detached_count *count = list_get(list, context);
    if (count == NULL) {
        return -1;
    }
    list_rise(list, count, size);
    count->freed_blocks--;
    count->freed_bytes -= size;
    return 0;
}


/* Let contexts be as they were at the list's maximum, which is one of all
   traced memory: nothing needs saving on the way there. */
static void
list_take_peak(struct detached_counts *list, struct call_tree *tree,
               struct traced_bytes *bytes)
{
    for (size_t i = 0; i < list->used; i++) {
        struct detached_count *count = &list->counts[i];
        struct context *context = tm_context_at(tree, count->context);
        count_save_peak(list, count);
        _PyTraceMalloc_GiveCounters(tree, context);
        tm_counters_of(context)->allocated_blocks += count->peak_blocks;
        tm_counters_of(context)->allocated_bytes += count->peak_bytes;
        count->allocated_blocks -= count->peak_blocks;
        count->allocated_bytes -= count->peak_bytes;
    }
    tm_bytes_maximum(bytes, tm_bytes_current(bytes) + list->peak);
    list->bytes -= list->peak;
}


PART void
tm_take_detached(struct detached_counts *list,
                 struct call_tree *tree,
                 struct traced_bytes *bytes)
{
    if (list->peak != 0 && list->peak > bytes->headroom) {
        list_take_peak(list, tree, bytes);
    }
    for (size_t i = 0; i < list->used; i++) {
        const struct detached_count *count = &list->counts[i];
        struct context *context = tm_context_at(tree, count->context);
        _PyTraceMalloc_GiveCounters(tree, context);
        tm_context_touch(context, bytes);
        tm_counters_of(context)->allocated_blocks += count->allocated_blocks;
        tm_counters_of(context)->allocated_bytes += count->allocated_bytes;
        tm_counters_of(context)->freed_blocks += count->freed_blocks;
        tm_counters_of(context)->freed_bytes += count->freed_bytes;
    }
    bytes->headroom -= list->bytes;
    size_t current = tm_bytes_current(bytes);
    if (current > bytes->peak) {
        /* Sizes that an extension made up, with a sum of 2**63 or more. */
        tm_bytes_maximum(bytes, current);
    }
    tm_clear_detached(list);
}
