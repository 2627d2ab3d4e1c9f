/* Starting the other CPUs under Tally. */
#ifndef TALLY_CPU_SMP_H
#define TALLY_CPU_SMP_H

#include "cpu/cpu.h"

/*
 * Starts all CPUs of `apic_ids` but the one that runs this, one after the other, through the real
 * mode page at physical address `page`, whose content comes back afterwards. Each calls `enter`,
 * which never returns. Sets vcpu_count: the CPUs from `limit` on must stay in Tally. These, and
 * those that do not come (which a line tells), are hidden from the guest.
 */
void start_other_cpus(const u32 *apic_ids, unsigned count, unsigned limit, u64 page,
                      void (*enter)(struct cpu *cpu));

#endif
