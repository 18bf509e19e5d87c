/* Call paths that reclaim took: do they come again?

   Called by reclaim.c, which keeps some of what it takes, and by capture,
   which asks for some of what it adds.  Both make a number of the path: its
   frames, outermost first, are the digits of a number to the base STEP, modulo
   2**32.  So it can be made from either end, and that of a caller is known
   from that of what it called, without a stack.

   Paths that have one number are taken for one, and code objects that had the
   same number one after the other are, too: the answer says how fast contexts
   are taken, and nothing is wrong when it is. */

#include "call_tree.h"

#include <assert.h>
#include <string.h>

#define STEP 0x9e3779b1u
#define STEP_BACK 0x0e8b2f51u
static_assert((uint32_t)(STEP * STEP_BACK) == 1, "the inverse");


PART void
tm_forget_paths(struct taken_paths *taken)
{
    if (taken->any) {
        memset(taken, 0, sizeof(*taken));
    }
    tm_begin_asking(taken);
}


/* What a frame, or a root, or an instruction adds to a path: what its key says
   but for the caller. */
static inline uint32_t
digit_of_key(uint64_t key)
{
    return (uint32_t)((key >> NODE_BITS) * 0x9e3779b97f4a7c15u >> 32);
}


static inline uint32_t
digit_of_node(const struct call_tree *tree, node_id id)
{
    return digit_of_key(tm_packed_node_at(tree, id)->key);
}


/* The number of a node's path.  Twice up the path, to the first node whose
   number is known: for the number, and to tell it to those between. */
static uint32_t
path_of_node(const struct call_tree *tree, uint32_t *memo, node_id id)
{
    uint32_t sum = 0, step = 1;
    node_id at = id;
    for (; memo[at] == 0; at = tm_node_parent(tree, at)) {
        sum += step * digit_of_node(tree, at);
        step *= STEP;
        if (tm_node_is_root(tree, at)) {
            break;
        }
    }
    sum += step * memo[at];
    uint32_t path = sum;
    for (; id != at; id = tm_node_parent(tree, id)) {
        memo[id] = path;
        path = (path - digit_of_node(tree, id)) * STEP_BACK;
    }
    memo[at] = path;
    return sum;
}


/* Which number a context's path has, below its callers'. */
static inline uint32_t
path_of_context(const struct context *context, uint32_t callers)
{
    uint32_t hash = callers * STEP + digit_of_key(context->key);
    hash = (hash ^ hash >> 16) * 0x85ebca6bu;
    return hash ^ hash >> 15;
}


/* Whether it is one of those that are kept: told by other bits than those that
   say where. */
static inline int
is_kept(uint32_t path)
{
    static_assert(KEEP_EACH <= (uint32_t)1 << 16, "the lower half");
    return path % KEEP_EACH == 0;
}


/* The place of a path in a set, and its bit there. */
static inline size_t
place_of(uint32_t path, uint64_t *bit)
{
    static_assert(TAKEN_BITS == (uint32_t)1 << 16, "the upper half");
    *bit = (uint64_t)1 << (path >> 16) % 64;
    return (path >> 16) / 64;
}


PART void
tm_keep_path(struct call_tree *tree, uint32_t *memo,
             const struct context *context)
{
    struct taken_paths *taken = &tree->taken;
    uint32_t path = path_of_context(
        context, path_of_node(tree, memo, tm_context_node(context)));
    if (!is_kept(path)) {
        return;
    }
    if (taken->kept == TAKEN_MOST) {
        memcpy(taken->older, taken->newer, sizeof(taken->older));
        memset(taken->newer, 0, sizeof(taken->newer));
        taken->kept = 0;
    }
    uint64_t bit;
    size_t place = place_of(path, &bit);
    taken->kept += (taken->newer[place] & bit) == 0;
    taken->newer[place] |= bit;
    taken->any = 1;
}


/* The path of a context was made. */
static inline void
ask(struct taken_paths *taken, uint32_t path)
{
    if (is_kept(path)) {
        uint64_t bit;
        size_t place = place_of(path, &bit);
        taken->asked++;
        taken->found +=
            ((taken->newer[place] | taken->older[place]) & bit) != 0;
    }
}


PART void
tm_ask_path(struct call_tree *tree, const struct context *context)
{
    uint32_t sum = 0, step = 1;
    node_id at = tm_context_node(context);
    for (int frames = 0; frames < ASK_FRAMES; frames++) {
        sum += step * digit_of_node(tree, at);
        if (tm_node_is_root(tree, at)) {
            ask(&tree->taken, path_of_context(context, sum));
            return;
        }
        step *= STEP;
        at = tm_node_parent(tree, at);
    }
}
