# The chroot of a bare Debian, without one: what is asked for, and refused.
# shellcheck shell=sh
# shellcheck disable=SC2154

chroot_test() { "$R/Tools/base/chroot.sh" "$R" "$B" "$@"; }

# Programs that only say how they were called.
pretend() {
    make_fork
    printf '#!/bin/sh\necho 0\n' | program id
    printf '#!/bin/sh\nexit 0\n' | program git
    printf '#!/bin/sh\nexit 0\n' | program debootstrap
    program unshare <<'END'
echo "namespaces: $1 $2 $3 $4"
shift 4
echo "then: $*"
ls -d "$chroot_folder" && echo "archive: $chroot_uri $chroot_keyring"
exit ${pretended_status:-0}
END
    printf '#!/bin/sh\necho "https://debian.invalid/debian /keys.gpg"\n' >"$R/Tools/base/archive.sh"
    PATH=$T/bin:$PATH
    export PATH
}

test_chroot_runs_in_namespaces_of_its_own() {
    pretend
    runs chroot_test trixie
    says "namespaces: --mount --pid --fork --kill-child"
    says "then: $R/Tools/base/chroot.sh $R $B trixie demo test"
    says "archive: https://debian.invalid/debian /keys.gpg"
    same "$(ls "$B")" ""
    runs chroot_test bookworm demo
    says "bookworm demo"
}

test_chroot_passes_a_failure_on_and_leaves_nothing() {
    pretend
    pretended_status=3
    export pretended_status
    refuses chroot_test bookworm
    same "$(ls "$B")" ""
}

# The one that unshare would have made is a sleeper that says when it is there.
test_chroot_that_is_ended_ends_what_it_began() {
    pretend
    mkfifo "$T/ready"
    program unshare <<END
echo \$\$ >"$T/ready"
exec sleep 1000
END
    "$R/Tools/base/chroot.sh" "$R" "$B" bookworm >"$T/said" 2>&1 &
    chroot=$!
    read -r sleeper <"$T/ready"
    kill -TERM "$chroot"
    wait "$chroot" && exit 1
    if kill -0 "$sleeper" 2>/dev/null; then
        echo "what it began is still there"
        exit 1
    fi
    same "$(ls "$B")" ""
}

test_chroot_refuses_what_it_cannot_use() {
    pretend
    refuses chroot_test ../etc
    says "'../etc' is no suite of Debian: SUITE=bookworm or SUITE=trixie"
    refuses chroot_test bookworm install
    says "'install' is none of the README's commands: demo, test"
    printf '#!/bin/sh\necho "no Debian archive in sight"\nexit 1\n' >"$R/Tools/base/archive.sh"
    refuses chroot_test bookworm
    says "no Debian archive in sight"
    printf '#!/bin/sh\necho 1000\n' | program id
    refuses chroot_test bookworm
    says "a chroot needs root: run this as root"
    printf '#!/bin/sh\necho 0\n' | program id
    only_programs
    rm "$T/bin/debootstrap"
    refuses chroot_test bookworm
    says "debootstrap is not here (Debian package: debootstrap)"
    absent "$B"
}
