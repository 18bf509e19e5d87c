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
        && tm_frame_code(frame) == tm_key_code(entry->key)
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
        if (tm_site_is(cached, frame->instr_ptr, entry->key)) {
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


/* So many frames may be new, and so many may have returned since the last
   capture, for which nothing has to be collected. */
#define NEW_MOST 4
#define RETURNED_MOST 8

/* The newest frames, as far as they are not marked, newest first. */
struct near_frames {
    _PyInterpreterFrame *frames[NEW_MOST];
    int n;
    _PyInterpreterFrame *marked;        /* who called them */
};

/* 0, or -1 if there are more of them, or one was suspended that has called. */
static inline int
tm_near_frames(_PyInterpreterFrame *frame, struct near_frames *near)
{
    near->n = 0;
    while (!tm_frame_is_marked(frame)) {
        if (!_PyFrame_IsIncomplete(frame)) {
            if (near->n == NEW_MOST
                || (near->n > 0 && tm_frame_was_suspended(frame)))
            {
                return -1;
            }
            near->frames[near->n++] = frame;
        }
        frame = frame->previous;
        if (frame == NULL) {
            return -1;
        }
    }
    near->marked = frame;
    return 0;
}


/* Let an entry be where its frame is: 0, or -1 if that was never met. */
static inline int
tm_entry_follow(struct frame_entry *entry, const _Py_CODEUNIT *instruction)
{
    const struct cached_site *cached = tm_site_cached(
        instruction, entry->key, entry->salt);
    if (cached == NULL) {
        return -1;
    }
    entry->instruction = instruction;
    entry->site = cached->site;
    return 0;
}


/* Let the entry above one be that of a frame which was called there: 0, or -1
   if a node is not known, or the place where the frame is. */
static inline int
tm_entry_enter(struct frame_entry *entry, _PyInterpreterFrame *called)
{
    node_id parent = entry->site.node;
    if (parent == NODE_NONE) {
        /* Unlike a node, that is the same for all callers, and no key. */
        return -1;
    }
    site_key key = tm_site_key(tm_frame_code(called), parent);
    entry++;
    if (entry->key != key) {
        entry->key = key;
        entry->salt = tm_site_salt(key);
        entry->instruction = NULL;
    }
    if (entry->instruction != called->instr_ptr
        && tm_entry_follow(entry, called->instr_ptr) < 0)
    {
        return -1;
    }
    entry->frame = called;
    return 0;
}


/* Few frames are new or have returned, and all are at sites that were met
   before: where the newest is, or NULL.  The cache is right either way.  Needs
   access. */
static inline const struct site *
tm_capture_near(struct _PyTraceMalloc_ThreadCache *cache,
                _PyInterpreterFrame *frame)
{
    struct near_frames near;
    if (tm_near_frames(frame, &near) < 0) {
        return NULL;
    }
    struct frame_entry *entry = *cache->top;
    for (int i = 0; entry->frame != near.marked; i++) {
        if (i == RETURNED_MOST || entry == cache->entries) {
            return NULL;
        }
        entry--;
    }
    if (entry + near.n >= cache->entries + cache->known) {
        return NULL;
    }
    *cache->top = entry;
    if (entry->instruction != near.marked->instr_ptr
        && tm_entry_follow(entry, near.marked->instr_ptr) < 0)
    {
        return NULL;
    }
    while (near.n > 0) {
        _PyInterpreterFrame *called = near.frames[--near.n];
        if (tm_entry_enter(entry, called) < 0) {
            return NULL;
        }
        entry++;
        tm_frame_mark(called, entry - cache->entries);
        *cache->top = entry;
    }
    /* Perhaps it was only called from when it was looked up, and another
       thread has allocated there. */
    return entry->site.cell != 0
           || (tm_entry_follow(entry, entry->instruction) == 0
               && entry->site.cell != 0) ? &entry->site : NULL;
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
    if (cache != NULL && frame != NULL) {
        site = tm_capture_near(cache, frame);
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
