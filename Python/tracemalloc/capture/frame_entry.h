/* An entry of a thread's cache, and the marks of frames: see cache.h for the
   whole, entries.c for how an entry is made right. */

#ifndef TRACEMALLOC_FRAME_ENTRY_H
#define TRACEMALLOC_FRAME_ENTRY_H

#include "pycore_frame.h"         // _PyInterpreterFrame

#include "site_cache.h"

/* Where a frame is, in a thread's cache. */
struct frame_entry {
    _PyInterpreterFrame *frame;
    const _Py_CODEUNIT *instruction;    /* where the frame was */
    struct site_key key;        /* parent: node of the entry below */
    struct site site;
    uint32_t salt;              /* of the key */
};


/* Whether a frame's mark says that its callers are as the cache has them.  A
   generator's is taken away when it is suspended; the other bits of its byte
   say where it was in the cache. */
static Py_ALWAYS_INLINE inline int
tm_frame_is_marked(const _PyInterpreterFrame *frame)
{
    /* owner == FRAME_OWNED_BY_THREAD && tracemalloc_mark == 1, in one
       comparison: those of threads have no other mark, and frames of the C
       stack are born without one. */
    static const char marked[2] = {FRAME_OWNED_BY_THREAD, 1};
    static_assert(offsetof(_PyInterpreterFrame, tracemalloc_mark)
                  == offsetof(_PyInterpreterFrame, owner) + 1,
                  "side by side");
    return memcmp((const char *)frame + offsetof(_PyInterpreterFrame, owner),
                  marked, sizeof(marked)) == 0
           || (frame->owner == FRAME_OWNED_BY_GENERATOR
               && (frame->tracemalloc_mark & 1) != 0);
}


/* Mark a frame that is somewhere in the cache, from now on. */
static inline void
tm_frame_mark(_PyInterpreterFrame *frame, intptr_t depth)
{
    frame->tracemalloc_mark = frame->owner == FRAME_OWNED_BY_GENERATOR
                    ? (char)((size_t)depth << 1 | 1) : 1;
}


/* The number of a frame's code object, or CODE_NONE. */
static inline code_id
tm_frame_code(const _PyInterpreterFrame *frame)
{
    return ((PyCodeObject *)frame->f_executable)->_co_tracemalloc_id;
}

#endif  /* !TRACEMALLOC_FRAME_ENTRY_H */
