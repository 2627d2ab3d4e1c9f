/* Reason 12. */
#include "emulate/handlers.h"
#include "vmx/advance.h"
#include "smp/smp.h"
#include "lib/atomic.h"

/*
 * The vCPU sleeps in activity state HLT until an event wakes it, in hardware. RIP moves first: the
 * shadow of STI must be gone, both for a pending interrupt and for the activity state. Interrupt-
 * window exiting is never on in HLT with IF = 1: what is pending is injected instead.
 */
enum exit_action exit_hlt(struct vcpu *vcpu)
{
    u64 rflags = advance_rip();
    if (unlikely(rflags & RFLAGS_TF) && debug_exception_pending())
        return EXIT_RETRY; /* it wakes at once, by the single-step trap of this HLT */
    if (unlikely(vcpu->controls.proc & PROC_INTERRUPT_WINDOW_EXITING) &&
        deliver_waiting_events(vcpu))
        return EXIT_RETRY;
    vcpu->halted = true;
    vmwrite_unchecked(GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
    if (likely(rflags & RFLAGS_IF))
        return EXIT_RETRY;
    atomic_store(&vcpu->parked, true);
    u64 asleep = rdtsc();
    bool for_good = all_asleep(vcpu);
    vcpu->exit_tsc += rdtsc() - asleep; /* the guest's time, not the exit's */
    return for_good ? EXIT_STOP : EXIT_RETRY;
}
