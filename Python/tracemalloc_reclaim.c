/* Reclaim: take away contexts and paths that nobody needs any more.

   Called by Modules/_tracemalloc.c when many numbers are in use, with access
   to everything; calls sources and contexts.

   A program that makes code objects, or calls through ever new chains, for
   months would otherwise fill the tree.  What is needed:

       a context   with live blocks, now or at the peak
       a context or path in the cache of a thread (the caller's roots)
       a path      of a context that is needed, or above one that is

   In the mild form only contexts of dead code go: they cannot come back, so
   nothing is lost but their history, whose sum is kept.  File names go with
   the last code object that has them.

   Time: proportional to the nodes; 1 byte each of memory meanwhile. */

#include "pycore_tracemalloc_counting.h"

#include <assert.h>
#include <stdlib.h>


static int
context_is_needed(const struct context *context,
                  const struct source_table *sources,
                  const struct traced_bytes *bytes, int all)
{
    if (context_live_blocks(context) != 0) {
        return 1;
    }
    uint64_t peak_blocks, peak_bytes;
    context_peak(context, bytes, &peak_blocks, &peak_bytes);
    if (peak_blocks != 0) {
        return 1;
    }
    return !all && (context->code == CODE_NONE
                    || source_at(sources, context->code)->owner != NULL);
}


/* Mark a path and those above it. */
static void
path_mark(const struct context_tree *tree, unsigned char *marks, path_id id)
{
    while (id != PATH_ROOT && marks[id] != 2) {
        marks[id] = 2;
        id = path_at(tree, id)->parent;
    }
}


long
_PyTraceMalloc_Reclaim(struct context_tree *tree, struct source_table *sources,
                       const struct traced_bytes *bytes,
                       struct reclaim_roots *roots, int all)
{
    unsigned char *codes = calloc(sources->used, 1);
    if (codes == NULL) {
        return -1;
    }
    long taken = 0;

    for (path_id id = PATH_ROOT + 1; id < tree->paths.used; id++) {
        if (roots->paths[id] == 1) {
            path_mark(tree, roots->paths, id);
        }
    }
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        const struct context *context = context_at(tree, id);
        if (context->path == PATH_NONE) {
            continue;
        }
        if (id == CONTEXT_UNKNOWN || roots->contexts[id]
            || context_is_needed(context, sources, bytes, all))
        {
            path_mark(tree, roots->paths, context->path);
            codes[context->code] = 1;
        }
        else {
            _PyTraceMalloc_FreeContext(tree, id);
            taken++;
        }
    }
    for (path_id id = PATH_ROOT + 1; id < tree->paths.used; id++) {
        const struct path *path = path_at(tree, id);
        if (path->parent == PATH_NONE) {
            continue;
        }
        if (roots->paths[id]) {
            codes[path->code] = 1;
        }
        else {
            _PyTraceMalloc_FreePath(tree, id);
            taken++;
        }
    }
    _PyTraceMalloc_RecycleCodes(sources, codes);
    _PyTraceMalloc_ReclaimFiles(sources);
    free(codes);
    return taken;
}
