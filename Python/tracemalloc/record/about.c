/* What a record tells of its process: numbers, times, arguments.

   Called by record.c; calls the system. */

#define _GNU_SOURCE 1

#include "about.h"
#include "place.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>


static uint64_t
clock_read(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}


PART uint64_t
tm_unix_time(void)
{
    return clock_read(CLOCK_REALTIME);
}


PART uint64_t
tm_steady_time(void)
{
    return clock_read(CLOCK_MONOTONIC);
}


PART size_t
tm_read_small(const char *path, char *to, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, to, room) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    return n > 0 ? (size_t)n : 0;
}


PART void
tm_close_resident(struct resident_file *file)
{
    if (tm_is_file(file->fd, file->device, file->inode)) {
        (void)close(file->fd);
    }
    file->fd = -1;
}


static void
resident_open(struct resident_file *file)
{
    struct stat status;
    file->fd = tm_raise_descriptor(open("/proc/self/statm",
                                        O_RDONLY | O_CLOEXEC));
    if (file->fd >= 0 && fstat(file->fd, &status) == 0) {
        file->owner = getpid();
        file->device = (uint64_t)status.st_dev;
        file->inode = (uint64_t)status.st_ino;
    }
}


PART uint64_t
tm_resident_bytes(struct resident_file *file)
{
    char text[128];
    if (file->owner != getpid()
        || !tm_is_file(file->fd, file->device, file->inode))
    {
        tm_close_resident(file);
        resident_open(file);
    }
    ssize_t n = pread(file->fd, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    const char *second = strchr(text, ' ');
    return second == NULL ? 0 : strtoull(second, NULL, 10)
                                * (uint64_t)sysconf(_SC_PAGESIZE);
}


/* When the process began, in ticks since boot; 0 if that is not known.  The
   command stands in parentheses before it, and may have any character. */
static uint64_t
process_start(void)
{
    char text[1024];
    size_t n = tm_read_small("/proc/self/stat", text, sizeof(text) - 1);
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    return at == NULL ? 0 : strtoull(at, NULL, 10);
}


static void
boot_id(unsigned char id[16])
{
    char text[64];
    size_t n = tm_read_small("/proc/sys/kernel/random/boot_id", text,
                             sizeof(text));
    size_t digits = 0;
    memset(id, 0, 16);
    for (size_t i = 0; i < n && digits < 32; i++) {
        int digit = '0' <= text[i] && text[i] <= '9' ? text[i] - '0'
                    : 'a' <= text[i] && text[i] <= 'f' ? text[i] - 'a' + 10
                    : -1;
        if (digit >= 0) {
            id[digits / 2] = (unsigned char)(id[digits / 2] << 4 | digit);
            digits++;
        }
    }
}


PART void
tm_set_program(struct about_process *about, const char *name)
{
    size_t n = 0;
    for (; *name != '\0' && n < sizeof(about->program) - 1; name++) {
        char c = *name;
        int fits = ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z')
                   || ('0' <= c && c <= '9') || c == '_' || c == '-'
                   || (c == '.' && n > 0);
        about->program[n++] = fits ? c : '_';
    }
    about->program[n] = '\0';
    if (n == 0) {
        strcpy(about->program, "python");
    }
}


PART void
tm_fill_head(const struct about_process *about, uint64_t size, int locked,
             unsigned char page[RECORD_PAGE])
{
    static const char version[] = PY_VERSION;
    struct stat name_space;
    struct record_head head = {
        .major = le16(RECORD_MAJOR),
        .minor = le16(RECORD_MINOR),
        .order = le32(RECORD_ORDER),
        .head_size = le32(RECORD_PAGE),
        .page_size = le32(RECORD_PAGE),
        .size = le64(size),
        .started = le64(tm_unix_time()),
        .process_start = le64(process_start()),
        .pid = le32((uint32_t)getpid()),
        .parent = le32((uint32_t)getppid()),
        .session = le32(about->session),
        .flags = le32(locked ? RECORD_LOCKED : 0),
        .limit = le32(about->limit),
        .command_size = le32((uint32_t)about->command_size),
        .sample_interval = le64(about->interval),
        .user = le32((uint32_t)geteuid()),
        .version_size = le32((uint32_t)strlen(version)),
    };
    memcpy(head.magic, RECORD_MAGIC, MAGIC_SIZE);
    memcpy(head.family, about->family, sizeof(head.family));
    boot_id(head.boot);
    if (stat("/proc/self/ns/pid", &name_space) == 0) {
        head.name_space = le64((uint64_t)name_space.st_ino);
    }
    memset(page, 0, RECORD_PAGE);
    memcpy(page, &head, RECORD_TEXTS);
    memcpy(page + RECORD_TEXTS, about->command, about->command_size);
    memcpy(page + RECORD_TEXTS + about->command_size, version,
           strlen(version));
    uint32_t check = le32(tm_crc32(page, RECORD_CHECKED));
    memcpy(page + RECORD_CHECKED, &check, sizeof(check));
}
