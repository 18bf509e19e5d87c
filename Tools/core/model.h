/* A store of everything the core has, and beside it a model of the plainest
   kind: arrays, searched from front to back, that are copied whole where the
   core is clever.  Random operations run on both, and must agree.

   With allocations that fail (check.h) an operation must say so, and leave
   both as they were.  One world per process, which is one per test. */

#ifndef CORE_MODEL_H
#define CORE_MODEL_H

#include <stddef.h>

struct world_limits {
    size_t codes, nodes, contexts, blocks;
};

/* 0, or -1 when out of memory. */
extern int world_begin(const struct world_limits *limits);

/* One random operation.  0, or -1 when the world ended for want of memory. */
extern int world_step(void);

/* All checkers, and everything in the core against the model. */
extern void world_compare(void);

extern void world_end(void);

#endif  /* !CORE_MODEL_H */
