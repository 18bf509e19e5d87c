/* The index of the call tree: finds nodes and contexts by what they are, with
   no lock. */

#ifndef TRACEMALLOC_NODE_INDEX_H
#define TRACEMALLOC_NODE_INDEX_H

#include "../core.h"

struct call_tree;

/* Numbers of nodes, or of contexts, by the hash of their key:

       key       node     parent, code, line
                 context  node, code, instruction and domain, line

       parent.first_child --> the first node below: all there is below most
       slots     [ . ][ n ][ n ][ . ] ...   the others, by bucket and hash

   Open addressing; a number is stored after its node is complete.  The bits of
   a slot above the number are of the key's hash, so that few nodes that are
   not meant are read.  Slots are not emptied while somebody may look, so a
   free slot ends the search.

   Looking up takes no lock.  So nodes never move, the key of a node is stored
   when all else of it is there, its number after that in a parent or in the
   index, and an index that is outgrown waits in the tree's `replaced` until
   nobody can be reading it.  Who looks up meanwhile may miss what was just
   added: then it asks again, with the store lock, which adding takes anyway.
   Or it finds, next to what was found before, what is not entered yet.

   Invariant
     I3  no two nodes, and no two contexts, have the same key; each is the
         first one below its parent, or the index finds it, and nothing else is
         in the indexes; an index is at most three quarters full */
struct node_index {
    struct node_index *next;    /* chain of replaced ones; else NULL */
    size_t mask;                /* slots - 1 */
    uint32_t slots[];           /* atomic */
};

#define SLOT_NODE(slot) ((slot) & (((uint32_t)1 << NODE_BITS) - 1))
#define SLOT_CONTEXT(slot) ((slot) & (((uint32_t)1 << CONTEXT_BITS) - 1))

/* Bookkeeping for the nodes, or for the contexts, of a tree: store lock. */
struct number_space {
    struct node_index *index;       /* atomic */
    uint32_t used;                  /* numbers given so far, 0 included */
    uint32_t unused;                /* head of the chain of unused numbers */
    uint32_t live;                  /* nodes */
    uint32_t indexed;               /* those in the index */
    uint32_t found;                 /* by looking up, the last time; atomic */
    size_t chunks;                  /* allocated */
};

/* A node or context that exists, or NODE_NONE or CONTEXT_NONE.  No lock.
   Contexts found here are of domain 0; those of short lines are found by any
   short line. */
PART node_id tm_find_node(struct call_tree *, node_id parent, code_id,
                          int32_t line);
PART context_id tm_find_context(struct call_tree *, node_id, code_id,
                                uint32_t unit, int32_t line);

/* A node below one is about to be looked for: let the processor fetch the
   slots where it is, if it is in the index, while the line is looked up. */
PART void tm_prefetch_nodes(const struct call_tree *, node_id parent);

/* Where a number is, or goes: as the first one, or in the index. */
struct index_place {
    uint32_t found;             /* the number, or 0: there is none yet */
    uint32_t tag;               /* what the slot has above the number */
    uint32_t *first;            /* NULL: there is a first one */
    size_t at;                  /* the slot then */
};

/* Find a node or context, or the place where it goes, and make room there.  0,
   or -1 when out of memory.  A context has its key, see tm_context_key(), and
   for a wide one the instruction and the domain, which are told always.  The
   place is good until the index changes. */
PART int tm_seek_node(struct call_tree *, node_id parent, code_id,
                      int32_t line, struct index_place *);
PART int tm_seek_context(struct call_tree *, uint64_t key, uint32_t unit,
                         uint32_t domain, struct index_place *);

/* Let a node or context that is complete be found from now on. */
PART void tm_enter_number(struct number_space *, const struct index_place *,
                          uint32_t number);

/* Begin with empty indexes.  0, or -1 when out of memory. */
PART int tm_init_indexes(struct call_tree *);
PART void tm_fini_indexes(struct call_tree *);

/* Build the indexes anew after numbers were given back, while nobody looks up.
   Needs no memory: without it they stay as large as they were. */
PART void tm_reindex(struct call_tree *);

/* Free indexes that were replaced, when nobody looks up without the lock. */
PART void tm_free_replaced(struct call_tree *);

PART size_t tm_size_of_indexes(const struct call_tree *);

/* NULL, or what is wrong; for a tree whose nodes and contexts are sound. */
PART const char *tm_check_indexes(const struct call_tree *);

#endif  /* !TRACEMALLOC_NODE_INDEX_H */
