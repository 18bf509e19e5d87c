/* The model's copies of the store: whole snapshots, and single traces, each
   with a digest of its contexts' frames as they were then. */

#include "model_parts.h"

/* --- digests ------------------------------------------------------------- */

static uint64_t
digest_add(uint64_t digest, const void *data, size_t size)
{
    const unsigned char *at = data;
    while (size-- > 0) {
        digest = (digest ^ *at++) * 0x100000001b3u;
    }
    return digest;
}


static uint64_t
digest_frame(uint64_t digest, uint32_t kind, size_t length, const void *text,
             int32_t line)
{
    digest = digest_add(digest, &kind, sizeof(kind));
    digest = digest_add(digest, &length, sizeof(length));
    digest = digest_add(digest, text, length * kind);
    return digest_add(digest, &line, sizeof(line)) | 1;
}


static uint64_t
digest_code(uint64_t digest, code_id code, int32_t line)
{
    const struct m_name *name = &m.names[m.codes[code].file];
    return digest_frame(digest, name->kind, name->length, name->text, line);
}


/* What a context must decode to, by the model; never 0. */
static uint64_t
context_digest(context_id id)
{
    const struct m_context *context = &m.contexts[id];
    uint64_t digest = 1;
    if (context->code != CODE_NONE) {
        digest = digest_code(digest, context->code, context->line);
    }
    for (node_id at = context->node; at != NODE_ROOT; at = m.nodes[at].parent)
    {
        digest = digest_code(digest, m.nodes[at].code, m.nodes[at].line);
    }
    return digest;
}


static uint64_t
digest_name(uint64_t digest, const struct name *name, int32_t line)
{
    return digest_frame(digest, name->kind, name->length, name->text, line);
}


static uint64_t
snapshot_digest(const struct snapshot *snapshot, size_t number)
{
    uint64_t digest = 1;
    uint32_t depth = 0;
    if (tm_context_has_frame(snapshot, number)) {
        digest = digest_name(digest,
                             snapshot->names[snapshot->context_file[number]],
                             snapshot->context_line[number]);
        depth++;
    }
    for (uint32_t at = snapshot->context_path[number]; at != 0;
         at = snapshot->path_parent[at])
    {
        CHECK(at < snapshot->npaths && snapshot->path_parent[at] < at);
        digest = digest_name(digest, snapshot->names[snapshot->path_file[at]],
                             snapshot->path_line[at]);
        depth++;
    }
    CHECK_EQUAL(snapshot->context_depth[number], depth > 0 ? depth : 1);
    return digest;
}


static uint64_t
trace_digest(const struct trace_copy *trace)
{
    uint64_t digest = 1;
    for (size_t i = 0; i < trace->nframes; i++) {
        digest = digest_name(digest, trace->frames[i].file,
                             trace->frames[i].line);
    }
    return digest;
}


/* --- copies -------------------------------------------------------------- */

static void
copy_verify(const struct m_copy *copy)
{
    if (!copy->whole) {
        CHECK(trace_digest(&copy->trace) == copy->digests[0]);
        return;
    }
    CHECK_EQUAL(copy->snapshot.ncontexts, copy->n);
    for (size_t i = 0; i < copy->n; i++) {
        CHECK(snapshot_digest(&copy->snapshot, i) == copy->digests[i]);
    }
}


void
copy_drop(struct m_copy *copy)
{
    if (copy->used) {
        copy_verify(copy);
        if (copy->whole) {
            tm_free_snapshot(&copy->snapshot);
        }
        else {
            tm_free_trace(&copy->trace);
        }
        free(copy->digests);
        copy->used = 0;
    }
}


/* How many live blocks are what a row says: with its address, or all of its
   size. */
static uint64_t
row_expected(const struct snapshot *snapshot, size_t row,
             const context_id *contexts)
{
    uint32_t context = snapshot->row_context[row];
    uint64_t found = 0;
    for (size_t i = 0; i < m.nblocks; i++) {
        const struct m_block *block = &m.blocks[i];
        found += block->context == contexts[context]
                 && block->domain == snapshot->context_domain[context]
                 && block->size == snapshot->row_size[row]
                 && (snapshot->row_address == NULL
                     || block->address == snapshot->row_address[row]);
    }
    return found;
}


static void
rows_verify(const struct snapshot *snapshot, const context_id *contexts)
{
    uint64_t sum = 0;
    for (size_t row = 0; row < snapshot->nrows; row++) {
        uint64_t count = snapshot->row_address != NULL
            ? 1 : snapshot->row_count[row];
        CHECK_EQUAL(row_expected(snapshot, row, contexts), count);
        sum += count;
    }
    CHECK_EQUAL(sum, m.nblocks);
}


static void
snapshot_check(struct m_copy *copy, int parts)
{
    const struct snapshot *snapshot = &copy->snapshot;
    context_id *contexts = calloc(m.ncontexts + 1, sizeof(contexts[0]));
    copy->digests = calloc(m.ncontexts + 1, sizeof(copy->digests[0]));
    CHECK(contexts != NULL && copy->digests != NULL);
    for (context_id id = CONTEXT_UNKNOWN; id < m.ncontexts; id++) {
        const struct m_context *context = &m.contexts[id];
        if (!context->used || context->allocated_blocks == 0) {
            continue;
        }
        CHECK(copy->n < snapshot->ncontexts);
        if (parts & SNAPSHOT_COUNTERS) {
            CHECK_EQUAL(snapshot->context_allocated_bytes[copy->n],
                        context->allocated_bytes);
            CHECK_EQUAL(snapshot->context_peak_bytes[copy->n],
                        context->peak_bytes);
        }
        contexts[copy->n] = id;
        copy->digests[copy->n++] = context_digest(id);
    }
    rows_verify(snapshot, contexts);
    free(contexts);
}


/* A snapshot of everything: 0, or -1 when out of memory. */
static int
copy_whole(struct m_copy *copy)
{
    static struct block empty;
    static const struct block_table none = {.slots = &empty};
    int parts = random_below(2) ? SNAPSHOT_BLOCKS : SNAPSHOT_ROWS;
    parts |= random_below(2) ? SNAPSHOT_COUNTERS : 0;
    parts |= random_below(2) ? SNAPSHOT_LOCATIONS : 0;
    struct snapshot_source from = {
        .parts = parts,
        .codes = &codes,
        .tree = &tree,
        .bytes = &bytes,
        .blocks = {
            .cells = &cells,
            .cell_unit = 16,
            .pool_header = POOL_HEADER,
            .tables = {&none, &table},
        },
    };
    struct snapshot *snapshot = &copy->snapshot;
    if (tm_take_snapshot(snapshot, &from) < 0
        || tm_finish_snapshot(snapshot) < 0)
    {
        return -1;
    }
    CHECK((snapshot->context_peak_bytes != NULL)
          == ((parts & SNAPSHOT_COUNTERS) != 0));
    CHECK((snapshot->context_column != NULL)
          == ((parts & SNAPSHOT_LOCATIONS) != 0));
    snapshot_check(copy, parts);
    return 0;
}


/* One block: 0, or -1 when out of memory. */
static int
copy_one(struct m_copy *copy)
{
    const struct m_block *expected =
        &m.blocks[random_below((uint32_t)m.nblocks)];
    struct block block = {
        .address = expected->address,
        .size = expected->size,
        .context = expected->context,
        .domain = expected->domain,
    };
    if (tm_copy_trace(&copy->trace, &codes, &tree, &block, MAX_NFRAME,
                      (int)random_below(2)) < 0)
    {
        return -1;
    }
    CHECK_EQUAL(copy->trace.size, expected->size);
    copy->digests = calloc(1, sizeof(copy->digests[0]));
    CHECK(copy->digests != NULL);
    copy->digests[0] = context_digest(expected->context);
    return 0;
}


/* Drop a copy, and make another, which lives for a while. */
void
step_copy(void)
{
    struct m_copy *copy = &m.copies[random_below(NCOPIES)];
    copy_drop(copy);
    *copy = (struct m_copy){.whole = m.nblocks == 0 || random_below(2)};
    size_t before = test_live_bytes();
    call_begin();
    int failed = copy->whole ? copy_whole(copy) : copy_one(copy);
    CHECK(failed == (call_lacked_memory() ? -1 : 0));
    copy->bytes = test_live_bytes() - before;
    if (failed) {
        CHECK_EQUAL(copy->bytes, 0);
        return;
    }
    copy->used = 1;
    copy_verify(copy);
}
