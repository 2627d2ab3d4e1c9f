/* Reasons 31, 32: the MSR in ECX, its value in EDX:EAX. */
#include "exits/msr.h"
#include "emulate/handlers.h"

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
