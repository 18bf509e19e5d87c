/* The block table: size and context of each block that has no cell. */

#ifndef TRACEMALLOC_BLOCK_TABLE_H
#define TRACEMALLOC_BLOCK_TABLE_H

#include "call_tree.h"
#include "shadow.h"

struct block {
    uintptr_t address;
    size_t size;                /* bytes, as the caller asked for */
    context_id context;         /* CONTEXT_NONE: the slot is empty */
    uint32_t domain;
};

/* Blocks by domain and address.  A table may have a shadow (shadow.h): that
   has the blocks which have a place there, nearly all that the table is given,
   and the slots have what is left.


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
     I3  blocks whose address the shadow has lie in slots where their granule
         is crowded, and the entry there is their number
   tm_check_blocks tests them.

   Who frees a block does not know its size: its address is looked for in the
   shadow, and then in the slots, if any is in use.

   Which lock or access a table needs, the tracer's state says. */
struct block_table {
    struct block *slots;        /* open addressing on (domain, address) */
    size_t mask;                /* slots - 1 */
    size_t used;                /* of them; at most three of four */
    struct shadow *shadow;      /* not its own; NULL: has none */
};

/* Begin with an empty table, with an empty shadow or without: 0, or -1 when
   out of memory. */
PART int tm_init_blocks(struct block_table *, struct shadow *);
PART void tm_fini_blocks(struct block_table *);
PART void tm_clear_blocks(struct block_table *);

/* Make room for a block: 0, or -1 when out of memory. */
extern int _PyTraceMalloc_ReserveBlock(struct block_table *,
                                       const struct block *);

/* Add a block that is not there yet.  Room must have been reserved for it. */
extern void _PyTraceMalloc_AddBlock(struct block_table *,
                                    const struct block *);

/* The same, with or without room: 0, or -1 when out of memory.  Or 1, if a
   block was in its way that cannot be live any more, at the same address or in
   the same granule: that one was removed, to *stale, and nothing was added. */
extern int _PyTraceMalloc_PutBlock(struct block_table *, const struct block *,
                                   struct block *stale);

/* Remove a block and copy it to *removed: 1, or 0 if there is none. */
extern int _PyTraceMalloc_RemoveBlock(struct block_table *, uint32_t domain,
                                      uintptr_t address,
                                      struct block *removed);

/* Copy the block at an address to *found: 1, or 0 if there is none. */
PART int tm_find_block(const struct block_table *, uint32_t domain,
                       uintptr_t address, struct block *found);

/* Let a block that is there belong to another context. */
PART void tm_set_block_context(struct block_table *, uint32_t domain,
                               uintptr_t address, context_id context);

PART size_t tm_count_table(const struct block_table *);

/* How far a walk over a table has come.  Nothing may change meanwhile. */
struct block_cursor {
    const struct block_table *table;
    size_t slot;                        /* the next one */
    const struct shadow_leaf *leaf;     /* NULL: all were seen */
    size_t entry;                       /* of it, the next one */
    size_t left;                        /* entries that it still has */
};

static inline struct block_cursor
tm_walk_table(const struct block_table *table)
{
    const struct shadow_leaf *leaf =
        table->shadow != NULL ? table->shadow->leaves : NULL;
    return (struct block_cursor){
        .table = table,
        .leaf = leaf,
        .left = leaf != NULL ? leaf->used : 0,
    };
}

/* The next block: 1 and a copy, or 0 at the end. */
extern int _PyTraceMalloc_NextBlock(struct block_cursor *, struct block *);

/* Bytes, with those of the shadow; and how many of them wait to be used. */
PART size_t tm_size_of_blocks(const struct block_table *);
PART size_t tm_room_of_blocks(const struct block_table *);

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
