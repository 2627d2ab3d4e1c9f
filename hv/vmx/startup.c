#include "vmx/startup.h"
#include "cpu/cpu.h"
#include "cpu/traps.h"
#include "vmx/access.h"
#include "vmx/invalidate.h"
#include "vmx/vmcs.h"

enum exit_action take_init(struct vcpu *vcpu)
{
    if (vcpu->index == 0)
        return EXIT_STOP;
    vmcs_set_init_state(vcpu);
    flush_guest_tlb(vcpu);
    vcpu->parked = true;
    return EXIT_RETRY;
}

void take_sipi(struct vcpu *vcpu, u8 vector)
{
    vmwrite(GUEST_CS_SELECTOR, (u64)vector << 8);
    vmwrite(GUEST_CS_BASE, (u64)vector << 12);
    vmwrite(GUEST_RIP, 0);
    vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
    vcpu->parked = false;
    /* Bochs 2.7 leaves NMIs masked and SMI blocking set, at this exit and all that follow. */
    unblock_nmi();
    if (vmread(GUEST_INTERRUPTIBILITY) & BLOCKING_BY_SMI)
        vcpu->chores |= CHORE_SMI_BLOCKING;
}

bool all_parked(void)
{
    for (unsigned i = 0; i < vcpu_count; i++)
        if (!__atomic_load_n(&cpus[i]->vcpu.parked, __ATOMIC_SEQ_CST))
            return false;
    return true;
}
