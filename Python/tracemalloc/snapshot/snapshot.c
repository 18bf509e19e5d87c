/* Snapshots: all contexts and blocks at one moment, in columns.

   Called by Python/tracemalloc_columns.c; reads sources, contexts, cells and
   block tables.

       tree, cells, tables --Take--> columns, and a draft --Finish--> columns

   Only taking needs the store: it copies what can change, counts the blocks,
   and numbers what is copied anew, without gaps.  What is left, which is to
   sort the rows and to read location tables, works on copies.

   Blocks are counted by (context, size), in a table with open addressing.
   Neighbours in a pool often are alike, so runs of equal cells are added at
   once.  Time: proportional to the cells, and to the nodes of the tree.
   Memory: what the columns take, 88 bytes per context, 16 per path and 20 per
   row; for a short time 24 to 64 bytes per row and 4 to 16 per node more. */

#include "snapshot.h"
#include "../store/locations.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The highest depth that is told. */
#define MAX_DEPTH 65535

/* Blocks of one size in one context. */
struct snapshot_row {
    uint64_t size;
    uint64_t count;             /* 0: the slot is free */
    context_id context;
};

/* A location table that was copied, and what is needed of it. */
struct snapshot_code {
    size_t locations;           /* where it begins in draft->locations */
    uint32_t nlocations;
    uint32_t first;             /* site of this code + 1; chain by `next` */
    uint32_t nunits;            /* up to the last one that a site has */
};

/* An instruction of contexts: they are many more than these. */
struct snapshot_site {
    uint32_t code;              /* its number */
    uint32_t unit;
    uint32_t next;              /* of the same code: number + 1, or 0 */
    struct location location;
};

/* What is needed only until the snapshot is finished. */
struct snapshot_draft {
    const struct snapshot_source *from;      /* not in FinishPicture */
    uint32_t *path_numbers;     /* by node_id; 0: not needed, or the root */
    node_id *paths;             /* by number */
    uint32_t *path_roots;       /* by number: line of the root */
    uint32_t *context_numbers;  /* by context_id: number + 1, or 0 */
    context_id *contexts;       /* by number */
    uint32_t *name_numbers;     /* by name_id; NAME_NONE: "<unknown>" */
    uint32_t *code_numbers;     /* by code_id: number + 1, or 0 */
    uint32_t *thread_numbers;   /* by line of the root: number + 1, or 0 */
    uint32_t nroots;

    struct snapshot_code *codes;
    size_t ncodes;
    unsigned char *locations;
    uint32_t *context_sites;    /* by number of the context */
    struct snapshot_site *sites;
    size_t nsites;
    uint32_t *site_slots;       /* open addressing on (code, unit): number + 1,
                                   or 0; always room for half as many sites */
    size_t site_mask;

    size_t nlive;               /* contexts with live blocks */
    struct snapshot_row *slots;  /* open addressing on (context, size) */
    size_t mask;
    size_t used;
};


/* --- memory -------------------------------------------------------------- */

static void
draft_free(struct snapshot_draft *draft)
{
    if (draft == NULL) {
        return;
    }
    free(draft->path_numbers);
    free(draft->paths);
    free(draft->path_roots);
    free(draft->context_numbers);
    free(draft->contexts);
    free(draft->name_numbers);
    free(draft->code_numbers);
    free(draft->thread_numbers);
    free(draft->codes);
    free(draft->locations);
    free(draft->context_sites);
    free(draft->sites);
    free(draft->site_slots);
    free(draft->slots);
    free(draft);
}


PART void
tm_free_snapshot(struct snapshot *snapshot)
{
    draft_free(snapshot->draft);
#define COLUMN(table, name, type) free(snapshot->table##_##name);
    SNAPSHOT_COLUMNS(COLUMN)
#undef COLUMN
    free(snapshot->names);
    free(snapshot->text);
    free(snapshot->threads);
    memset(snapshot, 0, sizeof(*snapshot));
}


/* Room for the columns of a table: 0, or -1 when out of memory.  A table
   without rows has columns all the same. */
#define COLUMN(table, name, type) \
    snapshot->table##_##name = malloc((n + 1) * sizeof(type)); \
    if (snapshot->table##_##name == NULL) { \
        return -1; \
    }

static int
paths_alloc(struct snapshot *snapshot, size_t n)
{
    snapshot->npaths = n;
    SNAPSHOT_PATHS(COLUMN)
    return 0;
}


static int
contexts_alloc(struct snapshot *snapshot, size_t n)
{
    snapshot->ncontexts = n;
    SNAPSHOT_CONTEXTS(COLUMN)
    return 0;
}


static int
rows_alloc(struct snapshot *snapshot, size_t n)
{
    snapshot->nrows = n;
    SNAPSHOT_ROWS(COLUMN)
    return 0;
}

#undef COLUMN


static uint32_t *
numbers_new(size_t n)
{
    return calloc(n + 1, sizeof(uint32_t));
}


static struct snapshot_draft *
draft_new(const struct snapshot_source *from)
{
    struct snapshot_draft *draft = calloc(1, sizeof(*draft));
    if (draft == NULL) {
        return NULL;
    }
    const struct call_tree *tree = from->tree;
    draft->from = from;
    draft->path_numbers = numbers_new(tree->nodes.used);
    draft->paths = numbers_new(tree->nodes.live);
    draft->path_roots = numbers_new(tree->nodes.live);
    draft->context_numbers = numbers_new(tree->contexts.used);
    draft->contexts = numbers_new(tree->contexts.live);
    draft->name_numbers = numbers_new(from->codes->names->used);
    draft->code_numbers = numbers_new(from->codes->used);
    if (draft->path_numbers == NULL || draft->paths == NULL
        || draft->path_roots == NULL || draft->context_numbers == NULL
        || draft->contexts == NULL || draft->name_numbers == NULL
        || draft->code_numbers == NULL)
    {
        draft_free(draft);
        return NULL;
    }
    return draft;
}


/* --- numbers ------------------------------------------------------------- */

/* Number a path and all above it, callers first. */
static void
path_number(struct snapshot *snapshot, node_id id)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct call_tree *tree = draft->from->tree;
    /* Those that have no number yet, newest first, lie at the end of the list
       for a moment. */
    size_t first = snapshot->npaths, end = first;
    while (tm_node_at(tree, id)->depth != 0 && draft->path_numbers[id] == 0) {
        draft->paths[end++] = id;
        id = tm_node_at(tree, id)->parent;
    }
    uint32_t root = tm_node_at(tree, id)->depth == 0
        ? (uint32_t)tm_node_at(tree, id)->line
        : draft->path_roots[draft->path_numbers[id]];
    for (size_t low = first, high = end; low + 1 < high; low++) {
        node_id newer = draft->paths[low];
        draft->paths[low] = draft->paths[--high];
        draft->paths[high] = newer;
    }
    for (size_t number = first; number < end; number++) {
        draft->path_numbers[draft->paths[number]] = (uint32_t)number;
        draft->path_roots[number] = root;
    }
    snapshot->npaths = end;
}


/* Number all contexts that ever allocated, and the paths they need. */
static void
nodes_number(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct call_tree *tree = draft->from->tree;
    snapshot->npaths = 1;
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        const struct context *context = tm_context_at(tree, id);
        if (context->node != NODE_NONE && id != draft->from->hidden
            && tm_context_counters(context).allocated_blocks != 0)
        {
            draft->contexts[snapshot->ncontexts++] = id;
            draft->context_numbers[id] = (uint32_t)snapshot->ncontexts;
            path_number(snapshot, context->node);
            draft->nlive += tm_context_live_blocks(context) != 0;
        }
    }
}


/* The number of a name; names themselves are copied later. */
static uint32_t
name_number(struct snapshot *snapshot, name_id id)
{
    uint32_t *number = &snapshot->draft->name_numbers[id];
    if (*number == 0) {
        *number = (uint32_t)snapshot->nnames++;
    }
    return *number;
}


static uint32_t
function_number(struct snapshot *snapshot, const struct code_entry *code)
{
    return code->function != NAME_NONE ? name_number(snapshot, code->function)
                                       : 0;
}


/* --- paths and contexts -------------------------------------------------- */

static int
paths_copy(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct snapshot_source *from = draft->from;
    if (paths_alloc(snapshot, snapshot->npaths) < 0) {
        return -1;
    }
    snapshot->path_parent[0] = 0;
    snapshot->path_file[0] = 0;
    snapshot->path_function[0] = 0;
    snapshot->path_line[0] = 0;
    for (size_t number = 1; number < snapshot->npaths; number++) {
        const struct frame_node *path = tm_node_at(from->tree, draft->paths[number]);
        const struct code_entry *code = tm_code_at(from->codes, path->code);
        snapshot->path_parent[number] = draft->path_numbers[path->parent];
        snapshot->path_file[number] = name_number(snapshot, code->file);
        snapshot->path_function[number] = function_number(snapshot, code);
        snapshot->path_line[number] = path->line;
    }
    return 0;
}


/* The number of a thread + 1, by the line of its root: 0, or -1 when out of
   memory. */
static int
thread_number(struct snapshot *snapshot, uint32_t root, uint32_t *number)
{
    struct snapshot_draft *draft = snapshot->draft;
    if (root >= draft->nroots) {
        uint32_t nroots = 2 * root + 2;
        uint32_t *numbers = realloc(draft->thread_numbers,
                                    nroots * sizeof(numbers[0]));
        if (numbers == NULL) {
            return -1;
        }
        memset(numbers + draft->nroots, 0,
               (nroots - draft->nroots) * sizeof(numbers[0]));
        draft->thread_numbers = numbers;
        draft->nroots = nroots;
        uint32_t *threads = realloc(snapshot->threads,
                                    nroots * sizeof(threads[0]));
        if (threads == NULL) {
            return -1;
        }
        snapshot->threads = threads;
    }
    if (draft->thread_numbers[root] == 0) {
        snapshot->threads[snapshot->nthreads++] = root;
        draft->thread_numbers[root] = (uint32_t)snapshot->nthreads;
    }
    *number = draft->thread_numbers[root];
    return 0;
}


static int
context_copy(struct snapshot *snapshot, size_t number,
             const struct context *context)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct snapshot_source *from = draft->from;
    const struct code_entry *code = tm_code_at(from->codes, context->code);
    uint32_t path = draft->path_numbers[context->node];
    uint32_t root = path != 0 ? draft->path_roots[path]
                    : (uint32_t)tm_node_at(from->tree, context->node)->line;
    uint32_t depth = tm_context_depth(from->tree, context);
    /* A block without any frame is shown with one. */
    depth = depth < 1 ? 1 : depth > MAX_DEPTH ? MAX_DEPTH : depth;

    snapshot->context_path[number] = path;
    snapshot->context_file[number] = name_number(snapshot, code->file);
    snapshot->context_function[number] = function_number(snapshot, code);
    snapshot->context_line[number] = context->line;
    snapshot->context_domain[number] = tm_context_domain(
        from->tree, draft->contexts[number]);
    snapshot->context_depth[number] = depth;
    struct counters counters = tm_context_counters(context);
    snapshot->context_allocated_blocks[number] = counters.allocated_blocks;
    snapshot->context_allocated_bytes[number] = counters.allocated_bytes;
    snapshot->context_freed_blocks[number] = counters.freed_blocks;
    snapshot->context_freed_bytes[number] = counters.freed_bytes;
    tm_context_peak(context, from->bytes, &snapshot->context_peak_blocks[number],
                    &snapshot->context_peak_bytes[number]);
    if (context->code == CODE_NONE) {
        /* Of all threads that have no frame. */
        snapshot->context_thread[number] = 0;
        return 0;
    }
    return thread_number(snapshot, root, &snapshot->context_thread[number]);
}


static uint32_t *
site_slot(const struct snapshot_draft *draft, uint32_t code, uint32_t unit)
{
    uint64_t key = (uint64_t)code << 32 | unit;
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 32) & draft->site_mask;
    for (;; at = (at + 1) & draft->site_mask) {
        uint32_t number = draft->site_slots[at];
        if (number == 0 || (draft->sites[number - 1].code == code
                            && draft->sites[number - 1].unit == unit))
        {
            return &draft->site_slots[at];
        }
    }
}


/* Twice the room for sites. */
static int
sites_grow(struct snapshot_draft *draft)
{
    size_t nslots = draft->site_slots ? 2 * (draft->site_mask + 1) : 64;
    uint32_t *slots = numbers_new(nslots);
    struct snapshot_site *sites = realloc(draft->sites,
                                          nslots / 2 * sizeof(sites[0]));
    if (sites != NULL) {
        draft->sites = sites;
    }
    if (slots == NULL || sites == NULL) {
        free(slots);
        return -1;
    }
    free(draft->site_slots);
    draft->site_slots = slots;
    draft->site_mask = nslots - 1;
    for (size_t i = 0; i < draft->nsites; i++) {
        *site_slot(draft, sites[i].code, sites[i].unit) = (uint32_t)i + 1;
    }
    return 0;
}


/* The number of an instruction: 0, or -1 when out of memory. */
static int
site_number(struct snapshot_draft *draft, code_id id, uint32_t unit,
            uint32_t *number)
{
    if (draft->code_numbers[id] == 0) {
        draft->code_numbers[id] = (uint32_t)++draft->ncodes;
    }
    uint32_t code = draft->code_numbers[id] - 1;
    if (draft->nsites == (draft->site_mask + 1) / 2
        && sites_grow(draft) < 0)
    {
        return -1;
    }
    uint32_t *slot = site_slot(draft, code, unit);
    if (*slot == 0) {
        struct snapshot_code *owner = &draft->codes[code];
        draft->sites[draft->nsites++] = (struct snapshot_site){
            .code = code,
            .unit = unit,
            .next = owner->first,
            .location = {-1, -1, -1},
        };
        *slot = owner->first = (uint32_t)draft->nsites;
        if (unit != MAX_UNIT && unit >= owner->nunits) {
            owner->nunits = unit + 1;
        }
    }
    *number = *slot - 1;
    return 0;
}


static int
contexts_copy(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct snapshot_source *from = draft->from;
    size_t n = snapshot->ncontexts;
    draft->context_sites = numbers_new(n);
    draft->codes = calloc(n < from->codes->used ? n + 1
                                                  : from->codes->used,
                          sizeof(draft->codes[0]));
    if (draft->context_sites == NULL || draft->codes == NULL
        || sites_grow(draft) < 0 || contexts_alloc(snapshot, n) < 0)
    {
        return -1;
    }
    for (size_t number = 0; number < n; number++) {
        const struct context *context = tm_context_at(from->tree,
                                                      draft->contexts[number]);
        if (context_copy(snapshot, number, context) < 0
            || site_number(draft, context->code, context->instr_domain & MAX_UNIT,
                           &draft->context_sites[number]) < 0)
        {
            return -1;
        }
    }
    return 0;
}


/* --- what contexts and paths name ---------------------------------------- */

static size_t
name_size(const struct name *name)
{
    size_t size = sizeof(*name) + name->length * name->kind;
    return (size + sizeof(size_t) - 1) & ~(sizeof(size_t) - 1);
}


static int
names_copy(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct name_table *names = draft->from->codes->names;
    size_t size = 0;
    for (name_id id = 1; id < names->used; id++) {
        if (draft->name_numbers[id] != 0) {
            size += name_size(names->entries[id]);
        }
    }
    snapshot->names = calloc(snapshot->nnames, sizeof(snapshot->names[0]));
    snapshot->text = malloc(size + 1);
    snapshot->text_size = size;
    if (snapshot->names == NULL || snapshot->text == NULL) {
        return -1;
    }
    char *at = snapshot->text;
    for (name_id id = 1; id < names->used; id++) {
        if (draft->name_numbers[id] != 0) {
            const struct name *name = names->entries[id];
            memcpy(at, name, sizeof(*name) + name->length * name->kind);
            snapshot->names[draft->name_numbers[id]] =
                (const struct name *)(void *)at;
            at += name_size(name);
        }
    }
    return 0;
}


static int
locations_copy(struct snapshot_draft *draft)
{
    const struct code_table *codes = draft->from->codes;
    size_t size = 0;
    for (code_id id = 1; id < codes->used; id++) {
        if (draft->code_numbers[id] != 0) {
            size += tm_code_at(codes, id)->nlocations;
        }
    }
    draft->locations = malloc(size + 1);
    if (draft->locations == NULL) {
        return -1;
    }
    size = 0;
    for (code_id id = 1; id < codes->used; id++) {
        if (draft->code_numbers[id] != 0) {
            struct snapshot_code *code =
                &draft->codes[draft->code_numbers[id] - 1];
            const struct code_entry *entry = tm_code_at(codes, id);
            code->locations = size;
            code->nlocations = entry->nlocations;
            if (entry->nlocations != 0) {
                memcpy(draft->locations + size, entry->locations,
                       entry->nlocations);
            }
            size += entry->nlocations;
        }
    }
    return 0;
}


/* --- rows ---------------------------------------------------------------- */

static inline size_t
row_hash(context_id context, uint64_t size)
{
    /* Multiplicative hashing (Knuth, The Art of Computer Programming, vol. 3,
       6.4), by the high bits. */
    uint64_t key = size * 0x9e3779b97f4a7c15u + context;
    return (size_t)(key * 0xd6e8feb86659fd93u >> 32);
}


static inline struct snapshot_row *
row_slot(const struct snapshot_draft *draft, context_id context, uint64_t size)
{
    size_t at = row_hash(context, size) & draft->mask;
    for (;; at = (at + 1) & draft->mask) {
        struct snapshot_row *slot = &draft->slots[at];
        if (slot->count == 0
            || (slot->context == context && slot->size == size))
        {
            return slot;
        }
    }
}


static int
slots_grow(struct snapshot_draft *draft, size_t nslots)
{
    struct snapshot_draft grown = *draft;
    grown.slots = calloc(nslots, sizeof(grown.slots[0]));
    grown.mask = nslots - 1;
    if (grown.slots == NULL) {
        return -1;
    }
    for (size_t i = 0; draft->slots != NULL && i <= draft->mask; i++) {
        const struct snapshot_row *row = &draft->slots[i];
        if (row->count != 0) {
            *row_slot(&grown, row->context, row->size) = *row;
        }
    }
    free(draft->slots);
    *draft = grown;
    return 0;
}


/* More blocks of a size in a context: 0, or -1 when out of memory. */
static inline int
row_count(struct snapshot_draft *draft, context_id context, uint64_t size,
          uint64_t count)
{
    struct snapshot_row *slot = row_slot(draft, context, size);
    if (slot->count == 0) {
        slot->context = context;
        slot->size = size;
        if (++draft->used > draft->mask - draft->mask / 4) {
            slot->count = count;
            return slots_grow(draft, 2 * (draft->mask + 1));
        }
    }
    slot->count += count;
    return 0;
}


/* Rows of cells that were counted lately: cells beside each other have few
   values, but seldom the same twice in a row. */
struct recent_row {
    uint64_t key;               /* cell and size class; 0: none */
    struct snapshot_row *row;
};

#define RECENT_ROWS 256


/* More cells of one value: 0, or -1 when out of memory. */
static inline int
cell_count(struct snapshot_draft *draft, struct recent_row *recent,
           uint32_t cell, uint32_t size_class, uint64_t count)
{
    uint64_t key = (uint64_t)size_class << 32 | cell;
    struct recent_row *at = &recent[(cell + size_class) % RECENT_ROWS];
    if (at->key == key) {
        at->row->count += count;
        return 0;
    }
    const struct snapshot_row *slots = draft->slots;
    context_id context = CELL_CONTEXT(cell);
    uint64_t size = (size_class + (uint64_t)1) * draft->from->cell_unit
                    - CELL_SLACK(cell);
    if (row_count(draft, context, size, count) < 0) {
        return -1;
    }
    if (draft->slots != slots) {
        memset(recent, 0, RECENT_ROWS * sizeof(recent[0]));
    }
    *at = (struct recent_row){key, row_slot(draft, context, size)};
    return 0;
}


static int
cells_count(struct snapshot_draft *draft)
{
    const struct cell_store *cells = draft->from->cells;
    struct recent_row recent[RECENT_ROWS] = {{0, NULL}};
    for (uint32_t id = 0; (id = _PyTraceMalloc_NextRow(cells, id)) != 0;) {
        const struct cell_row *row = tm_row_at(cells, id);
        uint32_t cell = 0;
        for (uint32_t at = 0, begin = 0; at <= row->ncells; at++) {
            uint32_t next = at < row->ncells ? row->cells[at] : 0;
            if (next == cell) {
                continue;
            }
            if (cell != 0 && CELL_CONTEXT(cell) != draft->from->hidden
                && cell_count(draft, recent, cell, row->size_class,
                              at - begin) < 0)
            {
                return -1;
            }
            cell = next;
            begin = at;
        }
    }
    return 0;
}


static int
table_count(struct snapshot_draft *draft, const struct block_table *table)
{
    for (size_t i = 0; i <= table->mask; i++) {
        const struct block *block = &table->slots[i];
        if (block->context != CONTEXT_NONE
            && block->context != draft->from->hidden
            && row_count(draft, block->context, block->size, 1) < 0)
        {
            return -1;
        }
    }
    return 0;
}


static int
blocks_count(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    size_t nslots = 256;
    while (nslots - nslots / 4 <= draft->nlive) {
        nslots *= 2;
    }
    if (slots_grow(draft, nslots) < 0 || cells_count(draft) < 0) {
        return -1;
    }
    for (size_t t = 0; t < 2; t++) {
        if (table_count(draft, draft->from->tables[t]) < 0) {
            return -1;
        }
    }
    return 0;
}


/* Let samples stand for what was not noted. */
static void
samples_scale(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct sampler *sampler = draft->from->sampler;
    for (size_t i = 0; i < snapshot->ncontexts; i++) {
        _PyTraceMalloc_RoundTotals(sampler, 0,
                                   &snapshot->context_allocated_blocks[i],
                                   &snapshot->context_freed_blocks[i],
                                   &snapshot->context_peak_blocks[i]);
        _PyTraceMalloc_RoundTotals(sampler, 1,
                                   &snapshot->context_allocated_bytes[i],
                                   &snapshot->context_freed_bytes[i],
                                   &snapshot->context_peak_bytes[i]);
    }
    for (size_t i = 0; draft->slots != NULL && i <= draft->mask; i++) {
        struct snapshot_row *slot = &draft->slots[i];
        if (slot->count != 0) {
            slot->count = tm_count_kind(
                sampler, slot->context, (size_t)slot->size, slot->count);
        }
    }
}


PART int
tm_take_snapshot(struct snapshot *snapshot,
                 const struct snapshot_source *from)
{
    *snapshot = (struct snapshot){.nnames = 1};
    snapshot->draft = draft_new(from);
    if (snapshot->draft == NULL) {
        return -1;
    }
    nodes_number(snapshot);
    if (paths_copy(snapshot) < 0 || contexts_copy(snapshot) < 0
        || names_copy(snapshot) < 0 || locations_copy(snapshot->draft) < 0
        || (from->rows && blocks_count(snapshot) < 0))
    {
        tm_free_snapshot(snapshot);
        return -1;
    }
    if (from->sampler != NULL) {
        samples_scale(snapshot);
    }
    snapshot->draft->from = NULL;
    return 0;
}


/* --- finishing ----------------------------------------------------------- */

/* Size and count of a row, while rows are sorted. */
struct sized {
    uint64_t size;
    uint64_t count;
};


static int
sized_compare(const void *left, const void *right)
{
    const struct sized *a = left, *b = right;
    return (a->size > b->size) - (a->size < b->size);
}


/* Put the rows [begin, end) in order of size.  `scratch` has room for them. */
static void
rows_sort(struct snapshot *snapshot, size_t begin, size_t end,
          struct sized *scratch)
{
    for (size_t i = begin; i < end; i++) {
        scratch[i - begin] = (struct sized){snapshot->row_size[i],
                                            snapshot->row_count[i]};
    }
    qsort(scratch, end - begin, sizeof(scratch[0]), sized_compare);
    for (size_t i = begin; i < end; i++) {
        snapshot->row_size[i] = scratch[i - begin].size;
        snapshot->row_count[i] = scratch[i - begin].count;
    }
}


/* Move the rows from their slots to the columns, those of a context together.
   places[number + 1] becomes where those of a context end. */
static void
rows_place(struct snapshot *snapshot, uint32_t *places)
{
    struct snapshot_draft *draft = snapshot->draft;
    for (size_t i = 0; i <= draft->mask; i++) {
        if (draft->slots[i].count != 0) {
            places[draft->context_numbers[draft->slots[i].context]]++;
        }
    }
    assert(places[0] == 0);
    uint32_t sum = 0;
    for (size_t number = 1; number <= snapshot->ncontexts; number++) {
        uint32_t n = places[number];
        places[number] = sum;
        sum += n;
    }
    for (size_t i = 0; i <= draft->mask; i++) {
        const struct snapshot_row *slot = &draft->slots[i];
        if (slot->count != 0) {
            uint32_t number = draft->context_numbers[slot->context];
            uint32_t row = places[number]++;
            snapshot->row_context[row] = number - 1;
            snapshot->row_size[row] = slot->size;
            snapshot->row_count[row] = slot->count;
        }
    }
}


static int
rows_finish(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    uint32_t *places = numbers_new(snapshot->ncontexts);
    if (places == NULL || rows_alloc(snapshot, draft->used) < 0) {
        free(places);
        return -1;
    }
    rows_place(snapshot, places);
    free(draft->slots);
    draft->slots = NULL;
    size_t most = 1;
    for (size_t number = 1; number <= snapshot->ncontexts; number++) {
        size_t n = places[number] - places[number - 1];
        most = n > most ? n : most;
    }
    struct sized *scratch = malloc(most * sizeof(scratch[0]));
    for (size_t number = 1; number <= snapshot->ncontexts && scratch != NULL;
         number++)
    {
        if (places[number] - places[number - 1] > 1) {
            rows_sort(snapshot, places[number - 1], places[number], scratch);
        }
    }
    int failed = scratch == NULL;
    free(places);
    free(scratch);
    return failed ? -1 : 0;
}


/* Read the location tables that were copied, for all sites. */
static int
sites_locate(struct snapshot_draft *draft)
{
    size_t most = 1;
    for (size_t i = 0; i < draft->ncodes; i++) {
        if (draft->codes[i].nunits > most) {
            most = draft->codes[i].nunits;
        }
    }
    struct location *units = malloc(most * sizeof(units[0]));
    if (units == NULL) {
        return -1;
    }
    for (size_t i = 0; i < draft->ncodes; i++) {
        const struct snapshot_code *code = &draft->codes[i];
        _PyTraceMalloc_ReadLocations(draft->locations + code->locations,
                                     code->nlocations, units, code->nunits);
        struct snapshot_site *site;
        for (uint32_t at = code->first; at != 0; at = site->next) {
            site = &draft->sites[at - 1];
            if (site->unit != MAX_UNIT) {
                site->location = units[site->unit];
            }
        }
    }
    free(units);
    return 0;
}


static int
locations_finish(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    if (sites_locate(draft) < 0) {
        return -1;
    }
    for (size_t i = 0; i < snapshot->ncontexts; i++) {
        const struct location *location =
            &draft->sites[draft->context_sites[i]].location;
        snapshot->context_end_line[i] = location->lines < 0 ? -1
            : snapshot->context_line[i] + location->lines;
        snapshot->context_column[i] = location->column;
        snapshot->context_end_column[i] = location->end_column;
    }
    return 0;
}


PART int
tm_finish_snapshot(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    for (size_t i = 0; i < snapshot->ncontexts; i++) {
        if (snapshot->context_thread[i] != 0) {
            snapshot->context_thread[i] += (uint32_t)snapshot->nnames - 1;
        }
    }
    if ((draft->slots != NULL && rows_finish(snapshot) < 0)
        || locations_finish(snapshot) < 0)
    {
        tm_free_snapshot(snapshot);
        return -1;
    }
    draft_free(draft);
    snapshot->draft = NULL;
    return 0;
}
