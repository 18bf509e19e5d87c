/* The shadow, behind the block table that it belongs to.  Every test keeps a
   plain list beside both and compares by looking for each. */

#include "block_list.h"

#include <string.h>

#define LEAF_SPAN (LEAF_ENTRIES << GRANULE_SHIFT)
#define LAST_ADDRESS (((uintptr_t)1 << SHADOW_BITS) - 1)
#define MAX_ENTRY_SIZE (((size_t)1 << ENTRY_SIZE_BITS) - 1)

static struct block_table table;
static struct shadow shadow;

static struct block_list list;


static void
begin(void)
{
    CHECK_EQUAL(tm_init_blocks(&table, &shadow), 0);
    list.used = 0;
}


static void
end(void)
{
    tm_fini_blocks(&table);
    CHECK_EQUAL(tm_size_of_shadow(&shadow), 0);
    CHECK_EQUAL(test_live_blocks(), 0);
    for (size_t i = 0; i < (size_t)1 << ROOT_SHIFT; i++) {
        CHECK(shadow.root[i] == NULL);
    }
}


static struct block
block_at(uintptr_t address, size_t size)
{
    return (struct block){
        .address = address,
        .size = size,
        .context = 1 + random_below((1u << CONTEXT_BITS) - 1),
    };
}


static size_t
list_find(uintptr_t address)
{
    size_t i = 0;
    while (i < list.used && list.blocks[i].address != address) {
        i++;
    }
    return i;
}


/* Nothing that is in the list may be in its way. */
static void
both_put(struct block block)
{
    struct block stale;
    CHECK_EQUAL(_PyTraceMalloc_PutBlock(&table, &block, &stale), 0);
    list.blocks[list.used++] = block;
}


static void
both_compare(void)
{
    struct block found;
    size_t in_shadow = 0, walked = 0;
    CHECK_SOUND(tm_check_shadow(&shadow));
    for (size_t i = 0; i < list.used; i++) {
        const struct block *block = &list.blocks[i];
        CHECK(tm_find_block(&table, block->domain, block->address, &found));
        CHECK(block_equals(&found, block));
        in_shadow += block->size < (size_t)1 << 30
                     && block->address < (uintptr_t)1 << 48;
    }
    /* Less those of crowded granules. */
    CHECK(tm_count_shadow(&shadow) <= in_shadow);
    CHECK(table.used != list.used - in_shadow
          || tm_count_shadow(&shadow) == in_shadow);
    CHECK_EQUAL(tm_count_table(&table), list.used);
    struct block_cursor cursor = tm_walk_table(&table);
    while (_PyTraceMalloc_NextBlock(&cursor, &found)) {
        size_t i = list_find(found.address);
        CHECK(i < list.used && block_equals(&found, &list.blocks[i]));
        walked++;
    }
    CHECK_EQUAL(walked, list.used);
    CHECK_EQUAL(tm_size_of_blocks(&table), test_live_bytes());
}


/* An entry says what it was made of, and that of no other address. */
static void
test_entries(void)
{
    static const size_t sizes[] = {0, GRANULE, MAX_ENTRY_SIZE};
    static const context_id contexts[] = {1, 2, (1u << CONTEXT_BITS) - 1};
    for (size_t i = 0; i < 9; i++) {
        size_t size = sizes[i % 3];
        context_id context = contexts[i / 3];
        uintptr_t address = (uintptr_t)random_bits() & LAST_ADDRESS;
        uint64_t entry = tm_pack_entry(address, context, size);
        CHECK(entry != 0);
        uintptr_t granule = address / GRANULE * GRANULE;
        CHECK_EQUAL(tm_entry_address(entry, granule / GRANULE), address);
        for (uintptr_t at = granule; at < granule + GRANULE; at++) {
            struct shadow_block found = tm_unpack_entry(entry, at);
            CHECK_EQUAL(found.context, at == address ? context : 0);
            CHECK(at != address || found.size == size);
            CHECK_EQUAL(tm_unpack_entry(0, at).context, CONTEXT_NONE);
        }
    }
}


/* What has no place lies in the table, and is found all the same. */
static void
test_what_has_a_place(void)
{
    static const struct {
        uintptr_t address;
        size_t size;
        int taken;
    } cases[] = {
        {0, GRANULE, 1},
        {LEAF_SPAN - 1, GRANULE, 1},
        {LEAF_SPAN, MAX_ENTRY_SIZE, 1},
        {LAST_ADDRESS, GRANULE, 1},
        {LAST_ADDRESS - LEAF_SPAN, GRANULE, 1},
        {LAST_ADDRESS + 1, GRANULE, 0},
        {UINTPTR_MAX, GRANULE, 0},
        {2 * LEAF_SPAN, GRANULE - 1, 1},
        {3 * LEAF_SPAN, 0, 1},
        {4 * LEAF_SPAN, MAX_ENTRY_SIZE + 1, 0},
        {5 * LEAF_SPAN, SIZE_MAX, 0},
    };
    enum { N = sizeof(cases) / sizeof(cases[0]) };
    begin();
    for (size_t i = 0; i < N; i++) {
        size_t before = tm_count_shadow(&shadow);
        both_put(block_at(cases[i].address, cases[i].size));
        CHECK_EQUAL(tm_count_shadow(&shadow) - before, cases[i].taken);
        both_compare();
    }
    /* Other domains have their blocks in the table. */
    struct block stale, other = block_at(LEAF_SPAN, GRANULE);
    other.domain = 1;
    size_t before = tm_count_shadow(&shadow);
    CHECK_EQUAL(_PyTraceMalloc_PutBlock(&table, &other, &stale), 0);
    CHECK_EQUAL(tm_count_shadow(&shadow), before);
    CHECK_EQUAL(_PyTraceMalloc_RemoveBlock(&table, 1, LEAF_SPAN, &stale), 1);
    CHECK(block_equals(&stale, &other));
    while (list.used > 0) {
        remove_from_both(&table, &list, random_below((uint32_t)list.used));
        both_compare();
    }
    end();
}


/* Whether two blocks can be live at once. */
static int
blocks_overlap(const struct block *a, const struct block *b)
{
    return a->address < b->address ? b->address - a->address < a->size
                                   : a->address - b->address < b->size;
}


static int
list_has_room(const struct block *block)
{
    for (size_t i = 0; i < list.used; i++) {
        if (blocks_overlap(&list.blocks[i], block)) {
            return 0;
        }
    }
    return 1;
}


/* Blocks as an allocator has them: none overlaps another one. */
static void
test_random_sequences(void)
{
    static const uintptr_t regions[] = {
        0x1000, 3 * LEAF_SPAN - 8192, 0x555500000000u, 0x7fff00000000u,
    };
    int rounds = test_options.quick ? 20000 : 60000;
    begin();
    for (int i = 0; i < rounds; i++) {
        if (random_below(100) < 48 && list.used > 0) {
            remove_from_both(&table, &list, random_below((uint32_t)list.used));
        }
        else if (list.used < 500) {
            uintptr_t span = random_below(4) ? 100000 : 8 * LEAF_SPAN;
            struct block block = block_at(
                regions[random_below(4)]
                + (uintptr_t)random_below((uint32_t)span / 16) * 16,
                1 + random_below(random_below(20) ? 2000 : 100000));
            if (list_has_room(&block)) {
                both_put(block);
            }
        }
        if (i % 997 == 0) {
            both_compare();
        }
    }
    end();
}


/* Of what cannot be live any more, each is handed out once. */
static void
test_stale_blocks_give_way(void)
{
    struct block stale;
    uintptr_t at = 7 * LEAF_SPAN;
    begin();
    struct block first = block_at(at + 32, 600), next = block_at(at, 700);
    both_put(first);
    CHECK_EQUAL(_PyTraceMalloc_PutBlock(&table, &next, &stale), 1);
    CHECK(block_equals(&stale, &first));
    list.used--;
    both_put(next);
    /* The same address, with a size that lies elsewhere, and back. */
    static const size_t sizes[] = {100, 800, MAX_ENTRY_SIZE + 1, 800, 801};
    for (size_t i = 0; i < 5; i++) {
        first = next;
        next = block_at(at, sizes[i]);
        CHECK_EQUAL(_PyTraceMalloc_PutBlock(&table, &next, &stale), 1);
        CHECK(block_equals(&stale, &first));
        list.used--;
        both_put(next);
        both_compare();
    }
    /* A small block says nothing of another one in its granule: both lie in
       the table then, and so does what comes. */
    both_put(block_at(at + 64, 16));
    CHECK_EQUAL(tm_count_shadow(&shadow), 0);
    both_compare();
    next = block_at(at + 64, 900);
    CHECK_EQUAL(_PyTraceMalloc_PutBlock(&table, &next, &stale), 1);
    CHECK(block_equals(&stale, &list.blocks[list_find(at + 64)]));
    list.used = list_find(at + 64);
    both_put(next);
    both_compare();
    while (list.used > 0) {
        remove_from_both(&table, &list, 0);
    }
    CHECK_EQUAL(table.used, 0);
    /* The granule has its entry again. */
    both_put(block_at(at, 600));
    CHECK_EQUAL(tm_count_shadow(&shadow), 1);
    both_compare();
    end();
}


static void
test_blocks_change_hands(void)
{
    static const size_t sizes[] = {16, 600, MAX_ENTRY_SIZE + 1};
    begin();
    for (size_t i = 0; i < 3; i++) {
        both_put(block_at((i + 1) * LEAF_SPAN, sizes[i]));
        list.blocks[i].context = 77;
        tm_set_block_context(&table, 0, list.blocks[i].address, 77);
    }
    both_compare();
    end();
}


/* Empty leaves go, but for a few, and so do branches without leaves. */
static void
test_leaves_are_given_back(void)
{
    enum { N = 400 };
    begin();
    uintptr_t apart = BRANCH_LEAVES / 4 * LEAF_SPAN;
    for (uintptr_t i = 0; i < N; i++) {
        both_put(block_at(i * apart, 4096));
    }
    both_compare();
    CHECK_EQUAL(shadow.nleaves, N);
    CHECK(shadow.nbranches >= N / 4);
    while (list.used > 0) {
        remove_from_both(&table, &list, random_below((uint32_t)list.used));
        size_t empty = shadow.nleaves - list.used;
        CHECK(empty <= 16 || empty <= shadow.nleaves / 2);
        if (list.used % 50 == 0) {
            both_compare();
        }
    }
    CHECK(shadow.nleaves <= 16);
    CHECK(shadow.nbranches <= shadow.nleaves);
    end();
}


/* One block that comes and goes does not make its leaf come and go. */
static void
test_the_last_leaf_stays(void)
{
    begin();
    both_put(block_at(4096, 4096));
    const struct shadow_leaf *leaf = shadow.leaves;
    for (int i = 0; i < 1000; i++) {
        remove_from_both(&table, &list, 0);
        CHECK(shadow.leaves == leaf && shadow.nleaves == 1);
        both_put(block_at(4096, 4096));
        CHECK(shadow.leaves == leaf && shadow.nleaves == 1);
    }
    end();
}


static void
test_clear(void)
{
    begin();
    for (uintptr_t n = 1; n < 400; n *= 3) {
        for (uintptr_t i = 0; i < n; i++) {
            both_put(block_at(i * LEAF_SPAN / 3 + 16, i % 5 * 400));
        }
        both_compare();
        tm_clear_blocks(&table);
        list.used = 0;
        both_compare();
        CHECK_EQUAL(tm_size_of_shadow(&shadow), 0);
    }
    end();
}


/* Nothing has changed when there is no memory, for a leaf or its branch. */
static void
test_without_memory(void)
{
    begin();
    both_put(block_at(16, 5000));
    uintptr_t far = (uintptr_t)1 << 47;
    for (size_t n = 0; n < 2; n++) {
        struct block stale, block = block_at(far, 5000);
        test_fail_after(n, 1);
        CHECK_EQUAL(_PyTraceMalloc_PutBlock(&table, &block, &stale), -1);
        CHECK_EQUAL(_PyTraceMalloc_ReserveBlock(&table, &block), -1);
        test_fail_never();
        both_compare();
    }
    both_put(block_at(far, 5000));
    /* The leaf is there. */
    test_fail_after(0, 1);
    both_put(block_at(far + 8192, 5000));
    test_fail_never();
    both_compare();
    end();
}


static void
test_checker_sees_faults(void)
{
    begin();
    both_put(block_at(16, 5000));
    both_put(block_at(8192, 5000));
    struct shadow_leaf *leaf = shadow.leaves;
    CHECK_SOUND(tm_check_shadow(&shadow));

    leaf->used++;
    CHECK(tm_check_shadow(&shadow) != NULL);
    leaf->used--;

    leaf->granule += LEAF_ENTRIES;
    CHECK(tm_check_shadow(&shadow) != NULL);
    leaf->granule -= LEAF_ENTRIES;

    uint64_t *entry = tm_shadow_entry(leaf, 16), before = *entry;
    *entry = (uint64_t)16 << ENTRY_PLACE_SHIFT;
    CHECK(tm_check_shadow(&shadow) != NULL);
    *entry = before;

    shadow.branches->nleaves++;
    CHECK(tm_check_shadow(&shadow) != NULL);
    shadow.branches->nleaves--;

    shadow.nleaves++;
    CHECK(tm_check_shadow(&shadow) != NULL);
    shadow.nleaves--;

    static struct call_tree tree;
    static struct live_sums live[2];
    CHECK_EQUAL(tm_init_tree(&tree), 0);
    tm_set_block_context(&table, 0, 16, 1);
    tm_set_block_context(&table, 0, 8192, 1);
    CHECK_SOUND(tm_check_blocks(&table, &tree, live));
    CHECK_EQUAL(live[1].blocks, 2);
    CHECK_EQUAL(live[1].bytes, 10000);
    tm_set_block_context(&table, 0, 16, 2000);
    CHECK(tm_check_blocks(&table, &tree, live) != NULL);
    tm_set_block_context(&table, 0, 16, 1);

    /* A block in the table that the shadow does not tell of, or one that it
       does and that is not there. */
    struct block stale, small = block_at(8200, 100);
    small.context = 1;
    CHECK_EQUAL(_PyTraceMalloc_PutBlock(&table, &small, &stale), 0);
    CHECK_SOUND(tm_check_blocks(&table, &tree, live));
    entry = tm_shadow_entry(leaf, 8192);
    CHECK_EQUAL(*entry, 2);
    *entry = 3;
    CHECK(tm_check_blocks(&table, &tree, live) != NULL);
    *entry = tm_pack_entry(8192, 1, GRANULE);
    CHECK(tm_check_blocks(&table, &tree, live) != NULL);
    leaf->crowded--;
    CHECK(tm_check_blocks(&table, &tree, live) != NULL);
    leaf->crowded++;
    *entry = 2;
    CHECK_SOUND(tm_check_blocks(&table, &tree, live));
    tm_fini_tree(&tree);
    end();
}


const struct test shadow_tests[] = {
    {"entries", test_entries},
    {"what has a place in the shadow", test_what_has_a_place},
    {"random sequences against a list", test_random_sequences},
    {"stale blocks give way, in shadow and table",
     test_stale_blocks_give_way},
    {"blocks change hands", test_blocks_change_hands},
    {"empty leaves are given back", test_leaves_are_given_back},
    {"the last leaf that got empty stays", test_the_last_leaf_stays},
    {"clearing gives all leaves back", test_clear},
    {"without memory nothing changes", test_without_memory},
    {"the checker sees what is broken", test_checker_sees_faults},
    {NULL, NULL},
};
