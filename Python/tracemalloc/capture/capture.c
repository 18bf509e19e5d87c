/* Capture: the frames of the calling thread -> the context of an allocation.

   The only reader of frames.  Called by whoever notes blocks; calls the caches
   of threads, the call tree, code objects, and growth.

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
#include "pycore_code.h"          // _PyCode_CODE()
#include "pycore_frame.h"         // _PyInterpreterFrame
#include "pycore_tracemalloc.h"
#include "capture.h"
#include "code_objects.h"
#include "growth.h"

#define S (&_PyTraceMalloc_State)

struct cached_site _PyTraceMalloc_SiteCache[SITE_CACHE_SIZE];


/* Free indexes that were just outgrown.  Only the holder of the one GIL looks
   up without the lock, and the caller is that.  Needs the lock. */
static inline void
free_replaced(enum access access)
{
    if (access == ACCESS_GIL && S->tree.replaced != NULL) {
        tm_free_replaced(&S->tree);
    }
}


/* --- entries ------------------------------------------------------------- */

/* What the site cache knows, or NULL. */
static inline const struct cached_site *
site_cached(const _Py_CODEUNIT *instruction, node_id parent, code_id code)
{
    const struct cached_site *cached = tm_site_cache_at(instruction, parent);
    if (cached->instruction != instruction || cached->parent != parent
        || cached->site.code != code)
    {
        return NULL;
    }
    return cached;
}


/* Make an entry say where its frame is now: keep what is still right. */
static inline void
entry_update(struct frame_entry *entry, _PyInterpreterFrame *frame,
             node_id parent, enum access access)
{
    code_id code = tm_frame_code(frame);
    const _Py_CODEUNIT *instruction = frame->instr_ptr;
    entry->frame = frame;
    if (entry->instruction == instruction && entry->parent == parent
        && entry->site.code == code)
    {
        return;
    }
    entry->instruction = instruction;
    entry->parent = parent;
    const struct cached_site *cached = access == ACCESS_DETACHED ? NULL
                              : site_cached(instruction, parent, code);
    if (cached != NULL) {
        entry->site = cached->site;
        entry->node = cached->node;
        return;
    }
    entry->site = (struct site){.code = code};
    entry->node = NODE_NONE;
}


/* Let what was looked up for an entry be recalled. */
static void
entry_remember(const struct frame_entry *entry, enum access access)
{
    if (access == ACCESS_DETACHED) {
        return;
    }
    struct cached_site *cached = tm_site_cache_at(entry->instruction,
                                                  entry->parent);
    *cached = (struct cached_site){
        .instruction = entry->instruction,
        .site = entry->site,
        .parent = entry->parent,
        .node = entry->node,
    };
}


PART void
tm_clear_site_cache(void)
{
    memset(_PyTraceMalloc_SiteCache, 0, sizeof(_PyTraceMalloc_SiteCache));
}


/* Give an entry's code object a number: 0, or -1 when out of memory. */
static Py_NO_INLINE int
entry_number(struct frame_entry *entry, enum access access)
{
    PyCodeObject *co = _PyFrame_GetCode(entry->frame);
    tm_access_lock(access);
    entry->site.code = tm_number_code_object(co);
    if (entry->site.code == CODE_NONE) {
        tm_watch_growth_lock_held(CODE_NONE, access);
    }
    tm_access_unlock(access);
    return entry->site.code != CODE_NONE ? 0 : -1;
}


/* The instruction of an entry, as a number of code units. */
static inline intptr_t
entry_unit(const struct frame_entry *entry)
{
    const PyCodeObject *co = (PyCodeObject *)entry->frame->f_executable;
    return entry->instruction - _PyCode_CODE(co);
}


/* The line of an entry, after making sure its code object has a number: -1
   when out of memory. */
static inline int32_t
entry_line(struct frame_entry *entry, enum access access)
{
    if (entry->site.code == CODE_NONE && entry_number(entry, access) < 0) {
        return -1;
    }
    return tm_code_line(&S->codes, entry->site.code, entry_unit(entry));
}


static node_id
entry_find_node(struct frame_entry *entry, enum access access)
{
    int32_t line = entry_line(entry, access);
    if (line < 0) {
        return NODE_NONE;
    }
    node_id node = tm_find_node(&S->tree, entry->parent,
                                entry->site.code, line);
    if (node == NODE_NONE) {
        tm_access_lock(access);
        node = tm_add_node(&S->tree, entry->parent,
                           entry->site.code, line);
        tm_watch_growth_lock_held(node, access);
        free_replaced(access);
        tm_access_unlock(access);
    }
    entry->node = node;
    if (node != NODE_NONE) {
        entry_remember(entry, access);
    }
    return node;
}


static struct context *
entry_find_context(struct frame_entry *entry, enum access access)
{
    int32_t line = entry_line(entry, access);
    if (line < 0) {
        return NULL;
    }
    intptr_t unit = entry_unit(entry);
    uint32_t site = 0 <= unit && unit < (intptr_t)MAX_UNIT
                    ? (uint32_t)unit : MAX_UNIT;
    context_id id = tm_find_context(&S->tree, entry->parent,
                                    entry->site.code, site, line);
    if (id == CONTEXT_NONE) {
        tm_access_lock(access);
        id = tm_add_context(&S->tree, entry->parent,
                            entry->site.code, site, line);
        tm_watch_growth_lock_held(id, access);
        free_replaced(access);
        tm_access_unlock(access);
        if (id == CONTEXT_NONE) {
            return NULL;
        }
    }
    entry->site.context = tm_context_at(&S->tree, id);
    entry->site.context_id = id;
    return entry->site.context;
}


/* --- capture ------------------------------------------------------------- */

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
    for (struct frame_entry *entry = cache->top; entry > cache->entries;
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


/* The node of an entry, or NODE_NONE when out of memory. */
static inline node_id
entry_node(struct frame_entry *entry, enum access access)
{
    return entry->node != NODE_NONE ? entry->node
                                    : entry_find_node(entry, access);
}


/* The entry of a generator's frame, if the same frames as before have resumed
   it, most of them where they were: then what is wrong in the entries below is
   put right; its own instruction, and those above, may be wrong.  NULL if it
   is anything else, or out of memory.

   None of them was marked, so each is compared, down to one that is; then all
   of them are marked. */
static inline struct frame_entry *
capture_resumed(struct _PyTraceMalloc_ThreadCache *cache,
                _PyInterpreterFrame *frame, enum access access)
{
    intptr_t depth = cache->top - cache->entries;
    /* Seven bits of it, and the nearest depth that has them. */
    depth += (signed char)((frame->tracemalloc_mark & ~1) - (depth << 1)) / 2;
    if (depth < 1 || depth >= (intptr_t)cache->known) {
        return NULL;
    }
    struct frame_entry *entry = cache->entries + depth;
    if (entry->frame != frame || entry->site.code != tm_frame_code(frame)) {
        return NULL;
    }
    _PyInterpreterFrame *frames[NEAR];
    intptr_t n = 0, most = Py_MIN(depth - 1, NEAR), highest = 0, lowest = 0;
    struct frame_entry *at = entry;
    for (;;) {
        /* What runs a generator is below it, unless that is C alone: throw()
           links a suspended generator above whatever frame there is. */
        frame = frame->previous;
        at--;
        while (frame != NULL && frame->owner != FRAME_OWNED_BY_GENERATOR
               && _PyFrame_IsIncomplete(frame))
        {
            frame = frame->previous;
        }
        if (frame == NULL) {
            return NULL;
        }
        if (tm_frame_is_marked(frame) && at <= cache->top) {
            break;
        }
        if (n == most) {
            return NULL;
        }
        frames[n++] = frame;
        if (at->frame != frame || at->instruction != frame->instr_ptr
            || at[1].parent != at->node
            || at->site.code != tm_frame_code(frame))
        {
            lowest = n;
            highest = highest != 0 ? highest : n;
        }
    }
    if (at->frame != frame) {
        return NULL;
    }
    if (at->instruction != frame->instr_ptr) {
        entry_update(at, frame, at[-1].node, access);
    }
    intptr_t all = n;
    frame = entry->frame;
    if (at[1].parent != at->node) {
        lowest = n;
    }
    else if (lowest == 0) {
        goto done;
    }
    cache->top = at;
    for (n = lowest; n > 0; n--) {
        at = entry - n;
        node_id parent = entry_node(at - 1, access);
        if (parent == NODE_NONE) {
            return NULL;
        }
        entry_update(at, frames[n - 1], parent, access);
        cache->top = at;
        if (n <= highest && at[1].parent == at->node) {
            goto done;
        }
    }
    node_id parent = entry_node(entry - 1, access);
    if (parent == NODE_NONE) {
        return NULL;
    }
    entry_update(entry, frame, parent, access);
done:
    for (intptr_t i = 0; i < all; i++) {
        tm_frame_mark(frames[i], depth - 1 - i);
    }
    tm_frame_mark(frame, depth);
    return entry;
}


/* Room for more frames than NEAR: where they are from now on, or NULL when out
   of memory. */
static Py_NO_INLINE _PyInterpreterFrame **
cache_more_frames(struct _PyTraceMalloc_ThreadCache *cache,
                  _PyInterpreterFrame **frames, size_t n, enum access access)
{
    tm_access_lock(access);
    int failed = tm_reserve_frames(cache, n + 1) < 0;
    tm_access_unlock(access);
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
             enum access access)
{
    tm_access_lock(access);
    int failed = tm_reserve_entries(cache, depth) < 0;
    tm_access_unlock(access);
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

static const struct site *
capture_frames(struct _PyTraceMalloc_ThreadCache *cache,
               _PyInterpreterFrame *frame, enum access access)
{
    /* Frames that are not in the cache, newest first, down to the first one
       that is; entry 0 is there if none is. */
    _PyInterpreterFrame *near[NEAR], **frames = near;
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
                entry_update(entry, frame, entry[-1].node, access);
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
            entry_update(entry, frame, entry->parent, access);
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

    size_t base = entry - cache->entries;
    if (base + n >= cache->known) {
        if (cache_extend(cache, base + n, access) < 0) {
            /* Entries above this one have it as it was. */
            cache->top = entry;
            return NULL;
        }
        entry = cache->entries + base;
    }
    while (n > 0) {
        node_id parent = entry_node(entry, access);
        if (parent == NODE_NONE) {
            /* Entries up to here are right. */
            cache->top = entry;
            return NULL;
        }
        frame = frames[--n];
        entry++;
        entry_update(entry, frame, parent, access);
        tm_frame_mark(frame, entry - cache->entries);
    }
    cache->top = entry;
    if (entry == cache->entries) {
        return &S->unknown.site;
    }
    if (entry->site.context == NULL) {
        if (entry_find_context(entry, access) == NULL) {
            return NULL;
        }
        entry_remember(entry, access);
    }
    else if (access != ACCESS_DETACHED
             && site_cached(entry->instruction, entry->parent,
                            entry->site.code) == NULL)
    {
        /* So that the next one is found at once. */
        entry_remember(entry, access);
    }
    return &entry->site;
}


/* The same for who has no thread state, or none that captured before, when
   contexts are to be reclaimed, and where nothing is to be found: a quiet
   thread's cache is put aside. */
static Py_NO_INLINE const struct site *
capture_first(PyThreadState *tstate, enum access access)
{
    if (tm_is_quiet(tstate)) {
        return NULL;
    }
    if (tstate == NULL || _PyThreadState_GetFrame(tstate) == NULL) {
        return &S->unknown.site;
    }
    if (tm_reclaim_is_wanted() && access != ACCESS_DETACHED) {
        tm_reclaim_now(access);
    }
    struct _PyTraceMalloc_ThreadCache **owner =
        &((_PyThreadStateImpl *)tstate)->tracemalloc_cache;
    if (*owner == NULL) {
        tm_access_lock(access);
        tm_new_cache(tstate, owner, access);
        tm_access_unlock(access);
        if (*owner == NULL) {
            return NULL;
        }
    }
    return capture_frames(*owner, tstate->current_frame, access);
}


/* The newest frame is not marked, its caller is in the cache, and both are at
   sites that were met before: where it is, or NULL.  The cache is right
   either way. */
static inline const struct site *
capture_called(struct _PyTraceMalloc_ThreadCache *cache,
               _PyInterpreterFrame *frame)
{
    const _PyInterpreterFrame *caller = frame->previous;
    struct frame_entry *entry = cache->top;
    if (caller != NULL && caller->owner == FRAME_OWNED_BY_CSTACK) {
        caller = caller->previous;
    }
    entry -= entry->frame != caller;
    if (entry->frame != caller || !tm_frame_is_marked(caller)
        || _PyFrame_IsIncomplete(frame)
        || entry + 1 == cache->entries + cache->known)
    {
        return NULL;
    }
    const struct cached_site *cached;
    if (entry->instruction != caller->instr_ptr) {
        cached = site_cached(caller->instr_ptr, entry->parent,
                             entry->site.code);
        if (cached == NULL) {
            return NULL;
        }
        entry->instruction = cached->instruction;
        entry->site = cached->site;
        entry->node = cached->node;
    }
    node_id parent = entry->node;
    cached = site_cached(frame->instr_ptr, parent, tm_frame_code(frame));
    if (parent == NODE_NONE || cached == NULL
        || cached->site.context == NULL)
    {
        return NULL;
    }
    entry++;
    entry->frame = frame;
    entry->instruction = cached->instruction;
    entry->site = cached->site;
    entry->parent = parent;
    entry->node = cached->node;
    /* The other bits of a generator's stay: if they name a wrong site, it is
       looked for there in vain the next time, and marked anew. */
    frame->tracemalloc_mark |= 1;
    cache->top = entry;
    return &cached->site;
}


const struct site *
_PyTraceMalloc_CaptureSlow(PyThreadState *tstate, enum access access)
{
    struct _PyTraceMalloc_ThreadCache *cache = NULL;
    if (tstate != NULL) {
        cache = ((_PyThreadStateImpl *)tstate)->tracemalloc_cache;
    }
    if (cache == NULL || tm_reclaim_is_wanted()) {
        return capture_first(tstate, access);
    }
    _PyInterpreterFrame *frame = tstate->current_frame;
    if (frame != NULL && access != ACCESS_DETACHED) {
        /* With access: the site cache may be read. */
        struct frame_entry *entry;
        if (tm_frame_is_marked(frame)) {
            entry = cache_find(cache, frame);
        }
        else {
            const struct site *site = capture_called(cache, frame);
            if (site != NULL) {
                return site;
            }
            entry = frame->owner == FRAME_OWNED_BY_GENERATOR
                    ? capture_resumed(cache, frame, access) : NULL;
        }
        if (entry != NULL) {
            cache->top = entry;
            const struct cached_site *cached = site_cached(
                frame->instr_ptr, entry->parent, entry->site.code);
            if (cached != NULL && cached->site.context != NULL) {
                return &cached->site;
            }
        }
    }
    return capture_frames(cache, frame, access);
}


void
_PyTraceMalloc_FrameMoved(_PyInterpreterFrame *moved)
{
    PyThreadState *tstate = _PyThreadState_GET();
    for (_PyInterpreterFrame *frame = tstate->current_frame; frame != NULL;
         frame = frame->previous)
    {
        frame->tracemalloc_mark = 0;
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
