"""The command line: python -m tracemalloc COMMAND ...

    run     traces a program as if it had been started directly
    show    the command line of 2013; also what runs without a command
    top, tree, diff, traceback, series, stats, export, report, check
            questions to snapshot files, or to records
    ps      lists records
    dump    makes snapshot files of them
    view    serves the page of report to the one who asks
    serve, push
            what running programs hold, for servers that collect it

There is one module per command.  Each has main(arguments), which returns the
exit status.  What they share:

    options     reading arguments; wrong ones end the process with status 2
    files       loading snapshots; unusable files do so, too
    screen      tables, colours and widths
    rows        groups of a snapshot as rows of a table and as JSON
    branches    what is shown of a tree
    mine        --mine: whose memory it is
    programs    what one has to know before snapshots are compared

A command computes rows first and then renders them, as a table or as JSON.

`run` shares its process with the program that it traces.  That is why this
module and that one import as little as they can: what they import, the
program finds imported already, and its memory is not traced.
"""

import os
import sys

PROGRAM = "python -m tracemalloc"
# The command whose name is left out, if the program has no other.
ONLY = None

# Command -> (module, what it does).
COMMANDS = {
    "run": ("run", "run a program, and write where its memory went"),
    "top": ("top", "the lines, files or functions that hold most memory"),
    "tree": ("tree", "who called whom; of two snapshots, who grew"),
    "traceback": ("tracebacks", "the call paths that hold most, or grew most"),
    "diff": ("diff", "what changed between two snapshots"),
    "series": ("series", "what grew over many snapshots"),
    "stats": ("stats", "the sums of a snapshot, and the process it is of"),
    "ps": ("ps", "the processes that keep records, and those that did"),
    "dump": ("dump", "write a snapshot out of a process's record"),
    "check": ("check", "compare with limits; the exit status says if it fits"),
    "live": ("live", "watch what a running program holds, and what grows"),
    "export": ("export", "write a snapshot as JSON, CSV, stacks or a profile"),
    "report": ("report", "one page for a browser: flame graph, table, source"),
    "view": ("view", "the same, served: a list of files, running programs"),
    "serve": ("serve", "answer what collects profiles and metrics, by HTTP"),
    "push": ("push", "send profiles to a Pyroscope server, now and then"),
    "show": ("show", "the command line of 2013: tops, blocks, comparisons"),
}


class UsageError(Exception):
    """Wrong arguments or an unusable file; the text says so in one line.

    What a function says of its arguments is said of the command's options.
    """

    def __str__(self):
        from tracemalloc._errors import LARGER

        return super().__str__().replace(LARGER, "give a larger --max-size")


def _overview():
    lines = [
        f"usage: {PROGRAM} COMMAND [options] ...",
        f"       {PROGRAM} [options of show] FILE...",
        "",
        "Trace a program's memory, and read the snapshots.  A program that "
        "is started",
        "with -X tracemalloc=25,record can be asked while it runs, and when "
        "it was",
        "killed: by its number, in the place of a snapshot file.",
        "",
        *(f"  {name:11}{text}" for name, (_, text) in COMMANDS.items()),
        "",
        f"'{PROGRAM} --version' tells which fork this is, with which fixes.",
        f"'{PROGRAM} COMMAND --help' tells more and has an example.",
    ]
    return "\n".join(lines)


def _version():
    import textwrap

    from tracemalloc._version import SECURITY_FIXES, VERSION

    python = sys.version.split()[0]
    lines = [f"tracemalloc-fork {VERSION} on CPython {python}"]
    if not SECURITY_FIXES:
        lines += [f"without security fixes: the vulnerabilities of {python} "
                  "are in it"]
    else:
        lines += [f"with {len(SECURITY_FIXES)} security fixes over it:"]
        lines += textwrap.wrap(" ".join(SECURITY_FIXES), 78,
                               initial_indent="  ", subsequent_indent="  ",
                               break_on_hyphens=False)
    return "\n".join(lines)


def main(arguments=None):
    """Run the command line and exit; does not return."""
    if arguments is None:
        arguments = sys.argv[1:]
    if arguments[:1] != ["run"]:
        sys.exit(_main(arguments))
    # Apart from the others: the program's exceptions are not handled here.
    from tracemalloc._cli import run

    try:
        options, program = run.parse(arguments[1:])
        recorder = run.Recorder(options)
        recorder.start()
    except UsageError as error:
        _fail("run", error)
    run.run(program, recorder)


def main_of_2013(program):
    """Run `show` as the only command of a program, and exit."""
    global PROGRAM, ONLY
    PROGRAM, ONLY = program, "show"
    sys.exit(_main(["show", *sys.argv[1:]]))


def name_of(command):
    """Return how a command is called."""
    return PROGRAM if command in ("", ONLY) else f"{PROGRAM} {command}"


def _fail(command, error):
    _say(command, error)
    sys.exit(2)


def note(text):
    """Tell, on standard error, what may not be what was meant."""
    _say("", f"note: {text}")


def _waits(name):
    return (f"{name} is a pipe, and this waits until somebody reads it: "
            "Ctrl-C ends it")


def _tell_wait(name):
    note(_waits(name))


def _say(command, error):
    _tell(f"{name_of(command)}: {_one_line(error)}")


def _tell(text):
    """Write a line to standard error, if that is open."""
    if sys.stderr is None:
        # print() would take standard output for it.
        return
    try:
        print(text, file=sys.stderr)
    except (OSError, ValueError, AttributeError):
        # It is closed; there is nobody to tell.
        pass


def _one_line(error):
    text = str(error).encode(errors="backslashreplace").decode()
    return "".join(character if character.isprintable()
                   else repr(character)[1:-1] for character in text)


def _main(arguments):
    """Run a command that reads files; return the exit status."""
    from tracemalloc._errors import SnapshotFormatError

    command = ""
    try:
        if sys.stdout is None:
            raise UsageError("standard output is closed")
        if hasattr(sys.stdout, "reconfigure"):
            # Names of files may have what its encoding has not.
            sys.stdout.reconfigure(errors="backslashreplace")
        if not arguments:
            raise UsageError("name a command or a snapshot file "
                             "(--help lists the commands)")
        if arguments[0] in ("-h", "--help") or arguments == ["help"]:
            print(_overview(), flush=True)
            return 0
        if arguments[0] in ("-V", "--version"):
            print(_version(), flush=True)
            return 0
        if arguments[0] in COMMANDS:
            command, *arguments = arguments
        elif (not arguments[0].startswith("-")
                and not os.path.lexists(arguments[0])):
            raise UsageError(f"{arguments[0]}: there is no such command or "
                             f"file{_meant(arguments[0])} (--help lists the "
                             "commands)")
        from importlib import import_module

        from tracemalloc import _writing

        _writing.tell_wait = _tell_wait
        module = COMMANDS[command or "show"][0]
        status = import_module(f"tracemalloc._cli.{module}").main(arguments)
        sys.stdout.flush()
        return status
    except UsageError as error:
        _fail(command, error)
    except SnapshotFormatError as error:
        # The file was read, but what it says would take too much memory.
        _fail(command, UsageError(error))
    except BrokenPipeError:
        # Nobody is to complain that the reader has gone, as with `| head`.
        _close_output()
        return 1
    except OSError as error:
        # Such as a full disk: files that are read have errors of their own.
        _close_output()
        _say(command, f"the output cannot be written: {error.strerror}")
        return 1
    except KeyboardInterrupt:
        _interrupted()


# What commands are called elsewhere, and what it is here.
_ELSEWHERE = {"flamegraph": "report", "transform": "export", "table": "top",
              "summary": "top", "compare": "diff", "info": "stats",
              "leaks": "diff", "record": "run", "list": "ps",
              "help": "--help", "html": "report"}


def _meant(word):
    """Return a question about the command that was meant, or ''."""
    from difflib import get_close_matches
    from tracemalloc._text import is_number

    if word == "attach":
        return ("; nothing has to be attached: live, dump and all others read "
                "a program that was started with -X tracemalloc=25,record")
    if is_number(word):
        return f"; did you mean live {word}, or top {word}?"
    near = get_close_matches(word, COMMANDS, 1)
    meant = _ELSEWHERE.get(word) or (near[0] if near else None)
    return f"; did you mean {meant}?" if meant else ""


def _close_output():
    """Let go what could not be written."""
    # The interpreter flushes sys.stdout once more.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _interrupted():
    """End as a program does that does not handle SIGINT."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
