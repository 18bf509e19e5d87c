"""Captures of random programs: see test/tracemalloc_flows.py.

Short here, and always the same; Tools/fuzz/flows.py goes on for as long as
one likes.
"""
import unittest
from test.tracemalloc_flows import check_flow
from test.tracemalloc_recorder import CaptureTest

PROGRAMS = 200


class FlowTests(CaptureTest):
    def test_random_programs(self):
        self.at_least = 100 * PROGRAMS
        for number in range(PROGRAMS):
            with self.subTest(number=number):
                self.checked += check_flow(number)


if __name__ == "__main__":
    unittest.main()
