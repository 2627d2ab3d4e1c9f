#!/bin/bash
# Tally beside a system on its disk, without a stick (docs/your-pc.md): an entry of GRUB's menu starts it, the menu comes back, and
# the entry for Linux there runs under Tally. By UEFI, too, if DISK_PROFILES is set (make test-long).
. "$(dirname "$0")/../lib/tap.sh"

# comes_back KIND FIRMWARE END REQUEST - a disk of this kind, whose Linux ends so, which Tally tells as this request
comes_back() {
    local sum
    need "$tests/lib/disk-image" "$1" "$scratch/$1" "tally.run=$3"
    sum=$(cksum <"$scratch/$1")
    boot --native --guest disk --firmware "$2" --disk "$scratch/$1" --timeout 400
    is "$status" 0 "$2: the status"
    is "$(grep -o "Booting .*'" "$console")" "Booting \`Under Tally: back to this menu'
Booting \`Linux'" "$2: the menu comes twice"
    like "^guest: running $3" "$2: user space comes up"
    like "^tally: the guest asked for: $4" "$2: the end"
    like '^tally: *sum ' "$2: the report"
    is "$(cksum <"$scratch/$1")" "$sum" "$2: the image is as it was, though GRUB has written to its disk"
}

# The lines for 40_custom as docs/your-pc.md has them, and the stick's menu: GRUB's shell can read both.
sed -n '/^    search /,/^$/p' "$top/docs/your-pc.md" >"$scratch/40_custom"
is "$(grep -c multiboot2 "$scratch/40_custom")" 2 'your-pc.md has two entries for a menu'
for file in "$scratch/40_custom" "$top/tools/grub.cfg"; do
    grub-script-check "$file" 2>"$errors"
    ok $? "${file##*/}: GRUB can read it"
done

comes_back back bios poweroff power-off
if [ -n "${DISK_PROFILES:-}" ] && [ -f /usr/share/ovmf/OVMF.fd ]; then comes_back backefi uefi reboot reset; fi

done_testing
