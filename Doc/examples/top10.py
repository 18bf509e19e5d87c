"""Print the ten lines that hold most memory.

The work is real: parse a few modules of the standard library and keep their
syntax trees.
"""
import ast
import inspect
import tracemalloc


def syntax_trees():
    """Return {module name: tree} of some large modules."""
    import argparse
    import typing
    import unittest.mock
    return {module.__name__: ast.parse(inspect.getsource(module))
            for module in (argparse, inspect, typing, unittest.mock)}


def main():
    tracemalloc.start()
    trees = syntax_trees()
    statistics = tracemalloc.take_snapshot().statistics("lineno")

    print("[ Top 10 ]")
    for statistic in statistics[:10]:
        print(statistic)
    return trees


if __name__ == "__main__":
    main()
