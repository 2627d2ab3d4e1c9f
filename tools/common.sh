# shellcheck shell=bash
# What the scripts in tools/ share; sourced, never run.

# shellcheck disable=SC2034  # used by the scripts that source this
grub_modules=${GRUB_MODULES:-/usr/lib/grub/i386-pc}
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
B=${B:-$top/build}

# say TEXT - a remark for the person at the keyboard; standard output belongs to the guest's console
say() { echo "${0##*/}: $*" >&2; }

# fail TEXT - one clear line, and the end
fail() {
    say "$*"
    exit 2
}

need_file() {
    [ -e "$1" ] || fail "$1: no such file"
    [ -f "$1" ] || fail "$1 is not a file"
    [ -r "$1" ] || fail "$1 cannot be read"
}

need_command() { command -v "$1" >/dev/null || fail "$1 is missing; tools/deps ${2:-run} installs it"; }

# scratch_directory - make $scratch, which goes away with the script
scratch_directory() {
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/tally.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
}
