"""Accounts: what a program allocated for each thing that it does.

The C module does the work: a context of contextvars has the number of an
account, and what is allocated while it is current has it, too.  Here are
names, with statements and decorators around it, and soft limits.

What stands here runs just outside of the account, or quietly, so that an
account has what the program allocated and nothing of ours.

Limits are by name, and looked at together: adding up one account takes as long
as adding up all.  There is no lock that a handler of a signal, or a finalizer,
could wait for: what is changed is changed by single operations.
"""

import os
import warnings
from contextlib import ExitStack
from functools import partial, wraps
from sys import _getframe
from time import perf_counter as _clock

from _tracemalloc import (
    _account_number, _current_context, _enter_account, _get_accounts,
    _in_account, _leave_account, _quietly)

from tracemalloc._text import amount_text, format_size

# Whom warnings are not about.
_OURS = os.path.dirname(__file__),

# Looking at limits takes at most this share of the time.
_SHARE = 0.01


class AccountLimitWarning(RuntimeWarning):
    """An account holds more than its soft limit."""


# What programs know.
AccountLimitWarning.__module__ = "tracemalloc"


class AccountFigures:
    """What was allocated in an account since tracing began.

    name                            -- None stands for what is in no account
    allocated_size, allocated_count -- bytes and blocks
    freed_size, freed_count         -- what of these was freed, by whomever
    size, count                     -- what is held: allocated less freed
    peak_size, peak_count           -- what was held when the memory of the
                                       whole process was highest
    """

    __slots__ = ("name", "allocated_size", "allocated_count", "freed_size",
                 "freed_count", "peak_size", "peak_count")

    def __init__(self, name, *figures):
        self.name = name
        for slot, figure in zip(self.__slots__[1:], figures or (0,) * 6):
            setattr(self, slot, figure)

    size = property(lambda self: self.allocated_size - self.freed_size)
    count = property(lambda self: self.allocated_count - self.freed_count)

    def __str__(self):
        name = "no account" if self.name is None else self.name
        if not name.isprintable():
            name = ascii(name)
        parts = [amount_text(what, size, count)
                 for what, size, count in (
                     ("holds", self.size, self.count),
                     ("allocated", self.allocated_size, self.allocated_count),
                     ("freed", self.freed_size, self.freed_count))]
        return f"{name}: {', '.join(parts)}"

    def __repr__(self):
        return f"<AccountFigures {self}>"


def accounts():
    """Return a list of AccountFigures, those that hold most first.

    One of them, whose name is None, is what was in no account; sums over the
    list are those of all that is traced.  Exact, or estimates if samples are
    taken.  Empty when tracing is off.  O(contexts), whatever the number of
    blocks; other threads wait for that.
    """
    found, exceeded = _quietly(_read_and_compare)
    _tell(exceeded)
    return found


def _read():
    found = [AccountFigures(*row) for row in _get_accounts()]
    found.sort(key=lambda each: (-each.size, -each.allocated_size,
                                 each.name or ""))
    return found


def _read_and_compare():
    found = _read()
    return found, _compare(found)


# Limits

class _Limit:
    """The soft limit of an account: told once, until less is held again."""

    __slots__ = ("size", "callback", "is_exceeded")


_limits = {}            # by name
_look_again_at = 0.0    # not before, when an account is left


def _set_limit(name, size, callback):
    limit = _limits.get(name)
    if limit is None:
        limit = _Limit()
        limit.is_exceeded = False
    limit.size, limit.callback = size, callback
    _limits[name] = limit


def _look_at_limits():
    """Return what _compare() does, but nothing if that was just done."""
    global _look_again_at
    began = _clock()
    if began < _look_again_at:
        return None
    # Others need not look meanwhile.
    _look_again_at = began + 1
    found = _read()
    ended = _clock()
    _look_again_at = ended + (ended - began) * (1 / _SHARE - 1)
    return _compare(found)


def _compare(found):
    """Return (figures, limit) of what exceeds its limit, but did not before.

    The caller tells it, as the program and in no account of ours.
    """
    exceeded = []
    for each in found:
        limit = _limits.get(each.name)
        if limit is not None:
            was, limit.is_exceeded = limit.is_exceeded, each.size > limit.size
            if limit.is_exceeded and not was:
                exceeded.append((each, limit))
    return exceeded


def _tell(exceeded):
    for each, limit in exceeded:
        if limit.callback is not None:
            limit.callback(each)
        else:
            warnings.warn(
                f"{each}; its soft limit is {format_size(limit.size, False)}",
                AccountLimitWarning, skip_file_prefixes=_OURS)


def _left():
    """Look at limits after an account was left."""
    if _limits and (exceeded := _quietly(_look_at_limits)):
        _tell(exceeded)


def _limit_of(value):
    if isinstance(value, str):
        from tracemalloc._cli.units import size

        return size(value)
    if not isinstance(value, int):
        raise TypeError("soft_limit must be a number of bytes, or a size such "
                        f"as '20 MB', not {type(value).__name__}")
    if value < 0:
        raise ValueError("soft_limit must not be negative")
    return value


# Accounts

def _figure(name):
    def get(self):
        return getattr(self.figures(), name)
    return property(get, doc=f"{name} of figures(), read now.")


class Account:
    """What runs inside is for this account: see tracemalloc.account()."""

    __slots__ = ("_name", "_number", "_entered")

    def __init__(self, name, soft_limit=None, callback=None):
        if callback is not None and not callable(callback):
            raise TypeError("callback must be callable, or None to warn")
        if soft_limit is None:
            if callback is not None:
                raise TypeError("callback needs a soft_limit to be called at")
        elif name is None:
            raise TypeError("account(None) is no account and has no limit")
        else:
            soft_limit = _limit_of(soft_limit)
        self._name = name
        self._number = 0 if name is None else _account_number(name)
        # What to go back to: by the frame that has entered it, if that can be
        # suspended, and else by the id of the context.
        self._entered = {}
        if soft_limit is not None:
            _set_limit(name, soft_limit, callback)

    name = property(lambda self: self._name)

    def figures(self):
        """Return the AccountFigures of now; O(contexts), as accounts()."""
        for each in accounts():
            if each.name == self._name:
                return each
        return AccountFigures(self._name)

    size = _figure("size")
    count = _figure("count")
    allocated_size = _figure("allocated_size")
    allocated_count = _figure("allocated_count")
    freed_size = _figure("freed_size")
    freed_count = _figure("freed_count")
    peak_size = _figure("peak_size")
    peak_count = _figure("peak_count")

    def __enter__(self):
        _quietly(_enter, self)
        return self

    def __exit__(self, kind, error, traceback):
        _quietly(_leave, self)
        _left()

    def __call__(self, function):
        """Return a function that runs in this account each time."""
        import inspect

        if isinstance(function, type) or not callable(function):
            raise TypeError("account() decorates functions and methods; "
                            "below @staticmethod or @classmethod, if there "
                            f"is one, and not {function!r:.100}")
        if inspect.isasyncgenfunction(function):
            wrapper = _wrap_async_generator(self, function)
        elif inspect.iscoroutinefunction(function):
            wrapper = _wrap_coroutine(self, function)
        elif inspect.isgeneratorfunction(function):
            wrapper = _wrap_generator(self, function)
            code = getattr(inspect.unwrap(function), "__code__", None)
            if code and code.co_flags & inspect.CO_ITERABLE_COROUTINE:
                from types import coroutine

                wrapper = wraps(function)(coroutine(wrapper))
        else:
            wrapper = _wrap_function(self, function)
        return wrapper

    def __repr__(self):
        return f"<account {self._name!r}>"


# A generator or coroutine may be ended in another context than the one in
# which it was suspended; its frame tells then which entry is its own.
_SUSPENDED = 0x20 | 0x80 | 0x200    # as in inspect, which is large
_CONTEXTLIB = ExitStack.close.__code__.co_filename


def _suspendable(frame):
    """Return the frame whose statement this is, if it can be suspended.

    contextlib stands between a statement and what was put on an exit stack.
    """
    while frame is not None:
        code = frame.f_code
        if code.co_filename != _CONTEXTLIB:
            return frame if code.co_flags & _SUSPENDED else None
        frame = frame.f_back
    return None


def _enter(account):
    entry = _enter_account(account._number)
    # Who is keyed by a frame keeps it; it is there anyway until it leaves.
    key = _suspendable(_getframe(2)) or id(entry[0])
    account._entered.setdefault(key, []).append(entry)


def _leave(account):
    entered = account._entered
    if not entered:
        raise RuntimeError("this account has not been entered")
    key = _suspendable(_getframe(2))
    if key not in entered:
        key = id(_current_context())
        if key not in entered:
            # What began in another context is ended in this one, by nobody
            # whose frame is known.
            key = next(reversed(entered))
    entries = entered[key]
    entry = entries.pop()
    if not entries:
        del entered[key]
    _leave_account(*entry)


# Decorators

def _call(number, function, args, kwargs):
    """Call a function for an account, and look at limits."""
    try:
        return _in_account(number, function, args, kwargs)
    finally:
        _left()


def _wrap_function(account, function):
    number = account._number

    @wraps(function)
    def wrapper(*args, **kwargs):
        return _call(number, function, args, kwargs)

    return wrapper


def _wrap_coroutine(account, function):
    number = account._number

    @wraps(function)
    async def wrapper(*args, **kwargs):
        # Entered by each call alone, whoever shares the account.
        entry = _quietly(_enter_account, number)
        try:
            return await function(*args, **kwargs)
        finally:
            _leave_account(*entry)
            _left()

    return wrapper


def _wrap_generator(account, function):
    run = partial(_call, account._number)

    @wraps(function)
    def wrapper(*args, **kwargs):
        # Only what the generator itself does is for the account: who asks it
        # for values goes on as he was.
        generator = run(function, args, kwargs)
        resume, value = generator.send, None
        while True:
            try:
                value = run(resume, (value,), {})
            except StopIteration as end:
                return end.value
            try:
                resume, value = generator.send, (yield value)
            except GeneratorExit:
                run(generator.close, (), {})
                raise
            except BaseException as error:
                resume, value = generator.throw, error

    return wrapper


def _wrap_async_generator(account, function):
    number = account._number

    async def run(method, *args):
        entry = _quietly(_enter_account, number)
        try:
            return await method(*args)
        finally:
            _leave_account(*entry)
            _left()

    @wraps(function)
    async def wrapper(*args, **kwargs):
        generator = _in_account(number, function, args, kwargs)
        resume, value = generator.asend, None
        while True:
            try:
                value = await run(resume, value)
            except StopAsyncIteration:
                return
            try:
                resume, value = generator.asend, (yield value)
            except GeneratorExit:
                await run(generator.aclose)
                raise
            except BaseException as error:
                resume, value = generator.athrow, error

    return wrapper
