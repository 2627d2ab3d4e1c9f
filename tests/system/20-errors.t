#!/bin/bash
# What Tally refuses, on machines and with files where it really happens: one clear line on the serial console
# and on the screen, and a status.
. "$(dirname "$0")/../lib/tap.sh"

# refused NAME REGEX ARGUMENT... - boot; Tally says 'tally: error: …REGEX…', once, and the run ends with 2
refused() {
    local name=$1 regex=$2
    shift 2
    boot "$@"
    is "$status" 2 "$name: the status"
    like "^tally: error: .*$regex" "$name: the line"
    is "$(grep -c '^tally: error: ' "$console")" 1 "$name: one line"
}

# ---- Processors and firmware -------------------------------------------------------------------------------

refused 'no VMX' 'VMX' --cpu p4_prescott_celeron_336 --vga "$scratch/vga"
like '^tally: error: .*VMX' 'no VMX: the line on the screen' "$scratch/vga"
refused 'no 64-bit mode' 'this CPU has no 64-bit mode' --cpu p4_willamette
refused 'AMD' 'VMX' --cpu ryzen
refused 'no EPT' 'EPT' --cpu core2_penryn_t9600
refused 'no unrestricted guest' 'unrestricted guest' --cpu corei5_lynnfield_750

boot --no-guest --options caps --vga "$scratch/vga"
is "$status" 0 'caps: the status'
like '^tally: this CPU has all that Tally needs' 'caps: the answer is on the screen' "$scratch/vga"

boot --platform tcg
is "$status" 2 'QEMU without KVM: the status'
like '^tally: error: .*VMX' 'QEMU without KVM: no VMX'

# firmware VALUE - let Bochs' BIOS write this (an octet, hex) to IA32_FEATURE_CONTROL, where it writes 5
firmware() {
    mkdir -p "$scratch/bios"
    export BOCHS_SHARE=$scratch/bios
    ln -sf /usr/share/bochs/VGABIOS-lgpl-latest "$BOCHS_SHARE"
    LC_ALL=C sed "s/\x0f\x32\(\x66\{0,1\}\x83\xc8\)\x05\x0f\x30/\x0f\x32\1\x$1\x0f\x30/g" \
        /usr/share/bochs/BIOS-bochs-latest >"$BOCHS_SHARE/BIOS-bochs-latest"
}
firmware 01
refused 'VMX locked by the firmware' '(firmware|BIOS|FEATURE_CONTROL)'
firmware 00
boot --options 'exits=kvm stats=none' --kernel "$B/fixtures/elf.bin"
is "$status" 0 'VMX neither enabled nor locked by the firmware: Tally enables it'
unset BOCHS_SHARE

# ---- Options -----------------------------------------------------------------------------------------------

refused 'unknown option' "unknown option 'colour=red'.*exits=.*stats=" --options 'colour=red'
refused 'unknown value' 'exits=some.*minimal.*kvm.*all' --options 'exits=some' --vga "$scratch/vga"
like '^tally: error: .*exits=some' 'unknown value: the line on the screen' "$scratch/vga"
refused 'a trace for which there is no room' 'too little memory: Tally needs 2[0-9]{6} KiB' --options 'exits=kvm trace=2048'
like '^tally: sites and trace take 2097152 KiB of memory for each CPU$' 'a trace for which there is no room: what takes it'

# ---- Guests ------------------------------------------------------------------------------------------------

elf=$B/fixtures/elf.bin                 # a small one: all passed
boot --kernel "$elf" --options stats=none
is "$status" 0 'a good ELF, of 32 bits, runs'
refused 'too little memory' 'too little memory' --mem 3 --kernel "$elf"

refused 'no guest' 'no guest: .*module' --no-guest
echo 'just a text' >"$scratch/text"
refused 'a guest that is a text' 'multiboot' --kernel "$scratch/text"

# The unit tests know every way to break a file; these have been through a boot loader.
for kind in truncated-segment bad-machine overlap outside-ram bad-entry no-header empty; do
    "$tests/fixtures/broken-elf" "$kind" "$B/guest.elf" "$scratch/broken.elf"
    words=$("$tests/fixtures/broken-elf" --list | sed -n "s/^$kind\t//p")
    refused "$kind" "${words:-no such kind}" --kernel "$scratch/broken.elf"
done

done_testing
