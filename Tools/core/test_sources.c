/* Sources: names, numbers of code objects, lines. */

#include "check.h"

#include <string.h>

static struct source_table table;

/* Owners are only compared. */
static char owners[20000];


static struct line_map *
line_map_make(uint32_t nunits, int wide)
{
    struct line_map *map = test_malloc(
        sizeof(*map) + (nunits + 1) * (wide ? sizeof(int32_t)
                                            : sizeof(uint16_t)));
    map->nunits = nunits;
    map->first = 0;
    map->wide = wide;
    return map;
}


static struct line_map *
line_map_plain(void)
{
    struct line_map *map = line_map_make(1, 0);
    map->units[0] = map->units[1] = 0;
    return map;
}


static void
check_counts(size_t codes, size_t names)
{
    size_t found_codes, found_names;
    _PyTraceMalloc_CountSources(&table, &found_codes, &found_names);
    CHECK_EQUAL(found_codes, codes);
    CHECK_EQUAL(found_names, names);
}


static void
test_names_of_each_kind(void)
{
    static const uint8_t narrow[] = "a.py\0b";
    static const uint16_t middle[] = {'a', 0x2603, 0xd800, '.'};
    static const uint32_t broad[] = {'a', 0x1f40d, 0xdfff};
    CHECK_EQUAL(tm_init_sources(&table), 0);
    name_id first = tm_add_name(&table, 1, narrow, 6);
    name_id second = tm_add_name(&table, 2, middle, 4);
    name_id third = tm_add_name(&table, 4, broad, 3);
    name_id empty = tm_add_name(&table, 1, "", 0);
    CHECK(first != NAME_NONE && second != NAME_NONE && third != NAME_NONE
          && empty != NAME_NONE);
    CHECK(first != second && first != third && second != third);
    CHECK(empty != first && empty != second && empty != third);

    struct name *const *files = table.names->files;
    CHECK(files[NAME_NONE] == NULL);
    CHECK(files[first]->kind == 1 && files[first]->length == 6
          && memcmp(files[first]->text, narrow, 6) == 0);
    CHECK(files[second]->kind == 2 && files[second]->length == 4
          && memcmp(files[second]->text, middle, sizeof(middle)) == 0);
    CHECK(files[third]->kind == 4 && files[third]->length == 3
          && memcmp(files[third]->text, broad, sizeof(broad)) == 0);
    CHECK(files[empty]->length == 0);
    tm_fini_sources(&table);
}


static void
test_equal_names_share_a_number(void)
{
    static const uint16_t wide[] = {0x6161, 0x6262};
    CHECK_EQUAL(tm_init_sources(&table), 0);
    name_id name = tm_add_name(&table, 1, "aabb", 4);
    char copy[] = "aabbc";
    CHECK_EQUAL(tm_add_name(&table, 1, copy, 4), name);
    /* Same bytes, but other characters; a prefix; one character more. */
    CHECK(tm_add_name(&table, 2, wide, 2) != name);
    CHECK(tm_add_name(&table, 1, copy, 3) != name);
    CHECK(tm_add_name(&table, 1, copy, 5) != name);
    CHECK_EQUAL(table.names->used, 5);
    tm_fini_sources(&table);
}


static void
test_names_grow(void)
{
    enum { N = 3000 };
    static name_id ids[N];
    static struct name *places[N];
    CHECK_EQUAL(tm_init_sources(&table), 0);
    for (uint32_t i = 0; i < N; i++) {
        ids[i] = tm_add_name(&table, 4, &i, 1);
        places[i] = table.names->files[ids[i]];
        CHECK_EQUAL(ids[i], i + 1);
    }
    for (uint32_t i = 0; i < N; i++) {
        CHECK_EQUAL(tm_add_name(&table, 4, &i, 1), ids[i]);
        CHECK(table.names->files[ids[i]] == places[i]);
    }
    CHECK_EQUAL(table.names->used, N + 1);
    CHECK_EQUAL(_PyTraceMalloc_SizeOfSources(&table), test_live_bytes());
    tm_fini_sources(&table);
    CHECK_EQUAL(_PyTraceMalloc_SizeOfSources(&table), 0);
}


static void
test_names_grow_without_memory(void)
{
    CHECK_EQUAL(tm_init_sources(&table), 0);
    uint32_t n = 0;
    for (int growths = 0; growths < 3; growths++) {
        while (table.names->used < table.names->allocated) {
            n++;
            CHECK_EQUAL(tm_add_name(&table, 4, &n, 1), n);
        }
        size_t before = test_live_blocks();
        uint32_t next = n + 1, failed = 0;
        for (;; failed++) {
            test_fail_after(failed, 0);
            name_id id = tm_add_name(&table, 4, &next, 1);
            test_fail_never();
            if (id != NAME_NONE) {
                break;
            }
            CHECK_EQUAL(table.names->used, next);
            CHECK_EQUAL(test_live_blocks(), before);
            for (uint32_t i = 1; i <= n; i++) {
                CHECK_EQUAL(tm_add_name(&table, 4, &i, 1), i);
            }
        }
        /* Each of the arrays, and the name itself. */
        CHECK(failed >= 2);
        n++;
        CHECK_EQUAL(tm_add_name(&table, 4, &n, 1), n);
    }
    CHECK_EQUAL(_PyTraceMalloc_SizeOfSources(&table), test_live_bytes());
    tm_fini_sources(&table);
}


static void
test_names_outlive_the_table(void)
{
    CHECK_EQUAL(tm_init_sources(&table), 0);
    name_id id = tm_add_name(&table, 1, "kept.py", 7);
    struct name_table *names = table.names;
    struct name *file = names->files[id];
    tm_hold_names(names);
    tm_hold_names(names);
    tm_fini_sources(&table);
    CHECK(file->length == 7 && memcmp(file->text, "kept.py", 7) == 0);
    tm_drop_names(names);
    CHECK(memcmp(file->text, "kept.py", 7) == 0);
    CHECK(test_live_blocks() > 0);
    tm_drop_names(names);
    CHECK_EQUAL(test_live_blocks(), 0);
}


static void
test_names_are_reclaimed(void)
{
    CHECK_EQUAL(tm_init_sources(&table), 0);
    name_id ids[5];
    for (uint32_t i = 0; i < 5; i++) {
        ids[i] = tm_add_name(&table, 4, &i, 1);
    }
    /* Names 1 and 3 have code, of which one is dead. */
    CHECK_EQUAL(code_add_named(&table, owners, ids[1],
                                       line_map_plain()), 1);
    CHECK_EQUAL(code_add_named(&table, owners, ids[3],
                                       line_map_plain()), 2);
    tm_retire_code(&table, 2);

    check_counts(2, 5);

    /* Not under the eyes of a frozen copy. */
    struct name_table *names = table.names;
    tm_hold_names(names);
    tm_reclaim_names(&table);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK_EQUAL(tm_add_name(&table, 4, &i, 1), ids[i]);
    }
    tm_drop_names(names);

    /* Nor without memory. */
    test_fail_after(0, 1);
    tm_reclaim_names(&table);
    test_fail_never();
    CHECK(names->files[ids[0]] != NULL);

    tm_reclaim_names(&table);
    tm_reclaim_names(&table);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK((names->files[ids[i]] != NULL) == (i == 1 || i == 3));
    }
    check_counts(2, 2);
    CHECK_EQUAL(_PyTraceMalloc_SizeOfSources(&table), test_live_bytes());
    for (uint32_t i = 1; i < 5; i += 2) {
        CHECK_EQUAL(tm_add_name(&table, 4, &i, 1), ids[i]);
    }
    /* Three numbers come again, each once; then new ones. */
    unsigned char given[6] = {0};
    for (uint32_t i = 10; i < 13; i++) {
        name_id id = tm_add_name(&table, 4, &i, 1);
        CHECK(id <= 5 && id != ids[1] && id != ids[3] && !given[id]);
        given[id] = 1;
    }
    CHECK_EQUAL(tm_add_name(&table, 1, "x", 1), 6);
    tm_recycle_codes(&table, NULL);
    tm_reclaim_names(&table);
    CHECK(names->files[ids[3]] == NULL && names->files[ids[1]] != NULL);
    check_counts(1, 1);
    CHECK_EQUAL(_PyTraceMalloc_SizeOfSources(&table), test_live_bytes());
    tm_fini_sources(&table);
}


static void
test_codes_grow_and_keep_their_place(void)
{
    uint32_t n = 3 * CHUNK_SIZE + 5;
    CHECK_EQUAL(tm_init_sources(&table), 0);
    name_id file = tm_add_name(&table, 1, "f", 1);
    const struct source_code *site = NULL;
    for (uint32_t i = 1; i <= n; i++) {
        CHECK_EQUAL(code_add_named(&table, &owners[i], file,
                                           line_map_plain()), i);
        if (i == 1) {
            site = tm_source_at(&table, 1);
        }
    }
    CHECK(site == tm_source_at(&table, 1));
    for (uint32_t i = 1; i <= n; i++) {
        CHECK(tm_source_at(&table, i)->owner == &owners[i]);
        CHECK_EQUAL(tm_source_at(&table, i)->file, file);
    }
    CHECK_EQUAL(_PyTraceMalloc_SizeOfSources(&table), test_live_bytes());
    tm_fini_sources(&table);
}


static void
test_retired_codes_are_given_again(void)
{
    CHECK_EQUAL(tm_init_sources(&table), 0);
    name_id file = tm_add_name(&table, 1, "f", 1);
    name_id other = tm_add_name(&table, 1, "g", 1);
    for (code_id id = 1; id <= 5; id++) {
        CHECK_EQUAL(code_add_named(&table, &owners[id], file,
                                           line_map_plain()), id);
    }
    for (code_id id = 2; id <= 4; id++) {
        tm_retire_code(&table, id);
        CHECK(tm_source_at(&table, id)->owner == NULL);
        CHECK_EQUAL(tm_source_at(&table, id)->file, file);
    }
    CHECK_EQUAL(table.retired, 3);

    /* Not before somebody says that no context names them. */
    CHECK_EQUAL(code_add_named(&table, &owners[6], file,
                                       line_map_plain()), 6);
    static const unsigned char used[7] = {[3] = 1};
    tm_recycle_codes(&table, used);
    CHECK_EQUAL(table.retired, 1);
    CHECK_EQUAL(tm_source_at(&table, 3)->file, file);
    CHECK(tm_source_at(&table, 1)->owner == &owners[1]);

    code_id again = code_add_named(&table, &owners[7], other,
                                           line_map_plain());
    code_id last = code_add_named(&table, &owners[8], other,
                                          line_map_plain());
    CHECK((again == 2 && last == 4) || (again == 4 && last == 2));
    CHECK_EQUAL(tm_source_at(&table, again)->file, other);
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
    CHECK_EQUAL(_PyTraceMalloc_SizeOfSources(&table), test_live_bytes());
    tm_fini_sources(&table);
}


static void
test_codes_run_out(void)
{
    CHECK_EQUAL(tm_init_sources(&table), 0);
    name_id file = tm_add_name(&table, 1, "f", 1);
    struct line_map *lines = line_map_plain();
    uint32_t used = table.used;
    table.used = MAX_CODES;
    CHECK_EQUAL(code_add_named(&table, owners, file, lines),
                CODE_NONE);
    table.used = used;
    /* It did not take them over. */
    CHECK_EQUAL(code_add_named(&table, owners, file, lines), 1);
    tm_fini_sources(&table);
}


static void
test_lines_narrow(void)
{
    CHECK_EQUAL(tm_init_sources(&table), 0);
    name_id file = tm_add_name(&table, 1, "f", 1);
    struct line_map *map = line_map_make(4, 0);
    map->first = 70000;
    map->units[0] = 0;
    map->units[1] = NO_LINE;
    map->units[2] = NO_LINE - 1;
    map->units[3] = 7;
    map->units[4] = 2;
    code_id code = code_add_named(&table, owners, file, map);
    CHECK_EQUAL(tm_source_line(&table, code, 0), 70000);
    CHECK_EQUAL(tm_source_line(&table, code, 1), 0);
    CHECK_EQUAL(tm_source_line(&table, code, 2), 70000 + NO_LINE - 1);
    CHECK_EQUAL(tm_source_line(&table, code, 3), 70007);
    /* Before the first unit, and behind the last. */
    CHECK_EQUAL(tm_source_line(&table, code, -1), 70002);
    CHECK_EQUAL(tm_source_line(&table, code, 4), 70002);
    CHECK_EQUAL(tm_source_line(&table, code, 5), 70002);
    CHECK_EQUAL(tm_source_line(&table, code, INTPTR_MAX), 70002);
    tm_fini_sources(&table);
}


static void
test_lines_wide(void)
{
    static const int32_t lines[] = {1, INT32_MAX, 0, 9};
    CHECK_EQUAL(tm_init_sources(&table), 0);
    name_id file = tm_add_name(&table, 1, "f", 1);
    struct line_map *map = line_map_make(3, 1);
    map->first = 12345;
    memcpy(map->units, lines, sizeof(lines));
    code_id code = code_add_named(&table, owners, file, map);
    CHECK_EQUAL(tm_source_line(&table, code, 0), 1);
    CHECK_EQUAL(tm_source_line(&table, code, 1), INT32_MAX);
    CHECK_EQUAL(tm_source_line(&table, code, 2), 0);
    CHECK_EQUAL(tm_source_line(&table, code, -1), 9);
    CHECK_EQUAL(tm_source_line(&table, code, 3), 9);
    CHECK_EQUAL(_PyTraceMalloc_SizeOfSources(&table), test_live_bytes());
    tm_retire_code(&table, code);
    CHECK_EQUAL(_PyTraceMalloc_SizeOfSources(&table), test_live_bytes());
    tm_fini_sources(&table);
}


static void
test_locations_outlive_the_code(void)
{
    unsigned char locations[] = {0x81, 0x25, 0xd0, 3, 9};
    CHECK_EQUAL(tm_init_sources(&table), 0);
    name_id file = tm_add_name(&table, 1, "f", 1);
    for (code_id id = 1; id <= 2; id++) {
        struct code_source source = {
            .file = file,
            .function = tm_add_name(&table, 1, "f.g", 3),
            .lines = line_map_plain(),
            .locations = locations,
            .nlocations = sizeof(locations),
        };
        CHECK_EQUAL(tm_add_code(&table, &owners[id], &source), id);
        CHECK(tm_source_at(&table, id)->locations == locations);
    }
    tm_retire_code(&table, 1);
    test_fail_after(0, 1);
    tm_retire_code(&table, 2);
    test_fail_never();
    memset(locations, 0, sizeof(locations));

    static const unsigned char expected[] = {0x81, 0x25, 0xd0, 3, 9};
    CHECK_EQUAL(tm_source_at(&table, 1)->nlocations, sizeof(expected));
    CHECK(memcmp(tm_source_at(&table, 1)->locations, expected,
                 sizeof(expected)) == 0);
    CHECK_EQUAL(tm_source_at(&table, 1)->function, 2);
    CHECK_EQUAL(tm_source_at(&table, 2)->nlocations, 0);
    CHECK_EQUAL(table.retired_bytes, sizeof(expected));
    CHECK_EQUAL(_PyTraceMalloc_SizeOfSources(&table), test_live_bytes());

    tm_recycle_codes(&table, NULL);
    CHECK_EQUAL(table.retired_bytes, 0);
    CHECK_EQUAL(_PyTraceMalloc_SizeOfSources(&table), test_live_bytes());
    /* Their function's name goes with them. */
    tm_reclaim_names(&table);
    CHECK(table.names->files[2] == NULL);
    tm_fini_sources(&table);
}


static void
check_location(const struct location *found, int32_t lines, int32_t column,
               int32_t end_column)
{
    CHECK(found->lines == lines);
    CHECK(found->column == column);
    CHECK(found->end_column == end_column);
}


static void
test_locations_of_each_kind(void)
{
    static const unsigned char bytes[] = {
        0x81, 0x25,                     /* two units, short, columns 2 to 7 */
        0xc8, 0x7f,                     /* short, 79 to 94 */
        0xd0, 3, 127,                   /* one line, 3 to 127 */
        0xe0, 0, 5,                     /* two lines further */
        0xe8, 0x43, 1,                  /* 33 lines back, no columns */
        0xf0, 2, 0x41, 2, 0x42, 3, 1,   /* long: 129 lines, 193, column 0 */
        0xf0, 0, 0, 0, 0,               /* long, no columns */
        0xf8,                           /* nothing known */
        0x87, 0x00,                     /* more units than there are */
    };
    struct location units[12];
    memset(units, 0x55, sizeof(units));
    _PyTraceMalloc_ReadLocations(bytes, sizeof(bytes), units, 11);
    check_location(&units[0], 0, 2, 7);
    check_location(&units[1], 0, 2, 7);
    check_location(&units[2], 0, 79, 94);
    check_location(&units[3], 0, 3, 127);
    check_location(&units[4], 0, 0, 5);
    check_location(&units[5], 0, -1, -1);
    check_location(&units[6], 129, 193, 0);
    check_location(&units[7], 0, -1, -1);
    check_location(&units[8], -1, -1, -1);
    check_location(&units[9], 0, 0, 0);
    check_location(&units[10], 0, 0, 0);
    check_location(&units[11], 0x55555555, 0x55555555, 0x55555555);
}


/* Tables that are cut off, or are no tables, are read to where they make
   sense; a sanitizer sees whether a byte more is read. */
static void
test_locations_that_are_wrong(void)
{
    static const unsigned char whole[] = {
        0x80, 0x25, 0xf0, 2, 0x41, 2, 0x42, 3, 1,
    };
    for (size_t length = 0; length < sizeof(whole); length++) {
        unsigned char *cut = test_malloc(length + 1);
        memcpy(cut + 1, whole, length);
        struct location units[2];
        _PyTraceMalloc_ReadLocations(cut + 1, length, units, 2);
        check_location(&units[0], length >= 2 ? 0 : -1,
                       length >= 2 ? 2 : -1, length >= 2 ? 7 : -1);
        check_location(&units[1], -1, -1, -1);
        test_free(cut);
    }
    static const unsigned char endless[] = {
        0xf0, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0, 0, 0, 0x80, 0x25,
    };
    struct location unit;
    _PyTraceMalloc_ReadLocations(endless, sizeof(endless), &unit, 1);
    check_location(&unit, -1, -1, -1);
    static const unsigned char no_entry[] = {0x25, 0x80};
    _PyTraceMalloc_ReadLocations(no_entry, sizeof(no_entry), &unit, 1);
    check_location(&unit, -1, -1, -1);
    for (int round = 0; round < 2000; round++) {
        uint32_t length = random_below(40);
        unsigned char *noise = test_malloc(length + 1);
        struct location units[50];
        for (uint32_t i = 0; i < length; i++) {
            noise[i + 1] = (unsigned char)(random_bits()
                                           >> (random_below(2) ? 8 : 9));
        }
        _PyTraceMalloc_ReadLocations(noise + 1, length, units, 50);
        for (size_t i = 0; i < 50; i++) {
            CHECK(units[i].lines >= -1 && units[i].column >= -1
                  && units[i].end_column >= -1);
        }
        test_free(noise);
    }
}


const struct test sources_tests[] = {
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
    {"code objects grow, and never move",
     test_codes_grow_and_keep_their_place},
    {"numbers of dead code are given again, if no context names them",
     test_retired_codes_are_given_again},
    {"no numbers for code are left", test_codes_run_out},
    {"lines of two bytes, also before the first and behind the last unit",
     test_lines_narrow},
    {"lines of four bytes", test_lines_wide},
    {"locations of code that is gone", test_locations_outlive_the_code},
    {"locations of each kind", test_locations_of_each_kind},
    {"locations that are cut off, or noise", test_locations_that_are_wrong},
    {NULL, NULL},
};
