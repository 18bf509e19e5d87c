/* A file of pages, in which nothing is changed that somebody may read. */

#ifndef TRACEMALLOC_RECORD_PAGES_H
#define TRACEMALLOC_RECORD_PAGES_H

#include "../core.h"
#include "format.h"

/* Memory from the system, all zeros at first: no thread needs a heap of its
   own for it. */
struct mapped {
    void *data;
    size_t size;                /* bytes */
};

/* Room for so many bytes, what is there kept: 0, or -1 without memory, and
   then nothing has changed. */
PART int tm_reserve_mapped(struct mapped *, size_t size);
PART void tm_free_mapped(struct mapped *);

/* The CRC-32 of zlib. */
PART uint32_t tm_crc32(const void *data, size_t size);

/* The tables of a record.  Those that only grow (tm_append_table) keep their
   last page here, the others (tm_replace_table) all that is in the file, to
   see what has changed.

   States of a page:

       free -> new -> committed -> dying -> free
                `-> free              `--------> committed, if that fails

   A page is written when it is free and becomes new; those that the newest
   checkpoint in the file refers to are committed or dying, and are not
   touched.  So whoever reads that checkpoint finds all of it, and so does who
   comes after the writer was killed, at whatever moment.

   Invariants
     R1  committed and dying pages are those of the newest checkpoint
     R2  each page of a table is new or committed, and in no other place
     R3  `nfree` pages are free, none of them before `next`

   The first free page is taken, so that what is in use lies together, and what
   is new can be written many pages at once. */
struct page_table {
    uint64_t length;            /* bytes */
    uint32_t npages;
    struct mapped places;       /* struct record_place, in native order */
    struct mapped image;        /* what the pages have; not of those that only
                                   grow */
    unsigned char tail[RECORD_PAGE];
    int tail_changed;
};

struct page_file {
    int fd;                     /* -1: none */
    uint64_t device;            /* the file that this was, and is to be */
    uint64_t inode;
    uint32_t npages;
    uint32_t nfree;
    uint32_t next;              /* none is free before that */
    int changed;                /* pages were written since the commit */
    struct mapped states;       /* a byte for each page */
    uint64_t sequence;          /* of the newest checkpoint */
    uint64_t bytes_written;
    uint32_t generation;
    int error;                  /* of the last attempt, or 0 */
    struct page_table tables[RECORD_TABLES];
    struct page_table lists;    /* where the pages of all tables are */
    struct mapped draft;        /* of the lists */
    struct mapped gathered;     /* new pages that are not in the file yet */
    uint32_t first_gathered;
    uint32_t ngathered;
};

/* Begin with an open file of so many bytes, none of whose pages are in use:
   0, or -1 without memory.  It becomes the record's. */
PART int tm_open_pages(struct page_file *, int fd, uint64_t size);

/* Forget the file without writing; closes it. */
PART void tm_close_pages(struct page_file *);

/* Whether a descriptor still is that of the file.  Daemons close all that are
   open, and a file of the program's own may have that number then. */
PART int tm_is_file(int fd, uint64_t device, uint64_t inode);
PART int tm_has_pages(const struct page_file *);

/* Close the descriptor, or forget it if it is another file's. */
PART void tm_drop_pages(struct page_file *);

/* What follows returns 0, or -1 with `error` set: then call
   tm_restart_pages(). */
PART int tm_append_table(struct page_file *, int table, const void *,
                         size_t size);
PART int tm_replace_table(struct page_file *, int table, const void *,
                          size_t size);

/* Let what the tables have become the newest checkpoint.  The numbers of
   `about` are in native order. */
PART int tm_commit_pages(struct page_file *,
                         const struct record_checkpoint *about);

/* Begin all tables anew.  What is in the file stays until the next commit. */
PART void tm_restart_pages(struct page_file *);

/* Give the space behind the last page in use back; nothing can be written any
   more. */
PART void tm_trim_pages(struct page_file *);

/* How many pages will be free when all is committed, that are not now. */
PART uint32_t tm_dying_pages(const struct page_file *);

#endif  /* !TRACEMALLOC_RECORD_PAGES_H */
