"""The workloads that the benchmarks run, one module per group.

A case is a function `prepare(size)` under the decorator `case`.  It does what
is not to be measured (making input, importing) and returns `step`, a function
without arguments.  One call of `step` is one loop: the measured unit.  It
returns (answer, kept): a small integer that depends on all of its work and is
the same in every loop, by which the harness sees that every configuration did
the same work; and the objects that stay alive until the next loop begins, and
after the last one.

`size` and `loops` are pairs, for a full run and for a quick one.  They are
fixed, so that memory and instruction counts can be compared between machines;
a full run takes 0.3 to 0.6 s of an untraced -O3 build on a machine of 2024, a
quick run about 0.1 s.
"""
import importlib

GROUPS = ("churn", "text", "concurrency", "web", "live", "large", "raw",
          "growth", "recursion", "classes")
COUNTED = ("instructions",)             # for Tools/bench/callgrind alone
OPERATIONS = ("operations",)            # for its budgets
SCALES = ("scales",)                    # for Tools/bench/curves


class Case:
    """One workload: how to prepare it, how big it is, what it is for."""

    __slots__ = ("group", "name", "text", "prepare", "size", "loops", "live",
                 "recursion", "deep", "reports")

    def __init__(self, prepare, size, loops, live, recursion, deep, reports):
        self.group = prepare.__module__.rpartition(".")[2]
        self.name = prepare.__name__
        # The first sentence or two, which may take more than one line.
        self.text = " ".join(prepare.__doc__.partition("\n\n")[0].split())
        self.prepare = prepare
        self.size = size
        self.loops = loops
        self.live = live
        self.recursion = recursion
        self.deep = deep
        self.reports = reports


def case(*, size, loops, live=False, recursion=False, deep=False,
         reports=False):
    """Make a function a case.

    `live` asks for a snapshot and its statistics at the end, timed;
    `recursion` marks the cases that have live blocks on recursive paths.
    `deep` says that there are as many tracebacks as frames in one of them:
    with every frame kept, a snapshot is asked for only if it is smaller than
    the square of that.  `reports` has the commands timed that read a file of
    the snapshot.
    """
    def decorate(prepare):
        return Case(prepare, size, loops, live, recursion, deep, reports)
    return decorate


def load_group(group):
    """The cases of one group, in the order of the file."""
    module = importlib.import_module(f"{__name__}.{group}")
    return [value for value in vars(module).values()
            if isinstance(value, Case)]


def load_case(group, name):
    """One case; imports no other group, whose modules would count as memory.
    """
    return getattr(importlib.import_module(f"{__name__}.{group}"), name)


def load_all(groups=GROUPS):
    return [found for group in groups for found in load_group(group)]
