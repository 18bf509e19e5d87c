/* The block table: blocks that have no cell.

   Called by hooks/, for what is too large for pymalloc, comes from another
   allocator or is an extension's, and by sampling, for all that it notes;
   calls the shadow.  See the header for the picture. */

#include "block_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#ifdef Py_TRACEMALLOC_STRESS
#  define FIRST_BLOCK_SLOTS 16
#else
#  define FIRST_BLOCK_SLOTS 128
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
tm_init_blocks(struct block_table *table, struct shadow *shadow)
{
    memset(table, 0, sizeof(*table));
    table->slots = calloc(FIRST_BLOCK_SLOTS, sizeof(table->slots[0]));
    if (table->slots == NULL) {
        return -1;
    }
    table->mask = FIRST_BLOCK_SLOTS - 1;
    table->shadow = shadow;
    return 0;
}


PART void
tm_fini_blocks(struct block_table *table)
{
    if (table->shadow != NULL) {
        tm_clear_shadow(table->shadow);
    }
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
    if (table->shadow != NULL) {
        tm_clear_shadow(table->shadow);
    }
    struct block_table fresh;
    if (table->mask >= FIRST_BLOCK_SLOTS
        && tm_init_blocks(&fresh, table->shadow) == 0)
    {
        free(table->slots);
        *table = fresh;
        return;
    }
    memset(table->slots, 0, (table->mask + 1) * sizeof(table->slots[0]));
    table->used = 0;
}


/* Make room for n more entries, which are few: 0, or -1 when out of memory. */
static int
slots_reserve(struct block_table *table, size_t n)
{
    size_t nslots = table->mask + 1;
    if (table->used + n <= nslots - nslots / 4) {
        return 0;
    }
    return table_resize(table, 2 * nslots);
}


static void
slot_add(struct block_table *table, const struct block *block)
{
    size_t at = slot_find(table, block->domain, block->address);
    assert(table->slots[at].context == CONTEXT_NONE);
    table->slots[at] = *block;
    table->used++;
}


static int
slot_remove(struct block_table *table, uint32_t domain, uintptr_t address,
            struct block *removed)
{
    if (table->used == 0) {
        return 0;
    }
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


/* --- blocks whose address the shadow has --------------------------------- */

static inline int
table_shadows(const struct block_table *table, uint32_t domain,
              uintptr_t address)
{
    return table->shadow != NULL && domain == DEFAULT_DOMAIN
           && tm_shadow_has(address);
}


/* The entry of an address, or 0. */
static inline uint64_t
entry_at(const struct block_table *table, uintptr_t address)
{
    struct shadow_leaf *leaf = tm_shadow_leaf(table->shadow, address);
    return leaf != NULL ? *tm_shadow_entry(leaf, address) : 0;
}


static struct block
entry_block(uint64_t entry, uint64_t granule)
{
    uintptr_t address = tm_entry_address(entry, granule);
    struct shadow_block known = tm_unpack_entry(entry, address);
    return (struct block){
        .address = address,
        .size = known.size,
        .context = known.context,
        .domain = DEFAULT_DOMAIN,
    };
}


/* Write the entry of a granule that has a leaf. */
static void
entry_set(struct shadow *shadow, uintptr_t address, uint64_t value)
{
    struct shadow_leaf *leaf = tm_shadow_leaf(shadow, address);
    uint64_t *entry = tm_shadow_entry(leaf, address);
    leaf->crowded -= tm_entry_crowd(*entry) != 0;
    leaf->crowded += tm_entry_crowd(value) != 0;
    leaf->used += value != 0;
    leaf->used -= *entry != 0;
    *entry = value;
    if (leaf->used == 0) {
        _PyTraceMalloc_LeafEmptied(shadow, leaf);
    }
}


/* Add a block: to the shadow, if it has a place and is alone. */
static void
granule_add(struct block_table *table, const struct block *block)
{
    uintptr_t address = block->address;
    uint64_t entry = entry_at(table, address);
    if (entry == 0 && tm_shadow_takes(address, block->size)) {
        entry_set(table->shadow, address,
                  tm_pack_entry(address, block->context, block->size));
        return;
    }
    if (entry != 0 && tm_entry_crowd(entry) == 0) {
        struct block other = entry_block(
            entry, (uint64_t)address >> GRANULE_SHIFT);
        slot_add(table, &other);
        entry = 1;
    }
    slot_add(table, block);
    entry_set(table->shadow, address, entry + 1);
}


static int
granule_remove(struct block_table *table, uintptr_t address,
               struct block *removed)
{
    uint64_t entry = entry_at(table, address);
    if (tm_unpack_entry(entry, address).context != CONTEXT_NONE) {
        *removed = entry_block(entry, (uint64_t)address >> GRANULE_SHIFT);
        entry_set(table->shadow, address, 0);
        return 1;
    }
    if (tm_entry_crowd(entry) == 0
        || !slot_remove(table, DEFAULT_DOMAIN, address, removed))
    {
        return 0;
    }
    entry_set(table->shadow, address, entry - 1);
    return 1;
}


/* Remove what cannot be live any more because a block is: 1, or 0 if there is
   nothing.  In a crowded granule that is only what has the same address. */
static int
stale_remove(struct block_table *table, const struct block *block,
             struct block *stale)
{
    uintptr_t address = block->address;
    if (table_shadows(table, block->domain, address)
        && block->size >= GRANULE)
    {
        struct block other = entry_block(entry_at(table, address),
                                         (uint64_t)address >> GRANULE_SHIFT);
        if (other.context != CONTEXT_NONE && other.size >= GRANULE) {
            address = other.address;
        }
    }
    return _PyTraceMalloc_RemoveBlock(table, block->domain, address, stale);
}


/* --- blocks -------------------------------------------------------------- */

int
_PyTraceMalloc_ReserveBlock(struct block_table *table,
                            const struct block *block)
{
    if (!table_shadows(table, block->domain, block->address)) {
        return slots_reserve(table, 1);
    }
    struct shadow_leaf *leaf = tm_make_leaf(table->shadow, block->address);
    if (leaf == NULL) {
        return -1;
    }
    if (*tm_shadow_entry(leaf, block->address) == 0
        && tm_shadow_takes(block->address, block->size))
    {
        return 0;
    }
    /* And for the one that must move. */
    return slots_reserve(table, 2);
}


void
_PyTraceMalloc_AddBlock(struct block_table *table, const struct block *block)
{
    assert(block->context != CONTEXT_NONE);
    if (table_shadows(table, block->domain, block->address)) {
        granule_add(table, block);
    }
    else {
        slot_add(table, block);
    }
}


int
_PyTraceMalloc_PutBlock(struct block_table *table, const struct block *block,
                        struct block *stale)
{
    if (table->shadow == NULL) {
        /* As below, looked for once. */
        if (slots_reserve(table, 1) < 0) {
            return -1;
        }
        size_t at = slot_find(table, block->domain, block->address);
        if (table->slots[at].context == CONTEXT_NONE) {
            table->slots[at] = *block;
            table->used++;
            return 0;
        }
    }
    if (stale_remove(table, block, stale)) {
        return 1;
    }
    if (_PyTraceMalloc_ReserveBlock(table, block) < 0) {
        return -1;
    }
    _PyTraceMalloc_AddBlock(table, block);
    return 0;
}


int
_PyTraceMalloc_RemoveBlock(struct block_table *table, uint32_t domain,
                           uintptr_t address, struct block *removed)
{
    return table_shadows(table, domain, address)
           ? granule_remove(table, address, removed)
           : slot_remove(table, domain, address, removed);
}


PART int
tm_find_block(const struct block_table *table, uint32_t domain,
              uintptr_t address, struct block *found)
{
    if (table_shadows(table, domain, address)) {
        uint64_t entry = entry_at(table, address);
        if (tm_unpack_entry(entry, address).context != CONTEXT_NONE) {
            *found = entry_block(entry, (uint64_t)address >> GRANULE_SHIFT);
            return 1;
        }
        if (tm_entry_crowd(entry) == 0) {
            return 0;
        }
    }
    const struct block *slot = &table->slots[slot_find(table, domain,
                                                       address)];
    if (slot->context == CONTEXT_NONE) {
        return 0;
    }
    *found = *slot;
    return 1;
}


PART void
tm_set_block_context(struct block_table *table, uint32_t domain,
                     uintptr_t address, context_id context)
{
    assert(context != CONTEXT_NONE);
    if (table_shadows(table, domain, address)) {
        struct shadow_block known = tm_unpack_entry(entry_at(table, address),
                                                    address);
        if (known.context != CONTEXT_NONE) {
            entry_set(table->shadow, address,
                      tm_pack_entry(address, context, known.size));
            return;
        }
    }
    struct block *slot = &table->slots[slot_find(table, domain, address)];
    assert(slot->context != CONTEXT_NONE);
    slot->context = context;
}


/* --- all of them --------------------------------------------------------- */

PART size_t
tm_count_table(const struct block_table *table)
{
    return table->used
           + (table->shadow != NULL ? tm_count_shadow(table->shadow) : 0);
}


int
_PyTraceMalloc_NextBlock(struct block_cursor *cursor, struct block *block)
{
    const struct block_table *table = cursor->table;
    while (cursor->slot <= table->mask) {
        const struct block *slot = &table->slots[cursor->slot++];
        if (slot->context != CONTEXT_NONE) {
            *block = *slot;
            return 1;
        }
    }
    while (cursor->leaf != NULL) {
        const struct shadow_leaf *leaf = cursor->leaf;
        while (cursor->left != 0) {
            size_t at = cursor->entry++;
            uint64_t entry = leaf->entries[at];
            cursor->left -= entry != 0;
            if (entry != 0 && tm_entry_crowd(entry) == 0) {
                *block = entry_block(entry, leaf->granule + at);
                return 1;
            }
        }
        cursor->leaf = leaf->next;
        cursor->entry = 0;
        cursor->left = leaf->next != NULL ? leaf->next->used : 0;
    }
    return 0;
}


PART size_t
tm_size_of_blocks(const struct block_table *table)
{
    size_t size = table->shadow != NULL ? tm_size_of_shadow(table->shadow) : 0;
    if (table->slots != NULL) {
        size += (table->mask + 1) * sizeof(table->slots[0]);
    }
    return size;
}


PART size_t
tm_room_of_blocks(const struct block_table *table)
{
    size_t in_use = table->used * sizeof(table->slots[0]);
    if (table->shadow != NULL) {
        in_use += tm_count_shadow(table->shadow) * sizeof(uint64_t);
    }
    return tm_size_of_blocks(table) - in_use;
}


/* How many blocks of crowded granules the shadow tells of. */
static uint64_t
crowds_add_up(const struct shadow *shadow)
{
    uint64_t n = 0;
    for (const struct shadow_leaf *leaf = shadow->leaves; leaf != NULL;
         leaf = leaf->next)
    {
        for (size_t at = 0; at < LEAF_ENTRIES; at++) {
            n += tm_entry_crowd(leaf->entries[at]);
        }
    }
    return n;
}


/* NULL, or what is wrong with the slots. */
static const char *
slots_check(const struct block_table *table)
{
    size_t used = 0, crowd = 0;
    for (size_t i = 0; i <= table->mask; i++) {
        const struct block *block = &table->slots[i];
        if (block->context == CONTEXT_NONE) {
            continue;
        }
        used++;
        if (slot_find(table, block->domain, block->address) != i) {
            return "blocks: I1, an entry is not found by its address";
        }
        if (table_shadows(table, block->domain, block->address)) {
            crowd++;
            if (tm_entry_crowd(entry_at(table, block->address)) == 0) {
                return "blocks: I3, the shadow does not tell of a block";
            }
        }
    }
    if (table->shadow != NULL && crowd != crowds_add_up(table->shadow)) {
        return "blocks: I3, the shadow tells of other blocks";
    }
    return used == table->used
           ? NULL : "blocks: I2, the number of entries is wrong";
}


PART const char *
tm_check_blocks(const struct block_table *table,
                const struct call_tree *tree,
                struct live_sums *live)
{
    const char *fault = slots_check(table);
    if (fault == NULL && table->shadow != NULL) {
        fault = tm_check_shadow(table->shadow);
    }
    if (fault != NULL) {
        return fault;
    }
    struct block_cursor cursor = tm_walk_table(table);
    struct block block;
    while (_PyTraceMalloc_NextBlock(&cursor, &block)) {
        if (block.context >= tree->contexts.used) {
            return "blocks: an entry names no context";
        }
        live[block.context].blocks++;
        live[block.context].bytes += block.size;
    }
    return NULL;
}
