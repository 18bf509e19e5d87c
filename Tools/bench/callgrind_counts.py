"""Count the instructions of cases under valgrind;
see Tools/bench/callgrind --help.

Counts do not depend on what else the machine does, so they settle differences
that are smaller than the noise of time.  Each case runs twice, once with no
loop at all: the first count is start-up and preparation, the difference is the
workload.
"""
import re
import shutil
import subprocess
import sys

import cases
import options
import pages
import tables
from configurations import BY_NAME
from measure import (WORK, BenchError, Job, case_arguments, clean_environment,
                     last_line)

DEFAULT_CASES = (
    "small_objects,fresh_frames,generators,large_blocks,huge_blocks,"
    "free_lists,attributes,class_using,json_both_ways,strings_regex,web_mix,"
    "parser,tree_same_line")
DEFAULT_CONFIGURATIONS = "stock-off,fork-off,fork-all"
SHARE = 5                               # of the loops of a quick run
LEAST = 4                               # lest the first loop be all of it


def parse(arguments):
    parser = options.Parser(
        prog="Tools/bench/callgrind",
        description="Count instructions of small runs of cases"
        " under valgrind. Writes callgrind-LABEL.json and results.inc.")
    options.add_builds(parser, "where to write the results")
    options.add_cases(parser,
                      f"cases to count, or all (default: {DEFAULT_CASES})")
    parser.add_argument("--configurations", metavar="NAME,...",
                        default=DEFAULT_CONFIGURATIONS,
                        help=f"of {', '.join(BY_NAME)} (default: %(default)s)")
    given = parser.parse_args(arguments)
    options.check_builds(parser, given)
    if shutil.which("valgrind") is None:
        parser.error("valgrind is not installed (apt-get install valgrind)")
    given.cases = {None: DEFAULT_CASES, "all": None}.get(
        given.cases, given.cases)
    given.chosen = options.chosen_cases(parser, given,
                                        cases.GROUPS + cases.COUNTED)
    given.configurations = options.chosen_configurations(parser, given)
    return given


def read_count(path):
    """The instructions that callgrind counted, from the file that it wrote."""
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            found = re.match(r"(?:summary|totals): (\d+)", line)
            if found:
                return int(found[1])
    raise BenchError(f"{path} has no total; did the program end early?")


def count(build, configuration, case, loops):
    """The instructions of one process."""
    folder = WORK / "callgrind"
    folder.mkdir(parents=True, exist_ok=True)
    profile = folder / f"{case.name}.{configuration.name}.{loops}.out"
    profile.unlink(missing_ok=True)
    prefix = ["valgrind", "--tool=callgrind", "--trace-children=no", "-q",
              f"--callgrind-out-file={profile}"]
    job = Job(build, configuration, case, case.size[True], loops, [])
    answer = subprocess.run(build.command(configuration.options,
                                          case_arguments(job), prefix),
                            env=clean_environment(), stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, check=False)
    if answer.returncode:
        raise BenchError(
            f"case {case.name}, {configuration.name}, under valgrind: status "
            f"{answer.returncode}, {last_line(answer.stderr)}")
    return read_count(profile)


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


def main():
    given = parse(sys.argv[1:])
    builds, described = options.describe_builds(given)
    for configuration in given.configurations:
        refusal = builds[configuration.build].refuses(configuration)
        if refusal:
            raise BenchError(f"{configuration.name} cannot be counted: "
                             f"{refusal}")
    # Bytecode is written before anything counts.
    for case in given.chosen:
        for name in ("stock-off", "fork-off"):
            build = builds[BY_NAME[name].build]
            job = Job(build, BY_NAME[name], case, case.size[True], 0, [])
            build.run([], case_arguments(job))
    label = options.build_label(described["fork"])
    data = options.common_facts(pages.COUNTS, described, label, False)
    data["rows"] = []
    for case in given.chosen:
        print(f"counting {case.name}", file=sys.stderr, flush=True)
        data["rows"] += count_case(builds, given.configurations, case)
    path = given.output / f"callgrind-{label}.json"
    pages.write(path, data)
    pages.write_page(given.output)
    print(tables.aligned(tables.counts_table(data)))
    print(f"\nwritten: {path}; profiles for callgrind_annotate: "
          f"{WORK / 'callgrind'}")
    return 0


if __name__ == "__main__":
    sys.exit(options.guarded(main))
