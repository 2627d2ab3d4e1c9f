#!/bin/bash
# make debug: the machine waits in its platform's debugger, which knows the functions of Tally and of the guest.
. "$(dirname "$0")/../lib/tap.sh"

# Bochs, as docs/debug.md has it: to a function of the guest's, to its next exit, along the exit.
printf '%s\n' 'lb "test_cpuid"' c vmexitbp c 'trace on' 's 40' q |
    timeout 120 "$top/tools/run" --platform bochs --debug --log "$scratch/log" >"$console" 2>"$errors"
is $? 0 'Bochs: the debugger ends the run'
like "^run: symbols: tally.NAME, and of the guest $B/guest.debug; the console goes to $scratch/log; docs/debug.md\$" \
    'what is where is told' "$errors"
like ' \(test_cpuid\+0\): ' "a breakpoint at a function of the guest's"
like 'Caught VMEXIT breakpoint' 'and one at its next exit'
like ' \(tally.vmx_exit\+0\): ' "which is in Tally's entry"
like ' \(tally.exit_cpuid\+0\): ' 'a trace of the exit comes by its handler'
like '^# passed  failed' 'the console is in its file' "$scratch/log"

timeout 120 "$top/tools/run" --platform bochs --debug --native --kernel "$B/fixtures/kernel.bin" <<<q >"$console" 2>"$errors"
is $? 0 'a kernel without symbols'
unlike 'error|cannot' 'is no error' "$errors"

# QEMU waits for gdb. Without VMX Tally comes as far as to say so.
# hello - what the machine says to someone who asks as gdb does
hello() {
    if command -v gdb >/dev/null; then
        gdb -q -batch -x "$B/debug.gdb" -ex 'hbreak main' -ex continue -ex delete -ex continue </dev/null 2>&1
    else
        socket=$(sed -n 's/^target remote //p' "$B/debug.gdb")
        { printf '$?#3f'; sleep 1; printf '+$c#63'; sleep 5; } | socat -t 60 STDIO "UNIX-CONNECT:$socket"
    fi
}
rm -f "$B/debug.gdb"
timeout 120 "$top/tools/run" --platform tcg --debug >"$console" 2>"$errors" &
for _ in {1..300}; do
    [ ! -S "$(sed -n 's/^target remote //p' "$B/debug.gdb" 2>/dev/null)" ] || break
    sleep 0.2
done
hello >"$scratch/gdb"
wait $!
is $? 2 'QEMU: the machine ran, as far as it can without VMX'
like '^Breakpoint .*main \(|^.*T05' 'gdb has stopped it' "$scratch/gdb"
like '^tally: error: this CPU has no VMX' 'and let it go on'

# The messages of docs/debug.md are those of the sources: each piece between dots, and at least one of a message.
find "$top"/{boot,guest,hv,tools} \( -name '*.[ch]' -o -name '*.asm' -o -type f -path '*/tools/*' \) -exec cat {} + |
    tr '\n' ' ' | sed 's/" *\(db \)\{0,1\}"//g; s/\${[^}]*}/~/g' >"$scratch/sources"
missing() {
    sed -n '/^| message/,/^$/s/^| `\([^`]*\)` |.*/\1/p' "$top/docs/debug.md" | while read -r message; do
        for program in tally error run report last-report tally-mark; do message=${message#"$program": }; done
        while read -r piece; do
            [ ${#piece} -lt 4 ] || grep -qF -- "$piece" "$scratch/sources" || echo "$piece"
        done <<<"${message//…/$'\n'}"
    done
}
is "$(missing)" '' 'the messages on the page are those of the sources'

boot --platform nested --debug
is "$status $(tail -n 1 "$errors")" '2 run: there is no debugger on platform nested; PLATFORM=bochs or qemu' 'another platform has none'
done_testing
