#!/bin/bash
# What a run leaves in memory is there after a reset of the machine, and the next start shows it by `last`.
. "$(dirname "$0")/../lib/tap.sh"

boot --platform tcg --no-guest --options last
is "$status" 0 'without VMX and without a guest: status 0'
like '^tally: no last run is in memory' '... and the answer'

# A network card on Bochs' port for the end lets the guest's reset happen; the machine then boots the same again.
: >"$console"
"$top/tools/run" --platform bochs --kernel "$B/fixtures/kernel.bin chipset" --options 'last stats=table exits=minimal' --timeout 300 \
    --bochs 'ne2k: enabled=1, ioaddr=0x88ff, irq=5, mac=b0:c4:00:00:00:01, ethmod=null, ethdev=none' >"$console" 2>"$errors" &
until [ "$(grep -c '^command line: ' "$console")" -ge 2 ] || ! kill -0 $! 2>/dev/null; do sleep 0.2; done
kill -TERM $! 2>/dev/null
wait $!
sed -i 's/\r//' "$console"
is "$(sed -n '/^tally: .*last run/p' "$console" | head -n 2)" "tally: no last run is in memory: nothing was kept, or the reset has changed it
tally: the last run (CPUs: 1, exits=minimal) ended by: reset" 'the second start knows of the first'
table() { sed -n '/^tally: exits [0-9]/,/^tally: *sum /p' "$console" | sed -n "$1"; }
rows=$(table '/reason/,/sum/p' | sed '/sum/q' | wc -l)
isnt "$rows" 0 'the first run has a report'
is "$(table "$((rows + 2)),$((2 * rows + 2))p")" "$(table "1,$((rows + 1))p")" 'and shows the same figures'

done_testing
