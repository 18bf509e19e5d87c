#!/bin/sh
# Run our tests, and those of upstream that Tools/test/nogil.txt names, with the
# interpreters that have no GIL.
#
#   nogil.sh ROOT BUILD JOBS [OPTION...]
#
# The options go to Tools/test/run: --only test_gc.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
build=$2
jobs=$3
shift 3
set -- --fork "$build/nogil-fork/python" --stock "$build/nogil-stock/python" \
    --source "$root" --jobs "$jobs" --report "$build/log/nogil.json" --free-threaded "$@"
dry_run test-nogil "$root/Tools/test/run $*" && exit 0

own_locale
exec "$root/Tools/test/run" "$@"
