/* Hooks: what the three PEP 445 domains allocate and free -> store.

   Called by whoever allocates, and by control.c, which installs and removes
   the hooks; calls blocks.c.

       PyObject_Malloc() --> traced pymalloc        (obmalloc.c, with cells)
                         or  hook_malloc --below--> another allocator
                                |                      |
                                v                      v  large blocks, arenas
                             the store          hook_malloc, re-entrant:
                                                not noted

   States of a hook:

       off        not in the chain of its domain
       tracing    in the chain, notes blocks
       passive    in the chain though tracing is off, because somebody put an
                  allocator of their own above it, which stop() must not throw
                  out; passes through

   off -> tracing        hook_install
   tracing -> off        hook_remove, if it is the topmost one
   tracing -> passive    hook_remove otherwise
   passive -> tracing    hook_install, if allocations still reach it

   A hook may run in any thread, with or without the GIL, and may be entered
   again while the allocator below runs.  The guard says so (guard.h), and what
   happens inside is not noted, so a block is counted once. */

#include "Python.h"
#include "pycore_pymem_init.h"    // _PyMem_RawMalloc()
#include "../access.h"
#include "../sampler/allocators.h"
#include "blocks.h"
#include "guard.h"
#include "hooks.h"
#include "objects.h"
#include "pymalloc.h"

#define S (&_PyTraceMalloc_State)

/* Each kind is passive while the other one is at work. */
#define hooks _PyTraceMalloc_Hooks

struct hook hooks[2][3] = {
    {
        {.domain = PYMEM_DOMAIN_RAW},
        {.domain = PYMEM_DOMAIN_MEM},
        {.domain = PYMEM_DOMAIN_OBJ},
    }, {
        {.domain = PYMEM_DOMAIN_RAW},
        {.domain = PYMEM_DOMAIN_MEM},
        {.domain = PYMEM_DOMAIN_OBJ},
    },
};

PyMemAllocatorEx _PyTraceMalloc_PlainRaw;

_Py_thread_local enum reentrancy _PyTraceMalloc_Reentrant;

/* The hook that a probe asks for; it answers by setting this to NULL. */
static _Py_thread_local struct hook *probed;


/* --- hooks --------------------------------------------------------------- */

/* Raw blocks, with or without the GIL, and all others. */
static inline struct block_table *
hook_table(const struct hook *hook)
{
    return hook->domain == PYMEM_DOMAIN_RAW ? &S->raw : &S->large;
}


static void
hook_note(struct hook *hook, void *ptr, size_t size)
{
    enum access access = tm_begin();
    if (access == ACCESS_NONE) {
        return;
    }
    if (_PyTraceMalloc_NoteBlock(hook_table(hook), DEFAULT_DOMAIN,
                                 (uintptr_t)ptr, size, access) == 0)
    {
        tm_set_fresh(ptr);
    }
    tm_end(access);
}


/* Whether what the thread allocates goes unnoted; a probe is answered. */
static inline int
hook_is_reentrant(struct hook *hook)
{
    if (!tm_guard_is_entered()) {
        return 0;
    }
    if (probed == hook) {
        probed = NULL;
    }
    return 1;
}


static Py_ALWAYS_INLINE inline void *
hook_malloc(struct hook *hook, size_t size)
{
    PyMemAllocatorEx *below = &hook->below;
    if (hook_is_reentrant(hook)) {
        return below->malloc(below->ctx, size);
    }
    enum reentrancy before = tm_guard_enter(REENTRANT);
    void *ptr = below->malloc(below->ctx, size);
    if (ptr != NULL) {
        hook_note(hook, ptr, size);
    }
    tm_guard_leave(before);
    return ptr;
}


static Py_ALWAYS_INLINE inline void *
hook_calloc(struct hook *hook, size_t count, size_t size)
{
    PyMemAllocatorEx *below = &hook->below;
    if (hook_is_reentrant(hook)) {
        return below->calloc(below->ctx, count, size);
    }
    enum reentrancy before = tm_guard_enter(REENTRANT);
    void *ptr = below->calloc(below->ctx, count, size);
    if (ptr != NULL) {
        /* No overflow: it would not have been allocated. */
        hook_note(hook, ptr, count * size);
    }
    tm_guard_leave(before);
    return ptr;
}


static Py_ALWAYS_INLINE inline void *
hook_realloc(struct hook *hook, void *ptr, size_t size)
{
    PyMemAllocatorEx *below = &hook->below;
    if (_PyTraceMalloc_Reentrant == REENTRANT_BELOW) {
        return below->realloc(below->ctx, ptr, size);
    }
    int reentrant = hook_is_reentrant(hook);
    struct lifted lifted;
    tm_lift_block(hook_table(hook), ptr, &lifted);
    enum reentrancy before = tm_guard_enter(REENTRANT);
    void *moved = below->realloc(below->ctx, ptr, size);
    if (moved == NULL) {
        tm_put_back_block(hook_table(hook), &lifted);
    }
    else if (!reentrant) {
        hook_note(hook, moved, size);
    }
    _PyTraceMalloc_ShowLifted(NULL);
    tm_guard_leave(before);
    return moved;
}


static Py_ALWAYS_INLINE inline void
hook_free(struct hook *hook, void *ptr)
{
    struct lifted lifted;
    if (_PyTraceMalloc_Reentrant != REENTRANT_BELOW) {
        tm_lift_block(hook_table(hook), ptr, &lifted);
    }
    hook->below.free(hook->below.ctx, ptr);
    _PyTraceMalloc_ShowLifted(NULL);
}


HOOK_ALLOCATOR(raw_allocator, hook, &hooks[0][PYMEM_DOMAIN_RAW]);
HOOK_ALLOCATOR(mem_allocator, hook, &hooks[0][PYMEM_DOMAIN_MEM]);
HOOK_ALLOCATOR(obj_allocator, hook, &hooks[0][PYMEM_DOMAIN_OBJ]);


/* --- installing ---------------------------------------------------------- */

static int
hook_is_top(struct hook *hook)
{
    PyMemAllocatorEx top;
    PyMem_GetAllocator(hook->domain, &top);
    return top.ctx == hook->own.ctx && top.malloc == hook->own.malloc;
}


/* Whether allocations of the domain still come by here, below an allocator
   that was installed later.  The only way to know is to make one. */
static int
hook_is_reached(struct hook *hook)
{
    void *ptr;
    enum reentrancy before = tm_guard_enter(REENTRANT);
    probed = hook;
    _PyTraceMalloc_InterruptGap();
    switch (hook->domain) {
        case PYMEM_DOMAIN_RAW:
            ptr = PyMem_RawMalloc(1);
            PyMem_RawFree(ptr);
            break;
        case PYMEM_DOMAIN_MEM:
            ptr = PyMem_Malloc(1);
            PyMem_Free(ptr);
            break;
        default:
            ptr = PyObject_Malloc(1);
            PyObject_Free(ptr);
            break;
    }
    int reached = probed == NULL;
    probed = NULL;
    tm_guard_leave(before);
    return reached;
}


void
_PyTraceMalloc_HookReached(void *ctx)
{
    (void)hook_is_reentrant(ctx);
}


static int
hook_is_plain(const struct hook *hook)
{
    const PyMemAllocatorEx *below = &hook->below;
    return below->malloc == _PyMem_RawMalloc
           && below->calloc == _PyMem_RawCalloc
           && below->realloc == _PyMem_RawRealloc
           && below->free == _PyMem_RawFree;
}


static void
hook_install(struct hook *hook)
{
    if (hook->in_chain && (hook_is_top(hook) || hook_is_reached(hook))) {
        return;
    }
    PyMem_GetAllocator(hook->domain, &hook->below);
    PyMemAllocatorEx ours = hook->domain == PYMEM_DOMAIN_RAW ? raw_allocator
                            : hook->domain == PYMEM_DOMAIN_MEM ? mem_allocator
                            : obj_allocator;
    ours.ctx = hook->below.ctx;
    if (hook >= hooks[1]) {
        _PyTraceMalloc_UseSampling(hook, &ours);
    }
    else {
        int pymalloc = hook->domain != PYMEM_DOMAIN_RAW
                       && _PyTraceMalloc_UsePymalloc(hook, &ours);
        if (hook->domain == PYMEM_DOMAIN_OBJ) {
            S->objects_have_cells = pymalloc;
        }
    }
    hook->own = ours;
    if (hook == &hooks[0][PYMEM_DOMAIN_RAW]) {
        _PyTraceMalloc_PlainRaw = hook_is_plain(hook)
                                  ? ours : (PyMemAllocatorEx){.ctx = NULL};
    }
    PyMem_SetAllocator(hook->domain, &ours);
    hook->in_chain = 1;
}


static void
hook_remove(struct hook *hook)
{
    if (hook_is_top(hook)) {
        PyMem_SetAllocator(hook->domain, &hook->below);
        hook->in_chain = 0;
    }
}


PART void
tm_install_hooks(int sampling)
{
    for (size_t i = 0; i < Py_ARRAY_LENGTH(hooks[0]); i++) {
        hook_install(&hooks[sampling][i]);
    }
}


PART void
tm_remove_hooks(int sampling)
{
    for (size_t i = 0; i < Py_ARRAY_LENGTH(hooks[0]); i++) {
        hook_remove(&hooks[sampling][i]);
    }
}
