#!/bin/bash
# Tally in QEMU with KVM, as its users run it: the guest test kernel in each profile, by QEMU's own loader on
# pc and by GRUB from the ISO on q35, with 1 and 2 CPUs. All share one boot of the L0.
. "$(dirname "$0")/../lib/tap.sh"
cd "$top" || exit 1
rel=$(realpath --relative-to=. "$B")

# The machine of the README, word by word; what follows it is how Tally gets there.
machine='qemu-system-x86_64 -accel kvm -cpu host -m 512 -display none -serial stdio -no-reboot'
machine+=' -device isa-debug-exit,iobase=0xf4,iosize=0x04'
lean='-nodefaults'                      # without network card and VGA the BIOS is done sooner
jobs=$scratch/jobs

job() { echo "$1|$machine ${*:2}" >>"$jobs"; }

job bare "$lean" -kernel "$rel/guest.elf"
for profile in minimal kvm all; do
    options="exits=$profile stats=table,json"
    job "pc-$profile-1" "$lean" -kernel "$rel/tally.elf" -append "'$options'" -initrd "$rel/guest.elf"
    job "pc-$profile-2" "$lean" -smp 2 -kernel "$rel/tally.elf" -append "'$options'" -initrd "$rel/guest.elf"
    tools/mkiso -p multiboot2 -o "$scratch/$profile.iso" -k "$rel/tally.elf $options" -m "$rel/guest.elf"
    job "q35-$profile-1" "$lean" -machine q35 -cdrom "$scratch/$profile.iso"
    job "q35-$profile-2" "$lean" -machine q35 -smp 2 -cdrom "$scratch/$profile.iso"
done
# The README's line itself, and the ISO with the menu.
job readme -kernel "$rel/tally.elf" -append '"exits=all"' -initrd "$rel/guest.elf"
job menu "$lean" -machine q35 -smp 2 -cdrom "$rel/tally.iso"

tests/nested/run -o "$scratch/results" "$jobs" 2>"$errors"
ok $? 'the L0 ran all jobs' || note "$(tail -n 20 "$errors")"

while IFS='|' read -r name _; do
    tr -d '\r' <"$scratch/results/$name.out" >"$console" 2>/dev/null || : >"$console"
    guest_tests "$name"
    is "$(cat "$scratch/results/$name.status" 2>/dev/null)" $((0x10 << 1 | 1)) "$name: verdict"
    case $name in bare) continue ;; esac
    like '^tally: exits [1-9]' "$name: the table is printed"
done <"$jobs"

done_testing
