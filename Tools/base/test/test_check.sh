# check-base names each fault that is planted; refreshing repairs what it can.
# shellcheck shell=sh
# shellcheck disable=SC2154

# sed -i is not the same everywhere.
edit() {
    sed "$1" "$2" >"$2.edited"
    cat "$2.edited" >"$2"
    rm "$2.edited"
}

test_check_holds_for_a_sound_fork() {
    make_fork
    runs check
    says "everything holds"
    silent_about FAIL
    absent "$B/check"
}

test_check_names_a_bad_pin() {
    make_fork
    write_pin 0000000000000000000000000000000000000000000000000000000000000000
    only_programs
    refuses check
    says "FAIL  the tarball is the pinned one"
    says 0000000000000000000000000000000000000000000000000000000000000000
}

test_check_names_a_wrong_size() {
    make_fork
    edit 's/^size=.*/size=1/' "$R/Tools/base/pin"
    refuses check
    says "the pin says 1"
}

test_check_names_a_wrong_release() {
    make_fork
    edit 's/^release=.*/release=3.13.6/' "$R/Tools/base/pin"
    refuses check
    says "holds CPython '3.13.5'"
}

test_check_names_an_edited_base() {
    make_fork
    runs fetch
    echo 'int edited;' >>"$B/base/Python-3.13.5/Python/other.c"
    refuses check
    says "FAIL  build/base is the tarball's content, untouched"
    says "Python/other.c"
}

test_check_names_a_patch_that_needs_fuzz() {
    make_fork
    edit 's/^ int core_6;/ int core_six;/' "$R/patches/3.13/0001-core-edit.patch"
    refuses check
    says "FAIL  every patch applies, without fuzz and without offset"
    says "0001-core-edit.patch does not apply without fuzz"
}

test_check_names_a_patch_with_an_offset() {
    make_fork
    edit 's/^@@ -\([0-9]*\),\([0-9]*\) +\([0-9]*\),/@@ -2,\2 +2,/' "$R/patches/3.13/0001-core-edit.patch"
    refuses check
    says "0001-core-edit.patch applies only with an offset"
    runs "$R/Tools/base/refresh.sh" "$R" "$scratch/release/Python-3.13.5"
    says "0001-core-edit.patch: refreshed"
    runs check
}

test_check_names_an_orphaned_patch() {
    make_fork
    make_patch 0002-forgotten.patch Python/other.c s/core_3/core_three/
    refuses check
    says "FAIL  every patch is in the series"
    says "0002-forgotten.patch is orphaned"
}

test_check_names_a_missing_patch() {
    make_fork
    echo 0003-missing.patch >>"$R/patches/3.13/series"
    refuses check
    says "0003-missing.patch, which does not exist"
}

test_check_names_a_patch_listed_twice() {
    make_fork
    cat "$R/patches/3.13/series" >"$T/series"
    cat "$T/series" >>"$R/patches/3.13/series"
    refuses check
    says "names 0001-core-edit.patch twice"
}

test_check_names_a_patch_without_a_reason() {
    make_fork
    edit 1,2d "$R/patches/3.13/0001-core-edit.patch"
    refuses check
    says "0001-core-edit.patch has no text above its first file"
}

test_check_names_a_patch_out_of_form() {
    make_fork
    edit 's|^--- a/Python/core.c|&	2020-01-01|' "$R/patches/3.13/0001-core-edit.patch"
    refuses check
    says "FAIL  refreshing the patches changes nothing"
    says "0001-core-edit.patch is not in the canonical form"
    runs "$R/Tools/base/refresh.sh" "$R" "$scratch/release/Python-3.13.5"
    runs check
    grep -q '^Why this must be a patch' "$R/patches/3.13/0001-core-edit.patch"
}

test_check_names_an_override_of_a_file_that_upstream_dropped() {
    make_fork
    echo "$(sum_of "$T/edited") Python/never.c --" >>"$R/Tools/base/overrides"
    refuses check
    says "Python/never.c: recorded in Tools/base/overrides, but the base has no such file"
}

test_check_names_an_override_without_our_file() {
    make_fork
    rm "$R/Objects/replaced.c"
    refuses check
    says "recorded in Tools/base/overrides as replaced by Objects/replaced.c, which does not exist"
}

test_check_names_a_changed_upstream_sum() {
    make_fork
    edit "s/^[0-9a-f]* Python.gone.c/$(sum_of "$T/edited") Python\/gone.c/" "$R/Tools/base/overrides"
    refuses check
    says "Python/gone.c: changed in the base under our replacement"
    runs "$R/Tools/base/overrides.sh" "$R" "$scratch/release/Python-3.13.5"
    says "Python/gone.c: new sum"
    runs check
    grep -q '^# made for a test' "$R/Tools/base/overrides"
}

test_check_names_an_unrecorded_replacement() {
    make_fork
    echo 'int ours;' >"$R/Python/other.c"
    refuses check
    says "Python/other.c: replaced by our Python/other.c, but not recorded"
    runs "$R/Tools/base/overrides.sh" "$R" "$scratch/release/Python-3.13.5"
    runs check
}

test_check_names_an_unrecorded_package_over_a_module() {
    make_fork
    edit '/Lib.module.py/d' "$R/Tools/base/overrides"
    refuses check
    says "Lib/module.py: replaced by our Lib/module/__init__.py, but not recorded"
}

test_check_names_a_patch_of_a_replaced_file() {
    make_fork
    make_patch 0002-replaced-edit.patch Objects/replaced.c s/replaced/edited/
    echo 0002-replaced-edit.patch >>"$R/patches/3.13/series"
    refuses check
    says "Objects/replaced.c: changed by patches/3.13/0002-replaced-edit.patch, and replaced"
}

test_check_names_a_malformed_override() {
    make_fork
    echo "only two" >>"$R/Tools/base/overrides"
    refuses check
    says "'only two  ' is not 'sha256 upstream-file our-file-or---'"
}

test_refresh_handles_patches_of_the_same_file() {
    make_fork
    cp "$scratch/release/Python-3.13.5/Python/core.c" "$T/first"
    edit s/core_5/core_five/ "$T/first"
    sed s/core_9/core_nine/ "$T/first" >"$T/second"
    {
        echo "Stands on the first."
        diff -u --label x/Python/core.c --label y/Python/core.c "$T/first" "$T/second" || true
    } >"$R/patches/3.13/0002-core-again.patch"
    echo 0002-core-again.patch >>"$R/patches/3.13/series"
    runs "$R/Tools/base/refresh.sh" "$R" "$scratch/release/Python-3.13.5"
    says "0002-core-again.patch: refreshed"
    silent_about "0001-core-edit.patch: refreshed"
    runs check
    grep -q '^-int core_9;' "$R/patches/3.13/0002-core-again.patch"
    same "$(grep -c core_five "$R/patches/3.13/0002-core-again.patch")" 0
}

test_I02_one_patch_for_all_gives_the_laid_tree() {
    make_fork
    : >"$R/Lib/module/empty.py"
    : >"$R/Lib/module/nothing.py"
    runs fetch
    runs lay
    runs "$R/Tools/base/distpatch.sh" "$R" "$B"
    cp -R "$scratch/release/Python-3.13.5" "$T/unpacked"
    (cd "$T/unpacked" && patch -p1 <"$B/tracemalloc-3.13.5.patch")
    diff -r -x .laid "$T/unpacked" "$B/tree"
    absent "$T/unpacked/Lib/module.py"
    [ -f "$T/unpacked/Lib/module/empty.py" ]
}

# As somebody does who knows nothing of this repository.
test_I02_a_source_with_the_one_patch_builds_and_installs() {
    make_fork
    cd "$R"
    runs ./configure
    runs make patch
    mkdir "$T/elsewhere"
    cd "$T/elsewhere"
    xz -dc "$scratch/release/Python-3.13.5.tar.xz" | tar -xf -
    cd Python-3.13.5
    runs patch -p1 -i "$B/tracemalloc-3.13.5.patch"
    runs ./configure --prefix="$T/inst"
    runs make
    runs make install
    grep -q core_five python
    grep -q replaced_by_us python
    [ -x ../out/install ]
}
