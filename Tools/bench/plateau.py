"""Whether the tracer's memory stops growing under a stress of contexts.

The stress makes code objects, file names, call chains, threads, generators and
tasks that never come back, as a service does over months, and keeps a window
of live blocks among them.  The amount of work is fixed, whatever the machine.
Passes if the tracer never uses more in the last third of the run than the
highest of the second third, and a tolerance.
"""
import json
import pathlib
import subprocess
import sys
import time

import options
import pages
import tables
from measure import HERE, BenchError, Build, clean_environment, last_line

TURNS = 360_000
SAMPLES = 36
TRACING = "25"

# What a busy service is assumed to meet in an hour, to put the counts into
# proportion: 50 new code objects and 100 new call chains in every second.
HOURLY = {"code objects": 180_000, "call chains": 360_000}


def parse(arguments):
    parser = options.Parser(prog="Tools/bench/plateau", description=__doc__)
    parser.add_argument("--fork", required=True, type=pathlib.Path,
                        metavar="PYTHON", help="the fork's interpreter")
    parser.add_argument("--output", required=True, type=pathlib.Path,
                        metavar="DIR",
                        help="where to write plateau-LABEL.json")
    parser.add_argument("--turns", type=int, default=TURNS, metavar="N",
                        help="how much to do (default: %(default)s, three "
                        "minutes); results of other numbers are not published")
    parser.add_argument("--tolerance", type=float, default=5.0,
                        metavar="PERCENT", help="by how much the last third "
                        "may exceed the second one (default: %(default)g)")
    given = parser.parse_args(arguments)
    options.check_build(parser, given, "fork")
    if given.turns < SAMPLES:
        parser.error(f"--turns: at least {SAMPLES}")
    if given.tolerance < 0:
        parser.error("--tolerance must not be negative")
    return given


def run_stress(build, turns):
    """Yield what stress.py says, sample by sample."""
    command = build.command(["-X", f"tracemalloc={TRACING}"],
                            [str(HERE / "stress.py"), str(turns),
                             str(SAMPLES)])
    with subprocess.Popen(command, env=clean_environment(),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            yield json.loads(line)
        message = process.stderr.read()
    if process.returncode:
        raise BenchError(f"the stress ended with status {process.returncode}: "
                         f"{last_line(message)}")


def judge(samples, tolerance):
    """The highest tracer memory of each third,
    and whether it has stopped growing.
    """
    third = len(samples) // 3
    parts = [samples[:third], samples[third:-third], samples[-third:]]
    highest = [max(sample["tracer"] for sample in part) for part in parts]
    resident = [max((sample["rss"] or 0 for sample in part)) for part in parts]
    growth = 100 * (highest[2] / highest[1] - 1)
    return {"thirds": highest, "thirds_rss": resident, "growth": growth,
            "tolerance": tolerance,
            "reached": growth <= tolerance and samples[-1]["dropped"] == 0}


def main():
    given = parse(sys.argv[1:])
    build = Build("fork", given.fork)
    described = {"fork": build.describe()}
    label = options.build_label(described["fork"])
    data = options.common_facts(pages.PLATEAU, described, label,
                                given.turns != TURNS)
    data |= {"tracing": TRACING, "hourly": HOURLY, "rows": []}
    began = time.monotonic()
    for sample in run_stress(build, given.turns):
        sample["seconds"] = round(time.monotonic() - began, 1)
        data["rows"].append(sample)
        lines = tables.aligned(
            tables.plateau_table({**data, "rows": data["rows"][-1:]}))
        lines = lines.splitlines()
        print("\n".join(lines if len(data["rows"]) == 1 else lines[2:]),
              flush=True)
    data |= judge(data["rows"], given.tolerance)
    path = (given.output
            / f"plateau-{label}{'-part' if data['partial'] else ''}.json")
    pages.write(path, data)
    pages.write_pages(given.output)
    print("\n" + "\n".join(tables.plateau_notes(data)))
    print(f"\nwritten: {path}")
    return 0 if data["reached"] else 1


if __name__ == "__main__":
    sys.exit(options.guarded(main))
