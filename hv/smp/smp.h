/* Starting the other CPUs under Tally. */
#ifndef TALLY_SMP_SMP_H
#define TALLY_SMP_SMP_H

#include "host/cpu.h"

/*
 * Starts all CPUs of `apic_ids` but the one that runs this, one after the other, through the real
 * mode page at physical address `page`, whose content comes back afterwards. Each calls `enter`,
 * which never returns. Sets vcpu_count: the CPUs from `limit` on must stay in Tally. These, and
 * those that do not come (which a line tells), are hidden from the guest. More than CPUS_MAX, or
 * one that no IPI reaches, end the run.
 */
void start_other_cpus(const u32 *apic_ids, unsigned count, unsigned limit, u64 page,
                      void (*enter)(struct cpu *cpu));

/* The CPU that runs this is ready for the guest; till then the boot CPU waits, though not for ever.
 */
void cpu_is_ready(struct cpu *cpu);

/*
 * Starting a CPU again that INIT stopped: the CPU calls wait_for_start_again() before, another one
 * start_again(), which has it go on in `enter` on an empty stack. The CPU that was not stopped
 * after all calls cancel_start_again(). One CPU at a time, while no guest runs.
 */
void start_again(struct cpu *cpu, void (*enter)(struct cpu *cpu));
void wait_for_start_again(void);
void cancel_start_again(void);

#endif
