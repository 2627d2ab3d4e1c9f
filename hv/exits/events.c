/* Reasons 0 to 8: events that reach the guest or come from outside. docs/exits.md has the rules. */
#include "host/traps.h"
#include "emulate/handlers.h"
#include "exits/entry.h"
#include "vmx/advance.h"
#include "lib/print.h"
#include "smp/kick.h"
#include "smp/smp.h"
#include "lib/atomic.h"

/* The exit came before these were updated. A #DB is a fault by general detect, whose image has RF
 * as of all faults. SDM vol. 3, 'Debug Exceptions'. */
static void update_debug_registers(u64 qualification)
{
    update_dr6(qualification);
    if (qualification & DR6_BD)
        set_resume_flag();
    vmwrite(GUEST_DR7, vmread(GUEST_DR7) & ~DR7_GD);
    vmwrite(GUEST_IA32_DEBUGCTL, vmread(GUEST_IA32_DEBUGCTL) & ~(DEBUGCTL_LBR | DEBUGCTL_BTF));
}

static enum exit_action reflect_hardware_exception(struct vcpu *vcpu, unsigned vector)
{
    u32 error_code = (u32)vmread(VM_EXIT_INTERRUPTION_ERROR_CODE);
    if (vector == VECTOR_PF)
        return inject_page_fault(vcpu, vmread(EXIT_QUALIFICATION), error_code);
    if (vector == VECTOR_DB)
        update_debug_registers(vmread(EXIT_QUALIFICATION));
    return inject_exception(vcpu, vector, error_code);
}

static enum exit_action reflect_nmi(struct vcpu *vcpu)
{
    atomic_add(&vcpu->nmis, 1);
    unblock_nmi();
    take_nmis(vcpu);
    sleep_on(vcpu);
    return EXIT_RETRY;
}

enum exit_action exit_exception_nmi(struct vcpu *vcpu)
{
    u32 info = (u32)vmread(VM_EXIT_INTERRUPTION_INFO);
    switch (interruption_type(info)) {
    case TYPE_NMI: return reflect_nmi(vcpu);
    case TYPE_HARDWARE_EXCEPTION:
        if ((info & INTERRUPTION_VECTOR) != VECTOR_DF)
            restore_nmi_blocking(vcpu, info);
        return reflect_hardware_exception(vcpu, info & INTERRUPTION_VECTOR);
    default: /* INT1, INT3, INTO: the same event again, with the length of its instruction */
        inject_event(vcpu, info & ~(u32)INTERRUPTION_NMI_UNBLOCKING, 0,
                     (u32)vmread(VM_EXIT_INSTRUCTION_LENGTH));
        return EXIT_RETRY;
    }
}

/* The guest's own EOI reaches the real APIC. */
enum exit_action exit_external_interrupt(struct vcpu *vcpu)
{
    return take_interrupt(vcpu);
}

enum exit_action exit_triple_fault(struct vcpu *vcpu)
{
    vcpu->shut_down = true;
    return EXIT_STOP;
}

/* INIT restarts the boot CPU from the reset vector, which ends the run like any reset. */
enum exit_action exit_init_signal(struct vcpu *vcpu)
{
    return take_init(vcpu, vcpu_run);
}

enum exit_action exit_sipi(struct vcpu *vcpu)
{
    take_sipi(vcpu, (u8)vmread(EXIT_QUALIFICATION));
    return EXIT_RETRY;
}

/* Only with the dual-monitor treatment of SMM, which Tally does not set up. */
enum exit_action exit_smi(struct vcpu *vcpu)
{
    say("exit %u: an SMI without dual-monitor treatment cannot happen",
        vcpu->exit_reason & EXIT_REASON_BASIC);
    return EXIT_STOP;
}

enum exit_action exit_interrupt_window(struct vcpu *vcpu)
{
    deliver_waiting_events(vcpu);
    return EXIT_RETRY;
}

enum exit_action exit_nmi_window(struct vcpu *vcpu)
{
    take_nmi_window(vcpu);
    return EXIT_RETRY;
}
