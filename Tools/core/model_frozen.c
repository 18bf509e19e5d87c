/* The model's frozen copies, kept as a digest of each context's frames. */

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
uint64_t
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
frozen_digest(const struct frozen_traces *frozen, context_id id)
{
    const struct frozen_context *context = &frozen->contexts[id];
    uint64_t digest = 1;
    uint32_t depth = 0;
    CHECK(id < frozen->ncontexts && context->path != NODE_NONE);
    name_id file = context->file;
    int32_t line = context->line;
    node_id at = context->path;
    if (file == NAME_NONE) {
        CHECK_EQUAL(context->depth, frozen->paths[at].depth);
    }
    for (;;) {
        if (file != NAME_NONE) {
            CHECK(file < frozen->nfiles);
            const struct name *name = frozen->files[file];
            digest = digest_frame(digest, name->kind, name->length, name->text,
                                  line);
            depth++;
        }
        if (at == NODE_ROOT) {
            break;
        }
        CHECK(at < frozen->npaths);
        CHECK_EQUAL(frozen->paths[at].depth + depth, context->depth);
        file = frozen->paths[at].file;
        CHECK(file != NAME_NONE);
        line = frozen->paths[at].line;
        at = frozen->paths[at].parent;
    }
    CHECK_EQUAL(depth, context->depth);
    return digest;
}


/* --- frozen copies ------------------------------------------------------- */

static void
frozen_verify(struct m_frozen *frozen)
{
    const struct frozen_traces *traces = &frozen->traces;
    for (size_t i = 0; i < traces->nblocks; i++) {
        context_id id = traces->blocks[i].context;
        CHECK(id < frozen->ncontexts && frozen->digests[id] != 0);
    }
    CHECK_EQUAL(traces->ncontexts, frozen->ncontexts);
    for (context_id id = 0; id < frozen->ncontexts; id++) {
        if (frozen->digests[id] == 0) {
            CHECK_EQUAL(traces->contexts[id].path, NODE_NONE);
        }
        else {
            CHECK(frozen_digest(traces, id) == frozen->digests[id]);
        }
    }
}


void
frozen_drop(struct m_frozen *frozen)
{
    if (frozen->used) {
        frozen_verify(frozen);
        _PyTraceMalloc_FreeFrozen(&frozen->traces);
        free(frozen->digests);
        frozen->used = 0;
    }
}


static struct block
block_of(const struct m_block *block)
{
    return (struct block){
        .address = block->address,
        .size = block->size,
        .context = block->context,
        .domain = block->domain,
    };
}


/* Drop a copy, and make another, which lives for a while. */
void
step_freeze(void)
{
    struct m_frozen *frozen = &m.frozen[random_below(NFROZEN)];
    frozen_drop(frozen);
    struct frozen_traces *traces = &frozen->traces;
    int whole = m.nblocks == 0 || random_below(2);
    size_t one = whole ? 0 : random_below((uint32_t)m.nblocks);
    struct block block = {0};
    call_begin();
    int failed;
    if (whole) {
        failed = _PyTraceMalloc_Freeze(traces, &codes, &tree, m.nblocks);
    }
    else {
        block = block_of(&m.blocks[one]);
        failed = _PyTraceMalloc_FreezeBlock(traces, &codes, &tree, &block);
    }
    CHECK(failed == (call_lacked_memory() ? -1 : 0));
    if (failed) {
        return;
    }
    frozen->used = 1;
    frozen->ncontexts = whole ? m.ncontexts : CONTEXT_UNKNOWN + 1;
    frozen->digests = calloc(frozen->ncontexts, sizeof(frozen->digests[0]));
    CHECK(frozen->digests != NULL);
    if (whole) {
        CHECK_EQUAL(traces->nblocks, m.nblocks);
        for (size_t i = 0; i < m.nblocks; i++) {
            traces->blocks[i] = block_of(&m.blocks[i]);
        }
        for (context_id id = CONTEXT_UNKNOWN; id < m.ncontexts; id++) {
            if (m.contexts[id].used) {
                frozen->digests[id] = context_digest(id);
            }
        }
    }
    else {
        CHECK_EQUAL(traces->nblocks, 1);
        CHECK(traces->blocks[0].address == block.address
              && traces->blocks[0].size == block.size
              && traces->blocks[0].domain == block.domain);
        frozen->digests[CONTEXT_UNKNOWN] = context_digest(block.context);
    }
    frozen_verify(frozen);
}
