/* Snapshots: all contexts and blocks at one moment, in columns.

   Called by taking.c and columns.c; reads names, code objects, nodes and
   contexts.  Parts of it are files of their own: instructions.c, which reads
   location tables, and rows.c and cell_sizes.c, which read blocks.

       store --tm_take_snapshot()--> columns, and a draft
                                 --tm_finish_snapshot()--> columns

   Only taking needs the store: it copies what can change, counts the blocks,
   and numbers what is copied anew, without gaps.  What is left, which is to
   sort the rows and to read location tables, works on copies.

   Time: proportional to the cells, and to the nodes of the tree.  Memory: what
   the columns take, 28 bytes per context, 60 more with counters and locations,
   16 per path and 20 per row; for a short time 4 to 16 per node, 16 per
   context, 2 per block that has a cell and 32 to 96 per row of others more. */

#include "snapshot.h"
#include "draft.h"

#include <assert.h>
#include <string.h>


/* --- memory -------------------------------------------------------------- */

static void
draft_free(struct snapshot_draft *draft)
{
    if (draft == NULL) {
        return;
    }
    free(draft->path_numbers);
    free(draft->paths);
    free(draft->path_roots);
    free(draft->path_depths);
    free(draft->context_numbers);
    free(draft->contexts);
    free(draft->name_numbers);
    free(draft->code_numbers);
    free(draft->threads.numbers);
    free(draft->accounts.numbers);
    free(draft->codes);
    free(draft->locations);
    free(draft->context_instructions);
    free(draft->instructions);
    free(draft->instruction_slots);
    free(draft->slots);
    tm_free_sizes(draft);
    free(draft);
}


PART void
tm_free_snapshot(struct snapshot *snapshot)
{
    draft_free(snapshot->draft);
#define COLUMN(table, name, type) free(snapshot->table##_##name);
    SNAPSHOT_ALL_COLUMNS(COLUMN)
#undef COLUMN
    free(snapshot->names);
    free(snapshot->text);
    free(snapshot->threads);
    free(snapshot->accounts);
    memset(snapshot, 0, sizeof(*snapshot));
}


static int
paths_alloc(struct snapshot *snapshot, size_t n)
{
    snapshot->npaths = n;
    SNAPSHOT_PATH_COLUMNS(COLUMN_ALLOC)
    return 0;
}


static int
contexts_alloc(struct snapshot *snapshot, size_t n)
{
    snapshot->ncontexts = n;
    SNAPSHOT_CONTEXT_COLUMNS(COLUMN_ALLOC)
    if (snapshot->draft->from->tree->naccounts != 0) {
        SNAPSHOT_ACCOUNT_COLUMNS(COLUMN_ALLOC)
    }
    if (snapshot->draft->from->parts & SNAPSHOT_COUNTERS) {
        SNAPSHOT_COUNTER_COLUMNS(COLUMN_ALLOC)
    }
    return 0;
}


static struct snapshot_draft *
draft_new(const struct snapshot_source *from)
{
    struct snapshot_draft *draft = calloc(1, sizeof(*draft));
    if (draft == NULL) {
        return NULL;
    }
    const struct call_tree *tree = from->tree;
    draft->from = from;
    draft->path_numbers = tm_new_numbers(tree->nodes.used);
    draft->paths = tm_new_numbers(tree->nodes.live);
    draft->path_roots = tm_new_numbers(tree->nodes.live);
    draft->path_depths = tm_new_numbers(tree->nodes.live);
    draft->context_numbers = tm_new_numbers(tree->contexts.used);
    draft->contexts = tm_new_numbers(tree->contexts.live);
    draft->name_numbers = tm_new_numbers(from->codes->names->used);
    if (draft->path_numbers == NULL || draft->paths == NULL
        || draft->path_roots == NULL || draft->path_depths == NULL
        || draft->context_numbers == NULL || draft->contexts == NULL
        || draft->name_numbers == NULL)
    {
        draft_free(draft);
        return NULL;
    }
    return draft;
}


/* --- numbers ------------------------------------------------------------- */

/* Number a path and all above it, callers first. */
static void
path_number(struct snapshot *snapshot, node_id id)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct call_tree *tree = draft->from->tree;
    /* Those that have no number yet, newest first, lie at the end of the list
       for a moment. */
    size_t first = snapshot->npaths, end = first;
    while (!tm_node_is_root(tree, id) && draft->path_numbers[id] == 0) {
        draft->paths[end++] = id;
        id = tm_node_parent(tree, id);
    }
    uint32_t above = draft->path_numbers[id];
    uint32_t root = above == 0 ? (uint32_t)tm_node_line(tree, id)
                               : draft->path_roots[above];
    uint32_t depth = draft->path_depths[above];
    for (size_t low = first, high = end; low + 1 < high; low++) {
        node_id newer = draft->paths[low];
        draft->paths[low] = draft->paths[--high];
        draft->paths[high] = newer;
    }
    for (size_t number = first; number < end; number++) {
        draft->path_numbers[draft->paths[number]] = (uint32_t)number;
        draft->path_roots[number] = root;
        draft->path_depths[number] = ++depth;
    }
    snapshot->npaths = end;
}


/* Number all contexts that ever allocated, and the paths they need. */
static void
nodes_number(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct call_tree *tree = draft->from->tree;
    snapshot->npaths = 1;
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        const struct context *context = tm_context_at(tree, id);
        if (tm_context_node(context) != NODE_NONE && id != draft->from->hidden
            && tm_context_counters(context).allocated_blocks != 0)
        {
            draft->contexts[snapshot->ncontexts++] = id;
            draft->context_numbers[id] = (uint32_t)snapshot->ncontexts;
            path_number(snapshot, tm_context_node(context));
        }
    }
}


/* The number of a name; names themselves are copied later. */
static uint32_t
name_number(struct snapshot *snapshot, name_id id)
{
    uint32_t *number = &snapshot->draft->name_numbers[id];
    if (*number == 0) {
        *number = (uint32_t)snapshot->nnames++;
    }
    return *number;
}


static uint32_t
function_number(struct snapshot *snapshot, const struct code_entry *code)
{
    return code->function != NAME_NONE ? name_number(snapshot, code->function)
                                       : 0;
}


/* --- paths and contexts -------------------------------------------------- */

static int
paths_copy(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct snapshot_source *from = draft->from;
    if (paths_alloc(snapshot, snapshot->npaths) < 0) {
        return -1;
    }
    snapshot->path_parent[0] = 0;
    snapshot->path_file[0] = 0;
    snapshot->path_function[0] = 0;
    snapshot->path_line[0] = 0;
    for (size_t number = 1; number < snapshot->npaths; number++) {
        struct frame_node node = tm_node(from->tree, draft->paths[number]);
        const struct code_entry *code = tm_code_at(from->codes, node.code);
        snapshot->path_parent[number] = draft->path_numbers[node.parent];
        snapshot->path_file[number] = name_number(snapshot, code->file);
        snapshot->path_function[number] = function_number(snapshot, code);
        snapshot->path_line[number] = node.line;
    }
    return 0;
}


/* The number + 1 of what is called `key`, which is listed if it is new: 0, or
   -1 when out of memory. */
static int
key_number(struct numbering *numbering, uint32_t key, uint32_t **list,
           size_t *listed, uint32_t *number)
{
    if (key >= numbering->n) {
        uint32_t n = 2 * key + 2;
        uint32_t *numbers = realloc(numbering->numbers,
                                    n * sizeof(numbers[0]));
        if (numbers == NULL) {
            return -1;
        }
        memset(numbers + numbering->n, 0,
               (n - numbering->n) * sizeof(numbers[0]));
        numbering->numbers = numbers;
        numbering->n = n;
        uint32_t *longer = realloc(*list, n * sizeof(longer[0]));
        if (longer == NULL) {
            return -1;
        }
        *list = longer;
    }
    if (numbering->numbers[key] == 0) {
        (*list)[(*listed)++] = key;
        numbering->numbers[key] = (uint32_t)*listed;
    }
    *number = numbering->numbers[key];
    return 0;
}


/* Thread and account of a context, by the line of its root. */
static int
root_copy(struct snapshot *snapshot, size_t number, uint32_t line)
{
    struct snapshot_draft *draft = snapshot->draft;
    uint32_t account = tm_root_account(line);
    if (account != NO_ACCOUNT
        && key_number(&draft->accounts, account, &snapshot->accounts,
                      &snapshot->naccounts,
                      &snapshot->context_account[number]) < 0)
    {
        return -1;
    }
    return key_number(&draft->threads, tm_root_slot(line), &snapshot->threads,
                      &snapshot->nthreads,
                      &snapshot->context_thread[number]);
}


PART struct counters
tm_shown_counters(const struct context *context,
                  const struct traced_bytes *bytes,
                  const struct sampler *sampler)
{
    struct counters counters = tm_context_totals(context, bytes);
    if (sampler != NULL) {
        /* Let samples stand for what was not noted. */
        tm_round_totals(sampler, 0, &counters.allocated_blocks,
                        &counters.freed_blocks, &counters.peak_blocks);
        tm_round_totals(sampler, 1, &counters.allocated_bytes,
                        &counters.freed_bytes, &counters.peak_bytes);
    }
    return counters;
}


static void
counters_copy(struct snapshot *snapshot, size_t number,
              const struct context *context)
{
    const struct snapshot_source *from = snapshot->draft->from;
    struct counters counters = tm_shown_counters(context, from->bytes,
                                                 from->sampler);
    snapshot->context_allocated_blocks[number] = counters.allocated_blocks;
    snapshot->context_allocated_bytes[number] = counters.allocated_bytes;
    snapshot->context_freed_blocks[number] = counters.freed_blocks;
    snapshot->context_freed_bytes[number] = counters.freed_bytes;
    snapshot->context_peak_blocks[number] = counters.peak_blocks;
    snapshot->context_peak_bytes[number] = counters.peak_bytes;
}


static int
context_copy(struct snapshot *snapshot, size_t number,
             const struct context *context)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct snapshot_source *from = draft->from;
    const struct code_entry *code = tm_code_at(from->codes,
                                               tm_context_code(context));
    node_id node = tm_context_node(context);
    int has_frame = tm_context_code(context) != CODE_NONE;
    uint32_t path = draft->path_numbers[node];
    uint32_t root = path != 0 ? draft->path_roots[path]
                    : (uint32_t)tm_node_line(from->tree, node);
    uint32_t depth = draft->path_depths[path] + (uint32_t)has_frame;
    /* A block without any frame is shown with one. */
    depth = depth < 1 ? 1 : depth > MAX_NFRAME ? MAX_NFRAME : depth;

    snapshot->context_path[number] = path;
    snapshot->context_file[number] = name_number(snapshot, code->file);
    snapshot->context_function[number] = function_number(snapshot, code);
    snapshot->context_line[number] = tm_context_line(context);
    snapshot->context_domain[number] = tm_context_domain(context);
    snapshot->context_depth[number] = depth;
    if (from->parts & SNAPSHOT_COUNTERS) {
        counters_copy(snapshot, number, context);
    }
    if (snapshot->context_account != NULL) {
        snapshot->context_account[number] = 0;
    }
    if (!has_frame) {
        /* Of all threads that have no frame. */
        snapshot->context_thread[number] = 0;
        return 0;
    }
    return root_copy(snapshot, number, root);
}


static int
contexts_copy(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    if (contexts_alloc(snapshot, snapshot->ncontexts) < 0) {
        return -1;
    }
    for (size_t number = 0; number < snapshot->ncontexts; number++) {
        const struct context *context = tm_context_at(
            draft->from->tree, draft->contexts[number]);
        if (context_copy(snapshot, number, context) < 0) {
            return -1;
        }
    }
    return 0;
}


/* --- names --------------------------------------------------------------- */

static size_t
name_size(const struct name *name)
{
    size_t size = sizeof(*name) + name->length * name->kind;
    return (size + sizeof(size_t) - 1) & ~(sizeof(size_t) - 1);
}


static int
names_copy(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    const struct name_table *names = draft->from->codes->names;
    size_t size = 0;
    for (name_id id = 1; id < names->used; id++) {
        if (draft->name_numbers[id] != 0) {
            size += name_size(names->entries[id]);
        }
    }
    snapshot->names = calloc(snapshot->nnames, sizeof(snapshot->names[0]));
    snapshot->text = malloc(size + 1);
    snapshot->text_size = size;
    if (snapshot->names == NULL || snapshot->text == NULL) {
        return -1;
    }
    char *at = snapshot->text;
    for (name_id id = 1; id < names->used; id++) {
        if (draft->name_numbers[id] != 0) {
            const struct name *name = names->entries[id];
            memcpy(at, name, sizeof(*name) + name->length * name->kind);
            snapshot->names[draft->name_numbers[id]] =
                (const struct name *)(void *)at;
            at += name_size(name);
        }
    }
    return 0;
}


/* --- taking and finishing ------------------------------------------------ */

PART int
tm_take_snapshot(struct snapshot *snapshot, const struct snapshot_source *from)
{
    int parts = from->parts;
    *snapshot = (struct snapshot){.nnames = 1};
    snapshot->draft = draft_new(from);
    if (snapshot->draft == NULL) {
        return -1;
    }
    nodes_number(snapshot);
    if (paths_copy(snapshot) < 0
        || (parts & SNAPSHOT_LOCATIONS && tm_take_instructions(snapshot) < 0)
        || contexts_copy(snapshot) < 0 || names_copy(snapshot) < 0
        || (parts & SNAPSHOT_ROWS && tm_take_rows(snapshot) < 0)
        || (parts & SNAPSHOT_BLOCKS && tm_take_blocks(snapshot) < 0)
        || (parts & SNAPSHOT_ERRORS && tm_take_errors(snapshot) < 0))
    {
        tm_free_snapshot(snapshot);
        return -1;
    }
    snapshot->draft->from = NULL;
    return 0;
}


PART int
tm_finish_snapshot(struct snapshot *snapshot)
{
    struct snapshot_draft *draft = snapshot->draft;
    for (size_t i = 0; i < snapshot->ncontexts; i++) {
        if (snapshot->context_thread[i] != 0) {
            snapshot->context_thread[i] += (uint32_t)snapshot->nnames - 1;
        }
        if (snapshot->context_account != NULL
            && snapshot->context_account[i] != 0)
        {
            snapshot->context_account[i] +=
                (uint32_t)(snapshot->nnames + snapshot->nthreads) - 1;
        }
    }
    if ((draft->slots != NULL && tm_finish_rows(snapshot) < 0)
        || (draft->instructions != NULL
            && tm_finish_instructions(snapshot) < 0))
    {
        tm_free_snapshot(snapshot);
        return -1;
    }
    draft_free(draft);
    snapshot->draft = NULL;
    return 0;
}
