#!/bin/bash
# With Secure Boot on and Microsoft's keys Tally does not start, and who refuses it says so; the machine goes on. No VMX is needed.
. "$(dirname "$0")/../lib/tap.sh"
ovmf=/usr/share/OVMF
for file in OVMF_CODE_4M.secboot.fd OVMF_VARS_4M.ms.fd; do [ -f $ovmf/$file ] || skip_all "the Debian package ovmf has no $file"; done

need "$tests/lib/disk-image" signed "$scratch/disk" boot=next
timeout -k 5 200 qemu-system-x86_64 -accel tcg -machine q35,smm=on -global driver=cfi.pflash01,property=secure,value=on \
    -cpu max -m 512 -nodefaults -display none -serial "file:$console.raw" -no-reboot \
    -drive "if=pflash,format=raw,readonly=on,file=$ovmf/OVMF_CODE_4M.secboot.fd" \
    -drive "if=pflash,format=raw,snapshot=on,file=$ovmf/OVMF_VARS_4M.ms.fd" \
    -cdrom "$B/tally.iso" -boot d -drive "format=raw,snapshot=on,file=$scratch/disk" >"$errors" 2>&1 &
machine=$!
until grep -qa 'error: ' "$console.raw" 2>/dev/null || ! kill -0 $machine 2>/dev/null; do sleep 0.2; done
sleep 0.5
kill $machine 2>/dev/null
wait $machine
tr -d '\r' <"$console.raw" >"$console"
like 'BdsDxe: failed to load Boot0001 .*DVD-ROM.*: Access Denied' "the firmware refuses the stick's GRUB"
like 'BdsDxe: starting Boot0002 .*HARDDISK' 'and goes on with the disk'
like "error: .*(prohibited by secure boot policy|can't find command .multiboot2)" "Debian's signed GRUB there does not start Tally"
unlike '^tally: ' 'Tally has not run'

done_testing
