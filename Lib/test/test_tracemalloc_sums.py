"""The functions that add up call paths, asked by who means no good.

In processes of their own, which may crash.
"""
import textwrap
import unittest
from test.support import import_helper, script_helper

import_helper.import_module("_tracemalloc")


class HostileTests(unittest.TestCase):

    def run_script(self, code):
        script_helper.assert_python_ok("-c", textwrap.dedent("""\
            import _tracemalloc
            from array import array

            class Changing:
                '''A column that changes another one when it is looked at.'''

                def __init__(self, numbers, change):
                    self.numbers, self.change = numbers, change

                def __buffer__(self, flags):
                    self.change()
                    return memoryview(self.numbers)

            def refused(function, *arguments):
                try:
                    found = function(*arguments)
                except (ValueError, MemoryError, OverflowError):
                    return
                raise AssertionError(len(found))

            """) + textwrap.dedent(code))

    def test_parents_that_change_while_columns_are_fetched(self):
        self.run_script("""
            for wrong in ({9: 10, 10: 9}, {7: 2**32 - 2}, {9: 9}):
                parents = array("I", [0, *range(999)])
                def change():
                    for path, parent in wrong.items():
                        parents[path] = parent
                frames = Changing(array("I", range(1000)), change)
                refused(_tracemalloc._fold_paths, parents, 9, 65535, frames)
                parents = array("I", [0, *range(999)])
                refused(_tracemalloc._rank_paths, parents, frames)
                parents = array("I", [0, *range(999)])
                values = Changing(array("Q", range(1000)), change)
                refused(_tracemalloc._sum_paths, parents, parents, values)
                parents = array("I", [0, *range(999)])
                refused(_tracemalloc._sum_callers, parents, parents, 999,
                        parents, values, 0)
            """)

    def test_numbers_that_change_while_values_are_fetched(self):
        self.run_script("""
            numbers = array("I", [0] * 1000)
            def change():
                numbers[:] = array("I", [2**32 - 2] * 1000)
            values = Changing(array("Q", range(1000)), change)
            refused(_tracemalloc._sum_rows, numbers, 1, values)
            """)

    def test_places_that_change_while_a_column_is_fetched(self):
        self.run_script("""
            for picked in array("I", range(9)), array("Q", range(9)):
                places = array("I", [0] * 1000)
                def change():
                    places[:] = array("I", [2**32 - 2] * 1000)
                refused(_tracemalloc._pick_rows, Changing(picked, change),
                        places)
            # A column that has other numbers each time.
            class Turning:
                columns = [array("Q", range(9)), array("I", [0])] * 9

                def __buffer__(self, flags):
                    return memoryview(self.columns.pop())

            for _ in range(9):
                refused(_tracemalloc._pick_rows, Turning(), places)
            parents = array("I", [0, *range(999)])
            def turn():
                parents[9] = 10
                parents[10] = 9
            refused(_tracemalloc._list_stack, parents,
                    Changing(array("I", bytes(4000)), turn), [None], 999)
            """)

    def test_a_tuple_is_not_looked_for_before_the_file(self):
        self.run_script("""
            import struct, sys
            # A number, a number, a tuple of two.  Before bytes lies their
            # hash, which here ends in the first of these: so they stand
            # there once more, the first of them outside of the file.
            made = b"K\\1K\\2\\x86"
            last = 7 if sys.byteorder == "little" else 0
            number = 0
            while True:
                data = made[1:] + made + b".%d" % number
                if struct.pack("n", hash(data))[last] == made[0]:
                    break
                number += 1
            # The only entry of a cache.
            cache = bytearray(struct.pack("=QII", 2**64 - 1, len(made), 0))
            _, stack, _ = _tracemalloc._read_tuples(
                data, len(made) - 1, [], [], [("wrong",)], {}, None, cache,
                1 << 20)
            assert stack == [(1, 2)], stack
            """)

    def test_more_groups_than_there_is_memory_for(self):
        self.run_script("""
            for n in 2**64 - 1, 2**63, 2**32 - 1, 2**32:
                refused(_tracemalloc._group_rows, array("I", [0, 1]), n)
            """)

    def test_more_sums_than_there_is_memory_for(self):
        self.run_script("""
            numbers = array("I", [0, 2**32 - 2])
            values = array("Q", [1, 1])
            for n in 2**64 - 1, 2**64 - 2, 2**63, 2**62, 2**60:
                for wanted in values, [1, 1], [1.5, 1.5]:
                    refused(_tracemalloc._sum_rows, numbers, n, wanted)
                    refused(_tracemalloc._sum_callers, array("I", [0, 0]),
                            numbers, n, array("I", [0, 1]), wanted, 0)
            """)

    def test_rows_of_which_one_number_undoes_another(self):
        # Each row alike, if the parent and the frame were just combined: that
        # would be a thousand times as long as allowed.
        self.run_script("""
            import resource
            resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
            n = 1_200_000
            parents = array("I", [0, *range(n - 1)])
            for frames in (parents, array("I", [5 ^ p for p in parents])):
                found, sources, places = _tracemalloc._fold_paths(
                    parents, 1, 2**32 - 1, frames)
                assert len(memoryview(found).cast("I")) == n
            """)


if __name__ == "__main__":
    unittest.main()
