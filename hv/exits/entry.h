/* The two ends of entry.asm. */
#ifndef TALLY_EXITS_ENTRY_H
#define TALLY_EXITS_ENTRY_H

#include "vcpu.h"

/* Enters the guest for the first time (VMLAUNCH) and never returns. */
__attribute__((noreturn)) void vcpu_run(struct vcpu *vcpu);

/* Where an exit arrives: HOST_RIP, and that of a vCPU with chores. Not to be called. */
void vmx_exit(void);
void vmx_exit_observed(void);

/* The one way of an exit, called by vmx_exit: counts, dispatches, acts on the answer. The assembly
 * adds the cycles to vcpu->counter. */
void dispatch_exit(struct vcpu *vcpu);

/* The chores of an exit that took `cycles`. */
void observe_exit(struct vcpu *vcpu, u64 cycles);

/* Called after VMLAUNCH or VMRESUME with the flags that the instruction left. Ends the run. */
void vmx_instruction_failed(u64 flags, struct vcpu *vcpu);

#endif
