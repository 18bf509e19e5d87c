#!/usr/bin/env python3
"""Index the standard library, and say where the memory for that went.

The program parses and compiles every source file of the interpreter's
standard library, puts modules, classes, functions and docstrings into an
SQLite database, asks it a few questions, and keeps what it has built.  It
does so twice, in two processes of the interpreter that runs it: untraced,
and under -X tracemalloc.  The second one reports its memory, and the two
together what tracing cost.
"""
import argparse
import ast
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tokenize
import tracemalloc
import warnings

TOP = 10
PROGRAM = os.path.basename(__file__)

SCHEMA = """
create table module (id integer primary key, name text, path text, lines integer,
                     doc text);
create table name (module integer references module, kind text, name text,
                   qualified text, line integer, doc text);
"""


class Failure(Exception):
    """The work cannot be done; the text says why, in one line."""


# The job


def source_files(with_tests):
    """Return the sorted (module name, path) pairs of the standard library."""
    library = os.path.dirname(os.__file__)
    skipped = {"__pycache__", "site-packages", "dist-packages"}
    if not with_tests:
        skipped |= {"test", "tests", "idle_test"}
    found = []
    for folder, folders, files in os.walk(library):
        folders[:] = [name for name in folders if name not in skipped]
        for file in files:
            base, extension = os.path.splitext(file)
            if extension != ".py":
                continue
            path = os.path.join(folder, file)
            parts = os.path.relpath(
                os.path.join(folder, base), library).split(os.sep)
            if parts[-1] == "__init__":
                parts.pop()
            found.append((".".join(parts), path))
    if not found:
        raise Failure(f"no source files in {library}: is the standard library "
                      "installed?")
    return sorted(found)


def definitions(tree):
    """Yield (kind, name, qualified name, line, docstring) of a syntax tree."""
    waiting = [(tree, "")]
    while waiting:
        parent, prefix = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            match node:
                case ast.ClassDef():
                    kind = "class"
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    kind = "function"
                case _:
                    waiting.append((node, prefix))
                    continue
            qualified = prefix + node.name
            yield (kind, node.name, qualified, node.lineno,
                   ast.get_docstring(node))
            waiting.append((node, qualified + "."))


class Index:
    """The library, parsed, compiled and in a database."""

    def __init__(self, database):
        self.database = database
        self.code = {}
        self.lines = 0
        self.names = 0
        self.skipped = 0
        database.executescript(SCHEMA)

    def add(self, name, path):
        """Read one module; count it as skipped if it is not valid source."""
        try:
            with tokenize.open(path) as stream:
                source = stream.read()
            tree = ast.parse(source, path)
            code = compile(tree, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            self.skipped += 1
            return
        self.code[name] = code
        lines = source.count("\n")
        self.lines += lines
        row = self.database.execute(
            "insert into module (name, path, lines, doc) values (?, ?, ?, ?)",
            (name, path, lines, ast.get_docstring(tree)))
        found = [(row.lastrowid, *each) for each in definitions(tree)]
        self.database.executemany("insert into name values (?, ?, ?, ?, ?, ?)",
                                  found)
        self.names += len(found)

    def ask(self, question, *values):
        return self.database.execute(question, values).fetchall()

    def answers(self):
        """Return [(question, [(text, number), ...]), ...]."""
        return [
            ("the most common names", self.ask(
                "select name, count(*) as n from name group by name "
                "order by n desc, name limit 5")),
            ("the longest docstrings", self.ask(
                "select coalesce(module.name || '.' || qualified, "
                "module.name), length(d) "
                "from (select id, null as qualified, doc as d from module "
                "union all select module, qualified, doc from name) "
                "join module using (id) where d is not null "
                "order by length(d) desc, 1 limit 4")),
            ("the modules with most classes", self.ask(
                "select module.name, count(*) as n from name "
                "join module on module = id where kind = 'class' group by id "
                "order by n desc, module.name limit 5")),
            ("the modules with most functions", self.ask(
                "select module.name, count(*) as n from name "
                "join module on module = id where kind = 'function' "
                "group by id order by n desc, module.name limit 5")),
            ("docstrings that speak of memory", self.ask(
                "select module.name, count(*) as n from name "
                "join module on module = id "
                "where name.doc like '%memory%' group by id "
                "order by n desc, module.name limit 5")),
        ]


def build(filename, with_tests, limit):
    """Do the job; return the Index and the answers to the questions."""
    import sqlite3
    try:
        database = sqlite3.connect(filename)
        index = Index(database)
        for name, path in source_files(with_tests)[:limit]:
            index.add(name, path)
        database.commit()
        return index, index.answers()
    except (OSError, sqlite3.Error) as error:
        raise Failure(f"{filename}: {error}") from error


# The two processes


def memory_report():
    """Return what the tracer knows, as plain data."""
    import linecache
    current, peak = tracemalloc.get_traced_memory()
    own = tracemalloc.get_tracemalloc_memory()
    started = time.perf_counter()
    snapshot = tracemalloc.take_snapshot()
    tracemalloc.stop()          # what follows is not part of the job
    lines = snapshot.statistics("lineno")
    # What was allocated before any Python code ran has no call path to show.
    known = snapshot.filter_traces([tracemalloc.Filter(False, "<unknown>")])
    biggest = known.statistics("traceback")[0]
    elapsed = time.perf_counter() - started

    def row(frame):
        source = linecache.getline(frame.filename, frame.lineno).strip()
        return {"file": frame.filename, "line": frame.lineno, "source": source}

    return {
        "current": current, "peak": peak, "tracer": own,
        "blocks": len(snapshot.traces), "snapshot_seconds": elapsed,
        "frames": snapshot.traceback_limit,
        "top": [dict(row(each.traceback[-1]), size=each.size, count=each.count)
                for each in lines[:TOP]],
        "biggest": {"size": biggest.size, "count": biggest.count,
                    "path": [row(frame) for frame in biggest.traceback]},
    }


def child(options):
    """Be one of the two processes: do the job, write the figures as JSON."""
    warnings.simplefilter("ignore")         # those of the sources it compiles
    wall, cpu = time.perf_counter(), time.process_time()
    index, answers = build(options.database, options.tests, options.modules)
    figures = {
        "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu,
        "modules": len(index.code), "lines": index.lines, "names": index.names,
        "skipped": index.skipped, "answers": answers,
    }
    if tracemalloc.is_tracing():
        figures["memory"] = memory_report()
    with open(options.child, "w", encoding="utf-8") as stream:
        json.dump(figures, stream)


def run_child(options, frames, database, folder):
    """Run the job in a process of its own; return its figures."""
    report = os.path.join(folder, "figures.json")
    command = [sys.executable, "-X", f"tracemalloc={frames}",
               os.path.abspath(__file__), "--child", report, "--database",
               database]
    if options.tests:
        command.append("--tests")
    if options.modules:
        command += ["--modules", str(options.modules)]
    env = dict(os.environ, PYTHONHASHSEED="0")
    env.pop("PYTHONTRACEMALLOC", None)
    process = subprocess.run(command, env=env, stderr=subprocess.PIPE,
                             text=True)
    if process.returncode:
        lines = process.stderr.strip().splitlines() or ["no message"]
        reason = lines[-1].removeprefix(f"{PROGRAM}: ")
        raise Failure(f"the process with tracemalloc={frames} ended with "
                      f"status {process.returncode}: {reason}")
    with open(report, encoding="utf-8") as stream:
        return json.load(stream)


def measure(options, progress):
    """Run both processes; return all figures."""
    with tempfile.TemporaryDirectory(prefix="stdlib-index-") as folder:
        progress("indexing the standard library, untraced ...")
        plain = run_child(options, 0, os.path.join(folder, "plain.db"), folder)
        progress(f"once more with {options.frames} frames per block ...")
        database = options.database or os.path.join(folder, "index.db")
        traced = run_child(options, options.frames, database, folder)
        progress("")
    figures = {"python": sys.version.split()[0], "executable": sys.executable}
    figures |= {key: traced[key] for key in
                ("modules", "lines", "names", "skipped", "answers", "memory")}
    figures["time"] = {
        kind: {"untraced": plain[kind], "traced": traced[kind],
               "ratio": traced[kind] / plain[kind]}
        for kind in ("wall", "cpu")}
    return figures


# The report


def size_text(size):
    """Return bytes as text with one decimal: '12.3 MiB'."""
    for unit in "B", "KiB", "MiB":
        if size < 1000:
            break
        size /= 1024
    else:
        unit = "GiB"
    return f"{size} B" if unit == "B" else f"{size:.1f} {unit}"


def place(row):
    """Return where a frame is, shortened to the last two parts of its path."""
    tail = "/".join(row["file"].split(os.sep)[-2:])
    return f"{tail}:{row['line']}"


def cut(text, width):
    return text if len(text) <= width else text[:width - 3] + "..."


def render(figures, file, width, bold):
    """Write the report on *figures* to *file*, at most *width* columns wide.
    """
    memory = figures["memory"]
    blank = " " * 24

    def write(text=""):
        file.write(text.rstrip() + "\n")

    def title(text):
        write()
        write(f"\033[1m{text}\033[0m" if bold else text)

    skipped = figures["skipped"]
    title("The standard library, indexed")
    write(f"  {figures['modules']:,} modules, {figures['lines']:,} lines, "
          f"{figures['names']:,} classes and functions"
          + (f"; {skipped} files left out, their source is not valid"
             if skipped else ""))

    title("What the index answers")
    for question, answer in figures["answers"]:
        text = ""
        for name, number in answer:
            item = f"{name} {number:,}  "
            if len(text) + len(item) <= width - 34:
                text += item
        write(f"  {question:33} {text or 'none'}")

    title(f"The {len(memory['top'])} lines that hold most memory")
    write(f"  {'size':>9}  {'blocks':>9}  line")
    for row in memory["top"]:
        write(f"  {size_text(row['size']):>9}  {row['count']:>9,}  "
              f"{cut(place(row), width - len(blank))}")
        if row["source"]:
            write(f"{blank}  {cut(row['source'], width - len(blank) - 2)}")

    biggest = memory["biggest"]
    title(f"The biggest call path: {size_text(biggest['size'])} in "
          f"{biggest['count']:,} blocks, oldest call first")
    for row in biggest["path"]:
        write(f"  {cut(place(row), width - 2)}")
        if row["source"]:
            write(f"      {cut(row['source'], width - 6)}")

    title("Memory")
    write(f"  {'held at the end':25} {size_text(memory['current']):>10}"
          f"   in {memory['blocks']:,} blocks")
    write(f"  {'at the peak':25} {size_text(memory['peak']):>10}")
    own = memory["tracer"]
    share = own / memory["current"]
    write(f"  {'of the tracer itself':25} {size_text(own):>10}   {share:.0%} "
          f"of what it traced, {own / memory['blocks']:.1f} bytes per block")

    title(f"Time, with {memory['frames']} frames per block")
    write(f"  {'':25} {'untraced':>10} {'traced':>10} {'ratio':>8}")
    for kind, name in ("wall", "by the clock"), ("cpu", "of the processor"):
        row = figures["time"][kind]
        write(f"  {name:25} {row['untraced']:>8.2f} s {row['traced']:>8.2f} s "
              f"{row['ratio']:>7.2f}x")
    write(f"  {'snapshot and statistics':25} {'':>10} "
          f"{memory['snapshot_seconds']:>8.2f} s")


# The command line


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message):
        self.exit(2, f"{PROGRAM}: {message} (--help lists the options)\n")


def number_to(limit):
    """Return a converter of text to a number from 1 to *limit*."""
    def convert(text):
        if text.isascii() and text.isdigit() and 1 <= int(text) <= limit:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from "
                                         f"1 to {limit}")
    return convert


def parse(arguments):
    parser = Parser(
        prog=PROGRAM, description=__doc__.partition("\n\n")[0],
        epilog=f"example: python {PROGRAM} --modules 100 --json figures.json")
    parser.add_argument("--tests", action="store_true",
                        help="index the test folders, too")
    parser.add_argument("--modules", type=number_to(999999), metavar="N",
                        help="index the first N modules only (default: all)")
    parser.add_argument(
        "--frames", type=number_to(65535), default=25, metavar="N",
        help="frames that the traced process keeps per block (default: 25)")
    parser.add_argument(
        "--database", metavar="FILE",
        help="keep the database in FILE, which must not exist yet")
    parser.add_argument("--json", metavar="FILE",
                        help="write the figures to FILE as well")
    parser.add_argument("--child", metavar="FILE", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def check(options):
    """Find out before the work whether its results can be written."""
    for path in options.database, options.json:
        folder = path and (os.path.dirname(path) or os.curdir)
        if folder and not os.path.isdir(folder):
            raise Failure(f"{path}: there is no folder {folder}")
        if path and os.path.isdir(path):
            raise Failure(f"{path} is a folder: name a file")
        if folder and not os.access(folder, os.W_OK):
            raise Failure(f"{path}: the folder is not writable")
    if options.database and os.path.exists(options.database):
        raise Failure(f"{options.database} exists: remove it or choose "
                      "another name")
    try:
        import sqlite3      # noqa: F401
    except ImportError:
        raise Failure("this interpreter was built without sqlite3: install "
                      "the headers of SQLite and build it again") from None


def main(arguments=None):
    options = parse(arguments)
    try:
        if options.child:
            child(options)
            return 0
        check(options)
        terminal = sys.stdout.isatty()

        def progress(text):
            if sys.stderr.isatty():
                sys.stderr.write(f"\r\033[K{text}")
                sys.stderr.flush()

        figures = measure(options, progress)
        width = (min(max(shutil.get_terminal_size().columns, 80), 100)
                 if terminal else 96)
        render(figures, sys.stdout, width,
               terminal and "NO_COLOR" not in os.environ)
        if options.json:
            with open(options.json, "w", encoding="utf-8") as stream:
                json.dump(figures, stream, indent=1)
                stream.write("\n")
        sys.stdout.flush()
    except Failure as failure:
        sys.stderr.write(f"{PROGRAM}: {failure}\n")
        return 1
    except BrokenPipeError:
        # The reader has seen enough; nothing is left to flush at exit.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        sys.stderr.write(f"{PROGRAM}: {error.filename or 'output'}: "
                         f"{error.strerror}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"{PROGRAM}: interrupted\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
