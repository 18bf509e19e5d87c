#!/bin/sh
# Lay the fork over the base: BUILD/tree is a copy of BUILD/fixed, or of
# BUILD/base where there are no security fixes, with the patches applied, our
# files linked in, and what they replace gone.
#
#   lay.sh ROOT BUILD
#
# What the interpreter says of itself is filled in here: @FORK_VERSION@,
# @FORK_FIXES@ and @FORK_BUILD@ in the makefile and in our files named *.py.in.
#
# The tree is laid anew only when the base, a fix, a patch, the overrides, the
# version or the list of our files changed.  Times of files whose text stays the same are kept, so
# that make compiles what changed and nothing else.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
build=$2
read_pin "$root"
base=$(foundation "$build")
touched_by_fixes=$build/fixed/touched
[ "$base" = "$build/fixed/$folder" ] || touched_by_fixes=/dev/null
tree=$build/tree
new=$build/tree.new
stamp=$build/stamp/tree

key() {
    {
        cat "$build/stamp/base" "$build/stamp/fixes" "$root/Tools/base/pin" "$here/lay.sh" "$here/lib.sh"
        echo "$version"
        overrides "$root"
        series "$root" | while read -r name; do
            echo "$name"
            cat "$root/$patches/$name" 2>/dev/null
        done
        echo "$root"
        our_files "$root"
        our_templates "$root" | while IFS= read -r path; do
            cat "$root/$path"
        done
    } >"$build/stamp/.tree.$$"
    sha256_of "$build/stamp/.tree.$$"
    rm -f "$build/stamp/.tree.$$"
}

mkdir -p "$build/stamp" || die "$build cannot be written"
version=$(fork_version "$root") || exit 1
want=$(key)
if [ -d "$tree" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then
    exit 0
fi

# An edit in the tree to a file of upstream's would be lost: it must become a
# patch first.  (Files of ours are links, and so are safe.)
if [ -d "$tree" ] && [ -f "$stamp" ]; then
    edited=$(cd "$tree" && find . -name __pycache__ -prune -o -type f ! -name '*.py[co]' \
        ! -name .laid -newer "$stamp" -print | sed 's|^\./||' | sort)
    if [ -n "$edited" ]; then
        printf '%s\n' "$edited" | sed "s|^|  $tree/|" >&2
        die "the files above were edited after the tree was laid, and laying it anew would lose that. Bring the edits into a patch in $patches (the originals are in $base), then remove $tree and run make again."
    fi
fi

problems=$(
    override_problems "$root" "$build/base/$folder"
    fix_problems "$root" "$touched_by_fixes"
)
if [ -n "$problems" ]; then
    printf '  %s\n' "$problems" >&2
    die "the fork does not fit the base: see above"
fi

# A run that was stopped between the two renames below left the tree aside.
if [ ! -d "$tree" ] && [ -d "$tree.old" ]; then
    mv "$tree.old" "$tree" || exit 1
fi
rm -rf "$new" "$tree.old"
cp -Rp "$base" "$new" || die "$base cannot be copied to $new (is the disk full?)"
remove_bytecode "$new"

count=0
touched=$build/stamp/.touched.$$
sed 's/^[^ ]* //' "$touched_by_fixes" >"$touched"
for name in $(series "$root"); do
    patch_file=$root/$patches/$name
    [ -f "$patch_file" ] || die "$patches/series names $name, which does not exist"
    if ! apply_patch "$patch_file" "$new"; then
        printf '%s\n' "$applied" | sed 's/^/  | /' >&2
        die "$patches/$name does not apply to CPython $release with the patches before it; correct it by hand"
    fi
    case $applied in
        *offset*) say tree "$patches/$name applies with an offset: make refresh-patches" ;;
    esac
    patch_paths "$patch_file" >>"$touched"
    count=$((count + 1))
done

overrides "$root" | while read -r _ path _; do
    rm -f "$new/$path" && echo "$path" >>"$touched"
done

our_files "$root" >"$touched.ours"
while IFS= read -r path; do
    case $path in
        */*) mkdir -p "$new/${path%/*}" || exit 1 ;;
    esac
    rm -f "$new/$path"
    ln -s "$root/$path" "$new/$path" || exit 1
done <"$touched.ours" || die "our files could not be linked into $new"
cat "$touched.ours" >>"$touched"
ours=$(wc -l <"$touched.ours" | tr -d ' ')

if [ "$base" = "$build/fixed/$folder" ]; then
    names=$(fixed_names "$root" | tr '\n' ' ')
    described="with $(fixed_names "$root" | wc -l | tr -d ' ') security fixes"
else
    names=''
    described="without security fixes"
fi

# fill_in TEMPLATE FILE: what the interpreter says of itself.
fill_in() {
    sed -e "s/@FORK_VERSION@/$version/g" -e "s/@FORK_FIXES@/${names% }/g" \
        -e "s/@FORK_BUILD@/tracemalloc-fork $version $described/g" "$1" >"$2.filled" &&
        { cmp -s "$2.filled" "$2" || cat "$2.filled" >"$2"; } && rm -f "$2.filled" || exit 1
}
[ ! -f "$new/Makefile.pre.in" ] || fill_in "$new/Makefile.pre.in" "$new/Makefile.pre.in"
our_templates "$root" >"$touched.templates"
while IFS= read -r path; do
    rm -f "$new/${path%.in}"
    fill_in "$root/$path" "$new/${path%.in}"
    echo "${path%.in}" >>"$touched"
    ours=$((ours + 1))
done <"$touched.templates"
sort -u "$touched" >"$new/.laid"
rm -f "$touched" "$touched.ours" "$touched.templates"

# Against the tree that is there already: give a file that stays the same its
# time back, make a changed one new.  A link has its target's time, so when an
# older C file of ours joins, a header on which every object depends is made
# new instead.
if [ -d "$tree" ]; then
    sort -u "$new/.laid" "$tree/.laid" 2>/dev/null | while IFS= read -r path; do
        if [ -L "$new/$path" ]; then
            [ "$(readlink "$tree/$path" 2>/dev/null)" = "$(readlink "$new/$path")" ] && continue
            case $path in
                *.[ch])
                    [ -n "$(find -L "$new/$path" -newer "$build/stamp/fork" 2>/dev/null)" ] ||
                        touch "$new/Include/patchlevel.h"
                    ;;
            esac
        elif [ -f "$new/$path" ]; then
            if [ -f "$tree/$path" ] && [ ! -L "$tree/$path" ] && cmp -s "$new/$path" "$tree/$path"; then
                touch -r "$tree/$path" "$new/$path"
            else
                touch "$new/$path"
            fi
        fi
    done
    rm -f "$stamp"
    mv "$tree" "$tree.old" || exit 1
fi
mv "$new" "$tree" || exit 1
rm -rf "$tree.old"
echo "$want" | write_stamp "$stamp"
say tree "base + $count patches + $ours files of ours"
