"""What curves are drawn of, and what theory says of them.

Nothing here starts a process or prints.
"""
import collections

# `name` is that of a case, `thing` what there is more and more of, `text` says
# what is counted, `paper` is a number that is predicted and not measured.
Scale = collections.namedtuple("Scale", "name title thing sizes text paper",
                               defaults=(None,))

SCALES = (
    Scale("live_small", "Live small blocks", "block",
          (10_000, 100_000, 1_000_000, 10_000_000),
          "``object()`` takes the place of one of so many, scattered.",
          100_000_000),
    Scale("live_large", "Live large blocks", "block",
          (1000, 10_000, 100_000, 1_000_000),
          "A string of 600 bytes takes the place of one of so many, "
          "scattered.", 100_000_000),
    Scale("contexts", "Contexts", "context",
          (1000, 10_000, 100_000, 1_000_000, 10_000_000),
          "An object is made seven calls deep, in one of so many contexts, "
          "each of which holds one.  The memory has that block's cell in it."),
    Scale("turns_of_threads", "Threads", "thread", (1, 4, 16, 64),
          "``object()`` is made and dropped 500 times by one of so many "
          "threads, then by the next one."),
    Scale("depth", "Depth", "frame", (1, 10, 100, 1000, 10_000, 70_000),
          "A call further down, and ``object()`` there, which lives until the "
          "same call is made again."),
    Scale("code_objects", "Code objects", "code object",
          (100, 1000, 10_000, 100_000, 1_000_000),
          "``object()`` is made by one of so many functions, each of which "
          "has one."),
)


def predict(rows, paper=None):
    """What theory says for rows of one scale: [(size, instructions above
    stock, the tracer's bytes)], and for `paper` things.

    Instructions do not grow: they stay what they are for the smallest size.
    Memory grows by what one more thing took between the two largest sizes.
    """
    first, last = rows[0], rows[-1]
    each = each_more(rows[-2], last) if len(rows) > 1 else 0
    sizes = [row["size"] for row in rows] + ([paper] if paper else [])
    return [(size, first["above"],
             last["tracer"] + each * (size - last["size"])) for size in sizes]


def each_more(fewer, more):
    """The tracer's bytes for one more thing, between two rows."""
    return ((more["tracer"] - fewer["tracer"])
            / (more["size"] - fewer["size"]))


def grouped(data):
    """(Scale, its rows) of a file, in the order of this one."""
    for scale in SCALES:
        rows = [row for row in data["rows"] if row["scale"] == scale.name]
        if rows:
            yield scale, rows
