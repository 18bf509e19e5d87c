/* The model: its state, its life, and the choice of what happens next. */

#include "model_parts.h"

struct code_table codes;
struct call_tree tree;
struct block_table table;
struct shadow shadow;
struct cell_store cells;
struct traced_bytes bytes;

struct model m;


/* --- helpers ------------------------------------------------------------- */

void *
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


/* Whether an allocation was made to fail since the last call_begin(). */
void
call_begin(void)
{
    m.failures = test_failures();
}


int
call_lacked_memory(void)
{
    return test_failures() != m.failures;
}


/* A random entry for which `test` holds, or 0. */
uint32_t
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


int code_is_live(uint32_t id) { return m.codes[id].state == LIVE; }
int node_is_used(uint32_t id) { return m.nodes[id].used; }
int context_is_used(uint32_t id) { return m.contexts[id].used; }


/* --- life cycle ---------------------------------------------------------- */

int
world_begin(const struct world_limits *limits)
{
    m.limits = *limits;
    m.bias = 50;
    m.steps = 0;
    m.owners = 0;
    call_begin();
    if (tm_init_codes(&codes) < 0) {
        CHECK(call_lacked_memory());
        return -1;
    }
    CHECK(!call_lacked_memory());
    if (tm_init_tree(&tree) < 0) {
        CHECK(call_lacked_memory());
        tm_fini_codes(&codes);
        return -1;
    }
    CHECK(!call_lacked_memory());
    if (tm_init_blocks(&table, &shadow) < 0) {
        CHECK(call_lacked_memory());
        tm_fini_codes(&codes);
        tm_fini_tree(&tree);
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
    tm_fini_blocks(&table);
    tm_fini_tree(&tree);
    tm_fini_codes(&codes);
    for (size_t i = 0; i < NCOPIES; i++) {
        /* Copies outlive the store. */
        copy_drop(&m.copies[i]);
    }
    CHECK_EQUAL(test_live_blocks(), 0);
    for (name_id id = 0; id < m.nnames; id++) {
        free(m.names[id].text);
    }
    for (code_id id = 0; id < m.ncodes; id++) {
        free(m.codes[id].lines);
    }
    free(m.names);
    free(m.codes);
    free(m.nodes);
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
        step_add_node();
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
        tm_free_replaced(&tree);
    }
    else if (choice < 992) {
        step_copy();
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


void
world_compare(void)
{
    compare_codes();
    compare_contexts();
    compare_blocks();
    compare_sizes();
}
