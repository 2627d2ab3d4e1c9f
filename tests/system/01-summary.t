#!/bin/bash
# The last line of `make test` tells the truth about good, bad, skipped and dying tests.
. "$(dirname "$0")/../lib/tap.sh"

# program NAME LINE... - a test program
program() {
    { echo '#!/bin/sh'; printf '%s\n' "${@:2}"; } >"$scratch/$1"
    chmod +x "$scratch/$1"
}
program good 'echo ok 1' 'echo ok 2' 'echo 1..2'
program bad 'echo ok 1' 'echo not ok 2' 'echo 1..2'
program dies 'echo ok 1' 'exit 3'
program cut 'echo 1..3' 'echo ok 1'
program skips 'echo ok 1' 'echo "ok 2 # SKIP no such thing"' 'echo 1..2'

# summary STATUS LINE NAME... - running these programs ends with LINE, and with status 0 or 1
summary() {
    local expected=$1 line=$2 status=0
    shift 2
    "$tests/run" "${@/#/$scratch/}" >"$console" 2>&1 || status=1
    is "$(tail -n 1 "$console")" "$line" "$*: the last line"
    is "$status" "$expected" "$*: the status"
}

summary 0 '2 passed, 0 failed' good
summary 1 '3 passed, 1 failed' good bad
summary 1 '3 passed, 1 failed' good dies
summary 1 '3 passed, 1 failed' good cut
summary 0 '3 passed, 0 failed, 1 skipped' good skips
summary 1 '6 passed, 3 failed, 1 skipped' good bad dies cut skips

done_testing
