/* Reclaim: take away contexts and nodes that nobody needs any more.

   A program that makes code objects, or calls through ever new chains, for
   months would otherwise fill the tree.  What is needed:

       a context   with live blocks, now or at the peak
       a context or node in the cache of a thread (the caller's roots)
       a node      of a context that is needed, or above one that is

   In the mild form only contexts of dead code go: they cannot come back, so
   nothing is lost but their history, whose sum is kept.  The first reclaim
   takes those of live code as well that have no counters: most are of modules
   that were imported, and their history is short.  When there are many, those
   of live code go that hold nothing, but only if two thirds of all hold
   nothing: they may come again, and then have to be made again.  If most did,
   there may be more the next time.  Names go with the last code object that
   has them.

   Time: proportional to the nodes; 1 byte each of memory meanwhile, 4 more
   when contexts of live code go, and 4 more if there are accounts. */

#ifndef TRACEMALLOC_RECLAIM_H
#define TRACEMALLOC_RECLAIM_H

#include "code_table.h"
#include "counting.h"

/* So many contexts, or nodes, call for a reclaim at first, so many of both
   together for one that takes contexts of live code too, at first and at most,
   and so many bytes kept of dead code. */
#ifdef Py_TRACEMALLOC_STRESS
#  define RECLAIM_CONTEXTS 256
#  define RECLAIM_NODES 256
#  define RECLAIM_ALL 4096
#  define RECLAIM_ALL_MOST 16384
#  define RECLAIM_RETIRED 1024
#else
#  define RECLAIM_CONTEXTS ((size_t)1 << 14)
#  define RECLAIM_NODES ((size_t)1 << 16)
#  define RECLAIM_ALL ((size_t)1 << 18)
#  define RECLAIM_ALL_MOST ((size_t)1 << 20)
#  define RECLAIM_RETIRED ((size_t)1 << 22)
#endif

/* Contexts that hold nothing go if their code is dead; or if it is, or they
   have no counters; or all of them, if these are most, and else those of dead
   code; or all of them. */
enum reclaim_reach { REACH_DEAD, REACH_SMALL, REACH_MOST, REACH_ALL };

/* What calls for the next reclaim: nodes that were added, or nodes that could
   not be, for want of numbers or of memory; in either case the more of these,
   the less the last reclaim was worth.  Store lock. */
struct reclaim_pace {
    size_t contexts;            /* so many of them */
    size_t nodes;
    size_t all;                 /* so many of both for those of live code */
    size_t retired;             /* so many bytes of dead code */
    size_t misses;              /* nodes and codes that were wanted since the
                                   last one, and that there was no number or
                                   no memory for */
    size_t patience;            /* so many misses */
    size_t held;                /* half of what was traced then, and at the
                                   peak: much less calls for one as well, if
                                   there are misses */
    int first;                  /* there was no reclaim yet */
};

/* What became of a reclaim. */
struct reclaimed_nodes {
    long taken;                 /* nodes and contexts; -1: out of memory,
                                   nothing changed */
    size_t contexts;            /* of those left, as many as were needed, */
    size_t nodes;               /*     as far as that was asked */
};

/* That of one that had no memory. */
static inline struct reclaimed_nodes
tm_nothing_reclaimed(const struct call_tree *tree)
{
    return (struct reclaimed_nodes){
        .taken = -1,
        .contexts = tree->contexts.live,
        .nodes = tree->nodes.live,
    };
}

/* No reclaim has been yet. */
PART void tm_begin_pace(struct reclaim_pace *);

/* After a reclaim. */
PART void tm_set_pace(struct reclaim_pace *, const struct call_tree *,
                      const struct code_table *,
                      const struct traced_bytes *,
                      const struct reclaimed_nodes *);

/* Whether it is time for a reclaim: after a node was added (due), and after
   none could be (miss), without looking at the bytes if those are NULL. */
static inline int
tm_pace_is_due(const struct reclaim_pace *pace, const struct call_tree *tree)
{
    return tree->contexts.live >= pace->contexts
           || tree->nodes.live >= pace->nodes;
}

PART int tm_count_miss(struct reclaim_pace *, const struct traced_bytes *);

/* Before the next reclaim: what the contexts that were added since the last
   one say of what was taken. */
PART void tm_judge_reclaims(struct reclaim_pace *, struct call_tree *);

/* What the next reclaim is to take. */
PART enum reclaim_reach tm_pace_reach(const struct reclaim_pace *,
                                      const struct call_tree *,
                                      const struct code_table *);

/* What must stay though no live block names it. */
struct reclaim_roots {
    unsigned char *contexts;    /* by context_id: not 0 to keep */
    unsigned char *nodes;       /* by node_id */
};

/* Take away contexts without live blocks, now and at the peak, that are within
   reach, then nodes without contexts.  The caller has marked the roots, in
   arrays of `used` bytes each, which serve for more marks. */
PART struct reclaimed_nodes tm_reclaim(struct call_tree *,
                                       struct code_table *,
                                       const struct traced_bytes *,
                                       struct reclaim_roots *,
                                       enum reclaim_reach);

#endif  /* !TRACEMALLOC_RECLAIM_H */
