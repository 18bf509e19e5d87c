/* Hooks: what the three PEP 445 domains allocate and free -> store.

   Called by whoever allocates, and by Modules/_tracemalloc.c to install and
   remove the hooks; calls capture and the block stores.

       PyObject_Malloc() --> traced pymalloc        (obmalloc.c, with cells)
                         or  hook_malloc --below--> another allocator
                                |                      |
                                v                      v  large blocks, arenas
                             the store          hook_malloc, busy: not noted

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
   again while the allocator below runs.  The thread is marked as busy then,
   and what happens inside is not noted, so a block is counted once.

   A block is forgotten before the allocator below can give its address to
   another thread, and put back if that fails. */

#include "Python.h"
#include "pycore_object.h"        // _PyType_PreHeaderSize()
#include "pycore_tracemalloc.h"
#include "pycore_tracemalloc_capture.h"

#include <stdlib.h>               // realloc()

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

_Py_thread_local enum busy _PyTraceMalloc_Busy;

/* The hook that a probe asks for; it answers by setting this to NULL. */
static _Py_thread_local struct hook *probed;


/* --- access -------------------------------------------------------------- */

/* Take over what detached threads counted. */
static void
detached_drain_lock_held(void)
{
    _PyTraceMalloc_TakeDetached(&S->detached, &S->contexts, &S->bytes);
    _PyTraceMalloc_FreeReplaced(&S->contexts);
    if (S->one_gil && !S->foreign && tracer_is_tracing()) {
        attention_change(ATTENTION_ACCESS, 0);
    }
}


static enum access
access_of_locked(void)
{
    if (tracer_is_sampling()) {
        return ACCESS_SAMPLING;
    }
    if (!S->one_gil) {
        return ACCESS_LOCK;
    }
    return _PyThreadState_GET() != NULL ? ACCESS_GIL : ACCESS_DETACHED;
}


enum access
_PyTraceMalloc_BeginLocked(void)
{
    tracer_lock();
    if (!tracer_is_tracing()) {
        tracer_unlock();
        return ACCESS_NONE;
    }
    enum access access = access_of_locked();
    if (access != ACCESS_DETACHED) {
        detached_drain_lock_held();
    }
    return access;
}


enum access
_PyTraceMalloc_Begin(void)
{
    if (tracer_is_sampling()) {
        return ACCESS_NONE;
    }
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_SAMPLING) {
        /* Tracing began anew just now. */
        tracer_unlock();
        return ACCESS_NONE;
    }
    if (access == ACCESS_GIL) {
        tracer_unlock();
    }
    return access;
}


/* --- counting ------------------------------------------------------------ */

/* Let whoever has access next take over what was counted. */
static inline int
detached_announce(int failed)
{
    if (!failed) {
        attention_change(ATTENTION_ACCESS, 1);
    }
    return failed;
}


/* Count a block that was noted: 0, or -1 when out of memory. */
static int
counted_alloc(context_id id, size_t size, enum access access)
{
    if (access == ACCESS_SAMPLING) {
        return _PyTraceMalloc_CountSample(id, size);
    }
    if (access == ACCESS_DETACHED) {
        return detached_announce(
            _PyTraceMalloc_CountDetachedAlloc(&S->detached, id, size));
    }
    struct context *context = context_at(&S->contexts, id);
    context_make_room(&S->contexts, context, size);
    count_alloc(&S->bytes, context, size);
    return 0;
}


static void
counted_free(context_id id, size_t size, enum access access)
{
    if (access == ACCESS_SAMPLING) {
        _PyTraceMalloc_CountSampleFree(id, size);
        return;
    }
    if (access == ACCESS_DETACHED
        && detached_announce(
            _PyTraceMalloc_CountDetachedFree(&S->detached, id, size)) == 0)
    {
        return;
    }
    struct context *context = context_at(&S->contexts, id);
    if (access == ACCESS_DETACHED) {
        _PyTraceMalloc_CountLost(&S->bytes, context, size);
    }
    else {
        count_free(&S->bytes, context, size);
    }
}


/* A block that was forgotten is still there: 0, or -1 when out of memory. */
static int
counted_put_back(context_id id, size_t size, enum access access)
{
    if (access == ACCESS_DETACHED) {
        return detached_announce(
            _PyTraceMalloc_UncountDetachedFree(&S->detached, id, size));
    }
    uncount_free(&S->bytes, context_at(&S->contexts, id), size);
    return 0;
}


static void
counted_drop(enum access access)
{
    if (access == ACCESS_GIL) {
        tracer_lock();
    }
    S->dropped++;
    if (access == ACCESS_GIL) {
        tracer_unlock();
    }
}


void
_PyTraceMalloc_ReclaimNow(enum access access)
{
    if (access == ACCESS_GIL) {
        tracer_lock();
        detached_drain_lock_held();
    }
    struct context_tree *tree = &S->contexts;
    reclaim_want(0);
    _PyTraceMalloc_RenewEpochs(tree, &S->bytes);
    struct reclaim_roots roots = {
        .contexts = calloc(tree->contexts.used, 1),
        .paths = calloc(tree->paths.used, 1),
    };
    long taken = -1;
    if (roots.contexts != NULL && roots.paths != NULL) {
        _PyTraceMalloc_MarkCaches(&roots);
        roots.contexts[CONTEXT_OWN] = 1;
        _PyTraceMalloc_ForgetSites();
        taken = _PyTraceMalloc_Reclaim(
            tree, &S->sources, &S->bytes, &roots,
            _PyTraceMalloc_PaceIsHard(&S->pace, tree));
        if (taken > 0) {
            _PyTraceMalloc_Reindex(tree);
        }
    }
    free(roots.contexts);
    free(roots.paths);
    tree->generation++;
    _PyTraceMalloc_SetPace(&S->pace, tree, &S->sources, &S->bytes, taken);
    if (access == ACCESS_GIL) {
        tracer_unlock();
    }
}


void
_PyTraceMalloc_WatchGrowth_lock_held(uint32_t id, enum access access)
{
    /* Without access, traced bytes may not be read. */
    if (id != 0 ? pace_is_due(&S->pace, &S->contexts)
        : _PyTraceMalloc_CountMiss(&S->pace, access == ACCESS_DETACHED
                                             ? NULL : &S->bytes))
    {
        reclaim_want(1);
    }
}


/* --- noting blocks ------------------------------------------------------- */

static const struct place *
capture_any(enum access access)
{
    PyThreadState *tstate = _PyThreadState_GET();
    if (tstate != NULL && access != ACCESS_DETACHED) {
        return capture(tstate, access);
    }
    if (tstate == NULL) {
        tstate = _PyTraceMalloc_DetachedThread();
    }
    return capture_verified(tstate,
                            _PyTraceMalloc_CaptureSlow(tstate, access));
}


/* The context of a place in any domain. */
static context_id
context_in_domain(const struct place *place, uint32_t domain,
                  enum access access)
{
    if (domain == DEFAULT_DOMAIN) {
        return place->context_id;
    }
    if (access == ACCESS_GIL) {
        tracer_lock();
    }
    context_id id = _PyTraceMalloc_AddContextOfDomain(
        &S->contexts, place->context, domain);
    _PyTraceMalloc_WatchGrowth_lock_held(id, access);
    if (access == ACCESS_GIL) {
        tracer_unlock();
    }
    return id;
}


/* The table of raw blocks is shared with detached threads. */
static inline int
table_lock(const struct block_table *table, enum access access)
{
    if (table == &S->raw && access == ACCESS_GIL) {
        tracer_lock();
        return 1;
    }
    return 0;
}


static inline void
table_unlock(int locked)
{
    if (locked) {
        tracer_unlock();
    }
}


/* Note a block of the library's own: 0, 1 if it is left out, since no object can
   come from it, or -1 when the trace had to be dropped. */
static Py_NO_INLINE int
own_note(struct block_table *table, uint32_t domain, uintptr_t address,
         size_t size, enum access access)
{
    struct block stale;
    struct block block = {
        .address = address,
        .size = size,
        .context = CONTEXT_OWN,
        .domain = domain,
    };
    if (table == &S->raw) {
        (void)_PyTraceMalloc_ForgetBlock(table, domain, address, &stale,
                                         access);
        return 1;
    }
    int put = _PyTraceMalloc_PutBlock(table, &block, &stale);
    if (put < 0) {
        counted_drop(access);
        return -1;
    }
    if (put > 0) {
        counted_free(stale.context, stale.size, access);
    }
    if (access != ACCESS_SAMPLING) {
        _PyTraceMalloc_CountOwn(size);
    }
    else if (_PyTraceMalloc_CountSample(CONTEXT_OWN, size) < 0) {
        (void)_PyTraceMalloc_RemoveBlock(table, domain, address, &stale);
        counted_drop(access);
        return -1;
    }
    return 0;
}


static inline int
thread_is_quiet(enum access access)
{
    PyThreadState *tstate = _PyThreadState_GET();
    if (tstate == NULL && access == ACCESS_DETACHED) {
        tstate = _PyTraceMalloc_DetachedThread();
    }
    return tracer_is_quiet(tstate);
}


int
_PyTraceMalloc_NoteBlock(struct block_table *table, uint32_t domain,
                         uintptr_t address, size_t size, enum access access)
{
    struct block block = {.address = address, .size = size, .domain = domain};
    struct block stale;
    if (domain != DEFAULT_DOMAIN && access != ACCESS_DETACHED
        && reclaim_is_wanted())
    {
        /* A capture does not, at a place that was met before; but there is one
           more context there for each domain. */
        _PyTraceMalloc_ReclaimNow(access);
    }
    const struct place *place = capture_any(access);
    int watched = tracer_is_watched();
    int ignored = 0;
    if (watched) {
        _PyTraceMalloc_WatchAlarm(access);
        ignored = !_PyTraceMalloc_IsAdmitted(place, access);
    }
    if (place == NULL) {
        if (thread_is_quiet(access)) {
            return own_note(table, domain, address, size, access);
        }
    }
    else if (!ignored) {
        block.context = context_in_domain(place, domain, access);
    }
    int put = -1, noted = 0;
    int locked = table_lock(table, access);
    if (block.context != CONTEXT_NONE) {
        put = _PyTraceMalloc_PutBlock(table, &block, &stale);
        if (put == 1) {
            /* It was freed behind our back, or is reported again by its
               extension. */
            counted_free(stale.context, stale.size, access);
        }
        noted = put >= 0
                && counted_alloc(block.context, size, access) == 0;
    }
    if (!noted && _PyTraceMalloc_RemoveBlock(table, domain, address, &stale)
        && put < 0)
    {
        counted_free(stale.context, stale.size, access);
    }
    table_unlock(locked);
    if (watched) {
        _PyTraceMalloc_WatchAlarm(access);
    }
    if (!noted && !ignored) {
        counted_drop(access);
        return -1;
    }
    return ignored;
}


int
_PyTraceMalloc_ForgetBlock(struct block_table *table, uint32_t domain,
                           uintptr_t address, struct block *removed,
                           enum access access)
{
    int locked = table_lock(table, access);
    int found = _PyTraceMalloc_RemoveBlock(table, domain, address, removed);
    if (found) {
        counted_free(removed->context, removed->size, access);
    }
    table_unlock(locked);
    if (!found && table == &S->large && S->foreign) {
        return _PyTraceMalloc_ForgetBlock(&S->raw, domain, address, removed,
                                          access);
    }
    return found;
}


/* What this thread has lifted, for the debug hooks: they may find it damaged,
   and then ask where it was allocated. */
static _Py_thread_local const struct lifted *lifted_now;


static void
block_lift(struct block_table *table, void *ptr, struct lifted *lifted)
{
    lifted->present = 0;
    lifted_now = lifted;
    if (ptr == NULL) {
        return;
    }
    enum access access = tracer_begin();
    if (access != ACCESS_NONE) {
        lifted->present = _PyTraceMalloc_ForgetBlock(
            table, DEFAULT_DOMAIN, (uintptr_t)ptr, &lifted->block, access);
        lifted->generation = S->contexts.generation;
        tracer_end(access);
    }
}


/* The allocator below failed: the block is still there, as it was. */
static void
block_put_back(struct block_table *table, const struct lifted *lifted)
{
    lifted_now = NULL;
    if (!lifted->present) {
        return;
    }
    enum access access = tracer_begin();
    if (access == ACCESS_NONE) {
        return;
    }
    if (lifted->generation == S->contexts.generation) {
        const struct block *block = &lifted->block;
        int locked = table_lock(table, access);
        int failed = _PyTraceMalloc_ReserveBlock(table) < 0
            || counted_put_back(block->context, block->size, access) < 0;
        if (!failed) {
            _PyTraceMalloc_AddBlock(table, block);
        }
        table_unlock(locked);
        if (failed) {
            counted_drop(access);
        }
    }
    tracer_end(access);
}


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
    enum access access = tracer_begin();
    if (access == ACCESS_NONE) {
        return;
    }
    if (_PyTraceMalloc_NoteBlock(hook_table(hook), DEFAULT_DOMAIN,
                                 (uintptr_t)ptr, size, access) == 0)
    {
        tracer_set_fresh(access, ptr, size);
    }
    tracer_end(access);
}


/* Whether what the thread allocates is noted; a probe is answered. */
static inline int
hook_is_quiet(struct hook *hook)
{
    if (_PyTraceMalloc_Busy == NOT_BUSY) {
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
    if (hook_is_quiet(hook)) {
        return below->malloc(below->ctx, size);
    }
    _PyTraceMalloc_Busy = BUSY;
    void *ptr = below->malloc(below->ctx, size);
    if (ptr != NULL) {
        hook_note(hook, ptr, size);
    }
    _PyTraceMalloc_Busy = NOT_BUSY;
    return ptr;
}


static Py_ALWAYS_INLINE inline void *
hook_calloc(struct hook *hook, size_t count, size_t size)
{
    PyMemAllocatorEx *below = &hook->below;
    if (hook_is_quiet(hook)) {
        return below->calloc(below->ctx, count, size);
    }
    _PyTraceMalloc_Busy = BUSY;
    void *ptr = below->calloc(below->ctx, count, size);
    if (ptr != NULL) {
        /* No overflow: it would not have been allocated. */
        hook_note(hook, ptr, count * size);
    }
    _PyTraceMalloc_Busy = NOT_BUSY;
    return ptr;
}


static Py_ALWAYS_INLINE inline void *
hook_realloc(struct hook *hook, void *ptr, size_t size)
{
    PyMemAllocatorEx *below = &hook->below;
    enum busy was_busy = _PyTraceMalloc_Busy;
    if (was_busy == BUSY_BELOW) {
        return below->realloc(below->ctx, ptr, size);
    }
    int quiet = hook_is_quiet(hook);
    struct lifted lifted;
    block_lift(hook_table(hook), ptr, &lifted);
    _PyTraceMalloc_Busy = BUSY;
    void *moved = below->realloc(below->ctx, ptr, size);
    if (moved == NULL) {
        block_put_back(hook_table(hook), &lifted);
    }
    else if (!quiet) {
        hook_note(hook, moved, size);
    }
    lifted_now = NULL;
    _PyTraceMalloc_Busy = was_busy;
    return moved;
}


static Py_ALWAYS_INLINE inline void
hook_free(struct hook *hook, void *ptr)
{
    struct lifted lifted;
    if (_PyTraceMalloc_Busy != BUSY_BELOW) {
        block_lift(hook_table(hook), ptr, &lifted);
    }
    hook->below.free(hook->below.ctx, ptr);
    lifted_now = NULL;
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
    enum busy was_busy = _PyTraceMalloc_Busy;
    _PyTraceMalloc_Busy = BUSY;
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
    _PyTraceMalloc_Busy = was_busy;
    return reached;
}


void
_PyTraceMalloc_HookReached(void *ctx)
{
    (void)hook_is_quiet(ctx);
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


void
_PyTraceMalloc_InstallHooks(int sampling)
{
    for (size_t i = 0; i < Py_ARRAY_LENGTH(hooks[0]); i++) {
        hook_install(&hooks[sampling][i]);
    }
}


void
_PyTraceMalloc_RemoveHooks(int sampling)
{
    for (size_t i = 0; i < Py_ARRAY_LENGTH(hooks[0]); i++) {
        hook_remove(&hooks[sampling][i]);
    }
}


/* --- objects and questions ----------------------------------------------- */

/* Forget a block of Python's own, wherever it is kept. */
static void
object_forget(uintptr_t address, enum access access)
{
    struct block removed;
    if (!_PyTraceMalloc_ForgetCell(address)) {
        _PyTraceMalloc_ForgetBlock(&S->large, DEFAULT_DOMAIN, address,
                                   &removed, access);
    }
}


/* Let a block belong to the calling line: 1, or 0 if the table does not know
   it. */
static int
block_move(struct block_table *table, uintptr_t address, enum access access)
{
    int locked = table_lock(table, access);
    struct block *block = _PyTraceMalloc_FindBlock(table, DEFAULT_DOMAIN,
                                                   address);
    table_unlock(locked);
    if (block == NULL) {
        return 0;
    }
    const struct place *place = capture_any(access);
    if (place == NULL) {
        if (!thread_is_quiet(access)) {
            /* Who had it before has let go of it. */
            object_forget(address, access);
            counted_drop(access);
        }
        return 1;
    }
    locked = table_lock(table, access);
    if (locked) {
        /* Detached threads may have changed the table meanwhile. */
        block = _PyTraceMalloc_FindBlock(table, DEFAULT_DOMAIN, address);
    }
    if (block != NULL) {
        context_make_room(&S->contexts, place->context, block->size);
        count_move(&S->bytes, context_at(&S->contexts, block->context),
                   place->context, block->size);
        block->context = place->context_id;
    }
    table_unlock(locked);
    return 1;
}


/* An object in memory that was not just allocated: it comes from a free list,
   and now belongs to who takes it.  Unknown blocks stay unknown, and so does
   who has no GIL: no free list is his. */
void
_PyTraceMalloc_MoveObject(PyObject *op)
{
    if (_PyThreadState_GET() == NULL
        || (tracer_is_fast()
            && _PyTraceMalloc_IsFresh(tracer_fresh(ACCESS_GIL), op)))
    {
        return;
    }
    enum access access = tracer_begin();
    if (access == ACCESS_NONE) {
        return;
    }
    uintptr_t address = _PyTraceMalloc_BlockOfObject(op);
    if (_PyTraceMalloc_IsFresh(tracer_fresh(access), op)) {
        /* Allocated by the very call that makes the object. */
    }
    else if (tracer_is_watched()
             && !_PyTraceMalloc_IsAdmitted(capture_any(access), access))
    {
        object_forget(address, access);
    }
    else if (!_PyTraceMalloc_MoveCell(address, access)
             && !block_move(&S->large, address, access) && S->foreign)
    {
        (void)block_move(&S->raw, address, access);
    }
    tracer_end(access);
}


void
_PyTraceMalloc_ShowLifted(const struct lifted *lifted)
{
    lifted_now = lifted;
}


int
_PyTraceMalloc_LookUp(uint32_t domain, uintptr_t address, struct block *block)
{
    if (domain == DEFAULT_DOMAIN
        && _PyTraceMalloc_LookUpCell(address, block))
    {
        return 1;
    }
    const struct block *found = NULL;
    if (domain == DEFAULT_DOMAIN) {
        found = _PyTraceMalloc_FindBlock(&S->large, domain, address);
    }
    if (found == NULL) {
        found = _PyTraceMalloc_FindBlock(&S->raw, domain, address);
    }
    if (found == NULL && lifted_now != NULL && lifted_now->present
        && lifted_now->generation == S->contexts.generation
        && domain == DEFAULT_DOMAIN && lifted_now->block.address == address)
    {
        found = &lifted_now->block;
    }
    if (found == NULL) {
        return 0;
    }
    *block = *found;
    return 1;
}
