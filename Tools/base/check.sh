#!/bin/sh
# Prove that the fork fits its base.  Prints a line per proof; status 1 when
# one fails.
#
#   check.sh ROOT BUILD [SOURCE] [FIXES]
#
# Everything is done on a fresh copy of the tarball, so that nothing done to
# BUILD/base can make a proof succeed.  An unpacked SOURCE cannot be compared
# with the pin: then the tarball is looked for as if there were none.  FIXES is
# as for fixed.sh; without the fixes, only what does not need them is proved.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
build=$2
source=${3:-}
fixes_source=${4:-}
read_pin "$root"
work=$build/check
failures=0

trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
rm -rf "$work"
mkdir -p "$work" || die "$build cannot be written"

# proof NAME PROBLEMS: no problem, no failure.
proof() {
    if [ -z "$2" ]; then
        printf '  ok    %s\n' "$1"
        return 0
    fi
    printf '  FAIL  %s\n' "$1"
    printf '%s\n' "$2" | sed 's/^/          /'
    failures=$((failures + 1))
    return 1
}

verdict() {
    if [ "$failures" = 0 ]; then
        echo "check-base: everything holds"
        exit 0
    fi
    echo "check-base: $failures of the proofs failed"
    exit 1
}

if [ -d "$source" ]; then
    source=
fi
if tarball=$("$here/tarball.sh" "$root" "$work/download" "$source" 2>"$work/tarball.log"); then
    pin_problem=
    bytes=$(wc -c <"$tarball" | tr -d ' ')
    [ "$bytes" = "$size" ] ||
        pin_problem="$tarball has $bytes bytes, the pin says $size"
    unpack "$tarball" "$work/base" || pin_problem="$tarball cannot be unpacked"
    found=$(release_of "$work/base/$folder")
    [ "$found" = "$release" ] ||
        pin_problem="$tarball holds CPython '$found' in '$folder', the pin says $release"
else
    pin_problem=$(cat "$work/tarball.log")
fi
proof "the tarball is the pinned one" "$pin_problem" || verdict
base=$work/base/$folder

if [ -d "$build/base/$folder" ]; then
    proof "build/base is the tarball's content, untouched" "$(
        diff -rq -x __pycache__ "$base" "$build/base/$folder" | sed "s|$work/base|tarball|" | head -n 20
    )"
fi

proof "the table of security fixes is well formed" "$(table_problems "$root")"

if [ "$fixes_source" = no ]; then
    echo "  skip  the security fixes: --without-security-fixes"
    fixed=$base
elif ! "$here/fixes.sh" "$root" "$work/download-fixes" "$fixes_source" >/dev/null 2>"$work/fixes.log"; then
    proof "the security fixes are those of Tools/base/fixes" "$(cat "$work/fixes.log")"
    fixed=$base
else
    proof "the security fixes are those of Tools/base/fixes" ""
    sed -n 's/^not laid/          not laid/p' "$work/fixes.log"
    cp -Rp "$base" "$work/fixed" || die "no room for a copy of the base in $work"
    proof "every security fix applies to the release, without fuzz" "$(
        lay_fixes "$root" "$work/download-fixes/fixes" "$work/fixed" "$work/touched"
    )"
    proof "no security fix is of a file that ours replaces" "$(fix_problems "$root" "$work/touched")"
    if [ -d "$build/fixed/$folder" ]; then
        proof "build/fixed is the release with the security fixes" "$(
            diff -rq -x __pycache__ "$work/fixed" "$build/fixed/$folder" | head -n 20
        )"
    fi
    fixed=$work/fixed
fi

proof "every patch is in the series, and the series has every patch" "$(series_problems "$root")"

# series_fits FOLDER OFFSETS: what is wrong when the series is applied to a copy.
series_fits() {
    rm -rf "$work/tree"
    cp -Rp "$1" "$work/tree" || die "no room for a copy of the base in $work"
    for name in $(series "$root"); do
        [ -f "$root/$patches/$name" ] || continue
        if ! apply_patch "$root/$patches/$name" "$work/tree"; then
            echo "$patches/$name does not apply without fuzz; correct it by hand:"
            printf '%s\n' "$applied"
            break
        fi
        case $2$applied in
            no*offset*)
                echo "$patches/$name applies only with an offset; run make refresh-patches:"
                printf '%s\n' "$applied" | grep offset
                ;;
        esac
    done
}
proof "every patch applies, without fuzz and without offset" "$(series_fits "$fixed" no)"
[ "$fixed" = "$base" ] ||
    proof "every patch applies to the release without its fixes, too" "$(series_fits "$base" any)"

proof "every patch says in its head why it exists" "$(
    for name in $(series "$root"); do
        [ -f "$root/$patches/$name" ] || continue
        patch_head "$root/$patches/$name" | grep -q '[[:alpha:]]' ||
            echo "$patches/$name has no text above its first file"
    done
)"

proof "the overrides are the upstream files that ours replace, with their sums" \
    "$(override_problems "$root" "$base")"

proof "refreshing the patches changes nothing" "$(
    if ! "$here/refresh.sh" "$root" "$fixed" "$work/refreshed" >"$work/refresh.log" 2>&1; then
        cat "$work/refresh.log"
    else
        for name in $(series "$root"); do
            cmp -s "$root/$patches/$name" "$work/refreshed/$name" ||
                echo "$patches/$name is not in the canonical form; run make refresh-patches"
        done
    fi
)"

verdict
