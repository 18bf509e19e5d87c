"""Reading the arguments of commands."""

import argparse
import re

from tracemalloc import Filter
from tracemalloc._cli import UsageError, mine, name_of
from tracemalloc._cli.units import number, size
from tracemalloc._text import is_number

GROUPS = ("lineno", "filename", "function", "module", "traceback", "thread",
          "account", "domain")
# Those that no frame tells.
_FRAMELESS = "thread", "account", "domain"
# What one writes as well.
_GROUP_NAMES = {"line": "lineno", "file": "filename"}

FIGURES = ("size", "count", "peak_size", "peak_count", "allocated_size",
           "allocated_count", "freed_size", "freed_count", "temporary")

WHEN = ("auto", "always", "never")

A_FILE = "snapshot file or record, or the number of a process with a record"


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; help ends with an example."""

    Action = argparse.Action

    def __init__(self, command, description, example, snapshots=True,
                 reports=True):
        super().__init__(
            prog=name_of(command), description=description,
            epilog=f"example: {name_of(command)} "
                   f"{example.removeprefix(command).lstrip()}",
            allow_abbrev=False,
            # An example is a line that one can copy.
            formatter_class=argparse.RawDescriptionHelpFormatter)
        if reports:
            self._add_common(snapshots)

    def _add_common(self, snapshots):
        self.add_argument("--color", choices=WHEN, default="auto",
                          metavar="WHEN",
                          help="auto, always or never; auto, the default, is "
                               "on terminals")
        self.add_argument("--json", action="store_true",
                          help="write JSON instead of a table")
        self.add_argument("--children", action="store_true",
                          help="of a record, or the number of a process: with "
                               "the processes that it started")
        if snapshots:
            self.add_argument("--max-size", type=checked(size),
                              metavar="SIZE",
                              help="memory that loading a file may take "
                                   "(default: 1GiB)")

    def error(self, message):
        found = re.fullmatch("unrecognized arguments: ([^-].*)", message)
        if found:
            message = self._too_many(found[1])
        elif message.startswith("unrecognized arguments: "):
            message += self._meant(message.split()[2].partition("=")[0])
        raise UsageError(f"{message} (--help lists the options)")

    def _too_many(self, name):
        return f"{name}: too many files: {self._several}"

    def too_many(self, name):
        """Refuse a file that is one too many."""
        self.error(self._too_many(name))

    def _meant(self, option):
        """Return a question about the option that was meant, or ''."""
        from difflib import get_close_matches

        near = get_close_matches(option, self._option_string_actions, 1)
        return f"; did you mean {near[0]}?" if near else ""

    # What takes more files than this command.
    _several = ("diff, tree and traceback take two, series and report any "
                "number, top and report add up those of workers with "
                "--processes")
    _has_mine = False

    def parse_args(self, args=None, namespace=None):
        if not self._has_mine:
            return super().parse_args(args, namespace)
        options = super().parse_args(mine.with_values(args), namespace)
        group_by = getattr(options, "group_by", None)
        if options.mine is not None and group_by in _FRAMELESS:
            self.error(f"{mine.OPTION} makes no sense with --group-by "
                       f"{group_by}")
        return options

    def add_one_or_two(self):
        """Take one snapshot file, or two that are compared."""
        self.add_argument("file", metavar="FILE",
                          help=f"{A_FILE}; with a second one, the earlier")
        self.add_argument("new", metavar="NEW", nargs="?",
                          help="the later snapshot file: show what changed")
        self._several = "series and report take any number"

    def add_two(self):
        """Take two snapshot files that are compared."""
        self.add_argument("old", metavar="OLD",
                          help="the earlier snapshot file")
        self.add_argument("new", metavar="NEW",
                          help="the later snapshot file")
        self._several = "series and report take any number"

    def add_mine(self):
        self.add_argument(
            mine.OPTION, action="append", metavar="[PATTERN]",
            help="name blocks by the nearest frame of their call path that "
                 "is yours: a glob of file names, a module or a folder; "
                 "without a pattern, what is below the current folder and "
                 "not installed; may be repeated")
        self._has_mine = True

    def add_group_by(self, default="lineno", choices=GROUPS):
        self.add_argument("-g", "--group-by", type=_group, choices=choices,
                          default=default, metavar="KEY",
                          help=f"{', '.join(choices)} (default: {default})")

    def add_cumulative(self):
        self.add_argument("-c", "--cumulative", action="store_true",
                          help="count blocks for all their callers, too")

    def add_limit(self, default, what):
        self.add_argument("-n", "--limit", type=checked(number),
                          default=default, metavar="N",
                          help=f"{what} (default: {default})")

    def add_filters(self):
        for option, action, frames in (
                ("--include", "keep only", "allocating line"),
                ("--exclude", "leave out", "allocating line"),
                ("--include-traceback", "keep only", "call path"),
                ("--exclude-traceback", "leave out", "call path")):
            self.add_argument(
                option, action=_AddFilter, dest="filters", default=[],
                metavar="FILE[:LINE]",
                help=f"{action} what has the pattern in its {frames}; "
                     "may be repeated")
        self.add_argument(
            "--account", action="append", dest="accounts", metavar="NAME",
            help="keep only what was allocated in the account of that name; "
                 "may be repeated")

    def add_full_paths(self):
        self.add_argument("--full-paths", action="store_true",
                          help="show names of files in full, also those of "
                               "the standard library and of packages")

    def add_figure(self, choices=FIGURES):
        self.set_defaults(sort="size")
        # A table is about one of them.
        group = self.add_mutually_exclusive_group()
        group.add_argument("--at-peak", dest="sort", action="store_const",
                           const="peak_size",
                           help="what was held when most memory was")
        group.add_argument("--allocated", dest="sort", action="store_const",
                           const="allocated_size",
                           help="all that was allocated, freed or not")
        group.add_argument("--sort", dest="sort", choices=choices,
                           metavar="FIGURE",
                           help=", ".join(choices) + " (default: size)")


class _AddFilter(argparse.Action):
    def __call__(self, parser, namespace, value, option=None):
        pattern, lineno = split_location(value)
        filters = [*getattr(namespace, self.dest), Filter(
            option.startswith("--include"), pattern, lineno,
            all_frames=option.endswith("-traceback"))]
        setattr(namespace, self.dest, filters)


def split_location(text):
    """Return (pattern, line or None) for 'FILE:LINE' or 'FILE'."""
    pattern, colon, line = text.rpartition(":")
    if colon and pattern and is_number(line):
        return pattern, int(line)
    return text, None


def checked(convert):
    """Return *convert* as argparse wants it: errors keep their text."""
    def converted(text):
        try:
            return convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return converted


def _group(text):
    return _GROUP_NAMES.get(text, text)
