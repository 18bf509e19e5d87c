/* Location tables, and the line maps that are made of them. */

#include "check.h"

#include <string.h>


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
    tm_read_locations(bytes, sizeof(bytes), units, 11);
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
        tm_read_locations(cut + 1, length, units, 2);
        check_location(&units[0], length >= 2 ? 0 : -1,
                       length >= 2 ? 2 : -1, length >= 2 ? 7 : -1);
        check_location(&units[1], -1, -1, -1);
        test_free(cut);
    }
    static const unsigned char endless[] = {
        0xf0, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0, 0, 0, 0x80, 0x25,
    };
    struct location unit;
    tm_read_locations(endless, sizeof(endless), &unit, 1);
    check_location(&unit, -1, -1, -1);
    static const unsigned char no_entry[] = {0x25, 0x80};
    tm_read_locations(no_entry, sizeof(no_entry), &unit, 1);
    check_location(&unit, -1, -1, -1);
    for (int round = 0; round < 2000; round++) {
        uint32_t length = random_below(40);
        unsigned char *noise = test_malloc(length + 1);
        struct location units[50];
        for (uint32_t i = 0; i < length; i++) {
            noise[i + 1] = (unsigned char)(random_bits()
                                           >> (random_below(2) ? 8 : 9));
        }
        tm_read_locations(noise + 1, length, units, 50);
        for (size_t i = 0; i < 50; i++) {
            CHECK(units[i].lines >= -1 && units[i].column >= -1
                  && units[i].end_column >= -1);
        }
        test_free(noise);
    }
}


/* --- lines --------------------------------------------------------------- */

/* Entries as a table has them, and the lines that they stand for. */
struct written {
    unsigned char bytes[4000];
    size_t length;
    int32_t line;               /* where the next entry begins */
    int32_t lines[4000];        /* of units; 0: none */
    uint32_t nunits;
};


static void
write_number(struct written *table, uint32_t number)
{
    while (number >= 0x40) {
        table->bytes[table->length++] = 0x40 | (number & 0x3f);
        number >>= 6;
    }
    table->bytes[table->length++] = (unsigned char)number;
}


static void
write_entry(struct written *table, unsigned units, unsigned kind,
            int32_t further)
{
    table->bytes[table->length++] =
        (unsigned char)(0x80 | kind << 3 | (units - 1));
    if (kind <= 9) {
        table->bytes[table->length++] = 0x35;
    }
    else if (kind <= 12) {
        table->line += (int32_t)kind - 10;
        table->bytes[table->length++] = 3;
        table->bytes[table->length++] = 127;
    }
    else if (kind <= 14) {
        table->line += further;
        write_number(table, further < 0 ? (0 - (uint32_t)further) << 1 | 1
                            : (uint32_t)further << 1);
        for (unsigned i = 0; kind == 14 && i < 3; i++) {
            write_number(table, 70 * i);
        }
    }
    for (; units > 0; units--) {
        table->lines[table->nunits++] =
            kind == 15 || table->line < 0 ? 0 : table->line;
    }
}


/* A map of the first units of a table: from memory that ends with it. */
static struct line_map *
written_map(const struct written *table, size_t length, uint32_t nunits,
            int32_t begins)
{
    unsigned char *copy = test_malloc(length + 1);
    memcpy(copy + 1, table->bytes, length);
    struct line_map *map = tm_read_lines(copy + 1, length, nunits, begins);
    test_free(copy);
    return map;
}


static void
check_written(const struct written *table, uint32_t nunits, int32_t begins,
              uint32_t unit_size)
{
    struct line_map *map = written_map(table, table->length, nunits, begins);
    CHECK(map != NULL);
    for (uint32_t i = 0; i < nunits; i++) {
        CHECK_EQUAL(tm_line_at(map, i),
                    i < table->nunits ? table->lines[i] : 0);
    }
    CHECK_EQUAL(tm_line_at(map, nunits), begins > 0 ? begins : 0);
    if (unit_size != 0) {
        CHECK_EQUAL(map->unit_size, unit_size);
    }
    test_free(map);
}


static void
test_lines_of_each_kind(void)
{
    static struct written table;
    table = (struct written){.line = 10};
    write_entry(&table, 1, 13, 0);
    write_entry(&table, 3, 0, 0);
    write_entry(&table, 8, 9, 0);
    write_entry(&table, 2, 15, 0);
    for (unsigned kind = 10; kind <= 12; kind++) {
        write_entry(&table, 2, kind, 0);
    }
    write_entry(&table, 5, 14, 200);
    write_entry(&table, 1, 15, 0);
    write_entry(&table, 1, 14, -190);
    /* More units than are told, as many, and fewer. */
    for (uint32_t n = 0; n < table.nunits + 20; n++) {
        check_written(&table, n, 10, 1);
    }
    write_entry(&table, 2, 13, 255);
    check_written(&table, table.nunits, 10, 2);
    write_entry(&table, 2, 13, -300);
    /* Lines before the first one of all; and the code begins elsewhere. */
    write_entry(&table, 3, 13, 40);
    check_written(&table, table.nunits + 9, 10, 2);
    write_entry(&table, 7, 14, 1 << 20);
    check_written(&table, table.nunits + 1, 10, 4);
}


static void
test_lines_of_any_tables(void)
{
    static struct written table;
    for (int round = 0; round < 300; round++) {
        int32_t begins = (int32_t)random_below(300) - 20;
        table = (struct written){.line = begins};
        uint32_t far = round % 3 == 0 ? 20 : round % 3 == 1 ? 400 : 100000;
        for (uint32_t n = random_below(200); n > 0; n--) {
            write_entry(&table, 1 + random_below(8), random_below(16),
                        (int32_t)random_below(far) - (int32_t)far / 3);
        }
        check_written(&table, table.nunits, begins, 0);
        check_written(&table, table.nunits + random_below(20), begins, 0);
        check_written(&table, random_below(table.nunits + 1), begins, 0);
    }
}


static void
test_lines_that_are_wrong(void)
{
    static struct written table;
    for (int round = 0; round < 2000; round++) {
        for (table.length = 0; table.length < 40; table.length++) {
            table.bytes[table.length] = (unsigned char)random_below(256);
        }
        struct line_map *map = written_map(&table, random_below(40),
                                           random_below(60), 1000);
        CHECK(map != NULL);
        test_free(map);
    }
    /* Numbers that never end, and lines that run over. */
    table = (struct written){.line = 0};
    static const unsigned char endless[] = {
        0xe8, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x80, 0,
    };
    memcpy(table.bytes, endless, sizeof(endless));
    struct line_map *map = written_map(&table, sizeof(endless), 2, 5);
    CHECK_EQUAL(tm_line_at(map, 1), 5);
    test_free(map);
    table = (struct written){.line = 0};
    for (int i = 0; i < 9; i++) {
        write_entry(&table, 1, 13, INT32_MAX / 4);
        table.line = 0;
    }
    map = written_map(&table, table.length, 9, 1);
    CHECK_EQUAL(tm_line_at(map, 3), INT32_MAX / 4 * 4 + 1);
    CHECK_EQUAL(tm_line_at(map, 5), 0);
    test_free(map);
    /* Without memory, also for a wider one. */
    for (size_t had = 0; had < 2; had++) {
        test_fail_after(had, 1);
        CHECK(tm_read_lines(table.bytes, table.length, 9, 1) == NULL);
        test_fail_never();
    }
}


const struct test locations_tests[] = {
    {"locations of each kind", test_locations_of_each_kind},
    {"locations that are cut off, or noise", test_locations_that_are_wrong},
    {"lines of each kind", test_lines_of_each_kind},
    {"lines of any tables, in maps of all widths", test_lines_of_any_tables},
    {"lines that are cut off, or noise", test_lines_that_are_wrong},
    {NULL, NULL},
};
