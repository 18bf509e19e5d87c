/* Out of memory: each allocation of a run fails once, then from each on all
   fail.  The model sees that every call says so and changes nothing. */

#include "check.h"
#include "model.h"

static const struct world_limits limits = {
    .codes = 40, .nodes = 200, .contexts = 150, .blocks = 300,
};


/* Whether the n-th allocation was reached. */
static int
run_with_failure(size_t n, int onward, int steps)
{
    size_t before = test_failures();
    test_fail_after(n, onward);
    if (world_begin(&limits) == 0) {
        int lost = 0;
        for (int i = 0; i < steps && !lost; i++) {
            lost = world_step() < 0;
            if (i % 50 == 0 && !lost) {
                world_compare();
            }
        }
        if (!lost) {
            world_compare();
            test_fail_never();
            /* With memory all goes on. */
            for (int i = 0; i < 100; i++) {
                CHECK_EQUAL(world_step(), 0);
            }
            world_compare();
        }
        world_end();
    }
    test_fail_never();
    CHECK_EQUAL(test_live_blocks(), 0);
    return test_failures() != before;
}


static void
sweep(int onward)
{
    int steps = test_options.quick ? 800 : 2500;
    size_t n = 0;
    while (run_with_failure(n, onward, steps)) {
        n++;
    }
    /* The run must have been worth it. */
    CHECK(n > 20);
}


static void
test_each_fails_once(void)
{
    sweep(0);
}


static void
test_all_fail_from_each_on(void)
{
    sweep(1);
}


const struct test memory_tests[] = {
    {"each allocation fails once", test_each_fails_once},
    {"from each allocation on all fail", test_all_fail_from_each_on},
    {NULL, NULL},
};
