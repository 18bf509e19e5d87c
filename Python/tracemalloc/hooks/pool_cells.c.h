/* Cells of pools: which cell a block has.  A part of Objects/obmalloc.c, by
   pymalloc.c.h.

   pool->cells is the pool's row of cells, or NULL. */

/* 2**16 / size, rounded up, in units of ALIGNMENT: dividing by means of it is
   exact here, because offsets have 10 bits in these units, and are multiples
   of them (Granlund and Montgomery, Division by Invariant Integers using
   Multiplication, 1994).  Rows have it, since who looks for a cell has loaded
   the row. */
static inline uint32_t
class_reciprocal(uint size_class)
{
    return (65536 + size_class) / (size_class + 1);
}


/* The pool that holds a block, or NULL if pymalloc does not have it. */
static inline poolp
pool_of(OMState *state, void *block)
{
    poolp pool = POOL_ADDR(block);
    return LIKELY(address_in_range(state, block, pool)) ? pool : NULL;
}


/* Whether pymalloc has a block; 0 if that takes a call to find out. */
static inline int
pool_is_near(OMState *state, void *block)
{
#ifdef WITH_ARENA_WINDOW
    return window_has(state, block);
#else
    return address_in_range(state, block, POOL_ADDR(block));
#endif
}


/* Whether it has one that it does not have near. */
static inline int
pool_is_stray(OMState *state, void *block)
{
#ifdef WITH_ARENA_WINDOW
    return UNLIKELY(arena_map_is_used(state, block));
#else
    return 0;
#endif
}


/* Of any address in the block that is a multiple of ALIGNMENT. */
static inline uint32_t *
cell_in_row(struct cell_row *row, poolp pool, const void *p)
{
    uint32_t offset = (uint32_t)((uintptr_t)p - (uintptr_t)pool
                                 - POOL_OVERHEAD);
    uint32_t at = offset * row->reciprocal >> (16 + ALIGNMENT_SHIFT);
    return &row->cells[at];
}


static inline uint32_t *
cell_of(poolp pool, const void *p)
{
    return cell_in_row(pool->cells, pool, p);
}


static inline void *
cell_block(const struct cell_row *row, uint32_t at)
{
    return (void *)(row->pool + POOL_OVERHEAD
                    + (size_t)at * INDEX2SIZE(row->size_class));
}


/* Give a pool its row: 0, or -1 when out of memory. */
static int
pool_attach_cells(poolp pool, enum access access)
{
    tm_access_lock(access);
    struct cell_row *row = _PyTraceMalloc_AddRow(
        &S->cells, (uintptr_t)pool, pool->szidx, NUMBLOCKS(pool->szidx));
    if (row != NULL) {
        row->reciprocal = class_reciprocal(pool->szidx);
        row->block_size = (uint16_t)INDEX2SIZE(pool->szidx);
        pool->cells = row;
    }
    _PyTraceMalloc_RenewEpochs(&S->tree, &S->bytes);
    tm_access_unlock(access);
    /* Memory of small blocks grows by pools. */
    tm_watch_record(access);
    return row != NULL ? 0 : -1;
}


/* The pool's blocks get another size, or its arena goes: no block is left.
   Arenas of an interpreter that is gone are freed without its GIL, which other
   interpreters may share: so the lock is needed, which rows have for this. */
static void
pool_release_cells(poolp pool)
{
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access != ACCESS_NONE) {
        if (pool->cells != NULL) {
            _PyTraceMalloc_FreeRow(&S->cells, pool->cells);
            if (access == ACCESS_SAMPLING) {
                _PyTraceMalloc_TakeFromPages(&S->sampler, (uintptr_t)pool);
            }
        }
        tm_end_locked();
    }
    pool->cells = NULL;
}


static void
arena_release_cells(const struct arena_object *arena)
{
    uintptr_t first = _Py_SIZE_ROUND_UP(arena->address, POOL_SIZE);
    for (uintptr_t at = first; at < (uintptr_t)arena->pool_address;
         at += POOL_SIZE)
    {
        if (((poolp)at)->cells != NULL) {
            pool_release_cells((poolp)at);
        }
    }
}


/* --- addresses that anybody may have made up ----------------------------- */

/* Whether a pool was given out.  Of an arena, what lies before the first pool
   has no header, and those behind the last one that was given out have an
   empty one or garbage. */
static int
pool_is_made(OMState *state, poolp pool)
{
    if (!address_in_range(state, pool, pool)
        || pool->arenaindex >= maxarenas)
    {
        return 0;
    }
    const struct arena_object *arena = &allarenas[pool->arenaindex];
    return (uintptr_t)pool - arena->address < ARENA_SIZE
           && (uintptr_t)pool < (uintptr_t)arena->pool_address;
}


/* The pool of the block at an address that anybody may have made up: NULL
   unless one may begin there. */
static poolp
pool_of_block(uintptr_t address)
{
    if (_PyThreadState_GET() == NULL) {
        /* Who has no GIL has no block of pymalloc either. */
        return NULL;
    }
    OMState *state = get_state();
    poolp pool = pool_of(state, (void *)address);
    if (pool == NULL || !pool_is_made(state, pool)
        || address < (uintptr_t)pool + POOL_OVERHEAD)
    {
        return NULL;
    }
    size_t offset = address - (uintptr_t)pool - POOL_OVERHEAD;
    size_t at = offset / INDEX2SIZE(pool->szidx);
    return at < NUMBLOCKS(pool->szidx)
           && offset % INDEX2SIZE(pool->szidx) == 0 ? pool : NULL;
}


/* The same, if it has cells. */
static inline poolp
pool_of_cell(uintptr_t address)
{
    poolp pool = pool_of_block(address);
    return pool != NULL && pool->cells != NULL ? pool : NULL;
}
