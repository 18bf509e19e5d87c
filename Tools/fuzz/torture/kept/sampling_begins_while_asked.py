# torture: seeds 1013, 1015, 49 and 56 of the first evening, written by hand
# options:
# malloc: pymalloc
# what it showed: a deadlock of start() with a sample interval, which gave the
#   GIL away with the tracer's lock in hand, and of who asked the tracer then
from kit import *
begin(__file__)


def f0(*args):
    for number in range(200):
        trace_peak()
        trace_seed(number)


def step1():
    spawn(f0)
    spawn(f0)
    for _ in range(60):
        trace_off_and_on(4)
    join_all()


if __name__ == '__main__':
    run([step1], lambda: finish(True))
