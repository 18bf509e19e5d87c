#!/bin/sh
# Write every patch of the series anew, in the canonical form:
#
#   * its head, as it is; then its files, sorted by path;
#   * per file what `diff -u` says with three lines of context, under the
#     names a/PATH and b/PATH (/dev/null for none) and without dates.
#
#   refresh.sh ROOT BASE [OUTPUT]
#
# Without OUTPUT, a patch that comes out different replaces the old one and is
# named; with it, all patches are written to that folder.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
base=$2
output=${3:-}
read_pin "$root"

work=$(mktemp -d) || die "no scratch folder can be made; set TMPDIR"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir "$work/old" "$work/new" "$work/out" || exit 1

# Only the files that some patch touches matter.
for name in $(series "$root"); do
    [ -f "$root/$patches/$name" ] || die "$patches/series names $name, which does not exist"
    patch_paths "$root/$patches/$name"
done | sort -u >"$work/paths" || exit 1
while IFS= read -r path; do
    [ -f "$base/$path" ] || continue
    mkdir -p "$work/new/$(dirname "$path")"
    cp -p "$base/$path" "$work/new/$path" || exit 1
done <"$work/paths"

for name in $(series "$root"); do
    rm -rf "$work/old"
    cp -Rp "$work/new" "$work/old" || exit 1
    if ! apply_patch "$root/$patches/$name" "$work/new"; then
        printf '%s\n' "$applied" | sed 's/^/  | /' >&2
        die "$patches/$name does not apply; correct it by hand, then refresh"
    fi
    {
        patch_head "$root/$patches/$name"
        patch_paths "$root/$patches/$name" | while IFS= read -r path; do
            old=$work/old/$path old_name=a/$path
            new=$work/new/$path new_name=b/$path
            [ -f "$old" ] || { old=/dev/null old_name=/dev/null; }
            [ -f "$new" ] || { new=/dev/null new_name=/dev/null; }
            diff -u --label "$old_name" --label "$new_name" "$old" "$new"
        done
    } >"$work/out/$name"
    if [ -n "$output" ]; then
        mkdir -p "$output" && cp "$work/out/$name" "$output/$name" || exit 1
    elif ! cmp -s "$work/out/$name" "$root/$patches/$name"; then
        cp "$work/out/$name" "$root/$patches/$name" || exit 1
        say patches "$name: refreshed"
    fi
done
[ -n "$output" ] || say patches "all in the canonical form"
