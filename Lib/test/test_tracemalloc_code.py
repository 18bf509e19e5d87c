"""The same for code that is made, thrown away, and run by C or under tools.

Code objects, callbacks from C, debuggers, profilers and monitoring.
"""
import _imp
import contextlib
import ctypes
import functools
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import types
import unittest
import weakref
from test import support
from test.support import os_helper, threading_helper
from test.tracemalloc_recorder import WARM, CaptureTest, Pause, Recorder


class CodeTests(CaptureTest):
    def test_exec_eval_and_compile(self):
        for number in range(10):
            self.run_source("""\
                def inner(argument):
                    return seen(bytearray(argument))
                for argument in range(3):
                    inner(argument)
                    seen(bytearray(argument))
                    eval("seen(bytearray(2))")
                    eval(compile("\\n\\n[seen(bytearray(3)), inner(4)]", "inner:eval", "eval"))
                exec("seen(bytearray(1))\\nseen(bytearray(2))\\nclass C: seen(bytearray(3))")
                """, f"outer:{number % 4}")

    def test_class_bodies(self):
        class Meta(type):
            def __new__(meta, name, bases, namespace):
                self.seen(bytearray(1))
                return super().__new__(meta, name, bases, namespace)

            def __prepare__(*args):
                self.seen(bytearray(2))
                return {}

            def __call__(cls, *args):
                self.seen(bytearray(3))
                return super().__call__(*args)

        class Descriptor:
            def __set_name__(self_, owner, name):
                self.seen(bytearray(4))

            def __get__(self_, instance, owner):
                return self.seen(bytearray(5))

            def __set__(self_, instance, value):
                self.seen(bytearray(6))

        for _ in range(5):
            class Outer(metaclass=Meta):
                self.seen(bytearray(7))
                attribute = Descriptor()

                class Inner:
                    this = self
                    this.seen(bytearray(8))
                    [this_seen(bytearray(9)) for this_seen in [this.seen] * 2]

                def __init_subclass__(cls):
                    self.seen(bytearray(9))

            class Derived(Outer):
                self.seen(bytearray(8))

            for _ in range(WARM):
                instance = Derived()
                instance.attribute
                instance.attribute = Outer.attribute

    def test_specialised_calls(self):
        class Base:
            def __init__(self_, number):
                self_.number = number
                self_.made = self.seen(bytearray(number % 9))

            @property
            def computed(self_):
                return self.seen(bytearray(1))

            @computed.setter
            def computed(self_, value):
                self.seen(bytearray(2))

            def method(self_, *args):
                return self.seen(bytearray(3))

            @classmethod
            def of_class(cls):
                return cls(self.seen(bytearray(4))[0])

            @staticmethod
            def static():
                return self.seen(bytearray(5))

            def __getitem__(self_, key):
                return self.seen(bytearray(6))

            def __setitem__(self_, key, value):
                self.seen(bytearray(6))

            def __add__(self_, other):
                return self.seen(bytearray(7))

            def __lt__(self_, other):
                return self.seen(bytearray(8))

            def __bool__(self_):
                return bool(self.seen(bytearray(9)))

            def __contains__(self_, item):
                return self.seen(bytearray(9))

            def __call__(self_, *args, **kwargs):
                return self.seen(bytearray(10))

            def __iter__(self_):
                yield self.seen(bytearray(11))

            def __hash__(self_):
                return len(self.seen(bytearray(12)))

            def __eq__(self_, other):
                return not self.seen(bytearray(13))

            def __format__(self_, specification):
                return str(len(self.seen(bytearray(14))))

        class Derived(Base):
            def __init__(self_, number):
                super().__init__(number)
                self.seen(bytearray(1))

        class Intercepting:
            def __getattribute__(self_, name):
                return self.seen(bytearray(2))

        class Guessing:
            def __getattr__(self_, name):
                return self.seen(bytearray(3))

        for number in range(WARM):
            for cls in Base, Derived:
                instance = cls(number)
                instance.computed
                instance.computed = instance.method()
                instance.method(
                    *instance, instance[0])
                instance[1] = cls.of_class()
                instance.static()
                instance + instance
                instance < instance
                if instance or instance in instance:
                    instance(key=instance())
                {instance: instance}[instance]
                f"{instance} {instance:>3}"
                [first, *rest] = instance
            Intercepting().anything
            Guessing().anything

    def test_lines_far_apart(self):
        self.run_source(
            "def far():\n    seen(bytearray(1))\n" + "\n" * 70_000
            + "    seen(bytearray(2))\n    return seen(bytearray(3))\n"
            + "far()\nseen(bytearray(4))\n", "far apart")
        self.check()
        self.run_source("def near():\n    seen(bytearray(1))\n    x = 1\n"
                        + "    x = x, 1\n" * 300
                        + "    seen(bytearray(2))\nnear()\n"
                        + "\n" * 66_000 + "near()\n", "near")

    def test_long_functions(self):
        source = ("def long(x):\n" + "    x = x\n" * 40_000
                  + "    seen(bytearray(2))\nlong(1)\n")
        self.run_source(source, "long")

    def test_changed_copies_of_code(self):
        def original(depth):
            self.seen(bytearray(depth)) if depth == 0 else copy(depth - 1)
            self.seen(bytearray(depth))

        for number in range(6):
            changed = original.__code__.replace(
                co_filename=f"copy {number % 2}",
                co_firstlineno=1000 * number + 1)
            copy = types.FunctionType(changed, globals(), "copy", None,
                                      original.__closure__)
            original(3)
            copy(3)
            original.__code__, copy.__code__ = copy.__code__, original.__code__
            original(2)
            copy(2)

    def test_code_without_lines(self):
        def plain(number):
            return self.seen(bytearray(number))

        bare = plain.__code__.replace(co_linetable=b"")
        plain.__code__ = bare
        for number in range(WARM):
            plain(number)

    def test_file_name_changed_while_running(self):
        scope = self.run_source("""\
            def rename(depth):
                seen(bytearray(1))
                if depth:
                    rename(depth - 1)
                    seen(bytearray(2))
                    return
                seen(bytearray(3))
                change()
                seen(bytearray(4))
            def suspended():
                seen(bytearray(5))
                yield
                seen(bytearray(6))
                yield
            """, "first name", change=lambda: None)
        names = iter(f"name {number}" for number in range(100))

        def change():
            # What was recorded up to here was right then.
            self.check()
            self.seen(bytearray(1))
            old, new = scope["rename"].__code__, next(names)
            _imp._fix_co_filename(old, new)
            _imp._fix_co_filename(scope["suspended"].__code__, new)
            self.seen(bytearray(2))

        scope["change"] = change
        for depth in 0, 1, 5:
            generator = scope["suspended"]()
            next(generator)
            scope["rename"](depth)
            next(generator)
        self.assertEqual(scope["rename"].__code__.co_filename, "name 2")

    @unittest.skipIf(support.Py_GIL_DISABLED, "no code gets the place of one "
                     "that died just now")
    def test_code_born_where_an_equal_one_died(self):
        addresses = set()
        for number in range(300):
            scope = self.run_source("""\
                def inner(argument):
                    return seen(bytearray(argument))
                def generate():
                    yield seen(bytearray(5))
                inner(3)
                list(generate())
                """, f"generation {number}")
            addresses.add(id(scope["inner"].__code__))
            scope.clear()
        # Else the test proves nothing.
        self.assertLess(len(addresses), 300)
        self.assertEqual(
            len({seen[0][0] for _, seen in self.seen.records[::2]}), 300)


class CallbackTests(CaptureTest):
    def test_functions_called_from_c(self):
        def callback(*args):
            self.seen(bytearray(1))
            return self.seen(bytearray(len(args)))

        class Ordered:
            def __lt__(self_, other):
                return not callback(self_, other)

        for _ in range(3):
            sorted(range(20), key=callback)
            sorted([Ordered() for _ in range(9)])
            list(map(callback, range(20), range(20)))
            list(filter(callback, range(5)))
            max(range(5), key=callback)
            functools.reduce(callback, range(5))
            functools.partial(callback, 1)(2)
            functools.partial(functools.partial(map, callback),
                              range(3))().__next__()
            re.sub("a", lambda match: str(callback(match)), "banana")
            next(iter(callback, 0))
            type("Dynamic", (), {"__init__": callback})
            callback(*map(callback, (number for number in (callback(), 2))))

    def test_ctypes_callbacks(self):
        prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)

        @prototype
        def callback(depth):
            self.seen(bytearray(depth))
            return (callback(depth - 1) if depth
                    else len(self.seen(bytearray(1))))

        for _ in range(5):
            callback(6)
            self.seen(bytearray(2))

    def test_destructors_and_finalizers(self):
        class Noisy:
            def __init__(self_, next=None):
                self_.next = next

            def __del__(self_):
                self.seen(bytearray(1))

        def make():
            chain = None
            for _ in range(5):
                chain = Noisy(chain)
            return chain

        for _ in range(WARM):
            make()
            noisy = make(); noisy = Noisy(); del noisy
            [Noisy() for _ in range(3)]
            weak = set()
            weakly = weakref.ref(weak,
                                 lambda reference: self.seen(bytearray(2)))
            del weak
            cycle = Noisy()
            cycle.next = cycle
        del cycle
        gc.collect()

    def test_collector_callbacks(self):
        def callback(phase, info):
            self.seen(bytearray(1))

        gc.callbacks.append(callback)
        try:
            gc.collect()
            (gc.
             collect())
        finally:
            gc.callbacks.remove(callback)

    @unittest.skipUnless(hasattr(signal, "raise_signal"),
                         "needs raise_signal()")
    def test_signal_handlers(self):
        if threading.current_thread() is not threading.main_thread():
            self.skipTest("only the main thread handles signals")
        old = signal.signal(signal.SIGINT,
                            lambda *args: self.seen(bytearray(1)))

        def generate():
            signal.raise_signal(signal.SIGINT)
            yield
            for _ in range(3):
                signal.raise_signal(signal.SIGINT)

        try:
            for _ in range(5):
                list(generate())
                signal.raise_signal(signal.SIGINT)
        finally:
            signal.signal(signal.SIGINT, old)

    def test_with_statements_and_exceptions(self):
        @contextlib.contextmanager
        def managed(depth):
            self.seen(bytearray(1))
            try:
                yield self.seen(bytearray(2))
            except ValueError:
                self.seen(bytearray(3))
            finally:
                self.seen(bytearray(4))

        def fail(depth):
            with managed(depth), managed(depth):
                if depth:
                    fail(depth - 1)
                try:
                    raise KeyError(self.seen(bytearray(5)))
                except* KeyError:
                    self.seen(bytearray(6))
                finally:
                    self.seen(bytearray(7))
                raise ValueError(self.seen(bytearray(8)))
            self.seen(bytearray(9))

        for depth in 0, 1, 6:
            fail(depth)

    def test_frames_that_outlive_their_calls(self):
        kept = []

        def leave(depth):
            kept.append(sys._getframe())
            self.seen(bytearray(depth))
            if depth:
                leave(depth - 1)
            self.seen(bytearray(depth))

        def raising(depth):
            self.seen(bytearray(depth))
            if depth == 0:
                1 / 0
            raising(depth - 1)

        for _ in range(5):
            leave(6)
            try:
                raising(6)
            except ZeroDivisionError as error:
                kept.append(error)
            self.seen(bytearray(1))
            for frame in kept:
                if isinstance(frame, types.FrameType):
                    frame.f_locals
                    if frame.f_code is leave.__code__:
                        frame.clear()
            leave(3)
            kept.clear()
            leave(6)


# An extension that evaluates frames, after a careless one's copy of CPython's
# code left in each frame's mark what was there before: the worst that could
# be.
CARELESS = """
extern void *_PyEval_EvalFrameDefault(void *thread, char *frame, int throwing);
void *evaluate(void *thread, char *frame, int throwing)
{
    frame[%d] = 1;
    return _PyEval_EvalFrameDefault(thread, frame, throwing);
}
"""
# Behind eight pointers, an int, a short and `owner`.
MARK_OFFSET = 71


class CarelessExtensionTests(CaptureTest):
    at_least = 4 * WARM

    def compiled(self):
        """Return the address of evaluate()."""
        compiler = (sysconfig.get_config_var("CC") or "cc").split()
        if sys.platform != "linux" or not shutil.which(compiler[0]):
            self.skipTest("no C compiler is here")
        folder = self.enterContext(os_helper.temp_dir())
        library = os.path.join(folder, "careless.so")
        subprocess.run([*compiler, "-shared", "-fPIC", "-x", "c", "-o",
                        library, "-"],
                       input=CARELESS % MARK_OFFSET, text=True, check=True)
        return ctypes.cast(ctypes.PyDLL(library).evaluate, ctypes.c_void_p)

    def test_marks_that_memory_had_before_count_for_nothing(self):
        set_evaluator = ctypes.pythonapi._PyInterpreterState_SetEvalFrameFunc
        set_evaluator.argtypes = ctypes.c_void_p, ctypes.c_void_p
        get_interpreter = ctypes.pythonapi.PyInterpreterState_Get
        get_interpreter.restype = ctypes.c_void_p
        interpreter = get_interpreter()
        careful = ctypes.cast(ctypes.pythonapi._PyEval_EvalFrameDefault,
                              ctypes.c_void_p)

        def leaf():
            self.seen(bytearray(5))

        # Frames of one size: each lies where the other one's was.
        def one():
            leaf()

        def two():
            leaf()

        set_evaluator(interpreter, self.compiled())
        try:
            for _ in range(WARM):
                one()
                two()
                [two() for _ in range(2)]
                leaf()
        finally:
            set_evaluator(interpreter, careful)


class TracingToolTests(CaptureTest):
    def program(self, depth):
        """Do a bit of everything that is traced."""
        def generate():
            received = yield self.seen(bytearray(1))
            try:
                yield self.seen(bytearray(2))
            except ValueError:
                yield self.seen(bytearray(3))

        async def coroutine():
            await Pause(self.seen)

        self.seen(bytearray(1))
        generator = generate()
        next(generator)
        generator.send(1)
        generator.throw(ValueError)
        generator.close()
        for _ in generate():
            self.seen(bytearray(4))
        sorted(range(3), key=lambda number: self.seen(bytearray(number)))
        awaited = coroutine()
        awaited.send(None)
        awaited.close()
        if depth:
            self.program(depth - 1)
        try:
            raise KeyError
        except KeyError:
            self.seen(bytearray(5))
        return self.seen(bytearray(6))

    def callback(self, *args):
        # Its own frames are not traced by the tools.
        self.seen(bytearray(len(args)))

    def test_settrace(self):
        def tracer(frame, event, argument):
            if frame.f_code is not Recorder.__call__.__code__:
                frame.f_trace_opcodes = opcodes
                self.callback(event)
            return tracer

        self.at_least = 1000
        old = sys.gettrace()
        try:
            for opcodes in False, True:
                sys.settrace(tracer)
                self.program(1 - opcodes)
                sys.settrace(old)
        finally:
            sys.settrace(old)
        self.program(1)

    def test_setprofile(self):
        old = sys.getprofile()
        sys.setprofile(lambda frame, event, argument: self.callback(event))
        try:
            self.program(2)
        finally:
            sys.setprofile(old)
        self.program(2)

    def test_monitoring(self):
        monitoring = sys.monitoring
        tool = next((tool for tool in range(5, -1, -1)
                     if monitoring.get_tool(tool) is None), None)
        if tool is None:
            self.skipTest("every monitoring tool is in use")
        names = ["PY_START", "PY_RESUME", "PY_RETURN", "PY_YIELD", "PY_THROW",
                 "PY_UNWIND", "CALL", "C_RETURN", "LINE", "INSTRUCTION",
                 "JUMP", "BRANCH", "RAISE", "RERAISE", "EXCEPTION_HANDLED",
                 "STOP_ITERATION"]
        events = [getattr(monitoring.events, name) for name in names]
        self.at_least = 1000
        monitoring.use_tool_id(tool, "test_tracemalloc_capture")
        busy = False

        def callback(*args):
            nonlocal busy
            if not busy:
                busy = True
                self.callback(*args)
                busy = False

        try:
            for event in events:
                monitoring.register_callback(tool, event, callback)
            wanted = 0
            for event in events:
                if event != monitoring.events.C_RETURN:
                    monitoring.set_events(tool, event)
                    self.program(0)
                    wanted |= event
            monitoring.set_events(tool,
                                  wanted & ~monitoring.events.INSTRUCTION)
            self.program(1)

            # Code that gets instrumented, and rid of it, while it runs.
            for number in range(4):
                monitoring.set_events(tool, wanted if number % 2 else 0)
                self.seen(bytearray(number))
                self.program(0)
        finally:
            monitoring.set_events(tool, 0)
            for event in events:
                monitoring.register_callback(tool, event, None)
            monitoring.free_tool_id(tool)
        self.program(1)

    def test_jumps(self):
        def jumping():
            self.seen(bytearray(1))
            number = 0 
            self.seen(bytearray(2))
            self.seen(bytearray(3))
            number += 1
            self.seen(bytearray(4))
            return number

        start = jumping.__code__.co_firstlineno + 2
        target = start + 3

        def jump(frame, depth):
            self.seen(bytearray(5))
            if depth:
                return jump(frame, depth - 1)
            self.seen(bytearray(6))
            frame.f_lineno = target
            self.seen(bytearray(7))

        def tracer(frame, event, argument):
            if frame.f_code is not jumping.__code__:
                return None
            self.seen(bytearray(8))
            if event == "line" and frame.f_lineno == start:
                jump(frame, 4)
                self.seen(bytearray(9))
            return tracer

        old = sys.gettrace()
        for _ in range(3):
            sys.settrace(tracer)
            try:
                # The assignment was jumped over, and left None there.
                with self.assertWarns(RuntimeWarning):
                    self.assertRaises(TypeError, jumping)
            finally:
                sys.settrace(old)
            self.assertEqual(jumping(), 1)

    @threading_helper.requires_working_threading()
    def test_jumps_of_another_threads_frame(self):
        waiting, jumped = threading.Event(), threading.Event()
        frames = []

        def jumping():
            self.seen(bytearray(1))
            self.seen(bytearray(2))
            self.seen(bytearray(3))

        start = jumping.__code__.co_firstlineno + 2

        def wait(depth):
            self.seen(bytearray(4))
            if depth:
                wait(depth - 1)
            else:
                waiting.set()
                jumped.wait(support.LONG_TIMEOUT)
            self.seen(bytearray(5))

        def wait_at_start(frame, event, argument):
            if frame.f_code is jumping.__code__:
                if event == "line" and frame.f_lineno == start and not frames:
                    frames.append(frame)
                    wait(4)
                return wait_at_start

        def jump_there(frame, event, argument):
            if event == "line":
                frames[0].f_lineno = start + 1
            return jump_there

        def jumper():
            return None

        def run():
            sys.settrace(wait_at_start)
            jumping()

        thread = threading.Thread(target=run)
        thread.start()
        old = sys.gettrace()
        try:
            self.assertTrue(waiting.wait(support.LONG_TIMEOUT))
            sys.settrace(jump_there)
            jumper()
        finally:
            sys.settrace(old)
            jumped.set()
            thread.join()
        # The second line was jumped over.
        lines = [stack[0][1]
                 for block, stack in self.seen.records if len(block) in (1, 2)]
        self.assertEqual(lines, [start - 1])


if __name__ == "__main__":
    unittest.main()
