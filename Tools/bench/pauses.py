"""How long a program waits for its own stores, if they go into a file that is
being written back, and with a record, which is a copy.

A loop stores all the time (pause_loop.py), into private memory, into a mapped
file of a disk, into one of a file system that is in memory; then traced, where
it allocates as well, without a record and with one in both places.  Beside it
another process has files written to the disk without pause: the loop's own, if
it has one, and one that it changes itself.  Rounds are interleaved; what is
reported are medians over the rounds of the longest turns, and of the 99.9th
percentiles.  On a busy machine the longest turns are those that lost the
processor; turns in which the loop slept are counted apart.
"""
import collections
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import options
import pages
import tables
from measure import HERE, BenchError, Build, clean_environment, last_line

ROUNDS = 9
SECONDS = 5.0
TRACING = "25"

# Of the file systems of a row, DISK or MEMORY, the loop's own file and the
# folder of its record are on.
DISK, MEMORY = "disk", "memory"
Way = collections.namedtuple("Way", "name text file traced record")

WAYS = (
    Way("private", "private memory", None, False, None),
    Way("mapped-disk", "mapped file, disk", DISK, False, None),
    Way("mapped-memory", "mapped file, memory", MEMORY, False, None),
    Way("traced", "traced, no record", None, True, None),
    Way("record-disk", "traced, record on the disk", None, True, DISK),
    Way("record-memory", "traced, record in memory", None, True, MEMORY),
)

# Writes files back until it is told to end by the end of its input.
FLUSH = """
import os, select, sys
own = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
while not select.select([0], [], [], 0)[0]:
    os.pwrite(own, os.urandom(4096), 0)
    os.fsync(own)
    for folder in sys.argv[2:]:
        for name in os.listdir(folder):
            try:
                other = os.open(os.path.join(folder, name), os.O_RDWR)
            except FileNotFoundError:
                continue
            os.fsync(other)
            os.close(other)
"""


def parse(arguments):
    parser = options.Parser(prog="Tools/bench/pauses", description=__doc__)
    parser.add_argument("--fork", required=True, type=pathlib.Path,
                        metavar="PYTHON", help="the fork's interpreter")
    parser.add_argument("--output", required=True, type=pathlib.Path,
                        metavar="DIR", help="where to write pauses-LABEL.json")
    parser.add_argument("--disk", type=pathlib.Path, metavar="DIR",
                        default=HERE.parent.parent / "build",
                        help="a folder on a disk (default: build)")
    parser.add_argument("--memory", type=pathlib.Path, metavar="DIR",
                        default=pathlib.Path("/dev/shm"),
                        help="one in memory (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N",
                        help="default: %(default)s; results of fewer are not "
                        "published")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="N",
                        help="of one loop (default: %(default)g)")
    given = parser.parse_args(arguments)
    options.check_build(parser, given, "fork")
    if given.rounds < 1 or given.seconds <= 0:
        parser.error("--rounds and --seconds must be positive")
    for name in DISK, MEMORY:
        if not os.access(getattr(given, name), os.W_OK):
            parser.error(f"--{name}: {getattr(given, name)} is not a folder "
                         "that can be written to")
    return given


def file_system(folder):
    """The type of the file system that a folder is on."""
    folder, best = folder.resolve(), (0, "unknown")
    with open("/proc/self/mounts", encoding="utf-8") as stream:
        for line in stream:
            _, point, kind, *_ = line.split()
            if folder.is_relative_to(point):
                best = max(best, (len(point), kind))
    return best[1]


@contextlib.contextmanager
def flushing(scratch, folders):
    """Have what is in these folders, and a file of its own, written back."""
    with subprocess.Popen(
            [sys.executable, "-I", "-c", FLUSH, str(scratch),
             *map(str, folders)], stdin=subprocess.PIPE) as process:
        try:
            yield
        finally:
            process.stdin.close()


def run_loop(build, way, places, seconds):
    """What pause_loop.py says of one way."""
    with contextlib.ExitStack() as stack:
        folders = {name: stack.enter_context(tempfile.TemporaryDirectory(
            prefix="pauses-", dir=place)) for name, place in places.items()}
        scratch = stack.enter_context(
            tempfile.NamedTemporaryFile(prefix="pauses-", dir=places[DISK]))
        own = [os.path.join(folders[way.file], "mapped")] if way.file else []
        record = f",record={folders[way.record]}" if way.record else ""
        tracing = ["-X", f"tracemalloc={TRACING}{record}"]
        stack.enter_context(flushing(scratch.name, folders.values()))
        answer = subprocess.run(
            build.command(tracing if way.traced else [], [
                str(HERE / "pause_loop.py"), str(seconds),
                str(int(way.traced)), *own]),
            env=clean_environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False)
    if answer.returncode:
        raise BenchError(f"{way.text}: status {answer.returncode}, "
                         f"{last_line(answer.stderr)}")
    return json.loads(answer.stdout)


def summarise(runs):
    """The row of a way, from what its loops said."""
    row = {name: statistics.median(run[name] for run in runs)
           for name in runs[0]}
    return row | {"worst_asleep": max(run["longest_asleep"] for run in runs)}


def measure(build, places, rounds, seconds):
    """Rows, one for each way."""
    runs = {way.name: [] for way in WAYS}
    for number in range(rounds):
        turn = number % len(WAYS)
        for way in WAYS[turn:] + WAYS[:turn]:
            runs[way.name].append(run_loop(build, way, places, seconds))
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return [{"way": way.name, "text": way.text, **summarise(runs[way.name]),
             "runs": runs[way.name]} for way in WAYS]


def main():
    given = parse(sys.argv[1:])
    build = Build("fork", given.fork)
    described = {"fork": build.describe()}
    label = options.build_label(described["fork"])
    places = {DISK: given.disk, MEMORY: given.memory}
    partial = given.rounds < ROUNDS or given.seconds < SECONDS
    data = options.common_facts(pages.PAUSES, described, label, partial)
    data |= {"rounds": given.rounds, "seconds": given.seconds,
             "systems": {name: file_system(place)
                         for name, place in places.items()}}
    data["rows"] = measure(build, places, given.rounds, given.seconds)
    path = given.output / f"pauses-{label}{'-part' if partial else ''}.json"
    pages.write(path, data)
    pages.write_pages(given.output)
    print(tables.aligned(tables.pauses_table(data)))
    print("\n" + "\n".join(tables.pauses_notes(data)))
    print(f"\nwritten: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(options.guarded(main))
