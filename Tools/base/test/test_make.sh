# configure and make as a user runs them, on the made-up release.
# shellcheck shell=sh
# shellcheck disable=SC2154

configured_fork() {
    make_fork
    cd "$R"
    runs ./configure "$@"
}

test_make_builds_and_a_second_make_does_nothing() {
    configured_fork --prefix="$T/inst"
    runs make -j2
    says "compiling fork: done"
    cmp "$R/build/fork/core.o" "$B/tree/Python/core.c"
    runs make
    says "up to date"
    silent_about compiling
    same "$(cat build/fork/compiled | sort | tr '\n' ' ')" "core other replaced "
    same "$(cat build/fork/configure-runs)" configured
}

test_make_rebuilds_just_what_was_edited() {
    configured_fork
    runs make
    : >build/fork/compiled
    echo 'int edited;' >Objects/replaced.c
    touch -d '2099-01-01' Objects/replaced.c
    runs make
    same "$(cat build/fork/compiled)" replaced
    grep -q edited build/fork/python
}

# As if the last build were of 2021, of sources of 2020.
built_long_ago() {
    runs make
    : >build/fork/compiled
    find build/fork build/stamp -type f -exec touch -d '2021-01-01' {} +
    find build/tree Lib Objects Python -type f -exec touch -d '2020-06-01' {} +
}

test_make_rebuilds_just_what_a_patch_changes() {
    configured_fork
    built_long_ago
    make_patch 0002-other-edit.patch Python/other.c s/core_3/core_three/
    echo 0002-other-edit.patch >>patches/3.13/series
    runs make
    same "$(cat build/fork/compiled)" other
    grep -q core_three build/fork/python
}

test_make_rebuilds_all_when_an_older_c_file_joins() {
    configured_fork
    built_long_ago
    echo 'int late;' >Python/late.c
    touch -d '2020-03-01' Python/late.c
    runs make
    same "$(sort build/fork/compiled | tr '\n' ' ')" "core other replaced "
}

test_make_configures_anew_only_for_other_arguments() {
    configured_fork --enable-shared
    runs make
    runs ./configure --enable-shared
    runs make
    same "$(cat build/fork/configure-runs)" configured
    runs ./configure --with-pydebug
    runs make
    same "$(cat build/fork/configure-runs)" configured
    grep -qxF '<--with-pydebug>' build/fork/arguments-seen
    same "$(grep -c enable-shared build/fork/arguments-seen)" 0
    same "$(sort build/fork/compiled | tr '\n' ' ')" "core other replaced "
}

test_make_starts_anew_on_another_base() {
    configured_fork
    runs make all stock
    cp -R "$scratch/release/Python-3.13.5" "$T/tree"
    echo 'int other_base;' >>"$T/tree/Python/other.c"
    touch -d '2019-01-01' "$T/tree/Python/other.c"
    runs ./configure --with-cpython-source="$T/tree"
    runs make all stock
    grep -q other_base build/fork/python
    grep -q other_base build/stock/python
}

test_make_goes_on_after_an_interrupt() {
    configured_fork
    # Stopped in the middle of a compile.  (A background job ignores INT, and
    # without a shell make would look for a program called kill.)
    sed "s/^core.o:.*/&\n\tsh -c 'kill -TERM 0'/" "$scratch/release/Python-3.13.5/configure" >"$T/killing"
    runs make fixes
    cat "$T/killing" >build/fixed/Python-3.13.5/configure
    # The pipe ends when the last of them has had its say, not with make.
    { setsid make 2>&1 || echo "make failed"; } | cat >"$T/said"
    says "make failed"
    says "interrupted"
    absent build/stamp/fork
    cat "$scratch/release/Python-3.13.5/configure" >build/fixed/Python-3.13.5/configure
    rm build/stamp/tree
    runs make
    says "compiling fork: done"
}

test_make_links_anew_what_a_killed_linker_left() {
    configured_fork
    runs make
    # As it is between creating the file and making it executable.
    : >build/fork/python
    chmod -x build/fork/python
    touch -d '2099-01-01' build/fork/python
    rm build/stamp/fork
    : >build/fork/compiled
    runs make
    [ -x build/fork/python ]
    grep -q core_five build/fork/python
    same "$(cat build/fork/compiled)" ""
}

# The compiler would refuse it.
test_a_profile_of_other_sources_is_made_anew() {
    configured_fork
    runs make
    : >build/fork/profile-run-stamp
    : >build/fork/compiled
    echo 'module = "edited"' >Lib/module/__init__.py
    touch -d '2099-01-01' Lib/module/__init__.py
    runs make
    silent_about "forgetting the profile"
    same "$(cat build/fork/compiled)" ""
    echo 'int edited;' >Objects/replaced.c
    touch -d '2099-01-02' Objects/replaced.c
    runs make
    says "forgetting the profile of older sources"
    same "$(sort build/fork/compiled | tr '\n' ' ')" "clean core other replaced "
    absent build/fork/profile-run-stamp
}

# What a shell starts in the background ignores SIGINT.
test_a_profile_is_made_with_SIGINT_at_work() {
    env --default-signal=INT true 2>/dev/null || {
        echo "env knows no --default-signal"
        exit 77
    }
    configured_fork
    runs make fetch
    # The shell of a here-document takes the backslashes, make half of the rest.
    cat >"$T/edit" <<'END'
s/^core.o:.*/&\n\tsh -c 'kill -INT \\$\\$\\$\\$; touch deaf' || true/
END
    sed -f "$T/edit" "$scratch/release/Python-3.13.5/configure" >"$T/interrupting"
    cat "$T/interrupting" >build/base/Python-3.13.5/configure
    make fork pgo-fork >"$T/said" 2>&1 &
    wait $!
    says "compiling pgo-fork: done"
    [ -f build/fork/deaf ]
    absent build/pgo-fork/deaf
    program env <<'END'
case $1 in --*) exit 125 ;; esac
exec /usr/bin/env "$@"
END
    rm -r build/pgo-fork
    PATH=$T/bin:$PATH
    make pgo-fork >"$T/said" 2>&1 &
    wait $! && exit 1
    says "SIGINT is ignored here"
    says "run make pgo-fork in the foreground"
}

test_I05_arguments_are_handed_on_and_ours_are_not() {
    make_fork
    mkdir "$T/elsewhere"
    cd "$T/elsewhere"
    PROFILE_TASK="-m test 'a b'"
    export PROFILE_TASK
    runs "$R/configure" --prefix="$T/in st" --with-lto=thin --disable-gil LDFLAGS='-L/x -L$HOME' \
        --with-cpython-source="$scratch/release/Python-3.13.5" --enable-unicode=ucs4 -q
    same "$(cat "$T/said")" ""
    unset PROFILE_TASK
    runs make
    says "warning: unrecognized options, ignored: --enable-unicode"
    same "$(sort build/fork/arguments-seen)" "<--disable-gil>
<--enable-unicode=ucs4>
<--prefix=$T/in st>
<--with-lto=thin>
<LDFLAGS=-L/x -L\$HOME>
<PROFILE_TASK=-m test 'a b'>"
    absent "$R/build"
    absent "$R/Makefile"
}

test_the_tracers_test_builds_concern_the_fork_alone() {
    configured_fork CFLAGS=-Wall CFLAGS_NODIST=-Wextra --enable-tracemalloc-verify \
        --enable-tracemalloc-stress=yes
    says "built to test the tracer, not to be used: --enable-tracemalloc-verify --enable-tracemalloc-stress"
    runs make all stock
    same "$(sort build/stock/arguments-seen)" "<CFLAGS=-Wall>
<CFLAGS_NODIST=-Wextra>"
    same "$(sort build/fork/arguments-seen)" "<CFLAGS=-Wall>
<CFLAGS_NODIST=-Wextra -DPy_TRACEMALLOC_VERIFY -DPy_TRACEMALLOC_STRESS>
<CFLAGS_NODIST=-Wextra>"
    : >build/fork/compiled
    : >build/stock/compiled
    runs ./configure CFLAGS=-Wall CFLAGS_NODIST=-Wextra --enable-tracemalloc-verify \
        --disable-tracemalloc-stress
    runs make all stock
    grep -qxF '<CFLAGS_NODIST=-Wextra -DPy_TRACEMALLOC_VERIFY>' build/fork/arguments-seen
    same "$(sort build/fork/compiled | tr '\n' ' ')" "core other replaced "
    same "$(cat build/stock/compiled)" ""
    refuses ./configure --enable-tracemalloc-verify=perhaps
    says "--enable-tracemalloc-verify takes no value, or yes or no"
}

test_stock_is_the_untouched_base_with_the_same_arguments() {
    configured_fork --with-pydebug
    runs make -j2 all stock
    cmp build/stock/arguments-seen build/fork/arguments-seen
    cmp build/stock/core.o "$scratch/release/Python-3.13.5/Python/core.c"
    grep -q core_five build/fork/core.o
    diff -r build/base/Python-3.13.5 "$scratch/release/Python-3.13.5"
}

test_optimised_builds_stand_beside_the_plain_ones() {
    configured_fork CFLAGS_NODIST=-Wextra --enable-tracemalloc-stress
    runs make all stock
    plain=$(cat build/fork/arguments-seen build/stock/arguments-seen)
    : >build/fork/compiled
    : >build/stock/compiled
    runs make pgo-fork pgo-stock
    says "compiling pgo-fork: done"
    same "$(sort build/pgo-stock/arguments-seen)" "<--enable-optimizations>
<--with-lto>
<CFLAGS_NODIST=-Wextra>"
    same "$(sort -u build/pgo-fork/arguments-seen)" "<--enable-optimizations>
<--with-lto>
<CFLAGS_NODIST=-Wextra -DPy_TRACEMALLOC_STRESS>
<CFLAGS_NODIST=-Wextra>"
    grep -q core_five build/pgo-fork/core.o
    cmp build/pgo-stock/core.o "$scratch/release/Python-3.13.5/Python/core.c"
    runs make all stock pgo-fork pgo-stock
    silent_about compiling
    same "$(cat build/fork/compiled build/stock/compiled)" ""
    same "$(cat build/fork/arguments-seen build/stock/arguments-seen)" "$plain"
    rm -r build/pgo-stock
    runs make pgo-stock PROFILE_TASK="-m test 'a b'"
    grep -qxF "<PROFILE_TASK=-m test 'a b'>" build/pgo-stock/arguments-seen
    runs make pgo-stock
    silent_about compiling
    runs make clean
    absent build/pgo-fork
    absent build/pgo-stock
    absent build/stamp/pgo-fork
}

test_make_sanitize_watches_both_interpreters() {
    mkdir -p "$T/repo/Tools/test"
    cp "$clone/Tools/test/sanitizer_reports.c" "$T/repo/Tools/test/"
    configured_fork LDFLAGS=-L/x LIBS=-lm --enable-tracemalloc-stress
    printf '#!/bin/sh\necho "$ASAN_OPTIONS"\nfor one; do echo "<$one>"; done\n' >Tools/test/run
    chmod +x Tools/test/run
    runs make all sanitize TESTOPTS="--only test_gc"
    says "detect_leaks=0"
    says "<$B/sanitize-fork/python>"
    says "<$B/sanitize-stock/python>"
    says "<$R/Tools/test/sanitize-suppressions.txt>"
    says "<test_gc>"
    for name in fork stock; do
        seen=$(cat build/sanitize-$name/arguments-seen)
        case $seen in *"<BASECFLAGS=-fsanitize=address -fsanitize=undefined "*) ;; *) exit 1 ;; esac
        case $seen in *"<LDFLAGS=-L/x -fsanitize=address -fsanitize=undefined "*) ;; *) exit 1 ;; esac
        case $seen in *"<LIBS=-lm $B/sanitize-$name/sanitizer_reports.o>"*) ;; *) exit 1 ;; esac
    done
    grep -q core_five build/sanitize-fork/core.o
    cmp build/sanitize-stock/core.o "$scratch/release/Python-3.13.5/Python/core.c"
    same "$(grep -c STRESS build/sanitize-fork/arguments-seen)" 1
    same "$(grep -c STRESS build/sanitize-stock/arguments-seen)" 0
    same "$(grep -c fsanitize build/fork/arguments-seen)" 0
    runs make sanitize
    silent_about compiling
    echo '/* changed */' >>Tools/test/sanitizer_reports.c
    runs make sanitize
    says "compiling sanitize-fork: done"
    runs make clean
    absent build/sanitize-fork
    absent build/stamp/sanitize-fork
}

# No git, and no file that is not in the tarball.
test_I08_a_tarball_of_the_repository_builds() {
    make_fork
    (cd "$R" && tar -cf "$T/fork.tar" Lib Objects Python Tools patches configure Makefile.pre.in \
        CHANGES.rst)
    mkdir "$T/unpacked"
    cd "$T/unpacked"
    tar -xf "$T/fork.tar"
    printf '#!/bin/sh\necho "git must not be called"\nexit 1\n' >"$T/git"
    chmod +x "$T/git"
    PATH=$T:$PATH
    runs ./configure --prefix="$T/inst" \
        --with-cpython-source="$scratch/release/Python-3.13.5.tar.xz"
    runs make DESTDIR="$T/staging" install
    grep -q joined build/tree/Python/joined.c
    [ -x "$(find "$T/staging" -name install)" ]
    absent "$T/inst"
}

test_I03_I08_install_honours_destdir() {
    configured_fork
    runs make DESTDIR="$T/staging" install altinstall
    [ -x "$(find "$T/staging" -name install)" ]
    [ -x "$(find "$T/staging" -name altinstall)" ]
    absent build/out
    absent build/stamp/install
    runs make install
    [ -x build/out/install ]
    same "$(cat build/stamp/install)" /usr/local
}

test_a_failed_configure_says_what_failed_and_where() {
    configured_fork --enable-break-configure
    refuses make
    says "configuring fork: FAILED"
    says "../tree/configure --enable-break-configure"
    says "  | configure: broken on purpose"
    says "$R/build/log/configure-fork.log"
    refuses make
    says "configuring fork: FAILED"
}

test_a_failed_build_says_what_failed_and_goes_on_later() {
    configured_fork
    mkdir -p build
    : >build/break
    refuses make
    says "compiling fork: FAILED"
    says "make -C $R/build/fork"
    says "  | this one breaks"
    says "$R/build/log/fork.log"
    rm build/break
    runs make
    says "compiling fork: done"
    same "$(cat build/fork/configure-runs)" configured
}

test_verbose_shows_what_a_step_says() {
    configured_fork
    runs make V=1
    says "cp ../tree/Python/core.c core.o"
    grep -q "cp ../tree/Python/core.c" build/log/fork.log
    : >build/break
    refuses make V=1 stock
    says "this one breaks"
    says "compiling stock: FAILED"
}

test_a_dry_run_builds_nothing() {
    configured_fork
    runs make
    touch -d '2099-01-01' Objects/replaced.c
    : >build/fork/compiled
    runs make -n install
    says "would run: "
    same "$(cat build/fork/compiled)" ""
    absent build/out
    runs make -n -j2
    same "$(cat build/fork/compiled)" ""
}

test_clean_and_distclean() {
    configured_fork
    runs make all stock
    runs make clean
    absent build/fork
    absent build/stock
    absent build/tree
    [ -d build/base/Python-3.13.5 ]
    runs make
    [ -x build/fork/python ]
    runs make distclean
    absent build
    absent Makefile
    absent config.status
}

test_make_test_nogil_builds_both_interpreters_without_the_gil() {
    configured_fork --enable-optimizations --enable-tracemalloc-stress
    mkdir -p Tools/test
    printf '#!/bin/sh\nfor one; do echo "<$one>"; done\n' >Tools/test/run
    chmod +x Tools/test/run
    runs make test-nogil TESTOPTS="--only test_gc"
    says "<$B/nogil-fork/python>"
    says "<$B/nogil-stock/python>"
    says "<--free-threaded>"
    says "<test_gc>"
    for name in fork stock; do
        grep -qxF "<--disable-gil>" build/nogil-$name/arguments-seen
        grep -qxF "<--disable-optimizations>" build/nogil-$name/arguments-seen
    done
    grep -q core_five build/nogil-fork/core.o
    cmp build/nogil-stock/core.o "$scratch/release/Python-3.13.5/Python/core.c"
    same "$(grep -c STRESS build/nogil-fork/arguments-seen)" 1
    same "$(grep -c STRESS build/nogil-stock/arguments-seen)" 0
    runs make test-nogil
    silent_about compiling
    runs make clean
    absent build/nogil-fork
    absent build/stamp/nogil-stock
}

test_help_names_every_target() {
    configured_fork -q
    runs make help
    for target in install altinstall test requirements regrtest verify sanitize test-nogil chroot-test \
        nogil-fork bench bench-pyperformance bench-pgo fixes newer-fixes \
        callgrind callgrind-pgo curves plateau pauses demo-leave-on torture docs stock pgo-fork patch fetch lay check-base refresh-patches \
        refresh-overrides configure clean distclean; do
        says "make $target "
    done
}

test_make_checks_the_base() {
    configured_fork -q
    runs make check-base
    says "everything holds"
    edit 's|^--- a/Python/core.c|&	2020-01-01|' patches/3.13/0001-core-edit.patch
    refuses make check-base
    runs make refresh-patches
    runs make check-base
}

# Programs in place of all that make test runs; each has one test.
make_tests() {
    mkdir -p Tools/base/test Tools/test Tools/core
    for program in Tools/base/test/run Tools/test/run build/stock/python; do
        printf '#!/bin/sh\necho "1 passed, 0 failed"\n' >$program
        chmod +x $program
    done
    printf 'check:\n\t@echo "1 passed, 0 failed"\n' >Tools/core/Makefile
}

test_make_test_adds_up_and_ends_with_one_line() {
    configured_fork -q
    runs make all stock
    make_tests
    printf '#!/bin/sh\necho "3 passed, 0 failed"\n' >Tools/base/test/run
    cat >Tools/test/run <<'END'
#!/bin/sh
for argument; do echo "<$argument>"; done
echo "39 passed, 0 failed"
END
    runs make test
    same "$(tail -n 1 "$T/said")" "45 passed, 0 failed"
    same "$(grep -c ' passed, ' "$T/said")" 1
    says "<$R/build/fork/python>"
    says "<$R/build/stock/python>"
    says "<$R>"

    printf '#!/bin/sh\necho "3 passed, 2 failed"\nexit 1\n' >Tools/base/test/run
    refuses Tools/base/test.sh "$R" "$R/build" 1
    same "$(tail -n 1 "$T/said")" "45 passed, 2 failed"

    printf 'check:\n\t@echo "2 passed, 3 failed"; exit 1\n' >Tools/core/Makefile
    refuses Tools/base/test.sh "$R" "$R/build" 1
    same "$(tail -n 1 "$T/said")" "46 passed, 5 failed"
    printf 'check:\n\t@echo "1 passed, 0 failed"\n' >Tools/core/Makefile

    printf '#!/bin/sh\necho "some"\nexit 0\n' >Tools/base/test/run
    refuses Tools/base/test.sh "$R" "$R/build" 1
    says "stopped with status 0 before it was done"
    same "$(tail -n 1 "$T/said")" "42 passed, 1 failed"

    printf '#!/bin/sh\necho "3 passed, 0 failed"\nexit 5\n' >Tools/base/test/run
    refuses Tools/base/test.sh "$R" "$R/build" 1
    same "$(tail -n 1 "$T/said")" "45 passed, 1 failed"
}

test_the_tests_run_in_the_callers_locale() {
    configured_fork -q
    runs make all stock
    make_tests
    printf '#!/bin/sh\necho "locale ${LC_ALL-none}"\necho "1 passed, 0 failed"\n' >Tools/test/run
    cp Tools/test/run Tools/base/test/run
    LC_ALL=en_US.UTF-8 runs make test
    says "locale en_US.UTF-8"
    (unset LC_ALL && make test) >"$T/said"
    says "locale none"
}

test_regrtest_traces_and_passes_its_options_on() {
    configured_fork -q
    runs make
    printf '#!/bin/sh\necho "python $*"\n' >build/fork/python
    touch -d '2099-01-01' build/stamp/fork
    runs make regrtest TESTOPTS='-v test_json'
    says "python -X tracemalloc=25 -m test -j"
    says " -v test_json"
}

# A Python that says what it is asked, and counts as the tracer does.
verifying_python() {
    cat >build/verify/python <<END
#!/bin/sh
case \$1 in -c) shift 3 ;; esac
echo "python \$*"
printf '\\$1\\0\\0\\0\\0\\0\\0\\0\\$2\\0\\0\\0\\0\\0\\0\\0\\3\\0\\0\\0\\0\\0\\0\\0' >"\$TRACEMALLOC_VERIFY_FILE"
exit $3
END
    touch -d '2099-01-01' build/stamp/verify
}

test_torture_builds_apart_and_gets_its_options() {
    configured_fork -q --enable-optimizations
    runs make stock torture-built
    grep -qxF '<CFLAGS_NODIST= -DPy_TRACEMALLOC_VERIFY -DPy_TRACEMALLOC_STRESS>' \
        build/torture/arguments-seen
    grep -qxF '<--with-pydebug>' build/torture/arguments-seen
    # The last of two is the one that counts.
    same "$(grep optimizations build/torture/arguments-seen | tail -n 1)" "<--disable-optimizations>"
    printf '#!/bin/sh\necho "python $*"\n' >build/stock/python
    touch -d '2099-01-01' build/stamp/stock
    runs make torture TORTUREOPTS='--seconds 7'
    says "python -I -B $R/Tools/fuzz/torture --python $R/build/torture/python"
    says " --seconds 7"
}

test_verify_builds_apart_and_counts_over_all_processes() {
    configured_fork -q
    runs make all verify-built
    grep -qxF '<CFLAGS_NODIST= -DPy_TRACEMALLOC_VERIFY>' build/verify/arguments-seen
    same "$(grep -c VERIFY build/fork/arguments-seen)" 0
    mkdir -p Tools/test
    printf '# a comment\ntest_one test_two\n\ntest_three # and another\n' >Tools/test/verify.txt
    verifying_python 7 0 0
    runs make verify
    says "-X tracemalloc=25 -m test -j"
    says " test_one test_two test_three"
    same "$(tail -n 1 "$T/said")" "7 captures verified in 3 processes, 0 differences"
    runs make verify TESTOPTS='-v test_json'
    says " -v test_json"
    silent_about test_one
    # Tests may swallow what a process says that ends at a difference.
    verifying_python 7 1 0
    refuses make verify
    says "7 captures verified in 3 processes, 1 differences"
    verifying_python 0 0 0
    refuses make verify
    verifying_python 7 0 2
    refuses make verify
    says "0 differences"
    same "$(ls build/regrtest)" ""
}

test_configure_lists_the_modules_that_will_be_missing() {
    make_fork
    cd "$R"
    LIBFFI_LIBS=-lnowhere
    export LIBFFI_LIBS
    runs ./configure
    unset LIBFFI_LIBS
    grep -q '^  ctypes  *MISSING *libffi-dev$' "$T/said"
    grep -q 'apt-get install .*libffi-dev' "$T/said"
    grep -qF "'LIBFFI_LIBS=-lnowhere'" build/arguments
}

test_configure_names_the_package_of_a_missing_program() {
    make_fork
    cd "$R"
    only_programs gcc cc as ld make awk
    mv "$T/tools/patch" "$T/patch"
    refuses ./configure
    says "apply the patches (Debian package: patch)"
    mv "$T/patch" "$T/tools/patch"
    rm "$T/tools/xz"
    refuses ./configure
    says "(Debian package: xz-utils)"
    rm "$T/tools/gcc" "$T/tools/cc"
    refuses ./configure
    says "no C compiler is here (Debian package: build-essential)"
    program gcc <<END
echo "cannot find crt1.o" >&2
exit 1
END
    refuses ./configure
    says "cannot find crt1.o"
    says "gcc cannot compile and link a C program"
}

test_configure_refuses_what_it_cannot_use() {
    make_fork
    cd "$R"
    refuses ./configure --with-cpython-source
    says "--with-cpython-source needs a path"
    refuses ./configure --with-cpython-source=/nowhere/at/all
    says "/nowhere/at/all (from --with-cpython-source) does not exist"
    # A compiler of small pointers, as far as this is asked.
    program cc32 <<'END'
exec cc '-Dsizeof(x)=4' "$@"
END
    refuses env CC="$T/bin/cc32" ./configure
    says "packs its tables for 64 bits, and $T/bin/cc32"
    says "build on, or for, a 64-bit system"
    mkdir "$T/with space"
    cd "$T/with space"
    refuses "$R/configure"
    says "a space in its name"
    # What is in no name for make, or for the shells that it starts.
    for name in 'a;b' 'a*' "it's" 'a$b' 'a#b' 'a&b' 'a\b' 'a(b' 'a:b' 'a~'; do
        mkdir "$T/$name"
        cd "$T/$name"
        refuses "$R/configure"
        says "in its name: move the clone or the build folder"
        cd "$R"
        case $name in
            *[\;\&\*\(:~]*) ;;
            *)
                refuses ./configure "--with-cpython-source=$T/$name"
                says "make cannot be told of a path"
                refuses ./configure "--with-security-fixes=$T/$name"
                says "make cannot be told of a path"
                ;;
        esac
    done
}

test_configure_help_tells_of_its_own_options_and_cpythons() {
    runs "$clone/configure" --help
    says "--with-cpython-source=PATH"
    says "takes every option of CPython's configure"
    says "--enable-optimizations"
}

test_configure_is_what_autoconf_makes_of_its_source() {
    version=$(sed -n 's/^# Generated by GNU Autoconf \([0-9.]*[0-9]\) .*/\1/p' "$clone/configure")
    case $(autoconf --version 2>/dev/null | head -n 1) in
        *" $version") ;;
        *)
            echo "autoconf $version is not here"
            exit 77
            ;;
    esac
    cp "$clone/configure.ac" .
    runs autoconf
    runs cmp configure "$clone/configure"
}
