#!/bin/bash
# With NESTED=long: a run of platform nested that a person ends, or its time, has its report.
# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
cd "$top" || exit 1
[ "${NESTED:-}" = long ] || skip_all 'only make test-nested takes the time'
rel=$(realpath --relative-to=. "$B")
NESTED_BUILD=$rel/nested need tests/nested/build

# stopped STATUS WORD [SECONDS] - the kernel runs with WORD until it is out of time, or said 'ready' and is ended
stopped() {
    tools/run --platform nested --direct --options 'exits=kvm stats=table,json' --kernel "$rel/fixtures/kernel.bin $2" \
        --timeout "${3:-1800}" >"$console.raw" 2>"$errors" &
    local run=$! status=0
    [ -n "${3:-}" ] || {
        until grep -q '^ready' "$console.raw" || ! kill -0 $run; do sleep 1; done
        kill -TERM $run
    }
    wait $run || status=$?
    tr -d '\r' <"$console.raw" >"$console"
    is $status "$1" "$2: the status" || note "$(tail -n 20 "$errors")"
    like '^tally: the run was ended from outside; the exits until then:$' "$2: the counters are found in the memory"
    like '^tally:  *30 IO_INSTRUCTION ' "$2: the report"
    like '^tally:  *sum ' "$2: the whole of it"
}
stopped 130 echo
stopped 124 sleep 240
like '^run: no end within 240 s \(TIMEOUT\)$' 'sleep: and it says so' "$errors"
done_testing
