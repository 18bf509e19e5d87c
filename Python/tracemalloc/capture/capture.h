/* Capture: see capture.c. */

#ifndef TRACEMALLOC_CAPTURE_H
#define TRACEMALLOC_CAPTURE_H

#include "cache.h"
#include "verify.h"

/* Where the calling thread allocates; it has a context, and is right until
   the next capture.  NULL when out of memory, and in a thread that is quiet.
   tstate may be NULL: then nothing is known. */
extern const struct site *_PyTraceMalloc_CaptureSlow(PyThreadState *tstate,
                                                     enum access access);

/* The calling thread's state, also when it has detached from it, or NULL. */
PART PyThreadState *tm_detached_thread(void);

/* --- the common cases ---------------------------------------------------- */

/* Whether the newest frame of the cache runs again what it ran: called, or
   resumed if it is a generator's, by the frame below, which is marked, where
   that was when it was captured.  It is marked then.  A frame that has not
   begun yet is not traced. */
static Py_ALWAYS_INLINE inline int
tm_frame_runs_again(_PyInterpreterFrame *frame,
                    const struct frame_entry *entry)
{
    if (frame->previous == entry[-1].frame
        && tm_frame_is_marked(frame->previous)
        && frame->previous->instr_ptr == entry[-1].instruction
        && tm_frame_code(frame) == entry->key.code
        && !_PyFrame_IsIncomplete(frame))
    {
        tm_frame_mark_again(frame);
        return 1;
    }
    return 0;
}


static inline const struct site *
tm_capture_verified(PyThreadState *tstate, const struct site *site)
{
#ifdef Py_TRACEMALLOC_VERIFY
    if (site != NULL && site->cell != 0 && tstate != NULL) {
        _PyTraceMalloc_VerifyCapture(tstate, site);
    }
#endif
    return site;
}


/* What nearly all captures are: the newest frame is the one of the last
   capture or its caller, at a site that was met before, but perhaps by callers
   only: then its context has neither counters nor room.  Otherwise NULL.
   Needs access and a thread state; calls nothing. */
static Py_ALWAYS_INLINE inline const struct site *
tm_capture_met(PyThreadState *tstate)
{
    const struct frame_entry *entry =
        ((_PyThreadStateImpl *)tstate)->tracemalloc_top;
    _PyInterpreterFrame *frame = tstate->current_frame;
    entry -= entry->frame != frame;
    if (entry->frame == frame
        && (tm_frame_is_marked(frame) || tm_frame_runs_again(frame, entry)))
    {
        const struct cached_site *cached = tm_site_cache_at(
            frame->instr_ptr, entry->salt);
        if (tm_site_is(cached, frame->instr_ptr, &entry->key)) {
            const struct site *site = &cached->site;
            if (site == NULL) {
                /* Pointers may wrap in CPython, says its Makefile. */
                __builtin_unreachable();
            }
            return tm_capture_verified(tstate, site);
        }
    }
    return NULL;
}


/* How far below the newest entry the caller's may be: of this many calls that
   have returned since nothing is left to know. */
#define RETURNED_MOST 3

/* The newest frame is not marked, its caller is in the cache, and both are at
   sites that were met before: where it is, or NULL.  The cache is right
   either way.  Needs access. */
static inline const struct site *
tm_capture_called(struct _PyTraceMalloc_ThreadCache *cache,
                  _PyInterpreterFrame *frame)
{
    const _PyInterpreterFrame *caller = frame->previous;
    if (caller != NULL && caller->owner == FRAME_OWNED_BY_CSTACK) {
        caller = caller->previous;
    }
    struct frame_entry *entry = *cache->top;
    for (int i = 0; entry->frame != caller; i++) {
        if (i == RETURNED_MOST || entry == cache->entries) {
            return NULL;
        }
        entry--;
    }
    if (caller == NULL || !tm_frame_is_marked(caller)
        || frame->owner == FRAME_OWNED_BY_CSTACK
        || entry + 1 == cache->entries + cache->known)
    {
        return NULL;
    }
    *cache->top = entry;
    const struct cached_site *cached;
    if (entry->instruction != caller->instr_ptr) {
        cached = tm_site_cached(caller->instr_ptr, &entry->key, entry->salt);
        if (cached == NULL) {
            return NULL;
        }
        entry->instruction = cached->instruction;
        entry->site = cached->site;
    }
    if (entry->site.node == NODE_NONE) {
        /* Nothing was called there yet.  Unlike a node, that is the same for
           all callers, and no key. */
        return NULL;
    }
    struct site_key key = {
        .code = tm_frame_code(frame),
        .parent = entry->site.node,
    };
    entry++;
    if (memcmp(&entry->key, &key, sizeof(key)) != 0) {
        entry->key = key;
        entry->salt = tm_site_salt(key);
        entry->instruction = NULL;
    }
    if (entry->instruction != frame->instr_ptr
        || entry->site.cell == 0)
    {
        /* Instructions before a frame has begun are no sites. */
        cached = tm_site_cached(frame->instr_ptr, &key, entry->salt);
        if (cached == NULL || cached->site.cell == 0) {
            return NULL;
        }
        entry->instruction = cached->instruction;
        entry->site = cached->site;
    }
    entry->frame = frame;
    tm_frame_mark(frame, entry - cache->entries);
    *cache->top = entry;
    return &entry->site;
}


/* Any other capture; the same as tm_capture(), but slower for those.  Needs
   access and a thread state. */
static inline const struct site *
tm_capture_new(PyThreadState *tstate, enum access access)
{
    const struct site *site = NULL;
    struct _PyTraceMalloc_ThreadCache *cache =
        ((_PyThreadStateImpl *)tstate)->tracemalloc_cache;
    _PyInterpreterFrame *frame = tstate->current_frame;
    if (cache != NULL && frame != NULL
        && frame->tracemalloc_mark == NOT_MARKED)
    {
        site = tm_capture_called(cache, frame);
    }
    if (site == NULL) {
        site = _PyTraceMalloc_CaptureSlow(tstate, access);
    }
    return tm_capture_verified(tstate, site);
}


/* As _PyTraceMalloc_CaptureSlow(), with access and a thread state. */
static inline const struct site *
tm_capture(PyThreadState *tstate, enum access access)
{
    const struct site *site = tm_capture_met(tstate);
    return site != NULL && site->cell != 0
           ? site : tm_capture_new(tstate, access);
}

#endif  /* !TRACEMALLOC_CAPTURE_H */
