/* Frozen traces: a copy of the store that can be read without its lock.

   Called by Modules/_tracemalloc.c; reads sources and contexts.  Decoding
   makes Python objects, which allocates, which changes the store: so what is
   to be decoded is copied first.  Memory: 24 bytes per block, 20 per path and
   per context. */

#include "frozen.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>


static struct frozen_path
path_freeze(const struct code_table *codes, const struct frame_node *path)
{
    return (struct frozen_path){
        .parent = path->parent,
        .file = tm_code_at(codes, path->code)->file,
        .function = tm_code_at(codes, path->code)->function,
        .line = path->line,
        .depth = path->depth,
    };
}


static struct frozen_context
context_freeze(const struct code_table *codes,
               const struct call_tree *tree, const struct context *context)
{
    return (struct frozen_context){
        .path = context->node,
        .file = tm_code_at(codes, context->code)->file,
        .function = tm_code_at(codes, context->code)->function,
        .line = context->line,
        .depth = tm_context_depth(tree, context),
    };
}


static int
frozen_alloc(struct frozen_traces *frozen, const struct code_table *codes,
             size_t nblocks, size_t npaths, size_t ncontexts)
{
    struct name_table *names = codes->names;
    *frozen = (struct frozen_traces){
        .blocks = malloc((nblocks + 1) * sizeof(frozen->blocks[0])),
        .nblocks = nblocks,
        .paths = calloc(npaths, sizeof(frozen->paths[0])),
        .npaths = npaths,
        .contexts = calloc(ncontexts, sizeof(frozen->contexts[0])),
        .ncontexts = ncontexts,
        .files = malloc(names->used * sizeof(frozen->files[0])),
        .nfiles = names->used,
    };
    if (frozen->blocks == NULL || frozen->paths == NULL
        || frozen->contexts == NULL || frozen->files == NULL)
    {
        _PyTraceMalloc_FreeFrozen(frozen);
        return -1;
    }
    memcpy(frozen->files, names->entries,
           names->used * sizeof(frozen->files[0]));
    tm_hold_names(names);
    frozen->names = names;
    return 0;
}


int
_PyTraceMalloc_Freeze(struct frozen_traces *frozen,
                      const struct code_table *codes,
                      const struct call_tree *tree, size_t nblocks)
{
    if (frozen_alloc(frozen, codes, nblocks, tree->nodes.used,
                     tree->contexts.used) < 0)
    {
        return -1;
    }
    for (node_id id = NODE_ROOT + 1; id < tree->nodes.used; id++) {
        if (tm_node_at(tree, id)->parent != NODE_NONE) {
            frozen->paths[id] = path_freeze(codes, tm_node_at(tree, id));
        }
    }
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        if (tm_context_at(tree, id)->node != NODE_NONE) {
            frozen->contexts[id] = context_freeze(codes, tree,
                                                  tm_context_at(tree, id));
        }
    }
    return 0;
}


int
_PyTraceMalloc_FreezeBlock(struct frozen_traces *frozen,
                           const struct code_table *codes,
                           const struct call_tree *tree,
                           const struct block *block)
{
    const struct context *context = tm_context_at(tree, block->context);
    uint32_t callers = tm_node_at(tree, context->node)->depth;
    if (frozen_alloc(frozen, codes, 1, NODE_ROOT + callers + 1,
                     CONTEXT_UNKNOWN + 1) < 0)
    {
        return -1;
    }
    frozen->blocks[0] = *block;
    frozen->blocks[0].context = CONTEXT_UNKNOWN;
    frozen->contexts[CONTEXT_UNKNOWN] = context_freeze(codes, tree, context);
    frozen->contexts[CONTEXT_UNKNOWN].path = NODE_ROOT + callers;
    node_id at = context->node;
    for (node_id id = NODE_ROOT + callers; id > NODE_ROOT; id--) {
        frozen->paths[id] = path_freeze(codes, tm_node_at(tree, at));
        frozen->paths[id].parent = id - 1;
        at = tm_node_at(tree, at)->parent;
    }
    assert(tm_node_is_root(tree, at));
    return 0;
}


void
_PyTraceMalloc_FreeFrozen(struct frozen_traces *frozen)
{
    free(frozen->blocks);
    free(frozen->paths);
    free(frozen->contexts);
    free(frozen->files);
    if (frozen->names != NULL) {
        tm_drop_names(frozen->names);
    }
    memset(frozen, 0, sizeof(*frozen));
}
