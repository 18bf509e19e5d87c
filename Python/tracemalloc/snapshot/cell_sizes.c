/* Sizes of blocks that have cells, by context, for a snapshot.

   Called by rows.c, which see; reads cells.  Which context has how many blocks
   is counted first, so each gets just the room that its blocks need:

       few   a size for each block: 2 bytes
       many  a tally for each size that there is, which take no more

   so all of it takes 2 bytes per block at most, and 16 per context, however
   many contexts and sizes there are.  Neighbours in a pool often are alike, so
   runs of them are added at once. */

#include "draft.h"

#include <assert.h>
#include <string.h>


/* Whether tallies take less than sizes side by side. */
static inline int
is_many(const struct snapshot_draft *draft, size_t n)
{
#ifdef Py_TRACEMALLOC_STRESS
    (void)draft;
    return n > 6;
#else
    return n * sizeof(draft->sizes[0])
           > draft->nsizes * sizeof(draft->tallies[0]);
#endif
}


/* Tell of all runs of cells that have the same bits above the `shift` lowest
   ones. */
static TM_INLINE void
cells_walk(struct snapshot_draft *draft, unsigned shift,
           void meet(struct snapshot_draft *, uint32_t cell,
                     size_t block_size, size_t n))
{
    const struct cell_store *cells = draft->from->blocks.cells;
    for (uint32_t id = 0; (id = _PyTraceMalloc_NextRow(cells, id)) != 0;) {
        const struct cell_row *row = tm_row_at(cells, id);
        size_t block_size = (row->size_class + (size_t)1)
                            * draft->from->blocks.cell_unit;
        for (uint32_t at = 0, end; at < row->ncells; at = end) {
            uint32_t cell = row->cells[at];
            for (end = at + 1;
                 end < row->ncells
                 && (row->cells[end] ^ cell) >> shift == 0; end++)
            {
            }
            if (cell != 0) {
                meet(draft, cell, block_size, end - at);
            }
        }
    }
}


/* Those of who is hidden are number 0's. */
static inline struct cell_sizes *
sizes_of_cell(const struct snapshot_draft *draft, uint32_t cell)
{
    return &draft->cell_sizes[draft->context_numbers[CELL_CONTEXT(cell)]];
}


static inline void
run_count(struct snapshot_draft *draft, uint32_t cell, size_t block_size,
          size_t n)
{
    sizes_of_cell(draft, cell)->n += n;
    if (draft->nsizes <= block_size) {
        draft->nsizes = block_size + 1;
    }
}


static inline void
run_put(struct snapshot_draft *draft, uint32_t cell, size_t block_size,
        size_t n)
{
    struct cell_sizes *to = sizes_of_cell(draft, cell);
    if (to == draft->cell_sizes) {
        return;
    }
    size_t size = block_size - CELL_SLACK(cell);
    if (is_many(draft, to->n)) {
        draft->tallies[to->begin + size] += n;
        return;
    }
    for (size_t end = to->begin + n; to->begin < end; to->begin++) {
        draft->sizes[to->begin] = (uint16_t)size;
    }
}


/* Give each context the room that it needs: 0, or -1 when out of memory. */
static int
sizes_alloc(struct snapshot_draft *draft, size_t ncontexts)
{
    size_t sizes = 0, tallies = 0;
    for (size_t number = 1; number <= ncontexts; number++) {
        struct cell_sizes *group = &draft->cell_sizes[number];
        if (is_many(draft, group->n)) {
            group->begin = tallies;
            tallies += draft->nsizes;
        }
        else {
            group->begin = sizes;
            sizes += group->n;
        }
    }
    draft->sizes = malloc((sizes + 1) * sizeof(draft->sizes[0]));
    draft->tallies = calloc(tallies + 1, sizeof(draft->tallies[0]));
    return draft->sizes != NULL && draft->tallies != NULL ? 0 : -1;
}


PART int
tm_take_sizes(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    draft->cell_sizes = calloc(snapshot->ncontexts + 1,
                               sizeof(draft->cell_sizes[0]));
    if (draft->cell_sizes == NULL) {
        return -1;
    }
    cells_walk(draft, SLACK_BITS, run_count);
    assert(draft->nsizes <= UINT16_MAX);
    if (sizes_alloc(draft, snapshot->ncontexts) < 0) {
        return -1;
    }
    cells_walk(draft, 0, run_put);
    return 0;
}


/* --- finishing ----------------------------------------------------------- */

/* As many are sorted by insertion. */
#define SORT_FEW 32

static void
sizes_sort(uint16_t *sizes, size_t n, size_t *scratch, size_t nsizes)
{
    if (n > SORT_FEW) {
        for (size_t i = 0; i < n; i++) {
            scratch[sizes[i]]++;
        }
        for (size_t size = 0; size < nsizes; size++) {
            for (; scratch[size] > 0; scratch[size]--) {
                *sizes++ = (uint16_t)size;
            }
        }
        return;
    }
    for (size_t i = 1; i < n; i++) {
        uint16_t size = sizes[i];
        size_t at = i;
        for (; at > 0 && sizes[at - 1] > size; at--) {
            sizes[at] = sizes[at - 1];
        }
        sizes[at] = size;
    }
}


/* How many different sizes there are, in order. */
static size_t
sizes_count(const uint16_t *sizes, size_t n)
{
    size_t found = n > 0;
    for (size_t i = 1; i < n; i++) {
        found += sizes[i] != sizes[i - 1];
    }
    return found;
}


static size_t
tallies_count(const uint64_t *tallies, size_t n)
{
    size_t found = 0;
    for (size_t size = 0; size < n; size++) {
        found += tallies[size] != 0;
    }
    return found;
}


PART int
tm_sort_sizes(struct snapshot *snapshot, size_t *counts)
{
    struct snapshot_draft *draft = snapshot->draft;
    size_t *scratch = calloc(draft->nsizes + 1, sizeof(scratch[0]));
    if (scratch == NULL) {
        return -1;
    }
    for (size_t number = 1; number <= snapshot->ncontexts; number++) {
        struct cell_sizes *group = &draft->cell_sizes[number];
        if (is_many(draft, group->n)) {
            counts[number] += tallies_count(draft->tallies + group->begin,
                                            draft->nsizes);
        }
        else {
            /* It was moved on to the end. */
            group->begin -= group->n;
            uint16_t *sizes = draft->sizes + group->begin;
            sizes_sort(sizes, group->n, scratch, draft->nsizes);
            counts[number] += sizes_count(sizes, group->n);
        }
    }
    free(scratch);
    return 0;
}


PART size_t
tm_put_sizes(struct snapshot *snapshot, size_t number, size_t row)
{
    const struct snapshot_draft *draft = snapshot->draft;
    const struct cell_sizes *group = &draft->cell_sizes[number];
    uint64_t *sizes = snapshot->row_size, *counts = snapshot->row_count;
    if (is_many(draft, group->n)) {
        const uint64_t *tallies = draft->tallies + group->begin;
        for (size_t size = 0; size < draft->nsizes; size++) {
            if (tallies[size] != 0) {
                sizes[row] = size;
                counts[row++] = tallies[size];
            }
        }
        return row;
    }
    const uint16_t *from = draft->sizes + group->begin;
    for (size_t i = 0; i < group->n; i++) {
        if (i > 0 && from[i] == from[i - 1]) {
            counts[row - 1]++;
        }
        else {
            sizes[row] = from[i];
            counts[row++] = 1;
        }
    }
    return row;
}


PART void
tm_free_sizes(struct snapshot_draft *draft)
{
    free(draft->cell_sizes);
    free(draft->sizes);
    free(draft->tallies);
    draft->cell_sizes = NULL;
    draft->sizes = NULL;
    draft->tallies = NULL;
}
