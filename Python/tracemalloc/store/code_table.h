/* The code table: what of a code object must outlive it, by number. */

#ifndef TRACEMALLOC_CODE_TABLE_H
#define TRACEMALLOC_CODE_TABLE_H

#include "../core.h"
#include "line_map.h"
#include "name_table.h"

/* What is known of a code object. */
struct code_info {
    name_id file;
    name_id function;           /* its qualified name */
    struct line_map *lines;
    /* Its location table, which says for each instruction from where to where
       it stands.  The code object's own, which is not copied before the code
       object dies: it takes as much memory as the lines, and is read only when
       somebody looks. */
    const unsigned char *locations;
    uint32_t nlocations;        /* bytes */
};

/* A code object, alive or dead.

       code object --_co_tracemalloc_id--> entry --file, function--> names
            ^                                |
            +------------ owner -------------+--> lines, locations

   States of an entry:

       unused    owner NULL, no file; in the chain of unused entries
       live      owner set
       retired   owner NULL, names and locations kept: nodes or contexts may
                 still name it

       unused -> live     tm_add_code
       live -> retired    tm_retire_code: the code object died or was renamed
       retired -> unused  tm_recycle_codes: no node and no context names it */
struct code_entry {
    void *owner;                /* the code object; NULL: retired or unused */
    struct line_map *lines;     /* NULL without an owner */
    const unsigned char *locations;     /* own memory without an owner */
    uint32_t nlocations;
    name_id file;
    name_id function;
    code_id next_unused;        /* chain of unused entries */
};

#define MAX_CODES ((size_t)1 << 25)

/* Entries per chunk: a small program has some hundred. */
#ifdef Py_TRACEMALLOC_STRESS
#  define CODE_CHUNK_SHIFT 4
#else
#  define CODE_CHUNK_SHIFT 8
#endif
#define CODE_CHUNK_SIZE ((size_t)1 << CODE_CHUNK_SHIFT)

/* Invariants: a live entry's owner carries the entry's number; every entry
   below `used` but number 0 is in one of the three states; each name of an
   entry that is live or retired is in `names`.

   All of it needs the store lock, but for the lines of a code object that
   runs: they are read without. */
struct code_table {
    struct name_table *names;
    uint32_t used;              /* code objects, number 0 included */
    uint32_t unused;            /* head of the chain of unused numbers */
    uint32_t retired;           /* how many are */
    size_t line_bytes;
    size_t retired_bytes;       /* location tables of retired ones */
    /* They never move. */
    struct code_entry *chunks[MAX_CODES >> CODE_CHUNK_SHIFT];
};

/* Begin with an empty table, and with names of its own.  0, or -1 when out of
   memory. */
PART int tm_init_codes(struct code_table *);
PART void tm_fini_codes(struct code_table *);

/* Give a code object a number.  Takes over the lines (from malloc) on success,
   and borrows the locations until the code object is retired.  CODE_NONE when
   out of memory or numbers. */
PART code_id tm_add_code(struct code_table *, void *owner,
                         const struct code_info *);

/* The code object dies: keep only what contexts name.  Without memory for a
   copy of its locations they are unknown from then on. */
PART void tm_retire_code(struct code_table *, code_id);

/* Let retired numbers for which used[number] is 0 be given again; a NULL
   stands for all zeros. */
PART void tm_recycle_codes(struct code_table *, const unsigned char *used);

/* Free names that no code object, live or retired, has; not now if somebody
   else holds the names, or without memory. */
PART void tm_reclaim_names(struct code_table *);

/* Bytes that code objects and names take. */
PART size_t tm_size_of_codes(const struct code_table *);

/* How many code objects, live or retired, and names there are. */
PART void tm_count_codes(const struct code_table *,
                         size_t *codes, size_t *names);

static inline struct code_entry *
tm_code_at(const struct code_table *table, code_id code)
{
    return &table->chunks[code >> CODE_CHUNK_SHIFT]
                         [code & (CODE_CHUNK_SIZE - 1)];
}

/* The line of a code unit of a live code object; 0 if it has none.  -1 stands
   for "before the first one", which is the line where the code begins. */
static inline int32_t
tm_code_line(const struct code_table *table, code_id code, intptr_t unit)
{
    const struct line_map *map = tm_code_at(table, code)->lines;
    return tm_line_at(map, (size_t)unit < map->nunits ? (size_t)unit
                                                      : map->nunits);
}

#endif  /* !TRACEMALLOC_CODE_TABLE_H */
