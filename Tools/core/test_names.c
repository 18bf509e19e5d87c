/* The name table. */

#include "check.h"

#include <string.h>

static struct code_table table;

/* Owners are only compared. */
static char owners[2];


static void
check_counts(size_t codes, size_t names)
{
    size_t found_codes, found_names;
    tm_count_codes(&table, &found_codes, &found_names);
    CHECK_EQUAL(found_codes, codes);
    CHECK_EQUAL(found_names, names);
}


static void
test_names_of_each_kind(void)
{
    static const uint8_t narrow[] = "a.py\0b";
    static const uint16_t middle[] = {'a', 0x2603, 0xd800, '.'};
    static const uint32_t broad[] = {'a', 0x1f40d, 0xdfff};
    CHECK_EQUAL(tm_init_codes(&table), 0);
    name_id first = tm_add_name(table.names, 1, narrow, 6);
    name_id second = tm_add_name(table.names, 2, middle, 4);
    name_id third = tm_add_name(table.names, 4, broad, 3);
    name_id empty = tm_add_name(table.names, 1, "", 0);
    CHECK(first != NAME_NONE && second != NAME_NONE && third != NAME_NONE
          && empty != NAME_NONE);
    CHECK(first != second && first != third && second != third);
    CHECK(empty != first && empty != second && empty != third);

    struct name *const *entries = table.names->entries;
    CHECK(entries[NAME_NONE] == NULL);
    CHECK(entries[first]->kind == 1 && entries[first]->length == 6
          && memcmp(entries[first]->text, narrow, 6) == 0);
    CHECK(entries[second]->kind == 2 && entries[second]->length == 4
          && memcmp(entries[second]->text, middle, sizeof(middle)) == 0);
    CHECK(entries[third]->kind == 4 && entries[third]->length == 3
          && memcmp(entries[third]->text, broad, sizeof(broad)) == 0);
    CHECK(entries[empty]->length == 0);
    tm_fini_codes(&table);
}


static void
test_equal_names_share_a_number(void)
{
    static const uint16_t wide[] = {0x6161, 0x6262};
    CHECK_EQUAL(tm_init_codes(&table), 0);
    name_id name = tm_add_name(table.names, 1, "aabb", 4);
    char copy[] = "aabbc";
    CHECK_EQUAL(tm_add_name(table.names, 1, copy, 4), name);
    /* Same bytes, but other characters; a prefix; one character more. */
    CHECK(tm_add_name(table.names, 2, wide, 2) != name);
    CHECK(tm_add_name(table.names, 1, copy, 3) != name);
    CHECK(tm_add_name(table.names, 1, copy, 5) != name);
    CHECK_EQUAL(table.names->used, 5);
    tm_fini_codes(&table);
}


static void
test_names_grow(void)
{
    enum { N = 3000 };
    static name_id ids[N];
    static struct name *places[N];
    CHECK_EQUAL(tm_init_codes(&table), 0);
    for (uint32_t i = 0; i < N; i++) {
        ids[i] = tm_add_name(table.names, 4, &i, 1);
        places[i] = table.names->entries[ids[i]];
        CHECK_EQUAL(ids[i], i + 1);
    }
    for (uint32_t i = 0; i < N; i++) {
        CHECK_EQUAL(tm_add_name(table.names, 4, &i, 1), ids[i]);
        CHECK(table.names->entries[ids[i]] == places[i]);
    }
    CHECK_EQUAL(table.names->used, N + 1);
    CHECK_EQUAL(tm_size_of_codes(&table), test_live_bytes());
    tm_fini_codes(&table);
    CHECK_EQUAL(tm_size_of_codes(&table), 0);
}


static void
test_names_grow_without_memory(void)
{
    CHECK_EQUAL(tm_init_codes(&table), 0);
    uint32_t n = 0;
    for (int growths = 0; growths < 3; growths++) {
        while (table.names->used < table.names->allocated) {
            n++;
            CHECK_EQUAL(tm_add_name(table.names, 4, &n, 1), n);
        }
        size_t before = test_live_blocks();
        uint32_t next = n + 1, failed = 0;
        for (;; failed++) {
            test_fail_after(failed, 0);
            name_id id = tm_add_name(table.names, 4, &next, 1);
            test_fail_never();
            if (id != NAME_NONE) {
                break;
            }
            CHECK_EQUAL(table.names->used, next);
            CHECK_EQUAL(test_live_blocks(), before);
            for (uint32_t i = 1; i <= n; i++) {
                CHECK_EQUAL(tm_add_name(table.names, 4, &i, 1), i);
            }
        }
        /* Each of the arrays, and the name itself. */
        CHECK(failed >= 2);
        n++;
        CHECK_EQUAL(tm_add_name(table.names, 4, &n, 1), n);
    }
    CHECK_EQUAL(tm_size_of_codes(&table), test_live_bytes());
    tm_fini_codes(&table);
}


static void
test_names_outlive_the_table(void)
{
    CHECK_EQUAL(tm_init_codes(&table), 0);
    name_id id = tm_add_name(table.names, 1, "kept.py", 7);
    struct name_table *names = table.names;
    struct name *name = names->entries[id];
    tm_hold_names(names);
    tm_hold_names(names);
    tm_fini_codes(&table);
    CHECK(name->length == 7 && memcmp(name->text, "kept.py", 7) == 0);
    tm_drop_names(names);
    CHECK(memcmp(name->text, "kept.py", 7) == 0);
    CHECK(test_live_blocks() > 0);
    tm_drop_names(names);
    CHECK_EQUAL(test_live_blocks(), 0);
}


/* Names are not reclaimed while somebody reads them, nor without memory. */
static void
check_nothing_is_reclaimed(const name_id ids[5])
{
    struct name_table *names = table.names;
    tm_hold_names(names);
    tm_reclaim_names(&table);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK_EQUAL(tm_add_name(names, 4, &i, 1), ids[i]);
    }
    tm_drop_names(names);

    test_fail_after(0, 1);
    tm_reclaim_names(&table);
    test_fail_never();
    CHECK(names->entries[ids[0]] != NULL);
}


static void
test_names_are_reclaimed(void)
{
    CHECK_EQUAL(tm_init_codes(&table), 0);
    name_id ids[5];
    for (uint32_t i = 0; i < 5; i++) {
        ids[i] = tm_add_name(table.names, 4, &i, 1);
    }
    /* Names 1 and 3 have code, of which one is dead. */
    CHECK_EQUAL(code_add_named(&table, owners, ids[1],
                               line_map_plain()), 1);
    CHECK_EQUAL(code_add_named(&table, owners, ids[3],
                               line_map_plain()), 2);
    tm_retire_code(&table, 2);
    check_counts(2, 5);

    check_nothing_is_reclaimed(ids);

    struct name_table *names = table.names;
    tm_reclaim_names(&table);
    tm_reclaim_names(&table);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK((names->entries[ids[i]] != NULL) == (i == 1 || i == 3));
    }
    check_counts(2, 2);
    CHECK_EQUAL(tm_size_of_codes(&table), test_live_bytes());
    for (uint32_t i = 1; i < 5; i += 2) {
        CHECK_EQUAL(tm_add_name(table.names, 4, &i, 1), ids[i]);
    }
    /* Three numbers come again, each once; then new ones. */
    unsigned char given[6] = {0};
    for (uint32_t i = 10; i < 13; i++) {
        name_id id = tm_add_name(table.names, 4, &i, 1);
        CHECK(id <= 5 && id != ids[1] && id != ids[3] && !given[id]);
        given[id] = 1;
    }
    CHECK_EQUAL(tm_add_name(table.names, 1, "x", 1), 6);
    tm_recycle_codes(&table, NULL);
    tm_reclaim_names(&table);
    CHECK(names->entries[ids[3]] == NULL && names->entries[ids[1]] != NULL);
    check_counts(1, 1);
    CHECK_EQUAL(tm_size_of_codes(&table), test_live_bytes());
    tm_fini_codes(&table);
}


const struct test names_tests[] = {
    {"names of one, two and four bytes come back as they were",
     test_names_of_each_kind},
    {"equal names share a number, others do not",
     test_equal_names_share_a_number},
    {"names grow, and never move", test_names_grow},
    {"names that cannot grow for want of memory",
     test_names_grow_without_memory},
    {"names live as long as somebody holds them",
     test_names_outlive_the_table},
    {"names that no code has are reclaimed", test_names_are_reclaimed},
    {NULL, NULL},
};
