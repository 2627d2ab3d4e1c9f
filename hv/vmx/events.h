/*
 * Events for the guest. One place writes the VM-entry interruption fields.
 * SDM vol. 3, 'VM-Entry Controls for Event Injection'.
 */
#ifndef TALLY_VMX_EVENTS_H
#define TALLY_VMX_EVENTS_H

#include "vmx/vcpu.h"

/*
 * Injects a hardware exception at the next entry; the error code counts where the vector has one.
 * If the exit interrupted the delivery of another event, both are merged as hardware would:
 * to #DF or a triple fault (then EXIT_STOP comes back). Returns what the handler should return.
 */
enum exit_action inject_exception(struct vcpu *vcpu, enum exception_vector vector, u32 error_code);

static inline enum exit_action inject_ud(struct vcpu *vcpu)
{
    return inject_exception(vcpu, VECTOR_UD, 0);
}

static inline enum exit_action inject_gp(struct vcpu *vcpu, u32 error_code)
{
    return inject_exception(vcpu, VECTOR_GP, error_code);
}

/* Writes CR2 and injects #PF. */
enum exit_action inject_page_fault(struct vcpu *vcpu, u64 address, u32 error_code);

/* Injects any event as given: `info` as in the VMCS (without it, nothing); the error code counts
 * if info has bit 11, the instruction length for software events. */
void inject_event(struct vcpu *vcpu, u32 info, u32 error_code, u32 instruction_length);

/* Delivers again the event whose delivery this exit interrupted (vcpu->vectoring). */
void redeliver_event(struct vcpu *vcpu);

/* An external interrupt that Tally acknowledged: injected now or as soon as the guest can take it. */
void queue_interrupt(struct vcpu *vcpu, u8 vector);

/* An NMI for the guest: injected now or by NMI window. */
void queue_nmi(struct vcpu *vcpu);

/* Steps over the instruction that was carried out: RIP, blocking by STI and MOV SS, RF, TF. */
void advance_rip(struct vcpu *vcpu);

#endif
