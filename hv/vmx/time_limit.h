/* end=SECONDS: a run that ends by itself, whatever the guest does. */
#ifndef TALLY_VMX_TIME_LIMIT_H
#define TALLY_VMX_TIME_LIMIT_H

#include "vcpu.h"

/*
 * The vCPU whose VMCS is loaded may be in the guest for so long, in HLT, too; what passes in Tally
 * does not count. 0: without limit. For one vCPU, before its first entry. Returns NULL, or why this
 * CPU cannot measure it; `tsc_khz` is 0 where it is unknown. SDM vol. 3, 'VMX-Preemption Timer'.
 */
const char *time_limit_set(struct vcpu *vcpu, u32 seconds, u32 tsc_khz);

/* The timer has run down. Whether that was the end of the time; else it runs again. */
bool time_limit_reached(void);

#endif
