"""Frames that are looked at, cleared, traced, and moved by debuggers."""
import sys

from kit import state
from kit.generators import look_at_frame
from kit.greenlets import in_greenlet
from kit.state import calmly, spent

__all__ = ["clear_frame", "hold_frames", "monitored", "profiled",
           "read_frames", "rename", "swap_code", "traced"]

HELD = 8
EVENTS = 60                 # that a tracing function sees before it goes
# CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR
GENERATORS = 0x20 | 0x80 | 0x200
TOOL = 3                    # our number for sys.monitoring

_held = [None] * HELD


def hold_frames(number):
    """Let some frames of the stack outlive their calls.

    Not in a greenlet: one that goes when its thread has ended, or is not there
    any more in a child of fork, frees its frames whoever has them, with and
    without a tracer.
    """
    if in_greenlet():
        return
    frame = sys._getframe(1)
    while frame is not None and number > 0:
        _held[number % HELD] = frame
        frame, number = frame.f_back, number - 3


def clear_frame(number):
    frame = _held[number % HELD]
    if frame is not None:
        try:
            frame.clear()
        except RuntimeError:
            pass                        # it is executing


def read_frames():
    """All that can be asked of frames, dead and alive.

    Not sys._current_frames(): that of the untouched CPython makes objects for
    the frames of other interpreters, which these then free in their own heaps.
    """
    for frame in _held:
        if frame is not None:
            look_at_frame(frame)


def _jump(frame, line):
    """Go on at some line, if the function is the program's own.

    Only the frame whose line event it is: the interpreter lets a debugger move
    one that has called others as well, but goes on in the middle of an
    instruction then, tracing or not.  Nor back to the first line of a
    generator, where the interpreter makes the generator once more, of itself,
    and breaks the assertion frame->frame_obj == NULL.
    """
    code = frame.f_code
    if code.co_filename == state.program and code.co_name != "<module>":
        lines = {row[2] for row in code.co_lines() if row[2]}
        if code.co_flags & GENERATORS:
            lines.discard(code.co_firstlineno)
        try:
            frame.f_lineno = sorted(lines)[line % len(lines)]
        except (ValueError, ZeroDivisionError):
            pass                        # no way from here, or nowhere to go


def traced(f, g, every, line=None):
    """Run f under a tracing function that calls g, or jumps, now and then."""
    left = EVENTS

    def trace(frame, event, arg):
        nonlocal left
        left -= 1
        if left < 0:
            sys.settrace(None)
            return None
        frame.f_trace_opcodes = every % 3 == 0
        if left % every == 0 and not spent():
            # A jump back may pass what costs much, again and again.
            if line is not None and event == "line":
                _jump(frame, line + left)
            else:
                g()
        return trace

    sys.settrace(trace)
    try:
        return f()
    finally:
        sys.settrace(None)


def profiled(f, g, every):
    left = EVENTS

    def profile(frame, event, arg):
        nonlocal left
        left -= 1
        if left < 0:
            sys.setprofile(None)
        elif left % every == 0 and not spent():
            g()

    sys.setprofile(profile)
    try:
        return f()
    finally:
        sys.setprofile(None)


def monitored(f, g, every):
    """Run f with every event of sys.monitoring reported to somebody
    who calls g.
    """
    monitoring = sys.monitoring
    if monitoring.get_tool(TOOL) is not None:
        return f()                      # events are the interpreter's
    left, inside, calm = EVENTS, False, calmly(g)

    def callback(*args):
        nonlocal left, inside
        left -= 1
        if left < 0:
            monitoring.set_events(TOOL, 0)
        elif left % every == 0 and not inside:
            inside = True
            calm()
            inside = False
        if left % 11 == 5:
            return monitoring.DISABLE

    monitoring.use_tool_id(TOOL, "torture")
    try:
        monitoring.set_events(TOOL, _register(callback, every))
        return f()
    finally:
        monitoring.set_events(TOOL, 0)
        monitoring.free_tool_id(TOOL)


def _register(callback, every):
    """Report three kinds of events of four; return which."""
    monitoring, chosen = sys.monitoring, 0
    for name in ("PY_START", "PY_RESUME", "PY_YIELD", "PY_RETURN", "PY_THROW",
                 "PY_UNWIND", "RAISE", "CALL", "LINE", "INSTRUCTION", "BRANCH",
                 "JUMP", "STOP_ITERATION", "RERAISE", "EXCEPTION_HANDLED"):
        if len(name) % 4 != every % 4:
            event = getattr(monitoring.events, name)
            monitoring.register_callback(TOOL, event, callback)
            chosen |= event
    return chosen


def swap_code(f, g):
    """Give a function the code of another, while either may be running."""
    f.__code__, g.__code__ = g.__code__, f.__code__


def rename(f, number):
    """The same code under another name, in another file, at another line."""
    f.__code__ = f.__code__.replace(
        co_filename=state.program if number % 2 else f"renamed{number % 5}",
        co_firstlineno=number * 100, co_qualname=f"renamed{number % 3}")
