/*
 * How one CPU gets another one's attention: a word in its vCPU, then an NMI; and which NMIs are the
 * guest's. docs/smp.md has the rules.
 */
#ifndef TALLY_SMP_KICK_H
#define TALLY_SMP_KICK_H

#include "vcpu.h"

enum kick {
    KICK_FLUSH_EPT = 1 << 0, /* the EPT lost entries */
    KICK_ERRAND = 1 << 1,    /* run the function that send_errand() was given */
    KICK_STOP = 1 << 2,      /* the run is over: halt here */
};

/* Kicks all other CPUs. One that waits for a SIPI looks when it starts; does not wait for them. */
void kick_others(const struct vcpu *self, enum kick kick);

/* Does what others asked of this CPU. To be called in every loop that waits for another CPU. */
void take_kicks(struct vcpu *vcpu);

/* NMIs have arrived in root operation or by an exit (vcpu->nmis): takes the kicks, and queues for
 * the guest those that are not Tally's own. */
void take_nmis(struct vcpu *vcpu);

/*
 * Flushes this CPU's EPT translations, and returns when no other CPU uses old ones any more. One
 * that hears no NMI for a second does until its next exit; from then on it is not waited for.
 */
void flush_ept_everywhere(struct vcpu *self);

/*
 * Has each other CPU run `errand` on itself, in Tally. Returns when `done` holds for all of them
 * that run the guest; false if one does not answer. One errand at a time: the caller sees to that.
 */
bool send_errand(struct vcpu *self, void (*errand)(struct vcpu *other),
                 bool (*done)(const struct vcpu *other));

/* Has all other CPUs stop for good. Returns when their counters no longer change; false if some CPU
 * does not answer. */
bool stop_others(struct vcpu *self);

/* Where a CPU ends that has nothing more to do: halted, in VMX operation until let_all_leave(). */
__attribute__((noreturn)) void stay_in_tally(void);

/*
 * The run is over: this CPU and all that have stopped leave VMX operation, in which an INIT waits.
 * Many ways to reset a machine are an INIT to all its CPUs.
 */
void let_all_leave(const struct vcpu *self);

#endif
