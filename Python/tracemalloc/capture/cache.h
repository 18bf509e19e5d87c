/* Thread caches: see cache.c.

       stack now     [ main:40 *][ main:12 *][ json:31 ]      * marked
       entries   [0] [ main:40  ][ main:12  ][ json:9  ][ re:7 ]
                                                  ^ top before, gone since

   Invariants: entry 0 is the root; an entry's parent is the node of the one
   below; what entries up to the top name is not reclaimed.  Where a thread has
   no cache, its top is an entry of no frame: captures need not ask. */

#ifndef TRACEMALLOC_CACHE_H
#define TRACEMALLOC_CACHE_H

#include "../access.h"
#include "frame_entry.h"

/* What a thread state captured last, outermost frame first.  Entry 0 stands
   for "no caller"; those behind `top` are what was there before, and may still
   be right. */
struct _PyTraceMalloc_ThreadCache {
    struct frame_entry **top;           /* which is the newest frame's, or
                                           entry 0: told in the thread state,
                                           or in the next */
    struct frame_entry *top_aside;
    struct frame_entry *entries;        /* entries[-1] is there, too, and
                                           no frame's */
    size_t allocated;                   /* entries */
    size_t known;                       /* entries that were ever written */
    uint32_t account;                   /* that of entry 0's root */
    _PyInterpreterFrame **frames;       /* scratch */
    size_t frames_allocated;
    struct _PyTraceMalloc_ThreadCache **owner;  /* the pointer to this */
    struct _PyTraceMalloc_ThreadCache *next, *previous;
};

/* All that follow need the store lock. */

/* Make a thread's cache, below the node of its root; nothing when out of
   memory. */
PART void tm_new_cache(node_id root, PyThreadState *);

/* Put a thread's cache, if it has one, where captures do not find it; or back
   to where they do. */
PART void tm_put_cache_aside(PyThreadState *);
PART void tm_put_cache_back(PyThreadState *);

/* Let a cache know no frame: all that the thread has are new then. */
static inline void
tm_empty_cache(struct _PyTraceMalloc_ThreadCache *cache)
{
    *cache->top = cache->entries;
    cache->known = 1;
}

/* Room for `depth` frames above entry 0, and for n frames in the scratch: 0,
   or -1 when out of memory. */
PART int tm_reserve_entries(struct _PyTraceMalloc_ThreadCache *,
                            size_t depth);
PART int tm_reserve_frames(struct _PyTraceMalloc_ThreadCache *, size_t n);

/* Free one cache or all; access is needed for all. */
PART void tm_free_cache(struct _PyTraceMalloc_ThreadCache *);
PART void tm_free_caches(void);

/* Mark what caches name; forget what lies behind their tops. */
PART void tm_mark_caches(struct reclaim_roots *);

#endif  /* !TRACEMALLOC_CACHE_H */
