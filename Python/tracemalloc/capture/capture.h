/* Capture, for those who note blocks: see Python/tracemalloc_capture.c. */

#ifndef TRACEMALLOC_CAPTURE_H
#define TRACEMALLOC_CAPTURE_H

#include "../access.h"

/* What a thread state captured last, outermost frame first.  Entry 0 stands
   for "no caller"; those behind `top` are what was there before, and may still
   be right. */
struct _PyTraceMalloc_ThreadCache {
    struct path_entry *top;             /* newest frame, or entry 0 */
    struct path_entry *path;            /* path[-1] is there, and no frame's */
    size_t allocated;                   /* entries */
    size_t known;                       /* entries that were ever written */
    _PyInterpreterFrame **frames;       /* scratch */
    size_t frames_allocated;
    struct _PyTraceMalloc_ThreadCache **owner;  /* the pointer to this */
    struct _PyTraceMalloc_ThreadCache *next, *previous;
};

/* Where the calling thread allocates; it has a context, and is right until
   the next capture.  NULL when out of memory, and in a thread that is quiet.
   tstate may be NULL: then nothing is known. */
extern const struct place *_PyTraceMalloc_CaptureSlow(PyThreadState *tstate,
                                                      enum access access);

#ifdef Py_TRACEMALLOC_VERIFY
/* Python/tracemalloc_verify.c: walk the whole stack and compare; abort if the
   entry is wrong. */
extern void _PyTraceMalloc_VerifyCapture(PyThreadState *tstate,
                                         const struct place *place);

/* The runtime begins; the child of a fork does. */
extern void _PyTraceMalloc_BeginVerify(void);
extern void _PyTraceMalloc_ForkVerify(void);

/* Captures that this process has compared. */
extern uint64_t _PyTraceMalloc_CountVerified(void);
#endif

/* Forget all call sites met before; needs access. */
extern void _PyTraceMalloc_ForgetSites(void);

/* The calling thread's state, also when it has detached from it, or NULL. */
extern PyThreadState *_PyTraceMalloc_DetachedThread(void);

/* Free one cache or all; needs the store lock, and access for all. */
extern void _PyTraceMalloc_FreeCache(struct _PyTraceMalloc_ThreadCache *);
extern void _PyTraceMalloc_FreeCaches(void);

/* Mark what caches name; forget what lies behind their tops. */
extern void _PyTraceMalloc_MarkCaches(struct reclaim_roots *);

/* Take the numbers back from all live code objects, before sources go. */
extern void _PyTraceMalloc_ForgetCodeObjects(void);



/* --- the common cases ---------------------------------------------------- */

/* Whether a frame's mark says that its callers are as the cache has them.  A
   generator's is taken away when it is suspended; the other bits of its byte
   say where it was in the cache. */
static inline int
frame_is_marked(const _PyInterpreterFrame *frame)
{
    /* owner == FRAME_OWNED_BY_THREAD && tracemalloc_mark == 1, in one comparison: those
       of threads have no other mark, and frames of the C stack are born
       without one. */
    static const char marked[2] = {FRAME_OWNED_BY_THREAD, 1};
    static_assert(offsetof(_PyInterpreterFrame, tracemalloc_mark)
                  == offsetof(_PyInterpreterFrame, owner) + 1,
                  "side by side");
    return memcmp((const char *)frame + offsetof(_PyInterpreterFrame, owner),
                  marked, sizeof(marked)) == 0
           || (frame->owner == FRAME_OWNED_BY_GENERATOR
               && (frame->tracemalloc_mark & 1) != 0);
}


/* Mark a frame that is at a place in the cache, from now on. */
static inline void
frame_mark(_PyInterpreterFrame *frame, intptr_t depth)
{
    frame->tracemalloc_mark = frame->owner == FRAME_OWNED_BY_GENERATOR
                    ? (char)((size_t)depth << 1 | 1) : 1;
}


/* The number of a frame's code object, or CODE_NONE. */
static inline code_id
frame_code(const _PyInterpreterFrame *frame)
{
    return ((PyCodeObject *)frame->f_executable)->_co_tracemalloc_id;
}


/* Whether the newest frame of the cache is a generator's that was resumed by
   the frame below, which is marked, where that was when it was captured.  It
   is marked then. */
static inline int
frame_is_resumed(_PyInterpreterFrame *frame, const struct path_entry *entry)
{
    if (frame->owner == FRAME_OWNED_BY_GENERATOR
        && frame->previous == entry[-1].frame
        && frame_is_marked(frame->previous)
        && frame->previous->instr_ptr == entry[-1].instruction
        && frame_code(frame) == entry->place.code)
    {
        frame->tracemalloc_mark |= 1;
        return 1;
    }
    return 0;
}


static inline const struct place *
capture_verified(PyThreadState *tstate, const struct place *place)
{
#ifdef Py_TRACEMALLOC_VERIFY
    if (place != NULL && tstate != NULL) {
        _PyTraceMalloc_VerifyCapture(tstate, place);
    }
#endif
    return place;
}


/* What nearly all captures are: the newest frame is the one of the last
   capture or its caller, at a place that was met before.  Otherwise NULL.
   Needs access and a thread state; calls nothing. */
static Py_ALWAYS_INLINE inline const struct place *
capture_met(PyThreadState *tstate)
{
    const struct _PyTraceMalloc_ThreadCache *cache =
        ((_PyThreadStateImpl *)tstate)->tracemalloc_cache;
    _PyInterpreterFrame *frame = tstate->current_frame;
    if (cache != NULL) {
        const struct path_entry *entry = cache->top;
        entry -= entry->frame != frame;
        if (entry->frame == frame
            && (frame_is_marked(frame) || frame_is_resumed(frame, entry)))
        {
            const struct site *site = site_at(frame->instr_ptr, entry->parent);
            if (site->instruction == frame->instr_ptr
                && site->parent == entry->parent
                && site->place.code == entry->place.code
                && site->place.context != NULL)
            {
                return capture_verified(tstate, &site->place);
            }
        }
    }
    return NULL;
}


/* Any other capture; the same as capture(), but slower for those. */
static inline const struct place *
capture_new(PyThreadState *tstate, enum access access)
{
    return capture_verified(tstate,
                            _PyTraceMalloc_CaptureSlow(tstate, access));
}


/* As _PyTraceMalloc_CaptureSlow(), with access and a thread state. */
static inline const struct place *
capture(PyThreadState *tstate, enum access access)
{
    const struct place *place = capture_met(tstate);
    return place != NULL ? place : capture_new(tstate, access);
}

#endif  /* !TRACEMALLOC_CAPTURE_H */
