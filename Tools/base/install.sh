#!/bin/sh
# Install the fork.
#
#   install.sh BUILD TARGET MAKE [DESTDIR]
#
# TARGET is install or altinstall.

# shellcheck source=lib.sh
. "${0%/*}/lib.sh"

build=$1
target=$2
make=$3
destdir=${4:-}

dry_run "$target" "$make -C $build/fork $target DESTDIR=$destdir" && exit 0
own_locale
rm -f "$build/stamp/$target"
"$here/step.sh" "$build/log" "$target" "installing into $destdir$(cat "$build/install-prefix")" \
    "$make" -C "$build/fork" "$target" DESTDIR="$destdir" || exit
# bootstrap asks whether the last build is the one that is installed.
[ -n "$destdir" ] || cat "$build/install-prefix" | write_stamp "$build/stamp/$target"
