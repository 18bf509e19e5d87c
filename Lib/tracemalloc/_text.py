"""Text of sizes and frames, and of numbers."""

import linecache


def is_number(text):
    """Whether *text* is a number from 0 to 999999999, in ASCII digits."""
    return text.isascii() and text.isdigit() and len(text) < 10


def format_size(size, sign):
    """Return *size* bytes as text: '512 B', '9.8 KiB', '1536 KiB', '20.0 MiB'.

    The unit is the smallest that needs fewer than 10240 of it; below 100 of a
    unit other than the byte, one decimal is shown.  A true *sign* prints '+'
    before amounts that are not negative.
    """
    plus = "+" if sign else ""
    for unit in ("B", "KiB", "MiB", "GiB"):
        amount = abs(size)
        if amount < 100 and unit != "B":
            return f"{size:{plus}.1f} {unit}"
        if amount < 10240:
            return f"{size:{plus}.0f} {unit}"
        size /= 1024
    digits = 1 if abs(size) < 100 else 0
    return f"{size:{plus}.{digits}f} TiB"


def amount_text(what, size, count, about=""):
    """Return 'what 9.8 KiB (3 blocks)'; *about* stands before figures."""
    return (f"{what} {about}{format_size(size, False)} "
            f"({about}{count} block{'s' * (abs(count) != 1)})")


def average_text(size, count):
    """Return the ', average=...' end of a statistic, empty for no block."""
    return f", average={format_size(size / count, False)}" if count else ""


def frame_lines(frame, details):
    """Return the lines of Traceback.format() for one frame."""
    filename, lineno, *name = frame._frame
    if name:
        return [f"  {frame}"]
    text = f'  File "{filename}", line {lineno}'
    if details and frame.function is not None:
        text += f", in {frame.function}"
    line = linecache.getline(filename, lineno)
    source = line.strip()
    if not source:
        return [text]
    lines = [text, f"    {source}"]
    if details and frame.column is not None:
        marks = _marks(line, frame)
        if marks.strip() != "^" * len(source):
            lines.append(f"    {marks}")
    return lines


def _marks(line, frame):
    """Return blanks and '^' for the stripped *line* of the source."""
    encoded = line.encode(errors="surrogatepass")

    def characters(nbytes):
        return len(encoded[:nbytes].decode(errors="replace"))

    begin, end = characters(frame.column), len(line.rstrip())
    if frame.end_lineno in (None, frame.lineno):
        end = min(end, characters(frame.end_column))
    indent = len(line) - len(line.lstrip())
    return " " * (begin - indent) + "^" * (end - begin)
