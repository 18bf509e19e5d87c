#!/bin/sh
# Compile the fork or the untouched base, if anything changed.
#
#   build.sh BUILD NAME SOURCE MAKE
#
# CPython's own make takes seconds to find that there is nothing to do; a
# look for files newer than the last build takes a fraction of one.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

build=$1
name=$2
source=$3
make=$4
stamp=$build/stamp/$name

changed() {
    [ -f "$stamp" ] && [ -n "$(find "$build/$name" -maxdepth 1 -name 'python*' -type f -perm -100)" ] ||
        return 0
    [ -n "$(find "$build/$name/.configured" -newer "$stamp")" ] && return 0
    [ -n "$(find -L "$source" -name __pycache__ -prune -o -type f -newer "$stamp" ! -name '*.py[co]' -print | head -n 1)" ]
}

if ! changed; then
    say "$name" "up to date"
    exit 0
fi
dry_run "$name" "$make -C $build/$name" && exit 0

own_locale
# The time that counts is the start: a file saved meanwhile is newer.
mkdir -p "$build/stamp"
: >"$stamp.started"
# Untouched sources stay untouched: python must not put bytecode beside them.
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
"$here/step.sh" "$build/log" "$name" "compiling $name" "$make" -C "$build/$name" || exit
mv "$stamp.started" "$stamp"
