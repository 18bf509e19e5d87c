# The security fixes of the release, and what the fork says of itself.
# shellcheck shell=sh
# shellcheck disable=SC2154

get_fixes() { "$R/Tools/base/fixes.sh" "$R" "$T/got" "$@"; }

# A source package of revision $1 in $T/apt-gives: what is in the folder
# $T/package/debian/patches.
pack() {
    (cd "$T/package" && tar -cf - debian) | xz -0 >"$T/apt-gives"
    echo "python3.13_3.13.5-$1.debian.tar.xz" >"$T/apt-name"
}

# An empty cache, and an archive with the package that has both fixes, the
# patch that is left and, commented out, another one.
package() {
    make_fork
    mkdir -p "$T/package/debian/patches"
    mv "$F"/* "$T/left.patch" "$T/package/debian/patches/"
    echo 'a part' >"$T/package/debian/patches/off.patch"
    printf '%s\n' '# first' 'left.patch' '#off.patch' 'CVE-2031-1.patch -p1' weak-eight.patch \
        >"$T/package/debian/patches/series"
    only_programs
    make_apt
    pack 2+deb13u5
    mkdir "$T/cache"
}

test_fixes_come_from_the_cache() {
    make_fork
    only_programs
    runs fetch
    runs fixed
    says "2 security fixes, from the cache"
    grep -q core_two "$B/fixed/Python-3.13.5/Python/weak.c"
    grep -q core_eight "$B/fixed/Python-3.13.5/Python/weak.c"
    diff -r "$B/base/Python-3.13.5" "$scratch/release/Python-3.13.5"
    runs fixed
    same "$(cat "$T/said")" ""
    absent "$B/download-fixes"
}

test_fixes_come_from_the_debian_source_package() {
    package
    runs get_fixes
    says "the Debian source package python3.13 (trixie)"
    silent_about "not laid"
    grep -q 'http://archive.invalid/debian trixie main' "$T/apt-sources"
    grep -q -- "--diff-only" "$T/apt-calls"
    same "$(ls -A "$F" | tr '\n' ' ')" "CVE-2031-1.patch weak-eight.patch "
    same "$(ls -A "$T/got/fixes" | tr '\n' ' ')" "CVE-2031-1.patch weak-eight.patch "
    : >"$T/apt-breaks"
    runs get_fixes
    says "the cache "
}

test_fixes_are_known_by_their_sums_in_a_later_revision() {
    package
    patches_=$T/package/debian/patches
    mv "$patches_/CVE-2031-1.patch" "$patches_/0001-renamed.patch"
    edit_of Python/other.c s/core_4/core_four/ >"$patches_/CVE-2032-7.patch"
    printf '%s\n' 0001-renamed.patch weak-eight.patch CVE-2032-7.patch >"$patches_/series"
    pack 2+deb13u9
    runs get_fixes
    says "not laid, because Tools/base/fixes does not know it: CVE-2032-7.patch (sha256 $(sum_of "$patches_/CVE-2032-7.patch"))"
    same "$(ls -A "$T/got/fixes" | tr '\n' ' ')" "CVE-2031-1.patch weak-eight.patch "
    runs fetch "$scratch/release/Python-3.13.5.tar.xz"
    runs fixed
    grep -q core_two "$B/fixed/Python-3.13.5/Python/weak.c"
    cmp "$B/fixed/Python-3.13.5/Python/other.c" "$scratch/release/Python-3.13.5/Python/other.c"
    runs get_fixes
    silent_about "not laid"
    runs get_fixes new
    says CVE-2032-7.patch
}

test_fixes_that_are_missing_are_named_with_what_to_do() {
    package
    rm "$T/package/debian/patches/weak-eight.patch"
    pack 2+deb13u1
    refuses get_fixes
    says "1 of 2 security fixes are missing:"
    says "    weak-eight.patch"
    says "python3.13_3.13.5-2+deb13u1.debian.tar.xz lacks 1 of the 2 patches"
    says "the Debian source package python3.13 (trixie-security)"
    says "no Debian archive of security updates"
    says "python3.13_3.13.5-2+deb13u5.debian.tar.xz or a later revision"
    says "--with-security-fixes="
    says "--without-security-fixes"
    absent "$T/got"
    runs fetch "$scratch/release/Python-3.13.5.tar.xz"
    refuses fixed
    absent "$B/fixed"
    refuses lay
    absent "$B/tree"
}

test_fixes_may_be_spread_over_the_archive_and_its_security_updates() {
    package
    echo "deb [signed-by=$T/keys/debian-archive-keyring.gpg] http://security.invalid/debian-security stable-security main" \
        >"$T/etc/parts/two.list"
    mv "$T/package/debian/patches/weak-eight.patch" "$T/weak-eight.patch"
    pack 2+deb13u1
    cp "$T/apt-gives" "$T/main-gives"
    mv "$T/weak-eight.patch" "$T/package/debian/patches/"
    rm "$T/package/debian/patches/CVE-2031-1.patch"
    pack 2+deb13u6
    cp "$T/apt-gives" "$T/security-gives"
    program apt-get <<END
case " \$* " in
    *" source "*)
        case \$(cat sources.list) in
            *" http://security.invalid/debian-security trixie-security main") from=security ;;
            *" http://archive.invalid/debian trixie main") from=main ;;
        esac
        cp $T/\$from-gives python3.13_3.13.5-\$from.debian.tar.xz ;;
esac
END
    runs get_fixes
    says "(trixie-security)"
    same "$(ls -A "$T/got/fixes" | tr '\n' ' ')" "CVE-2031-1.patch weak-eight.patch "
}

test_fixes_that_were_revised_are_named_and_not_laid() {
    package
    echo "revised" >>"$T/package/debian/patches/weak-eight.patch"
    revised_sum=$(sum_of "$T/package/debian/patches/weak-eight.patch")
    pack 2+deb13u6
    refuses get_fixes
    says "its patch weak-eight.patch"
    says "was revised: sha256 $revised_sum instead of the one in Tools/base/fixes"
    # Half of it is no loss: the rest may come from elsewhere.
    same "$(ls -A "$F")" CVE-2031-1.patch
}

test_fixes_come_from_a_given_folder_or_package() {
    package
    : >"$T/apt-breaks"
    for given in "$T/package" "$T/package/debian/patches" "$T/apt-gives"; do
        rm -rf "$T/got"
        runs get_fixes "$given"
        says "$given"
        same "$(ls -A "$T/got/fixes" | tr '\n' ' ')" "CVE-2031-1.patch weak-eight.patch "
        absent "$F/CVE-2031-1.patch"
    done
    mkdir "$T/folder"
    cp "$T/apt-gives" "$T/folder/python3.13_3.13.5-2+deb13u5.debian.tar.xz"
    runs get_fixes "$T/folder"
    mkdir "$T/empty"
    refuses get_fixes "$T/empty"
    says "2 of 2 security fixes are missing"
    says "$T/empty (from --with-security-fixes)"
    refuses get_fixes "$T/nowhere"
    says "$T/nowhere (from --with-security-fixes) does not exist"
    echo "no tarball" >"$T/text"
    refuses get_fixes "$T/text"
    says "$T/text (from --with-security-fixes) is no folder and no *.debian.tar.xz"
}

# Names are printed, so that they must not drive the terminal.
test_fixes_of_a_hostile_folder_do_no_harm() {
    fifo=$(command -v mkfifo)
    package
    hostile=$T/hostile
    mkdir "$hostile"
    cp "$T/package/debian/patches/"*.patch "$hostile/"
    printf 'evil' >"$hostile/$(printf 'a\033[2Jb').patch"
    "$fifo" "$hostile/fifo.patch"
    ln -s /nowhere/at/all "$hostile/dangling.patch"
    printf '%s\n' ../../etc/passwd /etc/passwd >>"$T/package/debian/patches/series"
    runs get_fixes "$hostile"
    says 'a?[2Jb.patch'
    silent_about "$(printf '\033')"
    runs get_fixes "$T/package"
    silent_about passwd
}

test_fixes_damaged_in_the_cache_are_fetched_again() {
    package
    runs get_fixes
    echo damage >>"$F/weak-eight.patch"
    runs get_fixes
    says "the Debian source package"
    cmp "$F/weak-eight.patch" "$T/package/debian/patches/weak-eight.patch"
}

test_fixes_that_the_tree_has_already_are_named() {
    make_fork
    cp -R "$scratch/release/Python-3.13.5" "$T/mended"
    patch -s -p1 -d "$T/mended" <"$F/CVE-2031-1.patch"
    runs fetch "$T/mended"
    refuses fixed
    says "the security fix CVE-2031-1.patch does not apply"
    says "if that tree has them already, configure --without-security-fixes"
    absent "$B/fixed"
}

test_fixes_are_laid_below_the_patches_and_can_be_left_out() {
    make_fork
    runs fetch
    runs lay
    grep -q core_eight "$B/tree/Python/weak.c"
    grep -qx Python/weak.c "$B/tree/.laid"
    runs fixed no
    says "NONE: CPython 3.13.5 with its known vulnerabilities"
    absent "$B/fixed"
    runs "$R/Tools/base/lay.sh" "$R" "$B"
    cmp "$B/tree/Python/weak.c" "$scratch/release/Python-3.13.5/Python/weak.c"
    runs lay
    grep -q core_eight "$B/tree/Python/weak.c"
    touch -d '2021-01-01' "$B/tree/Python/weak.c"
    rm -r "$B/fixed"
    runs lay
    : >"$R/Python/new.c"
    runs lay
    same "$(find "$B/tree/Python/weak.c" -newer "$B/stamp/base")" ""
}

test_fixes_and_patches_of_the_same_file_follow_each_other() {
    make_fork
    mkdir "$T/both"
    cp -R "$scratch/release/Python-3.13.5" "$T/both/"
    patch -s -p1 -d "$T/both/Python-3.13.5" <"$F/CVE-2031-1.patch"
    sed s/core_2/core_2_ours/ "$scratch/release/Python-3.13.5/Python/weak.c" >"$T/edited"
    {
        echo "Why."
        sed s/core_two/core_ours/ "$T/both/Python-3.13.5/Python/weak.c" |
            diff -u --label a/Python/weak.c --label b/Python/weak.c "$T/both/Python-3.13.5/Python/weak.c" - || true
    } >"$R/patches/3.13/0002-weak-edit.patch"
    echo 0002-weak-edit.patch >>"$R/patches/3.13/series"
    runs fetch
    runs lay
    grep -q core_ours "$B/tree/Python/weak.c"
    # It cannot stand on the bare release.
    refuses check
    says "ok    every patch applies, without fuzz and without offset"
    says "ok    refreshing the patches changes nothing"
    says "FAIL  every patch applies to the release without its fixes, too"
}

test_check_names_what_is_wrong_with_the_fixes() {
    make_fork
    runs fetch
    runs fixed
    runs check
    says "ok    every security fix applies to the release"
    says "ok    build/fixed is the release with the security fixes"
    echo 'int edited;' >>"$B/fixed/Python-3.13.5/Python/weak.c"
    refuses check
    says "FAIL  build/fixed is the release with the security fixes"
    rm -r "$B/fixed"

    cp "$R/Tools/base/fixes" "$T/table"
    edit "s/^fix   [0-9a-f]*/fix   0000000000000000000000000000000000000000000000000000000000000000/" \
        "$R/Tools/base/fixes"
    only_programs
    refuses check
    says "FAIL  the table of security fixes is well formed"
    says "has the sum of CVE-2031-1.patch"
    says "FAIL  the security fixes are those of Tools/base/fixes"
    says "    CVE-2031-1.patch"
    cp "$T/table" "$R/Tools/base/fixes"
    echo "fix short name" >>"$R/Tools/base/fixes"
    refuses check
    says "Tools/base/fixes:5: fix short name"
}

test_check_without_the_fixes_proves_the_rest() {
    make_fork
    rm -r "$F"
    only_programs
    runs "$R/Tools/base/check.sh" "$R" "$B" "" no
    says "skip  the security fixes"
    says "everything holds"
    refuses check
    says "FAIL  the security fixes are those"
}

test_check_names_a_fix_that_needs_fuzz() {
    make_fork
    sed 's/^ int spare_1;/ int strange;/' "$F/CVE-2031-1.patch" >"$F/fuzzy"
    mv "$F/fuzzy" "$F/CVE-2031-1.patch"
    edit "s/^fix   [0-9a-f]* CVE-2031-1.patch/fix   $(sum_of "$F/CVE-2031-1.patch") CVE-2031-1.patch/" \
        "$R/Tools/base/fixes"
    refuses check
    says "FAIL  every security fix applies to the release, without fuzz"
    says "the security fix CVE-2031-1.patch does not apply"
}

# Ours would hide the fix.
test_a_fix_of_a_file_that_ours_replaces_is_noticed() {
    make_fork
    edit_of Objects/replaced.c s/replaced/mended/ >"$F/CVE-2031-2.patch"
    echo "fix $(sum_of "$F/CVE-2031-2.patch") CVE-2031-2.patch CVE-2031-2 something worse" \
        >>"$R/Tools/base/fixes"
    runs fetch
    refuses lay
    says "Objects/replaced.c: changed by the security fix CVE-2031-2.patch, and replaced by ours"
    absent "$B/tree"
    refuses check
    says "FAIL  no security fix is of a file that ours replaces"
    echo "compare CVE-2031-2.patch Objects/replaced.c" >>"$R/Tools/base/fixes"
    runs lay
    grep -q replaced_by_us "$B/tree/Objects/replaced.c"
    runs check
}

test_the_one_patch_has_the_fixes_too() {
    make_fork
    runs fetch
    runs lay
    runs "$R/Tools/base/distpatch.sh" "$R" "$B"
    cp -R "$scratch/release/Python-3.13.5" "$T/unpacked"
    (cd "$T/unpacked" && patch -s -p1 <"$B/tracemalloc-3.13.5.patch")
    grep -q core_two "$T/unpacked/Python/weak.c"
}

# Everything that the interpreter says of itself comes from CHANGES.rst and
# from what was laid.
test_the_version_is_filled_in() {
    make_fork
    make_patch 0002-makefile-say.patch Makefile.pre.in 's/none/@FORK_BUILD@/'
    echo 0002-makefile-say.patch >>"$R/patches/3.13/series"
    echo 'about = "@FORK_VERSION@", "@FORK_FIXES@"' >"$R/Lib/module/_about.py.in"
    runs fetch
    runs lay
    says "base + 2 patches + 4 files of ours"
    same "$(cat "$B/tree/Makefile.pre.in")" "VERSION= tracemalloc-fork 1.2.dev0 with 2 security fixes"
    same "$(cat "$B/tree/Lib/module/_about.py")" 'about = "1.2.dev0", "CVE-2031-1 gh-77"'
    absent "$B/tree/Lib/module/_about.py.in"
    [ ! -L "$B/tree/Lib/module/_about.py" ]
    runs "$R/Tools/base/distpatch.sh" "$R" "$B"
    runs check
    edit 's/1.2 (unreleased)/1.2/' "$R/CHANGES.rst"
    runs fixed no
    runs "$R/Tools/base/lay.sh" "$R" "$B"
    same "$(cat "$B/tree/Makefile.pre.in")" "VERSION= tracemalloc-fork 1.2 without security fixes"
    same "$(cat "$B/tree/Lib/module/_about.py")" 'about = "1.2", ""'
    edit 's/^1.2$/Unreleased/' "$R/CHANGES.rst"
    refuses lay
    says "its newest heading must be a version"
    says "'Unreleased'"
}

test_configure_asks_for_the_fixes() {
    make_fork
    cd "$R"
    runs ./configure
    says "checking for the security fixes of the release... the cache "
    absent conftest.fixes
    runs make
    grep -q core_eight build/tree/Python/weak.c
    runs make stock
    same "$(grep -c core_eight build/base/Python-3.13.5/Python/weak.c)" 0

    mv "$F" "$T/patches"
    only_programs gcc cc as ld make
    refuses ./configure
    says "CPython 3.13.5 has known vulnerabilities, and 2 of 2 security fixes are missing"
    says "configure: error: the security fixes are missing; what to do is said above"
    runs ./configure --with-security-fixes="$T/patches"
    runs make
    same "$(cat build/fork/configure-runs)" configured
    refuses ./configure --with-security-fixes
    says "--with-security-fixes needs a path"
    runs ./configure --without-security-fixes
    says "WARNING: the python that will be built has known vulnerabilities"
    says "*** WITHOUT SECURITY FIXES"
    runs make
    says "NONE: CPython 3.13.5 with its known vulnerabilities"
    same "$(grep -c core_eight build/tree/Python/weak.c)" 0
    refuses make refresh-patches
    says "configure with the security fixes first"
}
