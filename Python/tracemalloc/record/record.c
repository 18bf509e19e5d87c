/* The record: what others may read of this process, also when it is gone.

   Called by control.c when tracing begins and ends, by the hooks when memory
   grows, by access.c for the helper, and by Python when the process forks or
   ends; calls helper.c and checkpoint.c.

   The tracer's own memory stays its own: what lies in the file is a copy.  A
   child that an extension forks, a file that is truncated, or a disk that is
   slow cannot do harm then.  Doc/design/record.rst has the reasons and what
   was measured.

   A checkpoint is made

       every second or so            by the helper
       when traced memory reaches    by who allocates, at once, before the
       a new maximum that is much    memory is used: a loop in C that never
       higher than the last one      gives the GIL away is how programs are
                                     killed
       at the end                    by who ends tracing or the interpreter */

#include "Python.h"
#include "pycore_initconfig.h"    // PyConfig
#include "pycore_interp.h"        // _PyInterpreterState_GetConfig()
#include "pycore_tracemalloc.h"
#include "../access.h"
#include "recorder.h"

#include <errno.h>
#ifdef HAVE_SYS_RANDOM_H
#  include <sys/random.h>         // getrandom()
#endif

#define S (&_PyTraceMalloc_State)
#define R (&recorder)

/* The family's number, for those that are started. */
#define FAMILY_VARIABLE "PYTHONTRACEMALLOC_FAMILY"


/* The family that this process has begun when it read its options. */
static unsigned char family_told[16];


/* --- what is told of the process ----------------------------------------- */

static int
family_read(unsigned char family[16])
{
    static const char digits[] = "0123456789abcdef";
    const char *text = getenv(FAMILY_VARIABLE);
    if (text == NULL || strlen(text) != 32) {
        return 0;
    }
    for (int i = 0; i < 32; i++) {
        const char *digit = strchr(digits, text[i]);
        if (digit == NULL) {
            return 0;
        }
        family[i / 2] = (unsigned char)(family[i / 2] << 4
                                        | (digit - digits));
    }
    return 1;
}


/* A number that no other family has. */
static void
family_draw(unsigned char family[16])
{
    uint64_t seed[2] = {tm_unix_time(), (uint64_t)getpid()};
#if defined(HAVE_GETRANDOM) && defined(GRND_NONBLOCK)
    if (getrandom(family, 16, GRND_NONBLOCK) == 16) {
        return;
    }
#endif
    seed[0] = tm_mix_bits(seed[0] ^ tm_mix_bits(seed[1]));
    seed[1] = tm_mix_bits(seed[0] + tm_steady_time());
    memcpy(family, seed, 16);
}


PART void
tm_tell_family(void)
{
    unsigned char family[16];
    char text[33];
    if (family_read(family)) {
        return;
    }
    family_draw(family);
    for (int i = 0; i < 16; i++) {
        snprintf(text + 2 * i, 3, "%02x", family[i]);
    }
    if (setenv(FAMILY_VARIABLE, text, 1) == 0) {
        memcpy(family_told, family, sizeof(family_told));
    }
}


static void
family_find(struct about_process *about)
{
    static const unsigned char nobody[16];
    if (!family_read(about->family)) {
        family_draw(about->family);
        about->is_first = 1;
    }
    else {
        about->is_first = memcmp(family_told, nobody, 16) != 0
                          && memcmp(about->family, family_told, 16) == 0;
    }
}


/* The last part of a path, without ".py"; of a package, that of its folder. */
static void
program_of_path(struct about_process *about, const wchar_t *path)
{
    char name[sizeof(about->program)];
    const wchar_t *end = path + wcslen(path);
    if (end - path > 12 && wcscmp(end - 12, L"/__main__.py") == 0) {
        end -= 12;
    }
    else if (end - path > 3 && wcscmp(end - 3, L".py") == 0) {
        end -= 3;
    }
    const wchar_t *begin = end;
    while (begin > path && begin[-1] != L'/') {
        begin--;
    }
    size_t n = 0;
    for (; begin < end && n < sizeof(name) - 1; begin++) {
        name[n++] = *begin < 128 ? (char)*begin : '_';
    }
    name[n] = '\0';
    tm_set_program(about, name);
}


static void
command_find(struct about_process *about)
{
    const PyConfig *config = _PyInterpreterState_GetConfig(
        _PyInterpreterState_Main());
    if (config->run_module != NULL) {
        program_of_path(about, config->run_module);
    }
    else if (config->run_filename != NULL) {
        program_of_path(about, config->run_filename);
    }
    else {
        tm_set_program(about, config->run_command != NULL ? "command"
                                                          : "python");
    }
    about->command_size = tm_read_small("/proc/self/cmdline", about->command,
                                        sizeof(about->command));
    if (about->command_size == sizeof(about->command)) {
        about->command[sizeof(about->command) - 1] = '\0';
    }
}


/* --- begin and end ------------------------------------------------------- */

PART int
tm_is_first_of_family(void)
{
    return R->about.is_first;
}


PART int
tm_has_record(void)
{
    return R->on || R->orphan;
}


PART void
tm_prepare_record(void)
{
    struct about_process *about = &R->about;
    uint32_t session = about->session;
    memset(about, 0, sizeof(*about));
    about->session = session + 1;
    family_find(about);
    command_find(about);
}


static int
record_begin(const struct record_options *options, int nframe,
             uint64_t interval)
{
    R->about.limit = (uint32_t)nframe;
    R->about.interval = interval;
    R->wish = (struct record_wish){
        .program = R->about.program,
        .size = options->size / RECORD_PAGE * RECORD_PAGE,
        .only_one = R->about.is_first,
    };
    if (tm_find_place(&R->place, options->place) < 0 || tm_make_file() < 0) {
        return -1;
    }
    R->on = 1;
    S->record_limit = 0;
    R->copied_bytes = 0;
    int error = tm_begin_helper();
    if (error != 0) {
        snprintf(R->place.fault, sizeof(R->place.fault),
                 "the record cannot be written: no thread: %s",
                 strerror(error));
        tm_end_record(RECORD_STOPPED);
        return -1;
    }
    return 0;
}


PART int
tm_begin_record(const struct record_options *options, int nframe,
                uint64_t interval, const char **fault)
{
    if (tm_has_record()) {
        return 0;
    }
    int result = record_begin(options, nframe, interval);
    *fault = R->place.fault;
    return result;
}


/* Wait until nobody is busy, who has no need of what the caller holds. */
static void
recorder_take(void)
{
    while (!tm_take_recorder()) {
        struct timespec pause = {.tv_nsec = 1000000};
        (void)nanosleep(&pause, NULL);
    }
}


static void
record_forget(void)
{
    tm_forget_file();
    tm_lock();
    S->record_limit = SIZE_MAX;
    S->record_wanted = 0;
    tm_unlock();
    R->on = R->orphan = 0;
}


/* Copy and write for the last time: all contexts that are new, and once more
   from the beginning if that fails. */
static void
record_finish(enum record_state state)
{
    int failures = 0;
    do {
        if (_PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
            return;
        }
        tm_copy_checkpoint_lock_held();
        tm_end_locked();
        failures += tm_write_checkpoint(state) < 0;
    } while (!R->gone && failures < 2
             && (R->tables.waiting || R->tables.renew));
}


PART void
tm_end_record(enum record_state state)
{
    if (!R->on) {
        R->orphan = 0;
        return;
    }
    if (R->owner != getpid() && !R->orphan) {
        /* Forked by who did not tell anybody. */
        R->has_helper = 0;
        record_forget();
        return;
    }
    tm_end_helper();
    recorder_take();
    if (R->file.fd < 0 && !R->gone && tm_make_file() < 0) {
        fprintf(stderr, "tracemalloc: %s\n", R->place.fault);
    }
    if (R->file.fd >= 0) {
        record_finish(state);
        if (!R->gone && R->file.error == 0) {
            tm_trim_pages(&R->file);
        }
    }
    record_forget();
    tm_leave_recorder();
}


PART int
tm_write_record(void)
{
    if (!R->on || R->owner != getpid()) {
        errno = ENOENT;
        return -1;
    }
    for (;;) {
        /* The helper may wait for this thread: then it is told so. */
        int done = 0;
        if (_PyTraceMalloc_BeginLocked() == ACCESS_NONE) {
            errno = ENOENT;
            return -1;
        }
        if (tm_take_recorder()) {
            if (R->file.fd >= 0) {
                tm_copy_checkpoint_lock_held();
            }
            done = 1;
        }
        tm_end_locked();
        if (done) {
            break;
        }
        struct timespec pause = {.tv_nsec = 1000000};
        (void)nanosleep(&pause, NULL);
    }
    int error = 0;
    if (R->file.fd < 0) {
        if (tm_make_file() < 0) {
            error = EIO;
        }
        R->tables.waiting = 1;
    }
    else if (tm_write_checkpoint(RECORD_RUNNING) < 0) {
        error = R->gone ? ENOENT : R->file.error;
    }
    int again = R->tables.waiting && error == 0;
    tm_leave_recorder();
    errno = error;
    return error != 0 ? -1 : again;
}


PART const char *
tm_record_path(char *path, size_t room)
{
    if (!R->on || R->place.name[0] == '\0') {
        return NULL;
    }
    snprintf(path, room, "%s/%s", R->place.folder, R->place.name);
    return path;
}


/* --- growth -------------------------------------------------------------- */

void
_PyTraceMalloc_GrowRecord(enum access access, int last)
{
    if (access == ACCESS_DETACHED) {
        return;
    }
    int saved = errno;
    tm_access_lock(access);
    int taken = 0, hurry = 0;
    uint64_t due = 0;
    if (S->record_limit == SIZE_MAX || S->bytes.peak < S->record_limit) {
        /* Another thread was faster. */
    }
    else if (!R->on || R->owner != getpid()) {
        S->record_limit = SIZE_MAX;
    }
    else if (S->record_wanted) {
        tm_serve_record_lock_held();
    }
    else if ((due = tm_put_off_growth_lock_held()) != 0) {
        /* The helper does it then, if nothing else has until then. */
    }
    else if (access != ACCESS_GIL && !(last && access == ACCESS_LOCK)) {
        /* Writing takes longer than others may wait for the store. */
        hurry = 1;
    }
    else if (R->file.fd < 0) {
        /* Of a child, whose helper is about to make the file. */
        hurry = 1;
    }
    else if (tm_take_recorder()) {
        tm_drain_detached_lock_held();
        tm_copy_checkpoint_lock_held();
        taken = 1;
    }
    else {
        hurry = 1;
    }
    if (hurry) {
        tm_hurry_helper();
    }
    else if (due != 0) {
        tm_wake_helper(due);
    }
    tm_access_unlock(access);
    if (taken) {
        if (access == ACCESS_LOCK) {
            tm_unlock();
        }
        (void)tm_write_checkpoint(RECORD_RUNNING);
        tm_leave_recorder();
        if (access == ACCESS_LOCK) {
            tm_lock();
        }
    }
    errno = saved;
}


PART void
tm_clear_record_lock_held(void)
{
    if (S->record_limit != SIZE_MAX) {
        S->record_limit = 1;
        R->copied_bytes = 0;
    }
}


/* --- fork ---------------------------------------------------------------- */

PART void
tm_fork_record(void)
{
    if (!R->on) {
        return;
    }
    pthread_mutex_init(&R->lock, NULL);
    tm_drop_pages(&R->file);
    tm_close_resident(&R->resident);
    tm_forget_making(&R->place);
    if (R->busy) {
        /* The helper may have been in the middle of changing these: they are
           left as they are, and not used. */
        memset(&R->file, 0, sizeof(R->file));
        memset(&R->tables, 0, sizeof(R->tables));
        memset(&R->accounts, 0, sizeof(R->accounts));
        R->file.fd = -1;
        R->busy = 0;
    }
    else {
        tm_forget_file();
    }
    R->has_helper = 0;
    R->on = 0;
    R->orphan = 1;
    S->record_wanted = 0;
    S->record_limit = SIZE_MAX;
    R->copied_bytes = 0;
}


void
_PyTraceMalloc_AfterFork(void)
{
    if (!R->orphan || !tm_is_tracing()) {
        return;
    }
    R->about.is_first = 0;
    R->wish.only_one = 0;
    R->on = 1;
    R->owner = getpid();
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        tm_set_record_limit_lock_held();
        tm_end_locked();
    }
    if (tm_begin_helper() != 0) {
        fprintf(stderr, "tracemalloc: the record of process %ld cannot be "
                "written: no thread\n", (long)getpid());
        record_forget();
    }
}


int
_PyTraceMalloc_CountThreads(void)
{
    return R->has_helper;
}
