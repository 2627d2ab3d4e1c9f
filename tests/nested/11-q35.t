#!/bin/bash
# By GRUB from a CD on q35; with NESTED=long also by UEFI.
# shellcheck source=tests/nested/guest.sh
. "$(dirname "$0")/guest.sh"

# shellcheck disable=SC2086  # $lean is words
for profile in minimal kvm all; do
    by_iso "q35-$profile-1" $profile "$few" -machine q35 $lean
    by_iso "q35-$profile-2" $profile "$several" -machine q35 $lean -smp 2
done
if [ "${NESTED:-}" = long ]; then
    mkdir -p "$scratch/cd/boot/grub"
    cp "$rel/tally.elf" "$rel/guest.elf" "$scratch/cd/boot"
    cat >"$scratch/cd/boot/grub/grub.cfg" <<END
set timeout=0
insmod all_video
menuentry Tally {
    multiboot2 /boot/tally.elf exits=kvm stats=table
    module2 /boot/guest.elf quiet only=cpuid,interrupts,bios_memory,hidden_memory
}
END
    grub-mkrescue --compress=xz --fonts= --locales= --themes= -o "$scratch/uefi.iso" "$scratch/cd" >/dev/null 2>&1
    ok $? 'an image for UEFI'
    job uefi-kvm-1 -machine q35 -m 256 -nodefaults -device VGA,romfile= -bios /usr/share/ovmf/OVMF.fd -cdrom "$scratch/uefi.iso"
fi
check_jobs
done_testing
