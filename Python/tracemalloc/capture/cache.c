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
    size_t top = cache->top - cache->entries;
    struct frame_entry *entries = realloc(
        base, (allocated + 1) * sizeof(entries[0]));
    if (entries == NULL) {
        return -1;
    }
    entries++;
    S->cache_bytes += (allocated - cache->allocated) * sizeof(entries[0]);
    cache->entries = entries;
    cache->top = entries + top;
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


PART void
tm_new_cache(node_id root, struct _PyTraceMalloc_ThreadCache **owner)
{
    struct _PyTraceMalloc_ThreadCache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL) {
        return;
    }
    if (tm_reserve_entries(cache, 1) < 0) {
        free(cache);
        return;
    }
    cache->known = 1;
    cache->entries[0] = S->unknown;
    cache->entries[0].site.node = root;
    /* No frame has this address, so these are never taken for one. */
    cache->entries[0].frame = (_PyInterpreterFrame *)cache;
    cache->entries[-1] = cache->entries[0];
    cache->account = tm_root_account(
        (uint32_t)tm_node_line(&S->tree, root));
    cache->owner = owner;
    cache->next = S->caches;
    if (cache->next != NULL) {
        cache->next->previous = cache;
    }
    S->caches = cache;
    S->cache_bytes += sizeof(*cache);
    *owner = cache;
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
            if (entry > cache->top) {
                /* Right only as long as its numbers mean what they meant. */
                memset(entry, 0, sizeof(*entry));
                continue;
            }
            if (entry->site.node != NODE_NONE) {
                roots->nodes[entry->site.node] = 1;
            }
            if (entry->key.parent != NODE_NONE) {
                roots->nodes[entry->key.parent] = 1;
            }
            if (entry->site.cell != 0) {
                roots->contexts[tm_site_context(&entry->site)] = 1;
            }
        }
    }
}
