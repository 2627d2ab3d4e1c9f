/* VM entries that did not reach the guest. SDM vol. 3, 'VM-Entry Failures During or After Loading
 * Guest State' and 'VMfail'. */
#include "emulate/handlers.h"
#include "exits/entry.h"
#include "exits/stop.h"
#include "lib/fatal.h"
#include "host/frames.h"
#include "vmx/capabilities.h"
#include "exits/dump.h"
#include "vmx/entry_checks.h"
#include "x86/msr.h"

static void report_rule(const char *sentence, enum vmcs_field field, u64 value)
{
    say("error: broken rule: %s: %s is %lx", sentence, vmcs_field_name(field), value);
}

static void explain_state(void)
{
    if (!entry_checks(&vmx_capabilities, report_rule))
        say("error: no rule is broken that Tally knows of");
}

/* One entry of an MSR area: number and reserved bits, value. SDM vol. 3, 'Loading MSRs'. */
static const char *msr_load_rule(const u64 entry[2])
{
    if (entry[0] >> 32)
        return "bits 63:32 of an entry's first half must be 0";
    switch (entry[0]) {
    case IA32_FS_BASE:
    case IA32_GS_BASE: return "the bases of FS and GS cannot be loaded from a list";
    case IA32_SMM_MONITOR_CTL:
    case IA32_SMBASE: return "the MSRs of SMM cannot be loaded outside it";
    case X2APIC_FIRST ... X2APIC_LAST: return "registers of the local APIC cannot be loaded";
    default: return "the value must be one that WRMSR would take";
    }
}

static void explain_msr_load(u64 number)
{
    if (number - 1 >= vmread(VM_ENTRY_MSR_LOAD_COUNT)) /* not a CPU's answer */
        return;
    const u64 *entry = frame_pointer(vmread(VM_ENTRY_MSR_LOAD_ADDR));
    entry += 2 * (number - 1);
    say("error: broken rule: %s: MSR %lx is %lx", msr_load_rule(entry), entry[0], entry[1]);
}

static const char *qualification_meaning(u32 reason, u64 qualification)
{
    if (reason == EXIT_ENTRY_FAIL_MSR_LOAD)
        return "the number of the entry in the MSR-load area, from 1";
    switch (qualification) {
    case 2: return "loading the PDPTEs";
    case 3: return "injecting an NMI under blocking by STI";
    case 4: return "the VMCS link pointer";
    default: return "no further information";
    }
}

void tell_failed_exit(const struct vcpu *vcpu)
{
    u32 reason = vcpu->exit_reason & EXIT_REASON_BASIC;
    u64 qualification = vmread(EXIT_QUALIFICATION);
    say("error: VM entry failed: exit reason %u (%s), qualification %lu: %s", reason,
        reason_name(reason), qualification, qualification_meaning(reason, qualification));
    if (reason == EXIT_ENTRY_FAIL_MSR_LOAD)
        explain_msr_load(qualification);
    else
        explain_state();
}

/* The guest's state is the one from before the entry: nothing was saved. */
enum exit_action exit_entry_failure(struct vcpu *vcpu)
{
    stop_other_cpus(vcpu); /* what they say would tear the dump */
    tell_failed_exit(vcpu);
    vmcs_dump(vcpu);
    return EXIT_STOP;
}

void tell_failed_instruction(void)
{
    u32 error = (u32)vmread(VM_INSTRUCTION_ERROR);
    say("error: VM entry failed: VM-instruction error %u: %s", error,
        vm_instruction_error_name(error));
    explain_state();
}

void vmx_instruction_failed(u64 flags, struct vcpu *vcpu)
{
    if (flags & RFLAGS_CF) /* VMfailInvalid: there is no field to tell more */
        fatal("VM entry failed: there is no current VMCS");
    stop_other_cpus(vcpu);
    tell_failed_instruction();
    vmcs_dump(vcpu);
    fatal("VM-instruction error %u; the lines above say why", (u32)vmread(VM_INSTRUCTION_ERROR));
}
