#!/bin/bash
# The sites of a reason add up to its counter, to the last exit and the last tick, on one CPU and on two; so do its histograms.
. "$(dirname "$0")/../lib/tap.sh"

# sums CONSOLE - 'reasons N sites N', and a line for each reason whose sites and 'other' differ from its counter
sums() { tr -d '\r' <"$1" | awk -f "$tests/lib/sums.awk"; }

# uncounted CONSOLE - how many exits the histograms lack, and a line for each reason whose histogram ends elsewhere than at
# the least and the most cycles; INITs are left out, since a CPU may have left VMX operation at one (Bochs 2.7)
uncounted() {
    tr -d '\r' <"$1" | awk '
        function number(key) { return match($0, "\"" key "\":[0-9]+") ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) + 0 : 0 }
        function bucket(cycles,    step) {      # the lower bound
            if (cycles < 4) return cycles
            for (step = 1; cycles >= 8 * step; step *= 2) ;
            return cycles - cycles % step
        }
        /^\{"reason":/ { r = number("reason"); count[r] = number("count"); min[r] = number("min"); max[r] = number("max") }
        /^\{"histogram":/ {
            r = number("histogram"); sub(/.*"buckets":\[\[/, ""); sub(/\]\].*/, ""); n = split($0, pair, /\],\[/)
            for (i = 1; i <= n; i++) { split(pair[i], part, ","); counted[r] += part[2]; if (!(r in low) || part[1] + 0 < low[r]) low[r] = part[1] + 0; if (part[1] + 0 > high[r]) high[r] = part[1] + 0 }
        }
        END {
            for (r in count) lacks += count[r] - counted[r]
            print lacks + 0
            for (r in low) if (r != 3 && (low[r] != bucket(min[r]) || high[r] != bucket(max[r]))) print "reason", r, low[r], bucket(min[r]), high[r], bucket(max[r])
        }'
}

# least - each reason with its least cycles
least() { sed -n 's/^{"reason":\([0-9]*\),.*"min":\([0-9]*\).*/\1 \2/p' "$console" | sort -n; }

# exact NAME ARGUMENT... - boot with sites; everything adds up
exact() {
    boot --guest test "${@:2}"
    is "$status" 0 "$1: verdict"
    sums "$console" >"$scratch/sums"
    like '^reasons [1-9][0-9]* sites [1-9][0-9]+$' "$1: there are sites" "$scratch/sums"
    is "$(tail -n +2 "$scratch/sums")" '' "$1: sites add up"
    uncounted "$console" >"$scratch/uncounted"
    is "$(tail -n +2 "$scratch/uncounted")" '' "$1: histograms go from the least cycles to the most"
}

exact '1 CPU' --kernel "$B/guest.elf only=cpuid,msr,io,string_io,control_registers,exceptions,interrupts,task_switch" --options 'exits=all sites=on stats=json'
is "$(head -n 1 "$scratch/uncounted")" 1 '... histograms lack the last exit only'
is "$(grep -c '^{"other":' "$console")" 0 '... nothing is in other'
least >"$scratch/least"
boot --guest test --kernel "$B/guest.elf only=cpuid,msr,io,string_io,control_registers,exceptions,interrupts,task_switch" --options 'exits=all stats=json'
is "$(least | diff "$scratch/least" -)" '' '... the least cycles of each reason are those without sites'
exact 'a small table' --kernel "$B/guest.elf only=cpuid,msr,io" --options 'exits=kvm sites=64 trace=1,last stats=json'
sed '0,/^{"site":/{/^{"site":/d}' "$console" >"$scratch/less"
isnt "$(sums "$scratch/less" | tail -n +2)" '' 'a site that is missing is found'

boot --guest test --kernel "$B/guest.elf only=sites" --options 'exits=kvm sites=on trace=1 stats=none'
guest_tests 'known exits'
if why=$(tools/bochs-rom 2 2>&1 >/dev/null); then
    exact '2 CPUs' --cpus 2 --kernel "$B/guest.elf only=smp" --options 'exits=kvm sites=on trace=1 stats=json'
    boot --guest test --cpus 2 --kernel "$B/guest.elf only=sites" --options 'exits=all sites=64 trace=1,last stats=none'
    guest_tests 'a full table, a full trace'
    # make test-long: 500,000 exits of each of four CPUs, all at once.
    if [ -n "${SITES_MILLIONS:-}" ] && tools/bochs-rom 4 >/dev/null 2>&1; then
        exact 'millions' --cpus 4 --kernel "$B/guest.elf only=smp_exits" --options 'exits=all sites=on trace=1,last stats=json'
        guest_tests 'millions'
        is "$(($(sed -n 's/^{"tally":"end","exits":\([0-9]*\),.*/\1/p' "$console") > 2000000))" 1 'millions: they are'
    fi
else
    skip "${why##*$'\n'}" '2 CPUs'
fi
done_testing
