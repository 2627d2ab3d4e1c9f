/* In and out of the guest, and the end of the run. */
#ifndef TALLY_EXITS_ENTRY_H
#define TALLY_EXITS_ENTRY_H

#include "vcpu.h"
#include "platform/memory_map.h"

/* Enters the guest for the first time (VMLAUNCH) and never returns. */
__attribute__((noreturn)) void vcpu_run(struct vcpu *vcpu);

/* Where an exit arrives: HOST_RIP, that of a vCPU with chores, and of one that records. Not to be
 * called. */
void vmx_exit(void);
void vmx_exit_observed(void);
void vmx_exit_recorded(void);

/* The one way of an exit, called by vmx_exit: counts, dispatches, acts on the answer. The assembly
 * adds the cycles to vcpu->counter. */
void dispatch_exit(struct vcpu *vcpu);

/* The chores of an exit, but for its record. */
void observe_exit(struct vcpu *vcpu);

/* Called after VMLAUNCH or VMRESUME with the flags that the instruction left. Ends the run. */
void vmx_instruction_failed(u64 flags, struct vcpu *vcpu);

/* ---- stop.c ---- */

/*
 * Has all other CPUs stop, for whoever has something to say that must not be torn; stop_guest()
 * does it, too. False if one does not answer. The first CPU to come goes on, any other stops here.
 */
bool stop_other_cpus(struct vcpu *vcpu);

/* Stops all CPUs, prints the report and ends the run in the way that the guest asked for. */
__attribute__((noreturn)) void stop_guest(struct vcpu *vcpu);

/*
 * ---- last_run.c: the counts of a run in a page that the next start of the same Tally finds again,
 * if the machine was reset without its memory losing what is in it: for PCs without a serial port.
 */

/* At the start: the page is the last one of Tally's memory, on a boundary of 2 MiB. */
void last_run_init(void *page);

/* At the end of a run, `way` as power_way() has it. All CPUs' counts become one. */
void last_run_keep(const char *way);

/* Looks in all RAM below 4 GiB where such a page can be, the highest first, and prints what the
 * page says; nothing of one whose checksum is wrong or that another build wrote. */
void last_run_show(const struct memory_map *map);

/*
 * ---- dump.c: the machine's state in raw numbers, when something went wrong: tools/explain says
 * what they mean. Compact, so that a screen of 80 columns and 25 lines holds the whole. Lines of
 * Tally's:
 *
 *   dump begin 1 CAUSE   version 1; CAUSE is exit, vmfail or caps
 *   dump WORD…           values; before one that does not follow the last, a letter and the number
 *                        of what it is: m an MSR, i CPUID's EAX, g a general register, v a VMCS
 *                        field (those go in steps of 2), l an entry of an MSR list
 *   dump end SUM         of all numbers and values, 64 bits
 *
 * All numbers are hexadecimal; a letter without one is a digit.
 * What is not there, the CPU has not got.
 */

/* Say how a VM entry failed, by an exit or by VMfail, and dump the vCPU and the current VMCS. */
void dump_failed_exit(const struct vcpu *vcpu);
void dump_failed_instruction(const struct vcpu *vcpu);

/* The VMX capabilities, and what Tally would use of them: the option `caps`. */
void dump_capabilities(const struct controls *used);

#endif
