/* Cells: rows of them, one per pool of pymalloc.

   Called by hooks/pymalloc.c.h, which notes and looks up blocks there, and by
   who walks over all of them; calls zeros.c.  See the header for the
   picture. */

#include "cells.h"
#include "zeros.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_UNITS ((uint32_t)1 << ROWS_SHIFT)

static_assert(offsetof(struct cell_row, cells) == 20, "header of a row");
static_assert((uint64_t)MAX_ROW_CHUNKS << ROWS_SHIFT <= UINT32_MAX,
              "numbers of rows have 32 bits");


static uint32_t
row_units(unsigned ncells)
{
    size_t size = offsetof(struct cell_row, cells) + ncells * sizeof(uint32_t);
    return (uint32_t)((size + ROW_UNIT - 1) / ROW_UNIT);
}


void
_PyTraceMalloc_InitCells(struct cell_store *store)
{
    /* Not the chunks: that would touch memory that most programs never
       need. */
    store->nchunks = store->next = 0;
    store->rows = 0;
    memset(store->unused, 0, sizeof(store->unused));
}


void
_PyTraceMalloc_FiniCells(struct cell_store *store)
{
    for (uint32_t i = 0; i < store->nchunks; i++) {
        tm_free_zeros(store->chunks[i]);
    }
    _PyTraceMalloc_InitCells(store);
}


/* Some fresh units in one piece, or NULL. */
static struct cell_row *
units_take(struct cell_store *store, uint32_t units)
{
    assert(units < CHUNK_UNITS);
    if (store->nchunks == 0 || store->next + units > CHUNK_UNITS) {
        if (store->nchunks == MAX_ROW_CHUNKS) {
            return NULL;
        }
        char *chunk = tm_new_zeros((size_t)CHUNK_UNITS * ROW_UNIT,
                                   ROW_UNIT);
        if (chunk == NULL) {
            return NULL;
        }
        /* Number 0 means no row. */
        store->next = store->nchunks == 0;
        store->chunks[store->nchunks++] = chunk;
    }
    uint32_t first = ((store->nchunks - 1) << ROWS_SHIFT) + store->next;
    store->next += units;
    return tm_row_at(store, first);
}


struct cell_row *
_PyTraceMalloc_AddRow(struct cell_store *store, uintptr_t pool,
                      unsigned size_class, unsigned ncells)
{
    assert(size_class < CELL_CLASSES && pool != 0
           && (pool & ROW_UNUSED) == 0);
    struct cell_row *row = store->unused[size_class];
    if (row != NULL) {
        store->unused[size_class] = (struct cell_row *)(row->pool
                                                        & ~ROW_UNUSED);
        assert(row->ncells == ncells);
    }
    else {
        row = units_take(store, row_units(ncells));
        if (row == NULL) {
            return NULL;
        }
        row->ncells = (uint16_t)ncells;
        row->size_class = (uint16_t)size_class;
    }
    row->pool = pool;
    row->used = 0;
    store->rows++;
    return row;
}


void
_PyTraceMalloc_FreeRow(struct cell_store *store, struct cell_row *row)
{
    assert((row->pool & ROW_UNUSED) == 0);
    memset(row->cells, 0, row->ncells * sizeof(row->cells[0]));
    row->pool = (uintptr_t)store->unused[row->size_class] | ROW_UNUSED;
    store->unused[row->size_class] = row;
    store->rows--;
}


uint32_t
_PyTraceMalloc_NextRow(const struct cell_store *store, uint32_t number)
{
    uint32_t next = 1;
    if (number != 0) {
        next = number + row_units(tm_row_at(store, number)->ncells);
    }
    while (next >> ROWS_SHIFT < store->nchunks) {
        const struct cell_row *row = tm_row_at(store, next);
        if (row->ncells == 0) {
            /* The rest of this chunk was never used. */
            next = ((next >> ROWS_SHIFT) + 1) << ROWS_SHIFT;
        }
        else if ((row->pool & ROW_UNUSED) == 0) {
            return next;
        }
        else {
            next += row_units(row->ncells);
        }
    }
    return 0;
}


PART size_t
tm_size_of_cells(const struct cell_store *store)
{
    return (size_t)store->nchunks * (CHUNK_UNITS + 1) * ROW_UNIT;
}
