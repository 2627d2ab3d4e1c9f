#!/bin/bash
# docs/add-a-handler.md, step by step, on a copy of the tree: it builds, boots, and the guest gets its answers.
. "$(dirname "$0")/../lib/tap.sh"

copy=$scratch/copy
mkdir "$copy"
cp -r "$top"/{Makefile,linker.ld,boot,docs,guest,hv,include,tests,tools} "$copy"

cmp -s <(sed -n '/^```c$/,/^```$/{/^```/d;p}' "$top/docs/add-a-handler.md") "$top/docs/example/vmcall.c"
ok $? 'the page shows the file'

# The row as the page has it, old and new.
mapfile -t rows < <(sed -n 's/^    \(EXIT_REASON(18.*\)/\1/p' "$top/docs/add-a-handler.md")
is "${#rows[@]}" 2 'the page has the old row and the new one'
grep -qF -- "$(tr -d ' ' <<<"${rows[0]}")" <(tr -d ' ' <"$top/include/exit_reasons.def")
ok $? 'the old row is the one in the table' || note "${rows[0]}"
sed -i "s/^EXIT_REASON(18.*/${rows[1]}/" "$copy/include/exit_reasons.def"
cp "$top/docs/example/vmcall.c" "$copy/hv/exits/"

make -s -C "$copy" B="$copy/build" tally >"$console" 2>&1
ok $? 'it builds' || note "$(tail "$console")"
make -s -C "$copy" B="$copy/build" "$copy/build/unit/dispatch_test" >"$console" 2>&1
ok $? 'the host tests have it' || note "$(tail "$console")"
(cd "$copy" && eval "$(sed -n 's/^    \(nasm .*\)/\1/p' docs/add-a-handler.md)" && [ -s build/vmcall-guest ])
ok $? 'its guest assembles'

B=$copy/build boot --kernel "$copy/build/vmcall-guest"
is "$status" 0 'the guest gets its answers'
like '^tally: +18 VMCALL +2 ' 'both are counted'
done_testing
