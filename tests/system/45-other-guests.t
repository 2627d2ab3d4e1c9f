#!/bin/bash
# Guests that were not written for Tally. They come from Debian's packages, which are fetched but not
# installed; docs/guests.md tells of more that take too long for a test.
. "$(dirname "$0")/../lib/tap.sh"

grub_modules=${GRUB_MODULES:-/usr/lib/grub/i386-pc}

# package NAME - unpack Debian's package into $scratch/NAME
package() {
    local debs=${SUITE_PACKAGES:-$B/debs} deb
    mkdir -p "$debs"
    deb=$(find "$debs/" -name "$1_*.deb" | sort | tail -n 1)
    if [ -z "$deb" ]; then
        (cd "$debs" && timeout 60 apt-get download -q "$1" >"$scratch/apt.log" 2>&1) || return
        deb=$(find "$debs/" -name "$1_*.deb" | sort | tail -n 1)
    fi
    dpkg-deb -x "$deb" "$scratch/$1"
}

# grub NAME MODULE... <CONFIGURATION - GRUB as a guest of its own: $scratch/NAME, a multiboot 1 kernel that
# works in real mode with the BIOS
grub() {
    cat >"$scratch/$1.cfg"
    grub-mkimage -O i386-pc -d "$grub_modules" -p /boot -c "$scratch/$1.cfg" -o "$scratch/$1" \
        biosdisk iso9660 "${@:2}"
}

# Where Tally is, by the map that a multiboot guest gets.
hidden() {
    sed -n 's/^# reserved behind RAM: \([0-9a-f]*\) to \([0-9a-f]*\)$/0x\1 0x\2/p' "$console"
}
boot --mem 64 --kernel "$B/guest.elf only=hidden_memory"
read -r base end < <(hidden)
isnt "$base" '' 'the guest test kernel finds Tally'

echo moved >"$scratch/module"
boot --mem 64 --kernel "$B/fixtures/wide.bin" --module "$scratch/module"
is "$status" 0 'a module in the way of a kernel is moved'

# A file with a Linux' header and nothing else of it.
head -c 200000 "$B/guest.elf" >"$scratch/initrd"
boot --mem 256 --kernel "$B/fixtures/linux.bin mem=64M" --module "$scratch/initrd"
is "$status" 0 'a Linux: status'
like '^initrd 03[0-9a-f]{6} 00030d40 $' 'a Linux: its initrd lies below the end of memory that mem= gives'
like '^mem=64M$' 'a Linux: its command line'
PLATFORM='' MEM=64 KERNEL=$B/fixtures/linux.bin boot --environment
is "$status" 0 'KERNEL= is a bzImage: status'
like '^console=ttyS0,115200 .*tsc_early_khz=' 'KERNEL= is a bzImage: it is started as a Linux'

grub map serial terminal lsmmap ls iorw <<'EOC'
serial --unit=0 --speed=115200
terminal_output serial
lsmmap
ls
outl 0xf4 0x10
EOC
for profile in minimal kvm all; do
    boot --mem 64 --options "exits=$profile" --kernel "$scratch/map"
    is "$status" 0 "GRUB, exits=$profile: it comes to its last command"
    like "base_addr = $base, length = 0x$(printf %x $((end - base))), reserved RAM" \
        "GRUB, exits=$profile: the BIOS's map, too, is without Tally's memory"
    like '\(cd\)' "GRUB, exits=$profile: it finds the CD by the BIOS"
done

# The emulator takes CS & 3 for the privilege level after an exit.
boot --options exits=kvm --kernel "$B/fixtures/cs_rpl.bin"
like '^RIGHT|^explain: CS & 3 is not the CPL' 'CS & 3 before the first far jump: right, or the end says whose fault it is'

if package syslinux-common; then
    grub disk linux16 boot <<'EOC'
set root=cd
linux16 /boot/3-memdisk floppy
initrd16 /boot/4-boot_sector.bin
boot
EOC
    # Bochs 2.7 takes CPL from CS's selector when it enters a guest: memdisk's, with exits between real mode
    # and its first far jump, would be 3.
    boot --mem 64 --options exits=minimal --kernel "$scratch/disk" \
        --module "$scratch/syslinux-common/usr/lib/syslinux/memdisk" --module "$B/fixtures/boot_sector.bin"
    is "$status" 0 'GRUB, memdisk, a boot sector: status'
    like "^range 0*$(printf '%X 0*%X' "$base" $((end - base))) 0*2\$" \
        "memdisk: the map, handed on twice, is without Tally's memory"
    like '^extended 0000[0-9A-F]{4}$' 'memdisk: the older question is answered'
else
    skip "$(tail -n 1 "$scratch/apt.log")" 'GRUB, memdisk, a boot sector'
fi

# It starts by timing the caches, so a CPU with a small one; Esc restarts the machine.
if package memtest86+; then
    status=0
    expect -f - "$top/tools/run" --platform bochs --mem 32 --cpu corei5_arrandale_m520 --interactive --timeout 100 \
        --kernel "$scratch/memtest86+/boot/memtest86+x64.bin console=ttyS0,115200" \
        >"$console" 2>"$errors" <<'EOC' || status=$?
set timeout 90
set stty_init "raw -echo"
spawn -noecho {*}$argv
expect -re {own address} {}
expect -re {Errors: [0-9]} {}
send "\x1b"
expect eof
exit [lindex [wait] 3]
EOC
    is "$status" 0 'memtest86+: Esc ends the run'
    like 'Memtest86\+ v' 'memtest86+: it starts'
    like 'Errors: 0' 'memtest86+: it tests, and finds no errors'
    like 'tally: the guest asked for: ' 'memtest86+: the report'
else
    skip "$(tail -n 1 "$scratch/apt.log")" 'memtest86+'
fi
done_testing
