/* Where a record is: its folder, its name, and making the file. */

#ifndef TRACEMALLOC_RECORD_PLACE_H
#define TRACEMALLOC_RECORD_PLACE_H

#include "format.h"

#include <limits.h>               // PATH_MAX

#ifndef PATH_MAX
#  define PATH_MAX 4096
#endif
#define RECORD_NAME_ROOM 128
#define RECORD_FAULT_ROOM 512

/* A record that is made, or is there. */
struct record_file_place {
    int folder_fd;              /* -1: none */
    int making_fd;              /* of a file that is being made; -1: none */
    char folder[PATH_MAX];      /* absolute; "": not looked for yet */
    int is_private;             /* nobody else may look into it */
    char given[RECORD_NAME_ROOM];       /* the name of a file, or "" */
    char name[RECORD_NAME_ROOM];        /* of the record; "": not yet */
    char temporary[RECORD_NAME_ROOM];   /* while it is made */
    int locked;
    char fault[RECORD_FAULT_ROOM];      /* what is wrong, one line */
};

/* What to make, and where. */
struct record_wish {
    const char *program;        /* for the file's name */
    uint64_t size;              /* of the file, in bytes */
    int only_one;               /* `place` is free for this process: it is the
                                   first of its family */
};

/* Look for the folder, and for the name if it is given: 0, or -1 with `fault`.
   Once for all records that are of this place. */
PART int tm_find_place(struct record_file_place *, const char *place);

/* Make a file without a name that others would find, readable and writable by
   its owner only, with its space taken: a descriptor, or -1 with `fault`. */
PART int tm_make_record(struct record_file_place *,
                        const struct record_wish *);

/* Give it its name, when it can be read: 0, or -1 with `fault`, and it is
   gone.  Another record is replaced if it is of this process, or if it is in
   the way of a place that was given as a file and its writer is gone. */
PART int tm_name_record(struct record_file_place *,
                        const struct record_wish *);

/* Take away what tm_make_record() has made. */
PART void tm_drop_record(struct record_file_place *);

/* Let a text be one that does not control terminals. */
PART void tm_make_printable(char *text);

/* In a forked child: close what the parent had open to make its record. */
PART void tm_forget_making(struct record_file_place *);

/* Let a descriptor have a number that no program uses, if that can be. */
PART int tm_raise_descriptor(int fd);

/* Open a record of this name again, whose descriptor has been closed, and take
   its lock: a descriptor, or -1 if that is another file. */
PART int tm_reopen_record(struct record_file_place *, uint64_t device,
                          uint64_t inode);

#endif  /* !TRACEMALLOC_RECORD_PLACE_H */
