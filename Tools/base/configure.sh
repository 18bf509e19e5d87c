#!/bin/sh
# Run CPython's configure for the fork or for the untouched base.
#
#   configure.sh BUILD NAME SOURCE
#
# NAME (fork, verify, torture, stock, or fork or stock after "pgo-", "nogil-" or
# "sanitize-") is the object folder below BUILD, SOURCE the sources relative to it;
# verify is the fork as --enable-tracemalloc-verify makes it, torture what that,
# --with-pydebug and --enable-tracemalloc-stress make together.  BUILD/arguments
# holds what our configure was given, and BUILD/fork-flags what the compiler gets
# for the fork alone; "pgo-" adds the options of optimised builds, and
# PROFILE_TASK of the environment if there is one; "nogil-" adds --disable-gil;
# "sanitize-" adds assertions, and the sanitizers for addresses and undefined
# behaviour.  Runs again only when
# these (but PROFILE_TASK, so that what was built with one can be used without),
# the base, CPython's configure or the place changed, and then in an empty folder:
# make does not see that objects depend on them.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

build=$1
name=$2
source=$3
objects=$build/$name

for file in arguments fork-flags; do
    [ -f "$build/$file" ] || die "$build/$file is missing; run ./config.status"
done
# Add a macro to the flags, unless they have it.
define() {
    case $flags in
        *"-D$1"*) ;;
        *) flags="$flags -D$1" ;;
    esac
}

flags=
more=
case $name in
    fork | pgo-fork | nogil-fork | sanitize-fork) flags=$(cat "$build/fork-flags") ;;
    verify)
        flags=$(cat "$build/fork-flags")
        define Py_TRACEMALLOC_VERIFY
        ;;
    torture)
        flags=$(cat "$build/fork-flags")
        define Py_TRACEMALLOC_VERIFY
        define Py_TRACEMALLOC_STRESS
        # Whatever the fork is optimised for: no time for that here.
        more="'--with-pydebug' '--disable-optimizations' '--without-lto'"
        ;;
esac
# For sanitizers not --with-address-sanitizer, which takes pymalloc away: the
# tracer's cells lie in its pools.  The runner tests without it, too.
sanitizers=
case $name in
    pgo-*) more="'--enable-optimizations' '--with-lto'" ;;
    # Optimised as plain builds are: races show when threads are fast.
    nogil-*) more="'--disable-gil' '--disable-optimizations' '--without-lto'" ;;
    sanitize-*)
        more="'--with-assertions' '--disable-optimizations' '--without-lto'"
        sanitizers="-fsanitize=address -fsanitize=undefined -fno-omit-frame-pointer"
        # An excused report does not end the process and so fail its test.
        sanitizers="$sanitizers -fsanitize-recover=address"
        reports=${here%/base}/test/sanitizer_reports.c
        sanitizer_options
        ;;
esac
want=$(
    cat "$build/arguments" "$build/stamp/base"
    sha256_of "$build/${source#../}/configure"
    echo "$objects"
    [ -z "$flags" ] || echo "$flags"
    [ -z "$more" ] || echo "$more"
    [ -z "$sanitizers" ] || echo "$sanitizers $(sha256_of "$reports")"
)
if [ "$(cat "$objects/.configured" 2>/dev/null)" = "$want" ]; then
    exit 0
fi

rm -rf "$objects"
rm -f "$build/stamp/$name"
mkdir -p "$objects" && cd "$objects" || exit 1
own_locale
eval "set -- $(cat "$build/arguments") $more"
if [ "${name#pgo-}" != "$name" ] && [ -n "${PROFILE_TASK:-}" ]; then
    set -- "$@" "PROFILE_TASK=$PROFILE_TASK"
fi
if [ -n "$sanitizers" ]; then
    given_flags=${LDFLAGS:-} given_libraries=${LIBS:-} compiler=${CC:-}
    for argument; do
        case $argument in
            LDFLAGS=*) given_flags=${argument#*=} ;;
            LIBS=*) given_libraries=${argument#*=} ;;
            CC=*) compiler=${argument#*=} ;;
        esac
    done
    # shellcheck disable=SC2086
    ${compiler:-cc} -g -O1 $sanitizers -c "$reports" -o sanitizer_reports.o ||
        die "$reports cannot be compiled"
    set -- "$@" "OPT=-g -O1 -Wall" "BASECFLAGS=$sanitizers" \
        "LDFLAGS=$given_flags $sanitizers" \
        "LIBS=$given_libraries $objects/sanitizer_reports.o"
fi
if [ -n "$flags" ]; then
    # CFLAGS_NODIST is for the interpreter itself: CFLAGS and OPT stay as they
    # are, and so does what extensions are compiled with.
    given=
    for argument; do
        case $argument in CFLAGS_NODIST=*) given=${argument#*=} ;; esac
    done
    set -- "$@" "CFLAGS_NODIST=$given$flags"
fi
"$here/step.sh" "$build/log" "configure-$name" "configuring $name" "$source/configure" "$@" || exit
sed -n 's/^configure: WARNING: unrecognized options:/unrecognized options, ignored:/p' \
    "$build/log/configure-$name.log" | sort -u | while IFS= read -r line; do
    say "" "warning: $line"
done
printf '%s\n' "$want" | write_stamp "$objects/.configured"
