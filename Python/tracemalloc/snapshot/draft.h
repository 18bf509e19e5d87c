/* What is needed of a snapshot only until it is finished, for the files that
   make it: snapshot.c, instructions.c, rows.c, cell_sizes.c. */

#ifndef TRACEMALLOC_DRAFT_H
#define TRACEMALLOC_DRAFT_H

#include "../store/locations.h"
#include "snapshot.h"

#include <stdlib.h>

/* Blocks of one size in one context. */
struct snapshot_row {
    uint64_t size;
    uint64_t count;             /* 0: the slot is free */
    context_id context;
};

/* Where the sizes of a context's blocks are: see cell_sizes.c. */
struct cell_sizes {
    size_t begin;               /* in draft->sizes or draft->tallies */
    size_t n;                   /* blocks */
};

/* A location table that was copied, and what is needed of it. */
struct snapshot_code {
    size_t locations;           /* where it begins in draft->locations */
    uint32_t nlocations;
    uint32_t first;             /* instruction of this code + 1; chain by
                                   `next` */
    uint32_t nunits;            /* up to the last one of an instruction */
};

/* An instruction that allocates: contexts are many more than these. */
struct snapshot_instruction {
    uint32_t code;              /* its number */
    uint32_t unit;
    uint32_t next;              /* of the same code: number + 1, or 0 */
    struct location location;
};

/* Numbers for what is met, in the order in which it is. */
struct numbering {
    uint32_t *numbers;          /* by what it is: number + 1, or 0 */
    uint32_t n;                 /* room for as many */
};

struct snapshot_draft {
    const struct snapshot_source *from;     /* while it is taken */
    uint32_t *path_numbers;     /* by node_id; 0: not needed, or a root */
    node_id *paths;             /* by number */
    uint32_t *path_roots;       /* by number: line of the root */
    uint32_t *path_depths;      /* by number: frames up to the root */
    uint32_t *context_numbers;  /* by context_id: number + 1, or 0 */
    context_id *contexts;       /* by number */
    uint32_t *name_numbers;     /* by name_id; NAME_NONE: "<unknown>" */
    struct numbering threads;   /* by slot */
    struct numbering accounts;

    /* Of instructions.c. */
    uint32_t *code_numbers;     /* by code_id: number + 1, or 0 */
    struct snapshot_code *codes;
    size_t ncodes;
    unsigned char *locations;
    uint32_t *context_instructions;     /* by number of the context */
    struct snapshot_instruction *instructions;
    size_t ninstructions;
    uint32_t *instruction_slots;    /* open addressing on (code, unit):
                                       number + 1, or 0; always room for half
                                       as many instructions */
    size_t instruction_mask;

    /* Of rows.c. */
    struct snapshot_row *slots; /* open addressing on (context, size) */
    size_t mask;
    size_t used;

    /* Of cell_sizes.c. */
    struct cell_sizes *cell_sizes;      /* by number + 1; NULL: those blocks
                                           are in `slots`, too */
    uint16_t *sizes;
    uint64_t *tallies;
    size_t nsizes;              /* the largest one + 1 */
};

/* Room for columns of `n` rows: -1 is returned from the caller without memory.
   A table without rows has columns all the same. */
#define COLUMN_ALLOC(table, name, type) \
    snapshot->table##_##name = malloc((n + 1) * sizeof(type)); \
    if (snapshot->table##_##name == NULL) { \
        return -1; \
    }

static inline uint32_t *
tm_new_numbers(size_t n)
{
    return calloc(n + 1, sizeof(uint32_t));
}

/* While taking, 0, or -1 when out of memory: number the instructions of all
   contexts, and copy what tells where they stand. */
PART int tm_take_instructions(struct snapshot *);

/* Count the blocks by context and size; or copy each of them. */
PART int tm_take_rows(struct snapshot *);
PART int tm_take_blocks(struct snapshot *);

/* Compute the standard errors of all contexts. */
PART int tm_take_errors(struct snapshot *);

/* Finishing, 0, or -1 when out of memory: read the location tables; put the
   rows in order. */
PART int tm_finish_instructions(struct snapshot *);
PART int tm_finish_rows(struct snapshot *);

/* Of all blocks that have cells, the sizes: take them; put them in order, and
   add to counts[number + 1] how many rows they are; write these, of one
   context, from a row on, and return where they end. */
PART int tm_take_sizes(struct snapshot *);
PART int tm_sort_sizes(struct snapshot *, size_t *counts);
PART size_t tm_put_sizes(struct snapshot *, size_t number, size_t row);
PART void tm_free_sizes(struct snapshot_draft *);

#endif  /* !TRACEMALLOC_DRAFT_H */
