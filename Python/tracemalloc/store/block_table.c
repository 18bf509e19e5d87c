/* The block table: blocks that have no cell.

   Called by hooks/, for what is too large for pymalloc, comes from another
   allocator or is an extension's, and by sampling, for all that it notes;
   calls nobody.  See the header for the picture. */

#include "block_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#ifdef Py_TRACEMALLOC_STRESS
#  define FIRST_BLOCK_SLOTS 16
#else
#  define FIRST_BLOCK_SLOTS 1024
#endif

static_assert(sizeof(uintptr_t) != 8 || sizeof(struct block) == 24,
              "a slot takes 24 bytes");


static inline size_t
block_hash(uint32_t domain, uintptr_t address)
{
    /* Multiplicative hashing (Knuth, vol. 3, 6.4); addresses differ in their
       middle bits, and the slot number is taken from the high ones. */
    uint64_t key = (uint64_t)address ^ (uint64_t)domain * 0xd6e8feb86659fd93u;
    key = (key ^ key >> 32) * 0x9e3779b97f4a7c15u;
    return (size_t)(key >> 20);
}


static inline size_t
slot_find(const struct block_table *table, uint32_t domain, uintptr_t address)
{
    size_t at = block_hash(domain, address) & table->mask;
    while (table->slots[at].context != CONTEXT_NONE
           && (table->slots[at].address != address
               || table->slots[at].domain != domain))
    {
        at = (at + 1) & table->mask;
    }
    return at;
}


PART int
tm_init_blocks(struct block_table *table)
{
    memset(table, 0, sizeof(*table));
    table->slots = calloc(FIRST_BLOCK_SLOTS, sizeof(table->slots[0]));
    if (table->slots == NULL) {
        return -1;
    }
    table->mask = FIRST_BLOCK_SLOTS - 1;
    return 0;
}


PART void
tm_fini_blocks(struct block_table *table)
{
    free(table->slots);
    memset(table, 0, sizeof(*table));
}


/* Move all entries to a table of another size.  On failure nothing changed. */
static int
table_resize(struct block_table *table, size_t nslots)
{
    struct block_table resized = *table;
    resized.slots = calloc(nslots, sizeof(resized.slots[0]));
    if (resized.slots == NULL) {
        return -1;
    }
    resized.mask = nslots - 1;
    for (size_t i = 0; i <= table->mask; i++) {
        const struct block *block = &table->slots[i];
        if (block->context != CONTEXT_NONE) {
            resized.slots[slot_find(&resized, block->domain,
                                    block->address)] = *block;
        }
    }
    free(table->slots);
    *table = resized;
    return 0;
}


PART void
tm_clear_blocks(struct block_table *table)
{
    struct block_table fresh;
    if (table->mask >= FIRST_BLOCK_SLOTS && tm_init_blocks(&fresh) == 0) {
        tm_fini_blocks(table);
        *table = fresh;
        return;
    }
    memset(table->slots, 0, (table->mask + 1) * sizeof(table->slots[0]));
    table->used = 0;
}


int
_PyTraceMalloc_ReserveBlock(struct block_table *table)
{
    size_t nslots = table->mask + 1;
    if (table->used + 1 <= nslots - nslots / 4) {
        return 0;
    }
    return table_resize(table, 2 * nslots);
}


void
_PyTraceMalloc_AddBlock(struct block_table *table, const struct block *block)
{
    assert(block->context != CONTEXT_NONE);
    size_t at = slot_find(table, block->domain, block->address);
    assert(table->slots[at].context == CONTEXT_NONE);
    table->slots[at] = *block;
    table->used++;
}


int
_PyTraceMalloc_PutBlock(struct block_table *table, const struct block *block,
                        struct block *stale)
{
    assert(block->context != CONTEXT_NONE);
    if (_PyTraceMalloc_ReserveBlock(table) < 0) {
        return -1;
    }
    struct block *slot = &table->slots[slot_find(table, block->domain,
                                                 block->address)];
    int found = slot->context != CONTEXT_NONE;
    if (found) {
        *stale = *slot;
    }
    *slot = *block;
    table->used += !found;
    return found;
}


int
_PyTraceMalloc_RemoveBlock(struct block_table *table, uint32_t domain,
                           uintptr_t address, struct block *removed)
{
    size_t hole = slot_find(table, domain, address);
    if (table->slots[hole].context == CONTEXT_NONE) {
        return 0;
    }
    *removed = table->slots[hole];
    table->used--;

    size_t mask = table->mask;
    for (size_t at = hole;;) {
        at = (at + 1) & mask;
        const struct block *next = &table->slots[at];
        if (next->context == CONTEXT_NONE) {
            break;
        }
        /* An entry may fill the hole if it does not lie before the slot its
           hash asks for; distances are counted backwards from `at`. */
        size_t home = block_hash(next->domain, next->address) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            table->slots[hole] = *next;
            hole = at;
        }
    }
    table->slots[hole].context = CONTEXT_NONE;

    size_t nslots = mask + 1;
    if (nslots > FIRST_BLOCK_SLOTS && table->used < nslots / 8) {
        /* Failing to shrink costs memory, nothing else. */
        (void)table_resize(table, nslots / 2);
    }
    return 1;
}


PART struct block *
tm_find_block(const struct block_table *table, uint32_t domain,
              uintptr_t address)
{
    struct block *block = &table->slots[slot_find(table, domain, address)];
    return block->context != CONTEXT_NONE ? block : NULL;
}


PART size_t
tm_size_of_blocks(const struct block_table *table)
{
    return table->slots ? (table->mask + 1) * sizeof(table->slots[0]) : 0;
}


PART const char *
tm_check_blocks(const struct block_table *table,
                const struct call_tree *tree,
                struct live_sums *live)
{
    size_t used = 0;
    for (size_t i = 0; i <= table->mask; i++) {
        const struct block *block = &table->slots[i];
        if (block->context == CONTEXT_NONE) {
            continue;
        }
        used++;
        if (block->context >= tree->contexts.used) {
            return "blocks: an entry names no context";
        }
        if (slot_find(table, block->domain, block->address) != i) {
            return "blocks: I1, an entry is not found by its address";
        }
        live[block->context].blocks++;
        live[block->context].bytes += block->size;
    }
    if (used != table->used) {
        return "blocks: I2, the number of entries is wrong";
    }
    return NULL;
}
