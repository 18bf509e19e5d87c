"""What ends a process without its atexit functions: signals and os._exit().

`run` writes its files then, too.  The program sees nothing of it:

    SIGTERM, SIGHUP     as long as the program has no handler of its own, or
                        has set SIG_DFL again, they call ours, which lets the
                        process die of the same signal afterwards.
                        signal.getsignal() and signal.signal() say SIG_DFL.
    os._exit()          in forked children, where it is the usual end

Whether a child becomes another program is told to the register of the family,
see family.py: os.execv() and os.execve(), which all of that kind in os call.

A handler in Python runs when the main thread comes back to Python: while that
is in C code that does not ask for signals, the process goes on.  A second
signal ends it at once; then, and after SIGKILL, there is no file.

Nothing but modules that every interpreter has is imported here.
"""

import os

import _signal
from _tracemalloc import _deliver_once

_NAMES = "SIGTERM", "SIGHUP"


class DefaultActions:
    """Stands in for the default action of signals that end a process.

    end -- function of the signal's number that is called in the main thread;
           if it returns, the process goes on, and dies of the next one
    """

    def __init__(self, end):
        self._end = end
        self._numbers = frozenset()
        self._handler = self._handle
        self._signal, self._getsignal = _signal.signal, _signal.getsignal

    def install(self):
        """Begin.  A signal that is ignored, or handled, stays so."""
        if os.name != "posix":
            return
        self._numbers = frozenset(
            number for name in _NAMES
            if (number := getattr(_signal, name, None)) is not None)
        _signal.signal, _signal.getsignal = self._replace, self._look
        for number in self._numbers:
            if self._getsignal(number) == _signal.SIG_DFL:
                self._replace(number, _signal.SIG_DFL)

    def uninstall(self):
        """End: default actions are the system's again."""
        if not self._numbers:
            return
        _signal.signal, _signal.getsignal = self._signal, self._getsignal
        for number in self._numbers:
            if self._getsignal(number) is self._handler:
                self._signal(number, _signal.SIG_DFL)
        self._numbers = frozenset()

    def die(self, number):
        """End this process as a signal does that it does not handle."""
        try:
            self._signal(number, _signal.SIG_DFL)
            if os.getpid() != 1:
                os.kill(os.getpid(), number)
        finally:
            # The first process of a container is not ended by such signals.
            _exit_now(128 + number)

    # In place of _signal.signal() and _signal.getsignal(), which all others
    # call

    def _replace(self, number, handler, /):
        if (isinstance(number, int) and number in self._numbers
                and isinstance(handler, int) and handler == _signal.SIG_DFL):
            handler = self._handler
        before = self._signal(number, handler)
        if handler is self._handler and os.getpid() != 1:
            # So that the second one ends a process, too, whose main thread
            # does not come back to Python.
            _deliver_once(number)
        return _signal.SIG_DFL if before is self._handler else before

    def _look(self, number, /):
        found = self._getsignal(number)
        return _signal.SIG_DFL if found is self._handler else found

    def _handle(self, number, frame):
        if self._getsignal(number) is not self._handler:
            # This is the second one.
            self.die(number)
        self._signal(number, self._die_of_second if os.getpid() == 1
                     else _signal.SIG_DFL)
        self._end(number)

    def _die_of_second(self, number, frame):
        self.die(number)


_exit_now = os._exit


def before_exit(function):
    """Have os._exit() call a function first, in this process."""
    after = os._exit

    def _exit(*arguments, **keywords):
        function()
        after(*arguments, **keywords)

    os._exit = _exit


def around_exec(before, after_failure):
    """Have os.execv() and os.execve() call functions, in this process.

    *after_failure* is called if the process is still the same program.
    """
    for name in "execv", "execve":
        function = getattr(os, name, None)
        if function is not None:
            setattr(os, name, _around(function, before, after_failure))


def _around(function, before, after_failure):
    def execute(*arguments, **keywords):
        before()
        try:
            function(*arguments, **keywords)
        except BaseException:
            after_failure()
            raise

    execute.__name__ = execute.__qualname__ = function.__name__
    if function in os.supports_fd:
        os.supports_fd.add(execute)
    return execute
