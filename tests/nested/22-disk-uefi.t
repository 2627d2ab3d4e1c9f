#!/bin/bash
# With NESTED=long: Tally goes under a UEFI with ACPI and two CPUs, and the system on the disk comes up with both, in `all` and in
# `kvm`. So does Debian's signed shim with its signed GRUB. A suspend ends the run, and what a run has counted is still in memory
# after the firmware's warm reset.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
cd "$top" || exit 1
[ "${NESTED:-}" = long ] || skip_all 'takes minutes: NESTED=long'
ovmf=/usr/share/ovmf/OVMF.fd
[ -f $ovmf ] || skip_all 'the Debian package ovmf is missing'
rel=$(realpath --relative-to=. "$B")

need tests/lib/disk-image uki "$scratch/all.img" tally.run=reboot
need tests/lib/disk-image shim "$scratch/shim.img" 'tally.run=reboot loglevel=7'
need tests/lib/disk-image uki "$scratch/suspend.img" tally.run=suspend
need tests/lib/disk-image shell "$scratch/last.img" $'if exist done then\n  reset -s\nendif\necho yes > done\nreset -w'

# job NAME TALLY'S-WORDS QEMU-OPTION... - the disk NAME.img under Tally. One that is no `last` ends at the end of the first run.
job() {
    local name=$1 ends='-no-reboot -device isa-debug-exit,iobase=0xf4,iosize=0x04'
    [ "$name" != last ] || ends=''
    need tools/mkiso -f uefi -p multiboot2 -o "$scratch/$name.iso" -k "$rel/tally.elf boot=next $2"
    echo "$name|qemu-system-x86_64 -accel kvm -cpu host ${*:3} -nodefaults -vga std -display none -serial stdio $ends" \
        "-bios $ovmf -cdrom $scratch/$name.iso -boot d -drive file=$scratch/${disk:-$name}.img,format=raw,snapshot=on" >>"$jobs"
}

# run_jobs CPUS SECONDS - in an L0 with so many CPUs, so long each
run_jobs() {
    export NESTED_CPUS=$1 NESTED_BUILD=$rel/nested
    [ "$1" = 1 ] || NESTED_BUILD+=-$1
    need tests/nested/build
    tests/nested/run -t "$2" -o "$scratch/results" "$jobs" 2>"$errors"
    ok $? "the L0 with CPUs: $1 ran the jobs" || note "$(tail -n 20 "$errors")"
    note "$(grep 'guest ended' "$errors")"
}

# In Bochs 2.7 only `all` gives an L0 with one CPU that back from a Linux of two (docs/nested.md).
jobs=$scratch/jobs
job all exits=all -smp 2 -m 512
job shim exits=kvm -m 512
job suspend exits=kvm -m 512
job last 'last exits=kvm stats=table' -m 256
run_jobs 1 900
jobs=$scratch/jobs.2
disk=all job kvm exits=kvm -smp 2 -m 512
run_jobs 2 900

# ended NAME STATUS - looks at what the job has left; QEMU's status is this
ended() {
    tr -d '\r' <"$scratch/results/$1.out" >"$console" 2>/dev/null || : >"$console"
    is "$(cat "$scratch/results/$1.status" 2>/dev/null)" "$2" "$1: the status"
}

for name in all kvm; do
    ended $name $((0x10 << 1 | 1))
    like 'BdsDxe: starting .*HARDDISK' "$name: the firmware's next option is the disk"
    like '^guest: running reboot' "$name: user space comes up"
    like '^tally: the guest asked for: reset' "$name: the end"
    like '^tally: exits [1-9].* vcpus 2$' "$name: the report"
    like '^tally: +1 EXTERNAL_INTERRUPT +[1-9]' "$name: interrupts reach firmware and Linux by exits"
    like '^tally: +3 INIT_SIGNAL +[1-9]' "$name: an INIT is an exit"
    like '^tally: +4 SIPI +[2-9]' "$name: firmware and Linux each start the second CPU"
done

ended shim $((0x10 << 1 | 1))
like 'BdsDxe: starting .*HARDDISK' "shim: the firmware's next option is the disk"
like 'efi: .* MOKvar=0x' "shim: Linux finds the shim's table"
like 'secureboot: Secure boot disabled' 'shim: Secure Boot is off'
like '^guest: running reboot' 'shim: user space comes up'
like '^tally: the guest asked for: reset' 'shim: the end'
like '^tally: *sum ' 'shim: the report'

ended suspend $((0x10 << 1 | 1))
like '^guest: running suspend' 'suspend: user space comes up'
like '^tally: the guest asked for: suspend' 'suspend: the end'
like '^tally: *sum ' 'suspend: the report'

ended last 0
is "$(grep '^tally: .*last run' "$console")" "tally: no last run is in memory: nothing was kept, or the reset has changed it
tally: the last run (CPUs: 1, exits=kvm) ended by: reset" 'last: the start after the reset knows of the run before it'
# The tables: at the end of the first run, by `last`, and at the end of the second.
table() { awk -v n="$1" '/^tally: exits [0-9]/ { tables++ } tables == n; /^tally: *sum / && tables == n { exit }' "$console"; }
isnt "$(table 1)" '' 'last: the first run has a report'
is "$(table 2)" "$(table 1)" 'last: the same figures'
like '^tally: the guest asked for: power-off' 'last: the second run ends by ResetSystem, too'

done_testing
