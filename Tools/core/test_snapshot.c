/* Snapshots: columns against a plain search through what they were taken
   of. */

#include "check.h"
#include "snapshot/snapshot.h"

#include <math.h>
#include <string.h>

enum {
    NCODES = 6, NPATHS = 60, NCONTEXTS = 90, NBLOCKS = 700, UNIT = 16,
    HEADER = 48,
    COLUMNS = SNAPSHOT_COUNTERS | SNAPSHOT_LOCATIONS,
};

static struct code_table codes;
static struct call_tree tree;
static struct traced_bytes bytes;
static struct cell_store cells;
static struct block_table tables[2];
static struct sampler sampler;
static char owners[NCODES + 1];

static node_id nodes[NPATHS];
static size_t npaths;
static context_id contexts[NCONTEXTS];
static size_t ncontexts;

/* Every block, as it was noted. */
static struct {
    uintptr_t address;
    context_id context;
    uint64_t size;
} blocks[NBLOCKS];
static size_t nblocks;

static const char *const files[] = {"a.py", "b.py"};
static const char *const functions[] = {"f", "C.g", ""};

/* One unit at columns 1 to 5, one at 9 to 20 two lines below, one unknown. */
static const unsigned char locations[] = {
    0x80, 0x14, 0xf0, 0, 2, 10, 21, 0xf8,
};
static const struct location expected[] = {
    {0, 1, 5}, {2, 9, 20}, {-1, -1, -1},
};


static name_id
name_add(const char *name)
{
    return tm_add_name(codes.names, 1, name, strlen(name));
}


static void
codes_begin(void)
{
    for (code_id id = 1; id <= NCODES; id++) {
        struct line_map *map = tm_new_lines(3, 0, 0);
        struct code_info info = {
            .file = name_add(files[id % 2]),
            .function = name_add(functions[id % 3]),
            .lines = map,
            .locations = locations,
            .nlocations = sizeof(locations),
        };
        CHECK_EQUAL(tm_add_code(&codes, &owners[id], &info),
                    id);
    }
    /* Names that nothing needs are not copied. */
    CHECK(name_add("unused.py") != NAME_NONE);
    tm_retire_code(&codes, 2);
}


static void
begin(void)
{
    CHECK_EQUAL(tm_init_codes(&codes), 0);
    CHECK_EQUAL(tm_init_tree(&tree), 0);
    CHECK_EQUAL(tm_init_blocks(&tables[0], NULL), 0);
    CHECK_EQUAL(tm_init_blocks(&tables[1], NULL), 0);
    _PyTraceMalloc_InitCells(&cells);
    bytes = (struct traced_bytes){.epoch = 1};
    npaths = ncontexts = nblocks = 0;
    codes_begin();
}


static void
end(void)
{
    _PyTraceMalloc_FiniCells(&cells);
    tm_fini_blocks(&tables[0]);
    tm_fini_blocks(&tables[1]);
    tm_fini_tree(&tree);
    tm_fini_codes(&codes);
    CHECK_EQUAL(test_live_blocks(), 0);
}


static void
block_count(uintptr_t address, context_id context, uint64_t size)
{
    CHECK(nblocks < NBLOCKS);
    count_any(&tree, &bytes, tm_context_at(&tree, context), size);
    blocks[nblocks].address = address;
    blocks[nblocks].context = context;
    blocks[nblocks++].size = size;
}


static void
block_add(uint32_t table, context_id context, uint64_t size)
{
    struct block block = {
        .address = 16 * (nblocks + 1), .size = size, .context = context,
    };
    CHECK_EQUAL(_PyTraceMalloc_ReserveBlock(&tables[table], &block), 0);
    _PyTraceMalloc_AddBlock(&tables[table], &block);
    block_count(block.address, context, size);
}


static void
cell_add(struct cell_row *row, context_id context, unsigned slack)
{
    uint32_t at = random_below(row->ncells);
    if (row->cells[at] == 0) {
        size_t room = (row->size_class + (size_t)1) * UNIT;
        row->cells[at] = CELL(context, slack);
        block_count(row->pool + HEADER + at * room, context, room - slack);
    }
}


static context_id
context_random(void)
{
    return contexts[random_below((uint32_t)ncontexts)];
}


static void
world_random(void)
{
    begin();
    for (uint32_t i = 0; i < 6; i++) {
        /* Some have the thread, or the account, of another one. */
        uint32_t account = i % 3 * 7, thread = i % 4;
        nodes[npaths++] = tm_add_root(&tree, tm_root_line(account, thread));
    }
    while (npaths < NPATHS) {
        /* Some are taken away again, so that a caller's number may be the
           larger one. */
        node_id away = tm_add_node(
            &tree, nodes[random_below((uint32_t)npaths)],
            1 + random_below(NCODES), 1000 + (int32_t)npaths);
        nodes[npaths] = tm_add_node(
            &tree, nodes[random_below((uint32_t)npaths)],
            1 + random_below(NCODES), (int32_t)npaths);
        npaths++;
        if (random_below(2)) {
            tm_free_node(&tree, away);
        }
    }
    tm_reindex(&tree);
    contexts[ncontexts++] = CONTEXT_UNKNOWN;
    while (ncontexts < NCONTEXTS) {
        uint32_t unit = random_below(random_below(2) ? 4 : 60);
        contexts[ncontexts] = tm_add_context(
            &tree, nodes[random_below(NPATHS)], 1 + random_below(NCODES),
            unit == 3 ? NO_UNIT : unit, 1 + (int32_t)ncontexts);
        ncontexts++;
    }
    struct cell_row *rows[3];
    for (unsigned i = 0; i < 3; i++) {
        rows[i] = _PyTraceMalloc_AddRow(&cells, (i + 1) << 20, 4 + i, 150);
    }
    for (int i = 0; i < 500; i++) {
        if (random_below(4) == 0) {
            block_add(random_below(2), context_random(), random_below(5));
        }
        else {
            cell_add(rows[random_below(3)], context_random(),
                     random_below(3));
        }
    }
    /* Some that hold nothing now. */
    for (int i = 0; i < 20; i++) {
        struct context *context = tm_context_at(&tree, context_random());
        count_any(&tree, &bytes, context, 7);
        tm_count_free(&bytes, context, 7);
    }
}


static int
snapshot_take(struct snapshot *snapshot, int parts)
{
    struct snapshot_source from = {
        .parts = parts,
        .codes = &codes,
        .tree = &tree,
        .bytes = &bytes,
        .sampler = parts & SNAPSHOT_ERRORS ? &sampler : NULL,
        .blocks = {
            .cells = &cells,
            .cell_unit = UNIT,
            .pool_header = HEADER,
            .tables = {&tables[0], &tables[1]},
        },
    };
    if (tm_take_snapshot(snapshot, &from) < 0) {
        return -1;
    }
    return tm_finish_snapshot(snapshot);
}


static void
check_name(const struct snapshot *snapshot, uint32_t number, name_id id)
{
    CHECK(number < snapshot->nnames);
    const struct name *name = snapshot->names[number];
    if (id == NAME_NONE) {
        CHECK(name == NULL);
        return;
    }
    const struct name *original = codes.names->entries[id];
    CHECK_EQUAL(name->length, original->length);
    CHECK_EQUAL(name->kind, original->kind);
    CHECK(memcmp(name->text, original->text,
                 name->length * name->kind) == 0);
}


/* A node, and all above it; the line of its root. */
static uint32_t
check_path(const struct snapshot *snapshot, uint32_t number, node_id id)
{
    while (!tm_node_is_root(&tree, id)) {
        struct frame_node node = tm_node(&tree, id);
        const struct code_entry *code = tm_code_at(&codes, node.code);
        CHECK(0 < number && number < snapshot->npaths);
        CHECK(snapshot->path_parent[number] < number);
        check_name(snapshot, snapshot->path_file[number], code->file);
        check_name(snapshot, snapshot->path_function[number], code->function);
        CHECK_EQUAL(snapshot->path_line[number], node.line);
        number = snapshot->path_parent[number];
        id = node.parent;
    }
    CHECK_EQUAL(number, 0);
    return (uint32_t)tm_node_line(&tree, id);
}


static void
check_account(const struct snapshot *snapshot, size_t number,
              uint32_t account)
{
    if (account == NO_ACCOUNT) {
        CHECK_EQUAL(number, 0);
        return;
    }
    size_t first = snapshot->nnames + snapshot->nthreads;
    CHECK(first <= number && number < first + snapshot->naccounts);
    CHECK_EQUAL(snapshot->accounts[number - first], account);
}


static void
check_context(const struct snapshot *snapshot, size_t number, context_id id)
{
    const struct context *context = tm_context_at(&tree, id);
    const struct code_entry *code = tm_code_at(&codes,
                                               tm_context_code(context));
    uint32_t root = check_path(snapshot, snapshot->context_path[number],
                               tm_context_node(context));
    uint32_t thread = snapshot->context_thread[number];
    if (tm_context_code(context) == CODE_NONE) {
        CHECK_EQUAL(thread, 0);
        CHECK_EQUAL(snapshot->context_account[number], 0);
    }
    else {
        CHECK(snapshot->nnames <= thread
              && thread < snapshot->nnames + snapshot->nthreads);
        CHECK_EQUAL(snapshot->threads[thread - snapshot->nnames],
                    tm_root_slot(root));
        check_account(snapshot, snapshot->context_account[number],
                      tm_root_account(root));
    }
    check_name(snapshot, snapshot->context_file[number], code->file);
    if (code->function == NAME_NONE) {
        CHECK_EQUAL(snapshot->context_function[number], 0);
    }
    else {
        check_name(snapshot, snapshot->context_function[number],
                   code->function);
    }
    CHECK_EQUAL(snapshot->context_line[number], tm_context_line(context));
    CHECK_EQUAL(snapshot->context_domain[number], 0);
    uint32_t depth = tm_context_depth(&tree, context, UINT32_MAX);
    CHECK_EQUAL(snapshot->context_depth[number], depth ? depth : 1);
    struct counters counters = tm_context_totals(context, &bytes);
    CHECK_EQUAL(snapshot->context_allocated_blocks[number],
                counters.allocated_blocks);
    CHECK_EQUAL(snapshot->context_allocated_bytes[number],
                counters.allocated_bytes);
    CHECK_EQUAL(snapshot->context_freed_blocks[number], counters.freed_blocks);
    CHECK_EQUAL(snapshot->context_freed_bytes[number], counters.freed_bytes);
    CHECK_EQUAL(snapshot->context_peak_blocks[number], counters.peak_blocks);
    CHECK_EQUAL(snapshot->context_peak_bytes[number], counters.peak_bytes);

    uint32_t unit = tm_context_unit(context);
    struct location location = {-1, -1, -1};
    if (unit < 3 && tm_context_code(context) != CODE_NONE) {
        location = expected[unit];
    }
    CHECK(snapshot->context_end_line[number]
          == (location.lines < 0 ? -1
              : tm_context_line(context) + location.lines));
    CHECK(snapshot->context_column[number] == location.column);
    CHECK(snapshot->context_end_column[number] == location.end_column);
}


/* Contexts come in the order of their ids; those without blocks do not. */
static void
check_contexts(const struct snapshot *snapshot, uint32_t *numbers)
{
    size_t n = 0;
    for (context_id id = CONTEXT_UNKNOWN; id < tree.contexts.used; id++) {
        const struct context *context = tm_context_at(&tree, id);
        if (tm_context_counters(context).allocated_blocks != 0) {
            CHECK(n < snapshot->ncontexts);
            check_context(snapshot, n, id);
            numbers[id] = (uint32_t)n++;
        }
    }
    CHECK_EQUAL(n, snapshot->ncontexts);
}


static void
check_rows(const struct snapshot *snapshot, const uint32_t *numbers)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < snapshot->nrows; i++) {
        if (i > 0) {
            CHECK(snapshot->row_context[i - 1] < snapshot->row_context[i]
                  || (snapshot->row_context[i - 1] == snapshot->row_context[i]
                      && snapshot->row_size[i - 1] < snapshot->row_size[i]));
        }
        uint64_t count = 0;
        for (size_t b = 0; b < nblocks; b++) {
            count += numbers[blocks[b].context] == snapshot->row_context[i]
                     && blocks[b].size == snapshot->row_size[i];
        }
        CHECK(count > 0);
        CHECK_EQUAL(snapshot->row_count[i], count);
        sum += count;
    }
    CHECK_EQUAL(sum, nblocks);
}


static void
test_random_worlds(void)
{
    for (int round = 0; round < (test_options.quick ? 10 : 100); round++) {
        uint32_t numbers[NCONTEXTS + 2] = {0};
        struct snapshot snapshot;
        world_random();
        CHECK_SOUND(tm_check_tree(&tree));
        size_t before = test_live_blocks();
        CHECK_EQUAL(snapshot_take(&snapshot, COLUMNS | SNAPSHOT_ROWS), 0);
        check_contexts(&snapshot, numbers);
        check_rows(&snapshot, numbers);
        CHECK(snapshot.draft == NULL);
        tm_free_snapshot(&snapshot);
        CHECK_EQUAL(test_live_blocks(), before);
        end();
    }
}


static void
test_only_what_is_needed(void)
{
    begin();
    node_id root = tm_add_root(&tree, 2);
    node_id node = tm_add_node(&tree, root, 1, 10);
    CHECK(tm_add_node(&tree, node, 2, 11) != NODE_NONE);
    CHECK(tm_add_context(&tree, node, 1, 0, 12) != CONTEXT_NONE);
    block_add(0, tm_add_context(&tree, node, 3, 1, 13), 100);
    struct snapshot snapshot;
    CHECK_EQUAL(snapshot_take(&snapshot, COLUMNS | SNAPSHOT_ROWS), 0);
    CHECK_EQUAL(snapshot.npaths, 2);
    CHECK_EQUAL(snapshot.ncontexts, 1);
    CHECK_EQUAL(snapshot.nrows, 1);
    CHECK_EQUAL(snapshot.nthreads, 1);
    CHECK_EQUAL(snapshot.threads[0], 2);
    CHECK_EQUAL(snapshot.naccounts, 0);
    CHECK(snapshot.context_account == NULL);
    /* The empty one, b.py, C.g and f. */
    CHECK_EQUAL(snapshot.nnames, 4);
    CHECK(snapshot.names[0] == NULL);
    CHECK_EQUAL(snapshot.context_thread[0], 4);
    CHECK_EQUAL(snapshot.context_end_line[0], 15);
    tm_free_snapshot(&snapshot);
    end();
}


static void
test_nothing_traced(void)
{
    begin();
    struct snapshot snapshot;
    CHECK_EQUAL(snapshot_take(&snapshot, COLUMNS | SNAPSHOT_ROWS), 0);
    CHECK_EQUAL(snapshot.npaths, 1);
    CHECK_EQUAL(snapshot.ncontexts, 0);
    CHECK_EQUAL(snapshot.nrows, 0);
    CHECK_EQUAL(snapshot.nnames, 1);
    CHECK(snapshot.row_size != NULL);
    tm_free_snapshot(&snapshot);
    end();
}


static void
test_without_rows(void)
{
    uint32_t numbers[NCONTEXTS + 2];
    struct snapshot snapshot;
    world_random();
    CHECK_EQUAL(snapshot_take(&snapshot, COLUMNS), 0);
    check_contexts(&snapshot, numbers);
    CHECK_EQUAL(snapshot.nrows, 0);
    CHECK(snapshot.row_context == NULL && snapshot.row_size == NULL
          && snapshot.row_count == NULL);
    tm_free_snapshot(&snapshot);
    end();
}


/* The table of rows grows, and sizes of one context are many. */
static void
test_many_sizes(void)
{
    begin();
    context_id id = tm_add_context(&tree, NODE_ROOT, 1, 0, 12);
    for (uint64_t size = 0; size < NBLOCKS; size++) {
        block_add(1, id, size << 40 | 7);
    }
    struct snapshot snapshot;
    CHECK_EQUAL(snapshot_take(&snapshot, COLUMNS | SNAPSHOT_ROWS), 0);
    CHECK_EQUAL(snapshot.nrows, NBLOCKS);
    for (uint64_t size = 0; size < NBLOCKS; size++) {
        CHECK_EQUAL(snapshot.row_size[size], size << 40 | 7);
        CHECK_EQUAL(snapshot.row_count[size], 1);
    }
    tm_free_snapshot(&snapshot);
    end();
}


static void
test_outlives_the_store(void)
{
    struct snapshot snapshot;
    begin();
    block_add(0, tm_add_context(&tree, NODE_ROOT, 1, 1, 12), 100);
    CHECK_EQUAL(snapshot_take(&snapshot, COLUMNS | SNAPSHOT_ROWS), 0);
    tm_fini_blocks(&tables[0]);
    tm_fini_blocks(&tables[1]);
    tm_fini_tree(&tree);
    tm_fini_codes(&codes);
    const struct name *name = snapshot.names[snapshot.context_file[0]];
    CHECK(name->length == 4 && memcmp(name->text, "b.py", 4) == 0);
    CHECK_EQUAL(snapshot.row_size[0], 100);
    tm_free_snapshot(&snapshot);
    CHECK_EQUAL(test_live_blocks(), 0);
}


/* Blocks come as they are kept: cells by row, then either table. */
static void
test_single_blocks(void)
{
    uint32_t numbers[NCONTEXTS + 2];
    struct snapshot snapshot;
    world_random();
    CHECK_EQUAL(snapshot_take(&snapshot, COLUMNS | SNAPSHOT_BLOCKS), 0);
    check_contexts(&snapshot, numbers);
    CHECK_EQUAL(snapshot.nrows, nblocks);
    CHECK(snapshot.row_count == NULL);
    size_t row = 0;
    for (uint32_t id = 0; (id = _PyTraceMalloc_NextRow(&cells, id)) != 0;) {
        const struct cell_row *of = tm_row_at(&cells, id);
        uintptr_t last = of->pool + HEADER - 1;
        for (uint32_t i = 0; i < of->ncells; i++) {
            if (of->cells[i] != 0) {
                CHECK(snapshot.row_address[row] > last);
                last = snapshot.row_address[row++];
                CHECK(last < of->pool + (1 << 20));
            }
        }
    }
    for (size_t t = 0; t < 2; t++) {
        for (size_t i = 0; i <= tables[t].mask; i++) {
            if (tables[t].slots[i].context != CONTEXT_NONE) {
                CHECK_EQUAL(snapshot.row_address[row++],
                            tables[t].slots[i].address);
            }
        }
    }
    CHECK_EQUAL(row, nblocks);
    for (size_t b = 0; b < nblocks; b++) {
        size_t at = 0;
        while (snapshot.row_address[at] != blocks[b].address) {
            CHECK(++at < nblocks);
        }
        CHECK_EQUAL(snapshot.row_size[at], blocks[b].size);
        CHECK_EQUAL(snapshot.row_context[at], numbers[blocks[b].context]);
    }
    tm_free_snapshot(&snapshot);
    end();
}


/* A part that nobody asked for has no columns. */
static void
test_parts(void)
{
    struct snapshot snapshot;
    world_random();
    CHECK_EQUAL(snapshot_take(&snapshot, 0), 0);
    CHECK(snapshot.context_line != NULL && snapshot.path_line != NULL);
    CHECK(snapshot.context_column == NULL && snapshot.row_size == NULL);
    CHECK(snapshot.context_peak_bytes == NULL);
    CHECK(snapshot.context_live_blocks_error == NULL);
    tm_free_snapshot(&snapshot);
    end();
}


/* What is hidden is nowhere. */
static void
test_hidden(void)
{
    struct snapshot snapshot;
    begin();
    context_id shown = tm_add_context(&tree, NODE_ROOT, 1, 0, 12);
    context_id hidden = tm_add_context(&tree, NODE_ROOT, 1, 1, 13);
    block_add(0, hidden, 50);
    block_add(1, shown, 60);
    for (int parts = SNAPSHOT_ROWS; parts <= SNAPSHOT_BLOCKS; parts *= 2) {
        struct snapshot_source from = {
            .parts = parts,
            .codes = &codes,
            .tree = &tree,
            .bytes = &bytes,
            .hidden = hidden,
            .blocks = {&cells, UNIT, HEADER, {&tables[0], &tables[1]}},
        };
        CHECK_EQUAL(tm_take_snapshot(&snapshot, &from), 0);
        CHECK_EQUAL(tm_finish_snapshot(&snapshot), 0);
        CHECK_EQUAL(snapshot.ncontexts, 1);
        CHECK_EQUAL(snapshot.nrows, 1);
        CHECK_EQUAL(snapshot.row_size[0], 60);
        tm_free_snapshot(&snapshot);
    }
    end();
}


/* Let all blocks be samples, with the spreads that they have. */
static void
samples_begin(double spreads[][2])
{
    world_random();
    tm_init_sampler(&sampler, 100, random_bits());
    for (context_id id = CONTEXT_UNKNOWN; id < tree.contexts.used; id++) {
        _PyTraceMalloc_GiveCounters(&tree, tm_context_at(&tree, id));
    }
    for (size_t b = 0; b < nblocks; b++) {
        struct sample_spread spread = tm_spread_sample(&sampler,
                                                       blocks[b].size);
        CHECK_EQUAL(tm_reserve_spread(&sampler, blocks[b].context), 0);
        sampler.spreads[blocks[b].context].blocks += 2 * spread.blocks;
        sampler.spreads[blocks[b].context].bytes += 3 * spread.bytes;
        spreads[blocks[b].context][0] += spread.blocks;
        spreads[blocks[b].context][1] += spread.bytes;
    }
}


static int
is_root(double root, double square)
{
    return fabs(root * root - square) <= 1e-9 * square;
}


static void
test_errors(void)
{
    static double spreads[NCONTEXTS + 2][2];
    uint32_t numbers[NCONTEXTS + 2];
    struct snapshot plain, snapshot;
    samples_begin(spreads);
    CHECK_EQUAL(snapshot_take(&plain, COLUMNS), 0);
    check_contexts(&plain, numbers);
    CHECK_EQUAL(snapshot_take(&snapshot, SNAPSHOT_ERRORS), 0);
    CHECK_EQUAL(snapshot.ncontexts, plain.ncontexts);
    for (context_id id = CONTEXT_UNKNOWN; id < tree.contexts.used; id++) {
        const struct context *context = tm_context_at(&tree, id);
        if (tm_context_counters(context).allocated_blocks == 0) {
            continue;
        }
        uint32_t i = numbers[id];
        const double *spread = spreads[id];
        CHECK(is_root(snapshot.context_live_blocks_error[i], spread[0]));
        CHECK(is_root(snapshot.context_live_bytes_error[i], spread[1]));
        CHECK(is_root(snapshot.context_allocated_blocks_error[i],
                      2 * spread[0]));
        CHECK(is_root(snapshot.context_allocated_bytes_error[i],
                      3 * spread[1]));
    }
    tm_free_snapshot(&plain);
    tm_free_snapshot(&snapshot);
    tm_init_sampler(&sampler, 0, 0);
    end();
}


/* How many allocations there are, each of which was made to fail. */
static size_t
fail_each(int parts)
{
    size_t before = test_live_blocks();
    for (size_t n = 0;; n++) {
        struct snapshot snapshot;
        size_t failures = test_failures();
        test_fail_after(n, 0);
        int result = snapshot_take(&snapshot, parts);
        failures = test_failures() - failures;
        test_fail_never();
        if (result == 0) {
            CHECK_EQUAL(failures, 0);
            tm_free_snapshot(&snapshot);
            return n;
        }
        CHECK_EQUAL(failures, 1);
        CHECK_EQUAL(test_live_blocks(), before);
    }
}


static void
test_without_memory(void)
{
    static double spreads[NCONTEXTS + 2][2];
    samples_begin(spreads);
    /* Each column, and more. */
    CHECK(fail_each(COLUMNS | SNAPSHOT_ROWS) > 23);
    CHECK(fail_each(SNAPSHOT_BLOCKS) > 14);
    CHECK(fail_each(COLUMNS | SNAPSHOT_ERRORS) > 24);
    tm_init_sampler(&sampler, 0, 0);
    end();
}


const struct test snapshot_tests[] = {
    {"columns against a plain search", test_random_worlds},
    {"only what is needed is copied", test_only_what_is_needed},
    {"a snapshot of nothing", test_nothing_traced},
    {"a snapshot without rows", test_without_rows},
    {"many sizes in one context", test_many_sizes},
    {"a row for each block, with its address", test_single_blocks},
    {"only the parts that were asked for", test_parts},
    {"what is hidden is nowhere", test_hidden},
    {"standard errors of samples", test_errors},
    {"a snapshot outlives the store", test_outlives_the_store},
    {"without memory nothing is left behind", test_without_memory},
    {NULL, NULL},
};
