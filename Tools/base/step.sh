#!/bin/sh
# Run one step: its output goes to a log, one line about it to the terminal.
#
#   step.sh LOGDIR NAME TEXT COMMAND [ARGUMENT...]
#
# V=1 in the environment shows the output as well.  When the command fails,
# the command, its last lines and the log's place are shown.

log=$1/$2.log
name=$2
text=$3
shift 3

# A log that root left (sudo make install) can be removed, but not written.
mkdir -p "${log%/*}" && rm -f "$log" || exit 1

case ${V:-0} in
    0 | '') show=0 ;;
    *) show=1 ;;
esac

overwrite=0
if [ "$show" = 0 ] && [ -t 1 ]; then
    overwrite=1
fi

finish() {
    if [ "$overwrite" = 1 ]; then
        printf '\r\033[K'
    fi
    printf '  %-15s %s\n' "$name" "$1"
}

trap 'finish "interrupted; run the same command again to go on"; exit 130' INT TERM HUP

if [ "$overwrite" = 1 ]; then
    printf '  %-15s %s ...' "$name" "$text"
else
    printf '  %-15s %s ...\n' "$name" "$text"
fi

start=$(date +%s)
if [ "$show" = 1 ]; then
    # A pipe has the status of its last command: carry the first one's out.
    {
        "$@"
        echo $? >"$log.status"
    } 2>&1 | tee "$log"
    status=$(cat "$log.status")
    rm -f "$log.status"
else
    "$@" >"$log" 2>&1
    status=$?
fi
seconds=$(($(date +%s) - start))

if [ "$status" = 0 ]; then
    finish "$text: done in $seconds s"
    exit 0
fi

finish "$text: FAILED after $seconds s (status $status)"
{
    printf '\nThe command that failed:\n  %s\n' "$*"
    if [ "$show" = 0 ]; then
        printf 'Its last lines:\n'
        tail -n 20 "$log" | sed 's/^/  | /'
    fi
    printf 'Everything it said: %s\n\n' "$log"
} >&2
exit "$status"
