# Obtaining the release.
# shellcheck shell=sh
# shellcheck disable=SC2154

test_fetch_uses_the_cache() {
    make_fork
    only_programs
    runs fetch
    says "sha256 as pinned"
    cmp "$B/base/Python-3.13.5/Python/core.c" "$scratch/release/Python-3.13.5/Python/core.c"
    runs fetch
    same "$(cat "$T/said")" ""
}

test_fetch_takes_a_given_tarball_and_needs_no_cache() {
    make_fork
    only_programs
    rm -r "$T/cache"
    runs fetch "$scratch/release/Python-3.13.5.tar.xz"
    [ -f "$B/base/Python-3.13.5/configure" ]
    absent "$T/cache"
}

test_fetch_refuses_a_given_tarball_with_both_sums() {
    make_fork
    cp "$scratch/release/Python-3.13.5.tar.xz" "$T/wrong.tar.xz"
    echo more >>"$T/wrong.tar.xz"
    refuses fetch "$T/wrong.tar.xz"
    says "$(sum_of "$T/wrong.tar.xz")"
    says "$(sum_of "$scratch/release/Python-3.13.5.tar.xz")"
    absent "$B/base"
}

test_fetch_unpacks_what_was_verified() {
    make_fork
    only_programs
    mkdir -p "$T/evil/Python-3.13.5/Include"
    echo '#define PY_VERSION "3.13.5"' >"$T/evil/Python-3.13.5/Include/patchlevel.h"
    (cd "$T/evil" && tar -cf - Python-3.13.5 | xz -0 >"$T/evil.tar.xz")
    # Somebody else puts another file into the cache as soon as it was looked at.
    real=$(command -v sha256sum)
    program sha256sum <<END
$real
cp $T/evil.tar.xz $T/cache/tracemalloc-cpython/Python-3.13.5.tar.xz
END
    refuses fetch
    says "was changed while it was read"
    absent "$B/base"
}

test_fetch_copies_a_given_tree() {
    make_fork
    runs fetch "$scratch/release/Python-3.13.5"
    says "not compared with the pin"
    echo changed >>"$B/base/Python-3.13.5/Python/core.c"
    refuses cmp "$B/base/Python-3.13.5/Python/core.c" "$scratch/release/Python-3.13.5/Python/core.c"
}

test_fetch_refuses_a_tree_of_another_release() {
    make_fork
    cp -R "$scratch/release/Python-3.13.5" "$T/other"
    echo '#define PY_VERSION "3.13.6"' >"$T/other/Include/patchlevel.h"
    refuses fetch "$T/other"
    says "is CPython 3.13.6, and the fork stands on 3.13.5"
    mkdir "$T/nothing"
    refuses fetch "$T/nothing"
    says "holds no CPython sources"
}

test_fetch_refuses_a_tree_that_was_built_in() {
    make_fork
    cp -R "$scratch/release/Python-3.13.5" "$T/built"
    : >"$T/built/Makefile"
    refuses fetch "$T/built"
    says "has been built in"
}

test_fetch_changes_the_base_when_the_source_changes() {
    make_fork
    cp -R "$scratch/release/Python-3.13.5" "$T/tree"
    echo 'int extra;' >"$T/tree/Python/extra.c"
    runs fetch "$T/tree"
    [ -f "$B/base/Python-3.13.5/Python/extra.c" ]
    runs fetch
    absent "$B/base/Python-3.13.5/Python/extra.c"
}

# An apt-get that downloads the file named by $T/apt-gives, and a machine whose
# apt knows one Debian archive.
make_apt() {
    mkdir -p "$T/etc/parts"
    : >"$T/keyring-debian-archive.gpg"
    mkdir -p "$T/keys"
    : >"$T/keys/debian-archive-keyring.gpg"
    echo "deb [signed-by=$T/keys/debian-archive-keyring.gpg] http://archive.invalid/debian stable main" \
        >"$T/etc/parts/one.list"
    program apt-config <<END
echo "list='$T/etc/sources.list'; parts='$T/etc/parts'"
END
    program apt-get <<END
echo "apt-get \$*" >>$T/apt-calls
case " \$* " in
    *" update "*) [ ! -f $T/apt-breaks ] || { echo "E: the archive is on fire"; exit 100; } ;;
    *" source "*)
        cp sources.list $T/apt-sources
        cp $T/apt-gives \$(cat $T/apt-name) ;;
esac
END
    echo python3.13_3.13.5.orig.tar.xz >"$T/apt-name"
    cp "$scratch/release/Python-3.13.5.tar.xz" "$T/apt-gives"
    rm -r "$T/cache"
}

test_fetch_takes_the_debian_source_package() {
    make_fork
    only_programs
    make_apt
    program curl <<END
echo "curl must not be asked"; exit 1
END
    runs fetch
    grep -q 'http://archive.invalid/debian trixie main' "$T/apt-sources"
    cmp "$T/cache/tracemalloc-cpython/Python-3.13.5.tar.xz" "$scratch/release/Python-3.13.5.tar.xz"
    same "$(ls -A "$T/cache/tracemalloc-cpython")" Python-3.13.5.tar.xz
    absent "$B/download"
}

test_fetch_goes_on_to_the_address_when_debian_fails() {
    make_fork
    only_programs
    make_apt
    : >"$T/apt-breaks"
    program curl <<END
while [ \$# -gt 0 ]; do [ "\$1" = -o ] && cp $scratch/release/Python-3.13.5.tar.xz "\$2"; shift; done
END
    runs fetch
    [ -f "$T/cache/tracemalloc-cpython/Python-3.13.5.tar.xz" ]
}

test_fetch_uses_wget_where_there_is_no_curl() {
    make_fork
    only_programs
    rm -r "$T/cache"
    program wget <<END
while [ \$# -gt 0 ]; do [ "\$1" = -O ] && cp $scratch/release/Python-3.13.5.tar.xz "\$2"; shift; done
END
    runs fetch
    [ -f "$T/cache/tracemalloc-cpython/Python-3.13.5.tar.xz" ]
}

test_fetch_says_all_that_was_tried_and_keeps_no_broken_download() {
    make_fork
    only_programs
    make_apt
    echo "not a tarball" >"$T/apt-gives"
    program curl <<END
while [ \$# -gt 0 ]; do [ "\$1" = -o ] && echo half >"\$2"; shift; done
echo "curl: (18) transfer closed" >&2
exit 18
END
    refuses fetch
    says "it does not hold Python-3.13.5.tar.xz"
    says "what came is not the release: sha256 $(sum_of "$T/apt-gives")"
    says "curl: (18) transfer closed"
    says "--with-cpython-source="
    says "$(sum_of "$scratch/release/Python-3.13.5.tar.xz")"
    same "$(ls -A "$T/cache/tracemalloc-cpython")" ""
    absent "$B/base"
}

test_fetch_names_the_other_file_that_debian_has() {
    make_fork
    only_programs
    make_apt
    echo python3.13_3.13.9.orig.tar.xz >"$T/apt-name"
    refuses fetch
    says "the archive has python3.13_3.13.9.orig.tar.xz instead of python3.13_3.13.5.orig.tar.xz"
    says "neither curl nor wget is here"
}

test_fetch_without_apt_and_without_downloaders() {
    make_fork
    only_programs
    rm -r "$T/cache"
    refuses fetch
    says "apt-get is not here"
    says "neither curl nor wget is here"
}

test_fetch_removes_a_damaged_cache_entry() {
    make_fork
    only_programs
    make_apt
    mkdir -p "$T/cache/tracemalloc-cpython"
    echo damage >"$T/cache/tracemalloc-cpython/Python-3.13.5.tar.xz"
    runs fetch
    says "is damaged: sha256 "
    cmp "$T/cache/tracemalloc-cpython/Python-3.13.5.tar.xz" "$scratch/release/Python-3.13.5.tar.xz"
}

test_fetch_stopped_on_the_way_leaves_nothing_and_goes_on_later() {
    make_fork
    only_programs kill
    rm -r "$T/cache"
    program curl <<END
while [ \$# -gt 0 ]; do [ "\$1" = -o ] && echo half >"\$2"; shift; done
kill -KILL \$PPID
END
    refuses fetch
    same "$(ls -A "$T/cache/tracemalloc-cpython")" ""
    program curl <<END
while [ \$# -gt 0 ]; do [ "\$1" = -o ] && cp $scratch/release/Python-3.13.5.tar.xz "\$2"; shift; done
END
    runs fetch
    same "$(ls -A "$T/cache/tracemalloc-cpython")" Python-3.13.5.tar.xz
    absent "$B/download"
}

test_pin_must_be_whole() {
    make_fork
    sed -i.old '/^sha256=/d' "$R/Tools/base/pin"
    refuses fetch
    says "does not set 'sha256'"
}

# What apt's own configuration says is read in both of its forms.
archive_of() {
    make_fork
    only_programs
    mkdir -p "$T/etc/parts" "$T/keys"
    : >"$T/keys/debian-archive-keyring.gpg"
    : >"$T/keys/vendor.gpg"
    program apt-config <<END
echo "list='$T/etc/sources.list'; parts='$T/etc/parts'"
END
}

test_archive_from_paragraphs() {
    archive_of
    cat >"$T/etc/parts/a.sources" <<END
Types: deb
URIs: http://vendor.invalid/debian
Suites: stable
Components: main
Signed-By: $T/keys/vendor.gpg

# the archive proper
Types: deb deb-src
URIs: http://off.invalid/debian
Suites: stable
Components: main
Enabled: no
Signed-By: $T/keys/debian-archive-keyring.gpg

Types: deb
URIs: http://security.invalid/debian-security
Suites: stable-security
Components: main
Signed-By: $T/keys/debian-archive-keyring.gpg

Types: deb
URIs: http://archive.invalid/debian
Suites: stable
  stable-updates
Components: contrib main
Signed-By:
 $T/keys/debian-archive-keyring.gpg
END
    runs "$R/Tools/base/archive.sh"
    says "http://archive.invalid/debian "
    says "debian-archive-keyring.gpg"
    runs "$R/Tools/base/archive.sh" security
    says "http://security.invalid/debian-security "
}

test_archive_from_lines() {
    archive_of
    cat >"$T/etc/sources.list" <<END
# deb [signed-by=$T/keys/debian-archive-keyring.gpg] http://comment.invalid/debian stable main
deb cdrom:[Debian]/ stable main
deb [arch=amd64 signed-by=$T/keys/vendor.gpg] http://vendor.invalid/debian stable main
deb [arch=amd64 signed-by=$T/keys/debian-archive-keyring.gpg] http://archive.invalid/debian/ stable main # mine
END
    runs "$R/Tools/base/archive.sh"
    says "http://archive.invalid/debian/ "
}

test_archive_without_a_debian_entry() {
    archive_of
    echo "deb [signed-by=$T/keys/vendor.gpg] http://vendor.invalid/debian stable main" \
        >"$T/etc/sources.list"
    refuses "$R/Tools/base/archive.sh"
    says "Debian archive"
}
