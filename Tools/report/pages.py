"""Make the pages that are tried in a browser, and facts to compare with.

    pages.py tried|measured|shown FOLDER

Those to be shown are for pictures in the documentation: of the example that
the manual has, as if it lay in /app.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tracemalloc
from array import array

from made import Maker
from tracemalloc import _format_size
from tracemalloc._cli import report
from tracemalloc._columns import SnapshotData
from tracemalloc._record import places, reader
from tracemalloc._report import Limits, render, sources

SIZES = (5_000, 50_000, 500_000)

PROGRAM = '''\
import json
import threading


def read(text):
    return json.loads(text)


class Cache:
    def __init__(self):
        self.kept = []

    def fill(self, count):
        for number in range(count):
            self.kept.append(read('{"name": "%s"}' % ("x" * number)))


def work():
    cache = Cache()
    cache.fill(FILL)
    caches.append(cache)


caches = []
gone = [bytes(1000) for _ in range(GONE)]
work()
thread = threading.Thread(target=work, name="worker")
thread.start()
thread.join()
big = bytearray(200_000); small = bytearray(3_000)
temporary = [bytes(5_000) for _ in range(40)]
del temporary
'''

ROUTES = '''\
import json
import tracemalloc

kept = []


def fill(count):
    for number in range(count):
        kept.append(json.loads('{"name": "%s"}' % ("x" * number)))


with tracemalloc.account("GET /cart"):
    fill(90)
with tracemalloc.account("GET /stock"):
    fill(30)
    kept.append(bytearray(10_000))
fill(10)
'''

HOSTILE = ("</script><script>window.hacked=1</script>",
           "<img src=x onerror=window.hacked=1>", "<!--<script>",
           "a\u2028b\u2029c.py", "\u202egnp.exe", "\ud800 lone.py",
           "\0null.py", "'\"&amp;<b>bold</b>", "\u2066\u2067x.py",
           "__proto__", "constructor", "\u05d0\u05d1\u05d2.py",
           "/x/" + "y" * 65_000 + ".py", "javascript:window.hacked=1")


def snapshots(folder):
    """Write what a program held three times; return the file names."""
    names = []
    program = os.path.join(folder, "program.py")
    for number, (fill, gone) in enumerate(((60, 30), (100, 30), (140, 0))):
        with open(program, "w", encoding="utf-8") as stream:
            stream.write(PROGRAM.replace("FILL", str(fill))
                         .replace("GONE", str(gone)))
        name = os.path.join(folder, f"{number + 1}.tmz")
        subprocess.run([sys.executable, "-m", "tracemalloc", "run", "-q",
                        "-o", name, program], check=True)
        names.append(name)
    return names


def routes(folder):
    """Write what a program of two accounts holds; return the snapshot."""
    program = os.path.join(folder, "routes.py")
    write(folder, "routes.py", ROUTES)
    name = os.path.join(folder, "routes.tmz")
    subprocess.run([sys.executable, "-m", "tracemalloc", "run", "-q",
                    "-o", name, program], check=True)
    return tracemalloc.Snapshot.load(name)


def in_accounts(snapshot):
    """Return a snapshot whose contexts are in three accounts, or in none."""
    data = snapshot.traces._data
    columns = data.columns()
    first = len(data.names)
    accounts = [0, *range(first, first + 3)]
    columns["context_account"] = array("I", (
        accounts[number % 4]
        for number in range(len(columns["context_path"]))))
    data = SnapshotData([*data.names, "GET /cart", "GET /stock", "POST /buy"],
                        **columns)
    return tracemalloc.Snapshot._of(data, snapshot.traceback_limit, {})


REMEMBERED = '''\
import _tracemalloc
import os

kept = []
for number in range(20):
    kept.append(bytes(100_000))
    _tracemalloc._write_record()
os.kill(os.getpid(), 9)
'''


def remembered(folder):
    """Make the page of a record of a process that was killed."""
    place = os.path.join(folder, "records")
    shutil.rmtree(place, ignore_errors=True)
    os.mkdir(place)
    subprocess.run([sys.executable, "-X", f"tracemalloc=25,record={place}",
                    "-c", REMEMBERED])
    path, = places.list_folder(place)
    name = os.path.join(folder, "record.html")
    subprocess.run([sys.executable, "-m", "tracemalloc", "report", path,
                    "-o", name], check=True, stdout=subprocess.DEVNULL)
    picture = reader.read(path)
    return {"moments": len(picture.timeline), "peak": picture.peak,
            "current": picture.current}


LATER = """\
import tracemalloc

import pass_on

tracemalloc.start(25)
kept = [*map(bytes, range(1000, 2000))]
# As much is freed, so that all else is little of that, too.
del kept[:500]
pass_on.make(lambda: kept.append(bytes(9_000)))
tracemalloc.take_snapshot().dump("later.tmz")
"""

# Callers in the midst of a long file.
PASS_ON = "\n" * 400 + """\
def make(work):
    work()
"""


HIGHER = """\
gone = [bytes(100_000) for _ in range(50)]
del gone
kept = bytes(100_000)
"""

# The second line is in another function.
VERSIONS = ("""\
def one():
    return bytes(20_000)



kept = one()
""", """\
def two():
    return bytes(70_000)



def one(): return two()
kept = one()
""")


def higher(folder):
    """Make the page of a program whose peak was much higher; return both."""
    write(folder, "higher.py", HIGHER)
    name = os.path.join(folder, "higher.tmz")
    subprocess.run([sys.executable, "-m", "tracemalloc", "run", "-q", "-o",
                    name, os.path.join(folder, "higher.py")], check=True)
    (loaded,) = page(folder, "higher.html", [name])
    live, peak = loaded.traces._data.live()[0], facts_of(loaded)["peak"]
    return {"size": sum(live), "peak": peak}


def versions(folder):
    """Make the page of two versions of a program."""
    names = []
    for number, text in enumerate(VERSIONS):
        write(folder, "version.py", text)
        names.append(os.path.join(folder, f"version-{number}.tmz"))
        subprocess.run([sys.executable, "-m", "tracemalloc", "run", "-q",
                        "-o", names[-1], os.path.join(folder, "version.py")],
                       check=True)
    page(folder, "versions.html", names)


def later(folder):
    """Write a snapshot of call paths through a file that allocates nothing,
    and one of many lines that allocate; return what these hold.
    """
    write(folder, "pass_on.py", PASS_ON)
    write(folder, "later.py", LATER)
    lines = [f"kept.append(bytes({1000 + number}))" for number in range(900)]
    write(folder, "lines.py", "\n".join(
        ["import tracemalloc", "kept = [None] * 1000; del kept[:]",
         "tracemalloc.start(25)", *lines,
         "tracemalloc.take_snapshot().dump('lines.tmz')", ""]))
    for name in "later.py", "lines.py":
        subprocess.run([sys.executable, name], cwd=folder, check=True)
    snapshot = tracemalloc.Snapshot.load(os.path.join(folder, "lines.tmz"))
    return {stat.traceback[0].lineno: stat.size
            for stat in snapshot.statistics("lineno")
            if stat.traceback[0].filename == os.path.join(folder, "lines.py")}


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
        stream.write(text)


def page(folder, name, files, **limits):
    loaded = [tracemalloc.Snapshot.load(file) for file in files]
    write(folder, name, render(loaded, [*map(os.path.basename, files)],
                               report.title_of(files), Limits(**limits)))
    return loaded


def hostile():
    raw = [(0, 1000 - 7 * place, ((name, 1), (name, 2)), 2)
           for place, name in enumerate(HOSTILE)]
    metadata = {"command": list(HOSTILE[:3]), "python": HOSTILE[0],
                "pid": 7, "time": 1e300}
    return tracemalloc.Snapshot._of(SnapshotData.from_raw(raw), 5, metadata)


def numbers():
    """Return snapshots whose metadata have the highest numbers there are."""
    found = []
    for place in range(2):
        snapshot = hostile()
        snapshot.metadata = {"time": 1e9 + place, "rss": 1e308,
                             "traced_memory": (1 << 64) - 1,
                             "traced_memory_peak": (1 << 64) - 1}
        found.append(snapshot)
    return found


def facts_of(snapshot):
    """Return what statistics say, as text of a terminal."""
    def rows(key_type):
        return [{"filename": stat.traceback[-1].filename,
                 "lineno": stat.traceback[-1].lineno,
                 "function": stat.traceback[-1].function,
                 "size": stat.size, "count": stat.count,
                 "text": _format_size(stat.size, False)}
                for stat in snapshot.statistics(key_type)]
    data = snapshot.traces._data
    return {
        "total": sum(data.live()[0]), "blocks": sum(data.live()[1]),
        "peak": sum(data.context_peak_bytes),
        **{key: rows(key) for key in ("lineno", "thread", "module",
                                      "function", "filename", "account")}}


def sizes():
    """Return numbers and how Python writes them."""
    chance = random.Random(5)
    numbers = [0, 1, 99, 100, 1023, 1024, 10239, 10240, 10496, 10752, 1536,
               102400, 104857, -5000, -10496, 1 << 40, 1 << 53]
    numbers += [int(2 ** chance.uniform(0, 52)) for _ in range(3000)]
    numbers += [chance.randrange(1, 200) * 512 for _ in range(1000)]
    return [[number, _format_size(number, False), _format_size(number, True)
             if number else "0 B"] for number in numbers]


def make_tried(folder):
    files = snapshots(folder)
    loaded = page(folder, "series.html", files)
    page(folder, "one.html", files[2:])
    page(folder, "difference.html", [files[0], files[2]])
    page(folder, "without-source.html", files[2:], source=0)
    write(folder, "hostile.html", render(
        [hostile()], [HOSTILE[0]], HOSTILE[0], Limits()))
    write(folder, "numbers.html", render(
        numbers(), ["one", "other"], "numbers", Limits()))
    sampled = tracemalloc.Snapshot.load(files[2])
    sampled.metadata["sample_interval"] = 4096
    write(folder, "sampled.html", render(
        [sampled], ["sampled.tmz"], "sampled.tmz", Limits()))
    write(folder, "processes.html", render(
        loaded[:2], ["1.tmz", "2.tmz"], "both", Limits(),
        ["process 1", "process 2"]))
    versions(folder)
    accounts = routes(folder)
    write(folder, "routes.html", render(
        [accounts], ["routes.tmz"], "routes.tmz", Limits()))
    maker = Maker()
    maker.make(60_000)
    many = maker.snapshot()
    many.dump(os.path.join(folder, "many.tmz"))
    write(folder, "many.html", render([many], ["many"], "many", Limits()))
    maker = Maker()
    maker.make(8_000)
    apart = in_accounts(maker.snapshot())
    apart.dump(os.path.join(folder, "accounts.tmz"))
    write(folder, "empty.html", render(
        [tracemalloc.Snapshot([], 1)], ["empty"], "empty", Limits()))
    facts = {"snapshots": [*map(facts_of, loaded)], "sizes": sizes(),
             "routes": facts_of(accounts), "record": remembered(folder),
             "lines": later(folder), "higher": higher(folder),
             "tracebacks": [{"size": stat.size}
                            for stat in loaded[2].statistics("traceback")],
             "many": {"total": sum(many.traces._data.live()[0])},
             "apart": facts_of(apart),
             "files": [*map(os.path.basename, files)]}
    write(folder, "facts.json", json.dumps(facts))


def make_measured(folder):
    for contexts in SIZES:
        name = os.path.join(folder, f"{contexts}.tmz")
        if not os.path.exists(name):
            maker = Maker()
            maker.make(contexts)
            maker.snapshot().dump(name)
        subprocess.run([sys.executable, "-m", "tracemalloc", "report", name,
                        "-o", os.path.join(folder, f"{contexts}.html")],
                       check=True, stdout=subprocess.DEVNULL)


EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        os.pardir, os.pardir, "Doc", "examples")
# Where things are -> where they seem to be.
SEEM = {os.path.abspath(EXAMPLES): "/app",
        os.path.dirname(os.__file__): "/usr/lib/python3.13"}


def seeming(name):
    for folder, other in SEEM.items():
        if name.startswith(folder):
            return other + name[len(folder):]
    return name


# What the viewer shows besides snapshots: it ends when its input does.
SERVICE = """\
import json, sys
cache = [json.loads('["%s"]' % ("x" * number)) for number in range(4000)]
print("started", flush=True)
sys.stdin.read()
"""


def write_viewed(folder, loaded):
    """Write a folder for the viewer: snapshots, and a program for a record.
    """
    viewed = os.path.join(folder, "viewed")
    shutil.rmtree(viewed, ignore_errors=True)
    os.mkdir(viewed, 0o700)
    for name, snapshot in zip(("json.tmz", "email.tmz"), loaded):
        snapshot.dump(os.path.join(viewed, name))
    write(folder, "service.py", SERVICE)


def make_shown(folder):
    for package in "json", "email":
        name = os.path.join(folder, f"{package}.tmz")
        subprocess.run([sys.executable, "-m", "tracemalloc", "run", "-q",
                        "-o", name, os.path.join(
                            os.path.abspath(EXAMPLES), "word_index.py"),
                        package], check=True, stdout=subprocess.DEVNULL)
    loaded = []
    for package in "json", "email":
        snapshot = tracemalloc.Snapshot.load(
            os.path.join(folder, f"{package}.tmz"))
        data = snapshot.traces._data
        data = SnapshotData([*map(seeming, data.names)], **data.columns())
        metadata = {**snapshot.metadata, "path": [*SEEM.values()],
                    "command": ["python3.13", "-m", "tracemalloc", "run",
                                "-o", f"{package}.tmz", "word_index.py",
                                package]}
        loaded.append(tracemalloc.Snapshot._of(
            data, snapshot.traceback_limit, metadata))
    write_viewed(folder, loaded)
    read = sources.read
    sources.read = lambda name: read(name.replace("/app", EXAMPLES, 1))
    sources._changed = lambda name: 0
    write(folder, "email.html", render(
        loaded[1:], ["email.tmz"], "email.tmz", Limits()))
    write(folder, "difference.html", render(
        loaded, ["json.tmz", "email.tmz"], "json.tmz -> email.tmz",
        Limits()))


def main():
    kind, folder = sys.argv[1:]
    {"tried": make_tried, "measured": make_measured,
     "shown": make_shown}[kind](folder)


if __name__ == "__main__":
    main()
