"""Runs one hostile program in a process of its own, and says what came of it.
"""
import collections
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))           # the command is started with -I

from kit.state import ASK, WRONG        # noqa: E402

# What a program can come to.
FINE, CRASH, DIFFERENCE, INVARIANT, HANG, BROKEN = (
    "fine", "crash", "difference", "invariant", "hang", "broken")

# Assertions that the untouched CPython 3.13.5 breaks as well: told apart
# without another run, since threads decide whether they show.
BASE_FAULTS = {
    # A thread that calls sys.settrace() or sys.monitoring.set_events() while
    # others are between two instructions: they look at the new version too
    # late.
    "Assertion `debug_check_sanity(",
}

# A program that uses less of the processor than this share is waiting.
IDLE = 0.02
PATIENCE = 5                            # times its limit, on a busy machine

ANSWER_LIMIT = 10.0                     # seconds to say where one is
ANSWER_PAUSE = 0.5                      # seconds without a line: that was all
GDB_LIMIT = 120.0                       # seconds for a debugger to look
OUTPUT_SHOWN = 20000                    # characters of what a program said

Outcome = collections.namedtuple("Outcome", "kind signature said seconds")


class Setup:
    """Where programs run: an interpreter, its packages,
    and the time they have.
    """

    def __init__(self, python, limit, packages=None, untraced=False,
                 sums=None, evaluator=None):
        self.python = str(python)
        self.limit = limit
        self.untraced = untraced
        folders = [] if packages is None else sorted(
            pathlib.Path(packages).absolute().glob(
                "greenlet/lib/python3*/site-packages"))
        self.has_greenlet = bool(folders)
        if evaluator is not None:
            folders.append(evaluator)
        path = [str(folder) for folder in (HERE, *folders)]
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("PYTHON", "TRACEMALLOC",
                                                    "TORTURE"))}
        self.environment |= {"PYTHONHASHSEED": "0",
                             "PYTHONPATH": os.pathsep.join(path)}
        if untraced:
            self.environment["TORTURE_UNTRACED"] = "1"
        if sums is not None:
            self.environment["TRACEMALLOC_VERIFY_FILE"] = str(sums)

    def command(self, program):
        """The command of a program's file, and its environment."""
        options, malloc = read_head(program)
        if self.untraced:
            options = []
        command = [self.python, "-s", "-P", "-X", "faulthandler", "-W",
                   "ignore", *options, str(program)]
        environment = self.environment | {"PYTHONMALLOC": malloc}
        cache = pathlib.Path(program).parent / "cache"
        return command, environment | {"PYTHONPYCACHEPREFIX": str(cache)}


class NoEvaluator(Exception):
    """The module of evaluator.c cannot be made."""


def compile_evaluator(python, folder):
    """Make the module of evaluator.c, for an interpreter, in a folder.

    Raises NoEvaluator, with what the compiler says, or that there is none.
    """
    asked = subprocess.run(
        [python, "-I", "-c",
         "from sysconfig import *\n"
         "print(*map(get_config_var, ('LDSHARED', 'CCSHARED')))\n"
         "print(get_path('include'))\n"
         "print(get_config_h_filename())"],
        text=True, capture_output=True, check=True)
    compiler, include, configuration = asked.stdout.splitlines()
    command = [*shlex.split(compiler), "-O1", "-I", include,
               "-I", os.path.dirname(configuration), str(HERE / "evaluator.c"),
               "-o", str(pathlib.Path(folder, "_evaluator.so"))]
    try:
        built = subprocess.run(command, text=True, capture_output=True)
    except OSError as error:
        raise NoEvaluator(f"cannot compile evaluator.c: {error}") from None
    if built.returncode:
        raise NoEvaluator(f"evaluator.c does not compile:\n{built.stderr}")


def read_head(program):
    """What the first lines of a program say: options, allocator."""
    text = pathlib.Path(program).read_text(encoding="utf-8")
    options = re.search(r"^# options:(.*)$", text, re.M)
    malloc = re.search(r"^# malloc:(.*)$", text, re.M)
    return (options[1].split() if options else [],
            malloc[1].strip() if malloc else "pymalloc")


def run(setup, program, looks=True):
    """Run a program's file; return the Outcome.

    With looks, a debugger shows where a program hangs, if there is one.
    """
    program = pathlib.Path(program)
    command, environment = setup.command(program)
    log = program.with_suffix(f".{os.getpid()}.out")
    begin = time.monotonic()
    try:
        with open(log, "w+b") as stream:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stream,
                stderr=subprocess.STDOUT, env=environment, cwd=program.parent,
                start_new_session=True)
            live.add(process)
            hung = ""
            try:
                status = wait(process, setup.limit)
                if status is None:
                    hung = (stacks_of_session(process.pid, stream) if looks
                            else "")
            finally:
                live.discard(process)
                end_session(process)
            stream.seek(0)
            said = stream.read().decode(errors="replace")
    finally:
        log.unlink(missing_ok=True)
    kind, signature = judge(status, said)
    if len(said) > OUTPUT_SHOWN:
        said = (said[:OUTPUT_SHOWN // 2] + "\n[...]\n"
                + said[-OUTPUT_SHOWN // 2:])
    return Outcome(kind, signature, said + hung, time.monotonic() - begin)


def wait(process, limit):
    """The status of a program, or None if it hangs.

    It hangs if it does nothing for the time that it has, or has used that up;
    it may take longer on a machine that has much else to do.
    """
    used = 0.0
    for _ in range(PATIENCE):
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            before, used = used, seconds_used(process.pid)
            if used >= limit or used - before < IDLE * limit:
                break
    return None


def seconds_used(session):
    """Of the processor, by the processes of a session that have not ended."""
    used = 0
    for process in processes_of_session(session):
        try:
            fields = pathlib.Path(
                f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue                    # it has ended
        used += int(fields[11]) + int(fields[12])
    return used / os.sysconf("SC_CLK_TCK")


live = set()                            # the programs that run now


def end_all():
    """End the programs that run, for who is interrupted."""
    for process in list(live):
        end_session(process)


def end_session(process):
    """End a program with all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass                            # all of it has ended
    process.wait()


def judge(status, said):
    """The kind of an end, and a line that tells it from others of its kind."""
    if status is None:
        return HANG, "no end within the time"
    if status == 0 and "finished" in said:
        return FINE, ""
    if "tracemalloc: capture" in said:
        return DIFFERENCE, "a capture differs from the stack"
    wrong = re.search(r"^torture: wrong: (.*)", said, re.M)
    if wrong or status == WRONG:
        return (
            INVARIANT,
            re.sub(r"\d+", "N", wrong[1] if wrong else "said nothing")[:100])
    assertion = re.search(r"([^ /]+:\d+: .*Assertion.*)", said)
    fatal = re.search(r"^(Fatal Python error: .*)", said, re.M)
    found = (assertion or fatal or [None, ""])[1]
    if status < 0:
        name = signal.Signals(-status).name
        return CRASH, f"{name} {found}".strip()[:200]
    last = (said.strip().splitlines() or ["said nothing"])[-1]
    return BROKEN, f"status {status}: {found or last}"[:200]


# ---------------------------------------------------------------- a debugger

def debugger():
    return shutil.which("gdb")


def processes_of_session(session):
    """Identifiers of the processes of a session, on systems with /proc."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue                    # it has ended
        if fields[3] == str(session):
            found.append(int(path.parent.name))
    return sorted(found)


def stacks_of_session(session, output):
    """What every thread of a hanging program is doing.

    The signal makes faulthandler say that of Python, in the program's output.
    """
    processes = processes_of_session(session)
    for process in processes:
        before = written(output)
        try:
            os.kill(process, ASK)
        except ProcessLookupError:
            continue                    # it has ended
        await_answer(output, before)
    if debugger() is None:
        return ""
    return "".join(
        f"\n--- process {process}\n" + ask_debugger("-p", str(process))
        for process in processes)


def written(output):
    return os.fstat(output.fileno()).st_size


def await_answer(output, before):
    """Until a process has said what it was asked;
    the next would write between its lines.
    """
    until = time.monotonic() + ANSWER_LIMIT
    last = before
    while time.monotonic() < until:
        time.sleep(ANSWER_PAUSE)
        now = written(output)
        if now == last != before:
            break
        last = now


def ask_debugger(*arguments, environment=None, cwd=None):
    """Everybody's stack, of a process or of one that is started to crash."""
    begin = [] if arguments[0] == "-p" else [
        "-ex", "handle SIGUSR1 SIGUSR2 SIGALRM SIGPIPE nostop noprint pass",
        "-ex", "run"]
    command = [debugger(), "-q", "-batch", "-nx", "-ex", "set pagination off",
               "-iex", "set auto-load python-scripts off",
               "-ex", "set print frame-arguments none", *begin,
               "-ex", "thread apply all bt 40", *arguments]
    try:
        answer = subprocess.run(command, stdin=subprocess.DEVNULL,
                                capture_output=True, text=True,
                                errors="replace", env=environment, cwd=cwd,
                                timeout=GDB_LIMIT,
                                check=False, start_new_session=True)
    except subprocess.TimeoutExpired:
        return "(the debugger took too long)\n"
    lines = [line for line in answer.stdout.splitlines()
             if not line.startswith(("[New Thread", "[Thread ", "[Detaching",
                                     "warning:"))]
    return "\n".join(lines[-400:]) + "\n"


def backtrace(setup, program, tries=3):
    """Where a program crashes, in C: run it until a debugger sees that."""
    if debugger() is None:
        return "(no gdb here to show the stack in C)\n"
    command, environment = setup.command(program)
    said = ""
    for _ in range(tries):
        said = ask_debugger("--args", *command, environment=environment,
                            cwd=pathlib.Path(program).parent)
        if "received signal" in said:
            return said
    return "(it did not crash under gdb)\n" + said[-2000:]


def is_of_base(outcome):
    """Whether it is known to happen without us."""
    return any(text in outcome.said for text in BASE_FAULTS)


def same_fault(one, other):
    return one.kind == other.kind and (one.kind in (HANG, DIFFERENCE)
                                       or one.signature == other.signature)
