"""What the tests of profiles share: a reader of them, from the description of
the format alone, which knows nothing of the writer.
"""
import gzip
from collections import Counter
from types import SimpleNamespace

# Message -> number of a field -> (name, what it is); a list is repeated.
PROFILE = {
    1: ("sample_type", ["value_type"]), 2: ("sample", ["sample"]),
    3: ("mapping", ["mapping"]), 4: ("location", ["location"]),
    5: ("function", ["function"]), 6: ("string_table", [str]),
    7: ("drop_frames", int), 8: ("keep_frames", int), 9: ("time_nanos", int),
    10: ("duration_nanos", int), 11: ("period_type", "value_type"),
    12: ("period", int), 13: ("comment", [int]),
    14: ("default_sample_type", int),
}
MESSAGES = {
    "profile": PROFILE,
    "value_type": {1: ("type", int), 2: ("unit", int)},
    "sample": {1: ("location_id", [int]), 2: ("value", [int]),
               3: ("label", ["label"])},
    "label": {1: ("key", int), 2: ("str", int), 3: ("num", int),
              4: ("num_unit", int)},
    "mapping": {1: ("id", int), 2: ("memory_start", int),
                3: ("memory_limit", int), 4: ("file_offset", int),
                5: ("filename", int), 6: ("build_id", int),
                7: ("has_functions", int), 8: ("has_filenames", int),
                9: ("has_line_numbers", int), 10: ("has_inline_frames", int)},
    "location": {1: ("id", int), 2: ("mapping_id", int), 3: ("address", int),
                 4: ("line", ["line"]), 5: ("is_folded", int)},
    "line": {1: ("function_id", int), 2: ("line", int), 3: ("column", int)},
    "function": {1: ("id", int), 2: ("name", int), 3: ("system_name", int),
                 4: ("filename", int), 5: ("start_line", int)},
}


def integer(data, at):
    """Return the integer at a place, and the place behind it."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    assert shift <= 70
    return number - (1 << 64) if number >> 63 else number, at


def message(kind, data):
    """Return a message as an object with all its fields."""
    fields = MESSAGES[kind]
    found = SimpleNamespace(**{
        name: [] if isinstance(what, list) else 0
        for name, what in fields.values()})
    at = 0
    while at < len(data):
        tag, at = integer(data, at)
        name, what = fields[tag >> 3]
        repeated = isinstance(what, list)
        what = what[0] if repeated else what
        value, at = integer(data, at)
        if tag & 7 == 2:
            content, at = data[at:at + value], at + value
            assert at <= len(data)
            value = [content.decode() if what is str else
                     packed(content) if what is int else
                     message(what, content)]
            value = value[0] if what is int else value
        else:
            assert tag & 7 == 0 and what is int, (name, tag)
            value = [value]
        if repeated:
            getattr(found, name).extend(value)
        else:
            setattr(found, name, value[0])
    return found


def packed(content):
    found, at = [], 0
    while at < len(content):
        number, at = integer(content, at)
        found.append(number)
    return found


class Profile:
    """A profile as texts and numbers.

    types   -- ((type, unit), ...)
    samples -- {(frames, labels): numbers}; frames are (name, file, line), the
               oldest first, labels a tuple of (key, text)
    """

    def __init__(self, data):
        raw = message("profile", gzip.decompress(data))
        self.raw = raw
        text = raw.string_table.__getitem__
        assert raw.string_table[0] == ""
        assert len({*raw.string_table}) == len(raw.string_table)
        for table in raw.mapping, raw.function, raw.location:
            assert [each.id for each in table] == list(
                range(1, len(table) + 1))
        self.types = tuple((text(each.type), text(each.unit))
                           for each in raw.sample_type)
        self.shown = text(raw.default_sample_type)
        self.period = (text(raw.period_type.type),
                       text(raw.period_type.unit), raw.period)
        self.time, self.duration = raw.time_nanos, raw.duration_nanos
        self.comments = list(map(text, raw.comment))
        self.programs = [text(each.filename) for each in raw.mapping]
        self.addresses = {}
        frames = [None]
        for location in raw.location:
            line, = location.line
            function = raw.function[line.function_id - 1]
            frame = text(function.name), text(function.filename), line.line
            assert location.mapping_id == 1 and location.address > 0
            assert self.addresses.setdefault(
                location.address, frame) == frame
            frames.append(frame)
        self.samples = {}
        self.repeated = 0
        for sample in raw.sample:
            assert len(sample.value) == len(self.types)
            assert any(sample.value) and sample.location_id
            key = (tuple(map(frames.__getitem__, sample.location_id[::-1])),
                   tuple((text(label.key), text(label.str))
                         for label in sample.label))
            self.repeated += key in self.samples
            before = self.samples.get(key, [0] * len(self.types))
            self.samples[key] = list(map(sum, zip(before, sample.value)))

    def total(self, kind):
        index = [name for name, _ in self.types].index(kind)
        return sum(values[index] for values in self.samples.values())

    def by(self, key, kind):
        """Return {key(newest frame, labels): number}, without what is 0."""
        index = [name for name, _ in self.types].index(kind)
        found = Counter()
        for (frames, labels), values in self.samples.items():
            found[key(frames[-1], dict(labels))] += values[index]
        return {key: number for key, number in found.items() if number}

    def by_line(self, kind):
        return self.by(lambda frame, labels: frame[1:], kind)
