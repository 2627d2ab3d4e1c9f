/* The end of a run. */
#ifndef TALLY_EXITS_STOP_H
#define TALLY_EXITS_STOP_H

#include "vmx/vcpu.h"

/* Which report stop_guest() prints: a set of enum report_format. */
void stop_init(unsigned report_formats);

/* Stops all CPUs, prints the report and ends the run in the way that the guest asked for. */
__attribute__((noreturn)) void stop_guest(struct vcpu *vcpu);

#endif
