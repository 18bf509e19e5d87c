#!/bin/sh
# Run one of the programs here with a Python that is not the one under test.
#
#   launch.sh PROGRAM.py [ARGUMENT...]
#
# The untouched interpreter does when --stock names one or build/stock has one,
# the system's python3 if not.

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 2
program=$1
shift

stock=
previous=
for argument in "$@"; do
    case $argument in
        --stock=*) stock=${argument#--stock=} ;;
    esac
    case $previous in
        --stock) stock=$argument ;;
    esac
    previous=$argument
done

for python in "$stock" "$here/../../build/stock/python" "$(command -v python3)"; do
    if [ -n "$python" ] && [ -f "$python" ] && [ -x "$python" ]; then
        unset PYTHONHOME PYTHONPATH
        exec "$python" -s -B "$here/$program" "$@"
    fi
done
echo "Tools/bench: no Python to run the benchmarks with; build one (make stock) or install python3" >&2
exit 2
