/*
 * Reasons 37, 43, 44, 45, 52, 56, 62, 66: exits by controls that Tally itself arms or leaves off.
 * The guest owns the real APIC, so each ends by giving the machine back to it.
 */
#include "emulate/handlers.h"
#include "vmx/vmcs.h"

static void switch_off(struct vcpu *vcpu, u32 proc2)
{
    vcpu->controls.proc2 &= ~proc2;
    vmwrite(SECONDARY_PROCBASED_CONTROLS, vcpu->controls.proc2);
}

enum exit_action exit_monitor_trap_flag(struct vcpu *vcpu)
{
    vcpu->controls.proc &= ~(u32)PROC_MONITOR_TRAP_FLAG;
    vmwrite(PRIMARY_PROCBASED_CONTROLS, vcpu->controls.proc);
    queue_nmis(vcpu, 0); /* what waited for the end of STI's shadow */
    return EXIT_RETRY;
}

/* No interrupt waits for the priority to fall: none is virtual. */
enum exit_action exit_tpr_below_threshold(struct vcpu *vcpu)
{
    (void)vcpu;
    vmwrite(TPR_THRESHOLD, 0);
    return EXIT_RETRY;
}

/* The access is made again, on the real APIC's page. */
enum exit_action exit_apic_access(struct vcpu *vcpu)
{
    switch_off(vcpu, PROC2_VIRTUALIZE_APIC_ACCESSES);
    return EXIT_RETRY;
}

enum exit_action exit_preemption_timer(struct vcpu *vcpu)
{
    if (time_limit_reached())
        return EXIT_STOP;
    sleep_on(vcpu);
    return EXIT_RETRY;
}

#define PML_LAST_INDEX 511

/* Nobody reads the log; it starts anew. */
enum exit_action exit_pml_full(struct vcpu *vcpu)
{
    restore_nmi_blocking(vcpu, vmread(EXIT_QUALIFICATION));
    vmwrite(GUEST_PML_INDEX, PML_LAST_INDEX);
    return EXIT_RETRY;
}

enum exit_action exit_spp_event(struct vcpu *vcpu)
{
    restore_nmi_blocking(vcpu, vmread(EXIT_QUALIFICATION));
    switch_off(vcpu, PROC2_SUB_PAGE_WRITE);
    return EXIT_RETRY;
}
