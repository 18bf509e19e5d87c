"""Read what one regrtest run left behind: junit XML, log, exit status.

regrtest's XML alone cannot be trusted to be complete.  A module that crashed
or ran out of time leaves no <testsuite>; a test that failed only inside
subTest() leaves a <testcase> without a name; a failed setUpClass() leaves
nothing but a larger count.  read_run() puts the three sources together, so
that no failure is lost, whatever was lost on the way.
"""
import collections
import re
from xml.etree import ElementTree

PASSED, FAILED, ERROR, SKIPPED = "passed", "failed", "error", "skipped"
OUTCOMES = (PASSED, FAILED, ERROR, SKIPPED)

# The lines of a log that are kept to explain a failure without a traceback.
TAIL_LINES = 60

Case = collections.namedtuple("Case", "id outcome detail")

FIXTURES = {"setUpClass", "tearDownClass", "setUpModule", "tearDownModule"}

RULE = "=" * 70
HEADER = re.compile(r"(FAIL|ERROR): (\S+) \(([^()\s]+)\)")
MODULE_LINE = re.compile(
    r"\[ *\d+/\d+(?:/\d+)?\] (?P<module>\S+) "
    r"(?P<state>worker non-zero exit code|worker bug|timed out"
    r"|failed \((?:uncaught exception|reference leak)\)"
    r"|skipped|interrupted)\b")


def is_failure(case):
    return case.outcome in (FAILED, ERROR)


def tail(log):
    return "\n".join(log.rstrip().splitlines()[-TAIL_LINES:])


def header_id(name, owner):
    """The junit id of a test that unittest's failure header names."""
    if name in FIXTURES:
        return f"{name} ({owner})"
    if owner.rpartition(".")[2] == name:
        return owner
    # A doctest is named apart from its module.
    return f"{owner}.{name}"


def failures_in_log(log):
    """Map test ids to (outcome, text) for every failure unittest printed."""
    found = {}
    for section in log.split(RULE + "\n")[1:]:
        match = HEADER.match(section)
        if not match:
            continue
        kind, name, owner = match.groups()
        outcome = FAILED if kind == "FAIL" else ERROR
        text = section.partition("\n\nRan ")[0].rstrip("\n-")
        test_id = header_id(name, owner)
        if test_id in found:            # one more subtest of the same test
            text = found[test_id][1] + "\n" + text
        found[test_id] = (outcome, text)
    return found


def read_case(element):
    """The Case of a <testcase>, or None where regrtest left it nameless."""
    name = element.get("name")
    if name is None:
        return None
    for tag, outcome in (("failure", FAILED), ("error", ERROR),
                         ("skipped", SKIPPED)):
        child = element.find(tag)
        if child is not None:
            return Case(name, outcome, (child.text or "").strip())
    if element.get("outcome") == "UNEXPECTED_SUCCESS":
        return Case(name, FAILED, "the test is expected to fail, and passed")
    return Case(name, PASSED, "")


def read_xml(text):
    """Return (named cases, number of nameless ones, failures counted in all).
    """
    root = ElementTree.fromstring(text)
    suites = [root] if root.tag == "testsuite" else root.findall("testsuite")
    cases, nameless, counted = [], 0, 0
    for suite in suites:
        counted += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        for element in suite.findall("testcase"):
            case = read_case(element)
            if case is None:
                nameless += 1
            else:
                cases.append(case)
    return cases, nameless, counted


def modules_in_log(log):
    """Cases for modules that regrtest reports as a whole: crashed, skipped...
    """
    cases = []
    for match in MODULE_LINE.finditer(log):
        module, state = match["module"], match["state"]
        if state == "skipped":
            reason = re.search(rf"^{re.escape(module)} skipped -- (.*)$", log,
                               re.M)
            cases.append(Case(module, SKIPPED, reason[1] if reason else ""))
        else:
            cases.append(Case(module, ERROR,
                              f"{module}: {state}\n{tail(log)}"))
    return cases


def read_run(module, status, xml, log):
    """All the cases of one regrtest run of `module`.

    status is regrtest's exit status, negative for a signal, None when it was
    killed for taking too long; xml is the text of its junit file or None.
    """
    cases, nameless, counted = [], 0, 0
    broken = None
    if xml is not None:
        try:
            cases, nameless, counted = read_xml(xml)
        except ElementTree.ParseError as error:
            broken = f"{module}: unreadable junit file: {error}"

    known = {case.id for case in cases if is_failure(case)}
    logged = failures_in_log(log)
    unseen = [Case(test_id, *logged[test_id]) for test_id in logged
              if test_id not in known]
    cases += unseen
    for number in range(len(unseen), nameless):
        cases.append(Case(f"{module} (nameless test {number + 1})", FAILED,
                          tail(log)))
    cases += modules_in_log(log)

    problem = broken or overall_problem(module, status, cases, counted)
    if problem and not any(case.id == module and is_failure(case)
                           for case in cases):
        cases.append(Case(module, ERROR, f"{problem}\n{tail(log)}"))
    return cases


def overall_problem(module, status, cases, counted):
    """What is wrong with a run although none of its cases says so, or None."""
    if status is None:
        return f"{module}: killed, it ran out of time"
    if status < 0:
        return f"{module}: regrtest was killed by signal {-status}"
    if any(map(is_failure, cases)):
        return None
    if counted:
        return f"{module}: {counted} failures are counted, none is named"
    if not cases:
        return f"{module}: ran no tests (regrtest's exit status is {status})"
    # 4 is "no tests ran", which is what a run of skipped modules ends with.
    if status and not (status == 4
                       and all(case.outcome == SKIPPED for case in cases)):
        return f"{module}: regrtest's exit status is {status}"
    return None


def count(cases):
    """Number of cases for each of OUTCOMES."""
    totals = dict.fromkeys(OUTCOMES, 0)
    for case in cases:
        totals[case.outcome] += 1
    return totals
