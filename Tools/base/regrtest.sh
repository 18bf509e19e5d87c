#!/bin/sh
# Run all of upstream's tests on the fork with tracing on.
#
#   regrtest.sh BUILD NAME JOBS [OPTION...]
#
# NAME is the object folder: fork, or verify.  The options go to `python -m
# test`, after ours: a later one wins.  If the interpreter verifies its
# captures, it is said at the end how many there were in all processes, and
# the status is 1 if one of them was wrong, or there were none.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

build=$1
name=$2
jobs=$3
shift 3
python=$build/$name/python
set -- "$python" -X tracemalloc=25 -m test -j"$jobs" "$@"
dry_run "$name" "$*" && exit 0

own_locale
# Variables meant for the caller's Python change what the tests see.
for variable in $(env | sed -n 's/^\(PYTHON[A-Z0-9_]*\)=.*/\1/p'); do
    unset "$variable"
done
mkdir -p "$build/regrtest" && cd "$build/regrtest" || exit 1
echo "$*"

# Workers are started with the -X options of their parent.  What was started in
# the background ignores SIGINT, which some tests send to themselves, and no
# shell can change that.
begin='import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
os.execv(sys.argv[1], sys.argv[1:])'

if ! grep -q -e -DPy_TRACEMALLOC_VERIFY "$build/$name/.configured" 2>/dev/null; then
    exec "$python" -c "$begin" "$@"
fi

# All processes count in this file: see Python/tracemalloc_verify.c.
TRACEMALLOC_VERIFY_FILE=$build/regrtest/verified.$$
export TRACEMALLOC_VERIFY_FILE
head -c 24 /dev/zero >"$TRACEMALLOC_VERIFY_FILE" || exit 1
trap 'rm -f "$TRACEMALLOC_VERIFY_FILE"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$python" -c "$begin" "$@"
status=$?
sums=$(od -An -v -w24 -tu8 "$TRACEMALLOC_VERIFY_FILE") || exit 1
# shellcheck disable=SC2086
set -- $sums
echo "$1 captures verified in $3 processes, $2 differences"
if [ "$2" != 0 ] || [ "$1" = 0 ]; then
    exit 1
fi
exit "$status"
