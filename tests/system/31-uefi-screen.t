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

# screen CARD [CPU ERROR] - boot the image with the menu, or $esp, by UEFI, on a machine with this graphics card
screen() {
    local error=${3:-this CPU has no VMX; .*offers it\$}
    : >"$console"
    pictures "$error" | timeout -k 5 300 qemu-system-x86_64 -accel tcg -cpu "${2:-max}" -m 256 -nodefaults -vga "$1" -display none \
        -no-reboot -bios /usr/share/ovmf/OVMF.fd -drive "${esp:-file=$B/tally.iso,media=cdrom}" -monitor stdio >"$scratch/monitor" 2>&1
    like "^tally: error: $error" "$1${2:+, $2}: the line on the screen"
    is "$(grep . "$console" | grep -cv '^tally: press a key')" 1 "$1: and nothing else"
    unlike $'\uFFFD' "$1: all of it can be read"
    note "$1: $(sed -n 2p "$scratch/picture" | head -c 20) points"
}

# grub MODULE... - a system partition whose GRUB starts Tally by the lines on standard input
grub() {
    cat >"$scratch/grub.cfg"
    mkdir -p "$scratch/esp/EFI/BOOT"
    tar -C "$B" -cf "$scratch/disk" tally.elf guest.elf
    grub-mkimage -O x86_64-efi -d "${GRUB_EFI_MODULES:-/usr/lib/grub/x86_64-efi}" -c "$scratch/grub.cfg" -m "$scratch/disk" -p / \
        -o "$scratch/esp/EFI/BOOT/BOOTX64.EFI" memdisk tar boot "$@"
    esp=format=raw,file=fat:rw:$scratch/esp
}

screen std              # 32 bits a point, as the firmware has it
screen virtio
screen std max,nx=off 'execute-disable is off'
grub multiboot2 all_video <<<$'multiboot2 (memdisk)/tally.elf\nmodule2 (memdisk)/guest.elf\nboot'
screen std              # 24 bits a point, by GRUB's own driver

# Multiboot 1 by UEFI tells nothing of ACPI, and so of the other CPUs.
grub multiboot <<<$'multiboot (memdisk)/tally.elf\nmodule (memdisk)/guest.elf\nboot'
timeout -k 5 300 qemu-system-x86_64 -accel tcg -cpu max -m 256 -nodefaults -display none -serial "file:$console" -no-reboot \
    -bios /usr/share/ovmf/OVMF.fd -drive "$esp" -device isa-debug-exit,iobase=0xf4,iosize=4 \
    >"$errors" 2>&1
is "$?" 37 'multiboot 1 by UEFI: Tally refuses'
like 'tally: error: started by multiboot 1 on a UEFI machine.*use multiboot2' 'multiboot 1 by UEFI: what to do instead'

done_testing
