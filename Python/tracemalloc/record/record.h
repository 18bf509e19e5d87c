/* The record: what others may read of this process, also when it is gone; see
   record.c. */

#ifndef TRACEMALLOC_RECORD_H
#define TRACEMALLOC_RECORD_H

#include "../state.h"
#include "format.h"

/* What is asked for: a file or a folder, or "" for the private folder. */
struct record_options {
    const char *place;          /* NULL: no record */
    uint64_t size;              /* bytes */
};

/* All that follow but the last three need the GIL, if there is one, and the
   control lock, which the users of this unit take, in control.c. */

/* Make the record's file and the helper that writes it, before tracing starts
   or while it is on: 0, or -1 with a text in *fault that stays until the next
   call. */
PART int tm_begin_record(const struct record_options *, int nframe,
                         uint64_t interval, const char **fault);

/* Write for the last time, if there is a record and tracing is on. */
PART void tm_end_record(enum record_state);

PART int tm_has_record(void);

/* Collect what a record tells of the process, before tm_begin_record(). */
PART void tm_prepare_record(void);

/* The options ask for a record: let the processes that this one will start
   know its family.  Before Python copies the environment. */
PART void tm_tell_family(void);

/* Whether no other process with a record has started this one, as far as
   tm_prepare_record() found. */
PART int tm_is_first_of_family(void);

/* The record's path, or NULL if there is none. */
PART const char *tm_record_path(char *path, size_t room);
extern const char *_PyTraceMalloc_RecordPath(char *path, size_t room);

/* Write it now, for tests: 0; 1 if there is more to be written by the next
   call; or -1 with errno. */
PART int tm_write_record(void);
extern int _PyTraceMalloc_WriteRecord(void);

/* The place in the options; options.c. */
PART const char *tm_record_option(void);

/* Traces were cleared: what was at the peak is no more. */
PART void tm_clear_record_lock_held(void);

/* Copy for the helper, which waits for it.  Called by who begins to use the
   store while `record_wanted`; needs access and the store lock. */
PART void tm_serve_record_lock_held(void);

/* Traced memory has reached `record_limit`: write at once.  Called inside of
   allocations, by who has access or not; without the store lock if that is
   ACCESS_GIL.  `last`: the caller is done with the store, but for letting go
   of it, so that others may have the lock meanwhile. */
extern void _PyTraceMalloc_GrowRecord(enum access access, int last);

/* In the child of a fork, which has no helper, and does not own the file. */
PART void tm_fork_record(void);

static inline void
tm_watch_record(enum access access)
{
    if (_PyTraceMalloc_State.bytes.peak
        >= _PyTraceMalloc_State.record_limit)
    {
        _PyTraceMalloc_GrowRecord(access, 0);
    }
}


/* The same for who is done with the store, and has only to let go of it. */
static inline void
tm_watch_record_last(enum access access)
{
    if (_PyTraceMalloc_State.bytes.peak
        >= _PyTraceMalloc_State.record_limit)
    {
        _PyTraceMalloc_GrowRecord(access, 1);
    }
}

#endif  /* !TRACEMALLOC_RECORD_H */
