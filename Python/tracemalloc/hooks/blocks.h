/* Blocks, wherever they are kept: see blocks.c. */

#ifndef TRACEMALLOC_BLOCKS_H
#define TRACEMALLOC_BLOCKS_H

#include "../state.h"

/* Note a block in a table: 0, 1 if a filter ignores it, or -1 when the trace
   had to be dropped. */
extern int _PyTraceMalloc_NoteBlock(struct block_table *, uint32_t domain,
                                    uintptr_t address, size_t size,
                                    enum access access);

/* Forget a block and copy it to *removed: 1, or 0 if it is not known. */
extern int _PyTraceMalloc_ForgetBlock(struct block_table *, uint32_t domain,
                                      uintptr_t address,
                                      struct block *removed,
                                      enum access access);

/* A block that is forgotten while the allocator below works on it. */
struct lifted {
    struct block block;
    uint32_t generation;    /* of the block's context */
    int present;
};

/* Lift a block of domain 0 while the allocator below works on it, and let
   LookUp() find it; and put it back as it was, if that failed. */
PART void tm_lift_block(struct block_table *, void *, struct lifted *);
PART void tm_put_back_block(struct block_table *, const struct lifted *);

/* Let LookUp() find the block that this thread has lifted; NULL for none. */
extern void _PyTraceMalloc_ShowLifted(const struct lifted *);

/* Find a block of any kind: 1 and a copy, or 0.  Needs access and the lock. */
PART int tm_look_up(uint32_t domain, uintptr_t address,
                    struct block *block);

#endif  /* !TRACEMALLOC_BLOCKS_H */
