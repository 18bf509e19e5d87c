/* Blocks of pools, for the rest of the tracer: looked up, forgotten and
   checked.  A part of Objects/obmalloc.c, by pymalloc.c.h. */

int
_PyTraceMalloc_LookUpCell(uintptr_t address, struct block *block)
{
    poolp pool = pool_of_cell(address);
    if (pool == NULL) {
        return 0;
    }
    uint32_t cell = *cell_of(pool, (void *)address);
    if (cell == 0) {
        return 0;
    }
    *block = (struct block){
        .address = address,
        .size = INDEX2SIZE(pool->szidx) - CELL_SLACK(cell),
        .context = CELL_CONTEXT(cell),
        .domain = DEFAULT_DOMAIN,
    };
    return 1;
}


int
_PyTraceMalloc_ForgetCell(uintptr_t address)
{
    poolp pool = pool_of_cell(address);
    return pool != NULL && small_forget(pool, (void *)address) != 0;
}


/* Mark the arena of a block, if it has one that is not marked yet: 1 or 0. */
static int
arena_mark(unsigned char *marks, uintptr_t address)
{
    OMState *state = get_state();
    poolp pool = pool_of(state, (void *)address);
    /* A block that was freed behind our back may have any memory there now. */
    if (pool == NULL || !pool_is_made(state, pool)
        || marks[pool->arenaindex])
    {
        return 0;
    }
    marks[pool->arenaindex] = 1;
    return 1;
}


size_t
_PyTraceMalloc_SizeOfArenas(void)
{
    OMState *state = get_state();
    size_t n = 0;
    unsigned char *marks = calloc(maxarenas + 1, 1);
    if (marks == NULL) {
        return 0;
    }
    for (uint32_t id = 0; (id = _PyTraceMalloc_NextRow(&S->cells, id)) != 0;) {
        const struct cell_row *row = tm_row_at(&S->cells, id);
        for (uint32_t i = 0; i < row->ncells; i++) {
            if (row->cells[i] != 0) {
                n += arena_mark(marks, (uintptr_t)cell_block(row, i));
                break;
            }
        }
    }
    /* Blocks below an allocator like the debug hooks have no cells. */
    struct block_cursor cursor = tm_walk_table(&S->large);
    struct block block;
    while (_PyTraceMalloc_NextBlock(&cursor, &block)) {
        n += arena_mark(marks, block.address);
    }
    free(marks);
    return n * ARENA_SIZE;
}


void
_PyTraceMalloc_ClearCells(void)
{
    for (uint32_t id = 0; (id = _PyTraceMalloc_NextRow(&S->cells, id)) != 0;) {
        struct cell_row *row = tm_row_at(&S->cells, id);
        memset(row->cells, 0, row->ncells * sizeof(row->cells[0]));
    }
}


void
_PyTraceMalloc_FreeCells(void)
{
    for (uint32_t id = 0; (id = _PyTraceMalloc_NextRow(&S->cells, id)) != 0;) {
        ((poolp)tm_row_at(&S->cells, id)->pool)->cells = NULL;
    }
    _PyTraceMalloc_FiniCells(&S->cells);
}


const char *
_PyTraceMalloc_CheckCells(struct live_sums *live)
{
    size_t rows = 0;
    for (uint32_t id = 0; (id = _PyTraceMalloc_NextRow(&S->cells, id)) != 0;) {
        const struct cell_row *row = tm_row_at(&S->cells, id);
        poolp pool = (poolp)row->pool;
        rows++;
        if (pool->cells != row || pool->szidx != row->size_class
            || row->ncells != NUMBLOCKS(pool->szidx))
        {
            return "cells: a row and its pool disagree";
        }
        size_t used = 0;
        for (uint32_t i = 0; i < row->ncells; i++) {
            uint32_t cell = row->cells[i];
            if (cell == 0) {
                continue;
            }
            used++;
            if (cell_of(pool, cell_block(row, i)) != &row->cells[i]) {
                return "cells: a cell is not found by its block's address";
            }
            if (CELL_CONTEXT(cell) >= S->tree.contexts.used) {
                return "cells: a cell names no context";
            }
            live[CELL_CONTEXT(cell)].blocks++;
            live[CELL_CONTEXT(cell)].bytes +=
                INDEX2SIZE(row->size_class) - CELL_SLACK(cell);
        }
        if (used > pool->ref.count) {
            return "cells: a pool has more cells in use than blocks";
        }
    }
    if (rows != S->cells.rows) {
        return "cells: the number of rows is wrong";
    }
    return NULL;
}
