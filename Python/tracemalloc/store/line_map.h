/* Line maps: the line of each instruction of a code object. */

#ifndef TRACEMALLOC_LINE_MAP_H
#define TRACEMALLOC_LINE_MAP_H

#include "../core.h"

/* The line of each code unit of a code object, made once: its own table is
   compressed, and takes time proportional to its length.  Most take a byte a
   unit: the line minus `first`, or all bits, where there is none. */
struct line_map {
    uint32_t nunits;
    int32_t first;
    uint32_t unit_size;         /* bytes: 1, 2; or 4, and units are lines */
    unsigned char units[];      /* and one more: where the code begins */
};

/* The map of a location table, see locations.h, of code that begins in this
   line, or NULL when out of memory: see free().  Where the table knows none,
   or makes no sense, there is no line. */
PART struct line_map *tm_read_lines(const unsigned char *table, size_t length,
                                    uint32_t nunits, int32_t begins);

/* A map without any line so far, of lines from the lowest to the highest one,
   or NULL when out of memory. */
PART struct line_map *tm_new_lines(uint32_t nunits, int32_t lowest,
                                   int32_t highest);

static inline void
tm_set_line(struct line_map *map, size_t at, int32_t line)
{
    if (map->unit_size == 1) {
        map->units[at] = (uint8_t)(line - map->first);
    }
    else if (map->unit_size == 2) {
        ((uint16_t *)(void *)map->units)[at] = (uint16_t)(line - map->first);
    }
    else {
        ((int32_t *)(void *)map->units)[at] = line;
    }
}

/* The line, or 0 if there is none. */
static inline int32_t
tm_line_at(const struct line_map *map, size_t at)
{
    if (map->unit_size == 1) {
        uint8_t line = map->units[at];
        return line == UINT8_MAX ? 0 : map->first + line;
    }
    if (map->unit_size == 2) {
        uint16_t line = ((const uint16_t *)(const void *)map->units)[at];
        return line == UINT16_MAX ? 0 : map->first + line;
    }
    return ((const int32_t *)(const void *)map->units)[at];
}

/* Bytes that it takes. */
static inline size_t
tm_size_of_lines(const struct line_map *map)
{
    return sizeof(*map) + (map->nunits + (size_t)1) * map->unit_size;
}

#endif  /* !TRACEMALLOC_LINE_MAP_H */
