#!/bin/bash
# Every model of Bochs with EPT and unrestricted guest runs the guest test kernel bare and in each profile; on
# an old and a new one, line by line as the bare machine. (10-guest.t does so on broadwell_ult.)
. "$(dirname "$0")/../lib/tap.sh"

for model in corei5_arrandale_m520 corei7_sandy_bridge_2600k corei7_ivy_bridge_3770k corei7_haswell_4770 \
    corei3_cnl corei7_skylake_x corei7_icelake_u tigerlake; do
    "${BOCHS:-bochs-bin}" --help cpu 2>&1 | grep -qw "$model" || { skip "this Bochs has no $model" "$model"; continue; }
    quiet=quiet
    case $model in *arrandale* | tigerlake) quiet='' ;; esac
    boot_defaults=(--guest test --cpu "$model" --kernel "$B/guest.elf $quiet")
    boot --native
    is "$status" 0 "$model, bare" || note "$(grep -A 2 '^not ok' "$console")"
    [ -n "$quiet" ] || transcript >"$scratch/bare"
    for profile in minimal kvm all; do
        boot --options "exits=$profile"
        is "$status" 0 "$model, $profile" || note "$(grep -A 2 '^not ok' "$console")"
        like '^tally: exits [1-9]' "$model, $profile: the report"
        [ -n "$quiet" ] || same_transcript "$scratch/bare" "$model, $profile: as the bare machine"
    done
    like '^tally: exits=all; optional controls that this CPU does not have: ' "$model: what it lacks is said"
done
done_testing
