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

# A linker that was killed leaves a program that make takes for whole, but that
# it had not made executable yet.
find "$build/$name" \( -name python -o -name python.exe -o -name _bootstrap_python \
    -o -name _freeze_module -o -name '*.so' \) -type f ! -perm -100 -exec rm -f {} +

makes_profile() {
    [ "${name#pgo-}" != "$name" ] || grep -q '^all:.*profile-opt' "$build/$name/Makefile"
}

# The tests that make a profile send SIGINT to themselves.  What a shell starts
# in the background ignores it, and no shell can change that.
uninterrupted=
if makes_profile && [ -n "$(sh -c 'kill -INT $$; echo ignored')" ]; then
    env --default-signal=INT true 2>/dev/null ||
        die "SIGINT is ignored here, as by what runs in the background, and the tests that make the profile need it; run make $name in the foreground"
    uninterrupted="env --default-signal=INT"
fi

own_locale
# The time that counts is the start: a file saved meanwhile is newer.
mkdir -p "$build/stamp"
: >"$stamp.started"
# Untouched sources stay untouched: python must not put bytecode beside them.
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
[ "${name#sanitize-}" = "$name" ] || sanitizer_options
# A profile is of the sources that it was made from, and the compiler refuses it
# for others.
profiled=$build/$name/profile-run-stamp
if [ -f "$profiled" ] &&
    [ -n "$(find -L "$source" -type f -name '*.[ch]' -newer "$profiled" -print | head -n 1)" ]; then
    "$here/step.sh" "$build/log" "$name" "forgetting the profile of older sources" \
        "$make" -C "$build/$name" clean || exit
fi
# shellcheck disable=SC2086
"$here/step.sh" "$build/log" "$name" "compiling $name" $uninterrupted "$make" -C "$build/$name" || exit
mv "$stamp.started" "$stamp"
