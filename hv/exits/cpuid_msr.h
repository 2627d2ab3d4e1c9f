/* What CPUID and the MSRs tell the guest: the processor's own, less what features.c hides. */
#ifndef TALLY_EXITS_CPUID_MSR_H
#define TALLY_EXITS_CPUID_MSR_H

#include "tally.h"
#include "vcpu.h"

/* Whether leaf 0x40000000 and CPUID.1:ECX[31] show the guest no hypervisor. */
extern bool cpuid_conceals_tally;

/* At the start, and after a WRMSR that switches features: the next answers come from the CPU. */
void cpuid_forget(struct cpuid_cache *cache);

/* ---- MSRs, by whatever instruction ---- */

/* What becomes of a write to an MSR that the machine has and features.c does not know: it is
 * swallowed, a #GP, or let through. A line tells the first one to each MSR. */
enum msr_policy { MSR_DROP, MSR_FAULT, MSR_OPEN };

/* Before the guest starts: intercepts what the profile wants to see and what must not pass. */
void msr_init(enum tally_profile profile, enum msr_policy unknown);

/* A write to an MSR that features.c does not know, or knows as dangerous; false: #GP(0). */
bool write_unlisted(const struct vcpu *vcpu, u32 msr, u64 value, bool dangerous);

/* Carry an access out; false: #GP(0). In exits/msr_access.c. */
bool msr_read(struct vcpu *vcpu, u32 msr, u64 *value);
bool msr_write(struct vcpu *vcpu, u32 msr, u64 value);

#endif
