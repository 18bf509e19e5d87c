# Laying the fork over the base.
# shellcheck shell=sh
# shellcheck disable=SC2154

laid_fork() {
    make_fork
    runs fetch
    runs lay
}

test_lay_puts_everything_in_its_place() {
    laid_fork
    says "base + 1 patches + 3 files of ours"
    grep -q core_five "$B/tree/Python/core.c"
    same "$(readlink "$B/tree/Objects/replaced.c")" "$R/Objects/replaced.c"
    same "$(readlink "$B/tree/Python/joined.c")" "$R/Python/joined.c"
    [ -L "$B/tree/Lib/module/__init__.py" ]
    absent "$B/tree/Lib/module.py"
    absent "$B/tree/Python/gone.c"
    [ -f "$B/tree/Python/other.c" ]
    diff -r "$B/base/Python-3.13.5" "$scratch/release/Python-3.13.5"
}

test_lay_again_does_nothing() {
    laid_fork
    ls -lR --full-time "$B/tree" >"$T/before"
    runs lay
    same "$(cat "$T/said")" ""
    ls -lR --full-time "$B/tree" | cmp - "$T/before"
}

test_lay_works_without_patches_and_overrides() {
    make_fork
    rm -r "$R/patches" "$R/Tools/base/overrides" "$R/Tools/base/fixes" "$R/Lib" "$R/Objects" "$R/Python"
    runs fetch
    runs lay
    says "base + 0 patches + 0 files of ours"
    diff -r -x .laid "$B/tree" "$scratch/release/Python-3.13.5"
}

test_lay_follows_an_edit_of_ours_without_laying() {
    laid_fork
    echo 'int edited;' >"$R/Objects/replaced.c"
    runs lay
    same "$(cat "$T/said")" ""
    grep -q edited "$B/tree/Objects/replaced.c"
}

test_lay_skips_what_editors_and_python_leave() {
    make_fork
    mkdir "$R/Lib/module/__pycache__"
    : >"$R/Lib/module/__pycache__/x.pyc"
    : >"$R/Lib/module/__init__.py~"
    : >"$R/Lib/module/.__init__.py.swp"
    : >"$R/Python/joined.c.orig"
    runs fetch
    runs lay
    same "$(ls -A "$B/tree/Lib/module")" __init__.py
    absent "$B/tree/Python/joined.c.orig"
}

test_lay_keeps_the_times_of_what_stays_the_same() {
    laid_fork
    touch -d '2021-01-01' "$B/tree/Python/core.c"
    make_patch 0002-other-edit.patch Python/other.c s/core_3/core_three/
    echo 0002-other-edit.patch >>"$R/patches/3.13/series"
    : >"$T/then"
    runs lay
    same "$(find "$B/tree/Python/core.c" -newer "$T/then")" ""
    same "$(find "$B/tree/Python/core.c" -newer "$scratch/release/Python-3.13.5/Python/core.c")" \
        "$B/tree/Python/core.c"
    same "$(find "$B/tree/Include/patchlevel.h" -newer "$T/then")" ""
    grep -q core_three "$B/tree/Python/other.c"
}

test_lay_renews_what_a_removed_patch_restores() {
    laid_fork
    : >"$R/patches/3.13/series"
    rm "$R/patches/3.13/0001-core-edit.patch"
    touch -d '2022-01-01' "$T/built"
    runs lay
    cmp "$B/tree/Python/core.c" "$scratch/release/Python-3.13.5/Python/core.c"
    # The base's own time would be older than the object compiled with the patch.
    same "$(find "$B/tree/Python/core.c" -newer "$T/built")" "$B/tree/Python/core.c"
}

test_lay_refuses_an_unrecorded_replacement() {
    make_fork
    runs fetch
    echo 'int ours;' >"$R/Python/other.c"
    refuses lay
    says "Python/other.c: replaced by our Python/other.c, but not recorded"
    absent "$B/tree"
}

test_lay_refuses_a_base_that_changed_under_us() {
    make_fork
    runs fetch
    echo 'int new;' >>"$B/base/Python-3.13.5/Objects/replaced.c"
    refuses lay
    says "Objects/replaced.c: changed in the base under our replacement"
    says "$(sum_of "$B/base/Python-3.13.5/Objects/replaced.c")"
}

test_lay_refuses_fuzz_and_keeps_the_tree_that_is_there() {
    laid_fork
    sed -i.old 's/int spare_4;/int strange_4;/' "$R/patches/3.13/0001-core-edit.patch"
    rm "$R/patches/3.13/0001-core-edit.patch.old"
    refuses lay
    says "0001-core-edit.patch does not apply"
    grep -q core_five "$B/tree/Python/core.c"
}

test_lay_names_a_missing_patch() {
    laid_fork
    echo 0009-none.patch >>"$R/patches/3.13/series"
    refuses lay
    says "0009-none.patch, which does not exist"
}

test_lay_does_not_lose_an_edit_made_in_the_tree() {
    laid_fork
    echo 'int by_hand;' >>"$B/tree/Python/other.c"
    touch -d '2099-01-01' "$B/tree/Python/other.c"
    echo 'int more;' >"$R/Python/more.c"
    refuses lay
    says "$B/tree/Python/other.c"
    says "edited after the tree was laid"
    grep -q by_hand "$B/tree/Python/other.c"
    rm -r "$B/tree"
    runs lay
    [ -L "$B/tree/Python/more.c" ]
}

test_lay_recovers_from_a_stop_between_its_renames() {
    laid_fork
    mv "$B/tree" "$B/tree.old"
    rm "$B/stamp/tree"
    runs lay
    grep -q core_five "$B/tree/Python/core.c"
    absent "$B/tree.old"
    absent "$B/tree.new"
}
