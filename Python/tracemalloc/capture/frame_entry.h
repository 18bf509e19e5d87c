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
    site_key key;               /* parent: node of the entry below */
    struct site site;
    uint32_t salt;              /* of the key */
};


/* The byte `tracemalloc_mark`.  Its lowest bit is clear in frames that are
   marked, so that one test asks for that and for the owner.  In generators'
   frames the bits above it are seven of their depth in the cache. */
enum { NOT_MARKED = 1 };                /* frames are born so */

/* Whether a frame's mark says that its callers are as the cache has them.  A
   generator's is taken away when it is suspended; the other bits of its byte
   say where it was in the cache.  What frames of the C stack have in there is
   not known. */
static Py_ALWAYS_INLINE inline int
tm_frame_is_marked(const _PyInterpreterFrame *frame)
{
    static_assert(FRAME_OWNED_BY_THREAD == 0 && FRAME_OWNED_BY_GENERATOR == 1,
                  "all others have a bit above the lowest");
    static_assert(offsetof(_PyInterpreterFrame, tracemalloc_mark)
                  == offsetof(_PyInterpreterFrame, owner) + 1,
                  "side by side");
    static const unsigned char clear[2] = {
        (unsigned char)~FRAME_OWNED_BY_GENERATOR, NOT_MARKED,
    };
    uint16_t both, mask;
    memcpy(&both, (const char *)frame + offsetof(_PyInterpreterFrame, owner),
           sizeof(both));
    memcpy(&mask, clear, sizeof(mask));
    return (both & mask) == 0;
}


/* Mark a frame that is somewhere in the cache, from now on.  Written with the
   owner, which stays what it is: tm_frame_is_marked() reads both at once, and
   would wait for a single byte to reach memory. */
static inline void
tm_frame_mark(_PyInterpreterFrame *frame, intptr_t depth)
{
    char owner = frame->owner;
    const char both[2] = {
        owner,
        owner == FRAME_OWNED_BY_GENERATOR ? (char)((size_t)depth << 1) : 0,
    };
    memcpy((char *)frame + offsetof(_PyInterpreterFrame, owner), both,
           sizeof(both));
}


/* The same for one that may have been suspended, and is where it was. */
static Py_ALWAYS_INLINE inline void
tm_frame_mark_again(_PyInterpreterFrame *frame)
{
    static const unsigned char set[2] = {0xff, (unsigned char)~NOT_MARKED};
    char *at = (char *)frame + offsetof(_PyInterpreterFrame, owner);
    uint16_t both, mask;
    /* Loaded again: no register is kept for it where it was tested. */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    memcpy(&both, at, sizeof(both));
    memcpy(&mask, set, sizeof(mask));
    both &= mask;
    memcpy(at, &both, sizeof(both));
}


/* Whether it is a generator's that was in a cache when it was suspended, and
   has not been captured since. */
static inline int
tm_frame_was_suspended(const _PyInterpreterFrame *frame)
{
    return (frame->tracemalloc_mark & NOT_MARKED) != 0
           && frame->tracemalloc_mark != NOT_MARKED;
}


/* The number of a frame's code object, or CODE_NONE. */
static inline code_id
tm_frame_code(const _PyInterpreterFrame *frame)
{
    return ((PyCodeObject *)frame->f_executable)->_co_tracemalloc_id;
}

#endif  /* !TRACEMALLOC_FRAME_ENTRY_H */
