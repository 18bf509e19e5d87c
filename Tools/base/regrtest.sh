#!/bin/sh
# Run all of upstream's tests on the fork with tracing on.
#
#   regrtest.sh BUILD JOBS [OPTION...]
#
# The options go to `python -m test`, after ours: a later one wins.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

build=$1
jobs=$2
shift 2
set -- "$build/fork/python" -X tracemalloc=25 -m test -j"$jobs" "$@"
dry_run regrtest "$*" && exit 0

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
exec "$build/fork/python" -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
os.execv(sys.argv[1], sys.argv[1:])' "$@"
