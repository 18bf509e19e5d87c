"""Tests of what the runner reads of the sanitizers' reports."""
import pathlib
import tempfile
import textwrap
import unittest

import known
import results
import sanitizers

ADDRESS = """\
=================================================================
==117==ERROR: AddressSanitizer: heap-use-after-free on address 0x60300 at pc 0x5649 bp 0x7ffd
WRITE of size 4 at 0x60300 thread T0
    #0 0x7f6a in __interceptor_memcpy ../../src/libsanitizer/asan/asan_interceptors.cpp:22
    #1 0x5649 in context_child ../tree/Python/tracemalloc_contexts.c:60
    #2 0x5650 in main Programs/python.c:9
    #3 0x7f6b (/usr/lib/libc.so.6+0x27249)

SUMMARY: AddressSanitizer: heap-use-after-free ../tree/Python/tracemalloc_contexts.c:60
"""
UNDEFINED = """\
/base/Objects/longobject.c:{line}:56: runtime error: left shift of negative value -{line}
    #0 0x560c in shift_left /base/Objects/longobject.c:{line}
    #1 0x560d in main Programs/python.c:8

"""
REFUSED = ("==12==WARNING: AddressSanitizer failed to allocate "
           "0x4000000000000000 bytes\n")
SHIFT = ("undefined:left-shift-of-negative-value-N",
         "Objects/longobject.c:shift_left")
FREED = ("AddressSanitizer:heap-use-after-free",
         "Python/tracemalloc_contexts.c:context_child")


class ReadTests(unittest.TestCase):

    def read(self, text):
        return [report[:2] for report in sanitizers.read_report(text)]

    def test_a_report_is_known_by_kind_and_place(self):
        self.assertEqual(self.read(ADDRESS), [FREED])
        self.assertEqual(self.read(UNDEFINED.format(line=7)), [SHIFT])

    def test_several_in_one_file(self):
        text = UNDEFINED.format(line=7) + UNDEFINED.format(line=8) + ADDRESS
        self.assertEqual(self.read(text), [SHIFT, SHIFT, FREED])
        self.assertEqual(self.read(ADDRESS * 2), [FREED, FREED])

    def test_what_was_refused_is_no_report(self):
        self.assertEqual(self.read(REFUSED * 2), [])
        self.assertEqual(self.read(REFUSED + ADDRESS), [FREED])

    def test_a_library_without_source(self):
        text = ("==7==ERROR: AddressSanitizer: SEGV on unknown address 0x0\n"
                "    #0 0x7f5c (/lib/libffi.so.8+0x6f79)\n"
                "    #1 0x7f5b in ffi_call (/lib/libffi.so.8+0x6b0c)\n")
        self.assertEqual(self.read(text),
                         [("AddressSanitizer:SEGV", "libffi.so.8:ffi_call")])

    def test_inline_functions_of_headers_are_no_place(self):
        text = ("==7==ERROR: AddressSanitizer: "
                "heap-use-after-free on address 0x613\n"
                "READ of size 8 at 0x613 thread T1\n"
                "    #0 0x7f in _Py_atomic_load "
                "../tree/Include/cpython/pyatomic_gcc.h:347\n"
                "    #1 0x7e in drop_gil ../tree/Python/ceval_gil.c:276\n\n"
                "freed by thread T0 here:\n"
                "    #0 0x7d in free ../tree/Objects/obmalloc.c:91\n")
        self.assertEqual(self.read(text), [
            ("AddressSanitizer:heap-use-after-free",
             "Python/ceval_gil.c:drop_gil")])
        header = text.partition("    #1")[0]
        self.assertEqual(self.read(header),
                         [("AddressSanitizer:heap-use-after-free",
                           "Include/cpython/pyatomic_gcc.h:_Py_atomic_load")])

    def test_without_a_stack(self):
        text = ("/base/Objects/longobject.c:7:2: runtime error: signed "
                "integer overflow: 1 + 2\n")
        self.assertEqual(self.read(text),
                         [("undefined:signed-integer-overflow:-N-+-N",
                           "Objects/longobject.c:?")])

    def test_what_cannot_be_read_is_not_lost(self):
        self.assertEqual(self.read("ERROR: Failed to mmap\n"),
                         [("unreadable", "?")])
        self.assertEqual(self.read("\n"), [])


class CaseTests(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.prefix = pathlib.Path(folder.name) / "test_x.off.sanitizers"

    def report(self, name, text):
        self.prefix.with_name(f"{self.prefix.name}.{name}").write_text(
            text, encoding="utf-8")

    def suppressions(self, text):
        path = self.prefix.with_name("suppressions.txt")
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return sanitizers.read_suppressions(path)

    def cases(self, suppressions=()):
        return [(case.id, case.outcome)
                for case in sanitizers.read_cases(self.prefix, "test_x",
                                                  suppressions)]

    def test_nothing_said_is_a_pass(self):
        self.assertEqual(self.cases(),
                         [("sanitizers: test_x", results.PASSED)])
        self.report("address.3", REFUSED)
        self.assertEqual(self.cases(),
                         [("sanitizers: test_x", results.PASSED)])

    def test_reports_of_all_processes_count_once(self):
        self.report("undefined.3", UNDEFINED.format(line=7))
        self.report("undefined.4", UNDEFINED.format(line=9))
        self.report("address.4", ADDRESS)
        self.assertEqual(self.cases(), [(" ".join(FREED), results.FAILED),
                                        (" ".join(SHIFT), results.FAILED)])
        shift = sanitizers.read_cases(self.prefix, "test_x", ())[1]
        self.assertIn("reported 2 times", shift.detail)
        self.assertIn("longobject.c:7:56", shift.detail)
        sanitizers.remove_reports(self.prefix)
        self.assertEqual(self.cases(),
                         [("sanitizers: test_x", results.PASSED)])

    def test_suppressions_have_reasons(self):
        entries = self.suppressions("""\
            # a remark
            undefined:left-shift* Objects/longobject.c:* Every compiler shifts like this.
            """)
        self.report("undefined.3", UNDEFINED.format(line=7))
        self.report("address.4", ADDRESS)
        self.assertEqual(self.cases(entries),
                         [(" ".join(FREED), results.FAILED),
                          (" ".join(SHIFT), results.SKIPPED)])
        case = sanitizers.read_cases(self.prefix, "test_x", entries)[1]
        self.assertEqual(case.detail, "Every compiler shifts like this.")
        with self.assertRaisesRegex(known.BadList,
                                    r":1: expected: KIND PLACE REASON"):
            self.suppressions("undefined:* Objects/longobject.c:*\n")

    def test_ours_are_not_suppressed(self):
        for entry in sanitizers.read_suppressions(
                pathlib.Path(__file__).with_name("sanitize-suppressions.txt")):
            self.assertNotIn("tracemalloc", entry.place)

    def test_both_kinds_report_into_files_of_their_own(self):
        found = sanitizers.options(self.prefix)
        self.assertIn(f"log_path={self.prefix}.address:",
                      found["ASAN_OPTIONS"])
        self.assertIn(f"log_path={self.prefix}.address:",
                      found["UBSAN_OPTIONS"])
        self.assertEqual(found["UNDEFINED_REPORTS"],
                         f"{self.prefix}.undefined")


if __name__ == "__main__":
    unittest.main()
