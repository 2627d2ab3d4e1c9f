#!/bin/bash
# The report's clock and the time line's are not the guest's: what it writes to its TSC moves neither.
. "$(dirname "$0")/../lib/tap.sh"

for profile in minimal kvm; do
    boot --cpu corei7_icelake_u --kernel "$B/fixtures/adjust.bin" --options "exits=$profile stats=json sample=1"
    is "$status" 0 "$profile: status"
    clock=$(sed -n 's/^{"tally":"begin",.*"tsc":\([0-9]*\)}$/\1/p' "$console")
    [ "${#clock}" -gt 4 ] && [ "${#clock}" -lt 10 ]
    ok $? "$profile: the report's clock goes on" || diag "tsc $clock"
    mapfile -t samples < <(sed -n 's/^{"sample":[0-9]*,"tsc":\([0-9]*\),.*/\1/p' "$console")
    [ "${#samples[@]}" -ge 4 ] && [ "$(printf '%s\n' "${samples[@]}" | sort -nu)" = "$(printf '%s\n' "${samples[@]}")" ] &&
        [ "${samples[-1]}" -le "$clock" ]
    ok $? "$profile: so does the time line" || diag "${samples[*]}"
done
done_testing
