/* Detached counts: what threads without access allocate and free, until
   somebody with access takes it over. */

#ifndef TRACEMALLOC_DETACHED_H
#define TRACEMALLOC_DETACHED_H

#include "call_tree.h"

struct traced_bytes;

/* What detached threads counted for a context since somebody with access
   looked; all modulo 2**64. */
struct detached_count {
    context_id context;
    uint32_t epoch;
    uint64_t allocated_blocks;
    uint64_t allocated_bytes;
    uint64_t freed_blocks;
    uint64_t freed_bytes;
    /* What was live at the maximum of the list, if `epoch` is the list's;
       otherwise it is what is live now. */
    uint64_t peak_blocks;
    uint64_t peak_bytes;
};

/* A list of such counts:

       detached threads                     the next holder of the GIL
         +40 at a, +9 at b, -40 at a  -->   list  -->  contexts, traced bytes
                      ^
                      the list's maximum: what each context has here is kept

   The order of events.  A detached event counts as made when the list is taken
   over: before everything that thread with access does from then on, and after
   everything done before.  Whoever must see it earlier has been told of it by
   the thread that made it, so it sees SLOW_ACCESS as well, and takes the
   list over first; so no thread can find that the order was another.  In the
   list the order is that of the store lock.

   The state at the peak.  Where in the list traced memory was highest is known
   at once, because what was there before the list is the same for all of it:
   at the maximum of the list's own sum.  Each entry therefore keeps what is
   live at that maximum, by the epochs that contexts have too (see struct
   traced_bytes in counting.h).  Whether that is a new maximum of all traced
   memory is known when the list is taken over: up to there all is counted
   first, then the peak is set, then comes the rest.

   Numbers may pass below 0, since a list can free what others allocated: they
   count modulo 2**64.  Epochs begin anew when the list is taken over; 2**32 of
   them in one list would each be a maximum, a byte higher than the last, while
   no holder of the GIL allocates anything.

   Invariants: `bytes` is the sum over all entries; `peak` is the sum of what
   entries keep of the maximum, and not below 0.

   All of it needs the store lock. */
struct detached_counts {
    struct detached_count *counts;
    size_t used;
    size_t allocated;
    size_t bytes;               /* more is live than without the list, or,
                                   modulo 2**64, less */
    size_t peak;                /* highest value of `bytes`; >= 0 */
    uint32_t epoch;             /* as in struct traced_bytes */
    uint32_t saved;
};

/* Empty a list, which zeros alone are not; and free its memory too. */
PART void tm_clear_detached(struct detached_counts *);
PART void tm_fini_detached(struct detached_counts *);

/* As tm_count_alloc(), tm_count_free() and tm_uncount_free(): 0, or -1 when
   out of memory, and then nothing is counted. */
PART int tm_count_detached_alloc(struct detached_counts *, context_id,
                                 size_t size);
PART int tm_count_detached_free(struct detached_counts *, context_id,
                                size_t size);
PART int tm_uncount_detached_free(struct detached_counts *, context_id,
                                  size_t size);

/* Take a list over, and empty it.  Needs access, too. */
PART void tm_take_detached(struct detached_counts *, struct call_tree *,
                           struct traced_bytes *);

#endif  /* !TRACEMALLOC_DETACHED_H */
