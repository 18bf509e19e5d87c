/* Checkpoints: what a record gets, every second or so, and when memory grows.

   Called by helper.c and record.c, by one thread at a time (`busy`); calls
   tables.c and pages.c.

       store --tm_copy_checkpoint--> recorder --tm_write_checkpoint--> file

   Copying needs access, and is all that others wait for; writing needs no
   lock, no GIL and nothing of the store.  No Python object is touched, and no
   memory is taken but from the system. */

#include "Python.h"
#include "../access.h"
#include "../figures.h"
#include "../own.h"
#include "recorder.h"

#include <errno.h>
#include <sys/resource.h>         // getrlimit()
#include <sys/stat.h>
#ifdef __linux__
#  include <sys/vfs.h>            // fstatfs()
#endif

#define S (&_PyTraceMalloc_State)
#define R (&recorder)

/* A record of memory that grows is as fresh as this: a 16th, and so much.  If
   checkpoints take so many nanoseconds, and would take that share of the time,
   memory may grow by half. */
#define GROWTH_SHIFT 4
#define LEAST_GROWTH ((size_t)1 << 20)
#define LONG 2000000
#define GROWING_PER_TIME 50
#define MOST_GROWTH_SHIFT 1


/* --- copying ------------------------------------------------------------- */

static void
thread_copy(uint32_t number)
{
    const struct thread_slot *slot = &S->threads[number];
    struct record_thread_name *name = &R->names[number];
    R->threads[number] = (struct record_thread){
        .native_id = le64((uint64_t)slot->native_id),
        .ident = le64((uint64_t)slot->ident),
        .interpreter = (int64_t)le64((uint64_t)slot->interpreter),
        .threads = le64(slot->threads),
    };
    size_t length = 0, kind = 1;
    if (slot->name != NULL) {
        kind = slot->name->kind;
        length = Py_MIN(slot->name->length, sizeof(name->text) / kind);
    }
    if (name->length == length && name->kind == kind
        && (length == 0
            || memcmp(name->text, slot->name->text, length * kind) == 0))
    {
        return;
    }
    name->kind = (uint32_t)kind;
    name->length = (uint32_t)length;
    name->number = 0;
    if (length != 0) {
        memcpy(name->text, slot->name->text, length * kind);
    }
}


/* From which value of the peak on the record is to be written at once, since
   what it tells would be too old.  The bytes that samples stand for have bits
   behind the point. */
static size_t
grown(size_t bytes)
{
    size_t step = LEAST_GROWTH
                  << (tm_is_sampling() ? S->sampler.bytes_shift : 0);
    return bytes + Py_MAX(step, bytes >> GROWTH_SHIFT);
}


PART void
tm_set_record_limit_lock_held(void)
{
    size_t limit = grown(tm_bytes_current(&S->bytes));
    S->record_limit = Py_MAX(limit, S->bytes.peak + 1);
}


PART uint64_t
tm_put_off_growth_lock_held(void)
{
    uint64_t due = R->copied_at + R->copied_for * GROWING_PER_TIME;
    size_t most = R->copied_bytes + (R->copied_bytes >> MOST_GROWTH_SHIFT);
    if (R->copied_for < LONG || S->bytes.peak >= most
        || tm_steady_time() >= due)
    {
        return 0;
    }
    S->record_limit = Py_MIN(grown(S->bytes.peak), most);
    return due;
}


PART void
tm_copy_checkpoint_lock_held(void)
{
    uint64_t begun = tm_steady_time();
    struct record_source from = {
        .codes = &S->codes,
        .tree = &S->tree,
        .bytes = &S->bytes,
        .sampler = tm_is_sampling() ? &S->sampler : NULL,
        .hidden = CONTEXT_OWN,
    };
    size_t current, peak;
    tm_program_bytes(&current, &peak);
    /* If it fails, nothing is written: what is in the file stays. */
    (void)tm_copy_tables(&R->tables, &from);
    if (tm_copy_account_names(&R->accounts, &R->tables, S->accounts)) {
        R->tables.waiting = 1;
    }
    for (uint32_t i = 0; i < THREAD_SLOTS; i++) {
        thread_copy(i);
    }
    R->checkpoint = (struct record_checkpoint){
        .current = current,
        .peak = peak,
        .blocks = R->tables.sums.blocks,
        .dropped = S->dropped,
        .reclaimed_blocks = tm_sampled_blocks(&S->sampler,
                                              S->tree.reclaimed_blocks),
        .reclaimed_bytes = tm_sampled_bytes(&S->sampler,
                                            S->tree.reclaimed_bytes),
        .tracer_memory = tm_store_size_lock_held(),
        .longest_pause = R->checkpoint.longest_pause,
    };
    tm_set_record_limit_lock_held();
    R->copied_bytes = tm_bytes_current(&S->bytes);
    R->copied_at = tm_steady_time();
    R->pause = R->copied_at - begun;
    /* It will take as long to write it as it took the last time. */
    R->copied_for = R->pause + R->effort;
    R->checkpoint.longest_pause = Py_MAX(R->checkpoint.longest_pause,
                                         R->pause);
}


/* --- writing ------------------------------------------------------------- */

/* Note the moment, if the last one is long enough ago.  When there are too
   many, every other one goes: so they always reach from the first checkpoint
   to the last. */
static void
moment_add(void)
{
    const struct record_checkpoint *now = &R->checkpoint;
    if (R->nmoments > 0 && now->written
        < le64(R->timeline[R->nmoments - 1].time) + R->moment_step)
    {
        /* The newest is always there. */
        R->nmoments -= R->nmoments > 1 && now->written
            < le64(R->timeline[R->nmoments - 2].time) + R->moment_step;
    }
    if (R->nmoments == MOST_MOMENTS) {
        for (size_t i = 0; i < MOST_MOMENTS / 2; i++) {
            R->timeline[i] = R->timeline[2 * i];
        }
        R->nmoments = MOST_MOMENTS / 2;
        R->moment_step = R->moment_step != 0 ? 2 * R->moment_step
                                             : 1000000000;
    }
    R->timeline[R->nmoments++] = (struct record_moment){
        .time = le64(now->written),
        .current = le64(now->current),
        .peak = le64(now->peak),
        .rss = le64(now->rss),
        .blocks = le64(now->blocks),
    };
}


static int
threads_write(void)
{
    for (uint32_t i = 0; i < THREAD_SLOTS; i++) {
        struct record_thread_name *name = &R->names[i];
        if (name->length != 0
            && (name->number == 0
                || name->generation != R->file.generation))
        {
            name->number = tm_write_name(&R->tables, &R->file, name->kind,
                                         name->text, name->length);
            name->generation = R->file.generation;
            if (name->number == 0) {
                return -1;
            }
        }
        R->threads[i].name = le32(name->length != 0 ? name->number : 0);
    }
    return tm_replace_table(&R->file, TABLE_THREADS, R->threads,
                            sizeof(R->threads));
}


/* Whether the file may still be written, and how: what has been removed is
   given up, what others have closed is opened again, and what they have cut
   off is written anew. */
static int
file_is_there(void)
{
    struct stat status;
    if (R->owner == getpid() && !tm_has_pages(&R->file)) {
        int fd = tm_reopen_record(&R->place, R->file.device, R->file.inode);
        R->file.fd = fd >= 0 ? fd : R->file.fd;
    }
    if (R->owner != getpid() || !tm_has_pages(&R->file)
        || fstat(R->file.fd, &status) < 0 || status.st_nlink == 0)
    {
        R->gone = 1;
        return 0;
    }
    uint64_t size = (uint64_t)R->file.npages * RECORD_PAGE;
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < size) {
        /* Trying would send a signal, of which programs may die. */
        R->file.error = EFBIG;
        return 0;
    }
    if ((uint64_t)status.st_size < size || R->headless) {
        unsigned char head[RECORD_PAGE];
        tm_fill_head(&R->about, size, R->place.locked, head);
        /* There may be no room for it, and the size is right then. */
        R->headless = 1;
        if (ftruncate(R->file.fd, (off_t)size) < 0
            || pwrite(R->file.fd, head, RECORD_PAGE, 0)
                != (ssize_t)RECORD_PAGE)
        {
            R->file.error = errno;
            return 0;
        }
        R->headless = 0;
        tm_renew_tables(&R->tables);
        return 0;
    }
    return 1;
}


/* Whether the process as a whole has become larger or smaller. */
static int
rss_has_moved(void)
{
    uint64_t rss = R->checkpoint.rss, last = 0;
    if (R->nmoments > 0) {
        last = le64(R->timeline[R->nmoments - 1].rss);
    }
    uint64_t moved = rss > last ? rss - last : last - rss;
    return moved > Py_MAX(last >> GROWTH_SHIFT, LEAST_GROWTH);
}


static int
checkpoint_write(enum record_state state)
{
    struct record_checkpoint *now = &R->checkpoint;
    if (tm_write_tables(&R->tables, &R->file) < 0 || threads_write() < 0
        || tm_write_account_names(&R->accounts, &R->tables, &R->file) < 0)
    {
        return -1;
    }
    now->lost = R->tables.lost.contexts;
    now->lost_bytes = R->tables.lost.bytes;
    now->lost_blocks = R->tables.lost.blocks;
    now->lost_peak_bytes = R->tables.lost.peak_bytes;
    now->lost_peak_blocks = R->tables.lost.peak_blocks;
    now->rss = tm_resident_bytes(&R->resident);
    now->state = state;
    now->written = tm_unix_time();
    if (!R->file.changed && state == RECORD_RUNNING && !rss_has_moved()) {
        return 0;
    }
    moment_add();
    return tm_replace_table(&R->file, TABLE_TIMELINE, R->timeline,
                            R->nmoments * sizeof(R->timeline[0])) < 0
           || tm_commit_pages(&R->file, now) < 0 ? -1 : 0;
}


PART int
tm_write_checkpoint(enum record_state state)
{
    uint64_t begun = tm_steady_time(), before = R->file.bytes_written;
    int result = -1;
    if (R->gone) {
        return -1;
    }
    if (file_is_there()) {
        if (R->tables.broken) {
            R->file.error = ENOMEM;
        }
        else {
            result = checkpoint_write(state);
        }
    }
    if (result < 0) {
        tm_renew_tables(&R->tables);
    }
    R->effort = tm_steady_time() - begun;
    R->written = R->file.bytes_written - before;
    return result;
}


/* --- making -------------------------------------------------------------- */

static int
file_is_in_memory(int fd)
{
#ifdef __linux__
    struct statfs status;
    if (fstatfs(fd, &status) == 0) {
        /* tmpfs, ramfs, hugetlbfs */
        return (unsigned long)status.f_type == 0x01021994ul
               || (unsigned long)status.f_type == 0x858458f6ul
               || (unsigned long)status.f_type == 0x958458f6ul;
    }
#endif
    return 0;
}


static int
fault_of_error(int error)
{
    snprintf(R->place.fault, sizeof(R->place.fault),
             "the record cannot be written: %.300s: %s", R->place.folder,
             strerror(error));
    tm_make_printable(R->place.fault);
    return -1;
}


PART void
tm_forget_file(void)
{
    tm_close_pages(&R->file);
    tm_close_resident(&R->resident);
    tm_free_tables(&R->tables);
    tm_free_account_names(&R->accounts);
}


PART int
tm_make_file(void)
{
    R->owner = getpid();
    R->gone = R->headless = 0;
    R->nmoments = 0;
    R->moment_step = 0;
    memset(R->names, 0, sizeof(R->names));
    R->checkpoint = (struct record_checkpoint){.current = 0};
    int fd = tm_make_record(&R->place, &R->wish);
    if (fd < 0) {
        return -1;
    }
    unsigned char head[RECORD_PAGE];
    int opened = tm_open_pages(&R->file, fd, R->wish.size);
    R->place.making_fd = -1;
    if (opened < 0) {
        R->file.error = ENOMEM;
    }
    else {
        tm_fill_head(&R->about, R->wish.size, R->place.locked, head);
        R->file.error = pwrite(fd, head, RECORD_PAGE, 0)
                        == (ssize_t)RECORD_PAGE ? 0 : errno;
    }
    tm_renew_tables(&R->tables);
    R->in_memory = file_is_in_memory(fd);
    if (R->file.error != 0
        || tm_write_checkpoint(RECORD_RUNNING) < 0)
    {
        fault_of_error(R->file.error);
        tm_drop_record(&R->place);
    }
    else if (tm_name_record(&R->place, &R->wish) == 0) {
        return 0;
    }
    tm_forget_file();
    return -1;
}
