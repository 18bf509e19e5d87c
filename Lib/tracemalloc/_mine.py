"""Whose memory is it: blocks named by the nearest frame that is one's own.

Most memory is allocated in libraries, on behalf of somebody.  attributed()
gives each context the call site of the nearest frame of its call path, from
the newest to the oldest, that a program's author would call his or hers.  No
figure changes, so that all sums stay what they are; contexts without such a
frame have OTHERS as their only frame.

What is one's own is told by patterns:

    a glob        of file names, which has to match all of one: '*/shop/*'
    a module      or a glob of them, with what is in it: 'shop', 'shop.views*'
    a folder      that exists: what is below it, but for what is installed

_installed tells what is that.  Loaded on first use.
"""

import os
from fnmatch import fnmatchcase
from itertools import islice

from tracemalloc._columns import CONTEXTS, as_array
from tracemalloc._filters import _normalize_filename
from tracemalloc._groups import folders_in, module_parts
from tracemalloc._installed import as_folder, is_installed
from tracemalloc._snapshot import Snapshot
from tracemalloc._stacks import data_of

# The only frame of what no frame of one's own has asked for.
OTHERS = "<no frame is mine>"


def _is_folder(name):
    try:
        return os.path.isdir(name)
    except ValueError:
        # A null character.
        return False


class Mine:
    """What is one's own: a function of file names.

    patterns -- see the head of this file; '', or no pattern at all, is the
                current folder
    folders  -- those that modules were imported from
    """

    def __init__(self, patterns, folders):
        self.patterns = tuple(filter(None, patterns))
        self._folders = tuple(folders)
        below = [each for each in self.patterns if _is_folder(each)]
        if not all(patterns) or not patterns:
            below.append(".")
        # Links on the way give a folder several names.
        below += [os.path.realpath(each) for each in below]
        self._below = tuple({as_folder(each) for each in below})
        self._globs = [_normalize_filename(each) for each in self.patterns]
        self._known = {}

    def __call__(self, filename):
        found = self._known.get(filename)
        if found is None:
            found = self._known[filename] = self._ask(filename)
        return found

    def _ask(self, filename):
        if filename == OTHERS:
            return False
        name = _normalize_filename(filename)
        if any(fnmatchcase(name, glob) for glob in self._globs):
            return True
        if self.patterns:
            module = ".".join(module_parts(filename, self._folders))
            if any(fnmatchcase(module, each)
                   or fnmatchcase(module, f"{each}.*")
                   for each in self.patterns):
                return True
        if filename.startswith("<"):
            return False
        return (_normalize_filename(os.path.abspath(filename))
                .startswith(self._below)
                and not is_installed(filename, self._folders))


def mine_of(snapshot, patterns):
    """Return the Mine for the files of a snapshot."""
    return Mine(patterns, folders_in(snapshot.metadata))


def attributed(snapshot, mine):
    """Return a Snapshot whose contexts are at the nearest frame of *mine*.

    O(contexts and paths); each name is asked about once.
    """
    data, limit = data_of(snapshot)
    names = data.names
    result = Snapshot._of(_at_nearest(
        data, limit, lambda file: mine(names[file])), limit,
        dict(snapshot.metadata))
    result.traceback_limit = snapshot.traceback_limit
    return result


def _nearest(data, limit, is_mine):
    """Return the nearest path of one's own for each path, 0 if there is none.

    The limit counts the frame of the context as well.
    """
    nearest, distances = [0], [limit]
    mine = {file: is_mine(file) for file in {*data.path_file[1:]}}
    for path, parent, file in zip(range(1, len(data.path_parent)),
                                  islice(data.path_parent, 1, None),
                                  islice(data.path_file, 1, None)):
        if mine[file]:
            nearest.append(path)
            distances.append(0)
        else:
            nearest.append(nearest[parent])
            distances.append(distances[parent] + 1)
    return [path if distance < limit - 1 else 0
            for path, distance in zip(nearest, distances)]


def _at_nearest(data, limit, is_mine):
    columns = {name: as_array(code, getattr(data, name))
               for name, code in CONTEXTS.items()}
    paths, files, functions, lines, *positions, depths = (
        columns[f"context_{name}"] for name in (
            "path", "file", "function", "line", "end_line", "column",
            "end_column", "depth"))
    nearest = _nearest(data, limit, is_mine)
    mine = {file: is_mine(file) for file in {*files}}
    names = [*data.names, OTHERS]
    others = len(names) - 1
    for context, file in enumerate(files):
        if mine[file]:
            continue
        path = nearest[paths[context]]
        paths[context] = data.path_parent[path]
        if path:
            files[context] = data.path_file[path]
            functions[context] = data.path_function[path]
            lines[context] = data.path_line[path]
        else:
            files[context], functions[context], lines[context] = others, 0, 0
        for column in positions:
            column[context] = -1
        # There were more frames than what is left tells.
        depths[context] = 0
    return data.with_sites(names, columns)


def is_found(snapshot, mine):
    """Whether any frame of a snapshot is one's own."""
    data, _ = data_of(snapshot)
    return any(mine(data.names[file])
               for file in {*data.path_file[1:], *data.context_file})


def below(folder):
    """Return a function of file names: whether they are below a folder."""
    return lambda filename: filename.startswith(os.path.join(folder, ""))
