#!/bin/bash
# What a run leaves in memory is there after a reset of the machine, and the next start shows it by `last`.
. "$(dirname "$0")/../lib/tap.sh"

boot --platform tcg --no-guest --options last
is "$status" 0 'without VMX and without a guest: status 0'
like '^tally: no last run is in memory' '... and the answer'

# table SED - lines of the reports
table() { sed -n '/^tally: exits [0-9]/,/^tally: *sum /p' "$console" | sed -n "$1"; }

# shown_again NAME LINE ARGUMENT... - the guest resets the machine, which starts the same again, up to the LINE behind
# what it has to tell. A network card on Bochs' port for the end lets the reset happen.
shown_again() {
    local name=$1 line=$2 rows
    shift 2
    : >"$console.raw"
    "$top/tools/run" --platform bochs --timeout 400 "$@" </dev/null >"$console.raw" 2>"$errors" \
        --bochs 'ne2k: enabled=1, ioaddr=0x88ff, irq=5, mac=b0:c4:00:00:00:01, ethmod=null, ethdev=none' &
    until [ "$(grep -ac "$line" "$console.raw")" -ge 2 ] || ! kill -0 $! 2>/dev/null; do sleep 0.2; done
    kill -TERM $! 2>/dev/null
    wait $!
    tr -d '\000\r' <"$console.raw" >"$console"
    is "$(grep -aoE 'tally: (no|the) last run.*' "$console" | head -n 2)" "tally: no last run is in memory: nothing was kept, or the reset has changed it
tally: the last run (CPUs: 1, exits=minimal) ended by: reset" "$name: the second start knows of the first"
    rows=$(table '/reason/,/sum/p' | sed '/sum/q' | wc -l)
    isnt "$rows" 0 "$name: the first run has a report"
    is "$(table "$((rows + 2)),$((2 * rows + 2))p")" "$(table "1,$((rows + 1))p")" "$name: and shows the same figures"
}

shown_again BIOS '^command line: ' --kernel "$B/fixtures/kernel.bin chipset" --options 'last stats=table exits=minimal'
if [ -f /usr/share/ovmf/OVMF.fd ]; then
    need "$tests/lib/disk-image" reset "$scratch/reset"
    shown_again UEFI '^tally: exits=minimal' --guest disk --firmware uefi --disk "$scratch/reset" \
        --options 'last stats=table exits=minimal boot=disk:2'
else
    skip 'the Debian package ovmf is missing' 'after a start by UEFI'
fi

done_testing
