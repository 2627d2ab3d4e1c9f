#!/bin/bash
# The emulator keeps an account of its own: Bochs logs every exit, with the time, the qualification and each RDTSC. Tally's
# counters equal it for every reason, its trace exit by exit: order, reason, detail, cycles, and the time but for a constant.
. "$(dirname "$0")/../lib/tap.sh"

[ "$(bochs_version)" = 2.7 ] || skip_all "the words of the log are those of Bochs 2.7"
gcc -std=gnu17 -O1 -Wall -Wextra -Werror -iquote "$top/include" -I"$top/include" -o "$scratch/account" "$tests"/lib/account*.c || exit 1
symbol() { nm "$B/tally.debug" | awk -v name="$1" '$3 == name { print "0x" $1 }'; }
# The second instruction from there: Bochs overlooks a breakpoint on the first instruction of a CPU's turn.
second() { objdump -d --start-address="$1" "$B/tally.debug" | awk '/^ *[0-9a-f]+:/ && n++ { sub(/:.*/, ""); print "0x" $1; exit }'; }
end=$(symbol power_end)

# account NAME CPUS ARGUMENT... - a run, compared; the log passes through a pipe. When the run ends, the debugger saves Tally's
# memory, as much of so many MiB as there is.
account() {
    local name=$1 cpus=$2 run=$scratch/run words='debug: action=ignore, unmapped=report' i
    for ((i = 0; i < cpus; i++)); do words+=", cpu$i=report"; done
    rm -rf "$run"
    mkdir "$run"
    mkfifo "$run/exits"
    "$scratch/account" "$run/memory" <"$run/exits" >"$scratch/answer" &
    timeout --foreground -k 5 900 "$top/tools/run" --platform bochs --keep "$run" --cpus "$cpus" \
        --bochs 'log: exits' --bochs "$words" --debugger "lb $end" --debugger "lb $(second "$end")" --debugger c \
        --debugger "writemem \"memory\" $(symbol image_end) $((64 << 20))" --debugger c "${@:3}" </dev/null >"$console" 2>"$errors"
    wait
    rm -rf "$run"
    note "$(cat "$scratch/answer")"
    like '^verdict 10$' "$name: the guest is content" "$scratch/answer"
    like '^exits [1-9][0-9]{3}' "$name: the emulator speaks of exits" "$scratch/answer"
    like '^traced [1-9][0-9]{3}' "$name: they are in the trace" "$scratch/answer"
    like '^differences 0$' "$name: Tally tells the same" "$scratch/answer"
}

short='only=cpuid,msr,time,io,control_registers,debug_registers,exceptions,interrupts,task_switch,hidden_memory'
account 'exits=all' 1 --guest test --kernel "$B/guest.elf $short" --options 'exits=all sites=on trace=16 stats=none'

# make test-long: Linux in each profile, several CPUs.
if [ -n "${ACCOUNT_PROFILES:-}" ]; then
    two=$(tools/bochs-rom 2 2>&1 >/dev/null) || two=${two:-no ROM}
    if why=$(tools/linux-image 2>&1 >/dev/null); then
        export APPEND=tally.run=poweroff
        for profile in $ACCOUNT_PROFILES; do
            account "Linux, $profile" 1 --guest linux --options "exits=$profile trace=32 stats=none"
        done
        [ -n "$two" ] || account 'Linux, 2 CPUs' 2 --guest linux --options 'exits=kvm trace=32 stats=none'
    else
        skip "${why##*$'\n'}" 'Linux'
    fi
    if [ -z "$two" ]; then
        for profile in kvm all; do
            account "2 CPUs, $profile" 2 --guest test --kernel "$B/guest.elf only=smp" --options "exits=$profile sites=on trace=16 stats=none"
        done
    else
        skip "${two##*$'\n'}" '2 CPUs'
    fi
fi
done_testing
