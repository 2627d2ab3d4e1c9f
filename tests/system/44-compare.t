#!/bin/bash
# tools/compare: what changed between two runs, by reason, by detail and function, and by mark; and budgets.
. "$(dirname "$0")/../lib/tap.sh"

# compare STATUS NAME ARGUMENT... - its output is $console afterwards
compare() {
    local expected=$1 name=$2 status=0
    "$top/tools/compare" "${@:3}" >"$console" 2>"$errors" || status=$?
    is "$status" "$expected" "$name"
}

# row FIGURES TEXT - a row with the figures (blanks between as one) and then the text
row() { tr -s ' ' <"$console" | grep -qxF " $1 $2"; ok $? "$2: $1" || diag "$(cat "$console")"; }

boot --guest test --kernel "$B/guest.elf only=cpuid,msr" --options 'exits=kvm sites=on sample=1 stats=json'
cp "$console" "$scratch/old"
boot --guest test --kernel "$B/guest.elf only=cpuid,io" --options 'exits=kvm sites=on sample=1 stats=json'
cp "$console" "$scratch/new"

# figure LOG REASON - its count, as the JSON line has it
figure() { sed -n "s/^{\"reason\":[0-9]*,\"name\":\"$2\",\"count\":\([0-9]*\),.*/\1/p" "$1"; }
total() { sed -n 's/^{"tally":"end","exits":\([0-9]*\),.*/\1/p' "$1"; }

compare 0 'two runs' -n 0 "$scratch/old" "$scratch/new"
old=$(total "$scratch/old") new=$(total "$scratch/new")
like "^ +$old +$new +\+?$((new - old)) .* all\$" 'all exits, and how many more'
old=$(figure "$scratch/old" RDMSR) new=$(figure "$scratch/new" RDMSR)
like "^ +$old +${new:-0} +-$((old - new)) .* RDMSR\$" 'RDMSR, and how many fewer'
like '  RDMSR  0x[0-9a-f]+  [a-z]' 'a detail and a function are named'
like '^New$' 'sites that are new'
like '^Gone$' 'sites that are gone'
like 'there is no .*/old.run, which says what kernel .* taken for .*guest.elf' 'what an old log is taken for' "$errors"
# What the rows of sites say adds up to the change of all.
is "$(awk '/^By reason$/ { all = 1 } all && / all$/ { want = $3; all = 0 } /^(By reason, detail|New|Gone)/ { sites = 1 } /^By mark/ { sites = 0 }
    sites && $1 ~ /^[0-9]+$/ { sum += $3 } END { print sum == want ? "same" : sum " " want }' "$console")" same 'the sites make up the change'

compare 0 'a run and itself' "$scratch/old" "$scratch/old"
like '^No site differs' 'nothing differs'

# A run of which every figure is known: two sites, one that grows, and a mark.
run() { # run COUNT WRITES
    cat <<END
{"tally":"begin","version":"1","vcpus":1,"profile":"kvm","cpu":"x","tsc_khz":1000,"tsc":5000}
{"sample":0,"tsc":1000,"exits":{"10":4}}
{"mark":"init","tsc":1000}
{"sample":1,"tsc":5000,"exits":{"10":$1,"30":$2}}
{"reason":10,"name":"CPUID","count":$1,"cycles":$((100 * $1)),"min":100,"max":100}
{"reason":30,"name":"IO_INSTRUCTION","count":$2,"cycles":$((90 * $2)),"min":90,"max":90}
{"site":{"reason":10,"detail":"0x4/1","rip":"0x1010","mode":"64/0","vcpu":0},"count":$1,"cycles":$((100 * $1)),"min":100,"max":100}
{"site":{"reason":30,"detail":"out 1 0x80","rip":"0x2020","mode":"64/0","vcpu":0},"count":$2,"cycles":$((90 * $2)),"min":90,"max":90}
{"tally":"end","exits":$(($1 + $2)),"cycles":$((100 * $1 + 90 * $2))}
END
}
printf '%s\n' '0000000000001000 T ask' '0000000000002000 T wait_a_bit' >"$scratch/symbols"
run 10 20 >"$scratch/old"
run 10 50 >"$scratch/new"
both=(-s "$scratch/symbols" "$scratch/old" "$scratch/new")
compare 0 'known figures' "${both[@]}"
row '30 60 +30 +2700 -1' all
row '20 50 +30 +2700 0' IO_INSTRUCTION
row '20 50 +30 +2700 0' 'IO_INSTRUCTION out 1 0x80 wait_a_bit'
row '4 4 0 - -' 'from the start'
row '26 56 +30 - -' 'from init'

# Another compiler splits another function.
sed 's/wait_a_bit/&.part.0.isra.1/' "$scratch/symbols" >"$scratch/symbols-new"
compare 0 'a function that is split' -s "$scratch/symbols" -S "$scratch/symbols-new" "$scratch/old" "$scratch/new"
row '20 50 +30 +2700 0' 'IO_INSTRUCTION out 1 0x80 wait_a_bit'
echo '*@wait_a_bit.part.0 50' >"$scratch/budget"
compare 0 'in a budget, too' -b "$scratch/budget" "${both[@]}"

# Beyond 2^31, which some awks do not print as one means.
run 10 20 | sed 's/"cycles":1800,/"cycles":5000000000,/' >"$scratch/many"
run 10 20 | sed 's/"cycles":1800,/"cycles":9000000000,/' >"$scratch/more"
compare 0 'large figures' -s "$scratch/symbols" "$scratch/many" "$scratch/more"
row '20 20 0 +4000000000 +200000000' 'IO_INSTRUCTION out 1 0x80 wait_a_bit'

budget() { # budget STATUS NAME LINE...
    printf '%s\n' "${@:3}" >"$scratch/budget"
    compare "$1" "$2" -b "$scratch/budget" "${both[@]}"
}
budget 0 'within the budget' '# a comment' '* 60' 'IO_INSTRUCTION 50   # another' 'CPUID/0x4/1 10' 'IO_INSTRUCTION/out 1 0x80@wait_a_bit 60' '*@ask 12'
like '^5 lines: 0 over, 0 stale$' 'each line is looked at'
budget 1 'over, by one' 'IO_INSTRUCTION 49'
like '^over +50 of +49  IO_INSTRUCTION$' 'the line that is over'
like '\+30: IO_INSTRUCTION out 1 0x80 in wait_a_bit \(50, before 20\)' 'the function that makes it'
budget 1 'over, of a detail and a function' 'IO_INSTRUCTION/out 1 0x80@wait_a_bit 49'
budget 1 'stale: fewer than half' 'CPUID 21'
like '^stale +10 of +21  CPUID$' 'the line that is stale'
budget 0 'half is not stale' 'CPUID 20'
budget 0 'nothing is nothing' 'RDMSR 0'
budget 1 'a function that is not there is stale' '*@gone 5'

budget 2 'no number' 'CPUID many'
like "budget:1: 'CPUID many' is not" 'is said' "$errors"
budget 2 'no such reason' '' 'CPUIDS 4'
like "budget:2: no reason 'CPUIDS'" 'is said, too' "$errors"
budget 2 'an empty budget' '# nothing'
compare 2 'no budget' -b "$scratch/none" "${both[@]}"
compare 2 'no log' "$scratch/none" "$scratch/new"
compare 2 'no report' "$scratch/symbols" "$scratch/new"
like 'symbols: the log has no report' 'which log is said' "$errors"
sed '$d' "$scratch/new" >"$scratch/cut"
compare 2 'a cut report' "$scratch/old" "$scratch/cut"
like 'cut: the log.s last report is cut' 'is one' "$errors"
compare 2 'one log' "$scratch/old"
compare 2 'no such option' -x "$scratch/old" "$scratch/new"
compare 2 'no number of rows' -n some "${both[@]}"
grep -v '^{"site"' "$scratch/new" >"$scratch/bare"
compare 0 'a log without sites' "$scratch/old" "$scratch/bare"
like '^Details and functions are in logs of runs with sites=on' 'says so'

# Another Linux than ours with our initrd: the runner has noted which, and its functions are kept under its checksum.
mkdir -p "$scratch/b/linux"
echo 'another kernel' >"$scratch/bzimage"
sum=$(sha256sum <"$scratch/bzimage")
cp "$scratch/symbols" "$scratch/b/linux/kallsyms-${sum:0:16}"
{ echo 'guest: running poweroff'; run 10 20; } >"$scratch/linux.log"
echo "{\"kernel\":\"$scratch/bzimage console=ttyS0\",\"kernel_sha256\":\"${sum%% *}\"}" >"$scratch/linux.run"
echo 'ours' >"$scratch/b/linux/vmlinuz"
is "$(B=$scratch/b "$top/tools/sites" "$scratch/linux.log" 2>&1 | cut -f 3 | paste -sd ' ')" 'wait_a_bit ask' 'functions of another kernel'
echo 'a newer one' >"$scratch/bzimage"
is "$(B=$scratch/b "$top/tools/sites" "$scratch/linux.log" 2>"$errors" | cut -f 3 | paste -sd ' ')" '0x2020 0x1010' 'that is no more: addresses'
like 'the log is of another kernel than .*linux/vmlinuz' 'and says so' "$errors"

# A Linux' modules are above its image.
echo 'ffffffff81000000 T last' >"$scratch/symbols-linux"
is "$(printf '%s\t64/0\n' ffffffff81000010 ffffffffc0338a49 | "$top/tools/functions" -s "$scratch/symbols-linux" "$scratch/linux.log" | cut -f 1,2 | paste -sd ' ')" \
    $'last\t16 (a module)\t0' 'an exit of a module is not of the last function of the kernel'

echo 'CPUID@ask 5' >"$scratch/budget"
compare 2 'a function, and no sites' -b "$scratch/budget" "$scratch/old" "$scratch/bare"
like 'wants a run with sites=on' 'says so, too' "$errors"
done_testing
