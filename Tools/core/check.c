/* The frame of the core's tests: runs each in a process of its own, so that a
   crash, a hang or a leak is the failure of one test.

       core-tests [--build NAME] [--only FILE] [--quick] [--seed N]

   One line per test on stdout; what failed, and the sanitizers, on stderr.
   Status 1 if a test failed, 2 if the arguments are wrong. */

#include "check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Seconds after which a test counts as hanging. */
#define HANGS 300

struct test_options test_options;

static const struct {
    const char *name;
    const struct test *tests;
} files[] = {
#ifndef THREADS_ONLY
    {"names", names_tests},
    {"codes", codes_tests},
    {"locations", locations_tests},
    {"tree", tree_tests},
    {"blocks", blocks_tests},
    {"shadow", shadow_tests},
    {"cells", cells_tests},
    {"counting", counting_tests},
    {"detached", detached_tests},
    {"reclaim", reclaim_tests},
    {"taken_paths", taken_paths_tests},
    {"filters", filters_tests},
    {"snapshot", snapshot_tests},
    {"trace_copy", trace_copy_tests},
    {"memory", memory_tests},
    {"random", random_tests},
    {"samples", samples_tests},
    {"record_pages", record_pages_tests},
    {"record", record_tests},
#endif
    {"threads", threads_tests},
    {"record_threads", record_threads_tests},
};
#define NFILES (sizeof(files) / sizeof(files[0]))


void
check_failed(const char *file, int line, const char *format, ...)
{
    const char *base = strrchr(file, '/');
    va_list arguments;
    fprintf(stderr, "  %s:%d: ", base ? base + 1 : file, line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "; again with SEED=%llu\n",
            (unsigned long long)test_options.seed);
    /* Not exit(): what the test still holds is no leak. */
    _exit(1);
}


/* --- random numbers ------------------------------------------------------ */

static uint64_t random_state;

uint64_t
random_bits(void)
{
    /* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
       generators, 2014). */
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}


static void
random_begin(const char *name)
{
    random_state = test_options.seed;
    for (; *name; name++) {
        random_state = (random_state ^ (unsigned char)*name) * 0x100000001b3u;
    }
}


/* --- memory -------------------------------------------------------------- */

/* Lies right before each block. */
struct header {
    _Alignas(16) size_t size;
    uint32_t offset;            /* from what the C library gave */
    uint32_t magic;
};

#define MAGIC 0x5eedb10cu
#define JUNK_FRESH 0xa5
#define JUNK_FREED 0x5a

/* Atomic: the threads test allocates under locks of several kinds. */
static size_t live_blocks, live_bytes, allocations, failures;
static size_t fail_from = SIZE_MAX, fail_to;


static int
must_fail(void)
{
    size_t n = __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    if (n < fail_from || n >= fail_to) {
        return 0;
    }
    __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
    errno = ENOMEM;
    return 1;
}


static void *
block_make(size_t alignment, size_t size)
{
    if (must_fail()) {
        return NULL;
    }
    size_t offset = alignment < sizeof(struct header) ? sizeof(struct header)
                                                      : alignment;
    char *raw = aligned_alloc(offset, (offset + size + offset - 1)
                                      / offset * offset);
    if (raw == NULL) {
        fputs("  the tests themselves are out of memory\n", stderr);
        _exit(1);
    }
    struct header *header = (struct header *)(void *)(raw + offset) - 1;
    *header = (struct header){
        .size = size,
        .offset = (uint32_t)offset,
        .magic = MAGIC,
    };
    memset(raw + offset, JUNK_FRESH, size);
    __atomic_fetch_add(&live_blocks, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&live_bytes, size, __ATOMIC_RELAXED);
    return raw + offset;
}


static struct header *
header_of(void *p)
{
    struct header *header = (struct header *)p - 1;
    if (header->magic != MAGIC) {
        fputs("  freed what is no block, or was written before it\n", stderr);
        abort();
    }
    return header;
}


void *
test_malloc(size_t size)
{
    return block_make(0, size);
}


void *
test_calloc(size_t n, size_t size)
{
    if (size != 0 && n > SIZE_MAX / size) {
        return NULL;
    }
    void *p = block_make(0, n * size);
    if (p != NULL) {
        memset(p, 0, n * size);
    }
    return p;
}


void *
test_aligned_alloc(size_t alignment, size_t size)
{
    /* C11 leaves anything else undefined, and some C libraries refuse. */
    CHECK(alignment != 0 && (alignment & (alignment - 1)) == 0);
    CHECK(size % alignment == 0);
    return block_make(alignment, size);
}


void *
test_realloc(void *p, size_t size)
{
    void *moved = block_make(0, size);
    if (moved != NULL && p != NULL) {
        size_t before = header_of(p)->size;
        memcpy(moved, p, before < size ? before : size);
        test_free(p);
    }
    return moved;
}


void
test_free(void *p)
{
    if (p == NULL) {
        return;
    }
    struct header *header = header_of(p);
    char *raw = (char *)p - header->offset;
    __atomic_fetch_sub(&live_blocks, 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&live_bytes, header->size, __ATOMIC_RELAXED);
    memset(p, JUNK_FREED, header->size);
    header->magic = 0;
    free(raw);
}


size_t
test_live_blocks(void)
{
    return __atomic_load_n(&live_blocks, __ATOMIC_RELAXED);
}


size_t
test_live_bytes(void)
{
    return __atomic_load_n(&live_bytes, __ATOMIC_RELAXED);
}


size_t
test_failures(void)
{
    return __atomic_load_n(&failures, __ATOMIC_RELAXED);
}


void
test_fail_after(size_t n, int onward)
{
    fail_from = allocations + n;
    fail_to = onward ? SIZE_MAX : fail_from + 1;
}


void
test_fail_never(void)
{
    fail_from = SIZE_MAX;
}


/* --- running ------------------------------------------------------------- */

static _Noreturn void
child(const struct test *test)
{
    alarm(HANGS);
    random_begin(test->name);
    test->run();
    if (test_live_blocks() != 0) {
        check_failed(__FILE__, __LINE__, "left %zu blocks of %zu bytes behind",
                     test_live_blocks(), test_live_bytes());
    }
    exit(0);
}


/* Whether the test passed. */
static int
run_one(const char *file, const struct test *test, const char *build)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        perror("core-tests: fork");
        exit(2);
    }
    if (pid == 0) {
        child(test);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            perror("core-tests: waitpid");
            exit(2);
        }
    }
    int passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    printf("%-6s %-11s %s: %s", passed ? "ok" : "FAILED", build, file,
           test->name);
    if (WIFSIGNALED(status)) {
        printf(" (signal %d: %s)", WTERMSIG(status),
               strsignal(WTERMSIG(status)));
    }
    putchar('\n');
    return passed;
}


static _Noreturn void
usage(const char *problem, const char *argument)
{
    fprintf(stderr, "core-tests: %s '%s'; it takes --build NAME, --only FILE, "
                    "--quick and --seed N\n", problem, argument);
    exit(2);
}


int
main(int argc, char **argv)
{
    const char *build = "", *only = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            test_options.quick = 1;
            continue;
        }
        if (i + 1 == argc) {
            usage("unknown, or without its value:", argv[i]);
        }
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--build") == 0) {
            build = value;
        }
        else if (strcmp(argv[i], "--only") == 0) {
            only = value;
        }
        else if (strcmp(argv[i], "--seed") == 0) {
            char *end;
            test_options.seed = strtoull(value, &end, 10);
            if (*value == '\0' || *end != '\0') {
                usage("not a number:", value);
            }
        }
        else {
            usage("unknown:", argv[i]);
        }
        i++;
    }

    int failed = 0, found = 0;
    for (size_t i = 0; i < NFILES; i++) {
        if (only != NULL && strcmp(only, files[i].name) != 0) {
            continue;
        }
        found = 1;
        for (const struct test *test = files[i].tests; test->name; test++) {
            failed |= !run_one(files[i].name, test, build);
        }
    }
    if (!found) {
        usage("no such file of tests:", only);
    }
    return failed;
}
