/* The model's parts, for each other: see model.h for what it is. */

#ifndef CORE_MODEL_PARTS_H
#define CORE_MODEL_PARTS_H

#include "check.h"
#include "model.h"

#include <string.h>

/* --- the core's side ----------------------------------------------------- */

extern struct code_table codes;
extern struct call_tree tree;
extern struct block_table table;
extern struct shadow shadow;             /* of the table */
extern struct cell_store cells;
extern struct traced_bytes bytes;


/* --- the model's side ---------------------------------------------------- */

struct m_name {                 /* by name_id */
    int used;
    uint32_t kind;
    size_t length;
    unsigned char *text;
};

struct m_code {                 /* by code_id */
    enum { UNUSED, LIVE, RETIRED } state;
    void *owner;
    name_id file, function;
    const unsigned char *locations;     /* some of the bytes of `noise` */
    uint32_t nlocations;
    uint32_t nunits;
    int32_t *lines;             /* one more than nunits */
};

struct m_node {                 /* by node_id */
    int used;
    node_id parent;
    code_id code;
    int32_t line;
};

struct m_context {              /* by context_id */
    int used;
    node_id node;
    code_id code;
    uint32_t unit, domain;
    int32_t line;
    uint64_t allocated_blocks, allocated_bytes;
    uint64_t live_blocks, live_bytes;
    uint64_t peak_blocks, peak_bytes;
};

#define NO_ROW SIZE_MAX

struct m_block {
    uint32_t domain;
    uintptr_t address;
    size_t size;
    context_id context;
    size_t row;                 /* NO_ROW: in the table */
    unsigned cell;
};

struct m_row {
    struct cell_row *cells;     /* NULL: free */
    uintptr_t pool;
    unsigned size_class, ncells, nused;
    unsigned char taken[1024];
};

struct m_copy {
    int used, whole;
    struct snapshot snapshot;   /* if `whole` */
    struct trace_copy trace;    /* of one block, otherwise */
    uint64_t *digests;          /* by number of the context */
    size_t n;
    size_t bytes;
};

enum { NROWS = 60, NCOPIES = 3, POOL_HEADER = 48 };

struct model {
    struct world_limits limits;
    struct m_name *names;
    size_t nnames;              /* number 0 included, as below */
    struct m_code *codes;
    size_t ncodes;
    struct m_node *nodes;
    size_t nnodes, nodes_live;
    struct m_context *contexts;
    size_t ncontexts, contexts_live;
    struct m_block *blocks;
    size_t nblocks;
    struct m_row rows[NROWS];
    struct m_copy copies[NCOPIES];
    uint64_t current, peak;
    uint64_t reclaimed_blocks, reclaimed_bytes;
    uintptr_t owners;           /* given so far */
    unsigned bias;              /* how likely it is to add, of 100 */
    size_t steps, failures;
};

extern struct model m;


/* --- model.c ------------------------------------------------------------- */

/* Entries [*n, wanted) of an array are new and zero. */
extern void *array_extend(void *array, size_t *n, size_t wanted, size_t size);

#define EXTEND(array, n, wanted) \
    ((array) = array_extend((array), &(n), (wanted), sizeof((array)[0])))

/* Whether an allocation was made to fail since the last call_begin(). */
extern void call_begin(void);
extern int call_lacked_memory(void);

/* A random entry for which `test` holds, or 0. */
extern uint32_t pick(size_t n, int (*test)(uint32_t));
extern int code_is_live(uint32_t id);
extern int node_is_used(uint32_t id);
extern int context_is_used(uint32_t id);


/* --- model_nodes.c ------------------------------------------------------- */

extern void step_add_code(void);
extern void step_retire_code(void);
extern void step_add_node(void);

/* A context of a domain, often one that is there already. */
extern context_id context_random(uint32_t domain);


/* --- model_blocks.c ------------------------------------------------------ */

extern void both_count_alloc(context_id id, size_t size);
extern void both_count_free(context_id id, size_t size);
extern void both_uncount_free(context_id id, size_t size);
extern void step_reset_peak(void);
extern uint32_t domain_random(void);
extern void step_add_block(void);
extern void step_add_cell(void);
extern void step_free(void);
extern void step_free_missing(void);
extern void step_move(void);
extern void step_free_row(void);


/* --- model_copies.c ------------------------------------------------------ */

extern void copy_drop(struct m_copy *copy);
extern void step_copy(void);


/* --- model_reclaim.c ----------------------------------------------------- */

extern void step_reclaim(void);
extern void model_clear(void);

/* 0, or -1 when the world ended for want of memory. */
extern int step_clear(void);


/* --- model_compare.c ----------------------------------------------------- */

extern void compare_codes(void);
extern void compare_contexts(void);
extern void compare_blocks(void);
extern void compare_sizes(void);

#endif  /* !CORE_MODEL_PARTS_H */
