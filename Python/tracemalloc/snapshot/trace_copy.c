/* One trace, copied: what a block's context says, to be decoded at leisure.

   Called by tracebacks.c, and reads names, code objects, nodes and contexts.
   Decoding makes Python objects, which allocates, which changes the store; so
   what is to be decoded is copied first.  A snapshot would copy all of it.

   Time and memory: O(frames), and O(code) to read a location table. */

#include "trace_copy.h"

#include <stdlib.h>
#include <string.h>


static struct frame_copy
frame_copy(const struct code_table *codes, code_id id, int32_t line)
{
    const struct code_entry *code = tm_code_at(codes, id);
    struct name **names = codes->names->entries;
    return (struct frame_copy){
        .file = names[code->file],
        .function = code->function != NAME_NONE ? names[code->function]
                                                : NULL,
        .line = line,
    };
}


/* Where the instruction of a context stands, as far as it is known: 0, or -1
   when out of memory. */
static int
location_copy(struct location *where, const struct code_table *codes,
              const struct context *context)
{
    const struct code_entry *code = tm_code_at(codes,
                                               tm_context_code(context));
    uint32_t unit = tm_context_unit(context);
    if (unit == NO_UNIT || code->nlocations == 0) {
        return 0;
    }
    struct location *units = malloc((unit + 1) * sizeof(units[0]));
    if (units == NULL) {
        return -1;
    }
    tm_read_locations(code->locations, code->nlocations, units,
                      unit + 1);
    *where = units[unit];
    free(units);
    return 0;
}


PART int
tm_copy_trace(struct trace_copy *trace, const struct code_table *codes,
              const struct call_tree *tree, const struct block *block,
              uint32_t limit, int locate)
{
    const struct context *context = tm_context_at(tree, block->context);
    size_t n = tm_context_depth(tree, context, limit);
    *trace = (struct trace_copy){
        .size = block->size,
        .frames = malloc((n + 1) * sizeof(trace->frames[0])),
        .where = {-1, -1, -1},
    };
    if (trace->frames == NULL
        || (locate && location_copy(&trace->where, codes, context) < 0))
    {
        free(trace->frames);
        return -1;
    }
    code_id code = tm_context_code(context);
    if (code != CODE_NONE && n > 0) {
        trace->frames[trace->nframes++] = frame_copy(
            codes, code, tm_context_line(context));
    }
    for (node_id at = tm_context_node(context); trace->nframes < n;) {
        struct frame_node node = tm_node(tree, at);
        trace->frames[trace->nframes++] = frame_copy(codes, node.code,
                                                     node.line);
        at = node.parent;
    }
    trace->names = codes->names;
    tm_hold_names(trace->names);
    return 0;
}


PART void
tm_free_trace(struct trace_copy *trace)
{
    free(trace->frames);
    tm_drop_names(trace->names);
    memset(trace, 0, sizeof(*trace));
}
