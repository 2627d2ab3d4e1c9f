/* In and out of the guest, and the end of the run. */
#ifndef TALLY_EXITS_ENTRY_H
#define TALLY_EXITS_ENTRY_H

#include "vcpu.h"

/* Enters the guest for the first time (VMLAUNCH) and never returns. */
__attribute__((noreturn)) void vcpu_run(struct vcpu *vcpu);

/* Where an exit arrives: HOST_RIP, that of a vCPU with chores, and of one that records. Not to be
 * called. */
void vmx_exit(void);
void vmx_exit_observed(void);
void vmx_exit_recorded(void);

/* The one way of an exit, called by vmx_exit: counts, dispatches, acts on the answer. The assembly
 * adds the cycles to vcpu->counter. */
void dispatch_exit(struct vcpu *vcpu);

/* The chores of an exit, but for its record. */
void observe_exit(struct vcpu *vcpu);

/* Called after VMLAUNCH or VMRESUME with the flags that the instruction left. Ends the run. */
void vmx_instruction_failed(u64 flags, struct vcpu *vcpu);

/* ---- stop.c ---- */

/* For the start, once. */
void stop_init(void);

/*
 * Has all other CPUs stop, for whoever has something to say that must not be torn; stop_guest()
 * does it, too. False if one does not answer. The first CPU to come goes on, any other stops here.
 */
bool stop_other_cpus(struct vcpu *vcpu);

/* Stops all CPUs, prints the report and ends the run in the way that the guest asked for. */
__attribute__((noreturn)) void stop_guest(struct vcpu *vcpu);

#endif
