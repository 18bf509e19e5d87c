/* Records that are read while they are written: every picture is whole, or
   torn and known to be. */

#include "record_world.h"

#include <pthread.h>
#include <stdatomic.h>

enum { NREADERS = 2, NCONTEXTS = 1500 };

static struct record_world world;
static atomic_int ended;


struct reader {
    pthread_t thread;
    int fd;
    size_t whole, torn;
    uint64_t newest;
};


static void *
reader_run(void *argument)
{
    struct reader *reader = argument;
    int last = 0;
    do {
        /* Once more when nothing is written any more. */
        last = atomic_load(&ended);
        struct record_picture picture;
        enum record_reading found = record_read(reader->fd, &picture);
        if (found == READ_WHOLE) {
            record_check(&picture);
            CHECK(le64(picture.about.sequence) >= reader->newest);
            reader->newest = le64(picture.about.sequence);
            reader->whole++;
            record_free(&picture);
        }
        reader->torn += found == READ_TORN;
    } while (!last);
    return NULL;
}


static void
test_reading_while_it_is_written(void)
{
    struct reader readers[NREADERS] = {{.fd = 0}};
    int rounds = test_options.quick ? 60 : 400;
    record_world_begin(&world, MIN_RECORD_SIZE);
    CHECK_EQUAL(record_world_write(&world), 0);
    atomic_store(&ended, 0);
    for (int i = 0; i < NREADERS; i++) {
        readers[i].fd = world.file.fd;
        CHECK_EQUAL(pthread_create(&readers[i].thread, NULL, reader_run,
                                   &readers[i]), 0);
    }
    uint64_t commits = 1;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < 40; i++) {
            context_id id = record_world_add(&world,
                                             random_below(NCONTEXTS));
            count_any(&world.tree, &world.bytes,
                      tm_context_at(&world.tree, id), random_below(100000));
        }
        if (random_below(20) == 0) {
            world.tree.generation++;
        }
        /* What a renewed record has no room for beside the old one is
           tried again. */
        commits += record_world_write(&world) == 0;
    }
    atomic_store(&ended, 1);
    for (int i = 0; i < NREADERS; i++) {
        CHECK_EQUAL(pthread_join(readers[i].thread, NULL), 0);
        CHECK(readers[i].whole > 0);
        CHECK_EQUAL(readers[i].newest, commits);
    }
    record_world_end(&world);
}


const struct test record_threads_tests[] = {
    {"reading while it is written", test_reading_while_it_is_written},
    {NULL, NULL},
};
