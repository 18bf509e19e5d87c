"""What the command lines have in common."""
import argparse
import os
import pathlib
import sys

import cases
from configurations import BASE, BY_NAME
from machine import describe_machine
from measure import BenchError, Build, require_same_flags, shown_path


class Parser(argparse.ArgumentParser):
    """One line for a wrong command line, without the usage above it."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (--help lists the options)\n")


def add_builds(parser, output):
    parser.add_argument("--fork", required=True, type=pathlib.Path,
                        metavar="PYTHON", help="the fork's interpreter")
    parser.add_argument("--stock", required=True, type=pathlib.Path,
                        metavar="PYTHON",
                        help="the untouched base's, built with the same flags")
    parser.add_argument("--output", required=True, type=pathlib.Path,
                        metavar="DIR", help=output)
    parser.add_argument("--any-flags", action="store_true",
                        help="compare builds whose compilers or flags differ")


def add_cases(parser, help):
    parser.add_argument("--cases", metavar="NAME,...", help=help)


def check_build(parser, options, name):
    python = getattr(options, name)
    if not (python.is_file() and os.access(python, os.X_OK)):
        parser.error(f"--{name}: {python} is not an interpreter; build it "
                     f"first (make{' stock' if name == 'stock' else ''})")
    setattr(options, name, python.absolute())
    if options.output.exists() and not options.output.is_dir():
        parser.error(f"--output: {options.output} is not a folder")


def check_builds(parser, options):
    for name in ("fork", "stock"):
        check_build(parser, options, name)


def chosen_cases(parser, options, groups=cases.GROUPS):
    """The cases of some groups that --cases names, all without it."""
    every = cases.load_all(groups)
    if options.cases is None:
        return every
    names = options.cases.split(",")
    unknown = sorted(set(names) - {case.name for case in every})
    if unknown:
        parser.error(f"--cases: no such case: {', '.join(unknown)}; there are "
                     f"{', '.join(case.name for case in every)}")
    return [case for case in every if case.name in names]


def chosen_configurations(parser, options):
    """The Configurations of --configurations, the base first."""
    names = options.configurations.split(",")
    unknown = sorted(set(names) - BY_NAME.keys())
    if unknown:
        parser.error("--configurations: no such configuration: "
                     f"{', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    return [item for name, item in BY_NAME.items() if name in names
            or name == BASE]


def describe_builds(options):
    """({name: Build}, {name: description});
    BenchError if they cannot be compared.
    """
    builds = {"fork": Build("fork", options.fork),
              "stock": Build("stock", options.stock)}
    described = {name: build.describe() for name, build in builds.items()}
    if not options.any_flags:
        require_same_flags(described["fork"], described["stock"])
    return builds, described


def build_label(described):
    """A short name for how a build was optimised, fit for the name of a file.
    """
    words = [word for word in described["flags"].split()
             if word.startswith("-O")]
    parts = [words[-1][1:]] if words else ["O0"]
    arguments = described["arguments"]
    parts += [text for option, text in (("--enable-optimizations", "PGO"),
                                        ("--with-lto", "LTO"))
              if option in arguments]
    if described["debug"]:
        parts.append("debug")
    return "-".join(parts)


def common_facts(kind, described, label, partial):
    """What every JSON file begins with; what is `partial` is not published."""
    # Paths of this machine are nobody else's business.
    words = [shown_path(word) if word.startswith("/") else word
             for word in sys.argv[1:]]
    name = pathlib.Path(sys.argv[0]).stem
    return {"kind": kind, "label": label, "partial": partial,
            "machine": describe_machine(), "builds": described,
            "command": " ".join([f"Tools/bench/{PROGRAMS[name]}", *words])}


PROGRAMS = {"bench": "run", "callgrind_counts": "callgrind",
            "suite": "pyperformance-run", "plateau": "plateau",
            "curves": "curves", "pauses": "pauses"}


def guarded(main):
    """Run a program: 0 if all went well, 1 with one line if not."""
    try:
        return main()
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
