/*
 * The machine's state in raw numbers, when something went wrong: tools/explain says what they mean.
 * Compact, so that a screen of 80 columns and 25 lines holds the whole. Lines of Tally's:
 *
 *   dump begin 1 CAUSE       version 1; CAUSE is exit, vmfail or caps
 *   dump WORD…               values; before one that does not follow the last, a letter and the
 * number of what it is: m an MSR, i CPUID's EAX, g a general register, v a VMCS field (those go in
 * steps of 2), l an entry of an MSR list. All numbers are hexadecimal; a letter without one is a
 * digit. dump end SUM             of all numbers and values, 64 bits
 *
 * What is not there, the CPU has not got.
 */
#ifndef TALLY_EXITS_DUMP_H
#define TALLY_EXITS_DUMP_H

#include "vcpu.h"

/* Say how a VM entry failed, by an exit or by VMfail, and dump the vCPU and the current VMCS. */
void dump_failed_exit(const struct vcpu *vcpu);
void dump_failed_instruction(const struct vcpu *vcpu);

/* The VMX capabilities, and what Tally would use of them: the option `caps`. */
void dump_capabilities(const struct controls *used);

#endif
