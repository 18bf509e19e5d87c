/* The model's names, code objects, nodes and contexts. */

#include "model_parts.h"

/* --- names and code objects ---------------------------------------------- */

static name_id
both_add_file(void)
{
    uint32_t kind = 1u << random_below(3);
    size_t length = random_below(4);
    unsigned char text[16];
    for (size_t i = 0; i < length * kind; i++) {
        text[i] = (unsigned char)random_below(3);
    }
    name_id expected = NAME_NONE;
    int reuse = 0;
    for (name_id id = 1; id < m.nnames; id++) {
        const struct m_name *name = &m.names[id];
        reuse |= !name->used;
        if (name->used && name->kind == kind && name->length == length
            && memcmp(name->text, text, length * kind) == 0)
        {
            expected = id;
        }
    }
    call_begin();
    name_id id = tm_add_name(codes.names, kind, text, length);
    if (id == NAME_NONE) {
        CHECK(call_lacked_memory());
        return NAME_NONE;
    }
    CHECK(!call_lacked_memory());
    if (expected != NAME_NONE) {
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
    /* Of all three widths. */
    static const int32_t ranges[] = {4, UINT8_MAX - 1, UINT8_MAX,
                                     UINT16_MAX - 1, UINT16_MAX, INT32_MAX};
    int32_t first = (int32_t)random_below(5);
    int32_t range = ranges[random_below(6)];
    int32_t last = range > INT32_MAX - first ? INT32_MAX : first + range;
    struct line_map *map = tm_new_lines(nunits, first, last);
    if (map == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i <= nunits; i++) {
        lines[i] = random_below(8) == 0 ? 0
                   : random_below(2) == 0 ? last
                   : first + (int32_t)random_below(4);
        if (lines[i] != 0) {
            tm_set_line(map, i, lines[i]);
        }
    }
    return map;
}


void
step_add_code(void)
{
    size_t live = 0;
    for (size_t i = 0; i < m.ncodes; i++) {
        live += m.codes[i].state != UNUSED;
    }
    name_id file = both_add_file();
    name_id function = both_add_file();
    if (file == NAME_NONE || function == NAME_NONE
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
    struct code_info info = {
        .file = file,
        .function = function,
        .lines = map,
        .locations = noise + random_below(32),
        .nlocations = random_below(32),
    };
    call_begin();
    code_id id = tm_add_code(&codes, owner, &info);
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
    code->locations = info.locations;
    code->nlocations = info.nlocations;
    code->nunits = nunits;
    code->lines = malloc(sizeof(lines));
    CHECK(code->lines != NULL);
    memcpy(code->lines, lines, sizeof(lines));
}


void
step_retire_code(void)
{
    code_id id = pick(m.ncodes, code_is_live);
    if (id != CODE_NONE) {
        call_begin();
        tm_retire_code(&codes, id);
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
        *line = tm_code_line(&codes, id, *unit);
        CHECK_EQUAL(*line, m.codes[id].lines[*unit < 0 ? nunits
                                             : (size_t)*unit]);
    }
    return id;
}


/* --- nodes and contexts -------------------------------------------------- */

static node_id
model_find_node(node_id parent, code_id code, int32_t line)
{
    for (node_id id = NODE_ROOT + 1; id < m.nnodes; id++) {
        const struct m_node *node = &m.nodes[id];
        if (node->used && node->parent == parent && node->code == code
            && node->line == line)
        {
            return id;
        }
    }
    return NODE_NONE;
}


static context_id
model_find_context(const struct m_context *wanted)
{
    for (context_id id = CONTEXT_UNKNOWN; id < m.ncontexts; id++) {
        const struct m_context *context = &m.contexts[id];
        if (context->used && context->node == wanted->node
            && context->code == wanted->code && context->unit == wanted->unit
            && context->line == wanted->line
            && context->domain == wanted->domain)
        {
            return id;
        }
    }
    return CONTEXT_NONE;
}


static node_id
both_add_node(node_id parent, code_id code, int32_t line)
{
    node_id expected = model_find_node(parent, code, line);
    CHECK_EQUAL(tm_find_node(&tree, parent, code, line), expected);
    call_begin();
    node_id id = tm_add_node(&tree, parent, code, line);
    if (id == NODE_NONE) {
        CHECK(call_lacked_memory() && expected == NODE_NONE);
        if (line >= WIDE_LINE && tree.nodes.used == m.nnodes + 1) {
            /* There was a number, and then no room for the line. */
            EXTEND(m.nodes, m.nnodes, m.nnodes + (size_t)1);
        }
        return NODE_NONE;
    }
    CHECK(!call_lacked_memory());
    if (expected != NODE_NONE) {
        CHECK_EQUAL(id, expected);
        return id;
    }
    CHECK(id <= m.nnodes);
    EXTEND(m.nodes, m.nnodes, id + (size_t)1);
    struct m_node *node = &m.nodes[id];
    CHECK(!node->used);
    *node = (struct m_node){
        .used = 1,
        .parent = parent,
        .code = code,
        .line = line,
    };
    m.nodes_live++;
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
both_add_context(node_id at, code_id code, uint32_t unit, int32_t line)
{
    struct m_context wanted = {
        .used = 1,
        .node = at,
        .code = code,
        .unit = unit,
        .line = line,
    };
    context_id expected = model_find_context(&wanted);
    CHECK_EQUAL(tm_find_context(&tree, at, code, unit, line),
                expected);
    call_begin();
    context_id id = tm_add_context(&tree, at, code, unit, line);
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
        .node = m.contexts[base].node,
        .code = m.contexts[base].code,
        .unit = m.contexts[base].unit,
        .line = m.contexts[base].line,
        .domain = domain,
    };
    context_id expected = model_find_context(&wanted);
    call_begin();
    context_id id = tm_add_context_of_domain(
        &tree, tm_context_at(&tree, base), domain);
    return model_add_context(id, expected, &wanted);
}


static node_id
node_random(void)
{
    node_id id = pick(m.nnodes, node_is_used);
    return id != NODE_NONE && random_below(8) ? id : NODE_ROOT;
}


void
step_add_node(void)
{
    intptr_t unit;
    int32_t line;
    code_id code = instruction_random(&unit, &line);
    if (code != CODE_NONE && m.nodes_live < m.limits.nodes) {
        both_add_node(node_random(), code, line);
    }
}


/* A context of a domain, often one that is there already. */
context_id
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
        base = both_add_context(NODE_ROOT, CODE_NONE, 0, 0);
    }
    else {
        base = both_add_context(node_random(), code,
                                unit < 0 ? NO_UNIT : (uint32_t)unit, line);
    }
    return both_add_context_of_domain(base, domain);
}
