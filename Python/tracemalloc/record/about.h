/* What a record tells of its process. */

#ifndef TRACEMALLOC_RECORD_ABOUT_H
#define TRACEMALLOC_RECORD_ABOUT_H

#include "pages.h"

/* The head of a record, as a page.  All that is the same for a process and
   those that it forks is collected once; the rest is filled in for each. */
struct about_process {
    char command[2048];         /* arguments, each with a zero behind */
    size_t command_size;
    char program[64];           /* for names of files */
    unsigned char family[16];
    int is_first;               /* of its family */
    uint32_t session;
    uint32_t limit;
    uint64_t interval;
};

/* Fill a page for a file of so many bytes. */
PART void tm_fill_head(const struct about_process *, uint64_t size,
                       int locked, unsigned char page[RECORD_PAGE]);

/* Make a name fit for files: letters, digits, '.', '_' and '-'. */
PART void tm_set_program(struct about_process *, const char *name);

PART uint64_t tm_unix_time(void);
PART uint64_t tm_steady_time(void);

/* Where the system tells what is resident.  It stays open: who opened it each
   time would take low numbers of descriptors, for moments in which the program
   wants just those. */
struct resident_file {
    int fd;                     /* -1: not open */
    pid_t owner;                /* the process that it tells of */
    uint64_t device;            /* the file that this was, and is to be */
    uint64_t inode;
};

/* Resident bytes of this process, or 0. */
PART uint64_t tm_resident_bytes(struct resident_file *);
PART void tm_close_resident(struct resident_file *);

/* Read a small file; how many bytes, 0 if that is not possible. */
PART size_t tm_read_small(const char *path, char *to, size_t room);

#endif  /* !TRACEMALLOC_RECORD_ABOUT_H */
