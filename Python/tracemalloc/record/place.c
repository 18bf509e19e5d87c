/* Where a record is: its folder, its name, and making the file.

   Called by record.c; calls the system, and nobody else.  The same rules, for
   who reads records: Lib/tracemalloc/_record/places.py.

   The private folder is one that only this user may enter, and is not believed
   before that has been seen: its name can be guessed.  In any folder, a file
   is made under a name that nobody knows and never through a link, and gets
   its own name when it is complete.  So it does not matter what others may
   have put there, and nobody sees half a record. */

#define _GNU_SOURCE 1

#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>               // pthread_sigmask()
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>             // flock()
#include <sys/resource.h>         // getrlimit()
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How many records of processes with the same number and name there may be. */
#define MOST_NUMBERED 10000
/* How often a lock is asked for that readers hold for a moment. */
#define MOST_ATTEMPTS 100


/* --- faults -------------------------------------------------------------- */

PART void
tm_make_printable(char *text)
{
    unsigned char before = 0;
    for (char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        /* The characters from U+0080 to U+009F control terminals, too. */
        if (c < ' ' || c == 0x7f || (before == 0xc2 && c < 0xa0)) {
            *at = '?';
        }
        if (*at == '?' && before == 0xc2) {
            at[-1] = '?';
        }
        before = c;
    }
}


static int
fault_set(struct record_file_place *at, const char *what, const char *name,
          const char *hint)
{
    snprintf(at->fault, sizeof(at->fault),
             "the record cannot be written: %.300s%s%.60s%s%.100s", name,
             *name != '\0' ? ": " : "", what, *hint != '\0' ? "; " : "",
             hint);
    tm_make_printable(at->fault);
    return -1;
}


static int
fault_with_errno(struct record_file_place *at, const char *name,
                const char *hint)
{
    return fault_set(at, strerror(errno), name, hint);
}


/* --- descriptors --------------------------------------------------------- */

/* Programs take the lowest numbers, and those that close descriptors which
   are not theirs open others under these numbers at once. */
#define HIGH_DESCRIPTOR 1000


PART int
tm_raise_descriptor(int fd)
{
    struct rlimit limit;
    int least = HIGH_DESCRIPTOR;
    if (fd < 0) {
        return fd;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0
        && limit.rlim_cur < HIGH_DESCRIPTOR + 16)
    {
        least = (int)limit.rlim_cur / 4 * 3;
    }
    int high = fcntl(fd, F_DUPFD_CLOEXEC, least);
    if (high < 0) {
        return fd;
    }
    (void)close(fd);
    return high;
}


PART void
tm_forget_making(struct record_file_place *at)
{
    if (at->folder_fd >= 0) {
        (void)close(at->folder_fd);
    }
    if (at->making_fd >= 0) {
        (void)close(at->making_fd);
    }
    at->folder_fd = at->making_fd = -1;
}


/* --- folders ------------------------------------------------------------- */

/* The folder in which the private one is: 1 if it is the user's own. */
static int
private_base(char *base, size_t room)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    struct stat status;
    if (runtime != NULL && runtime[0] == '/' && strlen(runtime) < room
        && stat(runtime, &status) == 0 && S_ISDIR(status.st_mode)
        && status.st_uid == geteuid())
    {
        strcpy(base, runtime);
        return 1;
    }
    const char *temporary = getenv("TMPDIR");
    if (temporary == NULL || temporary[0] != '/'
        || strlen(temporary) >= room)
    {
        temporary = "/tmp";
    }
    strcpy(base, temporary);
    return 0;
}


static int
private_find(struct record_file_place *at)
{
    char base[PATH_MAX];
    int n;
    if (private_base(base, sizeof(base) - 64)) {
        n = snprintf(at->folder, sizeof(at->folder), "%s/tracemalloc", base);
    }
    else {
        n = snprintf(at->folder, sizeof(at->folder), "%s/tracemalloc-%lu",
                     base, (unsigned long)geteuid());
    }
    if (n < 0 || (size_t)n >= sizeof(at->folder)) {
        return fault_set(at, "the name is too long", base, "");
    }
    if (mkdir(at->folder, 0700) < 0 && errno != EEXIST) {
        return fault_with_errno(at, at->folder,
                               "name another folder, as in record=FOLDER");
    }
    at->is_private = 1;
    return 0;
}


/* Find the folder of a place, and the file's name, if that is given. */
static int
place_split(struct record_file_place *at, const char *place)
{
    char folder[PATH_MAX];
    size_t length = strlen(place);
    if (length >= sizeof(folder) - 2) {
        return fault_set(at, "the name is too long", place, "");
    }
    strcpy(folder, place);
    struct stat status;
    if (place[length - 1] != '/'
        && !(stat(place, &status) == 0 && S_ISDIR(status.st_mode)))
    {
        char *slash = strrchr(folder, '/');
        const char *name = slash != NULL ? slash + 1 : folder;
        if (strlen(name) >= sizeof(at->given) - 32) {
            return fault_set(at, "the name is too long", place, "");
        }
        strcpy(at->given, name);
        if (slash == NULL) {
            strcpy(folder, ".");
        }
        else {
            slash[slash == folder] = '\0';
        }
    }
    if (realpath(folder, at->folder) == NULL) {
        return fault_with_errno(at, folder, "make the folder first");
    }
    return 0;
}


PART int
tm_find_place(struct record_file_place *at, const char *place)
{
    memset(at, 0, sizeof(*at));
    at->folder_fd = at->making_fd = -1;
    return place[0] == '\0' ? private_find(at) : place_split(at, place);
}


/* Open the folder; the private one is not believed before it was looked at. */
static int
folder_open(struct record_file_place *at)
{
    at->folder_fd = tm_raise_descriptor(
        open(at->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC
                         | (at->is_private ? O_NOFOLLOW : 0)));
    struct stat status;
    if (at->folder_fd < 0 || fstat(at->folder_fd, &status) < 0) {
        return fault_with_errno(at, at->folder, errno == ELOOP
                               || errno == ENOTDIR
                               ? "it must be a folder, and no link" : "");
    }
    if (!at->is_private) {
        return 0;
    }
    if (status.st_uid != geteuid()) {
        return fault_set(at, "it belongs to another user", at->folder,
                         "name another folder, as in record=FOLDER");
    }
    if ((status.st_mode & 077) != 0 && fchmod(at->folder_fd, 0700) < 0) {
        return fault_with_errno(at, at->folder, "others may look into it");
    }
    return 0;
}


/* --- making -------------------------------------------------------------- */

/* Take the space of a file: 0, or an error number. */
static int
space_take(int fd, uint64_t size)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY
        && limit.rlim_cur < size)
    {
        /* Trying would send a signal, of which programs may die. */
        return EFBIG;
    }
    /* Some systems begin anew for each signal that comes. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = posix_fallocate(fd, 0, (off_t)size);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != EINVAL && error != EOPNOTSUPP && error != ENOSYS) {
        return error;
    }
    static const char zeros[RECORD_PAGE];
    for (uint64_t at = 0; at < size; at += sizeof(zeros)) {
        ssize_t n = pwrite(fd, zeros, sizeof(zeros), (off_t)at);
        if (n != (ssize_t)sizeof(zeros)) {
            return n < 0 ? errno : ENOSPC;
        }
    }
    return 0;
}


static int
temporary_open(struct record_file_place *at)
{
    struct timespec now;
    for (int attempt = 0; attempt < 100; attempt++) {
        (void)clock_gettime(CLOCK_REALTIME, &now);
        snprintf(at->temporary, sizeof(at->temporary),
                 ".tracemalloc-%ld-%lx%x.tmp", (long)getpid(),
                 (unsigned long)now.tv_sec, (unsigned)now.tv_nsec + attempt);
        int fd = openat(at->folder_fd, at->temporary, O_RDWR | O_CREAT
                        | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    return -1;
}


PART int
tm_make_record(struct record_file_place *at, const struct record_wish *wish)
{
    at->name[0] = at->temporary[0] = at->fault[0] = '\0';
    if (folder_open(at) < 0) {
        tm_drop_record(at);
        return -1;
    }
    int fd = at->making_fd = tm_raise_descriptor(temporary_open(at));
    if (fd < 0) {
        at->temporary[0] = '\0';
        fault_with_errno(at, at->folder, "");
        tm_drop_record(at);
        return -1;
    }
    int error = space_take(fd, wish->size);
    if (error != 0) {
        char hint[100];
        snprintf(hint, sizeof(hint), "%llu bytes are taken at once: see "
                 "record_size", (unsigned long long)wish->size);
        errno = error;
        fault_with_errno(at, at->folder, hint);
        (void)close(fd);
        at->making_fd = -1;
        tm_drop_record(at);
        return -1;
    }
    at->locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
    return fd;
}


PART void
tm_drop_record(struct record_file_place *at)
{
    if (at->folder_fd >= 0) {
        if (at->temporary[0] != '\0') {
            (void)unlinkat(at->folder_fd, at->temporary, 0);
        }
        (void)close(at->folder_fd);
    }
    at->folder_fd = -1;
    at->temporary[0] = '\0';
}


/* --- names --------------------------------------------------------------- */

/* What a file in the way is. */
enum old_file {OLD_NONE, OLD_RECORD, OLD_ALIVE, OLD_OTHER, OLD_LINK};


static enum old_file
old_file_kind(int folder, const char *name)
{
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? OLD_NONE : OLD_OTHER;
    }
    if (S_ISLNK(status.st_mode)) {
        return OLD_LINK;
    }
    if (!S_ISREG(status.st_mode)) {
        return OLD_OTHER;
    }
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK
                                  | O_CLOEXEC);
    if (fd < 0) {
        return OLD_OTHER;
    }
    char magic[MAGIC_SIZE];
    ssize_t n = pread(fd, magic, sizeof(magic), 0);
    enum old_file kind = OLD_OTHER;
    if (n == 0 || (n == (ssize_t)sizeof(magic)
                   && memcmp(magic, RECORD_MAGIC, sizeof(magic)) == 0))
    {
        kind = flock(fd, LOCK_SH | LOCK_NB) == 0 ? OLD_RECORD : OLD_ALIVE;
    }
    (void)close(fd);
    return kind;
}


/* Take a name that nothing has: 0, or -1 with errno. */
static int
name_take_free(const struct record_file_place *at, const char *name)
{
#ifdef RENAME_NOREPLACE
    if (renameat2(at->folder_fd, at->temporary, at->folder_fd, name,
                  RENAME_NOREPLACE) == 0)
    {
        return 0;
    }
    if (errno == EEXIST) {
        return -1;
    }
#endif
    if (linkat(at->folder_fd, at->temporary, at->folder_fd, name, 0) == 0) {
        (void)unlinkat(at->folder_fd, at->temporary, 0);
        return 0;
    }
    if (errno == EEXIST) {
        return -1;
    }
    /* There are file systems without links.  There, two processes of one
       number in two containers may meet. */
    if (old_file_kind(at->folder_fd, name) != OLD_NONE) {
        errno = EEXIST;
        return -1;
    }
    return renameat(at->folder_fd, at->temporary, at->folder_fd, name);
}


/* Insert the number of the process before the end of a name: a.tmrec becomes
   a.PID.tmrec, and then a.PID-2.tmrec. */
static void
place_number(char *name, size_t room, const char *stem, long pid, int attempt)
{
    if (attempt == 1) {
        snprintf(name, room, "%.90s.%ld%s", stem, pid, RECORD_SUFFIX);
    }
    else {
        snprintf(name, room, "%.90s.%ld-%d%s", stem, pid, attempt,
                 RECORD_SUFFIX);
    }
}


static int
name_take_numbered(struct record_file_place *at, const char *stem)
{
    for (int attempt = 1; attempt < MOST_NUMBERED; attempt++) {
        place_number(at->name, sizeof(at->name), stem, (long)getpid(),
                    attempt);
        if (name_take_free(at, at->name) == 0) {
            return 0;
        }
        if (errno != EEXIST) {
            return -1;
        }
    }
    return -1;
}


static void
wait_a_moment(void)
{
    struct timespec pause = {.tv_nsec = 1000000};
    (void)nanosleep(&pause, NULL);
}


/* Keep the record of a process that is gone, which may be all that is known of
   its end, beside that of the one that comes after it: a.tmrec becomes
   a.previous.tmrec, in place of the one before it.  0, or -1 with errno. */
static int
name_keep(const struct record_file_place *at, const char *stem)
{
    char name[RECORD_NAME_ROOM];
    snprintf(name, sizeof(name), "%.110s.previous%s", stem, RECORD_SUFFIX);
    enum old_file kind = old_file_kind(at->folder_fd, name);
    if ((kind != OLD_NONE && kind != OLD_RECORD)
        || strcmp(name, at->name) == 0)
    {
        errno = EEXIST;
        return -1;
    }
    return renameat(at->folder_fd, at->name, at->folder_fd, name);
}


/* Replace an empty file: 1.  Or put the record of a process that is gone
   aside: 0, also if it is there no more.  Or -1 with errno, EEXIST if
   something else is in the way.  Who replaces or removes a record holds its
   lock, so that of several processes that begin with one name only one does.
   */
static int
name_replace(struct record_file_place *at, const char *stem)
{
    struct stat old, now;
    int fd = openat(at->folder_fd, at->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK
                                             | O_CLOEXEC);
    int result = 0;
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
        /* Of somebody who reads it, or has replaced it by now. */
        wait_a_moment();
    }
    else if (fstat(fd, &old) == 0
             && fstatat(at->folder_fd, at->name, &now,
                        AT_SYMLINK_NOFOLLOW) == 0
             && old.st_dev == now.st_dev && old.st_ino == now.st_ino)
    {
        result = old.st_size != 0 ? name_keep(at, stem)
                 : renameat(at->folder_fd, at->temporary, at->folder_fd,
                            at->name) == 0 ? 1 : -1;
    }
    int saved = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    errno = saved;
    return result;
}


/* Take the name that was given. */
static int
name_take_given(struct record_file_place *at, const struct record_wish *wish)
{
    char stem[RECORD_NAME_ROOM];
    strcpy(stem, at->given);
    strcpy(at->name, at->given);
    size_t length = strlen(stem), suffix = strlen(RECORD_SUFFIX);
    if (length > suffix && strcmp(stem + length - suffix, RECORD_SUFFIX) == 0)
    {
        stem[length - suffix] = '\0';
    }
    if (!wish->only_one) {
        return name_take_numbered(at, stem);
    }
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        int replaced;
        switch (old_file_kind(at->folder_fd, at->name)) {
            case OLD_NONE:
                if (name_take_free(at, at->name) == 0) {
                    return 0;
                }
                if (errno != EEXIST) {
                    return -1;
                }
                break;
            case OLD_RECORD:
                replaced = name_replace(at, stem);
                if (replaced > 0) {
                    return 0;
                }
                if (replaced < 0) {
                    return errno == EEXIST ? name_take_numbered(at, stem) : -1;
                }
                break;
            case OLD_ALIVE:
                return name_take_numbered(at, stem);
            case OLD_LINK:
                errno = ELOOP;
                return -1;
            case OLD_OTHER:
                errno = EEXIST;
                return -1;
        }
    }
    return name_take_numbered(at, stem);
}


/* --- opening again ------------------------------------------------------- */

PART int
tm_reopen_record(struct record_file_place *at, uint64_t device,
                 uint64_t inode)
{
    char path[PATH_MAX + RECORD_NAME_ROOM];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", at->folder, at->name);
    int fd = tm_raise_descriptor(open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK
                                         | O_CLOEXEC));
    if (fd >= 0 && (fstat(fd, &status) < 0
                    || (uint64_t)status.st_dev != device
                    || (uint64_t)status.st_ino != inode))
    {
        (void)close(fd);
        return -1;
    }
    for (int attempt = 0; fd >= 0 && at->locked
         && flock(fd, LOCK_EX | LOCK_NB) < 0 && attempt < MOST_ATTEMPTS;
         attempt++)
    {
        /* Readers have it for a moment. */
        wait_a_moment();
    }
    return fd;
}


PART int
tm_name_record(struct record_file_place *at, const struct record_wish *wish)
{
    int taken = at->given[0] != '\0' ? name_take_given(at, wish)
                                    : name_take_numbered(at, wish->program);
    if (taken < 0) {
        char name[PATH_MAX];
        snprintf(name, sizeof(name), "%.300s/%s", at->folder, at->name);
        fault_with_errno(at, name, errno == EEXIST
                        ? "the file is no record: name another one"
                        : errno == ELOOP ? "it is a link" : "");
    }
    else {
        at->temporary[0] = '\0';
    }
    tm_drop_record(at);
    return taken;
}
