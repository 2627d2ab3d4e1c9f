#!/bin/bash
# Started by UEFI on a machine without a serial port, Tally speaks on the screen: read back point by point.
. "$(dirname "$0")/../lib/tap.sh"

# pictures ERROR - the monitor's commands for a picture every second, until the error can be read from one into $console
pictures() {
    until sleep 1; grep -q "^tally: error: $1" "$console"; do
        echo "screendump $scratch/picture"
        "$tests/lib/screen" "$B/font.bin" "$scratch/picture" >"$console" 2>"$errors" || true
    done
    echo quit
}

# screen CARD [CPU ERROR] - boot the image with the menu by UEFI, on a machine with this graphics card
screen() {
    local error=${3:-this CPU has no VMX; .*offers it\$}
    : >"$console"
    pictures "$error" | timeout -k 5 120 qemu-system-x86_64 -accel tcg -cpu "${2:-max}" -m 256 -nodefaults -vga "$1" -display none \
        -no-reboot -bios /usr/share/ovmf/OVMF.fd -cdrom "$B/tally.iso" -monitor stdio >"$scratch/monitor" 2>&1
    like "^tally: error: $error" "$1${2:+, $2}: the line on the screen"
    is "$(grep . "$console" | grep -cv '^tally: press a key')" 1 "$1: and nothing else"
    unlike $'\uFFFD' "$1: all of it can be read"
    note "$1: $(sed -n 2p "$scratch/picture" | head -c 20) points"
}

screen std              # 24 bits a point
screen virtio           # 32 bits a point
screen std max,nx=off 'execute-disable is off'

# Multiboot 1 by UEFI tells nothing of ACPI, and so of the other CPUs.
mkdir -p "$scratch/esp/EFI/BOOT"
printf '%s\n' 'multiboot (memdisk)/tally.elf' 'module (memdisk)/guest.elf' boot >"$scratch/grub.cfg"
tar -C "$B" -cf "$scratch/disk" tally.elf guest.elf
grub-mkimage -O x86_64-efi -d "${GRUB_EFI_MODULES:-/usr/lib/grub/x86_64-efi}" -c "$scratch/grub.cfg" -m "$scratch/disk" -p / \
    -o "$scratch/esp/EFI/BOOT/BOOTX64.EFI" memdisk tar multiboot boot
timeout -k 5 120 qemu-system-x86_64 -accel tcg -cpu max -m 256 -nodefaults -display none -serial "file:$console" -no-reboot \
    -bios /usr/share/ovmf/OVMF.fd -drive "format=raw,file=fat:rw:$scratch/esp" -device isa-debug-exit,iobase=0xf4,iosize=4 \
    >"$errors" 2>&1
is "$?" 37 'multiboot 1 by UEFI: Tally refuses'
like 'tally: error: started by multiboot 1 on a UEFI machine.*use multiboot2' 'multiboot 1 by UEFI: what to do instead'

done_testing
