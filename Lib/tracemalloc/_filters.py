"""Filters of snapshots: which traces stay.

A filter is asked about raw traces one by one or, as far as it looks at nothing
but domain and frames, about all contexts of a snapshot at once.
"""

import os.path
from fnmatch import fnmatch
from itertools import islice
from operator import and_, or_

# What is defined here is the package's own, for programs, pickles and help().
__name__ = "tracemalloc"


def _matching(data, answer, lineno, all_frames, limit):
    """Return a list of whether each context matches.

    *answer* says whether a file name does, and is asked once for each; the
    line has to be *lineno*, unless that is None.  The newest frame is looked
    at, or all that the limit leaves if *all_frames*.
    """
    names = data.names
    answers = {}

    def ask(files, lines):
        for file in set(files).difference(answers):
            answers[file] = answer(names[file])
        matches = map(answers.__getitem__, files)
        if lineno is None:
            return list(matches)
        return [match and line == lineno
                for match, line in zip(matches, lines)]

    matches = ask(data.context_file, data.context_line)
    if not all_frames or limit < 2:
        return matches

    # How many frames up from each path the next match is; the root is no
    # frame, whatever name its row has.
    distances = [limit]
    path_matches = ask(data.path_file, data.path_line)
    for parent, match in islice(zip(data.path_parent, path_matches),
                                1, None):
        distances.append(0 if match else distances[parent] + 1)
    return [match or distances[path] < limit - 1
            for match, path in zip(matches, data.context_path)]


def _normalize_filename(filename):
    """Return the name as filters compare it: system's case, .pyc as .py."""
    filename = os.path.normcase(filename)
    return filename[:-1] if filename.endswith(".pyc") else filename


# The name of the package's module stands for all its files in filters.
_OWN_FOLDER = os.path.join(os.path.dirname(_normalize_filename(__file__)), "")
_OWN_FILE = f"{_OWN_FOLDER}__init__.py"


class BaseFilter:
    """What filters have in common.

    inclusive -- true to keep only the traces that match, false to drop them

    A class of one's own defines _match(raw_trace), which says whether the
    trace may stay as far as this filter is concerned.
    """

    def __init__(self, inclusive):
        self.inclusive = inclusive

    def _result(self, matches):
        """Return whether a trace may stay that matches, or does not."""
        return bool(matches) == bool(self.inclusive)

    def _match(self, trace):
        raise NotImplementedError


class Filter(BaseFilter):
    """Select traces by file name, and by line and domain if given.

    filename_pattern -- pattern in the manner of fnmatch.fnmatch(); read-only.
                        '.pyc' at its end stands for '.py'
    lineno           -- line number, or None for every line
    all_frames       -- true to look at all frames of the call path, false to
                        look at the most recent one only
    domain           -- address space, or None for all of them

    Filter(False, '<unknown>') drops the blocks that have no call path, and
    Filter(False, tracemalloc.__file__) those of this module itself.
    """

    _by_context = True

    def __init__(self, inclusive, filename_pattern,
                 # By default: every line, the newest frame, every domain.
                 lineno=None, all_frames=False, domain=None):
        BaseFilter.__init__(self, inclusive)
        self._filename_pattern = _normalize_filename(filename_pattern)
        self.lineno, self.all_frames = lineno, all_frames
        self.domain = domain

    @property
    def filename_pattern(self):
        """The pattern as it is compared (str)."""
        return self._filename_pattern

    def _names_file(self, filename):
        pattern = self._filename_pattern
        filename = _normalize_filename(filename)
        return (fnmatch(filename, pattern)
                or pattern == _OWN_FILE and filename.startswith(_OWN_FOLDER))

    def _names(self, filename, lineno):
        if not self._names_file(filename):
            return False
        return self.lineno is None or lineno == self.lineno

    def _names_any(self, frames):
        looked_at = frames if self.all_frames else (frames[0],)
        return any(self._names(*frame) for frame in looked_at)

    def _match_contexts(self, data, limit):
        matches = _matching(data, self._names_file, self.lineno,
                                   self.all_frames, limit)
        if self.domain is not None:
            matches = [match and domain == self.domain for match, domain
                       in zip(matches, data.context_domain)]
        return list(map(self._result, matches))

    def _match_frame(self, filename, lineno):
        return self._result(self._names(filename, lineno))

    def _match_traceback(self, traceback):
        return self._result(self._names_any(traceback))

    def _match(self, trace):
        matches = self._names_any(trace[2])
        if self.domain is not None:
            matches = matches and trace[0] == self.domain
        return self._result(matches)


class DomainFilter(BaseFilter):
    """Select traces by address space.

    domain -- number of the address space; read-only
    """

    _by_context = True

    @property
    def domain(self):
        """Number of the address space (int)."""
        return self._domain

    def _match(self, trace):
        return self._result(trace[0] == self._domain)

    def _match_contexts(self, data, limit):
        return [self._result(domain == self._domain)
                for domain in data.context_domain]

    def __init__(self, inclusive, domain):
        BaseFilter.__init__(self, inclusive)
        self._domain = domain


class FilterSet:
    """All filters of one filter_traces() call, asked at once."""

    def __init__(self, filters):
        self._including = []
        self._excluding = []
        # Our own classes say that they look at nothing but the domain and the
        # frames; then one answer serves all blocks that share both.  A class
        # derived from them may look at anything.
        self.by_context = True
        self._answers = {}
        for each in filters:
            if each.inclusive:
                self._including.append(each)
            else:
                self._excluding.append(each)
            if "_by_context" not in vars(type(each)):
                self.by_context = False

    def _ask(self, trace):
        if self._including:
            if not any(each._match(trace) for each in self._including):
                return False
        return all(each._match(trace) for each in self._excluding)

    def keeps(self, trace):
        if not self.by_context:
            return self._ask(trace)
        key = trace[0], id(trace[2])
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._ask(trace)
        return answer

    def selectors(self, data, limit):
        """Return a list of whether the traces of each context stay."""
        kept = [not self._including] * len(data)
        for each in self._including:
            kept = map(or_, kept, each._match_contexts(data, limit))
        for each in self._excluding:
            kept = map(and_, kept, each._match_contexts(data, limit))
        return list(kept)
