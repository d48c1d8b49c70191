# SPDX-License-Identifier: Apache-2.0
# fleet_ssh.sh - what `prfarm fleet ssh` has a host's shell do (any POSIX sh, no root). It comes in over standard input, behind what is
# particular to the host (fleet_ssh_talk.c): ACTION (look, apply, stop), FLEET, NAME, BOARDS, RELEASE, LAUNCH, KILOBYTES, UNTIL
# (the machine's uptime, in seconds, when somebody must have been told), and functions that print what is to be written: payload (a
# compressed tar), key, server, board NAME.
#
# What comes of it is told in lines that begin with "prfarm:"; whatever else a host prints is not for us. Everything lies in one folder:
#   current -> releases/DIGEST   the worker, and libraries beside it
#   host.key server.pub          for its owner only
#   BOARD.sh BOARD.log BOARD.pid how a board's worker is started, what it says, its process group
#   BOARD/                       the worker's state: results that were not handed over outlive everything here
#   launch                       digest of how the boards are started
#   lock                         held while something is done here: an earlier run goes on after its ssh was given up
umask 077
dir=$HOME/.prfarm/$FLEET/$NAME

tell() { printf 'prfarm: %s\n' "$*"; }
give_up() { # STATE DETAIL
    tell "failed $*"
    exit 0
}

program() { # the worker of a release, however it was packed
    for file in "$1/prfarm-worker" "$1/usr/bin/prfarm-worker"; do
        [ ! -x "$file" ] || { printf '%s' "$file"; return; }
    done
}
version() { LD_LIBRARY_PATH="$1/lib" "$(program "$1")" --version 2>&1 | tail -n 1; }

# Process numbers come again: it is ours if it runs our script.
runs() { # BOARD
    pid=$(cat "$dir/$1.pid" 2>/dev/null) && [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF " $dir/$1.sh"
}

joined() { grep -q '^ready ' "$dir/$1.log" 2>/dev/null; } # BOARD; since it was started
last_words() { tail -n 1 "$dir/$1.log" 2>/dev/null | cut -c 1-300; }

# The boards that are started must not have the lock, too (9>&-).
begin() {
    mkdir -p "$dir" || give_up no-space "$dir cannot be made"
    command -v flock >/dev/null 2>&1 || give_up failed "there is no flock(1)"
    exec 9>>"$dir/lock"
    flock -n 9 || give_up busy "an earlier run is still at work in $dir"
}

look() {
    tell "arch $(uname -m)"
    [ -d "$dir" ] || return 0
    [ ! -e "$dir/current" ] || tell "release $(readlink "$dir/current" | sed 's|.*/||') $(version "$dir/current")"
    [ ! -e "$dir/launch" ] || tell "launch $(cat "$dir/launch")"
    for board in $BOARDS; do
        runs "$board" || continue
        if joined "$board"; then tell "running $board"; else tell "waiting $board: $(last_words "$board")"; fi
    done
}

install_release() {
    [ -d "$dir/releases/$RELEASE" ] && return
    free=$(df -Pk "$dir" | awk 'NR == 2 {print $4}')
    [ "${free:-0}" -ge "$KILOBYTES" ] || give_up no-space "$free kB are free in $dir, $KILOBYTES are needed"
    rm -rf "$dir/new"
    mkdir -p "$dir/new" "$dir/releases" || give_up no-space "$dir cannot be written"
    payload | tar -xzf - -C "$dir/new" || give_up no-space "the worker cannot be unpacked in $dir"
    found=$(version "$dir/new")
    case "$found" in
    prfarm-worker\ *) ;;
    *) give_up missing-library "$found" ;;
    esac
    mv "$dir/new" "$dir/releases/$RELEASE"
}

stop_all() {
    for file in "$dir"/*.pid; do
        board=${file##*/}
        board=${board%.pid}
        for signal in TERM KILL; do
            tries=0
            while runs "$board" && [ $tries -lt 100 ]; do
                [ $tries -gt 0 ] || kill -s $signal -- "-$pid"
                sleep 0.2
                tries=$((tries + 1))
            done
        done
        runs "$board" || rm -f "$file"
    done
}

# Boards start again with the machine where there is a crontab for it. The table is the user's, and all entries of a host share it: it
# is only ever replaced when it was read, or when there was none.
at_boot() ( # yes or no
    command -v crontab >/dev/null 2>&1 || exit 0
    flock 8
    if ! table=$(crontab -l 2>/dev/null); then
        table=
        why=$(LC_ALL=C crontab -l 2>&1 >/dev/null)
        case $why in
        *"no crontab"* | *"No such file"*) ;;
        *)
            tell "note the crontab cannot be read, and stays as it is: $why"
            exit 0
            ;;
        esac
    fi
    why=$({
        [ -z "$table" ] || printf '%s\n' "$table" | grep -vF "$dir/start"
        [ "$1" = no ] || printf "@reboot sh '%s/start'\n" "$dir"
    } | crontab - 2>&1) || tell "note the crontab cannot be written, and stays as it is: $why"
) 8>>"$HOME/.prfarm/crontab.lock"

write_all() {
    rm -f "$dir"/*.sh
    key >"$dir/host.key"
    server >"$dir/server.pub"
    for board in $BOARDS; do board "$board" >"$dir/$board.sh"; done
    cat >"$dir/start" <<START
# Starts the boards; made by prfarm fleet ssh.
for script in "$dir"/*.sh; do
    log=\${script%.sh}.log
    [ ! -e "\$log" ] || mv "\$log" "\$log.1"
    setsid sh "\$script" >"\$log" 2>&1 </dev/null &
done
START
}

await_ready() { # BOARD; the last line of its log says why not
    until joined "$1"; do
        ended=$([ ! -e "$dir/$1.pid" ] || runs "$1" || echo yes)
        if [ "$ended" ] || [ "$(cut -d. -f1 /proc/uptime)" -ge "$UNTIL" ]; then
            give_up not-joined "$1: $(last_words "$1")"
        fi
        sleep 0.2
    done
}

apply() {
    begin
    install_release
    stop_all
    write_all
    rm -f "$dir/current"
    ln -s "releases/$RELEASE" "$dir/current"
    for old in "$dir"/releases/*; do [ "${old##*/}" = "$RELEASE" ] || rm -rf "$old"; done
    printf '%s' "$LAUNCH" >"$dir/launch"
    sh "$dir/start" 9>&-
    at_boot yes
    for board in $BOARDS; do await_ready "$board"; done
}

stop() {
    [ -d "$dir" ] || return 0
    begin
    at_boot no
    stop_all
}

[ -n "${HOME-}" ] || give_up failed "there is no home folder"
[ "$ACTION" = look ] || "$ACTION"
look
tell end
