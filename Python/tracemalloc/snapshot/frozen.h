/* Frozen traces: see frozen.c. */

#ifndef TRACEMALLOC_FROZEN_H
#define TRACEMALLOC_FROZEN_H

#include "../store/block_table.h"
#include "../store/code_table.h"

/* A call site of a frozen copy: the code object is already a file. */
struct frozen_path {
    node_id parent;
    name_id file;
    name_id function;
    int32_t line;
    uint32_t depth;
};

struct frozen_context {
    node_id path;
    name_id file;
    name_id function;
    int32_t line;
    uint32_t depth;
};

/* A copy of blocks and contexts at one moment, to be decoded at leisure: the
   store may change or be cleared meanwhile. */
struct frozen_traces {
    struct block *blocks;
    size_t nblocks;
    int grouped;                /* an address is a number of blocks alike */
    struct frozen_path *paths;          /* by node_id */
    size_t npaths;
    struct frozen_context *contexts;    /* by context_id */
    size_t ncontexts;
    struct name **files; /* by name_id; NULL at NAME_NONE */
    size_t nfiles;
    struct name_table *names; /* holds a reference: keeps the files alive */
};

/* Copy all paths, contexts and names, and make room for `nblocks` blocks,
   which the caller then stores: 0, or -1 when out of memory. */
extern int _PyTraceMalloc_Freeze(struct frozen_traces *,
                                 const struct code_table *,
                                 const struct call_tree *, size_t nblocks);

/* Copy one block and what its context needs, under numbers of its own. */
extern int _PyTraceMalloc_FreezeBlock(struct frozen_traces *,
                                      const struct code_table *,
                                      const struct call_tree *,
                                      const struct block *);

/* Needs the store lock. */
extern void _PyTraceMalloc_FreeFrozen(struct frozen_traces *);

#endif  /* !TRACEMALLOC_FROZEN_H */
