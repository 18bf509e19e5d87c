/* Tables of a record: contexts and their counts, copied and given numbers of
   the file. */

#ifndef TRACEMALLOC_RECORD_TABLES_H
#define TRACEMALLOC_RECORD_TABLES_H

#include "../sampler/sampler.h"
#include "../store/code_table.h"
#include "../store/counting.h"
#include "pages.h"

/* What there was no room for, and the sums over all contexts. */
struct record_sums {
    uint64_t contexts;
    uint64_t bytes;
    uint64_t blocks;
    uint64_t peak_bytes;
    uint64_t peak_blocks;
};

/* What is copied from the store.  Its fields need no access. */
struct record_source {
    const struct code_table *codes;
    const struct call_tree *tree;
    const struct traced_bytes *bytes;
    const struct sampler *sampler;      /* NULL: every block is noted */
    context_id hidden;                  /* left out */
};

/* A list of items of one kind. */
struct record_list {
    struct mapped items;
    size_t n;
};

/* Copying (tm_copy_tables, with access) is apart from writing
   (tm_write_tables), which needs nothing but the copy:

       store --copy--> `few`, `counters`: of contexts that have a number
                       `fresh...`: what is new, with all that it needs
             --write-> numbers, tables, pages

   Numbers are given in order of writing, callers before those they call, and
   stay until numbers of the store change their meaning (its generation).  Then
   all is written anew.  An entry in `..._numbers` is by number of the store:
   0 for what has none, PENDING for what is in the copy. */
struct record_tables {
    struct mapped context_numbers;      /* uint32_t by context_id */
    struct mapped counter_numbers;      /* the same */
    struct mapped node_numbers;         /* by node_id */
    struct mapped code_numbers;         /* by code_id */
    struct mapped name_numbers;         /* by name_id */
    struct mapped code_copies;          /* by code_id: place in fresh_codes,
                                           if that is of this code */
    uint32_t ncontexts, ncounters, nnodes, ncodes, nnames;
    uint32_t most_counters;     /* so many have room */
    size_t most_characters;     /* of a name; 0: not known yet */
    int full;                   /* contexts that come are lost */
    int waiting;                /* more contexts are new than were copied */
    int renew;                  /* begin all tables anew */
    int broken;                 /* the last copy failed: nothing is written */
    uint32_t generation;        /* of the call tree */
    struct mapped few;          /* struct record_few by number - 1 */
    struct mapped counters;     /* struct record_counters by number - 1 */
    struct record_list fresh_contexts, fresh_nodes, fresh_codes, fresh_names;
    struct record_list bytes;   /* texts of names and location tables */
    struct record_list located; /* struct location by instruction, of codes */
    uint32_t located_round;     /* how often that was begun anew */
    struct mapped scratch;
    struct record_sums sums;    /* of all contexts, from the copy */
    struct record_sums lost;
};

/* Copy what has changed: 0, or -1 without memory.  Needs access and the store
   lock; changes nothing of the store. */
PART int tm_copy_tables(struct record_tables *, const struct record_source *);

/* Write what was copied; once after each copy.  0, or -1: then the next copy
   begins anew. */
PART int tm_write_tables(struct record_tables *, struct page_file *);

/* Let the next copy begin anew. */
PART void tm_renew_tables(struct record_tables *);
PART void tm_free_tables(struct record_tables *);

/* Whether so many bytes more may be written for good. */
PART int tm_has_room(const struct record_tables *, const struct page_file *,
                     size_t more);

/* One more item at the end of a list, or NULL. */
PART void *tm_add_item(struct record_list *, size_t item_size);

/* Copy bytes to the end of a list of bytes: where they begin, or -1. */
PART int tm_add_bytes(struct record_list *, const void *, size_t size,
                      size_t *at);

/* Forget all items, and give back memory that is much more than they took. */
PART void tm_shrink_list(struct record_list *, size_t item_size);

/* Append a name of so many characters of `kind` bytes to the table of names:
   its number, or 0. */
PART uint32_t tm_write_name(struct record_tables *, struct page_file *,
                            uint32_t kind, const void *text, size_t length);

#endif  /* !TRACEMALLOC_RECORD_TABLES_H */
