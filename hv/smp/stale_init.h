/*
 * A way round a defect of Bochs 2.7 and older: an INIT that caused an exit stays pending, so that a
 * CPU that is started a second time exits with reason 3 again before its first instruction, for
 * ever. Only a real INIT, outside VMX operation, clears it. docs/smp.md tells what else was tried.
 */
#ifndef TALLY_SMP_STALE_INIT_H
#define TALLY_SMP_STALE_INIT_H

#include "vcpu.h"

/* A SIPI starts the vCPU now. */
void note_sipi(struct vcpu *vcpu);

/* An INIT exit: whether the guest has executed nothing since the SIPI. */
bool is_stale_init(const struct vcpu *vcpu);

/*
 * Whether it is the first such exit, a moment after the SIPI. In the state wait-for-SIPI an INIT is
 * blocked; a CPU may mean by this that it waits, too, until behind the SIPI. It was one too many.
 */
bool is_late_init(const struct vcpu *vcpu);

/*
 * Leaves VMX operation, which lets the CPU take the INIT, and has the boot CPU start it again, into
 * the guest as the SIPI left it. If no INIT comes then, it was a new one: the vCPU waits for the
 * next SIPI. Both ways `enter` enters the guest by VMLAUNCH and never returns. Returns if another
 * CPU does not answer: nothing has been done then.
 */
void drop_stale_init(struct vcpu *vcpu, void (*enter)(struct vcpu *vcpu));

#endif
