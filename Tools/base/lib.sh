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

note() {
    printf '%s\n' "$*" >&2
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
    for pin_key in release file folder size sha256 debian_package debian_suite debian_file \
        debian_fixes url; do
        eval "[ -n \"\${$pin_key:-}\" ]" || die "$1/Tools/base/pin does not set '$pin_key'"
    done
    patches=patches/${release%.*}
}

# Where downloads are kept between builds; WORK where there is no home.
cache_folder() {
    case ${XDG_CACHE_HOME:-} in
        /*) echo "$XDG_CACHE_HOME/$project" ;;
        *) echo "${HOME:-$1}/.cache/$project" ;;
    esac
}

# Remember in $tried what was tried in vain, and why.
tried=""
failed() {
    tried="$tried
  * $1
      $2"
}

last_line() {
    sed -n -e 's/[[:space:]]*$//' -e '/./p' "$1" | tail -n 1
}

# The fork's own version: the newest heading of CHANGES.rst, "1.0" or
# "1.0 (unreleased)", which is 1.0.dev0.
fork_version() {
    fv_text=$(awk '/^==*$/ && before != "" && ++n == 2 { print before; exit }
                   { before = ($0 ~ /^==*$/) ? "" : $0 }' "$1/CHANGES.rst" 2>/dev/null)
    case $fv_text in
        *" (unreleased)") fv_number=${fv_text%" (unreleased)"} fv_end=.dev0 ;;
        *) fv_number=$fv_text fv_end= ;;
    esac
    printf '%s\n' "$fv_number" | grep -qE '^[0-9]+(\.[0-9]+)+$' ||
        die "CHANGES.rst: its newest heading must be a version, such as '1.0' or '1.0 (unreleased)', and is '$fv_text'"
    echo "$fv_number$fv_end"
}

# Records of the table of security fixes that begin with a word.
fixes() {
    [ -f "$1/Tools/base/fixes" ] || return 0
    awk -v word="$2" '$1 == word' "$1/Tools/base/fixes"
}

# Lines of that table that cannot be meant, one line each.
table_problems() {
    [ -f "$1/Tools/base/fixes" ] || return 0
    awk '
        /^[[:space:]]*(#|$)/ { next }
        { good = 0 }
        $1 == "fix" && NF > 4 && $4 ~ /^(CVE-[0-9]+-[0-9]+|gh-[0-9]+)$/ { good = 1 }
        $1 == "leave" && NF > 4 && $4 == "-" { good = 1 }
        $1 == "compare" && NF == 3 { good = 1; if (!($2 in named)) { good = 0 } }
        $1 != "compare" && (length($2) != 64 || $2 ~ /[^0-9a-f]/ || $3 ~ /\//) { good = 0 }
        !good { print "Tools/base/fixes:" NR ": " $0; next }
        $1 == "compare" { next }
        $3 in named { print "Tools/base/fixes:" NR ": " $3 " is there twice" }
        $2 in sums { print "Tools/base/fixes:" NR ": " $3 " has the sum of " sums[$2] }
        { named[$3] = 1; sums[$2] = $3 }' "$1/Tools/base/fixes"
}

# What is fixed: CVEs and issues, each once, in the order of the table.
fixed_names() {
    fixes "$1" fix | awk '!seen[$4]++ { print $4 }'
}

# What the fork is laid over: the release with its security fixes, or without.
foundation() {
    case $(cat "$1/stamp/fixes" 2>/dev/null) in
        [1-9]*) echo "$1/fixed/$folder" ;;
        *) echo "$1/base/$folder" ;;
    esac
}

# Apply the fixes in a folder to a copy of the release.  "patch path" for each
# file that they touch goes to the file $4.  Status 1 and what is wrong, if one
# does not fit.
lay_fixes() {
    : >"$4"
    fixes "$1" fix | while read -r _ _ lf_name _; do
        if ! apply_patch "$2/$lf_name" "$3"; then
            echo "the security fix $lf_name does not apply:"
            printf '%s\n' "$applied" | sed 's/^/  | /'
            exit 1
        fi
        patch_paths "$2/$lf_name" | sed "s|^|$lf_name |" >>"$4"
    done
}

# Fixes of files that ours replace would be lost without a word.
fix_problems() {
    fp_gone=$(overrides "$1" | awk '{ print $2 }')
    fp_seen=$(fixes "$1" compare | awk '{ print $2, $3 }')
    while read -r fp_name fp_path; do
        printf '%s\n' "$fp_gone" | grep -qxF -e "$fp_path" || continue
        printf '%s\n' "$fp_seen" | grep -qxF -e "$fp_name $fp_path" && continue
        echo "$fp_path: changed by the security fix $fp_name, and replaced by ours; give ours what it lacks, then add to Tools/base/fixes: compare $fp_name $fp_path"
    done <"$2"
}

# Release of the CPython sources in a folder; nothing if it holds none.
release_of() {
    sed -n 's/^#define PY_VERSION[[:space:]][[:space:]]*"\(.*\)".*/\1/p' \
        "$1/Include/patchlevel.h" 2>/dev/null
}

# Files of ours that join the tree, one path a line, sorted.
our_files() {
    our_paths "$1" | sed '/\.py\.in$/d'
}

# Files of ours that are filled in on the way, and lose their last suffix.
our_templates() {
    our_paths "$1" | sed -n '/\.py\.in$/p'
}

our_paths() {
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

# For programs with sanitizers that run while something is built: what a short
# process leaves to its end is no leak, and no reason to fail.
sanitizer_options() {
    ASAN_OPTIONS=detect_leaks=0
    export ASAN_OPTIONS
}

remove_bytecode() {
    find "$1" -name __pycache__ -prune -exec rm -rf {} +
}

unpack() {
    mkdir -p "$2" || return 1
    xz -dc "$1" | tar -xf - -C "$2"
}
