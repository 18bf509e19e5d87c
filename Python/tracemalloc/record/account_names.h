/* Names of accounts in a record. */

#ifndef TRACEMALLOC_RECORD_ACCOUNT_NAMES_H
#define TRACEMALLOC_RECORD_ACCOUNT_NAMES_H

#include "tables.h"

/* Names are never taken back, and accounts are numbered as they come, so the
   table of accounts only grows: copied (tm_copy_account_names, with the store
   lock) and written (tm_write_account_names) like the other tables.

   0 <= ncopied: that many accounts are in the file or in `fresh`, the latter
   the last ones.  Both begin anew with the tables of the file. */
struct record_account_names {
    uint32_t ncopied;
    uint32_t generation;        /* of the file that has them */
    int full;                   /* later ones have no room */
    struct record_list fresh;   /* struct fresh_account */
    struct record_list bytes;   /* their texts */
};

/* Copy names that are new, none of which is an error; after tm_copy_tables().
   1 if there are more. */
PART int tm_copy_account_names(struct record_account_names *,
                               const struct record_tables *,
                               const struct name_table *accounts);

/* Write what was copied, as far as there is room; after tm_write_tables().
   0, or -1: then the next copy begins anew. */
PART int tm_write_account_names(struct record_account_names *,
                                struct record_tables *, struct page_file *);

PART void tm_free_account_names(struct record_account_names *);

#endif  /* !TRACEMALLOC_RECORD_ACCOUNT_NAMES_H */
