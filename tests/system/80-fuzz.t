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

"$top/tools/fuzz-compare" --seconds 0 --seed 3 --count 600 --cpu broadwell_ult >"$console" 2>"$errors"
is "$?" 0 'what software sees is the same bare and in each profile'
like '^fuzz: 1[78][0-9][0-9] comparisons, 1 seeds, 1 models, 0 differences, 0 failures' 'all snippets are compared'

"$top/tools/fuzz" --cpu vax >"$console" 2>"$errors"
is "$?" 2 'what does not even start is no finding'
like "^fuzz: the guest did not start: .*no CPU model 'vax'" 'but told, once' "$errors"

done_testing
