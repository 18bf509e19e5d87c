"""List every requirement with the tests that carry its id,
and whether they pass.

requirements.txt has the ids.  A test carries those that its name begins with,
behind "test_": test_S12_... carries one, test_S51_S54_... two.  Carriers are

* the test methods of our own modules in Lib/test,
* the functions of the driver's tests, Tools/base/test/test_*.sh,
* the entries of the core's tests, Tools/core/test_*.c, as {"P12 ...", ...},
* modules of the contract, which a line of requirements.txt names.

Exactly these tests are run.  Standard output gets one line for each id and
test; the exit status is 1 if an id has no test or none that could prove it, or
a test failed or names an id that is not listed, and 2 if there was nothing
sensible to run.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))           # started with -I, as the runner is

import known                            # noqa: E402
import results                          # noqa: E402
import runner                           # noqa: E402

PASS, FAIL, SKIP, NONE = "pass", "FAIL", "skip", "NO TEST"

ID = re.compile(r"[A-Z][0-9]{1,3}")
PYTHON, DRIVER, CORE, CONTRACT = "python", "driver", "core", "contract"

CONTRACT_LINE = "contract:"
SHELL_TEST = re.compile(r"^(test_[A-Za-z0-9_]*)\(\) \{$", re.M)
SHELL_RESULT = re.compile(r"^  (ok  |skip|FAIL)  ([A-Za-z0-9_]+)", re.M)
CORE_TEST = re.compile(r'^    \{"((?:[A-Z][0-9]{1,3} )+[^"]*)",\s*test_', re.M)
CORE_RESULT = re.compile(
    r"^(ok|FAILED) +[a-z-]+ +[a-z]+: (.+?)(?: \(signal .*\))?$", re.M)

Requirement = collections.namedtuple("Requirement", "id text contract")

# where: what is run to get its result: a module,
# or a file of the core's tests.
Test = collections.namedtuple("Test", "kind where name")


# ------------------------------------------------------------------- the table

def read_table(path):
    """The Requirements of a table by id, in its order."""
    table = {}
    last = None
    for number, line in enumerate(
            path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, text = line.strip().partition(" ")
        if line[0].isspace():
            if last is None or name != CONTRACT_LINE or not text.split():
                raise known.BadList(f"{path}:{number}: expected, below an id:"
                                    f" {CONTRACT_LINE} MODULE ...")
            table[last] = table[last]._replace(contract=tuple(text.split()))
            continue
        if not ID.fullmatch(name) or not text.strip():
            raise known.BadList(f"{path}:{number}: expected: ID TEXT, the ID "
                                "like S01")
        if name in table:
            raise known.BadList(f"{path}:{number}: {name} is listed already")
        table[name] = Requirement(name, text.strip(), ())
        last = name
    if not table:
        raise known.BadList(f"{path}: lists no requirement")
    return table


def ids_of(name):
    """The ids that a test's name begins with.

    >>> ids_of("test_S51_S54_statistics_of_S60")
    ['S51', 'S54']
    >>> ids_of("P12 nodes are aligned")
    ['P12']
    """
    found = []
    for word in re.split(r"[_ ]", name.removeprefix("test_")):
        if not ID.fullmatch(word):
            break
        found.append(word)
    return found


# ------------------------------------------------------------------- the tests

def python_tests(fork, modules, environment):
    """The Tests of our own modules, as the fork's regrtest finds them.

    Reading the sources would miss the tests that are made while importing.
    """
    command = [str(fork), "-m", "test", "--list-cases", *modules]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL,
                            capture_output=True,
                            text=True, env=environment, check=False)
    if answer.returncode:
        said = ((answer.stderr or answer.stdout).strip().splitlines()
                or ["nothing"])
        raise runner.WrongUse(f"{fork} cannot list the tests, it said: "
                              f"{said[-1]}")
    found = []
    for name in answer.stdout.splitlines():
        module = known.module_of(name).partition(".")[0]
        if module in modules:
            found.append(Test(PYTHON, module, name))
    return found


def shell_tests(source):
    return [Test(DRIVER, path.name, name)
            for path in sorted((source / "Tools/base/test").glob("test_*.sh"))
            for name in SHELL_TEST.findall(path.read_text(encoding="utf-8"))]


def core_tests(source):
    return [Test(CORE, path.stem.removeprefix("test_"), name)
            for path in sorted((source / "Tools/core").glob("test_*.c"))
            for name in CORE_TEST.findall(path.read_text(encoding="utf-8"))]


def carried_by(test):
    name = test.name.rpartition(".")[2] if test.kind == PYTHON else test.name
    return ids_of(name)


def assign(table, tests):
    """Return ({id: its Tests}, [(Test, id that is in no table)])."""
    carriers = {name: [Test(CONTRACT, module, module)
                       for module in row.contract]
                for name, row in table.items()}
    strangers = []
    for test in tests:
        for name in carried_by(test):
            if name in carriers:
                carriers[name].append(test)
            else:
                strangers.append((test, name))
    return carriers, strangers


def shown(test):
    """A test's name as a person would type it."""
    if test.kind == PYTHON:
        return test.name.removeprefix("test.")
    if test.kind == CONTRACT:
        return f"{test.name} (CPython's own)"
    return f"{test.kind}/{test.where}: {test.name}"


# ----------------------------------------------------------------- the results

def worst(words):
    """One result of several: a failure if any, a pass if any and no failure.
    """
    for word in FAIL, PASS, SKIP:
        if word in words:
            return word
    return FAIL


OUTCOMES = {results.PASSED: PASS, results.SKIPPED: SKIP,
            results.FAILED: FAIL, results.ERROR: FAIL}


def python_results(tests, outcome):
    """{Test: (word, detail)} of one module, from its regrtest run."""
    cases = collections.defaultdict(list)
    for case in outcome.cases:
        cases[case.id].append(case)
    # A failure of a fixture or of the module says why tests are missing.
    others = [case.detail for case in outcome.cases
              if results.is_failure(case)]
    found = {}
    for test in tests:
        mine = cases.get(test.name)
        if mine:
            word = worst({OUTCOMES[case.outcome] for case in mine})
            detail = "\n".join(case.detail for case in mine
                               if OUTCOMES[case.outcome] == word)
        elif outcome.cases and all(c.outcome == results.SKIPPED
                                   for c in outcome.cases):
            word, detail = SKIP, outcome.cases[0].detail
        else:
            word, detail = FAIL, "\n".join(["was not run", *others])
        found[test] = word, detail
    return found


def contract_result(test, outcomes, changed):
    """(word, detail) of one module of the contract, over its runs."""
    details = list(changed)
    words = {FAIL} if changed else set()
    for outcome, excused in outcomes:
        rest = [case for case in outcome.cases
                if not (results.is_failure(case) and case in excused)]
        words.add(worst({OUTCOMES[case.outcome] for case in rest} or {FAIL}))
        details += [f"{case.id}: {case.detail}" for case in rest
                    if results.is_failure(case)]
    return worst(words), "\n".join(details)


def printed_results(tests, text, status, pattern):
    """{Test: (word, detail)} of tests whose program prints a line for each."""
    words = collections.defaultdict(set)
    for match in pattern.finditer(text):
        word = {"ok": PASS, "skip": SKIP}.get(match[1].strip(), FAIL)
        words[match[2]].add(word)
    # A program that stopped early has not said everything.
    if status != 0 and not any(FAIL in each for each in words.values()):
        words.clear()
    found = {}
    for test in tests:
        word = worst(words[test.name])
        detail = ("" if word == PASS
                  else f"status {status}\n{results.tail(text)}")
        found[test] = word, detail
    return found


class Execution:
    """Runs what the tests need; each method returns {Test: (word, detail)}."""

    def __init__(self, options, environment, logs):
        self.options = options
        self.logs = logs
        self.environment = environment
        for name in "fork", "stock":
            (logs / name).mkdir(parents=True, exist_ok=True)
        self.fork = runner.Regrtest(options.fork, logs / "fork", environment,
                                    options.timeout)
        self.stock = runner.Regrtest(options.stock, logs / "stock",
                                     environment, options.timeout)
        self.entries = known.read_known(options.known)
        self.frames = {row.module: row.frames
                       for row in runner.read_contract(options.contract)}

    def python(self, module, tests):
        job = runner.Job(module, known.OFF, None)
        return python_results(
            tests, self.fork.run(job, [test.name for test in tests]))

    def contract(self, module, tests):
        laid, base = (runner.test_folder(python)
                      for python in (self.options.fork, self.options.stock))
        changed = runner.differences(runner.module_path(laid, module),
                                     runner.module_path(base, module))
        frames = self.frames.get(module,
                                 self.frames.get(module.partition(".")[0]))
        jobs = [runner.Job(module, known.OFF, None)]
        if frames:
            jobs.append(runner.Job(module, known.TRACED, frames))
        outcomes = []
        for job in jobs:
            outcome = self.fork.run(job)
            failures = [case for case in outcome.cases
                        if results.is_failure(case)]
            excused, _ = known.confirm(failures, self.entries, job.mode,
                                       lambda ids: self.stock.run(job).cases)
            outcomes.append((outcome, excused))
        return {test: contract_result(test, outcomes, changed)
                for test in tests}

    def printed(self, label, command, tests, pattern):
        log = self.logs / f"{label}.log"
        status = runner.run_process([str(word) for word in command], log,
                                    self.environment, self.options.timeout)
        text = log.read_text(encoding="utf-8", errors="replace")
        return printed_results(tests, text, status, pattern)

    def driver(self, file, tests):
        program = self.options.source / "Tools/base/test/run"
        return self.printed(f"driver-{file}",
                            [program, *(test.name for test in tests)], tests,
                            SHELL_RESULT)

    def core(self, file, tests):
        # In a folder of its own: several may run side by side.
        build = self.logs.absolute() / f"core-{file}"
        command = ["make", "-s", "-C", self.options.source / "Tools/core",
                   "QUICK=1", f"ONLY={file}", f"BUILD={build}"]
        return self.printed(f"core-{file}", command, tests, CORE_RESULT)


def run_tests(execution, tests, workers, progress):
    """Run the Tests, those of one place together;
    return {Test: (word, detail)}.
    """
    places = collections.defaultdict(list)
    for test in tests:
        places[test.kind, test.where].append(test)
    found = {}
    pool = concurrent.futures.ThreadPoolExecutor(workers)
    try:
        pending = {pool.submit(getattr(execution, kind), where, members):
                       (kind, where)
                   for (kind, where), members in places.items()}
        for number, future in enumerate(
                concurrent.futures.as_completed(pending), 1):
            found.update(future.result())
            kind, where = pending[future]
            print(f"[{number}/{len(pending)}] {kind} {where}", file=progress,
                  flush=True)
    except BaseException:               # Ctrl-C: nobody will read the rest
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(runner.live):
            runner.end_process(process)
        raise
    finally:
        pool.shutdown()
    return found


# ------------------------------------------------------------------ the report

# tests: [(Test, word, detail)]
Row = collections.namedtuple("Row", "requirement tests word")


def make_rows(table, carriers, found):
    """A Row for each requirement; found is None if nothing was run."""
    rows = []
    for name, requirement in table.items():
        tests = [(test, *(found[test] if found is not None else ("", "")))
                 for test in carriers[name]]
        if not tests:
            word = NONE
        else:
            word = (worst({word for _, word, _ in tests}) if found is not None
                    else "")
        rows.append(Row(requirement, tests, word))
    return rows


def render(rows, strangers, ran, texts, stream):
    """Write the table and what is wrong with it; return the exit status."""
    def say(text=""):
        print(text, file=stream)

    for row in rows:
        if texts or not row.tests:
            say(f"{row.requirement.id:<5} {NONE if not row.tests else '':<7} "
                f"{row.requirement.text}".rstrip())
        for test, word, _ in row.tests:
            say(f"{row.requirement.id:<5} {word:<7} {shown(test)}")

    told = set()
    for row in rows:
        for test, word, detail in row.tests:
            if word == FAIL and test not in told:
                told.add(test)
                say(f"\n{'-' * 70}\nFAIL {shown(test)}\n{detail}")
    say()
    for test, name in strangers:
        say(f"{shown(test)}: carries {name}, which no requirement has")
    for word, what in ((NONE, "have no test"),
                       (FAIL, "have a test that fails"),
                       (SKIP, "are not proved, their tests were skipped")):
        names = [row.requirement.id for row in rows if row.word == word]
        if names:
            say(f"{len(names)} {what}: {' '.join(names)}")
    number = len({test for row in rows for test, *_ in row.tests})
    good = sum(row.word == PASS for row in rows)
    if ran:
        say(f"{len(rows)} requirements, {number} tests:"
            f" {good} passed, {len(rows) - good} failed")
        return 0 if good == len(rows) and not strangers else 1
    say(f"{len(rows)} requirements, {number} tests; none was run")
    return 0 if all(row.tests for row in rows) and not strangers else 1


def write_report(rows, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = [{"id": row.requirement.id, "text": row.requirement.text,
             "result": row.word,
             "tests": [{"test": shown(test), "result": word}
                       for test, word, _ in row.tests]}
            for row in rows]
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


# ------------------------------------------------------------------------ main

def parse(arguments):
    parser = runner.Parser(
        prog="make requirements",
        description="Run the tests that carry the ids of"
        " requirements, and print id, result and test.")
    parser.add_argument("--fork", required=True, type=pathlib.Path,
                        metavar="PYTHON", help="the fork's interpreter")
    parser.add_argument("--stock", required=True, type=pathlib.Path,
                        metavar="PYTHON",
                        help="the untouched base's, to compare with")
    parser.add_argument(
        "--source", type=pathlib.Path, default=HERE.parent.parent,
        metavar="DIR",
        help="the repository (default: the one this program is in)")
    parser.add_argument("--only", nargs="+", metavar="ID",
                        help="these requirements only")
    parser.add_argument("--list", action="store_true",
                        help="list the tests, run none")
    parser.add_argument("--texts", action="store_true",
                        help="show what is required, too")
    parser.add_argument(
        "--jobs", "-j", type=int, default=os.cpu_count() or 1, metavar="N",
        help="programs run side by side (default: the number of cores)")
    parser.add_argument("--report", type=pathlib.Path, metavar="FILE",
                        help="write the table as JSON there, logs beside it")
    parser.add_argument("--timeout", type=float,
                        default=runner.DEFAULT_TIMEOUT, metavar="SECONDS",
                        help="for one program (default: %(default).0f)")
    for name in "table", "contract", "known":
        file = {"table": "requirements", "known": "known-failures"}.get(
            name, name)
        parser.add_argument(f"--{name}", type=pathlib.Path,
                            default=HERE / f"{file}.txt",
                            help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error("--jobs must be at least 1")
    if options.timeout <= 0:
        parser.error("--timeout must be more than 0")
    for name in "fork", "stock":
        python = getattr(options, name)
        if not (python.is_file() and os.access(python, os.X_OK)):
            parser.error(f"--{name}: {python} is not an interpreter; build "
                         "it first")
        setattr(options, name, python.absolute())
    options.source = options.source.resolve()
    if not (options.source / "Lib/test").is_dir():
        parser.error(f"--source: {options.source} has no Lib/test; name the "
                     "repository")
    return options


def examine(options, logs, stream, progress):
    table = read_table(options.table)
    environment = runner.clean_environment(options.stock, options.source)
    tests = python_tests(options.fork, runner.own_modules(options.source),
                         environment)
    carriers, strangers = assign(
        table,
        tests + shell_tests(options.source) + core_tests(options.source))
    if options.only:
        unknown = [name for name in options.only if name not in table]
        if unknown:
            raise runner.WrongUse("--only: no such requirement: "
                                  f"{', '.join(unknown)}")
        table = {
            name: row for name, row in table.items() if name in options.only}
        strangers = []
    found = None
    if not options.list:
        wanted = dict.fromkeys(test for name in table
                               for test in carriers[name])
        found = run_tests(Execution(options, environment, logs), wanted,
                          options.jobs, progress)
    rows = make_rows(table, carriers, found)
    if options.report:
        write_report(rows, options.report)
    return render(rows, strangers, found is not None, options.texts, stream)


def main(arguments=None, stream=None, progress=None):
    # As the runner: tests that interrupt themselves need the signal back.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parse(arguments)
    with tempfile.TemporaryDirectory(
            prefix="tracemalloc-requirements-") as scratch:
        logs = (options.report.with_suffix(".logs") if options.report
                else pathlib.Path(scratch))
        try:
            return examine(options, logs.absolute(), stream or sys.stdout,
                           progress or sys.stderr)
        except (runner.WrongUse, known.BadList) as error:
            print(f"make requirements: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("make requirements: interrupted", file=sys.stderr)
            return 130


if __name__ == "__main__":
    sys.exit(main())
