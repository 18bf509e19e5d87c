/* All live blocks, one after the other: those with cells, row by row, then
   those of either table. */

#ifndef TRACEMALLOC_BLOCK_WALK_H
#define TRACEMALLOC_BLOCK_WALK_H

#include "../store/block_table.h"
#include "../store/cells.h"

/* Where blocks are kept. */
struct block_stores {
    const struct cell_store *cells;
    size_t cell_unit;           /* blocks of size class n take n + 1 of them */
    size_t pool_header;         /* bytes before the first block of a pool */
    const struct block_table *tables[2];
};

/* How far a walk has come. */
struct block_walk {
    const struct block_stores *stores;
    uint32_t row;               /* of cells; 0: all were seen */
    uint32_t cell;              /* of that row, the next one */
    int table;
    struct block_cursor cursor; /* in that table */
};


/* How many blocks there are. */
static inline size_t
tm_count_blocks(const struct block_stores *stores)
{
    const struct cell_store *cells = stores->cells;
    size_t n = tm_count_table(stores->tables[0])
               + tm_count_table(stores->tables[1]);
    for (uint32_t id = 0; (id = _PyTraceMalloc_NextRow(cells, id)) != 0;) {
        const struct cell_row *row = tm_row_at(cells, id);
        for (uint32_t i = 0; i < row->ncells; i++) {
            n += row->cells[i] != 0;
        }
    }
    return n;
}


/* Nothing may change until the walk has ended. */
static inline struct block_walk
tm_walk_blocks(const struct block_stores *stores)
{
    return (struct block_walk){
        .stores = stores,
        .row = _PyTraceMalloc_NextRow(stores->cells, 0),
        .cursor = tm_walk_table(stores->tables[0]),
    };
}


/* The block of a cell. */
static inline struct block
tm_block_of_cell(const struct block_stores *stores, const struct cell_row *row,
                 uint32_t at)
{
    size_t class_size = (row->size_class + (size_t)1) * stores->cell_unit;
    return (struct block){
        .address = row->pool + stores->pool_header + at * class_size,
        .size = class_size - CELL_SLACK(row->cells[at]),
        .context = CELL_CONTEXT(row->cells[at]),
        .domain = DEFAULT_DOMAIN,
    };
}


/* The next block: 1 and a copy, or 0 at the end. */
static inline int
tm_next_block(struct block_walk *walk, struct block *block)
{
    const struct block_stores *stores = walk->stores;
    while (walk->row != 0) {
        const struct cell_row *row = tm_row_at(stores->cells, walk->row);
        while (walk->cell < row->ncells) {
            uint32_t at = walk->cell++;
            if (row->cells[at] != 0) {
                *block = tm_block_of_cell(stores, row, at);
                return 1;
            }
        }
        walk->row = _PyTraceMalloc_NextRow(stores->cells, walk->row);
        walk->cell = 0;
    }
    if (_PyTraceMalloc_NextBlock(&walk->cursor, block)) {
        return 1;
    }
    if (walk->table == 0) {
        walk->table = 1;
        walk->cursor = tm_walk_table(stores->tables[1]);
    }
    return _PyTraceMalloc_NextBlock(&walk->cursor, block);
}

#endif  /* !TRACEMALLOC_BLOCK_WALK_H */
