/* Contexts with their counts, and a record of them. */

#ifndef CORE_RECORD_WORLD_H
#define CORE_RECORD_WORLD_H

#include "check.h"
#include "record/tables.h"
#include "record_reader.h"

struct record_world {
    struct code_table codes;
    struct call_tree tree;
    struct traced_bytes bytes;
    struct record_tables tables;
    struct page_file file;
    node_id nodes[200];
    uint32_t nnodes;
};

/* Begin with an empty store, and a file of so many bytes. */
extern void record_world_begin(struct record_world *, uint64_t size);
extern void record_world_end(struct record_world *);

/* A context that is new, of a caller at random; the number tells it apart. */
extern context_id record_world_add(struct record_world *, uint32_t number);

/* Copy and write: 0, or -1. */
extern int record_world_write(struct record_world *);

/* Compare the totals in a picture with the sums over its contexts. */
extern void record_check(const struct record_picture *);

#endif  /* !CORE_RECORD_WORLD_H */
