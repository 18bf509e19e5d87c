"""Start interpreters and measure what they do.

Every measurement is a process of its own.  Its environment is the caller's
without the variables that change how Python or malloc work; hashes of strings
are the same in every process, the layout of the address space is not.
"""
import ast
import collections
import contextlib
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "build" / "bench"         # environments, bytecode, raw output
RECORDS = WORK / "records"              # of processes that keep one

UNWANTED = ("PYTHON", "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD")

DESCRIBE = """
import json, os, platform, sys, sysconfig
get = sysconfig.get_config_var
print(json.dumps({
    "version": sys.version, "compiler": platform.python_compiler(), "cc": get("CC"),
    "flags": get("PY_CFLAGS"), "link_flags": get("PY_LDFLAGS"), "debug": bool(get("Py_DEBUG")),
    "free_threaded": bool(get("Py_GIL_DISABLED")), "arguments": get("CONFIG_ARGS") or ""}))
"""


class BenchError(Exception):
    """The work cannot go on; the text says why and what to do."""


def clean_environment(**additions):
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(UNWANTED)}
    environment["PYTHONHASHSEED"] = "0"
    # The folders of the sources, one of them the untouched base,
    # stay as they are.
    environment["PYTHONPYCACHEPREFIX"] = str(WORK / "pycache")
    environment["LC_ALL"] = "C.UTF-8"
    environment.update(additions)
    return environment


def clear_records():
    """Make the folder for records if need be, and remove what is there."""
    RECORDS.mkdir(parents=True, exist_ok=True)
    for path in RECORDS.iterdir():
        path.unlink()


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"


class Build:
    """One of the two interpreters."""

    def __init__(self, name, python):
        self.name = name
        self.python = str(python)

    def command(self, options, arguments, prefix=()):
        """The parts of -I that leave PYTHONHASHSEED in force."""
        return [*prefix, self.python, "-s", "-P", *options, *arguments]

    def run(self, options, arguments):
        return subprocess.run(self.command(options, arguments),
                              env=clean_environment(),
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)

    def move(self):
        """Put a copy of the executable in its place,
        so that it lies elsewhere in memory.

        Which pages of memory a file is in decides about some of its speed and
        its resident memory, for as long as they stay there: every round needs
        its own.
        """
        python = os.path.realpath(self.python)
        copy = pathlib.Path(f"{python}.copy")
        try:
            shutil.copy2(python, copy)
            copy.replace(python)
        except OSError as error:
            with contextlib.suppress(OSError):
                copy.unlink()
            # An installed one, maybe; it can be measured where it is.
            print(f"warning: {python} cannot be replaced by a copy of itself "
                  f"({error.strerror}); where it lies in memory is part of "
                  "what is measured", file=sys.stderr)

    def describe(self):
        """Version, compiler and flags; of configure's arguments, no paths."""
        answer = self.run([], ["-c", DESCRIBE])
        if answer.returncode:
            raise BenchError(f"{self.python} does not run: "
                             f"{last_line(answer.stderr)}")
        found = json.loads(answer.stdout)
        words = (word.strip("'") for word in found["arguments"].split())
        found["arguments"] = " ".join(word for word in words
                                      if "/" not in word)
        return found

    def refuses(self, configuration):
        """Why it cannot run a configuration, None if it can."""
        clear_records()
        answer = self.run(configuration.options, ["-c", "pass"])
        if answer.returncode == 0:
            return None
        return (answer.stderr.strip().splitlines() or ["no message"])[0]


def require_same_flags(fork, stock):
    """Raise BenchError unless two descriptions are of builds that
    can be compared.
    """
    for name in ("cc", "flags", "link_flags", "debug", "free_threaded"):
        if fork[name] != stock[name]:
            raise BenchError(
                f"the builds differ in {name}: fork {fork[name]!r}, stock "
                f"{stock[name]!r}; build both alike, or give --any-flags")


Job = collections.namedtuple("Job",
                             "build configuration case size loops questions")


def case_arguments(job):
    return [str(HERE / "child.py"), job.case.group, job.case.name,
            str(job.size), str(job.loops), ",".join(job.questions)]


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def read_lines(text):
    """What child.py said in its whole lines, in one dict."""
    found = {}
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            found |= ast.literal_eval(line)
    return found


def run_job(job, limit):
    """Measure one job; a process that takes longer than `limit`
    seconds is ended.

    If that was in the workload, the result has "over", the CPU time used until
    then, and nothing else.  If it was in the questions after it, the workload
    is measured, and "unanswered" is the limit.
    """
    command = job.build.command(job.configuration.options, case_arguments(job))
    clear_records()
    cpu, start = children_cpu(), time.perf_counter()
    try:
        answer = subprocess.run(command, env=clean_environment(),
                                stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired as expired:
        found = read_lines((expired.stdout or b"").decode())
        if not found:
            return {"over": round(children_cpu() - cpu, 3)}
        return found | {"unanswered": limit}
    if answer.returncode:
        raise BenchError(
            f"case {job.case.name}, {job.configuration.name}: status "
            f"{answer.returncode}, {last_line(answer.stderr)}")
    found = read_lines(answer.stdout)
    found["process_cpu"] = round(children_cpu() - cpu, 6)
    found["process_wall"] = round(time.perf_counter() - start, 6)
    return found


def shown_path(path):
    """A path as it may be published: below the repository, or the name alone.
    """
    path = pathlib.Path(path)
    try:
        return str(path.absolute().relative_to(ROOT))
    except ValueError:
        return path.name
