#!/bin/bash
# By QEMU's own loader on pc. With NESTED=long the run of profile all with 1 CPU is the line of the pages, word
# by word.
# shellcheck source=tests/nested/guest.sh
. "$(dirname "$0")/guest.sh"

[ "${NESTED:-}" != long ] || whole=' pc-minimal-1 pc-kvm-1 pc-all-1 '
line='qemu-system-x86_64 -accel kvm -cpu host -m 512 -display none -serial stdio -no-reboot'
line+=' -device isa-debug-exit,iobase=0xf4,iosize=0x04'
line+=' -kernel build/tally.elf -append "exits=all" -initrd build/guest.elf'
for page in options nested; do
    tr -s ' \\\n' ' ' <"docs/$page.md" | grep -qF -e "$line"
    ok $? "docs/$page.md has the line"
done

# shellcheck disable=SC2086  # $lean is words
for profile in minimal kvm all; do
    if [ "${NESTED:-}" != long ]; then
        by_loader "pc-$profile-1" $profile "$few" $lean
    elif [ $profile = all ]; then
        echo "pc-all-1|${line//build\//$rel/}" >>"$jobs"
    else
        by_loader "pc-$profile-1" $profile quiet $lean
    fi
    by_loader "pc-$profile-2" $profile "$several" $lean -smp 2
done

# A guest that never ends, under KVM: its run is ended from outside, and has its report.
library=$(ldd "$(command -v bash)" | grep -o '/[^ ]*tinfo[^ ]*')
echo "outside|sh tests/nested/outside ready $(command -v bash) $library $rel/last-report $rel/tally.elf $rel/fixtures/kernel.bin" \
    'tools/platform-qemu tools/common.sh tools/qemu.sh' >>"$jobs"
check_outside() {
    tr -d '\r' <"$scratch/results/outside.out" >"$console"
    like '^status 130$' 'outside: the platform ends as asked'
    like '^tally: the run was ended from outside; the exits until then:$' 'outside: the counters are found in the memory'
    like '^tally: +30 IO_INSTRUCTION +[1-9]' 'outside: they are of this guest'
    like '^\{"tally":"end","exits":[1-9]' 'outside: all of the report'
}
# A table of 64 sites: each line takes the console of a nested machine its time.
by_loader sites-kvm-1 'kvm sites=64 trace=1' 'quiet only=io,exceptions,interrupts' $lean
check_jobs
tr -d '\r' <"$scratch/results/sites-kvm-1.out" | awk -f "$tests/lib/sums.awk" >"$scratch/sums"
like '^reasons [1-9][0-9]* sites [1-9][0-9]+$' 'sites are recorded' "$scratch/sums"
is "$(tail -n +2 "$scratch/sums")" '' "... and those of a reason, with 'other', add up to its counter"
done_testing
