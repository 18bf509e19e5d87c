#!/bin/sh
# Put every security fix of Tools/base/fixes into WORK/fixes, each compared with
# its sum, and print where they came from.
#
#   fixes.sh ROOT WORK [SOURCE]
#
# SOURCE is what --with-security-fixes named, if anything: a folder with the
# patches, an unpacked source package, or its *.debian.tar.xz.  Otherwise the
# cache, the Debian source package and its security updates are asked in turn,
# until nothing is missing; "new" leaves the cache out, to see what is new there.  A patch is known by its
# sum, so they may come from several places and revisions.  What is there beyond
# the table is named on standard error, and never used.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
work=$2
source=${3:-}
read_pin "$root"
table=$root/Tools/base/fixes
total=$(fixes "$root" fix | wc -l | tr -d ' ')

rm -rf "$work"
mkdir -p "$work/fixes" || die "$work cannot be made"
work=$(cd "$work" && pwd)
got=$work/fixes
trap 'rm -rf "$work/apt" "$work/unpacked"; [ -n "$complete" ] || rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
complete=
revised=$work/revised
beyond=$work/beyond
: >"$revised"
: >"$beyond"

# Names from a foreign folder, fit to be printed.
clean() {
    printf '%s' "$1" | tr -c '[:graph:]' '?'
}

missing() {
    fixes "$root" fix | while read -r _ _ name _; do
        [ -f "$got/$name" ] || echo "$name"
    done
}

missing_count() {
    missing | wc -l | tr -d ' '
}

# Patches in a folder: those that its series names, if it has one.
patches_in() {
    if [ -f "$1/series" ]; then
        sed -e 's/[[:space:]]*#.*//' -e 's/[[:space:]].*//' -e '/^$/d' -e '/\//d' "$1/series"
    else
        (cd "$1" && ls) | grep -E '\.(patch|diff|dff)$'
    fi
}

# Copy from a folder what is missing and known; note what is not known.
collect() {
    patches_in "$1" | while IFS= read -r co_name; do
        [ -f "$1/$co_name" ] || continue
        # The sum is that of the copy, which nobody can change meanwhile.
        rm -f "$work/one"
        cp "$1/$co_name" "$work/one" 2>/dev/null || continue
        co_sum=$(sha256_of "$work/one") || continue
        co_found=$(awk -v sum="$co_sum" '$2 == sum { print $1, $3; exit }' "$table")
        case $co_found in
            fix\ *) mv "$work/one" "$got/${co_found#fix }" ;;
            leave\ *) ;;
            *)
                if fixes "$root" fix | awk '{ print $3 }' | grep -qxF -e "$co_name"; then
                    echo "$co_name $co_sum" >>"$revised"
                else
                    echo "$(clean "$co_name") $co_sum" >>"$beyond"
                fi
                ;;
        esac
    done
    rm -f "$work/one"
}

# A package's own tarball: nothing but its patches is unpacked.
collect_tar() {
    rm -rf "$work/unpacked"
    mkdir "$work/unpacked" &&
        xz -dc "$1" 2>"$work/tar.log" | tar -xf - -C "$work/unpacked" debian/patches 2>>"$work/tar.log" ||
        return 1
    collect "$work/unpacked/debian/patches"
    rm -rf "$work/unpacked"
}

collect_given() {
    if [ -f "$1" ]; then
        collect_tar "$1" ||
            die "$1 (from --with-security-fixes) is no folder and no *.debian.tar.xz: $(last_line "$work/tar.log")"
        return
    fi
    [ -d "$1" ] || die "$1 (from --with-security-fixes) does not exist"
    for cg_folder in "$1" "$1/patches" "$1/debian/patches"; do
        [ -d "$cg_folder" ] && collect "$cg_folder"
    done
    for cg_file in "$1"/*.debian.tar.xz; do
        [ -f "$cg_file" ] && collect_tar "$cg_file"
    done
}

# collect_debian SUITE ARCHIVE: from the source package in one suite.
collect_debian() {
    cd_what="the Debian source package $debian_package ($1)"
    if ! command -v apt-get >/dev/null 2>&1; then
        failed "$cd_what" "apt-get is not here: not a Debian-like system"
        return
    fi
    cd_archive=$("$here/archive.sh" "$2") || {
        failed "$cd_what" "$cd_archive"
        return
    }
    note "fetching the security fixes: $cd_what"
    rm -rf "$work/apt"
    if ! "$here/aptsource.sh" "$work/apt" "$1" "$debian_package" "$cd_archive" diff \
        >"$work/apt.log" 2>&1; then
        failed "$cd_what" "$(last_line "$work/apt.log")"
        return
    fi
    cd_file=$(find "$work/apt" -maxdepth 1 -name '*.debian.tar.xz' | head -n 1)
    if [ -z "$cd_file" ] || ! collect_tar "$cd_file"; then
        failed "$cd_what" "it has no patches"
        return
    fi
    taken=$cd_what
    # The later a download, the more it has: leave no half of it behind.
    keep
    [ "$(missing_count)" = 0 ] || failed "$cd_what" "${cd_file##*/} lacks $(missing_count) of the $total patches"
}

# Enter what was found into the cache; it may be there by now.
keep() {
    mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || {
        note "the download cache $cache cannot be written; the security fixes will be fetched again"
        return
    }
    for ke_file in "$got"/*; do
        [ -f "$ke_file" ] || continue
        ke_name=${ke_file##*/}
        cp "$ke_file" "$cache/.$ke_name.$$" && mv "$cache/.$ke_name.$$" "$cache/$ke_name" ||
            die "$cache/$ke_name cannot be written (is the disk full?)"
    done
}

cache=$(cache_folder "$work")/fixes-$release
taken=
case $source in
    '' | new)
        if [ -z "$source" ] && [ -d "$cache" ]; then
            collect "$cache"
            : >"$revised"
            : >"$beyond"
            taken="the cache $cache"
        fi
        if [ "$(missing_count)" != 0 ]; then
            failed "the cache $cache" "it lacks $(missing_count) of the $total patches"
            collect_debian "$debian_suite" main
        fi
        [ "$(missing_count)" = 0 ] || collect_debian "$debian_suite-security" security
        ;;
    *)
        collect_given "$source"
        taken=$source
        [ "$(missing_count)" = 0 ] ||
            failed "$source (from --with-security-fixes)" "it lacks $(missing_count) of the $total patches"
        ;;
esac

while read -r name sum; do
    [ -f "$got/$name" ] ||
        failed "its patch $name" "was revised: sha256 $sum instead of the one in Tools/base/fixes"
done <"$revised"

if [ "$(missing_count)" != 0 ]; then
    die "CPython $release has known vulnerabilities, and $(missing_count) of $total security fixes are missing:
$(missing | sed 's/^/    /')
Tried:$tried
Get $debian_fixes or a later revision of that source package
on any machine, then run
  ./configure --with-security-fixes=/path/to/it    (with your other options)
To build a Python that is known to be vulnerable all the same:
  ./configure --without-security-fixes"
fi

sort -u "$beyond" | while read -r name sum; do
    note "not laid, because Tools/base/fixes does not know it: $name (sha256 $sum)"
done
if [ "$source" = new ] && [ ! -s "$beyond" ]; then
    note "nothing is there that Tools/base/fixes does not know"
fi
complete=yes
echo "$taken"
