/* Taking: snapshots of the tracer's store.

   Called by columns.c, decode.c and pytracemalloc.c; calls snapshot.c, which
   knows no tracer and no Python. */

#include "Python.h"
#include "pycore_obmalloc.h"      // ALIGNMENT, POOL_OVERHEAD
#include "../access.h"
#include "taking.h"

#define S (&_PyTraceMalloc_State)


PART struct block_stores
tm_block_stores(void)
{
    return (struct block_stores){
        .cells = &S->cells,
        .cell_unit = ALIGNMENT,
        .pool_header = POOL_OVERHEAD,
        .tables = {&S->large, &S->raw},
    };
}


PART int
tm_take_store_lock_held(struct snapshot *snapshot, int parts)
{
    struct snapshot_source from = {
        .parts = parts,
        .codes = &S->codes,
        .tree = &S->tree,
        .bytes = &S->bytes,
        .sampler = tm_is_sampling() ? &S->sampler : NULL,
        .hidden = CONTEXT_OWN,
        .blocks = tm_block_stores(),
    };
    return tm_take_snapshot(snapshot, &from);
}


PART int
tm_take_store(struct snapshot *snapshot, int parts, int sampled)
{
    if (_PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
        return 0;
    }
    if (tm_is_sampling()) {
        parts = sampled;
    }
    int failed = parts != 0 && tm_take_store_lock_held(snapshot, parts) < 0;
    tm_end_locked();
    if (parts == 0) {
        return 0;
    }
    if (failed || tm_finish_snapshot(snapshot) < 0) {
        PyErr_NoMemory();
        return -1;
    }
    return 1;
}
