/*
 * A way round a defect of Bochs 2.7 and older, all of it in stale_init.c: an INIT that caused an
 * exit stays pending, so that a CPU that is started a second time exits with reason 3 again before
 * its first instruction, for ever. Only a real INIT, outside VMX operation, clears it. docs/smp.md
 * tells what else was tried.
 */
#ifndef TALLY_SMP_STALE_INIT_H
#define TALLY_SMP_STALE_INIT_H

#include "vcpu.h"

/* A SIPI starts the vCPU now. */
void stale_init_note_sipi(const struct vcpu *vcpu);

/*
 * At an exit by INIT: true if it is to be passed over, being the first one in a moment after the
 * SIPI. In the state wait-for-SIPI an INIT is blocked; a CPU may understand this as 'waits until
 * after the SIPI', and then that INIT is one too many.
 *
 * Does not return if it is stale, or may be: the CPU has then left VMX operation, which lets it
 * take the INIT, and come back into the guest as the SIPI left it. If no INIT came, this one was
 * new: the vCPU waits for the next SIPI. Both ways end in `enter`, by VMLAUNCH.
 *
 * False: the INIT counts (or another CPU does not answer, without which nothing can be done).
 */
bool stale_init_passed_over(struct vcpu *vcpu, void (*enter)(struct vcpu *vcpu));

#endif
