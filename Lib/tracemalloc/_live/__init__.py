"""The live view: what a program holds, while it runs.

    source      reads records again and again
    model       what is shown of them, and what keys change; knows no terminal
    curve       traced and resident memory over time, as characters
    view        draws a model on a display
    display     a terminal, or a table of characters for tests
    loop        reads, draws and waits for keys

Everything here is loaded by `python -m tracemalloc live` only.
"""
