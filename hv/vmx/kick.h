/* How one CPU gets another one's attention: a word in its vCPU, then an NMI. */
#ifndef TALLY_VMX_KICK_H
#define TALLY_VMX_KICK_H

#include "vmx/vcpu.h"

enum kick {
    KICK_FLUSH_EPT = 1 << 0, /* the EPT lost entries */
    KICK_STOP = 1 << 1,      /* the run is over: halt here */
};

/* Kicks all other CPUs that run. Does not wait for them. */
void kick_others(const struct vcpu *self, enum kick kick);

/* Flushes this CPU's EPT translations and has the other CPUs do so before their next entry. */
void kick_all_to_flush_ept(const struct vcpu *self);

/* Does what others asked for; false if there was nothing, and the NMI is the guest's. */
bool take_kick(struct vcpu *vcpu);

#endif
