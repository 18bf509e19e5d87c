# Shared by the driver's scripts; sourced, never run.
#
#   $root   the repository            $build   where everything generated goes
#
# A release of ours has no .git, so nothing here asks git for anything.
# shellcheck shell=sh

# Absolute, because scripts change folders.
here=$(cd "${0%/*}" && pwd)

# Order and messages must not depend on the language; what is built and tested
# runs in the caller's own, which own_locale gives back.
callers_locale=${LC_ALL-none}
LC_ALL=C
export LC_ALL

own_locale() {
    if [ "$callers_locale" = none ]; then
        unset LC_ALL
    else
        LC_ALL=$callers_locale
    fi
}

project=tracemalloc-cpython
mirrored="Doc Include Lib Modules Objects Python"

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

say() {
    printf '  %-15s %s\n' "$1" "$2"
}

sha256_of() {
    if command -v sha256sum >/dev/null 2>&1; then
        sum=$(sha256sum <"$1") || return 1
    elif command -v shasum >/dev/null 2>&1; then
        sum=$(shasum -a 256 <"$1") || return 1
    else
        die "neither sha256sum nor shasum is here (Debian package: coreutils)"
    fi
    printf '%s\n' "${sum%% *}"
}

# Set release, file, folder, size, sha256, debian_* and url from the pin.
read_pin() {
    [ -r "$1/Tools/base/pin" ] || die "$1/Tools/base/pin is missing: it names the base"
    # shellcheck source=/dev/null
    . "$1/Tools/base/pin"
    for pin_key in release file folder size sha256 debian_package debian_suite debian_file url; do
        eval "[ -n \"\${$pin_key:-}\" ]" || die "$1/Tools/base/pin does not set '$pin_key'"
    done
    patches=patches/${release%.*}
}

# Release of the CPython sources in a folder; nothing if it holds none.
release_of() {
    sed -n 's/^#define PY_VERSION[[:space:]][[:space:]]*"\(.*\)".*/\1/p' \
        "$1/Include/patchlevel.h" 2>/dev/null
}

# Files of ours that join the tree, one path a line, sorted.
our_files() {
    (
        cd "$1" || exit 1
        for folder_ in $mirrored; do
            [ -d "$folder_" ] || continue
            find "$folder_" \( -name __pycache__ -o -path Doc/build -o -path Doc/venv \) -prune -o \
                \( -type f -o -type l \) ! -name '*.py[co]' ! -name '*~' ! -name '.*' \
                ! -name '#*' ! -name '*.orig' ! -name '*.rej' ! -name '*.o' -print
        done | sort
    )
}

# Names of the patches, in the order in which they apply.
series() {
    [ -f "$1/$patches/series" ] || return 0
    sed -e 's/[[:space:]]*#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$1/$patches/series"
}

# Upstream paths that one patch touches, sorted.
patch_paths() {
    awk '
        function path(text) {
            sub(/\t.*/, "", text)
            if (text != "/dev/null") { sub(/^[^\/]*\//, "", text); print text }
        }
        /^--- / { old = substr($0, 5); getline
                  if (/^\+\+\+ /) { path(old); path(substr($0, 5)) } }
    ' "$1" | sort -u
}

# What stands above a patch's first file: why it exists.
patch_head() {
    awk '
        /^diff / || /^Index: / { exit }
        held != "" && /^\+\+\+ / { exit }
        held != "" { print held; held = "" }
        /^--- / { held = $0; next }
        { print }
    ' "$1"
}

# Apply one patch to a folder without fuzz.  What patch said is in $applied.
apply_patch() {
    applied=$(patch -p1 -F0 -f --no-backup-if-mismatch -r - -d "$2" <"$1" 2>&1)
}

# Records of the overrides table: sum, upstream path, path of ours or --.
overrides() {
    [ -f "$1/Tools/base/overrides" ] || return 0
    sed -e '/^[[:space:]]*#/d' -e '/^[[:space:]]*$/d' "$1/Tools/base/overrides"
}

# Print what is wrong between the overrides table, our files and the base in
# a folder, one line each; nothing when all agree.
override_problems() {
    op_root=$1 op_base=$2
    overrides "$op_root" | while read -r op_sum op_path op_ours op_rest; do
        if [ -z "$op_ours" ] || [ -n "$op_rest" ]; then
            echo "Tools/base/overrides: '$op_sum $op_path $op_ours $op_rest' is not 'sha256 upstream-file our-file-or---'"
        elif [ ! -f "$op_base/$op_path" ]; then
            echo "$op_path: recorded in Tools/base/overrides, but the base has no such file; remove the line"
        elif [ "$op_ours" != -- ] && [ ! -f "$op_root/$op_ours" ]; then
            echo "$op_path: recorded in Tools/base/overrides as replaced by $op_ours, which does not exist; write the file, or remove the line"
        elif op_now=$(sha256_of "$op_base/$op_path") && [ "$op_now" != "$op_sum" ]; then
            echo "$op_path: changed in the base under our replacement (sha256 $op_now, Tools/base/overrides says $op_sum); compare it with $op_ours, then run make refresh-overrides"
        fi
    done
    unrecorded "$op_root" "$op_base" | while read -r op_path op_ours; do
        echo "$op_path: replaced by our $op_ours, but not recorded in Tools/base/overrides; rename ours, or run make refresh-overrides"
    done
    op_gone=$(overrides "$op_root" | awk '{ print $2 }')
    series "$op_root" | while read -r op_patch; do
        [ -f "$op_root/$patches/$op_patch" ] || continue
        patch_paths "$op_root/$patches/$op_patch" | while read -r op_path; do
            if printf '%s\n' "$op_gone" | grep -qxF -e "$op_path"; then
                echo "$op_path: changed by $patches/$op_patch, and replaced by Tools/base/overrides; one of the two must go"
            fi
        done
    done
}

# "upstream-file our-file" for each replacement that has no record.  A package
# of ours hides the module of the same name, so it counts as one.
unrecorded() {
    un_known=$(overrides "$1" | awk '{ print $2 }')
    our_files "$1" | while IFS= read -r un_ours; do
        un_path=$un_ours
        case $un_ours in
            */__init__.py) [ -f "$2/$un_ours" ] || un_path=${un_ours%/__init__.py}.py ;;
        esac
        [ -f "$2/$un_path" ] || continue
        printf '%s\n' "$un_known" | grep -qxF -e "$un_path" || echo "$un_path $un_ours"
    done
}

# Patches and series: what is missing and what is left over.
series_problems() {
    series "$1" | sort | uniq -d | while read -r sp_name; do
        echo "$patches/series names $sp_name twice"
    done
    series "$1" | while read -r sp_name; do
        [ -f "$1/$patches/$sp_name" ] ||
            echo "$patches/series names $sp_name, which does not exist; write the patch, or remove the line"
    done
    sp_known=$(series "$1")
    for sp_file in "$1/$patches"/*; do
        sp_name=${sp_file##*/}
        case $sp_name in
            series | README* | '*' | *~ | .*) continue ;;
        esac
        printf '%s\n' "$sp_known" | grep -qxF -e "$sp_name" ||
            echo "$patches/$sp_name is orphaned: $patches/series does not name it"
    done
}

# make -n runs the lines that mention $(MAKE) too: for those, say what would
# run and succeed.  The first word of MAKEFLAGS holds the one-letter flags.
dry_run() {
    case ${MAKEFLAGS%% *} in
        *[=-]*) return 1 ;;
        *n*) say "$1" "would run: $2" ;;
        *) return 1 ;;
    esac
}

# Put standard input into a file at once, so that no half of it is ever read.
write_stamp() {
    mkdir -p "${1%/*}" && cat >"$1.$$" && mv "$1.$$" "$1"
}

remove_bytecode() {
    find "$1" -name __pycache__ -prune -exec rm -rf {} +
}

unpack() {
    mkdir -p "$2" || return 1
    xz -dc "$1" | tar -xf - -C "$2"
}
