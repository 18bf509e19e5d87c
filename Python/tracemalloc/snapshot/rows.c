/* Rows of a snapshot: its live blocks.

   A part of snapshot.c, which see.  Blocks are counted by context and size:
   those that have cells by cell_sizes.c, all others in a table with open
   addressing; finishing puts both in order.  Samples are few, and all of them
   are counted in the table.  Where each block shall have a row, rows come as
   they are met. */

#include "draft.h"

#include <assert.h>
#include <math.h>
#include <string.h>


#ifdef Py_TRACEMALLOC_STRESS
#  define FIRST_ROW_SLOTS 4
#else
#  define FIRST_ROW_SLOTS 256
#endif


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


/* One more block of a size in a context: 0, or -1 when out of memory. */
static inline int
row_count(struct snapshot_draft *draft, context_id context, uint64_t size)
{
    struct snapshot_row *slot = row_slot(draft, context, size);
    if (slot->count++ == 0) {
        slot->context = context;
        slot->size = size;
        if (++draft->used > draft->mask - draft->mask / 4) {
            return slots_grow(draft, 2 * (draft->mask + 1));
        }
    }
    return 0;
}


/* Count what has no cells, or all if these are samples. */
static int
blocks_count(struct snapshot_draft *draft)
{
    const struct snapshot_source *from = draft->from;
    struct block_walk walk = tm_walk_blocks(&from->blocks);
    struct block block;
    if (from->sampler == NULL) {
        walk.row = 0;
    }
    while (tm_next_block(&walk, &block)) {
        if (block.context != from->hidden
            && row_count(draft, block.context, block.size) < 0)
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
    if (slots_grow(draft, FIRST_ROW_SLOTS) < 0 || blocks_count(draft) < 0) {
        return -1;
    }
    if (draft->from->sampler != NULL) {
        samples_scale(draft);
        return 0;
    }
    return tm_take_sizes(snapshot);
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
   places[number + 1], where they begin, becomes where they end. */
static void
slots_place(struct snapshot *snapshot, size_t *places)
{
    struct snapshot_draft *draft = snapshot->draft;
    for (size_t i = 0; i <= draft->mask; i++) {
        const struct snapshot_row *slot = &draft->slots[i];
        if (slot->count != 0) {
            uint32_t number = draft->context_numbers[slot->context];
            size_t row = places[number]++;
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


/* Give places[number + 1] where the rows of a context begin, of which it has
   the number, and the columns room for all. */
static int
places_give(struct snapshot *snapshot, size_t *places)
{
    size_t sum = 0;
    for (size_t number = 1; number <= snapshot->ncontexts; number++) {
        size_t n = places[number];
        places[number] = sum;
        sum += n;
    }
    return rows_alloc(snapshot, sum);
}


static int
is_in_order(const struct snapshot *snapshot, size_t begin, size_t end)
{
    for (size_t row = begin; row + 1 < end; row++) {
        if (snapshot->row_size[row] >= snapshot->row_size[row + 1]) {
            return 0;
        }
    }
    return 1;
}


/* Put the rows of each context, which end at places[number + 1], in order, and
   make one of those of the same size: 0, or -1 when out of memory. */
static int
rows_order(struct snapshot *snapshot, const size_t *places)
{
    size_t most = 1, to = 0;
    for (size_t number = 1, begin = 0; number <= snapshot->ncontexts;
         begin = places[number++])
    {
        size_t n = places[number] - begin;
        most = n > most ? n : most;
    }
    struct sized *scratch = malloc(most * sizeof(scratch[0]));
    if (scratch == NULL) {
        return -1;
    }
    for (size_t number = 1, begin = 0; number <= snapshot->ncontexts;
         begin = places[number++])
    {
        size_t end = places[number], first = to;
        if (!is_in_order(snapshot, begin, end)) {
            rows_sort(snapshot, begin, end, scratch);
        }
        for (size_t row = begin; row < end; row++) {
            uint64_t size = snapshot->row_size[row];
            uint64_t count = snapshot->row_count[row];
            if (to > first && snapshot->row_size[to - 1] == size) {
                snapshot->row_count[to - 1] += count;
                continue;
            }
            snapshot->row_context[to] = (uint32_t)number - 1;
            snapshot->row_size[to] = size;
            snapshot->row_count[to++] = count;
        }
    }
    snapshot->nrows = to;
    free(scratch);
    return 0;
}


static int
rows_finish(struct snapshot *snapshot, size_t *places)
{
    struct snapshot_draft *draft = snapshot->draft;
    for (size_t i = 0; i <= draft->mask; i++) {
        if (draft->slots[i].count != 0) {
            places[draft->context_numbers[draft->slots[i].context]]++;
        }
    }
    assert(places[0] == 0);
    if ((draft->cell_sizes != NULL && tm_sort_sizes(snapshot, places) < 0)
        || places_give(snapshot, places) < 0)
    {
        return -1;
    }
    if (draft->cell_sizes != NULL) {
        for (size_t number = 1; number <= snapshot->ncontexts; number++) {
            places[number] = tm_put_sizes(snapshot, number, places[number]);
        }
        tm_free_sizes(draft);
    }
    slots_place(snapshot, places);
    free(draft->slots);
    draft->slots = NULL;
    return rows_order(snapshot, places);
}


PART int
tm_finish_rows(struct snapshot *snapshot)
{
    size_t *places = calloc(snapshot->ncontexts + 1, sizeof(places[0]));
    int result = places != NULL ? rows_finish(snapshot, places) : -1;
    free(places);
    return result;
}
