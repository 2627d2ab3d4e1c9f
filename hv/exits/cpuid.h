/* Answers of CPUID: the processor's own, less what Tally keeps from the guest. */
#ifndef TALLY_EXITS_CPUID_H
#define TALLY_EXITS_CPUID_H

#include "vcpu.h"

/* Whether leaf 0x40000000 and CPUID.1:ECX[31] show Tally to the guest; they do unless told. */
void cpuid_announce(bool announce);

/* At the start, and after a WRMSR that switches features: the next answers come from the CPU. */
void cpuid_forget(struct cpuid_cache *cache);

#endif
