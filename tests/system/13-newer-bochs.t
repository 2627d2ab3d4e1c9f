#!/bin/bash
# A Bochs newer than 2.7 has CPU models with more instructions, and some of 2.7's defects are gone: the exits that
# only it can make, the whole guest test kernel as on the bare machine, several CPUs. BOCHS_NEWER names the program
# (see tools/platform-bochs for its BIOS files), unless the installed one is newer itself.
. "$(dirname "$0")/../lib/tap.sh"

# Whose exits, by the name that Tally prints; on which model, with which features added to it.
model=wildcat_lake
features='cpu: add_features="msr_imm, user_msr"'
reasons='67 UMWAIT,68 TPAUSE,78 RDMSRLIST,79 WRMSRLIST,80 URDMSR,81 UWRMSR,84 RDMSR_IMMEDIATE,85 WRMSRNS_IMMEDIATE'
whole_models='broadwell_ult corei5_arrandale_m520 sapphire_rapids wildcat_lake'
IFS=, read -ra reasons <<<"$reasons"

newer=${BOCHS_NEWER:-$(command -v bochs-bin || command -v bochs || true)}
version=$(bochs_version "$newer")
why=''
if [ ! -x "$newer" ]; then
    why="BOCHS_NEWER=$newer is no program"
elif [ "$(printf '%s\n' 2.7 "$version" | sort -V | tail -n 1)" = 2.7 ]; then
    why="Bochs $version has it not; BOCHS_NEWER= names a newer one"
elif ! "$newer" --help cpu 2>&1 | grep -qx "$model"; then
    why="this Bochs $version has no $model"
fi

if [ -n "$why" ]; then
    for reason in "${reasons[@]}"; do skip "$why" "exit reason $reason"; done
    for model in $whole_models; do skip "$why" "$model: the guest sees the bare machine"; done
    skip "$why" 'monitor trap flag: an exit behind each instruction'
    skip "$why" '2 CPUs'
    done_testing
    exit
fi
export BOCHS=$newer
note "Bochs $version"

# Every profile lets the guest have the instructions; in the largest each of them exits.
boot_defaults=(--guest test --cpu "$model" --bochs "$features" --kernel "$B/guest.elf only=recent")
boot --native
guest_tests "$model, bare"
is "$status" 0 "$model, bare: verdict"
transcript >"$scratch/bare"
for profile in minimal kvm all; do
    boot --options "exits=$profile"
    guest_tests "$model, $profile"
    is "$status" 0 "$model, $profile: verdict"
    same_transcript "$scratch/bare" "$model, $profile: the guest sees the bare machine"
done
for reason in "${reasons[@]}"; do like "^tally: +$reason +[1-9]" "exit reason $reason"; done

for model in $whole_models; do
    boot_defaults=(--guest test --cpu "$model")
    boot --native
    is "$status" 0 "$model, bare" || note "$(grep -A 2 '^not ok' "$console")"
    transcript >"$scratch/bare"
    for profile in minimal kvm all; do
        boot --options "exits=$profile"
        is "$status" 0 "$model, $profile" || note "$(grep -A 2 '^not ok' "$console")"
        same_transcript "$scratch/bare" "$model, $profile: the guest sees the bare machine"
    done
done

boot_defaults=(--cpu corei7_icelake_u)
boot --test-image --options 'exits=minimal test=mtf-step' --kernel "$B/guest.elf only=armed_mtf_step"
guest_tests 'monitor trap flag'
is "$status" 0 'monitor trap flag: an exit behind each instruction'
like '^tally: +37 MONITOR_TRAP_FLAG +1 ' 'monitor trap flag: the report'

boot_defaults=(--cpus 2 --cpu sapphire_rapids)
for profile in minimal kvm all; do
    boot --options "exits=$profile" --kernel "$B/guest.elf only=smp"
    guest_tests "2 CPUs, $profile"
    is "$status" 0 "2 CPUs, $profile: verdict"
    like '^tally: +3 INIT_SIGNAL +[1-9]' "2 CPUs, $profile: exit reason 3"
    like '^tally: +4 SIPI +[1-9]' "2 CPUs, $profile: exit reason 4"
done
done_testing
