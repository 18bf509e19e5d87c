"""Limits for the memory of tests: pytest -p tracemalloc.pytest

    @pytest.mark.limit_memory("24 MB")
    @pytest.mark.limit_leaks("1 KB")

fail a test that holds more at its peak, or leaves more behind; --memory lists
the tests that did most of it, --memory-baseline FILE fails those that take
more than the file says, and --memory-save-baseline FILE writes it.

All figures are exact: bytes as they were asked for, of the whole process,
while the test itself runs and not its fixtures.  Doc/using/pytest.rst tells
what counts.  Each process that runs tests traces them by itself; under xdist
figures travel with the reports.
"""

import json
import os

import pytest
from _tracemalloc import _claim

import tracemalloc
from tracemalloc import _baseline, _limits
from tracemalloc._cli import units
from tracemalloc._cli.rows import bytes_text, plural
from tracemalloc._cli.screen import Screen, printable
from tracemalloc._measure import Measure, full_collections
from tracemalloc._writing import check_place

__all__ = []

# Markers, and the figures that they limit.
_MARKERS = {"limit_memory": "peak", "limit_leaks": "leaked"}
# What reports bring from workers.
_ATTRIBUTE = "tracemalloc"

_REQUEST = pytest.StashKey()
_FIGURES = pytest.StashKey()
_MEASURE = pytest.StashKey()
_COLLECTIONS = pytest.StashKey()


def pytest_addoption(parser):
    group = parser.getgroup("memory", "memory of tests (tracemalloc)")
    group.addoption(
        "--memory", action="store_true",
        help="list the tests that peaked and leaked most")
    group.addoption(
        "--memory-top", metavar="N", default="10",
        help="how many tests --memory lists (default: 10; 0: all)")
    group.addoption(
        "--memory-frames", metavar="N", default="25",
        help="frames of a call path to remember, to tell which line of the "
             "test it was (default: 25)")
    group.addoption(
        "--memory-baseline", metavar="FILE",
        help="fail tests that peak or leak more than FILE says")
    group.addoption(
        "--memory-tolerance", metavar="MORE", default="5%,4KiB",
        help="how much more than the baseline is allowed: a part, a size, or "
             "both, whichever is more; 0: nothing (default: 5%%,4KiB)")
    group.addoption(
        "--memory-save-baseline", metavar="FILE",
        help="write what the tests take that passed; other tests that FILE "
             "has stay")


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "limit_memory(size): fail the test if it holds more "
        "memory at its peak, exactly counted (tracemalloc)")
    config.addinivalue_line(
        "markers", "limit_leaks(size, warmups=0): fail the test if it leaves "
        "more memory behind, exactly counted (tracemalloc)")
    config.pluginmanager.register(Plugin(config), "tracemalloc memory")


def _option(config, name, convert):
    """Return an option's value; errors name it."""
    text = config.getoption(name)
    try:
        return convert(text)
    except ValueError as error:
        option = "--" + name.replace("_", "-")
        raise pytest.UsageError(f"{option}: {error}") from None


class _Request:
    """What is wanted to know of a test.

    limits  -- most bytes, by figure
    base    -- figures of the baseline
    warmups -- how often the test runs before it is measured
    """

    __slots__ = ("limits", "base", "warmups")

    def __init__(self, item, baseline):
        self.limits, self.warmups = {}, 0
        self.base = baseline.get(item.nodeid, {})
        for name, figure in _MARKERS.items():
            marker = item.get_closest_marker(name)
            if marker is not None:
                self.limits[figure], warmups = _limits.limit_of(
                    name, marker.args, marker.kwargs)
                self.warmups = max(self.warmups, warmups)


class TooMuchMemory(pytest.fail.Exception):
    """A test failed because of a limit, or its baseline."""

    # Reports show it as pytest's own, without a module.
    __module__ = "builtins"


class Plugin:
    """Measures tests, and collects what the processes have measured."""

    def __init__(self, config):
        self._config = config
        self._list = config.getoption("memory")
        self._top = _option(config, "memory_top", units.number)
        self._frames = _option(config, "memory_frames", units.frames)
        self._tolerance = _option(config, "memory_tolerance",
                                  _baseline.Tolerance.parse)
        self._is_worker = hasattr(config, "workerinput")
        self._found = {}
        self._outcome = None
        if self._is_worker:
            self._base = json.loads(
                config.workerinput["tracemalloc_baseline"])
            self._save_to = config.workerinput["tracemalloc_saves"]
        else:
            self._base = self._read("memory_baseline")
            self._save_to = self._place("memory_save_baseline")
            if self._save_to:
                # To be told before the tests run, if it cannot be added to.
                self._read("memory_save_baseline", may_lack=True)
        self._is_baseline = config.getoption("memory_baseline") is not None

    # Files

    def _place(self, name):
        path = self._config.getoption(name)
        if path is None:
            return None
        path = os.path.join(self._config.invocation_params.dir, path)
        try:
            check_place(path)
        except OSError as error:
            raise pytest.UsageError(self._about(name, error)) from None
        return path

    def _read(self, name, may_lack=False):
        path = self._config.getoption(name)
        if path is None:
            return {}
        path = os.path.join(self._config.invocation_params.dir, path)
        try:
            return _baseline.read(path)
        except FileNotFoundError as error:
            if may_lack:
                return {}
            reason = f"{error.strerror}; --memory-save-baseline writes one"
        except OSError as error:
            reason = error.strerror
        except _baseline.BaselineError as error:
            reason = error
        raise pytest.UsageError(self._about(name, reason))

    def _about(self, name, reason):
        if isinstance(reason, OSError):
            reason = reason.strerror
        path = printable(self._config.getoption(name))
        return f"--{name.replace('_', '-')}: {path}: {reason}"

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node):
        """Tell a worker of xdist, which may not see the files."""
        # As JSON, which has names that xdist cannot send.
        node.workerinput["tracemalloc_baseline"] = json.dumps(self._base)
        node.workerinput["tracemalloc_saves"] = bool(self._save_to)

    # Running tests

    def _is_wanted(self, item):
        return (self._list or self._is_baseline or self._save_to
                or any(map(item.get_closest_marker, _MARKERS)))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item):
        if not self._is_wanted(item):
            return (yield)
        # Fixtures that the test frees or makes grow are to be known.
        item.stash[_COLLECTIONS] = (None if tracemalloc.is_tracing()
                                    else full_collections())
        claim = _claim(self._frames)
        try:
            return (yield)
        finally:
            # Tracing stops, unless somebody else wants it.
            claim = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item):
        item.stash[_FIGURES] = item.stash[_REQUEST] = None
        if self._is_wanted(item):
            try:
                item.stash[_REQUEST] = _Request(item, self._base)
            except ValueError as error:
                fault = str(error)
            else:
                return
            # Not inside of the other exception, which would be shown as well.
            pytest.fail(fault, pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        request = item.stash.get(_REQUEST, None)
        if request is None:
            return (yield)
        # The method itself, and not what pytest does around it.
        run = item.runtest
        had = vars(item).get("runtest")
        item.runtest = lambda: self._run(item, run, request)
        try:
            return (yield)
        finally:
            del item.runtest
            if had is not None:
                item.runtest = had

    def _run(self, item, run, request):
        """Run a test, and fail if it took too much."""
        for _ in range(request.warmups):
            function = getattr(item, "obj", None)
            run()
            if function is not None:
                # Some plugins put another one there each time.
                item.obj = function
        measure = Measure(snapshots=bool(request.limits or request.base),
                          collections=item.stash.get(_COLLECTIONS, None))
        item.stash[_MEASURE] = measure
        try:
            measure.call(run)
        finally:
            item.stash[_MEASURE] = None
            figures = item.stash[_FIGURES] = {
                "peak": measure.peak, "leaked": measure.leaked,
                "fault": measure.fault}
        if measure.fault is not None:
            if request.limits or request.base:
                raise TooMuchMemory("the memory of the test cannot be told: "
                                    + measure.fault, pytrace=False)
            return
        verdicts = _limits.judge(figures, request.limits, request.base,
                                 self._tolerance)
        if verdicts:
            raise TooMuchMemory(
                _limits.explain(verdicts, measure, str(item.path),
                                str(self._config.rootpath)), pytrace=False)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_pyfunc_call(self, pyfuncitem):
        measure = pyfuncitem.stash.get(_MEASURE, None)
        if measure is None:
            return (yield)
        # What pytest and its plugins need to come here is not the test's.
        measure.begin_peak()
        try:
            return (yield)
        finally:
            measure.end_peak()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        figures = item.stash.get(_FIGURES, None)
        if call.when == "call" and figures is not None:
            if call.excinfo is not None and not isinstance(
                    call.excinfo.value, TooMuchMemory):
                # The exception holds on to what the test had.
                figures["leaked"] = None
            setattr(report, _ATTRIBUTE, figures)
        return report

    # Reporting

    def pytest_runtest_logreport(self, report):
        figures = getattr(report, _ATTRIBUTE, None)
        if figures is not None and not self._is_worker:
            self._found[report.nodeid] = (figures, report.passed)

    def pytest_sessionfinish(self, session, exitstatus):
        if not self._save_to or self._is_worker:
            return
        if exitstatus not in (pytest.ExitCode.OK,
                              pytest.ExitCode.TESTS_FAILED):
            self._outcome = "the baseline is not written: the run did not end"
            return
        tests = {name: {figure: figures[figure]
                        for figure in _baseline.FIGURES}
                 for name, (figures, passed) in self._found.items()
                 if passed and figures["leaked"] is not None}
        try:
            kept = self._read("memory_save_baseline", may_lack=True)
            _baseline.write(self._save_to, kept | tests)
        except (OSError, pytest.UsageError) as error:
            self._outcome = f"the baseline is not written: {error}"
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            return
        text = f"baseline: {plural(len(tests), 'test')} written"
        others = len(kept.keys() - tests.keys())
        self._outcome = text + (f", {others:,} kept" if others else "")

    def pytest_terminal_summary(self, terminalreporter):
        if not (self._list or self._is_baseline or self._save_to):
            return
        terminalreporter.section("memory of tests")
        writer = self._config.get_terminal_writer()
        screen = Screen("always" if writer.hasmarkup else "never", writer)
        screen.width = writer.fullwidth
        if self._list:
            self._write_top(screen, "peak", "leaked", "peaked")
            self._write_top(screen, "leaked", "peak", "leaked")
            self._write_faults(screen)
        if self._is_baseline:
            screen.write(self._compared())
        if self._outcome:
            screen.write(printable(self._outcome))

    def _write_top(self, screen, figure, other, did):
        found = sorted(
            ((figures[figure], figures[other], name)
             for name, (figures, _) in self._found.items()
             if figures[figure] is not None),
            key=lambda row: (-row[0], row[2]))
        some = [row for row in found if row[0] > 0] \
            if figure == "leaked" else found
        shown = some[:self._top or None]
        tests = plural(len(found), "test")
        if not shown:
            screen.title(f"none of {tests} {did}")
        else:
            screen.title(f"{len(shown):,} of {tests} that {did} most"
                         if len(shown) < len(found) else
                         f"{tests} by what they {did}")
            screen.table([figure, other, "test"], [
                ([bytes_text(first), bytes_text(second), printable(name)],
                 ["size", None, None], []) for first, second, name in shown])
        screen.write()

    def _write_faults(self, screen):
        for name, (figures, _) in sorted(self._found.items()):
            if figures["fault"] is not None:
                screen.write(f"{printable(name)}: no figures, "
                             + figures["fault"])

    def _compared(self):
        """Return how the tests compare with the baseline, in a line."""
        known = self._found.keys() & self._base.keys()
        new = self._found.keys() - self._base.keys()
        less = [name for name in known if any(
            self._found[name][0][figure] is not None
            and self._tolerance.most(self._found[name][0][figure]) < value
            for figure, value in self._base[name].items())]
        text = (f"baseline: {plural(len(known), 'test')} compared, "
                f"{self._tolerance} more allowed")
        if new:
            text += f"; {len(new):,} not in it"
        if less:
            text += f"; {len(less):,} take less now"
        return text
