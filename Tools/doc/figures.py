"""Make the outputs that README.rst and the manuals show, by real runs.

    figures.py --fork PYTHON --root FOLDER [--check] [--demo]

What is shown, and so is run and replaced:

    sessions   literal blocks with commands, `$ python3.13 ...`: what each of
               them prints, both streams together
    programs   a literal block whose text before says that `it prints` that,
               or `This prints`: the output of the program in the block before
    the demo   with --demo, which takes a while and tells times: on a machine
               that does nothing else

and PICTURES, of what commands show on a terminal, are drawn.

Commands and programs run in one new folder, shown as /app, with the programs
of Doc/examples in it and with those that the page has told to save.  Hash
seeds are fixed, so that all pages show the same figures.

--check writes nothing, and compares without numbers, which depend on the
machine and its folders: status 1, and what differs, if a page shows something
else than what is printed.
"""

import argparse
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import terminal

PAGES = ("README.rst", "Doc/library/tracemalloc.rst",
         "Doc/library/tracemalloc-cli.rst", "Doc/using/examples.rst",
         "Doc/using/leaving-it-on.rst", "Doc/using/which-route-grew.rst")

# {picture: (what makes the file that is shown, what shows it)}
PICTURES = {"Doc/library/tree.svg": (
    "python3.13 -m tracemalloc run --quiet -o email.tmz word_index.py email",
    "python3.13 -m tracemalloc tree --min 2 email.tmz")}

SHOWN_FOLDER = "/app"
# Where the standard library is installed.
SHOWN_LIBRARY = "/usr/local/lib/python3.13"

_DEMO = "``./bootstrap demo`` prints"
_PRINTS = re.compile(r"(?:This|it) prints(?: looks like this)?::$")
_SAVE = re.compile(r"Save this as ``([\w.]+)``:")


class Runner:
    """A folder to run things in, and the interpreter that runs them."""

    def __init__(self, python, root, folder):
        self._root, self._python = root, python
        self._folder = os.path.join(folder, "app")
        programs = os.path.join(folder, "bin")
        os.mkdir(programs)
        for name in "python", "python3.13":
            os.symlink(python, os.path.join(programs, name))
        shutil.copytree(os.path.join(root, "Doc", "examples"), self._folder)
        self._environment = {
            name: value for name, value in os.environ.items()
            if not name.startswith("PYTHON")
            and name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
        self._environment |= {
            "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}",
            "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
        self._status = 0
        self._known = {}
        self._library = subprocess.run(
            [python, "-c", "import os; print(os.path.dirname(os.__file__))"],
            env=self._environment, text=True, check=True,
            stdout=subprocess.PIPE).stdout.strip()
        # Modules are compiled when they are first imported.
        for package in "json", "email":
            self.shell(f"python word_index.py {package}")

    def save(self, name, text):
        with open(os.path.join(self._folder, name), "w",
                  encoding="utf-8") as stream:
            stream.write(text)

    def shell(self, command):
        """Return what a command prints, line by line.

        Pages that begin in the same way go on with the same files.
        """
        if command in self._known:
            return self._known[command]
        process = subprocess.run(
            ["sh", "-c", f"(exit {self._status}); {command}"],
            cwd=self._folder, env=self._environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self._status = process.returncode
        found = process.stdout.replace(self._folder, SHOWN_FOLDER).replace(
            self._library, SHOWN_LIBRARY).rstrip("\n").split("\n")
        if "tracemalloc run" in command:
            self._known[command] = found
        return found

    def program(self, text):
        """Return what a program prints, line by line."""
        self.save("program.py", text)
        return self.shell("python program.py")

    def demo(self):
        process = subprocess.run(
            [self._python, "-I", os.path.join(self._root, "Tools", "demo",
                                              "stdlib_index.py")],
            env=self._environment, text=True, check=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        return process.stdout.strip("\n").split("\n")


def _without_margin(lines):
    margin = min((len(line) - len(line.lstrip())
                  for line in lines if line.strip()), default=0)
    return [line[margin:] for line in lines], " " * margin


class Page:
    """A page: text() has its blocks as they are printed now."""

    def __init__(self, source, runner, demo=False):
        self._lines = source.split("\n")
        self._runner = runner
        self._demo = demo
        self._out = []

    def text(self):
        at = 0
        before = []
        while at < len(self._lines):
            line = self._lines[at]
            self._out.append(line)
            at += 1
            if not line.rstrip().endswith(("::", ":: python")):
                continue
            end = self._block_end(at, len(line) - len(line.lstrip()))
            block = self._lines[at:end]
            new = self._replaced(line, block, before)
            before, at = block, end
            self._out += new
        return "\n".join(self._out)

    def _block_end(self, at, indent):
        """Return the place behind the lines indented by more than that."""
        while at < len(self._lines) and (
                not self._lines[at].strip()
                or len(self._lines[at]) - len(self._lines[at].lstrip())
                > indent):
            at += 1
        while not self._lines[at - 1].strip():
            at -= 1
        return at

    def _replaced(self, line, block, before):
        """Return what a block shall be.

        line   -- the one that announces it
        block  -- its lines
        before -- those of the block before it
        """
        blank = [each for each in block[:1] if not each]
        lines, margin = _without_margin(block)
        above = "\n".join(self._out[-4:])
        save = _SAVE.search(above)
        if save:
            self._runner.save(save[1], "\n".join(lines).strip("\n") + "\n")
            return block
        if any(each.startswith("$ ") for each in lines):
            found = self._session(lines)
        elif _PRINTS.search(line):
            program, margin = _without_margin(before)
            found = self._runner.program("\n".join(program).strip("\n"))
            if line.startswith("The first line"):
                del found[1:]
        elif self._demo and _DEMO in above:
            found = self._runner.demo()
        else:
            return block
        return blank + [margin + each if each else "" for each in found]

    def _session(self, block):
        found = []
        lines = iter(block)
        for line in lines:
            if not line.startswith("$ "):
                continue
            shown = [line]
            while shown[-1].endswith("\\"):
                shown.append(next(lines))
            command = "\n".join([shown[0][2:], *(
                each.removeprefix("> ") for each in shown[1:])])
            if found and not line.startswith("$ echo"):
                found.append("")
            found += [*shown, *self._runner.shell(command)]
        return found


def without_figures(text):
    """Return a text whose numbers, and blanks to align them, do not count."""
    text = re.sub(r"[+-]?\b\d[\d,.]*", "#", text)
    text = re.sub(r"# [KMG]?i?B\b", "# B", text)
    text = re.sub(r"# (block|line|call|branch)(?:e?s)?\b", r"# \1s", text)
    return re.sub(r"(?<=\S)  +", "  ", re.sub(r"(?m)^ +", "", text))


def draw_picture(name, runner):
    """Return the picture of what a command shows on a terminal."""
    before, command = PICTURES[name]
    runner.shell(before)
    return terminal.draw(command, runner.shell(
        command.replace(" email.tmz", " --color always email.tmz")))


def update(path, name, runner, options):
    """Rewrite a page, or compare it; return whether it was right."""
    with open(path, encoding="utf-8") as stream:
        old = stream.read()
    if name in PICTURES:
        new = draw_picture(name, runner)
    else:
        new = Page(old, runner, options.demo).text()
    if not options.check:
        if new != old:
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(new)
        print(f"{name}: {'as it was' if new == old else 'rewritten'}")
        return True
    pair = [without_figures(text).split("\n") for text in (old, new)]
    difference = difflib.unified_diff(
        *pair, f"{name} (shown)", f"{name} (printed)", lineterm="", n=1)
    text = "\n".join(difference)
    print(text or f"{name}: shows what is printed")
    return not text


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description="Make the outputs that README.rst and the manuals show.")
    parser.add_argument("--fork", required=True, metavar="PYTHON")
    parser.add_argument("--root", required=True, metavar="FOLDER")
    parser.add_argument("--check", action="store_true",
                        help="compare, without numbers, and write nothing")
    parser.add_argument("--demo", action="store_true",
                        help="run the demo, too")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(os.path.abspath(options.fork), options.root,
                        os.path.realpath(folder))
        right = [update(os.path.join(options.root, name), name, runner,
                        options)
                 for name in (*PAGES, *PICTURES)]
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
