#!/bin/bash
# The report's clock and the time line's are not the guest's: what it writes to its TSC moves neither. What lies between two
# marks is exact: equal work makes equal phases, and all phases add up to the run.
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

# phases LOG - the table of tools/report, its columns apart by one blank, the reason left out
phases() {
    tr -d '\r' <"$1" | awk -v who=phases -v dir="$scratch" -v colours="$top/tools/page/colours" -f "$top/tools/log.awk" -f "$top/tools/report.awk"
    sed 's/^| (start)/| start/; s/ *| */ /g' "$scratch/phases" | cut -d ' ' -f 2-6
}

for sample in 1 60000; do
    boot --kernel "$B/fixtures/loops.bin" --options "exits=kvm stats=json sample=$sample"
    is "$status" 0 "sample=$sample: status"
    phases "$console" >"$scratch/table"
    is "$(sed -n '/^loop[1-5]/s/ .* .* \(.*\) .*/ \1/p' "$scratch/table" | tr '\n' ' ')" 'loop1 1001 loop2 1001 loop3 1001 loop4 1001 loop5 1001 ' \
        "sample=$sample: five equal loops and a mark each make as many exits"
    is "$(awk '/^loop[1-5]/ { if (!least || $3 < least) least = $3; if ($3 > most) most = $3 } END { print (least > 0 && most < 1.02 * least) }' "$scratch/table")" 1 \
        "sample=$sample: and take as long, but for the samples that fall into them" || diag "$(cat "$scratch/table")"
    is "$(awk '{ n += $4 } END { print n }' "$scratch/table")" "$(sed -n 's/^{"tally":"end","exits":\([0-9]*\),.*/\1/p' "$console")" \
        "sample=$sample: all phases add up to all exits"
    is "$(awk 'function micro(s) { return sprintf("%.0f", 1e6 * s) } NR > 1 && micro($2) != micro(at + lasted) || $5 != "-" && $5 != sprintf("%.0f", $4 / $3) { print } { at = $2; lasted = $3 }' "$scratch/table")" '' \
        "sample=$sample: and the columns agree"
done
done_testing
