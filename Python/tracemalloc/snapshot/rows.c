/* Rows of a snapshot: its live blocks.

   A part of snapshot.c, which see.  Blocks are counted by (context, size), in
   a table with open addressing; finishing sorts what was counted.  Neighbours
   in a pool often are alike, so runs of equal cells are added at once.  Where
   each block shall have a row, rows come as they are met. */

#include "draft.h"

#include <assert.h>
#include <math.h>
#include <string.h>


/* --- counting ------------------------------------------------------------ */

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
    uint64_t size = (size_class + (uint64_t)1) * draft->from->blocks.cell_unit
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
    const struct cell_store *cells = draft->from->blocks.cells;
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
    struct block_cursor cursor = tm_walk_table(table);
    struct block block;
    while (_PyTraceMalloc_NextBlock(&cursor, &block)) {
        if (block.context != draft->from->hidden
            && row_count(draft, block.context, block.size, 1) < 0)
        {
            return -1;
        }
    }
    return 0;
}


/* Let samples stand for what was not noted. */
static void
samples_scale(struct snapshot_draft *draft)
{
    for (size_t i = 0; i <= draft->mask; i++) {
        struct snapshot_row *slot = &draft->slots[i];
        if (slot->count != 0) {
            slot->count = tm_count_kind(draft->from->sampler, slot->context,
                                        (size_t)slot->size, slot->count);
        }
    }
}


PART int
tm_take_rows(struct snapshot *snapshot)
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
        if (table_count(draft, draft->from->blocks.tables[t]) < 0) {
            return -1;
        }
    }
    if (draft->from->sampler != NULL) {
        samples_scale(draft);
    }
    return 0;
}


/* --- single blocks ------------------------------------------------------- */

PART int
tm_take_blocks(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct snapshot_source *from = draft->from;
    /* Room for those that are hidden, too: they are few. */
    size_t n = tm_count_blocks(&from->blocks), row = 0;
    SNAPSHOT_ROW_COLUMNS(COLUMN_ALLOC)
    SNAPSHOT_ADDRESS_COLUMNS(COLUMN_ALLOC)
    struct block block;
    struct block_walk walk = tm_walk_blocks(&from->blocks);
    while (tm_next_block(&walk, &block)) {
        if (block.context != from->hidden) {
            assert(draft->context_numbers[block.context] != 0);
            snapshot->row_context[row] =
                draft->context_numbers[block.context] - 1;
            snapshot->row_size[row] = block.size;
            snapshot->row_address[row] = block.address;
            row++;
        }
    }
    assert(row <= n);
    snapshot->nrows = row;
    return 0;
}


/* --- errors -------------------------------------------------------------- */

/* What was allocated has the spreads that the sampler has added up; of what is
   live, all samples tell.  See sampler.c for the formulas. */
PART int
tm_take_errors(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct snapshot_source *from = draft->from;
    const struct sampler *sampler = from->sampler;
    size_t n = snapshot->ncontexts;
    SNAPSHOT_ERROR_COLUMNS(COLUMN_ALLOC)
    for (size_t i = 0; i < n; i++) {
        struct sample_spread spread = {0, 0};
        if (draft->contexts[i] < sampler->nspreads) {
            spread = sampler->spreads[draft->contexts[i]];
        }
        /* Moves may leave less than nothing of a sum of fractions. */
        snapshot->context_allocated_blocks_error[i] =
            sqrt(fmax(spread.blocks, 0));
        snapshot->context_allocated_bytes_error[i] =
            sqrt(fmax(spread.bytes, 0));
        snapshot->context_live_blocks_error[i] = 0;
        snapshot->context_live_bytes_error[i] = 0;
    }
    struct block sample;
    struct block_walk walk = tm_walk_blocks(&from->blocks);
    while (tm_next_block(&walk, &sample)) {
        if (sample.context != from->hidden) {
            uint32_t number = draft->context_numbers[sample.context] - 1;
            struct sample_spread spread = tm_spread_sample(
                sampler, (size_t)sample.size);
            snapshot->context_live_blocks_error[number] += spread.blocks;
            snapshot->context_live_bytes_error[number] += spread.bytes;
        }
    }
    for (size_t i = 0; i < n; i++) {
        snapshot->context_live_blocks_error[i] =
            sqrt(snapshot->context_live_blocks_error[i]);
        snapshot->context_live_bytes_error[i] =
            sqrt(snapshot->context_live_bytes_error[i]);
    }
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
rows_alloc(struct snapshot *snapshot, size_t n)
{
    snapshot->nrows = n;
    SNAPSHOT_ROW_COLUMNS(COLUMN_ALLOC)
    SNAPSHOT_COUNT_COLUMNS(COLUMN_ALLOC)
    return 0;
}


PART int
tm_finish_rows(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    uint32_t *places = tm_new_numbers(snapshot->ncontexts);
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
