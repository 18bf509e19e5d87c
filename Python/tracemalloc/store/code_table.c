/* The code table: numbers for code objects, with their lines.

   Called by capture/, which numbers a code object when it first meets it, by
   what ends code objects, and by reclaim.c; calls the name table.  See the
   header for the picture. */

#include "code_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Retired and unused entries both have no owner; the file tells them apart. */
#define ENTRY_IS_RETIRED(entry) \
    ((entry)->owner == NULL && (entry)->file != NAME_NONE)


PART int
tm_init_codes(struct code_table *table)
{
    table->names = tm_new_names();
    table->chunks[0] = calloc(CODE_CHUNK_SIZE, sizeof(table->chunks[0][0]));
    if (table->names == NULL || table->chunks[0] == NULL) {
        tm_fini_codes(table);
        return -1;
    }
    table->used = 1;
    return 0;
}


PART void
tm_fini_codes(struct code_table *table)
{
    if (table->names != NULL) {
        tm_drop_names(table->names);
    }
    for (code_id id = 1; id < table->used; id++) {
        struct code_entry *entry = tm_code_at(table, id);
        free(entry->lines);
        if (entry->owner == NULL) {
            free((void *)entry->locations);
        }
    }
    for (size_t i = 0; i < MAX_CODES >> CODE_CHUNK_SHIFT && table->chunks[i];
         i++)
    {
        free(table->chunks[i]);
        table->chunks[i] = NULL;
    }
    table->names = NULL;
    table->used = table->unused = table->retired = 0;
    table->line_bytes = table->retired_bytes = 0;
}


/* An unused entry's number, or CODE_NONE. */
static code_id
code_take(struct code_table *table)
{
    code_id id = table->unused;
    if (id != CODE_NONE) {
        table->unused = tm_code_at(table, id)->next_unused;
        return id;
    }
    id = table->used;
    if (id >= MAX_CODES) {
        return CODE_NONE;
    }
    struct code_entry **chunk = &table->chunks[id >> CODE_CHUNK_SHIFT];
    if (*chunk == NULL) {
        *chunk = calloc(CODE_CHUNK_SIZE, sizeof((*chunk)[0]));
        if (*chunk == NULL) {
            return CODE_NONE;
        }
    }
    table->used++;
    return id;
}


PART code_id
tm_add_code(struct code_table *table, void *owner,
            const struct code_info *info)
{
    assert(owner != NULL && info->lines != NULL);
    assert(info->file != NAME_NONE && info->function != NAME_NONE);
    code_id id = code_take(table);
    if (id != CODE_NONE) {
        *tm_code_at(table, id) = (struct code_entry){
            .owner = owner,
            .lines = info->lines,
            .locations = info->locations,
            .nlocations = info->nlocations,
            .file = info->file,
            .function = info->function,
        };
        table->line_bytes += tm_size_of_lines(info->lines);
    }
    return id;
}


PART void
tm_retire_code(struct code_table *table, code_id id)
{
    assert(id != CODE_NONE && id < table->used);
    struct code_entry *entry = tm_code_at(table, id);
    assert(entry->owner != NULL);
    table->line_bytes -= tm_size_of_lines(entry->lines);
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
tm_recycle_codes(struct code_table *table, const unsigned char *used)
{
    for (code_id id = table->used - 1; id != CODE_NONE; id--) {
        struct code_entry *entry = tm_code_at(table, id);
        if (ENTRY_IS_RETIRED(entry) && (used == NULL || !used[id])) {
            table->retired_bytes -= entry->nlocations;
            free((void *)entry->locations);
            *entry = (struct code_entry){.next_unused = table->unused};
            table->unused = id;
            table->retired--;
        }
    }
}


PART void
tm_reclaim_names(struct code_table *table)
{
    struct name_table *names = table->names;
    unsigned char *used = NULL;
    if (tm_names_are_mine(names)) {
        used = calloc(names->used, 1);
    }
    if (used == NULL) {
        return;
    }
    for (code_id id = 1; id < table->used; id++) {
        used[tm_code_at(table, id)->file] = 1;
        used[tm_code_at(table, id)->function] = 1;
    }
    tm_free_names_except(names, used);
    free(used);
}


PART size_t
tm_size_of_codes(const struct code_table *table)
{
    if (table->names == NULL) {
        return 0;
    }
    size_t nchunks = (table->used + CODE_CHUNK_SIZE - 1) >> CODE_CHUNK_SHIFT;
    return table->names->bytes
           + nchunks * CODE_CHUNK_SIZE * sizeof(table->chunks[0][0])
           + table->line_bytes + table->retired_bytes;
}


PART void
tm_count_codes(const struct code_table *table,
               size_t *codes, size_t *names)
{
    *codes = 0;
    for (code_id id = 1; id < table->used; id++) {
        *codes += tm_code_at(table, id)->file != NAME_NONE;
    }
    *names = tm_count_names(table->names);
}
