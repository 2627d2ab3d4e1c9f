#!/bin/bash
# Who knows whom: a folder of hv/ includes headers of the folders below it, never of one above.
. "$(dirname "$0")/../lib/tap.sh"

# A CPU's block of memory holds its vCPU, so that one address finds both: the one arrow that goes up.
declare -A below=(
    [lib]=''
    [host]='lib vcpu.h'
    [platform]='host lib'
    [stats]='lib'
    [load]='platform host lib'
    [vmx]='test/break_rules.h load stats platform host lib vcpu.h options.h'
    [smp]='vmx stats platform host lib vcpu.h'
    [memory]='smp vmx stats platform host lib vcpu.h'
    [emulate]='memory smp vmx stats platform host lib vcpu.h'
    [exits]='test/test_aids.h emulate memory smp vmx stats platform host lib vcpu.h'
    [test]='exits emulate memory smp vmx stats platform host lib vcpu.h options.h'
)

# upward TREE FOLDER - the lines of hv/FOLDER that include what it may not know
upward() {
    local line header allowed
    grep -rn '^#include "[a-z_]*/' "$1/hv/$2" | while IFS= read -r line; do
        header=${line#*\"} header=${header%\"}
        for allowed in x86 "$2" ${below[$2]}; do
            [ "${header%%/*}" != "$allowed" ] && [ "$header" != "$allowed" ] || continue 2
        done
        echo "${line#"$1/"}"
    done
}

for folder in "$top"/hv/*/; do
    folder=$(basename "$folder")
    [ -v "below[$folder]" ]
    ok $? "hv/$folder has a place in this list"
    is "$(upward "$top" "$folder")" '' "hv/$folder knows only what is below"
done

is "$(grep -rnE '^#include "(hv|exits|emulate|memory|smp|vmx|platform|load|stats|host|lib|test)/' "$top/guest" "$top/include")" '' \
    'the guest and the shared headers know nothing of hv/'

mkdir -p "$scratch/hv/stats"
echo '#include "exits/stop.h"' >"$scratch/hv/stats/report.c"
is "$(upward "$scratch" stats)" 'hv/stats/report.c:1:#include "exits/stop.h"' 'an arrow that goes up is found'
done_testing
