"""Draw what a command shows on a terminal, in its colours, as SVG."""

import re
from xml.sax.saxutils import escape

CELL, LINE, EDGE = 7.2, 17, 14          # width, height, margin

# How the attributes look that the command line uses.
LOOKS = {"": "", "0": "", "1": ' font-weight="700"', "2": ' fill="#98a1ad"',
         "31": ' fill="#ff7b72"', "32": ' fill="#7ee787"',
         "33": ' fill="#e3b341"', "36": ' fill="#79c0ff"'}

_PIECE = re.compile(r"(?:\033\[([\d;]*)m)?([^\033]*)")

HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" role="img"
     viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}">
<title>{title}</title>
<rect width="100%" height="100%" rx="6" fill="#16181d"/>
<g fill="#e6e8eb" font-family="ui-monospace, monospace" font-size="12">
"""


def pieces(line):
    """Return (column, look, text) of the parts of a line."""
    found = []
    column = 0
    for codes, text in _PIECE.findall(line):
        if text:
            found.append((column, LOOKS[codes], text))
            column += len(text)
    return found, column


def draw(command, lines):
    """Return the picture of a command and of the lines that it prints."""
    lines = [f"\033[2m$ \033[0m{command}", *lines]
    rows, widths = zip(*map(pieces, lines))
    parts = [HEAD.format(title=escape(command),
                         width=max(widths) * CELL + 2 * EDGE,
                         height=len(rows) * LINE + 2 * EDGE - 5)]
    for number, row in enumerate(rows):
        y = EDGE + 12 + number * LINE
        for column, look, text in row:
            # Each at its place: a viewer makes one of several blanks.
            for words in re.finditer(r"\S+(?: \S+)*", text):
                x = EDGE + (column + words.start()) * CELL
                parts.append(
                    f'<text x="{x:.1f}" y="{y}" '
                    f'textLength="{len(words[0]) * CELL:.1f}"{look}>'
                    f"{escape(words[0])}</text>\n")
    return "".join([*parts, "</g>\n</svg>\n"])
