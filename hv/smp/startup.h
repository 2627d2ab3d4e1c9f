/* INIT, SIPI and the sleep of which nothing but these and NMIs wakes. */
#ifndef TALLY_SMP_STARTUP_H
#define TALLY_SMP_STARTUP_H

#include "vcpu.h"

/* INIT reached the vCPU. The boot CPU starts again at the reset vector, which ends the run. `enter`
 * is the first entry of a VMCS that was cleared, see smp/stale_init.h. */
enum exit_action take_init(struct vcpu *vcpu, void (*enter)(struct vcpu *vcpu));

/* SIPI reached it in wait-for-SIPI: it starts in real mode at `vector` << 12. */
void take_sipi(struct vcpu *vcpu, u8 vector);

/* Whether all vCPUs sleep and nothing is on its way that could wake one. For the last that halts.
 */
bool all_asleep(const struct vcpu *self);

#endif
