"""Run hostile programs until something else than their end comes of them.

usage: python3 Tools/fuzz/torture --python PYTHON [--seconds N] [--seed N]
                                  [--jobs N] ...

Each seed makes one program (generate.py), which runs in a process of its own.
It must come to its end in time, and find the tracer in order then (kit).  What
does not is reported, with the seed that makes it again, and kept in a folder.
PYTHON should verify captures and have tiny tables: make torture-built.

Exit status: 0, 1 if something was found, 2 if used wrongly.
"""
import argparse
import os
import pathlib
import resource
import signal
import struct
import sys
import tempfile
import threading
import time

import execute
from generate import GENERATION, Program
from reduce import reduced

HERE = pathlib.Path(__file__).resolve().parent
KEPT = HERE / "kept"

CHECKED = 1                             # the first seed of a check
LIMIT = 60.0                            # seconds that a program has
TOLD = 60.0                             # seconds between lines of progress
SUMS = 24                               # bytes; see tracemalloc_verify.c
TRIES = 3                               # chances of a smaller program to fail


class Findings:
    """Everything that was found, and its rendering."""

    def __init__(self, setups, output, stream=None):
        self.traced, self.others = setups
        self.output = output
        self.stream = stream or sys.stdout
        self.lock = threading.Lock()
        self.programs = 0
        self.found = []                 # (name, Outcome): faults of the fork
        self.base = []                  # the same of the base
        self.last = None                # the seed of the newest program

    def say(self, text=""):
        print(text, file=self.stream, flush=True)

    def run(self, name, text):
        """Run one program, and look closer if anything is wrong with it."""
        with tempfile.TemporaryDirectory(prefix="torture-") as folder:
            program = pathlib.Path(folder, f"{name}.py")
            program.write_text(text, encoding="utf-8")
            outcome = execute.run(self.traced, program)
            with self.lock:
                self.programs += 1
            if outcome.kind != execute.FINE:
                self.look(name, text, program, outcome)
        return outcome

    def look(self, name, text, program, outcome):
        """Tell the fork's faults from the base's; keep all that is known."""
        if execute.is_of_base(outcome):
            with self.lock:
                self.base.append((name, outcome))
            return
        report = [f"{outcome.kind}: {outcome.signature}",
                  f"after {outcome.seconds:.1f} s", "", outcome.said]
        if outcome.kind != execute.HANG:
            report += ["", execute.backtrace(self.traced, program)]
        culprit = self.found
        for setup in self.others:
            for _ in range(3):
                other = execute.run(setup, program)
                if execute.same_fault(outcome, other):
                    culprit = self.base
                    report += ["",
                               f"the same without tracing, {setup.python}:",
                               other.said]
                    break
        self.output.mkdir(parents=True, exist_ok=True)
        kept = self.output / f"{name}.py"
        kept.write_text(text, encoding="utf-8")
        kept.with_suffix(".txt").write_text("\n".join(report),
                                            encoding="utf-8")
        with self.lock:
            culprit.append((name, outcome))
            whose = ("" if culprit is self.found
                     else ", WITHOUT TRACING AS WELL")
            self.say(f"seed {name}: {outcome.kind}{whose}: "
                     f"{outcome.signature}\n  {kept}")


def hunt(findings, seeds, jobs, until):
    """Run the programs of the seeds, `jobs` at a time, until a moment."""
    lock = threading.Lock()
    told = time.monotonic()

    def work():
        nonlocal told
        while time.monotonic() < until:
            with lock:
                seed = next(seeds, None)
                if seed is None:
                    return
                findings.last = seed
                if time.monotonic() > told + TOLD:
                    told += TOLD
                    findings.say(f"{findings.programs} programs, "
                                 f"at seed {seed}")
            findings.run(str(seed), Program(seed).render())

    threads = [threading.Thread(target=work, daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def make_smaller(findings, seed):
    """Leave out of a seed's program what its fault does not need;
    print the rest.
    """
    program = Program(seed)
    numbers = list(program.numbers())
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        path = pathlib.Path(folder, f"{seed}.py")

        def outcome(without):
            path.write_text(program.render(without), encoding="utf-8")
            return execute.run(findings.traced, path, looks=False)

        def attempts(without):
            return (outcome(without) for _ in range(TRIES))

        first = next((one for one in attempts(()) if one.kind != execute.FINE),
                     None)
        if first is None:
            findings.say(f"seed {seed}: nothing wrong in {TRIES} runs")
            return 0
        findings.say(f"seed {seed}: {first.kind}: {first.signature}")
        without = reduced(
            numbers,
            lambda tried: any(execute.same_fault(first, one)
                              for one in attempts(tried)),
            findings.say)
    findings.output.mkdir(parents=True, exist_ok=True)
    kept = findings.output / f"{seed}-reduced.py"
    kept.write_text(program.render(without), encoding="utf-8")
    findings.say(f"{kept}")
    return 1


def run_kept(findings):
    """Run the programs that showed a fault once; return how many do not again.
    """
    passed = 0
    for path in sorted(KEPT.glob("*.py")):
        passed += findings.run(
            path.stem, path.read_text(encoding="utf-8")).kind == execute.FINE
    return passed


def self_test(options, say):
    """The generator's own tests: (passed, failed)."""
    import test_torture
    import unittest
    test_torture.python = options.python.absolute()
    tests = unittest.defaultTestLoader.loadTestsFromModule(test_torture)
    result = unittest.TestResult()
    tests.run(result)
    for test, detail in result.failures + result.errors:
        say(f"FAILED {test.id()}\n{detail}")
    failed = len(result.failures) + len(result.errors)
    return result.testsRun - failed - len(result.skipped), failed


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (--help lists the options)\n")


def parse(arguments):
    parser = Parser(prog="Tools/fuzz/torture",
                    description=__doc__.partition("\n")[0])
    parser.add_argument("--python", type=pathlib.Path,
                        help="the interpreter under test")
    parser.add_argument(
        "--stock", type=pathlib.Path, metavar="PYTHON",
        help="the untouched base's, to tell its faults from the tracer's")
    parser.add_argument("--packages", type=pathlib.Path, metavar="DIR",
                        help="where the tests have installed greenlet")
    parser.add_argument(
        "--output", type=pathlib.Path, default="build/found", metavar="DIR",
        help="where programs and reports are kept (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3600.0, metavar="N",
                        help="how long (default: an hour)")
    parser.add_argument("--count", type=int, metavar="N",
                        help="as many programs at most")
    parser.add_argument(
        "--seed", type=int, metavar="N",
        help="the first seed (default: one that is new each time)")
    parser.add_argument("--jobs", "-j", type=int, default=1, metavar="N")
    parser.add_argument("--limit", type=float, default=LIMIT,
                        metavar="SECONDS",
                        help="that a program has (default: %(default).0f)")
    parser.add_argument(
        "--check", action="store_true",
        help="what make test does: the generator's tests, the programs that "
        "are kept, and seeds from 1 on; end with one line for all")
    parser.add_argument(
        "--reduce", type=int, metavar="SEED",
        help="leave out of a seed's program what its fault does not need")
    parser.add_argument("--show", type=int, metavar="SEED",
                        help="print a seed's program")
    parser.add_argument("programs", nargs="*", type=pathlib.Path,
                        metavar="FILE", help="run these programs and no seeds")
    options = parser.parse_args(arguments)
    if options.show is None:
        if options.python is None:
            parser.error("--python names no interpreter: make torture-built, "
                         "then --python build/torture/python")
        for name in "python", "stock":
            python = getattr(options, name)
            if python is not None and not os.access(python, os.X_OK):
                parser.error(f"--{name}: {python} is not an interpreter")
    return options


def make_setups(options, sums, evaluator):
    """The interpreter under test, and those that tell whose a fault is."""
    def setup(python, **words):
        return execute.Setup(python.absolute(), options.limit,
                             options.packages, evaluator=evaluator, **words)

    others = [setup(options.python, untraced=True)]
    if options.stock:
        others.append(setup(options.stock, untraced=True))
    return setup(options.python, sums=sums), others


def seeds_of(options):
    """The seeds of a run, without end if nobody said how many."""
    first = options.seed
    if first is None:
        first = CHECKED if options.check else int(time.time()) * 1000
    return first, iter(range(
        first, first + (1 << 62 if options.count is None else options.count)))


def run_programs(findings, options, begin):
    """Run what the options name."""
    if options.programs:
        for path in options.programs:
            findings.run(path.stem, path.read_text(encoding="utf-8"))
        return
    first, seeds = seeds_of(options)
    without = ("" if findings.traced.has_greenlet
               else "; no greenlets: not installed")
    findings.say(f"seeds from {first} on, generation {GENERATION}{without}")
    hunt(findings, seeds, options.jobs, begin + options.seconds)


def run_seeds(findings, options, sums):
    """Run what the options name, and say how it went, also to who does not
    wait for the end.
    """
    begin = time.monotonic()
    try:
        run_programs(findings, options, begin)
    finally:
        say_sums(findings, time.monotonic() - begin, sums)


def say_sums(findings, seconds, sums):
    captures, differences, processes = struct.unpack(
        "=3Q", pathlib.Path(sums).read_bytes())
    last = ("" if findings.last is None
            else f", the last seed was {findings.last}")
    findings.say(f"{findings.programs} programs in {seconds:.0f} s "
                 f"({findings.programs / seconds:.2f} a second){last}")
    findings.say(f"{captures} captures verified in {processes} processes,"
                 f" {differences} differences")
    findings.say(
        f"{len(findings.found)} faults found, and {len(findings.base)} that "
        "are there without tracing as well")


def run(options):
    """Do what the options say; return the exit status."""
    with (tempfile.NamedTemporaryFile(prefix="torture-") as sums,
          tempfile.TemporaryDirectory(prefix="torture-") as evaluator):
        sums.write(bytes(SUMS))
        sums.flush()
        execute.compile_evaluator(options.python, evaluator)
        findings = Findings(make_setups(options, sums.name, evaluator),
                            options.output)
        if options.reduce is not None:
            return make_smaller(findings, options.reduce)
        passed = failed = 0
        if options.check:
            passed, failed = self_test(options, findings.say)
        if not failed:
            if not options.programs:
                passed += run_kept(findings)
            run_seeds(findings, options, sums.name)
    if options.check:
        failed += len(findings.found)
        print(f"{passed + (not findings.found)} passed, {failed} failed")
        return 1 if failed else 0
    return 1 if findings.found else 0


def main(arguments=None):
    options = parse(arguments)
    if options.show is not None:
        sys.stdout.write(Program(options.show).render())
        return 0
    # A shell starts what runs in the background with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # What goes wrong in programs is seen here; nobody reads their core files.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        return run(options)
    except KeyboardInterrupt:
        execute.end_all()
        print("Tools/fuzz/torture: interrupted", file=sys.stderr)
        return 130
    except execute.NoEvaluator as error:
        print(f"Tools/fuzz/torture: {error}", file=sys.stderr)
        return 2
