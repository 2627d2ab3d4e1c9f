#include "vcpu.h"
#include "lib/fatal.h"
#include "vmx/access.h"
#include "test/break_rules.h"

u64 vcpu_gpr(const struct vcpu *vcpu, unsigned number)
{
    return number == RSP ? vmread(GUEST_RSP) : vcpu->gpr[number];
}

void vcpu_set_gpr(struct vcpu *vcpu, unsigned number, u64 value)
{
    if (number == RSP)
        vmwrite(GUEST_RSP, value);
    else
        vcpu->gpr[number] = value;
}

void vcpu_do_chores(struct vcpu *vcpu)
{
    if (vcpu->chores & CHORE_SMI_BLOCKING)
        vmwrite(GUEST_INTERRUPTIBILITY, vmread(GUEST_INTERRUPTIBILITY) & ~BLOCKING_BY_SMI);
    if (vcpu->chores & CHORE_REARM) {
        vcpu->chores &= ~(u32)CHORE_REARM;
        vmwrite(XSS_EXITING_BITMAP, vcpu->controls.xss_exiting);
    }
    if (vcpu->chores & CHORE_REARM_LATER) {
        vcpu->chores &= ~(u32)CHORE_REARM_LATER;
        vcpu->chores |= CHORE_REARM;
    }
    if (vcpu->chores & CHORE_BREAK_RULE)
        break_next_rule(vcpu);
    if ((vcpu->chores & CHORE_BREAK_AT_VMCALL) && vcpu->exit_reason == EXIT_VMCALL)
        vmwrite(GUEST_RFLAGS, 0);
}

/* The other half of access.h. */
void vmwrite_failed(u32 field, u64 value)
{
    fatal("VMWRITE of %lx to field %x failed: VM-instruction error %u", value, field,
          (u32)vmread(VM_INSTRUCTION_ERROR));
}
