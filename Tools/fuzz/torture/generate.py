"""Writes hostile programs: the same one for a number each time.

A program is Python text that imports the package kit:

    functions   f0, f1, ... (plain), g0, ... (generators), c0, ... (coroutines)
                and a0, ... (asynchronous generators), which call each other in
                every way that kit knows
    steps       what the main thread does with them, one after the other
    the end     everything comes to rest, and kit checks what must hold then

Every statement is a node with a number.  A program can be rendered without
some of them, which is how it is reduced; so no statement may depend on another
one for more than what an exception says.
"""
import hashlib
import random
import re

from kit.calls import MODULES, WAYS

# Whoever changes what a seed makes raises this; programs that are found name
# it.
GENERATION = 2

LETTERS = "nnnssctkfrx"
ANY, PLAIN, GENERATOR, COROUTINE, ASYNC_GENERATOR = "any", "f", "g", "c", "a"
# What stands in a class statement, and at the top, is in no function.
BODY, STEP = "body", "step"

# (weight, kind of function, text).  {f}, {g}, {c}, {a} and {x} are functions,
# {n} is a number, {k} a small one, {script} what kit.generators knows, {way}
# one of kit.calls.
SIMPLE = [
    (6, ANY, "keep(bytearray({n}))"),
    (3, ANY, "keep([{n}] * {n})"),
    (2, ANY, "keep({{number: str(number) for number in range({k})}})"),
    (2, ANY, "keep(lambda: {f}())"),
    (1, ANY, "keep('\\u0416' * {n})"),
    (3, ANY, "grow({n})"),
    (3, ANY, "drop({n})"),
    (6, ANY, "look(bytearray({n}))"),
    (2, ANY, "look([{n}])"),
    (2, ANY, "look({{{n}: {k}}})"),
    (1, ANY, "look(float({n}))"),
    (1, ANY, "look((object(), {n}))"),
    (1, ANY, "[look(bytearray(number)) for number in range({k})]"),
    (20, ANY, "{way}({f})"),
    (4, ANY, "keep({f}({n}))"),
    (2, ANY, "keep(list({f}(number) for number in range({k})))"),
    (4, ANY, "park({k}, {x}({n}))"),
    (5, ANY, "drive({x}({n}), '{script}')"),
    (3, ANY, "drive_from_c({x}({n}), '{script}')"),
    (5, ANY, "resume({k}, '{script}')"),
    (4, ANY, "resume_from_c({k}, '{script}')"),
    (2, ANY, "[item for item, _ in zip({g}({n}), range({k}))]"),
    (1, ANY, "drop(unpark({k}) is None)"),
    (2, ANY, "hold_frames({n})"),
    (2, ANY, "clear_frame({n})"),
    (1, ANY, "read_frames()"),
    (3, ANY, "traced({f}, {f}, {k})"),
    (2, ANY, "traced({f}, {f}, {k}, {n})"),
    (2, ANY, "profiled({f}, {f}, {k})"),
    (3, ANY, "monitored({f}, {f}, {k})"),
    (1, ANY, "swap_code({f}, {f})"),
    (1, ANY, "rename({f}, {n})"),
    (3, ANY, "spawn({f})"),
    (2, ANY, "spawn_drive({k}, '{script}')"),
    (3, ANY, "spawn_from_c({k}, '{script}')"),
    (3, ANY, "spawn_calls({x}({n}), 'sss{script}')"),
    (2, ANY, "spawn_calls(delegating({g}({n})), 's{script}t{script}')"),
    (2, ANY, "park({k}, delegating({g}({n})))"),
    (1, ANY, "work({n})"),
    (2, ANY, "greenlet_new({k}, {f})"),
    (3, ANY, "greenlet_away()"),
    (3, ANY, "greenlet_switch({k})"),
    (1, ANY, "greenlet_throw({k})"),
    (1, ANY, "greenlet_drop({k})"),
    (2, ANY, "in_account({f}, {n})"),
    (2, ANY, "park({k}, of_account({x}, {n})({n}))"),
    (2, ANY, "drive(of_account({x}, {n})({n}), '{script}')"),
    (2, ANY, "spawn_calls(of_account({x}, {n})({n}), 'sss{script}')"),
    (2, ANY, "enter_account({n})"),
    (2, ANY, "leave_account()"),
    (1, ANY, "trace_accounts()"),
    (2, ANY, "trace_start({n})"),
    (1, ANY, "trace_stop()"),
    (2, ANY, "trace_off_and_on({n})"),
    (3, ANY, "trace_clear()"),
    (3, ANY, "trace_peak()"),
    (2, ANY, "trace_check()"),
    (1, ANY, "trace_rows({n})"),
    (1, ANY, "trace_snapshot({n})"),
    (1, ANY, "trace_report({n})"),
    (1, ANY, "trace_object(keep(bytearray({n})))"),
    (1, ANY, "trace_seed({n})"),
    (1, ANY, "trace_limit({k})"),
    (1, ANY, "trace_filters({n})"),
    (1, ANY, "trace_alarm({f})"),
    (1, ANY, "trace_task({f})"),
    (2, ANY, "trace_region({f})"),
    (1, ANY, "trace_track({n})"),
    (1, ANY, "trace_untrack({n})"),
    (2, PLAIN, "if args == ({k},): raise Oops"),
    (1, PLAIN, "if args == ({k},): return {n}"),
    (24, GENERATOR, "yield {n}"),
    (24, GENERATOR, "yield from {g}({n})"),
    (12, GENERATOR, "yield from pooled({k})"),
    (6, GENERATOR, "keep((yield {n}))"),
    (1, GENERATOR, "if args == ({n},): return {n}"),
    (1, GENERATOR, "if {k} < 3: raise Oops"),
    (24, COROUTINE, "await pause()"),
    (24, COROUTINE, "await {c}({n})"),
    (12, COROUTINE, "await pooled({k})"),
    (1, COROUTINE, "if args == ({n},): return {n}"),
    (1, COROUTINE, "if {k} < 3: raise Oops"),
    (6, COROUTINE, "[item async for item in limited({a}({n}), {k})]"),
    (24, ASYNC_GENERATOR, "yield {n}"),
    (12, ASYNC_GENERATOR, "await pause()"),
    (12, ASYNC_GENERATOR, "await {c}({n})"),
    (6, ASYNC_GENERATOR, "await pooled({k})"),
    (1, ASYNC_GENERATOR, "if {k} < 3: raise Oops"),
    (6, STEP, "join_all()"),
    (3, STEP, "interpreter_new({n})"),
    (6, STEP, "interpreter_run({n}, '{f}')"),
    (3, STEP, "interpreter_thread({n}, '{f}')"),
    (1, STEP, "interpreter_end({n})"),
    (3, STEP, "forked({f})"),
]

# (weight, kind, lines that a body follows).
COMPOUND = [
    (6, ANY, ["try:", "except Exception:"]),
    (3, ANY, ["try:", "finally:"]),
    (2, ANY, ["try:", "except (Oops, KeyError):", "else:", "finally:"]),
    (3, ANY, ["for _ in range({k}):"]),
    (1, ANY, ["class Body:"]),
    (2, GENERATOR, ["try:", "except GeneratorExit:"]),
    (2, GENERATOR, ["for _ in {g}({n}):"]),
    (3, COROUTINE, ["async for _ in limited({a}({n}), {k}):"]),
    (2, COROUTINE, ["async with Managed({c}):"]),
    (3, ASYNC_GENERATOR, ["async for _ in limited({a}({n}), {k}):"]),
    (2, ASYNC_GENERATOR, ["async with Managed({c}):"]),
    (2, ASYNC_GENERATOR, ["try:", "except GeneratorExit:"]),
]

HEADS = {PLAIN: "def {name}(*args):", GENERATOR: "def {name}(*args):",
         COROUTINE: "async def {name}(*args):",
         ASYNC_GENERATOR: "async def {name}(*args):"}


class Node:
    """A statement: lines, each with the nodes of its body, or None."""

    __slots__ = ("number", "parts")

    def __init__(self, number, parts):
        self.number = number
        self.parts = parts

    def lines(self, without, indent=""):
        for line, body in self.parts:
            yield indent + line
            if body is not None:
                rest = [node for node in body if node.number not in without]
                for node in rest:
                    yield from node.lines(without, indent + "    ")
                if not rest:
                    yield indent + "    pass"

    def numbers(self):
        """Its own number and those inside."""
        yield self.number
        for _, body in self.parts:
            for node in body or ():
                yield from node.numbers()


class Program:
    """What a seed makes: options of the interpreter, functions and steps."""

    def __init__(self, seed):
        self.seed = seed
        self.random = random.Random(f"torture {GENERATION} {seed}")
        self.count = 0
        self.options, self.malloc = self._make_options()
        kinds = ([PLAIN] * 5 + [GENERATOR] * 4 + [COROUTINE] * 2
                 + [ASYNC_GENERATOR] * 2)
        self.names = {kind: [f"{kind}{number}"
                             for number in range(kinds.count(kind))]
                      for kind in dict.fromkeys(kinds)}
        self.functions = [
            self._make_function(kind, name)
            for kind, names in self.names.items() for name in names]
        self.steps = self._make_body(STEP, 1, 8 + self.random.randrange(12))
        self.stop = bool(self.random.randrange(2))

    # Draws use nothing but random() and randrange(), which give the same
    # numbers in each version of Python.

    def _make_options(self):
        draw = self.random.randrange
        options = []
        if draw(10) < 7:
            value = (1, 2, 25, 65535)[draw(4)]
            sample = f",sample={1 << draw(13)}" if draw(4) == 0 else ""
            options = ["-X", f"tracemalloc={value}{sample}"]
        malloc = ("pymalloc", "pymalloc", "pymalloc", "pymalloc_debug",
                  "malloc")[draw(5)]
        return options, malloc

    def _number(self):
        self.count += 1
        return self.count

    def _pick(self, table, kind):
        rows = [row for row in table if row[1] in (ANY, kind)]
        at = self.random.randrange(sum(row[0] for row in rows))
        for row in rows:
            at -= row[0]
            if at < 0:
                return row[2]

    def _fill(self, text):
        """Put numbers and names into a template."""
        draw = self.random.randrange

        def word(match):
            name = match[1]
            if name == "n":
                return str(
                    (draw(10), draw(100), draw(1000), draw(10000))[draw(4)])
            if name == "k":
                return str(1 + draw(6))
            if name == "way":
                return WAYS[draw(len(WAYS))]
            if name == "script":
                return "".join(LETTERS[draw(len(LETTERS))]
                               for _ in range(1 + draw(7)))
            if name == "x":
                name = (GENERATOR, GENERATOR, COROUTINE,
                        ASYNC_GENERATOR)[draw(4)]
            return self.names[name][draw(len(self.names[name]))]

        return (re.sub(r"{(\w+)}", word, text)
                .replace("{{", "{").replace("}}", "}"))

    def _make_statement(self, kind, depth):
        number = self._number()
        if depth and self.random.randrange(4) == 0:
            lines = [self._fill(line) for line in self._pick(COMPOUND, kind)]
            if lines[0].startswith("class"):
                kind = BODY
            return Node(number, [
                (line, self._make_body(kind, depth - 1,
                                       1 + self.random.randrange(3)))
                for line in lines])
        return Node(number, [(self._fill(self._pick(SIMPLE, kind)), None)])

    def _make_body(self, kind, depth, length):
        return [self._make_statement(kind, depth) for _ in range(length)]

    def _make_function(self, kind, name):
        return kind, name, self._make_body(kind, 2,
                                           2 + self.random.randrange(5))

    def numbers(self):
        """Of all nodes, in the order of the text, outer ones first."""
        for _, _, body in self.functions:
            for node in body:
                yield from node.numbers()
        for node in self.steps:
            yield from node.numbers()

    def render(self, without=()):
        """The program's text, without some of its nodes."""
        without = frozenset(without)
        lines = [*self._functions(without), *self._steps(without)]
        text = "\n".join(lines) + "\n"
        modules = sorted({module for word, modules in MODULES.items()
                          if re.search(rf"\b{word}\(", text)
                          for module in modules.split()})
        return "\n".join([
            f"# torture: seed {self.seed}, generation {GENERATION}",
            f"# options: {' '.join(self.options)}",
            f"# malloc: {self.malloc}",
            "from kit import *",
            f"begin(__file__, {modules})",
            "", text])

    def _functions(self, without):
        for kind, name, body in self.functions:
            yield ""
            yield HEADS[kind].format(name=name)
            yield "    if spent():"
            yield "        return"
            for node in body:
                if node.number not in without:
                    yield from node.lines(without, "    ")
            # Whatever is left out, it stays a generator.
            yield ("    yield" if kind in (GENERATOR, ASYNC_GENERATOR)
                   else "    return 0")

    def _steps(self, without):
        steps = [node for node in self.steps if node.number not in without]
        for node in steps:
            yield ""
            yield f"def step{node.number}():"
            yield from node.lines(without, "    ")
        yield ""
        yield ""
        yield "if __name__ == '__main__':"
        names = "".join(f"step{node.number}, " for node in steps)
        yield f"    run([{names}], lambda: finish({self.stop}))"


def digest(text):
    """Tells one program from another."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
