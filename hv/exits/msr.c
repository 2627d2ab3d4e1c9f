/* Reasons 31, 32, 84, 85. */
#include "exits/msr.h"
#include "exits/exits.h"

enum exit_action exit_rdmsr(struct vcpu *vcpu)
{
    u32 msr = (u32)vcpu->gpr[RCX];
    u64 value;
    if (!msr_rule_of(msr)->read(msr, &value))
        return inject_gp(vcpu, 0);
    vcpu->gpr[RAX] = (u32)value;
    vcpu->gpr[RDX] = value >> 32;
    return EXIT_ADVANCE;
}

enum exit_action exit_wrmsr(struct vcpu *vcpu)
{
    u32 msr = (u32)vcpu->gpr[RCX];
    u64 value = (u32)vcpu->gpr[RAX] | vcpu->gpr[RDX] << 32;
    return msr_rule_of(msr)->write(vcpu, msr, value) ? EXIT_ADVANCE : inject_gp(vcpu, 0);
}

/* The forms with an immediate, in 64-bit mode only: qualification = MSR, information = register. */
static unsigned immediate_form_register(void)
{
    return vmread(VM_EXIT_INSTRUCTION_INFO) >> 3 & 0xF;
}

enum exit_action exit_rdmsr_immediate(struct vcpu *vcpu)
{
    u32 msr = (u32)vmread(EXIT_QUALIFICATION);
    u64 value;
    if (!msr_rule_of(msr)->read(msr, &value))
        return inject_gp(vcpu, 0);
    vcpu_set_gpr(vcpu, immediate_form_register(), value);
    return EXIT_ADVANCE;
}

enum exit_action exit_wrmsrns_immediate(struct vcpu *vcpu)
{
    u32 msr = (u32)vmread(EXIT_QUALIFICATION);
    u64 value = vcpu_gpr(vcpu, immediate_form_register());
    return msr_rule_of(msr)->write(vcpu, msr, value) ? EXIT_ADVANCE : inject_gp(vcpu, 0);
}
