#!/usr/bin/env python3
"""Profiles and metrics, read by those that they are made for: `make
test-fleet`.

    pprof       of Go: prints the numbers of our own reports
    prometheus  and its promtool: take /metrics, and answer queries of it
    parca       finds a leak in what it has scraped, by the line that leaks
    pyroscope   the same, of what was pushed to it

pprof, Parca and Pyroscope are built from Go's module proxy, in the versions
that `pins` has, into a folder below build/; a program of the name that is in
PATH, or that a variable PPROF, PARCA, PYROSCOPE, PROMTOOL or PROMETHEUS names,
is used instead.  What cannot be had is skipped, and said with the reason.  All
servers listen on this machine only.

Run by the fork, whose reports are compared.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXAMPLES = ROOT / "Doc/examples/fleet"
sys.path.insert(0, str(ROOT / "Lib/test"))

import tracemalloc_profiles as profiles  # noqa: E402

LEAK = """\
import sys
import time

kept = []


class Cart:
    def add(self, number):
        kept.append(bytes(10_000 + number % 7))
        return [str(each) for each in range(20)]


def work(seconds):
    end = time.monotonic() + seconds
    cart, number = Cart(), 0
    while time.monotonic() < end:
        number += 1
        cart.add(number)
        time.sleep(0.002)


work(float(sys.argv[1]))
"""
# Where it leaks: what servers have to find.
LINE, FUNCTION = 9, "Cart.add"
# Seconds for a server to start, and to have taken profiles.
PATIENCE = 120


class Skipped(Exception):
    """Something that is needed cannot be had; the text says why."""


class Wrong(Exception):
    """A check failed; the text says how."""


def check(condition, text):
    if not condition:
        raise Wrong(text)


def ask(command, **options):
    """Return what a command prints; Wrong if it fails."""
    answer = subprocess.run([str(word) for word in command], text=True,
                            stdin=subprocess.DEVNULL, capture_output=True,
                            **options)
    check(answer.returncode == 0,
          f"{command[0]}: {(answer.stderr or answer.stdout).strip()[-500:]}")
    return answer.stdout


def fetch(url, data=None, kind="application/json"):
    request = urllib.request.Request(url, data, {"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def eventually(question, text):
    """Return the first true answer to a question; Wrong after a while."""
    end = time.monotonic() + PATIENCE
    fault = None
    while time.monotonic() < end:
        try:
            if answer := question():
                return answer
        except (OSError, ValueError) as error:
            fault = error
        time.sleep(0.5)
    raise Wrong(f"{text}: not within {PATIENCE} s" + (
        f" ({fault})" if fault else ""))


class Fleet:
    """What all checks need.

    folder -- where everything is made
    """

    def __init__(self, folder):
        self.folder = folder
        self.bin = folder / "bin"
        self.scratch = folder / "scratch"
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        self.pins = dict(
            line.split() for line in (HERE / "pins").read_text().splitlines()
            if line and not line.startswith("#"))
        self.processes = contextlib.ExitStack()

    def program(self, name):
        """Return the path of a program; Skipped if it cannot be had."""
        named = os.environ.get(name.upper()) or shutil.which(name)
        if named:
            return named
        built = self.bin / name
        if not built.exists():
            self.build(name)
        return built

    def build(self, name):
        if name not in self.pins:
            raise Skipped(f"{name} is not installed")
        go = shutil.which("go")
        if go is None:
            raise Skipped(f"{name} is not installed, nor is Go to build it")
        print(f"  building {name} from {self.pins[name]} ...", flush=True)
        answer = subprocess.run(
            [go, "install", self.pins[name]], text=True, capture_output=True,
            env=os.environ | {"GOBIN": str(self.bin), "GOFLAGS": ""})
        if answer.returncode:
            lines = [line.strip() for line in answer.stderr.splitlines()
                     if line.strip()]
            raise Skipped(f"{name} cannot be built from {self.pins[name]}: "
                          + " ".join(lines[-2:]))

    def start(self, *command, log):
        """Start a process that ends with the check; return it."""
        stream = self.processes.enter_context(
            open(self.scratch / f"{log}.log", "wb"))
        process = subprocess.Popen(
            [str(word) for word in command], cwd=self.scratch, stdout=stream,
            stderr=stream, stdin=subprocess.DEVNULL)
        self.processes.callback(process.wait)
        self.processes.callback(process.terminate)
        return process

    def tracemalloc(self, *arguments):
        return ask([sys.executable, "-m", "tracemalloc", *arguments],
                   cwd=self.scratch)

    def leak(self, seconds=600):
        """Start the program that leaks, and an agent; return its address."""
        records = self.scratch / "records"
        records.mkdir(exist_ok=True)
        (self.scratch / "leak.py").write_text(LEAK)
        self.start(sys.executable, "-X", f"tracemalloc=25,record={records}",
                   "leak.py", seconds, log="leak")
        self.start(sys.executable, "-m", "tracemalloc", "serve", records,
                   "--listen", "127.0.0.1:4041", "--labels", "pid",
                   log="serve")
        eventually(lambda: fetch("http://127.0.0.1:4041/debug/pprof/heap"),
                   "a profile of the program that leaks")
        return records


# pprof


def rows_of_pprof(text):
    """Return {name: (flat, cumulative)} of what -top prints, in bytes."""
    lines = text.splitlines()
    head = next(number for number, line in enumerate(lines)
                if line.split()[:2] == ["flat", "flat%"])
    found = {}
    for line in lines[head + 1:]:
        flat, _, _, cumulative, _, name = line.split(None, 5)
        found[name.removesuffix(" (inline)")] = tuple(
            int(number.removesuffix("bytes").removesuffix("B"))
            for number in (flat, cumulative))
    return found


def check_pprof(fleet):
    pprof = fleet.program("pprof")
    (fleet.scratch / "leak.py").write_text(LEAK)
    for name, seconds in ("a", "0.3"), ("b", "0.9"):
        fleet.tracemalloc("run", "--quiet", "-o", f"{name}.tmz", "leak.py",
                          seconds)
        fleet.tracemalloc("export", "-o", f"{name}.pprof", f"{name}.tmz")

    def top(*options, file="b.pprof"):
        return rows_of_pprof(ask(
            [pprof, "-top", "-nodecount=1000000", "-nodefraction=0",
             "-edgefraction=0", "-unit=bytes", *options, file],
            cwd=fleet.scratch))

    def report(*arguments):
        return json.loads(fleet.tracemalloc(
            *arguments, "--json", "-n", "1000000"))["groups"]

    def by_line(rows, at=0):
        found = {}
        for name, numbers in rows.items():
            line = name.split(" ", 1)[1]
            found[line] = found.get(line, 0) + numbers[at]
        return {line: number for line, number in found.items() if number}

    for figure, kind in (("size", "inuse_space"), ("count", "inuse_objects"),
                         ("allocated_size", "alloc_space"),
                         ("allocated_count", "alloc_objects")):
        ours = {line_of(row): row[figure] for row in
                report("top", "-g", "lineno", "--sort", figure, "b.tmz")
                if row[figure]}
        theirs = by_line(top("-lines", f"-sample_index={kind}"))
        same(ours, theirs, f"{kind} by line")
    ours = [row["size"] for row in
            report("top", "-g", "function", "-c", "b.tmz") if row["size"]]
    # Our report leaves out what runs the program.
    theirs = [numbers[1] for name, numbers in top("-filefunctions").items()
              if numbers[1] and not name.startswith(("runpy.",
                                                     "tracemalloc."))]
    same(sorted(ours), sorted(theirs), "functions with what they call")
    ours = {line_of(row): row["size_diff"]
            for row in report("diff", "-g", "lineno", "a.tmz", "b.tmz")
            if row["size_diff"]}
    theirs = by_line(top("-lines", "-diff_base=a.pprof"))
    same(ours, theirs, "differences by line")
    peek = ask([pprof, "-peek", r"leak\.Cart\.add$", "-unit=bytes",
                "b.pprof"], cwd=fleet.scratch)
    own = top()[f"leak.{FUNCTION}"][0]
    check(f"{own}B" in peek and "| leak.work" in peek.replace("   ", " "),
          f"-peek does not tell {own} bytes and the caller: {peek}")


def line_of(row):
    """Return a row's place as pprof writes it; it leaves out line 0."""
    return row["filename"] + (f":{row['lineno']}" if row["lineno"] else "")


def same(ours, theirs, what):
    if ours != theirs:
        if isinstance(ours, dict):
            ours, theirs = ours.items() - theirs.items(), (
                theirs.items() - ours.items())
        raise Wrong(f"{what}: ours {list(ours)[:3]}, theirs "
                    f"{list(theirs)[:3]}")


def check_pprof_scrape(fleet):
    pprof = fleet.program("pprof")
    fleet.leak()
    environment = os.environ | {"PPROF_TMPDIR": str(fleet.scratch)}
    url = "http://127.0.0.1:4041/debug/pprof/heap"
    text = ask([pprof, "-top", "-lines", "-unit=bytes", url], env=environment)
    first = next(iter(rows_of_pprof(text)))
    check(first.endswith(f"leak.py:{LINE}"),
          f"the line that holds most is {first}")
    text = ask([pprof, "-top", "-lines", "-unit=bytes", "-seconds=4", url],
               env=environment)
    first = next(iter(rows_of_pprof(text)))
    check(first.endswith(f"leak.py:{LINE}"),
          f"the line that grows most is {first}")


# Prometheus


def check_promtool(fleet):
    promtool = fleet.program("promtool")
    fleet.leak()
    text = fetch("http://127.0.0.1:4041/metrics").decode()
    answer = subprocess.run([promtool, "check", "metrics"], input=text,
                            text=True, capture_output=True)
    check(answer.returncode == 0 and not answer.stderr + answer.stdout,
          answer.stderr + answer.stdout)
    ask([promtool, "check", "config", EXAMPLES / "prometheus.yml"])


def check_prometheus(fleet):
    prometheus = fleet.program("prometheus")
    fleet.leak()
    fleet.start(prometheus, f"--config.file={EXAMPLES / 'prometheus.yml'}",
                "--web.listen-address=127.0.0.1:4090",
                f"--storage.tsdb.path={fleet.scratch / 'prometheus'}",
                log="prometheus")
    query = urllib.parse.quote('tracemalloc_traced_bytes{program="leak.py"}')

    def values():
        found = json.loads(fetch("http://127.0.0.1:4090/api/v1/query?query="
                                 + query))["data"]["result"]
        return [each["value"][1] for each in found]

    number, = eventually(values, "the series of the program that leaks")
    check(float(number) > 10_000, f"it holds {number} bytes")


# Parca and Pyroscope


def lines_in(profile):
    """Return {(function, line): bytes} of an uncompressed profile."""
    raw = profiles.message("profile", profile)
    text = raw.string_table.__getitem__
    functions = {each.id: text(each.name) for each in raw.function}
    places = {each.id: [(functions[line.function_id], line.line)
                        for line in each.line] for each in raw.location}
    found = {}
    for sample in raw.sample:
        place = places[sample.location_id[0]][0]
        found[place] = found.get(place, 0) + sample.value[0]
    return found


def leaks(profile):
    """Return whether the line that leaks is the biggest of a profile."""
    found = lines_in(profile)
    return found and max(found, key=found.get) == (f"leak.{FUNCTION}", LINE)


def check_parca(fleet):
    import base64
    import gzip

    parca = fleet.program("parca")
    fleet.leak()
    fleet.start(parca, f"--config-path={EXAMPLES / 'parca.yaml'}",
                "--http-address=127.0.0.1:4070", log="parca")

    def found():
        now = time.time()
        query = urllib.parse.urlencode({
            "mode": "MODE_MERGE", "reportType": 1,
            "merge.query": "memory:inuse_space:bytes:space:bytes{}",
            **{f"merge.{name}": time.strftime(
                "%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
               for name, when in (("start", now - 600), ("end", now))}})
        answer = json.loads(fetch("http://127.0.0.1:4070/api/profiles/query?"
                                  + query))
        return leaks(gzip.decompress(base64.b64decode(answer["pprof"])))

    eventually(found, "the line that leaks, in Parca")


def check_pyroscope(fleet):
    pyroscope = fleet.program("pyroscope")
    records = fleet.leak()
    fleet.start(pyroscope, "-server.http-listen-address=127.0.0.1",
                "-server.http-listen-port=4040",
                "-server.grpc-listen-address=127.0.0.1",
                "-memberlist.bind-addr=127.0.0.1",
                f"-pyroscopedb.data-path={fleet.scratch / 'pyroscope'}",
                "-self-profiling.disable-push=true", log="pyroscope")
    fleet.start(sys.executable, "-m", "tracemalloc", "push", "--to",
                "http://127.0.0.1:4040", "--every", "2s", records,
                log="push")

    def found():
        now = int(time.time() * 1000)
        profile = fetch(
            "http://127.0.0.1:4040/querier.v1.QuerierService/"
            "SelectMergeProfile", json.dumps({
                "profile_typeID": "memory:inuse_space:bytes:space:bytes",
                "label_selector": '{service_name="leak"}',
                "start": now - 600_000, "end": now}).encode())
        return says_leak(json.loads(profile))

    eventually(found, "the line that leaks, in Pyroscope")


def says_leak(profile):
    """Return whether a profile that is JSON has the line that leaks."""
    text = profile.get("stringTable", [])
    functions = {each["id"]: text[int(each["name"])]
                 for each in profile.get("function", [])}
    return any(functions.get(line.get("functionId")) == f"leak.{FUNCTION}"
               and int(line.get("line", 0)) == LINE
               for each in profile.get("location", [])
               for line in each.get("line", []))


CHECKS = {
    "pprof": check_pprof, "pprof-scrape": check_pprof_scrape,
    "promtool": check_promtool, "prometheus": check_prometheus,
    "parca": check_parca, "pyroscope": check_pyroscope,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--only", nargs="+", choices=CHECKS, default=CHECKS)
    options = parser.parse_args()
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name in options.only:
        fleet = Fleet(options.folder.resolve())
        try:
            with fleet.processes:
                CHECKS[name](fleet)
            result, text = "passed", ""
        except Skipped as reason:
            result, text = "skipped", f": {reason}"
        except Wrong as fault:
            result, text = "failed", f": {fault}"
        counts[result] += 1
        print(f"{result:8}{name}{text}", flush=True)
    print(", ".join(f"{number} {result}"
                    for result, number in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
