#!/bin/bash
# A VMX feature taken away by QEMU: Tally goes on without it or refuses, naming it. Only with NESTED=long.
# shellcheck source=tests/nested/guest.sh
. "$(dirname "$0")/guest.sh"
[ "${NESTED:-}" = long ] || skip_all 'only make test-nested takes the time'

# Options for -cpu host; the status of QEMU (33: all passed, 37: refused); what a line of the console says; words for Tally
options=(
    'vmx-vpid=off|33|exits=[a-z]*; optional controls that this CPU does not have: enable VPID,'
    'vmx-eptad=off|33|passed'
    'vmx-preemption-timer=off|33|passed'
    'vmx-preemption-timer=off|37|error: end=: this CPU cannot: activate VMX-preemption timer|end=1'
    'vmx-activity-hlt=off|33|passed'
    'vmx-invvpid-all-context=off|33|passed'
    'vmx-msr-bitmap=off|33|passed'
    'vmx-true-ctls=off|33|passed'
    'vmx-rdrand-exit=off,vmx-desc-exit=off|33|exits=[a-z]*; optional controls that this CPU does not have: descriptor-table exiting, RDRAND exiting,'
    'vmx-activity-wait-sipi=off -smp 2|37|error: this CPU cannot: wait for a SIPI'
    'vmx=off|37|error: this CPU has no VMX'
    'vmx-secondary-ctls=off|37|error: this CPU cannot: activate secondary controls'
    'vmx-ept=off|37|error: this CPU cannot: enable EPT'
    'vmx-unrestricted-guest=off|37|error: this CPU cannot: unrestricted guest'
    'vmx-vnmi=off|37|error: this CPU cannot: virtual NMIs'
    'vmx-invept=off|37|error: this CPU cannot: INVEPT'
    'vmx-ept-2mb=off,vmx-ept-1gb=off|37|error: this CPU cannot: EPT pages of 2 MiB'
)
for i in "${!options[@]}"; do
    IFS='|' read -r option _ _ words <<<"${options[i]}"
    by_loader "$i" "all $words" "${few%,*}" "$lean -cpu host,$option"
done
sed -i 's/ -cpu host / /' "$jobs"       # what is left is the second one
tests/nested/run -t 300 -o "$scratch/results" "$jobs" 2>"$errors"
ok $? 'the L0 ran all jobs' || note "$(tail -n 20 "$errors")"
for i in "${!options[@]}"; do
    IFS='|' read -r option verdict line words <<<"${options[i]}"
    tr -d '\r' <"$scratch/results/$i.out" >"$console" 2>/dev/null || : >"$console"
    is "$(cat "$scratch/results/$i.status" 2>/dev/null)" "$verdict" "$option $words: verdict"
    like "^(tally: |# .* )$line" "$option $words: Tally says what it misses, or runs without"
done
done_testing
