/* Blocks: the open-addressing table.  Every test keeps a plain list beside it
   and compares by looking for each. */

#include "block_list.h"

#include <string.h>

static struct block_table table;

static struct block_list list;


static void
table_begin(void)
{
    CHECK_EQUAL(tm_init_blocks(&table, NULL), 0);
    list.used = 0;
}


static void
both_add(uint32_t domain, uintptr_t address)
{
    struct block block = {
        .address = address,
        .size = (size_t)random_bits(),
        .context = 1 + random_below(1u << 25),
        .domain = domain,
    };
    CHECK_EQUAL(_PyTraceMalloc_ReserveBlock(&table, &block), 0);
    _PyTraceMalloc_AddBlock(&table, &block);
    list.blocks[list.used++] = block;
}


static void
both_compare(void)
{
    CHECK_EQUAL(table.used, list.used);
    for (size_t i = 0; i < list.used; i++) {
        const struct block *expected = &list.blocks[i];
        struct block found;
        CHECK(tm_find_block(&table, expected->domain, expected->address,
                            &found));
        CHECK(block_equals(&found, expected));
    }
    size_t walked = 0;
    struct block_cursor cursor = tm_walk_table(&table);
    struct block block;
    while (_PyTraceMalloc_NextBlock(&cursor, &block)) {
        walked++;
    }
    CHECK_EQUAL(walked, list.used);
    CHECK_EQUAL(tm_count_table(&table), list.used);
    CHECK_EQUAL(tm_size_of_blocks(&table), test_live_bytes());
}


static int
list_has(uint32_t domain, uintptr_t address)
{
    for (size_t i = 0; i < list.used; i++) {
        if (list.blocks[i].address == address
            && list.blocks[i].domain == domain)
        {
            return 1;
        }
    }
    return 0;
}


static void
test_any_address_any_domain(void)
{
    static const uintptr_t addresses[] = {
        0, 1, 16, 4096, UINTPTR_MAX, UINTPTR_MAX - 15, UINTPTR_MAX / 2 + 1,
    };
    static const uint32_t domains[] = {0, 1, 0x80000000u, UINT32_MAX};
    enum {
        NADDRESSES = sizeof(addresses) / sizeof(addresses[0]),
        NDOMAINS = sizeof(domains) / sizeof(domains[0]),
    };
    table_begin();
    for (size_t i = 0; i < NADDRESSES; i++) {
        for (size_t j = 0; j < NDOMAINS; j++) {
            struct block found;
            CHECK(!tm_find_block(&table, domains[j], addresses[i], &found));
            both_add(domains[j], addresses[i]);
            both_compare();
        }
    }
    while (list.used > 0) {
        remove_from_both(&table, &list, random_below((uint32_t)list.used));
        both_compare();
    }
    tm_fini_blocks(&table);
}


static void
test_grows_and_shrinks(void)
{
    enum { N = 6000 };
    table_begin();
    size_t smallest = table.mask;
    for (uintptr_t i = 0; i < N; i++) {
        both_add(0, 0x7f0000000000u + i * 4096);
        /* Room for one more at all times, and never more than 3/4 full. */
        CHECK(table.used * 4 <= (table.mask + 1) * 3);
    }
    CHECK(table.mask > smallest);
    both_compare();
    while (list.used > 0) {
        remove_from_both(&table, &list, random_below((uint32_t)list.used));
        CHECK(table.mask == smallest
              || table.used * 8 >= (table.mask + 1) / 2);
        if (list.used % 500 == 0) {
            both_compare();
        }
    }
    CHECK_EQUAL(table.mask, smallest);
    tm_fini_blocks(&table);
    CHECK_EQUAL(tm_size_of_blocks(&table), 0);
}


/* Where in the table the block at an address lies. */
static size_t
slot_of(uintptr_t address)
{
    size_t at = 0;
    while (table.slots[at].context == CONTEXT_NONE
           || table.slots[at].address != address)
    {
        CHECK(at < table.mask);
        at++;
    }
    return at;
}


/* Addresses whose chains lie across the end of the table, found by trying. */
static void
test_chains_wrap_around(void)
{
    table_begin();
    for (int round = 0; round < 200; round++) {
        /* At most 13 blocks in 20 slots around the end: never all taken. */
        for (size_t wanted = 4 + random_below(6); wanted > 0;) {
            uintptr_t address = (uintptr_t)random_bits();
            struct block removed, block = {.address = address, .context = 1};
            if (list_has(0, address)) {
                continue;
            }
            CHECK_EQUAL(_PyTraceMalloc_ReserveBlock(&table, &block), 0);
            _PyTraceMalloc_AddBlock(&table, &block);
            size_t at = slot_of(address);
            CHECK_EQUAL(_PyTraceMalloc_RemoveBlock(&table, 0, address,
                                                   &removed), 1);
            if (at + 10 > table.mask || at < 10) {
                both_add(0, address);
                wanted--;
            }
        }
        both_compare();
        while (list.used > 3) {
            remove_from_both(&table, &list, random_below((uint32_t)list.used));
            both_compare();
        }
    }
    tm_fini_blocks(&table);
}


static void
test_random_sequences(void)
{
    int rounds = test_options.quick ? 20000 : 60000;
    table_begin();
    /* Few addresses, so that they come again; several domains, so that one
       address is there more than once. */
    uint32_t span = 40;
    for (int i = 0; i < rounds; i++) {
        if (i % 5000 == 0) {
            span = 20u << random_below(8);
        }
        uint32_t domain = random_below(3);
        uintptr_t address = (uintptr_t)random_below(span) << 4;
        if (list_has(domain, address)) {
            size_t at = 0;
            while (list.blocks[at].address != address
                   || list.blocks[at].domain != domain)
            {
                at++;
            }
            remove_from_both(&table, &list, at);
        }
        else if (list.used < 4000) {
            struct block removed;
            CHECK_EQUAL(_PyTraceMalloc_RemoveBlock(&table, domain, address,
                                                   &removed), 0);
            both_add(domain, address);
        }
        if (i % 97 == 0) {
            both_compare();
        }
    }
    tm_fini_blocks(&table);
}


static void
test_put_replaces(void)
{
    table_begin();
    for (uintptr_t i = 0; i < 500; i++) {
        struct block stale = {0}, block = {
            .address = i << 4, .size = i, .context = 7, .domain = 3,
        };
        CHECK_EQUAL(_PyTraceMalloc_PutBlock(&table, &block, &stale), 0);
        CHECK_EQUAL(stale.context, CONTEXT_NONE);
        struct block second = block;
        second.size = 1000 + i;
        second.context = 8;
        CHECK_EQUAL(_PyTraceMalloc_PutBlock(&table, &second, &stale), 1);
        CHECK(block_equals(&stale, &block));
        CHECK_EQUAL(_PyTraceMalloc_PutBlock(&table, &second, &stale), 0);
        list.blocks[list.used++] = second;
        /* The same address in another domain is another block. */
        CHECK(!tm_find_block(&table, 4, block.address, &stale));
    }
    both_compare();
    while (list.used > 0) {
        remove_from_both(&table, &list, random_below((uint32_t)list.used));
    }
    both_compare();
    tm_fini_blocks(&table);
}


static void
test_clear(void)
{
    table_begin();
    size_t smallest = table.mask;
    for (uintptr_t n = 1; n < 5000; n *= 3) {
        for (uintptr_t i = 0; i < n; i++) {
            both_add(3, i);
        }
        tm_clear_blocks(&table);
        list.used = 0;
        both_compare();
        CHECK_EQUAL(table.mask, smallest);
    }
    tm_fini_blocks(&table);
}


static void
test_clear_without_memory(void)
{
    table_begin();
    for (uintptr_t i = 0; i < 5000; i++) {
        both_add(3, i);
    }
    test_fail_after(0, 1);
    tm_clear_blocks(&table);
    test_fail_never();
    list.used = 0;
    both_compare();
    both_add(3, 7);
    both_compare();
    tm_fini_blocks(&table);
}


static void
test_shrinks_without_memory(void)
{
    table_begin();
    for (uintptr_t i = 0; i < 5000; i++) {
        both_add(3, i);
    }
    size_t mask = table.mask;
    test_fail_after(0, 1);
    while (list.used > 10) {
        remove_from_both(&table, &list, random_below((uint32_t)list.used));
    }
    CHECK_EQUAL(table.mask, mask);
    CHECK(test_failures() > 0);
    test_fail_never();
    both_compare();
    remove_from_both(&table, &list, 0);
    CHECK(table.mask < mask);
    both_compare();
    tm_fini_blocks(&table);
}


static void
test_checker_sees_faults(void)
{
    static struct call_tree tree;
    static struct live_sums live[2];
    CHECK_EQUAL(tm_init_tree(&tree), 0);
    CHECK_EQUAL(tm_init_blocks(&table, NULL), 0);
    struct block block = {.address = 160, .size = 5, .context = 1};
    for (int i = 0; i < 3; i++) {
        _PyTraceMalloc_AddBlock(&table, &block);
        block.address += 16;
    }
    CHECK_SOUND(tm_check_blocks(&table, &tree, live));
    CHECK_EQUAL(live[1].blocks, 3);
    CHECK_EQUAL(live[1].bytes, 15);

    table.used++;
    CHECK(tm_check_blocks(&table, &tree, live) != NULL);
    table.used--;

    struct block *found = &table.slots[slot_of(176)];
    found->context = tree.contexts.used;
    CHECK(tm_check_blocks(&table, &tree, live) != NULL);
    found->context = 1;

    /* An entry that lies where no search comes by. */
    struct block moved = *found;
    size_t at = ((size_t)(found - table.slots) + 8) & table.mask;
    while (table.slots[at].context != CONTEXT_NONE) {
        at = (at + 1) & table.mask;
    }
    found->context = CONTEXT_NONE;
    table.slots[at] = moved;
    CHECK(tm_check_blocks(&table, &tree, live) != NULL);
    tm_fini_blocks(&table);
    tm_fini_tree(&tree);
}


const struct test blocks_tests[] = {
    {"any address in any domain", test_any_address_any_domain},
    {"the table grows and shrinks", test_grows_and_shrinks},
    {"chains across the end of the table", test_chains_wrap_around},
    {"random sequences against a list", test_random_sequences},
    {"putting a block in place of one that is there", test_put_replaces},
    {"clearing gives memory back", test_clear},
    {"clearing works without memory", test_clear_without_memory},
    {"removing works without memory", test_shrinks_without_memory},
    {"the checker sees what is broken", test_checker_sees_faults},
    {NULL, NULL},
};
