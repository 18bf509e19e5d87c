/* Verify: each capture against the whole stack; only in the build with
   --enable-tracemalloc-verify.

   Called with what a capture found, in any thread, and by control.c; calls
   nobody.

   A run of tests is many processes, and most end in ways at which nothing can
   be written any more: os._exit(), a signal, exec.  So they all count in one
   file, which the environment variable TRACEMALLOC_VERIFY_FILE names and each
   of them maps:

       [ captures | differences | processes ]   8 bytes each, as the machine
                                                has them

   Whoever wants the sums makes the file, of zeros, and reads it at the end.
   Processes that were started without the variable are verified, and abort at
   a difference, but are not in the sums. */

#include "Python.h"
#include "pycore_frame.h"         // _PyInterpreterFrame
#include "accounts.h"
#include "cache.h"
#include "verify.h"

#ifdef Py_TRACEMALLOC_VERIFY

#include <errno.h>
#include <fcntl.h>                // open()
#include <stdio.h>
#include <string.h>               // strerror()
#include <sys/mman.h>             // mmap()

#define S (&_PyTraceMalloc_State)


/* --- counting ------------------------------------------------------------ */

struct verify_sums {
    uint64_t captures;
    uint64_t differences;
    uint64_t processes;
};

/* Where all processes count, or this one alone; atomic. */
static struct verify_sums own_sums;
static struct verify_sums *sums = &own_sums;
static int sums_ready;

/* Captures of this process; atomic. */
static uint64_t captures;


static struct verify_sums *
sums_map(const char *node)
{
    void *map = MAP_FAILED;
    int fd = open(node, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        struct stat status;
        errno = EINVAL;
        if (fstat(fd, &status) == 0
            && status.st_size == (off_t)sizeof(struct verify_sums))
        {
            map = mmap(NULL, sizeof(struct verify_sums),
                       PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        }
    }
    if (map == MAP_FAILED) {
        fprintf(stderr, "tracemalloc: TRACEMALLOC_VERIFY_FILE: %s is no file "
                "of %zu bytes to count in (%s)\n", node,
                sizeof(struct verify_sums), strerror(errno));
        map = &own_sums;
    }
    if (fd >= 0) {
        close(fd);
    }
    return map;
}


PART void
tm_begin_verify(void)
{
    if (sums_ready) {
        return;
    }
    sums_ready = 1;
    const char *node = getenv("TRACEMALLOC_VERIFY_FILE");
    if (node != NULL && *node) {
        sums = sums_map(node);
    }
    _Py_atomic_add_uint64(&sums->processes, 1);
}


PART void
tm_fork_verify(void)
{
    /* The mapping is still there. */
    _Py_atomic_store_uint64(&captures, 0);
    if (sums_ready) {
        _Py_atomic_add_uint64(&sums->processes, 1);
    }
}


uint64_t
_PyTraceMalloc_CountVerified(void)
{
    return _Py_atomic_load_uint64(&captures);
}


/* --- lines --------------------------------------------------------------- */

/* Tables of lines are slow to read, and tests that recurse a hundred thousand
   calls deep have each frame's line asked for as often.  The number of the
   code object tells it from another at its address, until numbers are given
   anew; that bumps the generation. */
struct known_line {
    const _Py_CODEUNIT *instruction;
    code_id code;
    uint32_t generation;
    int line;
};

#define KNOWN_LINES 256
static _Py_thread_local struct known_line known_lines[KNOWN_LINES];


static int
frame_line(_PyInterpreterFrame *frame)
{
    code_id code = _PyFrame_GetCode(frame)->_co_tracemalloc_id;
    size_t at = ((uintptr_t)frame->instr_ptr >> 1) % KNOWN_LINES;
    struct known_line *known = &known_lines[at];
    if (code == CODE_NONE || known->code != code
        || known->instruction != frame->instr_ptr
        || known->generation != S->tree.generation)
    {
        int line = PyUnstable_InterpreterFrame_GetLine(frame);
        *known = (struct known_line){
            .instruction = frame->instr_ptr,
            .code = code,
            .generation = S->tree.generation,
            .line = Py_MAX(line, 0),
        };
    }
    return known->line;
}


/* --- comparing ----------------------------------------------------------- */

static int
capture_is_right(PyThreadState *tstate, const struct context *context)
{
    const struct call_tree *tree = &S->tree;
    code_id code = tm_context_code(context);
    int32_t line = tm_context_line(context);
    node_id node = tm_context_node(context);
    _PyInterpreterFrame *frame = _PyThreadState_GetFrame(tstate);
    if (frame == NULL) {
        return code == CODE_NONE && tm_node_is_root(tree, node);
    }
    /* The thread's own: a thread with frames has a cache. */
    const struct _PyTraceMalloc_ThreadCache *cache =
        ((_PyThreadStateImpl *)tstate)->tracemalloc_cache;
    node_id root = cache->entries->site.node;
    if (tm_root_account((uint32_t)tm_node_line(tree, root))
        != tm_thread_account(tstate))
    {
        return 0;
    }
    for (;;) {
        if (code == CODE_NONE || frame_line(frame) != line
            || tm_code_at(&S->codes, code)->owner
                != _PyFrame_GetCode(frame))
        {
            return 0;
        }
        frame = _PyFrame_GetFirstComplete(frame->previous);
        if (frame == NULL || node == root) {
            return frame == NULL && node == root;
        }
        code = tm_node_code(tree, node);
        line = tm_node_line(tree, node);
        node = tm_node_parent(tree, node);
    }
}


static void
capture_dump(PyThreadState *tstate, const struct context *context,
             uint64_t number)
{
    fprintf(stderr, "tracemalloc: capture %llu is wrong\n",
            (unsigned long long)number);
    fprintf(stderr, "  account of the thread: %u\n",
            tm_thread_account(tstate));
    fprintf(stderr, "  frames of the thread, newest first:\n");
    for (_PyInterpreterFrame *frame = _PyThreadState_GetFrame(tstate);
         frame != NULL; frame = _PyFrame_GetFirstComplete(frame->previous))
    {
        fprintf(stderr, "    code %u line %d owner %d marked %d %p\n",
                _PyFrame_GetCode(frame)->_co_tracemalloc_id,
                PyUnstable_InterpreterFrame_GetLine(frame), frame->owner,
                frame->tracemalloc_mark, (void *)frame);
    }
    fprintf(stderr, "  context, newest first:\n    code %u line %d\n",
            tm_context_code(context), tm_context_line(context));
    node_id node = tm_context_node(context);
    for (; !tm_node_is_root(&S->tree, node);
         node = tm_node_parent(&S->tree, node))
    {
        fprintf(stderr, "    code %u line %d\n",
                tm_node_code(&S->tree, node),
                tm_node_line(&S->tree, node));
    }
    fprintf(stderr, "    account %u\n", tm_root_account(
        (uint32_t)tm_node_line(&S->tree, node)));
}


void
_PyTraceMalloc_VerifyCapture(PyThreadState *tstate,
                             const struct site *site)
{
    _Py_atomic_add_uint64(&sums->captures, 1);
    uint64_t number = _Py_atomic_add_uint64(&captures, 1) + 1;
    if (!capture_is_right(tstate, site->context)) {
        _Py_atomic_add_uint64(&sums->differences, 1);
        capture_dump(tstate, site->context, number);
        abort();
    }
}

#endif  /* Py_TRACEMALLOC_VERIFY */
