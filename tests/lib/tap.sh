# shellcheck shell=bash
# TAP for shell tests, and machines to boot. A test is a few lines:
#
#   . "$(dirname "$0")/../lib/tap.sh"
#   boot --options exits=all
#   is "$status" 0 'the guest is content'
#   like '^tally: exits [1-9]' 'the report is printed'
#   done_testing
#
# It goes on after a failure; done_testing prints the plan.

export LC_ALL=C.UTF-8
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
top=$(dirname "$tests")
B=${B:-$top/build}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/tally-test.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
console=$scratch/console
errors=$scratch/errors
count=0

# ok STATUS NAME - passes if STATUS is 0: some_command; ok $? 'it works'
ok() {
    count=$((count + 1))
    [ "$1" = 0 ] || printf 'not '
    echo "ok $count - ${2//#/\\#}"
    [ "$1" = 0 ] || diag "${0##*/}: failed: $2"
    [ "$1" = 0 ]
}

note() { sed 's/^/# /' <<<"$*"; }
diag() { note "$@" >&2; }               # of a failure: the summary shows it

is() {                                  # is GOT EXPECTED NAME
    [ "$1" = "$2" ]
    ok $? "$3" || diag "got '$1', expected '$2'"
}

isnt() {
    [ "$1" != "$2" ]
    ok $? "$3" || diag "got '$1'"
}

# like REGEX NAME [FILE] - some line of the console (or FILE) matches
like() {
    grep -qE -e "$1" "${3:-$console}"
    ok $? "$2" || { diag "no line matches '$1'; the last lines:"; diag "$(tail -n 12 "${3:-$console}")"; }
}

# unlike REGEX NAME [FILE] - no line matches
unlike() {
    ! grep -qE -e "$1" "${3:-$console}"
    ok $? "$2" || diag "$(grep -E -m 5 -e "$1" "${3:-$console}")"
}

skip() {                                # skip REASON NAME
    count=$((count + 1))
    echo "ok $count - $2 # SKIP $1"
}

skip_all() {
    echo "1..0 # SKIP $*"
    exit 0
}

done_testing() { echo "1..$count"; }

# need COMMAND... - runs what makes something from Debian's packages. Where they cannot be had (status 77) the test is
# skipped; any other failure is one.
need() {
    local why status=0
    why=$("$@" 2>&1 >/dev/null) || status=$?
    [ $status != 77 ] || skip_all "${why##*$'\n'}"
    [ $status = 0 ] || { echo "not ok 1 - $1: ${why##*$'\n'}"; echo 1..1; exit 1; }
}

# bochs_version [PROGRAM] - of the Bochs that boot() takes, or of another: 2.7, 3.0.devel
# shellcheck disable=SC2120 # a test gives the argument
bochs_version() {
    "${1:-${BOCHS:-bochs-bin}}" --help 2>&1 | sed -n 's/.*Bochs x86 Emulator \([^ ]*\).*/\1/p' | head -n 1
}

# note_reasons ARGUMENT... - for tests/gate/reasons.t: which reasons the run's report has, on which model
note_reasons() {
    local model=broadwell_ult
    while [ $# -gt 0 ]; do
        [ "$1" != --cpu ] || model=$2
        [ "$1" != --platform ] || model=$2
        shift
    done
    [ -z "${BOCHS:-}" ] || model+=" (Bochs $(bochs_version))"
    sed -n '/^tally:  *sum /q; s/^tally:  *\([0-9][0-9]*\) [A-Z][A-Z_0-9]*  *\([0-9][0-9]*\) .*/\1 \2/p' \
        "$console" >>"$REASONS/live-$model"
}

# boot ARGUMENT... - a run with the arguments of tools/run, in Bochs unless they say otherwise. Afterwards
# $status is its status, $console the file with what the guest wrote, $errors what the runner said. Boots
# with the arguments of boot_defaults=(…) put first, if a test sets that.
boot_defaults=()
boot() {
    status=0
    timeout --foreground -k 5 600 "$top/tools/run" --platform bochs "${boot_defaults[@]}" "$@" \
        </dev/null >"$console.raw" 2>"$errors" || status=$?
    tr -d '\r' <"$console.raw" >"$console"
    [ -z "${REASONS:-}" ] || note_reasons "${boot_defaults[@]}" "$@"
    [ -z "${SHOW:-}" ] || sed 's/^/# /' "$console" "$errors"
}

# guest_tests NAME - each test that the guest reported on the console is a test of ours, its name after
# NAME; so is the guest's plan.
guest_tests() {
    local line result seen=0 plan=''
    while IFS= read -r line; do
        if [[ $line =~ ^1\.\.([0-9]+) ]]; then
            plan=${BASH_REMATCH[1]}
        elif [[ $line =~ ^(not\ )?ok\ [0-9]+\ *(-\ )?(.*)$ ]]; then
            seen=$((seen + 1)) result=0
            [ -z "${BASH_REMATCH[1]}" ] || result=1
            line="$1: ${BASH_REMATCH[3]}"
            if [[ $line =~ ^(.*[^ ])\ *#\ [Ss][Kk][Ii][Pp]\ *(.*)$ ]]; then
                skip "${BASH_REMATCH[2]}" "${BASH_REMATCH[1]}"
            else
                ok $result "$line"
            fi
        elif [[ $line =~ ^# ]]; then
            echo "$line"
        fi
    done <"$console"
    is "$seen" "${plan:-no plan}" "$1: the guest ran every test it planned" ||
        { note "the last lines:"; note "$(tail -n 12 "$console")"; }
}

# transcript - what the guest reported of the machine: without what speaks of counts and to Tally
transcript() { grep -E '^(not )?ok ' "$console" | grep -vE ' - (count|tally): '; }

# same_transcript FILE NAME - the console's is the one in FILE
same_transcript() {
    transcript | cmp -s - "$1"
    ok $? "$2" || note "$(transcript | diff "$1" - | head -n 20)"
}
