/* Location tables. */

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


const struct test locations_tests[] = {
    {"locations of each kind", test_locations_of_each_kind},
    {"locations that are cut off, or noise", test_locations_that_are_wrong},
    {NULL, NULL},
};
