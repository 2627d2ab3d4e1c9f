#!/bin/bash
# A short run of the fuzz guest with a fixed seed; `make fuzz` runs for longer. docs/fuzz.md.
. "$(dirname "$0")/../lib/tap.sh"

boot_defaults=(--guest test)
boot --options exits=all --kernel "$B/guest.elf fuzz=1,2000"
guest_tests 'random instructions'
is "$status" 0 'the verdict'
like '^tally: exits [1-9]' 'the report'
unlike '^tally: error' 'no error'

boot --native --kernel "$B/guest.elf fuzz=1,200"
is "$status" 0 'the fuzz guest runs bare'

"$top/tools/fuzz" --cpu vax >"$console" 2>"$errors"
is "$?" 2 'what does not even start is no finding'
like "^fuzz: the guest did not start: .*no CPU model 'vax'" 'but told, once' "$errors"

done_testing
