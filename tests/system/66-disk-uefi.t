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

# alone KIND - a disk of this kind, and a boot of it without Tally to compare with
alone() {
    need "$tests/lib/disk-image" "$1" "$scratch/$1" "tally.run=leaves,reboot loglevel=7 reboot=efi"
    cksum <"$scratch/$1" >"$scratch/$1.sum"
    boot --native --guest disk --firmware uefi --disk "$scratch/$1" --timeout 400
    is "$status" 0 "$1, bare: the status"
    like '^guest: running reboot' "$1, bare: user space comes up"
    kernel_messages >"$scratch/$1.messages"
}

kernel_messages() { sed -n '/Linux version/,$p' "$console" | grep '^\['; }

# odd KIND - the kernel's messages that differ from those of the boot without Tally though nothing explains it
odd() {
    kernel_messages | perl -I "$tests/lib" -MLinuxGuest -e \
        'local $/; open my $bare, "<", shift or die; print odd_messages(<$bare>, <STDIN>)' "$scratch/$1.messages"
}

# goes_under KIND PROFILE CPUS - a disk of this kind boots under Tally, to its reset, as it does alone
goes_under() {
    local name="$1, exits=$2, CPUs: $3"
    boot --guest disk --firmware uefi --disk "$scratch/$1" --options "exits=$2 sample=1000 stats=table,json" --cpus "$3" --timeout 400
    is "$status" 0 "$name: the status"
    like 'BdsDxe: failed to start .*: Not Found' "$name: the loader that started Tally is left"
    like 'BdsDxe: starting .*BXHD' "$name: the firmware's next option is the disk"
    like 'efi: EFI v2' "$name: Linux finds UEFI"
    like 'efi: Freeing EFI boot services memory' "$name: and its runtime services"
    like 'BIOS-e820: \[mem 0x[0-9a-f]*00000-0x[0-9a-f]*fffff\] reserved' "$name: Tally's memory is reserved"
    like '^guest: running reboot' "$name: user space comes up"
    is "$(perl -I "$tests/lib" -MLinuxGuest -e 'local $/; print odd_leaves(<STDIN>)' <"$console")" '' \
        "$name: the leaves answer, and add up to no more than the report"
    is "$(odd "$1")" '' "$name: the kernel's messages differ from bare only where that is explained"
    like '^tally: the guest asked for: reset' "$name: the end"
    like "^tally: exits [1-9].* vcpus $3\$" "$name: the report"
    is "$(sed -n 's/^{"mark":"\([^"]*\)".*/\1/p' "$console" | uniq)" \
        "$(printf '%s\n' firmware 'image loaded' ExitBootServices kernel 'user space' init)" "$name: marks that nobody asked for"
    [ "$2" = minimal ] || like '^tally:  *1 EXTERNAL_INTERRUPT  *[1-9]' "$name: interrupts reach firmware and Linux by exits"
    is "$(cksum <"$scratch/$1")" "$(cat "$scratch/$1.sum")" "$name: the image is as it was"
}

# The second CPU comes by the firmware's MP services. Linux does not see it: in Bochs 2.7 OVMF has no ACPI tables.
alone uki
for profile in ${DISK_PROFILES:-kvm}; do goes_under uki "$profile" 2; done
for kind in ${DISK_PROFILES:+grub systemd}; do alone "$kind"; goes_under "$kind" kvm 1; done

# refused NAME LINE ARGUMENT... - Tally says the line, and the run ends with 2
refused() {
    boot --guest disk --firmware uefi --disk "$scratch/uki" "${@:3}"
    is "$status" 2 "$1: the status"
    like "tally: error: $2" "$1: the line"
}
refused 'a limit of CPUs' 'cpus=1: the firmware has 2 CPUs' --options cpus=1 --cpus 2
unlike '^tally: exits=' 'a limit of CPUs: said while the machine can still be given back'
refused 'Tally twice' 'Tally runs on this machine already' --options boot=disk:1     # the CD
like '^tally: *sum ' 'Tally twice: the report of the first'

# No loader on the disk: the firmware's own shell is next, and its script switches off by ResetSystem.
need "$tests/lib/disk-image" shell "$scratch/shell" 'reset -s'
boot --guest disk --firmware uefi --disk "$scratch/shell"
is "$status" 0 'no second option: the status'
like 'BdsDxe: failed to load .*BXHD.*: Not Found' 'no second option: one that the firmware cannot load is passed over'
like 'BdsDxe: starting .*UEFI Shell|BdsDxe: starting .*EFI Internal Shell' "no second option: the firmware's shell"
like '^tally: the guest asked for: power-off' 'no second option: ResetSystem, shutdown, ends the run'
like '^tally: *sum ' 'no second option: with the report'

# keys REGEX COUNT ARGUMENT... - a run in which Tally's errors before a guest do not end the machine: a network card on Bochs'
# port for the end lets it go on, and a key is pressed for each of COUNT 'press a key'. Over when a line is like REGEX.
keys() {
    local regex=$1 count=$2 n machine
    shift 2
    rm -f "$scratch/keys"
    mkfifo "$scratch/keys"
    "$top/tools/run" --platform bochs --guest disk --firmware uefi --timeout 400 --interactive "$@" \
        --bochs 'ne2k: enabled=1, ioaddr=0x88ff, irq=5, mac=b0:c4:00:00:00:01, ethmod=null, ethdev=none' \
        <"$scratch/keys" >"$console.raw" 2>"$errors" &
    machine=$!
    exec 5>"$scratch/keys"
    for ((n = 1; n <= count; n++)); do
        until [ "$(grep -ca '^tally: press a key' "$console.raw")" -ge "$n" ] || ! kill -0 $machine 2>/dev/null; do sleep 0.2; done
        printf x >&5
    done
    until grep -qaE "$regex" "$console.raw" || ! kill -0 $machine 2>/dev/null; do sleep 0.2; done
    sleep 0.5
    exec 5>&-
    kill -TERM $machine 2>/dev/null
    wait $machine
    tr -d '\r' <"$console.raw" >"$console"
}

# An option that is not there; then the disk's, whose Tally wants more memory than there is; then the firmware's shell, which
# starts that Tally twice: with an option whose disk is gone, and under it the shell goes on.
need "$tests/lib/disk-image" efi "$scratch/efi" 'boot=next trace=600'
keys '^tally: *sum ' 3 --disk "$scratch/efi" --options boot=disk:9
like "^tally: error: boot=disk:9: UEFI's boot order has 4 entries, counted from 0" 'an option that is not there: the line'
like 'BdsDxe: failed to start Boot0001' 'an option that is not there: after a key the firmware goes on'
like '^tally: error: .*too little memory' 'too little memory: the line'
like 'BdsDxe: failed to start Boot0002' 'too little memory: after a key the firmware goes on'
like '^tally: error: boot=disk:1: UEFI cannot load what its Boot0011 names \(status 14\)' 'an option of a disk that is gone: the line'
like '^tally: the guest asked for: power-off' "from the firmware's shell: back there, under Tally, to its power-off"
like '^tally: *sum ' "from the firmware's shell: the report"

done_testing
