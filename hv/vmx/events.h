/*
 * Events for the guest. One place writes the VM-entry interruption fields.
 * SDM vol. 3, 'VM-Entry Controls for Event Injection'.
 */
#ifndef TALLY_VMX_EVENTS_H
#define TALLY_VMX_EVENTS_H

#include "vcpu.h"

/*
 * Injects a hardware exception at the next entry; the error code counts where the vector has one.
 * If the exit interrupted the delivery of another event, both are merged as hardware would:
 * to #DF or a triple fault (then EXIT_STOP comes back); an interrupt or NMI is lost. Returns what
 * the handler should return.
 */
enum exit_action inject_exception(struct vcpu *vcpu, enum exception_vector vector, u32 error_code);

static inline enum exit_action inject_ud(struct vcpu *vcpu)
{
    return inject_exception(vcpu, VECTOR_UD, 0);
}

/* #GP(0), which most are. */
enum exit_action inject_gp(struct vcpu *vcpu);

/* Writes CR2 and injects #PF. */
enum exit_action inject_page_fault(struct vcpu *vcpu, u64 address, u32 error_code);

/* Injects any event as given: `info` as in the VMCS (without it, nothing); the error code counts
 * if info has bit 11, the instruction length for software events. */
void inject_event(struct vcpu *vcpu, u32 info, u32 error_code, u32 instruction_length);

/* Delivers again the event whose delivery this exit interrupted (vcpu->vectoring). */
void redeliver_event(struct vcpu *vcpu);

/* An external interrupt is there, not acknowledged: taken and injected now or, with
 * external-interrupt exiting off until then, as soon as the guest can take it. Returns what the
 * handler should return. */
enum exit_action take_interrupt(struct vcpu *vcpu);

/* Injects the NMI or the interrupt that waits if the guest can take it now, and has an exit made at
 * the next window if not. Whether one was injected. */
bool deliver_waiting_events(struct vcpu *vcpu);

/* Whether a #DB comes at the next entry that injects nothing, or after the shadow of MOV SS. */
bool debug_exception_pending(void);

/* NMI-window exiting, on or off. */
void set_nmi_window(struct vcpu *vcpu, bool on);

/*
 * NMIs for the guest, injected now or by NMI window. As in a CPU, one waits while another is being
 * handled, and more merge with it. Whether one was injected.
 */
bool queue_nmis(struct vcpu *vcpu, u32 count);

/* A machine check came in Tally, and the CPU can go on: the guest's, as soon as the entry injects
 * nothing else. Ends the run if the guest has CR4.MCE off. */
void queue_machine_check(struct vcpu *vcpu);

/*
 * The exit by NMI window. Some CPUs open it in the shadow of STI, where others refuse the injection
 * and nobody expects an NMI; the interrupt window opens right after the shadow, the monitor trap
 * flag exits there even if the instruction in it cleared IF. SDM vol. 2, 'STI': NMIs are blocked
 * for one instruction at most.
 */
void take_nmi_window(struct vcpu *vcpu);

/* `info` is an exit's interruption information or qualification, with bit 12: NMI unblocking due to
 * IRET. SDM vol. 3, 'Information About NMI Unblocking Due to IRET'. */
void restore_nmi_blocking(const struct vcpu *vcpu, u64 info);

/* After an exit that injected nothing: a vCPU that slept sleeps on, in the activity state that the
 * exit has saved. A CPU that saves HLT (Bochs 2.7 saves 'active' always) has woken where it did
 * not: an SMM handler has ended the HLT. SDM vol. 3, 'Auto HALT Restart'. */
void sleep_on(struct vcpu *vcpu);

#endif
