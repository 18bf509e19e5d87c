/* Line maps: making them of location tables.

   Called by capture/code_objects.c, for each code object that is met; calls
   nobody.  See locations.c for what a table is. */

#include "line_map.h"

#include <stdlib.h>
#include <string.h>


PART struct line_map *
tm_new_lines(uint32_t nunits, int32_t lowest, int32_t highest)
{
    int64_t range = (int64_t)highest - lowest;
    uint32_t unit_size = range < UINT8_MAX ? 1 : range < UINT16_MAX ? 2 : 4;
    size_t size = (nunits + (size_t)1) * unit_size;
    struct line_map *map = malloc(sizeof(*map) + size);
    if (map != NULL) {
        map->nunits = nunits;
        map->first = lowest;
        map->unit_size = unit_size;
        memset(map->units, unit_size == 4 ? 0 : UINT8_MAX, size);
    }
    return map;
}


struct line_reader {
    const unsigned char *at, *end;
    uint32_t line;              /* modulo 2**32; none if it is negative */
    unsigned units;             /* of the entry that was read last */
};


static inline int
is_inside(const struct line_reader *reader)
{
    return reader->at < reader->end && !(*reader->at & 0x80);
}


/* How many lines further, the sign in the lowest bit; 0 if it is cut off. */
static uint32_t
read_step(struct line_reader *reader)
{
    uint32_t number = 0;
    for (unsigned shift = 0; shift < 32 && is_inside(reader); shift += 6) {
        unsigned byte = *reader->at++;
        number |= (uint32_t)(byte & 0x3f) << shift;
        if (!(byte & 0x40)) {
            return number & 1 ? 0 - (number >> 1) : number >> 1;
        }
    }
    return 0;
}


/* Read an entry: its line, or -1 if it has none.  0 at the end. */
static inline int
read_entry(struct line_reader *reader, int32_t *line)
{
    if (reader->at >= reader->end || !(*reader->at & 0x80)) {
        return 0;
    }
    unsigned first = *reader->at++, kind = first >> 3 & 15;
    reader->units = (first & 7) + 1;
    if (kind >= 11) {
        if (kind <= 12) {
            reader->line += kind - 10;
        }
        else if (kind <= 14) {
            reader->line += read_step(reader);
        }
    }
    while (is_inside(reader)) {
        reader->at++;
    }
    *line = kind == 15 || (int32_t)reader->line < 0 ? -1
            : (int32_t)reader->line;
    return 1;
}


/* Let the next units, 8 at most, have a line, or none. */
static inline void
lines_put(struct line_map *map, size_t at, unsigned n, int32_t line)
{
    size_t left = map->nunits - at;
    n = left < n ? (unsigned)left : n;
    if (map->unit_size == 1) {
        uint8_t unit = line < 0 ? UINT8_MAX : (uint8_t)(line - map->first);
        if (left >= 8) {
            /* All 8, since those behind are still to come. */
            memset(map->units + at, unit, 8);
        }
        else {
            memset(map->units + at, unit, n);
        }
        return;
    }
    for (; line >= 0 && n > 0; n--) {
        tm_set_line(map, at++, line);
    }
}


/* Fill a map: 0, or -1 if it is not wide enough for some line. */
static int
lines_fill(struct line_map *map, struct line_reader reader)
{
    int64_t lines = map->unit_size == 1 ? UINT8_MAX
                    : map->unit_size == 2 ? UINT16_MAX : INT64_MAX;
    size_t unit = 0;
    int32_t line;
    while (unit < map->nunits && read_entry(&reader, &line)) {
        if (line >= 0
            && (line < map->first || line - (int64_t)map->first >= lines))
        {
            return -1;
        }
        lines_put(map, unit, reader.units, line);
        unit += reader.units;
    }
    if (unit < map->nunits) {
        /* The table ends before. */
        lines_put(map, unit, 8, -1);
    }
    return 0;
}


PART struct line_map *
tm_read_lines(const unsigned char *table, size_t length, uint32_t nunits,
              int32_t begins)
{
    const struct line_reader reader = {
        .at = table, .end = table + length, .line = (uint32_t)begins,
    };
    int32_t lowest = begins > 0 ? begins : 0, highest = lowest, line;
    /* Most code begins in its lowest line, and has few. */
    struct line_map *map = tm_new_lines(nunits, lowest, highest);
    if (map != NULL && lines_fill(map, reader) < 0) {
        free(map);
        for (struct line_reader all = reader; read_entry(&all, &line);) {
            if (line >= 0) {
                lowest = line < lowest ? line : lowest;
                highest = line > highest ? line : highest;
            }
        }
        map = tm_new_lines(nunits, lowest, highest);
        if (map != NULL) {
            (void)lines_fill(map, reader);
        }
    }
    if (map != NULL) {
        tm_set_line(map, nunits, begins > 0 ? begins : 0);
    }
    return map;
}
