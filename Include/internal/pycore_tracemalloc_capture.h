/* Capture, for those who note blocks: see Python/tracemalloc_capture.c. */

#ifndef Py_INTERNAL_TRACEMALLOC_CAPTURE_H
#define Py_INTERNAL_TRACEMALLOC_CAPTURE_H

#include "pycore_frame.h"         // _PyInterpreterFrame
#include "pycore_tracemalloc_state.h"

/* What a thread state captured last, outermost frame first.  Entry 0 stands
   for "no caller"; those behind `top` are what was there before, and may still
   be right. */
struct _PyTraceMalloc_ThreadCache {
    struct path_entry *top;             /* newest frame, or entry 0 */
    struct path_entry *path;
    size_t allocated;
    _PyInterpreterFrame **frames;       /* scratch */
    size_t frames_allocated;
    struct _PyTraceMalloc_ThreadCache **owner;  /* the pointer to this */
    struct _PyTraceMalloc_ThreadCache *next, *previous;
};

/* Where the calling thread allocates: its newest entry, with a context.  NULL
   when out of memory.  tstate may be NULL: then nothing is known. */
extern const struct path_entry *_PyTraceMalloc_CaptureSlow(
    PyThreadState *tstate, enum access access);

#ifdef Py_TRACEMALLOC_VERIFY
/* Walk the whole stack and compare; abort if the entry is wrong. */
extern void _PyTraceMalloc_VerifyCapture(PyThreadState *tstate,
                                         const struct path_entry *entry);
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

static inline struct site *
site_at(const _Py_CODEUNIT *instruction, path_id parent)
{
    size_t key = ((uintptr_t)instruction >> 1) ^ (size_t)parent * 0x9e3779b1u;
    return &_PyTraceMalloc_State.sites[(key ^ key >> 10) % SITES];
}


/* Fill an entry from the site table: 1, or 0 if it is not in there. */
static inline int
entry_recall(struct path_entry *entry, const _Py_CODEUNIT *instruction,
             path_id parent, code_id code)
{
    const struct site *site = site_at(instruction, parent);
    if (site->instruction != instruction || site->parent != parent
        || site->code != code)
    {
        return 0;
    }
    entry->instruction = instruction;
    entry->parent = parent;
    entry->code = code;
    entry->path = site->path;
    entry->context = site->context;
    entry->context_id = site->context_id;
    return 1;
}


/* As _PyTraceMalloc_CaptureSlow(), with access and a thread state: the newest
   frame is the one of the last capture, at the same place or at one that was
   met before. */
static inline const struct path_entry *
capture_unverified(PyThreadState *tstate, enum access access)
{
    const struct _PyTraceMalloc_ThreadCache *cache =
        ((_PyThreadStateImpl *)tstate)->tracemalloc_cache;
    const _PyInterpreterFrame *frame = tstate->current_frame;
    if (cache != NULL && cache->top->frame == frame) {
        struct path_entry *entry = cache->top;
        if (frame->owner == FRAME_OWNED_BY_GENERATOR) {
            /* Resumed by the same frame, at the same place? */
            const _PyInterpreterFrame *caller = frame->previous;
            if (caller != entry[-1].frame || !caller->traced
                || caller->owner != FRAME_OWNED_BY_THREAD
                || caller->instr_ptr != entry[-1].instruction
                || entry->parent != entry[-1].path)
            {
                goto slow;
            }
        }
        else if (!frame->traced) {
            goto slow;
        }
        if (entry->instruction == frame->instr_ptr) {
            if (entry->context != NULL) {
                return entry;
            }
        }
        else {
            const PyCodeObject *co = (PyCodeObject *)frame->f_executable;
            if (entry_recall(entry, frame->instr_ptr, entry->parent,
                             co->_co_tracemalloc_id)
                && entry->context != NULL)
            {
                return entry;
            }
        }
    }
slow:
    return _PyTraceMalloc_CaptureSlow(tstate, access);
}


static inline const struct path_entry *
capture_verified(PyThreadState *tstate, const struct path_entry *entry)
{
#ifdef Py_TRACEMALLOC_VERIFY
    if (entry != NULL && tstate != NULL) {
        _PyTraceMalloc_VerifyCapture(tstate, entry);
    }
#endif
    return entry;
}


static inline const struct path_entry *
capture(PyThreadState *tstate, enum access access)
{
    return capture_verified(tstate, capture_unverified(tstate, access));
}

#endif  /* !Py_INTERNAL_TRACEMALLOC_CAPTURE_H */
