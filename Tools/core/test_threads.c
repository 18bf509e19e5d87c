/* Looking up without the lock, as the tracer does it.

   Attached threads take turns with the GIL.  Who has it looks up nodes and
   contexts without the store lock, counts, and now and then takes the store
   lock to free replaced indexes or to reclaim.  Detached threads add under the
   store lock alone, at any time.  A sanitizer for threads must find nothing,
   and every answer must be right. */

#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

enum { NATTACHED = 2, NDETACHED = 2, NCODES = 40, NLINES = 60 };

/* A block that only counters can count. */
#define LARGEST ((size_t)MAX_SOME_BYTES + 1)

static struct call_tree tree;
static struct code_table codes;
static struct traced_bytes bytes;
static pthread_mutex_t gil = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t store = PTHREAD_MUTEX_INITIALIZER;
static char owners[NCODES + 1];
static int reclaims;            /* whether anybody may reclaim */


struct worker {
    pthread_t thread;
    uint64_t random;
    int attached;
    int rounds;
    size_t found, added;
};


static uint32_t
worker_random(struct worker *worker, uint32_t limit)
{
    worker->random = worker->random * 6364136223846793005u
                     + 1442695040888963407u;
    return (uint32_t)((worker->random >> 32) * limit >> 32);
}


/* Who is detached has it all the time. */
static void
store_lock(const struct worker *worker)
{
    if (worker->attached) {
        pthread_mutex_lock(&store);
    }
}


static void
store_unlock(const struct worker *worker)
{
    if (worker->attached) {
        pthread_mutex_unlock(&store);
    }
}


/* Whoever looked up in vain adds, and must then get what it asked for. */
static node_id
node_get(struct worker *worker, node_id parent, code_id code, int32_t line)
{
    node_id id = tm_find_node(&tree, parent, code, line);
    if (id != NODE_NONE) {
        worker->found++;
    }
    else {
        store_lock(worker);
        id = tm_add_node(&tree, parent, code, line);
        store_unlock(worker);
        worker->added++;
    }
    CHECK(id != NODE_NONE);
    struct frame_node node = tm_node(&tree, id);
    CHECK(node.parent == parent && node.code == code && node.line == line);
    return id;
}


static context_id
context_get(struct worker *worker, node_id node, code_id code, uint32_t unit,
            int32_t line)
{
    context_id id = tm_find_context(&tree, node, code, unit, line);
    if (id == CONTEXT_NONE) {
        store_lock(worker);
        id = tm_add_context(&tree, node, code, unit, line);
        store_unlock(worker);
    }
    CHECK(id != CONTEXT_NONE);
    const struct context *context = tm_context_at(&tree, id);
    CHECK(tm_context_node(context) == node
          && tm_context_code(context) == code
          && tm_context_unit(context) == unit);
    /* Who may count may give it counters, where the line is then. */
    CHECK(!worker->attached || tm_context_line(context) == line);
    return id;
}


static void
stack_capture(struct worker *worker)
{
    node_id at = NODE_ROOT;
    /* Most stacks are alike at their bottom, and differ at their top. */
    for (uint32_t depth = worker_random(worker, 5); depth > 0; depth--) {
        at = node_get(worker, at, 1 + worker_random(worker, NCODES) / depth,
                      (int32_t)(worker_random(worker, NLINES) / depth));
    }
    /* Some have counters, or those of some blocks, from the beginning. */
    static const struct {
        uint32_t unit;
        int32_t line;
    } sites[] = {{0, 5}, {1, MAX_FEW_LINE + 1}, {MAX_SHORT_UNIT + 1, 5}};
    uint32_t site = worker_random(worker, 3);
    context_id id = context_get(worker, at, 1 + worker_random(worker, NCODES),
                                sites[site].unit, sites[site].line);
    if (worker->attached) {
        static const size_t sizes[] = {10, 20, 30, LARGEST};
        struct context *context = tm_context_at(&tree, id);
        size_t size = sizes[worker_random(worker, 4)];
        if (!tm_context_has_room(context, size)) {
            store_lock(worker);
            make_room(&tree, context, size);
            store_unlock(worker);
        }
        tm_count_alloc(&bytes, context, size);
        tm_count_free(&bytes, context, size);
    }
}


static void
reclaim_with_everything(void)
{
    struct reclaim_roots roots = {
        .contexts = calloc(tree.contexts.used, 1),
        .nodes = calloc(tree.nodes.used, 1),
    };
    CHECK(roots.contexts != NULL && roots.nodes != NULL);
    CHECK(tm_reclaim(&tree, &codes, &bytes, &roots, REACH_ALL).taken >= 0);
    free(roots.contexts);
    free(roots.nodes);
    tm_reindex(&tree);
    CHECK_SOUND(tm_check_tree(&tree));
    tree.generation++;
}


static int
tree_is_large(void)
{
    return tree.nodes.live > MAX_NODES / 2
           || tree.contexts.live > MAX_CONTEXTS / 2;
}


static void *
attached_run(void *argument)
{
    struct worker *worker = argument;
    for (int round = 0; round < worker->rounds; round++) {
        pthread_mutex_lock(&gil);
        for (int i = 0; i < 20; i++) {
            stack_capture(worker);
        }
        if (worker_random(worker, 10) == 0) {
            pthread_mutex_lock(&store);
            tm_free_replaced(&tree);
            if (reclaims && (worker_random(worker, 20) == 0
                             || tree_is_large()))
            {
                reclaim_with_everything();
            }
            pthread_mutex_unlock(&store);
        }
        pthread_mutex_unlock(&gil);
    }
    return NULL;
}


static void *
detached_run(void *argument)
{
    struct worker *worker = argument;
    for (int round = 0; round < worker->rounds; round++) {
        pthread_mutex_lock(&store);
        for (int i = 0; i < 10 && !tree_is_large(); i++) {
            stack_capture(worker);
        }
        pthread_mutex_unlock(&store);
    }
    return NULL;
}


static void
run_workers(int rounds)
{
    struct worker workers[NATTACHED + NDETACHED];
    bytes = (struct traced_bytes){0};
    CHECK_EQUAL(tm_init_codes(&codes), 0);
    CHECK_EQUAL(tm_init_tree(&tree), 0);
    name_id file = tm_add_name(codes.names, 1, "f", 1);
    for (code_id id = 1; id <= NCODES; id++) {
        CHECK_EQUAL(code_add_named(&codes, &owners[id], file,
                                   line_map_plain()), id);
    }
    for (int i = 0; i < NATTACHED + NDETACHED; i++) {
        struct worker *worker = &workers[i];
        *worker = (struct worker){
            .random = random_bits(),
            .attached = i < NATTACHED,
            .rounds = rounds,
        };
        CHECK_EQUAL(pthread_create(&worker->thread, NULL,
                                   worker->attached ? attached_run
                                                    : detached_run,
                                   worker), 0);
    }
    size_t found = 0, added = 0;
    for (int i = 0; i < NATTACHED + NDETACHED; i++) {
        CHECK_EQUAL(pthread_join(workers[i].thread, NULL), 0);
        found += workers[i].found;
        added += workers[i].added;
    }
    /* It must have been worth it. */
    CHECK(found + added > 100);
    CHECK_SOUND(tm_check_tree(&tree));
    CHECK_EQUAL(tm_bytes_current(&bytes), 0);
    CHECK_EQUAL(bytes.peak, LARGEST);
    tm_fini_tree(&tree);
    tm_fini_codes(&codes);
}


static void
test_growth(void)
{
    reclaims = 0;
    for (int i = 0; i < 5; i++) {
        run_workers(test_options.quick ? 30 : 60);
    }
}


static void
test_reclaim(void)
{
    reclaims = 1;
    run_workers(test_options.quick ? 60 : 150);
}


/* --- one slot ------------------------------------------------------------ */

/* A slot that was seen free may be taken right after.  So one thread looks for
   a node and a context that are never there, again and again, while another
   adds others that go into the very slots where that search ends. */

enum { MAX_PAIRS = 300 };

struct key {
    uint32_t parent;
    int32_t line;               /* a context's is its unit */
};

static struct pair {
    struct key absent, added;
} node_pairs[MAX_PAIRS], context_pairs[MAX_PAIRS];
static uint32_t npairs;
static uint32_t turn;           /* atomic: the pair that is being added */
static uint32_t seen;           /* atomic: the last one that was looked for */


/* What is below a node first is in no index: the others are looked for. */
enum { FIRST_LINE = INT32_MAX };

static node_id
node_of(struct key key)
{
    CHECK(tm_add_node(&tree, key.parent, 1, FIRST_LINE) != 0);
    return tm_add_node(&tree, key.parent, 1, key.line);
}


static context_id
context_of(struct key key)
{
    CHECK(tm_add_context(&tree, key.parent, 1, 0, FIRST_LINE) != 0);
    return tm_add_context(&tree, key.parent, 1, (uint32_t)key.line,
                          1);
}


/* Where a key would go: it is added, and taken back. */
static size_t
slot_of(struct key key, int nodes)
{
    uint32_t id = nodes ? node_of(key) : context_of(key);
    struct node_index *index = nodes ? tree.nodes.index
                                       : tree.contexts.index;
    size_t at = 0;
    CHECK(id != 0);
    while ((nodes ? SLOT_NODE(index->slots[at])
            : SLOT_CONTEXT(index->slots[at])) != id)
    {
        CHECK(at < index->mask);
        at++;
    }
    index->slots[at] = 0;
    if (nodes) {
        tree.nodes.indexed--;
        tm_free_node(&tree, id);
    }
    else {
        tree.contexts.indexed--;
        tm_free_context(&tree, id);
    }
    return at;
}


/* The i-th pair is for a tree where the ones before have been added.  Nothing
   is known here about where the index looks: keys are tried until two meet. */
static void
pair_find(uint32_t i, int nodes)
{
    enum { TRIED = 4096 };
    static struct key tried[TRIED];
    memset(tried, 0, sizeof(tried));
    struct pair *pair = nodes ? &node_pairs[i] : &context_pairs[i];
    for (int32_t line = 1;; line++) {
        /* Some nodes have many children, most have few. */
        struct key key = {
            .parent = NODE_ROOT + (line % 2 ? i / 4 : random_below(i + 1)),
            .line = (int32_t)i * 50000 + line,
        };
        size_t at = slot_of(key, nodes) % TRIED;
        if (tried[at].line != 0
            && slot_of(tried[at], nodes) == slot_of(key, nodes))
        {
            pair->absent = tried[at];
            pair->added = key;
            CHECK((nodes ? node_of(key) : context_of(key)) != 0);
            return;
        }
        tried[at] = key;
    }
}


static void *
looker_run(void *unused)
{
    (void)unused;
    uint32_t i;
    while ((i = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) < npairs) {
        struct key node = node_pairs[i].absent;
        struct key context = context_pairs[i].absent;
        CHECK_EQUAL(tm_find_node(&tree, node.parent, 1, node.line),
                    NODE_NONE);
        CHECK_EQUAL(tm_find_context(&tree, context.parent, 1,
                                    (uint32_t)context.line, 1),
                    CONTEXT_NONE);
        __atomic_store_n(&seen, i + 1, __ATOMIC_RELEASE);
    }
    return NULL;
}


static void
test_one_slot(void)
{
    CHECK_EQUAL(tm_init_tree(&tree), 0);
    /* As many as fit without another index. */
    size_t fitting = (tree.nodes.index->mask + 1) / 2 - 3;
    npairs = fitting < MAX_PAIRS ? (uint32_t)fitting : MAX_PAIRS;
    for (uint32_t i = 0; i < npairs; i++) {
        pair_find(i, 1);
        pair_find(i, 0);
    }
    CHECK(tree.replaced == NULL);
    tm_fini_tree(&tree);

    uint32_t rounds = (test_options.quick ? 300 : 1000) / npairs;
    for (uint32_t round = 0; round < rounds; round++) {
        pthread_t looker;
        CHECK_EQUAL(tm_init_tree(&tree), 0);
        turn = seen = 0;
        CHECK_EQUAL(pthread_create(&looker, NULL, looker_run, NULL), 0);
        for (uint32_t i = 0; i < npairs; i++) {
            while (__atomic_load_n(&seen, __ATOMIC_ACQUIRE) <= i) {
                sched_yield();
            }
            CHECK(node_of(node_pairs[i].added) != NODE_NONE);
            CHECK(context_of(context_pairs[i].added) != CONTEXT_NONE);
            __atomic_store_n(&turn, i + 1, __ATOMIC_RELEASE);
        }
        CHECK_EQUAL(pthread_join(looker, NULL), 0);
        CHECK_SOUND(tm_check_tree(&tree));
        tm_fini_tree(&tree);
    }
}


const struct test threads_tests[] = {
    {"looking up without the lock while others add", test_growth},
    {"the same while nodes are reclaimed", test_reclaim},
    {"looking in vain for what would be where others add", test_one_slot},
    {NULL, NULL},
};
