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

/* Whether the newest frame of the cache is a generator's that was resumed by
   the frame below, which is marked, where that was when it was captured.  It
   is marked then. */
static inline int
tm_frame_is_resumed(_PyInterpreterFrame *frame,
                    const struct frame_entry *entry)
{
    if (frame->owner == FRAME_OWNED_BY_GENERATOR
        && frame->previous == entry[-1].frame
        && tm_frame_is_marked(frame->previous)
        && frame->previous->instr_ptr == entry[-1].instruction
        && tm_frame_code(frame) == entry->key.code)
    {
        frame->tracemalloc_mark |= 1;
        return 1;
    }
    return 0;
}


static inline const struct site *
tm_capture_verified(PyThreadState *tstate, const struct site *site)
{
#ifdef Py_TRACEMALLOC_VERIFY
    if (site != NULL && tstate != NULL) {
        _PyTraceMalloc_VerifyCapture(tstate, site);
    }
#endif
    return site;
}


/* What nearly all captures are: the newest frame is the one of the last
   capture or its caller, at a site that was met before.  Otherwise NULL.
   Needs access and a thread state; calls nothing. */
static Py_ALWAYS_INLINE inline const struct site *
tm_capture_met(PyThreadState *tstate)
{
    const struct _PyTraceMalloc_ThreadCache *cache =
        ((_PyThreadStateImpl *)tstate)->tracemalloc_cache;
    _PyInterpreterFrame *frame = tstate->current_frame;
    if (cache != NULL) {
        const struct frame_entry *entry = cache->top;
        entry -= entry->frame != frame;
        if (entry->frame == frame
            && (tm_frame_is_marked(frame)
                || tm_frame_is_resumed(frame, entry)))
        {
            const struct cached_site *cached = tm_site_cache_at(
                frame->instr_ptr, entry->salt);
            if (tm_site_is(cached, frame->instr_ptr, &entry->key)
                && cached->site.context != NULL)
            {
                return tm_capture_verified(tstate, &cached->site);
            }
        }
    }
    return NULL;
}


/* Any other capture; the same as tm_capture(), but slower for those. */
static inline const struct site *
tm_capture_new(PyThreadState *tstate, enum access access)
{
    return tm_capture_verified(tstate,
                               _PyTraceMalloc_CaptureSlow(tstate, access));
}


/* As _PyTraceMalloc_CaptureSlow(), with access and a thread state. */
static inline const struct site *
tm_capture(PyThreadState *tstate, enum access access)
{
    const struct site *site = tm_capture_met(tstate);
    return site != NULL ? site : tm_capture_new(tstate, access);
}

#endif  /* !TRACEMALLOC_CAPTURE_H */
