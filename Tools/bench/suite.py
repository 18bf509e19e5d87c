"""Run pyperformance on both builds; see Tools/bench/pyperformance-run --help.

Benchmark by benchmark, all configurations one after the other, so that a
machine that gets slower is slower for all of them.  Tracing is switched on by
PYTHONTRACEMALLOC, which pyperformance hands to the processes that it measures.
"""
import json
import statistics
import subprocess
import sys

import environments
import options
import pages
import tables
from configurations import BASE
from figures import Ratio, geometric_mean
from measure import (WORK, BenchError, clean_environment, clear_records,
                     last_line)

DEFAULT_CONFIGURATIONS = "stock-off,fork-off,fork-all,stock-25"

# What --subset runs: a few of each kind that the suite has, none of which
# needs minutes.  It has another mean than the suite, so tables say that it is
# a part.
SUBSET = (
    "2to3", "html5lib", "docutils",                             # applications
    "async_generators", "async_tree", "coroutines", "generators",
    "chaos", "deltablue", "go", "raytrace", "richards",         # calls
    "float", "nbody", "pidigits",                               # numbers
    "deepcopy", "logging", "comprehensions", "json_dumps", "json_loads",
    "pickle_pure_python", "tomli_loads", "xml_etree", "regex_compile",
    "regex_effbot", "django_template", "sqlite_synth", "python_startup",
)
SUBSET_CONFIGURATIONS = "stock-off,fork-off,fork-all"
INHERITED = ("PYTHONTRACEMALLOC", "PYTHONHASHSEED", "PYTHONPYCACHEPREFIX")


def parse(arguments):
    parser = options.Parser(
        prog="Tools/bench/pyperformance-run",
        description="Run pyperformance with tracing off and"
        " on. Writes pyperformance-LABEL.json and results.inc.")
    options.add_builds(parser, "where to write the results")
    parser.add_argument(
        "--benchmarks", metavar="NAME,...",
        help="as pyperformance takes them (default: its whole suite)")
    parser.add_argument("--subset", action="store_true",
                        help=f"{len(SUBSET)} benchmarks of all kinds, with "
                        "--fast and without stock-25: half an hour")
    parser.add_argument("--configurations", metavar="NAME,...",
                        help=f"of {', '.join(options.BY_NAME)} (default:"
                        f" {DEFAULT_CONFIGURATIONS})")
    parser.add_argument("--fast", action="store_true",
                        help="fewer values, rough figures")
    given = parser.parse_args(arguments)
    options.check_builds(parser, given)
    if given.subset and given.benchmarks:
        parser.error("--subset and --benchmarks: choose one of them")
    given.fast |= given.subset
    given.chosen = ",".join(SUBSET) if given.subset else given.benchmarks
    given.configurations = given.configurations or (
        SUBSET_CONFIGURATIONS if given.subset else DEFAULT_CONFIGURATIONS)
    given.configurations = options.chosen_configurations(parser, given)
    return given


def read_values(path):
    """{benchmark: (seconds, peak RSS)}, medians,
    of a file that pyperformance wrote.
    """
    with open(path, encoding="utf-8") as stream:
        data = json.load(stream)
    found = {}
    for benchmark in data["benchmarks"]:
        common = {**data.get("metadata", {}), **benchmark.get("metadata", {})}
        values, peaks = [], []
        for run in benchmark["runs"]:
            metadata = {**common, **run.get("metadata", {})}
            if "values" in run:         # others only find the number of loops
                values += run["values"]
                if "mem_max_rss" in metadata:
                    peaks.append(metadata["mem_max_rss"])
        if values:
            name = (common.get("name")
                    or benchmark["runs"][0]["metadata"]["name"])
            found[name] = (statistics.median(values),
                           statistics.median(peaks) if peaks else None)
    return found


class Suite:
    """pyperformance, with an environment for each build."""

    def __init__(self, given, builds):
        self.given = given
        self.builds = builds
        self.driver = environments.environment("suite", environments.SUITE,
                                               "pyperformance", given.stock)

    def call(self, name, arguments, **additions):
        """Run pyperformance in the folder where it keeps
        a build's environment.
        """
        folder = WORK / f"suite-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        environment = clean_environment(**additions)
        # -E: the driver itself is not traced.
        return subprocess.run([str(self.driver), "-E", "-m", "pyperformance",
                               *arguments],
                              env=environment, cwd=folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)

    def names(self):
        """The benchmarks that were asked for."""
        chosen = ["-b", self.given.chosen] if self.given.chosen else []
        answer = self.call("stock", ["list", *chosen])
        names = [line[2:].strip() for line in answer.stdout.splitlines()
                 if line.startswith("- ")]
        if answer.returncode or not names:
            raise BenchError("pyperformance lists no benchmark: "
                             f"{last_line(answer.stdout)}")
        return names

    def run(self, benchmark, configuration):
        """{benchmark: (seconds, peak)} of one of them,
        and the reason if there is none.
        """
        target = (WORK / f"suite-{configuration.build}"
                  / f"{benchmark}.{configuration.name}.json")
        target.unlink(missing_ok=True)
        tracing = {} if configuration.tracing is None else {
            "PYTHONTRACEMALLOC": configuration.tracing}
        clear_records()
        answer = self.call(configuration.build, [
            "run", "-p", self.builds[configuration.build].python, "-b",
            benchmark, "--inherit-environ", ",".join(INHERITED), "-o",
            str(target), *(["--fast"] if self.given.fast else [])], **tracing)
        target.with_suffix(".log").write_text(answer.stdout, encoding="utf-8")
        if target.exists():
            return read_values(target), None
        return {}, last_line(answer.stdout)


def make_rows(measured, names):
    """Rows of the benchmarks that the base has;
    {configuration: {benchmark: pair}} in.
    """
    rows = []
    for benchmark, (seconds, peak) in sorted(measured[BASE].items()):
        pairs = {name: measured[name][benchmark] for name in names
                 if name != BASE and benchmark in measured[name]}
        rows.append({
            "benchmark": benchmark, "seconds": seconds, "peak_rss": peak,
            "ratios": {name: pair[0] / seconds
                       for name, pair in pairs.items()},
            "memory": {name: pair[1] / peak
                       for name, pair in pairs.items() if peak and pair[1]}})
    return rows


def mean_of(rows, name, key="ratios"):
    ratios = [row[key][name] for row in rows if name in row[key]]
    return (
        geometric_mean([Ratio(ratio, ratio, ratio, 1) for ratio in ratios])[0])


def summarise(measured, names):
    """What the JSON file says of all benchmarks."""
    rows = make_rows(measured, names)
    others = [name for name in names if name != BASE]
    return {"count": len(rows), "rows": rows,
            "means": {name: mean_of(rows, name) for name in others},
            "memory_means": {name: mean_of(rows, name, "memory")
                             for name in others}}


def main():
    given = parse(sys.argv[1:])
    builds, described = options.describe_builds(given)
    for configuration in given.configurations:
        refusal = builds[configuration.build].refuses(configuration)
        if refusal:
            raise BenchError(f"{configuration.name} cannot be measured: "
                             f"{refusal}")
    label = options.build_label(described["fork"])
    # Whatever somebody chose has another mean: it is not for publishing.
    partial = given.benchmarks is not None or given.fast and not given.subset
    data = options.common_facts(pages.SUITE, described, label, partial)
    names = [configuration.name for configuration in given.configurations]
    data |= {
        "configurations": names, "subset": given.subset, "fast": given.fast,
        "labels": {item.name: item.label for item in given.configurations}}
    path = (given.output
            / f"pyperformance-{label}{'-part' if partial else ''}.json")
    suite = Suite(given, builds)
    benchmarks = suite.names()
    measured = {name: {} for name in names}
    failed = []
    for number, benchmark in enumerate(benchmarks):
        turn = number % len(names)
        for build in builds.values():
            build.move()
        for configuration in (given.configurations[turn:]
                              + given.configurations[:turn]):
            values, reason = suite.run(benchmark, configuration)
            measured[configuration.name].update(values)
            if reason:
                failed.append((benchmark, configuration.name, reason))
        print(f"[{number + 1}/{len(benchmarks)}] {benchmark}", file=sys.stderr,
              flush=True)
        data |= summarise(measured, names)
        data["failed"] = failed
        pages.write(path, data)
    if not data["rows"]:
        raise BenchError(f"no benchmark ran; see {WORK / 'suite-stock'} for "
                         "what they said")
    pages.write_pages(given.output)
    print(tables.aligned(tables.suite_table(data)))
    print("\n" + "\n".join(tables.suite_notes(data)))
    print(f"\nwritten: {path}; what pyperformance said: {WORK}/suite-*/*.log")
    return 1 if any(name != BASE for _, name, _ in failed) else 0


if __name__ == "__main__":
    sys.exit(options.guarded(main))
