#!/bin/bash
# The examples of docs/, as the pages have them: the handler of add-a-handler.md, on a copy of the tree, and the guest
# kernel of measure.md.
. "$(dirname "$0")/../lib/tap.sh"

copy=$scratch/copy
mkdir "$copy"
cp -r "$top"/{Makefile,linker.ld,boot,docs,guest,hv,include,tests,tools} "$copy"

cmp -s <(sed -n '/^```c$/,/^```$/{/^```/d;p}' "$top/docs/add-a-handler.md") "$top/docs/example/vmcall.c"
ok $? 'the page shows the file'

# The row as the page has it, old and new.
mapfile -t rows < <(sed -n 's/^    \(EXIT_REASON(18.*\)/\1/p' "$top/docs/add-a-handler.md")
is "${#rows[@]}" 2 'the page has the old row and the new one'
grep -qxF -- "${rows[0]}" "$top/include/exit_reasons.def"
ok $? 'the old row is the one in the table' || note "${rows[0]}"
cp "$top/docs/example/vmcall.c" "$copy/hv/exits/"
make -s -C "$copy" B="$copy/build" tally >"$console" 2>&1
isnt $? 0 'a handler that no row names does not build'
like "error: no previous prototype for .*exit_vmcall" 'which is told by its name'
sed -i "s/^EXIT_REASON(18.*/${rows[1]}/" "$copy/include/exit_reasons.def"

make -s -C "$copy" B="$copy/build" tally >"$console" 2>&1
ok $? 'it builds' || note "$(tail "$console")"
make -s -C "$copy" B="$copy/build" "$copy/build/unit/dispatch_test" >"$console" 2>&1
ok $? 'the host tests have it' || note "$(tail "$console")"
(cd "$copy" && eval "$(sed -n 's/^    \(nasm .*\)/\1/p' docs/add-a-handler.md)" && [ -s build/vmcall-guest ])
ok $? 'its guest assembles'

B=$copy/build boot --kernel "$copy/build/vmcall-guest"
is "$status" 0 'the guest gets its answers'
like '^tally: +18 VMCALL +2 ' 'both are counted'

# The kernel, by the page's command: counts of its own that are those of the report.
sed -n '/^    gcc -m32/,/[^\\]$/p' "$top/docs/measure.md" >"$scratch/command"
(cd "$copy" && bash -e "$scratch/command" && [ -s build/kernel.elf ])
ok $? 'the kernel of measure.md is built by its command'
kernel="$copy/build/kernel.elf a=b c"
boot --kernel "$kernel" --options 'exits=kvm sample=1 sites=on stats=table,json'
is "$status" 0 'and runs'
like '^command line: a=b c$' 'it prints'
like '^CPUID: [0-9]+ exits$' 'it reads how many exits it made'
exits() { sed -n 's/^{"sample":.*[{,]"10":\([0-9]*\).*/\1/p' | awk '{ n += $1 } END { print n + 0 }'; }
is $(($(sed '/"mark":"end"/,$d' "$console" | exits) - $(sed '/"mark":"begin"/,$d' "$console" | exits))) 1001 \
    'between its marks are its exits, and that of the second mark'
is "$(sed -n 's/^{"tally":"begin".*"tsc":\([0-9]*\)}/\1/p' "$console")" "$(sed -n 's/^{"sample":.*"tsc":\([0-9]*\),.*/\1/p' "$console" | tail -n 1)" \
    'the run lasted until its last exit, not until its report was made'
boot --native --kernel "$kernel"
is "$status" 0 'bare it runs, too'
like '^not under Tally$' 'and knows it'
done_testing
