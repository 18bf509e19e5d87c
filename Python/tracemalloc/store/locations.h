/* Location tables: where instructions stand in their source. */

#ifndef TRACEMALLOC_LOCATIONS_H
#define TRACEMALLOC_LOCATIONS_H

#include "../core.h"

/* Where an instruction stands in its source: it begins in `column` of its line
   and ends before `end_column`, `lines` lines below.  Columns are counted in
   bytes of UTF-8.  -1: unknown. */
struct location {
    int32_t lines;
    int32_t column;
    int32_t end_column;
};

/* Read a location table: where each of `nunits` code units stands.  Whatever
   the table does not say, or says wrongly, is unknown. */
PART void tm_read_locations(const unsigned char *table,
                            size_t length,
                            struct location *units,
                            size_t nunits);

#endif  /* !TRACEMALLOC_LOCATIONS_H */
