/* Capture: the frames of the calling thread -> the context of an allocation.

   The only reader of frames.  Called by the hooks; calls sources and contexts.

   Each thread state has a cache of the path it captured last, and a frame has
   a mark, set when it enters that cache:

       stack now     [ main:40 *][ main:12 *][ json:31 ]      * marked
       cached path   [ main:40  ][ main:12  ][ json:9  ][ re:7 ]
                                                  ^ top before, gone since

   A marked frame's callers have not moved since, for it would have to return
   first; so a capture walks from the newest frame to the first marked one, and
   the depth of the stack does not matter.  Frames of generators do move under
   their callees' feet, from one caller to another, and are never marked: they
   are walked and compared, but what they run on may be marked.

   A mark says "in the cache of the thread state that runs this frame, or no
   longer": a frame that is marked but not in there (its greenlet was switched
   in, or the caches were freed) counts as new.  A frame's mark is reset when
   it is born; who else changes a frame calls _PyTraceMalloc_FrameMoved().

   Entries remember the instruction, which lies inside the code object, and the
   code object's number, which tells two code objects that lived at one address
   apart; so an entry that is gone serves again when the same call comes back.

   Invariants: entry 0 is the root; an entry's parent is the path of the one
   below; what entries up to `top` name is not reclaimed. */

#include "Python.h"
#include "pycore_code.h"          // _PyCode_CODE()
#include "pycore_frame.h"         // _PyInterpreterFrame
#include "pycore_tracemalloc.h"
#include "pycore_tracemalloc_capture.h"

#include <stdlib.h>               // malloc()

#define S (&_PyTraceMalloc_State)

#ifdef Py_TRACEMALLOC_STRESS
#  define FIRST_ENTRIES 2
#else
#  define FIRST_ENTRIES 64
#endif


/* Run a statement that needs the store lock. */
#define WITH_STORE_LOCK(access, statement)      \
    do {                                        \
        if ((access) == ACCESS_GIL) {           \
            tracer_lock();                      \
        }                                       \
        statement;                              \
        if ((access) == ACCESS_GIL) {           \
            tracer_unlock();                    \
        }                                       \
    } while (0)


/* --- thread caches ------------------------------------------------------- */

/* Room for `depth` frames above entry 0. */
static int
cache_reserve(struct _PyTraceMalloc_ThreadCache *cache, size_t depth)
{
    if (depth < cache->allocated) {
        return 0;
    }
    size_t allocated = cache->allocated ? cache->allocated : FIRST_ENTRIES;
    while (allocated <= depth) {
        allocated *= 2;
    }
    struct path_entry *base = cache->path ? cache->path - 1 : NULL;
    size_t top = cache->top - cache->path;
    struct path_entry *path = realloc(base,
                                      (allocated + 1) * sizeof(path[0]));
    if (path == NULL) {
        return -1;
    }
    path++;
    memset(path + cache->allocated, 0,
           (allocated - cache->allocated) * sizeof(path[0]));
    S->cache_bytes += (allocated - cache->allocated) * sizeof(path[0]);
    cache->path = path;
    cache->top = path + top;
    cache->allocated = allocated;
    return 0;
}


static int
cache_reserve_frames(struct _PyTraceMalloc_ThreadCache *cache, size_t n)
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


static struct _PyTraceMalloc_ThreadCache *
cache_new(PyThreadState *tstate, struct _PyTraceMalloc_ThreadCache **owner)
{
    path_id root = _PyTraceMalloc_ThreadRoot(tstate);
    if (root == PATH_NONE) {
        return NULL;
    }
    struct _PyTraceMalloc_ThreadCache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL) {
        return NULL;
    }
    if (cache_reserve(cache, 1) < 0) {
        free(cache);
        return NULL;
    }
    cache->path[0] = S->unknown;
    cache->path[0].path = root;
    /* No frame has this address, so these are never taken for one. */
    cache->path[0].frame = (_PyInterpreterFrame *)cache;
    cache->path[-1] = cache->path[0];
    cache->owner = owner;
    cache->next = S->caches;
    if (cache->next != NULL) {
        cache->next->previous = cache;
    }
    S->caches = cache;
    S->cache_bytes += sizeof(*cache);
    *owner = cache;
    return cache;
}


void
_PyTraceMalloc_FreeCache(struct _PyTraceMalloc_ThreadCache *cache)
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
                      + cache->allocated * sizeof(cache->path[0])
                      + cache->frames_allocated * sizeof(cache->frames[0]);
    *cache->owner = NULL;
    free(cache->path - 1);
    free(cache->frames);
    free(cache);
}


void
_PyTraceMalloc_FreeCaches(void)
{
    while (S->caches != NULL) {
        _PyTraceMalloc_FreeCache(S->caches);
    }
}


void
_PyTraceMalloc_MarkCaches(struct reclaim_roots *roots)
{
    for (struct _PyTraceMalloc_ThreadCache *cache = S->caches; cache != NULL;
         cache = cache->next)
    {
        struct path_entry *end = cache->path + cache->allocated;
        roots->paths[cache->path[0].path] = 1;
        for (struct path_entry *entry = cache->path + 1; entry < end;
             entry++)
        {
            if (entry > cache->top) {
                /* Right only as long as its numbers mean what they meant. */
                memset(entry, 0, sizeof(*entry));
                continue;
            }
            if (entry->path != PATH_NONE) {
                roots->paths[entry->path] = 1;
            }
            if (entry->parent != PATH_NONE) {
                roots->paths[entry->parent] = 1;
            }
            if (entry->place.context != NULL) {
                roots->contexts[entry->place.context_id] = 1;
            }
        }
    }
}


/* --- code objects -------------------------------------------------------- */

/* The line of each unit of a code object.  What its table does not know is
   line 0, as tracebacks of traces have it. */
static struct line_map *
lines_make(PyCodeObject *co)
{
    PyCodeAddressRange range;
    int lowest = Py_MAX(co->co_firstlineno, 0);
    int highest = lowest;
    _PyCode_InitAddressRange(co, &range);
    while (_PyLineTable_NextAddressRange(&range)) {
        if (range.ar_line >= 0) {
            lowest = Py_MIN(lowest, range.ar_line);
            highest = Py_MAX(highest, range.ar_line);
        }
    }

    Py_ssize_t nunits = Py_SIZE(co);
    int wide = highest - lowest >= NO_LINE;
    size_t unit_size = wide ? sizeof(int32_t) : sizeof(uint16_t);
    struct line_map *map = malloc(sizeof(*map) + (nunits + 1) * unit_size);
    if (map == NULL) {
        return NULL;
    }
    map->nunits = (uint32_t)nunits;
    map->first = lowest;
    map->wide = wide;
    int32_t *wide_units = (int32_t *)(void *)map->units;

    for (Py_ssize_t unit = 0; unit < nunits; unit++) {
        if (wide) {
            wide_units[unit] = 0;
        }
        else {
            map->units[unit] = NO_LINE;
        }
    }
    _PyCode_InitAddressRange(co, &range);
    while (_PyLineTable_NextAddressRange(&range)) {
        Py_ssize_t unit = range.ar_start / (int)sizeof(_Py_CODEUNIT);
        Py_ssize_t end = range.ar_end / (int)sizeof(_Py_CODEUNIT);
        for (; range.ar_line >= 0 && unit < Py_MIN(end, nunits); unit++) {
            if (wide) {
                wide_units[unit] = range.ar_line;
            }
            else {
                map->units[unit] = (uint16_t)(range.ar_line - lowest);
            }
        }
    }
    int begin = Py_MAX(co->co_firstlineno, 0);
    if (wide) {
        wide_units[nunits] = begin;
    }
    else {
        map->units[nunits] = (uint16_t)(begin - lowest);
    }
    return map;
}


static file_id
name_number_lock_held(PyObject *name)
{
    return _PyTraceMalloc_AddName(&S->sources, PyUnicode_KIND(name),
                                  PyUnicode_DATA(name),
                                  PyUnicode_GET_LENGTH(name));
}


static code_id
code_number_lock_held(PyCodeObject *co)
{
    if (co->_co_tracemalloc_id != CODE_NONE) {
        return co->_co_tracemalloc_id;
    }
    struct code_source source = {
        .file = name_number_lock_held(co->co_filename),
        .function = name_number_lock_held(co->co_qualname),
        .locations =
            (const unsigned char *)PyBytes_AS_STRING(co->co_linetable),
        .nlocations = (uint32_t)PyBytes_GET_SIZE(co->co_linetable),
    };
    if (source.file == FILE_NONE || source.function == FILE_NONE
        || (source.lines = lines_make(co)) == NULL)
    {
        return CODE_NONE;
    }
    code_id code = _PyTraceMalloc_AddCode(&S->sources, co, &source);
    if (code == CODE_NONE) {
        free(source.lines);
    }
    _Py_atomic_store_uint32_release(&co->_co_tracemalloc_id, code);
    return code;
}


void
_PyTraceMalloc_ForgetCodeObjects(void)
{
    for (code_id id = 1; id < S->sources.used; id++) {
        PyCodeObject *co = source_at(&S->sources, id)->owner;
        if (co != NULL) {
            co->_co_tracemalloc_id = CODE_NONE;
        }
    }
}


/* --- entries ------------------------------------------------------------- */

/* What the site table knows, or NULL. */
static inline const struct site *
site_met(const _Py_CODEUNIT *instruction, path_id parent, code_id code)
{
    const struct site *site = site_at(instruction, parent);
    if (site->instruction != instruction || site->parent != parent
        || site->place.code != code)
    {
        return NULL;
    }
    return site;
}


/* Make an entry say where its frame is now: keep what is still right. */
static inline void
entry_update(struct path_entry *entry, _PyInterpreterFrame *frame,
             path_id parent, enum access access)
{
    code_id code = _PyFrame_GetCode(frame)->_co_tracemalloc_id;
    const _Py_CODEUNIT *instruction = frame->instr_ptr;
    entry->frame = frame;
    if (entry->instruction == instruction && entry->parent == parent
        && entry->place.code == code)
    {
        return;
    }
    entry->instruction = instruction;
    entry->parent = parent;
    const struct site *site = access == ACCESS_DETACHED ? NULL
                              : site_met(instruction, parent, code);
    if (site != NULL) {
        entry->place = site->place;
        entry->path = site->path;
        return;
    }
    entry->place = (struct place){.code = code};
    entry->path = PATH_NONE;
}


/* Let what was looked up for an entry be recalled. */
static void
entry_remember(const struct path_entry *entry, enum access access)
{
    if (access == ACCESS_DETACHED) {
        return;
    }
    *site_at(entry->instruction, entry->parent) = (struct site){
        .instruction = entry->instruction,
        .place = entry->place,
        .parent = entry->parent,
        .path = entry->path,
    };
}


void
_PyTraceMalloc_ForgetSites(void)
{
    memset(S->sites, 0, sizeof(S->sites));
}


/* The line of an entry, after making sure its code object has a number: -1
   when out of memory. */
static int32_t
entry_line(struct path_entry *entry, enum access access)
{
    PyCodeObject *co = _PyFrame_GetCode(entry->frame);
    if (entry->place.code == CODE_NONE) {
        WITH_STORE_LOCK(access, entry->place.code = code_number_lock_held(co));
        if (entry->place.code == CODE_NONE) {
            return -1;
        }
    }
    return source_line(&S->sources, entry->place.code,
                       entry->instruction - _PyCode_CODE(co));
}


static path_id
entry_find_path(struct path_entry *entry, enum access access)
{
    int32_t line = entry_line(entry, access);
    if (line < 0) {
        return PATH_NONE;
    }
    path_id path = _PyTraceMalloc_FindPath(&S->contexts, entry->parent,
                                           entry->place.code, line);
    if (path == PATH_NONE) {
        WITH_STORE_LOCK(access,
            path = _PyTraceMalloc_AddPath(&S->contexts, entry->parent,
                                          entry->place.code, line));
        if (S->contexts.paths.live >= S->reclaim_paths) {
            S->reclaim_wanted = 1;
        }
    }
    entry->path = path;
    if (path != PATH_NONE) {
        entry_remember(entry, access);
    }
    return path;
}


static struct context *
entry_find_context(struct path_entry *entry, enum access access)
{
    int32_t line = entry_line(entry, access);
    if (line < 0) {
        return NULL;
    }
    PyCodeObject *co = _PyFrame_GetCode(entry->frame);
    intptr_t unit = entry->instruction - _PyCode_CODE(co);
    uint32_t site = 0 <= unit && unit < (intptr_t)MAX_UNIT
                    ? (uint32_t)unit : MAX_UNIT;
    context_id id = _PyTraceMalloc_FindContext(&S->contexts, entry->parent,
                                               entry->place.code, site, line);
    if (id == CONTEXT_NONE) {
        WITH_STORE_LOCK(access,
            id = _PyTraceMalloc_AddContext(&S->contexts, entry->parent,
                                           entry->place.code, site, line));
        if (id == CONTEXT_NONE) {
            return NULL;
        }
        if (S->contexts.contexts.live >= S->reclaim_contexts) {
            S->reclaim_wanted = 1;
        }
    }
    entry->place.context = context_at(&S->contexts, id);
    entry->place.context_id = id;
    return entry->place.context;
}


/* --- capture ------------------------------------------------------------- */

PyThreadState *
_PyTraceMalloc_DetachedThread(void)
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
static struct path_entry *
cache_find(struct _PyTraceMalloc_ThreadCache *cache,
           const _PyInterpreterFrame *frame)
{
    for (struct path_entry *entry = cache->top; entry > cache->path; entry--) {
        if (entry->frame == frame) {
            return entry;
        }
    }
    return NULL;
}


/* Frames that are not in the cache, newest first, in memory that the caller
   has, or, if there are more, in the cache's. */
#ifdef Py_TRACEMALLOC_STRESS
#  define NEAR 2
#else
#  define NEAR 16
#endif

struct new_frames {
    _PyInterpreterFrame **frames;
    size_t n;
    size_t room;
    _PyInterpreterFrame *near[NEAR];
};


/* Make room for more frames: 0, or -1 when out of memory. */
static int
new_frames_grow(struct new_frames *new,
                struct _PyTraceMalloc_ThreadCache *cache, enum access access)
{
    int failed;
    WITH_STORE_LOCK(access,
        failed = cache_reserve_frames(cache, new->n + 1));
    if (failed) {
        return -1;
    }
    if (new->frames == new->near) {
        memcpy(cache->frames, new->near, sizeof(new->near));
    }
    new->frames = cache->frames;
    new->room = cache->frames_allocated;
    return 0;
}


/* Collect frames down to the first one that is in the cache, and return its
   entry; entry 0 if there is none, NULL when out of memory. */
static struct path_entry *
capture_walk(struct _PyTraceMalloc_ThreadCache *cache,
             _PyInterpreterFrame *frame, struct new_frames *new,
             enum access access)
{
    int lost = 0;
    for (; frame != NULL; frame = frame->previous) {
        if (frame_is_marked(frame)) {
            struct path_entry *entry = NULL;
            if (!lost) {
                entry = cache_find(cache, frame);
            }
            if (entry != NULL) {
                entry_update(entry, frame, entry[-1].path, access);
                return entry;
            }
            /* Another greenlet's: looking for each of them would take time
               proportional to the square of the depth. */
            lost = 1;
        }
        else if (_PyFrame_IsIncomplete(frame)) {
            continue;
        }
        if (new->n == new->room && new_frames_grow(new, cache, access) < 0) {
            return NULL;
        }
        new->frames[new->n++] = frame;
    }
    return cache->path;
}


/* The newest frame is a generator's that was resumed by the same chain of
   frames as when it was captured last, and is at a place that was met before:
   where it is, or NULL. */
static inline const struct place *
capture_resumed(const struct _PyTraceMalloc_ThreadCache *cache,
                const _PyInterpreterFrame *frame)
{
    const struct path_entry *entry = cache->top;
    const PyCodeObject *co = (PyCodeObject *)frame->f_executable;
    const struct site *site = site_met(frame->instr_ptr, entry->parent,
                                       co->_co_tracemalloc_id);
    if (entry->frame != frame || site == NULL || site->place.context == NULL) {
        return NULL;
    }
    do {
        frame = frame->previous;
        entry--;
        if (frame != entry->frame || frame->instr_ptr != entry->instruction) {
            return NULL;
        }
        if (frame_is_marked(frame)) {
            return &site->place;
        }
        co = (PyCodeObject *)frame->f_executable;
    } while (frame->owner == FRAME_OWNED_BY_GENERATOR
             && co->_co_tracemalloc_id == entry->place.code);
    return NULL;
}


/* The newest frame is new, or a generator's, its caller is in the cache, and
   both are at places that were met before: where it is, or NULL.  The cache is
   right either way. */
static inline const struct place *
capture_called(struct _PyTraceMalloc_ThreadCache *cache,
               _PyInterpreterFrame *frame)
{
    const _PyInterpreterFrame *caller = frame->previous;
    while (caller != NULL && caller->owner == FRAME_OWNED_BY_CSTACK) {
        caller = caller->previous;
    }
    struct path_entry *entry = cache->top;
    if (caller == NULL || !frame_is_marked(caller)
        || _PyFrame_IsIncomplete(frame))
    {
        return NULL;
    }
    entry -= entry->frame != caller;
    if (entry->frame != caller
        || entry + 1 == cache->path + cache->allocated)
    {
        return NULL;
    }
    const struct site *site;
    if (entry->instruction != caller->instr_ptr) {
        site = site_met(caller->instr_ptr, entry->parent, entry->place.code);
        if (site == NULL) {
            return NULL;
        }
        entry->instruction = caller->instr_ptr;
        entry->place = site->place;
        entry->path = site->path;
    }
    path_id parent = entry->path;
    const PyCodeObject *co = (PyCodeObject *)frame->f_executable;
    site = site_met(frame->instr_ptr, parent, co->_co_tracemalloc_id);
    if (parent == PATH_NONE || site == NULL || site->place.context == NULL) {
        return NULL;
    }
    entry++;
    entry->frame = frame;
    entry->instruction = site->instruction;
    entry->place = site->place;
    entry->parent = parent;
    entry->path = site->path;
    frame->traced = frame->owner == FRAME_OWNED_BY_THREAD;
    cache->top = entry;
    return &site->place;
}


static Py_NO_INLINE const struct place *
capture_frames(PyThreadState *tstate, enum access access)
{
    _PyInterpreterFrame *frame = NULL;
    if (tstate != NULL) {
        frame = _PyThreadState_GetFrame(tstate);
    }
    if (frame == NULL) {
        return &S->unknown.place;
    }
    if (S->reclaim_wanted && access != ACCESS_DETACHED) {
        _PyTraceMalloc_ReclaimNow(access);
    }
    struct _PyTraceMalloc_ThreadCache **owner =
        &((_PyThreadStateImpl *)tstate)->tracemalloc_cache;
    struct _PyTraceMalloc_ThreadCache *cache = *owner;
    if (cache == NULL) {
        WITH_STORE_LOCK(access, cache = cache_new(tstate, owner));
        if (cache == NULL) {
            return NULL;
        }
    }

    struct new_frames new;
    new.frames = new.near;
    new.n = 0;
    new.room = NEAR;
    struct path_entry *entry = capture_walk(cache, frame, &new, access);
    if (entry == NULL) {
        return NULL;
    }
    size_t base = entry - cache->path;
    if (base + new.n >= cache->allocated) {
        int failed;
        WITH_STORE_LOCK(access, failed = cache_reserve(cache, base + new.n));
        if (failed) {
            return NULL;
        }
        entry = cache->path + base;
    }
    while (new.n > 0) {
        path_id parent = entry->path;
        if (parent == PATH_NONE) {
            parent = entry_find_path(entry, access);
            if (parent == PATH_NONE) {
                /* Entries up to here are right. */
                cache->top = entry;
                return NULL;
            }
        }
        frame = new.frames[--new.n];
        entry++;
        entry_update(entry, frame, parent, access);
        frame->traced = frame->owner == FRAME_OWNED_BY_THREAD;
    }
    cache->top = entry;
    if (entry->place.context == NULL
        && entry_find_context(entry, access) == NULL)
    {
        return NULL;
    }
    /* So that the next one is found at once, also if another took the slot. */
    entry_remember(entry, access);
    return &entry->place;
}


const struct place *
_PyTraceMalloc_CaptureSlow(PyThreadState *tstate, enum access access)
{
    if (tstate != NULL && access != ACCESS_DETACHED) {
        _PyInterpreterFrame *frame = tstate->current_frame;
        struct _PyTraceMalloc_ThreadCache *cache =
            ((_PyThreadStateImpl *)tstate)->tracemalloc_cache;
        if (frame != NULL && cache != NULL && !frame_is_marked(frame)) {
            const struct place *place = NULL;
            if (frame->owner == FRAME_OWNED_BY_GENERATOR) {
                place = capture_resumed(cache, frame);
            }
            if (place == NULL) {
                place = capture_called(cache, frame);
            }
            if (place != NULL) {
                return place;
            }
        }
    }
    return capture_frames(tstate, access);
}


void
_PyTraceMalloc_FrameMoved(_PyInterpreterFrame *moved)
{
    PyThreadState *tstate = _PyThreadState_GET();
    for (_PyInterpreterFrame *frame = tstate->current_frame; frame != NULL;
         frame = frame->previous)
    {
        frame->traced = 0;
        if (frame == moved) {
            break;
        }
    }
}
