# torture: written by hand
# options: -X tracemalloc=25
# malloc: pymalloc
# what it showed: a crash in capture_resumed(), which followed a generator that
#   C resumes in a thread without a Python frame to a caller that is not there
from kit import *
begin(__file__)


def inner():
    while True:
        try:
            yield keep(bytearray(1))
        except Oops:
            look(bytearray(2))


def g0():
    yield from inner()


async def c0():
    while True:
        try:
            await c1()
        except Oops:
            look(bytearray(3))


async def c1():
    await pause()


def step1():
    for thing in inner(), g0(), c0():
        spawn_calls(thing, 'ssstttsttkc')
        join_all()


if __name__ == '__main__':
    run([step1], lambda: finish(True))
