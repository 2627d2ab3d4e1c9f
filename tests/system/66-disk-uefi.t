#!/bin/bash
# Tally goes under a running UEFI: its boot manager goes on as the guest and starts a disk's system, unmodified.
# DISK_PROFILES names more profiles than kvm, and then more boot loaders are taken, too (make test-long).
. "$(dirname "$0")/../lib/tap.sh"
[ -f /usr/share/ovmf/OVMF.fd ] || skip_all 'the Debian package ovmf is missing'

# A module as the guest: then the boot services end, by Tally.
boot --firmware uefi --kernel "$B/guest.elf only=leaves"
! why=$(grep -o '[^ ]*OVMF.fd has 4 MB, Bochs 2.7 takes 2' "$errors") || skip_all "$why"
is "$status" 0 'a module by UEFI: the status'
like '^# [1-9][0-9]* passed, 0 failed' 'a module by UEFI: it runs'

# goes_under KIND PROFILE CPUS - a disk of this kind boots under Tally, to its reset
goes_under() {
    local name="$1, exits=$2, CPUs: $3"
    [ -f "$scratch/$1" ] || need "$tests/lib/disk-image" "$1" "$scratch/$1" "tally.run=reboot loglevel=7 reboot=efi"
    boot --guest disk --firmware uefi --disk "$scratch/$1" --options "exits=$2 sample=1000 stats=table,json" --cpus "$3" --timeout 400
    is "$status" 0 "$name: the status"
    like 'BdsDxe: failed to start .*: Not Found' "$name: the loader that started Tally is left"
    like 'BdsDxe: starting .*BXHD' "$name: the firmware's next option is the disk"
    like 'efi: EFI v2' "$name: Linux finds UEFI"
    like 'efi: Freeing EFI boot services memory' "$name: and its runtime services"
    like 'BIOS-e820: \[mem 0x[0-9a-f]*00000-0x[0-9a-f]*fffff\] reserved' "$name: Tally's memory is reserved"
    like '^guest: running reboot' "$name: user space comes up"
    like '^tally: the guest asked for: reset' "$name: the end"
    like "^tally: exits [1-9].* vcpus $3\$" "$name: the report"
    is "$(sed -n 's/^{"mark":"\([^"]*\)".*/\1/p' "$console" | uniq)" \
        "$(printf '%s\n' firmware 'image loaded' ExitBootServices kernel 'user space' init)" "$name: marks that nobody asked for"
    [ "$2" = minimal ] || like '^tally:  *1 EXTERNAL_INTERRUPT  *[1-9]' "$name: interrupts reach firmware and Linux by exits"
}

# The second CPU comes by the firmware's MP services. Linux does not see it: in Bochs 2.7 OVMF has no ACPI tables.
for profile in ${DISK_PROFILES:-kvm}; do goes_under uki "$profile" 2; done
for kind in ${DISK_PROFILES:+grub systemd shim}; do goes_under $kind kvm 1; done

# refused NAME LINE ARGUMENT... - Tally says the line, and the run ends with 2
refused() {
    boot --guest disk --firmware uefi --disk "$scratch/uki" "${@:3}"
    is "$status" 2 "$1: the status"
    like "tally: error: $2" "$1: the line"
}
refused 'a limit of CPUs' 'cpus=1: the firmware has 2 CPUs' --options cpus=1 --cpus 2
refused 'Tally twice' 'Tally runs on this machine already' --options boot=disk:1     # the CD
like '^tally: *sum ' 'Tally twice: the report of the first'

# An option that is not there. A network card on Bochs' port for the end lets the machine go on after it.
mkfifo "$scratch/keys"
"$top/tools/run" --platform bochs --guest disk --firmware uefi --disk "$scratch/uki" --options boot=disk:9 --timeout 400 --interactive \
    --bochs 'ne2k: enabled=1, ioaddr=0x88ff, irq=5, mac=b0:c4:00:00:00:01, ethmod=null, ethdev=none' \
    <"$scratch/keys" >"$console.raw" 2>"$errors" &
exec 5>"$scratch/keys"
until grep -qa '^tally: press a key' "$console.raw" || ! kill -0 $! 2>/dev/null; do sleep 0.2; done
printf x >&5
until grep -qa 'BdsDxe: starting Boot0002' "$console.raw" || ! kill -0 $! 2>/dev/null; do sleep 0.2; done
exec 5>&-
kill -TERM $! 2>/dev/null
wait $!
tr -d '\r' <"$console.raw" >"$console"
like "^tally: error: boot=disk:9: UEFI's boot order has 4 entries, counted from 0" 'an option that is not there: the line'
like 'BdsDxe: failed to start Boot0001' 'an option that is not there: after a key the firmware goes on'

done_testing
