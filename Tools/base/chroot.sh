#!/bin/sh
# Run the README's two commands on a bare Debian, with the last commit of this
# clone, and print what they end with.
#
#   chroot.sh ROOT BUILD SUITE [demo] [test]
#
# The Debian is made by debootstrap from the archive that apt uses here, below
# BUILD, and holds nothing but what each has (--variant=minbase): no compiler,
# no git, no ps, no locale.  Root is needed.
#
# All of it runs in namespaces of its own for mounts and processes: when the
# first process there ends, however it does, the kernel ends the others and
# undoes the mounts, so that removing the folder can never reach through one.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

root=$1
build=$2
suite=$3
shift 3
[ $# -gt 0 ] || set -- demo test

# step NAME TEXT COMMAND...: quietly, into a log of its own.
step() {
    step_name=$1
    shift
    "$here/step.sh" "$build/log" "$suite-$step_name" "$@"
}

mount_below() {
    mount_point=$folder/$1 mount_type=$2
    shift 2
    mount -t "$mount_type" "$@" "$mount_type" "$mount_point" ||
        die "$mount_type cannot be mounted on $mount_point"
}

make_debian() {
    # It takes the names of hosts along, and leaves no mount.
    step debian "making a bare Debian ($suite)" \
        debootstrap --variant=minbase --keyring="$keyring" "$suite" "$folder" "$uri" || exit 1
    mount_below proc proc
    mount_below sys sysfs -o ro
    mount_below dev/shm tmpfs -o mode=1777
    mount_below dev/pts devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5
    # How the archive is reached is this machine's to know: proxies and the like.
    apt-config dump --format '%F "%v";%n' Acquire::http Acquire::https \
        >"$folder/etc/apt/apt.conf.d/90machine" || exit 1
    git clone --quiet --depth 1 "file://$root" "$folder/root/fork" ||
        die "the clone $root cannot be cloned"
}

# As the first process of the namespaces: what is to be done in them.
if [ -n "${chroot_folder:-}" ]; then
    folder=$chroot_folder/$suite uri=$chroot_uri keyring=$chroot_keyring
    make_debian
    proxies=
    for variable in http_proxy https_proxy no_proxy; do
        eval "value=\${$variable:-}"
        [ -z "$value" ] || proxies="$proxies $variable=$value"
    done
    status=0
    for word; do
        # shellcheck disable=SC2086
        step "$word" "./bootstrap $word" env -i HOME=/root TERM=dumb \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin $proxies \
            chroot "$folder" sh -c 'cd /root/fork && exec ./bootstrap "$1" </dev/null' sh "$word" ||
            status=1
        printf '\nLast lines of ./bootstrap %s on a bare %s:\n' "$word" "$suite"
        tail -n 15 "$build/log/$suite-$word.log"
        echo
    done
    exit "$status"
fi

for word; do
    case $word in
        demo | test) ;;
        *) die "'$word' is none of the README's commands: demo, test" ;;
    esac
done
case $suite in
    '' | *[!a-z]*) die "'$suite' is no suite of Debian: SUITE=bookworm or SUITE=trixie" ;;
esac
dry_run chroot "./bootstrap $* in a bare $suite" && exit 0
[ "$(id -u)" = 0 ] || die "a chroot needs root: run this as root"
for program in debootstrap:debootstrap unshare:util-linux git:git; do
    command -v "${program%:*}" >/dev/null 2>&1 ||
        die "${program%:*} is not here (Debian package: ${program#*:})"
done
chroot_archive=$("$here/archive.sh") || die "$chroot_archive"
[ -z "$(git -C "$root" status --porcelain)" ] ||
    say chroot-test "warning: what is not committed is left out"

mkdir -p "$build" && chroot_folder=$(mktemp -d "$build/chroot.XXXXXX") || exit 1
chroot_uri=${chroot_archive%% *} chroot_keyring=${chroot_archive#* }
export chroot_folder chroot_uri chroot_keyring
ended=
finish() {
    # unshare takes the first process with it, and that one all others.  It is
    # known by $! as soon as it is there, whenever a signal comes.
    [ -n "$ended" ] || [ -z "$!" ] || { kill -KILL "$!" && wait "$!"; } 2>/dev/null
    rm -rf --one-file-system "$chroot_folder"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# In the background, so that a signal is seen to at once; what is started there
# ignores SIGINT, which some tests send to themselves, but for env.
env --default-signal=INT unshare --mount --pid --fork --kill-child \
    "$here/chroot.sh" "$root" "$build" "$suite" "$@" &
wait "$!"
status=$?
ended=yes
exit "$status"
