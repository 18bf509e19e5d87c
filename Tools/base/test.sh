#!/bin/sh
# Run the tests of the driver, the benchmarks, the core and the fork, and hostile
# programs for a minute; end with one line for all.
#
#   test.sh ROOT BUILD JOBS [MAKE]

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
build=$2
jobs=$3
make=${4:-make}
passed=0
failed=0

dry_run test "$root/Tools/base/test/run, Tools/bench/test_bench.py, Tools/core, Tools/test/run and Tools/fuzz/torture" &&
    exit 0
mkdir -p "$build/log"

own_locale

# Run a command, show what it says but for its closing line "N passed, M
# failed", and add that up.  A run that does not come to such a line failed.
count() {
    name=$1
    log=$build/log/$2.log
    shift 2
    printf '\n%s\n' "$name"
    {
        "$@" 2>&1
        echo "status $?"
    } | tee "$log" | while IFS= read -r line; do
        # Line by line, so that a terminal or a CI sees where the tests are.
        printf '%s\n' "$line" | grep -qE '^(status [0-9]+|[0-9]+ passed, [0-9]+ failed)$' ||
            printf '%s\n' "$line"
    done
    status=$(sed -n '$s/^status //p' "$log")
    # A make that fails says so behind that line.
    closing=$(tail -n 3 "$log" | sed '/make: \*\*\* /d' | tail -n 2 |
        sed -n '1s/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed$/\1 \2/p')
    if [ -z "$closing" ]; then
        echo "$name stopped with status $status before it was done; see $log"
        failed=$((failed + 1))
        return
    fi
    passed=$((passed + ${closing% *}))
    failed=$((failed + ${closing#* }))
    if [ "$status" != 0 ] && [ "${closing#* }" = 0 ]; then
        echo "$name counted no failure, but ended with status $status; see $log"
        failed=$((failed + 1))
    fi
}

# The tests run their own makes: this one's jobs are not theirs.
unset MAKEFLAGS MFLAGS MAKELEVEL

count "The driver" test-driver "$root/Tools/base/test/run"
count "The benchmarks' arithmetic" test-bench \
    "$build/stock/python" -s -B "$root/Tools/bench/test_bench.py"
count "The core, without Python" test-core \
    "$make" -s -C "$root/Tools/core" "-j$jobs" "BUILD=$build/core"
count "The fork" test-fork "$root/Tools/test/run" --fork "$build/fork/python" \
    --stock "$build/stock/python" --source "$root" --jobs "$jobs" --report "$build/log/test.json" \
    --packages "$build/packages"
count "Hostile programs, a minute of them" test-torture \
    "$build/stock/python" -I -B "$root/Tools/fuzz/torture" --check --seconds 60 \
    --python "$build/torture/python" --stock "$build/stock/python" --packages "$build/packages" \
    --output "$build/found" --jobs "$jobs"

echo
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
