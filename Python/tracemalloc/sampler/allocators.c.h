/* Allocators that take samples; see sampler.c.

   A part of Objects/obmalloc.c, like hooks/pymalloc.c.h, on which it
   builds: what an allocation costs is decided here.

       malloc   the gap of this thread, less the size, is still positive: done
       free     no cells in the pool, no samples in the page: done

       PyObject_Malloc() --> sampled pymalloc --> over 512 bytes --+
       PyMem_RawMalloc() --> sampled_raw_malloc  <-----------------+
       other allocators  --> sampled_other_malloc

   Each thread has a gap of its own, so nothing is shared, with or without a
   GIL, until a sample is due: what many independent Poisson processes hit is
   hit by one.  `left` is a part of the gap, at most GAP_PART bytes; whoever
   has used it up comes by sample_refill() and learns there that tracing began
   anew.  A thread that was sampled before may miss as many bytes then.

   Blocks that pymalloc passes on are sampled as raw ones, where all of them
   arrive; so they are hit once, though two hooks see them.

   A pool has a row of cells while there is a sample in it: row->used counts
   those.  If a foreign block was there, the row is watched, and stays until
   the pool is used for another size.  Needs the store lock, like all that
   changes when sampling.

   Invariant: while there is a row, the entry of its pool in `pages` is not 0,
   which is how objects from free lists are found. */

#include "pycore_tracemalloc.h"
#include "../access.h"
#include "../capture/capture.h"
#include "../hooks/admission.h"
#include "../hooks/alarm.h"
#include "../hooks/blocks.h"
#include "../hooks/guard.h"
#include "../hooks/objects.h"
#include "allocators.h"
#include "count_sample.h"
#include "sampled_blocks.h"

#define S (&_PyTraceMalloc_State)

#ifndef LIKELY                    // obmalloc.c has them with pymalloc only
#  define LIKELY(value) (value)
#  define UNLIKELY(value) (value)
#endif

#ifdef Py_TRACEMALLOC_STRESS
#  define GAP_PART 64
#else
#  define GAP_PART ((int64_t)1 << 14)
#endif

struct gap {
    int64_t left;               /* bytes up to the next look */
    int64_t more;               /* bytes behind that, up to the sample */
    uint32_t session;           /* of the sampler; 0: none */
};

static _Py_thread_local struct gap gap;


/* --- gaps ---------------------------------------------------------------- */

/* Go on in the gap, unless the part that is looked at ends: then call
   sample_is_due().  Blocks of no bytes must count as one. */
static inline int
gap_has_room(size_t size)
{
    return (gap.left -= (int64_t)size) >= 0;
}


/* The block that gap_has_room() had no room for: whether it is to be noted. */
static Py_NO_INLINE int
sample_is_due(size_t size)
{
    struct sampler *sampler = &S->sampler;
    uint32_t session = _Py_atomic_load_uint32_relaxed(&sampler->session);
    if (!tm_is_sampling()) {
        gap = (struct gap){.left = GAP_PART};
        return 0;
    }
    int64_t left = gap.left + gap.more;
    if (gap.session != session) {
        gap.session = session;
        left = _PyTraceMalloc_DrawGap(sampler) - (int64_t)size;
    }
    int due = left < 0;
    if (due) {
        left = _PyTraceMalloc_DrawGap(sampler);
    }
    gap.left = Py_MIN(left, GAP_PART);
    gap.more = left - gap.left;
    return due && !tm_guard_is_entered();
}


int
_PyTraceMalloc_IsSampleDue(size_t size)
{
    /* No allocator is asked for more, but extensions may report any number. */
    size = Py_MIN(size, (size_t)PY_SSIZE_T_MAX);
    size += size == 0;
    return !gap_has_room(size) && sample_is_due(size);
}


void
_PyTraceMalloc_InterruptGap(void)
{
    gap.more += gap.left;
    gap.left = 0;
}


/* --- raw blocks ---------------------------------------------------------- */

static Py_NO_INLINE void
raw_ended(const struct hook *hook, void *ptr, size_t size)
{
    int due = sample_is_due(size + (size == 0));
    if (tm_guard_is_entered()) {
        _PyTraceMalloc_HookReached((void *)hook);
    }
    else if (due && ptr != NULL) {
        _PyTraceMalloc_NoteSample(&S->raw, DEFAULT_DOMAIN, (uintptr_t)ptr,
                                  size);
    }
}


/* Apart from the functions below, which need no stack frame then. */
static Py_NO_INLINE void *
raw_malloc_sample(const struct hook *hook, size_t size)
{
    void *ptr = hook->below.malloc(hook->below.ctx, size);
    raw_ended(hook, ptr, size);
    return ptr;
}


static Py_NO_INLINE void *
raw_calloc_sample(const struct hook *hook, size_t count, size_t size)
{
    void *ptr = hook->below.calloc(hook->below.ctx, count, size);
    raw_ended(hook, ptr, count * size);
    return ptr;
}


static Py_ALWAYS_INLINE inline void *
sampled_raw_malloc(struct hook *hook, size_t size)
{
    if (UNLIKELY(!gap_has_room(size + (size == 0)))) {
        return raw_malloc_sample(hook, size);
    }
    return hook->below.malloc(hook->below.ctx, size);
}


static Py_ALWAYS_INLINE inline void *
sampled_raw_calloc(struct hook *hook, size_t count, size_t size)
{
    size_t bytes = count * size;
    if (UNLIKELY(!gap_has_room(bytes + (bytes == 0)))) {
        return raw_calloc_sample(hook, count, size);
    }
    return hook->below.calloc(hook->below.ctx, count, size);
}


static Py_NO_INLINE void *
raw_realloc_sample(const struct hook *hook, void *ptr, size_t size)
{
    struct lifted lifted;
    _PyTraceMalloc_LiftSample(&S->raw, (uintptr_t)ptr, &lifted);
    void *moved = hook->below.realloc(hook->below.ctx, ptr, size);
    if (moved == NULL) {
        _PyTraceMalloc_PutBackSample(&S->raw, &lifted);
    }
    _PyTraceMalloc_ShowLifted(NULL);
    return moved;
}


static Py_ALWAYS_INLINE inline void *
sampled_raw_realloc(struct hook *hook, void *ptr, size_t size)
{
    void *moved;
    if (LIKELY(!tm_sampler_may_have(&S->sampler, (uintptr_t)ptr))) {
        moved = hook->below.realloc(hook->below.ctx, ptr, size);
    }
    else {
        moved = raw_realloc_sample(hook, ptr, size);
    }
    if (UNLIKELY(!gap_has_room(size + (size == 0)))) {
        raw_ended(hook, moved, size);
    }
    return moved;
}


static Py_NO_INLINE void
raw_free_sample(const struct hook *hook, void *ptr)
{
    struct lifted lifted;
    _PyTraceMalloc_LiftSample(&S->raw, (uintptr_t)ptr, &lifted);
    hook->below.free(hook->below.ctx, ptr);
    _PyTraceMalloc_ShowLifted(NULL);
}


static Py_ALWAYS_INLINE inline void
sampled_raw_free(struct hook *hook, void *ptr)
{
    if (LIKELY(!tm_sampler_may_have(&S->sampler, (uintptr_t)ptr))) {
        hook->below.free(hook->below.ctx, ptr);
        return;
    }
    raw_free_sample(hook, ptr);
}


HOOK_ALLOCATOR(raw_sampler, sampled_raw,
               &_PyTraceMalloc_Hooks[1][PYMEM_DOMAIN_RAW]);


/* --- blocks of allocators that are not pymalloc -------------------------- */

/* They may call the raw allocators, where nothing is to be noted then. */
#define WHILE_BUSY(statement)                       \
    do {                                            \
        enum reentrancy before = _PyTraceMalloc_Reentrant;   \
        _PyTraceMalloc_Reentrant = REENTRANT;                 \
        statement;                                  \
        tm_guard_leave(before);             \
    } while (0)


static void
other_ended(const struct hook *hook, void *ptr, size_t size)
{
    if (gap_has_room(size + (size == 0))) {
        return;
    }
    int due = sample_is_due(size + (size == 0));
    if (tm_guard_is_entered()) {
        _PyTraceMalloc_HookReached((void *)hook);
    }
    else if (due && ptr != NULL) {
        _PyTraceMalloc_NoteSample(&S->large, DEFAULT_DOMAIN, (uintptr_t)ptr,
                                  size);
    }
}


static Py_ALWAYS_INLINE inline void *
sampled_other_malloc(struct hook *hook, size_t size)
{
    void *ptr;
    WHILE_BUSY(ptr = hook->below.malloc(hook->below.ctx, size));
    other_ended(hook, ptr, size);
    return ptr;
}


static Py_ALWAYS_INLINE inline void *
sampled_other_calloc(struct hook *hook, size_t count, size_t size)
{
    void *ptr;
    WHILE_BUSY(ptr = hook->below.calloc(hook->below.ctx, count, size));
    other_ended(hook, ptr, count * size);
    return ptr;
}


static Py_ALWAYS_INLINE inline void *
sampled_other_realloc(struct hook *hook, void *ptr, size_t size)
{
    struct lifted lifted;
    void *moved;
    _PyTraceMalloc_LiftSample(&S->large, (uintptr_t)ptr, &lifted);
    WHILE_BUSY(moved = hook->below.realloc(hook->below.ctx, ptr, size));
    if (moved == NULL) {
        _PyTraceMalloc_PutBackSample(&S->large, &lifted);
    }
    _PyTraceMalloc_ShowLifted(NULL);
    other_ended(hook, moved, size);
    return moved;
}


static Py_ALWAYS_INLINE inline void
sampled_other_free(struct hook *hook, void *ptr)
{
    struct lifted lifted;
    _PyTraceMalloc_LiftSample(&S->large, (uintptr_t)ptr, &lifted);
    WHILE_BUSY(hook->below.free(hook->below.ctx, ptr));
    _PyTraceMalloc_ShowLifted(NULL);
}


HOOK_ALLOCATOR(mem_sampler, sampled_other,
               &_PyTraceMalloc_Hooks[1][PYMEM_DOMAIN_MEM]);
HOOK_ALLOCATOR(obj_sampler, sampled_other,
               &_PyTraceMalloc_Hooks[1][PYMEM_DOMAIN_OBJ]);


/* --- pymalloc ------------------------------------------------------------ */

#ifdef WITH_PYMALLOC

/* The row of a pool, made if there is none: NULL when out of memory. */
static struct cell_row *
sampled_row_lock_held(poolp pool)
{
    if (pool->cells == NULL) {
        if (pool_attach_cells(pool, ACCESS_SAMPLING) < 0) {
            return NULL;
        }
        pool->cells->used = 0;
        _PyTraceMalloc_AddToPages(&S->sampler, (uintptr_t)pool);
    }
    return pool->cells;
}


static void
sampled_row_let_go_lock_held(poolp pool)
{
    struct cell_row *row = pool->cells;
    if (--row->used == 0) {
        _PyTraceMalloc_FreeRow(&S->cells, pool->cells);
        pool->cells = NULL;
        _PyTraceMalloc_TakeFromPages(&S->sampler, (uintptr_t)pool);
    }
}


static Py_NO_INLINE void
small_ended(void *ctx, void *p, size_t size)
{
    int due = sample_is_due(size);
    if (tm_guard_is_entered()) {
        _PyTraceMalloc_HookReached(ctx);
        return;
    }
    enum access access = due ? _PyTraceMalloc_BeginLocked() : ACCESS_NONE;
    if (access != ACCESS_SAMPLING) {
        /* Tracing has ended, or begun anew, just now. */
        if (access != ACCESS_NONE) {
            tm_end_locked();
        }
        return;
    }
    poolp pool = POOL_ADDR(p);
    const struct site *site = tm_capture(_PyThreadState_GET(), access);
    int watched = tm_is_watched();
    if (watched) {
        _PyTraceMalloc_WatchAlarm(access);
        if (!_PyTraceMalloc_IsAdmitted(site, access)) {
            tm_end_locked();
            return;
        }
    }
    context_id id = site != NULL ? tm_site_context(site)
                    : tm_is_quiet(_PyThreadState_GET()) ? CONTEXT_OWN
                    : CONTEXT_NONE;
    struct cell_row *row = id != CONTEXT_NONE ? sampled_row_lock_held(pool)
                                              : NULL;
    if (row != NULL) {
        row->used++;
        if (_PyTraceMalloc_CountSample(id, size) == 0) {
            *cell_of(pool, p) = CELL(id,
                                     INDEX2SIZE(pool->szidx) - size);
            tm_set_fresh(p);
            if (watched) {
                _PyTraceMalloc_WatchAlarm(access);
            }
            tm_end_locked();
            return;
        }
        sampled_row_let_go_lock_held(pool);
    }
    S->dropped++;
    tm_end_locked();
}


/* The cell of a block, which is empty from then on. */
static uint32_t
sampled_cell_take_lock_held(poolp pool, void *p)
{
    uint32_t *at = cell_of(pool, p);
    uint32_t cell = *at;
    if (cell != 0) {
        *at = 0;
        _PyTraceMalloc_CountSampleFree(CELL_CONTEXT(cell),
                                       INDEX2SIZE(pool->szidx)
                                       - CELL_SLACK(cell));
        sampled_row_let_go_lock_held(pool);
    }
    return cell;
}


/* A block goes whose pool has a row: its cell, or 0. */
static Py_NO_INLINE uint32_t
small_forget_sample(poolp pool, void *p, uint32_t *generation)
{
    /* The only GIL keeps the rows, and they can be read without the lock. */
    if (S->sole_gil && *cell_of(pool, p) == 0 && !S->foreign) {
        return 0;
    }
    uint32_t cell = 0;
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_SAMPLING) {
        if (pool->cells != NULL) {
            cell = sampled_cell_take_lock_held(pool, p);
        }
        *generation = S->tree.generation;
    }
    if (access != ACCESS_NONE) {
        tm_end_locked();
    }
    if (cell == 0 && S->foreign) {
        struct lifted lifted;
        _PyTraceMalloc_LiftSample(&S->raw, (uintptr_t)p, &lifted);
        _PyTraceMalloc_ShowLifted(NULL);
    }
    return cell;
}


/* Apart from sampled_free(), which needs fewer registers then. */
static Py_NO_INLINE void
small_free_sample(OMState *state, poolp pool, void *p)
{
    uint32_t generation;
    (void)small_forget_sample(pool, p, &generation);
    pymalloc_free_in_pool(state, pool, p);
}


/* The block is still there, as no other could be allocated. */
static void
small_put_back_sample(poolp pool, void *p, uint32_t cell, uint32_t generation)
{
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_NONE) {
        return;
    }
    if (access == ACCESS_SAMPLING && generation == S->tree.generation) {
        struct cell_row *row = sampled_row_lock_held(pool);
        if (row != NULL) {
            row->used++;
            *cell_of(pool, p) = cell;
            _PyTraceMalloc_UncountSampleFree(CELL_CONTEXT(cell),
                                             INDEX2SIZE(pool->szidx)
                                             - CELL_SLACK(cell));
        }
        else {
            S->dropped++;
        }
    }
    tm_end_locked();
}


static Py_NO_INLINE void *
small_ended_with(void *ctx, void *p, size_t size)
{
    small_ended(ctx, p, size);
    return p;
}


static void *
sampled_malloc(void *ctx, size_t size)
{
    OMState *state = get_state();
    void *p = pymalloc_alloc(state, ctx, size);
    if (LIKELY(p != NULL)) {
        return LIKELY(gap_has_room(size)) ? p : small_ended_with(ctx, p, size);
    }
    p = PyMem_RawMalloc(size);
    if (p != NULL) {
        raw_allocated_blocks++;
    }
    return p;
}


static void *
sampled_calloc(void *ctx, size_t count, size_t size)
{
    OMState *state = get_state();
    size_t bytes = count * size;
    void *p = pymalloc_alloc(state, ctx, bytes);
    if (LIKELY(p != NULL)) {
        memset(p, 0, bytes);
        return LIKELY(gap_has_room(bytes)) ? p
               : small_ended_with(ctx, p, bytes);
    }
    p = PyMem_RawCalloc(count, size);
    if (p != NULL) {
        raw_allocated_blocks++;
    }
    return p;
}


static void
sampled_free(void *ctx, void *p)
{
    if (UNLIKELY(p == NULL)) {
        return;
    }
    OMState *state = get_state();
    poolp pool = POOL_ADDR(p);
    int small = address_in_range(state, p, pool);
    if (LIKELY(small && pool->cells == NULL)) {
        pymalloc_free_in_pool(state, pool, p);
    }
    else if (small) {
        small_free_sample(state, pool, p);
    }
    else {
        raw_allocated_blocks--;
        PyMem_RawFree(p);
    }
}


static void *
sampled_realloc(void *ctx, void *p, size_t size)
{
    if (p == NULL) {
        return sampled_malloc(ctx, size);
    }
    OMState *state = get_state();
    poolp pool = pool_of(state, p);
    if (UNLIKELY(pool == NULL)) {
        return PyMem_RawRealloc(p, size);
    }
    size_t room = INDEX2SIZE(pool->szidx);
    if (size <= room && 4 * size > 3 * room) {
        /* In site, as in traced_realloc(). */
        if (UNLIKELY(pool->cells != NULL)) {
            uint32_t generation;
            (void)small_forget_sample(pool, p, &generation);
        }
        if (UNLIKELY(!gap_has_room(size))) {
            small_ended(ctx, p, size);
        }
        return p;
    }
    uint32_t cell = 0, generation = 0;
    if (UNLIKELY(pool->cells != NULL)) {
        cell = small_forget_sample(pool, p, &generation);
    }
    void *moved = sampled_malloc(ctx, size);
    if (moved != NULL) {
        memcpy(moved, p, Py_MIN(room, size));
        pymalloc_free_in_pool(state, pool, p);
    }
    else if (cell != 0) {
        small_put_back_sample(pool, p, cell, generation);
    }
    return moved;
}


int
_PyTraceMalloc_ForgetSampledCell(uintptr_t address)
{
    poolp pool = pool_of_cell(address);
    return pool != NULL
           && sampled_cell_take_lock_held(pool, (void *)address) != 0;
}


int
_PyTraceMalloc_MoveSampledCell(uintptr_t address)
{
    poolp pool = pool_of_cell(address);
    uint32_t *cell = pool != NULL ? cell_of(pool, (void *)address) : NULL;
    if (cell == NULL || *cell == 0) {
        return 0;
    }
    const struct site *site = tm_capture(_PyThreadState_GET(),
                                         ACCESS_SAMPLING);
    if (tm_is_watched()
        && !_PyTraceMalloc_IsAdmitted(site, ACCESS_SAMPLING))
    {
        (void)sampled_cell_take_lock_held(pool, (void *)address);
    }
    else if (site != NULL
             && _PyTraceMalloc_MoveSample(CELL_CONTEXT(*cell),
                                          tm_site_context(site),
                                          INDEX2SIZE(pool->szidx)
                                          - CELL_SLACK(*cell)) == 0)
    {
        *cell = CELL(tm_site_context(site), CELL_SLACK(*cell));
    }
    else if (!tm_is_quiet(_PyThreadState_GET())) {
        /* Who had it before has let go of it. */
        (void)sampled_cell_take_lock_held(pool, (void *)address);
        S->dropped++;
    }
    return 1;
}


void
_PyTraceMalloc_WatchPool(uintptr_t address)
{
    poolp pool = pool_of_block(address);
    struct cell_row *row = pool != NULL ? sampled_row_lock_held(pool) : NULL;
    if (row != NULL) {
        row->used |= ROW_WATCHED;
    }
}


void
_PyTraceMalloc_FreeSampledCells(void)
{
    _PyTraceMalloc_FreeCells();
    _PyTraceMalloc_InitCells(&S->cells);
}


const char *
_PyTraceMalloc_CheckSampledRows(void)
{
    for (uint32_t id = 0; (id = _PyTraceMalloc_NextRow(&S->cells, id)) != 0;) {
        const struct cell_row *row = tm_row_at(&S->cells, id);
        uint32_t used = 0;
        for (uint32_t i = 0; i < row->ncells; i++) {
            used += row->cells[i] != 0;
        }
        if ((row->used & ~ROW_WATCHED) != used || row->used == 0) {
            return "samples: a row is kept by nothing, or miscounted";
        }
        if (!tm_sampler_may_have(&S->sampler, row->pool)) {
            return "samples: the page of a pool is not marked";
        }
    }
    return NULL;
}

#else   /* !WITH_PYMALLOC */

int
_PyTraceMalloc_ForgetSampledCell(uintptr_t address)
{
    return 0;
}

int
_PyTraceMalloc_MoveSampledCell(uintptr_t address)
{
    return 0;
}

void
_PyTraceMalloc_WatchPool(uintptr_t address)
{
}

void
_PyTraceMalloc_FreeSampledCells(void)
{
}

const char *
_PyTraceMalloc_CheckSampledRows(void)
{
    return NULL;
}

#endif  /* WITH_PYMALLOC */


/* --- objects ------------------------------------------------------------- */

void
_PyTraceMalloc_TakeSampledObject(PyObject *op)
{
    if (UNLIKELY(tm_sampler_may_have(&S->sampler, (uintptr_t)op))) {
        _PyTraceMalloc_MoveSampledObject(op);
    }
}


/* --- installing ---------------------------------------------------------- */

void
_PyTraceMalloc_UseSampling(struct hook *hook, PyMemAllocatorEx *sampled)
{
    *sampled = hook->domain == PYMEM_DOMAIN_RAW ? raw_sampler
               : hook->domain == PYMEM_DOMAIN_MEM ? mem_sampler : obj_sampler;
    sampled->ctx = hook->below.ctx;
#ifdef WITH_PYMALLOC
    const PyMemAllocatorEx *below = &hook->below;
    if (below->malloc == _PyObject_Malloc
        && below->calloc == _PyObject_Calloc
        && below->realloc == _PyObject_Realloc
        && below->free == _PyObject_Free)
    {
        sampled->ctx = hook;
        sampled->malloc = sampled_malloc;
        sampled->calloc = sampled_calloc;
        sampled->realloc = sampled_realloc;
        sampled->free = sampled_free;
    }
#endif
}

#undef S
