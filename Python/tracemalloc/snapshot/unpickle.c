/* Tuples of pickles: what most of a pickled snapshot is made of.

   A function of the module _tracemalloc, for Lib/tracemalloc/_unpickle.py,
   which carries out all other instructions and says what is always true.  What
   it has as lists, the stack, the marks and the memo, is changed here; at the
   first instruction that is another one, or is not as it should be, reading
   stops before it, and _unpickle.py has its say.

   Tuples that the same instructions make are one object, as far as the cache
   remembers them: a place in the file, and the place in the memo of what was
   made there.  The cache is a buffer of the reader's; what it says is compared
   with the file before it is believed. */

#include "Python.h"
#include "reports.h"

#include <stdlib.h>               // calloc()

#define MAX_NESTING 3           /* of tuples: a trace, its frames, a frame */
#define MAX_KEY 32              /* bytes of instructions that are remembered */
#define MAX_ITEMS 4             /* of tuples of that nesting; see nesting_of()
                                   in _unpickle.py */

struct entry {
    uint64_t start;             /* in the file */
    uint32_t length;            /* 0: no entry */
    uint32_t place;             /* in the memo */
};

struct reader {
    const unsigned char *data;
    Py_ssize_t pos, size;
    PyObject *stack, *marks, *memo;     /* lists; `stack` is owned */
    PyObject *spare;            /* an empty list, or NULL; owned */
    PyObject *nesting;          /* {id of a tuple: (tuple, 2)} */
    PyObject *nothing;          /* what stands at empty places of the memo */
    struct entry *cache;
    size_t ncache;
    Py_ssize_t key;             /* where the instructions of a tuple begin, if
                                   these are but numbers and places; or -1 */
    Py_ssize_t pushed[2];       /* where the last two such ones are, or -1 */
    struct entry *pending;      /* of the tuple on top, that is not in the memo
                                   yet */
    Py_ssize_t pending_start, pending_length;
    uint64_t left;              /* bytes that may be spent */
};

enum outcome { DONE, STOP, FAILED };


static enum outcome
spend(struct reader *reader, size_t size)
{
    if (reader->left < size) {
        return STOP;
    }
    reader->left -= size;
    return DONE;
}


static enum outcome
push_new(struct reader *reader, PyObject *object)
{
    if (object == NULL) {
        return FAILED;
    }
    int failed = PyList_Append(reader->stack, object);
    Py_DECREF(object);
    return failed < 0 ? FAILED : DONE;
}


static uint32_t
number_at(const unsigned char *data, int size)
{
    uint32_t number = 0;
    for (int i = size - 1; i >= 0; i--) {
        number = number << 8 | data[i];
    }
    return number;
}


static void
note_push(struct reader *reader, Py_ssize_t start)
{
    reader->pushed[0] = reader->pushed[1];
    reader->pushed[1] = start;
}


static void
note_other(struct reader *reader)
{
    reader->key = reader->pushed[0] = reader->pushed[1] = -1;
}


/* How deep tuples are nested in `object`: 0 if it is none.  -1 on error. */
static int
nesting_of(struct reader *reader, PyObject *object)
{
    if (!PyTuple_CheckExact(object)) {
        return 0;
    }
    PyObject *id = PyLong_FromVoidPtr(object);
    if (id == NULL) {
        return -1;
    }
    PyObject *known = PyDict_GetItemWithError(reader->nesting, id);
    Py_DECREF(id);
    if (known != NULL) {
        /* Deeper ones are the caller's. */
        PyObject *number = PyTuple_GetItem(known, 1);
        return number == NULL ? -1 : (int)PyLong_AsLong(number);
    }
    if (PyErr_Occurred()) {
        return -1;
    }
    if (PyTuple_GET_SIZE(object) <= MAX_ITEMS) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(object); i++) {
            if (PyTuple_CheckExact(PyTuple_GET_ITEM(object, i))) {
                return MAX_NESTING;
            }
        }
    }
    return 1;
}


static int
nesting_note(struct reader *reader, PyObject *tuple)
{
    PyObject *id = PyLong_FromVoidPtr(tuple);
    PyObject *known = Py_BuildValue("(Oi)", tuple, MAX_NESTING - 1);
    int failed = id == NULL || known == NULL
                 || PyDict_SetItem(reader->nesting, id, known) < 0;
    Py_XDECREF(id);
    Py_XDECREF(known);
    return failed ? -1 : 0;
}


/* Find the tuple that these instructions made before: 1 if it is on the stack
   now, 0 if there is none, with an entry pending. */
static enum outcome
cached_push(struct reader *reader, Py_ssize_t start, Py_ssize_t end,
            PyObject **found)
{
    const unsigned char *data = reader->data + start;
    Py_ssize_t length = end - start;
    *found = NULL;
    reader->pending = NULL;
    if (length > MAX_KEY || reader->ncache == 0) {
        return DONE;
    }
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (Py_ssize_t i = 0; i < length; i++) {
        hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
    }
    hash ^= hash >> 29;
    struct entry *entry = &reader->cache[hash & (reader->ncache - 1)];
    if (entry->length == length
        && entry->start <= (uint64_t)(reader->size - length)
        && entry->place < (size_t)PyList_GET_SIZE(reader->memo)
        && memcmp(reader->data + entry->start, data, (size_t)length) == 0)
    {
        PyObject *known = PyList_GET_ITEM(reader->memo, entry->place);
        if (PyTuple_CheckExact(known)) {
            *found = Py_NewRef(known);
            return DONE;
        }
    }
    reader->pending = entry;
    reader->pending_start = start;
    reader->pending_length = length;
    return DONE;
}


/* Let go of the stack; an empty list is kept for the next mark. */
static void
stack_drop(struct reader *reader)
{
    if (reader->spare == NULL && Py_REFCNT(reader->stack) == 1
        && PyList_SetSlice(reader->stack, 0, PY_SSIZE_T_MAX, NULL) == 0)
    {
        reader->spare = reader->stack;
    }
    else {
        Py_DECREF(reader->stack);
    }
    reader->stack = NULL;
}


static PyObject *
tuple_make(PyObject *stack, Py_ssize_t first, Py_ssize_t n)
{
    PyObject *made = PyTuple_New(n);
    int is_tracked = 0;
    for (Py_ssize_t i = 0; made != NULL && i < n; i++) {
        PyObject *item = PyList_GET_ITEM(stack, first + i);
        is_tracked |= PyObject_IS_GC(item) && PyObject_GC_IsTracked(item);
        PyTuple_SET_ITEM(made, i, Py_NewRef(item));
    }
    if (made != NULL && !is_tracked && n > 0) {
        /* As the collector would find out; there may be millions. */
        PyObject_GC_UnTrack(made);
    }
    return made;
}


/* Make a tuple of the last `n` items of the stack, and push it in their place:
   onto `under`, the stack below a mark, if there is one. */
static enum outcome
tuple_push(struct reader *reader, Py_ssize_t n, PyObject *under,
           Py_ssize_t start)
{
    Py_ssize_t first = PyList_GET_SIZE(reader->stack) - n;
    PyObject *made = NULL;
    enum outcome outcome = spend(reader, 16);
    if (outcome == DONE && start >= 0) {
        outcome = cached_push(reader, start, reader->pos + 1, &made);
    }
    else {
        reader->pending = NULL;
    }
    if (outcome != DONE) {
        return outcome;
    }
    if (made == NULL) {
        int nesting = 0;
        for (Py_ssize_t i = first; i < first + n; i++) {
            int below = nesting_of(reader, PyList_GET_ITEM(reader->stack, i));
            if (below < 0) {
                return FAILED;
            }
            nesting = Py_MAX(nesting, below);
        }
        if (nesting >= MAX_NESTING
            || (nesting == MAX_NESTING - 1 && n > MAX_ITEMS)
            || spend(reader, 112 + 8 * (size_t)n
                             + (nesting == 1 ? 150 : 0)) != DONE)
        {
            return STOP;
        }
        made = tuple_make(reader->stack, first, n);
        if (made == NULL
            || (nesting == 1 && nesting_note(reader, made) < 0))
        {
            Py_XDECREF(made);
            return FAILED;
        }
    }
    if (under != NULL) {
        stack_drop(reader);
        reader->stack = Py_NewRef(under);
    }
    else if (PyList_SetSlice(reader->stack, first, first + n, NULL) < 0) {
        Py_DECREF(made);
        return FAILED;
    }
    return push_new(reader, made);
}


static enum outcome
mark_pop(struct reader *reader)
{
    Py_ssize_t n = PyList_GET_SIZE(reader->marks);
    if (n == 0 || !PyList_CheckExact(PyList_GET_ITEM(reader->marks, n - 1))) {
        return STOP;
    }
    PyObject *under = Py_NewRef(PyList_GET_ITEM(reader->marks, n - 1));
    Py_ssize_t key = reader->key;
    enum outcome outcome = tuple_push(
        reader, PyList_GET_SIZE(reader->stack), under, key);
    Py_DECREF(under);
    if (outcome == DONE
        && PyList_SetSlice(reader->marks, n - 1, n, NULL) < 0)
    {
        outcome = FAILED;
    }
    note_other(reader);
    reader->pos++;
    return outcome;
}


static enum outcome
mark_push(struct reader *reader)
{
    PyObject *stack = reader->spare != NULL ? reader->spare : PyList_New(0);
    reader->spare = NULL;
    if (stack == NULL || PyList_Append(reader->marks, reader->stack) < 0) {
        Py_XDECREF(stack);
        return FAILED;
    }
    Py_SETREF(reader->stack, stack);
    note_other(reader);
    reader->key = reader->pos++;
    return spend(reader, 56);
}


static enum outcome
number_push(struct reader *reader, int size)
{
    if (reader->size - reader->pos <= size) {
        return STOP;
    }
    uint32_t number = number_at(reader->data + reader->pos + 1, size);
    note_push(reader, reader->pos);
    reader->pos += 1 + size;
    return push_new(reader, size == 4
        ? PyLong_FromLong((int32_t)number) : PyLong_FromLong((long)number));
}


static enum outcome
memo_push(struct reader *reader, int size)
{
    if (reader->size - reader->pos <= size) {
        return STOP;
    }
    uint32_t place = number_at(reader->data + reader->pos + 1, size);
    if (place >= (size_t)PyList_GET_SIZE(reader->memo)) {
        return STOP;
    }
    PyObject *object = PyList_GET_ITEM(reader->memo, place);
    if (object == reader->nothing) {
        return STOP;
    }
    note_push(reader, reader->pos);
    reader->pos += 1 + size;
    return spend(reader, 8) == DONE ? push_new(reader, Py_NewRef(object))
                                    : STOP;
}


/* Put what is on top into the memo, at the end. */
static enum outcome
memo_put(struct reader *reader, int size)
{
    Py_ssize_t n = PyList_GET_SIZE(reader->stack);
    Py_ssize_t place = PyList_GET_SIZE(reader->memo);
    if (n == 0 || reader->size - reader->pos <= size
        || (size != 0 && number_at(reader->data + reader->pos + 1, size)
                         != (uint64_t)place))
    {
        return STOP;
    }
    struct entry *entry = reader->pending;
    if (entry != NULL && (uint64_t)place < UINT32_MAX) {
        *entry = (struct entry){
            .start = (uint64_t)reader->pending_start,
            .length = (uint32_t)reader->pending_length,
            .place = (uint32_t)place,
        };
        reader->pending = NULL;
    }
    reader->pos += 1 + size;
    note_other(reader);
    return PyList_Append(reader->memo,
                         PyList_GET_ITEM(reader->stack, n - 1)) < 0
           ? FAILED : DONE;
}


static enum outcome
instruction_read(struct reader *reader)
{
    switch (reader->data[reader->pos]) {
    case '(':
        return mark_push(reader);
    case 't':
        return mark_pop(reader);
    case 'K':
        return number_push(reader, 1);
    case 'M':
        return number_push(reader, 2);
    case 'J':
        return number_push(reader, 4);
    case 'h':
        return memo_push(reader, 1);
    case 'j':
        return memo_push(reader, 4);
    case 0x86: {
        if (PyList_GET_SIZE(reader->stack) < 2) {
            return STOP;
        }
        enum outcome outcome = tuple_push(reader, 2, NULL, reader->pushed[0]);
        note_other(reader);
        reader->pos++;
        return outcome;
    }
    case 0x94:
        return memo_put(reader, 0);
    case 'q':
        return memo_put(reader, 1);
    case 'r':
        return memo_put(reader, 4);
    default:
        return STOP;
    }
}


PyDoc_STRVAR(read_tuples_doc,
"_read_tuples($module, data, pos, stack, marks, memo, nesting, nothing,\n"
"             cache, left, /)\n--\n\n"
"Carry out instructions of a pickle that make tuples, and note them.\n\n"
"Returns where reading stopped, the stack, and what is left to be spent.");


static PyObject *
read_tuples(PyObject *self, PyObject *args)
{
    Py_buffer data, cache;
    PyObject *stack;
    unsigned long long left;
    struct reader reader;
    if (!PyArg_ParseTuple(args, "y*nO!O!O!O!Ow*K:_read_tuples",
                          &data, &reader.pos, &PyList_Type, &stack,
                          &PyList_Type, &reader.marks,
                          &PyList_Type, &reader.memo,
                          &PyDict_Type, &reader.nesting, &reader.nothing,
                          &cache, &left))
    {
        return NULL;
    }
    reader.data = data.buf;
    reader.size = data.len;
    reader.stack = Py_NewRef(stack);
    reader.spare = NULL;
    reader.left = left;
    reader.cache = cache.buf;
    reader.ncache = (size_t)cache.len / sizeof(struct entry);
    if ((reader.ncache & (reader.ncache - 1)) != 0
        || (uintptr_t)cache.buf % sizeof(uint64_t) != 0)
    {
        reader.ncache = 0;
    }
    reader.pending = NULL;
    note_other(&reader);
    enum outcome outcome = reader.pos < 0 ? STOP : DONE;
    Py_ssize_t before = reader.pos;
    while (outcome == DONE && reader.pos < reader.size) {
        before = reader.pos;
        outcome = instruction_read(&reader);
    }
    if (outcome == STOP) {
        reader.pos = before;
    }
    PyObject *result = outcome == FAILED ? NULL
        : Py_BuildValue("(nOK)", reader.pos, reader.stack,
                        (unsigned long long)reader.left);
    Py_XDECREF(reader.stack);
    Py_XDECREF(reader.spare);
    PyBuffer_Release(&data);
    PyBuffer_Release(&cache);
    return result;
}


/* --- the functions ------------------------------------------------------- */

static PyMethodDef unpickle_methods[] = {
    {"_read_tuples", read_tuples, METH_VARARGS, read_tuples_doc},
    {NULL, NULL, 0, NULL},
};


int
_PyTraceMalloc_AddUnpickling(PyObject *module)
{
    return PyModule_AddFunctions(module, unpickle_methods);
}
