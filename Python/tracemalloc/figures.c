/* Figures: sizes and counts of the whole store.

   Called by Modules/_tracemalloc.c and pytracemalloc.c; asks each store. */

#include "Python.h"
#include "access.h"
#include "figures.h"
#include "own.h"

#define S (&_PyTraceMalloc_State)


/* --- traced memory ------------------------------------------------------- */

void
_PyTraceMalloc_GetTracedMemory(size_t *current, size_t *peak)
{
    *current = *peak = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        tm_program_bytes(current, peak);
        tm_end_locked();
    }
}


void
_PyTraceMalloc_StartPeakAgain(void)
{
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        tm_reset_peak(&S->tree, &S->bytes);
        tm_end_locked();
    }
}


uint64_t
_PyTraceMalloc_GetSampleInterval(void)
{
    uint64_t interval = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        interval = S->sampler.interval;
        tm_end_locked();
    }
    return interval;
}


uint64_t
_PyTraceMalloc_GetDropped(void)
{
    uint64_t dropped = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        dropped = S->dropped;
        tm_end_locked();
    }
    return dropped;
}


/* --- memory of the tracer ------------------------------------------------ */

PART size_t
tm_store_size_lock_held(void)
{
    return tm_size_of_codes(&S->codes)
           + tm_size_of_tree(&S->tree)
           + tm_size_of_cells(&S->cells)
           + tm_size_of_blocks(&S->large)
           + tm_size_of_blocks(&S->raw)
           + tm_size_of_filters(&S->filters)
           + S->detached.allocated * sizeof(S->detached.counts[0])
           + S->sampler.nspreads * sizeof(S->sampler.spreads[0])
           + S->cache_bytes;
}


size_t
_PyTraceMalloc_GetOwnMemory(void)
{
    size_t size = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        size = tm_store_size_lock_held();
        tm_end_locked();
    }
    return size;
}


/* Bytes of the tracer's tables that wait to be used. */
static size_t
room_left_lock_held(void)
{
    const struct call_tree *tree = &S->tree;
    const struct number_space *spaces[] = {&tree->nodes, &tree->contexts};
    /* Of contexts, only those are touched that were given. */
    size_t room = (tree->nodes.chunks * CHUNK_SIZE - tree->nodes.live)
                  * sizeof(struct packed_node)
                  + (tree->contexts.used - tree->contexts.live)
                    * sizeof(struct context);
    for (size_t i = 0; i < Py_ARRAY_LENGTH(spaces); i++) {
        room += (spaces[i]->index->mask + 1 - spaces[i]->indexed)
                * sizeof(spaces[i]->index->slots[0]);
    }
    room += tm_room_of_blocks(&S->large) + tm_room_of_blocks(&S->raw);
    size_t rows = 0;
    for (uint32_t id = 0; (id = _PyTraceMalloc_NextRow(&S->cells, id)) != 0;) {
        const struct cell_row *row = tm_row_at(&S->cells, id);
        rows += sizeof(*row) + row->ncells * sizeof(row->cells[0]);
    }
    return room + tm_size_of_cells(&S->cells) - rows;
}


PART void
tm_get_room(size_t *size, size_t *room)
{
    *size = *room = 0;
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        *size = tm_store_size_lock_held();
        *room = room_left_lock_held();
        tm_end_locked();
    }
}


/* --- counts -------------------------------------------------------------- */

int
_PyTraceMalloc_GetCounts(struct store_counts *counts)
{
    if (_PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
        return 0;
    }
    const struct call_tree *tree = &S->tree;
    tm_count_codes(&S->codes, &counts->codes, &counts->names);
    /* Our own is none of the program's. */
    counts->contexts = tree->contexts.live - 1;
    counts->nodes = tree->nodes.live;
    counts->contexts_made = counts->contexts + tree->reclaimed_contexts;
    counts->nodes_made = counts->nodes + tree->reclaimed_nodes;
    uint64_t blocks = 0, made = tree->reclaimed_blocks;
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        if (id != CONTEXT_OWN) {
            const struct context *context = tm_context_at(tree, id);
            blocks += tm_context_live_blocks(context);
            made += tm_context_counters(context).allocated_blocks;
        }
    }
    counts->blocks = tm_sampled_blocks(&S->sampler, blocks);
    counts->blocks_made = tm_sampled_blocks(&S->sampler, made);
    tm_end_locked();
    return 1;
}
