/* What becomes of the guest's RDMSR and WRMSR: one table for the bitmap and for the handlers. */
#ifndef TALLY_EXITS_MSR_H
#define TALLY_EXITS_MSR_H

#include "tally.h"
#include "vcpu.h"

/* One or more MSRs that are not simply the hardware's. The functions carry an access out; false
 * is #GP(0). */
struct msr_rule {
    u32 first, last;
    bool (*read)(u32 msr, u64 *value);
    bool (*write)(struct vcpu *vcpu, u32 msr, u64 value);
    enum { IF_INTERCEPTED, ALWAYS, ALWAYS_WRITE } when; /* in profiles that pass MSRs through */
};

/* Never NULL: an MSR without a row of its own is the hardware's, which judges each access. */
const struct msr_rule *msr_rule_of(u32 msr);

/* Intercepts what the profile asks for in the MSR bitmap. */
void msr_intercept(enum tally_profile profile);

#endif
