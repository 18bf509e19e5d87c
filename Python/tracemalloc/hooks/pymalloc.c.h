/* pymalloc that notes what it does: allocator functions with cells.

   A part of Objects/obmalloc.c, because only there a block's pool is
   known: no table is searched for a small block, neither when it is allocated
   nor when it is freed.  Called by whoever allocates, in place of the hooks of
   hooks.c, which see to other allocators.

   The fast path is one function per call, without a lock:

       malloc   pymalloc_alloc -> entry of the newest frame -> cell, counters
       free     pool -> cell -> counters -> pymalloc_free_in_pool

   and for what pymalloc passes on to the C library, two:

       malloc   C library -> entry of the newest frame -> shadow, counters
       free     shadow -> counters -> C library

   Invariant: the cell of a block that is not allocated is empty. */

#ifdef WITH_PYMALLOC

#include "pycore_tracemalloc.h"
#include "../access.h"
#include "../capture/capture.h"
#include "../own.h"
#include "../record/record.h"
#include "../sampler/sampler.h"
#include "admission.h"
#include "alarm.h"
#include "../capture/growth.h"
#include "blocks.h"
#include "count_block.h"
#include "guard.h"
#include "hooks.h"
#include "objects.h"
#include "pymalloc.h"

#define S (&_PyTraceMalloc_State)

static_assert(NB_SMALL_SIZE_CLASSES <= CELL_CLASSES, "a chain per size class");
static_assert(POOL_SIZE / ALIGNMENT <= 1024, "see class_reciprocal()");


#include "pool_cells.c.h"


/* --- noting -------------------------------------------------------------- */

/* The context that a cell names.  In the width of addresses, so that two
   shifts become one. */
static Py_ALWAYS_INLINE inline struct context *
cell_context(size_t cell)
{
    size_t id = CELL_CONTEXT(cell);
    return &S->tree.groups[id >> GROUP_SHIFT]->contexts[id & GROUP_MASK];
}


/* What is known of a context that has room; or else it is of few blocks, and
   this is what one more adds. */
#define ANY_CONTEXT ((uint64_t)0)
#define BUSY_CONTEXT ((uint64_t)1)      /* has counters */

/* Note a block of a pool that has cells, at a site that has room for it. */
static Py_ALWAYS_INLINE inline void
small_note_at(const struct site *site, uint64_t more, poolp pool, void *p,
              size_t size, size_t slack, enum access access)
{
    *cell_of(pool, p) = site->cell | (uint32_t)slack;
    if (more == BUSY_CONTEXT) {
        tm_count_alloc_more(&S->bytes, site->context, size);
    }
    else if (more != ANY_CONTEXT) {
        tm_count_alloc_few(&S->bytes, site->context, size, more);
    }
    else {
        tm_count_alloc(&S->bytes, site->context, size);
    }
    tm_set_fresh(p);
}


/* Without a site: memory was short, or the block is the library's own. */
static Py_NO_INLINE void
small_note_own(void *p, size_t size, enum access access)
{
    poolp pool = POOL_ADDR(p);
    if (!tm_is_quiet(_PyThreadState_GET())
        || (pool->cells == NULL && pool_attach_cells(pool, access) < 0))
    {
        _PyTraceMalloc_CountDrop(access);
        return;
    }
    *cell_of(pool, p) = CELL(CONTEXT_OWN, INDEX2SIZE(pool->szidx) - size);
    _PyTraceMalloc_CountOwn(size);
    tm_set_fresh(p);
}


/* The same for any pool, and without a site when there is none. */
static inline void
small_note(const struct site *site, void *p, size_t size, enum access access)
{
    poolp pool = POOL_ADDR(p);
    if (UNLIKELY(site == NULL)) {
        small_note_own(p, size, access);
        return;
    }
    if (UNLIKELY(pool->cells == NULL)
        && pool_attach_cells(pool, access) < 0)
    {
        _PyTraceMalloc_CountDrop(access);
        return;
    }
    tm_make_room(site->context, size, access);
    small_note_at(site, ANY_CONTEXT, pool, p, size,
                  INDEX2SIZE(pool->szidx) - size, access);
}


/* Empty the cell of a block of a pool that has cells: what it was. */
static Py_ALWAYS_INLINE inline uint32_t
cell_take(poolp pool, void *p)
{
    uint32_t *at = cell_in_row(pool->cells, pool, p);
    uint32_t cell = *at;
    if (LIKELY(cell != 0)) {
        *at = 0;
    }
    return cell;
}


/* Forget a block of a pool that has cells: its cell, or 0 if it was empty. */
static inline uint32_t
small_forget(poolp pool, void *p)
{
    uint32_t cell = cell_take(pool, p);
    if (LIKELY(cell != 0)) {
        tm_count_free(&S->bytes, cell_context(cell),
                      pool->cells->block_size - CELL_SLACK(cell));
    }
    return cell;
}


/* Without a lock, or somebody who is to be asked. */
static inline int
small_is_fast(void)
{
    return tm_is_fast() && !tm_guard_is_entered();
}


#include "large_blocks.c.h"


/* --- untraced ------------------------------------------------------------ */

/* Only to keep the call out of _PyObject_Malloc().  Never NULL: see
   alloc_last(). */
static Py_NO_INLINE __attribute__((returns_nonnull)) void *
untraced_last(poolp pool, void *p)
{
    pymalloc_pool_extend(pool, pool->szidx);
    return p;
}


/* pymalloc's own, for those who do not trace.  It calls nothing on its way
   either: optimised builds make it a part of PyObject_Malloc(), which traced
   blocks pass as well, and which would save registers for all of them. */
void *
_PyObject_Malloc(void *ctx, size_t size)
{
    int pymalloc = 1;
#ifdef WITH_VALGRIND
    pymalloc = running_on_valgrind == 0;
#endif
    if (LIKELY(size - 1 < SMALL_REQUEST_THRESHOLD) && pymalloc) {
        OMState *state = get_state();
        unsigned size_class = (unsigned)(size - 1) >> ALIGNMENT_SHIFT;
        poolp pool = usedpools[size_class + size_class];
        if (LIKELY(pool != pool->nextpool)) {
            pymem_block *p = pool->freeblock;
            pool->ref.count++;
            pool->freeblock = *(pymem_block **)p;
            return LIKELY(pool->freeblock != NULL) ? p
                                                   : untraced_last(pool, p);
        }
    }
    return pymalloc_malloc(ctx, size);
}


/* --- the allocator functions --------------------------------------------- */

/* Re-entrant, with several GILs, with filters, or something to take over: with
   the lock if need be. */
static void
small_note_slow(void *ctx, void *p, size_t size)
{
    if (tm_guard_is_entered()) {
        _PyTraceMalloc_HookReached(ctx);
        return;
    }
    enum access access = tm_begin();
    if (access != ACCESS_NONE) {
        const struct site *site = tm_capture(_PyThreadState_GET(), access);
        int watched = tm_is_watched();
        if (watched) {
            _PyTraceMalloc_WatchAlarm(access);
        }
        if (!watched || _PyTraceMalloc_IsAdmitted(site, access)) {
            small_note(site, p, size, access);
        }
        if (watched) {
            _PyTraceMalloc_WatchAlarm(access);
        }
        tm_end(access);
    }
}


static void
small_forget_slow(poolp pool, void *p)
{
    enum access access = tm_begin();
    if (access != ACCESS_NONE) {
        if (pool->cells != NULL) {
            small_forget(pool, p);
        }
        if (S->foreign) {
            struct block removed;
            _PyTraceMalloc_ForgetBlock(&S->large, DEFAULT_DOMAIN, (uintptr_t)p,
                                       &removed, access);
        }
        tm_end(access);
    }
}


/* The last free block of a pool.  Never NULL: said to the compiler, so that
   this can be the end of a function that saves no register. */
static Py_NO_INLINE __attribute__((returns_nonnull)) void *
alloc_last(const struct site *site, poolp pool, void *p, size_t size)
{
    pymalloc_pool_extend(pool, pool->szidx);
    small_note_at(site, ANY_CONTEXT, pool, p, size,
                  INDEX2SIZE(pool->szidx) - size, ACCESS_GIL);
    return p;
}


/* A block of a pool that has cells and a block to give, noted at a site that
   has room. */
static Py_ALWAYS_INLINE inline void *
alloc_in(poolp pool, const struct site *site, uint64_t more, size_t size)
{
    pymem_block *p = pool->freeblock;
    pool->ref.count++;
    pool->freeblock = *(pymem_block **)p;
    if (UNLIKELY(pool->freeblock == NULL)) {
        return alloc_last(site, pool, p, size);
    }
    small_note_at(site, more, pool, p, size, (0 - size) & (ALIGNMENT - 1),
                  ACCESS_GIL);
    return p;
}


/* The same for a context without counters, or NULL if there is no room. */
static Py_ALWAYS_INLINE inline void *
alloc_few_in(poolp pool, const struct site *site, size_t size)
{
    const struct context *context = site->context;
    if (UNLIKELY(tm_context_has_some(context))) {
        return tm_some_have_room(tm_some_of(context), size)
               ? alloc_in(pool, site, ANY_CONTEXT, size) : NULL;
    }
    uint64_t more = tm_few_more(context->counts, size);
    return LIKELY(more != 0) ? alloc_in(pool, site, more, size) : NULL;
}


/* Aside, to leave registers to those that have counters. */
static Py_NO_INLINE void *
alloc_few(poolp pool, const struct site *site, size_t size)
{
    return alloc_few_in(pool, site, size);
}


/* A pool that has cells and a block of that size to give, or NULL. */
static Py_ALWAYS_INLINE inline poolp
pool_at_hand(size_t size)
{
    OMState *state = get_state();
    unsigned size_class = (unsigned)(size - 1) >> ALIGNMENT_SHIFT;
    poolp pool = usedpools[size_class + size_class];
    return LIKELY(pool != pool->nextpool) && LIKELY(pool->cells != NULL)
           ? pool : NULL;
}


/* For any context, or NULL if there is no such pool, or no room. */
static Py_ALWAYS_INLINE inline void *
alloc_at(const struct site *site, size_t size)
{
    poolp pool = pool_at_hand(size);
    if (UNLIKELY(pool == NULL)) {
        return NULL;
    }
    return LIKELY(tm_context_has_counters(site->context))
           ? alloc_in(pool, site, BUSY_CONTEXT, size)
           : alloc_few(pool, site, size);
}


/* Whether a block of so many bytes may be noted without the lock. */
static inline int
alloc_is_fast(size_t size)
{
    int pymalloc = 1;
#ifdef WITH_VALGRIND
    pymalloc = running_on_valgrind == 0;
#endif
    return LIKELY(size - 1 < SMALL_REQUEST_THRESHOLD) && pymalloc
           && LIKELY(small_is_fast());
}


/* The same after making room, if that was missing. */
static Py_NO_INLINE void *
alloc_with_room(const struct site *site, size_t size)
{
    if (tm_context_has_room(site->context, size)) {
        return NULL;
    }
    tm_make_room(site->context, size, ACCESS_GIL);
    return alloc_at(site, size);
}


/* Frames are new, or the pool is, or a context that must have counters. */
static Py_NO_INLINE void *
alloc_slow(void *ctx, size_t count, size_t size, int zero)
{
    void *p;
    int fast = alloc_is_fast(count * size);
    const struct site *site = NULL;
    if (fast) {
        site = tm_capture_new(_PyThreadState_GET(), ACCESS_GIL);
        if (LIKELY(site != NULL)) {
            p = alloc_at(site, count * size);
            if (LIKELY(p != NULL)
                || (p = alloc_with_room(site, count * size)) != NULL)
            {
                return zero ? memset(p, 0, count * size) : p;
            }
        }
    }
    p = NULL;
    if (count * size <= SMALL_REQUEST_THRESHOLD) {
        p = pymalloc_alloc(get_state(), ctx, count * size);
    }
    if (p == NULL) {
        return zero ? large_calloc(ctx, count * size)
                    : large_malloc(ctx, count * size);
    }
    if (zero) {
        memset(p, 0, count * size);
    }
    if (fast) {
        small_note(site, p, count * size, ACCESS_GIL);
    }
    else {
        small_note_slow(ctx, p, count * size);
    }
    return p;
}


static Py_NO_INLINE void *
alloc_few_or_slow(void *ctx, poolp pool, const struct site *site, size_t size)
{
    void *p = alloc_few_in(pool, site, size);
    return LIKELY(p != NULL) ? p : alloc_slow(ctx, 1, size, 0);
}


/* What nearly all calls are: asked for at a site that was met before.  Calls
   nothing but at its ends, so that no register needs to be saved. */
static void *
traced_malloc(void *ctx, size_t size)
{
    const struct site *site;
    poolp pool;
    if (LIKELY(alloc_is_fast(size))
        && LIKELY((site = tm_capture_met(_PyThreadState_GET())) != NULL)
        && LIKELY((pool = pool_at_hand(size)) != NULL))
    {
        return LIKELY(tm_context_has_counters(site->context))
               ? alloc_in(pool, site, BUSY_CONTEXT, size)
               : alloc_few_or_slow(ctx, pool, site, size);
    }
    return size > SMALL_REQUEST_THRESHOLD ? large_malloc(ctx, size)
                                          : alloc_slow(ctx, 1, size, 0);
}


static void *
traced_calloc(void *ctx, size_t count, size_t size)
{
    const struct site *site;
    void *p;
    if (LIKELY(alloc_is_fast(count * size))
        && LIKELY((site = tm_capture_met(_PyThreadState_GET())) != NULL)
        && LIKELY((p = alloc_at(site, count * size)) != NULL))
    {
        return memset(p, 0, count * size);
    }
    return count * size > SMALL_REQUEST_THRESHOLD
           ? large_calloc(ctx, count * size) : alloc_slow(ctx, count, size, 1);
}


static Py_NO_INLINE void
free_slow(OMState *state, void *p)
{
    small_forget_slow(POOL_ADDR(p), p);
    pymalloc_free_in_pool(state, POOL_ADDR(p), p);
}


/* A block that pymalloc does not have, or has in a stray arena.  Calls nothing
   on its way either. */
static Py_NO_INLINE void
free_far(OMState *state, void *p)
{
    if (UNLIKELY(pool_is_stray(state, p))) {
        free_slow(state, p);
        return;
    }
    raw_allocated_blocks--;
    struct shadow_leaf *emptied = NULL;
    struct shadow_block removed = large_forget_at_once(p, &emptied);
    if (UNLIKELY(removed.context == CONTEXT_NONE)
        || UNLIKELY(emptied != NULL))
    {
        large_free_slow(p, emptied);
        return;
    }
    raw_free(p);
}


/* Of a context of few blocks.  Aside, to leave registers to those that have
   counters. */
static Py_NO_INLINE void
free_few(OMState *state, void *p, struct context *context, size_t size)
{
    tm_count_free(&S->bytes, context, size);
    pymalloc_free_in_pool(state, POOL_ADDR(p), p);
}


/* Calls nothing on its way, like traced_malloc(). */
static void
traced_free(void *ctx, void *p)
{
    if (p == NULL) {
        return;
    }
    OMState *state = get_state();
    if (UNLIKELY(!pool_is_near(state, p))) {
        free_far(state, p);
        return;
    }
    if (UNLIKELY(!tm_is_free())) {
        free_slow(state, p);
        return;
    }
    poolp pool = POOL_ADDR(p);
    uint32_t cell;
    if (LIKELY(pool->cells != NULL)
        && LIKELY((cell = cell_take(pool, p)) != 0))
    {
        struct context *context = cell_context(cell);
        size_t size = pool->cells->block_size - CELL_SLACK(cell);
        if (UNLIKELY(!tm_context_has_counters(context))) {
            free_few(state, p, context, size);
            return;
        }
        tm_count_free(&S->bytes, context, size);
    }
    pymalloc_free_in_pool(state, pool, p);
}


static void *
traced_realloc(void *ctx, void *p, size_t size)
{
    if (p == NULL) {
        return traced_malloc(ctx, size);
    }
    OMState *state = get_state();
    poolp pool = pool_of(state, p);
    if (UNLIKELY(pool == NULL)) {
        return large_realloc(ctx, p, size);
    }
    size_t room = INDEX2SIZE(pool->szidx);
    if (size <= room && 4 * size > 3 * room) {
        /* pymalloc leaves a block in place unless that saves a quarter; but
           the block is of this line now. */
        if (LIKELY(small_is_fast())) {
            if (pool->cells != NULL) {
                small_forget(pool, p);
            }
            small_note(tm_capture(_PyThreadState_GET(), ACCESS_GIL), p, size,
                       ACCESS_GIL);
        }
        else {
            small_forget_slow(pool, p);
            small_note_slow(ctx, p, size);
        }
        return p;
    }
    /* Forgotten first, so that the two are never counted together. */
    uint32_t cell = 0, generation = 0;
    enum access access = tm_begin();
    if (access != ACCESS_NONE) {
        if (pool->cells != NULL) {
            cell = small_forget(pool, p);
        }
        generation = S->tree.generation;
        tm_end(access);
    }
    if (UNLIKELY(S->foreign)) {
        small_forget_slow(pool, p);
    }
    void *moved = traced_malloc(ctx, size);
    if (moved != NULL) {
        memcpy(moved, p, Py_MIN(room, size));
        pymalloc_free_in_pool(state, pool, p);
    }
    else if (cell != 0 && (access = tm_begin()) != ACCESS_NONE) {
        if (generation == S->tree.generation && pool->cells != NULL) {
            *cell_of(pool, p) = cell;
            tm_uncount_free(&S->bytes, cell_context(cell),
                            room - CELL_SLACK(cell));
        }
        tm_end(access);
    }
    return moved;
}


int
_PyTraceMalloc_UsePymalloc(struct hook *hook, PyMemAllocatorEx *traced)
{
    const PyMemAllocatorEx *below = &hook->below;
    if (below->malloc != _PyObject_Malloc
        || below->calloc != _PyObject_Calloc
        || below->realloc != _PyObject_Realloc
        || below->free != _PyObject_Free)
    {
        return 0;
    }
#ifdef WITH_ARENA_WINDOW
    tm_lock();
    uintptr_t begin = _PyInterpreterState_Main()->obmalloc->window.base;
    S->objects_last = begin == 0 ? OBJECTS_NOWHERE
        : begin + ((uintptr_t)ARENA_WINDOW_SLOTS << ARENA_BITS) - 1;
    tm_unlock();
#endif
    /* Those below do not look at their context. */
    traced->ctx = hook;
    traced->malloc = traced_malloc;
    traced->calloc = traced_calloc;
    traced->realloc = traced_realloc;
    traced->free = traced_free;
    return 1;
}


/* --- objects ------------------------------------------------------------- */

/* Between contexts one of which is of few blocks.  Aside, to leave registers
   to those that have counters. */
static Py_NO_INLINE void
count_move_few(struct context *from, struct context *to, size_t size)
{
    tm_count_move(&S->bytes, from, to, size);
}


/* An object from a free list belongs to who takes it now: freed and allocated
   again, as far as counters go.  The site must have room, and the block be one
   that was noted; does nothing if not. */
static Py_ALWAYS_INLINE inline void
cell_move(struct cell_row *row, uint32_t *at, const struct site *site)
{
    uint32_t cell = *at, slack = cell - site->cell;
    if (slack <= MAX_SLACK) {
        tm_count_again(site->context, row->block_size - (size_t)slack);
    }
    else if (LIKELY(cell != 0)) {
        slack = CELL_SLACK(cell);
        *at = site->cell | slack;
        size_t size = row->block_size - slack;
        struct context *from = cell_context(cell), *to = site->context;
        if (LIKELY(tm_context_has_counters(from))
            && LIKELY(tm_context_has_counters(to)))
        {
            tm_count_move_more(&S->bytes, from, to, size);
        }
        else {
            count_move_few(from, to, size);
        }
    }
}


/* The same for a block that was noted, and any site.  What the library takes
   stays whose it was.  Others without a site were short of memory or numbers:
   then the trace is dropped, since who had the block before has let go of
   it. */
static Py_NO_INLINE void
cell_move_to(struct cell_row *row, uint32_t *at, const struct site *site,
             enum access access)
{
    size_t size = row->block_size - CELL_SLACK(*at);
    if (LIKELY(site != NULL)) {
        tm_make_room(site->context, size, access);
        cell_move(row, at, site);
        return;
    }
    if (tm_is_quiet(_PyThreadState_GET())) {
        return;
    }
    tm_count_free(&S->bytes, cell_context(*at), size);
    *at = 0;
    _PyTraceMalloc_CountDrop(access);
}


int
_PyTraceMalloc_MoveCell(uintptr_t address, enum access access)
{
    poolp pool = pool_of_cell(address);
    uint32_t *cell = pool != NULL ? cell_of(pool, (void *)address) : NULL;
    if (cell == NULL || *cell == 0) {
        return 0;
    }
    cell_move_to(pool->cells, cell, tm_capture(_PyThreadState_GET(), access),
                 access);
    return 1;
}


/* Where an extension has put an object need not be a multiple of what blocks
   are multiples of. */
static inline void *
address_aligned(void *p)
{
    return (void *)((uintptr_t)p & ~(uintptr_t)(ALIGNMENT - 1));
}


/* An object begins behind the headers that its type asks for; but memory that
   an extension took without room for them has none, so that the object's own
   address is what is sure to lie in its block. */
uintptr_t
_PyTraceMalloc_BlockOfObject(PyObject *op)
{
    poolp pool = pool_of(get_state(), op);
    if (pool == NULL || pool->cells == NULL) {
        return (uintptr_t)op - _PyType_PreHeaderSize(Py_TYPE(op));
    }
    struct cell_row *row = pool->cells;
    uint32_t *cell = cell_in_row(row, pool, address_aligned(op));
    return (uintptr_t)cell_block(row, (uint32_t)(cell - row->cells));
}


/* Frames are new, or the context has few counts. */
static Py_NO_INLINE void
object_take_slow(void *p, const struct site *site)
{
    poolp pool = POOL_ADDR(p);
    struct cell_row *row = pool->cells;
    if (UNLIKELY(row == NULL)) {
        return;
    }
    uint32_t *cell = cell_in_row(row, pool, p);
    if (UNLIKELY(*cell == 0)) {
        /* Not noted, so that no context is to be made for it. */
        return;
    }
    if (site == NULL || site->cell == 0) {
        site = tm_capture_new(_PyThreadState_GET(), ACCESS_GIL);
    }
    if (LIKELY(site != NULL)
        && LIKELY(tm_context_has_counters(site->context)))
    {
        cell_move(row, cell, site);
    }
    else {
        cell_move_to(row, cell, site, ACCESS_GIL);
    }
}


/* An object in a pool, without a lock, or somebody who is to be asked.  Any
   address in its block will do: see BlockOfObject(). */
static Py_ALWAYS_INLINE inline void
object_take_fast(void *p)
{
    /* First, while there is nothing else to hold in registers. */
    const struct site *site = tm_capture_met(_PyThreadState_GET());
    if (UNLIKELY(site == NULL)
        || UNLIKELY(!tm_context_has_counters(site->context)))
    {
        object_take_slow(p, site);
        return;
    }
    poolp pool = POOL_ADDR(p);
    struct cell_row *row = pool->cells;
    if (LIKELY(row != NULL)) {
        cell_move(row, cell_in_row(row, pool, p), site);
    }
}


/* Only if objects that pymalloc holds have cells, like the next. */
void
_PyTraceMalloc_TakeAnyObject(PyObject *op)
{
    if (LIKELY(tm_is_fast()) && LIKELY(pool_is_near(get_state(), op))) {
        object_take_fast(address_aligned(op));
    }
    else {
        _PyTraceMalloc_MoveObject(op);
    }
}


#ifdef WITH_ARENA_WINDOW

/* CPython's free lists have what PyObject_Malloc() gave: that lies in a pool,
   or somewhere else if there was no arena to be had, but never in the window,
   where nothing is mapped unasked.  So it need not be asked which of its slots
   have arenas. */
void
_PyTraceMalloc_TakeObject(PyObject *op)
{
    uintptr_t last = _Py_atomic_load_uintptr_relaxed(
        &_PyTraceMalloc_ObjectsLast);
    if (LIKELY(last - (uintptr_t)op
               < (uintptr_t)ARENA_WINDOW_SLOTS << ARENA_BITS))
    {
        object_take_fast(op);
    }
    else {
        _PyTraceMalloc_MoveObject(op);
    }
}

#else

void
_PyTraceMalloc_TakeObject(PyObject *op)
{
    _PyTraceMalloc_TakeAnyObject(op);
}

#endif


#include "pool_walks.c.h"

#undef S

#else   /* !WITH_PYMALLOC */

#include "pycore_tracemalloc.h"
#include "../state.h"
#include "../capture/growth.h"
#include "blocks.h"
#include "hooks.h"
#include "objects.h"
#include "pymalloc.h"

int
_PyTraceMalloc_UsePymalloc(struct hook *hook, PyMemAllocatorEx *traced)
{
    return 0;
}

int
_PyTraceMalloc_LookUpCell(uintptr_t address, struct block *block)
{
    return 0;
}

int
_PyTraceMalloc_ForgetCell(uintptr_t address)
{
    return 0;
}

int
_PyTraceMalloc_MoveCell(uintptr_t address, enum access access)
{
    return 0;
}

void
_PyTraceMalloc_TakeAnyObject(PyObject *op)
{
    _PyTraceMalloc_MoveObject(op);
}

void
_PyTraceMalloc_TakeObject(PyObject *op)
{
    _PyTraceMalloc_MoveObject(op);
}

uintptr_t
_PyTraceMalloc_BlockOfObject(PyObject *op)
{
    return (uintptr_t)op - _PyType_PreHeaderSize(Py_TYPE(op));
}

size_t
_PyTraceMalloc_SizeOfArenas(void)
{
    return 0;
}

void
_PyTraceMalloc_ClearCells(void)
{
}

void
_PyTraceMalloc_FreeCells(void)
{
}

const char *
_PyTraceMalloc_CheckCells(struct live_sums *live)
{
    return NULL;
}

#endif  /* WITH_PYMALLOC */
