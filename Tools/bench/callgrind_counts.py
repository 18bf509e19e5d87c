"""Count the instructions of cases under valgrind;
see Tools/bench/callgrind --help.

Counts do not depend on what else the machine does, so they settle differences
that are smaller than the noise of time.  Each case runs twice, once with no
loop at all: the first count is start-up and preparation, the difference is the
workload.  Operations that have a budget are counted between two numbers of
loops, so that what a program does once, the first time, is not in it.
"""
import shutil
import subprocess
import sys

import budgets
import cases
import options
import pages
import profiles
import tables
from configurations import BY_NAME, EVERY_FRAME, RECORD
from measure import (WORK, BenchError, Job, case_arguments, clean_environment,
                     clear_records, last_line)

DEFAULT_CASES = (
    "small_objects,fresh_frames,generators,large_blocks,huge_blocks,"
    "free_lists,attributes,class_using,json_both_ways,strings_regex,web_mix,"
    "parser,tree_same_line")
DEFAULT_CONFIGURATIONS = "stock-off,fork-off,fork-all,fork-record"
SHARE = 5                               # of the loops of a quick run
NEEDED = ("PATH", "LD_LIBRARY_PATH", "VALGRIND", "PYTHON", "LC_ALL")
LEAST = 4                               # lest the first loop be all of it


def parse(arguments):
    parser = options.Parser(
        prog="Tools/bench/callgrind",
        description="Count instructions of small runs of cases"
        " under valgrind, and of single operations, which must keep their"
        " budgets (Tools/bench/budgets.txt)."
        " Writes callgrind-LABEL.json and results.inc.")
    options.add_builds(parser, "where to write the results")
    options.add_cases(parser,
                      "count only these cases, or all that there are "
                      f"(default: {DEFAULT_CASES}, and the operations)")
    parser.add_argument("--operations", metavar="NAME,...",
                        help="count only these operations, or all: "
                        + ", ".join(item.name for item in budgets.OPERATIONS))
    parser.add_argument("--configurations", metavar="NAME,...",
                        default=DEFAULT_CONFIGURATIONS,
                        help=f"of {', '.join(BY_NAME)} (default: %(default)s)")
    given = parser.parse_args(arguments)
    options.check_builds(parser, given)
    if shutil.which("valgrind") is None:
        parser.error("valgrind is not installed (apt-get install valgrind)")
    given.partial = given.cases is not None or given.operations is not None
    given.operations = chosen_operations(parser, given)
    if given.cases is None and given.partial:
        given.chosen = []
    else:
        given.cases = {None: DEFAULT_CASES, "all": None}.get(
            given.cases, given.cases)
        given.chosen = options.chosen_cases(parser, given,
                                            cases.GROUPS + cases.COUNTED)
    given.configurations = options.chosen_configurations(parser, given)
    return given


def chosen_operations(parser, given):
    """The operations of --operations; without it all, but none beside
    --cases.
    """
    if given.operations is None:
        return () if given.partial else budgets.OPERATIONS
    if given.operations == "all":
        return budgets.OPERATIONS
    names = given.operations.split(",")
    known = {operation.name: operation for operation in budgets.OPERATIONS}
    unknown = sorted(set(names) - known.keys())
    if unknown:
        parser.error(f"--operations: no such operation: {', '.join(unknown)}; "
                     f"there are {', '.join(known)}")
    return [operation for name, operation in known.items() if name in names]


def counting_environment():
    """What programs need of the environment, and no more: os.environ is on
    the heap, and where things lie there is worth some instructions.
    """
    return {name: value for name, value in clean_environment().items()
            if name.startswith(NEEDED)}


def count(build, configuration, case, loops, size=None, questions=()):
    """The instructions of one process, of a quick run's size unless told.

    Those of a record's checkpoints are left out.
    """
    what = case.name if size is None else f"{case.name}-{size}"
    folder = WORK / "callgrind"
    folder.mkdir(parents=True, exist_ok=True)
    profile = folder / f"{what}.{configuration.name}.{loops}.out"
    profiles.remove(profile)
    clear_records()
    prefix = ["valgrind", "--tool=callgrind", "--trace-children=no", "-q",
              f"--callgrind-out-file={profile}"]
    if configuration.keeps_record:
        prefix.append(profiles.THREADS)
    job = Job(build, configuration, case, size or case.size[True], loops,
              questions)
    answer = subprocess.run(build.command(configuration.options,
                                          case_arguments(job), prefix),
                            env=counting_environment(),
                            stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, check=False)
    if answer.returncode:
        raise BenchError(
            f"case {case.name}, {configuration.name}, under valgrind: status "
            f"{answer.returncode}, {last_line(answer.stderr)}")
    return (profiles.read_without_record(profile) if configuration.keeps_record
            else profiles.read_total(profile))


def count_case(builds, configurations, case):
    """Rows of one case, ratios to the base's among them."""
    loops = max(LEAST, case.loops[True] // SHARE)
    rows = []
    for configuration in configurations:
        build = builds[configuration.build]
        startup = count(build, configuration, case, 0)
        workload = count(build, configuration, case, loops) - startup
        base = rows[0] if rows else {"startup": startup, "workload": workload}
        rows.append({"case": case.name, "configuration": configuration.name,
                     "label": configuration.label, "loops": loops,
                     "startup": startup,
                     "startup_ratio": startup / base["startup"],
                     "workload": workload,
                     "ratio": workload / base["workload"]})
    return rows


def count_program(builds, case):
    """The row of a program: instructions each time, by configuration.

    If a record seems to cost something, the same is counted without one but
    with another thread: for two threads the C library takes locks.
    """
    row = {"program": case.name, "text": case.text}
    for name in budgets.COMPARED:
        row[name] = count_once(builds, name, case)
    if row[RECORD] - row[EVERY_FRAME] > budgets.HALF:
        row[budgets.THREAD] = count_once(builds, EVERY_FRAME, case, ["thread"])
    return row


def count_once(builds, name, case, questions=()):
    """The instructions of a program, each time."""
    configuration = BY_NAME[name]
    warm, counted = (
        count(builds[configuration.build], configuration, case, loops,
              questions=questions)
        for loops in (budgets.WARM, budgets.WARM + budgets.COUNTED))
    if counted <= warm:
        raise BenchError(f"{case.name}, {name}: more loops took less; did "
                         "something change while it was counted?")
    return (counted - warm) / (budgets.COUNTED * case.size[True])


def count_operations(builds, operations, programs, label):
    """What the JSON file gets of them."""
    kind = budgets.kind_of(label)
    limits = budgets.read_budgets()
    rows = []
    for case in programs:
        print(f"counting {case.name}", file=sys.stderr, flush=True)
        rows.append(count_program(builds, case))
    taken = {row["program"]: row for row in rows}
    return {"programs": rows, "operations": [
        budgets.operation_row(operation, taken,
                              limits[operation.name].get(kind))
        for operation in operations]}


def write_bytecode(builds, chosen):
    """Run no loop of any case, before anything counts; what is asked of the
    tracer afterwards imports more.
    """
    for case in chosen:
        for name in budgets.COMPARED:
            configuration = BY_NAME[name]
            build = builds[configuration.build]
            job = Job(build, configuration, case, case.size[True], 0, [])
            build.run(configuration.options, case_arguments(job))


def require_configurations(builds, configurations):
    for configuration in configurations:
        refusal = builds[configuration.build].refuses(configuration)
        if refusal:
            raise BenchError(f"{configuration.name} cannot be counted: "
                             f"{refusal}")


def report(data, path):
    """Print the tables, and what keeps the target from succeeding."""
    for rows in tables.all_counts_tables(data):
        print(tables.aligned(rows) + "\n")
    for note in tables.counts_notes(data):
        print(note)
    print(f"written: {path}; profiles for callgrind_annotate: "
          f"{WORK / 'callgrind'}", flush=True)
    wrong = budgets.exceeded(data)
    for line in wrong:
        print(f"bench: {line}", file=sys.stderr)
    return 1 if wrong else 0


def main():
    given = parse(sys.argv[1:])
    builds, described = options.describe_builds(given)
    label = options.build_label(described["fork"])
    programs = budgets.load_programs(given.operations)
    require_configurations(builds, given.configurations)
    write_bytecode(builds, [*programs, *given.chosen])
    data = options.common_facts(pages.COUNTS, described, label, given.partial)
    data |= count_operations(builds, given.operations, programs, label)
    data["rows"] = []
    for case in given.chosen:
        print(f"counting {case.name}", file=sys.stderr, flush=True)
        data["rows"] += count_case(builds, given.configurations, case)
    part = "-part" if given.partial else ""
    path = given.output / f"callgrind-{label}{part}.json"
    pages.write(path, data)
    pages.write_pages(given.output)
    return report(data, path)


if __name__ == "__main__":
    sys.exit(options.guarded(main))
