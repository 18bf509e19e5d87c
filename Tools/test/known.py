"""The list of known upstream failures, and the checks that keep it true."""
import collections

import results

OFF, TRACED, ANY = "off", "traced", "any"

Known = collections.namedtuple("Known", "id mode reason")


class BadList(ValueError):
    """A line of a data file that cannot be read; the text says which."""


def read_known(path):
    """Return the Known entries of a known-failures file."""
    entries = []
    for number, fields in data_lines(path, 3):
        if len(fields) != 3 or fields[1] not in (OFF, TRACED, ANY):
            raise BadList(f"{path}:{number}: expected: "
                          "TEST-ID off|traced|any REASON")
        entries.append(Known(*fields))
    return entries


def data_lines(path, columns):
    """Yield (line number, fields) for the lines that are neither
    blank nor remarks.
    """
    with open(path, encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            line = line.strip()
            if line and not line.startswith("#"):
                yield number, line.split(None, columns - 1)


def find_known(entries, case_id, mode):
    """The entry that lists this test in this mode, or None."""
    for entry in entries:
        if entry.id == case_id and entry.mode in (mode, ANY):
            return entry
    return None


def module_of(test_id):
    """The regrtest module a listed id belongs to, as far as the id tells.

    "test.test_gc.GCTests.test_list" and "setUpClass (test.test_gc.GCTests)"
    belong to "test_gc"; a bare "test_gc" is the module itself.
    """
    dotted = test_id.partition(" (")[2].rstrip(")") or test_id
    return dotted.removeprefix("test.")


def belongs(test_id, module):
    dotted = module_of(test_id)
    return dotted == module or dotted.startswith(module + ".")


def confirm(failures, entries, mode, run_on_stock,
            note="listed as a known failure, but"):
    """Split the failing cases of one run into (known, failed).

    run_on_stock(ids) runs the listed ones on the untouched base and returns
    its cases; it is called only when there is something to confirm.
    """
    listed = [case for case in failures if find_known(entries, case.id, mode)]
    if not listed:
        return [], list(failures)
    on_stock = {case.id for case in run_on_stock([case.id for case in listed])
                if results.is_failure(case)}
    known, failed = [], []
    for case in failures:
        if case in listed and case.id in on_stock:
            known.append(case)
        elif case in listed:
            text = f"{note} the untouched base passes it"
            failed.append(case._replace(detail=f"{text}\n{case.detail}"))
        else:
            failed.append(case)
    return known, failed


def stale(entries, module, mode, cases):
    """Cases for listed tests of `module` that did not fail in this run.

    A test that was skipped, or whose whole module was, proves nothing.
    """
    by_id = {case.id: case for case in cases}
    whole_skipped = all(case.outcome == results.SKIPPED for case in cases)
    wrong = []
    for entry in entries:
        if entry.mode not in (mode, ANY) or not belongs(entry.id, module):
            continue
        case = by_id.get(entry.id)
        if case is None and not whole_skipped:
            what = ("did not fail" if module_of(entry.id) == module
                    else "was not run")
        elif case is not None and case.outcome == results.PASSED:
            what = "passed"
        else:
            continue
        wrong.append(results.Case(
            f"known-failures.txt: {entry.id}", results.FAILED,
            f"stale entry: the test {what} in {module}, mode {mode};"
            " take the line out or correct it"))
    return wrong
