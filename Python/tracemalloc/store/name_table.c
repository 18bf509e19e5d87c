/* The name table: a number for each name of a file or a function.

   Called by capture/, to name a code object that it meets, by code_table.c,
   which frees names that no code object has, and by snapshots, which read the
   names while they hold the table; calls nobody.  See the header for the
   picture. */

#include "name_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_NAMES 64

/* There are twice as many slots as entries, so that they stay at most half
   full. */
#define SLOTS_OF(entries) (2 * (entries))

/* What room for one name takes, beside the name itself. */
#define ENTRY_BYTES (sizeof(struct name *) + sizeof(name_id) \
                     + SLOTS_OF(1) * sizeof(name_id))


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
name_equals(const struct name *name, uint32_t hash, uint32_t kind,
            const void *text, size_t length)
{
    return name->hash == hash && name->kind == kind && name->length == length
           && memcmp(name->text, text, length * kind) == 0;
}


static size_t
name_bytes(const struct name *name)
{
    return sizeof(*name) + name->length * name->kind;
}


PART struct name_table *
tm_new_names(void)
{
    struct name_table *names = calloc(1, sizeof(*names));
    if (names == NULL) {
        return NULL;
    }
    names->refcount = 1;
    names->used = 1;
    names->allocated = FIRST_NAMES;
    names->entries = calloc(FIRST_NAMES, sizeof(names->entries[0]));
    names->next_unused = calloc(FIRST_NAMES, sizeof(names->next_unused[0]));
    names->slots = calloc(SLOTS_OF(FIRST_NAMES), sizeof(names->slots[0]));
    names->mask = SLOTS_OF(FIRST_NAMES) - 1;
    names->bytes = sizeof(*names) + FIRST_NAMES * ENTRY_BYTES;
    if (names->entries == NULL || names->next_unused == NULL
        || names->slots == NULL)
    {
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
        free(names->entries[i]);
    }
    free(names->entries);
    free(names->next_unused);
    free(names->slots);
    free(names);
}


/* Enter all names into slots that are free. */
static void
names_index(struct name_table *names)
{
    for (size_t i = 1; i < names->used; i++) {
        if (names->entries[i] != NULL) {
            size_t at = names->entries[i]->hash & names->mask;
            while (names->slots[at] != NAME_NONE) {
                at = (at + 1) & names->mask;
            }
            names->slots[at] = (name_id)i;
        }
    }
}


/* Room for twice as many names, or -1 when out of memory. */
static int
names_grow(struct name_table *names)
{
    size_t allocated = 2 * names->allocated;
    size_t nslots = SLOTS_OF(allocated);
    name_id *slots = calloc(nslots, sizeof(slots[0]));
    struct name **entries = malloc(allocated * sizeof(entries[0]));
    name_id *next_unused = malloc(allocated * sizeof(next_unused[0]));
    if (slots == NULL || entries == NULL || next_unused == NULL) {
        free(slots);
        free(entries);
        free(next_unused);
        return -1;
    }
    memcpy(entries, names->entries, names->used * sizeof(entries[0]));
    memcpy(next_unused, names->next_unused,
           names->used * sizeof(next_unused[0]));
    free(names->entries);
    free(names->next_unused);
    free(names->slots);
    names->entries = entries;
    names->next_unused = next_unused;
    names->bytes += (allocated - names->allocated) * ENTRY_BYTES;
    names->allocated = allocated;
    names->slots = slots;
    names->mask = nslots - 1;
    names_index(names);
    return 0;
}


/* The slot that has a name, or the free one where it goes. */
static size_t
name_slot(const struct name_table *names, uint32_t hash, uint32_t kind,
          const void *text, size_t length)
{
    size_t at = hash & names->mask;
    while (names->slots[at] != NAME_NONE
           && !name_equals(names->entries[names->slots[at]], hash, kind, text,
                           length))
    {
        at = (at + 1) & names->mask;
    }
    return at;
}


PART name_id
tm_add_name(struct name_table *names, uint32_t kind, const void *text,
            size_t length)
{
    uint32_t hash = name_hash(kind, text, length);
    size_t at = name_slot(names, hash, kind, text, length);
    if (names->slots[at] != NAME_NONE) {
        return names->slots[at];
    }

    name_id id = names->unused;
    if (id == NAME_NONE && names->used == names->allocated) {
        if (names->used > UINT32_MAX / 4 || names_grow(names) < 0) {
            return NAME_NONE;
        }
        at = name_slot(names, hash, kind, text, length);
    }
    struct name *name = malloc(sizeof(*name) + length * kind);
    if (name == NULL) {
        return NAME_NONE;
    }
    name->hash = hash;
    name->kind = kind;
    name->length = length;
    memcpy(name->text, text, length * kind);
    if (id != NAME_NONE) {
        names->unused = names->next_unused[id];
    }
    else {
        id = (name_id)names->used++;
    }
    names->entries[id] = name;
    names->bytes += name_bytes(name);
    names->slots[at] = id;
    return id;
}


PART void
tm_free_names_except(struct name_table *names, const unsigned char *keep)
{
    assert(tm_names_are_mine(names));
    for (name_id id = 1; id < names->used; id++) {
        struct name *name = names->entries[id];
        if (name != NULL && !keep[id]) {
            names->bytes -= name_bytes(name);
            free(name);
            names->entries[id] = NULL;
            names->next_unused[id] = names->unused;
            names->unused = id;
        }
    }
    memset(names->slots, 0, (names->mask + 1) * sizeof(names->slots[0]));
    names_index(names);
}


PART size_t
tm_count_names(const struct name_table *names)
{
    size_t n = 0;
    for (name_id id = 1; id < names->used; id++) {
        n += names->entries[id] != NULL;
    }
    return n;
}
