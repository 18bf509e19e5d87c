/* A list of what a table of blocks should hold, for tests that do the same to
   both and compare. */

#ifndef CORE_BLOCK_LIST_H
#define CORE_BLOCK_LIST_H

#include "check.h"
#include "store/block_table.h"

struct block_list {
    struct block blocks[8192];
    size_t used;
};


static inline int
block_equals(const struct block *a, const struct block *b)
{
    return a->address == b->address && a->domain == b->domain
           && a->size == b->size && a->context == b->context;
}


/* Remove the i-th block of the list from both, and find it gone. */
static inline void
remove_from_both(struct block_table *table, struct block_list *list, size_t i)
{
    struct block removed, expected = list->blocks[i];
    list->blocks[i] = list->blocks[--list->used];
    CHECK_EQUAL(_PyTraceMalloc_RemoveBlock(table, expected.domain,
                                           expected.address, &removed), 1);
    CHECK(block_equals(&removed, &expected));
    CHECK(!tm_find_block(table, expected.domain, expected.address, &removed));
    CHECK_EQUAL(_PyTraceMalloc_RemoveBlock(table, expected.domain,
                                           expected.address, &removed), 0);
}

#endif  /* !CORE_BLOCK_LIST_H */
