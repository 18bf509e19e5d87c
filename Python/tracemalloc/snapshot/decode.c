/* Decode: frozen traces -> Python objects; and, for the debug hooks, text.

   Called by Modules/_tracemalloc.c, without any lock: making objects allocates
   memory, which is noted like all other, unless the thread is busy.

   Each name, frame and traceback is made once and shared, as far as they are
   equal: a snapshot of a million blocks has few different tracebacks. */

#include "Python.h"
#include "../access.h"
#include "../hooks/blocks.h"
#include "decode.h"
#include "pycore_traceback.h"     // _Py_DumpDecimal()
#include "pycore_fileutils.h"     // _Py_write_noraise()

#include <stdlib.h>               // calloc()

#define S (&_PyTraceMalloc_State)


/* --- decoding ------------------------------------------------------------ */

void
_PyTraceMalloc_FiniDecoder(struct decoder *decoder)
{
    for (size_t i = 0; decoder->names && i < decoder->frozen->nfiles; i++) {
        Py_XDECREF(decoder->names[i]);
    }
    for (size_t i = 0; decoder->frames && i < decoder->frozen->npaths; i++) {
        Py_XDECREF(decoder->frames[i]);
    }
    for (size_t i = 0; decoder->tracebacks && i < decoder->frozen->ncontexts;
         i++)
    {
        Py_XDECREF(decoder->tracebacks[i]);
    }
    free(decoder->names);
    free(decoder->frames);
    free(decoder->tracebacks);
    Py_XDECREF(decoder->interned);
}


int
_PyTraceMalloc_InitDecoder(struct decoder *decoder,
                           const struct frozen_traces *frozen, uint32_t nframe)
{
    *decoder = (struct decoder){
        .frozen = frozen,
        .nframe = nframe,
        .names = calloc(frozen->nfiles, sizeof(PyObject *)),
        .frames = calloc(frozen->npaths, sizeof(PyObject *)),
        .tracebacks = calloc(frozen->ncontexts, sizeof(PyObject *)),
        .interned = PyDict_New(),
    };
    if (decoder->names == NULL || decoder->frames == NULL
        || decoder->tracebacks == NULL)
    {
        PyErr_NoMemory();
    }
    else if (decoder->interned != NULL) {
        return 0;
    }
    _PyTraceMalloc_FiniDecoder(decoder);
    return -1;
}


/* Borrowed references, here and below. */
static PyObject *
decode_name(struct decoder *decoder, name_id id)
{
    PyObject **name = &decoder->names[id];
    if (*name == NULL) {
        const struct name *file = decoder->frozen->files[id];
        *name = file == NULL
            ? PyUnicode_FromString("<unknown>")
            : PyUnicode_FromKindAndData(file->kind, file->text, file->length);
    }
    return *name;
}


static PyObject *
decode_path(struct decoder *decoder, node_id id)
{
    PyObject **frame = &decoder->frames[id];
    if (*frame == NULL) {
        const struct frozen_path *path = &decoder->frozen->paths[id];
        PyObject *name = decode_name(decoder, path->file);
        if (name != NULL) {
            *frame = Py_BuildValue("(Oi)", name, (int)path->line);
        }
    }
    return *frame;
}


static PyObject *
decode_frames(struct decoder *decoder, const struct frozen_context *context)
{
    /* A block without any frame is shown with one, "<unknown>" line 0. */
    uint32_t nframe = Py_MIN(Py_MAX(context->depth, 1), decoder->nframe);
    PyObject *name = decode_name(decoder, context->file);
    PyObject *frames = name != NULL ? PyTuple_New(nframe) : NULL;
    if (frames == NULL) {
        return NULL;
    }
    PyObject *newest = Py_BuildValue("(Oi)", name, (int)context->line);
    PyTuple_SET_ITEM(frames, 0, newest);
    node_id at = context->path;
    for (uint32_t i = 1; newest != NULL && i < nframe; i++) {
        newest = Py_XNewRef(decode_path(decoder, at));
        PyTuple_SET_ITEM(frames, i, newest);
        at = decoder->frozen->paths[at].parent;
    }
    if (newest == NULL) {
        Py_CLEAR(frames);
    }
    return frames;
}


PyObject *
_PyTraceMalloc_DecodeTraceback(struct decoder *decoder, context_id id)
{
    PyObject **traceback = &decoder->tracebacks[id];
    if (*traceback == NULL) {
        PyObject *frames = decode_frames(decoder,
                                         &decoder->frozen->contexts[id]);
        if (frames == NULL) {
            return NULL;
        }
        /* Different contexts may look alike: cut at the limit, or two
           instructions of one line.  In two steps, since CPython 3.13.5 breaks
           the dict if PyDict_SetDefaultRef() finds no memory. */
        int found = PyDict_GetItemRef(decoder->interned, frames, traceback);
        if (found == 0
            && PyDict_SetItem(decoder->interned, frames, frames) == 0)
        {
            *traceback = Py_NewRef(frames);
        }
        Py_DECREF(frames);
    }
    return *traceback;
}


/* A new reference, here and below. */
static PyObject *
known_or_none(int32_t number)
{
    return number < 0 ? Py_NewRef(Py_None) : PyLong_FromLong(number);
}


/* (function, end line, column, end column), each None if it is not known. */
static PyObject *
decode_detail(struct decoder *decoder, name_id function, int32_t end_line,
              int32_t column, int32_t end_column)
{
    PyObject *name = function == NAME_NONE ? Py_None
                                           : decode_name(decoder, function);
    if (name == NULL) {
        return NULL;
    }
    return Py_BuildValue("(ONNN)", name, known_or_none(end_line),
                         known_or_none(column), known_or_none(end_column));
}


PyObject *
_PyTraceMalloc_DecodeDetails(struct decoder *decoder, context_id id,
                             const struct location *where)
{
    const struct frozen_context *context = &decoder->frozen->contexts[id];
    uint32_t nframe = Py_MIN(Py_MAX(context->depth, 1), decoder->nframe);
    PyObject *details = PyTuple_New(nframe);
    if (details == NULL) {
        return NULL;
    }
    PyObject *detail = decode_detail(
        decoder, context->function,
        where->lines < 0 ? -1 : context->line + where->lines,
        where->column, where->end_column);
    PyTuple_SET_ITEM(details, 0, detail);
    node_id at = context->path;
    for (uint32_t i = 1; detail != NULL && i < nframe; i++) {
        const struct frozen_path *path = &decoder->frozen->paths[at];
        detail = decode_detail(decoder, path->function, -1, -1, -1);
        PyTuple_SET_ITEM(details, i, detail);
        at = path->parent;
    }
    if (detail == NULL) {
        Py_CLEAR(details);
    }
    return details;
}


int
_PyTraceMalloc_TotalFrames(const struct decoder *decoder, context_id id)
{
    uint32_t depth = decoder->frozen->contexts[id].depth;
    return (int)Py_MIN(Py_MAX(depth, 1), MAX_NFRAME);
}


PyObject *
_PyTraceMalloc_DecodeBlock(struct decoder *decoder, const struct block *block)
{
    PyObject *traceback = _PyTraceMalloc_DecodeTraceback(decoder,
                                                         block->context);
    if (traceback == NULL) {
        return NULL;
    }
    int total = _PyTraceMalloc_TotalFrames(decoder, block->context);
    return Py_BuildValue("(IKOi)", (unsigned int)block->domain,
                         (unsigned long long)block->size, traceback, total);
}


/* --- fatal errors -------------------------------------------------------- */

static void
dump_text(int fd, const char *text)
{
    (void)_Py_write_noraise(fd, text, strlen(text));
}


static void
dump_name(int fd, const struct name *file)
{
    /* Like _Py_DumpASCII(), for a name that is no str: printable ASCII as it
       is, the rest escaped, long names cut. */
    const size_t longest = 500;
    for (size_t i = 0; i < Py_MIN(file->length, longest); i++) {
        Py_UCS4 ch = PyUnicode_READ((int)file->kind, file->text, i);
        if (' ' <= ch && ch <= '~') {
            char byte = (char)ch;
            (void)_Py_write_noraise(fd, &byte, 1);
        }
        else {
            int width = ch <= 0xff ? 2 : ch <= 0xffff ? 4 : 8;
            dump_text(fd, width == 2 ? "\\x" : width == 4 ? "\\u" : "\\U");
            _Py_DumpHexadecimal(fd, ch, width);
        }
    }
    if (file->length > longest) {
        dump_text(fd, "...");
    }
}


static void
dump_call_site(int fd, code_id code, int32_t line)
{
    name_id file = tm_code_at(&S->codes, code)->file;
    dump_text(fd, "  File \"");
    if (file == NAME_NONE) {
        dump_text(fd, "<unknown>");
    }
    else {
        dump_name(fd, S->codes.names->entries[file]);
    }
    dump_text(fd, "\", line ");
    _Py_DumpDecimal(fd, line);
    dump_text(fd, "\n");
}


/* Print where a block was allocated; the debug hooks of obmalloc.c call this
   when they found it damaged, just before they abort.  Allocates nothing. */
void
_PyMem_DumpTraceback(int fd, const void *ptr)
{
    enum access access = _PyTraceMalloc_BeginLocked();
    if (access == ACCESS_NONE) {
        dump_text(fd, "Enable tracemalloc to get the memory ");
        dump_text(fd, "block allocation traceback\n\n");
        return;
    }
    struct block block;
    if (_PyTraceMalloc_LookUp(DEFAULT_DOMAIN, (uintptr_t)ptr, &block)) {
        dump_text(fd, "Memory block allocated at (most recent call first):\n");
        const struct context *context = tm_context_at(&S->tree,
                                                      block.context);
        dump_call_site(fd, context->code, context->line);
        node_id at = context->node;
        for (int left = _PyRuntime.tracemalloc.nframe - 1;
             left > 0 && !tm_node_is_root(&S->tree, at); left--)
        {
            const struct frame_node *path = tm_node_at(&S->tree, at);
            dump_call_site(fd, path->code, path->line);
            at = path->parent;
        }
        dump_text(fd, "\n");
    }
    tm_end_locked();
}
