#!/bin/bash
# The guest test kernel: bare, then under Tally in each profile. The same machine, so the same results.
. "$(dirname "$0")/../lib/tap.sh"

boot --native
guest_tests bare
is "$status" 0 'bare: verdict'
transcript >"$scratch/bare"

# families - the sum of the lines a family, and whether each counts exits: passed failed skipped; exits
families() {
    awk '/^# passed  failed  skipped/ { table = 1 }
         table && $1 == "#" && NF == 6 && $2 ~ /^[0-9]+$/ { p += $2; f += $3; s += $4; e += $5; n++ }
         END { printf "# %d passed, %d failed, %d skipped; %s\n", p, f, s, (n > 20 && e > 1000 ? "exits" : "no exits") }' "$console"
}
is "$(families)" "$(grep '^# [0-9]* passed, ' "$console"); no exits" 'bare: the families add up'

for profile in minimal kvm all; do
    boot --options "exits=$profile stats=table,json"
    guest_tests "$profile"
    is "$status" 0 "$profile: verdict"
    is "$(families)" "$(grep '^# [0-9]* passed, ' "$console"); exits" "$profile: the families add up"
    same_transcript "$scratch/bare" "$profile: the guest sees the bare machine"
    like '^tally: exits [1-9][0-9]*  cycles [1-9][0-9]*  vcpus 1' "$profile: the table is printed"
    like "^\{\"tally\":\"begin\",.*\"profile\":\"$profile\"" "$profile: the JSON report begins"
    like '^\{"tally":"end","exits":[1-9][0-9]*,"cycles":[1-9][0-9]*\}$' "$profile: and ends"

    read -r counts cycles end_counts end_cycles < <(awk -F '[:,}]' '
        /^\{"reason":/      { counts += $6; cycles += $8 }
        /^\{"tally":"end"/  { end_counts = $4; end_cycles = $6 }
        END { printf "%.0f %.0f %.0f %.0f\n", counts, cycles, end_counts, end_cycles }' "$console")
    is "$counts" "$end_counts" "$profile: the reasons' counts add up to all exits"
    is "$cycles" "$end_cycles" "$profile: the reasons' cycles add up to all cycles"
done

done_testing
