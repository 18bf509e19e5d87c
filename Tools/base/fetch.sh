#!/bin/sh
# Bring the pinned release, unpacked and untouched, to BUILD/base.
#
#   fetch.sh ROOT BUILD [SOURCE]
#
# SOURCE is what --with-cpython-source named: a tarball, which must match the
# pin, or an unpacked tree, which must be of the pinned release and is copied.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
build=$2
source=${3:-}
read_pin "$root"
base=$build/base/$folder
stamp=$build/stamp/base

key="$release $sha256 ${source:-download}"
if [ -d "$base" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then
    exit 0
fi

rm -f "$stamp"
rm -rf "$build/base" "$build/base.new"
mkdir -p "$build/base.new" || die "$build cannot be written"

if [ -n "$source" ] && [ -d "$source" ]; then
    found=$(release_of "$source")
    [ -n "$found" ] ||
        die "$source (from --with-cpython-source) holds no CPython sources: Include/patchlevel.h is missing"
    [ "$found" = "$release" ] ||
        die "$source (from --with-cpython-source) is CPython $found, and the fork stands on $release"
    if [ -f "$source/Makefile" ] || [ -f "$source/Programs/python.o" ]; then
        die "$source (from --with-cpython-source) has been built in; run 'make distclean' there, or give a fresh one"
    fi
    cp -Rp "$source" "$build/base.new/$folder" || die "$source cannot be copied to $build"
    remove_bytecode "$build/base.new/$folder"
    say base "CPython $release from the tree $source (its bytes are not compared with the pin)"
else
    tarball=$("$here/tarball.sh" "$root" "$build/download" "$source") || exit 1
    # What is unpacked is a copy, which nobody who may write to the cache or to
    # SOURCE can change once it is verified.
    copy=$build/base.new/$file
    cp "$tarball" "$copy" || die "$tarball cannot be copied to $build (is the disk full?)"
    sum=$(sha256_of "$copy") || exit 1
    [ "$sum" = "$sha256" ] || die "$tarball was changed while it was read: sha256 $sum, the pin says $sha256"
    unpack "$copy" "$build/base.new" || die "$tarball cannot be unpacked into $build"
    rm -f "$copy"
    found=$(release_of "$build/base.new/$folder")
    [ "$found" = "$release" ] ||
        die "$tarball holds CPython ${found:-of no known release} instead of $release: Tools/base/pin contradicts itself"
    say base "CPython $release from $tarball (sha256 as pinned)"
fi

mv "$build/base.new" "$build/base" || exit 1
echo "$key" | write_stamp "$stamp"
