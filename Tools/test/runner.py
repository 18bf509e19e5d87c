"""Run the fork's own tests, then the contract: upstream's tests, unmodified.

The contract is that of Tools/test/contract.txt, and the tests that came with
the security fixes in the base.  A file that such a fix touches is run as the
fix leaves it, all others as they were released.

Each (module, mode) is one regrtest process of its own, so that a crash or a
hang costs one module, and --jobs of them run side by side.  Everything ends
with one line, "N passed, M failed"; the exit status is 1 when M is not 0 and 2
when the command line or a data file is wrong.
"""
import argparse
import collections
import concurrent.futures
import filecmp
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))           # the runner is started with -I

import known                            # noqa: E402
import packages                         # noqa: E402
import results                          # noqa: E402
import sanitizers                       # noqa: E402

DEFAULT_TIMEOUT = 1200.0                # seconds until regrtest dumps stacks
GRACE = 420.0                           # a deaf worker is ended within 300 s
CONTRACT_HELPERS = ("support", "libregrtest")

Job = collections.namedtuple("Job", "module mode frames malloc",
                             defaults=(None,))
Outcome = collections.namedtuple("Outcome", "job cases seconds status log")
Row = collections.namedtuple("Row", "module frames quick malloc",
                             defaults=(False,))

# What a line of a contract file may say behind the number of frames.
WORDS = ("quick", "malloc")


class WrongUse(Exception):
    """The command line or the tree makes a run pointless; the text says why.
    """


def label(job):
    text = f"traced {job.frames}" if job.mode == known.TRACED else known.OFF
    return f"{text} {job.malloc}" if job.malloc else text


# ---------------------------------------------------------------- one process

def clean_environment(stock, source):
    """The caller's environment without what would change
    an interpreter's ways.
    """
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("PYTHON")}
    environment["TRACEMALLOC_STOCK_PYTHON"] = str(stock)
    environment["TRACEMALLOC_SOURCE"] = str(source)
    return environment


live = set()                            # processes that are waited for


def run_process(command, log, environment, limit):
    """Run `command` into the file `log`; return its status, None past `limit`.

    The process leads a session of its own,
    so that what it started ends with it.
    """
    with open(log, "wb") as stream:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                   stdout=stream, stderr=subprocess.STDOUT,
                                   env=environment, start_new_session=True)
        live.add(process)
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            end_process(process)
            return None
        finally:
            live.discard(process)


def end_process(process):
    """End a process and its session; not yet waited for,
    its id is still its own.
    """
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass                        # its own thread has seen to it
        process.wait()


class Regrtest:
    """Runs test modules with one interpreter,
    logs and junit files in `folder`.
    """

    def __init__(self, python, folder, environment, timeout, grace=GRACE,
                 suppressions=None):
        self.python = str(python)
        self.folder = folder
        self.environment = environment
        self.timeout = timeout
        self.grace = grace
        # None: what sanitizers say is not read.
        self.suppressions = suppressions

    def command(self, job, junit, patterns):
        traced = (["-X", f"tracemalloc={job.frames}"]
                  if job.mode == known.TRACED else [])
        command = [self.python, *traced, "-m", "test", "-j1", "-W",
                   "--timeout", str(self.timeout), "--junit-xml", str(junit)]
        for pattern in patterns:
            command += ["-m", pattern]
        return [*command, job.module]

    def run(self, job, patterns=()):
        """Run one module, or those of its tests that `patterns` name."""
        stem = self.folder / (
            f"{job.module}.{job.mode}"
            f"{'.' + job.malloc if job.malloc else ''}")
        junit, log = (stem.with_name(stem.name + ".xml"),
                      stem.with_name(stem.name + ".log"))
        said = stem.with_name(stem.name + ".sanitizers")
        junit.unlink(missing_ok=True)
        environment = dict(self.environment)
        if job.malloc:
            environment["PYTHONMALLOC"] = job.malloc
        if self.suppressions is not None:
            environment |= sanitizers.options(said)
            sanitizers.remove_reports(said)
        begin = time.monotonic()
        status = run_process(self.command(job, junit, patterns), log,
                             environment, self.timeout + self.grace)
        seconds = time.monotonic() - begin
        xml = junit.read_text(encoding="utf-8") if junit.exists() else None
        cases = results.read_run(job.module, status, xml,
                                 log.read_text(encoding="utf-8",
                                               errors="replace"))
        if self.suppressions is not None:
            cases += sanitizers.read_cases(said, job.module, self.suppressions)
        return Outcome(job, cases, seconds, status, log)


# ------------------------------------------------------------------- the plan

def read_contract(path):
    """The Rows of a contract file."""
    rows = []
    for number, fields in known.data_lines(path, 3):
        if (len(fields) < 2 or not (fields[1] == "-" or fields[1].isdecimal())
                or not {*" ".join(fields[2:]).split()} <= {*WORDS}):
            raise known.BadList(f"{path}:{number}: expected: MODULE FRAMES|-"
                                f" [{'] ['.join(WORDS)}]")
        frames = None if fields[1] == "-" else int(fields[1])
        words = " ".join(fields[2:]).split()
        rows.append(Row(fields[0], frames, *(word in words for word in WORDS)))
    return rows


def own_modules(source):
    return sorted(
        path.stem
        for path in (source / "Lib/test").glob("test_*tracemalloc_*.py"))


def plan(own, rows, only=None, quick=False):
    """The Jobs of a run: our own tests first, then the contract,
    off and traced.
    """
    if only:
        unknown = sorted(set(only) - set(own) - {row.module for row in rows})
        if unknown:
            raise WrongUse("--only: no such test module: "
                           f"{', '.join(unknown)}")
        own = [name for name in own if name in only]
        rows = [row for row in rows if row.module in only]
    jobs = [Job(name, known.OFF, None) for name in own]
    jobs += [Job(row.module, known.OFF, None) for row in rows]
    jobs += [Job(row.module, known.TRACED, row.frames) for row in rows
             if row.frames and (row.quick or not quick)]
    return jobs


def fix_rows(touched, rows):
    """Rows for the test modules that security fixes touch,
    but for those in `rows`.
    """
    known_modules = {row.module for row in rows}
    found = set()
    for path in touched:
        parts = path.with_suffix("").parts
        if parts[:2] == ("Lib", "test") and parts[-1].startswith("test_"):
            found.add(".".join(parts[2:]))
    return [Row(name, None, False) for name in sorted(found - known_modules)]


def knows_localhost():
    """Whether this machine has an address for it:
    a bare one may have no /etc/hosts.
    """
    try:
        return bool(socket.getaddrinfo("localhost", 0))
    except OSError:
        return False


def without_localhost(rows, base):
    """(rows that do without the name, the modules of the others),
    by their texts.
    """
    kept, left_out = [], []
    for row in rows:
        text = base.joinpath(
            *row.module.split(".")).with_suffix(".py").read_text("utf-8")
        if "localhost" in text or "socket_helper" in text:
            left_out.append(row.module)
        else:
            kept.append(row)
    return kept, left_out


def plan_special(own, rows, only=None):
    """The Jobs of a run in a build of its own: everything once, the contract
    traced, and rows that say so with malloc as the allocator as well, where
    each object is a block that a sanitizer knows.
    """
    once = [job for job in plan(own,
                                [row for row in rows if row.module not in own],
                                only)
            if job.mode == known.TRACED or job.module in own]
    again = [Job(row.module, known.TRACED if row.frames else known.OFF,
                 row.frames, "malloc")
             for row in rows if row.malloc
             and (not only or row.module in only)]
    return once + again


# ----------------------------------------------------------- what is laid down

def test_folder(python):
    """The folder of the `test` package that an interpreter imports."""
    answer = subprocess.run([str(python), "-I", "-c",
                             "import test; print(test.__path__[0])"],
                            capture_output=True, text=True, check=False)
    if answer.returncode:
        reason = (answer.stderr.strip().splitlines()[-1:]
                  or [f"status {answer.returncode}"])
        raise WrongUse(f"{python}: cannot import the test "
                       f"package: {reason[0]}")
    return pathlib.Path(answer.stdout.strip())


def fixed_base(laid):
    """(tests, touched paths) of the base with its security fixes;
    None if it has none.

    `laid` is the test folder of a fork that runs where it was built: the base
    stands beside its tree, and Tools/base/fixed.sh wrote there what fixes
    touch.
    """
    if len(laid.parents) < 3:
        return None
    folder = laid.parents[2] / "fixed"
    try:
        lines = (folder / "touched").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    tests = next(folder.glob("*/Lib/test"), None)
    if tests is None:
        return None
    return tests, {pathlib.PurePosixPath(line.split(" ", 1)[1])
                   for line in lines}


def check_fixed(tests, touched, released):
    """A case: the tests of the base are the released ones,
    but for what fixes touch.
    """
    names = {file.relative_to("Lib/test") for file in touched
             if file.parts[:2] == ("Lib", "test")}
    mine, theirs = files_below(tests), files_below(released)
    found = [f"{tests / name}: differs from {released}, and no fix touches it"
             for name in sorted((mine.keys() | theirs.keys()) - names)
             if not (name in mine and name in theirs
                     and filecmp.cmp(mine[name], theirs[name]))]
    return results.Case("unmodified: all that no security fix touches",
                        results.FAILED if found else results.PASSED,
                        "\n".join(found))


def module_path(folder, module):
    """A test module's file or package folder."""
    path = folder / module.replace(".", "/")
    return path if path.is_dir() else path.with_name(path.name + ".py")


def files_below(path):
    if path.is_file():
        return {pathlib.Path("."): path}
    return {file.relative_to(path): file for file in path.rglob("*")
            if file.is_file() and "__pycache__" not in file.parts}


def differences(ours, base):
    """Sentences on how one file or folder differs from the base's."""
    mine, theirs = files_below(ours), files_below(base)
    if not theirs:
        return [f"{base}: the base has no such test"]
    found = []
    for name in sorted(mine.keys() | theirs.keys()):
        if name not in mine:
            found.append(f"{theirs[name]}: missing from the fork")
        elif name not in theirs:
            found.append(f"{mine[name]}: not in the base")
        elif not filecmp.cmp(mine[name], theirs[name], shallow=False):
            found.append(f"{mine[name]}: differs from {theirs[name]}")
    return found


def check_laid(rows, own, laid, base, source):
    """Cases: the contract's files are the base's,
    our tests are the repository's.
    """
    checks = [(f"unmodified: {name}", laid / name, base / name)
              for name in CONTRACT_HELPERS]
    checks += [(f"unmodified: {row.module}", module_path(laid, row.module),
                module_path(base, row.module)) for row in rows]
    checks += [(f"laid: {name}", module_path(laid, name),
                source / "Lib/test" / f"{name}.py") for name in own]
    cases = []
    for name, ours, theirs in checks:
        found = differences(ours, theirs)
        outcome = results.FAILED if found else results.PASSED
        cases.append(results.Case(name, outcome, "\n".join(found)))
    return cases


def check_free_threaded(python, environment):
    """A case: the interpreter runs without a GIL while it is traced."""
    answer = subprocess.run(
        [str(python), "-c", "import sys, tracemalloc; tracemalloc.start(); "
         "print(sys._is_gil_enabled())"],
        capture_output=True, text=True, check=False, env=environment)
    works = answer.returncode == 0 and answer.stdout == "False\n"
    return results.Case("no GIL", results.PASSED if works else results.FAILED,
                        "" if works else answer.stdout + answer.stderr)


# ------------------------------------------------------------ the runner's own

class CaseResult(unittest.TestResult):
    """Collects unittest's results as Cases."""

    def __init__(self):
        super().__init__()
        self.cases = []

    def add(self, test, outcome, detail=""):
        self.cases.append(results.Case(test.id(), outcome, detail))

    def addSuccess(self, test):
        self.add(test, results.PASSED)

    def addFailure(self, test, err):
        self.add(test, results.FAILED, self._exc_info_to_string(err, test))

    def addError(self, test, err):
        self.add(test, results.ERROR, self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        self.add(test, results.SKIPPED, reason)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.addFailure(subtest, err)


def self_test():
    """Run the tests of the tools here; a judge that errs must not judge."""
    outcome = CaseResult()
    names = ["test_runner", "test_requirements", "test_sanitizers",
             "test_style"]
    unittest.defaultTestLoader.loadTestsFromNames(names).run(outcome)
    return outcome.cases


# ----------------------------------------------------------------- the account

class Account:
    """Everything that has been found out, and its rendering."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stdout
        self.passed = self.failed = self.skipped = 0
        self.failures = []              # (label, Case)
        self.known = []                 # (label, Case, reason)
        self.runs = []                  # rows of the JSON report

    def say(self, text=""):
        print(text, file=self.stream, flush=True)

    def add(self, where, cases, excused=()):
        """Count cases; return "passed 5, failed 1" for a line of progress."""
        excused_ids = {case.id for case in excused}
        rest = [case for case in cases
                if not (results.is_failure(case) and case.id in excused_ids)]
        totals = results.count(rest)
        failed = totals[results.FAILED] + totals[results.ERROR]
        self.passed += totals[results.PASSED]
        self.failed += failed
        self.skipped += totals[results.SKIPPED]
        self.failures += [(where, case) for case in rest
                          if results.is_failure(case)]
        parts = [("passed", totals[results.PASSED]), ("FAILED", failed),
                 ("skipped", totals[results.SKIPPED]), ("known", len(excused))]
        return ", ".join(
            f"{name} {number}" for name, number in parts if number)

    def summary(self):
        if self.known:
            self.say("\nKnown failures, checked on the untouched base:")
            for where, case, reason in self.known:
                self.say(f"  {case.id} [{where}]: {reason}")
        for where, case in self.failures:
            self.say(f"\n{'-' * 70}\nFAILED {case.id} [{where}]")
            self.say(case.detail)
        self.say()
        self.say(f"{self.skipped} skipped, {len(self.known)} known failures")
        self.say(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0

    def report(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({
            "passed": self.passed, "failed": self.failed,
            "skipped": self.skipped,
            "known": [{"id": case.id, "where": where, "reason": reason}
                      for where, case, reason in self.known],
            "failures": [{"id": case.id, "where": where,
                          "outcome": case.outcome, "detail": case.detail}
                         for where, case in self.failures],
            "runs": self.runs,
        }, indent=1)
        path.write_text(text + "\n", encoding="utf-8")


def judge(outcome, entries, stock, account, progress, own=()):
    """Enter one run into the account, known failures confirmed on the base.

    With no list of them (None) whatever fails is tried on the base, but for
    `own`, the modules that it does not have.
    """
    job, where = outcome.job, label(outcome.job)
    failures = [case for case in outcome.cases if results.is_failure(case)]

    def run_on_stock(ids):
        # Only a test's own id can be matched;
        # a module or a fixture needs it all.
        single = all("." in test_id and " " not in test_id for test_id in ids)
        return stock.run(job, ids if single else ()).cases

    notes = ()
    if entries is None and job.module in own:
        entries = ()
    elif entries is None:
        entries = [known.Known(case.id, known.ANY,
                               "the base, built alike, shows it as well")
                   for case in failures]
        notes = ("built alike,",)
    excused, failed = known.confirm(failures, entries, job.mode, run_on_stock,
                                    *notes)
    for case in excused:
        account.known.append(
            (where, case, known.find_known(entries, case.id, job.mode).reason))
    cases = [case for case in outcome.cases if not results.is_failure(case)]
    cases += excused + failed + known.stale(entries, job.module, job.mode,
                                            outcome.cases)
    text = account.add(where, cases, excused)
    account.say(f"{progress} {job.module:<34} {where:<10} "
                f"{text:<38}{outcome.seconds:7.1f} s")
    account.runs.append({"module": job.module, "mode": job.mode,
                         "frames": job.frames,
                         "seconds": round(outcome.seconds, 1),
                         "status": outcome.status, "result": text})


def run_jobs(jobs, fork, stock, entries, workers, account, own):
    """Run the jobs side by side; enter each as it ends."""
    width = len(str(len(jobs)))
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    try:
        pending = [pool.submit(fork.run, job) for job in jobs]
        for number, future in enumerate(
                concurrent.futures.as_completed(pending), 1):
            judge(future.result(), entries, stock, account,
                  f"[{number:{width}}/{len(jobs)}]", own)
    except BaseException:               # Ctrl-C: nobody will read the rest
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(live):
            end_process(process)
        raise
    finally:
        pool.shutdown()


# ------------------------------------------------------------------------ main

class Parser(argparse.ArgumentParser):
    """One line for a wrong command line, without the usage above it."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (--help lists the options)\n")


def parse(arguments):
    parser = Parser(
        prog="Tools/test/run",
        description="Run the fork's own tests, then upstream's"
        " (the contract), unmodified, with tracing off and on.")
    parser.add_argument("--fork", required=True, type=pathlib.Path,
                        metavar="PYTHON", help="the fork's interpreter")
    parser.add_argument("--stock", required=True, type=pathlib.Path,
                        metavar="PYTHON",
                        help="the untouched base's, to compare with")
    parser.add_argument(
        "--source", type=pathlib.Path, default=HERE.parent.parent,
        metavar="DIR",
        help="the repository (default: the one this runner is in)")
    parser.add_argument(
        "--base", type=pathlib.Path, metavar="DIR",
        help="the unpacked base (default: the one with the security fixes"
        " beside the fork's tree, or where --stock finds its tests)")
    parser.add_argument(
        "--jobs", "-j", type=int, default=os.cpu_count() or 1, metavar="N",
        help="modules run side by side (default: the number of cores)")
    parser.add_argument("--report", type=pathlib.Path, metavar="FILE",
                        help="write a JSON report there, logs beside it")
    parser.add_argument("--timeout", type=float, default=DEFAULT_TIMEOUT,
                        metavar="SECONDS",
                        help="for one module (default: %(default).0f)")
    parser.add_argument("--only", nargs="+", metavar="NAME",
                        help="run these modules only")
    parser.add_argument(
        "--quick", action="store_true",
        help="trace only the modules that contract.txt marks as quick")
    parser.add_argument("--packages", type=pathlib.Path, metavar="DIR",
                        help="install the packages that some checks need "
                        "there, below DIR (default: leave those checks out)")
    parser.add_argument("--sanitizers", type=pathlib.Path, metavar="FILE",
                        help="read what the interpreters' sanitizers report, "
                        "but for what FILE excuses; run sanitize.txt instead "
                        "of the contract, and try what fails on the base")
    parser.add_argument("--free-threaded", action="store_true",
                        help="the interpreters have no GIL: run nogil.txt "
                        "instead of the contract, and try what fails on the "
                        "base")
    parser.add_argument("--contract", type=pathlib.Path,
                        help=argparse.SUPPRESS)
    parser.add_argument("--known", type=pathlib.Path,
                        default=HERE / "known-failures.txt",
                        help=argparse.SUPPRESS)
    parser.add_argument("--no-self-test", action="store_true",
                        help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.contract is None:
        options.contract = HERE / (
            "sanitize.txt" if options.sanitizers
            else "nogil.txt" if options.free_threaded else "contract.txt")
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    if options.timeout <= 0:
        parser.error("--timeout must be more than 0")
    for name in ("fork", "stock"):
        python = getattr(options, name)
        if not (python.is_file() and os.access(python, os.X_OK)):
            parser.error(f"--{name}: {python} is not an interpreter; build it "
                         f"first (make{' stock' if name == 'stock' else ''})")
        setattr(options, name, python.absolute())
    options.source = options.source.resolve()
    if not (options.source / "Lib/test").is_dir():
        parser.error(f"--source: {options.source} has no Lib/test; name the "
                     "repository")
    return options


def find_base(options, laid):
    """(the base's tests, the released ones, what security fixes touch)."""
    if options.base:
        return options.base / "Lib/test", None, ()
    released = test_folder(options.stock)
    tests, touched = fixed_base(laid) or (released, ())
    return tests, released, touched


def run(options, account, logs):
    """The whole run, all of it entered into the account."""
    special = options.sanitizers or options.free_threaded
    entries = None if special else known.read_known(options.known)
    suppressions = (options.sanitizers
                    and sanitizers.read_suppressions(options.sanitizers))
    rows, own = read_contract(options.contract), own_modules(options.source)
    laid = test_folder(options.fork)
    base, released, touched = find_base(options, laid)
    found = fix_rows(touched, rows)
    if found and not knows_localhost():
        found, left_out = without_localhost(found, base)
        account.say("localhost has no address here, so what the security "
                    "fixes change in these is not tested: "
                    f"{', '.join(left_out)} (a line '127.0.0.1 localhost' in "
                    "/etc/hosts gives it one)")
    rows += found
    jobs = (plan_special(own, rows, options.only) if special
            else plan(own, rows, options.only, options.quick))

    if not options.no_self_test:
        cases = self_test()
        account.say(f"the runner's own tests: {account.add('runner', cases)}")
        if account.failed:
            account.say("the runner is broken; nothing else was run")
            return
    wanted = {job.module for job in jobs}
    cases = check_laid([row for row in rows if row.module in wanted
                        and row.module not in own],
                       [name for name in own if name in wanted], laid, base,
                       options.source)
    if touched:
        cases.append(check_fixed(base, touched, released))
    account.say("test files are what they should be: "
                f"{account.add('files', cases)}")

    environment = clean_environment(options.stock, options.source)
    for name in ("fork", "stock"):
        (logs / name).mkdir(parents=True, exist_ok=True)
    if options.sanitizers:
        case = sanitizers.check_works(options.fork,
                                      (logs / "probe").absolute(), environment)
        account.say("the sanitizers report: "
                    f"{account.add('sanitizers', [case])}")
    fork, stock = [Regrtest(python, logs / name, environment, options.timeout,
                            suppressions=suppressions)
                   for name, python in (("fork", options.fork),
                                        ("stock", options.stock))]
    if options.packages and not options.only:
        cases = packages.check_greenlet(
            options.fork, options.packages.absolute() / "greenlet",
            environment)
        account.say(f"greenlets: {account.add('greenlet', cases)}")
        for case in cases:
            if case.outcome == results.SKIPPED:
                account.say(f"  skipped: {case.detail}")
    if options.free_threaded:
        case = check_free_threaded(options.fork, environment)
        account.say("threads run at once: "
                    f"{account.add('free-threaded', [case])}")
    run_jobs(jobs, fork, stock, entries, options.jobs, account, own)


def main(arguments=None, stream=None):
    # A shell starts background jobs with SIGINT ignored, tests inherit that,
    # and those that interrupt themselves (test_threading) then never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parse(arguments)
    account = Account(stream)
    with tempfile.TemporaryDirectory(prefix="tracemalloc-test-") as scratch:
        logs = (options.report.with_suffix(".logs") if options.report
                else pathlib.Path(scratch))
        try:
            run(options, account, logs.absolute())
        except (WrongUse, known.BadList) as error:
            print(f"Tools/test/run: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("Tools/test/run: interrupted", file=sys.stderr)
            return 130
        if options.report:
            account.report(options.report)
        status = account.summary()
    return status


if __name__ == "__main__":
    sys.exit(main())
