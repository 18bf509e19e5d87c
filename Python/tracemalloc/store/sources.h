/* Sources: see sources.c. */

#ifndef TRACEMALLOC_SOURCES_H
#define TRACEMALLOC_SOURCES_H

#include "../core.h"

/* The name of a file or a function, as the 1, 2 or 4 bytes per character that
   str uses, so that every name, lone surrogates included, comes back as it
   was. */
struct name {
    uint32_t hash;
    uint32_t kind;              /* bytes per character: 1, 2 or 4 */
    size_t length;              /* characters */
    unsigned char text[];       /* length * kind bytes */
};

/* Names never move or change, and none goes while a frozen copy holds a
   reference: that has its own array of pointers, so decoding needs no lock. */
struct name_table {
    size_t refcount;
    size_t used;                /* entries; number 0 is never used */
    size_t allocated;
    struct name **files; /* NULL: unused */
    name_id *next_unused;       /* chain of unused numbers */
    name_id unused;             /* its head */
    size_t bytes;               /* memory of this structure and the names */
};

/* The line of each code unit of a code object, made once: its own table is
   compressed, and takes time proportional to its length.  Most take 2 bytes a
   unit: the line minus `first`, or NO_LINE. */
struct line_map {
    uint32_t nunits;
    int32_t first;
    int wide;                   /* `units` are int32_t, and lines */
    uint16_t units[];
};

#define NO_LINE 0xffff

/* What is known of a code object. */
struct code_source {
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

/* A code object, alive or dead. */
struct source_code {
    void *owner;                /* the code object; NULL: retired or unused */
    struct line_map *lines;     /* NULL without an owner */
    const unsigned char *locations;     /* own memory without an owner */
    uint32_t nlocations;
    name_id file;
    name_id function;
    code_id next_unused;        /* chain of unused entries */
};

#define MAX_CODES ((size_t)1 << 25)

struct source_table {
    struct name_table *names;
    uint32_t *name_slots;       /* open addressing, name_id or 0 */
    size_t name_mask;
    uint32_t used;              /* code objects, number 0 included */
    uint32_t unused;            /* head of the chain of unused numbers */
    uint32_t retired;           /* without an owner, but named by contexts */
    size_t line_bytes;
    size_t retired_bytes;       /* location tables of retired ones */
    struct source_code *chunks[MAX_CODES >> CHUNK_SHIFT];   /* never move */
};

PART int tm_init_sources(struct source_table *);
PART void tm_fini_sources(struct source_table *);

/* The number of a name, added if new; NAME_NONE when out of memory. */
PART name_id tm_add_name(struct source_table *, uint32_t kind,
                         const void *text, size_t length);

/* Give a code object a number.  Takes over the lines (from malloc) on success,
   and borrows the locations until the code object is retired.  CODE_NONE when
   out of memory or numbers. */
PART code_id tm_add_code(struct source_table *, void *owner,
                         const struct code_source *);

/* The code object dies: keep only what contexts name.  Without memory for a
   copy of its locations they are unknown from then on. */
PART void tm_retire_code(struct source_table *, code_id);

/* Let retired numbers for which used[number] is 0 be given again; a NULL
   stands for all zeros. */
PART void tm_recycle_codes(struct source_table *,
                           const unsigned char *used);

/* Free names that no code object, live or retired, has. */
PART void tm_reclaim_names(struct source_table *);

PART void tm_hold_names(struct name_table *);
PART void tm_drop_names(struct name_table *);
extern size_t _PyTraceMalloc_SizeOfSources(const struct source_table *);

/* How many code objects, live or retired, and names there are. */
extern void _PyTraceMalloc_CountSources(const struct source_table *,
                                        size_t *codes, size_t *names);

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
extern void _PyTraceMalloc_ReadLocations(const unsigned char *table,
                                         size_t length,
                                         struct location *units,
                                         size_t nunits);

static inline struct source_code *
tm_source_at(const struct source_table *table, code_id code)
{
    return &table->chunks[code >> CHUNK_SHIFT][code & CHUNK_MASK];
}

/* The line of a code unit of a live code object; 0 if it has none.  -1 stands
   for "before the first one", which is the line where the code begins. */
static inline int32_t
tm_source_line(const struct source_table *table, code_id code, intptr_t unit)
{
    const struct line_map *map = tm_source_at(table, code)->lines;
    /* The entry behind the last unit is the line where the code begins. */
    size_t at = (size_t)unit < map->nunits ? (size_t)unit : map->nunits;
    if (map->wide) {
        return ((const int32_t *)(const void *)map->units)[at];
    }
    return map->units[at] == NO_LINE ? 0 : map->first + map->units[at];
}

#endif  /* !TRACEMALLOC_SOURCES_H */
