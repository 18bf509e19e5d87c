"""Virtual environments for what the standard library does not have."""
import pathlib
import shutil
import subprocess
import sys

from measure import WORK, BenchError, clean_environment, last_line

# Versions that are known to work; a range, so that it works next year as well.
PLOT = "matplotlib>=3.9,<4"
SUITE = "pyperformance>=1.11,<2"


def run(command, what, *, cwd=None):
    answer = subprocess.run(command, env=clean_environment(),
                            stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, cwd=cwd, check=False)
    if answer.returncode:
        raise BenchError(
            f"{what}: {last_line(answer.stderr or answer.stdout)}")
    return answer.stdout


def environment(name, requirement, module, python=sys.executable):
    """The interpreter of an environment that has `module`; made if need be.

    `requirement` comes from the package index that pip is set up to use.
    """
    folder = WORK / name
    inside = folder / "bin" / "python"
    if inside.exists() and subprocess.run(
            [str(inside), "-c", f"import {module}"], env=clean_environment(),
            capture_output=True, check=False).returncode == 0:
        return inside
    shutil.rmtree(folder, ignore_errors=True)
    run([str(python), "-m", "venv", str(folder)],
        f"{python} cannot make an environment")
    run([str(inside), "-m", "pip", "install", "--quiet", requirement],
        f"pip cannot install {requirement}")
    return inside


def draw(source, target):
    """Draw the plot of a JSON file."""
    python = environment("plot", PLOT, "matplotlib")
    script = pathlib.Path(__file__).resolve().parent / "plot.py"
    run([str(python), str(script), str(source), str(target)],
        f"cannot draw {source}")
