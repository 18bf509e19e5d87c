/* The traceback of a block, as text, for fatal errors.

   Called by the debug hooks of obmalloc.c just before they abort.  Reads the
   store under its lock, and allocates nothing. */

#include "Python.h"
#include "pycore_traceback.h"     // _Py_DumpDecimal()
#include "pycore_fileutils.h"     // _Py_write_noraise()
#include "../access.h"
#include "../hooks/blocks.h"

#define S (&_PyTraceMalloc_State)


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


/* Print where a damaged block was allocated. */
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
    if (tm_look_up(DEFAULT_DOMAIN, (uintptr_t)ptr, &block)) {
        dump_text(fd, "Memory block allocated at (most recent call first):\n");
        const struct context *context = tm_context_at(&S->tree,
                                                      block.context);
        dump_call_site(fd, tm_context_code(context),
                       tm_context_line(context));
        node_id at = tm_context_node(context);
        for (int left = _PyRuntime.tracemalloc.nframe - 1;
             left > 0 && !tm_node_is_root(&S->tree, at); left--)
        {
            struct frame_node node = tm_node(&S->tree, at);
            dump_call_site(fd, node.code, node.line);
            at = node.parent;
        }
        dump_text(fd, "\n");
    }
    tm_end_locked();
}
