/* Cells: beside each block of a pymalloc pool, 4 bytes for its context. */

#ifndef TRACEMALLOC_CELLS_H
#define TRACEMALLOC_CELLS_H

#include "../core.h"

/* The cells of one pool; `cell[i]` belongs to the block at
   first + i * block_size. */
struct cell_row {
    uintptr_t pool;             /* or the next unused row, and ROW_UNUSED */
    uint32_t reciprocal;        /* see pool_cells.c.h; this and block_size are
                                   the business of who gives it to a pool */
    uint16_t used;              /* when sampling: the cells in use, and
                                   ROW_WATCHED */
    uint16_t ncells;
    uint16_t size_class;
    uint16_t block_size;
    uint32_t cells[];
};

/* The slack in the low bits, how many bytes the block is larger than what was
   asked for; above them the context. */
#define SLACK_BITS (32 - CONTEXT_BITS)
#define MAX_SLACK ((1 << SLACK_BITS) - 1)
#define CELL_CONTEXT(cell) ((cell) >> SLACK_BITS)
#define CELL_SLACK(cell) ((cell) & MAX_SLACK)
#define CELL(context, slack) ((context_id)(context) << SLACK_BITS \
                              | (uint32_t)(slack))

#define ROW_UNUSED ((uintptr_t)1)

/* Whoever frees a block of the pool is to look for it in the tables. */
#define ROW_WATCHED (1u << 15)

#define CELL_CLASSES 64
#define ROW_UNIT 64             /* rows begin at multiples of it, in bytes */
#define ROWS_SHIFT 12           /* log2 of units per chunk */
/* 16 GiB of rows, which serve 64 GiB of blocks of 16 bytes, or 256 GiB of 64:
   what lies beyond is dropped, and counted. */
#define MAX_ROW_CHUNKS (1 << 16)

/* Rows of cells:

       pool header .cells ----------> row
                                      [pool, class, n | c0 c1 c2 c3 ... ]
       pool        [header | b0 b1 b2 b3 ... ]          |
                              ^-------------------------+

   A pool holds blocks of one size, so the cell of a block is found by where it
   lies; malloc is a store, free a load.  Rows lie in chunks, at multiples of
   ROW_UNIT bytes, one behind the other; walks number them by their first
   units.  A chunk ends with a header of zeros, or with its end.

   States of a row: unused (in the chain of its size class) or in use.  A pool
   gets its row when tracing first notes a block there, and gives it back when
   it changes its size class or its arena goes.

   Invariants: a row in use has a pool whose header points to the row; an
   unused row is all empty cells; number 0 is never a row.

   Rows come and go under the store lock; their cells need access. */
struct cell_store {
    char *chunks[MAX_ROW_CHUNKS];
    uint32_t nchunks;
    uint32_t next;              /* first unit never used in the last chunk */
    struct cell_row *unused[CELL_CLASSES];  /* chains of unused rows, by size
                                               class */
    size_t rows;                /* in use */
};

extern void _PyTraceMalloc_InitCells(struct cell_store *);
extern void _PyTraceMalloc_FiniCells(struct cell_store *);

/* A row of `ncells` empty cells, or NULL when out of memory. */
extern struct cell_row *_PyTraceMalloc_AddRow(
    struct cell_store *, uintptr_t pool, unsigned size_class, unsigned ncells);
extern void _PyTraceMalloc_FreeRow(struct cell_store *, struct cell_row *);

/* Rows in use, one after the other: the number after `row` (0 at first), or 0
   at the end. */
extern uint32_t _PyTraceMalloc_NextRow(const struct cell_store *,
                                       uint32_t row);

PART size_t tm_size_of_cells(const struct cell_store *);

static inline struct cell_row *
tm_row_at(const struct cell_store *store, uint32_t row)
{
    return (struct cell_row *)(store->chunks[row >> ROWS_SHIFT]
        + (size_t)(row & ((1 << ROWS_SHIFT) - 1)) * ROW_UNIT);
}

#endif  /* !TRACEMALLOC_CELLS_H */
