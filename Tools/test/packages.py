"""Checks that need a package from the package index.

The package is used where the interpreter under test has it already; otherwise
it is installed into a virtual environment of its own, from a wheel.  Without
network there is no failure: the check is skipped, and says why.
"""
import pathlib
import re
import subprocess

import results

HERE = pathlib.Path(__file__).resolve().parent

LIMIT = 600.0                           # seconds for each command
LINE = re.compile(r"(\w+): (\d+) blocks, (\d+) wrong")


class Missing(Exception):
    """A package is not here and cannot be had; the text says why."""


def ask(command, environment):
    """Run a command; return (exit status, everything it said)."""
    try:
        answer = subprocess.run(
            [str(word) for word in command], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", env=environment, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return 1, f"no answer within {LIMIT:.0f} s"
    return answer.returncode, answer.stdout


def last_line(text):
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def find(python, package, folder, environment, distribution=None):
    """An interpreter like *python* that can import *package*, or Missing.

    *folder* is where a virtual environment is made, or was made by an earlier
    run; *distribution* is the name in the package index, if it is another one.
    Several are "one, two" packages, and "one two" distributions.
    """
    distribution = distribution or package
    inside = folder / "bin/python"
    for candidate in python, inside:
        if candidate.exists() and not ask(
                [candidate, "-c", f"import {package}"], environment)[0]:
            return candidate
    for command in ([python, "-m", "venv", "--clear", folder],
                    [inside, "-m", "pip", "install", "--quiet",
                     "--disable-pip-version-check",
                     "--only-binary", ":all:", *distribution.split()]):
        status, said = ask(command, environment)
        if status:
            raise Missing(f"{distribution} cannot be installed: "
                          f"{last_line(said)}")
    return inside


def check_greenlet(python, folder, environment):
    """Cases of greenlet_check.py, run by the interpreter under test."""
    try:
        python = find(python, "greenlet", folder, environment)
    except Missing as reason:
        return [results.Case("greenlet", results.SKIPPED, str(reason))]
    status, said = ask([python, HERE / "greenlet_check.py"], environment)
    cases = []
    for name, blocks, wrong in LINE.findall(said):
        right = int(wrong) == 0 and int(blocks) > 0
        cases.append(results.Case(f"greenlet: {name}",
                                  results.PASSED if right else results.FAILED,
                                  "" if right else said))
    if not cases or (status and not any(map(results.is_failure, cases))):
        cases.append(results.Case(
            "greenlet", results.ERROR,
            f"greenlet_check.py ended with status {status}\n{said}"))
    return cases
