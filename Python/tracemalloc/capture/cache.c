/* Thread caches: memory for what each thread captured last.

   Called by capture.c, by growth.c, and by control.c when threads or tracing
   end.  All that is here needs the store lock. */

#include "Python.h"
#include "../access.h"
#include "cache.h"

#include <stdlib.h>               // calloc()

#define S (&_PyTraceMalloc_State)

#ifdef Py_TRACEMALLOC_STRESS
#  define FIRST_ENTRIES 2
#else
#  define FIRST_ENTRIES 64
#endif


PART int
tm_reserve_entries(struct _PyTraceMalloc_ThreadCache *cache, size_t depth)
{
    if (depth < cache->allocated) {
        return 0;
    }
    size_t allocated = cache->allocated ? cache->allocated : FIRST_ENTRIES;
    while (allocated <= depth) {
        allocated *= 2;
    }
    struct frame_entry *base = cache->entries ? cache->entries - 1 : NULL;
    size_t top = *cache->top - cache->entries;
    struct frame_entry *entries = realloc(
        base, (allocated + 1) * sizeof(entries[0]));
    if (entries == NULL) {
        return -1;
    }
    entries++;
    S->cache_bytes += (allocated - cache->allocated) * sizeof(entries[0]);
    cache->entries = entries;
    *cache->top = entries + top;
    cache->allocated = allocated;
    return 0;
}


PART int
tm_reserve_frames(struct _PyTraceMalloc_ThreadCache *cache, size_t n)
{
    if (n <= cache->frames_allocated) {
        return 0;
    }
    size_t allocated = Py_MAX(2 * n, FIRST_ENTRIES);
    _PyInterpreterFrame **frames = realloc(cache->frames,
                                           allocated * sizeof(frames[0]));
    if (frames == NULL) {
        return -1;
    }
    S->cache_bytes +=
        (allocated - cache->frames_allocated) * sizeof(frames[0]);
    cache->frames = frames;
    cache->frames_allocated = allocated;
    return 0;
}


/* No frame has this address, so these are never taken for one. */
static struct frame_entry no_frames[2] = {
    {.frame = (_PyInterpreterFrame *)no_frames},
    {.frame = (_PyInterpreterFrame *)no_frames},
};


void
_PyTraceMalloc_InitThread(PyThreadState *tstate)
{
    ((_PyThreadStateImpl *)tstate)->tracemalloc_top = &no_frames[1];
}


/* Let captures find the cache, which is where it is kept otherwise. */
static void
cache_show(struct _PyTraceMalloc_ThreadCache *cache,
           _PyThreadStateImpl *state)
{
    cache->top = &state->tracemalloc_top;
    *cache->top = cache->top_aside;
    cache->owner = &state->tracemalloc_cache;
    *cache->owner = cache;
}


PART void
tm_put_cache_aside(PyThreadState *tstate)
{
    _PyThreadStateImpl *state = (_PyThreadStateImpl *)tstate;
    struct _PyTraceMalloc_ThreadCache *cache = state->tracemalloc_cache;
    if (cache != NULL) {
        cache->top_aside = *cache->top;
        cache->top = &cache->top_aside;
        cache->owner = &state->tracemalloc_kept;
        *cache->owner = cache;
        state->tracemalloc_cache = NULL;
        _PyTraceMalloc_InitThread(tstate);
    }
}


PART void
tm_put_cache_back(PyThreadState *tstate)
{
    _PyThreadStateImpl *state = (_PyThreadStateImpl *)tstate;
    struct _PyTraceMalloc_ThreadCache *cache = state->tracemalloc_kept;
    if (cache != NULL) {
        state->tracemalloc_kept = NULL;
        cache_show(cache, state);
    }
}


PART void
tm_new_cache(node_id root, PyThreadState *tstate)
{
    struct _PyTraceMalloc_ThreadCache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL) {
        return;
    }
    cache->top = &cache->top_aside;
    if (tm_reserve_entries(cache, 1) < 0) {
        free(cache);
        return;
    }
    cache->known = 1;
    cache->entries[0] = S->unknown;
    cache->entries[0].site.node = root;
    cache->entries[0].frame = no_frames[0].frame;
    cache->entries[-1] = cache->entries[0];
    cache->account = tm_root_account(
        (uint32_t)tm_node_line(&S->tree, root));
    cache->next = S->caches;
    if (cache->next != NULL) {
        cache->next->previous = cache;
    }
    S->caches = cache;
    S->cache_bytes += sizeof(*cache);
    cache_show(cache, (_PyThreadStateImpl *)tstate);
}


PART void
tm_free_cache(struct _PyTraceMalloc_ThreadCache *cache)
{
    if (cache->previous != NULL) {
        cache->previous->next = cache->next;
    }
    else {
        S->caches = cache->next;
    }
    if (cache->next != NULL) {
        cache->next->previous = cache->previous;
    }
    S->cache_bytes -= sizeof(*cache)
                      + cache->allocated * sizeof(cache->entries[0])
                      + cache->frames_allocated * sizeof(cache->frames[0]);
    *cache->owner = NULL;
    *cache->top = &no_frames[1];
    free(cache->entries - 1);
    free(cache->frames);
    free(cache);
}


PART void
tm_free_caches(void)
{
    while (S->caches != NULL) {
        tm_free_cache(S->caches);
    }
}


PART void
tm_mark_caches(struct reclaim_roots *roots)
{
    for (struct _PyTraceMalloc_ThreadCache *cache = S->caches; cache != NULL;
         cache = cache->next)
    {
        struct frame_entry *end = cache->entries + cache->known;
        roots->nodes[cache->entries[0].site.node] = 1;
        for (struct frame_entry *entry = cache->entries + 1; entry < end;
             entry++)
        {
            if (entry > *cache->top) {
                /* Right only as long as its numbers mean what they meant. */
                memset(entry, 0, sizeof(*entry));
                continue;
            }
            if (entry->site.node != NODE_NONE) {
                roots->nodes[entry->site.node] = 1;
            }
            node_id parent = tm_key_parent(entry->key);
            if (parent != NODE_NONE) {
                roots->nodes[parent] = 1;
            }
            if (entry->site.cell != 0) {
                roots->contexts[tm_site_context(&entry->site)] = 1;
            }
        }
    }
}
