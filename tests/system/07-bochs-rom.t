#!/bin/bash
# tools/bochs-rom: a ROM that works is taken, one that does not is mended or passed over, and what is lost is told.
. "$(dirname "$0")/../lib/tap.sh"

own=/usr/share/bochs
broken=$B/fixtures/rom.bin
export B=$scratch/build BOCHS_SHARE=$scratch/share
mkdir -p "$BOCHS_SHARE"
ln -s $own/VGABIOS-lgpl-latest "$BOCHS_SHARE"

# roms NAME FILE... - the ROMs of Bochs are FILEs, under the names BIOS-bochs-NAME
roms() {
    rm -f "$BOCHS_SHARE"/BIOS-*
    while [ $# -gt 0 ]; do
        cp "$2" "$BOCHS_SHARE/BIOS-bochs-$1"
        shift 2
    done
}

# find_rom [CPUS] - $status, $console and $errors as of boot
find_rom() {
    status=0
    "$top/tools/bochs-rom" "$@" >"$console" 2>"$errors" || status=$?
}

roms latest "$broken"
find_rom 2
is "$status" 0 'a ROM whose memset calls itself is mended'
like '^bochs-rom: .*BIOS-bochs-latest calls memset in memset without end; a copy, mended' 'it is told' "$errors"
like '^romimage: file=.*/build/roms/.*mended, ' 'the copy is taken'
find_rom 2
is "$(cat "$errors")" '' 'what was found is kept'

# The same again in a form that is not known; the legacy one says nothing of CPUs: it has one.
perl -0777 -pe 's/\x83\xec\x04\x50/\x83\xec\x08\x50/' "$broken" >"$scratch/unknown"
roms latest "$scratch/unknown" legacy $own/BIOS-bochs-legacy
find_rom
is "$status" 0 'a ROM that fails in another way is passed over'
like '^romimage: file=.*/BIOS-bochs-legacy, ' 'the legacy one is taken'
like '^bochs-rom: .*BIOS-bochs-latest does not work; with .*legacy the machine has one CPU and no ACPI$' 'what is lost is told' "$errors"
find_rom 2
is "$status" 77 'two CPUs with a ROM that shows one: absent'
like '^bochs-rom: CPUS=2: the only ROM here that works, .*legacy, shows one CPU$' 'it is told' "$errors"

roms latest "$scratch/unknown"
find_rom
is "$status" 2 'no ROM that works is an error'
like "^bochs-rom: no ROM in $BOCHS_SHARE works: " 'it is told' "$errors"

roms latest $own/BIOS-bochs-latest
find_rom 4
is "$status" 0 'the installed ROM shows several CPUs'

done_testing
