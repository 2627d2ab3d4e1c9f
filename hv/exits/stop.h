/* The end of a run. */
#ifndef TALLY_EXITS_STOP_H
#define TALLY_EXITS_STOP_H

#include "vcpu.h"

/* For the start, once. */
void stop_init(void);

/*
 * Has all other CPUs stop, for whoever has something to say that must not be torn; stop_guest()
 * does it, too. False if one does not answer. The first CPU to come goes on, any other stops here.
 */
bool stop_other_cpus(struct vcpu *vcpu);

/* Stops all CPUs, prints the report and ends the run in the way that the guest asked for. */
__attribute__((noreturn)) void stop_guest(struct vcpu *vcpu);

#endif
