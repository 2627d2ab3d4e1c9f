#!/bin/bash
# The sites of a reason add up to its counter, to the last exit and the last tick, on one CPU and on two.
. "$(dirname "$0")/../lib/tap.sh"

# sums CONSOLE - 'reasons N sites N', and a line for each reason whose sites and 'other' differ from its counter
sums() {
    tr -d '\r' <"$1" | awk '
        function number(key) { return match($0, "\"" key "\":[0-9]+") ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) + 0 : 0 }
        /^\{"reason":/ { r = number("reason"); count[r] = number("count"); cycles[r] = number("cycles"); reasons++ }
        /^\{"site":/ { r = number("reason"); sites++ }
        /^\{"other":/ { r = number("other") }
        /^\{"(site|other)":/ { found[r] += number("count"); spent[r] += number("cycles") }
        END {
            print "reasons", reasons + 0, "sites", sites + 0
            for (r in count) if (count[r] != found[r] || cycles[r] != spent[r]) print "reason", r, count[r] - found[r], cycles[r] - spent[r]
        }'
}

# exact NAME ARGUMENT... - boot with sites; everything adds up
exact() {
    boot --guest test "${@:2}"
    is "$status" 0 "$1: verdict"
    sums "$console" >"$scratch/sums"
    like '^reasons [1-9][0-9]* sites [1-9][0-9]+$' "$1: there are sites" "$scratch/sums"
    is "$(tail -n +2 "$scratch/sums")" '' "$1: sites add up"
}

exact '1 CPU' --kernel "$B/guest.elf only=cpuid,msr,io,string_io,control_registers,exceptions,interrupts,task_switch" --options 'exits=all sites=on stats=json'
exact 'a small table' --kernel "$B/guest.elf only=cpuid,msr,io" --options 'exits=kvm sites=64 trace=1,last stats=json'
if why=$(tools/bochs-rom 2 2>&1 >/dev/null); then
    exact '2 CPUs' --cpus 2 --kernel "$B/guest.elf only=smp" --options 'exits=kvm sites=on trace=1 stats=json'
else
    skip "${why##*$'\n'}" '2 CPUs'
fi

sed '0,/^{"site":/{/^{"site":/d}' "$console" >"$scratch/less"
isnt "$(sums "$scratch/less" | tail -n +2)" '' 'a site that is missing is found'
done_testing
