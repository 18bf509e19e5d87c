"""What the sanitizers of gcc and clang had to say during a run.

Each process of a sanitized interpreter writes its reports into a file of its
own, wherever its stderr goes.  A report becomes a Case named for its kind and
place, without line numbers, so that the untouched base's can be compared.
"""
import collections
import fnmatch
import pathlib
import re
import subprocess

import known
import results

# What a process leaves to its end is no leak: arenas are mapped by obmalloc
# itself, and LeakSanitizer does not look for pointers in what it did not hand
# out.  Tests ask for more memory than there is, and want NULL.  They end
# processes by signals, and faulthandler has handlers of its own; a crash that
# is not meant fails its test.
ADDRESS = ("detect_leaks=0", "allocator_may_return_null=1", "handle_segv=0",
           "handle_sigbus=0", "handle_sigfpe=0", "handle_sigill=0",
           "handle_abort=0", "allow_user_segv_handler=1", "halt_on_error=0")
UNDEFINED = ("print_stacktrace=1", "halt_on_error=0")

# Two mistakes that nothing but a sanitizer minds: an int that overflows, and a
# read beyond a block.
PROBE = ("import ctypes; ctypes.CDLL(None).sanitizer_probe(2**31 - 1); "
         "block = ctypes.create_string_buffer(5000); "
         "ctypes.memmove(block, ctypes.addressof(block) + 2500, 2510)")
PROBED = {"undefined:signed-integer-overflow:",
          "AddressSanitizer:heap-buffer-overflow"}

Suppression = collections.namedtuple("Suppression", "kind place reason")

# Said where a program asks for too much and gets NULL, as it should.
REFUSED = re.compile(
    r"^==\d+==WARNING: \w+ failed to allocate 0x[0-9a-f]+ bytes\n", re.M)
ADDRESS_START = re.compile(r"^=+\n==\d+==(?:ERROR|WARNING): |^==\d+==ERROR: ",
                           re.M)
ADDRESS_KIND = re.compile(r"(?:ERROR|WARNING): (\w+Sanitizer): (.*)")
UNDEFINED_LINE = re.compile(r"^(\S+?):(\d+)(?::\d+)?: runtime error: (.*)$",
                            re.M)
STACK = re.compile(r"^ *#0 .*\n(?: *#\d+ .*\n?)*", re.M)
STACK_LINE = re.compile(
    r"^ *#\d+ 0x[0-9a-f]+ (?:in (\S+)(?: (\S+?))?(?::\d+)*(?: .*)?$|.*$)",
    re.M)

# Frames that are the sanitizer's own.
INTERCEPTED = re.compile(
    r"(__)?(interceptor|asan|ubsan|sanitizer)_|.*/libsanitizer/")


def read_suppressions(path):
    """The Suppressions of a file: KIND PLACE REASON,
    with the shell's wildcards.
    """
    entries = []
    for number, fields in known.data_lines(path, 3):
        if len(fields) != 3:
            raise known.BadList(f"{path}:{number}: expected: "
                                "KIND PLACE REASON")
        entries.append(Suppression(*fields))
    return entries


def options(prefix):
    """The variables that make processes report into files PREFIX.KIND.PID."""
    # With gcc the option of both is that of addresses:
    # see sanitizer_reports.c.
    log = f"log_path={prefix}.address"
    return {"ASAN_OPTIONS": ":".join([log, *ADDRESS]),
            "UBSAN_OPTIONS": ":".join([log, *UNDEFINED]),
            "UNDEFINED_REPORTS": f"{prefix}.undefined"}


def source_path(name):
    """A source file as it is called in the repository and in the base."""
    # A library without source: "(/lib/x.so.1+0x30)".
    if name.startswith("("):
        name = name.strip("()").partition("+")[0]
    match = re.search(r"(?:^|/)((?:Include|Lib|Modules|Objects|Parser|"
                      r"Programs|Python)/.*)", name)
    return match[1] if match else pathlib.PurePath(name).name


def first_place(text):
    """File and function of the first frame of the first stack
    that says something.

    The sanitizer's own frames do not,
    nor do small inline functions of headers.
    """
    stack = STACK.search(text)
    places = [f"{source_path(file) if file else '?'}:{function}"
              for function, file in STACK_LINE.findall(
                  stack[0] if stack else "")
              if function and not INTERCEPTED.match(function)
              and not INTERCEPTED.match(file)]
    outside = [place for place in places if not place.startswith("Include/")]
    return (outside or places or ["?"])[0]


def read_report(text):
    """Yield (kind, place, text) for every report of one process."""
    text = REFUSED.sub("", text)
    starts = sorted({match.start()
                     for pattern in (ADDRESS_START, UNDEFINED_LINE)
                     for match in pattern.finditer(text)})
    if text.strip() and not starts:
        yield "unreadable", "?", text
    for start, end in zip(starts, [*starts[1:], len(text)]):
        part = text[start:end]
        undefined = UNDEFINED_LINE.match(part)
        if undefined:
            file, _, message = undefined.groups()
            place = first_place(part)
            if not place.startswith(source_path(file) + ":"):
                place = f"{source_path(file)}:?"
            message = re.sub(r"(?<![a-zA-Z_])[-+]?(0x[0-9a-f]+|\d[\d.e+]*)",
                             "N", message)
            yield "undefined:" + message.replace(" ", "-"), place, part
        else:
            kind = ADDRESS_KIND.search(part)
            word = kind[2].split()[0] if kind else "?"
            yield f"{kind[1] if kind else '?'}:{word}", first_place(part), part


def remove_reports(prefix):
    """Remove what an earlier run left."""
    for path in pathlib.Path(prefix).parent.glob(pathlib.Path(prefix).name
                                                 + ".*"):
        path.unlink()


def read_cases(prefix, module, suppressions):
    """A Case for each kind and place of the reports in PREFIX.*.

    There is one for the module itself if nothing was reported.
    """
    prefix = pathlib.Path(prefix)
    found, times = {}, collections.Counter()
    for path in sorted(prefix.parent.glob(prefix.name + ".*")):
        for kind, place, text in read_report(
                path.read_text(encoding="utf-8", errors="replace")):
            found.setdefault((kind, place), text)
            times[kind, place] += 1
    cases = []
    for (kind, place), text in sorted(found.items()):
        name = f"{kind} {place}"
        excuse = next((entry for entry in suppressions
                       if fnmatch.fnmatchcase(kind, entry.kind)
                       and fnmatch.fnmatchcase(place, entry.place)), None)
        if excuse:
            cases.append(results.Case(name, results.SKIPPED, excuse.reason))
        else:
            cases.append(results.Case(
                name, results.FAILED,
                f"reported {times[kind, place]} times; the first:\n{text}"))
    return cases or [results.Case(f"sanitizers: {module}", results.PASSED, "")]


def check_works(python, prefix, environment):
    """A Case: mistakes made on purpose are reported, and understood."""
    remove_reports(prefix)
    process = subprocess.run([str(python), "-c", PROBE],
                             env=environment | options(prefix),
                             capture_output=True, check=False)
    cases = read_cases(prefix, "probe", ())
    silent = [start for start in PROBED
              if not any(case.id.startswith(start) for case in cases)]
    if not silent:
        return results.Case("sanitizers report", results.PASSED, "")
    return results.Case("sanitizers report", results.FAILED,
                        f"{python} is given a mistake, and nothing says "
                        f"{', '.join(silent)} (status {process.returncode}); "
                        "it must be built by make sanitize-fork, with "
                        f"ctypes\n{process.stderr.decode(errors='replace')}")
