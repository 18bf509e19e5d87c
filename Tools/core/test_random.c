/* Random operations on everything at once, against the model. */

#include "check.h"
#include "model.h"

static void
run_world(const struct world_limits *limits, long steps, long every)
{
    CHECK_EQUAL(world_begin(limits), 0);
    for (long i = 0; i < steps; i++) {
        CHECK_EQUAL(world_step(), 0);
        if (i % every == 0) {
            world_compare();
        }
    }
    world_compare();
    world_end();
}


static void
test_small_world(void)
{
    static const struct world_limits limits = {
        .codes = 12, .nodes = 80, .contexts = 60, .blocks = 100,
    };
    run_world(&limits, test_options.quick ? 60000 : 300000, 23);
}


static void
test_large_world(void)
{
    static const struct world_limits limits = {
        .codes = 200, .nodes = 2000, .contexts = 1200, .blocks = 2500,
    };
    run_world(&limits, test_options.quick ? 60000 : 250000, 500);
}


const struct test random_tests[] = {
    {"a small world, compared after every few operations", test_small_world},
    {"a large world", test_large_world},
    {NULL, NULL},
};
