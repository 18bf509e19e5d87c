#!/usr/bin/env python3
"""The session of Doc/using/a-session.rst, from the start of a server that
leaks to its end: `make demo-leave-on`.

Runs each step, prints what it prints, and checks that it says what it must.
What it printed is the text of the page's blocks, each below a comment

    .. session: NAME OF THE STEP

--write puts it there; --check compares, without numbers, and fails if the
page shows something else; of what is of the moment, just some words.  Steps
for which tmux or Go's pprof is wanted are skipped if these cannot be had, and
say so.

All listens on this machine only.  Parca, Pyroscope and Alloy take no part: a
stand-in takes what is pushed, and reads it by the format's description.  Run
by the fork.
"""
import argparse
import difflib
import http.client
import http.server
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PAGE = ROOT / "Doc/using/a-session.rst"
SERVER = "shop_server.py"
# Where it keeps what it made.
LEAK, FUNCTION = "# the leak", "Basket.page"
sys.path[:0] = [str(HERE), str(ROOT / "Lib/test"), str(ROOT / "Tools/doc")]

import fleet as tools  # noqa: E402
import tracemalloc_profiles as profiles  # noqa: E402
from figures import without_figures  # noqa: E402

# How the interpreter is called on the page.
PYTHON = "python3.13"
# Requests that each worker has to have answered.
REQUESTS = 200
MARK = re.compile(r"\.\. session: (.+)\n\n::\n\n((?:    .*\n|\n)+)")
# What is of the moment, or another program's: the page is checked for these.
OF_THE_MOMENT = {
    "watch": ("running", "in use", f"{SERVER}:"),
    "the terminal": ("running", "in use", f"{SERVER}:{FUNCTION}"),
    "pprof": ("Type: inuse_space", f"shop_server.{FUNCTION}"),
}
# Where servers are said to listen; they take any port that is free.
SHOWN = "127.0.0.1:4041"


class Sink(http.server.BaseHTTPRequestHandler):
    """Stands for Pyroscope: takes a profile."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.found.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Session:
    """A folder, the processes that run in it, and what they printed.

    folder  -- where everything is made
    printed -- {step: lines}
    """

    def __init__(self, folder):
        self.tools = tools.Fleet(folder)
        self.folder = self.tools.scratch
        shutil.copy(ROOT / "Doc/examples/fleet" / SERVER, self.folder)
        source = (self.folder / SERVER).read_text().splitlines()
        # What is kept was made in the line above.
        self.line = next(number for number, line in enumerate(source)
                         if LEAK in line)
        self.printed = {}
        self.stack = self.tools.processes
        self.counted = 0

    def step(self, name, *lines):
        self.printed[name] = [line.rstrip() for line in lines]
        print(f"\n=== {name}", *self.printed[name], sep="\n", flush=True)

    def words(self, command):
        return [sys.executable if word == PYTHON else word
                for word in shlex.split(command)]

    def run(self, command, status=0):
        """Run a command in the folder; return it and what it printed."""
        answer = subprocess.run(
            self.words(command), cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=self.environment())
        tools.check(answer.returncode == status,
                    f"{command}: status {answer.returncode}, "
                    f"{answer.stdout[-500:]}")
        # The command line of the server is shown as it was given.
        return [f"$ {command}", *answer.stdout.replace(
            sys.executable, PYTHON).rstrip("\n").split("\n")]

    @staticmethod
    def environment():
        return {name: value for name, value in os.environ.items()
                if not name.startswith("PYTHON")
                and name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")
                } | {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}

    def start(self, command):
        """Start what runs until the session ends."""
        process = subprocess.Popen(
            self.words(command), cwd=self.folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=self.environment())

        def end():
            process.terminate()
            process.communicate()

        self.stack.callback(end)
        return process

    def ask(self, address, workers, requests=REQUESTS):
        """Send requests until each worker has answered so many."""
        answered = dict.fromkeys(map(str, workers), 0)
        while min(answered.values()) < requests:
            self.counted += 1
            connection = http.client.HTTPConnection(address, timeout=30)
            connection.request("GET", f"/basket/{self.counted}")
            answer = connection.getresponse()
            answer.read()
            connection.close()
            answered[answer.headers["Worker"]] += 1
        return sum(answered.values())

    def record(self, pid):
        """Return the file of a process's record, once it is there."""
        def found():
            return next(iter(self.folder.glob(f"records/*.{pid}.tmrec")),
                        None)
        path = tools.eventually(found, f"the record of process {pid}")
        return path.relative_to(self.folder)

    def picture(self, pid):
        from tracemalloc._record import reader

        return reader.read(self.folder / self.record(pid))

    def refresh(self, address, workers):
        """Have the records of workers tell all that they hold now.

        Nothing is written of a process that does nothing.
        """
        asked = time.time_ns()

        def are_new():
            self.ask(address, workers, 1)
            found = list(map(self.picture, workers))
            return all(picture.written > asked and not picture.lost
                       for picture in found)

        tools.eventually(are_new, "new checkpoints of the workers")


def says(lines, *texts):
    text = "\n".join(lines)
    for each in texts:
        tools.check(each in text, f"this does not say {each!r}:\n{text}")


# The steps


def begin(session):
    """Start the server; return its process, address and workers."""
    command = f"{PYTHON} -X tracemalloc=25,record=records {SERVER}"
    (session.folder / "records").mkdir()
    server = session.start(command)
    line = server.stdout.readline().strip()
    session.step("start", f"$ {command} &", line)
    address, *workers = re.findall(r"[\d.]+:\d+|(?<= )\d+", line)
    session.ask(address, workers)
    session.refresh(address, workers)
    # As they are listed.
    workers.sort(key=lambda pid: session.picture(pid).started)
    return server, address, workers


def watch(session, address, workers):
    lines = session.run(f"{PYTHON} -m tracemalloc ps records")
    tools.check(sum("running" in line for line in lines) == 4,
                "four processes do not run:\n" + "\n".join(lines))
    session.step("list", *lines)
    stop = threading.Event()

    def more():
        while not stop.is_set():
            session.ask(address, workers, 5)
            stop.wait(0.05)

    asking = threading.Thread(target=more)
    asking.start()
    try:
        file = session.record(workers[0])
        lines = session.run(f"{PYTHON} -m tracemalloc live --plain --count 2 "
                            f"--every 3s -n 2 {file}")
        says(lines, "running", f"{SERVER}:{session.line}")
        session.step("watch", *lines)
        watch_terminal(session)
    finally:
        stop.set()
        asking.join()


def watch_terminal(session):
    tmux = shutil.which("tmux")
    if tmux is None:
        print("\nskipped: the terminal: tmux is not installed")
        return
    command = [tmux, "-L", f"session-{os.getpid()}", "-f", os.devnull]

    def call(*arguments):
        return subprocess.run([*command, *arguments], check=True, text=True,
                              capture_output=True, cwd=session.folder).stdout

    shown = f"{PYTHON} -m tracemalloc live -g function records"
    call("new-session", "-d", "-x", "80", "-y", "16",
         shlex.join(["env", "LC_ALL=C.UTF-8", *session.words(shown)]))
    try:
        def screen():
            found = call("capture-pane", "-p").splitlines()
            # From the third look on there are rates and a curve.
            return found if (f"{SERVER}:{FUNCTION}" in "\n".join(found)
                             and time.monotonic() > ready) else None

        ready = time.monotonic() + 5
        lines = tools.eventually(screen, "the view on a terminal")
        call("send-keys", "q")
    finally:
        subprocess.run([*command, "kill-server"], capture_output=True)
    session.step("the terminal", f"$ {shown}", *lines)


def after_death(session, server, workers):
    os.kill(int(workers[1]), signal.SIGKILL)
    tools.eventually(lambda: session.picture(workers[1]).state == "gone",
                     "the end of a worker")
    session.step("kill", f"$ kill -9 {workers[1]}")
    session.step("after the kill",
                 *session.run(f"{PYTHON} -m tracemalloc ps records"))
    says(session.printed["after the kill"], f"{workers[1]}     gone")
    file = session.record(workers[1])
    lines = session.run(f"{PYTHON} -m tracemalloc top -n 1 {file}")
    says(lines, f"process {workers[1]} is gone",
         f"{SERVER}:{session.line}")
    session.step("post mortem", *lines)
    lines = session.run(f"{PYTHON} -m tracemalloc traceback -n 1 {file}")
    says(lines, FUNCTION)
    session.step("call path", *lines)
    lines = session.run(f"{PYTHON} -m tracemalloc report -o worker.html "
                        f"{file}")
    tools.check((session.folder / "worker.html").stat().st_size > 10_000,
                "worker.html is too small")
    session.step("report", *lines)
    family = session.record(server.pid)
    lines = session.run(f"{PYTHON} -m tracemalloc top -n 1 --children "
                        f"{family}")
    says(lines, "4 processes: 3 running, 1 gone")
    session.step("the family", *lines)


def to_others(session, with_pprof):
    command = f"{PYTHON} -m tracemalloc serve records --listen "
    agent = session.start(command + "127.0.0.1:0")
    said = agent.stdout.readline()
    found = re.search(r" at http://([\d.]+:\d+)/ ", said)
    tools.check(found, f"the agent does not serve: {said}")
    address = found[1]
    question = "curl -s http://{}/metrics | grep ^tracemalloc_traced_bytes"
    lines = session.run(f"sh -c {shlex.quote(question.format(address))}")
    says(lines, f'tracemalloc_traced_bytes{{record="{SERVER[:-3]}.')
    session.step("metrics", f"$ {command}{SHOWN} &",
                 "$ " + question.format(SHOWN), *lines[1:])
    try:
        pprof = with_pprof and session.tools.program("pprof")
    except tools.Skipped as reason:
        print(f"\nskipped: pprof: {reason}")
        pprof = None
    if pprof:
        asked = "{} -top -nodecount 2 http://{}/debug/pprof/heap"
        lines = session.run(asked.format(shlex.quote(str(pprof)), address))
        says(lines, FUNCTION)
        session.step("pprof", "$ " + asked.format("pprof", SHOWN), *(
            line for line in lines[1:] if not line.startswith((
                "Fetching profile", "Saved profile"))))
    push(session)


def push(session):
    """Push to the stand-in; tell what it got."""
    sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    sink.found = []
    thread = threading.Thread(target=sink.serve_forever)
    thread.start()
    session.stack.callback(thread.join)
    session.stack.callback(sink.server_close)
    session.stack.callback(sink.shutdown)
    process = session.start(
        f"{PYTHON} -m tracemalloc push --to http://127.0.0.1:"
        f"{sink.server_port} --every 1s --label zone=a records")
    tools.eventually(lambda: sink.found, "a profile that is pushed")
    process.terminate()
    process.wait()
    path, body = sink.found[0]
    where = urllib.parse.urlsplit(path)
    asked = urllib.parse.parse_qs(where.query)
    raw = profile_in(body)
    (function, line), size = biggest(raw)
    tools.check((function, line) == (f"{SERVER[:-3]}.{FUNCTION}",
                                     session.line),
                f"the biggest line of what was pushed is {function}:{line}")
    session.step(
        "push", f"$ {PYTHON} -m tracemalloc push --to http://127.0.0.1:4040 "
        "--label zone=a records",
        f"POST {where.path} name={asked['name'][0]}",
        f"{len(raw)} bytes of profile; the line that holds most: {function}, "
        f"line {line}, {size} bytes")


def biggest(raw):
    """Return ((function, line), bytes) of what holds most in a profile."""
    profile = profiles.message("profile", raw)
    text = profile.string_table.__getitem__
    kinds = [text(each.type) for each in profile.sample_type]
    at = kinds.index("inuse_space")
    names = {each.id: text(each.name) for each in profile.function}
    places = {each.id: (names[each.line[0].function_id], each.line[0].line)
              for each in profile.location}
    held = {}
    for sample in profile.sample:
        place = places[sample.location_id[0]]
        held[place] = held.get(place, 0) + sample.value[at]
    return max(held.items(), key=lambda item: item[1])


def profile_in(body):
    """Return the profile, uncompressed, that is in a form."""
    import gzip

    at = body.index(b"\x1f\x8b")
    return gzip.decompress(body[at:].rsplit(b"\r\n--", 1)[0])


def end(session, server):
    server.send_signal(signal.SIGTERM)
    server.wait()
    session.step("end", f"$ kill {server.pid}",
                 *session.run(f"{PYTHON} -m tracemalloc ps records"))
    lines = session.run(f"{PYTHON} -m tracemalloc ps --clean records")
    says(lines, "removed 4 records")
    session.step("clean", *lines)


def run(folder, with_pprof=True):
    """Return what the steps printed."""
    session = Session(folder)
    with session.stack:
        server, address, workers = begin(session)
        watch(session, address, workers)
        after_death(session, server, workers)
        to_others(session, with_pprof)
        end(session, server)
    return session.printed


# The page


def page_with(text, printed):
    """Return the page with what was printed; steps that were skipped stay.
    """
    def block(found):
        lines = printed.get(found[1])
        if lines is None:
            return found[0]
        return f".. session: {found[1]}\n\n::\n\n" + "".join(
            f"    {line}".rstrip() + "\n" for line in lines) + "\n"

    return MARK.sub(block, text)


def shape_of(text):
    """Return the lines of a text without numbers and units of time."""
    text = without_figures(text.strip("\n"))
    return re.sub(r"# +(s|min|h)\b", "# s", text).split("\n")


def differences(text, printed):
    """Return what a page shows otherwise than it was printed, numbers apart.
    """
    shown = {found[1]: found[2] for found in MARK.finditer(text)}
    found = [f"{name}: not on the page" for name in printed.keys() - shown]
    for name, lines in printed.items():
        block = re.sub("(?m)^    ", "", shown.get(name, ""))
        if name in OF_THE_MOMENT:
            found += [f"{name}: the page has no {each!r}"
                      for each in OF_THE_MOMENT[name] if each not in block]
            continue
        pair = [shape_of(each) for each in (block, "\n".join(lines))]
        found += difflib.unified_diff(*pair, f"{name} (shown)",
                                      f"{name} (printed)", lineterm="", n=1)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", type=pathlib.Path, required=True,
                        help="where to make everything")
    parser.add_argument("--write", action="store_true",
                        help="write what was printed into the page")
    parser.add_argument("--check", action="store_true",
                        help="compare the page with what was printed")
    parser.add_argument("--without-pprof", action="store_true",
                        help="leave out Go's pprof, lest it be built")
    options = parser.parse_args()
    try:
        printed = run(options.folder.resolve(), not options.without_pprof)
    except tools.Wrong as fault:
        print(f"failed: {fault}")
        return 1
    text = PAGE.read_text(encoding="utf-8")
    if options.write:
        PAGE.write_text(page_with(text, printed), encoding="utf-8")
    if options.check:
        wrong = differences(text, printed)
        print("\n".join(wrong) or f"\n{PAGE.name} shows what is printed")
        return 1 if wrong else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
