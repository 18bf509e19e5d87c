/* Walking a tree that is given as the parents of its nodes. */

#ifndef TRACEMALLOC_TREE_WALK_H
#define TRACEMALLOC_TREE_WALK_H

#include "column_args.h"

#include <stdlib.h>

/* A tree as lists of children. */
struct tree {
    const uint32_t *parent;
    uint32_t *first, *next;     /* 0: none */
};


/* The node behind `node` when each comes before its children; 0 at the end.
   Calls leave() for those whose subtrees end there. */
#define TREE_NEXT(tree, node, leave)                                    \
    do {                                                                \
        if ((tree)->first[node] != 0) {                                 \
            node = (tree)->first[node];                                 \
            break;                                                      \
        }                                                               \
        while (node != 0) {                                             \
            leave(node);                                                \
            if ((tree)->next[node] != 0) {                              \
                node = (tree)->next[node];                              \
                break;                                                  \
            }                                                           \
            node = (tree)->parent[node];                                \
        }                                                               \
    } while (0)


/* Children come in the reverse of `order`, which lists all nodes; NULL is the
   order of their numbers. */
static inline int
tm_list_children(struct tree *tree, const struct number_column *parents,
                 const uint32_t *order)
{
    size_t n = parents->length;
    tree->parent = parents->numbers;
    tree->first = tm_zeroed(n, sizeof(uint32_t));
    tree->next = tree->first == NULL ? NULL : tm_zeroed(n, sizeof(uint32_t));
    if (tree->next == NULL) {
        free(tree->first);
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t node = order == NULL ? (uint32_t)i : order[i];
        if (node != 0) {
            tree->next[node] = tree->first[tree->parent[node]];
            tree->first[tree->parent[node]] = node;
        }
    }
    return 0;
}


static inline void
tm_free_children(struct tree *tree)
{
    free(tree->first);
    free(tree->next);
}

#endif  /* !TRACEMALLOC_TREE_WALK_H */
