/* Sources: numbers for code objects, and for names of files and functions.

   Called by Python/tracemalloc_capture.c (to number code objects), reclaim
   and frozen; calls nobody.

       code object --_co_tracemalloc_id--> code --file, function--> names
                                            |
                                            +--> lines, locations

   States of an entry of `codes`:

       unused    owner NULL, in the chain of free entries, no file
       live      owner set
       retired   owner NULL, names and locations kept: contexts may still
                 name it

   unused -> live     AddCode
   live -> retired    RetireCode: the code object died or was renamed
   retired -> unused  RecycleCodes: no context names it

   Invariants: a live entry's owner carries the entry's number; every entry
   but number 0 is in one of the three states; `files` holds no two equal
   names. */

#include "sources.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_NAMES 64

/* What a name takes beside itself. */
#define NAME_BYTES (sizeof(struct name *) + sizeof(name_id))

/* Retired and unused entries both have no owner; the file tells them apart. */
#define ENTRY_IS_RETIRED(entry) \
    ((entry)->owner == NULL && (entry)->file != NAME_NONE)


static uint32_t
name_hash(uint32_t kind, const unsigned char *text, size_t length)
{
    /* FNV-1a (Fowler, Noll, Vo), 32 bits, over the bytes. */
    uint32_t hash = 2166136261u ^ kind;
    for (size_t i = 0; i < length * kind; i++) {
        hash = (hash ^ text[i]) * 16777619u;
    }
    return hash;
}


static int
name_equals(const struct name *file, uint32_t hash, uint32_t kind,
            const void *text, size_t length)
{
    return file->hash == hash && file->kind == kind && file->length == length
           && memcmp(file->text, text, length * kind) == 0;
}


static struct name_table *
names_new(void)
{
    struct name_table *names = calloc(1, sizeof(*names));
    if (names == NULL) {
        return NULL;
    }
    names->refcount = 1;
    names->used = 1;
    names->allocated = FIRST_NAMES;
    names->files = calloc(FIRST_NAMES, sizeof(names->files[0]));
    names->next_unused = calloc(FIRST_NAMES, sizeof(names->next_unused[0]));
    names->bytes = sizeof(*names) + FIRST_NAMES * NAME_BYTES;
    if (names->files == NULL || names->next_unused == NULL) {
        tm_drop_names(names);
        return NULL;
    }
    return names;
}


PART void
tm_hold_names(struct name_table *names)
{
    names->refcount++;
}


PART void
tm_drop_names(struct name_table *names)
{
    assert(names->refcount > 0);
    if (--names->refcount > 0) {
        return;
    }
    for (size_t i = 1; i < names->used; i++) {
        free(names->files[i]);
    }
    free(names->files);
    free(names->next_unused);
    free(names);
}


PART int
tm_init_sources(struct source_table *table)
{
    table->names = names_new();
    table->name_slots = calloc(2 * FIRST_NAMES, sizeof(table->name_slots[0]));
    table->chunks[0] = calloc(CHUNK_SIZE, sizeof(table->chunks[0][0]));
    if (table->names == NULL || table->name_slots == NULL
        || table->chunks[0] == NULL)
    {
        tm_fini_sources(table);
        return -1;
    }
    table->name_mask = 2 * FIRST_NAMES - 1;
    table->used = 1;
    return 0;
}


PART void
tm_fini_sources(struct source_table *table)
{
    if (table->names != NULL) {
        tm_drop_names(table->names);
    }
    for (code_id id = 1; id < table->used; id++) {
        struct source_code *entry = tm_source_at(table, id);
        free(entry->lines);
        if (entry->owner == NULL) {
            free((void *)entry->locations);
        }
    }
    for (size_t i = 0; i < MAX_CODES >> CHUNK_SHIFT && table->chunks[i]; i++) {
        free(table->chunks[i]);
        table->chunks[i] = NULL;
    }
    free(table->name_slots);
    table->names = NULL;
    table->name_slots = NULL;
    table->used = table->unused = table->retired = 0;
    table->line_bytes = table->retired_bytes = 0;
}


/* Enter all names into slots that are free. */
static void
names_index(struct source_table *table)
{
    const struct name_table *names = table->names;
    for (size_t i = 1; i < names->used; i++) {
        if (names->files[i] != NULL) {
            size_t at = names->files[i]->hash & table->name_mask;
            while (table->name_slots[at]) {
                at = (at + 1) & table->name_mask;
            }
            table->name_slots[at] = (uint32_t)i;
        }
    }
}


/* Twice as many names; the slots follow, so they stay at most half full. */
static int
names_grow(struct source_table *table)
{
    struct name_table *names = table->names;
    size_t allocated = 2 * names->allocated;
    size_t mask = 2 * allocated - 1;
    uint32_t *slots = calloc(mask + 1, sizeof(slots[0]));
    struct name **files = malloc(allocated * sizeof(files[0]));
    name_id *next_unused = malloc(allocated * sizeof(next_unused[0]));
    if (slots == NULL || files == NULL || next_unused == NULL) {
        free(slots);
        free(files);
        free(next_unused);
        return -1;
    }
    memcpy(files, names->files, names->used * sizeof(files[0]));
    memcpy(next_unused, names->next_unused,
           names->used * sizeof(next_unused[0]));
    free(names->files);
    free(names->next_unused);
    names->files = files;
    names->next_unused = next_unused;
    names->bytes += (allocated - names->allocated) * NAME_BYTES;
    names->allocated = allocated;
    free(table->name_slots);
    table->name_slots = slots;
    table->name_mask = mask;
    names_index(table);
    return 0;
}


PART name_id
tm_add_name(struct source_table *table, uint32_t kind,
            const void *text, size_t length)
{
    uint32_t hash = name_hash(kind, text, length);
    struct name_table *names = table->names;
    size_t at = hash & table->name_mask;
    while (table->name_slots[at]) {
        name_id id = table->name_slots[at];
        if (name_equals(names->files[id], hash, kind, text, length)) {
            return id;
        }
        at = (at + 1) & table->name_mask;
    }

    name_id id = names->unused;
    if (id == NAME_NONE && names->used == names->allocated) {
        if (names->used > UINT32_MAX / 4 || names_grow(table) < 0) {
            return NAME_NONE;
        }
        at = hash & table->name_mask;
        while (table->name_slots[at]) {
            at = (at + 1) & table->name_mask;
        }
    }
    struct name *file = malloc(sizeof(*file) + length * kind);
    if (file == NULL) {
        return NAME_NONE;
    }
    file->hash = hash;
    file->kind = kind;
    file->length = length;
    memcpy(file->text, text, length * kind);
    if (id != NAME_NONE) {
        names->unused = names->next_unused[id];
    }
    else {
        id = (name_id)names->used++;
    }
    names->files[id] = file;
    names->bytes += sizeof(*file) + length * kind;
    table->name_slots[at] = id;
    return id;
}


/* An unused entry's number, or CODE_NONE. */
static code_id
code_take(struct source_table *table)
{
    code_id id = table->unused;
    if (id != CODE_NONE) {
        table->unused = tm_source_at(table, id)->next_unused;
        return id;
    }
    id = table->used;
    if (id >= MAX_CODES) {
        return CODE_NONE;
    }
    struct source_code **chunk = &table->chunks[id >> CHUNK_SHIFT];
    if (*chunk == NULL) {
        *chunk = calloc(CHUNK_SIZE, sizeof((*chunk)[0]));
        if (*chunk == NULL) {
            return CODE_NONE;
        }
    }
    table->used++;
    return id;
}


static size_t
line_map_size(const struct line_map *map)
{
    size_t unit = map->wide ? sizeof(int32_t) : sizeof(map->units[0]);
    return sizeof(*map) + (map->nunits + (size_t)1) * unit;
}


PART code_id
tm_add_code(struct source_table *table, void *owner,
            const struct code_source *source)
{
    assert(owner != NULL && source->lines != NULL);
    assert(source->file != NAME_NONE && source->function != NAME_NONE);
    code_id id = code_take(table);
    if (id != CODE_NONE) {
        *tm_source_at(table, id) = (struct source_code){
            .owner = owner,
            .lines = source->lines,
            .locations = source->locations,
            .nlocations = source->nlocations,
            .file = source->file,
            .function = source->function,
        };
        table->line_bytes += line_map_size(source->lines);
    }
    return id;
}


PART void
tm_retire_code(struct source_table *table, code_id id)
{
    assert(id != CODE_NONE && id < table->used);
    struct source_code *entry = tm_source_at(table, id);
    assert(entry->owner != NULL);
    table->line_bytes -= line_map_size(entry->lines);
    free(entry->lines);
    entry->lines = NULL;
    entry->owner = NULL;
    table->retired++;
    unsigned char *copy = NULL;
    if (entry->nlocations != 0) {
        copy = malloc(entry->nlocations);
    }
    if (copy != NULL) {
        memcpy(copy, entry->locations, entry->nlocations);
        table->retired_bytes += entry->nlocations;
    }
    else {
        entry->nlocations = 0;
    }
    entry->locations = copy;
}


PART void
tm_recycle_codes(struct source_table *table,
                 const unsigned char *used)
{
    for (code_id id = table->used - 1; id != CODE_NONE; id--) {
        struct source_code *entry = tm_source_at(table, id);
        if (ENTRY_IS_RETIRED(entry) && (used == NULL || !used[id])) {
            table->retired_bytes -= entry->nlocations;
            free((void *)entry->locations);
            *entry = (struct source_code){.next_unused = table->unused};
            table->unused = id;
            table->retired--;
        }
    }
}


PART void
tm_reclaim_names(struct source_table *table)
{
    struct name_table *names = table->names;
    unsigned char *used = NULL;
    if (names->refcount == 1) {
        used = calloc(names->used, 1);
    }
    if (used == NULL) {
        /* A frozen copy reads them, or there is no memory: next time. */
        return;
    }
    for (code_id id = 1; id < table->used; id++) {
        used[tm_source_at(table, id)->file] = 1;
        used[tm_source_at(table, id)->function] = 1;
    }
    for (name_id id = 1; id < names->used; id++) {
        struct name *file = names->files[id];
        if (file != NULL && !used[id]) {
            names->bytes -= sizeof(*file) + file->length * file->kind;
            free(file);
            names->files[id] = NULL;
            names->next_unused[id] = names->unused;
            names->unused = id;
        }
    }
    free(used);
    memset(table->name_slots, 0,
           (table->name_mask + 1) * sizeof(table->name_slots[0]));
    names_index(table);
}


size_t
_PyTraceMalloc_SizeOfSources(const struct source_table *table)
{
    if (table->names == NULL) {
        return 0;
    }
    size_t nchunks = (table->used + CHUNK_SIZE - 1) >> CHUNK_SHIFT;
    return table->names->bytes
           + (table->name_mask + 1) * sizeof(table->name_slots[0])
           + nchunks * CHUNK_SIZE * sizeof(table->chunks[0][0])
           + table->line_bytes + table->retired_bytes;
}


/* --- locations ----------------------------------------------------------- */

/* A location table is a chain of entries, each for the next 1 to 8 units:

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


void
_PyTraceMalloc_ReadLocations(const unsigned char *table, size_t length,
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


void
_PyTraceMalloc_CountSources(const struct source_table *table,
                            size_t *codes, size_t *names)
{
    *codes = *names = 0;
    for (code_id id = 1; id < table->used; id++) {
        *codes += tm_source_at(table, id)->file != NAME_NONE;
    }
    for (name_id id = 1; id < table->names->used; id++) {
        *names += table->names->files[id] != NULL;
    }
}
