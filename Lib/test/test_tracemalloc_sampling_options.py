"""Sampling: the options and arguments that ask for it, and what they begin.
"""
import os
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import unittest
from test.support import check_sanitizer, import_helper, os_helper
from test.test_tracemalloc_sampling import ScriptTests, run

_tracemalloc = import_helper.import_module("_tracemalloc")

STATE = ("import sys, tracemalloc as t; print(t.is_tracing(), "
         "t.get_traceback_limit(), t.get_sample_interval(), "
         "sys._xoptions.get('tracemalloc'))")

OPTION = "-X tracemalloc=NFRAME,KEY=VALUE: "
VARIABLE = "PYTHONTRACEMALLOC: "
FATAL = "Fatal Python error: config_init_tracemalloc: "
LARGEST = 1 << 40


class OptionTests(unittest.TestCase):

    def state(self, text, expected):
        """Check what the command line and the variable begin with."""
        process = run("-X", f"tracemalloc={text}", "-c", STATE)
        self.assertEqual(process.stdout, f"{expected} {text}\n",
                         process.stderr)
        process = run("-c", STATE, variables={"PYTHONTRACEMALLOC": text})
        self.assertEqual(process.stdout, f"{expected} None\n", process.stderr)

    def fatal(self, text, message):
        """Check that both are refused, in one line."""
        for origin, arguments, variables in [
                (OPTION, ("-X", f"tracemalloc={text}"), {}),
                (VARIABLE, (), {"PYTHONTRACEMALLOC": text})]:
            process = run(*arguments, "-c", "print('reached')",
                          variables=variables)
            self.assertEqual((process.returncode, process.stdout), (1, ""),
                             text)
            first, *rest = process.stderr.splitlines()
            self.assertEqual(first, FATAL + origin + message)
            self.assertEqual(rest,
                             ["Python runtime state: preinitialized", ""])

    def test_sizes(self):
        for text, interval in [
                ("1", 1), ("524288", 524288), ("007", 7), ("1B", 1),
                ("1000B", 1000), ("1KiB", 1024), ("512KiB", 524288),
                ("3MiB", 3 << 20), ("2GiB", 2 << 30), ("1024GiB", LARGEST),
                (str(LARGEST), LARGEST), ("1TiB", LARGEST), ("1k", 1024),
                ("1Kb", 1024), ("512KB", 524288), ("1kib", 1024), ("7b", 7),
                ("3m", 3 << 20), ("3MB", 3 << 20), ("2G", 2 << 30),
                ("2gb", 2 << 30), ("1t", LARGEST), ("1TB", LARGEST),
                ("0001T", LARGEST)]:
            with self.subTest(text=text):
                self.state(f"25,sample={text}", f"True 25 {interval}")

    def test_what_is_no_size(self):
        message = ("'{}' is no sampling interval; give a number of bytes from "
                   "1 to 1TiB, with B, KB, MB, GB or TB behind it or nothing, "
                   "as in sample=512KB")
        for text in ["", "0", "0KiB", "-1", "+1", " 1", "1 ", "1.5MiB", "1e6",
                     "0x10", "1_000", "1Ki", "1KBi", "1KK", "1iB", "1BB", "1P",
                     "1BiB", "K", "KiB", "1KiBB", "1 KiB", "1025GiB", "2TiB",
                     str(LARGEST + 1), "9" * 50, "1=2",
                     # These were 2**64 and a bit.
                     "17179869185GiB", f"{2 ** 34 + 1}G", f"{2 ** 24 + 1}T"]:
            with self.subTest(text=text):
                self.fatal(f"25,sample={text}", message.format(text))
        self.fatal("25,sample", message.format(""))

    def test_unknown_keys(self):
        message = ("unknown key '{}'; there are 'sample', 'record' and "
                   "'record_size', as in 25,sample=512KiB,record")
        for text, key in [("25,", ""), ("25,,sample=1", ""),
                          ("25,sample=1,", ""), ("25,x", "x"),
                          ("25,smaple=1KiB", "smaple"),
                          ("25,Sample=1KiB", "Sample"),
                          ("25, sample=1KiB", " sample"), ("25,=1", ""),
                          ("25,26", "26"), ("25,sample=1,nframe=2", "nframe")]:
            with self.subTest(text=text):
                self.fatal(text, message.format(key))

    def test_a_key_may_be_given_once(self):
        self.fatal("25,sample=1,sample=1", "the key 'sample' is given twice")

    def test_bad_numbers_of_frames(self):
        self.fatal("0" * 40 + "1,sample=1KiB", "invalid number of frames")
        for text in "x", "-1", "1x", "1.5", "99999999999", "samp":
            with self.subTest(text=text):
                # As without keys, to the letter.
                for arguments, variables in [
                        ((f"-Xtracemalloc={text}{{}}",), {}),
                        ((), {"PYTHONTRACEMALLOC": text + "{}"})]:
                    plain, keyed = [
                        run(*[a.format(keys) for a in arguments], "-c", "",
                            variables={k: v.format(keys)
                                       for k, v in variables.items()})
                        for keys in ("", ",sample=1KiB")]
                    self.assertEqual((keyed.returncode, keyed.stderr),
                                     (1, plain.stderr))
                    self.assertIn("invalid number of frames\n", keyed.stderr)

    def test_keys_without_a_number_of_frames(self):
        for text in "record", "sample=1KiB", "record=/tmp,sample=1KiB":
            for comma in "", ",":
                self.fatal(comma + text, "the number of frames comes first, "
                           f"as in 25,{text}")

    def test_long_values_are_refused(self):
        self.fatal("25,sample=" + "0" * 9000 + "1", "the value is too long")

    def test_characters_outside_ascii(self):
        for locale in "C", "C.UTF-8":
            for mode in "0", "1":
                with self.subTest(locale=locale, mode=mode):
                    process = run(
                        "-X", "tracemalloc=25,s\u00e4mple=1".encode(), "-c",
                        "", variables={"LC_ALL": locale, "PYTHONUTF8": mode})
                    self.assertEqual(process.returncode, 1)
                    self.assertIn("unknown key 's??mple'", process.stderr)
                    process = run(
                        "-X", "tracemalloc=\u00e4,sample=1".encode(), "-c",
                        "", variables={"LC_ALL": locale, "PYTHONUTF8": mode})
                    self.assertEqual(process.returncode, 1)
                    self.assertIn("invalid number of frames", process.stderr)

    def test_no_frames_leave_tracing_off(self):
        self.state("0,sample=1KiB", "False 1 None")

    def test_too_many_frames_are_refused_as_ever(self):
        process = run("-X", "tracemalloc=65536,sample=1KiB", "-c",
                      "print('reached')")
        self.assertEqual((process.returncode, process.stdout), (1, ""))
        self.assertIn("can't start tracemalloc\n", process.stderr)
        self.assertIn("the number of frames must be in range [1; 65535]\n",
                      process.stderr)

    def test_the_command_line_takes_the_place_of_the_variable(self):
        variables = {"PYTHONTRACEMALLOC": "9,sample=2KiB"}
        for option, expected in [("tracemalloc=4", "True 4 None 4"),
                                 ("tracemalloc", "True 1 None True"),
                                 ("tracemalloc=0", "False 1 None 0"),
                                 ("tracemalloc=4,sample=1MiB",
                                  "True 4 1048576 4,sample=1MiB")]:
            process = run("-X", option, "-c", STATE, variables=variables)
            self.assertEqual(process.stdout, expected + "\n", process.stderr)
        process = run("-X", "tracemalloc=4,sample=1MiB", "-c", STATE,
                      variables={"PYTHONTRACEMALLOC": "7"})
        self.assertEqual(process.stdout, "True 4 1048576 4,sample=1MiB\n",
                         process.stderr)

    def test_a_bad_variable_is_fatal_although_the_option_wins(self):
        process = run("-X", "tracemalloc=4", "-c", "", variables={
            "PYTHONTRACEMALLOC": "9,sample=x"})
        self.assertEqual(process.returncode, 1)
        self.assertIn(VARIABLE + "'x' is no sampling interval", process.stderr)

    def test_the_variable_is_ignored_where_the_environment_is(self):
        for text in "9,sample=2KiB", "9,sample=x":
            process = run("-E", "-c", STATE,
                          variables={"PYTHONTRACEMALLOC": text})
            self.assertEqual(process.stdout, "False 1 None None\n",
                             process.stderr)

    def test_children_inherit_the_option(self):
        code = ("import subprocess, sys; args = "
                "subprocess._args_from_interpreter_flags(); print(args); "
                f"subprocess.run([sys.executable, *args, '-c', {STATE!r}])")
        process = run("-X", "tracemalloc=4,sample=3KiB", "-u", "-c", code)
        self.assertEqual(process.stdout,
                         "['-X', 'tracemalloc=4,sample=3KiB']\n"
                         "True 4 3072 4,sample=3KiB\n", process.stderr)

    def test_configuration_knows_the_number_of_frames(self):
        import_helper.import_module("_testinternalcapi")
        code = ("import _testinternalcapi as i; "
                "print(i.get_configs()['config']['tracemalloc'])")
        process = run("-X", "tracemalloc=12,sample=1KiB", "-c", code)
        self.assertEqual(process.stdout, "12\n", process.stderr)

    def test_help_names_the_key(self):
        process = run("--help-xoptions")
        self.assertIn("sample=", process.stdout)


class StartTests(ScriptTests):

    def setUp(self):
        if _tracemalloc.is_tracing():
            self.skipTest("tracing is on")
        self.addCleanup(_tracemalloc.stop)

    def test_interval(self):
        self.assertIsNone(_tracemalloc.get_sample_interval())
        for interval in 1, 524288, LARGEST:
            _tracemalloc.start(3, sample_interval=interval)
            self.assertEqual(_tracemalloc.get_sample_interval(), interval)
            self.assertEqual(_tracemalloc.get_traceback_limit(), 3)
            _tracemalloc.stop()
            self.assertIsNone(_tracemalloc.get_sample_interval())
        for arguments in ((), (5,)):
            _tracemalloc.start(*arguments, sample_interval=None)
            self.assertIsNone(_tracemalloc.get_sample_interval())
            _tracemalloc.stop()

    def test_bad_intervals(self):
        for interval in 0, -1, LARGEST + 1, 1 << 64, -1 << 64:
            with self.assertRaisesRegex(
                    ValueError, r"in range \[1; 1099511627776\], or None"):
                _tracemalloc.start(1, sample_interval=interval)
        for interval in "1", 1.5, b"1":
            with self.assertRaises(TypeError):
                _tracemalloc.start(1, sample_interval=interval)
        with self.assertRaises(TypeError):
            _tracemalloc.start(1, 2)
        with self.assertRaisesRegex(TypeError,
                                    "unexpected keyword argument 'interval'"):
            _tracemalloc.start(1, interval=2)
        with self.assertRaises(TypeError):
            _tracemalloc.start(nframe=1)
        self.assertFalse(_tracemalloc.is_tracing())

    @unittest.skipIf(check_sanitizer(address=True),
                     "its own library wants to be the first one")
    def test_a_system_without_random_numbers(self):
        compiler = (sysconfig.get_config_var("CC") or "cc").split()
        if sys.platform != "linux" or not shutil.which(compiler[0]):
            self.skipTest("no C compiler is here")
        library = os.path.join(self.enterContext(os_helper.temp_dir()),
                               "random.so")
        subprocess.run([*compiler, "-shared", "-fPIC", "-x", "c", "-o",
                        library, "-"],
                       text=True, check=True, input="""
            #define _GNU_SOURCE
            #include <errno.h>
            #include <sys/syscall.h>
            #include <unistd.h>
            int failing;
            ssize_t getrandom(void *buffer, size_t size, unsigned int flags)
            {
                if (failing) {
                    errno = EIO;
                    return -1;
                }
                return syscall(SYS_getrandom, buffer, size, flags);
            }
            """)
        process = run("-c", textwrap.dedent("""\
            import ctypes, os, _tracemalloc
            ctypes.c_int.in_dll(ctypes.CDLL(None), "failing").value = 1
            try:
                os.urandom(8)
            except OSError:
                print("no random numbers")
            _tracemalloc.start(1, sample_interval=1)
            kept = [bytes(100) for _ in range(100)]
            _tracemalloc._check()
            print(_tracemalloc.get_traced_memory()[0] >= 10000)
            """), variables={"LD_PRELOAD": library})
        self.assertEqual((process.stdout, process.stderr),
                         ("no random numbers\nTrue\n", ""))

    def test_starting_twice_changes_nothing(self):
        _tracemalloc.start(2, sample_interval=1000)
        _tracemalloc.start(3)
        _tracemalloc.start(3, sample_interval=2000)
        self.assertEqual(_tracemalloc.get_sample_interval(), 1000)
        self.assertEqual(_tracemalloc.get_traceback_limit(), 2)
        _tracemalloc.stop()
        _tracemalloc.start(2)
        _tracemalloc.start(2, sample_interval=1000)
        self.assertIsNone(_tracemalloc.get_sample_interval())
        self.assertEqual(_tracemalloc._get_estimates(), [])

    def test_seeds_are_for_sampling_only(self):
        with self.assertRaisesRegex(RuntimeError, "call start"):
            _tracemalloc._seed_sampling(1)
        _tracemalloc.start()
        with self.assertRaisesRegex(RuntimeError, "call start"):
            _tracemalloc._seed_sampling(1)

    def test_from_one_kind_to_the_other_and_back(self):
        for interval in None, 1, None, 1000, 1, None:
            _tracemalloc.start(5, sample_interval=interval)
            kept = [bytes(700) for _ in range(100)] + [object()
                                                       for _ in range(100)]
            kept = [(a, bytearray(30)) for a in kept]
            _tracemalloc._check()
            if interval in (None, 1):
                self.assertIsNotNone(
                    _tracemalloc._get_object_traceback(kept[0][0]))
            _tracemalloc.stop()
            del kept


if __name__ == "__main__":
    unittest.main()
