"""Draw the pictures of Doc/design, as SVG.

    drawings.py FOLDER

Writes each of DRAWINGS.  They are narrow, so that a telephone shows them
whole, and have no colours of their own but two that are seen on light and on
dark: ink is what the page writes with.  Seen alone, they follow what the
reader's system prefers.  Every picture has a title and says in words what it
shows.
"""

import os
import sys
from xml.sax.saxutils import escape

WIDTH = 460

# Both have a contrast of more than 4 with white and with near black.
MARK = "#c9600f"
LINK = "#2b7bd0"

HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img"
     viewBox="0 0 {width} {height}" width="{width}" height="{height}">
<title>{title}</title>
<desc>{description}</desc>
<style>
svg.drawing {{ color: #1f2328; font: 13px system-ui, sans-serif }}
svg.drawing text {{ fill: currentColor }}
svg.drawing .code {{ font-family: ui-monospace, monospace; font-size: 12px }}
svg.drawing .name {{ font-weight: 600 }}
svg.drawing .soft {{ opacity: .75 }}
@media (prefers-color-scheme: dark) {{ svg.drawing {{ color: #d8dde3 }} }}
</style>
"""


class Drawing:
    """Collects shapes; text() is the file."""

    def __init__(self, title, description, height):
        self._parts = [HEAD.format(width=WIDTH, height=height, title=title,
                                   description=description)]

    def text(self):
        return "".join([*self._parts, "</svg>\n"])

    def write(self, x, y, text, kind="", anchor="start", colour=None):
        given = f' class="{kind}"' if kind else ""
        given += f' text-anchor="{anchor}"' if anchor != "start" else ""
        given += f' style="fill: {colour}"' if colour else ""
        self._parts.append(
            f'<text x="{x}" y="{y}"{given}>{escape(text)}</text>\n')

    def box(self, x, y, width, height, colour="currentColor", fill=.06,
            dashed=False):
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self._parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" '
            f'fill="{colour}" fill-opacity="{fill}" stroke="{colour}"'
            f'{dash}/>\n')

    def named(self, x, y, width, height, text, kind="name", **look):
        self.box(x, y, width, height, **look)
        self.write(x + width / 2, y + height / 2 + 4.5, text, kind, "middle")

    def line(self, *points, colour="currentColor", dashed=False, arrow=False):
        """A line through points; an arrow's last part is level or upright."""
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        path = " ".join(f"{x},{y}" for x, y in points)
        self._parts.append(f'<polyline points="{path}" fill="none" '
                           f'stroke="{colour}" stroke-width="1.3"{dash}/>\n')
        if arrow:
            (x0, y0), (x, y) = points[-2:]
            dx, dy = (x > x0) - (x < x0), (y > y0) - (y < y0)
            head = ((x, y), (x - 7 * dx - 4 * dy, y - 7 * dy - 4 * dx),
                    (x - 7 * dx + 4 * dy, y - 7 * dy + 4 * dx))
            path = " ".join(f"{a},{b}" for a, b in head)
            self._parts.append(f'<polygon points="{path}" fill="{colour}"/>\n')


def flow():
    drawing = Drawing(
        "A block's way",
        "From the allocator's hooks, or those of the sampler, by capture to "
        "the store, and from the store by a snapshot to statistics, reports "
        "and files.", 366)
    rows = (
        ("program", "asks for memory, and frees it"),
        ("hooks", ""),
        ("capture", "which context are the calls on the stack?"),
        ("store", ""),
        ("snapshot", "contexts and sizes in columns"),
        ("class Snapshot", "statistics, comparisons, reports, files"))
    for number, (name, text) in enumerate(rows):
        y = 8 + 60 * number
        last = number == len(rows) - 1
        drawing.named(8, y, 112, 34, name,
                      colour="currentColor" if number in (0, 5) else LINK,
                      fill=.06 if number in (0, 5) else .16)
        drawing.write(134, y + 21, text)
        if not last:
            drawing.line((64, y + 34), (64, y + 60), arrow=True,
                         dashed=number == 3)
    drawing.line((64, 55), (190, 55), (190, 68), arrow=True)
    drawing.write(200, 60, "with a sampling interval", "soft")
    drawing.named(134, 68, 112, 34, "sampler", colour=LINK, fill=.16)
    drawing.line((190, 102), (190, 115), (64, 115))
    drawing.write(258, 81, "serve the request; note,")
    drawing.write(258, 99, "forget, move: all, or samples")
    drawing.write(134, 201, "the number of the context, beside the block;")
    drawing.write(134, 219, "what each context holds, and held at the peak")
    drawing.write(76, 240, "when somebody asks", "soft")
    return drawing.text()


def cells():
    drawing = Drawing(
        "Cells beside a pool",
        "Each block of a pool has a cell of four bytes in the pool's row: "
        "where the block lies in the pool tells where its cell is.", 236)
    drawing.write(8, 20, "pool of 16 KiB, blocks of one size", "name")
    drawing.write(8, 112, "its row: a cell for each", "name")
    held = ("17", "17", "", "902", "17", "", "")
    for number, context in enumerate(held):
        x = 8 + 63 * number
        drawing.box(x, 30, 60, 40, fill=.16 if context else .02,
                    dashed=not context)
        drawing.write(x + 30, 54, "block" if context else "free", "soft",
                      "middle")
        drawing.named(x, 122, 60, 28, context or "0", "code",
                      colour=LINK if context else "currentColor",
                      fill=.16 if context else .02, dashed=not context)
    x = 8 + 63 * 3 + 30
    drawing.line((x, 70), (x, 122), colour=MARK, arrow=True)
    drawing.write(x + 8, 92, "same place", colour=MARK)
    drawing.line((x, 150), (x, 176), colour=MARK, arrow=True)
    drawing.named(90, 178, 200, 28, "context 902", "code")
    drawing.named(292, 178, 96, 28, "slack 3", "code")
    drawing.write(190, 224, "25 bits", "soft", "middle")
    drawing.write(340, 224, "7 bits", "soft", "middle")
    return drawing.text()


def tree():
    drawing = Drawing(
        "The tree of calls, with contexts",
        "Frame nodes, one for each call site under its callers, and at their "
        "ends contexts, the instructions that allocate, with counters.", 286)
    nodes = ((120, 8, "root"), (120, 62, "main.py:40"),
             (20, 116, "load.py:12"), (20, 170, "json.py:9"))
    for x, y, text in nodes:
        drawing.named(x, y, 120, 30, text, "code")
    for (x, y), (to_x, to_y) in (((180, 38), (180, 62)),
                                 ((80, 146), (80, 170))):
        drawing.line((x, y), (to_x, to_y))
    drawing.line((180, 92), (180, 104), (80, 104), (80, 116))
    for x, y, text, counters in (
            (8, 228, "list.py:7, instr. 31", "3 blocks, 412 B"),
            (226, 116, "report.py:9, instr. 4", "90 blocks, 8 KiB")):
        drawing.named(x, y, 174, 28, text, "code", colour=LINK, fill=.16)
        drawing.write(x + 87, y + 44, counters, "soft", "middle")
    drawing.line((80, 200), (80, 228), colour=LINK)
    drawing.line((180, 92), (180, 104), (312, 104), (312, 116), colour=LINK)
    drawing.write(256, 28, "frame node: line under its", "soft")
    drawing.write(256, 46, "callers, 16 bytes", "soft")
    drawing.write(232, 190, "context: instruction under its",
                  colour=LINK)
    drawing.write(232, 208, "callers, 24 bytes", colour=LINK)
    return drawing.text()


def cache():
    drawing = Drawing(
        "A thread's cache, and marks on frames",
        "The walk goes down from the newest frame and ends at the first frame "
        "that is marked: it has not returned since, nor have its callers, and "
        "the cache has all of them.", 300)
    drawing.write(8, 20, "stack, newest frame on top", "name")
    drawing.write(262, 20, "the thread's cache", "name")
    frames = (("append()", None), ("add()", None), ("index()", "report.py:9"),
              ("build()", "load.py:12"), ("main()", "main.py:40"))
    for number, (name, entry) in enumerate(frames):
        y = 32 + 46 * number
        drawing.named(8, y, 112, 32, name, "code",
                      fill=.16 if entry else .02, dashed=not entry)
        if entry:
            drawing.box(126, y, 20, 32, colour=MARK, fill=.5)
            drawing.named(262, y, 190, 32, f"node of {entry}", "code",
                          colour=LINK, fill=.16)
            drawing.line((262, y + 16), (146, y + 16), colour=LINK,
                         dashed=True)
    drawing.write(154, 54, "new since the last capture:", "soft")
    drawing.write(154, 72, "not marked, walked, entered", "soft")
    drawing.line((136, 38), (136, 122), colour=MARK, arrow=True)
    drawing.write(154, 104, "the walk ends at a mark", colour=MARK)
    drawing.box(8, 270, 20, 20, colour=MARK, fill=.5)
    drawing.write(36, 285, "mark: in the cache; a frame is born without one",
                  "soft")
    return drawing.text()


def answers():
    drawing = Drawing(
        "From C to a list of statistics",
        "What takes a snapshot, a file or raw traces become columns; these "
        "are grouped and ranked, or read as a sequence of traces.", 262)
    for number, text in enumerate(("_take_snapshot()", "a file",
                                   "raw traces")):
        y = 8 + 50 * number
        drawing.named(8, y, 130, 30, text, "code")
        drawing.line((138, y + 15), (154, y + 15), (154, 73))
    drawing.line((154, 73), (172, 73), arrow=True)
    drawing.named(172, 58, 122, 30, "SnapshotData", "code", colour=LINK,
                  fill=.16)
    drawing.line((294, 73), (330, 73), arrow=True)
    for x, y, text in ((172, 112, "Groups"), (172, 166, "ranking()"),
                       (172, 220, "Statistic, ..."), (330, 112, "Trace, ...")):
        drawing.line((x + 61, y - 24), (x + 61, y), arrow=True)
        drawing.named(x, y, 122, 30, text, "code")
    drawing.named(330, 58, 122, 30, "Blocks", "code")
    return drawing.text()


DRAWINGS = {"flow.svg": flow, "cells.svg": cells, "tree.svg": tree,
            "cache.svg": cache, "answers.svg": answers}


def main(folder):
    for name, draw in DRAWINGS.items():
        with open(os.path.join(folder, name), "w",
                  encoding="utf-8") as stream:
            stream.write(draw())


if __name__ == "__main__":
    main(*sys.argv[1:])
