"""Reading, drawing and waiting for keys, over and over."""

import time

from tracemalloc._live.view import View


def run(source, model, display, clock=time.monotonic):
    """Show what a source reads until somebody has had enough.

    A record that takes long to read is read less often, so that looking at it
    takes half of the time of one processor at most.
    """
    view = View(model, display)
    due = clock()
    while True:
        if clock() >= due and not model.paused:
            begun = clock()
            model.take(source.read())
            model.rows()
            due = clock() + max(model.every, clock() - begun)
        view.draw()
        key = display.key(max(due - clock(), 0.01) if not model.paused
                          else model.every)
        if key is not None:
            every = model.every
            if not model.press(key):
                return
            if model.every != every:
                due = min(due, clock() + model.every)
