#!/bin/bash
# end=SECONDS: the run ends when the guest has had its time, in a loop with interrupts off as in its sleep, and however
# many exits it makes. In Bochs a second has 10,000,000 ticks, or --ips.
. "$(dirname "$0")/../lib/tap.sh"

# limited NAME TIMERS ARGUMENT... - the run ends by its time, with so many exits by the timer and the whole report; $tsc: its length
limited() {
    local name=$1 timers=$2
    shift 2
    boot "$@"
    is "$status" 0 "$name: the status"
    like '^tally: end=: the boot CPU has had its time in the guest; HLT counts, exits do not$' "$name: what ended it"
    like "^tally: +52 PREEMPTION_TIMER +$timers " "$name: exits by the timer: $timers"
    like '^{"tally":"end","exits":[1-9]' "$name: the report"
    tsc=$(sed -n 's/^{"tally":"begin",.*"tsc":\([0-9]*\)}$/\1/p' "$console")
}
kernel=$B/fixtures/kernel.bin
stats=stats=table,json

for profile in minimal all; do
    limited "a loop with IF = 0, $profile" 1 --options "exits=$profile $stats end=1" --kernel "$kernel spin"
    ((tsc > 9900000 && tsc < 10300000))
    ok $? "a loop with IF = 0, $profile: after one second" || diag "tsc $tsc"
done
limited 'HLT that does not exit, IF = 0' 1 --options "exits=minimal $stats end=1" --kernel "$kernel hang"
limited 'HLT, more than the timer holds' 2 --options "exits=kvm $stats end=430" --kernel "$kernel sleep"
((tsc > 4290000000 && tsc < 4310000000))
ok $? 'HLT, more than the timer holds: after 430 seconds' || diag "tsc $tsc"
limited 'exits without end' 1 --ips 1000000 --options "exits=kvm $stats end=1" --kernel "$kernel echo"
cycles=$(sed -n 's/^tally: exits [0-9]*  cycles \([0-9]*\) .*/\1/p' "$console")
((cycles > 2000000 && tsc > cycles + 990000))
ok $? 'exits without end: their cycles do not count' || diag "tsc $tsc, cycles $cycles"

if why=$("$top/tools/bochs-rom" 2 2>&1 >/dev/null); then
    limited 'two CPUs' 1 --cpus 2 --options "exits=kvm $stats end=1" --kernel "$kernel spin"
else
    skip "${why##*$'\n'}" 'two CPUs'
fi
done_testing
