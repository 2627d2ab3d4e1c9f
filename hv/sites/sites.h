/* From a number to a line of code: which instruction made an exit, what about, and what it cost. */
#ifndef TALLY_SITES_SITES_H
#define TALLY_SITES_SITES_H

#include "options.h"
#include "stats/window.h"
#include "vcpu.h"

/* What sites= and trace= want of the window, in bytes of each vCPU; says how much that is. */
void recording_plan(const struct options *options, unsigned vcpus, u64 sizes[WINDOW_PARTS]);

/* Makes the vCPU's parts, in zeroed memory, and gives it the chore of recording. */
void recording_start(struct vcpu *vcpu, const struct options *options);

/* Notes the exit that vcpu->seen and the VMCS tell of, after its handler; it took `cycles`. */
void record_exit(struct vcpu *vcpu, u64 cycles);

/* The exit that ends the run is cut off, and so may be one of each other CPU: counted without
 * cycles. */
void record_last_exits(struct vcpu *vcpu);

/* detail.c: what makes the site of the exit. */
struct site_key site_of_exit(const struct vcpu *vcpu);

#endif
