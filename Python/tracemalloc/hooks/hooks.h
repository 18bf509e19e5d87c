/* Hooks: see hooks.c. */

#ifndef TRACEMALLOC_HOOKS_H
#define TRACEMALLOC_HOOKS_H

#include "../state.h"

/* A link in the chain of allocators of a domain. */
struct hook {
    PyMemAllocatorDomain domain;    /* fixed after init */
    PyMemAllocatorEx below;         /* control_lock; readers see old or new */
    PyMemAllocatorEx own;           /* put above it; control_lock */
    int in_chain;                   /* control_lock; may be stale, see
                                       hook_is_reached() */
};

/* By domain: those that note every block, and those that take samples. */
extern struct hook _PyTraceMalloc_Hooks[2][3];

/* Functions of one hook, or what is to be above an allocator.  A thread that
   has no GIL, or another one, may call a function that was just put in place
   with the context of the one before, or the other way round.  So these do not
   look at their context, which is that of the allocator below. */
#define HOOK_ALLOCATOR(name, calls, hook)                                     \
    static void *                                                             \
    name##_malloc(void *Py_UNUSED(ctx), size_t size)                          \
    {                                                                         \
        return calls##_malloc(hook, size);                                    \
    }                                                                         \
    static void *                                                             \
    name##_calloc(void *Py_UNUSED(ctx), size_t count, size_t size)            \
    {                                                                         \
        return calls##_calloc(hook, count, size);                             \
    }                                                                         \
    static void *                                                             \
    name##_realloc(void *Py_UNUSED(ctx), void *ptr, size_t size)              \
    {                                                                         \
        return calls##_realloc(hook, ptr, size);                              \
    }                                                                         \
    static void                                                               \
    name##_free(void *Py_UNUSED(ctx), void *ptr)                              \
    {                                                                         \
        calls##_free(hook, ptr);                                              \
    }                                                                         \
    static const PyMemAllocatorEx name = {                                    \
        NULL, name##_malloc, name##_calloc, name##_realloc, name##_free,      \
    }

/* The raw domain's functions that note every block, if nothing but the C
   library is below; NULL otherwise, and at first.  control_lock; readers see
   old or new. */
extern PyMemAllocatorEx _PyTraceMalloc_PlainRaw;

/* Put the hooks of all domains in place, or take them out where nobody else's
   allocator depends on them: those that note every block, or samples.  Need
   control_lock. */
PART void tm_install_hooks(int sampling);
PART void tm_remove_hooks(int sampling);

/* A hook that was replaced by traced pymalloc is asked, re-entrantly. */
extern void _PyTraceMalloc_HookReached(void *ctx);

#endif  /* !TRACEMALLOC_HOOKS_H */
