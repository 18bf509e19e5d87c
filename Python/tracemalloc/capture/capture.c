/* Capture: the frames of the calling thread -> the context of an allocation.

   The only reader of frames.  Called by whoever notes blocks; calls entries,
   for the nodes and contexts of frames, the caches of threads, and growth.

   Each thread state has a cache of the call path it captured last (cache.h),
   and a frame has a mark, set when it enters that cache.

   A marked frame's callers have not moved since, for it would have to return
   first; so a capture walks from the newest frame to the first marked one, and
   the depth of the stack does not matter.  Frames of generators do move, from
   one caller to another, while they are suspended, which takes their mark away
   but not the other bits of that byte: the low bits of their depth in the
   cache.  Resumed, they are compared with their entries, which may lie behind
   the top, down to a marked frame, and are marked again.

   A mark says "in the cache of the thread state that runs this frame, or no
   longer": a frame that is marked but not in there (its greenlet was switched
   in, or the caches were freed) counts as new.  A frame's mark is reset when
   it is born; who else changes a frame calls _PyTraceMalloc_FrameMoved().

   Entries remember the instruction, which lies inside the code object, and the
   code object's number, which tells two code objects that lived at one address
   apart; so an entry that is gone serves again when the same call comes back.
   */

#include "Python.h"
#include "pycore_frame.h"         // _PyInterpreterFrame
#include "pycore_tracemalloc.h"
#include "accounts.h"
#include "capture.h"
#include "entries.h"
#include "growth.h"

#define S (&_PyTraceMalloc_State)


PART PyThreadState *
tm_detached_thread(void)
{
    if (_PyRuntimeState_GetFinalizing(&_PyRuntime) != NULL) {
        /* The states of other threads are being freed under them.  Freeing
           takes the store lock, which the caller holds, so up to then the
           state stays valid. */
        return NULL;
    }
    return PyGILState_GetThisThreadState();
}


/* The entry of a marked frame, or NULL: what lies above it has returned. */
static struct frame_entry *
cache_find(struct _PyTraceMalloc_ThreadCache *cache,
           const _PyInterpreterFrame *frame)
{
    for (struct frame_entry *entry = *cache->top; entry > cache->entries;
         entry--)
    {
        if (entry->frame == frame) {
            return entry;
        }
    }
    return NULL;
}


/* Frames that are looked at in one go; of more than these, in memory of the
   cache's. */
#ifdef Py_TRACEMALLOC_STRESS
#  define NEAR 2
#else
#  define NEAR 16
#endif


/* The frames from a generator's down to a marked one, newest first, and which
   of their entries are wrong: none if `lowest` is negative. */
struct resumed {
    _PyInterpreterFrame *frames[NEAR];  /* neither of the two */
    intptr_t n;
    intptr_t lowest, highest;   /* distance from the generator's entry */
};


/* Where a generator's frame was in the cache, if it can be there: or NULL. */
static inline struct frame_entry *
resumed_entry(struct _PyTraceMalloc_ThreadCache *cache,
              const _PyInterpreterFrame *frame)
{
    intptr_t depth = *cache->top - cache->entries;
    /* Seven bits of it, and the nearest depth that has them. */
    depth += (signed char)((frame->tracemalloc_mark & ~1) - (depth << 1)) / 2;
    if (depth < 1 || depth >= (intptr_t)cache->known) {
        return NULL;
    }
    struct frame_entry *entry = cache->entries + depth;
    if (entry->frame != frame
        || tm_key_code(entry->key) != tm_frame_code(frame))
    {
        return NULL;
    }
    return entry;
}


/* Compare the frames below a generator's with the entries below its own; the
   entry of the first marked one, or NULL if they are not the same. */
static inline struct frame_entry *
resumed_compare(struct _PyTraceMalloc_ThreadCache *cache,
                struct frame_entry *entry, struct resumed *found,
                enum access access)
{
    _PyInterpreterFrame *frame = entry->frame;
    intptr_t most = Py_MIN(entry - cache->entries - 1, NEAR);
    found->n = found->highest = 0;
    found->lowest = -1;
    for (;;) {
        /* What runs a generator is below it, unless that is C alone: throw()
           links a suspended generator above whatever frame there is. */
        frame = frame->previous;
        entry--;
        while (frame != NULL && frame->owner != FRAME_OWNED_BY_GENERATOR
               && _PyFrame_IsIncomplete(frame))
        {
            frame = frame->previous;
        }
        if (frame == NULL) {
            return NULL;
        }
        if (tm_frame_is_marked(frame) && entry <= *cache->top) {
            break;
        }
        if (found->n == most) {
            return NULL;
        }
        found->frames[found->n++] = frame;
        if (entry->frame != frame || entry->instruction != frame->instr_ptr
            || tm_key_parent(entry[1].key) != entry->site.node
            || tm_key_code(entry->key) != tm_frame_code(frame))
        {
            found->lowest = found->n;
            found->highest = found->highest != 0 ? found->highest : found->n;
        }
    }
    if (entry->frame != frame) {
        return NULL;
    }
    if (entry->instruction != frame->instr_ptr) {
        tm_entry_update(entry, frame, entry[-1].site.node, access);
    }
    if (tm_key_parent(entry[1].key) != entry->site.node) {
        found->lowest = found->n;
    }
    return entry;
}


/* Put the entries right that are wrong, from `base` up to the generator's: 0,
   or -1 when out of memory. */
static inline int
resumed_mend(struct _PyTraceMalloc_ThreadCache *cache,
             struct frame_entry *base, struct frame_entry *entry,
             const struct resumed *found, enum access *access)
{
    node_id parent;
    *cache->top = base;
    for (intptr_t n = found->lowest; n > 0; n--) {
        struct frame_entry *at = entry - n;
        parent = tm_entry_node(at - 1, access);
        if (parent == NODE_NONE) {
            return -1;
        }
        tm_entry_update(at, found->frames[n - 1], parent, *access);
        *cache->top = at;
        if (n <= found->highest && tm_key_parent(at[1].key) == at->site.node) {
            return 0;
        }
    }
    parent = tm_entry_node(entry - 1, access);
    if (parent == NODE_NONE) {
        return -1;
    }
    tm_entry_update(entry, entry->frame, parent, *access);
    return 0;
}


/* The entry of a generator's frame, if the same frames as before have resumed
   it, most of them where they were: then what is wrong in the entries below is
   put right; its own instruction, and those above, may be wrong.  NULL if it
   is anything else, or out of memory.

   None of them was marked, so each is compared, down to one that is; then all
   of them are marked. */
static Py_ALWAYS_INLINE inline struct frame_entry *
capture_resumed(struct _PyTraceMalloc_ThreadCache *cache,
                _PyInterpreterFrame *frame, enum access *access)
{
    struct frame_entry *entry = resumed_entry(cache, frame), *base;
    struct resumed found;
    if (entry == NULL
        || (base = resumed_compare(cache, entry, &found, *access)) == NULL
        || (found.lowest >= 0
            && resumed_mend(cache, base, entry, &found, access) < 0))
    {
        return NULL;
    }
    intptr_t depth = entry - cache->entries;
    for (intptr_t i = 0; i < found.n; i++) {
        tm_frame_mark(found.frames[i], depth - 1 - i);
    }
    tm_frame_mark_again(frame);
    return entry;
}


/* Room for more frames than NEAR: where they are from now on, or NULL when out
   of memory. */
static Py_NO_INLINE _PyInterpreterFrame **
cache_more_frames(struct _PyTraceMalloc_ThreadCache *cache,
                  _PyInterpreterFrame **frames, size_t n, enum access *access)
{
    tm_access_lock(*access);
    int failed = tm_reserve_frames(cache, n + 1) < 0;
    tm_access_unlock(*access);
    if (failed) {
        return NULL;
    }
    if (n == NEAR) {
        memcpy(cache->frames, frames, n * sizeof(frames[0]));
    }
    return cache->frames;
}


/* Room for `depth` frames, all entries of which have been written to. */
static Py_NO_INLINE int
cache_extend(struct _PyTraceMalloc_ThreadCache *cache, size_t depth,
             enum access *access)
{
    tm_access_lock(*access);
    int failed = tm_reserve_entries(cache, depth) < 0;
    tm_access_unlock(*access);
    if (failed) {
        return -1;
    }
    memset(cache->entries + cache->known, 0,
           (depth + 1 - cache->known) * sizeof(cache->entries[0]));
    cache->known = depth + 1;
    return 0;
}


/* How many generators are looked for before all are taken for new: each can
   take as many steps as there are frames. */
#define RESUMED_TRIES 3

/* Frames that are not in the cache, newest first. */
struct new_frames {
    _PyInterpreterFrame *near[NEAR];
    _PyInterpreterFrame **frames;       /* that, or the cache's memory */
    size_t n;
};


/* Collect the new frames.  The entry of the newest one that is in the cache, 0
   if there is none; NULL when out of memory. */
static inline struct frame_entry *
collect_frames(struct _PyTraceMalloc_ThreadCache *cache,
               _PyInterpreterFrame *frame, struct new_frames *found,
               enum access *access)
{
    _PyInterpreterFrame **frames = found->near;
    size_t n = 0, room = NEAR;
    struct frame_entry *entry;
    int lost = 0, tries = 0;
    for (;; frame = frame->previous) {
        if (frame == NULL) {
            entry = cache->entries;
            break;
        }
        if (tm_frame_is_marked(frame)) {
            if (!lost && (entry = cache_find(cache, frame)) != NULL) {
                tm_entry_update(entry, frame, entry[-1].site.node, *access);
                break;
            }
            /* Another greenlet's: looking for each of them would take time
               proportional to the square of the depth. */
            lost = 1;
        }
        else if (_PyFrame_IsIncomplete(frame)) {
            continue;
        }
        else if (frame->owner == FRAME_OWNED_BY_GENERATOR
                 && tries++ < RESUMED_TRIES
                 && (entry = capture_resumed(cache, frame, access)) != NULL)
        {
            tm_entry_update(entry, frame, tm_key_parent(entry->key), *access);
            break;
        }
        if (n == room) {
            frames = cache_more_frames(cache, frames, n, access);
            if (frames == NULL) {
                return NULL;
            }
            room = cache->frames_allocated;
        }
        frames[n++] = frame;
    }
    found->frames = frames;
    found->n = n;
    return entry;
}


/* Enter the new frames above an entry: the newest one's, or NULL when out of
   memory, with those that were entered. */
static inline struct frame_entry *
enter_frames(struct _PyTraceMalloc_ThreadCache *cache,
             struct frame_entry *entry, const struct new_frames *found,
             enum access *access)
{
    *cache->top = entry;
    size_t n = found->n, base = entry - cache->entries;
    if (base + n >= cache->known) {
        if (cache_extend(cache, base + n, access) < 0) {
            return NULL;
        }
        entry = cache->entries + base;
    }
    while (n > 0) {
        node_id parent = tm_entry_node(entry, access);
        if (parent == NODE_NONE) {
            *cache->top = entry;
            return NULL;
        }
        _PyInterpreterFrame *frame = found->frames[--n];
        entry++;
        tm_entry_update(entry, frame, parent, *access);
        tm_frame_mark(frame, entry - cache->entries);
    }
    *cache->top = entry;
    return entry;
}


/* What is known of an entry's call site, with its context: or NULL when out of
   memory. */
static inline const struct site *
entry_site(struct frame_entry *entry, enum access *access)
{
    if (entry->site.cell == 0) {
        if (tm_entry_find_context(entry, access) == NULL) {
            return NULL;
        }
        tm_entry_remember(entry, *access);
    }
    else if (*access != ACCESS_DETACHED
             && tm_site_cached(entry->instruction, entry->key,
                               entry->salt) == NULL)
    {
        /* So that the next one is found at once. */
        tm_entry_remember(entry, *access);
    }
    return &entry->site;
}


static const struct site *
capture_frames(struct _PyTraceMalloc_ThreadCache *cache,
               _PyInterpreterFrame *frame, enum access *access)
{
    struct new_frames found;
    struct frame_entry *entry = collect_frames(cache, frame, &found, access);
    if (entry == NULL
        || (entry = enter_frames(cache, entry, &found, access)) == NULL)
    {
        return NULL;
    }
    if (entry == cache->entries) {
        return &S->unknown.site;
    }
    return entry_site(entry, access);
}


/* The same for who has no thread state, or none that captured before, when
   contexts are to be reclaimed, and where nothing is to be found: a quiet
   thread's cache is put aside. */
static Py_NO_INLINE const struct site *
capture_first(PyThreadState *tstate, enum access *access)
{
    if (tm_is_quiet(tstate)) {
        return NULL;
    }
    if (tstate == NULL || _PyThreadState_GetFrame(tstate) == NULL) {
        return &S->unknown.site;
    }
    if (tm_reclaim_is_wanted() && *access != ACCESS_DETACHED) {
        tm_reclaim_now(*access);
    }
    struct _PyTraceMalloc_ThreadCache **owner =
        &((_PyThreadStateImpl *)tstate)->tracemalloc_cache;
    if (*owner == NULL) {
        tm_access_lock(*access);
        node_id root = tm_thread_root(tstate);
        tm_watch_growth_lock_held(root, *access);
        if (root != NODE_NONE) {
            tm_new_cache(root, tstate);
        }
        tm_access_unlock(*access);
        if (*owner == NULL) {
            return NULL;
        }
    }
    if (tm_follow_account(tstate, *owner, *access) < 0) {
        return NULL;
    }
    return capture_frames(*owner, tstate->current_frame, access);
}


static inline const struct site *
capture_slow(PyThreadState *tstate, enum access access, enum access *now)
{
    struct _PyTraceMalloc_ThreadCache *cache = NULL;
    if (tstate != NULL) {
        cache = ((_PyThreadStateImpl *)tstate)->tracemalloc_cache;
    }
    if (cache == NULL || tm_capture_is_held_up()) {
        if (cache == NULL || tm_reclaim_is_wanted()) {
            return capture_first(tstate, now);
        }
        if (tm_follow_account(tstate, cache, access) < 0) {
            return NULL;
        }
    }
    _PyInterpreterFrame *frame = tstate->current_frame;
    if (frame != NULL && access != ACCESS_DETACHED) {
        /* With access: the site cache may be read. */
        struct frame_entry *entry = NULL;
        int resumed = 0;
        if (tm_frame_is_marked(frame)) {
            entry = cache_find(cache, frame);
        }
        else if (tm_frame_was_suspended(frame)) {
            entry = capture_resumed(cache, frame, now);
            resumed = 1;
        }
        if (entry != NULL) {
            *cache->top = entry;
            const struct cached_site *cached = tm_site_cached(
                frame->instr_ptr, entry->key, entry->salt);
            if (cached != NULL && cached->site.cell != 0) {
                return &cached->site;
            }
            node_id parent = resumed ? tm_key_parent(entry->key)
                                     : entry[-1].site.node;
            if (entry->key != tm_site_key(tm_frame_code(frame), parent)) {
                tm_entry_update(entry, frame, parent, access);
            }
            else if (entry->instruction != frame->instr_ptr) {
                tm_entry_go(entry, frame->instr_ptr, cached);
            }
            return entry_site(entry, now);
        }
    }
    return capture_frames(cache, frame, now);
}


const struct site *
_PyTraceMalloc_CaptureSlow(PyThreadState *tstate, enum access access)
{
    enum access now = access;
    const struct site *site = capture_slow(tstate, access, &now);
    if (now != access) {
        tm_entries_added();
    }
    return site;
}


void
_PyTraceMalloc_FrameMoved(_PyInterpreterFrame *moved)
{
    PyThreadState *tstate = _PyThreadState_GET();
    for (_PyInterpreterFrame *frame = tstate->current_frame; frame != NULL;
         frame = frame->previous)
    {
        frame->tracemalloc_mark = NOT_MARKED;
        if (frame == moved) {
            return;
        }
    }
    /* It waits in another thread or greenlet, and which frames it has called
       cannot be found out from here. */
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        tm_free_caches();
        tm_end_locked();
    }
}
