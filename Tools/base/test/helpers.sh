# A made-up release and a made-up fork of it, and words to test with.
# shellcheck shell=sh
# shellcheck disable=SC2154

# $scratch/release: a tarball small enough to unpack in no time, with a
# configure and a Makefile that do what the driver relies on.
make_release() {
    made=$scratch/release/Python-3.13.5
    mkdir -p "$made/Include" "$made/Python" "$made/Lib" "$made/Objects"
    echo '#define PY_VERSION              "3.13.5"' >"$made/Include/patchlevel.h"
    for number in 1 2 3 4 5 6 7 8 9; do
        echo "int core_$number;"
        echo "int spare_$number;"
    done >"$made/Python/core.c"
    cp "$made/Python/core.c" "$made/Python/other.c"
    cp "$made/Python/core.c" "$made/Python/weak.c"
    echo 'VERSION= none' >"$made/Makefile.pre.in"
    echo 'int replaced;' >"$made/Objects/replaced.c"
    echo 'int gone;' >"$made/Python/gone.c"
    echo 'module = "upstream"' >"$made/Lib/module.py"
    cat >"$made/configure" <<'END'
#!/bin/sh
echo "configured" >>configure-runs
for argument; do echo "<$argument>"; done >arguments-seen
case " $* " in *--enable-unicode*) echo "configure: WARNING: unrecognized options: --enable-unicode" ;; esac
case " $* " in *--enable-break-configure*) echo "configure: broken on purpose"; exit 7 ;; esac
source=$(dirname "$0")
out=$(cd .. && pwd)/out
cat >Makefile <<MAKE
objects = core.o other.o replaced.o
all: python
python: \$(objects)
	cat \$(objects) >python
	chmod +x python
core.o: $source/Python/core.c $source/Include/patchlevel.h
	test ! -f ../break || { echo "this one breaks"; exit 3; }
	cp $source/Python/core.c core.o
	echo core >>compiled
other.o: $source/Python/other.c $source/Include/patchlevel.h
	cp $source/Python/other.c other.o
	echo other >>compiled
replaced.o: $source/Objects/replaced.c $source/Include/patchlevel.h
	cp $source/Objects/replaced.c replaced.o
	echo replaced >>compiled
clean:
	rm -f python \$(objects) profile-run-stamp
	echo clean >>compiled
install altinstall: all
	mkdir -p \$(DESTDIR)$out
	cp python \$(DESTDIR)$out/\$@
MAKE
END
    chmod +x "$made/configure"
    find "$made" -exec touch -d '2020-01-01 00:00:00' {} +
    (cd "$scratch/release" && tar -cf - Python-3.13.5 | xz -0 >Python-3.13.5.tar.xz)
}

sum_of() {
    sha256sum <"$1" | cut -d ' ' -f 1
}

# A clone in $T/repo with one patch, one replaced file, one module that became
# a package, one file gone and one new; its release and the two security fixes
# of that in the cache $T/cache.
make_fork() {
    R=$T/repo
    B=$T/repo/build
    mkdir -p "$R/Tools/base" "$R/patches/3.13" "$R/Lib/module" "$R/Objects" "$R/Python" \
        "$T/cache/tracemalloc-cpython"
    cp "$scripts"/*.sh "$R/Tools/base/"
    cp "$clone/configure" "$clone/Makefile.pre.in" "$R/"
    cp "$scratch/release/Python-3.13.5.tar.xz" "$T/cache/tracemalloc-cpython/"
    XDG_CACHE_HOME=$T/cache
    export XDG_CACHE_HOME
    write_pin "$(sum_of "$scratch/release/Python-3.13.5.tar.xz")"
    echo 'int replaced_by_us;' >"$R/Objects/replaced.c"
    echo 'int joined;' >"$R/Python/joined.c"
    echo 'module = "ours"' >"$R/Lib/module/__init__.py"
    base=$scratch/release/Python-3.13.5
    {
        echo "# made for a test"
        echo "$(sum_of "$base/Objects/replaced.c") Objects/replaced.c Objects/replaced.c"
        echo "$(sum_of "$base/Lib/module.py") Lib/module.py Lib/module/__init__.py"
        echo "$(sum_of "$base/Python/gone.c") Python/gone.c --"
    } >"$R/Tools/base/overrides"
    make_patch 0001-core-edit.patch Python/core.c s/core_5/core_five/
    echo 0001-core-edit.patch >"$R/patches/3.13/series"
    printf '%s\n' ======= Changes ======= '' '1.2 (unreleased)' ================ '' \
        '* One.' '' 1.1 === >"$R/CHANGES.rst"
    F=$T/cache/tracemalloc-cpython/fixes-3.13.5
    mkdir -p "$F"
    edit_of Python/weak.c s/core_2/core_two/ >"$F/CVE-2031-1.patch"
    edit_of Python/weak.c s/core_8/core_eight/ >"$F/weak-eight.patch"
    edit_of Python/other.c s/core_1/core_debian/ >"$T/left.patch"
    cat >"$R/Tools/base/fixes" <<END
# made for a test
fix   $(sum_of "$F/CVE-2031-1.patch") CVE-2031-1.patch CVE-2031-1 weak: two was weak
fix   $(sum_of "$F/weak-eight.patch") weak-eight.patch gh-77 weak: so was eight
leave $(sum_of "$T/left.patch") left.patch - not ours
END
}

write_pin() {
    cat >"$R/Tools/base/pin" <<END
release=3.13.5
file=Python-3.13.5.tar.xz
folder=Python-3.13.5
size=$(wc -c <"$scratch/release/Python-3.13.5.tar.xz" | tr -d ' ')
sha256=$1
debian_package=python3.13
debian_suite=trixie
debian_file=python3.13_3.13.5.orig.tar.xz
debian_fixes=python3.13_3.13.5-2+deb13u5.debian.tar.xz
url=https://nowhere.invalid/Python-3.13.5.tar.xz
END
}

# edit_of PATH SED-SCRIPT: a patch of one upstream file, printed.
edit_of() {
    sed "$2" "$scratch/release/Python-3.13.5/$1" >"$T/edited"
    echo "Why this must be a patch."
    echo
    diff -u --label "a/$1" --label "b/$1" "$scratch/release/Python-3.13.5/$1" "$T/edited" || true
}

# make_patch NAME PATH SED-SCRIPT: the same, as a patch of ours.
make_patch() {
    edit_of "$2" "$3" >"$R/patches/3.13/$1"
}

fetch() { "$R/Tools/base/fetch.sh" "$R" "$B" "$@"; }
fixed() { "$R/Tools/base/fixed.sh" "$R" "$B" "$@"; }
lay() { fixed && "$R/Tools/base/lay.sh" "$R" "$B"; }
check() { "$R/Tools/base/check.sh" "$R" "$B"; }

# Run a command that must succeed, or must not; what it said is in $T/said.
runs() {
    if "$@" >"$T/said" 2>&1; then return 0; fi
    echo "this should succeed: $*"
    cat "$T/said"
    exit 1
}

refuses() {
    if ! "$@" >"$T/said" 2>&1; then return 0; fi
    echo "this should fail: $*"
    cat "$T/said"
    exit 1
}

says() {
    if grep -qF -e "$1" "$T/said"; then return 0; fi
    echo "'$1' should be said in:"
    cat "$T/said"
    exit 1
}

silent_about() {
    if ! grep -qF -e "$1" "$T/said"; then return 0; fi
    echo "'$1' should not be said in:"
    cat "$T/said"
    exit 1
}

same() {
    if [ "$1" = "$2" ]; then return 0; fi
    echo "'$1' should be '$2'"
    exit 1
}

absent() {
    if [ ! -e "$1" ]; then return 0; fi
    echo "$1 should not be there"
    exit 1
}

# program NAME: standard input becomes a program on the PATH in $T/bin.
program() {
    mkdir -p "$T/bin"
    {
        echo '#!/bin/sh'
        cat
    } >"$T/bin/$1"
    chmod +x "$T/bin/$1"
}

# A PATH of nothing but $T/bin and links to the named programs' real places.
only_programs() {
    mkdir -p "$T/bin" "$T/tools"
    for tool in sh awk basename cat chmod cmp cp cut date diff dirname env expr find grep head \
        id ls ln mkdir mktemp mv printf pwd readlink rm rmdir sed sha256sum sort tail tar \
        tee touch tr uniq wc xz patch true false "$@"; do
        [ ! -e "$T/tools/$tool" ] || continue
        if real=$(command -v "$tool") && [ -x "$real" ]; then
            ln -sf "$real" "$T/tools/$tool"
        fi
    done
    PATH=$T/bin:$T/tools
    export PATH
}
