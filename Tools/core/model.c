#include "model.h"

#include "check.h"

#include <string.h>

/* --- the core's side ----------------------------------------------------- */

static struct source_table sources;
static struct context_tree tree;
static struct block_table table;
static struct cell_store cells;
static struct traced_bytes bytes;


/* --- the model's side ---------------------------------------------------- */

struct m_name {                 /* by file_id */
    int used;
    uint32_t kind;
    size_t length;
    unsigned char *text;
};

struct m_code {                 /* by code_id */
    enum { UNUSED, LIVE, RETIRED } state;
    void *owner;
    file_id file, function;
    const unsigned char *locations;     /* some of the bytes of `noise` */
    uint32_t nlocations;
    uint32_t nunits;
    int32_t *lines;             /* one more than nunits */
};

struct m_path {                 /* by path_id */
    int used;
    path_id parent;
    code_id code;
    int32_t line;
};

struct m_context {              /* by context_id */
    int used;
    path_id path;
    code_id code;
    uint32_t unit, domain;
    int32_t line;
    uint64_t allocated_blocks, allocated_bytes;
    uint64_t live_blocks, live_bytes;
    uint64_t peak_blocks, peak_bytes;
};

#define NO_ROW SIZE_MAX

struct m_block {
    uint32_t domain;
    uintptr_t address;
    size_t size;
    context_id context;
    size_t row;                 /* NO_ROW: in the table */
    unsigned cell;
};

struct m_row {
    uint32_t number;            /* 0: free */
    uintptr_t pool;
    unsigned size_class, ncells, nused;
    unsigned char taken[1024];
};

struct m_frozen {
    int used, whole;
    struct frozen_traces traces;
    uint64_t *digests;          /* by context_id, 0 where there is none */
    size_t ncontexts;
};

enum { NROWS = 60, NFROZEN = 3 };

static struct {
    struct world_limits limits;
    struct m_name *names;
    size_t nnames;              /* number 0 included, as below */
    struct m_code *codes;
    size_t ncodes;
    struct m_path *paths;
    size_t npaths, paths_live;
    struct m_context *contexts;
    size_t ncontexts, contexts_live;
    struct m_block *blocks;
    size_t nblocks;
    struct m_row rows[NROWS];
    struct m_frozen frozen[NFROZEN];
    uint64_t current, peak;
    uint64_t reclaimed_blocks, reclaimed_bytes;
    uintptr_t owners;           /* given so far */
    unsigned bias;              /* how likely it is to add, of 100 */
    size_t steps, failures;
} m;


/* --- helpers ------------------------------------------------------------- */

/* Entries [*n, wanted) are new and zero. */
static void *
array_extend(void *array, size_t *n, size_t wanted, size_t size)
{
    if (wanted > *n) {
        array = realloc(array, wanted * size);
        CHECK(array != NULL);
        memset((char *)array + *n * size, 0, (wanted - *n) * size);
        *n = wanted;
    }
    return array;
}

#define EXTEND(array, n, wanted) \
    ((array) = array_extend((array), &(n), (wanted), sizeof((array)[0])))


/* Whether an allocation was made to fail since the last call_begin(). */
static void
call_begin(void)
{
    m.failures = test_failures();
}


static int
call_lacked_memory(void)
{
    return test_failures() != m.failures;
}


/* A random entry for which `test` holds, or 0. */
static uint32_t
pick(size_t n, int (*test)(uint32_t))
{
    for (int attempt = 0; attempt < 20 && n > 0; attempt++) {
        uint32_t id = random_below((uint32_t)n);
        if (test(id)) {
            return id;
        }
    }
    return 0;
}


static int code_is_live(uint32_t id) { return m.codes[id].state == LIVE; }
static int path_is_used(uint32_t id) { return m.paths[id].used; }
static int context_is_used(uint32_t id) { return m.contexts[id].used; }


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
    for (path_id at = context->path; at != PATH_ROOT; at = m.paths[at].parent)
    {
        digest = digest_code(digest, m.paths[at].code, m.paths[at].line);
    }
    return digest;
}


static uint64_t
frozen_digest(const struct frozen_traces *frozen, context_id id)
{
    const struct frozen_context *context = &frozen->contexts[id];
    uint64_t digest = 1;
    uint32_t depth = 0;
    CHECK(id < frozen->ncontexts && context->path != PATH_NONE);
    file_id file = context->file;
    int32_t line = context->line;
    path_id at = context->path;
    if (file == FILE_NONE) {
        CHECK_EQUAL(context->depth, frozen->paths[at].depth);
    }
    for (;;) {
        if (file != FILE_NONE) {
            CHECK(file < frozen->nfiles);
            const struct source_file *name = frozen->files[file];
            digest = digest_frame(digest, name->kind, name->length, name->text,
                                  line);
            depth++;
        }
        if (at == PATH_ROOT) {
            break;
        }
        CHECK(at < frozen->npaths);
        CHECK_EQUAL(frozen->paths[at].depth + depth, context->depth);
        file = frozen->paths[at].file;
        CHECK(file != FILE_NONE);
        line = frozen->paths[at].line;
        at = frozen->paths[at].parent;
    }
    CHECK_EQUAL(depth, context->depth);
    return digest;
}


/* --- counting ------------------------------------------------------------ */

static void
both_count_alloc(context_id id, size_t size)
{
    count_alloc(&bytes, context_at(&tree, id), size);
    m.contexts[id].allocated_blocks++;
    m.contexts[id].allocated_bytes += size;
    m.contexts[id].live_blocks++;
    m.contexts[id].live_bytes += size;
    m.current += size;
    if (m.current > m.peak) {
        m.peak = m.current;
        for (size_t i = 0; i < m.ncontexts; i++) {
            m.contexts[i].peak_blocks = m.contexts[i].live_blocks;
            m.contexts[i].peak_bytes = m.contexts[i].live_bytes;
        }
    }
}


static void
both_count_free(context_id id, size_t size)
{
    count_free(&bytes, context_at(&tree, id), size);
    m.contexts[id].live_blocks--;
    m.contexts[id].live_bytes -= size;
    m.current -= size;
}


static void
both_uncount_free(context_id id, size_t size)
{
    uncount_free(&bytes, context_at(&tree, id), size);
    m.contexts[id].live_blocks++;
    m.contexts[id].live_bytes += size;
    m.current += size;
}


static void
step_reset_peak(void)
{
    bytes.peak = bytes.current;
    bytes.epoch = bytes.saved + 1;
    m.peak = m.current;
    for (size_t i = 0; i < m.ncontexts; i++) {
        m.contexts[i].peak_blocks = m.contexts[i].live_blocks;
        m.contexts[i].peak_bytes = m.contexts[i].live_bytes;
    }
}


/* --- sources ------------------------------------------------------------- */

static file_id
both_add_file(void)
{
    uint32_t kind = 1u << random_below(3);
    size_t length = random_below(4);
    unsigned char text[16];
    for (size_t i = 0; i < length * kind; i++) {
        text[i] = (unsigned char)random_below(3);
    }
    file_id expected = FILE_NONE;
    int reuse = 0;
    for (file_id id = 1; id < m.nnames; id++) {
        const struct m_name *name = &m.names[id];
        reuse |= !name->used;
        if (name->used && name->kind == kind && name->length == length
            && memcmp(name->text, text, length * kind) == 0)
        {
            expected = id;
        }
    }
    call_begin();
    file_id id = _PyTraceMalloc_AddName(&sources, kind, text, length);
    if (id == FILE_NONE) {
        CHECK(call_lacked_memory());
        return FILE_NONE;
    }
    CHECK(!call_lacked_memory());
    if (expected != FILE_NONE) {
        CHECK_EQUAL(id, expected);
        return id;
    }
    CHECK(reuse ? id < m.nnames : id == m.nnames);
    EXTEND(m.names, m.nnames, id + (size_t)1);
    struct m_name *name = &m.names[id];
    CHECK(!name->used);
    free(name->text);
    name->used = 1;
    name->kind = kind;
    name->length = length;
    name->text = malloc(sizeof(text));
    CHECK(name->text != NULL);
    memcpy(name->text, text, sizeof(text));
    return id;
}


static struct line_map *
line_map_random(uint32_t nunits, int32_t *lines)
{
    int wide = random_below(4) == 0;
    struct line_map *map = test_malloc(
        sizeof(*map) + (nunits + 1) * (wide ? sizeof(int32_t)
                                            : sizeof(uint16_t)));
    if (map == NULL) {
        return NULL;
    }
    map->nunits = nunits;
    map->wide = wide;
    map->first = (int32_t)random_below(5);
    for (uint32_t i = 0; i <= nunits; i++) {
        lines[i] = random_below(8) == 0 ? 0
                   : map->first + (int32_t)random_below(4);
        if (wide) {
            ((int32_t *)(void *)map->units)[i] = lines[i];
        }
        else {
            map->units[i] = lines[i] < map->first || lines[i] == 0
                            ? NO_LINE : (uint16_t)(lines[i] - map->first);
        }
    }
    return map;
}


static void
step_add_code(void)
{
    size_t live = 0;
    for (size_t i = 0; i < m.ncodes; i++) {
        live += m.codes[i].state != UNUSED;
    }
    file_id file = both_add_file();
    file_id function = both_add_file();
    if (file == FILE_NONE || function == FILE_NONE
        || live >= m.limits.codes)
    {
        return;
    }
    uint32_t nunits = random_below(6);
    int32_t lines[6];
    struct line_map *map = line_map_random(nunits, lines);
    if (map == NULL) {
        return;
    }
    void *owner = (void *)(16 * ++m.owners);
    static const unsigned char noise[64] = "where instructions stand";
    struct code_source source = {
        .file = file,
        .function = function,
        .lines = map,
        .locations = noise + random_below(32),
        .nlocations = random_below(32),
    };
    call_begin();
    code_id id = _PyTraceMalloc_AddCode(&sources, owner, &source);
    if (id == CODE_NONE) {
        CHECK(call_lacked_memory());
        test_free(map);
        return;
    }
    CHECK(!call_lacked_memory());
    CHECK(id <= m.ncodes);
    EXTEND(m.codes, m.ncodes, id + (size_t)1);
    struct m_code *code = &m.codes[id];
    CHECK(code->state == UNUSED);
    free(code->lines);
    code->state = LIVE;
    code->owner = owner;
    code->file = file;
    code->function = function;
    code->locations = source.locations;
    code->nlocations = source.nlocations;
    code->nunits = nunits;
    code->lines = malloc(sizeof(lines));
    CHECK(code->lines != NULL);
    memcpy(code->lines, lines, sizeof(lines));
}


static void
step_retire_code(void)
{
    code_id id = pick(m.ncodes, code_is_live);
    if (id != CODE_NONE) {
        call_begin();
        _PyTraceMalloc_RetireCode(&sources, id);
        m.codes[id].state = RETIRED;
        m.codes[id].owner = NULL;
        if (call_lacked_memory()) {
            m.codes[id].nlocations = 0;
        }
    }
}


/* A random instruction of a live code object, and its line: CODE_NONE if
   there is none. */
static code_id
instruction_random(intptr_t *unit, int32_t *line)
{
    code_id id = pick(m.ncodes, code_is_live);
    if (id != CODE_NONE) {
        uint32_t nunits = m.codes[id].nunits;
        *unit = (intptr_t)random_below(nunits + 2) - 1;
        *line = source_line(&sources, id, *unit);
        CHECK_EQUAL(*line, m.codes[id].lines[*unit < 0 ? nunits
                                             : (size_t)*unit]);
    }
    return id;
}


/* --- paths and contexts -------------------------------------------------- */

static path_id
model_find_path(path_id parent, code_id code, int32_t line)
{
    for (path_id id = PATH_ROOT + 1; id < m.npaths; id++) {
        const struct m_path *path = &m.paths[id];
        if (path->used && path->parent == parent && path->code == code
            && path->line == line)
        {
            return id;
        }
    }
    return PATH_NONE;
}


static context_id
model_find_context(const struct m_context *wanted)
{
    for (context_id id = CONTEXT_UNKNOWN; id < m.ncontexts; id++) {
        const struct m_context *context = &m.contexts[id];
        if (context->used && context->path == wanted->path
            && context->code == wanted->code && context->unit == wanted->unit
            && context->line == wanted->line
            && context->domain == wanted->domain)
        {
            return id;
        }
    }
    return CONTEXT_NONE;
}


static path_id
both_add_path(path_id parent, code_id code, int32_t line)
{
    path_id expected = model_find_path(parent, code, line);
    CHECK_EQUAL(_PyTraceMalloc_FindPath(&tree, parent, code, line), expected);
    call_begin();
    path_id id = _PyTraceMalloc_AddPath(&tree, parent, code, line);
    if (id == PATH_NONE) {
        CHECK(call_lacked_memory() && expected == PATH_NONE);
        return PATH_NONE;
    }
    CHECK(!call_lacked_memory());
    if (expected != PATH_NONE) {
        CHECK_EQUAL(id, expected);
        return id;
    }
    CHECK(id <= m.npaths);
    EXTEND(m.paths, m.npaths, id + (size_t)1);
    struct m_path *path = &m.paths[id];
    CHECK(!path->used);
    *path = (struct m_path){
        .used = 1,
        .parent = parent,
        .code = code,
        .line = line,
    };
    m.paths_live++;
    return id;
}


/* Enter what the core answered when asked for a context. */
static context_id
model_add_context(context_id id, context_id expected,
                  const struct m_context *wanted)
{
    if (id == CONTEXT_NONE) {
        CHECK(call_lacked_memory() && expected == CONTEXT_NONE);
        return CONTEXT_NONE;
    }
    CHECK(!call_lacked_memory());
    if (expected != CONTEXT_NONE) {
        CHECK_EQUAL(id, expected);
        return id;
    }
    CHECK(id <= m.ncontexts);
    EXTEND(m.contexts, m.ncontexts, id + (size_t)1);
    CHECK(!m.contexts[id].used);
    m.contexts[id] = *wanted;
    m.contexts_live++;
    return id;
}


static context_id
both_add_context(path_id at, code_id code, uint32_t unit, int32_t line)
{
    struct m_context wanted = {
        .used = 1,
        .path = at,
        .code = code,
        .unit = unit,
        .line = line,
    };
    context_id expected = model_find_context(&wanted);
    CHECK_EQUAL(_PyTraceMalloc_FindContext(&tree, at, code, unit, line),
                expected);
    call_begin();
    context_id id = _PyTraceMalloc_AddContext(&tree, at, code, unit, line);
    return model_add_context(id, expected, &wanted);
}


static context_id
both_add_context_of_domain(context_id base, uint32_t domain)
{
    if (base == CONTEXT_NONE || domain == 0) {
        return base;
    }
    struct m_context wanted = {
        .used = 1,
        .path = m.contexts[base].path,
        .code = m.contexts[base].code,
        .unit = m.contexts[base].unit,
        .line = m.contexts[base].line,
        .domain = domain,
    };
    context_id expected = model_find_context(&wanted);
    call_begin();
    context_id id = _PyTraceMalloc_AddContextOfDomain(
        &tree, context_at(&tree, base), domain);
    return model_add_context(id, expected, &wanted);
}


static path_id
path_random(void)
{
    path_id id = pick(m.npaths, path_is_used);
    return id != PATH_NONE && random_below(8) ? id : PATH_ROOT;
}


static void
step_add_path(void)
{
    intptr_t unit;
    int32_t line;
    code_id code = instruction_random(&unit, &line);
    if (code != CODE_NONE && m.paths_live < m.limits.paths) {
        both_add_path(path_random(), code, line);
    }
}


/* A context of a domain, often one that is there already. */
static context_id
context_random(uint32_t domain)
{
    if (random_below(3) || m.contexts_live + 1 >= m.limits.contexts) {
        context_id id = pick(m.ncontexts, context_is_used);
        if (id != CONTEXT_NONE && m.contexts[id].domain == domain) {
            return id;
        }
    }
    if (m.contexts_live + 1 >= m.limits.contexts) {
        return CONTEXT_NONE;
    }
    intptr_t unit = 0;
    int32_t line = 0;
    code_id code = instruction_random(&unit, &line);
    context_id base;
    if (code == CODE_NONE || random_below(50) == 0) {
        base = both_add_context(PATH_ROOT, CODE_NONE, 0, 0);
    }
    else {
        base = both_add_context(path_random(), code,
                                unit < 0 ? MAX_UNIT : (uint32_t)unit, line);
    }
    return both_add_context_of_domain(base, domain);
}


/* --- blocks -------------------------------------------------------------- */

static uint32_t
domain_random(void)
{
    static const uint32_t few[] = {0, 0, 0, 1, 389047, UINT32_MAX};
    return random_below(10) ? few[random_below(6)] : random_below(400);
}


static uintptr_t
address_random(void)
{
    switch (random_below(4)) {
    case 0:
        return (uintptr_t)random_bits();
    case 1:
        return UINTPTR_MAX - random_below(100);
    default:
        /* Close together: long chains, and addresses that come again. */
        return (uintptr_t)random_below(4000) << 4;
    }
}


static size_t
size_random(void)
{
    return random_below(20) ? random_below(600) : random_below(1000000);
}


static size_t
model_find_block(uint32_t domain, uintptr_t address)
{
    for (size_t i = 0; i < m.nblocks; i++) {
        if (m.blocks[i].row == NO_ROW && m.blocks[i].domain == domain
            && m.blocks[i].address == address)
        {
            return i;
        }
    }
    return SIZE_MAX;
}


/* Whether it was added: not without memory.  One that is there already was
   freed behind our back, and gives way. */
static int
both_note(uint32_t domain, uintptr_t address, size_t size, context_id context)
{
    call_begin();
    if (_PyTraceMalloc_ReserveBlock(&table) < 0) {
        CHECK(call_lacked_memory());
        return 0;
    }
    CHECK(!call_lacked_memory());
    struct block stale, block = {
        .address = address,
        .size = size,
        .context = context,
        .domain = domain,
    };
    size_t there = model_find_block(domain, address);
    if (there != SIZE_MAX) {
        struct m_block old = m.blocks[there];
        CHECK_EQUAL(_PyTraceMalloc_PutBlock(&table, &block, &stale), 1);
        CHECK(stale.address == address && stale.domain == domain
              && stale.size == old.size && stale.context == old.context);
        m.blocks[there] = m.blocks[--m.nblocks];
        both_count_free(old.context, old.size);
    }
    else if (random_below(2)) {
        CHECK_EQUAL(_PyTraceMalloc_PutBlock(&table, &block, &stale), 0);
    }
    else {
        _PyTraceMalloc_AddBlock(&table, &block);
    }
    m.blocks[m.nblocks++] = (struct m_block){
        .domain = domain,
        .address = address,
        .size = size,
        .context = context,
        .row = NO_ROW,
    };
    return 1;
}


static void
step_add_block(void)
{
    uint32_t domain = domain_random();
    context_id context = context_random(domain);
    size_t size = size_random();
    if (context != CONTEXT_NONE && m.nblocks < m.limits.blocks
        && both_note(domain, address_random(), size, context))
    {
        both_count_alloc(context, size);
    }
}


static size_t
row_random(void)
{
    size_t at = random_below(NROWS);
    struct m_row *row = &m.rows[at];
    if (row->number == 0) {
        row->size_class = random_below(32);
        row->ncells = (16384 - 48) / (16 * (row->size_class + 1));
        row->pool = 16384 * (at + 1);
        row->nused = 0;
        memset(row->taken, 0, sizeof(row->taken));
        call_begin();
        row->number = _PyTraceMalloc_AddRow(&cells, row->pool, row->size_class,
                                            row->ncells);
        CHECK(call_lacked_memory() == (row->number == 0));
    }
    return row->number != 0 && row->nused < row->ncells ? at : NO_ROW;
}


static void
cell_fill(size_t at, unsigned cell)
{
    struct m_row *row = &m.rows[at];
    size_t room = 16 * ((size_t)row->size_class + 1);
    uint32_t slack = random_below(room > MAX_SLACK ? MAX_SLACK + 1
                                                   : (uint32_t)room);
    context_id context = context_random(0);
    if (context == CONTEXT_NONE) {
        return;
    }
    row->taken[cell] = 1;
    row->nused++;
    row_at(&cells, row->number)->cells[cell] = CELL(context, slack);
    m.blocks[m.nblocks++] = (struct m_block){
        .address = row->pool + 48 + cell * room,
        .size = room - slack,
        .context = context,
        .row = at,
        .cell = cell,
    };
    both_count_alloc(context, room - slack);
}


static void
step_add_cell(void)
{
    size_t at = row_random();
    if (at == NO_ROW || m.nblocks >= m.limits.blocks) {
        return;
    }
    unsigned cell = random_below(m.rows[at].ncells);
    while (m.rows[at].taken[cell]) {
        cell = (cell + 1) % m.rows[at].ncells;
    }
    cell_fill(at, cell);
}


/* Take a block out of its store, uncounted. */
static struct m_block
both_forget(size_t i)
{
    struct m_block block = m.blocks[i];
    m.blocks[i] = m.blocks[--m.nblocks];
    if (block.row == NO_ROW) {
        struct block removed;
        CHECK_EQUAL(_PyTraceMalloc_RemoveBlock(&table, block.domain,
                                               block.address, &removed), 1);
        CHECK(removed.address == block.address && removed.size == block.size
              && removed.domain == block.domain
              && removed.context == block.context);
    }
    else {
        struct m_row *row = &m.rows[block.row];
        uint32_t *cell = &row_at(&cells, row->number)->cells[block.cell];
        CHECK_EQUAL(CELL_CONTEXT(*cell), block.context);
        *cell = 0;
        row->taken[block.cell] = 0;
        row->nused--;
    }
    return block;
}


static void
step_free(void)
{
    if (m.nblocks > 0) {
        struct m_block block = both_forget(random_below((uint32_t)m.nblocks));
        both_count_free(block.context, block.size);
    }
}


static void
step_free_missing(void)
{
    uint32_t domain = domain_random();
    uintptr_t address = address_random();
    struct block removed;
    int found = model_find_block(domain, address) != SIZE_MAX;
    CHECK(found == (_PyTraceMalloc_FindBlock(&table, domain, address)
                    != NULL));
    if (!found) {
        CHECK_EQUAL(_PyTraceMalloc_RemoveBlock(&table, domain, address,
                                               &removed), 0);
    }
}


/* As realloc does it: forgotten first, then put back or noted elsewhere. */
static void
step_move(void)
{
    if (m.nblocks == 0) {
        return;
    }
    struct m_block block = both_forget(random_below((uint32_t)m.nblocks));
    both_count_free(block.context, block.size);
    if (block.row != NO_ROW) {
        cell_fill(block.row, block.cell);
    }
    else if (random_below(4) == 0) {
        if (both_note(block.domain, block.address, block.size, block.context))
        {
            both_uncount_free(block.context, block.size);
        }
    }
    else {
        context_id context = context_random(block.domain);
        size_t size = size_random();
        if (context != CONTEXT_NONE
            && both_note(block.domain, address_random(), size, context))
        {
            both_count_alloc(context, size);
        }
    }
}


static void
step_free_row(void)
{
    struct m_row *row = &m.rows[random_below(NROWS)];
    if (row->number != 0 && row->nused == 0) {
        _PyTraceMalloc_FreeRow(&cells, row->number);
        row->number = 0;
    }
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
            CHECK_EQUAL(traces->contexts[id].path, PATH_NONE);
        }
        else {
            CHECK(frozen_digest(traces, id) == frozen->digests[id]);
        }
    }
}


static void
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
static void
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
        failed = _PyTraceMalloc_Freeze(traces, &sources, &tree, m.nblocks);
    }
    else {
        block = block_of(&m.blocks[one]);
        failed = _PyTraceMalloc_FreezeBlock(traces, &sources, &tree, &block);
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


/* --- reclaim and clear --------------------------------------------------- */

static int
model_context_is_needed(context_id id, const unsigned char *roots, int all)
{
    const struct m_context *context = &m.contexts[id];
    return id == CONTEXT_UNKNOWN || roots[id] || context->live_blocks != 0
           || context->peak_blocks != 0
           || (!all && (context->code == CODE_NONE
                        || m.codes[context->code].state == LIVE));
}


/* What reclaim should do, and do it: the number of nodes taken. */
static long
model_reclaim(const unsigned char *root_contexts,
              const unsigned char *root_paths, int all)
{
    unsigned char *paths = calloc(m.npaths, 1), *codes = calloc(m.ncodes, 1);
    CHECK(paths != NULL && codes != NULL);
    long taken = 0;
    for (path_id id = PATH_ROOT + 1; id < m.npaths; id++) {
        paths[id] = m.paths[id].used && root_paths[id];
    }
    for (context_id id = CONTEXT_UNKNOWN; id < m.ncontexts; id++) {
        struct m_context *context = &m.contexts[id];
        if (!context->used) {
            continue;
        }
        if (model_context_is_needed(id, root_contexts, all)) {
            paths[context->path] = 1;
            codes[context->code] = 1;
        }
        else {
            m.reclaimed_blocks += context->allocated_blocks;
            m.reclaimed_bytes += context->allocated_bytes;
            memset(context, 0, sizeof(*context));
            m.contexts_live--;
            taken++;
        }
    }
    /* Until nothing changes: above a needed path all are needed. */
    for (int changed = 1; changed;) {
        changed = 0;
        for (path_id id = PATH_ROOT + 1; id < m.npaths; id++) {
            if (paths[id] && !paths[m.paths[id].parent]) {
                paths[m.paths[id].parent] = changed = 1;
            }
        }
    }
    for (path_id id = PATH_ROOT + 1; id < m.npaths; id++) {
        if (paths[id]) {
            codes[m.paths[id].code] = 1;
        }
        else if (m.paths[id].used) {
            memset(&m.paths[id], 0, sizeof(m.paths[id]));
            m.paths_live--;
            taken++;
        }
    }
    for (code_id id = 1; id < m.ncodes; id++) {
        if (m.codes[id].state == RETIRED && !codes[id]) {
            m.codes[id].state = UNUSED;
        }
    }
    free(paths);
    free(codes);
    return taken;
}


static void
model_reclaim_names(void)
{
    for (size_t i = 0; i < NFROZEN; i++) {
        if (m.frozen[i].used) {
            return;
        }
    }
    for (file_id id = 1; id < m.nnames; id++) {
        int used = 0;
        for (code_id code = 1; code < m.ncodes; code++) {
            used |= m.codes[code].state != UNUSED
                    && (m.codes[code].file == id
                        || m.codes[code].function == id);
        }
        m.names[id].used &= used;
    }
}


static void
step_reclaim(void)
{
    int all = random_below(3) == 0;
    struct reclaim_roots roots = {
        .contexts = calloc(tree.contexts.used, 1),
        .paths = calloc(tree.paths.used, 1),
    };
    unsigned char *contexts = calloc(m.ncontexts, 1);
    unsigned char *paths = calloc(m.npaths, 1);
    CHECK(roots.contexts != NULL && roots.paths != NULL && contexts != NULL
          && paths != NULL);
    for (uint32_t n = random_below(8); n > 0; n--) {
        uint32_t id = pick(m.ncontexts, context_is_used);
        roots.contexts[id] = contexts[id] = 1;
        id = pick(m.npaths, path_is_used);
        roots.paths[id] = paths[id] = 1;
    }
    call_begin();
    long taken = _PyTraceMalloc_Reclaim(&tree, &sources, &bytes, &roots, all);
    free(roots.contexts);
    free(roots.paths);
    CHECK(taken >= 0 || call_lacked_memory());
    if (taken >= 0) {
        CHECK_EQUAL(taken, model_reclaim(contexts, paths, all));
        /* Without memory for it alone, names stay for another time. */
        if (!call_lacked_memory()) {
            model_reclaim_names();
        }
        _PyTraceMalloc_Reindex(&tree);
    }
    free(contexts);
    free(paths);
    world_compare();
}


static void
model_clear(void)
{
    m.npaths = m.ncontexts = 0;
    EXTEND(m.paths, m.npaths, PATH_ROOT + 1);
    EXTEND(m.contexts, m.ncontexts, CONTEXT_UNKNOWN + 1);
    m.paths[PATH_ROOT].used = 1;
    m.paths[PATH_ROOT].parent = PATH_NONE;
    m.contexts[CONTEXT_UNKNOWN].used = 1;
    m.contexts[CONTEXT_UNKNOWN].path = PATH_ROOT;
    m.paths_live = m.contexts_live = 1;
    m.nblocks = 0;
    m.current = m.peak = 0;
    m.reclaimed_blocks = m.reclaimed_bytes = 0;
    for (code_id id = 1; id < m.ncodes; id++) {
        if (m.codes[id].state == RETIRED) {
            m.codes[id].state = UNUSED;
        }
    }
    for (size_t i = 0; i < NROWS; i++) {
        m.rows[i].number = 0;
    }
}


static int
step_clear(void)
{
    _PyTraceMalloc_FiniCells(&cells);
    _PyTraceMalloc_InitCells(&cells);
    _PyTraceMalloc_ClearBlocks(&table);
    uint32_t generation = tree.generation;
    _PyTraceMalloc_FiniContexts(&tree);
    call_begin();
    int failed = _PyTraceMalloc_InitContexts(&tree);
    CHECK(failed == (call_lacked_memory() ? -1 : 0));
    CHECK(tree.generation != generation);
    _PyTraceMalloc_RecycleCodes(&sources, NULL);
    bytes = (struct traced_bytes){0};
    model_clear();
    return failed;
}


/* --- comparing ----------------------------------------------------------- */

static void
compare_sources(void)
{
    CHECK_EQUAL(sources.names->used, m.nnames);
    for (file_id id = 1; id < m.nnames; id++) {
        const struct source_file *file = sources.names->files[id];
        CHECK((file != NULL) == m.names[id].used);
        if (file == NULL) {
            continue;
        }
        CHECK(file->kind == m.names[id].kind
              && file->length == m.names[id].length
              && memcmp(file->text, m.names[id].text,
                        file->length * file->kind) == 0);
    }
    CHECK_EQUAL(sources.used, m.ncodes);
    uint32_t retired = 0;
    for (code_id id = 1; id < m.ncodes; id++) {
        const struct source_code *entry = source_at(&sources, id);
        const struct m_code *code = &m.codes[id];
        CHECK(entry->owner == code->owner);
        CHECK((entry->lines != NULL) == (code->state == LIVE));
        int used = code->state != UNUSED;
        CHECK_EQUAL(entry->file, used ? code->file : 0);
        CHECK_EQUAL(entry->function, used ? code->function : 0);
        CHECK_EQUAL(entry->nlocations, used ? code->nlocations : 0);
        CHECK(entry->nlocations == 0
              || memcmp(entry->locations, code->locations,
                        entry->nlocations) == 0);
        retired += code->state == RETIRED;
    }
    CHECK_EQUAL(sources.retired, retired);
}


static void
compare_contexts(void)
{
    CHECK_SOUND(_PyTraceMalloc_CheckContexts(&tree));
    CHECK_EQUAL(tree.paths.used, m.npaths);
    CHECK_EQUAL(tree.paths.live, m.paths_live);
    for (path_id id = PATH_ROOT + 1; id < m.npaths; id++) {
        const struct path *path = path_at(&tree, id);
        CHECK_EQUAL(path->parent, m.paths[id].parent);
        if (m.paths[id].used) {
            CHECK_EQUAL(path->code, m.paths[id].code);
            CHECK_EQUAL(path->line, m.paths[id].line);
            CHECK_EQUAL(path->depth, path_at(&tree, path->parent)->depth + 1);
        }
    }
    CHECK_EQUAL(tree.contexts.used, m.ncontexts);
    CHECK_EQUAL(tree.contexts.live, m.contexts_live);
    CHECK_EQUAL(tree.reclaimed_blocks, m.reclaimed_blocks);
    CHECK_EQUAL(tree.reclaimed_bytes, m.reclaimed_bytes);
    uint64_t peak = 0;
    for (context_id id = CONTEXT_UNKNOWN; id < m.ncontexts; id++) {
        const struct context *context = context_at(&tree, id);
        const struct m_context *expected = &m.contexts[id];
        CHECK_EQUAL(context->path, expected->path);
        if (!expected->used) {
            continue;
        }
        CHECK_EQUAL(context->code, expected->code);
        CHECK_EQUAL(context->site & MAX_UNIT, expected->unit);
        CHECK_EQUAL(context_domain(&tree, id), expected->domain);
        CHECK_EQUAL(context->line, expected->line);
        CHECK_EQUAL(context->allocated_blocks, expected->allocated_blocks);
        CHECK_EQUAL(context->allocated_bytes, expected->allocated_bytes);
        CHECK_EQUAL(context_live_blocks(context), expected->live_blocks);
        CHECK_EQUAL(context_live_bytes(context), expected->live_bytes);
        uint64_t peak_blocks, peak_bytes;
        context_peak(context, &bytes, &peak_blocks, &peak_bytes);
        CHECK_EQUAL(peak_blocks, expected->peak_blocks);
        CHECK_EQUAL(peak_bytes, expected->peak_bytes);
        peak += peak_bytes;
    }
    CHECK_EQUAL(bytes.current, m.current);
    CHECK_EQUAL(bytes.peak, m.peak);
    CHECK_EQUAL(peak, m.peak);
}


static void
compare_rows(struct live_sums *live)
{
    size_t expected = 0, walked = 0;
    for (size_t i = 0; i < NROWS; i++) {
        expected += m.rows[i].number != 0;
    }
    for (uint32_t number = 0;
         (number = _PyTraceMalloc_NextRow(&cells, number)) != 0; walked++)
    {
        const struct cell_row *row = row_at(&cells, number);
        const struct m_row *other = &m.rows[row->pool / 16384 - 1];
        CHECK_EQUAL(other->number, number);
        CHECK_EQUAL(row->ncells, other->ncells);
        CHECK_EQUAL(row->size_class, other->size_class);
        for (unsigned cell = 0; cell < row->ncells; cell++) {
            uint32_t value = row->cells[cell];
            CHECK((value != 0) == other->taken[cell]);
            live[CELL_CONTEXT(value)].blocks += value != 0;
            if (value != 0) {
                live[CELL_CONTEXT(value)].bytes +=
                    16 * ((uint64_t)row->size_class + 1) - CELL_SLACK(value);
            }
        }
    }
    CHECK_EQUAL(walked, expected);
    CHECK_EQUAL(cells.rows, expected);
}


static void
compare_blocks(void)
{
    struct live_sums *live = calloc(m.ncontexts, sizeof(live[0]));
    CHECK(live != NULL);
    CHECK_SOUND(_PyTraceMalloc_CheckBlocks(&table, &tree, live));
    compare_rows(live);
    for (context_id id = CONTEXT_UNKNOWN; id < m.ncontexts; id++) {
        CHECK_EQUAL(live[id].blocks, m.contexts[id].live_blocks);
        CHECK_EQUAL(live[id].bytes, m.contexts[id].live_bytes);
    }
    free(live);
    size_t in_table = 0;
    for (size_t i = 0; i < m.nblocks; i++) {
        const struct m_block *expected = &m.blocks[i];
        if (expected->row != NO_ROW) {
            const struct m_row *row = &m.rows[expected->row];
            uint32_t cell = row_at(&cells, row->number)->cells[expected->cell];
            CHECK_EQUAL(CELL_CONTEXT(cell), expected->context);
            continue;
        }
        in_table++;
        const struct block *block = _PyTraceMalloc_FindBlock(
            &table, expected->domain, expected->address);
        CHECK(block != NULL && block->size == expected->size
              && block->context == expected->context);
    }
    CHECK_EQUAL(table.used, in_table);
}


static void
compare_sizes(void)
{
    size_t size = _PyTraceMalloc_SizeOfSources(&sources)
                  + _PyTraceMalloc_SizeOfContexts(&tree)
                  + _PyTraceMalloc_SizeOfBlocks(&table)
                  + _PyTraceMalloc_SizeOfCells(&cells);
    for (size_t i = 0; i < NFROZEN; i++) {
        const struct frozen_traces *traces = &m.frozen[i].traces;
        if (m.frozen[i].used) {
            size += (traces->nblocks + 1) * sizeof(struct block)
                    + traces->npaths * sizeof(struct frozen_path)
                    + traces->ncontexts * sizeof(struct frozen_context)
                    + traces->nfiles * sizeof(traces->files[0]);
        }
    }
    CHECK_EQUAL(size, test_live_bytes());
}


void
world_compare(void)
{
    compare_sources();
    compare_contexts();
    compare_blocks();
    compare_sizes();
}


/* --- life cycle ---------------------------------------------------------- */

int
world_begin(const struct world_limits *limits)
{
    m.limits = *limits;
    m.bias = 50;
    m.steps = 0;
    m.owners = 0;
    call_begin();
    if (_PyTraceMalloc_InitSources(&sources) < 0) {
        CHECK(call_lacked_memory());
        return -1;
    }
    CHECK(!call_lacked_memory());
    if (_PyTraceMalloc_InitContexts(&tree) < 0) {
        CHECK(call_lacked_memory());
        _PyTraceMalloc_FiniSources(&sources);
        return -1;
    }
    CHECK(!call_lacked_memory());
    if (_PyTraceMalloc_InitBlocks(&table) < 0) {
        CHECK(call_lacked_memory());
        _PyTraceMalloc_FiniSources(&sources);
        _PyTraceMalloc_FiniContexts(&tree);
        return -1;
    }
    CHECK(!call_lacked_memory());
    _PyTraceMalloc_InitCells(&cells);
    bytes = (struct traced_bytes){0};
    EXTEND(m.names, m.nnames, 1);
    EXTEND(m.codes, m.ncodes, 1);
    model_clear();
    m.blocks = calloc(limits->blocks + 1, sizeof(m.blocks[0]));
    CHECK(m.blocks != NULL);
    return 0;
}


void
world_end(void)
{
    _PyTraceMalloc_FiniCells(&cells);
    _PyTraceMalloc_FiniBlocks(&table);
    _PyTraceMalloc_FiniContexts(&tree);
    _PyTraceMalloc_FiniSources(&sources);
    for (size_t i = 0; i < NFROZEN; i++) {
        /* Frozen copies outlive the store. */
        frozen_drop(&m.frozen[i]);
    }
    CHECK_EQUAL(test_live_blocks(), 0);
    for (file_id id = 0; id < m.nnames; id++) {
        free(m.names[id].text);
    }
    for (code_id id = 0; id < m.ncodes; id++) {
        free(m.codes[id].lines);
    }
    free(m.names);
    free(m.codes);
    free(m.paths);
    free(m.contexts);
    free(m.blocks);
    memset(&m, 0, sizeof(m));
}


int
world_step(void)
{
    if (m.steps++ % 1000 == 0) {
        /* Times of growth, of decline, and of neither. */
        m.bias = 30 + random_below(45);
    }
    uint32_t choice = random_below(1000);
    if (choice < 700) {
        if (random_below(100) >= m.bias) {
            step_free();
        }
        else if (random_below(2)) {
            step_add_block();
        }
        else {
            step_add_cell();
        }
    }
    else if (choice < 810) {
        step_move();
    }
    else if (choice < 900) {
        step_add_path();
    }
    else if (choice < 920) {
        context_random(domain_random());
    }
    else if (choice < 940) {
        step_free_missing();
    }
    else if (choice < 960) {
        step_add_code();
    }
    else if (choice < 970) {
        step_retire_code();
    }
    else if (choice < 984) {
        step_free_row();
    }
    else if (choice < 988) {
        _PyTraceMalloc_FreeReplaced(&tree);
    }
    else if (choice < 992) {
        step_freeze();
    }
    else if (choice < 995) {
        step_reset_peak();
    }
    else if (choice < 999) {
        step_reclaim();
    }
    else if (random_below(5) == 0) {
        return step_clear();
    }
    return 0;
}
