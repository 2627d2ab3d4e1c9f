#!/bin/bash
# The runner itself: verdicts, command lines, time limits, clear refusals. A few need Tally.
. "$(dirname "$0")/../lib/tap.sh"

kernel=$B/fixtures/kernel.bin
echo 'a file' >"$scratch/file"
boot_defaults=(--native)

boot --kernel "$kernel a=b,c d" --module "$scratch/file one=1" --module "$scratch/file" --vga "$scratch/vga"
is "$status" 0 'Bochs: passed'
like '^command line: a=b,c d$' 'the kernel gets its arguments'
like '^module: one=1 begins: a file$' 'a module has contents and arguments'
like '^module:  begins: a file$' 'a module may have no arguments'
like '^command line: a=b,c d' 'the last screen can be read' "$scratch/vga"

boot --kernel "$kernel verdict=11"
is "$status" 1 'Bochs: failed'

boot --kernel "$kernel fault"
is "$status" 3 'Bochs: a triple fault is no verdict'
like '^run: the run ended without a verdict' 'and is called that' "$errors"

boot --kernel "$kernel spin" --timeout 4
is "$status" 124 'Bochs: out of time'
like '^run: no end within 4 s \(TIMEOUT\)$' 'and it says so' "$errors"

# However busy this machine is: what is done to a run waits for what its guest says, not for a time.

# said LINE - waits until a line of the console begins so, for ten minutes at most
said() {
    local i
    for ((i = 0; i < 3000; i++)); do
        ! grep -q "^$1" "$console" || return 0
        sleep 0.2
    done
}

# running LINE ARGUMENT... - starts a run with these arguments, $run, and waits for the line; Ctrl-C reaches it
running() {
    : >"$console"                       # the last machine said the same
    setsid env --default-signal=INT "$top/tools/run" --timeout 3000 "${@:2}" >"$console" 2>"$errors" </dev/null &
    run=$!
    said "$1"
}

# late - the time of $run is over: its clock is the one child of that name
late() {
    local child
    for child in $(<"/proc/$run/task/$run/children"); do
        [ "$(<"/proc/$child/comm")" != sleep ] || kill "$child"
    done
}

: >"$console"
(said ready; echo 'typed by a person') |
    "$top/tools/run" --platform bochs --native --interactive --kernel "$kernel echo" >"$console" 2>"$errors"
like '^typed by a person' 'Bochs: the console takes input'

# Ctrl-C, in a place that has a space in its name: nothing is left.
mkdir "$scratch/a place"
TMPDIR="$scratch/a place" running 'command line' --platform bochs --native --kernel "$kernel a spin"
kill -INT "$run"
wait "$run"
is $? 130 'Ctrl-C: the status'
like '^command line: a spin' 'Ctrl-C: the machine was running'
is "$(ls "$scratch/a place")" '' 'Ctrl-C: no file is left'
is "$(readlink /proc/[0-9]*/cwd | grep -c "^$scratch/a place")" 0 'Ctrl-C: no process is left'

# The console is kept, whoever reads it. A reader that goes away ends the run, also while the guest is silent.
boot --kernel "$kernel first" --log "$scratch/console.log"
like "^run: the console is kept in $scratch/console.log\$" 'the console is kept, which is told' "$errors"
SECONDS=0
"$top/tools/run" --platform bochs --native --kernel "$kernel a spin" --log "$scratch/console.log" 2>&1 | head -n 2 >"$errors"
is "${PIPESTATUS[0]}" 3 'a console that nobody reads any more ends the run'
ok $((SECONDS > 290)) 'before its time is over'
is "$(tr -d '\r' <"$scratch/console.log")" 'command line: a spin' 'and is kept'
is "$(tr -d '\r' <"$scratch/console.log.1")" 'command line: first' 'beside the one before'
for _ in 1 2; do boot --kernel "$kernel" --cpu vax --log "$scratch/console.log"; done
is "$status $(tr -d '\r' <"$scratch/console.log.1")" '2 command line: a spin' 'runs that were refused push no console out'
"$top/tools/run" --platform bochs --native --interactive --kernel "$kernel spin" 2>"$errors" </dev/null | head -n 1 >"$console"
is "${PIPESTATUS[0]}" 3 'one that takes input, too'
like '^run: nobody reads the console any more' 'which is told' "$errors"
"$top/tools/run" --platform bochs --native --kernel "$kernel a spin" 2>&1 |
    env --default-signal=PIPE tee "$scratch/tee" | head -n 1 >"$console"
is "${PIPESTATUS[0]}" 3 'one whose last reader stands behind a filter, too'
is "$(tr -d '\r' <"$scratch/tee")" 'command line: a spin' 'which has what came until then'
"$top/tools/run" --platform bochs --native --kernel "$kernel a spin" --timeout 4 2>/dev/null | tee -p "$scratch/tee" | head -n 1 >"$console"
is "${PIPESTATUS[0]}" 124 'a filter that wants to go on has a console that goes on'
for run in 'bochs --native' 'tcg --native' bochs; do
    expect >"$console" <<END
set timeout 600
spawn -noecho $top/tools/run --platform $run --interactive --kernel "$kernel spin"
expect "command line"
send "\x1d"
expect eof
puts "\nstatus [lindex [wait] 3]"
END
    like '^status 130' "$run: Ctrl-] ends the run"
done
like '^tally: exits [1-9]' 'and the report comes then'

# A run that is ended from outside has its report all the same, by table and by JSON lines.
"$top/tools/mkiso" -o "$scratch/window.iso" -k "$B/fixtures/window.bin"
cat >"$scratch/expected" <<'END'
ready
tally: the run was ended from outside; the exits until then:
{"tally":"begin","version":"1.0","vcpus":1,"profile":"all","cpu":"A CPU","tsc_khz":100000,"tsc":777}
{"sample":0,"tsc":100,"more":{"10":50}}
{"mark":"here","tsc":745}
{"reason":10,"name":"CPUID","count":50,"cycles":5000,"min":20,"max":400}
{"tally":"end","exits":50,"cycles":5000}
tally: exits 50  cycles 5000  vcpus 1
tally:   reason                            count  count%        cycles  cycles%      min     avg     max
tally:     10 CPUID                           50  100.0%          5000   100.0%       20     100     400
tally:        sum                             50  100.0%          5000   100.0%        0     100     400
END
boot_defaults=()
for platform in bochs tcg; do
    running ready --platform "$platform" --iso "$scratch/window.iso" --mem 24
    late
    wait "$run"
    is $? 124 "$platform: out of time"
    tr -d '\r' <"$console" >"$console.plain" && mv "$console.plain" "$console"
    cmp -s "$console" "$scratch/expected"
    ok $? "$platform: and the counters are read from the machine's memory" || diag "$(diff "$console" "$scratch/expected")"
done
for way in interrupted:130 late:124; do
    running ready --platform bochs --options 'exits=kvm stats=table,json' --kernel "$kernel echo"
    if [ "${way%:*}" = late ]; then late; else kill -INT -- "-$run"; fi # as a terminal does: all of them
    wait "$run"
    is $? "${way#*:}" "a guest of Tally's that never ends, status ${way#*:}"
    like '^tally:  *30 IO_INSTRUCTION ' "status ${way#*:}: and the report"
    like '^{"tally":"end","exits":' "status ${way#*:}: the whole of it"
done
PLATFORM=bochs OPTIONS=exits=kvm running 'TAP version' --environment --log "$scratch/shown.log"
kill -INT -- "-$run"
wait "$run"
like '^tally:  *30 IO_INSTRUCTION ' 'Ctrl-C where passed tests are hidden: and the report'
"$top/tools/mkiso" -o "$scratch/echo.iso" -k "$kernel echo"
boot --iso "$scratch/echo.iso" --timeout 4
is "$status" 124 'no counters yet'
like '^last-report: no counters of Tally' 'are told' "$errors"
boot_defaults=(--native)

# Of the guest test kernel a person sees what failed and a line a family; the log has all. A platform of the test's own.
tree=$scratch/tree iso=$B/tally.iso
mkdir -p "$tree/build"
cp -r "$top/tools" "$tree"
cp "$B/explain" "$tree/build"
touch "$tree/build/guest.elf"
cat >"$tree/tools/platform-fake" <<'END'
#!/bin/bash
printf '%s\r\n' 'TAP version 13' '# passed  failed' 'ok 1 - io: a' 'not ok 2 - io: b' '# why' 'okay' ' ok 3' '#      1       1'
printf 'ok 4 - the last words'
echo 11 >"$RUN_DIR/value"
[ -z "$TALLY_TEST_WAIT" ] || exec sleep 60
END
chmod +x "$tree/tools/platform-fake"
fake() { env B="$tree/build" PLATFORM=fake timeout 100 "$tree/tools/run" --environment --native --iso "$iso" "$@" 2>"$errors"; }
GUEST='' fake --log "$scratch/console.log" >"$console"
is $? 1 'a guest test kernel with a failed test: the verdict'
is "$(tr -d '\r' <"$console")" "$(printf '%s\n' 'TAP version 13' '# passed  failed' 'not ok 2 - io: b' '# why' okay ' ok 3' '#      1       1')" \
    'tests that passed are not shown, all else is'
like 'with each test that passed; VERBOSE=1 shows them here$' 'which is told' "$errors"
is "$(grep -c . "$scratch/console.log") $(tail -n 1 "$scratch/console.log")" '9 ok 4 - the last words' 'and kept'
VERBOSE=1 fake >"$console"
cmp -s "$console" "$scratch/console.log"
ok $? 'VERBOSE=1 shows every byte'
KERNEL=$kernel fake >"$console"
cmp -s "$console" "$scratch/console.log"
ok $? 'as is shown of any other kernel'
TALLY_TEST_WAIT=1 fake | head -n 2 >"$console"
is "${PIPESTATUS[0]} $(wc -l <"$console")" '3 2' 'a reader that goes away ends such a run, too'

# A bare guest ends where Tally would end the run.
for end in 'reset:0:reset' 'hang:0:halted for good' 'fault:3:'; do
    IFS=: read -r word verdict way <<<"$end"
    for platform in bochs tcg; do
        boot --platform "$platform" --kernel "$kernel $word"
        is "$status" "$verdict" "$platform: a bare guest's $word: status $verdict"
        [ -z "$way" ] || like "^platform-[a-z]*: the bare guest's end: $way" "$platform: a bare guest's $word is told" "$errors"
    done
done
boot --kernel "$kernel silent"
is "$status" 0 'Bochs: power-off without a verdict: passed'
like "^platform-bochs: the bare guest's end: power-off" 'and told' "$errors"

for verdict in 10 11 12; do
    boot --platform tcg --kernel "$kernel verdict=$verdict"
    is "$status" $((verdict - 10)) "QEMU: verdict $verdict"
done
boot --platform tcg --direct --kernel "$kernel x" --module "$scratch/file a,b c" --module "$scratch/file"
like '^module: [^ ]*/file a,b c begins: a file$' "QEMU's own loader: a comma in a module's arguments"
boot --platform tcg --kernel "$kernel spin" --timeout 3
is "$status" 124 'QEMU: out of time'

boot --protocol multiboot2 --kernel "$B/none.elf"
is "$status" 2 'a missing file'
like "^run: .*none.elf: no such file$" 'is named' "$errors"

refused() {                             # refused NAME REGEX ARGUMENT...
    local name=$1 regex=$2
    shift 2
    boot --kernel "$kernel" "$@"
    is "$status" 2 "$name: refused"
    like "$regex" "$name: named" "$errors"
    is "$(wc -l <"$errors")" 1 "$name: in one line"
}
refused 'platform' "unknown platform 'vax'; valid: .*bochs.*qemu" --platform vax
refused 'Bochs model' "no CPU model 'vax'; valid: .*broadwell_ult" --cpu vax
refused 'QEMU model' "no CPU model 'vax'" --platform tcg --cpu vax
boot_defaults=() # Tally wants VMX
grep -qw vmx /proc/cpuinfo || refused 'KVM without VMX' 'no VMX; PLATFORM=bochs' --platform qemu
boot_defaults=(--native)
refused 'guest' "unknown guest 'vms'; valid: .*test" --guest vms
refused 'boot protocol' "unknown boot protocol 'tftp'; valid: multiboot" --protocol tftp
refused 'a directory' "^run: $scratch is not a file" --module "$scratch"
refused 'no CPUs' 'CPUS=0: 1 to' --cpus 0
refused 'no memory' 'MEM=0: 1 to' --mem 0
refused 'too much memory' 'MEM=99999999: 1 to' --mem 99999999
refused 'CPUs' 'CPUS=two is not a number' --cpus two
refused 'memory' 'MEM=1G is not a number' --mem 1G
cp "$kernel" "$scratch/my kernel"
refused 'spaces' "^run: $scratch/my kernel: a path cannot have spaces" --module "$scratch/my kernel"
refused 'no place to keep' 'file' --keep "$scratch/file"
INITRD=$scratch/file refused 'an initrd for no Linux' 'add KERNEL=bzImage or GUEST=linux' --kernel '' --guest test --environment
refused 'more CPUs than Bochs takes' 'CPUS=16: Bochs 2.7 takes at most 15' --cpus 16
TMPDIR=/none refused 'nowhere to write' '^run: cannot write to /none; TMPDIR= names another'
refused 'a log in no directory' '^run: /none/console.log: no such directory' --log /none/console.log
BOCHS=/bin/true refused 'Bochs' '/bin/true is no Bochs'
BOCHS=$scratch refused 'a Bochs that is a directory' "BOCHS=$scratch is no program"
BOCHS_SHARE=/none refused 'BIOS' '/none/BIOS-bochs-latest: no such file'
refused 'option' "unknown option '--vga'|option --vga .*wants a value" --vga

"$top/tools/mkiso" -o /dev/full -k "$kernel" 2>"$errors"
like '^mkiso: cannot make the CD image /dev/full: .*[a-z]' 'an image that does not fit: the reason' "$errors"

for tool in "$top"/tools/*; do
    [ -f "$tool" ] && [ -x "$tool" ] || continue
    text=$("$tool" --help) && [ -n "$text" ]
    ok $? "${tool##*/} --help"
    case $tool in */unread | */vmx-works) continue ;; esac      # tools/run's own, without options
    (cd "$scratch/a place" && timeout 60 "$tool" --none >"$console" 2>"$errors" </dev/null)
    is "$? $(ls "$scratch/a place")" '2 ' "${tool##*/} with an option that it does not have: refused, and nothing is made"
done
"$top/tools/report" "$scratch" 2>"$errors"
is "$? $(cat "$errors")" "2 report: $scratch is not a file" 'a report of a directory is refused'

done_testing
