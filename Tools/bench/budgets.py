"""What single operations cost, and what they may cost: budgets.txt.

An operation is counted by one or more programs of cases/operations.py.  What
it takes is the mean of theirs, less what a program takes that does the rest of
the same.
"""
import collections
import pathlib
import statistics

import cases
from configurations import BASE, EVERY_FRAME, RECORD
from measure import BenchError

BUDGETS = pathlib.Path(__file__).resolve().parent / "budgets.txt"
KINDS = ("plain", "optimised")
OFF = "fork-off"
COMPARED = (BASE, OFF, EVERY_FRAME, RECORD)
# EVERY_FRAME, and a thread that sleeps: a record's helper is one.
THREAD = "fork-thread"

# A budget is exceeded by more than this share of it, since the number of
# instructions depends a little on addresses; and one instruction more per
# operation with tracing off, or with a record, is more than half of one.
TOLERANCE = 0.01
HALF = 0.5

WARM = 1                                # loops that do not count
COUNTED = 2                             # and that do

Operation = collections.namedtuple("Operation", "name text programs without",
                                   defaults=(None,))

OPERATIONS = (
    Operation("small_block", "malloc + free of a small block, known place",
              ("small_object", "small_number", "small_bytes")),
    Operation("free_list", "an object taken from a free list",
              ("listed_float", "listed_tuple", "listed_list", "listed_dict")),
    Operation("traded", "the same, where another line let go of it",
              ("traded_float",)),
    Operation("new_frame", "a frame that is new", ("framed_object",),
              "small_object"),
    Operation("large_block", "bytes(1000): a large block", ("large_bytes",),
              "no_bytes"),
    Operation("async_chain", "one value through an asynchronous generator",
              ("chained_value",)),
    Operation("small_objects", "one turn of small_objects",
              ("churned_objects",)),
)


def programs_of(operations):
    """The names of all programs that some operations need, each once."""
    return list(dict.fromkeys(
        name for operation in operations
        for name in (*operation.programs, operation.without) if name))


def load_programs(operations):
    found = {case.name: case for case in cases.load_all(cases.OPERATIONS)}
    return [found[name] for name in programs_of(operations)]


def kind_of(label):
    """The kind of build that a label tells: which column of budgets counts,
    None if no budget is for such a build.
    """
    return {"O3": "plain", "O3-PGO-LTO": "optimised"}.get(label)


def read_budgets(path=BUDGETS):
    """{operation: {kind: instructions}}; there is a line for each operation.
    """
    found = {}
    with open(path, encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            fields = line.split(None, 1 + len(KINDS))
            if not fields or fields[0].startswith("#"):
                continue
            try:
                name, *budgets, _ = fields
                limits = dict(zip(KINDS, map(int, budgets), strict=True))
            except ValueError:
                raise BenchError(
                    f"{path}:{number}: expected: OPERATION "
                    f"{' '.join(KINDS).upper()} REASON") from None
            if name in found:
                raise BenchError(f"{path}:{number}: {name} has a line above")
            found[name] = limits
    known = {operation.name for operation in OPERATIONS}
    for what, names in (("no budget for", known - found.keys()),
                        ("no such operation:", found.keys() - known)):
        if names:
            raise BenchError(f"{path}: {what} {', '.join(sorted(names))}")
    return found


def operation_row(operation, taken, budget):
    """What an operation takes in each configuration; `taken` is {program:
    {configuration: instructions each time}}.
    """
    row = {"operation": operation.name, "text": operation.text,
           "programs": operation.programs, "without": operation.without}
    for name in COMPARED:
        row[name] = statistics.fmean(taken[program][name]
                                     for program in operation.programs)
        if operation.without:
            row[name] -= taken[operation.without][name]
    return row | {"above": row[EVERY_FRAME] - row[BASE], "budget": budget}


def exceeded(data):
    """A line for each operation above its budget, and for each program
    that takes more than stock with tracing off, or more with a record than
    without.
    """
    found = []
    for row in data["operations"]:
        above, budget = row["above"], row["budget"]
        if budget is not None and above > budget * (1 + TOLERANCE):
            found.append(f"{row['operation']}: {above:.0f} instructions above "
                         f"stock, the budget is {budget} "
                         f"({100 * (above / budget - 1):+.1f} %)")
    for row in data["programs"]:
        if row[OFF] - row[BASE] > HALF:
            found.append(f"{row['program']}: tracing off takes "
                         f"{row[OFF]:.1f} instructions, stock {row[BASE]:.1f}")
        without = row.get(THREAD, row[EVERY_FRAME])
        if row.get(RECORD, 0) - without > HALF:
            found.append(f"{row['program']}: with a record it takes "
                         f"{row[RECORD]:.1f} instructions, without "
                         f"{without:.1f}")
    return found
