/* A file of pages, in which nothing is changed that somebody may read.

   Called by tables.c and record.c; calls the system, and nobody else.  One
   thread at a time.

   The file is written with pwrite() and not mapped: who truncates it cannot
   crash the process, a full disk is an error number, and no store waits for
   pages that are being written back. */

#define _GNU_SOURCE 1

#include "pages.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert(offsetof(struct record_head, reserved) + 4 == RECORD_TEXTS,
              "the head is what the page says");
static_assert(sizeof(struct record_checkpoint) == 168, "see layout.py");
static_assert(sizeof(struct record_checkpoint_page) == RECORD_PAGE,
              "one page");
static_assert(sizeof(struct record_context) == 28, "see layout.py");
static_assert(sizeof(struct record_few) == 12, "see layout.py");
static_assert(sizeof(struct record_thread) == 40, "see layout.py");

#define PER_LIST (RECORD_PAGE / sizeof(struct record_place))
/* So many pages are written at once if they follow each other: a call of the
   system for each would take several times as long. */
#define MOST_GATHERED 16

enum page_state {PAGE_FREE, PAGE_NEW, PAGE_COMMITTED, PAGE_DYING};


/* --- memory -------------------------------------------------------------- */

/* As many bytes from the system, with what there was; NULL without memory.
   Where pages can be given another address, none is touched. */
static void *
mapped_move(const struct mapped *mapped, size_t wanted)
{
#ifdef MREMAP_MAYMOVE
    if (mapped->size != 0) {
        void *moved = mremap(mapped->data, mapped->size, wanted,
                             MREMAP_MAYMOVE);
        if (moved != MAP_FAILED) {
            return moved;
        }
        /* Locked pages, or a mapping in parts, may be copied all the same. */
    }
#endif
    void *data = mmap(NULL, wanted, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) {
        return NULL;
    }
    if (mapped->size != 0) {
        memcpy(data, mapped->data, mapped->size);
        munmap(mapped->data, mapped->size);
    }
    return data;
}


PART int
tm_reserve_mapped(struct mapped *mapped, size_t size)
{
    if (size <= mapped->size) {
        return 0;
    }
    size_t wanted = size + size / 4;
    wanted = (wanted + 65535) & ~(size_t)65535;
    void *data = mapped_move(mapped, wanted);
    if (data == NULL) {
        return -1;
    }
    mapped->data = data;
    mapped->size = wanted;
    return 0;
}


PART void
tm_free_mapped(struct mapped *mapped)
{
    if (mapped->size != 0) {
        munmap(mapped->data, mapped->size);
    }
    *mapped = (struct mapped){.data = NULL};
}


/* --- checksums ----------------------------------------------------------- */

/* Of each byte at each of eight places: eight bytes take eight lookups that do
   not wait for each other. */
static uint32_t crc_tables[8][256];


static void
crc_begin(void)
{
    if (crc_tables[0][1] != 0) {
        return;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0xedb88320u & (0 - (crc & 1)));
        }
        crc_tables[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (int place = 1; place < 8; place++) {
            uint32_t crc = crc_tables[place - 1][byte];
            crc_tables[place][byte] = crc >> 8 ^ crc_tables[0][crc & 255];
        }
    }
}


PART uint32_t
tm_crc32(const void *data, size_t size)
{
    const unsigned char *at = data;
    uint32_t crc = ~0u;
    for (; size >= 8; size -= 8, at += 8) {
        uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8
                              | (uint32_t)at[2] << 16
                              | (uint32_t)at[3] << 24);
        crc = crc_tables[7][low & 255] ^ crc_tables[6][low >> 8 & 255]
              ^ crc_tables[5][low >> 16 & 255] ^ crc_tables[4][low >> 24]
              ^ crc_tables[3][at[4]] ^ crc_tables[2][at[5]]
              ^ crc_tables[1][at[6]] ^ crc_tables[0][at[7]];
    }
    for (; size > 0; size--, at++) {
        crc = crc >> 8 ^ crc_tables[0][(crc ^ *at) & 255];
    }
    return ~crc;
}


/* --- pages --------------------------------------------------------------- */

static unsigned char *
states_of(const struct page_file *file)
{
    return file->states.data;
}


static struct record_place *
places_of(const struct page_table *table)
{
    return table->places.data;
}


PART int
tm_is_file(int fd, uint64_t device, uint64_t inode)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0
           && (uint64_t)status.st_dev == device
           && (uint64_t)status.st_ino == inode;
}


PART int
tm_has_pages(const struct page_file *file)
{
    return tm_is_file(file->fd, file->device, file->inode);
}


/* Write pages that follow each other: 0, or -1. */
static int
pages_put(struct page_file *file, uint32_t first, const void *data,
          uint32_t npages)
{
    size_t done = 0, size = npages * RECORD_PAGE;
    while (done < size) {
        if (!tm_has_pages(file)) {
            file->error = EBADF;
            return -1;
        }
        ssize_t n = pwrite(file->fd, (const char *)data + done, size - done,
                           (off_t)(first * RECORD_PAGE + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            file->error = n < 0 ? errno : EIO;
            return -1;
        }
        done += (size_t)n;
    }
    file->bytes_written += size;
    return 0;
}


/* Write the pages that have been gathered: 0, or -1. */
static int
gathered_flush(struct page_file *file)
{
    uint32_t npages = file->ngathered;
    file->ngathered = 0;
    return npages != 0 ? pages_put(file, file->first_gathered,
                                   file->gathered.data, npages) : 0;
}


/* Gather a page, which is written with its neighbours: 0, or -1. */
static int
page_gather(struct page_file *file, uint32_t page, const void *data)
{
    if ((file->ngathered == MOST_GATHERED
         || page != file->first_gathered + file->ngathered)
        && gathered_flush(file) < 0)
    {
        return -1;
    }
    if (file->ngathered == 0) {
        file->first_gathered = page;
    }
    memcpy((char *)file->gathered.data + file->ngathered * RECORD_PAGE, data,
           RECORD_PAGE);
    file->ngathered++;
    return 0;
}


static void
page_free(struct page_file *file, uint32_t page)
{
    states_of(file)[page] = PAGE_FREE;
    file->nfree++;
    if (page < file->next) {
        file->next = page;
    }
}


static void
page_release(struct page_file *file, uint32_t page)
{
    unsigned char *state = &states_of(file)[page];
    if (*state == PAGE_NEW) {
        page_free(file, page);
    }
    else {
        assert(*state == PAGE_COMMITTED);
        *state = PAGE_DYING;
    }
}


/* Write a page into a free one, or gather it: 0 and its place, or -1. */
static int
page_write(struct page_file *file, const void *data,
           struct record_place *place)
{
    unsigned char *states = states_of(file);
    if (file->nfree == 0) {
        file->error = ENOSPC;
        return -1;
    }
    uint32_t page = file->next;
    while (states[page] != PAGE_FREE) {
        page++;
    }
    if (page_gather(file, page, data) < 0) {
        return -1;
    }
    states[page] = PAGE_NEW;
    file->nfree--;
    file->next = page + 1;
    file->changed = 1;
    *place = (struct record_place){
        .page = page,
        .check = tm_crc32(data, RECORD_PAGE),
    };
    return 0;
}


/* Write a page of a table, which may have one there already. */
static int
table_put(struct page_file *file, struct page_table *table, uint32_t number,
          const void *data)
{
    struct record_place place;
    if (tm_reserve_mapped(&table->places,
                          (number + (size_t)1) * sizeof(place)) < 0)
    {
        file->error = ENOMEM;
        return -1;
    }
    if (page_write(file, data, &place) < 0) {
        return -1;
    }
    if (number < table->npages) {
        page_release(file, places_of(table)[number].page);
    }
    else {
        assert(number == table->npages);
        table->npages++;
    }
    places_of(table)[number] = place;
    return 0;
}


/* --- life ---------------------------------------------------------------- */

PART int
tm_open_pages(struct page_file *file, int fd, uint64_t size)
{
    crc_begin();
    struct stat status;
    memset(file, 0, sizeof(*file));
    file->fd = fd;
    if (fstat(fd, &status) < 0) {
        return -1;
    }
    file->device = (uint64_t)status.st_dev;
    file->inode = (uint64_t)status.st_ino;
    file->npages = (uint32_t)(size / RECORD_PAGE);
    file->nfree = file->npages - RECORD_FIRST_PAGE;
    file->next = RECORD_FIRST_PAGE;
    if (tm_reserve_mapped(&file->states, file->npages) < 0
        || tm_reserve_mapped(&file->gathered, MOST_GATHERED * RECORD_PAGE) < 0)
    {
        return -1;
    }
    memset(file->states.data, PAGE_COMMITTED, RECORD_FIRST_PAGE);
    return 0;
}


static void
table_free(struct page_table *table)
{
    tm_free_mapped(&table->places);
    tm_free_mapped(&table->image);
}


PART void
tm_close_pages(struct page_file *file)
{
    for (int i = 0; i < RECORD_TABLES; i++) {
        table_free(&file->tables[i]);
    }
    table_free(&file->lists);
    tm_free_mapped(&file->states);
    tm_free_mapped(&file->draft);
    tm_free_mapped(&file->gathered);
    file->ngathered = 0;
    tm_drop_pages(file);
}


PART void
tm_drop_pages(struct page_file *file)
{
    if (tm_has_pages(file)) {
        (void)close(file->fd);
    }
    file->fd = -1;
}


PART void
tm_restart_pages(struct page_file *file)
{
    unsigned char *states = states_of(file);
    for (uint32_t page = RECORD_FIRST_PAGE; page < file->npages; page++) {
        if (states[page] == PAGE_NEW) {
            page_free(file, page);
        }
        else if (states[page] == PAGE_COMMITTED) {
            states[page] = PAGE_DYING;
        }
    }
    for (int i = 0; i < RECORD_TABLES; i++) {
        file->tables[i].length = file->tables[i].npages = 0;
        file->tables[i].tail_changed = 0;
    }
    file->lists.length = file->lists.npages = 0;
    file->ngathered = 0;
    file->generation++;
}


PART uint32_t
tm_dying_pages(const struct page_file *file)
{
    uint32_t n = 0;
    for (uint32_t page = RECORD_FIRST_PAGE; page < file->npages; page++) {
        n += states_of(file)[page] == PAGE_DYING;
    }
    return n;
}


/* --- tables -------------------------------------------------------------- */

PART int
tm_append_table(struct page_file *file, int number, const void *data,
                size_t size)
{
    struct page_table *table = &file->tables[number];
    const unsigned char *from = data;
    while (size > 0) {
        size_t used = table->length % RECORD_PAGE;
        size_t n = RECORD_PAGE - used < size ? RECORD_PAGE - used : size;
        memcpy(table->tail + used, from, n);
        table->length += n;
        table->tail_changed = 1;
        from += n;
        size -= n;
        if (used + n == RECORD_PAGE) {
            uint32_t last = (uint32_t)((table->length - 1) / RECORD_PAGE);
            if (table_put(file, table, last, table->tail) < 0) {
                return -1;
            }
            table->tail_changed = 0;
            memset(table->tail, 0, RECORD_PAGE);
        }
    }
    return 0;
}


/* Write the page that is not full yet. */
static int
tail_flush(struct page_file *file, struct page_table *table)
{
    if (!table->tail_changed) {
        return 0;
    }
    uint32_t last = (uint32_t)((table->length - 1) / RECORD_PAGE);
    if (table_put(file, table, last, table->tail) < 0) {
        return -1;
    }
    table->tail_changed = 0;
    return 0;
}


static int
table_replace(struct page_file *file, struct page_table *table,
              const void *data, size_t size)
{
    size_t npages = (size + RECORD_PAGE - 1) / RECORD_PAGE;
    if (tm_reserve_mapped(&table->image, npages * RECORD_PAGE) < 0) {
        file->error = ENOMEM;
        return -1;
    }
    unsigned char *image = table->image.data;
    const unsigned char *from = data;
    for (uint32_t page = 0; page < npages; page++) {
        unsigned char *old = image + page * RECORD_PAGE;
        size_t n = size - page * RECORD_PAGE;
        n = n < RECORD_PAGE ? n : RECORD_PAGE;
        if (page < table->npages
            && memcmp(old, from + page * RECORD_PAGE, n) == 0)
        {
            continue;
        }
        memcpy(old, from + page * RECORD_PAGE, n);
        memset(old + n, 0, RECORD_PAGE - n);
        if (table_put(file, table, page, old) < 0) {
            return -1;
        }
    }
    while (table->npages > npages) {
        page_release(file, places_of(table)[--table->npages].page);
    }
    table->length = size;
    return 0;
}


PART int
tm_replace_table(struct page_file *file, int number, const void *data,
                 size_t size)
{
    return table_replace(file, &file->tables[number], data, size);
}


/* --- commit -------------------------------------------------------------- */

/* Write the lists of all pages. */
static int
lists_write(struct page_file *file)
{
    size_t n = 0;
    for (int i = 0; i < RECORD_TABLES; i++) {
        n += file->tables[i].npages;
    }
    size_t size = n * sizeof(struct record_place);
    if (tm_reserve_mapped(&file->draft, size) < 0) {
        file->error = ENOMEM;
        return -1;
    }
    struct record_place *to = file->draft.data;
    for (int i = 0; i < RECORD_TABLES; i++) {
        const struct page_table *table = &file->tables[i];
        for (uint32_t page = 0; page < table->npages; page++) {
            *to++ = (struct record_place){
                .page = le32(places_of(table)[page].page),
                .check = le32(places_of(table)[page].check),
            };
        }
    }
    return table_replace(file, &file->lists, file->draft.data, size);
}


/* The page of the checkpoint itself; what is read there is `about` first. */
static void
checkpoint_fill(const struct page_file *file,
                const struct record_checkpoint *about,
                struct record_checkpoint_page *page)
{
    memset(page, 0, sizeof(*page));
    const uint64_t *from = &about->current;
    uint64_t *to = &page->about.current;
    const uint64_t *last = &about->bytes_written;
    while (from <= last) {
        *to++ = le64(*from);
        from++;
    }
    memcpy(page->about.magic, CHECKPOINT_MAGIC, MAGIC_SIZE);
    page->about.sequence = le64(file->sequence + 1);
    page->about.written = le64(about->written);
    page->about.state = le32(about->state);
    page->about.generation = le32(file->generation);
    page->about.bytes_written = le64(file->bytes_written);
    for (int i = 0; i < RECORD_TABLES; i++) {
        struct record_extent *extent = i < FIRST_TABLES
                                       ? &page->tables[i]
                                       : &page->about.accounts;
        extent->length = le64(file->tables[i].length);
        extent->pages = le32(file->tables[i].npages);
    }
    page->nlists = le32(file->lists.npages);
    for (uint32_t i = 0; i < file->lists.npages; i++) {
        page->lists[i].page = le32(places_of(&file->lists)[i].page);
        page->lists[i].check = le32(places_of(&file->lists)[i].check);
    }
    page->check = le32(tm_crc32(page, RECORD_CHECKED));
}


PART int
tm_commit_pages(struct page_file *file, const struct record_checkpoint *about)
{
    static_assert(MAX_RECORD_SIZE / RECORD_PAGE / PER_LIST
                  < sizeof(((struct record_checkpoint_page *)0)->lists)
                    / sizeof(struct record_place), "all lists have a place");
    for (int i = 0; i < RECORD_TABLES; i++) {
        if (tail_flush(file, &file->tables[i]) < 0) {
            return -1;
        }
    }
    if (lists_write(file) < 0 || gathered_flush(file) < 0) {
        return -1;
    }
    struct record_checkpoint_page page;
    checkpoint_fill(file, about, &page);
    if (pages_put(file, 1 + (file->sequence + 1) % 2, &page, 1) < 0) {
        return -1;
    }
    file->sequence++;
    file->error = 0;
    unsigned char *states = states_of(file);
    for (uint32_t at = RECORD_FIRST_PAGE; at < file->npages; at++) {
        if (states[at] == PAGE_NEW) {
            states[at] = PAGE_COMMITTED;
        }
        else if (states[at] == PAGE_DYING) {
            page_free(file, at);
        }
    }
    file->changed = 0;
    return 0;
}


PART void
tm_trim_pages(struct page_file *file)
{
    uint32_t end = file->npages;
    while (end > RECORD_FIRST_PAGE && states_of(file)[end - 1] == PAGE_FREE) {
        end--;
    }
    /* What cannot be given back stays. */
    if (tm_has_pages(file)) {
        (void)!ftruncate(file->fd, (off_t)(end * RECORD_PAGE));
    }
}
