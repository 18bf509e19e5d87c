"""Results for tests, from a machine and builds that nobody measured."""

import configurations
import figures
import pages

MACHINE = {"cpu": "Example 9000", "cores": 4,
           "memory": 8 * 2**30, "system": "Linux 6.1", "libc": "glibc 2.36",
           "address_randomisation": "2", "governor": None, "load": 0.1,
           "date": "2024-02-29", "commit": "0123456789ab"}
BUILD = {"version": "3.13.5", "compiler": "GCC 12", "cc": "gcc",
         "flags": "-Wall -O3", "link_flags": "", "debug": False,
         "free_threaded": False, "arguments": ""}


def make_data(runs, case_facts=None, warmup=0, absent=None):
    """What bench.py writes, for runs (round, case, configuration, numbers)."""
    names = list(dict.fromkeys(case for _, case, _, _ in runs))
    return {
        "kind": pages.CASES, "label": "O3", "partial": False,
        "machine": MACHINE, "builds": {"fork": BUILD, "stock": BUILD},
        "command": "Tools/bench/run", "warmup": warmup, "skipped": 0,
        "configurations": [{"name": item.name, "label": item.label,
                            "options": "",
                            "absent": (absent or {}).get(item.name)}
                           for item in configurations.CONFIGURATIONS],
        "cases": [{"name": name, "group": "group",
                   "text": f"What {name} does.", "size": 1, "live": False,
                   "recursion": False, **(case_facts or {}).get(name, {})}
                  for name in names],
        "runs": [{"round": number, "case": case,
                  "configuration": configuration, "loops": 1, **numbers}
                 for number, case, configuration, numbers in runs],
    }


def make_results(*arguments, **options):
    return figures.Results(make_data(*arguments, **options))
