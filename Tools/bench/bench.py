"""Measure every case in every configuration, interleaved;
see Tools/bench/run --help.
"""
import pathlib
import sys
import time

import environments
import figures
import options
import pages
import tables
from configurations import CONFIGURATIONS, EVERY_FRAME, REPORTED
from measure import BenchError, Job, run_job

# A quick run leaves the rest of two minutes to preparing and drawing.  When
# this time is over, traced stock is left out, and no round begins that would
# pass it.
QUICK_SECONDS = 85

# Traced stock counts every frame of the stack at each allocation: what takes
# longer than this is known well enough by the lower bound.
SLOW_LIMIT = 40.0


def parse(arguments):
    parser = options.Parser(
        prog="Tools/bench/run",
        description="Compare the fork with the untouched base, with"
        " tracing off and on. Writes LABEL.json, LABEL.svg and results.inc.")
    options.add_builds(parser, "where to write the results")
    options.add_cases(parser, "run only these")
    parser.add_argument(
        "--quick", action="store_true",
        help="small cases, as many rounds as two minutes allow")
    parser.add_argument(
        "--repeat", type=int, metavar="N",
        help="rounds that count (default: 5; with --quick: 5 at most)")
    parser.add_argument(
        "--warmup", type=int, metavar="N",
        help="rounds before them that do not (default: 1; with --quick: 0)")
    parser.add_argument(
        "--slow-rounds", type=int, metavar="N",
        help="only the first N of the rounds that count have traced stock in"
        " them, which takes longer than all others (default: all; with"
        " --quick: 1)")
    parser.add_argument("--limit", type=float, metavar="SECONDS",
                        help="for one process (default: 90; with --quick: 4)")
    parser.add_argument(
        "--label", metavar="NAME",
        help="the results' name (default: made of the compiler's options)")
    parser.add_argument("--json", metavar="FILE",
                        help="write the JSON there, not below --output")
    parser.add_argument("--no-plot", action="store_true", help="do not draw")
    given = parser.parse_args(arguments)
    options.check_builds(parser, given)
    given.chosen = options.chosen_cases(parser, given)
    for name, full, quick in (("repeat", 5, 5), ("warmup", 1, 0),
                              ("limit", 90.0, 4.0)):
        if getattr(given, name) is None:
            setattr(given, name, quick if given.quick else full)
    if given.slow_rounds is None:
        given.slow_rounds = 1 if given.quick else given.repeat
    if (given.repeat < 1 or given.limit <= 0
            or min(given.warmup, given.slow_rounds) < 0):
        parser.error("--repeat and --limit must be positive, --warmup and "
                     "--slow-rounds must not be negative")
    if (given.label
            and not given.label.replace("-", "").replace("_", "").isalnum()):
        parser.error("--label: letters, digits, - and _ only")
    return given


def plan_round(number, chosen, configurations):
    """(case, configuration) in the order of one round;
    every round begins elsewhere.
    """
    for place, case in enumerate(chosen):
        turn = (number + place) % len(configurations)
        for configuration in configurations[turn:] + configurations[:turn]:
            yield case, configuration


class Session:
    """One run of the program: its jobs, and what they brought."""

    def __init__(self, given):
        self.given = given
        self.builds, described = options.describe_builds(given)
        label = given.label or options.build_label(described["fork"])
        if not given.label:
            label += ("-quick" if given.quick else "-part" if given.cases
                      else "")
        absent = {
            configuration.name:
                self.builds[configuration.build].refuses(configuration)
            for configuration in CONFIGURATIONS}
        self.present = [configuration for configuration in CONFIGURATIONS
                        if absent[configuration.name] is None]
        self.over = set()               # (case, configuration) past the limit
        self.answers = {}               # case: what all must answer
        self.start = time.monotonic()
        self.data = options.common_facts(
            pages.CASES, described, label,
            given.quick or given.cases is not None)
        self.data |= {
            "quick": given.quick, "warmup": given.warmup, "limit": given.limit,
            "configurations": [
                {"name": configuration.name, "label": configuration.label,
                 "options": configuration.shown_options,
                 "absent": absent[configuration.name]}
                for configuration in CONFIGURATIONS],
            "cases": [{"name": case.name, "group": case.group,
                       "text": case.text, "size": case.size[given.quick],
                       "live": case.live, "recursion": case.recursion}
                      for case in given.chosen],
            "skipped": 0, "runs": [],
        }
        self.path = given.output / f"{label}.json"
        if given.json:
            self.path = pathlib.Path(given.json)

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def job(self, case, configuration, loops):
        questions = []
        if case.live:
            endless = case.deep and configuration.name == EVERY_FRAME
            questions.append("bounded" if endless else "snapshot")
        if case.reports and configuration.name == REPORTED:
            questions.append("reports")
        if ("sample" not in (configuration.tracing or "")
                and (case.live or not self.given.quick)):
            questions.append("blocks")
        return Job(self.builds[configuration.build], configuration, case,
                   case.size[self.given.quick], loops, questions)

    def prepare(self):
        """Run no loop of any case: modules that are missing show,
        bytecode is written.
        """
        for case in self.given.chosen:
            for configuration in self.present[:2]:
                run_job(self.job(case, configuration, 0), self.given.limit)

    def measure(self, number, case, configuration):
        if (case.name, configuration.name) in self.over:
            return
        loops = configuration.loops(case.loops[self.given.quick])
        limit = (min(self.given.limit, SLOW_LIMIT) if configuration.slow
                 else self.given.limit)
        job = self.job(case, configuration, loops)
        if number < self.given.warmup:
            job = job._replace(questions=[])
        found = run_job(job, limit)
        if "over" in found:
            self.over.add((case.name, configuration.name))
            # Known now, and not measured again: it counts, warm-up or not.
            number = max(number, self.given.warmup)
        else:
            answer = self.answers.setdefault(case.name, found["answer"])
            if found["answer"] != answer:
                raise BenchError(f"case {case.name}: {configuration.name} "
                                 f"answers {found['answer']}, others {answer}")
        self.data["runs"].append({"round": number, "case": case.name,
                                  "configuration": configuration.name,
                                  "loops": loops, **found})

    def rounds(self):
        total = self.given.warmup + self.given.repeat
        for number in range(total):
            began = time.monotonic()
            repeated = self.round(number)
            pages.write(self.path, self.data)
            now = time.monotonic()
            kind = " (warm-up)" if number < self.given.warmup else ""
            self.say(f"round {number + 1} of {total}: "
                     f"{now - began:.0f} s{kind}")
            if (self.given.quick
                    and now - self.start + repeated > QUICK_SECONDS):
                break

    def round(self, number):
        """Run one round; the seconds that it took for what another
        one would repeat.
        """
        for build in self.builds.values():
            build.move()
        repeated = 0.0
        for case, configuration in plan_round(number, self.given.chosen,
                                              self.present):
            began = time.monotonic()
            if configuration.slow:
                counted = number - self.given.warmup
                if not 0 <= counted < self.given.slow_rounds:
                    continue
                if self.given.quick and began - self.start > QUICK_SECONDS:
                    self.data["skipped"] += 1
                    continue
            self.measure(number, case, configuration)
            if (not configuration.slow
                    and (case.name, configuration.name) not in self.over):
                repeated += time.monotonic() - began
        return repeated


def main():
    given = parse(sys.argv[1:])
    session = Session(given)
    machine = session.data["machine"]
    if machine["load"] > 0.5:
        session.say("warning: other processes are running (load "
                    f"{machine['load']}); the figures will be noisy")
    session.prepare()
    session.rounds()
    results = figures.Results(session.data)
    tables.print_report(results,
                        *pages.companions(given.output, session.data["label"]),
                        file=sys.stdout)
    pages.write_pages(given.output)
    print(f"\nwritten: {session.path}", flush=True)
    if not given.no_plot:
        plot = session.path.with_suffix(".svg")
        environments.draw(session.path, plot)
        pages.write_pages(given.output)
        print(f"written: {plot}")
    return 0


if __name__ == "__main__":
    sys.exit(options.guarded(main))
