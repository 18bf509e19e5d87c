/* What the parts of the record share: checkpoint.c, helper.c, record.c. */

#ifndef TRACEMALLOC_RECORDER_H
#define TRACEMALLOC_RECORDER_H

#include "about.h"
#include "account_names.h"
#include "place.h"
#include "record.h"
#include "tables.h"

#include <pthread.h>

#define MOST_MOMENTS 1024

/* The name of a thread, as it was copied and as the file has it. */
struct record_thread_name {
    uint32_t kind;
    uint32_t length;            /* characters */
    uint32_t number;            /* in the table of names, or 0 */
    uint32_t generation;        /* of the file when it was written */
    unsigned char text[256];
};

/* The record of this process.

   States:

       none    no file                     `file.fd` is -1, `wanted_by` 0
       on      a file, and a helper        `owner` is this process
       orphan  the parent's, after a fork  no file yet, and no helper either
                                           before Python knows of the fork

   Who works on it is `busy`, one thread at a time; all below `busy` is that
   thread's.  The helper waits for it, those who allocate do not. */
struct recorder {
    int on;                     /* control lock, or the only thread; atomic */
    int orphan;                 /* the same */
    pid_t owner;                /* fixed while on */
    pthread_t helper;           /* control lock */
    int has_helper;             /* control lock */

    pthread_mutex_t lock;       /* a leaf; for the next five */
    pthread_cond_t wake;
    int busy;
    int served;                 /* the helper has the copy it waits for */
    int hurry;                  /* the helper is not to wait for its time */
    uint64_t due;               /* when it is not to wait any more, or 0 */
    int quit;

    /* the store lock: of the last copy */
    size_t copied_bytes;        /* traced, as `record_limit` */
    uint64_t copied_at;         /* steady time */
    uint64_t copied_for;        /* what a checkpoint takes, nanoseconds */

    /* busy */
    struct about_process about;
    struct record_file_place place;
    struct record_wish wish;
    struct page_file file;
    struct resident_file resident;
    struct record_tables tables;
    struct record_checkpoint checkpoint;
    struct record_thread threads[THREAD_SLOTS];
    struct record_thread_name names[THREAD_SLOTS];
    struct record_account_names accounts;
    struct record_moment timeline[MOST_MOMENTS];
    size_t nmoments;
    uint64_t moment_step;       /* nanoseconds between two, at least */
    int in_memory;              /* the file is not on a disk */
    uint64_t pause;             /* of the last copy, nanoseconds */
    uint64_t effort;            /* of the last write, nanoseconds */
    uint64_t written;           /* by it, bytes */
    int headless;               /* the head is to be written again */
    int gone;                   /* the file has been removed, or is another
                                   process's: write no more */
};

static struct recorder recorder = {
    .file.fd = -1,
    .resident.fd = -1,
    .place.folder_fd = -1,
    .place.making_fd = -1,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .wake = PTHREAD_COND_INITIALIZER,
};

/* --- checkpoint.c: by who is busy */

/* Copy what is to be written.  Needs access and the store lock. */
PART void tm_copy_checkpoint_lock_held(void);

/* From which peak on the record is too old.  Needs access and the store
   lock. */
PART void tm_set_record_limit_lock_held(void);

/* That has been reached: whether a checkpoint now would take too much of the
   time.  If so, the record may grow older, and the result is when it is to be
   written; else 0.  Needs access and the store lock. */
PART uint64_t tm_put_off_growth_lock_held(void);

/* Write what was copied: 0, or -1, and the next one begins anew. */
PART int tm_write_checkpoint(enum record_state);

/* Make the file, with an empty checkpoint: 0, or -1 and place.fault. */
PART int tm_make_file(void);

/* Close it, and free what was to be written into it. */
PART void tm_forget_file(void);

/* --- helper.c */

/* 0, or an error number. */
PART int tm_begin_helper(void);
PART void tm_end_helper(void);

/* Have the helper make a checkpoint at once, or at that time at the latest. */
PART void tm_hurry_helper(void);
PART void tm_wake_helper(uint64_t due);

/* Become busy: 1, or 0 if another thread is. */
PART int tm_take_recorder(void);
PART void tm_leave_recorder(void);

#endif  /* !TRACEMALLOC_RECORDER_H */
