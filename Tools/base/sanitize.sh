#!/bin/sh
# Run our tests, and those of upstream that Tools/test/sanitize.txt names, with
# the interpreters that the sanitizers for addresses and undefined behaviour
# watch.
#
#   sanitize.sh ROOT BUILD JOBS [OPTION...]
#
# The options go to Tools/test/run: --only test_gc.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
build=$2
jobs=$3
shift 3
set -- --fork "$build/sanitize-fork/python" --stock "$build/sanitize-stock/python" \
    --source "$root" --jobs "$jobs" --report "$build/log/sanitize.json" --timeout 3600 \
    --sanitizers "$root/Tools/test/sanitize-suppressions.txt" "$@"
dry_run sanitize "$root/Tools/test/run $*" && exit 0

own_locale
# The runner itself is run by one of them.
sanitizer_options
exec "$root/Tools/test/run" "$@"
