"""Compare two whole-suite runs of regrtest by their junit files.

usage: regrtest-compare STOCK.xml FORK.xml

Make the files with `PYTHON [-X tracemalloc=25] -m test -j2 --junit-xml FILE`.
Prints a line for every test that fails in the second file and does not in the
first, and for every module that has no results in the second; ends with their
number.  The exit status is 1 if there is any, 2 if a file cannot be read.
"""
import collections
import sys
from xml.etree import ElementTree

import results

Module = collections.namedtuple("Module", "cases nameless")


def module_name(names):
    """The module of a suite: "test.test_x", or deeper in a split package.

    Doctests of other modules, run by test_x,
    have ids without "test." in front.
    """
    names = [name for name in names if name.startswith("test.")] or names[:1]
    parts = [name.partition(" ")[0].split(".") for name in names]
    common = []
    for words in zip(*parts):
        if len(set(words)) > 1 or not (words[0] == "test"
                                       or words[0].startswith("test_")):
            break
        common.append(words[0])
    return ".".join(common) or parts[0][0]


def read(text):
    """Map module names to Modules.

    `nameless` counts the failures that regrtest's file does not name: tests
    that failed in subTest() only, and class or module fixtures.
    """
    modules = {}
    for suite in ElementTree.fromstring(text).iter("testsuite"):
        cases, _, counted = results.read_xml(ElementTree.tostring(suite))
        if not cases:
            continue
        named = sum(map(results.is_failure, cases))
        name = module_name([case.id for case in cases])
        before = modules.get(name, Module({}, 0))
        modules[name] = Module(before.cases | {case.id: case
                                               for case in cases},
                               before.nameless + max(0, counted - named))
    return modules


def compare(stock, fork):
    """Lines on everything that is worse in `fork`."""
    worse = []
    for name in sorted(stock.keys() - fork.keys()):
        worse.append(f"{name}: no results; it crashed, "
                     "timed out or was skipped")
    for name, module in sorted(fork.items()):
        base = stock.get(name, Module({}, 0))
        for case in module.cases.values():
            before = base.cases.get(case.id)
            if (results.is_failure(case)
                    and not (before and results.is_failure(before))):
                worse.append(f"{case.id}: {case.outcome}")
        if module.nameless > base.nameless:
            worse.append(f"{name}: {module.nameless} failures without a name,"
                         f" {base.nameless} on the base")
    return worse


def main(arguments=None):
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 2:
        print("usage: regrtest-compare STOCK.xml FORK.xml", file=sys.stderr)
        return 2
    modules = []
    for path in arguments:
        try:
            with open(path, encoding="utf-8") as stream:
                modules.append(read(stream.read()))
        except (OSError, ElementTree.ParseError) as error:
            print(f"regrtest-compare: {path}: {error}", file=sys.stderr)
            return 2
    worse = compare(*modules)
    for line in worse:
        print(line)
    print(f"{len(worse)} worse than the base")
    return 1 if worse else 0
