"""How the cost of tracing grows with what there is.

For more and more live blocks, contexts, threads, frames and code objects: the
instructions that an operation takes above untraced stock, counted under
valgrind, and the memory of the tracer; each with what theory predicts, which
is the same instructions for any number, and memory in proportion to it.  With
--rounds the processor's time as well.
"""
import shutil
import statistics
import sys

import cases
import environments
import options
import pages
import tables
from callgrind_counts import count, write_bytecode
from configurations import BASE, BY_NAME, EVERY_FRAME
from measure import BenchError, Job, run_job
from scales import SCALES, grouped

MOST = 10_000_000
LIMIT = 600.0                           # seconds for a process that is timed
WARM = 1
TIMED = 40                              # loops of a process that is timed

def parse(arguments):
    parser = options.Parser(prog="Tools/bench/curves", description=__doc__)
    options.add_builds(parser, "where to write curves-LABEL.json and .svg")
    parser.add_argument("--scales", metavar="NAME,...",
                        help="only these; there are "
                        + ", ".join(scale.name for scale in SCALES))
    parser.add_argument("--most", type=int, default=MOST, metavar="N",
                        help="no more things than this (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=0, metavar="N",
                        help="time this often as well (default: not at all); "
                        "needs a machine that has nothing else to do")
    parser.add_argument("--no-plot", action="store_true", help="do not draw")
    given = parser.parse_args(arguments)
    options.check_builds(parser, given)
    if shutil.which("valgrind") is None:
        parser.error("valgrind is not installed (apt-get install valgrind)")
    names = given.scales.split(",") if given.scales else None
    known = [scale.name for scale in SCALES]
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        parser.error(f"--scales: no such scale: {', '.join(unknown)}; there "
                     f"are {', '.join(known)}")
    if given.rounds < 0:
        parser.error("--rounds must not be negative")
    given.chosen = [scale for scale in SCALES
                    if names is None or scale.name in names]
    if not any(sizes_of(scale, given.most) for scale in given.chosen):
        parser.error(f"--most: nothing is measured for {given.most} things")
    given.partial = names is not None or given.most != MOST
    return given


def sizes_of(scale, most):
    return [size for size in scale.sizes if size <= most]


def run(builds, configuration, case, size, loops):
    """What a process of its own says, not under valgrind."""
    build = builds[configuration.build]
    found = run_job(Job(build, configuration, case, size, loops, []), LIMIT)
    if "over" in found:
        raise BenchError(f"{case.name}, {size}: not done in {LIMIT:.0f} s")
    return found


def instructions(builds, name, case, size, operations):
    """Those of one operation."""
    configuration = BY_NAME[name]
    warm, more = (count(builds[configuration.build], configuration, case,
                        loops, size) for loops in (WARM, WARM + 1))
    return (more - warm) / operations


def nanoseconds(builds, case, size, operations, rounds):
    """The median time of one operation above untraced stock."""
    above = []
    for _ in range(rounds):
        base, traced = (
            run(builds, BY_NAME[name], case, size, TIMED)["cpu"]
            for name in (BASE, EVERY_FRAME))
        above.append(1e9 * (traced - base) / (TIMED * operations))
    return statistics.median(above) if above else None


def measure(builds, scale, case, size, rounds):
    """The row of a scale and a size."""
    found = run(builds, BY_NAME[EVERY_FRAME], case, size, WARM)
    operations = found["answer"]
    row = {"scale": scale.name, "size": size, "operations": operations,
           "tracer": found["tracer"]}
    for name in (BASE, EVERY_FRAME):
        row[name] = instructions(builds, name, case, size, operations)
    row["above"] = row[EVERY_FRAME] - row[BASE]
    row["ns"] = nanoseconds(builds, case, size, operations, rounds)
    return row


def main():
    given = parse(sys.argv[1:])
    builds, described = options.describe_builds(given)
    label = options.build_label(described["fork"])
    data = options.common_facts(pages.CURVES, described, label, given.partial)
    data |= {"rounds": given.rounds, "rows": []}
    found = {case.name: case for case in cases.load_all(cases.SCALES)}
    write_bytecode(builds, found.values())
    part = "-part" if given.partial else ""
    path = given.output / f"curves-{label}{part}.json"
    for scale in given.chosen:
        for size in sizes_of(scale, given.most):
            print(f"counting {scale.name}, {size}", file=sys.stderr,
                  flush=True)
            data["rows"].append(measure(builds, scale, found[scale.name],
                                        size, given.rounds))
    pages.write(path, data)
    for scale, rows in grouped(data):
        print(f"\n{scale.title}\n")
        print(tables.aligned(tables.curve_table(scale, rows)))
    print(f"\nwritten: {path}", flush=True)
    if not given.no_plot:
        environments.draw(path, path.with_suffix(".svg"))
    pages.write_pages(given.output)
    return 0


if __name__ == "__main__":
    sys.exit(options.guarded(main))
