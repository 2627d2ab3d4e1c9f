/* VM entries that did not reach the guest. SDM vol. 3, 'VM-Entry Failures During or After Loading
 * Guest State' and 'VMfail'. */
#include "exits/exits.h"
#include "lib/fatal.h"
#include "vmx/capabilities.h"
#include "vmx/dump.h"
#include "vmx/entry_checks.h"

static void report_rule(const char *sentence, enum vmcs_field field, u64 value)
{
    say("error: broken rule: %s: %s is %lx", sentence, vmcs_field_name(field), value);
}

static bool rules_are_tested(const struct vcpu *vcpu)
{
    return vcpu->chores & CHORE_BREAK_RULE;
}

static void explain(const struct vcpu *vcpu)
{
    if (!entry_checks(&vmx_capabilities, report_rule))
        say("error: no rule is broken that Tally knows of");
    if (!rules_are_tested(vcpu))
        vmcs_dump(vcpu);
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

/* The guest's state is the one from before the entry: nothing was saved. */
enum exit_action exit_entry_failure(struct vcpu *vcpu)
{
    u32 reason = vcpu->exit_reason & EXIT_REASON_BASIC;
    u64 qualification = vmread(EXIT_QUALIFICATION);
    say("error: VM entry failed: exit reason %u (%s), qualification %lu: %s", reason,
        reason_name(reason), qualification, qualification_meaning(reason, qualification));
    explain(vcpu);
    return rules_are_tested(vcpu) ? EXIT_RETRY : EXIT_STOP;
}

/* Called by vmx/entry.asm after VMLAUNCH or VMRESUME with the flags that the instruction left.
 * Ends the run, except in a test of the rules. */
void vmx_instruction_failed(u64 flags, struct vcpu *vcpu);

void vmx_instruction_failed(u64 flags, struct vcpu *vcpu)
{
    if (flags & RFLAGS_CF) /* VMfailInvalid: there is no field to tell more */
        fatal("VM entry failed: there is no current VMCS");
    u32 error = (u32)vmread(VM_INSTRUCTION_ERROR);
    say("error: VM entry failed: VM-instruction error %u: %s", error,
        vm_instruction_error_name(error));
    explain(vcpu);
    if (rules_are_tested(vcpu))
        return vcpu_do_chores(vcpu);
    fatal("VM-instruction error %u; the lines above say why", error);
}

/* The other half of access.h. */
void vmwrite_failed(u32 field, u64 value)
{
    u32 error = (u32)vmread(VM_INSTRUCTION_ERROR);
    fatal("VMWRITE of %lx to %s (%x) failed: VM-instruction error %u: %s", value,
          vmcs_field_name(field), field, error, vm_instruction_error_name(error));
}
