#include "vmx/startup.h"
#include "cpu/cpu.h"
#include "cpu/traps.h"
#include "platform/apic.h"
#include "platform/tsc.h"
#include "vmx/access.h"
#include "vmx/events.h"
#include "vmx/invalidate.h"
#include "vmx/kick.h"
#include "vmx/live_state.h"
#include "vmx/stale_init.h"
#include "vmx/vmcs.h"

#define ON_ITS_WAY_US 1000 /* more than an IPI and the exit that it makes take */

/* An exit by INIT leaves what an INIT would have reset (SDM vol. 3, 'Changes in Instruction
 * Behavior and Event Handling' and 'Processor States Following Power-up, Reset, or INIT'). */
static void reset_live_state(void)
{
    live_set_cr2(0);
    for (unsigned i = 0; i < 4; i++)
        live_set_debug_register(i, 0);
    live_set_debug_register(6, DR6_FIXED);
    apic_reset();
}

/* Those that Tally had taken for the guest; those in the APIC wait there. */
static void forget_events(struct vcpu *vcpu)
{
    for (unsigned i = 0; i < ARRAY_SIZE(vcpu->pending_interrupts); i++)
        vcpu->pending_interrupts[i] = 0;
    vcpu->guest_nmis = 0;
    set_nmi_window(vcpu, false);
}

enum exit_action take_init(struct vcpu *vcpu)
{
    if (vcpu->index == 0)
        return EXIT_STOP;
    if (is_stale_init(vcpu))
        drop_stale_init(vcpu);
    vmcs_set_init_state(vcpu);
    reset_live_state();
    forget_events(vcpu);
    flush_guest_tlb(vcpu);
    return EXIT_RETRY;
}

void take_sipi(struct vcpu *vcpu, u8 vector)
{
    vmwrite(GUEST_CS_SELECTOR, (u64)vector << 8);
    vmwrite(GUEST_CS_BASE, (u64)vector << 12);
    vmwrite(GUEST_RIP, 0);
    vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
    note_sipi(vcpu);
    __atomic_store_n(&vcpu->presence, RUNS, __ATOMIC_SEQ_CST);
    take_kicks(vcpu); /* for which nobody sent an NMI */
    /* Bochs 2.7 leaves NMIs masked and SMI blocking set, at this exit and all that follow. */
    unblock_nmi();
    if (vmread(GUEST_INTERRUPTIBILITY) & BLOCKING_BY_SMI)
        vcpu->chores |= CHORE_SMI_BLOCKING;
}

static bool is_asleep(const struct vcpu *vcpu)
{
    return __atomic_load_n(&vcpu->presence, __ATOMIC_SEQ_CST) == WAITS_FOR_SIPI ||
           __atomic_load_n(&vcpu->parked, __ATOMIC_SEQ_CST);
}

static bool all_parked(void)
{
    for (unsigned i = 0; i < vcpu_count; i++)
        if (!is_asleep(&cpus[i]->vcpu))
            return false;
    return true;
}

bool all_asleep(const struct vcpu *self)
{
    if (!all_parked())
        return false;
    tsc_wait_us(ON_ITS_WAY_US);
    return all_parked() && !self->nmis;
}
