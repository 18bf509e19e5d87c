/* The name table: names of files and functions, each with a number. */

#ifndef TRACEMALLOC_NAME_TABLE_H
#define TRACEMALLOC_NAME_TABLE_H

#include "../core.h"

#include <string.h>

/* The name of a file, a function or a thread, as the 1, 2 or 4 bytes per
   character that str uses, so that every name, lone surrogates included, comes
   back as it was. */
struct name {
    uint32_t hash;              /* in a name table only */
    uint32_t kind;              /* bytes per character: 1, 2 or 4 */
    size_t length;              /* characters */
    unsigned char text[];       /* length * kind bytes */
};

/* A character of text, which may begin anywhere. */
static inline uint32_t
tm_character_at(uint32_t kind, const unsigned char *text, size_t i)
{
    uint16_t two;
    uint32_t four;
    switch (kind) {
        case 1:
            return text[i];
        case 2:
            memcpy(&two, text + i * sizeof(two), sizeof(two));
            return two;
        default:
            memcpy(&four, text + i * sizeof(four), sizeof(four));
            return four;
    }
}

/* Names by number, and slots to find the number of a name:

       slots     [ . ][ 2 ][ . ][ 1 ][ . ][ . ][ 4 ][ . ]
                        |         |              |      by hash, then linearly
       entries   [ . ][ x ][ x ][ . ][ x ]
                   0    1    2    3    4
                   |              |
                   never used     unused: in the chain that `unused` begins

   The tracer holds the table.  So does who reads names without the store lock:
   he copies `entries`, which moves when it grows, but the names in there never
   move or change, and none goes while somebody else holds the table.  What
   outlives the tracer's tables keeps all names until it is dropped.

   Invariants
     N1  no two names are equal
     N2  each name's number is in one slot, and nothing else is in the slots,
         of which at most half are in use
     N3  each number below `used` but 0 has a name or is in the chain of unused
         ones

   All but what `entries` points to needs the store lock. */
struct name_table {
    size_t refcount;            /* who holds it, the tracer included */
    struct name **entries;      /* by name_id; NULL: unused */
    name_id *next_unused;       /* chain of unused numbers, by name_id */
    name_id unused;             /* its head */
    size_t used;                /* numbers given so far, 0 included */
    size_t allocated;           /* room for entries */
    name_id *slots;             /* open addressing; NAME_NONE: free */
    size_t mask;                /* slots - 1 */
    size_t bytes;               /* memory of this structure and the names */
};

/* A table without names, held by the caller; NULL when out of memory. */
PART struct name_table *tm_new_names(void);

/* The last one who drops a table frees it. */
PART void tm_hold_names(struct name_table *);
PART void tm_drop_names(struct name_table *);

/* The number of a name, added if new; NAME_NONE when out of memory. */
PART name_id tm_add_name(struct name_table *, uint32_t kind,
                         const void *text, size_t length);

/* Whether names may be freed: nobody but the tracer holds the table. */
static inline int
tm_names_are_mine(const struct name_table *names)
{
    return names->refcount == 1;
}

/* Free all names but those for which keep[number] is not 0.  Only the tracer
   may hold the table. */
PART void tm_free_names_except(struct name_table *, const unsigned char *keep);

PART size_t tm_count_names(const struct name_table *);

#endif  /* !TRACEMALLOC_NAME_TABLE_H */
