"""run: a program, as if it had been started directly, and its memory.

The program runs in this process, in the module __main__, which is emptied for
it.  What directly started programs find, it finds: arguments, sys.path[0],
__main__ with the right attributes, an untouched standard input, default
handlers of signals.  How it ends is how the process ends.

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
from tracemalloc._cli import PROGRAM, UsageError, _one_line, units
from tracemalloc._writing import check_place

HELP = f"""\
usage: {PROGRAM} run [options] SCRIPT [arguments ...]
       {PROGRAM} run [options] -m MODULE [arguments ...]
       {PROGRAM} run [options] -c CODE [arguments ...]

Run a program as if it had been started directly, and trace its memory.  When
it ends, write a snapshot file, and a summary to standard error; but not when a
signal such as SIGTERM ends it that it does not handle: see --on-signal and
--every.  Options of the interpreter go before -m tracemalloc.

options:
  --frames N              frames to keep of each call path (default: 25)
  --sample-interval SIZE  trace samples, one per SIZE bytes, not every block
  -o, --output TEMPLATE   name of the files, with $pid, $timestamp, $counter
                          (default: tracemalloc-$pid-$counter.tmz); those that
                          end in .tmz keep all that is known, others can be
                          loaded by any CPython
  --at-peak               also write a snapshot of the peak, at exit
  --on-signal             also write a snapshot whenever SIGUSR2 comes
  --every TIME            also write a snapshot every TIME, such as 30s or 5min
  --threshold SIZE        also write one when traced memory has moved by SIZE
  --no-file               write no file at exit
  -n, --limit N           groups to show in the summary (default: 10)
  -g, --group-by KEY      lineno, filename, function, module, traceback, thread
                          or domain (default: lineno)
  -q, --quiet             no summary
  --json                  the summary as one line of JSON
  --color WHEN            auto, always or never
  -h, --help              show this text

example: {PROGRAM} run --at-peak -o 'app-$counter.tmz' app.py -v
"""

_FLAGS = ("--at-peak", "--on-signal", "--no-file", "--quiet", "--json",
          "--help")
# -f is an older spelling, which help does not show: elsewhere it means files.
_SHORT = {"-f": "--frames", "-o": "--output", "-n": "--limit",
          "-g": "--group-by", "-q": "--quiet", "-h": "--help"}
_GROUPS = {"line": "lineno", "file": "filename"} | {
    name: name for name in ("lineno", "filename", "function", "module",
                            "traceback", "thread", "domain")}


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
    "--color": _one_of(("auto", "always", "never")),
}


class Options:
    """What was asked for; see HELP."""

    frames = 25
    sample_interval = output = every = threshold = None
    at_peak = on_signal = no_file = quiet = json = help = False
    limit = 10
    group_by = "lineno"
    color = "auto"


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
        raise UsageError(f"there is no option {argument} "
                         "(--help lists the options)")
    setattr(options, name.removeprefix("--").replace("-", "_"), value)


# Names of files


def _folder():
    """Return the name of the current folder."""
    try:
        return os.getcwd()
    except OSError:
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


class Recorder:
    """Writes snapshots of the program, and the summary."""

    def __init__(self, options):
        self._options = options
        template = options.output
        if template is None:
            template = "tracemalloc-$pid-$counter.tmz"
        if not os.path.isabs(template):
            # The program may change its folder, whose name is no template.
            template = os.path.join(_folder().replace("$", "$$"), template)
        self._template = os.path.normpath(template)
        self._variables = _variables(self._template)
        self._check_template()
        self._pid = os.getpid()
        self._names = []
        self._writing = False
        self._watch = None
        # What _take() has returned already.
        self._taken = None

    def _check_template(self):
        options, template = self._options, self._template
        if not options.output and options.output is not None:
            raise UsageError("--output needs a file name")
        if options.on_signal:
            import signal

            if not hasattr(signal, "SIGUSR2"):
                raise UsageError("there is no SIGUSR2 on this system")
        several = (options.every or options.threshold or options.on_signal
                   or (options.at_peak and not options.no_file))
        if several or not options.no_file:
            self._check_place()
        if several and "counter" not in self._variables:
            raise UsageError("there will be several files: put $counter into "
                             "--output")
        if (options.at_peak
                and not template.lower().endswith(".tmz")):
            raise UsageError("snapshots of the peak can only be written to "
                             "files whose names end in .tmz")

    def _check_place(self):
        """UsageError if no file can be written: at exit it is too late."""
        try:
            check_place(expand(self._template, 1))
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
        if options.on_signal:
            import signal

            signal.signal(signal.SIGUSR2, self._on_signal)
        atexit.register(self._at_exit)
        arguments = {}
        if options.sample_interval:
            arguments["sample_interval"] = options.sample_interval
        # The types of syntax trees are made when compile() is called first.
        # A program that is started directly does not pay for them.
        compile("", "<string>", "exec")
        if options.every or options.threshold:
            # Now, since what it imports is not the program's.
            from tracemalloc import _watch  # noqa: F401
        # -X tracemalloc may have begun already, with other frames.
        tracemalloc.stop()
        tracemalloc.start(options.frames, **arguments)
        if options.every or options.threshold:
            try:
                self._watch = tracemalloc.watch(
                    self._template, interval=options.every,
                    threshold=options.threshold)
            except OSError as error:
                atexit.unregister(self._at_exit)
                raise UsageError(f"{error.filename}: {error.strerror}"
                                 ) from None

    def cancel(self):
        """Write nothing: there was no program."""
        atexit.unregister(self._at_exit)
        if self._watch is not None:
            self._watch.stop()
        tracemalloc.stop()

    # Writing

    def _write(self, snapshot):
        """Write a snapshot; return the name of its file, None if it fails."""
        name = expand(self._template, len(self._written()) + 1)
        if not self._attempt(name, snapshot.dump, name):
            return None
        self._names.append(name)
        return name

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
        finally:
            self._writing = False
        return True

    def _is_of_parent(self):
        """Whether this is a child that would write over its parent's files."""
        return os.getpid() != self._pid and "pid" not in self._variables

    def _on_signal(self, number, frame):
        # The signal may come while this same thread is writing a file.
        if self._writing:
            return
        if self._is_of_parent():
            _say(f"{PROGRAM} run: a child of the program writes snapshots "
                 "only if $pid is part of --output")
            return
        if not tracemalloc.is_tracing():
            _say(f"{PROGRAM} run: the program has stopped tracing")
        elif self._watch is not None:
            self._attempt(self._template, self._watch.write)
        else:
            self._write(tracemalloc.take_snapshot())

    def _at_exit(self):
        if self._is_of_parent():
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
        # What follows is not the program's.
        tracemalloc.stop()
        files = {}
        before = self._written()
        if before:
            files["before"] = before
        if not options.no_file:
            files["exit"] = self._write(snapshot)
        if peak is not None:
            files["peak"] = self._write(peak)
        if not options.quiet:
            try:
                self._summarize(snapshot, files)
            except Exception as error:
                _say(f"{PROGRAM} run: there is no summary: {error!r}")

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

    def _summarize(self, snapshot, files):
        from tracemalloc._cli.summary import summarize

        stream = sys.stderr
        if getattr(stream, "closed", stream is None):
            return
        if not getattr(sys.stdout, "closed", sys.stdout is None):
            # The program's last words come first.
            sys.stdout.flush()
        summarize(snapshot, files, self._options, stream)


def _say(text):
    try:
        print(text, file=sys.stderr)
    except (OSError, ValueError, AttributeError):
        # Standard error is closed; there is nobody to tell.
        pass


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
_BEFORE = (__file__, "<frozen runpy>", "<frozen zipimport>",
           "<frozen importlib._bootstrap>",
           "<frozen importlib._bootstrap_external>")
# Those that tell nobody why the program cannot be compiled.
_OWN_FILES = (__file__, *_BEFORE[3:])


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
