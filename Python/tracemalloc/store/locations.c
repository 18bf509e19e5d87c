/* Location tables: reading what CPython's compiler wrote.

   Called by snapshot/, for the columns of all instructions that allocated, and
   by Modules/_tracemalloc.c, for those of one block; calls nobody.

   A location table is a chain of entries, each for the next 1 to 8 units:

       1 kind kind kind kind n n n     n: units, minus 1
       what the kind says; the highest bit is clear

       kind 0 to 9    same line; columns below 80 in one byte
            10 to 12  that many lines further, minus 10; one line; columns in
                      a byte each
            13        lines further; no columns
            14        lines further; lines to the end; columns + 1
            15        nothing is known

   Numbers have 6 bits a byte, the lowest first; all but the last byte have bit
   6 set.  Where a line begins is not read here: contexts have it. */

#include "locations.h"

struct location_reader {
    const unsigned char *at, *end;
    int failed;                 /* an entry is cut off, or out of range */
};


static unsigned
read_byte(struct location_reader *reader)
{
    if (reader->at == reader->end || *reader->at & 0x80) {
        reader->failed = 1;
        return 0;
    }
    return *reader->at++;
}


static int32_t
read_number(struct location_reader *reader)
{
    uint32_t number = 0;
    for (unsigned shift = 0; shift < 30; shift += 6) {
        unsigned byte = read_byte(reader);
        number |= (uint32_t)(byte & 0x3f) << shift;
        if (!(byte & 0x40)) {
            return (int32_t)number;
        }
    }
    /* No source has so many lines or columns. */
    reader->failed = 1;
    return 0;
}


/* What follows the first byte of an entry. */
static struct location
read_location(struct location_reader *reader, unsigned kind)
{
    struct location location = {-1, -1, -1};
    if (kind <= 9) {
        unsigned byte = read_byte(reader);
        location.lines = 0;
        location.column = (int32_t)(kind * 8 + (byte >> 4));
        location.end_column = location.column + (int32_t)(byte & 15);
    }
    else if (kind <= 12) {
        location.lines = 0;
        location.column = (int32_t)read_byte(reader);
        location.end_column = (int32_t)read_byte(reader);
    }
    else if (kind <= 14) {
        (void)read_number(reader);
        location.lines = 0;
        if (kind == 14) {
            location.lines = read_number(reader);
            location.column = read_number(reader) - 1;
            location.end_column = read_number(reader) - 1;
        }
    }
    return location;
}


PART void
tm_read_locations(const unsigned char *table, size_t length,
                  struct location *units, size_t nunits)
{
    const struct location unknown = {-1, -1, -1};
    struct location_reader reader = {.at = table, .end = table + length};
    size_t unit = 0;
    while (unit < nunits && reader.at < reader.end && *reader.at & 0x80) {
        unsigned first = *reader.at++;
        struct location location = read_location(&reader, first >> 3 & 15);
        if (reader.failed) {
            break;
        }
        for (unsigned n = (first & 7) + 1; n > 0 && unit < nunits; n--) {
            units[unit++] = location;
        }
    }
    while (unit < nunits) {
        units[unit++] = unknown;
    }
}
