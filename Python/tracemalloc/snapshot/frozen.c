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
path_freeze(const struct source_table *sources, const struct path *path)
{
    return (struct frozen_path){
        .parent = path->parent,
        .file = source_at(sources, path->code)->file,
        .function = source_at(sources, path->code)->function,
        .line = path->line,
        .depth = path->depth,
    };
}


static struct frozen_context
context_freeze(const struct source_table *sources,
               const struct context_tree *tree, const struct context *context)
{
    return (struct frozen_context){
        .path = context->path,
        .file = source_at(sources, context->code)->file,
        .function = source_at(sources, context->code)->function,
        .line = context->line,
        .depth = context_depth(tree, context),
    };
}


static int
frozen_alloc(struct frozen_traces *frozen, const struct source_table *sources,
             size_t nblocks, size_t npaths, size_t ncontexts)
{
    struct source_names *names = sources->names;
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
    memcpy(frozen->files, names->files,
           names->used * sizeof(frozen->files[0]));
    _PyTraceMalloc_HoldNames(names);
    frozen->names = names;
    return 0;
}


int
_PyTraceMalloc_Freeze(struct frozen_traces *frozen,
                      const struct source_table *sources,
                      const struct context_tree *tree, size_t nblocks)
{
    if (frozen_alloc(frozen, sources, nblocks, tree->paths.used,
                     tree->contexts.used) < 0)
    {
        return -1;
    }
    for (path_id id = PATH_ROOT + 1; id < tree->paths.used; id++) {
        if (path_at(tree, id)->parent != PATH_NONE) {
            frozen->paths[id] = path_freeze(sources, path_at(tree, id));
        }
    }
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        if (context_at(tree, id)->path != PATH_NONE) {
            frozen->contexts[id] = context_freeze(sources, tree,
                                                  context_at(tree, id));
        }
    }
    return 0;
}


int
_PyTraceMalloc_FreezeBlock(struct frozen_traces *frozen,
                           const struct source_table *sources,
                           const struct context_tree *tree,
                           const struct block *block)
{
    const struct context *context = context_at(tree, block->context);
    uint32_t callers = path_at(tree, context->path)->depth;
    if (frozen_alloc(frozen, sources, 1, PATH_ROOT + callers + 1,
                     CONTEXT_UNKNOWN + 1) < 0)
    {
        return -1;
    }
    frozen->blocks[0] = *block;
    frozen->blocks[0].context = CONTEXT_UNKNOWN;
    frozen->contexts[CONTEXT_UNKNOWN] = context_freeze(sources, tree, context);
    frozen->contexts[CONTEXT_UNKNOWN].path = PATH_ROOT + callers;
    path_id at = context->path;
    for (path_id id = PATH_ROOT + callers; id > PATH_ROOT; id--) {
        frozen->paths[id] = path_freeze(sources, path_at(tree, at));
        frozen->paths[id].parent = id - 1;
        at = path_at(tree, at)->parent;
    }
    assert(path_is_root(tree, at));
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
        _PyTraceMalloc_DropNames(frozen->names);
    }
    memset(frozen, 0, sizeof(*frozen));
}
