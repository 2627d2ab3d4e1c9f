#!/bin/bash
# Guests are loaded as GRUB loads them: small kernels in many shapes print what they are given, under GRUB alone and under
# Tally. Here each fifth of them; `make test-long` takes all (LOADER_EVERY=1). No time-out: tests/loader/compare sees by the
# machine's own clock that it stands still.
. "$(dirname "$0")/../lib/tap.sh"

"$tests/loader/compare" "$scratch/out" "${LOADER_EVERY:-5}" >"$console" 2>&1
ok $? 'the kernels are made and booted' || diag "$(tail -n 3 "$console")"

same=0 differ=0 left_out=0
reason='GRUB 2.12 takes no ELF file without section headers; 2.06 and Tally do'
for shape in "$scratch"/out/*.shape; do
    run=${shape%.shape}
    name="as GRUB: $(<"$shape")"
    awk -f "$tests/loader/differences.awk" "$run.grub" "$run.tally" >"$scratch/difference" 2>&1
    equal=$?
    if [[ $equal = 1 && $(<"$run.grub") = refused && $name = *KIND=[36]* && $name != *SECTIONS=1* ]]; then
        skip "$reason" "$name"
        left_out=$((left_out + 1))
    elif ok $equal "$name"; then
        same=$((same + 1))
    else
        diag "$(<"$scratch/difference")"
        differ=$((differ + 1))
    fi
done

# What finds differences must find one: another size of lower memory, another sum, no output.
if [ -s "$scratch/out/1.0.grub" ]; then
    for edit in 's/^mem_lower: .*/mem_lower: 00000001/' 's/^segment: .*/segment: 1 2/' '1,$d' 's/^\(range: .* 0010*\) .*/\1 0 0 2/'; do
        sed "$edit" "$scratch/out/1.0.tally" >"$scratch/changed"
        ! awk -f "$tests/loader/differences.awk" "$scratch/out/1.0.grub" "$scratch/changed" >/dev/null 2>&1
        ok $? "a difference is found: $edit"
    done
fi

# The last line, for those who run all.
told="loaders: $((same + differ)) shapes compared, $differ differ, $left_out left out"
((left_out == 0)) || told+=": $reason"
if [ "${LOADER_EVERY:-5}" = 1 ]; then diag "$told"; else note "$told"; fi
done_testing
