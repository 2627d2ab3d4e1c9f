#!/bin/bash
# The machine's own boot cannot go on by BIOS: one clear line, and a status.
. "$(dirname "$0")/../lib/tap.sh"

# refused NAME REGEX ARGUMENT... - Tally says 'tally: error: …REGEX…', once, and the run ends with 2
refused() {
    local name=$1 regex=$2
    shift 2
    boot --timeout 120 "$@"
    is "$status" 2 "$name: the status"
    like "^tally: error: .*$regex" "$name: the line"
    is "$(grep -c '^tally: error: ' "$console")" 1 "$name: one line"
}

for kind in none tally; do need "$tests/lib/disk-image" $kind "$scratch/$kind" boot=next; done
disk=(--guest disk --disk "$scratch/none")
sum=$(cksum <"$scratch/none")

refused 'no disk' 'there is no disk 0; the BIOS knows 0' --no-guest --options boot=next
refused 'a disk that is not there' 'there is no disk 1; the BIOS knows 1, counted from 0' "${disk[@]}" --options boot=disk:1
refused 'a number too many' 'boot=disk:10: valid are next, disk:N' "${disk[@]}" --options boot=disk:10
refused 'no boot sector' 'disk 0 has no boot sector \(no signature AA55\)' "${disk[@]}" --vga "$scratch/vga"
like '^tally: error: disk 0 has no boot sector' 'no boot sector: the line on the screen' "$scratch/vga"
refused 'two guests' 'two guests: a module and the system on the disk' --kernel "$B/fixtures/elf.bin" --options boot=next
refused 'too little memory' 'too little memory: Tally needs' "${disk[@]}" --mem 3
refused 'Tally comes from the one disk' 'boot=next: the BIOS knows no disk but the one that Tally came from' \
    --guest disk --disk "$scratch/tally" --native
# From the CD to the disk, whose GRUB starts Tally once more.
refused 'Tally twice' 'Tally runs on this machine already' --guest disk --disk "$scratch/tally"
like '^tally: *sum ' 'Tally twice: the report of the first'

is "$(cksum <"$scratch/none")" "$sum" 'the disk is as it was'

# What the runner refuses.
runner() {
    local name=$1 regex=$2
    shift 2
    boot "$@"
    is "$status" 2 "$name: refused"
    like "^run: .*$regex" "$name: named" "$errors"
}
runner 'no image' 'guest disk wants an image: DISK=FILE' --guest disk
runner 'no such image' 'none.img: no such file' --guest disk --disk none.img
printf 'QFI\373' >"$scratch/qcow"
runner 'a QCOW image' 'is no raw image' --guest disk --disk "$scratch/qcow"
echo text >"$scratch/text"
runner 'a text' 'is no disk image: 5 bytes' --guest disk --disk "$scratch/text"
runner 'firmware' "unknown firmware 'coreboot'; valid: bios uefi" "${disk[@]}" --firmware coreboot
# By the variables of make run, too: DISK= alone is a guest, FIRMWARE= is taken.
variables() { env "$@" "$top/tools/run" --environment >"$console" 2>"$errors"; }
variables DISK=none.img
like '^run: .*none.img: no such file' 'DISK= is the guest' "$errors"
variables DISK="$scratch/none" FIRMWARE=coreboot
like "^run: .*unknown firmware 'coreboot'" 'FIRMWARE= is taken' "$errors"
runner 'a kernel beside the disk' 'guest disk takes no kernel' "${disk[@]}" --kernel "$B/fixtures/elf.bin"

done_testing
