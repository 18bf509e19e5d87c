/* The pages of a record: whatever is written, refused or begun anew, the file
   has what was committed last. */

#include "check.h"
#include "record/pages.h"
#include "record_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 5 * 4096, NGROWING = 4 };

/* What the tables have, and had when they were committed. */
struct content {
    unsigned char data[RECORD_TABLES][MOST];
    size_t lengths[RECORD_TABLES];
};

static struct page_file file;
static struct content now, committed;
static uint64_t commits;


static void
begin(uint64_t size)
{
    memset(&now, 0, sizeof(now));
    memset(&committed, 0, sizeof(committed));
    commits = 0;
    CHECK_EQUAL(tm_open_pages(&file, record_file(size), size), 0);
}


/* Compare what a reader finds with what was committed last. */
static void
compare(void)
{
    struct record_picture picture;
    enum record_reading found = record_read(file.fd, &picture);
    CHECK_EQUAL(found, commits != 0 ? READ_WHOLE : READ_NOTHING);
    if (found != READ_WHOLE) {
        return;
    }
    CHECK_EQUAL(le64(picture.about.sequence), commits);
    CHECK_EQUAL(le64(picture.about.current), 7 * commits);
    for (int i = 0; i < RECORD_TABLES; i++) {
        CHECK_EQUAL(picture.lengths[i], committed.lengths[i]);
        CHECK(memcmp(picture.tables[i], committed.data[i],
                     committed.lengths[i]) == 0);
    }
    record_free(&picture);
}


static int
commit(void)
{
    struct record_checkpoint about = {.current = 7 * (commits + 1)};
    int result = tm_commit_pages(&file, &about);
    if (result == 0) {
        commits++;
        committed = now;
        CHECK_EQUAL(file.sequence, commits);
    }
    return result;
}


static int
append(int table, size_t size)
{
    unsigned char data[3 * RECORD_PAGE];
    for (size_t i = 0; i < size; i++) {
        data[i] = (unsigned char)random_bits();
    }
    memcpy(now.data[table] + now.lengths[table], data, size);
    now.lengths[table] += size;
    return tm_append_table(&file, table, data, size);
}


/* Change some bytes of a table, and maybe its size. */
static int
replace(int table)
{
    size_t length = now.lengths[table];
    if (length == 0 || random_below(3) == 0) {
        length = random_below(MOST);
        now.lengths[table] = length;
    }
    for (uint32_t n = random_below(4); n > 0 && length > 0; n--) {
        now.data[table][random_below((uint32_t)length)] =
            (unsigned char)random_bits();
    }
    return tm_replace_table(&file, table, now.data[table], length);
}


static void
restart(void)
{
    tm_restart_pages(&file);
    memset(&now, 0, sizeof(now));
}


static void
test_random(void)
{
    int rounds = test_options.quick ? 5 : 40, most = 1000;
    size_t refused = 0;
    /* Until a file was full: few rounds may have large ones only. */
    while (rounds-- > 0 || (refused == 0 && most-- > 0)) {
        begin((8 + random_below(90)) * RECORD_PAGE);
        for (int i = 0; i < 60; i++) {
            int table = (int)random_below(RECORD_TABLES), result;
            switch (random_below(5)) {
            case 0:
                result = commit();
                break;
            case 1:
                if (random_below(8) == 0) {
                    restart();
                }
                result = 0;
                break;
            default: {
                size_t size = random_below(random_below(2) ? 100 : 9000);
                result = table >= NGROWING ? replace(table)
                         : now.lengths[table] + size > MOST ? 0
                         : append(table, size);
            }
            }
            if (result < 0) {
                CHECK_EQUAL(file.error, ENOSPC);
                refused++;
                restart();
            }
            compare();
        }
        tm_trim_pages(&file);
        compare();
        tm_close_pages(&file);
    }
    CHECK(refused > 0);
}


/* A file that is full is as good as before, and can be begun anew. */
static void
test_full(void)
{
    for (uint64_t pages = 6; pages < 40; pages += 3) {
        begin(pages * RECORD_PAGE);
        CHECK_EQUAL(append(TABLE_NAMES, 10), 0);
        CHECK_EQUAL(commit(), 0);
        int full = 0;
        for (uint64_t i = 0; i < 2 * pages && !full; i++) {
            /* Not more than the model has room for. */
            now.lengths[i % NGROWING] %= RECORD_PAGE;
            full = tm_append_table(&file, (int)(i % NGROWING),
                                   now.data[0], RECORD_PAGE) < 0
                   || (i % 4 == 3 && tm_commit_pages(
                       &file, &(struct record_checkpoint){0}) < 0);
            if (!full && i % 4 == 3) {
                commits++;
            }
        }
        CHECK(full);
        CHECK_EQUAL(file.error, ENOSPC);
        struct record_picture picture;
        CHECK_EQUAL(record_read(file.fd, &picture), READ_WHOLE);
        CHECK_EQUAL(le64(picture.about.sequence), commits);
        record_free(&picture);
        restart();
        CHECK_EQUAL(append(TABLE_NAMES, 20), 0);
        /* The pages of the old checkpoint are still in the way, maybe. */
        if (commit() == 0) {
            compare();
        }
        tm_close_pages(&file);
    }
}


/* What cannot be written changes nothing of what could. */
static void
test_refused_by_the_system(void)
{
    begin(64 * RECORD_PAGE);
    CHECK_EQUAL(append(TABLE_NAMES, 5000), 0);
    CHECK_EQUAL(commit(), 0);
    int writable = file.fd;
    int readable = open("/dev/null", O_RDONLY);
    CHECK(readable >= 0);
    struct content before = now;
    file.fd = readable;
    /* Written at once, as soon as there are many pages. */
    int result = 0;
    for (int i = 0; i < 30 && result == 0; i++) {
        result = tm_append_table(&file, TABLE_NAMES, now.data[0], 5000);
    }
    CHECK_EQUAL(result, -1);
    CHECK_EQUAL(file.error, EBADF);
    file.fd = writable;
    compare();
    restart();
    CHECK_EQUAL(append(TABLE_CODES, 5000), 0);
    file.fd = readable;
    CHECK_EQUAL(commit(), -1);
    file.fd = writable;
    compare();
    CHECK(memcmp(&before, &committed, sizeof(before)) == 0);
    restart();
    CHECK_EQUAL(append(TABLE_NODES, 300), 0);
    CHECK_EQUAL(commit(), 0);
    compare();
    close(readable);
    tm_close_pages(&file);
}


/* A page that did not change is not written again. */
static void
test_what_is_the_same_is_not_written(void)
{
    begin(64 * RECORD_PAGE);
    now.lengths[TABLE_FEW] = 4 * RECORD_PAGE;
    CHECK_EQUAL(tm_replace_table(&file, TABLE_FEW, now.data[TABLE_FEW],
                                 4 * RECORD_PAGE), 0);
    CHECK_EQUAL(commit(), 0);
    uint64_t before = file.bytes_written;
    CHECK_EQUAL(tm_replace_table(&file, TABLE_FEW, now.data[TABLE_FEW],
                                 4 * RECORD_PAGE), 0);
    CHECK_EQUAL(file.ngathered, 0);
    CHECK(!file.changed);
    now.data[TABLE_FEW][2 * RECORD_PAGE + 5] = 1;
    CHECK_EQUAL(tm_replace_table(&file, TABLE_FEW, now.data[TABLE_FEW],
                                 4 * RECORD_PAGE), 0);
    CHECK_EQUAL(commit(), 0);
    /* With the list of pages, and the checkpoint. */
    CHECK_EQUAL(file.bytes_written, before + 3 * RECORD_PAGE);
    compare();
    tm_close_pages(&file);
}


static void
test_checksum(void)
{
    begin(8 * RECORD_PAGE);
    CHECK_EQUAL(tm_crc32("", 0), 0);
    /* Of every description of CRC-32. */
    CHECK_EQUAL(tm_crc32("123456789", 9), 0xcbf43926u);
    tm_close_pages(&file);
}


const struct test record_pages_tests[] = {
    {"tables that grow and change, against a model", test_random},
    {"a file that is full keeps what it has", test_full},
    {"so does one that cannot be written", test_refused_by_the_system},
    {"what is the same is not written",
     test_what_is_the_same_is_not_written},
    {"the checksum", test_checksum},
    {NULL, NULL},
};
