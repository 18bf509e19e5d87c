/* Tables of a record: contexts and their counts, copied and given numbers of
   the file.

   Called by record.c; reads the store (call tree, code table, names), writes
   pages.c.  See the header for the picture.  Plain C.

   Copying takes some ten nanoseconds for each context, and more only for those
   that are new.  All else happens when the store is free again. */

#include "tables.h"
#include "../store/locations.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define PENDING UINT32_MAX
#define UNKNOWN UINT32_MAX
/* Pages that are written at once beside those of counts and lists: of threads
   1, of the timeline 10, what is begun of five tables, and the names of 64
   threads 9. */
#define SPARE_PAGES 26
/* Longer names are cut off, and also those that would fill a small file: else
   what comes behind such a name would have no room. */
#define MOST_CHARACTERS ((size_t)1 << 16)
#define CHARACTERS_PER_PAGE 16
#define LEAST_CHARACTERS ((size_t)1 << 10)
/* So many contexts may be new in one copy, which bounds its time and memory;
   others have their turn in the next. */
#define MOST_FRESH 16384
/* Lists that have become larger are freed when less than a quarter of them is
   used: much is new when a program begins, and seldom later. */
#define MOST_KEPT ((size_t)1 << 16)
/* So many instructions of code objects are kept decoded. */
#define MOST_LOCATED ((size_t)1 << 16)

/* A context that has no number yet, and how much of the other lists there is
   with what it needs. */
struct fresh_context {
    context_id id;
    node_id node;
    code_id code;
    uint32_t unit;
    int32_t line;
    uint32_t domain;
    int few;                    /* counts beside its key will do */
    struct record_counters counts;
    size_t nodes, codes, names;
};

struct fresh_node {
    node_id id;
    node_id parent;
    code_id code;
    int32_t line;
};

/* A code object: to be numbered, or only to be read where its instructions
   stand. */
struct fresh_code {
    code_id id;
    name_id file;
    name_id function;
    int numbered;
    int has_locations;          /* they are there, though there may be none */
    size_t locations;           /* where they begin in `bytes` */
    size_t nlocations;
    size_t nunits;              /* instructions up to the last one asked for */
    size_t located;             /* where these are in the list of them, if that
                                   is still the list of that round */
    uint32_t located_round;     /* 0: of none */
};

struct fresh_name {
    name_id id;
    uint32_t kind;
    size_t length;
    size_t text;                /* where it begins in `bytes` */
};


/* --- memory -------------------------------------------------------------- */

static uint32_t *
numbers_of(const struct mapped *mapped)
{
    return mapped->data;
}


static int
numbers_reserve(struct mapped *mapped, size_t n)
{
    return tm_reserve_mapped(mapped, (n + 1) * sizeof(uint32_t));
}


PART void *
tm_add_item(struct record_list *list, size_t item_size)
{
    if (tm_reserve_mapped(&list->items, (list->n + 1) * item_size) < 0) {
        return NULL;
    }
    return (char *)list->items.data + list->n++ * item_size;
}


static void *
list_items(const struct record_list *list)
{
    return list->items.data;
}


PART int
tm_add_bytes(struct record_list *bytes, const void *from, size_t size,
             size_t *at)
{
    if (tm_reserve_mapped(&bytes->items, bytes->n + size) < 0) {
        return -1;
    }
    if (size != 0) {
        memcpy((char *)bytes->items.data + bytes->n, from, size);
    }
    *at = bytes->n;
    bytes->n += size;
    return 0;
}


static struct mapped *
all_numbers(struct record_tables *tables, int i)
{
    struct mapped *all[] = {
        &tables->context_numbers, &tables->counter_numbers,
        &tables->node_numbers, &tables->code_numbers, &tables->name_numbers,
    };
    return i < 5 ? all[i] : NULL;
}


PART void
tm_renew_tables(struct record_tables *tables)
{
    struct mapped *numbers;
    for (int i = 0; (numbers = all_numbers(tables, i)) != NULL; i++) {
        if (numbers->size != 0) {
            memset(numbers->data, 0, numbers->size);
        }
    }
    tables->ncontexts = tables->ncounters = 0;
    tables->nnodes = tables->ncodes = tables->nnames = 0;
    tables->most_counters = UINT32_MAX;
    tables->full = 0;
    tables->renew = 1;
}


PART void
tm_free_tables(struct record_tables *tables)
{
    struct mapped *numbers;
    for (int i = 0; (numbers = all_numbers(tables, i)) != NULL; i++) {
        tm_free_mapped(numbers);
    }
    tm_free_mapped(&tables->code_copies);
    tm_free_mapped(&tables->few);
    tm_free_mapped(&tables->counters);
    tm_free_mapped(&tables->fresh_contexts.items);
    tm_free_mapped(&tables->fresh_nodes.items);
    tm_free_mapped(&tables->fresh_codes.items);
    tm_free_mapped(&tables->fresh_names.items);
    tm_free_mapped(&tables->bytes.items);
    tm_free_mapped(&tables->located.items);
    tm_free_mapped(&tables->scratch);
    memset(tables, 0, sizeof(*tables));
}


/* --- counts -------------------------------------------------------------- */

static void
record_counts(const struct record_source *from, const struct context *context,
              struct record_counters *counts)
{
    struct counters all = tm_context_totals(context, from->bytes);
    *counts = (struct record_counters){
        .allocated_blocks = all.allocated_blocks,
        .freed_blocks = all.freed_blocks,
        .allocated_bytes = all.allocated_bytes,
        .freed_bytes = all.freed_bytes,
        .peak_blocks = all.peak_blocks,
        .peak_bytes = all.peak_bytes,
    };
    if (from->sampler != NULL) {
        tm_round_totals(from->sampler, 0, &counts->allocated_blocks,
                        &counts->freed_blocks, &counts->peak_blocks);
        tm_round_totals(from->sampler, 1, &counts->allocated_bytes,
                        &counts->freed_bytes, &counts->peak_bytes);
    }
}


static void
sums_add(struct record_sums *sums, const struct record_counters *counts)
{
    sums->contexts++;
    sums->bytes += counts->allocated_bytes - counts->freed_bytes;
    sums->blocks += counts->allocated_blocks - counts->freed_blocks;
    sums->peak_bytes += counts->peak_bytes;
    sums->peak_blocks += counts->peak_blocks;
}


/* Whether they fit beside the numbers of the contexts: then they always did,
   since what was allocated never becomes less. */
static int
counts_are_few(const struct context *context,
               const struct record_counters *counts)
{
    return !tm_context_has_counters(context)
           && counts->allocated_bytes <= UINT16_MAX;
}


static struct record_counters
counts_in_order(const struct record_counters *counts)
{
    return (struct record_counters){
        .allocated_blocks = le64(counts->allocated_blocks),
        .freed_blocks = le64(counts->freed_blocks),
        .allocated_bytes = le64(counts->allocated_bytes),
        .freed_bytes = le64(counts->freed_bytes),
        .peak_blocks = le64(counts->peak_blocks),
        .peak_bytes = le64(counts->peak_bytes),
    };
}


/* Field by field, where it is to be: a copy of the whole would wait until
   its parts have been stored. */
static void
few_put(struct record_few *few, const struct record_counters *counts)
{
    few->allocated_bytes = le16(counts->allocated_bytes);
    few->freed_bytes = le16(counts->freed_bytes);
    few->peak_bytes = le16(counts->peak_bytes);
    few->allocated_blocks = (uint8_t)counts->allocated_blocks;
    few->freed_blocks = (uint8_t)counts->freed_blocks;
    few->peak_blocks = (uint8_t)counts->peak_blocks;
    few->has_counters = 0;
}


/* Put the counts of a context with a number where they will be written from:
   1, or 0 if there is no room in the file; or -1 without memory. */
static int
counts_put(struct record_tables *tables, context_id id, uint32_t number,
           int few, const struct record_counters *counts)
{
    struct record_few *beside = (struct record_few *)tables->few.data
                                + number - 1;
    uint32_t *counter = &numbers_of(&tables->counter_numbers)[id];
    if (few) {
        few_put(beside, counts);
        return 1;
    }
    if (*counter == 0) {
        if (tables->ncounters >= tables->most_counters) {
            *beside = (struct record_few){.has_counters = 0};
            return 0;
        }
        if (tm_reserve_mapped(&tables->counters, (tables->ncounters + 1)
                              * sizeof(struct record_counters)) < 0)
        {
            return -1;
        }
        *counter = ++tables->ncounters;
    }
    *beside = (struct record_few){
        .counters = le32(*counter),
        .has_counters = 1,
    };
    ((struct record_counters *)tables->counters.data)[*counter - 1] =
        counts_in_order(counts);
    return 1;
}


/* --- copying ------------------------------------------------------------- */

static int
fresh_name_copy(struct record_tables *tables, const struct name_table *names,
          name_id id)
{
    uint32_t *number = &numbers_of(&tables->name_numbers)[id];
    if (id == NAME_NONE || *number != 0) {
        return 0;
    }
    const struct name *name = names->entries[id];
    struct fresh_name *fresh = tm_add_item(&tables->fresh_names,
                                           sizeof(*fresh));
    if (fresh == NULL) {
        return -1;
    }
    size_t most = tables->most_characters != 0 ? tables->most_characters
                                               : LEAST_CHARACTERS;
    *fresh = (struct fresh_name){
        .id = id,
        .kind = name->kind,
        .length = name->length < most ? name->length : most,
    };
    *number = PENDING;
    return tm_add_bytes(&tables->bytes, name->text,
                        fresh->length * name->kind, &fresh->text);
}


/* Copy a code object that is new; with `locate`, also where its instructions
   stand, once in a copy. */
static int
fresh_code_copy(struct record_tables *tables, const struct code_table *codes,
          code_id id, int locate)
{
    if (id == CODE_NONE) {
        return 0;
    }
    uint32_t *number = &numbers_of(&tables->code_numbers)[id];
    uint32_t *at = &numbers_of(&tables->code_copies)[id];
    struct fresh_code *all = list_items(&tables->fresh_codes);
    if (*number != 0
        && (!locate || (*at < tables->fresh_codes.n && all[*at].id == id
                        && all[*at].has_locations)))
    {
        return 0;
    }
    const struct code_entry *entry = tm_code_at(codes, id);
    struct fresh_code *fresh = tm_add_item(&tables->fresh_codes,
                                           sizeof(*fresh));
    if (fresh == NULL) {
        return -1;
    }
    *fresh = (struct fresh_code){
        .id = id,
        .file = entry->file,
        .function = entry->function,
        .numbered = *number == 0,
    };
    if (locate) {
        *at = (uint32_t)(tables->fresh_codes.n - 1);
        fresh->has_locations = 1;
        fresh->nlocations = entry->nlocations;
        if (tm_add_bytes(&tables->bytes, entry->locations,
                         entry->nlocations, &fresh->locations) < 0)
        {
            return -1;
        }
    }
    if (*number == 0) {
        *number = PENDING;
        return fresh_name_copy(tables, codes->names, entry->file) < 0
               || fresh_name_copy(tables, codes->names, entry->function) < 0
               ? -1 : 0;
    }
    return 0;
}


/* Copy a node and those above it, callers first. */
static int
fresh_nodes_copy(struct record_tables *tables,
                 const struct record_source *from, node_id id)
{
    size_t first = tables->fresh_nodes.n;
    uint32_t *numbers = numbers_of(&tables->node_numbers);
    while (id != NODE_ROOT && numbers[id] == 0) {
        struct frame_node node = tm_node(from->tree, id);
        struct fresh_node *fresh = tm_add_item(&tables->fresh_nodes,
                                               sizeof(*fresh));
        if (fresh == NULL
            || fresh_code_copy(tables, from->codes, node.code, 0) < 0)
        {
            return -1;
        }
        *fresh = (struct fresh_node){
            .id = id,
            .parent = node.parent,
            .code = node.code,
            .line = node.line,
        };
        numbers[id] = PENDING;
        id = node.parent;
    }
    struct fresh_node *all = list_items(&tables->fresh_nodes);
    for (size_t low = first, high = tables->fresh_nodes.n; low + 1 < high;
         low++)
    {
        struct fresh_node newer = all[low];
        all[low] = all[--high];
        all[high] = newer;
    }
    return 0;
}


static int
fresh_context_copy(struct record_tables *tables,
                   const struct record_source *from, context_id id,
                   const struct context *context,
                   const struct record_counters *counts)
{
    node_id node = tm_context_node(context);
    code_id code = tm_context_code(context);
    if (fresh_nodes_copy(tables, from, node) < 0
        || fresh_code_copy(tables, from->codes, code, 1) < 0)
    {
        return -1;
    }
    uint32_t unit = tm_context_unit(context);
    if (code != CODE_NONE && unit != NO_UNIT) {
        struct fresh_code *all = list_items(&tables->fresh_codes);
        struct fresh_code *copy =
            &all[numbers_of(&tables->code_copies)[code]];
        copy->nunits = copy->nunits > unit ? copy->nunits : (size_t)unit + 1;
    }
    struct fresh_context *fresh = tm_add_item(&tables->fresh_contexts,
                                              sizeof(*fresh));
    if (fresh == NULL) {
        return -1;
    }
    *fresh = (struct fresh_context){
        .id = id,
        .node = node,
        .code = code,
        .unit = unit,
        .line = tm_context_line(context),
        .domain = tm_context_domain(context),
        .few = counts_are_few(context, counts),
        .counts = *counts,
        .nodes = tables->fresh_nodes.n,
        .codes = tables->fresh_codes.n,
        .names = tables->fresh_names.n,
    };
    return 0;
}


static int
numbers_reserve_all(struct record_tables *tables,
                    const struct record_source *from)
{
    const struct call_tree *tree = from->tree;
    return numbers_reserve(&tables->context_numbers, tree->contexts.used) < 0
           || numbers_reserve(&tables->counter_numbers,
                              tree->contexts.used) < 0
           || numbers_reserve(&tables->node_numbers, tree->nodes.used) < 0
           || numbers_reserve(&tables->code_numbers, from->codes->used) < 0
           || numbers_reserve(&tables->code_copies, from->codes->used) < 0
           || numbers_reserve(&tables->name_numbers,
                              from->codes->names->used) < 0
           ? -1 : 0;
}


/* Copy one context, if it ever allocated. */
static int
context_read(struct record_tables *tables, const struct record_source *from,
             context_id id, const struct context *context)
{
    struct record_counters counts;
    uint32_t number = numbers_of(&tables->context_numbers)[id];
    record_counts(from, context, &counts);
    if (number == 0 && counts.allocated_blocks == 0) {
        return 0;
    }
    sums_add(&tables->sums, &counts);
    if (number != 0) {
        int put = counts_put(tables, id, number,
                             counts_are_few(context, &counts), &counts);
        if (put == 0) {
            sums_add(&tables->lost, &counts);
        }
        return put < 0 ? -1 : 0;
    }
    if (tables->full || tables->fresh_contexts.n == MOST_FRESH) {
        tables->waiting = 1;
        sums_add(&tables->lost, &counts);
        return 0;
    }
    return fresh_context_copy(tables, from, id, context, &counts);
}


/* What was copied cannot be written: numbers of what is in the file are
   forgotten, and sums are of a part. */
static int
copy_give_up(struct record_tables *tables)
{
    tm_renew_tables(tables);
    tables->fresh_contexts.n = tables->fresh_nodes.n = 0;
    tables->fresh_codes.n = tables->fresh_names.n = tables->bytes.n = 0;
    tables->located.n = 0;
    tables->broken = 1;
    return -1;
}


PART int
tm_copy_tables(struct record_tables *tables, const struct record_source *from)
{
    const struct call_tree *tree = from->tree;
    if (tables->generation != tree->generation) {
        tm_renew_tables(tables);
        tables->generation = tree->generation;
    }
    tables->fresh_contexts.n = tables->fresh_nodes.n = 0;
    tables->fresh_codes.n = tables->fresh_names.n = tables->bytes.n = 0;
    tables->located.n = 0;
    tables->sums = tables->lost = (struct record_sums){.contexts = 0};
    tables->waiting = tables->broken = 0;
    if (numbers_reserve_all(tables, from) < 0) {
        return copy_give_up(tables);
    }
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        const struct context *context = tm_context_at(tree, id);
        if (tm_context_node(context) != NODE_NONE && id != from->hidden
            && context_read(tables, from, id, context) < 0)
        {
            return copy_give_up(tables);
        }
    }
    return 0;
}


/* --- names --------------------------------------------------------------- */

/* Bytes of UTF-8 for each byte of text, at most: a character of Latin-1 has
   two, and those of two bytes three. */
#define MOST_UTF8 2

/* A character as UTF-8, lone surrogates like any other: how many bytes. */
static size_t
utf8_put(unsigned char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (unsigned char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (unsigned char)(0xc0 | c >> 6);
        to[1] = (unsigned char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (unsigned char)(0xe0 | c >> 12);
        to[1] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (unsigned char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (unsigned char)(0xf0 | c >> 18);
    to[1] = (unsigned char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (unsigned char)(0x80 | (c & 0x3f));
    return 4;
}


PART uint32_t
tm_write_name(struct record_tables *tables, struct page_file *file,
              uint32_t kind, const void *text, size_t length)
{
    if (tm_reserve_mapped(&tables->scratch, 4 * length + 8) < 0) {
        file->error = ENOMEM;
        return 0;
    }
    unsigned char *encoded = tables->scratch.data;
    size_t size = 0;
    for (size_t i = 0; i < length; i++) {
        size += utf8_put(encoded + size,
                         tm_character_at(kind, text, i));
    }
    uint32_t header = le32((uint32_t)size);
    if (tm_append_table(file, TABLE_NAMES, &header, sizeof(header)) < 0
        || tm_append_table(file, TABLE_NAMES, encoded, size) < 0)
    {
        return 0;
    }
    return ++tables->nnames;
}


/* --- writing ------------------------------------------------------------- */

static size_t
pages_of(size_t size)
{
    return (size + RECORD_PAGE - 1) / RECORD_PAGE;
}


/* Whether so many bytes more may be written for good, with so many contexts
   and counters after that: what changes must have room twice. */
static int
has_room(const struct page_file *file, size_t dying, size_t ncontexts,
         size_t ncounters, size_t more)
{
    size_t changing = pages_of(ncontexts * sizeof(struct record_few))
                      + pages_of(ncounters * sizeof(struct record_counters));
    /* In the lists, which change too. */
    size_t all = file->npages - file->nfree + changing + pages_of(more);
    changing += pages_of(all * sizeof(struct record_place)) + SPARE_PAGES;
    size_t old = file->tables[TABLE_FEW].npages
                 + file->tables[TABLE_COUNTERS].npages
                 + file->tables[TABLE_THREADS].npages
                 + file->tables[TABLE_TIMELINE].npages
                 + file->lists.npages + dying;
    size_t needed = 2 * changing > old + changing ? 2 * changing - old
                                                  : changing;
    return file->nfree >= needed + pages_of(more);
}


PART int
tm_has_room(const struct record_tables *tables, const struct page_file *file,
            size_t more)
{
    return has_room(file, tm_dying_pages(file), tables->ncontexts,
                    tables->ncounters, more);
}


static int
fresh_names_write(struct record_tables *tables, struct page_file *file,
            size_t from, size_t end)
{
    const struct fresh_name *all = list_items(&tables->fresh_names);
    for (size_t i = from; i < end; i++) {
        const struct fresh_name *name = &all[i];
        uint32_t number = tm_write_name(
            tables, file, name->kind,
            (const char *)tables->bytes.items.data + name->text,
            name->length);
        if (number == 0) {
            return -1;
        }
        numbers_of(&tables->name_numbers)[name->id] = number;
    }
    return 0;
}


static int
fresh_codes_write(struct record_tables *tables, struct page_file *file,
                  size_t from, size_t end)
{
    const struct fresh_code *all = list_items(&tables->fresh_codes);
    const uint32_t *names = numbers_of(&tables->name_numbers);
    for (size_t i = from; i < end; i++) {
        if (!all[i].numbered) {
            continue;
        }
        struct record_code code = {
            .file = le32(names[all[i].file]),
            .function = le32(names[all[i].function]),
        };
        if (tm_append_table(file, TABLE_CODES, &code, sizeof(code)) < 0) {
            return -1;
        }
        numbers_of(&tables->code_numbers)[all[i].id] = ++tables->ncodes;
    }
    return 0;
}


static int
fresh_nodes_write(struct record_tables *tables, struct page_file *file,
                  size_t from, size_t end)
{
    const struct fresh_node *all = list_items(&tables->fresh_nodes);
    uint32_t *numbers = numbers_of(&tables->node_numbers);
    for (size_t i = from; i < end; i++) {
        struct record_node node = {
            .parent = le32(all[i].parent == NODE_ROOT
                           ? 0 : numbers[all[i].parent]),
            .code = le32(numbers_of(&tables->code_numbers)[all[i].code]),
            .line = le32((uint32_t)all[i].line),
        };
        if (tm_append_table(file, TABLE_NODES, &node, sizeof(node)) < 0) {
            return -1;
        }
        numbers[all[i].id] = ++tables->nnodes;
    }
    return 0;
}


/* Decode where the instructions of a code object stand: 0, or -1 without
   memory. */
static int
fresh_code_locate(struct record_tables *tables, struct fresh_code *code)
{
    struct record_list *located = &tables->located;
    if (located->n + code->nunits > MOST_LOCATED) {
        located->n = 0;
    }
    if (located->n == 0) {
        tables->located_round++;
    }
    if (tm_reserve_mapped(&located->items, (located->n + code->nunits)
                          * sizeof(struct location)) < 0)
    {
        return -1;
    }
    tm_read_locations((const unsigned char *)tables->bytes.items.data
                      + code->locations, code->nlocations,
                      (struct location *)located->items.data + located->n,
                      code->nunits);
    code->located = located->n;
    code->located_round = tables->located_round;
    located->n += code->nunits;
    return 0;
}


/* Where the instruction of a context stands; unknown without memory. */
static struct location
fresh_context_locate(struct record_tables *tables,
                     const struct fresh_context *context)
{
    struct location unknown = {-1, -1, -1};
    if (context->code == CODE_NONE || context->unit == NO_UNIT) {
        return unknown;
    }
    uint32_t at = numbers_of(&tables->code_copies)[context->code];
    struct fresh_code *all = list_items(&tables->fresh_codes);
    if (at >= tables->fresh_codes.n || all[at].id != context->code
        || context->unit >= all[at].nunits)
    {
        return unknown;
    }
    int located = all[at].located_round != 0
                  && all[at].located_round == tables->located_round;
    if (!located && fresh_code_locate(tables, &all[at]) < 0) {
        return unknown;
    }
    const struct location *units = list_items(&tables->located);
    return units[all[at].located + context->unit];
}


static int
fresh_context_write(struct record_tables *tables, struct page_file *file,
              const struct fresh_context *context)
{
    struct location where = fresh_context_locate(tables, context);
    struct record_context entry = {
        .node = le32(context->node == NODE_ROOT
                     ? 0
                     : numbers_of(&tables->node_numbers)[context->node]),
        .code = le32(numbers_of(&tables->code_numbers)[context->code]),
        .line = le32((uint32_t)context->line),
        .end_line = le32(where.lines < 0 ? UNKNOWN
                         : (uint32_t)(context->line + where.lines)),
        .column = le32((uint32_t)where.column),
        .end_column = le32((uint32_t)where.end_column),
        .domain = le32(context->domain),
    };
    if (tm_append_table(file, TABLE_CONTEXTS, &entry, sizeof(entry)) < 0) {
        return -1;
    }
    uint32_t number = tables->ncontexts + 1;
    if (tm_reserve_mapped(&tables->few,
                          number * sizeof(struct record_few)) < 0
        || counts_put(tables, context->id, number, context->few,
                      &context->counts) < 0)
    {
        file->error = ENOMEM;
        return -1;
    }
    tables->ncontexts = number;
    numbers_of(&tables->context_numbers)[context->id] = number;
    return 0;
}


/* What comes behind the last context that had room gets no number now. */
static void
fresh_forget(struct record_tables *tables, size_t nodes, size_t codes,
             size_t names)
{
    const struct fresh_node *all_nodes = list_items(&tables->fresh_nodes);
    const struct fresh_code *all_codes = list_items(&tables->fresh_codes);
    const struct fresh_name *all_names = list_items(&tables->fresh_names);
    for (size_t i = nodes; i < tables->fresh_nodes.n; i++) {
        numbers_of(&tables->node_numbers)[all_nodes[i].id] = 0;
    }
    for (size_t i = codes; i < tables->fresh_codes.n; i++) {
        if (all_codes[i].numbered) {
            numbers_of(&tables->code_numbers)[all_codes[i].id] = 0;
        }
    }
    for (size_t i = names; i < tables->fresh_names.n; i++) {
        numbers_of(&tables->name_numbers)[all_names[i].id] = 0;
    }
}


/* Bytes of names in the file. */
static size_t
fresh_names_size(const struct record_tables *tables, size_t from, size_t end)
{
    const struct fresh_name *all = list_items(&tables->fresh_names);
    const unsigned char *bytes = tables->bytes.items.data;
    unsigned char encoded[4];
    size_t size = 0;
    for (size_t i = from; i < end; i++) {
        size += sizeof(uint32_t);
        for (size_t at = 0; at < all[i].length; at++) {
            size += utf8_put(encoded, tm_character_at(
                all[i].kind, bytes + all[i].text, at));
        }
    }
    return size;
}


/* Whether all that is new has room: then nobody asks for each of it. */
static int
fresh_has_room(const struct record_tables *tables,
               const struct page_file *file)
{
    size_t n = tables->fresh_contexts.n;
    size_t more = tables->bytes.n * MOST_UTF8
                  + tables->fresh_names.n * sizeof(uint32_t)
                  + tables->fresh_codes.n * sizeof(struct record_code)
                  + tables->fresh_nodes.n * sizeof(struct record_node)
                  + n * sizeof(struct record_context);
    return has_room(file, tm_dying_pages(file), tables->ncontexts + n,
                    tables->ncounters + n, more);
}


/* Write what is new, as far as there is room. */
static int
fresh_write(struct record_tables *tables, struct page_file *file)
{
    const struct fresh_context *all = list_items(&tables->fresh_contexts);
    size_t nodes = 0, codes = 0, names = 0;
    size_t dying = tm_dying_pages(file);
    int roomy = fresh_has_room(tables, file);
    size_t at = 0;
    /* Room for a counter of each is asked for with the rest. */
    tables->most_counters = UINT32_MAX;
    for (; at < tables->fresh_contexts.n; at++) {
        const struct fresh_context *context = &all[at];
        size_t more = roomy ? 0
                      : fresh_names_size(tables, names, context->names)
                        + ((context->codes - codes)
                           * sizeof(struct record_code))
                        + ((context->nodes - nodes)
                           * sizeof(struct record_node));
        if (!roomy && !has_room(file, dying, tables->ncontexts + 1,
                                tables->ncounters + 1, more))
        {
            break;
        }
        if (fresh_names_write(tables, file, names, context->names) < 0
            || fresh_codes_write(tables, file, codes, context->codes) < 0
            || fresh_nodes_write(tables, file, nodes, context->nodes) < 0
            || fresh_context_write(tables, file, context) < 0)
        {
            return -1;
        }
        nodes = context->nodes;
        codes = context->codes;
        names = context->names;
    }
    if (at < tables->fresh_contexts.n) {
        tables->full = 1;
        fresh_forget(tables, nodes, codes, names);
        for (; at < tables->fresh_contexts.n; at++) {
            sums_add(&tables->lost, &all[at].counts);
        }
    }
    return 0;
}


/* How many counters there may be before the next time that this is asked. */
static void
counters_limit(struct record_tables *tables, const struct page_file *file)
{
    size_t least = tables->ncounters, most = least + 1;
    size_t dying = tm_dying_pages(file);
    while (most < 2 * (least + (1 << 12))
           && has_room(file, dying, tables->ncontexts, most, 0))
    {
        most += RECORD_PAGE / sizeof(struct record_counters);
    }
    tables->most_counters = (uint32_t)most;
}


PART void
tm_shrink_list(struct record_list *list, size_t item_size)
{
    if (list->items.size > MOST_KEPT
        && list->n * item_size < list->items.size / 4)
    {
        tm_free_mapped(&list->items);
    }
    list->n = 0;
}


PART int
tm_write_tables(struct record_tables *tables, struct page_file *file)
{
    size_t most = (size_t)file->npages * CHARACTERS_PER_PAGE;
    tables->most_characters = most < MOST_CHARACTERS ? most : MOST_CHARACTERS;
    if (tables->renew) {
        tm_restart_pages(file);
        tables->renew = 0;
    }
    else if (tables->full && has_room(file, 0, tables->ncontexts + 1,
                                      tables->ncounters + 1,
                                      64 * RECORD_PAGE))
    {
        /* What it was restarted for has been freed. */
        tables->full = 0;
    }
    if (fresh_write(tables, file) < 0
        || tm_replace_table(file, TABLE_FEW, tables->few.data,
                            tables->ncontexts
                            * sizeof(struct record_few)) < 0
        || tm_replace_table(file, TABLE_COUNTERS, tables->counters.data,
                            tables->ncounters
                            * sizeof(struct record_counters)) < 0)
    {
        tm_renew_tables(tables);
        return -1;
    }
    tables->waiting = tables->waiting && !tables->full;
    tm_shrink_list(&tables->fresh_contexts, sizeof(struct fresh_context));
    tm_shrink_list(&tables->fresh_nodes, sizeof(struct fresh_node));
    tm_shrink_list(&tables->fresh_codes, sizeof(struct fresh_code));
    tm_shrink_list(&tables->fresh_names, sizeof(struct fresh_name));
    tm_shrink_list(&tables->bytes, 1);
    tm_shrink_list(&tables->located, sizeof(struct location));
    counters_limit(tables, file);
    return 0;
}
