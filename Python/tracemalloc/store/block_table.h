/* The block table: size and context of each block that has no cell. */

#ifndef TRACEMALLOC_BLOCK_TABLE_H
#define TRACEMALLOC_BLOCK_TABLE_H

#include "call_tree.h"

struct block {
    uintptr_t address;
    size_t size;                /* bytes, as the caller asked for */
    context_id context;         /* CONTEXT_NONE: the slot is empty */
    uint32_t domain;
};

/* Blocks by domain and address:

       slots   [ . ][addr size ctx dom][ . ][addr size ctx dom][ ... ]
                          ^ found by hash of (domain, address), then linearly

   One table serves several domains, and no block needs an allocation.  A free
   slot has no context.  Removing moves the following entries back (Knuth, The
   Art of Computer Programming, vol. 3, 6.4, algorithm R), so there are no
   tombstones and a table never degrades.

   Invariants
     I1  from the slot its hash asks for to the slot it lies in, no slot is
         free: every entry is found
     I2  `used` is the number of entries
   tm_check_blocks tests them.

   Which lock or access a table needs, the tracer's state says. */
struct block_table {
    struct block *slots;        /* open addressing on (domain, address) */
    size_t mask;                /* slots - 1 */
    size_t used;                /* entries; at most three of four slots */
};

/* Begin with an empty table: 0, or -1 when out of memory. */
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
PART struct block *tm_find_block(const struct block_table *, uint32_t domain,
                                 uintptr_t address);

PART size_t tm_size_of_blocks(const struct block_table *);

/* What is live in a context, added up. */
struct live_sums {
    uint64_t blocks;
    uint64_t bytes;
};

/* NULL, or what is wrong; adds the blocks to the sums in live[context]. */
PART const char *tm_check_blocks(const struct block_table *,
                                 const struct call_tree *,
                                 struct live_sums *live);

#endif  /* !TRACEMALLOC_BLOCK_TABLE_H */
