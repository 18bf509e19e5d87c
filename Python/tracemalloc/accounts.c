/* Accounts: names for what a program does, and what was allocated for each.

   Functions of the module _tracemalloc, for Lib/tracemalloc/_account.py; calls
   capture, which has to know when a thread goes on for another account.

   An account is a number, from 1 on, with a name.  Names and numbers last as
   long as the runtime: contexts of contextvars keep the number, whatever
   happens to traces meanwhile, and when tracing begins anew they count for the
   same account as before. */

#include "Python.h"
#include "pycore_context.h"       // PyContext
#include "pycore_tracemalloc.h"
#include "access.h"
#include "accounts.h"
#include "capture/accounts.h"
#include "capture/growth.h"
#include "snapshot/decode.h"
#include "snapshot/snapshot.h"

#include <stdlib.h>               // calloc()

#define S (&_PyTraceMalloc_State)

/* Longer names are no names: each is kept. */
#define MAX_NAME 1000


/* --- names --------------------------------------------------------------- */

PART const struct name *
tm_account_name(uint32_t account)
{
    tm_lock();
    const struct name *name = S->accounts->entries[account];
    tm_unlock();
    return name;
}


PART void
tm_forget_accounts(void)
{
    tm_lock();
    if (S->accounts != NULL) {
        tm_drop_names(S->accounts);
        S->accounts = NULL;
    }
    _PyRuntime.tracemalloc.accounts = 0;
    tm_hold_up(ACCOUNTS_USED, 0);
    tm_unlock();
}


/* NAME_NONE when out of memory; more than MAX_ACCOUNTS if there are too
   many. */
static name_id
account_number_lock_held(PyObject *name)
{
    if (S->accounts == NULL) {
        S->accounts = tm_new_names();
        if (S->accounts == NULL) {
            return NAME_NONE;
        }
    }
    name_id number = tm_add_name(S->accounts, PyUnicode_KIND(name),
                                 PyUnicode_DATA(name),
                                 (size_t)PyUnicode_GET_LENGTH(name));
    if (number > MAX_ACCOUNTS) {
        /* Nobody has this number, which is the next one again. */
        unsigned char *keep = malloc(S->accounts->used);
        if (keep != NULL) {
            memset(keep, 1, S->accounts->used);
            keep[number] = 0;
            tm_free_names_except(S->accounts, keep);
            free(keep);
        }
    }
    return number;
}


PyDoc_STRVAR(account_number_doc,
"_account_number($module, name, /)\n--\n\n"
"The number of the account of that name, which is the same ever after.\n\n"
"Raises ValueError if there are too many, or the name is empty or too long.");

static PyObject *
account_number(PyObject *Py_UNUSED(module), PyObject *name)
{
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "the name of an account must be str, "
                     "not %T", name);
        return NULL;
    }
    Py_ssize_t length = PyUnicode_GET_LENGTH(name);
    if (length == 0 || length > MAX_NAME) {
        PyErr_Format(PyExc_ValueError, "the name of an account must have "
                     "from 1 to %d characters, not %zd", MAX_NAME, length);
        return NULL;
    }
    tm_lock();
    name_id number = account_number_lock_held(name);
    tm_unlock();
    if (number == NAME_NONE) {
        return PyErr_NoMemory();
    }
    if (number > MAX_ACCOUNTS) {
        return PyErr_Format(
            PyExc_ValueError, "there are %d accounts, and no more can be "
            "made: name them after routes or kinds of jobs, not after single "
            "requests", MAX_ACCOUNTS);
    }
    return PyLong_FromUnsignedLong(number);
}


static int
account_of_object(PyObject *object, uint32_t *account)
{
    unsigned long number = PyLong_AsUnsignedLong(object);
    if (number == (unsigned long)-1 && PyErr_Occurred()) {
        return -1;
    }
    tm_lock();
    size_t n = S->accounts != NULL ? S->accounts->used : 1;
    tm_unlock();
    if (number >= n || number > MAX_ACCOUNTS) {
        PyErr_SetString(PyExc_ValueError, "there is no such account");
        return -1;
    }
    *account = (uint32_t)number;
    return 0;
}


/* --- entering and leaving ------------------------------------------------ */

static void
context_set_account(PyContext *context, uint32_t account)
{
    if (!_PyRuntime.tracemalloc.accounts) {
        tm_lock();
        tm_hold_up(ACCOUNTS_USED, 1);
        _PyRuntime.tracemalloc.accounts = 1;
        tm_unlock();
    }
    context->ctx_account = account;
    tm_account_changed(_PyThreadState_GET(), context);
}


/* The context that is current, made if there is none; borrowed. */
static PyContext *
context_current(void)
{
    PyThreadState *tstate = _PyThreadState_GET();
    if (tstate->context == NULL) {
        int was_quiet = _PyTraceMalloc_SetQuiet(tstate, 1);
        tstate->context = PyContext_New();
        _PyTraceMalloc_SetQuiet(tstate, was_quiet);
    }
    return (PyContext *)tstate->context;
}


PyDoc_STRVAR(enter_account_doc,
"_enter_account($module, number, /)\n--\n\n"
"Let what runs in the current context be for an account, 0 being none.\n\n"
"Returns a tuple of the context and the number that it had.");

static PyObject *
enter_account(PyObject *Py_UNUSED(module), PyObject *number)
{
    uint32_t account;
    PyContext *context;
    if (account_of_object(number, &account) < 0
        || (context = context_current()) == NULL)
    {
        return NULL;
    }
    PyObject *before = Py_BuildValue(
        "(Ok)", context, (unsigned long)context->ctx_account);
    if (before != NULL) {
        context_set_account(context, account);
    }
    return before;
}


PyDoc_STRVAR(leave_account_doc,
"_leave_account($module, context, number, /)\n--\n\n"
"Let a context be for an account again: what _enter_account() returned.");

static PyObject *
leave_account(PyObject *Py_UNUSED(module), PyObject *const *args,
              Py_ssize_t nargs)
{
    uint32_t account;
    if (nargs != 2 || !PyContext_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "_leave_account() takes a context "
                        "and a number");
        return NULL;
    }
    if (account_of_object(args[1], &account) < 0) {
        return NULL;
    }
    context_set_account((PyContext *)args[0], account);
    Py_RETURN_NONE;
}


PyDoc_STRVAR(in_account_doc,
"_in_account($module, number, function, args, kwargs, /)\n--\n\n"
"Call a function for an account, with a tuple and a dict of arguments.");

static PyObject *
in_account(PyObject *Py_UNUSED(module), PyObject *const *args,
           Py_ssize_t nargs)
{
    uint32_t account;
    PyContext *context;
    if (nargs != 4 || !PyTuple_Check(args[2]) || !PyDict_Check(args[3])) {
        PyErr_SetString(PyExc_TypeError, "_in_account() takes a number, a "
                        "function, a tuple and a dict");
        return NULL;
    }
    if (account_of_object(args[0], &account) < 0
        || (context = context_current()) == NULL)
    {
        return NULL;
    }
    Py_INCREF(context);
    uint32_t before = context->ctx_account;
    context_set_account(context, account);
    PyObject *kwargs = PyDict_GET_SIZE(args[3]) != 0 ? args[3] : NULL;
    PyObject *result = PyObject_Call(args[1], args[2], kwargs);
    context_set_account(context, before);
    Py_DECREF(context);
    return result;
}


PyDoc_STRVAR(current_context_doc,
"_current_context($module, /)\n--\n\n"
"The context of contextvars that is current, not a copy, or None.");

static PyObject *
current_context(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    PyObject *context = _PyThreadState_GET()->context;
    return Py_NewRef(context != NULL ? context : Py_None);
}


/* --- figures ------------------------------------------------------------- */

/* What all accounts counted, by number. */
struct account_sums {
    struct counters *counters;
    size_t n;
};


/* Add up contexts by the account of their root; one number more than there is
   room for reclaimed ones does for none.  0, or -1 when out of memory. */
static int
accounts_sum_lock_held(struct account_sums *sums)
{
    struct call_tree *tree = &S->tree;
    const struct sampler *sampler = tm_is_sampling() ? &S->sampler : NULL;
    sums->n = tree->naccounts != 0 ? tree->naccounts : 1;
    sums->counters = calloc(sums->n, sizeof(sums->counters[0]));
    uint32_t *memo = calloc(tree->nodes.used, sizeof(memo[0]));
    if (sums->counters == NULL || memo == NULL) {
        free(memo);
        return -1;
    }
    for (context_id id = CONTEXT_UNKNOWN; id < tree->contexts.used; id++) {
        const struct context *context = tm_context_at(tree, id);
        node_id node = tm_context_node(context);
        if (node == NODE_NONE || id == CONTEXT_OWN) {
            continue;
        }
        struct counters *sum = &sums->counters[
            tm_find_account(tree, memo, node)];
        struct counters counted = tm_shown_counters(context, &S->bytes,
                                                    sampler);
        sum->allocated_blocks += counted.allocated_blocks;
        sum->allocated_bytes += counted.allocated_bytes;
        sum->freed_blocks += counted.freed_blocks;
        sum->freed_bytes += counted.freed_bytes;
        sum->peak_blocks += counted.peak_blocks;
        sum->peak_bytes += counted.peak_bytes;
    }
    free(memo);
    struct reclaimed all = {tree->reclaimed_blocks, tree->reclaimed_bytes};
    const struct reclaimed *reclaimed = tree->naccounts != 0 ? tree->accounts
                                                             : &all;
    for (size_t i = 0; i < sums->n; i++) {
        struct counters *sum = &sums->counters[i];
        uint64_t blocks = tm_sampled_blocks(&S->sampler, reclaimed[i].blocks);
        uint64_t bytes = tm_sampled_bytes(&S->sampler, reclaimed[i].bytes);
        sum->allocated_blocks += blocks;
        sum->freed_blocks += blocks;
        sum->allocated_bytes += bytes;
        sum->freed_bytes += bytes;
    }
    return 0;
}


static PyObject *
account_decode(size_t account, const struct counters *sum)
{
    PyObject *name = account == NO_ACCOUNT
        ? Py_NewRef(Py_None)
        : tm_decode_name(tm_account_name((uint32_t)account));
    if (name == NULL) {
        return NULL;
    }
    return Py_BuildValue(
        "(NKKKKKK)", name,
        (unsigned long long)sum->allocated_bytes,
        (unsigned long long)sum->allocated_blocks,
        (unsigned long long)sum->freed_bytes,
        (unsigned long long)sum->freed_blocks,
        (unsigned long long)sum->peak_bytes,
        (unsigned long long)sum->peak_blocks);
}


PyDoc_STRVAR(get_accounts_doc,
"_get_accounts($module, /)\n--\n\n"
"A list with a tuple for each account that ever allocated, and one for what\n"
"is in none, by number:\n\n"
"(name or None, allocated bytes, allocated blocks, freed bytes,\n"
" freed blocks, bytes at the peak, blocks at the peak)\n\n"
"Exact, or estimates when sampling.  Empty when not tracing.\n"
"O(contexts + paths), whatever the number of accounts.");

static PyObject *
get_accounts(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    struct account_sums sums = {NULL, 0};
    if (_PyTraceMalloc_BeginLocked() != ACCESS_NONE) {
        int failed = accounts_sum_lock_held(&sums) < 0;
        tm_end_locked();
        if (failed) {
            free(sums.counters);
            return PyErr_NoMemory();
        }
    }
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < sums.n; i++) {
        if (i != NO_ACCOUNT && sums.counters[i].allocated_blocks == 0) {
            continue;
        }
        PyObject *item = account_decode(i, &sums.counters[i]);
        if (item == NULL || PyList_Append(list, item) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(item);
    }
    free(sums.counters);
    return list;
}


static PyMethodDef account_methods[] = {
    {"_account_number", account_number, METH_O, account_number_doc},
    {"_enter_account", enter_account, METH_O, enter_account_doc},
    {"_leave_account", _PyCFunction_CAST(leave_account), METH_FASTCALL,
     leave_account_doc},
    {"_in_account", _PyCFunction_CAST(in_account), METH_FASTCALL,
     in_account_doc},
    {"_current_context", current_context, METH_NOARGS, current_context_doc},
    {"_get_accounts", get_accounts, METH_NOARGS, get_accounts_doc},
    {NULL, NULL, 0, NULL},
};


int
_PyTraceMalloc_AddAccounts(PyObject *module)
{
    return PyModule_AddFunctions(module, account_methods);
}
