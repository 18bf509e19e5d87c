/* A reader of records that shares nothing with the writer but the layout. */

#ifndef CORE_RECORD_READER_H
#define CORE_RECORD_READER_H

#include "record/format.h"

struct record_picture {
    struct record_checkpoint about;
    unsigned char *tables[RECORD_TABLES];
    uint64_t lengths[RECORD_TABLES];
};

enum record_reading {
    READ_NOTHING,               /* no checkpoint yet */
    READ_TORN,                  /* a page is another one by now */
    READ_WHOLE,
};

/* Read the newest checkpoint of a file; free it if it is whole. */
extern enum record_reading record_read(int fd, struct record_picture *);
extern void record_free(struct record_picture *);

/* Sums over all contexts of a picture, peaks included. */
struct record_totals {
    uint64_t contexts;
    uint64_t bytes;
    uint64_t blocks;
    uint64_t peak_bytes;
    uint64_t peak_blocks;
};

/* The counts of the context with a number, from 1. */
extern struct record_counters record_counts_of(const struct record_picture *,
                                               uint64_t number);
extern struct record_totals record_add_up(const struct record_picture *);

/* A file without a name, of so many bytes; tests end if there is none. */
extern int record_file(uint64_t size);

#endif  /* !CORE_RECORD_READER_H */
