#include "smp/smp.h"
#include "host/cpu.h"
#include "host/traps.h"
#include "platform/apic.h"
#include "platform/tsc.h"
#include "vmx/access.h"
#include "vmx/advance.h"
#include "vmx/events.h"
#include "vmx/invalidate.h"
#include "smp/kick.h"
#include "smp/stale_init.h"
#include "vmx/vmcs.h"
#include "lib/atomic.h"

#define ON_ITS_WAY_US 1000      /* more than an IPI and the exit that it makes take */
#define WOKEN_WITHIN_US 1000000 /* a timer may come as an NMI, through the I/O APIC */

/* An exit by INIT leaves what an INIT would have reset (SDM vol. 3, 'Changes in Instruction
 * Behavior and Event Handling' and 'Processor States Following Power-up, Reset, or INIT'). */
static void reset_live_state(void)
{
    write_cr2(0);
    for (unsigned i = 0; i < 4; i++)
        live_set_debug_register(i, 0);
    live_set_debug_register(6, DR6_FIXED);
    apic_reset();
}

/* Those that Tally had taken for the guest; those in the APIC wait there. */
static void forget_events(struct vcpu *vcpu)
{
    vcpu->guest_nmis = 0;
    vcpu->machine_check = false;
    set_nmi_window(vcpu, false);
}

/* What VM entry wants of a vCPU that waits. IF = 0, so that no window of an interrupt opens. */
static void wait_for_sipi(struct vcpu *vcpu)
{
    vmwrite(GUEST_RFLAGS, vmread(GUEST_RFLAGS) & ~RFLAGS_IF);
    vmwrite(GUEST_INTERRUPTIBILITY, 0);
    vmwrite(GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    vmwrite(VM_ENTRY_INTERRUPTION_INFO, 0);
    vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI);
    vcpu->halted = vcpu->parked = false;
    atomic_store(&vcpu->presence, WAITS_FOR_SIPI);
}

/*
 * A SIPI that comes before the vCPU waits for it is lost, and kernels send it some microseconds
 * after the INIT: so what INIT resets is left to the SIPI.
 */
enum exit_action take_init(struct vcpu *vcpu, void (*enter)(struct vcpu *vcpu))
{
    if (vcpu->index == 0)
        return EXIT_STOP;
    if (stale_init_passed_over(vcpu, enter))
        return EXIT_RETRY;
    forget_events(vcpu);
    wait_for_sipi(vcpu);
    vcpu->init_unfinished = true;
    return EXIT_RETRY;
}

static void finish_init(struct vcpu *vcpu)
{
    vcpu->init_unfinished = false;
    vmcs_set_init_state(vcpu);
    reset_live_state();
    flush_guest_tlb(vcpu);
}

void take_sipi(struct vcpu *vcpu, u8 vector)
{
    /* Bochs 2.7 leaves NMIs masked and SMI blocking set, at this exit and all that follow. */
    u64 blocking = vmread(GUEST_INTERRUPTIBILITY);
    if (blocking & BLOCKING_BY_SMI) {
        vmwrite(GUEST_INTERRUPTIBILITY, blocking & ~BLOCKING_BY_SMI);
        vcpu_add_chore(vcpu, CHORE_SMI_BLOCKING);
    }
    unblock_nmi();
    /* NMIs that came while it waited are gone, and so is one of a kick. */
    atomic_store(&vcpu->nmis, 0);
    atomic_store(&vcpu->kick_nmi, false);

    if (vcpu->init_unfinished)
        finish_init(vcpu);
    vmwrite(GUEST_CS_SELECTOR, (u64)vector << 8);
    vmwrite(GUEST_CS_BASE, (u64)vector << 12);
    vmwrite(GUEST_RIP, 0);
    vmwrite(GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
    stale_init_note_sipi(vcpu);
    vcpu->deaf = false; /* it has heard this */
    atomic_store(&vcpu->presence, RUNS);
    take_kicks(vcpu); /* for which nobody sent an NMI */
}

static bool is_asleep(const struct vcpu *vcpu)
{
    return atomic_load(&vcpu->presence) == WAITS_FOR_SIPI || atomic_load(&vcpu->parked);
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
    for (unsigned us = 0; us < WOKEN_WITHIN_US; us += ON_ITS_WAY_US) {
        if (!all_parked() || atomic_load(&self->nmis))
            return false;
        tsc_wait_us(ON_ITS_WAY_US);
    }
    return all_parked() && !atomic_load(&self->nmis);
}
