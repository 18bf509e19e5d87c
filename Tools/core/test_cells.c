/* Cells: rows in chunks, their reuse, and the walk over them. */

#include "check.h"
#include "store/zeros.h"

#include <string.h>

static struct cell_store store;

enum { MAX_ROWS = 6000 };
static struct {
    struct cell_row *row;       /* NULL: free */
    uintptr_t pool;
    unsigned size_class;
} rows[MAX_ROWS];

/* What a pool of 16 KiB holds of each class, give or take. */
static unsigned
class_cells(unsigned size_class)
{
    return (16384 - 48) / (16 * (size_class + 1));
}


static struct cell_row *
row_begin(size_t i, unsigned size_class)
{
    uintptr_t pool = 16384 * (i + 1);
    struct cell_row *row = _PyTraceMalloc_AddRow(&store, pool, size_class,
                                                 class_cells(size_class));
    CHECK(row != NULL);
    CHECK_EQUAL(row->pool, pool);
    CHECK_EQUAL(row->size_class, size_class);
    CHECK_EQUAL(row->ncells, class_cells(size_class));
    CHECK_EQUAL((uintptr_t)row % ROW_UNIT, 0);
    for (unsigned cell = 0; cell < row->ncells; cell++) {
        CHECK_EQUAL(row->cells[cell], 0);
    }
    rows[i].row = row;
    rows[i].pool = pool;
    rows[i].size_class = size_class;
    return row;
}


/* Cells carry the number of their row: rows that overlap would show. */
static void
row_fill(size_t i)
{
    struct cell_row *row = rows[i].row;
    for (unsigned cell = 0; cell < row->ncells; cell++) {
        row->cells[cell] = (uint32_t)i + 1 + (cell << 20);
    }
}


static void
row_end(size_t i)
{
    const struct cell_row *row = rows[i].row;
    for (unsigned cell = 0; cell < row->ncells; cell++) {
        CHECK_EQUAL(row->cells[cell], (uint32_t)i + 1 + (cell << 20));
    }
    _PyTraceMalloc_FreeRow(&store, rows[i].row);
    rows[i].row = NULL;
}


static void
walk_compare(size_t n)
{
    size_t expected = 0, walked = 0;
    for (size_t i = 0; i < n; i++) {
        expected += rows[i].row != NULL;
    }
    uint32_t before = 0;
    for (uint32_t number = 0;
         (number = _PyTraceMalloc_NextRow(&store, number)) != 0;)
    {
        CHECK(number > before);
        before = number;
        size_t i = tm_row_at(&store, number)->pool / 16384 - 1;
        CHECK(i < n && rows[i].row == tm_row_at(&store, number));
        walked++;
    }
    CHECK_EQUAL(walked, expected);
    CHECK_EQUAL(store.rows, expected);
    CHECK_EQUAL(tm_size_of_cells(&store), test_live_bytes());
}


static void
test_packing(void)
{
    uint32_t cell = CELL((1u << 25) - 1, MAX_SLACK);
    CHECK_EQUAL(cell, UINT32_MAX);
    CHECK_EQUAL(CELL_CONTEXT(cell), (1u << 25) - 1);
    CHECK_EQUAL(CELL_SLACK(cell), MAX_SLACK);
    cell = CELL(5, 9);
    CHECK_EQUAL(CELL_CONTEXT(cell), 5);
    CHECK_EQUAL(CELL_SLACK(cell), 9);
    CHECK(MAX_CONTEXTS <= (size_t)1 << 25);
}


static void
test_empty_store(void)
{
    _PyTraceMalloc_InitCells(&store);
    CHECK_EQUAL(_PyTraceMalloc_NextRow(&store, 0), 0);
    CHECK_EQUAL(tm_size_of_cells(&store), 0);
    _PyTraceMalloc_FiniCells(&store);
}


static void
test_rows_of_every_class(void)
{
    _PyTraceMalloc_InitCells(&store);
    size_t n = 0;
    /* Enough for several chunks. */
    while (store.nchunks < 5) {
        row_begin(n, (unsigned)(n % 32));
        row_fill(n);
        n++;
        CHECK(n < MAX_ROWS);
    }
    walk_compare(n);
    for (size_t i = 0; i < n; i++) {
        row_end(i);
    }
    walk_compare(n);
    _PyTraceMalloc_FiniCells(&store);
    CHECK_EQUAL(test_live_blocks(), 0);
    CHECK_EQUAL(_PyTraceMalloc_NextRow(&store, 0), 0);
}


static void
test_walk_over_holes(void)
{
    _PyTraceMalloc_InitCells(&store);
    size_t n = 400;
    for (size_t i = 0; i < n; i++) {
        row_begin(i, random_below(32));
        row_fill(i);
    }
    walk_compare(n);
    for (size_t left = n; left > 0;) {
        size_t i = random_below((uint32_t)n);
        if (rows[i].row != NULL) {
            row_end(i);
            left--;
            walk_compare(n);
        }
    }
    _PyTraceMalloc_FiniCells(&store);
}


static void
test_reuse_by_class(void)
{
    _PyTraceMalloc_InitCells(&store);
    struct cell_row *small = row_begin(0, 0), *large = row_begin(1, 31);
    struct cell_row *other = row_begin(2, 0);
    row_fill(0);
    row_fill(1);
    row_fill(2);
    row_end(0);
    row_end(1);
    /* Another class gets another row, the same class gets its own again. */
    struct cell_row *between = row_begin(3, 15);
    CHECK(between != small && between != large && between != other);
    CHECK(row_begin(4, 31) == large);
    CHECK(row_begin(5, 0) == small);
    row_fill(3);
    row_fill(4);
    row_fill(5);
    row_end(5);
    row_end(2);
    struct cell_row *first = row_begin(6, 0), *second = row_begin(7, 0);
    CHECK((first == small && second == other)
          || (first == other && second == small));
    walk_compare(8);
    _PyTraceMalloc_FiniCells(&store);
}


/* Chunks that are filled to the last unit have no header of zeros. */
static void
test_full_chunk(void)
{
    /* 11 cells and the header fill one unit. */
    size_t units = (size_t)1 << ROWS_SHIFT;
    _PyTraceMalloc_InitCells(&store);
    for (size_t i = 0; i < 2 * units - 1; i++) {
        struct cell_row *row = _PyTraceMalloc_AddRow(&store, 64 * (i + 1), 40,
                                                     11);
        CHECK(row == tm_row_at(&store, (uint32_t)i + 1));
    }
    CHECK_EQUAL(store.nchunks, 2);
    CHECK_EQUAL(store.next, units);
    uint32_t number = 0;
    for (size_t i = 0; i < 2 * units - 1; i++) {
        number = _PyTraceMalloc_NextRow(&store, number);
        CHECK_EQUAL(number, i + 1);
    }
    CHECK_EQUAL(_PyTraceMalloc_NextRow(&store, number), 0);
    /* One cell more takes two units. */
    uint32_t wide = (uint32_t)(2 * units);
    CHECK(_PyTraceMalloc_AddRow(&store, 64, 41, 12)
          == tm_row_at(&store, wide));
    CHECK(_PyTraceMalloc_AddRow(&store, 64, 41, 12)
          == tm_row_at(&store, wide + 2));
    _PyTraceMalloc_FiniCells(&store);
}


static void
test_random_rows(void)
{
    _PyTraceMalloc_InitCells(&store);
    memset(rows, 0, sizeof(rows));
    size_t n = 500;
    int rounds = test_options.quick ? 5000 : 20000;
    for (int round = 0; round < rounds; round++) {
        size_t i = random_below((uint32_t)n);
        if (rows[i].row != NULL) {
            row_end(i);
        }
        else {
            /* Few classes in one stretch, so that rows come again. */
            row_begin(i, (random_below(4) + (unsigned)round / 1000) % 32);
            row_fill(i);
        }
        if (round % 50 == 0) {
            walk_compare(n);
        }
    }
    walk_compare(n);
    _PyTraceMalloc_FiniCells(&store);
}


static void
test_rows_run_out(void)
{
    _PyTraceMalloc_InitCells(&store);
    struct cell_row *row = row_begin(0, 0);
    uint32_t nchunks = store.nchunks, next = store.next;
    store.nchunks = MAX_ROW_CHUNKS;
    store.next = 1u << ROWS_SHIFT;
    CHECK(_PyTraceMalloc_AddRow(&store, 64, 1, 20) == NULL);
    CHECK_EQUAL(store.rows, 1);
    _PyTraceMalloc_FreeRow(&store, row);
    CHECK(_PyTraceMalloc_AddRow(&store, 64, 0, class_cells(0)) == row);
    store.nchunks = nchunks;
    store.next = next;
    _PyTraceMalloc_FiniCells(&store);
}


/* Of the chunks before, nothing is looked at. */
static void
test_rows_beyond_four_gibibytes(void)
{
    const uint32_t before = 1u << 14;
    _PyTraceMalloc_InitCells(&store);
    store.nchunks = before;
    store.next = 1u << ROWS_SHIFT;
    CHECK_EQUAL((size_t)store.nchunks * store.next * ROW_UNIT, 1ull << 32);
    struct cell_row *row = row_begin(0, 0);
    uint32_t number = before << ROWS_SHIFT;
    CHECK(row == tm_row_at(&store, number));
    row_fill(0);
    struct cell_row *other = row_begin(1, 3);
    number = _PyTraceMalloc_NextRow(&store, number);
    CHECK(other == tm_row_at(&store, number));
    CHECK_EQUAL(number >> ROWS_SHIFT, before);
    CHECK_EQUAL(_PyTraceMalloc_NextRow(&store, number), 0);
    row_end(0);
    CHECK(row_begin(0, 0) == row);
    tm_free_zeros(store.chunks[before]);
    _PyTraceMalloc_InitCells(&store);
}


const struct test cells_tests[] = {
    {"a cell packs context and slack", test_packing},
    {"an empty store has no rows", test_empty_store},
    {"rows of every class, over several chunks", test_rows_of_every_class},
    {"the walk over rows skips holes", test_walk_over_holes},
    {"rows are given again to their class only", test_reuse_by_class},
    {"a chunk that is full to the last unit", test_full_chunk},
    {"random rows against a list", test_random_rows},
    {"no numbers for rows are left", test_rows_run_out},
    {"more than 4 GiB of rows", test_rows_beyond_four_gibibytes},
    {NULL, NULL},
};
