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
    uefi="-machine q35 -m 256 -nodefaults -device VGA,romfile= -bios /usr/share/ovmf/OVMF.fd -cdrom $scratch/uefi.iso"
    # shellcheck disable=SC2086  # $uefi is words
    job uefi-kvm-1 $uefi
    # The report on the frame buffer, where there is no serial port: the guest has ended long before the picture is taken.
    echo "screen|sh -c '{ sleep 200; echo screendump /tmp/picture; sleep 5; echo quit; } | qemu-system-x86_64 -accel kvm" \
        "-cpu host -display none -serial none -monitor stdio $uefi >/dev/null; gzip -c /tmp/picture | base64'" >>"$jobs"
    check_screen() {
        tr -d '\r' <"$scratch/results/screen.out" | grep -xE '[A-Za-z0-9+/=]{2,}' | base64 -d | gunzip >"$scratch/picture"
        "$tests/lib/screen" "$rel/font.bin" "$scratch/picture" >"$console"
        like '^tally: exits [1-9][0-9]* +cycles ' 'no serial port: the report is on the frame buffer'
        like '^tally: +10 CPUID +[1-9]' '... with its rows'
        is "$(awk '/^tally: +[0-9]+ [A-Z]/ { if (n++ && $4 + 0 > last + 0) print; last = $4 }' "$console")" '' '... the most frequent first'
    }
fi
check_jobs
done_testing
