#!/bin/bash
# Exits that only a test aid makes (option test=): on a CPU model that has the control, the guest provokes
# each and counts it. Tally's refusal where the CPU has not got it.
. "$(dirname "$0")/../lib/tap.sh"

# armed AID MODEL PROFILE REASON - the guest's family of the same name passes, and the report has the reason
armed() {
    local aid=$1 model=$2 profile=$3 reason=$4
    boot --cpu "$model" --test-image --options "exits=$profile test=$aid" --kernel "$B/guest.elf only=armed_${aid//-/_}"
    is "$status" 0 "test=$aid on $model: the guest is content"
    like "^tally: +$reason +[1-9]" "test=$aid on $model: ${reason#* } in the report"
}

armed tpr-threshold broadwell_ult minimal '43 TPR_BELOW_THRESHOLD'
armed virtual-apic broadwell_ult kvm '45 VIRTUALIZED_EOI'
like '^tally: +44 APIC_ACCESS +1 ' 'test=virtual-apic: reason 44'
like '^tally: +56 APIC_WRITE +1 ' 'test=virtual-apic: reason 56'
armed ept-misconfig broadwell_ult all '49 EPT_MISCONFIGURATION'
armed preemption-timer broadwell_ult minimal '52 PREEMPTION_TIMER'
armed smx corei5_arrandale_m520 minimal '11 GETSEC'
armed pml corei7_skylake_x minimal '62 PML_FULL'
armed spp corei7_icelake_u kvm '66 SPP_EVENT'
armed mtf corei7_icelake_u minimal '37 MONITOR_TRAP_FLAG'

boot --test-image --options test=entry-guest-state
is "$status" 2 'test=entry-guest-state: the status'
like '^tally: +33 ENTRY_FAIL_GUEST_STATE +1 ' 'test=entry-guest-state: reason 33 in the report'
boot --test-image --options test=entry-msr-load
is "$status" 2 'test=entry-msr-load: the status'
like '^tally: +34 ENTRY_FAIL_MSR_LOAD +1 ' 'test=entry-msr-load: reason 34 in the report'

boot --cpu broadwell_ult --test-image --options test=spp
is "$status" 2 'test=spp where the CPU has no SPP: the status'
like '^tally: error: test=spp: this CPU lacks' 'test=spp where the CPU has no SPP: the line'
boot --options test=spp
is "$status" 2 'the plain image: the status'
like "^tally: error: unknown option 'test=spp': valid are " 'the plain image: the line'
done_testing
