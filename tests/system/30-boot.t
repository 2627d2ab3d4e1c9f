#!/bin/bash
# The ways to boot Tally: by GRUB with both protocols, by QEMU's own loader, from the image with the menu.
. "$(dirname "$0")/../lib/tap.sh"

elf=$B/fixtures/elf.bin                 # a guest that ends at once: all passed

boot --protocol multiboot2 --kernel "$elf"
is "$status" 0 'Bochs: GRUB, multiboot 2'
like '^tally: exits [1-9]' 'multiboot 2: the report'

boot --kernel "$B/fixtures/kernel.bin a=b,c d" --options stats=json
is "$status" 0 'a guest with address fields instead of ELF'

echo 'a file' >"$scratch/file"
boot --kernel "$B/fixtures/kernel.bin one two=2" --module "$scratch/file x=1,2 y" --module "$scratch/file"
is "$status" 0 'a guest with modules'
like '^command line: .*one two=2$' 'the guest gets its command line'
like '^module: .*x=1,2 y begins: a file$' 'the guest gets its modules and their command lines'
like '^module: .* begins: a file$' 'a module without arguments, too'

boot --kernel "$B/fixtures/kernel.bin verdict=11"
is "$status" 1 "a guest's bad verdict comes through"
boot --kernel "$B/fixtures/kernel.bin fault"
is "$status" 3 "a guest's triple fault has its own status"
like '^tally: exits [1-9]' 'and a report'
boot --kernel "$B/fixtures/kernel.bin hang"
isnt "$status" 124 'a guest that halts for good ends the run'
like '^tally: exits [1-9]' 'with a report'

# QEMU without KVM has no VMX, so Tally refuses: but it has been loaded, and it speaks.
for machine in pc q35 microvm; do
    boot --platform tcg --direct --qemu "-machine $machine"
    is "$status" 2 "QEMU's own loader, $machine: the status"
    like '^tally: error: .*VMX' "QEMU's own loader, $machine: Tally speaks"
done
boot --platform tcg --native --kernel "$B/fixtures/la57.bin" --module "$B/tally.elf" --qemu '-cpu max'
like '^tally: error: .*VMX' 'CR4.LA57 left set by firmware: Tally speaks'
boot --platform tcg --native --firmware uefi --kernel "$B/fixtures/la57_efi.bin boot=next" --module "$B/tally.elf" --qemu '-cpu max'
is "$status" 2 'CR4.LA57 by UEFI: the status'
like '^tally: error: .*5-level paging on .CR4.LA57.' 'CR4.LA57 by UEFI: the line'
boot --platform tcg --native --firmware uefi --kernel "$B/tally.elf boot=next" --qemu '-cpu max,nx=off'
is "$status" 2 'execute-disable off by UEFI: the status'
like '^tally: error: execute-disable is off' 'execute-disable off by UEFI: the line'
boot --platform tcg --protocol multiboot2
like '^tally: error: .*VMX' 'QEMU: GRUB, multiboot 2'

says='(^|\[1;1H)tally: error: .*VMX'    # GRUB 2.12 leaves the cursor's way home before it
boot --platform tcg --iso "$B/tally.iso" --timeout 90
is "$status" 2 'the image with the menu boots its first entry by itself'
like "$says" 'the menu: Tally speaks'
# The same image as a disk, as on a USB stick.
boot --platform tcg --iso "$B/tally.iso" --timeout 90 \
    --qemu "-drive file=$B/tally.iso,format=raw,snapshot=on -boot c"
like "$says" 'the image boots from a disk'

# By UEFI to the same line, from the CD and from a stick.
uefi='-bios /usr/share/ovmf/OVMF.fd'
boot --platform tcg --iso "$B/tally.iso" --timeout 120 --qemu "$uefi"
is "$status" 2 'the image boots by UEFI: the status'
like 'BdsDxe: starting .*DVD-ROM' 'the image boots by UEFI from a CD'
like '^tally: error: .*VMX' 'the image boots by UEFI: Tally speaks'
stick="-drive if=none,id=stick,file=$B/tally.iso,format=raw,snapshot=on -device ide-hd,drive=stick,bootindex=0"
boot --platform tcg --iso "$B/tally.iso" --timeout 120 --qemu "$uefi $stick"
like 'BdsDxe: starting .*HARDDISK' 'the image boots by UEFI from a disk'
like '^tally: error: .*VMX' 'the image boots by UEFI from a disk: Tally speaks'

boot --options exits=kvm --kernel "$B/fixtures/nmi_wakes.bin"
is "$status" 0 'asleep with interrupts off: the status'
like '^tally: the guest asked for: exit request' 'an NMI wakes it'

boot --options exits=kvm --kernel "$B/fixtures/nmi_wakes.bin" --bochs 'com1: enabled=0' --vga "$scratch/vga"
is "$status" 0 'without a serial port: the status'
like '^tally: the guest asked for: exit request' 'the end is on the screen' "$scratch/vga"
like '^tally:  *30 IO_INSTRUCTION  *[1-9][0-9]* .*%' 'and the report' "$scratch/vga"

# An entry that fails late in a run: the dump is whole, whatever of the report has a place beside it.
boot --test-image --options 'exits=all test=entry-fail-late' --kernel "$B/guest.elf only=exceptions,vmx_instructions" \
    --bochs 'com1: enabled=0' --vga "$scratch/vga"
is "$status" 2 'a failed entry without a serial port: the status'
like '^tally: error: VM entry failed: exit reason 33 ' 'its line is on the screen' "$scratch/vga"
like '^tally: exits [1-9][0-9][0-9]*' 'and the totals' "$scratch/vga"
"$B/explain" <"$scratch/vga" >"$scratch/explained" 2>&1
like 'RFLAGS' 'and the dump, all of which tools/explain can read' "$scratch/explained"

done_testing
