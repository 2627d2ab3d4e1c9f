#!/bin/bash
# Who knows whom: a room includes headers, and uses symbols, of the rooms below it and of no other. A line is a room
# and what it may know; only what stands in a line above can be named, so that there are no circles.
. "$(dirname "$0")/../lib/tap.sh"

most=26                                 # files in a room

rooms='
hv/lib
hv/features.h  hv/lib
hv/stats     hv/lib
hv/vcpu.h    hv/stats
hv/host      hv/lib hv/vcpu.h
hv/platform  hv/lib hv/host
hv/efi       hv/lib hv/host hv/platform
hv/load      hv/lib hv/host hv/platform
hv/options.h
hv/vmx       hv/lib hv/features.h hv/vcpu.h hv/host hv/platform hv/stats
hv/smp       hv/lib hv/features.h hv/vcpu.h hv/host hv/platform hv/stats hv/vmx
hv/memory    hv/lib hv/features.h hv/vcpu.h hv/host hv/platform hv/stats hv/vmx hv/smp
hv/emulate   hv/lib hv/features.h hv/vcpu.h hv/host hv/platform hv/stats hv/vmx hv/smp hv/memory
hv/sites     hv/lib hv/vcpu.h hv/options.h hv/stats hv/vmx
hv/exits     hv/lib hv/features.h hv/vcpu.h hv/host hv/platform hv/stats hv/vmx hv/smp hv/memory hv/emulate  hv/sites
hv/start.h   hv/host hv/options.h hv/platform hv/vmx
hv           hv/lib hv/features.h hv/vcpu.h hv/host hv/platform hv/stats hv/vmx hv/smp hv/memory hv/load hv/efi hv/exits hv/sites hv/options.h hv/start.h
boot         hv hv/host hv/efi

guest/kernel
guest/harness             guest/kernel
guest/tests/events        guest/kernel guest/harness
guest/tests/instructions  guest/kernel guest/harness
guest/tests/memory        guest/kernel guest/harness
guest/tests/registers     guest/kernel guest/harness
guest/tests/smp           guest/kernel guest/harness
guest/tests/statistics    guest/kernel guest/harness
guest/fuzz                guest/kernel guest/harness
guest/bench               guest/kernel guest/harness
guest                     guest/kernel guest/harness guest/fuzz guest/bench guest/tests/events guest/tests/instructions guest/tests/memory guest/tests/registers guest/tests/smp guest/tests/statistics
'

# The room of a path: its folder, but a header of hv/ itself is a room, with the source beside it that the rooms use.
room='function room(path) { sub(/^hv\/features\.[co]/, "hv/features.h", path); return path ~ /^hv\/[a-z_]*\.h$/ ? path : substr(path, 1, match(path, "/[^/]*$") - 1) }'

# includes TREE - FROM TO FILE:LINE, for each header that a room includes from another
includes() {
    (cd "$1" && grep -rnE --include='*.[ch]' '^#include "' hv guest boot 2>/dev/null) |
        awk -F'[:"]' "$room"'{
            base = $1 ~ /^guest/ ? "guest/" : "hv/"
            if ($4 ~ /^x86\// || ($4 !~ /\// && (base == "guest/" || system("test -e '"$1"'/hv/" $4))))
                next                            # of include/
            if (room($1) != room(base $4))
                print room($1), room(base $4), $1 ":" $2 }'
}

# symbols TREE BUILD - FROM TO OBJECT:SYMBOL, for each symbol that a room uses and another defines
symbols() {
    local source objects=()
    while IFS= read -r source; do
        [ ! -e "$2/${source%.c}.o" ] || objects+=("${source%.c}.o")
    done < <(cd "$1" && find hv boot guest -name '*.c' -o -name '*.asm' 2>/dev/null)
    (cd "$2" && nm -A -g "${objects[@]}") | awk "$room"'{
            split($1, at, ":")
            image = at[1] ~ /^guest/
            if ($2 == "U")
                uses[at[1] " " $3] = image SUBSEP $3
            else if ($2 != "w")
                home[image, $3] = room(at[1]) }
        END { for (u in uses) {
            split(u, use, " ")
            if (uses[u] in home && home[uses[u]] != room(use[1]))
                print room(use[1]), home[uses[u]], use[1] ":" use[2] } }'
}

# upward - the arrows of standard input that $rooms does not allow
upward() {
    awk 'FNR == NR { for (i = 2; i <= NF; i++) allowed[$1, $i] = 1; next } !(($1, $2) in allowed)' \
        <(echo "$rooms") - | sort
}

is "$(awk '{ for (i = 2; i <= NF; i++) if (!($i in seen)) print $1, $i } { seen[$1] = 1 }' <<<"$rooms")" '' \
    'the list of rooms has no circle'
for folder in $(cd "$top" && find boot hv guest -name '*.[ch]' -printf '%h\n' -o -name '*.asm' -printf '%h\n' | sort -u); do
    [ "$folder" != guest/linux ] || continue
    grep -q "^$folder\( \|$\)" <<<"$rooms"
    ok $? "$folder is in the list"
    [ "$(find "$top/$folder" -maxdepth 1 -type f | wc -l)" -le $most ]
    ok $? "$folder has $most files or less"
    case $folder in guest/tests/*) folder=guest/tests ;; esac
    grep -qF -e "\`$folder/\`" "$top/docs/source.md"
    ok $? "$folder has its line in docs/source.md"
done
is "$(includes "$top" | upward)" '' 'headers are included from rooms below only'
is "$(symbols "$top" "$B" | upward)" '' 'symbols are used from rooms below only'
is "$(cd "$top" && grep -rnE '^#include "(\.\.|[a-z_]*_test\.)' hv guest include tests/unit)" '' 'no path leads round this'
is "$(cd "$top/include" && grep -rnE '^#include "' . | grep -vE '"(types\.h|exit_reasons\.def|tally\.h|window_layout\.h|x86/[a-z_]*\.(h|def))"')" '' \
    'shared headers know each other only'

# Both ways of looking find an arrow that goes up.
mkdir -p "$scratch/hv/stats" "$scratch/hv/exits" "$scratch/build/hv/stats" "$scratch/build/hv/exits"
printf '#include "exits/stop.h"\nvoid report(void);\nvoid report(void)\n{\n    stop();\n}\n' >"$scratch/hv/stats/report.c"
echo 'void stop(void); void stop(void) { }' >"$scratch/hv/exits/stop.c"
echo 'void stop(void);' >"$scratch/hv/exits/stop.h"
is "$(includes "$scratch" | upward)" 'hv/stats hv/exits hv/stats/report.c:1' 'an include that goes up is found'
for file in stats/report exits/stop; do
    gcc -I"$scratch/hv" -c -o "$scratch/build/hv/$file.o" "$scratch/hv/$file.c"
done
is "$(symbols "$scratch" "$scratch/build" | upward)" 'hv/stats hv/exits hv/stats/report.o:stop' 'a symbol that goes up is found'
done_testing
