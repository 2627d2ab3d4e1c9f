#!/bin/bash
# Tally in QEMU with KVM, as its users run it: the guest test kernel in each profile, by QEMU's own loader on
# pc and by GRUB from the ISO on q35, with 1 and 2 CPUs. All share one boot of the L0.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
cd "$top" || exit 1
rel=$(realpath --relative-to=. "$B")

qemu='qemu-system-x86_64 -accel kvm -cpu host -display none -serial stdio -no-reboot'
qemu+=' -device isa-debug-exit,iobase=0xf4,iosize=0x04'
lean='-m 128 -nodefaults' # the BIOS is done sooner without a network card and VGA
few='only=cpuid,exceptions,interrupts'
jobs=$scratch/jobs

# unexpected PROFILE - of the names of failed tests on standard input, those that are Tally's
unexpected() {
    local names='' profiles test
    while IFS='|' read -r profiles test; do
        [[ ,$profiles, != *,$1,* ]] || names+="${names:+|}${test%|*}"
    done < <(grep -v '^#' tests/nested/known-differences)
    grep -vxE "($names)(, [^,]*)?" || :
}

job() { echo "$1|$qemu ${*:2}" >>"$jobs"; }

# by_loader NAME PROFILE WORDS QEMU-OPTION... - Tally by -kernel; the guest gets the words
by_loader() {
    job "$1" "${@:4}" -kernel "$rel/tally.elf" -append "'exits=$2 stats=table,json'" -initrd "'$rel/guest.elf ${3//,/,,}'"
}

# by_iso NAME PROFILE WORDS QEMU-OPTION... - from a CD
by_iso() {
    tools/mkiso -p multiboot2 -o "$scratch/$1.iso" -k "$rel/tally.elf exits=$2 stats=table,json" -m "$rel/guest.elf $3"
    job "$1" -machine q35 "${@:4}" -cdrom "$scratch/$1.iso"
}

# shellcheck disable=SC2086  # $lean is words
for profile in minimal kvm all; do
    [ $profile = all ] || by_loader "pc-$profile-1" $profile quiet $lean
    by_loader "pc-$profile-2" $profile "quiet $few" $lean -smp 2
    by_iso "q35-$profile-1" $profile "quiet $few" $lean
    by_iso "q35-$profile-2" $profile "quiet $few" $lean -smp 2
done

# The README's line itself is the run of the whole test kernel in profile all.
readme='qemu-system-x86_64 -accel kvm -cpu host -m 512 -display none -serial stdio -no-reboot'
readme+=' -device isa-debug-exit,iobase=0xf4,iosize=0x04'
readme+=' -kernel build/tally.elf -append "exits=all" -initrd build/guest.elf'
tr -s ' \\\n' ' ' <README.md | grep -qF -e "$readme"
ok $? 'the README has the line'
echo "pc-all-1|${readme//build\//$rel/}" >>"$jobs"

tests/nested/run -t 900 -o "$scratch/results" "$jobs" 2>"$errors"
ok $? 'the L0 ran all jobs' || note "$(tail -n 20 "$errors")"

while IFS='|' read -r name _; do
    tr -d '\r' <"$scratch/results/$name.out" >"$console" 2>/dev/null || : >"$console"
    failures=$(sed -n 's/^not ok [0-9]* - //p' "$console")
    profile=${name#*-}
    unknown=$([ -z "$failures" ] || unexpected "${profile%-*}" <<<"$failures")
    is "$unknown" '' "$name: no test failed" || note "$(grep -A 2 '^not ok' "$console")"
    verdict=$((0x10 << 1 | 1))
    [ -z "$failures" ] || verdict=$((0x11 << 1 | 1))
    is "$(cat "$scratch/results/$name.status" 2>/dev/null)" $verdict "$name: verdict"
    like '^# [1-9][0-9]* passed' "$name: tests ran"
    like '^tally: exits [1-9]' "$name: the table is printed"
    [ "$name" = pc-all-1 ] || like '^\{"tally":"end","exits":[1-9]' "$name: the JSON report is whole"
done <"$jobs"

done_testing
