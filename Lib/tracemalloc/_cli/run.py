"""run: a program, as if it had been started directly, and its memory.

The program runs in this process, in the module __main__, which is emptied for
it.  What directly started programs find, it finds: arguments, sys.path[0],
__main__ with the right attributes, an untouched standard input, default
handlers of signals.  How it ends is how the process ends: see endings.py for
signals, and family.py for its children.

Recorder.start() is the last that happens before the program.  Snapshots at
exit are written after the functions that the program registered with atexit,
and after its threads, have ended.

No module is imported here that `python -m tracemalloc` has not imported yet,
except for those that do nothing but this work, or that an option asks for.
"""

import atexit
import linecache
import os
import re
import runpy
import sys
import time
from importlib.machinery import (
    BuiltinImporter, SourcelessFileLoader, SourceFileLoader)
from importlib.util import MAGIC_NUMBER
from io import open_code

import tracemalloc
from _tracemalloc import (
    _end_record, _get_record, _quietly, get_sample_interval)
from tracemalloc import _writing
from tracemalloc._cli import (
    PROGRAM, UsageError, _one_line, _tell, _waits, endings, family, units)
from tracemalloc._groups import MACHINERY

HELP = f"""\
usage: {PROGRAM} run [options] SCRIPT [arguments ...]
       {PROGRAM} run [options] -m MODULE [arguments ...]
       {PROGRAM} run [options] -c CODE [arguments ...]

Run a program as if it had been started directly, and trace its memory.  When
it ends, also by SIGTERM or SIGHUP, write a snapshot file, and a summary to
standard error.  Children that it forks, and those of multiprocessing, write
files of their own.  Options of the interpreter go before -m tracemalloc.

options:
  --frames N              frames to keep of each call path (default: 25)
  --sample-interval SIZE  trace samples, one per SIZE bytes, not every block
  -o, --output TEMPLATE   name of the files, with $pid, $timestamp, $counter
                          (default: tracemalloc-$pid-$counter.tmz); those that
                          end in .tmz keep all that is known, others can be
                          loaded by any CPython
  --at-peak               also write a snapshot of the peak, at exit
  --on-signal             also write a snapshot whenever SIGUSR2 comes
  --every TIME            also write a snapshot every TIME, such as 250ms or
                          5min
  --threshold SIZE        also write one when traced memory has moved by SIZE
  --report                also write a page for a browser at exit,
                          tracemalloc.PID.html: see 'report'
  --no-file               write no snapshot at exit
  --children WHICH        which children write files, too: own, those of
                          os.fork() and multiprocessing (the default); all,
                          also other programs of this Python; or none
  -n, --limit N           groups to show in the summary (default: 10)
  -g, --group-by KEY      lineno, filename, function, module, traceback,
                          thread, account or domain (default: lineno)
  -q, --quiet             no summary
  --json                  the summary as one line of JSON
  --full-paths            show names of files in full in the summary
  --color WHEN            auto, always or never
  -h, --help              show this text

example: {PROGRAM} run --at-peak -o 'app-$counter.tmz' app.py -v
"""

_FLAGS = ("--at-peak", "--on-signal", "--report", "--no-file",
          "--full-paths", "--quiet", "--json", "--help")
# -f is an older spelling, which help does not show: elsewhere it means files.
_SHORT = {"-f": "--frames", "-o": "--output", "-n": "--limit",
          "-g": "--group-by", "-q": "--quiet", "-h": "--help"}
_GROUPS = {"line": "lineno", "file": "filename"} | {
    name: name for name in ("lineno", "filename", "function", "module",
                            "traceback", "thread", "account", "domain")}


def _one_of(choices):
    def convert(text):
        if text not in choices:
            raise ValueError(f"{text!r} is none of {', '.join(choices)}")
        return choices[text] if isinstance(choices, dict) else text
    return convert


_VALUES = {
    "--frames": units.frames, "--sample-interval": units.interval,
    "--output": str, "--every": units.seconds, "--threshold": units.some,
    "--limit": units.number, "--group-by": _one_of(_GROUPS),
    "--children": _one_of(family.WHICH),
    "--color": _one_of(("auto", "always", "never")),
}


class Options:
    """What was asked for; see HELP."""

    frames = 25
    sample_interval = output = every = threshold = None
    at_peak = on_signal = report = no_file = False
    full_paths = quiet = json = help = False
    limit = 10
    group_by = "lineno"
    color = "auto"
    children = family.OWN


class Program:
    """What to run: kind is 'script', '-m' or '-c'; argv is for sys.argv."""

    def __init__(self, kind, name, arguments):
        self.kind, self.name = kind, name
        self.argv = [name if kind == "script" else kind, *arguments]


# Not argparse: the program would find it imported, and would not be seen to
# pay for it.
def parse(arguments):
    """Return (Options, Program); UsageError if they are wrong."""
    options = Options()
    waiting = list(arguments)
    program = None
    while waiting and program is None:
        argument = waiting.pop(0)
        if argument == "--":
            break
        if argument[:2] in ("-m", "-c"):
            kind, name = argument[:2], argument[2:]
            if not name:
                if not waiting:
                    raise UsageError(f"{kind} needs "
                                     + ("a module" if kind == "-m"
                                        else "code"))
                name = waiting.pop(0)
            program = Program(kind, name, waiting)
        elif argument == "-" or not argument.startswith("-"):
            waiting.insert(0, argument)
            break
        else:
            _set_option(options, argument, waiting)
    if program is None:
        if not waiting:
            raise UsageError("name a script, or a module with -m, or code "
                             "with -c (--help lists the options)")
        program = Program("script", waiting[0], waiting[1:])
    if program.kind == "script":
        if program.name == "-":
            raise UsageError("a program cannot be read from standard input: "
                             "write it to a file")
        if not os.path.exists(program.name):
            raise UsageError(f"{program.name}: there is no such file")
        if not os.access(program.name, os.R_OK):
            raise UsageError(f"{program.name}: the file may not be read")
    return options, program


def value_follows(option):
    """Return whether the word behind an option is its value."""
    return _SHORT.get(option, option) in _VALUES


def options_of(arguments):
    """Return Options of arguments without a program."""
    options = Options()
    waiting = list(arguments)
    while waiting:
        _set_option(options, waiting.pop(0), waiting)
    return options


def _set_option(options, argument, waiting):
    name, equals, value = argument.partition("=")
    if not argument.startswith("--") and len(argument) > 2:
        name, equals, value = argument[:2], "=", argument[2:]
    name = _SHORT.get(name, name)
    if name in _FLAGS:
        if equals:
            raise UsageError(f"{name} takes no value")
        if name == "--help":
            sys.stdout.write(HELP)
            sys.stdout.flush()
            sys.exit(0)
        value = True
    elif name in _VALUES:
        if not equals:
            if not waiting:
                raise UsageError(f"{name} needs a value")
            value = waiting.pop(0)
        try:
            value = _VALUES[name](value)
        except ValueError as error:
            raise UsageError(f"{name}: {error}") from None
    else:
        from difflib import get_close_matches

        near = get_close_matches(name, (*_FLAGS, *_VALUES), 1, 0.7)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"there is no option {argument}{meant} "
                         "(--help lists the options)")
    setattr(options, name.removeprefix("--").replace("-", "_"), value)


# Names of files

# What somebody wants who has a file of run called so -> what makes it.
_NO_SNAPSHOTS = {
    ".html": "a page with the command report, or at once with --report,",
    ".json": "JSON with export", ".csv": "a table with export",
    ".collapsed": "stacks with export", ".gz": "a profile with export",
    ".pb": "a profile with export",
}


def _folder(may_fail):
    """Return the name of the current folder; if it may fail, None."""
    try:
        return os.getcwd()
    except OSError:
        if may_fail:
            return None
        raise UsageError("the current folder has been removed: go to another "
                         "one, or give --output a name that begins with "
                         "/") from None


_VARIABLE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})?", re.A)


def expand(template, counter):
    """Return the file name that a template stands for now."""
    values = {"pid": str(os.getpid()), "counter": f"{counter:04}",
              "timestamp": time.strftime("%Y-%m-%d_%H-%M-%S")}

    def value(found):
        dollar, *names = found.groups()
        name = names[0] or names[1]
        if not dollar and name not in values:
            raise UsageError(f"{template}: after $ there has to be pid, "
                             "timestamp, counter or another $")
        return dollar or values[name]

    return _VARIABLE.sub(value, template)


def _variables(template):
    """Return the set of names in a template; UsageError for wrong ones."""
    expand(template, 1)
    return {name for _, *names in _VARIABLE.findall(template)
            for name in names if name}


def _for_children(template):
    """Return a template whose files have the number of the process."""
    if "pid" in _variables(template):
        return template
    stem, suffix = os.path.splitext(template)
    return f"{stem}.$pid{suffix}"


class Recorder:
    """Writes snapshots of the program, and the summary.

    register -- where the process stands that shows the summary, in others
                than that one
    kind     -- what of multiprocessing this process is: see family.py
    """

    def __init__(self, options, register=None, kind=""):
        self._options = options
        template = options.output
        if template is None:
            template = "tracemalloc-$pid-$counter.tmz"
        is_absolute = os.path.isabs(template)
        # The program may go elsewhere.
        self._folder = _folder(is_absolute)
        if not is_absolute:
            # The name of a folder is no template.
            template = os.path.join(self._folder.replace("$", "$$"), template)
        self._template = os.path.normpath(template)
        self._variables = _variables(self._template)
        self._check_template()
        if options.report:
            self._check_place(self._page())
        self._is_child = register is not None
        self._kind = kind
        self._register = register or self._new_register()
        # Those of a child would not be beside what is no file.
        self._is_followed = options.children != family.NONE and (
            self._is_child or not _is_special(expand(self._template, 1)))
        self._actions = endings.DefaultActions(self._end)
        self._tells_exec = False
        # That of -X tracemalloc, which goes on.
        self._record = _get_record()
        self._begin_process()

    def _begin_process(self):
        """Begin to record this process, which is a new one."""
        self._pid = os.getpid()
        self._names = []
        self._watch = None
        # What _take() has returned already.
        self._taken = None
        self._writing = self._closing = False
        # The signal that ends the process as soon as a file is complete.
        self._ended_by = None

    def _new_register(self):
        folder = os.path.dirname(expand(self._template, 1))
        name = f".tracemalloc-{os.getpid()}-{os.urandom(8).hex()}.family"
        return family.Register(os.path.join(folder, name), os.getpid())

    def _check_template(self):
        options, template = self._options, self._template
        if not options.output and options.output is not None:
            raise UsageError("--output needs a file name")
        if (options.output or "").endswith(os.sep):
            raise UsageError(f"{options.output}: --output needs the name of a "
                             f"file in it: {options.output}app-$pid.tmz")
        ending = os.path.splitext(template)[1].lower()
        if ending in _NO_SNAPSHOTS:
            raise UsageError(
                f"--output {options.output}: files of run are snapshots, such "
                f"as app.tmz; make {_NO_SNAPSHOTS[ending]} of one")
        if options.on_signal:
            import signal

            if not hasattr(signal, "SIGUSR2"):
                raise UsageError("there is no SIGUSR2 on this system")
        several = (options.every or options.threshold or options.on_signal
                   or (options.at_peak and not options.no_file))
        if several or not options.no_file:
            self._check_place(expand(self._template, 1))
        if several and "counter" not in self._variables:
            raise UsageError("there will be several files: put $counter into "
                             "--output")
        if (options.at_peak
                and not template.lower().endswith(".tmz")):
            raise UsageError("snapshots of the peak can only be written to "
                             "files whose names end in .tmz")

    def _page(self):
        """Return the name of the page that --report writes."""
        folder = self._folder or _folder(False)
        return os.path.join(folder, f"tracemalloc.{os.getpid()}.html")

    @staticmethod
    def _check_place(name):
        """UsageError if no file can be written: at exit it is too late."""
        try:
            _writing.check_place(name)
        except OSError as error:
            reason = error.strerror
            if reason.endswith("folder is not writable"):
                reason += ": give --output a name in another one"
            raise UsageError(f"{error.filename}: {reason}") from None

    def start(self):
        """Begin to trace; the program has to follow.

        UsageError if files cannot be written where they should.
        """
        options = self._options
        if self._record is not None:
            self._check_record()
        if options.on_signal:
            import signal

            signal.signal(signal.SIGUSR2, self._on_signal)
        while family.joined:
            # The program that is run is somebody else's family.
            family.joined.pop().cancel()
        atexit.register(self._at_exit)
        # The types of syntax trees are made when compile() is called first.
        # A program that is started directly does not pay for them.
        compile("", "<string>", "exec")
        if options.every or options.threshold:
            # Now, since what it imports is not the program's.
            from tracemalloc import _watch  # noqa: F401
        self._follow()
        self._actions.install()
        _writing.tell_wait = _tell_wait
        self._start_tracing()
        try:
            self._start_watch()
        except OSError as error:
            self.cancel()
            raise UsageError(f"{error.filename}: {error.strerror}") from None

    def _check_record(self):
        """UsageError for options that a record which is kept does not have.
        """
        options = self._options
        frames = tracemalloc.get_traceback_limit()
        if "frames" in vars(options) and options.frames != frames:
            raise UsageError(
                f"--frames {options.frames}: -X tracemalloc keeps a record "
                f"with {frames} frames: leave --frames out, or give -X "
                f"tracemalloc={options.frames},record")
        interval = get_sample_interval()
        if options.sample_interval not in (None, interval):
            raise UsageError(
                f"--sample-interval {options.sample_interval}: -X tracemalloc "
                "keeps a record with other samples, or none: give it "
                f"sample={options.sample_interval}, too")
        options.frames, options.sample_interval = frames, interval

    def _start_tracing(self):
        options = self._options
        if self._record is not None:
            # To begin anew would end the record.
            tracemalloc.clear_traces()
            return
        arguments = {}
        if options.sample_interval:
            arguments["sample_interval"] = options.sample_interval
        # -X tracemalloc may have begun already, with other frames.
        tracemalloc.stop()
        tracemalloc.start(options.frames, **arguments)

    def _start_watch(self):
        """Write files at intervals, if that was asked for."""
        options = self._options
        if (options.every or options.threshold) and \
                self._kind != "forkserver":
            self._watch = tracemalloc.watch(
                self._template, interval=options.every,
                threshold=options.threshold)

    def cancel(self):
        """Write nothing: there was no program."""
        self._closing = True
        atexit.unregister(self._at_exit)
        self._actions.uninstall()
        if self._watch is not None:
            self._watch.stop()
        tracemalloc.stop()

    # Children

    def _follow(self):
        """Have children recorded, too."""
        if hasattr(os, "register_at_fork"):
            # After that of threading, if there is a watch.
            os.register_at_fork(
                after_in_child=lambda: _quietly(self._after_fork))
        if not self._is_followed:
            return
        family.announce(self._options.children, self._register.root,
                        self._register.name, self._arguments())
        if self._is_child and self._kind != "forkserver":
            if self._kind:
                # It gets its name later.
                from multiprocessing import util

                util.register_after_fork(self, Recorder._tell_begin)
            else:
                self._tell_begin()
            self._follow_exec()

    def _follow_exec(self):
        """Have it told when a child becomes another program."""
        if not self._tells_exec:
            self._tells_exec = True
            endings.around_exec(lambda: _quietly(self._tell_exec),
                                lambda: _quietly(self._tell_begin))

    def _arguments(self):
        """Return what of the options concerns children that are started."""
        options = self._options
        found = [f"--frames={options.frames}",
                 f"--children={options.children}",
                 f"--output={_for_children(self._template)}"]
        for name in "sample_interval", "every", "threshold":
            value = getattr(options, name)
            if value is not None:
                found.append(f"--{name.replace('_', '-')}={value:f}"
                             if isinstance(value, float) else
                             f"--{name.replace('_', '-')}={value}")
        found += [flag for flag in ("--at-peak", "--on-signal", "--no-file")
                  if getattr(options, flag[2:].replace("-", "_"))]
        return found

    def _after_fork(self):
        """Record a forked child, in which this is called, on its own."""
        if self._pid == os.getpid():
            return
        if self._closing:
            # It begins when nothing is recorded any more.
            self._pid = os.getpid()
            self._is_child, self._is_followed = True, False
            return
        self._begin_process()
        self._is_child, self._kind = True, ""
        if not self._is_followed:
            return
        self._template = _for_children(self._template)
        # The way in which such processes end.
        endings.before_exit(self._at_os_exit)
        if not _is_for_exec():
            self._tell_begin()
            self._follow_exec()
        if tracemalloc.is_tracing():
            tracemalloc.reset_peak()
            self._attempt(self._template, self._start_watch)
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.register_after_fork(self, Recorder._tell_begin)

    def _tell_begin(self):
        self._tell_register(self._register.begin)

    def _tell_exec(self):
        self._tell_register(self._register.leave)

    def _tell_register(self, function):
        if (self._pid == os.getpid() and self._is_child and self._is_followed
                and not (self._closing or self._options.no_file)):
            self._attempt(self._register.name, function)

    # Writing

    def _write(self, snapshot):
        """Write a snapshot; return the name of its file, None if it fails."""
        name = expand(self._template, len(self._written()) + 1)

        def dump():
            snapshot.dump(name)
            self._names.append(name)

        return name if self._attempt(name, dump) else None

    def _written(self):
        """Return the names of all files that have been written."""
        watched = [] if self._watch is None else self._watch.filenames
        return [*watched, *self._names]

    def _attempt(self, name, function, *arguments):
        """Call a function that writes a file; return whether it did."""
        self._writing = True
        try:
            function(*arguments)
        except Exception as error:
            reason = getattr(error, "strerror", None) or error
            _say(_one_line(f"{PROGRAM} run: {name}: {reason}"))
            return False
        except KeyboardInterrupt:
            if not self._closing:
                raise
            # The program has ended, and has nobody who would take it.
            _say(_one_line(f"{PROGRAM} run: {name}: interrupted"))
            return False
        finally:
            self._writing = False
            if self._ended_by is not None and not self._closing:
                self._end(self._ended_by)
        return True

    def _is_unrecorded(self):
        """Whether this is a child that would write over its parent's files."""
        if self._pid != os.getpid():
            # Forked by what does not tell Python.
            self._after_fork()
        return self._is_child and not self._is_followed

    def _on_signal(self, number, frame):
        # The signal may come while this same thread is writing a file.
        if self._writing:
            return
        if self._is_unrecorded():
            _say(f"{PROGRAM} run: a child of the program writes no snapshots "
                 f"with --children {self._options.children}")
            return
        if not tracemalloc.is_tracing():
            _say(f"{PROGRAM} run: the program has stopped tracing")
        elif self._watch is not None:
            self._attempt(self._template, self._watch.write)
        else:
            self._write(tracemalloc.take_snapshot())

    # The end

    def _at_exit(self):
        if not self._closing:
            self._closing = True
            self._finish()
        self._actions.uninstall()
        if self._ended_by is not None:
            self._actions.die(self._ended_by)

    def _at_os_exit(self):
        if not self._closing and os.getpid() == self._pid:
            self._closing = True
            _quietly(self._finish)
            if self._ended_by is not None:
                self._actions.die(self._ended_by)

    def _end(self, number):
        """End by a signal, in the middle of the program."""
        self._ended_by = number
        if self._writing or self._closing:
            # What is being written is completed first.
            return
        self._closing = True
        try:
            _quietly(self._finish)
        finally:
            self._actions.die(number)

    def _finish(self):
        """Write what is written at the end, and the summary."""
        if self._is_unrecorded() or self._kind == "forkserver":
            return
        if not tracemalloc.is_tracing():
            _say(f"{PROGRAM} run: the program has stopped tracing: there is "
                 "no snapshot")
            return
        if self._watch is not None:
            self._watch.stop()
            if self._watch.error is not None:
                _say(f"{PROGRAM} run: the last snapshot could not be "
                     f"written: {self._watch.error}")
        options = self._options
        snapshot, peak = self._taken or self._take()
        # What follows is not the program's, which has ended for who reads its
        # record as well.
        _end_record()
        tracemalloc.stop()
        files = {}
        before = self._written()
        if before:
            files["before"] = before
        if not options.no_file:
            files["exit"] = self._write(snapshot)
        if peak is not None:
            files["peak"] = self._write(peak)
        if not self._is_child:
            if options.report:
                files["report"] = self._write_page(snapshot, before, files)
            self._tell(snapshot, files)
        elif not options.no_file:
            self._attempt(self._register.name, self._register.end,
                          snapshot.metadata["traced_memory"],
                          snapshot.metadata["traced_memory_peak"],
                          files["exit"])

    def _write_page(self, snapshot, before, files):
        """Write the page of all snapshots; return its name if it succeeds."""
        name = self._page()

        def write():
            from tracemalloc._cli import report

            snapshots = [*map(tracemalloc.Snapshot.load, before), snapshot]
            report.write_page(name, report.render(
                snapshots, [*before, files.get("exit") or "at exit"]))

        return name if self._attempt(name, write) else None

    def _take(self):
        """Return what is written and shown at exit."""
        snapshot = tracemalloc.take_snapshot()
        peak = (tracemalloc.take_peak_snapshot() if self._options.at_peak
                else None)
        return snapshot, peak

    def take_before_report(self):
        """Take now what is written at exit.

        To show an exception takes modules of half a megabyte, which are not
        the program's.  Threads may go on for long, and count.
        """
        threading = sys.modules.get("threading")
        others = threading is not None and any(
            not each.daemon for each in threading.enumerate()
            if each is not threading.main_thread())
        if not others and tracemalloc.is_tracing():
            try:
                self._taken = self._take()
            except MemoryError:
                # Showing what happened comes first; it is tried again then.
                pass

    def _tell(self, snapshot, files):
        """Show the summary, unless that is not wanted."""
        try:
            children = self._register.children()
            if not self._options.quiet:
                self._summarize(snapshot, files, children)
        except Exception as error:
            _say(f"{PROGRAM} run: there is no summary: {error!r}")
        self._register.remove()

    def _summarize(self, snapshot, files, children):
        from tracemalloc._cli.summary import Summary

        summary = Summary(snapshot, files, children, self._options,
                          self._folder, self._ended_by, self._record)
        if self._ended_by is not None:
            # The stream of the program may be in the middle of a line, and
            # what it has not written yet stays so, as without us.
            stream = sys.__stderr__
            if not getattr(stream, "closed", stream is None):
                with open(stream.fileno(), "w", encoding=stream.encoding,
                          errors="backslashreplace", closefd=False) as stream:
                    summary.write(stream)
            return
        stream = sys.stderr
        if getattr(stream, "closed", stream is None):
            return
        if not getattr(sys.stdout, "closed", sys.stdout is None):
            # The program's last words come first.
            sys.stdout.flush()
        summary.write(stream)


def _tell_wait(name):
    _say(_one_line(f"{PROGRAM} run: {_waits(name)}"))


def _is_for_exec():
    """Whether a child was forked to be another program at once.

    By subprocess with a preexec_fn, or by os.spawnv() and the like.
    """
    subprocess = sys.modules.get("subprocess")
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    if frame is None:
        return False
    spawn = getattr(os, "_spawnvef", None)
    return frame.f_code is getattr(spawn, "__code__", None) or (
        subprocess is not None
        and frame.f_code.co_filename == subprocess.__file__)


def _is_special(name):
    """Whether a file is there that is none of a disk, as a pipe is."""
    return os.path.exists(name) and not os.path.isfile(name)


def say_error(error):
    """Tell why a child is not traced."""
    _say(_one_line(f"{PROGRAM} run: a child is not traced: {error}"))


def _say(text):
    try:
        _tell(text)
    except RuntimeError:
        # A signal came in the middle of what the program writes there.
        os.write(sys.__stderr__.fileno(), os.fsencode(text) + b"\n")


# The program


def run(program, recorder):
    """Run a Program; return when it ends, or raise what ends the process.

    What was prepared for the program is forgotten when its code comes next.
    The recorder forgets it if it cannot even begin.
    """
    sys.argv[:] = program.argv
    namespace = vars(sys.modules["__main__"])
    builtins = namespace["__builtins__"]
    namespace.clear()
    namespace.update(
        __name__="__main__", __doc__=None, __package__=None, __loader__=None,
        __spec__=None, __annotations__={}, __builtins__=builtins)
    try:
        _RUNNERS[program.kind](program.name, namespace)
    except SystemExit as error:
        # What runpy raises if there is no such module.
        if not _has_begun(error):
            recorder.cancel()
        raise
    except BaseException as error:
        if not _has_begun(error):
            recorder.cancel()
        recorder.take_before_report()
        _report(error)
        if isinstance(error, KeyboardInterrupt):
            # So that the interpreter ends by the signal; it has been shown.
            sys.excepthook = _ignore
            raise
        sys.exit(1)


def _importer_of(path):
    """Return what imports from a folder or an archive, else None."""
    for hook in sys.path_hooks:
        try:
            return hook(path)
        except ImportError:
            pass
    return None


def _run_script(name, namespace):
    if not sys.flags.safe_path:
        # The folder that `python -m` put there.
        del sys.path[0]
    filename = os.getcwd() if name == "." else os.path.join(os.getcwd(), name)
    if _importer_of(filename) is not None:
        sys.path.insert(0, filename)
        tracemalloc.clear_traces()
        # What the interpreter itself calls, here and for -m.
        runpy._run_module_as_main("__main__", False)
        return
    if not sys.flags.safe_path:
        sys.path.insert(0, os.path.dirname(os.path.realpath(name)))
    namespace.update(__file__=filename, __cached__=None)
    with open_code(name) as stream:
        text = stream.read()
    compiled = name.endswith(".pyc") or text.startswith(MAGIC_NUMBER)
    loader = (SourcelessFileLoader if compiled else SourceFileLoader)(
        "__main__", filename)
    namespace["__loader__"] = loader
    tracemalloc.clear_traces()
    if compiled:
        code = loader.get_code("__main__")
    else:
        # As a module's: the program's code is no memory of ours.
        code = loader.source_to_code(text, filename)
    del stream, text, loader, compiled
    exec(code, namespace)


def _run_module(name, namespace):
    tracemalloc.clear_traces()
    runpy._run_module_as_main(name)


def _run_code(text, namespace):
    if not sys.flags.safe_path:
        sys.path[0] = ""
    namespace["__loader__"] = BuiltinImporter
    tracemalloc.clear_traces()
    code = compile(text, "<string>", "exec", dont_inherit=True)
    # For tracebacks.
    linecache._register_code(code, text, "<string>")
    exec(code, namespace)


_RUNNERS = {"script": _run_script, "-m": _run_module, "-c": _run_code}


# What runs before the first line of the program.
_BEFORE = (__file__, "<frozen runpy>", *MACHINERY)
# Those that tell nobody why the program cannot be compiled.
_OWN_FILES = (__file__, *(name for name in MACHINERY
                          if "importlib" in name))


def _has_begun(error):
    """Return whether the program had begun when the exception was raised."""
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename not in _BEFORE:
            return True
        traceback = traceback.tb_next
    return False


def _ignore(*exception):
    pass


def _without_own_frames(error):
    """Cut the traceback of an exception to the program's; return it."""
    traceback = error.__traceback__
    while (traceback is not None
           and traceback.tb_frame.f_code.co_filename in _OWN_FILES):
        traceback = traceback.tb_next
    error.__traceback__ = traceback
    return traceback


def _report(error):
    """Show an exception as the interpreter does, without our own frames."""
    traceback = _without_own_frames(error)
    sys.last_exc = sys.last_value = error
    sys.last_type, sys.last_traceback = type(error), traceback
    try:
        sys.excepthook(type(error), error, traceback)
    except SystemExit:
        raise
    except BaseException as failure:
        if failure.__context__ is error:
            failure.__context__ = None
        _say("Error in sys.excepthook:")
        sys.__excepthook__(type(failure), failure,
                           _without_own_frames(failure))
        _say("\nOriginal exception was:")
        sys.__excepthook__(type(error), error, traceback)
