/* The code table: numbers of code objects, lines. */

#include "check.h"

#include <string.h>

static struct code_table table;

/* Owners are only compared. */
static char owners[20000];


static void
test_codes_grow_and_keep_their_place(void)
{
    uint32_t n = 3 * CODE_CHUNK_SIZE + 5;
    CHECK_EQUAL(tm_init_codes(&table), 0);
    name_id file = tm_add_name(table.names, 1, "f", 1);
    const struct code_entry *first = NULL;
    for (uint32_t i = 1; i <= n; i++) {
        CHECK_EQUAL(code_add_named(&table, &owners[i], file,
                                   line_map_plain()), i);
        if (i == 1) {
            first = tm_code_at(&table, 1);
        }
    }
    CHECK(first == tm_code_at(&table, 1));
    for (uint32_t i = 1; i <= n; i++) {
        CHECK(tm_code_at(&table, i)->owner == &owners[i]);
        CHECK_EQUAL(tm_code_at(&table, i)->file, file);
    }
    CHECK_EQUAL(tm_size_of_codes(&table), test_live_bytes());
    tm_fini_codes(&table);
}


static void
test_retired_codes_are_given_again(void)
{
    CHECK_EQUAL(tm_init_codes(&table), 0);
    name_id file = tm_add_name(table.names, 1, "f", 1);
    name_id other = tm_add_name(table.names, 1, "g", 1);
    for (code_id id = 1; id <= 5; id++) {
        CHECK_EQUAL(code_add_named(&table, &owners[id], file,
                                   line_map_plain()), id);
    }
    for (code_id id = 2; id <= 4; id++) {
        tm_retire_code(&table, id);
        CHECK(tm_code_at(&table, id)->owner == NULL);
        CHECK_EQUAL(tm_code_at(&table, id)->file, file);
    }
    CHECK_EQUAL(table.retired, 3);

    /* Not before somebody says that no context names them. */
    CHECK_EQUAL(code_add_named(&table, &owners[6], file,
                               line_map_plain()), 6);
    static const unsigned char used[7] = {[3] = 1};
    tm_recycle_codes(&table, used);
    CHECK_EQUAL(table.retired, 1);
    CHECK_EQUAL(tm_code_at(&table, 3)->file, file);
    CHECK(tm_code_at(&table, 1)->owner == &owners[1]);

    code_id again = code_add_named(&table, &owners[7], other,
                                   line_map_plain());
    code_id last = code_add_named(&table, &owners[8], other,
                                  line_map_plain());
    CHECK((again == 2 && last == 4) || (again == 4 && last == 2));
    CHECK_EQUAL(tm_code_at(&table, again)->file, other);
    CHECK_EQUAL(code_add_named(&table, &owners[9], file,
                               line_map_plain()), 7);

    /* Twice changes nothing: unused ones are in the chain once. */
    tm_recycle_codes(&table, NULL);
    tm_recycle_codes(&table, NULL);
    CHECK_EQUAL(table.retired, 0);
    CHECK_EQUAL(code_add_named(&table, &owners[10], file,
                               line_map_plain()), 3);
    CHECK_EQUAL(code_add_named(&table, &owners[11], file,
                               line_map_plain()), 8);
    CHECK_EQUAL(tm_size_of_codes(&table), test_live_bytes());
    tm_fini_codes(&table);
}


static void
test_codes_run_out(void)
{
    CHECK_EQUAL(tm_init_codes(&table), 0);
    name_id file = tm_add_name(table.names, 1, "f", 1);
    struct line_map *lines = line_map_plain();
    uint32_t used = table.used;
    table.used = MAX_CODES;
    CHECK_EQUAL(code_add_named(&table, owners, file, lines),
                CODE_NONE);
    table.used = used;
    /* It did not take them over. */
    CHECK_EQUAL(code_add_named(&table, owners, file, lines), 1);
    tm_fini_codes(&table);
}


/* Of a map as wide as these lines need: they, none, and the bounds. */
static void
lines_check(int32_t lowest, int32_t highest, uint32_t unit_size)
{
    CHECK_EQUAL(tm_init_codes(&table), 0);
    name_id file = tm_add_name(table.names, 1, "f", 1);
    struct line_map *map = tm_new_lines(4, lowest, highest);
    CHECK_EQUAL(map->unit_size, unit_size);
    tm_set_line(map, 0, lowest);
    tm_set_line(map, 2, highest);
    tm_set_line(map, 3, lowest + 1);
    tm_set_line(map, 4, highest - 1);
    code_id code = code_add_named(&table, owners, file, map);
    CHECK_EQUAL(tm_code_line(&table, code, 0), lowest);
    CHECK_EQUAL(tm_code_line(&table, code, 1), 0);
    CHECK_EQUAL(tm_code_line(&table, code, 2), highest);
    CHECK_EQUAL(tm_code_line(&table, code, 3), lowest + 1);
    /* Before the first unit, and behind the last. */
    CHECK_EQUAL(tm_code_line(&table, code, -1), highest - 1);
    CHECK_EQUAL(tm_code_line(&table, code, 4), highest - 1);
    CHECK_EQUAL(tm_code_line(&table, code, 5), highest - 1);
    CHECK_EQUAL(tm_code_line(&table, code, INTPTR_MAX), highest - 1);
    CHECK_EQUAL(tm_size_of_codes(&table), test_live_bytes());
    tm_retire_code(&table, code);
    CHECK_EQUAL(tm_size_of_codes(&table), test_live_bytes());
    tm_fini_codes(&table);
}


static void
test_lines_of_all_widths(void)
{
    lines_check(0, 2, 1);
    lines_check(70000, 70000 + UINT8_MAX - 1, 1);
    lines_check(70000, 70000 + UINT8_MAX, 2);
    lines_check(70000, 70000 + UINT16_MAX - 1, 2);
    lines_check(70000, 70000 + UINT16_MAX, 4);
    lines_check(0, INT32_MAX, 4);
    lines_check(INT32_MAX - 2, INT32_MAX, 1);
}


static void
test_locations_outlive_the_code(void)
{
    unsigned char locations[] = {0x81, 0x25, 0xd0, 3, 9};
    CHECK_EQUAL(tm_init_codes(&table), 0);
    name_id file = tm_add_name(table.names, 1, "f", 1);
    for (code_id id = 1; id <= 2; id++) {
        struct code_info info = {
            .file = file,
            .function = tm_add_name(table.names, 1, "f.g", 3),
            .lines = line_map_plain(),
            .locations = locations,
            .nlocations = sizeof(locations),
        };
        CHECK_EQUAL(tm_add_code(&table, &owners[id], &info), id);
        CHECK(tm_code_at(&table, id)->locations == locations);
    }
    tm_retire_code(&table, 1);
    test_fail_after(0, 1);
    tm_retire_code(&table, 2);
    test_fail_never();
    memset(locations, 0, sizeof(locations));

    static const unsigned char expected[] = {0x81, 0x25, 0xd0, 3, 9};
    CHECK_EQUAL(tm_code_at(&table, 1)->nlocations, sizeof(expected));
    CHECK(memcmp(tm_code_at(&table, 1)->locations, expected,
                 sizeof(expected)) == 0);
    CHECK_EQUAL(tm_code_at(&table, 1)->function, 2);
    CHECK_EQUAL(tm_code_at(&table, 2)->nlocations, 0);
    CHECK_EQUAL(table.retired_bytes, sizeof(expected));
    CHECK_EQUAL(tm_size_of_codes(&table), test_live_bytes());

    tm_recycle_codes(&table, NULL);
    CHECK_EQUAL(table.retired_bytes, 0);
    CHECK_EQUAL(tm_size_of_codes(&table), test_live_bytes());
    /* Their function's name goes with them. */
    tm_reclaim_names(&table);
    CHECK(table.names->entries[2] == NULL);
    tm_fini_codes(&table);
}


const struct test codes_tests[] = {
    {"code objects grow, and never move",
     test_codes_grow_and_keep_their_place},
    {"numbers of dead code are given again, if no context names them",
     test_retired_codes_are_given_again},
    {"no numbers for code are left", test_codes_run_out},
    {"lines of one, two and four bytes", test_lines_of_all_widths},
    {"locations of code that is gone", test_locations_outlive_the_code},
    {NULL, NULL},
};
