"""Ways into a function from C: callbacks, special methods, hooks."""
import functools
import itertools
import operator
import sys

from kit.state import calmly, keep, quiet, spent
from kit.tracer import in_account, of_account

try:
    import _testcapi
except ImportError:
    _testcapi = None
try:
    import _evaluator                   # ../evaluator.c
except ImportError:
    _evaluator = None

_numbers = itertools.count(1)           # threads get different ones


def by_call(f):
    return f(1)


def by_operator(f):
    return operator.call(f, 2)


def by_map(f):
    return list(map(f, range(3)))


def by_sort(f):
    return sorted(range(4), key=f)


def by_less(f):
    class Ordered:
        def __lt__(self, other):
            f()
            return False

    return sorted([Ordered(), Ordered(), Ordered()])


def by_reduce(f):
    return functools.reduce(f, range(4))


def by_filter(f):
    return list(filter(f, range(3)))


def by_max(f):
    return max(range(3), key=f)


def by_partial(f):
    return functools.partial(functools.partial(f, 1), 2)()


def by_cache(f):
    return functools.lru_cache(maxsize=2)(f)(3)


def by_iterator(f):
    """iter(callable, sentinel), drained by C."""
    rest = iter([0, 0, 1])

    def read():
        f()
        return next(rest)

    return list(iter(read, 1))


def by_unpack(f):
    a, b = (f(number) for number in range(2))
    return a, b


def by_join(f):
    return "".join(str(f(number)) for number in range(3))


def by_hash(f):
    class Hashed:
        def __hash__(self):
            f()
            return 1

        def __eq__(self, other):
            f()
            return False

    return {Hashed(): 1, Hashed(): 2}


def by_missing(f):
    class Missing(dict):
        __missing__ = f

    return Missing()["key"]


def by_getattr(f):
    class Having:
        @property
        def one(self):
            return f()

        def __getattr__(self, name):
            return f()

    having = Having()
    return having.one, having.two, getattr(having, "three")


def by_descriptor(f):
    class Named:
        def __set_name__(self, owner, name):
            f()

        def __get__(self, instance, owner):
            return f()

    class Base:
        def __init_subclass__(cls):
            f()

    return type("Owner", (Base,), {"named": Named()}).named


def by_metaclass(f):
    class Meta(type):
        @classmethod
        def __prepare__(cls, name, bases):
            f()
            return {}

        def __new__(cls, *args):
            f()
            return super().__new__(cls, *args)

        def __call__(cls):
            f()
            return super().__call__()

    class Made(metaclass=Meta):
        keep(bytearray(5))

    return Made()


def by_operators(f):
    class Number:
        def __add__(self, other):
            return f() or 1

        __radd__ = __getitem__ = __contains__ = __add__

        def __bool__(self):
            f()
            return True

        def __index__(self):
            f()
            return 1

        def __len__(self):
            f()
            return 3

    number = Number()
    return (number + 1, 1 + number, number[0], 2 in number, bool(number),
            [1, 2][number], len(number), list(reversed(number)))


def by_format(f):
    class Shown:
        def __format__(self, spec):
            f()
            return "shown"

        __repr__ = __str__ = lambda self: f() and "" or "shown"

    return f"{Shown()!r:>9}{Shown()}" + "%s" % Shown()


def by_with(f):
    class Managed:
        def __enter__(self):
            f()

        def __exit__(self, *error):
            f()
            return True

    with Managed():
        raise KeyError


def by_del(f):
    class Dying:
        def __del__(self):
            f()

    dying = Dying()
    del dying
    return Dying() and None


def by_cycle(f):
    """A destructor that the garbage collector calls, some time."""
    class Cycle:
        def __init__(self):
            self.me = self

        def __del__(self):
            f()

    for _ in range(3):
        Cycle()


def by_collect(f):
    import gc
    by_cycle(f)
    gc.collect()


def by_gc_callback(f):
    import gc

    callback = calmly(f)
    gc.callbacks.append(callback)
    try:
        gc.collect(0)
    finally:
        gc.callbacks.remove(callback)


def by_weakref(f):
    import weakref

    class Target:
        pass

    target = Target()
    keep(weakref.ref(target, f))
    weakref.finalize(target, f)
    del target


def by_json(f):
    import json
    return json.loads('[{"a": [1, 2]}, {"b": 1.5}]', object_hook=f,
                      parse_float=f)


def by_regular_expression(f):
    import re

    def replace(match):
        f()
        return "bb"

    return re.sub("a", replace, "xaxaxa")


def by_codec(f):
    import codecs

    def handle(error):
        f()
        return "?", error.end

    codecs.register_error("torture", handle)
    return ("a\udc80b".encode("utf-8", "torture"),
            b"a\xffb".decode("utf-8", "torture"))


def by_context(f):
    import contextvars
    variable = contextvars.ContextVar("torture")
    context = contextvars.copy_context()
    context.run(variable.set, 1)
    return context.run(f)


def by_ctypes(f):
    import ctypes
    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(
        lambda n: bool(f(n)))
    return callback(1)


def by_c_library(f):
    """qsort() of the C library, with its frames between ours."""
    import ctypes
    pointer = ctypes.POINTER(ctypes.c_int)
    compare = ctypes.CFUNCTYPE(ctypes.c_int, pointer, pointer)(
        lambda a, b: (f(1), a[0] - b[0])[1])
    numbers = (ctypes.c_int * 4)(3, 1, 2, 0)
    sort = ctypes.CDLL(None).qsort
    sort.restype = None
    sort(numbers, 4, ctypes.sizeof(ctypes.c_int), compare)
    return list(numbers)


def by_sqlite(f):
    import sqlite3
    database = sqlite3.connect(":memory:", check_same_thread=False)
    try:
        database.create_function("f", 1, lambda n: bool(f(n)))
        database.set_trace_callback(f)
        return database.execute("select f(1), f(2)").fetchall()
    finally:
        database.close()


def by_expat(f):
    from xml.parsers import expat
    parser = expat.ParserCreate()
    parser.StartElementHandler = f
    parser.CharacterDataHandler = f
    parser.Parse(b"<a><b>text</b></a>", True)


def by_audit(f):
    """Audit hooks stay for good: one for all, which calls whom it is told to.
    """
    if not _audited:
        sys.addaudithook(_audit)
        _audited.append(None)
    _audited[0] = f
    try:
        sys.audit("torture", 1)
        compile("1", "audited", "eval")
    finally:
        _audited[0] = None


_audited = []


def _audit(event, args):
    f = _audited[0] if _audited else None
    if f is not None:
        _audited[0] = None              # what f does is audited, too
        f()


def by_import(f):
    """Through a finder.

    No import statement: one may run destructors with the lock of all imports
    held, and who waits for another thread there waits for ever.
    """
    import importlib.util
    wanted = f"torture_missing{next(_numbers)}"

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == wanted:
                f()

    sys.meta_path.insert(0, Finder)
    try:
        importlib.util.find_spec(wanted)
    finally:
        sys.meta_path.remove(Finder)


def by_exec(f):
    exec(compile("f()\nclass C:\n  f()\n  x = [f() for _ in 'ab']", "executed",
                 "exec"),
         {"f": f})


def by_eval(f):
    return eval("f() or [f(n) for n in range(2)]", {"f": f})


def by_fresh_code(f):
    """Code that nobody has seen before, and that is gone afterwards."""
    number, names = next(_numbers), {"f": f, "keep": keep}
    text = ("\n" * (number % 9)
            + "def fresh(n):\n  keep(bytearray(n))\n  return f(n)\n")
    exec(compile(text, f"fresh{number % 20}", "exec"), names)
    return names["fresh"](number)


def by_odd_code(f):
    """The same function with other names, lines and tables of lines."""
    def odd(number):
        keep(bytearray(3))
        return f(number)

    number = next(_numbers)
    changes = [{"co_filename": f"odd{number % 3}"},
               {"co_firstlineno": 1 << 30},
               {"co_linetable": b""}, {"co_qualname": "\udc80.odd"},
               {"co_firstlineno": 70000, "co_filename": "\U0001f40d" * 40},
               {"co_linetable": odd.__code__.co_linetable[:-3]}]
    odd.__code__ = odd.__code__.replace(**changes[number % len(changes)])
    return odd(1)


def by_recursion(f, depth=40):
    return by_recursion(f, depth - 1) if depth else f()


def by_chain(f):
    """Generators that delegate, forty deep."""
    def link(depth):
        if depth:
            yield from link(depth - 1)
        else:
            yield f()
            yield f()

    return list(link(40))


def by_limit(f):
    """At the end of the recursion limit, and back."""
    def descend():
        if not spent():
            f()
        descend()

    limit = sys.getrecursionlimit()
    frame, depth = sys._getframe(), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    try:
        sys.setrecursionlimit(depth + 60)
        descend()
    except RecursionError:
        f()
    finally:
        sys.setrecursionlimit(limit)


def by_hooks(f):
    """What the interpreter calls when nobody is left to raise to."""
    def hook(*args):
        sys.unraisablehook = quiet
        f()

    class Bad:
        def __del__(self):
            raise KeyError

    sys.unraisablehook = hook
    Bad()
    sys.unraisablehook = quiet


def by_signal(f):
    """A handler that runs between two instructions of the main thread."""
    import signal

    def handler(number, frame):
        f()

    old = signal.signal(signal.SIGUSR1, handler)
    try:
        signal.raise_signal(signal.SIGUSR1)
        keep(bytearray(6))
    finally:
        signal.signal(signal.SIGUSR1, old)


def by_timer(f):
    """A handler that runs wherever the main thread is then."""
    import signal

    signal.signal(signal.SIGALRM, calmly(f))
    signal.setitimer(signal.ITIMER_REAL, 0.0002)


def by_pending(f):
    if _testcapi is not None:
        _testcapi._pending_threadfunc(calmly(f))


def by_c_thread(f):
    """A thread that Python did not start, without a frame below."""
    global _c_thread
    if _testcapi is not None and not _c_thread:
        # It has one static structure for all that it does.
        _c_thread = True
        try:
            _testcapi.call_in_temporary_c_thread(f)
        finally:
            _c_thread = False


_c_thread = False


def by_eval_frame(f):
    """Frames evaluated by somebody else's function (PEP 523)."""
    if _evaluator is None:
        return f()
    _evaluator.set()
    try:
        return f()
    finally:
        _evaluator.reset()


def by_eval_frame_left(f):
    """Set back while frames that it evaluates are still running."""
    if _evaluator is not None:
        _evaluator.set()

        def leave():
            f()
            _evaluator.reset()
            return f()

        return leave()


def eval_frame_reset():
    """For the end of an interpreter: greenlets may never have come back."""
    if _evaluator is not None:
        _evaluator.reset()


def by_atexit(f):
    import atexit
    atexit.register(f)
    atexit.unregister(f)
    atexit.register(f)


def by_asyncio(f):
    import asyncio

    async def child(number):
        f()
        await asyncio.sleep(0)
        return f()

    async def parent():
        await asyncio.gather(child(1), child(2))

    asyncio.run(parent())


def by_account(f):
    """In an account, and in one that another context was left in."""
    import contextvars

    return (in_account(f, next(_numbers)),
            in_account(contextvars.copy_context, 1).run(f),
            of_account(f, next(_numbers))(1))


def by_account_tasks(f):
    """In accounts that take turns."""
    import asyncio

    async def child(number):
        f()
        await asyncio.sleep(0)
        return in_account(f, number)

    async def parent():
        await asyncio.gather(of_account(child, 1)(2), of_account(child, 3)(4))

    asyncio.run(parent())


# Imported when a program begins: who waits for a thread inside of a callback
# may hold the lock of a module that the thread wants to import.
MODULES = {
    "by_account": "contextvars inspect tracemalloc._account",
    "by_account_tasks": "asyncio inspect tracemalloc._account",
    "enter_account": "tracemalloc._account",
    "in_account": "tracemalloc._account",
    "of_account": "inspect tracemalloc._account",
    "trace_accounts": "tracemalloc._account",
    "by_asyncio": "asyncio", "by_atexit": "atexit", "by_c_library": "ctypes",
    "by_codec": "codecs", "by_context": "contextvars", "by_ctypes": "ctypes",
    "by_expat": "xml.parsers.expat", "by_import": "importlib.util",
    "by_json": "json", "by_regular_expression": "re", "by_signal": "signal",
    "by_sqlite": "sqlite3", "by_timer": "signal", "by_weakref": "weakref",
    "trace_filters": "pytracemalloc", "trace_snapshot": "tracemalloc",
    "trace_region": "tracemalloc._region", "trace_report": "tracemalloc",
    "trace_task": "pytracemalloc", "work": "zlib",
}

WAYS = sorted(name for name in globals() if name.startswith("by_"))
__all__ = [*WAYS, "eval_frame_reset"]
