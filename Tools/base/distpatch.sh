#!/bin/sh
# Write the whole fork as one patch against the pinned release, for use as
#
#   tar -xf Python-X.Y.Z.tar.xz && cd Python-X.Y.Z && patch -p1 < FILE
#
#   distpatch.sh ROOT BUILD
#
# The patch is proved before it is kept: applied to a copy of the base, it must
# give the laid tree.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
build=$2
read_pin "$root"
base=$build/base/$folder
tree=$build/tree
result=$build/tracemalloc-$release.patch
work=$build/distpatch

trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
rm -rf "$work"
mkdir -p "$work" || die "$build cannot be written"

{
    echo "The fork as one patch against CPython $release ($file,"
    echo "sha256 $sha256)."
    echo
    while IFS= read -r path; do
        old=$base/$path old_name=a/$path
        new=$tree/$path new_name=b/$path
        [ -f "$old" ] || { old=/dev/null old_name=/dev/null; }
        [ -f "$new" ] || { new=/dev/null new_name=/dev/null; }
        diff -u --label "$old_name" --label "$new_name" "$old" "$new"
    done <"$tree/.laid"
    # Only git's form of a patch can tell of an empty file.  These come last:
    # patch takes such a head for that of the next file, if one follows.
    while IFS= read -r path; do
        [ ! -f "$tree/$path" ] || [ -s "$tree/$path" ] || [ -f "$base/$path" ] ||
            printf 'diff --git a/%s b/%s\nnew file mode 100644\n' "$path" "$path"
    done <"$tree/.laid"
} >"$work/patch"

cp -Rp "$base" "$work/tree" || die "no room for a copy of the base in $work"
apply_patch "$work/patch" "$work/tree" || die "the patch does not apply: $applied"
different=$(diff -rq -x __pycache__ -x .laid "$work/tree" "$tree" | head -n 20)
[ -z "$different" ] || die "the patch does not give the laid tree:
$different"
mv "$work/patch" "$result" || exit 1
say patch "$result ($(wc -l <"$result" | tr -d ' ') lines)"
