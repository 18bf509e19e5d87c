/* Cells beside the blocks of pools: see cells.c. */

#ifndef TRACEMALLOC_CELLS_H
#define TRACEMALLOC_CELLS_H

#include "../core.h"

/* The cells of one pool; `cell[i]` belongs to the block at
   first + i * block_size. */
struct cell_row {
    uintptr_t pool;             /* the pool, or 0: the row is unused */
    union {
        uint32_t next_unused;
        uint32_t used;          /* in use, when sampling: the cells in use,
                                   and ROW_WATCHED */
    };
    uint16_t ncells;
    uint16_t size_class;
    uint32_t cells[];
};

/* Context in the low 25 bits; above them the slack, how many bytes the block
   is larger than what was asked for. */
#define CELL_CONTEXT(cell) ((cell) & (((uint32_t)1 << 25) - 1))
#define CELL_SLACK(cell) ((cell) >> 25)
#define CELL(context, slack) ((context) | (uint32_t)(slack) << 25)
#define MAX_SLACK 127

/* Whoever frees a block of the pool is to look for it in the tables. */
#define ROW_WATCHED ((uint32_t)1 << 31)

#define CELL_CLASSES 64
#define ROW_UNIT 64             /* rows begin at multiples of it, in bytes */
#define ROWS_SHIFT 12           /* log2 of units per chunk */
/* 16 GiB of rows, which serve 64 GiB of blocks of 16 bytes, or 256 GiB of 64:
   what lies beyond is dropped, and counted. */
#define MAX_ROW_CHUNKS (1 << 16)

struct cell_store {
    char *chunks[MAX_ROW_CHUNKS];
    uint32_t nchunks;
    uint32_t next;              /* first unit never used in the last chunk */
    uint32_t unused[CELL_CLASSES];  /* chains of unused rows, by size class */
    size_t rows;                /* in use */
};

extern void _PyTraceMalloc_InitCells(struct cell_store *);
extern void _PyTraceMalloc_FiniCells(struct cell_store *);

/* A row of `ncells` empty cells: its number, or 0 when out of memory. */
extern uint32_t _PyTraceMalloc_AddRow(struct cell_store *, uintptr_t pool,
                                      unsigned size_class, unsigned ncells);
extern void _PyTraceMalloc_FreeRow(struct cell_store *, uint32_t row);

/* Rows in use, one after the other: the number after `row` (0 at first), or 0
   at the end. */
extern uint32_t _PyTraceMalloc_NextRow(const struct cell_store *,
                                       uint32_t row);

extern size_t _PyTraceMalloc_SizeOfCells(const struct cell_store *);

static inline struct cell_row *
tm_row_at(const struct cell_store *store, uint32_t row)
{
    return (struct cell_row *)(store->chunks[row >> ROWS_SHIFT]
        + (size_t)(row & ((1 << ROWS_SHIFT) - 1)) * ROW_UNIT);
}

#endif  /* !TRACEMALLOC_CELLS_H */
