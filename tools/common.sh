# shellcheck shell=bash
# What the scripts in tools/ share; sourced, never run.

# shellcheck disable=SC2034  # used by the scripts that source this
grub_modules=${GRUB_MODULES:-/usr/lib/grub/i386-pc}
grub_efi_modules=${GRUB_EFI_MODULES:-/usr/lib/grub/x86_64-efi}
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
B=${B:-$top/build}
[[ $B = /* ]] || B=$PWD/$B
export LC_ALL=C.UTF-8           # what programs say is read here, and figures have points

# The comment at the head of a script is its help.
[[ ${1:-} != --help && ${1:-} != -h ]] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0; }

# say TEXT - a remark for the person at the keyboard; standard output belongs to the guest's console
say() { echo "${0##*/}: $*" >&2; }

# fail TEXT - one clear line, and the end
fail() {
    say "$*"
    exit 2
}

# absent TEXT - the same where Debian's packages cannot be had, for which tests are skipped
absent() {
    say "$*"
    exit 77
}

need_file() {
    [ -n "$1" ] || fail "a file's name is empty"
    [ -e "$1" ] || fail "$1: no such file"
    [ -f "$1" ] || fail "$1 is not a file"
    [ -r "$1" ] || fail "$1 cannot be read"
}

need_command() { command -v "$1" >/dev/null || fail "$1 is missing; tools/deps ${2:-run} installs it"; }

# scratch_directory - make $scratch, which goes away with the script
scratch_directory() {
    local place=${TMPDIR:-/tmp}
    [[ $place = /* ]] || place=$PWD/$place
    scratch=$(mktemp -d "$place/tally.XXXXXX" 2>/dev/null) || fail "cannot write to $place; TMPDIR= names another directory"
    trap 'trap "" INT TERM HUP; rm -rf "$scratch"' EXIT
}

# find_bochs - $bochs: the program that BOCHS names, or the installed one; $bochs_share: the folder of its ROMs;
# $bochs_vga: the VGA's; $bochs_start: how it is started, in the folder of its settings, in its debugger
find_bochs() {
    bochs=${BOCHS:-$(command -v bochs-bin || command -v bochs || true)}
    [ -n "$bochs" ] || fail "Bochs is missing; tools/deps run installs it"
    [ -f "$bochs" ] && [ -x "$bochs" ] || fail "BOCHS=$bochs is no program"
    bochs=$(realpath "$bochs")
    bochs_share=${BOCHS_SHARE:-$(dirname "$bochs")/../share/bochs}
    bochs_vga=$bochs_share/VGABIOS-lgpl-latest
    [ -f "$bochs_vga" ] || bochs_vga+=.bin # its name since Bochs 2.8
    need_file "$bochs_share/BIOS-bochs-latest"
    need_file "$bochs_vga"
    bochs_share=$(realpath "$bochs_share") bochs_vga=$(realpath "$bochs_vga")
    bochs_start=("$bochs" -q -f bochsrc -rc debugger)
    ! "$bochs" --help 2>&1 | grep -q '^ *-debugger ' || bochs_start+=(-debugger)    # since 3.0 not by itself
}

# Bochs' screen for RFB listens on a port. Of two that bind the same one before either listens, one dies: so they start one
# after another. rfb_turn before the start, rfb_turn_ends after it; rfb_listens PID: at once when it listens.
rfb_turn() { exec {turn}<"$bochs" && flock "$turn"; }
rfb_turn_ends() { flock -u "$turn" && exec {turn}<&-; }
rfb_listens() {
    local socket try
    for try in {1..100}; do
        for socket in $(find "/proc/$1/fd" -lname 'socket:*' -printf '%l ' 2>/dev/null | tr -dc '0-9 '); do
            ! grep -q " 0A .* $socket " /proc/net/tcp || break 2
        done
        kill -0 "$1" 2>/dev/null || break
        sleep 0.05
    done
    rfb_turn_ends
}

# bare_value WAY - for platforms: says how the bare guest has ended, and that it passed if it said nothing else itself
bare_value() {
    [ -n "$1" ] || return 0
    say "the bare guest's end: $1"
    [ -s "$RUN_DIR/value" ] || echo 10 >"$RUN_DIR/value"
}

# last_report COMMANDS ANSWERS - print the report of Tally's in a machine that stands still (tools/last_report.c), and keep the
# records of the exits in RUN_TRACE; last_trace: those alone
last_report() { [ -z "$RUN_TALLY" ] || "$B/last-report" ${RUN_TRACE:+-t "$RUN_TRACE"} "$1" "$2" "$RUN_MEM" || true; }
last_trace() { "$B/last-report" -q -t "$RUN_TRACE" "$1" "$2" "$RUN_MEM" || true; }

# trace_keys LOG TRACE [-s SYMBOLS] - what the records of a trace point at: function, offset, address, mode, number, reason, detail
trace_keys() {
    "$B/trace-export" keys "$2" | awk -F '\t' -v OFS='\t' -f "$top/tools/detail.awk" \
        -f <(echo '{ print $2, $5, $1, $3, plain_detail($3, $4) }') | "$top/tools/functions" "${@:3}" "$1"
}
