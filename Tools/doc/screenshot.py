"""Take the picture of the viewer that Doc/using/tracemallocqt.rst shows.

    PYTHON screenshot.py FILE.png BEFORE.tmz AFTER.tmz

PYTHON is one that has the fork's tracemalloc and PySide6.  No screen is
needed.
"""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


def main(target, *files):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.path.insert(0, os.path.join(ROOT, "Tools", "tracemallocqt"))
    import model
    import window
    application = window.QApplication([])
    view = window.Window(model.Session(files))
    view.resize(1000, 440)
    view.show()
    view.table.selectRow(0)
    application.processEvents()
    if not view.grab().save(target):
        sys.exit(f"screenshot.py: {target} cannot be written")


if __name__ == "__main__":
    main(*sys.argv[1:])
