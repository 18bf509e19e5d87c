"""The memory of cells, in IPython and Jupyter: %load_ext tracemalloc.notebook

    %%memory            what the cell holds when it is done, what it held at
    ...                 its peak, and all that it allocated, with the lines

    %memory f(x)        the same of an expression or statement, whose value
                        it returns

Tracing begins when this is loaded, unless it is on already, and ends with
%unload_ext: so that what a cell frees of an older one is known.
Doc/using/notebooks.rst tells what counts.
"""

import ast
import threading
from functools import partial

from _tracemalloc import _claim, _quietly
from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics, line_cell_magic, magics_class, output_can_be_silenced)
from IPython.display import display

from tracemalloc._cli import units
from tracemalloc._cli.names import short_name
from tracemalloc._inline import LINES, CellReport
from tracemalloc._measure import Measure

__all__ = ["load_ipython_extension", "unload_ipython_extension"]

_FRAMES = 25


def load_ipython_extension(shell):
    """Called by %load_ext."""
    magics = MemoryMagics(shell)
    shell.register_magics(magics)


def unload_ipython_extension(shell):
    """Called by %unload_ext."""
    magics = shell.magics_manager.registry.pop("MemoryMagics", None)
    if magics is not None:
        magics.end()
        for kind in shell.magics_manager.magics.values():
            kind.pop("memory", None)


def _run(parts, namespace):
    """Run compiled code; return the value of the last part, if it has one."""
    __tracebackhide__ = True
    statements, expression = parts
    exec(statements, namespace)
    if expression is not None:
        return eval(expression, namespace)


def _other_threads():
    """Return the names of threads that run already, this one aside."""
    return {thread.name for thread in threading.enumerate()
            } - {threading.current_thread().name}


@magics_class
class MemoryMagics(Magics):
    """%memory and %%memory."""

    def __init__(self, shell):
        super().__init__(shell)
        self._claim = _claim(_FRAMES)

    def end(self):
        """Tracing stops, unless somebody else wants it."""
        self._claim = None

    # With a semicolon at its end, as for any cell.
    @output_can_be_silenced
    @line_cell_magic
    def memory(self, line, cell=None):
        """Show the memory of a cell, or of an expression or statement.

            %%memory [-n N]
            ...

            %memory [-n N] EXPRESSION

        -n N    lines to show (default: 10)

        All figures are exact, and of the whole process.  Compiling the cell,
        showing its value and keeping that in Out count as nothing of the
        cell's, but what Out keeps is held.
        """
        __tracebackhide__ = True
        options, rest = self.parse_options(line, "n:", posix=False)
        try:
            limit = units.number(options.get("n", str(LINES)))
        except ValueError as error:
            raise UsageError(f"%memory: -n: {error}") from None
        if cell is not None and rest.strip():
            raise UsageError("%%memory takes options only; the code is below: "
                             f"{rest.strip()[:80]!r}")
        if cell is None and not rest.strip():
            raise UsageError("%memory takes an expression, as in "
                             "%memory sorted(words)")
        parts = _quietly(self._compile, rest if cell is None else cell)
        others = _quietly(_other_threads)
        measure = Measure(snapshots=True)
        value = measure.call(partial(_run, parts, self.shell.user_ns))
        report = _quietly(CellReport, measure, self._name_of, limit, others,
                          parts[0].co_filename)
        # Its snapshots are not needed any more.
        del measure
        display(report)
        return value

    def _compile(self, source):
        """Return the code of all statements, and of a last expression."""
        __tracebackhide__ = True
        shell = self.shell
        text = shell.transform_cell(source)
        # That of the cell that runs, which execution_count is past already.
        number = len(shell.history_manager.input_hist_parsed) - 1
        name = shell.compile.cache(text, number, raw_code=source)
        tree = shell.transform_ast(shell.compile.ast_parse(text, name))
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = shell.compile(ast.Expression(tree.body.pop().value), name,
                                 "eval")
        return shell.compile(tree, name, "exec"), last

    def _name_of(self, filename):
        """Return what a file is called, which may be a cell."""
        found = self.shell.compile.format_code_name(filename)
        return " ".join(found) if found else short_name(filename)
