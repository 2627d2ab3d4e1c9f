/* What hv/sites/recorded_exit.inc does, for sites that it does not know: no assembly runs here. */
#ifndef TALLY_FAKE_RECORDER_H
#define TALLY_FAKE_RECORDER_H

#include "fake_vmcs.h"
#include "sites/sites.h"
#include "stats/counters.h"

/* The look at the guest before the handler. */
static inline struct seen fake_see(const struct vcpu *vcpu, u64 entry_controls)
{
    u64 cs = fake_get(GUEST_CS_ACCESS_RIGHTS);
    struct seen seen = {
        .eax = (u32)vcpu->gpr[RAX],
        .ecx = (u32)vcpu->gpr[RCX],
        .rip = fake_get(GUEST_RIP),
        .mode = (u32)cs | fake_get(GUEST_SS_ACCESS_RIGHTS) << 32,
    };
    if ((cs & AR_L) && (entry_controls & ENTRY_IA32E_MODE_GUEST))
        return seen;
    seen.rip = (u32)(seen.rip + fake_get(GUEST_CS_BASE));
    seen.mode |= SEEN_LEGACY | (fake_get(GUEST_CR0) & CR0_PE) << SEEN_PE_SHIFT |
                 (fake_get(GUEST_RFLAGS) & RFLAGS_VM) |
                 (entry_controls & ENTRY_IA32E_MODE_GUEST) << SEEN_IA32E_SHIFT;
    return seen;
}

/* Counts the exit where it belongs; returns what is known of its site. */
static inline const struct known_site *fake_record(struct vcpu *vcpu, u64 cycles)
{
    struct known_site *known = &vcpu->recorder.known[KNOWN_SITES];
    struct reason_counter exit = {1, cycles, cycles, cycles};
    learn_site(vcpu, known, 0, 0);
    counter_add(known->counter, &exit);
    return known;
}

#endif
