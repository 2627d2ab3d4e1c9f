#!/bin/bash
# Tally is tiny: lines, files and the image stay within tests/limits.
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/limits
. "$tests/limits"

cd "$top" || exit
mapfile -t files < <(git ls-files hv boot include | grep -v '^hv/sites/')

# at_most GOT LIMIT NAME
at_most() {
    [ "$1" -le "$2" ]
    ok $? "$3: at most $2" || diag "got $1"
    note "$3: $1"
}

# commented FILE... - so many lines of a hundred have a comment on them
commented() {
    awk '/\/\*/ { inside = 1 }
         inside || /\/\// || (FILENAME ~ /\.asm$/ && /;/) { n++ }
         inside && /\*\// { inside = 0 }
         END { printf "%d\n", n * 100 / NR }' "$@"
}

at_most "$(cat "${files[@]}" | wc -l)" "$lines" 'lines'
sizes=$(for file in "${files[@]}"; do wc -l <"$file"; done | sort -n)
at_most "$(sed -n "$(((${#files[@]} + 1) / 2))p" <<<"$sizes")" "$median" 'lines of the median file'
at_most "$(tail -n 1 <<<"$sizes")" "$longest" 'lines of the longest file'
share=$(commented "${files[@]}")
[ "$share" -ge "$comments" ]
ok $? "comments: on at least $comments lines of a hundred" || diag "got $share"

sum=0
for size in $(readelf -lW "$B/tally.elf" | awk '$1 == "LOAD" { print $5 }'); do sum=$((sum + size)); done
sites=$(size "$B"/hv/sites/*.o | awk 'NR > 1 { n += $1 + $2 } END { print n }')
at_most "$((sum - sites))" "$image" 'bytes of the image'

printf '%s\n' 'int a; // why' '/* and' ' * so */' 'int b;' >"$scratch/some.c"
is "$(commented "$scratch/some.c")" 75 'comments are counted'
done_testing
