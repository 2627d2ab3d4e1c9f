#!/bin/bash
# With NESTED=long: Tally goes under a UEFI with ACPI and two CPUs, and the system on the disk comes up with both.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
cd "$top" || exit 1
[ "${NESTED:-}" = long ] || skip_all 'takes minutes: NESTED=long'
ovmf=/usr/share/ovmf/OVMF.fd
[ -f $ovmf ] || skip_all 'the Debian package ovmf is missing'
rel=$(realpath --relative-to=. "$B")
export NESTED_BUILD=$rel/nested
need tests/nested/build

need tests/lib/disk-image uki "$scratch/uki.img" tally.run=reboot
need tools/mkiso -f uefi -p multiboot2 -o "$scratch/tally.iso" -k "$rel/tally.elf exits=all boot=next"

# In Bochs 2.7 only `all` gives an L0 with one CPU that back from a Linux of two (docs/nested.md).
echo "linux|qemu-system-x86_64 -accel kvm -cpu host -smp 2 -m 512 -nodefaults -vga std -display none -serial stdio -no-reboot" \
    "-device isa-debug-exit,iobase=0xf4,iosize=0x04 -bios $ovmf -cdrom $scratch/tally.iso -boot d" \
    "-drive file=$scratch/uki.img,format=raw,snapshot=on" >"$scratch/jobs"
tests/nested/run -t 900 -o "$scratch/results" "$scratch/jobs" 2>"$errors"
ok $? 'the L0 ran the job' || note "$(tail -n 20 "$errors")"
note "$(grep 'guest ended' "$errors")"
tr -d '\r' <"$scratch/results/linux.out" >"$console" 2>/dev/null || : >"$console"
is "$(cat "$scratch/results/linux.status" 2>/dev/null)" $((0x10 << 1 | 1)) 'the status'
like 'BdsDxe: starting .*HARDDISK' "the firmware's next option is the disk"
like '^guest: running reboot' 'user space comes up'
like '^tally: the guest asked for: reset' 'the end'
like '^tally: exits [1-9].* vcpus 2$' 'the report'
like '^tally: +1 EXTERNAL_INTERRUPT +[1-9]' 'interrupts reach firmware and Linux by exits'
like '^tally: +3 INIT_SIGNAL +[1-9]' 'an INIT is an exit'
like '^tally: +4 SIPI +[2-9]' 'firmware and Linux each start the second CPU'

done_testing
