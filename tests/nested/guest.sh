# shellcheck shell=bash
# Tally in QEMU with KVM, as its users run it: the guest test kernel in each profile, with 1 and 2 CPUs.
# A test sources this, adds jobs and calls check_jobs; all its jobs share one boot of the L0.
# NESTED=long runs every profile both ways, and the whole test kernel in each.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/tap.sh"
cd "$top" || exit 1
rel=$(realpath --relative-to=. "$B")
export NESTED_BUILD=$rel/nested
need tests/nested/build

qemu='qemu-system-x86_64 -accel kvm -cpu host -display none -serial stdio -no-reboot'
qemu+=' -device isa-debug-exit,iobase=0xf4,iosize=0x04'
# shellcheck disable=SC2034 # used by the tests
lean='-m 128 -nodefaults' # the BIOS is done sooner without a network card and VGA
# shellcheck disable=SC2034
few='quiet only=cpuid,exceptions,interrupts' several='quiet only=smp'
jobs=$scratch/jobs
whole=' ' # the jobs that run the whole test kernel
differences=tests/nested/known-differences

# A job's name is MACHINE-PROFILE-CPUS. Those of the short form:
short=' sites-kvm-1 pc-minimal-1 q35-minimal-2 q35-kvm-1 pc-kvm-2 pc-all-1 q35-all-2 '

wanted() { [ "${NESTED:-}" = long ] || [[ $short = *" $1 "* ]]; }

job() { echo "$1|$qemu ${*:2}" >>"$jobs"; }

# by_loader NAME PROFILE WORDS QEMU-OPTION... - Tally by -kernel; the guest gets the words
by_loader() {
    wanted "$1" || return 0
    job "$1" "${@:4}" -kernel "$rel/tally.elf" -append "'exits=$2 stats=table,json'" -initrd "'$rel/guest.elf ${3//,/,,}'"
}

# by_iso NAME PROFILE WORDS QEMU-OPTION... - from a CD
by_iso() {
    wanted "$1" || return 0
    tools/mkiso -p multiboot2 -o "$scratch/$1.iso" -k "$rel/tally.elf exits=$2 stats=table,json" -m "$rel/guest.elf $3"
    job "$1" "${@:4}" -cdrom "$scratch/$1.iso"
}

[ "$(bochs_version)" = 2.7 ] && bochs='Bochs 2.7' || bochs='newer Bochs'

# differences_in PROFILE - the patterns of the list that hold there
differences_in() {
    local line
    while IFS= read -r line; do
        line=${line#"$bochs:"}
        [[ $line = '#'* || ${line%%|*} = *Bochs* || ,${line%%|*}, != *,$1,* ]] || { line=${line#*|} && echo "${line%|*}"; }
    done <$differences
}

# unexpected PROFILE - of the names of failed tests on standard input, those that are Tally's doing. The
# differences that explain the others are noted in $scratch/used.
unexpected() {
    local name pattern patterns
    mapfile -t patterns < <(differences_in "$1")
    while IFS= read -r name; do
        for pattern in "${patterns[@]}"; do
            [[ $name =~ ^($pattern)$ ]] || continue
            echo "$1 $pattern" >>"$scratch/used"
            continue 2
        done
        echo "$name"
    done
}

# unused PROFILE - the differences that no failure needed
unused() {
    local pattern
    differences_in "$1" | while IFS= read -r pattern; do
        grep -qxF -e "$1 $pattern" "$scratch/used" || echo "$pattern"
    done
}

# has_report CPUS - the guest's statistics at the end of the job
has_report() {
    like "^tally: exits [1-9].* vcpus $1$" "$name: the table is printed"
    [ "$json" = no ] || like '^\{"tally":"end","exits":[1-9]' "$name: the JSON report is whole"
    [ "$1" = 1 ] || {
        like '^tally: +3 INIT_SIGNAL +[1-9]' "$name: an INIT is an exit"
        like '^tally: +4 SIPI +[1-9]' "$name: a SIPI is an exit"
    }
}

check_job() {
    local name=$1 command=$2 profile=${1#*-} json=yes failures verdict=$((0x10 << 1 | 1))
    local cpus=${profile#*-}
    profile=${profile%-*}
    [[ $command = *json* ]] || json=no
    tr -d '\r' <"$scratch/results/$name.out" >"$console" 2>/dev/null || : >"$console"
    failures=$(sed -n 's/^not ok [0-9]* - //p' "$console")
    [ -z "$failures" ] || verdict=$((0x11 << 1 | 1))
    is "$([ -z "$failures" ] || unexpected "$profile" <<<"$failures")" '' "$name: no test failed" ||
        diag "$(grep -A 2 '^not ok' "$console")"
    is "$(cat "$scratch/results/$name.status" 2>/dev/null)" $verdict "$name: verdict"
    like '^# [1-9][0-9]+ passed' "$name: tests ran"
    has_report "$cpus"
    [[ $whole != *" $name "* ]] || is "$(unused "$profile")" '' "$name: every known difference is still one"
}

# check_jobs - run them, and look at what came of each; of job X by check_X, where there is one
check_jobs() {
    : >"$scratch/used"
    tests/nested/run -t 900 -o "$scratch/results" "$jobs" 2>"$errors"
    ok $? 'the L0 ran all jobs' || note "$(tail -n 20 "$errors")"
    note "$(grep 'guest ended' "$errors")"
    while IFS='|' read -r name command; do
        if [ "$(type -t "check_$name")" = function ]; then "check_$name"; else check_job "$name" "$command"; fi
    done <"$jobs"
}
