#!/bin/sh
# Run upstream's tests in the build that compares each capture with the whole
# stack: those of Tools/test/verify.txt, or what the options name.
#
#   verify.sh ROOT BUILD JOBS [OPTION...]

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
build=$2
jobs=$3
shift 3
if [ $# = 0 ]; then
    list=$root/Tools/test/verify.txt
    # shellcheck disable=SC2046
    set -- $(sed 's/#.*//' "$list") || exit 1
    [ $# -gt 0 ] || die "$list names no test"
fi
exec "$here/regrtest.sh" "$build" verify "$jobs" "$@"
