#!/bin/sh
# Lay the security fixes over a copy of the release: BUILD/fixed is what the
# fork stands on.  BUILD/base stays the release as it is.
#
#   fixed.sh ROOT BUILD [SOURCE]
#
# SOURCE is as for fixes.sh, or "no" for none of them: then there is no
# BUILD/fixed, and the fork stands on BUILD/base.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
build=$2
source=${3:-}
read_pin "$root"
fixed=$build/fixed
stamp=$build/stamp/fixes
number=$(fixed_names "$root" | wc -l | tr -d ' ')

[ "$number" != 0 ] || source=no
case $source in
    no) key=none ;;
    *) key="$number $(fixes "$root" fix | awk '{ print $2 }' | tr '\n' ' ')" ;;
esac
key="$key on $(cat "$build/stamp/base")"
if [ "$(cat "$stamp" 2>/dev/null)" = "$key" ] && { [ "$source" = no ] || [ -d "$fixed/$folder" ]; }; then
    exit 0
fi

rm -f "$stamp"
rm -rf "$fixed" "$fixed.new"
if [ "$source" = no ]; then
    [ "$number" = 0 ] ||
        say fixes "NONE: CPython $release with its known vulnerabilities (--without-security-fixes)"
    echo "$key" | write_stamp "$stamp"
    exit 0
fi

download=$build/download-fixes
trap 'rm -rf "$download" "$fixed.new"' EXIT
trap 'exit 130' INT TERM HUP
from=$("$here/fixes.sh" "$root" "$download" "$source") || exit 1
mkdir -p "$fixed.new" && cp -Rp "$build/base/$folder" "$fixed.new/$folder" ||
    die "$build/base/$folder cannot be copied to $fixed.new (is the disk full?)"
remove_bytecode "$fixed.new"
lay_fixes "$root" "$download/fixes" "$fixed.new/$folder" "$fixed.new/touched" >"$fixed.new/log" || {
    cat "$fixed.new/log" >&2
    die "the fixes do not fit $build/base/$folder; if that tree has them already, configure --without-security-fixes"
}
rm -f "$fixed.new/log"
mv "$fixed.new" "$fixed" || exit 1
echo "$key" | write_stamp "$stamp"
say fixes "$number security fixes, from $from"
