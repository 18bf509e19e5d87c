#!/bin/sh
# Write the sums of Tools/base/overrides anew, and add a line for each upstream
# file that ours replace without a record.
#
#   overrides.sh ROOT BASE
#
# To run after a look at what changed in the base: it is the statement that
# our replacements were brought up to date.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
base=$2
table=$root/Tools/base/overrides
new=$table.$$
read_pin "$root"
trap 'rm -f "$new"' EXIT
trap 'exit 130' INT TERM HUP

line() {
    printf '%s  %-38s  %s\n' "$@"
}

while IFS= read -r text; do
    case $text in
        '' | '#'*)
            printf '%s\n' "$text"
            continue
            ;;
    esac
    # shellcheck disable=SC2086
    set -- $text
    [ $# = 3 ] || die "Tools/base/overrides: '$text' is not 'sha256 upstream-file our-file-or---'"
    [ -f "$base/$2" ] || die "the base has no $2 any more; remove its line from Tools/base/overrides"
    sum=$(sha256_of "$base/$2") || exit 1
    [ "$sum" = "$1" ] || say overrides "$2: new sum" >&2
    line "$sum" "$2" "$3"
done <"$table" >"$new" || exit 1
unrecorded "$root" "$base" | while read -r path ours; do
    say overrides "$path: recorded as replaced by $ours" >&2
    line "$(sha256_of "$base/$path")" "$path" "$ours"
done >>"$new"
cmp -s "$new" "$table" || cat "$new" >"$table"
say overrides "up to date"
