/* Call paths that reclaim took: do they come again?  See taken_paths.c. */

#ifndef TRACEMALLOC_TAKEN_PATHS_H
#define TRACEMALLOC_TAKEN_PATHS_H

#include "../core.h"

struct call_tree;
struct context;

/* Of the contexts that are taken, about one of so many is kept, by its path;
   of those that are added, one of so many is looked at, if its path is not
   longer than this. */
#ifdef Py_TRACEMALLOC_STRESS
#  define KEEP_EACH ((uint32_t)1)
#  define ASK_EACH 4
#else
#  define KEEP_EACH ((uint32_t)128)
#  define ASK_EACH 16
#endif
#define ASK_FRAMES 256

/* A path is one bit, which few share: there is room for 8 times as many as
   are kept in a set. */
#define TAKEN_BITS ((uint32_t)1 << 16)
#define TAKEN_MOST (TAKEN_BITS / 8)

/* As many answers tell something. */
#define ASKED_LEAST 16

/* Of a million contexts that were taken last, or up to twice as many, and what
   was asked since the last reclaim.  Store lock. */
struct taken_paths {
    int any;                    /* 0: nothing to ask for */
    uint32_t kept;              /* in the newer set */
    uint32_t asked;
    uint32_t found;
    uint64_t newer[TAKEN_BITS / 64];
    uint64_t older[TAKEN_BITS / 64];
};

/* Forget all. */
PART void tm_forget_paths(struct taken_paths *);

/* Keep the path of a context, if it is one of those.  `memo` has a number for
   each node, 0 at first: what was found once is found at once. */
PART void tm_keep_path(struct call_tree *, uint32_t *memo,
                       const struct context *);

/* A context was added: was its path taken before?  O(ASK_FRAMES). */
PART void tm_ask_path(struct call_tree *, const struct context *);

/* Nothing was asked yet. */
static inline void
tm_begin_asking(struct taken_paths *taken)
{
    taken->asked = taken->found = 0;
}

/* Whether enough was asked to tell; and whether most of it was there. */
static inline int
tm_enough_asked(const struct taken_paths *taken)
{
    return taken->asked >= ASKED_LEAST;
}

static inline int
tm_paths_return(const struct taken_paths *taken)
{
    return tm_enough_asked(taken) && taken->found > taken->asked / 2;
}

#endif  /* !TRACEMALLOC_TAKEN_PATHS_H */
