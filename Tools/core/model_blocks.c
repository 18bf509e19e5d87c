/* The model's blocks and cells, and what is counted of them. */

#include "model_parts.h"

/* --- counting ------------------------------------------------------------ */

void
both_count_alloc(context_id id, size_t size)
{
    count_any(&tree, &bytes, tm_context_at(&tree, id), size);
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


void
both_count_free(context_id id, size_t size)
{
    tm_count_free(&bytes, tm_context_at(&tree, id), size);
    m.contexts[id].live_blocks--;
    m.contexts[id].live_bytes -= size;
    m.current -= size;
}


void
both_uncount_free(context_id id, size_t size)
{
    tm_uncount_free(&bytes, tm_context_at(&tree, id), size);
    m.contexts[id].live_blocks++;
    m.contexts[id].live_bytes += size;
    m.current += size;
}


void
step_reset_peak(void)
{
    tm_reset_peak(&tree, &bytes);
    m.peak = m.current;
    for (size_t i = 0; i < m.ncontexts; i++) {
        m.contexts[i].peak_blocks = m.contexts[i].live_blocks;
        m.contexts[i].peak_bytes = m.contexts[i].live_bytes;
    }
}


/* --- blocks -------------------------------------------------------------- */

uint32_t
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
    switch (random_below(20)) {
    case 0:
        return random_below(1000000);
    case 1:
        /* Too large for the shadow, or almost. */
        return ((size_t)1 << ENTRY_SIZE_BITS) - 2 + random_below(4);
    default:
        return random_below(1200);
    }
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


/* Whether a block cannot be live any more when another one begins. */
static int
gives_way(const struct m_block *old, const struct block *block)
{
    return old->row == NO_ROW && old->domain == block->domain
           && (old->address == block->address
               || (old->domain == 0
                   && old->address / 512 == block->address / 512
                   && old->size >= 512 && block->size >= 512
                   && old->size < (size_t)1 << 30
                   && old->address < (uintptr_t)1 << 48));
}


static size_t
model_find_stale(const struct block *block)
{
    for (size_t i = 0; i < m.nblocks; i++) {
        if (gives_way(&m.blocks[i], block)) {
            return i;
        }
    }
    return SIZE_MAX;
}


/* Whether it was added: not without memory.  What is in its way was freed
   behind our back. */
static int
both_note(uint32_t domain, uintptr_t address, size_t size, context_id context)
{
    struct block stale, block = {
        .address = address,
        .size = size,
        .context = context,
        .domain = domain,
    };
    call_begin();
    if (_PyTraceMalloc_ReserveBlock(&table, &block) < 0) {
        CHECK(call_lacked_memory());
        return 0;
    }
    CHECK(!call_lacked_memory());
    int alone = model_find_stale(&block) == SIZE_MAX;
    if (alone && random_below(2)) {
        _PyTraceMalloc_AddBlock(&table, &block);
    }
    else while (_PyTraceMalloc_PutBlock(&table, &block, &stale) == 1) {
        size_t there = model_find_block(stale.domain, stale.address);
        CHECK(there != SIZE_MAX);
        struct m_block old = m.blocks[there];
        CHECK(gives_way(&old, &block));
        CHECK(stale.size == old.size && stale.context == old.context);
        m.blocks[there] = m.blocks[--m.nblocks];
        both_count_free(old.context, old.size);
    }
    CHECK(model_find_block(domain, address) == SIZE_MAX);
    m.blocks[m.nblocks++] = (struct m_block){
        .domain = domain,
        .address = address,
        .size = size,
        .context = context,
        .row = NO_ROW,
    };
    return 1;
}


void
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
    if (row->cells == NULL) {
        row->size_class = random_below(32);
        row->ncells = (16384 - 48) / (16 * (row->size_class + 1));
        row->pool = 16384 * (at + 1);
        row->nused = 0;
        memset(row->taken, 0, sizeof(row->taken));
        call_begin();
        row->cells = _PyTraceMalloc_AddRow(&cells, row->pool, row->size_class,
                                           row->ncells);
        CHECK(call_lacked_memory() == (row->cells == NULL));
    }
    return row->cells != NULL && row->nused < row->ncells ? at : NO_ROW;
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
    row->cells->cells[cell] = CELL(context, slack);
    m.blocks[m.nblocks++] = (struct m_block){
        .address = row->pool + POOL_HEADER + cell * room,
        .size = room - slack,
        .context = context,
        .row = at,
        .cell = cell,
    };
    both_count_alloc(context, room - slack);
}


void
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
        uint32_t *cell = &row->cells->cells[block.cell];
        CHECK_EQUAL(CELL_CONTEXT(*cell), block.context);
        *cell = 0;
        row->taken[block.cell] = 0;
        row->nused--;
    }
    return block;
}


void
step_free(void)
{
    if (m.nblocks > 0) {
        struct m_block block = both_forget(random_below((uint32_t)m.nblocks));
        both_count_free(block.context, block.size);
    }
}


void
step_free_missing(void)
{
    uint32_t domain = domain_random();
    uintptr_t address = address_random();
    struct block removed;
    int found = model_find_block(domain, address) != SIZE_MAX;
    CHECK_EQUAL(tm_find_block(&table, domain, address, &removed), found);
    if (!found) {
        CHECK_EQUAL(_PyTraceMalloc_RemoveBlock(&table, domain, address,
                                               &removed), 0);
    }
}


/* As realloc does it: forgotten first, then put back or noted elsewhere. */
void
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


void
step_free_row(void)
{
    struct m_row *row = &m.rows[random_below(NROWS)];
    if (row->cells != NULL && row->nused == 0) {
        _PyTraceMalloc_FreeRow(&cells, row->cells);
        row->cells = NULL;
    }
}
