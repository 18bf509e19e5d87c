"""Children of a program that `run` traces: which, how they are, who they are.

    forked      by os.fork(), and so by multiprocessing's fork: they have the
                recorder from their parent; see Recorder.after_fork()
    started     by multiprocessing's spawn and forkserver, and, if asked for,
                by subprocess and others: an environment variable tells them
                what to do, and the interpreter calls join() before their
                program begins

Each writes its own files.  What the summary tells of them is in a file that
all of them add lines to, the register: beside the snapshots, and there only
while the program runs, once there is a child.

    begin <tab> pid <tab> parent <tab> name
    exec  <tab> pid <tab> parent <tab> name
    end   <tab> pid <tab> parent <tab> name <tab> held <tab> peak <tab> file

A child tells that it begins before its program goes on, so that one that is
killed is known.  One that becomes another program is no child any more.

Modules are imported here when somebody needs them: to import this one changes
nothing for the program.
"""

import os
import sys

from tracemalloc._writing import add_line

VARIABLE = "_PYTHON_TRACEMALLOC_RUN"

# Which children are traced: those that run the program, also other programs,
# or none.
OWN, ALL, NONE = WHICH = "own", "all", "none"

# The recorder of this process, if it is a child that was started.
joined = []

# Of a register that somebody has written into.
_MAX_REGISTER = 1 << 26


# The environment


def _escaped(text):
    for character, code in ("%", "%25"), ("\n", "%0A"), ("\t", "%09"):
        text = text.replace(character, code)
    return text


def _unescaped(text):
    for character, code in ("\n", "%0A"), ("\t", "%09"), ("%", "%25"):
        text = text.replace(code, character)
    return text


def announce(which, root, register, arguments):
    """Have the Pythons that are started from now on call join().

    which     -- OWN or ALL
    root      -- number of the process that shows the summary
    register  -- name of the register
    arguments -- options of `run`, as list
    """
    text = "\n".join(map(_escaped, (which, str(root), register, *arguments)))
    if which == ALL:
        # Where those see it who start others with what they find there.
        os.environ[VARIABLE] = text
    else:
        os.putenv(VARIABLE, text)


def _kind():
    """Return what of multiprocessing this process is, '' if nothing."""
    for kind, begin in (
            ("spawn", "from multiprocessing.spawn import "),
            ("forkserver", "from multiprocessing.forkserver import "),
            # Others have one of their own.
            ("tracker", "resource_tracker import main")):
        if any(begin in text for text in sys.orig_argv[1:]):
            return kind
    return ""


def join():
    """Trace this process as the one that has started it wants it to.

    Called by the interpreter if VARIABLE is set, and it is meant: see
    _PyTraceMalloc_JoinFamily().
    """
    which, *rest = map(_unescaped, os.environ[VARIABLE].split("\n"))
    kind = _kind()
    if which != ALL or kind == "tracker":
        # What this process starts is not the program's, or hears of it anew.
        del os.environ[VARIABLE]
    if kind == "tracker" or which != ALL and not kind:
        return
    from tracemalloc._cli import UsageError, run

    try:
        root, register, *arguments = rest
        recorder = run.Recorder(run.options_of(arguments),
                                Register(register, int(root)), kind)
        recorder.start()
        joined.append(recorder)
    except UsageError as error:
        run.say_error(error)
    except ValueError:
        run.say_error(f"{VARIABLE} is not what run has put into it")


# The register


class Register:
    """The file that tells the summary of children."""

    def __init__(self, name, root):
        self.name, self.root = name, root
        # The number of the process if it has been told of.
        self._told = None

    def _add(self, *fields):
        line = "\t".join(map(_escaped, map(str, fields))) + "\n"
        if not is_there(self.root):
            # There is nobody who would read it, and take it away.
            return
        is_new = self._told != os.getpid()
        self._told = os.getpid()
        try:
            add_line(self.name, os.fsencode(line), is_new)
        except FileNotFoundError:
            # It has been read, and taken away.
            if is_new:
                raise

    def begin(self):
        self._add("begin", os.getpid(), os.getppid(), process_name())

    def leave(self):
        self._add("exec", os.getpid(), os.getppid(), process_name())

    def end(self, held, peak, filename):
        self._add("end", os.getpid(), os.getppid(), process_name(), held,
                  peak, filename or "")

    def children(self):
        """Return [Child], in the order of their beginning."""
        try:
            with open(self.name, "rb") as stream:
                lines = stream.read(_MAX_REGISTER)
        except FileNotFoundError:
            return []
        found = {}
        for line in os.fsdecode(lines).split("\n"):
            try:
                kind, pid, parent, name, *rest = map(_unescaped,
                                                     line.split("\t"))
                child = Child(int(pid), int(parent), name)
                if kind == "end":
                    held, peak, child.filename = rest
                    child.held, child.peak = int(held), int(peak)
                if kind == "exec":
                    found.pop(child.pid, None)
                else:
                    found[child.pid] = child
            except ValueError:
                # Such as a line that a full disk has cut.
                continue
        return [*found.values()]

    def remove(self):
        try:
            os.unlink(self.name)
        except OSError:
            pass


class Child:
    """A process of the family: held and peak are bytes, None if unknown.

    filename is '' if it could not write a file, None if it has not ended in a
    way that lets it.  record is the name of its record, if that tells more.
    """

    def __init__(self, pid, parent, name):
        self.pid, self.parent, self.name = pid, parent, name
        self.held = self.peak = self.filename = self.record = None

    @property
    def state(self):
        """'ended', 'running', or 'lost' without a word."""
        if self.filename is not None:
            return "ended"
        return "running" if is_there(self.pid) else "lost"

    def to_json(self):
        return {"pid": self.pid, "parent": self.parent, "name": self.name,
                "state": self.state, "size": self.held,
                "peak_size": self.peak, "file": self.filename or None,
                "record": self.record}


def is_there(pid):
    """Whether a process is running, as far as that can be known."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            # One that nobody has waited for yet has ended, too.
            return not stream.read().rpartition(b") ")[2].startswith(
                (b"Z", b"X"))
    except OSError:
        return True


def process_name():
    """Return what multiprocessing or else the command line calls this."""
    module = sys.modules.get("multiprocessing.process")
    name = getattr(getattr(module, "_current_process", None), "name", None)
    if name not in (None, "MainProcess"):
        return name
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and spec.name != "__main__":
        return spec.name.removesuffix(".__main__")
    return os.path.basename(sys.argv[0] if sys.argv else "") or "python"
