/* Everything in the core against everything in the model. */

#include "model_parts.h"

void
compare_codes(void)
{
    CHECK_EQUAL(codes.names->used, m.nnames);
    for (name_id id = 1; id < m.nnames; id++) {
        const struct name *file = codes.names->entries[id];
        CHECK((file != NULL) == m.names[id].used);
        if (file == NULL) {
            continue;
        }
        CHECK(file->kind == m.names[id].kind
              && file->length == m.names[id].length
              && memcmp(file->text, m.names[id].text,
                        file->length * file->kind) == 0);
    }
    CHECK_EQUAL(codes.used, m.ncodes);
    uint32_t retired = 0;
    for (code_id id = 1; id < m.ncodes; id++) {
        const struct code_entry *entry = tm_code_at(&codes, id);
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
    CHECK_EQUAL(codes.retired, retired);
}


void
compare_contexts(void)
{
    CHECK_SOUND(tm_check_tree(&tree));
    CHECK_EQUAL(tree.nodes.used, m.nnodes);
    CHECK_EQUAL(tree.nodes.live, m.nodes_live);
    for (node_id id = NODE_ROOT + 1; id < m.nnodes; id++) {
        CHECK_EQUAL(tm_node_parent(&tree, id), m.nodes[id].parent);
        if (m.nodes[id].used) {
            CHECK_EQUAL(tm_node_code(&tree, id), m.nodes[id].code);
            CHECK_EQUAL(tm_node_line(&tree, id), m.nodes[id].line);
        }
    }
    CHECK_EQUAL(tree.contexts.used, m.ncontexts);
    CHECK_EQUAL(tree.contexts.live, m.contexts_live);
    CHECK_EQUAL(tree.reclaimed_blocks, m.reclaimed_blocks);
    CHECK_EQUAL(tree.reclaimed_bytes, m.reclaimed_bytes);
    uint64_t peak = 0;
    for (context_id id = CONTEXT_UNKNOWN; id < m.ncontexts; id++) {
        const struct context *context = tm_context_at(&tree, id);
        const struct m_context *expected = &m.contexts[id];
        CHECK_EQUAL(tm_context_node(context), expected->node);
        if (!expected->used) {
            continue;
        }
        CHECK_EQUAL(tm_context_code(context), expected->code);
        CHECK_EQUAL(tm_context_unit(context), expected->unit);
        CHECK_EQUAL(tm_context_domain(context), expected->domain);
        CHECK_EQUAL(tm_context_line(context), expected->line);
        struct counters counters = tm_context_totals(context, &bytes);
        CHECK_EQUAL(counters.allocated_blocks, expected->allocated_blocks);
        CHECK_EQUAL(counters.allocated_bytes, expected->allocated_bytes);
        CHECK_EQUAL(tm_context_live_blocks(context), expected->live_blocks);
        CHECK_EQUAL(tm_context_live_bytes(context), expected->live_bytes);
        CHECK_EQUAL(counters.peak_blocks, expected->peak_blocks);
        CHECK_EQUAL(counters.peak_bytes, expected->peak_bytes);
        peak += counters.peak_bytes;
    }
    CHECK_EQUAL(tm_bytes_current(&bytes), m.current);
    CHECK_EQUAL(bytes.peak, m.peak);
    CHECK_EQUAL(peak, m.peak);
}


static void
compare_rows(struct live_sums *live)
{
    size_t expected = 0, walked = 0;
    for (size_t i = 0; i < NROWS; i++) {
        expected += m.rows[i].cells != NULL;
    }
    for (uint32_t number = 0;
         (number = _PyTraceMalloc_NextRow(&cells, number)) != 0; walked++)
    {
        const struct cell_row *row = tm_row_at(&cells, number);
        const struct m_row *other = &m.rows[row->pool / 16384 - 1];
        CHECK(other->cells == row);
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


void
compare_blocks(void)
{
    struct live_sums *live = calloc(m.ncontexts, sizeof(live[0]));
    CHECK(live != NULL);
    CHECK_SOUND(tm_check_blocks(&table, &tree, live));
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
            uint32_t cell =
                row->cells->cells[expected->cell];
            CHECK_EQUAL(CELL_CONTEXT(cell), expected->context);
            continue;
        }
        in_table++;
        struct block block;
        CHECK(tm_find_block(&table, expected->domain, expected->address,
                            &block));
        CHECK(block.size == expected->size
              && block.context == expected->context);
    }
    CHECK_EQUAL(tm_count_table(&table), in_table);
}


void
compare_sizes(void)
{
    size_t size = tm_size_of_codes(&codes)
                  + size_of_tree(&tree)
                  + tm_size_of_blocks(&table)
                  + tm_size_of_cells(&cells);
    for (size_t i = 0; i < NCOPIES; i++) {
        size += m.copies[i].used ? m.copies[i].bytes : 0;
    }
    CHECK_EQUAL(size, test_live_bytes());
}
