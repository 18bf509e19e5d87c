"""What tests of captures share: blocks recorded with the stack that was seen.

Every test allocates blocks in frames of one kind and compares what the tracer
says of each with what sys._getframe() saw on the same line.  Afterwards the
tracer's own check must find all of its data in order.
"""
import _tracemalloc
import sys
import textwrap
import tracemalloc
import unittest

ALL_FRAMES = 65535
# Enough calls for the adaptive interpreter to specialise them.
WARM = 40


def stack_of(frame):
    """Return [(file name, line), ...] of *frame* and its callers,
    newest first.
    """
    frames = []
    while frame is not None:
        # A place without a line is line 0 in tracebacks of traces.
        frames.append((frame.f_code.co_filename, frame.f_lineno or 0))
        frame = frame.f_back
    return frames


class Recorder:
    """Blocks, and the stacks that were seen when they were allocated;
    no more than *most* of them.
    """

    def __init__(self, most=sys.maxsize):
        self.records = []
        self.most = most

    def __call__(self, block):
        """Record *block*, which the calling line has just allocated.

        Another block is allocated by this function itself, so that the caller
        is seen both as the newest frame and as one below it.
        """
        if len(self.records) >= self.most:
            return block
        self.records.append((block, stack_of(sys._getframe(1))))
        inner = bytearray(3), stack_of(sys._getframe())
        self.records.append(inner)
        return block

    def wrong(self):
        """Return what is wrong with the tracebacks of the recorded blocks."""
        return [(seen, traced) for block, seen in self.records
                if (traced := traced_stack(block)) != seen]


def traced_stack(block):
    traceback = _tracemalloc._get_object_traceback(block)
    return None if traceback is None else list(traceback)


class Pause:
    """Awaiting one gives control to whoever sent."""

    def __init__(self, seen):
        self.seen = seen

    def __await__(self):
        self.seen(bytearray(1))
        yield self.seen(bytearray(2))
        self.seen(bytearray(3))


class CaptureTest(unittest.TestCase):
    # Records that a test checks at least.
    at_least = 2
    checked = 0

    def setUp(self):
        was_tracing = tracemalloc.is_tracing()
        limit = tracemalloc.get_traceback_limit()
        tracemalloc.stop()
        if was_tracing:
            self.addCleanup(tracemalloc.start, limit)
        self.addCleanup(tracemalloc.stop)
        self.seen = Recorder()
        tracemalloc.start(ALL_FRAMES)

    def tearDown(self):
        self.check()
        self.assertGreaterEqual(self.checked, self.at_least)

    def check(self):
        """Compare everything recorded so far, and check the tracer's data."""
        wrong = self.seen.wrong()
        if wrong:
            seen, traced = wrong[0]
            self.fail(f"{len(wrong)} of {len(self.seen.records)} tracebacks "
                      f"are wrong; the first is\n{traced}\nbut should be\n"
                      f"{seen}")
        self.checked += len(self.seen.records)
        self.seen.records.clear()
        _tracemalloc._check()
        self.assertEqual(_tracemalloc._get_dropped(), 0)

    def run_source(self, source, file_name, **names):
        """Run *source* under a file name of its own; return its names."""
        scope = {"seen": self.seen, **names}
        exec(compile(textwrap.dedent(source), file_name, "exec"), scope)
        return scope
