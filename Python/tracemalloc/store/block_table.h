/* Blocks without a cell: see block_table.c. */

#ifndef TRACEMALLOC_BLOCK_TABLE_H
#define TRACEMALLOC_BLOCK_TABLE_H

#include "call_tree.h"

struct block {
    uintptr_t address;
    size_t size;                /* bytes, as the caller asked for */
    context_id context;         /* CONTEXT_NONE: the slot is empty */
    uint32_t domain;
};

struct block_table {
    struct block *slots;        /* open addressing on (domain, address) */
    size_t mask;
    size_t used;
};

PART int tm_init_blocks(struct block_table *);
PART void tm_fini_blocks(struct block_table *);
PART void tm_clear_blocks(struct block_table *);

/* Make room for one more block: 0, or -1 when out of memory. */
extern int _PyTraceMalloc_ReserveBlock(struct block_table *);

/* Add a block that is not there yet.  Room must have been reserved. */
extern void _PyTraceMalloc_AddBlock(struct block_table *,
                                    const struct block *);

/* The same, with or without room, in place of one that may be there: 1 and a
   copy of it, 0, or -1 when out of memory (nothing changed). */
extern int _PyTraceMalloc_PutBlock(struct block_table *, const struct block *,
                                   struct block *stale);

/* Remove a block and copy it to *removed: 1, or 0 if there is none. */
extern int _PyTraceMalloc_RemoveBlock(struct block_table *, uint32_t domain,
                                      uintptr_t address,
                                      struct block *removed);

/* The block at an address, or NULL.  Valid until the table changes. */
PART struct block *tm_find_block(const struct block_table *,
                                 uint32_t domain,
                                 uintptr_t address);

extern size_t _PyTraceMalloc_SizeOfBlocks(const struct block_table *);

/* NULL, or what is wrong; adds the blocks to the sums in live[context]. */
struct live_sums {
    uint64_t blocks;
    uint64_t bytes;
};
extern const char *_PyTraceMalloc_CheckBlocks(const struct block_table *,
                                              const struct call_tree *,
                                              struct live_sums *live);

#endif  /* !TRACEMALLOC_BLOCK_TABLE_H */
