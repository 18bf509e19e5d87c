/* The tables of a record: what a reader finds is what the store counted, in
   files of all sizes. */

#include "record_world.h"

#include <string.h>

static struct record_world world;
static struct record_picture picture;


/* Read what was written last. */
static void
look(void)
{
    record_free(&picture);
    CHECK_EQUAL(record_read(world.file.fd, &picture), READ_WHOLE);
    record_check(&picture);
}


static void
finish(void)
{
    record_free(&picture);
    record_world_end(&world);
}


static void
allocate(context_id id, size_t size)
{
    count_any(&world.tree, &world.bytes, tm_context_at(&world.tree, id),
              size);
}


/* Compare a context of the picture with the store. */
static void
compare_context(context_id id)
{
    const uint32_t *numbers = world.tables.context_numbers.data;
    const struct context *context = tm_context_at(&world.tree, id);
    struct counters expected = tm_context_totals(context, &world.bytes);
    CHECK(numbers[id] != 0);
    struct record_counters found = record_counts_of(&picture, numbers[id]);
    CHECK_EQUAL(found.allocated_blocks, expected.allocated_blocks);
    CHECK_EQUAL(found.freed_blocks, expected.freed_blocks);
    CHECK_EQUAL(found.allocated_bytes, expected.allocated_bytes);
    CHECK_EQUAL(found.freed_bytes, expected.freed_bytes);
    CHECK_EQUAL(found.peak_blocks, expected.peak_blocks);
    CHECK_EQUAL(found.peak_bytes, expected.peak_bytes);

    struct record_context entry;
    memcpy(&entry, picture.tables[TABLE_CONTEXTS]
                   + (numbers[id] - 1) * sizeof(entry), sizeof(entry));
    CHECK_EQUAL(le32(entry.line), tm_context_line(context));
    const uint32_t *codes = world.tables.code_numbers.data;
    const uint32_t *nodes = world.tables.node_numbers.data;
    CHECK_EQUAL(le32(entry.code), codes[tm_context_code(context)]);
    CHECK_EQUAL(le32(entry.node), tm_context_node(context) == NODE_ROOT
                                  ? 0 : nodes[tm_context_node(context)]);
}


static void
test_what_is_read_is_what_was_counted(void)
{
    enum { N = 3000 };
    static size_t live[N];
    record_world_begin(&world, 4 << 20);
    memset(live, 0, sizeof(live));
    int rounds = test_options.quick ? 10 : 60;
    uint32_t n = 0;
    context_id ids[N];
    while (rounds-- > 0) {
        for (int i = 0; i < 300; i++) {
            if (n < N && random_below(3) == 0) {
                ids[n] = record_world_add(&world, n);
                n++;
            }
            if (n == 0) {
                continue;
            }
            uint32_t at = random_below(n);
            if (live[at] == 0) {
                live[at] = 1 + random_below(random_below(8) ? 900 : 1 << 20);
                allocate(ids[at], live[at]);
            }
            else {
                tm_count_free(&world.bytes,
                              tm_context_at(&world.tree, ids[at]), live[at]);
                live[at] = 0;
            }
        }
        CHECK_EQUAL(record_world_write(&world), 0);
        look();
        CHECK_EQUAL(le64(picture.about.lost), 0);
        CHECK_EQUAL(le64(picture.about.current),
                    tm_bytes_current(&world.bytes));
        for (uint32_t i = 0; i < n; i++) {
            const struct context *context = tm_context_at(&world.tree,
                                                          ids[i]);
            if (tm_context_counters(context).allocated_blocks != 0) {
                compare_context(ids[i]);
            }
        }
    }
    finish();
}


/* A file too small for all contexts says what the others hold. */
static void
test_files_of_all_sizes(void)
{
    size_t with_loss = 0, without = 0;
    for (uint64_t size = MIN_RECORD_SIZE; size <= 3 << 20; size += 400 << 10) {
        record_world_begin(&world, size / RECORD_PAGE * RECORD_PAGE);
        for (uint32_t i = 0; i < 6000; i++) {
            context_id id = record_world_add(&world, i);
            /* Every third needs counters. */
            allocate(id, i % 3 ? 100 : 1 << 20);
            if (i % 500 == 499) {
                CHECK_EQUAL(record_world_write(&world), 0);
                look();
                CHECK_EQUAL(le64(picture.about.current),
                            tm_bytes_current(&world.bytes));
            }
        }
        /* All that have few get many: the table of counters grows. */
        for (context_id id = CONTEXT_UNKNOWN + 2;
             id < world.tree.contexts.used; id += 2)
        {
            allocate(id, 1 << 20);
        }
        for (int i = 0; i < 3; i++) {
            CHECK_EQUAL(record_world_write(&world), 0);
            look();
        }
        *(le64(picture.about.lost) ? &with_loss : &without) += 1;
        finish();
    }
    CHECK(with_loss > 0);
    CHECK(without > 0);
}


/* Counts that just have room beside a context, and those that just have not;
   and the largest there are. */
static void
test_counts_at_their_limits(void)
{
    static const struct { uint32_t blocks; size_t size; } limits[] = {
        {1, 0}, {1, 65534}, {1, 65535}, {1, 65536}, {254, 1}, {255, 1},
        {256, 1}, {255, 257}, {256, 256}, {1, (size_t)1 << 32},
        {3, (size_t)1 << 60},
    };
    enum { N = sizeof(limits) / sizeof(limits[0]) };
    context_id ids[N];
    record_world_begin(&world, MIN_RECORD_SIZE);
    for (uint32_t i = 0; i < N; i++) {
        ids[i] = record_world_add(&world, i);
        for (uint32_t n = 0; n < limits[i].blocks; n++) {
            allocate(ids[i], limits[i].size);
        }
    }
    for (int turn = 0; turn < 2; turn++) {
        CHECK_EQUAL(record_world_write(&world), 0);
        look();
        for (uint32_t i = 0; i < N; i++) {
            compare_context(ids[i]);
            if (turn == 0) {
                /* What was allocated stays, also when all is free. */
                for (uint32_t n = 0; n < limits[i].blocks; n++) {
                    tm_count_free(&world.bytes,
                                  tm_context_at(&world.tree, ids[i]),
                                  limits[i].size);
                }
            }
        }
    }
    CHECK_EQUAL(le64(picture.about.current), 0);
    CHECK_EQUAL(le64(picture.about.blocks), 0);
    finish();
}


/* Many contexts at once, and once more under other numbers. */
static void
test_thousands_at_once(void)
{
    enum { N = 8000 };
    record_world_begin(&world, 4 << 20);
    for (uint32_t i = 0; i < N; i++) {
        allocate(record_world_add(&world, i), 10);
    }
    CHECK_EQUAL(record_world_write(&world), 0);
    look();
    CHECK_EQUAL(picture.lengths[TABLE_CONTEXTS]
                / sizeof(struct record_context), N);
    CHECK(!world.tables.waiting);
    /* Numbers that mean others: all is begun anew, and nothing is lost. */
    uint32_t generation = world.file.generation;
    world.tree.generation++;
    CHECK_EQUAL(record_world_write(&world), 0);
    CHECK_EQUAL(world.file.generation, generation + 1);
    look();
    CHECK_EQUAL(le64(picture.about.lost), 0);
    finish();
}


/* Many contexts at once whose counts do not fit beside their keys. */
static void
test_thousands_of_counters_at_once(void)
{
    enum { N = 12000, SIZE = 100000 };
    record_world_begin(&world, 16 << 20);
    CHECK_EQUAL(record_world_write(&world), 0);
    for (uint32_t i = 0; i < N; i++) {
        allocate(record_world_add(&world, i), SIZE);
    }
    CHECK_EQUAL(record_world_write(&world), 0);
    look();
    CHECK_EQUAL(le64(picture.about.lost), 0);
    CHECK_EQUAL(record_add_up(&picture).bytes, (uint64_t)N * SIZE);
    finish();
}


/* Names of all widths, across the ends of pages, as UTF-8. */
static void
test_names(void)
{
    static const uint32_t wide[] = {'a', 0xe9, 0x20ac, 0xd800, 0x1f40d,
                                    0x10ffff};
    static const unsigned char expected[] = "a\xc3\xa9\xe2\x82\xac"
        "\xed\xa0\x80\xf0\x9f\x90\x8d\xf4\x8f\xbf\xbf";
    static const uint16_t middle[] = {'b', 0xff, 0xffff};
    static unsigned char narrow[2 * RECORD_PAGE];
    record_world_begin(&world, MIN_RECORD_SIZE);
    memset(narrow, 'c', sizeof(narrow));
    CHECK_EQUAL(record_world_write(&world), 0);
    for (int i = 0; i < 3; i++) {
        CHECK(tm_write_name(&world.tables, &world.file, 4, wide, 6) != 0);
        CHECK(tm_write_name(&world.tables, &world.file, 2, middle, 3) != 0);
        CHECK(tm_write_name(&world.tables, &world.file, 1, narrow,
                            sizeof(narrow) - 1000 * (size_t)i) != 0);
    }
    CHECK_EQUAL(tm_write_name(&world.tables, &world.file, 1, "", 0), 10);
    CHECK_EQUAL(record_world_write(&world), 0);
    look();
    const unsigned char *at = picture.tables[TABLE_NAMES];
    for (int i = 0; i < 10; i++) {
        uint32_t size;
        memcpy(&size, at, sizeof(size));
        size = le32(size);
        at += sizeof(size);
        if (i == 9) {
            CHECK_EQUAL(size, 0);
        }
        else if (i % 3 == 0) {
            CHECK_EQUAL(size, sizeof(expected) - 1);
            CHECK(memcmp(at, expected, size) == 0);
        }
        else if (i % 3 == 1) {
            CHECK_EQUAL(size, 6);
            CHECK(memcmp(at, "b\xc3\xbf\xef\xbf\xbf", 6) == 0);
        }
        else {
            CHECK_EQUAL(size, sizeof(narrow) - 1000 * (size_t)(i / 3));
            CHECK(memcmp(at, narrow, size) == 0);
        }
        at += size;
    }
    CHECK_EQUAL(at - picture.tables[TABLE_NAMES],
                picture.lengths[TABLE_NAMES]);
    finish();
}


const struct test record_tests[] = {
    {"what is read is what was counted",
     test_what_is_read_is_what_was_counted},
    {"files of all sizes, full ones too", test_files_of_all_sizes},
    {"counts at their limits", test_counts_at_their_limits},
    {"thousands at once, and numbers that mean others",
     test_thousands_at_once},
    {"thousands of counters at once", test_thousands_of_counters_at_once},
    {"names of all widths", test_names},
    {NULL, NULL},
};
