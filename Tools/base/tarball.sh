#!/bin/sh
# Print the path of the base's tarball, verified against the pin.
#
#   tarball.sh ROOT WORK [SOURCE]
#
# SOURCE is the tarball that --with-cpython-source named, if any; otherwise
# the download cache, the Debian source package and the publisher's address
# are tried in turn.  WORK is a scratch folder: downloads live there until
# they are verified, so that nothing unverified ever enters the cache.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
work=$2
source=${3:-}
read_pin "$root"

# Compare a file with the pin; what differs is in $mismatch.
matches_pin() {
    mp_sum=$(sha256_of "$1") || return 1
    [ "$mp_sum" = "$sha256" ] && return 0
    mp_size=$(wc -c <"$1" | tr -d ' ')
    mismatch="sha256 $mp_sum ($mp_size bytes), the pin says $sha256 ($size bytes)"
    return 1
}

if [ -n "$source" ]; then
    [ -r "$source" ] || die "$source (from --with-cpython-source) cannot be read"
    matches_pin "$source" ||
        die "$source is not $file: $mismatch. Give another --with-cpython-source, or leave it out to download."
    printf '%s\n' "$source"
    exit 0
fi

cache=$(cache_folder "$work")

if [ -f "$cache/$file" ]; then
    if matches_pin "$cache/$file"; then
        printf '%s\n' "$cache/$file"
        exit 0
    fi
    note "$cache/$file is damaged: $mismatch. It is removed and fetched again."
    rm -f "$cache/$file" || die "$cache/$file cannot be removed; remove it by hand"
fi

mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] ||
    die "the download cache $cache cannot be written; set XDG_CACHE_HOME to a folder that can, or use --with-cpython-source=PATH"
rm -rf "$work"
mkdir -p "$work" || die "$work cannot be made"
work=$(cd "$work" && pwd)
trap 'rm -rf "$work" "$cache/.$file.$$"' EXIT
trap 'exit 130' INT TERM HUP

# Verify a download and move it into the cache, or record why not.
keep() {
    if ! matches_pin "$1"; then
        failed "$2" "what came is not the release: $mismatch"
        return 1
    fi
    # The work folder may be on another disk: only the rename is atomic.
    if cp "$1" "$cache/.$file.$$" && mv "$cache/.$file.$$" "$cache/$file"; then
        printf '%s\n' "$cache/$file"
        exit 0
    fi
    die "$cache/$file cannot be written (is the disk full?)"
}

try_debian() {
    td_what="the Debian source package $debian_package ($debian_suite)"
    if ! command -v apt-get >/dev/null 2>&1; then
        failed "$td_what" "apt-get is not here: not a Debian-like system"
        return
    fi
    td_archive=$("$here/archive.sh") || {
        failed "$td_what" "$td_archive"
        return
    }
    note "fetching $td_what"
    if ! "$here/aptsource.sh" "$work/apt" "$debian_suite" "$debian_package" "$td_archive" tar \
        >"$work/apt.log" 2>&1; then
        failed "$td_what" "$(last_line "$work/apt.log")"
        return
    fi
    if [ ! -f "$work/apt/$debian_file" ]; then
        td_other=$(find "$work/apt" -maxdepth 1 -name '*.orig.tar.*' ! -name '*.asc' | sed 's|.*/||' | head -n 1)
        failed "$td_what" "the archive has ${td_other:-no tarball} instead of $debian_file"
        return
    fi
    keep "$work/apt/$debian_file" "$td_what"
}

try_url() {
    if command -v curl >/dev/null 2>&1; then
        set -- curl -fsSL --connect-timeout 20 --retry 2 -o "$work/$file" "$url"
    elif command -v wget >/dev/null 2>&1; then
        set -- wget -nv --timeout=20 --tries=2 -O "$work/$file" "$url"
    else
        failed "$url" "neither curl nor wget is here"
        return
    fi
    note "fetching $url"
    if ! "$@" >"$work/url.log" 2>&1; then
        failed "$url" "$(last_line "$work/url.log")"
        return
    fi
    keep "$work/$file" "$url"
}

failed "the cache $cache" "it does not hold $file"
try_debian
try_url

die "CPython $release could not be obtained. Tried:$tried
Get $file ($size bytes, sha256 $sha256) on any machine, then run
  ./configure --with-cpython-source=/path/to/$file    (with your other options)
or put it into $cache/ and run make again."
